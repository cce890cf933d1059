"""Write the device files of class `processor`: figures of data sheets, and fitted runtimes.

    pip install -e '.[fit]'
    python validation/make_devices.py            # every file; twenty minutes
    python validation/make_devices.py rtx-3090   # some

`parts.csv` holds what data sheets state, `peaks.csv` peak rates that have a source of their own,
`costmodel_validation/measured` what was measured. A device with measurements gets a fit of its own;
one without borrows that of a relative, with its own peaks; where no relative was measured, the
shares are assumed, with a wide range.
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

from costmodel.formats import NumericFormat, parse_format
from costmodel_hardware.processor.device import Processor
from costmodel_validation.fits.engines import (
    ENGINES,
    Medians,
    engine_fit,
    medians_of,
    shared_figures,
)
from costmodel_validation.fits.fitting import (
    FEW_NETWORKS,
    FITTED,
    CrossValidation,
    Fit,
    RuntimeFit,
    Terms,
    all_terms,
    conditions_of,
    fit_terms,
    fitted,
    full_speed,
    left_out,
    terms_of,
)
from costmodel_validation.fits.known import OVERHEAD_PER_STEP, STEP_ON_GPUS, known_figures
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
    DIGITS,
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
    "asynchronous": True, "unsupported_formats": ["float8_e4m3", "float8_e5m2", "int8"],
}  # fmt: skip
"""PyTorch in eager mode runs every activation and normalization as a kernel of its own.

It queues kernels while others run. It has no convolutions in int8 or float8 on GPUs.
"""
COMPILED: Final = {**EAGER, "fuses": ["activation", "addition", "bias", "padding"]}
"""What is assumed of torch.compile on GPUs: one kernel for a normalization and what follows it
element by element, and convolutions and products of libraries, as in its default mode.
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
(ggml/src/ggml-cuda/ggml-cuda.cu, `batched_mul_mat_traits<GGML_TYPE_F16>`; not on Volta). It queues
whole graphs, so that a gap between kernels is left.
Weights may be in int8, what they multiply is not.
"""
ENGINE: Final = {"fuses": ["activation", "addition", "bias", "padding"]}
"""TensorRT's engines add a shortcut where the convolution or the product before it ends.

docs.nvidia.com/deeplearning/tensorrt, Types of Fusions: Convolution and ElementWise Operation.
"""
SETTINGS: Final = {
    "pytorch-eager": EAGER, "pytorch-eager-nchw": EAGER, "llama.cpp-cuda": LLAMA_CPP,
    "llama.cpp-metal": LLAMA_CPP, "llama.cpp-vulkan": LLAMA_CPP,
    **dict.fromkeys(("tensorrt", "tensorrt-maxq", "tensorrt-dla", "tensorrt-dla-maxq"), ENGINE),
}  # fmt: skip
ROUNDED: Final = {
    "pytorch-eager": "convolutions", "pytorch-eager-nchw": "convolutions",
    "pytorch-compiled": "convolutions", "tensorrt": "all", "tensorrt-maxq": "all",
}  # fmt: skip
"""Which products of float32 a runtime rounds to TF32 by default.

PyTorch, CUDA semantics: `torch.backends.cudnn.allow_tf32` is True, and since 1.12
`torch.backends.cuda.matmul.allow_tf32` is False. TensorRT, developer guide: the builder flag TF32
is set unless it is cleared.
"""
TF32: Final = (
    "by default, PyTorch rounds float32 factors of convolutions to TF32, TensorRT those of all "
    "products (setting tf32)"
)
NO_HALF: Final[Mapping[str, Sequence[str]]] = {
    "core-i9-10940x": ["float16"], "epyc-9654": ["float16"],
    "core-i9-13900k": ["bfloat16", "float16"], "core-i7-12700h": ["bfloat16", "float16"],
    "xeon-e5-2630": ["bfloat16", "float16"], "xeon-e5-2699-v3": ["bfloat16", "float16"],
}  # fmt: skip
"""CPUs without instructions for a format, in which frameworks take many times as long.

