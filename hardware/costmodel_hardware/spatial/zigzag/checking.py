"""Compare what is counted for the mappings of a file with what ZigZag counted for them.

The file is an object with `accelerators` and `cases`, as tests/golden/zigzag.json.gz.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from costmodel.errors import CostModelError
from costmodel_hardware.spatial.zigzag.accounting import ZigZagCount, count
from costmodel_hardware.spatial.zigzag.golden_cases import (
    PICO,
    accelerator_of,
    mapping_of,
    nest_of_layer,
)

QUANTITIES: Final[Mapping[str, str]] = {
    "energy_pj": "arithmetic and all memories",
    "mac_energy_pj": "energy of a MAC times all MACs",
    "memory_energy_pj": "words read and written times their energies, of all operands",
    "latency_cycles": "compute, stall, onload, offload and drain",
    "compute_cycles_ideal": "MACs over units, rounded up",
    "compute_cycles_mapped": "product of the loops in time",
    "stall_cycles": "of the port that is late the most",
    "onload_cycles": "first loads of inputs and weights",
    "offload_cycles": "last stores of outputs",
    "systolic_drain_cycles": "units in use along systolic axes, less one of each",
    "spatial_utilization": "ideal over mapped cycles",
    "overall_utilization": "ideal cycles over latency",
    "word_accesses": "words of an operand that a memory reads or writes",
    "operand_energy_pj": "words of an operand in a memory times their energies",
    "double_buffered": "whether a memory takes the next data of an operand beside those in use",
}
"""The quantities of a file, and what each is made of."""


class Compared(NamedTuple):
    """A quantity of a case: what is counted, and what the file has."""

    suite: str
    quantity: str
    case: str
    found: float
    expected: float


def compared(file: Mapping[str, Any]) -> Iterator[Compared]:
    """Every quantity of every mapping of a file.

    Raises:
        CostModelError: a part of the file is not as the form demands.

    """
    where = "accelerators"
    try:
        accelerators = {name: accelerator_of(one) for name, one in file["accelerators"].items()}
        for place, case in enumerate(file["cases"]):
            where = f"case {place}"
            accelerator = accelerators[case["accelerator"]]
            nest = nest_of_layer(case["layer"])
            for name, given in mappings_given(case):
                counted = count(
                    nest, accelerator.architecture, mapping_of(accelerator, nest, given)
                )
                for quantity, what, found, expected in _pairs(counted, given):
                    label = f"{case['id']}, {name}{what and ', '}{what}"
                    yield Compared(case["accelerator"], quantity, label, found, expected)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        message = (
            f"{where}: {type(error).__name__}: {error}; expected the form of "
            "tests/golden/zigzag.json.gz"
        )
        raise CostModelError(message) from None


def mappings_given(case: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The counted mappings of a case, each with a name."""
    for goal, given in case.get("best", {}).items():
        yield f"best {goal}", given
    for place, given in enumerate(case["sampled_mappings"]):
        yield f"sample {place}", given


def _pairs(
    counted: ZigZagCount, given: Mapping[str, Any]
) -> Iterator[tuple[str, str, float, float]]:
    """Quantities with the place in a mapping, what is counted, and what is expected."""
    whole = {
        "energy_pj": counted.energy / PICO,
        "mac_energy_pj": counted.mac_energy / PICO,
        "latency_cycles": counted.latency_cycles,
        "compute_cycles_ideal": counted.compute_cycles_ideal,
        "compute_cycles_mapped": counted.compute_cycles_mapped,
        "stall_cycles": counted.stall_cycles,
        "onload_cycles": counted.onload_cycles,
        "offload_cycles": counted.offload_cycles,
        "systolic_drain_cycles": counted.drain_cycles,
        "spatial_utilization": counted.spatial_utilization,
        "overall_utilization": counted.overall_utilization,
    }
    for quantity, found in whole.items():
        yield quantity, "", found, given[quantity]
    for memory, expected in given["memory_energy_pj"].items():
        yield "memory_energy_pj", memory, counted.memory_energy[memory] / PICO, expected
    for operand, memories in given["operands"].items():
        for one in memories:
            held = counted.of(operand, one["memory"])
            what = f"{operand} in {one['memory']}"
            yield "operand_energy_pj", what, held.energy / PICO, one["energy_pj"]
            yield "double_buffered", what, held.double_buffered, one["double_buffered"]
            for flow, words in one["word_accesses"].items():
                yield "word_accesses", f"{what}, {flow}", held.words.get(flow, 0), words
