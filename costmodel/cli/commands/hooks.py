"""`costmodel hooks`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import click

from costmodel.cli.output import opened
from costmodel.errors import UnknownNameError
from costmodel.plugins import hookspecs
from costmodel.report.table import Column, Table

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
