"""Graphs of every form that Keras makes, live and as JSON."""

from __future__ import annotations

import json
from typing import Any

import keras
import pytest
import tensorflow as tf
from keras import layers
from worlds import REGISTRY

from costmodel import Network, Scenario, UnpricedWarning, estimate, read
from costmodel.errors import ReadError, ShapeError, UnknownNameError


def both(model: Any) -> Any:
    """The network, after a check that the live model and its JSON agree."""
    live, text = (read(source, registry=REGISTRY) for source in (model, model.to_json()))
    assert live == text
    assert live.parameter_count == model.count_params()
    return live


def names(network: Network) -> Any:
    return [layer.name for layer in network.layers]


def outputs(network: Network) -> Any:
    return [network.layer(port.layer).outputs[port.output].shape for port in network.outputs]


def dense_block(name: str = "block", width: Any = 4) -> Any:
    """A model that goes as a layer: `width` elements in and out."""
    inputs = keras.Input((width,))
    return keras.Model(inputs, layers.Dense(width, name="inner")(inputs), name=name)


def test_a_sequential_model_is_a_chain() -> None:
    model = keras.Sequential([keras.Input((4,), name="in"), layers.Dense(3, name="out")])
    network = both(model)
    assert names(network) == ["in", "out"]
    assert outputs(network) == [(3,)]


def test_a_sequential_model_without_an_input_layer_reads_once_it_is_built() -> None:
    model = keras.Sequential([layers.Dense(3, name="out")])
    model.build((None, 4))
    assert outputs(both(model)) == [(3,)]


@pytest.mark.parametrize("source", [lambda model: model, lambda model: model.to_json()])
def test_a_sequential_model_that_is_not_built_says_how_to_build_it(source: Any) -> None:
    model = keras.Sequential([layers.Dense(3)])
    with pytest.raises(ReadError, match=r"build.*keras\.Input in front"):
        read(source(model), registry=REGISTRY)


def test_a_nested_model_gives_its_layers_under_its_name() -> None:
    inputs = keras.Input((4,), name="in")
    network = both(keras.Model(inputs, layers.Dense(2, name="out")(dense_block()(inputs))))
    assert names(network) == ["in", "block/inner", "out"]


def test_models_nested_in_models_are_opened_all_the_way() -> None:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="deep")], name="inner")
    middle = keras.Sequential([keras.Input((4,)), inner], name="middle")
    network = both(keras.Sequential([keras.Input((4,), name="in"), middle]))
    assert names(network) == ["in", "middle/inner/deep"]


def test_a_model_called_twice_shares_its_parameters() -> None:
    inputs, block = keras.Input((4,), name="in"), dense_block()
    network = both(keras.Model(inputs, block(block(inputs))))
    assert names(network) == ["in", "block/inner", "block/inner@2"]
    assert network.layer("block/inner@2").shares == "block/inner"
    assert network.parameter_count == 20
    assert network.macs == 2 * 16


def test_a_layer_called_twice_shares_its_parameters() -> None:
    inputs, dense = keras.Input((4,), name="in"), layers.Dense(4, name="same")
    network = both(keras.Model(inputs, dense(dense(inputs))))
    assert names(network) == ["in", "same", "same@2"]
    assert network.sources("same@2")[0].layer == "same"


def test_a_layer_called_at_two_shapes_has_both() -> None:
    short, long = keras.Input((3, 4), name="short"), keras.Input((9, 4), name="long")
    dense = layers.Dense(5, name="same")
    network = both(keras.Model([short, long], [dense(short), dense(long)]))
    assert outputs(network) == [(3, 5), (9, 5)]


def test_a_model_called_at_another_shape_has_the_shapes_of_the_call() -> None:
    inner = keras.Sequential(
        [keras.Input((None, None, 3)), layers.Conv2D(4, 3, name="conv")], name="inner"
    )
    inputs = keras.Input((8, 8, 3), name="in")
    network = both(keras.Model(inputs, inner(inputs)))
    assert network.layer("inner/conv").outputs[0].shape == (6, 6, 4)


def test_several_inputs_and_outputs_keep_their_order() -> None:
    first, second = keras.Input((3,), name="first"), keras.Input((4,), name="second")
    joined = layers.Concatenate(name="join")([second, first])
    network = both(keras.Model([first, second], [layers.Dense(2)(joined), joined]))
    assert [port.layer for port in network.sources("join")] == ["second", "first"]
    assert outputs(network) == [(2,), (7,)]


