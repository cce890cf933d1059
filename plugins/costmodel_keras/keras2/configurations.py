"""The older forms of a configuration, rewritten in that of Keras 3.

Older are: all that Keras 2 wrote, and HDF5 files of Keras 3, which leave out where a class comes
from. The rest of the reader knows one form.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from costmodel.errors import ReadError
from costmodel_keras.keras2.functions import plain_name

_INPUT, _SEQUENTIAL, _FUNCTIONAL = "InputLayer", "Sequential", "Functional"
MODELS: Final = frozenset({"Model", _SEQUENTIAL, _FUNCTIONAL})

FUNCTION_LAYERS: Final = frozenset({"TFOpLambda", "SlicingOpLambda"})
"""Layers that Keras 2 makes of TensorFlow's functions."""

_HELD: Final = ("layer", "backward_layer", "cell", "cells")
"""Settings that hold layers."""


@frozen
class Difference:
    """How Keras 2 describes a layer otherwise than Keras 3: names of settings, and defaults."""

    name: str | None = None
    """What Keras 3 calls the class."""

    renamed: Mapping[str, str] = {}
    """Names of settings in Keras 2, and those in Keras 3."""

    defaults: Mapping[str, Any] = {}
    """Values of settings that early releases did not write, where Keras 3 has another default."""


_FLAT: Final = Difference(defaults={"dilation_rate": (1, 1)})
_DEEP: Final = Difference(defaults={"dilation_rate": (1, 1, 1)})
_RESET_BEFORE: Final = Difference(defaults={"reset_after": False})

DIFFERENCES: Final[Mapping[str, Difference]] = {
    "BatchNormalizationV1": Difference("BatchNormalization"),
    "BatchNormalizationV2": Difference("BatchNormalization"),
    "Conv2DTranspose": _FLAT,
    "Conv3DTranspose": _DEEP,
    "DepthwiseConv2D": _FLAT,
    "GRU": _RESET_BEFORE,
    "GRUCell": _RESET_BEFORE,
    "InputLayer": Difference(renamed={"batch_input_shape": "batch_shape"}),
    "LeakyReLU": Difference(renamed={"alpha": "negative_slope"}),
    "Model": Difference(_FUNCTIONAL),
    "SyncBatchNormalization": Difference("BatchNormalization"),
}
"""By the name of the class in Keras 2; it is the same in Keras 3 unless stated."""

ACTIVATIONS: Final[Mapping[str, str]] = {"swish": "silu"}
"""Activations by their names in Keras 2, and in Keras 3."""

