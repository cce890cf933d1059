"""The convention `qtools`: QTools' numbers by layer, and what QTools leaves out."""

from __future__ import annotations

import math
from typing import Any

import pytest
from chains import REGISTRY, estimate, network
from figures import near
from golden import specs
from golden.qtools_cases import CASES, ask, savable

import costmodel
from costmodel import Scenario, UnpricedWarning
from costmodel_qkeras.convention import QToolsConvention
from costmodel_qkeras.qtools.facts import Settings
from costmodel_qkeras.qtools.prices import Memory
from costmodel_qkeras.qtools.results import energies

PICO = 1e-12


qkeras_cases = [case for case in CASES if not case["expected"].get("pe_error")]


@pytest.mark.filterwarnings("ignore::UserWarning:qkeras")
@pytest.mark.parametrize("case", qkeras_cases[::10], ids=lambda case: case["name"])
def test_a_bill_has_the_numbers_of_qtools_before_rounding(case: specs.Case) -> None:
    pytest.importorskip("qkeras.qtools")  # a folder of tests may be called qkeras
    qkeras: Any = pytest.importorskip("qkeras")
    source = REGISTRY.read(specs.build(savable(case["spec"]), [qkeras]))
    settings = Settings(
        for_reference=case["for_reference"],
        keras_quantizer="int8" if case["for_reference"] else None,
        keras_accumulator="int32" if case["for_reference"] else None,
    )
    convention = QToolsConvention(source_quantizers=case["source_quantizers"], settings=settings)
    bill = estimate(source, convention, **case["memory"]).bill("horowitz-45nm")
    tools = ask(source, case)
    found = energies(tools._layer_map, Memory(**case["memory"]), tools._prices)
    for name, energy in found.items():
        parts = bill.line(name).cost.energy_joules_by_role
        expected = {
            "input": energy.inputs, "weight": energy.parameters,
            "output": energy.outputs, "compute": energy.op_cost,
        }  # fmt: skip
        for role, value in expected.items():
            assert parts.get(role, 0.0) == near(value * PICO, rel=1e-6)


DENSE = {
    "kind": "QDense", "units": 4, "kernel_quantizer": "quantized_bits(4,0,1)",
    "bias_quantizer": "quantized_bits(8,3,1)", "activation": "quantized_relu(4)",
}  # fmt: skip
CONV = {
    "module": "qkeras.qconvolutional", "filters": 4, "kernel_size": [3, 3], "strides": [1, 1],
    "padding": "same", "dilation_rate": [1, 1], "kernel_quantizer": "quantized_bits(4,0,1)",
}  # fmt: skip


@pytest.mark.parametrize("layer", [
    {**CONV, "kind": "QConv2DTranspose"},
    {**CONV, "kind": "QConv2DBatchnorm", "module": "qkeras.qconv2d_batchnorm"},
    {**CONV, "kind": "QSeparableConv2D"},
], ids=lambda layer: layer["kind"])  # fmt: skip
def test_work_that_qtools_forgets_is_unpriced_with_its_size(layer: dict[str, Any]) -> None:
    found = estimate(network((8, 8, 3), layer))
    (reason,) = found.coverage("horowitz-45nm").unpriced["layer0"]
    macs = found.network.macs
    kind = f"qkeras.{layer['kind']}"
    forgotten = f"{macs:,} multiply-accumulates"
    assert reason == f"QTools counts no energy for the arithmetic of a {kind!r}: {forgotten}"
    assert found.coverage("horowitz-45nm").macs.covered == 0


def test_what_qtools_takes_for_free_is_free_with_the_reason() -> None:
    relu = {"kind": "QActivation", "activation": "quantized_relu(4)"}
    found = estimate(network((8,), DENSE, relu))
    assert found.coverage("horowitz-45nm").is_complete
    assert "QTools counts no energy" in found.coverage("horowitz-45nm").free["layer1"][0]
    assert "cuts inputs" in found.coverage("horowitz-45nm").free["input"][0]


def test_where_qtools_raises_the_layer_is_unpriced_with_the_error() -> None:
    pool = {"kind": "AveragePooling2D", "module": "keras.layers", "pool_size": [2, 2]}
    found = estimate(network((8, 8, 3), {**CONV, "kind": "QConv2D"}, pool))
    (reason,) = found.coverage("horowitz-45nm").unpriced["layer1"]
    assert reason.startswith("QTools raises AttributeError")


def test_a_dense_layer_over_several_axes_is_unpriced_with_the_error() -> None:
    found = estimate(network((5, 8), DENSE))
    assert "AssertionError" in found.coverage("horowitz-45nm").unpriced["layer0"][0]


def test_a_device_of_another_class_has_no_prices_for_it() -> None:
    with pytest.warns(UnpricedWarning, match="on devices of the class 'horowitz' alone"):
        costmodel.estimate(network((8,), DENSE), "cpu", convention="qtools", registry=REGISTRY)


def test_weights_that_are_fixed_cost_nothing_to_read() -> None:
    found = estimate(network((8,), DENSE), weights_on_memory="fixed")
    assert "fixed in the logic: nothing is moved" in found.bill("horowitz-45nm").line("layer0").free
    assert "weight" not in found.total("horowitz-45nm").energy_joules_by_role


def test_twice_the_batch_costs_twice_as_much() -> None:
    source = network((8,), DENSE)
    one, two = (
        costmodel.estimate(
            source, "horowitz-45nm", convention="qtools", registry=REGISTRY,
            scenario=Scenario(batch=batch),
        ).total("horowitz-45nm").energy_joules
        for batch in (1, 2)
    )  # fmt: skip
    assert two == near(2 * one)


def test_the_sum_of_an_explanation_is_the_energy_of_the_layer() -> None:
    found = estimate(network((8,), DENSE))
    line = found.bill("horowitz-45nm").line("layer0")
    assert line.cost.energy_joules == near(math.fsum(line.cost.energy_joules_by_role.values()))
    text = found.explain("layer0", "horowitz-45nm")
    assert "energy_per_mul" in text
    assert "config_public.py" in text


def test_another_process_is_priced_with_the_figures_of_its_device() -> None:
    source = network((8,), DENSE)
    chip = REGISTRY.device("horowitz-7nm")
    found = costmodel.estimate(source, chip, convention="qtools", registry=REGISTRY)
    text = found.explain("layer0", "horowitz-7nm")
    assert "device 'horowitz-7nm'" in text
    own = estimate(source).bill("horowitz-45nm").line("layer0").cost.energy_joules_by_role
    cost = found.bill("horowitz-7nm").line("layer0").cost.energy_joules_by_role
    assert cost["compute"] < own["compute"]
