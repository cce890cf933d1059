"""Files that strangers made, read within bounds."""

from __future__ import annotations

import json
import math
import re
import stat
from pathlib import Path
from typing import Any, Final

from costmodel.errors import ReadError

SIZE_LIMIT: Final = 2**25
"""Bytes of an architecture; that of a network of 10,000 layers takes a third of it."""
ITEM_LIMIT: Final = 4_000_000
"""Values in an architecture: an empty list takes two bytes of a file and eighty of memory."""

NAME_LIMIT: Final = 1000
"""Characters of a name or a kind; those of a layer within many models take a few hundred."""

_CONSTANTS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""What no JSON has and Python writes; there is one NaN that equals itself where it is held."""

_HALF_CHARACTER: Final = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
"""What may be one: an escape, or the thing itself."""


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
        ReadError: not JSON, too large, nested too deeply, or with half a character, which JSON
            can write and nobody can print.

    """
    if len(content) > SIZE_LIMIT:
        message = f"{where}: the architecture has more than {SIZE_LIMIT:,} bytes"
        raise ReadError(message)
    try:
        return _parsed(content)
    except UnicodeError as error:
        message = f"{where}: not JSON: no Unicode: {error}"
        raise ReadError(message) from None
    except RecursionError:
        message = f"{where}: the JSON is nested too deeply for a network"
        raise ReadError(message) from None
    except ValueError as error:
        message = f"{where}: not JSON: {error if content.strip() else 'it is empty'}"
        raise ReadError(message) from None


def _parsed(content: bytes | str) -> Any:
    # The parser lets half characters pass, in bytes too unless they are decoded before.
    text = content if isinstance(content, str) else content.decode(json.detect_encoding(content))
    if sum(map(text.count, "[{,:")) > ITEM_LIMIT:
        message = f"more than {ITEM_LIMIT:,} values"
        raise ValueError(message)
    values = json.loads(text, parse_constant=_CONSTANTS.__getitem__)
    if _HALF_CHARACTER.search(text):
        json.dumps(values, ensure_ascii=False).encode()
    return values


def checked_name(name: str, where: str) -> str:
    """The name, where it is of a bearable length: every message and table repeats it.

    Raises:
        ReadError: it is longer.

    """
    if len(name) > NAME_LIMIT:
        message = f"{where}: a name of {len(name):,} characters; expected at most {NAME_LIMIT:,}"
        raise ReadError(message)
    return name