RECURRENT: Final = frozenset(
    {"Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "GRU", "LSTM", "RNN", "SimpleRNN"}
)
"""Layers that may be called with their first states."""

_ACTIVATION_SETTINGS: Final = ("activation", "recurrent_activation")
_SAME: Final = Difference()


def difference(class_name: str) -> Difference:
    """How a class of Keras 2 differs."""
    return DIFFERENCES.get(class_name, _SAME)


def is_legacy(config: Any) -> bool:
    """Whether a file's configuration of a whole model is in an older form."""
    if not isinstance(config, Mapping):
        return False
    version = config.get("keras_version")
    is_second = isinstance(version, str) and version.startswith("2.")
    return is_second or "module" not in config


def modern(entry: Any, known: Collection[str], where: str) -> Any:
    """The configuration of a layer or model in the form of Keras 3.

    `known` are the kinds that have a rule: they tell where a class comes from whose package was
    not written. What is not understood stays as it is, for the reader to say so.

    Raises:
        ReadError: settings that no layer of Keras 3 can have, or nodes that are none.

    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
        return entry
    config = entry.get("config")
    if entry["class_name"] == _SEQUENTIAL and isinstance(config, list):
        config = {"name": _SEQUENTIAL.lower(), "layers": config}  # so until Keras 2.2.2
    if not isinstance(config, Mapping):
        return entry
    _, _, class_name = entry["class_name"].rpartition(">")
    change = difference(class_name)
    made = {
        **entry,
        "module": _module(entry, change.name or class_name, config, known),
        "class_name": change.name or class_name,
        "config": _settings(config, change, known, where),
    }
    if isinstance(made["config"].get("layers"), list):
        made["config"] = _model(made["class_name"], made["config"], known)
    return made


def _module(
    entry: Mapping[str, Any], name: str, config: Mapping[str, Any], known: Collection[str]
) -> Any:
    """Where the class of an entry comes from: stated, from its registered name, or looked for."""
    is_registered = ">" in entry["class_name"]
    if not is_registered and "module" in entry:
        return entry["module"]
    if _is_operation(entry, config):
        return "keras.ops"
    homes = {kind.rpartition(".")[0] for kind in known if kind.rpartition(".")[2] == name}
    # A class that was registered is not a class of Keras itself.
    homes -= {"keras.ops", "keras"} if is_registered else {"keras.ops"}
    if not is_registered and (name in MODELS or "keras" in homes):
        return "keras"
    return homes.pop() if len(homes) == 1 else None


def _is_operation(entry: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether it is a function of keras.ops, which has no type of its own as every layer has."""
    nodes = entry.get("inbound_nodes")
    is_called = isinstance(nodes, list) and bool(nodes) and _is_modern(nodes[0])
    return is_called and "dtype" not in config and "layers" not in config


def _settings(
    config: Mapping[str, Any], change: Difference, known: Collection[str], where: str
) -> dict[str, Any]:
    if config.get("time_major") is True:
        message = (
            f"{where}: {config.get('name')!r} has time_major=True, with the batch on the second "
            "axis; expected the batch first"
        )
        raise ReadError(message)
    made = {change.renamed.get(name, name): value for name, value in config.items()}
    made = {**change.defaults, **made}
    for name in _ACTIVATION_SETTINGS:
        if name in made:
            made[name] = activation(made[name])
    for name in _HELD:
        held = made.get(name)
        if isinstance(held, list):
            made[name] = [modern(each, known, where) for each in held]
        elif held is not None:
            made[name] = modern(held, known, where)
    return made


def activation(value: Any) -> Any:
    """An activation, its name that of Keras 3."""
    name = value.get("config") if isinstance(value, Mapping) else value
    return ACTIVATIONS.get(name, value) if isinstance(name, str) else value


# ------------------------------------------------------------------ models


def _model(class_name: str, config: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
    where = str(config.get("name"))
    layers = [
        modern(entry, known, f"layer {i} of {where!r}") for i, entry in enumerate(config["layers"])
    ]
    if not all(map(_is_layer, layers)):
        return {**config, "layers": layers}  # for the reader to say so
    if class_name == _SEQUENTIAL:
        return {**config, "layers": _with_input(layers)}
    if not any(map(_has_old_nodes, layers)):
        return {**config, "layers": layers}
    # Keras 2 counts the making of a model as its first call.
    own = {_name(layer): layer["class_name"] for layer in layers if _counts_its_making(layer)}
    made = {**config, "layers": [_connected(layer, own) for layer in layers]}
    if "output_layers" in config:
        # The reader knows of functional models that they count so among the outputs.
        sequential = {name for name, sort in own.items() if sort == _SEQUENTIAL}
        made["output_layers"] = _shifted(config["output_layers"], sequential)
    return made


def _is_layer(entry: Any) -> bool:
    """Whether it has what every layer has: a class and settings."""
    return (
        isinstance(entry, Mapping)
        and isinstance(entry.get("class_name"), str)
        and isinstance(entry.get("config"), Mapping)
    )


def _with_input(layers: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The layers of a sequential model, with the input that early releases kept in the first."""
    if not layers or layers[0]["class_name"] == _INPUT:
        return layers
    config = layers[0]["config"]
    shape = config.get("batch_input_shape")
    if shape is None:
        return layers
    name = f"{config.get('name')}_input"
    settings = {"name": name, "batch_shape": shape}
    return [{"class_name": _INPUT, "module": "keras.layers", "config": settings}, *layers]


def _counts_its_making(layer: Mapping[str, Any]) -> bool:
    """Whether it is a model whose own graph was made before it was called in this one."""
    layers = layer["config"].get("layers")
    if not isinstance(layers, list):
        return False
    if layer["class_name"] != _SEQUENTIAL:
        return True
    return bool(layers) and _is_layer(layers[0]) and layers[0]["class_name"] == _INPUT


def _name(layer: Mapping[str, Any]) -> str:
    return str(layer.get("name", layer["config"].get("name")))


def _shifted(value: Any, own: Collection[str]) -> Any:
    """References to calls, those of the models in `own` one less."""
    if _is_reference(value):
        return [value[0], value[1] - (value[0] in own), value[2]]
    if isinstance(value, list):
        return [_shifted(item, own) for item in value]
    if isinstance(value, Mapping):
        return {key: _shifted(item, own) for key, item in value.items()}
    return value


# ------------------------------------------------------------------ nodes


def _connected(layer: Mapping[str, Any], own: Collection[str]) -> Mapping[str, Any]:
    """A layer of a functional model with its nodes as Keras 3 writes them."""
    if not _has_old_nodes(layer):
        return layer
    made = [_node(node, own, layer) for node in layer["inbound_nodes"]]
    if layer["class_name"] in FUNCTION_LAYERS:
        return _as_function(layer, made)
    return {**layer, "inbound_nodes": made}


def _has_old_nodes(layer: Mapping[str, Any]) -> bool:
    nodes = layer.get("inbound_nodes")
    return isinstance(nodes, list) and not all(map(_is_modern, nodes))


def _is_modern(node: Any) -> bool:
    return isinstance(node, Mapping) and "args" in node


def _node(node: Any, own: Collection[str], called: Mapping[str, Any]) -> dict[str, Any]:
    """One call: a structure of `[layer, call, output, other arguments]`."""
    layer = _name(called)
    leaves = list(_leaves(node))
    if not leaves:
        message = f"layer {layer!r}: expected [layer, call, output], found {node!r:.80}"
        raise ReadError(message)
    others = leaves[0][3] if len(leaves[0]) > 3 else {}  # noqa: PLR2004  # the fourth
    if not isinstance(others, Mapping):
        message = f"layer {layer!r}: expected arguments by name, found {others!r:.80}"
        raise ReadError(message)
    given = _arguments(node, own)
    is_function = called["class_name"] in FUNCTION_LAYERS
    if isinstance(given, list) and len(given) == 1 and not is_function:
        given = given[0]  # a single tensor stands in a list of its own
    kwargs = {name: _arguments(others[name], own) for name in others}
    return with_states(called["class_name"], {"args": [given], "kwargs": kwargs})


def with_states(class_name: str, node: dict[str, Any]) -> dict[str, Any]:
    """A call of a recurrent layer, with the states that Keras 2 lists behind its input."""
    first = node["args"][0] if node["args"] else None
    if class_name not in RECURRENT or not isinstance(first, list) or len(first) < 2:  # noqa: PLR2004  # a state
        return node
    given, *states = first
    return {"args": [given], "kwargs": {**node["kwargs"], "initial_state": states}}


def _leaves(value: Any) -> Iterator[list[Any]]:
    if _is_leaf(value):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(item)


_CONSTANT: Final = "_CONSTANT_VALUE"
"""Stands where a layer's name would, for a first argument that is not a tensor."""


def _is_leaf(value: Any) -> bool:
    """Whether it is `[layer, call, output]`, with other arguments or without."""
    return (
        isinstance(value, list)
        and len(value) in {3, 4}
        and isinstance(value[0], str)
        and isinstance(value[1], int)
    )


def _is_reference(value: Any) -> bool:
    return _is_leaf(value) and isinstance(value[2], int)


def _arguments(value: Any, own: Collection[str]) -> Any:
    """The arguments of a call, its tensors as Keras 3 writes them."""
    if _is_leaf(value) and value[0] == _CONSTANT:
        return value[2]
    if _is_reference(value):
        history = _shifted(value[:3], own)
        return {"class_name": "__keras_tensor__", "config": {"keras_history": history}}
    if isinstance(value, list):
        return [_arguments(item, own) for item in value]
    if isinstance(value, Mapping):
        return {key: _arguments(item, own) for key, item in value.items()}
    return value


def _as_function(layer: Mapping[str, Any], nodes: list[dict[str, Any]]) -> Mapping[str, Any]:
    """One of TensorFlow's functions, under its name."""
    function = layer["config"].get("function")
    if not isinstance(function, str):
        return {**layer, "inbound_nodes": nodes}
    name = plain_name(function)
    return {**layer, "class_name": name, "module": "tf", "inbound_nodes": nodes}
