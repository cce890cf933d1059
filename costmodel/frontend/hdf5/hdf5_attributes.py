"""A program: print two attributes of an HDF5 file as JSON, within bounds.

`costmodel.frontend.hdf5.reading` runs it as `python hdf5_attributes.py FILE LIMIT`; it imports
nothing of the project.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

WANTED: Final = ("model_config", "keras_version")

_MEMORY_LEAST: Final = 2**28
"""Bytes that the library may take to open a file."""

_COPIES: Final = 8
"""Times the limit of an attribute that the library may take to read it."""


def main(path: str, limit: int) -> dict[str, Any]:
    """The attributes, or an error in words."""
    try:
        import h5py  # noqa: PLC0415  # may be missing, which is an answer
    except ImportError:
        return {"error": "no h5py"}
    bound_memory(_MEMORY_LEAST + _COPIES * limit)
    try:
        with h5py.File(path, "r") as file:
            return {"attributes": {name: _text(file, name, limit) for name in _present(file)}}
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
        return {"error": f"damaged: {str(error)[:200] or type(error).__name__}"}


def _present(file: Any) -> list[str]:
    return [name for name in WANTED if name in file.attrs]


def _text(file: Any, name: str, limit: int) -> str:
    size = file.attrs.get_id(name).get_storage_size()
    if size > limit:
        message = f"attribute {name!r} has {size:,} bytes; the limit is {limit:,}"
        raise ValueError(message)
    value = file.attrs[name]
    text = value.decode() if isinstance(value, bytes) else str(value)
    if len(text) > limit:
        message = f"attribute {name!r} has {len(text):,} characters; the limit is {limit:,}"
        raise ValueError(message)
    return text


def bound_memory(more: int) -> None:
    """Let this process take no more than `more` bytes beyond what it has now."""
    try:
        import resource  # noqa: PLC0415  # not on every platform
    except ImportError:
        return
    now = _address_space()
    if now is not None:
        resource.setrlimit(resource.RLIMIT_AS, (now + more, now + more))


def _address_space() -> int | None:
    """Bytes of address space that this process has, where the system tells it."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  # the least imports
            pages = int(file.read().split()[0])
    except OSError:
        return None
    import resource  # noqa: PLC0415  # there where /proc is

    return pages * resource.getpagesize()


if __name__ == "__main__":
    json.dump(main(sys.argv[1], int(sys.argv[2])), sys.stdout)
