"""Tables of measurements: what ships, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from costmodel import CostModelError
from costmodel.formats import parse_format
from costmodel_validation.measurements import (
    COLUMNS,
    by_system,
    family_of,
    measurements_in,
    network,
    read_measurements,
    shipped_measurements,
    shipped_networks,
    workload_of,
)

HEAD = "network,batch,format,latency_ms,power_w"

COUNTS = {
    "ic": 12_501_632, "kws": 2_656_768, "ad": 264_192, "vww": 7_489_664, "blouw_kws": 172_800,
    "mobilenet_v1_1_224": 568_741_376, "resnet50_v1.5": 4_089_184_256,
}  # fmt: skip
"""Multiply-accumulates as the sources of the measurements state them."""


TOKENS, WIDTH, INNER = 177, 1024, 4096
PUBLISHED = {
    # MLPerf Inference Benchmark, arXiv 1911.02549, table 1: 2.47 operations, two for each.
    "ssd_mobilenet_v1_300": (2.47e9 / 2, 0.005),
    # openvinotoolkit/open_model_zoo, ssd-resnet34-1200-onnx: 433.411 GFLOPs.
    "ssd_resnet34_1200": (433.411e9 / 2, 0.005),
    # By the definition, arXiv 1810.04805: products, scores and sums of 24 layers, two answers.
    "bert_large_squad": (
        24 * (TOKENS * (4 * WIDTH**2 + 2 * WIDTH * INNER) + 2 * TOKENS**2 * WIDTH)
        + TOKENS * WIDTH * 2,
        0,
    ),
    # torchvision, resnext50_32x4d: 4.23e9 at 224 x 224 with a layer of 2048 x 1000; and the
    # pyramid and heads of arXiv 1708.02002 by their shapes.
    "retinanet_resnext50_800": (
        (4.23e9 - 2048 * 1000) * (800 / 224) ** 2
        + 256 * (512 * 100**2 + 1024 * 50**2 + 2048 * 25**2)
        + 9 * 256**2 * (100**2 + 50**2 + 25**2 + 13**2 + 7**2)
        + 9 * 256 * (8 * 256 + 9 * 268) * (100**2 + 50**2 + 25**2 + 13**2 + 7**2),
        0.005,
    ),
}
"""Multiply-accumulates, and how far a count may be from them."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_network_of_mlperf_has_the_published_count(name: str) -> None:
    count, share = PUBLISHED[name]
    assert network(name).macs == pytest.approx(count, rel=share, abs=0)


@pytest.mark.parametrize("name", COUNTS)
def test_a_network_that_ships_has_the_published_count(name: str) -> None:
    assert network(name).macs == COUNTS[name]


def test_every_measurement_that_ships_names_a_network_and_a_source() -> None:
    found = shipped_measurements()
    assert len(found) > 1600
    assert {one.network for one in found} <= shipped_networks().keys()
    assert all(one.source and one.device and one.runtime for one in found)
    assert all(one.power_boundary for one in found if one.power_watts is not None)


@pytest.mark.slow
def test_every_network_that_ships_is_read() -> None:
    for name in shipped_networks():
        found = network(name)
        assert found.layers, name
        assert found.macs > 0 if found.is_bound else name in STATED, name


def test_measured_systems_are_told_apart() -> None:
    systems = by_system(shipped_measurements())
    assert len(systems["raspberry-pi-4", "tflite"]) == 94
    assert len(systems["rtx-3090", "pytorch-eager"]) == 78


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("mobilenet_v2_0.35_96", "mobilenet_v2"),
        ("keras_efficientnetv2b0_224", "efficientnetv2"),
        ("keras_efficientnetb0_224", "efficientnet"),
        ("keras_inceptionresnetv2_299", "inception"),
        ("llama_3_8b", "llama"),
        ("mine", "mine"),
    ],
)
def test_a_network_belongs_to_the_family_in_its_name(name: str, family: str) -> None:
    assert family_of(name) == family