def test_inputs_and_outputs_may_be_dictionaries() -> None:
    tensors = {"b": keras.Input((4,), name="b"), "a": keras.Input((3,), name="a")}
    heads = {"z": layers.Dense(2)(tensors["b"]), "y": layers.Dense(5)(tensors["a"])}
    assert sorted(outputs(both(keras.Model(tensors, heads)))) == [(2,), (5,)]


def test_a_model_that_takes_a_dictionary_goes_as_a_layer() -> None:
    tensors = {"b": keras.Input((4,), name="b"), "a": keras.Input((4,), name="a")}
    merged = layers.Subtract(name="less")([tensors["a"], layers.Dense(4)(tensors["b"])])
    inner = keras.Model(tensors, merged, name="inner")
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    network = both(keras.Model([left, right], inner({"a": left, "b": right})))
    assert network.sources("inner/less")[0].layer == "left"


def test_a_tensor_given_as_a_keyword_feeds_the_layer() -> None:
    inputs = keras.Input((4, 8), name="in")
    attention = layers.MultiHeadAttention(2, 4, name="attention")
    network = read(keras.Model(inputs, attention(query=inputs, value=inputs)), registry=REGISTRY)
    assert [port.layer for port in network.sources("attention")] == ["in", "in"]


def test_a_model_between_two_layers_of_another_is_a_network() -> None:
    inputs = keras.Input((4,))
    hidden = layers.Dense(3, name="hidden")(inputs)
    part = keras.Model(inputs, hidden)
    layers.Dense(2, name="beyond")(hidden)
    assert outputs(both(part)) == [(3,)]


def test_a_layer_of_two_models_belongs_to_each_with_its_own_calls() -> None:
    dense = layers.Dense(3, name="shared")
    first, second = keras.Input((4,)), keras.Input((4,))
    keras.Model(first, dense(first))
    network = both(keras.Model(second, dense(second)))
    assert [layer.name for layer in network.layers if layer.kind == "keras.Dense"] == ["shared"]


def test_an_input_that_is_an_output_leaves_the_network() -> None:
    inputs = keras.Input((4,), name="in")
    network = both(keras.Model(inputs, [inputs, layers.Dense(2)(inputs)]))
    assert outputs(network) == [(4,), (2,)]


def test_a_subclass_of_a_functional_model_reads_as_its_graph() -> None:
    class Named(keras.Model):
        pass

    inputs = keras.Input((4,))
    assert outputs(both(Named(inputs, layers.Dense(2)(inputs)))) == [(2,)]


def test_a_model_without_a_graph_is_refused() -> None:
    class Free(keras.Model):
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(ReadError, match="without a graph of layers"):
        read(Free(), registry=REGISTRY)


def test_a_layer_shared_between_a_model_and_the_one_in_it_is_counted_once() -> None:
    dense, inputs = layers.Dense(4, name="shared"), keras.Input((4,))
    tensor = keras.Input((4,))
    inner = keras.Model(tensor, dense(tensor), name="inner")
    model = keras.Model(inputs, dense(inner(inputs)))
    assert read(model, registry=REGISTRY).parameter_count == model.count_params()


# ------------------------------------------------------------------ what has no rule


class Mystery(layers.Layer):
    """A third party's layer, whose work Keras cannot see."""

    def call(self, x: Any) -> Any:
        return tf.abs(x)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class Weighted(Mystery):
    """A third party's layer with parameters."""

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(shape[-1],))


def never(_: Any) -> None:
    """What a Lambda must not do."""
    raise AssertionError


def behind(layer: Any, *, last: Any) -> Any:
    """A model with `layer` at its end, or before a dense layer."""
    inputs = keras.Input((4,), name="in")
    tensor = layer(inputs)
    return keras.Model(inputs, tensor if last else layers.Dense(2, name="out")(tensor))


