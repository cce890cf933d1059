"""What this plugin offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costmodel.layer import Layer
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
