"""The reader of ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from costmodel import safe_io
from costmodel.frontend.graph import Graph
from costmodel.frontend.layers import network_of
from costmodel.frontend.translation import SourceNode
from costmodel.network.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costmodel.network.graph import Network
    from costmodel.network.layer import LayerRegistry
    from costmodel.tensor.shapes import Shape


class OnnxReader(Reader):
    """Reads `.onnx` files."""

    name: ClassVar = "onnx"
    reads: ClassVar = "an .onnx file"

    def accepts(self, source: object) -> bool:
        """A path that ends in .onnx."""
        return isinstance(source, str | Path) and Path(source).suffix == ".onnx"

    def read(self, source: object, rules: LayerRegistry) -> Network:
        """The network in a file."""
        return self.read_at(source, rules, {})

    def read_at(
        self, source: object, rules: LayerRegistry, input_shapes: Mapping[str, Shape]
    ) -> Network:
        """The network in a file, for inputs of these shapes."""
        import onnx  # noqa: PLC0415  # only when a file is read

        from costmodel_onnx.operators import ONNX  # noqa: PLC0415  # likewise

        model = onnx.load_model_from_string(safe_io.content_of(Path(str(source))))
        table = ONNX.extended([one for one in rules.translations() if one.frontend == "onnx"])
        graph = Graph(Path(str(source)).stem, "onnx")
        values: dict[str, Any] = {}
        for one in model.graph.initializer:
            data = onnx.numpy_helper.to_array(one) if len(one.dims) == 1 else None
            values[one.name] = graph.constant(
                one.name, tuple(one.dims), data=data, is_parameter=data is None
            )
        for one in model.graph.input:
            if one.name not in values:
                shape = [max(dim.dim_value, 1) for dim in one.type.tensor_type.shape.dim]
                values[one.name] = graph.input(one.name, shape)
        for node in model.graph.node:
            where = node.name or (node.output[0] if node.output else node.op_type)
            attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
            attributes = {
                k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()
            }
            made = table.translate(
                SourceNode(
                    graph,
                    node.op_type,
                    where,
                    [values.get(n) for n in node.input],
                    attributes,
                    len(node.output),
                )
            )
            values.update(zip(node.output, made, strict=False))
        graph.outputs = [values[one.name] for one in model.graph.output]
        return network_of(graph)
