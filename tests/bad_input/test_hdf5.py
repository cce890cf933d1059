"""HDF5 files that are made to mislead: nothing is followed, and nothing is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

import costmodel
from costmodel import safe_io
from costmodel.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = (Path(__file__).parent.parent / "networks" / "dense.json").read_text()


def external_link(file: h5py.File, secret: Path) -> None:
    file["model_config"] = h5py.ExternalLink(str(secret), "/")


def soft_link(file: h5py.File, secret: Path) -> None:
    file["model_config"] = h5py.SoftLink("/model_config")


def virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
    layout[:] = h5py.VirtualSource(str(secret), "data", shape=(4,))
    file.create_virtual_dataset("model_config", layout)


def reference(file: h5py.File, secret: Path) -> None:
    file["data"] = [1.0]
    file.attrs["model_config"] = file["data"].ref


def numbers(file: h5py.File, secret: Path) -> None:
    file.attrs["model_config"] = np.arange(7.0)


def nothing(file: h5py.File, secret: Path) -> None:
    file.attrs["model_config"] = h5py.Empty("S10")


def texts(file: h5py.File, secret: Path) -> None:
    file.attrs["model_config"] = [CONFIG, CONFIG]


def too_large(file: h5py.File, secret: Path) -> None:
    file.attrs["model_config"] = "a" * (safe_io.SIZE_LIMIT + 1)


def other_bytes(file: h5py.File, secret: Path) -> None:
    file.attrs["model_config"] = np.void(b"\xff\xfe\x00")


def weights(file: h5py.File, secret: Path) -> None:
    for index in range(500):
        file.create_group(f"layer_{index}")["kernel"] = [1.0]


MISLEADING: dict[Callable[[h5py.File, Path], None], str] = {
    external_link: "weights without an architecture",
    soft_link: "weights without an architecture",
    virtual: "weights without an architecture",
    weights: "weights without an architecture",
    reference: "h5",
    numbers: "h5",
    nothing: "h5",
    texts: "h5",
    other_bytes: "h5",
    too_large: "33,55",
}


@pytest.mark.parametrize("make", MISLEADING)
def test_a_misleading_hdf5_file_is_refused(
    make: Callable[[h5py.File, Path], None], tmp_path: Path
) -> None:
    secret, path = tmp_path / "secret.hdf5", tmp_path / "model.h5"
    with h5py.File(secret, "w") as file:
        file.attrs["model_config"] = CONFIG
        file["data"] = [1.0, 2.0, 3.0, 4.0]
    with h5py.File(path, "w", libver="latest") as file:
        make(file, secret)
    with pytest.raises(ReadError, match=re.escape(MISLEADING[make])):
        costmodel.read(path)


def test_what_groups_hold_beside_the_architecture_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = CONFIG
        file["weights"] = h5py.ExternalLink("/etc/passwd", "/")
        weights(file, path)
    assert costmodel.read(path).name == "dense"
