"""Lengths as expressions in symbols, as a program writes them; nothing is executed."""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from costmodel_torch.program import Length

_LONGEST: Final = 2000
"""Characters of an expression."""
_LARGEST: Final = 2**62
"""The largest number that an expression may come to on its way."""


def length_of(length: Length, symbols: Mapping[str, int]) -> int | None:
    """The number that a length is, or None where it cannot be found."""
    if isinstance(length, int):
        return length
    tree = _tree(length)
    if tree is None:
        return None
    try:
        found = _evaluated(tree, symbols)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
        return None
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def symbols_of(length: Length) -> Iterator[str]:
    """The symbols in a length."""
    tree = None if isinstance(length, int) else _tree(length)
    if tree is None:
        return
    for node in ast.walk(tree):
        if _is_symbol(node):
            yield node.args[0].value  # type: ignore[attr-defined]  # a call on a text
        elif isinstance(node, ast.Name) and node.id not in _FUNCTIONS and node.id not in _WRITTEN:
            yield node.id


def symbol_of(length: Length) -> str | None:
    """The symbol that a length is, where it is one alone."""
    tree = None if isinstance(length, int) else _tree(length)
    if tree is None:
        return None
    if _is_symbol(tree):
        return str(tree.args[0].value)  # type: ignore[attr-defined]  # a call on a text
    return tree.id if isinstance(tree, ast.Name) else None


@functools.lru_cache(maxsize=4096)
def _tree(text: str) -> ast.expr | None:
    if len(text) > _LONGEST:
        return None
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_symbol(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Symbol"
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    )


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
_WRITTEN: Final = {"Symbol": None}
_OPERATORS: Final[Mapping[type[ast.AST], Callable[..., Any]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv, ast.Div: operator.truediv, ast.Mod: operator.mod,
    ast.Pow: _power, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip


def _evaluated(node: ast.expr, symbols: Mapping[str, int]) -> Any:
    """The number that an expression is.

    Raises:
        ValueError: it has something that is not arithmetic.

    """
    match node:
        case ast.Constant(value=int() | float() as number):
            return _bounded(number)
        case ast.Call() if _is_symbol(node):
            return symbols[node.args[0].value]  # type: ignore[attr-defined]  # a text
        case ast.Name(id=name):
            return symbols[name]
        case ast.UnaryOp(op=sign, operand=operand):
            return _OPERATORS[type(sign)](_evaluated(operand, symbols))
        case ast.BinOp(left=left, op=sign, right=right):
            numbers = _evaluated(left, symbols), _evaluated(right, symbols)
            return _bounded(_OPERATORS[type(sign)](*numbers))
        case (
            ast.Call(func=ast.Name(id=name), args=args)
            | ast.Call(func=ast.Attribute(attr=name), args=args)
        ):
            return _bounded(_FUNCTIONS[name](*[_evaluated(one, symbols) for one in args]))
    message = f"no arithmetic: {ast.dump(node)!r:.80}"
    raise ValueError(message)


def _bounded(number: Any) -> Any:
    if abs(number) > _LARGEST:
        message = "a number of an expression is too large"
        raise OverflowError(message)
    return number
