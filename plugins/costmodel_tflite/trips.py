"""How often a loop of a TFLite file runs, found by running what its condition depends on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from attrs import define, frozen

from costmodel.errors import CostModelError
from costmodel.frontend.translation import DataDependentError
from costmodel_tflite.tensors import TYPES, type_of

if TYPE_CHECKING:
    from costmodel_tflite.file import OperatorEntry, SubgraphEntry, TfliteFile

MOST_STEPS: Final = 2**16
"""Steps of one loop that are followed."""
MOST_EVALUATIONS: Final = 1_000_000
"""Operators that are run for all loops of a file."""
MOST_ELEMENTS: Final = 64
"""Of a value that a condition depends on."""

Function: TypeAlias = Callable[..., Any]

_COMPARISONS: Final[Sequence[Function]] = (
    np.equal, np.not_equal, np.greater_equal, np.greater, np.less_equal, np.less,
)  # fmt: skip
"""By the number of `StablehloComparisonDirection`."""

_FUNCTIONS: Final[Mapping[str, Function]] = {
    "ADD": np.add, "SUB": np.subtract, "MUL": np.multiply, "DIV": np.divide,
    "FLOOR_DIV": np.floor_divide, "FLOOR_MOD": np.mod, "MINIMUM": np.minimum,
    "MAXIMUM": np.maximum, "NEG": np.negative, "LESS": np.less, "LESS_EQUAL": np.less_equal,
    "GREATER": np.greater, "GREATER_EQUAL": np.greater_equal, "EQUAL": np.equal,
    "NOT_EQUAL": np.not_equal, "LOGICAL_AND": np.logical_and, "LOGICAL_OR": np.logical_or,
    "LOGICAL_NOT": np.logical_not, "SELECT": np.where, "SELECT_V2": np.where,
    "REDUCE_ALL": lambda value, _: np.all(value), "REDUCE_ANY": lambda value, _: np.any(value),
    "CAST": lambda value: value, "RESHAPE": lambda value, *_: value,
    "SQUEEZE": lambda value: value, "EXPAND_DIMS": lambda value, _: value,
    "STABLEHLO_ADD": np.add, "STABLEHLO_SUBTRACT": np.subtract, "STABLEHLO_MULTIPLY": np.multiply,
    "STABLEHLO_MINIMUM": np.minimum, "STABLEHLO_MAXIMUM": np.maximum,
    "STABLEHLO_AND": np.logical_and, "STABLEHLO_OR": np.logical_or,
    "STABLEHLO_CONVERT": lambda value: value,
    "STABLEHLO_RESHAPE": lambda value: value,
}  # fmt: skip
"""What is run; the result is cast to the declared type and shape."""


@frozen(eq=False)
class _Step:
    """An operator that is run: what it computes, from and to tensors by index."""

    function: Function
    reads: tuple[int, ...]
    writes: int
    type: str
    shape: tuple[int, ...]

    def run(self, values: dict[int, Any]) -> None:
        given = self.function(*[values[index] for index in self.reads])
        values[self.writes] = np.asarray(given, self.type).reshape(self.shape)


@define
class TripCounter:
    """Counts the steps of the loops of one file, within a budget for all of them."""

    file: TfliteFile
    left: int = MOST_EVALUATIONS

    def steps(self, condition: int, body: int, starts: Sequence[Any]) -> int:
        """The number of steps of a loop.

        Args:
            condition: the index of the subgraph that says whether there is another step.
            body: that of the subgraph that is a step.
            starts: the array that each variable begins as; None where it is data.

        Raises:
            DataDependentError: nobody can know, or there are too many.

        """
        asks, makes = self.file.subgraph(condition), self.file.subgraph(body)
        if len({len(asks.inputs), len(makes.inputs), len(makes.outputs), len(starts)}) != 1:
            message = "its condition and body take other numbers of values than it has"
            raise CostModelError(message)
        needed = self._needed(asks, makes, starts)
        question = self._slice(asks, asks.outputs[:1])
        step = self._slice(makes, [makes.outputs[place] for place in needed])
        before = self._constants(asks, question, asks.outputs[:1])
        after = self._constants(makes, step, [makes.outputs[place] for place in needed])
        state = {place: starts[place] for place in needed}
        with np.errstate(all="ignore"):
            for count in range(MOST_STEPS + 1):
                values = {**before, **{asks.inputs[place]: one for place, one in state.items()}}
                self._run(question, values)
                if not np.all(values[asks.outputs[0]]):
                    return count
                values = {**after, **{makes.inputs[place]: one for place, one in state.items()}}
                self._run(step, values)
                state = {place: values[makes.outputs[place]] for place in needed}
        message = f"the number of steps of the loop is more than {MOST_STEPS:,}"
        raise DataDependentError(message)

    def _run(self, steps: Sequence[_Step], values: dict[int, Any]) -> None:
        self._spend(len(steps) + 1)
        try:
            for one in steps:
                one.run(values)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            message = f"the number of steps of the loop cannot be computed: {error}"
            raise DataDependentError(message) from error

    def _spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            message = f"the loops take more than {MOST_EVALUATIONS:,} evaluations to follow"
            raise DataDependentError(message)

    def _needed(
        self, asks: SubgraphEntry, makes: SubgraphEntry, starts: Sequence[Any]
    ) -> list[int]:
        """The variables of the loop that the condition depends on, at any step."""
        found: set[int] = set()
        waiting = self._read_by(asks, asks.outputs[:1])
        while waiting:
            place = waiting.pop()
            if place in found:
                continue
            if starts[place] is None or np.size(starts[place]) > MOST_ELEMENTS:
                message = f"the number of steps of the loop depends on data (variable {place})"
                raise DataDependentError(message)
            found.add(place)
            waiting |= self._read_by(makes, [makes.outputs[place]])
        return sorted(found)

    def _read_by(self, graph: SubgraphEntry, wanted: Sequence[int]) -> set[int]:
        """The inputs of a subgraph, by place, from which some of its tensors follow."""
        self._spend(len(graph.operators))
        read = {index for operator in _behind(graph, wanted) for index in operator.inputs}
        read |= set(wanted)
        return {place for place, index in enumerate(graph.inputs) if index in read}

    def _slice(self, graph: SubgraphEntry, wanted: Sequence[int]) -> list[_Step]:
        return [self._step(graph, operator) for operator in _behind(graph, wanted)]

    def _step(self, graph: SubgraphEntry, operator: OperatorEntry) -> _Step:
        if operator.code == "STABLEHLO_COMPARE":
            direction = operator.options.get("comparison_direction", 0)
            function: Function | None = _COMPARISONS[direction % len(_COMPARISONS)]
        else:
            function = _FUNCTIONS.get(operator.code)
        result = graph.tensors[operator.outputs[0]]
        array = TYPES[result.type].array if result.type in TYPES else None
        size = 1
        for length in result.shape:
            size *= max(length, 1)
        if function is None or array is None or size > MOST_ELEMENTS or min(operator.inputs) < 0:
            message = f"the number of steps of the loop depends on {operator.code}"
            raise DataDependentError(message)
        return _Step(function, operator.inputs, operator.outputs[0], array, result.shape)

    def _constants(
        self, graph: SubgraphEntry, steps: Sequence[_Step], wanted: Sequence[int]
    ) -> dict[int, Any]:
        found = {}
        made = {step.writes for step in steps} | {*graph.inputs}
        for index in {*wanted, *[index for step in steps for index in step.reads]} - made:
            entry = graph.tensors[index]
            content, kind = self.file.data(entry), type_of(entry, self.file.where)
            if content is None or kind.array is None or len(content) > 16 * MOST_ELEMENTS:
                message = f"the number of steps of the loop depends on {entry.name!r:.80}"
                raise DataDependentError(message)
            try:
                found[index] = np.frombuffer(content, kind.array).reshape(entry.shape)
            except ValueError as error:
                message = f"constant {entry.name!r:.80}: {error}"
                raise CostModelError(message) from error
        return found


def _behind(graph: SubgraphEntry, wanted: Sequence[int]) -> list[OperatorEntry]:
    """The operators from which some tensors follow, in order."""
    needed, found = set(wanted), []
    for operator in reversed(graph.operators):
        if not needed.isdisjoint(operator.outputs):
            found.append(operator)
            needed.update(operator.inputs)
    return found[::-1]
