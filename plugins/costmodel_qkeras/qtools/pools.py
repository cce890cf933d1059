"""Average pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence

from costmodel_qkeras.qtools import kinds
from costmodel_qkeras.qtools.contractions import operation_parts
from costmodel_qkeras.qtools.datatypes import datatype
from costmodel_qkeras.qtools.facts import Edge, LayerFacts, Settings
from costmodel_qkeras.qtools.products import multiply
from costmodel_qkeras.qtools.records import Inferred, Part
from costmodel_qkeras.qtools.sums import accumulate


def average(layer: LayerFacts, edges: Sequence[Edge], settings: Settings) -> Inferred:
    """An average pooling, which QTools prices at nothing if it is quantised."""
    window = layer.pool_size or edges[0].shape[:-1]
    total = accumulate(edges[0].kind, math.prod(window))
    if layer.kind in kinds.QUANTIZED_POOLS:
        reciprocal = datatype(layer.quantizer(0))
        steps = {"pool_sum_accumulator": total,
                 "pool_avg_multiplier": multiply(total.output, reciprocal)}  # fmt: skip
        head, failure = [("average_quantizer", Part(reciprocal))], None
    else:
        steps, head = {"pool_sum_accumulator": total}, []
        failure = "AttributeError: an average pooling has no 'accumulator'"
    if settings.for_reference:
        steps = {name: step.yielding(settings.result) for name, step in steps.items()}
    result = list(steps.values())[-1].output
    return Inferred(result, (*head, *operation_parts(**steps)), failure=failure)
