"""Conventions: named sets of counting rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from attrs import evolve, frozen

from costmodel.conventions.folding import folded
from costmodel.conventions.lowering import BATCH, joined
from costmodel.errors import NetworkError, ShapeError
from costmodel.network import layer_formats
from costmodel.network.layer import work_of
from costmodel.tensor.shapes import Shape, Tensor, show_shape
from costmodel.workload.assembly import chained
from costmodel.workload.format_inference import between
from costmodel.workload.graph import Loop, Node
from costmodel.workload.operators import Contraction, Operator
from costmodel.workload.reasons import Free, Reason

if TYPE_CHECKING:
    from costmodel.conventions.lowering import Body
    from costmodel.devices import Device
    from costmodel.formats import NumericFormat
    from costmodel.network.graph import Network
    from costmodel.network.layer import Layer, Work
    from costmodel.scenario import Scenario
    from costmodel.tensor.sizes import Symbol
    from costmodel.workload.graph import Step, Workload


@frozen
class LayerWork:
    """A layer and the work that a convention counts for it."""

    layer: Layer
    work: Work

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

    A subclass replaces `work` to count otherwise, or `adapt` to charge otherwise.
    """

    counts_one_timestep: ClassVar[bool] = False
    """Whether it counts one timestep, also of a network that has a time axis of its own."""

    name: str = "costmodel"
    title: str = "the true count of what an inference computes"

    def lower(self, network: Network, scenario: Scenario, batch: int | Symbol = BATCH) -> Workload:
        """The workload of a bound network, for a batch; its size is a symbol unless given.

        A layer that is folded keeps its nodes, which say into which node they fold.
        """
        return self._lowered(network, scenario, batch, infers=True)

    def lower_as_declared(
        self, network: Network, scenario: Scenario, batch: int | Symbol = BATCH
    ) -> Workload:
        """The same with the formats that are declared alone: `infer` finds the others."""
        return self._lowered(network, scenario, batch, infers=False)

    def _lowered(
        self, network: Network, scenario: Scenario, batch: int | Symbol, *, infers: bool
    ) -> Workload:
        declared = layer_formats.declared(network)
        works, folds = self._works_and_folds(declared, scenario)
        _check_number(declared, works)
        known: dict[int, Body] = {}
        bodies: dict[str, Body] = {}
        for layer in declared.layers:
            work = works[layer.name]
            if id(work) not in known:
                body = self.body(layer, work)
                sums = layer.declared.accumulator
                if sums is not None and not isinstance(body, Reason):
                    body = _accumulating(body, sums)
                known[id(work)] = body
            bodies[layer.name] = known[id(work)]
        return joined(declared, bodies, scenario, folds, self.shape_of, batch, infers=infers)

    def body(self, layer: Layer, work: Work) -> Body:
        """What is counted for one layer, with the tensors that its operators share."""
        if isinstance(work, Reason):
            return work
        cls = type(self)
        is_true_count = (cls.work, cls.works) == (Convention.work, Convention.works)
        if is_true_count or _is_its_own(layer, work):
            return layer.workload_of_example()
        inputs, outputs = (
            [Tensor(self.shape_of(one.example_shape), one.format) for one in tensors]
            for tensors in (layer.inputs, layer.outputs)
        )
        return chained(layer.kind, work, inputs, layer.parameters, outputs)

    def shape_of(self, shape: Shape) -> Shape:
        """The part of a tensor of a layer that is counted: all of it by default."""
        return shape

    def work_by_layer(self, network: Network, scenario: Scenario) -> tuple[LayerWork, ...]:
        """The work of every layer of a bound network, in topological order."""
        network = layer_formats.infer(network, scenario)
        works, folds = self._works_and_folds(network, scenario)
        known: dict[int, Work] = {}
        done = []
        for layer in network.layers:
            work = works[layer.name]
            if layer.name in folds:
                done.append(LayerWork(layer, _FOLDED))
                continue
            if id(work) not in known:
                known[id(work)] = _with_formats(work, scenario)
            done.append(LayerWork(layer, known[id(work)]))
        return tuple(done)

    def folds_of(self, network: Network, scenario: Scenario) -> Mapping[str, str]:
        """For every layer of a bound network that is folded at inference, what absorbs it."""
        return self._works_and_folds(layer_formats.declared(network), scenario)[1]

    def _works_and_folds(
        self, network: Network, scenario: Scenario
    ) -> tuple[Mapping[str, Work], Mapping[str, str]]:
        def made() -> tuple[Mapping[str, Work], Mapping[str, str]]:
            works = self.works(network)
            return works, self.folds(network, works)

        return network.derived((scenario, self), "works and folds", made)

    def works(self, network: Network) -> Mapping[str, Work]:
        """The work of every layer by its name, once for those that differ in their names alone."""
        known: dict[object, Work] = {}
        works = {}
        for layer in network.layers:
            structural_key = layer.structural_key
            if structural_key not in known:
                known[structural_key] = self.work(layer)
            works[layer.name] = known[structural_key]
        return works

    def work(self, layer: Layer) -> Work:
        """What this convention counts for one layer."""
        if not layer.is_bound:
            taken = " and ".join(
                show_shape(t.example_shape) for t in (*layer.inputs, *layer.outputs)[:1]
            )
            if layer.inputs and all(tensor.is_bound for tensor in layer.inputs):
                given = " and ".join(show_shape(tensor.example_shape) for tensor in layer.outputs)
                message = (
                    f"layer {layer.name!r} gives {given}, and what the open axis is does not "
                    "follow from its inputs; read the network for these shapes from its source: "
                    "read(source, input_shapes={...})"
                )
                raise ShapeError(message)
            message = (
                f"layer {layer.name!r} has an open axis; bind it with "
                f"Scenario(input_shapes={{...}}) or --input-shape (its shape is {taken})"
            )
            raise ShapeError(message)
        return work_of(layer)

    def folds(self, network: Network, works: Mapping[str, Work]) -> Mapping[str, str]:
        """For every scale-and-shift layer that a linear layer absorbs at inference, that layer.

        It is absorbed along the axis of its constants by parameters that nobody else uses, of a
        layer whose result nobody else reads.
        """
        return folded(network, works)

    def adapt(self, device: Device) -> Device:
        """The device as this convention charges on it: as it is by default."""
        return device


