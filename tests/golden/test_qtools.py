"""QTools' golden numbers, from live models of qkeras-v3 and from files read without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from golden import specs
from golden.qtools_cases import CASES, ask, data_types, exactly, savable

import costmodel

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("qkeras.qtools")  # a folder of tests may be called qkeras
qkeras: Any = pytest.importorskip("qkeras")
keras: Any = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning:qkeras",  # parameters that it calls deprecated and sets itself
    "ignore:__array__ implementation:DeprecationWarning",  # its saving of an adaptive activation
)


def check(source: Any, case: specs.Case) -> None:
    """Compare digit for digit."""
    tools = ask(source, case)
    assert exactly(tools._output_dict) == exactly(data_types(case))
    energy = tools.pe(**case["memory"])
    assert exactly(energy) == exactly(case["expected"]["energy"])
    total = tools.extract_energy_sum(tools.include_energy, energy)
    assert total == case["expected"]["sum"]


@pytest.mark.parametrize(
    "case",
    [
        case if place % 4 == 0 else pytest.param(case, marks=pytest.mark.slow)
        for place, case in enumerate(CASES)
    ],
    ids=lambda case: case["name"],
)
def test_a_live_model_and_its_file_have_the_numbers_of_qtools(
    case: specs.Case, tmp_path: Path
) -> None:
    keras.backend.clear_session(free_memory=False)
    model = specs.build(savable(case["spec"]), [qkeras])
    check(model, case)
    model.save(tmp_path / "model.keras")
    check(tmp_path / "model.keras", case)
    live, file = costmodel.read(model), costmodel.read(tmp_path / "model.keras")
    assert (live.layers, live.edges, live.outputs) == (file.layers, file.edges, file.outputs)
