"""Whether a mapping is one of a nest on an architecture, and if not, why."""

from __future__ import annotations

import math
from collections.abc import Iterator

from costmodel.errors import CostModelError
from costmodel_hardware.spatial.architecture import SLOTS
from costmodel_hardware.spatial.counting.links import Spatial
from costmodel_hardware.spatial.mapping import Mapping


class MappingError(CostModelError):
    """A mapping that an architecture cannot run; says where and why."""


class OutOfTimeError(MappingError):
    """A search that found no mapping within its time limit, which says not that none fits."""

    @classmethod
    def after(cls, seconds: float) -> OutOfTimeError:
        """The error of a search that had so many seconds."""
        return cls(f"no mapping that fits was found in {seconds:g} s; expected a longer time limit")


def check(spatial: Spatial, mapping: Mapping) -> None:
    """Check that a mapping is one of a nest on an architecture.

    Raises:
        MappingError: an axis or dimension is not known, too many units or steps are used, loops do
            not make up a dimension, or the cuts are not those of the memories. All mistakes are
            named.

    """
    mistakes = [*_of_axes(spatial, mapping), *_of_loops(spatial, mapping)]
    mistakes += [*_of_dimensions(spatial, mapping), *_of_cuts(spatial, mapping)]
    if mistakes:
        raise MappingError("; ".join(mistakes))


def _of_axes(spatial: Spatial, mapping: Mapping) -> Iterator[str]:
    sizes = spatial.architecture.size
    for axis, loops in mapping.spatial:
        if axis not in sizes:
            yield f"axis {axis!r:.60} is not one of the array: {', '.join(sizes)}"
        elif mapping.used(axis) > sizes[axis]:
            shown = " x ".join(f"{dim} {size}" for dim, size in loops)
            units = f"axis {axis!r} has {sizes[axis]} units"
            yield f"{units}; the mapping spreads {shown} over it, {mapping.used(axis)}"


def _of_loops(spatial: Spatial, mapping: Mapping) -> Iterator[str]:
    known = spatial.nest.sizes
    for dim, size in (*[one for _, loops in mapping.spatial for one in loops], *mapping.temporal):
        if dim not in known and size > 1:
            yield f"dimension {dim!r:.60} is not one of the nest: {', '.join(known)}"
        if size < 1:
            yield f"a loop over {dim!r:.60} has {size} steps; expected 1 or more"


def _of_dimensions(spatial: Spatial, mapping: Mapping) -> Iterator[str]:
    for dim, size in spatial.nest.dims:
        units = mapping.unrolled.get(dim, 1)
        if dim in spatial.nest.serial and units > 1:
            yield f"dimension {dim!r} is spread over the array, but its steps need each other"
        if _is_wasteful(mapping, dim, size):
            yield f"dimension {dim!r} of {size} is spread over {units} units"
            continue
        needed = -(-size // units)
        steps = math.prod(loop.size for loop in mapping.temporal if loop.dim == dim)
        if steps < needed:
            yield (
                f"dimension {dim!r} of {size} over {units} units needs {needed} steps in time; "
                f"the temporal loops have {steps}"
            )


def _is_wasteful(mapping: Mapping, dim: str, size: int) -> bool:
    """Whether a loop over the array is longer than what the ones before it leave.

    27 rows over 2 x 14 units leave one idle: 14 remain for the second axis. Over 3 x 14, where 9
    remain, whole units would never have work.
    """
    left = size
    for loop in (loop for _, loops in mapping.spatial for loop in loops if loop.dim == dim):
        if loop.size > left:
            return True
        left = -(-left // max(loop.size, 1))
    return False


def _of_cuts(spatial: Spatial, mapping: Mapping) -> Iterator[str]:
    most = len(mapping.temporal)
    for slot in SLOTS:
        cuts, memories = mapping.cuts_of(slot), spatial.chains[slot]
        if len(cuts) != len(memories) - 1:
            names = ", ".join(spatial.architecture.levels[place].name for place in memories)
            yield f"{slot}: {len(cuts)} cuts for memories {names}; expected {len(memories) - 1}"
        elif any(not 0 <= cut <= most for cut in cuts) or list(cuts) != sorted(cuts):
            yield (
                f"{slot}: cuts {list(cuts)}; expected numbers of temporal loops from 0 to {most} "
                "that do not fall from inner to outer"
            )
