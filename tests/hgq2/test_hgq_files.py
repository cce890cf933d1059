"""Files of HGQ2: widths from variables, work as of Keras's layers, nothing of a framework."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from figures import near

import costmodel
from costmodel.estimates.counts import count
from costmodel.formats import FixedPoint, MixedPrecision
from costmodel.registry import installed
from costmodel.tensor.shapes import Tensor
from costmodel.workload.reasons import Unpriced
from costmodel_hgq.layers.quantized import Quantized
from costmodel_hgq.layers.recurrent import QRecurrent

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).parent / "samples"
EXPECTED = json.loads((SAMPLES / "expected.json").read_text())
NETWORKS = sorted(EXPECTED.keys() - {"classes", "held"})

ABSTRACT = {
    "QBaseConv", "QBasePooling", "QConvTBase", "QLayerBase", "QLayerBaseMultiInputs",
    "QLayerBaseSingleInput", "QMerge", "_QSNN",
}  # fmt: skip
"""Classes of HGQ2 from which its layers derive, and which no network has."""


def read(name: str) -> costmodel.Network:
    return costmodel.read(SAMPLES / f"{name}.keras")


def quantized(network: costmodel.Network) -> Iterator[Quantized]:
    for layer in network.layers:
        held = layer.inner if isinstance(layer, QRecurrent) else layer
        if isinstance(held, Quantized):
            yield held if held is layer else held.renamed(layer.name)


def path_of(layer: Quantized, tensor: str) -> str:
    """Where Keras saves the quantizer of a tensor, within its layer."""
    if layer.kind == "hgq.Quantizer":
        return ""
    if tensor in layer.quantizer_places:
        return layer.quantizer_places[tensor][0]
    start, _, what = tensor.rpartition("_")
    if start:  # of a projection
        held = {"kernel": "kq", "bias": "bq", "input": "iq", "result": "oq"}[what]
        shared = layer.name == "fused" and held == "iq" and start in {"query", "value"}
        return f"{'key' if shared else start}_dense/{held}"
    place = tensor.partition(":")[2]
    return f"iq/quantizers/quantizer{f'_{place}' if place else ''}"


@pytest.mark.parametrize("name", NETWORKS)
def test_the_bits_of_every_quantizer_are_those_of_its_variables(name: str) -> None:
    expected, seen = EXPECTED[name]["quantizers"], set()
    for layer in quantized(read(name)):
        for tensor, quantizer in layer.quantizers:
            key = f"{layer.name}:{path_of(layer, tensor)}"
            seen.add(key)
            elements = math.prod(quantizer.shape)
            assert list(quantizer.shape) == expected[key]["shape"], key
            assert quantizer.number.mean_bits * elements == expected[key]["bits"], key
            assert quantizer.number.stored_bits(elements) == expected[key]["bits"], key
    # Within a softmax are tables, which no operator stands for.
    left = {key for key in expected.keys() - seen if "_table/" not in key}
    assert left <= {"apart:_softmax/iq", "apart:_softmax/oq", "fused:_softmax/iq",
                    "fused:_softmax/oq"} | {key for key in left if key.startswith(
                        ("linear:", "spikes:", "table:", "table_conv:"))}  # fmt: skip


HELD = {
    ("wrapped", "kernel"): "wrapped:layer/kq",
    ("wrapped", "bias"): "wrapped:layer/bq",
    ("both", "forward_kernel"): "both:forward_layer/cell/kq",
    ("both", "forward_recurrent_kernel"): "both:forward_layer/cell/rkq",
    ("both", "backward_kernel"): "both:backward_layer/cell/kq",
    ("both", "backward_bias"): "both:backward_layer/cell/bq",
    ("model/inside", "kernel"): "model:layers/q_dense/kq",
    ("twice", "kernel"): "twice:kq",
    ("twice@2", "kernel"): "twice:kq",
}


@pytest.mark.parametrize(("place", "key"), HELD.items())
def test_layers_within_others_have_the_widths_of_their_own_variables(
    place: tuple[str, str], key: str
) -> None:
    layer, tensor = read("held").layer(place[0]), place[1]
    found = EXPECTED["held"]["quantizers"][key]
    assert list(layer.parameters[tensor].shape) == found["shape"]
    assert layer.declared_formats()[tensor].stored_bits(found["elements"]) == found["bits"]


MACS = {
    "dense": {
        "first": 16 * 32, "uniform": 32 * 16, "normalized": 16 * 12, "floating": 12 * 8,
        "wrapped": 8 * 6, "open": 6 * 5,
    },
    "image": {
        "conv": 12 * 12 * 9 * 3 * 4, "grouped": 3 * 3 * 9 * 2 * 4, "line_conv": 3 * 2 * 1 * 3,
    },
    "merged": {
        "einsum": 6 * 8 * 6, "dense": 6 * 8 * 4, "normalized": 6 * 4 * 5, "dot": 5 * 6 * 6,
    },
    "attention": {
        "apart": 4 * (6 * 8 * 8) + 2 * (2 * 6 * 6 * 4),
        "fused": 4 * (6 * 8 * 6) + 2 * (2 * 6 * 6 * 3),
    },
    "recurrent": {"simple": 5 * (4 * 6 + 6 * 6), "gated": 5 * (6 * 9 + 3 * 9)},
    "tables": {},
}  # fmt: skip
"""Multiply-accumulates by hand: those by weights of no bits are among them."""


@pytest.mark.parametrize("name", NETWORKS)
def test_macs_follow_from_shapes(name: str) -> None:
    counted = count(read(name))
    found = {one.lowered.layer.name: one.lowered.macs for one in counted.layers}
    assert {key: macs for key, macs in found.items() if macs} == MACS[name]


def test_weights_are_stored_in_their_own_widths() -> None:
    for name in NETWORKS:
        expected = EXPECTED[name]["quantizers"]
        for layer in quantized(read(name)):
            bits = sum(
                found["bits"] * layer.parameters[tensor].size // found["elements"]
                for tensor, _ in layer.quantizers
                if tensor in layer.parameters
                and (found := expected[f"{layer.name}:{path_of(layer, tensor)}"])
            )
            if layer.declared_formats().keys() == layer.parameters.keys():
                assert layer.weight_bits(FixedPoint(8)) == bits


def variables(name: str, group: str) -> list[Any]:
    with zipfile.ZipFile(SAMPLES / f"{name}.keras") as archive:
        content = archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(content)) as file:
        held = file[f"layers/{group}/quantizer/vars"]
        return [array for place in range(len(held)) if (array := held[str(place)][()]).ndim]


def test_hgq2_counts_products_of_widths_without_signs() -> None:
    """EBOPs of dense layers by the formula of HGQ2; a bias counts once for each output."""
    for layer, group, bias in (("first", "q_dense", True), ("uniform", "q_dense_1", False)):
        kernel, _, _ = variables("dense", f"{group}/kq")
        behind, _, before = variables("dense", f"{group}/iq")
        shape = tuple(read("dense").layer(layer).parameters["kernel"].shape)
        widths = np.broadcast_to(np.round(kernel), shape)
        lanes = np.maximum(np.round(before) + np.round(behind), 0)
        ebops = (np.broadcast_to(lanes, (1, shape[0])) @ widths).sum()
        if bias:
            ebops += np.round(variables("dense", f"{group}/bq")[0]).mean() * shape[1]
        assert int(ebops) == EXPECTED["dense"]["ebops"][layer]


def test_one_width_for_all_weights_is_a_plain_format() -> None:
    layer = read("dense").layer("uniform")
    kernel, (lane,) = layer.declared_formats()["kernel"], layer.declared_inputs()
    assert isinstance(kernel, FixedPoint)
    assert isinstance(lane, FixedPoint)
    products = MACS["dense"]["uniform"] * (kernel.bits - kernel.signed) * (lane.bits - lane.signed)
    assert products == EXPECTED["dense"]["ebops"]["uniform"]


def test_a_weight_of_no_bits_costs_no_circuit_and_no_storage() -> None:
    pruned = MixedPrecision(FixedPoint(8), 0)
    chip = costmodel.device("horowitz-45nm", weights_on_memory="fixed")
    joules = []
    for number in (FixedPoint(8), MixedPrecision(FixedPoint(8), 4), pruned):
        work = costmodel.matmul(Tensor((64,), "int8"), Tensor((64, 64), number))
        outcome = chip.price(work, costmodel.Scenario())
        assert outcome.__class__.__name__ == "Cost"
        multiplied = [one for one in outcome.charges if one.resource == "multipliers"]
        joules.append(sum(one.energy_joules for one in multiplied))
    assert joules == near([joules[0], joules[0] / 2, 0.0])  # linear in the width of one operand
    assert joules[0] > 0
    assert pruned.stored_bits(64 * 64) == 0


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_survives_json(name: str) -> None:
    network = read(name)
    written = network.to_dict()
    again = costmodel.Network.from_dict(json.loads(json.dumps(written)), installed().layer_registry)
    assert again.to_dict() == written


def test_the_json_of_a_network_leaves_widths_open() -> None:
    with zipfile.ZipFile(SAMPLES / "dense.keras") as archive:
        network = costmodel.read(archive.read("config.json").decode())
    assert not any(layer.declares_formats for layer in network.layers)
    assert count(network).macs == sum(MACS["dense"].values())


def test_every_layer_of_hgq2_has_a_rule_or_a_reason() -> None:
    rules = installed().layer_registry
    for name in EXPECTED["classes"]:
        rule = rules.find(f"hgq.{name}")
        assert (rule is None) == (name in ABSTRACT), name
        if rule is not None:
            assert rule.describe_work(f"hgq.{name}"), name


def test_tables_and_spikes_are_unpriced_with_the_reason() -> None:
    for name, words in (("table", "synthesis"), ("spikes", "quantized states")):
        work = read("tables").layer(name).operators()
        assert isinstance(work, Unpriced)
        assert words in work.reason


def test_no_framework_is_imported_to_read_a_file() -> None:
    program = (
        "import sys, costmodel\n"
        f"costmodel.read({str(SAMPLES / 'dense.keras')!r})\n"
        "print(*sorted({'hgq', 'keras', 'h5py', 'tensorflow', 'jax'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # ours
    assert done.stdout.split() == []
