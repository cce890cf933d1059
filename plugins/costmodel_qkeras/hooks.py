"""What this plugin offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costmodel.conventions.convention import Convention
    from costmodel.network.layer import LayerModule


@hookimpl
def costmodel_layer_modules() -> Iterable[LayerModule]:
    """The layers of QKeras."""
    from costmodel.network.layer import LayerModule  # noqa: PLC0415  # only when a source is read

    return [LayerModule("qkeras.", "costmodel_qkeras.layers")]


@hookimpl
def costmodel_conventions() -> Iterable[Convention]:
    """The convention `qtools`."""
    from costmodel_qkeras.convention import CONVENTION  # noqa: PLC0415  # on demand

    return [CONVENTION]
