"""The section "What is missed, and why" of the page about accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from costmodel_validation.fits.floors import read_floors

HEAD: Final = """
## What is missed, and why

The aims were: 8 % on networks left out for Arm CPUs (10 % for Mali), 20 % on families and on microcontrollers, 12 to 15 % on devices that were
never fitted. The figures below show what the measurements themselves allow. `costmodel_validation.fits.floors` computes them
(`python validation/write_accuracy.py --left-out`).

### Runs that were disturbed

MLPerf states the mean of a run. On some systems single batches take up to ten times as long as others of the same run, because of clocks that change
and of threads that move to slower cores. *Mean / shortest* is the median of mean time over the time of the shortest batch, and *scatter* by how much this
ratio differs between networks (median deviation from its median): a factor that no property of a network tells. *Disturbed* is the share of networks of which one batch in ten takes more than
1.5 times as long as the shortest. *Shortest* is the error of the same model, fitted to the shortest batches and predicting those of what was left out. *Learner* is a Gaussian process on the
sums that the model adds up (arithmetic, traffic, other traffic, numbers of groups), without the model; *both* is the model with such a process on top.

| device | runtime | mean / shortest | scatter | disturbed | networks: error | shortest | learner | both | families: error | shortest | learner | both | rank | rank, shortest |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
"""
LENDERS: Final = """
### Devices predicted by another device

*Best lender* is the device whose figures turn out to suit best, which nobody knows before measuring; *and scale*: the same with all times
multiplied by one factor, also known afterwards only; *own fit* is the error of the fit to the device itself.

| device | runtime | best lender | and scale | own fit |
|---|---|---:|---:|---:|
"""
FORMS: Final = """
### A form that was chosen

Arm boards and phones do not overlap traffic with arithmetic: a change of the model after its misses were known. *Nested* is the error of each system under the form that suits all other systems best, so that its own errors
took no part in the choice.

| device | runtime | networks: before | nested | families: before | nested |
|---|---|---:|---:|---:|---:|
"""
BOARDS: Final = """
MLPerf Tiny, one network left out of all boards: {networks_before:.0%} before, {networks_nested:.0%} now. Loads and arithmetic of a Cortex-M follow each other in one
pipeline, and with three networks the shares stay nearer to usual ones. How near, and whether they follow each other, was chosen for the boards of each runtime
by the errors of the boards of all other runtimes; all boards run the same four networks, so the choice is not quite independent. With hindsight, ratios of
the four networks that are the same on all boards and runtimes miss by {hindsight:.0%}: runtimes differ by that much.
"""
REPEATS: Final = """
### Measurements that were repeated

The same network, batch and format on the same accelerator, from several submitters and servers. No model of device and network can be closer to single rows than
their scatter (median deviation from the median).

| device | runtime | rows | scatter | longest / shortest |
|---|---|---:|---:|---:|
"""


SUMMARY: Final = """
In short:

- `rk3399` and `rk3588s` under TFLite and `a311d2` under Arm NN miss 8 % because of the runs: on their shortest batches the same model misses by
  {tflite_rk3399:.0%}, {tflite_rk3588s:.0%} and {armnn_a311d2:.0%}, and the rank correlation of `rk3588s` is {rank:.2f}. A learner follows some of the disturbance from one
  network to its neighbours (*learner*, networks), not to another family.
- `rk3588s` under Arm NN is only in part explained: {armnn_rk3588s:.0%} on its shortest batches. A learner on the mean times reaches {learner:.0%} for networks like those
  that it saw, and {learner_families:.0%} on families, so what it learns holds for neighbours alone.
- On families, the learner without the model is further off than the model in {worse} of {systems} systems.
- Of devices predicted by another, {lenders} of {devices} miss 15 % even with the lender that turns out best: peak rates and bandwidths do not determine the shares that a
  runtime reaches.
- The A40 and the Quadro RTX 8000 are three rows; submissions for one and the same accelerator differ by {repeats:.0%} (median) and up to a factor of {ratio:.2f}.
"""


def section() -> str:
    """The section, in Markdown, from the figures that `write_accuracy.py` found."""
    found = read_floors()
    boards = found["boards"]["", ""]
    return "".join([
        HEAD, *_rows(found["runs"], _run), FORMS, *_rows(found["forms"], _form),
        BOARDS.format(**boards), LENDERS, *_rows(found["lenders"], _lender), REPEATS,
        *_rows(found["repeats"], _repeat), SUMMARY.format(**_summary(found)),
    ])  # fmt: skip


def _summary(found: Mapping[str, Mapping[tuple[str, str], Figures]]) -> dict[str, float]:
    runs, lenders = found["runs"], found["lenders"]
    disturbed = [("rk3399", "tflite"), ("rk3588s", "tflite"), ("a311d2", "armnn"), _ARMNN]
    on_families = [one for one in runs.values() if "families" in one]
    most = max(found["repeats"].values(), key=lambda one: one["scatter"])
    return {
        **{f"{runtime}_{name}": runs[name, runtime]["networks_shortest"]
           for name, runtime in disturbed},
        "rank": runs["rk3588s", "tflite"]["rank_shortest"],
        "learner": runs[_ARMNN]["networks_learner"],
        "learner_families": runs[_ARMNN]["families_learner"],
        "worse": sum(one["families_learner"] > one["families"] for one in on_families),
        "systems": len(on_families),
        "lenders": sum(one["best_lender"] > 0.15 for one in lenders.values()),  # noqa: PLR2004  # the aim
        "devices": len(lenders),
        "repeats": most["scatter"],
        "ratio": most["longest_over_shortest"],
    }  # fmt: skip


_ARMNN: Final = ("rk3588s", "armnn")
Figures = Mapping[str, float]


def _rows(
    found: Mapping[tuple[str, str], Figures], cells: Callable[[Figures], Iterable[str]]
) -> Iterator[str]:
    for (device, runtime), figures in found.items():
        yield f"| `{device}` | {runtime} | {' | '.join(cells(figures))} |\n"


def _percent(figures: Figures, *names: str) -> list[str]:
    return [f"{figures[name]:.0%}" if name in figures else "" for name in names]


def _run(figures: Figures) -> list[str]:
    kinds = ("", "_shortest", "_learner", "_corrected")
    names = [f"{part}{one}" for part in ("networks", "families") for one in kinds]
    return [
        f"{figures['mean_over_shortest']:.2f}",
        *_percent(figures, "scatter", "disturbed", *names),
        *[f"{figures[name]:.2f}" for name in ("rank", "rank_shortest")],
    ]


def _form(figures: Figures) -> list[str]:
    return _percent(
        figures, "overlap_networks", "nested_networks", "overlap_families", "nested_families"
    )


def _lender(figures: Figures) -> list[str]:
    return _percent(figures, "best_lender", "best_lender_and_scale", "own_fit")


def _repeat(figures: Figures) -> list[str]:
    ratio = f"{figures['longest_over_shortest']:.2f}"
    return [f"{figures['rows']:.0f}", *_percent(figures, "scatter"), ratio]
