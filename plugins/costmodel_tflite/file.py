"""What a TFLite file holds, read from its flatbuffer within bounds.

The library that reads flatbuffers trusts the file: nothing is verified, so every length is held
against a budget here and every index against what there is. Weights stay where they are.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import define, field, frozen

from costmodel.errors import ReadError
from costmodel.safe_io import check_regular, opening

if TYPE_CHECKING:
    from pathlib import Path

IDENTIFIER: Final = b"TFL3"
"""Bytes 4 to 8 of a file of version 3 of the schema, the only one in use since 2017."""
SIZE_LIMIT: Final = 2**31
"""Bytes of a file: beyond, a flatbuffer has no offsets."""
MOST_TABLES: Final = 200_000
"""Tensors, operators, buffers and the like of a file; real networks have some thousands."""
MOST_NUMBERS: Final = 4_000_000
"""Numbers in shapes, lists of tensors and options of a file."""
MOST_TEXT: Final = 2**26
"""Bytes of names of a file."""
MOST_AXES: Final = 64
"""Axes of a tensor."""

FAULTS: Final = (
    ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError,
    struct.error,
)  # fmt: skip
"""What the library raises where a file is damaged."""

Table: TypeAlias = Any
"""A table of the flatbuffer, of a class of the package `tflite`."""


@frozen
class Quantization:
    """How the numbers of a tensor stand for real ones: scales, and the axis along which they lie.

    `scale` and `zero` are those of a tensor that has only one.
    """

    scales: int
    axis: int
    scale: float
    zero: int


@frozen(eq=False)
class TensorEntry:
    """A tensor of a subgraph.

    Args:
        name: its name in the file.
        shape: its lengths; the file states 1 for those that are open.
        signature: the same with -1 for open ones, where the file states it.
        type: the number of its element type.
        buffer: the index of its content; 0 has none.
        is_variable: whether it is the state of an operator.
        quantization: its scale, or None.
        is_sparse: whether its buffer holds only some of its elements.
        has_rank: whether an empty shape means a scalar.

    """

    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    type: int
    buffer: int
    is_variable: bool
    quantization: Quantization | None
    is_sparse: bool
    has_rank: bool


@frozen(eq=False)
class OperatorEntry:
    """An operator of a subgraph: `code` is its name in the schema, `custom` that of a custom one.

    Tensors are given by index; -1 stands for an input that is left out. Options have the names of
    the schema.
    """

    code: str
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...]
    options: Mapping[str, Any]
    custom_options: bytes


@frozen(eq=False)
class SubgraphEntry:
    """A function: tensors, and operators in the order in which they run."""

    name: str
    tensors: tuple[TensorEntry, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[OperatorEntry, ...]


@frozen(eq=False)
class Signature:
    """A function that callers know by name: its subgraph, and the names of its inputs by index."""

    name: str
    subgraph: int
    inputs: Mapping[int, str]


@frozen(eq=False)
class TfliteFile:
    """The subgraphs and signatures of a file; buffers are read where they are asked for."""

    where: str
    subgraphs: tuple[SubgraphEntry, ...]
    signatures: tuple[Signature, ...]
    _content: bytes
    _model: Table

    def subgraph(self, index: int) -> SubgraphEntry:
        """A subgraph by its index.

        Raises:
            ReadError: there is no such subgraph.

        """
        if not 0 <= index < len(self.subgraphs):
            message = (
                f"{self.where}: damaged TFLite file: subgraph {index} of {len(self.subgraphs)} is "
                "not there"
            )
            raise ReadError(message)
        return self.subgraphs[index]

    def data(self, tensor: TensorEntry) -> Any:
        """The bytes of a tensor, as an array of `uint8`; None where the file holds none.

        Raises:
            ReadError: the buffer is not within the file.

        """
        if tensor.buffer == 0:
            return None
        try:
            return self._bytes_of(tensor)
        except FAULTS as error:
            raise _damaged(self.where, error) from error

    def _bytes_of(self, tensor: TensorEntry) -> Any:
        import numpy as np  # noqa: PLC0415  # only when a file is read

        if tensor.buffer >= self._model.BuffersLength():
            message = f"tensor {tensor.name!r:.80} has buffer {tensor.buffer}, which is not there"
            raise ValueError(message)
        buffer = self._model.Buffers(tensor.buffer)
        start, size = buffer.Offset(), buffer.Size()
        if start > 1:  # behind the flatbuffer, as files beyond 2 GB have it
            return np.frombuffer(self._content, np.uint8, size, start)
        return None if buffer.DataLength() == 0 else buffer.DataAsNumpy()


def content_of(path: Path) -> bytes:
    """The content of a file.

    Raises:
        ReadError: it cannot be read, or is larger than a flatbuffer can be.

    """
    with opening(path):
        check_regular(path)
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < SIZE_LIMIT:
                return file.read(size)
    message = f"{path}: {size:,} bytes; expected less than {SIZE_LIMIT:,}"
    raise ReadError(message)


def parse(content: bytes, where: str) -> TfliteFile:
    """What a file holds.

    Raises:
        ReadError: it is not a TFLite file, it is damaged, or it asks for too much.

    """
    if content[4:8] != IDENTIFIER:
        found = content[4:8]
        message = f"{where}: not a TFLite file: bytes 4 to 8 are {found!r}; expected {IDENTIFIER!r}"
        raise ReadError(message)
    try:
        return _Parser(where, content).file()
    except FAULTS as error:
        raise _damaged(where, error) from error


def _damaged(where: str, error: Exception) -> ReadError:
    what = " ".join(f"{error}".split()) or type(error).__name__
    message = f"{where}: damaged TFLite file: {what:.200}; convert or copy the model again"
    return ReadError(message)


# ------------------------------------------------------------------ from the flatbuffer


@define
class _Budget:
    """What may still be read."""

    tables: int = MOST_TABLES
    numbers: int = MOST_NUMBERS
    text: int = MOST_TEXT

    def spend(self, kind: str, count: int) -> None:
        left = getattr(self, kind) - count
        if left < 0:
            message = f"it has more {kind} than any network needs"
            raise ValueError(message)
        setattr(self, kind, left)


@define(eq=False)
class _Parser:
    """From the tables of a flatbuffer to plain values."""

    where: str
    content: bytes
    budget: _Budget = field(factory=_Budget)

    def file(self) -> TfliteFile:
        model = _class("Model").GetRootAs(self.content, 0)
        codes = [_operator_name(code) for code in self.tables(model, "OperatorCodes")]
        customs = [self.text(code.CustomCode()) for code in self.tables(model, "OperatorCodes")]
        names = list(zip(codes, customs, strict=True))
        subgraphs = [self.subgraph(one, names) for one in self.tables(model, "Subgraphs")]
        if not subgraphs:
            message = "it has no subgraph"
            raise ValueError(message)
        signatures = [self.signature(one) for one in self.tables(model, "SignatureDefs")]
        return TfliteFile(
            self.where, tuple(subgraphs), tuple(signatures), self.content, model
        )  # fmt: skip

    def subgraph(self, table: Table, names: Sequence[tuple[str, str]]) -> SubgraphEntry:
        tensors = tuple([self.tensor(one) for one in self.tables(table, "Tensors")])
        operators = [self.operator(one, names) for one in self.tables(table, "Operators")]
        made = SubgraphEntry(
            self.text(table.Name()), tensors, self.numbers(table, "Inputs"),
            self.numbers(table, "Outputs"), tuple(operators),
        )  # fmt: skip
        self._check_indices(made)
        return made

    def _check_indices(self, graph: SubgraphEntry) -> None:
        for operator in graph.operators:
            for index in operator.inputs:
                _check_tensor(index, graph, least=-1)
            for index in (*operator.outputs, *operator.intermediates):
                _check_tensor(index, graph, least=-1 if operator.code == "CUSTOM" else 0)
        for index in (*graph.inputs, *graph.outputs):
            _check_tensor(index, graph)

    def tensor(self, table: Table) -> TensorEntry:
        shape, signature = self.numbers(table, "Shape"), self.numbers(table, "ShapeSignature")
        if len(shape) > MOST_AXES or (signature and len(signature) != len(shape)):
            message = f"a tensor of {len(shape)} axes has a signature of {len(signature)}"
            raise ValueError(message)
        sparsity = table.Sparsity()
        return TensorEntry(
            self.text(table.Name()), shape, signature, table.Type(), table.Buffer(),
            bool(table.IsVariable()), self.quantization(table.Quantization()),
            sparsity is not None, bool(table.HasRank()),
        )  # fmt: skip

    def quantization(self, table: Table) -> Quantization | None:
        count = 0 if table is None else table.ScaleLength()
        if count == 0:
            return None
        if 4 * count > len(self.content):
            message = f"a tensor has {count:,} scales"
            raise ValueError(message)
        zero = table.ZeroPoint(0) if table.ZeroPointLength() else 0
        return Quantization(count, table.QuantizedDimension(), table.Scale(0), zero)

    def operator(self, table: Table, names: Sequence[tuple[str, str]]) -> OperatorEntry:
        code, custom = names[table.OpcodeIndex()]
        held = table.CustomOptionsLength()
        self.budget.spend("text", held)
        return OperatorEntry(
            code, custom, self.numbers(table, "Inputs"), self.numbers(table, "Outputs"),
            self.numbers(table, "Intermediates"), self.options(table),
            bytes(table.CustomOptionsAsNumpy()) if held else b"",
        )  # fmt: skip

    def options(self, table: Table) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for union, kind, held in (
            ("BuiltinOptions", table.BuiltinOptionsType(), table.BuiltinOptions()),
            ("BuiltinOptions2", table.BuiltinOptions2Type(), table.BuiltinOptions2()),
        ):
            name = _names(union).get(kind)
            if held is None or name is None or name == "NONE":
                continue
            options = _class(name)()
            options.Init(held.Bytes, held.Pos)
            plain, lists = _fields(name)
            for method, key in plain.items():
                value = getattr(options, method)()
                found[key] = self.text(value) if isinstance(value, bytes) else value
            for method, key in lists.items():
                found[key] = self.numbers(options, method)
        return found

    def signature(self, table: Table) -> Signature:
        inputs = {one.TensorIndex(): self.text(one.Name()) for one in self.tables(table, "Inputs")}
        return Signature(self.text(table.SignatureKey()), table.SubgraphIndex(), inputs)

    def tables(self, table: Table, name: str) -> list[Table]:
        count = getattr(table, f"{name}Length")()
        self.budget.spend("tables", count)
        method = getattr(table, name)
        return [method(place) for place in range(count)]

    def numbers(self, table: Table, name: str) -> tuple[int, ...]:
        count = getattr(table, f"{name}Length")()
        if count == 0:
            return ()
        self.budget.spend("numbers", count)
        array = getattr(table, f"{name}AsNumpy")()
        return tuple(array.tolist())

    def text(self, held: bytes | None) -> str:
        if held is None:
            return ""
        self.budget.spend("text", len(held))
        return held.decode(errors="replace")


def _check_tensor(index: int, graph: SubgraphEntry, least: int = 0) -> None:
    if not least <= index < len(graph.tensors):
        message = f"subgraph {graph.name!r:.80} names tensor {index} of {len(graph.tensors)}"
        raise ValueError(message)


def _operator_name(code: Table) -> str:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    return _names("BuiltinOperator").get(number, f"BUILTIN_{number}")


@functools.cache
def _class(name: str) -> Any:
    """A class of the schema."""
    return getattr(importlib.import_module(f"tflite.{name}"), name)


@functools.cache
def _names(enumeration: str) -> Mapping[int, str]:
    """The names of an enumeration of the schema by number."""
    return {
        number: name
        for name, number in vars(_class(enumeration)).items()
        if isinstance(number, int)
    }


_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@functools.cache
def _fields(name: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The methods of a table of options that give single values, and those that give lists."""
    methods = [
        one for one in vars(_class(name))
        if one[0].isupper() and one != "Init" and not one.startswith("GetRootAs")
        and not one.endswith(("BufferHasIdentifier", "AsNumpy", "IsNone"))
    ]  # fmt: skip
    lists = [one for one in methods if f"{one}AsNumpy" in vars(_class(name))]
    plain = [one for one in methods if one not in lists and one.removesuffix("Length") not in lists]
    return (
        {one: _WORD.sub("_", one).lower() for one in plain},
        {one: _WORD.sub("_", one).lower() for one in lists},
    )
