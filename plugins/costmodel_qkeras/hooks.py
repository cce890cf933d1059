"""What this plugin offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costmodel.convention import Convention
    from costmodel.layer import Layer


@hookimpl
def costmodel_layers() -> Iterable[type[Layer]]:
    """The layers of QKeras."""
    from costmodel_qkeras.layers import LAYERS  # noqa: PLC0415  # only when a network is read

    return LAYERS


@hookimpl
def costmodel_conventions() -> Iterable[Convention]:
    """The convention `qtools`."""
    from costmodel_qkeras.convention import CONVENTION  # noqa: PLC0415  # on demand

    return [CONVENTION]
