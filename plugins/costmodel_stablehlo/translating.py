"""From the functions of a module to a graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from attrs import define, field

from costmodel.errors import ReadError
from costmodel.frontend.graph import NODE_LIMIT
from costmodel.frontend.translation import COMPLEX, UnknownShapeError
from costmodel_stablehlo.nodes import ModuleGraph, ModuleNode

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel.frontend.translation import TranslationTable
    from costmodel_stablehlo.modules.program import ElementType, Function, Operation, Region

_DEEPEST: Final = 100
"""Functions that call each other, and regions within regions."""
_ENDS: Final = frozenset({"func.return", "stablehlo.return", "chlo.return"})
_CALLS: Final = frozenset({"func.call", "composite"})
_EMPTY: Final = "it reads a tensor without elements"
_REGIONS: Final = frozenset({"while", "case", "if"})
"""Operations whose regions are run with what they read."""
_OF_JAX: Final = re.compile(r"^(?:jit\([^()]*(?:\([^()]*\))?[^()]*\)(?:/|$))+")
_LONGEST_NAME: Final = 200


@define(eq=False)
class Translator:
    """Adds the operations of regions to graphs; values are numbers, unique in a module.

    A function that is called twice is added twice, with the values of each call.
    """

    functions: Mapping[str, Function]
    table: TranslationTable
    _names: dict[str, int] = field(factory=dict)
    _count: int = 0
    _depth: int = 0
    _types: dict[int, ElementType] = field(factory=dict)
    _scopes: list[dict[int, Value]] = field(factory=lambda: [{}])

    def run(self, region: Region, graph: ModuleGraph, given: Sequence[Value]) -> list[Value]:
        """The values that a region returns.

        Raises:
            ReadError: an operation is not as it must be, or there are too many.

        """
        if self._depth > _DEEPEST:
            message = f"calls and regions are nested more than {_DEEPEST} deep"
            raise ReadError(message)
        scope = dict(self._scopes[-1])
        scope.update(zip(region.arguments, given, strict=len(given) > 0))
        self._types.update(zip(region.arguments, region.types, strict=True))
        self._scopes.append(scope)
        self._depth += 1
        try:
            for operation in region.operations:
                reads = [scope[number] for number in operation.operands]
                if operation.name in _ENDS:
                    return reads
                self._count += 1
                if self._count > NODE_LIMIT:
                    message = f"more than {NODE_LIMIT:,} operations, those of calls included"
                    raise ReadError(message)
                values = self._translated(operation, graph, reads)
                scope.update(zip(operation.results, values, strict=True))
        finally:
            self._depth -= 1
            self._scopes.pop()
        return []

    def _translated(
        self, operation: Operation, graph: ModuleGraph, reads: Sequence[Value]
    ) -> Sequence[Value]:
        types = [self._types[one] for one in operation.operands]
        self._types.update(zip(operation.results, operation.types, strict=True))
        if operation.types and all(0 in (one.shape or ()) for one in operation.types):
            return [_without_elements(graph) for _ in operation.types]
        node = self._node(operation, graph, reads, types)
        values, name = self._values(node), node.operator
        if len(values) != len(operation.results):
            message = f"{node.name!r:.80} of {name}: {len(values)} values for {node.results}"
            raise ReadError(message)
        for value, declared in zip(values, operation.types, strict=True):
            if declared.shape is None or value.unknown:
                continue
            if not _fits(value.shape, declared.shape):
                message = (
                    f"stablehlo node {node.name!r:.80} of {name} gives {value.shape}; the module "
                    f"declares {declared.shape}"
                )
                raise ReadError(message)
            _keep_name(value, reads)
            if id(value) not in graph.origins and value not in reads:
                graph.origins[id(value)] = node
                graph.held.append(value)
                if value.format is None and not _is_view(graph, value):
                    value.format = node.declared(declared)
        return values

    def _node(
        self, operation: Operation, graph: ModuleGraph, reads: Sequence[Value],
        types: Sequence[ElementType],
    ) -> ModuleNode:  # fmt: skip
        """An operation as rules see it; what has no elements is no part of what is joined."""
        name = operation.name.removeprefix("stablehlo.")
        if name == "concatenate":
            pairs = zip(reads, types, strict=True)
            kept = [pair for pair in pairs if pair[0].unknown != _EMPTY]
            reads, types = [one for one, _ in kept], [one for _, one in kept]
        return ModuleNode(
            graph, name, self._named(operation, reads), reads, operation.attributes,
            len(operation.results),
            [_closed(one.shape) for one in operation.types],
            operation=operation, operand_types=types, run=self.run, functions=self.functions,
        )  # fmt: skip

    def _values(self, node: ModuleNode) -> Sequence[Value]:
        """What an operation gives."""
        cause = next((one.unknown for one in node.present if one.unknown), "")
        if cause and node.operator not in _CALLS | _REGIONS:
            return self._unpriced(node, cause, cause)
        before = len(node.graph.nodes)
        try:
            made = self.table.translate(node)
        except UnknownShapeError as error:
            cause = f"the shape of what {node.name!r:.80} gives is not known: {error.reason}"
            return self._unpriced(node, error.reason, cause)
        except ReadError as error:
            if node.operator in _CALLS and isinstance(error.__cause__, ReadError):
                raise error.__cause__ from None  # who calls whom says little of what is wrong
            raise
        is_complex = any(
            one.element.startswith("complex") for one in (*node.operand_types, *node.types)
        )
        is_one = node.operator not in _CALLS | _REGIONS
        if is_complex and is_one and node.graph.take_back_arithmetic(before):
            return self._unpriced(node, COMPLEX, COMPLEX)
        return made

    def _unpriced(self, node: ModuleNode, reason: str, cause: str) -> Sequence[Value]:
        """An operation of which only the reason is known why it has no price.

        What reads a result whose shape is not known either has no price, for the same `cause`.
        """
        with node.graph.source(node.name, f"stablehlo.{node.operator}"):
            shapes = [shape or () for shape in node.shapes]
            made = node.graph.all_of("unsupported", *node.present, reason=reason, shapes=shapes)
        for value, shape in zip(made, node.shapes, strict=True):
            if shape is None:
                value.unknown = cause
        return made

    def _named(self, operation: Operation, reads: Sequence[Value]) -> str:
        """A name of its own: that of the source, or else of the operation; constants share one."""
        name = _OF_JAX.sub("", operation.where).rstrip(":")[-_LONGEST_NAME:]
        name = name or operation.name.rpartition(".")[2]
        if all(value.is_constant for value in reads):
            return name
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name}:{count}"


def _without_elements(graph: ModuleGraph) -> Value:
    """What stands for a tensor without elements, which nobody computes."""
    value = graph.constant("empty", ())
    value.unknown = _EMPTY
    return value


def _keep_name(value: Value, reads: Sequence[Value]) -> None:
    """Let what is made of one parameter alone have its name."""
    trained = [one for one in reads if one.is_parameter]
    if value.is_constant and len(trained) == 1:
        value.name = value.stored.name = trained[0].name


def _is_view(graph: ModuleGraph, value: Value) -> bool:
    """Whether the node that was added last gives the elements of another value."""
    last = graph.nodes[-1:]
    return any(value in node.writes and isinstance(node.work.does, tuple) for node in last)


def _closed(shape: tuple[int | None, ...] | None) -> tuple[int, ...] | None:
    """A shape without open axes; of what has no shape, as of a token, that of one number."""
    known = () if shape is None else shape
    closed = tuple([length for length in known if length is not None])
    return closed if len(closed) == len(known) else None


def _fits(shape: Sequence[int], declared: Sequence[int | None]) -> bool:
    return len(shape) == len(declared) and all(
        other is None or one == other for one, other in zip(shape, declared, strict=True)
    )
