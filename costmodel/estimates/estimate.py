"""The estimate: read, lower, evaluate, collect; each step can be called alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import evolve, field, frozen

from costmodel import registry as registrys
from costmodel.conventions import timing
from costmodel.conventions.convention import Convention, LayerWork
from costmodel.conventions.lowering import BATCH
from costmodel.devices import Cost, Device, DeviceEstimate
from costmodel.errors import (
    CostModelError,
    UnknownNameError,
    UnpricedError,
    UnpricedWarning,
    listed,
)
from costmodel.network import layer_formats
from costmodel.network.graph import Network
from costmodel.report import estimate_json, estimate_table
from costmodel.report.bills import Bill, Coverage
from costmodel.report.breakdown import Part, breakdown, breakdown_table
from costmodel.report.explanation import explanation, line_of
from costmodel.report.ignored import ignored as settings_without_effect
from costmodel.report.summary import summary
from costmodel.safe_io import json_text, replaced, writing
from costmodel.scenario import RATES_OF, RatesOf, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from costmodel.plugins.discovery import Plugin
    from costmodel.registry import Registry
    from costmodel.report.table import Table
    from costmodel.tensor.shapes import InputShapes
    from costmodel.tensor.sizes import Symbol
    from costmodel.workload.graph import Workload

OnUnpriced: TypeAlias = Literal["error", "warn", "bound"]
"""What an estimate does about unpriced work: stop, warn, or call its totals lower bounds."""

ON_UNPRICED: Final = ("error", "warn", "bound")


@frozen(slots=False)
class Estimate:
    """The bill of a network on every device, with its conditions and its coverage."""

    network: Network
    convention: Convention
    scenario: Scenario
    lowered: tuple[LayerWork, ...] = field(repr=False)
    bills: Mapping[str, Bill] = field(repr=False)
    on_unpriced: OnUnpriced = "warn"
    plugins: tuple[Plugin, ...] = field(default=(), repr=False)
    problems: tuple[str, ...] = ()

    def bill(self, device: str) -> Bill:
        """The bill on the device called `device`.

        Raises:
            UnknownNameError: the estimate has no such device.

        """
        try:
            return self.bills[device]
        except KeyError:
            raise UnknownNameError(device, self.bills, "device of this estimate") from None

    def total(self, device: str) -> Cost:
        """What the whole network costs on a device."""
        return self.bill(device).total

    def coverage(self, device: str) -> Coverage:
        """How much of the network is in the total on a device."""
        return self.bill(device).coverage

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference under this convention."""
        return sum(layer.macs for layer in self.lowered)

    def explain(self, layer: str, device: str) -> str:
        """How the cost of one layer on one device comes about, down to the sources."""
        bill = self.bill(device)
        return "\n".join(explanation(bill, line_of(bill, layer), self.scenario))

    def ignored(self, device: str) -> Mapping[str, str]:
        """What was given and changes no price of a device: each setting with its value in words.

        Such as `{"default_format": "int8"}` on a device with one price for all formats.
        """
        bill = self.bill(device)
        return settings_without_effect(bill.device, bill.lines, self.scenario)

    def to_dict(self) -> dict[str, Any]:
        """The estimate as plain values, in SI units; the schema is named in it."""
        return estimate_json.as_dict(self)

    def to_json(self) -> str:
        """The estimate as JSON, a line for each layer; `costmodel.read` takes its network back."""
        return json_text(self.to_dict())

    def table(self, *, exact: bool = False) -> Table:
        """The bill as a table: a row for each layer, a column for each device.

        `exact` leaves bare numbers in joules, for spreadsheets; what is unpriced is empty there.
        """
        return estimate_table.table(self, exact=exact)

    def breakdown(self, by: str = "layer") -> tuple[Part, ...]:
        """The cost of each layer, kind, block, operator or resource, in the order of the network.

        Raises:
            UnknownNameError: `by` is something else.

        """
        return breakdown(self, by)

    def breakdown_table(
        self,
        by: str = "layer",
        sort: str | None = None,
        top: int | None = None,
        *,
        exact: bool = False,
    ) -> Table:
        """The largest parts and their shares; sorted by energy, time, memory or macs.

        By default by time where a device models it, else by energy. `exact` leaves bare numbers.

        Raises:
            UnknownNameError: no such grouping or measure.

        """
        return breakdown_table(self, by, sort, top, exact=exact)

    def summary(self) -> tuple[Table, Table]:
        """What each device takes, and the five largest parts of the network."""
        return summary(self)

    def to_html(self, path: str | Path | None = None) -> str:
        """The report as one HTML file, which is written to `path` if one is given.

        Raises:
            CostModelError: the file cannot be written.

        """
        made: str = html_module("page").report([self])
        if path is not None:
            file = Path(path)
            with writing(file), replaced(file) as temporary:
                temporary.write_text(made, encoding="utf-8")
        return made

    def plot(self, device: str | None = None, measure: str | None = None) -> Any:
        """A plotly figure of where the cost lies, by block and layer.

        `device` is by default the first; `measure` is "time", "energy", "traffic", "weights" or
        "macs", by default time where the device models it, else energy.

        Raises:
            UnknownNameError: the estimate has no such device, or the device no such measure.
            CostModelError: `costmodel-nn[report]` is not installed.

        """
        return html_module("pictures").plot(self, device, measure)

    def to_dataframe(self, library: str | None = None) -> Any:
        """A row for each layer on each device, in SI units that the names of columns end in.

        `library` is "pandas" or "polars"; by default the first of them that is installed.

        Raises:
            UnknownNameError: `library` is neither.
            CostModelError: it is not installed.

        """
        return html_module("frames").dataframe(self, library)

    def _repr_html_(self) -> str:
        """Write the summary for a notebook, without JavaScript."""
        shown: str = html_module("light").light(self)
        return shown

    def __str__(self) -> str:
        """Write the summary as plain text."""
        return "\n\n".join(table.text() for table in self.summary())


