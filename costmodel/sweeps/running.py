"""Runs of sweeps: chunks of designs on executors, and results that survive an interruption."""

from __future__ import annotations

import json
import os
import pickle  # what a run itself sends to its own processes
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from inspect import getsource
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from costmodel import registry as registrys
from costmodel.errors import CostModelError, ReadError
from costmodel.packages import needed
from costmodel.safe_io import json_text, json_values, opening, replaced, writing
from costmodel.sweeps.designs import Designs
from costmodel.sweeps.grid import Grid
from costmodel.sweeps.rows import DRAWN_TOGETHER, Rows
from costmodel.sweeps.table import EXTRA, SweepTable
from costmodel.version import own_version

SCHEMA: Final = "costmodel/sweep/1"
CHUNK: Final = DRAWN_TOGETHER
"""Designs that are costed together, unless a caller says otherwise."""
_WAITING: Final = 3
"""Chunks for each worker that are under way or wait for it."""
_ATTEMPTS: Final = 3
"""So often in a row processes may die without any chunk done between."""
Progress: TypeAlias = Callable[[int, int, float], None]
"""Called with the designs done, all of them, and the seconds that remain."""
Ways: TypeAlias = dict[str, int]


@frozen(kw_only=True)
class Options:
    """How a sweep runs.

    Args:
        workers: processes; None is this one alone.
        scheduler: the address of a Dask scheduler, such as `tcp://127.0.0.1:8786`, or `local` for a
            cluster of this machine with `workers` processes.
        executor: an executor of `concurrent.futures` in place of both, or `NAME` or `NAME:SETTING`
            of one that a plugin offers (hook `costmodel_executors`).
        by_layer: whether there are columns for each layer of the network, such as `energy.conv1`
            and `latency.conv1`: what the device charges for its operators and what they move, and
            the time of the groups of operators that begin with one of its own. The energy is not a
            number where all of it is a power over the time.
        chunk: designs that are costed and written together.
        progress: called after each chunk with the designs done, all of them, and the seconds that
            remain.

    Raises:
        CostModelError: several of the first three, or a number that is not above 0.

    """

    workers: int | None = None
    scheduler: str | None = None
    executor: Executor | str | None = None
    by_layer: bool = False
    chunk: int = CHUNK
    progress: Progress | None = None

    def __attrs_post_init__(self) -> None:
        """Check them together."""
        for name, value in (("workers", self.workers), ("chunk", self.chunk)):
            if value is not None and (value.__class__ is not int or value < 1):
                message = f"{name} is {value!r:.40}; expected a whole number of at least 1"
                raise CostModelError(message)
        is_cluster = self.scheduler not in {None, "local"}
        given = {
            "workers": self.workers is not None and self.scheduler != "local",
            "scheduler": self.scheduler is not None and self.workers is not None and is_cluster,
            "executor": self.executor is not None,
        }
        if sum(given.values()) > 1:
            message = "expected one of workers, scheduler and executor; found several"
            raise CostModelError(message)

    @contextmanager
    def started(self) -> Iterator[Executor | None]:
        """The executor; None for this process alone."""
        if isinstance(self.executor, str):
            name, _, setting = self.executor.partition(":")
            with registrys.installed().executor(name).make(setting) as executor:
                yield executor
        elif self.executor is not None:
            yield self.executor
        elif self.scheduler is not None:
            with _dask(self.scheduler, self.workers) as executor:
                yield executor
        elif self.workers is not None and self.workers > 1:
            with _Pool(self.workers) as executor:
                yield executor
        else:
            yield None

    @property
    def at_once(self) -> int:
        """Chunks that are asked for before the first has come back."""
        return _WAITING * (self.workers or os.cpu_count() or 1)


