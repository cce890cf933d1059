"""TensorFlow's functions, which Keras 2 keeps as layers, as the operations of Keras 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen


class FunctionError(ValueError):
    """No operation of Keras 3 computes what is asked for."""


@frozen
class Operation:
    """An operation of Keras 3: the name of its class, its settings and what it is called on."""

    name: str
    settings: Mapping[str, Any]
    positional: Sequence[Any]
    named: Mapping[str, Any] = {}


@frozen
class Function:
    """What a function of TensorFlow corresponds to."""

    operation: str
    parameters: tuple[str, ...]
    """The function's own parameters, in order, as far as they matter."""

    operands: int
    """So many of them go into the call of the operation; the others are its settings."""

    settings: Mapping[str, str] = {}
    """The names in Keras 3 of the settings that it calls otherwise."""

    defaults: Mapping[str, Any] = {}
    """Values of parameters that may be left out, where it is not None."""


def _all(parameters: Sequence[str], **operations: str) -> dict[str, Function]:
    """Functions of the same parameters, all of them operands."""
    names = {name.replace("__", "."): operation for name, operation in operations.items()}
    return {
        name: Function(operation, tuple(parameters), len(parameters))
        for name, operation in names.items()
    }


def _reductions(**operations: str) -> dict[str, Function]:
    return {
        f"math.{name}": Function(
            operation, ("input_tensor", "axis", "keepdims"), 1, defaults={"keepdims": False}
        )
        for name, operation in operations.items()
    }


_ADD: Final = Function("Add", ("x", "y"), 2)

FUNCTIONS: Final[Mapping[str, Function]] = {
    "__operators__.add": _ADD,
    "__operators__.getitem": Function("GetItem", ("tensor", "slice_spec"), 2),
    **_all(
        ("x", "y"),
        math__add="Add", math__divide="Divide", math__equal="Equal", math__greater="Greater",
        math__greater_equal="GreaterEqual", math__less="Less", math__less_equal="LessEqual",
        math__logical_and="LogicalAnd", math__logical_or="LogicalOr", math__maximum="Maximum",
        math__minimum="Minimum", math__multiply="Multiply", math__not_equal="NotEqual",
        math__pow="Power", math__subtract="Subtract", math__truediv="TrueDivide",
    ),
    **_all(
        ("x",),
        math__abs="Absolute", math__ceil="Ceil", math__cos="Cos", math__erf="Erf",
        math__exp="Exp", math__floor="Floor", math__log="Log", math__log1p="Log1p",
        math__logical_not="LogicalNot", math__negative="Negative", math__reciprocal="Reciprocal",
        math__rsqrt="Rsqrt", math__sigmoid="Sigmoid", math__sign="Sign", math__sin="Sin",
        math__sqrt="Sqrt", math__square="Square", math__tanh="Tanh",
    ),
    **_all(("features",), math__softplus="Softplus", nn__elu="Elu", nn__relu="Relu",
           nn__relu6="Relu6", nn__selu="Selu", nn__softsign="Softsign"),
    **_all(("value", "bias"), nn__bias_add="Add"),
    **_all(("condition", "x", "y"), where="Where"),
    **_all(("input",), stop_gradient="StopGradient"),
    **_reductions(
        reduce_all="All", reduce_any="Any", reduce_max="Max", reduce_mean="Mean",
        reduce_min="Min", reduce_prod="Prod", reduce_std="Std", reduce_sum="Sum",
        reduce_variance="Var", reduce_logsumexp="Logsumexp",
    ),
    "broadcast_to": Function("BroadcastTo", ("input", "shape"), 1),
    "cast": Function("Cast", ("x", "dtype"), 1),
    "clip_by_value": Function(
        "Clip", ("t", "clip_value_min", "clip_value_max"), 1,
        {"clip_value_min": "x_min", "clip_value_max": "x_max"},
    ),
    "concat": Function("Concatenate", ("values", "axis"), 1),
    "expand_dims": Function("ExpandDims", ("input", "axis"), 1),
    "linalg.matmul": Function("Matmul", ("a", "b"), 2),
    "math.argmax": Function("Argmax", ("input", "axis"), 1, defaults={"axis": 0}),
    "math.argmin": Function("Argmin", ("input", "axis"), 1, defaults={"axis": 0}),
    "math.cumsum": Function("Cumsum", ("x", "axis"), 1, defaults={"axis": 0}),
    "nn.gelu": Function("Gelu", ("features", "approximate"), 1, defaults={"approximate": False}),
    "nn.leaky_relu": Function(
        "LeakyRelu", ("features", "alpha"), 1, {"alpha": "negative_slope"}, {"alpha": 0.2}
    ),
    "nn.log_softmax": Function("LogSoftmax", ("logits", "axis"), 1, defaults={"axis": -1}),
    "nn.silu": Function("Silu", ("features",), 1),
    "nn.softmax": Function("Softmax", ("logits", "axis"), 1, defaults={"axis": -1}),
    "repeat": Function("Repeat", ("input", "repeats", "axis"), 1),
    "reshape": Function("Reshape", ("tensor", "shape"), 1, {"shape": "newshape"}),
    "roll": Function("Roll", ("input", "shift", "axis"), 1),
    "squeeze": Function("Squeeze", ("input", "axis"), 1),
    "stack": Function("Stack", ("values", "axis"), 1, defaults={"axis": 0}),
    "tile": Function("Tile", ("input", "multiples"), 1, {"multiples": "repeats"}),
    "transpose": Function("Transpose", ("a", "perm"), 1, {"perm": "axes"}),
    "unstack": Function("Unstack", ("value", "num", "axis"), 1, defaults={"axis": 0}),
}  # fmt: skip
"""By the name under which TensorFlow exports the function."""

