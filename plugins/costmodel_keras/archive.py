"""Reading the architecture out of files that strangers made, within bounds."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

from costmodel import files
from costmodel.errors import ReadError

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
        content = _archived(path) if path.suffix == ".keras" else files.content_of(path)
    except FileNotFoundError:
        message = f"no such file: {path}"
        raise ReadError(message) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"{path!s:.200}: cannot be read: {reason}"
        raise ReadError(message) from None
    return files.json_values(content, str(path))


def _archived(path: Path) -> bytes:
    files.check_regular(path)
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
        while len(content) <= files.SIZE_LIMIT and (chunk := member.read(_CHUNK)):
            content += chunk
    return bytes(content)
