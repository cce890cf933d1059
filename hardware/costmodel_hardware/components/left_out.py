"""How well the laws of this package predict points that were left out.

    python -m costmodel_hardware.components.left_out
    python -m costmodel_hardware.components.left_out POINTS.json

Without a file, two protocols. `points`: of the points of SRAM as they are given, every third is
left out, in three turns, or each alone, and predicted from the rest. Most of these follow from
another node by a closed form of the source, so that error is that of a file of further points, not
of a new size. `laws`: from the macros of CACTI that the points determine, one law is made to
predict what it was not given: a ratio to another node, a size between two others, a width, a number
of banks, a node, and a size beyond the largest.

With a file of the form of tests/golden/hwcomponents.json.gz, its points of SRAM are predicted from
all that ship.

The laws of sizes and of ratios were chosen among three on the macros whose log2(KiB) + log2(bits)
is even; these are not quoted: the errors are those of the odd ones. The laws of banks and of nodes
were chosen with the quoted points in sight. The ranges of components are P10 to P90 of true over
predicted, from `sram-errors.yaml`, which `--write FILE` writes anew.
"""

from __future__ import annotations

import gzip
import json
import math
import statistics
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from costmodel.errors import CostModelError
from costmodel_hardware.components.interpolation import log_log, straight
from costmodel_hardware.components.memories import check_macro
from costmodel_hardware.components.sram_table import (
    BANKS,
    BEYOND,
    LARGEST_KIB,
    NODE,
    NODES,
    RATIO,
    ROWS,
    SIZE,
    WIDTH,
    SramTable,
    recovered,
    rows_of,
    sram_table,
)
from costmodel_hardware.components.tables import SRAM_QUANTITIES, Macro, SramPoint, sram_points

TURNS: Final = 3
_GZIP: Final = b"\x1f\x8b"
_PLAIN: Final = (1, 1)
_EXACT: Final = 1e-5
"""The error of a point that follows from others: its source rounds to seven digits."""


@frozen
class LeftOut:
    """A point that was left out: what it is, and its value over the predicted one."""

    name: str
    ratio: float

    @property
    def error(self) -> float:
        """The predicted value's distance from the true one, as a share of the true one."""
        return abs(1 / self.ratio - 1)


@frozen
class Errors:
    """The errors of one quantity under one law or protocol."""

    law: str
    quantity: str
    points: tuple[LeftOut, ...]

    @property
    def median(self) -> float:
        """The median error, as a share of the true value."""
        return statistics.median(point.error for point in self.points)

    @property
    def undetermined(self) -> Errors:
        """The points alone that no closed form of the source determines."""
        return Errors(
            self.law, self.quantity, tuple(one for one in self.points if one.error > _EXACT)
        )

    @property
    def worst(self) -> tuple[LeftOut, ...]:
        """The three points of the largest errors."""
        return tuple(sorted(self.points, key=lambda point: -point.error)[:3])

    @property
    def ends(self) -> tuple[float, float]:
        """P10 and P90 of true over predicted."""
        ordered = statistics.quantiles((point.ratio for point in self.points), n=10)
        return ordered[0], ordered[-1]

    def __str__(self) -> str:
        """Write the median and the largest errors."""
        worst = ", ".join(f"{point.name} {point.error:.0%}" for point in self.worst)
        head = f"{self.law}, {self.quantity}: {len(self.points)} points"
        found = self.undetermined
        exact = len(self.points) - len(found.points)
        rest = ""
        if exact and found.points:
            rest = f" ({exact} follow exactly, others {found.median:.1%})"
        return f"{head}, median {self.median:.1%}{rest}; largest: {worst}"


def every_third(points: Sequence[SramPoint] | None = None) -> Iterator[Errors]:
    """Points as given, a third left out in each of three turns."""
    held = sorted(points or sram_points(), key=lambda one: (one.macro, one.node))
    found: dict[str, list[LeftOut]] = {quantity: [] for quantity in SRAM_QUANTITIES}
    for turn in range(TURNS):
        table = SramTable(recovered(one for at, one in enumerate(held) if at % TURNS != turn))
        for point in held[turn::TURNS]:
            for quantity, values in found.items():
                values.append(_left_out(table, quantity, point))
    yield from (Errors("every third point", key, tuple(one)) for key, one in found.items())


