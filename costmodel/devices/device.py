"""Devices: the prices of operators. The class holds the formula, a YAML file the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property, wraps
from types import MappingProxyType, MemberDescriptorType
from typing import Any, ClassVar, Final, TypeAlias, TypeVar, overload

from attrs import Attribute, evolve, field, fields, frozen

from costmodel.devices.activity import resolved
from costmodel.devices.capabilities import USUAL, check_capabilities
from costmodel.devices.cost import Charge, Cost, Outcome, checked
from costmodel.devices.evaluation.evaluator import (
    DeviceEstimate,
    GroupCost,
    OperatorCost,
    evaluated,
    moved,
)
from costmodel.devices.evaluation.fusion import FUSIBLE, Group, fused, is_folded
from costmodel.devices.evaluation.memory import (
    Memory,
    Placement,
    Surroundings,
    Traffic,
    as_memories,
    placed,
    traffic,
)
from costmodel.devices.evaluation.schedule import Schedule
from costmodel.devices.operator_batch import CostTable, Pricing, of_first
from costmodel.devices.parameters import (
    ABOVE_ZERO,
    BY_FORMAT,
    CHOICE,
    GIVEN,
    POSITIVE,
    TAKES,
    UNIT,
    Choice,
    Evidence,
    FormatTable,
    Parameter,
    figures_of,
)
from costmodel.devices.runtimes import RUNTIME_MARK, Residual, Runtime, as_runtimes
from costmodel.errors import (
    CostModelError,
    FormatError,
    ScenarioError,
    UnitError,
    UnknownNameError,
    fault,
    nearest,
)
from costmodel.formats import NumericFormat, parse_format
from costmodel.scenario import CONDITIONS, Scenario
from costmodel.tensor.shapes import BATCH
from costmodel.units import parse_quantity
from costmodel.workload.decomposition import in_parts
from costmodel.workload.format_inference import between
from costmodel.workload.graph import Loop, Node, View, Workload
from costmodel.workload.operators import Operator
from costmodel.workload.reasons import Free, Reason, Unpriced

_OF_ENERGY: Final = ("J", "W", "J/OP", "J/B", "J/bit", "m2")
"""Units of figures that no time depends on."""
_Rule = TypeVar("_Rule", bound=Callable[..., Outcome])


def handles(*operators: type[Operator], batched: bool = True) -> Callable[[_Rule], _Rule]:
    """Mark a method of a device class as its price for exactly these operator types.

    The method takes the operator and the scenario and returns a Cost, Free or Unpriced. It gets
    all operators of a batch in one call; with `batched=False` always one ordinary operator, for
    a rule that calls a program or looks up a table by size.

    Raises:
        TypeError: something that is not a class of operators, or nothing at all.

    """
    strange = [
        one
        for one in operators
        if not (isinstance(one, type) and issubclass(one, Operator) and one is not Operator)
    ]
    if strange or not operators:
        found = f"{strange[0]!r:.80}" if strange else "nothing"
        message = (
            f"handles() takes classes of operators, as in @handles(Contraction); found {found}"
        )
        raise TypeError(message)

    def mark(rule: _Rule) -> _Rule:
        marked: Any = rule if batched else _unbatched(rule)
        marked.__handles__ = operators
        return marked  # type: ignore[no-any-return]  # a rule as before

    return mark


def _unbatched(rule: Callable[..., Outcome]) -> Callable[..., Outcome]:
    @wraps(rule)
    def of_one(device: Device, operator: Operator, scenario: Scenario) -> Outcome:
        return rule(device, of_first(operator), scenario)

    return of_one


@frozen(slots=False)
class Device:
    """Prices operators. Subclasses name their `family`, declare parameters and mark rules."""

    family: ClassVar[str] = ""
    not_modelled: ClassVar[str] = ""
    """What no price of the class holds, in a few words; stands below every table of prices."""
    ignores: ClassVar[tuple[str, ...]] = ()
    """The `CONDITIONS` that no price of the class depends on, such as `("rates", "formats")`.

    A setting that is given for one of them is named beside the numbers, as it changes nothing.
    """
    resources: ClassVar[tuple[str, ...]] = ()
    """What its charges are spent in and its durations keep busy, such as `("multipliers",)`.

    Memories count as declared, by their names.
    """
    capabilities: ClassVar[AbstractSet[str]] = USUAL
    """What the class promises of its costs: a selection of `CAPABILITIES`.

    The conformance kit checks what is declared, and skips the laws that assume anything else.
    """
    fuses: ClassVar[tuple[str, ...]] = ()
    """What joins the operator before or after it in one group: a selection of `FUSIBLE`."""
    uses_memories: ClassVar[bool] = False
    """Whether its prices leave out what is moved, which the core then charges by `memories`."""
    folds_normalization: ClassVar[bool] = True
    """Whether a normalization that follows a linear operator is folded into its weights."""
    activations_apart: ClassVar[bool] = False
    """Whether an activation that alone reads a result is never in place, as within a layer."""
    _rules: ClassVar[Mapping[type[Operator], str]] = {}

    name: str
    title: str = field(default="", kw_only=True)
    process: str | None = field(default=None, kw_only=True)
    also_not_modelled: str = field(default="", kw_only=True)
    """What the prices of this device do not hold beyond that: a file's `not_modelled`."""
    assumes: str = field(default="", kw_only=True)
    """The conditions under which its figures hold; shown below every table of prices."""
    memories: tuple[Memory, ...] = field(default=(), kw_only=True, converter=as_memories)
    """From the innermost to the outermost; only of a class that `uses_memories`."""
    runtime: str | None = field(default=None, kw_only=True)
    """The name of the runtime whose values it has; None where it has none."""
    _runtimes: tuple[Runtime, ...] = field(
        default=(), kw_only=True, converter=as_runtimes, repr=False
    )
    """What each runtime replaces, by `with_runtime`."""
    file: str | None = field(default=None, kw_only=True)
    content_hash: str | None = field(default=None, kw_only=True)

    @memories.validator
    def _check_memories(self, _: Any, memories: tuple[Memory, ...]) -> None:
        if memories and not self.uses_memories:
            message = (
                f"device class {type(self).__name__!r} has what is moved in its prices; expected "
                f"no memories, found {', '.join(memory.name for memory in memories)}"
            )
            raise ValueError(message)
        for name in [name for memory in memories for name in (memory.name, *memory.ports)]:
            if name in self.resources:
                message = (
                    f"memory {name!r} is called as a resource of device class "
                    f"{type(self).__name__!r}; give it another name"
                )
                raise ValueError(message)

    @_runtimes.validator
    def _check_runtime(self, _: Any, runtimes: tuple[Runtime, ...]) -> None:
        names = [one.name for one in runtimes]
        if self.runtime is not None and self.runtime not in names:
            known = ", ".join(names) or "none"
            message = f"runtime {self.runtime!r:.80} is not among its runtimes: {known}"
            raise ValueError(message)

    def __getstate__(self) -> object:
        """Everything but cached properties: a copy works them out anew."""
        state: Any = super().__getstate__()
        held, slots = state if isinstance(state, tuple) else (state, None)
        kept = {
            name: value
            for name, value in held.copy().items()
            if not isinstance(getattr(type(self), name, None), cached_property)
        }
        return kept if slots is None else (kept, slots)

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        """Check what is declared and collect the marked rules once, when the class is made."""
        _check_ignored(cls)
        _check_fused(cls)
        _check_resources(cls)
        _check_capabilities(cls)
        rules: dict[type[Operator], str] = {}
        for name, member in vars(cls).items():
            for operator in getattr(member, "__handles__", ()):
                if operator in rules:
                    both = f"{rules[operator]!r} and {name!r}"
                    message = f"{cls.__name__} has two rules for {operator.__name__}: {both}"
                    raise TypeError(message)
                rules[operator] = name
        cls._rules = MappingProxyType({**cls._rules, **rules})

    @overload
    def price(self, operator: Operator, scenario: Scenario | None = None) -> Outcome: ...

    @overload
    def price(
        self, operator: Iterable[Operator], scenario: Scenario | None = None
    ) -> CostTable: ...

    def price(
        self, operator: Operator | Iterable[Operator], scenario: Scenario | None = None
    ) -> Outcome | CostTable:
        """The cost of one operator, or why it is free, or why it has no price here.

        An operator without a rule of its own is priced by its parts, where it names them.
        Several operators get a `CostTable`, one row for each; fastest as an `OperatorBatch`.
        """
        scenario = Scenario() if scenario is None else scenario
        if scenario.__class__ is not Scenario:
            _check_scenario(scenario)
        rule = self._rules.get(type(operator))  # type: ignore[arg-type]  # several have none
        if rule is not None:
            try:
                answer = getattr(self, rule)(operator, scenario)
            except OverflowError as error:
                place = fault(error, type(self))
                message = f"device {self.name!r}: larger than a number can be: {place}"
                raise ScenarioError(message) from error
            except TypeError:
                if isinstance(operator, Operator):
                    operator.check_bound()
                raise
            if isinstance(answer, Cost) and answer.charges:
                return answer
            return checked(answer, f"device class {type(self).__name__!r}, rule {rule!r}")
        if isinstance(operator, Operator):
            return self._price_parts(operator, scenario)
        several = Pricing(operator, lambda one: self.price(one, scenario), type(self), self._rules)
        return several.costs()

    # -------------------------------------------------------------- whole workloads

    def evaluate(self, workload: Workload, scenario: Scenario | None = None) -> DeviceEstimate:
        """What a whole workload costs: groups, their places in memory and in time.

        Rates by layer are taken along the edges of the workload. The steps are methods of their
        own, which a class may replace: `fuse`, `place`, `move`, `stored_as`, `price_group`,
        `price_traffic`, `repeat`, `schedule` and `static_charges`.

        Raises:
            NetworkError: another symbol is not bound.
            ScenarioError: a rate is missing, or the scenario has a batch and the workload none.
            PluginError: a rule failed, or a step of the class gave what it cannot give.
            TypeError: it is not a workload.

        """
        scenario = Scenario() if scenario is None else scenario
        _check_scenario(scenario)
        if not isinstance(workload, Workload):
            expected = "a Workload, as costmodel.lower(network) gives it"  # type: ignore[unreachable]  # a caller may have no types
            message = f"workload is {workload!r:.80}; expected {expected}"
            raise TypeError(message)
        symbols = workload.symbols
        if scenario.batch > 1 and BATCH not in symbols:
            message = (
                f"workload {workload.name!r} has no symbol {BATCH!r}, so its batch is in it; "
                f"expected a scenario with a batch of 1, found {scenario.batch}"
            )
            raise ScenarioError(message)
        examples = {BATCH: self.examples_of(scenario)}
        bound = workload.bind(**examples) if BATCH in symbols else workload
        bound.check_bound("the costs")
        return self.evaluate_bound(bound, scenario)

    def examples_of(self, scenario: Scenario) -> int:
        """How many examples a workload has that `evaluate_bound` takes: all, or one."""
        return scenario.batch if self.uses_memories else 1

    def evaluate_bound(self, workload: Workload, scenario: Scenario) -> DeviceEstimate:
        """What a workload costs whose batch is bound as the class takes it.

        A class that `uses_memories` sees all examples of the batch in its operators, since it may
        keep weights for all of them; an operator that it prices by its parts stands in parts, so
        that what lies and moves between these is known. Any other prices the operators of one
        example, as often as the batch of the scenario says.
        """
        inner = scenario
        if scenario.time_axis is not None:  # the timesteps are in the workload
            inner = evolve(inner, timesteps=1, time_axis=None)
        if self.uses_memories and scenario.batch > 1:
            inner = evolve(inner, batch=1)
        if self.uses_memories:
            workload = self._in_parts(workload, inner)
        found = evaluated(self, workload, resolved(workload, inner), batch=scenario.batch)
        return evolve(found, scenario=scenario)

    def evaluate_batch(
        self, workloads: Iterable[Workload], scenario: Scenario
    ) -> Iterable[DeviceEstimate]:
        """What `evaluate_bound` says of each of several workloads, in their order.

        Sweeps ask for designs of one network so, where no table of groups covers them. A class that
        evaluates many together faster than one by one replaces it.
        """
        return (self.evaluate_bound(workload, scenario) for workload in workloads)

    def _in_parts(self, workload: Workload, scenario: Scenario) -> Workload:
        """The workload with the operators that it prices by their parts in these parts."""

        def made() -> Workload:
            return in_parts(workload, lambda operator: self.parts(operator, scenario))

        if type(self).parts is not Device.parts:  # it may follow from anything
            return made()
        return workload.derived(("in parts", type(self), scenario.default_format), made)

    def fuse(self, workload: Workload, scenario: Scenario) -> tuple[Group, ...]:
        """The groups that are executed together: by default what `fuses` names."""
        return fused(
            workload, self.fuses, folds_normalization=self.folds_normalization,
            activations_apart=self.activations_apart,
        )  # fmt: skip

    @property
    def fuses_as_usual(self) -> bool:
        """Whether the groups are those that `fuses` names."""
        return type(self).fuse is Device.fuse

    def place(
        self,
        workload: Workload,
        groups: tuple[Group, ...],
        scenario: Scenario,
        around: Surroundings | None = None,
    ) -> Placement:
        """Where each tensor lies, and when: by default as `memory.placed` says.

        `around` is what the body of a loop or a branch finds in memory.
        """
        return placed(workload, groups, self.memories, scenario.default_format, around)

    def price_group(
        self, group: Group, placement: Placement, scenario: Scenario
    ) -> Outcome | tuple[tuple[OperatorCost, ...], ...]:
        """The cost of the operators of a group, without what they move at its boundary.

        It is one outcome for the group, or what is said of each member, in their order: by
        default what `price_member` says, and that a folded normalization is free.
        """
        return tuple(
            [
                _FOLDED if is_folded(node, group) else self.price_member(node, group, scenario)
                for node in group.nodes
            ]
        )

    def price_member(
        self, node: Node, group: Group, scenario: Scenario
    ) -> tuple[OperatorCost, ...]:
        """The price of one operator of a group, or that of each of the parts it is divided into.

        It may depend on the operators of the group, on their conditions, `scenario.of_node(node)`,
        and on which of their tensors stay within it (`group.inner`), but not on where others lie:
        groups that are alike are asked for once.
        """
        return self._price_apart(node.operator, scenario.of_node(node))

    def _price_apart(self, operator: Operator, scenario: Scenario) -> tuple[OperatorCost, ...]:
        if operator.unpriced is not None:
            return (OperatorCost(None, operator.unpriced),)
        who = f"device class {type(self).__name__!r}"
        parts = self.parts(operator, scenario)
        is_whole = len(parts) == 1 and parts[0] is operator
        return tuple(
            [
                OperatorCost(
                    part,
                    checked(
                        self.price(part, scenario if is_whole else scenario.of_part(part)), who
                    ),
                )
                for part in parts
            ]
        )

    def move(
        self,
        workload: Workload,
        groups: tuple[Group, ...],
        placement: Placement,
        scenario: Scenario,
    ) -> tuple[tuple[Traffic, ...], ...]:
        """What each group reads from memories and writes to them, in one timestep.

        By default what crosses its boundary, once, where it lies (`memory.traffic`). A class adds
        what passes through a buffer on the way, or is read again. What is reported, and what
        `price_traffic` is asked for, follow from it.
        """
        stored = [self.stored_as(group, scenario) for group in groups]
        return traffic(workload, groups, placement, scenario.default_format, stored)

    def stored_as(self, group: Group, scenario: Scenario) -> Mapping[NumericFormat, NumericFormat]:
        """The formats that a group finds and leaves tensors in, by the format that they declare.

        By default each is stored as it is declared, and needs no entry.
        """
        return {}

    def depends_on(self, group: Group) -> frozenset[str]:
        """The tensors on whose formats the cost of a group depends, where it is `separable`.

        By default all that its members read and write, and none of a class that ignores formats.
        """
        if "formats" in self.ignores:
            return frozenset()
        return frozenset([name for step in group.members for name in (*step.reads, *step.writes)])

    @property
    def prices_operators_alone(self) -> bool:
        """Whether the price of a group is that of its operators, wherever their tensors lie."""
        return type(self).price_group is Device.price_group

    def price_traffic(
        self,
        group: Group,
        traffic: tuple[Traffic, ...],
        placement: Placement,
        scenario: Scenario,
    ) -> Cost:
        """The cost of what a group moves: by default what the memories state of it."""
        return moved(traffic, placement)

    def within(self, loop: Loop) -> Device:
        """The device as it runs a step of a loop: by default itself."""
        del loop
        return self

    def begin(self, loop: Loop, scenario: Scenario) -> Cost:
        """What a loop costs beside its steps and what is moved for all of them: nothing."""
        del loop, scenario
        return Cost()

    def repeat(self, body: DeviceEstimate, loop: Loop) -> Cost:
        """The cost of a loop, given that of a step: by default one step after the other."""
        return body.cost.times(loop.steps, "steps")

    def schedule(
        self,
        groups: tuple[GroupCost, ...],
        placement: Placement,
        scenario: Scenario,
    ) -> Schedule:
        """When each group runs: by default one after the other.

        What has no price takes no time in it, as it adds no energy: both are then lower bounds.
        """
        names = [each.group.name for each in groups]
        return Schedule.serial(names, [each.cost for each in groups])

    def per_call(self, schedule: Schedule, scenario: Scenario) -> Schedule:
        """The schedule of a whole workload, given that of its groups: by default the same.

        A class adds what comes once in each call, such as `schedule.delayed(overhead)`. It may
        depend on `scenario.default_format`, which here is the format that the call is made in: that
        of the first product of the workload. Bodies of loops are not asked for.
        """
        return schedule

    def static_charges(self, schedule: Schedule) -> Sequence[Charge] | Unpriced:
        """Charges for the time alone, such as `schedule.drawn(power, "chip")`; by default none.

        It is asked where the makespan is known. A device that draws a power which its file does
        not state answers Unpriced: the energy is then a lower bound.
        """
        return ()

    @property
    def macs_per_second(self) -> float | None:
        """The most multiply-accumulates that it can do in a second; None where not modelled."""
        return None

    @property
    def has_static_charges(self) -> bool:
        """Whether the class charges for time alone."""
        return type(self).static_charges is not Device.static_charges

    @property
    def runtimes(self) -> tuple[str, ...]:
        """The names of the runtimes that its file has values for."""
        return tuple([one.name for one in self._runtimes])

    @property
    def plain_name(self) -> str:
        """Its name without the runtime that `named_by_runtime` writes behind it."""
        return self.name.removesuffix(self._runtime_suffix)

    @property
    def _runtime_suffix(self) -> str:
        return "" if self.runtime is None else f"{RUNTIME_MARK}{self.runtime}"

    def named_by_runtime(self) -> Device:
        """The same device called `NAME:RUNTIME`, as beside itself under another runtime."""
        name = f"{self.plain_name}{self._runtime_suffix}"
        return self if name == self.name else evolve(self, name=name)

    @property
    def residuals(self) -> tuple[Residual, ...]:
        """By how much measured times of its runtime differ from predicted ones.

        Each for some conditions; the first that holds counts. At least 0.5 to 2 times where a
        figure that times depend on is given by the caller.
        """
        found = next((one.residuals for one in self._runtimes if one.name == self.runtime), ())
        return tuple([one.of_changed_figures() for one in found]) if self.is_changed else found

    def residual(
        self, batch: int, number: NumericFormat, seconds: float | None = None
    ) -> Residual | None:
        """The residual for a batch, the format that a network is called in, and predicted seconds.

        None where nothing is known of these conditions.
        """
        held = (one for one in self.residuals if one.holds(batch, number, seconds))
        return next(held, None)

    @property
    def is_changed(self) -> bool:
        """Whether a caller replaced a figure that measured times may have been fitted with."""
        return any(
            figure.source == GIVEN and figure.unit not in _OF_ENERGY
            for figure in self.parameters.values()
        )

    def computes_in(self, number: NumericFormat) -> NumericFormat | None:
        """The format that the device computes numbers of a format in; None where it has none.

        By default the format itself. A class whose chips have some formats alone replaces it.
        """
        return number

    @property
    def runtime_values(self) -> Mapping[str, Any]:
        """What the runtime of the device says of its settings and figures, by name."""
        return next((dict(one.values) for one in self._runtimes if one.name == self.runtime), {})

    @property
    def known(self) -> str:
        """In one line, how well the times under its runtime are known; empty if not stated."""
        return next((one.known for one in self._runtimes if one.name == self.runtime), "")

    def with_runtime(self, name: str) -> Device:
        """The same device with the values that its file has for a runtime.

        Every parameter and setting that some runtime of the file replaces gets its value of this
        one, and the memories too; all others stay. A name that carries the runtime follows.

        Raises:
            UnknownNameError: the device has no such runtime.

        """
        plain = self.plain_name
        for runtime in self._runtimes:
            if runtime.name == name:
                own = self.name if self.name == plain else f"{plain}{RUNTIME_MARK}{name}"
                return evolve(self, name=own, runtime=name, **dict(runtime.values))
        hint = f"these are all of device {plain!r}"
        raise UnknownNameError(name, self.runtimes, "runtime", hint)

    def diagram(self) -> str:
        """A picture of what the device is made of, for reports: SVG, or nothing.

        Its colours are `currentColor`, since a page may be light or dark; names in it are escaped.
        """
        return ""

    @property
    def area_square_metres(self) -> float | None:
        """The area of the chip as far as the device states it; None where it states none.

        By default that of its memories. A class that knows more, such as the area of its
        arithmetic, replaces it.
        """
        areas = [memory.area.value for memory in self.memories if memory.area is not None]
        return math.fsum(areas) if areas else None

    def with_parameters(self, **values: Any) -> Device:
        """The same device with other numbers, each a quantity with its unit, or settings.

        `runtime` chooses a runtime, before anything else is changed. A figure of a table by
        format is called after both, such as `{"peak_rate.int8": "4 TOP/s"}`; one of a memory too:
        `{"dram.bandwidth": "25 GB/s"}`, whether or not the memory has had one.

        Raises:
            UnknownNameError: the device has no such parameter, setting or runtime.
            CostModelError: a value of the wrong unit, or not finite, negative, or beyond 1e100.

        """
        if "runtime" in values:
            runtime = values.pop("runtime")
            if self.name != self.plain_name and runtime != self.runtime:
                message = (
                    f"{self.name}.runtime: expected {self.runtime}, which its name says; found "
                    f"{runtime}; write {self.plain_name}{RUNTIME_MARK}{runtime} in its place"
                )
                raise CostModelError(message)
            return self.with_runtime(runtime).with_parameters(**values)
        options = self.setting_names()
        changed: dict[str, Any] = {}
        for name, value in values.items():
            if name in options:
                changed[name] = value
            else:
                self._change(name, value, changed)
        try:
            return evolve(self, **changed)
        except ValueError as error:
            message = f"{self.name}: {', '.join(values)}: {error}"
            raise CostModelError(message) from None

    def _change(self, path: str, value: Any, changed: dict[str, Any]) -> None:
        """Put the parameter that `path` names into `changed`, or the table it is in."""
        units, tables = self.parameter_units(), self.parameter_tables()
        name, is_entry, text = path.partition(".")
        where = f"{self.name}.{path}"
        if path in self.memory_units:
            self._change_memory(path, value, changed)
            return
        if name not in units:
            raise self._unknown(path)
        if (name in tables) is not bool(is_entry):
            wanted = f"{self.name}.{name}" if is_entry else f"{where}.int8"
            what = "one value, not a table by format" if is_entry else "a table by format"
            message = f"{where}: {name} is {what}; expected a value for {wanted}"
            raise CostModelError(message)
        figure = _given(where, path, value, units[name])
        if figure.value <= 0 and name in self.positive_parameters():
            message = f"{where}: expected {ABOVE_ZERO}, found {str(value)!r:.80}"
            raise CostModelError(message)
        if is_entry:
            table = changed.get(name, getattr(self, name))
            changed[name] = _with_entry(where, table, name, text, figure)
        else:
            changed[name] = figure

    def _unknown(self, path: str) -> UnknownNameError:
        """That there is nothing of the name `path`, which may be that of a memory and a key."""
        for memory in self.memories:
            if path.startswith(f"{memory.name}."):
                hint = (
                    "all else of a memory is stated in the file of the device, such as "
                    "read: {energy: 2 pJ, width: 64 bit}, leakage: 1 mW, double_buffered: true"
                )
                what = f"figure of memory {memory.name!r}"
                return UnknownNameError(path, memory.figure_units, what, hint)
        known = [*self.parameter_units(), *self.setting_names(), *self.memory_units]
        hint = f"these are all of device {self.name!r}"
        return UnknownNameError(path, known, "parameter or setting", hint)

    def _change_memory(self, path: str, value: Any, changed: dict[str, Any]) -> None:
        """Put the memories with another figure into `changed`."""
        where = f"{self.name}.{path}"
        figure = _given(where, path, value, self.memory_units[path])
        memories = {memory.name: memory for memory in changed.get("memories", self.memories)}
        name = next(name for name, memory in memories.items() if path in memory.figure_units)
        try:
            memories[name] = memories[name].with_figure(figure)
        except ValueError as error:
            message = f"{where} = {value!r}: {error}"
            raise CostModelError(message) from None
        changed["memories"] = tuple(memories.values())

    @property
    def unadapted(self) -> Device:
        """The device itself, where a convention charges on it otherwise."""
        return self

    @property
    def declared_resources(self) -> tuple[str, ...]:
        """The resources of the class, and the memories of this device and their ports by name."""
        memories = [name for memory in self.memories for name in (memory.name, *memory.ports)]
        return tuple(dict.fromkeys((*self.resources, *memories)))

    @property
    def all_not_modelled(self) -> str:
        """What no price of this device holds: what its class and its file do not model."""
        return "; ".join(filter(None, (self.not_modelled, self.also_not_modelled)))

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of this device, by name."""
        return {name: getattr(self, name) for name in self.setting_names()}

    @classmethod
    def setting_names(cls) -> Mapping[str, Callable[[Any], Any]]:
        """The declared settings of the class, each with its converter."""
        declared: tuple[Attribute[Any], ...] = fields(cls)
        return {item.name: item.metadata[CHOICE] for item in declared if CHOICE in item.metadata}

    @classmethod
    def setting_choices(cls) -> Mapping[str, Choice]:
        """The declared settings of the class, each with what it takes."""
        declared: tuple[Attribute[Any], ...] = fields(cls)
        return {
            item.name: Choice(item.metadata[TAKES], item.default)
            for item in declared
            if TAKES in item.metadata
        }

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The figures that this device has, by name.

        Those of its class, of a table each, such as `peak_rate.int8`; then those of its memories,
        such as `dram.bandwidth`.
        """
        values = [getattr(self, name) for name in self.parameter_units()]
        known = [figure for value in values if value is not None for figure in figures_of(value)]
        return {**{figure.name: figure for figure in known}, **self.memory_parameters}

    @property
    def memory_parameters(self) -> Mapping[str, Parameter]:
        """The figures of its memories, by name."""
        return {figure.name: figure for each in self.memories for figure in each.parameters}

    @property
    def memory_units(self) -> Mapping[str, str]:
        """The figures that its memories have or may be given, by name, and their units."""
        return {name: unit for each in self.memories for name, unit in each.figure_units.items()}

    @classmethod
    def parameter_units(cls) -> Mapping[str, str]:
        """The declared parameters of the class and their units."""
        declared: tuple[Attribute[Any], ...] = fields(cls)
        return {item.name: item.metadata[UNIT] for item in declared if UNIT in item.metadata}

    @classmethod
    def required_parameters(cls) -> frozenset[str]:
        """The names of the parameters that a file of this class must give."""
        declared: tuple[Attribute[Any], ...] = fields(cls)
        return frozenset(
            item.name for item in declared if UNIT in item.metadata and item.default is not None
        )

    @classmethod
    def positive_parameters(cls) -> frozenset[str]:
        """The names of the parameters that must be above 0, since a formula divides by them."""
        declared: tuple[Attribute[Any], ...] = fields(cls)
        return frozenset(item.name for item in declared if item.metadata.get(POSITIVE))

    @classmethod
    def parameter_tables(cls) -> frozenset[str]:
        """The names of the parameters that are tables by numeric format."""
        declared: tuple[Attribute[Any], ...] = fields(cls)
        return frozenset(item.name for item in declared if item.metadata.get(BY_FORMAT))

    @classmethod
    def priced_operators(cls) -> tuple[type[Operator], ...]:
        """The types of operators that the class has a rule for."""
        return tuple(cls._rules)

    def parts(self, operator: Operator, scenario: Scenario) -> tuple[Operator, ...]:
        """What the device prices in place of an operator: itself, or its parts if it has no rule.

        Parts that have no rule either are decomposed in turn, as far as they can be.
        """
        if type(operator) in self._rules:
            return (operator,)
        parts = between(operator.decompose(), scenario.default_format)
        if not parts:
            return (operator,)
        return tuple([one for part in parts for one in self.parts(part, scenario)])

    def _price_parts(self, operator: Operator, scenario: Scenario) -> Outcome:
        parts = between(operator.decompose(), scenario.default_format)
        if not parts:
            kind = type(operator).__name__
            reason = Unpriced(f"device {self.name!r} has no price for {kind!r} operators")
            return operator.unpriced or reason
        return self._price_all(parts, scenario, Cost.together)

    def _price_all(
        self,
        operators: Iterable[Operator],
        scenario: Scenario,
        summed: Callable[[Iterable[Cost]], Cost],
    ) -> Outcome:
        """The cost of all, unless one has no price; why they are free where none has a cost."""
        costs, reasons = [], []
        for operator in operators:
            answer = self.price(operator, scenario)
            if isinstance(answer, Unpriced):
                return answer
            if isinstance(answer, Reason):
                reasons.append(answer.reason)
            else:
                costs.append(answer)
        return summed(costs) if costs else Free("; ".join(dict.fromkeys(reasons)))


