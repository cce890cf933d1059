"""Blocks of layers: those around a layer by its name, and the layers that a name means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from costmodel.scenario import wholes


def path_of(layer: str) -> tuple[str, ...]:
    """The nested blocks of a layer by its name, outermost first, the layer itself last.

    Nested models separate them by slashes, flat ones by underscores: `conv2_block1_out` lies in
    `conv2` and there in `conv2_block1`. A number at the end counts layers of one kind, such as
    that of `conv2d_17`, and one after a word counts blocks, such as that of `block_3_add`.
    """
    *outer, last = layer.split("/")
    if outer:
        return (*_joined(outer, "/"), layer)
    return (*_joined(_words(last)[:-1], "_"), layer)


def meant(name: str, layers: Iterable[str]) -> tuple[str, ...]:
    """The layers that a name means: one with its parts, or else all of the block of that name."""
    known = tuple(layers)
    within = tuple([layer for layer in known if name in wholes(layer)])
    return within or tuple([layer for layer in known if name in path_of(layer)[:-1]])


def _joined(words: Sequence[str], separator: str) -> Iterator[str]:
    for end in range(1, len(words) + 1):
        yield separator.join(words[:end])


def _words(name: str) -> list[str]:
    """The words of a name; a number belongs to the word before it, if that has none of its own."""
    found: list[str] = []
    pieces = name.split("_")
    for place, piece in enumerate(pieces):
        is_last = place == len(pieces) - 1
        joins = piece.isdigit() and found and (is_last or not _has_digit(found[-1]))
        if joins:
            found[-1] = f"{found[-1]}_{piece}"
        else:
            found.append(piece)
    return found


def _has_digit(word: str) -> bool:
    return any(char.isdigit() for char in word)
