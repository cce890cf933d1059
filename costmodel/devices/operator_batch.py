"""Operator batches: many operators that differ in their sizes alone, and what all of them cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, overload

from attrs import evolve, field, fields, frozen, has

from costmodel.errors import CostModelError, OneSizeNeededError, PluginError
from costmodel.errors import fault as in_words
from costmodel.tensor.lockstep import Lockstep, current, lockstep
from costmodel.tensor.sizes import SizeArray
from costmodel.units import format_quantity
from costmodel.workload.operators import Operator
from costmodel.workload.reasons import Free, Reason, Unpriced

if TYPE_CHECKING:
    import numpy as np

    from costmodel.devices.cost import Cost, Outcome
    from costmodel.devices.parameters import Parameter

    Array: TypeAlias = np.ndarray[Any, Any]
    Rows: TypeAlias = Array | slice

_MANY: Final = 2**15
"""As many operators are priced together: their arrays stay in the processor's cache."""
_FEW: Final = 8
"""Fewer operators than this are priced sooner one by one than together."""


def _one_operator(given: Any) -> Operator:
    if not isinstance(given, Operator):
        message = f"expected one operator, with a SizeArray for a size, found {given!r:.80}"
        raise TypeError(message)
    return given


@frozen(eq=False)
class OperatorBatch(Sequence[Operator]):
    """One operator with a `SizeArray` for a size: as many operators as the arrays have numbers.

    Raises:
        ValueError: the operator holds no `SizeArray`, or some of different lengths, or one with
            numbers that are not whole.
        TypeError: it is not one operator.

    """

    operator: Operator = field(converter=_one_operator)
    _with: _Remake = field(init=False, repr=False)
    """Makes the operator with other sizes."""
    _count: int = field(init=False)

    @_with.default
    def _found(self) -> _Remake:
        remake = _remaker(self.operator)
        if remake is None:
            message = "expected a SizeArray in the operator, found none"
            raise ValueError(message)
        return remake

    @_count.default
    def _counted(self) -> int:
        held: list[SizeArray] = []

        def hold(sizes: SizeArray) -> SizeArray:
            held.append(sizes)
            return sizes

        self._with(hold)
        counts = sorted({len(sizes) for sizes in held})
        if len(counts) != 1:
            found = " and ".join(map(str, counts))
            message = f"expected arrays of one length in the operator, found {found}"
            raise ValueError(message)
        for sizes in held:
            if (sizes.values % 1).any():
                message = f"expected whole numbers as sizes of an operator, found {sizes!r}"
                raise ValueError(message)
        return counts[0]

    def __len__(self) -> int:
        return self._count

    def __reduce__(self) -> tuple[type[OperatorBatch], tuple[Operator]]:
        """Pickle and copy the operator alone."""
        return OperatorBatch, (self.operator,)

    @overload
    def __getitem__(self, index: int) -> Operator: ...

    @overload
    def __getitem__(self, index: slice) -> OperatorBatch: ...

    def __getitem__(self, index: int | slice) -> Operator | OperatorBatch:
        """The ordinary operator at one place, or the batch of several places."""
        if isinstance(index, slice):
            return OperatorBatch(self.taken(index))
        operator: Operator = self._with(lambda sizes: sizes[index])
        return operator

    def taken(self, rows: Rows) -> Operator:
        """The operator with the sizes at these places."""
        taken: dict[int, SizeArray] = {}

        def take(sizes: SizeArray) -> SizeArray:
            if id(sizes) not in taken:
                taken[id(sizes)] = sizes.take(rows)
            return taken[id(sizes)]

        operator: Operator = self._with(take)
        return operator


_Change: TypeAlias = Callable[[SizeArray], Any]
_Remake: TypeAlias = Callable[[_Change], Any]


def _remaker(value: Any) -> _Remake | None:
    """What makes a value with its sizes changed; None where it holds none."""
    if isinstance(value, SizeArray):
        return lambda change: change(value)
    if value.__class__ in (tuple, list):
        items = [(item, _remaker(item)) for item in value]
        if not any(remake for _, remake in items):
            return None
        return lambda change: value.__class__(
            [item if remake is None else remake(change) for item, remake in items]
        )
    found = [(name, _remaker(getattr(value, held))) for held, name in _fields_of(value.__class__)]
    parts = {name: remake for name, remake in found if remake}
    if not parts:
        return None
    return lambda change: evolve(value, **{name: part(change) for name, part in parts.items()})


@cache
def _fields_of(cls: type) -> tuple[tuple[str, str], ...]:
    """The fields from which a value of a class of attrs is made, and the names of the arguments."""
    if not has(cls):
        return ()
    return tuple((item.name, item.alias or item.name) for item in fields(cls) if item.init)


