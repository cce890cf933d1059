"""The facts of a network that was read, from a file or anything else."""

from __future__ import annotations

from typing import Any

from costmodel.network import Network
from costmodel_qkeras.qtools.facts import Node


def nodes_of(source: Any) -> list[Node]:
    raise NotImplementedError
