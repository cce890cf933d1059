"""From the graph of an ONNX file to the graph that all frontends share: node by node."""

from __future__ import annotations

import functools
from collections import ChainMap, Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import define, evolve, field, frozen

from costmodel.errors import ReadError
from costmodel.frontend.graph import NODE_LIMIT, Graph
from costmodel.safe_io import checked_name
from costmodel_onnx import tensors
from costmodel_onnx.file import STANDARD, opsets_of
from costmodel_onnx.inputs import Bound, axes_of
from costmodel_onnx.nodes import OnnxNode, SequenceValue, reason_unknown

if TYPE_CHECKING:
    from costmodel.formats import NumericFormat
    from costmodel.frontend.operations.work import Value
    from costmodel.frontend.translation import TranslationTable

MOST_DEPTH: Final = 32
"""Functions and graphs within each other."""
MOST_NOTES: Final = 50
"""What is said of one file."""
OF_SEQUENCES: Final = frozenset({
    "SequenceAt", "SequenceLength", "SequenceInsert", "SequenceErase", "ConcatFromSequence",
    "SequenceMap", "Loop", "Identity", "Optional", "OptionalGetElement", "OptionalHasElement",
})  # fmt: skip
"""The operators that read a sequence."""


@frozen(eq=False)
class Scope:
    """What holds for the nodes of one graph.

    Args:
        graph: where their operations go.
        values: those that they can read, by name.
        declared: the types that the file declares of their results, by name.
        opsets: the versions of the operators.
        attributes: those of the call, within a function.
        prefix: what stands before the names of layers.
        calls: the functions that are being inlined.
        depth: how many graphs and functions are around it.

    """

    graph: Graph
    values: MutableMapping[str, Value]
    declared: Mapping[str, Any]
    opsets: Mapping[str, int]
    attributes: Mapping[str, Any] = field(factory=dict)
    prefix: str = ""
    calls: tuple[object, ...] = ()
    depth: int = 0


