"""What a neural network costs on hardware, and why."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costmodel.conventions.convention import Convention
    from costmodel.devices import Device, DeviceEstimate
    from costmodel.errors import CostModelError, UnpricedWarning
    from costmodel.estimates.comparison import Comparison, compare
    from costmodel.estimates.estimate import (
        Estimate,
        collect,
        estimate,
        lower,
        measure_rates,
        read,
        work_by_layer,
    )
    from costmodel.network.graph import Network
    from costmodel.network.layer import Layer
    from costmodel.network.reader import Reader
    from costmodel.plugins.hookspecs import hookimpl
    from costmodel.report.bills import Coverage
    from costmodel.scenario import Scenario
    from costmodel.sweeps.space import DesignSpace
    from costmodel.sweeps.sweeping import sweep
    from costmodel.workload.builders import (
        activation,
        attention,
        concatenate,
        conv,
        conv_transpose,
        einsum,
        elementwise,
        embedding,
        matmul,
        normalize,
        pad,
        pool,
        reduce,
        softmax,
        split,
        transpose,
    )
    from costmodel.workload.graph import Workload
    from costmodel.workload.linalg import from_linalg, from_mlir, to_linalg, to_mlir
    from costmodel.workload.operators import Operator
    from costmodel.workload.reasons import Free, Unpriced

_HOMES = {
    "report.bills": ("Coverage",),
    "estimates.comparison": ("Comparison", "compare"),
    "conventions.convention": ("Convention",),
    "devices": ("Device", "DeviceEstimate"),
    "errors": ("CostModelError", "UnpricedWarning"),
    "estimates.estimate": (
        "Estimate", "collect", "estimate", "lower", "measure_rates", "read", "work_by_layer",
    ),
    "plugins.hookspecs": ("hookimpl",),
    "network.layer": ("Layer",),
    "network.graph": ("Network",),
    "network.reader": ("Reader",),
    "scenario": ("Scenario",),
    "sweeps.space": ("DesignSpace",),
    "sweeps.sweeping": ("sweep",),
    "workload.builders": (
        "activation", "attention", "concatenate", "conv", "conv_transpose", "einsum",
        "elementwise", "embedding", "matmul", "normalize", "pad", "pool", "reduce", "softmax",
        "split", "transpose",
    ),
    "workload.graph": ("Workload",),
    "workload.linalg": ("from_linalg", "from_mlir", "to_linalg", "to_mlir"),
    "workload.operators": ("Operator",),
    "workload.reasons": ("Free", "Unpriced"),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Comparison",
    "Convention",
    "CostModelError",
    "Coverage",
    "DesignSpace",
    "Device",
    "DeviceEstimate",
    "Estimate",
    "Free",
    "Layer",
    "Network",
    "Operator",
    "Reader",
    "Scenario",
    "Unpriced",
    "UnpricedWarning",
    "Workload",
    "activation",
    "attention",
    "collect",
    "compare",
    "concatenate",
    "conv",
    "conv_transpose",
    "device",
    "einsum",
    "elementwise",
    "embedding",
    "estimate",
    "from_linalg",
    "from_mlir",
    "hookimpl",
    "lower",
    "matmul",
    "measure_rates",
    "normalize",
    "pad",
    "pool",
    "read",
    "reduce",
    "softmax",
    "split",
    "sweep",
    "to_linalg",
    "to_mlir",
    "transpose",
    "work_by_layer",
]


def device(name: Any, **parameters: str | float) -> Device:
    """A device by its name or by the path of its YAML file, some parameters replaced.

    Each replacement is a quantity with its unit: `energy_per_neuron_update="80 pJ"`.

    Raises:
        CostModelError: no such device or parameter, or a value that it cannot have.

    """
    return import_module("costmodel.registry").installed().device(name, **parameters)  # type: ignore[no-any-return]  # imported late, so untyped


def __getattr__(name: str) -> Any:
    """Import the home of a public name, or a module, when it is first asked for."""
    if name not in _HOME_OF:
        if not name.startswith("_") and find_spec(f"costmodel.{name}") is not None:
            return import_module(f"costmodel.{name}")
        near = import_module("costmodel.errors").nearest(name, __all__)
        hint = f"; nearest: {near!r}" if near else ""
        message = f"module 'costmodel' has no attribute {name!r}{hint}"
        raise AttributeError(message)
    value = getattr(import_module(f"costmodel.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """All public names, also those not imported yet."""
    return __all__
