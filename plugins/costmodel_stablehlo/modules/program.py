"""The functions of a module, their regions and operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from costmodel.errors import ReadError
from costmodel.formats import NumericFormat, parse_format

LARGEST_SIZE: Final = 2**48
"""Elements of a tensor."""
_FORMATS: Final[Mapping[str, str]] = {
    "f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16", "tf32": "float32",
    "f8E5M2": "float8_e5m2", "f8E5M2FNUZ": "float8_e5m2", "f8E4M3": "float8_e4m3",
    "f8E4M3FN": "float8_e4m3", "f8E4M3FNUZ": "float8_e4m3", "f8E4M3B11FNUZ": "float8_e4m3",
    "f8E3M4": "float8_e4m3", "f8E8M0FNU": "uint8", "f6E2M3FN": "float6_e2m3",
    "f6E3M2FN": "float6_e3m2", "f4E2M1FN": "float4_e2m1", "index": "int64", "i1": "uint1",
    "complex<f32>": "float64", "complex<f64>": "float128",
}  # fmt: skip
"""The formats of elements; a complex number has as many bits as two real ones."""


@frozen
class ElementType:
    """A tensor type: lengths of axes, None where one is open, and the type of the elements.

    `shape` is None where there are no axes to know, such as of a token.
    """

    shape: tuple[int | None, ...] | None
    element: str
    is_quantized: bool = False

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> ElementType:
        """The type that the parser tells.

        Raises:
            ReadError: it has too many elements.

        """
        shape = told["shape"]
        size = 1
        for length in shape or ():
            size *= 1 if length is None else length
        if size > LARGEST_SIZE:
            message = f"a tensor of shape {tuple(shape)} has more than {LARGEST_SIZE:,} elements"
            raise ReadError(message)
        return cls(
            None if shape is None else tuple(shape), told["element"],
            bool(told.get("is_quantized", False)),
        )  # fmt: skip

    @property
    def is_float(self) -> bool:
        """Whether elements are floating-point or complex numbers."""
        return not self.is_quantized and self.element[:1] in {"f", "b", "c", "t"}

    @property
    def number(self) -> NumericFormat:
        """The format of the elements.

        Raises:
            ReadError: there is none.

        """
        text = _FORMATS.get(self.element)
        if text is None and self.is_quantized:
            text = self.element
        if text is None and self.element.lstrip("usi").isdecimal():
            sign = "uint" if self.element.startswith("u") else "int"
            text = sign + self.element.lstrip("usi")
        if text is None:
            message = f"elements of type {self.element!r:.60} have no numeric format"
            raise ReadError(message)
        return parse_format(text)


@frozen(eq=False)
class Operation:
    """An operation: values are numbers, which are unique in the module."""

    name: str
    where: str
    operands: Sequence[int]
    results: Sequence[int]
    types: Sequence[ElementType]
    attributes: Mapping[str, Any]
    regions: Sequence[Region]


@frozen(eq=False)
class Region:
    """Operations in order, the last of which returns; the arguments are values."""

    arguments: Sequence[int]
    types: Sequence[ElementType]
    operations: Sequence[Operation]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Region:
        """The region that the parser tells."""
        return cls(
            told["arguments"],
            [ElementType.of(one) for one in told["types"]],
            [_operation(one) for one in told["operations"]],
        )


def _operation(told: Mapping[str, Any]) -> Operation:
    return Operation(
        told["name"], told["where"], told["operands"], told["results"],
        [ElementType.of(one) for one in told["types"]], told["attributes"],
        [Region.of(one) for one in told.get("regions", ())],
    )  # fmt: skip


@frozen(eq=False)
class Function:
    """A function: the names and attributes of its arguments, and its body."""

    name: str
    names: Sequence[str]
    attributes: Sequence[Mapping[str, Any]]
    body: Region


def program_of(functions: Mapping[str, Any], where: str) -> Mapping[str, Function]:
    """The functions of a module by name, those that are only declared left out.

    Raises:
        ReadError: there is none.

    """
    found = {
        name: Function(name, told["names"], told["attributes"], Region.of(told["body"]))
        for name, told in functions.items()
        if told["body"] is not None
    }
    if not found:
        message = f"{where}: the module has no function"
        raise ReadError(message)
    return found


def entry_of(program: Mapping[str, Function], where: str) -> Function:
    """The function that runs: `main`, or the only one that no other calls.

    Raises:
        ReadError: there are several.

    """
    if "main" in program:
        return program["main"]
    called = {name for function in program.values() for name in _called(function.body)}
    free = [name for name in program if name not in called]
    if len(free) != 1:
        message = f"{where}: {len(free)} functions that no other calls, and none named 'main'"
        raise ReadError(message)
    return program[free[0]]


def _called(region: Region) -> set[str]:
    names: set[str] = set()
    for operation in region.operations:
        names.update(one for one in operation.attributes.values() if isinstance(one, str))
        for inner in operation.regions:
            names |= _called(inner)
    return names
