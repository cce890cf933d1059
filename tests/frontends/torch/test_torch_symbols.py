"""Lengths as expressions."""

from __future__ import annotations

import pytest

from costmodel_torch.exported.symbols import length_of, symbol_of, symbols_of

SYMBOLS = {"s0": 7, "s77": 4}


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("s0", 7), ("2*s0", 14), ("s0 + 2*s77 - 1", 14), ("(s0 + 1)//2", 4), ("s0//2", 3),
        ("-s0 + 10", 3), ("2**s77", 16), ("s0 - s77 - 1", 2), ("Max(1, s0)", 7),
        ("Symbol('s77', positive=True, integer=True)", 4),
        ("Mul(Integer(2), Symbol('s77', positive=True, integer=True))", 8),
        ("Add(Integer(-1), FloorDiv(Symbol('s0', integer=True), Integer(2)))", 2),
        ("((s0*s77) % 5)", 3), ("s0*Rational(1, 7)", 1), ("CeilToInt(s0/2)", 4),
        ("torch.sym_max(s0, 9)", None), ("s1", None), ("s0/2", None), ("__import__('os')", None),
        ("s0 +", None), ("", None), ("(" * 900, None), ("9**9**9**9", None), ("1//0", None),
        ("s0 s77", None), ("+" * 99, None), ("Pow(10, 400)", None), ("[s0]", None),
    ],
)  # fmt: skip
def test_an_expression_is_a_number_or_none(text: str, length: int | None) -> None:
    assert length_of(text, SYMBOLS) == length


def test_the_symbols_of_an_expression_are_named() -> None:
    assert sorted(symbols_of("2*s0 + Max(s1, 3)")) == ["s0", "s1"]
    assert symbol_of("Symbol('s7', integer=True)") == "s7"
    assert symbol_of("2*s7") is None
    assert list(symbols_of(3)) == []
