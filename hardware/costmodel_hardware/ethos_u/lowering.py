"""The operations of an Ethos-U that do the work of an operator, as its compiler divides it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import frozen

from costmodel.workload.composite import Normalization, Softmax
from costmodel.workload.operators import (
    Activation,
    Contraction,
    Elementwise,
    Movement,
    Operator,
    Reduction,
    shape_of,
)
from costmodel.workload.reasons import Unpriced
from costmodel_hardware.ethos_u.operation import BRICK, Area, Kind, Operation

if TYPE_CHECKING:
    from costmodel.workload.operators import Operand

Lowered: TypeAlias = tuple[Operation, ...] | Unpriced
"""The operations, one after the other, or why the NPU has none."""

_ON_THE_CPU: Final = "the Ethos-U55 and U65 leave it to the CPU, whose time is not modelled"
_CLAMPS: Final = frozenset({"relu", "relu6", "relu_6", "clip", "hard_tanh", "relu1"})
"""Activations that the output unit does by limits; all others need a table."""
_NOTHING: Final = frozenset({"linear", "identity", "none", ""})
_FUNCTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "add": ("add",), "subtract": ("add",), "average": ("add",), "multiply": ("multiply",),
    "affine": ("multiply", "add"), "normalize": ("multiply", "add"),
    "maximum": ("other",), "minimum": ("other",),
}  # fmt: skip
"""Elementwise functions that the NPU knows, and its operations for them."""
_WIDE: Final = 32
_NEWTON_STEPS: Final = 3
"""Steps of the reciprocal of a softmax."""
_CONSTANT_BYTES: Final = 8
"""Bytes that are read for each element of a constant of 32 bits that is not in bricks."""


def activation_of(function: str) -> str:
    """What the output unit does for an activation: limits, a table, or nothing."""
    if function in _NOTHING:
        return ""
    return "relu" if function in _CLAMPS else "table"


def operations_of(operator: Operator, bits: tuple[int, int]) -> Lowered:
    """The operations for an operator; `bits` are those of its inputs and of its outputs.

    Softmax and layer normalization become the operations that Vela makes of them; a product of
    two feature maps becomes products of elements and their sums.
    """
    rule = _RULES.get(type(operator))
    if rule is None:
        return Unpriced(f"{type(operator).__name__.lower()}: {_ON_THE_CPU}")
    found = rule(operator, bits)
    if isinstance(found, Unpriced):
        return found
    return tuple([one for one in found if one.output.size and one.input.size])


def area_of(operand: Operand) -> Area:
    """Height, width and channels of a tensor without its batch; leading axes join the height."""
    shape = [size for size in shape_of(operand) if size != 1] or [1]
    *rows, depth = shape
    if not rows:
        return Area(1, 1, depth)
    *high, width = rows
    return Area(math.prod(high), width, depth)


def square(rows: int) -> tuple[int, int]:
    """Height and width of so many rows, as near to a square as they divide."""
    height = next(size for size in range(math.isqrt(rows), 0, -1) if rows % size == 0)
    return height, rows // height


# ------------------------------------------------------------------ contractions


@frozen
class _Window:
    """An axis along which a kernel slides: output and kernel dimension, stride and dilation."""

    place: str
    tap: str
    stride: int
    dilation: int


def _contraction(operator: Any, bits: tuple[int, int]) -> Lowered:
    first, second, *_ = [one for one in operator.operands if one.role != "output"]
    (made,) = operator.outputs
    if first.role == "weight" and second.role == "input":
        first, second = second, first
    if second.role != "weight":
        return _product(operator, first, second, made, bits)
    sizes = operator.dims
    shared = set(first.dims) & set(second.dims) & set(made.dims)
    scattered = _windows(made, set(first.dims) - shared, set(second.dims) - shared)
    slid = _windows(first, set(made.dims) - shared, set(second.dims) - shared)
    taps = {one.tap for one in (*slid, *scattered)}
    groups = math.prod([sizes[name] for name in shared - taps])
    read = _product_of(sizes, set(first.dims) & set(second.dims) - set(made.dims) - taps)
    written = _product_of(sizes, set(second.dims) & set(made.dims) - set(first.dims) - taps)
    if not (slid or scattered):
        rows = _product_of(sizes, set(first.dims) & set(made.dims) - set(second.dims))
        height, width = square(rows)
        dense = Operation(
            Kind.FULLY_CONNECTED, Area(height, width, written), Area(height, width, read),
            input_bits=bits[0], output_bits=bits[1], repeats=groups,
        )  # fmt: skip
        return (dense,)
    windows = slid or scattered
    planes = _planes(first, made, windows)
    taps_of = [_dilated(sizes[one.tap], one.dilation if slid else 1) for one in windows]
    kernel = _pair([size for size, _ in taps_of])
    dilation = _pair([step for _, step in taps_of])
    stride = (1, 1) if scattered else _pair([one.stride for one in windows])
    places = {one.place for one in windows[-2:]}
    others = set(first.dims) & set(made.dims) - set(second.dims) - places
    extra = _product_of(sizes, others) * math.prod([sizes[one.tap] for one in windows[:-2]])
    is_depthwise = groups > 1 and read == 1
    depth = (groups * written, groups) if is_depthwise else (written, read)
    one = Operation(
        Kind.DEPTHWISE if is_depthwise else Kind.CONVOLUTION,
        Area(*planes[1], depth[0]), Area(*planes[0], depth[1]),
        kernel=kernel, stride=stride, dilation=dilation, input_bits=bits[0], output_bits=bits[1],
        repeats=extra * (1 if is_depthwise else groups),
        fuses=not scattered,
    )  # fmt: skip
    return (one,)


def _windows(operand: Operand, places: set[str], taps: set[str]) -> list[_Window]:
    """The axes of an operand whose index adds a dimension of `places` and one of `taps`."""
    found = []
    for index in operand.index:
        terms = () if index is None else index.terms
        place = [(name, factor) for name, factor in terms if name in places]
        tap = [(name, factor) for name, factor in terms if name in taps]
        if len(place) == 1 and len(tap) == 1:
            found.append(_Window(place[0][0], tap[0][0], place[0][1], tap[0][1]))
    return found


def _dilated(size: int, dilation: int) -> tuple[int, int]:
    """Size and dilation of a kernel axis as the NPU takes it: it skips one element at the most.

    Wider gaps are filled with weights of zero.
    """
    step = 2 if dilation % 2 == 0 else 1
    return (size - 1) * (dilation // step) + 1, step


def _planes(
    first: Operand, made: Operand, windows: Sequence[_Window]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Height and width of the input and of the output; of one dimension it is the width."""
    found = []
    for operand in (first, made):
        sizes = [
            next(
                size
                for size, index in zip(shape_of(operand), operand.index, strict=True)
                if index is not None and one.place in index.dims
            )
            for one in windows
        ]
        found.append(_pair(sizes))
    return found[0], found[1]


