"""TFLite files that tests make, by the schema's own builder."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from attrs import define, field

TYPES = {
    "float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7,
    "int8": 9, "resource": 13, "int4": 17,
}  # fmt: skip


@define(eq=False)
class Made:
    """A tensor of a file in the making."""

    shape: tuple[int, ...]
    type: str = "float32"
    data: bytes = b""
    scales: int = 0
    axis: int = 0
    signature: tuple[int, ...] = ()
    is_variable: bool = False
    is_sparse: bool = False
    name: str = ""
    index: int = -1


@define(eq=False)
class Step:
    """An operator of a file in the making."""

    code: str
    reads: list[Made | None]
    writes: list[Made]
    options: Mapping[str, Any]
    table: str
    custom_options: bytes


@define(eq=False)
class Function:
    """A subgraph in the making."""

    tensors: list[Made] = field(factory=list)
    inputs: list[Made] = field(factory=list)
    outputs: list[Made] = field(factory=list)
    steps: list[Step] = field(factory=list)

    def tensor(self, shape: Sequence[int], kind: str = "float32", **settings: Any) -> Made:
        made = Made(tuple(shape), kind, **settings)
        made.index = len(self.tensors)
        made.name = made.name or f"t{made.index}"
        self.tensors.append(made)
        return made

    def input(self, shape: Sequence[int], kind: str = "float32", **settings: Any) -> Made:
        made = self.tensor(shape, kind, **settings)
        self.inputs.append(made)
        return made

    def weights(self, *shape: int, kind: str = "float32", **settings: Any) -> Made:
        size = int(np.prod(shape))
        bits = {"int4": 4, "float16": 16, "int8": 8, "uint8": 8, "int32": 32, "int16": 16}
        content = bytes(
            np.resize(np.arange(1, 100, dtype=np.uint8), size * bits.get(kind, 32) // 8)
        )
        return self.tensor(shape, kind, data=content, **settings)

    def numbers(self, values: Any, kind: str = "int32") -> Made:
        array = np.asarray(values, kind)
        return self.tensor(array.shape, kind, data=array.tobytes())

    def add(  # noqa: PLR0917  # what an operator has
        self, code: str, reads: Sequence[Made | None], shapes: Sequence[Sequence[int]],
        options: Mapping[str, Any] | None = None, table: str = "", kind: str = "float32",
        custom_options: bytes = b"",
    ) -> list[Made]:  # fmt: skip
        writes = [self.tensor(shape, kind) for shape in shapes]
        self.steps.append(Step(code, list(reads), writes, options or {}, table, custom_options))
        return writes


def written(*functions: Function, signatures: Mapping[str, int] | None = None) -> bytes:
    """The bytes of a file with these subgraphs."""
    return _Writer().file(functions, signatures or {})


@define(eq=False)
class _Writer:
    builder: Any = field(factory=lambda: flatbuffers.Builder(1024))
    buffers: list[bytes] = field(factory=lambda: [b""])
    codes: list[str] = field(factory=list)

    def file(self, functions: Sequence[Function], signatures: Mapping[str, int]) -> bytes:
        graphs = [self.subgraph(one) for one in functions]
        codes = [self.code(one) for one in self.codes]
        buffers = [self.buffer(one) for one in self.buffers]
        named = [self.signature(*one) for one in signatures.items()]
        model = self.table(
            "Model", Version=3, OperatorCodes=self.offsets(codes), Subgraphs=self.offsets(graphs),
            Buffers=self.offsets(buffers),
            **({"SignatureDefs": self.offsets(named)} if named else {}),
        )  # fmt: skip
        self.builder.Finish(model, b"TFL3")
        return bytes(self.builder.Output())

    def signature(self, name: str, subgraph: int) -> int:
        key = self.builder.CreateString(name)
        return self.table("SignatureDef", SignatureKey=key, SubgraphIndex=subgraph)

    def subgraph(self, one: Function) -> int:
        tensors = [self.tensor(tensor) for tensor in one.tensors]
        steps = [self.step(step) for step in one.steps]
        return self.table(
            "SubGraph", Tensors=self.offsets(tensors), Operators=self.offsets(steps),
            Inputs=self.ints([tensor.index for tensor in one.inputs]),
            Outputs=self.ints([tensor.index for tensor in one.outputs]),
        )  # fmt: skip

    def tensor(self, one: Made) -> int:
        place = 0
        if one.data:
            place = len(self.buffers)
            self.buffers.append(one.data)
        fields: dict[str, Any] = {
            "Name": self.builder.CreateString(one.name), "Shape": self.ints(one.shape),
        }  # fmt: skip
        if one.signature:
            fields["ShapeSignature"] = self.ints(one.signature)
        if one.scales:
            scale = self.builder.CreateNumpyVector(np.full(one.scales, 0.5, np.float32))
            zeros = self.builder.CreateNumpyVector(np.zeros(one.scales, np.int64))
            fields["Quantization"] = self.table(
                "QuantizationParameters", Scale=scale, ZeroPoint=zeros,
                QuantizedDimension=one.axis,
            )  # fmt: skip
        if one.is_sparse:
            order = self.ints(range(len(one.shape)))
            fields["Sparsity"] = self.table("SparsityParameters", TraversalOrder=order)
        return self.table(
            "Tensor", Type=TYPES[one.type], Buffer=place, IsVariable=one.is_variable, HasRank=True,
            **fields,
        )  # fmt: skip

    def step(self, one: Step) -> int:
        if one.code not in self.codes:
            self.codes.append(one.code)
        fields: dict[str, Any] = {
            "Inputs": self.ints([-1 if made is None else made.index for made in one.reads]),
            "Outputs": self.ints([made.index for made in one.writes]),
        }
        if one.custom_options:
            content = np.frombuffer(one.custom_options, np.uint8)
            fields["CustomOptions"] = self.builder.CreateNumpyVector(content)
        if one.table:
            held = {name: self.plain(value) for name, value in one.options.items()}
            union = "BuiltinOptions"
            if one.table in vars(_schema("BuiltinOptions2").BuiltinOptions2):
                union = "BuiltinOptions2"
            number = getattr(getattr(_schema(union), union), one.table)
            fields |= {f"{union}Type": number, union: self.table(one.table, **held)}
        return self.table("Operator", OpcodeIndex=self.codes.index(one.code), **fields)

    def plain(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.builder.CreateString(value)
        if isinstance(value, list | tuple):
            kind = np.int64 if isinstance(value, tuple) else np.int32
            return self.builder.CreateNumpyVector(np.asarray(value, kind))
        return value

    def code(self, name: str) -> int:
        if name.startswith("CUSTOM:"):
            text = self.builder.CreateString(name.removeprefix("CUSTOM:"))
            return self.table(
                "OperatorCode", BuiltinCode=32, DeprecatedBuiltinCode=32, CustomCode=text
            )
        number = getattr(_schema("BuiltinOperator").BuiltinOperator, name)
        return self.table(
            "OperatorCode", BuiltinCode=number, DeprecatedBuiltinCode=min(number, 127)
        )

    def buffer(self, content: bytes) -> int:
        if not content:
            return self.table("Buffer")
        return self.table(
            "Buffer", Data=self.builder.CreateNumpyVector(np.frombuffer(content, np.uint8))
        )

    def ints(self, values: Sequence[int] | range) -> Any:
        return self.builder.CreateNumpyVector(np.asarray(list(values), np.int32))

    def offsets(self, made: Sequence[int]) -> Any:
        self.builder.StartVector(4, len(made), 4)
        for one in reversed(made):
            self.builder.PrependUOffsetTRelative(one)
        return self.builder.EndVector()

    def table(self, name: str, **fields: Any) -> Any:
        module = _schema(name)
        getattr(module, f"{name}Start")(self.builder)
        for key, value in fields.items():
            getattr(module, f"{name}Add{key}")(self.builder, value)
        return getattr(module, f"{name}End")(self.builder)


def _schema(name: str) -> Any:
    return importlib.import_module(f"tflite.{name}")
