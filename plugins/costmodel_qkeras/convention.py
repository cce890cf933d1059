"""The `qtools` convention: the counts and prices of QKeras's QTools, its faults included."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from costmodel.conventions.convention import Convention, LayerWork
from costmodel.devices import Adapted, Charge, Cost, Evidence, Factor, Parameter
from costmodel.network.layer import work_of
from costmodel.workload.operators import Contraction, Operator, unmapped
from costmodel.workload.reasons import Free, Reason, Unpriced
from costmodel_qkeras.operators import Arithmetic, Transfer, Uncounted
from costmodel_qkeras.qtools import kinds
from costmodel_qkeras.qtools.errors import QToolsError
from costmodel_qkeras.qtools.facts import Settings
from costmodel_qkeras.qtools.network import NetworkRecord, describe_network
from costmodel_qkeras.qtools.prices import Memory, Prices, moves
from costmodel_qkeras.qtools.processes import FAMILY, prices_for
from costmodel_qkeras.qtools.records import Record, Stored
from costmodel_qkeras.qtools.saved import bare_kind, nodes_of

if TYPE_CHECKING:
    from costmodel.devices import Device, Outcome
    from costmodel.network.graph import Network
    from costmodel.network.layer import Layer, Work
    from costmodel.scenario import Scenario

_JOULES: Final = 1e-12
"""Joules in a picojoule."""

_MEMORY_SETTINGS: Final = (
    "weights_on_memory", "activations_on_memory", "min_sram_size", "rd_wr_on_io",
)  # fmt: skip
"""What a device may say about its memory: the arguments of `QTools.pe`."""


def memory_of(device: Device) -> Memory:
    """Where a device keeps tensors, the defaults of `QTools.pe` where it does not say."""
    said = {name: getattr(device, name) for name in _MEMORY_SETTINGS if hasattr(device, name)}
    return Memory(**said)


def _quantizers(given: object) -> object:
    return tuple(given) if isinstance(given, list) else given


@frozen
class QToolsConvention(Convention):
    """Counts and charges as QTools does, over- and undercounting where it does.

    Prices are QTools' own on a device of the process it has a table for, and the device's on
    another; memory is the device's. `source_quantizers` are those of the inputs, where they are
    not quantized_bits(8, 0, 1): a list with one for each, or a single one for all. Inputs of a
    layer come in their declared order, which in QTools follows memory addresses.
    """

    name: str = "qtools"
    title: str = "the counts and prices of QKeras's QTools, its faults included"
    source_quantizers: Any = field(default=None, converter=_quantizers)
    settings: Settings = field(factory=Settings)

    def describe(self, network: Network, failures: dict[str, str] | None = None) -> NetworkRecord:
        """QTools' records of a network; see `describe_network` about `failures`."""
        return describe_network(
            nodes_of(network), self.settings, self.source_quantizers, failures=failures
        )

    def works(self, network: Network) -> Mapping[str, Work]:
        """What QTools sees in every layer of a bound network."""
        failures: dict[str, str] = {}
        found = self.describe(network, failures)
        return {layer.name: self._work(layer, found, failures) for layer in network.layers}

    def work_by_layer(self, network: Network, scenario: Scenario) -> tuple[LayerWork, ...]:
        """The same in topological order; QTools has formats of its own."""
        works = self.works(network)
        return tuple(LayerWork(layer, works[layer.name]) for layer in network.layers)

    def folds(self, network: Network, works: Mapping[str, Work]) -> Mapping[str, str]:
        """Nothing: QTools has layers of its own that hold a normalization."""
        return {}

    def adapt(self, device: Device) -> Device:
        """The device with the charges of QTools for its own counts."""
        return Adapted.of(device, self._charged)

    def _charged(self, device: Device, operator: Operator, scenario: Scenario) -> Outcome:
        rule = _RULES.get(type(operator))
        if rule is None:
            return device.price(operator, scenario)
        prices = prices_for(device)
        if prices is None:
            return Unpriced(f"QTools' counts have prices on devices of the class {FAMILY!r} alone")
        try:
            return rule(_Pricing(prices, memory_of(device), scenario), operator)
        except QToolsError as error:
            return Unpriced(str(error))

    def _work(self, layer: Layer, found: NetworkRecord, failures: Mapping[str, str]) -> Work:
        if bare_kind(layer) in kinds.CUT_OUT:
            return Free("QTools cuts inputs and dropouts out of the network")
        if layer.shares is not None:
            return Free("QTools counts a layer that is called more than once only once")
        if any(tensor.is_folded for tensor in (*layer.inputs, *layer.outputs)):
            return Unpriced("QTools takes a row of the batch axis for an example; here it has more")
        if layer.name in failures:
            return Unpriced(failures[layer.name])
        record = found.records[layer.name]
        if record.failure:
            return Unpriced(f"QTools raises {record.failure}")
        return tuple(_operators(layer, record, found))


