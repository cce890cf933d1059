"""Bad input: each a clear CostModelError from Python, and exit status 2 on the command line."""

from __future__ import annotations

import base64
import copy
import functools
import json
import marshal
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import costmodel
from costmodel import CostModelError, Scenario, UnpricedWarning
from costmodel.cli import main
from costmodel.errors import DeviceFileError, ReadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NETWORKS = Path(__file__).parent.parent / "networks"
DENSE, VISION, OPEN_AXES = (str(NETWORKS / f"{n}.json") for n in ("dense", "vision", "open_axes"))

RATE = ["--rate", "10"]


def refused(source: str | Path, words: str, *options: str) -> None:
    """Python raises a CostModelError with these words; the command line shows them, no more."""
    with pytest.raises(CostModelError, match=re.escape(words)):
        costmodel.estimate(source if isinstance(source, Path) else Path(source), "cpu")
    fails("estimate", str(source), "-d", "cpu", *options, words=words)


def fails(*arguments: str, words: str, status: int = 2) -> None:
    """The command line ends with this status, and says these words and nothing unexpected."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == status, result.output
    said = " ".join(result.stderr.split())
    assert " ".join(words.split()) in said
    assert "unexpected" not in said
    assert "Traceback" not in said
    assert result.stdout == ""


# ------------------------------------------------------------------ archives and files


def keras_file(path: Path, content: bytes | str, **extra: Any) -> Path:
    with zipfile.ZipFile(path, "w", **extra) as archive:
        archive.writestr("config.json", content)
    return path


@functools.cache
def _network_bytes() -> bytes:
    return Path(VISION).read_bytes()


def bomb(path: Path, claimed: int | None = None, megabytes: int = 2048) -> Path:
    """An archive of some MB whose config.json unpacks to gigabytes of spaces."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = block * megabytes + packer.flush()
    name, size = b"config.json", claimed or megabytes * 2**20
    sizes = struct.pack("<HHIII", 0, 0, 0, len(packed), size)
    local = b"PK\3\4" + struct.pack("<HHH", 20, 0, 8) + sizes + struct.pack("<HH", len(name), 0)
    central = b"PK\1\2" + struct.pack("<HHHH", 20, 20, 0, 8) + sizes
    central += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    body = local + name + packed
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(body), 0)
    path.write_bytes(body + central + end)
    return path


def patched(path: Path, local: int, central: int, value: int) -> Path:
    """A good archive with one 16-bit field changed in both of its headers."""
    content = bytearray(keras_file(path, _network_bytes()).read_bytes())
    for signature, offset in ((b"PK\3\4", local), (b"PK\1\2", central)):
        struct.pack_into("<H", content, content.index(signature) + offset, value)
    path.write_bytes(content)
    return path


def link_member(path: Path) -> Path:
    info = zipfile.ZipInfo("config.json")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return path


def renamed(path: Path, name: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, _network_bytes())
    return path


