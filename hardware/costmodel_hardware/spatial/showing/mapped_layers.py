"""The mappings of a network on an accelerator: nests of loops, words over links, bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen

from costmodel.errors import CostModelError, UnknownNameError
from costmodel.report.table import Column, Table
from costmodel.units import format_quantity
from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Slot
from costmodel_hardware.spatial.counting.accounting import Costs, Transfer
from costmodel_hardware.spatial.counting.links import ARRAY, Link
from costmodel_hardware.spatial.dataflow import SEARCH
from costmodel_hardware.spatial.device import SpatialAccelerator
from costmodel_hardware.spatial.mapping import SCHEMA_OF_SEVERAL
from costmodel_hardware.spatial.mapping import Mapping as Nesting
from costmodel_hardware.spatial.placement import SpatialPlacement
from costmodel_hardware.spatial.plan import Mapped

if TYPE_CHECKING:
    from costmodel import Scenario, Workload

_FEW: Final = 0.1
"""The share of units at work below which a hint is given."""
_MOST_NAMED: Final = 3
_UNITS: Final = "the array"
_INDENT: Final = "  "


@frozen
class MappedLayer:
    """A contraction on an accelerator under its mapping."""

    name: str
    device: SpatialAccelerator
    architecture: Architecture
    mapped: Mapped
    searched: Mapped | None = None
    """What the search finds, where the mapping is given."""

    @property
    def chains(self) -> Mapping[Slot, tuple[int, ...]]:
        """The places of the memories of each operand, from the inner one to its home."""
        links = {one.link for one in self.mapped.costs.transfers}
        return {
            slot: tuple(sorted(one.parent for one in links if one.operand == slot))
            for slot in SLOTS
        }

    def lines(self) -> Iterator[str]:
        """The nest of loops from the outside, and what each memory keeps."""
        costs, mapping = self.mapped.costs, self.mapped.mapping
        yield f"{self.name} on {self.device.name}: {self.mapped.nest.macs:,} multiply-accumulates"
        yield from _totals(costs, self.device.clock.value)
        yield from self._in_use()
        yield from _gap(self.mapped, self.searched)
        if mapping is not None:
            yield ""
            yield from self._nest(mapping)

    def _in_use(self) -> Iterator[str]:
        """What the tiles take of each memory that has a size."""
        used = self.mapped.costs.used_bits
        shown = [
            f"{level.name} {used[level.name]:,} of {level.size_bits:,} bits"
            for level in self.architecture.levels
            if level.size_bits is not None and level.name in used
        ]
        if shown:
            yield f"in use: {', '.join(shown)}"

    def _nest(self, mapping: Nesting) -> Iterator[str]:
        levels = self.architecture.levels
        chains = self.chains
        kept: dict[int, list[tuple[int, str]]] = {}
        for slot in SLOTS:
            ends = (*mapping.cuts_of(slot), len(mapping.temporal))
            for place, cut in zip(chains[slot], ends, strict=True):
                text = f"{levels[place].name} keeps {slot}, {self._tile(slot, place)}"
                kept.setdefault(cut, []).append((-place, text))
        depth = 0
        for cut in range(len(mapping.temporal), -1, -1):
            for _, text in sorted(kept.get(cut, [])):
                yield f"{_INDENT * depth}{text}"
            if cut:
                loop = mapping.temporal[cut - 1]
                yield f"{_INDENT * depth}for {loop.dim} in {loop.size}"
                depth += 1
        spread = [
            f"{axis} {' x '.join(f'{dim} {size}' for dim, size in loops) or 'idle'}"
            for axis, loops in mapping.spatial
        ]
        yield f"{_INDENT * depth}in parallel: {', '.join(spread)}"

    def _tile(self, slot: Slot, place: int) -> str:
        bits = self.mapped.costs.tile_bits.get((slot, place))
        if bits is None:
            return "a tile at a time"
        is_home = place == self.chains[slot][-1]
        return f"all of it: {bits:,} bits" if is_home else f"{bits:,} bits at a time"

    def table(self, *, exact: bool = False) -> Table:
        """A row for each operand, link and way: words at both ends, bits, energy."""
        titles = ("Words outside", "Words inside", "Bits outside", "Energy")
        columns = [
            Column("Operand"), Column("From"), Column("To"),
            *(Column(title, numeric=True) for title in titles),
        ]  # fmt: skip
        rows = list(self._rows(exact=exact))
        return Table(f"{self.name}: words over each link", columns, rows)

    def _rows(self, *, exact: bool) -> Iterator[tuple[str, ...]]:
        costs = self.mapped.costs
        for link in dict.fromkeys(one.link for one in costs.transfers):
            inside, outside = self._name(link.child), self._name(link.parent)
            down = (outside, inside, "read_to_below", "write_from_above")
            up = (inside, outside, "write_from_below", "read_to_above")
            for source, target, at_parent, at_child in (down, up):
                ends: dict[str, Transfer] = {
                    one.flow: one
                    for one in costs.transfers
                    if one.link == link and one.flow in {at_parent, at_child}
                }
                if at_parent not in ends or not ends[at_parent].words:
                    continue
                own, other = ends[at_parent], ends.get(at_child)
                energy = sum(one.energy for one in ends.values())
                shown = repr(energy) if exact else format_quantity(energy, "J")
                inner = str(other.words) if exact and other else f"{other.words:,}" if other else ""
                yield (
                    link.operand, source, target,
                    str(own.words) if exact else f"{own.words:,}", inner,
                    str(own.bits) if exact else f"{own.bits:,}", shown,
                )  # fmt: skip

    def _name(self, place: int) -> str:
        return _UNITS if place == ARRAY else self.architecture.levels[place].name

    def to_dict(self) -> dict[str, Any]:
        """The mapping, which can be given back, and what it costs, in SI units and cycles."""
        costs, mapping = self.mapped.costs, self.mapped.mapping
        names = {
            slot: [self.architecture.levels[place].name for place in places]
            for slot, places in self.chains.items()
        }
        latency = costs.latency
        return {
            "mapping": mapping and mapping.to_dict(names),
            "macs": self.mapped.nest.macs,
            "gap": self.mapped.gap,
            "utilization": costs.utilization,
            "limit": costs.limit,
            "cycles": {
                "onload": latency.onload, "compute": latency.compute, "exposed": latency.exposed,
                "stall": latency.stall, "fill_and_drain": latency.fill_and_drain,
                "offload": latency.offload, "total": latency.total,
            },
            "port_cycles": dict(costs.port_cycles),
            "energy": {
                "array": costs.mac_energy, **costs.memory_energy, "leakage": costs.leakage_energy,
            },
            "used_bits": dict(costs.used_bits),
            "transfers": [
                {
                    "operand": one.operand, "memory": one.level, "flow": one.flow,
                    "with": self._name(_other(one.link, one.level, self.architecture)),
                    "words": one.words, "bits": one.bits, "accesses": one.accesses,
                    "energy": one.energy,
                }
                for one in costs.transfers
            ],
        }  # fmt: skip


def _other(link: Link, level: str, architecture: Architecture) -> int:
    """The other end of a link."""
    is_parent = architecture.levels[link.parent].name == level
    return link.child if is_parent else link.parent


def _totals(costs: Costs, clock: float) -> Iterator[str]:
    latency = costs.latency
    time = format_quantity(latency.total / clock, "s")
    parts = [
        f"{name.replace('_', ' ')} {getattr(latency, name):,.0f}"
        for name in ("onload", "compute", "exposed", "stall", "fill_and_drain", "offload")
        if getattr(latency, name)
    ]
    yield f"{latency.total:,.0f} cycles, {time}: {' + '.join(parts)}"
    busy = sorted(costs.port_cycles.items(), key=lambda item: -item[1])[:3]
    shown = ", ".join(f"{name} {cycles:,.0f}" for name, cycles in busy if cycles)
    more = f"; busy: {shown}" if shown else ""
    yield f"bound by {costs.limit}; {costs.utilization:.1%} of the units have work{more}"
    each = {"array": costs.mac_energy, **costs.memory_energy, "leakage": costs.leakage_energy}
    split = ", ".join(f"{name} {format_quantity(one, 'J')}" for name, one in each.items() if one)
    yield f"energy {format_quantity(costs.energy, 'J')}{f': {split}' if split else ''}"


def _gap(mapped: Mapped, searched: Mapped | None) -> Iterator[str]:
    if mapped.mapping is None:
        yield "mapping: none; the accounting knows of no nest of loops"
    elif mapped.gap is None and searched is not None:
        energy, cycles = _ratios(mapped, searched)
        yield f"mapping: given; {energy} x the energy, {cycles} x the cycles of that found"
    elif mapped.gap is None:
        yield "mapping: given"
    elif mapped.gap == 0:
        yield "mapping: found, no other of the space is better"
    else:
        yield f"mapping: found, at most {_share(mapped.gap)} above the best of the space"


def _ratios(mapped: Mapped, searched: Mapped) -> tuple[str, str]:
    """Energy and cycles of a mapping over those of another."""
    own, other = mapped.costs, searched.costs
    pairs = ((own.energy, other.energy), (own.latency.total, other.latency.total))
    energy, cycles = [f"{one / before:.3g}" if before else "1" for one, before in pairs]
    return energy, cycles


def _share(gap: float) -> str:
    """A gap in percent, rounded up."""
    return f"{math.ceil(gap * 1000) / 10:.1f}%"


@frozen
class MappedNetwork:
    """The mappings of all contractions of a network on an accelerator."""

    network: str
    device: SpatialAccelerator
    layers: tuple[MappedLayer, ...]
    refused: Mapping[str, str]

    @classmethod
    def of(
        cls, workload: Workload, device: SpatialAccelerator, scenario: Scenario
    ) -> MappedNetwork:
        """Map a lowered network.

        Raises:
            CostModelError: it has no contraction.

        """
        evaluated = device.evaluate(workload, scenario)
        placement = evaluated.placement
        if not isinstance(placement, SpatialPlacement):  # pragma: no cover  # what its place gives
            message = f"device {device.name!r} places no tensors on an array"
            raise CostModelError(message)
        layers = tuple(
            MappedLayer(name, device, device.architecture, one)
            for name, one in placement.mapped.items()
        )
        if not layers and not placement.refused:
            reason = next((f"; {one}" for one in evaluated.unpriced.values()), "")
            message = f"{workload.name}: expected a contraction to map, found none{reason}"
            raise CostModelError(message)
        return cls(workload.name, device, layers, placement.refused)

    def beside(self, searched: MappedNetwork) -> MappedNetwork:
        """The same, where each given mapping stands beside the one that a search finds."""
        found = {one.name: one.mapped for one in searched.layers}
        layers = [
            evolve(one, searched=found.get(one.name)) if one.mapped.gap is None else one
            for one in self.layers
        ]
        return evolve(self, layers=tuple(layers))

    def layer(self, name: str) -> MappedLayer:
        """The mapping of an operator, or of a layer that has one.

        Raises:
            UnknownNameError: there is no such operator.
            CostModelError: it has no mapping; says why.

        """
        for key, reason in self.refused.items():
            if name in {key, key.rpartition("/")[0]}:
                raise CostModelError(reason)
        self.check_name(name)
        known = {one.name: one for one in self.layers}
        short = {one.name.rpartition("/")[0]: one for one in self.layers}
        return known.get(name) or short[name]

    def check_name(self, name: str) -> None:
        """Check that there is an operator, or a layer with one, of a name.

        Raises:
            UnknownNameError: there is none.

        """
        names = [*(one.name for one in self.layers), *self.refused]
        known = [*(one.rpartition("/")[0] for one in names), *names]
        if name not in known:
            shown = names if "/" in name else known[: len(names)]
            raise UnknownNameError(name, shown, "contraction")

    def table(self, *, exact: bool = False) -> Table:
        """A row for each contraction."""
        titles = ("MACs", "Cycles", "Units at work", "Energy")
        columns = [
            Column("Operator"), *(Column(title, numeric=True) for title in titles),
            Column("Bound by"), Column("Proven"),
        ]  # fmt: skip
        rows = []
        for one in self.layers:
            costs = one.mapped.costs
            rows.append(
                (
                    one.name,
                    str(one.mapped.nest.macs) if exact else f"{one.mapped.nest.macs:,}",
                    repr(costs.latency.total) if exact else f"{costs.latency.total:,.0f}",
                    repr(costs.utilization) if exact else f"{costs.utilization:.1%}",
                    repr(costs.energy) if exact else format_quantity(costs.energy, "J"),
                    costs.limit,
                    _proven(one.mapped, one.searched),
                )
            )
        notes = [*self.refused.values(), *self._idle()]
        return Table(f"{self.network}: mappings on {self.device.name}", columns, rows, notes=notes)

    def _idle(self) -> Iterator[str]:
        """What to do where most units are idle."""
        names = [one.name for one in self.layers if one.mapped.costs.utilization < _FEW]
        if names and self.device.dataflow != SEARCH:
            shown = ", ".join(names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")
            yield (
                f"fewer than {_FEW:.0%} of the units have work in {len(names)} of "
                f"{len(self.layers)} ({shown}): the dataflow {self.device.dataflow!r} spreads "
                "little of them; name more dimensions for an axis, such as groups, or search"
            )

    def to_dict(self) -> dict[str, Any]:
        """All mappings by the name of the operator; `costmodel map --mapping` takes them."""
        return {
            "schema": SCHEMA_OF_SEVERAL,
            "network": self.network,
            "device": self.device.name,
            "mappings": {one.name: one.to_dict() for one in self.layers},
            "refused": dict(self.refused),
        }


def _proven(mapped: Mapped, searched: Mapped | None) -> str:
    if mapped.mapping is None:
        return ""
    if mapped.gap is None and searched is not None:
        return f"given, {_ratios(mapped, searched)[0]} x energy"
    if mapped.gap is None:
        return "given"
    return "best" if mapped.gap == 0 else f"within {_share(mapped.gap)}"
