"""Write the device files of class `processor`: figures of data sheets, and fitted runtimes.

    pip install -e '.[fit]'
    python validation/make_devices.py            # every file; four minutes
    python validation/make_devices.py rtx-3090   # some

`parts.csv` holds what data sheets state, `costmodel_validation/measured` what was measured. A
device with measurements gets a fit of its own; one without borrows that of a relative, with its
own peaks; where no relative was measured, the shares are assumed, with a wide range.
"""

from __future__ import annotations

import csv
import functools
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from attrs import evolve

from costmodel.formats import format_name
from costmodel_hardware.processor.device import Processor
from costmodel_validation.fitting import (
    FITTED,
    CrossValidation,
    Fit,
    RuntimeFit,
    Terms,
    fit_runtime,
    fitted,
    full_speed,
    left_out,
    terms_of,
)
from costmodel_validation.measurements import Measurement, by_system, shipped_measurements
from costmodel_validation.writing import (
    UNMEASURED,
    UNMEASURED_SOURCE,
    loaded,
    power_of,
    rounded,
    runtime_of,
    written,
)

HERE: Final = Path(__file__).parent
FILES: Final = HERE.parent / "hardware" / "costmodel_hardware" / "processor"
HEAD: Final = "# Written by validation/make_devices.py: change its tables, not this file.\n"
FORMATS: Final = ("float32", "float16", "bfloat16", "int8")
EAGER: Final = {"fuses": ["bias", "padding"], "folds_normalization": False}
"""PyTorch in eager mode runs every activation and normalization as a kernel of its own."""
SETTINGS: Final = {"pytorch-eager": EAGER, "pytorch-eager-nchw": EAGER}

# ------------------------------------------------------------------ who borrows from whom

RELATIVES: Final[Mapping[str, Mapping[str, str]]] = {
    "gpu": {"pytorch-eager": "rtx-3090"},
    "cpu": {"pytorch-compiled": "core-i9-10940x"},
}
"""By the kind of a part: the runtimes that it borrows, and from which device."""
NEAREST: Final[Mapping[str, Mapping[str, str]]] = {
    "raspberry-pi-5": {"tflite": "rk3588s", "armnn": "rk3588s"},
    "s922x": {"tflite": "a311d2", "armnn": "a311d2"},
    "jetson-agx-orin-cpu": {
        "tflite": "jetson-agx-xavier-cpu",
        "armnn": "jetson-agx-xavier-cpu",
    },
    "nrf52840": {"microtvm-cmsis-nn": "stm32l4r5"},
    "stm32h743": {"x-cube-ai-9.0": "stm32h7a3", "plumerai": "stm32h7a3", "hale": "stm32h7a3"},
}
TENSORRT: Final = {
    "jetson-orin-nano": "jetson-agx-xavier", "jetson-orin-nano-super": "jetson-agx-xavier",
    "jetson-agx-orin": "jetson-agx-xavier", "rtx-2080-ti": "t4", "l4": "t4", "a2": "t4",
    "quadro-rtx-8000": "t4", "a10": "a100-pcie-40gb", "a30": "a100-pcie-40gb",
    "a40": "a100-pcie-40gb", "l40s": "a100-pcie-40gb", "a100-pcie-80gb": "a100-pcie-40gb",
    "h100-sxm": "a100-sxm-80gb", "h100-pcie": "a100-pcie-40gb", "h200-sxm": "a100-sxm-80gb",
    "b200": "a100-sxm-80gb", "rtx-3090": "a100-pcie-40gb", "rtx-4090": "a100-pcie-40gb",
    "rtx-5090": "a100-pcie-40gb", "rtx-3080": "a100-pcie-40gb", "rtx-4080": "a100-pcie-40gb",
    "rtx-a6000": "a100-pcie-40gb", "rtx-6000-ada": "a100-pcie-40gb",
}  # fmt: skip
"""For GPUs of NVIDIA: from which device they borrow TensorRT."""
ASSUMED: Final = {
    "tpu-": "xla", "ethos-": "vela", "edge-tpu": "edgetpu-compiler", "hailo": "hailort",
    "max78000": "ai8x", "ncs2": "openvino",
}  # fmt: skip
"""Runtimes of which nothing that fits was measured, by the beginning of the names of parts."""
DEFAULTS: Final = (
    "tensorflow", "pytorch-eager", "pytorch-compiled", "tflite", "x-cube-ai-9.0", "armnn",
    "plumerai", "hale", "microtvm-cmsis-nn", "onnc", "tflite-micro", "nntool", "syntiant",
)  # fmt: skip
"""The runtime that a device has at first: the first of these that it knows."""

