"""The laws of a device."""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from attrs import evolve, fields, frozen
from hypothesis import strategies as st

from costmodel.devicefile import SCHEMA, UNLIMITED, load_device
from costmodel.devices import UNNAMED, Charge, Cost, Device, Evidence, FormatTable, Residual
from costmodel.errors import CostModelError, UnitError, UnknownNameError
from costmodel.formats import FLOAT32, FixedPoint, format_name
from costmodel.scenario import CONDITIONS, Scenario
from costmodel.tensor.shapes import Tensor
from costmodel.testing import strategies
from costmodel.testing.capabilities import assumes
from costmodel.testing.contract import (
    TOLERANCE,
    drawn,
    expect,
    for_all,
    frameworks_behind,
    missing_fixture,
)
from costmodel.testing.evaluation import EvaluationLaws, told_by
from costmodel.units import parse_quantity
from costmodel.workload.format_inference import between
from costmodel.workload.operators import Operator, unmapped
from costmodel.workload.reasons import Free, Reason, Unpriced

if TYPE_CHECKING:
    from costmodel.devices import Access, Memory, Outcome, Parameter
    from costmodel.devices.operator_batch import OperatorBatch
    from costmodel.formats import NumericFormat


@frozen(kw_only=True)
class ForeignWork(Operator):
    """An operator that no device knows, and that names no parts."""


def _foreign(tensor: Tensor) -> ForeignWork:
    return ForeignWork(operands=[*unmapped("input", [tensor]), *unmapped("output", [tensor])])


@frozen(kw_only=True)
class ComposedWork(Operator):
    """An operator that no device knows, made of `parts`."""

    parts: tuple[Operator, ...]

    def decompose(self) -> Sequence[Operator]:
        """The parts."""
        return self.parts


