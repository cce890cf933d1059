"""The arguments of TensorFlow's functions as the settings of rules, where they differ in form."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from costmodel_keras.arguments import Span, Value
from costmodel_keras.keras2.functions import Called, FunctionError

Settings = Mapping[str, Any]


def is_set(value: Value) -> bool:
    """Whether a switch is on."""
    return value not in {None, False}


# ------------------------------------------------------------------ products


def matmul(called: Called) -> Settings:
    """Which operands are transposed; of real numbers the adjoint is the same."""
    return {
        f"transpose_{side}": is_set(called[f"transpose_{side}"])
        or is_set(called[f"adjoint_{side}"])
        for side in "ab"
    }


def colour_matrix(_: Called) -> Settings:
    """Three colours, each of three others."""
    return {"axes": 1}


# ------------------------------------------------------------------ images

_FORMATS: Final[Mapping[Value, str]] = {
    None: "channels_last",
    **dict.fromkeys(("NWC", "NHWC", "NDHWC"), "channels_last"),
    **dict.fromkeys(("NCW", "NCHW", "NCDHW"), "channels_first"),
}


def data_format(called: Called) -> Settings:
    """Where the channels are."""
    value = called["data_format"]
    if value not in _FORMATS:
        called.refuse("data_format")
    return {"data_format": _FORMATS[value]}


def _spatial(called: Called, name: str, rank: int, default: int) -> tuple[int, ...]:
    """One number for each spatial axis, given so, for all of them, or for all axes."""
    value = called[name]
    several = value if isinstance(value, tuple) else (default if value is None else value,)
    if not all(type(number) is int for number in several):
        called.refuse(name)
    if len(several) == rank + 2:
        is_last = data_format(called)["data_format"] == "channels_last"
        several = several[1:-1] if is_last else several[2:]
    if len(several) not in {1, rank}:
        called.refuse(name)
    return several


def _padding(called: Called) -> Settings:
    value = called["padding"]
    if not isinstance(value, str) or value.upper() not in {"SAME", "VALID"}:
        called.refuse("padding")
    return {"padding": value.lower()}


def _edges(called: Called, rank: int) -> Settings:
    """A rule for the edges, or the numbers of zeros before and after each axis."""
    value = called["padding"]
    if not isinstance(value, tuple):
        return _padding(called)
    if not _are_pairs(value, rank + 2):
        called.refuse("padding")
    is_last = data_format(called)["data_format"] == "channels_last"
    return {"padding": "valid", "edges": value[1:-1] if is_last else value[2:]}


def _are_pairs(value: tuple[Value, ...], number: int) -> bool:
    """Whether it is two whole numbers of 0 or more for each of so many axes."""
    return len(value) == number and all(
        isinstance(pair, tuple)
        and [type(amount) for amount in pair] == [int, int]
        and min(pair) >= 0
        for pair in value
    )


def convolution(image: str) -> Callable[[Called], Settings]:
    """What gives the settings of a convolution of the operand of this name."""

    def settings(called: Called) -> Settings:
        rank = len(called.whole(image)) - 2
        dilation = "rate" if called["rate"] is not None else "dilations"
        return {
            "strides": _spatial(called, "strides", rank, 1),
            "dilation_rate": _spatial(called, dilation, rank, 1),
            **_edges(called, rank),
            **data_format(called),
        }

    return settings


def transposed_convolution(called: Called) -> Settings:
    """The settings of a transposed convolution, which makes an image of the shape asked for."""
    _padding(called)
    found = dict(convolution("input")(called))
    rank = len(called.whole("input")) - 2
    last = data_format(called)["data_format"] == "channels_last"
    kept = slice(1, -1) if last else slice(2, None)
    asked = called["output_shape"]
    given, window = called.whole("input")[kept], called.whole("filters")[:rank]
    if not isinstance(asked, tuple) or len(asked) != rank + 2:
        called.refuse("output_shape")
    strides = found["strides"] * rank if len(found["strides"]) == 1 else found["strides"]
    axes = zip(given, asked[kept], window, strides, strict=True)
    found["output_padding"] = tuple([
        _beyond(called, *axis, padding=found["padding"]) for axis in axes
    ])  # fmt: skip
    return found


def _beyond(
    called: Called, length: Any, asked: Value, window: Any, stride: int, *, padding: str
) -> int:
    """Elements that an axis has more than the least that the transposed convolution makes."""
    if not isinstance(asked, int) or not isinstance(length, int):
        called.refuse("output_shape")
    places = -(-asked // stride) if padding == "same" else (asked - window) // stride + 1
    if places != length:
        message = f"tf.{called.function} makes no axis of {asked} of one of {length}"
        raise FunctionError(message)
    cut = 2 * (window // 2) if padding == "same" else 0
    return int(asked - (length - 1) * stride - window + cut)


def pool(default_stride: bool = False) -> Callable[[Called], Settings]:  # noqa: FBT001, FBT002  # a table reads it
    """What gives the settings of a pooling; its strides may be left out where they are 1."""

    def settings(called: Called) -> Settings:
        rank = len(called.whole("input")) - 2
        if called["strides"] is None and not default_stride:
            called.refuse("strides")
        if any(number != 1 for number in _spatial(called, "dilations", rank, 1)):
            called.refuse("dilations")
        return {
            "pool_size": _spatial(called, "ksize", rank, 1),
            "strides": _spatial(called, "strides", rank, 1),
            **_padding(called),
            **data_format(called),
        }

    return settings


def blocks(called: Called) -> Settings:
    """The settings of a movement between blocks of an image and channels."""
    return {"block_size": called["block_size"], **data_format(called)}


def bias(called: Called) -> Settings:
    """None: the bias is added along the last axis.

    Raises:
        FunctionError: it is added along another one.

    """
    if data_format(called)["data_format"] != "channels_last" and len(called.whole("value")) > 2:  # noqa: PLR2004  # a plane
        called.refuse("data_format")
    return {}


_METHODS: Final[Mapping[Value, str]] = {
    name: name for name in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "gaussian")
} | {"mitchellcubic": "mitchellcubic", 0: "bilinear", 1: "nearest", 2: "bicubic"}
"""Ways to resize: in the second TensorFlow by name, in the first by number."""


def _size(called: Called) -> tuple[int, int]:
    value = called["size"]
    if not isinstance(value, tuple) or [type(number) for number in value] != [int, int]:
        called.refuse("size")
    return value


def resize(called: Called) -> Settings:
    """The settings of a change of an image's size."""
    method = called["method"]
    if isinstance(method, bool) or method not in _METHODS:
        called.refuse("method")
    if is_set(called["preserve_aspect_ratio"]):
        called.refuse("preserve_aspect_ratio")
    return {
        "size": _size(called),
        "interpolation": _METHODS[method],
        "antialias": is_set(called["antialias"]) and _METHODS[method] != "nearest",
    }


