"""A program: print the tree of an HDF5 file as JSON, within bounds.

`costmodel.frontend.hdf5.reading` runs it as `python hdf5_tree.py FILE LIMIT`. Values are read of
texts and of small data sets of numbers; of others the shape and the type are enough. It imports
nothing of the project but the program beside it.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from typing import Any, Final

MOST_MEMBERS: Final = 200_000
"""Groups and data sets of one file; a network of 10,000 nodes has about 80,000."""
MOST_LEVELS: Final = 64
"""Groups within groups; each graph within a graph takes two."""
MOST_AXES: Final = 32
MOST_VALUES: Final = 16
"""Numbers of a data set that are read: shapes, strides and the like have a few."""
WHOLE: Final = "edges"
"""The name of data sets of which all numbers are read."""

_MEMORY_LEAST: Final = 2**28
"""Bytes that the library may take to open a file."""
_COPIES: Final = 8
"""Times the limit of all texts that the library may take to read them."""


def main(path: str, limit: int) -> dict[str, Any]:
    """The tree, or an error in words."""
    try:
        import h5py  # noqa: PLC0415  # may be missing, which is an answer
    except ImportError:
        return {"error": "no h5py"}
    # By its path, so that no name of this folder stands for one that the library wants.
    beside = os.path.join(os.path.dirname(__file__), "hdf5_attributes.py")  # noqa: PTH118, PTH120  # the least imports
    runpy.run_path(beside)["bound_memory"](_MEMORY_LEAST + _COPIES * limit)
    try:
        with h5py.File(path, "r") as file:
            return {"tree": _Reading(h5py, limit).group(file, 0)}
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
        return {"error": f"damaged: {str(error)[:200] or type(error).__name__}"}


class _Reading:
    """What is read of one file, and how much of it."""

    def __init__(self, h5py: Any, limit: int) -> None:
        self._h5py, self._limit = h5py, limit
        self._members = self._bytes = 0

    def group(self, group: Any, level: int) -> dict[str, Any]:
        """The members of a group by name; what a link points at is none."""
        if level > MOST_LEVELS:
            message = f"groups are nested more than {MOST_LEVELS} deep"
            raise ValueError(message)
        found = {}
        for name in group:
            self._members += 1
            if self._members > MOST_MEMBERS:
                message = f"more than {MOST_MEMBERS:,} groups and data sets"
                raise ValueError(message)
            if not isinstance(group.get(name, getlink=True), self._h5py.HardLink):
                continue
            held = group[name]
            if isinstance(held, self._h5py.Group):
                found[name] = {"members": self.group(held, level + 1)}
            elif isinstance(held, self._h5py.Dataset):
                found[name] = self._data(held, is_whole=name == WHOLE)
        return found

    def _data(self, held: Any, *, is_whole: bool) -> dict[str, Any]:
        """The shape and the type of a data set, and its values where they are wanted."""
        kind, shape = held.dtype, held.shape
        if shape is None or len(shape) > MOST_AXES:
            message = f"{held.name:.80} is empty or has more than {MOST_AXES} axes"
            raise ValueError(message)
        is_text = kind.kind == "S" or self._h5py.check_string_dtype(kind) is not None
        described = {"shape": list(shape), "type": "text" if is_text else kind.str}
        is_read = kind.kind in "biuf" and (is_whole or held.size <= MOST_VALUES)
        if is_text or is_read:
            if held.external or held.is_virtual:
                message = f"{held.name:.80} lies in another file, which is not opened"
                raise ValueError(message)
            described["values"] = self._texts(held) if is_text else self._numbers(held)
        return described

    def _numbers(self, held: Any) -> list[Any]:
        self._count(held.size * held.dtype.itemsize)
        values: list[Any] = held[()].reshape(-1).tolist()
        return values

    def _texts(self, held: Any) -> list[str]:
        self._count(held.size * held.dtype.itemsize)
        given = held[()]
        values = given.reshape(-1).tolist() if hasattr(given, "reshape") else [given]
        texts = [one.decode() if isinstance(one, bytes) else str(one) for one in values]
        self._count(sum(map(len, texts)))
        return texts

    def _count(self, more: int) -> None:
        """Count bytes of values, of which all have a limit together."""
        self._bytes += more
        if self._bytes > self._limit:
            message = f"the values of its data sets have more than {self._limit:,} bytes"
            raise ValueError(message)


if __name__ == "__main__":
    json.dump(main(sys.argv[1], int(sys.argv[2])), sys.stdout)
