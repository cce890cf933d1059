"""The table of TFLite operators, and what their rules share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from costmodel.frontend.operations.work import Work
from costmodel.frontend.translation import DataDependentError, TranslationTable
from costmodel.workload import builders
from costmodel_tflite.subgraphs import TfliteNode

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel.workload.operators import Operator

TFLITE: Final = TranslationTable("tflite")
"""The builtin operators by their names in the schema, custom ones as `CUSTOM:` and their name."""

TfliteRule: TypeAlias = Callable[[TfliteNode], Any]
_Own = TypeVar("_Own", bound=TfliteRule)


def translates(*operators: str) -> Callable[[_Own], _Own]:
    """Mark a function as the rule of these operators."""

    def kept(rule: _Own) -> _Own:
        TFLITE.translates(*operators)(rule)
        return rule

    return kept


def leave_unpriced(reasons: Mapping[str, str]) -> None:
    """State why operators have no price; their results have the declared shapes."""
    for reason, names in reasons.items():
        translates(*names.split())(_unpriced(reason))


def _unpriced(reason: str) -> TfliteRule:
    def rule(_: TfliteNode) -> Any:
        raise DataDependentError(reason)

    return rule


# ------------------------------------------------------------------ fused functions

FUSED: Final[Mapping[int, str]] = {
    1: "relu", 2: "hard_tanh", 3: "relu6", 4: "tanh", 5: "sign",
}  # fmt: skip
"""The functions of `ActivationFunctionType`, by number; 0 is none."""


def fused(node: TfliteNode) -> str | None:
    """The function that an operator applies to its result.

    Raises:
        ValueError: there is none of that number.

    """
    number = node.option("fused_activation_function")
    if number and number not in FUSED:
        message = f"fused activation {number!r:.40}; known: {', '.join(map(str, FUSED))}"
        raise ValueError(message)
    return FUSED.get(number)


def activated(node: TfliteNode, value: Value) -> Value:
    """The fused activation of a result, as an operator of its own."""
    function = fused(node)
    if function is None:
        return value
    return node.add("activation", value, function=function, in_place=True)


# ------------------------------------------------------------------ operators without an operation


def number(node: TfliteNode, value: float) -> Value:
    """A number that is part of an operation."""
    import numpy as np  # noqa: PLC0415  # only when a file is read

    return node.graph.constant(f"{node.name}.number"[-200:], (), data=np.asarray(value))


def worked(node: TfliteNode, operator: Operator, *reads: Value) -> tuple[Value, ...]:
    """Add an operator on values in the order of its operands; on constants it is a constant."""
    if reads and all(value.is_constant for value in reads):
        is_parameter = any(value.is_parameter for value in reads)
        return tuple([
            node.graph.constant(
                node.name, operand.tensor.shape, reads[0].format, is_parameter=is_parameter
            )
            for operand in operator.outputs
        ])  # fmt: skip
    return node.graph.append(type(operator).__name__.lower(), Work(operator, reads))


def rearranged(node: TfliteNode, purpose: str, shape: Sequence[int], *reads: Value) -> Value:
    """Elements of some values, carried to places that data state, in a tensor of this shape."""
    order = sorted(reads, key=lambda value: value.is_constant)
    moving = [value.tensor for value in order if not value.is_constant]
    held = [value.tensor for value in order if value.is_constant]
    operator = builders.rearrange(purpose, moving, [tuple(shape)], weights=held)
    return worked(node, operator, *order)[0]


def stated_shape(node: TfliteNode, what: str, place: int = 0) -> tuple[int, ...]:
    """The shape of a result that the file declares.

    Raises:
        DataDependentError: it does not; `what` says what decides.

    """
    shape = node.shapes[place] if place < len(node.shapes) else None
    if shape is None:
        message = f"the shape of its result depends on {what}"
        raise DataDependentError(message)
    return shape


def first_fields(content: bytes, count: int) -> tuple[int, ...] | None:
    """The first 32-bit numbers of a structure that a custom operator keeps; None if it is shorter.

    MediaPipe writes its options as the structure of the builtin operator, in little endian.
    """
    import struct  # noqa: PLC0415  # only for custom operators

    if len(content) < 4 * count:
        return None
    return struct.unpack_from(f"<{count}i", content)
