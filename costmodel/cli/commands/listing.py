"""`costmodel plugins` and `costmodel layers`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from costmodel import registry
from costmodel.cli.output import opened
from costmodel.report.table import Column, Table

if TYPE_CHECKING:
    from costmodel.plugins.discovery import Plugin
    from costmodel.registry import Registry

_COLUMNS = tuple(map(Column, ("Name", "Distribution", "Version", "Hooks", "Problem")))


@click.command()
@click.pass_context
def plugins(context: click.Context) -> None:
    """List the plugins, what they offer, and what is wrong with them.

    \b
    costmodel plugins
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    found = registry.installed()
    found.ask_everything()
    group = context.find_root().command
    if isinstance(group, click.Group):
        group.list_commands(context)  # finds commands of plugins that are out of reach
    notes = () if list(found.plugins) else (registry.NOT_INSTALLED,)
    rows = [_row(plugin, found.plugins.problems) for plugin in found.plugins]
    with opened() as output:
        output.tables([Table("plugins", _COLUMNS, rows, notes=notes)])


_LAYERS = tuple(map(Column, ("Kind", "Rule", "Counts", "Plugin")))


@click.command()
@click.argument("text", required=False, default="")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def layers(text: str, *, as_json: bool) -> None:
    """List every kind of layer that has a rule: the class, what it counts, its plugin.

    With TEXT, only the kinds that contain it, capital or not.

    \b
    costmodel layers
    costmodel layers conv
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    found = registry.installed()
    kinds = sorted(kind for kind in found.layer_registry.by_kind if text.lower() in kind.lower())
    facts = [_facts(found, kind) for kind in kinds]
    with opened() as output:
        if as_json:
            output.text(json.dumps(facts, indent=2))
            return
        notes = [_counted(text, len(facts))] if list(found.plugins) else [registry.NOT_INSTALLED]
        output.tables(
            [Table("layers", _LAYERS, [tuple(fact.values()) for fact in facts], notes=notes)]
        )


def _counted(text: str, count: int) -> str:
    if count:
        return f"{count} kind{'s' if count > 1 else ''}"
    return f"no rule is for a kind with {text!r}; `costmodel new-plugin NAME --layer` writes one"


def _facts(found: Registry, kind: str) -> dict[str, str]:
    rule = found.layer_registry.by_kind[kind]
    return {
        "kind": kind,
        "rule": f"{rule.__module__}.{rule.__qualname__}",
        "counts": rule.describe_work(kind),
        "plugin": found.owner("costmodel_layers", kind),
    }


def _row(plugin: Plugin, problems: tuple[str, ...]) -> tuple[str, ...]:
    prefix = f"plugin {plugin.name!r}: "
    described = [problem.removeprefix(prefix) for problem in problems if problem.startswith(prefix)]
    hooks = ", ".join(hook.removeprefix("costmodel_") for hook in plugin.hooks)
    return (
        plugin.name,
        plugin.distribution,
        plugin.version,
        hooks,
        plugin.problem or "; ".join(described),
    )
