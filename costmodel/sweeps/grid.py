"""Grids: the axes of a design space for one network, and the design at any place of them."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen

from costmodel import registry as registrys
from costmodel.conventions.convention import Convention
from costmodel.devices import Device
from costmodel.errors import CostModelError, UnitError, UnknownNameError, listed
from costmodel.estimates.estimate import bound_network, estimate, named_apart
from costmodel.formats import NumericFormat, format_name, parse_format
from costmodel.network import layer_formats
from costmodel.network.blocks import meant, path_of
from costmodel.network.graph import Network
from costmodel.network.layer import Source
from costmodel.scenario import Scenario
from costmodel.sweeps.space import CONDITIONS, FORMATS, RATES, DesignSpace, Range
from costmodel.sweeps.table import COSTS
from costmodel.units import format_quantity

if TYPE_CHECKING:
    from costmodel.estimates.estimate import Estimate
    from costmodel.registry import Registry

_WILD: Final = "*?["
_COLUMNS: Final = frozenset({*COSTS, "fits", "design", "kept", "device"})
_ENERGIES: Final = ("J", "J/OP", "J/B", "J/bit")
_MOST_NETWORKS: Final = 1000
"""So many networks of a function are made to find their layers."""


@frozen
class Axis:
    """Something that may be chosen.

    `values` are the choices and `labels` what tables show of them. `target` is what they are for:
    layers, a parameter of a device, an argument. An axis with a `span` has any value in it, in SI
    units.
    """

    name: str
    family: str
    values: tuple[Any, ...] = field(repr=False)
    labels: tuple[Any, ...]
    target: tuple[str, ...] = ()
    device: str = ""
    """The name of the device that it changes, where it changes one."""
    unit: str = ""
    """The SI unit of its numbers."""
    is_linear: bool = False
    """Whether energy is linear in it, and nothing else depends on it."""
    span: tuple[float, float] | None = None
    is_log: bool = False

    def place(self, choice: Any) -> int:
        """The place of a choice, or of what tables show of it.

        Raises:
            UnknownNameError: it is not among them.

        """
        for place, (value, label) in enumerate(zip(self.values, self.labels, strict=True)):
            if choice is value or choice == label or str(choice) == str(label):
                return place
        raise UnknownNameError(str(choice), map(str, self.labels), f"choice of axis {self.name!r}")

    def __str__(self) -> str:
        if self.span is not None:
            low, high = [format_quantity(end, self.unit) for end in self.span]
            return f"{self.name}: any from {low} to {high}"
        shown = [
            format_quantity(one, self.unit) if isinstance(one, float) else str(one)
            for one in self.labels
        ]
        return f"{self.name}: {', '.join(shown)}"


@frozen
class Design:
    """One design: a network with its formats, a device with its figures, and the conditions."""

    network: Network
    device: Device
    scenario: Scenario

    def estimate(self, **options: Any) -> Estimate:
        """What it costs, in full: what `costmodel.estimate` says of it."""
        return estimate(self.network, self.device, scenario=self.scenario, **options)


@frozen(slots=False)
class Grid:
    """The axes of a space for a network; the last axis changes first."""

    space: DesignSpace
    devices: tuple[Device, ...]
    axes: tuple[Axis, ...]
    source: Network | None
    registry: Registry | None = field(default=None, repr=False)
    """What reads the networks of a function; by default that of the running environment."""
    _networks: dict[tuple[Any, ...], Network] = field(factory=dict, init=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the registry, and networks made so far: another process makes them."""
        return {**vars(self), "registry": None, "_networks": {}}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    @property
    def size(self) -> int | None:
        """How many designs there are; None where an axis has any value of a range."""
        if any(axis.span is not None for axis in self.axes):
            return None
        return math.prod(len(axis.values) for axis in self.axes)

    def axis(self, name: str) -> Axis:
        """The axis of a name.

        Raises:
            UnknownNameError: there is none.

        """
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise UnknownNameError(name, [axis.name for axis in self.axes], "axis")

    # -------------------------------------------------------------- one design

    def design(self, choices: Mapping[str, Any]) -> Design:
        """The design of a choice for each axis: a row of a table, other columns left aside.

        An axis without a choice has its first.

        Raises:
            UnknownNameError: a choice that an axis does not have.

        """
        chosen = {axis.name: self._chosen(axis, choices) for axis in self.axes}
        scenario, device = self.scenario(chosen), self.device(chosen)
        network = bound_network(self.network(chosen), scenario, Convention())
        formats = self.formats_of(
            network, scenario,
            {axis.name: chosen[axis.name] for axis in self.axes if axis.family in FORMATS},
        )  # fmt: skip
        made = layer_formats.declaring(network, *formats)
        return Design(made, device, evolve(scenario, formats={}, weights={}, input_shapes={}))

    @staticmethod
    def _chosen(axis: Axis, choices: Mapping[str, Any]) -> Any:
        if axis.span is not None:
            return float(choices.get(axis.name, axis.span[0]))
        given = choices.get(axis.name, axis.values[0])
        return axis.values[axis.place(given)]

    def network(self, chosen: Mapping[str, Any]) -> Network:
        """The network of some arguments, as it is read."""
        if self.source is not None:
            return self.source
        names = [axis for axis in self.axes if axis.family == "arguments"]
        given = {name: one[0] for name, one in self.space.arguments.items() if len(one) == 1}
        given |= {axis.target[0]: chosen[axis.name] for axis in names}
        key = tuple(map(repr, given.values()))
        if key not in self._networks:
            made = self.space.network(**given)  # type: ignore[misc]  # there is one without a source
            reading = self.registry or registrys.installed()
            read = made if isinstance(made, Network) else reading.read(made, {})
            self._networks[key] = read
        return self._networks[key]

    def networks(self) -> Iterator[Network]:
        """The networks of all arguments, or the one of the source.

        Raises:
            CostModelError: there are more than can be made.

        """
        axes = [axis for axis in self.axes if axis.family == "arguments"]
        if math.prod(len(axis.values) for axis in axes) > _MOST_NETWORKS:
            message = f"the arguments make more than {_MOST_NETWORKS:,} networks; give fewer values"
            raise CostModelError(message)
        for values in product(*[axis.values for axis in axes]):
            yield self.network(dict(zip([axis.name for axis in axes], values, strict=True)))

    def scenario(self, chosen: Mapping[str, Any]) -> Scenario:
        """The conditions."""
        space = self.space
        changes: dict[str, Any] = {}
        for family in CONDITIONS:
            given: tuple[Any, ...] | None = getattr(space, family)
            if given:
                changes[family] = chosen.get(family, given[0])
        for family in (*RATES, "input_shapes"):
            named: Mapping[str, tuple[Any, ...]] = getattr(space, family)
            values = {
                name: chosen.get(f"{family}.{name}" if name else family, one[0])
                for name, one in named.items()
            }
            if values:
                changes[family] = values.get("", values)
        return evolve(space.scenario, **changes) if changes else space.scenario

    def device(self, chosen: Mapping[str, Any]) -> Device:
        """The device with its figures, but for those that energy is linear in unless chosen."""
        device: Device = chosen.get("device", self.devices[0])
        figures: dict[str, Any] = {}
        for axis in self.axes:
            if axis.family == "parameters" and axis.device == device.name and axis.name in chosen:
                figures[axis.target[0]] = _with_unit(chosen[axis.name], axis, device)
        return device.with_parameters(**figures) if figures else device

    def formats_of(
        self, network: Network, scenario: Scenario, chosen: Mapping[str, NumericFormat]
    ) -> tuple[dict[str, NumericFormat], ...]:
        """The formats of parameters, of results and of sums, by layer, given those of axes."""
        weights: dict[str, NumericFormat] = {}
        results: dict[str, NumericFormat] = {}
        sums: dict[str, NumericFormat] = {}
        names = {layer.name for layer in network.layers}
        axes = [axis for axis in self.axes if axis.name in chosen]
        folded: dict[str, list[str]] = {}
        if any(axis.family == "activations" for axis in axes):
            for name, into in Convention().folds_of(network, scenario).items():
                folded.setdefault(into, []).append(name)
        for axis in axes:
            number = chosen[axis.name]
            for name in [name for name in axis.target if name in names]:
                if axis.family in {"weights", "formats"}:
                    weights[name] = number
                if axis.family == "formats":
                    results[name] = number
                if axis.family == "accumulators":
                    sums[name] = number
                if axis.family == "activations":
                    results |= dict.fromkeys([name, *folded.get(name, ())], number)
        return weights, results, sums

    def __str__(self) -> str:
        """Write the size and the axes."""
        size = self.size
        number = "any number of" if size is None else f"{size:,}"
        if size is not None and size >= _SHOWN_AS_POWER:
            number = f"{size:.3g}"
        return "\n  ".join([f"{number} designs, {len(self.axes)} axes", *map(str, self.axes)])


