"""The golden cases of QTools, and its drop-in asked about them."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any
from unittest import mock

from attrs import evolve
from golden import specs

from costmodel_qkeras import drop_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from costmodel_qkeras import QTools
    from costmodel_qkeras.qtools.facts import Node

FILES = ("qtools_quantized.json", "qtools_mixed.json", "qtools_exotic.json")
CASES = [case for file in FILES for case in specs.cases(file)]


def ask(source: Any, case: specs.Case) -> QTools:
    """The drop-in with the options of a golden case."""
    reference = {
        "keras_quantizer": "int8", "keras_accumulator": "int32", "for_reference": True,
    }  # fmt: skip
    options: Any = reference if case["for_reference"] else {}
    quantizers = case["source_quantizers"]
    return drop_in.QTools(source, "horowitz", source_quantizers=quantizers, **options)


def in_every_order(source: Any, case: specs.Case) -> Iterator[QTools]:
    """The drop-in, with the inputs of merges as it finds them and then in every other order.

    QTools walks a set of tensors, so the order of a merge's inputs hangs on memory addresses.
    """
    found = ask(source, case)
    yield found
    inputs = [node.name for node in found._nodes if node.facts.kind == "InputLayer"]
    for nodes in _orders(found._nodes):
        with mock.patch.object(drop_in, "_facts", return_value=(nodes, inputs)):
            yield ask(source, case)


def _orders(nodes: Sequence[Node]) -> Iterator[list[Node]]:
    choices = [list(itertools.permutations(node.sources)) for node in nodes]
    for choice in itertools.product(*choices):
        yield [evolve(node, sources=sources) for node, sources in zip(nodes, choice, strict=True)]


def exactly(value: object) -> str:
    """JSON text, which tells True from 1, 8 from 8.0 and from [8]."""
    return json.dumps(value, sort_keys=True)


def savable(spec: specs.Case) -> specs.Case:
    """The same network with what QKeras needs to save it."""
    layers = [
        {**layer, "args": {**layer["args"], "ema_freeze_delay": 1}}
        if layer["type"] == "QAdaptiveActivation"
        else layer
        for layer in spec["layers"]
    ]
    return {**spec, "layers": layers}
