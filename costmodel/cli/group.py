"""The group of all commands: where plugins join it and where errors end."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from importlib import import_module
from typing import Any, Final

import click

from costmodel import registry
from costmodel.cli.output import (
    ClosedOutput,
    forget_standard_output,
    unwritable_output,
    writing_standard_output,
)
from costmodel.cli.progress import shown_progress
from costmodel.errors import CostModelError, UnknownNameError, UnpricedError
from costmodel.plugins.discovery import around_plugins
from costmodel.report.table import escaped

NO: Final = 1
"""Exit status of an answer that is no."""
WRONG: Final = 2
"""Exit status of wrong use, unreadable input, or a fault of costmodel."""
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
TRACEBACK: Final = "COSTMODEL_TRACEBACK"
"""The environment variable that shows where an unexpected error came from."""

_HOOK = "costmodel_commands"


class CommandGroup(click.Group):
    """The built-in commands and those of plugins; no traceback leaves it."""

    def __init__(self, *args: Any, modules: Mapping[str, str], **extra: Any) -> None:
        """Take the names of the built-in commands, each with the module that holds it."""
        super().__init__(*args, **extra)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:  # click gives it
        """All names, built-in ones first."""
        return [*self._modules, *self._of_plugins()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; a built-in one wins."""
        if cmd_name not in self._modules:
            return self._of_plugins().get(cmd_name)
        module = import_module(self._modules[cmd_name])
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command, or name the nearest one, and which plugin could not add its own."""
        name = args[0]
        if name.startswith("-") or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        problems = "\n  ".join(registry.installed().plugins.problems)
        error = UnknownNameError(name, self.list_commands(ctx), "command", problems)
        raise click.UsageError(str(error), ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what goes wrong becomes a message and an exit status."""
        with _described(), around_plugins(_prints_elsewhere), shown_progress():
            result = super().invoke(ctx)
            with writing_standard_output():
                sys.stdout.flush()
            return result

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the options of the group itself, among them --help."""
        if sys.stdout is None:  # closed by whoever started the program
            sys.stdout = ClosedOutput()
        with _described(), around_plugins(_prints_elsewhere):
            return super().make_context(*args, **extra)

    def _of_plugins(self) -> dict[str, click.Command]:
        found = registry.installed()
        commands = dict(found.commands)
        for name in [name for name in commands if name in self._modules]:
            problem = f"{_HOOK}: {name!r} is a command of costmodel; its own is out of reach"
            found.plugins.blame(found.owner(_HOOK, name), problem)
            del commands[name]
        return commands


class Failure(click.ClickException):
    """An error as a user sees it."""

    exit_code = WRONG

    def format_message(self) -> str:
        """The text, with nothing in it that steers a terminal."""
        return escaped(self.message, keep="\n")


class AnswerIsNo(Failure):
    """Not an error of the user: the question has an answer, and it is no."""

    exit_code = NO


def _prints_elsewhere() -> AbstractContextManager[object]:
    """What plugins print goes to standard error: standard output is for data."""
    return redirect_stdout(sys.stderr)


@contextmanager
def _described() -> Iterator[None]:
    """Turn every error into one that click shows on standard error."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        forget_standard_output()
        raise click.exceptions.Exit(PIPE_CLOSED) from None
    except UnpricedError as error:
        raise AnswerIsNo(str(error)) from None
    except CostModelError as error:
        raise Failure(str(error)) from None
    except OSError as error:
        if not _is_of_echo(error):
            raise Failure(_unexpected(error)) from None
        forget_standard_output()
        raise Failure(unwritable_output(error)) from None
    except Exception as error:  # noqa: BLE001  # no traceback may reach a user
        raise Failure(_unexpected(error)) from None


def _is_of_echo(error: OSError) -> bool:
    """Whether click met the error while it wrote, such as a help text, to standard output."""
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    return innermost.f_code is click.echo.__code__


def _unexpected(error: Exception) -> str:
    if os.environ.get(TRACEBACK):
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return (
        f"unexpected {what:.300}; this is a fault of costmodel or of a plugin, please report it "
        f"with the command that you gave ({TRACEBACK}=1 shows where it happened)"
    )
