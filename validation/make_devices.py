"""Write the device files of class `processor`: figures of data sheets, and fitted runtimes.

    pip install -e '.[fit]'
    python validation/make_devices.py            # every file; twelve minutes
    python validation/make_devices.py rtx-3090   # some

`parts.csv` holds what data sheets state, `costmodel_validation/measured` what was measured. A
device with measurements gets a fit of its own; one without borrows that of a relative, with its
own peaks; where no relative was measured, the shares are assumed, with a wide range.
"""

from __future__ import annotations

import csv
import functools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from attrs import evolve

from costmodel.formats import format_name
from costmodel_hardware.processor.device import Processor
from costmodel_validation.fits.fitting import (
    FEW_NETWORKS,
    FITTED,
    CrossValidation,
    Fit,
    RuntimeFit,
    Terms,
    all_terms,
    fit_terms,
    fitted,
    full_speed,
    left_out,
    shortest_times,
)
from costmodel_validation.fits.known import KNOWN, OVERHEAD_PER_STEP
from costmodel_validation.fits.leaving_out import borrowed_interval
from costmodel_validation.fits.microcontrollers import (
    RATE,
    BoardTerms,
    System,
    board_terms,
    peak,
    shared_shape,
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
EAGER: Final = {
    "fuses": ["bias", "padding"], "folds_normalization": False, "activations_apart": True,
    "asynchronous": True, "unsupported_formats": ["int8"],
}  # fmt: skip
"""PyTorch in eager mode runs every activation and normalization as a kernel of its own.

It queues kernels while others run. It has no convolutions in int8 on GPUs.
"""
IN_ORDER: Final = {"overlap_traffic": False}
"""Cortex-M cores issue loads, stores and multiplications in one pipeline, in order.

Cortex-A cores of boards and phones behave so, too: errors on what was left out are lower
(`costmodel_validation.fits.floors`, forms).
"""
LLAMA_CPP: Final = {
    "fuses": [], "folds_normalization": False, "activations_apart": True, "fast_accumulation": True,
    "unsupported_formats": ["int8"],
}  # fmt: skip
"""llama.cpp runs each operator of its own graph as a kernel; products in float16 add in float16
(ggml-cuda.cu: CUBLAS_COMPUTE_16F). It queues whole graphs, so that a gap between kernels is left.
Weights may be in int8, what they multiply is not.
"""
SETTINGS: Final = {
    "pytorch-eager": EAGER, "pytorch-eager-nchw": EAGER, "llama.cpp-cuda": LLAMA_CPP,
    "llama.cpp-metal": LLAMA_CPP, "llama.cpp-vulkan": LLAMA_CPP,
}  # fmt: skip

# ------------------------------------------------------------------ who borrows from whom

RELATIVES: Final[Mapping[str, Mapping[str, str]]] = {
    "gpu": {"pytorch-eager": "rtx-3090"},
    "cpu": {"pytorch-compiled": "core-i9-10940x"},
}
"""By the kind of a part: the runtimes that it borrows, and from which device."""
NEAREST: Final[Mapping[str, Mapping[str, str]]] = {
    "raspberry-pi-5": {"tflite": "raspberry-pi-4", "armnn": "raspberry-pi-4"},
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
LLAMA_CPP_LENDERS: Final = {
    "rtx-4090": "rtx-4080", "rtx-4060": "rtx-4080", "rtx-5090": "rtx-4080", "rtx-5080": "rtx-4080",
    "rtx-3080-ti": "rtx-3090", "rtx-3060": "rtx-3090", "rtx-2080-ti": "rtx-3090",
    "rtx-5000-ada": "rtx-6000-ada", "rtx-pro-6000-max-q": "rtx-6000-ada", "l4": "l40s",
    "a10": "rtx-a6000", "a40": "rtx-a6000", "a2": "rtx-a6000", "t4": "rtx-a6000",
    "quadro-rtx-8000": "rtx-a6000", "v100-sxm2": "a100-pcie-80gb", "a30": "a100-pcie-80gb",
    "a100-pcie-40gb": "a100-pcie-80gb", "a100-sxm-40gb": "a100-sxm-80gb",
    "h100-pcie": "a100-pcie-80gb", "h100-sxm": "a100-sxm-80gb", "h200-sxm": "a100-sxm-80gb",
    "b200": "a100-sxm-80gb", "jetson-agx-orin": "gb10", "jetson-orin-nano": "gb10",
    "jetson-orin-nano-super": "gb10",
    "m2-pro": "m2-max", "m3-pro": "m3-max", "m3-ultra": "m2-ultra", "m4": "m3", "m4-pro": "m3-max",
    "m4-max": "m3-max",
    "radeon-rx-9070-xt": "radeon-ai-pro-r9700", "radeon-8060s": "radeon-rx-7900-xtx",
    "arc-b580": "arc-a770",
}  # fmt: skip
"""From which device GPUs borrow llama.cpp: of the same maker and kind, and the nearest generation.

Not chosen by errors.
"""
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


@functools.cache
def verified() -> Mapping[str, tuple[str, ...]]:
    """The figures of each part that a second source states, too."""
    found: dict[str, list[str]] = {}
    with (HERE / "verified.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["agrees"] == "yes":
                found.setdefault(row["name"], []).append(row["figure"].replace("_", " "))
    return {name: tuple(dict.fromkeys(figures)) for name, figures in found.items()}


def _found_again(name: str) -> str:
    figures = verified().get(name)
    if not figures:
        return "no second source was found"
    return f"a second source states {', '.join(figures)} (validation/verified.csv)"


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
        "sources": {"part": f"{row['source']}; {_found_again(row['name'])}"},
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


def settings_of(name: str, runtime: str) -> Mapping[str, Any]:
    """The settings of a part under a runtime."""
    of_core = IN_ORDER if parts()[name].row["kind"] in {"mcu", "sbc"} else {}
    return {**of_core, **SETTINGS.get(runtime, {})}


@functools.cache
def device(name: str, runtime: str) -> Processor:
    """A part under a runtime, with what is not measured left at full speed."""
    found = full_speed(loaded(parts()[name].raw, name))
    settings = settings_of(name, runtime)
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
    if len(rows) >= FEW and len({one.network for one in rows}) > 1:
        return fit_terms(terms_on(name, runtime), rows, KNOWN.get(runtime))
    return _of_few(name, runtime, rows)


def _of_few(name: str, runtime: str, rows: Sequence[Measurement]) -> RuntimeFit:
    """A fit of some figures; rows of one network and batch are left out together."""
    terms = terms_on(name, runtime)
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
        (min(batches), max(batches)), tuple(sorted(formats, key=format_name)),
        shortest_times(rows), words,
    )  # fmt: skip


@functools.cache
def boards() -> tuple[BoardTerms, ...]:
    """All measurements of microcontrollers."""
    return tuple(
        board_terms(device(name, runtime), one)
        for (name, runtime), rows in measured().items()
        if name in parts() and parts()[name].row["kind"] == "mcu"
        for one in rows
    )


def _peak(name: str) -> float:
    return peak(loaded(parts()[name].raw, name))


@functools.cache
def without(network: str) -> tuple[Fit, Mapping[System, float]]:
    """The shared fit without one network; of all networks where it is empty."""
    return shared_shape([one for one in boards() if one.measurement.network != network])


def _on_microcontrollers(name: str, runtime: str) -> RuntimeFit:
    """The shape that all boards share, at the scale of this one; networks are left out."""
    key = name, runtime
    own = [one for one in boards() if one.system == key]
    fit, scales = without("")
    slower = RATE / _peak(name)
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
    return tuple(all_terms(device(name, runtime), measured()[name, runtime]))


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
        return FEW_NETWORKS
    return borrowed_interval(np.array(ratios))


def borrowed(name: str, runtime: str, lender: str) -> dict[str, Any]:
    """The runtime of a relative, in a file of a device without measurements of it."""
    fit = own_fit(lender, runtime)
    if fit is None:
        message = f"{name}: {lender} has no measurements under {runtime}"
        raise ValueError(message)
    if parts()[name].row["kind"] == "mcu":
        slower = _peak(lender) / _peak(name)
        ((number, figures),) = fit.fit.figures.items()
        scaled = (*figures[:3], figures[3] * slower, *figures[4:])
        fit = evolve(fit, fit=Fit({number: scaled}))
    found = runtime_of(fit, "relative")
    low, high = transfer(runtime)
    found["known"] = (
        f"not measured: efficiencies of {lender}, with peak rates and bandwidth of its own"
    )
    found["residual"].update(low=rounded(low), high=rounded(high), evidence="assumed")
    del found["residual"]["shortest"]  # of the relative
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
            yield runtime, _with_known_marked(runtime, values)
    wanted = {**RELATIVES.get(part.row["kind"], {}), **NEAREST.get(name, {})}
    if name in TENSORRT:
        wanted["tensorrt"] = TENSORRT[name]
    if lender := LLAMA_CPP_LENDERS.get(name):
        runtime = next(one for known, one in measured() if known == lender and _is_llama_cpp(one))
        wanted[runtime] = lender
    for runtime, lender in wanted.items():
        if runtime not in own and (set(FORMATS) & {one for one in FORMATS if part.row[one]}):
            yield runtime, _with_known_marked(runtime, borrowed(name, runtime, lender))
    if not own and not wanted:
        runtime = next((one for start, one in ASSUMED.items() if name.startswith(start)), None)
        if runtime is not None:
            yield runtime, assumed(part.row)


def _is_llama_cpp(runtime: str) -> bool:
    return runtime.startswith("llama.cpp")


def _with_known_marked(runtime: str, values: dict[str, Any]) -> dict[str, Any]:
    """The runtime, which says of figures that are not fitted where they come from."""
    for name in KNOWN.get(runtime, {}):
        for figure in values["parameters"].get(name, {}).values():
            figure.update(source="known", evidence="assumed")
    return values


def file_of(name: str, part: Part) -> str:
    """The text of a device file."""
    raw = dict(part.raw)
    found = dict(runtimes(name, part))
    if not found:
        message = f"{name}: it has neither measurements nor a relative"
        raise ValueError(message)
    for runtime, values in found.items():
        if runtime in OVERHEAD_PER_STEP:
            figure = {**OVERHEAD_PER_STEP[runtime], "source": "known", "evidence": "assumed"}
            values["parameters"]["overhead_per_step"] = figure
        if settings := settings_of(name, runtime):
            values["settings"] = settings
    sources = dict(raw["sources"])
    uses = {figure["source"] for one in found.values() for figure in _figures(one)}
    if "fit" in uses:
        sources["fit"] = (
            f"validation/make_devices.py, fitted to {', '.join(_repositories(measured_on(name)))} "
            "(validation/costmodel_validation/measured)"
        )
    if "relative" in uses:
        sources["relative"] = "the figures that validation/make_devices.py fitted for its relative"
    if "known" in uses:
        sources["known"] = "not fitted: validation/costmodel_validation/fits/known.py says why"
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