def test_a_row_has_the_conditions_of_its_columns(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(f"{HEAD},note\nkws,4,int8,2.5,1.5,warm\nkws,1,float32,1e-3,,\n")
    first, second = read_measurements(table)
    assert (first.scenario.batch, first.format_name, first.seconds) == (4, "int8", 2.5e-3)
    assert first.energy_joules == pytest.approx(3.75e-3, abs=0)
    assert second.power_watts is None
    assert second.energy_joules is None
    assert first.read_network().macs == COUNTS["kws"]


STATED = {
    "llama_2_7b": (32, 6_738_415_616, 6_607_077_376),
    "llama_3_8b": (8, 8_030_261_248, 7_504_924_672),
    "llama_3_70b": (8, 70_553_706_496, 69_502_304_256),
    "qwen_2_5_coder_7b": (4, 7_615_616_512, 7_070_619_136),
}
"""Heads of keys and values; parameters and multiply-accumulates of a token as the source of the
measurements states them: all but the last digits, since it counts some normalizations too."""


@pytest.mark.parametrize("name", STATED)
def test_a_language_model_has_the_stated_parameters_and_products(name: str) -> None:
    heads, parameters, macs = STATED[name]
    step = {"tokens": (1,), "angles": (1, 1, 128), "cache": (100, heads, 128)}
    bound = network(name).bind(step)
    assert bound.parameter_count == parameters
    query = bound.layer("block_0_query").outputs[0].shape[-1]
    blocks = sum(layer.name.endswith("_gate") for layer in bound.layers)
    attention = 2 * 100 * query * blocks
    assert bound.macs - attention == pytest.approx(macs, rel=1e-4, abs=0)
    multiplied = [
        tensor.size
        for layer in bound.layers
        for tensor in layer.parameters.values()
        if len(tensor.shape) > 1 and layer.name != "embedding"
    ]
    assert bound.macs - attention == sum(multiplied)


def test_a_prompt_has_the_logits_of_its_last_token_alone() -> None:
    bound = network("llama_3_8b").bind(
        {"tokens": (512,), "angles": (512, 1, 128), "cache": (512, 8, 128)}
    )
    assert bound.layer("logits").outputs[0].shape == (1, 128_256)


def test_a_row_states_the_shapes_of_a_step_and_the_format_of_weights() -> None:
    head = f"{HEAD},weights,input_shapes"
    rows = [
        "llama_3_8b,1,float16,9,,int4,tokens=1;cache=8x8x128",
        "kws,1,int8,2.5,,logits=int8;int4,",
    ]
    first, second = measurements_in([head, *rows], "mine.csv")
    assert first.scenario.weights == {"*": parse_format("int4")}
    assert first.scenario.input_shapes == {"tokens": (1,), "cache": (8, 8, 128)}
    assert second.scenario.weights == {"logits": parse_format("int8"), "*": parse_format("int4")}
    assert second.scenario.input_shapes == {}
    with pytest.raises(CostModelError, match="weights: expected a format such as int4"):
        measurements_in([head, "kws,1,int8,2.5,,int4x,"], "mine.csv")
    with pytest.raises(CostModelError, match="input_shapes: expected INPUT=SHAPE such as"):
        measurements_in([head, "kws,1,int8,2.5,,,tokens=one"], "mine.csv")


def test_weights_of_a_layer_that_the_network_lacks_are_named_with_the_network() -> None:
    (row,) = measurements_in([f"{HEAD},weights", "kws,1,float32,1,,zz=int4"], "mine.csv")
    with pytest.raises(CostModelError, match="kws: a format of weights is given for 'zz'"):
        workload_of(row)


def test_weights_of_language_models_are_as_large_as_their_files() -> None:
    """Sizes of files as the source states them; those of Q4_K_M are the mean that rows state."""
    files = {
        ("llama_2_7b", "block<int4,32,16>"): 3_822_520_893,
        ("llama_2_7b", "block<int8,32,16>"): 7_161_857_966,
        ("llama_3_8b", "mixed<int6,4.93>"): 4_917_737_553,
        ("llama_3_70b", "mixed<int6,4.82>"): 42_509_438_812,
        ("qwen_2_5_coder_7b", "block<int8,32,16>"): 8_096_013_352,
    }
    measured = {
        (one.network, str(number)): one.scenario.weights
        for one in shipped_measurements()
        for number in one.scenario.weights.values()
    }
    for (name, text), size in files.items():
        number = parse_format(text)
        assert (name, str(number)) in measured
        looked_up = number if "block" in text else parse_format("block<int4,32,16>")
        bits = 0
        for layer in network(name).layers:
            for tensor in layer.parameters.values():
                held = number if layer.name != "embedding" else looked_up
                bits += held.stored_bits(tensor.size) if len(tensor.shape) > 1 else 32 * tensor.size
        assert bits / 8 == pytest.approx(size, rel=0.01, abs=0), name


def test_a_network_may_be_a_file_beside_the_table(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "examples" / "vgg9.json"
    (tmp_path / "mine.json").write_bytes(source.read_bytes())
    table = tmp_path / "mine.csv"
    table.write_text(f"{HEAD}\nmine.json,1,float32,20,\n")
    (one,) = read_measurements(table)
    assert one.read_network().macs == 520_528_128


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("kws,0,int8,2.5,", "row 2: batch: expected a number above 0, found '0'"),
        ("kws,1.5,int8,2.5,", "row 2: batch: expected a whole number, found '1.5'"),
        ("kws,1,intt8,2.5,", "row 2: format: 'intt8' is not a numeric format"),
        ("kws,1,int8,fast,", "row 2: latency_ms: expected a number above 0, found 'fast'"),
        ("kws,1,int8,nan,", "row 2: latency_ms: expected a number above 0, found 'nan'"),
        ("kws,1,int8,-1,", "row 2: latency_ms: expected a number above 0, found '-1'"),
        ("kws,1,int8,2.5,low", "row 2: power_w: expected a number above 0, found 'low'"),
        (",1,int8,2.5,", "row 2: network: expected the name of one, found nothing"),
        ("kws,1", "row 2: format: '' is not a numeric format"),
        ("kws,0,int8,1,\nkws,1,int8,0,", "2 rows cannot be used"),
        ("kws,1,int8,5,15,6", "row 2: it has more cells than the head: ['6']"),
        ("kws,1,int8,5_150,", "row 2: latency_ms: expected a number above 0, found '5_150'"),
    ],
)
def test_a_wrong_row_is_reported_with_its_number(rows: str, expected: str) -> None:
    with pytest.raises(CostModelError) as described:
        measurements_in([HEAD, *rows.splitlines()], "mine.csv")
    assert expected in str(described.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "missing: network, batch, format, latency_ms"),
        ("network,batch,format\nkws,1,int8", "missing: latency_ms"),
        ("network;batch\nkws;1", "with commas between; missing: network"),
        ("network,batch,format,latency_ms,batch\n", "column 'batch' is there twice"),
        (HEAD, "expected measurements below the head of the table, found none"),
        (b"\xff\xfe\x00", "cannot be read as a table of measurements"),
    ],
    ids=["empty", "a column less", "semicolons", "a column twice", "head alone", "not a text"],
)
def test_a_table_that_is_none_is_reported(tmp_path: Path, text: str | bytes, expected: str) -> None:
    table = tmp_path / "mine.csv"
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CostModelError) as described:
        read_measurements(table)
    assert expected in str(described.value)


