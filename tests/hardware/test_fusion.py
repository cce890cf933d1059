"""Fusion on the devices that ship: what joins an operator moves nothing of its own."""

from __future__ import annotations

import importlib
import math
from typing import Any

import pytest
from attrs import evolve
from figures import near
from hypothesis import given
from plans import plans
from worlds import REGISTRY

import costmodel
from costmodel import Scenario
from costmodel.devices import Cost, Device, Fused
from costmodel.errors import CostModelError
from costmodel.workload.assembly import Assembly
from costmodel.workload.graph import Node, View, Workload

INT8 = Scenario(default_format="int8")
CHIPS = ["horowitz-45nm", "horowitz-7nm"]


def unfused(device: Device) -> Device:
    return device.with_parameters(fusion=False)


def accesses(cost: Cost, *roles: str) -> float:
    """64-bit accesses to DRAM for tensors of these roles."""
    return sum(x.count for x in cost.charges if x.resource == "dram" and x.role in roles)


@pytest.mark.parametrize("chip", CHIPS)
def test_no_padding_or_activation_costs_more_than_the_convolution_it_belongs_to(chip: str) -> None:
    keras: Any = importlib.import_module("keras")
    model = keras.applications.MobileNetV2(weights=None)
    bill = costmodel.estimate(model, chip, scenario=INT8, registry=REGISTRY).bill(chip)
    joined = [line for line in bill.lines if line.fused_into]
    assert {line.layer.kind for line in joined} >= {
        "keras.ReLU", "keras.ZeroPadding2D", "keras.BatchNormalization",
    }  # fmt: skip
    for line in joined:
        (anchor,) = line.fused_into
        convolution = bill.line(anchor)
        assert "Conv" in convolution.layer.kind
        assert line.cost.energy_joules < convolution.cost.energy_joules
    alone = costmodel.estimate(
        model, unfused(REGISTRY.device(chip)), scenario=INT8, registry=REGISTRY
    ).total(chip)
    assert bill.total.energy_joules < 0.6 * alone.energy_joules
    assert bill.total.energy_joules_by_role["compute"] == near(
        alone.energy_joules_by_role["compute"]
    )


def boundary_accesses(workload: Workload, groups: Any) -> int:
    """What groups read and write, operand by operand: a group reads what others make."""
    source = {step.target: step.source for step in workload if isinstance(step, View)}

    def held(name: str) -> str:
        while name in source:
            name = source[name]
        return name

    outputs = {held(name) for name in workload.outputs}
    total = 0
    for group in groups:
        made = {held(name) for node in group.nodes for name in node.writes}
        read_elsewhere = {
            held(name)
            for other in groups
            if other is not group
            for node in other.nodes
            for name in node.reads
        }
        moved: list[str] = []
        for node in group.nodes:
            read = [name for name in node.reads if name not in workload.weights]
            moved += [name for name in read if held(name) not in made]
            for name in node.writes:
                read_within = any(
                    held(name) in map(held, one.reads) for one in group.nodes if one is not node
                )
                if held(name) in outputs | read_elsewhere or not read_within:
                    moved.append(name)
        for name in moved:
            tensor = workload.tensors[name]
            bits = tensor.size * (tensor.format or INT8.default_format).bits
            total += math.ceil(bits / 64)
    return total


def has_nothing_in_place(workload: Workload) -> bool:
    return not any(isinstance(step, Node) and step.operator.in_place for step in workload)


@given(plans().filter(has_nothing_in_place))
def test_a_group_moves_what_crosses_its_boundary_and_computes_what_its_members_do(
    workload: Workload,
) -> None:
    device = REGISTRY.device("horowitz-45nm")
    fused, alone = device.evaluate(workload, INT8), unfused(device).evaluate(workload, INT8)
    groups = [each.group for each in fused.groups]
    for role in ("compute", "weight"):
        energies = [found.energy_joules_by_role.get(role, 0.0) for found in (fused, alone)]
        assert energies[0] == near(energies[1])
    assert accesses(fused.cost, "input", "output") == boundary_accesses(workload, groups)
    assert fused.energy_joules <= alone.energy_joules * (1 + 1e-12)
    assert fused.unpriced == alone.unpriced


