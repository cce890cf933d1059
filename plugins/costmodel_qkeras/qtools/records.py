"""What QTools knows about a layer once its datatypes are inferred."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from attrs import frozen

from costmodel_qkeras.qtools.datatypes import Datatype, Mode
from costmodel_qkeras.qtools.facts import Shape
from costmodel_qkeras.qtools.operations import Operation


@frozen
class Part:
    """One entry of a record: a datatype, with a shape or an implementation where it has one."""

    kind: Datatype
    shape: Shape | int | None = None
    implementation: str | None = None

    @classmethod
    def of(cls, operation: Operation) -> Part:
        """The entry of an operation."""
        return cls(operation.output, implementation=operation.implementation)

    def as_json(self) -> dict[str, Any]:
        """The entry of QTools' dictionary."""
        entry = self.kind.as_json()
        if self.shape is not None:
            entry["shape"] = self.shape
        if self.implementation is not None:
            entry["op_type"] = self.implementation
        return entry


@frozen
class Work:
    """One priced operation: the row of the energy table, the column, factor and size."""

    family: str
    operation: str
    factor: float
    bits: float

    @classmethod
    def of(cls, operation: Operation) -> Work:
        """What an operation costs once."""
        output = operation.output
        family = f"fp{output.bits}" if output.mode is Mode.FLOAT else "fpm"
        return cls(family, operation.implementation, operation.gate_factor, operation.gate_bits)


@frozen
class Stored:
    """A tensor in memory: its elements and the bits of each."""

    elements: int
    bits: int


@frozen
class Inferred:
    """What the rule of a layer yields: its own result, before an activation, and its cost.

    `failure` is the exception that QTools raises where it has no answer but this package does.
    """

    result: Datatype
    parts: tuple[tuple[str, Part], ...] = ()
    parameters: tuple[Stored, ...] = ()
    work: tuple[Work, ...] = ()
    repetitions: int = 0
    failure: str | None = None


@frozen(cache_hash=True)
class Record:
    """What QTools knows about one layer; `repetitions` is how often its work is done."""

    kind: str
    inputs: tuple[Datatype, ...]
    output: Datatype
    output_shape: Shape
    operation_count: int
    parts: tuple[tuple[str, Part], ...] = ()
    reads: tuple[Stored, ...] = ()
    parameters: tuple[Stored, ...] = ()
    work: tuple[Work, ...] = ()
    repetitions: int = 0
    multiplies_first: bool = False
    failure: str | None = None

    def part(self, name: str) -> Part | None:
        """One entry, such as `weight_quantizer`, or None."""
        return dict(self.parts).get(name)

    def as_json(self) -> dict[str, Any]:
        """The layer's entry in QTools' data type map."""
        entry = {
            name: dict(value) if value.__class__ is dict else value
            for name, value in _entry(self).items()
        }
        inputs = entry["input_quantizer_list"]
        return entry | {"input_quantizer_list": [dict(kind) for kind in inputs]}


@lru_cache(maxsize=4096)
def _entry(record: Record) -> dict[str, Any]:
    """The entry of a layer, of which the caller must give away copies."""
    shape = (-1, *record.output_shape)
    return {
        "layer_type": record.kind,
        "input_quantizer_list": [kind.as_json() for kind in record.inputs],
        "output_quantizer": record.output.as_json() | {"shape": shape},
        **{name: part.as_json() for name, part in record.parts},
        "operation_count": record.operation_count,
    }
