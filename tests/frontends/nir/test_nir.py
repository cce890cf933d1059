"""NIR files: what their nodes become, how they are wired, and what is said of contradictions."""

from __future__ import annotations

import functools
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from figures import near
from frontends.nir.files import floats, node, write
from spiking import lookalikes

import costmodel
from costmodel import Scenario
from costmodel.errors import ReadError, UnknownNameError
from costmodel.frontend.translation import Translation
from costmodel.workload.operators import Activation, Contraction
from costmodel.workload.reasons import Unpriced
from costmodel_nir.nodes import NIR, REASONS
from costmodel_nir.reader import graph_of

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel.frontend.translation import SourceNode
    from costmodel.network.graph import Network

MODELS = Path(__file__).parent.parent / "models"
MADE = MODELS / "nir"
EXPECTED = json.loads((MODELS / "expected.json").read_text())
REAL = sorted(name for name in EXPECTED if name.endswith(".nir"))

TYPES = (
    "Affine", "AvgPool2d", "Conv1d", "Conv2d", "CubaLI", "CubaLIF", "Delay", "Flatten", "I", "IF",
    "Input", "LI", "LIF", "Linear", "NIRGraph", "Output", "Scale", "SumPool2d", "Threshold",
)  # fmt: skip
"""All that `nir.ir` 1.0.8 reads and writes."""


@functools.cache
def read(path: Path) -> Network:
    return costmodel.read(path)


def made(name: str) -> Network:
    return read(MADE / f"{name}.nir")


def macs_of(network: Network) -> int:
    return costmodel.Convention().lower(network, Scenario()).bind(batch=1).macs


def macs_by_layer(network: Network) -> dict[str, int]:
    work = {layer.name: layer.operators() for layer in network.layers}
    sums = {
        name: sum(one.macs for one in operators if isinstance(one, Contraction))
        for name, operators in work.items()
        if isinstance(operators, tuple)
    }
    return {name: count for name, count in sums.items() if count}


def neurons(network: Network) -> Counter[str]:
    found: Counter[str] = Counter()
    for layer in network.layers:
        operators = layer.operators()
        if isinstance(operators, tuple):
            updates = [one.elements for one in operators if isinstance(one, Activation)]
            found[layer.kind.removeprefix("nir.")] += sum(updates)
    return +found


# ------------------------------------------------------------------ counts


@pytest.mark.parametrize("name", REAL)
def test_a_file_has_the_counts_of_one_time_step_by_hand(name: str) -> None:
    network, expected = read(MODELS / name), EXPECTED[name]
    assert macs_of(network) == expected["macs"]
    assert network.parameter_count == expected["parameters"]
    assert neurons(network) == expected["neurons"]
    sums: Counter[str] = Counter()
    for layer, macs in macs_by_layer(network).items():
        sums[network.layer(layer).kind.removeprefix("nir.")] += macs
    assert sums == expected["macs_by_op"]


@pytest.mark.parametrize(
    ("name", "macs", "parameters"),
    [
        # windows by hand: 4 x 16 x 12 of 2 x 9, 8 x 3 x 5 of 2 x 6; then 24 x 120 and so on
        ("every_type", {"0": 13824, "3": 1440, "8": 2880, "11": 288, "13": 120, "15": 60},
         76 + 104 + 2904 + 24 + 288 + 120 + 60),
        ("nested", {"block.0/fc": 48, "block.0/cell/w.rec": 64, "fc": 24}, 56 + 64 + 24),
        ("two_recurrent", {"fc1": 40, "rec1": 64, "fc2": 32, "rec2": 16, "back": 32},
         48 + 64 + 36 + 16 + 32),
        ("delays", {"fc": 16}, 16),
        ("sequence", {"0": 8 * 50 * 18, "2": 8 * 50 * 10, "5": 1200}, 152 + 88 + 1200),
        ("contradictions", {"0": 4 * 64 * 9, "3": 2560}, 40 + 2560),
        ("open_ends", {"a": 12}, 15),
        ("single", {"Linear": 12}, 12),
        ("aged", {"0": 12}, 15),
    ],
)  # fmt: skip
def test_layers_have_the_multiply_accumulates_by_hand(
    name: str, macs: dict[str, int], parameters: int
) -> None:
    assert macs_by_layer(made(name)) == macs
    assert made(name).parameter_count == parameters


def test_every_type_of_node_has_a_rule_or_a_reason() -> None:
    assert set(TYPES) == {*NIR.operators, *REASONS}


