"""Firing rates along the edges of a network: what arrives at each operator."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import asdict, evolve, field, frozen

from costmodel.convention import LayerWork
from costmodel.errors import ScenarioError
from costmodel.scenario import HOW_TO_GIVE_RATES, Scenario
from costmodel.workload.operators import Movement
from costmodel.workload.reasons import Free, Reason

if TYPE_CHECKING:
    from costmodel.layer import Work
    from costmodel.network import Network
    from costmodel.tensor import Shape, Tensor
    from costmodel.workload.operators import Operand, Operator


@frozen(eq=False)
class Source:
    """What feeds one input of a layer: the layer that gives it, and the tensor.

    `passes` are the sources of a layer that only passes its inputs on: one whose work is free or
    a movement of elements, such as a reshape, a concatenation or dropout.
    """

    layer: str
    tensor: Tensor
    passes: tuple[Source, ...] = field(default=(), repr=False)


def with_sources(network: Network, lowered: Iterable[LayerWork]) -> tuple[LayerWork, ...]:
    """The lowered layers of a network, each with the sources of its inputs."""
    lowered = tuple(lowered)
    work = {item.layer.name: item.work for item in lowered}
    made: dict[tuple[str, int], Source] = {}
    feeds: dict[str, tuple[Source, ...]] = {}
    for layer in network.layers:
        fed = feeds[layer.name] = tuple(made[port] for port in network.sources(layer.name))
        passes = fed if _passes_on(work.get(layer.name, ())) else ()
        for index, tensor in enumerate(layer.outputs):
            made[layer.name, index] = Source(layer.name, tensor, passes)
    return tuple(
        LayerWork(item.layer, item.work, feeds.get(item.layer.name, ())) for item in lowered
    )


def _passes_on(work: Work) -> bool:
    if isinstance(work, Reason):
        return isinstance(work, Free)
    return bool(work) and all(isinstance(operator, Movement) for operator in work)


def _elements(tensor: Tensor) -> int:
    """The number of elements; an open axis, such as time, counts as one."""
    return math.prod(length or 1 for length in tensor.example_shape)


@frozen(kw_only=True)
class Arriving(Scenario):
    """The conditions of one operator whose inputs have rates of their own, in hertz.

    `problem` says why a rate is not known, where that is so.
    """

    arriving: tuple[float, ...] = ()
    problem: str | None = None

    @property
    def rate(self) -> float:
        """The mean over the inputs.

        It is exact where each output element has one connection from each input.
        """
        return math.fsum(self._known()) / len(self.arriving)

    def spike_rate(self, inputs: Sequence[Operand]) -> float:
        """The mean over all elements of the inputs."""
        return _mean(
            [(rate, tensor.size) for rate, tensor in zip(self._known(), inputs, strict=True)]
        )

    def _known(self) -> tuple[float, ...]:
        if self.problem is not None:
            raise ScenarioError(self.problem)
        return self.arriving


@frozen
class Conditions:
    """The conditions of the operators of one layer: the same, or by the rates of their inputs."""

    scenario: Scenario
    inputs: tuple[Tensor, ...] = ()
    rates: tuple[float, ...] = ()

    @property
    def key(self) -> object:
        """What differs between the layers of a network."""
        local = self.scenario
        problem = local.problem if isinstance(local, Arriving) else None
        return local.rates, local.input_rates, problem, self.rates and (self.inputs, self.rates)

    def of(self, operator: Operator) -> Scenario:
        """The conditions of one operator.

        An operator on all inputs of the layer takes each with its rate. A tensor made within the
        layer takes the mean over the elements of the layer's inputs of its shape, or of all; so
        does an operator that names no inputs.
        """
        if not self.rates:
            return self.scenario
        shapes = [tensor.example_shape for tensor in self.inputs]
        taken: list[Shape | None] = [tensor.shape for tensor in operator.inputs]
        if taken == shapes:
            return _arriving(self.scenario, self.rates)
        return _arriving(self.scenario, tuple(map(self._rate_of, taken or [None])))

    def _rate_of(self, shape: Shape | None) -> float:
        pairs = list(zip(self.rates, self.inputs, strict=True))
        alike = [pair for pair in pairs if pair[1].example_shape == shape] or pairs
        return _mean([(rate, _elements(each)) for rate, each in alike])


@frozen
class Activity:
    """The rates of a scenario, propagated to the layers that they arrive at."""

    scenario: Scenario
    _known: dict[int, float | None] = field(factory=dict, init=False, repr=False)

    def at(self, lowered: LayerWork) -> Conditions:
        """The conditions of one layer."""
        scenario = self.scenario
        if not isinstance(scenario.rates, Mapping):
            return Conditions(scenario.at(lowered.layer.name))
        sources, inputs = lowered.sources, lowered.layer.inputs
        if inputs and not sources:
            message = (
                "rates of layers need to know what feeds each layer; "
                "make it with costmodel.work_by_layer(network, scenario), of the same scenario"
            )
            return Conditions(_arriving(scenario, (), message))
        found = [self._rate(source) for source in sources]
        silent = [source.layer for source, rate in zip(sources, found, strict=True) if rate is None]
        if silent:
            message = (
                f"an event-driven device needs the output rate of {', '.join(map(repr, silent))}, "
                f"which feeds it: {HOW_TO_GIVE_RATES}"
            )
            return Conditions(_arriving(scenario, (), message))
        rates = tuple(rate for rate in found if rate is not None)
        if len(set(rates)) > 1:
            return Conditions(_arriving(scenario, ()), inputs, rates)
        return Conditions(evolve(scenario, rates=rates[0] if rates else None))

    def _rate(self, source: Source) -> float | None:
        """The rate of a source: its own, or that of what it passes on, or that of all others.

        Without recursion, since layers that pass on may stand in a long row.
        """
        known, waiting = self._known, [source]
        while waiting:
            top = waiting[-1]
            given = self.scenario.output_rate(top.layer)
            behind = top.passes if given is None else ()
            missing = [each for each in behind if id(each) not in known]
            if missing:
                waiting.extend(missing)
                continue
            rates = [(known[id(each)], _elements(each.tensor)) for each in behind]
            passed = [(rate, elements) for rate, elements in rates if rate is not None]
            if given is None and behind and len(passed) == len(rates):
                given = _mean(passed)
            known[id(top)] = self.scenario.other_output_rate if given is None else given
            waiting.pop()
        return known[id(source)]


def _arriving(scenario: Scenario, rates: tuple[float, ...], problem: str | None = None) -> Arriving:
    given = asdict(scenario, recurse=False)
    return Arriving(**{**given, "rates": None, "arriving": rates, "problem": problem})


def _mean(weighted: Sequence[tuple[float, int]]) -> float:
    """The mean of rates by their numbers of elements."""
    if len({rate for rate, _ in weighted}) == 1:
        return weighted[0][0]
    total = sum(elements for _, elements in weighted)
    return math.fsum(rate * elements for rate, elements in weighted) / total
