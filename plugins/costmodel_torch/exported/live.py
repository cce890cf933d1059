"""Programs of a live PyTorch, exported by it; what is not there is not imported."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from costmodel.errors import ReadError
from costmodel_torch.exported.program import (
    Body,
    Held,
    Length,
    Program,
    ProgramGraph,
    ProgramNode,
    Ref,
    TensorMeta,
)
from costmodel_torch.exported.schema import called

_SMALL: Final = 2**10
"""Elements of a constant whose data are kept."""
_HELD: Final = {"PARAMETER": True, "BUFFER": False, "CONSTANT_TENSOR": False}
"""The kinds of inputs that come with a program, and whether they are trained."""


def program_of(source: Any, arguments: tuple[tuple[Any, ...], dict[str, Any]]) -> Program:
    """The program of a module, or an exported program as it is.

    Raises:
        ReadError: it is neither, or it cannot be exported.

    """
    if all(hasattr(source, name) for name in ("graph_signature", "graph_module", "state_dict")):
        name = "program"
        if hasattr(source, "graph_signature") and not callable(source.graph_signature):
            return _converted(source, name)
    if not hasattr(source, "named_parameters"):
        message = (
            f"a {type(source).__name__!r:.80} of PyTorch is not read; expected a torch.nn.Module "
            "or what torch.export.export gives"
        )
        raise ReadError(message)
    name = type(source).__name__
    if not any(arguments):
        message = (
            f"a module such as {name!r:.80} has a graph only for inputs: "
            "read(module, example_inputs=(x,)), or export it: torch.export.export(module, (x,))"
        )
        raise ReadError(message)
    return _converted(_exported(source, arguments), name)


def _exported(module: Any, arguments: tuple[tuple[Any, ...], dict[str, Any]]) -> Any:
    """What the PyTorch of a module exports, undecomposed."""
    export = importlib.import_module("torch.export").export  # the caller has imported torch
    try:
        return _unmapped(export(module, *arguments))
    except Exception as error:  # a module of a user may fail in any way
        said = " ".join(str(error).split())
        message = (
            f"torch.export cannot export {type(module).__name__!r:.80}: {type(error).__name__}: "
            f"{said:.300}; a module that it cannot export must be changed, or be read as ONNX"
        )
        raise ReadError(message) from error


def _unmapped(program: Any) -> Any:
    """A program that shows the axes over which `torch.vmap` maps."""
    nodes = program.graph_module.graph.nodes
    is_mapped = any(str(getattr(one.target, "__name__", "")) == "_add_batch_dim" for one in nodes)
    return program.run_decompositions({}) if is_mapped else program


def _converted(program: Any, name: str) -> Program:
    signature = program.graph_signature
    tensors = {**program.state_dict, **dict(program.constants)}
    held: dict[str, Held] = {}
    by_target: dict[str, str] = {}
    for spec in signature.input_specs:
        kind = spec.kind.name
        if kind in _HELD and spec.target is not None:
            tensor = tensors.get(spec.target)
            held[spec.arg.name] = Held(
                spec.target, _HELD[kind], _storage(tensor), _data(tensor, is_trained=_HELD[kind])
            )
            by_target[spec.target] = spec.arg.name
    mutated = {
        by_target[spec.target]: spec.arg.name
        for spec in signature.output_specs
        if spec.kind.name == "BUFFER_MUTATION" and spec.target in by_target
    }
    return Program(name, _graph(program.graph_module), held, mutated)


def _storage(tensor: Any) -> object:
    """What is the same for tied parameters."""
    try:
        return (tensor.data_ptr(), tuple(tensor.shape), tensor.stride()) if tensor.numel() else None
    except (AttributeError, RuntimeError):
        return None


def _data(tensor: Any, *, is_trained: bool) -> Any:
    """The array of a small constant."""
    if is_trained or tensor is None or tensor.numel() > _SMALL:
        return None
    try:
        return tensor.detach().cpu().numpy()
    except (AttributeError, RuntimeError, TypeError):  # a type that NumPy lacks, or a fake tensor
        return None


# ------------------------------------------------------------------ graphs


def _graph(module: Any) -> ProgramGraph:
    nodes = list(module.graph.nodes)
    parts = _parts(nodes)
    read = _Reading(module, parts)
    inputs: list[str] = []
    outputs: list[Any] = []
    made: list[ProgramNode] = []
    for node in nodes:
        read.declare(node)
        if node.op == "placeholder":
            inputs.append(node.name)
        elif node.op == "output":
            outputs = list(_flat(read.argument(node.args[0])))
        elif node.op == "call_function" and node.name not in read.taken:
            made.append(read.node(node))
    return ProgramGraph(inputs, outputs, made, read.tensors, read.numbers)


def _flat(given: Any) -> Iterable[Any]:
    if isinstance(given, tuple):
        for one in given:
            yield from _flat(one)
    else:
        yield given


def _parts(nodes: Iterable[Any]) -> dict[str, dict[int, str]]:
    """The names of the results of nodes with several, by their places."""
    found: dict[str, dict[int, str]] = {}
    for node in nodes:
        if node.op == "call_function" and _name_of(node.target) == "_operator.getitem":
            source, place = node.args
            if isinstance(place, int) and hasattr(source, "name"):
                found.setdefault(source.name, {}).setdefault(place, node.name)
    return found


def _name_of(target: Any) -> str:
    """The name of an operator, as files have it."""
    module = getattr(target, "__module__", "") or ""
    name = str(target)
    if hasattr(target, "_schema"):
        return name
    own = getattr(target, "__name__", None) or name
    if type(target).__module__.startswith("torch._higher_order_ops") or hasattr(
        target, "_ops_cache"
    ):
        return f"higher_order.{own}"
    if module.startswith(("_operator", "math")):
        return f"{module}.{own}"
    if any(cls.__name__ == "HigherOrderOperator" for cls in type(target).__mro__):
        return f"higher_order.{own}"
    return f"{module or 'torch'}.{own}"


class _Reading:
    """Nodes of a graph module as plain values."""

    def __init__(self, module: Any, parts: Mapping[str, Mapping[int, str]]) -> None:
        self._module, self._parts = module, parts
        self.taken = {name for places in parts.values() for name in places.values()}
        self.tensors: dict[str, TensorMeta] = {}
        self.numbers: dict[str, Length] = {}

    def declare(self, node: Any) -> None:
        """Note the tensors and numbers that a node gives."""
        value = node.meta.get("val")
        if isinstance(value, list | tuple):
            for place, one in enumerate(value):
                self._declare(self._part(node, place), one)
        else:
            self._declare(node.name, value)

    def _declare(self, name: str, value: Any) -> None:
        if hasattr(value, "dtype") and hasattr(value, "shape"):
            dtype = str(value.dtype).removeprefix("torch.")
            self.tensors[name] = TensorMeta([_length(one) for one in value.shape], dtype)
        elif isinstance(value, int | float):
            self.numbers[name] = int(value)
        elif hasattr(value, "node"):  # a symbolic number
            self.numbers[name] = str(value)

    def _part(self, node: Any, place: int) -> str:
        return self._parts.get(node.name, {}).get(place, f"{node.name}.{place}")

    def node(self, node: Any) -> ProgramNode:
        """A call."""
        value = node.meta.get("val")
        count = len(value) if isinstance(value, list | tuple) else 0
        places = self._parts.get(node.name, {})
        if count or places:
            results = [
                self._part(node, place)
                for place in range(max(count, *places, 0) if places else count)
            ]
            if places and len(results) <= max(places):
                results = [self._part(node, place) for place in range(max(places) + 1)]
        else:
            results = [node.name]
        return ProgramNode(
            _name_of(node.target), node.name, self._arguments(node), results, _module_of(node)
        )

    def _arguments(self, node: Any) -> dict[str, Any]:
        described = getattr(node.target, "_schema", None)
        names = [one.name for one in described.arguments] if described is not None else []
        given = {
            names[place] if place < len(names) else str(place): self.argument(one)
            for place, one in enumerate(node.args)
        }
        return given | {name: self.argument(one) for name, one in node.kwargs.items()}

    def argument(self, given: Any) -> Any:
        """An argument as a plain value."""
        if isinstance(given, bool | int | float | str) or given is None:
            return given
        if isinstance(given, list | tuple):
            return tuple(map(self.argument, given))
        if hasattr(given, "op") and hasattr(given, "meta"):
            if given.op == "get_attr":
                return self._attribute(given)
            return Ref(given.name)
        if type(given).__name__ == "dtype":
            return str(given).removeprefix("torch.")
        return str(given) if hasattr(given, "node") else None

    def _attribute(self, node: Any) -> Any:
        """A graph within a graph."""
        found = self._module
        for name in str(node.target).split("."):
            found = getattr(found, name, None)
        return Body(str(node.target), _graph(found)) if hasattr(found, "graph") else None


def _length(given: Any) -> Length:
    return given if isinstance(given, int) else str(given)


def _module_of(node: Any) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    if not stack:
        return ""
    key, (path, *_) = list(stack.items())[-1]
    return called(str(key), str(path))
