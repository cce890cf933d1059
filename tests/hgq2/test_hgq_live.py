"""Live models of HGQ2 say what their files say, where hgq2 is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from worlds import HOUSE, world

import costmodel_hgq.hooks

pytest.importorskip("hgq.layers")

WORLD = world(**HOUSE, hgq=costmodel_hgq.hooks)

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.keras"))


@pytest.fixture(autouse=True)
def floating_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let HGQ2 0.2.0 make floating point from a file: it refuses the setting that it wrote."""
    from hgq.quantizer.internal.float_point_quantizer import (  # noqa: PLC0415  # where installed
        FloatPointQuantizer,
    )

    made = FloatPointQuantizer.__init__

    def init(self: object, *given: object, is_weight: object = None, **named: object) -> None:
        made(self, *given, **named)

    monkeypatch.setattr(FloatPointQuantizer, "__init__", init)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_live_model_is_read_as_its_file(path: Path) -> None:
    keras = sys.modules["keras"]
    live = WORLD.read(keras.models.load_model(path, compile=False))
    of_file = WORLD.read(path)
    for one, other in zip(of_file.layers, live.layers, strict=True):
        assert one.name == other.name
        assert one.declared_formats() == other.declared_formats()
        assert list(one.declared_inputs()) == list(other.declared_inputs())
        assert one.declared_result() == other.declared_result()
        assert one.parameters == other.parameters
        if one.outputs:  # a file does not record what leaves a layer without a rule at its end
            assert one.outputs == other.outputs
