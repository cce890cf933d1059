"""What the charts of a report show."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
from figures import near
from reports import EXAMPLES, chain, of, vgg9

from costmodel import CostModelError
from costmodel.errors import MissingPackageError
from costmodel.html import charts, frames, library, pictures
from costmodel.html.data import (
    Roofline,
    energy_by_resource,
    layer_rows,
    measures_of,
    memory_over_time,
    roofline,
    time_by_limit,
    tree,
)

TIMED = ("raspberry-pi-4", "rtx-4090", "stm32h743")
ALL = (*TIMED, "horowitz-45nm")


@pytest.mark.parametrize("device", ALL)
def test_the_energies_of_the_layers_add_up_to_the_total(device: str) -> None:
    energies = [row.value("energy", device) or 0.0 for row in layer_rows(vgg9())]
    assert math.fsum(energies) == near(vgg9().total(device).energy_joules - per_call(device))


def per_call(device: str) -> float:
    """The energy that no layer takes."""
    found = [part.value("energy", device) for part in vgg9().breakdown() if not part.layers]
    return found[0] or 0.0 if found else 0.0


@pytest.mark.parametrize("device", TIMED)
def test_the_time_by_limit_adds_up_to_the_latency(device: str) -> None:
    assert time_by_limit(vgg9().bills[device]).total == near(vgg9().total(device).latency_seconds)


@pytest.mark.parametrize("device", ALL)
def test_the_energy_by_resource_adds_up_to_the_total(device: str) -> None:
    shares = energy_by_resource(vgg9().bills[device])
    assert shares.total == near(vgg9().total(device).energy_joules)


def test_the_weights_of_the_layers_add_up_to_those_of_the_network() -> None:
    weights = sum(row.weight_bytes for row in layer_rows(vgg9()))
    assert weights == vgg9().bills["rtx-4090"].evaluation.weight_bytes


@pytest.mark.parametrize("device", TIMED)
def test_no_memory_holds_more_than_its_peak(device: str) -> None:
    bill = vgg9().bills[device]
    found = {held.memory: held.peak_bytes for held in memory_over_time(bill)}
    assert found == bill.evaluation.peak_bytes
    assert all(len(held.starts) == len(held.held_bytes) + 1 for held in memory_over_time(bill))


@pytest.mark.parametrize("device", TIMED)
def test_the_flat_roof_is_the_peak_rate_of_the_format(device: str) -> None:
    found = roofline(vgg9().bills[device])
    assert isinstance(found, Roofline)
    (roof,) = found.roofs
    expected = vgg9().bills[device].device.parameters["peak_rate.float32"].value
    assert roof.operations_per_second == expected
    assert all(0 < point.operations_per_second <= expected for point in found.points)


def test_a_device_without_time_has_no_roofline_and_a_reason() -> None:
    assert roofline(vgg9().bills["horowitz-45nm"]) == "horowitz-45nm does not model time"


def test_a_device_shows_what_it_models() -> None:
    assert measures_of(vgg9(), "horowitz-45nm") == ("energy", "weights", "macs")
    assert measures_of(vgg9(), "rtx-4090") == ("time", "energy", "traffic", "weights", "macs")


# ------------------------------------------------------------------ blocks


def test_layers_lie_in_the_blocks_of_their_names() -> None:
    nodes = tree("net", ["conv1_a", "conv1_b", "conv2_block1_a", "conv2_block1_b", "conv2_c"])
    parents = {node.label: node.parent for node in nodes}
    assert parents["conv1_a"] == "block conv1"
    assert parents["conv2_block1_a"] == "block conv2_block1"
    assert parents["conv2_block1"] == "block conv2"
    assert parents["conv2_c"] == "block conv2"


def test_a_block_of_one_layer_is_left_out() -> None:
    nodes = tree("net", ["head_dense", "tail_a", "tail_b"])
    assert [node.label for node in nodes] == ["net", "head_dense", "tail", "tail_a", "tail_b"]


def test_the_parts_of_an_icicle_add_up_and_lie_in_one_another() -> None:
    rows = layer_rows(vgg9())
    nodes = tree("vgg9", [row.name for row in rows])
    trace = charts.icicle(nodes, rows, "rtx-4090", "time")["data"][0]
    expected = math.fsum(row.value("time", "rtx-4090") or 0.0 for row in rows)
    assert math.fsum(trace["values"]) == near(expected, rel=1e-3)
    assert set(trace["parents"]) <= {"", *trace["ids"]}
    assert len(set(trace["ids"])) == len(trace["ids"])


def test_small_layers_are_shown_together() -> None:
    names = [f"a_{place}" for place in range(3000)]
    rows = layer_rows(of(chain(names), "rtx-4090"))
    nodes = tree("chain", [row.name for row in rows])
    trace = charts.icicle(nodes, rows, "rtx-4090", "time")["data"][0]
    assert "3000 small layers" in trace["labels"]


def test_a_label_is_no_markup_of_plotly() -> None:
    name = "<b>$x$</b>"
    rows = layer_rows(of(chain([name]), "rtx-4090"))
    nodes = tree("chain", [row.name for row in rows])
    labels = charts.icicle(nodes, rows, "rtx-4090", "time")["data"][0]["labels"]
    assert "&lt;b&gt;&#36;x&#36;&lt;/b&gt;" in labels


def test_a_kind_has_one_fill_in_every_report() -> None:
    names = [f"layer{place}" for place in range(5)]
    found = {}
    for source in (chain(names), EXAMPLES / "vgg9.json", EXAMPLES / "alexnet.json"):
        rows = layer_rows(of(source, "rtx-4090", "horowitz-45nm"))
        figure = charts.icicle(tree("n", [row.name for row in rows]), rows, "rtx-4090", "time")
        fills = dict(zip(figure["data"][0]["ids"], figure["data"][0]["marker"]["colors"],
                         strict=True))  # fmt: skip
        for row in rows:
            fill = fills.get(f"layer {row.name}", charts.fill_of(row.kind))
            assert found.setdefault(row.kind, fill) == fill
    assert found["keras.Dense"] != found["keras.Conv2D"]


def test_the_keys_of_an_icicle_name_the_kinds_that_cost_something() -> None:
    rows = layer_rows(vgg9())
    keys = charts.kinds_by_fill(rows)
    named = [name for names in keys.values() for name in names]
    assert len(set(named)) == len(named)
    assert {"Conv2D", "Dense", "MaxPooling2D"} <= set(named)
    assert not {"Dropout", "Flatten"} & set(named)
    assert all(charts.fill_of(name) == fill for fill, names in keys.items() for name in names)


def test_a_kind_that_no_table_names_has_a_fill_too() -> None:
    assert charts.fill_of("acme.Product") == charts.fill_of("other.Product")
    assert charts.fill_of("acme.Product") in charts.FILLS


# ------------------------------------------------------------------ data frames and pictures


def test_pictures_have_titles_and_an_icicle_its_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawn: dict[str, Any] = {}
    monkeypatch.setattr(library, "write_pictures", lambda figures: drawn.update(
        {path.name: figure for path, figure in figures.items()}
    ))  # fmt: skip
    pictures.export([vgg9()], tmp_path)
    for name, figure in drawn.items():
        title = figure["layout"]["title"]["text"]
        assert title.startswith("vgg9: "), name
        named = [trace["name"] for trace in figure["data"] if trace.get("marker", {}).get("symbol")]
        assert ("Conv2D" in named) == ("icicle" in name)
    titles = {figure["layout"]["title"]["text"] for figure in drawn.values()}
    assert {"vgg9: Time on rtx-4090", "vgg9: Roofline of rtx-4090",
            "vgg9: Time, by what limits it",
            "vgg9: Memory over time: sram of stm32h743"} <= titles  # fmt: skip


def test_a_data_frame_has_a_row_for_each_layer_on_each_device() -> None:
    frame = vgg9().to_dataframe()
    assert len(frame) == len(ALL) * len(vgg9().lowered)
    total = frame[frame["device"] == "rtx-4090"]["energy_joules"].sum()
    assert total == near(vgg9().total("rtx-4090").energy_joules - per_call("rtx-4090"))


def test_polars_makes_the_same_data_frame() -> None:
    frame = of(chain(["a"]), "horowitz-45nm", "rtx-4090").to_dataframe("polars")
    assert frame.columns == list(frames.columns(vgg9()))


def test_an_unknown_library_of_data_frames_is_named() -> None:
    with pytest.raises(CostModelError, match="unknown library of data frames 'panda'"):
        vgg9().to_dataframe("panda")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: vgg9().to_dataframe(), "needs pandas or polars.*pip install pandas"),
        (lambda: vgg9().plot(), r"needs plotly.*pip install 'costmodel-nn\[report\]'"),
    ],
)
def test_what_is_not_installed_is_named(
    ask: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("pandas", "polars", "plotly.graph_objects"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=message):
        ask()  # type: ignore[operator]


def test_a_plot_is_a_figure_of_plotly() -> None:
    figure = vgg9().plot("horowitz-45nm", "energy")
    assert figure.data[0].type == "icicle"
    assert figure.layout.meta["title"] == "Energy on horowitz-45nm"


@pytest.mark.parametrize(
    ("device", "measure", "message"),
    [
        ("rtx", None, "unknown device of this estimate 'rtx'"),
        ("horowitz-45nm", "time", "measure of horowitz-45nm"),
    ],
)
def test_a_plot_of_what_is_not_there_is_refused(
    device: str, measure: str | None, message: str
) -> None:
    with pytest.raises(CostModelError, match=message):
        vgg9().plot(device, measure)
