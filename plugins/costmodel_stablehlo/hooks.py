"""What this plugin offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costmodel.network.reader import Reader


@hookimpl
def costmodel_readers() -> Iterable[Reader]:
    """The reader of StableHLO modules."""
    from costmodel_stablehlo.reader import StablehloReader  # noqa: PLC0415  # only when one is read

    return [StablehloReader()]
