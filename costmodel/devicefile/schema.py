"""Plain values to the parts of a device file, each mistake with its path, demand and value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import cattrs
from attrs import field, fields, frozen

from costmodel.devices import Evidence
from costmodel.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cattrs import Converter

ENTRY: Final = "a mapping such as {value: 2 pJ, source: KEY, evidence: vendor}"
"""What a figure of a file looks like."""


@frozen
class Entry:
    """One figure as the file has it, before its name and unit are known to fit."""

    value: str | float
    source: str
    evidence: Evidence
    low: str | float | None = None
    high: str | float | None = None
    note: str = ""


@frozen
class Head:
    """The file without what its class decides on."""

    schema: str
    name: str
    family: str
    sources: Any
    title: str = ""
    process: str | None = None
    not_modelled: str = ""
    assumes: str = ""
    parameters: Any = field(factory=dict)
    settings: Any = field(factory=dict)
    memories: Any = field(factory=list)
    runtimes: Any = field(factory=dict)


def structured(raw: Any, cls: Callable[..., Any], path: str, mistakes: list[str]) -> Any:
    """The values as `cls`; where they are not, None, and `mistakes` says why."""
    try:
        return _converter().structure(raw, cls)  # type: ignore[arg-type]  # cattrs types classes alone
    except cattrs.ClassValidationError as error:
        mistakes.extend(_described(error, path))
    except (TypeError, ValueError) as error:
        mistakes.append(f"{path}: {error}")
    return None


def _converter() -> Converter:
    global _CONVERTER  # noqa: PLW0603  # made on first use: cattrs takes 30 ms to import
    if _CONVERTER is None:
        _CONVERTER = _make_converter()
    return _CONVERTER


_CONVERTER: Converter | None = None


def _make_converter() -> Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(Evidence, _evidence)
    converter.register_structure_hook(str | float, _number_or_text)
    converter.register_structure_hook(str | float | None, _number_or_text)
    rename = cattrs.gen.make_dict_structure_fn(
        Head, converter, family=cattrs.override(rename="class")
    )
    converter.register_structure_hook(Head, lambda raw, cls: rename(_mapping(raw), cls))
    plain = cattrs.gen.make_dict_structure_fn(Entry, converter)
    converter.register_structure_hook(Entry, lambda raw, cls: plain(_mapping(raw, ENTRY), cls))
    return converter


def _mapping(raw: Any, demand: str = "a mapping") -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        message = f"expected {demand}, found {raw!r:.80}"
        raise TypeError(message)
    return raw


def _text(raw: Any, _: object) -> str:
    if not isinstance(raw, str):
        message = f"expected text, found {raw!r:.80}"
        raise TypeError(message)
    return raw


def _number_or_text(raw: Any, _: object) -> str | float | None:
    if raw is None or isinstance(raw, bool) or not isinstance(raw, str | int | float):
        message = f"expected a quantity such as '23.6 pJ', found {raw!r:.80}"
        raise TypeError(message)
    return raw


def _evidence(raw: Any, _: object) -> Evidence:
    try:
        return Evidence(raw)
    except ValueError:
        known = ", ".join(item.value for item in Evidence)
        message = f"expected one of {known}, found {raw!r:.80}"
        raise ValueError(message) from None


def _described(error: cattrs.ClassValidationError, path: str) -> Iterator[str]:
    """Each leaf of a cattrs error as `path: demand and value`."""
    noted, bare = error.group_exceptions()
    for cause, note in noted:
        name = "class" if note.name == "family" else str(note.name)
        yield from _leaf(cause, f"{path}.{name}".lstrip("."))
    for cause in bare:
        yield from _leaf(cause, path)


def _leaf(cause: BaseException, path: str) -> Iterator[str]:
    where = f"{path}: " if path else ""
    if isinstance(cause, cattrs.ClassValidationError):
        yield from _described(cause, path)
    elif isinstance(cause, cattrs.IterableValidationError):
        yield from (f"{where}{item}" for item in cause.exceptions)
    elif isinstance(cause, cattrs.ForbiddenExtraKeysError):
        allowed = ["class" if key == "family" else key for key in _keys(cause.cl)]
        for key in sorted(map(str, cause.extra_fields)):
            yield not_known(path or "file", key, dict.fromkeys(allowed))
    elif isinstance(cause, KeyError):
        key = "class" if cause.args[0] == "family" else cause.args[0]
        yield f"{where.removesuffix(f'{key}: ')}{key}: missing"
    else:
        yield f"{where}{cause}"


def _keys(cls: type) -> list[str]:
    return [item.name for item in fields(cls)]


def not_known(path: str, name: str, known: Mapping[str, Any]) -> str:
    """Say that `path` has nothing called `name`, and what is known."""
    near = nearest(name, known)
    listed = ", ".join(map(repr, known))
    expected = f"expected one of {listed}" if known else "none is given"
    hint = f"nearest {near!r}" if near else expected
    return f"{path}: {name!r} is not known; {hint}"
