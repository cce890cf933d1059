"""Data type policies: layers that compute in other formats, and those that Keras quantises."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from keras import layers
from worlds import REGISTRY

from costmodel import Network, Scenario, estimate, read, work_by_layer
from costmodel.network.layer import Layer
from costmodel.workload.composite import Softmax
from costmodel.workload.operators import Activation, Contraction, Elementwise, Reduction

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",  # Keras itself, under NumPy 2
    "ignore:Layer .* does not have a `quantize` method:UserWarning",  # Keras says so of each
)

LAYERS = {
    "dense": lambda **options: layers.Dense(4, name="odd", **options),
    "einsum": lambda **options: layers.EinsumDense(
        "abx,xhy->abhy", (3, 2, 4), bias_axes="y", name="odd", **options
    ),
    "embedding": lambda **options: layers.Embedding(11, 4, name="odd", **options),
    "in another": lambda **options: layers.TimeDistributed(layers.Dense(4, **options), name="odd"),
}
MACS = {"dense": 3 * 6 * 4, "einsum": 3 * 6 * 2 * 4, "embedding": 0, "in another": 3 * 6 * 4}


def model_of(name: str, **options: Any) -> Any:
    inputs = keras.Input((3,) if name == "embedding" else (3, 6))
    after = layers.Activation("relu", name="after")
    return keras.Model(inputs, after(LAYERS[name](**options)(inputs)))


def quantized(name: str, mode: str) -> Any:
    model = model_of(name)
    model.quantize(mode)
    return model


def formats(layer: Layer) -> dict[str, str]:
    return {name: str(number) for name, number in layer.declared_formats().items()}


def work_on(network: Network, name: str = "odd") -> Any:
    (work,) = [one.work for one in work_by_layer(network) if one.layer.name == name]
    return work


@pytest.mark.parametrize("source", [lambda model: model, lambda model: model.to_json()])
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("dense", "int8"), ("dense", "float8"), ("einsum", "int8"), ("einsum", "float8"),
        ("embedding", "int8"),
    ],
)  # fmt: skip
def test_a_layer_that_keras_quantises_is_counted_with_its_scales(
    name: str, mode: str, source: Any
) -> None:
    model = quantized(name, mode)
    network = read(source(model), registry=REGISTRY)
    assert network.parameter_count == model.count_params()
    assert network.macs == MACS[name]
    stored = {"int8": "fixed<8,7>", "float8": "float8_e4m3"}[mode]
    (found,) = formats(network.layer("odd")).values()
    assert found == stored
    coverage = estimate(network, "horowitz-45nm", registry=REGISTRY).coverage("horowitz-45nm")
    assert coverage.unpriced == {}
    assert read(network.to_json(), registry=REGISTRY) == network


@pytest.mark.parametrize("name", ["dense", "einsum", "embedding"])
def test_weights_of_four_bits_are_counted_one_by_one(name: str) -> None:
    """Keras packs two of them into a byte, and `count_params` counts the bytes."""
    model = quantized(name, "int4")
    network = read(model, registry=REGISTRY)
    held = {weight.name: weight for weight in model.get_layer("odd").weights}
    stored = "embeddings" if name == "embedding" else "kernel"
    packed = held[stored].shape[0] * held[stored].shape[1]
    assert network.parameter_count - model.count_params() == packed
    assert formats(network.layer("odd"))[stored] == "fixed<4,3>"
    assert network == read(model.to_json(), registry=REGISTRY)


def test_an_int8_layer_quantises_its_inputs_and_scales_the_product() -> None:
    work = work_on(read(quantized("dense", "int8"), registry=REGISTRY))
    largest, scaled, product, *rest = work
    assert isinstance(largest, Reduction)
    assert str(scaled.outputs[0].format) == "fixed<8,7>"
    assert isinstance(product, Contraction)
    assert [str(one.tensor.format) for one in product.operands[:2]] == ["fixed<8,7>"] * 2
    assert [one.function for one in rest] == ["multiply", "multiply", "add"]
    assert str(rest[-1].outputs[0].format) == "float32"


def test_an_int4_layer_takes_inputs_as_they_are() -> None:
    """It keeps blocks of 128 weights with a scale and a zero each by default."""
    work = work_on(read(quantized("dense", "int4"), registry=REGISTRY))
    assert [type(one) for one in work] == [Contraction, Elementwise]
    assert str(work[0].operands[0].tensor.format) == "float32"


def test_an_int4_layer_with_one_scale_for_each_output_quantises_on_request() -> None:
    quantizers = keras.quantizers
    config = quantizers.Int4QuantizationConfig(
        activation_quantizer=quantizers.AbsMaxQuantizer(), block_size=None
    )
    model = model_of("dense")
    model.get_layer("odd").quantize("int4", config=config)
    live, text = (read(source, registry=REGISTRY) for source in (model, model.to_json()))
    assert live == text
    assert live.layer("odd").parameters["kernel_scale"].shape == (4,)
    assert str(work_on(live)[2].operands[0].tensor.format) == "fixed<8,7>"


def test_8_bit_floats_are_summed_in_the_format_of_the_layer() -> None:
    (_, product, *_) = work_on(read(quantized("dense", "float8"), registry=REGISTRY))
    given, weights, result = (str(one.tensor.format) for one in product.operands)
    assert (given, weights, result) == ("float8_e4m3", "float8_e4m3", "float32")


def test_a_layer_in_another_is_quantised_too() -> None:
    model = model_of("in another", dtype="int8_from_float32")
    network = read(model, registry=REGISTRY)
    assert formats(network.layer("odd")) == {"kernel": "fixed<8,7>"}
    assert network.macs == MACS["in another"]


@pytest.mark.parametrize(("function", "kind"), [("softmax", Softmax), ("tanh", Activation)])
def test_a_quantised_layer_has_the_activation_of_its_own(function: str, kind: type) -> None:
    model = model_of("dense", dtype="int8_from_float32", activation=function)
    *_, last = work_on(read(model, registry=REGISTRY))
    assert type(last) is kind


def test_an_activation_that_no_rule_knows_is_unpriced_in_a_quantised_layer_too() -> None:
    text = model_of("dense", dtype="int8_from_float32", activation="tanh").to_json()
    network = read(text.replace('"tanh"', '"own_curve"'), registry=REGISTRY)
    found = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound").coverage("cpu")
    assert "own_curve" in found.unpriced["odd"][0]


def test_a_mode_that_keras_does_not_have_for_a_layer_is_unpriced() -> None:
    text = model_of("embedding", dtype="int8_from_float32").to_json()
    network = read(text.replace('"int8"', '"float8"'), registry=REGISTRY)
    found = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound").coverage("cpu")
    assert "kept as 'float8'" in found.unpriced["odd"][0]


ATTENTION = {
    "heads": lambda **options: layers.MultiHeadAttention(2, 4, name="odd", **options),
    "grouped": lambda **options: layers.GroupQueryAttention(4, 2, 1, name="odd", **options),
}


def attending(layer: Any) -> Any:
    inputs = keras.Input((3, 6))
    return keras.Model(inputs, layers.Dense(2, name="after")(layer(inputs, inputs)))


@pytest.mark.parametrize("name", ATTENTION)
def test_an_attention_of_quantised_projections_is_unpriced(name: str) -> None:
    model = attending(ATTENTION[name]())
    model.quantize("int8")
    network = read(model, registry=REGISTRY)
    found = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound").coverage("cpu")
    assert "kept as 'int8'" in found.unpriced["odd"][0]
    assert network.parameter_count == model.count_params()
    assert formats(network.layer("after")) == {"kernel": "fixed<8,7>"}


def test_an_attention_that_a_file_says_is_quantised_is_unpriced() -> None:
    policies = keras.dtype_policies
    each = policies.DTypePolicyMap()
    each["odd/query"] = policies.QuantizedDTypePolicy("int8", "float32")
    text = attending(ATTENTION["heads"](dtype=each)).to_json()
    network = read(text, registry=REGISTRY)
    found = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound").coverage("cpu")
    assert "kept as 'int8'" in found.unpriced["odd"][0]


@pytest.mark.parametrize("mode", ["gptq/4/128", "awq/4/128"])
def test_a_mode_without_a_rule_is_unpriced_and_named(mode: str) -> None:
    text = model_of("dense", dtype="int8_from_float32").to_json()
    network = read(text.replace('"int8"', f'"{mode}"'), registry=REGISTRY)
    found = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound").coverage("cpu")
    assert f"kept as {mode.partition('/')[0]!r}" in found.unpriced["odd"][0]


@pytest.mark.parametrize(
    "broken",
    ['"int4/0"', '"int4/x"', '"int4/-3"', '"int4/99999999999999"', '"int4/"'],
)
def test_a_block_that_no_layer_can_have_is_one_scale_for_each_output(broken: str) -> None:
    text = model_of("dense", dtype="int8_from_float32").to_json()
    network = read(text.replace('"int8"', broken), registry=REGISTRY)
    assert network.layer("odd").parameters["kernel_scale"].shape == (4,)


@pytest.mark.parametrize("convention", ["keras-spiking", "qtools"])
def test_the_ancestors_have_no_count_for_it(convention: str) -> None:
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4, name="dense"), layers.ReLU()])
    model.quantize("int8")
    found = estimate(model, "horowitz-45nm", convention=convention, on_unpriced="bound")
    assert "QuantizedDense" in found.coverage("horowitz-45nm").unpriced["dense"][0]


# ------------------------------------------------------------------ computing in other formats


@pytest.mark.parametrize(
    ("policy", "number"),
    [
        ("mixed_float16", "float16"), ("mixed_bfloat16", "bfloat16"), ("bfloat16", "bfloat16"),
        ("float16", "float16"), ("float64", "float64"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("source", [lambda model: model, lambda model: model.to_json()])
def test_a_layer_computes_in_the_format_of_its_policy(
    policy: str, number: str, source: Any
) -> None:
    network = read(source(model_of("dense", dtype=policy)), registry=REGISTRY)
    (product,) = work_on(network)
    assert {str(one.tensor.format) for one in product.operands} == {number}
    assert network.macs == MACS["dense"]
    assert read(network.to_json(), registry=REGISTRY) == network


def test_a_float32_layer_in_a_mixed_network_is_declared_as_such() -> None:
    inputs = keras.Input((6,))
    hidden = layers.Dense(4, dtype="mixed_float16")(inputs)
    model = keras.Model(inputs, layers.Dense(2, dtype="float32", name="odd")(hidden))
    network = read(model, registry=REGISTRY)
    halved = Scenario(default_format="int8")
    (work,) = [one.work for one in work_by_layer(network, halved) if one.layer.name == "odd"]
    assert {str(one.tensor.format) for one in work[0].operands} == {"float32"}


def test_a_network_in_float32_leaves_formats_to_the_scenario() -> None:
    network = read(model_of("dense"), registry=REGISTRY)
    assert not any(layer.declares_formats for layer in network.layers)


def test_an_embedding_takes_indices_as_they_are() -> None:
    (lookup,) = work_on(read(model_of("embedding", dtype="mixed_bfloat16"), registry=REGISTRY))
    indices, *others = (str(one.tensor.format) for one in lookup.operands)
    assert indices == "float32"
    assert set(others) == {"bfloat16"}


def test_a_network_in_mixed_precision_costs_less_than_in_float32() -> None:
    plain, mixed = (
        estimate(model_of("dense", dtype=policy), "horowitz-45nm", registry=REGISTRY)
        .total("horowitz-45nm")
        .energy_joules
        for policy in ("float32", "mixed_float16")
    )
    assert mixed < plain


@pytest.mark.parametrize("source", [lambda model: model, lambda model: model.to_json()])
def test_policies_of_keras_2_are_declared_formats_too(source: Any) -> None:
    tf_keras: Any = pytest.importorskip("tf_keras")
    dense = tf_keras.layers.Dense
    wide = dense(2, dtype="float32", name="wide")
    halved = dense(4, dtype="mixed_float16", name="odd")
    model = tf_keras.Sequential([tf_keras.Input((6,)), halved, wide])
    network = read(source(model), registry=REGISTRY)
    found = [{str(one.tensor.format) for one in work_on(network, name)[0].operands}
             for name in ("odd", "wide")]  # fmt: skip
    assert found == [{"float16"}, {"float32"}]
