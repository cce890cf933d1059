"""What QTools calls a quantizer: the datatype of a tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final

from attrs import evolve, field, frozen

from costmodel_qkeras.parsing import parse
from costmodel_qkeras.qtools.errors import QToolsError
from costmodel_qkeras.qtools.numbers import InVariable, printed, typed
from costmodel_qkeras.quantizers import Quantizer


class Mode(IntEnum):
    """The classes of datatype that QTools' tables tell apart, numbered as in QTools."""

    FIXED = 0
    PO2 = 1
    TERNARY = 2
    SIGN = 3
    ZERO_ONE = 4
    FLOAT = 5


UNSET: Final = -1
"""What QTools writes for "no cap" and for "not known"."""


@frozen(cache_hash=True)
class Datatype:
    """The datatype of one tensor; `int_bits` excludes the sign, QTools prints it with the sign."""

    name: str
    mode: Mode
    bits: int = field(eq=typed)
    int_bits: int = field(default=UNSET, eq=typed)
    is_signed: int = field(default=1, eq=typed)
    max_value: float = field(default=UNSET, eq=typed)
    distinct_values: int = UNSET

    @property
    def fraction_bits(self) -> int:
        """Digits right of the binary point, as QTools counts them for every class."""
        return self.bits - int(self.is_signed) - self.int_bits

    def sized(self, bits: int, int_bits: int, is_signed: int) -> Datatype:
        """The same class of datatype in another width."""
        return Datatype(
            self.name, self.mode, bits, int_bits, is_signed, self.max_value, self.distinct_values
        )

    def as_json(self) -> dict[str, Any]:
        """The entry of QTools' dictionary."""
        return dict(_entry(self))


@lru_cache(maxsize=1024)
def _entry(kind: Datatype) -> dict[str, Any]:
    return {"quantizer_type": kind.name} | _JSON[kind.mode](kind)


def _fixed_json(kind: Datatype) -> dict[str, Any]:
    return {
        "bits": printed(kind.bits),
        "int_bits": printed(kind.int_bits + kind.is_signed),
        "is_signed": kind.is_signed,
    }


def _binary_json(kind: Datatype) -> dict[str, Any]:
    return {
        "bits": printed(kind.bits),
        "int_bits": printed(kind.int_bits),
        "is_signed": kind.is_signed,
        "values": [0, 1] if kind.mode is Mode.ZERO_ONE else [-1, 1],
    }


def _ternary_json(_: Datatype) -> dict[str, Any]:
    # Always the same, whatever the bits have become.
    return {"bits": 2, "int_bits": 2, "is_signed": 1, "values": [0, -1, 1]}


def _po2_json(kind: Datatype) -> dict[str, Any]:
    return {
        "bits": printed(kind.bits), "is_signed": kind.is_signed, "max_value": kind.max_value,
    }  # fmt: skip


_JSON: Final[Mapping[Mode, Callable[[Datatype], dict[str, Any]]]] = {
    Mode.FIXED: _fixed_json,
    Mode.PO2: _po2_json,
    Mode.TERNARY: _ternary_json,
    Mode.SIGN: _binary_json,
    Mode.ZERO_ONE: _binary_json,
    Mode.FLOAT: lambda kind: {"bits": printed(kind.bits)},
}


def fixed(
    bits: int, int_bits: int, is_signed: int = 1, *, name: str = "quantized_bits"
) -> Datatype:
    """Fixed point."""
    return Datatype(name, Mode.FIXED, bits, int_bits, is_signed)


def floating(bits: int) -> Datatype:
    """Floating point."""
    return Datatype("floating_point", Mode.FLOAT, bits)


def binary(name: str, *, zero_one: bool) -> Datatype:
    """One of two values."""
    mode = Mode.ZERO_ONE if zero_one else Mode.SIGN
    return Datatype(name, mode, 1, 1, int(not zero_one))


def ternary(name: str = "ternary") -> Datatype:
    """One of three values: QTools counts two integer bits and a sign in two bits."""
    return Datatype(name, Mode.TERNARY, 2, 2)


def po2(bits: int, is_signed: int, max_value: float = UNSET) -> Datatype:
    """A power of two, named by its sign; its integer bits are its bits."""
    name = "quantized_po2" if is_signed else "quantized_relu_po2"
    return Datatype(name, Mode.PO2, bits, bits, is_signed, max_value)


# ------------------------------------------------------------------ quantizers


