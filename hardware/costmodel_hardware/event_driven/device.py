"""Neuromorphic chips, which work when a spike arrives."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Final

from attrs import frozen

from costmodel.devices import (
    USUAL,
    Charge,
    Cost,
    Device,
    Factor,
    Outcome,
    Parameter,
    handles,
    parameter,
)
from costmodel.scenario import Scenario
from costmodel.workload.composite import Softmax
from costmodel.workload.operators import (
    Activation,
    Contraction,
    Counted,
    Elementwise,
    Gather,
    Movement,
    Operator,
    Reduction,
)
from costmodel.workload.reasons import Free, Unpriced

_RATES: Final = {"outputs": "source firing rate", "inputs": "input firing rate"}
"""What a rate is called in an explanation, by what it was given for."""


@frozen
class EventDriven(Device):
    """An energy for every synaptic event and for every neuron in every timestep.

    A connection sees `rate x dt x timesteps` spikes, at the output rate of its source or at the
    input rate of its layer, whichever is given; a spike is sent once for each input
    element, and travels one hop for each synaptic event where hops have a price.
    """

    family: ClassVar = "event-driven"
    not_modelled: ClassVar = "static power, host traffic, time"
    ignores: ClassVar = ("formats",)
    fuses: ClassVar = ("activation",)
    resources: ClassVar = ("synapses", "neurons", "hops", "spikes")
    capabilities: ClassVar = USUAL | {"separable"}

    energy_per_synaptic_operation: Parameter = parameter("J")
    energy_per_neuron_update: Parameter = parameter("J")
    energy_per_spike_hop: Parameter | None = parameter("J", optional=True)
    energy_per_spike: Parameter | None = parameter("J", optional=True)

    @handles(Contraction)
    def contraction(self, operator: Contraction, scenario: Scenario) -> Outcome:
        """Every connection, as often as a spike arrives."""
        return self._connections(operator, operator.macs, scenario)

    @handles(Counted)
    def counted(self, operator: Counted, scenario: Scenario) -> Outcome:
        """Multiply-accumulates as connections; what else is counted has no spiking form."""
        if operator.macs:
            return self._connections(operator, operator.macs, scenario)
        return Unpriced(f"counted {operator.operation!r} operations have no spiking form")

    @handles(Elementwise)
    def elementwise(self, operator: Elementwise, scenario: Scenario) -> Outcome:
        """One connection from every input element, if connections of fixed weight can do it."""
        if not operator.is_linear:
            return Unpriced(f"{operator.function!r} of elements has no spiking form")
        return self._connections(operator, operator.connections, scenario)

    @handles(Reduction)
    def reduction(self, operator: Reduction, scenario: Scenario) -> Outcome:
        """One connection from every element of every window, if the reduction is linear."""
        if not operator.is_linear:
            return Unpriced(f"{operator.function!r} pooling has no spiking form")
        return self._connections(operator, operator.connections, scenario)

    @handles(Activation, Softmax)
    def activation(self, operator: Activation, scenario: Scenario) -> Outcome:
        """Every neuron in every timestep, whether it fires or not."""
        factors = (
            Factor("neurons", operator.elements),
            Factor("timesteps", scenario.timesteps),
            *_examples(scenario.batch),
        )
        return Cost([Charge("neurons", "compute", factors, self.energy_per_neuron_update)])

    @handles(Gather, Movement)
    def transport(self, operator: Operator, scenario: Scenario) -> Outcome:
        """No connection and no neuron: the wiring already sends spikes where they belong."""
        return Free("no synapse and no neuron; routing is part of the wiring")

    def _connections(self, operator: Operator, count: int, scenario: Scenario) -> Outcome:
        label = _RATES[scenario.rates_of]
        steps = (scenario.dt, scenario.timesteps, scenario.batch)
        spikes = _spikes(label, scenario.rate, *steps)
        events = (Factor("connections", count), *spikes)
        charges = [Charge("synapses", "compute", events, self.energy_per_synaptic_operation)]
        if self.energy_per_spike_hop is not None:
            charges.append(Charge("hops", "input", events, self.energy_per_spike_hop))
        if self.energy_per_spike is not None:
            if not operator.inputs:
                return Unpriced("the operator names no inputs, so its spikes cannot be counted")
            senders = sum(tensor.size for tensor in operator.inputs)
            rate = scenario.spike_rate(operator.inputs)
            sent = (Factor("input elements", senders), *_spikes(label, rate, *steps))
            charges.append(Charge("spikes", "input", sent, self.energy_per_spike))
        return Cost(charges)


@lru_cache
def _spikes(label: str, rate: float, dt: float, timesteps: int, batch: int) -> tuple[Factor, ...]:
    """Spikes that a connection sees: conditions are few, and operators many."""
    return (
        Factor(label, rate, "Hz"),
        Factor("dt", dt, "s"),
        Factor("timesteps", timesteps),
        *_examples(batch),
    )


def _examples(batch: int) -> tuple[Factor, ...]:
    return () if batch == 1 else (Factor("examples", batch),)
