"""Counts: the operations, parameters and activations of a network, whatever the hardware."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from attrs import field, frozen

from costmodel import registry
from costmodel.conventions.convention import Convention, LayerWork
from costmodel.estimates.estimate import work_by_layer
from costmodel.formats import FLOAT32, MixedPrecision, NumericFormat, parse_format
from costmodel.network.graph import Network
from costmodel.report.estimate_table import listed_reasons
from costmodel.report.table import Column, Table
from costmodel.scenario import Scenario
from costmodel.version import own_version
from costmodel.workload.reasons import Free, Unpriced

SCHEMA: Final = "costmodel/count/1"
WEIGHT_FORMATS: Final = ("float32", "float16", "int8", "int4")
"""The formats that weight memory is given in unless others are asked for."""

FLOPS: Final = {"multiply-accumulate": 2, "multiply-add": 2}
"""Floating-point operations of one operation, where they are not 1."""

_FLOPS_RULE: Final = (
    "FLOPs: 2 for each multiply-accumulate or multiply-add, 1 for each other operation"
)
_BYTE: Final = 8


@frozen
class LayerCount:
    """The operations, parameters and activations of one layer, for one example."""

    lowered: LayerWork

    @property
    def operations(self) -> Mapping[str, int]:
        """Operations by type."""
        counts: Counter[str] = Counter()
        for operator in self.lowered.operators:
            counts.update(operator.operations)
        return {name: count for name, count in counts.items() if count}

    @property
    def is_known(self) -> bool:
        """Whether it is known how much work there is."""
        return not isinstance(self.lowered.work, Unpriced)

    @property
    def activations(self) -> int | None:
        """Elements of all outputs, or None where the shape is not known."""
        layer = self.lowered.layer
        if not layer.outputs or layer.unknown_outputs:
            return None
        return sum(tensor.size for tensor in layer.outputs)

    @property
    def parameters(self) -> int:
        """Parameter elements as far as they are known, none where another layer holds them."""
        layer = self.lowered.layer
        return layer.parameter_count if layer.shares is None else 0

    @property
    def undeclared(self) -> int:
        """Parameter elements of which the layer declares no format."""
        layer = self.lowered.layer
        declared = layer.declared_formats()
        if not declared or layer.shares is not None:
            return self.parameters
        return sum(t.size for name, t in layer.parameters.items() if name not in declared)


def _formats(names: Iterable[str]) -> Mapping[str, NumericFormat]:
    return {name: parse_format(name) for name in names}


@frozen(slots=False)
class Count:
    """The operations, parameters and activations of a network for one example, by a convention."""

    network: Network
    convention: Convention
    layers: tuple[LayerCount, ...]
    formats: Mapping[str, NumericFormat] = field(converter=_formats)
    flops: bool = False
    default_format: NumericFormat = FLOAT32

    @cached_property
    def operations(self) -> Mapping[str, int]:
        """Operations by type, over all layers whose work is known."""
        counts: Counter[str] = Counter()
        for layer in self.layers:
            counts.update(layer.operations)
        return dict(counts.most_common())

    @property
    def macs(self) -> int:
        """Multiply-accumulates, over all layers whose work is known."""
        return sum(layer.lowered.macs for layer in self.layers)

    @property
    def activations(self) -> int:
        """Elements of all outputs of layers, as far as their shapes are known."""
        return sum(layer.activations or 0 for layer in self.layers)

    @property
    def weight_bytes(self) -> Mapping[str, int]:
        """Bytes of all parameters in each format, whatever format they declare."""
        elements = sum(layer.parameters for layer in self.layers)
        return {
            name: math.ceil(number.stored_bits(elements) / _BYTE)
            for name, number in self.formats.items()
        }

    @property
    def declared_weight_bytes(self) -> int | None:
        """Bytes of all parameters as declared, others in the default format.

        None where no layer declares a format.
        """
        if not any(layer.lowered.layer.declared_formats() for layer in self.layers):
            return None
        bits = sum(layer.lowered.layer.weight_bits(self.default_format) for layer in self.layers)
        return math.ceil(bits / _BYTE)

    @property
    def is_known(self) -> bool:
        """Whether the work of every layer is known."""
        return all(layer.is_known for layer in self.layers)

    @property
    def _parameters_known(self) -> bool:
        return all(layer.lowered.layer.is_counted for layer in self.layers)

    @property
    def _activations_known(self) -> bool:
        return all(layer.activations is not None for layer in self.layers)

    def _reasons(self, sort: type) -> Mapping[str, tuple[str, ...]]:
        return {
            item.lowered.layer.name: (item.lowered.work.reason,)  # type: ignore[union-attr]  # a reason
            for item in self.layers
            if isinstance(item.lowered.work, sort)
        }

    def table(self, *, exact: bool = False) -> Table:
        """The table that a person reads; `exact` for programs: full numbers, no separators."""
        style = "" if exact else ","
        columns = [Column(title) for title in ("Layer", "Kind", "Output")]
        titles = ["Parameters", "Activations", "MACs", *(["FLOPs"] if self.flops else [])]
        columns += [Column(title, numeric=True) for title in titles]
        total = [
            _at_least(self.network.parameter_count, style, is_known=self._parameters_known),
            _at_least(self.activations, style, is_known=self._activations_known),
            _at_least(self.macs, style, is_known=self.is_known),
        ]
        if self.flops:
            total.append(_at_least(flops(self.operations), style, is_known=self.is_known))
        return Table(
            f"{self.network.name}: counts for one example, convention {self.convention.name} "
            f"({self.convention.title})",
            [*columns, Column("Operations")],
            [self._row(layer, style) for layer in self.layers],
            [("Total", "", "", *total, _listed(self.operations, style))],
            self._notes(),
            folds=True,
        )

    def _row(self, counted: LayerCount, style: str) -> Iterator[str]:
        layer, unknown = counted.lowered.layer, "?" if style else ""
        yield from (layer.name, layer.kind)
        yield "; ".join(layer.shown_outputs)
        yield f"{layer.parameter_count:{style}}" if layer.is_counted else unknown
        yield unknown if counted.activations is None else f"{counted.activations:{style}}"
        yield f"{counted.lowered.macs:{style}}" if counted.is_known else unknown
        if self.flops:
            yield f"{flops(counted.operations):{style}}" if counted.is_known else unknown
        yield _listed(counted.operations, style)

    def _notes(self) -> Iterator[str]:
        least = "" if self._parameters_known else ">= "
        declared = self.declared_weight_bytes
        if declared is not None:
            has_others = any(layer.undeclared for layer in self.layers)
            others = f", others in {self.default_format}" if has_others else ""
            yield f"weights as declared{others}: {least}{declared:,} bytes"
        held = [one.lowered.layer.declared_formats().values() for one in self.layers]
        if any(isinstance(number, MixedPrecision) for numbers in held for number in numbers):
            yield "weights of mixed precision count with their mean width, those of no bits as 0"
        yield from (
            f"weights in {name}: {least}{size:,} bytes" for name, size in self.weight_bytes.items()
        )
        if self.flops:
            yield _FLOPS_RULE
        for word, sort in (("not counted", Unpriced), ("no work", Free)):
            yield from (f"{word}: {line}" for line in listed_reasons(self._reasons(sort)))

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain values, by the schema that it names."""
        return {
            "schema": SCHEMA,
            "costmodel": own_version(),
            "network": self.network.name,
            "convention": {"name": self.convention.name, "title": self.convention.title},
            "macs": self.macs,
            "operations": dict(self.operations),
            **({"flops": flops(self.operations), "flops_rule": FLOPS} if self.flops else {}),
            "work_is_lower_bound": not self.is_known,
            "parameters": self.network.parameter_count,
            "parameters_are_lower_bound": not self._parameters_known,
            "activations": self.activations,
            "activations_are_lower_bound": not self._activations_known,
            "weight_bytes": dict(self.weight_bytes),
            "weight_bytes_as_declared": self.declared_weight_bytes,
            "default_format": str(self.default_format),
            "unpriced": {name: list(why) for name, why in self._reasons(Unpriced).items()},
            "free": {name: list(why) for name, why in self._reasons(Free).items()},
            "layers": [self._layer_dict(layer) for layer in self.layers],
        }

    def _layer_dict(self, counted: LayerCount) -> dict[str, Any]:
        layer, known = counted.lowered.layer, counted.is_known
        return {
            "name": layer.name,
            "kind": layer.kind,
            "outputs": [None if one is None else list(one) for one in layer.known_outputs],
            "parameters": layer.parameter_count if layer.is_counted else None,
            "shares": layer.shares,
            "activations": counted.activations,
            "macs": counted.lowered.macs if known else None,
            "operations": dict(counted.operations) if known else None,
            **({"flops": flops(counted.operations) if known else None} if self.flops else {}),
        }


