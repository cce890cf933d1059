"""An exported program as plain values: what a file and a live program have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from attrs import Factory, field, frozen

from costmodel.formats import NumericFormat, parse_format

Length: TypeAlias = int | str
"""The length of an axis: a number, or an expression in symbols such as `2*s0`."""


def _in_a_row(given: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(given)


@frozen
class TensorMeta:
    """A tensor as the program declares it.

    Args:
        sizes: the length of each axis.
        dtype: the name of its type, such as `float32`; empty where it is not known.

    """

    sizes: tuple[Length, ...] = field(converter=_in_a_row)
    dtype: str = "float32"


@frozen
class Ref:
    """A value of the program: a tensor or a number that it computes."""

    name: str


@frozen
class Body:
    """A graph within a graph, which is the argument of a loop or branch."""

    name: str
    graph: ProgramGraph


@frozen
class ProgramNode:
    """A call of an operator.

    Args:
        target: the operator with its overload, such as `aten.conv2d.default`.
        name: its own name, unique within its graph.
        arguments: plain values, `Ref`s, `Body`s and rows of these, by the names of the schema of
            the operator; those without a name by their place, `"0"`, `"1"` and so on.
        results: the names of the values that it gives.
        module: the path of the module that calls it, such as `encoder.layers.0.linear1`; a second
            call of a module has `@1` behind it.

    """

    target: str
    name: str
    arguments: Mapping[str, Any]
    results: tuple[str, ...] = field(converter=_in_a_row)
    module: str = ""


@frozen
class ProgramGraph:
    """Nodes in the order in which they run.

    Args:
        inputs: the names of the values that arrive.
        outputs: `Ref`s, or plain values.
        nodes: the calls.
        tensors: the declared tensors by the names of values.
        numbers: the declared expressions of symbolic numbers by the names of values.

    """

    inputs: tuple[str, ...] = field(converter=_in_a_row)
    outputs: tuple[Any, ...] = field(converter=_in_a_row)
    nodes: Sequence[ProgramNode]
    tensors: Mapping[str, TensorMeta] = Factory(dict)
    numbers: Mapping[str, Length] = Factory(dict)


@frozen
class Held:
    """A tensor that comes with the program.

    Args:
        path: where it lies in the modules, such as `encoder.layers.0.weight`.
        is_parameter: whether it is trained, and not a buffer or constant.
        storage: what is the same for tied parameters.
        data: its array where it is small and not a parameter.

    """

    path: str
    is_parameter: bool
    storage: object = None
    data: Any = None


@frozen
class Program:
    """An exported program.

    Args:
        name: that of the network.
        graph: what runs.
        held: the parameters, buffers and constants by the names of inputs of the graph.
        mutated: the buffers, by the names of inputs, with the values that they have afterwards.

    """

    name: str
    graph: ProgramGraph
    held: Mapping[str, Held]
    mutated: Mapping[str, str] = Factory(dict)


DTYPES: Final[Mapping[str, str | None]] = {
    "float32": None, "float64": "fp64", "float16": "float16", "bfloat16": "bfloat16",
    "float8_e4m3fn": "float8_e4m3", "float8_e4m3fnuz": "float8_e4m3",
    "float8_e5m2": "float8_e5m2", "float8_e5m2fnuz": "float8_e5m2",
    "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64",
    "int8": "int8", "int16": "int16", "int32": "int32", "int64": "int64", "bool": "uint8",
    "complex64": "fp64", "complex128": "float128",
}  # fmt: skip
"""The format of each type; None for float32, which is not declared. A bool takes a byte.

A complex number has the width of its two parts together.
"""


def format_of(dtype: str) -> NumericFormat | None:
    """The format of a type, None for float32 and for types that are not known."""
    name = DTYPES.get(dtype)
    return None if name is None else parse_format(name)
