"""The section "What is missed, and why" of the page about accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from costmodel_validation.fits.floors import DRAWS, read_floors

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
CLOCKS: Final = """
### Clocks that rise with the work

Under Arm NN 22.05 the networks with most arithmetic run faster than the rest: on the RK3588S, MobileNet v1 of full width takes less time at 160 x 160
than at 128 x 128 (float32, mean of the run). Governors that raise clocks, and schedulers that move threads to large cores, when the load is high would do that; the logs have no clocks. *Fixed* is the model. *Sublinear*: the time grows with a
power of the sum over groups, 0.7 to 1. *Two speeds*: networks with more arithmetic than a border take a multiple of the time. Power, border and multiple are
fitted for each format, without what is left out. *Nested* is the error under that of the three that suits all other systems best.

| device | runtime | networks: fixed | sublinear | two speeds | nested | families: fixed | sublinear | two speeds | nested |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""
NOT_CLOCKED: Final = """
This is the part of the miss of `rk3588s` and `a311d2` under Arm NN that a model could follow, and the devices leave it out. A time that is not a sum over groups has no
share of each layer, and no change of one layer could be priced alone. With two speeds, a network with more work takes less time than one with less, which a search for
designs would use. And the border would be that of a governor in one run: whoever fixes the clock of the same board has another, or none. Both laws, and arithmetic as what
the border is about, were tried while looking at these errors; only the choice among the three is nested.
"""
FEW: Final = """
### Two families alone

On `rk3399` and its Mali, Arm NN was measured on 11 networks of two families only: five sizes of EfficientNet-lite, and MobileNet v3. *The same rows* are the errors of
each system that has all these networks, from these rows alone, in the same formats; *drawn* is the median of {draws} draws of as many of its rows at random, with P10 and P90.

| device | runtime | networks: all rows | the same rows | families: all rows | the same rows | drawn | P10 | P90 |
|---|---|---:|---:|---:|---:|---:|---:|---:|
"""
FEW_SAID: Final = """
So the {rk3399:.0%} of `rk3399` are those of these two families on this core: the `raspberry-pi-4`, of the same core and the same version of Arm NN, misses {pi_families_same:.0%} on
the same rows and {pi_families_all:.0%} with all of them. Five sizes of one network do not tell all shares apart; as many rows of four families do better ({pi_families_drawn:.0%} in the median).
Of the {others} systems with all rows, {alike} miss 20 % on the same rows. Networks left out, too, are further off with few: {pi_networks_same:.0%} and {pi_networks_all:.0%} on
the `raspberry-pi-4`, and so in {worse} of {others} systems.
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
- `rk3588s` under Arm NN: even the shortest batches of these runs were disturbed. {inverted:.1%} of the pairs of which one network has more of every sum are inverted there ({next_inverted:.1%} on
  the next system): whatever rises with the sums misses one of the two. Where the shortest batch is late, the mean is near to it (rank correlation {late:.2f}), so that the shortest batches miss by
  {armnn_rk3588s:.0%}; {float32:.0%} in float32, {int8:.0%} in int8. What can be followed is that clocks rise with the work: {two_speeds:.0%} on networks and {two_speeds_families:.0%} on families with two speeds.
  A learner on the mean times reaches {learner:.0%} for networks like those that it saw, and {learner_families:.0%} on families.
- `rk3399` under Arm NN misses families because two were measured: on the same rows, so does the `raspberry-pi-4`. Of networks, it misses those in int8, of
  which there are eight: {few_int8:.0%} on shortest batches, and {few_float32:.0%} in float32.
- On families, the learner without the model is further off than the model in {worse} of {systems} systems.
- Of devices predicted by another, {lenders} of {devices} miss 15 % even with the lender that turns out best: peak rates and bandwidths do not determine the shares that a
  runtime reaches. GPUs of NVIDIA under PyTorch are alike: all but the RTX 4090 with channels first are within 11 %.
- The A40 and the Quadro RTX 8000 are eight rows, of two submitters, and no GPU of Turing but the T4 of 70 W was
  measured. Submissions for one and the same accelerator differ by {repeats:.0%} in the median, and by a factor of {ratio:.2f} at most: their scatter does not explain this miss.
"""