def test_every_rule_is_tried_by_a_file() -> None:
    kinds = {layer.kind for name in ("every_type", "sequence") for layer in made(name).layers}
    assert {f"nir.{one}" for one in NIR.operators} - kinds == {"nir.Input", "nir.Output"}


def test_all_types_are_priced_where_spikes_are_events() -> None:
    for device in ("loihi", "loihi-silicon", "spinnaker2", "cpu"):
        costmodel.estimate(
            made("every_type"), device, scenario=Scenario(rates=10.0), on_unpriced="error"
        )


def test_constants_of_neurons_are_no_parameters() -> None:
    assert made("every_type").layer("10").parameter_count == 0


# ------------------------------------------------------------------ wiring


def test_what_closes_a_cycle_arrives_from_the_time_step_before() -> None:
    network = read(MODELS / "braille_noDelay_noBias_subtract.nir")
    assert [layer.name for layer in network.inputs] == ["input", "lif1.w_rec/previous"]
    assert [port.layer for port in network.edges["lif1.lif"]] == ["fc1", "lif1.w_rec/previous"]
    assert [port.layer for port in network.outputs] == ["lif2", "lif1.w_rec"]


def test_two_recurrent_layers_have_a_delayed_edge_for_each_cycle() -> None:
    inputs = [layer.name for layer in made("two_recurrent").inputs]
    assert inputs == ["input", "rec1/previous", "back/previous", "rec2/previous"]


def test_a_neuron_sums_all_that_arrives_in_one_update() -> None:
    (update,) = made("two_recurrent").layer("lif1").operators()
    assert isinstance(update, Activation)
    assert update.elements == 8
    assert len(update.inputs) == 3


def test_the_nodes_of_a_graph_within_a_graph_are_named_as_its_parts() -> None:
    names = [layer.name for layer in made("nested").layers]
    assert {"block.0/fc", "block.0/cell/lif", "block.0/cell/w.rec"} <= set(names)


def test_a_rate_of_a_block_holds_for_its_parts() -> None:
    rates = {"input": 10.0, "block.0": 10.0, "lif": 10.0, "fc": 10.0}
    by_layer = costmodel.estimate(made("nested"), "loihi", scenario=Scenario(rates=rates))
    one = costmodel.estimate(made("nested"), "loihi", scenario=Scenario(rates=10.0))
    assert by_layer.total("loihi").energy_joules == near(one.total("loihi").energy_joules)


def test_the_rate_of_a_neuron_arrives_at_its_recurrent_weights() -> None:
    path = MODELS / "braille_noDelay_noBias_subtract.nir"
    rates = {"input": 5.0, "fc1": 0.0, "lif1.lif": 20.0, "lif1.w_rec": 0.0, "fc2": 0.0, "lif2": 1.0}
    estimate = costmodel.estimate(read(path), "spinnaker2", scenario=Scenario(rates=rates))
    costs = {cost.layer.name: cost for cost in estimate.bills["spinnaker2"].lines}
    assert costs["lif1.w_rec"].cost.energy_joules == near(1600 * 20 * 0.001 * 450e-12)


def test_timesteps_multiply_a_step() -> None:
    path = MODELS / "braille_noDelay_noBias_subtract.nir"
    once, many = [
        costmodel.estimate(read(path), "loihi", scenario=Scenario(rates=10.0, timesteps=steps))
        for steps in (1, 256)
    ]
    assert many.total("loihi").energy_joules == near(256 * once.total("loihi").energy_joules)


@pytest.mark.parametrize("device", ["loihi", "loihi-silicon", "spinnaker", "spinnaker2"])
def test_a_network_of_keras_spiking_costs_the_same(device: str) -> None:
    steps = 30
    inputs = value = keras.Input((steps, 20))
    for units in (12, 5):
        value = keras.layers.Dense(units)(value)
        value = lookalikes.SpikingActivation("relu")(value)
    in_keras = costmodel.estimate(
        keras.Model(inputs, value), device,
        scenario=Scenario(rates=10.0, timesteps=steps, time_axis=0),
    )  # fmt: skip
    in_nir = costmodel.estimate(
        made("dense"), device, scenario=Scenario(rates=10.0, timesteps=steps)
    )
    assert in_nir.total(device).energy_joules == near(in_keras.total(device).energy_joules)


# ------------------------------------------------------------------ shapes


def test_what_nir_refuses_is_read_with_a_note() -> None:
    graph = graph_of(MODELS / "lif_rockpool.nir")
    assert graph.notes == ["output: states the shape (1, 1, 1), but what arrives has (1,)"]


