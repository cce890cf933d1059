"""Networks that the benchmarks share."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def resnet50() -> Any:
    """A live ResNet50 with random weights."""
    keras = pytest.importorskip("keras")
    return keras.applications.ResNet50(weights=None)


@pytest.fixture(scope="session")
def resnet50_file(resnet50: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in a `.keras` file."""
    path = tmp_path_factory.mktemp("networks") / "resnet50.keras"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras's own, under NumPy 2
        resnet50.save(path)
    return path