def _operators(layer: Layer, record: Record, found: NetworkRecord) -> Iterator[Operator]:
    written = (Stored(math.prod(record.output_shape), record.output.bits),)
    is_first, is_last = layer.name in found.first, layer.name in found.last
    yield Transfer(role="input", stored=record.reads, at_the_edge=is_first)
    if record.parameters:
        yield Transfer(role="weight", stored=record.parameters)
    yield Transfer(role="output", stored=written, at_the_edge=is_last)
    if record.work:
        operands = [
            *unmapped("input", layer.inputs), *unmapped("weight", layer.parameters.values()),
            *unmapped("output", layer.outputs),
        ]  # fmt: skip
        yield Arithmetic(
            operands=operands, work=record.work, repetitions=record.repetitions,
            is_contraction=record.kind in kinds.CONTRACTIONS,
        )  # fmt: skip
    else:
        yield _uncounted(layer)


def _uncounted(layer: Layer) -> Uncounted:
    work = work_of(layer)
    reason = f"QTools counts no energy for the arithmetic of a {layer.kind!r}"
    if isinstance(work, Free):
        return Uncounted(reason=work)
    if isinstance(work, Reason):
        return Uncounted(reason=Unpriced(reason))
    macs = sum(operator.macs for operator in work)
    is_missed = any(isinstance(operator, Contraction) for operator in work)
    said = Unpriced(f"{reason}: {macs:,} multiply-accumulates") if is_missed else Free(reason)
    return Uncounted(reason=said, true_macs=macs)


# ------------------------------------------------------------------ prices


@frozen
class _Pricing:
    """The prices and the memory of one device under given conditions."""

    prices: Prices
    memory: Memory
    scenario: Scenario

    def transfer(self, operator: Transfer) -> Outcome:
        place = self._place(operator)
        charges = tuple(
            charge for stored in operator.stored for charge in self._moved(stored, place, operator)
        )
        return Cost(charges) if charges else Free("fixed in the logic: nothing is moved")

    def arithmetic(self, operator: Arithmetic) -> Outcome:
        charges = []
        for work in operator.work:
            price = self.prices.operation(work)
            note = f"{work.operation} of {work.bits:g} bits"
            parameter = self._parameter(f"energy_per_{work.operation}", price, "operation", note)
            factors = (
                Factor("operations", operator.repetitions),
                Factor("gates beside an adder", work.factor),
                *self._examples(),
            )
            charges.append(Charge(_CIRCUITS[work.operation], "compute", factors, parameter))
        return Cost(charges)

    def uncounted(self, operator: Uncounted) -> Outcome:
        return operator.reason

    def _place(self, operator: Transfer) -> str:
        if operator.role == "weight":
            return self.memory.weights_on_memory
        return self.memory.place(at_the_edge=operator.at_the_edge)

    def _moved(self, stored: Stored, place: str, operator: Transfer) -> Iterator[Charge]:
        for move in moves(stored, place, self.memory, self.prices):
            name, unit = _MOVES[move.place]
            parameter = self._parameter(name, move.unit_price, move.place, "")
            factors = (Factor(unit, move.units), *self._examples())
            yield Charge(move.place, operator.role, factors, parameter)

    def _parameter(self, name: str, price: float, quantity: str, note: str) -> Parameter:
        source = self.prices.citation(quantity)
        return Parameter(name, price * _JOULES, "J", source, Evidence.DERIVED, note=note)

    def _examples(self) -> tuple[Factor, ...]:
        batch = self.scenario.batch
        return () if batch == 1 else (Factor("examples", batch),)


_MOVES: Final = {
    "dram": ("energy_per_dram_bit", "bits"),
    "sram": ("energy_per_sram_access", "64-bit accesses"),
}

_CIRCUITS: Final = {
    "mul": "multipliers", "add": "adders", "shifter": "shifters", "mux": "multiplexers",
    "and": "gates", "xor": "gates",
}  # fmt: skip
"""The resource of a device that each implementation of QTools is of."""

_RULES: Final[Mapping[type[Operator], Callable[[_Pricing, Any], Outcome]]] = {
    Arithmetic: _Pricing.arithmetic,
    Transfer: _Pricing.transfer,
    Uncounted: _Pricing.uncounted,
}

CONVENTION: Final = QToolsConvention()
"""The convention with the options that QTools has by default."""
