"""Inference of the numeric formats that a network does not declare, in topological order."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve

from costmodel import numerics
from costmodel.layer import Input, Layer, work_of
from costmodel.numerics import NumericFormat
from costmodel.operators import (
    Activation,
    Contraction,
    Elementwise,
    Lookup,
    Movement,
    Operator,
    Reason,
    Reduction,
    Unpriced,
)
from costmodel.tensor import Tensor

if TYPE_CHECKING:
    from costmodel.layer import Work
    from costmodel.network import Network
    from costmodel.scenario import Scenario

KEEPS_FORMAT = frozenset({"linear", "relu", "relu6", "leaky_relu", "hard_tanh"})
"""Activations whose results are among the numbers that their operand's format represents."""


def infer(network: Network, scenario: Scenario) -> Network:
    """The same network with the format of every tensor that follows from what is declared.

    A layer that declares no result gets the exact one, that of its operators over its inputs
    and parameters, if it declares formats of parameters, or has none and reads what follows
    from a declaration. All else is in the default format; a network without any declaration
    and source format is returned as it is.
    """
    distinct = {layer.likeness: layer for layer in network.layers}
    if scenario.source_format is None and not any(map(_declares, distinct.values())):
        return network
    formatted: dict[str, Layer] = {}
    known: set[str] = set()
    for layer in network.layers:
        sources = network.sources(layer.name)
        inputs = tuple(formatted[port.layer].outputs[port.output] for port in sources)
        reads_known = any(port.layer in known for port in sources)
        follows = _declares(layer) or (reads_known and not layer.parameters)
        is_source = isinstance(layer, Input)
        if follows or (is_source and scenario.source_format is not None):
            known.add(layer.name)
        formatted[layer.name] = _formatted(layer, inputs, scenario, follows=follows)
    return evolve(network, layers=tuple(formatted.values()))


def between(work: Work, default: NumericFormat) -> Work:
    """The work of a layer with a format for what its operators hand to one another.

    An input without a format is the result of the operator before, and an output without one
    is exact; work of which no tensor has a format is all in the default, and stays as it is.
    """
    if isinstance(work, Reason) or not any(map(_has_format, work)):
        return work
    before: NumericFormat | None = None
    done = []
    for operator in work:
        result = _declared(operator.outputs) or _after(operator, before, default)
        done.append(_filled(operator, before, result))
        before = result
    return tuple(done)


def _has_format(operator: Operator) -> bool:
    return any(tensor.format for tensor in (*operator.inputs, *operator.outputs))


def _declared(tensors: Sequence[Tensor]) -> NumericFormat | None:
    return tensors[0].format if tensors else None


def _filled(operator: Operator, before: NumericFormat | None, result: NumericFormat) -> Operator:
    tensors = (*operator.inputs, *operator.outputs)
    if all(tensor.format for tensor in tensors):
        return operator
    return evolve(
        operator,
        inputs=[Tensor(tensor.shape, tensor.format or before) for tensor in operator.inputs],
        outputs=[Tensor(tensor.shape, tensor.format or result) for tensor in operator.outputs],
    )


@functools.cache
def _may_declare(cls: type[Layer]) -> bool:
    return (cls.declared_formats, cls.declared_result) != (
        Layer.declared_formats, Layer.declared_result,
    )  # fmt: skip


def _declares(layer: Layer) -> bool:
    if not _may_declare(type(layer)):  # type: ignore[arg-type]  # a class has a hash
        return False
    return bool(layer.declared_formats() or layer.declared_result())


def _formatted(
    layer: Layer, inputs: tuple[Tensor, ...], scenario: Scenario, *, follows: bool
) -> Layer:
    declared, default = layer.declared_formats(), scenario.default_format
    if isinstance(layer, Input):
        return layer.with_formats(inputs, declared, scenario.source_format or default)
    found = layer.declared_result()
    if found is None:
        bare = layer.with_formats(inputs, declared, None)
        found = _result(bare, default) if follows else default
    return layer.with_formats(inputs, declared, found)


def _result(layer: Layer, default: NumericFormat) -> NumericFormat:
    """The exact format of what the layer's operators yield."""
    arriving = [tensor.format or default for tensor in layer.inputs]
    work = work_of(layer) if layer.is_bound else ()
    if isinstance(work, Unpriced):
        return default
    if isinstance(work, Reason) or not work:
        return numerics.union(*arriving)
    result: NumericFormat | None = None
    for operator in work:
        result = _after(operator, result, default)
    return result or default


def _after(
    operator: Operator, before: NumericFormat | None, default: NumericFormat
) -> NumericFormat:
    """The exact result of one operator; an input without a format is the result before it."""
    inputs = [tensor.format or before or default for tensor in operator.inputs] or [default]
    parameters = [tensor.format or default for tensor in operator.parameters]
    rule = _RESULTS.get(type(operator))
    return rule(operator, inputs, parameters, default) if rule else default


_Formats: TypeAlias = Sequence[NumericFormat]


def _contraction(
    operator: Operator, inputs: _Formats, parameters: _Formats, default: NumericFormat
) -> NumericFormat:
    left, right, *bias = (*inputs, *parameters, default)
    terms = operator.reduction if isinstance(operator, Contraction) else 1
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
    Lookup: _lookup,
    Movement: _movement,
    Reduction: _reduction,
}