Measured for this project on one core of an EPYC (family 25, model 17), PyTorch 2.13.0: float16
takes 8.5 times as long as float32 on a convolutional network, 22 times compiled, and 15 on a
product of 512 x 512 x 512. github.com/pytorch/pytorch/issues/146508: 40 to 137 times with AVX-512,
and with AVX2 alone 65 to 515 times, bfloat16 44 to 500 times. tensorflow/tensorflow/issues/24738
says so of TensorFlow. TensorFlow Lite converts float16 to float32 as it loads a file, and takes as
long as in float32 (1.70 and 1.77 ms on that core).
"""
WITH_ACCELERATORS: Final = {
    "value": "32 TOP/s", "source": "part", "evidence": "vendor",
    "note": "22 of the GPU and 10 of two deep learning accelerators: NVIDIA, Jetson AGX Xavier",
}  # fmt: skip
PEAKS: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("jetson-agx-xavier", runtime): {"peak_rate": {"int8": WITH_ACCELERATORS}}
    for runtime in ("tensorrt-dla", "tensorrt-dla-maxq")
}
"""Parameters of a device that are others under a runtime."""

# ------------------------------------------------------------------ who borrows from whom

RELATIVES: Final[Mapping[str, Mapping[str, str]]] = {
    "gpu": {"pytorch-eager": "rtx-3090"},
    "cpu": {"pytorch-compiled": "core-i9-10940x"},
}
"""By the kind of a part: the runtimes that it borrows, and from which device."""
_LENDERS_BY_GENERATION: Final = (
    (
        ("rtx-5090", "rtx-5080", "rtx-5070-ti", "rtx-pro-6000", "rtx-pro-6000-max-q", "b200",
         "gb10"),
        {"pytorch-eager": "rtx-4090", "pytorch-eager-nchw": "rtx-5090",
         "pytorch-compiled": "rtx-5090"},
    ),
    (
        ("rtx-4090", "rtx-4080", "rtx-4070-ti", "rtx-4060", "rtx-6000-ada", "rtx-5000-ada",
         "rtx-4000-ada", "l4", "l40s"),
        {"pytorch-eager": "rtx-4090", "pytorch-eager-nchw": "rtx-4090",
         "pytorch-compiled": "rtx-4090"},
    ),
    (
        ("rtx-3090", "rtx-3080-ti", "rtx-3080", "rtx-3070", "rtx-3060", "rtx-2080-ti", "rtx-a6000",
         "quadro-rtx-8000", "t4", "v100-sxm2", "a2", "a10", "a30", "a40", "a100-pcie-40gb",
         "a100-pcie-80gb", "a100-sxm-40gb", "a100-sxm-80gb", "h100-pcie", "h100-sxm", "h200-sxm"),
        {"pytorch-eager-nchw": "rtx-3090", "pytorch-compiled": "rtx-4090"},
    ),
)  # fmt: skip
PYTORCH: Final[Mapping[str, Mapping[str, str]]] = {
    name: lenders for names, lenders in _LENDERS_BY_GENERATION for name in names
}
"""For GPUs of NVIDIA with tensor cores: from which device they borrow PyTorch.

Blackwell, Ada, and older; of the same generation, or the nearest one that was measured. Errors
between some of them had been seen when this was written.
"""
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
    "jetson-agx-orin": "jetson-agx-xavier",
    "rtx-2080-ti": "t4", "quadro-rtx-8000": "t4", "l4": "t4", "a2": "t4",
    "a10": "a100-pcie-40gb", "a30": "a100-pcie-40gb",
    **dict.fromkeys((
        "a40", "l40s", "h100-pcie", "rtx-3080", "rtx-3090", "rtx-4080", "rtx-4090", "rtx-5090",
        "rtx-a6000", "rtx-6000-ada",
    ), "a100-pcie-80gb"),
    "h100-sxm": "a100-sxm-80gb", "h200-sxm": "a100-sxm-80gb", "b200": "a100-sxm-80gb",
}  # fmt: skip
"""For GPUs of NVIDIA: from which device they borrow TensorRT.

