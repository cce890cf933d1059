"""Workloads in which operators stand in parts, with the tensors between these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import define, evolve, field

from costmodel.tensor.shapes import Tensor
from costmodel.workload.assembly import chained, numbered, renamed
from costmodel.workload.graph import Branch, Loop, Node, Step, View, Workload
from costmodel.workload.operators import Operator

PartsOf: TypeAlias = Callable[[Operator], Sequence[Operator]]
"""What takes the place of an operator: itself, or operators in a row."""


def in_parts(workload: Workload, parts_of: PartsOf) -> Workload:
    """The same workload with operators in parts, also within loops and branches.

    The parts of a node are called as it is, a slash, and their own name; so are the tensors
    between them. A node that folds into another stays whole.
    """
    return _Decomposition(parts_of).of(workload)


@define
class _Decomposition:
    parts_of: PartsOf
    bodies: dict[int, Workload | None] = field(factory=dict)
    """The parts by the identity of an operator; None where it stays whole."""

    def of(self, workload: Workload) -> Workload:
        tensors, weights = dict(workload.tensors), list(workload.weights)
        steps: list[Step] = []
        for step in workload.steps:
            match step:
                case Loop():
                    steps.append(evolve(step, body=self.of(step.body)))
                case Branch():
                    alternatives = [self.of(one) for one in step.alternatives]
                    steps.append(evolve(step, alternatives=alternatives))
                case Node(folds_into=None) if (body := self._body(step.operator)) is not None:
                    steps += _inlined(step, body, tensors, weights)
                case _:
                    steps.append(step)
        if steps == list(workload.steps):
            return workload
        return evolve(workload, tensors=tensors, steps=steps, weights=weights)

    def _body(self, operator: Operator) -> Workload | None:
        key = id(operator)
        if key not in self.bodies:
            parts = self.parts_of(operator)
            is_whole = len(parts) == 1 and parts[0] is operator
            self.bodies[key] = None if is_whole else _joined(operator, parts)
        return self.bodies[key]


def _joined(operator: Operator, parts: Sequence[Operator]) -> Workload:
    """The parts of an operator, joined by the tensors between them."""
    weights = zip(numbered("weight", len(operator.weights)), operator.weights, strict=True)
    return chained(
        type(operator).__name__.lower(),
        parts,
        [operand.tensor for operand in operator.inputs],
        {name: operand.tensor for name, operand in weights},
        [operand.tensor for operand in operator.outputs],
    )


def _inlined(
    node: Node, body: Workload, tensors: dict[str, Tensor], weights: list[str]
) -> list[Step]:
    """The steps of the body on the tensors of the node; adds what they have between them.

    Where a part declares a format and the result of the node none, that is a view of it.
    """
    names = {name: f"{node.name}/{name}" for name in body.tensors}
    pairs = list(zip(node.operator.operands, node.tensors, strict=True))
    views = []
    for role, inside in (
        ("input", body.inputs), ("weight", body.weights), ("output", body.outputs),
    ):  # fmt: skip
        outside = [name for operand, name in pairs if operand.role == role]
        for one, other in zip(inside, outside, strict=False):  # constants of the parts come last
            if body.tensors[one] == tensors[other]:
                names[one] = other
            else:
                name = f"{node.name}/{one}"
                views.append(View(name, names[one], other, "convert", layer=node.layer))
    weights += [names[name] for name in body.weights[len(node.operator.weights) :]]
    for name, tensor in body.tensors.items():
        tensors.setdefault(names[name], tensor)
    steps = [renamed(step, names, f"{node.name}/{step.name}", node.layer) for step in body.steps]
    return [*steps, *views]
