"""What a neural network costs on hardware, and why."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costmodel.bills import Bill, Coverage
    from costmodel.catalogue import Catalogue
    from costmodel.comparison import Comparison, compare
    from costmodel.convention import Convention, LayerWork
    from costmodel.devices import (
        Charge,
        Cost,
        Device,
        DeviceEstimate,
        Evidence,
        Factor,
        Outcome,
        Parameter,
        UnitCost,
        one_of,
        option,
        parameter,
        prices,
    )
    from costmodel.errors import CostModelError, UnpricedWarning
    from costmodel.estimates import (
        Estimate,
        collect,
        estimate,
        lower,
        measure_rates,
        read,
        work_by_layer,
    )
    from costmodel.hookspecs import hookimpl
    from costmodel.layer import Input, Layer, LayerModule, LayerRules, OperatorLayer, Work, setting
    from costmodel.network import Network, Port
    from costmodel.numerics import FixedPoint, FloatingPoint, NumericFormat
    from costmodel.operator_batch import CostTable, OperatorBatch
    from costmodel.plugins import Plugins
    from costmodel.reader import Reader
    from costmodel.scenario import Scenario
    from costmodel.sizes import SizeArray
    from costmodel.tensor import Shape, Tensor
    from costmodel.workload.affine import Affine
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
    from costmodel.workload.operators import (
        Activation,
        Contraction,
        Counted,
        Elementwise,
        Gather,
        Movement,
        Operand,
        Operator,
        Reduction,
    )
    from costmodel.workload.reasons import Free, Unpriced


_HOMES = {
    "comparison": ("Comparison", "compare"),
    "bills": ("Bill", "Coverage"),
    "catalogue": ("Catalogue",),
    "convention": ("Convention", "LayerWork"),
    "devices": (
        "Charge", "Cost", "Device", "DeviceEstimate", "Evidence", "Factor", "Outcome",
        "Parameter", "UnitCost", "one_of", "option", "parameter", "prices",
    ),
    "errors": ("CostModelError", "UnpricedWarning"),
    "estimates": (
        "Estimate", "collect", "estimate", "lower", "measure_rates", "read",
        "work_by_layer",
    ),
    "hookspecs": ("hookimpl",),
    "layer": ("Input", "Layer", "LayerModule", "LayerRules", "OperatorLayer", "Work", "setting"),
    "network": ("Network", "Port"),
    "numerics": ("FixedPoint", "FloatingPoint", "NumericFormat"),
    "operator_batch": ("CostTable", "OperatorBatch"),
    "plugins": ("Plugins",),
    "reader": ("Reader",),
    "scenario": ("Scenario",),
    "sizes": ("SizeArray",),
    "tensor": ("Shape", "Tensor"),
    "workload.affine": ("Affine",),
    "workload.builders": (
        "activation", "attention", "concatenate", "conv", "conv_transpose", "einsum",
        "elementwise", "embedding", "matmul", "normalize", "pad", "pool", "reduce", "softmax",
        "split", "transpose",
    ),
    "workload.operators": (
        "Activation", "Contraction", "Counted", "Elementwise", "Gather", "Movement", "Operand",
        "Operator", "Reduction",
    ),
    "workload.reasons": ("Free", "Unpriced"),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Activation",
    "Affine",
    "Bill",
    "Catalogue",
    "Charge",
    "Comparison",
    "Contraction",
    "Convention",
    "Cost",
    "CostModelError",
    "CostTable",
    "Counted",
    "Coverage",
    "Device",
    "DeviceEstimate",
    "Elementwise",
    "Estimate",
    "Evidence",
    "Factor",
    "FixedPoint",
    "FloatingPoint",
    "Free",
    "Gather",
    "Input",
    "Layer",
    "LayerModule",
    "LayerRules",
    "LayerWork",
    "Movement",
    "Network",
    "NumericFormat",
    "Operand",
    "Operator",
    "OperatorBatch",
    "OperatorLayer",
    "Outcome",
    "Parameter",
    "Plugins",
    "Port",
    "Reader",
    "Reduction",
    "Scenario",
    "Shape",
    "SizeArray",
    "Tensor",
    "UnitCost",
    "Unpriced",
    "UnpricedWarning",
    "Work",
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
    "hookimpl",
    "lower",
    "matmul",
    "measure_rates",
    "normalize",
    "one_of",
    "option",
    "pad",
    "parameter",
    "pool",
    "prices",
    "read",
    "reduce",
    "setting",
    "softmax",
    "split",
    "transpose",
    "work_by_layer",
]


def device(name: Any, **parameters: str | float) -> Device:
    """A device by its name or by the path of its YAML file, some parameters replaced.

    Each replacement is a quantity with its unit: `energy_per_neuron_update="80 pJ"`.

    Raises:
        CostModelError: no such device or parameter, or a value that it cannot have.

    """
    return import_module("costmodel.catalogue").installed().device(name, **parameters)  # type: ignore[no-any-return]  # imported late, so untyped


def __getattr__(name: str) -> Any:
    """Import the home of a public name when it is first asked for."""
    if name not in _HOME_OF:
        message = f"module 'costmodel' has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(f"costmodel.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """All public names, also those not imported yet."""
    return __all__
