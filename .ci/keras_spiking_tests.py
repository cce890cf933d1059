"""A pytest plugin for KerasSpiking's tests: the ModelEnergy that they test, and their fixture.

The environment variable MODEL_ENERGY_OF names the package whose class is tested.
"""

from __future__ import annotations

import os
from importlib import import_module

import numpy as np
import pytest


def pytest_configure() -> None:
    """Put the class in its place before the tests import it."""
    chosen = import_module(os.environ["MODEL_ENERGY_OF"]).ModelEnergy
    for name in ("keras_spiking", "keras_spiking.model_energy"):
        import_module(name).ModelEnergy = chosen  # type: ignore[attr-defined]  # it is there


@pytest.fixture
def rng() -> np.random.RandomState:
    """Random numbers, as the plugin pytest-rng gives them to eight of the tests."""
    return np.random.RandomState(0)  # the kind of generator that they ask for
