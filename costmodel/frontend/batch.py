"""The batch axis, which a source has on its tensors and the layers of a network leave out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from attrs import evolve

from costmodel.tensor.shapes import Tensor
from costmodel.workload.affine import Affine
from costmodel.workload.assembly import renamed
from costmodel.workload.composite import Attention, Normalization, Softmax
from costmodel.workload.graph import Branch, Loop, Node, Step, View, Workload, stretches
from costmodel.workload.operators import (
    STANDARD,
    Operand,
    Operator,
    Unsupported,
)

_CHANGED: Final = (*STANDARD, Softmax, Normalization, Attention, Unsupported)
"""The operators whose operands can lose an axis."""


def has_batch_axis(shape: tuple[int | None, ...]) -> bool:
    """Whether the first axis of a tensor can be that of a batch of one."""
    return len(shape) > 0 and shape[0] == 1


def without_batch_axis(body: Workload) -> Workload:
    """The same work for one example, whose tensors have no axis of the batch.

    The first axis goes of what enters and leaves, and of what lies between, where it has one
    element there. A step that needs the axis reads a view that has it.
    """
    gone = _without(body)
    ends = [*body.inputs, *body.outputs]
    whole = {
        name: f"{name}.whole"
        for name in ends
        if has_batch_axis(body.tensors[name].shape) and name not in gone
    }
    tensors: dict[str, Tensor] = {}
    for name, tensor in body.tensors.items():
        if name in gone or name in whole:
            tensors[name] = _shorter(tensor)
        if name not in gone:
            tensors[whole.get(name, name)] = tensor
    steps = [_shown(step, gone) for step in body.steps]
    if whole:
        steps = [renamed(step, whole, step.name) for step in steps]
    before = [View(f"{name}.batch", name, whole[name]) for name in body.inputs if name in whole]
    after = [View(f"{name}.example", whole[name], name) for name in body.outputs if name in whole]
    return Workload(
        body.name, tensors, [*before, *steps, *after], body.inputs, body.outputs, body.weights
    )


def _shorter(tensor: Tensor) -> Tensor:
    return Tensor(tensor.shape[1:], tensor.format)


# ------------------------------------------------------------------ which tensors


def _without(body: Workload) -> set[str]:
    """The tensors that lose their first axis: the largest set on which all steps agree."""
    weights = set(body.weights)
    gone = {
        name
        for name, tensor in body.tensors.items()
        if name not in weights and has_batch_axis(tensor.shape)
    }
    while True:
        kept = {name for step in body.steps for name in _needing(step, gone, body)}
        if not kept & gone:
            return gone
        gone -= kept


def _needing(step: Step, gone: set[str], body: Workload) -> Iterator[str]:
    """The tensors of which a step needs the first axis."""
    match step:
        case Node():
            yield from _needing_node(step, gone)
        case View(source=source, target=target):
            if (step.kind in {"slice", "convert"} and (source in gone) != (target in gone)) or (
                step.kind == "slice" and step.starts[0]
            ):
                yield from (source, target)
            elif step.kind == "broadcast" and target in gone and source not in gone:
                if not stretches(body.tensors[source].shape, body.tensors[target].shape[1:]):
                    yield target
            elif step.kind == "broadcast" and source in gone and target not in gone:
                yield source
        case Loop() | Branch():
            yield from (*step.reads, *step.writes)


def _needing_node(node: Node, gone: set[str]) -> Iterator[str]:
    operator = node.operator
    for operand, name in zip(operator.operands, node.tensors, strict=True):
        if name not in gone:
            continue
        if type(operator) not in _CHANGED or not _is_removable(operand, operator):
            yield name


def _is_removable(operand: Operand, operator: Operator) -> bool:
    """Whether the index of the first axis is zero at every point."""
    first = operand.index[0] if operand.index else None
    if first is None:
        return isinstance(operator, Unsupported)
    return (
        isinstance(first, Affine)
        and first.offset == 0
        and all(operator.dims[name] == 1 for name, _ in first.terms)
    )


# ------------------------------------------------------------------ steps without the axis


def _shown(step: Step, gone: set[str]) -> Step:
    match step:
        case Node():
            return evolve(step, operator=_operator(step, gone))
        case View() if step.kind == "slice" and step.target in gone:
            return evolve(step, starts=step.starts[1:])
    return step


def _operator(node: Node, gone: set[str]) -> Operator:
    operator = node.operator
    if gone.isdisjoint(node.tensors):
        return operator
    operands = [
        evolve(operand, tensor=_shorter(operand.tensor), index=operand.index[1:])
        if name in gone
        else operand
        for operand, name in zip(operator.operands, node.tensors, strict=True)
    ]
    had, used = _dims(operator.operands), _dims(operands)
    over = getattr(operator, "over", ())
    dims = {
        name: size
        for name, size in operator.dims.items()
        if size != 1 or name in used or name in over or name not in had
    }
    return evolve(operator, dims=dims, operands=operands)


def _dims(operands: Iterable[Operand]) -> set[str]:
    """The dimensions that the indices of operands read."""
    indices = [index for operand in operands for index in operand.index if index is not None]
    return {name for index in indices for name in index.dims}
