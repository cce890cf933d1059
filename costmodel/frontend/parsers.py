"""The parsers of files, which extras bring."""

from __future__ import annotations

from costmodel.errors import ReadError


def missing(extra: str, error: ImportError) -> ReadError:
    """The error where the parser of a file is not installed."""
    name = error.name or str(error)
    message = (
        f"this file needs {name.partition('.')[0]!r}, which is not installed: "
        f"pip install 'costmodel-nn[{extra}]'"
    )
    return ReadError(message)
