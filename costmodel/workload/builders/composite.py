"""Builders of softmax, normalization and attention, which stay whole and decompose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from costmodel.errors import ShapeError
from costmodel.tensor.shapes import show_shape
from costmodel.tensor.sizes import always, least
from costmodel.workload.affine import Affine, Index, axis_index
from costmodel.workload.builders.shapes import (
    TensorLike,
    along,
    axis_names,
    checked_result,
    own_axes,
)
from costmodel.workload.composite import Attention, Normalization, Softmax
from costmodel.workload.operators import Operand, as_tensor, as_tensors, shape_of

# ------------------------------------------------------------------ softmax


def softmax(
    input: TensorLike,
    axes: Sequence[int] = (-1,),
    *,
    in_place: bool = False,
    output: TensorLike | None = None,
) -> Softmax:
    """Exponentials of the elements along some axes, over their sum.

    Dimensions: `d0`, `d1` and so on, one for each axis.

    Raises:
        ShapeError: there is no such axis.

    """
    tensor = as_tensor(input)
    names = axis_names(len(shape_of(tensor)))
    index = [axis_index(name) for name in names]
    declared = tensor if in_place and output is None else output
    result = checked_result(declared, shape_of(tensor), "softmax")
    return Softmax(
        dims=zip(names, shape_of(tensor), strict=True),
        operands=[Operand("input", tensor, index), Operand("output", result, index)],
        over=[names[axis] for axis in sorted(own_axes(axes, len(names)))],
        in_place=in_place,
    )


# ------------------------------------------------------------------ normalization


def normalize(
    input: TensorLike,
    axes: Sequence[int],
    *,
    weights: Sequence[TensorLike] = (),
    weight_axes: Sequence[int] | None = None,
    groups: int = 1,
    is_centred: bool = True,
    output: TensorLike | None = None,
) -> Normalization:
    """Normalization by the statistics of each example: layer, group, instance, root mean square.

    Dimensions: `d0`, `d1` and so on for the axes; with several groups, `g` for the groups of the
    last of `axes`.

    Args:
        input: the tensor.
        axes: the axes over which the statistics are taken.
        weights: trained scale and shift.
        weight_axes: the axes that the axes of the weights are; unless given, `axes`.
        groups: groups that the last of `axes` is divided into.
        is_centred: whether the mean is subtracted.
        output: the declared result; its shape is checked.

    Raises:
        ShapeError: an axis is not there, or does not divide into the groups.

    """
    tensor = as_tensor(input)
    rank = len(shape_of(tensor))
    places = own_axes(axes, rank)
    names, dims = list(axis_names(rank)), list(shape_of(tensor))
    index = [axis_index(name) for name in names]
    sizes = dict(zip(names, dims, strict=True))
    if groups != 1:
        if not places:
            message = f"no axis is given that divides into {groups} groups"
            raise ShapeError(message)
        last = places[-1]
        length = dims[last]
        if least(groups) < 1 or not always(length % groups == 0):
            message = f"an axis of {length} does not divide into {groups} groups"
            raise ShapeError(message)
        size = length // groups
        index[last] = Affine((("g", size), (names[last], 1)))
        sizes = {"g": groups, **sizes, names[last]: size}
    held = places if weight_axes is None else own_axes(weight_axes, rank)
    result = checked_result(output, shape_of(tensor), "normalization")
    operands = [
        Operand("input", tensor, index),
        *[
            Operand("weight", tensor, _held_index(shape_of(tensor), held, dims, index))
            for tensor in as_tensors(weights)
        ],
        Operand("output", result, index),
    ]
    return Normalization(
        dims=sizes,
        operands=operands,
        over=[names[axis] for axis in sorted(places)],
        is_centred=is_centred,
    )


def _held_index(
    shape: Sequence[int], axes: Sequence[int], lengths: Sequence[int], index: Sequence[Affine]
) -> Index:
    if len(shape) != len(axes):
        message = (
            f"weights of {show_shape(tuple(shape))} lie along {len(axes)} axes; "
            "expected one for each of theirs"
        )
        raise ShapeError(message)
    places = along(shape, lengths, axes)
    return tuple([Affine() if axis is None else index[axis] for axis in places])


# ------------------------------------------------------------------ attention


def attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    *,
    layout: str = "bhmd",
    weights: Sequence[TensorLike] = (),
    query_steps: Sequence[str] = ("multiply",),
    score_steps: Sequence[str] = (),
    output: TensorLike | None = None,
) -> Attention:
    """Scaled dot-product attention, with as many heads of keys as of queries or fewer.

    Args:
        query: the queries, with axes as `layout` names them.
        key: the keys; in place of `m` its positions are `n`.
        value: the values; in place of `d` its features are `e`.
        layout: letters of `b` (what attends apart), `h` heads, `m` positions, `d` features.
        weights: trained constants of the functions of the scores; they broadcast against axes
            `b`, `h`, `m` and positions of keys.
        query_steps: functions of every element of the queries; by default a scaling.
        score_steps: functions of every score before the softmax.
        output: the declared result; its shape is checked.

    Raises:
        ShapeError: the shapes do not fit together.

    """
    tensors = [as_tensor(tensor) for tensor in (query, key, value)]
    if not isinstance(layout, str):
        message = f"layout is {layout!r:.80}; expected letters of bhmd, such as 'bhmd'"  # type: ignore[unreachable]  # a caller may have no types
        raise TypeError(message)
    if set(layout) - set("bhmd") or not {"m", "d"} <= set(layout) or len(set(layout)) < len(layout):
        message = f"layout is {layout!r:.20}; expected letters of bhmd, each once, with m and d"
        raise ShapeError(message)
    for name, tensor in zip(("query", "key", "value"), tensors, strict=True):
        if len(shape_of(tensor)) != len(layout):
            message = f"{name} is {show_shape(shape_of(tensor))}; expected axes as in {layout!r}"
            raise ShapeError(message)
    asked, keyed, held = (dict(zip(layout, shape_of(tensor), strict=True)) for tensor in tensors)
    _check_attention(asked, keyed, held)
    heads, shared = asked.get("h", 1), keyed.get("h", 1)
    dims: dict[str, int] = {"b": asked["b"]} if "b" in asked else {}
    if heads != shared:
        dims["g"] = shared
    if "h" in asked:
        dims["h"] = heads if heads == shared else heads // shared
    dims |= {"m": asked["m"], "n": keyed["m"], "d": asked["d"], "e": held["d"]}
    head = axis_index("h") if heads == shared else Affine((("g", dims["h"]), ("h", 1)))
    named = {"b": axis_index("b"), "h": head, "n": axis_index("n")}
    named |= {"m": axis_index("m"), "d": axis_index("d")}
    key_head = head if heads == shared else axis_index("g")
    keys = {**named, "h": key_head, "m": axis_index("n")}
    values, made = {**keys, "d": axis_index("e")}, {**named, "d": axis_index("e")}
    shape = tuple([held["d"] if axis == "d" else asked[axis] for axis in layout])
    result = checked_result(output, shape, "attention")
    scores = {axis: asked[axis] for axis in "bhm" if axis in asked} | {"n": keyed["m"]}
    operands = [
        *[
            Operand("input", tensor, [index[axis] for axis in layout])
            for tensor, index in zip(tensors, (named, keys, values), strict=True)
        ],
        *[
            Operand("weight", tensor, _score_index(shape_of(tensor), scores, named))
            for tensor in as_tensors(weights)
        ],
        Operand("output", result, [made[axis] for axis in layout]),
    ]
    return Attention(dims=dims, operands=operands, query_steps=query_steps, score_steps=score_steps)


def _score_index(
    shape: Sequence[int], scores: Mapping[str, int], index: Mapping[str, Affine]
) -> Index:
    """The index of a tensor that broadcasts against the scores, aligned at the last axes."""
    names, lengths = list(scores), list(scores.values())
    if len(shape) > len(names):
        message = f"weights of {show_shape(tuple(shape))} do not fit {show_shape(tuple(lengths))}"
        raise ShapeError(message)
    places = along(shape, lengths, range(len(names) - len(shape), len(names)))
    return tuple([Affine() if axis is None else index[names[axis]] for axis in places])


def _check_attention(
    query: Mapping[str, int], key: Mapping[str, int], value: Mapping[str, int]
) -> None:
    problems = {
        "features of queries and keys differ": query["d"] != key["d"],
        "keys and values differ in their positions": key["m"] != value["m"],
        "keys and values differ in their heads": key.get("h") != value.get("h"),
        "keys and values differ in what attends apart": key.get("b") != value.get("b"),
        "queries and keys differ in what attends apart": query.get("b") != key.get("b"),
        "heads of queries are not a multiple of those of keys": (
            (query.get("h") or 1) % (key.get("h") or 1) != 0
        ),
    }
    for problem, is_there in problems.items():
        if is_there:
            raise ShapeError(problem)
