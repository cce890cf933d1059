"""Which dimensions are spread over which axis of an array: what a dataflow says, and all ways."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from costmodel.errors import nearest
from costmodel_hardware.spatial.architecture import Architecture, Slot
from costmodel_hardware.spatial.nest import Loop, Nest

SpatialLoops: TypeAlias = tuple[tuple[str, tuple[Loop, ...]], ...]
Dataflow: TypeAlias = str | tuple[tuple[str, tuple[str, ...]], ...]
"""The name of a dataflow, or the dimensions that each axis takes."""
STATIONARY: Final[Mapping[str, Slot]] = {
    "weight stationary": "weight",
    "output stationary": "output",
    "input stationary": "input",
}
ROW_STATIONARY: Final = "row stationary"
SEARCH: Final = "search"
NAMED: Final = (*STATIONARY, ROW_STATIONARY, SEARCH)
"""Dataflows by name: the operand that stays in the array, filter rows, or whatever is best."""
GROUPS: Final = (
    "filters", "input channels", "window rows", "window columns", "output rows", "output columns",
    "positions", "groups",
)  # fmt: skip
"""Dimensions by what they are, whatever an operator calls them."""
MOST_WAYS: Final = 32
"""Ways to spread a nest that are searched in full."""
MOST_CHOICES: Final = 5_000
"""Choices of dimensions for all axes beyond which each axis gets one dimension, not two."""


def dimensions(nest: Nest) -> Mapping[str, tuple[str, ...]]:
    """The dimensions of a nest by what they are: a selection of `GROUPS`.

    `filters` (columns of a product) are read by weights and written, `input channels` (its depth)
    are summed, `positions` (its rows, output pixels, examples) are read by inputs and written.
    Window dimensions are summed and slide over an axis of the inputs; the positions that slide
    along with the last such axis are `output columns`, and with the one before it `output rows`.
    `groups` are dimensions of all three operands.
    """
    found: dict[str, list[str]] = {name: [] for name in GROUPS}
    windows = _windows(nest)
    columns = len(windows) - 1
    for dim, _ in nest.dims:
        reads, uses, writes = (nest.reads(slot, dim) for slot in ("input", "weight", "output"))
        if reads and uses and writes:
            found["groups"].append(dim)
        elif uses and writes:
            found["filters"].append(dim)
        elif reads and writes:
            found["positions"].append(dim)
        elif reads and uses and not any(dim in window for window, _ in windows):
            found["input channels"].append(dim)
    for place, (window, positions) in enumerate(windows):
        name = "columns" if place == columns else "rows"
        found[f"window {name}"] += window
        found[f"output {name}"] += positions
    return {name: tuple(several) for name, several in found.items()}


def _windows(nest: Nest) -> list[tuple[list[str], list[str]]]:
    """For each axis of the inputs with a window: its summed dimensions, and its positions."""
    found = []
    for index in nest.input.index:
        summed = [dim for dim in index.dims if dim in nest.reduction]
        written = [dim for dim in index.dims if dim not in nest.reduction]
        if summed and written:
            found.append((summed, written))
    return found


def as_dataflow(given: Any) -> str:
    """A dataflow of a file or of the command line, as text: see `dataflow_of`.

    Raises:
        ValueError: it is none.

    """
    if isinstance(given, Mapping) and given:
        given = ",".join(f"{axis}={_joined(axis, dims)}" for axis, dims in given.items())
    dataflow_of(given)
    return str(given)


def _joined(axis: Any, dims: Any) -> str:
    """The dimensions of an axis as text."""
    several = [dims] if isinstance(dims, str) else dims
    if not isinstance(several, list | tuple) or not all(isinstance(one, str) for one in several):
        message = (
            f"{axis}: expected a dimension or a list of them, such as [window rows, filters]; "
            f"found {dims!r:.60}"
        )
        raise ValueError(message)
    return "+".join(several)


def dataflow_of(given: Any) -> Dataflow:
    """What a text such as `search` or `rows=input channels,columns=window rows+filters` means.

    Raises:
        ValueError: it is no dataflow, or a name is neither a dimension nor one of `GROUPS`.

    """
    if isinstance(given, str) and given in NAMED:
        return given
    if not isinstance(given, str) or not all("=" in part for part in given.split(",")):
        near = nearest(str(given), NAMED)
        hint = f"; nearest: {near!r}" if near else ""
        message = (
            f"expected {', '.join(NAMED)}, or the dimensions of each axis such as "
            f"{{rows: input channels, columns: filters}}; found {given!r:.80}{hint}"
        )
        raise ValueError(message)
    parts = [part.partition("=") for part in given.split(",")]
    found = tuple((axis.strip(), tuple(_names(dims))) for axis, _, dims in parts)
    for axis, name in [(axis, name) for axis, names in found for name in names]:
        if name not in GROUPS and not _is_dim(name):
            near = nearest(name, GROUPS)
            hint = f"; nearest: {near!r}" if near else ""
            expected = f"a dimension such as k, or one of {', '.join(GROUPS)}"
            message = f"{axis}: expected {expected}; found {name!r:.60}{hint}"
            raise ValueError(message)
    return found


def _names(dims: str) -> Iterator[str]:
    return (name.strip() for name in dims.split("+") if name.strip())


as_dataflow.__dict__["costmodel.takes"] = (
    f"{', '.join(NAMED)}, or the dimensions of each axis: rows=input channels,columns=filters"
)


def ways(
    nest: Nest,
    architecture: Architecture,
    dataflow: Dataflow,
    minimum_utilization: float = 1.0,
) -> list[SpatialLoops]:
    """The ways to spread a nest that a dataflow allows, those of fewest cycles first.

    Where it names dimensions for each axis, there is one: each takes as many units as it can in
    the order in which they are named, in equal shares. Else all pairs of allowed dimensions are
    tried on every axis. Of those that the memories of the units have room for, some are kept:
    that use at least `minimum_utilization` of the units that the best of them uses, by default no
    more cycles than it needs.

    Raises:
        ValueError: an axis is not one of the array.

    """
    if not isinstance(dataflow, str):
        return [_filled(nest, architecture, dict(dataflow))]
    allowed = [dim for dim, size in nest.dims if size > 1 and dim not in nest.serial]
    if dataflow == ROW_STATIONARY:
        return [_rows(nest, architecture)]
    if dataflow in STATIONARY:
        allowed = [dim for dim in allowed if nest.reads(STATIONARY[dataflow], dim)]
    found: dict[SpatialLoops, int] = {}
    for choice in _choices(architecture, allowed):
        loops = _spread(nest, architecture, choice)
        found.setdefault(loops, _cycles(nest, loops))
    ordered = sorted(found, key=lambda loops: (found[loops], sum(len(one) for _, one in loops)))
    kept: list[SpatialLoops] = []
    for loops in ordered:
        is_slow = kept and found[loops] * minimum_utilization > found[kept[0]]
        if is_slow or len(kept) == MOST_WAYS:
            break
        if _has_room(nest, architecture, loops):
            kept.append(loops)
    return kept or ordered[:1]


def _has_room(nest: Nest, architecture: Architecture, loops: SpatialLoops) -> bool:
    """Whether memories that exist several times have room for what one step needs of them."""
    from costmodel_hardware.spatial.counting.links import Spatial  # noqa: PLC0415  # brings NumPy

    spatial, one_step = Spatial(nest, architecture, loops), {dim: [1] for dim in nest.sizes}
    is_complete = spatial.is_reduced(one_step).item()
    for place, level in enumerate(architecture.levels):
        if level.size_bits is None or not level.per:
            continue
        bits = 0.0
        for slot in level.holds:
            tile = spatial.tile_bits(slot, place, one_step)
            is_sum = slot == "output" and place == architecture.chain(slot)[0] and not is_complete
            bits += float((tile.partial if is_sum else tile.complete).item())
        if bits > level.size_bits:
            return False
    return True


def _choices(
    architecture: Architecture, allowed: Sequence[str]
) -> Iterator[Mapping[str, Sequence[str]]]:
    names = [axis for axis, size in architecture.axes if size > 1]
    pairs: list[tuple[str, ...]] = [(), *[(dim,) for dim in allowed]]
    both = list(itertools.permutations(allowed, 2))
    if (len(pairs) + len(both)) ** len(names) <= MOST_CHOICES:
        pairs += both
    for several in itertools.product(pairs, repeat=len(names)):
        yield dict(zip(names, several, strict=True))


def _rows(nest: Nest, architecture: Architecture) -> SpatialLoops:
    """Window rows along the first axis, filters where there is room; output rows along the next."""
    known = dimensions(nest)
    names = [axis for axis, _ in architecture.axes]
    first = [*known["window rows"], *known["filters"], *known["groups"], *known["input channels"]]
    second = [*known["output rows"], *known["positions"], *known["input channels"]]
    orders = [first, second, *[known["filters"]] * len(names)]
    return _spread(nest, architecture, dict(zip(names, orders, strict=False)))


def _filled(
    nest: Nest, architecture: Architecture, axes: Mapping[str, Sequence[str]]
) -> SpatialLoops:
    known, sizes = dimensions(nest), nest.sizes
    orders = {}
    for axis, names in axes.items():
        if axis not in architecture.size:
            near = nearest(axis, architecture.size)
            hint = f"; nearest: {near!r}" if near else ""
            expected = f"one of {', '.join(architecture.size)}"
            message = f"dataflow: expected {expected}, found {axis!r:.60}{hint}"
            raise ValueError(message)
        orders[axis] = [
            dim for name in names for dim in known.get(name, [name] if name in sizes else [])
        ]
    return _spread(nest, architecture, orders)


_LONGEST: Final = 3
"""Letters of a dimension that operators call so, such as `k` or `e0`."""


def _is_dim(name: str) -> bool:
    return name.isidentifier() and len(name) <= _LONGEST


def _spread(
    nest: Nest, architecture: Architecture, orders: Mapping[str, Sequence[str]]
) -> SpatialLoops:
    sizes = {dim: size for dim, size in nest.dims if dim not in nest.serial}
    spread = dict.fromkeys(sizes, 1)
    found = []
    for axis, units in architecture.axes:
        loops: list[Loop] = []
        for dim in orders.get(axis, ()):
            size, before = sizes.get(dim, 1), spread.get(dim, 1)
            # Units of a dimension are never more than its steps, or some would have no work at all.
            room = min(units // math.prod(loop.size for loop in loops), size // before)
            if room > 1:
                steps = -(-size // (before * room))
                share = min(-(-size // (before * steps)), room)
                loops.append(Loop(dim, share))
                spread[dim] = before * share
        found.append((axis, tuple(loops)))
    return tuple(found)


def _cycles(nest: Nest, loops: SpatialLoops) -> int:
    units: dict[str, int] = {}
    for dim, size in [one for _, several in loops for one in several]:
        units[dim] = units.get(dim, 1) * size
    return math.prod(-(-size // units.get(dim, 1)) for dim, size in nest.dims)
