"""The nodes of a program, one after the other, as nodes of a graph."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from attrs import define, field

from costmodel.errors import CostModelError, ReadError
from costmodel.frontend.graph import Graph
from costmodel.frontend.operations.work import Value
from costmodel.frontend.translation import (
    COMPLEX,
    DataDependentError,
    SourceNode,
    TranslationTable,
    UnknownShapeError,
    innermost,
)
from costmodel_torch.aliases import Aliases
from costmodel_torch.exported import symbols
from costmodel_torch.exported.program import (
    ProgramGraph,
    ProgramNode,
    Ref,
    format_of,
)


def in_place_of(target: str) -> str:
    """The operator that gives what one in place writes; empty where it is not in place."""
    space, _, rest = target.partition(".")
    packet, _, overload = rest.partition(".")
    is_in_place = packet.endswith("_") and not packet.endswith("__") and space == "aten"
    return f"{space}.{packet[:-1]}.{overload}" if is_in_place else ""


_EMPTY: Final = "it reads a tensor without elements"
_MAPPED: Final = (
    "torch.vmap hides the axis over which it maps: save program.run_decompositions({}) instead"
)
_MAPS: Final = "torch._functorch.predispatch._add_batch_dim"
_UNMAPS: Final = "torch._functorch.predispatch._remove_batch_dim"
_JOINING: Final = frozenset({"aten.cat.default", "aten.concat.default", "aten.concatenate.default"})

Controlling: TypeAlias = "Callable[[Translator, SourceNode], Sequence[Any]]"
"""Adds the operations of a node that has graphs within."""


@define(eq=False)
class Translator:
    """A graph of a program that becomes nodes of a graph.

    Args:
        graph: the graph to which nodes are added.
        table: the rules of operators.
        symbols: the numbers of symbols.
        controls: the rules of operators that have graphs within.
        values: the tensors and numbers by the names of the program. In the place of a number that
            is data stands the tensor that it is, or follows from.

    """

    graph: Graph
    table: TranslationTable
    symbols: Mapping[str, int]
    controls: Mapping[str, Controlling] = field(factory=dict)
    values: dict[str, Any] = field(factory=dict)
    modules: dict[str, str] = field(factory=dict)
    aliases: Aliases = field(factory=Aliases)
    computed: dict[object, tuple[Sequence[Any], Sequence[Any]]] = field(factory=dict)

    def translate(self, source: ProgramGraph) -> None:
        """Add all nodes."""
        for node in source.nodes:
            self._add(node, source)

    def results(self, outputs: Iterable[Any]) -> list[Value]:
        """The tensors among the outputs of a graph."""
        found = [self.values.get(one.name) for one in outputs if isinstance(one, Ref)]
        return [one for one in found if isinstance(one, Value)]

    def inner(self, graph: Graph, modules: dict[str, str] | None = None) -> Translator:
        """The translator of a graph within; one that is inlined has the same modules."""
        own = {} if modules is None else modules
        return Translator(graph, self.table, self.symbols, self.controls, modules=own)

    # ------------------------------------------------------------------ one node

    def _add(self, node: ProgramNode, source: ProgramGraph) -> None:
        if node.target in _SYMBOLIC:
            self._number(node, source)
            return
        if node.results and all(self._is_empty(name, source) for name in node.results):
            self.values.update({name: self._without_elements(name) for name in node.results})
            return
        own = self._source_node(node, source)
        reason = self._reason_unreadable(own)
        is_known = own.operator in self.table or node.target in self.controls
        if not any(name in source.tensors for name in node.results):
            if not is_known:
                self._change(own, node)
                return
            reason = ""
        if node.target == _MAPS:
            reason = _MAPPED
        if reason:
            made: Sequence[Any] = self._unpriced(own, reason, reason)
        elif node.target in self.controls:
            made = self._controlled(node, own)
        else:
            made = self._translated(own, is_complex=_is_complex(node, source))
        self._keep(node, source, made)
        if in_place_of(node.target):
            self._write(node)
        if not any(getattr(self.values.get(name), "unknown", "") for name in node.results):
            self.aliases.note(node, self.values)

    def _translated(self, node: SourceNode, *, is_complex: bool) -> Sequence[Any]:
        """What a node gives; arithmetic of complex numbers has no price."""
        before = len(self.graph.nodes)
        made = self._by_rule(node)
        if is_complex and self.graph.take_back_arithmetic(before):
            return self._unpriced(node, COMPLEX)
        return made

    def _by_rule(self, node: SourceNode) -> Sequence[Any]:
        """What a rule gives for a node; the same constants are computed once."""
        if not node.inputs or not all(one is not None and one.is_constant for one in node.inputs):
            try:
                return self.table.translate(node)
            except UnknownShapeError as error:
                return self._unpriced(node, error.reason)
        key = (node.operator, repr(_shown(node.attributes)))
        if key not in self.computed:
            before = len(self.graph.nodes)
            made = self.table.translate(node)
            if len(self.graph.nodes) > before:
                return made
            self.computed[key] = made, node.inputs  # which live as long as their identities
        return self.computed[key][0]

    def _source_node(self, node: ProgramNode, source: ProgramGraph) -> SourceNode:
        arguments = {name: self.resolved(one) for name, one in node.arguments.items()}
        if node.target in _JOINING:
            arguments = {name: self._with_elements(one) for name, one in arguments.items()}
        tensors = [*_tensors(arguments.values())]
        name = f"{node.module}.{node.name}" if node.module else node.name
        self.modules.setdefault(name, node.module)
        return SourceNode(
            self.graph, self.rule_name(node.target), name, tensors, arguments, len(node.results),
            [self._declared(one, source) for one in node.results],
        )  # fmt: skip

    def _with_elements(self, argument: Any) -> Any:
        """The tensors of an argument that have elements."""
        if not isinstance(argument, tuple):
            return argument
        return tuple([one for one in argument if getattr(one, "unknown", "") != _EMPTY])

    def rule_name(self, target: str) -> str:
        """The name of the rule: that of the overload, or the one that all overloads share."""
        candidates = [target, target.rpartition(".")[0]]
        functional = in_place_of(target)
        if functional:
            candidates += [functional, functional.rpartition(".")[0]]
        return next((one for one in candidates if one in self.table), target)

    def _declared(self, name: str, source: ProgramGraph) -> tuple[int, ...] | None:
        meta = source.tensors.get(name)
        if meta is None:
            return None
        lengths = [symbols.length_of(size, self.symbols) for size in meta.sizes]
        known = tuple([length for length in lengths if length is not None and length > 0])
        return known if len(known) == len(lengths) else None

    def resolved(self, argument: Any) -> Any:
        """An argument with values in the place of names.

        Raises:
            ReadError: it names a value that nothing gives.

        """
        if isinstance(argument, Ref):
            if argument.name not in self.values:
                message = f"{argument.name!r:.80} is read before anything gives it"
                raise ReadError(message)
            return self.values[argument.name]
        if isinstance(argument, tuple):
            return tuple(map(self.resolved, argument))
        return argument

    def _keep(self, node: ProgramNode, source: ProgramGraph, made: Sequence[Any]) -> None:
        """Keep what a node gives, checked against what the program declares."""
        for name, value in zip(node.results, made, strict=False):
            meta = source.tensors.get(name)
            if isinstance(value, Value) and meta is not None:
                self._check(node, name, value, source)
                if value.format is None:
                    value.format = format_of(meta.dtype)
            self.values[name] = value

    def _check(self, node: ProgramNode, name: str, value: Value, source: ProgramGraph) -> None:
        declared = self._declared(name, source)
        if declared is not None and declared != value.shape:
            message = (
                f"torch node {node.name!r:.80} of {node.target:.80}: its result has the shape "
                f"{value.shape} by its operands; the program declares {declared}"
            )
            raise ReadError(message)

    def _write(self, node: ProgramNode) -> None:
        """Let what is written in place be seen under the name of what it was written into."""
        target = node.arguments.get("self")
        if isinstance(target, Ref) and node.results:
            written = self.values.get(node.results[0])
            if isinstance(written, Value) and written.unknown:
                self.values[target.name] = written
            elif isinstance(written, Value):
                with self.graph.source(f"{node.name}.written", f"torch.{node.target}"):
                    self.aliases.write(target.name, written, self.values, self.graph)

    # ------------------------------------------------------------------ numbers and control

    def _number(self, node: ProgramNode, source: ProgramGraph) -> None:
        """A number that follows from shapes, or from the data of a constant."""
        given = [self.resolved(one) for one in node.arguments.values()]
        data = next((one for one in given if isinstance(one, Value)), None)
        found = None
        if data is None or (not data.unknown and node.target in _OF_TENSORS):
            try:
                found = _SYMBOLIC[node.target](*given)
            except (ArithmeticError, DataDependentError, LookupError, TypeError, ValueError):
                found = None
        for name in node.results:
            declared = source.numbers.get(name)
            if found is None and declared is not None:
                found = symbols.length_of(declared, self.symbols)
            if found is None and data is not None:
                found = self._number_of(node, data)
            self.values[name] = found

    def _number_of(self, node: ProgramNode, value: Value) -> Value:
        """What stands for a number that follows from a tensor."""
        if value.unknown or value.size != 1 or value.rank == 0:
            return value
        with self.graph.source(node.name, f"torch.{node.target}"):
            return self.graph.add("reshape", value, shape=())

    def _controlled(self, node: ProgramNode, own: SourceNode) -> Sequence[Any]:
        with self.graph.source(own.name, f"torch.{node.target}"):
            try:
                return self.controls[node.target](self, own)
            except DataDependentError as error:
                return self._unpriced(own, str(error))
            except CostModelError as error:
                return self._unpriced(own, f"what it holds cannot be read: {innermost(error)}")
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                message = f"torch node {node.name!r:.80} of {node.target}: {error}"
                raise ReadError(message) from error

    def _reason_unreadable(self, node: SourceNode) -> str:
        """Why a node reads what no rule can work with, if it does."""
        return next((one.unknown for one in node.present if one.unknown), "")

    def _unpriced(self, node: SourceNode, reason: str, cause: str = "") -> Sequence[Value]:
        """An operation of which only the reason is known why it has no price.

        What reads a result whose shape is not known either has no price, for the same `cause`.
        """
        with self.graph.source(node.name, f"torch.{node.operator}"):
            shapes = [shape or () for shape in node.shapes]
            made = self.graph.all_of("unsupported", *node.present, reason=reason, shapes=shapes)
        cause = cause or f"the shape of what {node.name!r:.80} gives is not known: {reason}"
        for value, shape in zip(made, node.shapes, strict=True):
            if shape is None or (cause == _MAPPED and node.operator != _UNMAPS):
                value.unknown = cause
        return made

    def _change(self, own: SourceNode, node: ProgramNode) -> None:
        """A node that gives nothing: it may write into each tensor that it takes."""
        taken = [
            (one.name, self.values[one.name])
            for one in node.arguments.values()
            if isinstance(one, Ref) and isinstance(self.values[one.name], Value)
        ]
        changed = [(name, value) for name, value in taken if not value.is_parameter]
        if not changed:
            return
        own.shapes = [value.shape for _, value in changed]
        made = self._unpriced(own, self.table.reason_unknown(own.operator))
        with self.graph.source(f"{node.name}.written", f"torch.{node.target}"):
            for (name, value), written in zip(changed, made, strict=True):
                written.format = value.format
                if value.unknown:
                    written.unknown = value.unknown
                    self.values[name] = written
                else:
                    self.aliases.write(name, written, self.values, self.graph)

    def _is_empty(self, name: str, source: ProgramGraph) -> bool:
        """Whether a tensor is declared to have no elements."""
        meta = source.tensors.get(name)
        return meta is not None and 0 in [
            symbols.length_of(size, self.symbols) for size in meta.sizes
        ]

    def _without_elements(self, name: str) -> Value:
        """What stands for a tensor without elements, which nobody computes."""
        value = self.graph.constant(name, ())
        value.unknown = _EMPTY
        return value

    # ------------------------------------------------------------------ names

    def rename(self) -> None:
        """Call the only node of a module by the path of the module."""
        sources: dict[str, set[str]] = {}
        for node in self.graph.nodes:
            module = self.modules.get(node.source, "")
            if module:
                sources.setdefault(module, set()).add(node.source)
        outer = {module[:end] for module in sources for end, letter in enumerate(module)
                 if letter == "."}  # fmt: skip
        alone = {
            next(iter(found)): module
            for module, found in sources.items()
            if len(found) == 1 and module not in outer
        }
        for node in self.graph.nodes:
            node.source = alone.get(node.source, node.source)


def _shown(argument: Any) -> Any:
    """An argument with the identities of tensors in their places."""
    if isinstance(argument, Value):
        return id(argument)
    if isinstance(argument, Mapping):
        return {name: _shown(one) for name, one in argument.items()}
    return tuple(map(_shown, argument)) if isinstance(argument, tuple) else argument


def _tensors(arguments: Iterable[Any]) -> Iterable[Value]:
    for one in arguments:
        if isinstance(one, Value):
            yield one
        elif isinstance(one, tuple):
            yield from _tensors(one)


def _is_complex(node: ProgramNode, source: ProgramGraph) -> bool:
    """Whether an operator takes or gives complex numbers."""
    names = [*node.results, *_names(node.arguments.values())]
    declared = [source.tensors[name] for name in names if name in source.tensors]
    return any(one.dtype.startswith("complex") for one in declared)


def _names(arguments: Iterable[Any]) -> Iterable[str]:
    for one in arguments:
        if isinstance(one, Ref):
            yield one.name
        elif isinstance(one, tuple):
            yield from _names(one)


def is_number(target: str) -> bool:
    """Whether an operator gives a number, and no tensor."""
    return target in _SYMBOLIC


def _item(value: Any) -> Any:
    """The number in a constant of one element.

    Raises:
        DataDependentError: it is data.

    """
    if isinstance(value, Value):
        if value.data is None or value.size != 1:
            message = f"{value.name!r:.80} is data"
            raise DataDependentError(message)
        return value.data.reshape(-1)[0].item()
    return value


def _length_along(value: Value, axis: int) -> int:
    return value.shape[axis]


def _contiguous_stride(value: Value, axis: int) -> int:
    return math.prod(value.shape[axis % value.rank + 1 :])


_SYMBOLIC: Final[Mapping[str, Callable[..., Any]]] = {
    "aten.sym_size.int": _length_along,
    "aten.sym_stride.int": _contiguous_stride,
    "aten.sym_numel.default": lambda value: value.size,
    "aten.sym_storage_offset.default": lambda _: 0,
    "aten.sym_is_contiguous.default": lambda _, *__: True,
    "aten._local_scalar_dense.default": _item,
    "aten.item.default": _item,
    "_operator.add": operator.add, "_operator.sub": operator.sub, "_operator.mul": operator.mul,
    "_operator.floordiv": operator.floordiv, "_operator.truediv": operator.truediv,
    "_operator.mod": operator.mod, "_operator.pow": operator.pow, "_operator.neg": operator.neg,
    "_operator.pos": operator.pos, "_operator.eq": operator.eq, "_operator.ne": operator.ne,
    "_operator.le": operator.le, "_operator.lt": operator.lt, "_operator.ge": operator.ge,
    "_operator.gt": operator.gt, "_operator.and_": operator.and_, "_operator.or_": operator.or_,
    "_operator.not_": operator.not_, "_operator.abs": abs,
    "torch.sym_int": int, "torch.sym_float": float, "torch.sym_max": max, "torch.sym_min": min,
    "torch.sym_not": operator.not_, "torch.sym_ite": lambda one, yes, no: yes if one else no,
    "torch._sym_sqrt": math.sqrt, "math.ceil": math.ceil, "math.floor": math.floor,
    "math.trunc": math.trunc, "math.sqrt": math.sqrt,
}  # fmt: skip
"""What computes numbers, and no tensors."""
_OF_TENSORS: Final = frozenset(name for name in _SYMBOLIC if name.startswith("aten."))
"""What takes them from tensors."""
