"""Write a draft of the file of a spatial accelerator: `python -m costmodel_hardware.components`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from costmodel.cli.output import opened
from costmodel.errors import CostModelError
from costmodel_hardware.components.draft import DATAFLOWS, Buffer, draft


def _buffers(
    _: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> tuple[Buffer, ...]:
    return tuple(_buffer(text, per_element=option.name == "registers") for text in given)


def _buffer(text: str, *, per_element: bool) -> Buffer:
    """NAME=SIZE:BITS, and what it holds behind another colon."""
    name, _, rest = text.partition("=")
    size, *more = rest.split(":")
    is_well = name and size and 1 <= len(more) <= 2 and more[0].isdecimal()  # noqa: PLR2004  # bits, and what it holds
    if not is_well:
        expected = "expected NAME=SIZE:BITS[:HOLDS], such as buffer=128KiB:128:input,output"
        message = f"{expected}; found {text!r:.80}"
        raise click.BadParameter(message)
    holds: dict[str, Any] = {"holds": more[1].split(",")} if len(more) > 1 else {}
    try:
        return Buffer(name=name, size=size, width=int(more[0]), per_element=per_element, **holds)
    except CostModelError as error:
        raise click.BadParameter(str(error)) from None


@click.command("python -m costmodel_hardware.components")
@click.argument("name")
@click.option("--node", type=float, required=True, help="The process in nm, 7 to 65 or 90.")
@click.option("--rows", type=int, required=True, help="Rows of the array.")
@click.option("--columns", type=int, required=True, help="Columns of the array.")
@click.option(
    "--registers", multiple=True, callback=_buffers, metavar="NAME=SIZE:BITS[:HOLDS]",
    help="A memory of each element, innermost first.",
)  # fmt: skip
@click.option(
    "--buffer", "buffers", multiple=True, callback=_buffers, metavar="NAME=SIZE:BITS[:HOLDS]",
    help="A memory that the array shares, innermost first.",
)  # fmt: skip
@click.option("--dram", default="lpddr4", show_default=True, help="The kind of DRAM.")
@click.option("--dram-width", default=64, show_default=True, help="Bits of an access of DRAM.")
@click.option("--format", "number", default="int8", show_default=True, help="Format of a MAC.")
@click.option("--accumulator", help="Format of sums; int32 or float32 if not given.")
@click.option("--clock", default="500 MHz", show_default=True, help="The clock.")
@click.option(
    "--dataflow", type=click.Choice(DATAFLOWS), default="search", show_default=True,
    help="Which operand stays.",
)  # fmt: skip
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The file to write.")
def main(  # noqa: PLR0913  # an option each
    *, name: str, node: float, rows: int, columns: int, registers: tuple[Buffer, ...],
    buffers: tuple[Buffer, ...], dram: str, dram_width: int, number: str, accumulator: str | None,
    clock: str, dataflow: str, output: Path | None,
) -> None:  # fmt: skip
    """Write a draft of the file of a spatial accelerator called NAME.

    Every figure has a source and a note that says how it came about.
    """
    try:
        text = draft(
            name, node=node, rows=rows, columns=columns, buffers=[*registers, *buffers],
            off_chip=dram, off_chip_width=dram_width, number=number, accumulator=accumulator,
            clock=clock, dataflow=dataflow,
        )  # fmt: skip
        with opened(output) as target:
            target.text(text.removesuffix("\n"))
    except CostModelError as error:
        raise click.UsageError(str(error)) from None


if __name__ == "__main__":
    main()
