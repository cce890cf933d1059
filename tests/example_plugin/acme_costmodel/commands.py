"""Acme's command."""

from __future__ import annotations

import click

import costmodel


@click.command("acme-widest")
@click.argument("model")
def widest(model: str) -> None:
    """Name the layer of MODEL with the most results."""
    network = costmodel.read(model)
    layer = max(network.layers, key=lambda item: sum(tensor.size for tensor in item.outputs))
    click.echo(layer.name)
