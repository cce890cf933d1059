"""Runtimes of a device: what the software on a chip changes of its figures and settings."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any, Final

from attrs import evolve, field, frozen
from attrs.validators import and_, deep_iterable, instance_of, min_len, optional

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
        shown = list(value) if isinstance(value, tuple) else value
        expected = "the least and the largest, whole numbers from 1, such as [1, 64]"
        message = f"batch is {shown!r:.80}; expected {expected}"
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
    `batches`, default formats among `formats`, and predicted times of at least `shortest`, in
    seconds: shorter ones are little but overheads, which long times say nothing about. None stands
    for any.

    Raises:
        TypeError: an end or a time is not a number.
        ValueError: an end or a time is not above 0, `low` is above `high`, or the batches are not
            two whole numbers in order.

    """

    low: float = field(validator=_ratio)
    high: float = field(validator=_ratio)
    source: str = field(default="", kw_only=True)
    evidence: Evidence | None = field(default=None, kw_only=True)
    batches: tuple[int, int] | None = field(default=None, validator=_batches, kw_only=True)
    formats: tuple[NumericFormat, ...] | None = field(default=None, kw_only=True)
    shortest: float | None = field(default=None, validator=optional(_ratio), kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Check the order of the ends."""
        if self.low > self.high:
            message = f"expected low <= high, found {self.low}, {self.high}"
            raise ValueError(message)

    def holds(self, batch: int, number: NumericFormat, seconds: float | None = None) -> bool:
        """Whether it is about a batch, the format that a network is called in, and a time."""
        if self.batches is not None:
            least, most = self.batches
            if not least <= batch <= most:
                return False
        if self.formats is not None and number not in self.formats:
            return False
        return self.shortest is None or seconds is None or seconds >= self.shortest

    @property
    def is_for_all(self) -> bool:
        """Whether it holds under all conditions."""
        return self.batches is None and self.formats is None and self.shortest is None

    def of_changed_figures(self) -> Residual:
        """The residual where a caller gave another figure than measured times were fitted with."""
        low, high = CHANGED
        return evolve(
            self, low=min(self.low, low), high=max(self.high, high),
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
    residuals: tuple[Residual, ...] = field(
        default=(), validator=deep_iterable(instance_of(Residual), instance_of(tuple))
    )
    """Of several, the first that holds: each for its conditions, and one for all others last."""
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
