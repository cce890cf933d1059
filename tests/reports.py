"""Networks and estimates for the tests of reports."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from typing import Any

import worlds

import costmodel
from costmodel import Estimate
from costmodel.html.page import report

EXAMPLES = Path(__file__).parent.parent / "examples"
DEVICES = ("raspberry-pi-4", "rtx-4090", "stm32h743", "horowitz-45nm")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
HOSTILE = "</script><script>alert(1)</script>"


def chain(names: list[str], width: int = 8, network: str = "chain") -> str:
    """The JSON of a Keras network of dense layers of these names."""
    layers: list[Any] = [
        {"module": "keras.layers", "class_name": "InputLayer",
         "config": {"batch_shape": [None, width], "dtype": "float32", "name": "input"}},
        *[{"module": "keras.layers", "class_name": "Dense",
           "config": {"name": name, "units": width, "activation": "relu"}} for name in names],
    ]  # fmt: skip
    return json.dumps({
        "module": "keras", "class_name": "Sequential",
        "config": {"name": network, "layers": layers},
    })  # fmt: skip


def of(source: Any, *devices: str) -> Estimate:
    return costmodel.estimate(
        source, devices or DEVICES, on_unpriced="bound", registry=worlds.REGISTRY
    )


@functools.cache
def vgg9() -> Estimate:
    return of(EXAMPLES / "vgg9.json")


@functools.cache
def page() -> str:
    """The report of a small network on four devices."""
    return report([vgg9()])