def one_by_one(points: Sequence[SramPoint] | None = None) -> Iterator[Errors]:
    """Points as given, each left out alone."""
    held = points or sram_points()
    found: dict[str, list[LeftOut]] = {quantity: [] for quantity in SRAM_QUANTITIES}
    for place, point in enumerate(held):
        table = SramTable(recovered(one for at, one in enumerate(held) if at != place))
        for quantity, values in found.items():
            values.append(_left_out(table, quantity, point))
    yield from (Errors("each point alone", key, tuple(one)) for key, one in found.items())


def _left_out(table: SramTable, quantity: str, point: SramPoint) -> LeftOut:
    predicted = table.estimate(quantity, point.node, point.macro).value
    return LeftOut(_name(point.node, point.macro), point.values[quantity] / predicted)


def _name(node: float, macro: Macro) -> str:
    ported = "" if macro[2:] == _PLAIN else f" {macro.ports} ports {macro.banks} banks"
    return f"{node:g} nm {macro.kib:g} KiB {macro.width:g} bit{ported}"


def of_file(content: bytes, where: str) -> Iterator[Errors]:
    """The SRAM points of a JSON text that has the form of hwcomponents.json.

    Raises:
        CostModelError: it has another form, or a point is outside of what the tables can say.

    """
    packed = content.startswith(_GZIP)
    try:
        raw = json.loads(gzip.decompress(content) if packed else content)
        points = [_read(one) for one in raw["points"] if one["class"] == "SRAM"]
    except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as error:
        message = f"{where}: {type(error).__name__}: {error}; expected points as hwcomponents.json"
        raise CostModelError(message) from None
    if not points:
        message = f"{where}: expected points of the class SRAM, found none"
        raise CostModelError(message)
    table = sram_table()
    for point in points:
        check_macro(point.node, point.macro)
    for quantity in SRAM_QUANTITIES:
        found = tuple(_left_out(table, quantity, point) for point in points)
        yield Errors("points of the file", quantity, found)


def _read(raw: Mapping[str, Any]) -> SramPoint:
    macro = Macro(raw["kib"], raw["width_bits"], raw["ports"], raw["banks"])
    values = (
        raw["read"]["energy_j"], raw["write"]["energy_j"], raw["area_m2"], raw["leak_w"],
        raw["read"]["latency_s"],
    )  # fmt: skip
    return SramPoint(
        raw["node_nm"], macro, dict(zip(SRAM_QUANTITIES, map(float, values), strict=True))
    )  # fmt: skip


# ------------------------------------------------------------------ law by law

Case = tuple[int, Macro, SramTable]
"""A macro that is known at a node, and a table without it."""


def of_laws(table: SramTable | None = None) -> Iterator[Errors]:
    """Each law on macros that it was not given, by quantity."""
    held = table or sram_table()
    drawn: dict[str, Callable[[SramTable], Iterator[Case]]] = {
        RATIO: _ratios, SIZE: _sizes, WIDTH: _widths, BANKS: _banks, BEYOND: _beyond,
    }  # fmt: skip
    for law, cases in drawn.items():
        for quantity in SRAM_QUANTITIES:
            points = tuple(
                LeftOut(
                    _name(node, macro),
                    held.known[node][macro][quantity]
                    / without.estimate(quantity, node, macro).value,
                )
                for node, macro, without in cases(held)
            )
            yield Errors(law, quantity, points)
    for quantity in SRAM_QUANTITIES:
        yield Errors(NODE, quantity, tuple(_nodes(held, quantity)))


def _plain(table: SramTable) -> Iterator[tuple[int, Macro]]:
    """Macros of one port and bank on which no law was chosen."""
    for node, held in table.known.items():
        for macro in held:
            is_odd = int(math.log2(macro.kib * macro.width)) % 2 == 1
            if macro[2:] == _PLAIN and rows_of(macro) >= ROWS and is_odd:
                yield node, macro


