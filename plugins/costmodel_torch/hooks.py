"""What this plugin offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costmodel.network.reader import Reader


@hookimpl
def costmodel_readers() -> Iterable[Reader]:
    """The reader of PyTorch modules, exported programs and `.pt2` files."""
    from costmodel_torch.reader import TorchReader  # noqa: PLC0415  # only when one is read

    return [TorchReader()]
