"""The reader of ONNX files."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from attrs import evolve

from costmodel import safe_io
from costmodel.errors import ShapeError
from costmodel.frontend.graph import Graph
from costmodel.frontend.layers import network_of
from costmodel.network.reader import Reader
from costmodel_onnx.file import model_of, newer_opsets, opsets_of
from costmodel_onnx.inputs import Axis, axes_of, bound
from costmodel_onnx.walking import Walker

if TYPE_CHECKING:
    from costmodel.network.graph import Network
    from costmodel.network.layer import LayerRegistry
    from costmodel.tensor.shapes import Shape

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class OnnxReader(Reader):
    """Reads `.onnx` files: ONNX, the operators of ONNX Runtime, QONNX and FINN."""

    name: ClassVar = "onnx"
    reads: ClassVar = "an .onnx file"

    def accepts(self, source: object) -> bool:
        """A path that ends in .onnx."""
        return isinstance(source, str | Path) and safe_io.ending(source) == ".onnx"

    def read(self, source: object, rules: LayerRegistry) -> Network:
        """The network in a file."""
        return self.read_at(source, rules, _NONE)

    def shapes_by_name(
        self, source: object, rules: LayerRegistry, input_shape: Shape
    ) -> Mapping[str, Shape]:
        """The shape of the only input, by its name, while axes of it may be open."""
        del rules
        path = Path(str(source))
        names = list(_declared(model_of(path).graph))
        if len(names) != 1:
            shown = ", ".join(map(repr, names))
            message = (
                f"{path}: one shape for the {len(names)} inputs {shown:.200}; expected a shape for "
                "each by its name"
            )
            raise ShapeError(message)
        return {names[0]: input_shape}

    def read_at(
        self, source: object, rules: LayerRegistry, input_shapes: Mapping[str, Shape]
    ) -> Network:
        """The network in a file, for inputs of these shapes."""
        path = Path(str(source))
        graph = graph_of(path, rules, input_shapes)
        network = network_of(graph)
        return evolve(network, read_again=functools.partial(self.read_at, source, rules))


def graph_of(path: Path, rules: LayerRegistry, input_shapes: Mapping[str, Shape]) -> Graph:
    """The graph of a file, before it is normalised.

    Raises:
        ReadError: the file is damaged, too large, or not what it says.
        ShapeError: an axis of an input stays open, or a given shape contradicts the file.

    """
    from costmodel_onnx.domains import TABLE  # noqa: PLC0415  # only when a file is read

    model = model_of(path)
    where = str(path)
    table = TABLE.extended([one for one in rules.translations() if one.frontend == "onnx"])
    opsets = opsets_of(model.opset_import, where)
    shapes = bound(_declared(model.graph), input_shapes, where)
    functions: dict[object, Any] = {
        (one.domain, one.name, getattr(one, "overload", "")): one for one in model.functions
    }
    graph = Graph(path.stem, "onnx", notes=list(newer_opsets(opsets)))
    Walker(table, shapes, functions, where).read(model.graph, graph, opsets)
    return graph


def _declared(proto: Any) -> dict[str, list[Axis] | None]:
    """The axes of the inputs that are tensors and no constants, by name."""
    held = {one.name for one in proto.initializer}
    return {
        one.name: axes_of(one.type.tensor_type)
        for one in proto.input
        if one.name not in held and one.type.WhichOneof("value") == "tensor_type"
    }
