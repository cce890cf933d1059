"""Live models of Keras 2: tf_keras, and keras before its third release."""

from __future__ import annotations

import math
from collections import UserDict
from collections.abc import Iterator, Mapping
from itertools import chain, count
from typing import Any, Final

from costmodel.errors import ReadError
from costmodel.tensor.shapes import Shape
from costmodel_keras.arguments import (
    Arguments,
    Array,
    LayerInput,
    Opaque,
    Span,
    Value,
    recorded_arguments,
)
from costmodel_keras.graph import Call, Key, LiveView, ModelView
from costmodel_keras.keras2.configurations import (
    ACTIVATIONS,
    FUNCTION_LAYERS,
    difference,
    with_states,
)
from costmodel_keras.keras2.functions import PREFIX, plain_name

_BASE: Final = "engine.base_layer"
"""The end of the name of the module where Keras 2 keeps the base of all layers."""

_TENSOR: Final = {"class_name": "__keras_tensor__", "config": {}}


def is_legacy(source: object) -> bool:
    """Whether it is a layer or model of Keras 2."""
    return any(cls.__module__.endswith(_BASE) for cls in type(source).__mro__)


def view_of(source: Any) -> LiveView:
    """The view of a live layer or model of Keras 2 or 3."""
    return LegacyView(source) if is_legacy(source) else LiveView(source)


class LegacyView(LiveView):
    """A layer as a live object of Keras 2 has it, in the words of Keras 3."""

    def __init__(self, layer: Any) -> None:
        """Look at `layer`; nothing of it is called."""
        super().__init__(layer)
        package, _, name = self.kind.rpartition(".")
        self._is_function = name in FUNCTION_LAYERS
        if self._is_function:
            self.kind = PREFIX + plain_name(str(layer.get_config().get("function")))
        elif package == "keras":
            self.kind = f"{package}.{difference(name).name or name}"
        self.sort = (self.kind, self.sort)

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings by their names in Keras 3."""
        return _Settings(super().settings, type(self._layer).__name__)

    @property
    def plain_settings(self) -> Mapping[str, Any]:
        """The same: the names have to be looked up."""
        return self.settings

    def arguments(self, call: Call) -> Arguments:
        """What Keras's node holds."""
        if self._is_function:
            return _arguments_of_function(call.node)
        args, kwargs = _written(call.node)
        node = {"args": args, "kwargs": kwargs}
        return recorded_arguments(with_states(type(self._layer).__name__, node))

    def model(self) -> ModelView | None:
        """The graph in it, if it is a model."""
        if self.model_kind is None:
            return None
        if not getattr(self._layer, "_is_graph_network", False):
            message = (
                f"model {self.name!r} is not built; "
                "call model.build(input_shape), or add an Input in front"
            )
            raise ReadError(message)
        return _model(self._layer, self.name)


class _Settings(UserDict[str, Any]):
    """The attributes of a layer under their names in Keras 3."""

    def __init__(self, attributes: Mapping[str, Any], class_name: str) -> None:
        self.data = attributes  # type: ignore[assignment]  # only read
        change = difference(class_name)
        self._names = {new: old for old, new in change.renamed.items()}

    def __getitem__(self, name: str) -> Any:
        value = self.data[self._old(name)]
        return ACTIVATIONS.get(getattr(value, "__name__", ""), value)

    def __contains__(self, name: object) -> bool:
        return self._old(str(name)) in self.data

    def _old(self, name: str) -> str:
        old = self._names.get(name, name)
        # An input keeps its shape under this name alone.
        return f"_{old}" if old not in self.data and f"_{old}" in self.data else old


def _model(model: Any, name: str) -> ModelView:
    # Keras 2 has no public name for its graph either.
    belongs = set(map(id, chain.from_iterable(model._nodes_by_depth.values())))  # noqa: SLF001  # Keras has no public way
    calls = tuple(
        _call(LegacyView(layer), index, node)
        for layer in model._self_tracked_trackables  # noqa: SLF001  # Keras has no public way
        for index, node in enumerate(getattr(layer, "_inbound_nodes", ()))
        if id(node) in belongs
    )
    inputs, outputs = (tuple(map(_key, tensors)) for tensors in (model.inputs, model.outputs))
    return ModelView(name, calls, inputs, outputs)


def _call(view: LegacyView, index: int, node: Any) -> Call:
    return Call(
        (id(node.layer), index),
        view,
        tuple(map(_key, node.keras_inputs)),
        (),  # they are those that the sources gave, recorded there
        _recorded(node),
        node,
    )


