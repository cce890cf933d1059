"""How the energy, delay and area of logic change with its process.

By Stillmaker and Baas (Integration 2017): polynomials of the supply voltage at 180 to 7 nm, fitted
to an inverter, high-performance rows. Limits: the fits at 180 to 32 nm (planar) and at 20 to 7 nm
(FinFET) are of different circuits; there are no rows at 28, 22, 12, 5 or 3 nm, so what lies
between is interpolated. Against published arithmetic they are far too optimistic: from 45 to 7 nm
they give 0.07, where Horowitz and Jouppi have 0.35 for multipliers. The area is rounded to two
digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from costmodel.errors import CostModelError
from costmodel_hardware.components.component import check_range
from costmodel_hardware.components.interpolation import Estimate, log_log, neighbours
from costmodel_hardware.components.tables import polynomials

QUANTITIES: Final = ("energy", "delay", "area")
"""What the equations scale."""
_REFUSED: Final[Mapping[str, str]] = {
    "sram": "an access of 8 KiB falls by a quarter from 45 to 7 nm where logic falls to less "
    "than a tenth; use sram(node, size, width)",
    "dram": "DRAM has a process of its own, and its interface dominates; use dram(kind, width)",
}
"""What the factors of logic do not hold for, and why."""
_VOLTS: Final = (0.4, 2.0)


def logic_factor(
    quantity: str, source: float, target: float, *,
    source_volt: float | None = None, target_volt: float | None = None, of: str = "logic",
) -> float:  # fmt: skip
    """The energy, delay or area of logic at the node `target` over that at `source`, both in nm.

    Without a voltage, the nominal one of the node holds. The area depends on no voltage.

    Raises:
        CostModelError: the quantity is none of these, a node or voltage is outside of the tables,
            or `of` is `sram` or `dram`.

    """
    if of in _REFUSED:
        message = f"{of}: factors of logic do not hold: {_REFUSED[of]}"
        raise CostModelError(message)
    if of != "logic":
        message = f"{of!r:.80}: expected logic; factors for anything else are not known"
        raise CostModelError(message)
    if quantity not in QUANTITIES:
        message = f"quantity: expected one of {', '.join(QUANTITIES)}, found {quantity!r:.80}"
        raise CostModelError(message)
    ends = ((source, source_volt), (target, target_volt))
    old, new = (_level(quantity, node, volt) for node, volt in ends)
    return new / old


def _level(quantity: str, node: float, volt: float | None) -> float:
    tables = polynomials()
    check_range("node in nm", node, 7, 180, "the tables of Stillmaker and Baas have 180 to 7 nm")
    supplied = nominal_volt(node) if volt is None else volt
    check_range("voltage", supplied, *_VOLTS, "the equations are fitted to inverters near nominal")
    if quantity == "area":
        return _between(tables["nodes_nm"], tables["area"], node)
    fitted = [_polynomial(row, supplied) for row in tables[quantity]]
    nodes = tables["nodes_nm"]
    used = (node,) if node in nodes else neighbours(node, sorted(nodes)) or ()
    if any(fitted[nodes.index(at)] <= 0 for at in used):
        message = f"voltage: the fit of {quantity} at {node:g} nm is below 0 at {supplied:g} V"
        raise CostModelError(message)
    return _between(nodes, fitted, node)


def nominal_volt(node: float) -> float:
    """The nominal supply of a node, in volts."""
    tables = polynomials()
    return _between(tables["nodes_nm"], tables["nominal_volt"], node)


def circuit_factor(quantity: str, node: float) -> float:
    """Energy or area of Aladdin's circuits at a node over 40 nm; delay goes with the node.

    Raises:
        CostModelError: the node is outside of 5 to 130 nm.

    """
    check_range("node in nm", node, 5, 130, "the points of Aladdin's circuits have 5 to 130 nm")
    table: Mapping[str, Any] = polynomials()["circuits"]
    return _between(table["nodes_nm"], table[quantity], node)


def _polynomial(coefficients: Sequence[float], at: float) -> float:
    value = 0.0
    for coefficient in coefficients:
        value = value * at + coefficient
    return value


def _between(nodes: Sequence[float], values: Sequence[float], node: float) -> float:
    """On the line that is straight in logarithms, between the neighbouring nodes."""
    known = dict(zip(nodes, values, strict=True))
    if node in known:
        return known[node]
    lower, upper = neighbours(node, sorted(known)) or (node, node)
    return log_log(node, [(at, Estimate(known[at])) for at in (lower, upper)]).value
