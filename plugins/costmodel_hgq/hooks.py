"""What this plugin offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costmodel.network.layer import LayerModule


@hookimpl
def costmodel_layer_modules() -> Iterable[LayerModule]:
    """The layers of HGQ2."""
    from costmodel.network.layer import LayerModule  # noqa: PLC0415  # only when a source is read

    return [LayerModule("hgq.", "costmodel_hgq.layers")]
