"""Measured times of networks: a table with one row for each, and the networks themselves."""

from __future__ import annotations

import csv
import functools
import gzip
import math
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import evolve, frozen

import costmodel
from costmodel import CostModelError, Network, Scenario
from costmodel.errors import FormatError, ScenarioError, nearest
from costmodel.formats import format_name, parse_format
from costmodel.scenario import ALL_OTHERS
from costmodel.tensor.shapes import as_shape

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from costmodel import Workload
    from costmodel.tensor.shapes import Shape

_T = TypeVar("_T")

NEEDED: Final = ("network", "batch", "format", "latency_ms")
"""The columns that a table must have."""
OPTIONAL: Final = (
    "device", "runtime", "weights", "input_shapes", "latency_ms_min", "latency_ms_p90", "power_w",
    "power_boundary", "conditions", "source",
)  # fmt: skip
"""Further columns that are read; all others are kept out of the way."""
COLUMNS: Final = ("device", "runtime", *NEEDED, "power_w", "power_boundary", "conditions", "source")
"""The columns of a table that costmodel writes, in their order."""
_SUFFIX: Final = ".json.gz"
LARGEST_TABLE: Final = 1 << 24
"""Bytes of a table of measurements."""


@frozen
class Measurement:
    """The time that a network took on a device, and its mean power where that was measured."""

    network: str
    """The name of a network that ships, or a path beside the table."""
    scenario: Scenario
    seconds: float
    """Of the whole batch; the mean or the median of a run, as the source has it."""
    device: str = ""
    runtime: str = ""
    power_watts: float | None = None
    power_boundary: str = ""
    conditions: str = ""
    source: str = ""
    shortest_seconds: float | None = None
    """Of the batch that took least, where the source has it."""
    p90_seconds: float | None = None
    """The time that nine of ten batches of the run took at most."""
    folder: Path | None = None
    """Where paths of networks start; None for the networks that ship."""

    @property
    def energy_joules(self) -> float | None:
        """Power over the time, of the whole batch."""
        return None if self.power_watts is None else self.power_watts * self.seconds

    @property
    def family(self) -> str:
        """The family of networks that it belongs to, such as `mobilenet_v2`."""
        return family_of(self.network)

    def read_network(self) -> Network:
        """The network itself.

        Raises:
            ReadError: there is no such network, or it cannot be read.

        """
        if self.network in shipped_networks():
            return network(self.network)
        path = (self.folder or Path()) / self.network
        if not path.is_file():
            near = nearest(self.network, shipped_networks())
            hint = f"; nearest that ships: {near!r}" if near else ""
            message = f"no network {self.network!r:.80} ships, nor is there a file {path}{hint}"
            raise CostModelError(message)
        return _read(str(path))

    @property
    def format_name(self) -> str:
        """The name of the default format."""
        return format_name(self.scenario.default_format)


_FAMILIES: Final = (
    "mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "efficientnet_lite", "efficientnetv2",
    "efficientnet", "mobilenetv3", "mobilenetv2", "mobilenet", "convnext", "densenet", "inception",
    "nasnet", "resnet", "vgg", "xception", "blouw", "llama", "qwen",
)  # fmt: skip


def family_of(name: str) -> str:
    """The family in the name of a network; the name itself where it has none that is known."""
    plain = name.removeprefix("keras_").lower()
    return next((family for family in _FAMILIES if plain.startswith(family)), plain)


def package() -> Traversable:
    """The folder of this package."""
    return files("costmodel_validation")


@functools.cache
def shipped_networks() -> Mapping[str, Traversable]:
    """The networks that ship, by name: Keras configurations without weights."""
    folder = package() / "networks"
    return {
        file.name.removesuffix(_SUFFIX): file
        for file in sorted(folder.iterdir(), key=lambda one: one.name)
        if file.name.endswith(_SUFFIX)
    }


def configuration(name: str) -> bytes:
    """The Keras configuration of a network that ships, as JSON.

    Raises:
        CostModelError: there is no such network.

    """
    found = shipped_networks().get(name)
    if found is None:
        near = nearest(name, shipped_networks())
        hint = f"; nearest: {near!r}" if near else ""
        message = f"no network {name!r:.80} ships with costmodel{hint}"
        raise CostModelError(message)
    return gzip.decompress(found.read_bytes())


@functools.cache
def network(name: str) -> Network:
    """A network that ships.

    Raises:
        CostModelError: there is no such network.

    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.json"
        path.write_bytes(configuration(name))
        return costmodel.read(path)


@functools.lru_cache(maxsize=256)
def _read(path: str) -> Network:
    return costmodel.read(path)


def workload_of(measured: Measurement) -> Workload:
    """What the measured network computes, whatever its batch.

    Raises:
        CostModelError: there is no such network, or it cannot be read.

    """
    scenario = evolve(measured.scenario, batch=1)
    try:
        return _lowered(measured.network, measured.folder, scenario)
    except ScenarioError as error:
        message = f"{measured.network}: {error}"
        raise CostModelError(message) from None


@functools.lru_cache(maxsize=256)
def _lowered(name: str, folder: Path | None, scenario: Scenario) -> Workload:
    return costmodel.lower(Measurement(name, scenario, 1.0, folder=folder).read_network(), scenario)


def shipped_measurements() -> tuple[Measurement, ...]:
    """All measurements that ship, in the order of their files and rows."""
    folder = package() / "measured"
    found: list[Measurement] = []
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".csv"):
            text = file.read_text(encoding="utf-8")
            found += measurements_in(text.splitlines(), file.name)
    return tuple(found)


def read_measurements(path: Path) -> tuple[Measurement, ...]:
    """The measurements of a table, such as `costmodel measure` writes.

    Raises:
        CostModelError: it cannot be read, has no rows, or lacks a column; or a row is wrong.

    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TABLE + 1)
        text = content.decode("utf-8-sig")  # with or without the mark that spreadsheets write
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read as a table of measurements in UTF-8: {error}"
        raise CostModelError(message) from None
    if len(content) > LARGEST_TABLE:
        message = f"{path}: expected a table of at most {LARGEST_TABLE:,} bytes"
        raise CostModelError(message)
    found = measurements_in(text.splitlines(), str(path), path.parent)
    if not found:
        message = f"{path}: expected measurements below the head of the table, found none"
        raise CostModelError(message)
    return found


