"""Whole numbers on processors: biases and indices that no multiplier takes."""

from __future__ import annotations

from worlds import REGISTRY

import costmodel
from costmodel.formats import parse_format
from costmodel.scenario import Scenario
from costmodel.tensor.shapes import Tensor
from costmodel.workload.graph import Node, Workload
from costmodel.workload.operators import Operator

INT8, INT32, INT64 = (parse_format(f"int{bits}") for bits in (8, 32, 64))


def alone(operator: Operator) -> Workload:
    names = [f"t{place}" for place in range(len(operator.operands))]
    tensors = {name: one.tensor for name, one in zip(names, operator.operands, strict=True)}
    roles = [one.role for one in operator.operands]
    by_role = {
        role: [name for name, own in zip(names, roles, strict=True) if own == role]
        for role in ("input", "weight", "output")
    }
    return Workload(
        "alone", tensors, [Node("node", operator, names)], inputs=by_role["input"],
        outputs=by_role["output"], weights=by_role["weight"],
    )  # fmt: skip


def latency(operator: Operator) -> float | None:
    device = REGISTRY.device("raspberry-pi-4")
    return device.evaluate(alone(operator), Scenario()).latency_seconds


def product(bias: Tensor | None) -> Operator:
    return costmodel.matmul(
        Tensor((64, 64), INT8), Tensor((64, 64), INT8), bias=bias, output=Tensor((64, 64), INT8)
    )


def test_a_bias_does_not_decide_in_which_format_a_product_computes() -> None:
    plain, biased = latency(product(None)), latency(product(Tensor((64,), INT32)))
    assert plain is not None
    assert biased is not None
    assert plain <= biased < 1.1 * plain


def test_indices_run_on_the_lanes_of_float32() -> None:
    for number in (INT32, INT64):
        index = Tensor((1000,), number)
        found = latency(costmodel.elementwise("add", index, index, output=index))
        assert found is not None
        assert found > 0


def test_a_product_of_whole_numbers_that_no_multiplier_takes_has_no_price() -> None:
    wide = costmodel.matmul(Tensor((8, 8), INT32), Tensor((8, 8), INT32))
    estimate = REGISTRY.device("raspberry-pi-4").evaluate(alone(wide), Scenario())
    assert "contraction operators in int32" in str(estimate.unpriced)
