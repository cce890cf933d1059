"""A setting that a device ignores is named beside the numbers, in every form of a result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import console
import pytest
from attrs import fields, frozen
from console import DENSE
from worlds import EVERYTHING, REGISTRY

import costmodel
from costmodel import Device, Estimate, Network, Scenario
from costmodel.devices import Evidence, Parameter, parameter, yes_or_no
from costmodel.network.layer import Input, OperatorLayer, setting
from costmodel.scenario import CONDITIONS
from costmodel.tensor.shapes import Tensor
from costmodel.workload.builders import matmul

INT8 = ("--default-format", "int8")
IGNORED = "where no price depends on it"


def of(*devices: str | Device, source: Any = DENSE, **settings: Any) -> Estimate:
    return costmodel.estimate(
        source, devices, scenario=Scenario(**settings), on_unpriced="bound", registry=REGISTRY
    )


def quantised() -> Network:
    """A network that declares its formats."""
    work = matmul(Tensor((8,), "int8"), Tensor((8, 4), "ternary"), output=Tensor((4,), "int32"))
    dense = OperatorLayer("dense", "operators", [(8,)], work=[work])
    return Network("quantised", [Input("x", "input", shape=(8,)), dense], {"dense": ["x"]})


GIVEN = {
    "default_format": "int8", "source_format": "float16", "timesteps": 20, "dt": 0.01,
    "rates": 10.0,
}  # fmt: skip


def test_a_format_that_changes_no_price_is_named_below_the_table() -> None:
    found = of("cpu", "gpu", "horowitz-45nm", default_format="int8")
    line = f"ignored on cpu, gpu, {IGNORED}: default format fixed<8,7>"
    assert line in str(found).splitlines()
    assert f"- {line}" in found.table().markdown().splitlines()
    assert "ignored on horowitz" not in str(found)


@pytest.mark.parametrize(("setting", "value"), GIVEN.items())
def test_a_setting_is_named_exactly_where_it_changes_nothing(setting: str, value: Any) -> None:
    devices = ("cpu", "horowitz-45nm", "loihi")
    plain = {"rates": 1.0} if setting != "rates" else {}
    before = of(*devices, source=quantised(), rates=1.0)
    after = of(*devices, source=quantised(), **plain, **{setting: value})
    for name in devices:
        is_changed = before.total(name).energy_joules != after.total(name).energy_joules
        if is_changed:
            assert setting not in after.ignored(name)
    assert setting in after.ignored("cpu")


@pytest.mark.parametrize("device", ["cpu", "loihi"])
def test_formats_that_a_network_declares_are_named_where_they_change_nothing(device: str) -> None:
    found = of(device, source=quantised(), rates=10.0)
    formats = "fixed<32,31>, fixed<8,7>, ternary"
    assert found.ignored(device)["tensor_formats"] == formats
    assert f"tensor formats {formats}" in str(found)
    assert "tensor_formats" not in of("horowitz-45nm", source=quantised()).ignored("horowitz-45nm")


def test_nothing_is_named_where_nothing_was_given() -> None:
    found = of("cpu", "horowitz-45nm")
    assert found.ignored("cpu") == found.ignored("horowitz-45nm") == {}
    assert "ignored on" not in str(found)


def test_a_batch_is_read_by_every_device_that_ships() -> None:
    assert not any("batch" in cls.ignores for cls in EVERYTHING.device_families.values())


def test_json_has_what_is_ignored_beside_the_number() -> None:
    found = of("cpu", "loihi", **GIVEN).to_dict()["devices"]
    assert found["cpu"]["ignored"] == {
        "timesteps": "20", "dt": "10 ms", "rates": "10 Hz", "default_format": "fixed<8,7>",
        "source_format": "float16",
    }  # fmt: skip
    formats = {"default_format": "fixed<8,7>", "source_format": "float16"}
    assert found["loihi"]["ignored"] == formats


def test_an_explanation_names_what_is_ignored() -> None:
    said = console.good("explain", DENSE, "first", "-d", "cpu,horowitz-45nm", *INT8)
    assert said.count("ignores default format fixed<8,7>: no price depends on it") == 1


def test_a_comparison_names_what_is_ignored() -> None:
    said = console.good("compare", DENSE, "-d", "cpu,horowitz-45nm", *INT8)
    assert f"ignored on cpu, {IGNORED}: default format fixed<8,7>" in said
    values = console.good("compare", DENSE, "-d", "cpu,horowitz-45nm", *INT8, "--format", "json")
    sides = json.loads(values)
    assert sides["before"]["ignored"] == {"default_format": "fixed<8,7>"}
    assert sides["after"]["ignored"] == {}


def test_a_spreadsheet_has_no_notes_so_standard_error_names_what_is_ignored() -> None:
    done = console.run("estimate", DENSE, "-d", "cpu", *INT8, "--format", "csv")
    assert "ignored" not in done.stdout
    assert f"ignored on cpu, {IGNORED}: default format fixed<8,7>" in done.stderr


def test_rates_by_layer_are_named_too() -> None:
    assert of("cpu", rates={"first": 3.0}).ignored("cpu") == {"rates": "by layer"}


def test_a_device_and_a_class_are_listed_with_what_they_ignore() -> None:
    words = "timesteps, dt, rates, formats"
    assert f"ignores       {words}\n" in console.good("devices", "show", "cpu")
    classes = console.good("devices", "classes").split("\n\n")
    (block,) = [block for block in classes if block.startswith("per-operation")]
    assert words in block


def test_every_setting_of_a_scenario_is_a_condition_or_decided_before_any_price() -> None:
    named = {name for names in CONDITIONS.values() for name in names}
    decided_by_layers = {"input_shapes", "time_axis"}
    assert {item.name for item in fields(Scenario)} == named | decided_by_layers


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("rates", "found 'rates'"),
        (("rate",), r"found \('rate',\) \(nearest: 'rates'\)"),
        (["rates"], r"found \['rates'\]"),
    ],
)
def test_a_class_that_ignores_what_is_not_a_condition_is_refused(wrong: Any, said: str) -> None:
    demand = "expected a tuple of names among batch, timesteps, dt, rates, formats"
    with pytest.raises(TypeError, match=rf"^Odd\.ignores: {demand}; {said}$"):

        @frozen
        class Odd(Device):
            ignores: ClassVar = wrong


@frozen
class Switched(Device):
    """Reads formats only if it is told to."""

    family = "switched"

    energy: Parameter = parameter("J")
    reads_formats: bool = setting(yes_or_no, default=False)

    @property
    def ignores(self) -> tuple[str, ...]:  # type: ignore[override]  # by its settings
        return () if self.reads_formats else ("formats",)


def test_what_is_ignored_may_depend_on_a_setting_of_the_device() -> None:
    price = Parameter("energy", 1e-12, "J", "a test", Evidence.ASSUMED)
    for reads, named in ((True, {}), (False, {"default_format": "fixed<8,7>"})):
        chip = Switched("chip", energy=price, reads_formats=reads)
        assert of(chip, default_format="int8").ignored("chip") == named


def test_the_documentation_names_every_condition() -> None:
    page = (Path(__file__).parents[1] / "docs" / "extending" / "device.md").read_text()
    assert all(f"`{condition}`" in page for condition in CONDITIONS)
