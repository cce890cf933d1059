"""Which operators two networks do not share, whatever their layers are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from costmodel.report.table import Column, Table
from costmodel.workload.composite import Attention
from costmodel.workload.operators import Contraction, Movement, Operator
from costmodel.workload.reasons import Reason

if TYPE_CHECKING:
    from costmodel.estimates.estimate import Estimate

_MOST: Final = 20
"""Rows that are shown."""
_MOST_LAYERS: Final = 3
_FACTORS: Final = 2


@frozen(order=True)
class OperatorForm:
    """What operators have in common that do the same work: what they do, on how many elements.

    How axes are called, ordered and split is left out, and so are biases and other constants,
    which a converter drops where they change nothing.
    """

    macs: int
    points: int
    does: str
    elements: tuple[int, ...]
    """Of the operands, in order of size."""
    sizes: tuple[int, ...] = field(eq=False, order=False)
    """Of the dimensions, to be shown."""

    @classmethod
    def of(cls, operator: Operator) -> OperatorForm:
        """The form of an operator."""
        name = getattr(operator, "function", "") or type(operator).__name__.lower()
        sizes = tuple(sorted(size for size in operator.dims.values() if size != 1))
        operands = [one for one in operator.operands if one.role != "weight"]
        if isinstance(operator, Contraction):
            operands = [*operator.operands[:_FACTORS], *operator.outputs]
        elements = tuple(sorted(operand.tensor.size for operand in operands))
        return cls(operator.macs, operator.points, str(name), elements, sizes)

    def __str__(self) -> str:
        return f"{self.does} {' x '.join(f'{size:,}' for size in self.sizes) or 'of one element'}"


def operators_by_form(estimate: Estimate) -> Mapping[OperatorForm, list[str]]:
    """The layers of each operator by its form, once for each; movements are left out.

    Attention stands as the steps that it has. What a loop repeats is one operator of all steps.
    """
    found: dict[OperatorForm, list[str]] = {}
    for work in estimate.lowered:
        if isinstance(work.work, Reason):
            continue
        for operator in work.work:
            parts = operator.decompose() if isinstance(operator, Attention) else [operator]
            for part in parts:
                if not isinstance(part, Movement):
                    found.setdefault(OperatorForm.of(part), []).append(work.layer.name)
    return found


def operator_table(before: Estimate, after: Estimate) -> Table:
    """A row for each operator that one network has more often than the other."""
    sides = [operators_by_form(one) for one in (before, after)]
    names = [one.network.name or "network" for one in (before, after)]
    if names[0] == names[1]:
        names = [f"{name}, {which}" for name, which in zip(names, ("1st", "2nd"), strict=True)]
    forms = sorted({*sides[0], *sides[1]}, reverse=True)
    different = [form for form in forms if len(_at(sides[0], form)) != len(_at(sides[1], form))]
    if not different:
        return Table(f"operators: the same in both: {_counted(sides[0])}", [], [])
    columns = [
        Column("Operator"), *(Column(name, numeric=True) for name in names), Column("Layers"),
    ]  # fmt: skip
    rows = [_row(form, sides) for form in different[:_MOST]]
    notes = [f"alike in both: {_counted(_common(sides))}"]
    if len(different) > _MOST:
        notes.append(f"{len(different) - _MOST} more operators differ")
    return Table("operators that differ", columns, rows, notes=notes, folds=True)


def _at(side: Mapping[OperatorForm, list[str]], form: OperatorForm) -> list[str]:
    return side.get(form, [])


def _row(form: OperatorForm, sides: Sequence[Mapping[OperatorForm, list[str]]]) -> tuple[str, ...]:
    own, other = (_at(side, form) for side in sides)
    layers = own if len(own) > len(other) else other
    more = ", ..." if len(layers) > _MOST_LAYERS else ""
    return str(form), str(len(own)), str(len(other)), ", ".join(layers[:_MOST_LAYERS]) + more


def _common(
    sides: Sequence[Mapping[OperatorForm, list[str]]],
) -> Mapping[OperatorForm, list[str]]:
    first, second = sides
    return {form: layers for form, layers in first.items() if len(layers) == len(_at(second, form))}


def _counted(side: Mapping[OperatorForm, list[str]]) -> str:
    """How many operators of which kind."""
    counts: Counter[str] = Counter()
    for form, layers in side.items():
        counts["contractions" if form.macs else "others"] += len(layers)
    return ", ".join(_words(counts)) or "none"


def _words(counts: Counter[str]) -> Iterator[str]:
    macs = "contractions"
    if counts[macs]:
        yield f"{counts[macs]} {macs if counts[macs] > 1 else Contraction.__name__.lower()}"
    if counts["others"]:
        yield f"{counts['others']} {'others' if counts['others'] > 1 else 'other'}"