def twice_in(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", _network_bytes())
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("config.json", _network_bytes())
    return path


def cut(path: Path) -> Path:
    content = keras_file(path, _network_bytes()).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def without_config(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
    return path


DEEP = b'{"class_name": "Functional", "config": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

NO_CONFIG = "expected a Keras configuration with class_name and config, as model.to_json() writes"
FILES: dict[str, tuple[str, Callable[[Path], Path], str]] = {
    "not a zip": ("a.keras", lambda p: written(p, b"hello" * 99), "not a whole .keras file"),
    "cut off": ("a.keras", cut, "not a whole .keras file"),
    "empty archive": ("a.keras", lambda p: written(p, b""), "not a whole .keras file"),
    "binary": ("a.keras", lambda p: written(p, bytes(range(256)) * 99), "not a whole .keras file"),
    "without configuration": ("a.keras", without_config, "expected config.json in the archive"),
    "encrypted": ("a.keras", lambda p: patched(p, 6, 8, 1), "cannot be unpacked"),
    "packed in an unknown way": ("a.keras", lambda p: patched(p, 8, 10, 99), "cannot be unpacked"),
    "a link": ("a.keras", link_member, "not JSON"),
    "gigabytes": ("a.keras", bomb, "33,554,432 bytes"),
    "gigabytes, header lies": ("a.keras", lambda p: bomb(p, claimed=100), "a.keras"),
    "100,000 levels": ("a.json", lambda p: written(p, DEEP), "nested too deeply"),
    "100,000 levels, packed": ("a.keras", lambda p: keras_file(p, DEEP), "nested too deeply"),
    "a folder": ("a.keras", folder, "cannot be read: Is a directory"),
    "a folder of JSON": ("a.json", folder, "cannot be read: Is a directory"),
    "missing": ("a.keras", lambda p: p, "no such file"),
    "another ending": ("a.weights", lambda p: written(p, b"x"), "new-plugin NAME --reader"),
    "a folder of another sort": ("saved_model", folder, "no reader accepts the folder '"),
    "empty JSON": ("a.json", lambda p: written(p, b""), "not JSON: it is empty"),
    "half a JSON": ("a.json", lambda p: written(p, b'{"class_name": "Fun'), "not JSON"),
    "binary JSON": ("a.json", lambda p: written(p, b"\x80\xff" * 99), "not JSON"),
    "a list": ("a.json", lambda p: written(p, b"[]"), NO_CONFIG),
    "a number": ("a.json", lambda p: written(p, b"3"), NO_CONFIG),
    "a text": ("a.json", lambda p: written(p, b'"x"'), NO_CONFIG),
    "null": ("a.json", lambda p: written(p, b"null"), NO_CONFIG),
    "nothing": ("a.json", lambda p: written(p, b"{}"), NO_CONFIG),
    "JSON of another sort": ("a.json", lambda p: written(p, b'{"layers": []}'), NO_CONFIG),
    "5,000 digits": ("a.json", lambda p: written(p, b"1" * 5000), "more than 4,300 digits"),
    "half a character": ("a.json", lambda p: written(p, b'{"a": "\\ud800"}'), "no Unicode"),
    "half a character, raw": (
        "a.json", lambda p: written(p, b'{"a": "\xed\xa0\x80"}'), "no Unicode",
    ),
    "a name above": ("a.keras", lambda p: renamed(p, "../config.json"), "expected config.json"),
    "an absolute name": ("a.keras", lambda p: renamed(p, "/config.json"), "expected config.json"),
    "two configurations": ("a.keras", twice_in, "config.json stands twice in the archive"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_not_a_network_is_refused(case: str, tmp_path: Path) -> None:
    name, make, words = FILES[case]
    refused(make(tmp_path / name), words)


def test_gigabytes_of_configuration_take_little_memory(tmp_path: Path) -> None:
    code = (
        "import costmodel, pathlib, re, sys\n"
        "try: costmodel.read(sys.argv[1])\n"
        "except costmodel.CostModelError: pass\n"
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', status).group(1))"
    )
    file = bomb(tmp_path / "bomb.keras")
    done = subprocess.run(
        [sys.executable, "-c", code, file], capture_output=True, check=True, timeout=20
    )
    assert int(done.stdout) < 400_000  # KiB; 64 MiB may be unpacked


# ------------------------------------------------------------------ wrong networks


@functools.cache
def _good(name: str) -> Any:
    return json.loads((NETWORKS / f"{name}.json").read_text())


def _layer(config: Any, name: str) -> Any:
    return next(item for item in config["config"]["layers"] if item["name"] == name)


def setting(layer: str, **values: Any) -> Callable[[Any], object]:
    return lambda config: _layer(config, layer)["config"].update(values)


def entry(layer: str, **values: Any) -> Callable[[Any], object]:
    return lambda config: _layer(config, layer).update(values)


def without(layer: str, key: str) -> Callable[[Any], object]:
    return lambda config: _layer(config, layer).pop(key)


def model(**values: Any) -> Callable[[Any], object]:
    return lambda config: config["config"].update(values)


def fed_by(layer: str, source: str) -> Callable[[Any], object]:
    return lambda config: _tensor(config, layer).update(keras_history=[source, 0, 0])


def recorded(layer: str, shape: Any) -> Callable[[Any], object]:
    return lambda config: _tensor(config, layer).update(shape=shape)


def _tensor(config: Any, layer: str) -> Any:
    return _layer(config, layer)["inbound_nodes"][0]["args"][0]["config"]


def no_shape(config: Any) -> None:
    del _layer(config, "image")["config"]["batch_shape"]


def twins(config: Any) -> None:
    config["config"]["layers"].append(copy.deepcopy(_layer(config, "conv")))


NETWORK_CHANGES: dict[str, tuple[Callable[[Any], object], str]] = {
    "missing shape": (no_shape, "layer 'image' of kind 'keras.InputLayer'"),
    "a shape of text": (recorded("relu", "16x16"), "expected a shape, found '16x16'"),
    "a shape of floats": (recorded("relu", [None, 16.0, 16, 8]), "16.0 in shape"),
    "an axis of zero": (setting("image", batch_shape=[None, 0, 16, 3]), "0 in shape"),
    "a cycle": (fed_by("conv", "relu"), "has a cycle: "),
    "fed by itself": (fed_by("conv", "conv"), "has a cycle: conv -> conv"),
    "fed by nobody": (fed_by("conv", "nobody"), "'nobody'"),
    "no class name": (without("conv", "class_name"), "layer 1 of 'vision': expected a layer"),
    "class name of 3": (entry("conv", class_name=3), "layer 1 of 'vision': expected a layer"),
    "no configuration": (without("conv", "config"), "expected the config of a 'Conv2D'"),
    "layer of text": (model(layers=["conv"]), "layer 0 of 'vision': expected a layer"),
    "no layers": (model(layers=[]), "'vision'"),
    "layers that are not a list": (model(layers={}), "without a graph of layers"),
    "two of one name": (twins, "has more than one layer called 'conv'"),
    "inputs that are not there": (model(input_layers=["nobody", 0, 0]), "'nobody'"),
    "outputs that are not there": (model(output_layers=["nobody", 0, 0]), "'nobody'"),
    "units of text": (setting("classes", units="ten"), "'units' is 'ten'"),
    "no units": (setting("classes", units=None), "'units' is None"),
    "units of NaN": (setting("classes", units=float("nan")), "'units' is nan"),
    "units of infinity": (setting("classes", units=float("inf")), "'units' is inf"),
    "units below zero": (setting("classes", units=-1), "'units' is -1"),
    "units of true": (setting("classes", units=True), "'units' is True"),
    "kernel of zero": (setting("conv", kernel_size=0), "'kernel_size' is 0"),
    "kernel of one axis": (setting("conv", kernel_size=[3]), "layer 'conv'"),
    "kernel of text": (setting("conv", kernel_size=["a", "b"]), "'kernel_size' is ['a', 'b']"),
    "kernel larger than the image": (setting("separable", kernel_size=[99, 99]), "'separable'"),
    "strides of null": (setting("conv", strides=None), "'strides' is None"),
    "padding of text": (setting("conv", padding="sme"), "expected one of valid, same"),
    "data format of a list": (setting("conv", data_format=[]), "'data_format' is []"),
    "groups that do not divide": (setting("conv", groups=7), "layer 'conv'"),
    "a bias of text": (setting("conv", use_bias="yes"), "'use_bias' is 'yes'"),
    "a name of a list": (entry("conv", name=["conv"]), "name"),
    "a call of text": (entry("conv", inbound_nodes=["image"]), "expected an inbound node"),
    "calls of text": (entry("conv", inbound_nodes="image"), "expected a list of inbound nodes"),
    "a call without inputs": (entry("conv", inbound_nodes=[{"args": []}]), "layer 'conv'"),
}  # fmt: skip


def swapped(config: Any, class_name: str, **settings: Any) -> None:
    """Make the ReLU a layer of another class with these settings."""
    held = {"name": "relu", **settings}
    module = "keras.src.ops.numpy" if class_name in OPERATIONS else "keras.layers"
    _layer(config, "relu").update(class_name=class_name, config=held, module=module)


def called(config: Any, class_name: str, positional: list[Any], **settings: Any) -> None:
    """As before, called on its input and further arguments."""
    swapped(config, class_name, **settings)
    _layer(config, "relu")["inbound_nodes"][0]["args"].extend(positional)


OPERATIONS = {"Diff", "ExpandDims", "Moveaxis", "SearchSorted", "Split", "Unstack"}

FOUND: dict[str, tuple[Callable[[Any], object], str]] = {
    "a scalar of bounds": (
        lambda c: called(c, "SearchSorted", [3]), "the bounds have 4 axes; expected one",
    ),
    "an axis moved twice": (
        lambda c: swapped(c, "Moveaxis", source=[1, 1], destination=[2, 3]),
        "an axis is named twice",
    ),
    "an axis put in twice": (lambda c: swapped(c, "ExpandDims", axis=[1, 1]), "layer 'relu'"),
    "too many parts": (
        lambda c: swapped(c, "Split", indices_or_sections=2**40, axis=1), "1,099,511,627,776 parts",
    ),
    "too many differences": (lambda c: swapped(c, "Diff", n=2**40, axis=1), "0 to 1,000"),
    "windows for too many axes": (
        lambda c: swapped(c, "AdaptiveAveragePooling2D", output_size=[2, 2, 2]),
        "found 3 values for 2 axes",
    ),
    "an axis beyond every count": (setting("image", batch_shape=[None, 2**63, 8, 3]), "2^63 - 1"),
    "too many axes": (setting("image", batch_shape=[None] * 100), "99 axes; expected at most 64"),
    "a name that is too long": (
        setting("conv", name="c" * 2000), "a name of 2,000 characters; expected at most 1,000",
    ),
    "a kind that is too long": (entry("conv", class_name="c" * 2000), "expected at most 1,000"),
    "arguments in arguments": (
        lambda c: called(c, "Diff", [functools.reduce(lambda v, _: [v], range(60), 0)]),
        "nested more than 40 levels deep",
    ),
}  # fmt: skip
"""What the fuzzer found: each ended in a traceback, or did not end."""


@pytest.mark.parametrize("case", FOUND)
def test_what_the_fuzzer_found_is_refused(case: str, tmp_path: Path) -> None:
    change, words = FOUND[case]
    config = copy.deepcopy(_good("vision"))
    change(config)
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(config))
    refused(file, words)


@pytest.mark.parametrize("case", NETWORK_CHANGES)
def test_a_network_that_cannot_be_is_refused(case: str, tmp_path: Path) -> None:
    change, words = NETWORK_CHANGES[case]
    config = copy.deepcopy(_good("vision"))
    change(config)
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(config))
    refused(file, words)


def test_a_sequential_model_without_a_shape_is_refused(tmp_path: Path) -> None:
    layer = {"class_name": "Dense", "module": "keras.layers", "config": {"name": "d", "units": 3}}
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(config))
    refused(file, "model 's' records no input shape; build it before saving")


def test_an_open_axis_is_an_error_that_says_how_to_bind_it() -> None:
    refused(
        OPEN_AXES, "has an open axis; bind it with Scenario(input_shapes={...}) or --input-shape"
    )


JUNK = (
    None, True, False, 0, -1, 1.5, 10**30, float("nan"), float("inf"), "", "ten",
    [], [0], [None], [[]], ["a", "b"], [1] * 6, [10**30] * 2, {}, {"a": 1}, "\ud800",
)  # fmt: skip


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if any(word in str(key) for word in ("initializer", "regularizer", "constraint")):
            continue  # they have no bearing on an inference
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from _paths(inner, (*path, key))


@pytest.mark.parametrize(
    "name", ["dense", "open_axes", pytest.param("two_inputs", marks=pytest.mark.slow)]
)
def test_whatever_stands_in_place_of_any_value_is_answered_in_words(name: str) -> None:
    for path in _paths(_good(name)):
        for junk in JUNK:
            config = copy.deepcopy(_good(name))
            holder = functools.reduce(lambda value, key: value[key], path[:-1], config)
            holder[path[-1]] = junk
            _estimated_or_reported(json.dumps(config))


def _estimated_or_reported(text: str) -> None:
    scenario = Scenario(rates=10.0)
    try:
        made = costmodel.estimate(text, ["cpu", "loihi"], scenario=scenario, on_unpriced="bound")
        assert made.to_json()
        assert str(made)
    except CostModelError:
        return


@pytest.mark.parametrize("digits", [31, 309, 400, 4000])
def test_a_size_beyond_every_float_is_answered_in_words(digits: int) -> None:
    config = copy.deepcopy(_good("dense"))
    config["config"]["layers"][1]["config"]["units"] = 10 ** (digits - 1)
    _estimated_or_reported(json.dumps(config))


def test_a_lambda_layer_is_never_run(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    code = compile(f"open({str(proof)!r}, 'w').close()", "evil", "exec")
    function = {
        "class_name": "__lambda__",
        "config": {"code": base64.b64encode(marshal.dumps(code)).decode(), "defaults": None},
    }
    config = copy.deepcopy(_good("vision"))
    _layer(config, "relu").update(
        class_name="Lambda", config={"name": "relu", "function": function, "arguments": {}}
    )
    file = keras_file(tmp_path / "evil.keras", json.dumps(config))
    with pytest.warns(UnpricedWarning, match="relu"):
        made = costmodel.estimate(file, "cpu")
    assert made.bill("cpu").line("relu").unpriced
    result = CliRunner().invoke(main, ["estimate", str(file), "-d", "cpu"])
    assert result.exit_code == 0
    assert "1 of 10 layers on cpu" in result.stderr
    assert not proof.exists()


# ------------------------------------------------------------------ scenarios and names


SCENARIOS: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "negative rate": ({"rates": -5.0}, ["--rate", "-5"], "the firing rate of all layers is -5.0"),
    "negative rate of a layer": (
        {"rates": {"first": -1.0}}, ["--rate", "first=-1"],
        "the firing rate of layer 'first' is -1.0",
    ),
    "rate of no layer": (
        {"rates": {"frist": 1.0}}, ["--rate", "frist=1"], "nearest known: 'first'",
    ),
    "no timesteps": ({"timesteps": 0}, [*RATE, "--timesteps", "0"], "timesteps is 0"),
    "no batch": ({"batch": 0}, [*RATE, "--batch", "0"], "batch is 0"),
    "no time": ({"dt": 0.0}, [*RATE, "--dt", "0"], "dt is 0.0"),
    "time backwards": ({"dt": -1.0}, [*RATE, "--dt", "-1"], "dt is -1.0"),
    "shape of no input": (
        {"input_shapes": {"feature": (3,)}}, ["--input-shape", "feature=3"],
        "unknown input 'feature' nearest known: 'features'",
    ),
    "another shape than declared": (
        {"input_shapes": {"features": (3,)}}, ["--input-shape", "3"],
        "is declared as 20; 3 does not fit it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SCENARIOS)
def test_conditions_that_cannot_be_are_refused(case: str) -> None:
    values, options, words = SCENARIOS[case]
    with pytest.raises(CostModelError) as caught:
        costmodel.estimate(DENSE, "loihi", scenario=Scenario(**{"rates": 10.0, **values}))
    assert words in " ".join(str(caught.value).split())
    fails("estimate", DENSE, "-d", "loihi", *options, words=words)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), "ten", None.__class__, [10.0]])
