"""What Arm's compiler Vela counts as MACs of the same files, and why it is more.

It adds every element that a pooling window or a mean reads, and two operations for each element of
a softmax. Where it rewrites a network (LSTM, attention), it counts what it made of it: `DIFFERENT`
has these. One of its cores splits the kernel of 10 x 4 of `kws_ref_model`, and counts it otherwise.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import costmodel
from costmodel.workload.composite import Softmax
from costmodel.workload.operators import Reduction

MODELS = Path(__file__).parent.parent / "models"
COUNTED: dict[str, set[int]] = {
    "cnn.int8.tflite": {1_646_912},
    "conv1d.int8.tflite": {146_432},
    "embedding.int8.tflite": {960},
    "resblock.int8.tflite": {917_504},
    "pretrainedResnet_quant.tflite": {12_505_748},
    "kws_ref_model.tflite": {2_504_792, 2_664_792, 2_824_792},
    "trained_lstm_int8.tflite": {114_260, 116_540},
    "transformer.int8.tflite": {135_712, 152_608, 155_680},
}
"""MACs of ethos-u-vela 5.2.0, over its accelerators and both of its cores."""
DIFFERENT = {
    "trained_lstm_int8.tflite": "the products of gates and states are among its counts",
    "transformer.int8.tflite": "it rewrites attention and normalization in other products",
}
FILES = [
    path
    for path in (*sorted(MODELS.glob("*.tflite")), *sorted((MODELS / "pairs").glob("*.tflite")))
    if path.name in COUNTED
]


def counted_as_vela(path: Path) -> int:
    workload = costmodel.lower(costmodel.read(path)).bind(batch=1)
    total = workload.macs
    for node, times in workload.nodes:
        operator = node.operator
        if isinstance(operator, Reduction):
            total += times * operator.points
        elif isinstance(operator, Softmax):
            total += times * 2 * operator.points
    return total


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_the_difference_to_vela_has_a_reason(path: Path) -> None:
    agrees = counted_as_vela(path) in COUNTED[path.name]
    assert agrees == (path.name not in DIFFERENT)


def test_all_files_are_compared() -> None:
    assert {path.name for path in FILES} == COUNTED.keys()
