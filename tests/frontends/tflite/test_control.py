"""Loops, branches, calls and variables of TFLite files."""

from __future__ import annotations

from pathlib import Path

import pytest
from frontends.tflite.files import Function, Made, written
from frontends.tflite.operator_cases import dense, subgraph

import costmodel
from costmodel.network.graph import Network
from costmodel.workload.graph import Branch, Loop, Workload

tflite = pytest.importorskip("tflite")
LOOP = {"CondSubgraphIndex": 1, "BodySubgraphIndex": 2}


def read(path: Path, *functions: Function) -> Network:
    file = path / "net.tflite"
    file.write_bytes(written(*functions))
    return costmodel.read(file)


def lowered(network: Network) -> Workload:
    return costmodel.Convention().lower(network, costmodel.Scenario()).bind(batch=1)


def condition(limit: int, code: str = "LESS") -> Function:
    f = Function()
    count, _ = f.input((), "int32"), f.input((1, 6))
    f.outputs = f.add(code, [count, f.numbers(limit)], [()], kind="bool")
    return f


def body(step: int = 1) -> Function:
    """Counts, and multiplies the state by a matrix."""
    f = Function()
    count, state = f.input((), "int32"), f.input((1, 6))
    (after,) = f.add("ADD", [count, f.numbers(step)], [()], kind="int32")
    (new,) = f.add("FULLY_CONNECTED", [state, f.weights(6, 6)], [(1, 6)])
    f.outputs = [after, new]
    return f


def main(code: str = "WHILE", *, counts_from: int | None = 0) -> Function:
    f = Function()
    state = f.input((1, 6))
    count = f.input((), "int32") if counts_from is None else f.numbers(counts_from)
    table = "WhileOptions" if code == "WHILE" else "StablehloWhileOptions"
    results = f.add(code, [count, state], [(), (1, 6)], LOOP, table)
    f.outputs = f.add("RELU", [results[1]], [(1, 6)])
    return f


@pytest.mark.parametrize(
    ("start", "limit", "step", "steps"), [(0, 7, 1, 7), (3, 7, 2, 2), (0, 700, 1, 700)]
)
@pytest.mark.parametrize("code", ["WHILE", "STABLEHLO_WHILE"])
def test_a_loop_of_a_known_number_of_steps_repeats_its_body(
    code: str, start: int, limit: int, step: int, steps: int, tmp_path: Path
) -> None:
    network = read(tmp_path, main(code, counts_from=start), condition(limit), body(step))
    whole = lowered(network)
    assert whole.macs == steps * 36
    (found,) = [one for one in whole.steps if isinstance(one, Loop)]
    assert found.steps == steps


def test_a_loop_that_never_runs_costs_nothing(tmp_path: Path) -> None:
    network = read(tmp_path, main(counts_from=9), condition(7), body())
    assert lowered(network).macs == 0


@pytest.mark.parametrize(
    ("functions", "reason"),
    [
        ((main(counts_from=None), condition(7), body()), "depends on data (variable 0)"),
        ((main(), condition(7), body(0)), "more than 65,536"),
        ((main(), condition(-1, "FLOOR"), body()), "depends on FLOOR"),
    ],
    ids=["data", "endless", "operator"],
)
def test_a_loop_whose_steps_nobody_knows_stays_unpriced(
    functions: tuple[Function, ...], reason: str, tmp_path: Path
) -> None:
    network = read(tmp_path, *functions)
    layer = next(one for one in network.layers if one.kind == "tflite.WHILE")
    work = layer.workload()
    assert isinstance(work, costmodel.Unpriced)
    assert reason in work.reason


def listing(*, rest: int = 1) -> tuple[Function, ...]:
    """A loop that writes its state to one place of a list, as converters write it."""
    f = Function()
    reads = [f.numbers(0), f.input((1, 6)), f.tensor((5, 6), data=bytes(120))]
    results = f.add("WHILE", reads, [(), (1, 6), (5, 6)], LOOP, "WhileOptions")
    f.outputs = results[1:]
    asks = condition(5)
    asks.input((5, 6))
    step = Function()
    count, state, held = step.input((), "int32"), step.input((1, 6)), step.input((5, 6))
    (after,) = step.add("ADD", [count, step.numbers(1)], [()], kind="int32")
    (new,) = step.add("FULLY_CONNECTED", [state, step.weights(6, 6)], [(1, 6)])
    slices = []
    for place in (count, after):
        (row,) = step.add("RESHAPE", [place, step.numbers([1])], [(1,)], kind="int32")
        (edge,) = step.add("CONCATENATION", [row, step.numbers([0])], [(2,)], kind="int32")
        first = [held, step.numbers([0, 0]), edge] if place is count else [held, edge, edge]
        (part,) = step.add("SLICE", first, [(1, 6)])
        part.signature = (-1, -1)
        slices.append(part)
    shape = (4 + rest, 6)
    whole = step.add("CONCATENATION", [slices[0], new, slices[1]], [shape])
    step.outputs = [after, new, *whole]
    return f, asks, step


