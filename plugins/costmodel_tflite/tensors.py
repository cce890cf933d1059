"""Tensors of a TFLite file: element types, shapes with open axes bound, and constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from costmodel.errors import ReadError, ShapeError
from costmodel.formats import parse_format
from costmodel.frontend.evaluation import LARGEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from costmodel.formats import NumericFormat
    from costmodel.frontend.graph import Graph
    from costmodel.frontend.operations.work import Value
    from costmodel_tflite.file import TensorEntry, TfliteFile


@frozen
class ElementType:
    """A type of elements: `number` names the format, `array` the type of NumPy, if it has one."""

    name: str
    bits: int
    number: str | None
    array: str | None = None
    is_trained: bool = True


TYPES: Final[Mapping[int, ElementType]] = {
    0: ElementType("FLOAT32", 32, None, "<f4"),
    1: ElementType("FLOAT16", 16, "float16", "<f2"),
    2: ElementType("INT32", 32, "int32", "<i4", is_trained=False),
    3: ElementType("UINT8", 8, "uint8", "u1", is_trained=False),
    4: ElementType("INT64", 64, "int64", "<i8", is_trained=False),
    5: ElementType("STRING", 0, "uint8", is_trained=False),
    6: ElementType("BOOL", 8, "uint8", "?", is_trained=False),
    7: ElementType("INT16", 16, "int16", "<i2", is_trained=False),
    8: ElementType("COMPLEX64", 64, "float64", "<c8"),
    9: ElementType("INT8", 8, "int8", "i1", is_trained=False),
    10: ElementType("FLOAT64", 64, "float64", "<f8"),
    11: ElementType("COMPLEX128", 128, "float128", "<c16"),
    12: ElementType("UINT64", 64, "uint64", "<u8", is_trained=False),
    13: ElementType("RESOURCE", 0, None, is_trained=False),
    14: ElementType("VARIANT", 0, None, is_trained=False),
    15: ElementType("UINT32", 32, "uint32", "<u4", is_trained=False),
    16: ElementType("UINT16", 16, "uint16", "<u2", is_trained=False),
    17: ElementType("INT4", 4, "int4"),
    18: ElementType("BFLOAT16", 16, "bfloat16"),
    19: ElementType("INT2", 2, "int2"),
    20: ElementType("UINT4", 4, "uint4"),
}
"""By their number in the enumeration `TensorType` of the schema (TensorFlow 2.21).

