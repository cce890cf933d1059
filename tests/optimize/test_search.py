"""Search by Optuna: pruning by cost, repeatability, and the command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from console import DENSE, VISION, good, run
from design_spaces import SMALL
from figures import near
from worlds import REGISTRY

from costmodel.errors import CostModelError, UnknownNameError
from costmodel.optimize.search import SearchStoppedError, search
from costmodel.sweeps.designs import UNKNOWN_LIMIT
from costmodel.sweeps.space import DesignSpace, Range
from costmodel.sweeps.sweeping import grid, sweep
from costmodel.sweeps.table import SweepTable

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

NETWORK = REGISTRY.read(DENSE)
FORMATS = ["int8", "int4", "int2"]
SPACE = DesignSpace(
    device="horowitz-45nm", weights={"*": FORMATS}, activations={"*": ["int8", "int4"]}
)


def bits(choices: Mapping[str, Any]) -> float:
    """An accuracy that grows with the bits of all formats."""
    return sum(float(str(one).removeprefix("int")) for one in choices.values())


def test_every_design_has_the_costs_of_a_sweep() -> None:
    found = search(NETWORK, SPACE, trials=20).designs
    swept = sweep(NETWORK, SPACE, designs=found)
    for name in ("energy", "memory", "latency"):
        np.testing.assert_array_equal(found[name], swept[name])


def test_a_design_that_breaks_a_limit_is_never_given_to_the_accuracy() -> None:
    asked = []

    def accuracy(choices: Mapping[str, Any]) -> float:
        asked.append(dict(choices))
        return bits(choices)

    limited = DesignSpace(
        device="horowitz-45nm", weights={"*": FORMATS}, limits={"weights": "400 B"}
    )
    found = search(NETWORK, limited, minimize="energy", accuracy=accuracy, trials=40, seed=1)
    designs = found.designs
    assert found.pruned > 0
    assert (designs["kept"] == (designs["weights"] <= 400)).all()
    assert np.isnan(designs["accuracy"]).tolist() == (~designs["kept"]).tolist()
    cost = sweep(NETWORK, limited)
    allowed = {tuple(map(str, row)) for row in zip(*[cost[one] for one in cost.axes], strict=True)}
    assert asked
    assert {tuple(map(str, one.values())) for one in asked} <= allowed


def test_a_design_is_asked_about_once() -> None:
    asked = []

    def accuracy(choices: Mapping[str, Any]) -> float:
        asked.append(tuple(choices.values()))
        return bits(choices)

    search(NETWORK, SPACE, accuracy=accuracy, trials=60)
    assert len(set(asked)) == len(asked) < 60


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random"])
def test_a_search_is_the_same_for_the_same_seed(sampler: str) -> None:
    first, second, other = (
        search(NETWORK, SPACE, sampler=sampler, trials=25, seed=seed).designs for seed in (3, 3, 4)
    )
    assert first["energy"].tolist() == second["energy"].tolist()
    assert first["energy"].tolist() != other["energy"].tolist()


def test_a_small_space_is_searched_to_the_front_of_its_sweep() -> None:
    swept = sweep(NETWORK, SPACE)
    found = search(NETWORK, SPACE, minimize="energy", trials=150)
    assert found.front.best["energy"].min() == near(swept["energy"].min())


def test_a_device_that_sees_the_whole_network_is_searched_too() -> None:
    space = DesignSpace(device="ethos-u55-128", batch=[1, 2], default_format="int8")
    found = search(REGISTRY.read(VISION), space, minimize="latency", trials=4)
    assert len(found.designs) == 4
    assert not np.isnan(found.designs["latency"]).any()


def test_figures_of_a_device_are_drawn_from_a_range() -> None:
    name = "energy_per_multiply_accumulate"
    space = DesignSpace(device="cpu", parameters={name: Range("1 pJ", "9 pJ")})
    (axis,) = grid(NETWORK, space).axes
    found = search(NETWORK, space, minimize="energy", trials=10)
    drawn = found.designs[axis.name]
    assert len(set(drawn.tolist())) > 5
    assert axis.span is not None
    assert (drawn >= axis.span[0]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minimize": "enrgy"}, "unknown cost 'enrgy'"),
        ({"minimize": ()}, "found neither"),
        ({"trials": 0}, "expected a whole number"),
        ({"sampler": "cmaes"}, "unknown sampler 'cmaes'"),
        ({"accuracy": lambda _: None}, "expected a finite number, found None"),
        ({"accuracy": lambda _: float("nan")}, "expected a finite number, found nan"),
    ],
)
def test_what_cannot_be_searched_is_refused(options: Any, message: str) -> None:
    with pytest.raises((CostModelError, UnknownNameError), match=message):
        search(NETWORK, SPACE, **options)


def test_what_was_found_before_the_accuracy_failed_is_kept() -> None:
    asked: list[Mapping[str, Any]] = []

    def accuracy(choices: Mapping[str, Any]) -> float:
        if len(asked) == 3:
            raise MemoryError
        asked.append(choices)
        return float(len(asked))

    with pytest.raises(SearchStoppedError, match="MemoryError") as stopped:
        search(NETWORK, SPACE, minimize="energy", accuracy=accuracy, trials=40)
    result = stopped.value.result
    assert result is not None
    found = result.designs["accuracy"]
    assert {1.0, 2.0, 3.0} == set(found[np.isfinite(found)])
    assert result.front.is_on.any()


def test_an_accuracy_that_fails_at_once_has_no_result() -> None:
    with pytest.raises(SearchStoppedError, match="ZeroDivisionError") as stopped:
        search(NETWORK, SPACE, accuracy=lambda _: 1 / 0)
    assert stopped.value.result is None


def test_a_space_without_a_choice_is_refused() -> None:
    with pytest.raises(CostModelError, match="leaves nothing to choose"):
        search(NETWORK, DesignSpace(device="cpu"))


SPACE_FILE = f"""\
schema: costmodel/space/1
device: horowitz-45nm
network: {DENSE}
weights: {{"*": [int8, int4, int2]}}
limits: {{weights: 500 B}}
"""


def test_the_command_takes_a_function_by_its_name(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, results = tmp_path / "space.yaml", tmp_path / "designs.parquet"
    space.write_text(SPACE_FILE)
    (tmp_path / "my_training.py").write_text(
        "def accuracy(choices):\n    return sum(int(c[3:]) for c in choices.values())\n"
        "def wrong(choices):\n    return 1 / 0\n"
        "def late(choices, asked=[]):\n    asked.append(0)\n    return 2 / (len(asked) - 4)\n"
    )
    monkeypatch.chdir(tmp_path)
    shown = good(
        "search", str(space), "--minimize", "energy", "--accuracy", "my_training:accuracy",
        "--trials", "30", "-o", str(results),
    )  # fmt: skip
    assert "least energy, most accuracy" in shown
    designs = SweepTable.from_parquet(results)
    assert len(designs) == 30
    assert "accuracy" in designs
    for named, message in [
        ("my_training", "expected MODULE:FUNCTION"),
        ("my_training:acuracy", "has no attribute 'acuracy'"),
        ("no_such_module:accuracy", "No module named"),
        ("my_training:wrong", "ZeroDivisionError"),
    ]:
        done = run("search", str(space), "--accuracy", named)
        assert done.exit_code != 0
        assert message in done.output
    late = tmp_path / "late.parquet"
    done = run("search", str(space), "--accuracy", "my_training:late", "-o", str(late))
    assert done.exit_code == 2
    assert "ZeroDivisionError" in done.output
    kept = SweepTable.from_parquet(late)
    assert np.isfinite(kept["accuracy"]).sum() >= 3
    assert f"holds the {len(kept)} designs before the error" in " ".join(done.output.split())


def test_designs_whose_limit_is_not_known_are_pruned_with_a_reason() -> None:
    space = DesignSpace(
        device="raspberry-pi-4", formats={"layer0": ["int8", "int16"]}, default_format="int8",
        limits={"energy": "1 J"},
    )  # fmt: skip
    found = search(SMALL, space, trials=8, sampler="random", seed=1, registry=REGISTRY)
    lacking = int((found.designs["coverage"] < 1).sum())
    assert 0 < lacking == found.pruned < 8
    assert found.designs.notes == (f"{lacking:,} designs: {UNKNOWN_LIMIT}",)
    assert UNKNOWN_LIMIT in str(found)
    allowed = evolve(space, on_unpriced="bound")
    assert search(SMALL, allowed, trials=8, seed=1, registry=REGISTRY).pruned == 0
