"""Runtimes of a device: what the software on a chip changes of its figures and settings."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any, Final

from attrs import evolve, field, frozen
from attrs.validators import and_, instance_of, min_len, optional

from costmodel.devices.parameters import Evidence
from costmodel.formats import NumericFormat


def _ratio(_: Any, attribute: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        message = f"{attribute.name} is {value!r:.80}; expected a number"
        raise TypeError(message)
    if not (math.isfinite(value) and value > 0):  # type: ignore[operator]  # a Real compares with numbers
        message = f"{attribute.name} is {value!r}; expected a finite number above 0"
        raise ValueError(message)


def _batches(_: Any, attribute: Any, value: Any) -> None:
    if value is None:
        return
    is_pair = isinstance(value, tuple) and len(value) == len(("least", "most"))
    if not is_pair or any(one.__class__ is not int or one < 1 for one in value):
        message = f"batch is {value!r:.80}; expected the least and the largest, such as [1, 64]"
        raise ValueError(message)
    if value[0] > value[1]:
        message = f"batch is {list(value)}; expected the least first"
        raise ValueError(message)


RUNTIME_MARK: Final = ":"
"""Between a device and its runtime in `rtx-3090:tensorrt`; neither name has one."""
CHANGED: Final = (0.5, 2.0)
"""Measured over predicted time, at the least, where a figure is not the one that was fitted."""


@frozen
class Residual:
    """Measured over predicted time of a runtime: the 10th and 90th percentile over networks.

    It holds for the conditions that were measured: batches from the first to the second of
    `batches`, and default formats among `formats`; None stands for any. It does not hold for times
    below the shortest that was measured in a format, in seconds, where `shortest` has one: they are
    little but overheads, which long times say nothing about. `otherwise` holds for all others.

    Raises:
        TypeError: an end is not a number.
        ValueError: an end is not above 0, `low` is above `high`, or the batches are not two whole
            numbers in order.

    """

    low: float = field(validator=_ratio)
    high: float = field(validator=_ratio)
    source: str = field(default="", kw_only=True)
    evidence: Evidence | None = field(default=None, kw_only=True)
    batches: tuple[int, int] | None = field(default=None, validator=_batches, kw_only=True)
    formats: tuple[NumericFormat, ...] | None = field(default=None, kw_only=True)
    shortest: tuple[tuple[NumericFormat, float], ...] = field(default=(), kw_only=True)
    otherwise: Residual | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Check the order of the ends."""
        if self.low > self.high:
            message = f"expected low <= high, found {self.low}, {self.high}"
            raise ValueError(message)

    def under(
        self, batch: int, number: NumericFormat, seconds: float | None = None
    ) -> Residual | None:
        """The residual for a batch, the format that a network is called in, and predicted seconds.

        None where nothing is known of these conditions.
        """
        if self.batches is not None:
            least, most = self.batches
            if not least <= batch <= most:
                return self.otherwise
        if self.formats is not None and number not in self.formats:
            return self.otherwise
        if seconds is not None and seconds < dict(self.shortest).get(number, 0.0):
            return self.otherwise
        return self

    def of_changed_figures(self) -> Residual:
        """The residual where a caller gave another figure than measured times were fitted with."""
        low, high = CHANGED
        otherwise = None if self.otherwise is None else self.otherwise.of_changed_figures()
        return evolve(
            self, low=min(self.low, low), high=max(self.high, high), otherwise=otherwise,
            source="a figure was changed: assumed", evidence=Evidence.ASSUMED,
        )  # fmt: skip

    def __str__(self) -> str:
        """Write both ends."""
        return f"{self.low:.3g} to {self.high:.3g}"


@frozen
class Runtime:
    """The values of a device under one runtime: all that some runtime of its file replaces."""

    name: str = field(validator=and_(instance_of(str), min_len(1)))
    values: tuple[tuple[str, Any], ...] = ()
    residual: Residual | None = field(default=None, validator=optional(instance_of(Residual)))
    known: str = field(default="", validator=instance_of(str), kw_only=True)
    """In one line, how well the times of the runtime are known."""


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