# ------------------------------------------------------------------ what few measurements tell

FEW: Final = 10
"""With fewer rows not all figures can be fitted."""
BANDWIDTHS: Final = {"contraction_bandwidth_efficiency": 0.8, "bandwidth_efficiency": 0.7}
"""Assumed where one network alone was measured: what streaming kernels usually reach."""
CACHED: Final = {"contraction_bandwidth_efficiency": 1.5, "bandwidth_efficiency": 1.5}
"""Assumed of TensorRT, which fuses more than this model and keeps tensors in the last cache."""
KNOWN: Final[Mapping[str, Mapping[str, float]]] = {
    "tensorrt": {**CACHED, "overhead_per_call": 2e-5},
    "tensorrt-maxq": {**CACHED, "overhead_per_call": 2e-5},
    "tensorflow": BANDWIDTHS,
    "openvino": {**BANDWIDTHS, "overhead_per_operator": 1e-4, "efficiency": 0.3},
    "nntool": {
        "contraction_bandwidth_efficiency": 1.0, "bandwidth_efficiency": 1.0,
        "overhead_per_call": 1e-5,
    },
    "syntiant": {
        "contraction_bandwidth_efficiency": 1.0, "bandwidth_efficiency": 1.0,
        "overhead_per_call": 1e-5,
    },
}  # fmt: skip
"""Figures that are not fitted, by runtime."""
MICROCONTROLLER: Final = {"overhead_per_operator": 2e-6, "overhead_per_call": 1e-6}
"""Bare metal: a call is a function call. Per operator some hundred cycles, at 1 GOP/s."""
ALTERNATIONS: Final = 6
"""How often the scales of boards and the shape that they share are fitted in turn."""
BORROWED: Final = (0.5, 2.0)
"""Measured over predicted times with the figures of a relative, where no pair was measured."""
SHARES: Final = {"efficiency": (0.1, 0.3, 0.7), "bandwidth": (0.2, 0.5, 0.9)}
"""Low, value and high of shares that are assumed."""

ASSUMED_OVERHEADS: Final = {
    "overhead_per_operator": ("5 us", "25 us"),
    "overhead_per_call": ("100 us", "500 us"),
}
"""Value and high; low is 0."""


RATED: Final = "70 % of the rated power; 30 % to all of it"
"""What is assumed of processors of which the rated power alone is known."""


class Part(NamedTuple):
    """A device as its data sheet describes it: a file without runtimes, and the row."""

    raw: dict[str, Any]
    row: Mapping[str, str]


