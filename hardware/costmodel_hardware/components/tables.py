"""The tables of this package: YAML files with sources, read strictly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from attrs import frozen

from costmodel.devicefile.figures import FigureReader, Wanted
from costmodel.devicefile.yaml_text import parsed
from costmodel.devices import Parameter
from costmodel.errors import DeviceFileError, UnitError
from costmodel.units import parse_quantity

SRAM_QUANTITIES: Final = ("read", "write", "area", "leakage", "access")
"""Joules per access, square metres, watts and seconds of a macro."""
_SHAPE: Final = ("size", "width", "ports", "banks")
_SRAM_KEYS: Final = {
    "sources", "licences", "node_nm", "source", "evidence", "note", "columns", "points",
}  # fmt: skip
_UNITS: Final = {
    "size": "B", "width": "bit", "ports": "", "banks": "", "read": "J", "write": "J",
    "area": "m2", "leakage": "W", "access": "s",
}  # fmt: skip
_BYTES: Final = 1024
_NODES: Final = (7, 16, 22, 28, 32, 45, 65, 90)


class Macro(NamedTuple):
    """The shape of an SRAM: KiB, bits of an access, ports, banks."""

    kib: float
    width: float
    ports: int = 1
    banks: int = 1


@frozen
class SramPoint:
    """A macro at a node, and what it costs: the values of SRAM_QUANTITIES in SI units."""

    node: int
    macro: Macro
    values: Mapping[str, float]


@cache
def sram_points() -> tuple[SramPoint, ...]:
    """All points of the SRAM tables.

    Raises:
        DeviceFileError: a file of this package is wrong.

    """
    return tuple(
        point
        for node in _NODES
        for point in read_sram(_content(f"sram-{node}nm.yaml"), f"sram-{node}nm.yaml")
    )


@cache
def sram_source() -> str:
    """Where the points of the SRAM tables come from."""
    raw = parsed(_content("sram-45nm.yaml"), "sram-45nm.yaml")
    return str(raw["sources"][raw["source"]])


def read_sram(text: bytes, file: str) -> tuple[SramPoint, ...]:
    """The points of one file: a row for each macro, in the units of its columns.

    Raises:
        DeviceFileError: it is not such a file; all its mistakes are listed.

    """
    raw = parsed(text, file)
    mistakes: list[str] = []
    if not isinstance(raw, dict) or raw.keys() != _SRAM_KEYS:
        raise DeviceFileError(file, [f"expected the keys {', '.join(sorted(_SRAM_KEYS))}"])
    FigureReader(raw["sources"], mistakes).defaults("table", raw)
    scales = _scales(raw["columns"], mistakes)
    node = raw["node_nm"]
    if not _is_positive(node):
        mistakes.append(f"node_nm: expected nanometres such as 45, found {node!r:.80}")
    rows = raw["points"] if isinstance(raw["points"], list) else []
    for place, row in enumerate(rows):
        is_row = isinstance(row, list) and len(row) == len(_UNITS) and all(map(_is_positive, row))
        if not is_row:
            expected = f"expected {len(_UNITS)} positive numbers"
            mistakes.append(f"points[{place}]: {expected}, found {row!r:.80}")
    if not rows:
        mistakes.append("points: expected a list of rows")
    if mistakes:
        raise DeviceFileError(file, mistakes)
    return tuple(_sram_point(node, dict(zip(scales, row, strict=True)), scales) for row in rows)


def _scales(columns: Any, mistakes: list[str]) -> dict[str, float]:
    """The SI value of the unit of each column."""
    if not isinstance(columns, dict) or list(columns) != list(_UNITS):
        mistakes.append(f"columns: expected {', '.join(_UNITS)}, each with its unit")
        return {}
    found = {}
    for name, unit in columns.items():
        try:
            found[name] = parse_quantity(f"1 {unit}", _UNITS[name]).value
        except UnitError as error:
            mistakes.append(f"columns.{name}: {error}")
    return found


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _sram_point(node: int, row: Mapping[str, Any], scales: Mapping[str, float]) -> SramPoint:
    kib = row["size"] * scales["size"] / _BYTES
    macro = Macro(kib, row["width"], row["ports"], row["banks"])
    return SramPoint(node, macro, {key: row[key] * scales[key] for key in SRAM_QUANTITIES})


# ------------------------------------------------------------------ single figures


class Row(NamedTuple):
    """A row of a table of figures: what identifies it, and its figures by name."""

    keys: Mapping[str, Any]
    figures: Mapping[str, Parameter]


@cache
def rows(
    name: str, identity: tuple[str, ...], units: tuple[tuple[str, str], ...]
) -> tuple[Row, ...]:
    """The rows of a file of this package, `identity` and figures of `units` in each.

    Raises:
        DeviceFileError: the file is wrong.

    """
    return read_rows(_content(name), name, identity, dict(units))


def read_rows(
    text: bytes, file: str, identity: Iterable[str], units: Mapping[str, str]
) -> tuple[Row, ...]:
    """The rows of a file of `sources`, `licences` and `rows`.

    Raises:
        DeviceFileError: it is not such a file; all its mistakes are listed.

    """
    raw = parsed(text, file)
    if not isinstance(raw, dict) or raw.keys() != {"sources", "licences", "rows"}:
        raise DeviceFileError(file, ["expected the keys sources, licences and rows"])
    mistakes: list[str] = []
    if not isinstance(raw["sources"], dict) or not isinstance(raw["rows"], list):
        raise DeviceFileError(file, ["expected a mapping of sources and a list of rows"])
    reader = FigureReader(raw["sources"], mistakes)
    found = [
        _row(f"rows[{place}]", row, reader, tuple(identity), units)
        for place, row in enumerate(raw["rows"])
    ]
    if mistakes:
        raise DeviceFileError(file, mistakes)
    return tuple(row for row in found if row is not None)


def _row(
    path: str, raw: Any, reader: FigureReader, identity: tuple[str, ...], units: Mapping[str, str]
) -> Row | None:
    known = {*identity, *units, "source", "evidence"}
    if not isinstance(raw, dict) or not set(identity) <= raw.keys() <= known:
        reader.mistakes.append(f"{path}: expected {', '.join(known)}, found {raw!r:.80}")
        return None
    given = reader.defaults(path, raw)
    figures = {
        name: reader.figure(f"{path}.{name}", raw[name], Wanted(name=name, unit=unit, given=given))
        for name, unit in units.items()
        if name in raw
    }
    keys = {key: raw[key] for key in identity}
    return Row(keys, {name: one for name, one in figures.items() if one is not None})


def _content(name: str) -> bytes:
    return (files("costmodel_hardware.components") / name).read_bytes()


@cache
def polynomials() -> Mapping[str, Any]:
    """The tables of Stillmaker and Baas, as `scaling.yaml` has them.

    Raises:
        DeviceFileError: the file is no YAML.

    """
    raw = parsed(_content("scaling.yaml"), "scaling.yaml")
    assert isinstance(raw, dict)  # noqa: S101  # a file of this package
    return raw


@cache
def left_out_errors() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """The errors of the laws of SRAM on left-out points, by law and quantity.

    Raises:
        DeviceFileError: the file is no YAML.

    """
    raw = parsed(_content("sram-errors.yaml"), "sram-errors.yaml")
    assert isinstance(raw, dict)  # noqa: S101  # a file of this package
    return raw["laws"]  # type: ignore[no-any-return]


@cache
def citations() -> Mapping[str, str]:
    """All sources of this package by their keys.

    Raises:
        DeviceFileError: a file is no YAML.

    """
    found: dict[str, str] = {}
    for name in ("published.yaml", "circuits.yaml", "sram-45nm.yaml", "scaling.yaml"):
        for key, text in parsed(_content(name), name)["sources"].items():
            # The same key stands for other packages of one project in another file.
            same = found.get(key, text) == text
            found[key if same else f"{key}-{name.split('.')[0]}"] = text
    return found