def test_a_rate_that_is_not_a_number_is_refused(rate: Any) -> None:
    with pytest.raises(CostModelError, match="firing rate"):
        Scenario(rates=rate)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--rate", "nan"], "'nan' is not a firing rate"),
        (
            ["--rate", "ten"],
            "'ten' is not a firing rate; expected a number of hertz, such as 10, or",
        ),
        (["--rate", "10 J"], "'10 J' is not a firing rate"),
        (["--rate", ""], "'' is not a firing rate"),
        (["--rate", "first="], "'first=' is not a firing rate; expected a number of hertz"),
        (["--rate", "first=ten"], "or LAYER=number, such as dense=12.5"),
        (["--rate", "=10"], "'=10' is not a firing rate"),
        (["--dt", "soon"], "'soon' is not a length of time; expected seconds, such as 0.001"),
        (["--dt", "1 Hz"], "'1 Hz' is not a length of time"),
        (["--source-format", "int0"], "'int0': bits is 0; expected a whole number"),
        (["--timesteps", "many"], "'many'"),
        (["--input-shape", "axb"], "'axb' is not a shape"),
        (["--input-shape", "0x3"], "0 in shape"),
        (["--set", "cpu=3"], "expected device.parameter=value"),
        (["--set", "cpu.energy"], "expected device.parameter=value"),
        (["--on-unpriced", "panic"], "'panic'"),
        (["--format", "xml"], "'xml'"),
    ],
)
def test_an_option_that_cannot_be_read_is_wrong_use(options: list[str], words: str) -> None:
    fails("estimate", DENSE, "-d", "cpu", *options, words=words)


