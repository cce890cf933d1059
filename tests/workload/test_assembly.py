"""Assembling workloads: by hand, and of operators in a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from run_workload import run

from costmodel.errors import NetworkError, ShapeError
from costmodel.formats import parse_format
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import Symbol
from costmodel.workload.assembly import Assembly, chained
from costmodel.workload.builders import activation, elementwise, matmul, reduce
from costmodel.workload.format_inference import infer
from costmodel.workload.graph import Branch, Loop, Node, View, Workload
from costmodel.workload.serialization import from_json, to_json

BATCH = Symbol("batch")


def perceptron() -> Workload:
    made = Assembly("perceptron")
    x, w = made.input("x", (6,)), made.weight("w", (6, 4))
    sums = made.add(matmul((6,), (6, 4)), x, w)
    return made.workload({"y": made.add(activation("relu", (4,)), sums)})


def test_what_is_read_in_another_shape_is_seen_in_it() -> None:
    made = Assembly("flat")
    source = made.input("x", (2, 3))
    made.add(activation("relu", (6,)), source)
    view, node = made.workload([]).steps
    assert isinstance(view, View)
    assert (view.source, view.kind, view.target) == ("x", "reshape", node.reads[0])


def test_what_is_read_in_another_format_is_converted() -> None:
    made = Assembly("rounded")
    source = made.input("x", Tensor((3,), "int8"))
    made.add(activation("relu", Tensor((3,), "int4"), output=(3,)), source)
    view, _ = made.workload([]).steps
    assert isinstance(view, View)
    assert view.kind == "convert"


def test_names_that_are_taken_get_a_number() -> None:
    made = Assembly("twice")
    source = made.input("x", (3,))
    first, second = (made.add(activation("relu", (3,)), source) for _ in range(2))
    workload = made.workload({"y": first, "z": second})
    assert [step.name for step in workload] == ["relu", "relu.2"]
    assert workload.outputs == ("y", "z")


def test_an_output_may_have_the_name_of_a_tensor_within() -> None:
    made = Assembly("named")
    source = made.input("x", (3,))
    (inner,) = made.inline(relu_to("y"), {"x": source})
    workload = made.workload({"y": made.add(activation("tanh", (3,)), inner)})
    assert workload.outputs == ("y",)
    assert workload.steps[1].writes == ("y",)
    assert workload.steps[0].writes == workload.steps[1].reads != ("y",)


def test_an_output_may_have_the_name_of_a_weight() -> None:
    made = Assembly("named")
    source, weight = made.input("x", (6,)), made.weight("output", (6, 4))
    workload = made.workload({"output": made.add(matmul((6,), (6, 4)), source, weight)})
    assert workload.weights == ("output",)
    assert workload.outputs == ("output.2",)


def relu_to(name: str) -> Workload:
    made = Assembly("relu")
    return made.workload({name: made.add(activation("relu", (3,)), made.input("x", (3,)))})


def test_an_operator_reads_one_tensor_for_each_operand() -> None:
    made = Assembly("short")
    source = made.input("x", (6,))
    with pytest.raises(NetworkError, match="reads more than the 1 tensors"):
        made.add(matmul((6,), (6, 4)), source)
    with pytest.raises(NetworkError, match="reads fewer than the 2 tensors"):
        made.add(activation("relu", (6,)), source, source)


def test_a_tensor_that_is_not_there_is_refused_with_the_nearest() -> None:
    made = Assembly("short")
    made.input("image", (6,))
    with pytest.raises(NetworkError, match="has no tensor 'imag' so far; nearest: 'image'"):
        made.add(activation("relu", (6,)), "imag")
    with pytest.raises(ShapeError, match="axis 1 is out of range for 1 axes"):
        made.part("image", 1, 0, 2)


def test_a_body_is_given_its_inputs() -> None:
    with pytest.raises(NetworkError, match="'perceptron' is given no 'x'"):
        Assembly("empty").inline(perceptron(), {})


def test_a_body_runs_within_another_as_by_itself() -> None:
    made = Assembly("outer")
    source = made.input("image", (2, 3))
    (first,) = made.inline(perceptron(), {"x": source}, "one/", "one")
    (second,) = made.inline(perceptron(), {"x": source}, "two/", "two")
    whole = made.workload([made.add(elementwise("add", (4,), (4,)), first, second)])
    assert whole.weights == ("one/w", "two/w")
    assert {step.layer for step in whole} == {"", "one", "two"}
    generator = np.random.default_rng(0)
    x, one, two = (generator.standard_normal(shape) for shape in [(2, 3), (6, 4), (6, 4)])
    (found,) = run(whole, {"image": x, "one/w": one, "two/w": two}).values()
    flat = x.reshape(6)
    np.testing.assert_allclose(found, np.maximum(flat @ one, 0) + np.maximum(flat @ two, 0))


def test_a_part_of_a_tensor_is_a_slice() -> None:
    made = Assembly("gates")
    source = made.input("x", (2, 8))
    last = made.part(source, -1, 6, 2)
    workload = made.workload([made.add(activation("relu", (2, 2)), last)])
    x = np.arange(16.0).reshape(2, 8)
    (found,) = run(workload, {"x": x}).values()
    np.testing.assert_allclose(found, x[:, 6:])


def test_operators_in_a_row_read_what_is_new() -> None:
    scores = Tensor((3, 5))
    operators = [
        elementwise("multiply", scores, in_place=True), reduce("sum", scores, [-1]),
        activation("sqrt", (3,), in_place=True),
    ]  # fmt: skip
    workload = chained("norm", operators, [scores], {}, [Tensor((3,))])
    x = np.random.default_rng(0).standard_normal((3, 5))
    (found,) = run(workload, {"input": x}).values()
    np.testing.assert_allclose(found, np.linalg.norm(x, axis=-1))


def test_operators_in_a_row_take_weights_in_their_order() -> None:
    operators = [matmul((4,), (4, 4)), matmul((4,), (4, 4))]
    weights = {"first": Tensor((4, 4)), "second": Tensor((4, 4)), "idle": Tensor((9,))}
    workload = chained("two", operators, [Tensor((4,))], weights, [Tensor((4,))])
    assert [step.reads[1] for step in workload] == ["first", "second"]
    assert workload.weights == ("first", "second", "idle")


def test_what_no_tensor_fits_is_a_constant() -> None:
    operators = [elementwise("add", (4,), weights=[(4,)])]
    workload = chained("shifted", operators, [Tensor((4,))], {}, [Tensor((4,))])
    assert workload.weights == ("constant",)


# ------------------------------------------------------------------ several examples


def test_several_examples_share_the_weights() -> None:
    several = perceptron().repeated(5)
    assert several.tensors["x"].shape == (5, 6)
    assert several.tensors["w"].shape == (6, 4)
    assert several.macs == 5 * perceptron().macs
    x, w = np.random.default_rng(0).standard_normal((5, 6)), np.ones((6, 4))
    (found,) = run(several, {"x": x, "w": w}).values()
    np.testing.assert_allclose(found, np.maximum(x @ w, 0))


def test_a_constant_among_the_inputs_is_stretched_over_the_examples() -> None:
    made = Assembly("shifted")
    x, shift = made.input("x", (3,)), made.weight("shift", (3,))
    body = made.workload([made.add(elementwise("add", (3,), (3,)), x, shift)])
    several = body.repeated(4)
    view, node = several.steps
    assert isinstance(view, View)
    assert view.kind == "broadcast"
    given = {"x": np.ones((4, 3)), "shift": np.arange(3.0)}
    np.testing.assert_allclose(run(several, given)[node.writes[0]][2], [1, 2, 3])


def test_a_symbolic_number_of_examples_is_bound_later() -> None:
    assert perceptron().repeated(BATCH).bind(batch=5) == perceptron().repeated(5)


# ------------------------------------------------------------------ formats


def declared(**formats: str) -> Workload:
    made = Assembly("declared")
    x = made.input("x", Tensor((6,), formats.get("x")))
    w = made.weight("w", Tensor((6, 4), formats.get("w")))
    sums = made.add(matmul(made.tensor(x), made.tensor(w)), x, w)
    return made.workload({"y": made.add(activation("relu", (4,)), sums)})


def shown(workload: Workload) -> dict[str, str]:
    return {name: str(tensor.format) for name, tensor in workload.tensors.items()}


FLOAT = parse_format("float32")


def test_a_result_is_exact_where_the_weights_are_declared() -> None:
    found = shown(infer(declared(x="int8", w="int4"), FLOAT))
    # 8 and 4 bits with a sign each, and the sum of 6 products.
    assert found["contraction.out"] == found["y"] == "fixed<15,14>"


def test_without_declared_weights_a_result_is_in_the_default() -> None:
    found = shown(infer(declared(x="int8"), FLOAT))
    assert (found["x"], found["w"]) == ("fixed<8,7>", "None")
    assert found["contraction.out"] == found["y"] == "float32"


def test_a_workload_without_a_declaration_stays_as_it_is() -> None:
    assert infer(declared(), FLOAT) == declared()


def test_formats_reach_into_loops_and_branches() -> None:
    body = declared(w="int4")
    made = Assembly("outer")
    rows, w = made.input("rows", Tensor((5, 6), "int8")), made.weight("w", Tensor((6, 4), "int4"))
    loop = Loop(
        name="steps", body=body, steps=5, axis=0, varying=[(rows, "x")], fixed=[(w, "w")],
        collected=[("y", "sequence")], last=[("y", "end")],
    )  # fmt: skip
    names = made.loop(loop, {"sequence": Tensor((5, 4)), "end": Tensor((4,))})
    workload = made.workload(list(names.values()), FLOAT)
    (found,) = workload.steps
    assert isinstance(found, Loop)
    kinds = {str(found.body.tensors["y"].format), *map(shown(workload).get, names.values())}
    assert kinds == {"fixed<15,14>"}
    either = Workload(
        "either", {"x": Tensor((6,), "int8"), "w": Tensor((6, 4), "int4"), "y": (4,)},
        [Branch(name="if", alternatives=[declared(x="int8", w="int4")])], ["x"], ["y"], ["w"],
    )  # fmt: skip
    assert shown(infer(either, FLOAT))["y"] == "fixed<15,14>"


def test_alternatives_that_differ_give_the_default_format() -> None:
    wide = declared(x="int8", w="int4")
    kept = Assembly("kept")
    x, w = kept.input("x", Tensor((6,), "int8")), kept.weight("w", Tensor((6, 4), "int4"))
    part = kept.part(x, 0, 0, 4)
    kept.add(matmul(kept.tensor(x), kept.tensor(w)), x, w)
    other = kept.workload({"y": kept.add(activation("relu", (4,)), part)})
    either = Workload(
        "either", {"x": Tensor((6,), "int8"), "w": Tensor((6, 4), "int4"), "y": (4,)},
        [Branch(name="if", alternatives=[wide, other])], ["x"], ["y"], ["w"],
    )  # fmt: skip
    found = infer(either, FLOAT)
    (branch,) = found.steps
    assert isinstance(branch, Branch)
    results = [shown(found)["y"], *[shown(one)["y"] for one in branch.alternatives]]
    assert results == ["float32"] * 3


# ------------------------------------------------------------------ what is refused

NODE = Node("relu", activation("relu", (3,)), ("x", "y"))
WRONG_VIEWS: dict[str, tuple[Any, str]] = {
    "another number of elements": (View("v", "x", "z"), "which has another number of elements"),
    "a slice beyond the end": (
        View("v", "x", "z", "slice", (2,)), r"does not lie within it from \(2,\) on",
    ),
    "a stretch of what does not": (
        View("v", "x", "z", "broadcast"), "to which it does not stretch",
    ),
    "a conversion to another shape": (View("v", "x", "z", "convert"), "which has another shape"),
}  # fmt: skip


@pytest.mark.parametrize("label", WRONG_VIEWS)
def test_a_view_that_cannot_be_is_refused(label: str) -> None:
    view, message = WRONG_VIEWS[label]
    with pytest.raises(NetworkError, match=message):
        Workload("wrong", {"x": (3,), "z": (2,)}, [view], ["x"])


def test_a_view_in_another_format_is_a_conversion() -> None:
    tensors = {"x": Tensor((3,), "int8"), "z": Tensor((3,), "int4")}
    Workload("right", tensors, [View("v", "x", "z", "convert")], ["x"])
    with pytest.raises(NetworkError, match="which has another format"):
        Workload("wrong", tensors, [View("v", "x", "z")], ["x"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: View("v", "x", "z", "upside down"), "kind is 'upside down'; expected one of"),
        (lambda: View("v", "x", "z", "slice"), "expected the first element along each axis"),
        (lambda: View("v", "x", "z", "reshape", (1,)), "and none of another view"),
        (lambda: View("v", "x", "z", "slice", (-1,)), r"has starts \(-1,\)"),
    ],
)
def test_the_kind_of_a_view_is_known(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_state_that_starts_as_zeros_is_renewed() -> None:
    loop = Loop(
        name="l", body=perceptron(), steps=2, zeros=["x"], fixed=[("w", "w")], last=[("y", "y")]
    )
    with pytest.raises(NetworkError, match="carries 'x' from 1 beginnings and 0 outputs"):
        Workload("wrong", {"w": (6, 4), "y": (4,)}, [loop], [], ["y"], ["w"])


def test_everything_new_is_read_back_from_json() -> None:
    made = Assembly("all")
    x = made.input("x", (2, 8))
    part = made.part(x, 1, 4, 4)
    body = Assembly("body")
    one, state = body.input("one", (4,)), body.input("state", (4,))
    new = body.add(elementwise("add", (4,), (4,)), one, state)
    loop = Loop(
        name="loop", body=body.workload([new]), steps=2, axis=0, varying=[(part, "one")],
        zeros=["state"], carries=[(new, "state")], last=[(new, "end")], backwards=True,
    )  # fmt: skip
    workload = made.workload(made.loop(loop, {"end": Tensor((4,))}).values()).repeated(BATCH)
    assert from_json(to_json(workload)) == workload
    x_values = np.arange(48.0).reshape(3, 2, 8)
    (found,) = run(workload.bind(batch=3), {"x": x_values}).values()
    np.testing.assert_allclose(found, x_values[:, :, 4:].sum(axis=1))
