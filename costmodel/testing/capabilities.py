"""Laws that assume a capability of a device, and are skipped where the device declares none."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.errors import FailedHealthCheck, Unsatisfiable

from costmodel.devices import CAPABILITIES
from costmodel.errors import UnknownNameError

if TYPE_CHECKING:
    from costmodel.devices import Device

_Law: TypeAlias = Callable[[Any, Any], None]
_TAG: Final = "assumed_capabilities"


def assumes(*names: str) -> Callable[[_Law], _Law]:
    """Tag a law of devices with the capabilities that it assumes.

    The law is skipped, with the reason, for a device that does not declare all of them. Of drawn
    devices whose settings decide, it is tried on those that do, and skipped if none does.

    Raises:
        UnknownNameError: there is no such capability.

    """
    for name in names:
        if name not in CAPABILITIES:
            raise UnknownNameError(name, CAPABILITIES, "capability of a device")

    def tag(law: _Law) -> _Law:
        @functools.wraps(law)
        def tagged(contract: Any, device: Any) -> None:
            others: list[Device] = []
            tried: list[Device] = []
            try:
                law(contract, _declaring(device, names, tried, others))
            except (Unsatisfiable, FailedHealthCheck):
                if tried or not others:
                    raise
                _skip_without(names, others[0])

        setattr(tagged, _TAG, names)
        return tagged

    return tag


def assumed_by(law: Callable[..., None]) -> tuple[str, ...]:
    """The capabilities that a law assumes; none of a law for all devices."""
    names: tuple[str, ...] = getattr(law, _TAG, ())
    return names


def _declaring(
    device: Any, names: tuple[str, ...], tried: list[Device], others: list[Device]
) -> Any:
    """The device, or drawn devices, if all capabilities are declared.

    Of drawn ones, those that do are noted among those that are `tried`, the first that does not
    among the `others`.
    """
    if not isinstance(device, st.SearchStrategy):
        _skip_without(names, device)
        return device

    def declaring(drawn: Device) -> Device:
        if not isinstance(inspect.getattr_static(drawn, "capabilities"), property):
            _skip_without(names, drawn)
        elif not drawn.capabilities >= set(names):
            others[:] = others or [drawn]
            reject()
        tried[:] = [drawn]
        return drawn

    return device.map(declaring)


def _skip_without(names: tuple[str, ...], device: Device) -> None:
    for name in names:
        if name not in device.capabilities:
            kind = type(device).__name__
            pytest.skip(f"{kind!r} does not declare {name!r}: {CAPABILITIES[name]}")
