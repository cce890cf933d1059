"""Branches and loops of a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from costmodel.frontend import control
from costmodel.frontend.operations.work import Value
from costmodel.frontend.translation import DataDependentError
from costmodel_torch.exported.program import Body, ProgramGraph, Ref

if TYPE_CHECKING:
    from costmodel.frontend.translation import SourceNode
    from costmodel_torch.translator import Controlling, Translator

MOST_STEPS: Final = 10_000
"""Of a loop whose condition is followed to find out how often it runs."""


def branch(made: Translator, node: SourceNode) -> Sequence[Any]:
    """The alternative that a constant chooses, or both where data choose."""
    condition, one, other, *rest = _arguments(node, 4)
    given = rest[0] if rest else ()
    chosen = condition
    if isinstance(condition, Value):
        chosen = None if condition.scalar is None else bool(condition.scalar)
    if isinstance(chosen, bool | int):
        return _inlined(made, one if chosen else other, given)
    alternatives = []
    for body in (one, other):
        graph = made.graph.body(body.name)
        inner = made.inner(graph)
        inner.values.update(zip(body.graph.inputs, given, strict=True))
        inner.translate(body.graph)
        alternatives.append((graph, inner.results(body.graph.outputs)))
    decides = condition if isinstance(condition, Value) else None
    return control.branch(made.graph, decides, alternatives)


def _inlined(made: Translator, body: Body, given: Sequence[Any]) -> Sequence[Any]:
    """A graph in the place of a node that does nothing but call it."""
    inner = made.inner(made.graph, made.modules)
    inner.values.update(zip(body.graph.inputs, given, strict=False))
    inner.translate(body.graph)
    return inner.results(body.graph.outputs)


def call(made: Translator, node: SourceNode) -> Sequence[Any]:
    """A graph that is called under another setting of PyTorch, such as without gradients."""
    arguments = list(node.attributes.values())
    place = [isinstance(one, Body) for one in arguments].index(True)
    rest = [one for one in arguments[place + 1 :] if not isinstance(one, str)]
    given = [each for one in rest for each in (one if isinstance(one, tuple) else (one,))]
    return _inlined(made, arguments[place], given)


def scan(made: Translator, node: SourceNode) -> Sequence[Any]:
    """A step for each slice along the first axis of some tensors."""
    body, starts, slices, *rest = _arguments(node, 4)
    return _over_slices(made, body, starts, slices, rest[0] if rest else ())


def each(made: Translator, node: SourceNode) -> Sequence[Any]:
    """The same graph for each slice along the first axis of some tensors."""
    body, slices, *rest = _arguments(node, 3)
    return _over_slices(made, body, (), slices, rest[0] if rest else ())


def _over_slices(
    made: Translator, body: Body, starts: Sequence[Value], slices: Sequence[Value],
    fixed: Sequence[Any],
) -> Sequence[Any]:  # fmt: skip
    graph = made.graph.body(body.name)
    inner = made.inner(graph)
    names = iter(body.graph.inputs)
    states = [Value(next(names), one.shape, one.format) for one in starts]
    parts = [Value(next(names), one.shape[1:], one.format) for one in slices]
    inner.values.update({one.name: one for one in (*states, *parts)})
    inner.values.update(zip(names, fixed, strict=False))
    inner.translate(body.graph)
    afters = inner.results(body.graph.outputs)
    return control.loop(
        made.graph, graph, slices[0].shape[0],
        varying=list(zip(slices, parts, strict=True)),
        carried=list(zip(starts, states, afters[: len(starts)], strict=True)),
        collected=afters[len(starts) :],
    )  # fmt: skip


def loop(made: Translator, node: SourceNode) -> Sequence[Any]:
    """A loop, where its condition follows from constants that it counts with."""
    condition, body, carried, *rest = _arguments(node, 4)
    fixed = rest[0] if rest else ()
    steps = _steps(condition.graph, body.graph, (*carried, *fixed))
    graph = made.graph.body(body.name)
    inner = made.inner(graph)
    states: list[Value] = []
    for place, (name, start) in enumerate(zip(body.graph.inputs, (*carried, *fixed), strict=True)):
        if place < len(carried) and isinstance(start, Value):
            states.append(Value(name, start.shape, start.format))
            inner.values[name] = states[-1]
        else:
            inner.values[name] = start
    inner.translate(body.graph)
    afters = inner.results(body.graph.outputs)
    starts = [one for one in carried if isinstance(one, Value)]
    return control.loop(
        made.graph, graph, steps, carried=list(zip(starts, states, afters, strict=True))
    )


def _arguments(node: SourceNode, most: int) -> list[Any]:
    return list(node.attributes.values())[:most]


# ------------------------------------------------------------------ how often a loop runs


def _steps(condition: ProgramGraph, body: ProgramGraph, starts: Sequence[Any]) -> int:
    """How often a loop runs.

    Raises:
        DataDependentError: it depends on data, or it runs for longer than is followed.

    """
    carried: list[Any] = [_number(one) for one in starts]
    for step in range(MOST_STEPS):
        going = _evaluated(condition, carried)[0]
        if going is None:
            message = "how often the loop runs depends on data"
            raise DataDependentError(message)
        if not going:
            return _checked(step)
        after = _evaluated(body, carried)
        carried = [*after, *carried[len(after) :]]
    message = f"the loop runs for more than {MOST_STEPS:,} steps"
    raise DataDependentError(message)


def _checked(steps: int) -> int:
    if steps < 1:
        message = "the loop never runs"
        raise DataDependentError(message)
    return steps


def _number(value: Any) -> Any:
    """The number that a constant of one element is; None for data."""
    if isinstance(value, Value):
        return value.scalar if value.size == 1 and value.data is not None else None
    return value if isinstance(value, int | float) else None


def _evaluated(graph: ProgramGraph, given: Sequence[Any]) -> list[Any]:
    """The numbers that a graph gives, None for those that depend on data."""
    numbers = dict(zip(graph.inputs, given, strict=False))
    for node in graph.nodes:
        function = _COUNTING.get(node.target.split(".")[1] if "." in node.target else "")
        operands = [_operand(one, numbers) for one in node.arguments.values()]
        for name in node.results:
            numbers[name] = None
            if function is not None and None not in operands:
                numbers[name] = function(*operands[:2])
    return [numbers.get(one.name) if isinstance(one, Ref) else one for one in graph.outputs]


def _operand(argument: Any, numbers: Mapping[str, Any]) -> Any:
    if isinstance(argument, Ref):
        return numbers.get(argument.name)
    return argument if isinstance(argument, int | float) else None


_COUNTING: Final[Mapping[str, Callable[..., Any]]] = {
    "add": lambda one, other: one + other,
    "sub": lambda one, other: one - other,
    "mul": lambda one, other: one * other,
    "lt": lambda one, other: one < other,
    "le": lambda one, other: one <= other,
    "gt": lambda one, other: one > other,
    "ge": lambda one, other: one >= other,
    "eq": lambda one, other: one == other,
    "ne": lambda one, other: one != other,
    "clone": lambda one, *_: one,
    "logical_and": lambda one, other: bool(one) and bool(other),
    "logical_or": lambda one, other: bool(one) or bool(other),
    "logical_not": lambda one, *_: not one,
}
"""What a loop counts with."""

RULES: Final[Mapping[str, Controlling]] = {
    "higher_order.cond": branch,
    "higher_order.while_loop": loop,
    "higher_order.scan": scan,
    "higher_order.map_impl": each,
    "higher_order.wrap_with_set_grad_enabled": call,
    "higher_order.wrap_with_autocast": call,
    "higher_order.invoke_subgraph": call,
    "higher_order.tag_activation_checkpoint": call,
}
