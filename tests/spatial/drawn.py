"""Drawn architectures, nests and mappings for the tests of spatial accelerators."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

import costmodel
from costmodel.formats import parse_format
from costmodel.workload.operators import Contraction
from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Level, Port, Slot, Use
from costmodel_hardware.spatial.mapping import Mapping
from costmodel_hardware.spatial.nest import Loop, Nest, nest_of

INT8 = parse_format("int8")
ALL = frozenset(
    Use(slot, flow)  # type: ignore[arg-type]  # the flows there are
    for slot in SLOTS
    for flow in ("read_to_below", "write_from_above", "write_from_below", "read_to_above")
)


def nest(operator: Contraction, partial_bits: int = 32) -> Nest:
    found = nest_of(operator, INT8, partial_bits)
    assert isinstance(found, Nest), found
    return found


@st.composite
def contractions(draw: st.DrawFn) -> Contraction:
    """Small products, convolutions of each kind, and attention."""
    size = st.integers(1, 4)
    kind = draw(st.sampled_from(["matmul", "conv", "depthwise", "transposed", "einsum"]))
    if kind == "matmul":
        m, k, n = draw(size), draw(size), draw(size)
        return costmodel.matmul((m, k), (k, n))
    if kind == "einsum":
        b, m, k, n = draw(size), draw(size), draw(size), draw(size)
        found = costmodel.einsum("bmk,bnk->bmn", (b, m, k), (b, n, k))
        assert isinstance(found, Contraction)
        return found
    channels, filters, length = draw(size), draw(size), draw(st.integers(2, 5))
    window, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    if kind == "transposed":
        return costmodel.conv_transpose(
            (1, channels, length), (channels, filters, window), stride=stride
        )
    dilation = draw(st.integers(1, 2))
    padding = draw(st.integers(0, 1))
    reach = (window - 1) * dilation + 1
    length = max(length, reach - 2 * padding)
    if kind == "depthwise":
        return costmodel.conv(
            (1, channels, length), (channels, 1, window), groups=channels,
            stride=stride, padding=padding, dilation=dilation,
        )  # fmt: skip
    return costmodel.conv(
        (1, channels, length), (filters, channels, window),
        stride=stride, padding=padding, dilation=dilation,
    )  # fmt: skip


def level(name: str, holds: tuple[Slot, ...], **more: Any) -> Level:
    ports = [Port("port", more.pop("rate", 64.0), ALL)]
    known = {"read_energy": 1.0, "write_energy": 1.5, "read_bits": 8, "write_bits": 8}
    return Level(name=name, holds=holds, ports=ports, **{**known, **more})


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    """One to three axes, and two to four memories that hold some of the operands."""
    axes = {name: draw(st.integers(1, 4)) for name in "XYZ"[: draw(st.integers(1, 3))]}
    levels, per = [], list(axes)
    for place in range(draw(st.integers(0, 3))):
        holds = draw(st.sets(st.sampled_from(SLOTS), min_size=1))
        per = [axis for axis in per if draw(st.booleans())]
        name, energy = f"buffer{place}", 2.0**place
        kept = tuple(slot for slot in SLOTS if slot in holds)
        more = {"per": per, "rate": 8.0, "retains_halo": draw(st.booleans())}
        levels.append(level(name, kept, read_energy=energy, write_energy=1.2 * energy, **more))
    levels.append(level("dram", SLOTS, read_energy=100.0, write_energy=110.0, rate=16.0))
    return Architecture(name="drawn", axes=axes, levels=levels, systolic=("X",), mac_energy=0.5)


def primes(number: int) -> list[int]:
    found, factor = [], 2
    while number > 1:
        while number % factor == 0:
            found.append(factor)
            number //= factor
        factor += 1
    return found


@st.composite
def mappings(draw: st.DrawFn, nest: Nest, architecture: Architecture) -> Mapping:
    """Any mapping of a nest, whose loops in time are prime factors."""
    left = {dim: size for dim, size in nest.dims if dim not in nest.serial}
    spatial: list[tuple[str, list[Loop]]] = []
    for axis, units in architecture.axes:
        loops: list[Loop] = []
        for dim in draw(st.permutations(sorted(left)))[:2]:
            most = min(units // math.prod(loop.size for loop in loops), left[dim])
            size = draw(st.integers(1, most))
            if size > 1:
                loops.append(Loop(dim, size))
                left[dim] = -(-left[dim] // size)  # the last units may be idle: 3 over 2 x 2
        spatial.append((axis, loops))
    units = Mapping(spatial, (), dict.fromkeys(SLOTS, ())).unrolled
    factors = [
        Loop(dim, prime)
        for dim, size in nest.dims
        for prime in primes(-(-size // units.get(dim, 1)))
    ]
    temporal = draw(st.permutations(factors))
    cuts = {
        slot: sorted(draw(st.integers(0, len(temporal))) for _ in architecture.chain(slot)[1:])
        for slot in SLOTS
    }
    return Mapping(spatial, temporal, cuts)
