"""Output rates of layers, on their way along the edges to the layers that they feed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from figures import near
from hypothesis import given
from hypothesis import strategies as st
from worlds import REGISTRY

from costmodel import Network, Scenario, estimate
from costmodel.errors import ScenarioError
from costmodel.network.layer import Input, OperatorLayer
from costmodel.tensor.shapes import Tensor
from costmodel.workload.builders import elementwise, rearrange
from costmodel.workload.reasons import Free
from costmodel_keras.layers.basic import Dense
from costmodel_keras.layers.merging import Concatenate, Merge

# A mean with numbers next to zero, 1e-320 hertz and less, has too few digits to compare.
HERTZ = st.floats(0.0, 1000.0, allow_subnormal=False)


def dense(name: str, size: int, units: int) -> Dense:
    return Dense(name, "keras.Dense", (Tensor((size,)),), units=units)


def passing(name: str, *sizes: int, work: Any = None) -> Any:
    """A layer that carries its inputs on unchanged."""
    inputs = tuple(Tensor((size,)) for size in sizes)
    moved = [rearrange("reshape", inputs, [Tensor((sum(sizes),))])]
    return OperatorLayer(name, "operators", inputs, work=work or moved, results=((sum(sizes),),))


def merging(first: int = 4, second: int = 4, kind: str = "keras.Add") -> Network:
    """Two dense layers of their own rates, added."""
    merge = Merge("sum", kind, (Tensor((first,)), Tensor((second,))))
    return Network(
        "net",
        [
            Input("in", "input", shape=(3,)),
            dense("left", 3, first),
            dense("right", 3, second),
            merge,
            dense("last", max(first, second), 2),
        ],
        {"left": ["in"], "right": ["in"], "sum": ["left", "right"], "last": ["sum"]},
    )


def events(
    network: Network,
    layer: str,
    parameter: str = "energy_per_synaptic_operation",
    device: str = "loihi",
    **given: Any,
) -> float:
    """How often a unit price is due for one layer, in one second."""
    scenario = Scenario(dt=1.0, **given)
    bill = estimate(network, device, scenario=scenario, registry=REGISTRY).bill(device)
    return sum(
        charge.count
        for charge in bill.line(layer).cost.charges
        if charge.unit_cost.name == parameter
    )


# ------------------------------------------------------------------ one input


@given(rate=HERTZ)
def test_a_linear_layer_sees_the_output_rate_of_its_source(rate: float) -> None:
    rates = {"in": rate, "left": 0.0, "right": 0.0, "sum": 0.0}
    assert events(merging(), "left", rates=rates) == near(3 * 4 * rate)
    assert events(merging(), "left", rates=rates) == events(
        merging(), "left", input_rates={"*": 0.0, "left": rate}
    )


def test_the_own_rate_of_a_layer_does_not_reach_its_own_inputs() -> None:
    rates = {"*": 0.0, "last": 50.0, "left": 50.0}
    assert events(merging(), "last", rates=rates) == 0.0
    assert events(merging(), "left", rates=rates) == 0.0


@given(rate=HERTZ)
def test_one_rate_for_all_is_the_same_for_outputs_and_for_inputs(rate: float) -> None:
    for name in ("left", "sum", "last"):
        found = events(merging(), name, rates=rate)
        assert found == events(merging(), name, input_rates=rate)
        assert found == events(merging(), name, rates={"*": rate})


# ------------------------------------------------------------------ several inputs


@given(left=HERTZ, right=HERTZ)
def test_every_connection_of_a_merge_sees_the_rate_of_its_own_source(
    left: float, right: float
) -> None:
    rates = {"in": 1.0, "left": left, "right": right, "sum": 1.0}
    assert events(merging(), "sum", rates=rates) == near(4 * left + 4 * right)


def test_a_stretched_input_has_a_connection_to_every_output() -> None:
    rates = {"*": 1.0, "left": 10.0, "right": 2.0}
    assert events(merging(4, 1), "sum", rates=rates) == near(4 * 10.0 + 4 * 2.0)


def test_a_stretched_input_sends_each_of_its_own_spikes_once() -> None:
    rates = {"*": 1.0, "left": 10.0, "right": 2.0}
    found = events(merging(4, 1), "sum", "energy_per_spike", device="loihi-silicon", rates=rates)
    assert found == near(4 * 10.0 + 1 * 2.0)


def test_a_tensor_made_within_a_layer_takes_the_mean_over_the_inputs_of_its_layer() -> None:
    inputs = (Tensor((1,)), Tensor((3,)))
    first, second = elementwise("affine", (1,)), elementwise("affine", (3,))
    within, unnamed = elementwise("affine", (5,)), elementwise("affine", output=(2,))
    work = [first, second, within, unnamed]
    layer = OperatorLayer("both", "operators", inputs, work=work)
    network = Network(
        "net",
        [Input("one", "input", shape=(1,)), Input("three", "input", shape=(3,)), layer],
        {"both": ["one", "three"]},
    )
    found = events(network, "both", rates={"one": 10.0, "three": 2.0})
    assert found == near(10.0 + 3 * 2.0 + (5 + 2) * (10.0 + 3 * 2.0) / 4)


# ------------------------------------------------------------------ layers that pass on


def chained(*between: Any) -> Network:
    """Neurons, layers that pass on, and a dense layer of one unit."""
    neurons = dense("neurons", 2, 4)
    layers = [Input("in", "input", shape=(2,)), neurons, *between, dense("last", 4, 1)]
    names = [layer.name for layer in layers]
    return Network("net", layers, {name: [before] for before, name in itertools.pairwise(names)})


def test_layers_that_only_pass_on_keep_the_rate_of_their_source() -> None:
    network = chained(passing("flat", 4), passing("drop", 4, work=Free("at inference")))
    assert events(network, "last", rates={"in": 1.0, "neurons": 5.0}) == near(4 * 5.0)
    assert events(network, "last", rates={"*": 1.0, "neurons": 5.0}) == near(4 * 5.0)
    assert events(network, "last", rates={"*": 1.0, "neurons": 5.0, "flat": 7.0}) == near(4 * 7.0)


def test_a_long_row_of_layers_that_pass_on_is_not_a_problem() -> None:
    network = chained(*(passing(f"flat {place}", 4) for place in range(3000)))
    assert events(network, "last", rates={"in": 1.0, "neurons": 5.0}) == near(4 * 5.0)


def test_a_concatenation_keeps_the_rate_of_each_part() -> None:
    sizes = (Tensor((1,)), Tensor((3,)))
    layers = [
        Input("one", "input", shape=(1,)),
        Input("three", "input", shape=(3,)),
        Concatenate("both", "keras.Concatenate", sizes),
        dense("last", 4, 2),
    ]
    network = Network("net", layers, {"both": ["one", "three"], "last": ["both"]})
    found = events(network, "last", rates={"one": 10.0, "three": 2.0})
    assert found == near(2 * (10.0 + 3 * 2.0))


# ------------------------------------------------------------------ what is missing


def test_a_missing_rate_of_one_of_several_sources_is_named() -> None:
    with pytest.raises(ScenarioError, match=r"layer 'sum' .* output rate of 'right', which feeds"):
        events(merging(), "sum", rates={"in": 1.0, "left": 1.0})


def test_a_device_without_spikes_does_not_ask_for_missing_rates() -> None:
    scenario = Scenario(rates={"in": 1.0})
    assert estimate(merging(), "cpu", scenario=scenario, registry=REGISTRY).macs > 0


# ------------------------------------------------------------------ what is said


@pytest.mark.parametrize(
    ("conditions", "title", "factor", "written"),
    [
        ({"rates": 10.0}, "output rate 10 Hz", "source firing rate 10 Hz", (10.0, None)),
        ({"input_rates": 10.0}, "input rate 10 Hz", "input firing rate 10 Hz", (None, 10.0)),
        (
            {"rates": {"*": 2.0, "in": 3.0}},
            "output rates by layer", "source firing rate 3 Hz", ({"*": 2.0, "in": 3.0}, None),
        ),
        (
            {"input_rates": {"*": 3.0}},
            "input rates by layer", "input firing rate 3 Hz", (None, {"*": 3.0}),
        ),
    ],
)  # fmt: skip
def test_table_explanation_and_json_name_the_rates(
    conditions: Any, title: str, factor: str, written: Any
) -> None:
    scenario = Scenario(**conditions)
    found = estimate(merging(), "loihi", scenario=scenario, registry=REGISTRY)
    assert f", {title}," in " ".join(str(found).split())  # a title folds
    assert factor in found.explain("left", "loihi")
    plain = found.to_dict()["scenario"]
    assert (plain["rates_hertz"], plain["input_rates_hertz"]) == written