def flops(operations: Mapping[str, int]) -> int:
    """Floating-point operations: 2 for each multiply-accumulate or multiply-add, else 1."""
    return sum(number * FLOPS.get(name, 1) for name, number in operations.items())


def count(
    network: Network,
    scenario: Scenario | None = None,
    *,
    convention: str | Convention = "costmodel",
    formats: Sequence[str] = WEIGHT_FORMATS,
    with_flops: bool = False,
) -> Count:
    """Count the operations, parameters and activations of a network, layer by layer.

    `formats` are those in which the memory of all weights is counted. Where layers declare
    formats, the memory as declared is counted too; other weights are in the default format.

    Raises:
        ShapeError: an axis is open that the scenario does not bind.
        UnknownNameError: there is no such convention.
        FormatError: a format has no such name.

    """
    rules = registry.installed().convention(convention)
    lowered = work_by_layer(network, scenario, rules)
    default = (scenario or Scenario()).default_format
    return Count(network, rules, tuple(map(LayerCount, lowered)), formats, with_flops, default)


def _at_least(number: int, style: str, *, is_known: bool) -> str:
    return f"{'' if is_known else '>= '}{number:{style}}"


def _listed(operations: Mapping[str, int], style: str) -> str:
    return "; ".join(f"{number:{style}} {name}" for name, number in operations.items())