def _accumulating(body: Workload, accumulator: NumericFormat) -> Workload:
    """The work of a layer with its sums of products in a format."""
    steps: list[Step] = []
    for step in body.steps:
        match step:
            case Node(operator=Contraction() as operator):
                kept = evolve(operator, accumulator=accumulator)
                steps.append(evolve(step, operator=kept))
            case Loop():
                steps.append(evolve(step, body=_accumulating(step.body, accumulator)))
            case _:
                steps.append(step)
    return evolve(body, steps=steps)


OPERATOR_LIMIT: Final = 2**17
"""The most operators of a workload: no network that anyone runs has a tenth of it."""


def _check_number(network: Network, works: Mapping[str, Work]) -> None:
    counts = {name: 0 if isinstance(work, Reason) else len(work) for name, work in works.items()}
    total = sum(counts.values())
    if total > OPERATOR_LIMIT:
        most = max(counts, key=lambda name: counts[name])
        message = (
            f"network {network.name!r:.80} has {total:,} operators, {counts[most]:,} of them in "
            f"layer {most!r:.80}; expected at most {OPERATOR_LIMIT:,}: divide it into several "
            "networks"
        )
        raise NetworkError(message)


def _with_formats(work: Work, scenario: Scenario) -> Work:
    return work if isinstance(work, Reason) else between(work, scenario.default_format)


def _is_its_own(layer: Layer, work: Sequence[Operator]) -> bool:
    """Whether what is counted are the operators of the layer itself."""
    own = work_of(layer) if layer.is_bound else ()
    return not isinstance(own, Reason) and tuple(own) == tuple(work)


_FOLDED = Free("folded into the linear layer before it at inference")