@define(eq=False)
class Walker:
    """Translates the nodes of one file.

    Args:
        table: the rules.
        bound: the lengths of named axes.
        functions: those of the file by domain, name and overload.
        where: the file, for messages.

    """

    table: TranslationTable
    bound: Bound
    functions: Mapping[object, Any]
    where: str
    _count: int = 0
    _names: Counter[str] = field(factory=Counter)
    _constants: dict[object, Value] = field(factory=dict)

    # ------------------------------------------------------------------ graphs

    def read(self, proto: Any, graph: Graph, opsets: Mapping[str, int]) -> None:
        """Add the whole graph of a file."""
        scope = Scope(graph, {}, _declared(proto), opsets)
        self._hold(proto, scope)
        for one in proto.input:
            if one.name not in scope.values:
                scope.values[one.name] = self._input(one, graph)
        self._run(proto.node, scope)
        given = [self._value(one.name, scope, "the graph") for one in proto.output]
        graph.outputs = [
            one
            for value in given
            for one in (value.items if isinstance(value, SequenceValue) else (value,))
        ]

    def _input(self, proto: Any, graph: Graph) -> Value:
        if not isinstance(proto.name, str):
            message = f"{self.where}: the name {proto.name!r:.80} of an input is no Unicode"
            raise ReadError(message)
        kind = proto.type.WhichOneof("value")
        if kind != "tensor_type":
            value = graph.input(proto.name, ())
            what = _KINDS.get(kind or "", "a value of no type")
            return _marked(value, f"input {proto.name!r:.80} is {what}, and no tensor")
        number = tensors.number_of(proto.type.tensor_type.elem_type)
        return graph.input(proto.name, self.bound.shapes[proto.name], number)

    def _hold(self, proto: Any, scope: Scope) -> None:
        """The constants of a graph."""
        for one in proto.initializer:
            scope.values[one.name] = tensors.constant_of(scope.graph, one.name, one)
        for one in proto.sparse_initializer:
            name = one.values.name
            scope.values[name] = tensors.sparse_constant_of(scope.graph, name, one)

    def _run(self, nodes: Iterable[Any], scope: Scope) -> None:
        if scope.depth > MOST_DEPTH:
            message = f"{self.where}: more than {MOST_DEPTH} graphs and functions in each other"
            raise ReadError(message)
        for node in nodes:
            self._count += 1
            if self._count > NODE_LIMIT:
                message = f"{self.where}: more than {NODE_LIMIT:,} nodes, functions inlined"
                raise ReadError(message)
            self._node(node, scope)

    def _body(
        self, outer: Scope, name: str, proto: Any, graph: Graph, given: Sequence[Value]
    ) -> list[Value]:
        """Add the nodes of a graph within a node; gives its results."""
        own: dict[str, Value] = {}
        values = ChainMap(own, *([outer.values.maps if isinstance(outer.values, ChainMap)
                                  else [outer.values]][0]))  # fmt: skip
        scope = evolve(
            outer, graph=graph, values=values, declared=_declared(proto), prefix=f"{name}/",
            depth=outer.depth + 1,
        )  # fmt: skip
        self._hold(proto, scope)
        free = [one.name for one in proto.input if one.name not in own]
        own.update(zip(free, given, strict=False))
        self._run(proto.node, scope)
        return [
            self._value(one.name, scope, f"the graph within {name!r:.80}") for one in proto.output
        ]

    def _value(self, name: str, scope: Scope, reader: str) -> Value:
        value = scope.values.get(name)
        if value is None:
            message = (
                f"{self.where}: {reader} reads {name!r:.80}, which nothing before it gives; "
                "expected nodes in the order in which they run"
            )
            raise ReadError(message)
        return value

    # ------------------------------------------------------------------ nodes

    def _node(self, proto: Any, scope: Scope) -> None:
        self._check_text(proto)
        domain = "" if proto.domain in STANDARD else proto.domain
        operator = f"{domain}::{proto.op_type}" if domain else proto.op_type
        outputs = list(proto.output)
        name = self._name(proto, scope)
        reader = f"node {name!r:.80} of {operator:.80}"
        inputs = [self._value(one, scope, reader) if one else None for one in proto.input]
        key = (proto.domain, proto.op_type, getattr(proto, "overload", ""))
        is_ruled = operator in self.table
        if not is_ruled and key in self.functions:
            given = self._call(name, key, proto, inputs, scope)
            self._store(given, outputs, scope)
            return
        types = [scope.declared.get(one) for one in outputs]
        shapes = [self._shape(one) for one in types]
        node = OnnxNode(
            scope.graph, operator, name, inputs, dict(self._attributes(proto, scope)),
            len(outputs), [() if shape is None else shape for shape in shapes],
            opset=scope.opsets.get(domain, 1), proto=proto,
            body=functools.partial(self._body, scope, name),
            inline=functools.partial(self._inline, scope, name, proto, inputs),
            constants=self._constants, formats=[_format(one) for one in types],
        )  # fmt: skip
        made, cause = self._translated(node, scope)
        if cause:
            for value, shape in zip(made, shapes, strict=False):
                if shape is None:
                    _marked(value, cause)
        self._check(node, made, shapes)
        self._store(made, outputs, scope)

    def _translated(self, node: OnnxNode, scope: Scope) -> tuple[Sequence[Value], str]:
        """What a node gives, and the first cause where it has no price."""
        unknown = next((value for value in node.inputs if value and value.unknown), None)
        if unknown is not None:
            return self._left(node, reason_unknown(unknown)), unknown.unknown
        reason = _reason_unreadable(node)
        if reason:
            return self._left(node, reason), _cause(node, reason)
        before = len(scope.graph.nodes)
        made = self.table.translate(node)
        last = scope.graph.nodes[-1] if len(scope.graph.nodes) > before else None
        if last is None or last.operation != "unsupported" or last.writes[0] not in made:
            return made, ""
        if [*last.settings["shapes"]] != [*node.shapes]:  # its rule knows them
            return made, ""
        return made, _cause(node, str(last.settings["reason"]))

    def _check_text(self, proto: Any) -> None:
        """Refuse names that are no text: a damaged file gives bytes in their place."""
        for one in (proto.op_type, proto.domain, proto.name, *proto.input, *proto.output):
            if not isinstance(one, str):
                message = f"{self.where}: the name {one!r:.80} of a node or value is no Unicode"
                raise ReadError(message)

    def _name(self, proto: Any, scope: Scope) -> str:
        """The name of a node, which no other has."""
        own = proto.name or next((one for one in proto.output if one), proto.op_type)
        name = checked_name(f"{scope.prefix}{own}", self.where)
        count = self._names[name]
        self._names[name] += 1
        return f"{name}:{count}" if count else name

    def _attributes(self, proto: Any, scope: Scope) -> Iterator[tuple[str, Any]]:
        for one in proto.attribute:
            held = one
            if one.ref_attr_name:
                held = scope.attributes.get(one.ref_attr_name)
                if held is None:
                    continue
            yield one.name, _plain(held, self.where)

    def _left(self, node: OnnxNode, reason: str) -> tuple[Value, ...]:
        """A node that stays, unpriced."""
        with node.graph.source(node.name, f"{self.table.frontend}.{node.operator}"):
            return node.graph.all_of(
                "unsupported", *node.operands, reason=reason, shapes=node.shapes
            )

    def _shape(self, declared: Any) -> tuple[int, ...] | None:
        if declared is None or declared.WhichOneof("value") != "tensor_type":
            return None
        return self.bound.shape_of(axes_of(declared.tensor_type))

    def _check(self, node: OnnxNode, made: Sequence[Value], shapes: Sequence[Any]) -> None:
        """Note where the shape that follows is not the one that the file declares.

        Runtimes take the one that follows as well, and say so.
        """
        for value, shape in zip(made, shapes, strict=False):
            is_other = shape is not None and not value.unknown and shape != value.shape
            if is_other and len(node.graph.notes) < MOST_NOTES:
                node.graph.notes.append(
                    f"node {node.name!r:.80} of {node.operator:.80} gives {value.shape!r:.80}; the "
                    f"file declares {shape!r:.80}"
                )

    def _store(self, made: Sequence[Value], outputs: Sequence[str], scope: Scope) -> None:
        for place, name in enumerate(outputs):
            if not name:
                continue
            if place < len(made):
                scope.values[name] = made[place]
            else:
                value = scope.graph.constant(name, ())
                scope.values[name] = _marked(value, f"no rule says what {name!r:.80} is")

    # ------------------------------------------------------------------ functions

    def _call(
        self, name: str, key: object, proto: Any, inputs: Sequence[Value | None], scope: Scope
    ) -> list[Value]:
        """Add the nodes of a function of the file in the place of its call."""
        if key in scope.calls:
            message = (
                f"{self.where}: function {proto.op_type!r:.80} calls itself; expected functions "
                "that end"
            )
            raise ReadError(message)
        inner = evolve(scope, calls=(*scope.calls, key))
        return self._inline(inner, name, proto, inputs, self.functions[key])

    def _inline(
        self, scope: Scope, name: str, proto: Any, inputs: Sequence[Value | None], function: Any
    ) -> list[Value]:
        given = {one.name: one for one in proto.attribute}
        given = {own: self._resolved(one, scope) for own, one in given.items()}
        known = {one.name: one for one in function.attribute_proto} | {
            own: one for own, one in given.items() if one is not None
        }
        values = {
            own: value for own, value in zip(function.input, inputs, strict=False)
            if value is not None
        }  # fmt: skip
        absent = [own for own in function.input if own not in values]
        own_opsets = opsets_of(function.opset_import, self.where)
        inner = evolve(
            scope, values=values, declared=_declared_by(getattr(function, "value_info", ())),
            opsets={**scope.opsets, **own_opsets}, attributes=known, prefix=f"{name}/",
            depth=scope.depth + 1,
        )  # fmt: skip
        nodes = [_without(one, absent) for one in function.node] if absent else function.node
        self._run(nodes, inner)
        return [
            self._value(one, inner, f"function {function.name!r:.80}") for one in function.output
        ]

    def _resolved(self, attribute: Any, scope: Scope) -> Any:
        if not attribute.ref_attr_name:
            return attribute
        return scope.attributes.get(attribute.ref_attr_name)


