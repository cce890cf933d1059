"""Tensors of ONNX files: their formats, and the data of those that are small.

Weights stay bytes: an array is made of small constants only, from which shapes and settings
follow. Data that a file keeps elsewhere are never opened; their size follows from the shape.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import ReadError, ShapeError
from costmodel.formats import FloatingPoint, NumericFormat, PowerOfTwo, parse_format
from costmodel.frontend.evaluation import LARGEST
from costmodel.frontend.operations.work import Value

if TYPE_CHECKING:
    from costmodel.frontend.graph import Graph

_NAMES: Final[Mapping[str, str]] = {
    "UINT2": "uint2", "INT2": "int2", "UINT4": "uint4", "INT4": "int4", "UINT8": "uint8",
    "INT8": "int8", "UINT16": "uint16", "INT16": "int16", "UINT32": "uint32", "INT32": "int32",
    "UINT64": "uint64", "INT64": "int64", "BOOL": "uint8", "FLOAT16": "float16",
    "BFLOAT16": "bfloat16", "DOUBLE": "float64", "FLOAT8E4M3FN": "float8_e4m3",
    "FLOAT8E4M3FNUZ": "float8_e4m3", "FLOAT8E5M2": "float8_e5m2",
    "FLOAT8E5M2FNUZ": "float8_e5m2", "FLOAT4E2M1": "float4_e2m1", "FLOAT6E2M3": "float6_e2m3",
    "FLOAT6E3M2": "float6_e3m2",
}  # fmt: skip
FORMATS: Final[Mapping[str, NumericFormat | None]] = {
    "UNDEFINED": None,
    "STRING": None,
    "FLOAT": None,
    **{name: parse_format(text) for name, text in _NAMES.items()},
    "FLOAT8E8M0": PowerOfTwo(8, signed=False),
    "COMPLEX64": FloatingPoint(64),
    "COMPLEX128": FloatingPoint(128),
}
"""The format of each element type, None for float32: a truth value takes a byte in runtimes."""
TRAINED: Final = frozenset(FORMATS) - {
    "UNDEFINED", "STRING", "BOOL", "INT32", "INT64", "UINT32", "UINT64",
}  # fmt: skip
"""The types of which constants of several elements are trained, unless a rule knows better."""
_MOST_DIMS: Final = 2**48
"""Elements of one tensor: more bytes than any file has, whose data may lie elsewhere."""
_TYPED: Final[Mapping[str, str]] = {
    "FLOAT": "float_data", "COMPLEX64": "float_data", "DOUBLE": "double_data",
    "COMPLEX128": "double_data", "INT64": "int64_data", "UINT32": "uint64_data",
    "UINT64": "uint64_data", "STRING": "string_data",
}  # fmt: skip
"""The field that holds the elements of a type, where that is not `int32_data`."""
_PACKED: Final[Mapping[str, int]] = {
    "UINT4": 2, "INT4": 2, "FLOAT4E2M1": 2, "UINT2": 4, "INT2": 4,
}  # fmt: skip
"""Elements in a byte."""
_BYTES: Final[Mapping[str, int]] = {
    "FLOAT": 4, "COMPLEX64": 8, "COMPLEX128": 16, "FLOAT8E8M0": 1, "FLOAT6E2M3": 1, "FLOAT6E3M2": 1,
}  # fmt: skip


def type_name(number: int) -> str:
    """The name of an element type.

    Raises:
        ReadError: there is none of this number.

    """
    import onnx  # noqa: PLC0415  # only when a file is read

    try:
        return str(onnx.TensorProto.DataType.Name(number))
    except ValueError:
        message = f"element type {number} is not known; expected one of onnx.TensorProto.DataType"
        raise ReadError(message) from None


def number_of(number: int) -> NumericFormat | None:
    """The numeric format of an element type by its number; None for float32.

    Raises:
        ReadError: a type that nobody knows.

    """
    return FORMATS.get(type_name(number))


def constant_of(graph: Graph, name: str, tensor: Any) -> Value:
    """The constant that a tensor of a file is.

    Raises:
        ReadError: its data do not fit its shape, or its type is not known.

    """
    shape = dims_of(tensor.dims, name)
    kind = type_name(tensor.data_type)
    count = math.prod(shape)
    is_stored = not _is_elsewhere(tensor)
    if is_stored:
        _check_length(tensor, kind, count, name)
    data = None
    if count <= LARGEST and is_stored and kind != "STRING":
        data = _array(tensor, name)
    number = FORMATS.get(kind)
    if count == 0:
        return Value(name, shape, number, data, is_constant=True)
    return graph.constant(name, shape, number, data, is_parameter=kind in TRAINED and count > 1)


def sparse_constant_of(graph: Graph, name: str, tensor: Any) -> Value:
    """The constant that a sparse tensor is: its shape is the whole one; zeros are in it."""
    shape = dims_of(tensor.dims, name)
    kind = type_name(tensor.values.data_type)
    stored = math.prod(dims_of(tensor.values.dims, name))
    graph.notes.append(
        f"constant {name!r:.80} is sparse: {stored:,} of {math.prod(shape):,} elements are stored; "
        "all are counted"
    )
    return graph.constant(name, shape, FORMATS.get(kind), is_parameter=kind in TRAINED)


def dims_of(dims: Any, name: str) -> tuple[int, ...]:
    """The shape of a tensor.

    Raises:
        ShapeError: a length is negative, or there are more elements than a file can hold.

    """
    shape = tuple([int(length) for length in dims])
    if any(length < 0 for length in shape) or math.prod(shape) > _MOST_DIMS:
        message = f"constant {name!r:.80} has shape {shape!r:.80}; expected what a file can hold"
        raise ShapeError(message)
    return shape


def _is_elsewhere(tensor: Any) -> bool:
    return bool(tensor.data_location == type(tensor).EXTERNAL)


def _check_length(tensor: Any, kind: str, count: int, name: str) -> None:
    """Refuse a tensor that states more elements than the file holds."""
    if tensor.HasField("raw_data"):
        per_byte = _PACKED.get(kind)
        number = FORMATS.get(kind)
        size = _BYTES.get(kind) or (1 if number is None else max(number.bits // 8, 1))
        expected = -(-count // per_byte) if per_byte else count * size
        found, what = len(tensor.raw_data), "bytes"
    else:
        field = _TYPED.get(kind, "int32_data")
        per_byte = _PACKED.get(kind)
        expected = -(-count // per_byte) if per_byte else count
        expected *= 2 if kind.startswith("COMPLEX") else 1
        found, what = len(getattr(tensor, field)), "numbers"
    if found != expected:
        message = (
            f"constant {name!r:.80} of {tuple(tensor.dims)!r:.80} has {found:,} {what}; expected "
            f"{expected:,}: the file is damaged"
        )
        raise ReadError(message)


def _array(tensor: Any, name: str) -> Any:
    import onnx  # noqa: PLC0415  # only when a file is read

    try:
        return onnx.numpy_helper.to_array(tensor)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        message = f"constant {name!r:.80} of {tuple(tensor.dims)!r:.80}: {error}"
        raise ReadError(message) from None
