"""Hardware files of ZigZag become architectures; what is not understood is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from attrs import evolve
from click.testing import CliRunner
from figures import near

import costmodel
from costmodel.errors import DeviceFileError
from costmodel_hardware.spatial.architecture import FLOWS, SLOTS, Level, Port, Use
from costmodel_hardware.spatial.check import read
from costmodel_hardware.spatial.device import SpatialAccelerator
from costmodel_hardware.spatial.nest import Loop
from costmodel_hardware.spatial.zigzag.__main__ import main
from costmodel_hardware.spatial.zigzag.device_text import device_text
from costmodel_hardware.spatial.zigzag.golden_cases import accelerator_of
from costmodel_hardware.spatial.zigzag.traffic import READS
from costmodel_hardware.spatial.zigzag.yaml_import import read_accelerator

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = sorted((GOLDEN / "zigzag_hardware").glob("*.yaml"))
ACCELERATORS = read(GOLDEN / "zigzag.json.gz")["accelerators"]


def test_there_are_six_examples() -> None:
    assert {file.stem for file in FILES} == ACCELERATORS.keys()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_of_zigzag_is_the_accelerator_that_it_computed_with(file: Path) -> None:
    found = read_accelerator(file).accelerator.architecture
    assert evolve(found, name=file.stem) == accelerator_of(ACCELERATORS[file.stem]).architecture


def test_what_a_file_has_beyond_that_is_listed() -> None:
    assert read_accelerator(GOLDEN / "zigzag_hardware" / "tpu_like.yaml").left_out == (
        "line 74: 'ports' stands twice; the last counts, as in ZigZag",
        "operational_array.unit_area: 1: ZigZag gives no unit",
    )
    notes = read_accelerator(GOLDEN / "zigzag_hardware" / "eyeriss_like.yaml").left_out
    assert "memories.sram_1M.area: 25: ZigZag gives no unit" in notes


SMALL: Any = {
    "name": "small",
    "memories": {
        "dram": {
            "size": 1000000, "r_cost": 10, "w_cost": 20.5, "area": 0, "latency": 1,
            "operands": ["I1", "I2", "O"],
            "ports": [
                {"name": "rw_port_1", "type": "read_write", "bandwidth_min": 8,
                 "bandwidth_max": 64,
                 "allocation": ["I1, tl", "I2, tl", "O, tl", "O, fl"]},
            ],
            "served_dimensions": ["D1", "D2"],
        },
    },
    "operational_array": {
        "unit_energy": 0.5, "unit_area": 0, "dimensions": ["D1", "D2"], "sizes": [4, 8],
    },
    "dataflows": {"D1": ["K, 4"], "D2": ["C, 4", "FX, 2"]},
}  # fmt: skip


def changed(path: str, value: Any) -> Any:
    """The small file, as text, with one value changed; None takes it out."""
    raw = yaml.safe_load(yaml.safe_dump(SMALL))
    *parents, last = path.split("/")
    at = raw
    for key in parents:
        at = at[int(key) if key.isdigit() else key]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return yaml.safe_dump(raw)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "small.yaml"


def test_a_dataflow_of_the_file_is_read(file: Path) -> None:
    file.write_text(yaml.safe_dump(SMALL))
    found = read_accelerator(file).accelerator
    assert found.dataflow == {"D1": (Loop("K", 4),), "D2": (Loop("C", 4), Loop("FX", 2))}
    assert found.architecture.levels[0].write_energy == 20.5e-12
    assert found.architecture.levels[0].smallest_bits == 8


DRAM = "memories/dram"
MISTAKES = [
    ("memories", None, "memories: missing; expected a mapping"),
    ("cells", 1, "cells: not understood: 1; known: name, memories"),
    (f"{DRAM}/siez", 4, "memories.dram.siez: not understood: 4; did you mean 'size'"),
    (f"{DRAM}/size", 2.5, "memories.dram.size: expected a whole number above 0, found 2.5"),
    (f"{DRAM}/r_cost", "x", "memories.dram.r_cost: expected a number, not negative, found 'x'"),
    (f"{DRAM}/operands", ["I3"], "memories.dram.operands: expected a list of I1, I2 and O"),
    (f"{DRAM}/operands", ["I1"], "memories.dram.ports.0..allocation: expected operands of I1"),
    (f"{DRAM}/auto_cost_extraction", True, "auto_cost_extraction: expected false: costs are not"),
    (f"{DRAM}/served_dimensions", ["D3"],
     "memories.dram.served_dimensions: expected axes of D1, D2, found 'D3'"),
    (f"{DRAM}/ports/0/type", "read", "allocation: expected th, tl at a read port, found 'O, fl'"),
    (f"{DRAM}/ports/0/bandwidth_min", 128, "bandwidth_min: expected at most 64, found 128"),
    (f"{DRAM}/ports/0/allocation", ["I1, up"], "allocation: expected a list such as"),
    ("operational_array/is_imc", True, "is_imc: expected false: arrays that compute in memory"),
    ("operational_array/adc_resolution", 8, "operational_array.adc_resolution: not understood: 8"),
    ("operational_array/sizes", [4], "operational_array.sizes: expected 2 sizes, found .4."),
    ("dataflows/D1", ["Q, 4"], "dataflows.D1: expected such as .'K, 32'., of B, G, K"),
    ("dataflows/D7", ["K, 4"], "dataflows: expected axes of D1, D2, found 'D7'"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), MISTAKES)
def test_what_is_not_understood_is_an_error_with_file_place_and_value(
    path: str, value: Any, message: str, file: Path
) -> None:
    file.write_text(changed(path, value))
    with pytest.raises(DeviceFileError, match=message) as raised:
        read_accelerator(file)
    assert str(file) in str(raised.value)


def test_ports_of_several_widths_are_noted(file: Path) -> None:
    port = {"name": "r_port_1", "type": "read", "bandwidth_min": 8, "bandwidth_max": 16,
            "allocation": ["I1, tl"]}  # fmt: skip
    wide = {**SMALL["memories"]["dram"]["ports"][0], "allocation": ["I2, tl", "O, tl", "O, fl"]}
    file.write_text(changed(f"{DRAM}/ports", [port, wide]))
    (note,) = read_accelerator(file).left_out
    assert note.startswith("memories.dram.ports: reads of [16, 64] bits: ZigZag has one energy")


@pytest.mark.parametrize("text", ["- 1", "{", "name: *x"])
def test_a_file_of_another_form_is_refused(text: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(DeviceFileError):
        read_accelerator(file)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_draft_of_a_device_file_has_every_memory_and_says_what_it_lacks(file: Path) -> None:
    accelerator = accelerator_of(ACCELERATORS[file.stem])
    draft = yaml.safe_load(device_text(accelerator))
    levels = accelerator.architecture.levels
    assert [one["name"] for one in draft["memories"]] == [one.name for one in levels]
    assert [one["read"]["width"] for one in draft["memories"]] == [
        f"{one.read_bits} bit" for one in levels
    ]
    assert draft["parameters"]["clock"]["source"] == "placeholder"


def _plain(level: Level) -> Level:
    """A level with one port for both ways, or one for each, as wide as its widest."""
    rate = max(port.bits_per_cycle for port in level.ports)
    is_shared = any(len({use.flow in READS for use in port.uses}) > 1 for port in level.ports)
    ways = [FLOWS] if is_shared else [[f for f in FLOWS if (f in READS) == way] for way in (1, 0)]
    return evolve(
        level,
        holds=[slot for slot in SLOTS if slot in level.holds],
        ports=[Port("", rate, [Use(s, f) for s in SLOTS for f in flows]) for flows in ways],
    )


def _unnamed(level: Level) -> Level:
    return evolve(level, ports=[evolve(port, name="") for port in level.ports])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_draft_is_a_device_of_the_same_architecture(file: Path, tmp_path: Path) -> None:
    accelerator = accelerator_of(ACCELERATORS[file.stem])
    target = tmp_path / "draft.yaml"
    result = CliRunner().invoke(main, [str(file), "-o", str(target)])
    assert result.exit_code == 0, result.output
    device = costmodel.device(str(target))
    assert isinstance(device, SpatialAccelerator)
    found, given = device.architecture, accelerator.architecture
    assert (found.axes, found.systolic) == (given.axes, given.systolic)
    for one, other in zip(found.levels, given.levels, strict=True):
        energies = (one.read_energy, one.write_energy)
        assert energies == (near(other.read_energy), near(other.write_energy))
        same = evolve(one, read_energy=other.read_energy, write_energy=other.write_energy)
        assert _unnamed(same) == _plain(other)
