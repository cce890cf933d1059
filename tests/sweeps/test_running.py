"""Runs: the same bits on any executor, and what survives an interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import design_spaces
import numpy as np
import pytest
from attrs import evolve
from design_spaces import FORMATS, SMALL, grid
from worlds import plugin, world

import costmodel
from costmodel import DesignSpace, registry
from costmodel.errors import CostModelError, UnknownNameError
from costmodel.plugins.executors import ExecutorFactory
from costmodel.sweeps.rows import rows_of
from costmodel.sweeps.running import Options, write
from costmodel.sweeps.space import Range
from costmodel.sweeps.table import SweepTable

pytest.importorskip("pyarrow")

SPACE = DesignSpace(
    device="horowitz-45nm", weights=FORMATS, activations=["int4", "int8"], default_format="int8",
    parameters={"energy_per_dram_access": Range("1 nJ", "2 nJ")},
)  # fmt: skip
COUNT, CHUNK = 400, 64


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process writes without an interruption."""
    path = tmp_path_factory.mktemp("sweep") / "expected.parquet"
    write(grid(SPACE), drawn(), path, Options(chunk=CHUNK))
    return path


def drawn(space: DesignSpace = SPACE) -> Any:
    return rows_of(grid(space), sample=COUNT, seed=7)


def check_same(path: Path, expected: Path) -> None:
    """Byte for byte in its values."""
    one, other = SweepTable.from_parquet(path), SweepTable.from_parquet(expected)
    assert one.names == other.names
    assert len(one) == len(other)
    for name in one:
        first, second = one[name], other[name]
        assert first.dtype == second.dtype
        same = first.tobytes() == second.tobytes()
        assert same if first.dtype != object else first.tolist() == second.tolist()


def test_a_file_holds_what_a_table_does(expected: Path) -> None:
    table = costmodel.sweep(SMALL, SPACE, sample=COUNT, seed=7)
    held = SweepTable.from_parquet(expected)
    assert held.axes == table.axes
    for name in ("energy", "weights", "weights.layer0", "energy_per_dram_access"):
        assert held[name].tolist() == table[name].tolist()


def test_all_cores_write_what_one_process_does(expected: Path, tmp_path: Path) -> None:
    path = tmp_path / "designs.parquet"
    results = write(grid(SPACE), drawn(), path, Options(workers=2, chunk=CHUNK))
    check_same(path, expected)
    assert results.rows == results.costed == COUNT
    assert not path.with_name("designs.parquet.parts").exists()


def test_any_executor_serves(expected: Path, tmp_path: Path) -> None:
    path = tmp_path / "designs.parquet"
    with ThreadPoolExecutor(1) as executor:
        write(grid(SPACE), drawn(), path, Options(executor=executor, chunk=CHUNK))
    check_same(path, expected)