@frozen(eq=False, slots=False)
class CostTable:
    """What many operators cost, a row for each; arrays have the shape `(operators,)`.

    `counts` has a column for each of `lines`, which name a resource, a role and a parameter of
    the device; of a unit cost with several parts, each has a column, its weight multiplied in.
    `counts @ figures` prices them all with other figures. What has no price is not a number
    (NaN), what is free is zero; `unpriced` and `free` give the rows of every reason.
    """

    lines: tuple[tuple[str, str, Parameter], ...]
    counts: Array = field(repr=False)
    latency_seconds: Array | None = field(repr=False)
    unpriced: Mapping[str, Array] = field(repr=False)
    free: Mapping[str, Array] = field(repr=False)

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def energy_joules(self) -> Array:
        """Energy of every operator."""
        return self._energies([parameter.value for *_, parameter in self.lines])

    @cached_property
    def energy_joules_low(self) -> Array:
        """Energy of every operator at the lowest prices."""
        return self._energies([parameter.low for *_, parameter in self.lines])

    @cached_property
    def energy_joules_high(self) -> Array:
        """Energy of every operator at the highest prices."""
        return self._energies([parameter.high for *_, parameter in self.lines])

    @property
    def energy_joules_by_resource(self) -> Mapping[str, Array]:
        """Energies by what they are spent in, such as a memory or multipliers."""
        return self._energies_by([resource for resource, *_ in self.lines])

    @property
    def energy_joules_by_role(self) -> Mapping[str, Array]:
        """Energies by what they are spent on: inputs, weights, outputs, computing and so on."""
        return self._energies_by([role for _, role, _ in self.lines])

    def _energies_by(self, names: Sequence[str]) -> Mapping[str, Array]:
        return {
            name: self._energies(
                [
                    parameter.value * (own == name)
                    for own, (*_, parameter) in zip(names, self.lines, strict=True)
                ]
            )
            for name in dict.fromkeys(names)
        }

    def __str__(self) -> str:
        """Write how many operators cost how much, and what has no price."""
        known = self.energy_joules[~_numpy().isnan(self.energy_joules)]
        ends = (known.min(), known.max()) if known.size else ()
        energy = " to ".join(format_quantity(float(end), "J") for end in ends) or "no price"
        described = [
            f"{len(rows):,} {word}: {reason}"
            for word, reasons in (("unpriced", self.unpriced), ("free", self.free))
            for reason, rows in reasons.items()
        ]
        return "\n  ".join([f"{len(self):,} operators: {energy}", *described])

    def _energies(self, figures: Sequence[float]) -> Array:
        energies: Array = self.counts @ _numpy().array(figures, dtype=float)
        for rows in self.unpriced.values():
            energies[rows] = _numpy().nan
        return energies


def of_first(operator: Operator) -> Operator:
    """The ordinary operator of the first row of the call under way, which covers no other row."""
    call = current()
    remake = _remaker(operator) if call else None
    if call is None or remake is None:
        return operator
    ordinary: Operator = remake(lambda sizes: sizes[call.first()])
    return ordinary


class _Said(NamedTuple):
    """What was said of some rows; `places` is where they stand in its arrays, if it has any."""

    rows: Any
    outcome: Outcome
    places: Rows | None


def _listed(operators: Any) -> Sequence[Operator]:
    if isinstance(operators, OperatorBatch):
        return operators
    listed: list[Any] = list(operators) if isinstance(operators, Iterable) else [operators]
    for operator in listed:
        if not isinstance(operator, Operator):
            message = f"expected an operator, or several, found {operator!r:.80}"
            raise TypeError(message)
    return listed


