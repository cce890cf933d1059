"""Quantizers: strings, configurations, live objects, and what is wrong with some of them."""

from __future__ import annotations

from typing import Any

import pytest

from costmodel.formats import Binary, FixedPoint, PowerOfTwo, Ternary
from costmodel_qkeras.formats import numeric_format
from costmodel_qkeras.parsing import parse
from costmodel_qkeras.quantizers import QuantizerError
from costmodel_qkeras.reading import from_config, read, read_activation


@pytest.mark.parametrize(("text", "expected"), [
    ("quantized_bits(8,3,1)", FixedPoint(8, 3)),
    ("quantized_bits(4, 0, 0, keep_negative=False)", FixedPoint(4, 0, signed=False)),
    ("quantized_bits(1)", Binary()),
    ("quantized_bits", FixedPoint(8, 0)),
    ("quantized_linear(6, 2)", FixedPoint(6, 2)),
    ("quantized_relu(6)", FixedPoint(6, 0, signed=False)),
    ("quantized_relu(8,2,negative_slope=0.25)", FixedPoint(8, 2)),
    ("quantized_hswish(6, 2)", FixedPoint(6, 2)),
    ("quantized_sigmoid(6)", FixedPoint(6, 0, signed=False)),
    ("quantized_tanh(5)", FixedPoint(5, 0)),
    ("quantized_ulaw(6,1)", FixedPoint(6, 1)),
    ("quantized_po2(4,1)", PowerOfTwo(4, signed=True, max_exponent=0)),
    ("quantized_po2(5, 9)", PowerOfTwo(5, signed=True, max_exponent=4)),
    ("quantized_relu_po2(4)", PowerOfTwo(4, signed=False)),
    ("stochastic_ternary()", Ternary()),
    ("ternary(alpha='auto_po2')", Ternary()),
    ("binary()", Binary()),
    ("stochastic_binary()", Binary()),
    ("binary(use_01=1)", Binary(zero_one=True)),
    ("bernoulli(-1.0)", Binary(zero_one=True)),
    ("quantized_bits(8, 0, 1, scale_axis=[0, 1])", FixedPoint(8, 0)),
])  # fmt: skip
def test_a_string_is_read_as_its_format(text: str, expected: Any) -> None:
    assert numeric_format(parse(text)) == expected


@pytest.mark.parametrize("text", [
    "quantized_bits(8,3,1)", "quantized_relu(6, negative_slope=0.25)", "binary(use_01=True)",
    "quantized_po2(4, max_value=1)", "ternary(alpha='auto')",
    "quantized_bits(8, scale_axis=(1, 2))", "quantized_bits(8, alpha=ternary())",
])  # fmt: skip
def test_writing_then_reading_is_identity(text: str) -> None:
    quantizer = parse(text)
    assert parse(str(quantizer)) == quantizer


def test_true_and_one_are_reported_apart() -> None:
    one, true = (parse(f"quantized_bits(8, keep_negative={value})") for value in ("1", "True"))
    assert one != true


@pytest.mark.parametrize(("config", "text"), [
    ({"class_name": "quantized_bits", "config": {"bits": 4, "integer": 1}}, "quantized_bits(4,1)"),
    ({"module": "qkeras.quantizers", "class_name": "quantized_relu", "config": {"bits": 6},
      "registered_name": "qkeras>quantized_relu"}, "quantized_relu(6)"),
    ({"class_name": "qkeras>ternary", "config": {"alpha": None, "new": 1}}, "ternary()"),
    ({"class_name": "quantized_bits", "config": {"bits": 4, "scale_axis": [0, 1]}},
     "quantized_bits(4, scale_axis=(0, 1))"),
    ({"class_name": "quantized_bits", "config": {
        "bits": 4, "alpha": {"class_name": "__numpy__", "config": {"value": 2.0}}}},
     "quantized_bits(4, alpha=2.0)"),
])  # fmt: skip
def test_a_configuration_is_read_like_the_string(config: dict[str, Any], text: str) -> None:
    assert from_config(config) == parse(text)


@pytest.mark.parametrize("activation", ["relu", "linear", None, max, {"class_name": "function"}])
def test_an_activation_that_does_not_quantise_is_none(activation: object) -> None:
    assert read_activation(activation) is None


