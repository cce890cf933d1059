"""Keras models built from the neutral specs of the golden files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

HERE = Path(__file__).parent

Case = Mapping[str, Any]


def cases(file: str) -> list[Case]:
    """The cases of one golden file."""
    found: list[Case] = json.loads((HERE / file).read_text())
    return found


def build(
    spec: Mapping[str, Any], modules: Sequence[ModuleType] = (), package: str = "keras"
) -> Any:
    """The model of a spec; layer types are those of `package`.layers, then of `modules`."""
    keras: Any = import_module(package)  # seconds, so only where a model is built
    homes = (keras.layers, *modules)
    tensors = {
        entry["name"]: keras.Input(tuple(entry["shape"]), name=entry["name"])
        for entry in spec["inputs"]
    }
    inputs = list(tensors.values())
    for entry in spec["layers"]:
        sources = [tensors[name] for name in entry["from"]]
        layer = _layer(entry, homes)
        tensors[entry["name"]] = layer(sources if len(sources) > 1 else sources[0])
    return keras.Model(inputs, [tensors[name] for name in spec["outputs"]])


def _layer(entry: Mapping[str, Any], homes: Sequence[ModuleType]) -> Any:
    cls = next(getattr(home, entry["type"]) for home in homes if hasattr(home, entry["type"]))
    name = {"name": entry["name"]} if "name" in entry else {}
    if "inner" in entry:
        return cls(_layer(entry["inner"], homes), **name, **entry["args"])
    return cls(**name, **entry["args"])
