"""The reader of PyTorch modules, exported programs and `.pt2` files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from attrs import evolve

from costmodel import safe_io
from costmodel.errors import ReadError, ShapeError
from costmodel.frontend.layers import network_of
from costmodel.network.reader import Reader
from costmodel.tensor.shapes import show_shape
from costmodel_torch.exported import archive, live, schema
from costmodel_torch.exported.program import Program
from costmodel_torch.translation import graph_of, inputs_of

if TYPE_CHECKING:
    from costmodel.frontend.translation import TranslationTable
    from costmodel.network.graph import Network
    from costmodel.network.layer import LayerRegistry
    from costmodel.tensor.shapes import Shape

_SUFFIX: Final = ".pt2"
_PICKLES: Final = (".pt", ".pth", ".bin", ".ckpt")
"""The endings of files that hold pickles, which can run code and are not opened."""


class TorchReader(Reader):
    """Reads live modules, exported programs, and `.pt2` files without PyTorch."""

    name: ClassVar = "torch"
    reads: ClassVar = "a .pt2 file, a torch.export.ExportedProgram, a torch.nn.Module"

    def accepts(self, source: object) -> bool:
        """A path that ends in .pt2, or an object of PyTorch."""
        if isinstance(source, str | Path):
            return safe_io.ending(source) == _SUFFIX
        return any(cls.__module__.partition(".")[0] == "torch" for cls in type(source).__mro__)

    def hint(self, source: object) -> str:
        """That pickles of PyTorch are not opened, and what to export in their place."""
        if not isinstance(source, str | Path) or safe_io.ending(source) not in _PICKLES:
            return ""
        return (
            "it may hold a pickle, which can run code and is never opened; in PyTorch, "
            "torch.export.save(torch.export.export(model, args), 'model.pt2') writes a file that "
            "is read"
        )

    def read(self, source: object, rules: LayerRegistry) -> Network:
        """The network in a file or program."""
        return self.read_at(source, rules, {})

    def read_at(
        self, source: object, rules: LayerRegistry, input_shapes: Mapping[str, Shape]
    ) -> Network:
        """The network in a file or program, for inputs of these shapes."""
        return self._network(_program(source, None), rules, input_shapes)

    def shapes_by_name(
        self, source: object, rules: LayerRegistry, input_shape: Shape
    ) -> Mapping[str, Shape]:
        """The shape of the only input, which a program names before its axes are bound."""
        names = list(inputs_of(_program(source, None)))
        if len(names) != 1:
            message = (
                f"input_shapes is {show_shape(input_shape)}, one shape for the {len(names)} inputs "
                f"{', '.join(map(repr, names))!s:.200}; expected a shape for each by its name"
            )
            raise ShapeError(message)
        return {names[0]: input_shape}

    def read_with(
        self,
        source: object,
        rules: LayerRegistry,
        example_inputs: object,
        input_shapes: Mapping[str, Shape],
    ) -> Network:
        """The network of a module, exported by its PyTorch for inputs like these."""
        return self._network(_program(source, example_inputs), rules, input_shapes)

    def _network(
        self, program: Program, rules: LayerRegistry, shapes: Mapping[str, Shape]
    ) -> Network:
        from costmodel_torch.aten import ATEN  # noqa: PLC0415  # only when one is read

        more = [one for one in rules.translations() if one.frontend == ATEN.frontend]
        table = ATEN.extended(more)

        def again(bound: Mapping[str, Shape]) -> Network:
            return _translated(program, table, bound)

        try:
            return evolve(_translated(program, table, shapes), read_again=again)
        except RecursionError:
            message = "the program is nested too deeply"
            raise ReadError(message) from None


def _translated(program: Program, table: TranslationTable, shapes: Mapping[str, Shape]) -> Network:
    return network_of(graph_of(program, table, shapes))


def _program(source: object, example_inputs: object) -> Program:
    if isinstance(source, str | Path):
        path = Path(source)
        if example_inputs is not None:
            message = f"{path}: example_inputs are for a module; a file has its graph"
            raise ReadError(message)
        try:
            return schema.program_of(archive.load_file(path), path.stem, str(path))
        except RecursionError:
            message = f"{path}: the program is nested too deeply"
            raise ReadError(message) from None
    return live.program_of(source, _arguments(example_inputs))


def _arguments(given: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call by place and by name."""
    if given is None:
        return (), {}
    if isinstance(given, Mapping):
        return (), dict(given)
    if isinstance(given, Sequence) and not isinstance(given, str):
        return tuple(given), {}
    return (given,), {}