def test_a_device_in_the_place_of_a_model_is_reported() -> None:
    fails(
        "estimate", DENSE, "-d", "cpu", "loihi", words="'loihi', which is a device: give it as -d"
    )


def test_a_device_in_the_place_of_a_command_is_reported() -> None:
    fails("devices", "loihi", words="To see a device: costmodel devices show")


def test_a_file_of_another_ending_in_the_place_of_a_device_is_reported() -> None:
    fails("estimate", DENSE, "-d", DENSE, words="the name of a device file ends in .yaml or .yml")


def test_a_missing_rate_says_how_to_give_one() -> None:
    with pytest.raises(CostModelError, match=r"Scenario\(rates=10.0\), --rate 10"):
        costmodel.estimate(DENSE, "loihi")
    fails("estimate", DENSE, "-d", "loihi", words="--rate 10")


NAMES: dict[str, tuple[Callable[[], object], list[str], str]] = {
    "device": (
        lambda: costmodel.device("lohi"), ["estimate", DENSE, "-d", "lohi"],
        "unknown device 'lohi' nearest known: 'loihi'",
    ),
    "device to show": (
        lambda: costmodel.device("gpuu"), ["devices", "show", "gpuu"], "nearest known: 'gpu'",
    ),
    "layer": (
        lambda: costmodel.estimate(DENSE, "cpu").explain("secnd", "cpu"),
        ["explain", DENSE, "secnd", "-d", "cpu"],
        "unknown layer 'secnd' nearest known: 'second'",
    ),
    "convention": (
        lambda: costmodel.estimate(DENSE, "cpu", convention="cost-model"),
        ["estimate", DENSE, "-d", "cpu", "--convention", "cost-model"],
        "unknown convention 'cost-model' nearest known: 'costmodel'",
    ),
    "parameter": (
        lambda: costmodel.device("cpu", energy_per_neuron="1 pJ"),
        ["estimate", DENSE, "-d", "cpu", "--set", "cpu.energy_per_neuron=1 pJ"],
        "'energy_per_neuron' nearest known: 'energy_per_neuron_update'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMES)
def test_an_unknown_name_is_reported_with_the_nearest(case: str) -> None:
    call, arguments, words = NAMES[case]
    with pytest.raises(CostModelError) as caught:
        call()
    assert words in " ".join(str(caught.value).split())
    fails(*arguments, words=words)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("3 W", "energy_per_neuron_update: expected a quantity in J, such as '2 nJ', found '3 W'"),
        ("3", "expected a quantity in J, such as '2 nJ', found '3'"),
        ("3 pJ/B", "expected a quantity in J, such as '2 nJ', found '3 pJ/B'"),
        ("3 pJ/byte", "expected a quantity in J, such as '2 nJ', found '3 pJ/byte'"),
        ("3 pJ/op", "unit 'op' in '3 pJ/op' is not known; expected a quantity in J, such as"),
        ("-3 pJ", "not negative"),
        ("nan", "'nan' is not a quantity"),
        ("1e999 J", "too large"),
    ],
)
def test_a_value_that_a_parameter_cannot_have_is_refused(value: str, words: str) -> None:
    with pytest.raises(CostModelError, match=words):
        costmodel.device("cpu", energy_per_neuron_update=value)
    setting_ = f"cpu.energy_per_neuron_update={value}"
    fails("estimate", DENSE, "-d", "cpu", "--set", setting_, words=words)