_FOLDED: Final = (OperatorCost(None, Free("folded into the linear layer before it at inference")),)


def _check_ignored(cls: type[Device]) -> None:
    names = vars(cls).get("ignores", ())
    if isinstance(names, property):
        return  # it depends on the settings of the device
    is_tuple = isinstance(names, tuple)
    strange = [name for name in names if name not in CONDITIONS] if is_tuple else []
    if strange or not is_tuple:
        near = nearest(str(strange[0]), CONDITIONS) if strange else None
        hint = f" (nearest: {near!r})" if near else ""
        demand = f"expected a tuple of names among {', '.join(CONDITIONS)}"
        message = f"{cls.__name__}.ignores: {demand}; found {names!r:.80}{hint}"
        raise TypeError(message)


def _check_fused(cls: type[Device]) -> None:
    names: Any = cls.fuses
    if isinstance(names, property | MemberDescriptorType):
        return  # it depends on the settings of the device
    if not isinstance(names, tuple) or not set(names) <= FUSIBLE.keys():
        demand = f"expected a tuple of names among {', '.join(FUSIBLE)}"
        message = f"{cls.__name__}.fuses: {demand}; found {names!r:.80}"
        raise TypeError(message)


def _check_resources(cls: type[Device]) -> None:
    names: Any = cls.resources
    if isinstance(names, property):
        return  # it depends on the settings of the device
    is_named = isinstance(names, tuple) and all(isinstance(name, str) and name for name in names)
    if not is_named:
        demand = "expected a tuple of names, such as ('multipliers', 'sram')"
        message = f"{cls.__name__}.resources: {demand}; found {names!r:.80}"
        raise TypeError(message)