def html_module(module: str) -> Any:
    """A module of `costmodel.html`, which comes after this one: it shows estimates.

    It is imported by name when it is asked for, as `costmodel.device` does with the registry.
    """
    return import_module(f"costmodel.html.{module}")


def read(
    source: object,
    *,
    input_shapes: InputShapes | None = None,
    example_inputs: object = None,
    registry: Registry | None = None,
) -> Network:
    """Read a network from a live model, a file, or the text of its JSON.

    `input_shapes` binds the open axes of inputs, by input name and without the batch axis; for
    a network with one input a single shape such as (224, 224, 3) is enough. A subclassed model,
    which has a graph only once it is called, needs them by name unless it was built.

    `example_inputs` are the arguments of a call, such as `(x,)`, for a module of PyTorch: it has
    a graph only for a call. What the call fixes, such as its batch, the network has.

    Raises:
        ReadError: the source is of no known kind, or damaged.
        NetworkError: its layers do not make a network.

    """
    bound = Scenario(input_shapes={} if input_shapes is None else input_shapes).input_shapes
    return (registry or registrys.installed()).read(source, bound, example_inputs)


def measure_rates(
    source: object,
    examples: Any,
    *,
    of: RatesOf = "outputs",
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
    registry: Registry | None = None,
) -> Mapping[str, float]:
    """Firing rates in hertz of every layer of a live model, by its name in the network.

    `of` "outputs" measures the mean absolute output of each layer, for `Scenario(rates=...)`;
    "inputs" the mean absolute input, for `Scenario(input_rates=...)`. A layer with several
    outputs or inputs has the mean over the elements of all of them.

    `examples` is an array, or a list or mapping of arrays for several inputs, the batch axis
    first. `progress` is called with the number of examples done and their total.

    Raises:
        ReadError: the source cannot be run.
        UnknownNameError: `of` is something else.

    """
    if of not in RATES_OF:
        raise UnknownNameError(str(of), RATES_OF, "kind of rates")
    reader = (registry or registrys.installed()).reader(source)
    return reader.measure_rates(
        source, examples, of=of, batch_size=batch_size, progress=progress or _silent
    )


def lower(
    network: Network, scenario: Scenario | None = None, convention: str | Convention = "costmodel"
) -> Workload:
    """The workload of a network by the rules of a convention: what a device or compiler takes.

    The size of the batch is a symbol: `workload.bind(batch=8)`.

    Raises:
        ShapeError: an axis is open that the scenario does not bind.
        ScenarioError: the network has a time axis of its own beside the timesteps.

    """
    scenario = scenario or Scenario()
    rules = _convention(convention)
    return _lowered(network, scenario, rules, BATCH)


