"""The steps of the normalisation, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costmodel.frontend.normalize.attention import join_attention, join_head_orders
from costmodel.frontend.normalize.biases import join_biases
from costmodel.frontend.normalize.means import join_means, join_scales
from costmodel.frontend.normalize.padding import join_padding
from costmodel.frontend.normalize.quantization import fold_quantization
from costmodel.frontend.normalize.recognition import recognize
from costmodel.frontend.normalize.rewriting import remove_unused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costmodel.frontend.graph import Graph
    from costmodel.frontend.normalize.rewriting import Pass

PASSES: Final[Sequence[Pass]] = (
    remove_unused,
    fold_quantization,
    join_biases,
    recognize,
    join_means,
    join_scales,
    join_padding,
    join_attention,
    join_head_orders,
    remove_unused,
)
"""Each changes a graph in place; the work that it describes stays the same."""


def normalize(graph: Graph) -> None:
    """Take all steps."""
    for step in PASSES:
        step(graph)