def _check_capabilities(cls: type[Device]) -> None:
    names: Any = cls.capabilities
    if not isinstance(names, property):  # it depends on the settings of the device
        check_capabilities(cls.__name__, names)


def _check_scenario(given: object) -> None:
    if not isinstance(given, Scenario):
        message = f"scenario is {given!r:.80}; expected a Scenario"
        raise TypeError(message)


def _given(where: str, name: str, value: str | float, unit: str) -> Parameter:
    try:
        quantity = parse_quantity(str(value), unit)
        return Parameter(name, quantity.value, unit, GIVEN, Evidence.ASSUMED)
    except UnitError as error:
        message = f"{where}: {error}"
        raise CostModelError(message) from None
    except ValueError as error:
        message = f"{where} = {value!r}: {error}"
        raise CostModelError(message) from None


def _with_entry(
    where: str, table: FormatTable | None, name: str, text: str, figure: Parameter
) -> FormatTable:
    """The table, or a new one, with the figure of the format that `text` names."""
    try:
        number = parse_format(text)
    except FormatError as error:
        message = f"{where}: {error}"
        raise CostModelError(message) from None
    if table is None:
        return FormatTable(name, {number: figure})
    return table.with_figures([(number, figure)])


Charging: TypeAlias = Callable[[Device, Operator, Scenario], Outcome]
"""What is charged for an operator on a device."""


