"""Runtimes of a device: what the software on a chip changes of its figures and settings."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

from attrs import field, frozen
from attrs.validators import and_, instance_of, min_len, optional

from costmodel.devices.parameters import Evidence


def _ratio(_: Any, attribute: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        message = f"{attribute.name} is {value!r:.80}; expected a number"
        raise TypeError(message)
    if not (math.isfinite(value) and value > 0):  # type: ignore[operator]  # a Real compares with numbers
        message = f"{attribute.name} is {value!r}; expected a finite number above 0"
        raise ValueError(message)


@frozen
class Residual:
    """Measured over predicted time of a runtime: the 10th and 90th percentile over networks.

    Raises:
        TypeError: an end is not a number.
        ValueError: an end is not above 0, or `low` is above `high`.

    """

    low: float = field(validator=_ratio)
    high: float = field(validator=_ratio)
    source: str = field(default="", kw_only=True)
    evidence: Evidence | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Check the order of the ends."""
        if self.low > self.high:
            message = f"expected low <= high, found {self.low}, {self.high}"
            raise ValueError(message)

    def __str__(self) -> str:
        """Write both ends."""
        return f"{self.low:g} to {self.high:g}"


@frozen
class Runtime:
    """The values of a device under one runtime: all that some runtime of its file replaces."""

    name: str = field(validator=and_(instance_of(str), min_len(1)))
    values: tuple[tuple[str, Any], ...] = ()
    residual: Residual | None = field(default=None, validator=optional(instance_of(Residual)))


def as_runtimes(given: Iterable[Runtime]) -> tuple[Runtime, ...]:
    """Runtimes as a tuple, each with a name of its own.

    Raises:
        TypeError: they are not runtimes.
        ValueError: two have one name.

    """
    runtimes: tuple[Any, ...] = tuple(given)
    for runtime in runtimes:
        if not isinstance(runtime, Runtime):
            message = f"expected runtimes, such as [Runtime('tflite')], found {runtime!r:.80}"
            raise TypeError(message)
    names = [runtime.name for runtime in runtimes]
    if len(set(names)) < len(names):
        message = f"runtime {max(names, key=names.count)!r} is given twice"
        raise ValueError(message)
    return runtimes
