"""Layers of several inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from costmodel_qkeras.qtools.datatypes import Datatype
from costmodel_qkeras.qtools.errors import QToolsError
from costmodel_qkeras.qtools.facts import Edge, LayerFacts, Settings
from costmodel_qkeras.qtools.operations import Operation
from costmodel_qkeras.qtools.products import multiply
from costmodel_qkeras.qtools.records import Inferred, Part, Work
from costmodel_qkeras.qtools.sums import widest

Rule: TypeAlias = Callable[[Sequence[Datatype]], Operation]


def _add(inputs: Sequence[Datatype]) -> Operation:
    # One digit more, however many inputs there are.
    output = widest(inputs, 1)
    return Operation(output, "add", 1.0, output.bits)


def _multiply(inputs: Sequence[Datatype]) -> Operation:
    if len(inputs) == 1:
        message = "QTools raises UnboundLocalError: it sees one input of a multiplication"
        raise QToolsError(message)
    done = Operation(inputs[0], "mul")
    for kind in inputs[1:]:
        # Only the last circuit is kept.
        done = multiply(done.output, kind)
    return done


def _dot(_: Sequence[Datatype]) -> Operation:
    message = "QTools raises AttributeError: it has no rule for a Dot"
    raise QToolsError(message)


def _identity(kind: Datatype) -> tuple[str, int, int, int]:
    """What QTools compares to tell whether two datatypes are the same."""
    return kind.name, kind.bits, kind.int_bits, kind.is_signed


def _choose(gate_factor: float) -> Rule:
    """The rule of the merges whose output is one of the inputs, or all of them."""

    def rule(inputs: Sequence[Datatype]) -> Operation:
        are_alike = len({_identity(kind) for kind in inputs}) == 1
        output = inputs[0] if are_alike else widest(inputs, 0)
        return Operation(output, "add", gate_factor, output.bits)

    return rule


MERGES: Final[Mapping[str, Rule]] = {
    "Add": _add,
    "Average": _choose(1.0),
    "Concatenate": _choose(0.0),
    "Dot": _dot,
    "Maximum": _choose(0.2),
    "Minimum": _choose(0.2),
    "Multiply": _multiply,
    "Subtract": _add,
}
"""The rules by kind; the gate factors are those of QTools: a comparison is a fifth of an adder."""

PRICED: Final = frozenset({"Add", "Multiply", "Subtract"})
_FAILURES: Final = {"Subtract": "AttributeError: it has no rule for a Subtract"}


def merge(layer: LayerFacts, edges: Sequence[Edge], settings: Settings) -> Inferred:
    """A layer of several inputs."""
    merged = MERGES[layer.kind]([edge.kind for edge in edges])
    if settings.for_reference:
        merged = merged.yielding(settings.result)
    return Inferred(
        merged.output,
        ((f"{layer.kind}_quantizer", Part.of(merged)),),
        work=(Work.of(merged),) if layer.kind in PRICED else (),
        repetitions=len(edges) - 1,
        failure=_FAILURES.get(layer.kind),
    )
