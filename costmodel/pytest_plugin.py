"""The pytest plugin: a test that fails where a network costs more than its budget.

pytest loads it in every project that has costmodel installed, so it imports the rest of costmodel
in the test that asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from costmodel.budgets.check import Check
    from costmodel.devices import Device

    Devices = str | Path | Device | list[str | Path | Device]
    """One device or several, by names, by paths of YAML files, or as they are."""


@pytest.fixture
def costmodel_budget(request: pytest.FixtureRequest) -> Callable[..., Check]:
    """Hold a network against a budget file: `costmodel_budget(model, "budget.toml")`.

    The path of the budget starts in the root folder of pytest; `baseline` replaces the one that
    the budget names.
    """

    def hold(
        model: object, budget: str | Path = "budget.toml", *, baseline: str | Path | None = None
    ) -> Check:
        __tracebackhide__ = True
        root = request.config.rootpath
        return assert_costs(
            model, budget=root / budget, baseline=None if baseline is None else root / baseline
        )

    return hold


def assert_costs(
    model: object,
    *,
    budget: str | Path | None = None,
    devices: Devices | None = None,
    baseline: str | Path | None = None,
    scenario: dict[str, Any] | None = None,
    **limits: Any,
) -> Check:
    """Fail where a network costs more than a budget file allows, or than the `limits`.

    Limits have the keys and values of a budget file, but for `set`; `macs`, `parameters` and
    `weights` hold for the network, all others on each of the `devices`:

        assert_costs(model, devices="cpu", energy="5 mJ", macs=600_000_000)

    `scenario` has the keys of the section of that name.

    Raises:
        AssertionError: a limit is broken or unknown; the message names the layers.
        CostModelError: the model, the budget, a device or the baseline is not usable, or a device
            is given twice.
        TypeError: both a budget and limits are given, or neither, or `set` is.

    """
    __tracebackhide__ = True
    from costmodel.budgets.budget_file import budget_on  # noqa: PLC0415  # brings NumPy
    from costmodel.budgets.check import check  # noqa: PLC0415  # brings NumPy

    given = bool(devices or scenario or limits)
    if (budget is not None) == given:
        message = "give either budget=FILE or limits, such as devices='cpu', energy='5 mJ'"
        raise TypeError(message)
    if budget is not None:
        found = check(model, budget, baseline=baseline)
    else:
        if "set" in limits:
            message = "give devices with their figures: devices=costmodel.device('cpu', ...)"
            raise TypeError(message)
        chosen = _chosen(devices)
        asked = budget_on(chosen, limits, scenario or {}, "assert_costs")
        found = check(model, asked, baseline=baseline, devices=chosen)
    if not found.is_met:
        raise AssertionError("\n".join(found.explanation))
    return found


def _chosen(devices: Devices | None) -> dict[str, Device]:
    """The devices by their names."""
    from costmodel.estimates.estimate import named_apart  # noqa: PLC0415  # brings NumPy
    from costmodel.registry import installed  # noqa: PLC0415  # brings NumPy

    several = devices if isinstance(devices, list | tuple) else [devices] if devices else []
    found = named_apart([installed().device(one) for one in several])
    return {device.name: device for device in found}
