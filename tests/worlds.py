"""Small worlds of plugins, made without any search."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import costmodel_hardware.hooks
import costmodel_hgq.hooks
import costmodel_keras.hooks
import costmodel_nir.hooks
import costmodel_onnx.hooks
import costmodel_qkeras.hooks
import costmodel_spiking.hooks
import costmodel_stablehlo.hooks
import costmodel_tflite.hooks
import costmodel_torch.hooks
from costmodel import hookimpl
from costmodel.plugins.discovery import Plugins
from costmodel.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HOUSE = {"hardware": costmodel_hardware.hooks, "keras": costmodel_keras.hooks}
"""The plugins that read Keras and describe devices."""


def world(**plugins: object) -> Registry:
    """A registry of exactly these plugins."""
    return Registry(Plugins.of(plugins))


def plugin(**hooks: Callable[[], Iterable[Any]] | Iterable[Any]) -> object:
    """A plugin whose hooks return these values, or are these functions."""
    return SimpleNamespace(**{f"costmodel_{name}": _hook(value) for name, value in hooks.items()})


def _hook(value: Callable[[], Iterable[Any]] | Iterable[Any]) -> Callable[[], Iterable[Any]]:
    return hookimpl(value if callable(value) else lambda: value)


REGISTRY = world(**HOUSE)
"""The house, for tests that need no other."""

EVERYTHING = world(
    **HOUSE, hgq=costmodel_hgq.hooks, nir=costmodel_nir.hooks, onnx=costmodel_onnx.hooks,
    qkeras=costmodel_qkeras.hooks, spiking=costmodel_spiking.hooks,
    stablehlo=costmodel_stablehlo.hooks, tflite=costmodel_tflite.hooks, torch=costmodel_torch.hooks,
)  # fmt: skip
"""All that ships."""

RULES = REGISTRY.layer_registry
ALL = REGISTRY.device_names
"""The names of all devices that ship."""
SHIPPED = tuple(
    name for name in ALL if REGISTRY.device(name).family not in {"processor", "ethos-u", "spatial"}
)
"""Those of them whose layers each have an energy. Others have tests of their own: processors, whose
energy is a power over the time of a whole network; the Ethos-U, of which no energy is known; and
arrays, which leak all that time."""
ARRAYS = ("eyeriss-v1", "systolic-array", "tpu-v1")
"""Arrays with memories around them, which are written by hand, too."""
PROCESSORS = ("m2-pro", "raspberry-pi-4", "rtx-4090", "stm32h743")
"""Processors whose files are of every form: measured, borrowed, with flash, and without power."""
TRIED = (*SHIPPED, *PROCESSORS, *ARRAYS, "ethos-u55-128", "ethos-u65-512")
"""The devices that the kit is tried on: of the processors, which one script writes, a few."""
