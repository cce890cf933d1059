"""Windows, heads, patches and steps folded into the batch: counts stay those of one example."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from attrs import evolve
from jsonschema import Draft202012Validator
from keras import layers, ops
from tensorflow_counts import multiply_accumulates
from workload_checks import check_workload
from worlds import REGISTRY

import costmodel
from costmodel import Scenario, estimate, read
from costmodel.errors import BatchError, NetworkError, ShapeError
from costmodel.estimates.counts import count
from costmodel.network import graph
from costmodel.network.graph import Network
from costmodel.network.layer import Input, UnknownLayer, work_of
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import Symbol
from costmodel.workload.reasons import Reason
from costmodel_keras.tracing.two_lengths import DifferenceError, solved

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",  # Keras itself, under NumPy 2
)

HEADS, STEPS, WIDTH = 4, 6, 16


class Own(layers.Layer):
    """A layer of the program: a function of its input and of the layers that it holds."""

    def __init__(self, function: Any, **held: Any) -> None:
        super().__init__()
        self.function, self.names = function, list(held)
        for name, layer in held.items():
            setattr(self, name, layer)

    def call(self, x: Any) -> Any:
        return self.function(x, *[getattr(self, name) for name in self.names])


def dense(units: int = WIDTH) -> Any:
    return layers.Dense(units)


# ------------------------------------------------------------------ what programs fold


def heads_left(x: Any, query: Any, key: Any, value: Any) -> Any:
    depth = WIDTH // HEADS

    def fold(t: Any) -> Any:
        apart = ops.transpose(ops.reshape(t, (-1, STEPS, HEADS, depth)), (0, 2, 1, 3))
        return ops.reshape(apart, (-1, STEPS, depth))

    scores = ops.softmax(fold(query(x)) @ ops.transpose(fold(key(x)), (0, 2, 1)))
    heads = ops.reshape(scores @ fold(value(x)), (-1, HEADS, STEPS, depth))
    return ops.reshape(ops.transpose(heads, (0, 2, 1, 3)), (-1, STEPS, WIDTH))


def heads_numbered(x: Any, query: Any, key: Any, value: Any) -> Any:
    batch, steps, width = ops.shape(x)
    depth = width // HEADS

    def fold(t: Any) -> Any:
        apart = ops.transpose(ops.reshape(t, (batch, steps, HEADS, depth)), (0, 2, 1, 3))
        return ops.reshape(apart, (batch * HEADS, steps, depth))

    scores = ops.softmax(fold(query(x)) @ ops.transpose(fold(key(x)), (0, 2, 1)))
    heads = ops.reshape(scores @ fold(value(x)), (batch, HEADS, steps, depth))
    return ops.reshape(ops.transpose(heads, (0, 2, 1, 3)), (batch, steps, width))


def heads_one_after_another(x: Any, query: Any, key: Any, value: Any) -> Any:
    """The form with lists of heads: the batch of the first head, then that of the second."""

    def fold(t: Any) -> Any:
        return ops.concatenate(ops.split(t, HEADS, axis=-1), axis=0)

    scores = ops.softmax(fold(query(x)) @ ops.transpose(fold(key(x)), (0, 2, 1)))
    return ops.concatenate(ops.split(scores @ fold(value(x)), HEADS, axis=0), axis=-1)


def heads_before_the_batch(x: Any, query: Any, key: Any, value: Any) -> Any:
    """(heads, batch, steps, depth): the batch is the second axis, and folded from there."""
    batch, steps, width = ops.shape(x)

    def fold(t: Any) -> Any:
        apart = ops.transpose(ops.reshape(t, (batch, steps, HEADS, width // HEADS)), (2, 0, 1, 3))
        return ops.reshape(apart, (-1, steps, width // HEADS))

    scores = ops.softmax(fold(query(x)) @ ops.transpose(fold(key(x)), (0, 2, 1)))
    heads = ops.reshape(scores @ fold(value(x)), (HEADS, batch, steps, width // HEADS))
    return ops.reshape(ops.transpose(heads, (1, 2, 0, 3)), (batch, steps, width))


HEAD_MACS = 3 * STEPS * WIDTH * WIDTH + 2 * STEPS * STEPS * WIDTH
FOLDED_HEADS = [heads_left, heads_numbered, heads_one_after_another, heads_before_the_batch]


def steps_left(x: Any, convolve: Any) -> Any:
    y = convolve(ops.reshape(x, (-1, *x.shape[2:])))
    return ops.reshape(y, (-1, x.shape[1], *y.shape[1:]))


def steps_numbered(x: Any, convolve: Any) -> Any:
    batch, steps, *image = ops.shape(x)
    y = convolve(ops.reshape(x, (batch * steps, *image)))
    return ops.reshape(y, (batch, steps, *y.shape[1:]))


def partition(x: Any, side: int, batch: Any) -> Any:
    _, height, width, channels = x.shape
    rows, columns = height // side, width // side
    x = ops.reshape(x, (-1 if batch is None else batch, rows, side, columns, side, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    number = -1 if batch is None else batch * rows * columns
    return ops.reshape(x, (number, side * side, channels))


def put_back(windows: Any, side: int, shape: Any, batch: Any) -> Any:
    _, height, width, channels = shape
    first = -1 if batch is None else batch
    x = ops.reshape(windows, (first, height // side, width // side, side, side, channels))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (first, height, width, channels))


def attend(x: Any, project: Any, merge: Any, heads: int) -> Any:
    """Attention within each window as Swin writes it: (3, batch, heads, steps, depth)."""
    *front, steps, width = x.shape
    axes = [-1, *front[1:]]
    number = len(axes)
    apart = ops.reshape(project(x), (*axes, steps, 3, heads, width // heads))
    order = (number + 1, *range(number), number + 2, number, number + 3)
    query, key, value = ops.unstack(ops.transpose(apart, order), 3, axis=0)
    scores = ops.softmax((query * 0.5) @ ops.swapaxes(key, -1, -2))
    both = ops.swapaxes(scores @ value, -2, -3)
    return merge(ops.reshape(both, (*axes, steps, width)))


class Windowed(layers.Layer):
    """A Swin block: shifted windows, partitioned into the batch and back, with a residual."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.norm, self.project, self.merge = layers.LayerNormalization(), dense(24), dense(8)

    def call(self, x: Any) -> Any:
        batch = ops.shape(x)[0] if self.form == "numbered" else None
        y = ops.roll(self.norm(x), (-2, -2), axis=(1, 2))
        if self.form == "apart":
            y = ops.reshape(y, (-1, 2, 4, 3, 4, 8))
            y = ops.reshape(ops.transpose(y, (0, 1, 3, 2, 4, 5)), (-1, 6, 16, 8))
            y = ops.reshape(attend(y, self.project, self.merge, 2), (-1, 2, 3, 4, 4, 8))
            y = ops.reshape(ops.transpose(y, (0, 1, 3, 2, 4, 5)), (-1, 8, 12, 8))
        else:
            windows = attend(partition(y, 4, batch), self.project, self.merge, 2)
            y = put_back(windows, 4, x.shape, batch)
        return x + ops.roll(y, (2, 2), axis=(1, 2))


