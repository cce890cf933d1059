"""The text table of the drop-in."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from costmodel import UnpricedWarning
from costmodel_spiking import ModelEnergy
from costmodel_spiking.summary import fit

EXAMPLES = np.full((2, 10), 10.0)


def small() -> Any:
    inputs = keras.Input((10,), name="in")
    hidden = layers.Dense(5, activation="relu", kernel_initializer="ones", name="dense")(inputs)
    return keras.Model(inputs, layers.Dense(2, name="last")(hidden))


@pytest.fixture(scope="module")
def energy() -> ModelEnergy:
    return ModelEnergy(small(), EXAMPLES)


def test_the_table(energy: ModelEnergy) -> None:
    assert energy.summary_string(print_warnings=False).splitlines() == [
        "Layer (type)   |Output shape|Param #|Conn #|Neuron #|J/inf (cpu)",
        "---------------|------------|-------|------|--------|-----------",
        "in (InputLayer)|[(None, 10)]|      0|     0|       0|          0",
        "dense (Dense)  |   (None, 5)|     55|    50|       5|    4.7e-07",
        "last (Dense)   |   (None, 2)|     12|    10|       0|    8.6e-08",
        "================================================================",
        "Total energy per inference [Joules/inf] (cpu): 5.59e-07",
    ]


def test_columns_of_rates_and_of_both_energies(energy: ModelEnergy) -> None:
    columns = ("name", "rate", "synop_energy loihi", "neuron_energy loihi", "energy gpu")
    text = energy.summary_string(columns, timesteps_per_inference=10, print_warnings=False)
    assert text.splitlines()[::2] == [
        "Layer (type)   |Rate [Hz]|Synop J/inf (loihi)|Neuron J/inf (loihi)|J/inf (gpu)",
        "in (InputLayer)|       10|                  0|                   0|          0",
        "last (Dense)   |    1e+02|            2.7e-10|                   0|      3e-09",
        "Total energy per inference [Joules/inf] (loihi): 4.46e-09",
    ]


def test_it_is_printed(energy: ModelEnergy, capsys: pytest.CaptureFixture[str]) -> None:
    energy.summary(("name",), print_warnings=False)
    assert capsys.readouterr().out == energy.summary_string(("name",), print_warnings=False) + "\n"


def test_the_conditions_reach_the_figures(energy: ModelEnergy) -> None:
    columns = ("energy loihi",)
    assert energy.summary_string(columns, 10, 0.002) == energy.summary_string(columns, 10, dt=0.002)
    assert energy.summary_string(columns, 10) != energy.summary_string(columns, 20)


@pytest.mark.parametrize("line_length", [40, 60, 80, 98, 200])
def test_no_line_of_the_table_is_longer_than_asked(energy: ModelEnergy, line_length: int) -> None:
    text = energy.summary_string(line_length=line_length, print_warnings=False)
    table, _, _ = text.partition("=")
    assert max(map(len, table.splitlines())) <= line_length


# The widths that the tables of the seed notebook have, from those of their cells.
NOTEBOOK = [
    ([42, 21, 7, 9, 8, 11], [39, 19, 7, 9, 8, 11]),
    ([43, 21, 7, 9, 8, 11], [39, 19, 7, 9, 8, 11]),
    ([43, 21, 7, 8, 8, 11], [39, 20, 7, 8, 8, 11]),
    ([42, 11, 11, 17, 17, 18, 18], [18, 11, 11, 13, 13, 13, 13]),
]


@pytest.mark.parametrize(("natural", "widths"), NOTEBOOK)
def test_columns_are_cut_as_in_the_notebook(natural: list[int], widths: list[int]) -> None:
    is_name = [index == 0 for index in range(len(natural))]
    assert fit(natural, is_name, 98) == widths


def test_what_other_columns_leave_goes_to_the_names() -> None:
    assert fit([80, 5], [True, False], 98) == [80, 5]


def test_a_column_that_is_cut_keeps_its_beginning(energy: ModelEnergy) -> None:
    lines = energy.summary_string(("name", "params"), line_length=13).splitlines()
    assert lines[:4] == ["Layer |Param ", "------|------", "in (In|     0", "dense |    55"]


def test_activations_that_do_not_spike_are_remarked_on_for_devices_that_do(
    energy: ModelEnergy,
) -> None:
    remark = (
        "* This model contains non-spiking activations, priced on loihi as if they were spiking "
        "neurons: dense."
    )
    assert remark in energy.summary_string(("name", "energy loihi", "energy cpu")).splitlines()
    assert remark not in energy.summary_string(("name", "energy cpu"))
    assert remark not in energy.summary_string(("energy loihi",), print_warnings=False)


def test_layers_without_a_rule_are_remarked_on() -> None:
    inputs = keras.Input((3,))
    with pytest.warns(UnpricedWarning):
        energy = ModelEnergy(keras.Model(inputs, layers.Softmax(name="last")(inputs)))
    assert "* Not counted, so 0 in every total: last." in energy.summary_string().splitlines()


def test_calls_that_give_different_shapes_are_multiple() -> None:
    shared = layers.Dense(3, name="shared")
    inputs = [keras.Input((3,)), keras.Input((2, 3))]
    energy = ModelEnergy(keras.Model(inputs, [shared(each) for each in inputs]))
    assert "multiple" in energy.summary_string(("output_shape",))


@pytest.mark.parametrize("columns", [(), [], "name"])
def test_a_table_needs_a_list_of_columns(energy: ModelEnergy, columns: Any) -> None:
    with pytest.raises(ValueError, match="expected a list of names: name, output_shape, params"):
        energy.summary_string(columns)


def test_an_unknown_column_is_an_error_that_names_the_nearest(energy: ModelEnergy) -> None:
    with pytest.raises(ValueError, match=r"unknown column 'param'\n  nearest known: 'params'"):
        energy.summary_string(("name", "param"))


def test_an_unknown_device_of_a_column_is_an_error(energy: ModelEnergy) -> None:
    with pytest.raises(ValueError, match="unknown device of ModelEnergy 'cpux'"):
        energy.summary_string(("name", "energy cpux"))


@pytest.mark.parametrize("column", ["rate", "energy loihi", "synop_energy spinnaker"])
def test_a_column_that_needs_rates_is_an_error_without_example_data(column: str) -> None:
    with pytest.raises(ValueError, match="example_data"):
        ModelEnergy(small()).summary_string(("name", column))
