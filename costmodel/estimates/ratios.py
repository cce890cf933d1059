"""Ratios of two costs with their range: figures that both share move together.

The energy of a bill is a sum of amounts, each times a figure of its device. A figure that both
bills contain has one value in both, so a ratio of two networks on one device does not depend on
how well that figure is known, as far as both depend on it alike. The spread of measured over
predicted times belongs to each network by itself; both spreads add as independent errors do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from attrs import frozen

from costmodel.devices.evaluation.computing import call_format

if TYPE_CHECKING:
    from costmodel.devices import Residual
    from costmodel.report.bills import Bill

_ROUNDS: Final = 60
"""Of the search for an end of a range; each round improves it, and few are needed."""
_OVER_TIME: Final = " over the makespan"


@frozen
class Ratio:
    """One cost over another, and the range of that."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the range leaves no doubt which of both is larger."""
        return not self.low <= 1.0 <= self.high

    def __str__(self) -> str:
        """Write the value and the range where there is one."""
        value, low, high = (f"{one:.3g}" for one in (self.value, self.low, self.high))
        return f"{value}x" if low == high else f"{value}x ({low} to {high})"


class _Amount(NamedTuple):
    """A part of a total at the usual value of its figure, and how far that figure may be off."""

    usual: float
    low: float
    """The lowest value of the figure over the usual one."""
    high: float


class _Total(NamedTuple):
    """A total as amounts by figure, and how much of it is proportional to time."""

    amounts: Mapping[tuple[str, str], _Amount]
    timed: float
    """The share of the total that is a power over the time."""

    @property
    def value(self) -> float:
        return math.fsum(one.usual for one in self.amounts.values())


def independent_ratio(
    ends: tuple[float, float, float], base: tuple[float, float, float]
) -> Ratio | None:
    """The ratio of two costs that share nothing, each as its value, low and high end."""
    if not (ends[0] and base[0]):
        return None
    low, high = _independent([(one[1] / one[0], one[2] / one[0]) for one in (ends, base)])
    value = ends[0] / base[0]
    return Ratio(value, value * low, value * high)


def energy_ratio(bill: Bill, base: Bill) -> Ratio | None:
    """The energy of a bill over that of another; None where one is not known or zero."""
    if not (bill.is_complete and base.is_complete and base.total.energy_joules):
        return None
    if bill is base:
        return Ratio(1.0, 1.0, 1.0)
    return _ratio(_energy(bill), _energy(base), _spreads(bill, base))


def latency_ratio(bill: Bill, base: Bill) -> Ratio | None:
    """The latency of a bill over that of another; None where one is not known or zero."""
    if not (bill.evaluation.is_priced and base.evaluation.is_priced):
        return None
    times = bill.total.latency_seconds, base.total.latency_seconds
    if not (times[0] and times[1]):
        return None
    if bill is base:
        return Ratio(1.0, 1.0, 1.0)
    value = times[0] / times[1]
    low, high = _independent(_spreads(bill, base))
    return Ratio(value, value * low, value * high)


def _spread(bill: Bill) -> tuple[float, float]:
    """The lowest and the highest latency over the usual one."""
    total = bill.total
    value = total.latency_seconds
    if not value:
        return 1.0, 1.0
    low, high = total.latency_seconds_low, total.latency_seconds_high
    return (value if low is None else low) / value, (value if high is None else high) / value


def _spreads(bill: Bill, base: Bill) -> list[tuple[float, float]]:
    """How far each latency may be off by itself.

    On one device, under the same conditions, what nobody measured about these conditions belongs to
    both networks; each differs from the other as networks did that were measured.
    """
    same = bill.device == base.device and bill.evaluation.scenario == base.evaluation.scenario
    residual = _measured(bill)
    if same and residual is not None:
        return [(min(residual.low, 1.0), max(residual.high, 1.0))] * 2
    return [_spread(bill), _spread(base)]


def _measured(bill: Bill) -> Residual | None:
    """The residual of networks that were measured in the format of a bill, or else in any."""
    residuals = bill.device.residuals
    number = call_format(bill.evaluation.workload, bill.evaluation.scenario)
    own = (one for one in residuals if one.formats is None or number in one.formats)
    first = next(iter(residuals), None)
    return next((one for one in own if not one.is_for_all), first)


def _independent(spreads: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The range of the first over the second, where each is off by itself."""
    (low, high), (base_low, base_high) = ([_log(end) for end in one] for one in spreads)
    return math.exp(-math.hypot(low, base_high)), math.exp(math.hypot(high, base_low))


def _log(ratio: float) -> float:
    return math.log(ratio) if ratio > 0 else -math.inf


def _energy(bill: Bill) -> _Total:
    amounts: dict[tuple[str, str], _Amount] = {}
    timed = 0.0
    for charge in bill.total.charges:
        is_timed = charge.unit_cost.name.endswith(_OVER_TIME)
        timed += charge.energy_joules if is_timed else 0.0
        for figure, weight in charge.unit_cost.parts:
            name = figure.name.removesuffix(_OVER_TIME)
            known = bill.device.parameters.get(name, figure)
            usual = charge.count * weight * figure.value
            key = bill.device.name, name
            before = amounts.get(key, _Amount(0.0, 1.0, 1.0))
            value = known.value or 1.0
            amounts[key] = _Amount(before.usual + usual, known.low / value, known.high / value)
    total = math.fsum(one.usual for one in amounts.values())
    return _Total(amounts, timed / total if total else 0.0)


def _ratio(total: _Total, base: _Total, spreads: Sequence[tuple[float, float]]) -> Ratio | None:
    if not (total.value and base.value):
        return None
    value = total.value / base.value
    high = _end(total.amounts, base.amounts, value)
    low = 1.0 / _end(base.amounts, total.amounts, 1.0 / value)
    pairs = zip((total, base), spreads, strict=True)
    spread = _independent([(low**each.timed, high**each.timed) for each, (low, high) in pairs])
    return Ratio(value, low * spread[0], high * spread[1])


def _end(
    above: Mapping[tuple[str, str], _Amount], below: Mapping[tuple[str, str], _Amount], start: float
) -> float:
    """The largest ratio of two sums of amounts, each figure with one value within its range.

    Both sums are linear in each figure, so it lies at an end of its range (Dinkelbach, 1967).
    """
    ratio = start
    for _ in range(_ROUNDS):
        upper = lower = 0.0
        for key in {**above, **below}:
            one, other = above.get(key), below.get(key)
            known = one or other or _Amount(0.0, 1.0, 1.0)
            gain = (one.usual if one else 0.0) - ratio * (other.usual if other else 0.0)
            end = known.high if gain > 0 else known.low
            upper += end * (one.usual if one else 0.0)
            lower += end * (other.usual if other else 0.0)
        found = upper / lower if lower else math.inf
        if not found > ratio:
            return ratio
        ratio = found
    return ratio
