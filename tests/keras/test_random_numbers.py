"""Random numbers that are drawn within a call: an input where there are some for every example."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from holding import Holding, HoldingModel, around, called
from keras import layers, ops

from costmodel import Network, Unpriced, lower, read
from costmodel.network.layer import work_of

WIDTH = 8


def dense() -> Any:
    return layers.Dense(WIDTH, name="dense")


def drawing(draw: Callable[[Any], Any]) -> Any:
    """A model that adds what a dense layer makes of random numbers."""
    return called(HoldingModel(lambda x, d: x + d(draw(x)), parts=[dense()]))


def for_each_example(x: Any) -> Any:
    return keras.random.normal((ops.shape(x)[0], 6, 4))


def macs(network: Network) -> dict[str, int]:
    return {
        layer.name: sum(one.macs for one in work)
        for layer in network.layers
        if isinstance(work := work_of(layer), tuple)
    }


def test_layers_on_random_numbers_are_counted_for_every_example() -> None:
    network = read(drawing(for_each_example))
    assert [layer.name for layer in network.inputs] == ["x"]
    assert len(lower(network).inputs) == 2
    assert network.layer("random").outputs[0].example_shape == (6, 4)
    assert macs(network)["dense"] == 6 * 4 * WIDTH


def test_random_numbers_for_a_multiple_of_no_batch_are_a_row_without_a_price() -> None:
    network = read(drawing(lambda _: keras.random.normal((64, 6, 4))[0]))
    work = work_of(network.layer("dense"))
    assert isinstance(work, Unpriced)
    assert "make them an input" in work.reason
    assert network.layer("dense").parameter_count == 4 * WIDTH + WIDTH
    assert "add" in macs(network)


def test_noise_that_a_weight_scales_is_scaled_for_every_example() -> None:
    def noisy(x: Any, scale: Any) -> Any:
        return x + scale * keras.random.normal((ops.shape(x)[0], 6, WIDTH))

    network = read(around(Holding(noisy, (WIDTH,), name="noisy")))
    names = [layer.name for layer in network.layers]
    assert names[1:4] == ["noisy/random", "noisy/multiply", "noisy/add"]


def test_a_position_table_before_any_draw_is_computed_once() -> None:
    def positioned(x: Any, table: Any) -> Any:
        return x + table(ops.arange(6)) + keras.random.normal((6, WIDTH))

    parts = [layers.Embedding(10, WIDTH, name="table")]
    network = read(around(Holding(positioned, parts=parts, name="odd")))
    assert "computed once" in str(work_of(network.layer("odd/table")))


def test_a_network_with_random_numbers_is_the_same_from_json() -> None:
    network = read(drawing(for_each_example))
    assert read(network.to_json()) == network


def test_reading_leaves_the_functions_that_draw_as_they_were() -> None:
    seed = keras.random.SeedGenerator(3)
    model = drawing(lambda x: keras.random.uniform((ops.shape(x)[0], 6, 4), seed=seed))
    state = seed.state.value.numpy().tolist()
    read(model)
    assert keras.ops.is_tensor(keras.random.normal((2, 3)))
    assert seed.state.value.numpy().tolist() == state


def test_another_thread_draws_numbers_meanwhile() -> None:
    drawn = []

    def meanwhile(x: Any) -> Any:
        thread = threading.Thread(target=lambda: drawn.append(for_each_example(np.zeros((7, 6)))))
        thread.start()
        thread.join()
        return for_each_example(x)

    read(drawing(meanwhile))
    assert drawn
    assert all(not isinstance(one, keras.KerasTensor) for one in drawn)
