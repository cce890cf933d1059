"""What this plugin offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click


@hookimpl
def costmodel_commands() -> Iterable[click.Command]:
    """The commands that check devices, fit them, and measure networks."""
    from costmodel_validation.commands import fit, measure, validate  # noqa: PLC0415  # on demand

    return [fit, measure, validate]
