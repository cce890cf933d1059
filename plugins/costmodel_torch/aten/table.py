"""The table that the modules of this package fill, and what they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import ReadError
from costmodel.frontend.operations.work import Value
from costmodel.frontend.translation import DataDependentError, TranslationTable
from costmodel_torch.exported.program import format_of

if TYPE_CHECKING:
    from costmodel.frontend.translation import SourceNode

ATEN: Final = TranslationTable("torch")
"""The operators of PyTorch: `aten.linear` for all overloads, `aten.max.dim` for one."""


def tensor(node: SourceNode, name: str) -> Value:
    """The tensor of an argument; a number becomes a constant.

    Raises:
        ReadError: there is none.

    """
    value = node.attributes.get(name)
    if isinstance(value, Value):
        return value
    if isinstance(value, bool | int | float):
        return number(node, value)
    message = f"{name} is {value!r:.40}; expected a tensor"
    raise ReadError(message)


def optional(node: SourceNode, name: str) -> Value | None:
    """The tensor of an argument, or None where it is left out."""
    value = node.attributes.get(name)
    return None if value is None else tensor(node, name)


def number(node: SourceNode, value: float) -> Value:
    """A constant number."""
    import numpy as np  # noqa: PLC0415  # only where a network has numbers

    return node.graph.constant("number", (), data=np.asarray(value))


def setting(node: SourceNode, name: str, default: Any = None) -> Any:
    """A plain argument, or the default where it is left out.

    Raises:
        DataDependentError: it is a tensor whose elements are not known.

    """
    value = node.attributes.get(name)
    if isinstance(value, Value):
        if value.data is None or value.size != 1:
            message = f"{name} depends on data ({value.name!r:.80})"
            raise DataDependentError(message)
        return value.data.reshape(-1)[0].item()
    return default if value is None else value


def is_set(node: SourceNode, name: str, *, default: bool = False) -> bool:
    """Whether a setting is switched on."""
    return bool(setting(node, name, default))


def whole(node: SourceNode, name: str, default: int | None = None) -> int:
    """A whole number.

    Raises:
        ReadError: it is something else, or it is not there.

    """
    value = setting(node, name, default)
    return _whole(node, name, value)


def wholes(node: SourceNode, name: str, count: int | None = None, default: Any = None) -> list[int]:
    """Whole numbers; one alone stands for all where a count is given.

    Raises:
        ReadError: they are something else.
        DataDependentError: one of them depends on data.

    """
    value = setting(node, name, default)
    given = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    found = [_whole(node, name, _plain(name, one)) for one in given]
    return found * count if count is not None and len(found) == 1 else found


def _plain(name: str, one: Any) -> Any:
    """A number of a row, which may be a constant tensor of one element.

    Raises:
        DataDependentError: it depends on data.

    """
    if isinstance(one, Value):
        if one.data is None or one.size != 1:
            message = f"{name} depends on data ({one.name!r:.80})"
            raise DataDependentError(message)
        return one.data.reshape(-1)[0].item()
    return one


def _whole(node: SourceNode, name: str, value: Any) -> int:
    if value is None and name in node.attributes:
        message = f"{name} depends on data"
        raise DataDependentError(message)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int):
        message = f"{name} is {value!r:.40}; expected a whole number"
        raise ReadError(message)
    return int(value)


def values(node: SourceNode, name: str) -> list[Value]:
    """The tensors of an argument that has several.

    Raises:
        ReadError: it is something else.

    """
    given = node.attributes.get(name)
    if not isinstance(given, tuple) or not all(isinstance(one, Value) for one in given):
        message = f"{name} is {given!r:.40}; expected tensors"
        raise ReadError(message)
    return list(given)


def axes_of(node: SourceNode, value: Value, name: str = "dim") -> list[int] | None:
    """The axes that an argument names, from the front; None where it stands for all."""
    given = setting(node, name)
    if given is None or given == ():
        return None
    return [value.axis(axis) for axis in wholes(node, name)]


def declared(node: SourceNode, place: int = 0) -> tuple[int, ...]:
    """The shape that the program declares for a result.

    Raises:
        DataDependentError: it declares none that is known.

    """
    shape = node.shapes[place] if place < len(node.shapes) else None
    if shape is None:
        message = "the shape of the result depends on data"
        raise DataDependentError(message)
    return shape


def elementwise(node: SourceNode, function: str, *operands: Value, steps: int = 1) -> Value:
    """A function of ELEMENTWISE."""
    return node.add("elementwise", *operands, function=function, steps=steps)


def curve(node: SourceNode, function: str, value: Value, *constants: Value) -> Value:
    """A non-linear function of one element."""
    return node.add("activation", value, *constants, function=function)


def converted(node: SourceNode, value: Value, dtype: str) -> Value:
    """The same numbers in another format; the same value where it has that format."""
    wanted = format_of(dtype)
    if wanted == value.format:
        return value
    from costmodel.formats import FLOAT32  # noqa: PLC0415  # only where formats differ

    made = node.graph.all_of("copy", value, purpose="conversion", formats=[wanted or FLOAT32])[0]
    if made.is_constant:
        made.format = wanted
        made.is_parameter = value.is_parameter
    return made
