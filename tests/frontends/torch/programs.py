"""Small programs of the tests, written as files have them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from worlds import world

import costmodel
import costmodel_keras.hooks
import costmodel_torch.hooks
from costmodel.network.graph import Network

REGISTRY = world(keras=costmodel_keras.hooks, torch=costmodel_torch.hooks)
MODELS = Path(__file__).parent.parent / "models"
OWN = MODELS / "torch"


def lengths(*sizes: int | str) -> list[Any]:
    """The sizes of a tensor; a text is an expression."""
    return [
        {"as_expr": {"expr_str": size}} if isinstance(size, str) else {"as_int": size}
        for size in sizes
    ]


def tensor(*sizes: int | str, dtype: int = 7) -> dict[str, Any]:
    """A declared tensor; type 7 is float32, 5 int64."""
    return {"dtype": dtype, "sizes": lengths(*sizes)}


def node(target: str, result: str, module: str = "", **arguments: Any) -> dict[str, Any]:
    """A call with one result; a text argument names a tensor."""
    given = [
        {"name": name, "arg": value if isinstance(value, dict) else _argument(value)}
        for name, value in arguments.items()
    ]
    stack = f"L__self__,,Net;L__self__{module},{module},Layer" if module else ""
    return {
        "target": f"torch.ops.{target}", "name": result, "inputs": given,
        "outputs": [{"as_tensor": {"name": result}}], "metadata": {"nn_module_stack": stack},
    }  # fmt: skip


def _argument(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"as_tensor": {"name": value}}
    if isinstance(value, int):
        return {"as_int": value}
    return {"as_ints": value}


def program(
    nodes: list[Any], tensors: dict[str, Any], *, held: tuple[str, ...] = (), result: str = ""
) -> dict[str, Any]:
    """A program whose inputs are `x` and the parameters that are `held`."""
    last = result or nodes[-1]["name"]
    names = [*held, *[name for name in tensors if name.startswith("x")]]
    specs: list[Any] = [
        {"parameter": {"arg": {"name": name}, "parameter_name": name}} for name in held
    ]
    specs += [{"user_input": {"arg": {"as_tensor": {"name": name}}}} for name in names[len(held) :]]
    return {
        "graph_module": {
            "graph": {
                "inputs": [{"as_tensor": {"name": name}} for name in names],
                "outputs": [{"as_tensor": {"name": last}}],
                "nodes": nodes,
                "tensor_values": tensors,
                "sym_int_values": {},
            },
            "signature": {
                "input_specs": specs,
                "output_specs": [{"user_output": {"arg": {"as_tensor": {"name": last}}}}],
            },
        },
        "schema_version": {"major": 8, "minor": 20},
        "torch_version": "2.13.0",
    }


def packed(values: Any, member: str = "net/models/model.json", **more: bytes) -> bytes:
    """The bytes of a `.pt2` file."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        content = values if isinstance(values, bytes) else json.dumps(values).encode()
        archive.writestr(member, content)
        for name, data in more.items():
            archive.writestr(name, data)
    return held.getvalue()


def written(folder: Path, values: Any, **more: bytes) -> Path:
    """A `.pt2` file."""
    path = folder / "net.pt2"
    path.write_bytes(packed(values, **more))
    return path


def linear(**changes: Any) -> dict[str, Any]:
    """A program of one product."""
    made = program(
        [node("aten.linear.default", "y", input="x", weight="w")],
        {"x": tensor(1, 8), "w": tensor(4, 8), "y": tensor(1, 4)}, held=("w",),
    )  # fmt: skip
    return {**made, **changes}


def read(source: Any, **settings: Any) -> Network:
    """The network of a source, by the readers of PyTorch and Keras."""
    return costmodel.read(source, registry=REGISTRY, **settings)


def macs(network: Network) -> int:
    """Multiply-accumulates of one inference."""
    return sum(work.macs for work in costmodel.work_by_layer(network))
