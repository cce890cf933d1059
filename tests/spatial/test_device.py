"""The device class `spatial`: files, whole networks, mappings given back, refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from console import run
from figures import near

import costmodel
from costmodel import Scenario
from costmodel.devices import Cost, Step, progress_to
from costmodel.errors import CostModelError, DeviceFileError, UnknownNameError
from costmodel.formats import parse_format
from costmodel.workload.builders import activation, matmul
from costmodel.workload.graph import Node, Workload
from costmodel.workload.reasons import Unpriced
from costmodel_hardware.spatial.accountings import mapped
from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Level
from costmodel_hardware.spatial.dataflow import dataflow_of, ways
from costmodel_hardware.spatial.device import SpatialAccelerator
from costmodel_hardware.spatial.nest import Nest, nest_of
from costmodel_hardware.spatial.placement import SpatialPlacement
from costmodel_hardware.spatial.showing.mapped_layers import MappedNetwork

NPU = """\
schema: costmodel/device/2
name: npu
class: spatial
sources: {me: "a sketch for tests"}
parameters:
  clock: {value: 1 GHz, source: me, evidence: assumed}
  energy_per_mac: {int8: {value: 0.04 pJ, high: 0.08 pJ, source: me, evidence: assumed}}
  vector_rate: {value: 16 GOP/s, source: me, evidence: assumed}
  mac_area: {value: 300 um2, source: me, evidence: assumed}
settings:
  array: {rows: 16, columns: 16}
  systolic: [rows, columns]
  dataflow: {rows: input channels, columns: filters}
memories:
  - name: weights
    holds: [weight]
    size: 128 B
    per: [rows, columns]
    shared_port: false
    source: me
    evidence: assumed
    read: {energy: 0.1 pJ, width: 8 bit}
    write: {energy: 0.1 pJ, width: 8 bit}
  - name: sums
    holds: [output]
    size: 4 B
    per: [rows, columns]
    shared_port: false
    source: me
    evidence: assumed
    read: {energy: 0.04 pJ, width: 32 bit}
    write: {energy: 0.04 pJ, width: 32 bit}
  - name: buffer
    holds: [input, output]
    size: 512 KiB
    leakage: 1 mW
    area: 2 mm2
    source: me
    evidence: assumed
    read: {energy: 100 pJ, width: 512 bit, smallest: 64 bit}
    write: {energy: 110 pJ, width: 512 bit, smallest: 64 bit}
  - name: dram
    size: unlimited
    bandwidth: 8 GB/s
    source: me
    evidence: assumed
    read: {energy: 700 pJ, width: 64 bit}
    write: {energy: 750 pJ, width: 64 bit}
