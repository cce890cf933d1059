"""Functions of `linalg` on tensors as networks: `from_mlir` reads them; operators are layers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import LinalgError, ReadError, ShapeError, UnknownNameError
from costmodel.frontend.graph import Graph
from costmodel.frontend.layers import network_of
from costmodel.frontend.operations.work import Value, Work
from costmodel.tensor.shapes import show_shape
from costmodel.workload.graph import Node, View, Workload
from costmodel.workload.linalg import from_mlir
from costmodel.workload.linalg.tables import PREFIX

if TYPE_CHECKING:
    from costmodel.network.graph import Network
    from costmodel.tensor.shapes import Shape

_OWN: Final = re.compile(rf"\blinalg\.[a-z]|\b{re.escape(PREFIX)}[a-z]")
"""What the text of such a function has: operations of `linalg`, or what `to_mlir` writes."""


def is_linalg(content: bytes) -> bool:
    """Whether a text is of functions of `linalg`, and not of StableHLO."""
    if b"stablehlo." in content or b"\0" in content:
        return False
    return _OWN.search(content.decode(errors="replace")) is not None


def linalg_network(
    content: bytes, where: str, name: str, input_shapes: Mapping[str, Shape]
) -> Network:
    """The network of the only function that no other calls; a layer for each operator.

    Args:
        content: the text of the module.
        where: what messages call it.
        name: that of the network.
        input_shapes: shapes of arguments by name, such as `arg0`; where there are any, the other
            arguments are weights.

    Raises:
        ReadError: it is no function that `from_mlir` reads.
        UnknownNameError: a shape for a name that is no argument.

    """
    try:
        text = content.decode()
        workload = from_mlir(text)
        if input_shapes:
            workload = _with_inputs(text, workload, input_shapes)
        graph = _graph(workload, name)
    except (LinalgError, ShapeError, UnicodeDecodeError) as error:
        message = f"{where}: {error}"
        raise ReadError(message) from error
    if not graph.outputs:
        message = f"{where}: function {workload.name!r:.80} gives no tensor, so that nothing counts"
        raise ReadError(message)
    return network_of(graph)


def _with_inputs(text: str, workload: Workload, shapes: Mapping[str, Shape]) -> Workload:
    """The workload of which these arguments are the inputs, and the others weights."""
    names = workload.inputs
    for name, shape in shapes.items():
        if name not in names:
            raise UnknownNameError(name, names, "input")
        held = workload.tensors[name].shape
        if tuple(shape) != held:
            message = f"argument {name!r:.80} has the shape {held}; found {show_shape(shape)}"
            raise ShapeError(message)
    return from_mlir(text, weights=[place for place, one in enumerate(names) if one not in shapes])


def _graph(workload: Workload, name: str) -> Graph:
    """The graph whose nodes are the steps of a workload."""
    graph = Graph(name, "linalg", has_batch=False)
    values: dict[str, Value] = {}
    for one in workload.inputs:
        tensor = workload.tensors[one]
        values[one] = graph.input(one, _closed(tensor), tensor.format)
    for one in workload.weights:
        tensor = workload.tensors[one]
        values[one] = graph.constant(one, _closed(tensor), tensor.format, is_parameter=True)
    for step in workload.steps:
        if not isinstance(step, Node | View):
            message = f"step {step.name!r:.80} is a {type(step).__name__.lower()}"
            raise LinalgError(message)
        kind = type(step.operator).__name__ if isinstance(step, Node) else step.kind
        with graph.source(step.name, f"linalg.{kind.lower()}"):
            made = graph.append(
                "linalg", _work(workload, step, values),
                [workload.tensors[one].format for one in step.writes],
            )  # fmt: skip
        values.update(zip(step.writes, made, strict=True))
    graph.outputs = [values[one] for one in workload.outputs]
    return graph


def _work(workload: Workload, step: Node | View, values: Mapping[str, Value]) -> Work:
    reads = [values[one] for one in step.reads]
    if isinstance(step, Node):
        return Work(step.operator, reads)
    if step.kind == "reshape":
        return Work(_closed(workload.tensors[step.target]), reads)
    names = {*step.reads, *step.writes}
    alone = Workload(
        step.name, {one: workload.tensors[one] for one in names}, [step],
        inputs=() if reads[0].is_constant else step.reads, outputs=step.writes,
        weights=step.reads if reads[0].is_constant else (),
    )  # fmt: skip
    return Work(alone, reads)


def _closed(tensor: Any) -> tuple[int, ...]:
    return tuple([int(length) for length in tensor.shape])
