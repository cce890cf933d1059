"""NIR files, written data set by data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def floats(*shape: int) -> Any:
    return np.ones(shape, "f4")


def node(kind: str, **data: Any) -> dict[str, Any]:
    """The data sets of a node."""
    return {"type": kind, **data}


def graph(nodes: Mapping[str, Any], edges: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The members of a graph."""
    pairs = np.array(edges, dtype=h5py.string_dtype()) if edges else np.zeros((0, 2), "f4")
    return {"type": "NIRGraph", "nodes": nodes, "edges": pairs}


def write(path: Path, nodes: Mapping[str, Any], edges: Sequence[tuple[str, str]]) -> None:
    """Write a graph as `nir.write` does."""
    with h5py.File(path, "w") as file:
        file["version"] = "1.0.8"
        fill(file.create_group("node"), graph(nodes, edges))


def fill(group: Any, members: Mapping[str, Any]) -> None:
    """Write the members of a group."""
    for name, held in members.items():
        if isinstance(held, dict):
            fill(group.create_group(name), held)
        else:
            group.create_dataset(name, data=held)
