"""Placement and traffic against a simulation of memories, element by element."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loop_nest import met_by
from plans import figure, plans, sheet
from workloads import classifier

from costmodel.devices.evaluation.fusion import FUSIBLE, fused, storages
from costmodel.devices.evaluation.memory import (
    Access,
    Memory,
    Placement,
    Residence,
    placed,
    traffic,
)
from costmodel.errors import UnknownNameError
from costmodel.formats import FLOAT32
from costmodel.workload.builders import elementwise, matmul
from costmodel.workload.graph import Node, View, Workload

FLASH = Memory(name="flash", holds=("weight",))
CAPACITIES = st.integers(0, 200)


def bits_of(workload: Workload, name: str) -> int:
    tensor = workload.tensors[name]
    return tensor.size * (tensor.format or FLOAT32).bits


def holder(workload: Workload, name: str) -> str:
    """The tensor whose memory holds another: what that is a view of, or itself."""
    for step in workload:
        if isinstance(step, View) and step.target == name:
            return holder(workload, step.source)
    return name


def crossing(workload: Workload, groups: Any) -> list[tuple[set[str], set[str]]]:
    """What each group reads from memory and writes to it, by executing its members."""
    outputs = {holder(workload, name) for name in workload.outputs}
    reads: list[list[tuple[str, str]]] = []
    for group in groups:
        inside = {step.name for step in group.members}
        reads.append([])
        for node in group.nodes:
            is_folded = node.folds_into in inside
            reads[-1] += [
                (node.name, holder(workload, name))
                for operand, name in zip(node.operator.operands, node.tensors, strict=True)
                if operand.role != "output" and not (is_folded and operand.role == "weight")
            ]
    found = []
    for place, group in enumerate(groups):
        made: set[str] = set()
        arriving = set()
        for node in group.nodes:
            arriving |= {name for who, name in reads[place] if who == node.name} - made
            made |= {holder(workload, name) for name in node.writes}
        elsewhere = {name for other, read in enumerate(reads) if other != place for _, name in read}
        found.append((arriving, made & (elsewhere | outputs)))
    return found


def needed(workload: Workload, groups: Any) -> list[set[str]]:
    """The tensors that must lie in memory while each group runs, by the definition of that."""
    inputs, outputs, weights = (
        {holder(workload, name) for name in names}
        for names in (workload.inputs, workload.outputs, workload.weights)
    )
    used = [reads | writes for reads, writes in crossing(workload, groups)]
    live = []
    for place in range(max(len(groups), 1)):
        before = set().union(*used[: place + 1], inputs)
        behind = set().union(*used[place:], outputs)
        arrived = inputs if place == 0 else set()
        everywhere = set().union(*used) & weights
        live.append((before & behind - weights) | arrived | everywhere)
    return live


@given(plans(), st.booleans(), CAPACITIES)
def test_what_lies_in_memory_is_what_is_needed(
    workload: Workload, is_fusing: Any, capacity: int
) -> None:
    device = sheet(capacity)
    groups = fused(workload, FUSIBLE if is_fusing else ())
    placement = placed(workload, groups, device.memories, FLOAT32)
    homes = {one.tensor: one.memory for one in placement.residences}
    for memory in device.memories:
        expected = [
            sum(bits_of(workload, name) for name in names if homes[name] == memory.name)
            for names in needed(workload, groups)
        ]
        assert placement.used_bits(memory.name) == expected


@given(plans(), CAPACITIES)
def test_a_tensor_lies_in_the_buffer_wherever_it_has_room(
    workload: Workload, capacity: int
) -> None:
    device = sheet(capacity)
    buffer, dram = device.memories
    groups = fused(workload, FUSIBLE)
    placement = placed(workload, groups, device.memories, FLOAT32)
    used = placement.used_bits("buffer")
    assert max(used, default=0) <= 8 * capacity
    storage = storages(workload)
    outside = {storage[name] for name in (*workload.sources, *workload.outputs)}
    for one in placement.residences:
        home = placement.memory_of(one.tensor)
        assert home in {buffer, dram}
        if one.tensor in outside:
            assert home == dram
        elif home == dram:
            busiest = max(used[one.first : one.last + 1])
            assert busiest + one.bits > 8 * capacity


@given(plans(), st.booleans(), CAPACITIES)
def test_traffic_is_what_the_loop_nests_of_a_group_touch(
    workload: Workload, is_fusing: Any, capacity: int
) -> None:
    device = sheet(capacity)
    groups = fused(workload, FUSIBLE if is_fusing else ())
    placement = placed(workload, groups, device.memories, FLOAT32)
    homes = {one.tensor: one.memory for one in placement.residences}
    moved = traffic(workload, groups, placement, FLOAT32)
    weights = {holder(workload, name) for name in workload.weights}
    for group, (reads, writes), found in zip(
        groups, crossing(workload, groups), moved, strict=True
    ):
        expected: dict[tuple[str, str], list[int]] = {}
        for name in reads:
            touched: dict[str, int] = {}
            for node in group.nodes:
                for operand, seen in zip(node.operator.operands, node.tensors, strict=True):
                    if holder(workload, seen) == name and operand.role != "output":
                        count = len(met_by(node.operator, operand).elements)
                        touched[seen] = max(touched.get(seen, 0), count)
            whole = workload.tensors[name]
            elements = min(sum(touched.values()), whole.size)
            role = "weight" if name in weights else "input"
            bits = elements * (whole.format or FLOAT32).bits
            expected.setdefault((homes[name], role), [0, 0])[0] += bits
        for name in writes:
            expected.setdefault((homes[name], "output"), [0, 0])[1] += bits_of(workload, name)
        assert {(one.memory, one.role): [one.read_bits, one.written_bits] for one in found} == (
            expected
        )


@given(plans(), st.booleans())
def test_a_larger_buffer_never_adds_traffic_to_the_outermost_memory(
    workload: Workload, is_fusing: Any
) -> None:
    groups = fused(workload, FUSIBLE if is_fusing else ())
    totals = []
    for capacity in (0, 10_000):
        memories = sheet(capacity).memories
        placement = placed(workload, groups, memories, FLOAT32)
        moved = traffic(workload, groups, placement, FLOAT32)
        totals.append(
            sum(
                one.read_bits + one.written_bits
                for each in moved
                for one in each
                if one.memory == "dram"
            )
        )
    assert all(larger <= smaller for smaller, larger in pairwise(totals))


def test_weights_may_lie_apart_from_activations() -> None:
    workload = classifier().bind(batch=1)
    ram = Memory(name="ram", holds=("input", "output"))
    placement = placed(workload, fused(workload), [ram, FLASH], FLOAT32)
    assert {one.tensor for one in placement.residences if one.memory == "flash"} == {
        "kernel", "weights",
    }  # fmt: skip
    assert placement.memory_of("image") == ram
    assert max(placement.used_bits("flash")) == 32 * (16 * 27 + 40960)


def test_a_memory_that_is_not_there_is_named_with_the_nearest() -> None:
    placement = Placement(sheet().memories, (), 1)
    assert placement.memory_of("image") is None
    with pytest.raises(UnknownNameError, match="nearest known: 'dram'"):
        placement.memory("darm")


def test_memories_that_cannot_hold_what_a_network_needs_are_refused() -> None:
    with pytest.raises(ValueError, match="no memory of flash holds input and output"):
        Placement([FLASH], (), 0)
    apart = [Memory(name="in", holds=("input",)), Memory(name="out", holds=("output",)), FLASH]
    with pytest.raises(ValueError, match="no memory of in, out, flash holds input and output"):
        Placement(apart, (), 0)


def test_a_tensor_has_one_place() -> None:
    twice = (Residence("x", "dram", 8, 0, 0), Residence("x", "buffer", 8, 1, 1))
    with pytest.raises(ValueError, match="tensor 'x' has two places"):
        Placement(sheet().memories, twice, 2)


def test_what_has_no_choice_gets_its_place_before_what_has() -> None:
    workload = chain_of_products()
    both = [
        Memory(name="sram", size=figure("size", 4 * 40, "B")),
        Memory(name="dram", holds=("input", "output")),
    ]
    placement = placed(workload, fused(workload), both, FLOAT32)
    assert max(placement.used_bits("sram")) <= 8 * 4 * 40
    assert placement.memory_of("between") == both[1]


def chain_of_products() -> Workload:
    """Two products, of which the weights alone fill a memory of 40 elements."""
    return Workload(
        "products",
        {"x": (1, 4), "first": (4, 5), "between": (1, 5), "second": (5, 4), "y": (1, 4)},
        [Node("one", matmul((1, 4), (4, 5)), ("x", "first", "between")),
         Node("two", matmul((1, 5), (5, 4)), ("between", "second", "y"))],
        ["x"], ["y"], ["first", "second"],
    )  # fmt: skip


def test_slices_of_one_tensor_are_read_each() -> None:
    halves = Workload(
        "gated", {"x": (1, 8), "a": (1, 4), "b": (1, 4), "y": (1, 4)},
        [View("left", "x", "a", "slice", (0, 0)), View("right", "x", "b", "slice", (0, 4)),
         Node("gate", elementwise("multiply", (1, 4), (1, 4)), ("a", "b", "y"))],
        ["x"], ["y"],
    )  # fmt: skip
    groups, memories = fused(halves), sheet().memories
    placement = placed(halves, groups, memories, FLOAT32)
    ((read, *_),) = traffic(halves, groups, placement, FLOAT32)
    assert (read.memory, read.role, read.read_bits) == ("dram", "input", 8 * 32)


@pytest.mark.parametrize(
    ("given_", "error", "said"),
    [
        ({"holds": ("weights",)}, ValueError, "holds: expected several of input, weight, output"),
        ({"holds": ()}, ValueError, "holds: expected several"),
        ({"holds": "input"}, ValueError, "holds: expected several of .*found 'input'"),
        ({"holds": 5}, ValueError, "holds: expected several of .*found 5"),
        ({"name": ""}, ValueError, "'name' must be"),
        ({"size": 5}, TypeError, "size: expected a Parameter in 'B', found 5"),
        ({"read": 5}, TypeError, "'read' must be"),
        (
            {"bandwidth": figure("rate", 0.0, "B/s")}, ValueError,
            "bandwidth: expected a value above 0",
        ),
        ({"area": figure("area", 1.0, "m")}, TypeError, "area: expected a Parameter in 'm2'"),
        ({"per": "row"}, ValueError, "per: expected several names of axes or parts, found 'row'"),
        ({"per": ["row", ""]}, ValueError, "per: expected several names"),
        ({"shared_port": 1}, TypeError, "'shared_port' must be"),
    ],
)  # fmt: skip
def test_a_memory_that_cannot_be_is_refused(given_: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        Memory(**{"name": "odd", **given_})


def test_an_access_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="width_bits is 0; expected a whole number of at least 1"):
        Access(figure("energy", 1.0, "J"), 0)
    with pytest.raises(TypeError, match="energy: expected a Parameter in 'J'"):
        Access(figure("energy", 1.0, "B"), 8)


def test_two_memories_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="memory 'dram' is given twice"):
        Placement([Memory(name="dram"), Memory(name="dram")], (), 0)
