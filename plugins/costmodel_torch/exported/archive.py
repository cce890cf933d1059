"""Reading the program out of a `.pt2` file, within bounds; pickles in it are never opened."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from costmodel import safe_io
from costmodel.errors import ReadError

_MODEL: Final = re.compile(r"(?:.*/)?models/([^/]+)\.json")
_OLD: Final = "serialized_exported_program.json"
"""The program in archives of PyTorch 2.1 to 2.6, at the top."""
_LISTED: Final = 2**24
"""Bytes of the list of members."""
_CHUNK: Final = 2**16
SMALL: Final = 2**13
"""Bytes of a constant that is read."""
_END: Final = 22 + 2**16
"""Bytes of the end of an archive, in which it says how long its list of members is."""


@frozen
class Archive:
    """The parts of a `.pt2` file that are read.

    Args:
        program: the JSON of the program.
        weights: the JSON that says which parameters share a file, by their paths.
        constants: the same for constants.
        data: the bytes of small buffers and constants, by their paths.

    """

    program: Any
    weights: Mapping[str, Any] = field(factory=dict)
    constants: Mapping[str, Any] = field(factory=dict)
    data: Mapping[str, bytes] = field(factory=dict)


def load_file(path: Path) -> Archive:
    """The program in a `.pt2` file.

    Raises:
        ReadError: the file is damaged, too large, or not what its name says.

    """
    try:
        safe_io.check_regular(path)
        _check_list(path)
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return _loaded(archive, str(path))
    except FileNotFoundError:
        message = f"no such file: {path}"
        raise ReadError(message) from None
    except zipfile.BadZipFile as error:
        message = f"{path}: not a whole .pt2 file (a zip archive of torch.export.save): {error}"
        raise ReadError(message) from None
    except (
        OSError, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, KeyError,
    ) as error:  # fmt: skip
        reason = getattr(error, "strerror", None) or error
        message = f"{path!s:.200}: cannot be read: {reason}"
        raise ReadError(message) from None


def _check_list(path: Path) -> None:
    """Refuse an archive whose list of members is too long to be read.

    Raises:
        zipfile.BadZipFile: it says that it is longer.

    """
    with path.open("rb") as file:
        file.seek(0, 2)
        size = file.tell()
        file.seek(max(size - _END, 0))
        tail = file.read()
    start = tail.rfind(b"PK\x05\x06")
    listed = int.from_bytes(tail[start + 12 : start + 16], "little") if start >= 0 else 0
    if listed == 2**32 - 1:  # the list of a zip64 archive says so elsewhere
        far = tail.rfind(b"PK\x06\x06")
        listed = int.from_bytes(tail[far + 40 : far + 48], "little") if far >= 0 else _LISTED + 1
    if listed > _LISTED:
        message = f"its list of members has more than {_LISTED:,} bytes"
        raise zipfile.BadZipFile(message)


def _loaded(archive: zipfile.ZipFile, where: str) -> Archive:
    members = archive.namelist()
    models = {found[1]: name for name in members if (found := _MODEL.fullmatch(name))}
    if not models and _OLD in members:
        return Archive(_json(archive, _OLD, where))
    if not models:
        message = (
            f"{where}: holds no exported program (expected models/model.json in the archive); "
            "write one with torch.export.save(torch.export.export(model, args), path)"
        )
        if any("aotinductor" in name for name in members):
            message = (
                f"{where}: holds code that AOTInductor compiled, and no exported program; read "
                "the program that it was compiled from"
            )
        raise ReadError(message)
    if len(models) > 1 and "model" not in models:
        message = f"{where}: holds several programs: {', '.join(sorted(models))!r:.200}"
        raise ReadError(message)
    name = "model" if "model" in models else next(iter(models))
    model = models[name]
    if members.count(model) > 1:
        message = f"{where}: {model} stands twice in the archive; expected it once"
        raise ReadError(message)
    top = model[: -len(f"models/{name}.json")]
    program = _json(archive, model, where)
    tables: dict[str, Mapping[str, Any]] = {}
    data: dict[str, bytes] = {}
    for part in ("weights", "constants"):
        member = f"{top}data/{part}/{name}_{part}_config.json"
        tables[part] = _table(_json(archive, member, where)) if member in members else {}
        for key, entry in tables[part].items():
            content = _small(archive, f"{top}data/{part}/", entry)
            if content is not None:
                data[key] = content
    return Archive(program, tables["weights"], tables["constants"], data)


def _table(values: Any) -> Mapping[str, Any]:
    found = values.get("config") if isinstance(values, dict) else None
    return found if isinstance(found, dict) else {}


def _small(archive: zipfile.ZipFile, folder: str, entry: Any) -> bytes | None:
    """The bytes of a buffer or constant, where they are few and no pickle."""
    if not isinstance(entry, dict) or entry.get("use_pickle") or entry.get("is_param"):
        return None
    name = entry.get("path_name")
    if not isinstance(name, str) or name.endswith(".pt"):
        return None
    try:
        size = archive.getinfo(f"{folder}{name}").file_size
    except KeyError:
        return None
    return _content(archive, f"{folder}{name}", SMALL) if size <= SMALL else None


def _json(archive: zipfile.ZipFile, name: str, where: str) -> Any:
    return safe_io.json_values(_content(archive, name, safe_io.SIZE_LIMIT), f"{name} in {where}")


def _content(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """The content of a member, one byte beyond the limit at most."""
    # The size in the header may lie, so what is unpacked is counted.
    content = bytearray()
    with archive.open(name) as member:
        while len(content) <= limit and (chunk := member.read(min(_CHUNK, limit + 1))):
            content += chunk
    return bytes(content[: limit + 1])