def measurements_in(
    lines: Sequence[str], file: str, folder: Path | None = None
) -> tuple[Measurement, ...]:
    """The measurements of the lines of a table.

    Raises:
        CostModelError: all mistakes of the table, with their rows.

    """
    rows = csv.DictReader(lines)
    head = rows.fieldnames or ()
    missing = [name for name in NEEDED if name not in head]
    if missing:
        expected = f"expected the columns {', '.join(NEEDED)}, with commas between"
        given = f"found {','.join(map(str, head))!r:.80}"
        message = f"{file}: {expected}; missing: {', '.join(missing)}; {given}"
        raise CostModelError(message)
    twice = [name for name in head if list(head).count(name) > 1]
    if twice:
        message = f"{file}: column {twice[0]!r:.40} is there twice"
        raise CostModelError(message)
    found, mistakes = [], []
    for row in rows:
        try:
            found.append(_measurement(row, folder))
        except (CostModelError, ValueError) as error:
            mistakes.append(f"row {rows.line_num}: {error}")
    if mistakes:
        more = f"\n  and {len(mistakes) - _SHOWN} more" if len(mistakes) > _SHOWN else ""
        listed = "".join(f"\n  {one}" for one in mistakes[:_SHOWN])
        message = f"{file}: {len(mistakes)} rows cannot be used:{listed}{more}"
        raise CostModelError(message)
    return tuple(found)


_SHOWN: Final = 20


def _measurement(row: Mapping[str, Any], folder: Path | None) -> Measurement:
    if surplus := row.get(None):  # type: ignore[call-overload]  # what the reader calls cells without a column
        message = f"it has more cells than the head: {surplus!r:.40}"
        raise CostModelError(message)
    texts = {name: (row.get(name) or "").strip() for name in (*NEEDED, *OPTIONAL)}
    if not texts["network"]:
        message = "network: expected the name of one, found nothing"
        raise CostModelError(message)
    try:
        number = parse_format(texts["format"])
    except FormatError as error:
        message = f"format: {error}"
        raise CostModelError(message) from None
    batch = _positive("batch", texts["batch"])
    if not batch.is_integer():
        message = f"batch: expected a whole number, found {texts['batch']!r:.40}"
        raise CostModelError(message)
    power = texts["power_w"]
    return Measurement(
        texts["network"],
        Scenario(
            batch=int(batch),
            default_format=number,
            weights=_by_name("weights", texts["weights"], parse_format),
            input_shapes=_by_name("input_shapes", texts["input_shapes"], _shape),
        ),
        _positive("latency_ms", texts["latency_ms"]) / 1e3,
        texts["device"],
        texts["runtime"],
        _positive("power_w", power) if power else None,
        texts["power_boundary"],
        texts["conditions"],
        texts["source"],
        folder=folder,
        shortest_seconds=_seconds(texts, "latency_ms_min"),
        p90_seconds=_seconds(texts, "latency_ms_p90"),
    )


def _by_name(column: str, text: str, read: Callable[[str], _T]) -> dict[str, _T]:
    """What is stated by name as `name=value`, apart by semicolons; `*` without a name."""
    try:
        pairs = [part.rpartition("=") for part in text.split(";") if part.strip()]
        return {name.strip() or ALL_OTHERS: read(value.strip()) for name, _, value in pairs}
    except (CostModelError, ValueError) as error:
        example = _EXAMPLES[column]
        message = f"{column}: expected {example}, apart by semicolons; found {text!r:.80}: {error}"
        raise CostModelError(message) from None


_EXAMPLES: Final = {
    "weights": "a format such as int4, or LAYER=FORMAT",
    "input_shapes": "INPUT=SHAPE such as tokens=1x128",
}


def _shape(text: str) -> Shape:
    lengths = text.split("x")
    if not all(one.strip().isdecimal() for one in lengths):
        message = f"a shape is lengths with x between; {text!r:.40} is none"
        raise CostModelError(message)
    return as_shape(map(int, lengths))


def _seconds(texts: Mapping[str, str], name: str) -> float | None:
    return _positive(name, texts[name]) / 1e3 if texts[name] else None


def _positive(name: str, text: str) -> float:
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        message = f"{name}: expected a number above 0, found {text!r:.40}"
        raise CostModelError(message)
    return value


def by_system(
    measured: Iterable[Measurement],
) -> Mapping[tuple[str, str], tuple[Measurement, ...]]:
    """Measurements by device and runtime, in the order of their first."""
    found: dict[tuple[str, str], list[Measurement]] = {}
    for one in measured:
        found.setdefault((one.device, one.runtime), []).append(one)
    return {key: tuple(rows) for key, rows in found.items()}
