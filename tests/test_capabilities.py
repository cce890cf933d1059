"""Capabilities of devices: what may be declared, and the laws that assume each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from hypothesis import strategies as st
from nonconforming import chips, devices

from costmodel.devices import CAPABILITIES, USUAL, Device, setting, yes_or_no
from costmodel.errors import UnknownNameError
from costmodel.testing import DeviceContract
from costmodel.testing.capabilities import assumed_by, assumes

PAGE = Path(__file__).parents[1] / "docs" / "extending" / "testing.md"
ASSUMED = {law: assumed_by(getattr(DeviceContract, law)) for law in DeviceContract.laws()}
"""The capabilities that each law of devices assumes."""


def declaring(cls: Any, capabilities: Any) -> Any:
    """A class of devices like another one, with these capabilities."""
    return frozen(type(cls.__name__, (cls,), {"capabilities": capabilities}))


def law_of(name: str, device: Any) -> None:
    getattr(DeviceContract(), name)(device=device)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"batch-liner"}, "found 'batch-liner' .nearest: 'batch-linear'."),
        ({"timed", 5}, "found '5'"),
        (("timed",), "expected a set of names among additive-parts, .*found .'timed',."),
        ("timed", "expected a set of names .*found 'timed'"),
        (None, "found None"),
    ],
)
def test_a_device_class_that_declares_what_is_not_a_capability_is_refused(
    given: Any, said: str
) -> None:
    with pytest.raises(TypeError, match=f"Honest.capabilities: .*{said}"):
        declaring(devices.Honest, given)


def test_a_law_that_assumes_an_unknown_capability_is_reported_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="nearest known: 'timed'"):
        assumes("time")


def test_a_device_class_declares_the_usual_unless_it_says_otherwise() -> None:
    assert (
        Device.capabilities
        == USUAL
        == CAPABILITIES.keys() - {"always-on", "placed", "separable", "timed"}
    )


def test_every_capability_is_assumed_by_a_law() -> None:
    assert {name for names in ASSUMED.values() for name in names} == CAPABILITIES.keys()


NONCONFORMING = {**devices.NONCONFORMING, **chips.NONCONFORMING}
TAGGED = [(make, law) for make, law in NONCONFORMING.items() if ASSUMED[law]]


@pytest.mark.parametrize(("make", "law"), TAGGED, ids=lambda one: getattr(one, "__qualname__", one))
def test_a_law_is_skipped_for_a_device_that_does_not_declare_what_it_assumes(
    make: Any, law: str
) -> None:
    cls = make.__self__
    for name in ASSUMED[law]:
        device = declaring(cls, cls.capabilities - {name}).made()
        for given in (device, st.just(device)):
            with pytest.raises(pytest.skip.Exception) as skipped:
                law_of(law, given)
            reason = f"{cls.__name__!r} does not declare {name!r}: {CAPABILITIES[name]}"
            assert str(skipped.value) == reason


@frozen
class Switched(devices.ForgetsTheBatch):
    """Whether it counts the examples is a setting."""

    forgets: bool = setting(yes_or_no, default=False)

    @property
    def capabilities(self) -> Any:  # type: ignore[override]  # it depends on the setting
        return USUAL - {"batch-linear"} if self.forgets else USUAL

    def charge(self, price: Any, scenario: Any, *factors: Any) -> Any:
        cls = devices.ForgetsTheBatch if self.forgets else devices.Honest
        return cls.charge(self, price, scenario, *factors)


BATCH = "test_twice_the_batch_costs_twice_the_dynamic_energy"


def test_a_law_is_tried_on_the_drawn_devices_whose_settings_promise_what_it_assumes() -> None:
    drawn = st.booleans().map(lambda forgets: Switched.made(forgets=forgets))
    law_of(BATCH, drawn)
    with pytest.raises(pytest.skip.Exception, match="'Switched' does not declare 'batch-linear'"):
        law_of(BATCH, Switched.made(forgets=True))


def rows(title: str) -> Iterator[list[str]]:
    """The rows of the table of the page whose first column has this title."""
    _, _, rest = PAGE.read_text().partition(f"| {title} |")
    for line in rest.splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_lists_every_capability_with_its_meaning_and_its_laws() -> None:
    listed = {}
    for name, meaning, laws in rows("capability"):
        listed[name.strip("`")] = (meaning, sorted(re.findall(r"`(\w+)`", laws)))
    expected = {
        name: (meaning, sorted(law for law, names in ASSUMED.items() if name in names))
        for name, meaning in CAPABILITIES.items()
    }
    assert listed == expected
