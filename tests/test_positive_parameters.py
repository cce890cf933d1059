"""A parameter that a formula divides by is declared positive, and is above 0 everywhere."""

from __future__ import annotations

from typing import Any, ClassVar

import console
import pytest
from attrs import frozen
from console import DENSE
from hypothesis import given

from costmodel import Device, Scenario
from costmodel.devicefile import load_device
from costmodel.devices import Charge, Cost, Evidence, Factor, Parameter, handles, parameter
from costmodel.errors import CostModelError, DeviceFileError
from costmodel.testing import DeviceContract, strategies
from costmodel.workload.operators import Contraction

DEMAND = "expected a value above 0, since a formula divides by it"


@frozen
class Clocked(Device):
    """Is switched on for as long as its clock takes."""

    family: ClassVar = "clocked"
    ignores: ClassVar = ("timesteps", "dt", "rates", "formats")
    resources: ClassVar = ("chip",)

    idle_power: Parameter = parameter("W")
    clock: Parameter = parameter("Hz", positive=True)
    lanes: Parameter | None = parameter("", optional=True, positive=True)

    @handles(Contraction)
    def contraction(self, operator: Contraction, scenario: Scenario) -> Cost:
        lanes = 1.0 if self.lanes is None else self.lanes.value
        seconds = operator.macs * scenario.batch / lanes / self.clock.value
        charge = Charge("chip", "static", (Factor("time", seconds, "s"),), self.idle_power)
        return Cost([charge], latency_seconds=seconds)


def figure(name: str, unit: str, value: float, **ends: float) -> Parameter:
    return Parameter(name, value, unit, "a data sheet", Evidence.VENDOR, **ends)


def clocked(clock: Parameter, lanes: Parameter | None = None) -> Clocked:
    idle = figure("idle_power", "W", 0.0)  # nothing divides by it
    return Clocked("chip", idle_power=idle, clock=clock, lanes=lanes)


GOOD = """\
schema: costmodel/device/2
name: chip
class: clocked
sources:
  sheet: "Acme, data sheet"
parameters:
  idle_power: {value: 0 W, source: sheet, evidence: vendor}
  clock: {value: 1 MHz, low: 0.5 MHz, high: 2 MHz, source: sheet, evidence: vendor}
  lanes: {value: 4, source: sheet, evidence: vendor}
"""


def load(text: str) -> Device:
    return load_device(text.encode(), "chip.yaml", {"clocked": Clocked})


def test_a_value_above_0_is_taken_everywhere() -> None:
    assert load(GOOD).parameters["clock"].low == 5e5
    assert clocked(figure("clock", "Hz", 1.0)).lanes is None
    assert load(GOOD).with_parameters(clock="1e-9 Hz").parameters["clock"].value == 1e-9


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (("value: 4", "value: 0"), f"parameters.lanes.value: {DEMAND}; found '0'"),
        (("low: 0.5 MHz", "low: 0 Hz"), f"parameters.clock.low: {DEMAND}; found '0 Hz'"),
    ],
)
def test_a_file_that_gives_0_is_refused_with_the_place(
    change: tuple[str, str], mistake: str
) -> None:
    with pytest.raises(DeviceFileError) as caught:
        load(GOOD.replace(*change))
    assert list(caught.value.mistakes) == [mistake]


@pytest.mark.parametrize(
    ("clock", "found"),
    [
        (figure("clock", "Hz", 0.0), "value 0, low 0"),
        (figure("clock", "Hz", 2.0, low=0.0), "value 2, low 0"),
    ],
)
def test_a_constructor_that_is_given_0_refuses_it(clock: Parameter, found: str) -> None:
    with pytest.raises(ValueError, match=f"^clock: {DEMAND}, found {found}$"):
        clocked(clock)


@pytest.mark.parametrize("given_value", ["0 Hz", "0.0 MHz", "0e9 Hz"])
def test_a_call_that_gives_0_is_refused_with_the_device_and_the_parameter(
    given_value: str,
) -> None:
    message = f"^chip.clock: {DEMAND}, found '{given_value}'$"
    with pytest.raises(CostModelError, match=message):
        load(GOOD).with_parameters(clock=given_value)


def test_the_command_line_refuses_0(monkeypatch: pytest.MonkeyPatch) -> None:
    chip: Any = load(GOOD)
    monkeypatch.setattr("costmodel.registry.Registry.device", lambda *_: chip)
    done = console.run("estimate", DENSE, "-d", "chip", "--set", "chip.clock=0 Hz")
    assert done.exit_code == 2
    assert f"chip.clock: {DEMAND}, found '0 Hz'" in done.stderr


@given(strategies.devices(Clocked))
def test_drawn_devices_keep_the_declared_domain(chip: Device) -> None:
    for name in chip.parameters.keys() & Clocked.positive_parameters():
        assert chip.parameters[name].low > 0


def test_a_class_tells_which_parameters_are_positive() -> None:
    assert Clocked.positive_parameters() == {"clock", "lanes"}


class TestClocked(DeviceContract):
    """A formula that divides keeps every law with any figures that it declares."""

    @pytest.fixture
    def device(self) -> Any:
        return strategies.devices(Clocked)
