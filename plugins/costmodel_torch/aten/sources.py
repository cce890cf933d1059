"""Tensors that follow from nothing but numbers, or from chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costmodel.frontend.translation import DataDependentError
from costmodel_torch.aten.table import ATEN, setting, tensor, whole, wholes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from costmodel.frontend.operations.work import Value
    from costmodel.frontend.translation import SourceNode

_LARGEST: Final = 2**20
"""Elements of a constant whose data are kept, which are one number seen everywhere."""
_COMPUTED: Final = 2**16
"""Elements of a constant whose data are computed."""
_CHANCE: Final = "how random numbers are drawn depends on the library"


def _filled(node: SourceNode, shape: Sequence[int], number: Any) -> Value:
    """A constant of one number."""
    import numpy as np  # noqa: PLC0415  # only where a network has constants

    made = node.graph.constant(node.operator, tuple(shape))
    if made.size <= _LARGEST:
        made.data = np.broadcast_to(np.asarray(number), made.shape)
    return made


@ATEN.translates(
    "aten.zeros", "aten.new_zeros", "aten.empty", "aten.new_empty", "aten.empty_strided",
    "aten.new_empty_strided", "aten.empty_permuted",
)  # fmt: skip
def zeros(node: SourceNode) -> Value:
    """Zeros, or elements that are not set."""
    return _filled(node, wholes(node, "size"), 0)


@ATEN.translates("aten.ones", "aten.new_ones")
def ones(node: SourceNode) -> Value:
    """Ones."""
    return _filled(node, wholes(node, "size"), 1)


@ATEN.translates("aten.full", "aten.new_full")
def full(node: SourceNode) -> Value:
    """One number everywhere."""
    return _filled(node, wholes(node, "size"), setting(node, "fill_value", 0))


@ATEN.translates("aten.zeros_like", "aten.empty_like", "aten.ones_like", "aten.full_like")
def like(node: SourceNode) -> Value:
    """One number everywhere, in the shape of a tensor."""
    number = 1 if node.operator == "aten.ones_like" else setting(node, "fill_value", 0)
    return _filled(node, tensor(node, "self").shape, number)


@ATEN.translates("aten.scalar_tensor")
def scalar_tensor(node: SourceNode) -> Value:
    """One number."""
    return _filled(node, (), setting(node, "s", 0))


def _computed(node: SourceNode, size: int, function: Callable[[Any], Any]) -> Value:
    """A constant whose data are computed where it is small."""
    import numpy as np  # noqa: PLC0415  # only where a network has constants

    if size > _COMPUTED:
        shape = node.shapes[0] if node.shapes and node.shapes[0] else (size,)
        return node.graph.constant(node.operator, shape)
    return node.graph.constant(node.operator, data=function(np))


@ATEN.translates("aten.arange")
def arange(node: SourceNode) -> Value:
    """Numbers in equal steps."""
    start, end, step = setting(node, "start", 0), setting(node, "end", 0), setting(node, "step", 1)
    size = int(max((end - start) // step, 0)) + 1
    return _computed(node, size, lambda np: np.arange(start, end, step))


@ATEN.translates("aten.linspace")
def linspace(node: SourceNode) -> Value:
    """So many numbers from one to another."""
    start, end, steps = setting(node, "start"), setting(node, "end"), whole(node, "steps")
    return _computed(node, steps, lambda np: np.linspace(start, end, steps))


@ATEN.translates("aten.eye")
def eye(node: SourceNode) -> Value:
    """Ones on the diagonal, zeros elsewhere."""
    rows = whole(node, "n")
    columns = whole(node, "m", rows)
    return _computed(node, rows * columns, lambda np: np.eye(rows, columns))


@ATEN.translates("aten.tril_indices", "aten.triu_indices")
def indices(node: SourceNode) -> Value:
    """The places of a triangle."""
    shape = node.shapes[0] if node.shapes and node.shapes[0] else (2, 1)
    return node.graph.constant(node.operator, shape)


@ATEN.translates(
    "aten.rand", "aten.randn", "aten.randint", "aten.randperm", "aten.rand_like",
    "aten.randn_like", "aten.randint_like", "aten.bernoulli", "aten.multinomial", "aten.normal",
    "aten.uniform", "aten.poisson", "aten.normal_functional", "aten.exponential",
)  # fmt: skip
def chance(node: SourceNode) -> Sequence[Value]:
    """Numbers that are drawn at every inference."""
    raise DataDependentError(_CHANCE)
