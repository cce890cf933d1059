"""Movements of keras.ops: where each element comes from, against what Keras computes on values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import operation_cases
import pytest
from keras import ops
from loop_nest import Array, check_sources, element_numbers, executed
from operation_cases import Case
from run_workload import run
from worlds import REGISTRY

import costmodel
from costmodel.workload.operators import Movement, Operator, Reduction

pytestmark = pytest.mark.filterwarnings(
    # Keras itself, under NumPy 2
    "ignore:__array__ implementation:DeprecationWarning",
)

VECTOR, PLANE, CUBE = (6,), (4, 6), (4, 6, 8)
ROWS: Array = np.arange(12, dtype="float32").reshape(1, 2, 6)
PLACES: Array = np.array([[[3], [1]]])


def _cases(*rows: Any) -> dict[str, Case]:
    return {
        text: Case(shapes, call, text, batch=next(iter(batch), None))
        for text, shapes, call, *batch in rows
    }


GIVEN: Final = {case.label: case for case in (*operation_cases.SHAPES, *operation_cases.WINDOWS)}

MORE: Final = _cases(
    ("transpose, reversed", (PLANE,), ops.transpose),
    ("transpose, the batch inside", (CUBE,), lambda x: ops.transpose(x, (3, 0, 2, 1))),
    ("rot90, twice", ((4, 6, 4),), lambda x: ops.rot90(x, 2, axes=(1, 3))),
    ("rot90, back", (CUBE,), lambda x: ops.rot90(x, -1, axes=(3, 2))),
    ("flip, two axes", (CUBE,), lambda x: ops.flip(x, axis=(1, 3))),
    ("get, a new axis behind", (PLANE,), lambda x: x[..., 1::2, None]),
    ("get, an element of each", (CUBE,), lambda x: x[:, -1, 2]),
    ("split, the last axis", (PLANE,), lambda x: ops.split(x, 3, axis=-1)),
    ("unstack, the last axis", (PLANE,), lambda x: ops.unstack(x, axis=-1)),
    ("diagonal, axes exchanged", (CUBE,), lambda x: ops.diagonal(x, 1, axis1=3, axis2=1)),
    ("take, one slice", (CUBE,), lambda x: ops.take(x, -2, axis=2)),
    ("take_along_axis, a constant", (PLANE,),
     lambda x: ops.take_along_axis(x, PLACES, axis=1), 1),
    ("concatenate, a constant", (PLANE,), lambda x: ops.concatenate([ROWS, x], axis=1), 1),
    ("concatenate, the batch second", (PLANE, PLANE), lambda x, y: ops.concatenate(
        [ops.transpose(x, (1, 0, 2)), ops.transpose(y, (1, 0, 2))], axis=0)),
    ("stack, in front of the batch", (PLANE, PLANE), lambda x, y: ops.stack([x, y], axis=0)),
    ("stack, a constant", ((2, 6),), lambda x: ops.stack([x, ROWS], axis=1), 1),
    ("hstack, planes", (CUBE, CUBE), lambda x, y: ops.hstack([x, y])),
    ("broadcast_to, one row", ((1, 6),), lambda x: ops.broadcast_to(x, (2, 4, 6)), 2),
    ("tile, all axes", (PLANE,), lambda x: ops.tile(x, (1, 3, 2))),
    ("pad, zeros that are stated", (PLANE,),
     lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 0)), constant_values=0)),
    ("extract_sequences, side by side", (CUBE,), lambda x: ops.extract_sequences(x, 2, 2)),
    ("depth_to_space, deeper", ((2, 3, 12),), lambda x: ops.depth_to_space(x, 2)),
    ("extract_patches, apart", (CUBE,),
     lambda x: ops.image.extract_patches(x, (2, 1), (3, 2), padding="same")),
    ("extract_patches, dilated", (CUBE,),
     lambda x: ops.image.extract_patches(x, 2, 1, dilation_rate=2)),
    ("unfold, dilated", (CUBE,), lambda x: ops.unfold(x, (2, 3), (2, 1), (1, 0), (2, 3))),
    ("resize, to less", (CUBE,), lambda x: ops.image.resize(x, (2, 2), "nearest")),
    ("resize, one axis", (CUBE,), lambda x: ops.image.resize(x, (4, 12), "nearest")),
)  # fmt: skip

PARTS: Final = {
    **{text: GIVEN[text] for text in (
        "ops.roll(x, 2, axis=1", "ops.tril(x", "ops.triu(x, k=1",
        "ops.slice_update(x, (0, 1, 0), y", "ops.repeat(x, [1, 2, 0, 3], axis=1",
    )},
    **_cases(
        ("roll, two axes", (CUBE,), lambda x: ops.roll(x, (1, 3), axis=(1, 3))),
        ("tril, a stack", (CUBE,), lambda x: ops.tril(x, k=-2)),
        ("pad, by reflection", (PLANE,),
         lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 3)), mode="reflect")),
        ("resize, by no whole factor", (CUBE,), lambda x: ops.image.resize(x, (6, 4), "nearest")),
    ),
}  # fmt: skip
"""Some axes have no map, and an operand may state how many of its elements are read."""

ENCODINGS: Final = {text: case for text, case in GIVEN.items() if "ops.one_hot" in text}
"""The map says which index an element of the result depends on; its value is 0 or 1."""

_SCATTER: Final = 'ops.scatter_update(x, [[0, 0, 0]], ONES((1,), "float32"'
_ACROSS: Final = "elements go from one example to another"
_ROWS: Final = "an example gets more rows of the batch"
_DATA: Final = "data says where elements go"
UNMAPPED: Final[Mapping[str, Mapping[str, Case]]] = {
    _ACROSS: {
        "ops.flipud(x": GIVEN["ops.flipud(x"],
        **_cases(
            ("flip, all axes", (CUBE,), ops.flip),
            ("rot90, the batch", ((4,),), ops.rot90, 4),
            ("roll, a flat tensor", (PLANE,), lambda x: ops.roll(x, 2)),
            ("tril, the batch", (VECTOR,), ops.tril),
        ),
    },
    _ROWS: {
        "ops.vstack([x, y]": GIVEN["ops.vstack([x, y]"],
        **_cases(
            ("repeat, a flat tensor", (PLANE,), lambda x: ops.repeat(x, 2)),
            ("tile, the batch", (PLANE,), lambda x: ops.tile(x, (2, 1, 1))),
        ),
    },
    _DATA: {
        _SCATTER: GIVEN[_SCATTER],
        **_cases(("take, a flat tensor", (PLANE,), lambda x: ops.take(x, ops.cast(x, "int32")))),
    },
    "numbers have no axis that could lie elsewhere": _cases(
        ("stack, numbers", ((), ()), lambda x, y: ops.stack([x, y], axis=1)),
    ),
    "an axis of length 1 is left out": _cases(
        ("rearrange, fewer axes", ((1, 6),), lambda x: ops.rearrange(x, "b c t -> b t"), 3),
    ),
    "operands get another axis before": _cases(
        ("dstack, vectors", (VECTOR, VECTOR), lambda x, y: ops.dstack([x, y])),
    ),
}
"""The calls whose elements no affine map of one example places, by the reason."""

LEFT_OUT: Final = (
    "ops.reshape", "ops.ravel",  # views, which no operator carries out
    "ops.adaptive_max_pool", "ops.image.resize(x, (4, 5", "ops.fold", "ops.multi_hot",  # other work
    "ops.vsplit", "ops.broadcast_to",  # calls for one length of the batch, in other cases here
)  # fmt: skip
WHOLE: Final = {
    text: case
    for text, case in {**GIVEN, **MORE}.items()
    if not any(text in cases for cases in (PARTS, ENCODINGS, *UNMAPPED.values()))
    and not text.startswith(LEFT_OUT)
}
CONSTANTS: Final[Mapping[str, Sequence[Array]]] = {
    "ops.take(x, [0, 2], axis=1": [np.array([0, 2])],
    'ops.take(ONES((9, 5), "float32"), ops.cast(x, "int32"), axis=0': [np.ones((9, 5))],
    "take_along_axis, a constant": [PLACES],
    "concatenate, a constant": [ROWS],
    "stack, a constant": [ROWS],
}
"""The values of constants, which a workload does not hold."""


@pytest.mark.parametrize("text", WHOLE)
def test_a_function_with_maps_carries_what_keras_does(text: str) -> None:
    case = WHOLE[text]
    model = operation_cases.built(case)
    network = costmodel.read(model, registry=REGISTRY)
    bound = costmodel.lower(network).bind(batch=case.batch or 2)
    generator = np.random.default_rng(0)
    shapes = [bound.tensors[name].shape for name in bound.inputs]
    arrays = [generator.standard_normal(shape).astype("float32") for shape in shapes]
    if "cast" in text:  # to indices
        arrays = [generator.integers(0, 4, shape).astype("float32") for shape in shapes]
    constants = CONSTANTS.get(text, ())
    given = dict(zip([*bound.inputs, *bound.weights], [*arrays, *constants], strict=True))
    made = run(bound, given)
    due = model([given[name].astype("float32") for name in _input_names(model)])
    axes = [tensor.batch_axis for tensor in network.layers[-1].outputs]
    for one, other, axis in zip(made.values(), _several(due), axes, strict=True):
        np.testing.assert_allclose(one, np.moveaxis(other, axis, 0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("text", PARTS)
def test_a_function_with_maps_of_some_axes_reads_what_keras_does(text: str) -> None:
    model, operator = _of_one_movement(PARTS[text])
    assert any(None in item.index for item in operator.inputs)
    numbers = element_numbers([item.shape for item in operator.inputs])
    due = model([array[None].astype("float32") for array in numbers])
    check_sources(operator, [np.asarray(result)[0] for result in _several(due)])


@pytest.mark.parametrize("text", ENCODINGS)
def test_a_class_is_written_where_the_index_is_read(text: str) -> None:
    model, operator = _of_one_movement(ENCODINGS[text])
    indices = np.arange(8.0) % 5
    (read,) = executed(operator, indices)
    (due,) = np.asarray(model([indices[None]]))
    axis = due.shape.index(5)
    classes = np.moveaxis(np.broadcast_to(np.arange(5), (8, 5)), -1, axis)
    np.testing.assert_array_equal(read == classes, due)


def test_windows_that_are_folded_are_added_where_they_overlap() -> None:
    case = Case(((12, 36),), lambda x: ops.fold(x, (6, 6), 2, dilation=2, padding=1), "fold")
    model = operation_cases.built(case)
    moved, added = costmodel.read(model, registry=REGISTRY).layers[-1].operators()
    summed = Reduction(dims=moved.dims, operands=moved.operands, function="sum")
    windows = np.random.default_rng(0).standard_normal((12, 36)).astype("float32")
    (made,) = executed(summed, windows)
    np.testing.assert_allclose(made, model([windows[None]])[0], rtol=1e-5, atol=1e-5)
    assert added.operations == {"add": windows.size}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{text}: {reason}")
        for reason, cases in UNMAPPED.items()
        for text, case in cases.items()
    ],
)
def test_a_function_without_a_map_says_so_for_every_axis(case: Case) -> None:
    network = costmodel.read(operation_cases.built(case), registry=REGISTRY)
    moved = _movement(network.layers[-1].operators_of_example())
    indices = [one for item in moved.inputs for one in item.index] or moved.outputs[0].index
    assert set(indices) == {None}


# ------------------------------------------------------------------ reading models


def _movement(work: Sequence[Operator]) -> Movement:
    (moved,) = [operator for operator in work if isinstance(operator, Movement)]
    return moved


def _of_one_movement(case: Case) -> tuple[Any, Movement]:
    model = operation_cases.built(case)
    return model, _movement(costmodel.read(model, registry=REGISTRY).layers[-1].operators())


def _input_names(model: Any) -> list[str]:
    return [
        tensor._keras_history.operation.name for tensor in model.inputs
    ]  # Keras has no public way


def _several(result: Any) -> list[Any]:
    return list(result) if isinstance(result, list | tuple) else [result]
