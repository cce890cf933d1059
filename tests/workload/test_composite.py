"""Operators that stay whole: what their steps compute together, and what they count."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from builder_cases import fitting_shapes, numbers
from hypothesis import given
from hypothesis import strategies as st
from loop_nest import check_counts, executed

from costmodel.workload import builders
from costmodel.workload.builders.composite import Attention, Normalization, Softmax
from costmodel.workload.operators import Contraction, Operator

Array = np.ndarray[Any, Any]


def run(step: Operator, *arrays: Array, **functions: Callable[..., Any]) -> Array:
    """The only output of a step."""
    (made,) = executed(step, *arrays, **functions)
    return made


def softmax_of(value: Array, axes: int | tuple[int, ...]) -> Array:
    powers = np.exp(value - value.max(axes, keepdims=True))
    return np.asarray(powers / powers.sum(axes, keepdims=True))


def executed_softmax(operator: Operator, value: Array) -> Array:
    """Run the steps of a softmax, each on the results of those before."""
    largest, difference, powers, total, quotient = operator.decompose()
    inside = run(powers, run(difference, value, run(largest, value)))
    return run(quotient, inside, run(total, inside))


# ------------------------------------------------------------------ softmax


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.data())
def test_the_steps_of_a_softmax_compute_it(shape: list[int], data: st.DataObject) -> None:
    axes = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    value = numbers(shape)
    operator = builders.softmax(shape, [axis - len(shape) for axis in axes])
    made = executed_softmax(operator, value)
    np.testing.assert_allclose(made, softmax_of(value, tuple(axes)), rtol=1e-12)
    for step in (operator, *operator.decompose()):
        check_counts(step)


def test_a_softmax_counts_one_activation_for_each_element() -> None:
    operator = builders.softmax((2, 3, 4))
    assert operator.over == ("d2",)
    assert operator.operations == {"activation": 24}
    assert [step.operations for step in operator.decompose()] == [
        {"compare": 18}, {"add": 24}, {"activation": 24}, {"add": 18}, {"divide": 24},
    ]  # fmt: skip


def test_the_order_of_the_axes_of_a_softmax_makes_no_difference() -> None:
    assert builders.softmax((2, 3), (0, 1)) == builders.softmax((2, 3), (-1, -2))


# ------------------------------------------------------------------ normalization

EPSILON = 1e-3


def _scaled(value: Array, mean: Array, square: Array, *weights: Array) -> Array:
    """The last step of a normalization: by the mean, the mean square, and a scale and shift."""
    made = (value - mean) / np.sqrt(square - mean**2 + EPSILON)
    scale, shift = (*weights, 0.0)[:2] if weights else (1.0, 0.0)
    return made * scale + shift


def executed_normalization(operator: Normalization, value: Array, *weights: Array) -> Array:
    """Run the steps of a normalization; the last one is told the mean beside its operands."""
    *first, scaling = operator.decompose()
    means = [run(step, value) for step in first[:1]] if operator.is_centred else []
    squares, mean_of_squares = first[-2:]
    square = run(mean_of_squares, run(squares, value))
    mean = means[0] if means else np.zeros_like(square)
    # The mean has the map of the mean square, so that both meet the same elements.
    statistic = scaling.inputs[1]
    means_at_points = _at_points(scaling, statistic.index, mean)
    return run(
        scaling, value, square, *weights,
        normalize=lambda seen, found, *held: _scaled(seen, means_at_points, found, *held),
    )  # fmt: skip


def _at_points(operator: Operator, index: Sequence[Any], array: Array) -> Array:
    grid = np.indices(tuple(operator.dims.values())).reshape(len(operator.dims), -1)
    names = dict(zip(operator.dims, grid, strict=True))
    places = [
        sum((factor * names[name] for name, factor in one.terms), np.int64(one.offset))
        for one in index
    ]
    return np.asarray(array[tuple(places)] if places else array)


@st.composite
def normalizations(draw: st.DrawFn) -> tuple[Normalization, list[Array], Array]:
    """Layer, instance, group and root mean square normalization, with and without weights."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    rank = len(shape)
    axes = draw(st.permutations(range(rank)))[: draw(st.integers(1, rank))]
    groups = draw(st.integers(1, 3))
    shape[axes[-1]] *= groups
    is_centred = draw(st.booleans())
    value = numbers(shape)
    held_axes = axes if draw(st.booleans()) else draw(st.permutations(range(rank)))[:1]
    count = draw(st.integers(0, 2))
    weights = [numbers([shape[axis] for axis in held_axes], seed) for seed in range(count)]

    # Groups are an axis of their own before the axis that they divide.
    last = axes[-1]
    apart = value.reshape(*shape[:last], groups, shape[last] // groups, *shape[last + 1 :])
    over = tuple(axis + (axis >= last) for axis in axes)
    mean = apart.mean(over, keepdims=True) if is_centred else 0.0
    centred = apart - mean
    due = (centred / np.sqrt((centred**2).mean(over, keepdims=True) + EPSILON)).reshape(shape)
    scale, shift = (
        weight.transpose(np.argsort(held_axes)).reshape(
            [shape[axis] if axis in held_axes else 1 for axis in range(rank)]
        )
        for weight in (*weights, *[np.ones(w) for w in ([shape[a] for a in held_axes],) * 2])[:2]
    )
    if count == 0:
        scale, shift = np.float64(1), np.float64(0)
    elif count == 1:
        shift = np.float64(0)
    operator = builders.normalize(
        shape, [axis - rank if draw(st.booleans()) else axis for axis in axes],
        weights=[weight.shape for weight in weights],
        weight_axes=None if held_axes is axes else held_axes,
        groups=groups, is_centred=is_centred,
    )  # fmt: skip
    return operator, [value, *weights], due * scale + shift


@given(normalizations())
def test_the_steps_of_a_normalization_compute_it(
    drawn: tuple[Normalization, list[Array], Array],
) -> None:
    operator, arrays, due = drawn
    np.testing.assert_allclose(executed_normalization(operator, *arrays), due, rtol=1e-9, atol=1e-9)
    for step in (operator, *operator.decompose()):
        check_counts(step)


def test_the_dimensions_of_a_group_normalization() -> None:
    operator = builders.normalize(
        (5, 5, 12), (0, 1, 2), groups=3, weights=[(12,)], weight_axes=(2,)
    )
    assert operator.dims == {"g": 3, "d0": 5, "d1": 5, "d2": 4}
    assert operator.over == ("d0", "d1", "d2")
    assert list(map(str, operator.operands)) == [
        "input[d0, d1, 4g + d2]", "weight[4g + d2]", "output[d0, d1, 4g + d2]",
    ]  # fmt: skip
    assert operator.decompose()[0].outputs[0].shape == (3,)


def test_a_weight_of_one_element_is_stretched_along_its_axis() -> None:
    operator = builders.normalize((2, 3), (1,), weights=[(1,)])
    assert str(operator.weights[0]) == "weight[0]"


# ------------------------------------------------------------------ attention


def attended(query: Array, key: Array, value: Array, weights: Sequence[Array]) -> Array:
    """Attention of tensors `bhmd`, of the scores times the weights."""
    shared = query.shape[1] // key.shape[1]
    key, value = (np.repeat(each, shared, axis=1) for each in (key, value))
    scores = np.einsum("bhmd,bhnd->bhmn", query / 2, key)
    for weight in weights:
        scores = scores * weight
    return np.einsum("bhmn,bhne->bhme", softmax_of(scores, -1), value)


def executed_attention(operator: Attention, *arrays: Array) -> Array:
    """Run the steps of an attention, the softmax in its own steps too."""
    query, key, value, *weights = arrays
    steps = list(operator.decompose())
    for _ in operator.query_steps:
        query = run(steps.pop(0), query, np.array(0.5))
    scores = run(steps.pop(0), key, query)
    for _ in operator.score_steps:
        scores = run(steps.pop(0), scores, *weights)
    softmax, weighed = steps
    assert isinstance(softmax, Softmax)
    return run(weighed, executed_softmax(softmax, scores), value)


def _attention_arrays(draw: st.DrawFn, layout: str) -> tuple[list[Array], list[Array]]:
    """Queries, keys and values as `bhmd` and in a layout."""
    b = draw(st.integers(1, 2)) if "b" in layout else 1
    m, n, d, e = (draw(st.integers(1, 3)) for _ in range(4))
    heads = draw(st.integers(1, 2)) if "h" in layout else 1
    shared = draw(st.integers(1, 3)) if "h" in layout else 1
    whole = [
        numbers((b, heads * shared, m, d)) / 2,
        numbers((b, heads, n, d), 1) / 2,
        numbers((b, heads, n, e), 2),
    ]
    return whole, [_in_layout(array, layout) for array in whole]


def _in_layout(array: Array, layout: str) -> Array:
    left = [axis for axis in "bhmd" if axis in layout]
    dropped = tuple(place for place, axis in enumerate("bhmd") if axis not in layout)
    return np.squeeze(array, dropped).transpose([left.index(axis) for axis in layout])


LAYOUTS = ("bhmd", "bmhd", "mhbd", "hmd", "bmd", "md", "dm", "dhmb")


@st.composite
def attentions(draw: st.DrawFn) -> tuple[Attention, list[Array], Array]:
    layout = draw(st.sampled_from(LAYOUTS))
    whole, arrays = _attention_arrays(draw, layout)
    scores = [whole[0].shape[0], whole[0].shape[1], whole[0].shape[2], whole[1].shape[2]]
    kept = [n for n, axis in zip(scores, "bhmn", strict=True) if axis in layout or axis == "n"]
    weights, stretched = [], []
    if draw(st.booleans()):
        weights = [numbers(draw(fitting_shapes(kept)), 3)]
        full = [1] * (len(kept) - weights[0].ndim) + list(weights[0].shape)
        lengths = iter(full)
        stretched = [
            weights[0].reshape([next(lengths) if a in layout or a == "n" else 1 for a in "bhmn"])
        ]
    operator = builders.attention(
        *[array.shape for array in arrays], layout=layout, weights=[w.shape for w in weights],
        score_steps=("multiply",) if weights else (),
    )  # fmt: skip
    return operator, [*arrays, *weights], _in_layout(attended(*whole, stretched), layout)


@given(attentions())
def test_the_steps_of_an_attention_compute_it(
    drawn: tuple[Attention, list[Array], Array],
) -> None:
    operator, arrays, due = drawn
    np.testing.assert_allclose(executed_attention(operator, *arrays), due, rtol=1e-9, atol=1e-9)
    for step in operator.decompose():
        check_counts(step)
    assert operator.macs == sum(step.macs for step in operator.decompose())


@pytest.mark.parametrize("times", [1, 3])
def test_a_repeated_attention_attends_apart(times: int) -> None:
    operator = builders.attention((2, 4, 3, 5), (2, 2, 6, 5), (2, 2, 6, 7))
    repeated = operator.repeated(times)
    arrays = [
        np.stack([numbers(item.shape, seed + 10 * time) for time in range(times)])
        for seed, item in enumerate(operator.inputs)
    ]
    made = executed_attention(repeated, *arrays)
    for time in range(times):
        alone = executed_attention(operator, *[array[time] for array in arrays])
        np.testing.assert_allclose(made[time], alone, rtol=1e-12)
    assert repeated.macs == times * operator.macs


def test_the_dimensions_and_counts_of_grouped_query_attention() -> None:
    operator = builders.attention((2, 8, 10, 16), (2, 2, 12, 16), (2, 2, 12, 32))
    assert operator.dims == {"b": 2, "g": 2, "h": 4, "m": 10, "n": 12, "d": 16, "e": 32}
    assert list(map(str, operator.operands)) == [
        "input[b, 4g + h, m, d]", "input[b, g, n, d]", "input[b, g, n, e]",
        "output[b, 4g + h, m, e]",
    ]  # fmt: skip
    scores = 2 * 8 * 10 * 12
    assert operator.macs == scores * (16 + 32)
    assert operator.operations["activation"] == scores


@given(attentions())
def test_whole_operators_count_what_their_steps_do(
    drawn: tuple[Attention, list[Array], Array],
) -> None:
    operator, _, _ = drawn
    counted: Counter[str] = Counter()
    for step in operator.decompose():
        counted.update(step.operations)
    assert operator.operations == counted
    products = [step for step in operator.decompose() if isinstance(step, Contraction)]
    assert counted["multiply-accumulate"] == sum(math.prod(p.dims.values()) for p in products)
