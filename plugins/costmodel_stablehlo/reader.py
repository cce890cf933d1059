"""The reader of StableHLO modules and JAX functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from costmodel import safe_io
from costmodel.errors import ReadError, ShapeError, UnknownNameError
from costmodel.frontend.layers import network_of
from costmodel.network.reader import Reader
from costmodel_stablehlo.live import is_of_jax, module_of, name_of

if TYPE_CHECKING:
    from costmodel.frontend.graph import Graph
    from costmodel.frontend.operations.work import Value
    from costmodel.network.graph import Network
    from costmodel.network.layer import LayerRegistry
    from costmodel.tensor.shapes import Shape
    from costmodel_stablehlo.modules.program import ElementType, Function

SUFFIXES: Final = frozenset({".mlir", ".mlirbc", ".stablehlo"})
_BYTECODE: Final = b"ML\xefR"
_TEXT: Final = re.compile(r"\bfunc\.func\b")
_OF_TREE: Final = re.compile(r"[\[.]")


class StablehloReader(Reader):
    """Reads StableHLO modules, as text or bytecode, and jitted functions of JAX."""

    name: ClassVar = "stablehlo"
    reads: ClassVar = "a StableHLO module (.mlir, .mlirbc) or a jitted JAX function"

    def accepts(self, source: object) -> bool:
        """A path of SUFFIXES, the text or bytecode of a module, or a function of JAX."""
        if is_of_jax(source):
            return True
        if isinstance(source, bytes):
            return source.startswith(_BYTECODE)
        if isinstance(source, str) and "\n" in source:
            return _TEXT.search(source) is not None
        return isinstance(source, str | Path) and safe_io.ending(source) in SUFFIXES

    def read(self, source: object, rules: LayerRegistry) -> Network:
        """The network in a module."""
        return self.read_at(source, rules, {})

    def read_at(
        self, source: object, rules: LayerRegistry, input_shapes: Mapping[str, Shape]
    ) -> Network:
        """The network in a module; the arguments that have a shape here are its inputs.

        Raises:
            ReadError: as `read`.
            UnknownNameError: a shape for a name that is no argument.

        """
        if is_of_jax(source):
            return self.read_with(source, rules, None, input_shapes)
        if isinstance(source, bytes):
            return network_in(source, "module", "module", rules, input_shapes)
        if isinstance(source, str) and "\n" in source:
            return network_in(source.encode(), "module", "module", rules, input_shapes)
        path = Path(str(source))
        with safe_io.opening(path):
            content = safe_io.content_of(path)
        return network_in(content, str(path), path.stem, rules, input_shapes)

    def read_with(
        self,
        source: object,
        rules: LayerRegistry,
        example_inputs: object,
        input_shapes: Mapping[str, Shape],
    ) -> Network:
        """The network of a function of JAX for a call with these arguments."""
        if not is_of_jax(source):
            return super().read_with(source, rules, example_inputs, input_shapes)
        name = name_of(source)
        content = module_of(source, example_inputs)
        return network_in(content, name, name, rules, input_shapes)


def network_in(
    content: bytes, where: str, name: str, rules: LayerRegistry,
    input_shapes: Mapping[str, Shape],
) -> Network:  # fmt: skip
    """The network in the text or bytecode of a module.

    Args:
        content: the module.
        where: what messages call it.
        name: that of the network.
        rules: what plugins offer.
        input_shapes: shapes of inputs by name, without the batch.

    Raises:
        ReadError: it is not a module that can be read.

    """
    from costmodel_stablehlo.linalg import is_linalg, linalg_network  # noqa: PLC0415  # only to read
    from costmodel_stablehlo.modules.guarded import functions_of  # noqa: PLC0415  # likewise
    from costmodel_stablehlo.modules.program import entry_of, program_of  # noqa: PLC0415
    from costmodel_stablehlo.nodes import ModuleGraph  # noqa: PLC0415
    from costmodel_stablehlo.operators import STABLEHLO  # noqa: PLC0415
    from costmodel_stablehlo.translating import Translator  # noqa: PLC0415

    if is_linalg(content):
        return linalg_network(content, where, name, input_shapes)
    program = program_of(functions_of(content, where), where)
    entry = entry_of(program, where)
    more = [one for one in rules.translations() if one.frontend == "stablehlo"]
    graph = ModuleGraph(name, "stablehlo")
    try:
        given = _arguments(graph, entry, program, input_shapes)
        translator = Translator(program, STABLEHLO.extended(more))
        graph.outputs = translator.run(entry.body, graph, given)
        return network_of(graph)
    except (ReadError, ShapeError) as error:
        message = f"{where}: {error}"
        raise ReadError(message) from error
    except RecursionError as error:
        message = f"{where}: regions are nested too deeply"
        raise ReadError(message) from error


def _arguments(
    graph: Graph, entry: Function, program: Mapping[str, Function],
    input_shapes: Mapping[str, Shape],
) -> list[Value]:  # fmt: skip
    """The arguments of the function that runs: inputs, and constants for those that are trained."""
    names = _names_of(entry, program)
    unknown = [name for name in input_shapes if name not in names]
    if unknown:
        raise UnknownNameError(unknown[0], names, "input")
    trained = parameters_of(names, input_shapes)
    given = []
    for name, declared in zip(names, entry.body.types, strict=True):
        number = None if declared.element == "f32" else declared.number
        if name in trained:
            shape = _bound(name, declared, None)
            given.append(graph.constant(name, shape, number, is_parameter=True))
        else:
            shape = _bound(name, declared, input_shapes.get(name))
            given.append(graph.input(name, shape, number))
    return given


def _names_of(entry: Function, program: Mapping[str, Function]) -> list[str]:
    """The names of arguments: their own, or those of a function that they are passed on to."""
    names = list(entry.names)
    places = {number: place for place, number in enumerate(entry.body.arguments)}
    for operation in entry.body.operations:
        called = program.get(str(operation.attributes.get("callee", "")))
        if operation.name != "func.call" or called is None:
            continue
        for number, name in zip(operation.operands, called.names, strict=True):
            place = places.get(number)
            if place is not None and not names[place]:
                names[place] = name
    return [name or f"arg{place}" for place, name in enumerate(names)]


def parameters_of(names: Sequence[str], inputs: Mapping[str, object]) -> set[str]:
    """The arguments that are trained.

    Those are all but the `inputs` that a caller names. Unless it names one: JAX names an argument
    that is a tree of arrays by the places in it, such as `params['dense']['bias']` or `t[0]`. The
    arrays of the trees are trained where other arguments are not trees; of several trees, all but
    the last. Without names, as where a module has no locations, nothing is known to be trained.
    """
    if inputs:
        return set(names) - set(inputs)
    trees = [_OF_TREE.split(name, maxsplit=1)[0] for name in names]
    is_tree = [tree != name for tree, name in zip(trees, names, strict=True)]
    if all(is_tree):
        last = trees[-1] if trees else ""
        return {name for name, tree in zip(names, trees, strict=True) if tree != last}
    return {name for name, tree in zip(names, is_tree, strict=True) if tree}


def _bound(name: str, declared: ElementType, shape: Shape | None) -> list[int]:
    """The shape of an argument; an open first axis is a batch of one.

    Raises:
        ReadError: another axis is open, or the shape does not fit.

    """
    own = list(declared.shape or ())
    if declared.shape is None:
        message = f"argument {name!r:.80} has type {declared.element:.60}; expected a tensor"
        raise ReadError(message)
    given = list(shape or [])
    if shape is not None and len(given) == len(own) - 1:
        given = [own[0], *given]
    if shape is not None and len(given) != len(own):
        message = f"argument {name!r:.80} has {len(own)} axes; found the shape {tuple(given)}"
        raise ReadError(message)
    bound = []
    for axis, length in enumerate(own):
        known = length if length is not None else given[axis] if given else None
        if known is None and axis == 0:
            known = 1
        if known is None:
            message = (
                f"axis {axis} of argument {name!r:.80} is open: give its shape, "
                f"read(source, input_shapes={{{name!r:.80}: ...}})"
            )
            raise ReadError(message)
        if given and given[axis] not in {None, known}:
            message = (
                f"axis {axis} of argument {name!r:.80} has {known} elements; found {given[axis]}"
            )
            raise ReadError(message)
        bound.append(known)
    return bound
