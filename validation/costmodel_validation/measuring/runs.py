"""Measurements where the command runs: each network under a runtime, in a process of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from attrs import evolve, frozen

from costmodel import CostModelError, Scenario
from costmodel.formats import format_name
from costmodel_validation.measurements import (
    COLUMNS,
    Measurement,
    configuration,
    shipped_networks,
)

RUNTIMES: Final[Mapping[str, tuple[str, ...]]] = {
    "tensorflow": ("float32", "float16"),
    "torch": ("float32", "float16", "bfloat16"),
    "tflite": ("float32", "int8"),
    "onnxruntime": ("float32",),
}
"""The runtimes, and the formats in which each can run a network."""
PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "tensorflow": ("keras", "tensorflow"),
    "torch": ("keras", "torch"),
    "tflite": ("keras", "tensorflow"),
    "onnxruntime": ("keras", "tensorflow", "tf2onnx", "onnxruntime"),
}
SUITE: Final = (
    "ad", "ic", "kws", "vww", "blouw_kws",
    "mobilenet_v1_0.25_128", "mobilenet_v1_0.5_192", "mobilenet_v1_1_224",
    "mobilenet_v2_0.35_96", "mobilenet_v2_0.5_160", "mobilenet_v2_0.75_224", "mobilenet_v2_1_224",
    "mobilenet_v2_1.4_224", "mobilenet_v3_small_1_224", "mobilenet_v3_large_1_224",
    "mobilenet_v3_large_minimalistic_1_224", "efficientnet_lite0", "efficientnet_lite2",
    "efficientnet_lite4", "resnet50_v1.5", "resnet101_v1.5", "keras_resnet50v2_224",
    "keras_densenet121_224", "keras_efficientnetb0_224", "keras_efficientnetv2b0_224",
    "keras_convnexttiny_224", "keras_inceptionv3_299", "keras_xception_299", "keras_vgg16_224",
    "keras_mobilenetv3large_224",
)  # fmt: skip
"""The networks that calibrate a machine: small and large ones of many families."""
LONGEST_SECONDS: Final = 900
"""For one network, its conversion included; then its process is stopped."""


@frozen
class Conditions:
    """How networks are measured."""

    runtime: str
    number: str = "float32"
    batch: int = 1
    threads: int = 0
    """How many threads the runtime may use; 0: as many as it likes."""
    repeats: int = 30
    seconds: float = 1.0
    """Times are taken until there are so many, and they took so long together."""

    def check(self) -> None:
        """Check that such a measurement can be made here.

        Raises:
            CostModelError: an unknown runtime, a format that it cannot run, or a package that is
                not installed.

        """
        if self.runtime not in RUNTIMES:
            known = ", ".join(RUNTIMES)
            message = f"runtime {self.runtime!r:.40} cannot be measured; expected one of {known}"
            raise CostModelError(message)
        if self.number not in RUNTIMES[self.runtime]:
            known = ", ".join(RUNTIMES[self.runtime])
            message = f"{self.runtime} is measured in {known}; found {self.number!r:.40}"
            raise CostModelError(message)
        missing = [name for name in PACKAGES[self.runtime] if find_spec(name) is None]
        if missing:
            message = (
                f"to measure {self.runtime}, install {' '.join(missing)}: "
                f"pip install {' '.join(missing)}"
            )
            raise CostModelError(message)


def measured(
    networks: Iterable[str],
    conditions: Conditions,
    device: str,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Measurement]:
    """The measurement of each network; one that fails is reported and left out.

    A network is the name of one that ships, or the path of a Keras file.

    Raises:
        CostModelError: the measurement cannot be made here, or there is no such network.

    """
    conditions.check()
    names = list(networks)
    for name in names:
        if name not in shipped_networks() and not Path(name).is_file():
            configuration(name)  # reports it, with the nearest name
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            found = _run(_path(name, Path(folder)), conditions)
            if "error" in found:
                tell(f"note: {name} is left out: {found['error']:.300}")
                continue
            yield _measurement(name, conditions, device, found)


def _path(name: str, folder: Path) -> Path:
    if name not in shipped_networks():
        return Path(name).resolve()
    path = folder / f"{name}.json"
    path.write_bytes(configuration(name))
    return path


def _run(path: Path, conditions: Conditions) -> Mapping[str, Any]:
    """What the worker answers about one network."""
    request = {
        "path": str(path), "runtime": conditions.runtime, "format": conditions.number,
        "batch": conditions.batch, "threads": conditions.threads, "repeats": conditions.repeats,
        "seconds": conditions.seconds,
    }  # fmt: skip
    backend = "torch" if conditions.runtime == "torch" else "tensorflow"
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("TF_USE_LEGACY_KERAS", None)
    try:
        done = subprocess.run(  # this interpreter, and a module of this package
            [sys.executable, "-m", "costmodel_validation.measuring.worker"],
            input=json.dumps(request), capture_output=True, text=True, env=environment,
            timeout=LONGEST_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"it took more than {LONGEST_SECONDS} s"}
    try:
        found = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        return {"error": f"its process ended with status {done.returncode}: {last}"}
    return found if isinstance(found, dict) else {"error": "no answer"}


def _measurement(
    name: str, conditions: Conditions, device: str, found: Mapping[str, Any]
) -> Measurement:
    threads = f"{conditions.threads} threads" if conditions.threads else "threads as usual"
    told = "; ".join([found["version"], threads, f"median of {found['calls']} calls", processor()])
    network = name if name in shipped_networks() else str(Path(name).resolve())
    return Measurement(
        network,
        Scenario(batch=conditions.batch, default_format=conditions.number),
        found["latency_seconds"],
        device,
        conditions.runtime,
        found.get("power_watts"),
        found.get("power_boundary", ""),
        told,
        "costmodel measure",
    )


def processor() -> str:
    """The processor of this machine and its clock, as far as the system says."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    clock = re.search(r"^cpu MHz\s*:\s*([\d.]+)$", text, re.MULTILINE)
    known = name[1].strip() if name else platform.machine()
    return f"{known}, {float(clock[1]):.0f} MHz" if clock else known


def as_table(rows: Sequence[Measurement]) -> str:
    """Measurements as a table that `costmodel fit` and `costmodel validate` read."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in rows:
        power = "" if one.power_watts is None else f"{one.power_watts:.4g}"
        writer.writerow([
            one.device, one.runtime, one.network, one.scenario.batch,
            format_name(one.scenario.default_format), f"{one.seconds * 1e3:.6g}", power,
            one.power_boundary, one.conditions, one.source,
        ])  # fmt: skip
    return out.getvalue().rstrip("\n")


def every(conditions: Conditions, batches: Iterable[int]) -> list[Conditions]:
    """The same conditions at each of some batches."""
    return [evolve(conditions, batch=batch) for batch in batches]
