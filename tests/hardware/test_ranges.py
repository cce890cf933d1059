"""The figures of shipped devices have the range that measurements and sources support."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from figures import near
from worlds import ARRAYS, REGISTRY, SHIPPED

import costmodel
from costmodel import Network
from costmodel.devices import Parameter
from costmodel.network.layer import Input, OperatorLayer
from costmodel.workload.builders import matmul

NETWORKS = Path(__file__).parents[1] / "networks"

KEYWORD_SPOTTER: Final = (390, 256, 256, 29)
"""The widths of the network that Blouw et al. (arXiv 1812.01739) measured: 172,800 products."""

BLOUW: Final = {
    "cpu": (6322.4, 1690, 2012.9, 762.71, 716.5, 376.85, 348.27),
    "gpu": (29671, 14500, 7323.2, 3598, 1873.8, 1050.3, 726.92),
    "arm": (5596.7, 2529.3, 1271.1, 694.52, 345.67, 181.55, 101.71),
}
"""Their dynamic energies of an inference in microjoules, at batches of 1, 2, 4, ... 64.

Xeon E5-2630, Quadro K4000 and Jetson TX1, which stand for the class of each device; recomputed
from the logs in abr/power_benchmarks, commit fce95c8.
"""

KRAI: Final = ((124.43, 568_741_376), (155.99, 41_030_528), (152.83, 43_400_368))
"""Millijoules and products of an inference on Cortex-A boards, the least and the most.

MLPerf Inference v1.0 and v2.1, open division, float32 networks, at the wall.
"""


def keyword_spotter() -> Network:
    layers: list[costmodel.Layer] = [Input("x", "input", shape=KEYWORD_SPOTTER[:1])]
    edges = {}
    for index, (inputs, outputs) in enumerate(pairwise(KEYWORD_SPOTTER)):
        work = matmul((inputs,), (inputs, outputs))
        layers.append(OperatorLayer(f"dense_{index}", "operators", [(inputs,)], work=[work]))
        edges[f"dense_{index}"] = [layers[-2].name]
    return Network("keyword spotter", layers, edges)  # type: ignore[arg-type]  # names stand for ports


def figures() -> list[tuple[str, Parameter]]:
    """Of the devices that are written by hand; the times of processors have residuals."""
    names = (*SHIPPED, *ARRAYS)
    return [(name, one) for name in names for one in REGISTRY.device(name).parameters.values()]


def title(value: object) -> str:
    return value.name if isinstance(value, Parameter) else str(value)


@pytest.mark.parametrize("device", BLOUW)
def test_a_measured_energy_lies_within_the_range_of_the_estimate(device: str) -> None:
    network = keyword_spotter()
    assert network.macs == 172_800
    total = costmodel.estimate(network, device, registry=REGISTRY).total(device)
    for microjoules in BLOUW[device]:
        assert total.energy_joules_low <= microjoules * 1e-6 <= total.energy_joules_high


@pytest.mark.parametrize("device", BLOUW)
def test_the_high_end_is_the_measured_energy_per_product_at_batch_1(device: str) -> None:
    figure = REGISTRY.device(device).parameters["energy_per_multiply_accumulate"]
    assert figure.high == near(BLOUW[device][0] * 1e-6 / 172_800, rel=0.005)


def test_the_low_end_of_a_processor_is_measured_and_that_of_the_gpu_a_stated_limit() -> None:
    low = {name: REGISTRY.device(name).energy_per_multiply_accumulate.low for name in BLOUW}  # type: ignore[attr-defined]  # the class has it
    assert low["cpu"] == near(BLOUW["cpu"][-1] * 1e-6 / 172_800, rel=0.01)
    assert low["gpu"] == near(1 / 10e9)  # 10 GMAC/W
    assert low["arm"] == near(KRAI[0][0] * 1e-3 / KRAI[0][1], rel=0.005)


@pytest.mark.parametrize(("millijoules", "macs"), KRAI)
def test_energies_of_boards_with_arm_cores_lie_within_the_range(
    millijoules: float, macs: int
) -> None:
    figure = REGISTRY.device("arm").parameters["energy_per_multiply_accumulate"]
    assert figure.low <= millijoules * 1e-3 / macs <= figure.high


@pytest.mark.parametrize("name", BLOUW)
def test_no_figure_of_a_processor_is_certain_and_its_value_is_not_an_end(name: str) -> None:
    for figure in REGISTRY.device(name).parameters.values():
        assert figure.low < figure.value < figure.high


@pytest.mark.parametrize(("device", "figure"), figures(), ids=title)
def test_a_figure_without_a_range_says_why(device: str, figure: Parameter) -> None:
    assert (figure.low == figure.high) == ("no range" in figure.note), device


@pytest.mark.parametrize(("device", "figure"), figures(), ids=title)
def test_a_value_at_an_end_of_its_range_says_why(device: str, figure: Parameter) -> None:
    for end, number in (("low", figure.low), ("high", figure.high)):
        is_end = figure.low < figure.high and figure.value == number
        assert is_end == (f"the value is the {end} end" in figure.note), device


@pytest.mark.parametrize("name", ["cpu", "gpu", "arm"])
def test_effective_figures_say_at_which_batch_they_hold_wherever_they_are_shown(name: str) -> None:
    found = costmodel.estimate(
        NETWORKS / "dense.json", name, on_unpriced="bound", registry=REGISTRY
    )
    assumed = REGISTRY.device(name).assumes
    assert assumed.startswith("effective figures at large batches; ")
    assert f"assumed on {name}: {assumed}" in str(found).splitlines()
    assert f"- assumed on {name}: {assumed}" in found.table().markdown().splitlines()
    assert found.to_dict()["devices"][name]["assumptions"] == [assumed]
    layer = found.lowered[-1].layer.name
    assert f"  assumes {assumed}" in found.explain(layer, name).splitlines()


def test_a_total_at_an_end_of_its_range_names_the_assumption() -> None:
    found = costmodel.estimate(
        NETWORKS / "dense.json", "horowitz-45nm", on_unpriced="bound", registry=REGISTRY
    )
    assumption = "energy_per_dram_access 1.3 nJ, the low end of 1.3 nJ to 2.6 nJ"
    assert f"assumed on horowitz-45nm: {assumption}" in str(found).splitlines()
    assert found.to_dict()["devices"]["horowitz-45nm"]["assumptions"] == [assumption]


def test_an_end_of_a_range_that_is_not_charged_is_not_an_assumption() -> None:
    chip = REGISTRY.device("horowitz-45nm", weights_on_memory="sram", activations_on_memory="sram")
    found = costmodel.estimate(
        NETWORKS / "dense.json", chip, on_unpriced="bound", registry=REGISTRY
    )
    assert "energy_per_dram_access" not in str(found)
    assert "assumed on horowitz-45nm: no range is known of its figures" in str(found).splitlines()


def test_an_event_driven_chip_without_a_measured_activity_claims_no_measured_range() -> None:
    note = REGISTRY.device("loihi").parameters["energy_per_synaptic_operation"].note
    assert "no energy of one event follows" in note


def test_the_values_are_those_of_keras_spiking() -> None:
    values = {
        name: REGISTRY.device(name).parameters["energy_per_multiply_accumulate"].value
        for name in BLOUW
    }
    assert values == {"cpu": 8.6e-9, "gpu": 0.3e-9, "arm": 0.9e-9}
