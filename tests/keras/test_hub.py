"""Networks of keras-hub are read as TensorFlow counts them, or name the row that is not."""

from __future__ import annotations

import json
from typing import Any

import keras
import pytest
from worlds import REGISTRY

from costmodel import Network, estimate, read

pytest.importorskip("keras_hub")
counts = pytest.importorskip("tensorflow_counts")
CASES = pytest.importorskip("hub_networks").CASES

pytestmark = [  # what Keras says of keras-hub's own layers
    pytest.mark.filterwarnings("ignore:.*was passed an input with a mask attached:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*looks like it has unbuilt state:UserWarning"),
]

LENGTH = 8
"""Tokens, wherever a length is open."""
SIDE = 32
"""Pixels, wherever that of an image is open."""


def name_of(tensor: Any) -> str:
    return str(tensor._keras_history.operation.name)


def shapes_of(model: Any, given: Any) -> dict[str, tuple[int, ...]]:
    """A shape for every input."""
    shapes = {
        name_of(tensor): tuple(
            length or (SIDE if name_of(tensor) == "images" else LENGTH)
            for length in tensor.shape[1:]
        )
        for tensor in model.inputs
    }
    return {**shapes, **given}


def closed(model: Any, shapes: Any) -> Any:
    """The model for inputs of these shapes alone."""
    inputs = [
        keras.Input(shapes[name_of(tensor)], dtype=tensor.dtype, name=name_of(tensor))
        for tensor in model.inputs
    ]
    return keras.Model(inputs, model(keras.tree.pack_sequence_as(model._inputs_struct, inputs)))


def unpriced(network: Network) -> list[str]:
    """The rows without a price, by the last part of their names, without Keras's numbers."""
    coverage = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound").coverage("cpu")
    return [name.rpartition("/")[2].rstrip("_0123456789") for name in coverage.unpriced]


def marked(names: Any) -> list[Any]:
    """The cases, those that no fast run needs marked as slow."""
    return [
        pytest.param(name, marks=pytest.mark.slow if CASES[name].is_slow else ()) for name in names
    ]


@pytest.mark.parametrize("name", marked(CASES))
def test_a_network_of_keras_hub_is_read_as_tensorflow_counts_it(name: str) -> None:
    case = CASES[name]
    model = case.make()
    shapes = shapes_of(model, case.shapes)
    network = read(model, input_shapes=shapes, registry=REGISTRY)
    assert tuple(unpriced(network)) == tuple(one.rstrip("0123456789") for one in case.unpriced)
    assert network.parameter_count == model.count_params()
    expected = counts.multiply_accumulates(closed(model, shapes), for_each_example=True)
    assert network.macs == expected - case.beside


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bert", "t5", "vit", "vitdet", "mit", "mixtral"])
def test_a_file_of_it_keeps_a_row_for_each_layer_that_only_a_program_knows(name: str) -> None:
    model = CASES[name].make()
    text = keras.Model(model.inputs, model.outputs).to_json()
    network = read(text, registry=REGISTRY)
    layers = {entry["config"]["name"] for entry in json.loads(text)["config"]["layers"]}
    assert {layer.name.partition("/")[0].partition("@")[0] for layer in network.layers} == layers
