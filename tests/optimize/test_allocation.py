"""Allocation of formats by integer programming, against enumeration."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from figures import near
from small_networks import plain, residual

from costmodel.errors import CostModelError, UnknownNameError
from costmodel.optimize.allocation import allocate
from costmodel.optimize.terms import FormatCosts
from costmodel.registry import installed
from costmodel.sweeps.space import DesignSpace
from costmodel.sweeps.sweeping import grid, sweep

MODELS = {model().name: installed().read(model(), {}) for model in (plain, residual)}
FORMATS = ["int8", "int4", "int2"]
SPACES = {
    "weights": {"weights": {"*": FORMATS}},
    "both": {"weights": {"*": ["int8", "int4"]}, "activations": {"*": ["int8", "int6"]}},
    "together": {"formats": {"*": ["int8", "float16"]}},
    "first alone": {"activations": {"first*": FORMATS, "conv1": FORMATS}},
}
DEVICES = ["horowitz-45nm", "raspberry-pi-4", "cpu"]


def space_of(name: Any, device: Any, network: Any) -> Any:
    chosen = dict(SPACES[name])
    if name == "first alone":
        own = {"residual": "first", "plain": "conv1"}[network]
        chosen = {"activations": {own: FORMATS}, "weights": {"*": FORMATS}}
    return DesignSpace(device=device, default_format="int8", **chosen)


def harms(found: Any, seed: Any) -> Any:
    generator = np.random.default_rng(seed)
    return {
        axis.name: {str(label): float(generator.random()) for label in axis.labels}
        for axis in found.axes
    }


def summed(table: Any, sensitivity: Any) -> Any:
    columns = [
        np.array([values[str(label)] for label in table[name]])
        for name, values in sensitivity.items()
    ]
    return np.sum(columns, axis=0)


@pytest.mark.parametrize("network", MODELS)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", SPACES)
def test_the_sum_of_terms_is_the_cost_of_every_design(name: Any, device: Any, network: Any) -> None:
    space = space_of(name, device, network)
    found = grid(MODELS[network], space)
    table = sweep(MODELS[network], space)
    if is_refused(table, lambda: FormatCosts(found)):
        return
    terms = FormatCosts(found).terms()
    for cost in terms:
        for place in range(len(table)):
            codes = {axis.name: axis.place(table[axis.name][place]) for axis in found.axes}
            slack = 1.0 if cost == "weights" else 0.0  # whole bytes
            expected = table[cost][place]
            assert terms[cost].at(codes) == pytest.approx(expected, rel=1e-11, abs=slack)


@pytest.mark.parametrize("network", MODELS)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("minimize", ["energy", "latency", "weights", "sensitivity"])
def test_an_allocation_is_the_best_of_an_enumeration(
    minimize: Any, name: Any, device: Any, network: Any
) -> None:
    space = evolve(space_of(name, device, network), on_unpriced="bound")
    table = sweep(MODELS[network], space)
    if is_refused(table, lambda: allocate(MODELS[network], space, minimize=minimize)):
        return
    if np.isnan(table["latency"]).all() and minimize == "latency":
        with pytest.raises(CostModelError, match="does not model latency"):
            allocate(MODELS[network], space, minimize="latency")
        return
    for seed in range(4):
        sensitivity = harms(grid(MODELS[network], space), seed)
        columns = {
            "sensitivity": summed(table, sensitivity),
            **{cost: table[cost] for cost in ("energy", "latency", "weights")},
        }
        share = (0.3, 0.6, 0.05, 0.9)[seed]
        limited = [one for one in ("weights", "sensitivity", "energy") if one != minimize]
        limits = {one: float(np.quantile(columns[one], share)) for one in limited[: 1 + seed % 2]}
        keeps = np.all([columns[one] <= most * (1 + 1e-12) for one, most in limits.items()], axis=0)
        given = {one: most * (1 + 1e-12) for one, most in limits.items()}
        if not keeps.any():
            with pytest.raises(CostModelError, match="no assignment of formats keeps"):
                allocate(
                    MODELS[network], space, minimize=minimize, limits=given, sensitivity=sensitivity
                )
            continue
        best = float(columns[minimize][keeps].min())
        found = allocate(
            MODELS[network], space, minimize=minimize, limits=given, sensitivity=sensitivity
        )
        assert found.objective == pytest.approx(best, rel=1e-9, abs=0)
        assert found.bound <= best * (1 + 1e-9)
        assert found.is_optimal
        assert all(found.costs[one] <= most for one, most in given.items())


def test_an_allocation_was_estimated() -> None:
    found = allocate(MODELS["plain"], {"device": "raspberry-pi-4", "weights": FORMATS})
    total = found.estimate.total("raspberry-pi-4")
    assert total.energy_joules == near(found.costs["energy"])
    assert total.latency_seconds == near(found.costs["latency"])


def test_an_allocation_shows_formats_limits_and_the_proof() -> None:
    space = DesignSpace(device="horowitz-45nm", weights=FORMATS, limits={"weights": "1 kB"})
    text = str(allocate(MODELS["plain"], space, limits={"memory": "2 kB"}))
    assert "no other has less" in text
    assert "weights.conv2" in text
    assert "of 1 kB" in text


def is_refused(table: Any, call: Any) -> bool:
    """Whether some designs lack a price that others have; if so, checks that they are refused."""
    if table["coverage"].min() == table["coverage"].max():
        return False
    with pytest.raises(CostModelError, match="leaves work without a price"):
        call()
    return True


PLAIN = {"device": "horowitz-45nm", "weights": FORMATS}


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"limits": {"weights": "10 B"}}, r"the least weights is .* above the limit of 10 B"),
        ({}, {"limits": {"sensitivity": 1}}, "give how much each format"),
        ({}, {"minimize": "area"}, "unknown cost that is a sum over layers 'area'"),
        ({}, {"limits": {"weights": "1 J"}}, "J"),
        ({}, {"sensitivity": {"conv9": {}}}, "unknown axis of a sensitivity 'conv9'"),
        ({}, {"sensitivity": {"conv1": {"int8": 1}}}, "expected a number for int4, found None"),
        ({}, {"sensitivity": {"conv1": {"int": 1}}}, "sensitivity of 'weights.conv1'"),
        ({"batch": [1, 2]}, {}, "axes of numeric formats alone, found batch"),
        ({"device": "eyeriss-v1"}, {}, "no price alone"),
        (
            {
                "device": "raspberry-pi-4",
                "formats": {"*": ["float16", "int3", "int16"]},
                "weights": None,
            },
            {},
            "leaves work without a price",
        ),
        ({"fits": True}, {}, "neither `where` nor `fits`"),
    ],
)
def test_what_cannot_be_allocated_is_refused(changes: Any, options: Any, message: Any) -> None:
    with pytest.raises((CostModelError, UnknownNameError), match=message):
        allocate(MODELS["plain"], {**PLAIN, **changes}, **options)


def test_the_peak_of_a_memory_is_no_sum() -> None:
    with pytest.raises(CostModelError, match=r"no sum over layers.*limit of `weights`.*search"):
        allocate(MODELS["plain"], {**PLAIN, "device": "raspberry-pi-4"}, limits={"memory": "1 MB"})


UNPRICED = {
    "device": "raspberry-pi-4", "weights": {"conv1": ["int8", "int4"]}, "default_format": "int16",
}  # fmt: skip
"""The device computes nothing in int16, whatever the weights of the first layer are."""


def test_a_limit_of_a_cost_without_some_of_its_work_is_refused() -> None:
    for name, most in (("latency", "1 s"), ("energy", "1 J")):
        with pytest.raises(CostModelError, match=f"limits: {name} has a limit, and .* no price"):
            allocate(MODELS["plain"], UNPRICED, minimize="weights", limits={name: most})
    bound = {**UNPRICED, "on_unpriced": "bound"}
    found = allocate(MODELS["plain"], bound, minimize="weights", limits={"latency": "1 s"})
    assert found.formats == {"weights.conv1": "int4"}
    assert allocate(MODELS["plain"], UNPRICED, minimize="weights", limits={"weights": "1 MB"})


def test_limits_that_contradict_each_other_are_refused() -> None:
    sensitivity = {name: {"int8": 0.0, "int4": 1.0, "int2": 2.0} for name in ("conv1", "conv2")}
    sensitivity["dense"] = {"int8": 0.0, "int4": 1.0, "int2": 2.0}
    with pytest.raises(CostModelError, match="not all of weights, sensitivity can be kept"):
        allocate(
            MODELS["plain"], PLAIN, limits={"weights": "1 kB", "sensitivity": 0.5},
            sensitivity=sensitivity,
        )  # fmt: skip


def test_a_gap_is_relative_to_the_objective() -> None:
    found = allocate(MODELS["plain"], PLAIN)
    assert found.gap == 0.0
    assert math.isfinite(found.bound)