def _recorded(node: Any) -> tuple[Shape, ...] | None:
    """The shapes of what a call gives, unless a function gives what is of no batch."""
    wholes = [tuple(tensor.shape) for tensor in flat(node.outputs)]
    given = [tuple(tensor.shape) for tensor in node.keras_inputs]
    is_open = any(whole[:1] == (None,) for whole in given)
    if is_open and any(whole[:1] != (None,) for whole in wholes):
        return None
    return tuple([whole[1:] for whole in wholes])


def _key(tensor: Any) -> Key:
    layer, call, output = tensor._keras_history  # noqa: SLF001  # no public name
    return (id(layer), call), output


def flat(value: Any) -> Iterator[Any]:
    """The tensors of a structure, in the order of Keras."""
    if isinstance(value, Mapping):
        for name in sorted(value):
            yield from flat(value[name])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from flat(item)
    elif value is not None:
        yield value


# ------------------------------------------------------------------ calls, as a file has them


def _written(node: Any) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call in the form of a file."""
    tensors = set(map(id, node.keras_inputs))
    args = [_value(value, tensors) for value in node.call_args]
    return args, {name: _value(value, tensors) for name, value in node.call_kwargs.items()}


def _value(value: Any, tensors: set[int]) -> Any:
    if id(value) in tensors:
        return _TENSOR
    if isinstance(value, Mapping):
        return {str(key): _value(value[key], tensors) for key in value}
    if isinstance(value, list | tuple):
        return [_value(item, tensors) for item in value]
    return _constant(value)


def _constant(value: Any) -> Any:
    if value is ...:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, slice):
        ends = {name: getattr(value, name) for name in ("start", "stop", "step")}
        return {"class_name": "__slice__", "config": ends}
    if isinstance(value, bool | int | float | str | None):
        return value
    array = value.numpy() if hasattr(value, "numpy") else value
    if hasattr(array, "tolist"):
        return array.tolist()
    # A type of elements is known by its name.
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else {"class_name": type(value).__name__, "config": {}}


# ------------------------------------------------------------------ calls of functions

_MOST_NUMBERS: Final = 1024
"""Elements of an array that may be an axis, a shape or amounts for each axis."""


def _arguments_of_function(node: Any) -> Arguments:
    """The arguments of a function of TensorFlow; of a large array the shape alone."""
    tensors, places = set(map(id, node.keras_inputs)), count()
    positional = [_function_value(value, tensors, places) for value in node.call_args]
    named = [
        (str(name), _function_value(node.call_kwargs[name], tensors, places))
        for name in sorted(node.call_kwargs)
    ]
    # As in a file, all but the first have names; those of any number of operands have none.
    names = node.layer._call_spec.arg_names[1:]  # noqa: SLF001  # Keras has no public way
    named += zip(names, positional[1:], strict=False)
    beyond = positional[1 + len(names) :]
    return Arguments((*positional[:1], *beyond), tuple(named))


def _function_value(value: Any, tensors: set[int], places: Iterator[int]) -> Value:
    if id(value) in tensors:
        return LayerInput(next(places))
    if isinstance(value, Mapping):
        names = sorted(value)
        return tuple([(str(n), _function_value(value[n], tensors, places)) for n in names])
    if isinstance(value, list | tuple):
        return tuple([_function_value(item, tensors, places) for item in value])
    if isinstance(value, slice):
        ends = (value.start, value.stop, value.step)
        return Span(*[_function_value(end, tensors, places) for end in ends])
    return _number_or_array(value)


def _number_or_array(value: Any) -> Value:
    """A plain value, or an array: with its numbers where they may be part of the program."""
    if value is ... or isinstance(value, bool | int | float | str | None):
        return value
    shape = getattr(value, "shape", None)
    if shape is None:
        name = _constant(value)
        return name if isinstance(name, str) else Opaque()
    lengths = tuple(map(int, shape))
    is_large = math.prod(lengths) > _MOST_NUMBERS
    if is_large or not lengths or "float" not in str(value.dtype):
        return Array(lengths, _ARRAY_TYPE) if is_large else _listed(_constant(value))
    return Array(lengths, _ARRAY_TYPE)


def _listed(value: Any) -> Value:
    return tuple(map(_listed, value)) if isinstance(value, list) else value


_ARRAY_TYPE: Final = "float32"
"""Of an array in a file, which states no type: TensorFlow takes that of the other operand."""
