"""Parameters in formats of their own: narrow weights beside wider activations."""

from __future__ import annotations

from typing import Any

import pytest
from console import DENSE, good, run
from figures import near
from worlds import REGISTRY

import costmodel
from costmodel import DesignSpace, Scenario
from costmodel.devices.evaluation.computing import compute_format
from costmodel.errors import CostModelError, ScenarioError, ShapeError, UnknownNameError
from costmodel.formats import format_name
from costmodel.sweeps.grid import grid_of
from costmodel.workload.operators import Contraction
from costmodel_hardware.processor.device import is_dense
from costmodel_validation.measurements import network

NETWORK = REGISTRY.read(DENSE)
DECODER = network("llama_3_8b")
STEP = {"tokens": (1,), "angles": (1, 1, 128), "cache": (64, 8, 128)}
GPU = REGISTRY.device("rtx-4090").with_runtime("llama.cpp-cuda")
WITHOUT_OVERHEADS = GPU.with_parameters(
    **{"overhead_per_operator.float16": "0 s", "overhead_per_call.float16": "0 s"}
)


def step(weights: Any, **conditions: Any) -> Scenario:
    given = {"default_format": "float16", "input_shapes": STEP, **conditions}
    return Scenario(weights=weights, **given)


def evaluated(weights: Any, device: Any = GPU, **conditions: Any) -> Any:
    scenario = step(weights, **conditions)
    return device.evaluate(costmodel.lower(DECODER, scenario), scenario)


def weight_bits(estimate: Any) -> int:
    """The bits of weights that products read."""
    return sum(
        one.read_bits
        for group in estimate.groups
        if is_dense(group.group.anchor.operator)
        for one in group.traffic
        if one.role == "weight"
    )


def test_half_the_bits_are_half_the_traffic_of_weights() -> None:
    eight, four = [weight_bits(evaluated(one)) for one in ("int8", "int4")]
    assert eight == 2 * four
    assert four == 4 * 7_504_658_432  # all parameters but the embedding and the normalizations


def test_scales_of_blocks_are_read_too() -> None:
    plain, blocks = [weight_bits(evaluated(one)) for one in ("int4", "block<int4,32,16>")]
    assert blocks == plain * 4.5 / 4


def test_a_step_that_weights_bound_takes_time_in_proportion_to_their_bits() -> None:
    sixteen, eight, four = [
        evaluated(one, WITHOUT_OVERHEADS).cost.latency_seconds
        for one in ("float16", "int8", "int4")
    ]
    assert eight - four == near((sixteen - eight) / 2)
    # The rest is the cache, and the activations between products.
    assert sixteen / four == pytest.approx(4, rel=0.05, abs=0)


def test_arithmetic_and_results_stay_in_the_format_of_activations() -> None:
    scenario = step("block<int4,32,16>")
    products = 0
    for node, _ in costmodel.lower(DECODER, scenario).nodes:
        operator = node.operator
        assert {format_name(one.tensor.format) for one in operator.outputs} == {"float16"}
        if isinstance(operator, Contraction):
            products += 1
            assert format_name(compute_format(operator, scenario)) == "float16"
            held = [format_name(one.tensor.format) for one in operator.weights]
            assert held in ([], ["block<int4,32,16>"])
    assert products == 32 * 9 + 1


def test_where_arithmetic_decides_the_bits_of_weights_change_nothing() -> None:
    prompt = {"tokens": (512,), "angles": (512, 1, 128), "cache": (512, 8, 128)}
    sixteen, four = [
        {one.group.name: one.cost.latency_seconds for one in estimate.groups}
        for estimate in [evaluated(one, input_shapes=prompt) for one in ("float16", "int4")]
    ]
    differ = {name for name, seconds in sixteen.items() if seconds != four[name]}
    narrow = {f"block_{place}_{part}" for place in range(32) for part in ("key", "value")}
    # The logits are those of one token, and a product with a quarter of the columns reads for as
    # long as it computes.
    assert differ == {f"{name}/contraction" for name in (*narrow, "logits")}


