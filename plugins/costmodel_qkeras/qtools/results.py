"""What QTools returns: energies, their sums and profiles, bit operations and bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from costmodel_qkeras.qtools import kinds
from costmodel_qkeras.qtools.errors import QToolsError
from costmodel_qkeras.qtools.facts import Node
from costmodel_qkeras.qtools.network import NetworkRecord
from costmodel_qkeras.qtools.prices import Energy, Memory, Prices, price
from costmodel_qkeras.qtools.records import Record

_TOTAL: Final = "total_cost"

INCLUDE_ENERGY: Final[Mapping[str, Sequence[str]]] = {
    **{kind: ["outputs"] for kind in sorted(kinds.ACTIVATIONS)},
    **{kind: ["parameters"] for kind in sorted(kinds.NORMALIZATIONS)},
    **{kind: ["op_cost"] for kind in ("Add", "MaxPooling2D", "Subtract")},
    "default": ["inputs", "parameters", "op_cost"],
}
"""The parts of a layer's energy that count in a sum (QTools, `cfg.include_energy`)."""


def energies(network: NetworkRecord, memory: Memory, prices: Prices) -> dict[str, Energy]:
    """The picojoules of every layer before rounding.

    Raises:
        QToolsError: QTools has no energy for a layer.

    """
    found = {}
    for name, record in network.records.items():
        try:
            found[name] = price(
                record, memory, prices,
                is_first=name in network.first, is_last=name in network.last,
            )  # fmt: skip
        except QToolsError as error:
            message = f"layer {name!r} of kind {record.kind!r}: {error}"
            raise QToolsError(message) from None
    return found


def price_network(network: NetworkRecord, memory: Memory, prices: Prices) -> dict[str, Any]:
    """What `QTools.pe` returns."""
    result: dict[str, Any] = {}
    total = 0.0  # added one by one, as QTools does; sum() rounds less often
    for name, energy in energies(network, memory, prices).items():
        kind = network.records[name].kind
        result[name] = {"class_name": kind, "energy": energy.as_json()}
        total += energy.total
    return result | {_TOTAL: int(total)}


def energy_sum(include: Mapping[str, Sequence[str]], priced: Mapping[str, Any]) -> int:
    """What `QTools.extract_energy_sum` returns."""
    return int(sum(_counted(entry, include) for _, entry in _layers(priced)))


def energy_profile(
    include: Mapping[str, Sequence[str]], priced: Mapping[str, Any]
) -> dict[str, Any]:
    """What `QTools.extract_energy_profile` returns."""
    return {
        name: {"energy": entry["energy"], "total": _counted(entry, include)}
        for name, entry in _layers(priced)
    }


def _layers(priced: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, entry) for name, entry in priced.items() if name != _TOTAL]


def _counted(entry: Mapping[str, Any], include: Mapping[str, Sequence[str]]) -> float:
    parts = include.get(entry["class_name"], include.get("default", ()))
    return float(sum([entry["energy"][part] for part in parts]))


def bit_operations(network: NetworkRecord, float_bits: int) -> tuple[int, int]:
    """What `QTools.calculate_ace` returns: operations times the bits of both operands."""
    weighted = [
        (record, part.kind.bits)
        for record in network.records.values()
        if (part := record.part("weight_quantizer")) is not None
    ]
    ace = sum(record.operation_count * record.inputs[0].bits * bits for record, bits in weighted)
    return ace, sum(record.operation_count * float_bits**2 for record, _ in weighted)


def weight_bytes(network: NetworkRecord, nodes: Sequence[Node], float_bits: int) -> tuple[int, int]:
    """What `QTools.calculate_weight_bytes` means to return: bytes of kernels and biases."""
    uses_bias = {node.name: node.facts.use_bias for node in nodes}
    sizes = [
        size
        for name, record in network.records.items()
        for size in _weights(record, has_bias=uses_bias[name])
    ]
    return (
        sum(_bytes(elements, bits) for elements, bits in sizes),
        sum(_bytes(elements, float_bits) for elements, _ in sizes),
    )


def _weights(record: Record, *, has_bias: bool) -> list[tuple[int, int]]:
    kernel, bias = record.part("weight_quantizer"), record.part("bias_quantizer")
    if kernel is None or not isinstance(kernel.shape, tuple):
        return []
    sizes = [(math.prod(kernel.shape), kernel.kind.bits)]
    if has_bias and bias is not None:
        sizes.append((_bias_size(record, kernel.shape), bias.kind.bits))
    return sizes


def _bias_size(record: Record, kernel: tuple[int, ...]) -> int:
    # The true bias has an element for each output channel, whatever the kernel's last axis is.
    return record.output_shape[-1] if record.output_shape else kernel[-1]


def output_bytes(
    network: NetworkRecord, input_shape: Sequence[int] | None, float_bits: int
) -> tuple[float, float]:
    """What `QTools.calculate_output_bytes` means to return: bytes that activations put out.

    `input_shape` adds the bytes of the network's input.
    """
    sizes = [
        (math.prod(record.output_shape), record.output.bits)
        for record in network.records.values()
        if record.kind == "QActivation"
    ]
    quantized: float = sum(_bytes(elements, bits) for elements, bits in sizes)
    full: float = sum(_bytes(elements, float_bits) for elements, _ in sizes)
    if input_shape is None:
        return quantized, full
    elements = math.prod(input_shape)
    return quantized + elements * network.sources[0].bits / 8, full + elements * float_bits / 8


def _bytes(elements: int, bits: int) -> int:
    return int(elements * bits / 8)
