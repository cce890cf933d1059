"""The faults of QTools, row by row: its answer in its own convention, the right one by default.

Right answers are worked out here: counts from shapes, prices from the published figures.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from chains import CHIP, INT8, REGISTRY, estimate, network, saved
from figures import near

from costmodel import Network
from costmodel.errors import UnknownNameError
from costmodel.network.graph import Port
from costmodel_qkeras import QTools
from costmodel_qkeras.convention import CONVENTION

BITS = 8
WORD = f"quantized_bits({BITS},0,1)"
SIDE, CHANNELS, FILTERS, WINDOW = 8, 4, 6, 3 * 3
IMAGE = (SIDE, SIDE, CHANNELS)
POSITIONS = SIDE * SIDE
STEPS, FEATURES, UNITS = 5, 4, 3
WIRED = {"weights_on_memory": "fixed", "activations_on_memory": "fixed", "rd_wr_on_io": False}
PICO = 1e-12
ACCESS = 64


def convolution(kind: str, **settings: Any) -> dict[str, Any]:
    shared = {
        "kind": kind, "kernel_size": [3, 3], "strides": [1, 1], "padding": "same",
        "dilation_rate": [1, 1],
    }  # fmt: skip
    return {**shared, **settings}


def with_filters(kind: str, **settings: Any) -> dict[str, Any]:
    return convolution(
        kind, filters=FILTERS, kernel_quantizer=WORD, bias_quantizer=WORD, **settings
    )  # fmt: skip


def depthwise(kind: str, **settings: Any) -> dict[str, Any]:
    return convolution(kind, depthwise_quantizer=WORD, bias_quantizer=WORD, **settings)


def recurrent(kind: str) -> dict[str, Any]:
    return {"kind": kind, "units": UNITS, "kernel_quantizer": WORD, "recurrent_quantizer": WORD}


def by_default(source: Any, layer: str = "layer0", **memory: Any) -> Any:
    """The line of a layer in the default convention."""
    return estimate(source, "costmodel", INT8, **memory).bill(CHIP).line(layer)


def by_qtools(source: Any, layer: str = "layer0", **memory: Any) -> Any:
    return estimate(source, "qtools", **memory).bill(CHIP).line(layer)


def macs(source: Network) -> int:
    return sum(layer.macs for layer in estimate(source, "costmodel").lowered)


def counted_by_qtools(source: Network, layer: str = "layer0") -> int:
    """The operation count in QTools' data type map."""
    return CONVENTION.describe(source).records[layer].operation_count


# ------------------------------------------------------------------ prices


def test_an_access_to_sram_costs_64_times_what_qtools_charges() -> None:
    """8 KB of weights: QTools charges its price of one bit for each access of 64."""
    source = network((256,), {"kind": "QDense", "units": 32, "kernel_quantizer": WORD,
                              "use_bias": False})  # fmt: skip
    bits = 256 * 32 * BITS
    accesses = bits // ACCESS
    right = by_default(source, weights_on_memory="sram").cost.energy_joules_by_role["weight"]
    published = REGISTRY.device(CHIP).energy_per_8_kb_sram_access.value
    assert right == near(accesses * published)
    wrong = by_qtools(source, weights_on_memory="sram").cost.energy_joules_by_role["weight"]
    x = math.log2(bits)
    per_bit = 9.02427321e-4 * x**3 - 2.68847858e-2 * x**2 + 0.208900804 * x
    assert wrong == near(accesses * per_bit * PICO, rel=1e-6)
    assert right / wrong == near(ACCESS, rel=0.01)


def adder(bits: int) -> float:
    """Joules of an adder between the published widths, straight lines, and beyond them."""
    chip = REGISTRY.device(CHIP)
    widths = (8, 16, 32)
    figures = (
        chip.energy_per_8_bit_add.value, chip.energy_per_16_bit_add.value,
        chip.energy_per_32_bit_add.value,
    )  # fmt: skip
    return float(np.interp(bits, widths, figures)) * max(1.0, bits / widths[-1])


def multiply_accumulate(terms: int) -> float:
    """Joules of one with 8-bit operands, its sum of so many products, and a bias.

    A product has two signs of which one is left over for (-1) * (-1); the bias is a digit more.
    """
    product = BITS + BITS
    total = product + math.ceil(math.log2(terms)) + 1
    return float(REGISTRY.device(CHIP).energy_per_8_bit_multiply.value) + adder(total)