_SHOWN_AS_POWER: Final = 10**15


def grid_of(source: object | None, space: DesignSpace, registry: Registry) -> Grid:
    """The axes of a space for a network, or for those that its function makes.

    Raises:
        CostModelError: a name that the network or a device does not have, or a value that an axis
            cannot have.

    """
    if (source is None) is (space.network is None):
        found = "neither" if source is None else "both"
        message = f"expected a network, or a space with a function that makes one; found {found}"
        raise CostModelError(message)
    network = None
    if source is not None:
        network = source if isinstance(source, Network) else registry.read(source, {})
    devices = tuple(named_apart([registry.device(one) for one in space.device]))
    if not devices:
        message = "the space names no device; give device='horowitz-45nm', or several"
        raise CostModelError(message)
    devices, parameters = _parameters(space, devices)
    scenario = _checked_scenario(space)
    bare = Grid(space, devices, tuple(_arguments(space)), network, registry)
    layers = _Layers.of([bound_network(one, scenario, Convention()) for one in bare.networks()])
    axes = [
        *bare.axes,
        *_plain_axes(space),
        *([Axis("device", "device", devices, tuple(one.name for one in devices))]
          if len(devices) > 1 else []),
        *parameters,
        *_format_axes(space, layers),
    ]  # fmt: skip
    _check_choices(axes)
    made = evolve(bare, axes=tuple(axes))
    for one in bare.networks():
        _check_conditions(made, one)
    return made


