"""What holds for the workload of any network."""

from __future__ import annotations

from collections import Counter
from typing import Any

from attrs import evolve

import costmodel
from costmodel import Network, Operator, Scenario
from costmodel.tensor.shapes import Tensor
from costmodel.workload.graph import Loop, Node
from costmodel.workload.serialization import from_json, to_json


def for_one_example(operator: Operator) -> Operator:
    """An operator that is bound to a batch of one, without its batch."""
    operands = [
        item
        if item.role == "weight"
        else evolve(item, tensor=Tensor(item.shape[1:], item.format), index=item.index[1:])
        for item in operator.operands
    ]
    dims = {name: size for name, size in operator.dims.items() if name != "batch"}
    return evolve(operator, dims=dims, operands=operands)


def check_workload(network: Network, scenario: Scenario | None = None) -> None:
    """Its JSON is read back equal, and its nodes are the operators that devices price."""
    workload = costmodel.lower(network, scenario)
    assert from_json(to_json(workload)) == workload
    found: dict[str, list[Any]] = {layer.name: [] for layer in network.layers}
    folded = set()
    for step in workload.bind(batch=1):
        if isinstance(step, Node):
            found[step.layer].append(for_one_example(step.operator))
            folded |= {step.layer} if step.folds_into else set()
        elif isinstance(step, Loop):
            each = map(for_one_example, step.body.operators)
            found[step.layer] += [operator.repeated(step.steps) for operator in each]
    for row in costmodel.work_by_layer(network, scenario):
        name = row.layer.name
        if row.operators:
            assert Counter(found[name]) == Counter(row.operators), name
        elif name in folded:
            assert "folded" in row.work.reason  # type: ignore[union-attr]  # a reason
