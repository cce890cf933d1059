"""Branches and loops of a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from costmodel.frontend import control
from costmodel.frontend.operations.work import Value
from costmodel.frontend.translation import DataDependentError
from costmodel_torch.program import Body, ProgramGraph, Ref

if TYPE_CHECKING:
    from costmodel.frontend.translation import SourceNode
    from costmodel_torch.translation import Translator

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
        body = one if chosen else other
        inner = made.inner(made.graph)
        inner.values.update(zip(body.graph.inputs, given, strict=True))
        inner.translate(body.graph)
        return inner.results(body.graph.outputs)
    alternatives = []
    for body in (one, other):
        graph = made.graph.body(body.name)
        inner = made.inner(graph)
        inner.values.update(zip(body.graph.inputs, given, strict=True))
        inner.translate(body.graph)
        alternatives.append((graph, inner.results(body.graph.outputs)))
    return control.branch(made.graph, alternatives)


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

RULES: Final[Mapping[str, Callable[[Translator, SourceNode], Sequence[Any]]]] = {
    "higher_order.cond": branch,
    "higher_order.while_loop": loop,
}

__all__ = ["Body", "branch", "loop"]