def _checked_scenario(space: DesignSpace) -> Scenario:
    """The conditions of the first choice of each."""
    return Grid(space, (), (), None).scenario({})


def _check_conditions(grid: Grid, network: Network) -> None:
    """Check that a network can run under each choice of timesteps and shapes, and has all rates.

    A choice has to go with some choices of the others: not all of them need to go together.

    Raises:
        CostModelError: one goes with none.

    """
    grid.scenario({}).check_rates(layer.name for layer in network.layers)
    axes = [axis for axis in grid.axes if axis.family in {"timesteps", "input_shapes"}]
    for axis in axes:
        others = [one for one in axes if one is not axis]
        for value, label in zip(axis.values, axis.labels, strict=True):
            fault = _fault(grid, network, {axis.name: value}, others)
            if fault is not None:
                message = f"axis {axis.name!r}, choice {label}: {fault}"
                raise CostModelError(message)


def _fault(
    grid: Grid, network: Network, chosen: Mapping[str, Any], others: Sequence[Axis]
) -> CostModelError | None:
    """Why a network cannot run under some choices, whatever those of other axes are."""
    first: CostModelError | None = None
    for values in product(*[axis.values for axis in others]):
        beside = dict(zip([axis.name for axis in others], values, strict=True))
        try:
            bound_network(network, grid.scenario({**beside, **chosen}), Convention())
        except CostModelError as error:
            first = first or error
        else:
            return None
    return first


def _check_choices(axes: Iterable[Axis]) -> None:
    for axis in axes:
        if not axis.labels and axis.span is None:
            message = f"axis {axis.name!r:.80} has no choice; give it one or more"
            raise CostModelError(message)
        for label in axis.labels:
            if axis.labels.count(label) > 1:
                message = f"axis {axis.name!r} has {label!s:.80} twice"
                raise CostModelError(message)


def _arguments(space: DesignSpace) -> Iterator[Axis]:
    for name, values in space.arguments.items():
        if space.network is None:
            message = f"arguments: {name!r} is that of a function; the space has none"
            raise CostModelError(message)
        if name in _COLUMNS or not values:
            message = (
                f"arguments: {name!r:.80} needs one value or more, and a name that is not one of "
                f"the columns {', '.join(sorted(_COLUMNS))}"
            )
            raise CostModelError(message)
        if len(values) > 1:
            labels = tuple([one if isinstance(one, int | float) else str(one) for one in values])
            yield Axis(name, "arguments", values, labels, (name,))


