"""The page "How good are the numbers", written from measurements and the devices that ship."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from costmodel import CostModelError
from costmodel.formats import format_name
from costmodel.units import format_quantity
from costmodel_validation.checking import (
    Checked,
    Conditions,
    Summary,
    System,
    one_of_each,
    systems,
)
from costmodel_validation.measurements import (
    Measurement,
    measurements_in,
    shipped_measurements,
)
from costmodel_validation.misses import section
from costmodel_validation.silicon import tables as silicon

if TYPE_CHECKING:
    from costmodel.devices import Device
    from costmodel.registry import Registry

INTRODUCTION: Final = """\
# How good are the numbers

Written by `python validation/write_accuracy.py`; a test fails if it is stale.

Every device of class `processor` says how well its times are known. There are three kinds:

- **Measured itself.** Five figures of a runtime (a share of the peak rate, two shares of the bandwidth, two overheads) are fitted
  to published measurements; where few networks were measured, some of them are assumed, or those of all GPUs together (TensorRT). The error is that of networks that were left out of the fit: each fifth of the networks is predicted from the
  other four, and each family of networks from all others.
- **Borrowed.** Nobody measured the device. It has the shares of its nearest relative, and its own peaks. The interval is at least a
  factor of 4 from end to end.
- **Assumed.** Nobody measured a relative either. The shares are usual ones, with a range.

The interval of an estimate holds about 8 of 10 measured times in its format: of networks that were left out, and of families of networks
that were left out, whichever is wider at each end. Of nine networks or families or more, one in ten further ones is expected beyond each end at most, for any distribution
(hierarchical conformal prediction: `costmodel_validation.fits.conformal`). With fewer nothing can be promised: the ends are P10 and P90 of measured over predicted times
of networks, and of that family that was predicted worst. A batch or a format that nobody measured has an interval from 0.2 to 5 times the prediction. Where fewer than
six networks were measured in a format, the interval is at least 0.5 to 2 times the prediction.

`costmodel validate` computes the tables of this page, `costmodel validate NAME --rows` every row. The
measurements and their sources are in `validation/costmodel_validation/measured`, all predictions in `predicted.csv` beside it.
"""
DEVICES: Final = """\
# All devices

Written by `python validation/write_accuracy.py`; a test fails if it is stale. `costmodel devices show NAME` has every figure of
one with its range, evidence and source. Times are those of the runtime that the device has at first; [How good are the
numbers](accuracy.md) explains the errors.
"""
LEFT_OUT: Final = """
## Errors on what was left out of the fit

| device | runtime | median error |
|---|---|---|
"""
UNSEEN: Final = """
## Intervals on what was left out

Here the interval was left out, too: it comes from a fit and a cross-validation without the part that is predicted. Networks leave in
fifths, families and devices one by one. A device that is left out has the figures of that measured device which
predicts the others best, and its own peaks; a microcontroller has the shape that all other boards share, at the scale of its
other networks. `costmodel validate --left-out families` computes such a table.

| left out | device | runtime | rows | median error | within 30 % | rank correlation | inside | high/low |
|---|---|---|---:|---:|---:|---:|---:|---:|
"""
LEFT_OUT_TABLE: Final = "left_out.csv"
LEFT_OUT_COLUMNS: Final = (
    "left_out", "device", "runtime", "rows", "median_error", "within_30_percent",
    "rank_correlation", "inside", "interval",
)  # fmt: skip
PREDICTED_TABLE: Final = "predicted.csv"
PREDICTED_COLUMNS: Final = (
    "device", "runtime", "network", "batch", "format", "weights", "input_shapes", "seconds",
    "seconds_low", "seconds_high", "energy_joules",
)  # fmt: skip
FITTED: Final = """
## Predicted against measured

All measurements against the devices that ship, which were fitted to them. Where few networks were measured, look at
the table above: the error here is that of the fit itself. *Inside* is the share of measured times that the interval holds, *high/low* its
median width.

| device | runtime | rows | median error | within 10 % | within 30 % | rank correlation | P10 to P90 | inside | high/low | energy error |
|---|---|---:|---:|---:|---:|---:|---|---:|---:|---:|
"""
UNFITTED_TABLE: Final = "unfitted.csv"
NEVER_FITTED: Final = """
## Measurements that entered no fit