_KINDS: Final = {
    "sequence_type": "a sequence", "optional_type": "an optional value", "map_type": "a map",
    "sparse_tensor_type": "a sparse tensor",
}  # fmt: skip
"""What an input is called that is no tensor, by the field of its type."""
_LONGEST: Final = 300
"""Characters of a first cause."""


def _marked(value: Value, cause: str) -> Value:
    value.unknown = cause[:_LONGEST]
    return value


def _cause(node: OnnxNode, reason: str) -> str:
    """The first cause, for what reads the results of the node or follows from these."""
    return f"node {node.name!r:.80}: {reason}"


def _reason_unreadable(node: OnnxNode) -> str:
    """Why a node reads what its rule cannot work with, if it does."""
    for value in node.inputs:
        if isinstance(value, SequenceValue) and node.operator not in OF_SEQUENCES:
            return f"it reads {value.name!r:.80}, a sequence of tensors"
    return ""


def _declared(proto: Any) -> Mapping[str, Any]:
    """The types that a graph declares, by the name of the value."""
    return {**_declared_by(proto.value_info), **_declared_by(proto.output)}


def _declared_by(infos: Iterable[Any]) -> dict[str, Any]:
    return {one.name: one.type for one in infos}


def _format(declared: Any) -> NumericFormat | None:
    if declared is None or declared.WhichOneof("value") != "tensor_type":
        return None
    return tensors.number_of(declared.tensor_type.elem_type)


def _without(proto: Any, absent: Sequence[str]) -> Any:
    """A node of a function that leaves out the inputs that a call leaves out."""
    if not set(absent) & set(proto.input):
        return proto
    node = type(proto)()
    node.CopyFrom(proto)
    del node.input[:]
    node.input.extend("" if one in absent else one for one in proto.input)
    return node


def _plain(attribute: Any, where: str) -> Any:
    """The value of an attribute: numbers, texts, or messages of tensors and graphs."""
    import onnx  # noqa: PLC0415  # only when a file is read

    try:
        value = onnx.helper.get_attribute_value(attribute)
    except (TypeError, ValueError) as error:
        message = f"{where}: attribute {attribute.name!r:.80}: {error}"
        raise ReadError(message) from None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if attribute.type in {onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS}:
        return list(value)
    if attribute.type == onnx.AttributeProto.STRINGS:
        return [one.decode(errors="replace") for one in value]
    return value
