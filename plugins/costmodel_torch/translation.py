"""From an exported program to the graph that frontends share."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import define, field

from costmodel.errors import CostModelError, ReadError
from costmodel.frontend.graph import Graph
from costmodel.frontend.operations.work import Value
from costmodel.frontend.translation import DataDependentError, SourceNode, TranslationTable
from costmodel_torch import binding, control, symbols
from costmodel_torch.aliases import Aliases
from costmodel_torch.program import (
    Body,
    Program,
    ProgramGraph,
    ProgramNode,
    Ref,
    TensorMeta,
    format_of,
)

_NORMALIZED: Final = ("batch_norm", "native_batch_norm")
"""Parts of the names of operators that change their running statistics while training."""


def graph_of(program: Program, table: TranslationTable, shapes: Mapping[str, Any]) -> Graph:
    """The graph of a program, for inputs of these shapes.

    Raises:
        ReadError: a node is not as its operator demands, or what it gives has no known shape.
        ShapeError: an axis of an input is open.

    """
    source = program.graph
    given = [name for name in source.inputs if name not in program.held]
    inputs = {name: source.tensors[name] for name in given if name in source.tensors}
    state = _state(program)
    found = binding.bound_symbols({name: meta.sizes for name, meta in inputs.items()}, shapes)
    graph = Graph(program.name, "torch")
    made = Translator(graph, table, found)
    for name, meta in inputs.items():
        shape = binding.shape_of(name, meta.sizes, found)
        made.values[name] = graph.input(name, shape, format_of(meta.dtype))
    stored: dict[object, Value] = {}
    for name, held in program.held.items():
        if name not in source.tensors:
            continue
        meta = source.tensors[name]
        shape = binding.shape_of(name, meta.sizes, found)
        if name in state:
            made.values[name] = graph.input(held.path, shape, format_of(meta.dtype))
            continue
        key = (held.storage or name, held.is_parameter)
        if key not in stored:
            stored[key] = graph.constant(
                held.path, shape, format_of(meta.dtype), held.data, is_parameter=held.is_parameter
            )
        made.values[name] = stored[key]
    made.translate(source)
    graph.outputs = [*made.results(source.outputs), *made.results(map(Ref, state.values()))]
    made.rename()
    return graph


def _state(program: Program) -> dict[str, str]:
    """The buffers that an inference changes, with the values that they have afterwards.

    The running statistics of a normalization, which only training changes, are none, nor are
    single numbers such as a count of batches.
    """
    read: dict[str, list[str]] = {}
    changed = dict(program.mutated)
    for node in program.graph.nodes:
        for ref in _refs(node.arguments.values()):
            read.setdefault(ref.name, []).append(node.target)
        first = node.arguments.get("self")
        if in_place_of(node.target) and isinstance(first, Ref) and first.name in program.held:
            changed[first.name] = first.name
    return {
        name: after
        for name, after in changed.items()
        if name in program.held
        and not program.held[name].is_parameter
        and program.graph.tensors.get(name, TensorMeta(())).sizes
        and not all(any(part in one for part in _NORMALIZED) for one in read.get(name, ()))
    }


def _refs(arguments: Iterable[Any]) -> Iterable[Ref]:
    for one in arguments:
        if isinstance(one, Ref):
            yield one
        elif isinstance(one, tuple):
            yield from _refs(one)


def in_place_of(target: str) -> str:
    """The operator that gives what one in place writes; empty where it is not in place."""
    space, _, rest = target.partition(".")
    packet, _, overload = rest.partition(".")
    is_in_place = packet.endswith("_") and not packet.endswith("__") and space == "aten"
    return f"{space}.{packet[:-1]}.{overload}" if is_in_place else ""


@define(eq=False)
class Translator:
    """A graph of a program that becomes nodes of a graph.

    Args:
        graph: the graph to which nodes are added.
        table: the rules of operators.
        symbols: the numbers of symbols.
        values: the tensors and numbers by the names of the program.

    """

    graph: Graph
    table: TranslationTable
    symbols: Mapping[str, int]
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
        return Translator(
            graph, self.table, self.symbols, modules={} if modules is None else modules
        )  # fmt: skip

    # ------------------------------------------------------------------ one node

    def _add(self, node: ProgramNode, source: ProgramGraph) -> None:
        if node.target in _SYMBOLIC:
            self._number(node, source)
            return
        if node.target in control.RULES:
            made: Sequence[Any] = self._controlled(node, source)
        else:
            made = self._translated(self._source_node(node, source))
        self._keep(node, source, made)
        if in_place_of(node.target):
            self._write(node)
        self.aliases.note(node, self.values)

    def _translated(self, node: SourceNode) -> Sequence[Any]:
        """What a node gives; the same constants are computed once."""
        if not node.inputs or not all(one is not None and one.is_constant for one in node.inputs):
            return self.table.translate(node)
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
        tensors = [*_tensors(arguments.values())]
        name = f"{node.module}.{node.name}" if node.module else node.name
        self.modules.setdefault(name, node.module)
        return SourceNode(
            self.graph, self._rule_name(node.target), name, tensors, arguments, len(node.results),
            [self._declared(one, source) for one in node.results],
        )  # fmt: skip

    def _rule_name(self, target: str) -> str:
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
            if isinstance(written, Value):
                with self.graph.source(f"{node.name}.written", f"torch.{node.target}"):
                    self.aliases.write(target.name, written, self.values, self.graph)

    # ------------------------------------------------------------------ numbers and control

    def _number(self, node: ProgramNode, source: ProgramGraph) -> None:
        """A number that follows from shapes, or from the data of a constant."""
        given = [self.resolved(one) for one in node.arguments.values()]
        try:
            found = _SYMBOLIC[node.target](*given)
        except (ArithmeticError, DataDependentError, LookupError, TypeError, ValueError):
            found = None
        for name in node.results:
            declared = source.numbers.get(name)
            if found is None and declared is not None:
                found = symbols.length_of(declared, self.symbols)
            self.values[name] = found

    def _controlled(self, node: ProgramNode, source: ProgramGraph) -> Sequence[Any]:
        own = self._source_node(node, source)
        with self.graph.source(own.name, f"torch.{node.target}"):
            try:
                return control.RULES[node.target](self, own)
            except DataDependentError as error:
                shapes = [shape for shape in own.shapes if shape is not None]
                if len(shapes) < len(own.shapes):
                    message = (
                        f"torch node {node.name!r:.80} of {node.target}: {error}; the program "
                        "does not state the shape of its result either"
                    )
                    raise ReadError(message) from None
                reads = [one for one in own.inputs if isinstance(one, Value)]
                return self.graph.all_of("unsupported", *reads, reason=str(error), shapes=shapes)
            except (LookupError, TypeError, ValueError, AttributeError, CostModelError) as error:
                message = f"torch node {node.name!r:.80} of {node.target}: {error}"
                raise ReadError(message) from error

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

__all__ = ["Body", "Translator", "graph_of", "in_place_of"]