Boards from boards, modules from modules; Turing from Turing. Of several the one with the nearest
rated power, which limits their clocks: of the PCIe boards of 70, 250 and 300 W that were measured.
"""
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
EAGER_LAYOUTS: Final = ("pytorch-eager", "pytorch-eager-nchw")
"""PyTorch in eager mode, with channels last and with channels first: hosts launch operators."""
HOST: Final = (
    "measured beside the host of an A100; the Arm cores of a Jetson are slower: at most as much "
    "as fitted overheads of TensorRT differ between an AGX Xavier and an A100"
)
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
def further() -> Mapping[str, tuple[Mapping[str, str], ...]]:
    """The peak rates of each part that have a source of their own."""
    found: dict[str, list[Mapping[str, str]]] = {}
    with (HERE / "peaks.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["name"], []).append(row)
    return {name: tuple(rows) for name, rows in found.items()}


def _add_further(name: str, parameters: dict[str, Any], sources: dict[str, str]) -> None:
    """Add these rates to the parameters of a file, and to its sources."""
    for row in further().get(name, ()):
        key = next((key for key, text in sources.items() if text == row["source"]), None)
        if key is None:
            key = row["format"] or row["figure"]
            sources[key] = row["source"]
        figure = {"value": row["value"], "source": key, "evidence": row["evidence"]}
        noted = {**figure, "note": row["note"]} if row["note"] else figure
        if row["format"]:
            parameters[row["figure"]][row["format"]] = noted
        else:
            parameters[row["figure"]] = noted


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
    sources = {"part": f"{row['source']}; {_found_again(row['name'])}"}
    _add_further(row["name"], parameters, sources)
    assumed = [f"the power is that {row['power_of']}"] if row["power"] else []
    assumed += [TF32] if "tf32_rate" in parameters else []
    if assumed:
        raw["assumes"] = "; ".join(assumed)
    return {
        **raw,
        "sources": sources,
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
    part = parts()[name]
    of_core = IN_ORDER if part.row["kind"] in {"mcu", "sbc"} else {}
    rounds = "tf32_rate" in part.raw["parameters"] and runtime in ROUNDED
    of_float32 = {"tf32": ROUNDED[runtime]} if rounds else {}
    lacks = NO_HALF.get(name)
    of_half = {"unsupported_formats": list(lacks)} if lacks else {}
    of_runtime = COMPILED if _is_compiled_on_gpu(name, runtime) else SETTINGS.get(runtime, {})
    return {**of_core, **of_float32, **of_half, **of_runtime}


def _is_compiled_on_gpu(name: str, runtime: str) -> bool:
    return runtime == "pytorch-compiled" and parts()[name].row["kind"] == "gpu"


@functools.cache
def device(name: str, runtime: str) -> Processor:
    """A part under a runtime, with what is not measured left at full speed."""
    raw = parts()[name].raw
    parameters = {**raw["parameters"], **PEAKS.get((name, runtime), {})}
    found = full_speed(loaded({**raw, "parameters": parameters}, name))
    settings = settings_of(name, runtime)
    chosen: Any = {key: found.setting_names()[key](value) for key, value in settings.items()}
    return evolve(found, **chosen)


def known_of(name: str, runtime: str) -> Mapping[str, float]:
    """What is not fitted of a part under a runtime."""
    return known_figures(runtime, is_asynchronous=device(name, runtime).asynchronous)


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
    if runtime.startswith(ENGINES):
        return _of_engines(name, runtime)
    if len(rows) >= FEW and len({one.network for one in rows}) > 1:
        return fit_terms(terms_on(name, runtime), rows, known_of(name, runtime))
    return _of_few(name, runtime, rows)


def _of_few(name: str, runtime: str, rows: Sequence[Measurement]) -> RuntimeFit:
    """A fit of some figures; rows of one network and batch are left out together."""
    terms = terms_on(name, runtime)
    seconds = [one.seconds for one in rows]
    known = known_of(name, runtime)

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
        ratios = CrossValidation(np.array(found), tuple(groups), _formats(rows))
        words = ""
    return _runtime_fit(whole, rows, ratios, words)


def _runtime_fit(
    fit: Fit, rows: Sequence[Measurement], ratios: CrossValidation, words: str
) -> RuntimeFit:
    return RuntimeFit(fit, len(rows), ratios, None, conditions_of(rows), words)


def _formats(rows: Sequence[Measurement]) -> tuple[NumericFormat, ...]:
    return tuple([one.scenario.default_format for one in rows])


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
    left = CrossValidation(np.array(ratios), groups, _formats(rows))
    return _runtime_fit(whole, rows, left, "networks left out")


@functools.cache
def engines(name: str, runtime: str) -> Medians:
    """What was measured on a GPU under TensorRT, each condition once."""
    return medians_of(measured()[name, runtime], terms_on(name, runtime))


@functools.cache
def shares_without(network: str) -> Mapping[str, float]:
    """What all GPUs have in common under TensorRT without one network; of all if it is empty."""
    systems = [key for key in measured() if key[1] == ENGINES]
    return shared_figures([engines(*key).without(network) for key in systems])


def _of_engines(name: str, runtime: str) -> RuntimeFit:
    """A GPU under TensorRT, with what it has in common with others; networks are left out."""
    own = engines(name, runtime)
    fit, ratios = engine_fit(own, shares_without)
    several = len(set(own.networks)) > 1
    words = "networks left out" if several else ""
    return _runtime_fit(fit, measured()[name, runtime], ratios, words)


# ------------------------------------------------------------------ figures of a relative


@functools.cache
def terms_on(name: str, runtime: str) -> tuple[Terms, ...]:
    """The terms of all that was measured on a device under a runtime."""
    return tuple(all_terms(device(name, runtime), measured()[name, runtime]))


@functools.cache
def transfer(runtime: str, kind: str) -> tuple[float, float]:
    """P10 to P90 of measured times over those predicted with the figures of another device.

    Devices are of one kind of part.
    """
    names = [
        name
        for (name, one), rows in measured().items()
        if one == runtime
        and name in parts()
        and parts()[name].row["kind"] == kind
        and len(rows) >= FEW
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
    """The runtime of a relative, in a file of a device without measurements of it.

    Its intervals are at least as wide as those of the relative, and hold for no shorter networks.
    """
    fit = own_fit(lender, runtime)
    if fit is None:
        message = f"{name}: {lender} has no measurements under {runtime}"
        raise ValueError(message)
    if parts()[name].row["kind"] == "mcu":
        slower = _peak(lender) / _peak(name)
        ((number, figures),) = fit.fit.figures.items()
        scaled = (*figures[:3], figures[3] * slower, *figures[4:])
        fit = evolve(fit, fit=Fit({number: scaled}))
    conditions = {
        number: one._replace(shortest=_shortest(name, runtime, lender, number, fit.fit))
        for number, one in fit.conditions.items()
    }
    fit = evolve(fit, conditions=conditions)
    found = runtime_of(fit, "relative")
    low, high = transfer(runtime, parts()[name].row["kind"])
    found["known"] = (
        f"not measured: efficiencies of {lender}, with peak rates and bandwidth of its own"
    )
    for residual in found["residuals"][:-1]:  # the last is that of unmeasured conditions
        ends = {"low": min(low, residual["low"]), "high": max(high, residual["high"])}
        residual.update({end: rounded(value) for end, value in ends.items()}, evidence="assumed")
    return found


def _shortest(name: str, runtime: str, lender: str, number: NumericFormat, fit: Fit) -> float:
    """The time of the network that took the shortest on the lender, as predicted for a part."""
    rows = [one for one in measured()[lender, runtime] if one.scenario.default_format == number]
    row = min(rows, key=lambda one: one.seconds)
    return _ROUNDED * fit.seconds(terms_of(device(name, runtime), row))


_ROUNDED: Final = 1 - 10 ** (1 - DIGITS)
"""Rounded figures of a file predict this much less at most."""


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
            values["parameters"].update(PEAKS.get((name, runtime), {}))
            power = power_of(measured()[name, runtime])
            if power:
                values["parameters"]["busy_power"] = power
            yield runtime, _with_known_marked(name, runtime, values)
    wanted = _lenders(name, part)
    for runtime, lender in wanted.items():
        if runtime not in own and (set(FORMATS) & {one for one in FORMATS if part.row[one]}):
            values = _with_known_marked(lender, runtime, borrowed(name, runtime, lender))
            if name.startswith("jetson-") and runtime in EAGER_LAYOUTS:
                _widen_launches(values)
            yield runtime, values
    if not own and not wanted:
        runtime = next((one for start, one in ASSUMED.items() if name.startswith(start)), None)
        if runtime is not None:
            yield runtime, assumed(part.row)


def _lenders(name: str, part: Part) -> dict[str, str]:
    """Of which device a part borrows each runtime that was not measured on it."""
    found = {
        **RELATIVES.get(part.row["kind"], {}), **PYTORCH.get(name, {}), **NEAREST.get(name, {}),
    }  # fmt: skip
    if name in TENSORRT:
        found["tensorrt"] = TENSORRT[name]
    if lender := LLAMA_CPP_LENDERS.get(name):
        runtime = next(one for known, one in measured() if known == lender and _is_llama_cpp(one))
        found[runtime] = lender
    return found


def _widen_launches(values: dict[str, Any]) -> None:
    """Let the overhead of an operator be as much longer as slower hosts were seen to take."""
    for figure in values["parameters"]["overhead_per_operator"].values():
        value = float(figure["value"].removesuffix(" us"))
        figure.update(low=figure["value"], high=f"{rounded(value * slower_host())} us", note=HOST)


@functools.cache
def slower_host() -> float:
    """The overhead of an operator under TensorRT on a Jetson over that beside a server's host."""
    fits = [own_fit(name, "tensorrt") for name in ("jetson-agx-xavier", "a100-pcie-40gb")]
    place = list(FITTED).index("overhead_per_operator")
    jetson, server = [
        one.fit.figures[parse_format("int8")][place] for one in fits if one is not None
    ]
    return jetson / server


def _is_llama_cpp(runtime: str) -> bool:
    return runtime.startswith("llama.cpp")


def _with_known_marked(measured: str, runtime: str, values: dict[str, Any]) -> dict[str, Any]:
    """The runtime, which says of figures that are not fitted where they come from.

    They are those of the device that was `measured`, the lender where they are borrowed.
    """
    for figures in known_of(measured, runtime):
        for figure in values["parameters"].get(figures, {}).values():
            figure.update(source="known", evidence="assumed")
    if _is_llama_cpp(runtime):
        values["known"] += "; llama.cpp runs language models alone"
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
            is_compiled = _is_compiled_on_gpu(name, runtime)
            step = STEP_ON_GPUS if is_compiled else OVERHEAD_PER_STEP[runtime]
            figure = {**step, "source": "known", "evidence": "assumed"}
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
    of_eager = [one for one in EAGER_LAYOUTS if (name, one) in measured()]
    default = next((one for one in (*of_eager, *DEFAULTS) if one in found), next(iter(found)))
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
    elif isinstance(values, list):
        for one in values:
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
