"""Drawn workloads of a few operators that fuse, and a device that prices them."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from hypothesis import strategies as st

from costmodel.devices import (
    Access,
    Charge,
    Cost,
    Device,
    Duration,
    Evidence,
    Factor,
    Memory,
    Parameter,
    parameter,
    prices,
)
from costmodel.numerics import parse_format
from costmodel.tensor import Tensor
from costmodel.workload.builders import activation, elementwise, matmul, pad
from costmodel.workload.graph import Node, View, Workload
from costmodel.workload.operators import (
    Activation,
    Contraction,
    Elementwise,
    Movement,
    Operator,
    Reduction,
)

FORMATS = st.sampled_from([None, parse_format("int8"), parse_format("int4")])


def figure(name: str, value: float, unit: str, low: float | None = None) -> Parameter:
    low = value if low is None else low
    return Parameter(name, value, unit, "a test", Evidence.ASSUMED, low=low, high=2 * value)


@frozen(slots=False)
class Sheet(Device):
    """One joule for every multiply-accumulate, and a resource for each sort of operator."""

    family = "sheet"
    resources = ("array", "vector", "mover")
    fuses = ("activation", "bias", "padding")
    uses_memories = True

    energy: Parameter = parameter("J")
    clock: Parameter = parameter("Hz", positive=True)

    @prices(Contraction)
    def product(self, operator: Operator, scenario: Any) -> Cost:  # the same in all
        return self._cost("array", operator.macs, "run")

    @prices(Activation, Elementwise, Reduction)
    def pointwise(self, operator: Operator, scenario: Any) -> Cost:  # the same in all
        return self._cost("vector", sum(operator.operations.values()), "run")

    @prices(Movement)
    def carried(self, operator: Operator, scenario: Any) -> Cost:  # the same in all
        return self._cost("mover", operator.points, "start")

    def _cost(self, resource: str, count: int, phase: str) -> Cost:
        charge = Charge(resource, "compute", (Factor("operations", count),), self.energy)
        return Cost([charge], durations=[Duration(resource, count, self.clock, phase)])


def sheet(buffer_bytes: float = 40, **changes: Any) -> Sheet:
    """A device with a small buffer for activations, and a large memory for everything."""
    memories = [
        Memory(
            name="buffer", size=figure("size", buffer_bytes, "B"), holds=("input", "output"),
            read=Access(figure("buffer read", 1.0, "J"), 16),
            write=Access(figure("buffer write", 2.0, "J"), 16),
            bandwidth=figure("buffer rate", 8.0, "B/s"),
        ),
        Memory(
            name="dram", read=Access(figure("dram read", 10.0, "J"), 64),
            write=Access(figure("dram write", 20.0, "J"), 64),
            bandwidth=figure("dram rate", 2.0, "B/s", low=1.0),
        ),
    ]  # fmt: skip
    given = {"energy": figure("energy", 1.0, "J"), "clock": figure("clock", 4.0, "Hz")}
    return Sheet("sheet", memories=memories, **{**given, **changes})


@st.composite
def plans(draw: st.DrawFn) -> Workload:
    """Products, activations, additions, padding and views over earlier tensors."""
    rows = draw(st.integers(1, 4))
    tensors: dict[str, Tensor] = {"in": Tensor((rows, draw(st.integers(1, 4))), draw(FORMATS))}
    weights: list[str] = []
    steps: list[Any] = []
    for place in range(draw(st.integers(1, 7))):
        source = draw(st.sampled_from(sorted(set(tensors) - set(weights))))
        name, given = f"t{place}", tensors[source]
        kind = draw(
            st.sampled_from(
                ["matmul", "relu", "in place", "add", "bias", "fold", "pad", "view", "slice"]
            )
        )
        reads = [source]
        if kind == "view":
            tensors[name] = Tensor((*given.shape[::-1],), given.format)
            steps.append(View(f"s{place}", source, name))
            continue
        if kind == "slice":
            start = draw(st.integers(0, given.shape[0] - 1))
            tensors[name] = Tensor((given.shape[0] - start, given.shape[1]), given.format)
            steps.append(View(f"s{place}", source, name, "slice", (start, 0)))
            continue
        if kind == "matmul":
            held = f"w{place}"
            tensors[held] = Tensor((given.shape[-1], draw(st.integers(1, 4))), draw(FORMATS))
            tensors[name] = Tensor((given.shape[0], tensors[held].shape[1]), draw(FORMATS))
            work: Operator = matmul(given, tensors[held], output=tensors[name])
            weights.append(held)
            reads.append(held)
        elif kind in {"relu", "in place"}:
            tensors[name] = Tensor(given.shape, draw(FORMATS))
            work = activation("relu", given, output=tensors[name], in_place=kind == "in place")
        elif kind == "add":
            alike = [one for one in tensors if tensors[one].shape == given.shape]
            other = draw(st.sampled_from(sorted(set(alike) - set(weights))))
            tensors[name] = Tensor(given.shape, draw(FORMATS))
            work = elementwise("add", given, tensors[other], output=tensors[name])
            reads.append(other)
        elif kind in {"bias", "fold"}:
            held = f"w{place}"
            tensors[held] = Tensor((given.shape[-1],), draw(FORMATS))
            tensors[name] = Tensor(given.shape, draw(FORMATS))
            work = elementwise("add", given, weights=[tensors[held]], output=tensors[name])
            weights.append(held)
            reads.append(held)
        else:
            tensors[name] = Tensor((given.shape[0] + 1, given.shape[1] + 2), given.format)
            work = pad(given, [(1, 0), (1, 1)], output=tensors[name])
        linear = [step.name for step in steps if getattr(step, "layer", "") == "linear"]
        steps.append(
            Node(
                f"s{place}", work, (*reads, name), "linear" if kind == "matmul" else "",
                folds_into=draw(st.sampled_from(linear)) if linear and kind == "fold" else None,
            )
        )  # fmt: skip
    made = sorted(set(tensors) - set(weights))
    outputs = draw(st.lists(st.sampled_from(made), min_size=1, unique=True))
    return Workload("plan", tensors, steps, ["in"], outputs, weights)
