"""What this plugin offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costmodel.conventions.convention import Convention
    from costmodel.network.layer import Layer


@hookimpl
def costmodel_layers() -> Iterable[type[Layer]]:
    """The layers of KerasSpiking."""
    from costmodel_spiking.layers import LAYERS  # noqa: PLC0415  # only when a network is read

    return LAYERS


@hookimpl
def costmodel_conventions() -> Iterable[Convention]:
    """The convention `keras-spiking`."""
    from costmodel_spiking.convention import CONVENTION  # noqa: PLC0415  # on demand

    return [CONVENTION]
