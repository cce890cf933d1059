"""Conventions: named sets of counting rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen

from costmodel import formats
from costmodel.errors import ShapeError
from costmodel.layer import work_of
from costmodel.tensor import show_shape
from costmodel.workload.format_inference import between
from costmodel.workload.operators import Contraction, Operator
from costmodel.workload.reasons import Free, Reason

if TYPE_CHECKING:
    from costmodel.activity import Source
    from costmodel.devices import Device, Outcome
    from costmodel.layer import Layer, Work
    from costmodel.network import Network
    from costmodel.scenario import Scenario


@frozen
class LoweredLayer:
    """A layer and the work that a convention counts for it.

    `sources` are what feeds its inputs, where `costmodel.lower` made it.
    """

    layer: Layer
    work: Work
    sources: tuple[Source, ...] = field(default=(), eq=False, repr=False)

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The operators, none where the work is free or unpriced."""
        return () if isinstance(self.work, Reason) else tuple(self.work)

    @property
    def macs(self) -> int:
        """Multiply-accumulates under this convention."""
        return sum([operator.macs for operator in self.operators])


@frozen
class Convention:
    """The true count: every multiply-accumulate that an inference needs, and nothing else.

    A subclass replaces `work` to count otherwise, or `price` to charge otherwise.
    """

    counts_one_timestep: ClassVar[bool] = False
    """Whether it counts one timestep, also of a network that has a time axis of its own."""

    name: str = "costmodel"
    title: str = "the true count of what an inference computes"

    def lower(self, network: Network, scenario: Scenario) -> tuple[LoweredLayer, ...]:
        """The work of every layer of a bound network, in topological order."""
        known: dict[object, Work] = {}
        lowered = {}
        for layer in formats.infer(network, scenario).layers:
            work = known.get(layer.likeness)
            if work is None:
                counted = self.work(layer)
                work = known[layer.likeness] = _with_formats(counted, scenario)
            lowered[layer.name] = LoweredLayer(layer, work)
        return tuple(self.fold(network, lowered).values())

    def work(self, layer: Layer) -> Work:
        """What this convention counts for one layer."""
        if not layer.is_bound:
            taken = " and ".join(
                show_shape(t.example_shape) for t in (*layer.inputs, *layer.outputs)[:1]
            )
            message = (
                f"layer {layer.name!r} has an open axis; bind it with "
                f"Scenario(input_shapes={{...}}) or --input-shape (its shape is {taken})"
            )
            raise ShapeError(message)
        return work_of(layer)

    def fold(
        self, network: Network, lowered: Mapping[str, LoweredLayer]
    ) -> Mapping[str, LoweredLayer]:
        """Free every scale-and-shift layer that the linear layer before it absorbs at inference.

        It is absorbed along the axis of its constants by parameters that nobody else uses, of a
        layer whose result nobody else reads.
        """
        distinct = {layer.likeness: layer for layer in network.layers}
        axes = {likeness: layer.scales_along for likeness, layer in distinct.items()}
        scaling = [layer for layer in network.layers if axes[layer.likeness] is not None]
        if not scaling:
            return lowered
        read = [port for ports in network.edges.values() for port in ports]
        readers = Counter([layer for layer, _ in (*read, *network.outputs)])
        shared = {
            name for layer in network.layers if layer.shares for name in (layer.name, layer.shares)
        }
        folded = dict(lowered)
        linear: dict[str, str] = {}
        for layer in scaling:
            source = network.sources(layer.name)[0].layer
            absorber = linear.get(source, source)
            if (
                readers[source] == 1
                and absorber not in shared
                and network.layer(absorber).absorbs_along == axes[layer.likeness]
                and _ends_linear(lowered[absorber].work)
            ):
                folded[layer.name] = LoweredLayer(layer, _FOLDED)
                linear[layer.name] = absorber
        return folded

    def price(self, device: Device, operator: Operator, scenario: Scenario) -> Outcome:
        """What this convention charges for one operator: what the device says."""
        return device.price(operator, scenario)


def _with_formats(work: Work, scenario: Scenario) -> Work:
    return work if isinstance(work, Reason) else between(work, scenario.default_format)


_FOLDED = Free("folded into the linear layer before it at inference")


def _ends_linear(work: Work) -> bool:
    if isinstance(work, Reason):
        return False
    operators = list(work)
    last = operators[-1] if operators else None
    return isinstance(last, Contraction) and bool(last.weights)
