"""A file of 30 MB is read beside the import of its parser; nothing fails on a clock.

Run with: pytest benchmarks/test_frontends.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PARSERS = {"onnx": "onnx", "tflite": "tflite"}
LAYERS = 30
CHANNELS = 166
"""30 layers of 3 x 3 x 166 x 166 weights in float32 are 30 MB."""
DENSE_LAYERS = 8
WIDTH = 968
"""8 layers of 968 x 968 weights in float32 are 30 MB."""


def onnx_file(folder: Path) -> Path:
    """A chain of convolutions and rectifiers with random weights."""
    import numpy as np  # noqa: PLC0415  # as the others that some environments lack
    import onnx  # noqa: PLC0415

    chance = np.random.default_rng(0)
    shape = (1, CHANNELS, 28, 28)
    value = onnx.helper.make_tensor_value_info
    nodes, weights, before = [], [], "x"
    for place in range(LAYERS):
        kernel = chance.normal(size=(CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
        weights.append(onnx.numpy_helper.from_array(kernel, f"w{place}"))
        nodes.append(
            onnx.helper.make_node("Conv", [before, f"w{place}"], [f"c{place}"], pads=[1] * 4)
        )
        nodes.append(onnx.helper.make_node("Relu", [f"c{place}"], [f"r{place}"]))
        before = f"r{place}"
    graph = onnx.helper.make_graph(
        nodes, "chain", [value("x", 1, shape)], [value(before, 1, shape)], weights
    )
    path = folder / "chain.onnx"
    onnx.save(onnx.helper.make_model(graph), path)
    assert path.stat().st_size == pytest.approx(30e6, rel=0.05, abs=0)
    return path


def tflite_file(folder: Path) -> Path:
    """A chain of dense layers whose weights are 30 MB in float32."""
    from frontends.tflite.files import Function, written  # noqa: PLC0415

    function = Function()
    value = function.input((1, WIDTH))
    for _ in range(DENSE_LAYERS):
        weights = function.weights(WIDTH, WIDTH)
        (value,) = function.add("FULLY_CONNECTED", [value, weights], [(1, WIDTH)])
    function.outputs = [value]
    path = folder / "chain.tflite"
    path.write_bytes(written(function))
    assert path.stat().st_size == pytest.approx(30e6, rel=0.05, abs=0)
    return path


FILES = {"onnx": onnx_file, "tflite": tflite_file}
READ = (
    "import {parser}, costmodel, sys, time; a = time.perf_counter(); costmodel.read(sys.argv[1]); "
)
READ += "print(time.perf_counter() - a)"


@pytest.mark.parametrize("frontend", FILES)
def test_thirty_megabytes_are_read(benchmark: Any, frontend: str, tmp_path: Path) -> None:
    """A round is one process; what it prints is the time beyond the import of the parser."""
    path = FILES[frontend](tmp_path)
    program = READ.format(parser=PARSERS[frontend])
    seconds = []

    def read() -> None:
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True,
            env={name: value for name, value in os.environ.items() if "BYTECODE" not in name},
        )  # fmt: skip
        seconds.append(float(done.stdout))

    benchmark.pedantic(read, rounds=5)
    benchmark.extra_info["seconds_beyond_the_parser"] = sorted(seconds)[len(seconds) // 2]
