"""Every builder: its loop nest computes what NumPy does, and its counts are those of the nest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from builder_cases import CASES, ORIGINS, Case, foldings
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_nest import check_counts, check_sources, executed

from costmodel.tensor.sizes import Symbol
from costmodel.workload import builders
from costmodel.workload.operators import Gather, Operator

MOST_POINTS = 20_000
"""Points of a nest that plain Python walks in reasonable time."""


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
@settings(max_examples=2 * settings.default.max_examples)  # of the profile
def test_the_loop_nest_of_a_builder_computes_what_numpy_does(
    name: str, data: st.DataObject
) -> None:
    case: Case = data.draw(CASES[name]())
    made = executed(case.operator, *case.arrays)
    assert len(made) == len(case.expected)
    for array, expected in zip(made, case.expected, strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-12, atol=1e-12)
        assert array.shape == np.shape(expected)


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_the_counts_of_an_operator_are_those_of_its_loop_nest(
    name: str, data: st.DataObject
) -> None:
    operator = data.draw(CASES[name]()).operator
    if operator.points <= MOST_POINTS:
        check_counts(operator)


@given(data=st.data())
def test_an_embedding_reads_a_row_for_every_index_up_to_the_length_of_the_table(
    data: st.DataObject,
) -> None:
    case = data.draw(CASES["embedding"]())
    assert isinstance(case.operator, Gather)
    indices, table = case.operator.inputs[0], case.operator.weights[0]
    rows = table.shape[table.index.index(None)]
    found = case.operator.accesses(table)
    row = table.size // rows
    assert found.points == case.operator.points
    assert found.elements == row * min(rows, indices.size)
    assert found.meeting == indices.size


@pytest.mark.parametrize("name", ORIGINS)
@given(data=st.data())
def test_a_movement_reads_where_its_maps_say_and_as_many_elements_as_it_says(
    name: str, data: st.DataObject
) -> None:
    drawn = data.draw(ORIGINS[name]())
    check_counts(drawn.operator)
    check_sources(drawn.operator, drawn.results)


@given(data=st.data())
def test_a_movement_of_slices_reads_one_for_every_index_up_to_all_of_them(
    data: st.DataObject,
) -> None:
    operator = data.draw(CASES["take"]()).operator
    tensor, indices, written = operator.operands
    length = tensor.shape[tensor.index.index(None)]
    found = operator.accesses(tensor)
    assert found.points == written.size
    assert found.elements == tensor.size // length * min(length, indices.size)


@given(foldings())
def test_windows_are_put_back_where_they_are_taken_from(case: Case) -> None:
    (made,) = executed(case.operator, *case.arrays)
    np.testing.assert_array_equal(made, case.expected[0])
    check_counts(case.operator)


@given(shape=st.lists(st.integers(1, 3), max_size=2), classes=st.integers(1, 4), data=st.data())
def test_an_encoding_writes_each_class_where_its_index_is(
    shape: list[int], classes: int, data: st.DataObject
) -> None:
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    indices = np.random.default_rng(0).integers(0, classes, shape)
    operator = builders.one_hot(shape, classes, axis)
    check_counts(operator)
    (read,) = executed(operator, np.asarray(indices, float))
    hot = np.eye(classes)[indices]
    own_class = np.broadcast_to(np.arange(classes), hot.shape)
    np.testing.assert_array_equal(
        read == np.moveaxis(own_class, -1, axis), np.moveaxis(hot, -1, axis)
    )


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(1, 4), st.data())
def test_vectors_that_are_merged_are_written_to_one(
    shape: list[int], classes: int, data: st.DataObject
) -> None:
    axis, merged = data.draw(st.permutations(range(len(shape) + 1)))[:2]
    apart = builders.one_hot(shape, classes, axis)
    operator = builders.one_hot(shape, classes, axis, merged_axis=merged)
    check_counts(operator)
    (read, written), (same, spread) = operator.operands, apart.operands
    assert read == same
    assert written.index == (*spread.index[:merged], *spread.index[merged + 1 :])
    assert written.shape == (*spread.shape[:merged], *spread.shape[merged + 1 :])


def test_stacks_of_numbers_have_no_map_for_what_lies_side_by_side() -> None:
    for operator in (builders.stack([()] * 3, 0), builders.unstack((3,), 0)):
        for operand in operator.operands:
            assert operator.accesses(operand).elements == operand.size
            assert operand.index == (None,) * len(operand.shape)


OF_A_BATCH: tuple[Callable[[int], Operator], ...] = (
    lambda n: builders.flip((n, 3, 4), [1]),
    lambda n: builders.stack([(n, 3)] * 2, 0),
    lambda n: builders.stack([(n,)] * 2, 1),
    lambda n: builders.unstack((3, n, 2), 0),
    lambda n: builders.unstack((n, 3), 1),
    lambda n: builders.tile((n, 3), (1, 2)),
    lambda n: builders.regroup((n, 4), ["n", "ab"], ["nb", "a"], {"n": n, "a": 2, "b": 2}),
    lambda n: builders.frames((n, 5), 2, 1),
    lambda n: builders.select((n, 3), [..., 0]),
    lambda n: builders.diagonal((n, 3, 4), 1, 1, 2),
    lambda n: builders.triangle((n, 3, 4)),
    lambda n: builders.take((n, 5), (3,), 1),
    lambda n: builders.take_along((n, 5), (n, 3), 1),
    lambda n: builders.insert((n, 5), (n, 3), (0, 1)),
    lambda n: builders.one_hot((n, 5), 3),
    lambda n: builders.rearrange_along("roll", (n, 3), (n, 3), [1]),
    lambda n: builders.resize((n, 3), (n, 6)),
    lambda n: builders.resize((n, 3), (n, 4)),
    lambda n: builders.patches((n, 1, 5), 2, "ncpr"),
    lambda n: builders.fold_patches((n, 1, 2, 2), (n, 1, 5), 2, "ncpr"),
)


@pytest.mark.parametrize("make", OF_A_BATCH)
def test_the_batch_of_a_movement_may_be_a_symbol(make: Callable[[int], Operator]) -> None:
    symbolic, bound = make(Symbol("batch")), make(3)
    held = symbolic.bound(lambda n: n.bound({"batch": 3}) if isinstance(n, Symbol) else n)
    for one, other in zip(held.operands, bound.operands, strict=True):
        assert one.tensor == other.tensor
        assert held.accesses(one).elements == bound.accesses(other).elements


# ------------------------------------------------------------------ stated examples


def test_the_dimensions_and_maps_of_a_grouped_strided_convolution() -> None:
    operator = builders.conv(
        (8, 16, 56, 56), (64, 4, 3, 3), stride=(2, 2), padding=(1, 1), groups=4
    )
    assert operator.dims == {"n": 8, "g": 4, "k": 16, "c": 4, "p": 28, "q": 28, "r": 3, "s": 3}
    assert [str(item) for item in operator.operands] == [
        "input[n, 4g + c, 2p + r - 1, 2q + s - 1]",
        "weight[16g + k, c, r, s]",
        "output[n, 16g + k, p, q]",
    ]
    assert operator.reduction_dims == ("c", "r", "s")
    assert operator.reduction_size == 4 * 3 * 3
    assert operator.macs == 8 * 64 * 4 * 28 * 28 * 9


def test_a_convolution_reads_padding_without_traffic() -> None:
    operator = builders.conv((1, 1, 4), (1, 1, 3), padding=1)
    image = operator.accesses(operator.inputs[0])
    assert operator.macs == 12
    assert (image.points, image.elements, image.meeting) == (10, 4, 3)


def test_a_transposed_convolution_scatters() -> None:
    operator = builders.conv_transpose((1, 1, 4), (1, 1, 3), stride=2)
    assert str(operator.outputs[0]) == "output[n, k, 2p + r]"
    assert operator.macs == 12
    assert operator.reduction_size == 2  # neighbouring windows overlap in one element


def test_a_stride_that_leaves_elements_out_reads_fewer_of_them() -> None:
    operator = builders.conv((1, 1, 9), (1, 1, 1), stride=3)
    assert operator.accesses(operator.inputs[0]).elements == 3


def test_a_depthwise_convolution_is_reported_from_a_full_one() -> None:
    full = builders.conv((1, 8, 5), (8, 8, 3))
    depthwise = builders.conv((1, 8, 5), (8, 1, 3), groups=8)
    assert full.macs == 8 * depthwise.macs
    assert depthwise.dims["c"] == 1
    assert depthwise.reuse(depthwise.inputs[0]) < full.reuse(full.inputs[0])


def test_a_window_that_begins_beyond_the_image_is_left_out() -> None:
    # As in PyTorch and ONNX: three windows would begin at 0, 3 and 6, of an axis of 5.
    assert builders.pool("max", (1, 1, 5), 1, stride=3, ceil=True).dims["p"] == 2
    assert builders.pool("max", (1, 1, 5), 2, stride=2, ceil=True).dims["p"] == 3
    # One that fits into the padding stays, as it does without `ceil`.
    assert builders.pool("max", (1, 1, 1), 1, padding=1, ceil=True).dims["p"] == 3


@pytest.mark.parametrize("layout", ["NC*", "N*C"])
def test_four_spatial_axes_have_numbered_dimensions(layout: str) -> None:
    shape = (1, 1, 2, 2, 2, 2) if layout == "NC*" else (1, 2, 2, 2, 2, 1)
    operator = builders.conv(shape, (1, 1, 1, 1, 1, 2), input_layout=layout)
    assert list(operator.dims)[3:] == [f"{name}{axis}" for name in "pr" for axis in range(4)]


def test_a_declared_result_keeps_its_format() -> None:
    from costmodel.tensor.shapes import Tensor  # noqa: PLC0415  # one test needs it

    declared = Tensor((2, 4), "int8")
    operator = builders.matmul((2, 3), (3, 4), output=declared)
    assert operator.outputs[0].tensor == declared


def test_what_no_map_states_is_read_once_at_most() -> None:
    operator = builders.rearrange("sort", [(4, 3)], [(4, 3), (2,)], weights=[(5,)])
    source, held, first, second = operator.operands
    assert operator.accesses(source).elements == 12
    assert operator.accesses(held).elements == 5
    assert operator.accesses(first).elements == 12
    assert operator.accesses(second).elements == 2


@pytest.mark.parametrize(
    ("operator", "read", "written"),
    [
        (builders.fill((2, 3)), 0, 6),
        (builders.read((2, 3), purpose="mask"), 6, 0),
        (builders.copy("copy", (2, 3)), 6, 6),
    ],
    ids=str,
)
def test_one_sided_movements_read_or_write(operator: Operator, read: int, written: int) -> None:
    assert sum(operator.accesses(item).elements for item in operator.inputs) == read
    assert sum(operator.accesses(item).elements for item in operator.outputs) == written
