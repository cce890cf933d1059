"""Operations of a module as the rules of the table see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from attrs import define, field

from costmodel.errors import ShapeError
from costmodel.frontend.graph import Graph
from costmodel.frontend.translation import DataDependentError, SourceNode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costmodel.formats import NumericFormat
    from costmodel.frontend.operations.work import Value
    from costmodel_stablehlo.modules.program import ElementType, Function, Operation, Region


LONGEST: Final = 4096
"""Numbers of an attribute."""


@define(eq=False)
class ModuleGraph(Graph):
    """A graph that knows which operation gave a value, and what a value was before it stretched."""

    origins: dict[int, ModuleNode] = field(factory=dict)
    """The operation that gave a value, by the `id` of the value."""
    before: dict[int, Value] = field(factory=dict)
    """The value of as many axes, some of one element, that a value was stretched from."""
    held: list[Value] = field(factory=list)
    """The values of `before`, which must not go away."""

    def body(self, name: str) -> ModuleGraph:
        """A graph for the body of a loop or branch."""
        inner = ModuleGraph(name, self.frontend)
        inner.origins, inner.before, inner.held = self.origins, self.before, self.held
        return inner

    def unstretched(self, value: Value) -> Value:
        """The value that this one was stretched from, or itself."""
        return self.before.get(id(value), value)


@define(eq=False)
class ModuleNode(SourceNode):
    """An operation: its types, its regions, and what runs regions and functions."""

    operation: Operation = field(kw_only=True)
    operand_types: Sequence[ElementType] = field(kw_only=True)
    run: Callable[[Region, ModuleGraph, Sequence[Value]], list[Value]] = field(kw_only=True)
    """The values that a region returns for values of its arguments, added to a graph."""
    functions: Mapping[str, Function] = field(kw_only=True)

    @property
    def own_graph(self) -> ModuleGraph:
        """The graph, which knows more than others."""
        return cast("ModuleGraph", self.graph)

    @property
    def types(self) -> Sequence[ElementType]:
        """The types of the results."""
        return self.operation.types

    @property
    def regions(self) -> Sequence[Region]:
        """The regions."""
        return self.operation.regions

    def open_shape(self, place: int = 0) -> tuple[int | None, ...]:
        """The shape of a result as it is declared; open axes are None."""
        return self.types[place].shape or ()

    def shape(self, place: int = 0) -> tuple[int, ...]:
        """The shape of a result.

        Raises:
            DataDependentError: an axis is open.

        """
        found = []
        for length in self.open_shape(place):
            if length is None:
                message = "the shape of the result depends on data"
                raise DataDependentError(message)
            found.append(length)
        return tuple(found)

    def number(self, place: int = 0) -> NumericFormat | None:
        """The format of a result; None where it is float32 as that of the operands."""
        return self.declared(self.types[place])

    def declared(self, result: ElementType) -> NumericFormat | None:
        """The format of a type of a result; None where it is float32 as that of the operands."""
        if result.element != "f32":
            return result.number
        others = {one.element for one in self.operand_types if one.is_float or one.is_quantized}
        return result.number if others - {"f32"} else None

    def list_of(self, name: str, default: Sequence[int] = ()) -> list[int]:
        """The whole numbers of an attribute."""
        held = self.attributes.get(name)
        if isinstance(held, dict):
            return numbers_of(held)
        return list(default if held is None else held)

    def whole(self, name: str, default: int = 0) -> int:
        """The whole number of an attribute."""
        return int(self.attributes.get(name, default))

    def moved(self, *reads: Value, shape: Sequence[int] | None = None) -> Value:
        """A value whose elements come from places of the first one that data decide."""
        return self.add("fetch", *reads, shape=self.shape() if shape is None else shape)


def numbers_of(held: Mapping[str, Any]) -> list[int]:
    """The numbers of a constant that is an attribute."""
    if "numbers" in held:
        return [int(one) for one in held["numbers"]]
    count = 1
    for length in held["tensor"]["shape"]:
        count *= length
    if count > LONGEST:
        message = f"an attribute of {count:,} numbers"
        raise ShapeError(message)
    return [int(held["splat"])] * count
