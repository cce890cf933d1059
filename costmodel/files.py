"""Files that strangers made, read within bounds."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, Final

from costmodel.errors import ReadError

SIZE_LIMIT: Final = 2**26
"""Bytes of an architecture; that of a network of 10,000 layers takes a seventh of it."""


def content_of(path: Path) -> bytes:
    """The content of a regular file, one byte beyond the limit at most.

    Raises:
        OSError: it cannot be read.
        ReadError: it is a pipe or a device, which may never end.

    """
    check_regular(path)
    with path.open("rb") as file:
        return file.read(SIZE_LIMIT + 1)


def check_regular(path: Path) -> None:
    """Refuse a pipe or device before it is opened.

    Raises:
        OSError: it is not there.
        ReadError: it is one.

    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        message = f"{path}: a pipe or device is not read; expected a regular file"
        raise ReadError(message)


def json_values(content: bytes | str, where: str) -> Any:
    """The values of a JSON text.

    Raises:
        ReadError: not JSON, too large, or nested too deeply.

    """
    if len(content) > SIZE_LIMIT:
        message = f"{where}: the architecture has more than {SIZE_LIMIT:,} bytes"
        raise ReadError(message)
    try:
        return json.loads(content)
    except RecursionError:
        message = f"{where}: the JSON is nested too deeply for a network"
        raise ReadError(message) from None
    except ValueError as error:
        message = f"{where}: not JSON: {error}"
        raise ReadError(message) from None
