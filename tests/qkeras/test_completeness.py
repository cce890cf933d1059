"""Every layer and quantizer of both releases of QKeras has its rule and obeys the laws."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from typing import TYPE_CHECKING, Any

import pytest
from chains import REGISTRY
from figures import near
from hypothesis import given
from hypothesis import strategies as st

from costmodel import Scenario, estimate, matmul
from costmodel.formats import FixedPoint, NumericFormat
from costmodel.tensor.shapes import Tensor
from costmodel_qkeras.formats import numeric_format
from costmodel_qkeras.layers.quantized import Quantized
from costmodel_qkeras.parsing import parse
from costmodel_qkeras.quantizers import Quantizer, make
from costmodel_qkeras.signatures import SIGNATURES

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYERS = {
    "0.9": {
        "QActivation", "QAdaptiveActivation", "QAveragePooling2D", "QBatchNormalization",
        "QBidirectional", "QConv1D", "QConv2D", "QConv2DBatchnorm", "QConv2DTranspose", "QDense",
        "QDepthwiseConv2D", "QDepthwiseConv2DBatchnorm", "QGRU", "QGlobalAveragePooling2D",
        "QLSTM", "QSeparableConv1D", "QSeparableConv2D", "QSimpleRNN",
    },
}  # fmt: skip
LAYERS["v3"] = LAYERS["0.9"] | {
    "QDenseBatchnorm", "QDepthwiseConv2DTranspose", "QScaleShift", "QSeparableConv2DTranspose",
}  # fmt: skip
CELLS = {"QGRUCell", "QLSTMCell", "QSimpleRNNCell"}
"""Parts of recurrent layers, which count them; no network has one as a layer."""

QUANTIZERS = {
    "0.9": {
        "bernoulli", "binary", "quantized_bits", "quantized_hswish", "quantized_po2",
        "quantized_relu", "quantized_relu_po2", "quantized_sigmoid", "quantized_tanh",
        "quantized_ulaw", "stochastic_binary", "stochastic_ternary", "ternary",
    },
}  # fmt: skip
QUANTIZERS["v3"] = QUANTIZERS["0.9"] | {"quantized_linear"}

releases = pytest.mark.parametrize("release", ["0.9", "v3"])
every_quantizer = pytest.mark.parametrize("name", sorted(QUANTIZERS["v3"]))
DEVICES = [REGISTRY.device(name) for name in ("horowitz-45nm", "horowitz-7nm")]


@releases
def test_every_layer_has_a_rule_of_its_own(release: str) -> None:
    found = {name: REGISTRY.layer_registry.find(f"qkeras.{name}") for name in LAYERS[release]}
    assert not [name for name, rule in found.items() if rule is None]
    assert all(issubclass(rule, Quantized) for rule in found.values() if rule)


@releases
def test_every_quantizer_has_a_signature_and_a_format(release: str) -> None:
    assert set(SIGNATURES[release]) == QUANTIZERS[release]
    formats = [numeric_format(make(name, release=release)) for name in QUANTIZERS[release]]
    assert all(isinstance(found, NumericFormat) for found in formats)


# ------------------------------------------------------------------ the package itself


def classes(base: type) -> Iterator[type]:
    """The classes of qkeras-v3 that derive from `base`, wherever they are."""
    qkeras: Any = importlib.import_module("qkeras")
    for info in pkgutil.iter_modules(qkeras.__path__, "qkeras."):
        for _, cls in inspect.getmembers(importlib.import_module(info.name), inspect.isclass):
            if cls.__module__ == info.name and issubclass(cls, base):
                yield cls


@pytest.mark.filterwarnings("ignore")  # what QKeras imports is its own affair
def test_no_layer_of_qkeras_is_left_out() -> None:
    pytest.importorskip("qkeras.qtools")  # a folder of tests may be called qkeras
    keras: Any = pytest.importorskip("keras")
    assert {cls.__name__ for cls in classes(keras.layers.Layer)} == LAYERS["v3"] | CELLS


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["QSimpleRNN", "QLSTM", "QGRU"])
def test_a_recurrent_layer_as_it_comes_is_the_same_live_and_from_a_file(name: str) -> None:
    pytest.importorskip("qkeras.qtools")
    keras: Any = pytest.importorskip("keras")
    qkeras: Any = pytest.importorskip("qkeras")
    model = keras.Sequential([keras.Input((5, 4)), getattr(qkeras, name)(3)])
    live = REGISTRY.read(model)
    assert live == REGISTRY.read(model.to_json())
    assert (
        estimate(live, "horowitz-45nm", on_unpriced="error").coverage("horowitz-45nm").is_complete
    )


@pytest.mark.filterwarnings("ignore")
def test_no_quantizer_of_qkeras_and_no_parameter_is_left_out() -> None:
    pytest.importorskip("qkeras.qtools")
    base: Any = pytest.importorskip("qkeras.base_quantizer").BaseQuantizer
    own = {cls.__name__: parameters(cls) for cls in classes(base) if cls is not base}
    assert own == {name: dict(signature) for name, signature in SIGNATURES["v3"].items()}


def parameters(cls: type) -> dict[str, Any]:
    given = inspect.signature(cls).parameters.values()
    plain = (each for each in given if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return {each.name: each.default for each in plain}


# ------------------------------------------------------------------ laws


def per_multiply(device: Any, weight: NumericFormat, value: NumericFormat) -> float:
    """Joules of a product and its addition to the sum, with nothing moved."""
    wired = device.with_parameters(weights_on_memory="fixed", activations_on_memory="fixed")
    work = matmul(Tensor((1,), value), Tensor((1, 1), weight), output=Tensor((1,), value))
    energy: float = wired.price(work, Scenario()).energy_joules
    return energy


def of_width(name: str, bits: int) -> Quantizer:
    has_bits = "bits" in dict(SIGNATURES["v3"][name])
    return make(name, named={"bits": bits} if has_bits else {})


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
@every_quantizer
@given(bits=st.integers(2, 11))
def test_signs_and_ternaries_multiply_what_a_quantizer_yields_for_less_than_two_bits(
    name: str, device: Any, bits: int
) -> None:
    value = numeric_format(of_width(name, bits))
    weights = ("binary(use_01=1)", "binary()", "ternary()", "quantized_bits(2)")
    costs = [per_multiply(device, numeric_format(parse(text)), value) for text in weights]
    assert costs == near(sorted(costs), rel=1e-12)


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
@every_quantizer
@given(bits=st.integers(2, 10))
def test_a_wider_quantizer_never_multiplies_for_less(name: str, device: Any, bits: int) -> None:
    costs = [
        per_multiply(device, numeric_format(of_width(name, width)), FixedPoint(8))
        for width in (bits, bits + 1)
    ]
    assert costs[0] <= costs[1] * (1 + 1e-12)


@every_quantizer
@given(bits=st.integers(2, 11))
def test_the_format_of_a_quantizer_survives_json(name: str, bits: int) -> None:
    found = numeric_format(of_width(name, bits))
    assert NumericFormat.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@every_quantizer
@given(bits=st.integers(2, 11))
def test_a_quantizer_is_read_from_what_it_writes(name: str, bits: int) -> None:
    quantizer = of_width(name, bits)
    assert parse(str(quantizer)) == quantizer