def _pair(sizes: Sequence[int]) -> tuple[int, int]:
    *_, height, width = (1, *sizes)
    return height, width


def _product(
    operator: Contraction, first: Operand, second: Operand, made: Operand, bits: tuple[int, int]
) -> Lowered:
    """A product of two feature maps."""
    sizes = operator.dims
    read = _product_of(sizes, (set(first.dims) & set(second.dims)) - set(made.dims))
    columns = _product_of(sizes, set(second.dims) & set(made.dims))
    return product_of_maps(made.size, columns, read, bits)


def product_of_maps(
    made: int, columns: int, read: int, bits: tuple[int, int]
) -> tuple[Operation, ...]:
    """Products of elements and their sums, for so many results of `read` products each.

    Vela does so for one of the `columns` of the second factor after the other. It counts a byte
    for each product on the way between the two.
    """
    height, width = square(made)
    factors = Area(height, width, read)
    filled = Area(made * read // BRICK, 1, BRICK) if made * read % BRICK == 0 else factors
    products = Operation(Kind.ELEMENTWISE, filled, filled, input_bits=bits[0], function="product")
    sums = Operation(
        Kind.REDUCE_SUM, Area(height, width, 1), factors, output_bits=bits[1], starts=columns,
        is_far=True,
    )  # fmt: skip
    return (products, sums)


def _product_of(sizes: Mapping[str, int], names: set[str]) -> int:
    return math.prod([sizes[name] for name in names])


# ------------------------------------------------------------------ reductions


def _reduction(operator: Any, bits: tuple[int, int]) -> Lowered:
    (read,), (made,) = operator.inputs, operator.outputs
    if operator.function in {"min", "product"}:
        return Unpriced(f"reduction {operator.function!r}: {_ON_THE_CPU}")
    sizes = operator.dims
    windows = _windows(read, set(made.dims), set(operator.reduction_dims))
    if windows:
        return _pooling(operator, read, made, windows, bits)
    reduced = [
        sizes[index.dims[0]]
        for index in read.index
        if index is not None and len(index.dims) == 1 and index.dims[0] not in made.dims
    ]
    is_kept = [index is None or set(index.dims) <= set(made.dims) for index in read.index]
    kept_sizes = [size for size, kept in zip(shape_of(read), is_kept, strict=True) if kept]
    is_of_plane = len(reduced) > 1 or is_kept[-1]
    depth = kept_sizes[-1] if is_of_plane and kept_sizes else 1
    kept = made.size // max(depth, 1)
    kernel = _pair([math.prod(reduced[:-1]), reduced[-1]] if reduced else [1, 1])
    return _collected(operator.function, kept, kernel, depth, bits)


def _collected(
    function: str, rows: int, kernel: tuple[int, int], depth: int, bits: tuple[int, int]
) -> tuple[Operation, ...]:
    """One element of all under a kernel, for each of so many rows and each channel."""
    read, made = Area(rows * kernel[0], kernel[1], depth), Area(rows, 1, depth)
    of_maximum = function == "max"
    one = Operation(
        Kind.POOLING if of_maximum else Kind.DEPTHWISE, made, read, kernel=kernel,
        input_bits=bits[0], output_bits=bits[1] if of_maximum else _WIDE,
        function="maximum" if of_maximum else "",
    )  # fmt: skip
    if of_maximum:
        return (one,)
    return (one, _elementwise_of(made, "multiply", (_WIDE, bits[1]), is_scalar=True))


def _pooling(
    operator: Reduction,
    read: Operand,
    made: Operand,
    windows: Sequence[_Window],
    bits: tuple[int, int],
) -> Lowered:
    sizes = operator.dims
    planes = _planes(read, made, windows)
    places = {one.place for one in windows[-2:]}
    plain = [name for name in made.dims if name not in {one.place for one in windows}]
    channels = plain[-1:]
    extra = _product_of(sizes, set(made.dims) - places - set(channels))
    depth = _product_of(sizes, set(channels))
    one = Operation(
        Kind.POOLING, Area(*planes[1], depth), Area(*planes[0], depth),
        kernel=_pair([sizes[one.tap] for one in windows]),
        stride=_pair([one.stride for one in windows]),
        dilation=_pair([one.dilation for one in windows]),
        input_bits=bits[0], output_bits=bits[1],
        function="maximum" if operator.function == "max" else "",
        repeats=max(extra, 1) * math.prod([sizes[one.tap] for one in windows[:-2]]),
    )  # fmt: skip
    return (one,)


# ------------------------------------------------------------------ elements


def _elementwise(operator: Any, bits: tuple[int, int]) -> Lowered:
    steps = _FUNCTIONS.get(operator.function)
    if steps is None:
        return Unpriced(f"elementwise {operator.function!r}: {_ON_THE_CPU}")
    made = area_of(operator.outputs[0])
    read = [one for one in operator.operands if one.role != "output"]
    is_scalar = any(one.size == 1 for one in read)
    if len(steps) == 1:
        steps = steps * max(len(read) - 1, 1)
    return tuple([_elementwise_of(made, one, bits, is_scalar=is_scalar) for one in steps])


def _elementwise_of(
    made: Area, function: str, bits: tuple[int, int], *, is_scalar: bool = False, **more: Any
) -> Operation:
    second = Area(1, 1, 1) if is_scalar else made
    return Operation(
        Kind.ELEMENTWISE, made, made, second, input_bits=bits[0], output_bits=bits[1],
        function=function, **more,
    )  # fmt: skip


def _activation(operator: Any, bits: tuple[int, int]) -> Lowered:
    made = area_of(operator.outputs[0])
    one = Operation(
        Kind.POOLING, made, made, input_bits=bits[0], output_bits=bits[1],
        activation=activation_of(operator.function),
    )  # fmt: skip
    return (one,)


def _movement(operator: Any, bits: tuple[int, int]) -> Lowered:
    found = []
    for one in operator.outputs:
        area = area_of(one)
        found.append(Operation(Kind.COPY, area, area, input_bits=bits[0], output_bits=bits[1]))
    return tuple(found)


def copied(elements: int, bits: int) -> Operation:
    """A copy of so many elements through the array, as of a part of a concatenation."""
    depth = BRICK if elements % BRICK == 0 else 1
    area = Area(1, elements // depth, depth)
    return Operation(Kind.POOLING, area, area, input_bits=bits, output_bits=bits)


# ------------------------------------------------------------------ softmax, normalization


def _softmax(operator: Any, bits: tuple[int, int]) -> Lowered:
    """Maximum, difference with a table of exponentials, sum, reciprocal by Newton, product.

    As Vela divides an 8-bit softmax: 29 operations, of which those of the reciprocal have one
    element for each row.
    """
    sizes = operator.dims
    depth = _product_of(sizes, set(operator.over))
    rows = operator.elements // max(depth, 1)
    height, width = square(rows)
    whole, row = Area(height, width, depth), Area(height, width, 1)
    wide = (_WIDE, _WIDE)
    (least,) = _collected("max", rows, (1, depth), 1, bits)
    exponentials = _elementwise_of(whole, "add", (bits[0], _WIDE), activation="table")
    shifted = _elementwise_of(whole, "other", wide, is_scalar=True)
    sums = Operation(Kind.REDUCE_SUM, row, whole, input_bits=_WIDE, output_bits=_WIDE)
    flat = Area(1, *square(rows))
    leading = Operation(
        Kind.ELEMENTWISE, flat, flat, input_bits=_WIDE, output_bits=_WIDE, function="unary"
    )
    on_rows = _elementwise_of(flat, "other", wide)
    on_rows_and_scalar = _elementwise_of(flat, "other", wide, is_scalar=True)
    step = (on_rows, on_rows_and_scalar, on_rows, on_rows, on_rows)
    scaled = _elementwise_of(whole, "multiply", wide)
    rounded = _elementwise_of(whole, "add", wide, constant_bytes=_CONSTANT_BYTES * whole.size)
    last = _elementwise_of(whole, "other", (_WIDE, bits[1]), is_scalar=rows == 1)
    return (
        least, exponentials, shifted, sums, leading, *[on_rows_and_scalar] * 4, on_rows,
        *step * _NEWTON_STEPS, scaled, rounded, last,
    )  # fmt: skip


def _normalization(operator: Any, bits: tuple[int, int]) -> Lowered:
    """Means, squared differences in 32 bits, a table for the root, and the scaling."""
    sizes = operator.dims
    depth = _product_of(sizes, set(operator.over))
    rows = operator.elements // max(depth, 1)
    height, width = square(rows)
    whole, row = Area(height, width, depth), Area(height, width, 1)
    wide = (_WIDE, _WIDE)
    mean = _collected("mean", rows, (1, depth), 1, bits)

    def widened(area: Area) -> Operation:
        return Operation(Kind.POOLING, area, area, input_bits=bits[0], output_bits=_WIDE)

    difference = (
        widened(row), _elementwise_of(row, "other", wide, is_scalar=True),
        widened(whole), _elementwise_of(whole, "other", wide, is_scalar=True),
        _elementwise_of(whole, "other", wide), _elementwise_of(whole, "other", wide),
        _elementwise_of(whole, "other", wide, constant_bytes=whole.size * _WIDE // 8),
        _elementwise_of(whole, "other", (_WIDE, bits[1]), is_scalar=True),
    )  # fmt: skip
    root = _elementwise_of(row, "add", bits, is_scalar=True, activation="table")
    scaling = [_elementwise_of(whole, "multiply", bits) for _ in range(1 + bool(operator.weights))]
    shifting = [_elementwise_of(whole, "add", bits) for _ in range(1 + operator.is_centred)]
    return (*(mean * operator.is_centred), *difference, *mean, root, *scaling, *shifting)


_RULES: Final[Mapping[type[Operator], Callable[[Any, tuple[int, int]], Lowered]]] = {
    Contraction: _contraction, Reduction: _reduction, Elementwise: _elementwise,
    Activation: _activation, Movement: _movement, Softmax: _softmax,
    Normalization: _normalization,
}  # fmt: skip
PRICED: Final = tuple(_RULES)
"""The operators that the NPU computes."""
