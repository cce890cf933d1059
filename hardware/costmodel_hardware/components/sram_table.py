"""SRAM between the points of a table: which law leads from known macros to one that is asked for.

CACTI was run at 22, 32, 45 and 65 nm, for macros of at least 64 rows and 32 bits. All other points
of the source follow from these by its own closed forms, which are inverted here, so that a point
at 16 nm gives its macro at 22 nm:

- below 22 nm energies go with sqrt(node/22), area and time with node/22, leakage with 0.79
  sqrt(node/22); at 90 nm the same is applied upwards (leakage unchanged), although its
  documentation names 90 nm among the nodes of CACTI: an access at 90 nm is cheaper than at 65 nm;
- at 28 nm every quantity lies on the straight line between 22 and 32 nm;
- fewer than 64 rows: energies with rows^0.78, area and leakage with rows, time unchanged;
- fewer than 32 bits: energies with 0.7 w + 0.3, area and leakage with w = bits/32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Final

from costmodel_hardware.components.interpolation import (
    Estimate,
    Knot,
    log_log,
    neighbours,
    straight,
)
from costmodel_hardware.components.tables import Macro, SramPoint, sram_points

NODES: Final = (22, 32, 45, 65)
"""Where CACTI was run."""
FINEST, OLD = 7, 90
"""The nodes in nm of the first and the last table."""
LARGEST_KIB: Final = 4096
WIDEST: Final = 1024
"""Bits; a wider memory is made of macros side by side."""
ROWS: Final = 64
"""The fewest of a macro that CACTI was run for; and the bits of a narrow one."""
NARROW: Final = 32
_BITS_PER_KIB: Final = 8192
_BANKED_WIDTH: Final = 64
"""Bits of the macros with several ports or banks."""
_LINEAR: Final = 28
"""The node whose points the source has on a straight line."""
_LOWER, _UPPER = 22, 32
_STEP: Final = 16
"""How many times smaller than the largest macro the other knot is beyond which a line leads on."""

GIVEN, RATIO, SIZE, WIDTH = "given", "ratio", "size", "width"
BANKS, NODE, BEYOND, SMALL, SCALED, SIDE_BY_SIDE = (
    "banks", "node", "beyond", "small", "scaled", "side by side",
)  # fmt: skip
"""The laws; `ratio` to `width` and `banks` to `beyond` have errors on left-out points."""

Values = Mapping[str, float]
Known = Mapping[int, Mapping[Macro, Values]]


def node_factor(quantity: str, node: float) -> float:
    """What the source multiplies a value at 22 nm with, below 22 nm and at 90 nm."""
    ratio = node / _LOWER
    if quantity in {"area", "access"}:
        return ratio
    if quantity == "leakage":
        return 1.0 if ratio >= 1 else 0.79 * math.sqrt(ratio)
    return math.sqrt(ratio)


def rows_of(macro: Macro) -> float:
    """Words of a macro, one in each row."""
    return macro.kib * _BITS_PER_KIB / macro.width


def row_factor(quantity: str, rows: float) -> float:
    """What the source multiplies a macro of 64 rows with, for one of fewer."""
    power = {"access": 0.0, "area": 1.0, "leakage": 1.0}.get(quantity, 0.78)
    return float((rows / ROWS) ** power)


def width_factor(quantity: str, width: float) -> float:
    """What the source multiplies a macro of 32 bits with, for a narrower one of as many rows."""
    share = width / NARROW
    by_quantity = {"access": 1.0, "area": share, "leakage": share}
    return by_quantity.get(quantity, 0.7 * share + 0.3)


def recovered(points: Iterable[SramPoint]) -> Known:
    """The macros of CACTI that points determine, by node of CACTI."""
    found: dict[int, dict[Macro, Values]] = {node: {} for node in NODES}
    others: dict[int, dict[Macro, Values]] = {}
    for point in points:
        if rows_of(point.macro) >= ROWS:
            found.get(point.node, others.setdefault(point.node, {}))[point.macro] = point.values
    lower, upper = found[_LOWER], found[_UPPER]
    for node in sorted(others.keys() - {_LINEAR, *NODES}):
        for macro, values in others[node].items():
            lower.setdefault(macro, {q: v / node_factor(q, node) for q, v in values.items()})
    share = (_LINEAR - _LOWER) / (_UPPER - _LOWER)
    for macro, values in others.get(_LINEAR, {}).items():
        if macro in lower and macro not in upper:
            at = lower[macro]
            upper[macro] = {q: (v - (1 - share) * at[q]) / share for q, v in values.items()}
        elif macro in upper and macro not in lower:
            at = upper[macro]
            lower[macro] = {q: (v - share * at[q]) / (1 - share) for q, v in values.items()}
    return found


class SramTable:
    """What SRAM costs by the points of a table and the laws between and beyond them."""

    def __init__(self, known: Known) -> None:
        """Use the macros of CACTI that are `known`."""
        self.known = known

    def without(self, is_left_out: Callable[[int, Macro], bool]) -> SramTable:
        """The table without some of its macros."""
        return SramTable({
            node: {macro: one for macro, one in held.items() if not is_left_out(node, macro)}
            for node, held in self.known.items()
        })  # fmt: skip

    def estimate(self, quantity: str, node: float, macro: Macro) -> Estimate:
        """A quantity in SI units, of the whole width where it is an energy.

        The node is 7 to 65 nm or 90 nm.
        """
        macros = math.ceil(macro.width / WIDEST)
        factor: float
        if macros > 1:
            part = macro._replace(kib=macro.kib / macros, width=macro.width / macros)
            factor = 1 if quantity == "access" else macros
            return self.estimate(quantity, node, part).times(factor, SIDE_BY_SIDE)
        if macro.width < NARROW:
            share = NARROW / macro.width
            full = macro._replace(kib=macro.kib * share, width=float(NARROW))
            factor = width_factor(quantity, macro.width)
            return self.estimate(quantity, node, full).times(factor, SMALL)
        if node < _LOWER or node > NODES[-1]:
            base = self._at(quantity, _LOWER, macro)
            return base.times(node_factor(quantity, node), SCALED)
        if node in NODES:
            return self._at(quantity, int(node), macro)
        lower, upper = neighbours(node, NODES) or (_LOWER, _UPPER)
        line = straight if upper == _UPPER else log_log
        knots = [(at, self._at(quantity, int(at), macro)) for at in (lower, upper)]
        return line(node, knots, NODE)

    def _at(self, quantity: str, node: int, macro: Macro) -> Estimate:
        """At a node of CACTI."""
        plain = self._between_widths(quantity, node, macro)
        if macro.ports == macro.banks == 1:
            return plain
        return plain.with_factor(self._ports_and_banks(quantity, node, macro))

    # -------------------------------------------------------------- one port, one bank

    def _between_widths(self, quantity: str, node: int, macro: Macro) -> Estimate:
        widths = self._places(node, macro, "width")
        if macro.width in widths:
            return self._between_sizes(quantity, node, macro)
        ends = neighbours(macro.width, widths) or (widths[0], widths[0])
        knots = [
            (width, self._between_sizes(quantity, node, macro._replace(width=width)))
            for width in ends
        ]
        return log_log(macro.width, knots, WIDTH)

    def _between_sizes(self, quantity: str, node: int, macro: Macro) -> Estimate:
        if rows_of(macro) < ROWS:
            full = macro._replace(kib=macro.width * ROWS / _BITS_PER_KIB)
            factor = row_factor(quantity, rows_of(macro))
            return self._between_sizes(quantity, node, full).times(factor, SMALL)
        found = self._cell(quantity, node, macro)
        if found is not None:
            return found
        sizes = [
            size for size in self._places(node, macro, "kib")
            if self._cell(quantity, node, macro._replace(kib=size, ports=1, banks=1))
        ]  # fmt: skip
        is_beyond = macro.kib > LARGEST_KIB
        ends = neighbours(macro.kib, sizes)
        if is_beyond:
            ends = max(size for size in sizes if size <= sizes[-1] / _STEP), sizes[-1]
        if ends is None:
            message = f"the table has too few points at {node} nm and {macro.width:g} bits"
            raise ValueError(message)
        knots = [(size, self._cell_at(quantity, node, macro, size)) for size in ends]
        return log_log(macro.kib, knots, BEYOND if is_beyond else SIZE)

    def _cell_at(self, quantity: str, node: int, macro: Macro, kib: float) -> Estimate:
        found = self._cell(quantity, node, macro._replace(kib=kib))
        assert found is not None  # noqa: S101  # only sizes with one are asked for
        return found

    def _places(self, node: int, macro: Macro, axis: str) -> list[float]:
        """The sizes of macros of one port and one bank at any node, or the widths at this one.

        A width counts where two of its sizes are known, between which a line can be drawn.
        """
        if axis == "width":
            known = [one.width for one in self.known[node] if one[2:] == (1, 1)]
            return sorted({width for width in known if known.count(width) > 1})
        plain = (one for held in self.known.values() for one in held if one[2:] == (1, 1))
        return sorted({one.kib for one in plain if one.width == macro.width})

    def _cell(self, quantity: str, node: int, macro: Macro) -> Estimate | None:
        """A macro that is known at the node, or at another one from which a ratio leads here."""
        macro = macro._replace(ports=1, banks=1)
        if macro in self.known[node]:
            return self._given(quantity, node, macro)
        for other in _nearest(node):
            if macro in self.known[other]:
                ratio = self._ratio(quantity, node, other, macro)
                if ratio is not None:
                    return self._given(quantity, other, macro).with_factor(ratio)
        return None

    def _given(self, quantity: str, node: int, macro: Macro) -> Estimate:
        value = self.known[node][macro][quantity]
        return Estimate(value, frozenset({GIVEN}), frozenset({(node, macro.kib, macro.width)}))

    def _ratio(self, quantity: str, node: int, other: int, macro: Macro) -> Estimate | None:
        """A node over another, between the sizes of the same width that are known at both."""
        here, there = self.known[node], self.known[other]
        both = sorted(
            one.kib for one in here if one in there and one[1:] == macro[1:] and one != macro
        )
        ends = neighbours(macro.kib, both)
        if ends is None:
            return None

        def knot(kib: float) -> Knot:
            at = macro._replace(kib=kib)
            used = frozenset({(node, kib, macro.width), (other, kib, macro.width)})
            return kib, Estimate(here[at][quantity] / there[at][quantity], used=used)

        return log_log(macro.kib, [knot(end) for end in ends], RATIO)

    # -------------------------------------------------------------- several ports and banks

    def _ports_and_banks(self, quantity: str, node: int, macro: Macro) -> Estimate:
        """How many times a macro of one port and one bank it costs, at 64 bits."""
        banks = sorted({1, *(one.banks for one in self._families() if one.ports == macro.ports)})
        if macro.banks in banks:
            return self._family_factor(quantity, node, macro)
        ends = neighbours(macro.banks, banks) or (1, 1)
        knots = [
            (float(end), self._family_factor(quantity, node, macro._replace(banks=int(end))))
            for end in ends
        ]
        return log_log(macro.banks, knots, BANKS)

    def _families(self) -> Iterator[Macro]:
        return (one for held in self.known.values() for one in held if one[2:] != (1, 1))

    def _family_factor(self, quantity: str, node: int, macro: Macro) -> Estimate:
        if macro.ports == macro.banks == 1:
            return Estimate(1.0)
        sizes = sorted({one.kib for one in self._families() if one[2:] == macro[2:]})
        # Beyond the sizes that are known the factor stays.
        kib = min(max(macro.kib, sizes[0]), sizes[-1])
        laws = {BANKS} if kib != macro.kib or macro.width != _BANKED_WIDTH else set[str]()
        at = macro._replace(kib=kib, width=_BANKED_WIDTH)
        if kib in sizes:
            return self._known_factor(quantity, node, at).times(1.0, *laws)
        lower, upper = neighbours(kib, sizes) or (kib, kib)
        knots = [
            (size, self._known_factor(quantity, node, at._replace(kib=size)))
            for size in (lower, upper)
        ]
        return log_log(kib, knots, BANKS)

    def _known_factor(self, quantity: str, node: int, macro: Macro) -> Estimate:
        """The factor at the nearest node that has it."""
        plain = macro._replace(ports=1, banks=1)
        for at in (node, *_nearest(node)):
            if macro in self.known[at]:
                one = self._given(quantity, at, macro)
                other = self._between_widths(quantity, at, plain)
                laws = set[str]() if at == node else {BANKS}
                return Estimate(one.value / other.value, one.laws, one.used).times(1.0, *laws)
        message = f"no point of {macro}"
        raise ValueError(message)


def _nearest(node: int) -> list[int]:
    """The other nodes of CACTI, the nearest first."""
    return sorted(set(NODES) - {node}, key=lambda other: abs(math.log(other / node)))


@cache
def sram_table() -> SramTable:
    """The table of all points that ship."""
    return SramTable(recovered(sram_points()))
