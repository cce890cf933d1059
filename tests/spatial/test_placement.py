"""Room in memories: tensors, tiles beside them, and what loops find there."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from figures import near
from spatial.test_device import INT8, NETWORK, NPU, device

import costmodel
from costmodel.devices.evaluation.memory import Placement, placed
from costmodel.workload.builders import conv, matmul
from costmodel.workload.graph import Loop, Node, Workload
from costmodel_hardware.spatial import accountings, placement
from costmodel_hardware.spatial.counting.validity import OutOfTimeError
from costmodel_hardware.spatial.device import SpatialAccelerator
from costmodel_hardware.spatial.placement import _Mapper, operands_of
from costmodel_hardware.spatial.showing.mapped_layers import MappedNetwork

DOUBLED = NPU.replace("name: buffer\n", "name: buffer\n    double_buffered: true\n")


def sized(folder: Path, size: str) -> SpatialAccelerator:
    return device(folder, DOUBLED.replace("size: 512 KiB", f"size: {size}"))


def chain(*channels: int) -> Workload:
    """Convolutions of 3 x 3 on 32 x 32 pixels, one after the other."""
    tensors: dict[str, Any] = {"y0": (1, channels[0], 32, 32)}
    nodes = []
    for place, (before, after) in enumerate(pairwise(channels)):
        kernel, image = (after, before, 3, 3), (1, before, 32, 32)
        tensors |= {f"w{place}": kernel, f"y{place + 1}": (1, after, 32, 32)}
        operator = conv(image, kernel, padding=1)
        nodes.append(Node(f"conv{place}", operator, (f"y{place}", f"w{place}", f"y{place + 1}")))
    weights = [name for name in tensors if name.startswith("w")]
    return Workload(
        "chain", tensors, nodes, inputs=["y0"], outputs=[f"y{len(nodes)}"], weights=weights
    )


def recurrent() -> Workload:
    """A product of 8 rows in a loop, while a vector of 8 KiB waits for the last product."""
    body = Workload(
        "step", {"x": (8, 1024), "w": (1024, 256), "y": (8, 256)},
        [Node("step", matmul((8, 1024), (1024, 256)), ("x", "w", "y"))],
        inputs=["x", "w"], outputs=["y"],
    )  # fmt: skip
    loop = Loop(
        name="loop", body=body, steps=4, axis=0,
        fixed=[("w", "w")], varying=[("xs", "x")], collected=[("y", "ys")],
    )  # fmt: skip
    tensors = {
        "a": (1, 64), "u": (64, 8192), "z": (1, 8192), "xs": (4, 8, 1024), "w": (1024, 256),
        "ys": (4, 8, 256), "v": (8192, 16), "last": (1, 16),
    }  # fmt: skip
    return Workload(
        "recurrent", tensors,
        [
            Node("first", matmul((1, 64), (64, 8192)), ("a", "u", "z")),
            loop,
            Node("last", matmul((1, 8192), (8192, 16)), ("z", "v", "last")),
        ],
        inputs=["a", "xs"], outputs=["ys", "last"], weights=["u", "v", "w"],
    )  # fmt: skip


def test_tiles_lie_in_memories_beside_tensors(tmp_path: Path) -> None:
    """Of one instance, as its size is."""
    npu = device(tmp_path)
    found = npu.evaluate(costmodel.lower(costmodel.read(str(NETWORK)), INT8), INT8)
    mapped: Any = found.placement
    for level in ("weights", "sums"):
        tiles = [one.costs.used_bits[level] for one in mapped.mapped.values()]
        assert found.peak_bytes[level] == -(-max(tiles) // 8) > 0
    for place, group in enumerate(found.groups):
        one = mapped.mapped.get(group.group.name)
        if one is not None:
            assert found.held_bits("buffer")[place] >= one.costs.used_bits["buffer"]


@pytest.mark.parametrize("size", [32784, 32816, 33792])
def test_a_tensor_that_moves_outwards_is_written_there_as_well(tmp_path: Path, size: int) -> None:
    """It is moved when the contraction that reads it finds no room, after that which makes it."""
    npu = sized(tmp_path, f"{size} B")
    found = npu.evaluate(chain(4, 32, 32, 64), INT8)
    mapped: Any = found.placement
    assert found.is_complete
    assert found.fits
    for group in found.groups:
        tensors = operands_of(group.group, found.workload)
        tensors["output"] = group.group.nodes[-1].writes[0]
        links = {one.link for one in mapped.mapped[group.group.name].costs.transfers}
        for slot, tensor in tensors.items():
            home = max(link.parent for link in links if link.operand == slot)
            lies = mapped.memory_of(tensor)
            assert lies is not None
            assert npu.architecture.levels[home].name == lies.name


def test_a_tensor_lies_where_its_users_together_cost_least(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the buffer or in DRAM: two convolutions have one tensor to choose for."""
    work, better = chain(64, 128, 64), []
    for kib in (129, 136, 192, 512):
        npu = scarce(tmp_path, kib)
        found = npu.evaluate(work, INT8)
        with monkeypatch.context() as patched:
            patched.setattr(_Mapper, "_better_outside", lambda *_: None)
            inside = npu.evaluate(work, INT8)
            patched.setattr(placement, "placed", all_in_dram)
            outside = npu.evaluate(work, INT8)
        energies = [one.energy_joules for one in (inside, outside)]
        assert found.energy_joules == near(min(energies))
        better.append(energies[0] < energies[1])
    assert better == [False, False, True, True]


def scarce(folder: Path, kib: int) -> SpatialAccelerator:
    """With weights double-buffered as well, the units have room for half of them."""
    text = DOUBLED.replace("size: 128 B", "size: 128 B\n    double_buffered: true")
    return device(folder, text.replace("size: 512 KiB", f"size: {kib} KiB"))


def all_in_dram(*given: Any) -> Placement:
    found = placed(*given)
    return evolve(found, residences=[evolve(one, memory="dram") for one in found.residences])


@pytest.mark.parametrize("kib", [129, 136, 192])
@pytest.mark.parametrize("objective", ["energy", "latency", "edp"])
def test_mappings_given_back_cost_the_same_where_room_is_scarce(
    tmp_path: Path, kib: int, objective: str
) -> None:
    work = chain(64, 128, 64)
    npu = scarce(tmp_path, kib).with_parameters(objective=objective)
    found = MappedNetwork.of(work, npu, INT8).to_dict()["mappings"]
    given = json.dumps({name: one["mapping"] for name, one in found.items()})
    again = MappedNetwork.of(work, npu.with_parameters(mapping=given), INT8)
    for name, one in again.to_dict()["mappings"].items():
        assert one | {"gap": None} == found[name] | {"gap": None}


def test_a_search_without_an_answer_in_time_moves_no_tensor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_: Any) -> Any:
        message = "no mapping that fits was found in 1 s; expected a longer time limit"
        raise OutOfTimeError(message)

    monkeypatch.setattr(accountings, "mapped", late)
    found = sized(tmp_path, "512 KiB").evaluate(chain(4, 32, 32), INT8)
    mapped: Any = found.placement
    assert mapped.memory_of("y1").name == "buffer"
    assert "expected a longer time limit" in str(found.unpriced)


@pytest.mark.parametrize("kib", [9, 12, 14, 16, 24, 64])
def test_tiles_within_a_loop_have_room_beside_what_lies_around_it(tmp_path: Path, kib: int) -> None:
    found = sized(tmp_path, f"{kib} KiB").evaluate(recurrent(), INT8)
    assert found.is_complete
    assert found.fits
