"""Laws that assume a capability of a device, and are skipped where the device declares none."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest
from hypothesis import reject
from hypothesis import strategies as st

from costmodel.devices import CAPABILITIES
from costmodel.errors import UnknownNameError

if TYPE_CHECKING:
    from costmodel.devices import Device

_Law: TypeAlias = Callable[[Any, Any], None]
_TAG: Final = "assumed_capabilities"


def assumes(*names: str) -> Callable[[_Law], _Law]:
    """Tag a law of devices with the capabilities that it assumes.

    The law is skipped, with the reason, for a device that does not declare all of them. Of drawn
    devices whose settings decide, it is tried on those that do.

    Raises:
        UnknownNameError: there is no such capability.

    """
    for name in names:
        if name not in CAPABILITIES:
            raise UnknownNameError(name, CAPABILITIES, "capability of a device")

    def tag(law: _Law) -> _Law:
        @functools.wraps(law)
        def tagged(contract: Any, device: Any) -> None:
            law(contract, _declaring(device, names))

        setattr(tagged, _TAG, names)
        return tagged

    return tag


def assumed_by(law: Callable[..., None]) -> tuple[str, ...]:
    """The capabilities that a law assumes; none of a law for all devices."""
    names: tuple[str, ...] = getattr(law, _TAG, ())
    return names


def _declaring(device: Any, names: tuple[str, ...]) -> Any:
    """The device, or drawn devices, if all capabilities are declared."""
    if isinstance(device, st.SearchStrategy):
        return device.map(functools.partial(_drawn_declaring, names))
    _skip_without(names, device)
    return device


def _drawn_declaring(names: tuple[str, ...], device: Device) -> Device:
    if isinstance(inspect.getattr_static(device, "capabilities"), property):
        if not device.capabilities >= set(names):
            reject()
    else:
        _skip_without(names, device)
    return device


def _skip_without(names: tuple[str, ...], device: Device) -> None:
    for name in names:
        if name not in device.capabilities:
            kind = type(device).__name__
            pytest.skip(f"{kind!r} does not declare {name!r}: {CAPABILITIES[name]}")