NO_RULE, PROGRAM = "no rule for kind", "it runs a function of the program"
UNRULED: dict[str, tuple[Any, str]] = {
    "a third party's layer": (lambda: Mystery(name="odd"), NO_RULE),
    "a third party's layer with weights": (lambda: Weighted(name="odd"), NO_RULE),
    "a lambda": (
        lambda: layers.Lambda(lambda x: x + 1, output_shape=(4,), name="odd"), PROGRAM,
    ),
    "a lambda that fails": (
        lambda: layers.Lambda(never, output_shape=(4,), name="odd"), PROGRAM,
    ),
}  # fmt: skip
SOURCES = {"live": lambda model: model, "json": lambda model: model.to_json()}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
@pytest.mark.parametrize("last", [False, True], ids=["before another", "at the end"])
@pytest.mark.parametrize(("odd", "words"), UNRULED.values(), ids=UNRULED.keys())
def test_a_layer_without_a_rule_is_unpriced_and_named(
    odd: Any, words: str, last: Any, source: Any
) -> None:
    network = read(source(behind(odd(), last=last)), registry=REGISTRY)
    assert network.layer("odd").operators().reason.startswith(words)
    with pytest.warns(UnpricedWarning, match=f"odd: {words}"):
        bill = estimate(network, "cpu", registry=REGISTRY)
    assert list(bill.coverage("cpu").unpriced) == ["odd"]


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_a_layer_without_a_rule_keeps_its_place_in_a_sequential_model(source: Any) -> None:
    model = keras.Sequential([keras.Input((4,)), Mystery(name="odd"), layers.Dense(2, name="out")])
    network = read(source(model), registry=REGISTRY)
    assert network.layer("out").parameter_count == 10


def test_the_parameters_of_a_layer_without_a_rule_are_missing_from_the_coverage() -> None:
    network = read(behind(Weighted(name="odd"), last=False), registry=REGISTRY)
    bill = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound")
    assert bill.coverage("cpu").parameters.fraction < 1


def test_activations_of_a_layer_without_a_rule_are_missing_from_the_coverage() -> None:
    network = read(behind(Mystery(name="odd"), last=False), registry=REGISTRY)
    bill = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound")
    activations = bill.coverage("cpu").activations
    assert (activations.covered, activations.total) == (4 + 2, 4 + 4 + 2)
    assert "60.0%" in str(bill)
    assert "unpriced on cpu: odd (4): no rule" in str(bill)


def test_activations_of_unknown_shape_claim_no_coverage() -> None:
    network = read(behind(Mystery(name="odd"), last=True).to_json(), registry=REGISTRY)
    bill = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound")
    assert bill.coverage("cpu").activations.fraction is None
    assert bill.to_dict()["devices"]["cpu"]["coverage"]["activations"]["fraction"] is None
    assert "odd (an unknown shape): no rule" in str(bill)


# ------------------------------------------------------------------ open axes


@pytest.fixture
def open_model() -> Any:
    """A network over sequences of any length."""
    inputs = keras.Input((None, 4), name="words")
    return keras.Model(inputs, layers.Conv1D(2, 3, name="conv")(inputs))


def test_an_open_axis_stays_open_until_it_is_bound(open_model: Any) -> None:
    network = both(open_model)
    assert not network.is_bound
    assert network.layer("conv").outputs[0].shape == (None, 2)


def test_an_open_axis_is_bound_by_the_reading(open_model: Any) -> None:
    network = read(open_model, input_shapes={"words": (10, 4)}, registry=REGISTRY)
    assert network.layer("conv").outputs[0].shape == (8, 2)


def test_an_open_axis_is_bound_by_the_scenario(open_model: Any) -> None:
    scenario = Scenario(input_shapes={"words": (10, 4)})
    bill = estimate(open_model, "cpu", scenario=scenario, registry=REGISTRY)
    assert bill.macs == 8 * 3 * 4 * 2


def test_an_axis_that_nobody_binds_is_an_error_that_says_how(open_model: Any) -> None:
    with pytest.raises(ShapeError, match=r"open axis.*Scenario\(input_shapes"):
        estimate(open_model, "cpu", registry=REGISTRY)


