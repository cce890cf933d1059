"""`costmodel map`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

import costmodel
from costmodel.cli.commands.estimating import SOURCE, read, read_files
from costmodel.cli.options import Conditions, conditions, written
from costmodel.cli.output import chosen_format, opened
from costmodel.cli.results import write
from costmodel.errors import CostModelError
from costmodel.safe_io import json_values
from costmodel_hardware.spatial.device import SpatialAccelerator
from costmodel_hardware.spatial.mapping import SCHEMA_OF_SEVERAL
from costmodel_hardware.spatial.showing.mapped_layers import MappedLayer, MappedNetwork

_LIMIT: Final = 1 << 26
"""Bytes of a file of mappings."""


@click.command("map", epilog=SOURCE)
@click.argument("model")
@click.argument("layer", required=False)
@conditions
@click.option(
    "--mapping", "given", type=click.Path(path_type=Path), metavar="FILE",
    help="Mappings of your own in JSON, as this command writes them; the others are searched.",
)  # fmt: skip
@written
def map_layers(
    model: str,
    layer: str | None,
    given: Path | None,
    form: str | None,
    path: Path | None,
    **options: Any,
) -> None:
    """Show how an accelerator of class `spatial` runs the contractions of a network.

    With a layer: its nest of loops, what each memory keeps, the words over each link and what
    bounds it. Without: a line for each contraction. JSON holds the mappings, which --mapping takes.

    Settings of the device change the search: --set my-npu.ragged=true tries tiles that do not
    divide a dimension, my-npu.search_seconds=10 ends the search of a contraction with the best so
    far and its gap. Standard error, if it is a terminal, shows how far a long search is.

    \b
    costmodel map model.keras -d my-npu.yaml --default-format int8
    costmodel map model.keras conv1 -d my-npu.yaml --default-format int8
    costmodel map model.keras -d my-npu.yaml -o mappings.json
    """  # noqa: D301  # \b keeps click from rewrapping the lines
    form = chosen_format(form, path)
    asked = Conditions(**options)
    devices = asked.chosen_devices()
    if len(devices) != 1 or not isinstance(devices[0], SpatialAccelerator):
        names = ", ".join(f"{one.name} of class {one.family}" for one in devices) or "none"
        message = f"-d: expected one device of class spatial, found {names}"
        raise click.UsageError(message)
    device = devices[0]
    files = [*read_files([model], devices), *([str(given)] if given else [])]
    with opened(path, files) as output:
        several = {} if given is None else _mappings(given)
        network = read(model, asked.input_shapes)
        scenario = asked.scenario(network)
        workload = costmodel.lower(network, scenario)
        found = MappedNetwork.of(workload, device, scenario)
        if several:
            changed: Any = device.with_parameters(mapping=json.dumps(several))
            found = MappedNetwork.of(workload, changed, scenario).beside(found)
        if layer is None:
            write([found], form, output)
            return
        one = found.layer(layer)
        if form == "table":
            output.text("\n".join([*one.lines(), "", one.table().text()]))
        else:
            write([_Alone(one, found)], form, output)


class _Alone:
    """One mapping, in JSON in the form of several."""

    def __init__(self, layer: MappedLayer, network: MappedNetwork) -> None:
        self.layer, self.network = layer, network

    def table(self, *, exact: bool = False) -> Any:
        """The words over each link."""
        return self.layer.table(exact=exact)

    def to_dict(self) -> dict[str, Any]:
        """The mapping by its name."""
        whole = self.network.to_dict()
        return {**whole, "mappings": {self.layer.name: self.layer.to_dict()}, "refused": {}}


def _mappings(path: Path) -> dict[str, Any]:
    """What a file of mappings has.

    Raises:
        CostModelError: it cannot be read, is larger than 64 MiB, or has another form.

    """
    try:
        if path.stat().st_size > _LIMIT:
            message = f"--mapping {path}: expected at most {_LIMIT:,} bytes"
            raise CostModelError(message)
        values = json_values(path.read_bytes(), str(path))
    except OSError as error:
        message = f"--mapping {path}: cannot be read: {error.strerror or error}"
        raise CostModelError(message) from None
    is_known = isinstance(values, dict) and values.get("schema") == SCHEMA_OF_SEVERAL
    if not is_known or not isinstance(values.get("mappings"), dict):
        message = (
            f"--mapping {path}: expected what `costmodel map -o FILE.json` writes, a mapping with "
            f"schema {SCHEMA_OF_SEVERAL!r} and mappings"
        )
        raise CostModelError(message)
    return dict(values)
