"""Shapes of NIR nodes: what each demands of what it reads, and how a value is made to fit.

Shapes here have no batch axis; values of the graph have one of length 1 in front.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import ReadError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from costmodel.frontend.operations.work import Value
    from costmodel.frontend.translation import SourceNode
    from costmodel_nir.contents import Data, NirNode

Shape = tuple[int, ...]

SETTINGS: Final = frozenset({
    "dilation", "end_dim", "groups", "input_shape", "input_type", "kernel_size", "output_shape",
    "output_type", "padding", "shape", "start_dim", "stride",
})  # fmt: skip
"""Data sets that describe a node; all others are arrays of constants."""

NEURONS: Final[Mapping[str, str]] = {
    "I": "integrator",
    "IF": "if",
    "LI": "li",
    "LIF": "lif",
    "CubaLI": "cuba_li",
    "CubaLIF": "cuba_lif",
    "Threshold": "threshold",
}
"""The functions by which neurons are updated, by the types of nodes."""

AGED: Final[Mapping[str, str]] = {"weights": "weight"}
"""Names of data sets until release 0.0.5."""


def setting(data: Data, where: str) -> tuple[int, ...] | int | str | None:
    """The whole numbers of a data set, one number, or a text.

    Raises:
        ReadError: it is something else.

    """
    values = data.values
    if values is None or (data.type != "text" and any(int(one) != one for one in _finite(values))):
        message = (
            f"{where} has shape {data.shape} and type {data.type!r}; expected a few whole numbers"
        )
        raise ReadError(message)
    if data.type == "text":
        return str(values[0]) if values else None
    numbers = tuple([int(one) for one in values])
    return numbers if data.shape else numbers[0]


def _finite(values: Sequence[Any]) -> Sequence[float]:
    return [one if math.isfinite(one) else 0.5 for one in values]


def lengths(given: Any) -> Shape | None:
    """A shape that a node states, None where it states none."""
    if isinstance(given, int):
        return (given,)
    return given if isinstance(given, tuple) else None


# ------------------------------------------------------------------ what a node demands


def demanded(node: NirNode, where: str) -> Shape | None:
    """The shape of the input that a node demands by its own data, None where it says nothing.

    Raises:
        ReadError: what it says is no shape.

    """
    rule = _DEMANDS.get(node.type)
    return None if rule is None else rule(node, where)


def _stated(*names: str) -> Callable[[NirNode, str], Shape | None]:
    def stated(node: NirNode, where: str) -> Shape | None:
        for name in names:
            if name in node.data:
                return lengths(setting(node.data[name], f"{where}, {name!r}"))
        return None

    return stated


def _of_product(node: NirNode, where: str) -> Shape | None:
    shape = _weight(node)
    return None if shape is None or len(shape) < 2 else (*shape[:-2], shape[-1])  # noqa: PLR2004  # a matrix


def _of_window(node: NirNode, where: str) -> Shape | None:
    shape, spatial = _weight(node), _stated("input_shape")(node, where)
    if shape is None or spatial is None or len(shape) != len(spatial) + 2:
        return None
    groups = _stated("groups")(node, where) or (1,)
    return (shape[1] * groups[0], *spatial)


def _of_elements(node: NirNode, where: str) -> Shape | None:
    shapes = [data.shape for name, data in node.data.items() if name not in SETTINGS]
    return max(shapes, key=math.prod, default=None)


def _weight(node: NirNode) -> Shape | None:
    for name in ("weight", "weights"):
        if name in node.data:
            return node.data[name].shape
    return None


_DEMANDS: Final[Mapping[str, Callable[[NirNode, str], Shape | None]]] = {
    "Input": _stated("shape"),
    "Output": _stated("shape"),
    "Flatten": _stated("input_type"),
    "Affine": _of_product,
    "Linear": _of_product,
    "Conv1d": _of_window,
    "Conv2d": _of_window,
    "Scale": _of_elements,
    "Delay": _of_elements,
    **dict.fromkeys(NEURONS, _of_elements),
}


# ------------------------------------------------------------------ what a value is


def shape_of(value: Value) -> Shape:
    """The shape without the batch."""
    return value.shape[1:]


def show(shape: Sequence[int]) -> str:
    """A shape as people write it."""
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def note(node: SourceNode, text: str) -> None:
    """Say of a node what its file contradicts itself in, and how it is read."""
    node.graph.notes.append(f"{node.name}: {text}")


def fitted(node: SourceNode, value: Value, shape: Shape) -> Value:
    """A value in the shape that a node demands; the same elements in another shape are noted.

    Raises:
        ShapeError: it has another number of elements.

    """
    own = shape_of(value)
    if own == shape:
        return value
    if math.prod(own) != math.prod(shape):
        message = f"reads {show(own)} from {value.name!r:.80}; expected {show(shape)}"
        raise ShapeError(message)
    note(node, f"reads {show(own)} where it expects {show(shape)}; taken as the same elements")
    return node.add("reshape", value, shape=(1, *shape))


def summed(node: SourceNode) -> Value:
    """What arrives at a node along all edges, which NIR adds up.

    Raises:
        ShapeError: the shapes differ.

    """
    values = node.present
    first = values[0]
    if len(values) == 1:
        return first
    same = [fitted(node, value, shape_of(first)) for value in values]
    return node.add("elementwise", *same, function="add", steps=len(same) - 1)
