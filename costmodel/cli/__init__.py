"""The command line: it parses, calls the library and prints.

Exit status: 0 success; 1 a check failed; 2 wrong use, unreadable input or a fault of costmodel;
130 stopped by Ctrl-C; 141 the reader of a pipe went away.
"""

from __future__ import annotations

import click

from costmodel.cli.group import CommandGroup
from costmodel.version import own_version

_COMMANDS = {
    "estimate": "costmodel.cli.commands.estimating",
    "report": "costmodel.cli.commands.reporting",
    "explain": "costmodel.cli.commands.estimating",
    "compare": "costmodel.cli.commands.comparing",
    "sensitivity": "costmodel.cli.commands.moving",
    "sweep": "costmodel.cli.designs.sweeping",
    "pareto": "costmodel.cli.designs.choosing",
    "search": "costmodel.cli.designs.searching",
    "count": "costmodel.cli.commands.counting",
    "check": "costmodel.cli.commands.checking",
    "devices": "costmodel.cli.commands.devices",
    "layers": "costmodel.cli.commands.listing",
    "plugins": "costmodel.cli.commands.listing",
    "hooks": "costmodel.cli.commands.listing",
    "new-plugin": "costmodel.cli.commands.scaffold",
}
"""The modules of the built-in commands, each imported when its command is asked for."""

_STATUS = """
\b
Exit status: 0 success, 1 a check failed, 2 wrong use or unreadable input.
"""


@click.group(
    cls=CommandGroup, modules=_COMMANDS, epilog=_STATUS,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
@click.version_option(own_version(), message="%(prog)s %(version)s")
def main() -> None:
    """What a neural network costs on hardware, and why.

    \b
    costmodel estimate model.keras -d cpu -d loihi --rate 10
    costmodel explain model.keras conv2d_1 -d loihi --rate 10
    costmodel compare model.keras -d cpu -d loihi --rate 10
    """  # noqa: D301  # \b keeps click from rewrapping the lines


__all__ = ["main"]
