"""Files of HGQ2 that are damaged or made to mislead: each is refused in a sentence."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

import costmodel
from costmodel.errors import CostModelError
from costmodel_keras.files import archive, variables

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE = Path(__file__).parent / "samples" / "dense.keras"
FIRST = "layers/q_dense"
KERNEL = f"{FIRST}/kq/quantizer/vars"


def changed(
    folder: Path,
    change: Callable[[h5py.File], None] = lambda _: None,
    *,
    settings: Callable[[Any], None] = lambda _: None,
    replaced: bytes | None = None,
) -> Path:
    """The sample with other variables, or another configuration of its first dense layer."""
    with zipfile.ZipFile(SAMPLE) as sample:
        members = {name: sample.read(name) for name in sample.namelist()}
    content = io.BytesIO(members["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        change(file)
    members["model.weights.h5"] = content.getvalue() if replaced is None else replaced
    config = json.loads(members["config.json"])
    settings(config["config"]["layers"][1])
    members["config.json"] = json.dumps(config).encode()
    path = folder / "changed.keras"
    with zipfile.ZipFile(path, "w") as file:
        for name, member in members.items():
            if member:
                file.writestr(name, member)
    return path


def put(path: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[path]
        file[path] = value

    return change


def element(path: str, value: float) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[path][0, 0] = value

    return change


def without(path: str) -> Callable[[h5py.File], None]:
    return lambda file: file.__delitem__(path)


def renamed(file: h5py.File) -> None:
    file[f"{FIRST}/vars"].attrs["name"] = "another"


def external_link(file: h5py.File) -> None:
    del file[f"{KERNEL}/0"]
    file[f"{KERNEL}/0"] = h5py.ExternalLink("/etc/hostname", "/data")


def soft_link(file: h5py.File) -> None:
    del file[f"{KERNEL}/0"]
    file[f"{KERNEL}/0"] = h5py.SoftLink(f"/{KERNEL}/1")


def external_storage(file: h5py.File) -> None:
    del file[f"{KERNEL}/0"]
    file.create_dataset(f"{KERNEL}/0", (16, 32), "f4", external=[("/etc/hostname", 0, 2048)])


def virtual(file: h5py.File) -> None:
    del file[f"{KERNEL}/0"]
    layout = h5py.VirtualLayout(shape=(16, 32), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "data", shape=(16, 32))
    file.create_virtual_dataset(f"{KERNEL}/0", layout)


def sparse(file: h5py.File) -> None:
    del file[f"{KERNEL}/0"]
    file.create_dataset(f"{KERNEL}/0", (2**20, 2**20), "f4", chunks=(1024, 1024))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (element(f"{KERNEL}/0", np.nan), "quantizer kq: b is nan for an element; expected at most"),
        (element(f"{KERNEL}/0", np.inf), "quantizer kq: b is inf for an element"),
        (element(f"{KERNEL}/0", -np.inf), "quantizer kq: b is -inf for an element"),
        (
            element(f"{KERNEL}/1", 1e30),
            "quantizer kq: i is 1e\\+30 for an element; expected at mos",
        ),
        (element(f"{KERNEL}/2", 2), "quantizer kq: k is 2 for an element; expected at most 1"),
        (put(f"{KERNEL}/0", np.ones((3, 5), "f4")), "arrays of bits of different shapes"),
        (put(f"{KERNEL}/0", b"text"), "vars/0 holds .* expected numbers"),
        (
            put(f"{KERNEL}/2", np.ones((16, 32), "f4")),
            "found 3 arrays of bits; expected k, b and i",
        ),
        (without(f"{KERNEL}/1"), "found 2 arrays of bits; expected k, b and i of q_type 'kbi'"),
        (without(f"{FIRST}/kq"), "found 0 arrays of bits; expected k, b and i"),
        (without(FIRST), "expected the variables of layer 'first' in group 'layers/q_dense'"),
        (renamed, "found those of 'another'"),
        (external_link, "found 2 arrays of bits"),
        (soft_link, "found 2 arrays of bits"),
        (external_storage, "lies in another file, which is not opened"),
        (virtual, "lies in another file, which is not opened"),
        (sparse, "the variables have more than 67,108,864 bytes"),
    ],
)
def test_variables_that_cannot_be_are_refused(
    tmp_path: Path, change: Callable[[h5py.File], None], words: str
) -> None:
    with pytest.raises(CostModelError, match=words):
        costmodel.read(changed(tmp_path, change))


def widths(shape: tuple[int, ...]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        for place, kind in enumerate(("f4", "f4", "u1")):
            put(f"{KERNEL}/{place}", np.ones(shape, kind))(file)

    return change


@pytest.mark.parametrize("shape", [(16, 31), (32,), (1, 16, 32)])
def test_widths_of_another_shape_than_the_tensor_are_refused(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    with pytest.raises(CostModelError, match=r"the widths of 'kernel' have shape .*16 x 32, or 1"):
        costmodel.read(changed(tmp_path, widths(shape)))
    assert costmodel.read(changed(tmp_path, widths((16, 1)))).layer("first").declares_formats


def conf(**values: Any) -> Callable[[Any], None]:
    return lambda entry: entry["config"]["kq_conf"]["config"].update(values)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (conf(q_type="nothing"), "q_type is 'nothing'; expected kbi, kif, float or dummy"),
        (conf(q_type=["kbi"]), "q_type is .*; expected kbi, kif, float or dummy"),
        (conf(q_type="float"), "found 3 arrays of bits; expected m, e and e0"),
        (lambda entry: entry["config"].update(kq_conf=3), "expected a QuantizerConfig"),
        (
            lambda entry: entry["config"].update(iq_conf={"config": 3}),
            "quantizer iq: expected a Qu",
        ),
    ],
)
def test_configurations_that_cannot_be_are_refused(
    tmp_path: Path, settings: Callable[[Any], None], words: str
) -> None:
    with pytest.raises(CostModelError, match=words):
        costmodel.read(changed(tmp_path, settings=settings))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected model.weights.h5 once in the archive"),
        (b"nothing", "not an HDF5 file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(1000), "damaged"),
    ],
)
def test_weights_that_are_none_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(CostModelError, match=words):
        costmodel.read(changed(tmp_path, replaced=content))


def test_a_truncated_file_of_weights_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(SAMPLE) as sample:
        content = sample.read("model.weights.h5")
    for length in (600, 5_000, len(content) - 100):
        with pytest.raises(CostModelError):
            costmodel.read(changed(tmp_path, replaced=content[:length]))


def test_sizes_are_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = changed(tmp_path)
    monkeypatch.setattr(variables, "LIMIT", 1000)
    with pytest.raises(CostModelError, match="the variables have more than 1,000 bytes"):
        costmodel.read(path)
    monkeypatch.setattr(archive, "WEIGHTS_LIMIT", 1000)
    with pytest.raises(CostModelError, match="has more than 1,000 bytes"):
        costmodel.read(path)


def test_a_trace_that_saw_nothing_leaves_no_bits(tmp_path: Path) -> None:
    def untraced(file: h5py.File) -> None:
        held = file[f"{FIRST}/iq/quantizer/vars/2"]
        held[...] = -1e9

    (lane,) = costmodel.read(changed(tmp_path, untraced)).layer("first").declared_inputs()
    assert lane is not None
    assert lane.stored_bits(16) == 0