def _plain_axes(space: DesignSpace) -> Iterator[Axis]:
    for family in CONDITIONS:
        values: tuple[Any, ...] = getattr(space, family) or ()
        if len(values) > 1:
            made: tuple[Any, ...] = values
            if family.endswith("format"):
                made = tuple(map(_format, values))
                yield Axis(family, family, made, tuple(map(format_name, made)))
            else:
                yield Axis(family, family, made, made)
    for family in (*RATES, "input_shapes"):
        named: Mapping[str, tuple[Any, ...]] = getattr(space, family)
        for name, values in named.items():
            if len(values) > 1:
                is_rate = family != "input_shapes"
                labels = values if is_rate else tuple(["x".join(map(str, one)) for one in values])
                title = f"{family}.{name}" if name else family
                yield Axis(title, family, values, labels, (name,))


def _format(given: Any) -> NumericFormat:
    return given if isinstance(given, NumericFormat) else parse_format(given)


# ------------------------------------------------------------------ devices


def _parameters(
    space: DesignSpace, devices: tuple[Device, ...]
) -> tuple[tuple[Device, ...], list[Axis]]:
    """The devices with the values that hold for all designs, and the axes of the others."""
    made = {device.name: device for device in devices}
    axes: list[Axis] = []
    for path, values in space.parameters.items():
        owner, name = _owner(path, made)
        if len(values) == 1 and not isinstance(values[0], Range):
            made[owner] = made[owner].with_parameters(**{name: values[0]})
    for path, values in space.parameters.items():
        owner, name = _owner(path, made)
        if len(values) > 1 or isinstance(values[0], Range):
            axes.append(_parameter_axis(path, name, values, made[owner]))
    return tuple(made.values()), axes


def _owner(path: str, devices: Mapping[str, Device]) -> tuple[str, str]:
    """The device and the parameter that a path names."""
    owners = [name for name in devices if path.startswith(f"{name}.")]
    if owners:
        owner = max(owners, key=len)
        return owner, path.removeprefix(f"{owner}.")
    if len(devices) > 1:
        known = [f"{name}.{path}" for name in devices]
        hint = "with several devices, a parameter is called DEVICE.NAME"
        raise UnknownNameError(path, known, "parameter", hint)
    return next(iter(devices)), path


def _parameter_axis(path: str, name: str, values: tuple[Any, ...], device: Device) -> Axis:
    own = {one: figure.unit for one, figure in device.parameters.items()}
    units = {**device.memory_units, **own}
    is_linear = units.get(name) in _ENERGIES and {"price-linear", "separable"} <= set(
        device.capabilities
    )
    plain = Axis(
        path, "parameters", (), (), (name,), device=device.name, is_linear=is_linear,
        unit=units.get(name, ""),
    )  # fmt: skip
    if any(isinstance(one, Range) for one in values):
        (span, *others) = values
        if others or name not in units:
            message = f"{path}: a range is the only choice of an axis, and of a parameter"
            raise CostModelError(message)
        try:
            ends = span.ends(units[name])
        except (UnitError, ValueError) as error:
            message = f"{path}: {error}"
            raise CostModelError(message) from None
        for end in ends:
            device.with_parameters(**{name: f"{end!r} {units[name]}".strip()})
        return evolve(plain, span=ends, is_log=span.log)
    changed = [device.with_parameters(**{name: one}) for one in values]
    figures = [one.parameters.get(name) for one in changed]
    labels = tuple(
        [
            str(value) if figure is None else figure.value
            for value, figure in zip(values, figures, strict=True)
        ]
    )
    return evolve(plain, values=values, labels=labels)


def _with_unit(value: Any, axis: Axis, device: Device) -> Any:
    """A value as a device takes it: a number of a range with its unit."""
    if axis.span is None:
        return value
    return f"{value!r} {axis.unit}".strip()


# ------------------------------------------------------------------ formats


@frozen
class _Layers:
    """The layers of all networks of a space."""

    names: tuple[str, ...]
    multiply: tuple[str, ...]
    """Those with multiply-accumulates and parameters."""
    hold: frozenset[str]
    """Those that hold parameters."""

    @classmethod
    def of(cls, networks: Iterable[Network]) -> _Layers:
        names: dict[str, None] = {}
        multiply: dict[str, None] = {}
        hold = set()
        for network in networks:
            for layer in network.layers:
                if isinstance(layer, Source):
                    continue
                names[layer.name] = None
                if layer.parameters and layer.shares is None:
                    hold.add(layer.name)
            multiply |= dict.fromkeys(layer_formats.multiplying(network))
        return cls(tuple(names), tuple(multiply), frozenset(hold))


