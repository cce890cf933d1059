"""Files: untrusted ones are read within bounds, results are written in one piece."""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import shutil
import stat
import tomllib
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from costmodel.errors import CostModelError, ReadError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE_LIMIT: Final = 2**25
"""Bytes of an architecture; that of a network of 10,000 layers takes a third of it."""
ITEM_LIMIT: Final = 4_000_000
"""Values in an architecture: an empty list takes two bytes of a file and eighty of memory."""

DIGIT_LIMIT: Final = 4300
"""Digits of a whole number: what Python reads and writes by default."""
TOO_MANY_DIGITS: Final = f"a whole number has more than {DIGIT_LIMIT:,} digits"
"""What to say of a number that Python does not read."""

NAME_LIMIT: Final = 1000
"""Characters of a name or a kind; those of a layer within many models take a few hundred."""

_CONSTANTS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""What no JSON has and Python writes; there is one NaN that equals itself where it is held."""

_PLACE_LIMIT: Final = 200
"""Characters of a place within a file that a message gives."""

_HALF_CHARACTER: Final = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
"""What may be one: an escape, or the thing itself."""


def ending(path: str | Path) -> str:
    """The ending of the name of a file, such as `.onnx`, whatever letters are capitals."""
    return Path(path).suffix.lower()


def content_of(path: Path) -> bytes:
    """The content of a regular file, one byte beyond the limit at most.

    Raises:
        OSError: it cannot be read.
        ReadError: it is a pipe or a device, which may never end.

    """
    check_regular(path)
    with path.open("rb") as file:
        return file.read(SIZE_LIMIT + 1)


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Say of an error of the system that `path` cannot be read.

    Raises:
        ReadError: instead of an OSError, or of the ValueError of a name that no system has.

    """
    try:
        yield
    except FileNotFoundError:
        message = f"no such file: {path!s:.200}"
        raise ReadError(message) from None
    except (OSError, ValueError) as error:
        message = f"{path!s:.200}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise ReadError(message) from None


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
        ReadError: not JSON, too large, nested too deeply, with a key twice in one object, with a
            whole number of too many digits, or with half a character, which JSON can write and
            nobody can print.

    """
    if len(content) > SIZE_LIMIT:
        message = f"{where}: the architecture has more than {SIZE_LIMIT:,} bytes"
        raise ReadError(message)
    try:
        return _parsed(content, where)
    except UnicodeError as error:
        message = f"{where}: not JSON: no Unicode: {error}"
        raise ReadError(message) from None
    except RecursionError:
        message = f"{where}: the JSON is nested too deeply for a network"
        raise ReadError(message) from None
    except json.JSONDecodeError as error:
        message = f"{where}: not JSON: {error if content.strip() else 'it is empty'}"
        raise ReadError(message) from None
    except ValueError:  # the only other one: Python reads no more digits of a whole number
        message = f"{where}: {TOO_MANY_DIGITS}"
        raise ReadError(message) from None


def _parsed(content: bytes | str, where: str) -> Any:
    # The parser lets half characters pass, in bytes too unless they are decoded before.
    text = content if isinstance(content, str) else content.decode(json.detect_encoding(content))
    if sum(map(text.count, "[{,:")) > ITEM_LIMIT:
        message = f"{where}: not JSON of a network: more than {ITEM_LIMIT:,} values"
        raise ReadError(message)
    repeated: list[_Repeated] = []
    values = json.loads(
        text,
        parse_constant=_CONSTANTS.__getitem__,
        object_pairs_hook=lambda pairs: _object(pairs, repeated),
    )
    if repeated:
        _refuse_repeated_key(values, where)
    if _HALF_CHARACTER.search(text):
        json.dumps(values, ensure_ascii=False).encode()
    return values


_OPENED: Final = 4
"""Objects within objects that stand on lines of their own; in an estimate, down to a layer."""


def json_text(values: Any, opened: int = _OPENED) -> str:
    """The JSON of values, the outer ones on lines of their own; half as long as with all."""
    return _json_lines(values, opened, "\n")


def _json_lines(value: Any, opened: int, line: str) -> str:
    if not opened or not value or not isinstance(value, dict | list | tuple):
        return json.dumps(value, allow_nan=False)
    inner = f"{line}  "
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(str(key))}: {_json_lines(held, opened - 1, inner)}"
            for key, held in value.items()
        ]
        return f"{{{inner}{f',{inner}'.join(parts)}{line}}}"
    parts = [_json_lines(held, opened - 1, inner) for held in value]
    return f"[{inner}{f',{inner}'.join(parts)}{line}]"


TOML_LIMIT: Final = 2**20
"""Bytes of a TOML file, which people write."""


def toml_values(content: bytes, where: str) -> dict[str, Any]:
    """The values of a TOML text.

    Raises:
        ReadError: not TOML, too large, nested too deeply, or with a whole number of too many
            digits.

    """
    if len(content) > TOML_LIMIT:
        message = f"{where}: the file has more than {TOML_LIMIT:,} bytes"
        raise ReadError(message)
    try:
        return tomllib.loads(content.decode())
    except UnicodeError as error:
        message = f"{where}: not TOML: no Unicode: {error}"
    except RecursionError:
        message = f"{where}: the TOML is nested too deeply"
    except tomllib.TOMLDecodeError as error:
        message = f"{where}: not TOML: {error}"
    except ValueError:  # the only other one: Python reads no more digits of a whole number
        message = f"{where}: {TOO_MANY_DIGITS}"
    raise ReadError(message)


class _Repeated(dict[str, Any]):
    """A JSON object that was written with `key` twice."""

    key: str


def _object(pairs: list[tuple[str, Any]], repeated: list[_Repeated]) -> dict[str, Any]:
    """The object of these pairs, which joins `repeated` if a key stands in it twice."""
    values = dict(pairs)
    if len(values) == len(pairs):
        return values
    found = _Repeated(values)
    found.key = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
    repeated.append(found)
    return found


def _refuse_repeated_key(values: Any, where: str) -> None:
    """Name the key and its place: of two values, a reader would take the last in silence."""
    waiting = [("", values)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, _Repeated):
            within = f"{place.removeprefix('.'):.{_PLACE_LIMIT}}" or "the outermost object"
            message = f"{where}: key {value.key!r:.80} stands twice in {within}; expected it once"
            raise ReadError(message)
        if isinstance(value, dict):
            waiting += [(f"{place}.{key}", held) for key, held in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{place}[{index}]", held) for index, held in enumerate(value)]


def checked_mapping(value: Any, allowed: frozenset[str] | set[str], where: str) -> dict[str, Any]:
    """A JSON object that has no key but those allowed.

    Raises:
        ReadError: it is none, or has another key.

    """
    if not isinstance(value, dict):
        message = f"{where}: expected a JSON object, found {value!r:.80}"
        raise ReadError(message)
    for key in value:
        if key not in allowed:
            near = nearest(key, allowed)
            hint = f"; did you mean {near!r}?" if near else ""
            message = f"{where}: unknown key {key!r:.80}{hint}; known: {', '.join(sorted(allowed))}"
            raise ReadError(message)
    return value


def checked_name(name: str, where: str) -> str:
    """The name, where it is of a bearable length: every message and table repeats it.

    Raises:
        ReadError: it is longer.

    """
    if len(name) > NAME_LIMIT:
        message = f"{where}: a name of {len(name):,} characters; expected at most {NAME_LIMIT:,}"
        raise ReadError(message)
    return name


# ------------------------------------------------------------------ results

_TEMPORARY: Final = ".costmodel"
"""How the name of a temporary file ends."""
_SHARED_NAME: Final = 50
"""Characters of the name of the target in that of its temporary file."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of an error of the system that `path` cannot be written.

    Raises:
        CostModelError: instead of an OSError.

    """
    try:
        yield
    except (OSError, ValueError) as error:  # a name with a character of none is a ValueError
        message = f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}"
        raise CostModelError(message) from None


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place in the end, unless an error comes first.

    A link stays one, and the rights of an older file are kept. The temporary file is locked while
    its process lives; those that killed processes left for the same path are removed.

    Raises:
        CostModelError: the path cannot be written.

    """
    with writing(path):
        target = Path(os.path.realpath(path))
        is_there = _is_writable(target)
        temporary, lock = _locked(target)
        _remove_abandoned(target)
    try:
        with writing(path):
            if is_there:
                shutil.copymode(target, temporary)
        yield temporary
        with writing(path):
            temporary.replace(target)
    finally:
        lock.close()
        with suppress(FileNotFoundError):
            temporary.unlink()


