"""The graph that every frontend translates to: values, and nodes in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from attrs import define, evolve, field

from costmodel.errors import CostModelError, ReadError, ShapeError
from costmodel.formats import NumericFormat
from costmodel.frontend.evaluation import computed
from costmodel.frontend.operations import OPERATIONS
from costmodel.frontend.operations.work import Value, Work
from costmodel.network.graph import LAYER_LIMIT
from costmodel.safe_io import checked_name
from costmodel.tensor.shapes import as_shape
from costmodel.workload.graph import Workload
from costmodel.workload.operators import Operator

NODE_LIMIT: Final = 4 * LAYER_LIMIT
"""The most nodes of a graph."""


@define(eq=False)
class GraphNode:
    """An operation on values; `source` and `kind` are the name and kind of what it comes from.

    Several nodes of one source node are one layer of the network.
    """

    operation: str
    settings: Mapping[str, Any]
    work: Work
    writes: tuple[Value, ...]
    source: str
    kind: str
    operands: tuple[Value | None, ...] = ()
    """The values that it was given, numbers that are part of the operation among them."""

    @property
    def reads(self) -> tuple[Value, ...]:
        """The values that it reads, in the order of the operands."""
        return self.work.reads

    @property
    def is_arithmetic(self) -> bool:
        """Whether it computes, and does not only show or move elements."""
        does = self.work.does
        if isinstance(does, tuple):
            return False
        if isinstance(does, Operator):
            return bool(does.operations)
        return not isinstance(does, Workload) or any(one.operations for one in does.operators)

    def read_in_place_of(self, others: Mapping[int, Value]) -> None:
        """Read other values in the place of some, by the `id` of these."""

        def other(value: Value) -> Value:
            while id(value) in others:
                value = others[id(value)]
            return value

        self.work = evolve(self.work, reads=[other(value) for value in self.work.reads])
        self.operands = tuple([value and other(value) for value in self.operands])


@define(eq=False)
class Graph:
    """A graph in the making: each operation is added after those that give what it reads.

    What only depends on constants is a constant: its data are computed where they are small.

    Args:
        name: that of the network.
        frontend: the beginning of the kinds of its layers, such as `onnx`.
        has_batch: whether the first axis of the inputs is the batch, where all have one element
            along it; layers leave it out.

    """

    name: str
    frontend: str
    inputs: list[Value] = field(factory=list)
    outputs: list[Value] = field(factory=list)
    nodes: list[GraphNode] = field(factory=list)
    notes: list[str] = field(factory=list)
    """What a reader found worth saying of the source."""
    has_batch: bool = True
    _names: dict[str, int] = field(factory=dict)
    _source: tuple[str, str] = ("", "")

    def input(self, name: str, shape: Sequence[int], number: NumericFormat | None = None) -> Value:
        """A value that arrives with every inference, with all axes."""
        value = self._value(name, shape, number)
        self.inputs.append(value)
        return value

    def constant(
        self,
        name: str,
        shape: Sequence[int | None] | None = None,
        number: NumericFormat | None = None,
        data: Any = None,
        *,
        is_parameter: bool = False,
    ) -> Value:
        """A value that is the same for every inference; `data` is its array, if that is small."""
        if shape is None:
            shape = data.shape
        value = self._value(name, shape, number)
        value.data, value.is_constant, value.is_parameter = data, True, is_parameter
        return value

    @contextmanager
    def source(self, name: str, kind: str) -> Iterator[None]:
        """Add nodes that come from this node of the source."""
        before, self._source = self._source, (checked_name(name, self.name), kind)
        try:
            yield
        finally:
            self._source = before

    def add(self, operation: str, *reads: Value | None, **settings: Any) -> Value:
        """Add an operation; returns the value that it gives, or the first of several."""
        return self.all_of(operation, *reads, **settings)[0]

    def all_of(
        self,
        operation: str,
        *reads: Value | None,
        formats: Sequence[NumericFormat | None] = (),
        **settings: Any,
    ) -> tuple[Value, ...]:
        """Add an operation; returns all values that it gives.

        Args:
            operation: one of `OPERATIONS`.
            reads: the values that it takes; None for one that is left out.
            formats: those of the results, where they are declared.
            settings: as the rule of the operation takes them.

        Raises:
            ShapeError: the values and settings do not fit together.
            ReadError: there is no such operation, or there are too many.

        """
        rule = OPERATIONS.get(operation)
        if rule is None:
            message = f"{self.where()}: no operation {operation!r:.80}"
            raise ReadError(message)
        try:
            work = rule(*reads, **settings)
        except CostModelError as error:
            message = f"{self.where()}: {error}"
            raise ShapeError(message) from error
        given = [value for value in reads if value is not None]
        if given and all(value.is_constant for value in given) and operation != "unsupported":
            made = self._results(operation, work, formats)
            self._hold(operation, given, settings, made)
            return made
        return self.append(operation, work, formats, settings, reads)

    def append(
        self,
        operation: str,
        work: Work,
        formats: Sequence[NumericFormat | None] = (),
        settings: Mapping[str, Any] | None = None,
        operands: Sequence[Value | None] = (),
    ) -> tuple[Value, ...]:
        """Add a node that does this work; returns the values that it gives.

        Raises:
            ReadError: there are too many.

        """
        if len(self.nodes) >= NODE_LIMIT:
            message = f"{self.name!r:.80} has more than {NODE_LIMIT:,} operations"
            raise ReadError(message)
        made = self._results(operation, work, formats)
        given = tuple(operands or work.reads)
        self.nodes.append(GraphNode(operation, settings or {}, work, made, *self._source, given))
        return made

    def _results(
        self, operation: str, work: Work, formats: Sequence[NumericFormat | None]
    ) -> tuple[Value, ...]:
        declared = [*formats, *[None] * len(work.results)]
        return tuple([
            self._value(self._source[0] or operation, tensor.shape, number)
            for tensor, number in zip(work.results, declared, strict=False)
        ])  # fmt: skip

    def body(self, name: str) -> Graph:
        """A graph for the body of a loop or branch, whose notes are those of the whole."""
        return Graph(name, self.frontend, notes=self.notes)

    def _hold(
        self, operation: str, given: Sequence[Value], settings: Mapping[str, Any],
        made: Sequence[Value],
    ) -> None:  # fmt: skip
        """What depends on constants alone is a constant, which is made once."""
        arrays = computed(operation, given, settings, made)
        if operation == "expand":
            made[0].stretched = given[0].stored
        for value, data in zip(made, arrays, strict=True):
            value.is_constant, value.data = True, data
            value.is_parameter = any(one.is_parameter for one in given)
            if value.format is None:
                value.format = given[0].format

    def _value(self, name: str, shape: Sequence[int | None], number: NumericFormat | None) -> Value:
        name = checked_name(name, self.name)
        count = self._names.get(name, 0)
        self._names[name] = count + 1
        return Value(f"{name}:{count}" if count else name, as_shape(shape), number)

    def take_back_arithmetic(self, count: int) -> bool:
        """Remove the nodes after the first `count` if one of them computes; whether one does."""
        computes = any(node.is_arithmetic for node in self.nodes[count:])
        if computes:
            del self.nodes[count:]
        return computes

    def where(self) -> str:
        """The node of the source of which nodes are added, in words."""
        name, kind = self._source
        return f"node {name!r:.80} of {kind}" if name else f"graph {self.name!r:.80}"
