"""What this plugin offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costmodel.network.reader import Reader


@hookimpl
def costmodel_readers() -> Iterable[Reader]:
    """The reader of NIR files."""
    from costmodel_nir.reader import NirReader  # noqa: PLC0415  # only when one is read

    return [NirReader()]