class DeviceContract(EvaluationLaws):
    """What every device must keep. Give it the fixture `device`.

    The fixture returns a device, or a strategy of them: `strategies.devices(MyDeviceClass)`
    tries every number that a file may hold. A device with operators of its own replaces
    `operators`. A law that assumes a capability is skipped where the device declares none.
    """

    @pytest.fixture
    def device(self) -> Any:
        """The device, or a strategy of devices."""
        missing_fixture(self, "device", "a costmodel.Device")

    def test_every_charge_is_finite_and_not_negative(self, device: Any) -> None:
        """No operator under any conditions costs less than nothing, or no number."""

        @for_all(drawn(device), self.operators(), strategies.scenarios())
        def law(device: Device, operator: Operator, scenario: Scenario) -> None:
            for charge in itertools.chain(*map(_charges, _asked(device, operator, scenario))):
                energy, what = charge.energy_joules, f"energy of {_line(charge)}"
                expect(math.isfinite(energy) and energy >= 0, what, "a finite number >= 0", energy)
                expect(charge.count >= 0, f"count of {_line(charge)}", ">= 0", charge.count)

    def test_every_operator_has_a_charge_or_a_reason(self, device: Any) -> None:
        """An answer is a cost with charges or a time, or free or unpriced and says why."""

        @for_all(drawn(device), self.operators(), strategies.scenarios())
        def law(device: Device, operator: Operator, scenario: Scenario) -> None:
            answer, *outcomes = _asked(device, operator, scenario)
            if isinstance(answer, Cost):
                said: object = answer.charges or answer.latency_seconds
            else:
                said = _reason(answer).strip()
            expected = "a cost with charges or a time, or Free or Unpriced(reason)"
            expect(said, "the answer", expected, answer)
            for outcome in outcomes:
                says = isinstance(outcome, Cost) or _reason(outcome).strip()
                expect(says, "the outcome in a workload", "a cost or a reason", outcome)

    def test_low_value_and_high_stand_in_this_order(self, device: Any) -> None:
        """The range of every energy holds the energy."""

        @for_all(drawn(device), self.operators(), strategies.scenarios())
        def law(device: Device, operator: Operator, scenario: Scenario) -> None:
            answers = _asked(device, operator, scenario)
            costs: list[Any] = [one for one in answers if isinstance(one, Cost)]
            for cost in [*costs, *itertools.chain(*map(_charges, answers))]:
                low, high = cost.energy_joules_low, cost.energy_joules_high
                holds = low <= cost.energy_joules <= high
                expect(holds, "low <= value <= high", f"{low} to {high} J", cost.energy_joules)

    def test_the_explanation_adds_up_to_the_energy(self, device: Any) -> None:
        """Factors times unit cost, summed, is the energy; so are the sums by role and resource."""

        @for_all(drawn(device), self.operators(), strategies.scenarios())
        def law(device: Device, operator: Operator, scenario: Scenario) -> None:
            answer = device.price(operator, scenario)
            shown = [
                math.prod(factor.value for factor in charge.factors) * charge.unit_cost.value
                for charge in _charges(answer)
            ]
            _same(math.fsum(shown), _energy(answer), "the sum of factors times unit cost")
            if isinstance(answer, Cost):
                for what in ("energy_joules_by_role", "energy_joules_by_resource"):
                    parts = math.fsum(getattr(answer, what).values())
                    _same(parts, answer.energy_joules, f"the sum of {what}")

    def test_every_resource_is_one_that_the_device_declares(self, device: Any) -> None:
        """What charges are spent in and durations keep busy stands in `resources` of the class."""

        @for_all(drawn(device), self.operators(), strategies.scenarios())
        def law(device: Device, operator: Operator, scenario: Scenario) -> None:
            answer = device.price(operator, scenario)
            declared = (*device.declared_resources, UNNAMED)
            for resource in answer.resources if isinstance(answer, Cost) else ():
                is_declared = resource in declared
                expect(is_declared, "a resource", f"one of {', '.join(declared)}", resource)

    def test_every_charge_is_at_a_price_that_the_device_declares(self, device: Any) -> None:
        """Each part of a unit cost is a parameter, where it has a unit, source and evidence."""

        @for_all(drawn(device), self.operators(), strategies.scenarios())
        def law(device: Device, operator: Operator, scenario: Scenario) -> None:
            declared = device.parameters
            for charge in _charges(device.price(operator, scenario)):
                for price, _ in charge.unit_cost.parts:
                    found = declared.get(price.name)
                    expect(
                        found == price, f"the price of {_line(charge)} as declared", price, found
                    )

    def test_the_units_of_every_charge_make_joules(self, device: Any) -> None:
        """Watts take seconds, and joules take none; a count of bytes need not name its unit."""

        @for_all(drawn(device), self.operators(), strategies.scenarios())
        def law(device: Device, operator: Operator, scenario: Scenario) -> None:
            for charge in _charges(device.price(operator, scenario)):
                units = [charge.unit_cost.unit, *(factor.unit for factor in charge.factors)]
                try:
                    found: object = _dimension(units)
                except UnitError as error:
                    found = str(error)
                what = f"the units of {_line(charge)}, {' x '.join(filter(None, units))},"
                expect(found == _JOULES, what, "joules", found)

    def test_every_parameter_has_a_unit_a_source_and_evidence(self, device: Any) -> None:
        """A number that nobody can look up is not a number."""

        @for_all(drawn(device))
        def law(device: Device) -> None:
            units = device.parameter_units()
            for name, parameter in device.parameters.items():
                expect(parameter.name == name, "the name of a parameter", name, parameter.name)
                unit = parameter.unit
                declared = units.get(name.partition(".")[0], unit)  # a memory checks its own
                expect(unit == declared, f"the unit of {name}", declared, unit)
                known = parse_quantity(f"1 {unit}".strip()).unit
                expect(known == unit, f"the unit of {name}", known, unit)
                expect(parameter.source.strip(), f"the source of {name}", "a text", "none")
                is_known = isinstance(parameter.evidence, Evidence)
                expect(is_known, f"the evidence of {name}", "an Evidence", parameter.evidence)

    def test_what_it_does_not_model_is_said_in_words(self, device: Any) -> None:
        """One line of text for below the table, or none."""

        @for_all(drawn(device))
        def law(device: Device) -> None:
            for said in (device.not_modelled, device.also_not_modelled, device.assumes):
                is_line = isinstance(said, str) and said == " ".join(said.split())
                expect(is_line, "not_modelled or assumes", "a text in one line", repr(said))

    def test_an_operator_that_nobody_knows_is_unpriced_and_named(self, device: Any) -> None:
        """Unknown work is never free, and the reason says what it is and who has no price."""

        @for_all(drawn(device), strategies.tensors(), strategies.scenarios())
        def law(device: Device, tensor: Any, scenario: Scenario) -> None:
            answer = device.price(_foreign(tensor), scenario)
            expected = f"Unpriced, naming {ForeignWork.__name__!r} and {device.name!r}"
            named = ForeignWork.__name__ in _reason(answer) and device.name in _reason(answer)
            expect(named and isinstance(answer, Unpriced), "unknown work", expected, answer)

    @assumes("additive-parts")
    def test_an_operator_that_it_does_not_know_costs_the_sum_of_its_parts(
        self, device: Any
    ) -> None:
        """What is composed of known work is priced, unless a part has no price."""
        some = st.lists(self.operators(), min_size=1, max_size=3)

        @for_all(drawn(device), some, strategies.scenarios())
        def law(device: Device, parts: list[Operator], scenario: Scenario) -> None:
            answer = device.price(ComposedWork(parts=tuple(parts)), scenario)
            apart = [
                device.price(part, scenario) for part in between(parts, scenario.default_format)
            ]
            if any(isinstance(item, Unpriced) for item in apart):
                expect(isinstance(answer, Unpriced), "work with such a part", "Unpriced", answer)
            else:
                total = math.fsum(map(_energy, apart))
                _same(_energy(answer), total, "work made of parts, as the sum of their energies")

    @assumes("larger-not-cheaper")
    def test_work_done_more_often_never_costs_less(self, device: Any) -> None:
        """Monotone in how often."""

        @for_all(drawn(device), self.operators(), st.integers(2, 9), strategies.scenarios())
        def law(device: Device, operator: Operator, times: int, scenario: Scenario) -> None:
            _never_less(device, operator, operator.repeated(times), scenario)

    @assumes("larger-not-cheaper")
    def test_larger_work_never_costs_less(self, device: Any) -> None:
        """Monotone in the length of every axis."""

        @for_all(drawn(device), strategies.growing_operators(), strategies.scenarios())
        def law(device: Device, sizes: tuple[Operator, Operator], scenario: Scenario) -> None:
            _never_less(device, *sizes, scenario)

    @assumes("wider-not-cheaper")
    def test_wider_numbers_never_cost_less(self, device: Any) -> None:
        """Monotone in the width of fixed-point tensors."""

        @for_all(drawn(device), strategies.widening_operators(), strategies.scenarios())
        def law(device: Device, widths: tuple[Operator, Operator], scenario: Scenario) -> None:
            _never_less(device, *widths, scenario)

    @assumes("busier-not-cheaper")
    def test_a_higher_rate_never_costs_less(self, device: Any) -> None:
        """Monotone in the firing rate."""

        @for_all(drawn(device), self.operators(), strategies.scenarios(), strategies.RATES)
        def law(device: Device, operator: Operator, scenario: Scenario, more: float) -> None:
            busier = evolve(scenario, rates=scenario.rate + more)
            calm, busy = (device.price(operator, item) for item in (scenario, busier))
            _never_below(_energy(busy), _energy(calm), f"at rate {busier.rates} Hz")

    def test_what_it_ignores_changes_no_price(self, device: Any) -> None:
        """Other values of the conditions that it `ignores`, the same prices."""
        conditions = strategies.scenarios()

        @for_all(drawn(device), self.operators(), conditions, conditions, strategies.formats())
        def law(
            device: Device,
            operator: Operator,
            scenario: Scenario,
            other: Scenario,
            chosen: NumericFormat,
        ) -> None:
            priced = _described(device.price(operator, scenario))
            evaluated = _evaluated(device, operator, scenario)
            for condition in device.ignores:
                changed = _under_other(condition, operator, scenario, other, chosen)
                for what, before, after in (
                    ("price", priced, _described(device.price(*changed))),
                    ("estimate", evaluated, _evaluated(device, *changed)),
                ):
                    where = f"the {what} under other {condition}, which it ignores"
                    expect(before == after, where, before, after)

    def test_what_it_does_not_ignore_changes_a_price(self, device: Any) -> None:
        """Each condition that it does not name in `ignores` makes a difference somewhere.

        That may be the price of an operator, or what a workload of it moves and how long it
        takes. The batch has a law of its own.
        """
        read: set[str] = set()
        found: set[str] = set()
        several = st.lists(self.operators(), min_size=3, max_size=3)

        @for_all(drawn(device), several)
        def law(device: Device, operators: list[Operator]) -> None:
            for operator in operators:
                before = device.price(operator, _CONDITIONS)
                if isinstance(before, Cost):
                    read.update(CONDITIONS.keys() - {"batch", *device.ignores})
                    found.update(filter(partial(_matters, device, operator), read - found))

        idle = [condition for condition in CONDITIONS if condition in read - found]
        what = "conditions that change no price"
        expect(not idle, what, "none but those named in `ignores`", ", ".join(idle))

    def test_a_batch_costs_what_each_of_its_operators_costs(self, device: Any) -> None:
        """A formula that is asked about many sizes at once says what it says of each."""

        @for_all(drawn(device), strategies.operator_batches(), strategies.scenarios())
        def law(device: Device, batch: OperatorBatch, scenario: Scenario) -> None:
            together = device.price(batch, scenario)
            for row, operator in enumerate(batch):
                alone = device.price(operator, scenario)
                if isinstance(alone, Reason):
                    described = together.free if isinstance(alone, Free) else together.unpriced
                    said = row in described.get(alone.reason, ())
                    expect(said, f"row {row} of a batch", alone, together)
                else:
                    among = together.energy_joules[row]
                    _same(among, alone.energy_joules, f"row {row} of a batch, as alone")

    @assumes("batch-linear")
    def test_twice_the_batch_costs_twice_the_dynamic_energy(self, device: Any) -> None:
        """Linear in the batch, but for what is static."""

        @for_all(drawn(device), self.operators(), strategies.scenarios())
        def law(device: Device, operator: Operator, scenario: Scenario) -> None:
            twice = evolve(scenario, batch=2 * scenario.batch)
            one, two = (_dynamic(device.price(operator, item)) for item in (scenario, twice))
            _same(two, 2 * one, f"dynamic energy of {twice.batch} examples, twice the batch")

    @assumes("price-linear")
    def test_twice_a_price_costs_twice_its_charges_and_changes_nothing_else(
        self, device: Any
    ) -> None:
        """Linear in every energy that the device declares."""

        @for_all(drawn(device), self.operators(), strategies.scenarios(), st.data())
        def law(
            device: Device, operator: Operator, scenario: Scenario, data: st.DataObject
        ) -> None:
            prices = [item for item in device.parameters.values() if item.unit == "J"]
            if not prices:
                return
            price = data.draw(st.sampled_from(prices))
            dearer = device.with_parameters(**{price.name: f"{2 * price.value!r} {price.unit}"})
            before, after = (_charges(item.price(operator, scenario)) for item in (device, dearer))
            what = f"charges with twice {price.name}"
            expect(len(before) == len(after), what, len(before), len(after))
            for old, new in zip(before, after, strict=True):
                expect(new.count == old.count, f"count of {_line(new)}", old.count, new.count)
                expected = old.energy_joules + old.count * _part(old, price)
                _same(new.energy_joules, expected, f"{_line(new)}, {what}")

    @assumes("stateless")
    def test_a_copy_of_it_prices_the_same(self, device: Any) -> None:
        """It may be handed to other threads and processes, which work on copies."""

        @for_all(drawn(device), self.operators(), strategies.scenarios())
        def law(device: Device, operator: Operator, scenario: Scenario) -> None:
            before = device.price(operator, scenario)
            for how in (copy.copy, copy.deepcopy):
                try:
                    found: object = how(device).price(operator, scenario)
                except Exception as error:  # noqa: BLE001  # whatever the copy lacks
                    found = error
                expect(found == before, f"the price of a {how.__name__}", before, found)

    @assumes("stateless")
    def test_the_same_question_has_the_same_answer(self, device: Any) -> None:
        """Whatever was asked before, and of an equal device too."""

        @for_all(drawn(device), self.operators(), self.operators(), strategies.scenarios())
        def law(device: Device, operator: Operator, other: Operator, scenario: Scenario) -> None:
            first = device.price(operator, scenario)
            device.price(other, scenario)
            for who, asked in (("the same device", device), ("an equal one", evolve(device))):
                again = asked.price(operator, scenario)
                expect(again == first, f"{who}, asked again", first, again)

    @assumes("stateless")
    def test_a_caller_cannot_change_it(self, device: Any) -> None:
        """It is frozen, and whatever a caller does to what it hands out changes no price."""

        @for_all(drawn(device), self.operators(), strategies.scenarios())
        def law(device: Device, operator: Operator, scenario: Scenario) -> None:
            before = device.price(operator, scenario)
            for item in fields(type(device)):
                with pytest.raises(AttributeError):
                    setattr(device, item.name, None)
            handed_out = [device.parameters, device.settings, device.parameter_units()]
            for mapping in [*handed_out, *_mappings(before)]:
                _empty(mapping)
            after = device.price(operator, scenario)
            expect(after == before, "the price after a caller tried to change it", before, after)

    def test_it_is_the_same_after_it_is_written_to_a_file(self, device: Any) -> None:
        """A device file, as JSON, holds all that there is to know of a device."""

        @for_all(drawn(device))
        def law(device: Device) -> None:
            if not all(item.source.strip() for item in _Written(device).figures):
                return  # such a file would be refused; that law is another one
            written = json.dumps(as_file(device), allow_nan=False).encode()
            family = type(device)
            loaded = load_device(written, f"{device.name}.yaml", {family.family: family})
            expect(type(loaded) is family, "its class, read back", family, type(loaded))
            own = ("name", "title", "process", "also_not_modelled", "assumes", "memories")
            chosen = ("parameters", "settings", "runtime", "runtimes", "residuals", "known")
            for part in (*own, *chosen):
                written_one, read_one = getattr(device, part), getattr(loaded, part)
                expect(read_one == written_one, f"its {part}, read back", written_one, read_one)
            for name in device.runtimes:
                expected, found = (one.with_runtime(name).memories for one in (device, loaded))
                expect(found == expected, f"its memories under {name}, read back", expected, found)

    def test_a_parameter_that_it_does_not_have_is_reported(self, device: Any) -> None:
        """The error names the device and what it does have."""

        @for_all(drawn(device))
        def law(device: Device) -> None:
            with pytest.raises(UnknownNameError) as described:
                device.with_parameters(no_such_parameter="1 pJ")
            _names(described.value, device.name, "no_such_parameter")

    def test_a_value_that_a_parameter_cannot_have_is_reported(self, device: Any) -> None:
        """The error names the device and the parameter."""
        wrongs = ["3 furlongs", "-1 {}", "nan {}", "much", "0 {}"]

        @for_all(drawn(device), st.sampled_from(wrongs))
        def law(device: Device, wrong: str) -> None:
            positive, tables = device.positive_parameters(), device.parameter_tables()
            for name, unit in device.parameter_units().items():
                if wrong == "0 {}" and name not in positive:
                    continue  # what nothing divides by may be 0
                path = f"{name}.int8" if name in tables else name
                with pytest.raises(CostModelError) as described:
                    device.with_parameters(**{path: wrong.format(unit)})
                _names(described.value, device.name, path)

    def test_a_value_that_a_setting_cannot_have_is_reported(self, device: Any) -> None:
        """The error names the device and the setting."""

        @for_all(drawn(device))
        def law(device: Device) -> None:
            for name in device.setting_names():
                with pytest.raises(CostModelError) as described:
                    device.with_parameters(**{name: object()})
                _names(described.value, device.name, name)

    def test_importing_it_brings_no_framework(self, device: Any) -> None:
        """Whoever lists the devices does not wait for TensorFlow."""

        @for_all(drawn(device))
        def law(device: Device) -> None:
            found = frameworks_behind(device)
            expect(not found, "frameworks imported with its module", "none", found)