def test_a_device_in_set_that_was_not_asked_for_is_reported() -> None:
    fails(
        "estimate", DENSE, "-d", "cpu", "--set", "cpuu.energy_per_neuron_update=1 pJ",
        words="unknown device in --set 'cpuu' nearest known: 'cpu' known: cpu --set changes",
    )  # fmt: skip


WRONG_SORTS: dict[str, tuple[Callable[[], object], str]] = {
    "no source": (
        lambda: costmodel.read(None),
        "no reader accepts a 'NoneType'",
    ),
    "a number as source": (
        lambda: costmodel.read(3),
        "no reader accepts a 'int'",
    ),
    "bytes as source": (
        lambda: costmodel.read(b"{}"),
        "no reader accepts a 'bytes'",
    ),
    "an empty source": (
        lambda: costmodel.read(""),
        "no such file: ''",
    ),
    "a path with a zero byte": (
        lambda: costmodel.read("a\0.json"),
        "embedded null",
    ),
    "a path that is too long": (
        lambda: costmodel.read("a" * 5000 + ".json"),
        "File name too long",
    ),
    "no device": (
        lambda: costmodel.estimate(DENSE, None),  # type: ignore[arg-type]
        "devices is None; expected names",
    ),
    "a number as device": (
        lambda: costmodel.estimate(DENSE, [3]),  # type: ignore[list-item]
        "unknown device '3'",
    ),
    "no devices": (
        lambda: costmodel.estimate(DENSE, []),
        "no device is given; known: a10, ",
    ),
    "a device twice": (
        lambda: costmodel.estimate(DENSE, ["cpu", "cpu"]),
        "device 'cpu' is given more than once",
    ),
    "a device path with a zero byte": (
        lambda: costmodel.device("a\0.yaml"),
        "embedded null",
    ),
    "no convention": (
        lambda: costmodel.estimate(DENSE, "cpu", convention=None),  # type: ignore[arg-type]
        "unknown convention None",
    ),
    "a list as on_unpriced": (
        lambda: costmodel.estimate(DENSE, "cpu", on_unpriced=[]),  # type: ignore[arg-type]
        "unknown value of on_unpriced []",
    ),
    "a number as shape": (
        lambda: Scenario(input_shapes={"a": 3}),
        "input_shapes is {'a': 3}; expected a shape",
    ),
    "a text as shape": (
        lambda: Scenario(input_shapes={"a": "abc"}),
        "'a' in shape a x b x c is not an axis length",
    ),
    "a list as shapes": (
        lambda: Scenario(input_shapes=[3]),
        "input_shapes is [3]; expected a shape",
    ),
    "a number as layer": (
        lambda: _spiking(rates={3: 1.0}),
        "given for '3', which is not a layer",
    ),
    "a batch beyond every float": (
        lambda: str(_spiking(rates=1.0, batch=10**400)),
        "batch is 1000",
    ),
    "timesteps beyond every float": (
        lambda: str(_spiking(rates=1.0, timesteps=10**400)),
        "timesteps is 1000",
    ),
    "an infinite energy": (
        lambda: _spiking(rates=1e308, dt=1e308).to_json(),
        "larger than a number can be",
    ),
}


