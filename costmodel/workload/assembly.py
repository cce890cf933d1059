"""Assembling a workload step by step: each step names what it reads, and gets names to be read."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from attrs import evolve

from costmodel.errors import NetworkError, nearest
from costmodel.formats import NumericFormat
from costmodel.tensor.shapes import Tensor
from costmodel.workload.builders.shapes import own_axis
from costmodel.workload.format_inference import inferred, with_declared
from costmodel.workload.graph import (
    Branch,
    Loop,
    Node,
    Step,
    View,
    Workload,
    elements,
    stretches,
)
from costmodel.workload.operators import Operator, as_tensor


class Assembly:
    """A workload in the making.

    Names of tensors and steps that are taken get a number. A tensor that is read in another
    shape or format than it has gets a `View`, so that every operand finds what it states.
    """

    def __init__(self, name: str) -> None:
        """Begin with nothing."""
        self._name = name
        self._tensors: dict[str, Tensor] = {}
        self._steps: dict[str, Step] = {}
        self._inputs: list[str] = []
        self._weights: list[str] = []
        self._tensor_numbers: dict[str, int] = {}
        self._step_numbers: dict[str, int] = {}

    def tensor(self, name: str) -> Tensor:
        """The tensor of a name.

        Raises:
            NetworkError: there is none.

        """
        if name not in self._tensors:
            near = nearest(name, self._tensors)
            hint = f"; nearest: {near!r}" if near else ""
            message = f"workload {self._name!r} has no tensor {name!r:.80} so far{hint}"
            raise NetworkError(message)
        return self._tensors[name]

    def input(self, name: str, tensor: Any) -> str:
        """A tensor that arrives with every inference; returns its name."""
        self._inputs.append(self._made(name, as_tensor(tensor)))
        return self._inputs[-1]

    def weight(self, name: str, tensor: Any) -> str:
        """A tensor that stays on the device; returns its name."""
        self._weights.append(self._made(name, as_tensor(tensor)))
        return self._weights[-1]

    def add(self, operator: Operator, *reads: str, name: str = "", layer: str = "") -> str:
        """Add an operator that reads these tensors, in the order of its operands.

        Returns the name of its result, or of the first of several.

        Raises:
            NetworkError: there is not one tensor for each operand that is read.

        """
        return next(iter(self.node(operator, *reads, name=name, layer=layer).writes), "")

    def node(self, operator: Operator, *reads: str, name: str = "", layer: str = "") -> Node:
        """Add an operator, as `add` does; returns the node, which names all that it writes."""
        kind = getattr(operator, "function", "") or type(operator).__name__.lower()
        step = _free(name or kind, self._steps, self._step_numbers)
        arriving = iter(reads)
        operands, tensors = [], []
        for operand in operator.operands:
            if operand.role == "output":
                made = self._made(f"{step}.out", operand.tensor)
            else:
                source = next(arriving, None)
                if source is None:
                    message = f"{operator} reads more than the {len(reads)} tensors that are given"
                    raise NetworkError(message)
                made = self.seen_as(source, operand.tensor)
            tensors.append(made)
            held = self._tensors[made]
            operands.append(operand if held is operand.tensor else evolve(operand, tensor=held))
        if next(arriving, None) is not None:
            message = f"{operator} reads fewer than the {len(reads)} tensors that are given"
            raise NetworkError(message)
        same = all(one is other for one, other in zip(operands, operator.operands, strict=True))
        held_operator = operator if same else evolve(operator, operands=operands)
        node = self._steps[step] = Node(step, held_operator, tensors, layer)
        return node

    def seen_as(self, name: str, wanted: Tensor, layer: str = "") -> str:
        """A name for a tensor in the shape and format in which something reads it."""
        held = self.tensor(name)
        if held is wanted:
            return name
        if held.shape != wanted.shape:
            kind = "reshape" if elements(held.shape) == elements(wanted.shape) else "other"
            if kind == "other" and stretches(held.shape, wanted.shape):
                kind = "broadcast"
            name = self.view(name, Tensor(wanted.shape, held.format), kind, layer=layer)
        if wanted.format is not None and held.format != wanted.format:
            name = self.view(name, wanted, "convert", layer=layer)
        return name

    def view(
        self, source: str, tensor: Any, kind: str = "reshape", *, starts: Sequence[int] = (),
        name: str = "", layer: str = "",
    ) -> str:  # fmt: skip
        """The name of a tensor seen in another shape, format or place."""
        step = _free(name or f"{source}.{kind}", self._steps, self._step_numbers)
        target = self._made(step, as_tensor(tensor))
        self._steps[step] = View(step, source, target, kind, starts, layer)
        return target

    def part(self, source: str, axis: int, start: int, length: int) -> str:
        """The name of the elements from `start` on along an axis of a tensor.

        Raises:
            ShapeError: there is no such axis.

        """
        held = self.tensor(source)
        axis = own_axis(axis, len(held.shape))
        shape = (*held.shape[:axis], length, *held.shape[axis + 1 :])
        starts = [start if each == axis else 0 for each in range(len(shape))]
        return self.view(source, Tensor(shape, held.format), "slice", starts=starts)

    def loop(self, loop: Loop, written: Mapping[str, Tensor]) -> dict[str, str]:
        """Add a loop; `written` are the tensors that it writes, by the names that it gives them.

        Returns the names that they got.
        """
        step = _free(loop.name, self._steps, self._step_numbers)
        names = {name: self._made(name, tensor) for name, tensor in written.items()}
        self._steps[step] = renamed(evolve(loop, name=step), names)
        return names

    def recurrent(  # noqa: PLR0913  # what a loop may have
        self, body: Workload, sequence: str, *, weights: Mapping[str, str] | None = None,
        fixed: Mapping[str, str] | None = None, starts: Sequence[str] = (),
        collects: bool = False, backwards: bool = False, fused: bool = False,
    ) -> tuple[str, ...]:  # fmt: skip
        """Add a loop over the first axis of a sequence, one step after the other.

        Args:
            body: one step: it reads a slice, then states; it gives an output, then new states.
            sequence: the tensor that is sliced.
            weights: the tensors of weights of the body; others are added as they are.
            fixed: the tensors of inputs of the body that are the same at every step.
            starts: the tensors of the first states; unless there is one for each, zeros.
            collects: whether the outputs of all steps are stacked; otherwise the last is given.
            backwards: whether it begins with the last slice.
            fused: whether libraries have one operator for all steps.

        Returns:
            The name of the output, then those of the last states.

        """
        held, same = weights or {}, fixed or {}
        taken, *rest = body.inputs
        states = [name for name in rest if name not in same]
        output, *after = body.outputs
        steps = self.tensor(sequence).shape[0] or 1
        carried = []
        if len(starts) == len(states):
            pairs = zip(starts, states, strict=True)
            carried = [(self.seen_as(start, body.tensors[name]), name) for start, name in pairs]
        last = dict(zip(after, numbered("state", len(after)), strict=True))
        written = {name: body.tensors[source] for source, name in last.items()}
        one = body.tensors[output]
        if collects:
            written["output"] = Tensor((steps, *one.shape), one.format)
        else:
            written["output"], last[output] = one, "output"
        loop = Loop(
            name="loop", body=body, steps=steps, axis=0, backwards=backwards, fused=fused,
            varying=[(sequence, taken)],
            fixed=[
                *[(outside, name) for name, outside in same.items()],
                *[
                    (held.get(name) or self.weight(name, body.tensors[name]), name)
                    for name in body.weights
                ],
            ],
            carried=carried, zeros=() if carried else states,
            carries=list(zip(after, states, strict=False)),
            collected=[(output, "output")] if collects else [],
            last=list(last.items()),
        )  # fmt: skip
        names = self.loop(loop, written)
        return names["output"], *[names[last[source]] for source in after]

    @property
    def newest_node(self) -> str | None:
        """The name of the node that was added last."""
        newest = (step.name for step in reversed(self._steps.values()) if isinstance(step, Node))
        return next(newest, None)

    def inline(
        self,
        body: Workload,
        given: Mapping[str, str],
        prefix: str = "",
        layer: str | None = None,
        folds_into: str | None = None,
    ) -> tuple[str, ...]:
        """Add the steps of a workload, which reads `given` as its inputs and weights.

        Names within get the prefix, and all steps the layer; its nodes fold into the node
        `folds_into`, if there is one. Weights that are not given are added as they are. Returns
        the names of its outputs.

        Raises:
            NetworkError: an input of the body is not given.

        """
        names: dict[str, str] = {}
        tensors = body.tensors
        for source in body.sources:
            if source in given:
                names[source] = self.seen_as(given[source], tensors[source], layer or "")
            elif source in body.inputs:
                message = f"workload {body.name!r} is given no {source!r}"
                raise NetworkError(message)
            else:
                names[source] = self.weight(prefix + source, tensors[source])
        for step in body.steps:
            for name in step.writes:
                names[name] = self._made(prefix + name, tensors[name])
            own = _free(prefix + step.name, self._steps, self._step_numbers)
            self._steps[own] = renamed(step, names, own, layer, folds_into)
        return tuple([names[name] for name in body.outputs])

    def workload(
        self,
        outputs: Mapping[str, str] | Iterable[str],
        default: NumericFormat | None = None,
        *,
        as_declared: bool = False,
    ) -> Workload:
        """The workload; `outputs` are the names of what it gives, or their names by new ones.

        With a `default`, formats that are not declared are inferred; `as_declared`, operands get
        those that are.
        """
        pairs = dict(outputs) if isinstance(outputs, Mapping) else {one: one for one in outputs}
        names: dict[str, str] = {}
        given: list[str] = []
        fixed = {*self._inputs, *self._weights}
        for wanted, name in pairs.items():
            if wanted != name and (name in names or name in fixed):
                name = self.view(name, self._tensors[name])  # noqa: PLW2901  # what is given
            called = wanted
            if wanted != name:
                called = names[name] = _free(wanted, dict.fromkeys(fixed), {})
            given.append(called)
        for name in [one for one in given if one in self._tensors and one not in names]:
            if names and name not in pairs.values():  # another tensor within has the name
                names[name] = _free(name, {**self._tensors, **dict.fromkeys(given)}, {})
        tensors, steps = dict(self._tensors), list(self._steps.values())
        if names:
            tensors = {names.get(name, name): tensor for name, tensor in tensors.items()}
            steps = [renamed(step, names) for step in steps]
        if default is not None:
            tensors, steps = inferred(tensors, steps, self._inputs, self._weights, default)
        elif as_declared:
            tensors, steps = with_declared(tensors, steps)
        return Workload(
            self._name,
            tensors,
            steps,
            self._inputs,
            given,
            self._weights,
        )

    def _made(self, name: str, tensor: Tensor) -> str:
        own = _free(name, self._tensors, self._tensor_numbers)
        self._tensors[own] = tensor
        return own


def _free(name: str, taken: Mapping[str, Any], tried: dict[str, int]) -> str:
    """The name, or with the next number that is free; `tried` are the last numbers by name."""
    if name not in taken:
        return name
    number = tried.get(name, 2)
    while f"{name}.{number}" in taken:
        number += 1
    tried[name] = number
    return f"{name}.{number}"


def renamed(
    step: Step,
    names: Mapping[str, str],
    own: str = "",
    layer: str | None = None,
    folds_into: str | None = None,
) -> Step:
    """The same step on tensors of other names outside, under its `own` name, of another layer."""
    if not names and not own:
        return step

    def other(name: str) -> str:
        return names.get(name, name)

    called = own or step.name
    part_of = step.layer if layer is None else layer
    match step:
        case Node():
            return step.renamed(called, names, part_of, folds_into or step.folds_into)
        case View():
            source, target = other(step.source), other(step.target)
            return View(called, source, target, step.kind, step.starts, part_of)
        case Loop():
            return evolve(
                step,
                name=called,
                layer=part_of,
                fixed=[(other(outside), inside) for outside, inside in step.fixed],
                varying=[(other(outside), inside) for outside, inside in step.varying],
                carried=[(other(outside), inside) for outside, inside in step.carried],
                collected=[(inside, other(outside)) for inside, outside in step.collected],
                last=[(inside, other(outside)) for inside, outside in step.last],
            )
        case Branch():
            renamed = [_with_names(one, names) for one in step.alternatives]
            return evolve(step, name=called, layer=part_of, alternatives=renamed)


def _with_names(body: Workload, names: Mapping[str, str]) -> Workload:
    """A workload whose own inputs, weights and outputs have other names."""

    def other(name: str) -> str:
        return names.get(name, name)

    return Workload(
        body.name,
        {other(name): tensor for name, tensor in body.tensors.items()},
        [renamed(step, names) for step in body.steps],
        map(other, body.inputs),
        map(other, body.outputs),
        map(other, body.weights),
    )


# ------------------------------------------------------------------ operators in a row


def chained(
    name: str,
    operators: Iterable[Operator],
    inputs: Sequence[Tensor],
    weights: Mapping[str, Tensor],
    outputs: Sequence[Tensor],
) -> Workload:
    """Operators one after the other, each of which reads what those before it wrote.

    An operand is the newest tensor of its shape that nobody has read yet, inputs in their order;
    weights are taken in their order, by their shapes. What has no such tensor is a constant that
    stays on the device. Where tensors fork and meet otherwise, assemble the workload by hand.

    Inputs are called `input`, `input:1` and so on, outputs `output`, `output:1`, weights by their
    names.
    """
    made = Assembly(name)
    row = _Row(made, inputs, weights)
    for operator in operators:
        row.add(operator)
    return made.workload(row.given(outputs))


def numbered(name: str, count: int) -> list[str]:
    """Names of several tensors of one role: `input`, `input:1` and so on."""
    return [name, *[f"{name}:{place}" for place in range(1, count)]][:count]


class _Names:
    """Names of tensors in the order in which they came, to be found by shape or by size.

    Finding one costs the same however many there are.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._all: dict[Any, list[str]] = {}
        self._unread: dict[Any, deque[str]] = {}

    def add(self, name: str, tensor: Tensor) -> None:
        """Add a name at the end."""
        for key in (_ANY, *_shape_and_size(tensor)):
            self._all.setdefault(key, []).append(name)
            self._unread.setdefault(key, deque()).append(name)

    def like(self, key: Any) -> Sequence[str]:
        """All of a shape or size."""
        return self._all.get(key, ())

    def unread(self, key: Any, read: Container[str], *, newest: bool = False) -> str:
        """The first, or newest, of a shape or size that is not read; once read, always read."""
        names = self._unread.get(key)
        while names:
            name = names[-1 if newest else 0]
            if name not in read:
                return name
            names.pop() if newest else names.popleft()
        return ""


