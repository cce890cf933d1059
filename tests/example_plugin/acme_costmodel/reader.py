"""The reader of Acme's recipes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from costmodel import Network, Reader
from costmodel.errors import ReadError
from costmodel.network.layer import Input, Layer, LayerRegistry, UnknownLayer


class RecipeReader(Reader):
    """Reads `.recipe` files: the input shape, then a kind of layer on every line."""

    name: ClassVar = "acme"
    reads: ClassVar = "a .recipe file"

    def accepts(self, source: object) -> bool:
        """A path that ends in .recipe."""
        return isinstance(source, str | Path) and Path(source).suffix == ".recipe"

    def read(self, source: Any, rules: LayerRegistry) -> Network:
        """The layers one behind the other."""
        head, *kinds = _lines(Path(source))
        layers: list[Layer] = [Input("input", "input", shape=_shape(head, source))]
        layers += [_layer(f"layer_{i}", kind, layers[0], rules) for i, kind in enumerate(kinds)]
        edges = {layer.name: [before.name] for before, layer in pairwise(layers)}
        return Network(Path(source).stem, layers, edges)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines() or [""]
    except (OSError, ValueError) as error:
        message = f"{file}: {error}"
        raise ReadError(message) from None


def _shape(text: str, where: object) -> tuple[int, ...]:
    try:
        shape = tuple(int(length) for length in text.split("x"))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        message = f"{where}: expected a shape such as 16x8 in the first line, found {text!r}"
        raise ReadError(message)
    return shape


def _layer(name: str, kind: str, start: Layer, rules: LayerRegistry) -> Layer:
    cls = rules.find(kind)
    if cls is not None:
        return cls.from_settings(name, kind, start.outputs, {})
    reason = rules.reason_unknown(kind)
    shapes = tuple(tensor.shape for tensor in start.outputs)
    return UnknownLayer(name, kind, start.outputs, recorded=shapes, reason=reason)