def work_by_layer(
    network: Network, scenario: Scenario | None = None, convention: str | Convention = "costmodel"
) -> tuple[LayerWork, ...]:
    """The work of every layer for one example, in topological order, by the rules of a convention.

    Raises:
        ShapeError: an axis is open that the scenario does not bind.
        ScenarioError: the network has a time axis of its own beside the timesteps.

    """
    scenario = scenario or Scenario()
    rules = _convention(convention)
    bound = bound_network(network, scenario, rules)
    return network.derived((scenario, rules), "works", lambda: rules.work_by_layer(bound, scenario))


def _convention(given: str | Convention) -> Convention:
    """A convention; the true count, which ships with the core, without asking any plugin."""
    plain = Convention()
    return plain if given == plain.name else registrys.installed().convention(given)


def bound_network(network: Network, scenario: Scenario, rules: Convention) -> Network:
    """The network with its axes bound, as the scenario says."""
    if not isinstance(network, Network):
        message = f"network is {network!r:.80}; expected a Network, as costmodel.read gives it"  # type: ignore[unreachable]  # a caller may have no types
        raise TypeError(message)

    def another() -> Network | None:
        bound = network.bind(scenario.input_shapes) if scenario.input_shapes else network
        timing.check(bound, scenario, rules)
        made = layer_formats.with_formats(bound, scenario.formats)
        made = layer_formats.with_weights(made, scenario.weights, scenario.default_format)
        return None if made is network else made

    return network.derived((scenario, rules), "bound", another) or network


def _read_for(network: Network, scenario: Scenario) -> Network:
    """The network with the graph that it has for the shapes of the scenario."""
    if network.read_again is None or not scenario.input_shapes:
        return network
    return bound_network(network, scenario, Convention())


def _lowered(
    network: Network, scenario: Scenario, rules: Convention, batch: int | Symbol
) -> Workload:
    bound = bound_network(network, scenario, rules)
    return network.derived(
        (scenario, rules), batch, lambda: rules.lower(bound, scenario, batch)
    )  # fmt: skip


def estimate(
    source: object,
    devices: str | Path | Device | Sequence[str | Path | Device],
    *,
    scenario: Scenario | None = None,
    convention: str | Convention = "costmodel",
    on_unpriced: OnUnpriced = "warn",
    registry: Registry | None = None,
) -> Estimate:
    """What a network costs on each of `devices`, and why.

    `source` is a `Network` or anything that `read` takes; a device is a name, the path of a
    YAML file or a `Device`.

    Raises:
        CostModelError: the source, a device, the convention or the scenario is not usable.
        UnpricedError: work has no price and `on_unpriced` is "error".

    """
    registry = registry or registrys.installed()
    scenario = scenario or Scenario()
    _check_on_unpriced(on_unpriced)
    chosen = _devices(devices, registry)
    rules = registry.convention(convention)
    network = (
        _read_for(source, scenario)
        if isinstance(source, Network)
        else registry.read(source, scenario.input_shapes)
    )
    scenario.check_rates(layer.name for layer in network.layers)
    conditions = timing.of_one_pricing(scenario, rules)
    found = [
        device.evaluate_bound(
            _lowered(network, scenario, rules, device.examples_of(scenario)), conditions
        )
        for device in map(rules.adapt, chosen)
    ]
    collected = collect(network, found, scenario, rules, on_unpriced=on_unpriced, registry=registry)
    _answer_unpriced(collected)
    return collected


