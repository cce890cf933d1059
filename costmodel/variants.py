"""Variants: many operators that differ in their sizes alone, and what all of them cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final, overload

from attrs import evolve, field, fields, frozen, has

from costmodel.sizes import MARK, ManyAnswersError, Sizes
from costmodel.units import format_quantity
from costmodel.workload.operators import Operator
from costmodel.workload.reasons import Free, Reason, Unpriced

if TYPE_CHECKING:
    import numpy as np

    from costmodel.devices import Cost, Outcome, Parameter

    Array = np.ndarray[Any, Any]
    Rows = Array | slice

_MANY: Final = 2**15
"""As many operators are priced together: their arrays stay in the processor's cache."""
_FEW: Final = 8
"""Fewer operators than this are priced sooner one by one than together."""


@frozen(eq=False)
class Variants(Sequence[Operator]):
    """One operator whose sizes are `Sizes`: as many ordinary operators as they hold numbers.

    Raises:
        ValueError: the operator holds no `Sizes`, or sizes of different numbers of variants, or
            such as are no whole numbers.

    """

    operator: Operator = field()
    _count: int = field(init=False)

    @_count.default
    def _counted(self) -> int:
        held: list[Sizes] = []

        def hold(sizes: Sizes) -> Sizes:
            held.append(sizes)
            return sizes

        _changed(self.operator, hold)
        counts = sorted({len(sizes) for sizes in held})
        if len(counts) != 1:
            found = " and ".join(map(str, counts)) or "none"
            message = f"expected sizes of one number of variants in the operator, found {found}"
            raise ValueError(message)
        for sizes in held:
            if (sizes.values % 1).any():
                message = f"expected whole numbers as sizes of an operator, found {sizes!r}"
                raise ValueError(message)
        return counts[0]

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Operator: ...

    @overload
    def __getitem__(self, index: slice) -> Variants: ...

    def __getitem__(self, index: int | slice) -> Operator | Variants:
        """The ordinary operator at one place, or the variants of several places."""
        if isinstance(index, slice):
            return Variants(self.taken(index))
        return _changed(self.operator, lambda sizes: sizes[index])  # type: ignore[no-any-return]  # the operator, changed

    def taken(self, rows: Rows) -> Operator:
        """The operator with the sizes at these places."""
        taken: dict[int, Sizes] = {}

        def take(sizes: Sizes) -> Sizes:
            if id(sizes) not in taken:
                taken[id(sizes)] = sizes.take(rows)
            return taken[id(sizes)]

        return _changed(self.operator, take)  # type: ignore[no-any-return]  # the operator, changed


def _changed(value: Any, change: Callable[[Sizes], Any]) -> Any:
    """A value with all sizes in it changed; the same object where there are none."""
    if isinstance(value, Sizes):
        return change(value)
    if value.__class__ in (tuple, list):
        items = [_changed(item, change) for item in value]
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else value.__class__(items)
    new = {}
    for name, argument in _fields_of(value.__class__):
        old = getattr(value, name)
        found = _changed(old, change)
        if found is not old:
            new[argument] = found
    return evolve(value, **new) if new else value


@cache
def _fields_of(cls: type) -> tuple[tuple[str, str], ...]:
    """The fields from which a value of a class of attrs is made, and the names of the arguments."""
    if not has(cls):
        return ()
    return tuple((item.name, item.alias or item.name) for item in fields(cls) if item.init)


@frozen(eq=False, slots=False)
class Costs:
    """What many operators cost, a row for each; arrays have the shape `(operators,)`.

    `counts` has a column for each of `lines`, which name a component and its unit price:
    `counts @ figures` prices them all with other figures. What has no price is not a number
    (NaN), what is free is zero; `unpriced` and `free` tell the rows of every reason.
    """

    lines: tuple[tuple[str, Parameter], ...]
    counts: Array = field(repr=False)
    latency_seconds: Array | None = field(repr=False)
    unpriced: Mapping[str, Array] = field(repr=False)
    free: Mapping[str, Array] = field(repr=False)

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def energy_joules(self) -> Array:
        """Energy of every operator."""
        return self._energies([price.value for _, price in self.lines])

    @cached_property
    def energy_joules_low(self) -> Array:
        """Energy of every operator at the lowest prices."""
        return self._energies([price.low for _, price in self.lines])

    @cached_property
    def energy_joules_high(self) -> Array:
        """Energy of every operator at the highest prices."""
        return self._energies([price.high for _, price in self.lines])

    @property
    def components(self) -> Mapping[str, Array]:
        """Energies in joules by component."""
        return {
            component: self._energies(
                [price.value * (component == name) for name, price in self.lines]
            )
            for component in dict.fromkeys(name for name, _ in self.lines)
        }

    def __str__(self) -> str:
        """Write how many operators cost how much, and what has no price."""
        known = self.energy_joules[~_numpy().isnan(self.energy_joules)]
        ends = (known.min(), known.max()) if known.size else ()
        energy = " to ".join(format_quantity(float(end), "J") for end in ends) or "no price"
        told = [
            f"{len(rows):,} {word}: {reason}"
            for word, reasons in (("unpriced", self.unpriced), ("free", self.free))
            for reason, rows in reasons.items()
        ]
        return "\n  ".join([f"{len(self):,} operators: {energy}", *told])

    def _energies(self, figures: Sequence[float]) -> Array:
        energies: Array = self.counts @ _numpy().array(figures, dtype=float)
        for rows in self.unpriced.values():
            energies[rows] = _numpy().nan
        return energies


