"""Inference of the numeric formats of operators that declare none, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from attrs import evolve

from costmodel import formats as arithmetic
from costmodel.formats import FLOAT32, NumericFormat
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import Symbol
from costmodel.workload.composite import Softmax
from costmodel.workload.graph import Branch, Loop, Node, Step, View, Workload
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


def infer(workload: Workload, default: NumericFormat) -> Workload:
    """The same workload with the format of every tensor that follows from what is declared.

    A result that declares none is exact, as its operator makes it, if a weight of the operator
    declares a format, or if it has no weights and reads what follows from a declaration. All else
    that arrives or is computed is in the default format. A workload without any declaration stays
    as it is. What a loop carries from step to step keeps one format: the declared one, or the
    default. So does a result of a branch whose alternatives differ in it.
    """
    given = workload.inputs, workload.weights
    tensors, steps = inferred(workload.tensors, workload.steps, *given, default)
    return evolve(workload, tensors=tensors, steps=steps)


def inferred(
    tensors: Mapping[str, Tensor],
    steps: Sequence[Step],
    inputs: Iterable[str],
    weights: Iterable[str],
    default: NumericFormat,
) -> tuple[dict[str, Tensor], list[Step]]:
    """The tensors and steps of a workload, with formats as `infer` finds them.

    Operators may still state their operands without a format.
    """
    if not _declares(tensors, steps):
        return dict(tensors), list(steps)
    inference = _Inference(tensors, (*inputs, *weights), default)
    inference.arrive(inputs)
    done = [inference.step(step) for step in steps]
    return inference.tensors, done


def with_declared(
    tensors: Mapping[str, Tensor], steps: Iterable[Step]
) -> tuple[dict[str, Tensor], list[Step]]:
    """The tensors and steps of a workload without loops, in the formats that tensors declare.

    Operands have those of their tensors, and views those of what they see.
    """
    inference = _Inference(tensors, (), FLOAT32)
    done = []
    for step in steps:
        if isinstance(step, View):
            inference.step(step)
        done.append(inference.formatted(step) if isinstance(step, Node) else step)
    return inference.tensors, done


def followed(workload: Workload, default: NumericFormat) -> frozenset[str]:
    """The tensors whose format is declared, or follows from a declaration, by `infer`."""
    tensors = workload.tensors
    if not _declares(tensors, workload.steps):
        return frozenset()
    inference = _Inference(tensors, workload.sources, default)
    inference.arrive(workload.inputs)
    for step in workload.steps:
        inference.step(step)
    return frozenset(inference.known)


def _declares(tensors: Mapping[str, Tensor], steps: Iterable[Step]) -> bool:
    """Whether a tensor declares a format, those of loops and branches included."""
    if any(tensor.format is not None for tensor in tensors.values()):
        return True
    bodies: list[Workload] = []
    for step in steps:
        if isinstance(step, Loop):
            bodies.append(step.body)
        elif isinstance(step, Branch):
            bodies += step.alternatives
    return any(_declares(body.tensors, body.steps) for body in bodies)


class _Inference:
    """Formats of the tensors of one workload, found step by step."""

    def __init__(
        self, tensors: Mapping[str, Tensor], sources: Iterable[str], default: NumericFormat
    ) -> None:
        self.tensors = dict(tensors)
        self._default = default
        self.known = {name for name in sources if tensors[name].format is not None}
        """What is declared, or follows from it."""

    def arrive(self, inputs: Iterable[str]) -> None:
        """Set the inputs that declare no format to the default."""
        for name in inputs:
            self._set(name, self.tensors[name].format or self._default)

    def step(self, step: Step) -> Step:
        """The step with the formats of what it reads, and those that follow of what it writes."""
        match step:
            case Node():
                return self._node(step)
            case View():
                if step.kind != "convert":
                    self._set(step.target, self.tensors[step.source].format)
                if step.source in self.known or step.kind == "convert":
                    self.known.add(step.target)
                return step
            case Loop():
                return self._loop(step)
            case Branch():
                return self._branch(step)

    def _set(self, name: str, found: NumericFormat | None) -> None:
        held = self.tensors[name]
        if held.format != found:
            self.tensors[name] = Tensor(held.shape, found)

    def _node(self, node: Node) -> Node:
        operator = self.formatted(node).operator
        pairs = list(zip(operator.operands, node.tensors, strict=True))
        weights = [operand for operand, _ in pairs if operand.role == "weight"]
        reads_known = any(name in self.known for one, name in pairs if one.role == "input")
        follows = any(one.format for one in weights) if weights else reads_known
        for operand, name in pairs:
            if operand.role != "output":
                continue
            if self.tensors[name].format is None:
                found = self._default
                if follows:
                    found = result_of(operator.bound(_at_one), None, self._default)
                self._set(name, found)
            else:
                follows = True
        if follows:
            self.known.update(node.writes)
        return self.formatted(node)

    def formatted(self, node: Node) -> Node:
        """The node with its operands in the formats that are known of its tensors so far."""
        held = [self.tensors[name] for name in node.tensors]
        pairs = zip(node.operator.operands, held, strict=True)
        if all(operand.tensor == tensor for operand, tensor in pairs):
            return node
        return evolve(node, operator=node.operator.with_tensors(held))

    def _loop(self, loop: Loop) -> Loop:
        body = dict(loop.body.tensors)
        starts = {inside: outside for outside, inside in loop.carried}
        for outside, inside in (*loop.fixed, *loop.varying):
            declared = body[inside].format or self.tensors[outside].format
            body[inside] = Tensor(body[inside].shape, declared)
        for source, inside in loop.carries:
            start = self.tensors[starts[inside]].format if inside in starts else None
            made = [name for name in _seen(loop.body, source) if name not in loop.body.sources]
            declared_within = [body[name].format for name in made]
            found = next((one for one in declared_within if one is not None), None)
            kept = body[inside].format or start or found or self._default
            for name in (inside, *made):
                body[name] = Tensor(body[name].shape, kept)
        within = self._body(loop.body, body)
        for inside, outside in (*loop.collected, *loop.last):
            self._set(outside, within.tensors[inside].format)
        self.known.update(loop.writes)
        return evolve(loop, body=within)

    def _branch(self, branch: Branch) -> Branch:
        alternatives = [self._alternative(one, {}) for one in branch.alternatives]
        found = {name: {one.tensors[name].format for one in alternatives} for name in branch.writes}
        if any(len(formats) > 1 for formats in found.values()):
            kept = {
                name: self.tensors[name].format or self._default
                for name, formats in found.items()
                if len(formats) > 1
            }
            alternatives = [self._alternative(one, kept) for one in branch.alternatives]
        for name in branch.writes:
            self._set(name, alternatives[0].tensors[name].format)
        self.known.update(branch.writes)
        return evolve(branch, alternatives=alternatives)

    def _alternative(self, body: Workload, kept: Mapping[str, NumericFormat]) -> Workload:
        """One of the workloads of a branch, with what arrives, and results in these formats."""
        tensors = dict(body.tensors)
        tensors |= {name: self.tensors[name] for name in body.sources}
        tensors |= {name: Tensor(tensors[name].shape, found) for name, found in kept.items()}
        return self._body(body, tensors)

    def _body(self, body: Workload, tensors: Mapping[str, Tensor]) -> Workload:
        inference = _Inference(tensors, body.sources, self._default)
        steps = [inference.step(step) for step in body.steps]
        return evolve(body, tensors=inference.tensors, steps=steps)


def _seen(workload: Workload, name: str) -> list[str]:
    """A tensor, and what it is a view of in the same format, one after the other."""
    sources = {
        step.target: step.source
        for step in workload
        if isinstance(step, View) and step.kind != "convert"
    }
    found = [name]
    while found[-1] in sources:
        found.append(sources[found[-1]])
    return found


def _at_one(size: Any) -> int:
    """A size where every symbol is 1: no format depends on the batch."""
    return size.factor if isinstance(size, Symbol) else size


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
    if isinstance(operator, Contraction) and operator.accumulator is not None:
        return operator.accumulator
    left, right, *bias = (*inputs, *parameters, default)
    terms = operator.reduction_size if isinstance(operator, Contraction) else 1
    has_bias = len(inputs) + len(parameters) > 2  # noqa: PLR2004  # two factors and the bias
    _, total = arithmetic.multiply_accumulate(right, left, terms, bias[0] if has_bias else None)
    return total.result


def _elementwise(
    operator: Operator, inputs: _Formats, parameters: _Formats, default: NumericFormat
) -> NumericFormat:
    function = operator.function if isinstance(operator, Elementwise) else ""
    if function in arithmetic.MERGES:
        return arithmetic.merge(function, *inputs, *parameters).result
    if function != "affine":
        return default
    scale, offset = (*parameters, default, default)[:2]
    return arithmetic.addition(arithmetic.product(scale, inputs[0]).result, offset).result


def _reduction(
    operator: Operator, inputs: _Formats, parameters: _Formats, default: NumericFormat
) -> NumericFormat:
    function = operator.function if isinstance(operator, Reduction) else ""
    if function == "product":
        return default
    if function != "sum":
        return inputs[0]
    return arithmetic.accumulation(inputs[0], operator.window).result  # type: ignore[attr-defined]  # a sum is a reduction


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
    return arithmetic.union(*inputs)


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
