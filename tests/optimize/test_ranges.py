"""Fronts of sweeps under the ranges of device files, against estimates at values of figures."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import chains
import numpy as np
import pytest
from attrs import evolve
from console import good, run
from design_spaces import RESIDUAL, SMALL, grid, small
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from worlds import EVERYTHING, REGISTRY

from costmodel import DesignSpace
from costmodel.errors import CostModelError, UnknownNameError
from costmodel.optimize import robust
from costmodel.optimize.fronts import RobustFront, pareto, robust_front
from costmodel.optimize.ranges import Figure, Increase, Product, Reciprocal, linear_costs
from costmodel.sweeps.sweeping import sweep

NO_SHRINKING = [Phase.explicit, Phase.reuse, Phase.generate]
SAMPLES = Path(__file__).parents[1] / "qkeras" / "samples"
EXAMPLES = Path(__file__).parents[2] / "examples"


def ranged(name: str, **spans: tuple[float, float]) -> Any:
    """A device in which figures have ranges: shares below and above their values."""
    device = REGISTRY.device(name)
    for path, (below, above) in spans.items():
        own, _, number = path.partition("__")
        held = getattr(device, own)
        if number:
            wide = wider(held[number], below, above)
            device = evolve(device, **{own: held.with_figures([(parse(held, number), wide)])})
        else:
            device = evolve(device, **{own: wider(held, below, above)})
    return device


def parse(table: Any, number: str) -> Any:
    return next(one for one in table if table[one] is table[number])


def wider(figure: Any, below: float, above: float) -> Any:
    return evolve(figure, low=figure.value * (1 - below), high=figure.value * (1 + above))


def with_bandwidth(name: str, below: float, above: float) -> Any:
    """A device whose memories have bandwidths within ranges."""
    device = REGISTRY.device(name)
    memories = [
        one if one.bandwidth is None else evolve(one, bandwidth=wider(one.bandwidth, below, above))
        for one in device.memories
    ]
    return evolve(device, memories=tuple(memories))


def figures(device: Any) -> Any:
    return [one for one in device.parameters.values() if one.low < one.high]


def at(device: Any, values: Any) -> Any:
    return device.with_parameters(
        **{one.name: f"{value!r} {one.unit}".strip() for one, value in values.items()}
    )


def estimated(found: Any, table: Any, objectives: Any, values: Any) -> Any:
    """What `estimate` says of all designs at some values of figures, shape as a front's values."""
    rows = []
    for place in range(len(table)):
        row = table.row(place)
        design = found.design(row)
        own = {one: value for one, value in values.items() if one in figures(design.device)}
        moved = evolve(design, device=at(design.device, own))
        whole = moved.estimate(on_unpriced="bound", registry=REGISTRY).bills[moved.device.name]
        known = {
            "energy": whole.evaluation.energy_joules,
            "latency": whole.evaluation.latency_seconds,
            "weights": whole.evaluation.weight_bytes,
        }
        rows.append([known.get(name, row[name]) for name in objectives])
    return np.array(rows, dtype=float)


def corners(devices: Any) -> Any:
    every = [one for device in devices for one in figures(device)]
    for ends in itertools.product(*[(one.low, one.high) for one in every]):
        yield dict(zip(every, ends, strict=True))


def drawn(devices: Any, count: int, seed: int = 0) -> Any:
    draw = np.random.default_rng(seed)
    for _ in range(count):
        yield {
            one: float(draw.uniform(one.low, one.high))
            for device in devices
            for one in figures(device)
        }


def beats(one: Any, other: Any, values: Any) -> bool:
    """Whether a design is as good as another at all values, and better at some; up to rounding."""
    room = 1e-12
    pairs = [(rows[one], rows[other]) for rows in values]
    is_as_good = all((a <= b * (1 + room)).all() for a, b in pairs)
    return is_as_good and any((a < b * (1 - room)).any() for a, b in pairs)


