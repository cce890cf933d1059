"""Firing rates by layer, resolved to the tensors of a workload: what arrives at each operator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import asdict, evolve, field, frozen

from costmodel.errors import ScenarioError
from costmodel.scenario import HOW_TO_GIVE_RATES, Scenario
from costmodel.workload.graph import Branch, Loop, Node, Step, View
from costmodel.workload.operators import Movement

if TYPE_CHECKING:
    from costmodel.tensor.shapes import Shape
    from costmodel.workload.graph import Workload
    from costmodel.workload.operators import Operand, Operator


@frozen(kw_only=True)
class Arriving(Scenario):
    """The conditions of one operator whose inputs have rates of their own, in hertz.

    `shapes` are those of the inputs. `problem` says why a rate is not known, where that is so.
    """

    arriving: tuple[float, ...] = ()
    shapes: tuple[Shape, ...] = ()
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

    def of_part(self, part: Operator) -> Scenario:
        """The conditions of a part: each input has the rate of those of its shape, or of all."""
        pairs = list(zip(self.arriving, self.shapes, strict=True))
        shapes = [tensor.shape for tensor in part.inputs] or [()]
        rates = [_of_shape(pairs, shape) for shape in shapes]
        return evolve(self, arriving=tuple(rates), shapes=tuple(shapes))

    def _known(self) -> tuple[float, ...]:
        if self.problem is not None:
            raise ScenarioError(self.problem)
        return self.arriving


@frozen(kw_only=True)
class ByLayer(Scenario):
    """The conditions of the operators of one workload, where rates are given by layer."""

    of_nodes: Mapping[str, Scenario] = field(factory=dict, repr=False)
    """By the name of the node."""
    of_bodies: Mapping[str, tuple[Scenario, ...]] = field(factory=dict, repr=False)
    """Those of the workloads within a loop or branch, by its name."""

    def of_node(self, node: Node) -> Scenario:
        """The conditions of one node."""
        return self.of_nodes[node.name]

    def within(self, step: Loop | Branch) -> tuple[Scenario, ...]:
        """The conditions of the body of a loop, or of each alternative of a branch."""
        return self.of_bodies[step.name]


def resolved(workload: Workload, scenario: Scenario) -> Scenario:
    """The conditions with rates by layer resolved to what each node of a workload reads.

    The output of a layer has the rate of the layer. A step that only passes elements on (a view,
    a movement, a folded normalization) has the rate of what it reads, unless its layer has one.
    A tensor that is made within a layer has the mean over the elements of what the layer reads
    of its shape, or of all.
    """
    if isinstance(scenario.rates, Mapping):
        return _OutputRates(workload, scenario, {}, "").resolved()
    if isinstance(scenario.input_rates, Mapping):
        return _by_input_rates(workload, scenario, "")
    return scenario


def _by_input_rates(workload: Workload, scenario: Scenario, whole: str) -> Scenario:
    local: dict[object, Scenario] = {}
    """By the rate, so that equal conditions are one value."""
    nodes, bodies = {}, {}
    for step in workload:
        layer = step.layer or whole or step.name
        if isinstance(step, Node):
            found = scenario.at(layer)
            nodes[step.name] = local.setdefault(found.input_rates, found)
        elif not isinstance(step, View):
            within = (step.body,) if isinstance(step, Loop) else step.alternatives
            bodies[step.name] = tuple([_by_input_rates(one, scenario, layer) for one in within])
    return _by_layer(scenario, nodes, bodies)


class _OutputRates:
    """The rates of the tensors of a workload, step by step.

    `arriving` are those of its inputs, where it is the body of a loop or branch of layer `whole`.
    """

    def __init__(
        self,
        workload: Workload,
        scenario: Scenario,
        arriving: Mapping[str, float | None],
        whole: str,
    ) -> None:
        self._workload, self._scenario, self._whole = workload, scenario, whole
        self._weights = set(workload.weights)
        self._makers: dict[str, str] = {}
        self._rates: dict[str, float | None] = dict(arriving)
        """Of every tensor as layers other than its maker read it."""
        self._seen: dict[str, float | None] = {}
        """Of what a layer that computes sees of the tensors that it reads."""
        for name in workload.inputs:
            if name not in arriving:
                self._makers[name] = name
                self._rates[name] = self._given(name)
        self._read: dict[str, dict[str, None]] = {}
        """The tensors that each layer reads from others."""
        self._local: dict[object, Scenario] = {}
        """The conditions that were made so far, so that equal ones are one value."""
        self._computing: set[str] = set()
        """Layers that do more than pass elements on."""
        for step in workload:
            if not _passes(step):
                self._computing.add(self._layer(step))

    def resolved(self) -> Scenario:
        nodes, bodies = {}, {}
        for step in self._workload:
            self._read_by(step)
        for step in self._workload:
            if isinstance(step, Node):
                nodes[step.name] = self._conditions(step)
            elif isinstance(step, Loop | Branch):
                bodies[step.name] = self._bodies(step)
            for name in step.writes:
                self._write(name, step)
        return _by_layer(self._scenario, nodes, bodies)

    def _layer(self, step: Step) -> str:
        """The layer of a step; of one without a layer the layer around it, or its own name."""
        return step.layer or self._whole or step.name

    def _given(self, layer: str) -> float | None:
        """The rate of a layer of its own, or that of all others."""
        given = self._scenario.output_rate(layer)
        return self._scenario.other_output_rate if given is None else given

    def _read_by(self, step: Step) -> None:
        """Take down who writes and reads what."""
        layer = self._layer(step)
        read = self._read.setdefault(layer, {})
        for name in step.reads:
            if name not in self._weights and self._makers.get(name) != layer:
                read[name] = None
        for name in step.writes:
            self._makers[name] = layer

    def _write(self, name: str, step: Step) -> None:
        layer = self._layer(step)
        own = self._scenario.output_rate(layer)
        if layer in self._computing:
            self._seen[name] = self._of_view(step, layer)
        elif own is None and _passes(step):
            own = self._passed(step)
        self._rates[name] = self._scenario.other_output_rate if own is None else own

    def _of_view(self, step: Step, layer: str) -> float | None:
        """The rate of what a layer sees of a tensor from outside; None of what it makes."""
        if not isinstance(step, View) or step.source in self._weights:
            return None
        if self._makers.get(step.source) == layer:
            return self._seen.get(step.source)
        return self._rates[step.source]

    def _passed(self, step: Step) -> float | None:
        """The mean over what a step reads."""
        names = [name for name in step.reads if name not in self._weights]
        rates = [(self._rate(name, self._layer(step)), self._size(name)) for name in names]
        known = [(rate, size) for rate, size in rates if rate is not None]
        return _mean(known) if known and len(known) == len(rates) else None

    def _rate(self, name: str, layer: str) -> float | None:
        """The rate of a tensor for a layer that reads it."""
        is_own = self._makers.get(name) == layer and layer in self._computing
        seen = self._seen.get(name) if is_own else self._rates.get(name)
        if name in self._weights or (is_own and seen is None):
            return self._within(self._workload.tensors[name].shape, layer)
        return seen

    def _within(self, shape: Shape | None, layer: str) -> float | None:
        """The rate of a tensor that is made within a layer, or of all that it reads."""
        pairs = [
            (rate, self._workload.tensors[name].shape)
            for name in self._read.get(layer, ())
            if (rate := self._rates.get(name)) is not None
        ]
        return _of_shape(pairs, shape) if pairs else None

    def _conditions(self, node: Node) -> Scenario:
        scenario, layer = self._scenario, self._layer(node)
        silent = [name for name in self._read.get(layer, ()) if self._rates.get(name) is None]
        if silent:
            return self._silent(silent)
        pairs = zip(node.operator.operands, node.tensors, strict=True)
        inputs = [(operand.shape, name) for operand, name in pairs if operand.role == "input"]
        rates = [self._rate(name, layer) for _, name in inputs] or [self._within(None, layer)]
        known = tuple([rate for rate in rates if rate is not None])
        if len(known) < len(rates):
            return self._once(None, lambda: evolve(scenario, rates=None))
        if len({*known, *[self._rates[name] for name in self._read.get(layer, ())]}) == 1:
            return self._once(known[0], lambda: evolve(scenario, rates=known[0]))
        shapes = tuple([shape for shape, _ in inputs]) or ((),)
        return self._once((known, shapes), lambda: _arriving(scenario, known, shapes))

    def _once(self, key: object, make: Callable[[], Scenario]) -> Scenario:
        if key not in self._local:
            self._local[key] = make()
        return self._local[key]

    def _silent(self, names: Iterable[str]) -> Scenario:
        layers = dict.fromkeys([self._makers.get(name) or self._whole or name for name in names])
        message = (
            f"an event-driven device needs the output rate of {', '.join(map(repr, layers))}, "
            f"which feeds it: {HOW_TO_GIVE_RATES}"
        )
        return _arriving(self._scenario, (), (), message)

    def _bodies(self, step: Loop | Branch) -> tuple[Scenario, ...]:
        """The conditions within: what starts as zeros, or is made within, has the mean of all."""
        layer = self._layer(step)
        mean = self._within(None, layer)
        if isinstance(step, Branch):
            given = {name: self._rate(name, layer) for name in step.reads}
            each = [
                {name: given.get(name, mean) for name in one.inputs} for one in step.alternatives
            ]
            pairs = zip(step.alternatives, each, strict=True)
        else:
            outside = {inside: name for name, inside in (*step.fixed, *step.varying)}
            rates = {
                name: self._rate(outside[name], layer) if name in outside else mean
                for name in step.body.inputs
            }
            pairs = zip((step.body,), (rates,), strict=True)
        return tuple(
            [_OutputRates(one, self._scenario, held, layer).resolved() for one, held in pairs]
        )

    def _size(self, name: str) -> int:
        return self._workload.tensors[name].size


def _passes(step: Step) -> bool:
    """Whether a step only passes elements on."""
    if isinstance(step, Node):
        return isinstance(step.operator, Movement) or step.folds_into is not None
    return isinstance(step, View)


def _by_layer(
    scenario: Scenario,
    nodes: Mapping[str, Scenario],
    bodies: Mapping[str, tuple[Scenario, ...]],
) -> ByLayer:
    return ByLayer(**asdict(scenario, recurse=False), of_nodes=nodes, of_bodies=bodies)


def _arriving(
    scenario: Scenario,
    rates: tuple[float, ...],
    shapes: tuple[Shape, ...],
    problem: str | None = None,
) -> Arriving:
    given = {**asdict(scenario, recurse=False), "rates": None}
    return Arriving(**given, arriving=rates, shapes=shapes, problem=problem)


def _of_shape(rates: Sequence[tuple[float, Shape]], shape: Shape | None) -> float:
    """The mean over what has a shape, or else over all."""
    alike = [pair for pair in rates if pair[1] == shape] or rates
    return _mean([(rate, math.prod(length or 1 for length in each)) for rate, each in alike])


def _mean(weighted: Sequence[tuple[float, int]]) -> float:
    """The mean of rates by their numbers of elements."""
    if len({rate for rate, _ in weighted}) == 1:
        return weighted[0][0]
    total = sum(elements for _, elements in weighted)
    return math.fsum(rate * elements for rate, elements in weighted) / total
