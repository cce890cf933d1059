"""What no file of any format may do: each bad input is refused in words, within bounds."""

from __future__ import annotations

import os
import random
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import costmodel
from costmodel.errors import CostModelError

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS: Final = Path(__file__).parent / "models"
SAMPLES: Final = {
    ".keras": MODELS / "pairs" / "cnn.keras",
    ".h5": MODELS / "pretrainedResnet.h5",
    ".json": MODELS.parent.parent / "networks" / "dense.json",
    ".pt2": MODELS / "pairs" / "cnn.pt2",
    ".mlir": MODELS / "pairs" / "cnn.mlir",
    ".nir": MODELS / "lif_rockpool.nir",
    ".onnx": MODELS / "pairs" / "cnn.torch.onnx",
    ".tflite": MODELS / "pairs" / "cnn.tflite",
}
"""A sound file of every format, by the ending of its name."""

MOST_SECONDS: Final = 30.0
"""A process that reads HDF5 or MLIR has 20 s; all other answers come at once."""
MOST_CHARACTERS: Final = 3000
MOST_MEMORY: Final = 2**30
"""Bytes that one answer may add to the most that the tests took."""
SPARSE: Final = 2**33
"""Bytes of a file that takes no room on the disk."""


def random_bytes(path: Path, sound: bytes) -> None:
    path.write_bytes(random.Random(1).randbytes(4096))  # noqa: S311  # nothing is secret


def beginning_and_random_bytes(path: Path, sound: bytes) -> None:
    path.write_bytes(sound[:64] + random.Random(2).randbytes(4096))  # noqa: S311  # likewise


def sparse(path: Path, sound: bytes) -> None:
    with path.open("wb") as file:
        file.write(sound[:64])
        file.truncate(SPARSE)


def link_to(target: str) -> Callable[[Path, bytes], None]:
    return lambda path, _: path.symlink_to(target or path.name)


BAD: Final = {
    "an empty file": lambda path, _: path.touch(),
    "one byte": lambda path, sound: path.write_bytes(sound[:1]),
    "zeros": lambda path, _: path.write_bytes(bytes(4096)),
    "random bytes": random_bytes,
    "a sound beginning and random bytes": beginning_and_random_bytes,
    "a text": lambda path, _: path.write_text("a network of my own\n"),
    "another JSON": lambda path, _: path.write_text('{"layers": [1, 2, {}]}'),
    "a hundred bytes of a sound file": lambda path, sound: path.write_bytes(sound[:100]),
    "half of a sound file": lambda path, sound: path.write_bytes(sound[: len(sound) // 2]),
    "the end of a sound file": lambda path, sound: path.write_bytes(sound[-len(sound) // 2 :]),
    "a pickle": lambda path, _: path.write_bytes(b"\x80\x04cos\nsystem\n(S'false'\ntR."),
    "a folder": lambda path, _: path.mkdir(),
    "a pipe": lambda path, _: os.mkfifo(path),
    "a device without an end": link_to("/dev/zero"),
    "a link to itself": link_to(""),
    "a link to nothing": link_to("nowhere"),
    "nothing": lambda *_: None,
    "eight gigabytes": sparse,
}
"""What makes a bad file at a path, of a sound one."""


def refusal(source: object) -> str:
    """The words in which a source is refused, within bounds of time and memory."""
    start, before = time.monotonic(), _peak()
    with pytest.raises(CostModelError) as caught:
        costmodel.read(source)
    assert time.monotonic() - start < MOST_SECONDS
    assert _peak() - before < MOST_MEMORY
    message = str(caught.value)
    assert 0 < len(message.strip()) < MOST_CHARACTERS
    return message


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("suffix", SAMPLES)
def test_the_sound_file_is_read(suffix: str) -> None:
    assert costmodel.read(SAMPLES[suffix]).layers


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("suffix", SAMPLES)
def test_a_bad_file_is_refused_by_its_path(suffix: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    BAD[name](path, SAMPLES[suffix].read_bytes())
    assert path.name in refusal(path)


@pytest.mark.parametrize("other", SAMPLES)
@pytest.mark.parametrize("suffix", SAMPLES)
def test_a_file_of_another_format_is_refused_by_its_path(
    suffix: str, other: str, tmp_path: Path
) -> None:
    if suffix == other:
        return
    path = tmp_path / f"net{suffix}"
    path.write_bytes(SAMPLES[other].read_bytes())
    assert path.name in refusal(path)


@pytest.mark.parametrize("suffix", SAMPLES)
@pytest.mark.parametrize("stem", ["a" * 5000, "a\0b"])
def test_a_path_that_no_system_has_is_refused(suffix: str, stem: str) -> None:
    refusal(stem + suffix)


@pytest.mark.parametrize("suffix", SAMPLES)
def test_a_refusal_is_the_same_for_a_path_and_its_text(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    path.write_bytes(bytes(100))
    assert refusal(path) == refusal(str(path))


def test_an_ending_of_no_format_is_refused_with_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"x")
    message = refusal(path)
    assert all(suffix in message for suffix in (".mlir", ".pt2", ".nir", ".keras"))
