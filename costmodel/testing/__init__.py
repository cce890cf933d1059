"""The kit that shows whether a device, layer, operator, reader or convention keeps the laws.

Inherit from a contract and give its one fixture; every test of the class is a law:

    class TestMyChip(DeviceContract):
        @pytest.fixture
        def device(self):
            return costmodel.device("my-chip")

It needs pytest and Hypothesis, which the extra `testing` brings. `costmodel.testing.strategies`
draws the values that the laws are tried on, for tests of your own.
"""

from __future__ import annotations

from costmodel.testing.contract import Contract
from costmodel.testing.conventions import ConventionContract
from costmodel.testing.devices import DeviceContract
from costmodel.testing.layers import LayerContract
from costmodel.testing.operators import OperatorContract
from costmodel.testing.readers import ReaderContract

__all__ = [
    "Contract",
    "ConventionContract",
    "DeviceContract",
    "LayerContract",
    "OperatorContract",
    "ReaderContract",
]
