"""Two networks beside each other by their operators."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from click.testing import CliRunner
from worlds import REGISTRY

import costmodel
from costmodel.cli import main
from costmodel.estimates.operator_difference import operator_table
from costmodel.network.graph import Network
from costmodel.network.layer import Input, OperatorLayer

PAIRS = Path(__file__).parent / "frontends" / "models" / "pairs"


def network(name: str, widths: list[int], prefix: str) -> Network:
    """Dense layers with rectifiers between them."""
    layers: list[costmodel.Layer] = [Input("x", "input", shape=(widths[0],))]
    edges = {}
    for place, (before, after) in enumerate(pairwise(widths)):
        product = costmodel.matmul((1, before), (before, after))
        work = [product, costmodel.activation("relu", (1, after), in_place=True)]
        own = OperatorLayer(
            f"{prefix}{place}", "operators", layers[-1].outputs, work=work, results=[(after,)]
        )
        edges[own.name] = [layers[-1].name]
        layers.append(own)
    return Network(name, layers, edges)


def estimated(one: Network) -> costmodel.Estimate:
    return costmodel.estimate(one, ["cpu"], registry=REGISTRY)


def test_equal_operators_are_counted_whatever_layers_are_called() -> None:
    sides = [estimated(network(name, [8, 16, 4], name)) for name in ("torch", "keras")]
    table = operator_table(*sides)
    assert table.title == "operators: the same in both: 2 contractions, 2 others"
    assert not table.rows


def test_an_operator_that_differs_is_shown_with_its_layer() -> None:
    table = operator_table(
        estimated(network("one", [8, 16, 4], "a")), estimated(network("two", [8, 32, 4], "b"))
    )
    assert table.title == "operators that differ"
    assert ("contraction 8 x 32", "0", "1", "b0") in table.rows
    assert ("contraction 4 x 16", "1", "0", "a1") in table.rows
    assert ("relu 16", "1", "0", "a0") in table.rows
    assert table.notes[0] == "alike in both: 1 other"


def test_networks_of_one_name_are_told_apart() -> None:
    sides = [estimated(network("net", widths, "a")) for widths in ([8, 4], [8, 5])]
    assert [column.title for column in operator_table(*sides).columns][1:3] == [
        "net, 1st", "net, 2nd",
    ]  # fmt: skip


def test_the_command_shows_the_operators_of_two_networks() -> None:
    files = [str(PAIRS / name) for name in ("cnn.pt2", "resblock.keras")]
    found = CliRunner().invoke(main, ["compare", *files, "-d", "cpu"])
    assert found.exit_code == 0, found.output
    assert "operators that differ" in found.output
    assert "contraction 10 x 32" in found.output
    found = CliRunner().invoke(main, ["compare", files[0], str(PAIRS / "cnn.keras"), "-d", "cpu"])
    assert "operators: the same in both: 3 contractions, 4 others" in found.output
