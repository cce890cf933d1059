"""The command line: it parses, calls the library and prints.

Exit status: 0; 1 the answer is no; 2 wrong use, unreadable input or a fault of costmodel;
130 stopped by Ctrl-C; 141 the reader of a pipe went away.
"""

from __future__ import annotations

import click

from costmodel.cli.comparing import compare
from costmodel.cli.counting import count
from costmodel.cli.devices import devices
from costmodel.cli.estimating import estimate, explain
from costmodel.cli.group import CommandGroup
from costmodel.cli.hooks import hooks
from costmodel.cli.listing import layers, plugins
from costmodel.cli.scaffold import new_plugin

_STATUS = """
\b
Exit status: 0, 1 (the answer is no), 2 (wrong use or unreadable input).
"""


@click.group(
    cls=CommandGroup, epilog=_STATUS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="costmodel", message="%(prog)s %(version)s")
def main() -> None:
    """What a neural network costs on hardware, and why.

    \b
    costmodel estimate model.keras -d cpu -d loihi --rate 10
    costmodel explain model.keras conv2d_1 -d loihi --rate 10
    costmodel compare model.keras -d cpu -d loihi --rate 10
    """  # noqa: D301  # \b keeps click from rewrapping the lines


_COMMANDS = (estimate, explain, compare, count, devices, layers, plugins, hooks, new_plugin)

for _command in _COMMANDS:
    main.add_command(_command)

__all__ = ["main"]
