"""Reading HDF5 files in a process of its own.

The HDF5 library is written in C and trusts its files: a damaged one can make it crash or take all
memory. So a child process with bounds on time and memory reads what is wanted, and nothing else:
the two attributes of the root group that hold a network of Keras, the variables of some layers, or
the tree of groups and data sets. No link is followed.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from costmodel.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"

TIME_LIMIT_SECONDS: Final = 20.0
"""A good file takes 0.3 s, most of it to import h5py."""

_CHILD: Final = "hdf5_attributes.py"
_TREE: Final = "hdf5_tree.py"
_VARIABLES: Final = "hdf5_variables.py"
_QUIET: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""NumPy, which h5py brings, else reserves memory for every core."""

HOW_TO_INSTALL: Final = "pip install h5py"


def attributes(path: Path, limit: int) -> Mapping[str, str]:
    """The attributes `model_config` and `keras_version` of an HDF5 file, as far as it has them.

    Raises:
        ReadError: it is not an HDF5 file, it is damaged, an attribute has more than `limit` bytes,
            or h5py is not installed.

    """
    _check_signature(path)
    answer, _ = _asked(str(path), path_of_child(), str(path.resolve()), str(limit))
    found: Mapping[str, str] = answer["attributes"]
    return found


def tree(path: Path, limit: int) -> Mapping[str, Any]:
    """The groups and data sets of an HDF5 file; values only of texts and of small data sets.

    A group is a mapping of names to members. A data set is a mapping with its `shape`, its `type`
    (as NumPy writes it, such as `<f4`, or `text`) and, where they were read, its `values` in a row.

    Raises:
        ReadError: it is not an HDF5 file, it is damaged, the texts have more than `limit` bytes,
            or h5py is not installed.

    """
    _check_signature(path)
    child = path_of_child().with_name(_TREE)
    answer, _ = _asked(str(path), child, str(path.resolve()), str(limit))
    found: Mapping[str, Any] = answer["tree"]
    return found


def _check_signature(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            message = f"{path}: not an HDF5 file; its first bytes are not those of one"
            raise ReadError(message)


class LayerVariables(NamedTuple):
    """Variables that stand for one layer: what the file calls it, and arrays by their path."""

    name: str | None
    arrays: Mapping[str, Any]


def variables(
    content: bytes, layers: Sequence[str], holders: Collection[str], limit: int, where: str
) -> Mapping[str, LayerVariables]:
    """The variables of what layers hold under one of these names, by the groups of the layers.

    The arrays of one layer are those of `<path>/<holder>/vars/<index>`, by this text. A layer
    without a group is left out.

    Raises:
        ReadError: the file is damaged, the variables have more than `limit` bytes, or h5py is not
            installed.

    """
    import numpy as np  # noqa: PLC0415  # only where variables are read

    if not content.startswith(SIGNATURE):
        message = f"{where}: not an HDF5 file; its first bytes are not those of one"
        raise ReadError(message)
    asked = json.dumps({"layers": list(layers), "holders": sorted(holders)}).encode()
    child = path_of_child().with_name(_VARIABLES)
    answer, data = _asked(where, child, str(limit), given=asked + b"\n" + content)
    found, start = {}, 0
    for layer, held in answer["layers"].items():
        arrays = {}
        for path, shape, kind in held["variables"]:
            count = math.prod(shape)
            arrays[path] = np.frombuffer(data, kind, count, start).reshape(shape)
            start += arrays[path].nbytes
        found[layer] = LayerVariables(held["name"], arrays)
    return found


def _asked(
    where: str, child: Path, *arguments: str, given: bytes | None = None
) -> tuple[Mapping[str, Any], bytes]:
    """What the child says of the file, and the bytes after it."""
    # -P keeps the folder of this module, and its names, out of the child's imports.
    command = [sys.executable, "-P", str(child), *arguments]
    source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
    try:
        done = subprocess.run(  # noqa: S603  # our own program, by its full path
            command,
            capture_output=True,
            timeout=TIME_LIMIT_SECONDS,
            env={**os.environ, **_QUIET},
            check=False,
            **source,
        )
    except subprocess.TimeoutExpired:
        message = f"{where}: not read within {TIME_LIMIT_SECONDS:.0f} s; the file is damaged"
        raise ReadError(message) from None
    answer, data = _answer(done)
    if "error" in answer:
        message = f"{where}: {answer['error']}"
        raise ReadError(message)
    return answer, data


def _answer(done: subprocess.CompletedProcess[bytes]) -> tuple[Mapping[str, Any], bytes]:
    if done.returncode < 0:
        return {"error": "damaged: the HDF5 library broke down on it"}, b""
    line, _, data = done.stdout.partition(b"\n")
    try:
        answer: Mapping[str, Any] = json.loads(line)
    except ValueError:
        described = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return {"error": f"cannot be read: {described:.200}"}, b""
    if answer.get("error") == "no h5py":
        return {"error": f"HDF5 needs h5py, which is not installed: {HOW_TO_INSTALL}"}, b""
    return answer, data


def path_of_child() -> Path:
    """The program that reads the attributes."""
    from pathlib import Path  # noqa: PLC0415  # only where a file is read

    return Path(__file__).with_name(_CHILD)
