"""What this plugin offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costmodel.layer import Layer, LayerModule
    from costmodel.reader import Reader


@hookimpl
def costmodel_readers() -> Iterable[Reader]:
    """The reader of Keras networks."""
    from costmodel_keras.reader import KerasReader  # noqa: PLC0415  # only when one is read

    return [KerasReader()]


@hookimpl
def costmodel_layers() -> Iterable[type[Layer]]:
    """The layers of keras.layers."""
    from costmodel_keras.layers import LAYERS  # noqa: PLC0415  # only when one is read

    return LAYERS


@hookimpl
def costmodel_layer_modules() -> Iterable[LayerModule]:
    """The functions of keras.ops."""
    from costmodel.layer import LayerModule  # noqa: PLC0415  # only when a source is read

    return [LayerModule("keras.ops.", "costmodel_keras.layers.operations", "OPERATIONS")]