"""
NETWORK = Path(__file__).parents[2] / "examples" / "vgg9.json"
INT8 = Scenario(default_format="int8")


def device(tmp_path: Path, text: str = NPU) -> SpatialAccelerator:
    file = tmp_path / "npu.yaml"
    file.write_text(text)
    found = costmodel.device(str(file))
    assert isinstance(found, SpatialAccelerator)
    return found


@pytest.fixture
def npu(tmp_path: Path) -> SpatialAccelerator:
    return device(tmp_path)


@pytest.fixture
def network() -> Any:
    return costmodel.read(str(NETWORK))


def placement(one: SpatialAccelerator, network: Any, scenario: Scenario = INT8) -> SpatialPlacement:
    found = one.evaluate(costmodel.lower(network, scenario), scenario).placement
    assert isinstance(found, SpatialPlacement)
    return found


def test_energy_and_traffic_are_those_of_the_mappings(npu: Any, network: Any) -> None:
    found = npu.evaluate(costmodel.lower(network, INT8), INT8)
    placed = placement(npu, network)
    for group in found.groups:
        if group.group.name not in placed.mapped:
            continue
        costs = placed.mapped[group.group.name].costs
        charged: dict[tuple[str, str], float] = {}
        for charge in group.carried.charges:
            key = charge.resource, charge.role
            charged[key] = charged.get(key, 0.0) + charge.energy_joules
        expected: dict[tuple[str, str], float] = {}
        for one in costs.transfers:
            key = one.level, one.operand
            expected[key] = expected.get(key, 0.0) + one.energy
        (node, *_) = group.group.nodes
        biases = [one.size for one in node.operator.weights[1:]]
        expected["dram", "weight"] += sum(-(-8 * size // 64) * 700e-12 for size in biases)
        assert biases
        assert charged == {key: near(energy) for key, energy in expected.items() if energy}
        assert group.cost.latency_seconds is not None
        least = costs.latency.total / 1e9
        assert group.cost.latency_seconds >= least * (1 - 1e-9)
    assert found.latency_seconds is not None
    assert found.area_square_metres == pytest.approx(256 * 300e-12 + 2e-6, rel=1e-12, abs=0)
    leakage = found.energy_joules_by_resource["buffer"]
    dynamic = sum(
        charge.energy_joules
        for group in found.groups
        for charge in group.cost.charges
        if charge.resource == "buffer"
    )
    static = 1e-3 * found.latency_seconds
    assert leakage == pytest.approx(dynamic + static, rel=1e-9, abs=0)


def test_a_mapping_can_be_given_back(tmp_path: Path, npu: Any, network: Any) -> None:
    workload = costmodel.lower(network, INT8)
    found = MappedNetwork.of(workload, npu, INT8).to_dict()
    given = {name: one["mapping"] for name, one in found["mappings"].items()}
    again = MappedNetwork.of(workload, npu.with_parameters(mapping=json.dumps(given)), INT8)
    assert [one.mapped.gap for one in again.layers] == [None] * len(given)
    for name, one in again.to_dict()["mappings"].items():
        assert one | {"gap": None} == found["mappings"][name] | {"gap": None}


def test_results_do_not_stay_inside_as_sums_at_any_price(tmp_path: Path, network: Any) -> None:
    """With weights double-buffered, they would be read again and again: 2.8 mJ."""
    twice = NPU.replace("size: 128 B", "size: 128 B\n    double_buffered: true")
    found = device(tmp_path, twice).evaluate(costmodel.lower(network, INT8), INT8)
    assert found.energy_joules < 1e-3


def test_a_layer_is_named_for_all_its_operators(npu: Any, network: Any) -> None:
    workload = costmodel.lower(network, INT8)
    found = MappedNetwork.of(workload, npu, INT8)
    first = found.layers[0]
    layer = first.name.rpartition("/")[0]
    assert found.layer(layer) is found.layer(first.name)
    mapping = first.to_dict()["mapping"]
    given = npu.with_parameters(mapping=json.dumps({layer: mapping}))
    assert MappedNetwork.of(workload, given, INT8).layers[0].mapped.gap is None


def test_a_mapping_of_a_layer_that_is_not_there_is_refused(npu: Any, network: Any) -> None:
    workload = costmodel.lower(network, INT8)
    mapping = MappedNetwork.of(workload, npu, INT8).layers[0].to_dict()["mapping"]
    given = npu.with_parameters(mapping=json.dumps({"conv2": mapping}))
    with pytest.raises(UnknownNameError, match="unknown contraction 'conv2'") as error:
        given.evaluate(workload, INT8)
    assert "'conv2d'" in str(error.value)


def test_a_mapping_that_does_not_fit_says_what_is_missing(npu: Any, network: Any) -> None:
    workload = costmodel.lower(network, INT8)
    first = MappedNetwork.of(workload, npu, INT8).layers[0]
    mapping = first.to_dict()["mapping"]
    mapping["keeps"]["output"]["sums"] = len(mapping["temporal"])
    given = npu.with_parameters(mapping=json.dumps({first.name: mapping}))
    reason = MappedNetwork.of(workload, given, INT8).refused[first.name]
    assert "memory 'sums' has 32 bits; its tiles take" in reason
    assert "too many: output" in reason


def test_an_unmapped_contraction_is_unpriced_with_the_reason(tmp_path: Path, network: Any) -> None:
    small = device(tmp_path, NPU.replace("size: 4 B", "size: 2 B"))
    found = small.evaluate(costmodel.lower(network, INT8), INT8)
    assert not found.is_complete
    (reason, *_) = found.unpriced.values()
    assert "memory 'sums' has 16 bits; the smallest tiles take 32, 16 too many" in reason


def test_weights_stay_if_they_all_fit(tmp_path: Path, network: Any) -> None:
    text = NPU.replace("holds: [input, output]\n    size: 512 KiB", "size: 16 MiB")
    usual = device(tmp_path, text)
    resident = usual.with_parameters(resident_weights="true")
    one, other = (each.evaluate(costmodel.lower(network, INT8), INT8) for each in (usual, resident))
    assert one.traffic_bytes["dram"][0] > 7_000_000
    assert other.traffic_bytes["dram"][0] < 100_000
    assert other.energy_joules < one.energy_joules


def test_tensors_move_outwards_where_tiles_have_no_room(tmp_path: Path, network: Any) -> None:
    text = NPU.replace("size: 512 KiB", "size: 20 KiB")
    found = device(tmp_path, text).evaluate(costmodel.lower(network, INT8), INT8)
    assert found.is_complete
    assert found.fits


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{rows: 16, columns: 16}", "{rows: 0}", "expected 1 to 1,048,576 units, found '0'"),
        ("{rows: 16, columns: 16}", "[16, 16]", "expected axes with units"),
        ("systolic: [rows, columns]", "systolic: [diagonal]", "axis 'diagonal' is not one of"),
        ("per: [rows, columns]", "per: [row]", "axis 'row' is not one of the array"),
        ("{rows: input channels, columns: filters}", "weight stationery", "nearest: 'weight sta"),
        ("{rows: input channels, columns: filters}", "{row: filters}", "dataflow: expected axes"),
        ("rows: input channels", "rows: input chanels", "nearest: 'input channels'"),
        ("leakage: 1 mW", "halo: kept", "expected one of reread, retained"),
        ("smallest: 64 bit", "smallest: 1024 bit", "expected at most the width"),
        ("smallest: 64 bit", "smallest: 0.5 bit", "expected a whole number of bits"),
        ("- name: dram\n", "- name: dram\n    per: [rows]\n", "exists once (without per)"),
    ],
)  # fmt: skip
def test_a_file_with_a_mistake_is_refused(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert old in NPU
    with pytest.raises(DeviceFileError, match=r"npu\.yaml") as error:
        device(tmp_path, NPU.replace(old, new, 1))
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{", "expected 'search' or mappings in JSON"),
        ("[]", "expected 'search' or a mapping for each operator"),
        ('{"conv": {}}', "conv: expected a mapping with schema, spatial, temporal, keeps"),
        ('{"conv": {"schema": "x", "spatial": {}, "temporal": [], "keeps": {}}}', "conv.schema"),
    ],
)
def test_a_mapping_of_another_form_is_refused(npu: Any, value: str, expected: str) -> None:
    with pytest.raises(CostModelError) as error:
        npu.with_parameters(mapping=value)
    assert expected in str(error.value)


def test_the_command_shows_the_nest_and_takes_it_back(tmp_path: Path) -> None:
    file, kept = tmp_path / "npu.yaml", tmp_path / "mappings.json"
    file.write_text(NPU)
    arguments = ["map", str(NETWORK), "-d", str(file), "--default-format", "int8"]
    every = run(*arguments, "-o", str(kept))
    assert every.exit_code == 0, every.output
    name = next(iter(json.loads(kept.read_text())["mappings"]))
    shown = run(*arguments, name.rpartition("/")[0])
    assert "in parallel: rows" in shown.stdout
    assert "mapping: found" in shown.stdout
    given = run(*arguments, name, "--mapping", str(kept))
    assert "mapping: given; 1 x the energy, 1 x the cycles of that found" in given.stdout
    assert "in use: " in given.stdout
    unknown = run(*arguments, "nothing")
    assert unknown.exit_code == 2
    assert "contraction" in unknown.stderr


def test_every_command_takes_the_file_of_mappings_as_a_setting(tmp_path: Path) -> None:
    """A mapping that is worse than the one that is found shows in the total."""
    file, kept = tmp_path / "npu.yaml", tmp_path / "mappings.json"
    file.write_text(NPU)
    arguments = [str(NETWORK), "-d", str(file), "--default-format", "int8"]
    assert run("map", *arguments, "-o", str(kept)).exit_code == 0
    setting = ["--set", f"npu.mapping=@{kept}"]
    searched = run("estimate", *arguments, "--format", "json")
    same = run("estimate", *arguments, *setting, "--format", "json")
    energies = [json.loads(one.stdout)["devices"]["npu"]["energy_joules"]
                for one in (searched, same)]  # fmt: skip
    assert energies[0] == near(energies[1])
    several = json.loads(kept.read_text())
    own = several["mappings"]["conv2d_1/contraction"]["mapping"]
    several["mappings"] = {"conv2d_1": {**own, "temporal": own["temporal"][::-1]}}
    kept.write_text(json.dumps(several))
    explained = run("explain", str(NETWORK), "conv2d_1", *arguments[1:], *setting)
    assert explained.exit_code == 0, explained.output
    assert explained.stdout != run("explain", str(NETWORK), "conv2d_1", *arguments[1:]).stdout
    missing = run("estimate", *arguments, "--set", f"npu.mapping=@{tmp_path / 'nothing.json'}")
    assert missing.exit_code == 2
    assert "no such file" in missing.stderr


def test_the_command_wants_a_spatial_device() -> None:
    found = run("map", str(NETWORK), "-d", "cpu")
    assert found.exit_code == 2
    assert "expected one device of class spatial, found cpu of class per-operation" in found.stderr


def test_a_dimension_over_two_axes_has_no_more_units_than_steps() -> None:
    memory = Level(name="dram", holds=SLOTS)
    array = Architecture(name="array", axes={"rows": 26, "columns": 5}, levels=[memory])
    product = nest_of(costmodel.matmul((1, 128), (128, 1)), parse_format("int8"), 32)
    assert isinstance(product, Nest)
    for loops in ways(product, array, dataflow_of("rows=k,columns=k")):
        assert math.prod(loop.size for _, several in loops for loop in several) <= 128


def test_a_network_in_a_format_without_units_says_so(npu: Any, network: Any) -> None:
    with pytest.raises(CostModelError, match="has no units for float32; it has int8"):
        MappedNetwork.of(costmodel.lower(network, Scenario()), npu, Scenario())


def test_weights_may_have_no_memory_to_stay_in(npu: Any, network: Any) -> None:
    workload = costmodel.lower(network, INT8)
    resident = npu.with_parameters(resident_weights="true")
    one, other = (each.evaluate(workload, INT8) for each in (npu, resident))
    assert other.energy_joules == one.energy_joules


def test_a_layer_whose_tiles_are_waited_for_is_bound_by_the_port(npu: Any, network: Any) -> None:
    small = npu.with_parameters(**{"weights.size": "1 B"})
    found = MappedNetwork.of(costmodel.lower(network, INT8), small, INT8)
    costs = found.layer("dense_1").mapped.costs
    assert costs.latency.exposed > costs.latency.compute
    assert costs.limit == "dram.port"


def test_a_mapping_names_the_memories_of_each_operand(npu: Any, network: Any) -> None:
    workload = costmodel.lower(network, INT8)
    mapping = MappedNetwork.of(workload, npu, INT8).layer("conv2d_1").to_dict()["mapping"]
    mapping["keeps"]["output"] = {"sum": 3}
    with pytest.raises(CostModelError) as error:
        npu.with_parameters(mapping=json.dumps({"conv2d_1": mapping}))
    assert "conv2d_1.keeps.output: expected memories from inner to outer: sums" in str(error.value)


def test_the_command_refuses_a_mapping_of_an_unknown_layer(tmp_path: Path) -> None:
    file, kept = tmp_path / "npu.yaml", tmp_path / "mappings.json"
    file.write_text(NPU)
    arguments = ["map", str(NETWORK), "-d", str(file), "--default-format", "int8"]
    assert run(*arguments, "dense", "-o", str(kept)).exit_code == 0
    kept.write_text(kept.read_text().replace("dense/contraction", "dense_9"))
    found = run(*arguments, "--mapping", str(kept))
    assert found.exit_code == 2
    assert "unknown contraction 'dense_9'" in found.stderr


def test_prefetched_weights_save_time_and_nothing_else(tmp_path: Path, network: Any) -> None:
    text = NPU.replace("size: 128 B", "size: 128 B\n    double_buffered: true")
    usual = device(tmp_path, text)
    early = usual.with_parameters(prefetches_weights="true")
    one, other = (each.evaluate(costmodel.lower(network, INT8), INT8) for each in (usual, early))
    assert one.latency_seconds is not None
    assert other.latency_seconds is not None
    assert other.latency_seconds < one.latency_seconds
    assert other.latency_seconds >= max(other.busy_seconds.values())
    assert other.traffic_bytes == one.traffic_bytes
    begins = [span.begin.value for span in other.schedule.spans]
    assert begins == sorted(begins)


def test_a_report_shows_what_the_device_is_made_of(npu: Any, network: Any) -> None:
    page = costmodel.estimate(network, npu, scenario=INT8).to_html()
    picture = page[page.index('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640') :]
    picture = picture[: picture.index("</svg>") + 6]
    tree = ET.fromstring(picture)  # noqa: S314  # our own page
    shown = " ".join("".join(one.itertext()) for one in tree.iter() if one.tag.endswith("text"))
    for name in ("weights", "sums", "buffer", "dram", "16 rows x 16 columns", "100 pJ"):
        assert name in shown
    assert tree.get("role") == "img"
    assert "What npu is made of" in page


def test_products_of_two_activations_have_their_second_factor_where_weights_are(
    npu: Any,
) -> None:
    keras = pytest.importorskip("keras")
    given = keras.Input((8, 16))
    scores = keras.layers.Dot(axes=(2, 2))([keras.layers.Dense(16)(given), given])
    scenario = Scenario(default_format="int8")
    workload = costmodel.lower(costmodel.read(keras.Model(given, scores)), scenario)
    found = npu.evaluate(workload, scenario)
    assert found.is_complete, found.unpriced
    products = [one for one in found.groups if not one.group.name.startswith("dense")]
    reads = {
        (one.memory, one.role)
        for group in products
        for one in group.traffic
        if one.read_bits and one.role == "weight"
    }
    assert reads == {("dram", "weight"), ("weights", "weight")}


def test_fewer_units_may_cost_less_energy(npu: Any, network: Any) -> None:
    free = npu.with_parameters(dataflow="search")
    found = {
        share: placement(free.with_parameters(minimum_utilization=share), network).mapped
        for share in (1, 0.25)
    }
    for name, one in found[1].items():
        other = found[0.25][name]
        assert other.costs.energy <= one.costs.energy * (1 + 1e-9) or other.gap
        assert other.costs.utilization >= one.costs.utilization * 0.25 * (1 - 1e-9)
    assert any(found[0.25][name].costs.energy < one.costs.energy for name, one in found[1].items())


@pytest.mark.parametrize("read", ["model.json", "mappings.json"])
def test_the_command_overwrites_no_file_that_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.json").write_bytes(NETWORK.read_bytes())
    Path("npu.yaml").write_text(NPU)
    arguments = ["map", "model.json", "-d", "npu.yaml", "--default-format", "int8"]
    assert run(*arguments, "-o", "mappings.json").exit_code == 0
    before = Path(read).read_bytes()
    found = run(*arguments, "--mapping", "mappings.json", "-o", read)
    assert found.exit_code == 2
    assert f"-o {read}: the command reads this file" in found.stderr
    assert Path(read).read_bytes() == before


def test_a_padding_layer_before_a_convolution_costs_no_second_read(npu: Any) -> None:
    keras = pytest.importorskip("keras")
    layers, scenario = keras.layers, Scenario(default_format="int8")
    given = keras.Input((32, 32, 16))
    apart = layers.Conv2D(16, 3)(layers.ZeroPadding2D(1)(given))
    found = npu.evaluate(
        costmodel.lower(costmodel.read(keras.Model(given, apart)), scenario), scenario
    )
    (mapped,) = placement(npu, costmodel.read(keras.Model(given, apart)), scenario).mapped.values()
    words = sum(
        one.words
        for one in mapped.costs.transfers
        if (one.level, one.operand, one.flow) == ("dram", "input", "read_to_below")
    )
    reads = [
        one.read_bits
        for group in found.groups
        for one in group.traffic
        if (one.memory, one.role) == ("dram", "input")
    ]
    assert reads == [8 * words]


def test_both_results_of_a_group_are_written(npu: Any) -> None:
    """That of a product leaves the group beside that of the activation behind it."""
    left, right, result = (6, 4), (4, 8), (6, 8)
    work = Workload(
        "both", {"a": left, "b": right, "sums": result, "out": result},
        [Node("dense", matmul(left, right), ("a", "b", "sums")),
         Node("relu", activation("relu", result, in_place=True), ("sums", "out"))],
        ["a"], ["sums", "out"], ["b"],
    )  # fmt: skip
    written = npu.evaluate(work, Scenario(default_format="int8")).traffic_bytes["dram"][1]
    assert written == 2 * 6 * 8


def fused_activation() -> Workload:
    """A product with an activation behind it, which is one group."""
    left, right, result = (6, 40), (40, 8), (6, 8)
    return Workload(
        "fused", {"a": left, "b": right, "sums": result, "out": result},
        [Node("dense", matmul(left, right), ("a", "b", "sums")),
         Node("relu", activation("relu", result), ("sums", "out"))],
        ["a"], ["out"], ["b"],
    )  # fmt: skip


def test_a_group_pays_for_what_it_moves_where_only_its_activation_has_no_price(
    tmp_path: Path, npu: Any
) -> None:
    rate = "  vector_rate: {value: 16 GOP/s, source: me, evidence: assumed}\n"
    whole = npu.evaluate(fused_activation(), INT8)
    lacking = device(tmp_path, NPU.replace(rate, "")).evaluate(fused_activation(), INT8)
    assert whole.is_complete
    assert set(lacking.unpriced) == {"relu"}
    own, other = whole.group("dense"), lacking.group("dense")
    assert own.carried.charges == other.carried.charges != ()
    assert other.cost.energy_joules == near(own.cost.energy_joules)
    assert other.cost.latency_seconds == near(own.cost.latency_seconds)
    assert not other.is_priced
    assert isinstance(lacking.outcomes["relu"], Unpriced)
    said = lacking.outcomes["dense"]
    assert isinstance(said, Cost)
    assert said.energy_joules == near(own.cost.energy_joules)


def test_a_group_whose_contraction_has_no_price_pays_for_nothing(tmp_path: Path) -> None:
    """What it would move depends on the mapping that it does not have."""
    small = device(tmp_path, NPU.replace("size: 4 B", "size: 2 B"))
    found = small.evaluate(fused_activation(), INT8).group("dense")
    assert found.traffic
    assert not found.carried.charges
    assert not found.cost.charges


def test_ragged_tiles_are_a_setting_of_a_file(tmp_path: Path) -> None:
    """A prime number of rows; the buffer has room for some of them only."""
    text = NPU.replace("size: 512 KiB", "size: 64 KiB").replace("    leakage: 1 mW\n", "")
    work = Workload(
        "rows", {"a": (197, 512), "b": (512, 256), "out": (197, 256)},
        [Node("dense", matmul((197, 512), (512, 256)), ("a", "b", "out"))], ["a"], ["out"], ["b"],
    )  # fmt: skip
    usual = device(tmp_path, text)
    ragged = device(tmp_path, text.replace("settings:\n", "settings:\n  ragged: true\n"))
    assert not usual.ragged
    one, other = (each.evaluate(work, INT8).energy_joules for each in (usual, ragged))
    assert other < 0.8 * one
    with pytest.raises(CostModelError, match="ragged: accounting zigzag knows no ragged tiles"):
        ragged.with_parameters(accounting="zigzag")


def test_the_search_of_a_network_reports_each_contraction(npu: Any, network: Any) -> None:
    mapped.cache_clear()
    found: list[tuple[Step, ...]] = []
    with progress_to(found.append):
        npu.evaluate(costmodel.lower(network, INT8), INT8)
    steps = {one[:2] for one in found if len(one) > 1}
    assert (Step("npu, vgg9"), Step("mapping conv2d_1/contraction", 2, 9)) in steps
    assert found[-1] == ()


@pytest.mark.parametrize("accounting", ["costmodel", "zigzag"])
def test_a_search_ends_at_its_time_limit(npu: Any, network: Any, accounting: str) -> None:
    """With the best mapping so far, and how far it may be from the least."""
    settings = {"accounting": accounting, "objective": "edp"}
    work = Workload(
        "one", {"a": (24, 64), "b": (64, 36), "out": (24, 36)},
        [Node("dense", matmul((24, 64), (64, 36)), ("a", "b", "out"))], ["a"], ["out"], ["b"],
    )  # fmt: skip
    values, gaps = [], []
    for seconds in ("60", "1e-9"):
        mapped.cache_clear()
        limited = npu.with_parameters(search_seconds=seconds, **settings)
        one = limited.evaluate(work, INT8).placement.mapped["dense"]
        values.append(one.costs.energy * one.costs.latency.total)
        gaps.append(one.gap)
    assert gaps[1] > gaps[0]
    assert values[0] <= values[1] <= values[0] * (1 + gaps[1]) * (1 + 1e-12)
