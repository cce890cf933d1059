"""Errors of this plugin: ValueErrors too, as callers of KerasSpiking's ModelEnergy expect."""

from __future__ import annotations

from costmodel.errors import CostModelError, ReadError, ScenarioError, ShapeError, UnknownNameError


class UndefinedAxisError(ShapeError, ValueError):
    """A shape with an open axis that is neither the batch nor time."""


class UnknownModelEnergyNameError(UnknownNameError, ValueError):
    """A device, layer or column that `ModelEnergy` does not have."""


class NoModelError(ReadError, TypeError):
    """Something that is not a Keras model, where one is needed."""


class NoColumnsError(CostModelError, ValueError):
    """A table without a column."""


class NoExampleDataError(ScenarioError, ValueError):
    """A firing rate that was asked for without example data."""


class StatsError(CostModelError, ValueError):
    """Statistics of a layer that cannot be had, or that a registered function has wrong."""


class DeviceFiguresError(CostModelError, ValueError):
    """Figures that make no device."""
