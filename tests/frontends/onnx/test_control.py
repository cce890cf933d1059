"""Branches, loops and scans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frontends.onnx.models import array, graph, info, lowered, model, node, read, reasons
from onnx import TensorProto, helper, numpy_helper

import costmodel
from costmodel.workload.graph import Branch, Loop

BOOL, INT64 = TensorProto.BOOL, TensorProto.INT64


def branches(condition: Any) -> Any:
    held = {"few": array((8, 4)), "many": array((8, 8)), "back": array((8, 4))}
    then = helper.make_graph([node("MatMul", "x few", "a")], "then", [], [info("a", None)])
    other = helper.make_graph(
        [node("MatMul", "x many", "b"), node("MatMul", "b back", "c")], "else", [],
        [info("c", None)],
    )  # fmt: skip
    made = node("If", "go", "y", then_branch=then, else_branch=other)
    if condition is not None:
        return model(graph([made], {"x": [1, 8]}, ["y"], held | {"go": np.array(condition)}))
    proto = graph([made], {"x": [1, 8]}, ["y"], held)
    proto.input.append(info("go", [], BOOL))
    return model(proto)


def test_a_constant_condition_chooses(tmp_path: Path) -> None:
    assert lowered(branches(condition=True), tmp_path).macs == 32
    assert lowered(branches(condition=False), tmp_path).macs == 64 + 32


def test_data_choose_between_alternatives(tmp_path: Path) -> None:
    workload = lowered(branches(None), tmp_path)
    (found,) = [step for step in workload.steps if isinstance(step, Branch)]
    assert [one.macs for one in found.alternatives] == [32, 96]


def either(then: Any, other: Any, **held: Any) -> Any:
    """A model of two graphs that give `a` and `b`, and a rectifier after them."""
    bodies = [
        helper.make_graph(nodes, name, [], [info(name, None)])
        for name, nodes in (("a", then), ("b", other))
    ]
    nodes = [node("If", "go", "c", then_branch=bodies[0], else_branch=bodies[1]),
             node("Relu", "c", "y")]  # fmt: skip
    proto = graph(nodes, {"x": [1, 8]}, ["y"], held)
    proto.input.append(info("go", [], BOOL))
    return model(proto)


PASSING: list[tuple[list[Any], list[Any]]] = [
    ([node("Neg", "x", "a")], [node("Identity", "x", "b")]),
    ([node("Reshape", "x s", "a")], [node("Reshape", "x s", "b")]),
    ([node("Neg", "x", "a")], [node("Identity", "k", "b")]),
    ([node("Cast", "x", "a", to=TensorProto.FLOAT16)],
     [node("Cast", "x", "h", to=TensorProto.FLOAT16), node("Neg", "h", "b")]),
]  # fmt: skip


@pytest.mark.parametrize(("then", "other"), PASSING)
def test_an_alternative_may_give_what_it_reads(then: Any, other: Any, tmp_path: Path) -> None:
    proto = either(then, other, s=np.array([2, 4]), k=array((1, 8)))
    workload = lowered(proto, tmp_path)
    assert [type(step).__name__ for step in workload.steps if isinstance(step, Branch)]
    network = read(proto, tmp_path)
    assert costmodel.estimate(network, "horowitz-45nm", on_unpriced="bound").total("horowitz-45nm")


def test_a_loop_that_never_runs_is_free(tmp_path: Path) -> None:
    body = helper.make_graph(
        [node("MatMul", "h w", "new"), node("Identity", "c", "d")], "body",
        [info("i", [], INT64), info("c", [], BOOL), info("h", [1, 8])],
        [info("d", [], BOOL), info("new", None)],
    )  # fmt: skip
    nodes = [node("Loop", "n _ x", "l", body=body), node("Relu", "l", "y")]
    held = {"n": np.int64(0), "w": array((8, 8))}
    workload = lowered(model(graph(nodes, {"x": [1, 8]}, ["y"], held)), tmp_path)
    assert (workload.macs, len(workload.operators)) == (0, 1)


def test_a_loop_may_carry_a_sequence(tmp_path: Path) -> None:
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    body = helper.make_graph(
        [node("SequenceAt", "parts i", "one"), node("MatMul", "one w", "new"),
         node("SequenceInsert", "all new", "more"), node("Identity", "c", "d")],
        "body",
        [info("i", [], INT64), info("c", [], BOOL), helper.make_value_info("all", kind)],
        [info("d", [], BOOL), helper.make_value_info("more", kind)],
    )  # fmt: skip
    nodes = [
        node("SplitToSequence", "x size", "parts", axis=1),
        helper.make_node("SequenceEmpty", [], ["none"], name="none"),
        node("SequenceLength", "parts", "n"), node("Loop", "n _ none", "made", body=body),
        node("ConcatFromSequence", "made", "y", axis=1),
    ]  # fmt: skip
    held = {"size": np.int64(4), "w": array((4, 3))}
    network = read(model(graph(nodes, {"x": [1, 12]}, ["y"], held)), tmp_path)
    assert (network.macs, network.layers[-1].outputs[0].shape) == (3 * 12, (9,))


def body_of_loop(condition: list[Any], *more: str) -> Any:
    nodes = [
        node("Gather", "x i", "row"), node("MatMul", "row w", "a"), node("MatMul", "h r", "b"),
        node("Add", "a b", "s"), node("Tanh", "s", "new"), node("Identity", "new", "seen"),
        *condition,
    ]  # fmt: skip
    states = [info(name, None, INT64) for name in more]
    return helper.make_graph(
        nodes, "body", [info("i", [], INT64), info("c", [], BOOL), info("h", [1, 5]), *states],
        [info("d", [], BOOL), info("new", None), *[info(f"{name}.next", None) for name in more],
         info("seen", None)],
    )  # fmt: skip


WEIGHTS = {"w": array((6, 5)), "r": array((5, 5)), "h0": np.zeros((1, 5), np.float32)}


def test_a_loop_of_a_constant_number_of_steps(tmp_path: Path) -> None:
    body = body_of_loop([node("Identity", "c", "d")])
    made = node("Loop", "n go h0", "last all", body=body)
    held = WEIGHTS | {"n": np.int64(7), "go": np.array(True)}  # noqa: FBT003  # an array
    proto = model(graph([made], {"x": [7, 1, 6]}, ["last", "all"], held))
    workload = lowered(proto, tmp_path)
    (found,) = [step for step in workload.steps if isinstance(step, Loop)]
    assert found.steps == 7
    assert workload.macs == 7 * (30 + 25)
    outputs = read(proto, tmp_path).layers[-1].outputs
    assert [one.shape for one in outputs] == [(1, 5), (7, 1, 5)]


def test_a_loop_that_counts_until_its_condition_is_false(tmp_path: Path) -> None:
    """As tf2onnx writes the loops of Keras: a counter is carried and compared."""
    condition = [node("Add", "t one", "t.next"), node("Less", "t.next end", "d")]
    body = body_of_loop(condition, "t")
    made = node("Loop", "_ go h0 zero", "last time all", body=body)
    held = WEIGHTS | {
        "go": np.array(True),  # noqa: FBT003  # an array
        "one": np.int64(1), "end": np.int64(7), "zero": np.int64(0),
    }  # fmt: skip
    proto = model(graph([made], {"x": [7, 1, 6]}, ["last", "all"], held))
    assert lowered(proto, tmp_path).macs == 7 * (30 + 25)


def test_a_loop_whose_end_is_data_is_unpriced(tmp_path: Path) -> None:
    body = body_of_loop([node("Identity", "c", "d")])
    made = node("Loop", "n go h0", "last all", body=body)
    proto = graph([made], {"x": [7, 1, 6]}, ["last", "all"],
                  WEIGHTS | {"go": np.array(True)})  # noqa: FBT003  # an array  # fmt: skip
    proto.input.append(info("n", [], INT64))
    (reason,) = reasons(read(model(proto), tmp_path))
    assert "the number of steps depends on data (input 0, 'n')" in reason


def test_a_long_loop_whose_state_grows_is_unpriced(tmp_path: Path) -> None:
    body = helper.make_graph(
        [node("Concat", "h h", "new", axis=0), node("Identity", "c", "d")], "body",
        [info("i", [], INT64), info("c", [], BOOL), info("h", None)],
        [info("d", [], BOOL), info("new", None)],
    )  # fmt: skip
    proto = graph([node("Loop", "n _ x", "y", body=body)], {"x": [2, 4]}, ["y"],
                  {"n": np.int64(100)})  # fmt: skip
    (reason,) = reasons(read(model(proto), tmp_path))
    assert reason == "a loop of 100 steps whose state changes its shape is not priced"


def test_a_loop_whose_state_grows_is_written_out(tmp_path: Path) -> None:
    body = helper.make_graph(
        [node("Concat", "h row", "new", axis=0), node("Identity", "c", "d")], "body",
        [info("i", [], INT64), info("c", [], BOOL), info("h", None)],
        [info("d", [], BOOL), info("new", None)],
    )  # fmt: skip
    made = node("Loop", "n _ x", "y", body=body)
    held = {"n": np.int64(3), "row": array((1, 4))}
    network = read(model(graph([made], {"x": [2, 4]}, ["y"], held)), tmp_path)
    assert network.layers[-1].outputs[0].shape == (5, 4)


def test_a_scan_runs_for_each_slice(tmp_path: Path) -> None:
    body = helper.make_graph(
        [node("MatMul", "row w", "a"), node("MatMul", "h r", "b"), node("Add", "a b", "new"),
         node("Identity", "new", "seen")],
        "body", [info("h", [1, 5]), info("row", [1, 6])], [info("new", None), info("seen", None)],
    )  # fmt: skip
    for axis, shape in ((0, [7, 1, 6]), (1, [1, 7, 6])):
        made = node(
            "Scan", "h0 x", "last all", body=body, num_scan_inputs=1, scan_input_axes=[axis],
            scan_input_directions=[1], scan_output_axes=[axis],
        )  # fmt: skip
        network = read(model(graph([made], {"x": shape}, ["all"], WEIGHTS)), tmp_path)
        whole = network.layers[-1].outputs[-1].shape
        assert network.macs == 7 * (30 + 25)
        assert whole == (7, 1, 5) if axis == 0 else (7, 5)


def test_a_scan_over_constants_multiplies_each_slice(tmp_path: Path) -> None:
    body = helper.make_graph(
        [node("MatMul", "h row", "new"), node("Identity", "new", "seen")], "body",
        [info("h", [1, 5]), info("row", [5, 5])], [info("new", None), info("seen", None)],
    )  # fmt: skip
    made = node("Scan", "x rows", "last all", body=body, num_scan_inputs=1)
    held = {"rows": array((7, 5, 5))}
    proto = model(graph([made], {"x": [1, 5]}, ["last", "all"], held))
    workload = lowered(proto, tmp_path)
    assert (workload.macs, workload.weight_count) == (7 * 25, 7 * 25)
    assert workload.tensors[workload.outputs[1]].shape[-3:] == (7, 1, 5)


def test_a_body_may_hold_constants_of_its_own(tmp_path: Path) -> None:
    body = helper.make_graph(
        [node("MatMul", "row own", "a")], "body", [info("row", [1, 6])], [info("a", None)],
        [numpy_helper.from_array(array((6, 3)), "own")],
    )  # fmt: skip
    made = node("Scan", "x", "y", body=body, num_scan_inputs=1)
    workload = lowered(model(graph([made], {"x": [7, 1, 6]}, ["y"])), tmp_path)
    assert (workload.macs, workload.weight_count) == (7 * 18, 18)
