"""Folding: which layers that scale and shift are absorbed by the linear layer before them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from costmodel.workload.operators import Contraction
from costmodel.workload.reasons import Reason

if TYPE_CHECKING:
    from costmodel.network.graph import Network
    from costmodel.network.layer import Work


def folded(network: Network, works: Mapping[str, Work]) -> Mapping[str, str]:
    """For every layer that is absorbed at inference, such as a batch normalization, the absorber.

    A layer absorbs along the axis of the constants, by parameters that no other layer uses, and
    only where no other layer reads its result.
    """
    distinct = {layer.structural_key: layer for layer in network.layers}
    axes = {structural_key: layer.scales_along for structural_key, layer in distinct.items()}
    scaling = [layer for layer in network.layers if axes[layer.structural_key] is not None]
    if not scaling:
        return {}
    read = [port for ports in network.edges.values() for port in ports]
    readers = Counter([layer for layer, _ in (*read, *network.outputs)])
    shared = {
        name for layer in network.layers if layer.shares for name in (layer.name, layer.shares)
    }
    absorbed: dict[str, str] = {}
    for layer in scaling:
        source = network.sources(layer.name)[0].layer
        absorber = absorbed.get(source, source)
        if (
            readers[source] == 1
            and absorber not in shared
            and network.layer(absorber).absorbs_along == axes[layer.structural_key]
            and _ends_linear(works[absorber])
        ):
            absorbed[layer.name] = absorber
    return absorbed


def _ends_linear(work: Work) -> bool:
    if isinstance(work, Reason):
        return False
    operators = list(work)
    last = operators[-1] if operators else None
    return isinstance(last, Contraction) and bool(last.weights)
