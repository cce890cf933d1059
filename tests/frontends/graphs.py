"""What the tests of graphs share."""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.conventions.convention import Convention
from costmodel.frontend.graph import Graph
from costmodel.frontend.layers import network_of
from costmodel.frontend.operations.work import Value
from costmodel.network.graph import Network
from costmodel.scenario import Scenario
from costmodel.workload.graph import Workload


def number(graph: Graph, value: float) -> Value:
    """A constant number."""
    return graph.constant("number", (), data=np.array(value, np.float32))


def step(graph: Graph, name: str, operation: str, *reads: Any, **settings: Any) -> Value:
    """An operation as a source node of its own."""
    with graph.source(name, f"test.{operation}"):
        return graph.add(operation, *reads, **settings)


def lowered(graph: Graph, batch: int = 1) -> tuple[Network, Workload]:
    """The network of a graph, and its workload for a batch."""
    network = network_of(graph)
    return network, Convention().lower(network, Scenario()).bind(batch=batch)


def functions(workload: Workload) -> list[str]:
    """The operators of a workload, by the function or the class of each."""
    return [
        getattr(one, "function", "") or type(one).__name__.lower() for one in workload.operators
    ]