def test_what_a_folded_normalization_gives_is_moved_though_its_input_is_an_output() -> None:
    shape = (1, 64)
    made = Assembly("folded")
    sums = made.add(costmodel.matmul(shape, (64, 64)), made.input("x", shape),
                    made.weight("w", (64, 64)), name="dense")  # fmt: skip
    scale = costmodel.elementwise("multiply", shape, weights=[(64,)])
    scaled = made.add(scale, sums, made.weight("s", (64,)), name="norm")
    workload = made.workload([sums, scaled])
    steps = [
        evolve(step, folds_into="dense") if step.name == "norm" else step for step in workload.steps
    ]
    workload = evolve(workload, steps=steps)
    found = REGISTRY.device("horowitz-45nm").evaluate(workload, INT8)
    (group,) = [each.group for each in found.groups]
    assert accesses(found.cost, "input", "output") == 3 * 8 == boundary_accesses(workload, [group])


def test_a_device_that_does_not_fuse_prices_each_operator_by_itself() -> None:
    device = unfused(REGISTRY.device("horowitz-45nm"))
    workload = costmodel.lower(costmodel.read("examples/vgg9.json", registry=REGISTRY))
    found = device.evaluate(workload)
    alone = [
        device.price(step.operator)
        for step in workload.bind(batch=1)
        if isinstance(step, Node) and step.folds_into is None
    ]
    costs = [one for one in alone if isinstance(one, Cost)]
    assert found.energy_joules == near(Cost.together(costs).energy_joules)
    with pytest.raises(CostModelError, match="expected true or false"):
        REGISTRY.device("horowitz-45nm").with_parameters(fusion="maybe")


@pytest.mark.parametrize("chip", ["loihi", "spinnaker2"])
def test_integration_and_firing_are_one_group_on_event_driven_devices(chip: str) -> None:
    device = REGISTRY.device(chip)
    workload = costmodel.lower(costmodel.read("examples/vgg9.json", registry=REGISTRY))
    found = device.evaluate(workload, Scenario(rates=10.0))
    assert found.group("activation/relu") is found.group("conv2d/contraction")
    (*_, neurons) = found.group("conv2d/contraction").items
    assert isinstance(neurons[0].outcome, Cost)


def test_padding_says_where_it_is_done() -> None:
    keras: Any = importlib.import_module("keras")
    model = keras.Sequential([
        keras.layers.Input((8, 8, 3)), keras.layers.ZeroPadding2D(1, name="pad"),
        keras.layers.Conv2D(4, 3, name="conv"),
    ])  # fmt: skip
    estimate = costmodel.estimate(model, "horowitz-45nm", registry=REGISTRY)
    line = estimate.bill("horowitz-45nm").line("pad")
    assert isinstance(line.items[0].outcome, Fused)
    assert "fused" in estimate.table().text()
    assert "done within conv" in estimate.explain("pad", "horowitz-45nm")


def test_members_of_equal_groups_name_the_group_that_they_are_in() -> None:
    keras: Any = importlib.import_module("keras")
    layers = [keras.layers.Input((8, 8, 3))]
    for place in range(2):
        layers += [
            keras.layers.ZeroPadding2D(1, name=f"pad{place}"),
            keras.layers.Conv2D(3, 3, name=f"conv{place}"),
        ]
    model = keras.Sequential(layers)
    bill = costmodel.estimate(model, "horowitz-45nm", registry=REGISTRY).bill("horowitz-45nm")
    for place in range(2):
        (item,) = bill.line(f"pad{place}").items
        assert isinstance(item.outcome, Fused)
        assert item.outcome.into.startswith(f"conv{place}/")
        assert f"conv{place}/" in item.outcome.reason