def swin(form: str) -> Any:
    inputs = keras.Input((8, 12, 8))
    return keras.Model(inputs, layers.Dense(3)(Windowed(form)(inputs)))


def of_one(function: Any, shape: Any, **held: Any) -> Any:
    inputs = keras.Input(shape)
    return keras.Model(inputs, Own(function, **held)(inputs))


def of_heads(function: Any) -> Any:
    return of_one(function, (STEPS, WIDTH), query=dense(), key=dense(), value=dense())


MODELS = {
    **{function.__name__: lambda f=function: of_heads(f) for function in FOLDED_HEADS},
    **{
        function.__name__: lambda f=function: of_one(
            f, (5, 8, 8, 3), convolve=layers.Conv2D(4, 3)
        )
        for function in (steps_left, steps_numbered)
    },
    "windows, the batch left": lambda: swin("left"),
    "windows, the batch a number": lambda: swin("numbered"),
}  # fmt: skip


def is_complete(network: Any) -> bool:
    return not [layer for layer in network.layers if isinstance(layer, UnknownLayer)]


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_what_is_folded_into_the_batch_is_counted_as_tensorflow_computes_it(make: Any) -> None:
    model = make()
    network = read(model, registry=REGISTRY)
    assert is_complete(network)
    assert any(tensor.rows != 1 for layer in network.layers for tensor in layer.outputs)
    assert network.macs == multiply_accumulates(model)
    assert network.parameter_count == model.count_params()
    (port,) = network.outputs
    assert not network.layer(port.layer).outputs[port.output].is_folded


