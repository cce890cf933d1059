"""Estimates: each step, what it takes by default, and what it refuses."""

from __future__ import annotations

import json
import pickle
from copy import copy, deepcopy
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import worlds
from attrs import frozen
from figures import near
from worlds import REGISTRY, plugin, world

import costmodel
from costmodel import (
    Convention,
    Device,
    Free,
    Network,
    Operator,
    Reader,
    Scenario,
    UnpricedWarning,
    estimate,
)
from costmodel.devices import Adapted, Charge, Cost, Evidence, Factor, Parameter, handles
from costmodel.errors import (
    CostModelError,
    ReadError,
    ScenarioError,
    ShapeError,
    UnknownNameError,
    UnpricedError,
)
from costmodel.estimates import counts
from costmodel.estimates import estimate as estimates
from costmodel.network.layer import Input, OperatorLayer
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import Symbol
from costmodel.workload.operators import Activation, Contraction, Operand, unmapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NETWORKS = Path(__file__).parent / "networks"
DENSE = NETWORKS / "dense.json"
OPEN = NETWORKS / "open_axes.json"
TWO_INPUTS = NETWORKS / "two_inputs.json"


@frozen(kw_only=True)
class Riddle(Operator):
    """Work that no device knows."""


def layer(name: str, *work: Operator) -> OperatorLayer:
    return OperatorLayer(name, "operators", (Tensor((4,)),), work=work)


def update(size: int = 4) -> Activation:
    return costmodel.activation("relu", (size,))


def network(*layers: OperatorLayer) -> Network:
    """Layers side by side behind one input."""
    edges = {layer.name: ["in"] for layer in layers}
    return Network("net", [Input("in", "input", shape=(4,)), *layers], edges)


PRICED = network(layer("one", update()))
MIXED = network(
    layer("one", update()), layer("odd", Riddle(operands=unmapped("output", [Tensor((4,))])))
)


def on(*devices: Any, source: Any = PRICED, **options: Any) -> Any:
    return estimate(
        source, devices, **{"scenario": Scenario(rates=10.0), "registry": REGISTRY, **options}
    )  # fmt: skip


# ------------------------------------------------------------------ devices


def test_a_device_is_a_name_a_path_or_itself_alone_or_in_a_list() -> None:
    cpu = REGISTRY.device("cpu")
    file = Path(cpu.file or "")
    total = on("cpu").total("cpu")
    for given in ("cpu", file, cpu, ["cpu"], [file], (cpu,)):
        found = estimate(PRICED, given, registry=REGISTRY)
        assert list(found.bills) == ["cpu"]
        assert found.total("cpu") == total


def test_every_device_has_its_bill_in_the_order_asked_for() -> None:
    found = on("loihi", "cpu")
    assert list(found.bills) == ["loihi", "cpu"]
    assert found.bill("cpu").total == found.total("cpu") == on("cpu").total("cpu")
    assert found.coverage("cpu") == found.bill("cpu").coverage


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ([], "no device is given; known: a10, .* more"),
        (["cpu", "loihi", "gpu", "loihi"], "device 'loihi' is given more than once"),
        (["cpu", REGISTRY.device("cpu")], "device 'cpu' is given more than once"),
        (7, "devices is 7; expected names, paths of YAML files or devices"),
        ({"cpu"}, "devices is {'cpu'}; expected names"),
    ],
)
def test_devices_that_make_no_estimate_are_refused(devices: Any, message: str) -> None:
    with pytest.raises(CostModelError, match=message):
        estimate(PRICED, devices, registry=REGISTRY)


def test_a_device_that_was_not_asked_for_has_no_bill() -> None:
    with pytest.raises(UnknownNameError, match="unknown device of this estimate 'gpu'") as caught:
        on("cpu").total("gpu")
    assert caught.value.known == ["cpu"]


# ------------------------------------------------------------------ unpriced work


def test_unpriced_work_is_warned_of_where_the_estimate_is_asked_for() -> None:
    with pytest.warns(UnpricedWarning) as caught:
        estimate(MIXED, "cpu", registry=REGISTRY)
    (warning,) = caught
    assert warning.filename == __file__
    assert str(warning.message).splitlines() == [
        "the total on 'cpu' leaves out 1 of 3 layers:",
        "  odd: device 'cpu' has no price for 'Riddle' operators",
        '  on_unpriced="error" stops here, "bound" takes the total as "at least"',
    ]


