"""From a network to a workload: the work of every layer, joined by the tensors between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from costmodel.network.layer import Layer, Source
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import Symbol
from costmodel.workload.assembly import Assembly, numbered
from costmodel.workload.graph import Workload
from costmodel.workload.operators import Unsupported, unmapped
from costmodel.workload.reasons import Reason, Unpriced

if TYPE_CHECKING:
    from costmodel.network.graph import Network, Port
    from costmodel.scenario import Scenario
    from costmodel.tensor.shapes import Shape

BATCH: Final = Symbol("batch")
"""The size of the batch in every workload that a network is lowered to."""

Body: TypeAlias = Workload | Reason
"""The work of one layer for one example, or why there is none."""


def joined(
    network: Network,
    bodies: Mapping[str, Body],
    scenario: Scenario,
    folds: Mapping[str, str],
    shape_of: Callable[[Shape], Shape],
    batch: int | Symbol = BATCH,
    *,
    infers: bool = True,
) -> Workload:
    """The workload of a network whose layers have these bodies.

    `folds` names for a layer the one whose parameters absorb it; `shape_of` gives the part of a
    tensor that is counted. Layers that share their parameters read the same tensors. Formats that
    are not declared are inferred, unless `infers` is false.
    """
    joining = _Joining(network, scenario, folds, shape_of, batch)
    for layer in network.layers:
        joining.add(layer, bodies[layer.name])
    return joining.workload(infers=infers)


class _Joining:
    """A network that becomes a workload, layer by layer."""

    def __init__(
        self,
        network: Network,
        scenario: Scenario,
        folds: Mapping[str, str],
        shape_of: Callable[[Shape], Shape],
        batch: int | Symbol,
    ) -> None:
        self._network, self._shape_of = network, shape_of
        self._scenario, self._batch = scenario, batch
        self._folds, self._absorbed_by = folds, set(folds.values())
        self._last_nodes: dict[str, str | None] = {}
        self._made = Assembly(network.name or "network")
        self._tensors: dict[tuple[str, int], str] = {}
        self._weights: dict[tuple[str, str], str] = {}
        self._constant: set[str] = set()
        self._batched: dict[int, tuple[Workload, Workload]] = {}

    def add(self, layer: Layer, body: Body) -> None:
        """Add the steps of a layer, or views where it has none."""
        sources = self._network.sources(layer.name)
        if isinstance(body, Unpriced):
            body = self._unsupported(layer, body)
        if isinstance(layer, Source):
            self._arrive(layer)
        elif isinstance(body, Reason):
            self._pass(layer, sources)
        else:
            self._inline(layer, sources, body)

    def workload(self, *, infers: bool) -> Workload:
        """The whole, which gives what the network does."""
        outputs = dict.fromkeys([self._tensors[port] for port in self._network.outputs])
        default = self._scenario.default_format if infers else None
        return self._made.workload(list(outputs), default, as_declared=not infers)

    def _arrive(self, layer: Layer) -> None:
        for place, tensor in enumerate(layer.outputs):
            declared = self._scenario.source_format or tensor.format
            stacked = Tensor((self._batch, *self._shape_of(tensor.example_shape)), declared)
            self._tensors[layer.name, place] = self._made.input(_output(layer, place), stacked)

    def _pass(self, layer: Layer, sources: tuple[Port, ...]) -> None:
        """The outputs of a layer without work: its inputs in other shapes, or constants."""
        outputs = self._counted(layer.outputs)
        is_constant = all(port.layer in self._constant for port in sources)
        if is_constant:
            self._constant.add(layer.name)
        rest = list(sources)
        for place, tensor in enumerate(outputs):
            name = _output(layer, place)
            source = next((one for one in rest if self._fits(one, tensor)), None)
            if source is None and is_constant:
                self._tensors[layer.name, place] = self._made.weight(name, tensor)
                continue
            source = source or rest[0] if rest else sources[0]
            if source in rest:
                rest.remove(source)
            self._tensors[layer.name, place] = self._seen(source, tensor, name, layer.name)
        for key, tensor in layer.parameters.items():
            if layer.shares is None:
                self._parameter(layer, key, tensor)

    def _fits(self, port: Port, tensor: Tensor) -> bool:
        (given,) = self._counted([self._network.layer(port.layer).outputs[port.output]])
        return given.size == tensor.size

    def _counted(self, tensors: Iterable[Tensor]) -> list[Tensor]:
        """What is counted of tensors."""
        return [Tensor(self._shape_of(one.example_shape), one.format) for one in tensors]

    def _seen(self, port: Port, tensor: Tensor, name: str, layer: str) -> str:
        source = self._tensors[port]
        held = self._made.tensor(source)
        shape = tensor.shape if port.layer in self._constant else (self._batch, *tensor.shape)
        wanted = Tensor(shape, held.format)
        kind = "reshape" if self._fits(port, tensor) else "other"
        seen = self._made.view(source, wanted, kind, name=name, layer=layer)
        if tensor.format is not None and tensor.format != held.format:
            declared = Tensor(shape, tensor.format)
            seen = self._made.view(seen, declared, "convert", name=name, layer=layer)
        return seen

    def _inline(self, layer: Layer, sources: tuple[Port, ...], body: Workload) -> None:
        whole = self._for_a_batch(body)
        names = numbered("input", len(sources))
        given = {name: self._tensors[port] for name, port in zip(names, sources, strict=True)}
        for key in body.weights:
            tensor = body.tensors[key]
            given[key] = (
                self._parameter(layer, key, tensor)
                if key in layer.parameters
                else self._made.weight(f"{layer.name}/{key}", tensor)
            )
        for key, tensor in layer.parameters.items():
            if key not in given:
                self._parameter(layer, key, tensor)
        into = self._last_nodes.get(self._folds.get(layer.name, ""))
        written = self._made.inline(whole, given, f"{layer.name}/", layer.name, into)
        if layer.name in self._absorbed_by:
            self._last_nodes[layer.name] = self._made.newest_node
        for place, name in enumerate(written):
            self._tensors[layer.name, place] = name

    def _unsupported(self, layer: Layer, reason: Unpriced) -> Workload:
        """A node for what nobody knows, which reads all that the layer takes."""
        inputs, outputs = self._counted(layer.inputs), self._counted(layer.outputs)
        operands = [
            *unmapped("input", inputs), *unmapped("weight", layer.parameters.values()),
            *unmapped("output", outputs),
        ]  # fmt: skip
        made = Assembly(layer.kind)
        names = numbered("input", len(inputs))
        reads = [made.input(*pair) for pair in zip(names, inputs, strict=True)]
        reads += [made.weight(name, tensor) for name, tensor in layer.parameters.items()]
        node = made.node(Unsupported(reason=reason.reason, operands=operands), *reads)
        pairs = zip(numbered("output", len(outputs)), node.writes, strict=True)
        return made.workload(dict(pairs))

    def _parameter(self, layer: Layer, name: str, tensor: Tensor) -> str:
        """The tensor of a parameter, which is that of the layer whose parameters it shares."""
        owner = self._network.layer(layer.shares) if layer.shares else layer
        held = owner.parameters
        if name not in held:  # a function has its own name for a weight of a model
            name = next((one for one in held if held[one].shape == tensor.shape), name)
        key = owner.name, name
        if key not in self._weights:
            self._weights[key] = self._made.weight(f"{owner.name}/{name}", tensor)
        return self._weights[key]

    def _for_a_batch(self, body: Workload) -> Workload:
        known = self._batched.get(id(body))
        if known is None:
            known = self._batched[id(body)] = body, body.repeated(self._batch, "batch")
        return known[1]


def _output(layer: Layer, place: int) -> str:
    return f"{layer.name}:{place}" if place else layer.name
