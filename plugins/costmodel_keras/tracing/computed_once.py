"""Work on weights and constants alone: a call on symbolic tensors does it at once, without a node.

While a layer is opened, the calls of the layers in it that take no symbolic tensor are recorded
here, with their results. A result of functions alone is found where a node reads it.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from attrs import define, field, frozen

from costmodel.tensor.shapes import Shape
from costmodel_keras.arguments import is_weight
from costmodel_keras.tracing.random_numbers import Draws, in_symbolic_scope

_CALL: Final = "call"


@frozen
class Result:
    """A value that depends on no input: where it is made, by which layer if by one, its shape."""

    path: str
    layer: Any
    shape: Shape
    may_be_random: bool = False
    """Whether numbers were drawn before in a shape without the batch: it may depend on them."""


@define
class Recorder:
    """The calls on weights and constants alone, in order."""

    keras: Any
    is_made_of_layers: Callable[[Any], bool]
    """Whether the layers in a layer have rows of their own."""

    draws: Draws
    """What was drawn at random until now."""

    results: list[Result] = field(factory=list)
    _known: dict[int, Any] = field(factory=dict)
    """Values that need no row, by identity; they are kept, so that none takes another's."""

    _thread: int = field(factory=threading.get_ident)
    """The thread that opens the layer; another one may run the same layers meanwhile."""

    _within: list[str] = field(factory=list)
    _is_in_leaf: bool = False

    @contextmanager
    def listening(self, layer: Any) -> Iterator[None]:
        """Record the calls of all layers in `layer`."""
        parts = [each for each in layer._flatten_layers() if each is not layer]  # noqa: SLF001  # no public name
        for each in (layer, *parts):
            self._know(_held(each))
        for each in parts:
            vars(each)[_CALL] = self._recording(each, each.call)
        try:
            yield
        finally:
            for each in parts:
                del vars(each)[_CALL]

    def read(self, values: Any) -> None:
        """Note the values that functions made of weights and constants, where a node reads them."""
        for value in self.keras.tree.flatten(values):
            if self._is_concrete(value) and id(value) not in self._known:
                self._add("constant", None, value)

    def _recording(self, layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            is_other = threading.get_ident() != self._thread
            if is_other or self._is_in_leaf or self._is_symbolic((args, kwargs)):
                return call(*args, **kwargs)
            if self.is_made_of_layers(layer):
                return self._through(layer, call, args, kwargs)
            return self._at_once(layer, call, args, kwargs)

        return recorded

    def _through(self, layer: Any, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """The result of a layer of layers, which are recorded under its name."""
        self._within.append(str(layer.name))
        try:
            return call(*args, **kwargs)
        finally:
            self._within.pop()

    def _at_once(self, layer: Any, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """The result of a layer that is priced as a whole."""
        self.read((args, kwargs))
        self._is_in_leaf = True
        try:
            returned = call(*args, **kwargs)
        finally:
            self._is_in_leaf = False
        first, *others = self.keras.tree.flatten(returned)
        self._add(str(layer.name), layer, first)
        self._know(others)
        return returned

    def _add(self, name: str, layer: Any, value: Any) -> None:
        path = "/".join([*self._within, name])
        shape = tuple(map(int, getattr(value, "shape", ())))
        self.results.append(Result(path, layer, shape, self.draws.has_fixed))
        self._know([value])

    def _know(self, values: Iterable[Any]) -> None:
        self._known.update((id(value), value) for value in values)

    def _is_concrete(self, value: Any) -> bool:
        """Whether it is an array of the backend, neither symbolic nor a weight."""
        is_tensor: bool = self.keras.ops.is_tensor(value)
        return is_tensor and not is_weight(value) and not isinstance(value, self.keras.KerasTensor)

    def _is_symbolic(self, values: Any) -> bool:
        """Whether a call only works out shapes."""
        flat = self.keras.tree.flatten(values)
        if any(isinstance(value, self.keras.KerasTensor) for value in flat):
            return True
        return in_symbolic_scope()


def _held(layer: Any) -> list[Any]:
    """What a layer holds as an attribute, alone or in a list or mapping."""
    held = list(vars(layer).values())
    for value in tuple(held):
        if isinstance(value, Mapping):
            held += value.values()
        elif isinstance(value, list | tuple):
            held += value
    return held
