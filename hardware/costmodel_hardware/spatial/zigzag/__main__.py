"""Write a device file from one of ZigZag: `python -m costmodel_hardware.spatial.zigzag`."""

from __future__ import annotations

from pathlib import Path

import click

from costmodel.cli.output import note, opened
from costmodel.errors import CostModelError
from costmodel_hardware.spatial.zigzag.device_text import device_text
from costmodel_hardware.spatial.zigzag.yaml_import import read_accelerator


@click.command("python -m costmodel_hardware.spatial.zigzag")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The file to write.")
def main(file: Path, output: Path | None) -> None:
    """Write the accelerator of a hardware file of ZigZag as a draft of a device file.

    What the file states and a device file has no place for is listed on standard error.
    """
    try:
        imported = read_accelerator(file)
        with opened(output, [file]) as out:
            out.text(device_text(imported.accelerator).rstrip("\n"))
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror or error}"
        raise click.ClickException(message) from None
    except CostModelError as error:
        raise click.ClickException(str(error)) from None
    for line in imported.left_out:
        note(f"left out: {line}")


if __name__ == "__main__":
    main()
