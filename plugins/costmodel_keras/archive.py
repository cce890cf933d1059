"""Reading the architecture out of files that strangers made, within bounds."""

from __future__ import annotations

import json
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

from costmodel.errors import ReadError

CONFIG_LIMIT: Final = 2**26
"""Bytes of an architecture; that of a network of 10,000 layers takes a seventh of it."""

_HDF5: Final = (".h5", ".hdf5")
_CONFIG: Final = "config.json"
_CHUNK: Final = 2**16


def load_file(path: Path) -> Any:
    """The configuration in a `.keras` or `.json` file; weights are not touched.

    Raises:
        ReadError: the file is damaged, too large, or not what its name says.

    """
    if path.suffix in _HDF5:
        message = f"{path}: HDF5 is not read yet; save the model as .keras with Keras 3"
        raise ReadError(message)
    try:
        _check_kind(path)
        content = _archived(path) if path.suffix == ".keras" else _bounded(path)
    except FileNotFoundError:
        message = f"no such file: {path}"
        raise ReadError(message) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"{path!s:.200}: cannot be read: {reason}"
        raise ReadError(message) from None
    return load_json(content, str(path))


def load_json(content: bytes | str, where: str) -> Any:
    """The values of a JSON text.

    Raises:
        ReadError: not JSON, too large, or nested too deeply.

    """
    if len(content) > CONFIG_LIMIT:
        message = f"{where}: the architecture has more than {CONFIG_LIMIT:,} bytes"
        raise ReadError(message)
    try:
        return json.loads(content)
    except RecursionError:
        message = f"{where}: the JSON is nested too deeply for a network"
        raise ReadError(message) from None
    except ValueError as error:
        message = f"{where}: not JSON: {error}"
        raise ReadError(message) from None


def _check_kind(path: Path) -> None:
    """Refuse a pipe or device, which may never end, before it is opened."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        message = f"{path}: a pipe or device is not read; expected a regular file"
        raise ReadError(message)


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(CONFIG_LIMIT + 1)


def _archived(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            return _member(archive, path)
    except zipfile.BadZipFile as error:
        message = f"{path}: not a whole .keras file (a zip archive): {error}"
        raise ReadError(message) from None
    except (zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        message = f"{path}: {_CONFIG} in it cannot be unpacked: {error}"
        raise ReadError(message) from None


def _member(archive: zipfile.ZipFile, path: Path) -> bytes:
    try:
        info = archive.getinfo(_CONFIG)
    except KeyError:
        message = f"{path}: expected {_CONFIG} in the archive; is it a .keras file of Keras 3?"
        raise ReadError(message) from None
    # The size in the header may lie, so what is unpacked is counted as well.
    content = bytearray()
    with archive.open(info) as member:
        while len(content) <= CONFIG_LIMIT and (chunk := member.read(_CHUNK)):
            content += chunk
    return bytes(content)
