"""Budgets: limits on what a network may cost, and the verdict on each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

from attrs import evolve, field, frozen

from costmodel.devicefile.schema import not_known
from costmodel.devices import Device
from costmodel.errors import BudgetError
from costmodel.estimates.saved import Amount, End, LayersHave, SavedDevice, SavedEstimate
from costmodel.frozen_dict import FrozenDict
from costmodel.scenario import Scenario

NETWORK: Final[Mapping[str, str]] = {"macs": "", "parameters": "", "weights": "B"}
"""The quantities that need no device, each with its SI unit; a count has none."""
ON_DEVICE: Final[Mapping[str, str]] = {"latency": "s", "energy": "J", "peak_memory": "B"}
"""The quantities of a device, each with its SI unit."""

Status: TypeAlias = Literal["within", "broken", "unknown"]
"""Whether a limit holds; `unknown` where work without a price is missing from what was found."""

WhenUnpriced: TypeAlias = Literal["error", "bound"]
"""What a limit does about unpriced work: it is unknown, or holds for the lower bound."""

_UPDATE: Final = "`costmodel check MODEL --budget FILE --update-baseline` writes one"


@frozen(kw_only=True)
class Limit:
    """The most that one quantity may be, or may grow by against a baseline.

    `most` is in the SI unit of the quantity, or the share of a growth. `at` is the end of the
    range that must keep it.
    """

    quantity: str
    most: float
    is_growth: bool = False
    device: str | None = None
    memory: str | None = None
    at: End = "value"
    on_unpriced: WhenUnpriced = "error"

    @property
    def key(self) -> str:
        """The quantity as a budget file calls it, with its memory."""
        return f"{self.quantity}.{self.memory}" if self.memory else self.quantity

    @property
    def name(self) -> str:
        """What is limited, in words: `growth of energy on cpu`."""
        of = "growth of " if self.is_growth else ""
        on = f" on {self.device}" if self.device else ""
        end = " (high end)" if self.at == "high" and self.quantity != "peak_memory" else ""
        return f"{of}{self.key}{on}{end}"

    @property
    def unit(self) -> str:
        """The SI unit of the quantity; none of a count."""
        return {**NETWORK, **ON_DEVICE}[self.quantity]


def _frozen_devices(
    given: Mapping[str, Mapping[str, str | float]],
) -> Mapping[str, Mapping[str, str | float]]:
    return FrozenDict({name: FrozenDict(values) for name, values in given.items()})


@frozen(kw_only=True)
class Budget:
    """Limits, and the conditions under which they hold."""

    source: str
    """Where it is from, as messages call it."""
    limits: tuple[Limit, ...]
    devices: Mapping[str, Mapping[str, str | float]] = field(
        factory=dict, converter=_frozen_devices
    )
    """The devices by name or path, each with the parameters and settings to set."""
    scenario: Scenario = Scenario()
    baseline: Path | None = None
    tolerance: float = 0.0
    """The share of a baseline up to which a growth is noise."""

    @property
    def needs_baseline(self) -> bool:
        """Whether it limits a growth."""
        return any(limit.is_growth for limit in self.limits)

    def on(self, devices: Mapping[str, Device]) -> Budget:
        """The same budget for these devices, by the names that the budget has for them.

        A limit on `peak_memory` as such becomes one on the only memory of its device.

        Raises:
            BudgetError: a limit on memory that the device does not have, or has many of.

        """
        mistakes: list[str] = []
        limits = [_on_device(limit, devices, mistakes) for limit in self.limits]
        if mistakes:
            raise BudgetError(self.source, mistakes)
        return evolve(self, limits=tuple(limits))

    def misfits(self, devices: Mapping[str, Device]) -> list[str]:
        """What of its limits does not fit these devices; of a device that is not there, nothing."""
        mistakes: list[str] = []
        for limit in self.limits:
            if limit.device is None or limit.device in devices:
                _on_device(limit, devices, mistakes)
        return mistakes


def _on_device(limit: Limit, devices: Mapping[str, Device], mistakes: list[str]) -> Limit:
    if limit.device is None:
        return limit
    path, device = f"devices.{limit.device}.peak_memory", devices[limit.device]
    limit = evolve(limit, device=device.name)
    if limit.quantity != "peak_memory":
        return limit
    known = [memory.name for memory in device.memories] if device.uses_memories else []
    if not known:
        mistakes.append(f"{path}: device {device.name!r} models no memories; remove the limit")
    elif limit.memory is not None and limit.memory not in known:
        mistakes.append(not_known(path, limit.memory, dict.fromkeys(known)))
    elif limit.memory is None and len(known) > 1:
        names = ", ".join(known)
        hint = f"limit one or more: peak_memory.{known[-1]} = ..."
        mistakes.append(f"{path}: the device has {len(known)} memories ({names}); {hint}")
    elif limit.memory is None:
        return evolve(limit, memory=known[0])
    return limit


# ------------------------------------------------------------------ verdicts


@frozen
class Cause:
    """A layer that has part of what breaks a limit: its amount, and that of the baseline.

    `before` is None where there is no baseline to compare with, and where it lacks the layer.
    """

    layer: str
    kind: str
    amount: float
    before: float | None = None
    is_new: bool = False

    @property
    def growth(self) -> float:
        """How much more of the quantity the layer has than in the baseline."""
        return self.amount - (self.before or 0.0)


@frozen(kw_only=True)
class Verdict:
    """Whether a limit holds, what was allowed and found, and the layers that cause it."""

    limit: Limit
    status: Status
    allowed: float | None
    found: float | None
    before: float | None = None
    """The amount of the baseline, where the limit is on a growth."""
    missing: tuple[str, ...] = ()
    """What is not in the amount that was found: it is a lower bound."""
    causes: tuple[Cause, ...] = ()
    """Layers of a limit that is broken, the most important first."""
    layers_have: LayersHave = "parts"
    """What the amounts of the layers are."""

    @property
    def margin(self) -> float | None:
        """The share of what is allowed that is left; negative where it is too much."""
        if self.allowed is None or self.found is None or not self.allowed:
            return None
        return (self.allowed - self.found) / self.allowed


def verdicts(
    budget: Budget, found: SavedEstimate, baseline: SavedEstimate | None = None
) -> tuple[Verdict, ...]:
    """The verdict on each limit of a budget whose devices are known.

    Raises:
        BudgetError: a growth is limited and the baseline is missing, or of other conditions.

    """
    if budget.needs_baseline:
        _check_baseline(budget, found, baseline)
    return tuple(
        _of_growth(limit, budget.tolerance, found, baseline)
        if limit.is_growth and baseline is not None
        else _absolute(limit, found)
        for limit in budget.limits
    )


def _check_baseline(budget: Budget, found: SavedEstimate, baseline: SavedEstimate | None) -> None:
    if baseline is None:
        message = f"a growth is limited and there is no baseline: give its file; {_UPDATE}"
        raise BudgetError(budget.source, [message])
    differing = [
        f"{baseline.source}: {name}: expected {new!r} as in the budget, found {old!r}"
        for name, new, old in [
            ("convention", found.convention, baseline.convention),
            *(
                (key, found.scenario.get(key), baseline.scenario.get(key))
                for key in {**found.scenario, **baseline.scenario}
            ),
        ]
        if new != old
    ]
    asked = dict.fromkeys(one.device for one in budget.limits if one.is_growth and one.device)
    known = baseline.devices
    absent = [
        not_known(f"{baseline.source}: devices", name, known) for name in asked if name not in known
    ]
    lost = [
        f"{baseline.source}: devices.{one.device}.memories: {one.memory!r} is missing"
        for one in budget.limits
        if one.is_growth and one.memory and one.device and one.device in known
        and one.memory not in known[one.device].memories
    ]  # fmt: skip
    if mistakes := [*differing, *absent, *lost]:
        raise BudgetError(budget.source, mistakes, [f"the baseline does not fit; {_UPDATE}"])


def _absolute(limit: Limit, found: SavedEstimate) -> Verdict:
    now = _amount(limit, found)
    status = _status(limit, now, limit.most, is_certain=True)
    return Verdict(
        limit=limit, status=status, allowed=limit.most, found=now.value, missing=now.missing,
        causes=_causes(now, None, found) if status == "broken" else (),
        layers_have=now.layers_have,
    )  # fmt: skip


def _of_growth(
    limit: Limit, tolerance: float, found: SavedEstimate, baseline: SavedEstimate
) -> Verdict:
    now, before = _amount(limit, found), _amount(limit, baseline)
    growth = max(limit.most, tolerance)
    allowed = None if before.value is None else before.value * (1 + growth)
    missing = (*now.missing, *(f"in the baseline, {one}" for one in before.missing))
    status = _status(limit, now, allowed, is_certain=not before.missing)
    return Verdict(
        limit=limit, status=status, allowed=allowed, found=now.value, before=before.value,
        missing=missing,
        causes=_causes(now, before, found, tolerance) if status == "broken" else (),
        layers_have=now.layers_have,
    )  # fmt: skip


def _status(limit: Limit, now: Amount, allowed: float | None, *, is_certain: bool) -> Status:
    """`is_certain` is whether what is allowed is known; a lower bound of a baseline is not."""
    takes_bounds = limit.on_unpriced == "bound"
    if now.value is None or allowed is None or not (is_certain or takes_bounds):
        return "unknown"
    if now.value > allowed:  # a lower bound too
        return "broken"
    return "within" if takes_bounds or not now.missing else "unknown"


def _amount(limit: Limit, found: SavedEstimate) -> Amount:
    if limit.device is None:
        return found.count(limit.quantity)
    if limit.quantity == "peak_memory":
        return found.peak(limit.device, limit.memory or "")
    return _OF_DEVICE[limit.quantity](found.device(limit.device), limit.at)


_OF_DEVICE: Final = {"energy": SavedDevice.energy, "latency": SavedDevice.latency}


def _causes(
    now: Amount, before: Amount | None, found: SavedEstimate, tolerance: float = 0.0
) -> tuple[Cause, ...]:
    """The layers behind an amount, those that have most of it first, or that grew most.

    Of a peak, the layers at which it occurs; of a growth, those whose growth is no noise.
    """
    old = {} if before is None else before.by_layer
    causes = [
        Cause(
            name, found.layers[name].kind, amount, old.get(name),
            is_new=before is not None and name not in old,
        )
        for name, amount in now.by_layer.items()
        if amount
    ]  # fmt: skip
    if now.layers_have == "peaks":
        return tuple(cause for cause in causes if cause.amount == now.value)
    if before is not None:
        noise = max(tolerance, _ROUNDING)
        causes = [one for one in causes if one.growth > noise * (one.before or 0.0)]
    return tuple(sorted(causes, key=lambda one: -one.growth))


_ROUNDING: Final = 1e-9
"""The share by which an amount may change without a cause."""


def differences(found: SavedEstimate, baseline: SavedEstimate) -> Iterator[str]:
    """What beside the network differs from the baseline, so that a growth may come from it."""
    if found.version != baseline.version:
        yield f"the baseline is of costmodel {baseline.version}, this is {found.version}"
    for name, device in found.devices.items():
        old = baseline.devices.get(name)
        if old is not None and old.identity != device.identity:
            keys = [key for key, value in device.identity.items() if old.identity[key] != value]
            yield f"{name} has changed since the baseline: {', '.join(keys)}"