@pytest.mark.parametrize(
    ("shapes", "error", "message"),
    [
        ({"words": (10, 5)}, ShapeError, "declared as . x 4; 10 x 5 does not fit"),
        ({"words": (10,)}, ShapeError, "does not fit"),
        ({"words": (2, 4)}, ShapeError, "window of 3 does not fit into an axis of 2"),
        ({"words": (0, 4)}, ShapeError, "not an axis length of 1 or more"),
        ({"word": (10, 4)}, UnknownNameError, "nearest known: 'words'"),
        ({"conv": (10, 4)}, UnknownNameError, "unknown input 'conv'"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(
    open_model: Any, shapes: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read(open_model, input_shapes=shapes, registry=REGISTRY)


# ------------------------------------------------------------------ what no source tells


def test_layers_behind_one_of_unknown_shape_keep_their_places() -> None:
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            Mystery(name="odd"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(2),
        ]
    )
    network = read(model.to_json(), registry=REGISTRY)
    bill = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound").bill("cpu")
    assert [line.layer.name for line in bill.lines if line.unpriced] == ["odd", "drop"]
    assert "not known" in bill.line("drop").unpriced[0]
    assert bill.lines[-1].cost.energy_joules > 0


@pytest.mark.parametrize("live", [True, False])
def test_a_network_with_an_unknown_layer_may_be_bound(live: bool) -> None:  # noqa: FBT001  # a case
    double = layers.Lambda(lambda x: x * 2, name="lambda")
    model = keras.Sequential([keras.Input((None, 4), name="rows"), layers.Dense(3), double])
    source = model if live else model.to_json()
    network = read(source, input_shapes={"rows": (5, 4)}, registry=REGISTRY)
    found = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound")
    assert found.macs == 5 * 4 * 3
    assert list(found.coverage("cpu").unpriced) == ["lambda"]


def test_a_file_with_a_layer_of_unknown_size_claims_no_coverage_of_sizes() -> None:
    model = behind(Weighted(name="odd"), last=False)
    network = read(model.to_json(), registry=REGISTRY)
    coverage = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound").coverage("cpu")
    assert coverage.parameters.fraction is None
    assert coverage.macs.fraction is None


def test_a_class_of_ones_own_is_not_taken_for_the_layer_of_that_name() -> None:
    config = json.loads(keras.Sequential([keras.Input((4,)), layers.Dense(2)]).to_json())
    config["config"]["layers"][1].update(module=None, registered_name="Dense")
    network = read(json.dumps(config), registry=REGISTRY)
    assert network.layers[1].kind == "custom.Dense"


def test_models_that_unfold_without_end_are_refused() -> None:
    entry = json.loads(behind(layers.ReLU(), last=True).to_json())
    with pytest.raises(ReadError, match="unfolds to more than"):
        read(json.dumps(_nested(entry, depth=30)), registry=REGISTRY)


def _nested(entry: Any, depth: int) -> Any:
    """Models that each call the one before twice, one after the other."""
    for level in range(depth):
        inner = {**entry, "name": f"inner_{level}", "inbound_nodes": []}
        feeds = [("in", 0), (f"inner_{level}", 0)]
        inner["inbound_nodes"] = [
            {"args": [_tensor_of(name, call)], "kwargs": {}} for name, call in feeds
        ]
        first = {
            "class_name": "InputLayer", "module": "keras.layers", "name": "in",
            "config": {"name": "in", "batch_shape": [None, 4]}, "inbound_nodes": [],
        }  # fmt: skip
        config = {
            "name": f"outer_{level}", "layers": [first, inner],
            "input_layers": [["in", 0, 0]], "output_layers": [[f"inner_{level}", 2, 0]],
        }  # fmt: skip
        entry = {"class_name": "Functional", "module": "keras", "config": config}
    return entry


def _tensor_of(layer: str, call: int) -> Any:
    config = {"shape": [None, 4], "dtype": "float32", "keras_history": [layer, call, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


# ------------------------------------------------------------------ folding


def _free(model: Any) -> Any:
    network = read(model, registry=REGISTRY)
    return estimate(network, "cpu", registry=REGISTRY).coverage("cpu").free


def test_batch_norm_along_another_axis_than_the_channels_is_charged() -> None:
    image = keras.Input((8, 8, 3))
    along = {
        axis: keras.Model(
            image, layers.BatchNormalization(axis, name="bn")(layers.Conv2D(4, 3)(image))
        )
        for axis in (-1, 1)
    }
    assert "bn" in _free(along[-1])
    assert "bn" not in _free(along[1])


def test_batch_norm_behind_shared_parameters_is_charged() -> None:
    one, other, shared = keras.Input((4,)), keras.Input((4,)), layers.Dense(4)
    outputs = [layers.BatchNormalization(name="bn")(shared(one)), shared(other)]
    assert "bn" not in _free(keras.Model([one, other], outputs))


def test_batch_norm_behind_folded_batch_norm_is_folded_too() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4)])
    model.add(layers.BatchNormalization(name="bn"))
    model.add(layers.BatchNormalization(name="again"))
    assert {"bn", "again"} <= _free(model).keys()