@frozen
class Pricing:
    """The pricing of many operators: the price of one, and the class of the device and its rules.

    A batch is priced together: a rule gets the one operator whose sizes are many. The first of
    them answers what the rule asks, and those that answer otherwise are priced by a further call.
    """

    operators: Sequence[Operator] = field(converter=_listed)
    price: Callable[[Operator], Outcome]
    owner: type
    rules: Mapping[type[Operator], str]

    def costs(self) -> CostTable:
        """What every operator costs.

        Raises:
            CostModelError: what a rule raised, with a note that names it and the operator.
            PluginError: a rule failed in another way; the message names it and the operator.
            OneSizeNeededError: a rule fails on many operators, and on none of them alone.

        """
        operators = self.operators
        ledger = _Ledger(len(operators))
        every: Iterable[_Said]
        if isinstance(operators, OperatorBatch):
            every = self._together(operators)
        else:
            every = map(self._alone, range(len(operators)))
        for said in every:
            ledger.note(said)
        return ledger.costs()

    def _together(self, batch: OperatorBatch) -> Iterator[_Said]:
        np = _numpy()
        pending = np.array_split(np.arange(len(batch)), -(-len(batch) // _MANY))[::-1]
        while pending:
            rows = pending.pop()
            if len(rows) < _FEW:
                yield from map(self._alone, rows)
                continue
            call, outcome = self._asked(batch, rows)
            pending += [rows[places] for places in call.aside]
            if outcome is None or call.one_by_one:
                yield from map(self._alone, rows[call.active])
            else:
                yield _Said(rows[call.active], outcome, call.active)

    def _asked(self, batch: OperatorBatch, rows: Array) -> tuple[Lockstep, Outcome | None]:
        """The call for these rows, and what is said of its active ones."""
        with _numpy().errstate(all="ignore"), lockstep(len(rows)) as call:
            try:
                is_all = len(rows) == len(batch)
                return call, self.price(batch.operator if is_all else batch.taken(rows))
            except Exception as error:  # noqa: BLE001  # it is raised again, with the operator at fault
                fault = error
        self._find(batch, rows[call.active], fault)
        if call.one_by_one:
            return call, None
        where = self._where(batch.operator)
        message = (
            f"{where}: one size is needed where there are many ({in_words(fault, self.owner)}); "
            "mark the rule as @handles(..., batched=False), "
            "or price a list: device.price(list(batch))"
        )
        raise OneSizeNeededError(message) from fault

    def _find(self, batch: OperatorBatch, rows: Array, fault: Exception) -> None:
        """Raise the error of the first operator that fails alone, if there is one.

        Most faults are those of every row. One of few rows is found by halves, with as many calls
        as their number has digits.
        """
        self._alone(rows[0])
        if isinstance(fault, OneSizeNeededError):
            return
        while len(rows) > 1:
            half = rows[: len(rows) // 2]
            rows = half if self._fails(batch.taken(half), len(half)) else rows[len(half) :]
        self._alone(rows[0])

    def _fails(self, operator: Operator, count: int) -> bool:
        with _numpy().errstate(all="ignore"), lockstep(count):
            try:
                self.price(operator)
            except Exception:  # noqa: BLE001  # whether there is one is the question
                return True
        return False

    def _alone(self, row: int) -> _Said:
        operator = self.operators[row]
        where = f"row {row:,} of {len(self.operators):,}"
        try:
            return _Said(row, self.price(operator), None)
        except CostModelError as error:
            error.add_note(f"{self._where(operator)}, {where}")
            raise
        except Exception as error:
            described = in_words(error, self.owner)
            message = f"{self._where(operator)}, {where}: {described}"
            raise PluginError(message) from error

    def _where(self, operator: Operator) -> str:
        rule = self.rules.get(type(operator))
        named = f"rule {rule!r}" if rule else f"parts of {type(operator).__name__!r}"
        return f"device class {self.owner.__name__!r}, {named}"


class _Ledger:
    """What is said of each row, until it becomes arrays."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._columns: dict[tuple[str, str, Parameter], int] = {}
        self._entries: list[tuple[Any, int, Any]] = []
        self._times: list[tuple[Any, Any]] = []
        self._reasons: dict[Reason, list[Any]] = {}

    def note(self, said: _Said) -> None:
        """Take down what was said of some rows."""
        if isinstance(said.outcome, Reason):
            self._reasons.setdefault(said.outcome, []).append(said.rows)
        else:
            self._note_cost(said, said.outcome)

    def _note_cost(self, said: _Said, cost: Cost) -> None:
        columns = self._columns
        # A slice of all rows is written faster than their numbers.
        is_all = said.places is not None and len(said.rows) == self._count
        rows = slice(None) if is_all else said.rows
        for charge in cost.charges:
            for parameter, weight in charge.unit_cost.parts:
                line = (charge.resource, charge.role, parameter)
                column = columns.setdefault(line, len(columns))
                self._entries.append((rows, column, _at(said.places, charge.count * weight)))
        if cost.latency_seconds is not None:
            self._times.append((rows, _at(said.places, cost.latency_seconds)))

    def costs(self) -> CostTable:
        """All of it as arrays."""
        np = _numpy()
        columns = np.zeros((len(self._columns), self._count))
        for rows, column, counts in self._entries:
            columns[column, rows] += counts
        unpriced, free = self._rows_of(Unpriced), self._rows_of(Free)
        for rows in unpriced.values():
            columns[:, rows] = np.nan
        return CostTable(tuple(self._columns), columns.T, self._latency(), unpriced, free)

    def _latency(self) -> Array | None:
        if not self._times:
            return None
        times = _numpy().full(self._count, _numpy().nan)
        for rows, seconds in self._times:
            times[rows] = seconds
        return times  # type: ignore[no-any-return]  # an array

    def _rows_of(self, kind: type[Reason]) -> dict[str, Array]:
        np = _numpy()
        return {
            reason.reason: np.sort(np.hstack(rows))
            for reason, rows in self._reasons.items()
            if isinstance(reason, kind)
        }


def _at(places: Rows | None, number: Any) -> Any:
    """The numbers of the rows at these places.

    Raises:
        OneSizeNeededError: there are many numbers for one row.

    """
    if not isinstance(number, SizeArray):
        return number
    if places is None:
        message = (
            f"found {number!r} in an operator of a list, which has one size; "
            "price it as device.price(OperatorBatch(operator))"
        )
        raise OneSizeNeededError(message)
    return number.values[places]


def _numpy() -> Any:
    import numpy as np  # noqa: PLC0415  # one operator needs none of it

    return np
