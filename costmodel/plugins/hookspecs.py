"""The hooks of a plugin: every way to extend costmodel. Read this first.

A plugin is a module or object named by an entry point of the group `costmodel`. It implements
any of these functions, marked with `costmodel.hookimpl`. costmodel calls each at most once, when it
first needs an object of that type. The function returns the objects to register.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.resources.abc import Traversable

    import click

    from costmodel.conventions.convention import Convention
    from costmodel.devices import Device
    from costmodel.frontend.translation import Translation
    from costmodel.network.layer import Layer, LayerModule
    from costmodel.network.reader import Reader
    from costmodel.plugins.executors import ExecutorFactory

PROJECT = "costmodel"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def costmodel_readers() -> Iterable[Reader]:  # type: ignore[empty-body]  # pluggy calls implementations
    """Offer readers of networks.

    Called when the first source is read. The first reader that accepts a source reads it;
    two readers of one name are an error.
    """


@hookspec
def costmodel_layers() -> Iterable[type[Layer]]:  # type: ignore[empty-body]  # pluggy calls implementations
    """Offer layer classes, each for the kinds that it names.

    Called when the first source is read. Two classes for one kind are an error.
    """


@hookspec
def costmodel_layer_modules() -> Iterable[LayerModule]:  # type: ignore[empty-body]  # pluggy calls implementations
    """Register modules of layer classes. A module is imported when one of its layers is needed.

    For plugins with many layers, to keep the start fast. Called when the first source is read. Two
    modules must not serve the same kind or the same beginning of kinds.
    """


@hookspec
def costmodel_translations() -> Iterable[Translation]:  # type: ignore[empty-body]  # pluggy calls implementations
    """Offer translations of operators of ONNX, TFLite, PyTorch or StableHLO.

    Called when the first source of such a frontend is read. They go before those of the frontend
    itself; two for one operator are an error.
    """


@hookspec
def costmodel_devices() -> Iterable[type[Device]]:  # type: ignore[empty-body]  # pluggy calls implementations
    """Register device classes. The `family` of a class is what device files give as `class`.

    Called when the first device is asked for. Two classes of one family are an error.
    """


@hookspec
def costmodel_device_files() -> Iterable[Traversable]:  # type: ignore[empty-body]  # pluggy calls implementations
    """Offer YAML device files; each is named after its device.

    Called when the first device is asked for. Two devices of one name are an error.
    """


@hookspec
def costmodel_conventions() -> Iterable[Convention]:  # type: ignore[empty-body]  # pluggy calls implementations
    """Offer counting conventions.

    Called when the first convention is asked for. Two of one name are an error.
    """


@hookspec
def costmodel_commands() -> Iterable[click.Command]:  # type: ignore[empty-body]  # pluggy calls implementations
    """Offer commands of the command line.

    Called when the command line starts. Two commands of one name are an error.
    """


@hookspec
def costmodel_executors() -> Iterable[ExecutorFactory]:  # type: ignore[empty-body]  # pluggy calls implementations
    """Offer executors, on which sweeps cost their designs: `costmodel sweep --executor NAME`.

    Called when an executor is asked for by name. Two of one name are an error.
    """