def section() -> str:
    """The section, in Markdown, from the figures that `write_accuracy.py` found."""
    found = read_floors()
    boards = found["boards"]["", ""]
    return "".join([
        HEAD, *_rows(found["runs"], _run), FORMS, *_rows(found["forms"], _form),
        BOARDS.format(**boards), CLOCKS, *_rows(found["clocks"], _clock), NOT_CLOCKED,
        FEW.format(draws=DRAWS), *_rows(found["few"], _few), FEW_SAID.format(**_few_said(found)),
        LENDERS, *_rows(found["lenders"], _lender), REPEATS,
        *_rows(found["repeats"], _repeat), SUMMARY.format(**_summary(found)),
    ])  # fmt: skip


def _summary(found: _Found) -> dict[str, float]:
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
        "inverted": runs[_ARMNN]["inverted_shortest"],
        "next_inverted": max(
            one["inverted_shortest"] for system, one in runs.items() if system != _ARMNN
        ),
        "late": runs[_ARMNN]["late_shortest"],
        "float32": runs[_ARMNN]["shortest_float32"],
        "int8": runs[_ARMNN]["shortest_int8"],
        "few_float32": runs[_FEW]["shortest_float32"],
        "few_int8": runs[_FEW]["shortest_int8"],
        "two_speeds": found["clocks"][_ARMNN]["two_speeds_networks"],
        "two_speeds_families": found["clocks"][_ARMNN]["two_speeds_families"],
        "worse": sum(one["families_learner"] > one["families"] for one in on_families),
        "systems": len(on_families),
        "lenders": sum(one["best_lender"] > 0.15 for one in lenders.values()),  # noqa: PLR2004  # the aim
        "devices": len(lenders),
        "repeats": most["scatter"],
        "ratio": most["longest_over_shortest"],
    }  # fmt: skip


def _few_said(found: _Found) -> dict[str, float]:
    of_pi = found["few"]["raspberry-pi-4", "armnn"]
    others = [one for one in found["few"].values() if "families_all" in one]
    return {
        **{f"pi_{name}": value for name, value in of_pi.items()},
        "rk3399": found["few"][_FEW]["families_same"],
        "alike": sum(one["families_same"] > 0.2 for one in others),  # noqa: PLR2004  # the aim
        "worse": sum(one["networks_same"] > one["networks_all"] for one in others),
        "others": len(others),
    }


_ARMNN: Final = ("rk3588s", "armnn")
_FEW: Final = ("rk3399", "armnn")
Figures = Mapping[str, float]
_Found = Mapping[str, Mapping[tuple[str, str], Figures]]


def _rows(
    found: Mapping[tuple[str, str], Figures], cells: Callable[[Figures], Iterable[str]]
) -> Iterator[str]:
    for (device, runtime), figures in found.items():
        yield f"| `{device}` | {runtime} | {' | '.join(cells(figures))} |\n"


def _percent(figures: Figures, *names: str) -> list[str]:
    return [f"{figures[name]:.0%}" if name in figures else "" for name in names]


def _run(figures: Figures) -> list[str]:
    kinds = ("", "_shortest", "_learner", "_corrected")
    names = [f"{part}{one}" for part in _PARTS for one in kinds]
    return [
        f"{figures['mean_over_shortest']:.2f}",
        *_percent(figures, "scatter", "disturbed", *names),
        *[f"{figures[name]:.2f}" for name in ("rank", "rank_shortest")],
    ]


def _form(figures: Figures) -> list[str]:
    return _percent(
        figures, "overlap_networks", "nested_networks", "overlap_families", "nested_families"
    )


def _clock(figures: Figures) -> list[str]:
    kinds = ("fixed", "sublinear", "two_speeds", "nested")
    return _percent(figures, *[f"{one}_{part}" for part in _PARTS for one in kinds])


def _few(figures: Figures) -> list[str]:
    of_families = [f"families_{one}" for one in ("all", "same", "drawn", "drawn_p10", "drawn_p90")]
    return _percent(figures, "networks_all", "networks_same", *of_families)


_PARTS: Final = ("networks", "families")


def _lender(figures: Figures) -> list[str]:
    return _percent(figures, "best_lender", "best_lender_and_scale", "own_fit")


def _repeat(figures: Figures) -> list[str]:
    ratio = f"{figures['longest_over_shortest']:.2f}"
    return [f"{figures['rows']:.0f}", *_percent(figures, "scatter"), ratio]
