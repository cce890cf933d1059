"""Small workloads that tests share."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from costmodel.formats import parse_format
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import Symbol
from costmodel.workload.builders import activation, conv, elementwise, matmul, pool
from costmodel.workload.graph import Branch, Loop, Node, View, Workload

BATCH = Symbol("batch")
formats = st.sampled_from([None, parse_format("int8")])


def classifier() -> Workload:
    """A convolution, its activation, pooling, a view, and a dense layer."""
    image, pooled = (BATCH, 16, 32, 32), (BATCH, 16, 16, 16)
    return Workload(
        "classifier",
        {
            "image": (BATCH, 3, 32, 32), "kernel": (16, 3, 3, 3), "sums": image, "features": image,
            "pooled": pooled, "flat": (BATCH, 4096), "weights": (4096, 10), "scores": (BATCH, 10),
        },
        [
            Node("conv", conv((BATCH, 3, 32, 32), (16, 3, 3, 3), padding=1),
                 ("image", "kernel", "sums")),
            Node("relu", activation("relu", image), ("sums", "features")),
            Node("pool", pool("max", image, 2), ("features", "pooled")),
            View("flatten", "pooled", "flat"),
            Node("dense", matmul((BATCH, 4096), (4096, 10)), ("flat", "weights", "scores")),
        ],
        inputs=["image"], outputs=["scores"], weights=["kernel", "weights"],
    )  # fmt: skip


def recurrent(steps: int) -> Workload:
    body = Workload(
        "step",
        {"x": (1, 4), "h": (1, 3), "w": (4, 3), "u": (3, 3), "a": (1, 3), "b": (1, 3),
         "next": (1, 3)},
        [
            Node("input", matmul((1, 4), (4, 3)), ("x", "w", "a")),
            Node("state", matmul((1, 3), (3, 3)), ("h", "u", "b")),
            Node("sum", elementwise("add", (1, 3), (1, 3)), ("a", "b", "next")),
        ],
        inputs=["x", "h"], outputs=["next"], weights=["w", "u"],
    )  # fmt: skip
    loop = Loop(
        name="rnn", body=body, steps=steps, fixed={"W": "w", "U": "u"}, varying={"sequence": "x"},
        carried={"start": "h"}, carries={"next": "h"}, last={"next": "end"},
    )  # fmt: skip
    return Workload(
        "rnn",
        {"sequence": (1, steps, 4), "start": (1, 3), "W": (4, 3), "U": (3, 3), "end": (1, 3)},
        [loop], inputs=["sequence", "start"], outputs=["end"], weights=["W", "U"],
    )  # fmt: skip


def either() -> Workload:
    """One of two activations."""

    def path(function: str) -> Workload:
        work = Node(function, activation(function, (1, 4)), ("x", "y"))
        return Workload(function, {"x": (1, 4), "y": (1, 4)}, [work], ["x"], ["y"])

    branch = Branch(name="choice", alternatives=[path("relu"), path("tanh")])
    return Workload("either", {"x": (1, 4), "y": (1, 4)}, [branch], ["x"], ["y"])


@st.composite
def graphs(draw: st.DrawFn) -> Workload:
    """Steps that read earlier tensors of several sizes, with views among them."""
    tensors: dict[str, Any] = {"in": Tensor((draw(st.integers(1, 9)),), draw(formats))}
    steps: list[Any] = []
    for place in range(draw(st.integers(1, 8))):
        source = draw(st.sampled_from(sorted(tensors)))
        name, shape = f"t{place}", tensors[source].shape
        if draw(st.booleans()):
            tensors[name] = Tensor((1, *shape)[-5:], tensors[source].format)
            steps.append(View(f"v{place}", source, name))
            continue
        other = draw(
            st.sampled_from([one for one in sorted(tensors) if tensors[one].shape == shape])
        )
        tensors[name] = Tensor(shape, draw(formats))
        work = elementwise("add", tensors[source], tensors[other], output=tensors[name])
        steps.append(Node(f"n{place}", work, (source, other, name)))
    outputs = draw(st.lists(st.sampled_from(sorted(tensors)), min_size=1, unique=True))
    return Workload("drawn", tensors, steps, ["in"], outputs)
