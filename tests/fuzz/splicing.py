"""Changes of bytes: single ones, and whole words of a text in place of others."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Final

from fuzz.targets import PROGRAM, packed, packed_program

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

WORD: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[\[{][\]}]')
_STRANGE: Final = (
    b"null", b"true", b"0", b"-1", b"1.5", b"1e999", b"NaN", b"-Infinity", b'""', b'"\\u0000"',
    b'"\\ud800"', b"[]", b"{}", b"[[]]", b"[null]", b"1" + b"0" * 30, b"1" + b"0" * 400,
    b"1" + b"0" * 5000, b'"a/b"', b'"../../etc/passwd"', b"[" * 200, b"2147483648", b"1e308",
    b'{"class_name":"Dense","config":{"name":"d","units":3}}',
)  # fmt: skip
_MOST_CHANGES: Final = 4


def flipped(data: bytes, random: Random) -> bytes:
    """The bytes with a few of them changed, taken out, put in, or doubled."""
    changed = bytearray(data)
    for _ in range(random.randint(1, _MOST_CHANGES)):
        at, more = random.randrange(len(changed) + 1), random.randint(1, 16)
        match random.randrange(4):
            case 0:
                changed[at : at + 1] = random.randbytes(1)
            case 1:
                del changed[at : at + more]
            case 2:
                changed[at:at] = random.randbytes(more)
            case _:
                changed[at:at] = changed[max(at - more, 0) : at]
    return bytes(changed)


def spliced(data: bytes, random: Random) -> bytes:
    """The text with a few words of it replaced by others of it, or by strange ones."""
    for _ in range(random.randint(1, _MOST_CHANGES)):
        old, other = (WORD.search(data, random.randrange(len(data) + 1)) for _ in range(2))
        if old is None:
            continue
        new = random.choice(_STRANGE) if other is None or random.random() < 0.5 else other.group()
        data = data[: old.start()] + new + data[old.end() :]
    return data


def repacked(data: bytes, change: Callable[[bytes], bytes]) -> bytes | None:
    """The archive with its configuration changed, or None where it cannot be unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.namelist()
            if PROGRAM in members:
                return packed_program(change(archive.read(PROGRAM)))
            return packed(change(archive.read("config.json")))
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError):
        return None
    except (RuntimeError, NotImplementedError, EOFError):
        return None
