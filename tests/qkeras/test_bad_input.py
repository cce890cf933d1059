"""What is wrong with a quantised network is told with its layer and its field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import CHIP, estimate, network, saved
from click.testing import CliRunner

from costmodel.cli import main
from costmodel.errors import CostModelError
from costmodel_qkeras import QTools

WORD = "quantized_bits(4,0,1)"
PWNED = Path("pwned-by-a-quantizer")
CODE = f"__import__('pathlib').Path('{PWNED}').touch()"

QUANTIZERS: dict[str, tuple[Any, str]] = {
    "code": (CODE, "code in a quantizer is refused"),
    "code as an argument": (f"quantized_bits({CODE})", "code in a quantizer is refused"),
    "code as an operation": ("quantized_bits(9**9**9)", "code in a quantizer is refused"),
    "code after a quantizer": ("quantized_bits(4); exit()", "cannot be parsed"),
    "a comprehension": ("[exit() for _ in (1,)]", "expected a quantizer such as"),
    "a lambda": ("lambda: exit()", "expected a quantizer such as"),
    "unknown": ("quantised_bits(4)", "nearest known: 'quantized_bits'"),
    "no bits": ("quantized_bits(0)", "bits is 0; expected 1 to 4096"),
    "negative bits": ("quantized_bits(-4)", "bits is -4; expected 1 to 4096"),
    "many bits": ("quantized_bits(10000)", "bits is 10000; expected 1 to 4096"),
    "more bits than a float counts": ("quantized_bits(" + 900 * "1" + ")", "expected 1 to 4096"),
    "bits of infinity": ("quantized_bits(1e999)", "bits is inf; expected a whole number"),
    "half a bit": ("quantized_bits(4.5)", "bits is 4.5; expected a whole number"),
    "a wide integer part": ("quantized_bits(4,9)", "not wider than the word"),
    "no integer part": ("quantized_bits(4,None)", "integer is None; expected a whole number"),
    "a sign that is none": (
        "quantized_bits(4,keep_negative='no')", "keep_negative is 'no'; expected True or False"),
    "a slope that is none": (
        "quantized_relu(4,negative_slope='x')", "negative_slope is 'x'; expected a number"),
    "an infinite slope": (
        "quantized_relu(4,negative_slope=1e999)", "negative_slope is inf; expected a number"),
    "a negative cap": ("quantized_po2(4,-1)", "max_value is -1; expected a number of 0 or more"),
    "no exponent": ("quantized_po2(1)", "leaves 0 for the exponent"),
    "a wide exponent": ("quantized_po2(40)", "leaves 39 for the exponent"),
    "a configuration": (
        {"class_name": "quantized_bits", "config": {"bits": 0}}, "bits is 0; expected 1 to 4096"),
    "an unknown class": ({"class_name": "Lambda(x)", "config": {}}, "unknown quantizer"),
    "not a number": (
        {"class_name": "quantized_bits", "config": {"bits": float("nan")}}, "bits is nan"),
}  # fmt: skip
FIELDS = ["kernel_quantizer", "bias_quantizer", "activation"]


def words(field: str, quantizer: Any, message: str, said: str) -> None:
    assert f"layer 'layer0' of kind 'qkeras.QDense': {field!r} is " in said
    assert message in said
    assert not PWNED.exists()


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_bad_quantizer_in_a_file_is_reported_with_its_layer_and_field(
    name: str, field: str, tmp_path: Path
) -> None:
    quantizer, message = QUANTIZERS[name]
    text = saved((4,), {"kind": "QDense", "units": 3, field: quantizer})
    file = tmp_path / "network.json"
    file.write_text(text)
    for source in (text, file):
        with pytest.raises(CostModelError) as error:
            QTools(source, "horowitz")
        words(field, quantizer, message, str(error.value))


@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_command_tells_a_bad_quantizer_with_its_layer_and_field(
    name: str, tmp_path: Path
) -> None:
    quantizer, message = QUANTIZERS[name]
    file = tmp_path / "network.json"
    file.write_text(saved((4,), {"kind": "QDense", "units": 3, "kernel_quantizer": quantizer}))
    ran = CliRunner().invoke(main, ["estimate", str(file), "-d", "horowitz-45nm"])
    assert ran.exit_code == 2
    words("kernel_quantizer", quantizer, message, ran.stderr.replace("\n", " "))
    assert "Traceback" not in ran.output


CONV = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "dilation_rate": [1, 1]}
STEPS = (5, 4)
IMAGE = (8, 8, 4)


def both_ways(**config: Any) -> dict[str, Any]:
    inner = {"class_name": "QLSTM", "module": "qkeras", "config": {"name": "lstm", **config}}
    return {"kind": "QBidirectional", "layer": inner}


def adaptive(**settings: Any) -> dict[str, Any]:
    given = {"activation": "quantized_relu", "total_bits": 8, **settings}
    return {"kind": "QAdaptiveActivation", **given}


LAYERS: dict[str, tuple[tuple[int, ...], dict[str, Any], str]] = {
    "in both directions": (
        STEPS, both_ways(units=3, kernel_quantizer="quantized_bits(0)"),
        "layer 'lstm' of kind 'qkeras.QLSTM': 'kernel_quantizer' is 'quantized_bits(0)'"),
    "no units in both directions": (
        STEPS, both_ways(units=0), "layer 'lstm' of kind 'qkeras.QLSTM': 'units' is 0"),
    "a plain layer in both directions": (
        STEPS,
        {"kind": "QBidirectional", "layer": {"class_name": "LSTM", "module": "keras",
                                             "config": {"units": 3}}},
        "expected one of qkeras.QSimpleRNN, qkeras.QLSTM, qkeras.QGRU"),
    "no layer in both directions": (
        STEPS, {"kind": "QBidirectional", "layer": 5}, "'layer' is 5; expected a layer"),
    "an unknown way to join": (
        STEPS, {**both_ways(units=3), "merge_mode": "max"},
        "'merge_mode' is 'max'; expected one of concat, sum, ave, mul"),
    "gates": (
        STEPS, {"kind": "QLSTM", "units": 3, "recurrent_activation": "quantized_bits(0)"},
        "'recurrent_activation' is 'quantized_bits(0)'"),
    "an activation that adapts no quantizer": (
        STEPS, adaptive(activation="binary"),
        "'activation' is 'binary'; expected one of quantized_bits, quantized_relu"),
    "no bits that adapt": (STEPS, adaptive(total_bits=0), "'total_bits' is 0; "),
    "many bits that adapt": (
        STEPS, adaptive(total_bits=10**9), "'total_bits' is 1000000000; "),
    "a slope that adapts": (
        STEPS, adaptive(relu_neg_slope="steep"), "'relu_neg_slope' is 'steep'; "),
    "channels that adapt": (STEPS, adaptive(per_channel="all"), "'per_channel' is 'all'; "),
    "an average": (
        IMAGE, {"kind": "QAveragePooling2D", "pool_size": [2, 2],
                "average_quantizer": "quantized_bits(4,5)"},
        "'average_quantizer' is 'quantized_bits(4,5)'"),
    "a normalization": (
        IMAGE, {"kind": "QBatchNormalization", "variance_quantizer": "quantized_po2(1)"},
        "'variance_quantizer' is 'quantized_po2(1)'"),
    "between two convolutions": (
        IMAGE, {"kind": "QSeparableConv2DTranspose", **CONV, "filters": 4,
                "depthwise_activation": "quantized_bits(0)"},
        "'depthwise_activation' is 'quantized_bits(0)'"),
    "a group of none": (
        IMAGE, {"kind": "QDepthwiseConv2DTranspose", **CONV, "filters": 4, "group_size": 0},
        "'group_size' is 0; expected a whole number of 1 or more"),
    "a flag that is none": (
        IMAGE, {"kind": "QConv2DBatchnorm", **CONV, "filters": 4, "scale": "yes"},
        "'scale' is 'yes'; expected true or false"),
    "an activation that is a number": (
        STEPS, {"kind": "QDense", "units": 3, "activation": 5},
        "'activation' is 5; expected the name of an activation"),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_a_bad_setting_is_reported_with_its_layer_and_field(name: str) -> None:
    shape, layer, message = LAYERS[name]
    with pytest.raises(CostModelError) as error:
        network(shape, layer)
    assert message in str(error.value)
    assert "layer 'layer0'" in str(error.value) or "layer 'lstm'" in str(error.value)


CONV_LAYER = {**CONV, "filters": 4}
MISSPELT: dict[str, tuple[tuple[int, ...], dict[str, Any], str]] = {
    "alone": (STEPS, {"kind": "QActivation", "activation": "quantized_rely"}, "quantized_relu"),
    "of a dense layer": (
        STEPS, {"kind": "QDense", "units": 3, "activation": "quantised_bits"}, "quantized_bits"),
    "of a convolution": (
        IMAGE, {"kind": "QConv2D", **CONV_LAYER, "activation": "ternery"}, "ternary"),
    "of a mean": (
        IMAGE, {"kind": "QAveragePooling2D", "pool_size": [2, 2], "activation": "binray"},
        "binary"),
    "between two convolutions": (
        IMAGE, {"kind": "QSeparableConv2DTranspose", **CONV_LAYER,
                "depthwise_activation": "quantized_po"}, "quantized_po2"),
    "after two convolutions": (
        IMAGE, {"kind": "QSeparableConv2DTranspose", **CONV_LAYER,
                "pointwise_activation": "quantized_tan"}, "quantized_tanh"),
    "of a transposed one": (
        IMAGE, {"kind": "QDepthwiseConv2DTranspose", **CONV_LAYER,
                "depthwise_activation": "quantized_sigmoit"}, "quantized_sigmoid"),
    "of a cell": (
        STEPS, {"kind": "QLSTM", "units": 3, "activation": "quantized_tann"}, "quantized_tanh"),
    "of the gates of a cell": (
        STEPS, {"kind": "QGRU", "units": 3, "recurrent_activation": "hard_sigmoit"},
        "hard_sigmoid"),
    "of a scale": (STEPS, {"kind": "QScaleShift", "activation": "bernouly"}, "bernoulli"),
    "a function of Keras": (STEPS, {"kind": "QDense", "units": 3, "activation": "relo"}, "relu"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISSPELT)
def test_a_misspelt_name_of_a_quantizer_is_unpriced_with_the_nearest(name: str) -> None:
    shape, layer, near = MISSPELT[name]
    (given,) = (layer[key] for key in layer if key.endswith("activation"))
    found = estimate(network(shape, layer), "costmodel")
    (reason,) = found.coverage(CHIP).unpriced["layer0"]
    assert reason == (
        f"no rule says what the activation {given!r} computes; nearest known: {near!r}"
    )


def test_a_plain_function_between_two_convolutions_is_evaluated() -> None:
    layer = {"kind": "QSeparableConv2DTranspose", **CONV_LAYER, "depthwise_activation": "relu"}
    work = network(IMAGE, layer).layers[-1].operators()
    assert [getattr(each, "function", "sum") for each in work] == ["sum", "relu", "sum"]


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "a source": (
        {"source_quantizers": ["quantized_bits(0)"]},
        "a source quantizer is 'quantized_bits(0)'; quantized_bits: bits is 0"),
    "an accumulator": (
        {"keras_accumulator": "int9"}, "keras_accumulator is 'int9'; unknown quantizer 'int9'"),
    "parameters": (
        {"keras_quantizer": CODE}, "code in a quantizer is refused"),
    "weights of a file": ({"weights_path": "weights.h5"}, "weights_path needs the weights of a"),
    "constants of a file": ({"is_inference": True}, "is_inference needs the weights of a live"),
    "a fusion of nothing": (
        {"hw_weight_dict": {"layer1": {"enable_bn_fusing": True, "fused_bn_layer_name": "norm"}}},
        "unknown layer in hw_weight_dict 'layer1'\n  nearest known: 'layer0'"),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_a_bad_option_of_qtools_is_reported_by_its_name(name: str) -> None:
    options, message = OPTIONS[name]
    source = network((4,), {"kind": "QDense", "units": 3, "kernel_quantizer": WORD})
    with pytest.raises(CostModelError) as error:
        QTools(source, "horowitz", **options)
    assert message in str(error.value)


@pytest.mark.parametrize("size", [-1, "64 KB", float("nan"), None])
def test_a_size_that_no_memory_has_is_reported(size: Any) -> None:
    source = network((4,), {"kind": "QDense", "units": 3, "kernel_quantizer": WORD})
    with pytest.raises(CostModelError, match=r"min_sram_size is .*; expected a number of bits"):
        QTools(source, "horowitz").pe(min_sram_size=size)