CASES: dict[str, Any] = {
    "horowitz-45nm": (REGISTRY.device("horowitz-45nm"), ["energy", "weights"], {}),
    "several-prices": (
        ranged("horowitz-45nm", energy_per_8_bit_multiply=(0.5, 3.0),
               energy_per_32_bit_multiply=(0.9, 0.0), energy_per_32_kb_sram_access=(0.9, 4.0)),
        ["energy"],
        {"weights_on_memory": ["dram", "sram"], "activations_on_memory": ["sram", "dram"]},
    ),
    "loihi": (REGISTRY.device("loihi"), ["energy"], {}),
    "busy-power": (REGISTRY.device("raspberry-pi-4"), ["energy", "weights"], {}),
    "power": (
        ranged("jetson-tx1", idle_power=(0.3, 0.1)), ["energy", "latency"],
        {"dram.bandwidth": ["12 GB/s", "25 GB/s"]},
    ),
}  # fmt: skip
FORMATS = {"layer0": ["int8", "int4"], "layer3": ["int8", "int16"], "layer7": ["int8", "int4"]}


def case(name: str) -> tuple[Any, Any, list[str]]:
    """A table of few designs, their grid and objectives."""
    device, objectives, parameters = CASES[name]
    if device.family == "processor":
        formats = {"formats": {"*": ["int8", "float32"]}}
    else:
        formats = {"weights": FORMATS, "activations": {"layer0": ["int8", "int16"]}}
    given = {"rates": [2.0, 50.0], "timesteps": [1, 7]} if device.name == "loihi" else formats
    space = DesignSpace(device=device, default_format="int8", parameters=parameters, **given)
    return space, sweep(SMALL, space, registry=REGISTRY), objectives


@pytest.mark.parametrize("name", CASES)
def test_a_design_is_dropped_just_where_one_other_beats_it_at_all_corners(name: str) -> None:
    space, table, objectives = case(name)
    front = robust_front(table, SMALL, space, objectives, registry=REGISTRY)
    known = table["coverage"] == table["coverage"].max()
    found = grid(space)
    values = [
        estimated(found, table, objectives, one) for one in corners([CASES[name][0]])
    ]  # fmt: skip
    places = np.flatnonzero(known)
    for one in places:
        is_beaten = any(beats(rival, one, values) for rival in places)
        assert front.is_on[one] == (not is_beaten)
    assert not front.is_on[~known].any()
    assert 0 < front.is_on.sum() < len(table)


@pytest.mark.parametrize("name", CASES)
def test_costs_are_those_of_an_estimate_at_drawn_values(name: str) -> None:
    space, table, objectives = case(name)
    front = robust_front(table, SMALL, space, objectives, registry=REGISTRY)
    known = table["coverage"] == table["coverage"].max()
    few = np.flatnonzero(known)[::3]
    for values in drawn([CASES[name][0]], 3):
        expected = estimated(grid(space), table.take(few), objectives, values)
        ends = [term.at(values) for term in front.terms]
        assert all(low == high for low, high in ends)
        assert front.costs.at([low for low, _ in ends])[few] == pytest.approx(
            expected, rel=1e-12, abs=0
        )


@settings(max_examples=8, phases=NO_SHRINKING)
@given(st.data())
def test_fronts_of_drawn_ranges_are_those_of_brute_force(data: st.DataObject) -> None:
    prices = ["energy_per_8_bit_multiply", "energy_per_8_bit_add", "energy_per_32_bit_add",
              "energy_per_dram_access", "energy_per_8_kb_sram_access"]  # fmt: skip
    share = st.floats(0.0, 0.99)
    spans = data.draw(
        st.dictionaries(st.sampled_from(prices), st.tuples(share, share), min_size=1, max_size=3)
    )
    device = ranged("horowitz-45nm", **spans)
    device = evolve(device, energy_per_dram_access=wider(
        REGISTRY.device("horowitz-45nm").energy_per_dram_access,
        *spans.get("energy_per_dram_access", (0.0, 0.0))))  # fmt: skip
    objectives = data.draw(st.sampled_from([["energy"], ["energy", "weights"], ["weights"]]))
    space = DesignSpace(device=device, default_format="int8", weights=FORMATS,
                        parameters={"weights_on_memory": ["dram", "sram"],
                                    "activations_on_memory": ["sram", "fixed"]})  # fmt: skip
    table = sweep(SMALL, space, sample=14, registry=REGISTRY)
    front = robust_front(table, SMALL, space, objectives, registry=REGISTRY)
    values = [estimated(grid(space), table, objectives, one) for one in corners([device])]
    places = range(len(table))
    expected = [not any(beats(rival, one, values) for rival in places) for one in places]
    assert front.is_on.tolist() == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(robust, "_FEW", -1)
        assert robust.unbeaten(front.costs).tolist() == expected


