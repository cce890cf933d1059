"""Values of design spaces: every odd one is refused at the start, with its name and a next step."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import chains
import pytest
import yaml
from attrs import fields
from design_spaces import SMALL, convolution, grid
from worlds import REGISTRY

from costmodel import DesignSpace, Scenario
from costmodel.errors import CostModelError
from costmodel.sweeps.grid import grid_of
from costmodel.sweeps.space import SCHEMA, ChoiceError, Range, SpaceError

WHOLE = "expected a whole number from 1 to"
SECONDS = "expected a positive number of seconds"
HERTZ = "expected hertz, finite and not negative"
LENGTHS = "expected the lengths of its axes"
FORMAT = "is not a numeric format; expected one"
EMPTY = "has no choice; give it one or more"
FLAG = "expected true or false, without quotation marks"
GROUPS = "expected groups of layers"
BY_PARAMETER = "expected values by the name of a parameter"
DRAM = "energy_per_dram_access"

ODD: list[tuple[str, Any, str]] = [
    ("device", None, "device is None; expected the name of a device"),
    ("device", ["horowitz-45nm", ""], "device is ''; expected the name"),
    ("device", b"cpu", "device is b'cpu'; expected the name"),
    ("device", {"name": "cpu"}, "device is {'name': 'cpu'}; expected the name"),
    ("device", {"low": 1}, "device is {'low': 1}; expected the name"),
    ("parameters", ["1 nJ"], BY_PARAMETER),
    ("parameters", "no", BY_PARAMETER),
    ("parameters", {"": 1}, "parameters: expected names, found an empty one"),
    ("parameters", {DRAM: []}, f"'parameters.{DRAM}' {EMPTY}"),
    ("parameters", {DRAM: None}, f"{DRAM}: 'None' is not a quantity"),
    ("parameters", {DRAM: ["1 nJ", math.nan]}, f"{DRAM}: 'nan' is not a quantity"),
    ("parameters", {DRAM: ["1 nJ", [2]]}, f"{DRAM}: '\\[2\\]' is not a quantity"),
    ("parameters", {DRAM: {"low": "1 nJ"}}, f"{DRAM}: .*low.* is not a quantity"),
    ("parameters", {DRAM: {"low": None, "high": 1}}, "low of a range is None; expected a quantity"),
    ("parameters", {DRAM: {"low": True, "high": 1}}, "low of a range is True; expected a quantity"),
    ("parameters", {DRAM: {"low": "1 nJ", "high": "2 nJ", "log": "no"}}, "log of a range is 'no'"),
    ("parameters", {DRAM: {"low": "2 nJ", "high": "1 nJ"}}, f"{DRAM}: expected low <= high"),
    ("weights", 8, f"weights.\\*: 8 {FORMAT}"),
    ("weights", ["int8", None], f"weights.\\*: None {FORMAT}"),
    ("weights", {"layer0": ["int8", ""]}, f"weights.layer0: '' {FORMAT}"),
    ("activations", {"layer0": [["int8"]]}, f"activations.layer0: \\['int8'\\] {FORMAT}"),
    ("accumulators", {"layer0": []}, f"'accumulators.layer0' {EMPTY}"),
    ("formats", {"": "int8"}, "formats: expected names, found an empty one"),
    ("formats", {"layer0": ["int8", "in8"]}, f"formats.layer0: 'in8' {FORMAT}"),
    ("input_shapes", 6, f"input_shapes is 6; {LENGTHS}"),
    ("input_shapes", "6x6", f"input_shapes is '6x6'; {LENGTHS}"),
    ("input_shapes", [], f"'input_shapes' {EMPTY}"),
    ("input_shapes", [[6, 6, 3], None], f"input_shapes is None; {LENGTHS}"),
    ("input_shapes", [[6, 6, 3], [6, -1, 3]], "-1 in shape 6 x -1 x 3 is not an axis length"),
    ("input_shapes", [6, 6, True], "True in shape .* is not an axis length"),
    ("input_shapes", {"input": {"a": 1}}, f"input_shapes.input is {{'a': 1}}; {LENGTHS}"),
    ("input_shapes", {"": [1, 2], "input": [1, 2]}, "input_shapes: expected names, found an empty"),
    ("batch", [], f"'batch' {EMPTY}"),
    ("batch", [1, 0], f"batch is 0; {WHOLE}"),
    ("batch", [1, True], f"batch is True; {WHOLE}"),
    ("batch", [1, "2"], f"batch is '2'; {WHOLE}"),
    ("batch", [1, [2]], f"batch is \\[2\\]; {WHOLE}"),
    ("batch", [1, None], f"batch is None; {WHOLE}"),
    ("batch", 10**400, f"batch is 1000.*; {WHOLE}"),
    ("batch", {"low": 1, "high": 2}, f"batch is Range.*; {WHOLE}"),
    ("timesteps", [4, 2.5], f"timesteps is 2.5; {WHOLE}"),
    ("timesteps", {"layer0": 2}, f"timesteps is {{'layer0': 2}}; {WHOLE}"),
    ("dt", [0.001, 0], f"dt is 0; {SECONDS}"),
    ("dt", [0.001, math.inf], f"dt is inf; {SECONDS}"),
    ("dt", "1 ms", f"dt is '1 ms'; {SECONDS}"),
    ("rates", [1, -1], f"rates: the firing rate of all layers is -1; {HERTZ}"),
    ("rates", [1, None], f"rates is None; {HERTZ}"),
    ("rates", {"layer0": [1, True]}, f"rates.layer0 is True; {HERTZ}"),
    ("rates", {"layer0": [1, math.nan]}, f"the firing rate of layer 'layer0' is nan; {HERTZ}"),
    ("rates", {"": 1, "layer0": 2}, "rates: expected names, found an empty one"),
    ("rates", {"layer0": 1, "layer00": [1, 2]}, "for 'layer00', which is not a layer; nearest"),
    ("input_rates", ["fast"], f"input_rates: .* is 'fast'; {HERTZ}"),
    ("default_format", ["int8", 8], f"default_format: 8 {FORMAT}"),
    ("default_format", "", f"default_format: '' {FORMAT}"),
    ("source_format", ["int8", None], f"source_format: None {FORMAT}"),
    ("equal", "layer0", GROUPS),
    ("equal", ["layer0", "layer3"], GROUPS),
    ("equal", [["layer0", 3]], GROUPS),
    ("equal", [[]], GROUPS),
    ("equal", 0, GROUPS),
    ("fits", "no", f"fits is 'no'; {FLAG}"),
    ("fits", 1, f"fits is 1; {FLAG}"),
    ("fits", None, f"fits is None; {FLAG}"),
    ("on_unpriced", "warn", "on_unpriced is 'warn'; expected one of error, bound"),
    ("on_unpriced", None, "on_unpriced is None; expected one of error, bound"),
    ("on_unpriced", ["bound"], "on_unpriced is \\['bound'\\]; expected one of error, bound"),
    ("limits", ["1 mJ"], "limits is .*; expected limits by cost"),
    ("limits", "no", "limits is 'no'; expected limits by cost"),
    ("limits", {"fits": "no"}, "'fits' has no limit; .*`fits: true` is a key beside `limits`"),
    ("limits", {"energy": True}, "limits: energy is True; 'True' is not a quantity"),
    ("limits", {"energy": None}, "limits: energy is None; 'None' is not a quantity"),
    ("limits", {"energy": [1]}, "limits: energy is \\[1\\]; '\\[1\\]' is not a quantity"),
    ("limits", {"energy": math.nan}, "limits: energy is nan; expected a quantity of 0 or more"),
    ("limits", {"energy": -1}, "limits: energy is -1; expected a quantity of 0 or more"),
    ("limits", {"energy": 10**400}, "limits: energy is 1000.* too large"),
    ("limits", {"latency": "1 mJ"}, "limits: latency is '1 mJ'; expected a quantity in s"),
    ("scenario", [1], "scenario is \\[1\\]; expected conditions by name"),
    ("scenario", "batch", "scenario is 'batch'; expected conditions by name"),
    ("scenario", {"bacth": 1}, "unknown condition of a scenario 'bacth'\n.*nearest known: 'batch'"),
    ("scenario", {1: 2}, "unknown condition of a scenario '1'"),
    ("scenario", {"batch": 0}, f"batch is 0; {WHOLE}"),
]  # fmt: skip
OF_PYTHON: list[tuple[str, Any, str]] = [
    ("network", "net.keras", "network is 'net.keras'; expected a function"),
    ("where", "energy < 1", "where is 'energy < 1'; expected a function"),
    ("arguments", [1, 2], "expected values by the name of an argument"),
    ("arguments", {"width": []}, f"'arguments.width' {EMPTY}"),
    ("arguments", {"width": Range(1, 2)}, "arguments.width is the range 1 to 2; ranges are for"),
    ("device", object(), "device is <object .*; expected the name of a device"),
    ("parameters", {DRAM: [Range("1 nJ", "2 nJ"), "1 nJ"]}, "a range is the only choice"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "said"), [*ODD, *OF_PYTHON])
def test_an_odd_value_is_refused_before_any_design(key: str, value: Any, said: str) -> None:
    with pytest.raises(CostModelError, match=f"(?s){said}"):
        grid(DesignSpace(**{"device": "horowitz-45nm", key: value}))


@pytest.mark.parametrize(("key", "value", "said"), ODD)
def test_an_odd_value_of_a_file_is_refused_with_its_key(
    key: str, value: Any, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(yaml.safe_dump({"schema": SCHEMA, "device": "horowitz-45nm", key: value}))
    with pytest.raises(CostModelError, match=f"(?s){said}") as refused:
        grid(DesignSpace.from_file(file)[0])
    if isinstance(refused.value, SpaceError):
        assert key in refused.value.mistakes[0]


ANYTHING: list[Any] = [
    None, "", "no", "1", "int8", b"x", math.nan, math.inf, -1, 0, 1, 1.5, True, 10**400, [], [None],
    [""], [1, math.nan], [1, "x"], [[1]], [["int8"]], [[6, 6, 3], [6, 6]], {}, {"": 1}, {1: 2},
    {"*": None}, {"*": []}, {"layer0": [[1, 2], "x"]}, {"low": 1, "high": 2}, {"a": {"b": 1}},
    [{"low": 1}], {"energy": "no"}, {DRAM: None}, {DRAM: [None]}, {"runtime": [1]}, object(),
]  # fmt: skip


@pytest.mark.parametrize("key", [item.name for item in fields(DesignSpace)])
def test_no_value_is_met_with_an_error_of_python(key: str) -> None:
    for value in ANYTHING:
        try:
            found = grid(DesignSpace(**{"device": "horowitz-45nm", key: value}))
        except CostModelError:
            continue
        str(found)
        found.space.to_dict()


def test_a_shape_that_does_not_fit_is_named_at_the_start() -> None:
    space = DesignSpace(device="cpu", batch=[1, 2], input_shapes=[(6, 6, 3), (6, 6)])
    said = "axis 'input_shapes', choice 6x6: input 'input' is declared as 6 x 6 x 3"
    with pytest.raises(CostModelError, match=said):
        grid(space)


def test_timesteps_that_no_shape_goes_with_are_named_at_the_start() -> None:
    recurrent = chains.network((None, 3), {
        "kind": "SimpleRNN", "units": 3, "activation": "tanh", "use_bias": True,
        "return_sequences": False, "go_backwards": False,
    })  # fmt: skip
    given: dict[str, Any] = {
        "device": "cpu", "input_shapes": [(4, 3), (8, 3)], "scenario": Scenario(time_axis=0),
    }  # fmt: skip
    # Not all choices go together, but each goes with one of the others.
    assert grid_of(recurrent, DesignSpace(timesteps=[4, 8], **given), REGISTRY).size == 4
    with pytest.raises(CostModelError, match="axis 'timesteps', choice 5: axis 0 of input"):
        grid_of(recurrent, DesignSpace(timesteps=[4, 8, 5], **given), REGISTRY)


def test_a_network_of_later_arguments_is_checked_at_the_start() -> None:
    def made(size: int) -> Any:
        return chains.network((size, size, 3), convolution(2))

    space = DesignSpace(
        device="cpu", network=made, arguments={"size": [6, 8]}, input_shapes=[(6, 6, 3)],
    )  # fmt: skip
    with pytest.raises(CostModelError, match="input 'input' is declared as 8 x 8 x 3"):
        grid_of(None, space, REGISTRY)


def test_mistakes_of_several_keys_come_at_once(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    wrong = {
        "schema": SCHEMA,
        "device": "cpu",
        "batch": [1, 0],
        "dt": -1,
        "fits": "no",
        "network": "",
    }
    file.write_text(yaml.safe_dump(wrong))
    with pytest.raises(SpaceError) as refused:
        DesignSpace.from_file(file)
    assert len(refused.value.mistakes) == 4


def test_limits_of_an_allocation_are_checked_as_those_of_a_space() -> None:
    pytest.importorskip("scipy")
    from costmodel.optimize.allocation import allocate  # noqa: PLC0415  # needs SciPy

    space = DesignSpace(device="horowitz-45nm", weights=["int4", "int8"], default_format="int8")
    with pytest.raises(ChoiceError, match="weights is True; 'True' is not a quantity"):
        allocate(SMALL, space, limits={"weights": True}, registry=REGISTRY)
