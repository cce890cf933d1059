"""Reading the architecture out of files that third parties made, within bounds."""

from __future__ import annotations

import io
import sys
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from costmodel import safe_io
from costmodel.errors import ReadError
from costmodel.frontend.hdf5 import reading as hdf5

KERAS: Final = ".keras"
"""The ending of archives of Keras 3."""
HDF5: Final = (".h5", ".hdf5")
"""The endings of HDF5 files."""

_CONFIG: Final = "config.json"
_METADATA: Final = "metadata.json"
_WEIGHTS: Final = "model.weights.h5"
WEIGHTS_LIMIT: Final = 2**28
"""Bytes of the variables of a network that are looked at; those of HGQ2 have a few million."""
_VERSION: Final = "keras_version"
_CHUNK: Final = 2**16
_MOST_AT_ONCE: Final = 2**20
"""Bytes; the list of members of a `.keras` file takes a few hundred."""


def load_file(path: Path) -> Any:
    """The configuration in a `.keras`, `.json` or HDF5 file; weights are not touched.

    The release of Keras that wrote it stands under `keras_version`, as far as the file says.

    Raises:
        ReadError: the file is damaged, too large, or not what its name says.

    """
    with safe_io.opening(path):
        return _LOADERS.get(safe_io.ending(path), _load_json)(path)


def _load_json(path: Path) -> Any:
    return safe_io.json_values(safe_io.content_of(path), str(path))


def _load_hdf5(path: Path) -> Any:
    safe_io.check_regular(path)
    found = hdf5.attributes(path, safe_io.SIZE_LIMIT)
    if "model_config" not in found:
        message = (
            f"{path}: holds weights without an architecture (no 'model_config'); "
            "save the whole model: model.save('model.keras')"
        )
        raise ReadError(message)
    return _with_version(safe_io.json_values(found["model_config"], str(path)), found)


def _load_archive(path: Path) -> Any:
    safe_io.check_regular(path)
    config, metadata = _archived(path)
    described = safe_io.json_values(metadata, f"{_METADATA} in {path}")
    return _with_version(safe_io.json_values(config, str(path)), described)


def _with_version(config: Any, described: Any) -> Any:
    if isinstance(config, dict) and isinstance(described, Mapping) and _VERSION in described:
        return {_VERSION: described[_VERSION], **config}
    return config


_LOADERS: Final = {KERAS: _load_archive, **dict.fromkeys(HDF5, _load_hdf5)}


class _Bounded(io.FileIO):
    """A file of which never much is read at once; the list of a million members is refused."""

    def read(self, size: int | None = -1, /) -> bytes:
        """So many bytes.

        Raises:
            zipfile.BadZipFile: they are too many.

        """
        asked = sys.maxsize if size is None or size < 0 else size
        content = super().read(min(asked, _MOST_AT_ONCE + 1))
        if len(content) > _MOST_AT_ONCE:
            message = f"its list of members has more than {_MOST_AT_ONCE:,} bytes"
            raise zipfile.BadZipFile(message)
        return content


def _archived(path: Path) -> tuple[bytes, bytes]:
    """The architecture in a `.keras` file, and what the file says of its making."""
    try:
        with _Bounded(path) as file, zipfile.ZipFile(file) as archive:
            members = archive.namelist()
            if _CONFIG not in members:
                message = f"{path}: expected {_CONFIG} in the archive; is it a .keras file?"
                raise ReadError(message)
            for name in (_CONFIG, _METADATA):
                if members.count(name) > 1:
                    message = f"{path}: {name} stands twice in the archive; expected it once"
                    raise ReadError(message)
            metadata = _content(archive, _METADATA) if _METADATA in members else b"{}"
            return _content(archive, _CONFIG), metadata
    except zipfile.BadZipFile as error:
        message = f"{path}: not a whole .keras file (a zip archive): {error}"
        raise ReadError(message) from None
    except (zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        message = f"{path}: {_CONFIG} in it cannot be unpacked: {error}"
        raise ReadError(message) from None


def weights_in(path: Path) -> bytes:
    """The HDF5 file of the variables in a `.keras` file.

    Raises:
        ReadError: there is none, or it is damaged or too large.

    """
    try:
        with _Bounded(path) as file, zipfile.ZipFile(file) as archive:
            if archive.namelist().count(_WEIGHTS) != 1:
                message = (
                    f"{path}: expected {_WEIGHTS} once in the archive: the bits of its weights are "
                    "variables there; save the whole model: model.save('model.keras')"
                )
                raise ReadError(message)
            content = _content(archive, _WEIGHTS, WEIGHTS_LIMIT)
    except zipfile.BadZipFile as error:
        message = f"{path}: not a whole .keras file (a zip archive): {error}"
        raise ReadError(message) from None
    except (zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        message = f"{path}: {_WEIGHTS} in it cannot be unpacked: {error}"
        raise ReadError(message) from None
    if len(content) > WEIGHTS_LIMIT:
        message = f"{path}: {_WEIGHTS} has more than {WEIGHTS_LIMIT:,} bytes"
        raise ReadError(message)
    return content


def _content(archive: zipfile.ZipFile, name: str, limit: int = safe_io.SIZE_LIMIT) -> bytes:
    # The size in the header may lie, so what is unpacked is counted.
    content = bytearray()
    with archive.open(name) as member:
        while len(content) <= limit and (chunk := member.read(_CHUNK)):
            content += chunk
    return bytes(content)