_INDEX: Final = "slice_spec"

_ARRAY_TYPE: Final = "float32"
"""Of an array in a file, which states no type: TensorFlow takes that of the other operand."""

_IDLE: Final = (None, False)
"""What a parameter may be that says nothing: it was left out."""


def operation(function: str, positional: Sequence[Any], named: Mapping[str, Any]) -> Operation:
    """What a call of a function of TensorFlow is in Keras 3.

    Raises:
        FunctionError: it is not in the table, or called in a way that Keras 3 has not.

    """
    row = FUNCTIONS.get(function)
    if row is None:
        message = f"tf.{function} has no counterpart in the table"
        raise FunctionError(message)
    given = {**row.defaults, **dict(zip(row.parameters, positional, strict=False))}
    given.update((name, value) for name, value in named.items() if name != "name")
    beyond = {name for name in given if name not in row.parameters and given[name] not in _IDLE}
    missing = [name for name in row.parameters[: row.operands] if name not in given]
    if beyond or missing or len(positional) > len(row.parameters):
        message = f"tf.{function} is called with {sorted(beyond) or missing or positional!r:.80}"
        raise FunctionError(message)
    settings = row.parameters[row.operands :]
    return Operation(
        row.operation,
        {row.settings.get(name, name): given.get(name) for name in settings},
        [
            _key(given[name]) if name == _INDEX else _operand(given[name])
            for name in row.parameters[: row.operands]
        ],
    )


def _operand(value: Any) -> Any:
    """A value as Keras 3 writes it into a node, where an array is told from a list."""
    if isinstance(value, list) and value and _is_number(_first(value)):
        return {"class_name": "__numpy__", "config": {"value": value, "dtype": _ARRAY_TYPE}}
    if isinstance(value, list):
        return [_operand(item) for item in value]
    return value


def _key(value: Any) -> Any:
    """An index as Keras 3 writes it, where a slice has a class."""
    if isinstance(value, list):
        return [_key(item) for item in value]
    if isinstance(value, Mapping) and value.keys() == {"start", "stop", "step"}:
        return {"class_name": "__slice__", "config": dict(value)}
    if isinstance(value, Mapping) and value.get("class_name") == "__ellipsis__":
        return {"class_name": "__ellipsis__", "config": {}}
    return value


def _first(value: Any) -> Any:
    while isinstance(value, list) and value:
        value = value[0]
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
