"""Sweeps beside a loop over `estimate`, and beside QTools, in one run; nothing fails on a clock.

Times are those of one core: other programs may use it, too.

Run with: pytest benchmarks/test_sweeps.py -s
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import costmodel
from costmodel import DesignSpace
from costmodel.formats import parse_format
from costmodel.sweeps.space import Range
from costmodel.sweeps.sweeping import grid, sweep_to_file

FORMATS = ["int2", "int4", "int8", "int16"]
DESIGNS = 1_000_000
ROUNDS = 3
ENERGIES = ("dram_access", "8_bit_multiply", "32_kb_sram_access", "32_bit_add")
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))


def _chain(count: int = 19) -> Any:
    """A network of 20 layers that multiply."""
    from chains import network  # noqa: PLC0415  # of the tests, which are not a package
    from design_spaces import HEAD, convolution  # noqa: PLC0415  # as above

    widths = [16] * (count // 2) + [32] * (count - count // 2)
    return network((16, 16, 3), *map(convolution, widths), *HEAD)


@pytest.fixture(scope="module")
def network() -> Any:
    return _chain()


def _report(capsys: Any, title: str, found: Any) -> None:
    with capsys.disabled():
        print(f"\n{title}: {json.dumps(found, indent=1)}")  # noqa: T201  # the result


def _seconds(source: Any, space: DesignSpace, **chosen: Any) -> float:
    """Seconds of the processor, the least of some runs, each of which fills its tables anew."""
    spent = []
    for _ in range(ROUNDS):
        start = time.process_time()
        costmodel.sweep(source, space, **chosen)
        spent.append(time.process_time() - start)
    return min(spent)


def _estimates_per_second(source: Any, space: DesignSpace, count: int = 20) -> float:
    """A loop over `estimate`, on designs that are drawn like those of the sweep."""
    found = grid(source, space)
    table = costmodel.sweep(source, space, sample=count, seed=1)
    designs = [found.design(table.row(place)) for place in range(count)]
    start = time.process_time()
    for design in designs:
        design.estimate(on_unpriced="bound")
    return count / (time.process_time() - start)


SEPARABLE = ("horowitz-45nm", "raspberry-pi-4", "stm32h743")
AXES: dict[str, dict[str, Any]] = {
    "a format for each layer": {"formats": FORMATS},
    "formats of weights and activations": {"weights": FORMATS, "activations": FORMATS},
}


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("device", SEPARABLE)
def test_formats_of_twenty_layers(device: str, axes: str, network: Any, capsys: Any) -> None:
    space = DesignSpace(device=device, default_format="int8", **AXES[axes])
    seconds = _seconds(network, space, sample=DESIGNS)
    found = {
        "designs_per_second": DESIGNS / seconds,
        "estimates_per_second": _estimates_per_second(network, space),
    }
    _report(capsys, f"{axes}, {device}", found)


def test_figures_of_a_device(network: Any, capsys: Any) -> None:
    """Four energies, all combinations, and as many that are drawn from ranges."""
    values = [f"{number} pJ" for number in range(1, 57)]
    listed = {f"energy_per_{name}": values for name in ENERGIES}
    ranges = {f"energy_per_{name}": Range("1 pJ", "57 pJ") for name in ENERGIES}
    spaces = [
        DesignSpace(device="horowitz-45nm", default_format="int8", parameters=one)
        for one in (listed, ranges)
    ]
    count = len(values) ** len(ENERGIES)
    found = {
        "designs": count,
        "enumerated_per_second": count / _seconds(network, spaces[0]),
        "drawn_per_second": count / _seconds(network, spaces[1], sample=count),
        "estimates_per_second": _estimates_per_second(network, spaces[1]),
    }
    _report(capsys, "figures of a device", found)


def test_resnet50(resnet50: Any, capsys: Any) -> None:
    """A million random assignments of four formats to its 54 layers, with totals."""
    network = costmodel.read(resnet50)
    found = {}
    for device in SEPARABLE:
        space = DesignSpace(
            device=device, default_format="int8", weights=FORMATS, activations=FORMATS
        )
        weights = DesignSpace(device=device, default_format="int8", weights=FORMATS)
        found[device] = {
            "axes": len(grid(network, weights).axes),
            "seconds, weights": _seconds(network, weights, sample=DESIGNS),
            "seconds, weights and activations": _seconds(network, space, sample=DESIGNS),
            "estimates_per_second": _estimates_per_second(network, weights, 5),
        }
    _report(capsys, f"ResNet50, {DESIGNS:,} designs", found)


def test_time_is_linear_in_designs(network: Any, capsys: Any) -> None:
    space = DesignSpace(device="horowitz-45nm", default_format="int8", formats=FORMATS)
    counts = [2**power for power in (16, 18, 20, 22)]
    seconds = {count: _seconds(network, space, sample=count) for count in counts}
    _report(capsys, "seconds by designs", seconds)


def test_memory_follows_the_chunk(network: Any, tmp_path: Path, capsys: Any) -> None:
    """The most that Python and NumPy hold while a file is written."""
    space = DesignSpace(device="horowitz-45nm", default_format="int8", formats=FORMATS)
    found = {}
    for count in (2**17, 2**19):
        for chunk in (2**14, 2**16):
            tracemalloc.start()
            sweep_to_file(network, space, tmp_path / "x.parquet", sample=count, chunk=chunk)
            found[f"{count:,} designs, chunks of {chunk:,}"] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    _report(capsys, "bytes at most", found)


@pytest.mark.parametrize("device", ["eyeriss-v1", "ethos-u55-128"])
def test_devices_that_are_not_separable(device: str, network: Any, capsys: Any) -> None:
    space = DesignSpace(device=device, default_format="int8", formats=["int8", "int16"])
    count = 10
    found = {
        "designs_per_second": count / _seconds(network, space, sample=count),
        "estimates_per_second": _estimates_per_second(network, space, 5),
    }
    _report(capsys, f"one by one, {device}", found)


def test_qtools(capsys: Any) -> None:
    """Bit widths of a small QKeras network: QTools needs a model for each design."""
    keras = pytest.importorskip("keras")
    qkeras = pytest.importorskip("qkeras")
    run_qtools: Any = pytest.importorskip("qkeras.qtools.run_qtools")
    widths = (2, 4, 8)

    def model(chosen: Any) -> Any:
        tensor = entry = keras.Input((32, 32, 3))
        for bits in chosen:
            kernel = f"quantized_bits({bits},0,1)"
            tensor = qkeras.QConv2D(16, 3, kernel_quantizer=kernel, bias_quantizer=kernel)(tensor)
            tensor = qkeras.QActivation("quantized_relu(8,2)")(tensor)
        return keras.Model(entry, tensor)

    drawn = np.random.default_rng(0).choice(widths, (5, 6))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = [model(map(int, chosen)) for chosen in drawn]
        start = time.process_time()
        for one in made:
            with contextlib.redirect_stdout(io.StringIO()):
                run_qtools.QTools(one, "horowitz").pe()
        qtools = len(drawn) / (time.process_time() - start)
        network = costmodel.read(made[0])
    space = DesignSpace(
        device="horowitz-45nm", weights=[parse_format(f"fixed<{bits},0>") for bits in widths]
    )
    found = {
        "designs_of_qtools_per_second": qtools,
        "500 designs, seconds": _seconds(network, space, sample=500),
        "designs_per_second": DESIGNS / _seconds(network, space, sample=DESIGNS),
    }
    _report(capsys, "beside QTools, models not counted", found)