The A40 and the Quadro RTX 8000 were never fitted: they have the efficiencies of a relative, with their own peak rates and bandwidth. Times are those of
a batch on one of several accelerators (MLPerf Inference v1.0, offline; the logs do not state the batch). The A40 borrows from the A100 of its own rated power; with the
figures of the 40 GB board of 250 W, from which it borrowed before, its errors are 21 to 28 %.

RetinaNet was left out of the fits of the A100: what was measured includes the suppression of boxes, which sorts 32 million scores of an image, and
which no network here has. One row of the T4 was left out: 195 samples a second, where NVIDIA's harness of the same version expects 430 in int8 and
210 in float16 (`closed/NVIDIA/configs/bert/Offline/config.json`).

Of language models the time is that of one step: a token, or 512 tokens of a prompt. The relative was chosen by maker and generation, not by errors.

Five further sets of 78 rows each were predicted before they entered a fit, with the figures of the one device that was measured under the runtime, and with their own
peaks: PyTorch in eager mode, from the RTX 3090, on the RTX 4090 (8 % median error with channels last, 19 % with channels first), on the RTX 5090 (5 %) and on the
RTX PRO 6000 Max-Q (8 %), both with channels first; and compiled PyTorch, from the Core i9-10940X, on the Core i7-12700H (31 %, probably because a
laptop's processor of 45 W does not hold the clock that its peak rate is stated at). They are fitted now; *devices* in the table of what was left out repeats the comparison without them.

| device | runtime | network | conditions | measured | predicted | error | inside |
|---|---|---|---|---:|---:|---:|---|
"""
LIMITS: Final = """
## What this does not say

- Times of microcontrollers are fitted to four networks. All boards have the same shares, and each has a scale of its own.
  If the autoencoder or the residual network is left out, one share is not determined: errors on these two are above 20 %.
- TensorRT was measured with four networks in int8: ResNet-50, BERT-large, SSD-ResNet34 and SSD-MobileNet v1. All GPUs have the same shares of the
  bandwidth, which two of them determine: where ResNet-50 or SSD-MobileNet is left out, it takes 0.6 to 1.3 times as long as predicted. BERT-large takes
  0.80 to 1.10 times as long as the others say on the A100, 1.34 on the T4, and 1.4 to 2.1 on Xavier, whose GPU multiplies matrices at a lower
  share of its peak than it convolves: SSD-ResNet34 takes 0.4 to 0.6 times as long there, and one share cannot serve both.
- Boxes are neither decoded nor suppressed in the networks of the detectors. Their time is part of what was measured.
- That TensorRT adds shortcuts within convolutions was written down after the errors on SSD-MobileNet had been seen (its time at large batches was
  1.7 to 2.1 times the prediction); NVIDIA documents it. So was the weight with which shares are drawn to usual ones, that of the microcontrollers.
- Sequences of BERT-large have 177 tokens, the mean of SQuAD v1.1: NVIDIA's engines remove the padding to 384. Other engines may compute it.
- Of Jetson AGX Xavier, MLPerf's offline runs of convolutional networks use two accelerators beside the GPU: runtime `tensorrt-dla`, at their common peak.
- The form of the model was chosen while looking at these tables, but where a nested choice is shown above. That an interval has to hold the worst of few families, and that each format has
  its own, was decided after widths and coverage had been seen: with one interval for all formats of a runtime, their median high/low was 2.04 on networks left out. The rule for nine
  and more was written down before it was measured, with the condition that this median stay at 2 or less. The
  rows of BERT-large and SSD-ResNet34 of devices that were never fitted were seen when the lender of the A40 was chosen.
- A GPU that was measured at batches of 96 and more is not known at batch 1, where overheads decide. Times below the shortest that
  was measured in a format have the interval of unmeasured conditions.
- Under PyTorch, GPUs were measured in float16 alone (automatic mixed precision). Runtimes have the layout that was measured: `pytorch-eager` with channels last,
  `pytorch-eager-nchw` and `pytorch-compiled` with channels first. Versions are 2.4 to 2.9. On the RTX 4090
  with channels first they differ by 1 % in the median; compiled by 2 %, and by a factor of 1.5 at most.
- What `torch.compile` makes one kernel of (`COMPILED` in `validation/make_devices.py`) is an assumption without a source, written down before its errors were seen.
  Lenders of PyTorch follow the generation of a GPU; errors between some of these devices had been seen by then.
- No recurrent network was measured on a device that ships. The overhead of a step is one measurement of cuDNN, and two on one core of a CPU.
- Language models were measured under llama.cpp alone: one to three models of one architecture on a device, so that a model left out is like the
  others, and intervals are at least 0.5 to 2. Where one model was measured, the error above is that of the fit. Many steps of a text are one
  measurement: the mean step, with the mean number of cached tokens. Builds of 2023 to 2025 differ, by up to a fifth where a prompt is read; the time of narrow weights that are
  widened before a product is in no term, and attention that is one kernel (flash attention) was measured on the GB10 alone.
- Fitted shares of language models are not to be read one by one: long prompts are slow in the attention, and its score tensors take what is called
  the bandwidth of all other work. A prompt on the RTX 4080 then needs all of its peak for the products.
- The power of a device is its mean power while networks run. It hardly depends on the network, so the error of the energy is that of
  the time, and that of the power where it is assumed.
- Cooling, clocks that change, and other programs on the machine are in no prediction.
"""


def page(registry: Registry) -> str:
    """The page, in Markdown, from the predictions that `write_accuracy.py` wrote down."""
    found = systems(shipped_measurements(), registry, predicted=read_predictions())
    unseen = [f"| {' | '.join(row)} |\n" for row in left_out_rows()]
    return "".join([
        INTRODUCTION, LEFT_OUT, *_left_out(found), UNSEEN, *unseen, FITTED, *map(_row, found),
        *_never_fitted(registry), section(), _unmeasured(registry), silicon.section(registry),
        LIMITS,
    ])  # fmt: skip


def devices_page(registry: Registry) -> str:
    """Every device that ships, by class, with the error of its times and its sources."""
    by_class: dict[str, list[Device]] = {}
    for name in registry.device_names:
        device = registry.device(name)
        by_class.setdefault(device.family, []).append(device)
    parts = [DEVICES]
    for family, devices in sorted(by_class.items()):
        parts.append(
            f"\n## Class `{family}`\n\n| device | | times | sources |\n|---|---|---|---|\n"
        )
        parts += [_device_row(device) for device in devices]
    return "".join(parts)


def _device_row(device: Device) -> str:
    figures = [*device.parameters.values()]
    sources = dict.fromkeys(one.source for one in figures if one.source)
    times = "modelled, not fitted" if "timed" in device.capabilities else "not modelled"
    if device.known:
        times = f"{device.runtime}: {device.known}"
    if not device.known and device.runtime:
        times = device.runtime
    cells = [f"`{device.name}`", device.title, times, "; ".join(sources)]
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"


def predicted_table(predicted: Mapping[Conditions, Checked]) -> str:
    """One prediction in each row, in the order of the measurements that ship, to six digits."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(PREDICTED_COLUMNS)
    for conditions in one_of_each(shipped_measurements()):
        one = predicted[conditions]
        energy = one.energy_joules
        writer.writerow([
            *_named(conditions), f"{one.seconds:.6g}", f"{one.seconds_low:.6g}",
            f"{one.seconds_high:.6g}", "" if energy is None else f"{energy:.6g}",
        ])  # fmt: skip
    return lines.getvalue()


def read_predictions() -> Mapping[Conditions, Checked]:
    """The table that `predicted_table` gives, beside the first measurement of each row.

    Raises:
        CostModelError: its rows are not those of the measurements that ship.

    """
    text = (files("costmodel_validation") / PREDICTED_TABLE).read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))[1:]
    asked = one_of_each(shipped_measurements())
    if [row[:-4] for row in rows] != [_named(conditions) for conditions in asked]:
        message = (
            f"{PREDICTED_TABLE}: expected a row for each system, network and scenario of the "
            "measurements; write it again: python validation/write_accuracy.py"
        )
        raise CostModelError(message)
    found = {}
    for row, (conditions, one) in zip(rows, asked.items(), strict=True):
        usual, low, high = map(float, row[-4:-1])
        found[conditions] = Checked(one, usual, low, high, float(row[-1]) if row[-1] else None)
    return found


