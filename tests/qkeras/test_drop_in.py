"""The drop-in for QTools: its methods, its errors, and what QTools gets wrong."""

from __future__ import annotations

import importlib
import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from figures import near

import costmodel
from costmodel.errors import ReadError, UnknownNameError
from costmodel_qkeras import (
    QTools,
    QToolsError,
    TagMissingError,
    UnacceptedQuantizerError,
    WrongInputQuantizerError,
)
from costmodel_qkeras.convention import QToolsConvention
from costmodel_qkeras.quantizers import QuantizerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

keras: Any = pytest.importorskip("keras")
pytest.importorskip("qkeras.qtools")  # a folder of tests may be called qkeras
qkeras: Any = pytest.importorskip("qkeras")
L = keras.layers

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning:qkeras",
    "ignore:__array__ implementation:DeprecationWarning",  # Keras's own, when it saves
)

BITS = "quantized_bits(4,0,1)"
BIAS = "quantized_bits(8,3,1)"


def dense(units: int = 3, **settings: Any) -> Any:
    return qkeras.QDense(units, **{"kernel_quantizer": BITS, "bias_quantizer": BIAS} | settings)


def model(shape: tuple[int, ...], *layers: Any) -> Any:
    entry = keras.Input(shape, name="input")
    tensor = entry
    for layer in layers:
        tensor = layer(tensor)
    return keras.Model(entry, tensor)


@pytest.fixture(scope="module")
def small() -> Any:
    return model((8,), dense(name="dense"), qkeras.QActivation("quantized_relu(4,1)", name="relu"))


# ------------------------------------------------------------------ methods


def test_a_model_has_energies_sums_and_profiles(small: Any) -> None:
    tools = QTools(small, process="horowitz")
    energy = tools.pe()
    assert energy["dense"]["class_name"] == "QDense"
    assert energy["dense"]["energy"].keys() == {"inputs", "outputs", "parameters", "op_cost"}
    parts = energy["dense"]["energy"]
    counted = parts["inputs"] + parts["parameters"] + parts["op_cost"]
    total = tools.extract_energy_sum(tools.include_energy, energy)
    assert total == int(counted + energy["relu"]["energy"]["outputs"])
    profile = tools.extract_energy_profile(tools.include_energy, energy)
    assert profile["dense"] == {"energy": parts, "total": near(counted)}


def test_a_roofline_has_the_sums_that_qtools_means_to_return(small: Any) -> None:
    assert QTools(small, "horowitz").get_roofline_numbers() == {
        "ACE": 8 * 3 * 8 * 4,
        "weight_in_bytes": 8 * 3 * 4 // 8 + 3,
        # One activation of 3 words of 4 bits, rounded down, and 8 inputs of 8 bits.
        "activation_in_bytes": 1 + 8,
        "ACE_float": 8 * 3 * 32 * 32,
        "weight_in_bytes_float": (8 * 3 + 3) * 4,
        "activation_in_bytes_float": 3 * 4 + 8 * 4,
    }


def test_a_roofline_can_leave_the_input_out(small: Any) -> None:
    tools = QTools(small, "horowitz")
    assert tools.get_roofline_numbers(include_model_input_size=False)["activation_in_bytes"] == 1
    assert tools.calculate_output_bytes(include_model_input_size=False, default_float_bits=16) == (
        1,
        6,
    )
    assert tools.calculate_weight_bytes(16) == (15, 54)
    assert tools.calculate_ace(16) == (768, 6144)