def _spiking(**conditions: Any) -> costmodel.Estimate:
    return costmodel.estimate(DENSE, "loihi", scenario=Scenario(**conditions))


@pytest.mark.parametrize("case", WRONG_SORTS)
def test_a_value_of_the_wrong_sort_is_answered_in_words(case: str) -> None:
    call, words = WRONG_SORTS[case]
    with pytest.raises(CostModelError, match=re.escape(words)):
        call()


def test_timesteps_beyond_every_float_are_reported_on_the_command_line() -> None:
    fails(
        "estimate", DENSE, "-d", "loihi", *RATE, "--timesteps", "1" + "0" * 400, words="timesteps"
    )


# ------------------------------------------------------------------ device files


TEN_MISTAKES = """
schema: costmodel/device/9
class: event-drivn
title: [a, b]
colour: blue
sources: {known: "A. Author, 2020"}
parameters:
  energy_per_synaptic_operation: {value: ten, source: known, evidence: measured}
  energy_per_neuron_update: {value: 1 pJ, source: knwon, evidence: guessed}
  energy_per_spike: {value: -1 pJ, source: known, evidence: measured}
  energy_per_spike_hop: {value: 3 pJ, low: 4 pJ, source: known, evidence: measured, why: no}
"""
TEN_WORDS = (
    "schema: expected 'costmodel/device/2', found 'costmodel/device/9'",
    "name: missing",
    "class: 'event-drivn' is not known; nearest 'event-driven'",
    "title: expected text",
    "'colour' is not known",
    "energy_per_synaptic_operation.value: 'ten' is not a quantity",
    "energy_per_neuron_update.source: 'knwon' is not known; nearest 'known'",
    "energy_per_neuron_update.evidence: expected one of measured",
    "energy_per_spike.value: expected a value that is not negative",
    "energy_per_spike_hop: 'why' is not known",
)


