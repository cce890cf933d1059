"""Translations: from a node of a source to operations of a graph, one for each kind of node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import define, field, frozen

from costmodel.errors import CostModelError, ReadError, fault, nearest
from costmodel.frontend.operations.work import Value

if TYPE_CHECKING:
    from costmodel.frontend.graph import Graph

Results: TypeAlias = "Value | Sequence[Value]"

_FAULTS: Final = (
    ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
"""What a translation of a third party may raise."""


@define(eq=False)
class SourceNode:
    """A node of a source, as a translation sees it.

    Args:
        graph: the graph to which the translation adds operations.
        operator: the name of its operator, such as `Conv` or `com.acme::Swish`.
        name: its own name.
        inputs: the values that it reads; None where one is left out.
        attributes: its attributes by name, as plain values.
        results: how many values it gives.
        shapes: the shapes of these that the source declares, None where it does not.

    """

    graph: Graph
    operator: str
    name: str
    inputs: Sequence[Value | None]
    attributes: Mapping[str, Any] = field(factory=dict)
    results: int = 1
    shapes: Sequence[tuple[int, ...] | None] = ()

    def input(self, place: int = 0) -> Value:
        """An input that must be there.

        Raises:
            ReadError: it is left out.

        """
        value = self.optional(place)
        if value is None:
            message = f"node {self.name!r:.80} of {self.operator}: input {place} is missing"
            raise ReadError(message)
        return value

    def optional(self, place: int) -> Value | None:
        """An input, or None where it is left out."""
        return self.inputs[place] if place < len(self.inputs) else None

    @property
    def present(self) -> list[Value]:
        """The inputs that are there."""
        return [value for value in self.inputs if value is not None]

    @property
    def operands(self) -> list[Value]:
        """The inputs that it may compute with: shapes, axes and numbers are no parameters."""
        return [value for value in self.present if not value.is_setting]

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, or the default."""
        return self.attributes.get(name, default)

    def data(self, place: int, what: str) -> Any:
        """The array of an input that must be a known constant: `what` says for what.

        Raises:
            DataDependentError: its data are not known before it runs.

        """
        value = self.input(place)
        if value.data is None:
            message = f"{what} depends on data (input {place}, {value.name!r:.80})"
            raise DataDependentError(message)
        return value.data

    def numbers(self, place: int, what: str) -> list[int]:
        """The whole numbers of an input that must be a known constant, in a row.

        Raises:
            DataDependentError: its data are not known before it runs.

        """
        return [int(number) for number in self.data(place, what).reshape(-1)]

    def add(self, operation: str, *reads: Value | None, **settings: Any) -> Value:
        """Add an operation to the graph; see `Graph.add`."""
        return self.graph.add(operation, *reads, **settings)


class DataDependentError(CostModelError):
    """What a node does follows from data, so that nobody can price it beforehand."""


COMPLEX: Final = "arithmetic of complex numbers is not counted"
"""Why arithmetic of complex numbers has no price."""


class UnknownShapeError(ReadError):
    """A node stays unpriced, and nobody knows the shape of what it gives: see `reason`."""

    def __init__(self, node: SourceNode, reason: str) -> None:
        """Say which node, and why it has no price."""
        self.reason = reason
        super().__init__(
            f"node {node.name!r:.80} of {node.operator}: {reason}; the source does not state the "
            "shape of its result either, so that what follows cannot be read"
        )


def innermost(error: CostModelError) -> str:
    """What was wrong at the very place, without the places around it."""
    while isinstance(error.__cause__, CostModelError):
        error = error.__cause__
    return str(error)


Rule: TypeAlias = Callable[[Any], Any]
"""Adds the operations of a node to its graph; gives the value or values that stand for its own.

It takes a `SourceNode`, or the kind of it that its frontend makes.
"""


@frozen
class Translation:
    """What the nodes of one operator of one frontend become.

    Args:
        frontend: `onnx`, `tflite`, `torch`, `stablehlo`, ...
        operator: the name of the operator there, such as `Conv` or `com.acme::Swish`.
        rule: adds operations to the graph of a node, and gives the values that it stands for.

    """

    frontend: str
    operator: str
    rule: Rule

    @property
    def name(self) -> str:
        """The frontend and the operator."""
        return f"{self.frontend}:{self.operator}"


class TranslationTable:
    """The translations of one frontend by the names of its operators."""

    def __init__(self, frontend: str) -> None:
        """Begin with none."""
        self.frontend = frontend
        self._rules: dict[str, Rule] = {}

    def translates(self, *operators: str) -> Callable[[Rule], Rule]:
        """Mark a function as the rule of these operators."""

        def kept(rule: Rule) -> Rule:
            for operator in operators:
                if operator in self._rules:
                    message = f"{self.frontend}: two rules for {operator!r}"
                    raise ValueError(message)
                self._rules[operator] = rule
            return rule

        return kept

    def find(self, operator: str) -> Rule | None:
        """The rule of an operator, if there is one."""
        return self._rules.get(operator)

    def __contains__(self, operator: object) -> bool:
        return operator in self._rules

    @property
    def operators(self) -> Sequence[str]:
        """The names of all operators that have a rule."""
        return tuple(self._rules)

    def extended(self, more: Iterable[Translation]) -> TranslationTable:
        """The same table with translations of third parties, which go before its own."""
        own = TranslationTable(self.frontend)
        own._rules = {**self._rules, **{one.operator: one.rule for one in more}}
        return own

    def reason_unknown(self, operator: str) -> str:
        """Why a node of an operator without a rule stays unpriced."""
        near = nearest(operator.removesuffix(".default"), self._rules)  # PyTorch's usual overload
        hint = f"nearest known: {near!r}; " if near else ""
        return (
            f"no rule for the {self.frontend} operator {operator!r:.80} ({hint}a plugin can add "
            "one: costmodel_translations)"
        )

    def translate(self, node: SourceNode) -> tuple[Value, ...]:
        """The values that a node gives; it stays, unpriced, where nobody knows what it does.

        Raises:
            UnknownShapeError: nobody knows what it does, nor the shapes of what it gives.
            ReadError: the node is not as its operator demands.

        """
        with node.graph.source(node.name, f"{self.frontend}.{node.operator}"):
            rule = self.find(node.operator)
            if rule is None:
                return _unsupported(node, self.reason_unknown(node.operator))
            try:
                given = rule(node)
            except DataDependentError as error:
                return _unsupported(node, str(error))
            except CostModelError as error:
                message = f"{self.frontend} node {node.name!r:.80} of {node.operator}: {error}"
                raise ReadError(message) from error
            except _FAULTS as error:
                message = (
                    f"{self.frontend} node {node.name!r:.80} of {node.operator} is not as its "
                    f"operator demands: {fault(error, rule)}"
                )
                raise ReadError(message) from error
            return (given,) if isinstance(given, Value) else tuple(given)


def _unsupported(node: SourceNode, reason: str) -> tuple[Value, ...]:
    """An operation of which only the reason is known why it has no price.

    Raises:
        UnknownShapeError: the shapes of its results are not known either.

    """
    shapes = [*node.shapes, *[None] * node.results][: node.results]
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        raise UnknownShapeError(node, reason)
    return node.graph.all_of("unsupported", *node.operands, reason=reason, shapes=known)