_ANY: Final = "any"


def _shape_and_size(tensor: Tensor) -> tuple[Any, Any]:
    """What a tensor is found by: its shape, or else how many elements it has."""
    return tensor.shape, elements(tensor.shape)


class _Row:
    """What operators in a row have written and read so far."""

    def __init__(
        self, made: Assembly, inputs: Sequence[Tensor], weights: Mapping[str, Tensor]
    ) -> None:
        self._made = made
        self._arrived, self._held, self._results = _Names(), _Names(), _Names()
        for name, tensor in zip(numbered("input", len(inputs)), inputs, strict=True):
            self._arrived.add(made.input(name, tensor), tensor)
        for name, tensor in weights.items():
            self._held.add(made.weight(name, tensor), tensor)
        self._read: set[str] = set()

    def add(self, operator: Operator) -> None:
        """Add an operator that reads what fits."""
        reads: list[str] = []
        alone = len(operator.inputs) == 1
        again = _Again(self._results, self._arrived, self._held)
        for operand in operator.operands:
            if operand.role == "output":
                continue
            if operand.role == "weight":
                name = self._weight(operand.tensor, again)
            else:
                name = self._input(operand.tensor, again, alone=alone)
            again.taken.add(name)
            self._read.add(name)
            reads.append(name)
        for name in self._made.node(operator, *reads).writes:
            self._results.add(name, self._made.tensor(name))

    def _weight(self, wanted: Tensor, again: _Again) -> str:
        shape, size = _shape_and_size(wanted)
        return (
            self._held.unread(shape, self._read)
            or again.weight(shape)
            or self._held.unread(size, self._read)
            or self._made.weight("constant", wanted)
        )

    def _input(self, wanted: Tensor, again: _Again, *, alone: bool) -> str:
        for key in _shape_and_size(wanted):
            fresh = self._results.unread(key, self._read, newest=alone)
            if found := fresh or self._arrived.unread(key, self._read):
                return found
        for key in _shape_and_size(wanted):
            if found := again.input(key):
                return found
        return (
            self._last(wanted)
            or self._results.unread(_ANY, self._read, newest=alone)
            or self._newest(_ANY)
            or self._made.weight("constant", wanted)
        )

    def _last(self, wanted: Tensor) -> str:
        """The newest tensor of the wanted shape, or else of as many elements."""
        return next(filter(None, map(self._newest, _shape_and_size(wanted))), "")

    def _newest(self, key: Any) -> str:
        return next(iter([*self._results.like(key)[-1:], *self._arrived.like(key)[:1]]), "")

    def given(self, outputs: Sequence[Tensor]) -> Mapping[str, str]:
        """Which tensors the outputs are."""
        found: dict[str, str] = {}
        newest = len(outputs) == 1
        for name, wanted in zip(numbered("output", len(outputs)), outputs, strict=True):
            shape, size = _shape_and_size(wanted)
            source = (
                self._results.unread(shape, self._read, newest=newest)
                or self._results.unread(size, self._read, newest=newest)
                or self._last(wanted)
                or self._newest(_ANY)
                or next(iter(self._held.like(_ANY)), "")
                or self._made.weight("constant", wanted)
            )
            self._read.add(source)
            found[name] = self._made.seen_as(source, wanted)
        return found


class _Again:
    """What one operator can read that others have read, newest results first.

    One operator takes no name twice, so that a name that it passed is never looked at again.
    """

    def __init__(self, results: _Names, arrived: _Names, held: _Names) -> None:
        self._results, self._arrived, self._held = results, arrived, held
        self._rows: dict[Any, Iterator[str]] = {}
        self.taken: set[str] = set()

    def input(self, key: Any) -> str:
        """The next input of a shape or size."""
        if key not in self._rows:
            self._rows[key] = chain(reversed(self._results.like(key)), self._arrived.like(key))
        return self._next(key)

    def weight(self, shape: Any) -> str:
        """The next weight of a shape."""
        key = "weight", shape
        if key not in self._rows:
            self._rows[key] = iter(self._held.like(shape))
        return self._next(key)

    def _next(self, key: Any) -> str:
        return next((name for name in self._rows[key] if name not in self.taken), "")
