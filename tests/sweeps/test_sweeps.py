"""Sweeps: every value is that of `estimate`, and the same in any company."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import chains
import numpy as np
import pytest
from attrs import evolve, fields, frozen
from design_spaces import (
    FORMATS,
    RESIDUAL,
    SMALL,
    check_against_estimates,
    convolution,
    grid,
    same,
    small,
    swept,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from worlds import REGISTRY

import costmodel
from costmodel import DesignSpace, Scenario
from costmodel.devices import USUAL, Device, DeviceEstimate
from costmodel.errors import CostModelError, PluginError, UnknownNameError
from costmodel.optimize.fronts import pareto
from costmodel.report.columns import has_energy_by_layer
from costmodel.sweeps import lookup
from costmodel.sweeps.designs import (
    BY_POWER,
    NO_POWER,
    ONE_BY_ONE,
    TABLED,
    UNKNOWN_LIMIT,
    Designs,
)
from costmodel.sweeps.grid import grid_of
from costmodel.sweeps.rows import rows_of
from costmodel.sweeps.space import ChoiceError, Range

SEPARABLE = ("horowitz-45nm", "raspberry-pi-4", "rtx-4090", "cpu", "loihi", "stm32h743")
COUPLED = ("ethos-u55-128", "eyeriss-v1")
"""Where a tensor lies depends on others, or the device does not see groups one by one."""
EVERY_FORMAT = [*FORMATS, "int16", "float16", "fixed<8,3>", "binary", "ternary"]

NO_SHRINKING = [Phase.explicit, Phase.reuse, Phase.generate]
"""A failing design is small already, and each costs an estimate."""

formats = st.lists(st.sampled_from(EVERY_FORMAT), min_size=1, max_size=3, unique=True)


NAMES = {"chain": ("layer0", "layer3", "layer7"), "residual": ("first", "conv0", "other2")}
"""Some layers that multiply."""


@st.composite
def spaces(draw: st.DrawFn, device: str, source: Any) -> DesignSpace:
    """Spaces over all families of axes."""
    first, middle, last = NAMES[source.name]
    names = [first, middle, last, "*"]
    by_layer = st.dictionaries(st.sampled_from(names), formats, max_size=3)
    given: dict[str, Any] = {"device": device, "default_format": draw(formats)}
    if draw(st.booleans()):
        given["formats"] = draw(by_layer)
    else:
        given["weights"], given["activations"] = draw(by_layer), draw(by_layer)
    sums = st.dictionaries(st.sampled_from([first, last, "*"]), formats, max_size=2)
    given["accumulators"] = draw(sums)
    if draw(st.booleans()):
        given["batch"] = draw(st.lists(st.integers(1, 4), min_size=1, max_size=2, unique=True))
    if draw(st.booleans()):
        given["source_format"] = draw(formats)
    rates = st.lists(st.floats(0.5, 100.0), min_size=1, max_size=2, unique=True)
    if device == "loihi":
        kind = draw(st.sampled_from(["rates", "input_rates"]))
        given[kind] = draw(st.one_of(rates, st.fixed_dictionaries({"*": rates, first: rates})))
        given["timesteps"] = draw(st.lists(st.integers(1, 9), min_size=1, max_size=2, unique=True))
        given["dt"] = draw(st.lists(st.floats(1e-4, 1e-2), min_size=1, max_size=2, unique=True))
    given["parameters"] = draw(st.sampled_from(PARAMETERS[device]))
    return DesignSpace(**given)


PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "horowitz-45nm": [
        {},
        {"energy_per_dram_access": ["1 nJ", "2 nJ"], "weights_on_memory": ["dram", "sram"]},
        {"adder_growth": [1, 1.5], "energy_per_8_bit_multiply": Range("0.1 pJ", "9 pJ", log=True),
         "energy_per_8_kb_sram_access": Range("1 pJ", "90 pJ")},
        {"fusion": [True, False], "min_sram_size": [0, 65536]},
    ],
    "raspberry-pi-4": [
        {}, {"idle_power": ["1 W", "2 W"], "peak_rate.int8": ["10 GOP/s", "20 GOP/s"]},
        {"runtime": list(costmodel.device("raspberry-pi-4").runtimes)},
        {"dram.bandwidth": Range("1 GB/s", "9 GB/s")},
    ],
    "rtx-4090": [{}, {"dram.size": ["1 kB", "1 GB"]}],
    "cpu": [{}, {"energy_per_multiply_accumulate": Range("1 pJ", "9 nJ")}],
    "loihi": [{}, {"energy_per_neuron_update": ["1 pJ", "80 pJ"]}],
    "stm32h743": [{}], "ethos-u55-128": [{}], "eyeriss-v1": [{}],
}  # fmt: skip


@pytest.mark.parametrize("device", SEPARABLE)
@settings(max_examples=12, deadline=None, phases=NO_SHRINKING)
@given(data=st.data())
def test_every_swept_value_is_that_of_an_estimate(device: str, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from([SMALL, RESIDUAL]))
    found = grid(data.draw(spaces(device, source)), source)
    table = swept(found, sample=40)
    places = data.draw(st.lists(st.integers(0, len(table) - 1), min_size=3, max_size=4))
    check_against_estimates(found, table, places)


@pytest.mark.parametrize("device", COUPLED)
def test_devices_that_are_not_separable_are_evaluated_one_by_one(device: str) -> None:
    found = grid(DesignSpace(device=device, formats={"layer0": ["int8", "int16"]},
                             default_format="int8", batch=[1, 2]))  # fmt: skip
    designs = Designs(found)
    table = designs.table(rows_of(found), 0, 4)
    no_power = {NO_POWER: 4} if device == "ethos-u55-128" else {}
    assert designs.ways == {ONE_BY_ONE: 4, **no_power}
    check_against_estimates(found, table, range(4))


CPU = costmodel.device("cpu")


@frozen(slots=False)
class Together(type(CPU)):  # type: ignore[misc]  # the class of a file
    """A device whose groups have no price alone, and which evaluates many designs at once."""

    capabilities: ClassVar = USUAL
    asked: ClassVar[list[int]] = []
    forgets: ClassVar[int] = 0

    def evaluate_batch(self, workloads: Any, scenario: Scenario) -> list[DeviceEstimate]:
        several = list(workloads)
        self.asked.append(len(several))
        return [self.evaluate_bound(one, scenario) for one in several[self.forgets :]]


def _together(kind: type[Device]) -> Device:
    return kind(**{one.alias: getattr(CPU, one.name) for one in fields(type(CPU)) if one.init})


def test_a_class_evaluates_designs_together() -> None:
    space = DesignSpace(
        device=_together(Together), formats={"layer0": ["int8", "int16"], "layer3": FORMATS},
        default_format="int8", batch=[1, 2],
    )  # fmt: skip
    Together.asked.clear()
    found = grid(space)
    table = swept(found)
    assert Together.asked == [2 * len(FORMATS)] * 2
    check_against_estimates(found, table, range(len(table)))


def test_a_class_that_forgets_a_design_is_refused() -> None:
    class Forgetful(Together):
        forgets = 1

    space = DesignSpace(device=_together(Forgetful), formats={"layer0": ["int8", "int16"]})
    with pytest.raises(PluginError, match="an estimate for each of 2 workloads, found 1"):
        swept(grid(space))


def test_devices_and_networks_are_axes() -> None:
    space = DesignSpace(
        device=["horowitz-45nm", "cpu", "raspberry-pi-4"], network=small,
        arguments={"width": [2, 3], "depth": [1, 2]}, weights=["int4", "int8"],
        parameters={"cpu.energy_per_multiply_accumulate": ["1 nJ", "2 nJ"]},
    )  # fmt: skip
    found = grid(space, None)
    assert found.size == 3 * 2 * 2 * 2 * 2**4  # the last layer is called otherwise in both
    table = swept(found)
    check_against_estimates(found, table, range(0, len(table), 17))


@pytest.mark.parametrize("device", ["horowitz-45nm", "raspberry-pi-4"])
def test_shapes_of_inputs_are_axes(device: str) -> None:
    source = chains.network((None, None, 3), convolution(4), convolution(2))
    space = DesignSpace(
        device=device, input_shapes=[(8, 8, 3), (5, 6, 3)], default_format="int8",
        weights={"layer0": FORMATS},
    )  # fmt: skip
    found = grid(space, source)
    table = swept(found)
    assert len(set(table["energy"])) == len(table) == 2 * len(FORMATS)
    check_against_estimates(found, table, range(len(table)))


def test_recurrent_networks_are_evaluated_one_by_one() -> None:
    recurrent = chains.network((4, 3), {"kind": "SimpleRNN", "units": 3, "activation": "tanh",
                                 "use_bias": True, "return_sequences": False,
                                 "go_backwards": False})  # fmt: skip
    found = grid(DesignSpace(device="horowitz-45nm", weights={"layer0": FORMATS}), recurrent)
    designs = Designs(found)
    table = designs.table(rows_of(found), 0, 3)
    assert designs.ways == {ONE_BY_ONE: 3}
    check_against_estimates(found, table, range(3))


WIDE = DesignSpace(
    device="horowitz-45nm", weights=FORMATS, activations=["int4", "int8"],
    parameters={"energy_per_dram_access": Range("1 nJ", "2 nJ")}, default_format="int8",
)  # fmt: skip


def equal(one: Any, other: Any) -> None:
    """Bit for bit."""
    assert one.names == other.names
    for name in one:
        if one[name].dtype == float:
            assert one[name].tobytes() == other[name].tobytes()
        else:
            assert one[name].tolist() == other[name].tolist()


@pytest.mark.parametrize("chunk", [1, 7, 100, 10_000])
def test_no_value_depends_on_the_chunk(chunk: int) -> None:
    found = grid(WIDE)
    equal(swept(found, chunk, sample=130), swept(found, 64, sample=130))


@pytest.mark.parametrize(
    "device", ["horowitz-45nm", "stm32h743", "raspberry-pi-4", "eyeriss-v1", "ethos-u55-128"]
)
def test_layers_have_costs_of_their_own_on_request(device: str) -> None:
    space = DesignSpace(device=device, formats={"layer0": ["int8", "int16"]}, default_format="int8",
                        batch=[1, 2])  # fmt: skip
    found = grid(space)
    designs = Designs(found, by_layer=True)
    table = designs.table(rows_of(found), 0, 4)
    without_energy = 0
    for place in range(4):
        row = table.row(place)
        bill = found.design(row).estimate(on_unpriced="bound", registry=REGISTRY).bills[device]
        has_energy = has_energy_by_layer(bill)
        without_energy += not has_energy
        for line in bill.lines:
            energy = line.cost.energy_joules if has_energy else None
            same(row[f"energy.{line.layer.name}"], energy)
            same(row[f"latency.{line.layer.name}"], line.cost.latency_seconds or 0.0)
    assert designs.ways.get(BY_POWER, 0) == without_energy


def test_a_sweep_says_why_layers_have_no_energy() -> None:
    table = costmodel.sweep(
        SMALL, DesignSpace(device="raspberry-pi-4", batch=[1, 2]), by_layer=True, registry=REGISTRY
    )
    assert np.isnan(table["energy.layer0"]).all()
    assert table["latency.layer0"].min() > 0
    assert f"2 designs: {BY_POWER}" in table.notes


@pytest.mark.parametrize("device", ["m2-pro", "ethos-u55-128"])
def test_without_a_power_a_design_has_no_energy_rather_than_none_at_all(device: str) -> None:
    space = DesignSpace(device=[device, "raspberry-pi-4"], default_format="int8")
    table = costmodel.sweep(SMALL, space, registry=REGISTRY)
    assert np.isnan(table["energy"]).tolist() == [True, False]
    assert f"1 designs: {NO_POWER}" in table.notes
    front = pareto(table, minimize=["energy"]).best
    assert [front.row(place)["device"] for place in range(len(front))] == ["raspberry-pi-4"]
    limited = evolve(space, limits={"energy": "1 kJ"}, on_unpriced="bound")
    found = costmodel.sweep(SMALL, limited, registry=REGISTRY)
    assert [found.row(place)["device"] for place in range(len(found))] == ["raspberry-pi-4"]


def test_sums_may_be_kept_in_a_format_of_their_own() -> None:
    space = DesignSpace(
        device="horowitz-45nm", weights={"layer7": "int8"}, activations={"*": "int8"},
        accumulators={"layer7": ["int16", "int24", "int32"]}, default_format="int8",
    )  # fmt: skip
    found = grid(space)
    table = swept(found)
    check_against_estimates(found, table, range(3))
    energies = table["energy"].tolist()
    assert energies == sorted(energies)
    assert len(set(energies)) == 3
    estimate = found.design(table.row(1)).estimate(registry=REGISTRY)
    text = estimate.explain("layer7", "horowitz-45nm")
    assert "adders" in text


@pytest.mark.parametrize("dense", [1, 20])
def test_tables_without_room_for_all_combinations_have_those_that_occur(
    dense: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = evolve(WIDE, activations={"layer0": ["int4", "int8"]}, device=("rtx-4090",),
                   parameters={}, weights=[*FORMATS, "float16"])  # fmt: skip
    whole = swept(grid(space), sample=90)
    monkeypatch.setattr(lookup, "_DENSE", dense)
    equal(swept(grid(space), sample=90), whole)


def test_groups_are_tabled_where_the_device_is_separable() -> None:
    found = grid(WIDE)
    designs = Designs(found)
    designs.table(rows_of(found, sample=10), 0, 10)
    assert designs.ways == {TABLED: 10}


def test_a_table_says_in_which_way_it_was_made() -> None:
    table = costmodel.sweep(SMALL, WIDE, sample=5, registry=REGISTRY)
    assert table.notes == (f"5 designs: {TABLED}",)
    assert len(table) == 5


def test_the_size_is_known_before_the_run() -> None:
    found = grid(DesignSpace(device="cpu", batch=[1, 2, 4], weights=FORMATS))
    assert found.size == 3 * 3**3
    assert "81 designs, 4 axes" in str(found)
    assert grid(WIDE).size is None


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (["1 nJ", "2 nJ"], "energy_per_dram_access: 1 nJ, 2 nJ"),
        (Range("500 pJ", "2 nJ"), "energy_per_dram_access: any from 500 pJ to 2 nJ"),
    ],
)
def test_figures_are_shown_with_their_unit(values: Any, shown: str) -> None:
    space = DesignSpace(device="horowitz-45nm", parameters={"energy_per_dram_access": values})
    (axis,) = grid(space).axes
    assert str(axis) == shown


def test_designs_are_enumerated_with_the_last_axis_first() -> None:
    found = grid(DesignSpace(device="cpu", batch=[1, 2], weights={"layer0": FORMATS}))
    table = swept(found)
    assert table["batch"].tolist() == [1, 1, 1, 2, 2, 2]
    assert table["weights.layer0"].tolist() == FORMATS * 2
    assert table["design"].tolist() == list(range(6))


def test_designs_may_be_listed() -> None:
    found = grid(DesignSpace(device="cpu", batch=[1, 2], weights={"layer0": FORMATS}))
    by_place = swept(found, designs=np.array([[1, 2], [0, 0]]))
    by_name = swept(found, designs={"batch": [2, 1], "weights.layer0": ["int8", "int2"]})
    equal(by_place, by_name)
    assert by_place["batch"].tolist() == [2, 1]


def test_constraints_leave_designs_out() -> None:
    space = DesignSpace(
        device="horowitz-45nm", weights=FORMATS, limits={"weights": "700 B"},
        where=lambda table: table["energy"] > 0,
    )  # fmt: skip
    table = swept(grid(space))
    assert 0 < len(table) < 27
    assert table["weights"].max() <= 700


def test_layers_of_one_group_share_their_choice() -> None:
    space = DesignSpace(device="cpu", weights=FORMATS, equal=[["layer0", "layer3"]])
    assert [str(axis.name) for axis in grid(space).axes] == ["weights.layer0", "weights.layer7"]
    assert grid(space).size == 9


def test_a_format_of_an_axis_replaces_that_of_a_quantizer() -> None:
    quantised = chains.network((6, 6, 3), convolution_of_qkeras())
    space = DesignSpace(device="horowitz-45nm", formats={"layer0": FORMATS})
    found = grid_of(quantised, space, chains.REGISTRY)
    table = swept(found)
    check_against_estimates(found, table, range(3))
    assert len(set(table["energy"].tolist())) == 3


def convolution_of_qkeras() -> dict[str, Any]:
    return {
        **convolution(4), "kind": "QConv2D", "kernel_quantizer": "quantized_bits(4,0,1)",
        "bias_quantizer": "quantized_bits(8,3)", "activation": "quantized_relu(6,2)",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"device": "horowitz"}, UnknownNameError, "nearest known: 'horowitz-45nm'|unknown device"),
        ({"weights": {"layer00": ["int8"]}}, UnknownNameError, "nearest known: 'layer0'"),
        ({"weights": {"layer2": ["int8"]}}, CostModelError, "'layer2' holds no parameters"),
        ({"accumulators": {"layer2": ["int8"]}}, CostModelError, "'layer2' multiplies nothing"),
        ({"weights": ["int8", "int8"]}, CostModelError, "has int8 twice"),
        ({"weights": ["int8"], "formats": ["int4"]}, CostModelError, "have two axes"),
        ({"parameters": {"energy_per_dram": ["1 nJ"]}}, UnknownNameError, "nearest"),
        ({"parameters": {"energy_per_dram_access": Range("1 W", "2 W")}}, CostModelError, "'1 W'"),
        ({"arguments": {"width": [1]}}, CostModelError, "that of a function"),
        ({"weights": {"conv*": ["int8"]}}, CostModelError, "there are layer0, "),
        ({"weights": {"layer0": []}}, CostModelError, "'weights.layer0' has no choice"),
        ({"weights": {"layer0": [8, 4]}}, ChoiceError, "weights.layer0: 8 is not a numeric format"),
        ({"equal": [["layer0", "layer9"]], "weights": ["int8"]}, UnknownNameError, "layer9"),
    ],
)  # fmt: skip
def test_a_space_with_a_mistake_is_refused(given: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        grid(DesignSpace(**{"device": "horowitz-45nm", **given}))


@pytest.mark.parametrize("name", ["energy", "fits", "design"])
def test_an_argument_with_the_name_of_a_column_is_refused(name: str) -> None:
    space = DesignSpace(device="horowitz-45nm", network=small, arguments={name: [1, 2]})
    with pytest.raises(CostModelError, match=f"arguments: '{name}' needs one value or more"):
        grid_of(None, space, REGISTRY)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({}, "any value of a range; say how many designs to draw"),
        ({"sample": 0}, "sample is 0"),
        ({"sample": 1, "designs": [[0]]}, "expected designs or sample, found both"),
        ({"designs": np.zeros((1, 2), int)}, "expected whole numbers of shape"),
    ],
)
def test_designs_that_are_none_of_a_space_are_refused(chosen: Any, said: str) -> None:
    with pytest.raises(CostModelError, match=said):
        rows_of(grid(WIDE), **chosen)


def test_a_scenario_holds_for_all_designs() -> None:
    space = DesignSpace(
        device="horowitz-45nm", scenario=Scenario(batch=3, default_format="int8"), weights=FORMATS
    )
    found = grid(space)
    check_against_estimates(found, swept(found), [0, 13])


# ------------------------------------------------------------------ files of frameworks

ROOT = Path(__file__).parents[2]
FILES = [
    "examples/kws.tflite", "examples/cnn.onnx", "examples/cnn.pt2",
    *[f"tests/frontends/models/pairs/{name}" for name in (
        "cnn.int8.tflite", "transformer.tflite", "transformer.int8.tflite", "embedding.mlir",
        "cnn.qdq.onnx",
    )],
]  # fmt: skip


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("device", ["horowitz-45nm", "raspberry-pi-4"])
def test_files_that_declare_formats_or_hold_views_are_swept(file: str, device: str) -> None:
    network = costmodel.read(ROOT / file)
    given: dict[str, Any] = {"device": device, "default_format": "int8", "batch": [1, 2]}
    holding = [layer for layer in network.layers if layer.parameters]
    if not any(layer.declared_formats() for layer in holding):
        # Scales of blocks and packed elements are rounded up for each tensor.
        chosen = ["int8", "mxfp4", "mixed<int3,2.5>"]
        given["weights"] = {layer.name: chosen for layer in holding[:2]}
    found = grid(DesignSpace(**given), network)
    table = swept(found)
    check_against_estimates(found, table, range(0, len(table), 5))


def test_a_limit_leaves_out_what_no_device_models_in_any_chunk() -> None:
    space = DesignSpace(
        device=["raspberry-pi-4", "horowitz-45nm"], default_format="int8",
        formats={"layer0": ["int4", "int8"]}, limits={"latency": "1 s"},
    )  # fmt: skip
    for chunk in (1, 2, 4):
        table = swept(grid(space), chunk=chunk)
        assert set(table["device"]) == {"raspberry-pi-4"}
        assert len(table) == 2
    alone = evolve(space, device="horowitz-45nm")
    with pytest.raises(CostModelError, match="no device has a model of it"):
        swept(grid(alone))


EVERY = DesignSpace(
    device="raspberry-pi-4", formats={"layer0": ["int8", "int16", "float16"]},
    default_format="int8",
)  # fmt: skip
"""In int16 the device has no price: what remains takes less than the whole in float16."""
WHOLE = swept(grid(EVERY))
PARTLY = evolve(EVERY, limits={"energy": (max(WHOLE["energy"][:2]) + WHOLE["energy"][2]) / 2})
"""What remains in int16 is within the limit, as is the whole in int8."""


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_a_limit_leaves_out_a_design_of_which_only_a_part_has_a_price(chunk: int) -> None:
    assert WHOLE["coverage"].tolist() == [1.0, pytest.approx(8 / 9, rel=1e-12, abs=0), 1.0]
    within = WHOLE["energy"] <= PARTLY.limits["energy"]
    assert within.tolist() == [True, True, False]
    table = swept(grid(PARTLY), chunk=chunk)
    assert table["formats.layer0"].tolist() == ["int8"]


def test_a_limit_may_take_the_part_that_has_a_price() -> None:
    table = swept(grid(evolve(PARTLY, on_unpriced="bound")))
    assert table["formats.layer0"].tolist() == ["int8", "int16"]


def test_a_limit_of_what_needs_no_price_keeps_a_design_of_which_a_part_has_one() -> None:
    table = swept(grid(evolve(PARTLY, limits={"weights": "1 MB", "memory": "1 GB"})))
    assert len(table) == 3


def test_designs_whose_limit_is_not_known_are_counted() -> None:
    table = costmodel.sweep(SMALL, PARTLY, registry=REGISTRY)
    assert table.notes == (f"3 designs: {TABLED}", f"1 designs: {UNKNOWN_LIMIT}")


def test_the_narrowest_name_of_a_layer_counts() -> None:
    both = DesignSpace(
        device="cpu",
        weights={"*": ["int8"], "layer0": ["int2", "int4"], "layer*": ["int8", "int4"]},
    )
    found = {axis.name: axis.labels for axis in grid(both).axes}
    assert found["weights.layer0"] == ("int2", "int4")
    assert set(found.values()) - {("int2", "int4")} == {("int8", "int4")}


def test_a_block_whose_layers_all_have_names_of_their_own_is_refused() -> None:
    network = costmodel.read(ROOT / "examples/kws.tflite")
    names = [layer.name for layer in network.layers if layer.name.startswith("functional_1/dense/")]
    own = {name: FORMATS for name in names if network.layer(name).parameters}
    space = DesignSpace(device="cpu", weights={"functional_1/dense": FORMATS, **own})
    with pytest.raises(CostModelError, match="all layers of 'functional_1/dense' have formats by"):
        grid(space, network)
