"""The variables of layers in a `.keras` file, for the rules that need them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from costmodel.errors import ReadError
from costmodel.frontend.hdf5 import reading as hdf5
from costmodel_keras.files import archive
from costmodel_keras.graph import kind_of

if TYPE_CHECKING:
    from pathlib import Path

    from costmodel.network.layer import LayerRegistry

SETTING: Final = "costmodel.variables"
"""The setting under which a rule finds the variables of its layer, by path; not in other files."""

LIMIT: Final = 2**26
"""Bytes of the variables of all layers."""

_MOST_HOLDERS: Final = 20
"""Layers around one layer that each hold the next."""


class ReadsVariables:
    """A rule that reads variables of its layer from a file, besides the settings."""

    __slots__ = ()

    variable_holders: ClassVar[frozenset[str]] = frozenset()
    """Names of the objects within the layer whose variables it reads, such as `quantizer`."""


def with_variables(config: Any, path: Path, rules: LayerRegistry) -> Any:
    """The configuration of a `.keras` file with variables where rules ask for them.

    No variable is looked at if no rule asks.

    Raises:
        ReadError: a layer has none in the file, or they are those of another one.

    """
    places = list(_places(config, "", 0))
    asked = [(place, entry, _asks(entry, rules)) for place, entry in places]
    asking = [one for one in asked if one[2]]
    if not asking:
        return config
    groups = [place for place, _, _ in asking]
    holders = frozenset[str]().union(*(names for _, _, names in asking))
    found = hdf5.variables(archive.weights_in(path), groups, holders, LIMIT, str(path))
    for place, entry, _ in asking:
        name, held = entry["config"].get("name"), found.get(place)
        if held is None or held.name not in {None, name}:
            seen = "no variables" if held is None else f"those of {held.name!r:.80}"
            message = (
                f"{path}: expected the variables of layer {name!r:.80} in group {place!r:.200} of "
                f"the weights, found {seen}; save the built model: model.save('model.keras')"
            )
            raise ReadError(message)
        entry["config"][SETTING] = held.arrays
    return config


def _asks(entry: Mapping[str, Any], rules: LayerRegistry) -> frozenset[str]:
    module, name = entry.get("module"), entry["class_name"]
    rule: type = object
    if isinstance(module, str):
        rule = rules.find(kind_of(module, name)) or object
    return rule.variable_holders if issubclass(rule, ReadsVariables) else frozenset()


def _places(entry: Any, place: str, level: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every layer in a configuration with the group of its variables, as Keras names it."""
    if level > _MOST_HOLDERS or not isinstance(entry, dict):
        return
    config = entry.get("config")
    if not isinstance(config, dict) or not isinstance(entry.get("class_name"), str):
        return
    if place:
        yield place, entry
    before = f"{place}/" if place else ""
    layers = config.get("layers")
    if isinstance(layers, list):
        taken: Counter[str] = Counter()
        for layer in layers:
            if isinstance(layer, dict) and isinstance(layer.get("class_name"), str):
                name = in_snake_case(layer["class_name"])
                number, taken[name] = taken[name], taken[name] + 1
                yield from _places(
                    layer, f"{before}layers/{name}{f'_{number}' if number else ''}", level + 1
                )
        return
    for name, held in config.items():
        if isinstance(held, dict) and isinstance(name, str) and "/" not in name:
            yield from _places(held, f"{before}{name}", level + 1)


def in_snake_case(class_name: str) -> str:
    """The name that Keras gives the group of a layer: `QConv2D` in `q_conv2d`."""
    parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", class_name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", parted).lower()
