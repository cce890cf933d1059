"""Inference of the numeric formats of operators that declare none, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from attrs import evolve

from costmodel import numerics
from costmodel.numerics import NumericFormat
from costmodel.tensor import Tensor
from costmodel.workload.composite import Softmax
from costmodel.workload.operators import (
    Activation,
    Contraction,
    Elementwise,
    Gather,
    Movement,
    Operand,
    Operator,
    Reduction,
)

KEEPS_FORMAT: Final = frozenset({"linear", "relu", "relu6", "leaky_relu", "hard_tanh"})
"""Activations whose results are among the numbers that their operand's format represents."""


def between(work: Sequence[Operator], default: NumericFormat) -> tuple[Operator, ...]:
    """Operators, one after the other, with a format for what they pass to one another.

    An input without a format has that of the result before it, and an output without one is
    exact. If no tensor has a format, all are in the default, and stay as they are.
    """
    if not any(map(_has_format, work)):
        return tuple(work)
    before: NumericFormat | None = None
    done = []
    for operator in work:
        result = _declared(operator.outputs) or result_of(operator, before, default)
        done.append(_filled(operator, before, result))
        before = result
    return tuple(done)


def _has_format(operator: Operator) -> bool:
    return any(tensor.format for tensor in (*operator.inputs, *operator.outputs))


def _declared(tensors: Sequence[Operand]) -> NumericFormat | None:
    return tensors[0].format if tensors else None


def _filled(operator: Operator, before: NumericFormat | None, result: NumericFormat) -> Operator:
    missing = {"input": before, "weight": None, "output": result}
    if all(item.format or not missing[item.role] for item in operator.operands):
        return operator
    operands = [
        item
        if item.format or not missing[item.role]
        else evolve(item, tensor=Tensor(item.shape, missing[item.role]))
        for item in operator.operands
    ]
    return evolve(operator, operands=operands)


def result_of(
    operator: Operator, before: NumericFormat | None, default: NumericFormat
) -> NumericFormat:
    """The exact result of one operator; an input without a format is the result before it."""
    inputs = [tensor.format or before or default for tensor in operator.inputs] or [default]
    parameters = [tensor.format or default for tensor in operator.weights]
    rule = _RESULTS.get(type(operator))
    if rule is not None:
        return rule(operator, inputs, parameters, default)
    result = before
    for part in between(operator.decompose(), default):
        result = result_of(part, result, default)
    return result or default


_Formats: TypeAlias = Sequence[NumericFormat]


def _contraction(
    operator: Operator, inputs: _Formats, parameters: _Formats, default: NumericFormat
) -> NumericFormat:
    left, right, *bias = (*inputs, *parameters, default)
    terms = operator.reduction_size if isinstance(operator, Contraction) else 1
    has_bias = len(inputs) + len(parameters) > 2  # noqa: PLR2004  # two factors and the bias
    _, total = numerics.multiply_accumulate(right, left, terms, bias[0] if has_bias else None)
    return total.result


def _elementwise(
    operator: Operator, inputs: _Formats, parameters: _Formats, default: NumericFormat
) -> NumericFormat:
    function = operator.function if isinstance(operator, Elementwise) else ""
    if function in numerics.MERGES:
        return numerics.merge(function, *inputs, *parameters).result
    if function != "affine":
        return default
    scale, offset = (*parameters, default, default)[:2]
    return numerics.addition(numerics.product(scale, inputs[0]).result, offset).result


def _reduction(
    operator: Operator, inputs: _Formats, parameters: _Formats, default: NumericFormat
) -> NumericFormat:
    function = operator.function if isinstance(operator, Reduction) else ""
    if function == "product":
        return default
    if function != "sum":
        return inputs[0]
    return numerics.accumulation(inputs[0], operator.window).result  # type: ignore[attr-defined]  # a sum is a reduction


def _activation(
    operator: Operator, inputs: _Formats, parameters: _Formats, default: NumericFormat
) -> NumericFormat:
    function = operator.function if isinstance(operator, Activation) else ""
    return inputs[0] if function in KEEPS_FORMAT else default


def _lookup(
    operator: Operator, inputs: _Formats, parameters: _Formats, default: NumericFormat
) -> NumericFormat:
    return parameters[0] if parameters else default


def _movement(
    operator: Operator, inputs: _Formats, parameters: _Formats, default: NumericFormat
) -> NumericFormat:
    return numerics.union(*inputs)


_RESULTS: Mapping[
    type[Operator], Callable[[Operator, _Formats, _Formats, NumericFormat], NumericFormat]
] = {
    Activation: _activation,
    Contraction: _contraction,
    Elementwise: _elementwise,
    Gather: _lookup,
    Movement: _movement,
    Reduction: _reduction,
    Softmax: _activation,
}
