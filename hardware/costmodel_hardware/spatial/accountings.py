"""Named accountings: who counts words, energy and cycles of a contraction, and maps it."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
from attrs import evolve

from costmodel.errors import CostModelError
from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Flow, Slot
from costmodel_hardware.spatial.counting.accounting import Costs, Latency, Transfer, costs
from costmodel_hardware.spatial.counting.links import ARRAY, Link, Spatial, accesses, energy
from costmodel_hardware.spatial.counting.scale_sim import Product, SystolicArray
from costmodel_hardware.spatial.counting.validity import MappingError, OutOfTimeError
from costmodel_hardware.spatial.dataflow import STATIONARY, dimensions
from costmodel_hardware.spatial.mapping import Mapping as Nesting
from costmodel_hardware.spatial.nest import Nest
from costmodel_hardware.spatial.plan import ACCOUNTING_NAMES, SCALE_SIM, ZIGZAG, Homes, Mapped, Plan
from costmodel_hardware.spatial.search.mapper import Search, best_mapping
from costmodel_hardware.spatial.zigzag.accounting import ZigZagCount
from costmodel_hardware.spatial.zigzag.accounting import count as zigzag_count
from costmodel_hardware.spatial.zigzag.searching.best import SECONDS
from costmodel_hardware.spatial.zigzag.searching.best import best_mapping as zigzag_mapping
from costmodel_hardware.spatial.zigzag.searching.space import space_of

_KEPT: Final = 4096
"""Searches whose answers are kept."""


@functools.lru_cache(maxsize=_KEPT)
def mapped(nest: Nest, plan: Plan, homes: Homes) -> Mapped:
    """A contraction under the accounting of a plan, in its best mapping.

    Raises:
        MappingError: nothing fits, or the accounting does not know such an array.
        OutOfTimeError: none was found within the time limit.
        ValueError: the dataflow does not fit the array.

    """
    return ACCOUNTINGS[plan.accounting](nest, plan, homes)


def given(nest: Nest, plan: Plan, mapping: Nesting, homes: Homes) -> Mapped:
    """A contraction in a mapping of the user's, under the accounting of a plan.

    Cuts beyond the home of an operand are left out. ZigZag has all homes outside: a home within,
    which a mapping does not cut at, keeps the whole operand.

    Raises:
        CostModelError: it is not one of the nest on this architecture, or does not fit; or the
            accounting does not know mappings.

    """
    if plan.accounting == SCALE_SIM:
        message = "accounting scale-sim knows no mapping but its dataflow; expected mapping search"
        raise MappingError(message)
    chains, places = {slot: plan.architecture.chain(slot) for slot in SLOTS}, dict(homes)
    if plan.accounting == ZIGZAG:
        all_of_it = (len(mapping.temporal),) * len(plan.architecture.levels)
        full = {
            slot: (*mapping.cuts_of(slot), *all_of_it)[: len(chains[slot]) - 1] for slot in SLOTS
        }
        mapping = evolve(mapping, cuts=full)
        counted = zigzag_count(nest, plan.architecture, mapping)
        return Mapped(nest, mapping, _zigzag_costs(nest, plan, counted))
    cuts = {
        slot: mapping.cuts_of(slot)[: chains[slot].index(places.get(slot, chains[slot][-1]))]
        for slot in SLOTS
    }
    mapping = evolve(mapping, cuts=cuts)
    found = costs(
        nest, plan.architecture, mapping, homes=places, seconds_per_cycle=plan.seconds_per_cycle
    )
    return Mapped(nest, mapping, found)


def _by_costmodel(nest: Nest, plan: Plan, homes: Homes) -> Mapped:
    stationary = STATIONARY.get(plan.dataflow) if isinstance(plan.dataflow, str) else None
    search = Search(
        objective=plan.objective, stationary=stationary, is_ragged=plan.is_ragged,
        limit_seconds=plan.limit_seconds, seconds_per_cycle=plan.seconds_per_cycle, homes=homes,
    )  # fmt: skip
    found = best_mapping(nest, plan.architecture, plan.ways(nest), search)
    return Mapped(nest, found.mapping, found.costs, found.gap)


_SCALE_SIM: Final = {"weight": "ws", "output": "os", "input": "is"}
_TWO: Final = 2


def _by_scale_sim(nest: Nest, plan: Plan, homes: Homes) -> Mapped:
    """As SCALE-Sim 3.0.0 counts: see `scale_sim`.

    Buffers hold all that they are asked for. The buffer of an operand is its innermost memory that
    all units share; memories within are not counted. Groups follow each other.
    """
    axes = plan.architecture.axes
    stationary = STATIONARY.get(plan.dataflow) if isinstance(plan.dataflow, str) else None
    if len(axes) != _TWO or stationary is None:
        shown = plan.dataflow if isinstance(plan.dataflow, str) else "the dimensions of each axis"
        message = (
            "accounting scale-sim: expected two axes and weight, output or input stationary as "
            f"dataflow; found {len(axes)} axes and {shown}"
        )
        raise MappingError(message)
    array = SystolicArray(axes[0][1], axes[1][1], _SCALE_SIM[stationary])
    known, sizes = dimensions(nest), nest.sizes
    groups = math.prod(sizes[dim] for dim in known["groups"])
    m = math.prod(sizes[dim] for dim in known["positions"])
    n = math.prod(sizes[dim] for dim in known["filters"])
    product = Product(m, n, max(nest.macs // (m * n * groups), 1))
    counts = array.counts(product)
    spatial = Spatial(nest, plan.architecture, (), homes)
    touched = spatial.words_once("input")
    words: Mapping[Slot, tuple[float, float]] = {
        "input": (counts["sram_input_reads"] * groups, touched),
        "weight": (counts["sram_weight_reads"] * groups, counts["dram_weight_reads"] * groups),
        "output": (counts["sram_output_writes"] * groups, counts["dram_output_writes"] * groups),
    }
    transfers = tuple(
        one for slot in SLOTS for one in _scale_sim_transfers(spatial, slot, *words[slot])
    )
    cycles = counts["total_cycles"] * groups + (groups - 1)
    found = Costs(
        transfers=transfers,
        mac_energy=nest.macs * plan.architecture.mac_energy,
        leakage_energy=plan.architecture.leakage * cycles * plan.seconds_per_cycle,
        latency=Latency(
            onload=0.0, compute=cycles, exposed=0.0, stall=0.0, fill_and_drain=0.0, offload=0.0
        ),
        utilization=counts["compute_utilization_percent"] / 100,
        used_bits={}, tile_bits={}, port_cycles={}, steady_cycles={}, weight_onload=0.0,
    )  # fmt: skip
    return Mapped(nest, None, found)


def _scale_sim_transfers(
    spatial: Spatial, slot: Slot, of_buffer: float, of_home: float
) -> Iterator[Transfer]:
    """What the buffer of an operand and its home read and write."""
    levels, chain = spatial.architecture.levels, spatial.chains[slot]
    shared = [place for place in chain if not levels[place].per]
    buffer, home = shared[0], shared[-1]
    down: tuple[Flow, Flow] = ("read_to_below", "write_from_above")
    up: tuple[Flow, Flow] = ("write_from_below", "read_to_above")
    at_parent, at_child = up if slot == "output" else down
    moves = [(Link(slot, ARRAY, buffer), buffer, at_parent, of_buffer)]
    if home != buffer:
        link = Link(slot, buffer, home)
        moves += [(link, home, at_parent, of_home), (link, buffer, at_child, of_home)]
    for link, place, flow, words in moves:
        bits = np.array(words * spatial.nest.tensor(slot).bits)
        yield Transfer(
            levels[place].name, slot, flow, link,
            words=round(words), bits=round(bits.item()),
            accesses=accesses(levels[place], flow, bits).item(),
            energy=energy(levels[place], flow, bits).item(), cycles=0.0, stays=1,
        )  # fmt: skip


def _by_zigzag(nest: Nest, plan: Plan, homes: Homes) -> Mapped:
    """As ZigZag 3.9.1 counts, in its space of orders and with the best allocation of each.

    Operands come from the outermost memory that holds them, wherever they lie.
    """
    del homes
    seconds = SECONDS if plan.limit_seconds is None else plan.limit_seconds
    deadline = time.monotonic() + seconds
    found, reasons, is_late = [], [], False
    for loops in plan.ways(nest):
        space, left = space_of(nest, plan.architecture, loops), deadline - time.monotonic()
        try:
            found.append(zigzag_mapping(space, plan.objective, seconds=max(left, 0.0)))
        except CostModelError as error:  # another way may have smaller tiles
            reasons.append(str(error))
            is_late = is_late or isinstance(error, OutOfTimeError)
    if is_late and not found:
        raise OutOfTimeError.after(seconds)
    if not found:
        raise MappingError(reasons[0])
    best, bound = min(found, key=lambda one: one.value), min(one.bound for one in found)
    gap = best.value / bound - 1 if bound > 0 else 0.0 if best.value <= bound else math.inf
    return Mapped(nest, best.mapping, _zigzag_costs(nest, plan, best.count), gap)


def _zigzag_costs(nest: Nest, plan: Plan, counted: ZigZagCount) -> Costs:
    """What it counts, as other accountings say it."""
    architecture = plan.architecture
    return Costs(
        transfers=tuple(_zigzag_transfers(nest, architecture, counted)),
        mac_energy=counted.mac_energy,
        leakage_energy=architecture.leakage * counted.latency_cycles * plan.seconds_per_cycle,
        latency=Latency(
            onload=counted.onload_cycles, compute=counted.compute_cycles_mapped, exposed=0.0,
            stall=counted.stall_cycles, fill_and_drain=counted.drain_cycles,
            offload=counted.offload_cycles,
        ),
        utilization=counted.spatial_utilization,
        used_bits={}, tile_bits={}, port_cycles={}, steady_cycles={}, weight_onload=0.0,
    )  # fmt: skip


def _zigzag_transfers(
    nest: Nest, architecture: Architecture, counted: ZigZagCount
) -> Iterator[Transfer]:
    """Its accesses of full width, as the words of each memory for the link within or outside."""
    for one in counted.memories:
        chain = architecture.chain(one.operand)
        level = architecture.level(one.memory)
        at = chain.index(architecture.levels.index(level))
        within = Link(one.operand, chain[at - 1] if at else ARRAY, chain[at])
        bits_of_word = nest.tensor(one.operand).bits
        for flow, count in one.words.items():
            is_below = flow in {"read_to_below", "write_from_below"}
            if not is_below and at + 1 == len(chain):
                continue
            is_read = flow.startswith("read")
            width = level.read_bits if is_read else level.write_bits
            each = level.read_energy if is_read else level.write_energy
            yield Transfer(
                level.name, one.operand, flow,
                within if is_below else Link(one.operand, chain[at], chain[at + 1]),
                words=count * width // bits_of_word, bits=count * width,
                accesses=float(count), energy=count * each, cycles=0.0, stays=1,
            )  # fmt: skip


ACCOUNTINGS: Final[Mapping[str, Callable[[Nest, Plan, Homes], Mapped]]] = dict(
    zip(ACCOUNTING_NAMES, (_by_costmodel, _by_scale_sim, _by_zigzag), strict=True)
)
"""Who counts, by name."""