def test_a_plugin_offers_executors(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = ExecutorFactory("threads", lambda count: ThreadPoolExecutor(int(count)))
    here = world(mine=plugin(executors=[threads]))
    monkeypatch.setattr(registry, "installed", lambda: here)
    with Options(executor="threads:2").started() as executor:
        assert isinstance(executor, ThreadPoolExecutor)
    with (
        pytest.raises(UnknownNameError, match="nearest known: 'threads'"),
        Options(executor="thread").started(),
    ):
        pass


class InterruptedSweepError(Exception):
    """What a test interrupts a run with."""


def interrupted(path: Path, after: int, **options: Any) -> None:
    """Begin a run that stops after some chunks."""
    done = []

    def stop(*_: object) -> None:
        done.append(1)
        if len(done) == after:
            raise InterruptedSweepError

    with pytest.raises(InterruptedSweepError):
        write(grid(SPACE), drawn(), path, Options(chunk=CHUNK, progress=stop, **options))


def test_an_interrupted_sweep_goes_on_with_what_is_missing(expected: Path, tmp_path: Path) -> None:
    path = tmp_path / "designs.parquet"
    interrupted(path, 3)
    assert not path.exists()
    results = write(grid(SPACE), drawn(), path, Options(chunk=CHUNK), resume=True)
    assert results.costed == COUNT - 3 * CHUNK
    check_same(path, expected)


def test_a_sweep_that_costed_nothing_is_begun_anew(expected: Path, tmp_path: Path) -> None:
    path = tmp_path / "designs.parquet"
    with pytest.raises(CostModelError, match="nope"):
        write(grid(SPACE), drawn(), path, Options(chunk=CHUNK, executor="nope"))
    write(grid(SPACE), drawn(), path, Options(chunk=CHUNK))
    check_same(path, expected)


def _cut(content: bytes) -> bytes:
    """The file as a full disk or a killed process leaves it."""
    return content[: len(content) // 2]


def _changed(content: bytes) -> bytes:
    """The file with other bytes in its columns, and the end by which it is recognised."""
    return b"PAR1" + bytes(100) + content[104:]


@pytest.mark.parametrize("damage", [_cut, _changed, lambda _: b""])
def test_a_damaged_chunk_is_named_and_costed_again_without_its_file(
    damage: Any, expected: Path, tmp_path: Path
) -> None:
    path = tmp_path / "designs.parquet"
    interrupted(path, 3)
    chunk = path.with_name("designs.parquet.parts") / "00000001.parquet"
    chunk.write_bytes(damage(chunk.read_bytes()))
    said = r"parquet\.parts/00000001\.parquet: cannot be read as Parquet: .*; remove this file"
    with pytest.raises(CostModelError, match=said):
        write(grid(SPACE), drawn(), path, Options(chunk=CHUNK), resume=True)
    chunk.unlink()
    write(grid(SPACE), drawn(), path, Options(chunk=CHUNK), resume=True)
    check_same(path, expected)


def test_a_chunk_that_is_cut_off_is_named_before_others_are_costed(tmp_path: Path) -> None:
    path = tmp_path / "designs.parquet"
    interrupted(path, 1)
    folder = path.with_name("designs.parquet.parts")
    chunk = folder / "00000000.parquet"
    chunk.write_bytes(_cut(chunk.read_bytes()))
    with pytest.raises(CostModelError, match="00000000"):
        write(grid(SPACE), drawn(), path, Options(chunk=CHUNK), resume=True)
    assert [file.name for file in folder.glob("*.parquet")] == [chunk.name]


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    path = tmp_path / "designs.parquet"
    interrupted(path, 1)
    (path.with_name("designs.parquet.parts") / "manifest.json").write_text('{"schema": ')
    with pytest.raises(CostModelError, match=r"manifest\.json: .*; remove .*parts to begin anew"):
        write(grid(SPACE), drawn(), path, Options(chunk=CHUNK), resume=True)


def test_an_interrupted_sweep_is_not_begun_anew_by_mistake(tmp_path: Path) -> None:
    path = tmp_path / "designs.parquet"
    interrupted(path, 1)
    with pytest.raises(CostModelError, match="holds an interrupted sweep; go on with resume"):
        write(grid(SPACE), drawn(), path, Options(chunk=CHUNK))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"space": evolve(SPACE, activations=["int4", "int2"])}, "space, axes"),
        ({"space": evolve(SPACE, device=[costmodel.device("horowitz-7nm")])}, "devices"),
        ({"seed": 8}, "designs"),
        ({"chunk": 32}, "chunk"),
    ],
)
def test_a_sweep_of_something_else_is_not_gone_on_with(
    changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "designs.parquet"
    interrupted(path, 1)
    found = grid(changed.get("space", SPACE))
    rows = rows_of(found, sample=COUNT, seed=changed.get("seed", 7))
    with pytest.raises(CostModelError, match=f"holds a sweep of other .*{said}"):
        write(found, rows, path, Options(chunk=changed.get("chunk", CHUNK)), resume=True)


def test_a_sweep_of_networks_that_are_made_otherwise_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function is the same; what it calls is not."""
    path = tmp_path / "designs.parquet"
    space = DesignSpace(device="horowitz-45nm", network=_scaled, arguments={"width": [1, 2, 3, 4]})

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    def run(**chosen: Any) -> None:
        found = grid(space, None)
        write(found, rows_of(found), path, Options(chunk=2, **chosen), resume=True)

    with pytest.raises(KeyboardInterrupt):
        run(progress=stop)
    monkeypatch.setitem(_SCALE, "width", 3)
    with pytest.raises(CostModelError, match="holds a sweep of other network"):
        run()


_SCALE = {"width": 1}


def _scaled(width: int) -> Any:
    return design_spaces.small(width * _SCALE["width"])


def test_the_file_says_what_it_is_of(expected: Path) -> None:
    from pyarrow import parquet  # noqa: PLC0415  # skipped above where it is missing

    held = json.loads(parquet.read_schema(expected).metadata[b"costmodel.manifest"])
    assert held["schema"] == "costmodel/sweep/1"
    assert held["designs"] == {"kind": "drawn", "count": COUNT, "seed": 7}
    assert (
        held["devices"]["horowitz-45nm"]["file"] == costmodel.device("horowitz-45nm").content_hash
    )
    assert held["versions"]["numpy"] == np.__version__


def test_progress_tells_what_remains(tmp_path: Path) -> None:
    told: list[tuple[int, int, float]] = []
    write(
        grid(SPACE), drawn(), tmp_path / "designs.parquet",
        Options(chunk=CHUNK, progress=lambda *given: told.append(given)),
    )  # fmt: skip
    assert [done for done, *_ in told] == [*range(CHUNK, COUNT, CHUNK), COUNT]
    assert {total for _, total, _ in told} == {COUNT}
    assert told[-1][2] == 0
    assert all(remaining > 0 for *_, remaining in told[:-1])


def dies_once(table: SweepTable) -> Any:
    """Kill the process that evaluates the first design, the first time."""
    mark = Path(os.environ["COSTMODEL_TEST_MARK"])
    if 0 in table["design"] and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return table["energy"] > 0


def test_a_process_that_dies_is_replaced(
    expected: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSTMODEL_TEST_MARK", str(tmp_path / "died"))
    path = tmp_path / "designs.parquet"
    found = grid(evolve(SPACE, where=dies_once))
    results = write(found, drawn(), path, Options(workers=2, chunk=CHUNK))
    assert (tmp_path / "died").exists()
    assert results.costed == COUNT
    check_same(path, expected)


def test_functions_that_no_module_defines_stay_in_this_process(tmp_path: Path) -> None:
    found = grid(evolve(SPACE, where=lambda table: table["energy"] > 0))
    with pytest.raises(CostModelError, match="cannot be sent to other processes"):
        write(found, drawn(), tmp_path / "designs.parquet", Options(workers=2, chunk=CHUNK))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"chunk": 1.5}, "chunk is 1.5"),
        ({"workers": 2, "executor": "threads"}, "expected one of workers, scheduler and executor"),
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:1"}, "expected one of"),
    ],
)
def test_options_with_a_mistake_are_refused(given: Any, said: str) -> None:
    with pytest.raises(CostModelError, match=said):
        Options(**given)


# ------------------------------------------------------------------ Dask

PORT = 18786


def environment() -> dict[str, str]:
    """That of a process which finds these modules."""
    path = [str(Path(__file__).parent), *filter(None, sys.path)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


class Cluster:
    """A Dask scheduler and two workers, each a process of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.address = folder, f"tcp://127.0.0.1:{port}"
        self._port = port
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start_scheduler(self) -> None:
        self._start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", str(self._port),
                    "--no-dashboard")  # fmt: skip

    def start_workers(self) -> None:
        for name in ("first", "second"):
            self._start(name, "worker", self.address, "--nthreads", "1", "--no-dashboard",
                        "--no-nanny", "--name", name, "--death-timeout", "60")  # fmt: skip

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def _start(self, name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
        self.processes[name] = started(command, self.folder / f"{name}.log")


def started(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(
            command, cwd=log.parent, env=environment(), stdout=file, stderr=file
        )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("distributed")
    made = Cluster(tmp_path, PORT + os.getpid() % 1000)
    yield made
    made.close()


CLIENT = """
import sys, time
import design_spaces
from design_spaces import grid
from test_running import SLOW, SMALL_CHUNK, drawn
from costmodel.sweeps.running import Options, write
def main():
    write(grid(SLOW), drawn(SLOW), sys.argv[1], Options(scheduler=sys.argv[2], chunk=SMALL_CHUNK),
          resume=True)
if __name__ == "__main__":
    main()
"""


def slowly(table: SweepTable) -> Any:
    """Keep every design, after a while."""
    time.sleep(0.5)
    return table["energy"] > 0


SLOW = evolve(SPACE, where=slowly)
SMALL_CHUNK = 16
"""So small that much is left to do whenever something is killed."""


def client(path: Path, address: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", CLIENT, str(path), address]
    return started(command, path.with_suffix(".log"))


def parts(path: Path) -> list[Path]:
    return list(path.with_name(f"{path.name}.parts").glob("*.parquet"))


def wait_for_parts(path: Path, more: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until some more chunks are written than there are."""
    wanted, end = len(parts(path)) + more, time.monotonic() + 120
    while len(parts(path)) < wanted:
        is_alive = process.poll() is None and time.monotonic() < end
        assert is_alive, path.with_suffix(".log").read_text()
        time.sleep(0.05)


@pytest.mark.slow
def test_a_sweep_survives_its_worker_its_scheduler_and_its_client(
    cluster: Cluster, expected: Path, tmp_path: Path
) -> None:
    path = tmp_path / "designs.parquet"
    cluster.start_scheduler()
    cluster.start_workers()
    # The client is killed.
    first = client(path, cluster.address)
    wait_for_parts(path, 1, first)
    first.kill()
    first.wait()
    # Then a worker dies: the other takes its chunks. Then the scheduler: the client gives up.
    second = client(path, cluster.address)
    wait_for_parts(path, 1, second)
    cluster.kill("first")
    wait_for_parts(path, 2, second)
    cluster.kill("scheduler")
    assert second.wait(timeout=120) != 0
    assert "resume=True" in path.with_suffix(".log").read_text()
    cluster.close()
    # A new cluster goes on.
    assert 4 <= len(parts(path)) < COUNT / SMALL_CHUNK
    cluster.start_scheduler()
    cluster.start_workers()
    last = client(path, cluster.address)
    assert last.wait(timeout=200) == 0, path.with_suffix(".log").read_text()
    check_same(path, expected)
