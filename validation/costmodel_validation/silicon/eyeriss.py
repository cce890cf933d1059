"""Eyeriss v1: times and energies of AlexNet, as its paper maps it, and of VGG-16."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import yaml
from attrs import frozen

from costmodel.formats import parse_format
from costmodel.scenario import Scenario
from costmodel.workload.builders import conv
from costmodel.workload.graph import Node, Workload
from costmodel_hardware.spatial.architecture import SLOTS
from costmodel_hardware.spatial.mapping import Mapping as Nesting
from costmodel_hardware.spatial.placement import SpatialPlacement

if TYPE_CHECKING:
    from costmodel.devices import DeviceEstimate
    from costmodel.registry import Registry

DEVICE: Final = "eyeriss-v1"
MAPPINGS: Final = "eyeriss-mappings.json"
"""The mappings of `published`, to give to the device."""
MEGA: Final = 1e6


@functools.cache
def facts() -> Mapping[str, Any]:
    """Layers, mappings and measurements, as the file beside this module has them."""
    text = (files("costmodel_validation.silicon") / "eyeriss.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = yaml.safe_load(text)
    return found


@frozen
class Layer:
    """A layer of a batch: what was measured, and what the device predicts.

    Times in seconds, energies of the chip without DRAM in joules, traffic in bytes.
    """

    name: str
    zeros: float
    """The share of inputs that are zero."""
    processing: float
    total: float
    energy: float
    buffer: float
    dram: float
    predicted_processing: float
    """No layer here waits for the DRAM of the device, so that this is its total, too."""
    predicted_energy: float
    gated_energy: float
    """The predicted energy if no input that is zero reads a filter or multiplies."""
    predicted_buffer: float
    predicted_dram: float


def published(name: str) -> Nesting:
    """The mapping of a layer of AlexNet that Table III gives, on the array of 12 x 14 units.

    A set of window rows x e output rows lies in the array as often as r channels and t filters
    ask for. Where e rows are more than an axis has, two parts of a set lie one above the other.
    Each unit goes through q channels and p filters for one output; then come the outputs of a row,
    n images, the other filters in the buffer, all channels, and what is left. The paper gives
    no order inside a unit: here its sum takes the window first, so that each multiply-accumulate
    reads an input, as the paper's count of accesses has it.
    """
    layer, given = facts()["layers"][name], facts()["mapping"][name]
    filters, channels = (layer[key] // layer["groups"] for key in ("filters", "channels"))
    window, columns = layer["window"], _array()["columns"]
    side = (layer["side"] + 2 * layer["padding"] - window) // layer["stride"] + 1
    beside, above = min(columns // given["e"] or 1, given["t"]), -(-given["e"] // columns)
    rows = [("r", window), ("c", given["r"]), ("k", given["t"] // beside), ("p", above)]
    across = [("p", -(-given["e"] // above)), ("k", beside)]
    together = {"k": given["p"] * given["t"], "c": given["q"] * given["r"]}
    temporal = [
        ("s", window), ("c", given["q"]), ("k", given["p"]), ("q", side), ("n", given["n"]),
        ("k", -(-given["m"] // together["k"])), ("c", -(-channels // together["c"])),
        ("k", -(-filters // given["m"])), ("p", -(-side // given["e"])),
        ("n", facts()["alexnet"]["batch"] // given["n"]), ("g", layer["groups"]),
    ]  # fmt: skip
    return Nesting(
        {
            "rows": [one for one in rows if one[1] > 1],
            "columns": [one for one in across if one[1] > 1],
        },
        temporal,
        {"input": (2, 5), "weight": (3, 3), "output": (3, 7)},
    )


def _array() -> Mapping[str, int]:
    return {"rows": 12, "columns": 14}


def mappings_text(registry: Registry, names: Iterable[str] | None = None) -> str:
    """The published mappings of these layers of AlexNet, of all by default, as JSON by name.

    Each has a line.
    """
    chip: Any = registry.device(DEVICE)
    levels = chip.architecture.levels
    memories: Any = {
        slot: [levels[place].name for place in chip.architecture.chain(slot)] for slot in SLOTS
    }
    lines = [
        f"{json.dumps(name)}: {json.dumps(published(name).to_dict(memories))}"
        for name in (facts()["mapping"] if names is None else names)
    ]
    return "{" + ",\n ".join(lines) + "}\n"


def workload(name: str, batch: int) -> Workload:
    """A layer alone, of a whole batch; its name is that of the operator."""
    layer = facts()["layers"][name]
    image = (batch, layer["channels"], layer["side"], layer["side"])
    kernel = (
        layer["filters"], layer["channels"] // layer["groups"], layer["window"], layer["window"],
    )  # fmt: skip
    operator = conv(
        image, kernel, stride=layer["stride"], padding=layer["padding"], groups=layer["groups"]
    )
    tensors = {"image": image, "kernel": kernel, "sums": operator.outputs[0].tensor.shape}
    return Workload(
        name, tensors, [Node(name, operator, ("image", "kernel", "sums"))],
        inputs=["image"], outputs=["sums"], weights=["kernel"],
    )  # fmt: skip


def layers(network: str, registry: Registry) -> tuple[Layer, ...]:
    """The layers of `alexnet`, with their published mappings, or of `vgg16`, with those found."""
    scenario = Scenario(default_format=parse_format("int16"))
    measured = facts()[network]
    rows = []
    for name, row in measured["layers"].items():
        given = {"mapping": mappings_text(registry, [name])} if network == "alexnet" else {}
        chip = registry.device(DEVICE, **given)
        estimate = chip.evaluate(workload(name, measured["batch"]), scenario)
        rows.append(_layer(name, row, estimate))
    return tuple(rows)


def _layer(name: str, row: Mapping[str, float], estimate: DeviceEstimate) -> Layer:
    energy = estimate.energy_joules_by_resource
    on_chip = math.fsum(energy.values()) - energy["dram"]
    zeros = row["zeros"] / 100
    gated = zeros * (energy["array"] + energy["filter-scratchpad"])
    return Layer(
        name, zeros,
        row["processing"] / 1e3, row["total"] / 1e3, row["power"] * row["processing"] / MEGA,
        row["buffer"] * MEGA, row["dram"] * MEGA,
        estimate.latency_seconds or 0.0, on_chip, on_chip - gated,
        _buffer_bytes(estimate, name), float(sum(estimate.traffic_bytes["dram"])),
    )  # fmt: skip


def _buffer_bytes(estimate: DeviceEstimate, name: str) -> float:
    """Bytes of inputs that the buffer reads, and of sums that it reads and writes.

    The paper counts so: of conv2 these are 77.6 MB; filters, and what comes from DRAM, are not in.
    """
    placement = estimate.placement
    assert isinstance(placement, SpatialPlacement)  # noqa: S101  # the device is of that class
    counted = {
        ("input", "read_to_below"), ("output", "read_to_below"),
        ("output", "write_from_below"), ("output", "read_to_above"),
    }  # fmt: skip
    transfers = placement.mapped[name].costs.transfers
    return sum(
        one.bits / 8 for one in transfers
        if one.level == "buffer" and (one.operand, one.flow) in counted
    )  # fmt: skip
