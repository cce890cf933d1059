"""Recurrent cells, loops and branches of graphs, beside counts by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from frontends.graphs import functions, lowered, step
from worlds import REGISTRY

import costmodel
from costmodel.errors import ShapeError
from costmodel.estimates.counts import count
from costmodel.formats import parse_format
from costmodel.frontend.control import branch, loop
from costmodel.frontend.graph import Graph
from costmodel.workload.graph import Branch, Loop

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
ACTIVATIONS = {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True}
STEPS, FEATURES, UNITS = 7, 6, 5


def recurrent(cell: str, number: str | None = None, **settings: Any) -> Graph:
    own = None if number is None else parse_format(number)
    graph = Graph(cell, "test")
    sequence = graph.input("x", (1, STEPS, FEATURES), own)
    width = GATES[cell] * UNITS
    with graph.source("cell", f"test.{cell}"):
        kernel = graph.constant("kernel", (width, FEATURES), own, is_parameter=True)
        weighed = graph.constant("recurrent", (width, UNITS), own, is_parameter=True)
        bias = graph.constant("bias", (width,), is_parameter=True)
        made = graph.all_of(
            "recurrent", sequence, kernel, weighed, bias, cell=cell, units=UNITS, time_axis=1,
            formats=[own], **settings,
        )  # fmt: skip
    graph.outputs = [made[0], made[1]]
    return graph


@pytest.mark.parametrize("number", [None, "int8"])
@pytest.mark.parametrize("cell", GATES)
def test_a_cell_weighs_input_and_state_at_every_step(cell: str, number: str | None) -> None:
    network, workload = lowered(recurrent(cell, number), batch=3)
    gates = GATES[cell]
    assert workload.macs == 3 * STEPS * gates * UNITS * (FEATURES + UNITS)
    assert workload.weight_count == gates * UNITS * (FEATURES + UNITS + 1)
    assert network.layers[1].outputs[0].shape == (STEPS, UNITS)
    (found,) = [one for one in workload.steps if isinstance(one, Loop)]
    assert found.steps == STEPS
    assert costmodel.read(network.to_json()) == network
    for device in ("raspberry-pi-4", "cpu"):
        estimate = costmodel.estimate(
            network, [device], scenario=costmodel.Scenario(rates=10), registry=REGISTRY
        )
        assert not estimate.coverage(device).unpriced


def test_cells_apply_the_functions_that_keras_applies() -> None:
    """A loop and its step count as the same layer read from Keras does."""
    config = {
        "class_name": "Sequential",
        "config": {
            "name": "m",
            "build_input_shape": [None, STEPS, FEATURES],
            "layers": [],
        },
    }
    for cell, name in (("lstm", "LSTM"), ("gru", "GRU"), ("rnn", "SimpleRNN")):
        layer = {"name": "r", "units": UNITS, "return_sequences": True, **ACTIVATIONS}
        config["config"]["layers"] = [{"class_name": name, "config": layer}]  # type: ignore[index]  # a mapping
        keras = costmodel.read(json.dumps(config))
        theirs = costmodel.Convention().lower(keras, costmodel.Scenario()).bind(batch=1)
        _, own = lowered(recurrent(cell))
        assert own.macs == theirs.macs
        assert own.operations == theirs.operations


@pytest.mark.parametrize("resets_after", [True, False])
def test_a_gru_may_reset_before_or_after(resets_after: bool) -> None:  # noqa: FBT001  # a parameter
    _, workload = lowered(recurrent("gru", resets_after=resets_after))
    assert workload.macs == STEPS * 3 * UNITS * (FEATURES + UNITS)


def test_a_projection_and_peepholes_are_counted() -> None:
    graph = Graph("lstm", "test")
    sequence = graph.input("x", (STEPS, 1, FEATURES))
    with graph.source("cell", "test.lstm"):
        width = 4 * UNITS
        made = graph.all_of(
            "recurrent", sequence, graph.constant("w", (width, FEATURES)),
            graph.constant("r", (width, 2)), None, None, None, None,
            graph.constant("p", (2, UNITS)), graph.constant("peep", (3, UNITS)),
            cell="lstm", units=UNITS,
        )  # fmt: skip
    graph.outputs = [made[0]]
    _, workload = lowered(graph)
    assert workload.macs == STEPS * (width * (FEATURES + 2) + 2 * UNITS)
    assert functions(workload).count("multiply") == 3 + 3


def test_a_loop_runs_its_body_as_often_as_it_says() -> None:
    graph = Graph("loop", "test")
    sequence = graph.input("x", (STEPS, 1, 16))
    start = graph.constant("h0", data=np.zeros((1, 8)))
    outside = graph.constant("outside", (8, 8))
    with graph.source("loop", "test.loop"):
        body = graph.body("body")
        taken, state = body.input("taken", (1, 16)), body.input("state", (1, 8))
        own = body.add("matmul", taken, body.constant("own", (16, 8)))
        summed = body.add("elementwise", own, body.add("matmul", state, outside), function="add")
        new = body.add("activation", summed, function="tanh")
        last, every = loop(
            graph, body, STEPS, varying=[(sequence, taken)], carried=[(start, state, new)],
            collected=[new],
        )  # fmt: skip
    graph.outputs = [last, every]
    network, workload = lowered(graph)
    assert (last.shape, every.shape) == ((1, 8), (STEPS, 1, 8))
    assert workload.macs == STEPS * (16 * 8 + 8 * 8)
    assert network.layer("loop").parameter_count == 16 * 8 + 8 * 8


def test_a_loop_carries_what_it_is_given() -> None:
    graph = Graph("loop", "test")
    value = graph.input("x", (1, 8), parse_format("int8"))
    with graph.source("loop", "test.loop"):
        body = graph.body("body")
        state = body.input("state", (1, 8))
        new = body.add("matmul", state, graph.constant("w", (8, 8), parse_format("int8")))
        (last,) = loop(graph, body, 3, carried=[(value, state, new)])
    graph.outputs = [last]
    _, workload = lowered(graph)
    assert workload.macs == 3 * 64


def test_a_loop_may_carry_what_it_is_given_on_as_another_state() -> None:
    """As the key of a generator of random numbers, whose words take turns."""
    number = parse_format("uint32")
    graph = Graph("loop", "test")
    with graph.source("views", "test.reshape"):  # their format is that of what they show
        seen, other = [
            graph.add("reshape", graph.input(name, (1, 8), number), shape=(8, 1)) for name in "xy"
        ]
    with graph.source("mix", "test.add"):
        mixed = graph.add("elementwise", seen, other, function="add")
        mixed.format = number
    with graph.source("loop", "test.loop"):
        body = graph.body("body")
        states = [
            body.input(f"state{place}", one.shape, one.format)
            for place, one in enumerate((seen, other, mixed))
        ]
        new = body.add("elementwise", states[0], states[1], function="add")
        made = loop(
            graph, body, 5, collected=[new],
            carried=[
                (start, state, states[place - 1])
                for place, (start, state) in enumerate(
                    zip((seen, other, mixed), states, strict=True)
                )
            ],
        )  # fmt: skip
    graph.outputs = list(made)
    _, workload = lowered(graph)
    (found,) = [one for one in workload.steps if isinstance(one, Loop)]
    assert {found.body.tensors[name].format for _, name in found.carried} == {number}
    assert workload.operations["add"] == (5 + 1) * 8


def test_a_loop_whose_state_changes_its_shape_is_refused() -> None:
    graph = Graph("loop", "test")
    value = graph.input("x", (1, 8))
    body = graph.body("body")
    state = body.input("state", (1, 8))
    new = body.add("matmul", state, graph.constant("w", (8, 4)))
    with pytest.raises(ShapeError, match="expected one shape"):
        loop(graph, body, 3, carried=[(value, state, new)])


def test_a_branch_is_as_dear_as_its_dearer_alternative() -> None:
    graph = Graph("branch", "test")
    value = graph.input("x", (1, 16))
    go = step(graph, "go", "reduce", value, function="max", axes=(1,))
    with graph.source("if", "test.if"):
        short = graph.body("then")
        few = short.add("matmul", value, short.constant("w1", (16, 8)))
        long = graph.body("else")
        wide = long.add("matmul", value, long.constant("w2", (16, 16)))
        many = long.add("matmul", wide, long.constant("w3", (16, 8)))
        (made,) = branch(graph, go, [(short, [few]), (long, [many])])
    graph.outputs = [step(graph, "relu", "activation", made, function="relu")]
    network, workload = lowered(graph)
    (found,) = [one for one in workload.steps if isinstance(one, Branch)]
    assert [one.macs for one in found.alternatives] == [128, 384]
    assert workload.macs == count(network).macs == 384
    assert workload.operations == {"compare": 15, "multiply-accumulate": 384, "activation": 8}
    assert network.layer("go").operators()  # what decides is computed
    (note,) = network.notes
    assert note.startswith("node 'if' of test.if: data choose one of 2 alternatives; counts and")
    device = REGISTRY.device("cpu")
    estimate = device.evaluate(workload, costmodel.Scenario())
    long_only = Graph("long", "test")
    x = long_only.input("x", (1, 16))
    y = step(long_only, "a", "matmul", x, long_only.constant("w2", (16, 16)))
    y = step(long_only, "b", "matmul", y, long_only.constant("w3", (16, 8)))
    y = step(long_only, "relu", "activation", y, function="relu")
    long_only.outputs = [y, step(long_only, "go", "reduce", x, function="max", axes=(1,))]
    alone = device.evaluate(lowered(long_only)[1], costmodel.Scenario())
    assert estimate.energy_joules == pytest.approx(alone.energy_joules, rel=1e-12, abs=0)
    assert costmodel.read(network.to_json()) == network


def test_alternatives_of_different_shapes_are_refused() -> None:
    graph = Graph("branch", "test")
    value = graph.input("x", (1, 16))
    one, other = graph.body("then"), graph.body("else")
    few = one.add("matmul", value, one.constant("w1", (16, 8)))
    many = other.add("matmul", value, other.constant("w2", (16, 4)))
    with pytest.raises(ShapeError, match="different shapes"):
        branch(graph, None, [(one, [few]), (other, [many])])
