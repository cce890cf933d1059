"""Single layers of every kind that has a rule, against Keras itself."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_cases import ATTENTION, CASES, EINSUM, FIRST, ONE_OF_EACH, RECURRENT, Case, built, label
from workload_checks import check_workload
from worlds import REGISTRY

from costmodel import estimate, read
from costmodel_keras.graph import kind_of
from costmodel_keras.layers import MODULES
from costmodel_keras.layers.preprocessing import REASONS
from costmodel_keras.layers.settings import wholes

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"  # Keras itself, under NumPy 2
)

SPATIAL = [
    case
    for case in CASES
    if any(
        word in case.name
        for word in ("Conv", "Pooling", "Padding", "Cropping", "UpSampling", "Resizing")
    )
    and not any(word in case.name for word in ("TimeDistributed", "LSTM"))
    and not FIRST.items() <= case.settings.items()
]
"""Layers over images, which take open axes."""

IN_KERAS_NO_MORE = {"keras.ThresholdedReLU"}
"""Kinds of older Keras versions, whose files are still about."""

HELD_ALONE = {"keras.ConvLSTMCell"}
"""Kinds that Keras has only inside its layers."""

WITHIN_OPENED_LAYERS = {
    "keras.Constant", "keras.FromShapes", "keras.RandomNumbers", "keras.Returned",
    "keras.TracedCell", "keras.Variable",
}  # fmt: skip
"""Kinds of what an opened layer holds beside layers; Keras has no layers of that name."""

QUANTIZED_BY_KERAS = {
    "keras.QuantizedDense", "keras.QuantizedEinsumDense", "keras.QuantizedEmbedding",
}  # fmt: skip
"""Kinds of rows for layers whose weights Keras quantised: test_quantized_by_keras."""

OF_APPLICATIONS = {"keras.CustomScaleLayer", "keras.LayerScale", "keras.StochasticDepth"}
"""Kinds that networks of keras.applications bring; test_applications tries them."""

IN_NO_GRAPH = {"keras.Equalization"}
"""Layers that Keras itself cannot put into a graph: it calls their result a cycle."""


@pytest.fixture(scope="module", params=CASES, ids=label)
def single(request: pytest.FixtureRequest) -> Any:
    """A model of one layer, and the layer."""
    return built(request.param)


def read_layer(source: Any, layer: Any) -> Any:
    return read(source, registry=REGISTRY).layer(layer.name)


# The laws that need no Keras, such as work or a reason, are those of contracts/test_layers.py,
# which runs them on all of these layers.


def test_the_outputs_and_parameters_have_keras_own_shapes(single: Any) -> None:
    model, layer = single
    ours = read_layer(model, layer)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.outputs]
    assert [tensor.shape for tensor in ours.outputs] == shapes
    assert ours.parameter_count == layer.count_params()
    shapes = sorted(tensor.shape for tensor in ours.parameters.values())
    assert shapes == sorted(tuple(w.shape) for w in layer.weights if "seed" not in w.path)


def test_the_live_layer_its_json_and_the_form_of_our_own_are_equal(single: Any) -> None:
    model, _ = single
    live, text = (read(source, registry=REGISTRY) for source in (model, model.to_json()))
    assert live == text
    assert live.parameter_count == text.parameter_count
    assert read(live.to_json(), registry=REGISTRY) == live


def test_every_kind_of_layer_has_a_workload(single: Any) -> None:
    check_workload(read(single[0], registry=REGISTRY))


@pytest.mark.parametrize("case", [*ATTENTION, *EINSUM, *RECURRENT], ids=label)
def test_every_layer_of_much_work_is_priced_in_full(case: Case) -> None:
    devices = ("cpu", "horowitz-45nm")
    bill = estimate(built(case)[0], devices, registry=REGISTRY, on_unpriced="error")
    assert all(bill.coverage(device).is_complete for device in devices)


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=label)
def test_the_keras_file_is_the_live_layer(case: Case, tmp_path: Path) -> None:
    model, _ = built(case)
    model.save(tmp_path / "one.keras")
    from_file = read(tmp_path / "one.keras", registry=REGISTRY)
    assert from_file == read(model, registry=REGISTRY)


@pytest.mark.parametrize("case", SPATIAL, ids=label)
def test_open_axes_are_open_as_in_keras_until_they_are_bound(case: Case) -> None:
    shape = case.shapes[0]
    model, layer = built(case, [(*[None] * (len(shape) - 1), shape[-1])])
    assert read_layer(model, layer).outputs[0].shape == tuple(model.output_shape[1:])
    bound = read(model, input_shapes={model.layers[0].name: shape}, registry=REGISTRY)
    closed, _ = built(case)
    assert bound.layers[-1].outputs[0].shape == tuple(closed.output_shape[1:])


def test_every_kind_that_has_a_rule_is_tried() -> None:
    tried = {f"keras.{case.name}" for case in CASES} | {"keras.InputLayer"}
    ruled = {kind for kinds in MODULES.values() for kind in kinds if kind.startswith("keras.")}
    untried = IN_KERAS_NO_MORE | IN_NO_GRAPH | HELD_ALONE | WITHIN_OPENED_LAYERS | OF_APPLICATIONS
    assert tried == ruled - untried - QUANTIZED_BY_KERAS - REASONS.keys()


# ------------------------------------------------------------------ drawn settings


@st.composite
def convolutions(draw: Any) -> Any:
    """Any convolution of any rank with settings that Keras accepts."""
    rank = draw(st.integers(1, 3))
    name = draw(
        st.sampled_from(["Conv{}D", "Conv{}DTranspose", "DepthwiseConv{}D", "SeparableConv{}D"])
    )
    if "Conv{}D" != name != "Conv{}DTranspose":
        rank = min(rank, 2)
    channels, groups = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    kernel = draw(st.tuples(*[st.integers(1, 4)] * rank))
    stride = draw(st.tuples(*[st.integers(1, 3)] * rank))
    padding = draw(st.sampled_from(["valid", "same"]))
    options = {"kernel_size": kernel, "padding": padding, "use_bias": draw(st.booleans())}
    if name == "Conv{}D":
        options |= {"filters": groups * 2, "groups": groups}
    elif "Depthwise" not in name:
        options |= {"filters": draw(st.integers(1, 4))}
    if "Depthwise" in name or "Separable" in name:
        options |= {"depth_multiplier": draw(st.integers(1, 3))}
        stride = stride[:1] * rank  # TensorFlow takes no other
    if draw(st.booleans()) and "Transpose" not in name:
        options |= {"dilation_rate": draw(st.integers(1, 2))}
    else:
        options |= {"strides": stride}
    sides = draw(st.tuples(*[st.integers(7, 10)] * rank))
    return Case([(*sides, channels * groups)], name.format(rank), options)


@st.composite
def poolings(draw: Any) -> Any:
    """Any pooling of any rank."""
    rank = draw(st.integers(1, 3))
    name = draw(st.sampled_from(["Max", "Average"])) + f"Pooling{rank}D"
    options = {
        "pool_size": draw(st.tuples(*[st.integers(1, 4)] * rank)),
        "strides": draw(st.none() | st.tuples(*[st.integers(1, 4)] * rank)),
        "padding": draw(st.sampled_from(["valid", "same"])),
    }
    sides = draw(st.tuples(*[st.integers(4, 9)] * rank))
    return Case([(*sides, 2)], name, options)


@st.composite
def output_paddings(draw: Any) -> Any:
    """Transposed convolutions with the padding of the output given."""
    stride, kernel = draw(st.integers(2, 3)), draw(st.integers(2, 4))
    options = {
        "filters": 2,
        "kernel_size": kernel,
        "strides": stride,
        "padding": draw(st.sampled_from(["valid", "same"])),
        "output_padding": draw(st.integers(0, stride - 1)),
    }
    return Case([(draw(st.integers(3, 6)), 2)], "Conv1DTranspose", options)


@settings(max_examples=60)
@given(case=convolutions() | poolings() | output_paddings())
def test_windows_of_any_size_stride_and_padding_land_where_keras_has_them(case: Case) -> None:
    model, layer = built(case)
    ours = read_layer(model, layer)
    assert ours.outputs[0].shape == tuple(model.output_shape[1:])
    assert ours.parameter_count == layer.count_params()
    assert ours == read_layer(model.to_json(), layer)


@pytest.mark.parametrize(("module", "kinds"), MODULES.items())
def test_a_module_is_found_by_every_kind_that_it_serves(
    module: str, kinds: tuple[str, ...]
) -> None:
    rules = import_module(f"costmodel_keras.layers.{module}").LAYERS
    assert sorted(kind for rule in rules for kind in rule.kinds) == sorted(kinds)


NO_LAYERS = {"keras.InputSpec", "keras.Layer", "keras.Wrapper"}
"""Classes of keras.layers that compute nothing themselves: a check of inputs, and base classes."""


def test_every_public_layer_of_keras_has_a_rule_or_a_reason() -> None:
    import keras  # noqa: PLC0415  # only where a test runs

    classes = [member for _, member in inspect.getmembers(keras.layers, inspect.isclass)]
    kinds = {kind_of(cls.__module__, cls.__name__) for cls in classes}
    ruled = {kind for kinds in MODULES.values() for kind in kinds if kind.startswith("keras.")}
    assert kinds - ruled == NO_LAYERS


@pytest.mark.parametrize("size", ["3x3", [3, "3"], 0, None])
def test_a_size_for_each_axis_that_is_none_is_reported(size: Any) -> None:
    with pytest.raises(ValueError, match="expected a whole number of 1 or more, or one for each"):
        wholes(size)


def test_a_layer_that_no_rule_can_count_is_unpriced_for_its_reason() -> None:
    import keras  # noqa: PLC0415  # only where a test runs

    words = keras.Input((1,), dtype="string", name="words")
    looked_up = keras.layers.StringLookup(vocabulary=["a", "b"], name="odd")(words)
    model = keras.Model(words, keras.layers.Embedding(4, 3)(looked_up))
    for source in (model, model.to_json()):
        network = read(source, registry=REGISTRY)
        assert REASONS["keras.StringLookup"] in network.layer("odd").operators().reason
        assert network.layers[-1].outputs[0].shape == (1, 3)