def test_every_device_is_warned_of() -> None:
    with pytest.warns(UnpricedWarning) as caught:
        on("cpu", "loihi", source=MIXED, on_unpriced="warn")
    assert len(caught) == 2


def test_unpriced_work_is_an_error_where_the_caller_wants_it() -> None:
    with pytest.raises(UnpricedError, match="'cpu' leaves out 1 of 3 layers:\n  odd: device"):
        on("cpu", source=MIXED, on_unpriced="error")


def test_unpriced_work_is_taken_as_a_bound_in_silence() -> None:
    assert not on("cpu", source=MIXED, on_unpriced="bound").coverage("cpu").is_complete


@pytest.mark.parametrize("choice", estimates.ON_UNPRICED)
def test_priced_work_is_an_estimate_whatever_should_be_done_otherwise(choice: Any) -> None:
    found = on("cpu", on_unpriced=choice)
    assert found.coverage("cpu").is_complete
    assert found.on_unpriced == choice


@pytest.mark.parametrize("choice", ["errors", "", "a", "z", None])
def test_an_unknown_answer_to_unpriced_work_is_refused(choice: Any) -> None:
    with pytest.raises(UnknownNameError, match="unknown value of on_unpriced"):
        on("cpu", on_unpriced=choice)


# ------------------------------------------------------------------ the steps


def test_the_steps_make_what_the_estimate_makes() -> None:
    scenario, convention = Scenario(rates=10.0, batch=2), REGISTRY.convention("costmodel")
    workload = estimates.lower(PRICED, scenario, convention)
    found = REGISTRY.device("loihi").evaluate(workload, scenario)
    made = estimates.collect(PRICED, [found], scenario, convention, registry=REGISTRY)
    assert made.to_dict() == on("loihi", scenario=scenario).to_dict()


