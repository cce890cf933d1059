"""A draft of the file of a spatial accelerator, whose figures say how they came about.

The one place of this package that knows what such a file looks like.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import Factory, evolve, field, frozen

from costmodel.devices import Parameter
from costmodel.errors import CostModelError, UnitError
from costmodel.formats import parse_format
from costmodel.units import format_quantity, parse_quantity
from costmodel.workload.operators import ROLES
from costmodel_hardware.components.arithmetic import mac, usual_accumulator
from costmodel_hardware.components.component import Component, check_whole
from costmodel_hardware.components.memories import dram, format_size, kib_of, register_file, sram
from costmodel_hardware.components.tables import citations

AXES: Final = ("rows", "columns")
DATAFLOWS: Final = (
    "weight stationary", "output stationary", "input stationary", "row stationary", "search",
)  # fmt: skip
"""What a draft may say of the order of the loops."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOST_PER_AXIS: Final = 65536
_GIVEN: Final = "given"
_DIGITS: Final = 4
_WORDS_OF_REGISTERS: Final = 1024


def _holds(given: Sequence[str] | str) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


@frozen(kw_only=True)
class Buffer:
    """An on-chip memory: its size such as '128 KiB', and the bits of an access.

    With `per_element` every element of the array has one, which is a register file if it has at
    most 1,024 words.

    Raises:
        CostModelError: a name is no word, or it holds something else than the roles of operands.

    """

    name: str
    size: str
    width: int
    holds: tuple[str, ...] = field(default=Factory(lambda: ROLES), converter=_holds)
    per_element: bool = False
    ports: int = 1
    banks: int = 1
    double_buffered: bool = False

    def __attrs_post_init__(self) -> None:
        """Check the name and the roles."""
        check_name("buffer", self.name)
        if not self.holds or not set(self.holds) <= set(ROLES):
            expected = f"expected some of {', '.join(ROLES)}"
            message = f"{self.name}.holds: {expected}, found {', '.join(self.holds)!r:.80}"
            raise CostModelError(message)

    def component(self, node: float) -> Component:
        """What one such memory costs at a node in nm.

        Raises:
            CostModelError: the tables have no figures for it.

        """
        try:
            check_whole("width", self.width, 1, 1 << 20, "bits of one access")
            words = kib_of(self.size) * 8192 / self.width
            is_plain = self.ports == self.banks == 1
            if self.per_element and words <= _WORDS_OF_REGISTERS and is_plain:
                return register_file(node, self.size, self.width)
            return sram(node, self.size, self.width, self.ports, self.banks)
        except CostModelError as error:
            message = f"{self.name}: {error}"
            raise CostModelError(message) from None


