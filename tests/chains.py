"""Chains of quantised layers as Keras would save them, and their bills."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from worlds import HOUSE, world

import costmodel
import costmodel_qkeras.hooks
from costmodel import Network, Scenario

if TYPE_CHECKING:
    from costmodel import Estimate

REGISTRY = world(**HOUSE, qkeras=costmodel_qkeras.hooks)
CHIP = "horowitz-45nm"
INT8 = Scenario(default_format="fixed<8,0>")


def saved(shape: tuple[int, ...], *layers: dict[str, Any]) -> str:
    """The JSON that Keras would save of a chain; `kind` and `module` name the class of a layer."""
    first = {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": [None, *shape]}}
    rest = [
        {"class_name": kind, "module": module, "config": {"name": f"layer{i}", **config}}
        for i, (module, kind, config) in enumerate(map(_parts, layers))
    ]
    config = {"name": "chain", "layers": [first, *rest]}
    return json.dumps({"class_name": "Sequential", "module": "keras", "config": config})


def _parts(layer: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    config = {name: value for name, value in layer.items() if name not in {"kind", "module"}}
    home = "qkeras" if layer["kind"].startswith("Q") else "keras.layers"
    return layer.get("module", home), layer["kind"], config


def network(shape: tuple[int, ...], *layers: dict[str, Any]) -> Network:
    """A chain of layers, read from that JSON."""
    return REGISTRY.read(saved(shape, *layers))


def estimate(
    source: Any, convention: Any = "qtools", scenario: Scenario | None = None, **memory: Any
) -> Estimate:
    """What a network costs on the chip, without a warning about what is unpriced."""
    chip = REGISTRY.device(CHIP, **memory)
    return costmodel.estimate(
        source, chip, convention=convention, on_unpriced="bound", registry=REGISTRY,
        scenario=scenario,
    )  # fmt: skip