def _ratios(table: SramTable) -> Iterator[Case]:
    for node, macro in _plain(table):
        if any(macro in table.known[other] for other in NODES if other != node):
            yield node, macro, table.without(lambda at, one, n=node, m=macro: (at, one) == (n, m))  # type: ignore[misc]  # defaults bind


def _sizes(table: SramTable) -> Iterator[Case]:
    for node, macro in _plain(table):
        without = table.without(lambda _, one, m=macro: one == m)  # type: ignore[misc]  # defaults bind
        if rows_of(macro) > ROWS and macro.kib < LARGEST_KIB:
            yield node, macro, without


def _widths(table: SramTable) -> Iterator[Case]:
    widths = sorted({macro.width for _, macro in _plain(table)})
    tables = {
        width: table.without(lambda _, one, w=width: one.width == w and one[2:] == _PLAIN)  # type: ignore[misc]  # defaults bind
        for width in widths
    }
    for node, macro in _plain(table):
        if macro.width not in {widths[0], widths[-1]}:
            yield node, macro, tables[macro.width]


def _banks(table: SramTable) -> Iterator[Case]:
    """Sizes between two others; the macro of one port and one bank stays."""
    for node, held in table.known.items():
        families = {macro for one in table.known.values() for macro in one if macro[2:] != _PLAIN}
        for macro in held:
            sizes = [one.kib for one in families if one[2:] == macro[2:]]
            if macro in families and min(sizes) < macro.kib < max(sizes):
                yield node, macro, table.without(lambda _, one, m=macro: one == m)  # type: ignore[misc]  # defaults bind


def _beyond(table: SramTable) -> Iterator[Case]:
    """The largest macro from those of at most a quarter of its size."""
    smaller = table.without(lambda _, one: one.kib > LARGEST_KIB / 4)
    for node, held in table.known.items():
        for macro in held:
            if macro.kib == LARGEST_KIB:
                yield node, macro, smaller


def _nodes(table: SramTable, quantity: str) -> Iterator[LeftOut]:
    """32 nm from 22 and 45 nm, and 45 nm from 32 and 65 nm, by the laws of either."""
    for node, lower, upper, line in ((32, 22, 45, straight), (45, 32, 65, log_log)):
        for macro in table.known[node]:
            if macro in table.known[lower] and macro in table.known[upper]:
                ends = [
                    (at, SramTable(table.known).estimate(quantity, at, macro))
                    for at in (lower, upper)
                ]
                true = table.known[node][macro][quantity]
                yield LeftOut(_name(node, macro), true / line(node, ends).value)


# ------------------------------------------------------------------ the file of errors


def written(errors: Iterable[Errors]) -> str:
    """The text of `sram-errors.yaml`."""
    lines = [
        "# Errors of the laws of SRAM on left-out points; written by",
        "# python -m costmodel_hardware.components.left_out --write FILE",
        "# low and high are P10 and P90 of true over predicted, median and largest are errors.",
        "laws:",
    ]
    law = ""
    for one in errors:
        if one.law != law:
            law = one.law
            lines.append(f"  {law}:")
        low, high = one.ends
        lines.append(
            f"    {one.quantity}: {{points: {len(one.points)}, low: {low:.3f}, high: {high:.3f}, "
            f"median: {one.median:.3f}, largest: {one.worst[0].error:.3f}, "
            f"at: {one.worst[0].name}}}"
        )
    return "\n".join(lines) + "\n"


def _of_all() -> Iterable[Errors]:
    return (*every_third(), *one_by_one(), *of_laws())


def _of(path: Path) -> Iterator[Errors]:
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise CostModelError(message) from None
    return of_file(content, str(path))


def main(arguments: Sequence[str]) -> int:
    """Print the errors, or write them to a file; the exit status."""
    if len(arguments) == 2 and arguments[0] == "--write":  # noqa: PLR2004  # an option and its value
        Path(arguments[1]).write_text(written(of_laws()), encoding="utf-8")
        return 0
    if len(arguments) > 1:
        print(__doc__, file=sys.stderr)  # noqa: T201  # a program
        return 2
    try:
        found = [*_of(Path(arguments[0]))] if arguments else _of_all()
    except CostModelError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201  # a program
        return 2
    for errors in found:
        print(errors)  # noqa: T201  # a program
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
