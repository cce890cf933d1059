"""KerasSpiking's own numbers, through the drop-in and through the convention."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from attrs import frozen
from figures import near
from golden.specs import Case, build, cases

import costmodel
from costmodel import Scenario, UnpricedWarning
from costmodel_spiking import ModelEnergy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SEEDS = cases("kerasspiking_seed_models.json")
CASES = [*SEEDS, *cases("kerasspiking_float.json")]
PACKAGES = ("keras", "tf_keras")
"""Keras 3 and Keras 2: every case runs on a live model of each."""

SPIKING = ("loihi", "spinnaker", "spinnaker2")

EXACT = 1e-12
SINGLE = 1e-5
"""Relative tolerances: of products of whole numbers, and of firing rates in single precision."""


@frozen
class Golden:
    """A case of the golden files with its model and the bill of the drop-in."""

    case: Case
    model: Any
    examples: np.ndarray[Any, Any] | None
    energy: ModelEnergy

    @property
    def conditions(self) -> dict[str, Any]:
        return {
            "timesteps_per_inference": self.case["timesteps_per_inference"],
            "dt": self.case["dt"],
        }

    def expected(self) -> Iterator[tuple[Any, Mapping[str, Any]]]:
        layers = {layer.name: layer for layer in self.energy.layer_stats}
        for name, expected in self.case["expected"]["layers"].items():
            yield layers.pop(name), expected
        assert not layers


@pytest.fixture(scope="module", params=PACKAGES)
def package(request: pytest.FixtureRequest) -> str:
    return str(pytest.importorskip(request.param).__name__)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case["name"])
def golden(request: pytest.FixtureRequest, package: str) -> Golden:
    case, model = request.param, build(request.param["spec"], package=package)
    examples = None
    if example := case["example"]:
        examples = np.full(example["shape"], example["fill"], dtype="float32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnpricedWarning)  # the seeds have layers without a rule
        return Golden(case, model, examples, ModelEnergy(model, examples))


def test_connections_neurons_and_parameters_agree_exactly(golden: Golden) -> None:
    for layer, expected in golden.expected():
        stats = {**golden.energy.layer_stats[layer], "params": layer.count_params()}
        assert stats == {name: expected[name] for name in stats}


def test_firing_rates_agree_where_there_is_example_data(golden: Golden) -> None:
    if golden.examples is None:
        with pytest.raises(ValueError, match="example_data"):
            golden.energy.total_energy("loihi")
        return
    for layer, expected in golden.expected():
        rate = golden.energy.layer_rates[layer]
        assert rate == near(expected["rate"], rel=SINGLE), layer.name


def test_energies_of_layers_agree(golden: Golden) -> None:
    for layer, expected in golden.expected():
        for device, parts in expected["energy"].items():
            found = golden.energy.layer_energy(layer, device, **golden.conditions)
            assert found == near(parts, rel=tolerance(device)), layer.name


def test_total_energies_agree(golden: Golden) -> None:
    for device, expected in golden.case["expected"]["total"].items():
        total = golden.energy.total_energy(device, **golden.conditions)
        assert total == near(expected, rel=tolerance(device))


def test_an_estimate_by_the_convention_agrees(golden: Golden) -> None:
    expected = golden.case["expected"]["total"]
    is_run = golden.examples is not None
    rates = None
    if is_run:
        rates = costmodel.measure_rates(golden.model, golden.examples, of="inputs")
    scenario = Scenario(
        timesteps=golden.case["timesteps_per_inference"], dt=golden.case["dt"], input_rates=rates
    )
    estimate = costmodel.estimate(
        golden.model,
        list(expected),
        convention="keras-spiking",
        scenario=scenario,
        on_unpriced="bound",
    )
    totals = {device: estimate.total(device).energy_joules for device in expected}
    assert totals == near(expected, rel=SINGLE if is_run else EXACT)
    own = {device: golden.energy.total_energy(device, **golden.conditions) for device in expected}
    assert totals == near(own, rel=EXACT)


def tolerance(device: str) -> float:
    return SINGLE if device in SPIKING else EXACT


@pytest.fixture(scope="module", params=SEEDS, ids=lambda case: case["name"])
def seed(request: pytest.FixtureRequest) -> Case:
    return request.param  # type: ignore[no-any-return]


def test_the_networks_of_the_notebook_print_what_it_prints(seed: Case) -> None:
    model, printed = build(seed["spec"]), seed["printed"]
    with pytest.warns(UnpricedWarning):
        summary = ModelEnergy(model).summary_string(("name", "energy cpu", "energy gpu"))
    lines = summary.splitlines()
    for device in ("cpu", "gpu"):
        total = f"Total energy per inference [Joules/inf] ({device}): {printed[device]}"
        assert total in lines
    assert model.count_params() == printed["params"]


@pytest.mark.parametrize("name", ["lcrm_vgg9", "lcrm_alexnet"])
def test_the_default_convention_counts_the_depthwise_layers_that_this_one_does_not(
    name: str,
) -> None:
    (seed,) = (case for case in SEEDS if case["name"] == name)
    network = costmodel.read(build(seed["spec"]))
    estimates = [
        costmodel.estimate(network, "cpu", convention=name, on_unpriced="bound")
        for name in ("costmodel", "keras-spiking")
    ]
    depthwise = [layer for layer in network.layers if layer.kind == "keras.DepthwiseConv2D"]
    assert depthwise
    for layer in depthwise:
        counted, uncounted = (each.bill("cpu").line(layer.name) for each in estimates)
        assert counted.cost.energy_joules > 0
        assert "keras.DepthwiseConv2D" in uncounted.unpriced[0]