@frozen(slots=False)
class Adapted(Device):
    """A device on which a convention charges otherwise; everything else is the device's own."""

    device: Device = field(kw_only=True)
    charging: Charging = field(kw_only=True)

    @classmethod
    def of(cls, device: Device, charging: Charging) -> Adapted:
        """The device, with what `charging(device, operator, scenario)` says as its prices."""
        return cls(device.name, device=device, charging=charging)

    @property
    def unadapted(self) -> Device:
        """The device on which the convention charges."""
        return self.device

    def price(self, operator: Any, scenario: Scenario | None = None) -> Any:
        """What is charged for one operator, or for several."""
        scenario = Scenario() if scenario is None else scenario
        if isinstance(operator, Operator):
            return self.charging(self.device, operator, scenario)
        charged = Pricing(
            operator,
            lambda one: self.charging(self.device, one, scenario),
            type(self.device),
            self.device._rules,  # noqa: SLF001  # its own class
        )
        return charged.costs()

    def fuse(self, workload: Workload, scenario: Scenario) -> tuple[Group, ...]:
        """Every operator by itself: counts of a convention know of no fusion."""
        return tuple([Group(step, (step,)) for step in workload if not isinstance(step, View)])

    @property
    def declared_resources(self) -> tuple[str, ...]:
        """Those of the device itself."""
        return self.device.declared_resources

    def parts(self, operator: Operator, scenario: Scenario) -> tuple[Operator, ...]:
        """As the device itself divides it."""
        return self.device.parts(operator, scenario)
