"""Nodes of ONNX graphs as translations see them, and the values that ONNX alone has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from attrs import define, field

from costmodel.errors import ReadError
from costmodel.frontend.operations.work import Value
from costmodel.frontend.translation import DataDependentError, SourceNode
from costmodel.workload.operators import Operator

if TYPE_CHECKING:
    from costmodel.formats import NumericFormat
    from costmodel.frontend.graph import Graph
    from costmodel.frontend.operations.work import Work

Proto: TypeAlias = Any
"""A message of the package `onnx`."""
Body: TypeAlias = "Callable[[Proto, Graph, Sequence[Value]], list[Value]]"


def _values(given: Iterable[Value]) -> tuple[Value, ...]:
    return tuple(given)


@define(eq=False)
class SequenceValue(Value):
    """A sequence of tensors whose number is known."""

    items: tuple[Value, ...] = field(default=(), converter=_values)


@define(eq=False)
class OnnxNode(SourceNode):
    """A node of an ONNX graph.

    Args:
        opset: the version of the operators of its domain.
        proto: its message.
        body: adds the nodes of a graph within it to a graph, for the values that this takes, and
            gives its results.
        inline: adds the nodes of a function in its place, and gives its results.
        constants: what translations keep for other nodes of the same file.
        formats: those of the results, where the source declares them.

    """

    opset: int = 0
    proto: Proto = None
    body: Body = field(default=None)
    inline: Callable[[Proto], list[Value]] = field(default=None)
    constants: dict[object, Value] = field(factory=dict)
    formats: Sequence[NumericFormat | None] = ()

    @property
    def present(self) -> list[Value]:
        """The tensors that are there, those of sequences each."""
        given = [value for value in self.inputs if value is not None]
        return [
            one
            for value in given
            for one in (value.items if isinstance(value, SequenceValue) else (value,))
        ]

    @property
    def is_folded(self) -> bool:
        """Whether the data of all that it reads are known."""
        return all(value.data is not None and value.is_constant for value in self.present)

    def arrays(self) -> list[Any]:
        """The data of all that it reads; None for what is left out."""
        return [None if value is None else value.data for value in self.inputs]

    def constant(
        self, data: Any, number: NumericFormat | None = None, *, is_parameter: bool = False
    ) -> Value:
        """A constant of known data, that of an empty array as well."""
        number = number if number is not None else format_of(data.dtype)
        if data.size == 0:
            return Value(self.name, data.shape, number, data, is_constant=True)
        return self.graph.constant(self.name, None, number, data, is_parameter=is_parameter)

    def present_input(self, place: int) -> Value | None:
        """An input, or None where it is left out or an empty constant."""
        value = self.optional(place)
        return None if value is None or value.size == 0 else value

    def listed(self, attribute: str, place: int, what: str) -> list[int] | None:
        """Whole numbers that older opsets have as an attribute, and newer ones as an input."""
        given = self.attribute(attribute)
        if given is not None:
            return [int(number) for number in ([given] if isinstance(given, int) else given)]
        return None if self.optional(place) is None else self.numbers(place, what)

    def append(
        self,
        operation: str,
        does: Operator | Work,
        *reads: Value,
        formats: Sequence[NumericFormat | None] = (),
    ) -> tuple[Value, ...]:
        """Add an operator of the core; of constants alone, its results are constants."""
        from costmodel.frontend.operations.work import Work  # noqa: PLC0415  # a class

        work = Work(does, reads) if isinstance(does, Operator) else does
        if reads and all(value.is_constant for value in reads):
            is_parameter = any(value.is_parameter for value in reads)
            declared = [*formats, *[None] * len(work.results)]
            return tuple([
                self.graph.constant(
                    self.name, tensor.shape, number or reads[0].format, is_parameter=is_parameter
                )
                for tensor, number in zip(work.results, declared, strict=False)
            ])  # fmt: skip
        return self.graph.append(operation, work, formats)

    def refuse(self, message: str) -> NoReturn:
        """Refuse the node.

        Raises:
            ReadError: always.

        """
        message = f"node {self.name!r:.80} of {self.operator}: {message}"
        raise ReadError(message)

    def give_up(self, message: str) -> NoReturn:
        """Leave the node unpriced.

        Raises:
            DataDependentError: always.

        """
        raise DataDependentError(message)


def reason_unknown(value: Value) -> str:
    """Why what reads a value has no price, where the shape of the value is not known."""
    return f"the shape of {value.name!r:.80} is not known: {value.unknown}"


def format_of(dtype: Any) -> NumericFormat | None:
    """The numeric format of an array; None for float32, and for texts."""
    from costmodel.formats import parse_format  # noqa: PLC0415  # a function

    name = str(dtype)
    if name in {"float32", "object"} or name.startswith(("<U", "|S")):
        return None
    return parse_format({"bool": "uint8", "float64": "float64"}.get(name, name))


def trained(*values: Value | None) -> None:
    """Mark constants of several elements as trained, which their type alone does not show."""
    for value in values:
        if value is not None and value.is_constant and value.size > 1:
            value.is_parameter = True


Attributes: TypeAlias = Mapping[str, Any]
