"""SRAM, register files and DRAM by node, size and width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from costmodel.devices import Evidence, Parameter
from costmodel.errors import CostModelError, UnitError, UnknownNameError
from costmodel.units import format_quantity, parse_quantity
from costmodel_hardware.components import sram_table as laws
from costmodel_hardware.components.component import (
    Component,
    check_range,
    check_whole,
    figure,
)
from costmodel_hardware.components.interpolation import Estimate, Place, log_log, neighbours
from costmodel_hardware.components.scaling import circuit_factor
from costmodel_hardware.components.tables import (
    Macro,
    Row,
    left_out_errors,
    rows,
    sram_source,
)

PUBLISHED: Final = ("published.yaml", ("component", "kind", "node_nm"), (("energy", "J"),))
"""The table of published energies, and what identifies a row."""
CIRCUITS: Final = (
    "circuits.yaml", ("component", "bits"), (("energy", "J"), ("area", "m2"), ("leakage", "W")),
)  # fmt: skip
"""The table of circuits at 40 nm, and what identifies a row."""
_KIB: Final = 1024
_LARGEST_KIB: Final = 16 * laws.LARGEST_KIB
_WIDEST: Final = 16 * laws.WIDEST
_MOST_PORTS, _MOST_BANKS = 2, 8
_MOST_BANKS_OF_TWO_PORTS: Final = 4
_SAID: Final[Mapping[str, str]] = {
    laws.RATIO: "the ratio to the next node of CACTI, between sizes that are known at both",
    laws.SIZE: "between two sizes on a line in logarithms",
    laws.WIDTH: "between two widths on a line in logarithms",
    laws.BANKS: "a factor for ports and banks from macros of 64 bit and 16 KiB to 1 MiB",
    laws.NODE: "between two nodes (22 to 32 nm on a straight line, above in logarithms)",
    laws.BEYOND: "beyond 4 MiB on the line in logarithms through the largest macro and a smaller",
}
_UNMEASURED: Final[Mapping[str, str]] = {
    laws.SMALL: "fewer than 64 rows or 32 bit: exponents of hwcomponents, uncertain by 0.22 "
    "(assumed)",
    laws.SCALED: "scaled from 22 nm as hwcomponents does, uncertain by an exponent of 0.5 "
    "(assumed)",
    laws.SIDE_BY_SIDE: "macros side by side; the wires between them are not counted",
}
_OF_90_NM: Final = (
    "hwcomponents scales 90 nm from 22 nm, so that an access is cheaper than at 65 nm, which "
    "cannot be"
)
_NAMES: Final = {
    "read": "read_energy", "write": "write_energy", "area": "area", "leakage": "leakage",
    "access": "access_time",
}  # fmt: skip


def kib_of(size: str | float, name: str = "size") -> float:
    """A size such as '64 KiB', or a number of bytes, in KiB.

    Raises:
        CostModelError: it is neither.

    """
    try:
        return parse_quantity(str(size), "B" if isinstance(size, str) else "").value / _KIB
    except UnitError as error:
        message = f"{name}: {error}"
        raise CostModelError(message) from None


def sram(
    node: float, size: str | float, width: int, ports: int = 1, banks: int = 1
) -> Component:  # fmt: skip
    """An SRAM of a `size` such as '64 KiB', accessed by `width` bits, at a node in nm.

    Raises:
        CostModelError: something is outside of what the tables and their laws can say.

    """
    macro = Macro(kib_of(size), width, ports, banks)
    check_macro(node, macro)
    table = laws.sram_table()
    figures: dict[str, Any] = {
        _NAMES[quantity]: _figure(quantity, node, macro, table.estimate(quantity, node, macro))
        for quantity in _NAMES
    }
    name = f"SRAM of {format_size(macro.kib)}, {width} bit, {node:g} nm"
    return Component(name=name, **figures)


def format_size(kib: float) -> str:
    """A size with a binary unit."""
    if kib >= _KIB:
        return f"{kib / _KIB:g} MiB"
    return f"{kib:g} KiB" if kib >= 1 else f"{kib * _KIB:g} B"


def check_macro(node: float, macro: Macro) -> None:
    """Check that the tables and their laws have figures for an SRAM.

    Raises:
        CostModelError: they have none.

    """
    if node != laws.OLD:
        why = "CACTI was run at 22 to 65 nm; 7 to 22 nm and 90 nm are scaled; use the nearest node"
        check_range("node in nm", node, laws.FINEST, laws.NODES[-1], why)
    check_whole("width", macro.width, 1, _WIDEST, "bits of one access of an SRAM")
    least = macro.width / (8 * _KIB)
    why = "one word to 64 MiB; build larger of more"
    check_range("size in KiB", macro.kib, least, _LARGEST_KIB, why)
    ports = macro.ports
    check_whole("ports", ports, 1, _MOST_PORTS, "macros of one and two ports are known")
    most = _MOST_BANKS if ports == 1 else _MOST_BANKS_OF_TWO_PORTS
    check_whole("banks", macro.banks, 1, most, f"macros of {ports} ports have up to {most} banks")


def _figure(quantity: str, node: float, macro: Macro, found: Estimate) -> Parameter:
    low, high, said = 1.0, 1.0, []
    for law, words in _SAID.items():
        if law in found.laws:
            error = left_out_errors()[law][quantity]
            power = math.log(macro.kib / laws.LARGEST_KIB, 4) if law == laws.BEYOND else 1.0
            low *= min(error["low"], 1.0) ** max(power, 1.0)
            high *= max(error["high"], 1.0) ** max(power, 1.0)
            said.append(
                f"{words} (left-out points: median error {error['median']:.1%}, largest "
                f"{error['largest']:.0%} at {error['at']})"
            )
    for law, words in _UNMEASURED.items():
        if law in found.laws:
            spread = _spread(law, node, macro)
            low, high = low * spread, high / spread
            said.append(_OF_90_NM if (law, node) == (laws.SCALED, laws.OLD) else words)
    ends = [found.value * low, found.value * high]
    if node == laws.OLD:
        ends.append(_from_65_nm(quantity, macro))
        said.append("other end of the range: the line through 45 and 65 nm, prolonged")
    if quantity in {"read", "write"}:
        second, words = _second_source(node, macro, found.value)
        ends.append(second)
        said.append(words)
    is_given = found.laws == {laws.GIVEN}
    head = f"CACTI's {_places(found.used)}"
    note = "; ".join([head, *(said or ["a point of the table"])])
    unmeasured = found.laws & {laws.SMALL, laws.SCALED}
    evidence = Evidence.SIMULATED if is_given else Evidence.DERIVED
    return figure(
        _NAMES[quantity], found.value, sram_source(),
        Evidence.ASSUMED if unmeasured else evidence, note, (min(ends), max(ends)),
    )  # fmt: skip


def _spread(law: str, node: float, macro: Macro) -> float:
    """The low end of what a law without left-out points may be off by; the high one mirrors it."""
    if law == laws.SMALL:
        rows_missing = min(laws.rows_of(macro) / laws.ROWS, 1.0)
        return float((rows_missing * min(macro.width / laws.NARROW, 1.0)) ** 0.22)
    if law == laws.SCALED and node < laws.NODES[0]:
        return math.sqrt(node / laws.NODES[0])
    return 1.0


def _from_65_nm(quantity: str, macro: Macro) -> float:
    """The line through 45 and 65 nm, prolonged to 90 nm."""
    table = laws.sram_table()
    knots = [(node, table.estimate(quantity, node, macro)) for node in laws.NODES[-2:]]
    return log_log(laws.OLD, knots).value


def _places(used: Iterable[Place]) -> str:
    """The nodes, sizes and widths of points, in words."""
    nodes, sizes, widths = (sorted(set(axis)) for axis in zip(*used, strict=True))
    listed = [
        f"{' and '.join(f'{one:g}' for one in axis)} {unit}"
        for axis, unit in ((nodes, "nm"), (sizes, "KiB"), (widths, "bit"))
    ]
    return "macros at " + ", ".join(listed)


def _second_source(node: float, macro: Macro, value: float) -> tuple[float, str]:
    """The energy by Horowitz at 45 nm and Jouppi at 7 nm, by their ratio to CACTI at 64 bits."""
    ratios: dict[float, float] = {}
    for node_nm in (7, 45):
        known = {
            float(row.keys["kind"]): row.figures["energy"].value
            for row in rows(*PUBLISHED)
            if row.keys["component"] == "sram" and row.keys["node_nm"] == node_nm
        }
        sizes = sorted(known)
        kib = min(max(macro.kib, sizes[0]), sizes[-1])
        lower, upper = neighbours(kib, sizes) or (kib, kib)
        published = log_log(kib, [(at, Estimate(known[at])) for at in (lower, upper)])
        ours = laws.sram_table().estimate("read", node_nm, Macro(kib, 64.0)).value
        ratios[node_nm] = published.value / ours
    between = min(max(node, 7), 45)
    ratio = log_log(between, [(at, Estimate(ratios[at])) for at in (7, 45)]).value
    return value * ratio, (
        f"second source in the range: {format_quantity(value * ratio, 'J')} by Horowitz (45 nm) "
        "and Jouppi (7 nm) for 64 bit of 8 KiB to 1 MiB"
    )


# ------------------------------------------------------------------ register files


_RF_ROWS, _RF_BITS, _RF_NODE = 256, 16, 65
"""Of the register file of Eyeriss."""
_MOST_WORDS: Final = 1024


def circuit_row(component: str) -> Row:
    """The figures of a circuit at 40 nm.

    Raises:
        UnknownNameError: there is none of that name.

    """
    known = {row.keys["component"]: row for row in rows(*CIRCUITS)}
    if component not in known:
        raise UnknownNameError(component, known, "circuit")
    return known[component]


def register_file(node: float, size: str | float, width: int) -> Component:
    """A register file of a `size` such as '512 B', accessed by `width` bits, at a node in nm.

    The energy of a bit grows with a power of the number of words that leads from one register of
    Aladdin to the file of Eyeriss: 256 words of 16 bits.

    Raises:
        CostModelError: it is no whole number of words, too large, or the node has no figures.

    """
    check_whole("width", width, 1, laws.WIDEST, "bits of one access of a register file")
    words = kib_of(size) * _KIB * 8 / width
    why = "a register file of more words is an SRAM; use sram(node, size, width)"
    check_range("words (size over width)", words, 1, _MOST_WORDS, why)
    register = circuit_row("register")
    bits = register.keys["bits"]
    one = register.figures["energy"].value / bits
    (eyeriss,) = (
        row.figures["energy"]
        for row in rows(*PUBLISHED)
        if row.keys["component"] == "register-file"
    )
    at_65 = one * circuit_factor("energy", _RF_NODE)
    power = math.log(eyeriss.value / _RF_BITS / at_65) / math.log(_RF_ROWS)
    single = one * circuit_factor("energy", node) * width
    value = single * words**power
    note = (
        f"{width} bit x {one * 1e15:.3g} fJ of a register at 40 nm x "
        f"{circuit_factor('energy', node):.3g} to {node:g} nm x {words:g} words^{power:.3f}; the "
        f"exponent leads to {eyeriss} for 256 words of 16 bit at 65 nm ({eyeriss.source}); two "
        "points, none to leave out; range: one register to the square root of the words (assumed)"
    )
    source = f"{register.figures['energy'].source}; {eyeriss.source}"
    figures = {
        name: figure(
            name, value, source, Evidence.DERIVED, note, (single, single * math.sqrt(words))
        )
        for name in ("read_energy", "write_energy")
    }
    held = words * width
    area = register.figures["area"].value / bits * circuit_factor("area", node) * held
    area_note = (
        f"{held:g} bit x {register.figures['area'].value / bits * 1e12:.3g} um2 of a register at "
        f"40 nm x {circuit_factor('area', node):.3g} to {node:g} nm; decoder and multiplexers are "
        "not counted; no second point to measure the error"
    )
    figures["area"] = figure(
        "area", area, register.figures["area"].source, Evidence.DERIVED, area_note
    )
    name = f"register file of {words:g} words of {width} bit, {node:g} nm"
    return Component(name=name, missing="leakage and access time: no source", **figures)


# ------------------------------------------------------------------ DRAM


def dram(kind: str, width: int) -> Component:
    """DRAM of a kind such as `lpddr4` or `hbm2`, by the `width` in bits of an access.

    Raises:
        UnknownNameError: there is no such kind.
        CostModelError: the width is none.

    """
    check_whole("width", width, 1, _WIDEST, "bits of one access of DRAM")
    known: dict[str, Any] = {
        row.keys["kind"]: row.figures["energy"]
        for row in rows(*PUBLISHED)
        if row.keys["component"] == "dram"
    }
    if kind not in known:
        raise UnknownNameError(kind, known, "kind of DRAM")
    bit: Parameter = known[kind]
    said = f"; {bit.note}" if bit.note else "; one source, no range is published"
    note = f"{width} bit x {bit}{said}"
    figures = {
        name: figure(
            name,
            bit.value * width,
            bit.source,
            bit.evidence,
            note,
            (bit.low * width, bit.high * width),
        )
        for name in ("read_energy", "write_energy")
    }
    missing = "area, leakage and access time: not on the chip, or no source that holds"
    return Component(name=f"{kind}, {width} bit", missing=missing, **figures)
