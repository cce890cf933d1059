"""The reader of TFLite files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from attrs import evolve

from costmodel import safe_io
from costmodel.errors import ReadError, ShapeError, UnknownNameError
from costmodel.frontend.graph import Graph
from costmodel.frontend.layers import network_of
from costmodel.network.reader import Reader
from costmodel.packages import needed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from costmodel.frontend.operations.work import Value
    from costmodel.frontend.translation import TranslationTable
    from costmodel.network.graph import Network
    from costmodel.network.layer import LayerRegistry
    from costmodel.tensor.shapes import Shape
    from costmodel_tflite.file import Signature, TfliteFile


class TfliteReader(Reader):
    """Reads `.tflite` files: subgraph 0, or that of a signature as `net.tflite#signature`."""

    name: ClassVar = "tflite"
    reads: ClassVar = "a .tflite file"

    def accepts(self, source: object) -> bool:
        """A path that ends in .tflite, with or without the name of a signature behind it."""
        return isinstance(source, str | Path) and safe_io.ending(_parts(source)[0]) == ".tflite"

    def read(self, source: object, rules: LayerRegistry) -> Network:
        """The network in a file."""
        return self.read_at(source, rules, {})

    def read_at(
        self, source: object, rules: LayerRegistry, input_shapes: Mapping[str, Shape]
    ) -> Network:
        """The network in a file, for inputs of these shapes."""
        path, signature = _parts(str(source))
        from costmodel_tflite.file import content_of, parse  # noqa: PLC0415  # when it is read

        content = content_of(path)
        needed("a .tflite file", "tflite", extra="tflite")
        file = parse(content, str(path))
        from costmodel_tflite.operators import TFLITE  # noqa: PLC0415  # likewise

        own = [one for one in rules.translations() if one.frontend == "tflite"]
        table = TFLITE.extended(own)
        try:
            network = _network(file, table, path.stem, signature, input_shapes)
        except ShapeError as error:
            if str(path) in str(error):
                raise
            message = f"{path}: {error}"
            raise ReadError(message) from error
        return evolve(network, read_again=lambda shapes: self.read_at(source, rules, shapes))


def _parts(source: str | Path) -> tuple[Path, str]:
    """The path, and the name of the signature behind it."""
    path, _, signature = str(source).rpartition("#")
    if signature and safe_io.ending(path) == ".tflite":
        return Path(path), signature
    return Path(source), ""


def _network(
    file: TfliteFile, table: TranslationTable, name: str, signature: str,
    input_shapes: Mapping[str, Shape],
) -> Network:  # fmt: skip
    from costmodel_tflite.subgraphs import Subgraphs  # noqa: PLC0415  # only when a file is read

    chosen = _signature(file, signature)
    index = chosen.subgraph if chosen else 0
    graph = Graph(name, "tflite")
    inputs = _inputs(graph, file, index, input_shapes)
    main = file.subgraph(index)
    shapes = [main.tensors[place].shape for place in main.inputs]
    is_resized = [value.shape for value in inputs] != shapes
    subgraphs = Subgraphs(file, table, graph, is_resized)
    results = subgraphs.call(index, graph, inputs)
    graph.outputs = [*results, *subgraphs.assigned.values()]
    return network_of(graph)


def _signature(file: TfliteFile, name: str) -> Signature | None:
    """The signature of that name; without one, that of subgraph 0, if there is one."""
    for one in file.signatures:
        if one.name == name if name else one.subgraph == 0:
            return one
    if name:
        known = [one.name for one in file.signatures]
        what = f"signature of {file.where}"
        raise UnknownNameError(name, known, what)
    return None


def _inputs(
    graph: Graph, file: TfliteFile, index: int, input_shapes: Mapping[str, Shape]
) -> Sequence[Value]:
    """The inputs of a subgraph, with their open axes bound; signatures have names of their own."""
    from costmodel_tflite.tensors import format_of, input_shape  # noqa: PLC0415  # NumPy

    held = file.subgraph(index)
    entries = [held.tensors[place] for place in held.inputs]
    others = {
        name: held.tensors[place].name
        for one in file.signatures
        if one.subgraph == index
        for place, name in one.inputs.items()
        if 0 <= place < len(held.tensors)
    }
    known = [entry.name or f"input{place}" for place, entry in enumerate(entries)]
    given = {name if name in known else others.get(name, name): shape
             for name, shape in input_shapes.items()}  # fmt: skip
    for name in given:
        if name not in known:
            what = f"input of {file.where}"
            raise UnknownNameError(name, [*known, *others], what)
    return [
        graph.input(
            name, input_shape(entry, given.get(name), file.where), format_of(entry, file.where)
        )
        for name, entry in zip(known, entries, strict=True)
    ]  # fmt: skip