def resize_by(method: str) -> Callable[[Called], Settings]:
    """What gives the settings of a function that resizes in one way."""
    return lambda called: {"size": _size(called), "interpolation": method}


def resize_padded(called: Called) -> Settings:
    """The settings of a resizing that keeps the sides in proportion and adds zeros."""
    sides = [called[f"target_{side}"] for side in ("height", "width")]
    method = called["method"]
    if isinstance(method, bool) or method not in _METHODS:
        called.refuse("method")
    return {
        "size": tuple(sides), "interpolation": _METHODS[method],
        "antialias": is_set(called["antialias"]), "pad_to_aspect_ratio": True,
    }  # fmt: skip


def cut(sign: str) -> Callable[[Called], Settings]:
    """What gives the settings of an image that loses edges (`cropping`) or gains (`padding`)."""
    return lambda called: {
        f"top_{sign}": called["offset_height"],
        f"left_{sign}": called["offset_width"],
        "target_height": called["target_height"],
        "target_width": called["target_width"],
    }


def fitted(called: Called) -> tuple[str, Settings]:
    """The operation that brings an image to a size, around its middle, and its settings."""
    targets = [called["target_height"], called["target_width"]]
    sides = called.whole("image")[-3:-1]
    if not all(type(length) is int for length in (*sides, *targets)):
        called.refuse("target_height")
    more = [target - length for target, length in zip(targets, sides, strict=True)]
    if min(more) < 0 < max(more):
        message = f"tf.{called.function} cuts one side and pads the other"
        raise FunctionError(message)
    name, ends = ("PadImages", "padding") if max(more) > 0 else ("CropImages", "cropping")
    first = [abs(number) // 2 for number in more]
    return name, {
        f"top_{ends}": first[0], f"left_{ends}": first[1],
        "target_height": targets[0], "target_width": targets[1],
    }  # fmt: skip


def space_to_batch(called: Called) -> Settings:
    """The sides of the blocks, and what is added at the edges before."""
    return {"block_shape": called["block_shape"], "edges": called["paddings"]}


def batch_to_space(called: Called) -> Settings:
    """The sides of the blocks, and what is cut from the edges after."""
    return {"block_shape": called["block_shape"], "edges": called["crops"]}


def central(called: Called) -> Settings:
    """The settings of a crop to the middle: TensorFlow rounds the edges, not what is left."""
    fraction = called["central_fraction"]
    sides = called.whole("image")[-3:-1]
    is_number = isinstance(fraction, int | float) and 0 < fraction <= 1
    if not is_number or not all(type(length) is int for length in sides):
        called.refuse("central_fraction")
    edges = [int((length - length * fraction) / 2) for length in map(int, sides)]  # type: ignore[arg-type]  # numbers
    tops = dict(zip(("top_cropping", "left_cropping"), edges, strict=True))
    left = [length - 2 * edge for length, edge in zip(map(int, sides), edges, strict=True)]  # type: ignore[arg-type]  # numbers
    return {**tops, **dict(zip(("target_height", "target_width"), left, strict=True))}


def patches(called: Called) -> Settings:
    """The settings of a cut into windows."""
    return {
        "size": _spatial(called, "sizes", 2, 1),
        "strides": _spatial(called, "strides", 2, 1),
        "dilation_rate": _spatial(called, "rates", 2, 1),
        **_padding(called),
    }


def quarters(called: Called) -> Settings:
    """The settings of a turn of an image."""
    return {"k": called["k"], "axes": (-3, -2)}


def along(**settings: Any) -> Callable[[Called], Settings]:
    """What gives the same settings for every call."""
    return lambda _: settings


# ------------------------------------------------------------------ movements


def pad(called: Called) -> Settings:
    """What is added before and after every axis, and of which elements."""
    mode, widths = called["mode"], called["paddings"]
    if not isinstance(mode, str) or mode.upper() not in {"CONSTANT", "REFLECT", "SYMMETRIC"}:
        called.refuse("mode")
    if not isinstance(widths, tuple) or not _are_pairs(widths, len(called.whole("tensor"))):
        called.refuse("paddings")
    if not isinstance(called["constant_values"], int | float | None):
        called.refuse("constant_values")
    return {"pad_width": widths, "mode": mode.lower()}


def split(called: Called) -> Settings:
    """The number of equal parts, or the places of the cuts."""
    parts, axis = called["num_or_size_splits"], called["axis"]
    if isinstance(parts, tuple):
        parts = tuple(itertools.accumulate(_sizes(called, parts)[:-1]))
    return {"indices_or_sections": parts, "axis": axis}


def _sizes(called: Called, parts: Sequence[Value]) -> list[int]:
    """The lengths of the parts, one of which may be what is left."""
    left = called.whole("value")[called["axis"]] if -1 in parts else 0
    known = sum(part for part in parts if part != -1)
    return [left - known if part == -1 else part for part in parts]


def taken(called: Called) -> Settings:
    """The axis along which indices count, that of a table by default."""
    if called["batch_dims"] not in {None, 0}:
        called.refuse("batch_dims")
    return {"axis": called["axis"] or 0}


def looked_up(called: Called) -> Settings:
    """The axis of the rows of a table."""
    if called["max_norm"] is not None:
        called.refuse("max_norm")
    return {"axis": 0}


def gathered(called: Called) -> Settings:
    """The axes of the batch that tensor and indices have in common, and that of the indices."""
    batch = called["batch_dims"] or 0
    axis = called["axis"]
    return {"batch_dims": batch, "axis": batch if axis is None else axis}


def hot(called: Called) -> Settings:
    """The number of classes, and the axis of the vectors."""
    axis = called["axis"]
    return {"num_classes": called["depth"], "axis": -1 if axis is None else axis}


def band(called: Called) -> tuple[str, Settings]:
    """The operation for the part of a matrix that is kept, and its settings."""
    lower, upper = called["num_lower"], called["num_upper"]
    if not isinstance(lower, int) or not isinstance(upper, int):
        called.refuse("num_lower")
    if lower < 0:
        return ("Copy", {}) if upper < 0 else ("Tril", {"k": upper})
    if upper < 0:
        return "Triu", {"k": -lower}
    message = f"tf.{called.function} keeps a band of {lower} and {upper} diagonals"
    raise FunctionError(message)


def norm(called: Called) -> Settings:
    """The order of a norm, which TensorFlow calls Euclidean by default."""
    order = called["ord"]
    return {
        "ord": None if order in {None, "euclidean"} else order,
        "axis": called["axis"], "keepdims": is_set(called["keepdims"]),
    }  # fmt: skip


def reduction(called: Called) -> Settings:
    """The axes that are reduced, and whether they stay with a length of 1."""
    return {"axis": called["axis"], "keepdims": is_set(called["keepdims"])}


# ------------------------------------------------------------------ parts of a tensor


def block(called: Called) -> tuple[Value, ...]:
    """The index that takes a block of a tensor."""
    begin, size = called["begin"], called["size"]
    if not isinstance(begin, tuple) or not isinstance(size, tuple) or len(begin) != len(size):
        called.refuse("begin")
    return tuple([_block_axis(called, *axis) for axis in zip(begin, size, strict=True)])


def _block_axis(called: Called, begin: Value, size: Value) -> Span:
    if size == -1:
        return Span(begin, None, None)
    if begin == 0:
        return Span(0, size, None)
    if type(begin) is not int or type(size) is not int:
        called.refuse("size")
    return Span(begin, begin + size, None)


def strided(called: Called) -> tuple[Value, ...]:
    """The index of a slice whose ends and steps are given axis by axis."""
    begin, end, strides = called["begin"], called["end"], called["strides"]
    if not isinstance(begin, tuple) or not isinstance(end, tuple):
        called.refuse("begin")
    steps = strides if isinstance(strides, tuple) else (1,) * len(begin)
    masks = [called[f"{name}_mask"] or 0 for name in ("begin", "end", "shrink_axis")]
    axes = zip(begin, end, steps, strict=True)
    return tuple([_strided_axis(*axis, masks, 1 << place) for place, axis in enumerate(axes)])


def _strided_axis(start: Value, stop: Value, step: Value, masks: Sequence[int], bit: int) -> Value:
    opened, closed, shrunk = [bool(mask & bit) for mask in masks]
    if shrunk:
        return start
    return Span(None if opened else start, None if closed else stop, step)
