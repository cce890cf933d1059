"""`costmodel plugins`, `costmodel layers` and `costmodel hooks`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from costmodel import registry
from costmodel.cli.output import opened
from costmodel.errors import UnknownNameError
from costmodel.plugins import hookspecs
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


_LAYERS = tuple(map(Column, ("Kind", "Plugin", "Counts", "Rule")))


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
        rows = [_cells(fact) for fact in facts]
        output.tables([Table("layers", _LAYERS, rows, notes=notes, folds=True)])


def _counted(text: str, count: int) -> str:
    if count:
        return f"{count} kind{'s' if count > 1 else ''}"
    return f"no rule is for a kind with {text!r}; `costmodel new-plugin NAME --layer` writes one"


def _cells(fact: Mapping[str, str]) -> tuple[str, ...]:
    return tuple([fact[column.title.lower()] for column in _LAYERS])


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


# ------------------------------------------------------------------ hooks

_PREFIX = f"{hookspecs.PROJECT}_"


def specifications() -> Mapping[str, Callable[..., Any]]:
    """Every hook by its name without the prefix, in the order of the file."""
    return {
        name.removeprefix(_PREFIX): hook
        for name, hook in vars(hookspecs).items()
        if name.startswith(_PREFIX)
    }


@click.command()
@click.argument("name", required=False)
@click.option("--markdown", is_flag=True, help="All contracts as a page of the documentation.")
def hooks(name: str | None, *, markdown: bool) -> None:
    """Show the hooks that a plugin may implement, or the contract of one.

    \b
    costmodel hooks
    costmodel hooks layers
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    known = specifications()
    if markdown:
        with opened() as output:
            output.text(page().rstrip())
        return
    if name is None:
        rows = [(short, _summary(hook)) for short, hook in known.items()]
        table = Table("hooks", (Column("Hook"), Column("Offers")), rows, notes=(_NEXT,))
        with opened() as output:
            output.tables([table])
        return
    short = name.removeprefix(_PREFIX)
    if short not in known:
        raise UnknownNameError(short, known, "hook")
    with opened() as output:
        output.text(contract(known[short]))


_NEXT = "`costmodel hooks NAME` shows a contract; `costmodel new-plugin` writes a whole plugin"


def contract(hook: Callable[..., Any]) -> str:
    """The signature of a hook as a plugin implements it, and what it must do."""
    returns = inspect.signature(hook).return_annotation
    return f"@hookimpl\ndef {hook.__name__}() -> {returns}:\n\n{inspect.getdoc(hook)}"


def page() -> str:
    """All contracts in Markdown, under the text that stands above them in the file."""
    parts = ["# Hooks", inspect.getdoc(hookspecs) or ""]
    for short, hook in specifications().items():
        head, _, text = contract(hook).partition("\n\n")
        parts += [f"## {short}", f"```py\n{head}\n    ...\n```", text]
    return "\n\n".join(parts) + "\n"


def _summary(hook: Callable[..., Any]) -> str:
    return (inspect.getdoc(hook) or "").partition("\n")[0]
