"""`costmodel plugins`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from costmodel import catalogue
from costmodel.cli.output import opened
from costmodel.report import Column, Table

if TYPE_CHECKING:
    from costmodel.plugins import Plugin

_COLUMNS = tuple(map(Column, ("Name", "Distribution", "Version", "Hooks", "Problem")))


@click.command()
@click.pass_context
def plugins(context: click.Context) -> None:
    """List the plugins, what they offer, and what is wrong with them.

    \b
    costmodel plugins
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    found = catalogue.installed()
    found.ask_everything()
    group = context.find_root().command
    if isinstance(group, click.Group):
        group.list_commands(context)  # finds commands of plugins that are out of reach
    notes = () if list(found.plugins) else (catalogue.NOT_INSTALLED,)
    rows = [_row(plugin, found.plugins.problems) for plugin in found.plugins]
    with opened() as output:
        output.tables([Table("plugins", _COLUMNS, rows, notes=notes)])


def _row(plugin: Plugin, problems: tuple[str, ...]) -> tuple[str, ...]:
    prefix = f"plugin {plugin.name!r}: "
    told = [problem.removeprefix(prefix) for problem in problems if problem.startswith(prefix)]
    hooks = ", ".join(hook.removeprefix("costmodel_") for hook in plugin.hooks)
    return (
        plugin.name,
        plugin.distribution,
        plugin.version,
        hooks,
        plugin.problem or "; ".join(told),
    )
