"""What this plugin offers."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

from costmodel.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.resources.abc import Traversable

    import click

    from costmodel.devices import Device

FAMILIES: Final = ("horowitz", "per_operation", "event_driven", "processor", "spatial")
"""The folders beside this file, one for each family."""


@hookimpl
def costmodel_devices() -> Iterable[type[Device]]:
    """The device classes."""
    from costmodel_hardware.event_driven.device import EventDriven  # noqa: PLC0415  # on demand
    from costmodel_hardware.horowitz.device import Horowitz  # noqa: PLC0415  # on demand
    from costmodel_hardware.per_operation.device import PerOperation  # noqa: PLC0415  # on demand
    from costmodel_hardware.processor.device import Processor  # noqa: PLC0415  # on demand
    from costmodel_hardware.spatial.device import SpatialAccelerator  # noqa: PLC0415  # on demand

    return [EventDriven, Horowitz, PerOperation, Processor, SpatialAccelerator]


@hookimpl
def costmodel_device_files() -> Iterable[Traversable]:
    """Every YAML file of every family, in the order of their names."""
    here = files("costmodel_hardware")
    return [
        file
        for family in FAMILIES
        for file in sorted((here / family).iterdir(), key=lambda file: file.name)
        if file.name.endswith(".yaml")
    ]


@hookimpl
def costmodel_commands() -> Iterable[click.Command]:
    """The command that shows how a spatial accelerator runs a network."""
    from costmodel_hardware.spatial.showing.command import map_layers  # noqa: PLC0415  # on demand

    return [map_layers]