def test_an_item_of_a_list_is_written_in_a_loop(tmp_path: Path) -> None:
    whole = lowered(read(tmp_path, *listing()))
    assert whole.macs == 5 * 36


def test_a_loop_with_lengths_that_are_data_stays_unpriced(tmp_path: Path) -> None:
    network = read(tmp_path, *listing(rest=2))
    (layer,) = [one for one in network.layers if one.kind == "tflite.WHILE"]
    work = layer.workload()
    assert isinstance(work, costmodel.Unpriced)
    assert "within it" in work.reason or "goes on as" in work.reason


def test_a_subgraph_that_calls_itself_is_refused(tmp_path: Path) -> None:
    own = subgraph([(1, 6)], ("CALL", [0], (1, 6)))
    own.steps[0].options, own.steps[0].table = {"Subgraph": 1}, "CallOptions"
    f = Function()
    f.outputs = f.add("CALL", [f.input((1, 6))], [(1, 6)], {"Subgraph": 1}, "CallOptions")
    with pytest.raises(costmodel.CostModelError, match="no subgraph that calls itself"):
        read(tmp_path, f, own)


def test_a_branch_that_data_choose_has_both_sides(tmp_path: Path) -> None:
    f = Function()
    options = {"ThenSubgraphIndex": 1, "ElseSubgraphIndex": 2}
    reads = [f.input((), "bool"), f.input((1, 6))]
    f.outputs = f.add("IF", reads, [(1, 6)], options, "IfOptions")
    network = read(tmp_path, f, dense(6, 6), subgraph([(1, 6)], ("RELU", [0], (1, 6))))
    (found,) = [one for one in lowered(network).steps if isinstance(one, Branch)]
    assert [one.macs for one in found.alternatives] == [36, 0]


# ------------------------------------------------------------------ variables


def handle(f: Function, shape: tuple[int, ...] = (1,)) -> Made:
    options = {"Container": "", "SharedName": "state"}
    return f.add("VAR_HANDLE", [], [shape], options, "VarHandleOptions", "resource")[0]


def initialised(*, assigns: bool, shape: tuple[int, ...] = (1,)) -> tuple[Function, Function]:
    """A variable that CALL_ONCE fills, as a matrix; an inference may assign another to it."""
    first = Function()
    first.add("ASSIGN_VARIABLE", [handle(first, shape), first.weights(6, 6)], [])
    f = Function()
    f.add("CALL_ONCE", [], [], {"InitSubgraphIndex": 1}, "CallOnceOptions")
    value, place = f.input((1, 6)), handle(f, shape)
    (matrix,) = f.add("READ_VARIABLE", [place], [(6, 6)])
    f.outputs = f.add("FULLY_CONNECTED", [value, matrix], [(1, 6)])
    if assigns:
        (other,) = f.add("ADD", [matrix, matrix], [(6, 6)])
        f.add("ASSIGN_VARIABLE", [place, other], [])
    return f, first


def parameters(network: Network) -> list[costmodel.Shape]:
    return [one.shape for layer in network.layers for one in layer.parameters.values()]


@pytest.mark.parametrize("shape", [(1,), ()], ids=["an axis of one", "no axis"])
def test_a_variable_that_no_inference_assigns_is_a_weight(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    network = read(tmp_path, *initialised(assigns=False, shape=shape))
    assert [layer.kind for layer in network.layers] == ["input", "tflite.FULLY_CONNECTED"]
    assert parameters(network) == [(6, 6)]
    assert lowered(network).macs == 36


def test_a_variable_that_an_inference_assigns_enters_and_leaves_it(tmp_path: Path) -> None:
    network = read(tmp_path, *initialised(assigns=True))
    assert [layer.name for layer in network.layers if layer.kind == "input"] == ["t0", "state"]
    assert len(network.outputs) == 2
    assert parameters(network) == []
    assert lowered(network).macs == 36


def test_a_hash_table_is_filled_once(tmp_path: Path) -> None:
    f = Function()
    (place,) = f.add("HASHTABLE", [], [(1,)], kind="resource")
    f.add("HASHTABLE_IMPORT", [place, f.numbers([1, 2]), f.numbers([3, 4])], [])
    f.outputs = f.add("HASHTABLE_FIND", [place, f.input((1, 4)), f.numbers(0)], [(1, 4)])
    kinds = [layer.kind for layer in read(tmp_path, f).layers]
    assert kinds == ["input", "tflite.HASHTABLE_FIND"]