def test_each_contradiction_is_noted_with_its_node() -> None:
    assert graph_of(MADE / "contradictions.nir").notes == [
        "0: reads (8, 8) where it expects (1, 8, 8); taken as the same elements",
        "0: states the input (1, 10, 10), but reads (1, 8, 8)",
        "1: has constants of shape () for (4, 8, 8); they are shared",
        "3: reads (4, 64) where it expects (256,); taken as the same elements",
        "4: has constants of shape (1,) for (10,); they are shared",
        "output: states the shape (1, 10, 1), but what arrives has (10,)",
    ]


@pytest.mark.parametrize("name", ["every_type", "nested", "two_recurrent", "delays", "sequence"])
def test_a_sound_file_needs_no_note(name: str) -> None:
    assert graph_of(MADE / f"{name}.nir").notes == []


def test_other_inputs_are_read_at_their_shapes() -> None:
    network = costmodel.read(MADE / "sequence.nir")
    assert network.layer("0").outputs[0].shape == (8, 50)
    graph = graph_of(MADE / "every_type.nir", input_shapes={"input": (2, 16, 12)})
    assert graph.inputs[0].shape == (1, 2, 16, 12)
    with pytest.raises(ReadError, match=r"node '0' of Conv2d: reads \(3, 16, 12\); expected 2 ch"):
        graph_of(MADE / "every_type.nir", input_shapes={"input": (3, 16, 12)})
    with pytest.raises(UnknownNameError, match="unknown input 'image'"):
        graph_of(MADE / "every_type.nir", input_shapes={"image": (2, 16, 12)})


# ------------------------------------------------------------------ live graphs


class NIRGraph:
    """As the class of `nir` gives its members."""

    def __init__(self, members: dict[str, Any]) -> None:
        self.members = members

    def to_dict(self) -> dict[str, Any]:
        return self.members


NIRGraph.__module__ = "nir.ir.graph"


def test_a_live_graph_is_read_as_its_file() -> None:
    neuron = node("IF", **dict.fromkeys(("r", "v_threshold", "v_reset"), floats(4, 30, 30)))
    nodes = {
        "in": node("Input", shape=np.array([2, 32, 32])),
        "conv": node("Conv2d", weight=floats(4, 2, 3, 3), bias=floats(4), stride=(1, 1),
                     padding=(0, 0), dilation=(1, 1), groups=1, input_shape=None),
        "if": neuron, "out": node("Output", shape=np.array([4, 30, 30])),
    }  # fmt: skip
    edges = [("in", "conv"), ("conv", "if"), ("if", "out")]
    source = NIRGraph({"type": "NIRGraph", "nodes": nodes, "edges": edges, "metadata": {}})
    network = costmodel.read(source)
    assert macs_by_layer(network) == {"conv": 4 * 30 * 30 * 18}
    assert neurons(network) == {"IF": 3600}
    with pytest.raises(ReadError, match="NIRGraph: the edge from 'in' to 'cone' names 'cone'"):
        costmodel.read(NIRGraph({**source.members, "edges": [("in", "cone")]}))


# ------------------------------------------------------------------ third parties


def acme(node: SourceNode) -> Value:
    """Neurons that are updated twice."""
    first = node.add("update", *node.present, function="acme")
    return node.add("update", first, function="acme")


def test_a_rule_of_a_third_party_goes_first() -> None:
    table = NIR.extended([Translation("nir", "CubaLIF", acme)])
    graph = graph_of(MODELS / "braille_noDelay_noBias_subtract.nir", table)
    updates = [node.settings for node in graph.nodes if node.operation == "update"]
    assert updates == [{"function": "acme"}] * 4


def test_a_type_that_nobody_knows_is_unpriced_in_the_shape_that_follows(tmp_path: Path) -> None:
    path = tmp_path / "own.nir"
    nodes = {
        "in": node("Input", shape=[4]), "cell": node("Izhikevich", a=floats(6)),
        "fc": node("Linear", weight=floats(2, 6)),
    }  # fmt: skip
    write(path, nodes, [("in", "cell"), ("cell", "fc")])
    layer = costmodel.read(path).layer("cell")
    work = layer.operators()
    assert layer.outputs[0].shape == (6,)
    assert isinstance(work, Unpriced)
    assert "no rule for the nir operator 'Izhikevich'" in work.reason


def test_a_type_that_nobody_knows_whose_shape_does_not_follow_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.nir"
    write(path, {"in": node("Input", shape=[4]), "cell": node("Izhikevich", a=floats(6))},
          [("in", "cell")])  # fmt: skip
    with pytest.raises(ReadError, match="no rule for the nir operator 'Izhikevich'"):
        costmodel.read(path)
