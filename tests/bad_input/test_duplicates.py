"""What is written twice is refused: of two values, the last would win in silence."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import pytest
from console import run

import costmodel
from costmodel.errors import DeviceFileError, ReadError
from costmodel.network import serialization
from costmodel.registry import installed
from costmodel.safe_io import json_values
from costmodel.workload.builders import matmul
from costmodel.workload.operators import Contraction

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS = Path(__file__).parents[1]
DENSE = (TESTS / "networks/dense.json").read_text()
OWN = """{{"schema": "costmodel/network/2", "name": "n", "layers": [
    {{"name": "x", "kind": "keras.InputLayer", "settings": {{"shape": [64]}}}},
    {{"name": "w", "kind": "work", "rule": "operators", "inputs": [["x", 0]], "settings": {{
        "work": [{{"type": "Contraction", {dims}}}], "results": [[32]]}}}}
], "outputs": [["w", 0]]}}"""


def test_keras_json_with_units_twice_does_not_count_the_last_alone() -> None:
    twice = DENSE.replace('"units": 30', '"units": 30, "units": 1', 1)
    assert twice != DENSE
    with pytest.raises(ReadError, match=r"key 'units' stands twice in config\.layers\[1\]\.config"):
        costmodel.read(twice)


TEXTS = {
    "the same value": ('{"a": 1, "a": 1}', "'a' stands twice in the outermost object"),
    "another value": ('{"a": 1, "b": 2, "a": 3}', "'a' stands twice in the outermost object"),
    "another spelling": ('{"a": 1, "\\u0061": 2}', "'a' stands twice in the outermost object"),
    "within an object": ('{"b": {"c": {"a": 1, "a": 2}}}', "'a' stands twice in b.c"),
    "within a list": ('[0, [{"a": 1, "a": 2}]]', "'a' stands twice in [1][0]"),
    "in a value that another replaces": (
        '{"b": {"a": 1, "a": 2}, "b": 3}', "'b' stands twice in the outermost object"
    ),
    "an empty key": ('{"": 1, "": 2}', "'' stands twice in the outermost object"),
    "three times": ('{"a": 1, "a": 2, "a": 3}', "'a' stands twice in the outermost object"),
    "a key that steers a terminal": ('{"\\n": 1, "\\n": 2}', r"'\n' stands twice"),
    "a long key": (json.dumps({"k" * 999: 1})[:-1] + "," + json.dumps({"k" * 999: 1})[1:], "'kkk"),
}  # fmt: skip


@pytest.mark.parametrize("case", TEXTS)
def test_a_key_twice_in_an_object_is_refused_with_its_place(case: str) -> None:
    text, words = TEXTS[case]
    with pytest.raises(ReadError) as refused:
        json_values(text, "file.json")
    assert words in str(refused.value)
    assert str(refused.value).startswith("file.json: key ")
    assert len(str(refused.value)) < 400


def test_the_same_key_in_different_objects_is_not_a_duplicate() -> None:
    text = '{"a": {"a": [{"a": 1}, {"a": 1}]}, "b": {"a": 2}}'
    assert json_values(text, "file.json") == json.loads(text)


def keras_twice() -> str:
    return DENSE.replace('"class_name"', '"class_name": "Model", "class_name"', 1)


def archive(path: Path, config: str, metadata: str = "{}") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", config)
        file.writestr("metadata.json", metadata)
    return path


def hdf5(path: Path, config: str) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = config
    return path


def text_file(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def network(dims: str) -> str:
    return OWN.format(dims=dims)


PAIRS = '"dims": [["m", 32], ["m", 64]]'
MAPPING = '"dims": {"m": 32, "m": 64}'
VERSIONS = '{"keras_version": "3.5.0", "keras_version": "2.0"}'
FORMS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "Keras JSON": ("a.json", lambda p: text_file(p, keras_twice()), "'class_name' stands twice"),
    "a Keras text": ("a.json", lambda _: keras_twice(), "'class_name' stands twice"),
    "a .keras file": ("a.keras", lambda p: archive(p, keras_twice()), "'class_name' stands twice"),
    "the metadata of a .keras file": (
        "a.keras", lambda p: archive(p, DENSE, VERSIONS), "'keras_version' stands twice",
    ),
    "an HDF5 attribute": ("a.h5", lambda p: hdf5(p, keras_twice()), "'class_name' stands twice"),
    "a network file": (
        "a.json", lambda p: text_file(p, network(MAPPING)),
        "'m' stands twice in layers[1].settings.work[0].dims",
    ),
    "dimensions as pairs": (
        "a.json", lambda p: text_file(p, network(PAIRS)), "dimension 'm' is given twice",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_json_form_refuses_a_key_twice(form: str, tmp_path: Path) -> None:
    name, made, words = FORMS[form]
    with pytest.raises(ReadError) as refused:
        costmodel.read(made(tmp_path / name))
    assert words in str(refused.value)


def test_the_same_forms_without_the_second_key_are_read() -> None:
    assert costmodel.read(DENSE).macs > 0
    good = network('"dims": {"m": 32, "k": 64}')
    assert costmodel.read(good).macs == 2048


def test_a_file_with_a_key_twice_is_unreadable_input_to_the_command_line(tmp_path: Path) -> None:
    result = run("count", text_file(tmp_path / "a.json", keras_twice()))
    assert result.exit_code == 2
    assert "key 'class_name' stands twice" in result.stderr


def test_a_device_in_json_form_refuses_a_key_twice(tmp_path: Path) -> None:
    file = text_file(tmp_path / "a.yaml", '{"schema": "costmodel/device/2", "name": 1, "name": 2}')
    with pytest.raises(DeviceFileError, match="key 'name' stands twice"):
        installed().load_device(file)


def test_a_written_mapping_refuses_a_key_twice() -> None:
    decoder = serialization._Decoder(installed().layer_registry, {})
    written = {"type": "mapping", "items": [["a", 1], ["b", 2]]}
    assert decoder.value(written, "here") == {"a": 1, "b": 2}
    written["items"] = [["a", 1], ["a", 2]]
    with pytest.raises(ReadError, match="here: a key stands twice"):
        decoder.value(written, "here")


DIMS: dict[str, Any] = {
    "pairs": [("m", 4), ("k", 8), ("m", 2)],
    "the same pair": [("m", 4), ("m", 4)],
}


@pytest.mark.parametrize("case", DIMS)
def test_an_operator_refuses_dimensions_of_one_name(case: str) -> None:
    with pytest.raises(ValueError, match="dimension 'm' is given twice"):
        Contraction(dims=DIMS[case])


def test_an_operator_that_is_repeated_twice_has_dimensions_of_different_names() -> None:
    often = matmul((4,), (4,)).repeated(3).repeated(5)
    assert often.dims == {"repeat1": 5, "repeat": 3, "k": 4}
    assert often.macs == 60
