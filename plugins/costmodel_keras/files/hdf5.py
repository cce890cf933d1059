"""Reading the architecture out of HDF5 files, in a process of its own.

The HDF5 library is written in C and trusts its files: a damaged one can make it crash or take all
memory. So a child process with bounds on time and memory reads the two attributes of the root
group that are wanted, and nothing else: no link is followed and no data set is opened.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"

TIME_LIMIT_SECONDS: Final = 20.0
"""A good file takes 0.3 s, most of it to import h5py."""

_CHILD: Final = "hdf5_attributes.py"
_QUIET: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""NumPy, which h5py brings, else reserves memory for every core."""

HOW_TO_INSTALL: Final = "pip install h5py"


def attributes(path: Path, limit: int) -> Mapping[str, str]:
    """The attributes `model_config` and `keras_version` of an HDF5 file, as far as it has them.

    Raises:
        ReadError: it is not an HDF5 file, it is damaged, an attribute has more than `limit` bytes,
            or h5py is not installed.

    """
    with path.open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            message = f"{path}: not an HDF5 file; its first bytes are not those of one"
            raise ReadError(message)
    answer = _asked(path, limit)
    if "error" in answer:
        message = f"{path}: {answer['error']}"
        raise ReadError(message)
    found: Mapping[str, str] = answer["attributes"]
    return found


def _asked(path: Path, limit: int) -> Mapping[str, Any]:
    """What the child says of the file."""
    child = str(path_of_child())
    # -P keeps the folder of this module, and its names, out of the child's imports.
    command = [sys.executable, "-P", child, str(path.resolve()), str(limit)]
    try:
        done = subprocess.run(  # noqa: S603  # our own program, by its full path
            command,
            capture_output=True,
            timeout=TIME_LIMIT_SECONDS,
            env={**os.environ, **_QUIET},
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not read within {TIME_LIMIT_SECONDS:.0f} s; the file is damaged"}
    if done.returncode < 0:
        return {"error": "damaged: the HDF5 library broke down on it"}
    try:
        answer: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        described = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return {"error": f"cannot be read: {described:.200}"}
    if answer.get("error") == "no h5py":
        return {"error": f"HDF5 needs h5py, which is not installed: {HOW_TO_INSTALL}"}
    return answer


def path_of_child() -> Path:
    """The program that reads the attributes."""
    from pathlib import Path  # noqa: PLC0415  # only where a file is read

    return Path(__file__).with_name(_CHILD)
