"""Lengths as expressions in symbols, as a program writes them; nothing is executed."""

from __future__ import annotations

import functools
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from attrs import define, frozen

from costmodel_torch.exported.program import Length

_LONGEST: Final = 2000
"""Characters of an expression."""
_DEEPEST: Final = 60
"""Expressions within expressions."""
_LARGEST: Final = 2**62
"""The largest number that an expression may come to on its way."""


@frozen
class _Symbol:
    """A length that is bound later."""

    name: str


@frozen
class _Call:
    """A function of expressions."""

    function: str
    operands: tuple[_Tree, ...]


_Tree: TypeAlias = "int | float | _Symbol | _Call"


def length_of(length: Length, symbols: Mapping[str, int]) -> int | None:
    """The number that a length is, or None where it cannot be found."""
    if isinstance(length, int):
        return length
    tree = _tree(length)
    if tree is None:
        return None
    try:
        found = _evaluated(tree, symbols)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def symbols_of(length: Length) -> Iterator[str]:
    """The symbols in a length."""
    waiting = [None if isinstance(length, int) else _tree(length)]
    while waiting:
        tree = waiting.pop()
        if isinstance(tree, _Symbol):
            yield tree.name
        elif isinstance(tree, _Call):
            waiting += tree.operands


def symbol_of(length: Length) -> str | None:
    """The symbol that a length is, where it is one alone."""
    tree = None if isinstance(length, int) else _tree(length)
    return tree.name if isinstance(tree, _Symbol) else None


@functools.lru_cache(maxsize=4096)
def _tree(text: str) -> _Tree | None:
    """The expression that a text is, None where it is none."""
    if len(text) > _LONGEST:
        return None
    try:
        return _Parser(_TOKEN.findall(text)).whole()
    except (LookupError, ValueError):
        return None


_TOKEN: Final = re.compile(
    r"""\d+\.\d*(?:e[+-]?\d+)?|\d+|[A-Za-z_][\w.]*|'[^']*'|"[^"]*"|//|\*\*|[^\s]"""
)
_BINDING: Final = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "**": 4}
_MINUS, _OPEN = "-", "("
_SIGN: Final = 3
"""How closely operators bind."""
_WRITTEN: Final = {
    "+": "Add", "*": "Mul", "/": "IntTrueDiv", "//": "FloorDiv", "%": "Mod", "**": "Pow",
}  # fmt: skip


@define
class _Parser:
    """Tokens of an expression, read from the front."""

    tokens: list[str]
    place: int = 0
    depth: int = 0

    def whole(self) -> _Tree:
        """The expression that all tokens are.

        Raises:
            ValueError: they are none.

        """
        found = self._expression(0)
        if self.place != len(self.tokens):
            raise ValueError
        return found

    def _next(self) -> str:
        self.place += 1
        return self.tokens[self.place - 1]

    def _sees(self, token: str) -> bool:
        return self.place < len(self.tokens) and self.tokens[self.place] == token

    def _expression(self, least: int) -> _Tree:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ValueError
        left = self._operand()
        while self.place < len(self.tokens):
            sign = self.tokens[self.place]
            closeness = _BINDING.get(sign, -1)
            if closeness < max(least, 1):
                break
            self.place += 1
            right = self._expression(closeness + (sign != "**"))
            left = (
                _Call("Add", (left, _Call("Mul", (-1, right))))
                if sign == "-"
                else _Call(_WRITTEN[sign], (left, right))
            )
        self.depth -= 1
        return left

    def _operand(self) -> _Tree:
        token = self._next()
        if token == _MINUS:
            return _Call("Mul", (-1, self._expression(_SIGN)))
        if token == _OPEN:
            found = self._expression(0)
            self._close()
            return found
        if token[0].isdigit():
            return float(token) if "." in token else int(token)
        if not (token[0].isalpha() or token[0] == "_"):
            raise ValueError
        if not self._sees("("):
            return _Symbol(token)
        self.place += 1
        return self._called(token.rpartition(".")[2])

    def _called(self, name: str) -> _Tree:
        """A call whose bracket is open; what is given by name says nothing of a number."""
        if name == "Symbol":
            symbol = self._next().strip("\"'")
            while self._next() != ")":
                pass
            return _Symbol(symbol)
        operands: list[_Tree] = []
        while not self._sees(")"):
            if operands:
                self._expect(",")
            operands.append(self._expression(0))
        self._close()
        return _Call(name, tuple(operands))

    def _close(self) -> None:
        self._expect(")")

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise ValueError


def _product(*numbers: float) -> float:
    return math.prod(numbers)


def _power(base: float, exponent: float) -> Any:
    if abs(exponent) > _LARGEST.bit_length():
        message = f"{base} to the power of {exponent}"
        raise OverflowError(message)
    return base**exponent


def _total(*numbers: float) -> float:
    return sum(numbers)


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "Integer": int, "Float": float, "Rational": operator.truediv, "Half": lambda: 0.5,
    "Add": _total, "Mul": _product, "Pow": _power, "FloorDiv": operator.floordiv,
    "CleanDiv": operator.floordiv, "IntTrueDiv": operator.truediv,
    "FloatTrueDiv": operator.truediv, "Mod": operator.mod, "PythonMod": operator.mod,
    "ModularIndexing": lambda base, divisor, modulus: base // divisor % modulus,
    "Max": max, "Min": min, "Abs": abs, "ceiling": math.ceil, "floor": math.floor,
    "CeilToInt": math.ceil, "FloorToInt": math.floor, "TruncToInt": int, "TruncToFloat": math.trunc,
    "RoundToInt": round, "ToFloat": float, "PowByNatural": _power, "FloatPow": _power,
    "Identity": lambda number: number,
}  # fmt: skip
"""The functions of an expression, as SymPy and PyTorch name them."""


def _evaluated(tree: _Tree, symbols: Mapping[str, int]) -> Any:
    """The number that an expression is.

    Raises:
        KeyError: a symbol is not bound, or a function is not known.

    """
    if isinstance(tree, _Symbol):
        return symbols[tree.name]
    if isinstance(tree, _Call):
        operands = [_evaluated(one, symbols) for one in tree.operands]
        return _bounded(_FUNCTIONS[tree.function](*operands))
    return _bounded(tree)


def _bounded(number: Any) -> Any:
    """The number, where it is of a bearable size.

    Raises:
        OverflowError: it is larger.

    """
    if abs(number) > _LARGEST:
        message = "a number of an expression is too large"
        raise OverflowError(message)
    return number
