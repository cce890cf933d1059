"""The laws of an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from attrs import evolve, fields
from hypothesis import strategies as st

from costmodel.testing.contract import (
    Contract,
    drawn,
    expect,
    for_all,
    frameworks_behind,
    missing_fixture,
)
from costmodel.workload.operators import STANDARD, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEEPEST: Final = 8
"""Levels of parts within parts; whoever needs more has a circle."""


class OperatorContract(Contract):
    """What every operator must keep. Give it the fixture `operator`.

    The fixture returns an operator, or a strategy of them.
    """

    @pytest.fixture
    def operator(self) -> Any:
        """The operator, or a strategy of operators."""
        missing_fixture(self, "operator", "a costmodel.Operator")

    def test_its_counts_are_whole_and_not_negative(self, operator: Any) -> None:
        """Operations are counted, so they are whole numbers."""

        @for_all(drawn(operator))
        def law(operator: Operator) -> None:
            for count in (operator.macs, *operator.operations.values()):
                is_count = isinstance(count, int) and count >= 0
                expect(is_count, "a count of macs or operations", "a whole number >= 0", count)

    def test_its_multiply_accumulates_are_among_its_operations(self, operator: Any) -> None:
        """`macs` and `operations` say the same."""

        @for_all(drawn(operator))
        def law(operator: Operator) -> None:
            counted = operator.operations.get("multiply-accumulate", 0)
            what = "operations['multiply-accumulate']"
            expect(counted == operator.macs, what, f"macs, {operator.macs}", counted)

    def test_its_parts_do_as_many_multiply_accumulates(self, operator: Any) -> None:
        """To decompose neither loses nor adds one."""

        @for_all(drawn(operator))
        def law(operator: Operator) -> None:
            parts = operator.decompose()
            found = sum(part.macs for part in parts)
            expect(not parts or found == operator.macs, "macs of its parts", operator.macs, found)

    def test_every_device_can_price_its_parts(self, operator: Any) -> None:
        """It is a standard operator, or decomposes into some at last."""

        @for_all(drawn(operator))
        def law(operator: Operator) -> None:
            strange = [part for part in _ends(operator) if type(part) not in STANDARD]
            expect(not strange, "the last of its parts", "standard operators", strange)

    def test_repeated_work_is_that_many_times_the_work(self, operator: Any) -> None:
        """Twice the operations on twice the inputs and outputs, with the same weights."""

        @for_all(drawn(operator), st.integers(1, 5))
        def law(operator: Operator, times: int) -> None:
            often = operator.repeated(times)
            for what, found, expected in (
                ("macs", often.macs, times * operator.macs),
                ("operations", dict(often.operations), _times(operator.operations, times)),
                ("input elements", _elements(often.inputs), times * _elements(operator.inputs)),
                ("output elements", _elements(often.outputs), times * _elements(operator.outputs)),
                ("weights", often.weights, operator.weights),
            ):
                expect(found == expected, f"{what} of repeated({times})", expected, found)

    def test_its_tensors_are_bound(self, operator: Any) -> None:
        """Work is known only where every axis has a length."""

        @for_all(drawn(operator))
        def law(operator: Operator) -> None:
            for tensor in operator.operands:
                expect(tensor.is_bound, "its tensors", "no open axis", tensor)

    def test_its_accesses_lie_inside_its_operands(self, operator: Any) -> None:
        """No operand has more elements that are accessed than it has elements."""

        @for_all(drawn(operator))
        def law(operator: Operator) -> None:
            for operand in operator.operands if _is_bound(operator) else ():
                found = operator.accesses(operand)
                is_sound = 0 <= found.elements <= min(operand.size, max(found.points, 0))
                expect(is_sound, f"elements of {operand} accessed", f"0 to {operand.size}", found)

    def test_it_is_a_frozen_value(self, operator: Any) -> None:
        """Nothing in it can be changed, so an equal one is the same and can be looked up."""

        @for_all(drawn(operator))
        def law(operator: Operator) -> None:
            twin = evolve(operator)
            expect(twin == operator, "a copy of it", operator, twin)
            expect(hash(twin) == hash(operator), "the hash of a copy", hash(operator), hash(twin))
            for item in fields(type(operator)):
                with pytest.raises(AttributeError):
                    setattr(operator, item.name, None)

    def test_a_list_that_the_caller_keeps_does_not_reach_it(self, operator: Any) -> None:
        """Operands given as a list are copied."""

        @for_all(drawn(operator))
        def law(operator: Operator) -> None:
            kept: list[Any] = list(operator.operands)
            made = evolve(operator, operands=kept)
            kept.append(None)
            is_alike = made == operator and None not in made.operands
            expect(is_alike, "its operands after a list changed", operator.operands, kept)

    def test_the_same_question_has_the_same_answer(self, operator: Any) -> None:
        """Counts and parts follow from the operator alone."""

        @for_all(drawn(operator))
        def law(operator: Operator) -> None:
            first, second = (
                (item.macs, dict(item.operations), tuple(item.decompose()))
                for item in (operator, evolve(operator))
            )
            expect(first == second, "its counts and parts, asked again", first, second)

    def test_its_summary_is_one_line(self, operator: Any) -> None:
        """An explanation shows it as it is."""

        @for_all(drawn(operator))
        def law(operator: Operator) -> None:
            summary = operator.summary
            is_line = summary.strip() and summary.splitlines() == [summary]
            expect(is_line and " object at 0x" not in summary, "its summary", "one line", summary)

    def test_importing_it_brings_no_framework(self, operator: Any) -> None:
        """Whoever prices one does not wait for TensorFlow."""

        @for_all(drawn(operator))
        def law(operator: Operator) -> None:
            found = frameworks_behind(operator)
            expect(not found, "frameworks imported with its module", "none", found)


def _is_bound(operator: Operator) -> bool:
    """Whether the sizes of its tensors are known, which is another law."""
    return all(operand.is_bound for operand in operator.operands)


def _ends(operator: Operator, depth: int = 0) -> Iterator[Operator]:
    parts = () if type(operator) in STANDARD else operator.decompose()
    if not parts or depth == DEEPEST:
        yield operator
    else:
        for part in parts:
            yield from _ends(part, depth + 1)


def _times(operations: Mapping[str, int], times: int) -> dict[str, int]:
    return {name: count * times for name, count in operations.items()}


def _elements(tensors: Any) -> int:
    return sum(tensor.size for tensor in tensors)
