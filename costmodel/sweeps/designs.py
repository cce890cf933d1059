"""Designs in columns: the costs of many, those of one network and device together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
from attrs import evolve

from costmodel.conventions import timing
from costmodel.conventions.convention import Convention
from costmodel.devices.cost import Seconds
from costmodel.devices.evaluation.computing import call_format
from costmodel.errors import CostModelError, PluginError
from costmodel.estimates.estimate import bound_network
from costmodel.formats import FixedPoint, NumericFormat
from costmodel.network import layer_formats
from costmodel.sweeps.grouped import (
    Block,
    Formats,
    GroupedCosts,
    can_be_tabled,
    has_bodies,
    member_energies,
    overhead,
    static_watts,
    with_formats,
)
from costmodel.sweeps.space import FORMATS
from costmodel.sweeps.table import COSTS, SweepTable
from costmodel.sweeps.table import Choices as ChoiceColumn
from costmodel.workload.reasons import Unpriced

if TYPE_CHECKING:
    from costmodel.devices import Cost, Device, DeviceEstimate
    from costmodel.network.graph import Network
    from costmodel.scenario import Scenario
    from costmodel.sweeps.grid import Axis, Grid
    from costmodel.sweeps.rows import Rows
    from costmodel.workload.graph import Workload

Array: TypeAlias = "np.ndarray[Any, Any]"
_Key: TypeAlias = "tuple[float, ...]"
TABLED: Final = "groups of operators tabled by format"
ONE_BY_ONE: Final = "designs evaluated one by one"
BY_POWER: Final = (
    "no energy by layer: the device has none, or it is a power over the time, which is by layer"
)
NO_POWER: Final = "no energy: the power of the device is not known"
UNKNOWN_LIMIT: Final = (
    "left out: work without a price is missing from a cost that has a limit (on_unpriced: bound "
    "takes the rest alone)"
)
BOUNDED: Final = ("energy", "latency")
"""The costs that are lower bounds where some work has no price."""
_KEPT: Final = 64
"""Networks on a device under conditions whose tables are kept."""
_PIECE: Final = 2**14
"""Designs whose columns stay in the cache of a processor."""
_MARKED: Final = 4096
"""Bits of the first marker of an axis; no format of a network is so wide."""


class Designs:
    """The costs of the designs of a grid.

    A process keeps what it finds: networks as they are lowered, and tables of groups.
    """

    def __init__(self, grid: Grid, *, by_layer: bool = False) -> None:
        """Divide the axes: formats, figures that energy is linear in, and all others.

        Costs `by_layer` are those of each layer, too; nothing then is linear in a figure.

        Raises:
            CostModelError: costs by layer, of networks that a function makes, or a limit on what no
                device models.

        """
        self._grid = grid
        self._layers: tuple[str, ...] = ()
        if by_layer:
            if grid.source is None:
                message = "costs by layer need one network; the space has a function of many"
                raise CostModelError(message)
            self._layers = tuple([layer.name for layer in grid.source.layers])
        _check_limits(grid)
        self._formats = [axis for axis in grid.axes if axis.family in FORMATS]
        self._linear = [axis for axis in grid.axes if axis.is_linear and not by_layer]
        self._others = [
            axis for axis in grid.axes if axis.family not in FORMATS and axis not in self._linear
        ]
        self._blocks: dict[object, Costing] = {}
        self._lowered: dict[object, _Lowered] = {}
        self.ways: dict[str, int] = {}
        """How many designs were costed in which way, and of how many there is more to say."""

    def table(self, rows: Rows, start: int, stop: int) -> SweepTable:
        """The designs from one place to another, but for those that the space leaves out."""
        table = self.kept(self.every(rows, start, stop))
        if self._layers:
            self._count(BY_POWER, np.isnan(table[f"energy.{self._layers[0]}"]))
        return table

    def every(self, rows: Rows, start: int, stop: int) -> SweepTable:
        """All designs from one place to another."""
        chosen = rows.choices(start, stop)
        costs = self.costs(chosen, stop - start)
        self._count(NO_POWER, np.isnan(costs["energy"]))
        costs["design"] = np.arange(start, stop)
        choices: dict[str, Any] = {
            axis.name: ChoiceColumn(axis.labels, chosen[axis.name])
            if axis.span is None
            else chosen[axis.name]
            for axis in self._grid.axes
        }
        return SweepTable(choices, costs)

    def kept(self, table: SweepTable) -> SweepTable:
        """The designs of a table that the space does not leave out."""
        space = self._grid.space
        if space.fits:
            table = table.take(table["fits"])
        for name, most in space.limits.items():
            within = table[name] <= most
            if name in BOUNDED and space.on_unpriced == "error":
                is_whole = table["coverage"] == 1.0
                self._count(UNKNOWN_LIMIT, within & ~is_whole)
                within &= is_whole
            table = table.take(within)
        if space.where is not None:
            table = table.take(_kept(space.where(table), len(table)))
        return table

    def _count(self, said: str, designs: Array) -> None:
        """Count the designs of which something is to be said."""
        count = int(designs.sum())
        if count:
            self.ways[said] = self.ways.get(said, 0) + count

    def costs(self, chosen: Mapping[str, Array], count: int) -> dict[str, Array]:
        """The costs of some designs, in columns of shape `(designs,)`."""
        found = {name: np.empty(count) for name in COSTS}
        found["fits"] = np.empty(count, dtype=bool)
        for name in self._layers:
            found |= {f"{what}.{name}": np.empty(count) for what in ("energy", "latency")}
        for start in range(0, count, _PIECE):
            piece = slice(start, min(start + _PIECE, count))
            own = {name: one[piece] for name, one in chosen.items()}
            self._cost(own, {name: one[piece] for name, one in found.items()})
        return found

    def grouped(self) -> GroupedCosts | None:
        """The tables of groups, where formats alone are chosen and each group has a price alone."""
        return None if self._others or self._linear else self._costing({}).grouped

    def _cost(self, chosen: Mapping[str, Array], found: Mapping[str, Array]) -> None:
        """Write the costs of a few designs into columns."""
        count = len(found["energy"])
        for part in self.parts(chosen, count):
            size = len(part.rows)
            costs = part.costing.costs(part.chosen, part.figures, size)
            self.ways[part.costing.way] = self.ways.get(part.costing.way, 0) + size
            for name, column in costs.items():
                found[name][slice(None) if size == count else part.rows] = column

    def parts(self, chosen: Mapping[str, Array], count: int) -> Iterator[DesignsOfOneBlock]:
        """The designs of each network on one device under the same conditions."""
        for values, rows in self._by_block(chosen, count):
            costing = self._costing(values)
            own = {name: one[rows] for name, one in chosen.items()} if values else chosen
            figures = [_figures(axis, own[axis.name]) for axis in costing.linear]
            yield DesignsOfOneBlock(rows, costing, own, figures)

    def _by_block(
        self, chosen: Mapping[str, Array], count: int
    ) -> list[tuple[dict[str, Any], Array]]:
        """The designs by their choices on all axes but those of formats."""
        every = np.arange(count)
        if not self._others:
            return [({}, every)] if count else []
        place = np.zeros(count, dtype=np.int64)
        for axis in self._others:
            _, codes = np.unique(chosen[axis.name], return_inverse=True)
            place = place * (int(codes.max(initial=0)) + 1) + codes
            _, place = np.unique(place, return_inverse=True)
        order = np.argsort(place, kind="stable")
        edges = np.flatnonzero(np.diff(place[order])) + 1
        groups = np.split(order, edges) if count else []
        return [
            (
                {
                    axis.name: float(chosen[axis.name][rows[0]])
                    if axis.span is not None
                    else axis.values[chosen[axis.name][rows[0]]]
                    for axis in self._others
                },
                rows,
            )
            for rows in groups
        ]

    def _costing(self, chosen: dict[str, Any]) -> Costing:
        """How to cost the designs with these choices on all axes but those of formats."""
        grid = self._grid
        device = chosen.get("device", grid.devices[0])
        mine = {
            axis.name: chosen[axis.name]
            for axis in self._others
            if axis.family != "parameters" or axis.device == device.name
        }
        key = tuple(
            [(name, repr(one) if name != "device" else one.name) for name, one in mine.items()]
        )
        if key not in self._blocks:
            if len(self._blocks) >= _KEPT:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[key] = self._made(mine)
        return self._blocks[key]

    def _made(self, chosen: dict[str, Any]) -> Costing:
        grid = self._grid
        scenario, device = grid.scenario(chosen), grid.device(chosen)
        source = grid.network(chosen)
        key = id(source), repr(scenario), device.examples_of(scenario)
        if key not in self._lowered:
            if len(self._lowered) >= _KEPT:
                del self._lowered[next(iter(self._lowered))]
            self._lowered[key] = _Lowered(
                grid, source, scenario, device.examples_of(scenario), self._formats
            )
        own = [axis for axis in self._linear if axis.device == device.name]
        return Costing(self._lowered[key], device, own, self._layers)


def _check_limits(grid: Grid) -> None:
    """Check that some device models what is limited; designs of others are left out.

    Raises:
        CostModelError: none does.

    """
    models = {
        "latency": lambda device: "timed" in device.capabilities,
        "area": lambda device: device.area_square_metres is not None,
    }
    for name in grid.space.limits.keys() & models.keys():
        if not any(map(models[name], grid.devices)):
            message = f"limits: {name} is not known of these designs: no device has a model of it"
            raise CostModelError(message)


def _kept(answer: Any, count: int) -> Array:
    mask = np.asarray(answer)
    if mask.shape != (count,) or mask.dtype != bool:
        message = (
            f"where: expected an array of {count:,} truth values, found {mask.dtype} of shape "
            f"{mask.shape}"
        )
        raise CostModelError(message)
    return mask


def _figures(axis: Axis, chosen: Array) -> Array:
    """The values of a linear figure."""
    if axis.span is not None:
        return chosen
    return np.array(axis.labels, dtype=float).take(chosen)


class _Lowered:
    """A network under some conditions, lowered once for all formats of the axes."""

    def __init__(
        self, grid: Grid, source: Network, scenario: Scenario, examples: int, axes: Sequence[Axis]
    ) -> None:
        """Lower it with markers in place of formats, unless it has loops or branches."""
        self.rules = Convention()
        self.grid, self.scenario, self.examples = grid, scenario, examples
        scenario.check_rates(layer.name for layer in source.layers)
        self.network = bound_network(source, scenario, self.rules)
        self.conditions = timing.of_one_pricing(scenario, self.rules)
        self.axes = axes
        self.layers = len(self.rules.work_by_layer(self.network, scenario))
        self.markers: dict[NumericFormat, tuple[str, tuple[NumericFormat, ...]]] = {
            FixedPoint(_MARKED - place): (axis.name, axis.values) for place, axis in enumerate(axes)
        }
        plain = self.rules.lower(self.network, scenario, examples)
        self.marked: Workload | None = None
        if not has_bodies(plain):
            marked = {name: marker for marker, (name, _) in self.markers.items()}
            network = self._declaring(marked)
            self.marked = self.rules.lower_as_declared(network, scenario, examples)

    def _declaring(self, chosen: Mapping[str, NumericFormat]) -> Network:
        formats = self.grid.formats_of(self.network, self.scenario, chosen)
        return layer_formats.declaring(self.network, *formats)

    def workload(self, chosen: Mapping[str, NumericFormat]) -> Workload:
        """The workload with the formats of each axis by its name."""
        if self.marked is None:
            return self.rules.lower(self._declaring(chosen), self.scenario, self.examples)
        formats: Formats = {marker: chosen[name] for marker, (name, _) in self.markers.items()}
        return with_formats(self.marked, formats, self.scenario.default_format)


class Costing:
    """The costs of designs that differ in formats, and in figures that energy is linear in."""

    def __init__(
        self, lowered: _Lowered, device: Device, linear: Sequence[Axis], layers: tuple[str, ...]
    ) -> None:
        """Take the device with all other figures; `linear` are the axes of those."""
        self._lowered, self.device, self.linear = lowered, device, linear
        self._layers = layers
        self._known: dict[_Key, list[float]] = {}
        self.grouped = self._tabled()
        self.way = ONE_BY_ONE if self.grouped is None else TABLED

    def _tabled(self) -> GroupedCosts | None:
        """Tables of groups, where the device has groups that can be priced alone."""
        lowered, device = self._lowered, self.device
        if lowered.marked is None:
            return None
        block = Block(
            device, lowered.marked, self.conditions, lowered.layers, lowered.markers,
            tuple([axis.target[0] for axis in self.linear]), self._layers,
        )  # fmt: skip
        return GroupedCosts(block) if can_be_tabled(block) else None

    @property
    def conditions(self) -> Scenario:
        """The scenario that operators are priced under: what the workload holds is 1 in it."""
        conditions = self._lowered.conditions
        if conditions.time_axis is not None:
            conditions = evolve(conditions, timesteps=1, time_axis=None)
        if self.device.uses_memories and conditions.batch > 1:
            conditions = evolve(conditions, batch=1)
        return conditions

    def on(self, device: Device) -> Costing:
        """The same on a device that has other figures."""
        return Costing(self._lowered, device, self.linear, self._layers)

    def calls(
        self, chosen: Mapping[str, Array], figures: Sequence[Array], count: int
    ) -> tuple[Array, list[Seconds]]:
        """What a call adds to the time of all groups, and which of these times each design has."""
        if self.grouped is not None:
            place, numbers = self.grouped.call_formats(chosen, count)
        else:
            keys, place = self._keys(chosen, figures, count)
            numbers = [call_format(one.workload, one.scenario) for one in self._evaluated(keys)]
        return place, [overhead(self.device, self.conditions, number) for number in numbers]

    def group_costs(
        self, chosen: Mapping[str, Array], figures: Sequence[Array], count: int
    ) -> Iterator[tuple[Array, list[list[Cost]]]]:
        """Costs of groups that add up to those of designs, and which each design has.

        Each pair is for some of the groups: the lists of their costs that occur, and the place of
        that of each design among these, shape `(designs,)`.
        """
        if self.grouped is not None:
            yield from self.grouped.group_costs(chosen, count)
            return
        keys, inverse = self._keys(chosen, figures, count)
        yield inverse, [[each.cost for each in one.groups] for one in self._evaluated(keys)]

    def costs(
        self, chosen: Mapping[str, Array], figures: Sequence[Array], count: int
    ) -> dict[str, Array]:
        """The costs of many designs: columns of shape `(designs,)`, or `(1,)` if all are equal."""
        if self.grouped is not None:
            return self.grouped.costs(chosen, figures, count)
        return self._one_by_one(chosen, figures, count)

    def _one_by_one(
        self, chosen: Mapping[str, Array], figures: Sequence[Array], count: int
    ) -> dict[str, Array]:
        """Each combination of formats once; a figure that energy is linear in is asked for each."""
        keys, inverse = self._keys(chosen, figures, count)
        costs = np.array(self._several(keys))[inverse]
        made = {name: costs[:, place] for place, name in enumerate(COSTS)}
        made["fits"] = costs[:, len(COSTS)] > 0
        for place, name in enumerate(self._layers):
            first = len(COSTS) + 1 + 2 * place
            made |= {f"energy.{name}": costs[:, first], f"latency.{name}": costs[:, first + 1]}
        return made

    def _keys(
        self, chosen: Mapping[str, Array], figures: Sequence[Array], count: int
    ) -> tuple[list[_Key], Array]:
        """The combinations of figures and formats that occur, and which of them each design has."""
        names = [axis.name for axis in self._lowered.axes]
        columns = [*figures, *[chosen[name].astype(float) for name in names]]
        keys, inverse = _unique_rows(columns, count)
        return list(map(tuple, keys.tolist())), inverse

    def _several(self, keys: Sequence[_Key]) -> list[list[float]]:
        """What `costs_of` says of each combination, and its costs by layer."""
        new = [key for key in keys if key not in self._known]
        found = dict(zip(new, map(self._columns, self._evaluated(new)), strict=True))
        costs = [found.get(key) or self._known[key] for key in keys]
        if len(self._known) + len(found) > _KNOWN:
            self._known.clear()
        self._known |= found
        return costs

    def _columns(self, found: DeviceEstimate) -> list[float]:
        return [*costs_of(found, self._lowered.layers), *_costs_by_layer(found, self._layers)]

    def _evaluated(self, keys: Iterable[_Key]) -> Iterator[DeviceEstimate]:
        """The estimate of each combination; the device is asked for those of equal figures at once.

        Raises:
            PluginError: it gives fewer or more.

        """
        lowered, count = self._lowered, len(self.linear)
        for figures, group in groupby(keys, key=lambda key: key[:count]):
            own = [key[count:] for key in group]
            device = self._with(figures)
            found = device.evaluate_batch(map(self._workload, own), lowered.conditions)
            number = 0
            for number, one in enumerate(found, 1):  # noqa: B007  # the last is their number
                yield one
            if number != len(own):
                message = (
                    f"device class {type(device).__name__!r}, evaluate_batch: expected an estimate "
                    f"for each of {len(own)} workloads, found {number}"
                )
                raise PluginError(message)

    def _with(self, figures: Sequence[float]) -> Device:
        """The device with values of the figures that energy is linear in."""
        device = self.device
        for axis, figure in zip(self.linear, figures, strict=True):
            unit = device.parameters[axis.target[0]].unit
            device = device.with_parameters(**{axis.target[0]: f"{figure!r} {unit}".strip()})
        return device

    def _workload(self, codes: Sequence[float]) -> Workload:
        """The workload with the formats at these places of the axes."""
        pairs = zip(self._lowered.axes, codes, strict=True)
        return self._lowered.workload({axis.name: axis.values[int(at)] for axis, at in pairs})


class DesignsOfOneBlock(NamedTuple):
    """Some designs that differ in formats, and in figures that energy is linear in, alone."""

    rows: Array
    """Their places among all, shape `(designs,)`."""
    costing: Costing
    chosen: Mapping[str, Array]
    """The choice of each by axis."""
    figures: Sequence[Array]
    """The value of each figure that energy is linear in, by the axes `costing.linear`."""


_KNOWN: Final = 2**16
"""Designs of a block that are kept, where they are evaluated one by one."""


def _unique_rows(columns: Sequence[Array], count: int) -> tuple[Array, Array]:
    """The different rows of several columns, and which of them each row is."""
    if not columns:
        return np.zeros((1, 0)), np.zeros(count, dtype=np.intp)
    rows, inverse = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return rows, inverse.reshape(-1)


def _costs_by_layer(found: DeviceEstimate, layers: Sequence[str]) -> list[float]:
    """Energy and time of each layer, one after the other; no energy where all is a power."""
    is_power = found.is_timed and not any(each.cost.charges for each in found.groups)
    energies = dict.fromkeys(layers, math.nan if is_power else 0.0)
    seconds = dict.fromkeys(layers, 0.0)
    for each in found.groups:
        for step, energy in zip(each.group.members, member_energies(each), strict=True):
            if step.layer in energies:
                energies[step.layer] += energy
        if each.group.anchor.layer in seconds:
            seconds[each.group.anchor.layer] += each.cost.latency_seconds or 0.0
    return [one for name in layers for one in (energies[name], seconds[name])]


def costs_of(found: DeviceEstimate, layers: int) -> list[float]:
    """The columns of `COSTS` of one estimate, and whether it fits."""
    peaks = found.peak_bytes
    missing = {
        step.layer
        for each in found.groups
        for step, items in zip(each.group.members, each.items, strict=True)
        if any(isinstance(one.outcome, Unpriced) for one in items)
    }
    latency, area = found.latency_seconds, found.area_square_metres
    is_power_unknown = found.device.has_static_charges and math.isnan(static_watts(found.device))
    return [
        math.nan if is_power_unknown else found.energy_joules,
        math.nan if latency is None else latency,
        float(sum(peaks.values()) if peaks else found.weight_bytes),
        float(found.weight_bytes),
        math.nan if area is None else area,
        (layers - len(missing)) / layers,
        float(found.fits is not False),
    ]