def _is_writable(target: Path) -> bool:
    """Whether it is there already; refused where the user has no right to write."""
    try:
        os.close(os.open(target, os.O_WRONLY))
    except FileNotFoundError:
        return False
    return True


def _start_of_name(target: Path) -> str:
    return f".{target.name[:_SHARED_NAME]}."


def _locked(target: Path) -> tuple[Path, BinaryIO]:
    """A new empty file beside the target, and the open file that keeps it locked."""
    while True:
        name = f"{_start_of_name(target)}{secrets.token_hex(4)}{_TEMPORARY}"
        temporary = target.with_name(name)
        file = temporary.open("xb")
        if not _lock(file, wait=True):  # no locks here: nothing abandoned is removed either
            file.close()
        if temporary.exists():  # else another process took it for abandoned before it was locked
            return temporary, file
        file.close()


def _remove_abandoned(target: Path) -> None:
    """Remove the temporary files of this target that no living process has locked."""
    name = re.compile(rf"{re.escape(_start_of_name(target))}[0-9a-f]{{8}}{_TEMPORARY}")
    with suppress(OSError):  # a folder that cannot be listed can be written to
        for file in [file for file in target.parent.iterdir() if name.fullmatch(file.name)]:
            with suppress(OSError), file.open("rb") as held:
                if _lock(held, wait=False):
                    file.unlink()


def _lock(file: BinaryIO, *, wait: bool) -> bool:
    """Lock an open file against other processes; False where it is locked or cannot be."""
    try:
        import fcntl  # noqa: PLC0415  # Unix alone has it

        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (ImportError, OSError):
        return False
    return True
