"""The formats that operators compute in, and the one that a network is called in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.formats import BlockFormat, FloatingPoint, MixedPrecision, NumericFormat
from costmodel.workload.operators import Contraction, Gather, Operator

if TYPE_CHECKING:
    from costmodel.scenario import Scenario
    from costmodel.workload.graph import Workload


def is_floating(number: NumericFormat) -> bool:
    """Whether the elements of a format are floating point."""
    element = number.element if isinstance(number, BlockFormat | MixedPrecision) else number
    return isinstance(element, FloatingPoint)


def compute_format(operator: Operator, scenario: Scenario) -> NumericFormat:
    """The widest format of what an operator computes with: floating point before fixed point.

    Of a contraction these are its two factors: a bias has the width of the sums. Of a look-up it is
    the table, and of others what arrives, or constants where nothing does.
    """
    read = [one for one in operator.operands if one.role != "output"]
    if isinstance(operator, Contraction):
        factors = read[:2]
    else:
        read = read[1:] if isinstance(operator, Gather) else read
        factors = [one for one in read if one.role == "input"] or read
    numbers = [one.tensor.format or scenario.default_format for one in factors]
    return max(numbers or [scenario.default_format], key=lambda one: (is_floating(one), one.bits))


def call_format(workload: Workload, scenario: Scenario) -> NumericFormat:
    """The format that a network is called in: that of its first product, or else the default one.

    What a runtime does once for each call follows from it, and how well its times are known.
    """
    for node, _ in workload.nodes:
        if node.operator.macs:
            return compute_format(node.operator, scenario)
    return scenario.default_format
