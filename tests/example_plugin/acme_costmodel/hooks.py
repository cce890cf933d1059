"""What this plugin offers."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from costmodel import hookimpl
from costmodel.network.layer import LayerModule

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.resources.abc import Traversable

    import click

    from costmodel import Convention, Device, Layer, Reader
    from costmodel.frontend.translation import Translation
    from costmodel.plugins.executors import ExecutorFactory


@hookimpl
def costmodel_readers() -> Iterable[Reader]:
    """The reader of recipes."""
    from acme_costmodel.reader import RecipeReader  # noqa: PLC0415  # on demand

    return [RecipeReader()]


@hookimpl
def costmodel_layers() -> Iterable[type[Layer]]:
    """The mixing layer."""
    from acme_costmodel.layers import MixingLayer  # noqa: PLC0415  # on demand

    return [MixingLayer]


@hookimpl
def costmodel_layer_modules() -> Iterable[LayerModule]:
    """The layers that few networks have."""
    return [LayerModule("acme.rare.", "acme_costmodel.rare")]


@hookimpl
def costmodel_translations() -> Iterable[Translation]:
    """The swish gate of ONNX files."""
    from acme_costmodel.translations import SWISH_GATE  # noqa: PLC0415  # on demand

    return [SWISH_GATE]


@hookimpl
def costmodel_devices() -> Iterable[type[Device]]:
    """The crossbar and the array."""
    from acme_costmodel.array import WeightStationary  # noqa: PLC0415  # on demand
    from acme_costmodel.devices import Crossbar  # noqa: PLC0415  # on demand

    return [Crossbar, WeightStationary]


@hookimpl
def costmodel_device_files() -> Iterable[Traversable]:
    """The figures of one crossbar and of one array."""
    names = ("acme-crossbar.yaml", "acme-array.yaml")
    return [files("acme_costmodel") / name for name in names]


@hookimpl
def costmodel_conventions() -> Iterable[Convention]:
    """The count of products alone."""
    from acme_costmodel.conventions import PRODUCTS  # noqa: PLC0415  # on demand

    return [PRODUCTS]


@hookimpl
def costmodel_commands() -> Iterable[click.Command]:
    """The command `acme-widest`."""
    from acme_costmodel.commands import widest  # noqa: PLC0415  # on demand

    return [widest]


@hookimpl
def costmodel_executors() -> Iterable[ExecutorFactory]:
    """Threads: `--executor acme-threads:4`."""
    from acme_costmodel.executors import THREADS  # noqa: PLC0415  # on demand

    return [THREADS]
