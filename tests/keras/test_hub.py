"""Small networks of keras-hub's classes, with random weights and without any download."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from worlds import REGISTRY

from costmodel import estimate, read

hub = pytest.importorskip("keras_hub").models
counts = pytest.importorskip("tensorflow_counts")

LENGTH, LAYERS = 8, 2
SIZES = {"num_layers": LAYERS, "hidden_dim": 16}
TEXT = {"vocabulary_size": 100, "intermediate_dim": 32, **SIZES}


def bert() -> Any:
    return hub.BertBackbone(num_heads=2, max_sequence_length=32, **TEXT)


def gpt2() -> Any:
    return hub.GPT2Backbone(num_heads=2, max_sequence_length=32, **TEXT)


def llama() -> Any:
    return hub.LlamaBackbone(num_query_heads=4, num_key_value_heads=2, **TEXT)


def vit() -> Any:
    return hub.ViTBackbone(
        image_shape=(32, 32, 3), patch_size=(8, 8), num_heads=2, mlp_dim=32, **SIZES
    )


NETWORKS = {
    "bert": bert,
    "bert classifier": lambda: hub.BertTextClassifier(bert(), num_classes=3),
    "gpt2": gpt2,
    "gpt2 language model": lambda: hub.GPT2CausalLM(gpt2()),
    "llama": llama,
    "llama language model": lambda: hub.LlamaCausalLM(llama()),
    "vit": vit,
    "vit classifier": lambda: hub.ViTImageClassifier(vit(), num_classes=5),
}
ROTATION = {name: LAYERS * 2 * LENGTH * 2 for name in NETWORKS if name.startswith("llama")}
"""Products of positions and frequencies, for queries and keys, of half a head of 4 elements.

They depend on no input: TensorFlow's graph makes them anew for every call, here they are constants.
"""


def closed(model: Any, shapes: Any) -> Any:
    """The model for inputs of these shapes alone."""
    inputs = {
        tensor.name: keras.Input(shapes[tensor.name], dtype=tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    }
    given = inputs if isinstance(model.input, dict) else next(iter(inputs.values()))
    return keras.Model(list(inputs.values()), model(given))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_keras_hub_is_read_as_tensorflow_counts_it(name: str) -> None:
    model = NETWORKS[name]()
    shapes = {
        tensor.name: tuple(length or LENGTH for length in tensor.shape[1:])
        for tensor in model.inputs
    }
    network = read(model, input_shapes=shapes, registry=REGISTRY)
    coverage = estimate(network, "cpu", registry=REGISTRY).coverage("cpu")
    assert not coverage.unpriced
    assert network.parameter_count == model.count_params()
    expected = counts.multiply_accumulates(closed(model, shapes)) - ROTATION.get(name, 0)
    assert network.macs == expected