class _Pool(Executor):
    """A pool of processes that is made anew where one of them dies."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool = self._made()

    def _made(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._workers, mp_context=get_context("spawn"))

    def submit(self, call: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        try:
            return self._pool.submit(call, *given, **named)
        except BrokenProcessPool:
            self._pool.shutdown(wait=False)
            self._pool = self._made()
            return self._pool.submit(call, *given, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  # as of any executor
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)


@contextmanager
def _dask(address: str, workers: int | None) -> Iterator[Executor]:
    distributed = needed("a Dask scheduler", "distributed", extra="dask")
    try:
        cluster: AbstractContextManager[Any] = (
            distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
            )
            if address == "local"
            else nullcontext(address)
        )
        with cluster as made, distributed.Client(made, timeout=_CONNECTING) as client:
            yield client.get_executor(pure=False, retries=_ATTEMPTS)
    except (OSError, TimeoutError) as error:
        message = f"no Dask scheduler answers at {address}: {error!s:.200}"
        raise CostModelError(message) from None


_CONNECTING: Final = "30s"


# ------------------------------------------------------------------ chunks


@frozen
class Job:
    """What a process needs to cost any designs of a sweep."""

    grid: bytes = field(repr=False)
    """The grid, pickled: it is read once in each process."""
    rows: Rows
    start: int
    stop: int
    by_layer: bool = False


def costed(job: Job) -> tuple[SweepTable, Ways]:
    """The table of the designs of a job, and how many were costed in which way."""
    return _table(_designs(job.grid, job.by_layer), job.rows, job.start, job.stop)


@lru_cache(maxsize=1)
def _designs(grid: bytes, by_layer: bool) -> Designs:  # noqa: FBT001  # part of the key
    """The designs of a grid, with the tables that this process has filled so far."""
    return Designs(pickle.loads(grid), by_layer=by_layer)  # noqa: S301  # as above


@frozen
class Chunk:
    """Some designs in a row, by their numbers."""

    number: int
    start: int
    stop: int


def chunks_of(count: int, size: int) -> list[Chunk]:
    """All designs in chunks of a size."""
    return [
        Chunk(number, start, min(start + size, count))
        for number, start in enumerate(range(0, count, size))
    ]


def run(
    grid: Grid, rows: Rows, chunks: list[Chunk], options: Options
) -> Iterator[tuple[Chunk, SweepTable, Ways]]:
    """The tables of chunks, as they are done.

    Where the process of a chunk dies, it is asked for again.

    Raises:
        CostModelError: a design cannot be costed, or the executor is gone.

    """
    with options.started() as executor:
        if executor is None:
            designs = Designs(grid, by_layer=options.by_layer)
            for chunk in chunks:
                yield (chunk, *_table(designs, rows, chunk.start, chunk.stop))
        else:
            yield from _elsewhere(executor, grid, rows, chunks, options)


def _table(designs: Designs, rows: Rows, start: int, stop: int) -> tuple[SweepTable, Ways]:
    designs.ways.clear()
    table = designs.table(rows, start, stop)
    return table, dict(designs.ways)


def _elsewhere(
    executor: Executor, grid: Grid, rows: Rows, chunks: list[Chunk], options: Options
) -> Iterator[tuple[Chunk, SweepTable, Ways]]:
    pickled = _pickled(grid)
    waiting = list(reversed(chunks))
    under_way: dict[Future[tuple[SweepTable, Ways]], Chunk] = {}
    failures, at_once = 0, options.at_once
    while waiting or under_way:
        while waiting and len(under_way) < at_once:
            chunk = waiting.pop()
            part = rows.part(chunk.start, chunk.stop)
            job = Job(pickled, part, chunk.start, chunk.stop, options.by_layer)
            under_way[_submitted(executor, job)] = chunk
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for future in done:
            chunk = under_way.pop(future)
            try:
                table, ways = future.result()
            except CostModelError:
                raise
            except BrokenProcessPool as error:
                failures += 1
                if failures > _ATTEMPTS * at_once:
                    message = f"processes died {failures} times in a row: {error!s:.200}"
                    raise CostModelError(message) from error
                waiting.append(chunk)
            except Exception as error:
                raise _lost(error) from error
            else:
                failures = 0
                yield chunk, table, ways


def _submitted(executor: Executor, job: Job) -> Future[tuple[SweepTable, Ways]]:
    try:
        return executor.submit(costed, job)
    except CostModelError:
        raise
    except Exception as error:
        raise _lost(error) from error


def _lost(error: BaseException) -> CostModelError:
    what = " ".join(f"{type(error).__name__}: {error}".split())
    message = (
        f"the executor gave no result: {what:.300}; chunks that are written stay, and "
        "resume=True (--resume) goes on from there"
    )
    return CostModelError(message)


def _pickled(grid: Grid) -> bytes:
    try:
        return pickle.dumps(grid)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        message = (
            f"the space cannot be sent to other processes: {error!s:.200}; give functions that a "
            "module defines, and no lambda"
        )
        raise CostModelError(message) from None


# ------------------------------------------------------------------ files


def manifest_of(grid: Grid, rows: Rows, options: Options) -> dict[str, Any]:
    """What a sweep is of, as plain values: versions, and hashes of what goes in."""
    numpy = import_module("numpy")
    return {
        "schema": SCHEMA,
        "versions": {"costmodel": own_version(), "numpy": numpy.__version__},
        "network": [_hash(one.to_json()) for one in grid.networks()],
        "space": _hash(json.dumps(_space_values(grid), sort_keys=True, default=str)),
        "functions": {
            name: _function_hash(function)
            for name in ("network", "where")
            if (function := getattr(grid.space, name)) is not None
        },
        "devices": {
            one.name: {"file": one.content_hash, "figures": _hash(repr(one))}
            for one in grid.devices
        },
        "axes": [str(axis) for axis in grid.axes],
        "designs": rows.identity(),
        "chunk": options.chunk,
        "by_layer": options.by_layer,
    }


def _space_values(grid: Grid) -> dict[str, Any]:
    values = grid.space.to_dict()
    values.pop("device", None)
    return values


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _function_hash(function: Any) -> str:
    try:
        return _hash(getsource(function))
    except (OSError, TypeError):  # typed in, or a class
        return getattr(function, "__qualname__", type(function).__qualname__)


@frozen
class Results:
    """What a sweep wrote into a file."""

    path: Path
    designs: int
    """Designs that were costed, those that were done before included."""
    rows: int
    """Designs in the file: those that the space does not leave out."""
    seconds: float
    """The time of this run."""
    costed: int
    """Designs that this run costed."""
    ways: Mapping[str, int]
    """How many it costed in which way, and of how many there is more to say."""

    @property
    def rate(self) -> float:
        """Designs that this run costed in a second."""
        return self.costed / self.seconds if self.seconds else 0.0


def write(
    grid: Grid, rows: Rows, path: str | Path, options: Options, *, resume: bool = False
) -> Results:
    """Cost all designs into a Parquet file, chunk by chunk.

    Until all are done, a folder beside the file holds a file for each chunk, and what the sweep is
    of. An interrupted sweep goes on with `resume`, unless anything that it is of has changed.

    Raises:
        CostModelError: it cannot be written or resumed, or a design cannot be costed.

    """
    parts = _Parts(Path(path), manifest_of(grid, rows, options))
    chunks = chunks_of(rows.count, options.chunk)
    missing = parts.begin(chunks, resume=resume)
    begin, done = time.monotonic(), rows.count - sum(one.stop - one.start for one in missing)
    before, ways = done, Ways()
    for chunk, table, how in run(grid, rows, missing, options):
        parts.put(chunk, table)
        done += chunk.stop - chunk.start
        for way, count in how.items():
            ways[way] = ways.get(way, 0) + count
        if options.progress is not None:
            seconds = time.monotonic() - begin
            options.progress(done, rows.count, seconds * (rows.count - done) / (done - before))
    written = parts.join(chunks)
    seconds = time.monotonic() - begin
    return Results(Path(path), rows.count, written, seconds, rows.count - before, ways)


class _Parts:
    """A folder with a file for each chunk, until they become one file."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self._path, self._manifest = path, manifest
        self._folder = path.with_name(f"{path.name}.parts")
        needed("a file of results", "pyarrow", extra=EXTRA)

    def begin(self, chunks: list[Chunk], *, resume: bool) -> list[Chunk]:
        """The chunks that are not done yet."""
        held = self._folder / _MANIFEST
        if held.exists() and not resume and list(self._folder.iterdir()) == [held]:
            held.unlink()  # nothing was costed
        if held.exists():
            if not resume:
                message = (
                    f"{self._folder} holds an interrupted sweep; go on with resume=True "
                    "(--resume), or remove it"
                )
                raise CostModelError(message)
            self._check_same(self._manifest_in(held))
        else:
            with writing(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
            if any(self._folder.iterdir()):
                message = (
                    f"{self._folder} holds files, but not the {_MANIFEST} that says of which "
                    "sweep; remove the folder, or give another output"
                )
                raise CostModelError(message)
            with replaced(held) as temporary:
                temporary.write_text(json_text(self._manifest), encoding="utf-8")
        missing = [chunk for chunk in chunks if not self._file(chunk).exists()]
        for chunk in chunks:
            if chunk not in missing:
                self._read(chunk, import_module("pyarrow.parquet").read_metadata)
        return missing

    def _manifest_in(self, held: Path) -> Any:
        try:
            with opening(held):
                return json_values(held.read_bytes(), str(held))
        except ReadError as error:
            message = f"{error}; remove {self._folder} to begin anew, or give another output"
            raise CostModelError(message) from None

    def _read(self, chunk: Chunk, reader: Callable[[Path], Any]) -> Any:
        """What a reader makes of the file of a chunk.

        Raises:
            CostModelError: the file is damaged.

        """
        file = self._file(chunk)
        try:
            return reader(file)
        except (OSError, import_module("pyarrow").ArrowException) as error:
            reason = " ".join(str(error).split())
            message = (
                f"{file}: cannot be read as Parquet: {reason:.200}; remove this file, and "
                "resume=True (--resume) costs its designs again"
            )
            raise CostModelError(message) from None

    def _check_same(self, held: Any) -> None:
        own = json.loads(json.dumps(self._manifest))
        differs = [
            name for name in own if not isinstance(held, dict) or held.get(name) != own[name]
        ]
        if differs:
            message = (
                f"{self._folder} holds a sweep of other {', '.join(differs)}; remove it to begin "
                "anew, or give another output"
            )
            raise CostModelError(message)

    def _file(self, chunk: Chunk) -> Path:
        return self._folder / f"{chunk.number:08d}.parquet"

    def put(self, chunk: Chunk, table: SweepTable) -> None:
        """Keep the table of a chunk."""
        table.to_parquet(self._file(chunk))

    def join(self, chunks: list[Chunk]) -> int:
        """Write all chunks into the file, in order, and remove the folder; returns the rows."""
        parquet = import_module("pyarrow.parquet")
        count = 0
        with writing(self._path), replaced(self._path) as temporary:
            schema = self._read(chunks[0], parquet.read_schema)
            metadata = {
                **schema.metadata,
                b"costmodel.manifest": json_text(self._manifest).encode(),
            }
            with parquet.ParquetWriter(temporary, schema.with_metadata(metadata)) as writer:
                for chunk in chunks:
                    table = self._read(chunk, parquet.read_table)
                    count += len(table)
                    writer.write_table(table.replace_schema_metadata(metadata))
        for chunk in chunks:
            self._file(chunk).unlink()
        (self._folder / _MANIFEST).unlink()
        self._folder.rmdir()
        return count


_MANIFEST: Final = "manifest.json"
