"""An accelerator as the text of a device file of the class `spatial`, to be completed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from costmodel_hardware.spatial.architecture import Level
from costmodel_hardware.spatial.zigzag.golden_cases import PICO, Accelerator

_SOURCE: Final = "source: zigzag, evidence: assumed"
_HEAD: Final = "# Draft from a hardware file of ZigZag, which states no clock, area or leakage."


def device_text(accelerator: Accelerator) -> str:
    """The text of a draft; the clock is a placeholder, as ZigZag counts in cycles."""
    architecture = accelerator.architecture
    axes = [f"{name}: {size}" for name, size in architecture.axes]
    if architecture.systolic:
        systolic = [name for name, _ in architecture.axes if name in architecture.systolic]
        axes.append(f"systolic: {_listed(systolic)}")
    energy = f"value: {_pico(architecture.mac_energy)}, {_SOURCE}"
    lines = [
        _HEAD,
        "schema: costmodel/device/2",
        f"name: {architecture.name.replace('_', '-')}",
        "class: spatial",
        f"title: {architecture.name} of ZigZag",
        'sources: {zigzag: "ZigZag 3.9.1, hardware file", placeholder: "not stated; replace it"}',
        "clock: {value: 1 GHz, source: placeholder, evidence: assumed}",
        f"array: {{{', '.join(axes)}}}",
        f"compute: {{energy_per_mac: {{{energy}}}, cycles_per_mac: {architecture.cycles_per_mac}}}",
        "memories:",
        *(line for level in architecture.levels for line in _memory(level)),
        "dataflow:",
        *(
            f"  {axis}: {_listed(f'{dim} {size}' for dim, size in loops)}"
            for axis, loops in accelerator.dataflow.items()
        ),
        "mapping: search",
        "accounting: zigzag",
    ]
    return "\n".join(lines) + "\n"


def _memory(level: Level) -> Iterator[str]:
    size = "unlimited" if level.size_bits is None else f"{level.size_bits} bit"
    yield f"  - name: {level.name}"
    yield f"    holds: {_listed(level.holds)}"
    yield f"    size: {size}"
    yield f"    per: {_listed(level.per)}"
    yield f"    double_buffered: {str(level.double_buffered).lower()}"
    yield f"    read: {{energy: {_pico(level.read_energy)}, width: {level.read_bits} bit}}"
    yield f"    write: {{energy: {_pico(level.write_energy)}, width: {level.write_bits} bit}}"
    yield f"    {_SOURCE.replace(', ', f'{chr(10)}    ')}"
    yield "    ports:"
    for port in level.ports:
        uses = _listed(f"{use.operand} {use.flow}" for use in sorted(port.uses))
        yield (
            f"      - {{width: {port.bits_per_cycle:.0f} bit, smallest: {port.smallest_bits} bit, "
            f"uses: {uses}}}"
        )


def _pico(joules: float) -> str:
    return f"{joules / PICO:.12g} pJ"


def _listed(names: Iterable[str]) -> str:
    return f"[{', '.join(names)}]"
