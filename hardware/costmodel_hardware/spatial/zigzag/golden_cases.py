"""Cases of the form of tests/golden/zigzag.json.gz: accelerators, layers, mappings, and counts.

The file was made by running the package zigzag-dse 3.9.1 (MIT licence). Its units are bits, cycles
and pJ. Memories say which axes one instance serves; here a memory exists per axis that neither it
nor one within it serves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from costmodel.workload.affine import Affine
from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Level, Port, Slot, Use
from costmodel_hardware.spatial.mapping import Mapping as LoopMapping
from costmodel_hardware.spatial.nest import Loop, Nest, Tensor
from costmodel_hardware.spatial.zigzag.traffic import READS

PICO: Final = 1e-12
DIMS: Final[Mapping[str, str]] = {
    "B": "batch", "G": "groups", "K": "filters", "C": "channels", "OY": "output_height",
    "OX": "output_width", "FY": "filter_height", "FX": "filter_width",
}  # fmt: skip
"""ZigZag's name of each dimension, and that of its size in a layer of the file."""
CONVOLUTION: Final[Mapping[str, str]] = dict(zip(DIMS, "ngkcpqrs", strict=True))
"""ZigZag's name of each dimension, and that of `costmodel.conv`."""


@frozen
class Accelerator:
    """An architecture of the file, and how it spreads loops: units for dimensions, by axis."""

    architecture: Architecture
    dataflow: Mapping[str, tuple[Loop, ...]]

    def spatial(self, nest: Nest) -> tuple[tuple[str, tuple[Loop, ...]], ...]:
        """The loops of each axis, none wider than its dimension.

        Dimensions have the names of ZigZag, or those of `costmodel.conv`; a nest may lack some.
        """
        sizes = nest.sizes
        named = {
            axis: [(dim if dim in sizes else CONVOLUTION[dim], size) for dim, size in loops]
            for axis, loops in self.dataflow.items()
        }
        return tuple(
            (axis, tuple(Loop(dim, min(size, sizes[dim])) for dim, size in loops if dim in sizes))
            for axis, loops in named.items()
        )


def accelerator_of(given: Mapping[str, Any]) -> Accelerator:
    """An accelerator of the file."""
    memories = given["memories_inner_to_outer"]
    served: dict[str, set[str]] = {slot: set() for slot in SLOTS}
    levels = []
    for one in memories:
        for slot in one["operands"]:
            served[slot] |= set(one["one_instance_serves_array_dimensions"])
        by_all = set.intersection(*(served[slot] for slot in one["operands"]))
        levels.append(_level(one, [axis for axis in given["array"] if axis not in by_all]))
    return Accelerator(
        Architecture(
            name=given["name"],
            axes=given["array"],
            levels=levels,
            systolic=given["systolic_dimensions"],
            mac_energy=given["mac_energy_pj"] * PICO,
        ),
        {
            axis: tuple(Loop(*loop) for loop in loops)
            for axis, loops in given["spatial_mapping"].items()
        },
    )


def _level(given: Mapping[str, Any], per: Sequence[str]) -> Level:
    ports = [
        Port(
            f"{place}",
            one["bandwidth_max_bits"],
            [Use(*use) for use in one["uses"]],
            one["bandwidth_min_bits"],
        )
        for place, one in enumerate(given["ports"])
    ]
    return Level(
        name=given["name"],
        holds=given["operands"],
        size_bits=given["size_bits"],
        per=per,
        read_energy=given["read_energy_pj"] * PICO,
        read_bits=_width(ports, reads=True),
        write_energy=given["write_energy_pj"] * PICO,
        write_bits=_width(ports, reads=False),
        smallest_bits=min(port.smallest_bits for port in ports),
        ports=ports,
        double_buffered=given["double_buffered"],
    )


def _width(ports: Sequence[Port], *, reads: bool) -> int:
    """Bits of the widest port for reads, or for writes; 1 where there is none."""
    widths = [
        int(port.bits_per_cycle)
        for port in ports
        if any((use.flow in READS) == reads for use in port.uses)
    ]
    return max(widths, default=1)


def nest_of_layer(given: Mapping[str, Any]) -> Nest:
    """The nest of a layer of the file: a convolution without padding."""
    sizes = {dim: given[name] for dim, name in DIMS.items()}
    stride, bits = given["stride"], given["bits"]
    height = stride * (sizes["OY"] - 1) + sizes["FY"]
    width = stride * (sizes["OX"] - 1) + sizes["FX"]

    extents = {**sizes, f"{stride}OY + FY": height, f"{stride}OX + FX": width}

    def tensor(bits: int, axes: Sequence[str], partial_bits: int) -> Tensor:
        shape = tuple(extents[axis] for axis in axes)
        return Tensor(bits, shape, tuple(Affine.of(axis) for axis in axes), partial_bits)

    windows = (f"{stride}OY + FY", f"{stride}OX + FX")
    return Nest(
        sizes,
        tensor(bits["I"], ("B", "G", "C", *windows), bits["I"]),
        tensor(bits["W"], ("G", "K", "C", "FY", "FX"), bits["W"]),
        tensor(bits["O_final"], ("B", "G", "K", "OY", "OX"), bits["O"]),
    )


def mapping_of(accelerator: Accelerator, nest: Nest, given: Mapping[str, Any]) -> LoopMapping:
    """A mapping of the file, on its accelerator."""
    cuts: dict[Slot, list[int]] = {}
    for slot in SLOTS:
        lengths = [len(one["temporal_loops_inner_to_outer"]) for one in given["operands"][slot]]
        cuts[slot] = [sum(lengths[: place + 1]) for place in range(len(lengths) - 1)]
    return LoopMapping(accelerator.spatial(nest), given["temporal_order_inner_to_outer"], cuts)
