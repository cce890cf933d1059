"""From an exported program to the graph that frontends share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from costmodel.frontend.graph import Graph
from costmodel_torch import binding, control
from costmodel_torch.aliases import is_view
from costmodel_torch.exported import symbols
from costmodel_torch.exported.program import Program, ProgramNode, Ref, TensorMeta, format_of
from costmodel_torch.translator import Translator, in_place_of

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel.frontend.translation import TranslationTable

_NORMALIZED: Final = ("batch_norm", "native_batch_norm")
"""Parts of the names of operators that change their running statistics while training."""


def graph_of(program: Program, table: TranslationTable, shapes: Mapping[str, Any]) -> Graph:
    """The graph of a program, for inputs of these shapes.

    Raises:
        ReadError: a node is not as its operator demands, or what it gives has no known shape.
        ShapeError: an axis of an input is open.

    """
    source = program.graph
    inputs = inputs_of(program)
    state = _state(program)
    found = binding.bound_symbols({name: meta.sizes for name, meta in inputs.items()}, shapes)
    graph = Graph(program.name, "torch")
    made = Translator(graph, table, found, control.RULES)
    for name, meta in inputs.items():
        shape = binding.shape_of(name, meta.sizes, found)
        made.values[name] = graph.input(name, shape, format_of(meta.dtype))
    for name in set(source.inputs) & source.numbers.keys():
        made.values[name] = symbols.length_of(source.numbers[name], found)
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
    made.translate(evolve(source, nodes=_recomposed(program, state)))
    graph.outputs = [*made.results(source.outputs), *made.results(map(Ref, state.values()))]
    made.rename()
    return graph


_PRODUCTS: Final = {"aten.mm.default": "mat2", "aten.matmul.default": "other"}
"""Products, and what they call their right operand."""


def _recomposed(program: Program, state: Mapping[str, str]) -> list[ProgramNode]:
    """The nodes, where products with a weight that was turned are `linear` again.

    What `run_decompositions` makes of it has another tensor for each turned weight, also where
    the weight is tied to another layer.
    """
    turned: dict[str, str] = {}
    tensors = program.graph.tensors
    matrices = {
        name
        for name in program.held.keys() & tensors.keys() - state.keys()
        if len(tensors[name].sizes) == _MATRIX
    }
    nodes = []
    for node in program.graph.nodes:
        weight = node.arguments.get("self")
        if isinstance(weight, Ref) and _turns(node) and weight.name in matrices:
            turned.update(dict.fromkeys(node.results, weight.name))
        nodes.append(_linear(node, turned, program))
    return nodes


_MATRIX: Final = 2
_TURNED: Final = ((1, 0), (-1, -2), (-1, 0), (1, -2))


def _turns(node: ProgramNode) -> bool:
    """Whether a node turns a matrix."""
    if node.target == "aten.permute.default":
        return node.arguments.get("dims") in _TURNED
    if node.target == "aten.transpose.int":
        axes = {node.arguments.get(name) for name in ("dim0", "dim1")}
        return axes in ({0, 1}, {-1, -2}, {0, -1}, {-2, 1})
    return node.target in {"aten.t.default", "aten.numpy_T.default", "aten.mT.default"}


def _linear(node: ProgramNode, turned: Mapping[str, str], program: Program) -> ProgramNode:
    """A product with a turned weight as `linear`; other nodes as they are."""
    given = node.arguments
    if node.target in _PRODUCTS:
        weight, value, bias = given.get(_PRODUCTS[node.target]), given.get("self"), None
    elif node.target == "aten.addmm.default" and not {"alpha", "beta"} & set(given):
        weight, value, bias = given.get("mat2"), given.get("mat1"), given.get("self")
        if not (isinstance(bias, Ref) and bias.name in program.held):
            return node
    else:
        return node
    if not (isinstance(weight, Ref) and weight.name in turned):
        return node
    arguments = {"input": value, "weight": Ref(turned[weight.name]), "bias": bias}
    return evolve(node, target="aten.linear.default", arguments=arguments)


def inputs_of(program: Program) -> dict[str, TensorMeta]:
    """The tensors that a caller gives, by name."""
    graph = program.graph
    return {
        name: graph.tensors[name]
        for name in graph.inputs
        if name not in program.held and name in graph.tensors
    }


def _state(program: Program) -> dict[str, str]:
    """The buffers that an inference changes, with the values that they have afterwards.

    The running statistics of a normalization, which only training changes, are none, nor are
    single numbers such as a count of batches.
    """
    read: dict[str, list[str]] = {}
    changed = dict(program.mutated)
    shown: dict[str, str] = {}
    for node in program.graph.nodes:
        for ref in _refs(node.arguments.values()):
            read.setdefault(ref.name, []).append(node.target)
        first = node.arguments.get("self")
        if not isinstance(first, Ref):
            continue
        base = shown.get(first.name, first.name)
        if in_place_of(node.target):
            changed[base] = base
        elif is_view(node.target):
            shown.update(dict.fromkeys(node.results, base))
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
