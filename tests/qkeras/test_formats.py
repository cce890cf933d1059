"""The formats of what is inside a layer, and between layers."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from attrs import evolve
from chains import CHIP, INT8, estimate, network

from costmodel import Network, Scenario, Unpriced
from costmodel.formats import FixedPoint, FloatingPoint, NumericFormat, parse_format
from costmodel.network.layer import Input, OperatorLayer
from costmodel.network.layer_formats import infer
from costmodel_qkeras.formats import numeric_format
from costmodel_qkeras.parsing import parse

WORD = "quantized_bits(4,0,1)"
CONV = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "dilation_rate": [1, 1]}


def operators(shape: tuple[int, ...], *layers: dict[str, Any]) -> Any:
    return estimate(network(shape, *layers), "costmodel", INT8).lowered[-1].operators


def formats(tensors: Any) -> list[NumericFormat]:
    return [tensor.format for tensor in tensors]


def test_the_tensor_between_two_convolutions_is_the_exact_sum_of_the_first() -> None:
    first, second = operators((8, 8, 3), {
        "kind": "QSeparableConv2D", **CONV, "filters": 6, "depthwise_quantizer": WORD,
        "pointwise_quantizer": WORD,
    })  # fmt: skip
    # 4 and 8 bits with a sign each, one of them left for (-1) * (-1), and the sum of 9 of them.
    exact = FixedPoint(4 + 8 + 4, 1 + 4)
    assert formats(first.outputs) == formats(second.inputs) == [exact]


def test_the_tensor_between_two_convolutions_may_be_rounded() -> None:
    first, activation, second = operators((8, 8, 3), {
        "kind": "QSeparableConv2DTranspose", **CONV, "filters": 6,
        "depthwise_kernel_quantizer": WORD, "pointwise_kernel_quantizer": WORD,
        "depthwise_activation": "quantized_relu(5,2)",
    })  # fmt: skip
    rounded = FixedPoint(5, 2, signed=False)
    assert formats((*first.outputs, *activation.outputs, *second.inputs)) == [rounded] * 3


@pytest.mark.parametrize("pool", [
    {"kind": "QAveragePooling2D", "pool_size": [2, 2]}, {"kind": "QGlobalAveragePooling2D"},
], ids=lambda pool: pool["kind"])  # fmt: skip
def test_a_mean_is_scaled_by_its_quantized_factor(pool: dict[str, Any]) -> None:
    (mean,) = operators((8, 8, 3), {**pool, "average_quantizer": "quantized_bits(6,0,1)"})
    assert formats(mean.weights) == [FixedPoint(6)]
    (plain,) = operators((8, 8, 3), pool)
    assert plain.weights == ()


RECURRENT = {
    "units": 3, "kernel_quantizer": WORD, "recurrent_quantizer": WORD,
    "bias_quantizer": WORD, "state_quantizer": "quantized_bits(3,0,1)",
    "activation": "quantized_bits(3,0,1)", "recurrent_activation": "quantized_relu(2,1)",
}  # fmt: skip
KINDS = ["QSimpleRNN", "QLSTM", "QGRU"]


@pytest.mark.parametrize("kind", KINDS)
def test_everything_in_a_quantized_cell_has_a_fixed_point(kind: str) -> None:
    work = operators((5, 4), {"kind": kind, **RECURRENT})
    tensors = [tensor for each in work for tensor in (*each.inputs, *each.weights)]
    assert all(isinstance(found, FixedPoint) for found in formats(tensors))
    assert formats(work[1].inputs) == [FixedPoint(3)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_new_state_of_a_cell_holds_every_value(kind: str) -> None:
    layer = estimate(network((5, 4), {"kind": kind, **RECURRENT}), "costmodel").network.layers[1]
    names = ("activation", "recurrent_activation", "state_quantizer")
    declared = [list(numeric_format(parse(str(RECURRENT[name]))).values()) for name in names]
    reached = {
        {"QSimpleRNN": value, "QLSTM": gate * value, "QGRU": gate * state + (1 - gate) * value}[
            kind
        ]
        for value, gate, state in itertools.product(*declared)
    }
    result = layer.declared_result()
    assert result is not None
    assert reached <= set(result.values())


def test_the_state_of_a_cell_that_keeps_all_digits_is_in_the_default_format() -> None:
    open_ended = {**RECURRENT, "kind": "QGRU", "state_quantizer": None}
    work = operators((5, 4), open_ended)
    assert formats(work[-1].outputs) == [numeric_format(parse("quantized_bits(5,1)"))]
    found = estimate(network((5, 4), open_ended), "costmodel").network.layers[1]
    assert found.declared_result() is None


def test_both_directions_have_the_formats_of_one() -> None:
    inner = {"class_name": "QLSTM", "module": "qkeras", "config": RECURRENT}
    both = operators((5, 4), {"kind": "QBidirectional", "layer": inner})
    one = operators((5, 4), {"kind": "QLSTM", **RECURRENT})
    assert both == (*one, *one)


def test_a_network_that_declares_nothing_has_its_source_and_the_default() -> None:
    source = network((4,), {"kind": "Dense", "units": 3}, {"kind": "Dense", "units": 2})
    scenario = Scenario(default_format="float16", source_format="uint8")
    _, first, second = estimate(source, "costmodel", scenario).lowered
    assert formats(first.operators[0].inputs) == [parse_format("uint8")]
    assert formats(second.operators[0].inputs) == [FloatingPoint(16)]


def results(*layers: dict[str, Any], scenario: Scenario = INT8) -> list[NumericFormat]:
    """The formats of what the layers of a chain put out, the input before them."""
    found = estimate(network((4, 4, 2), *layers), "costmodel", scenario)
    return [line.layer.outputs[0].format for line in found.lowered]


PLAIN = {"kind": "Dense", "units": 3}
DECLARED = {"kind": "QDense", "units": 3, "kernel_quantizer": WORD, "use_bias": False}
FLAT, POOL = {"kind": "Flatten"}, {"kind": "MaxPooling2D", "pool_size": [2, 2]}
EIGHT = INT8.default_format


@pytest.mark.parametrize("place", range(1, 6))
def test_a_declaration_changes_no_price_before_it(place: int) -> None:
    layers = [PLAIN] * 6
    mixed = [*layers[:place], DECLARED, *layers[place + 1 :]]
    plain, one = (
        estimate(network((4,), *chain), "costmodel", INT8).bill(CHIP).lines
        for chain in (layers, mixed)
    )
    costs = [[line.cost.energy_joules for line in lines] for lines in (plain, one)]
    assert costs[0][: place + 1] == costs[1][: place + 1]
    assert costs[0][place + 1] != costs[1][place + 1]


def test_what_no_layer_declares_does_not_widen_from_layer_to_layer() -> None:
    assert results(FLAT, *[PLAIN] * 300, DECLARED)[:-1] == [EIGHT] * 302


def test_what_holds_no_parameters_follows_a_declaration() -> None:
    # 4 and 8 bits with a sign each, one of them left for (-1) * (-1), and the sum of 2 of them.
    exact = FixedPoint(4 + 8 + 1, 1 + 1)
    assert results(DECLARED, POOL, FLAT, PLAIN) == [EIGHT, exact, exact, exact, EIGHT]


def test_what_holds_no_parameters_follows_the_source() -> None:
    scenario = evolve(INT8, source_format="uint8")
    source = parse_format("uint8")
    assert results(POOL, FLAT, PLAIN, scenario=scenario) == [source, source, source, EIGHT]


def test_what_nobody_knows_puts_out_the_default() -> None:
    start = Input("x", "input", shape=(4,))
    odd = OperatorLayer("y", "operators", start.outputs, work=Unpriced("nobody knows"))
    scenario = evolve(INT8, source_format="uint8")
    found = infer(Network("net", [start, odd], {"y": ["x"]}), scenario)
    assert [layer.outputs[0].format for layer in found.layers] == [parse_format("uint8"), EIGHT]
