"""The JSON of an exported program, as PyTorch's `torch/_export/serde/schema.py` describes it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import ReadError
from costmodel.frontend.graph import NODE_LIMIT
from costmodel.safe_io import checked_name
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

if TYPE_CHECKING:
    from costmodel_torch.exported.archive import Archive

MAJOR: Final = 8
"""The version of the schema that is read: that of PyTorch 2.6 and later."""
DTYPES: Final[Mapping[int, str]] = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32",
    8: "float64", 9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16",
    28: "uint16", 29: "float8_e4m3fn", 30: "float8_e5m2", 31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz", 33: "float8_e8m0fnu", 34: "uint32", 35: "uint64",
}  # fmt: skip
"""The numbers of types: `ScalarType` of the schema."""
_NUMPY: Final = {
    "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "bool",
}  # fmt: skip
_DEEPEST: Final = 40
"""Graphs within graphs."""


def program_of(archive: Archive, name: str, where: str) -> Program:
    """The program of an archive.

    Raises:
        ReadError: it is not as the schema says, or of another version of it.

    """
    try:
        return _program(archive, name, where)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        message = (
            f"{where}: not an exported program as its schema describes it: "
            f"{type(error).__name__}: {error!s:.200}"
        )
        raise ReadError(message) from error


def _program(archive: Archive, name: str, where: str) -> Program:
    values = archive.program
    if not isinstance(values, dict) or "graph_module" not in values:
        message = f"{where}: expected an object with a graph_module, found {values!r:.80}"
        raise ReadError(message)
    version = values.get("schema_version") or {}
    major = version.get("major") if isinstance(version, dict) else version
    if major != MAJOR:
        message = (
            f"{where}: written by PyTorch {values.get('torch_version') or '2.5 or older'!s:.40} "
            f"with version {major!r:.20} of the schema; expected {MAJOR}: export the model again "
            "with PyTorch 2.6 or later"
        )
        raise ReadError(message)
    module = values["graph_module"]
    graph = _graph(module["graph"], where, 0)
    held: dict[str, Held] = {}
    for spec in module["signature"]["input_specs"]:
        ((kind, given),) = spec.items()
        if kind in _HELD:
            own, path = _name(given["arg"]["name"]), _name(given[_HELD[kind]])
            held[own] = _held(archive, path, kind, graph.tensors.get(own))
    mutated: dict[str, str] = {}
    by_path = {one.path: own for own, one in held.items()}
    for spec in module["signature"]["output_specs"]:
        ((kind, given),) = spec.items()
        if kind == "buffer_mutation" and given["buffer_name"] in by_path:
            mutated[by_path[given["buffer_name"]]] = _name(given["arg"]["name"])
    return Program(name, graph, held, mutated)


_HELD: Final = {
    "parameter": "parameter_name", "buffer": "buffer_name",
    "tensor_constant": "tensor_constant_name",
}  # fmt: skip


def _held(archive: Archive, path: str, kind: str, meta: TensorMeta | None) -> Held:
    entry = archive.weights.get(path) or archive.constants.get(path)
    storage: object = None
    if isinstance(entry, dict) and "path_name" in entry:
        storage = (entry["path_name"], repr(entry.get("tensor_meta")))
    data = archive.data.get(path)
    return Held(path, kind == "parameter", storage, None if data is None else _array(data, meta))


def _array(data: bytes, meta: TensorMeta | None) -> Any:
    """The array of a constant, None where it is not as long as is declared."""
    if meta is None or meta.dtype not in _NUMPY:
        return None
    import numpy as np  # noqa: PLC0415  # only where a constant is read

    try:
        return np.frombuffer(data, np.dtype(meta.dtype).newbyteorder("<")).reshape(meta.sizes)
    except (TypeError, ValueError):
        return None


# ------------------------------------------------------------------ graphs


def _graph(values: Any, where: str, depth: int) -> ProgramGraph:
    if depth > _DEEPEST:
        message = f"{where}: more than {_DEEPEST} graphs within graphs"
        raise ReadError(message)
    if len(values["nodes"]) > NODE_LIMIT:
        message = f"{where}: more than {NODE_LIMIT:,} nodes"
        raise ReadError(message)
    numbers = {
        name: _length(given)
        for part in ("sym_int_values", "sym_bool_values", "sym_float_values")
        for name, given in (values.get(part) or {}).items()
    }
    tensors = {name: _meta(given) for name, given in values["tensor_values"].items()}
    read = functools.partial(_argument, where=where, depth=depth)
    nodes = [_node(given, read) for given in values["nodes"]]
    outputs: list[Any] = []
    for given in values["outputs"]:
        outputs += _each(read(given))
    inputs = [_input(read(given), place) for place, given in enumerate(values["inputs"])]
    return ProgramGraph(inputs, outputs, nodes, tensors, numbers)


def _input(given: Any, place: int) -> str:
    return given.name if isinstance(given, Ref) else f"#{place}"


def _node(values: Any, read: Callable[[Any], Any]) -> ProgramNode:
    results = [
        one.name if isinstance(one, Ref) else f"#{place}"
        for place, given in enumerate(values["outputs"])
        for one in _each(read(given))
    ]
    arguments: dict[str, Any] = {}
    for place, given in enumerate(values["inputs"]):
        arguments[given["name"] or str(place)] = read(given["arg"])
    name = values.get("name") or (results[0] if results else values["target"])
    stack = (values.get("metadata") or {}).get("nn_module_stack") or ""
    return ProgramNode(
        _name(values["target"]).removeprefix("torch.ops."), _text(name), arguments, results,
        _module(_text(stack)),
    )  # fmt: skip


def _each(made: Any) -> tuple[Any, ...]:
    return made if isinstance(made, tuple) else (made,)


def _text(given: Any) -> str:
    """A text.

    Raises:
        TypeError: it is something else.

    """
    if not isinstance(given, str):
        message = f"expected a text, found {given!r:.80}"
        raise TypeError(message)
    return given


def _name(given: Any) -> str:
    """A text that is not empty, and of a bearable length.

    Raises:
        TypeError: it is something else.

    """
    if not _text(given):
        message = "expected a name, found an empty text"
        raise TypeError(message)
    checked_name(f"torch.{given}", "a name of the program")
    return str(given)


def _module(stack: str) -> str:
    """The path of the innermost module: `key,path,class` for each, with `;` between them."""
    innermost = stack.rpartition(";")[2]
    key, _, rest = innermost.partition(",")
    return called(key, rest.partition(",")[0])


def called(key: str, path: str) -> str:
    """The path of a module, with the number of its call behind it if that is not the first."""
    if "_empty_nn_module_stack" in path:
        return ""
    call = key.rpartition("@")[2] if "@" in key else ""
    return f"{path}@{call}" if call.isdecimal() and path else path


def _meta(values: Any) -> TensorMeta:
    return TensorMeta([_length(one) for one in values["sizes"]], DTYPES.get(values["dtype"], ""))


def _length(values: Any) -> Length:
    ((kind, given),) = values.items()
    if kind == "as_expr":
        return _text(given["expr_str"])
    if not isinstance(given, int | float):
        message = f"expected a length, found {given!r:.80}"
        raise TypeError(message)
    return int(given) if isinstance(given, bool) or float(given).is_integer() else str(given)


# ------------------------------------------------------------------ arguments


def _argument(values: Any, *, where: str, depth: int) -> Any:
    """The plain value of an argument."""
    ((kind, given),) = values.items()
    if kind == "as_graph":
        return Body(_name(given["name"]), _graph(given["graph"], where, depth + 1))
    if kind == "as_string_to_argument":
        return {key: _argument(one, where=where, depth=depth) for key, one in given.items()}
    return _PLAIN[kind](given) if kind in _PLAIN else None


def _ref(given: Any) -> Ref:
    return Ref(_name(given["name"]))


def _optional(given: Any) -> Ref | None:
    return _ref(given["as_tensor"]) if "as_tensor" in given else None


def _symbolic(given: Any) -> Any:
    ((kind, value),) = given.items()
    return Ref(_name(value)) if kind == "as_name" else _plain(value)


def _plain(given: Any) -> Any:
    """A number, a text or a bool.

    Raises:
        TypeError: it is something else.

    """
    if not isinstance(given, int | float | str):
        message = f"expected a number or a text, found {given!r:.80}"
        raise TypeError(message)
    return given


def _row(read: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def in_a_row(given: Sequence[Any]) -> tuple[Any, ...]:
        if not isinstance(given, list):
            message = f"expected several values, found {given!r:.80}"
            raise TypeError(message)
        return tuple(map(read, given))

    return in_a_row


_PLAIN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "as_none": lambda _: None,
    "as_tensor": _ref,
    "as_tensors": _row(_ref),
    "as_optional_tensor": _optional,
    "as_optional_tensors": _row(_optional),
    "as_nested_tensors": _row(_row(_ref)),
    "as_int": _plain,
    "as_ints": _row(_plain),
    "as_int_lists": _row(_row(_plain)),
    "as_float": _plain,
    "as_floats": _row(_plain),
    "as_float_lists": _row(_row(_plain)),
    "as_string": _plain,
    "as_strings": _row(_plain),
    "as_bool": _plain,
    "as_bools": _row(_plain),
    "as_sym_int": _symbolic,
    "as_sym_ints": _row(_symbolic),
    "as_sym_float": _symbolic,
    "as_sym_floats": _row(_symbolic),
    "as_sym_bool": _symbolic,
    "as_sym_bools": _row(_symbolic),
    "as_scalar_type": lambda given: DTYPES.get(given, ""),
    "as_operator": _plain,
}
"""How the kinds of arguments are read; devices, layouts and memory formats cost nothing."""