FOLDED: dict[str, tuple[dict[str, Any], int, int]] = {
    # name: (layer, multiply-accumulates, products in a sum)
    "QConv2DBatchnorm": (
        with_filters("QConv2DBatchnorm"),
        POSITIONS * FILTERS * WINDOW * CHANNELS, WINDOW * CHANNELS,
    ),
    "QDepthwiseConv2DBatchnorm": (
        depthwise("QDepthwiseConv2DBatchnorm"), POSITIONS * CHANNELS * WINDOW, WINDOW,
    ),
    # Every input element goes through the whole kernel; with a stride of 2, at most 2 x 2 of
    # each channel meet in one output element.
    "QConv2DTranspose": (
        with_filters("QConv2DTranspose", strides=[2, 2]),
        POSITIONS * CHANNELS * WINDOW * FILTERS, 2 * 2 * CHANNELS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDED)
def test_work_that_qtools_prices_at_nothing_has_its_price(name: str) -> None:
    layer, count, terms = FOLDED[name]
    source = network(IMAGE, layer)
    (reason,) = by_qtools(source).unpriced
    assert reason == (
        f"QTools counts no energy for the arithmetic of a 'qkeras.{name}': "
        f"{count:,} multiply-accumulates"
    )
    assert "compute" not in by_qtools(source).cost.energy_joules_by_role
    right = by_default(source, **WIRED).cost.energy_joules_by_role
    assert right == {"compute": near(count * multiply_accumulate(terms))}


# ------------------------------------------------------------------ counts


MISSED: dict[str, tuple[tuple[int, ...], dict[str, Any], int]] = {
    "QSeparableConv2D": (
        IMAGE,
        convolution("QSeparableConv2D", filters=FILTERS, depthwise_quantizer=WORD,
                    pointwise_quantizer=WORD),
        POSITIONS * CHANNELS * WINDOW + POSITIONS * CHANNELS * FILTERS,
    ),
    "QSimpleRNN": (
        (STEPS, FEATURES), recurrent("QSimpleRNN"), STEPS * UNITS * (FEATURES + UNITS),
    ),
    "QGRU": ((STEPS, FEATURES), recurrent("QGRU"), 3 * STEPS * UNITS * (FEATURES + UNITS)),
    "QLSTM": ((STEPS, FEATURES), recurrent("QLSTM"), 4 * STEPS * UNITS * (FEATURES + UNITS)),
    "QBidirectional": (
        (STEPS, FEATURES),
        {"kind": "QBidirectional", "layer": {
            "class_name": "QLSTM", "module": "qkeras", "config": recurrent("QLSTM")}},
        2 * 4 * STEPS * UNITS * (FEATURES + UNITS),
    ),
    "QDenseBatchnorm": (
        (FEATURES,), {"kind": "QDenseBatchnorm", "units": UNITS, "kernel_quantizer": WORD},
        FEATURES * UNITS,
    ),
    "LSTM": (
        (STEPS, FEATURES), {"kind": "LSTM", "units": UNITS},
        4 * STEPS * UNITS * (FEATURES + UNITS),
    ),
    "EinsumDense": (
        (STEPS, FEATURES),
        {"kind": "EinsumDense", "equation": "abc,cd->abd", "output_shape": [None, UNITS]},
        STEPS * FEATURES * UNITS,
    ),
    "Conv3D": (
        (SIDE, *IMAGE),
        {"kind": "Conv3D", "filters": FILTERS, "kernel_size": [3, 3, 3], "strides": [1, 1, 1],
         "padding": "same", "dilation_rate": [1, 1, 1]},
        SIDE * POSITIONS * FILTERS * 3 * WINDOW * CHANNELS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISSED)
def test_multiply_accumulates_that_qtools_misses_are_counted(name: str) -> None:
    shape, layer, count = MISSED[name]
    source = network(shape, layer)
    (reason,) = by_qtools(source).unpriced
    assert reason.endswith(f"{count:,} multiply-accumulates")
    assert "compute" not in by_qtools(source).cost.energy_joules_by_role
    assert macs(source) == count
    assert not by_default(source).unpriced
    assert by_default(source).cost.energy_joules_by_role["compute"] > 0


def test_attention_that_qtools_misses_is_counted() -> None:
    """Four projections of every step, and for each pair of steps a score and a share."""
    keras = pytest.importorskip("keras")
    heads, width = 2, 3
    steps = keras.Input((STEPS, FEATURES))
    attention = keras.layers.MultiHeadAttention(heads, width, name="layer0")
    source = REGISTRY.read(keras.Model(steps, attention(steps, steps)))
    count = 4 * STEPS * FEATURES * heads * width + 2 * heads * STEPS * STEPS * width
    (reason,) = by_qtools(source).unpriced
    assert reason.endswith(f"{count:,} multiply-accumulates")
    assert macs(source) == count
    assert by_default(source).cost.energy_joules_by_role["compute"] > 0


def test_a_layer_normalization_is_counted() -> None:
    """Mean, square, its mean, and for each element a scaling and a shift."""
    source = network(IMAGE, {"kind": "LayerNormalization", "axis": -1})
    elements = POSITIONS * CHANNELS
    (reason,) = by_qtools(source).free
    assert reason.startswith("QTools counts no energy")
    (whole,) = estimate(source, "costmodel").lowered[1].operators
    work = whole.decompose()
    additions = [each.operations.get("add", 0) for each in work]
    assert sum(additions) == 2 * POSITIONS * (CHANNELS - 1)
    assert [each.operations.get("multiply", 0) for each in work if each.in_place] == [elements]
    assert work[-1].operations == {"multiply-add": 2 * elements}


POOLS: dict[str, tuple[dict[str, Any], int, int]] = {
    # name: (layer, output positions, window)
    "AveragePooling2D": ({"kind": "AveragePooling2D", "pool_size": [2, 2]}, POSITIONS // 4, 4),
    "GlobalAveragePooling2D": ({"kind": "GlobalAveragePooling2D"}, 1, POSITIONS),
}


@pytest.mark.parametrize("name", POOLS)
def test_the_additions_of_an_average_pooling_are_counted(name: str) -> None:
    pool, positions, window = POOLS[name]
    source = network(IMAGE, with_filters("QConv2D"), pool)
    (reason,) = by_qtools(source, "layer1").unpriced
    assert reason.startswith("QTools raises AttributeError: an average pooling has no")
    assert counted_by_qtools(source, "layer1") == FILTERS * window
    (work,) = estimate(source, "costmodel").lowered[2].operators
    outputs = positions * FILTERS
    assert work.operations == {"add": outputs * (window - 1), "multiply": outputs}
    assert by_default(source, "layer1", **WIRED).cost.energy_joules_by_role["compute"] > 0


MISCOUNTED: dict[str, tuple[dict[str, Any], int, int]] = {
    # name: (layer, QTools' count, the true one)
    "a grouped convolution takes its own channels alone": (
        with_filters("QConv2D", groups=2),
        POSITIONS * FILTERS * WINDOW * CHANNELS, POSITIONS * FILTERS * WINDOW * CHANNELS // 2,
    ),
    "a depthwise convolution has a depth multiplier": (
        depthwise("QDepthwiseConv2D", depth_multiplier=3),
        POSITIONS * CHANNELS * WINDOW, POSITIONS * CHANNELS * WINDOW * 3,
    ),
    "a transposed convolution spreads its input": (
        with_filters("QConv2DTranspose", strides=[2, 2]),
        2 * 2 * POSITIONS * CHANNELS * WINDOW * FILTERS, POSITIONS * CHANNELS * WINDOW * FILTERS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISCOUNTED)
def test_what_qtools_miscounts_has_its_true_count(name: str) -> None:
    layer, wrong, right = MISCOUNTED[name]
    source = network(IMAGE, layer)
    assert counted_by_qtools(source) == wrong
    assert macs(source) == right


@pytest.mark.parametrize(("folded", "plain"), [
    (with_filters("QConv2DBatchnorm"), with_filters("QConv2D")),
    (depthwise("QDepthwiseConv2DBatchnorm"), depthwise("QDepthwiseConv2D")),
], ids=["convolution", "depthwise"])  # fmt: skip
def test_a_folded_normalization_leaves_the_counts_of_the_layer(
    folded: dict[str, Any], plain: dict[str, Any]
) -> None:
    one, other = (
        estimate(network(IMAGE, layer), "costmodel", INT8).lowered[1] for layer in (folded, plain)
    )
    assert [work.operations for work in one.operators] == [
        work.operations for work in other.operators
    ]
    bills = [
        by_default(network(IMAGE, layer)).cost.energy_joules_by_role for layer in (folded, plain)
    ]
    assert bills[0] == bills[1]


def test_a_folded_normalization_adds_a_bias_even_without_one_of_its_own() -> None:
    with_bias, without = (
        by_default(network(IMAGE, with_filters("QConv2DBatchnorm", use_bias=use_bias)))
        for use_bias in (True, False)
    )
    assert without.cost.energy_joules_by_role == with_bias.cost.energy_joules_by_role


# ------------------------------------------------------------------ exceptions


def test_a_dense_layer_over_several_axes_is_counted() -> None:
    source = network((STEPS, FEATURES), {"kind": "QDense", "units": UNITS,
                                         "kernel_quantizer": WORD})  # fmt: skip
    (reason,) = by_qtools(source).unpriced
    assert reason == "QTools raises AssertionError: a dense layer over several axes"
    assert macs(source) == STEPS * FEATURES * UNITS
    assert not by_default(source).unpriced


def test_a_depth_multiplier_is_counted() -> None:
    source = network(IMAGE, depthwise("QDepthwiseConv2D", depth_multiplier=2))
    (reason,) = by_qtools(source).unpriced
    assert reason.startswith("QTools raises AssertionError: a scaled depthwise kernel")
    right = by_default(source, **WIRED).cost.energy_joules_by_role["compute"]
    count = POSITIONS * CHANNELS * WINDOW * 2
    assert right == near(count * multiply_accumulate(WINDOW))


def test_a_difference_is_counted() -> None:
    """Two dense layers read one input, and one result is taken from the other."""
    branch = {"kind": "QDense", "units": UNITS, "kernel_quantizer": WORD}
    chain = network((FEATURES,), branch)
    first, dense = chain.layers
    rule = REGISTRY.layer_registry.find("keras.Subtract")
    assert rule is not None
    merge = rule("merge", "keras.Subtract", dense.outputs * 2)
    source = Network(
        "difference", (first, dense, dense.renamed("other"), merge),
        {**chain.edges, "other": chain.edges["layer0"],
         "merge": (Port("layer0", 0), Port("other", 0))},
        (Port("merge", 0),),
    )  # fmt: skip
    (reason,) = by_qtools(source, "merge").unpriced
    assert reason.startswith("QTools raises AttributeError: it has no rule for a Subtract")
    (work,) = estimate(source, "costmodel").lowered[-1].operators
    assert work.operations == {"add": UNITS}
    assert by_default(source, "merge").cost.energy_joules_by_role["compute"] > 0


def test_a_sequential_model_needs_no_input_layer() -> None:
    layer = {"kind": "QDense", "units": UNITS, "kernel_quantizer": WORD}
    model = json.loads(saved((FEATURES,), layer))
    del model["config"]["layers"][0]
    model["config"]["build_input_shape"] = [None, FEATURES]
    bare, whole = REGISTRY.read(json.dumps(model)), network((FEATURES,), layer)
    assert by_default(bare).cost == by_default(whole).cost
    assert macs(bare) == FEATURES * UNITS
    assert QTools(bare, "horowitz").pe() == QTools(whole, "horowitz").pe()


def test_a_misspelt_process_is_an_error() -> None:
    source = network((FEATURES,), {"kind": "QDense", "units": UNITS})
    with pytest.raises(UnknownNameError, match="unknown process 'horowits'"):
        QTools(source, "horowits")


def test_no_call_changes_the_next() -> None:
    source = network(IMAGE, with_filters("QConv2D"))
    before = QTools(source, "horowitz").pe()
    others = QTools(source, "horowitz-7nm", for_reference=True, keras_quantizer="fp32")
    assert others.pe("sram", "sram", 2**20, rd_wr_on_io=False) != before
    assert QTools(source, "horowitz").pe() == before


def test_a_roofline_has_its_sums() -> None:
    source = network(IMAGE, with_filters("QConv2D"),
                     {"kind": "QActivation", "activation": "quantized_relu(4)"})  # fmt: skip
    weights = WINDOW * CHANNELS * FILTERS + FILTERS
    outputs = POSITIONS * FILTERS
    inputs = POSITIONS * CHANNELS
    count = POSITIONS * FILTERS * WINDOW * CHANNELS
    assert QTools(source, "horowitz").get_roofline_numbers() == {
        "ACE": count * BITS * BITS,
        "weight_in_bytes": weights * BITS // 8,
        "activation_in_bytes": outputs * 4 // 8 + inputs * BITS // 8,
        "ACE_float": count * 32 * 32,
        "weight_in_bytes_float": weights * 4,
        "activation_in_bytes_float": outputs * 4 + inputs * 4,
    }


def test_a_normalization_by_powers_of_two_works_whatever_the_numpy() -> None:
    """QTools takes the root of a variance by the backend, which NumPy 2.4 refuses."""
    source = network(IMAGE, {
        "kind": "QBatchNormalization", "gamma_quantizer": "quantized_relu_po2(6,2048)",
        "variance_quantizer": "quantized_relu_po2(6,4)", "beta_quantizer": WORD,
        "mean_quantizer": WORD,
    })  # fmt: skip
    found = QTools(source, "horowitz")
    entry = found._output_dict["layer0"]["internal_divide_quantizer"]
    # Of 6 bits and of the 5 of its root, whose cap is that of 2; the wider grows by one.
    assert (entry["op_type"], entry["bits"], entry["max_value"]) == ("add", 7, 2048 / 2)
    assert found.pe()["layer0"]["energy"]["op_cost"] > 0
    (work,) = estimate(source, "costmodel").lowered[1].operators
    assert work.operations == {"multiply-add": POSITIONS * CHANNELS}
