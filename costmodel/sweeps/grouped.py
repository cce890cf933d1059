"""Costs by group: one workload on one device, tabled by the formats that each group depends on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from attrs import evolve, frozen

from costmodel.devices.activity import resolved
from costmodel.devices.cost import Cost, Seconds
from costmodel.devices.evaluation.apart import apart
from costmodel.devices.evaluation.computing import call_format
from costmodel.devices.evaluation.evaluator import evaluated
from costmodel.devices.evaluation.memory import BYTE, is_placement_fixed
from costmodel.devices.evaluation.schedule import Schedule
from costmodel.errors import PluginError
from costmodel.formats import FixedPoint
from costmodel.sweeps.lookup import Bundle, FormatColumn
from costmodel.tensor.shapes import Tensor
from costmodel.workload.format_inference import followed, inferred, with_declared
from costmodel.workload.graph import Branch, Loop, Node, Step, View, Workload
from costmodel.workload.operators import Contraction, Operator
from costmodel.workload.reasons import Unpriced

if TYPE_CHECKING:
    from costmodel.devices import Device, GroupCost
    from costmodel.devices.evaluation.fusion import Group
    from costmodel.devices.evaluation.memory import Memory, Placement
    from costmodel.formats import NumericFormat
    from costmodel.scenario import Scenario

Array: TypeAlias = "np.ndarray[Any, Any]"
Formats: TypeAlias = "Mapping[NumericFormat | None, NumericFormat | None]"
"""The format of each marker."""

ENERGY, LATENCY, CALL, WEIGHTS, TIMED, CHARGED = range(6)
"""Values of an entry: joules, seconds, those of each call, bits of weights, groups with a time,
groups with charges of their own."""
_FIRST_COUNT: Final = 6
"""Behind them, the counts of what parameters are the price of."""


def with_formats(
    workload: Workload,
    formats: Formats,
    default: NumericFormat,
    given: Mapping[str, NumericFormat | None] | None = None,
) -> Workload:
    """The workload with these formats in place of markers, and those that follow from them.

    `given` are formats of tensors by name.
    """
    tensors, steps = _unmarked(workload, formats)
    for name, number in (given or {}).items():
        tensors[name] = Tensor(tensors[name].shape, number)
    sources = workload.inputs, workload.weights
    tensors, steps = inferred(tensors, steps, *sources, default)
    return Workload(workload.name, tensors, steps, sources[0], workload.outputs, sources[1])


def _stated(workload: Workload, default: NumericFormat) -> Workload:
    """The workload with the default format stated, as it is where anything declares a format."""
    tensors = {
        name: Tensor(tensor.shape, tensor.format or default)
        for name, tensor in workload.tensors.items()
    }
    tensors, steps = with_declared(tensors, workload.steps)
    return evolve(workload, tensors=tensors, steps=steps)


def _unmarked(workload: Workload, formats: Formats) -> tuple[dict[str, Tensor], list[Step]]:
    tensors = {name: _tensor(tensor, formats) for name, tensor in workload.tensors.items()}
    # Operators take the formats of their tensors.
    return tensors, [_unmarked_step(step, formats) for step in workload.steps]


def _unmarked_step(step: Step, formats: Formats) -> Step:
    match step:
        case Node(operator=Contraction(accumulator=FixedPoint() as sums) as operator):
            kept = evolve(operator, accumulator=formats.get(sums, sums))
            return evolve(step, operator=kept)
    return step


def _accumulator(operator: Operator) -> NumericFormat | None:
    """The format of the sums of an operator, if it declares one."""
    return operator.accumulator if isinstance(operator, Contraction) else None


def _tensor(tensor: Tensor, formats: Formats) -> Tensor:
    if tensor.format not in formats:
        return tensor
    return Tensor(tensor.shape, formats[tensor.format])


def markers_of(workload: Workload) -> frozenset[NumericFormat]:
    """All formats that tensors and sums of a workload have."""
    formats = {tensor.format for tensor in workload.tensors.values()}
    formats.update([_accumulator(node.operator) for node, _ in workload.nodes])
    return frozenset([one for one in formats if one is not None])


@frozen
class Block:
    """One workload on one device under one scenario, in which formats alone differ.

    `workload` has the formats that are declared; those of `axes` stand as markers in it. `scenario`
    is that of its evaluation, `layers` how many the network has.
    `linear` are the parameters of the device whose values differ, and energy is linear in.
    """

    device: Device
    workload: Workload
    scenario: Scenario
    layers: int
    axes: Mapping[NumericFormat, tuple[str, tuple[NumericFormat, ...]]]
    """By the marker, the name of the axis and its formats."""
    linear: tuple[str, ...] = ()
    by_layer: tuple[str, ...] = ()
    """The layers whose costs are asked for, each by itself."""

    @property
    def default(self) -> NumericFormat:
        """The format of what declares none."""
        return self.scenario.default_format

    def first(self) -> Workload:
        """The workload of the first format of each axis."""
        return with_formats(self.workload, self._first_formats, self.default)

    def first_declared(self) -> Workload:
        """The same with the formats that are declared alone."""
        whole = self.workload
        tensors, steps = with_declared(*_unmarked(whole, self._first_formats))
        return evolve(whole, tensors=tensors, steps=steps)

    @property
    def _first_formats(self) -> Formats:
        return {marker: formats[0] for marker, (_, formats) in self.axes.items()}


def can_be_tabled(block: Block) -> bool:
    """Whether the groups of a block can be priced one by one, each once for the formats it needs.

    The device has to declare `separable` and, where it has memories, to have one for each role and
    to price operators whole.
    """
    device = block.device
    if "separable" not in device.capabilities:
        return False
    if not device.uses_memories:
        return True
    nodes = [node for node, _ in block.first().nodes]
    return is_placement_fixed(device.memories) and all(_is_whole(node, block) for node in nodes)


def _is_whole(node: Node, block: Block) -> bool:
    parts = block.device.parts(node.operator, block.scenario)
    return len(parts) == 1 and parts[0] is node.operator


def has_bodies(workload: Workload) -> bool:
    """Whether it has loops or branches, whose workloads within no table of formats covers."""
    return any(isinstance(step, Loop | Branch) for step in workload)


@frozen(slots=False)
class _Part:
    """A group of a block: its workload apart, with markers, and what its cost depends on."""

    group: Group
    workload: Workload
    follows: tuple[str, ...]
    """The tensors that arrive in formats that follow from others."""
    gives: tuple[str, ...]
    """The tensors that it gives in formats that follow, which others depend on."""
    keys: tuple[int, ...]
    form: object
    """Groups of equal form have the same entries."""
    order: tuple[int, ...]
    """The columns that it depends on, in the order that is the same for all of its form."""


class GroupedCosts:
    """The costs of the designs of a block, group by group."""

    def __init__(self, block: Block) -> None:
        """Find what each group depends on."""
        self._block = block
        device, workload = block.device, block.workload
        self._first = block.first()
        self._scenario = resolved(self._first, block.scenario)
        self._groups = device.fuse(workload, block.scenario)
        self._columns: list[FormatColumn] = []
        self._of_marker: dict[NumericFormat, int] = {}
        for marker, (name, formats) in block.axes.items():
            self._of_marker[marker] = len(self._columns)
            self._columns.append(FormatColumn(name, list(dict.fromkeys(formats))))
        self._of_tensor: dict[str, int] = {}
        """The columns of formats that follow, by the tensor."""
        self._parts = self._found()
        self._known: dict[object, Any] = {}
        self._first_layer = _FIRST_COUNT + len(block.linear)
        self._layers = {name: place for place, name in enumerate(block.by_layer)}
        self._width = self._first_layer + 2 * len(self._layers)
        self._bundles = self._bundled()
        self._constant = np.array(self._constants())
        self._lives = self._placed() if device.memories else ()

    # ---------------------------------------------------------- what depends on what

    def _found(self) -> list[_Part]:
        block = self._block
        apart_ones = apart(block.workload, self._groups)
        follow = followed(block.first_declared(), block.default)
        tensors = block.workload.tensors
        follow = frozenset([name for name in follow if tensors[name].format is None])
        needed = self._needed(apart_ones, follow)
        there = {*block.workload.inputs, *block.workload.weights}
        parts = []
        for group, one in zip(self._groups, apart_ones, strict=True):
            arriving = [name for name in (*one.inputs, *one.weights) if name in follow]
            gives = tuple([name for name in one.outputs if name in needed])
            marked = markers_of(one) & self._of_marker.keys()
            keys = {self._of_marker[marker] for marker in marked}
            for name in arriving:
                if name in self._of_tensor:
                    keys.add(self._of_tensor[name])
                elif name not in there:
                    message = f"{group.name!r} runs before what makes {name!r}"
                    raise PluginError(message)
            if not gives and not block.device.depends_on(group):
                keys = set()
            there.update(one.outputs)
            for name in gives:
                if keys:
                    self._of_tensor[name] = len(self._columns)
                    self._columns.append(FormatColumn(name, [], is_open=True))
            made = tuple([name for name in gives if name in self._of_tensor])
            form, order = self._form(one, keys, arriving, made)
            parts.append(_Part(group, one, tuple(arriving), made, tuple(sorted(keys)), form, order))
        return parts

    def _form(
        self, workload: Workload, keys: set[int], follows: Sequence[str], gives: Sequence[str]
    ) -> tuple[object, tuple[int, ...]]:
        """What workloads of groups have in common that cost the same, and their columns in order.

        Operators, which of their tensors are the same, and which formats are of one column.
        """
        numbers: dict[str, int] = {}
        columns: dict[int, int] = {}
        found: list[object] = []

        def numbered(names: Iterable[str]) -> tuple[object, ...]:
            return tuple([numbers.setdefault(name, len(numbers)) for name in names])

        def standing(tensor: Tensor, name: str) -> object:
            column = self._of_marker.get(tensor.format) if tensor.format else None
            column = self._of_tensor.get(name) if column is None else column
            if column is None or column not in keys:
                return self._first.tensors[name].format if name in follows else tensor.format
            return columns.setdefault(column, len(columns))

        for step in workload.steps:
            if isinstance(step, Node):
                plain = [Tensor(one.shape, None) for one in step.operator.operands]
                conditions = self._scenario.of_node(step)
                steps = [one.name for one in workload.steps]
                folds = steps.index(step.folds_into) if step.folds_into in steps else None
                operator = step.operator.with_tensors(plain)
                if isinstance(operator, Contraction) and operator.accumulator in self._of_marker:
                    column = self._of_marker[operator.accumulator]
                    operator = evolve(operator, accumulator=None)
                    if column in keys:
                        found.append(columns.setdefault(column, len(columns)))
                found += [operator, numbered(step.tensors), folds]
                found.append(None if conditions is self._scenario else repr(conditions))
            elif isinstance(step, View):
                found += [step.kind, step.starts, numbered((step.source, step.target))]
            else:  # what is within is not compared
                found.append(id(step))
        found += [numbered(names) for names in (workload.inputs, workload.weights)]
        found += [numbered(workload.outputs), numbered(gives), numbered(follows)]
        found.append(tuple([standing(workload.tensors[name], name) for name in numbers]))
        found.append(tuple([workload.tensors[name].shape for name in numbers]))
        order = tuple(columns)
        rest = tuple(sorted(keys - set(order)))
        return tuple(found), (*order, *rest)

    def _needed(self, apart_ones: Sequence[Workload], follow: frozenset[str]) -> frozenset[str]:
        """The tensors whose formats follow, and which something depends on."""
        needed: set[str] = set()
        if self._block.device.memories:
            needed |= {name for one in apart_ones for name in (*one.inputs, *one.outputs)} & follow
        for group, one in reversed(list(zip(self._groups, apart_ones, strict=True))):
            depends = self._block.device.depends_on(group) or needed & set(one.outputs)
            if depends:
                needed |= {*one.inputs, *one.weights} & follow
        return frozenset(needed)

    def _placed(self) -> tuple[_Lives, ...]:
        block, first = self._block, self._first
        placement = block.device.place(
            first, block.device.fuse(first, block.scenario), block.scenario
        )
        columns = dict(self._of_tensor)
        for name, tensor in block.workload.tensors.items():
            if tensor.format in self._of_marker:
                columns[name] = self._of_marker[tensor.format]
        return tuple(
            [
                _Lives(block, memory, placement, self._columns, columns)
                for memory in placement.memories
            ]
        )

    # ---------------------------------------------------------- entries

    def _bundled(self) -> list[Bundle]:
        """Bundles of groups, in an order in which each has what it depends on.

        Weights are counted with a group that depends on their format, or by themselves.
        """
        members: dict[tuple[int, ...], list[_Part]] = {}
        for part in self._parts:
            if part.keys:
                members.setdefault(part.keys, []).append(part)
        for keys in sorted(members, key=len):
            if all(not part.gives for part in members[keys]):
                larger = next((one for one in members if set(keys) < set(one)), None)
                if larger is not None:
                    members[larger] += members.pop(keys)
        weights = self._weights()
        for column in weights:
            if not any(column in keys for keys in members):
                members[column,] = []
        bundles = []
        for keys, parts in members.items():
            own = {column: weights.pop(column) for column in keys if column in weights}
            results = tuple([self._of_tensor[name] for part in parts for name in part.gives])
            bundles.append(
                Bundle(keys, self._columns, self._asking(keys, parts, own), results, self._width)
            )
        return self._in_order(bundles)

    def _in_order(self, bundles: list[Bundle]) -> list[Bundle]:
        there = set(self._of_marker.values())
        waiting, ordered = list(bundles), []
        while waiting:
            ready = next((one for one in waiting if there.issuperset(one.keys)), None)
            if ready is None:
                message = "groups depend on the formats of each other"
                raise PluginError(message)
            waiting.remove(ready)
            ordered.append(ready)
            there.update(ready.results)
        return ordered

    def _asking(
        self, keys: tuple[int, ...], parts: Sequence[_Part], weights: Mapping[int, Sequence[int]]
    ) -> Any:
        def ask(at: tuple[int, ...]) -> Any:
            formats = dict(zip(keys, at, strict=True))
            values = [0.0] * self._width
            codes: list[int] = []
            unpriced: set[str] = set()
            for column, sizes in weights.items():
                number = self._columns[column].formats[formats[column]] or self._block.default
                values[WEIGHTS] += sum(map(number.stored_bits, sizes))
            for part in parts:
                found, given, missing = self._entry(part, formats)
                values = _together(values, found)
                pairs = zip(part.gives, given, strict=True)
                codes += [self._columns[self._of_tensor[name]].code(one) for name, one in pairs]
                unpriced |= missing
            return values, codes, frozenset(unpriced)

        return ask

    def _entry(self, part: _Part, codes: Mapping[int, int]) -> _Found:
        """What a group costs with the formats at these places of its columns.

        Beside it the formats of what it gives, and which of its steps have no price.
        """
        values, given, missing, energies, number, _ = self._answer(part, codes)
        if self._layers:
            values = [*values, *self._layer_values(part.group, energies, values[LATENCY])]
        if part.group is self._opening:
            values = [*values]
            values[CALL] = self._overhead(number)
        layers = frozenset([part.group.members[place].layer for place in missing])
        return values, given, layers

    def _answer(self, part: _Part, codes: Mapping[int, int]) -> Any:
        """What the device says of a group, which is asked for once."""
        formats = [self._columns[column].formats[codes[column]] for column in part.order]
        key = part.form, tuple(formats)
        if key not in self._known:
            self._known[key] = self._asked(part, dict(zip(part.order, formats, strict=True)))
        return self._known[key]

    def _asked(self, part: _Part, formats: Mapping[int, NumericFormat | None]) -> Any:
        block = self._block
        chosen: Formats = {
            marker: formats[column] if column in formats else self._columns[column].formats[0]
            for marker, column in self._of_marker.items()
        }
        given = {name: self._first.tensors[name].format for name in part.follows}
        for name in part.follows:
            column = self._of_tensor.get(name)
            if column is not None and column in formats:
                given[name] = formats[column]
        workload = with_formats(part.workload, chosen, block.default, given)
        if any(tensor.format is not None for tensor in self._first.tensors.values()):
            workload = _stated(workload, block.default)
        found = evaluated(block.device, workload, self._scenario, is_body=True)
        if [each.group.name for each in found.groups] != [part.group.name]:
            message = (
                f"device class {type(block.device).__name__!r} declares 'separable', and makes "
                f"other groups of {part.group} alone; take it out of its capabilities"
            )
            raise PluginError(message)
        (each,) = found.groups
        missing = [
            place
            for place, items in enumerate(each.items)
            if any(isinstance(one.outcome, Unpriced) for one in items)
        ]
        formats_given = [workload.tensors[name].format for name in part.gives]
        number = call_format(workload, block.scenario)
        values, energies = self._values(each.cost), member_energies(each)
        return values, formats_given, missing, energies, number, each.cost

    def _layer_values(self, group: Group, energies: Sequence[float], seconds: float) -> list[float]:
        """Energy and time of each layer that are due for a group."""
        found = [0.0] * (2 * len(self._layers))
        for step, energy in zip(group.members, energies, strict=True):
            if step.layer in self._layers:
                found[2 * self._layers[step.layer]] += energy
        if group.anchor.layer in self._layers and not math.isnan(seconds):
            found[2 * self._layers[group.anchor.layer] + 1] += seconds
        return found

    def _values(self, cost: Cost) -> list[float]:
        energy, counts = split(cost, self._block.linear)
        seconds = cost.latency_seconds
        if seconds is None:
            seconds = math.nan if cost.charges else 0.0
        is_timed, is_charged = cost.latency_seconds is not None, bool(cost.charges)
        return [energy, seconds, 0.0, 0.0, float(is_timed), float(is_charged), *counts]

    def _weights(self) -> dict[int, list[int]]:
        """The sizes of the weights whose format an axis chooses, by its column."""
        found: dict[int, list[int]] = {}
        for name in self._block.workload.weights:
            tensor = self._block.workload.tensors[name]
            column = self._of_marker.get(tensor.format) if tensor.format else None
            if column is not None:
                found.setdefault(column, []).append(tensor.size)
        return found

    def _constants(self) -> list[float]:
        """What no format of an axis changes."""
        block = self._block
        values = [0.0] * self._width
        missing: set[str] = set()
        for part in self._parts:
            if not part.keys:
                found, _, unpriced = self._entry(part, {})
                values = _together(values, found)
                missing |= unpriced
        for name in block.workload.weights:
            tensor = block.workload.tensors[name]
            if tensor.format not in self._of_marker:
                values[WEIGHTS] += (tensor.format or block.default).stored_bits(tensor.size)
        self._always_unpriced = frozenset(missing)
        if self._opening is None:
            values[CALL] = self._overhead(block.default)
        return values

    # ---------------------------------------------------------- designs

    def costs(
        self, codes: Mapping[str, Array], figures: Sequence[Array | float], count: int
    ) -> dict[str, Array]:
        """The costs of many designs: columns of shape `(designs,)`, or `(1,)` if all are equal.

        `codes` are the places of formats by the name of their axis, `figures` the values of the
        linear parameters. Values are summed in the order of the bundles, one design by itself, so
        that they are the same in any company.
        """
        return self._totals(*self._gathered(codes, count), figures)

    def group_costs(
        self, codes: Mapping[str, Array], count: int
    ) -> Iterator[tuple[Array, list[list[Cost]]]]:
        """The costs of groups that depend on the same formats, for each combination that occurs.

        Beside them, which of these each design has, shape `(designs,)`. A linear parameter has the
        value of the device.
        """
        _, at, _ = self._gathered(codes, count)
        members: dict[tuple[int, ...], list[_Part]] = {}
        for part in self._parts:
            members.setdefault(part.keys, []).append(part)
        for keys, parts in members.items():
            place, found = self._occurring(keys, at, count)
            yield place, [[self._answer(part, one)[-1] for part in parts] for one in found]

    def call_formats(
        self, codes: Mapping[str, Array], count: int
    ) -> tuple[Array, list[NumericFormat]]:
        """The formats that networks are called in, and which of these each design has."""
        opening = next((part for part in self._parts if part.group is self._opening), None)
        if opening is None:
            return np.zeros(count, dtype=np.intp), [self._block.default]
        _, at, _ = self._gathered(codes, count)
        place, found = self._occurring(opening.keys, at, count)
        return place, [self._answer(opening, one)[-2] for one in found]

    def _occurring(
        self, keys: Sequence[int], at: Mapping[int, Array], count: int
    ) -> tuple[Array, list[dict[int, int]]]:
        """The combinations of formats that occur in some columns, and which each design has."""
        place = np.zeros(count, dtype=np.intp)
        for key in keys:
            place = place * len(self._columns[key].formats) + at[key]
            _, place = np.unique(place, return_inverse=True)
        _, first = np.unique(place, return_index=True)
        return place, [{key: int(at[key][design]) for key in keys} for design in first]

    def _gathered(
        self, codes: Mapping[str, Array], count: int
    ) -> tuple[Array, dict[int, Array], dict[str, Array]]:
        """The sums of all entries, the formats in all columns, and which layers lack a price."""
        at = {
            column: codes[name].astype(np.intp, copy=False)
            for (name, _), column in zip(
                self._block.axes.values(), self._of_marker.values(), strict=True
            )
        }
        # Where nothing depends on formats, one row stands for all designs.
        sums = np.empty((count if self._bundles else 1, self._width))
        sums[:] = self._constant
        unpriced: dict[str, Array] = {}
        for bundle in self._bundles:
            place = bundle.places(at)
            sums += bundle.values.take(place, axis=0)
            for column, held in zip(bundle.results, bundle.codes, strict=True):
                at[column] = held.take(place)
            for layer, entries in bundle.unpriced.items():
                there = entries.take(place)
                unpriced[layer] = unpriced[layer] | there if layer in unpriced else there
        return sums, at, unpriced

    def _totals(
        self,
        sums: Array,
        at: Mapping[int, Array],
        unpriced: Mapping[str, Array],
        figures: Sequence[Array | float],
    ) -> dict[str, Array]:
        device = self._block.device
        energy = sums[:, ENERGY]
        for place, figure in enumerate(figures):
            energy = energy + sums[:, _FIRST_COUNT + place] * figure
        makespan = sums[:, LATENCY] + sums[:, CALL]
        if self._watts:
            energy = energy + np.where(np.isnan(makespan), 0.0, makespan) * self._watts
        latency = np.where(sums[:, TIMED] > 0, makespan, np.nan)
        weights = np.ceil(sums[:, WEIGHTS] / BYTE)
        memory, fits = (np.zeros(1) if self._lives else weights), np.ones(1, dtype=bool)
        for lives in self._lives:
            bits = lives.peak_bits(at, sums[:, WEIGHTS])
            memory = memory + np.ceil(bits / BYTE)
            if lives.size is not None:
                fits = fits & (bits <= lives.size.value * BYTE)
        missing = np.array([float(len(self._always_unpriced))])
        for layer, entries in unpriced.items():
            if layer not in self._always_unpriced:
                missing = missing + entries
        area = device.area_square_metres
        by_layer = {
            f"{what}.{name}": sums[:, self._first_layer + 2 * place + offset]
            for name, place in self._layers.items()
            for offset, what in enumerate(("energy", "latency"))
        }
        is_power = (sums[:, TIMED] > 0) & (sums[:, CHARGED] == 0)
        for name in self._layers:
            by_layer[f"energy.{name}"] = np.where(is_power, np.nan, by_layer[f"energy.{name}"])
        return {
            "energy": energy,
            "latency": latency,
            "memory": memory,
            "weights": weights,
            "area": np.array([math.nan if area is None else area]),
            "coverage": (self._block.layers - missing) / self._block.layers,
            "fits": fits,
            **by_layer,
        }

    def scopes(self) -> tuple[list[frozenset[str]], float]:
        """Sets of axes such that each cost is a sum of terms, each of the choices of one set alone.

        Beside them the coverage of a design that leaves no work without a price but for that which
        has none in any design. Formats that follow from others count as those that they follow
        from. All entries are asked for, so that an axis counts where it makes a difference.
        """
        of: dict[int, frozenset[str]] = {}
        met: dict[int, Array] = {}
        """The formats that each column can have."""
        for marker, (name, formats) in self._block.axes.items():
            of[self._of_marker[marker]] = frozenset([name])
            met[self._of_marker[marker]] = np.arange(len(dict.fromkeys(formats)))
        found = []
        never = set(self._always_unpriced)
        for bundle in self._bundles:
            lattice = np.meshgrid(*[met[key] for key in bundle.keys], indexing="ij")
            codes = {key: one.ravel() for key, one in zip(bundle.keys, lattice, strict=True)}
            place = bundle.places(codes).reshape(lattice[0].shape)
            entries = [*bundle.values.T, *bundle.unpriced.values()]
            found.append(_scope(bundle.keys, of, [one.take(place) for one in entries]))
            never |= {name for name, one in bundle.unpriced.items() if one.take(place).all()}
            for column, held in zip(bundle.results, bundle.codes, strict=True):
                results = held.take(place)
                of[column] = _scope(bundle.keys, of, [results])
                met[column] = np.unique(results)
        return found, (self._block.layers - len(never)) / self._block.layers

    @cached_property
    def _opening(self) -> Group | None:
        """The group of the first product, whose format is that of the call."""
        for node, _ in self._block.workload.nodes:
            if node.operator.macs:
                return next(one for one in self._groups if node in one.members)
        return None

    def _overhead(self, number: NumericFormat) -> float:
        return overhead(self._block.device, self._block.scenario, number).value

    @cached_property
    def _watts(self) -> float:
        return static_watts(self._block.device)


def static_watts(device: Device) -> float:
    """The power that a device draws over the makespan; not a number where it is not known."""
    charges = device.static_charges(Schedule((), Seconds(1.0, 1.0, 1.0)))
    return math.nan if isinstance(charges, Unpriced) else Cost(charges).energy_joules


def overhead(device: Device, scenario: Scenario, number: NumericFormat) -> Seconds:
    """What each call in a format adds to the time of all groups."""
    nothing = Schedule((), Seconds(0.0, 0.0, 0.0))
    found = device.per_call(nothing, evolve(scenario, default_format=number)).makespan
    return found or Seconds(0.0, 0.0, 0.0)


def _scope(
    keys: Sequence[int], of: Mapping[int, frozenset[str]], entries: Iterable[Array]
) -> frozenset[str]:
    """What entries with an axis for each key depend on, given what each key does."""
    found: frozenset[str] = frozenset()
    for one in entries:
        for place, key in enumerate(keys):
            first = np.broadcast_to(one.take([0], axis=place), one.shape)
            if not np.array_equal(one, first, equal_nan=True):
                found |= of[key]
    return found


_Found: TypeAlias = "tuple[Sequence[float], Sequence[NumericFormat | None], frozenset[str]]"


def member_energies(each: GroupCost) -> list[float]:
    """The energy of each member of a group; its anchor has that of what the group moves."""
    found = []
    for step, items in zip(each.group.members, each.items, strict=True):
        costs = [one.outcome for one in items if isinstance(one.outcome, Cost)]
        carried = [each.carried] if step is each.group.anchor else []
        found.append(Cost([*costs, *carried]).energy_joules)
    return found


def _together(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [first + second for first, second in zip(one, other, strict=True)]


def split(cost: Cost, linear: Sequence[str]) -> tuple[float, list[float]]:
    """The energy of a cost without some parameters, and the count of what each is the price of."""
    if not linear:
        return cost.energy_joules, []
    counts = dict.fromkeys(linear, 0.0)
    energies = []
    for charge in cost.charges:
        for parameter, weight in charge.unit_cost.parts:
            if parameter.name in counts:
                counts[parameter.name] += charge.count * weight
            else:
                energies.append(charge.count * weight * parameter.value)
    return math.fsum(energies), list(counts.values())


_Moment: TypeAlias = tuple[list[int], float, list[int]]
"""What begins to lie in a memory, the most that does whatever the formats, and what ends."""


def _moments(
    starts: Mapping[int, list[int]], fixed: Sequence[float], ends: Mapping[int, list[int]]
) -> list[_Moment]:
    """What begins and ends with each group; groups in which nothing does are taken together."""
    found: list[_Moment] = []
    for place, most in enumerate(fixed):
        begins, done = starts.get(place, []), ends.get(place, [])
        if found and not begins and not found[-1][2]:
            before = found[-1]
            found[-1] = before[0], max(before[1], most), done
        else:
            found.append((begins, most, done))
    return found


class _Lives:
    """What lies in a memory of a device while each group runs."""

    def __init__(
        self,
        block: Block,
        memory: Memory,
        placement: Placement,
        columns: Sequence[FormatColumn],
        column_of: Mapping[str, int],
    ) -> None:
        tensors, default = block.workload.tensors, block.default
        self.size = memory.size
        self._has_weights = "weight" in memory.holds
        groups = placement.groups
        placed = [one for one in placement.residences if one.memory == memory.name]
        resident = {one.tensor for one in placed}
        weights = set(block.workload.weights)
        self._unread = [
            (column_of.get(name), tensors[name].size, tensors[name].format)
            for name in block.workload.weights
            if name not in resident
        ]
        """The weights that nothing reads, as of a folded normalization, which lie nowhere: their
        column, if they have one, their size and their format."""
        fixed = [0.0] * groups
        self._columns = columns
        self._sizes: list[tuple[int, int]] = []
        starts: dict[int, list[int]] = {}
        ends: dict[int, list[int]] = {}
        for one in placed:
            if one.tensor in weights:
                continue
            column = column_of.get(one.tensor)
            size = tensors[one.tensor].size
            if column is None:
                for place in range(one.first, one.last + 1):
                    fixed[place] += one.bits
            else:
                number = len(self._sizes)
                self._sizes.append((column, size))
                starts.setdefault(one.first, []).append(number)
                ends.setdefault(one.last, []).append(number)
        self._default = default
        self._moments = _moments(starts, fixed, ends)

    def peak_bits(self, at: Mapping[int, Array], weights: Array) -> Array:
        """The most that lies there at any time, shape `(designs,)`."""
        held: dict[int, Array] = {}
        now: Array | float = 0.0
        peak: Array | float = 0.0
        for begins, fixed, done in self._moments:
            for number in begins:
                column, size = self._sizes[number]
                held[number] = self._bits(column, size).take(at[column])
                now = now + held[number]
            peak = np.maximum(peak, now + fixed)
            for number in done:
                now = now - held.pop(number)
        if not self._has_weights:
            return np.zeros(1) + peak
        lying = weights
        for own, elements, declared in self._unread:
            if own is None:
                lying = lying - (declared or self._default).stored_bits(elements)
            else:
                lying = lying - self._bits(own, elements).take(at[own])
        return lying + peak

    def _bits(self, column: int, size: int) -> Array:
        """The bits of so many elements in each format of a column."""
        formats = self._columns[column].formats
        return np.array([float((one or self._default).stored_bits(size)) for one in formats])
