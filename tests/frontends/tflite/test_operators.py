"""Every operator of the schema: read, with the shapes that files declare, counted or explained."""

from __future__ import annotations

import re
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


def test_every_option_that_a_rule_reads_is_one_of_the_schema() -> None:
    from costmodel_tflite import file, operators  # noqa: PLC0415  # brings the parser

    folder = Path(operators.__file__).parent
    text = "".join(path.read_text() for path in (*folder.glob("*.py"), folder.parent / "table.py"))
    read = set(re.findall(r"""option\(\s*"(\w+)\"""", text)) | {
        pattern.format(axis)
        for pattern in re.findall(r"""per_axis\(node, "(\S+?)\"""", text)
        for axis in "dhw"
    }
    modules = [path.stem for path in Path(tflite.__file__).parent.glob("*Options.py")]
    known = {
        name for one in modules if one != "BuiltinOptions" for part in file._fields(one)
        for name in part.values()
    }  # fmt: skip
    assert len(read) > 40
    assert sorted(read - known) == []


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
