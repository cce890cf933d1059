"""Quantizers of HGQ2 as numeric formats, from the variables that training left.

A quantizer holds a width for each group of elements, up to one for each: `k` (1 where negative
numbers are kept), and `i` bits before the binary point with either `f` bits behind it (q_type
`kif`) or `b = i + f` (`kbi`); or bits of mantissa, exponent and its offset (`float`). They are
trained as real numbers and rounded where they are used (hgq/quantizer/internal of HGQ2 0.2.0).
A live object is looked at; its class is never imported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, TypeAlias

import numpy as np
from attrs import field, frozen

from costmodel.errors import FormatError
from costmodel.formats import (
    MixedPrecision,
    NumericFormat,
    narrowest_fixed,
    narrowest_float,
)

MOST_BITS: Final = 1024
"""Before or behind the binary point; HGQ2 trains at most 24 and allows any."""

NEVER: Final = -4 * MOST_BITS
"""Integer bits of an element that no input has set yet; HGQ2 begins its trace at -1e9."""

Arrays: TypeAlias = Mapping[str, Any]
"""Variables of a quantizer by their names: k, b, i, f, m, e."""

_FIXED: Final = {"kbi": ("b", "i"), "kif": ("i", "f")}
"""Real variables of a quantizer of fixed point in the order in which Keras saves them."""
_FLOAT: Final = ("m", "e", "e0")
_DUMMY: Final = "dummy"
_HARD_SIGMOID: Final = "HardSigmoidConfig"
"""A configuration that scales and shifts without saying so."""


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not all(
        type(length) is int and length > 0 for length in value
    ):
        message = f"shape is {value!r:.80}; expected lengths of 1 or more"
        raise ValueError(message)
    return tuple(value)


def _number(value: Any) -> NumericFormat:
    if not isinstance(value, NumericFormat):
        message = f"number is {value!r:.80}; expected a numeric format"
        raise TypeError(message)
    return value


@frozen
class Quantizer:
    """What a quantizer makes of a tensor: its format, and the shape of its widths."""

    number: NumericFormat = field(converter=_number)
    shape: tuple[int, ...] = field(converter=_shape)
    """An axis of length 1 has one width for all elements along it."""
    is_affine: bool = False
    """Whether it scales and shifts what it gives."""


# ------------------------------------------------------------------ sources


def of_variables(config: Any, saved: Sequence[Any]) -> Quantizer | None:
    """The quantizer of a configuration and its variables in the order of the file.

    None stands for a quantizer that leaves its input as it is.

    Raises:
        ValueError: no quantizer has such a configuration or such variables.

    """
    settings = config.get("config") if isinstance(config, Mapping) else None
    if not isinstance(settings, Mapping):
        message = f"expected a QuantizerConfig with 'config', found {config!r:.80}"
        raise ValueError(message)  # noqa: TRY004  # the layer says whose setting it is
    q_type, overflow = settings.get("q_type"), settings.get("overflow_mode")
    if q_type == _DUMMY:
        return None
    held = [array for array in saved if array.shape]  # a scalar is the speed of a decay
    arrays = _by_name(str(q_type), str(overflow), held)
    is_affine = settings.get("affine") is not None or config.get("class_name") == _HARD_SIGMOID
    return _made(arrays, str(overflow), is_affine=is_affine)


def _by_name(q_type: str, overflow: str, held: Sequence[Any]) -> Arrays:
    if q_type == "float":
        names: tuple[str, ...] = _FLOAT
    elif q_type in _FIXED:
        # Keras saves what is trained before what is not: the sign, and `i` where it is derived.
        first, second = _FIXED[q_type]
        is_derived = overflow == "WRAP" and q_type == "kif"
        whole = next((place for place, one in enumerate(held) if one.dtype.kind == "u"), -1)
        real = (second, first) if is_derived else (first, second)
        names = (*real[:whole], "k", *real[whole:]) if whole >= 0 else real
    else:
        message = f"q_type is {q_type!r:.40}; expected kbi, kif, float or dummy"
        raise ValueError(message)
    signs = sum(array.dtype.kind == "u" for array in held)
    if len(held) != len(names) or signs != names.count("k") or signs != (q_type in _FIXED):
        expected = "m, e and e0" if q_type == "float" else f"k, {' and '.join(_FIXED[q_type])}"
        message = f"found {len(held)} arrays of bits; expected {expected} of q_type {q_type!r}"
        raise ValueError(message)
    return dict(zip(names, held, strict=True))


def of_live(live: Any) -> Quantizer | None:
    """The quantizer of a live object `hgq.quantizer.Quantizer`, by its variables.

    Raises:
        ValueError: it is not built, or it is none of HGQ2's.

    """
    if live is None:
        return None
    return of_inner(getattr(live, "quantizer", None), getattr(live, "config", None))


def of_inner(inner: Any, config: Any) -> Quantizer | None:
    """The quantizer of the parts of a live one: what holds the variables, and its configuration.

    Raises:
        ValueError: it is not built, or it is none of HGQ2's.

    """
    if getattr(inner, "__dummy__", False):
        return None
    variables = getattr(inner, "variables", None)
    if not variables:
        message = f"expected a quantizer of HGQ2 that is built, found {type(inner).__name__!r:.80}"
        raise ValueError(message)
    arrays = {one.name: np.asarray(one.numpy()) for one in variables if len(one.shape)}
    affine = getattr(config, "affine", None)
    return _made(arrays, str(getattr(inner, "overflow_mode", None)), is_affine=affine is not None)


# ------------------------------------------------------------------ bits


def _made(arrays: Arrays, overflow: str, *, is_affine: bool) -> Quantizer:
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1:
        shown = ", ".join(f"{name}: {array.shape}" for name, array in arrays.items())
        message = f"arrays of bits of different shapes ({shown}); expected one shape"
        raise ValueError(message)
    (shape,) = shapes
    if not math.prod(shape):
        message = f"arrays of bits of shape {shape}; expected at least one element"
        raise ValueError(message)
    rounded = {name: _rounded(name, array) for name, array in arrays.items()}
    try:
        number = _floating(rounded) if "m" in rounded else _fixed(rounded, overflow)
    except FormatError as error:
        raise ValueError(str(error)) from None
    return Quantizer(number, shape, is_affine)


def _rounded(name: str, array: Any) -> Any:
    """Whole numbers of bits, rounded half to even as HGQ2 does."""
    if array.dtype.kind not in "fiu":
        message = f"{name} holds {array.dtype}; expected numbers of bits"
        raise ValueError(message)
    whole = np.round(array.astype(np.float64))
    most = 1 if name == "k" else MOST_BITS
    wrong = ~((whole >= (0 if name == "k" else -np.inf)) & (whole <= most))  # NaN is neither
    wrong |= np.isinf(whole)
    if wrong.any():
        message = f"{name} is {array[wrong].flat[0]!s:.40} for an element; expected at most {most}"
        raise ValueError(message)
    return np.maximum(whole, NEVER).astype(np.int64)


def _fixed(bits: Arrays, overflow: str) -> NumericFormat:
    """The format of fixed-point elements with `k`, `i` and `f` or `b` bits each.

    An element of no bits or fewer is always zero, and so is one whose only bit is a sign of a
    symmetric range.
    """
    signs, before = bits["k"], bits["i"]
    behind = bits["f"] if "f" in bits else bits["b"] - before
    widths = np.maximum(signs + before + behind, 0)
    widths = np.where(before > NEVER, widths, 0)
    if overflow.endswith("SYM"):
        widths = np.where(before + behind > 0, widths, 0)
    used = widths > 0
    if not used.any():
        return MixedPrecision(narrowest_fixed(1, 0, signed=False), Fraction(0))
    element = narrowest_fixed(
        int(before[used].max()), int(behind[used].max()), signed=bool(signs[used].any())
    )
    return _of_mean(element, widths)


def _floating(bits: Arrays) -> NumericFormat:
    """The format of floating-point elements with a sign, `m` and `e` bits each.

    Without a bit before the point of the mantissa (m of -1 or less), an element is always zero. An
    offset of the exponent is a constant of the circuit.
    """
    mantissa, exponent = bits["m"], np.maximum(bits["e"], 0)
    used = mantissa >= 0
    if not used.any():
        return MixedPrecision(narrowest_fixed(1, 0, signed=False), Fraction(0))
    element = narrowest_float(int(exponent[used].max()), int(mantissa[used].max()))
    return _of_mean(element, np.where(used, 1 + mantissa + exponent, 0))


def _of_mean(element: NumericFormat, widths: Any) -> NumericFormat:
    mean = Fraction(int(widths.sum()), int(widths.size))
    return element if mean == element.bits else MixedPrecision(element, mean)