def parts() -> Mapping[str, Part]:
    """Every part of the table, by name."""
    with (HERE / "parts.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: Part(_raw(row), row) for row in csv.DictReader(file)}


def _raw(row: Mapping[str, str]) -> dict[str, Any]:
    given = {"source": "part", "evidence": row["evidence"]}
    noted = {**given, "note": row["note"]} if row["note"] else given
    peaks = {one: {"value": row[one], **noted} for one in FORMATS if row[one]}
    parameters: dict[str, Any] = {"peak_rate": peaks}
    if row["float16_fast"]:
        faster = {"float16": {"value": row["float16_fast"], **noted}}
        parameters["fast_accumulation_rate"] = faster
    if row["power"]:
        is_rated = row["kind"] in {"gpu", "cpu", "tpu"}
        parameters["busy_power"] = {
            "value": row["power"], "low": row["power_low"], "high": row["power_high"],
            "source": "part", "evidence": "assumed",
            "note": RATED if is_rated else row["note"] or "as the vendor states it, or assumed",
        }  # fmt: skip
    if row["idle_power"]:
        parameters["idle_power"] = {"value": row["idle_power"], **given, "note": "without work"}
    raw: dict[str, Any] = {
        "schema": "costmodel/device/2", "name": row["name"], "class": "processor",
        "title": row["title"],
    }  # fmt: skip
    if row["power"]:
        raw["assumes"] = f"the power is that {row['power_of']}"
    return {
        **raw,
        "sources": {"part": row["source"]},
        "parameters": parameters,
        "memories": _memories(row),
    }


def _memories(row: Mapping[str, str]) -> list[dict[str, Any]]:
    given = {"source": "part", "evidence": row["evidence"]}
    first = {"name": row["memory"], "size": row["memory_bytes"] or "unlimited"}
    memories = [{**first, "bandwidth": row["bandwidth"], **given}]
    if row["flash_bytes"]:
        memories[0]["holds"] = ["input", "output"]
        memories.append({
            "name": "flash", "size": row["flash_bytes"], "bandwidth": row["flash_bandwidth"],
            "holds": ["weight"], **given,
        })  # fmt: skip
    return memories


@functools.cache
def device(name: str, runtime: str) -> Processor:
    """A part under a runtime, with what is not measured left at full speed."""
    found = full_speed(loaded(parts()[name].raw, name))
    settings = SETTINGS.get(runtime, {})
    chosen: Any = {key: found.setting_names()[key](value) for key, value in settings.items()}
    return evolve(found, **chosen)


@functools.cache
def measured() -> Mapping[tuple[str, str], tuple[Measurement, ...]]:
    """What was measured, by device and runtime."""
    return by_system(shipped_measurements())


def measured_on(name: str) -> list[Measurement]:
    """What was measured on a device, under any runtime."""
    return [row for (known, _), rows in measured().items() if known == name for row in rows]


# ------------------------------------------------------------------ fits


@functools.cache
def own_fit(name: str, runtime: str) -> RuntimeFit | None:
    """The fit of a runtime that was measured on the device itself."""
    rows = measured().get((name, runtime))
    if rows is None:
        return None
    if parts()[name].row["kind"] == "mcu":
        return _on_microcontrollers(name, runtime)
    if len(rows) >= FEW and runtime not in KNOWN:
        return fit_runtime(device(name, runtime), rows)
    return _of_few(name, runtime, rows)


def _of_few(name: str, runtime: str, rows: Sequence[Measurement]) -> RuntimeFit:
    """A fit of some figures; rows of one network and batch are left out together."""
    at_full_speed = device(name, runtime)
    terms = [terms_of(at_full_speed, one) for one in rows]
    seconds = [one.seconds for one in rows]
    known = KNOWN.get(runtime, {})

    def fit(terms: Sequence[Terms], seconds: Sequence[float]) -> Fit:
        return fitted(terms, seconds, known)

    whole = fit(terms, seconds)
    groups = [f"{one.network} at {one.scenario.batch}" for one in rows]
    enough = len(FITTED) - len(known) < len(set(groups))
    if enough:
        ratios = left_out(terms, seconds, groups, fit)
        several = len({one.network for one in rows}) > 1
        words = "networks left out" if several else "batches left out"
    else:
        found = [time / whole.seconds(one) for one, time in zip(terms, seconds, strict=True)]
        ratios = CrossValidation(np.array(found), tuple(groups))
        words = "the conditions that were fitted"
    return _runtime_fit(whole, rows, ratios, words)


def _runtime_fit(
    fit: Fit, rows: Sequence[Measurement], ratios: CrossValidation, words: str
) -> RuntimeFit:
    batches = [one.scenario.batch for one in rows]
    formats = {one.scenario.default_format for one in rows}
    return RuntimeFit(
        fit, len(rows), len({one.network for one in rows}), ratios, None,
        (min(batches), max(batches)), tuple(sorted(formats, key=format_name)), words,
    )  # fmt: skip


class Board(NamedTuple):
    """A measurement of a microcontroller, with its terms at a rate of 1 GOP/s per overhead."""

    name: str
    runtime: str
    measurement: Measurement
    terms: Terms


@functools.cache
def boards() -> tuple[Board, ...]:
    """All measurements of microcontrollers: overheads count cycles, so they follow the peak."""
    found = []
    for (name, runtime), rows in measured().items():
        if name in parts() and parts()[name].row["kind"] == "mcu":
            at_full_speed = device(name, runtime)
            for one in rows:
                terms = terms_of(at_full_speed, one)
                slower = 1e9 / _peak(name)
                scaled = evolve(terms, operators=terms.operators * slower)
                found.append(Board(name, runtime, one, scaled))
    return tuple(found)


def _peak(name: str) -> float:
    return loaded(parts()[name].raw, name).peak_rate["int8"].value


Scales = Mapping[tuple[str, str], float]


def shared_shape(rows: Sequence[Board]) -> tuple[Fit, Scales]:
    """One fit for all boards and runtimes, and how many times as long each of them takes."""
    scales: dict[tuple[str, str], float] = {}
    fit = Fit({})
    for _ in range(ALTERNATIONS):
        times = [one.measurement.seconds / scales.get((one.name, one.runtime), 1.0) for one in rows]
        fit = fitted([one.terms for one in rows], times, MICROCONTROLLER)
        ratios: dict[tuple[str, str], list[float]] = {}
        for one in rows:
            ratio = one.measurement.seconds / fit.seconds(one.terms)
            ratios.setdefault((one.name, one.runtime), []).append(math.log(ratio))
        scales = {key: math.exp(sum(logs) / len(logs)) for key, logs in ratios.items()}
    return fit, scales


@functools.cache
def without(network: str) -> tuple[Fit, Scales]:
    """The shared fit without one network; of all networks where it is empty."""
    return shared_shape([one for one in boards() if one.measurement.network != network])


def _on_microcontrollers(name: str, runtime: str) -> RuntimeFit:
    """The shape that all boards share, at the scale of this one; networks are left out."""
    key = name, runtime
    own = [one for one in boards() if (one.name, one.runtime) == key]
    fit, scales = without("")
    slower = 1e9 / _peak(name)
    ((number, figures),) = fit.figures.items()
    shares = [figure / scales[key] for figure in figures[:3]]
    times = [figures[3] * scales[key] * slower, figures[4] * scales[key]]
    ratios = []
    for one in own:
        known, its_scales = without(one.measurement.network)
        if key in its_scales:
            predicted = its_scales[key] * known.seconds(one.terms)
            ratios.append(one.measurement.seconds / predicted)
    rows = [one.measurement for one in own]
    groups = tuple(one.network for one in rows)
    whole = Fit({number: (*shares, *times)})
    return _runtime_fit(whole, rows, CrossValidation(np.array(ratios), groups), "networks left out")


# ------------------------------------------------------------------ figures of a relative


@functools.cache
def terms_on(name: str, runtime: str) -> tuple[Terms, ...]:
    """The terms of all that was measured on a device under a runtime."""
    at_full_speed = device(name, runtime)
    return tuple(terms_of(at_full_speed, one) for one in measured()[name, runtime])


@functools.cache
def transfer(runtime: str) -> tuple[float, float]:
    """P10 to P90 of measured times over those predicted with the figures of another device."""
    names = [
        name
        for (name, one), rows in measured().items()
        if one == runtime and name in parts() and len(rows) >= FEW
    ]
    ratios = []
    for lender in names:
        fit = own_fit(lender, runtime)
        for borrower in names:
            if borrower == lender or fit is None:
                continue
            rows = measured()[borrower, runtime]
            for row, terms in zip(rows, terms_on(borrower, runtime), strict=True):
                if terms.number in fit.fit.figures:
                    ratios.append(row.seconds / fit.fit.seconds(terms))
    if not ratios:
        return BORROWED
    low, high = np.quantile(ratios, [0.1, 0.9])
    return min(float(low), BORROWED[0]), max(float(high), BORROWED[1])


def borrowed(name: str, runtime: str, lender: str) -> dict[str, Any]:
    """The runtime of a relative, in a file of a device without measurements of it."""
    fit = own_fit(lender, runtime)
    if fit is None:
        message = f"{name}: {lender} has no measurements under {runtime}"
        raise ValueError(message)
    if parts()[name].row["kind"] == "mcu":
        slower = _peak(lender) / _peak(name)
        ((number, figures),) = fit.fit.figures.items()
        scaled = (*figures[:3], figures[3] * slower, figures[4])
        fit = evolve(fit, fit=Fit({number: scaled}))
    found = runtime_of(fit, "relative")
    low, high = transfer(runtime)
    found["known"] = f"not measured: the shares of {lender}, with its own peaks"
    found["residual"].update(low=rounded(low), high=rounded(high), evidence="assumed")
    return found


def assumed(row: Mapping[str, str]) -> dict[str, Any]:
    """A runtime of which nothing was measured."""
    given = {"source": "assumption", "evidence": "assumed"}
    formats = [one for one in FORMATS if row[one]]
    ranges = {
        "efficiency": SHARES["efficiency"],
        "contraction_bandwidth_efficiency": SHARES["bandwidth"],
        "bandwidth_efficiency": SHARES["bandwidth"],
    }
    parameters = {
        name: {one: {"value": value, "low": low, "high": high, **given} for one in formats}
        for name, (low, value, high) in ranges.items()
    }
    for name, (value, high) in ASSUMED_OVERHEADS.items():
        figure = {"value": value, "low": "0 us", "high": high, **given}
        parameters[name] = {one: dict(figure) for one in formats}
    return {"known": "not measured: usual shares are assumed", "parameters": parameters}


# ------------------------------------------------------------------ files


def runtimes(name: str, part: Part) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every runtime of a device: its own first, then those that it borrows."""
    own = [runtime for known, runtime in measured() if known == name]
    for runtime in own:
        fit = own_fit(name, runtime)
        if fit is not None:
            values = runtime_of(fit, "fit")
            power = power_of(measured()[name, runtime])
            if power:
                values["parameters"]["busy_power"] = power
            yield runtime, values
    wanted = {**RELATIVES.get(part.row["kind"], {}), **NEAREST.get(name, {})}
    if name in TENSORRT:
        wanted["tensorrt"] = TENSORRT[name]
    for runtime, lender in wanted.items():
        if runtime not in own and (set(FORMATS) & {one for one in FORMATS if part.row[one]}):
            yield runtime, borrowed(name, runtime, lender)
    if not own and not wanted:
        runtime = next((one for start, one in ASSUMED.items() if name.startswith(start)), None)
        if runtime is not None:
            yield runtime, assumed(part.row)


def file_of(name: str, part: Part) -> str:
    """The text of a device file."""
    raw = dict(part.raw)
    found = dict(runtimes(name, part))
    if not found:
        message = f"{name}: it has neither measurements nor a relative"
        raise ValueError(message)
    for runtime, values in found.items():
        if runtime in SETTINGS:
            values["settings"] = SETTINGS[runtime]
    sources = dict(raw["sources"])
    uses = {figure["source"] for one in found.values() for figure in _figures(one)}
    if "fit" in uses:
        sources["fit"] = (
            f"validation/make_devices.py, fitted to {', '.join(_repositories(measured_on(name)))} "
            "(validation/costmodel_validation/measured)"
        )
    if "relative" in uses:
        sources["relative"] = "the figures that validation/make_devices.py fitted for its relative"
    if "assumption" in uses:
        sources["assumption"] = "usual shares of a peak, without a measurement"
    if "unmeasured" in uses:
        sources["unmeasured"] = UNMEASURED_SOURCE
    raw["sources"] = sources
    default = next((one for one in DEFAULTS if one in found), next(iter(found)))
    raw["runtimes"] = {"default": default, **found}
    text = written(raw, HEAD)
    loaded(raw, name)
    return text


def _figures(values: Any) -> Iterable[Mapping[str, Any]]:
    if isinstance(values, dict):
        if "source" in values:
            yield values
        for one in values.values():
            yield from _figures(one)


def _repositories(rows: Iterable[Measurement]) -> list[str]:
    return list(dict.fromkeys(" ".join(one.source.split(" ")[:2]) for one in rows))


def main(names: Sequence[str]) -> None:
    """Write the files of some parts, or of all."""
    known = parts()
    for name in names or known:
        (FILES / f"{name}.yaml").write_text(file_of(name, known[name]), encoding="utf-8")
        print(name, flush=True)  # noqa: T201  # a script
    print(f"under conditions without measurements: {UNMEASURED}")  # noqa: T201  # a script


if __name__ == "__main__":
    main(sys.argv[1:])
