"""Small ONNX models, and what the reader makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import costmodel
from costmodel.network.graph import Network
from costmodel.registry import installed
from costmodel.workload.graph import Workload
from costmodel_onnx.reader import graph_of

FLOAT = TensorProto.FLOAT
MS = "com.microsoft"
QONNX = "qonnx.custom_op.general"


def info(name: str, shape: Sequence[Any] | None, kind: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def array(shape: Sequence[int], dtype: Any = np.float32) -> Any:
    """Random numbers that are not all equal."""
    drawn = np.random.default_rng(0).integers(-7, 7, shape)
    return drawn.astype(dtype) if drawn.ndim else np.array(drawn, dtype)


def graph(
    nodes: Iterable[Any], inputs: Mapping[str, Sequence[Any]], outputs: Iterable[str],
    held: Mapping[str, Any] = {},  # never changed
    kind: int = FLOAT,
) -> Any:  # fmt: skip
    made = [
        one if isinstance(one, onnx.TensorProto) else numpy_helper.from_array(np.asarray(one), name)
        for name, one in held.items()
    ]
    for name, one in zip(held, made, strict=True):
        one.name = name
    return helper.make_graph(
        list(nodes), "g", [info(name, shape, kind) for name, shape in inputs.items()],
        [info(name, None) for name in outputs], made,
    )  # fmt: skip


def model(proto: Any, opset: int = 21, functions: Sequence[Any] = (), **domains: int) -> Any:
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(MS, 1),
               helper.make_opsetid(QONNX, 1)]  # fmt: skip
    imports += [helper.make_opsetid(name, version) for name, version in domains.items()]
    return helper.make_model(proto, opset_imports=imports, functions=list(functions))


def stored(proto: Any, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def read(proto: Any, folder: Path, shapes: Mapping[str, Any] | None = None) -> Network:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return costmodel.read(stored(proto, folder), input_shapes=shapes or {})


def lowered(proto: Any, folder: Path, shapes: Mapping[str, Any] | None = None) -> Workload:
    network = read(proto, folder, shapes)
    return costmodel.Convention().lower(network, costmodel.Scenario()).bind(batch=1)


def notes(proto: Any, folder: Path) -> list[str]:
    return graph_of(stored(proto, folder), installed().layer_registry, {}).notes


def reasons(network: Network) -> list[str]:
    """Why layers stay unpriced."""
    found = [layer.operators() for layer in network.layers]
    return [one.reason for one in found if isinstance(one, costmodel.Unpriced)]


def node(operator: str, reads: str, writes: str, domain: str = "", **attributes: Any) -> Any:
    """A node of values whose names stand in a row; `_` is left out."""
    inputs = ["" if name == "_" else name for name in reads.split()]
    outputs = writes.split()
    name = f"{operator}.{outputs[0]}"
    return helper.make_node(operator, inputs, outputs, name=name, domain=domain, **attributes)
