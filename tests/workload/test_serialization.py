"""Workloads in JSON: exact round trips, the schema that ships, mistakes, and changed files."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen
from builder_cases import CASES
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from workloads import classifier, either, graphs, recurrent

from costmodel.errors import CostModelError, ReadError
from costmodel.tensor.shapes import Tensor
from costmodel.workload.graph import Node, Workload
from costmodel.workload.operators import Operator, unmapped
from costmodel.workload.serialization import from_json, to_json, workload_from, workload_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMA = json.loads(
    resources.files("costmodel.workload").joinpath("workload.schema.json").read_text()
)
VALIDATOR = Draft202012Validator(SCHEMA)

WORKLOADS: Mapping[str, Callable[[], Workload]] = {
    "a symbolic batch and a view": classifier,
    "a bound batch": lambda: classifier().bind(batch=3),
    "a loop": lambda: recurrent(10_000),
    "a branch": either,
}


def of(operator: Operator) -> Workload:
    """A workload of one operator, whose weights it holds."""
    tensors = {f"t{place}": one.tensor for place, one in enumerate(operator.operands)}
    roles = {f"t{place}": one.role for place, one in enumerate(operator.operands)}
    named = {role: [name for name in roles if roles[name] == role] for role in roles.values()}
    return Workload(
        "one", tensors, [Node("only", operator, tuple(tensors))],
        named.get("input", []), named.get("output", []), named.get("weight", []),
    )  # fmt: skip


def keeps(workload: Workload) -> None:
    text = to_json(workload)
    assert from_json(text) == workload
    assert to_json(from_json(text)) == text
    VALIDATOR.validate(json.loads(text))


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_is_the_same_after_it_is_written_and_read(name: str) -> None:
    keeps(WORKLOADS[name]())


@given(workload=graphs())
def test_a_drawn_workload_is_the_same_after_it_is_written_and_read(workload: Workload) -> None:
    keeps(workload)


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_every_operator_of_a_builder_is_the_same_after_it_is_written_and_read(
    name: str, data: st.DataObject
) -> None:
    keeps(of(data.draw(CASES[name]()).operator))


@frozen(kw_only=True)
class Mixing(Operator):
    """Work of a third party."""

    stages: int


def test_an_operator_of_a_third_party_is_read_where_it_is_named() -> None:
    tensor = Tensor((4,), "int8")
    operands = [*unmapped("input", [tensor]), *unmapped("output", [tensor])]
    workload = of(Mixing(stages=3, operands=operands))
    text = to_json(workload)
    assert from_json(text, [Mixing]) == workload
    with pytest.raises(ReadError, match="'Mixing' is not a type of operator; known: Activation"):
        from_json(text)


# ------------------------------------------------------------------ mistakes


def changed(path: str, value: Any) -> dict[str, Any]:
    """The classifier with the value at a path such as `steps.0.operator.dims` replaced."""
    values = copy.deepcopy(workload_values(classifier()))
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    held: Any = values
    for key in parents:
        held = held[key]
    if value is ...:
        del held[last]
    else:
        held[last] = value
    return values


FIRST = "steps.0.operator"
MISTAKES: Mapping[str, tuple[str, Any, str]] = {
    "another schema": ("schema", "costmodel/workload/9", "expected a workload of the schema"),
    "no steps": ("steps", ..., "'steps' is missing"),
    "steps that are not a list": ("steps", {}, "expected a list"),
    "tensors that are not an object": ("tensors", [], "expected an object of tensors by name"),
    "an unknown key": ("step", [], "unknown key 'step'; did you mean 'steps'"),
    "a step of no kind": ("steps.0", {"nod": "x"}, "expected one of node, view, loop, branch"),
    "an unknown type": (f"{FIRST}.type", "Convolution", "'Convolution' is not a type of operator"),
    "a negative size": (f"{FIRST}.dims.k", -1, "dims.k: expected a whole number or a symbol"),
    "a size that is a truth value": (f"{FIRST}.dims.k", True, "expected a whole number"),
    "an index that is not a sum": (f"{FIRST}.operands.0.index.2", "2**p", "expected a sum such as"),
    "an index of an unknown dimension": (f"{FIRST}.operands.0.index.2", "z", "reads dimension 'z'"),
    "an index that is a number": (f"{FIRST}.operands.0.index.2", 3, "expected an index such as"),
    "an unknown role": (f"{FIRST}.operands.0.role", "data", "role is 'data'; expected one of"),
    "an operand too few": (f"{FIRST}.operands.0", ..., "2 operands for 3 tensors"),
    "an unknown tensor": ("steps.0.tensors.0", "imag", "'imag' is not a tensor.*nearest: 'image'"),
    "a function that is missing": ("steps.1.operator.function", ..., "'function' is missing"),
    "an unknown function": ("steps.2.operator.function", "median", "function is 'median'"),
    "an unknown setting": ("steps.1.operator.window", 3, "unknown key 'window'"),
    "an unknown format": ("tensors.image.format", "int99x", "int99x"),
    "a shape of text": ("tensors.image.shape.1", "3 x", "expected such as 'batch'"),
    "an output that nothing writes": ("outputs.0", "flta", "names tensor 'flta'.*nearest: 'flat'"),
    "a view of another size": ("tensors.flat.shape.1", 4095, "4095"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_file_is_refused_with_its_place(mistake: str) -> None:
    path, value, message = MISTAKES[mistake]
    with pytest.raises(CostModelError, match=message):
        workload_from(changed(path, value))


REFUSED_BY_THE_SCHEMA = set(MISTAKES) - {
    # What only the whole workload shows.
    "an index that is not a sum", "an index of an unknown dimension", "an operand too few",
    "an unknown tensor", "an unknown format", "an output that nothing writes",
    "a view of another size",
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_schema_refuses_what_one_value_shows(mistake: str) -> None:
    path, value, _ = MISTAKES[mistake]
    is_valid = VALIDATOR.is_valid(changed(path, value))
    assert is_valid == (mistake not in REFUSED_BY_THE_SCHEMA)


@pytest.mark.parametrize("given", [None, 3, {}])
def test_what_is_not_a_text_is_refused(given: Any) -> None:
    with pytest.raises(ReadError, match="expected the text of a JSON file"):
        from_json(given)


def test_a_key_that_stands_twice_is_refused() -> None:
    text = to_json(classifier()).replace('"k": 16', '"k": 16, "k": 1', 1)
    with pytest.raises(ReadError, match="'k' stands twice"):
        from_json(text)


def test_a_workload_within_too_many_others_is_refused() -> None:
    values = workload_values(recurrent(2))
    body = {key: value for key, value in values.items() if key != "schema"}
    for _ in range(50):
        body = {**body, "steps": [{"branch": "b", "alternatives": [body]}]}
    with pytest.raises(ReadError, match="nested more than 16 deep"):
        workload_from({"schema": values["schema"], **body})


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2**70), st.floats(), st.text(max_size=3),
    st.just([]), st.just({}), st.sampled_from(["batch", "0*batch", "p + r", "input"]),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in plain values."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    inner = [place for key, one in items for place in places(one, (*path, key))]
    return [path, *inner] if path else inner


@given(data=st.data())
def test_a_changed_file_is_read_or_refused_in_our_words(data: st.DataObject) -> None:
    values = workload_values(data.draw(st.sampled_from([classifier, either]))())
    for _ in range(data.draw(st.integers(1, 3))):
        *parents, last = data.draw(st.sampled_from(places(values)))
        held: Any = values
        for key in parents:
            held = held[key]
        if data.draw(st.booleans()):
            held[last] = data.draw(JUNK)
        else:
            del held[last]
            break
    with suppress(CostModelError):  # whatever else is raised is a fault
        keeps(workload_from(values))


def test_a_loop_without_steps_is_refused_with_its_place() -> None:
    values = workload_values(recurrent(5))
    values["steps"][0]["steps"] = 0
    with pytest.raises(ReadError, match=r"step 0 \('rnn'\): steps is 0; expected 1 or more"):
        workload_from(values)
