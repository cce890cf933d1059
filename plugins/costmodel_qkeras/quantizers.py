"""QKeras's quantizers as values: a name, and all parameters of its constructor."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias

from attrs import field, frozen

from costmodel.errors import CostModelError
from costmodel.formats import MAX_BITS
from costmodel_qkeras.signatures import (
    IMPLIED_BITS,
    LATEST,
    SIGNATURES,
    Parameters,
)

Argument: TypeAlias = "bool | int | float | str | tuple[Argument, ...] | Quantizer | None"
"""The value of one parameter of a quantizer."""

Arguments: TypeAlias = tuple[tuple[str, Argument], ...]
"""All parameters of a quantizer by name, in the order of its constructor."""


class QuantizerError(CostModelError, ValueError):
    """A quantizer that cannot be read, or that no hardware can have."""


_LONGEST: Final = 200
"""Characters of a name that may have been mistyped."""

NAMES: Final = frozenset(SIGNATURES[LATEST])
"""The names of all quantizers."""


@frozen(cache_hash=True)
class Quantizer:
    """A quantizer: its name and all its parameters.

    `integer_is_variable` marks integer bits that an adaptive activation keeps in a variable;
    `shifts` are the least and the largest exponent of a live `auto_po2` scale.

    Raises:
        QuantizerError: a parameter that no hardware can have.

    """

    name: str
    parameters: Arguments = field(eq=False)
    integer_is_variable: bool = False
    shifts: tuple[int, int] | None = None
    # True and 1 differ here, though not to ==: QTools prints what it was given.
    _identity: str = field(init=False, repr=False)
    _lookup: Mapping[str, Argument] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Check the name, and the parameters that decide about the format."""
        signature_of(self.name)
        object.__setattr__(self, "_identity", repr(self.parameters))
        object.__setattr__(self, "_lookup", dict(self.parameters))
        self._check_bits()
        self._check_integer()
        self._check_max_value()
        self._check_sign()

    def get(self, name: str) -> Argument:
        """One parameter, or None where the quantizer has no such parameter."""
        return self._lookup.get(name)

    def number(self, name: str) -> float:
        """One parameter as a number; None and absent count as zero."""
        value = self.get(name)
        return value if isinstance(value, (int, float)) else 0

    @property
    def bits(self) -> int:
        """Width of the stored word."""
        return IMPLIED_BITS.get(self.name) or int(self.number("bits"))

    @property
    def integer(self) -> int:
        """Digits left of the binary point."""
        return int(self.number("integer"))

    @property
    def max_value(self) -> float | None:
        """Cap of a power of two; QKeras takes zero for no cap."""
        return self.number("max_value") or None

    def __str__(self) -> str:
        """Write the call with the parameters that differ from their defaults."""
        defaults = dict(SIGNATURES[LATEST][self.name])
        changed = [
            f"{key}={_written(value)}"
            for key, value in self.parameters
            if key not in defaults or value != defaults[key]
        ]
        return f"{self.name}({', '.join(changed)})"

    def _check_bits(self) -> None:
        if self.get("bits") is None and self.name in IMPLIED_BITS:
            return
        bits = self._whole("bits")
        if not 1 <= bits <= MAX_BITS:
            self._refuse("bits", f"1 to {MAX_BITS}")

    def _check_integer(self) -> None:
        if "integer" not in self._lookup:
            return
        integer = self._whole("integer")
        if integer > self.bits:
            message = (
                f"{self.name}: integer is {integer!r:.40} and bits is {self.bits}; "
                "expected an integer part that is not wider than the word"
            )
            raise QuantizerError(message)
        if integer < -MAX_BITS:
            self._refuse("integer", f"at least -{MAX_BITS}")

    def _check_max_value(self) -> None:
        value = self.get("max_value")
        if value is not None and not (_is_finite(value) and value >= 0):  # type: ignore[operator]  # a finite number
            self._refuse("max_value", "a number of 0 or more")

    def _check_sign(self) -> None:
        """Check what decides whether a number can be negative; QKeras takes 1 for True."""
        for name in ("keep_negative", "use_01"):
            if self.get(name) not in {None, False, True}:
                self._refuse(name, "True or False")
        slope = self._lookup.get("negative_slope", 0)
        if not _is_finite(slope):
            self._refuse("negative_slope", "a number")

    def _whole(self, name: str) -> int:
        value: Any = self.get(name)
        if isinstance(value, bool) or not _is_finite(value) or value != int(value):
            self._refuse(name, "a whole number")
        return int(value)

    def _refuse(self, name: str, expected: str) -> NoReturn:
        found = _written(self.get(name))
        message = f"{self.name}: {name} is {found:.40}; expected {expected}"
        raise QuantizerError(message)


def _is_finite(value: object) -> bool:
    # An int may be too large for a float, and is finite.
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _written(value: Argument) -> str:
    return str(value) if isinstance(value, Quantizer) else repr(value)


def make(
    name: str,
    positional: Sequence[Argument] = (),
    named: Mapping[str, Argument] | None = None,
    *,
    release: str = LATEST,
) -> Quantizer:
    """The quantizer that a call of its constructor describes.

    Raises:
        QuantizerError: no such quantizer or parameter, or a value that it cannot have.

    """
    signature = signature_of(name, release)
    given = _by_name(name, signature, positional)
    for key, value in (named or {}).items():
        _check_keyword(name, signature, given, key)
        given[key] = value
    return Quantizer(name, tuple([(key, given.get(key, default)) for key, default in signature]))


def signature_of(name: str, release: str = LATEST) -> Parameters:
    """The parameters of a quantizer with their defaults.

    Raises:
        QuantizerError: there is no such quantizer.

    """
    known = SIGNATURES[release]
    if name not in known:
        message = f"unknown quantizer {name!r:.80}; {_nearest(name, known)}"
        raise QuantizerError(message)
    return known[name]


def _by_name(
    name: str, signature: Parameters, positional: Sequence[Argument]
) -> dict[str, Argument]:
    if len(positional) > len(signature):
        message = f"{name} takes at most {len(signature)} arguments, found {len(positional)}"
        raise QuantizerError(message)
    return {key: value for (key, _), value in zip(signature, positional, strict=False)}


def _check_keyword(
    name: str, signature: Parameters, given: Mapping[str, Argument], key: str
) -> None:
    if key in given:
        message = f"{name}: {key} is given twice"
        raise QuantizerError(message)
    known = [known for known, _ in signature]
    if key not in known:
        message = f"{name} has no parameter {key!r:.80}; {_nearest(key, known)}"
        raise QuantizerError(message)


def _nearest(name: str, known: Any) -> str:
    return f"nearest known: {difflib.get_close_matches(name[:_LONGEST], known, n=1, cutoff=0)[0]!r}"