def _integer(quantizer: Quantizer) -> int:
    return InVariable(quantizer.integer) if quantizer.integer_is_variable else quantizer.integer


def _bits(quantizer: Quantizer) -> Datatype:
    # QTools passes the sign on as it was given: True stays True.
    sign: Any = quantizer.get("keep_negative")
    return fixed(quantizer.bits, _integer(quantizer), sign)


def _relu(quantizer: Quantizer) -> Datatype:
    signed = int(quantizer.number("negative_slope") != 0)
    is_one_bit = quantizer.bits == 1 and quantizer.integer == 1
    mode = Mode.ZERO_ONE if is_one_bit else Mode.FIXED
    return Datatype(quantizer.name, mode, quantizer.bits, _integer(quantizer), signed)


def _po2(quantizer: Quantizer) -> Datatype:
    # The cap keeps the type in which it was given.
    cap: Any = quantizer.get("max_value") or UNSET
    return po2(quantizer.bits, int(quantizer.name == "quantized_po2"), cap)


_DATATYPES: Final[Mapping[str, Callable[[Quantizer], Datatype]]] = {
    "bernoulli": lambda quantizer: binary(quantizer.name, zero_one=True),
    "binary": lambda quantizer: binary(quantizer.name, zero_one=bool(quantizer.get("use_01"))),
    "quantized_bits": _bits,
    "quantized_po2": _po2,
    "quantized_relu": _relu,
    "quantized_relu_po2": _po2,
    # QTools forgets to set the integer bits of a tanh.
    "quantized_tanh": lambda quantizer: fixed(quantizer.bits, UNSET, name=quantizer.name),
    "quantized_ulaw": lambda quantizer: fixed(
        quantizer.bits, quantizer.integer, name=quantizer.name
    ),
    "stochastic_binary": lambda quantizer: binary(quantizer.name, zero_one=False),
    "stochastic_ternary": lambda quantizer: ternary(quantizer.name),
    "ternary": lambda quantizer: ternary(quantizer.name),
}
"""The quantizers that QTools knows; any other one reads as none."""

_BREAKING: Final = frozenset({"quantized_hswish"})
"""Subclasses of a known quantizer, which pass QTools' test and then break its table."""

_NAMED: Final[Mapping[str, Datatype]] = {
    "fp16": floating(16),
    "fp32": floating(32),
    "int8": fixed(8, 0),
    "int16": fixed(16, 7),
    "int32": fixed(32, 10),
}
"""The names of default formats (QTools, quantizer_factory.make_default_quantizer)."""

DEFAULT: Final = fixed(8, 0, is_signed=True)
"""quantized_bits(8, 0, 1), QTools' format of sources and of everything undeclared."""


def is_named(name: object) -> bool:
    """Whether it is the name of a default format, such as `int8`."""
    return isinstance(name, str) and name in _NAMED


@lru_cache(maxsize=256)
def default_datatype(name: str) -> Datatype:
    """The datatype that `keras_quantizer` or `keras_accumulator` names.

    Raises:
        QuantizerError: it is neither a default format nor a quantizer.

    """
    if name not in _NAMED:
        return datatype(parse(name))
    kind = _NAMED[name]
    # QTools passes through quantized_bits here, whose sign is a truth value.
    return kind if kind.mode is Mode.FLOAT else evolve(kind, is_signed=True)


def is_supported(quantizer: Quantizer | None) -> bool:
    """Whether QTools knows a quantizer."""
    return quantizer is not None and (quantizer.name in _DATATYPES or quantizer.name in _BREAKING)


@lru_cache(maxsize=4096)
def datatype(quantizer: Quantizer | None) -> Datatype:
    """The datatype of a quantizer; the default for none and for one that QTools ignores.

    Raises:
        QToolsError: QTools takes it for another and fails.

    """
    if quantizer is None or not is_supported(quantizer):
        return DEFAULT
    if quantizer.name in _BREAKING:
        message = f"QTools raises KeyError for {quantizer.name}, which its tables do not have"
        raise QToolsError(message)
    return _DATATYPES[quantizer.name](quantizer)


_CLONED_AS_TERNARY: Final = frozenset(
    {"bernoulli", "quantized_tanh", "quantized_ulaw", "stochastic_binary"}
)
"""What QTools' table of clones maps to stochastic ternary."""


def passed_on(kind: Datatype) -> Datatype:
    """What becomes of a datatype that a layer passes to its output."""
    return ternary("stochastic_ternary") if kind.name in _CLONED_AS_TERNARY else kind
