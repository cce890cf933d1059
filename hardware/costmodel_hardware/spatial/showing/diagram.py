"""A picture of an accelerator: its memories from the outside, and the array, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from costmodel.units import format_quantity
from costmodel_hardware.spatial.architecture import SLOTS, Slot

if TYPE_CHECKING:
    from costmodel.devices import Memory

_WIDTH: Final = 640
_BOX: Final = 52
"""Height of a memory."""
_GAP: Final = 34
_MARGIN: Final = 12
_MOST_CELLS: Final = 8
"""Units drawn along an axis; more are hinted at."""
_CELL: Final = 10
_COLUMNS: Final[dict[Slot, float]] = {"input": 0.64, "weight": 0.77, "output": 0.9}
"""Where the arrows of each operand run, as shares of the width."""
_DASHES: Final[dict[Slot, str]] = {"input": "", "weight": "6 3", "output": "2 3"}
"""What distinguishes them without colour."""


def diagram(name: str, inner_first: Sequence[Memory], axes: tuple[tuple[str, int], ...]) -> str:
    """An SVG picture in the colour of the text around it, with a description for readers."""
    memories = list(reversed(inner_first))
    rows = min(axes[0][1], _MOST_CELLS)
    height = len(memories) * (_BOX + _GAP) + rows * _CELL + 3 * _MARGIN + 18
    parts = [
        *(_memory(memory, place) for place, memory in enumerate(memories)),
        *_arrows(memories),
        *_array(axes, len(memories) * (_BOX + _GAP) + _MARGIN),
        *_legend(height),
    ]
    inner = "".join(f"{memory.name}, " for memory in memories)
    label = escape(f"{name}: {inner}then an array of {_units(axes)}", quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{label}" font-family="sans-serif" font-size="12" fill="currentColor" '
        f'stroke="none" width="{_WIDTH}" class="diagram">{"".join(parts)}</svg>'
    )


def _units(axes: tuple[tuple[str, int], ...]) -> str:
    return " x ".join(f"{size} {name}" for name, size in axes)


def _top(place: int) -> int:
    return _MARGIN + place * (_BOX + _GAP)


def _memory(memory: Memory, place: int) -> str:
    """A box with name, size and energies; another behind it where the memory exists per axes."""
    top, left, wide = _top(place), _MARGIN, _WIDTH - 2 * _MARGIN
    size = "unlimited" if memory.size is None else format_quantity(memory.size.value, "B")
    per = f", one for each of {' and '.join(memory.per)}" if memory.per else ""
    energies = [
        f"{way} {format_quantity(access.energy.value, 'J')} for {access.width_bits} bits"
        for way, access in (("read", memory.read), ("write", memory.write))
        if access is not None
    ]
    behind = (
        f'<rect x="{left + 5}" y="{top - 5}" width="{wide - 5}" height="{_BOX}" rx="4" '
        'fill="none" stroke="currentColor" opacity="0.4"/>'
        if memory.per
        else ""
    )
    front = wide - 5 if memory.per else wide
    return (
        f'{behind}<rect x="{left}" y="{top}" width="{front}" height="{_BOX}" rx="4" '
        'fill="currentColor" fill-opacity="0.06" stroke="currentColor"/>'
        f'<text x="{left + 10}" y="{top + 20}" font-weight="bold">{escape(memory.name)}'
        f'<tspan font-weight="normal"> {escape(f"{size}{per}")}</tspan></text>'
        f'<text x="{left + 10}" y="{top + 40}">{escape("; ".join(energies))}</text>'
    )


def _arrows(memories: list[Memory]) -> Iterator[str]:
    """A line for each operand from each memory that holds it to the next, or to the array."""
    last = len(memories)
    for slot in SLOTS:
        holding = [place for place, memory in enumerate(memories) if slot in memory.holds]
        for place, inner in zip(holding, [*holding[1:], last], strict=True):
            x = _COLUMNS[slot] * _WIDTH
            begin, end = _top(place) + _BOX, _top(inner)
            head = (begin, -1) if slot == "output" else (end, 1)
            tip, way = head
            dash = f' stroke-dasharray="{_DASHES[slot]}"' if _DASHES[slot] else ""
            yield (
                f'<line x1="{x}" y1="{begin}" x2="{x}" y2="{end}" stroke="currentColor"{dash}/>'
                f'<path d="M {x - 4} {tip - 7 * way} L {x} {tip} L {x + 4} {tip - 7 * way} Z"/>'
            )


def _array(axes: tuple[tuple[str, int], ...], top: int) -> Iterator[str]:
    down = axes[0][1]
    across = math.prod(size for _, size in axes[1:])
    rows, columns = min(down, _MOST_CELLS), min(across, 2 * _MOST_CELLS)
    middle = _COLUMNS["weight"] * _WIDTH
    left = middle - columns * _CELL / 2
    for row in range(rows):
        for column in range(columns):
            yield (
                f'<rect x="{left + column * _CELL}" y="{top + row * _CELL}" width="{_CELL - 2}" '
                f'height="{_CELL - 2}" fill="currentColor" fill-opacity="0.15"/>'
            )
    more = "" if (rows, columns) == (down, across) else ", some of them drawn"
    text = escape(f"{_units(axes)}{more}")
    yield (f'<text x="{middle}" y="{top + rows * _CELL + 14}" text-anchor="middle">{text}</text>')


def _legend(height: int) -> Iterator[str]:
    for slot, share in _COLUMNS.items():
        dash = f' stroke-dasharray="{_DASHES[slot]}"' if _DASHES[slot] else ""
        x, y = share * _WIDTH, height - 6
        yield (
            f'<line x1="{x - 34}" y1="{y - 4}" x2="{x - 6}" y2="{y - 4}" stroke="currentColor"'
            f'{dash}/><text x="{x}" y="{y}">{slot}</text>'
        )