def test_all_ten_mistakes_of_a_device_file_are_reported_at_once(tmp_path: Path) -> None:
    file = tmp_path / "ten.yaml"
    file.write_text(TEN_MISTAKES)
    with pytest.raises(DeviceFileError) as caught:
        costmodel.device(file)
    missed = [words for words in TEN_WORDS if words not in str(caught.value)]
    assert missed == []
    fails("estimate", DENSE, "-d", str(file), words="energy_per_spike_hop: 'why' is not known")
    checked = CliRunner().invoke(main, ["devices", "validate", str(file)])
    assert checked.exit_code == 1
    assert [words for words in TEN_WORDS if words not in checked.stdout] == []


DEVICE_TEXTS = {
    "empty": (b"", "expected a mapping"),
    "a list": (b"[1, 2]", "expected a mapping"),
    "half": (b"a: [", "not YAML"),
    "binary": (bytes(range(256)), "not YAML"),
    "a number as a key": (b"1: 2", "'1' is not known"),
    "a number as a source": (b"sources: {1: 2}\nparameters: {a: {source: b}}", "sources"),
    "a list as a key": (b"? [1]\n: 2", "not YAML"),
    "a key twice": (b"a: 1\na: 2", "key 'a' stands twice"),
    "two documents": (b"a: 1\n---\nb: 2", "not YAML"),
    "code": (b'!!python/object/apply:os.system ["echo hi"]', "not YAML"),
    "aliases": (b"a: &x 1\nb: *x", "aliases"),
    "deep": (b"[" * 1000, "nested more than 20 levels deep"),
    "large": (b"#" * 2**21, "expected at most 1,048,576 bytes"),
    "a key of many": (b"".join(b"%d: 1\n" % i for i in range(3000)), "more than 5,000 keys"),
    "a long text": (b"a: " + b"x" * 3000, "more than 2,000 characters"),
    "a date that is none": (b"name: 2020-99-99", "not YAML"),
    "300,000 digits": (b"a: " + b"1" * 300_000, "more than 2,000 characters"),
}


