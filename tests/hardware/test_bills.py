"""Networks on which QTools crashes get a full bill at 8 bits."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import asdict
from worlds import REGISTRY

from costmodel import Scenario, estimate
from costmodel.report.bills import Share

keras: Any = pytest.importorskip("keras")

EIGHT_BITS = Scenario(default_format="fixed<8,0>", source_format="ufixed<8,0>")
CHIP = "horowitz-45nm"
NAMES = ["ResNet50", "EfficientNetB0", "MobileNetV3Small", "MobileNetV3Large"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_network_has_a_full_bill_at_8_bits(name: str) -> None:
    model = getattr(keras.applications, name)(weights=None, input_shape=(224, 224, 3))
    found = estimate(
        model, CHIP, scenario=EIGHT_BITS, on_unpriced="error", registry=REGISTRY
    )  # fmt: skip
    coverage = found.coverage(CHIP)
    shares = [each for each in asdict(coverage, recurse=False).values() if isinstance(each, Share)]
    assert {share.fraction for share in shares} == {1.0}
    assert coverage.is_complete
    paid = {
        parameter.name
        for charge in found.total(CHIP).charges
        for parameter, _ in charge.unit_cost.parts
    }
    assert "energy_per_8_bit_multiply" in paid
    assert not any("float" in parameter for parameter in paid)
    weights = sum(
        line.cost.energy_joules_by_role.get("weight", 0.0) for line in found.bill(CHIP).lines
    )
    # Every weight that is not folded away is moved once, 8 to an access of 64 bits.
    accesses = [
        -(-tensor.size * 8 // 64)
        for layer in found.lowered
        for operator in layer.operators
        for tensor in operator.weights
    ]
    dram = REGISTRY.device(CHIP).energy_per_dram_access.value
    assert weights >= sum(accesses) * dram
    assert weights <= 1.1 * sum(accesses) * dram
