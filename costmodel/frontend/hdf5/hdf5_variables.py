"""A program: print variables of Keras layers in an HDF5 file, within bounds.

`costmodel.frontend.hdf5.reading` runs it as `python hdf5_variables.py LIMIT`. It reads a line of
JSON (`layers`: groups, `holders`: names) and then the whole file from its input. It prints a line
of JSON, and then the bytes of the data sets that the line describes, one after the other. It
imports nothing of the project but the program beside it.
"""

from __future__ import annotations

import io
import json
import os
import runpy
import sys
from typing import Any, Final

MOST_GROUPS: Final = 100_000
"""Of one file; a layer of HGQ2 has about ten."""
MOST_LEVELS: Final = 12
"""Groups within a layer; attention of HGQ2 has five."""
MOST_AXES: Final = 32

_MEMORY_LEAST: Final = 2**28
"""Bytes that the library may take to open a file."""
_COPIES: Final = 8
"""Times the bytes of all data sets that the library may take to read them."""
_KINDS: Final = "fiu"
"""Numbers: floating point, signed and unsigned integers."""


def main(limit: int) -> tuple[dict[str, Any], list[bytes]]:
    """The variables and their bytes, or an error in words."""
    try:
        import h5py  # noqa: PLC0415  # may be missing, which is an answer
    except ImportError:
        return {"error": "no h5py"}, []
    # By its path, so that no name of this folder stands for one that the library wants.
    beside = os.path.join(os.path.dirname(__file__), "hdf5_attributes.py")  # noqa: PTH118, PTH120  # the least imports

    asked = json.loads(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read()
    runpy.run_path(beside)["bound_memory"](_MEMORY_LEAST + len(content) + _COPIES * limit)
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return _Reading(h5py, limit, frozenset(asked["holders"])).layers(file, asked["layers"])
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
        return {"error": f"damaged: {str(error)[:200] or type(error).__name__}"}, []


class _Reading:
    """What is read of one file, and how much of it."""

    def __init__(self, h5py: Any, limit: int, holders: frozenset[str]) -> None:
        self._h5py, self._limit, self._holders = h5py, limit, holders
        self._groups = self._bytes = 0
        self._data: list[bytes] = []

    def layers(self, file: Any, names: list[str]) -> tuple[dict[str, Any], list[bytes]]:
        found = {}
        for name in names:
            group = self._at(file, name)
            if group is not None:
                variables: list[list[Any]] = []
                self._walk(group, "", variables, 0)
                found[name] = {"name": self._name(group), "variables": variables}
        return {"layers": found}, self._data

    def _at(self, file: Any, path: str) -> Any:
        """The group of this path, none where there is none; no link is followed."""
        group = file
        for part in path.split("/"):
            if not self._is_own(group, part) or not isinstance(group[part], self._h5py.Group):
                return None
            group = group[part]
        return group

    def _is_own(self, group: Any, name: str) -> bool:
        return isinstance(group.get(name, getlink=True), self._h5py.HardLink)

    def _name(self, group: Any) -> str | None:
        """The name that Keras noted of the layer."""
        own = self._at(group, "vars")
        if own is None or "name" not in own.attrs:
            return None
        if own.attrs.get_id("name").get_storage_size() > 10_000:  # noqa: PLR2004  # more than any name
            message = "the name of a layer is too long"
            raise ValueError(message)
        value = own.attrs["name"]
        return value.decode() if isinstance(value, bytes) else str(value)

    def _walk(self, group: Any, path: str, variables: list[list[Any]], level: int) -> None:
        self._groups += 1
        if self._groups > MOST_GROUPS or level > MOST_LEVELS:
            message = "too many groups, or nested too deeply"
            raise ValueError(message)
        for name in group:
            if not self._is_own(group, name):
                continue
            held, place = group[name], f"{path}/{name}" if path else name
            if isinstance(held, self._h5py.Group):
                self._walk(held, place, variables, level + 1)
            elif path.split("/")[-2:-1] and path.split("/")[-2] in self._holders:
                variables.append([place, *self._array(held, place)])

    def _array(self, held: Any, place: str) -> tuple[list[int], str]:
        """The shape and the type of numbers of a data set, whose bytes are kept."""
        if held.dtype.kind not in _KINDS or len(held.shape) > MOST_AXES:
            message = f"{place} holds {held.dtype} of {len(held.shape)} axes; expected numbers"
            raise ValueError(message)
        self._bytes += held.size * held.dtype.itemsize
        if self._bytes > self._limit:
            message = f"the variables have more than {self._limit:,} bytes"
            raise ValueError(message)
        if held.external or held.is_virtual:
            message = f"{place} lies in another file, which is not opened"
            raise ValueError(message)
        little = held.dtype.newbyteorder("<")
        self._data.append(held[()].astype(little).tobytes())
        return list(held.shape), little.str


if __name__ == "__main__":
    described, data = main(int(sys.argv[1]))
    sys.stdout.buffer.write(json.dumps(described).encode() + b"\n")
    sys.stdout.buffer.writelines(data)
