"""The command line in process, and the networks that it is asked about."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from costmodel.cli import main

NETWORKS = Path(__file__).parent / "networks"
VISION, DENSE, TWO_INPUTS, OPEN_AXES = (
    str(NETWORKS / f"{name}.json") for name in ("vision", "dense", "two_inputs", "open_axes")
)


def run(*arguments: str | Path) -> Result:
    """What the command line answers."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def good(*arguments: str | Path) -> str:
    """What it writes to standard output where it succeeds."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout
