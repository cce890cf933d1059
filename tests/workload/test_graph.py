"""Workloads: steps that share tensors, their counts, liveness, parts and mistakes."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from workloads import BATCH, classifier, either, graphs, recurrent

from costmodel.errors import NetworkError
from costmodel.formats import FLOAT32
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import Symbol
from costmodel.workload.builders import activation, matmul
from costmodel.workload.graph import Branch, Loop, Node, View, Workload
from costmodel.workload.operators import Unsupported, unmapped

if TYPE_CHECKING:
    from collections.abc import Mapping

PRODUCTS = 16 * 3 * 9 * 32 * 32 + 4096 * 10


@pytest.mark.parametrize("batch", [1, 8])
def test_the_batch_stays_a_symbol_until_it_is_bound(batch: int) -> None:
    workload = classifier()
    assert workload.symbols == {"batch"}
    with pytest.raises(NetworkError, match=r"depend on batch; bind it first.*bind\(batch=1\)"):
        _ = workload.macs
    bound = workload.bind(batch=batch)
    assert bound.macs == batch * PRODUCTS
    assert bound.operations["activation"] == batch * 16 * 32 * 32
    assert bound.weight_count == workload.weight_count == 16 * 27 + 40960
    assert not bound.symbols


def test_a_symbol_may_be_a_multiple_such_as_windows_in_the_batch() -> None:
    windows = matmul((4 * BATCH, 16, 8), (8, 3))
    workload = Workload(
        "windows",
        {"x": (4 * BATCH, 16, 8), "w": (8, 3), "y": (4 * BATCH, 16, 3)},
        [Node("dense", windows, ("x", "w", "y"))],
        ["x"], ["y"], ["w"],
    )  # fmt: skip
    assert workload.bind(batch=5).macs == 4 * 5 * 16 * 8 * 3


def test_a_view_has_no_work_and_the_memory_of_its_source() -> None:
    workload = classifier().bind(batch=1)
    without = sum(step.name != "flatten" for step in workload)
    assert len(list(workload.nodes)) == without
    assert workload.storage("flat") == "pooled"
    assert "flat" not in workload.liveness
    assert workload.liveness["pooled"] == (2, 4)


def test_weights_that_two_steps_read_are_one_tensor() -> None:
    tower = matmul((1, 8), (8, 4))
    shared = Workload(
        "two towers",
        {"a": (1, 8), "b": (1, 8), "w": (8, 4), "left": (1, 4), "right": (1, 4)},
        [Node("first", tower, ("a", "w", "left")), Node("second", tower, ("b", "w", "right"))],
        ["a", "b"], ["left", "right"], ["w"],
    )  # fmt: skip
    assert shared.weight_count == 32
    assert shared.macs == 64


@pytest.mark.parametrize("steps", [10, 10_000])
def test_a_recurrence_is_one_step_however_long_it_is(steps: int) -> None:
    workload = recurrent(steps)
    assert len(workload) == 1
    assert workload.macs == steps * (4 * 3 + 3 * 3)
    assert workload.weight_count == 12 + 9
    assert f"rnn: end = {steps} x {{step}}" in str(workload)


def test_a_branch_writes_what_each_of_its_alternatives_writes() -> None:
    workload = either()
    (branch,) = workload
    assert (branch.reads, branch.writes) == (("x",), ("y",))
    assert [node.name for node, _ in workload.nodes] == ["relu", "tanh"]


def test_of_a_branch_the_alternative_with_the_most_work_is_counted() -> None:
    square = matmul((1, 4), (4, 4))
    unknown = Unsupported(
        reason="nobody knows it", operands=unmapped("input", [Tensor((1, 4))])
        + unmapped("output", [Tensor((1, 4))]),
    )  # fmt: skip
    tensors = {"x": (1, 4), "w": (4, 4), "y": (1, 4)}
    product = Workload("p", tensors, [Node("p", square, ("x", "w", "y"))], ["x"], ["y"], ["w"])
    data = {"x": (1, 4), "y": (1, 4)}
    relu = Workload("r", data, [Node("r", activation("relu", (1, 4)), ("x", "y"))], ["x"], ["y"])
    strange = Workload("s", data, [Node("s", unknown, ("x", "y"))], ["x"], ["y"])

    def chosen(*alternatives: Workload) -> Workload:
        steps = [Branch(name="b", alternatives=alternatives)]
        return Workload("b", tensors, steps, ["x"], ["y"], ["w"])

    assert chosen(relu, product).operators == (square,)
    assert chosen(product, relu).macs == 16
    assert chosen(relu, product, product).operations == {"multiply-accumulate": 16}
    assert chosen(product, strange).operators == (unknown,)  # or else nobody would see it
    assert chosen(product, relu).repeated(3).macs == 48


def test_its_text_has_a_line_for_each_step_with_its_indices() -> None:
    assert str(classifier()).splitlines() == [
        "workload classifier",
        "inputs: image (batch x 3 x 32 x 32)",
        "weights: kernel (16 x 3 x 3 x 3), weights (4096 x 10)",
        (
            "  conv: sums[n, k, p, q] = contraction(image[n, c, p + r - 1, q + s - 1], "
            "kernel[k, c, r, s]) over n=batch k=16 c=3 p=32 q=32 r=3 s=3"
        ),
        (
            "  relu: features[d0, d1, d2, d3] = activation(sums[d0, d1, d2, d3]) "
            "over d0=batch d1=16 d2=32 d3=32"
        ),
        (
            "  pool: pooled[n, c, p, q] = reduction(features[n, c, 2p + r, 2q + s]) "
            "over n=batch c=16 p=16 q=16 r=2 s=2"
        ),
        "  flatten: flat = reshape of pooled",
        "  dense: scores[m, n] = contraction(flat[m, k], weights[k, n]) over m=batch n=10 k=4096",
        "outputs: scores",
    ]


def test_a_part_takes_what_others_write_as_its_inputs() -> None:
    part = classifier().part(["relu", "pool"])
    assert [step.name for step in part] == ["relu", "pool"]
    assert (part.inputs, part.outputs, part.weights) == (("sums",), ("pooled",), ())
    assert classifier().part(step.name for step in classifier()) == classifier()


def test_a_workload_is_a_value() -> None:
    workload = classifier()
    for twin in (copy.deepcopy(workload), pickle.loads(pickle.dumps(workload)), classifier()):  # noqa: S301  # what it wrote itself
        assert twin == workload
        assert twin.bind(batch=2) == workload.bind(batch=2)
    assert workload.bind(batch=2) != workload.bind(batch=3)


# ------------------------------------------------------------------ liveness by brute force


def bits(tensor: Tensor) -> int:
    return tensor.size * (tensor.format or FLOAT32).bits


def held_at(workload: Workload, place: int) -> set[str]:
    """The tensors in memory while a step runs: there already, and still needed."""
    steps = list(workload)
    there = set(workload.inputs) | {name for step in steps[: place + 1] for name in step.writes}
    needed = set(workload.outputs) | {
        name for step in steps[place:] for name in (*step.reads, *step.writes)
    }
    # An input that nothing reads is there from the first step on, and no longer.
    idle = set(workload.inputs) if place == 0 else set()
    return {workload.storage(name) for name in there & (needed | idle)} | {
        workload.storage(name)
        for name in there
        if any(workload.storage(other) == workload.storage(name) for other in needed & there)
    }


@given(workload=graphs())
def test_live_bits_are_those_of_the_tensors_that_are_there_and_still_needed(
    workload: Workload,
) -> None:
    expected = []
    for place in range(len(workload)):
        held = held_at(workload, place)
        expected.append(sum(bits(workload.tensors[name]) for name in held))
    assert workload.live_bits(FLOAT32) == expected


# ------------------------------------------------------------------ mistakes


def same(name: str) -> Workload:
    """What gives its input, of seven elements."""
    return Workload("same", {name: (7,)}, [], [name], [name])


GOOD: Mapping[str, Any] = {
    "name": "one",
    "tensors": {"x": (2, 3), "w": (3, 4), "y": (2, 4), "z": (8,)},
    "steps": [Node("dense", matmul((2, 3), (3, 4)), ("x", "w", "y"))],
    "inputs": ["x"],
    "outputs": ["y"],
    "weights": ["w"],
}
DENSE = GOOD["steps"][0]
MISTAKES: Mapping[str, tuple[dict[str, Any], str]] = {
    "an unknown input": ({"inputs": ["xx"]}, "names tensor 'xx', which workload 'one' lacks"),
    "an unknown tensor of a step": (
        {"steps": [Node("dense", DENSE.operator, ("x", "ww", "y"))]},
        "step 'dense' names tensor 'ww', which workload 'one' lacks; nearest: 'w'",
    ),
    "another shape than that of the operand": (
        {"tensors": {**GOOD["tensors"], "w": (4, 3)}},
        r"node 'dense' accesses 'w' of 4 x 3 as weight\[k, n\] of 3 x 4",
    ),
    "a tensor that nothing wrote": (
        {"inputs": []}, "step 'dense' reads 'x' before anything writes it",
    ),
    "an output that nothing writes": ({"outputs": ["z"]}, "gives 'z', which nothing writes"),
    "two steps of one name": ({"steps": [DENSE, DENSE]}, "has two steps called 'dense'"),
    "a tensor written twice": (
        {"steps": [DENSE, Node("again", DENSE.operator, ("x", "w", "y"))]},
        "step 'again' writes 'y', which is written before",
    ),
    "a view of another number of elements": (
        {"steps": [DENSE, View("flat", "y", "z")], "tensors": {**GOOD["tensors"], "z": (9,)}},
        "sees 2 x 4 as 9, which has another number of elements",
    ),
    "a view of itself": ({"steps": [DENSE, View("v", "y", "y")]}, "view 'v' sees 'y' as itself"),
    "an open axis": ({"tensors": {**GOOD["tensors"], "z": (None,)}}, "'z' .* has an open axis"),
    "an input listed twice": ({"inputs": ["x", "x"]}, "lists 'x' twice"),
    "an input that is a weight": ({"weights": ["w", "x"]}, "lists 'x' twice"),
    "an output listed twice": ({"outputs": ["y", "y"]}, "lists 'y' twice"),
    "a branch without alternatives": (
        {"steps": [DENSE, Branch(name="b", alternatives=[])]}, "branch 'b' has no alternatives",
    ),
    "a branch of other results": (
        {"steps": [Branch(name="b", alternatives=[Workload(**GOOD), same("x")])]},
        "branch 'b': 'same' gives x; expected y, as 'one' does",
    ),
    "a branch of other shapes": (
        {"steps": [DENSE, Branch(name="b", alternatives=[same("y")])]},
        "branch 'b' takes 'y' of 2 x 4 as y of 7",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_workload_is_refused_with_its_place(mistake: str) -> None:
    changed, message = MISTAKES[mistake]
    with pytest.raises(NetworkError, match=message):
        Workload(**{**GOOD, **changed})


LOOP: Mapping[str, tuple[dict[str, Any], str]] = {
    "an input of the body that it is not given": ({"varying": {}}, "gives its body no 'x'"),
    "a result that the body does not give": ({"last": {"a": "end"}}, "takes 'a', which its body"),
    "what is not an input of the body": (
        {"fixed": {"W": "w", "U": "u", "start": "a"}},
        "gives its body 'a', which is not an input",
    ),
    "an input of the body given twice": (
        {"fixed": {"W": "w", "U": "u", "start": "h"}},
        "gives its body 'h', twice",
    ),
    "what is carried and never renewed": ({"carries": {}}, "carries 'h' from 1 beginnings and 0"),
    "what is renewed and never began": (
        {"carries": {"next": "x"}},
        "carries '[xh]' from [01] beginnings and [01] outputs",
    ),
    "another shape of what is fixed": (
        {"fixed": {"U": "w", "W": "u"}},
        "takes 'U' of 3 x 3 as w of 4 x 3",
    ),
    "another number of steps": (
        {"steps": 6},
        "takes 'sequence' of 1 x 5 x 4 as x of every step of 1 x 6 x 4",
    ),
    "another axis": ({"axis": 0}, "as x of every step of 5 x 1 x 4"),
    "an axis that is not there": ({"axis": 3}, "has axis 3, which 'sequence' lacks"),
    "one result written twice": (
        {"collected": [["next", "end"]], "last": [["next", "end"]]},
        "writes 'end' twice",
    ),
}


@pytest.mark.parametrize("mistake", LOOP)
def test_a_loop_that_does_not_fit_its_body_is_refused(mistake: str) -> None:
    changed, message = LOOP[mistake]
    good = recurrent(5)
    (loop,) = good
    assert isinstance(loop, Loop)
    given = {
        name: getattr(loop, name)
        for name in ("name", "body", "steps", "fixed", "varying", "carried", "carries", "last")
    }
    with pytest.raises(NetworkError, match=message):
        Workload(
            "rnn", good.tensors, [Loop(**{**given, **changed})], good.inputs, good.outputs,
            good.weights,
        )  # fmt: skip


def test_an_unknown_step_or_symbol_is_named_with_what_is_known() -> None:
    with pytest.raises(NetworkError, match="has no step 'rleu'; nearest: 'relu'"):
        classifier().step("rleu")
    with pytest.raises(NetworkError, match="has no symbol 'bach'; known: batch"):
        classifier().bind(bach=2)


def test_a_node_needs_a_tensor_for_each_operand() -> None:
    with pytest.raises(NetworkError, match="node 'dense' names 2 tensors for 3 operands"):
        Node("dense", DENSE.operator, ("x", "w"))


def test_names_given_as_one_text_are_refused() -> None:
    with pytest.raises(TypeError, match="expected several names"):
        Workload(**{**GOOD, "inputs": "x"})


def test_symbols_within_loops_are_known_and_bound() -> None:
    (loop,) = recurrent(5)
    assert isinstance(loop, Loop)
    length = Symbol("length")
    given = {name: getattr(loop, name) for name in ("fixed", "varying", "carried", "carries")}
    workload = Workload(
        "rnn",
        {**recurrent(5).tensors, "sequence": (1, length, 4), "all": (1, length, 3)},
        [Loop(name="rnn", body=loop.body, steps=length, collected={"next": "all"}, **given)],
        ["sequence", "start"], ["all"], ["W", "U"],
    )  # fmt: skip
    assert workload.symbols == {"length"}
    assert workload.bind(length=5).macs == recurrent(5).macs


def test_symbols_of_operators_alone_are_known_and_bound() -> None:
    rows = Symbol("rows")
    product = matmul((2, 4), (4, 3))
    dims = {name: rows if name == "m" else size for name, size in product.dims.items()}
    longer = evolve(product, dims=dims)
    workload = Workload(
        "padded", {"x": (2, 4), "w": (4, 3), "y": (2, 3)},
        [Node("dense", longer, ("x", "w", "y"))], ["x"], ["y"], ["w"],
    )  # fmt: skip
    assert longer.symbols == workload.symbols == {"rows"}
    with pytest.raises(NetworkError, match="depend on rows; bind it first"):
        _ = workload.macs
    assert workload.bind(rows=2).macs == 2 * 4 * 3


NOTHING: Any = None
WORD: Any = "x"
ALONE: Any = [("x",)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Workload(**{**GOOD, "name": None}), "name is None; expected a text"),
        (lambda: Workload(**{**GOOD, "tensors": [("x", (3,))]}), "expected tensors by name"),
        (lambda: Workload(**{**GOOD, "tensors": {1: (3,)}}), "expected names of tensors, found 1"),
        (lambda: Workload(**{**GOOD, "steps": None}), "expected nodes, views, loops and branches"),
        (lambda: Workload(**{**GOOD, "steps": [DENSE.operator]}), "expected nodes, views, loops"),
        (lambda: Workload(**{**GOOD, "inputs": [["x"]]}), r"expected names.*found \['x'\]"),
        (lambda: Workload(**GOOD).part("dense"), "expected several names"),
        (lambda: classifier().bind(batch=NOTHING), "None is not a size"),
        (lambda: Node("dense", NOTHING, ("x",)), "operator is None; expected an operator"),
        (lambda: Loop(name="l", body=NOTHING, steps=1), "body of loop 'l' is None"),
        (lambda: Loop(name="l", body=same("x"), steps=WORD), "'x' is not a size"),
        (lambda: Loop(name="l", body=same("x"), steps=1, fixed=WORD), "expected pairs of names"),
        (lambda: Loop(name="l", body=same("x"), steps=1, fixed=ALONE), "expected pairs of name"),
        (lambda: Branch(name="b", alternatives=[WORD]), "expected workloads, found 'x'"),
    ],
)
def test_values_of_other_types_are_refused(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()


def test_a_loop_has_steps() -> None:
    with pytest.raises(ValueError, match="steps is 0; expected 1 or more"):
        Loop(name="l", body=same("x"), steps=0)


SYMBOLS: Mapping[str, tuple[Any, str]] = {
    "no name": (lambda: Symbol(""), "is not the name of a symbol"),
    "not a word": (lambda: Symbol("a b"), "is not the name of a symbol"),
    "a factor of zero": (lambda: Symbol("b", 0), "expected a whole number from 1"),
    "a text that is not a size": (lambda: Symbol.of("x*b"), "expected such as 'batch'"),
}


@pytest.mark.parametrize("mistake", SYMBOLS)
def test_a_symbol_is_a_name_times_a_whole_factor(mistake: str) -> None:
    make, message = SYMBOLS[mistake]
    with pytest.raises(ValueError, match=message):
        make()


@given(factor=st.integers(1, 10**6), other=st.integers(1, 1000), size=st.integers(1, 10**6))
def test_arithmetic_with_a_symbol_is_that_of_its_size(factor: int, other: int, size: int) -> None:
    symbol = Symbol("batch", factor)
    assert (symbol * other).bound({"batch": size}) == factor * size * other
    assert (other * symbol) // other == symbol
    assert symbol.bound({"other": 3}) is symbol
    assert Symbol.of(str(symbol)) == symbol
    assert pickle.loads(pickle.dumps(symbol)) == symbol  # noqa: S301  # what it wrote itself
    with pytest.raises(TypeError):
        _ = symbol * Symbol("length")
    with pytest.raises(AttributeError, match="frozen"):
        symbol.factor = 2


@pytest.mark.parametrize(
    "reckon",
    [lambda one: one + 1, lambda one: 1 - one, lambda one: -one, lambda one: one < 2,
     lambda one: 7 % one],
)  # fmt: skip
def test_what_does_not_follow_from_a_symbol_is_refused(reckon: Any) -> None:
    with pytest.raises(TypeError, match=r"from the symbol 4\*batch.* bind it before"):
        reckon(4 * BATCH)
