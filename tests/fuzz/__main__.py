"""Fuzz every door: `python -m fuzz --help`, in the folder `tests`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, TypeAlias

import click
from fuzz import bytewise, duplicates, outputs, structure
from fuzz.drawing import Bounds
from fuzz.judging import ROOT
from fuzz.targets import TARGETS

from costmodel.report.table import Column, Table

DRAWN: Final = ("structure", "duplicates", "outputs")
"""What is drawn in whole examples: changed trees, keys that stand twice, paths of results."""
DRAWN_SHARE: Final = 0.5
"""The part of the time of each, that of all changes of bytes being one."""

Outcome: TypeAlias = tuple[bytewise.Counts, int]
"""What was done, and the number of distinct findings."""

_TAIL: Final = 3000
"""Characters of a traceback or a log that are shown."""
_PATHS: Final = ("tests", "", "plugins", "hardware")


@click.command()
@click.option("--seconds", default=60.0, help="How long, all doors together.")
@click.option("--runs", default=-1, help="Changes of bytes, all doors together; -1 for any number.")
@click.option("--examples", default=-1, help="Examples of what is drawn, each; -1 for any number.")
@click.option("--door", "doors", multiple=True, type=click.Choice([*TARGETS, *DRAWN]))
@click.option("--more", type=click.Path(path_type=Path), help="A folder of further JSON networks.")
@click.option("--keep", type=click.Path(path_type=Path), help="Where findings stay.")
@click.option("--seed", default=1, help="What the changes are drawn from.")
def main(
    *, seconds: float, runs: int, examples: int, doors: tuple[str, ...], more: Path | None,
    keep: Path | None, seed: int,
) -> None:  # fmt: skip
    """Change real files at random and judge what the readers answer."""
    if bytewise.atheris is None:
        click.echo("NOTE: atheris is not installed, so that changes of bytes are drawn blindly")
    folder = keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    networks = sorted(more.rglob("*.json")) if more else []
    chosen = doors or (*TARGETS, *DRAWN)
    shares = {name: target.share for name, target in TARGETS.items() if name in chosen}
    of_bytes = sum(shares.values())
    drawn = [name for name in DRAWN if name in chosen]
    total = of_bytes + DRAWN_SHARE * len(drawn)
    outcomes: dict[str, Outcome] = {}
    for name, share in shares.items():
        part = max(round(runs * share / of_bytes), 1) if runs >= 0 else -1
        time = seconds * share / total
        outcomes[name] = _bytes(name, folder / name, networks, part, time, seed)
    for name in drawn:
        bounds = Bounds(examples, seconds * DRAWN_SHARE / total, seed)
        outcomes[name] = _drawn(name, bounds, networks, folder)
    _tell(outcomes, folder)


def _drawn(name: str, bounds: Bounds, networks: list[Path], folder: Path) -> Outcome:
    match name:
        case "structure":
            return structure.run(bounds, networks, folder)
        case "duplicates":
            return duplicates.run(bounds, networks, folder)
    return outputs.run(bounds, folder)


def _bytes(
    name: str, folder: Path, networks: list[Path], runs: int, seconds: float, seed: int
) -> Outcome:
    folder.mkdir(parents=True)
    for index, content in enumerate(TARGETS[name].seeds(networks)):
        (folder / f"seed-{index:04}").write_bytes(content)
    words = [sys.executable, "-m", "fuzz.bytewise", name, folder, runs, seconds, seed]
    paths = [str(ROOT / path) for path in _PATHS]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*paths, *sys.path])}
    log = folder / "log"
    with log.open("wb") as written:
        done = subprocess.run(
            list(map(str, words)), env=environment, check=False, stdout=written, stderr=written
        )
    counts = bytewise.read_counts(folder)
    found = [path for path in folder.glob(f"{bytewise.FOUND}*") if path.suffix != ".txt"]
    if not found and (done.returncode or not counts.changes):
        tail = log.read_text(errors="replace")[-_TAIL:]
        message = f"{name} ended with {done.returncode} after {counts.changes:,} changes: {tail}"
        raise click.ClickException(message)
    return counts, len(found)


def _tell(outcomes: dict[str, Outcome], folder: Path) -> None:
    titles = ("changes", "results", "slowest (s)", "findings")
    columns = [Column("door"), *[Column(title, numeric=True) for title in titles]]
    rows = [
        (name, f"{counts.changes:,}", f"{counts.results:,}",
         f"{counts.slowest_microseconds / 1e6:.2f}", str(found))
        for name, (counts, found) in outcomes.items()
    ]  # fmt: skip
    click.echo(Table("Fuzzing", columns, rows).text())
    for path in sorted(folder.rglob(f"{bytewise.FOUND}*.txt")):
        click.echo(f"\n{path}\n{path.read_text()[-_TAIL:]}")
    findings = sum(found for _, found in outcomes.values())
    if findings:
        message = f"{findings} findings in {folder}"
        raise click.ClickException(message)


if __name__ == "__main__":
    main()