def as_file(device: Device) -> dict[str, Any]:
    """A device as the plain values of a device file."""
    return _Written(device).file()


class _Written:
    """A device on its way to a file, which names each source by a key."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._states = {name: device.with_runtime(name) for name in device.runtimes}
        if device.runtime is not None:
            self._states[device.runtime] = device  # numbers may have changed since it was chosen
        texts = [figure.source for figure in self.figures]
        texts += [one.source for state in self._states.values() for one in state.residuals]
        self._keys = {text: f"source_{place}" for place, text in enumerate(dict.fromkeys(texts))}

    @property
    def figures(self) -> list[Parameter]:
        """All figures that the file gives."""
        states = (self._device, *self._states.values())
        return [one for state in states for one in state.parameters.values()]

    def file(self) -> dict[str, Any]:
        device = self._device
        written: dict[str, Any] = {
            "schema": SCHEMA, "name": device.name, "class": device.family, "title": device.title,
            "process": device.process, "not_modelled": device.also_not_modelled,
            "assumes": device.assumes,
            "sources": {key: text for text, key in self._keys.items() if text},
            **self._values(device),
        }  # fmt: skip
        if device.memories:
            written["memories"] = [self._memory(memory) for memory in device.memories]
        if self._states:
            chosen = {} if device.runtime is None else {"default": device.runtime}
            states = {name: self._runtime(state) for name, state in self._states.items()}
            written["runtimes"] = {**chosen, **states}
        return written

    def _values(self, device: Device) -> dict[str, Any]:
        """The parameters and settings."""
        given = {name: getattr(device, name) for name in device.parameter_units()}
        return {
            "parameters": {
                name: self._value(one) for name, one in given.items() if one is not None
            },
            "settings": dict(device.settings),
        }

    def _runtime(self, device: Device) -> dict[str, Any]:
        """The values of a device under one runtime."""
        written = {**self._values(device), "known": device.known}
        if device.memories:
            written["memories"] = [self._memory(memory) for memory in device.memories]
        if not device.residuals:
            return written
        return {**written, "residuals": [self._residual(one) for one in device.residuals]}

    def _residual(self, residual: Residual) -> Mapping[str, Any]:
        found: dict[str, Any] = {"low": residual.low, "high": residual.high}
        if residual.source:
            found["source"] = self._keys[residual.source]
        if residual.evidence is not None:
            found["evidence"] = residual.evidence.value
        if residual.batches is not None:
            found["batch"] = [*residual.batches]
        if residual.formats is not None:
            found["formats"] = [format_name(one) for one in residual.formats]
        if residual.shortest is not None:
            found["shortest"] = f"{residual.shortest!r} s"
        return found

    def _value(self, given: Parameter | FormatTable) -> dict[str, Any]:
        """A figure, or those of a table by format."""
        if isinstance(given, FormatTable):
            return {format_name(number): self._entry(figure) for number, figure in given.entries}
        return self._entry(given)

    def _entry(self, figure: Parameter) -> dict[str, str]:
        ends = ("value", "low", "high")
        numbers = {key: f"{getattr(figure, key)!r} {figure.unit}" for key in ends}
        known = {"source": self._keys[figure.source], "evidence": figure.evidence.value}
        return {**numbers, **known, "note": figure.note}

    def _memory(self, memory: Memory) -> dict[str, Any]:
        figures = {key: getattr(memory, key) for key in ("size", "bandwidth", "area", "leakage")}
        accesses = {key: getattr(memory, key) for key in ("read", "write")}
        return {
            "name": memory.name, "holds": list(memory.holds), "per": list(memory.per),
            "double_buffered": memory.double_buffered, "shared_port": memory.shared_port,
            "halo": memory.halo, "size": UNLIMITED,
            **{key: self._entry(figure) for key, figure in figures.items() if figure is not None},
            **{key: self._access(one) for key, one in accesses.items() if one is not None},
        }  # fmt: skip

    def _access(self, access: Access) -> dict[str, Any]:
        found = {"energy": self._entry(access.energy), "width": f"{access.width_bits} bit"}
        if access.smallest_bits is not None:
            found["smallest"] = f"{access.smallest_bits} bit"
        return found


_BASES: Mapping[str, Mapping[str, int]] = {
    "J": {"J": 1}, "W": {"J": 1, "s": -1}, "s": {"s": 1}, "Hz": {"s": -1}, "V": {"V": 1},
    "m2": {"m": 2},
}  # fmt: skip
"""The units that make a dimension; bytes, bits, operations and tokens are counts."""
_JOULES: Mapping[str, int] = {"J": 1}


def _dimension(units: Iterable[str]) -> Mapping[str, int]:
    """The exponents of joule, second, volt and metre in a product of units."""
    exponents: Counter[str] = Counter()
    for unit in units:
        upper, _, lower = parse_quantity(f"1 {unit}").unit.partition("/")
        exponents.update(_BASES.get(upper, {}))
        exponents.subtract(_BASES.get(lower, {}))
    return {unit: exponent for unit, exponent in exponents.items() if exponent}


def _under_other(
    condition: str, operator: Operator, scenario: Scenario, other: Scenario, chosen: NumericFormat
) -> tuple[Operator, Scenario]:
    """The same work with one condition taken from elsewhere."""
    if condition == "formats":
        return strategies.reformatted(operator, chosen), evolve(scenario, default_format=chosen)
    settings: dict[str, Any] = {name: getattr(other, name) for name in CONDITIONS[condition]}
    return operator, evolve(scenario, **settings)


_CONDITIONS: Final = Scenario(batch=2, timesteps=3, dt=0.01, rates=20.0)
_OTHERS: Final = Scenario(batch=5, timesteps=11, dt=0.05, rates=90.0)
_FORMATS: Final = (FLOAT32, FixedPoint(8, 7), FixedPoint(3, 2))
"""Conditions that differ in everything: what a device reads shows between them."""


def _matters(device: Device, operator: Operator, condition: str) -> bool:
    """Whether an answer changes with a condition, in what it counts or how long it takes."""
    changed = [
        _under_other(condition, operator, _CONDITIONS, other, chosen)
        for other, chosen in zip((_CONDITIONS, _OTHERS, _OTHERS), _FORMATS, strict=True)
    ]
    first, *others = [_counted(device.price(*one)) for one in changed]
    if any(one != first for one in others):
        return True
    first, *others = [_evaluated(device, *one) for one in changed]
    return any(one != first for one in others)


def _asked(device: Device, operator: Operator, scenario: Scenario) -> list[Outcome]:
    """What is said to an operator alone, and in a workload."""
    estimate = device.evaluate(strategies.alone(operator), evolve(scenario, batch=1))
    return [device.price(operator, scenario), *[each.outcome for each in estimate.groups]]


def _evaluated(device: Device, operator: Operator, scenario: Scenario) -> object:
    """What a workload of one operator costs; the batch is the operator's own."""
    return told_by(device.evaluate(strategies.alone(operator), evolve(scenario, batch=1)))


