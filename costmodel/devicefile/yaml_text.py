"""YAML as plain values, within bounds: no key twice, no alias, no object, not too deep."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import yaml

from costmodel.errors import DeviceFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE_LIMIT: Final = 2**20
"""Bytes; the largest file that ships has a few thousand."""
DEPTH_LIMIT: Final = 20
"""Levels of nesting; the schema has five."""
ITEM_LIMIT: Final = 5000
"""Keys and values; the largest file that ships has a few hundred."""
TEXT_LIMIT: Final = 2000
"""Characters of one value; Python takes very long over a number of many digits."""


class _Loader(yaml.CSafeLoader):
    """The safe loader, which takes no key twice unless it notes those that are."""

    repeated: list[str] | None = None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  # the base class has it so
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen and self.repeated is not None:
                self.repeated.append(f"line {key.start_mark.line + 1}: {key.value!r:.80}")
            elif key.value in seen:
                message = f"key {key.value!r:.80} stands twice"
                raise yaml.constructor.ConstructorError(None, None, message, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def parsed(text: bytes, file: str, *, repeated: list[str] | None = None) -> Any:
    """The values of a YAML text.

    Keys that stand twice are refused, unless they are noted in `repeated`; then the last counts.

    Raises:
        DeviceFileError: it is not YAML, or larger or deeper than a device file can be.

    """
    if len(text) > SIZE_LIMIT:
        message = f"expected at most {SIZE_LIMIT:,} bytes, found more"
        raise DeviceFileError(file, [message])
    try:
        _check_size(text, file)
        loader = _Loader(text)
        loader.repeated = repeated
        return loader.get_single_data()
    except yaml.YAMLError as error:
        described = " ".join(str(error).split()).replace('in "<byte string>", line', "at line")
        raise DeviceFileError(file, [f"not YAML: {described}"]) from None
    except (ValueError, RecursionError) as error:
        raise DeviceFileError(file, [f"not YAML: {error}"]) from None


def _check_size(text: bytes, file: str) -> None:
    try:
        _check_events(yaml.parse(text, yaml.CSafeLoader), file)
    except yaml.YAMLError:
        # LibYAML has a limit of nesting, which it may check before it reports any level.
        # The parser in Python has none: it reports each level until ours is reached.
        with contextlib.suppress(yaml.YAMLError):
            _check_events(yaml.parse(text, yaml.SafeLoader), file)
        raise


def _check_events(events: Iterable[yaml.Event], file: str) -> None:
    depth = 0
    for count, event in enumerate(events):
        if count > ITEM_LIMIT:
            raise DeviceFileError(file, [f"holds more than {ITEM_LIMIT:,} keys and values"])
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > TEXT_LIMIT:
            described = f"{event.value!r:.40}... has more than {TEXT_LIMIT:,} characters"
            raise DeviceFileError(file, [described])
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise DeviceFileError(file, ["aliases (*name) are not taken; write the value out"])
        if depth > DEPTH_LIMIT:
            raise DeviceFileError(file, [f"nested more than {DEPTH_LIMIT} levels deep"])