@pytest.mark.parametrize("function", FOLDED_HEADS)
def test_heads_in_the_batch_have_the_products_of_attention(function: Any) -> None:
    assert read(of_heads(function), registry=REGISTRY).macs == HEAD_MACS


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_network_with_a_folded_batch_is_the_same_from_its_json(make: Any) -> None:
    network = read(make(), registry=REGISTRY)
    assert read(network.to_json(), registry=REGISTRY) == network


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_network_with_a_folded_batch_is_lowered_for_a_batch_of_any_size(make: Any) -> None:
    network = read(make(), registry=REGISTRY)
    check_workload(network)
    assert costmodel.lower(network).bind(batch=3).macs == 3 * network.macs


def test_the_schema_of_networks_knows_the_rows_of_a_tensor() -> None:
    path = Path(graph.__file__).with_name("network.schema.json")
    parts = json.loads(path.read_text())["$defs"]
    check = Draft202012Validator({**parts["tensor"], "$defs": parts})
    check.validate({"type": "Tensor", "shape": [4, 8], "rows": 6, "batch_axis": 1})
    check.validate({"type": "Tensor", "shape": [4, 8], "rows": None})
    assert not check.is_valid({"type": "Tensor", "shape": [4, 8], "rows": 0})


# ------------------------------------------------------------------ windows on an axis of their own


def operations(network: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    for layer in network.layers:
        work = work_of(layer)
        for operator in () if isinstance(work, Reason) else work:
            found.update(operator.operations)
    return found


def activations(network: Any) -> Counter[tuple[str, int]]:
    return Counter(
        (layer.kind, tensor.size)
        for layer in network.layers
        for tensor in layer.outputs
        if layer.kind != "keras.ops.Reshape"
    )


@pytest.mark.parametrize("form", ["left", "numbered"])
def test_windows_in_the_batch_cost_what_windows_on_an_axis_of_their_own_do(form: str) -> None:
    folded = read(swin(form), registry=REGISTRY)
    apart = read(swin("apart"), registry=REGISTRY)
    assert is_complete(folded)
    assert is_complete(apart)
    assert folded.macs == apart.macs
    assert folded.parameter_count == apart.parameter_count
    assert operations(folded) == operations(apart)
    assert activations(folded) == activations(apart)


@pytest.mark.parametrize("device", ["cpu", "horowitz-45nm", "loihi"])
def test_a_device_charges_a_folded_batch_as_windows_apart(device: str) -> None:
    scenario = Scenario(rates=10.0)
    joules = [
        estimate(read(swin(form), registry=REGISTRY), device, scenario=scenario,
                 registry=REGISTRY, on_unpriced="bound").bill(device).total.energy_joules
        for form in ("left", "apart")
    ]  # fmt: skip
    assert joules[0] == pytest.approx(joules[1], abs=0)


def test_both_forms_of_the_windows_compute_the_same() -> None:
    """The forms that are compared are one network: on the same weights they give the same."""
    models = [swin(form) for form in ("left", "numbered", "apart")]
    for model in models[1:]:
        model.set_weights(models[0].get_weights())
    image = np.random.default_rng(1).normal(size=(2, 8, 12, 8)).astype("float32")
    first, *others = [np.asarray(model(image)) for model in models]
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-5)


def test_reports_give_the_shape_of_all_rows_of_an_example() -> None:
    inputs = keras.Input((16, 8))
    model = keras.Model(inputs, layers.Dense(2, name="dense")(ops.reshape(inputs, (-1, 4, 8))))
    found = count(read(model, registry=REGISTRY))
    entry = found.to_dict()["layers"][-1]
    assert entry["outputs"] == [[4, 4, 2]]
    assert entry["activations"] == 4 * 4 * 2
    assert (
        next(row for row in map(tuple, found.table().rows) if row[0] == "dense")[2] == "4 x 4 x 2"
    )


# ------------------------------------------------------------------ functional models


def functional(folded: Any, unfolded: Any, batch: int | None = None) -> Any:
    inputs = keras.Input((16, 8), batch_size=batch)
    y = layers.Dense(8)(ops.reshape(inputs, folded(ops.shape(inputs)[0])))
    return keras.Model(inputs, layers.Dense(3)(ops.reshape(y, unfolded(ops.shape(inputs)[0]))))