def _described(answer: Outcome) -> object:
    """The numbers of an answer, as far as rounding lets them be compared."""
    if not isinstance(answer, Cost):
        return type(answer)
    energies = (answer.energy_joules_low, answer.energy_joules, answer.energy_joules_high)
    return [_rounded(number) for number in (*energies, answer.latency_seconds)]


def _counted(answer: Outcome) -> object:
    """What an answer counts and how long it takes, whatever the prices are."""
    if not isinstance(answer, Cost):
        return type(answer)
    counts = [(_line(one), _rounded(one.count)) for one in answer.charges]
    return counts, _rounded(answer.latency_seconds)


def _rounded(number: float | None) -> str:
    return "unknown" if number is None else f"{number:.9g}"


def _charges(answer: Outcome) -> tuple[Charge, ...]:
    return answer.charges if isinstance(answer, Cost) else ()


def _energy(answer: Outcome) -> float:
    return answer.energy_joules if isinstance(answer, Cost) else 0.0


def _dynamic(answer: Outcome) -> float:
    return math.fsum(charge.energy_joules for charge in _charges(answer) if charge.role != "static")


def _never_less(device: Device, less: Operator, more: Operator, scenario: Scenario) -> None:
    before, after = device.price(less, scenario), device.price(more, scenario)
    # A chip may refuse what is too large or too wide for it, and says so.
    if not isinstance(after, Unpriced):
        _never_below(_energy(after), _energy(before), f"of {more!r:.300}")


