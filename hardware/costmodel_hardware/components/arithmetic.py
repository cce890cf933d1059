"""Adders, multipliers and multiply-accumulate units by node and numeric format.

Energies are those of Horowitz at 45 nm and Jouppi at 7 nm; between these nodes they lie on a line
in logarithms, above 45 nm they scale by Stillmaker and Baas. Integers of other widths: an adder
lies between the published widths, a multiplier too, and beyond them they go with the bits and with
their square. Areas and leakage of integers are those of Aladdin's circuits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from costmodel.devices import Evidence, Parameter
from costmodel.errors import CostModelError, UnknownNameError
from costmodel_hardware.components.component import Component, check_range, check_whole, figure
from costmodel_hardware.components.interpolation import Estimate, log_log, neighbours, straight
from costmodel_hardware.components.memories import PUBLISHED, circuit_row
from costmodel_hardware.components.scaling import circuit_factor, logic_factor
from costmodel_hardware.components.tables import rows

OLD, NEW = 45, 7
"""The nodes in nm at which energies are published."""
_GROWTH: Final = {"adder": 1, "multiplier": 2}
_INTEGER: Final = re.compile(r"u?int(\d+)")
_MOST_BITS: Final = 64
_HOROWITZ_VOLT: Final = 0.9
_UNKNOWN: Final = 1.5
"""How much the scaling above 45 nm may be off, either way; assumed."""
ARITHMETIC_FLOATS: Final = ("float16", "bfloat16", "float32")
"""The floating-point formats with published energies."""


def circuit(kind: str, node: float, width: int, other_width: int | None = None) -> Component:
    """A circuit of Aladdin: adder, multiplier, comparator, counter or register of `width` bits.

    A multiplier may have an operand of another width. Delay goes with the node.

    Raises:
        UnknownNameError: there is no such circuit.
        CostModelError: a width or node is outside of the table.

    """
    row = circuit_row(kind)
    check_whole("width", width, 1, _MOST_BITS, "bits of an integer")
    other = width if other_width is None else other_width
    check_whole("other width", other, 1, _MOST_BITS, "bits of an integer")
    bits = row.keys["bits"]
    share = width * other / bits**2 if kind == "multiplier" else width / bits
    law = "product of its widths" if kind == "multiplier" else "width"
    figures = {}
    for name, base in row.figures.items():
        factor = circuit_factor("area" if name == "area" else "energy", node)
        note = (
            f"{base} of 32 bit at 40 nm, by the {law} x {share:.4g}, x {factor:.4g} to {node:g} nm;"
            " closed form of hwcomponents; between its nodes a line in logarithms"
        )
        evidence = Evidence.DERIVED
        figures[name] = figure(name, base.value * share * factor, base.source, evidence, note)
    delay_note = "1 ns at 40 nm, in proportion to the node, for all widths; as hwcomponents has it"
    figures["access_time"] = figure(
        "access_time", node / 40 * 1e-9, row.figures["energy"].source, Evidence.ASSUMED, delay_note
    )
    missing = "" if "leakage" in figures else "leakage: the source has none"
    name = f"{kind} of {width} bit, {node:g} nm"
    return Component(name=name, missing=missing, **figures)


def adder(node: float, number: str) -> Component:
    """An adder of a numeric format such as `int32` or `float16`, at a node in nm.

    Raises:
        CostModelError: there are no figures for the format or the node.

    """
    return _operator("adder", node, number)


def multiplier(node: float, number: str) -> Component:
    """A multiplier of a numeric format such as `int8` or `bfloat16`, at a node in nm.

    Raises:
        CostModelError: there are no figures for the format or the node.

    """
    return _operator("multiplier", node, number)


def usual_accumulator(number: str) -> str:
    """The format that products of a format are usually summed in."""
    return "int32" if _INTEGER.fullmatch(number) else "float32"


def mac(node: float, number: str, accumulator: str | None = None) -> Component:
    """A multiplier of a format and an adder of the accumulator's; float32 or int32 by default.

    Raises:
        CostModelError: there are no figures for a format or the node.

    """
    _check_text(number)
    sums = accumulator or usual_accumulator(number)
    parts = (multiplier(node, number), adder(node, sums))
    figures = {}
    for name in ("energy", "area", "leakage"):
        found = [getattr(part, name) for part in parts]
        if all(found):
            figures[name] = _sum(name, [part.name for part in parts], found)
    missing = "" if "area" in figures else parts[0].missing or parts[1].missing
    label = f"MAC of {number} into {sums}, {node:g} nm"
    return Component(name=label, missing=missing, **figures)


def _check_text(number: object) -> None:
    if not isinstance(number, str):
        message = f"format: expected a name such as int8, found {number!r:.80}"
        raise CostModelError(message)


def _sum(name: str, parts: list[str], found: list[Parameter]) -> Parameter:
    note = "; plus ".join(
        f"{part} {one}: {one.note}" for part, one in zip(parts, found, strict=True)
    )
    source = "; ".join(dict.fromkeys(one.source for one in found))
    ends = sum(one.low for one in found), sum(one.high for one in found)
    value = sum(one.value for one in found)
    return figure(name, value, source, Evidence.DERIVED, note, ends)


def _operator(kind: str, node: float, number: str) -> Component:
    check_range("node in nm", node, NEW, 180, "energies are published at 7 and 45 nm")
    _check_text(number)
    name = f"{kind} of {number}, {node:g} nm"
    whole = _INTEGER.fullmatch(number)
    if not whole and number not in ARITHMETIC_FLOATS:
        raise UnknownNameError(
            number, ARITHMETIC_FLOATS, "format of arithmetic", "or an integer such as int8"
        )
    if not whole:
        missing = "area and leakage: no source for floating point"
        return Component(name=name, energy=_energy(kind, node, number), missing=missing)
    bits = int(whole[1])
    check_whole("bits of an integer", bits, 1, _MOST_BITS, "published are 8 to 32")
    energy = _energy(kind, node, number)
    if node > 130:  # noqa: PLR2004  # where Aladdin's points end
        return Component(
            name=name, energy=energy, missing="area and leakage: no points above 130 nm"
        )
    second = circuit(kind, node, bits)
    assert second.energy is not None  # noqa: S101  # each circuit has one
    note = f"{energy.note}; Aladdin's circuit takes {second.energy}, which the range holds"
    ends = min(energy.low, second.energy.value), max(energy.high, second.energy.value)
    widened = figure("energy", energy.value, energy.source, energy.evidence, note, ends)
    return Component(name=name, energy=widened, area=second.area, leakage=second.leakage)


def _energy(kind: str, node: float, number: str) -> Parameter:
    ends = {at: _published(kind, at, number) for at in (NEW, OLD)}
    source = "; ".join(dict.fromkeys(one.source for one in ends.values()))
    if node in (NEW, OLD):
        return ends[int(node)]
    new, old = ends[NEW], ends[OLD]
    if node > OLD:
        factor = logic_factor("energy", OLD, node, source_volt=_HOROWITZ_VOLT)
        value = old.value * factor
        note = (
            f"{old.note}; x {factor:.3g} from 45 nm, 0.9 V to {node:g} nm, nominal supply, by "
            "Stillmaker and Baas; range: a factor of 1.5 (assumed)"
        )
        span = value / _UNKNOWN, value * _UNKNOWN
        return figure("energy", value, old.source, Evidence.DERIVED, note, span)
    knots = [(at, Estimate(one.value)) for at, one in ends.items()]
    value = log_log(node, knots).value
    shrunk = old.value * circuit_factor("energy", node) / circuit_factor("energy", OLD)
    low = min(max(shrunk, new.value), straight(node, knots).value)
    span = low, min(value**2 / low, old.value)
    note = (
        f"between {new} at 7 nm and {old} at 45 nm on a line in logarithms; no point between them "
        "to leave out; low: 45 nm scaled as Aladdin's circuits or the straight line; high: as "
        "many times more, at most 45 nm; "
        f"7 nm: {new.note}; 45 nm: {old.note}"
    )
    return figure("energy", value, source, Evidence.DERIVED, note, span)


def _published(kind: str, node: int, number: str) -> Parameter:
    """The energy at a node with published energies, of any format."""
    known = {
        row.keys["kind"]: row.figures["energy"]
        for row in rows(*PUBLISHED)
        if row.keys["component"] == kind and row.keys["node_nm"] == node
    }
    number = number.removeprefix("u")
    if number in known:
        one = known[number]
        return figure("energy", one.value, one.source, one.evidence, "as published")
    if number == "bfloat16":
        return _bfloat16(kind, known)
    return _integer(kind, int(number.removeprefix("int")), known)


def _bfloat16(kind: str, old: Mapping[str, Parameter]) -> Parameter:
    """At 45 nm: the 7 nm figure by the ratio of float16."""
    new, half = _published(kind, NEW, "bfloat16"), _published(kind, NEW, "float16")
    value = new.value * old["float16"].value / half.value
    note = "bfloat16 at 7 nm by the ratio of float16 from 7 to 45 nm; no point to leave out"
    source = f"{new.source}; {old['float16'].source}"
    return figure("energy", value, source, Evidence.DERIVED, note)


def _integer(kind: str, bits: int, known: Mapping[str, Parameter]) -> Parameter:
    widths = {int(name[3:]): one for name, one in known.items() if name.startswith("int")}
    sizes = sorted(widths)
    growth = _GROWTH[kind]
    if sizes[0] < bits < sizes[-1]:
        lower, upper = neighbours(bits, sizes) or (sizes[0], sizes[-1])
        knots = [(at, Estimate(widths[int(at)].value)) for at in (lower, upper)]
        value = log_log(bits, knots).value
        ends = straight(bits, knots).value, widths[int(lower)].value * (bits / lower) ** growth
        said = f"between int{lower:g} and int{upper:g} on a line in logarithms"
    else:
        near = sizes[0] if bits < sizes[0] else sizes[-1]
        value = widths[near].value * (bits / near) ** growth
        slope = math.log(widths[sizes[-1]].value / widths[sizes[0]].value) / math.log(
            sizes[-1] / sizes[0]
        )
        ends = value, widths[near].value * (bits / near) ** slope
        said = f"int{near} by the bits^{growth}"
    source = widths[sizes[0]].source
    note = f"{said}; left out, the adder of int16 at 45 nm is predicted 10 % too high"
    return figure("energy", value, source, Evidence.DERIVED, note, (min(ends), max(ends)))
