"""From a graph to a network: a layer for each node of the source, with the workload that it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, field, frozen

from costmodel.errors import ShapeError
from costmodel.frontend.batch import has_batch_axis, without_batch_axis
from costmodel.frontend.formatted import with_formats
from costmodel.frontend.normalize.passes import normalize
from costmodel.network.graph import Network, Port
from costmodel.network.layer import DeclaredFormats, Input, Layer, Work
from costmodel.tensor.shapes import Shape, Tensor
from costmodel.workload.assembly import Assembly, numbered
from costmodel.workload.graph import Workload
from costmodel.workload.operators import Operator, Unsupported
from costmodel.workload.reasons import Free, Reason, Unpriced

if TYPE_CHECKING:
    from costmodel.formats import NumericFormat
    from costmodel.frontend.graph import Graph, GraphNode
    from costmodel.frontend.operations.work import Value

_VIEW = "the same elements, seen in another shape"


@frozen(slots=False)
class TranslatedLayer(Layer):
    """A node of a source that a frontend translated: its work is a given workload."""

    kinds: ClassVar[tuple[str, ...]] = ("translated",)

    body: Workload = field(kw_only=True)
    absorbs: int | None = field(default=None, kw_only=True)
    scales: int | None = field(default=None, kw_only=True)
    unknown: tuple[int, ...] = field(default=(), kw_only=True)
    """The places of outputs whose shape is not known."""

    def with_inputs(self, inputs: tuple[Tensor, ...]) -> Layer:
        """The same layer for inputs of the same shapes.

        Raises:
            ShapeError: other shapes, for which its source must be read again.

        """
        before = [tensor.shape for tensor in self.inputs]
        after = [tensor.shape for tensor in inputs]
        if before != after:
            message = (
                f"layer {self.name!r} of kind {self.kind!r} was read for an input of "
                f"{self._shown_inputs()}; read the source for other shapes: "
                "read(source, input_shapes={...})"
            )
            raise ShapeError(message)
        return super().with_inputs(inputs)

    def output_shapes(self) -> Sequence[Shape]:
        """Those of the workload."""
        return [self.body.tensors[name].shape for name in self.body.outputs]

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Those of the workload."""
        return {name: self.body.tensors[name].shape for name in self.body.weights}

    def declared_formats(self) -> Mapping[str, NumericFormat]:
        """Those of the weights of the workload."""
        own = {name: self.body.tensors[name].format for name in self.body.weights}
        found = {name: number for name, number in own.items() if number is not None}
        return {**found, **super().declared_formats()}

    def declared_result(self) -> NumericFormat | None:
        """That of what the workload gives."""
        return super().declared_result() or self.body.tensors[self.body.outputs[0]].format

    def operators(self) -> Work:
        """Those of the workload, or the reason why there are none."""
        found = self.formatted().operators
        if not found:
            return Free(_VIEW)
        if all(isinstance(one, Unsupported) for one in found):
            return Unpriced(found[0].reason)  # type: ignore[attr-defined]  # all are of that class
        return found

    def workload(self) -> Workload | Reason:
        """The given one, on tensors in the formats of the layer."""
        work = self.operators()
        return work if isinstance(work, Reason) else self.formatted()

    def formatted(self) -> Workload:
        """The workload on what the layer reads, holds and gives, in the formats of these."""
        body = self.body
        read = zip(body.inputs, self.inputs, strict=True)
        formats = {name: tensor.format for name, tensor in (*read, *self.parameters.items())}
        own = super().declared_result()
        if own is not None:
            formats |= dict.fromkeys(body.outputs, own)
        return with_formats(
            body, {name: number for name, number in formats.items() if number is not None}
        )

    @property
    def unknown_outputs(self) -> Sequence[int]:
        """Those that its source does not state, and that follow from nothing."""
        return self.unknown

    @property
    def absorbs_along(self) -> int | None:
        """As its last operation does."""
        return self.absorbs

    @property
    def scales_along(self) -> int | None:
        """As its only operation does."""
        return self.scales


