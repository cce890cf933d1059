"""A call of one of TensorFlow's functions, as the layer that the rules know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from costmodel_keras.arguments import Arguments, Value, layer_inputs
from costmodel_keras.graph import FunctionView, LayerView
from costmodel_keras.keras2 import known_values
from costmodel_keras.keras2.function_table import operation
from costmodel_keras.keras2.functions import PREFIX, Operation, renumbered
from costmodel_keras.layers.operations.operation import whole_of
from costmodel_keras.layers.unsupported import UnsupportedError

if TYPE_CHECKING:
    from costmodel.tensor.shapes import Tensor


def translated(
    called: LayerView, given: Arguments, known: Mapping[int, Value], inputs: Sequence[Tensor]
) -> FunctionView | tuple[Value, ...]:
    """The call of a function in the words of the rules, or the values that it is known to give.

    `known` are values in place of some tensors of the call, and `inputs` the other tensors.
    A call that no rule knows stays under its own name, with the reason.
    """
    given = renumbered(given, known)
    try:
        found = _found(called.kind, given, inputs)
        _check_values(found)
    except (UnsupportedError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        mixes = not inputs or called.kind in _MOVING
        return FunctionView(
            called, called.kind, called.settings, given, refusal=str(error), mixes=mixes
        )
    if not isinstance(found, Operation):
        return found
    return FunctionView(called, found.kind, found.settings, found.arguments)


_MOVERS: Final = """
    batch_to_space batch_to_space_nd boolean_mask concat dynamic_partition dynamic_stitch einsum
    gather gather_nd image.crop_and_resize linalg.matmul map_fn meshgrid repeat reshape roll scan
    scatter_nd slice space_to_batch space_to_batch_nd squeeze stack strided_slice tensordot tile
    transpose unique unstack vectorized_map where
"""
_MOVING: Final = frozenset(f"{PREFIX}{name}" for name in _MOVERS.split())
"""Functions that may move, fold or mix the batch; the first axis of others is that of the batch."""


def _found(kind: str, given: Arguments, inputs: Sequence[Tensor]) -> Operation | tuple[Value, ...]:
    wholes = [whole_of(tensor) for tensor in inputs]
    value = known_values.shape_value(kind, given, wholes)
    if value is NotImplemented:
        value = known_values.made_value(kind, given)
    if value is not NotImplemented:
        return (value,)
    found = operation(kind, given, wholes)
    if any(layer_inputs(found.arguments.positional)):
        return found.with_arrays
    several = known_values.several(found)
    return (known_values.value_of(found),) if several is None else tuple(several)


def _check_values(found: Operation | tuple[Value, ...]) -> None:
    if not isinstance(found, Operation):
        for value in found:
            known_values.check_value(value)