def _named(conditions: Conditions) -> list[str]:
    device, runtime, network, scenario = conditions
    weights = {name: format_name(number) for name, number in scenario.weights.items()}
    given = scenario.input_shapes
    by_input = given if isinstance(given, Mapping) else {"*": given}
    shapes = {name: "x".join(map(str, shape)) for name, shape in by_input.items()}
    return [
        device, runtime, network, str(scenario.batch), format_name(scenario.default_format),
        _by_name(weights), _by_name(shapes),
    ]  # fmt: skip


def _by_name(values: Mapping[str, str]) -> str:
    """Values as the tables of measurements write them: one for all, or each with its name."""
    return ";".join([text if name == "*" else f"{name}={text}" for name, text in values.items()])


def left_out_rows() -> list[list[str]]:
    """What `write_accuracy.py` found with each part left out, cell by cell."""
    text = (files("costmodel_validation") / LEFT_OUT_TABLE).read_text(encoding="utf-8")
    return list(csv.reader(text.splitlines()))[1:]


def left_out_table(summaries: Iterable[tuple[str, Summary]]) -> str:
    """The figures of parts that were left out, as the table that `left_out_rows` reads."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(LEFT_OUT_COLUMNS)
    for part, one in summaries:
        rank = one.rank_correlation
        writer.writerow([
            part, one.device, one.runtime, one.rows, f"{one.median_error:.0%}",
            f"{one.within_30_percent:.0%}", "" if rank is None else f"{rank:.2f}",
            f"{one.inside:.0%}", f"{one.interval:.1f}",
        ])  # fmt: skip
    return lines.getvalue()


def _left_out(found: Iterable[System]) -> Iterable[str]:
    fitted_alone = []
    for one in found:
        error, stated, on = one.summary.known.partition(" median error on ")
        if stated:
            yield f"| `{one.summary.device}` | {one.summary.runtime} | {error} on {on} |\n"
        else:
            fitted_alone.append(
                f"`{one.summary.device}` {one.summary.runtime} ({one.summary.rows})"
            )
    yield (
        "\nOf these nothing could be left out, so no error can be stated (measurements in brackets): "
        f"{', '.join(fitted_alone)}.\n"
    )


def _row(system: System) -> str:
    one = system.summary
    energy = one.median_energy_error
    rank = one.rank_correlation
    cells: Sequence[str] = (
        f"`{one.device}`", one.runtime, str(one.rows), f"{one.median_error:.0%}",
        f"{one.within_10_percent:.0%}", f"{one.within_30_percent:.0%}",
        "" if rank is None else f"{rank:.2f}", f"{one.p10:.2f} to {one.p90:.2f}",
        f"{one.inside:.0%}", f"{one.interval:.1f}", "" if energy is None else f"{energy:.0%}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def unfitted_measurements() -> tuple[Measurement, ...]:
    """What was measured on devices that borrow the figures of others, and entered no fit."""
    file = files("costmodel_validation") / UNFITTED_TABLE
    return measurements_in(file.read_text(encoding="utf-8").splitlines(), UNFITTED_TABLE)


def _never_fitted(registry: Registry) -> Iterable[str]:
    yield NEVER_FITTED
    for system in systems(unfitted_measurements(), registry):
        for one in system.rows:
            shown = [format_quantity(x, "s") for x in (one.measurement.seconds, one.seconds)]
            inside = "yes" if one.is_inside else "no"
            yield (
                f"| `{system.summary.device}` | {system.summary.runtime} | {one.measurement.network} "
                f"| {one.measurement.conditions.replace('|', '/')} | {shown[0]} | {shown[1]} | {one.error:.0%} | {inside} |\n"
            )


def _unmeasured(registry: Registry) -> str:
    devices = [registry.device(name) for name in registry.device_names]
    names = [one.name for one in devices if one.known.startswith("not measured")]
    listed = ", ".join(f"`{name}`" for name in names)
    return f"\n## Not measured\n\nBorrowed or assumed, under the runtime that they have at first: {listed}.\n"