def network_of(graph: Graph) -> Network:
    """The network of a graph: a layer for each source node, in the order in which they run."""
    normalize(graph)
    return _Networking(graph).network()


class _Networking:
    """A graph that becomes a network."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._ports: dict[int, Port] = {}
        self._layers: list[Layer] = []
        self._edges: dict[str, tuple[Port, ...]] = {}
        self._names: dict[str, int] = {}
        self._owners: dict[int, str] = {}
        self._read = {id(value): None for value in graph.outputs}
        self._is_example = graph.has_batch and all(
            has_batch_axis(value.shape) for value in graph.inputs
        )

    def network(self) -> Network:
        """All layers and edges."""
        graph = self._graph
        for value in graph.inputs:
            name = self._own_name(value.name)
            own = Input(
                name, "input", shape=self._shape(value),
                declared=DeclaredFormats(result=value.format),
            )  # fmt: skip
            self._layers.append(own)
            self._ports[id(value)] = Port(name, 0)
        chunks = list(_chunks(graph.nodes))
        last = {id(value): place for place, nodes in enumerate(chunks)
                for node in nodes for value in node.reads}  # fmt: skip
        for place, nodes in enumerate(chunks):
            self._add(nodes, last, place)
        outputs = [self._ports[id(value)] for value in graph.outputs if id(value) in self._ports]
        return Network(
            graph.name,
            tuple(self._layers),
            self._edges,
            tuple(dict.fromkeys(outputs)),
            notes=graph.notes,
        )

    def _add(self, nodes: Sequence[GraphNode], last: Mapping[int, int], place: int) -> None:
        first = nodes[0]
        body, reads, held, given = body_of(
            first.kind, nodes,
            lambda value: last.get(id(value), -1) > place or id(value) in self._read,
        )  # fmt: skip
        if not given:  # nobody reads it
            return
        name = self._own_name(first.source or first.operation)
        ports = tuple([self._ports[id(value)] for value in reads])
        inputs = tuple([Tensor(self._shape(value)) for value in reads])
        if self._is_example:
            body = without_batch_axis(body)
        shares = self._shared(name, held)
        alone = first.work.scales if len(nodes) == 1 else None
        self._layers.append(
            TranslatedLayer(
                name,
                first.kind,
                inputs,
                shares=shares,
                body=body,
                absorbs=self._axis(nodes[-1].work.absorbs, nodes[-1].writes[0]),
                scales=self._axis(alone, nodes[-1].writes[0]),
                unknown=tuple([place for place, value in enumerate(given) if value.unknown]),
            )
        )
        if ports:
            self._edges[name] = ports
        for index, value in enumerate(given):
            self._ports[id(value)] = Port(name, index)

    def _shape(self, value: Value) -> tuple[int, ...]:
        """The shape for one example."""
        return value.shape[1:] if self._is_example and has_batch_axis(value.shape) else value.shape

    def _axis(self, axis: int | None, value: Value) -> int | None:
        """The same axis of what is left of a value."""
        gone = value.rank - len(self._shape(value))
        return None if axis is None or axis < gone else axis - gone

    def _shared(self, name: str, held: Sequence[Value]) -> str | None:
        """The layer whose parameters these are all, if there is one."""
        owners = {self._owners.get(id(value)) for value in held}
        if held and len(owners) == 1 and None not in owners:
            return owners.pop()
        for value in held:
            self._owners.setdefault(id(value), name)
        return None

    def _own_name(self, name: str) -> str:
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name}:{count}"


def _chunks(nodes: Iterable[GraphNode]) -> Iterable[list[GraphNode]]:
    """Neighbouring nodes of one source node."""
    chunk: list[GraphNode] = []
    for node in nodes:
        if chunk and (not node.source or node.source != chunk[0].source):
            yield chunk
            chunk = []
        chunk.append(node)
    if chunk:
        yield chunk


def body_of(
    name: str, nodes: Sequence[GraphNode], is_given: object
) -> tuple[Workload, list[Value], list[Value], list[Value]]:
    """The workload of nodes; what it reads from outside, holds and gives, in order.

    `is_given` says of a value that one of the nodes gives whether others read it.
    """
    made = Assembly(name)
    written = {id(value) for node in nodes for value in node.writes}
    outside = {id(value): value for node in nodes for value in node.reads
               if id(value) not in written}  # fmt: skip
    reads = [value for value in outside.values() if not value.is_constant]
    held = [value for value in outside.values() if value.is_constant]
    names = {}
    for own, value in zip(numbered("input", len(reads)), reads, strict=True):
        names[id(value)] = made.input(own, Tensor(value.shape))
    for value in held:
        names[id(value)] = made.weight(_short(value.name), Tensor(value.shape, value.format))
    for node in nodes:
        _append(made, node, names)
    given = [value for node in nodes for value in node.writes if is_given(value)]  # type: ignore[operator]  # a function
    results = zip(numbered("output", len(given)), given, strict=True)
    body = made.workload({own: names[id(value)] for own, value in results})
    return body, reads, held, given


def assembled(
    body: Graph,
    results: Sequence[Value],
    reads: Sequence[Value],
    tensors: Mapping[int, Tensor],
    formats: Sequence[NumericFormat | None] = (),
) -> tuple[Workload, dict[int, str]]:
    """The workload of the body of a loop or branch, and the names in it of what it reads.

    Args:
        body: its nodes.
        results: what it gives, as `after0`, `after1` and so on.
        reads: the values from outside, of which those that nothing reads are left out.
        tensors: the tensors outside by the `id` of the value; others have no format.
        formats: those in which the first results are given.

    """
    made = Assembly(body.name)
    names: dict[int, str] = {}
    for place, value in enumerate(reads):
        number = tensors[id(value)].format if id(value) in tensors else None
        add = made.weight if value.is_constant else made.input
        names[id(value)] = add(f"in{place}", Tensor(value.shape, number))
    given = dict(names)
    for node in body.nodes:
        _append(made, node, names)
    for value, number in zip(results, formats, strict=False):
        names[id(value)] = made.seen_as(names[id(value)], Tensor(value.shape, number))
    afters = {f"after{place}": names[id(value)] for place, value in enumerate(results)}
    return made.workload(afters), given


def _append(made: Assembly, node: GraphNode, names: dict[int, str]) -> None:
    read = [names[id(value)] for value in node.reads]
    does = node.work.does
    if isinstance(does, Operator):
        written: Sequence[str] = made.node(_with_results(does, node.writes), *read).writes
    elif not isinstance(does, tuple):
        body = node.work.workload([made.tensor(name) for name in read])
        given = made.inline(body, dict(zip(body.sources, read, strict=True)))
        written = [
            made.seen_as(name, Tensor(value.shape, value.format))
            for name, value in zip(given, node.writes, strict=True)
        ]
    else:
        held = made.tensor(read[0])  # a view has the format of what it shows
        written = [made.view(read[0], Tensor(does, held.format))]
    for value, name in zip(node.writes, written, strict=True):
        names[id(value)] = name


def _with_results(operator: Operator, results: Sequence[Value]) -> Operator:
    """The operator whose results have the formats that are declared of these values."""
    if all(value.format is None for value in results):
        return operator
    arriving = iter(results)
    operands = [
        evolve(operand, tensor=Tensor(operand.tensor.shape, next(arriving).format))
        if operand.role == "output"
        else operand
        for operand in operator.operands
    ]
    return evolve(operator, operands=operands)


def _short(name: str) -> str:
    """The last part of the name of a parameter, such as `weight` of `encoder.0.weight`."""
    return name.replace("/", ".").rpartition(".")[2] or name