BOUNDED: dict[str, Any] = {
    "bandwidth": with_bandwidth("raspberry-pi-4", 0.6, 1.0),
    "rate-and-bandwidth": evolve(
        with_bandwidth("raspberry-pi-4", 0.5, 0.5),
        peak_rate=ranged("raspberry-pi-4", peak_rate__int8=(0.7, 0.4)).peak_rate,
    ),
    "all-of-a-tpu": REGISTRY.device("tpu-v4i"),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_where_times_are_bounded_what_is_dropped_is_beaten_everywhere(name: str) -> None:
    device, objectives = BOUNDED[name], ["latency", "energy", "weights"]
    space = DesignSpace(device=device, default_format="int8", batch=[1, 3],
                        weights={"*": ["int4", "int8"]}, network=small,
                        arguments={"width": [4, 64]})  # fmt: skip
    table = sweep(None, space, registry=REGISTRY)
    front = robust_front(table, None, space, objectives, registry=REGISTRY)
    assert 0 < front.is_on.sum() < len(table)
    several = [
        dict(zip(figures(device), ends, strict=True))
        for ends in (
            [one.low for one in figures(device)],
            [one.high for one in figures(device)],
            *[[(one.low, one.high)[(place + odd) % 2] for place, one in enumerate(figures(device))]
              for odd in (0, 1)],
        )
    ]  # fmt: skip
    found = grid(space, None)
    values = [
        estimated(found, table, objectives, one) for one in [*several, *drawn([device], 4)]
    ]  # fmt: skip
    kept = np.flatnonzero(front.is_on)
    for one in np.flatnonzero(~front.is_on):
        assert any(beats(rival, one, values) for rival in kept)
    for one, rows in zip([*several, *drawn([device], 4)], values, strict=True):
        ends = np.array([term.at(one) for term in front.terms])
        least, most = front.costs.at(ends[:, 0]), front.costs.at(ends[:, 1])
        assert (least <= rows * (1 + 1e-12)).all()
        assert (rows <= most * (1 + 1e-12)).all()


@pytest.mark.parametrize("objectives", [["latency"], ["latency", "weights"]])
def test_what_moves_fewer_bits_is_faster_whichever_resource_takes_longest(
    objectives: list[str],
) -> None:
    space = DesignSpace(device="tpu-v4i", default_format="int8",
                        weights={"*": ["int2", "int4", "int8"]})  # fmt: skip
    wide = small(64)
    table = sweep(wide, space, registry=REGISTRY)
    front = robust_front(table, wide, space, objectives, registry=REGISTRY)
    assert any(isinstance(term, Increase) for term in front.terms)
    assert front.places.tolist() == [int(table["weights"].argmin())]


def test_what_may_never_be_longer_makes_no_design_worse() -> None:
    """A third time between both is never the longest, which the ends of all three do not tell."""
    device = REGISTRY.device("tpu-v4i")
    one, other = [
        Reciprocal(Figure("tpu", device.parameters[f"efficiency.{name}"]))
        for name in ("int8", "float32")
    ]
    both = frozenset([frozenset([(one, 2.0)]), frozenset([(other, 2.0)])])
    between = frozenset([(one, 1.0), (other, 1.0)])
    longer = frozenset([(one, 3.0)])
    assert Increase(both | {between}, both).ends[0] < 0.0
    assert Increase(both | {longer}, both).ends[0] >= 0.0


def test_a_time_that_one_resource_decides_is_linear_in_the_reciprocal_of_its_rate() -> None:
    """All groups are limited by memory for all values: the front is that of brute force."""
    device = with_bandwidth("raspberry-pi-4", 0.5, 0.2)
    device = at(device, {device.parameters["dram.bandwidth"]: 1e6})
    memory = device.memories[0]
    device = evolve(device, memories=(evolve(memory, bandwidth=wider(memory.bandwidth, 0.5, 0.2)),))
    space = DesignSpace(device=device, default_format="int8", weights={"*": ["int4", "int8"]})
    table = sweep(SMALL, space, registry=REGISTRY)
    front = robust_front(table, SMALL, space, ["latency"], registry=REGISTRY)
    assert not [term for term in front.terms if isinstance(term, Increase)]
    values = [estimated(grid(space), table, ["latency"], one) for one in corners([device])]
    for one in range(len(table)):
        assert front.is_on[one] == (not any(beats(it, one, values) for it in range(len(table))))


def test_figures_of_several_devices_move_apart() -> None:
    space = DesignSpace(device=["arm", "cpu", "gpu"], network=small, arguments={"width": [2, 3]})
    table = sweep(None, space, registry=REGISTRY)
    front = robust_front(table, None, space, ["energy"], registry=REGISTRY)
    kept = front.best
    assert len(front.terms) == 6  # nothing but multiply-accumulates and neuron updates
    assert set(kept["width"]) == {2}
    assert set(kept["device"]) == {"arm", "cpu", "gpu"}
    assert pareto(table, ["energy"]).best["device"].tolist() == ["gpu"]


def test_what_a_runtime_gives_is_another_figure_under_another_runtime() -> None:
    device = REGISTRY.device("tpu-v4i")
    (own,) = device._runtimes
    device = evolve(device, runtimes=(own, evolve(own, name="other")))
    space = DesignSpace(device=device, default_format="int8",
                        parameters={"runtime": ["xla", "other"]})  # fmt: skip
    table = sweep(SMALL, space, registry=REGISTRY)
    assert table["latency"][0] == pytest.approx(table["latency"][1], rel=1e-15, abs=0)
    front = robust_front(table, SMALL, space, ["latency"], registry=REGISTRY)
    first, second = front.costs.coefficients[:, 0]
    assert not ((first != 0) & (second != 0)).any()
    assert front.is_on.all()


def test_a_figure_that_the_space_chooses_has_no_range() -> None:
    chosen = DesignSpace(device="horowitz-45nm", default_format="int8", weights=FORMATS,
                         parameters={"energy_per_dram_access": ["1 nJ", "2 nJ"]})  # fmt: skip
    table = sweep(SMALL, chosen, registry=REGISTRY)
    front = robust_front(table, SMALL, chosen, ["energy", "weights"], registry=REGISTRY)
    assert front.terms == ()
    assert front.is_on.tolist() == pareto(table, ["energy", "weights"]).is_on.tolist()
    assert "no figure that the objectives depend on has a range" in str(front)


def test_columns_of_a_caller_are_objectives_and_move_with_nothing() -> None:
    space, table, _ = case("horowitz-45nm")
    table = table.with_columns(accuracy=np.arange(len(table), dtype=float)).take([1, 5, 9, 11])
    front = robust_front(table, SMALL, space, "energy", "accuracy", registry=REGISTRY)
    assert isinstance(front, RobustFront)
    assert front.is_on[3]
    assert "least energy, most accuracy" in front.title
    assert (front.is_safe <= front.is_on).all()
    usual = pareto(table, "energy", "accuracy")
    assert front.joined.tolist() == usual.places.tolist()
    assert front.to_html().count("<circle") == len(table)


def test_recurrent_networks_are_evaluated_one_by_one_and_have_energies_within_ranges() -> None:
    recurrent = chains.network((4, 3), {"kind": "SimpleRNN", "units": 3, "activation": "tanh",
                                 "use_bias": True, "return_sequences": False,
                                 "go_backwards": False})  # fmt: skip
    space = DesignSpace(device="horowitz-45nm", default_format=["int4", "int8", "int16"])
    table = sweep(recurrent, space, registry=REGISTRY)
    assert "evaluated one by one" in str(table)
    front = robust_front(table, recurrent, space, ["energy"], registry=REGISTRY)
    assert len(front.terms) == 1
    assert front.is_on.tolist() == [True, False, False]
    timed = evolve(space, device=(BOUNDED["bandwidth"],), default_format=("int8", "float32"))
    table = sweep(recurrent, timed, registry=REGISTRY)
    with pytest.raises(CostModelError, match="latency: device 'raspberry-pi-4' gives the time"):
        robust_front(table, recurrent, timed, ["latency"], registry=REGISTRY)


@pytest.mark.parametrize(
    ("figure", "objective"), [("adder_growth", "energy"), ("staging_sram", "energy")]
)
def test_a_figure_that_costs_are_not_linear_in_is_refused(figure: str, objective: str) -> None:
    device = ranged("horowitz-45nm", energy_per_8_bit_add=(0.1, 0.1), **{figure: (0.1, 0.4)})
    space = DesignSpace(device=device, default_format="int4", weights=FORMATS)
    table = sweep(SMALL, space, registry=REGISTRY)
    message = f"{objective} is no sum of .* linear in {figure} of device 'horowitz-45nm'"
    with pytest.raises(CostModelError, match=message):
        robust_front(table, SMALL, space, [objective], registry=REGISTRY)
    assert robust_front(table, SMALL, space, ["weights"], registry=REGISTRY).is_on.sum() > 0


def test_a_device_whose_counts_depend_on_its_prices_is_refused() -> None:
    space = DesignSpace(device="systolic-array", default_format="int8", batch=[1, 2])
    table = sweep(small(2, 1), space, registry=REGISTRY)
    with pytest.raises(CostModelError, match=r"not linear in energy_per_mac\.int8; give"):
        robust_front(table, small(2, 1), space, ["energy"], registry=REGISTRY)


def test_a_table_of_another_network_or_space_is_refused() -> None:
    space, table, _ = case("horowitz-45nm")
    with pytest.raises(CostModelError, match="not that of the same designs of this network"):
        robust_front(table, small(5), space, ["energy"], registry=REGISTRY)
    other = evolve(space, batch=(1, 2))
    with pytest.raises(UnknownNameError, match="batch"):
        robust_front(table, SMALL, other, ["energy"], registry=REGISTRY)


def test_a_network_of_qkeras_and_one_of_keras_have_fronts() -> None:
    sample = json.loads((SAMPLES / "qkeras-0.9.QConv2D.json").read_text())["config"]
    for text, formats in (
        (json.dumps(sample), ["int2", "int4", "int8"]),
        ((EXAMPLES / "vgg9.json").read_text(), ["int4", "int8"]),
    ):
        network = EVERYTHING.read(text)
        space = DesignSpace(device="horowitz-45nm", default_format="int8", weights=formats,
                            activations=formats)  # fmt: skip
        table = sweep(network, space, sample=400, registry=EVERYTHING)
        front = robust_front(table, network, space, ["energy", "memory"], registry=EVERYTHING)
        both = (front.is_on, pareto(table, ["energy", "memory"]).is_on)
        assert (both[0] >= both[1]).all()
        costs, terms = linear_costs(table, grid(space, network), ["energy"])
        (term,) = terms
        assert costs.at([term.ends[0]])[:, 0] == pytest.approx(table["energy"], rel=1e-12, abs=0)


def test_a_power_times_a_time_is_a_term_where_both_have_ranges() -> None:
    device = BOUNDED["bandwidth"]
    space = DesignSpace(device=device, default_format="int8", weights={"*": ["int4", "int8"]})
    table = sweep(SMALL, space, registry=REGISTRY)
    front = robust_front(table, SMALL, space, ["energy"], registry=REGISTRY)
    assert [term for term in front.terms if isinstance(term, Product)]
    assert "raspberry-pi-4:tflite.busy_power" in str(front)


def test_the_command_shows_the_designs_that_no_other_beats_within_ranges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.json").write_text(SMALL.to_json())
    (tmp_path / "residual.json").write_text(RESIDUAL.to_json())
    (tmp_path / "space.yaml").write_text(
        "schema: costmodel/space/1\nnetwork: small.json\ndevice: horowitz-45nm\n"
        "weights: [int4, int8]\ndefault_format: int8\n"
    )
    good("sweep", "space.yaml", "-o", "results.parquet")
    asked = ("pareto", "results.parquet", "--x", "energy", "--y", "memory")
    shown = good(*asked, "--within-ranges", "space.yaml", "-o", "front.html")
    assert "that no other beats for all values in their ranges: least energy" in " ".join(
        shown.split()
    )
    assert "ranges: horowitz-45nm.energy_per_dram_access" in shown
    assert "<svg" in (tmp_path / "front.html").read_text()
    wrong = run(*asked, "--within-ranges", "space.yaml", "--model", "residual.json")
    assert wrong.exit_code == 2
    alone = run(*asked, "--model", "small.json")
    assert alone.exit_code == 2
    assert "are those of --within-ranges SPACE" in alone.stderr
