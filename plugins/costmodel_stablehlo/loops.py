"""Loops of a known number of steps: a counter that begins, steps and ends at constants.

What a step reads of a tensor at the place of the counter is a slice that differs from step to
step; what it writes there is collected. Of `while` in StableHLO, JAX makes all its loops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from attrs import define, field

from costmodel.frontend.control import loop as add_loop
from costmodel.frontend.normalize.rewriting import exchange, remove_unused, twin
from costmodel.frontend.operations.work import Value
from costmodel.frontend.translation import DataDependentError

if TYPE_CHECKING:
    from costmodel.frontend.graph import GraphNode
    from costmodel_stablehlo.nodes import ModuleGraph, ModuleNode

MOST_STEPS: Final = 2**40
MOST_UNROLLED: Final = 256
"""Steps of a loop over the weights of layers, which are layers of the network."""
_DEEPEST: Final = 60
"""Operations between a counter and an index."""


class Line(NamedTuple):
    """A whole number that grows by `step` with a count, from `start` on."""

    step: int
    start: int

    def at(self, count: int) -> int:
        """The number at a count."""
        return self.step * count + self.start


@define(eq=False)
class _Reading:
    """What numbers are as functions of one: a counter, or how many steps are done."""

    graph: ModuleGraph
    symbol: Value
    line: Line = Line(1, 0)
    """What the symbol is."""
    steps: int | None = None
    """How many there are, where that is known."""

    def line_of(self, value: Value, depth: int = 0) -> Line | None:
        """A number as a function of the symbol; None where it is another one."""
        if value is self.symbol:
            return self.line
        value = self.graph.unstretched(value)
        number = value.scalar
        if number is not None:
            return Line(0, int(number)) if number == int(number) else None
        node = self.graph.origins.get(id(value))
        if node is None or depth > _DEEPEST:
            return None
        return self._combined(node, depth + 1)

    def _combined(self, node: ModuleNode, depth: int) -> Line | None:
        """What an operation makes of lines."""
        if node.operator == "select":
            return self._selected(node, depth)
        lines = []
        for value in node.present:
            line = self.line_of(value, depth)
            if line is None:
                return None
            lines.append(line)
        if node.operator in _PLACES:
            return self._bounded(node.operator, lines)
        made = _ARITHMETIC.get(node.operator)
        return None if made is None else made(*lines)

    def _selected(self, node: ModuleNode, depth: int) -> Line | None:
        """One of two numbers, where a comparison chooses the same at every step."""
        chosen, one, other = node.present
        origin = self.graph.origins.get(id(self.graph.unstretched(chosen)))
        if origin is None or origin.operator != "compare":
            return None
        left, right = [self.line_of(value, depth) for value in origin.present]
        if left is None or right is None or self.steps is None:
            return None
        compare = _COMPARED.get(str(origin.attribute("comparison_direction")))
        if compare is None:
            return None
        ends = {compare(left.at(at) - right.at(at)) for at in (0, self.steps - 1)}
        if len(ends) > 1:
            return None
        return self.line_of(one if ends.pop() else other, depth)

    def _bounded(self, operator: str, lines: Sequence[Line]) -> Line | None:
        """The line that is the greatest, the least or between others at every step."""
        if self.steps is None:
            return None
        ends = (0, self.steps - 1)
        for line in lines:
            values = [
                sorted(one.at(at) for one in lines)[_PLACES[operator]] for at in ends
            ]  # fmt: skip
            if values == [line.at(at) for at in ends] and (line.step or len(set(values)) == 1):
                return line
        return None


def _product(one: Line, other: Line) -> Line | None:
    """The product of a line and a constant."""
    if one.step and other.step:
        return None
    line, factor = (one, other.start) if one.step else (other, one.start)
    return Line(line.step * factor, line.start * factor)


_ARITHMETIC: Final[Mapping[str, Callable[..., Line | None]]] = {
    "add": lambda one, other: Line(one.step + other.step, one.start + other.start),
    "subtract": lambda one, other: Line(one.step - other.step, one.start - other.start),
    "negate": lambda one: Line(-one.step, -one.start),
    "multiply": _product,
    **dict.fromkeys(
        ("convert", "reshape", "broadcast_in_dim", "optimization_barrier"), lambda one: one
    ),
}
"""What makes a line of lines."""
_PLACES: Final = {"maximum": -1, "minimum": 0, "clamp": 1}
_COMPARED: Final = {
    "LT": lambda n: n < 0, "LE": lambda n: n <= 0, "GT": lambda n: n > 0, "GE": lambda n: n >= 0,
}  # fmt: skip
"""What a comparison says of a difference; one that holds at both ends of a line holds between."""


# ------------------------------------------------------------------ the loop


def loop(node: ModuleNode) -> Sequence[Value]:
    """The values that a `while` gives.

    Raises:
        DataDependentError: how many steps it takes is not known.

    """
    return _While(node).values()


@define(eq=False)
class _While:
    """A `while`: what each of its values is within a step."""

    node: ModuleNode
    inside: list[Value] = field(factory=list)
    after: list[Value] = field(factory=list)

    def values(self) -> Sequence[Value]:
        """The values after the last step."""
        node, graph = self.node, self.node.own_graph
        starts = node.present
        self._check_known(starts)
        condition, region = node.regions
        fixed = self._fixed()
        scratch = graph.body(f"{node.name}.condition")
        body = graph.body(node.name)
        with scratch.source(node.name, node.operator), body.source(node.name, node.operator):
            self.inside = [
                start if place in fixed else body.input(f"state{place}", start.shape, start.format)
                for place, start in enumerate(starts)
            ]
            (held,) = node.run(condition, scratch, self.inside)
            if held.scalar == 0:
                return starts
            self.after = node.run(region, body, self.inside)
        self._check_known(self.after)
        counter, steps, step = self._counted(held)
        if steps == 0:
            return starts
        first = int(starts[counter].scalar or 0)
        line = Line(step, first)
        return self._added(body, counter, steps, line, fixed)

    def _check_known(self, values: Sequence[Value]) -> None:
        """Refuse values whose shapes are not known.

        Raises:
            DataDependentError: there is one.

        """
        reason = next((one.unknown for one in values if one.unknown), "")
        if reason:
            raise DataDependentError(reason)

    def _fixed(self) -> set[int]:
        """The places of values that every step gives as it took them."""
        _, region = self.node.regions
        last = region.operations[-1]
        return {
            place
            for place, (given, taken) in enumerate(
                zip(last.operands, region.arguments, strict=True)
            )
            if given == taken
        }

    def _counted(self, held: Value) -> tuple[int, int, int]:
        """The place of the counter, how many steps there are, and how far it goes in each.

        Raises:
            DataDependentError: it is not known.

        """
        graph, starts = self.node.own_graph, self.node.present
        origin = graph.origins.get(id(held))
        message = "how many steps the loop takes depends on data"
        if origin is None or origin.operator != "compare":
            raise DataDependentError(message)
        direction = str(origin.attribute("comparison_direction"))
        for place, (inside, after) in enumerate(zip(self.inside, self.after, strict=True)):
            first = starts[place].scalar
            if inside.rank or first is None or starts[place] is inside:
                continue
            reading = _Reading(graph, inside)
            grown = reading.line_of(after)
            left, right = [reading.line_of(value) for value in origin.present]
            if grown is None or grown.step != 1 or left is None or right is None:
                continue
            gap = Line(left.step - right.step, left.start - right.start)
            at = Line(gap.step * grown.start, gap.at(int(first)))
            steps = _steps(direction, at)
            if steps is not None and steps <= MOST_STEPS:
                return place, steps, grown.start
        raise DataDependentError(message)

    def _added(
        self, body: ModuleGraph, counter: int, steps: int, line: Line, fixed: set[int]
    ) -> Sequence[Value]:
        node, graph, starts = self.node, self.node.own_graph, self.node.present
        reading = _Reading(graph, self.inside[counter], line, steps)
        slices = _Slices(body, reading, steps, self.inside)
        slices.find()
        if steps <= MOST_UNROLLED and any(source.is_constant for source, _ in slices.varying):
            return self._unrolled(steps, fixed)
        moving = [place for place in range(len(starts)) if place not in fixed and place != counter]
        stacked = {
            place: slices.collected(self.inside[place], self.after[place]) for place in moving
        }
        collected = {place: one for place, one in stacked.items() if one is not None}
        carried = [place for place in moving if place not in collected]
        every = body.nodes
        body.outputs = [*[self.after[place] for place in carried], *collected.values()]
        remove_unused(body)
        read = {id(value) for each in body.nodes for value in each.reads}
        if id(self.inside[counter]) in read:
            carried.append(counter)
            body.nodes, body.outputs = every, [*body.outputs, self.after[counter]]
            remove_unused(body)
        made = add_loop(
            graph, body, steps, varying=slices.varying, axis=slices.axis,
            carried=[(starts[place], self.inside[place], self.after[place]) for place in carried],
            collected=list(collected.values()), backwards=slices.backwards,
        )  # fmt: skip
        given = dict(zip([*carried, *collected], made, strict=True))
        last = graph.constant(f"{node.name}.counter", data=np.asarray(line.at(steps)))
        given[counter] = last
        return [given.get(place, start) for place, start in enumerate(starts)]

    def _unrolled(self, steps: int, fixed: set[int]) -> Sequence[Value]:
        """The steps one after the other: each has weights of its own, as layers do."""
        node, values = self.node, self.node.present
        _, region = node.regions
        for _ in range(steps):
            given = node.run(region, node.own_graph, values)
            values = [
                start if place in fixed else value
                for place, (start, value) in enumerate(zip(values, given, strict=True))
            ]
        return values


def _steps(direction: str, gap: Line) -> int | None:
    """How often a condition on a line holds before it does not; None where that is not known."""
    if direction in {"GT", "GE"}:
        direction, gap = {"GT": "LT", "GE": "LE"}[direction], Line(-gap.step, -gap.start)
    if direction == "NE" and gap.step and -gap.start % gap.step == 0:
        count = -gap.start // gap.step
        return count if count >= 0 else None
    if direction == "LT":
        if gap.start >= 0:
            return 0
        return -(gap.start // gap.step) if gap.step > 0 else None
    if direction == "LE":
        if gap.start > 0:
            return 0
        return -gap.start // gap.step + 1 if gap.step > 0 else None
    return None


@define(eq=False)
class _Slices:
    """The slices that a step reads and writes at the place of the counter."""

    body: ModuleGraph
    reading: _Reading
    steps: int
    inside: Sequence[Value]
    axis: int = 0
    backwards: bool = False
    is_begun: bool = False
    varying: list[tuple[Value, Value]] = field(factory=list)

    def find(self) -> None:
        """Read slices of tensors around the loop as such."""
        changed: dict[int, Sequence[GraphNode]] = {}
        own = {id(value) for node in self.body.nodes for value in node.writes}
        own |= {id(value) for value in self.inside if value in self.body.inputs}
        known: dict[int, Value] = {}
        for node in self.body.nodes:
            if node.operation != "fetch" or len(node.writes) != 1:
                continue
            (result,) = node.writes
            origin = self.body.origins.get(id(result))
            if origin is None or origin.operator != "dynamic_slice":
                continue
            source, *places = origin.present
            if id(source) in own or not self._is_slice(source.shape, result.shape, places):
                continue
            part = known.get(id(source))
            if part is None:
                shape = [*result.shape[: self.axis], *result.shape[self.axis + 1 :]]
                part = self.body.input(f"slice{len(known)}", shape, source.format)
                part.is_constant, part.is_parameter = source.is_constant, source.is_parameter
                known[id(source)] = part
                self.varying.append((source, part))
            made = twin(node, "reshape", part, writes=result, shape=result.shape)
            changed[id(node)] = (made,)
        exchange(self.body, changed)

    def collected(self, inside: Value, after: Value) -> Value | None:
        """What each step puts at its place in a tensor of all steps, where it does only that."""
        origin = self.body.origins.get(id(after))
        if origin is None or origin.operator != "dynamic_update_slice":
            return None
        target, block, *places = origin.present
        others = [
            node
            for node in self.body.nodes
            if any(one is inside for one in node.reads) and after not in node.writes
        ]
        if target is not inside or others:
            return None
        if not self._is_slice(target.shape, block.shape, places):
            return None
        shape = [*block.shape[: self.axis], *block.shape[self.axis + 1 :]]
        return self.body.add("reshape", block, shape=shape)

    def _is_slice(self, shape: Sequence[int], part: Sequence[int], places: Sequence[Value]) -> bool:
        """Whether a block is that of the step along the axis, and whole along the others."""
        cut = [axis for axis, length in enumerate(shape) if part[axis] != length]
        if not cut and self.steps == 1 and shape:
            cut = [0]
        if len(cut) != 1 or part[cut[0]] != 1 or shape[cut[0]] != self.steps:
            return False
        (axis,) = cut
        line = self.reading.line_of(places[axis])
        # Before the counter begins it is a function of how many steps are done.
        forwards, backwards = line == (1, 0), line == (-1, self.steps - 1)
        if not (forwards or backwards):
            return False
        if not self.is_begun:
            self.axis, self.backwards, self.is_begun = axis, backwards, True
        return (axis, backwards) == (self.axis, self.backwards)
