"""The laws of a convention."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve, fields
from hypothesis import strategies as st

from costmodel.conventions.convention import Convention, LayerWork
from costmodel.devices import Cost
from costmodel.network.graph import Network, Port
from costmodel.network.layer import UnknownLayer
from costmodel.scenario import Scenario
from costmodel.tensor.shapes import Tensor
from costmodel.testing import strategies
from costmodel.testing.contract import (
    Contract,
    drawn,
    expect,
    for_all,
    frameworks_behind,
    missing_fixture,
)
from costmodel.workload.operators import Operator
from costmodel.workload.reasons import Reason, Unpriced

if TYPE_CHECKING:
    from costmodel.devices import Device, Outcome


class ConventionContract(Contract):
    """What every convention must keep. Give it the fixture `convention`.

    The fixture returns a convention, or a strategy of them. `networks` and `devices` may be
    replaced by ones that the convention knows more of.
    """

    @pytest.fixture
    def convention(self) -> Any:
        """The convention, or a strategy of conventions."""
        missing_fixture(self, "convention", "a costmodel.Convention")

    def networks(self) -> st.SearchStrategy[Network]:
        """The bound networks that are counted."""
        return strategies.networks()

    def devices(self) -> st.SearchStrategy[Device]:
        """The devices that are charged for."""
        return strategies.devices(strategies.FlatDevice)

    def test_it_has_a_name_and_a_title(self, convention: Any) -> None:
        """A count names its convention, in one line."""

        @for_all(drawn(convention))
        def law(convention: Convention) -> None:
            for text in (convention.name, convention.title):
                is_line = text.strip() and text.splitlines() == [text]
                expect(is_line, "name and title", "one line each", repr(text))

    def test_every_layer_stays_in_its_place(self, convention: Any) -> None:
        """No layer is lost or counted twice."""

        @for_all(drawn(convention), self.networks())
        def law(convention: Convention, network: Network) -> None:
            lowered = convention.work_by_layer(network, Scenario())
            found, expected = [x.layer.name for x in lowered], [x.name for x in network.layers]
            expect(found == expected, "the layers that are lowered", expected, found)

    def test_every_layer_has_work_or_says_why_not(self, convention: Any) -> None:
        """Operators, or free or unpriced with a reason; never just nothing."""

        @for_all(drawn(convention), self.networks())
        def law(convention: Convention, network: Network) -> None:
            for lowered in convention.work_by_layer(network, Scenario()):
                work = lowered.work
                if isinstance(work, Reason):
                    says = bool(work.reason.strip())
                else:
                    says = bool(work) and all(isinstance(item, Operator) for item in work)
                what = f"work of layer {lowered.layer.name!r}"
                expect(says, what, "operators, or Free or Unpriced(reason)", repr(work))

    def test_a_layer_that_no_rule_knows_stays_unpriced(self, convention: Any) -> None:
        """Unknown work is never free."""

        @for_all(drawn(convention), strategies.shapes(), self.devices())
        def law(convention: Convention, shape: tuple[int, ...], device: Device) -> None:
            unknown = UnknownLayer("strange", "acme.Strange", recorded=(shape,), reason="no rule")
            (lowered,) = convention.work_by_layer(Network("strange", [unknown]), Scenario())
            is_unpriced = _is_unpriced(convention, lowered, device)
            expect(is_unpriced, "work of an unknown layer", "Unpriced(reason)", lowered.work)

    def test_two_networks_side_by_side_need_the_work_of_both(self, convention: Any) -> None:
        """Additive: what is not connected changes nothing."""

        @for_all(drawn(convention), self.networks(), self.networks())
        def law(convention: Convention, first: Network, second: Network) -> None:
            apart = [_prefixed(first, "first/"), _prefixed(second, "second/")]
            both = convention.work_by_layer(_side_by_side(*apart), Scenario())
            alone = [
                item for network in apart for item in convention.work_by_layer(network, Scenario())
            ]
            found, expected = dict(map(_bare_work, both)), dict(map(_bare_work, alone))
            expect(found == expected, "work of both together", expected, found)

    def test_other_names_change_nothing_else(self, convention: Any) -> None:
        """Names are for people."""

        @for_all(drawn(convention), self.networks())
        def law(convention: Convention, network: Network) -> None:
            renamed = _prefixed(network, "in other words/")
            before, after = (
                convention.work_by_layer(item, Scenario()) for item in (network, renamed)
            )
            expected = [_shown(item, "") for item in before]
            found = [_shown(item, "in other words/") for item in after]
            expect(found == expected, "work under other names", expected, found)

    def test_the_same_network_has_the_same_count(self, convention: Any) -> None:
        """Whatever was counted before; and the network stays as it was."""

        @for_all(drawn(convention), self.networks(), self.networks())
        def law(convention: Convention, network: Network, other: Network) -> None:
            twin = evolve(network)
            first = convention.work_by_layer(network, Scenario())
            convention.work_by_layer(other, Scenario())
            again = convention.work_by_layer(network, Scenario())
            expect(again == first, "the same network, counted again", first, again)
            expect(network == twin, "the network after it was counted", twin, network)

    def test_every_charge_is_finite_and_not_negative(self, convention: Any) -> None:
        """What it charges is a cost with charges or a time, or a reason."""

        @for_all(drawn(convention), self.networks(), self.devices(), strategies.scenarios())
        def law(
            convention: Convention, network: Network, device: Device, scenario: Scenario
        ) -> None:
            for answer in _answers(convention, network, device, scenario):
                if isinstance(answer, Cost):
                    says: object = answer.charges or answer.latency_seconds
                else:
                    says = _reason(answer).strip()
                expected = "a cost with charges or a time, or Free or Unpriced"
                expect(says, "the price", expected, answer)
                for charge in _charges(answer):
                    energy, what = charge.energy_joules, f"the charge to {charge.resource!r}"
                    is_energy = math.isfinite(energy) and energy >= 0
                    expect(is_energy, what, "a finite number >= 0", energy)

    def test_twice_the_batch_costs_twice_the_dynamic_energy(self, convention: Any) -> None:
        """Linear in the batch, but for what is static."""

        @for_all(drawn(convention), self.networks(), self.devices(), strategies.scenarios())
        def law(
            convention: Convention, network: Network, device: Device, scenario: Scenario
        ) -> None:
            twice = evolve(scenario, batch=2 * scenario.batch)
            one, two = (
                _dynamic(_answers(convention, network, device, item)) for item in (scenario, twice)
            )
            is_twice = math.isclose(2 * one, two, rel_tol=1e-9)
            expect(is_twice, "dynamic energy of twice the batch", f"{2 * one} J", f"{two} J")

    def test_a_caller_cannot_change_it(self, convention: Any) -> None:
        """It is frozen: two estimates at once cannot meet in it."""

        @for_all(drawn(convention))
        def law(convention: Convention) -> None:
            for item in fields(type(convention)):
                with pytest.raises(AttributeError):
                    setattr(convention, item.name, None)

    def test_importing_it_brings_no_framework(self, convention: Any) -> None:
        """Whoever lists the conventions does not wait for TensorFlow."""

        @for_all(drawn(convention))
        def law(convention: Convention) -> None:
            found = frameworks_behind(convention)
            expect(not found, "frameworks imported with its module", "none", found)


def _answers(
    convention: Convention, network: Network, device: Device, scenario: Scenario
) -> list[Outcome]:
    device = convention.adapt(device)
    return [
        device.price(operator, scenario)
        for lowered in convention.work_by_layer(network, scenario)
        for operator in lowered.operators
    ]


def _is_unpriced(convention: Convention, lowered: LayerWork, device: Device) -> bool:
    if isinstance(lowered.work, Reason):
        return isinstance(lowered.work, Unpriced)
    answers = [convention.adapt(device).price(item) for item in lowered.operators]
    return any(isinstance(answer, Unpriced) for answer in answers)


def _reason(answer: object) -> str:
    return answer.reason if isinstance(answer, Reason) else ""


def _charges(answer: Outcome) -> Any:
    return answer.charges if isinstance(answer, Cost) else ()


def _dynamic(answers: list[Outcome]) -> float:
    charges = itertools.chain.from_iterable(map(_charges, answers))
    return math.fsum(item.energy_joules for item in charges if item.role != "static")


def _bare_work(lowered: LayerWork) -> tuple[str, object]:
    """The name of a layer and its work, the default format of a tensor left out.

    As soon as one layer declares a format, those of all the others are written down.
    """
    default = Scenario().default_format

    def bare(operator: Operator) -> list[Tensor]:
        return [
            Tensor(x.shape, None if x.format == default else x.format) for x in operator.operands
        ]

    if isinstance(lowered.work, Reason):
        return lowered.layer.name, lowered.work
    operators = [item.with_tensors(bare(item)) for item in lowered.operators]
    return lowered.layer.name, operators


def _shown(lowered: LayerWork, prefix: str) -> tuple[str, object]:
    work = lowered.work
    shown = str(work).replace(prefix, "") if isinstance(work, Reason) else tuple(work)
    return lowered.layer.name.removeprefix(prefix), shown


def _prefixed(network: Network, prefix: str) -> Network:
    """The same network, every layer under a longer name."""
    layers = [
        layer.renamed(prefix + layer.name, layer.shares and prefix + layer.shares)
        for layer in network.layers
    ]
    edges = {
        prefix + name: tuple(Port(prefix + port.layer, port.output) for port in ports)
        for name, ports in network.edges.items()
    }
    outputs = [Port(prefix + port.layer, port.output) for port in network.outputs]
    return Network(network.name, layers, edges, outputs)


def _side_by_side(first: Network, second: Network) -> Network:
    return Network(
        "both", first.layers + second.layers, {**first.edges, **second.edges},
        first.outputs + second.outputs,
    )  # fmt: skip
