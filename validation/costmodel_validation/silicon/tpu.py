"""TPU v1: operations in a second of the six applications of its paper.

Shapes of layers were never published. The stand-ins are square layers, as many as stated and with
as many weights together; convolutions of 3 x 3 over as many positions as the stated intensity and
batch make.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import yaml
from attrs import frozen

from costmodel.formats import parse_format
from costmodel.scenario import Scenario
from costmodel.workload.builders import conv, matmul
from costmodel.workload.graph import Node, Workload

if TYPE_CHECKING:
    from costmodel.registry import Registry

DEVICE: Final = "tpu-v1"
WINDOW: Final = 3
OPERATIONS: Final = 2
"""Of a multiply-accumulate."""


@functools.cache
def facts() -> Mapping[str, Mapping[str, Any]]:
    """The applications, as the file beside this module has them."""
    text = (files("costmodel_validation.silicon") / "tpu.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Mapping[str, Any]] = yaml.safe_load(text)["applications"]
    return found


@frozen
class Application:
    """Operations in a second of an application: measured, by roofline and on stand-in layers."""

    name: str
    achieved: float
    roofline: float
    on_layers: float


def workload(name: str) -> Workload:
    """The stand-in of an application: square layers one after the other."""
    row = facts()[name]
    number, batch = row["layers"], row["batch"]
    is_dense = row["kind"] == "dense"
    window = 1 if is_dense else WINDOW**2
    width = round(math.sqrt(row["weights"] * 1e6 / number / window))
    data: tuple[int, ...]
    kernel: tuple[int, ...]
    if is_dense:
        data, kernel = (batch, width), (width, width)
        operator = matmul(data, kernel)
    else:
        side = round(math.sqrt(row["intensity"] / batch))
        data, kernel = (batch, width, side, side), (width, width, WINDOW, WINDOW)
        operator = conv(data, kernel, padding=WINDOW // 2)
    values = [f"x{place}" for place in range(number + 1)]
    weights = [f"w{place}" for place in range(number)]
    nodes = [
        Node(f"layer{place}", operator, (before, weights[place], after))
        for place, (before, after) in enumerate(pairwise(values))
    ]
    tensors = dict.fromkeys(values, data) | dict.fromkeys(weights, kernel)
    return Workload(
        name, tensors, nodes, inputs=values[:1], outputs=values[-1:], weights=weights
    )  # fmt: skip


def applications(registry: Registry) -> tuple[Application, ...]:
    """All six, in operations in a second."""
    chip: Any = registry.device(DEVICE)
    scenario = Scenario(default_format=parse_format("int8"))
    peak = OPERATIONS * chip.macs_per_second
    bandwidth = chip.parameters["dram.bandwidth"].value
    found = []
    for name, row in facts().items():
        estimate = chip.evaluate(workload(name), scenario)
        found.append(
            Application(
                name,
                row["achieved"] * 1e12,
                min(peak, OPERATIONS * bandwidth * row["intensity"]),
                OPERATIONS * estimate.macs / (estimate.latency_seconds or math.inf),
            )
        )
    return tuple(found)
