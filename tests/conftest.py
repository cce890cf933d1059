"""Worlds that the tests share."""

from __future__ import annotations

import gc
import os
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings

from costmodel.plugins import discovery as plugins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costmodel.registry import Registry

# Keep TensorFlow's start-up notes out of the tests' output.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Frameworks and thousands of tests fill the memory with what is never thrown away.
gc.set_threshold(50_000, 20, 100)

settings.register_profile(
    "house",
    deadline=None,  # two cores that other jobs share keep no time
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile("thorough", settings.get_profile("house"), max_examples=2000)
settings.register_profile(
    "quick", settings.get_profile("house"), max_examples=10, phases=[Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

collect_ignore = ["example_plugin"]
"""It is a distribution of its own, and tested where it is installed (.ci/plugins)."""

LONGEST = "test_the_predictions_of_the_page_are_those_of_the_devices"

HOUSE = tuple(
    f"costmodel_{name}.hooks"
    for name in (
        "hardware",
        "hgq",
        "keras",
        "nir",
        "onnx",
        "qkeras",
        "spiking",
        "stablehlo",
        "tflite",
        "torch",
        "validation",
    )
)
"""The plugins of this repository, by the module that their entry points name."""


def pytest_collection_finish() -> None:
    """Look through what is there by now no more."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest test first, so that no worker waits for it at the end."""
    items.sort(key=lambda item: item.name != LONGEST)


@pytest.fixture(scope="session", autouse=True)
def no_third_party_plugins() -> Iterator[None]:
    """Only the plugins of the house: another plugin in the environment must not change a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "_entry_points", _house_entry_points)
        yield


@pytest.fixture(scope="session")
def registry() -> Registry:
    """A world of the Keras and hardware plugins, made without any search."""
    import worlds  # noqa: PLC0415  # after the environment is set

    return worlds.REGISTRY


def _house_entry_points() -> list[metadata.EntryPoint]:
    found = metadata.entry_points(group=plugins.GROUP)
    return sorted((point for point in found if point.value in HOUSE), key=lambda point: point.name)
