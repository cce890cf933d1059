"""Workloads as plain values that JSON can hold, and back; no class is found by a name in a file.

A size is a whole number, or a symbol such as `batch` or `4*batch`. An index is its text, such as
`2p + r - 1`, or null. Fields at their defaults are left out.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import NOTHING, Attribute, fields

from costmodel.errors import CostModelError, ReadError, nearest
from costmodel.formats import NumericFormat, format_name, parse_format
from costmodel.safe_io import checked_mapping, checked_name, json_values
from costmodel.tensor.shapes import Tensor
from costmodel.tensor.sizes import Symbol
from costmodel.workload.composite import Attention, Normalization, Softmax
from costmodel.workload.graph import Branch, Loop, Node, Step, View, Workload
from costmodel.workload.operators import (
    STANDARD,
    Counted,
    Operand,
    Operator,
    Unsupported,
    sizes_of,
)

SCHEMA: Final = "costmodel/workload/1"
OPERATORS: Final[tuple[type[Operator], ...]] = (
    *STANDARD, Softmax, Normalization, Attention, Counted, Unsupported,
)  # fmt: skip
"""The operators that a workload may have without further ado."""
FORMAT_WORDS: Final = 'a format such as "int8" or {"format": "float", "bits": 16}'

_SHARED: Final = frozenset({"dims", "operands", "in_place"})
_PAIRS: Final = ("fixed", "varying", "carried", "carries", "collected", "last")
_FLAGS: Final = ("backwards", "fused")
"""Of a loop."""
_DEEPEST: Final = 16
"""Workloads within workloads."""


def workload_values(workload: Workload) -> dict[str, Any]:
    """A workload as plain values; `workload_from` reads them back, equal.

    Raises:
        ReadError: an operator holds a value that no file can.

    """
    return {"schema": SCHEMA, **_body(workload)}


def workload_from(
    values: Any, operators: Iterable[type[Operator]] = (), where: str = "workload"
) -> Workload:
    """The workload that `workload_values` wrote.

    Args:
        values: plain values, as `json.loads` gives them.
        operators: classes of third parties, beside those of the core.
        where: what the values are, for messages.

    Raises:
        ReadError: they are no such workload; the message has the place and what was expected.
        NetworkError: the steps and tensors do not make a workload.

    """
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        found = values.get("schema") if isinstance(values, dict) else values
        message = f"{where}: expected a workload of the schema {SCHEMA!r}, found {found!r:.80}"
        raise ReadError(message)
    known = {cls.__name__: cls for cls in (*OPERATORS, *operators)}
    rest = {key: value for key, value in values.items() if key != "schema"}
    return _Reader(known).workload(rest, where, 0)


def to_json(workload: Workload) -> str:
    """A workload as JSON, a line for each step.

    Raises:
        ReadError: an operator holds a value that no file can.

    """
    values = workload_values(workload)
    steps = ",\n".join(json.dumps(step, allow_nan=False) for step in values.pop("steps"))
    head = json.dumps(values, allow_nan=False).removesuffix("}")
    return f'{head}, "steps": [\n{steps}\n]}}\n'


def from_json(
    text: Any, operators: Iterable[type[Operator]] = (), where: str = "workload"
) -> Workload:
    """The workload that the text of a JSON file holds, as `str` or `bytes`.

    Raises:
        ReadError: it is not JSON, has a key twice, or holds no workload.
        NetworkError: the steps and tensors do not make a workload.

    """
    if not isinstance(text, str | bytes):
        message = f"{where}: expected the text of a JSON file, found {text!r:.80}"
        raise ReadError(message)
    return workload_from(json_values(text, where), operators, where)


def numeric_format(plain: Any, where: str) -> NumericFormat:
    """The numeric format in plain values, or in a text such as `int8`.

    Raises:
        ReadError: it is none.

    """
    if not isinstance(plain, str | dict):
        message = f"{where}: expected {FORMAT_WORDS}, found {plain!r:.80}"
        raise ReadError(message)
    try:
        return parse_format(plain) if isinstance(plain, str) else NumericFormat.from_dict(plain)
    except (CostModelError, TypeError, ValueError) as error:
        message = f"{where}: {error}"
        raise ReadError(message) from None


# ------------------------------------------------------------------ to plain values


def _body(workload: Workload) -> dict[str, Any]:
    return {
        "name": workload.name,
        "tensors": {name: _tensor(tensor) for name, tensor in workload.tensors.items()},
        "inputs": list(workload.inputs),
        "outputs": list(workload.outputs),
        "weights": list(workload.weights),
        "steps": [_step(step) for step in workload],
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    shape = [_size(length) for length in tensor.shape]
    return {"shape": shape, **({"format": tensor.format.to_dict()} if tensor.format else {})}


def _size(size: Any) -> int | str:
    return str(size) if isinstance(size, Symbol) else int(size)


def _step(step: Step) -> dict[str, Any]:
    match step:
        case Node():
            values = {
                "node": step.name, "operator": _operator(step.operator),
                "tensors": list(step.tensors),
            }  # fmt: skip
            folds = {} if step.folds_into is None else {"folds_into": step.folds_into}
            return {**values, **folds, **_layer(step)}
        case View():
            values = {"view": step.name, "source": step.source, "target": step.target}
            starts = {"starts": list(step.starts)} if step.starts else {}
            return {**values, "kind": step.kind, **starts, **_layer(step)}
        case Loop():
            pairs = {name: [list(pair) for pair in getattr(step, name)] for name in _PAIRS}
            filled = {name: value for name, value in pairs.items() if value}
            body = {"loop": step.name, "body": _body(step.body), "steps": _size(step.steps)}
            zeros = {"zeros": list(step.zeros)} if step.zeros else {}
            way = {name: True for name in _FLAGS if getattr(step, name)}
            return {**body, **filled, **zeros, "axis": step.axis, **way, **_layer(step)}
    alternatives = [_body(one) for one in step.alternatives]
    return {"branch": step.name, "alternatives": alternatives, **_layer(step)}


def _layer(step: Step) -> dict[str, str]:
    return {"layer": step.layer} if step.layer else {}


def _operator(operator: Operator) -> dict[str, Any]:
    own = {
        name: _plain(held, f"operator {type(operator).__name__}.{name}")
        for name, item in _own_fields(type(operator)).items()  # type: ignore[arg-type]  # a class has a hash
        if (held := getattr(operator, item.name)) != item.default
    }
    return {
        "type": type(operator).__name__,
        "dims": {name: _size(size) for name, size in operator.dims.items()},
        "operands": [_operand(operand) for operand in operator.operands],
        **({"in_place": True} if operator.in_place else {}),
        **own,
    }


def _operand(operand: Operand) -> dict[str, Any]:
    index = [None if one is None else str(one) for one in operand.index]
    touched = {} if operand.touched is None else {"touched": _size(operand.touched)}
    return {"role": operand.role, "index": index, **touched}


def _plain(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Symbol):
        return str(value)
    if isinstance(value, NumericFormat):
        return format_name(value)
    if isinstance(value, tuple):
        return [_plain(one, where) for one in value]
    message = f"{where}: {type(value).__name__!r} is not a value that a file can hold"
    raise ReadError(message)


@functools.cache
def _own_fields(cls: type[Operator]) -> Mapping[str, Attribute[Any]]:
    """What an operator has beyond its dimensions and operands, by the name of the argument."""
    return {
        item.alias or item.name: item
        for item in fields(cls)
        if item.init and (item.alias or item.name) not in _SHARED
    }


# ------------------------------------------------------------------ from plain values


class _Reader:
    """Makes workloads of plain values."""

    def __init__(self, operators: Mapping[str, type[Operator]]) -> None:
        self._operators = operators

    def workload(self, values: Any, where: str, depth: int) -> Workload:
        """A workload, which may hold others."""
        keys = ("name", "tensors", "steps", "inputs", "outputs", "weights")
        held = checked_mapping(values, set(keys), where)
        if depth > _DEEPEST:
            message = f"{where}: workloads are nested more than {_DEEPEST} deep"
            raise ReadError(message)
        name = checked_name(_text(held, "name", where), where)
        where = f"{where} {name!r:.40}"
        given = _required(held, "tensors", where)
        if not isinstance(given, dict):
            message = (
                f"{where}: tensors: expected an object of tensors by name, found {given!r:.80}"
            )
            raise ReadError(message)
        tensors = {
            checked_name(key, where): _read_tensor(value, f"{where}: tensor {key!r:.40}")
            for key, value in given.items()
        }
        steps = [
            self._step(entry, tensors, f"{where}: step {place}", depth)
            for place, entry in enumerate(_listed(_required(held, "steps", where), where))
        ]
        lists = [_texts(held.get(key, []), f"{where}: {key}") for key in keys[3:]]
        return Workload(name, tensors, steps, *lists)

    def _step(self, entry: Any, tensors: Mapping[str, Tensor], where: str, depth: int) -> Step:
        kinds = [kind for kind in _STEPS if isinstance(entry, dict) and kind in entry]
        if len(kinds) != 1:
            message = f"{where}: expected one of {', '.join(_STEPS)}, found {entry!r:.80}"
            raise ReadError(message)
        (kind,) = kinds
        held = checked_mapping(entry, {kind, "layer", *_STEPS[kind]}, where)
        name = checked_name(_text(held, kind, where), where)
        where = f"{where} ({name!r:.40})"
        layer = held.get("layer", "")
        if not isinstance(layer, str):
            message = f"{where}: layer: expected a text, found {layer!r:.80}"
            raise ReadError(message)
        if kind == "node":
            return self._node(name, held, tensors, where, layer)
        if kind == "view":
            return _view(name, held, where, layer)
        if kind == "loop":
            return self._loop(name, held, where, layer, depth)
        listed = _listed(_required(held, "alternatives", where), where)
        alternatives = [self.workload(one, where, depth + 1) for one in listed]
        return Branch(name=name, alternatives=alternatives, layer=layer)

    def _node(
        self, name: str, held: Mapping[str, Any], tensors: Mapping[str, Tensor], where: str,
        layer: str,
    ) -> Node:  # fmt: skip
        named = _texts(_required(held, "tensors", where), f"{where}: tensors")
        for one in named:
            if one not in tensors:
                near = nearest(one, tensors)
                hint = f"; nearest: {near!r}" if near else ""
                message = f"{where}: tensors: {one!r:.80} is not a tensor of the workload{hint}"
                raise ReadError(message)
        given = [tensors[one] for one in named]
        operator = self._operator(_required(held, "operator", where), given, f"{where}: operator")
        folds = held.get("folds_into")
        if folds is not None:
            folds = _checked_text(folds, f"{where}: folds_into")
        return Node(name, operator, named, layer, folds)

    def _operator(self, values: Any, tensors: Sequence[Tensor], where: str) -> Operator:
        if not isinstance(values, dict):
            message = f"{where}: expected an object, found {values!r:.80}"
            raise ReadError(message)
        kind = values.get("type")
        cls = self._operators.get(kind) if isinstance(kind, str) else None
        if cls is None:
            known = ", ".join(sorted(self._operators))
            message = f"{where}: {kind!r:.80} is not a type of operator; known: {known}"
            raise ReadError(message)
        own = _own_fields(cls)  # type: ignore[arg-type]  # a class has a hash
        held = checked_mapping(values, {"type", *_SHARED, *own}, where)
        listed = _listed(_required(held, "operands", where), where)
        if len(listed) != len(tensors):
            message = f"{where}: {len(listed)} operands for {len(tensors)} tensors"
            raise ReadError(message)
        dims = held.get("dims", {})
        if not isinstance(dims, dict):
            message = (
                f'{where}: dims: expected sizes by name, such as {{"m": 1}}, found {dims!r:.80}'
            )
            raise ReadError(message)
        arguments = {name: _tupled(held[name]) for name in own if name in held}
        for name, item in own.items():
            if item.default is NOTHING and name not in held:
                message = f"{where}: {name!r} is missing, which every {kind!r} has"
                raise ReadError(message)
        for name in sizes_of(cls):  # type: ignore[arg-type]  # a class has a hash
            if name in arguments:
                arguments[name] = _read_size(held[name], f"{where}: {name}")
        sizes = {key: _read_size(size, f"{where}: dims.{key}") for key, size in dims.items()}
        pairs = zip(listed, tensors, strict=True)
        operands = [
            _read_operand(one, tensor, f"{where}: operand {place}")
            for place, (one, tensor) in enumerate(pairs)
        ]
        in_place = _flag(held.get("in_place", False), f"{where}: in_place")
        try:
            return cls(dims=sizes, operands=operands, in_place=in_place, **arguments)
        except (CostModelError, TypeError, ValueError, AttributeError) as error:
            message = f"{where}: {error}"
            raise ReadError(message) from error

    def _loop(self, name: str, held: Mapping[str, Any], where: str, layer: str, depth: int) -> Loop:
        body = self.workload(_required(held, "body", where), f"{where}: body", depth + 1)
        pairs = {key: _read_pairs(held.get(key, []), f"{where}: {key}") for key in _PAIRS}
        steps = _read_size(_required(held, "steps", where), f"{where}: steps")
        zeros = _texts(held.get("zeros", []), f"{where}: zeros")
        backwards, fused = (_flag(held.get(one, False), f"{where}: {one}") for one in _FLAGS)
        axis = held.get("axis", 1)
        if isinstance(axis, bool) or not isinstance(axis, int) or axis < 0:
            message = f"{where}: axis: expected a whole number of 0 or more, found {axis!r:.80}"
            raise ReadError(message)
        try:
            return Loop(
                name=name, body=body, steps=steps, axis=axis, layer=layer, zeros=zeros,
                backwards=backwards, fused=fused, **pairs,
            )  # fmt: skip
        except ValueError as error:
            message = f"{where}: {error}"
            raise ReadError(message) from None


_STEPS: Final = {
    "node": ("operator", "tensors", "folds_into"),
    "view": ("source", "target", "kind", "starts"),
    "loop": ("body", "steps", "axis", "zeros", *_FLAGS, *_PAIRS),
    "branch": ("alternatives",),
}
"""The kinds of step, each with its keys beside its own and `layer`."""


def _view(name: str, held: Mapping[str, Any], where: str, layer: str) -> View:
    kind = _checked_text(held.get("kind", "reshape"), f"{where}: kind")
    source, target = (_text(held, key, where) for key in ("source", "target"))
    listed = _listed(held.get("starts", []), f"{where}: starts")
    starts = [_read_size(one, f"{where}: starts[{place}]") for place, one in enumerate(listed)]
    try:
        return View(name, source, target, kind, starts, layer)
    except (TypeError, ValueError) as error:
        message = f"{where}: {error}"
        raise ReadError(message) from None


def _required(held: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in held:
        message = f"{where}: {key!r} is missing"
        raise ReadError(message)
    return held[key]


def _text(held: Mapping[str, Any], key: str, where: str) -> str:
    return _checked_text(_required(held, key, where), f"{where}: {key}")


def _checked_text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        message = f"{where}: expected a text, found {value!r:.80}"
        raise ReadError(message)
    return value


def _texts(value: Any, where: str) -> list[str]:
    return [
        _checked_text(one, f"{where}[{place}]") for place, one in enumerate(_listed(value, where))
    ]


def _listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        message = f"{where}: expected a list, found {value!r:.80}"
        raise ReadError(message)
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        message = f"{where}: expected true or false, found {value!r:.80}"
        raise ReadError(message)
    return value


def _read_pairs(value: Any, where: str) -> list[tuple[str, str]]:
    pairs = []
    for place, one in enumerate(_listed(value, where)):
        match one:
            case [str(first), str(second)]:
                pairs.append((first, second))
            case _:
                message = f"{where}[{place}]: expected two names, found {one!r:.80}"
                raise ReadError(message)
    return pairs


def _read_size(value: Any, where: str) -> int:
    if isinstance(value, str):
        try:
            return Symbol.of(value)
        except ValueError as error:
            message = f"{where}: {error}"
            raise ReadError(message) from None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        message = f"{where}: expected a whole number or a symbol, found {value!r:.80}"
        raise ReadError(message)
    return value


def _read_tensor(value: Any, where: str) -> Tensor:
    held = checked_mapping(value, {"shape", "format"}, where)
    listed = _listed(_required(held, "shape", where), f"{where}: shape")
    shape = [_read_size(one, f"{where}: shape[{place}]") for place, one in enumerate(listed)]
    declared = held.get("format")
    try:
        return Tensor(shape, None if declared is None else numeric_format(declared, where))
    except ReadError:
        raise
    except (CostModelError, TypeError, ValueError) as error:
        message = f"{where}: {error}"
        raise ReadError(message) from error


def _read_operand(value: Any, tensor: Tensor, where: str) -> Operand:
    held = checked_mapping(value, {"role", "index", "touched"}, where)
    role, index = _text(held, "role", where), _listed(_required(held, "index", where), where)
    for place, one in enumerate(index):
        if one is not None and not isinstance(one, str):
            expected = "expected an index such as '2p + r - 1', or null"
            message = f"{where}: index[{place}]: {expected}, found {one!r:.80}"
            raise ReadError(message)
    touched = held.get("touched")
    if touched is not None:
        touched = _read_size(touched, f"{where}: touched")
    try:
        return Operand(role, tensor, index, touched)  # type: ignore[arg-type]  # checked there
    except (CostModelError, TypeError, ValueError) as error:
        message = f"{where}: {error}"
        raise ReadError(message) from error


def _tupled(value: Any) -> Any:
    return tuple([_tupled(one) for one in value]) if isinstance(value, list) else value
