"""Every convention that ships keeps the laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from strategies import KERAS, networks
from worlds import EVERYTHING, TRIED

from costmodel.testing import ConventionContract

CHIPS = [EVERYTHING.device(name) for name in TRIED]


class TestEveryConvention(ConventionContract):
    """What ships, on networks of Keras and on every device."""

    @pytest.fixture(params=EVERYTHING.conventions)
    def convention(self, request: pytest.FixtureRequest) -> Any:
        return EVERYTHING.conventions[request.param]

    def networks(self) -> Any:
        return networks(EVERYTHING.layer_registry, recipes=KERAS, max_layers=4)

    def devices(self) -> Any:
        return st.sampled_from(CHIPS) | super().devices()
