"""What this plugin offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costmodel.network.layer import LayerModule
    from costmodel.network.reader import Reader


@hookimpl
def costmodel_readers() -> Iterable[Reader]:
    """The reader of Keras networks."""
    from costmodel_keras.reader import KerasReader  # noqa: PLC0415  # only when one is read

    return [KerasReader()]


@hookimpl
def costmodel_layer_modules() -> Iterable[LayerModule]:
    """The layers of keras.layers by subject, and the functions of keras.ops."""
    from costmodel.network.layer import LayerModule  # noqa: PLC0415  # only when a source is read
    from costmodel_keras.layers import MODULES  # noqa: PLC0415  # likewise

    package = "costmodel_keras.layers"
    layers = [LayerModule(kinds, f"{package}.{name}") for name, kinds in MODULES.items()]
    return [*layers, LayerModule("keras.ops.", f"{package}.operations", "OPERATIONS")]
