"""Dictionaries that nobody changes, as the values of this package hold them."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class FrozenDict(dict[_Key, _Value]):
    """A dictionary that cannot be changed; it can be copied, and sent to other processes.

    Raises:
        TypeError: it is to be changed.

    """

    __slots__ = ()

    def _refuse(self, *_args: Any, **_named: Any) -> NoReturn:
        message = "this mapping cannot be changed; dict(mapping) is a copy that can"
        raise TypeError(message)

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]  # a dictionary that may change has none
        """Of its items, whatever their order; equal ones have equal hashes."""
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[FrozenDict[_Key, _Value]], tuple[dict[_Key, _Value]]]:
        """Made of a plain dictionary again: items cannot be added one by one."""
        return type(self), (dict(self),)
