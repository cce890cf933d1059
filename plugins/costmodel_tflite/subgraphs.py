"""From the subgraphs of a TFLite file to operations of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from costmodel.errors import ReadError, ShapeError
from costmodel.frontend.translation import DataDependentError, SourceNode, TranslationTable
from costmodel.safe_io import NAME_LIMIT
from costmodel_tflite.tensors import (
    check_shape,
    constant_of,
    format_of,
    result_shape,
)
from costmodel_tflite.trips import TripCounter

if TYPE_CHECKING:
    from costmodel.formats import NumericFormat
    from costmodel.frontend.graph import Graph
    from costmodel.frontend.operations.work import Value
    from costmodel_tflite.file import OperatorEntry, SubgraphEntry, TensorEntry, TfliteFile

MOST_TRANSLATED: Final = 100_000
"""Operators that are translated, those of a subgraph as often as it is called."""
_CALLED: Final = (
    "subgraph", "then_subgraph_index", "else_subgraph_index", "cond_subgraph_index",
    "body_subgraph_index", "decomposition_subgraph_index",
)  # fmt: skip
"""The options that name a subgraph that runs with every inference."""


@define(eq=False)
class TfliteNode(SourceNode):
    """An operator of a TFLite file: `subgraphs` calls others, `entry` is what the file has of it.

    `held` is the subgraph that it stands in.

    `formats` are those of its results, None for float32.
    """

    subgraphs: Subgraphs = field(kw_only=True)
    held: SubgraphEntry = field(kw_only=True)
    entry: OperatorEntry = field(kw_only=True)
    formats: Sequence[NumericFormat | None] = ()

    def option(self, name: str, default: Any = 0) -> Any:
        """An option; the schema leaves out those that have their default, nearly always 0."""
        return self.attributes.get(name, default)

    def input_format(self, index: int) -> NumericFormat | None:
        """The format of an input, also of a state that begins as zeros; None where it has none."""
        places = self.entry.inputs
        if index >= len(places) or places[index] < 0:
            return None
        return format_of(self.held.tensors[places[index]], self.subgraphs.file.where)


@define(eq=False)
class Subgraphs:
    """Translates the subgraphs of one file, the main one and those that it calls.

    Args:
        file: the file.
        table: the rules.
        main: the graph of the network.
        is_resized: whether an input has another shape than the file states.

    """

    file: TfliteFile
    table: TranslationTable
    main: Graph
    is_resized: bool = False
    trips: TripCounter = field(init=False)
    handles: dict[int, str] = field(factory=dict)
    """The names of variables, by the `id` of the values that are their handles."""
    parts: dict[int, Value] = field(factory=dict)
    """What slices of a length that is data are parts of, by the `id` of the slice."""
    kept: list[Value] = field(factory=list)
    """The values whose `id` is a key."""
    states: dict[str, Value] = field(factory=dict)
    """What variables hold after what ran so far, by name."""
    assigned: dict[str, Value] = field(factory=dict)
    """What an inference leaves in variables, by name."""
    _constants: dict[tuple[int, int], Value | None] = field(factory=dict)
    _running: list[int] = field(factory=list)
    _count: int = 0
    _changed: frozenset[str] | None = None
    _first_contents: dict[str, tuple[int, int]] | None = None

    def __attrs_post_init__(self) -> None:
        """Count the steps of all loops within one budget."""
        self.trips = TripCounter(self.file)

    def call(self, index: int, graph: Graph, given: Sequence[Value]) -> list[Value]:
        """Add the operators of a subgraph to a graph; returns its results.

        Raises:
            ReadError: it calls itself, is damaged, or takes other inputs.

        """
        held = self.file.subgraph(index)
        if index in self._running or len(given) != len(held.inputs):
            message = (
                f"{self.file.where}: subgraph {held.name!r:.80} takes {len(held.inputs)} inputs "
                f"and is given {len(given)}; expected as many, and no subgraph that calls itself"
            )
            raise ReadError(message)
        self._running.append(index)
        try:
            return self._translated(index, held, graph, given)
        finally:
            self._running.pop()

    def _translated(
        self, index: int, held: SubgraphEntry, graph: Graph, given: Sequence[Value]
    ) -> list[Value]:
        values = dict(zip(held.inputs, given, strict=True))
        for operator in held.operators:
            self._count += 1
            if self._count > MOST_TRANSLATED:
                message = f"{self.file.where}: more than {MOST_TRANSLATED:,} operators run"
                raise ReadError(message)
            node = self._node(index, held, operator, graph, values)
            results = self._results(node, held)
            values.update(zip(operator.outputs, results, strict=False))
        return [self._value(index, held, place, values) for place in held.outputs]

    def _value(
        self, index: int, held: SubgraphEntry, place: int, values: Mapping[int, Value]
    ) -> Value:
        found = values.get(place) or self._constant(index, held, place)
        if found is None:
            message = (
                f"{self.file.where}: nothing gives tensor {held.tensors[place].name!r:.80} of "
                f"subgraph {held.name!r:.80}; the file is damaged or its order is wrong"
            )
            raise ReadError(message)
        return found

    def _constant(self, index: int, held: SubgraphEntry, place: int) -> Value | None:
        """The constant that a tensor is; the same one wherever its subgraph runs."""
        key = (index, place)
        if key not in self._constants:
            self._constants[key] = constant_of(self.main, self.file, held.tensors[place])
        return self._constants[key]

    def _node(  # a place in a file, and what is known there
        self, index: int, held: SubgraphEntry, operator: OperatorEntry, graph: Graph,
        values: Mapping[int, Value],
    ) -> TfliteNode:  # fmt: skip
        inputs = [
            None if place < 0 or (place not in values and _is_left_out(held.tensors[place]))
            else self._value(index, held, place, values)
            for place in operator.inputs
        ]  # fmt: skip
        results = [held.tensors[place] for place in operator.outputs if place >= 0]
        return TfliteNode(
            graph, _operator(operator), self._name(operator, held, results), inputs,
            operator.options, len(results), [result_shape(one) for one in results],
            subgraphs=self, held=held, entry=operator,
            formats=[format_of(one, self.file.where) for one in results],
        )  # fmt: skip

    def _name(
        self, operator: OperatorEntry, held: SubgraphEntry, results: Sequence[TensorEntry]
    ) -> str:
        first = results[0].name.partition(";")[0] if results else ""
        return (first or f"{operator.code.lower()}{held.operators.index(operator)}")[:NAME_LIMIT]

    def _results(self, node: TfliteNode, held: SubgraphEntry) -> Sequence[Value]:
        """What a node gives, in the formats that the file declares."""
        before = len(node.graph.nodes)
        self._check_lengths(node)
        results = self.table.translate(node)
        if len(results) < node.results:
            message = (
                f"{self.file.where}: node {node.name!r:.80} of {node.operator} has {node.results} "
                f"results; its operator gives {len(results)}"
            )
            raise ReadError(message)
        entries = [held.tensors[place] for place in node.entry.outputs if place >= 0]
        read = {id(value) for value in node.present}
        for value, entry, number in zip(results, entries, node.formats, strict=False):
            self._check(node, entry, value)
            if value.format is None and id(value) not in read:
                value.format = number
        given = {id(value) for value in results}
        for made in node.graph.nodes[before:]:
            if node.formats and given.isdisjoint(map(id, made.writes)):
                for value in made.writes:
                    value.format = value.format or node.formats[0]
        return results

    def _check_lengths(self, node: TfliteNode) -> None:
        """Refuse a slice of a length that is data, unless it is put together again."""
        if node.entry.code == "CONCATENATION":
            return
        for value in node.present:
            if id(value) in self.parts:
                message = (
                    f"{self.file.where}: node {node.name!r:.80} of {node.operator} reads "
                    f"{value.name!r:.80}, whose length depends on data"
                )
                raise ReadError(message) from DataDependentError(message)

    def _check(self, node: TfliteNode, entry: TensorEntry, value: Value) -> None:
        try:
            check_shape(entry, value, is_resized=self.is_resized)
        except ShapeError as error:
            message = f"{self.file.where}: node {node.name!r:.80} of {node.operator}: {error}"
            raise ReadError(message) from error

    # ------------------------------------------------------------------ variables

    def variable(self, name: str, node: TfliteNode) -> Value:
        """What a variable holds when a node reads it.

        One that an inference assigns is a state: it enters the inference and leaves it. Others
        are weights, which the file assigns once, before any inference.

        Raises:
            DataDependentError: its shape is not known.

        """
        if name not in self.states:
            self.states[name] = self._state(name, node)
        return self.states[name]

    def assign(self, name: str, value: Value, node: TfliteNode) -> Value:
        """Leave a value in a variable; returns the copy.

        Raises:
            DataDependentError: it happens within a loop or branch.

        """
        if node.graph is not self.main:
            message = f"variable {name!r:.80} is assigned within a loop or branch"
            raise DataDependentError(message)
        copied = node.add("copy", value, purpose="state")
        self.states[name] = self.assigned[name] = copied
        return copied

    def _state(self, name: str, node: TfliteNode) -> Value:
        source = self._contents().get(name)
        held = source and self.file.subgraph(source[0])
        first = self._constant(source[0], held, source[1]) if source and held else None
        is_state = name in self._variables_changed()
        if first is not None and not is_state:
            return first
        shape = node.shapes[0] if node.shapes else None
        if first is not None:
            shape = first.shape
        if shape is None:
            message = f"the shape of variable {name!r:.80} is not known"
            raise DataDependentError(message)
        if is_state:
            return self.main.input(name, shape, node.formats[0])
        return self.main.constant(
            name, shape, node.formats[0], is_parameter=node.formats[0] is None
        )  # fmt: skip

    def _contents(self) -> Mapping[str, tuple[int, int]]:
        """The tensors that variables first hold, by name: what CALL_ONCE assigns."""
        if self._first_contents is None:
            found: dict[str, tuple[int, int]] = {}
            for index in sorted(self._reached("init_subgraph_index", self._reached())):
                for name, place in _assignments(self.file.subgraph(index)):
                    found[name] = (index, place)
            self._first_contents = found
        return self._first_contents

    def _variables_changed(self) -> frozenset[str]:
        """The variables that an inference assigns."""
        if self._changed is None:
            reached = [self.file.subgraph(index) for index in self._reached()]
            self._changed = frozenset(name for one in reached for name, _ in _assignments(one))
        return self._changed

    def _reached(self, option: str = "", among: Sequence[int] = ()) -> Sequence[int]:
        """The subgraphs that run with every inference; or those that `among` these call once."""
        if option:
            operators = [one for index in among for one in self.file.subgraph(index).operators]
            return [one.options[option] for one in operators if option in one.options]
        found: dict[int, None] = {}
        waiting = self._running[:1]
        while waiting:
            index = waiting.pop()
            if index not in found:
                found[index] = None
                for operator in self.file.subgraph(index).operators:
                    waiting += [operator.options[key] for key in _CALLED if key in operator.options]
        return list(found)


def _is_left_out(entry: TensorEntry) -> bool:
    """Whether a tensor that nothing gives is a state, or has no element, as a scalar's shape."""
    return entry.is_variable or 0 in entry.shape


def variable_name(options: Mapping[str, Any]) -> str:
    """The name of the variable that VAR_HANDLE names."""
    parts = (options.get("container", ""), options.get("shared_name", ""))
    return "/".join(part for part in parts if part)[:NAME_LIMIT] or "variable"


def _assignments(graph: SubgraphEntry) -> list[tuple[str, int]]:
    """The variables that a subgraph assigns, each with the tensor that it gets."""
    names = {
        operator.outputs[0]: variable_name(operator.options)
        for operator in graph.operators
        if operator.code == "VAR_HANDLE" and operator.outputs
    }
    return [
        (names[operator.inputs[0]], operator.inputs[1])
        for operator in graph.operators
        if operator.code == "ASSIGN_VARIABLE" and len(operator.inputs) > 1
        and operator.inputs[0] in names
    ]  # fmt: skip


def _operator(operator: OperatorEntry) -> str:
    """The name by which the table has a rule: that of the schema, or `CUSTOM:` and its own."""
    is_named = operator.code == "CUSTOM" and operator.custom
    return f"CUSTOM:{operator.custom}" if is_named else operator.code
