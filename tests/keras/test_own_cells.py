"""Cells of a program in keras.layers.RNN are priced by one step, times the number of steps."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from keras import layers, ops
from tensorflow_counts import multiply_accumulates
from workload_checks import check_workload

import costmodel
from costmodel import estimate, read
from costmodel.network.layer import UnknownLayer

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",  # Keras itself, under NumPy 2
    "ignore:Layer .* looks like it has unbuilt state:UserWarning",
    "ignore:`build.*was called on layer:UserWarning",
)


class Minimal(layers.Layer):
    """Two products with weights of its own."""

    def __init__(self, units: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.units = self.state_size = units

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")
        self.recurrent = self.add_weight(shape=(self.units, self.units), name="recurrent")
        self.built = True

    def call(self, x: Any, states: Any) -> Any:
        output = ops.tanh(ops.matmul(x, self.kernel) + ops.matmul(states[0], self.recurrent))
        return output, [output]


class Gated(layers.Layer):
    """Layers in a cell, and two states."""

    def __init__(self, units: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.state_size = [units, units]
        self.gates = layers.Dense(2 * units)
        self.norm, self.drop = layers.LayerNormalization(), layers.Dropout(0.1)

    def call(self, x: Any, states: Any, training: Any = None) -> Any:
        hidden, kept = states
        first, second = ops.split(self.gates(ops.concatenate([x, hidden], -1)), 2, axis=-1)
        kept = kept * ops.sigmoid(first) + ops.tanh(second)
        hidden = self.drop(self.norm(kept), training=training)
        return hidden, [hidden, kept]


class Doubled(layers.LSTMCell):
    """A known cell, and a step behind it."""

    def call(self, x: Any, states: Any, training: Any = None) -> Any:
        output, states = super().call(x, states, training=training)
        return output * 2.0, states


class Failing(Minimal):
    """A cell that cannot be traced."""

    def compute_output_spec(self, x: Any, states: Any) -> Any:
        output = keras.KerasTensor((x.shape[0], self.units))
        return output, [output]

    def call(self, x: Any, states: Any) -> Any:
        if isinstance(x, keras.KerasTensor):
            message = "no symbols"
            raise TypeError(message)
        return super().call(x, states)


def over_sequences(make: Any, shape: Any = (6, 8), **settings: Any) -> Any:
    inputs = keras.Input(shape)
    found = layers.RNN(make(), name="loop", **settings)(inputs)
    outputs = list(found) if isinstance(found, list | tuple) else [found]
    return keras.Model(inputs, [layers.Dense(3)(outputs[0]), *outputs[1:]])


CELLS: dict[str, tuple[Any, dict[str, bool]]] = {
    "weights of its own": (lambda: Minimal(5), {}),
    "every step": (lambda: Minimal(5), {"return_sequences": True}),
    "backwards": (lambda: Minimal(5), {"go_backwards": True, "return_sequences": True}),
    "layers": (lambda: Gated(5), {}),
    "states": (lambda: Gated(5), {"return_state": True}),
    "a known cell in it": (lambda: Doubled(5), {}),
    "several": (lambda: [Minimal(5), Gated(4), layers.GRUCell(3)], {}),
}
cells = pytest.mark.parametrize(("make", "settings"), CELLS.values(), ids=CELLS)


@cells
def test_a_cell_is_counted_once_for_every_step(make: Any, settings: Any) -> None:
    model = over_sequences(make, **settings)
    network = read(model)
    assert network.macs == multiply_accumulates(over_sequences(make, unroll=True, **settings))
    assert network.parameter_count == model.count_params()
    assert not [layer for layer in network.layers if isinstance(layer, UnknownLayer)]
    found = estimate(network, ["cpu", "horowitz-45nm"], on_unpriced="error")
    assert found.coverage("cpu").is_complete


@cells
def test_a_network_with_such_a_cell_is_written_bound_and_lowered(make: Any, settings: Any) -> None:
    network = read(over_sequences(make, **settings))
    assert read(network.to_json()) == network
    check_workload(network)
    assert costmodel.lower(network).bind(batch=3).macs == 3 * network.macs
    short = read(over_sequences(make, (None, 8), **settings)).bind((6, 8))
    assert short.macs == network.macs


def test_the_work_grows_with_the_steps() -> None:
    def loop(steps: int) -> int:
        layer = read(over_sequences(lambda: Minimal(5), (steps, 8))).layer("loop")
        return sum(operator.macs for operator in layer.operators())

    assert (loop(6), loop(12)) == (6 * (8 + 5) * 5, 12 * (8 + 5) * 5)


def test_a_cell_that_cannot_be_traced_costs_one_row() -> None:
    model = over_sequences(lambda: Failing(5))
    network = read(model)
    (unknown,) = [layer for layer in network.layers if isinstance(layer, UnknownLayer)]
    assert unknown.name == "loop"
    assert "TypeError: no symbols" in unknown.reason
    assert network.parameter_count == model.count_params()


class Partly(layers.Layer):
    """A tensor, and nothing."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form, self.dense = form, layers.Dense(8)

    def call(self, x: Any) -> Any:
        y = self.dense(x)
        return {"behind": (y, None), "before": (None, y), "named": {"y": y, "rest": None}}[
            self.form
        ]


class Around(layers.Layer):
    """A layer that takes the tensor of another one."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.inner, self.dense = Partly(form), layers.Dense(4)

    def call(self, x: Any) -> Any:
        given = self.inner(x)
        values = given.values() if isinstance(given, dict) else given
        return self.dense(next(value for value in values if value is not None))


@pytest.mark.parametrize("form", ["behind", "before", "named"])
def test_a_layer_may_return_nothing_beside_a_tensor(form: str) -> None:
    inputs = keras.Input((6, 8))
    model = keras.Model(inputs, Around(form)(inputs))
    network = read(model)
    assert network.macs == multiply_accumulates(model) == 6 * (8 * 8 + 8 * 4)
    assert network.parameter_count == model.count_params()