FUNCTIONAL = {
    "left": (lambda _: (-1, 4, 8), lambda _: (-1, 16, 8)),
    "the batch as it is": (lambda _: (-1, 4, 8), lambda batch: (batch, 16, 8)),
    "one axis": (lambda _: (-1, 8), lambda _: (-1, 16, 8)),
    "a number of a fixed batch": (
        lambda batch: (batch * 4, 4, 8), lambda batch: (batch, 16, 8), 2,
    ),
    "a number of a fixed batch, and the rest left": (
        lambda batch: (batch * 4, -1, 8), lambda batch: (batch, -1, 8), 2,
    ),
    "a number of one example": (
        lambda batch: (batch * 4, 4, 8), lambda batch: (batch, 16, 8), 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FUNCTIONAL.values(), ids=FUNCTIONAL)
def test_a_functional_model_that_folds_is_the_same_live_and_from_its_file(
    case: Any, tmp_path: Path
) -> None:
    model = functional(*case)
    model.save(tmp_path / "model.keras")
    live, saved = read(model, registry=REGISTRY), read(tmp_path / "model.keras")
    assert live.macs == 16 * 8 * 8 + 16 * 8 * 3
    assert is_complete(live)
    assert live.parameter_count == model.count_params()
    assert saved == live
    assert read(model.to_json(), registry=REGISTRY) == live


def test_an_open_length_that_is_folded_follows_once_it_is_bound() -> None:
    inputs = keras.Input((None, 16, 8), name="clip")
    model = keras.Model(inputs, layers.Dense(4)(ops.reshape(inputs, (-1, 16, 8))))
    network = read(model, registry=REGISTRY)
    assert network.layers[-1].outputs == (Tensor((16, 4), rows=None),)
    assert not network.is_bound
    assert network.bind({"clip": (5, 16, 8)}).macs == 5 * 16 * 8 * 4
    assert read(network.to_json(), registry=REGISTRY) == network
    with pytest.raises(ShapeError, match="has an open axis"):
        count(network)


def test_heads_of_an_open_length_are_not_taken_for_steps() -> None:
    """Both -1 and the open length are left to the elements; the source says which is which."""
    inputs = keras.Input((None, WIDTH), name="tokens")
    apart = ops.reshape(inputs, (-1, ops.shape(inputs)[1], HEADS, WIDTH // HEADS))
    heads = ops.transpose(apart, (0, 2, 1, 3))
    folded = ops.reshape(heads, (-1, ops.shape(heads)[2], WIDTH // HEADS))
    model = keras.Model(inputs, folded @ ops.transpose(folded, (0, 2, 1)))
    right = HEADS * 10 * 10 * (WIDTH // HEADS)
    network = read(model, registry=REGISTRY)
    assert network.bind({"tokens": (10, WIDTH)}).macs == right
    assert read(model, input_shapes={"tokens": (10, WIDTH)}, registry=REGISTRY).macs == right
    assert read(network.to_json(), registry=REGISTRY).bind({"tokens": (10, WIDTH)}).macs == right


def test_steps_within_steps_may_be_folded() -> None:
    frame = keras.Input((16, 8))
    inner = keras.Model(
        frame, ops.reshape(layers.Dense(4)(ops.reshape(frame, (-1, 4, 8))), (-1, 16, 4))
    )
    inputs = keras.Input((3, 16, 8))
    model = keras.Model(inputs, layers.TimeDistributed(inner)(inputs))
    network = read(model, registry=REGISTRY)
    assert is_complete(network)
    assert network.macs == 3 * 16 * 8 * 4
    assert network.layers[-1].outputs == (Tensor((3, 16, 4)),)


# ------------------------------------------------------------------ where the batch goes

LINE = (4, 6)
MOVES = {
    "time first": (lambda x: ops.transpose(x, (1, 0, 2)), Tensor((4, 6), batch_axis=1)),
    "axes reversed": (ops.transpose, Tensor((6, 4), batch_axis=2)),
    "moved": (lambda x: ops.moveaxis(x, 0, -1), Tensor((4, 6), batch_axis=2)),
    "swapped": (lambda x: ops.swapaxes(x, 0, 1), Tensor((4, 6), batch_axis=1)),
    "time in the batch": (lambda x: ops.reshape(x, (-1, 6)), Tensor((6,), rows=4)),
    "flat": (ops.ravel, Tensor((), rows=24)),
    "a flat sum so far": (ops.cumsum, Tensor((), rows=24)),
    "examples together": (lambda x: ops.concatenate([x, x], axis=0), Tensor(LINE, rows=2)),
    "examples below each other": (lambda x: ops.vstack([x, x, x]), Tensor(LINE, rows=3)),
    "examples stacked": (lambda x: ops.stack([x, x]), Tensor((2, *LINE), batch_axis=1)),
    "examples tiled": (lambda x: ops.tile(x, (2, 1, 1)), Tensor(LINE, rows=2)),
    "examples repeated": (lambda x: ops.repeat(x, 3, axis=0), Tensor(LINE, rows=3)),
    "parts of the batch": (
        lambda x: ops.split(ops.tile(x, (4, 1, 1)), 2, axis=0)[1], Tensor(LINE, rows=2)
    ),
    "rows apart": (lambda x: ops.reshape(ops.ravel(x), (4, -1, 6)), Tensor((4, 6), batch_axis=1)),
    "a wider axis in front": (lambda x: ops.expand_dims(x, 0), Tensor((1, 4, 6), batch_axis=1)),
}  # fmt: skip


@pytest.mark.parametrize(("call", "tensor"), MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("source", [lambda model: model, lambda model: model.to_json()])
def test_the_batch_is_followed_wherever_it_goes(call: Any, tensor: Any, source: Any) -> None:
    inputs = keras.Input(LINE)
    network = read(source(keras.Model(inputs, call(inputs))), registry=REGISTRY)
    (port,) = network.outputs
    assert network.layer(port.layer).outputs[port.output] == tensor
    assert read(network.to_json(), registry=REGISTRY) == network


@pytest.mark.parametrize("axis", range(3))
def test_a_product_costs_the_same_wherever_the_batch_is(axis: int) -> None:
    inputs = keras.Input(LINE)
    weight = np.ones((6, 5), "float32")
    moved = ops.moveaxis(inputs, 0, axis)
    there = ops.moveaxis(moved, -1, -1) if axis < 2 else ops.moveaxis(moved, 1, -1)
    product = ops.matmul(there, weight) if axis < 2 else ops.einsum("tfb,fk->tbk", moved, weight)
    network = read(keras.Model(inputs, product), registry=REGISTRY)
    assert network.macs == 4 * 6 * 5
    assert network.layers[-1].outputs[0].size == 4 * 5


def test_a_slice_of_the_batch_keeps_whole_examples() -> None:
    def halves(x: Any) -> Any:
        batch = ops.shape(x)[0]
        rows = ops.tile(x, (4, 1))
        return rows[: 2 * batch, :] + rows[2 * batch :, :] + rows[1::2, :]

    network = read(of_one(halves, (8,)), registry=REGISTRY)
    assert is_complete(network)
    assert network.layers[-1].outputs == (Tensor((8,), rows=2),)
    assert operations(network) == {"add": 2 * 2 * 8}


def test_every_element_that_goes_to_another_row_is_moved_once() -> None:
    inputs = keras.Input(LINE)
    model = keras.Model(inputs, ops.concatenate([inputs, inputs], axis=0))
    (work,) = work_of(read(model, registry=REGISTRY).layers[-1])
    assert sum(operand.size for operand in work.outputs) == 2 * 4 * 6


def test_constants_for_the_batch_go_with_each_example() -> None:
    def with_class(x: Any, project: Any) -> Any:
        token = ops.tile(ops.ones((1, 1, 16)), (ops.shape(x)[0], 1, 1))
        return project(ops.concatenate([token, x], axis=1))

    model = of_one(with_class, (8, 16), project=dense(4))
    network = read(model, registry=REGISTRY)
    assert is_complete(network)
    assert network.macs == multiply_accumulates(model) == 9 * 16 * 4
    assert network.layers[-1].outputs == (Tensor((9, 4)),)


def test_layers_within_a_layer_that_asks_for_the_batch_are_followed_too() -> None:
    inner = Own(heads_numbered, query=dense(), key=dense(), value=dense())

    def outer(x: Any, within: Any) -> Any:
        batch = ops.shape(x)[0]
        y = within(ops.reshape(x, (batch * 2, STEPS, WIDTH)))
        return ops.reshape(y, (batch, 2 * STEPS, WIDTH))

    network = read(of_one(outer, (2 * STEPS, WIDTH), within=inner), registry=REGISTRY)
    assert is_complete(network)
    assert network.macs == 2 * HEAD_MACS


# ------------------------------------------------------------------ what stays unpriced


def reasons(model: Any) -> list[str]:
    network = read(model, registry=REGISTRY)
    return [layer.reason for layer in network.layers if isinstance(layer, UnknownLayer)]


def test_operands_with_different_rows_are_unpriced_with_the_reason() -> None:
    inputs = keras.Input((4, 6))
    whole = layers.Dense(6, name="whole")(layers.Flatten()(inputs))
    rows = ops.reshape(inputs, (-1, 6))
    said = reasons(keras.Model(inputs, ops.multiply(rows, whole)))
    assert said == ["an example has 1 and 4 rows of the batch in its operands; expected one number"]
    said = reasons(keras.Model(inputs, layers.Add(name="add")([rows, whole])))
    assert said == ["an example has 1 and 4 rows of the batch in its inputs; expected one number"]


def test_a_layer_that_does_not_find_the_batch_in_front_is_unpriced_with_the_reason() -> None:
    inputs = keras.Input((4, 6))
    said = reasons(keras.Model(inputs, layers.LSTM(3)(ops.transpose(inputs, (1, 0, 2)))))
    assert said == [
        "axis 1 of its input is the batch; a 'keras.LSTMCell' takes the batch as the first axis"
    ]


def test_code_that_does_another_thing_for_another_batch_is_unpriced_with_the_reason() -> None:
    class ByLength(layers.Layer):
        def call(self, x: Any) -> Any:
            for _ in range(ops.shape(x)[0]):
                x = x * 2.0
            return x

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    inputs = keras.Input((8,))
    said = reasons(keras.Model(inputs, ByLength()(inputs)))
    assert len(said) == 1
    assert "layers and functions at a batch of 7" in said[0]


def test_code_that_counts_examples_otherwise_than_in_multiples_is_unpriced() -> None:
    def one_more(x: Any) -> Any:
        return ops.broadcast_to(ops.expand_dims(x, 0), (ops.shape(x)[0] + 1, *ops.shape(x)))

    said = reasons(of_one(one_more, (8,)))
    assert len(said) == 1
    assert "not a multiple of the batch" in said[0]


def test_behind_a_layer_without_a_rule_on_a_folded_batch_nothing_is_priced(tmp_path: Path) -> None:
    inputs = keras.Input((16, 8))
    rows = ops.reshape(inputs, (-1, 4, 8))

    class PutTogether(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.reshape(x, (-1, 16, 8))

    unknown = PutTogether()(rows)
    model = keras.Model(inputs, layers.Dense(2, name="dense")(unknown))
    model.save(tmp_path / "model.keras")
    network = read(tmp_path / "model.keras", registry=REGISTRY)
    assert network.macs == 0
    said = estimate(network, "cpu", registry=REGISTRY, on_unpriced="bound").coverage("cpu")
    assert "dense" in said.unpriced


# ------------------------------------------------------------------ conventions


def windows_of_dense(folded: bool) -> Any:  # noqa: FBT001  # both forms of one network
    inputs = keras.Input((16, 8))
    rows = ops.reshape(inputs, (-1, 4, 8) if folded else (-1, 4, 4, 8))
    return keras.Model(inputs, layers.Dense(5, activation="relu", name="dense")(rows))


def test_keras_spiking_counts_all_rows_of_an_example() -> None:
    counts = [
        count(read(windows_of_dense(folded), registry=REGISTRY), convention="keras-spiking")
        for folded in (True, False)
    ]
    both = [found.layers[-1].operations for found in counts]
    assert both[0] == both[1]
    assert both[0]["multiply-accumulate"] == 16 * 8 * 5


def test_keras_spiking_counts_the_rows_of_a_held_layer_once() -> None:
    inputs = keras.Input((16, 8))
    steps = ops.reshape(inputs, (-1, 4, 8))
    model = keras.Model(inputs, layers.TimeDistributed(layers.Dense(5))(steps))
    found = count(read(model, registry=REGISTRY), convention="keras-spiking").layers[-1]
    # KerasSpiking counts one step.
    assert found.operations["multiply-accumulate"] == 4 * 8 * 5


def test_qtools_refuses_a_folded_batch_with_the_reason() -> None:
    network = read(windows_of_dense(folded=True), registry=REGISTRY)
    found = count(network, convention="qtools").to_dict()
    assert found["unpriced"]["dense"] == [
        "QTools takes a row of the batch axis for an example; here it has more"
    ]


# ------------------------------------------------------------------ tensors and sizes


def test_a_tensor_with_rows_counts_the_elements_of_one_example() -> None:
    tensor = Tensor((4, 8), rows=6)
    assert tensor.size == 6 * 4 * 8
    assert tensor.example_shape == (6, 4, 8)
    assert tensor.whole_shape == (Symbol("batch", 6), 4, 8)
    assert Tensor((4, 8), batch_axis=2).whole_shape == (4, 8, Symbol("batch"))
    assert Tensor((4, 8)).example_shape == (4, 8)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rows": 0}, "rows is 0; expected a whole number of at least 1, or None"),
        ({"rows": 2.5}, "rows is 2.5"),
        ({"rows": True}, "rows is True"),
        ({"batch_axis": 3}, "batch_axis is 3; expected a whole number from 0 to the 2 other axes"),
        ({"batch_axis": -1}, "batch_axis is -1"),
    ],
)
def test_rows_and_places_of_the_batch_that_no_tensor_has_are_refused(
    values: Any, message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        Tensor((4, 8), **values)


def test_a_tensor_of_unknown_rows_has_no_size() -> None:
    with pytest.raises(ShapeError, match="open axis"):
        _ = Tensor((4, 8), rows=None).size
    with pytest.raises(ShapeError, match="are not known"):
        _ = Tensor((4, 8), rows=None).whole_shape


def test_an_edge_whose_ends_disagree_about_the_rows_is_refused() -> None:
    network = read(windows_of_dense(folded=True), registry=REGISTRY)
    (dense_layer,) = [layer for layer in network.layers if layer.name == "dense"]
    start = Input("start", "input", shape=(4, 8))
    with pytest.raises(NetworkError, match="4 rows for each example"):
        Network("n", [start, dense_layer], {"dense": ["start"]})


def test_a_layer_on_inputs_of_different_rows_is_refused_by_name() -> None:
    network = read(windows_of_dense(folded=True), registry=REGISTRY)
    add = layers.Add(name="add")
    first = keras.Input((4, 8))
    (ours,) = [
        layer
        for layer in read(keras.Model(first, add([first, first])), registry=REGISTRY).layers
        if layer.name == "add"
    ]
    with pytest.raises(BatchError, match=r"'add' of kind 'keras.Add': an example has 2 and 4 rows"):
        ours.with_inputs((Tensor((4, 8), rows=2), Tensor((4, 8), rows=4)))
    assert network.macs == 16 * 8 * 5


def test_a_layer_says_its_work_for_one_row_and_for_one_example() -> None:
    (ours,) = [
        layer
        for layer in read(windows_of_dense(folded=True), registry=REGISTRY).layers
        if layer.name == "dense"
    ]
    assert sum(one.macs for one in ours.of_one_row().operators()) == 4 * 8 * 5
    assert sum(one.macs for one in work_of(ours)) == 16 * 8 * 5
    kernel = next(iter(ours.parameters.values()))
    for one in work_of(ours):
        assert all(operand.shape == kernel.shape for operand in one.weights if operand.size == 40)
    assert evolve(ours.outputs[0], rows=1).shape == (4, 5)


PAIRS = [
    ((7, 11), Symbol("batch")),
    ((28, 44), Symbol("batch", 4)),
    ((5, 5), 5),
    (((28, 3, None), (44, 3, None)), (Symbol("batch", 4), 3, None)),
    ((0.5, 0.25), 0.5),
]


@pytest.mark.parametrize(("both", "expected"), PAIRS)
def test_two_lengths_of_the_batch_tell_its_factor(both: Any, expected: Any) -> None:
    assert solved(*both) == expected


@pytest.mark.parametrize(
    "both", [(8, 12), (6, 10), (49, 121), ((7,), (11, 1)), (None, 3), (-7, -11)]
)
def test_sizes_that_are_not_a_multiple_of_the_batch_are_refused(both: Any) -> None:
    with pytest.raises(DifferenceError, match="not a multiple of the batch"):
        solved(*both)


def test_products_of_windows_are_those_that_a_loop_nest_makes() -> None:
    """Every pair of positions in every window and head, times the depth, for both products."""
    pairs = sum(
        1
        for window, head, query, key in itertools.product(range(6), range(2), range(16), range(16))
    )
    projected = 8 * 12 * 8 * (24 + 8)
    right = 2 * pairs * 4 + projected + 8 * 12 * 8 * 3
    assert read(swin("left"), registry=REGISTRY).macs == right