def costs_of(operators: Iterable[Operator], price: Callable[[Operator], Outcome]) -> Costs:
    """What `price` says of every operator.

    Variants are priced together: the rule is given the one operator whose sizes are many. Where
    it asks what variants answer differently, they are parted by their answers; a rule that
    cannot be asked about many at all is asked about one after the other.
    """
    if isinstance(operators, Variants):
        count: int = len(operators)
        outcomes: Iterable[tuple[Any, Outcome]] = _outcomes(operators, price)
    else:
        listed = _listed(operators)
        count, outcomes = len(listed), enumerate(map(price, listed))
    ledger = _Ledger(count)
    for rows, outcome in outcomes:
        ledger.note(rows, outcome)
    return ledger.costs()


def _listed(operators: Iterable[Operator]) -> list[Operator]:
    listed: list[Any] = list(operators) if isinstance(operators, Iterable) else [operators]
    for operator in listed:
        if not isinstance(operator, Operator):
            message = f"expected an operator, or several, found {operator!r:.80}"
            raise TypeError(message)
    return listed


def _outcomes(
    variants: Variants, price: Callable[[Operator], Outcome]
) -> Iterator[tuple[Any, Outcome]]:
    np = _numpy()
    pending = np.array_split(np.arange(len(variants)), -(-len(variants) // _MANY))
    while pending:
        rows = pending.pop()
        if len(rows) < _FEW:
            yield from _one_by_one(variants, rows, price)
            continue
        is_all = len(rows) == len(variants)
        operator = variants.operator if is_all else variants.taken(rows)
        try:
            with np.errstate(all="raise", under="ignore"):
                outcome = price(operator)
        except ManyAnswersError as question:
            pending += _parted(rows, question.labels)
        except Exception:  # noqa: BLE001  # whatever a formula cannot do with many, it may with one
            yield from _one_by_one(variants, rows, price)
        else:
            if _tells_sizes(outcome):
                yield from _one_by_one(variants, rows, price)
            else:
                yield (slice(None) if is_all else rows), outcome


def _one_by_one(
    variants: Variants, rows: Array, price: Callable[[Operator], Outcome]
) -> Iterator[tuple[Any, Outcome]]:
    for row in rows:
        try:
            yield row, price(variants[row])
        except Exception as error:
            error.add_note(f"variant {row} of {len(variants)}")
            raise


def _parted(rows: Array, labels: Array) -> list[Array]:
    """The rows, those of one label together."""
    np = _numpy()
    order = np.argsort(labels, kind="stable")
    ends = np.flatnonzero(np.diff(labels[order])) + 1
    return np.split(rows[order], ends)  # type: ignore[no-any-return]  # arrays


def _tells_sizes(outcome: Outcome) -> bool:
    """Whether a text or a price is that of the sizes of one, which are many here."""
    if isinstance(outcome, Reason):
        return MARK in outcome.reason
    return any(
        MARK in component or isinstance(price.value, Sizes)
        for component, _, shares in outcome.due
        for price, _ in shares
    )


class _Ledger:
    """What is said of each row, until it becomes arrays."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._columns: dict[tuple[str, Parameter], int] = {}
        self._entries: list[tuple[Any, int, Any]] = []
        self._times: list[tuple[Any, Any]] = []
        self._reasons: dict[Reason, list[Any]] = {}

    def note(self, rows: Any, outcome: Outcome) -> None:
        """Take down what was said of these rows."""
        if isinstance(outcome, Reason):
            self._reasons.setdefault(outcome, []).append(rows)
        else:
            self._note_cost(rows, outcome)

    def _note_cost(self, rows: Any, cost: Cost) -> None:
        columns = self._columns
        for component, count, shares in cost.due:
            for price, share in shares:
                column = columns.setdefault((component, price), len(columns))
                self._entries.append((rows, column, _plain(count * share)))
        if cost.latency_seconds is not None:
            self._times.append((rows, _plain(cost.latency_seconds)))

    def costs(self) -> Costs:
        """All of it as arrays."""
        np = _numpy()
        columns = np.zeros((len(self._columns), self._count))
        for rows, column, counts in self._entries:
            columns[column, rows] += counts
        unpriced, free = self._rows_of(Unpriced), self._rows_of(Free)
        for rows in unpriced.values():
            columns[:, rows] = np.nan
        return Costs(tuple(self._columns), columns.T, self._latency(), unpriced, free)

    def _latency(self) -> Array | None:
        if not self._times:
            return None
        times = _numpy().full(self._count, _numpy().nan)
        for rows, seconds in self._times:
            times[rows] = seconds
        return times  # type: ignore[no-any-return]  # an array

    def _rows_of(self, kind: type[Reason]) -> dict[str, Array]:
        np = _numpy()
        everywhere = np.arange(self._count)
        found: dict[str, Array] = {}
        for reason, rows in self._reasons.items():
            if isinstance(reason, kind):
                found[reason.reason] = np.sort(np.hstack([everywhere[part] for part in rows]))
        return found


def _plain(number: Any) -> Any:
    return number.values if isinstance(number, Sizes) else number


def _numpy() -> Any:
    import numpy as np  # noqa: PLC0415  # one operator needs none of it

    return np