A complex number has the width of its two parts together. A truth value takes a byte. The length
of a text is data; it counts as one byte. Whole numbers are trained only where they have a scale.
"""


def type_of(entry: TensorEntry, where: str) -> ElementType:
    """The type of the elements of a tensor.

    Raises:
        ReadError: no release of the schema has it.

    """
    found = TYPES.get(entry.type)
    if found is None:
        message = (
            f"{where}: tensor {entry.name!r:.80} has element type {entry.type}; "
            f"known: 0 to {max(TYPES)}"
        )
        raise ReadError(message)
    return found


def format_of(entry: TensorEntry, where: str) -> NumericFormat | None:
    """The format of the elements; None is float32."""
    name = type_of(entry, where).number
    return None if name is None else parse_format(name)


# ------------------------------------------------------------------ shapes


def declared(entry: TensorEntry) -> tuple[int | None, ...]:
    """The lengths that a file states; None for those that are open."""
    lengths = entry.signature or entry.shape
    return tuple([None if length < 0 else length for length in lengths])


def is_stated(entry: TensorEntry) -> bool:
    """Whether an empty shape is that of a scalar, and not of what nobody knows."""
    return bool(entry.shape) or entry.has_rank


def result_shape(entry: TensorEntry) -> tuple[int, ...] | None:
    """The shape of a result as the file alone states it, for one example; None if it does not."""
    lengths = declared(entry)
    if not is_stated(entry) or None in lengths[1:] or min(entry.shape, default=1) < 0:
        return None
    return tuple([1 if length is None else length for length in lengths])


def input_shape(
    entry: TensorEntry, given: Sequence[int | None] | None, where: str
) -> tuple[int, ...]:
    """The shape of an input for one example; `given` are its lengths without the batch, or all.

    Raises:
        ReadError: an axis is open that nobody binds.
        ShapeError: lengths that the file does not allow.

    """
    lengths = declared(entry)
    first = lengths[:1] if lengths[:1] != (None,) else (1,)
    if given is None:
        wanted: tuple[int | None, ...] = (*first, *lengths[1:])
    else:
        wanted = (*first, *given) if len(given) == len(lengths) - 1 else tuple(given)
    fits = len(wanted) == len(lengths) and all(
        length is None or length == own for length, own in zip(lengths, wanted, strict=False)
    )
    shown = ", ".join("?" if length is None else str(length) for length in lengths)
    if not fits:
        message = (
            f"{where}: input {entry.name!r:.80} has the shape ({shown}), the batch first; "
            f"{tuple(wanted)} does not fit it"
        )
        raise ShapeError(message)
    if None in wanted:
        axes = [str(axis) for axis, length in enumerate(wanted) if length is None]
        message = (
            f"{where}: input {entry.name!r:.80} has the shape ({shown}), of which axis "
            f"{' and '.join(axes)} is open; bind it, without the batch: "
            f"read(source, input_shapes={{{entry.name!r:.80}: (...)}}) or --input-shape"
        )
        raise ReadError(message)
    return tuple([length for length in wanted if length is not None])


def check_shape(entry: TensorEntry, value: Value, *, is_resized: bool) -> None:
    """Hold what follows for a result against what the file declares.

    Raises:
        ShapeError: they differ.

    """
    if not is_stated(entry) or (is_resized and not entry.signature):
        return
    lengths = declared(entry)
    agree = len(lengths) == value.rank and all(
        length is None or length == own for length, own in zip(lengths, value.shape, strict=True)
    )
    if not agree:
        shown = ", ".join("?" if length is None else str(length) for length in lengths)
        message = f"its result has the shape {value.shape}; the file declares ({shown})"
        raise ShapeError(message)


# ------------------------------------------------------------------ constants


def constant_of(graph: Graph, file: TfliteFile, entry: TensorEntry) -> Value | None:
    """The constant that a tensor with a buffer is; None where the file has no content for it.

    Raises:
        ReadError: the buffer is shorter than the tensor.

    """
    content = file.data(entry)
    if content is None:
        return None
    kind = type_of(entry, file.where)
    shape = tuple(entry.shape)
    if min(shape, default=0) < 0:
        message = f"{file.where}: constant {entry.name!r:.80} has the shape {shape}"
        raise ReadError(message)
    size = 1
    for length in shape:
        size *= length
    if entry.is_sparse:
        stored = 8 * len(content) // max(kind.bits, 1)
        graph.notes.append(
            f"constant {entry.name!r:.80} is stored sparse: {stored:,} of {size:,} elements; "
            "the work is that of the dense one"
        )
    elif 8 * len(content) < size * kind.bits:
        message = (
            f"{file.where}: constant {entry.name!r:.80} of {size:,} elements of {kind.name} has "
            f"{len(content):,} bytes; the file is cut off or damaged"
        )
        raise ReadError(message)
    is_trained = size > 1 and (kind.is_trained or entry.quantization is not None)
    return graph.constant(
        _shown(entry.name), shape, format_of(entry, file.where), _array(entry, kind, content, size),
        is_parameter=is_trained,
    )  # fmt: skip


def _array(entry: TensorEntry, kind: ElementType, content: Any, size: int) -> Any:
    """The numbers of a small constant; None where they are many, packed or weights with a scale."""
    if entry.is_sparse or kind.array is None or not 0 < size <= LARGEST:
        return None
    import numpy as np  # noqa: PLC0415  # only when a file is read

    held = np.frombuffer(content, kind.array, size).reshape(entry.shape)
    scale = entry.quantization
    if scale is None:
        return held
    return (held.astype("f8") - scale.zero) * scale.scale if size == 1 else None


def _shown(name: str) -> str:
    """The first of the names that a converter joined, which may be none."""
    return name.partition(";")[0] or "constant"
