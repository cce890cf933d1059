"""Sweeps: from a network and a design space to the costs of many designs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve

from costmodel import registry as registrys
from costmodel.sweeps import running
from costmodel.sweeps.designs import ONE_BY_ONE
from costmodel.sweeps.grid import Grid, grid_of
from costmodel.sweeps.rows import rows_of
from costmodel.sweeps.table import SweepTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costmodel.registry import Registry
    from costmodel.sweeps.space import DesignSpace


def grid(source: object | None, space: DesignSpace, *, registry: Registry | None = None) -> Grid:
    """The axes of a space for a network: its size, and the design of any choice.

    Raises:
        CostModelError: a name that the network or a device does not have, or a value that an axis
            cannot have.

    """
    return grid_of(source, space, registry or registrys.installed())


def sweep(  # all but the first two by keyword
    source: object | None,
    space: DesignSpace,
    *,
    sample: int | None = None,
    seed: int = 0,
    designs: Any = None,
    registry: Registry | None = None,
    **options: Any,
) -> SweepTable:
    """The costs of many designs of a network, in columns.

    `source` is a network or anything that `costmodel.read` takes; None where the space has a
    function that makes networks. All designs of the space are costed; or `sample` that are drawn,
    the same for one `seed`; or `designs`, given as an array of shape `(designs, axes)` with the
    place of each choice among those of its axis, or as the choices of each axis by its name.

    `options` are those of `costmodel.sweeps.running.Options`: `workers`, `scheduler`, `executor`,
    `chunk` and `progress`. Results are the same whatever these are.

    Raises:
        CostModelError: the source, the space or a design is not usable.

    """
    found = grid(source, space, registry=registry)
    rows = rows_of(found, designs, sample=sample, seed=seed)
    chosen = running.Options(**options)
    # All are in memory in the end: without anyone to tell, one chunk is copied nowhere.
    chunks = running.chunks_of(rows.count, chosen.chunk if options else rows.count)
    begin, done = time.monotonic(), 0
    tables: dict[int, SweepTable] = {}
    ways: dict[str, int] = {}
    for chunk, table, how in running.run(found, rows, chunks, chosen):
        tables[chunk.number] = table
        done += chunk.stop - chunk.start
        for way, count in how.items():
            ways[way] = ways.get(way, 0) + count
        if chosen.progress is not None:
            seconds = time.monotonic() - begin
            chosen.progress(done, rows.count, seconds * (rows.count - done) / done)
    joined = SweepTable.joined([tables[chunk.number] for chunk in chunks])
    return evolve(joined, notes=tuple(described(ways)))


def sweep_to_file(  # as `sweep`
    source: object | None,
    space: DesignSpace,
    path: str | Path,
    *,
    sample: int | None = None,
    seed: int = 0,
    designs: Any = None,
    resume: bool = False,
    **options: Any,
) -> running.Results:
    """Cost designs as `sweep` does, into a Parquet file, of which a chunk is in memory at a time.

    An interrupted sweep goes on with `resume`.

    Raises:
        CostModelError: the source, the space or a design is not usable, or the file cannot be
            written or resumed.

    """
    found = grid(source, space)
    rows = rows_of(found, designs, sample=sample, seed=seed)
    return running.write(found, rows, path, running.Options(**options), resume=resume)


def described(ways: Mapping[str, int]) -> list[str]:
    """In which way how many designs were costed."""
    found = [f"{count:,} designs: {way}" for way, count in ways.items()]
    if ONE_BY_ONE in ways:
        found.append("a device whose groups depend on each other is slower: no table covers it")
    return found