def _format_axes(space: DesignSpace, layers: _Layers) -> list[Axis]:
    axes: list[Axis] = []
    for family in FORMATS:
        given: Mapping[str, tuple[Any, ...]] = getattr(space, family)
        axes += _of_family(family, given, layers)
    _check_one_axis_each(axes)
    return _made_equal(axes, space.equal)


def _of_family(
    family: str, given: Mapping[str, tuple[Any, ...]], layers: _Layers
) -> Iterator[Axis]:
    taken: set[str] = set()
    found: dict[str, Axis] = {}
    for name, values in sorted(given.items(), key=lambda pair: _breadth(pair[0], layers)):
        formats = tuple(map(_format, values))
        labels = tuple(map(format_name, formats))
        if any(char in name for char in _WILD):
            for one in _matched(name, family, layers):
                if one not in taken:
                    found[one] = Axis(f"{family}.{one}", family, formats, labels, (one,))
                    taken.add(one)
            continue
        within = list(meant(name, layers.names))
        if not within:
            known = dict.fromkeys(block for one in layers.names for block in path_of(one))
            raise UnknownNameError(name, known, "layer")
        if family == "weights":
            within = [one for one in within if one in layers.hold]
        elif family == "accumulators" or name not in layers.names:
            within = [one for one in within if one in layers.multiply]
        if not within:
            what = "multiplies nothing" if family == "accumulators" else "holds no parameters"
            message = f"{family}: {name!r} {what}"
            raise CostModelError(message)
        within = [one for one in within if one not in taken]
        if not within:
            message = f"{family}: all layers of {name!r} have formats by their own names"
            raise CostModelError(message)
        taken.update(within)
        found[name] = Axis(f"{family}.{name}", family, formats, labels, tuple(within))
    order = {name: place for place, name in enumerate(layers.names)}
    yield from sorted(found.values(), key=lambda axis: min(order[one] for one in axis.target))


def _breadth(name: str, layers: _Layers) -> tuple[int, int]:
    """What orders names from that of one layer over blocks and patterns to `*`."""
    if any(char in name for char in _WILD):
        return 3 if name == "*" else 2, -len(name)
    return 0 if name in layers.names else 1, -len(name)


def _matched(pattern: str, family: str, layers: _Layers) -> list[str]:
    """The layers that multiply and have such a name."""
    found = fnmatch.filter(layers.multiply, pattern)
    if not found:
        message = (
            f"{family}: {pattern!r:.80} matches no layer that multiplies; there are "
            f"{listed(layers.multiply)}"
        )
        raise CostModelError(message)
    return found


def _check_one_axis_each(axes: Sequence[Axis]) -> None:
    taken: dict[tuple[str, str], str] = {}
    for axis in axes:
        kinds = ("weights", "activations") if axis.family == "formats" else (axis.family,)
        for key in product(kinds, axis.target):
            if key in taken:
                message = (
                    f"the {key[0]} of layer {key[1]!r} have two axes, {taken[key]!r} and "
                    f"{axis.name!r}; leave one of them out"
                )
                raise CostModelError(message)
            taken[key] = axis.name


def _made_equal(axes: Sequence[Axis], groups: Sequence[Sequence[str]]) -> list[Axis]:
    """The axes with those of layers of one group as one, called after the first."""
    for group in groups:
        known = {name for axis in axes for name in axis.target}
        for name in group:
            if name not in known:
                raise UnknownNameError(name, known, "layer of an axis in `equal`")
        for family in FORMATS:
            own = [one for one in axes if one.family == family and set(one.target) & set(group)]
            if len(own) < 2:  # noqa: PLR2004  # nothing to be equal
                continue
            if any(one.values != own[0].values for one in own):
                message = f"{own[0].name} and others of one group have different choices"
                raise CostModelError(message)
            joint = evolve(own[0], target=tuple(name for one in own for name in one.target))
            axes = [joint if one is own[0] else one for one in axes if one not in own[1:]]
    return list(axes)
