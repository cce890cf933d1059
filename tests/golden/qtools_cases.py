"""The golden cases of QTools, and its drop-in asked about them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from golden import specs

from costmodel_qkeras import drop_in

if TYPE_CHECKING:
    from costmodel_qkeras import QTools

FILES = ("qtools_quantized.json", "qtools_mixed.json", "qtools_exotic.json")
CASES = [case for file in FILES for case in specs.cases(file)]
MERGING = [
    case for case in CASES if any(len(layer["from"]) > 1 for layer in case["spec"]["layers"])
]
"""The cases with a layer of several inputs."""

SAMPLE = MERGING[::4]
"""Some of them, where every case takes long."""

DECLARED_ORDER = json.loads((specs.HERE / "qtools_declared_order.json").read_text())
"""The inputs of merges by case and layer, where QTools was recorded with another order.

QTools walks a set of tensors, so that its order follows memory addresses. These are its answers
with the inputs of each layer walked in the order in which the layer takes them; nothing else in
its answers differs.
"""


def data_types(case: specs.Case) -> dict[str, Any]:
    """The data type map that QTools has for a case in declared order."""
    expected = dict(case["expected"]["dtypes"])
    for layer, inputs in DECLARED_ORDER.get(case["name"], {}).items():
        expected[layer] = {**expected[layer], "input_quantizer_list": inputs}
    return expected


def ask(source: Any, case: specs.Case) -> QTools:
    """The drop-in with the options of a golden case."""
    quantizers = case["source_quantizers"]
    return drop_in.QTools(source, "horowitz", source_quantizers=quantizers, **options(case))


def options(case: specs.Case) -> dict[str, Any]:
    """The formats of a case that asks for a reference."""
    if not case["for_reference"]:
        return {}
    return {"keras_quantizer": "int8", "keras_accumulator": "int32", "for_reference": True}


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
