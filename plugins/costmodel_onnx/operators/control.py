"""Branches, loops and sequences of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from costmodel.errors import ShapeError
from costmodel.frontend.control import branch, loop
from costmodel.frontend.graph import Graph
from costmodel.frontend.translation import DataDependentError
from costmodel_onnx.nodes import OnnxNode, SequenceValue, reason_unknown
from costmodel_onnx.operators.movements import concatenated, parts, parts_of
from costmodel_onnx.operators.table import translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value

MOST_UNROLLED: Final = 64
"""Steps of a loop that are written one after the other, where its state changes its shape."""
MOST_COUNTED: Final = 2000
"""Steps that are followed to find the end of a loop whose counters are known."""
_TRUE: Final = np.ones((), np.bool_)


# ------------------------------------------------------------------ branches


@translates("If")
def if_(node: OnnxNode) -> list[Value]:
    """One of two graphs: the one that a constant chooses, else both as alternatives."""
    condition = node.input()
    bodies = [node.attribute("then_branch"), node.attribute("else_branch")]
    if condition.data is not None and condition.is_constant:
        chosen = bodies[0] if bool(condition.data.reshape(-1)[0]) else bodies[1]
        return node.body(chosen, node.graph, [])
    alternatives = []
    for name, proto in zip(("then", "else"), bodies, strict=True):
        body = node.graph.body(f"{node.name}.{name}")
        alternatives.append((body, _tensors(node, node.body(proto, body, []))))
    shapes = [[value.shape for value in results] for _, results in alternatives]
    if shapes[0] == shapes[1]:
        return list(branch(node.graph, condition, alternatives))
    dearer = max((0, 1), key=lambda place: _work_of(alternatives[place][0]))
    node.graph.notes.append(
        f"node {node.name!r:.80} of If: its alternatives give different shapes; the one with more "
        f"work, {('then', 'else')[dearer]}, stands for both"
    )
    return node.body(bodies[dearer], node.graph, [])


def _tensors(node: OnnxNode, results: list[Value]) -> list[Value]:
    """Results that are tensors of known shapes, as loops and alternatives have to give them."""
    if any(isinstance(value, SequenceValue) for value in results):
        node.give_up("a graph within it gives a sequence of tensors")
    for value in results:
        if value.unknown:
            node.give_up(reason_unknown(value))
    return results


def _work_of(body: Graph) -> tuple[int, int]:
    """The multiply-accumulates and the nodes of a graph, to compare it with another."""
    macs = sum(getattr(node.work.does, "macs", 0) for node in body.nodes)
    return macs, len(body.nodes)


# ------------------------------------------------------------------ loops


@translates("Loop")
def loop_(node: OnnxNode) -> list[Value]:
    """A graph that runs a number of times, which must be known."""
    proto = node.attribute("body")
    starts = [value for value in node.inputs[2:] if value is not None]
    steps = _trip_count(node, proto, starts)
    if steps < 1:
        return _skipped(node, proto, starts)
    if any(isinstance(value, SequenceValue) for value in starts):
        return _unrolled(node, proto, steps, starts)
    body = node.graph.body(f"{node.name}.body")
    number = body.input("iteration", ())
    going = body.constant("going", data=_TRUE)
    states = [
        body.input(f"state{place}", one.shape, one.format) for place, one in enumerate(starts)
    ]
    try:
        _, *results = _tensors(node, node.body(proto, body, [number, going, *states]))
        afters, collected = results[: len(starts)], results[len(starts) :]
        carried = [
            (start, state, _plain(body, after))
            for start, state, after in zip(starts, states, afters, strict=True)
        ]
        return _looped(node, body, steps, carried, collected, [number])
    except ShapeError:
        return _unrolled(node, proto, steps, starts)
    except DataDependentError:
        if steps > MOST_UNROLLED:
            raise
        return _unrolled(node, proto, steps, starts)


def _skipped(node: OnnxNode, proto: Any, starts: Sequence[Value]) -> list[Value]:
    """A loop that never runs: what it carries stays as it is."""
    if len(proto.output) - 1 > len(starts):
        node.give_up("the loop never runs, and stacks what no step gives")
    return list(starts)


def _looped(
    node: OnnxNode, body: Graph, steps: int, carried: Sequence[tuple[Value, Value, Value]],
    collected: Sequence[Value], counters: Sequence[Value],
) -> list[Value]:  # fmt: skip
    """The loop, whose step may read the number of the step: a counter that is carried."""
    start = node.graph.constant("iteration", data=np.array(0, np.int64))
    counted = []
    for number in counters:
        one = body.constant("one", data=np.array(1, np.int64))
        counted.append((start, number, body.add("elementwise", number, one, function="add")))
    body.outputs = []
    made = loop(
        node.graph, body, steps, carried=[*carried, *counted],
        collected=[_plain(body, value) for value in collected],
    )  # fmt: skip
    return [*made[: len(carried)], *made[len(carried) + len(counted) :]]


def _plain(body: Graph, value: Value) -> Value:
    """A result that a node of the body gives: a constant or what it takes is copied."""
    made = {id(one) for node in body.nodes for one in node.writes}
    if id(value) in made:
        return value
    if value.is_constant:
        from costmodel.workload import builders  # noqa: PLC0415  # one builder

        return body.append("fill", _filled(builders.fill(value.shape)))[0]
    return body.add("copy", value, purpose="state")


def _filled(operator: Any) -> Any:
    from costmodel.frontend.operations.work import Work  # noqa: PLC0415  # a class

    return Work(operator, ())


def _unrolled(node: OnnxNode, proto: Any, steps: int, starts: Sequence[Value]) -> list[Value]:
    """The steps one after the other."""
    if steps > MOST_UNROLLED:
        node.give_up(f"a loop of {steps:,} steps whose state changes its shape is not priced")
    states = list(starts)
    stacks: list[list[Value]] = [[] for _ in range(len(proto.output) - 1 - len(starts))]
    going = node.graph.constant("going", data=_TRUE)
    for step in range(steps):
        number = node.graph.constant("iteration", data=np.array(step, np.int64))
        _, *results = node.body(proto, node.graph, [number, going, *states])
        states = results[: len(starts)]
        _stack(node, stacks, results[len(starts) :])
    return [*states, *[concatenated(node, stack, 0) for stack in stacks]]


def _trip_count(node: OnnxNode, proto: Any, starts: Sequence[Value]) -> int:
    """How often a loop runs.

    Raises:
        DataDependentError: data decide.

    """
    most, condition = node.present_input(0), node.present_input(1)
    if most is not None and most.data is None:
        node.give_up(f"the number of steps depends on data (input 0, {most.name!r:.80})")
    if condition is not None and condition.data is None:
        node.give_up(f"whether the loop begins depends on data (input 1, {condition.name!r:.80})")
    if condition is not None and not bool(condition.data.reshape(-1)[0]):
        return 0
    limit = None if most is None else int(most.data.reshape(-1)[0])
    name = proto.output[0].name
    if _is_always_true(node, proto, name, starts):
        if limit is None:
            node.give_up("the loop has no end that the file states")
        return limit
    return _followed(node, proto, starts, limit)


def _is_always_true(node: OnnxNode, proto: Any, name: str, starts: Sequence[Value]) -> bool:
    """Whether the condition after a step follows from the one before, or is a constant."""
    del node, starts
    makers = {output: one for one in proto.node for output in one.output}
    held = {one.name for one in proto.initializer}
    for _ in range(len(proto.node) + 1):
        if name == proto.input[1].name:
            return True
        maker = makers.get(name)
        if maker is None or maker.op_type not in {"Identity", "Cast"}:
            break
        name = maker.input[0]
    maker = makers.get(name)
    return name in held or (maker is not None and maker.op_type == "Constant")


def _followed(node: OnnxNode, proto: Any, starts: Sequence[Value], limit: int | None) -> int:
    """The steps until the condition is false, by following the counters alone."""
    needed, nodes = _slice_of(proto)
    places = [
        place for place, one in enumerate(proto.input[2:]) if one.name in needed
    ]  # the states that the condition depends on
    if any(starts[place].data is None for place in places):
        node.give_up("when the loop ends depends on data")
    part = type(proto)()
    part.node.extend(nodes)
    part.initializer.extend(one for one in proto.initializer if one.name in needed)
    part.input.extend([proto.input[0], proto.input[1]])
    part.input.extend(proto.input[2 + place] for place in places)
    part.output.extend([proto.output[0]])
    part.output.extend(proto.output[1 + place] for place in places)
    states = [starts[place] for place in places]
    for step in range(MOST_COUNTED):
        if limit is not None and step >= limit:
            return step
        aside = Graph("counters", node.graph.frontend)
        number = aside.constant("iteration", data=np.array(step, np.int64))
        going = aside.constant("going", data=_TRUE)
        condition, *states = node.body(part, aside, [number, going, *states])
        if condition.data is None or any(state.data is None for state in states):
            node.give_up("when the loop ends depends on data")
        if not bool(condition.data.reshape(-1)[0]):
            return step + 1
    return node.give_up(f"the end of the loop was not found within {MOST_COUNTED:,} steps")


def _slice_of(proto: Any) -> tuple[set[str], list[Any]]:
    """The names and nodes on which the condition depends, through all steps."""
    makers = {output: one for one in proto.node for output in one.output}
    after = {
        one.name: proto.output[1 + place].name
        for place, one in enumerate(proto.input[2:])
        if 1 + place < len(proto.output)
    }
    needed: set[str] = set()
    waiting = [proto.output[0].name]
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        if name in makers:
            waiting += [*makers[name].input, *_captured(makers[name])]
        if name in after:
            waiting.append(after[name])
    return needed, [one for one in proto.node if needed & set(one.output)]


def _captured(node: Any) -> list[str]:
    """What the graphs within a node read from around it, and more."""
    return [
        name
        for attribute in node.attribute
        if attribute.HasField("g")
        for inner in attribute.g.node
        for name in [*inner.input, *_captured(inner)]
    ]


@translates("Scan")
def scan(node: OnnxNode) -> list[Value]:
    """A graph that runs for each slice of its inputs."""
    proto = node.attribute("body")
    values = list(node.inputs)
    is_batched = node.opset < _SCAN_WITHOUT_BATCH
    if is_batched:
        values = values[1:]
    count = int(node.attribute("num_scan_inputs", 1))
    present = [value for value in values if value is not None]
    starts, scanned = present[: len(present) - count], present[len(present) - count :]
    if is_batched:
        return _scan_of_batch(node, proto, starts, scanned)
    return _scanned(node, proto, starts, scanned)


_SCAN_WITHOUT_BATCH: Final = 9


def _scan_of_batch(
    node: OnnxNode, proto: Any, starts: Sequence[Value], scanned: Sequence[Value]
) -> list[Value]:
    """The oldest form, whose first axis is the batch, for one example."""
    if any(value.shape[0] != 1 for value in (*starts, *scanned)):
        node.give_up("a scan over a batch of several examples is not priced")
    bare = [node.add("reshape", value, shape=value.shape[1:]) for value in (*starts, *scanned)]
    made = _scanned(node, proto, bare[: len(starts)], bare[len(starts) :])
    return [node.add("reshape", value, shape=(1, *value.shape)) for value in made]


def _scanned(
    node: OnnxNode, proto: Any, starts: Sequence[Value], scanned: Sequence[Value]
) -> list[Value]:
    axes = node.attribute("scan_input_axes") or [0] * len(scanned)
    ways = node.attribute("scan_input_directions") or [0] * len(scanned)
    turned = [
        _to_front(node, value, value.axis(int(axis)), is_reversed=bool(way))
        for value, axis, way in zip(scanned, axes, ways, strict=True)
    ]
    steps = turned[0].shape[0]
    if any(value.is_constant for value in turned):
        made = _scanned_in_turn(node, proto, steps, starts, turned)
    else:
        made = _scanned_in_loop(node, proto, steps, starts, turned)
    axes = node.attribute("scan_output_axes") or [0] * (len(made) - len(starts))
    for place, axis in enumerate(axes):
        value = made[len(starts) + place]
        made[len(starts) + place] = _from_front(node, value, value.axis(int(axis)))
    return made


def _scanned_in_turn(
    node: OnnxNode, proto: Any, steps: int, starts: Sequence[Value], scanned: Sequence[Value]
) -> list[Value]:
    """The steps one after the other: each has its own slice of constants."""
    if steps > MOST_UNROLLED:
        node.give_up(f"a scan over {steps:,} slices of constants is not priced")
    states = list(starts)
    stacks: list[list[Value]] = [[] for _ in range(len(proto.output) - len(starts))]
    for step in range(steps):
        slices = [node.add("select", value, key=[step]) for value in scanned]
        results = node.body(proto, node.graph, [*states, *slices])
        states = results[: len(starts)]
        _stack(node, stacks, results[len(starts) :])
    return [*states, *[concatenated(node, stack, 0) for stack in stacks]]


def _stack(node: OnnxNode, stacks: Sequence[list[Value]], values: Sequence[Value]) -> None:
    for stack, value in zip(stacks, values, strict=True):
        stack.append(node.add("reshape", value, shape=(1, *value.shape)))


def _scanned_in_loop(
    node: OnnxNode, proto: Any, steps: int, starts: Sequence[Value], scanned: Sequence[Value]
) -> list[Value]:
    body = node.graph.body(f"{node.name}.body")
    states = [
        body.input(f"state{place}", one.shape, one.format) for place, one in enumerate(starts)
    ]
    taken = [
        body.input(f"slice{place}", one.shape[1:], one.format) for place, one in enumerate(scanned)
    ]
    results = _tensors(node, node.body(proto, body, [*states, *taken]))
    carried = [
        (start, state, _plain(body, after))
        for start, state, after in zip(starts, states, results, strict=False)
    ]
    collected = [_plain(body, value) for value in results[len(starts) :]]
    made = loop(
        node.graph, body, steps, varying=list(zip(scanned, taken, strict=True)),
        carried=carried, collected=collected,
    )  # fmt: skip
    return list(made)


def _to_front(node: OnnxNode, value: Value, axis: int, *, is_reversed: bool) -> Value:
    if is_reversed:
        value = node.add("select", value, key=[*[slice(None)] * axis, slice(None, None, -1)])
    order = [axis, *[place for place in range(value.rank) if place != axis]]
    return node.add("transpose", value, order=order) if axis else value


def _from_front(node: OnnxNode, value: Value, axis: int) -> Value:
    if axis == 0:
        return value
    order = list(range(1, value.rank))
    order.insert(axis, 0)
    return node.add("transpose", value, order=order)


# ------------------------------------------------------------------ sequences


def _sequence(node: OnnxNode, items: Sequence[Value]) -> list[Value]:
    return [SequenceValue(node.name, (), items=items)]


def _items(node: OnnxNode, place: int = 0) -> list[Value]:
    value = node.input(place)
    if not isinstance(value, SequenceValue):
        node.refuse(f"{value.name!r:.80} is not a sequence")
    return list(value.items)


@translates("SequenceEmpty", "SequenceConstruct")
def sequence(node: OnnxNode) -> list[Value]:
    """Tensors in a row."""
    return _sequence(node, node.present)


@translates("SplitToSequence")
def split_to_sequence(node: OnnxNode) -> list[Value]:
    """Parts of a value in a row."""
    value = node.input(0)
    axis = value.axis(int(node.attribute("axis", 0)))
    given = node.optional(1)
    if given is None or given.rank == 0:
        step = 1 if given is None else node.numbers(1, "the length of each part")[0]
        sizes = parts_of(node, value.shape[axis], step)
    else:
        sizes = node.numbers(1, "the length of each part")
    found = list(parts(node, value, axis, sizes))
    if given is None and not node.attribute("keepdims", 1):
        found = [
            node.add("reshape", one, shape=(*one.shape[:axis], *one.shape[axis + 1 :]))
            for one in found
        ]
    return _sequence(node, found)


@translates("SequenceAt")
def sequence_at(node: OnnxNode) -> Value:
    """One tensor of a sequence."""
    items = _items(node)
    place = node.numbers(1, "which tensor is taken")[0]
    if not -len(items) <= place < len(items):
        node.refuse(f"there is no tensor {place} in a sequence of {len(items)}")
    return items[place]


@translates("SequenceInsert", "SequenceErase")
def sequence_changed(node: OnnxNode) -> list[Value]:
    """A sequence with one tensor more or less."""
    items = _items(node)
    is_more = node.operator == "SequenceInsert"
    at = 2 if is_more else 1
    place = node.numbers(at, "the place")[0] if node.optional(at) is not None else None
    if is_more:
        items.insert(len(items) if place is None else place, node.input(1))
    else:
        del items[-1 if place is None else place]
    return _sequence(node, items)


@translates("SequenceLength")
def sequence_length(node: OnnxNode) -> Value:
    """The number of tensors."""
    return node.constant(np.array(len(_items(node)), np.int64))


@translates("ConcatFromSequence")
def concat_from_sequence(node: OnnxNode) -> Value:
    """The tensors of a sequence along an axis, which may be new."""
    items, axis = _items(node), int(node.attribute("axis", 0))
    if node.attribute("new_axis", 0):
        place = axis % (items[0].rank + 1)
        items = [
            node.add("reshape", one, shape=(*one.shape[:place], 1, *one.shape[place:]))
            for one in items
        ]
        axis = place
    return concatenated(node, items, axis)


@translates("SequenceMap")
def sequence_map(node: OnnxNode) -> list[Value]:
    """A graph for each tensor of a sequence."""
    proto = node.attribute("body")
    length = len(_items(node))
    found: list[list[Value]] = []
    for place in range(length):
        given = [
            value.items[place] if isinstance(value, SequenceValue) else value
            for value in node.inputs
            if value is not None
        ]
        found.append(node.body(proto, node.graph, given))
    return [
        SequenceValue(node.name, (), items=[results[place] for results in found])
        for place in range(len(proto.output))
    ]
