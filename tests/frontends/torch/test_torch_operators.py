"""The table of PyTorch's operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from costmodel.errors import ReadError
from costmodel.frontend.graph import Graph
from costmodel.frontend.translation import DataDependentError
from costmodel_torch.aten import ATEN
from costmodel_torch.translator import Translator, is_number

CORE: Any = yaml.safe_load((Path(__file__).parent / "core_operators.yaml").read_text())


@pytest.mark.parametrize("operator", CORE["operators"])
def test_each_core_operator_has_a_rule_or_a_reason(operator: str) -> None:
    rule = Translator(Graph("core", "torch"), ATEN, {}).rule_name(operator)
    has_rule = rule in ATEN or is_number(operator)
    assert has_rule != (operator in CORE["left_out"])


@pytest.mark.parametrize("operator", CORE["operators"])
def test_a_rule_that_only_gives_a_reason_is_listed_with_it(operator: str) -> None:
    rule = ATEN.find(Translator(Graph("core", "torch"), ATEN, {}).rule_name(operator))
    reason = None
    try:
        _ = rule and rule(None)  # only such a rule does not look at its node
    except DataDependentError as error:
        reason = str(error)
    except (AttributeError, ReadError):
        pass
    assert reason == CORE["unpriced"].get(operator)


def test_the_list_of_core_operators_says_where_it_comes_from() -> None:
    assert "native_functions.yaml" in CORE["source"]
    assert set(CORE["left_out"]) <= set(CORE["operators"])


UNDECOMPOSED = """
    linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d matmul einsum
    lstm.input gru.input rnn_tanh.input rnn_relu.input scaled_dot_product_attention layer_norm
    group_norm instance_norm batch_norm rms_norm gelu silu softmax log_softmax max_pool1d max_pool2d
    max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool2d adaptive_max_pool2d embedding
    embedding_bag dropout unflatten flatten chunk split stack pad roll pixel_shuffle
    upsample_bilinear2d upsample_nearest2d grid_sampler where masked_fill tril triu
""".split()  # noqa: SIM905  # a list to read


@pytest.mark.parametrize("operator", UNDECOMPOSED)
def test_each_operator_that_export_leaves_whole_has_a_rule(operator: str) -> None:
    assert f"aten.{operator}" in ATEN
