"""The variables of layers in a `.keras` file, for the rules that need them."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

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

_BIDIRECTIONAL: Final = "Bidirectional"
_FORWARD: Final = "forward_layer"
_BACKWARD: Final = "backward_layer"

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
    known: dict[tuple[str, str], frozenset[str]] = {}
    asked = [(place, _asks(place.entry, rules, known)) for place in _places(config, "", 0)]
    asking = [place for place, holders in asked if holders]
    if not asking:
        return config
    groups = [place.group for place in asking]
    holders = frozenset[str]().union(*(names for _, names in asked))
    found = hdf5.variables(archive.weights_in(path), groups, holders, LIMIT, str(path))
    for group, entry, within in asking:
        name, held = entry["config"].get("name"), found.get(group)
        if held is None or held.name not in {None, name}:
            seen = "no variables" if held is None else f"those of {held.name!r:.80}"
            message = (
                f"{path}: expected the variables of layer {name!r:.80} in group {group!r:.200} of "
                f"the weights, found {seen}; save the built model: model.save('model.keras')"
            )
            raise ReadError(message)
        entry["config"][SETTING] = held.arrays
        if within is not None:
            within[_BACKWARD] = entry
    return config


def _asks(
    entry: Mapping[str, Any], rules: LayerRegistry, known: dict[tuple[str, str], frozenset[str]]
) -> frozenset[str]:
    """The holders whose variables the rule for a layer reads; each class is looked up once."""
    module, name = entry.get("module"), entry["class_name"]
    if not isinstance(module, str):
        return frozenset()
    if (module, name) not in known:
        rule: Any = rules.find(kind_of(module, name))
        known[module, name] = getattr(rule, "variable_holders", frozenset())
    return known[module, name]


class _Place(NamedTuple):
    """A layer in a configuration, and the group of its variables as Keras names it.

    `within` is the configuration around a layer that Keras makes by itself, a copy of another one.
    """

    group: str
    entry: dict[str, Any]
    within: dict[str, Any] | None = None


def _places(entry: Any, group: str, level: int) -> Iterator[_Place]:
    """Every layer in a configuration."""
    config = entry.get("config") if isinstance(entry, dict) else None
    if level > _MOST_HOLDERS or not isinstance(config, dict):
        return
    if not isinstance(entry.get("class_name"), str):
        return
    if group:
        yield _Place(group, entry)
    before = f"{group}/" if group else ""
    layers = config.get("layers")
    if isinstance(layers, list):
        for name, layer in _named(layers):
            yield from _places(layer, f"{before}layers/{name}", level + 1)
        return
    is_both = entry["class_name"] == _BIDIRECTIONAL
    for name, held in config.items():
        if isinstance(held, dict) and "/" not in name:
            own = _FORWARD if is_both and name == "layer" else name
            yield from _places(held, f"{before}{own}", level + 1)
    if is_both and config.get(_BACKWARD) is None:
        for one in _places(_turned(config.get("layer")), f"{before}{_BACKWARD}", level + 1):
            yield one._replace(within=config)


def _named(layers: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The layers of a model with the names of their groups: the class, and a number if several."""
    taken: Counter[str] = Counter()
    for layer in layers:
        if isinstance(layer, dict) and isinstance(layer.get("class_name"), str):
            name = in_snake_case(layer["class_name"])
            number, taken[name] = taken[name], taken[name] + 1
            yield f"{name}_{number}" if number else name, layer


def _turned(layer: Any) -> Any:
    """The layer of the other direction that Keras makes of the one that it is given."""
    config = layer.get("config") if isinstance(layer, dict) else None
    if not isinstance(config, dict):
        return None
    name = str(config.get("name")).removeprefix("forward_")
    return {**layer, "config": {**config, "name": f"backward_{name}"}}


@functools.lru_cache(maxsize=1024)
def in_snake_case(class_name: str) -> str:
    """The name that Keras gives the group of a layer: `QConv2D` in `q_conv2d`."""
    parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", class_name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", parted).lower()
