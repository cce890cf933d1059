"""Random numbers that a layer draws within its call: each draw for the batch is an input.

Without this, a draw is an array like any other, and what layers make of it looks like work that is
done once. While a layer is opened, a draw for every example gives a symbolic tensor instead.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from attrs import define, field

_BACKEND: Final = "keras.src.backend"
"""The module of Keras 3 that draws, and says whether shapes alone are being worked out."""

_DRAWS: Final = ("beta", "binomial", "gamma", "normal", "randint", "truncated_normal", "uniform")
"""The functions of keras.random that take the shape of what they give first."""


def in_symbolic_scope() -> bool:
    """Whether Keras only works out shapes, on values of its own."""
    in_scope: bool = sys.modules[_BACKEND].in_symbolic_scope()
    return in_scope


@define
class Draws:
    """The random numbers that are drawn while a layer is called on symbolic tensors."""

    keras: Any
    batch: int | None
    """The length of the batch; None if it is open."""

    tensors: list[Any] = field(factory=list)
    """The symbolic tensors, one for each draw for all examples."""

    has_fixed: bool = False
    """Whether numbers were drawn in a shape without the batch: these are arrays."""

    _thread: int = field(factory=threading.get_ident)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take part in every draw of this thread."""
        module = sys.modules[_BACKEND].random
        before = {name: getattr(module, name) for name in _DRAWS if hasattr(module, name)}
        for name, draw in before.items():
            setattr(module, name, self._drawing(draw))
        try:
            yield
        finally:
            for name, draw in before.items():
                setattr(module, name, draw)

    def _drawing(self, draw: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(draw)
        def drawn(shape: Any, *args: Any, dtype: Any = None, **kwargs: Any) -> Any:
            if threading.get_ident() != self._thread or in_symbolic_scope():
                return draw(shape, *args, dtype=dtype, **kwargs)
            if not self._is_for_the_batch(shape):
                self.has_fixed = True
                return draw(shape, *args, dtype=dtype, **kwargs)
            self.tensors.append(self.keras.Input(batch_shape=tuple(shape), dtype=dtype))
            return self.tensors[-1]

        return drawn

    def _is_for_the_batch(self, shape: Any) -> bool:
        first = next(iter(shape), 0)
        return first is None or (first == self.batch)