def test_the_data_type_map_is_written_and_printed(
    small: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = QTools(small, "horowitz")
    tools.qtools_stats_to_json(tmp_path / "stats.json")
    tools.qtools_stats_print()
    text = (tmp_path / "stats.json").read_text()
    assert capsys.readouterr().out == text + "\n"
    assert json.loads(text)["dense"]["multiplier"]["op_type"] == "mul"


def test_a_verbose_energy_is_printed(small: Any, capsys: pytest.CaptureFixture[str]) -> None:
    energy = QTools(small, "horowitz").pe(verbose=True)
    head, _, text = capsys.readouterr().out.partition("\n")
    assert head == "COST:"
    assert json.loads(text) == energy


def test_one_call_leaves_no_trace_in_the_next(small: Any) -> None:
    before = QTools(small, "horowitz").pe()
    QTools(small, "horowitz", for_reference=True, keras_quantizer="fp32").pe("sram", "fixed", 99)
    assert QTools(small, "horowitz").pe() == before


def test_weights_are_loaded_from_a_file(small: Any, tmp_path: Path) -> None:
    path = tmp_path / "small.weights.h5"
    small.save_weights(path)
    copy = model((8,), dense(name="dense"))
    assert QTools(copy, "horowitz", weights_path=str(path)).pe()
    assert np.array_equal(copy.get_weights()[0], small.get_weights()[0])


def test_a_process_may_be_a_device(small: Any) -> None:
    figures, own = (QTools(small, name).pe() for name in ("horowitz-45nm", "horowitz"))
    assert figures["dense"]["energy"]["op_cost"] == near(own["dense"]["energy"]["op_cost"], rel=0.3)
    # 64 times what QTools charges for an access to the SRAM.
    one, other = (
        QTools(small, name).pe("sram", "sram", 2**16) for name in ("horowitz-45nm", "horowitz")
    )
    parts = one["dense"]["energy"], other["dense"]["energy"]
    assert parts[0]["parameters"] == near(64 * parts[1]["parameters"], rel=0.02)


@pytest.mark.parametrize("sources", [["quantized_relu(6,1)"], "quantized_relu(6,1)"])
def test_source_quantizers_may_be_strings(small: Any, sources: Any) -> None:
    live = [qkeras.get_quantizer("quantized_relu(6,1)")]
    tools = QTools(small, "horowitz", source_quantizers=sources)
    assert tools._output_dict == QTools(small, "horowitz", source_quantizers=live)._output_dict
    assert tools.source_quantizer_list[0].bits == 6


def merged(*layers: Any) -> Any:
    entries = [keras.Input((8,), name=f"input_{place}") for place in range(len(layers))]
    given = [layer(entry) for layer, entry in zip(layers, entries, strict=True)]
    return keras.Model(entries, L.Add(name="merge")(given))


@pytest.mark.parametrize("single", ["int8", "quantized_bits(4,0,1)"])
def test_one_source_quantizer_without_a_list_is_for_all_inputs(single: str) -> None:
    live = merged(*[dense(name=f"dense_{place}") for place in range(4)])  # as many as in "int8"
    alone, listed = (
        QTools(live, "horowitz", source_quantizers=given) for given in (single, [single] * 4)
    )
    assert alone._output_dict == listed._output_dict
    assert len(alone.source_quantizer_list) == 4
    one = QToolsConvention(source_quantizers=single).describe(costmodel.read(live))
    assert list(one.sources) == alone.source_quantizer_list


@pytest.mark.parametrize("order", [("one", "two", "three"), ("three", "one", "two")])
def test_the_inputs_of_a_merge_come_in_the_order_in_which_it_takes_them(
    order: tuple[str, ...],
) -> None:
    bits = {"one": 4, "two": 5, "three": 6}
    entry = keras.Input((8,), name="input")
    given = {
        name: qkeras.QActivation(f"quantized_bits({width},0,1)", name=name)(entry)
        for name, width in bits.items()
    }
    live = keras.Model(entry, L.Concatenate(name="merge")([given[name] for name in order]))
    inputs = QTools(live, "horowitz")._output_dict["merge"]["input_quantizer_list"]
    assert [kind["bits"] for kind in inputs] == [bits[name] for name in order]


# ------------------------------------------------------------------ where QTools has no answer


def image(*layers: Any) -> Callable[[], Any]:
    return lambda: model((8, 8, 4), *layers)


ANSWERED: dict[str, Callable[[], Any]] = {
    "average pooling": lambda: model((8, 8, 4), L.AveragePooling2D(2)),
    "global average pooling": lambda: model((8, 8, 4), L.GlobalAveragePooling2D()),
    "sequential": lambda: keras.Sequential([L.InputLayer((8,)), dense()]),
    "dense on several axes": lambda: model((5, 8), dense()),
    "depth multiplier": lambda: model(
        (8, 8, 4), qkeras.QDepthwiseConv2D(3, depth_multiplier=2, depthwise_quantizer=BITS)
    ),
    "a scale that was not computed yet": lambda: model(
        (8,), dense(kernel_quantizer="quantized_bits(4,0,1,alpha='auto_po2')")
    ),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_where_qtools_raises_there_is_an_answer(name: str) -> None:
    tools = QTools(ANSWERED[name](), "horowitz")
    assert tools.pe()["total_cost"] > 0
    assert tools.get_roofline_numbers()


def test_a_difference_is_priced_as_a_sum() -> None:
    entry = keras.Input((8,), name="input")
    one, two = dense(name="one")(entry), dense(name="two")(entry)
    energies = [
        QTools(keras.Model(entry, cls(name="merge")([one, two])), "horowitz").pe()["merge"][
            "energy"
        ]
        for cls in (L.Add, L.Subtract)
    ]
    assert energies[0] == energies[1]


def test_a_folded_normalization_is_priced_without_its_parameters() -> None:
    conv = qkeras.QConv2D(4, 3, kernel_quantizer=BITS, bias_quantizer=BIAS, name="conv")
    norm = qkeras.QBatchNormalization(
        gamma_quantizer=None, variance_quantizer=None, beta_quantizer=BIAS, mean_quantizer=BIAS,
        inverse_quantizer="quantized_bits(8,0,1)", name="norm",
    )  # fmt: skip
    fused = {
        "conv": {"enable_bn_fusing": True, "fused_bn_layer_name": "norm"},
        "norm": {"enable_bn_fusing": True},
    }
    tools = QTools(model((8, 8, 3), conv, norm), "horowitz", hw_weight_dict=fused)
    assert "bn_inverse_quantizer" in tools._output_dict["conv"]
    energy = tools.pe()["norm"]["energy"]
    assert (energy["parameters"], energy["op_cost"]) == (0, 0)


# ------------------------------------------------------------------ weights


def test_known_powers_of_two_need_a_fixed_shift_each() -> None:
    live = model((8,), dense(kernel_quantizer="quantized_po2(4)", use_bias=False, name="dense"))
    live.get_layer("dense").set_weights([np.full((8, 3), 0.5)])
    one = QTools(live, "horowitz", is_inference=True).pe()["dense"]["energy"]["op_cost"]
    live.get_layer("dense").set_weights([np.exp2(-np.arange(24.0) % 4).reshape(8, 3)])
    four = QTools(live, "horowitz", is_inference=True).pe()["dense"]["energy"]["op_cost"]
    assert one < four


def test_a_computed_scale_widens_the_fused_accumulator() -> None:
    live = model((8,), dense(name="dense"))
    before = QTools(live, "horowitz")._output_dict["dense"]["fused_accumulator"]["bits"]
    live.get_layer("dense").set_weights([np.diag(np.exp2(np.arange(8.0)))[:, :3], np.zeros(3)])
    live(np.zeros((1, 8), "float32"))
    after = QTools(live, "horowitz")._output_dict["dense"]["fused_accumulator"]["bits"]
    assert after > before


# ------------------------------------------------------------------ bad input


def po2() -> Any:
    return model((8,), dense(kernel_quantizer="quantized_po2(4)", name="dense"))


BAD: dict[str, tuple[Callable[[], Any], dict[str, Any], type[Exception], str]] = {
    "misspelt process": (
        po2, {"process": "horowits"}, UnknownNameError,
        "unknown process 'horowits'\n  nearest known: 'horowitz'",
    ),
    "a weight that is not a power of two": (
        po2, {"is_inference": True}, QToolsError,
        r"layer 'dense': 'kernel_quantizer' is quantized_po2\(bits=4.*which is not a power of two",
    ),
    "an integer part wider than the word": (
        lambda: model((8,), dense(kernel_quantizer="quantized_bits(4,9)", name="dense")), {},
        QuantizerError,
        "layer 'dense' of kind 'QDense': 'kernel_quantizer': quantized_bits: integer is 9",
    ),
    "an activation of no bits": (
        lambda: model((8,), dense(activation="quantized_bits(0)", name="dense")), {},
        QuantizerError, "layer 'dense' of kind 'QDense': 'activation': quantized_bits: bits is 0",
    ),
    "too many sources": (
        po2, {"source_quantizers": ["int8", "int8"]}, QToolsError,
        "2 source quantizers for 1 inputs; expected a list with one for each input",
    ),
    "a division by ternary": (
        lambda: model((8,), qkeras.QBatchNormalization(
            gamma_quantizer="ternary()", variance_quantizer="ternary()", beta_quantizer=None,
            mean_quantizer=None, inverse_quantizer=None, name="norm",
        )), {}, UnacceptedQuantizerError, "layer 'norm' .*cannot divide by ternary",
    ),
    "code in a source": (
        po2, {"source_quantizers": ["exit(1)"]}, QuantizerError, "unknown quantizer 'exit'",
    ),
    "an accumulator that is none": (
        po2, {"keras_accumulator": "quantized_bits(0)"}, QuantizerError, "bits is 0",
    ),
    "weights that are not quantized": (
        po2, {"is_inference": True, "model_weights_already_quantized": False}, QToolsError,
        "expected quantised weights",
    ),
    "a quantizer QTools has no tables for": (
        lambda: model((8,), dense(activation="quantized_hswish(6)", name="dense")), {}, QToolsError,
        "layer 'dense' of kind 'QDense': QTools raises KeyError for quantized_hswish",
    ),
    "weights QTools has no datatype for": (
        lambda: model((8,), dense(kernel_quantizer="quantized_linear(4)", name="dense")), {},
        QToolsError, "layer 'dense' of kind 'QDense': QTools raises TagMissingError",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_its_reason(name: str) -> None:
    make, options, error, message = BAD[name]
    with pytest.raises(error, match=message):
        QTools(make(), **{"process": "horowitz", **options})


RAISED_BY_QTOOLS = {
    "too many sources": ("qkeras.qtools.qgraph", WrongInputQuantizerError),
    "a division by ternary": (
        "qkeras.qtools.quantized_operators.divider_factory", UnacceptedQuantizerError
    ),
    "weights QTools has no datatype for": (
        "qkeras.qtools.generate_layer_data_type_map", TagMissingError
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RAISED_BY_QTOOLS)
def test_a_handler_of_the_original_exception_catches_ours(name: str) -> None:
    module, own = RAISED_BY_QTOOLS[name]
    make, options, error, message = BAD[name]
    original = getattr(importlib.import_module(module), own.__name__)
    for caught in (original, own, error):
        with pytest.raises(caught, match=message):
            QTools(make(), **{"process": "horowitz", **options})


def test_an_error_stays_as_it_is_where_the_original_was_never_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, WrongInputQuantizerError.module, raising=False)
    with pytest.raises(WrongInputQuantizerError) as caught:
        QTools(po2(), "horowitz", source_quantizers=["int8", "int8"])
    assert caught.type is WrongInputQuantizerError


@pytest.mark.parametrize(("field", "text"), [
    ("kernel_quantizer", "quantized_bits(4,9)"), ("activation", "quantized_bits(-1)"),
])  # fmt: skip
def test_a_bad_quantizer_of_a_live_layer_is_reported_with_its_field(field: str, text: str) -> None:
    live = model((8,), dense(name="dense", **{field: text}))
    with pytest.raises(ReadError, match=f"layer 'dense' of kind 'qkeras.QDense': '{field}"):
        costmodel.read(live)


@pytest.mark.parametrize("argument", ["weights_on_memory", "activations_on_memory"])
def test_an_unknown_memory_is_refused(small: Any, argument: str) -> None:
    place: Any = {argument: "srma"}
    with pytest.raises(UnknownNameError, match=f"memory for {argument!r} 'srma'\n.*'sram'"):
        QTools(small, "horowitz").pe(**place)


def test_a_file_has_no_weights_to_infer_with(small: Any, tmp_path: Path) -> None:
    small.save(tmp_path / "small.keras")
    with pytest.raises(QToolsError, match="is_inference needs the weights of a live model"):
        QTools(tmp_path / "small.keras", "horowitz", is_inference=True)


def test_a_format_without_an_energy_is_named(small: Any) -> None:
    live = model((8,), dense(bias_quantizer="quantized_bits(40,4,1)", name="dense"))
    tools = QTools(live, "horowitz", source_quantizers=["fp32"])
    with pytest.raises(QToolsError, match=r"layer 'dense' of kind 'QDense'.*no energy law"):
        tools.pe()
