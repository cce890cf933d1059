"""QKeras 0.9, which stands on Keras 2: its networks are those of the latest release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from worlds import HOUSE, world

import costmodel_qkeras.hooks

REGISTRY = world(**HOUSE, qkeras=costmodel_qkeras.hooks)
SAMPLES = Path(__file__).parents[1] / "qkeras" / "samples"
OLD, NEW = "qkeras-0.9", "qkeras-v3"


def kinds(release: str) -> set[str]:
    return {path.stem.removeprefix(f"{release}.") for path in SAMPLES.glob(f"{release}.*.json")}


BOTH = sorted(kinds(OLD) & kinds(NEW))


def layers(release: str, kind: str, *, with_modules: bool = True) -> Any:
    config = json.loads((SAMPLES / f"{release}.{kind}.json").read_text())["config"]
    text = json.dumps(config if with_modules else without_modules(config))
    # One of the samples was saved under the name that Keras gave the layer.
    return REGISTRY.read(text.replace('"qlstm"', '"layer"')).layers


def without_modules(value: Any) -> Any:
    """What HDF5 files and Keras before 2.11 leave out: where a class comes from."""
    if isinstance(value, list):
        return [without_modules(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: without_modules(item) for key, item in value.items() if key != "module"}


@pytest.mark.parametrize("with_modules", [True, False])
@pytest.mark.parametrize("kind", BOTH)
def test_a_layer_of_both_releases_reads_the_same(kind: str, with_modules: bool) -> None:  # noqa: FBT001
    assert layers(OLD, kind, with_modules=with_modules) == layers(NEW, kind)
