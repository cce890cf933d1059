"""Version 1 of a device file to version 2, its comments and layout kept."""

from __future__ import annotations

from typing import Any, Final

import yaml

from costmodel.devicefile.reading import OLD_SCHEMA, SCHEMA
from costmodel.devicefile.yaml_text import parsed
from costmodel.errors import DeviceFileError

_KEY: Final = "schema"


def converted(text: bytes, file: str) -> bytes:
    """The text of a version 1 device file as version 2.

    Version 2 takes all that version 1 took, so only the schema changes. What else is wrong with
    the file stays, and `costmodel devices validate` reports it of the new one.

    Raises:
        DeviceFileError: it is not a device file of version 1.

    """
    raw = parsed(text, file)
    found = raw.get(_KEY) if isinstance(raw, dict) else None
    if found != OLD_SCHEMA:
        expected = f"expected {OLD_SCHEMA!r}, the version to convert, found {found!r:.80}"
        is_new = found == SCHEMA
        message = (
            f"schema: {found!r} already, nothing to convert" if is_new else f"schema: {expected}"
        )
        raise DeviceFileError(file, [message])
    try:
        content = text.decode("utf-8")
    except UnicodeDecodeError:
        raise DeviceFileError(file, ["expected text in UTF-8, as version 2 has it"]) from None
    begin, end = _schema(content)
    old = content[begin:end]
    # In quotation marks a YAML text may have escapes.
    schema = old.replace(OLD_SCHEMA, SCHEMA) if OLD_SCHEMA in old else f'"{SCHEMA}"'
    return f"{content[:begin]}{schema}{content[end:]}".encode()


def _schema(content: str) -> tuple[int, int]:
    """Where the value of the schema stands, from the first to behind the last character."""
    root: Any = yaml.compose(content, yaml.SafeLoader)  # whose marks count characters
    value = next(value for key, value in root.value if key.value == _KEY)
    return value.start_mark.index, value.end_mark.index