def test_a_network_that_does_not_ship_is_reported_with_the_nearest() -> None:
    with pytest.raises(CostModelError, match="nearest: 'mobilenet_v1_1_224'"):
        network("mobilenet_v1_1_225")


def test_tables_that_ship_have_the_columns_that_are_written() -> None:
    folder = Path(__file__).parents[2] / "validation/costmodel_validation/measured"
    place = COLUMNS.index("latency_ms") + 1
    with_runs = [*COLUMNS[:place], "latency_ms_min", "latency_ms_p90", *COLUMNS[place:]]
    of_steps = [*COLUMNS[: place - 1], "weights", "input_shapes", *COLUMNS[place - 1 :]]
    others = {"mlperf_edge.csv": with_runs, "llm.csv": of_steps}
    for file in folder.glob("*.csv"):
        expected = others.get(file.name, [*COLUMNS])
        assert file.read_text().splitlines()[0].split(",") == expected, file.name


def test_a_measurement_of_a_run_knows_its_shortest_batch() -> None:
    rows = [one for one in shipped_measurements() if one.shortest_seconds is not None]
    assert len(rows) == 1072
    for one in rows:
        assert one.p90_seconds is not None
        assert one.shortest_seconds is not None
        assert 0 < one.shortest_seconds <= min(one.seconds, one.p90_seconds)


def test_the_mark_that_spreadsheets_write_is_read_over(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_bytes(b"\xef\xbb\xbf" + f"{HEAD}\nkws,1,int8,2.5,\n".encode())
    (one,) = read_measurements(table)
    assert one.network == "kws"


def test_a_network_that_is_neither_shipped_nor_a_file_is_reported(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(f"{HEAD}\nmobilenet_v1_1_225,1,int8,2.5,\n")
    (one,) = read_measurements(table)
    with pytest.raises(CostModelError, match="nearest that ships: 'mobilenet_v1_1_224'"):
        one.read_network()
