"""What Acme offers keeps the laws, and works through the front door."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from acme_costmodel.conventions import PRODUCTS
from acme_costmodel.devices import Crossbar
from acme_costmodel.layers import MixingLayer
from acme_costmodel.operators import Mixing
from acme_costmodel.rare import Passing
from acme_costmodel.reader import RecipeReader
from click.testing import CliRunner
from hypothesis import strategies as st

import costmodel
from costmodel import Scenario
from costmodel.cli import main
from costmodel.network.layer import Input
from costmodel.plugins import hookspecs
from costmodel.tensor.shapes import Tensor
from costmodel.testing import (
    ConventionContract,
    DeviceContract,
    LayerContract,
    OperatorContract,
    ReaderContract,
    strategies,
)
from costmodel.testing.readers import Reading

RECIPE = "16x8\nacme.Mixing\nacme.rare.Passing\nacme.Unheard\nacme.Mixing\n"


class TestCrossbar(DeviceContract):
    @pytest.fixture
    def device(self) -> Any:
        return costmodel.device("acme-crossbar")

    def operators(self) -> Any:
        return super().operators() | strategies.shapes().map(mixing)


class TestAnyCrossbar(DeviceContract):
    @pytest.fixture
    def device(self) -> Any:
        return strategies.devices(Crossbar)


class TestMixing(OperatorContract):
    @pytest.fixture
    def operator(self) -> Any:
        return strategies.shapes().map(mixing)


class TestPassing(LayerContract):
    @pytest.fixture
    def layer(self) -> Any:
        return Passing("passing", "acme.rare.Passing", (Tensor((16, 8)),))


class TestMixingLayer(LayerContract):
    @pytest.fixture
    def layer(self) -> Any:
        return MixingLayer("mixing", "acme.Mixing", (Tensor((16, 8)),))


class TestRecipes(ReaderContract):
    @pytest.fixture
    def reading(self, tmp_path: Path) -> Any:
        return Reading(RecipeReader(), recipe(tmp_path))


class TestProducts(ConventionContract):
    @pytest.fixture
    def convention(self) -> Any:
        return PRODUCTS

    def networks(self) -> Any:
        return st.just(read()) | super().networks()


def mixing(shape: tuple[int, ...]) -> Mixing:
    return Mixing.of(Tensor(shape), Tensor(shape), stages=3)


def recipe(folder: Path) -> Path:
    file = folder / "originals" / "small.recipe"
    file.parent.mkdir()
    file.write_text(RECIPE)
    return file


def read() -> costmodel.Network:
    layer = MixingLayer("mixing", "acme.Mixing", (Tensor((16, 8)),))
    start = Input("input", "input", shape=(16, 8))
    return costmodel.Network("acme", [start, layer], {"mixing": ["input"]})


def test_the_plugin_is_listed_with_its_version_and_every_hook() -> None:
    (row,) = [x for x in CliRunner().invoke(main, ["plugins"]).output.splitlines() if "acme" in x]
    assert metadata.version("acme-costmodel") in row
    hooks = [name for name in vars(hookspecs) if name.startswith("costmodel_")]
    assert [hook for hook in hooks if hook.removeprefix("costmodel_") not in row] == []


def test_a_recipe_is_read_and_priced_on_ones_own_device_and_on_others(tmp_path: Path) -> None:
    estimate = costmodel.estimate(
        recipe(tmp_path), ["acme-crossbar", "cpu"], scenario=Scenario(), on_unpriced="bound"
    )
    own, other = (estimate.bill(name).line("layer_0").cost for name in ("acme-crossbar", "cpu"))
    macs = 2 * 4 * 16 * 8
    assert own.energy_joules == pytest.approx(macs * 30e-15 + 16 * 8 * 1.5e-12, rel=1e-9, abs=0)
    assert other.charges[0].count == macs
    assert set(estimate.coverage("cpu").unpriced) == {"layer_2"}


def test_the_convention_is_chosen_by_its_name(tmp_path: Path) -> None:
    estimate = costmodel.estimate(
        recipe(tmp_path), "cpu", convention="acme-products", on_unpriced="bound"
    )
    assert estimate.macs == 2 * 2 * 4 * 16 * 8


def test_the_command_runs(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["acme-widest", str(recipe(tmp_path))])
    assert result.output == "input\n"
