"""The workloads that the kit draws, and what it makes of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings

from costmodel.testing import strategies
from costmodel.testing.strategies import alone, renamed, workloads
from costmodel.workload.graph import Branch, Loop, Node, View, Workload


def names_of(workload: Workload) -> set[str]:
    """All names of steps and tensors, those of bodies included."""
    found = {workload.name, *workload.tensors, *[step.name for step in workload]}
    for step in workload:
        bodies = (step.body,) if isinstance(step, Loop) else getattr(step, "alternatives", ())
        found.update(*map(names_of, bodies))
    return found


def test_workloads_have_loops_branches_views_several_outputs_and_a_batch() -> None:
    seen: Counter[Any] = Counter()

    @settings(max_examples=100, derandomize=True, database=None)
    @given(workloads(strategies.operators()))
    def look(workload: Workload) -> None:
        assert workload.symbols == {"batch"}
        seen.update(map(type, workload))
        seen["outputs"] += len(workload.outputs) > 1
        seen["apart"] += any(name.startswith("output") for name in workload.tensors)

    look()
    assert all(seen[what] > 5 for what in (Node, View, Loop, Branch, "outputs", "apart"))


@given(workloads(has_control_flow=False, has_batch=False))
def test_workloads_may_be_bound_and_without_loops_and_branches(workload: Workload) -> None:
    assert not workload.symbols
    assert all(isinstance(step, Node | View) for step in workload)


@given(workloads())
def test_a_renamed_workload_shares_no_name_and_does_the_same(workload: Workload) -> None:
    other = renamed(workload)
    assert not names_of(workload) & names_of(other)
    before, after = workload.bind(batch=2), other.bind(batch=2)
    assert before.operations == after.operations
    assert [type(step) for step in before] == [type(step) for step in after]
    assert [len(step.reads) for step in before] == [len(step.reads) for step in after]


@given(strategies.operators())
def test_an_operator_alone_has_every_operand_as_a_tensor(operator: Any) -> None:
    workload = alone(operator)
    assert workload.operators == (operator,)
    assert list(workload.tensors.values()) == [one.tensor for one in operator.operands]
    assert len(workload.weights) == len(operator.weights)