@pytest.mark.parametrize("case", DEVICE_TEXTS)
def test_a_device_file_that_is_none_is_refused(case: str, tmp_path: Path) -> None:
    content, words = DEVICE_TEXTS[case]
    file = written(tmp_path / "bad.yaml", content)
    with pytest.raises(DeviceFileError, match=re.escape(words)):
        costmodel.device(file)
    fails("estimate", DENSE, "-d", str(file), words=words)


def test_whatever_stands_in_a_device_file_is_answered_in_words(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    good = yaml.safe_load(Path(str(costmodel.device("loihi").file)).read_bytes())
    file = tmp_path / "any.yaml"
    for path in _paths(good):
        for junk in (*JUNK[:-1], 10**400, {1: 2}, {None: 1}, "-3 pJ", "1e999 J"):
            device = copy.deepcopy(good)
            holder = functools.reduce(lambda value, key: value[key], path[:-1], device)
            holder[path[-1]] = junk
            file.write_text(yaml.safe_dump(device))
            _loaded_or_reported(file)


def _loaded_or_reported(file: Path) -> None:
    try:
        costmodel.device(file)
    except DeviceFileError:
        return


# ------------------------------------------------------------------ outputs


def _in_a_file(path: Path) -> Path:
    path.write_text("")
    return path / "bill.json"


UNWRITABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "in a folder that is missing": (lambda p: p / "missing" / "bill.json", "No such file"),
    "a folder": (lambda p: p, "Is a directory"),
    "in a file": (lambda p: _in_a_file(p / "file"), "Not a directory"),
    "a name that is too long": (lambda p: p / ("a" * 300), "File name too long"),
}


@pytest.mark.parametrize("case", UNWRITABLE)
def test_an_output_that_cannot_be_written_is_reported_before_anything_is_read(
    case: str, tmp_path: Path
) -> None:
    make, words = UNWRITABLE[case]
    path = make(tmp_path)
    fails("estimate", "missing.keras", "-d", "cpu", "-o", str(path), words=words)


def test_bad_input_names_the_file() -> None:
    with pytest.raises(ReadError, match=r"missing\.keras"):
        costmodel.read("missing.keras")
