"""NIR files that are damaged, mislead, or contradict themselves: each is refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from frontends.nir.files import fill, floats, graph, node, write

import costmodel
from costmodel.errors import ReadError

if TYPE_CHECKING:
    from pathlib import Path

IN, FC, LIF = (
    node("Input", shape=[4]),
    node("Linear", weight=floats(3, 4)),
    node("LIF", **{name: floats(3) for name in ("tau", "r", "v_leak", "v_threshold")}),
)
NODES = {"in": IN, "fc": FC, "lif": LIF}
EDGES = [("in", "fc"), ("fc", "lif")]


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ({}, [], "the graph has no node"),
        (NODES, [*EDGES, ("lif", "ouput")], "names 'ouput', which is no node"),
        ({**NODES, "lof": LIF}, [*EDGES, ("lif", "lofe")], "did you mean 'lof'?"),
        (NODES, [*EDGES, ("lif.state", "fc")], "names 'lif.state', which is no node"),
        ({**NODES, "fc": node("Linear")}, EDGES, "node 'fc' of Linear: no data set 'weight'"),
        ({**NODES, "fc": node("Linear", weight=floats(3))}, EDGES, "expected at least two axes"),
        ({**NODES, "fc": node("Linear", weight=floats(3, 5))}, EDGES,
         r"node 'fc' of Linear: reads \(4,\) from 'in'; expected \(5,\)"),
        ({**NODES, "fc": node("Linear", weight=floats(3, 0))}, EDGES, "expected from 1 to"),
        ({**NODES, "fc": node("Linear", weight=np.array([[b"a"] * 4] * 3))}, EDGES,
         "a few whole numbers|no data set 'weight'"),
        ({**NODES, "in": node("Input", shape=[-4])}, EDGES, r"the shape \(-4,\); expected lengths"),
        ({**NODES, "in": node("Input", shape=[2**30, 2**30])}, EDGES, "and at most 1,099,511,627"),
        ({**NODES, "in": node("Input", shape=[2.5])}, EDGES, "expected a few whole numbers"),
        ({**NODES, "in": node("Input", shape=[float("nan")])}, EDGES, "a few whole numbers"),
        ({**NODES, "in": node("Input", shape=list(range(1, 20)))}, EDGES, "a few whole numbers"),
        ({"conv": node("Conv2d", weight=floats(1, 1, 3, 3))}, [], "nothing states the shape of"),
        ({**NODES, "fc": {"weight": floats(3, 4)}}, EDGES, "node 'fc' has no 'type'"),
        ({**NODES, "fc": node([1.0], weight=floats(3, 4))}, EDGES, "'type' is no text"),  # type: ignore[arg-type]
        ({**NODES, "fc": floats(3)}, EDGES, "node 'fc' is a data set; expected a group"),
        ({"in": node("Input", shape=[1, 8, 8]),
          "conv": node("Conv2d", weight=floats(4, 3, 3, 3))}, [("in", "conv")],
         "reads .1, 8, 8.; expected 3 channels and 2 spatial axes"),
        ({"in": node("Input", shape=[1, 8, 8]), "conv": node(
            "Conv2d", weight=floats(4, 1, 3, 3), padding="reflect")}, [("in", "conv")],
         "padding is 'reflect'; expected 'same', 'valid'"),
        ({"in": node("Input", shape=[1, 8, 8]), "conv": node(
            "Conv2d", weight=floats(4, 1, 3, 3), stride=[0, 1])}, [("in", "conv")],
         "node 'conv' of Conv2d: .*stride"),
        ({"in": node("Input", shape=[1, 8, 8]), "pool": node("SumPool2d")}, [("in", "pool")],
         "no data set 'kernel_size'"),
        ({"in": IN, "pool": node("SumPool2d", kernel_size=[2, 2])}, [("in", "pool")],
         "expected channels, height and width"),
        ({"in": node("Input", shape=[3]), "sum": FC, "lif": node("IF", r=floats(3))},
         [("in", "lif"), ("lif", "sum"), ("sum", "lif")], "reads"),
        ({"block": graph({"a": IN, "b": IN, "lif": LIF}, []), "in": IN}, [("in", "block")],
         "ends at a graph with 2 Input nodes"),
        ({"pool": node("SumPool2d", kernel_size=[2, 2])}, [("pool", "pool")],
         "in a cycle that no input reaches"),
    ],
)  # fmt: skip
def test_a_graph_that_is_none_is_refused(
    tmp_path: Path, nodes: dict[str, Any], edges: list[tuple[str, str]], message: str
) -> None:
    path = tmp_path / "net.nir"
    write(path, nodes, edges)
    with pytest.raises(ReadError, match=message) as caught:
        costmodel.read(path)
    assert str(path) in str(caught.value)


def test_a_file_of_recorded_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.nir"
    with h5py.File(path, "w") as file:
        file.attrs["__type__"] = "NIRGraphData"
        file.create_group("nodes").create_group("lif").create_group("observables")
    with pytest.raises(ReadError, match="node 'lif' has no 'type'; expected a graph"):
        costmodel.read(path)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.nir"
    with h5py.File(path, "w") as file:
        file["layer"] = floats(3)
    with pytest.raises(ReadError, match="holds no network of NIR"):
        costmodel.read(path)


def test_edges_of_another_form_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    with h5py.File(path, "w") as file:
        fill(file.create_group("node"), {"type": "NIRGraph", "nodes": NODES, "edges": [1, 2, 3]})
    with pytest.raises(ReadError, match=r"'edges' has shape \(3,\)"):
        costmodel.read(path)


# ------------------------------------------------------------------ what a file may lead to


def secret(folder: Path) -> Path:
    path = folder / "secret.h5"
    write(path, NODES, EDGES)
    return path


def test_no_link_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    write(path, {"in": IN}, [])
    other = secret(tmp_path)
    with h5py.File(path, "r+") as file:
        file["node/nodes/fc"] = h5py.ExternalLink(str(other), "/node/nodes/fc")
        file["node/nodes/soft"] = h5py.SoftLink("/node/nodes/in")
    assert [layer.name for layer in costmodel.read(path).layers] == ["in"]


def test_no_data_of_another_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    write(path, {"in": node("Input")}, [])
    with h5py.File(path, "r+") as file:
        layout = h5py.VirtualLayout(shape=(1,), dtype="i8")
        layout[:] = h5py.VirtualSource(str(secret(tmp_path)), "node/nodes/in/shape", shape=(1,))
        file["node/nodes/in"].create_virtual_dataset("shape", layout)
    with pytest.raises(ReadError, match="lies in another file, which is not opened"):
        costmodel.read(path)


def test_a_group_within_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    write(path, NODES, EDGES)
    with h5py.File(path, "r+") as file:
        file["node/nodes/again"] = file["node"]
    with pytest.raises(ReadError, match="groups are nested more than 64 deep"):
        costmodel.read(path)


def test_an_array_that_no_machine_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    write(path, NODES, EDGES)
    with h5py.File(path, "r+") as file:
        del file["node/nodes/fc/weight"]
        file["node/nodes/fc"].create_dataset("weight", (2**40, 4), "f4", chunks=(1024, 4))
    with pytest.raises(ReadError, match=r"expected from 1 to 1,099,511,627,776 elements"):
        costmodel.read(path)


def test_many_edges_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    write(path, NODES, EDGES)
    with h5py.File(path, "r+") as file:
        del file["node/edges"]
        file["node"].create_dataset("edges", (2**30, 2), "i8", chunks=(1024, 2))
    with pytest.raises(ReadError, match="the values of its data sets have more than"):
        costmodel.read(path)


def test_a_deep_graph_and_a_long_cycle_are_read(tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    inner = graph({"in": IN, "lif": node("IF", r=floats(4)), "out": node("Output", shape=[4])},
                  [("in", "lif"), ("lif", "out")])  # fmt: skip
    for _ in range(20):
        inner = graph({"in": IN, "b": inner, "out": node("Output", shape=[4])},
                      [("in", "b"), ("b", "out")])  # fmt: skip
    write(path, {"in": IN, "b": inner}, [("in", "b")])
    assert costmodel.read(path).layers[-1].name == "/".join(["b"] * 21) + "/lif"
    count = 300
    nodes = {f"n{place}": node("IF", r=floats(4)) for place in range(count)}
    ring = [(f"n{place}", f"n{(place + 1) % count}") for place in range(count)]
    write(path, {"in": IN, **nodes}, [("in", "n0"), *ring])
    network = costmodel.read(path)
    assert [layer.name for layer in network.inputs] == ["in", f"n{count - 1}/previous"]