def test_one_format_is_that_of_a_design_with_activations_in_the_default() -> None:
    scenario = Scenario(weights="int4", default_format="float16")
    alone = costmodel.estimate(NETWORK, GPU, scenario=scenario, registry=REGISTRY)
    space = DesignSpace(
        device=GPU, weights={"*": "int4"}, activations={"*": "float16"}, default_format="float16"
    )
    design = grid_of(NETWORK, space, REGISTRY).design({}).estimate(registry=REGISTRY)
    assert alone.total(GPU.name) == design.total(GPU.name)


def test_a_design_keeps_the_weights_of_its_scenario() -> None:
    scenario = Scenario(weights="int4", default_format="float16")
    space = DesignSpace(device=GPU, batch=[1, 2], scenario=scenario)
    design = grid_of(NETWORK, space, REGISTRY).design({"batch": 2})
    found = design.estimate(registry=REGISTRY).bill(GPU.name).evaluation.weight_bytes
    alone = costmodel.estimate(NETWORK, GPU, scenario=scenario, registry=REGISTRY)
    assert found == alone.bill(GPU.name).evaluation.weight_bytes


def test_a_name_counts_before_all_others() -> None:
    given = {"first": "int8", "*": "int4"}
    made = costmodel.estimate(NETWORK, GPU, scenario=Scenario(weights=given), registry=REGISTRY)
    held = {
        one.layer.name: {str(tensor.format) for tensor in one.layer.parameters.values()}
        for one in made.lowered
        if one.layer.parameters
    }
    assert held.pop("first") == {"fixed<8,7>"}
    assert set.union(*held.values()) == {"fixed<4,3>"}
    assert made.to_dict()["scenario"]["weights"] == {"first": "fixed<8,7>", "*": "fixed<4,3>"}


def test_the_command_takes_one_format_or_that_of_a_layer() -> None:
    text = good(
        "estimate", DENSE, "-d", "rtx-4090", "--default-format", "float16", "--weights", "int4"
    )
    assert "default format float16, weights in int4" in " ".join(text.split())
    text = good("estimate", DENSE, "-d", "rtx-4090", "--weights", "int4", "--weights", "first=int8")
    assert "weights in int4, weights of first in int8" in " ".join(text.split())


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("=int4", "expected a format such as int4, or LAYER=FORMAT"),
        ("first=", "expected a format such as int4, or LAYER=FORMAT"),
        ("inte4", "'inte4' is not a numeric format"),
        ("frist=int4", "nearest known: 'first'"),
    ],
)
def test_weights_that_say_nothing_are_refused(option: str, message: str) -> None:
    result = run("estimate", DENSE, "-d", "rtx-4090", "--weights", option)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_format_given_twice_is_refused() -> None:
    result = run("estimate", DENSE, "-d", "cpu", "--weights", "int4", "--weights", "int8")
    assert result.exit_code == 2
    assert "--weights '*' is given more than once" in result.stderr


def test_an_input_holds_no_weights() -> None:
    name = NETWORK.inputs[0].name
    with pytest.raises(ScenarioError, match="not a layer with parameters"):
        costmodel.lower(NETWORK, Scenario(weights={name: "int4"}))


def test_formats_that_are_none_are_refused() -> None:
    with pytest.raises(CostModelError, match="'int4x' is not a numeric format"):
        Scenario(weights="int4x")
    with pytest.raises(ScenarioError, match="not a numeric format"):
        Scenario(weights=4)  # type: ignore[arg-type]  # what is refused


def test_a_block_of_inputs_is_bound_by_its_name() -> None:
    bound = DECODER.bind(STEP)
    assert bound.is_bound
    one = DECODER.bind({**STEP, "cache_keys_0": (65, 8, 128), "cache_values_0": (65, 8, 128)})
    assert one.layer("cache_keys_0").outputs[0].shape == (65, 8, 128)
    assert one.layer("cache_keys_1").outputs[0].shape == (64, 8, 128)
    with pytest.raises(UnknownNameError, match="cash"):
        DECODER.bind({"cash": (64, 8, 128)})
    with pytest.raises(ShapeError):
        DECODER.bind({**STEP, "cache": (64, 9, 128)})
