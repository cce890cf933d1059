"""Write the networks of HGQ2 in `samples`, and what HGQ2 and NumPy say of them.

`python make.py` in an environment with hgq2 0.2.0, keras 3.15 and jax; no test runs it. The widths
are drawn at random as training may leave them, with pruned weights among them; then HGQ2 traces
1,000 random inputs, which sets the integer bits of its wrapping quantizers and its EBOPs. The
totals in `expected.json` come from the saved variables by the formulas below, not by costmodel.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import h5py
import hgq.layers as q
import keras
import numpy as np
from hgq.config import QuantizerConfig
from hgq.layers.rnn.gru import QGRUCell
from hgq.layers.rnn.simple_rnn import QSimpleRNNCell
from hgq.utils import trace_minmax
from keras.src.saving.keras_saveable import KerasSaveable
from keras.src.saving.saving_lib import _walk_saveable
from keras.src.utils import naming

SAMPLES = Path(__file__).parent / "samples"
DRAW = np.random.default_rng(19)


def dense() -> Any:
    """Dense layers: widths for each weight, one for all, floating point, no quantized input."""
    x = keras.Input((16,), name="jet")
    y = q.QDense(32, activation="relu", name="first")(x)
    one = QuantizerConfig("kbi", "weight", homogeneous_axis=(0, 1), b0=5, i0=1)
    lane = QuantizerConfig("kif", "datalane", homogeneous_axis=(0, 1), i0=2, f0=3)
    y = q.QDense(16, kq_conf=one, iq_conf=lane, use_bias=False, name="uniform")(y)
    y = q.QBatchNormDense(12, activation="relu", name="normalized")(y)
    small = QuantizerConfig("float", "weight")
    del small.config["is_weight"]  # which HGQ2 0.2.0 sets and its quantizer refuses
    y = q.QDense(8, kq_conf=small, name="floating")(y)
    fixed = QuantizerConfig("kif", "weight", overflow_mode="WRAP")
    y = q.QDense(6, kq_conf=fixed, enable_oq=True, name="wrapped")(y)
    y = q.QDense(5, enable_iq=False, name="open")(y)
    return keras.Model(x, q.QSoftmax(name="softmax")(y), name="dense")


def image() -> Any:
    """Convolutions, pooling and normalization."""
    x = keras.Input((12, 12, 3), name="image")
    y = q.QConv2D(4, 3, activation="relu", padding="same", name="conv")(x)
    y = q.QMaxPooling2D(2, name="max")(y)
    y = q.QConv2D(4, 3, groups=2, strides=2, padding="same", name="grouped")(y)
    y = q.QBatchNormalization(name="norm")(y)
    y = q.QAveragePooling2D(3, name="mean")(y)
    y = keras.layers.Reshape((4,), name="flat")(q.QGlobalMaxPooling2D(name="largest")(y))
    y = keras.layers.Reshape((4, 1), name="line")(y)
    y = q.QConv1D(3, 2, name="line_conv")(y)
    y = q.QGlobalAveragePooling1D(name="average")(y)
    return keras.Model(x, y, name="image")


def merged() -> Any:
    """Layers of several inputs, sums and functions."""
    x = keras.Input((6, 8), name="left")
    z = keras.Input((6, 8), name="right")
    y = q.QAdd(name="add")([x, z])
    y = q.QSubtract(name="subtract")([y, z])
    y = q.QMultiply(name="multiply")([y, x])
    y = q.QMaximum(name="maximum")([y, x])
    y = q.QMinimum(name="minimum")([y, z])
    y = q.QAveragePow2(name="average")([y, x])
    y = q.QUnaryFunctionLUT("tanh", name="table")(y)
    y = q.QAffinedUnaryFunctionLUT("sigmoid", name="affined")(y)
    y = q.Quantizer(place="datalane", name="alone")(y)
    outer = q.QEinsum("bij,bkj->bik", name="einsum")([y, z])
    y = q.QEinsumDense("bij,jk->bik", (6, 4), bias_axes="k", name="dense")(y)
    y = q.QEinsumDenseBatchnorm("bij,jk->bik", (6, 5), bias_axes="k", name="normalized")(y)
    inner = q.QDot(axes=(1, 1), enable_ebops=False, name="dot")([y, outer])
    y = q.QSum(axes=(1,), name="sum")(inner)
    y = q.QMeanPow2(axes=(-1,), keepdims=True, name="mean")(y)
    return keras.Model([x, z], y, name="merged")


def attention() -> Any:
    """Attention with projections apart and fused, and over projected keys."""
    x = keras.Input((6, 8), name="tokens")
    y = q.QMultiHeadAttention(2, 4, name="apart")(x, x)
    y = q.QMultiHeadAttention(2, 3, fuse="qkv", use_bias=False, name="fused")(y, y, y)
    y = q.QLinformerAttention(2, 3, 4, name="linear")(y, y)
    return keras.Model(x, y, name="attention")


def recurrent() -> Any:
    """Recurrent layers."""
    x = keras.Input((5, 4), name="steps")
    y = q.QSimpleRNN(6, return_sequences=True, name="simple")(x)
    y = q.QGRU(3, name="gated")(y)
    return keras.Model(x, y, name="recurrent")


def held() -> Any:
    """Layers within others: a model, a wrapper, both directions; and one that is called twice."""
    x = keras.Input((5, 4), name="steps")
    y = keras.layers.TimeDistributed(q.QDense(6, name="each"), name="wrapped")(x)
    y = keras.layers.Bidirectional(q.QGRU(3, name="gated"), name="both")(y)
    inner = keras.Sequential([keras.Input((6,)), q.QDense(6, name="inside")], name="model")
    shared = q.QDense(6, name="twice")
    return keras.Model(x, shared(shared(inner(y))), name="held")


def tables() -> Any:
    """Layers without a rule: tables and spikes."""
    x = keras.Input((4, 6), name="input")
    y = q.QLIF(6, return_sequences=True, name="spikes")(x)
    y = q.QDenseT(5, name="table")(y)
    y = q.QConvT1D(3, 2, name="table_conv")(y)
    return keras.Model(x, y, name="tables")


def draw_bits(model: Any) -> None:
    """Widths as training may leave them: real numbers, some of them zero or below."""
    for layer in model._flatten_layers():  # Keras has no public way
        if getattr(layer, "bias", None) is not None and hasattr(layer.bias, "assign"):
            layer.bias.assign(DRAW.normal(0, 0.5, layer.bias.shape))
        variables = {one.name: one for one in layer.variables}
        kind = type(layer).__name__
        if kind == "FixedPointQuantizerKBI":
            shape = variables["b"].shape
            variables["b"].assign(np.maximum(DRAW.normal(3, 2.5, shape), 0))
            variables["i"].assign(DRAW.normal(0, 1.5, shape))
        elif kind == "FixedPointQuantizerKIF":
            shape = variables["f"].shape
            variables["f"].assign(DRAW.normal(3, 2, shape))
            variables["i"].assign(DRAW.normal(0.5, 1, shape))
        elif kind == "FloatPointQuantizer":
            shape = variables["m"].shape
            variables["m"].assign(DRAW.uniform(-1.4, 3.4, shape))
            variables["e"].assign(DRAW.uniform(0, 4.4, shape))


def quantizers(content: bytes, config: Any) -> dict[str, dict[str, Any]]:
    """Of each quantizer in a file: elements, bits of all of them, and elements without a bit."""
    found: dict[str, dict[str, Any]] = {}
    names = {}
    with h5py.File(io.BytesIO(content)) as file:

        def see(path: str, held: Any) -> None:
            if path.count("/") == 2 and path.endswith("/vars") and "name" in held.attrs:
                names[path.removesuffix("/vars")] = held.attrs["name"]
            if not path.endswith("quantizer/vars") or "layers/" not in path:
                return
            arrays = [held[str(place)][()] for place in range(len(held))]
            arrays = [one for one in arrays if one.ndim]
            if not arrays:
                return
            kind = held.attrs["name"]
            if kind.startswith("float_point"):
                mantissa, exponent, _ = map(np.round, arrays)
                bits = np.where(mantissa >= 0, mantissa + exponent + 1, 0)
            else:
                (sign,) = [one for one in arrays if one.dtype == np.uint8]
                one, other = [np.round(x) for x in arrays if x.dtype != np.uint8]
                # kbi has b and i, in either order of kif are i and f
                data = one if "kbi" in kind else one + other
                bits = np.maximum(data + sign, 0)
                if config.get(path.removesuffix("/quantizer/vars")) == "SAT_SYM":
                    bits = np.where(data > 0, bits, 0)
            found[path.removesuffix("/quantizer/vars")] = {
                "elements": int(bits.size), "bits": int(bits.sum()),
                "without_bits": int((bits == 0).sum()), "shape": list(bits.shape),
            }  # fmt: skip

        file.visititems(see)
    return {f"{names[path[: path.index('/', 7)]] if '/' in path[7:] else names[path]}"
            f":{path[path.index('/', 7) + 1 :] if '/' in path[7:] else ''}": one
            for path, one in found.items()}  # fmt: skip


def overflow_modes(layer: Any, path: str, seen: set[int]) -> dict[str, str]:
    """The overflow mode of each quantizer under the path that Keras saves it by."""
    if id(layer) in seen:
        return {}
    seen.add(id(layer))
    found = {}
    mode = getattr(layer, "overflow_mode", None)
    if isinstance(mode, str) and path.endswith("/quantizer"):
        found[path.removesuffix("/quantizer")] = mode
    for name, held in _walk_saveable(layer):
        if isinstance(held, KerasSaveable):
            found |= overflow_modes(held, f"{path}/{name}".lstrip("/"), seen)
        elif isinstance(held, (list, tuple)):
            used: dict[str, int] = {}
            for one in held:
                if isinstance(one, KerasSaveable):
                    own = naming.to_snake_case(type(one).__name__)
                    number = used[own] = used.get(own, -1) + 1
                    own = f"{own}_{number}" if number else own
                    found |= overflow_modes(one, f"{path}/{name}/{own}".lstrip("/"), seen)
    return found


def main() -> None:
    """Write all samples."""
    SAMPLES.mkdir(exist_ok=True)
    expected = {}
    for make in (dense, image, merged, attention, recurrent, held, tables):
        keras.utils.set_random_seed(19)
        model = make()
        draw_bits(model)
        inputs = [DRAW.normal(0, 1, (1000, *one.shape[1:])) for one in model.inputs]
        trace_minmax(model, inputs if len(inputs) > 1 else inputs[0], verbose=0, batch_size=1000)
        path = SAMPLES / f"{model.name}.keras"
        model.save(path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content,
                                 zipfile.ZIP_DEFLATED)  # fmt: skip
        modes = overflow_modes(model, "", set())
        ebops = {one.name: int(np.asarray(one.ebops)) for one in model.layers
                 if getattr(one, "enable_ebops", False)}  # fmt: skip
        expected[model.name] = {
            "ebops": ebops,
            "quantizers": quantizers(members["model.weights.h5"], modes),
        }
    registered = keras.saving.get_custom_objects().items()
    classes = [name for name, one in registered if isinstance(one, type)
               and issubclass(one, keras.Layer) and name.startswith("hgq>")]  # fmt: skip
    cells = [one.__name__ for one in (QGRUCell, QSimpleRNNCell)]
    public = [getattr(q, name).__name__ for name in q.__all__]
    names = {*(name.removeprefix("hgq>") for name in classes), *cells, *public}
    expected["classes"] = sorted(names)
    example = SAMPLES.parents[2] / "examples" / "jet_hgq2.keras"
    example.write_bytes((SAMPLES / "dense.keras").read_bytes())
    (SAMPLES / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
