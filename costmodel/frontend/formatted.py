"""The workload of a layer in other numeric formats than its source has."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from costmodel.formats import NumericFormat
from costmodel.tensor.shapes import Tensor
from costmodel.workload.graph import Branch, Loop, Node, Step, View, Workload

Formats = Mapping[str, NumericFormat]


def with_formats(body: Workload, formats: Formats) -> Workload:
    """The same work on tensors in these formats, by name, and on what is seen of them.

    What a loop carries or stacks, and what a branch gives, keeps its format.
    """
    wanted = {
        name: number
        for name, number in _with_views(body, formats).items()
        if body.tensors[name].format != number
    }
    if not wanted:
        return body
    tensors = {
        name: Tensor(tensor.shape, wanted.get(name, tensor.format))
        for name, tensor in body.tensors.items()
    }
    steps = [_formatted(step, wanted, tensors) for step in body.steps]
    return Workload(body.name, tensors, steps, body.inputs, body.outputs, body.weights)


def _with_views(body: Workload, formats: Formats) -> dict[str, NumericFormat]:
    """The formats of tensors, of views of them, and of what they are views of."""
    found = dict(formats)
    fixed = {
        name
        for step in body.steps
        if isinstance(step, Loop)
        for name in (*step.writes, *[one for one, _ in (*step.varying, *step.carried)])
    } | {name for step in body.steps if isinstance(step, Branch) for name in step.writes}
    pairs = [
        (step.source, step.target)
        for step in body.steps
        if isinstance(step, View) and step.kind != "convert"
    ]
    for source, target in (*pairs, *reversed(pairs)):
        for one, other in ((source, target), (target, source)):
            if one in found:
                found.setdefault(other, found[one])
    bound = {name for pair in pairs if fixed & {*pair} for name in pair} | fixed
    return {name: number for name, number in found.items() if name not in bound}


def _formatted(step: Step, wanted: Formats, tensors: Mapping[str, Tensor]) -> Step:
    if isinstance(step, Node) and not wanted.keys().isdisjoint(step.tensors):
        operands = [
            evolve(operand, tensor=tensors[name])
            for operand, name in zip(step.operator.operands, step.tensors, strict=True)
        ]
        return evolve(step, operator=evolve(step.operator, operands=operands))
    if isinstance(step, Loop):
        inner = {inside: wanted[outside] for outside, inside in step.fixed if outside in wanted}
        return evolve(step, body=with_formats(step.body, inner)) if inner else step
    if isinstance(step, Branch):
        alternatives = [
            with_formats(one, {name: wanted[name] for name in one.sources if name in wanted})
            for one in step.alternatives
        ]
        return evolve(step, alternatives=alternatives)
    return step
