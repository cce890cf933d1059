"""An accelerator as the text of a device file of the class `spatial`, to be completed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from costmodel_hardware.spatial.architecture import Level
from costmodel_hardware.spatial.zigzag.golden_cases import PICO, Accelerator
from costmodel_hardware.spatial.zigzag.traffic import READS

CLOCK: Final = 1e9
"""Hertz: a placeholder, as ZigZag counts in cycles."""
DIMENSIONS: Final = {
    "K": "filters", "C": "input channels", "OY": "output rows", "OX": "output columns",
    "FY": "window rows", "FX": "window columns", "G": "groups", "B": "positions",
}  # fmt: skip
"""ZigZag's name of each dimension, and that of a device file."""
_SOURCE: Final = "source: zigzag, evidence: assumed"
_HEAD: Final = (
    "# Draft from a hardware file of ZigZag, which states no clock, area or leakage, and no vector",
    "# unit: a layer with an activation has no price until `vector_rate` stands under parameters.",
    "# Each memory has one port for both ways, or one for each, as wide as the widest of the file.",
)
_BYTE: Final = 8


def device_text(accelerator: Accelerator) -> str:
    """The text of a draft, whose clock is a placeholder.

    It has one port for both ways of a memory, or one for each; a file of ZigZag may have more.
    """
    architecture = accelerator.architecture
    axes = ", ".join(f"{name}: {size}" for name, size in architecture.axes)
    systolic = [name for name, _ in architecture.axes if name in architecture.systolic]
    energy = f"value: {_pico(architecture.mac_energy)}, {_SOURCE}"
    lines = [
        *_HEAD,
        "schema: costmodel/device/2",
        f"name: {architecture.name.replace('_', '-')}",
        "class: spatial",
        f"title: {architecture.name} of ZigZag",
        'sources: {zigzag: "ZigZag 3.9.1, hardware file", placeholder: "not stated; replace it"}',
        "parameters:",
        "  clock: {value: 1 GHz, source: placeholder, evidence: assumed}",
        f"  energy_per_mac: {{int8: {{{energy}}}}}",
        "settings:",
        f"  array: {{{axes}}}",
        *([f"  systolic: {_listed(systolic)}"] if systolic else []),
        f"  cycles_per_mac: {architecture.cycles_per_mac}",
        "  accumulator_bits: 16",
        "  accounting: zigzag",
        *(["  dataflow:"] if accelerator.dataflow else []),
        *(
            f"    {axis}: {_listed(DIMENSIONS[loop.dim] for loop in loops)}"
            for axis, loops in accelerator.dataflow.items()
        ),
        "memories:",
        *(line for level in architecture.levels for line in _memory(level)),
    ]
    return "\n".join(lines) + "\n"


def _memory(level: Level) -> Iterator[str]:
    size = "unlimited" if level.size_bits is None else f"{level.size_bits} bit"
    widest = max(port.bits_per_cycle for port in level.ports)
    is_shared = any(len({use.flow in READS for use in port.uses}) > 1 for port in level.ports)
    yield f"  - name: {level.name}"
    yield f"    holds: {_listed(level.holds)}"
    yield f"    size: {_sized(size)}"
    yield f"    bandwidth: {widest * CLOCK / _BYTE:.12g} B/s"
    yield f"    per: {_listed(level.per)}"
    yield f"    shared_port: {str(is_shared).lower()}"
    yield f"    double_buffered: {str(level.double_buffered).lower()}"
    for way, joules, bits in (
        ("read", level.read_energy, level.read_bits),
        ("write", level.write_energy, level.write_bits),
    ):
        smallest = min(level.smallest_bits, bits)
        yield (
            f"    {way}: {{energy: {_pico(joules)}, width: {bits} bit, smallest: {smallest} bit}}"
        )
    yield f"    {_SOURCE.replace(', ', f'{chr(10)}    ')}"


def _sized(text: str) -> str:
    bits, _, unit = text.partition(" ")
    return text if unit != "bit" else f"{int(bits) / _BYTE:.12g} B"


def _pico(joules: float) -> str:
    return f"{joules / PICO:.12g} pJ"


def _listed(names: Iterable[str]) -> str:
    return f"[{', '.join(names)}]"