@pytest.mark.parametrize(("text", "message"), [
    ("quantized_bit(8)", "unknown quantizer 'quantized_bit'; nearest known: 'quantized_bits'"),
    ("quantized_bits(0)", "bits is 0; expected 1 to 4096"),
    ("quantized_bits(-4)", "bits is -4; expected 1 to 4096"),
    ("quantized_bits(10000)", "bits is 10000; expected 1 to 4096"),
    ("quantized_bits(True)", "bits is True; expected a whole number"),
    ("quantized_bits(1e999)", "bits is inf; expected a whole number"),
    ("quantized_bits(4, 9)", "integer is 9 and bits is 4"),
    ("quantized_bits(4, -9000)", "integer is -9000; expected at least -4096"),
    ("quantized_bits('8')", "bits is '8'; expected a whole number"),
    ("quantized_bits(8, bits=4)", "bits is given twice"),
    ("quantized_bits(bits=4, bits=8)", "cannot be parsed|given twice"),
    ("quantized_bits(8, widht=1)", "no parameter 'widht'; nearest known"),
    ("quantized_relu_po2(4, -1)", "max_value is -1; expected a number of 0 or more"),
    ("quantized_tanh(8, 1, 1, 1, 1)", "at most 4 arguments, found 5"),
    ("__import__('os').system('true')", "code in a quantizer is refused"),
    ("quantized_bits(exit())", "unknown quantizer 'exit'"),
    ("quantized_bits((lambda: 8)())", "code in a quantizer is refused"),
    ("quantized_bits(8 + 1)", "code in a quantizer is refused"),
    ("quantized_bits(not 1)", "code in a quantizer is refused"),
    ("quantized_bits(-'a')", "code in a quantizer is refused"),
    ("quantized_bits(*[8])", "code in a quantizer is refused"),
    ("quantized_bits(**{'bits': 8})", "code in a quantizer is refused"),
    ("quantized_bits(b'8')", "code in a quantizer is refused"),
    ("quantized_bits(8", "cannot be parsed"),
    ("", "cannot be parsed"),
    ("7", "expected a quantizer such as"),
    ("quantized_bits(" + "[" * 500 + ")", "cannot be parsed"),
    ("quantized_bits(" * 50 + ")" * 50, "code in a quantizer is refused"),
    ("a" * 2000, "at most 1000 characters, found 2000"),
])  # fmt: skip
def test_a_bad_string_is_refused_with_its_reason(text: str, message: str) -> None:
    with pytest.raises(QuantizerError, match=message):
        parse(text)


@pytest.mark.parametrize(("source", "message"), [
    (7, "unknown quantizer 'int'"),
    ({}, "expected a quantizer with 'class_name' and 'config'"),
    ({"class_name": "quantized_bits", "config": {"bits": object()}}, "expected a number"),
    ({"class_name": "quantized_bits", "config": {"bits": 0}}, "bits is 0"),
])  # fmt: skip
def test_what_is_not_a_quantizer_is_refused(source: object, message: str) -> None:
    with pytest.raises(QuantizerError, match=message):
        read(source)


def test_a_power_of_two_needs_a_bit_for_its_exponent() -> None:
    with pytest.raises(QuantizerError, match="leaves 0 for the exponent"):
        numeric_format(parse("quantized_po2(1)"))


def test_releases_differ_in_the_third_position_of_binary() -> None:
    old = parse("binary(1, None, True)", release="0.9")
    new = parse("binary(1, None, True)")
    assert (old.get("use_stochastic_rounding"), new.get("use_stochastic_rounding")) == (True, False)


TEXTS = [
    "quantized_bits(4,0,1)", "quantized_bits(8,2,0,False)", "quantized_bits(6,1,1,alpha=1.0)",
    "quantized_relu(4,1)", "quantized_relu(6,negative_slope=0.25)", "quantized_tanh(5)",
    "quantized_ulaw(6,1)", "quantized_sigmoid(6)", "quantized_hswish(6)", "quantized_linear(6,2)",
    "quantized_po2(4,2)", "quantized_relu_po2(6,2048)", "ternary()", "stochastic_ternary()",
    "binary()", "binary(use_01=1)", "stochastic_binary()", "bernoulli()",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning:qkeras")  # its parser is deprecated
@pytest.mark.parametrize("text", TEXTS)
def test_a_live_quantizer_and_its_configuration_are_read_like_the_string(text: str) -> None:
    quantizers: Any = pytest.importorskip("qkeras.quantizers")
    live = quantizers.get_quantizer(text)
    # Both releases fill parameters in that the string leaves open.
    assert numeric_format(read(live)) == numeric_format(parse(text))  # type: ignore[arg-type]
    config = {"class_name": type(live).__name__, "config": live.get_config()}
    assert numeric_format(from_config(config)) == numeric_format(parse(text))