def check_name(what: str, name: str) -> None:
    """Check that a name is one word.

    Raises:
        CostModelError: it is none.

    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        message = f"name of the {what}: expected a word such as my-npu, found {name!r:.80}"
        raise CostModelError(message)


def draft(  # noqa: PLR0913  # what a user gives, all by keyword
    name: str, *, node: float, rows: int, columns: int, buffers: Sequence[Buffer],
    off_chip: str = "lpddr4", off_chip_width: int = 64, number: str = "int8",
    accumulator: str | None = None, clock: str = "500 MHz", dataflow: str = "search",
    systolic: bool = True,
) -> str:  # fmt: skip
    """The text of a device file: an array of `rows` x `columns` MACs at a `node` in nm.

    `buffers` are its memories on the chip from the innermost; `off_chip` is the kind of DRAM.

    Raises:
        CostModelError: a size, node or name for which the tables have no figures.

    """
    check_name("device", name)
    _check_array(rows, columns, dataflow)
    _check_names([one.name for one in buffers], off_chip)
    _check_clock(clock)
    unit = mac(node, number, accumulator)
    memories = [(one, one.component(node)) for one in buffers]
    dram_cost = dram(off_chip, off_chip_width)
    used = [figure for _, made in memories for figure in made.figures()]
    sources = _sources([*unit.figures(), *used, *dram_cost.figures()])
    keys = {text: key for key, text in sources.items()}
    chosen = {"source": _GIVEN, "evidence": "assumed"}
    lines = [
        "# A draft from tables: read the notes, and replace each figure that you know better.",
        "schema: costmodel/device/2",
        f"name: {name}",
        "class: spatial",
        f"title: {_text(f'{rows} x {columns} MACs of {number} at {node:g} nm, a draft')}",
        f"process: {_text(f'{node:g} nm')}",
        "sources:",
        *(f"  {key}: {_text(text)}" for key, text in sources.items()),
        "parameters:",
        f"  clock: {_flow({'value': clock, **chosen})}",
        *_tabled("energy_per_mac", number, unit.energy, keys),
        *_figures({"mac_area": unit.area, "mac_leakage": unit.leakage}, keys),
        f"  vector_rate: {_flow(_vector_rate(columns, clock))}",
        "settings:",
        f"  array: {_flow({'rows': rows, 'columns': columns})}",
        *([f"  systolic: {_flow(list(AXES))}"] if systolic else []),
        f"  dataflow: {dataflow}",
        f"  accumulator_bits: {_accumulator_bits(number, accumulator)}",
        "memories:",
        *(
            line
            for one, made in memories
            for line in _memory(one, made, keys, rows * columns if one.per_element else 1)
        ),
        *_off_chip(off_chip, off_chip_width, dram_cost, keys),
    ]
    return "\n".join(lines) + "\n"


def _vector_rate(columns: int, clock: str) -> Mapping[str, str]:
    rate = columns * parse_quantity(clock, "Hz").value
    return {
        "value": format_quantity(rate, "OP/s", _DIGITS), "source": _GIVEN, "evidence": "assumed",
        "note": "one operation for each column in each cycle, for lack of a better figure",
    }  # fmt: skip


def _check_array(rows: int, columns: int, dataflow: str) -> None:
    for axis, given in zip(AXES, (rows, columns), strict=True):
        check_whole(axis, given, 1, _MOST_PER_AXIS, "elements of an array along an axis")
    if dataflow not in DATAFLOWS:
        message = f"dataflow: expected one of {', '.join(DATAFLOWS)}, found {dataflow!r:.80}"
        raise CostModelError(message)


def _check_names(names: Sequence[str], off_chip: str) -> None:
    all_names = [*names, off_chip]
    for name in all_names:
        if all_names.count(name) > 1:
            message = f"name of the buffer: expected one memory called {name!r}, found two"
            raise CostModelError(message)


def _check_clock(clock: str) -> None:
    try:
        hertz = parse_quantity(clock, "Hz").value
    except UnitError as error:
        message = f"clock: {error}"
        raise CostModelError(message) from None
    if hertz <= 0:
        message = f"clock: expected more than 0 Hz, found {clock!r:.80}"
        raise CostModelError(message)


def _memory(one: Buffer, made: Component, keys: Mapping[str, str], instances: int) -> Iterator[str]:
    size = {"value": format_size(kib_of(one.size)), "source": _GIVEN, "evidence": "assumed"}
    yield f"  - name: {one.name}"
    yield f"    holds: {_flow(list(one.holds))}"
    yield f"    size: {_flow(size)}"
    if one.per_element:
        yield f"    per: {_flow(list(AXES))}"
    if one.double_buffered:
        yield "    double_buffered: true"
    yield from _accesses(made, one.width, keys)
    shown = {
        "area": _together(made.area, instances), "leakage": _together(made.leakage, instances)
    }  # fmt: skip
    yield from (f"  {line}" for line in _figures(shown, keys))
    if made.missing:
        yield f"    # not given: {made.missing}"


def _together(one: Parameter | None, instances: int) -> Parameter | None:
    """A figure of one memory as that of all of them."""
    if one is None or instances == 1:
        return one
    note = f"{one.note}; times {instances:,}, one for each element"
    return evolve(
        one, value=one.value * instances, low=one.low * instances, high=one.high * instances,
        note=note,
    )  # fmt: skip


def _tabled(
    name: str, number: str, one: Parameter | None, keys: Mapping[str, str]
) -> Iterator[str]:
    """A figure by numeric format."""
    if one is not None:
        yield f"  {name}:"
        yield f"    {number}: {_flow(_entry(one, keys[one.source]))}"


def _accumulator_bits(number: str, accumulator: str | None) -> int:
    """Bits of a sum: of the accumulator, or as many as the units add."""
    return parse_format(accumulator or usual_accumulator(number)).bits


def _off_chip(kind: str, width: int, made: Component, keys: Mapping[str, str]) -> Iterator[str]:
    yield f"  - name: {kind}"
    yield f"    holds: {_flow(list(ROLES))}"
    yield "    size: unlimited"
    yield from _accesses(made, width, keys)
    yield f"    # not given: {made.missing}"


def _accesses(made: Component, width: int, keys: Mapping[str, str]) -> Iterator[str]:
    for way, energy in (("read", made.read_energy), ("write", made.write_energy)):
        yield f"    {way}:"
        yield from (f"    {line}" for line in _figures({"energy": energy}, keys))
        yield f"      width: {width} bit"


def _figures(figures: Mapping[str, Parameter | None], keys: Mapping[str, str]) -> Iterator[str]:
    for key, one in figures.items():
        if one is not None:
            yield f"  {key}: {_flow(_entry(one, keys[one.source]))}"


def _entry(one: Parameter, source: str) -> Mapping[str, Any]:
    def written(value: float) -> str:
        return format_quantity(value, one.unit, _DIGITS).replace("µ", "u")

    is_range = one.low != one.high
    ends = {"low": written(one.low), "high": written(one.high)} if is_range else {}
    return {
        "value": written(one.value), **ends, "source": source, "evidence": one.evidence.value,
        "note": one.note,
    }  # fmt: skip


def _sources(figures: Sequence[Parameter]) -> Mapping[str, str]:
    """The citations of the figures by a key, that of what the caller gave first."""
    known = citations()
    found = {_GIVEN: "given for this draft"}
    for figure in figures:
        parts = [key for key, text in known.items() if text in figure.source]
        found.setdefault("-and-".join(parts), figure.source)
    return found


def _flow(value: Any) -> str:
    """A mapping or list on one line; texts that are no single word stand in quotation marks."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return (
        value
        if isinstance(value, str) and re.fullmatch(r"[\w.+-]+( \w+)?", value)
        else _text(value)
    )


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