def collect(
    network: Network,
    evaluations: Iterable[DeviceEstimate],
    scenario: Scenario | None = None,
    convention: str | Convention = "costmodel",
    *,
    on_unpriced: OnUnpriced = "warn",
    registry: Registry | None = None,
) -> Estimate:
    """What a network costs on several devices, by what each says to its workload.

    The evaluations are those of `lower(network, scenario, convention)`.

    Raises:
        TypeError: they are something else.

    """
    scenario, rules = scenario or Scenario(), _convention(convention)
    found = tuple(evaluations)
    for one in found:
        if not isinstance(one, DeviceEstimate):
            expected = "what device.evaluate(costmodel.lower(network)) gives"  # type: ignore[unreachable]  # a caller may have no types
            message = f"expected {expected}; found {one!r:.80}"
            raise TypeError(message)
    network = _read_for(network, scenario)
    lowered = work_by_layer(network, scenario, rules)
    if isinstance(scenario.input_shapes, tuple):
        scenario = evolve(scenario, input_shapes=network.shapes_by_name(scenario.input_shapes))
    plugins = registry.plugins if registry else None
    devices = named_apart([one.device.unadapted for one in found])
    bills = [Bill(device, one, lowered) for device, one in zip(devices, found, strict=True)]
    return Estimate(
        network, rules, scenario, lowered,
        {bill.device.name: bill for bill in bills}, on_unpriced,
        tuple(plugins or ()), plugins.problems if plugins else (),
    )  # fmt: skip


def _silent(done: int, total: int) -> None:
    """Show no progress."""


def _check_on_unpriced(value: str) -> None:
    if value not in ON_UNPRICED:
        raise UnknownNameError(value, ON_UNPRICED, "value of on_unpriced")


def _devices(
    devices: str | Path | Device | Sequence[str | Path | Device], registry: Registry
) -> list[Device]:
    single = isinstance(devices, str | Path | Device)
    asked: Any = [devices] if single else devices
    if not isinstance(asked, Sequence):
        message = f"devices is {asked!r:.80}; expected names, paths of YAML files or devices"
        raise CostModelError(message)
    chosen = [registry.device(device) for device in asked]
    if not chosen:
        message = f"no device is given; known: {listed(registry.device_names)}"
        raise CostModelError(message)
    return named_apart(chosen)


def named_apart(devices: Sequence[Device]) -> list[Device]:
    """The devices by names of their own: one under several runtimes is called `NAME:RUNTIME`.

    Raises:
        CostModelError: two are still of one name, by which results tell them apart.

    """
    under: dict[tuple[str, str | None], set[str | None]] = {}
    for device in devices:
        under.setdefault((device.name, device.file), set()).add(device.runtime)
    named = [
        device.named_by_runtime() if len(under[device.name, device.file]) > 1 else device
        for device in devices
    ]
    check_devices_once(named)
    return named


def check_devices_once(devices: Sequence[Device]) -> None:
    """Refuse devices of one name, by which results tell them apart.

    Raises:
        CostModelError: there are such.

    """
    for first in devices:
        same = [
            device
            for device in devices
            if device.name == first.name or _is_same_under_one_runtime(device, first)
        ]
        if len(same) > 1:
            message = f"device {first.name!r} is given more than once"
            files = list(dict.fromkeys(device.file for device in same if device.file))
            are_alike = all(
                evolve(device, name=first.name, file=first.file) == first for device in same
            )
            if len(files) > 1 and are_alike:
                message += f": {' and '.join(files)} hold the same device; give one of them"
            elif not are_alike:
                where = f" ({' and '.join(files)})" if files else ""
                message += (
                    f", with different figures{where}; results tell devices apart by name: give "
                    "one another `name` (`costmodel compare MODEL -d A -d B` takes two of one name)"
                )
            raise CostModelError(message)


def _is_same_under_one_runtime(device: Device, other: Device) -> bool:
    """Whether both are one device, of which one is called after the runtime of both as well."""
    return (
        device.plain_name == other.plain_name
        and device.named_by_runtime() == other.named_by_runtime()
    )


def _answer_unpriced(estimate: Estimate) -> None:
    if estimate.on_unpriced == "bound":
        return
    for name, bill in estimate.bills.items():
        if not bill.is_complete:
            message = _unpriced_message(name, bill)
            if estimate.on_unpriced == "error":
                raise UnpricedError(message)
            warnings.warn(message, UnpricedWarning, stacklevel=3)


def _unpriced_message(device: str, bill: Bill) -> str:
    lines = [
        f"the total on {device!r} leaves out {len(bill.unpriced)} of {len(bill.lowered)} layers:",
        *estimate_table.listed_reasons(bill.unpriced),
        'on_unpriced="error" stops here, "bound" takes the total as "at least"',
    ]
    return "\n  ".join(lines)
