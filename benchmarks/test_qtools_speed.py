"""QTools and its drop-in side by side in one run; the ratio is reported, nothing fails on a clock.

Run with: pytest benchmarks/test_qtools_speed.py -s
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from costmodel_qkeras import QTools
from costmodel_qkeras.qtools.datatypes import datatype
from costmodel_qkeras.qtools.describing import describe
from costmodel_qkeras.qtools.prices import moves, price

if TYPE_CHECKING:
    from collections.abc import Callable

keras: Any = pytest.importorskip("keras")
pytest.importorskip("qkeras.qtools")  # a folder of tests may be called qkeras
qkeras: Any = pytest.importorskip("qkeras")
run_qtools: Any = pytest.importorskip("qkeras.qtools.run_qtools")

pytestmark = pytest.mark.filterwarnings("ignore")  # QTools warns of much

TESTS = Path(__file__).parent.parent / "tests"
NETWORKS = 25
ROUNDS = 5


def _specs() -> Any:
    sys.path.insert(0, str(TESTS))
    from golden import specs  # noqa: PLC0415  # of the tests, which are not a package

    return specs


@pytest.fixture(scope="module")
def golden() -> list[Any]:
    """Live models of the first golden networks."""
    specs = _specs()
    cases = specs.cases("qtools_quantized.json")[:NETWORKS]
    with contextlib.redirect_stderr(io.StringIO()):
        return [specs.build(case["spec"], [qkeras]) for case in cases]


def _convolution(filters: int) -> list[Any]:
    kernel = {"kernel_quantizer": "quantized_bits(4,0,1)", "bias_quantizer": "quantized_bits(8,3)"}
    return [
        qkeras.QConv2D(filters, 3, padding="same", **kernel),
        qkeras.QActivation("quantized_relu(6,2)"),
    ]


@pytest.fixture(scope="module")
def vgg16() -> list[Any]:
    """VGG16 with quantized layers."""
    kernel = {"kernel_quantizer": "quantized_bits(4,0,1)", "bias_quantizer": "quantized_bits(8,3)"}
    layers = []
    for filters, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers += _convolution(filters)
        layers.append(keras.layers.MaxPooling2D(2))
    layers.append(keras.layers.Flatten())
    for units in (4096, 4096, 1000):
        layers += [qkeras.QDense(units, **kernel), qkeras.QActivation("quantized_relu(6,2)")]
    tensor = entry = keras.Input((224, 224, 3))
    for layer in layers:
        tensor = layer(tensor)
    return [keras.Model(entry, tensor)]


def _ask(make: Any, model: Any) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return make(model, "horowitz").pe()


def _with_map(*arguments: Any) -> Any:
    """The drop-in with its data type map, which it makes when asked and QTools always makes."""
    tools = QTools(*arguments)
    assert tools._output_dict  # noqa: SLF001  # QTools' own name for it
    return tools


def _seconds(make: Any, models: list[Any], before: Callable[[], object]) -> float:
    """Mean seconds for one network, without the collector, as timeit measures."""
    spent = []
    gc.collect()
    gc.disable()
    try:
        for model in models:
            before()
            start = time.perf_counter()
            _ask(make, model)
            spent.append(time.perf_counter() - start)
    finally:
        gc.enable()
    return statistics.mean(spent)


def _forget() -> None:
    for remembered in (describe, price, moves, datatype):
        remembered.cache_clear()


@pytest.mark.parametrize("networks", ["golden", "vgg16"])
def test_the_drop_in_and_qtools_side_by_side(
    networks: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    models = request.getfixturevalue(networks)
    for model in models:
        assert _ask(QTools, model)["total_cost"] == _ask(run_qtools.QTools, model)["total_cost"]
    found = {
        "qtools": _median(run_qtools.QTools, models, lambda: None),
        "drop-in": _median(QTools, models, lambda: None),
        "drop-in with its map": _median(_with_map, models, lambda: None),
        "drop-in, nothing remembered": _median(QTools, models, _forget),
    }
    layers = statistics.mean(len(model.layers) for model in models)
    ratios = {name: found["qtools"] / value for name, value in found.items()}
    milliseconds = {name: value * 1e3 for name, value in found.items()}
    report = {"layers": layers, "milliseconds": milliseconds, "times faster": ratios}
    with capsys.disabled():
        print(f"\n{networks}: {json.dumps(report, indent=1)}")  # noqa: T201  # the result


def _median(make: Any, models: list[Any], before: Callable[[], object]) -> float:
    return statistics.median(_seconds(make, models, before) for _ in range(ROUNDS))
