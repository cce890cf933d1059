"""Every operator of the schema: read, with the shapes that files declare, counted or explained."""

from __future__ import annotations

from pathlib import Path

import pytest
from frontends.tflite.files import Function, written
from frontends.tflite.operator_cases import CASES, CONSTANT, ELSEWHERE, Case

import costmodel
from costmodel.workload.graph import Workload
from costmodel.workload.operators import Unsupported

tflite = pytest.importorskip("tflite")


def workload(path: Path) -> Workload:
    network = costmodel.read(path)
    return costmodel.Convention().lower(network, costmodel.Scenario()).bind(batch=1)


def builtins() -> list[str]:
    from tflite.BuiltinOperator import BuiltinOperator  # noqa: PLC0415  # only where it is there

    return [name for name in vars(BuiltinOperator) if not name.startswith("_")]


def test_every_builtin_operator_has_a_case() -> None:
    tested = {case.code for case in CASES} | {*CONSTANT, *ELSEWHERE, "CUSTOM"}
    assert [name for name in builtins() if name not in tested] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_an_operator_has_its_shapes_and_its_macs(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(case.content())
    whole = workload(path)
    assert whole.macs == case.macs
    reasons = [one.operator for one, _ in whole.nodes if isinstance(one.operator, Unsupported)]
    network = costmodel.read(path)
    unpriced = [one for one in network.layers if isinstance(one.workload(), costmodel.Unpriced)]
    assert bool(reasons or unpriced) == case.unpriced


@pytest.mark.parametrize("code", CONSTANT)
def test_what_depends_on_shapes_alone_is_a_constant(code: str, tmp_path: Path) -> None:
    f = Function()
    value = f.input((1, 2, 3))
    reads, table, options, shape = {
        "SHAPE": ([value], "", {}, (3,)),
        "RANK": ([value], "", {}, ()),
        "FILL": ([f.numbers([2, 3]), f.numbers(7)], "", {}, (2, 3)),
        "ZEROS_LIKE": ([value], "", {}, (1, 2, 3)),
        "RANGE": ([f.numbers(0), f.numbers(6), f.numbers(2)], "", {}, (3,)),
        "BROADCAST_ARGS": ([f.numbers([1, 3]), f.numbers([2, 1])], "", {}, (2,)),
        "STABLEHLO_IOTA": ([], "StablehloIotaOptions", {"IotaDimension": 1}, (2, 3)),
    }[code]  # fmt: skip
    made = f.add(code, reads, [shape], options, table)
    f.outputs = [*made, *f.add("RELU", [value], [(1, 2, 3)])]
    path = tmp_path / "net.tflite"
    path.write_bytes(written(f))
    assert [layer.kind for layer in costmodel.read(path).layers] == ["input", "tflite.RELU"]
