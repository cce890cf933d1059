"""Make the NIR files of the folder `nir`: `python make_nir.py`, where `nir` 1.0.8 is installed.

All numbers in them are ones: only shapes and types matter for a cost. The shapes of a chain are not
checked, because `nir` takes every window for a square and every kernel for ungrouped.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np

FOLDER = Path(__file__).parent / "nir"
OPEN = np.array([0])
"""A shape that a file does not state."""


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, "f4")


def lif(*shape: int) -> nir.LIF:
    return nir.LIF(ones(*shape), ones(*shape), ones(*shape), ones(*shape))


def cuba(*shape: int) -> nir.CubaLIF:
    return nir.CubaLIF(*[ones(*shape) for _ in range(5)])


def linear(to: int, of: int) -> nir.Linear:
    return nir.Linear(ones(to, of))


def affine(to: int, of: int) -> nir.Affine:
    return nir.Affine(ones(to, of), ones(to))


def conv2d(weight: np.ndarray, **settings: Any) -> nir.Conv2d:
    plain = {"input_shape": (0, 0), "stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    return nir.Conv2d(weight=weight, bias=ones(len(weight)), **{**plain, **settings})


def save(name: str, node: nir.NIRNode) -> None:
    """Write a file, without the shapes that are OPEN: `nir` reads such files, but writes none."""
    path = FOLDER / f"{name}.nir"
    nir.write(path, node, compression=None)
    with h5py.File(path, "r+") as file:
        held = file["node/nodes"].values() if "nodes" in file["node"] else []
        for one in held:
            for key in ("input_shape", "input_type"):
                if key in one and not np.any(one[key][()]):
                    del one[key]


def chain(*nodes: nir.NIRNode, shape: tuple[int, ...], end: tuple[int, ...]) -> nir.NIRGraph:
    """Nodes one after the other, without a check of their shapes."""
    names = ["input", *[f"{place}" for place in range(len(nodes))], "output"]
    held = [nir.Input(np.array(shape)), *nodes, nir.Output(np.array(end))]
    return nir.NIRGraph(
        dict(zip(names, held, strict=True)), list(pairwise(names)),
        type_check=False,
    )  # fmt: skip


def pool(kind: type, window: int) -> nir.NIRNode:
    return kind(np.array([window, window]), np.array([window, window]), np.array([0, 0]))


def every_type() -> nir.NIRGraph:
    """Each type of node once or more; no spatial shapes but that of the input."""
    image = [
        conv2d(ones(4, 2, 3, 3), padding=1), nir.IF(ones(4, 16, 12), ones(4, 16, 12)),
        pool(nir.SumPool2d, 2), conv2d(ones(8, 2, 3, 2), stride=(2, 1), padding="valid", groups=2),
        lif(8, 3, 5), pool(nir.AvgPool2d, 1), nir.Delay(ones(8, 3, 5)), nir.Flatten(OPEN, 0, -1),
        affine(24, 120), nir.Scale(ones(24)), cuba(24),
        linear(12, 24), nir.I(ones(12)), linear(10, 12), nir.LI(*[ones(10)] * 3),
        linear(6, 10), nir.CubaLI(*[ones(6)] * 4), nir.Threshold(ones(6)),
    ]  # fmt: skip
    return chain(*image, shape=(2, 16, 12), end=(6,))


def nested() -> nir.NIRGraph:
    """A graph in a graph in a graph, twice, and a node whose name has dots."""
    inner = nir.NIRGraph(
        {"in": nir.Input(np.array([8])), "w.rec": linear(8, 8), "lif": cuba(8),
         "out": nir.Output(np.array([8]))},
        [("in", "lif"), ("lif", "w.rec"), ("w.rec", "lif"), ("lif", "out")],
    )  # fmt: skip
    block = nir.NIRGraph(
        {"input": nir.Input(np.array([6])), "fc": affine(8, 6), "cell": inner,
         "output": nir.Output(np.array([8]))},
        [("input", "fc"), ("fc", "cell"), ("cell", "output")], type_check=False,
    )  # fmt: skip
    return nir.NIRGraph(
        {"input": nir.Input(np.array([6])), "block.0": block, "fc": linear(3, 8), "lif": lif(3),
         "output": nir.Output(np.array([3]))},
        [("input", "block.0"), ("block.0", "fc"), ("fc", "lif"), ("lif", "output")],
        type_check=False,
    )  # fmt: skip


def two_recurrent() -> nir.NIRGraph:
    """Two recurrent layers, and a connection from the second back to the first."""
    return nir.NIRGraph(
        {"input": nir.Input(np.array([5])), "fc1": affine(8, 5), "lif1": lif(8),
         "rec1": linear(8, 8), "fc2": affine(4, 8), "lif2": cuba(4), "rec2": linear(4, 4),
         "back": linear(8, 4), "output": nir.Output(np.array([4]))},
        [("input", "fc1"), ("fc1", "lif1"), ("lif1", "rec1"), ("rec1", "lif1"), ("lif1", "fc2"),
         ("fc2", "lif2"), ("lif2", "rec2"), ("rec2", "lif2"), ("lif2", "back"), ("back", "lif1"),
         ("lif2", "output")],
    )  # fmt: skip


def delays() -> nir.NIRGraph:
    """Two paths of different delay that meet at neurons, which also feed themselves."""
    return nir.NIRGraph(
        {"input": nir.Input(np.array([4])), "short": nir.Delay(ones(4)), "fc": linear(4, 4),
         "lif": lif(4), "again": nir.Delay(ones(4)), "output": nir.Output(np.array([4]))},
        [("input", "short"), ("short", "lif"), ("input", "fc"), ("fc", "lif"), ("lif", "again"),
         ("again", "lif"), ("lif", "output")],
    )  # fmt: skip


def sequence() -> nir.NIRGraph:
    """Convolutions along one axis: a stride, 'same', a dilation, groups."""
    first = nir.Conv1d(100, ones(8, 2, 9), 2, 4, 1, 1, ones(8))
    second = nir.Conv1d(0, ones(8, 2, 5), 1, "same", 2, 4, ones(8))
    nodes = (first, lif(8, 50), second, lif(8, 50), nir.Flatten(OPEN, 0, -1), linear(3, 400))
    return chain(*nodes, shape=(2, 100), end=(3,))


def contradictions() -> nir.NIRGraph:
    """What other programs write and `nir.read` refuses, which has one sensible reading."""
    return chain(
        conv2d(ones(4, 1, 3, 3), input_shape=(10, 10), padding=1),  # reads (8, 8) without a channel
        nir.LIF(*[np.float32(1)] * 4),  # constants of no axis
        nir.Flatten(np.array([4, 8, 8]), 1, -1),  # the first axis taken for a batch
        linear(10, 256), nir.IF(ones(1), ones(1)),
        shape=(8, 8), end=(1, 10, 1),
    )  # fmt: skip


def open_ends() -> nir.NIRGraph:
    """No Input and no Output node."""
    return nir.NIRGraph({"a": affine(3, 4), "b": lif(3)}, [("a", "b")], type_check=False)


def aged() -> None:
    """As release 0.0.1 wrote files: numbered nodes in the root group, `weights`, `theta`."""
    with h5py.File(FOLDER / "aged.nir", "w") as file:
        nodes = file.create_group("nodes")
        for name, held in (
            ("0", {"type": "Linear", "weights": ones(3, 4), "bias": ones(3)}),
            ("1", {"type": "LIF", **dict.fromkeys(("tau", "r", "v_leak", "theta"), ones(3))}),
        ):
            group = nodes.create_group(name)
            for key, value in held.items():
                group.create_dataset(key, data=value)
        file.create_dataset("edges", data=[(0, 1)])


def dense() -> nir.NIRGraph:
    """The same synapses and neurons as a network of KerasSpiking in the tests."""
    return chain(affine(12, 20), lif(12), affine(5, 12), lif(5), shape=(20,), end=(5,))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    save("every_type", every_type())
    save("nested", nested())
    save("two_recurrent", two_recurrent())
    save("delays", delays())
    save("sequence", sequence())
    save("contradictions", contradictions())
    save("open_ends", open_ends())
    save("dense", dense())
    save("single", linear(3, 4))
    aged()


if __name__ == "__main__":
    main()
