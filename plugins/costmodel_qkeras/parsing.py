"""Quantizer strings such as `quantized_bits(4, 0, 1)`: parsed, never evaluated."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from attrs import frozen

from costmodel_qkeras.quantizers import Argument, Quantizer, QuantizerError, make
from costmodel_qkeras.signatures import LATEST

MAX_TEXT: Final = 1000
"""Characters; no quantizer that QKeras prints is nearly as long."""

MAX_DEPTH: Final = 8
"""Levels of calls and lists in one string."""


@lru_cache(maxsize=1024)
def parse(text: str, *, release: str = LATEST) -> Quantizer:
    """The quantizer that a string names; only literals are taken as arguments.

    Raises:
        QuantizerError: anything but the call of a known quantizer with literal arguments.

    """
    node = _expression(text)
    if isinstance(node, ast.Name):
        return make(node.id, release=release)
    if isinstance(node, ast.Call):
        return _Text(text, release).call(node, 0)
    message = f"expected a quantizer such as 'quantized_bits(8, 0, 1)', found {text!r:.80}"
    raise QuantizerError(message)


def _expression(text: str) -> ast.expr:
    if len(text) > MAX_TEXT:
        message = f"expected a quantizer of at most {MAX_TEXT} characters, found {len(text)}"
        raise QuantizerError(message)
    try:
        with warnings.catch_warnings(action="ignore"):  # about code that is not run
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        message = f"expected a quantizer, found {text!r:.80}, which cannot be parsed"
        raise QuantizerError(message) from None


@frozen
class _Text:
    """One string on its way to a quantizer."""

    text: str
    release: str

    def call(self, node: Any, depth: int) -> Quantizer:
        if not isinstance(node.func, ast.Name) or any(word.arg is None for word in node.keywords):
            raise self._code()
        names = [word.arg for word in node.keywords]
        if len(set(names)) < len(names):
            message = f"{node.func.id}: a parameter is given twice in {self.text!r:.80}"
            raise QuantizerError(message)
        values = [self._argument(word.value, depth + 1) for word in node.keywords]
        positional = [self._argument(argument, depth + 1) for argument in node.args]
        named = dict(zip(names, values, strict=True))
        return make(node.func.id, positional, named, release=self.release)

    def _argument(self, node: ast.expr, depth: int) -> Argument:
        reader = _READERS.get(node.__class__)
        if reader is None or depth > MAX_DEPTH:
            raise self._code()
        return reader(self, node, depth)

    def constant(self, node: Any, depth: int) -> Argument:
        if node.value is not None and not isinstance(node.value, (bool, int, float, str)):
            raise self._code()
        value: Argument = node.value
        return value

    def signed(self, node: Any, depth: int) -> Argument:
        value = self._argument(node.operand, depth + 1)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not isinstance(node.op, (ast.USub, ast.UAdd)):
            raise self._code()
        return -value if isinstance(node.op, ast.USub) else value  # type: ignore[operator]  # a number

    def items(self, node: Any, depth: int) -> Argument:
        return tuple(self._argument(item, depth + 1) for item in node.elts)

    def _code(self) -> QuantizerError:
        return QuantizerError(
            f"code in a quantizer is refused: {self.text!r:.80}; arguments may be numbers, "
            "strings, True, False, None, lists and quantizers"
        )


_READERS: Final[dict[type, Callable[[_Text, Any, int], Argument]]] = {
    ast.Call: _Text.call,
    ast.Constant: _Text.constant,
    ast.List: _Text.items,
    ast.Tuple: _Text.items,
    ast.UnaryOp: _Text.signed,
}