@pytest.mark.parametrize("copied", [copy, deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301  # its own
def test_all_values_may_be_copied_and_sent_to_other_processes(copied: Any) -> None:
    scenario = Scenario(rates={"one": 3.0}, input_shapes={"two": (4,)})
    found = on("cpu", "loihi", scenario=Scenario(rates=10.0))
    for value in (scenario, PRICED, found.network, found):
        assert copied(value) == value
    assert str(copied(found)) == str(found)


def test_the_steps_need_no_conditions() -> None:
    assert [item.layer.name for item in estimates.work_by_layer(PRICED)] == ["in", "one"]
    found = REGISTRY.device("cpu").evaluate(estimates.lower(PRICED))
    assert found.cost == on("cpu").total("cpu")


def test_an_estimate_without_plugins_names_none() -> None:
    made = estimates.collect(PRICED, [REGISTRY.device("cpu").evaluate(estimates.lower(PRICED))])
    assert (made.plugins, made.problems, made.on_unpriced) == ((), (), "warn")


def test_an_estimate_names_the_plugins_that_took_part_and_what_is_wrong_with_them() -> None:
    def broken() -> Any:
        raise OSError

    assert [item.name for item in on("cpu").plugins] == ["hardware", "keras"]
    assert on("cpu").problems == ()
    registry = world(**worlds.HOUSE, acme=plugin(devices=broken))
    assert "OSError" in "".join(on("cpu", registry=registry).problems)


def test_a_convention_says_what_is_counted_and_what_is_charged() -> None:
    class Twice(Convention):
        def work(self, layer: Any) -> Any:
            work = super().work(layer)
            return work if isinstance(work, Free) else [*work, *work]

        def adapt(self, device: Device) -> Device:
            return Adapted.of(device, self.charged)

        def charged(self, device: Device, operator: Operator, scenario: Scenario) -> Any:
            answer: Any = device.price(operator, scenario)
            return answer + answer

    product = Contraction(dims={"k": 4, "n": 3}, operands=[Operand("input", (4,), ["k"])])
    source = network(layer("one", product))
    once, twice = on("cpu", source=source), on("cpu", source=source, convention=Twice("twice"))
    assert (once.macs, twice.macs) == (12, 24)
    energies = [item.total("cpu").energy_joules for item in (once, twice)]
    assert energies[1] == near(4 * energies[0])
    assert twice.convention.name == "twice"


def test_a_scenario_binds_the_open_axes_of_what_is_read_and_of_a_network() -> None:
    unbound = costmodel.read(OPEN, registry=REGISTRY)
    shapes = {
        layer.name: tuple(length or 16 for length in layer.outputs[0].shape)
        for layer in unbound.layers
        if not layer.inputs
    }
    bound = costmodel.read(OPEN, input_shapes=shapes, registry=REGISTRY)
    assert not unbound.is_bound
    assert bound.is_bound
    scenario = Scenario(input_shapes=shapes)
    assert [item.layer for item in estimates.work_by_layer(unbound, scenario)] == list(bound.layers)
    with pytest.raises(ShapeError, match="open axis"):
        estimates.work_by_layer(unbound)


def test_a_single_shape_is_enough_for_a_network_with_one_input() -> None:
    unbound = costmodel.read(OPEN, registry=REGISTRY)
    (entry,) = unbound.inputs
    shape = tuple(length or 16 for length in entry.shape)
    bound = unbound.bind({entry.name: shape})
    assert bound.is_bound
    assert unbound.bind(shape) == bound
    assert costmodel.read(OPEN, input_shapes=shape, registry=REGISTRY) == bound
    scenario = Scenario(input_shapes=shape)
    assert [item.layer for item in estimates.work_by_layer(unbound, scenario)] == list(bound.layers)
    named = Scenario(input_shapes={entry.name: shape})
    for source in (OPEN, unbound):
        one, other = (
            estimate(
                source, "cpu", scenario=given, registry=REGISTRY, on_unpriced="bound"
            ).to_json()
            for given in (scenario, named)
        )
        assert one == other


@pytest.mark.parametrize("bind", [
    lambda: costmodel.read(TWO_INPUTS, input_shapes=(4,), registry=REGISTRY),
    lambda: costmodel.read(TWO_INPUTS, registry=REGISTRY).bind((4,)),
    lambda: estimate(
        TWO_INPUTS, "cpu", scenario=Scenario(input_shapes=(4,)), registry=REGISTRY
    ),
], ids=["read", "bind", "estimate"])  # fmt: skip
def test_a_single_shape_for_several_inputs_is_refused_with_their_names(
    bind: Callable[[], Any],
) -> None:
    names = [layer.name for layer in costmodel.read(TWO_INPUTS, registry=REGISTRY).inputs]
    listed = ", ".join(map(repr, names))
    with pytest.raises(ShapeError, match=f"one shape for the 2 inputs of .*: {listed}; expected"):
        bind()


def test_a_checkout_that_was_never_installed_has_a_stated_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never_installed(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", never_installed)
    assert on("cpu").to_dict()["costmodel"] == "0+unknown"
    counted = counts.count(costmodel.read(DENSE, registry=REGISTRY))
    assert counted.to_dict()["costmodel"] == "0+unknown"


def test_a_rate_that_is_missing_names_its_layer_and_its_device() -> None:
    product = Contraction(dims={"k": 4}, operands=[Operand("input", (4,), ["k"])])
    with pytest.raises(ScenarioError, match=r"layer 'one' on 'loihi': .*firing rate"):
        on("loihi", source=network(layer("one", product)), scenario=Scenario())


def test_an_option_is_given_by_its_name() -> None:
    """Nobody can tell at the call what a bare True, 2 or list belongs to."""
    made = on("cpu")
    steps: Any = (PRICED, [made.bill("cpu").evaluation], made.scenario, made.convention)
    calls: list[Callable[..., Any]] = [
        made.to_json, made.table,
        lambda given: estimate(PRICED, "cpu", given), lambda given: costmodel.read(DENSE, given),
        lambda given: costmodel.measure_rates("a meter", [], given),
        lambda given: estimates.collect(*steps, given),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(TypeError, match="positional argument"):
            call(None)


# ------------------------------------------------------------------ shared work


@frozen
class Counting(Device):
    """Charges the firing rate, and keeps what it is asked."""

    resources = ("neurons",)

    asked: list[Any]

    @handles(Activation)
    def activation(self, operator: Activation, scenario: Scenario) -> Cost:
        self.asked.append(operator)
        price = Parameter("energy_per_spike", 1.0, "J", "a test", Evidence.ASSUMED)
        return Cost([Charge("neurons", "compute", (Factor("spikes", scenario.rate),), price)])


def energies(bill: Any) -> Any:
    return {line.layer.name: line.cost.energy_joules for line in bill.lines if line.cost.charges}


def test_layers_of_the_same_work_are_priced_once_for_each_rate() -> None:
    one = layer("one", update())
    source = network(one, one.renamed("two"), one.renamed("three"))
    device = Counting("counting", [])
    rates = {"one": 1.0, "two": 2.0, "three": 1.0}
    found = estimate(source, device, scenario=Scenario(input_rates=rates))
    assert energies(found.bill("counting")) == rates
    assert len(device.asked) == 2
    found = estimate(source, device, scenario=Scenario(rates=3.0))
    assert energies(found.bill("counting")) == dict.fromkeys(rates, 3)
    assert len(device.asked) == 3


# ------------------------------------------------------------------ what is written


def test_an_estimate_is_json_with_a_line_for_each_layer() -> None:
    made = on("cpu")
    assert json.loads(made.to_json()) == made.to_dict()
    lines = made.to_json().splitlines()
    for entry in made.to_dict()["devices"]["cpu"]["layers"]:
        assert json.dumps(entry) in [line.strip().removesuffix(",") for line in lines]


def test_an_estimate_reads_as_its_summary_and_hides_its_parts() -> None:
    made = on("cpu", "loihi")
    assert str(made) == "\n\n".join(table.text() for table in made.summary())
    assert made.table(exact=True).csv() != made.table().csv()
    assert "Network" in repr(made)
    for part in ("lowered=", "bills=", "plugins="):
        assert part not in repr(made)


# ------------------------------------------------------------------ rates


class Meter(Reader):
    """Reads nothing, and keeps how it is asked for rates."""

    name = "meter"
    reads = "a meter"

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def accepts(self, source: object) -> bool:
        return source == "a meter"

    def read(self, source: object, rules: Any) -> Network:
        raise NotImplementedError

    def measure_rates(
        self,
        source: Any,
        examples: Any,
        *,
        of: str,
        batch_size: int,
        progress: Callable[[int, int], None],
    ) -> Mapping[str, float]:
        progress(1, 2)
        self.asked = {"examples": examples, "of": of, "batch_size": batch_size}
        return {"one": 10.0}


def test_rates_are_measured_by_the_reader_of_the_source() -> None:
    meter, said = Meter(), []
    registry = world(mine=plugin(readers=[meter]))
    measure = costmodel.measure_rates
    assert measure("a meter", [1, 2], registry=registry) == {"one": 10.0}
    assert meter.asked == {"examples": [1, 2], "of": "outputs", "batch_size": 32}
    measure(
        "a meter", [3], of="inputs", batch_size=5, progress=lambda *so_far: said.append(so_far),
        registry=registry,
    )  # fmt: skip
    assert meter.asked == {"examples": [3], "of": "inputs", "batch_size": 5}
    assert said == [(1, 2)]
    with pytest.raises(UnknownNameError, match="unknown kind of rates 'output'"):
        measure("a meter", [1], of="output", registry=registry)


def test_a_source_is_read_by_the_plugins_that_are_there() -> None:
    with pytest.raises(ReadError, match="no reader accepts"):
        costmodel.read(DENSE, registry=world(mine=plugin(readers=[Meter()])))
    assert costmodel.read(DENSE) == costmodel.read(DENSE, registry=REGISTRY)
    assert estimate(DENSE, "cpu").macs == 750
    with pytest.raises(ReadError, match="example data needs a live model, not a file"):
        costmodel.measure_rates(str(DENSE), [])


# ------------------------------------------------------------------ workloads


@pytest.mark.parametrize("step", [costmodel.lower, costmodel.work_by_layer])
def test_what_is_not_a_network_is_refused(step: Any) -> None:
    with pytest.raises(TypeError, match=r"network is 'vgg'; expected a Network, as costmodel.read"):
        step("vgg")


def test_a_convention_may_be_named() -> None:
    assert costmodel.lower(PRICED, None, "costmodel") == costmodel.lower(PRICED)
    with pytest.raises(UnknownNameError, match="'costmodle'"):
        costmodel.lower(PRICED, None, "costmodle")


def test_a_workload_is_not_collected_before_a_device_has_evaluated_it() -> None:
    with pytest.raises(TypeError, match=r"expected what device\.evaluate"):
        costmodel.collect(PRICED, [costmodel.lower(PRICED)])  # type: ignore[list-item]


@pytest.mark.parametrize("name", ["cpu", "loihi", "horowitz-45nm"])
def test_an_operator_for_a_batch_that_is_not_known_is_not_priced(name: str) -> None:
    scenario = Scenario(rates=10.0)
    product = costmodel.matmul((4, 3), (3, 5)).repeated(Symbol("batch"))
    device = REGISTRY.device(name)
    with pytest.raises(ShapeError, match=r"depend on batch; bind its workload before"):
        device.price(product, scenario)
    bound = costmodel.matmul((4, 3), (3, 5)).repeated(2)
    assert isinstance(device.price(bound, scenario), Cost)
