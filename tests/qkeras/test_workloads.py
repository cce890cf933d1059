"""Workloads of quantized networks: formats, loops, and the counts of the ancestors."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import qkeras
from golden import specs
from workload_checks import check_workload

import costmodel
from costmodel import Scenario
from costmodel.workload.graph import Loop
from costmodel.workload.serialization import from_json, to_json
from costmodel_qkeras.convention import CONVENTION as QTOOLS
from costmodel_spiking.convention import CONVENTION as KERAS_SPIKING

pytestmark = pytest.mark.filterwarnings("ignore")  # what QKeras imports is its own affair

FILES = ("qtools_quantized.json", "qtools_mixed.json", "qtools_exotic.json")
CASES = [case for file in FILES for case in specs.cases(file)[::10]]


def network(case: Any) -> Any:
    keras.backend.clear_session(free_memory=False)
    return costmodel.read(specs.build(case["spec"], [qkeras]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_formats_follow_the_tensors_as_they_follow_the_layers(case: Any) -> None:
    given = network(case)
    for default in ("float32", "int8"):
        check_workload(given, Scenario(default_format=default))


@pytest.mark.parametrize("case", CASES[::3], ids=lambda case: case["name"])
@pytest.mark.parametrize("convention", [QTOOLS, KERAS_SPIKING], ids=lambda one: one.name)
def test_the_workload_of_an_ancestor_has_its_counts(convention: Any, case: Any) -> None:
    given = network(case)
    workload = costmodel.lower(given, Scenario(), convention)
    rows = costmodel.work_by_layer(given, Scenario(), convention)
    assert workload.bind(batch=1).macs == sum(row.macs for row in rows)


def test_counts_of_one_timestep_are_for_one_timestep() -> None:
    source = keras.Input((None, 4))
    given = costmodel.read(keras.Model(source, keras.layers.Dense(3, "relu")(source)))
    workload = costmodel.lower(given, Scenario(), KERAS_SPIKING)
    assert workload.bind(batch=5).macs == 5 * 12
    assert from_json(to_json(workload)) == workload


def test_a_quantized_recurrence_is_one_loop_in_each_direction() -> None:
    word = "quantized_bits(4,0,1)"
    source = keras.Input((10_000, 4))
    cell = qkeras.QLSTM(3, kernel_quantizer=word, recurrent_quantizer=word, bias_quantizer=word)
    given = costmodel.read(keras.Model(source, qkeras.QBidirectional(cell)(source)))
    loops = [step for step in costmodel.lower(given) if isinstance(step, Loop)]
    assert [(loop.steps, loop.backwards) for loop in loops] == [(10_000, False), (10_000, True)]