def _never_below(more: float, less: float, what: str) -> None:
    expect(more >= less * (1 - TOLERANCE), f"energy {what}", f"at least {less} J", f"{more} J")


def _same(found: float, expected: float, what: str) -> None:
    is_same = math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=1e-300)
    expect(is_same, what, f"{expected} J", f"{found} J")


def _line(charge: Charge) -> str:
    return f"the charge to {charge.resource!r} for {charge.role!r} at {charge.unit_cost.name!r}"


def _part(charge: Charge, price: Parameter) -> float:
    """How much of a unit cost is due to one parameter."""
    parts = [(one, weight) for one, weight in charge.unit_cost.parts if one.name == price.name]
    return math.fsum(weight * one.value for one, weight in parts)


def _reason(answer: object) -> str:
    return answer.reason if isinstance(answer, Reason) else ""


def _mappings(answer: Outcome) -> Iterable[Mapping[str, Any]]:
    if not isinstance(answer, Cost):
        return []
    return [answer.energy_joules_by_role, answer.energy_joules_by_resource]


def _empty(mapping: Any) -> None:
    with contextlib.suppress(AttributeError, TypeError):
        mapping.clear()


def _names(error: Exception, *things: str) -> None:
    for thing in things:
        expect(thing in str(error), "the error's text", f"it names {thing!r}", error)
