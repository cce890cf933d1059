"""Scenarios: the conditions under which a network runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from attrs import evolve, field, frozen

from costmodel.errors import ScenarioError, nearest
from costmodel.numerics import FLOAT32, NumericFormat, parse_format
from costmodel.tensor import Shape, as_shape

Rates: TypeAlias = float | Mapping[str, float]
"""Firing rates in hertz: one for all layers, or one for each by its name."""

_MOST = 2**53
"""The largest whole number up to which floating point counts exactly."""

HOW_TO_GIVE_RATES = (
    "give one number (Scenario(rates=10.0), --rate 10), one for each layer "
    "(rates={'conv2d': 12.5}, --rate conv2d=12.5), or measure them on example data: "
    "costmodel.measure_rates(model, examples)"
)


def _whole(_: Any, attribute: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST:
        message = f"{attribute.name} is {value!r:.80}; expected a whole number from 1 to {_MOST:,}"
        raise ScenarioError(message)


def _positive(_: Any, attribute: Any, value: Any) -> None:
    if not _is_number(value) or not value > 0:
        message = f"{attribute.name} is {value!r}; expected a positive number of seconds"
        raise ScenarioError(message)


def _axis(_: Any, attribute: Any, value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        message = (
            f"{attribute.name} is {value!r:.80}; expected an axis of the inputs, "
            "counted from 0 after the batch"
        )
        raise ScenarioError(message)


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return is_real and math.isfinite(value)
    except OverflowError:
        return False


def _check_rate(value: Any, where: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        message = f"the firing rate {where} is {value!r}; expected hertz, finite and not negative"
        raise ScenarioError(message)
    return number


def _rates(rates: Any) -> Rates | None:
    if rates is None:
        return None
    if not isinstance(rates, Mapping):
        return _check_rate(rates, "of all layers")
    checked = {str(name): _check_rate(rate, f"of layer {name!r}") for name, rate in rates.items()}
    return MappingProxyType(checked)


def _shapes(shapes: Any) -> Mapping[str, Shape]:
    try:
        checked = {str(name): as_shape(shape) for name, shape in shapes.items()}
    except (AttributeError, TypeError):
        message = (
            f"input_shapes is {shapes!r:.80}; expected a shape without the batch axis "
            "for each input by its name, such as {'image': (224, 224, 3)}"
        )
        raise ScenarioError(message) from None
    return MappingProxyType(checked)


def _format(given: Any) -> NumericFormat:
    if isinstance(given, str):
        return parse_format(given)
    if not isinstance(given, NumericFormat):
        message = f"{given!r:.80} is no numeric format; expected one, or its text such as 'int8'"
        raise ScenarioError(message)
    return given


def _optional_format(given: NumericFormat | str | None) -> NumericFormat | None:
    return None if given is None else _format(given)


@frozen(kw_only=True)
class Scenario:
    """The conditions of one inference.

    `timesteps` of `dt` seconds each and firing `rates` in hertz matter to event-driven
    devices; `time_axis` is the axis of the network's inputs, 0 after the batch, that holds the
    timesteps, where the network has one of its own: its work then is that of all timesteps.
    `input_shapes` (without the batch axis) bind the open axes of a network. What the
    network does not declare is in `default_format`, its inputs in `source_format` if given;
    both take a format or its text, such as `int8`, `fixed<8,3>` or `float16`.

    Raises:
        ScenarioError: a value that no experiment can have.

    """

    batch: int = field(default=1, validator=_whole)
    timesteps: int = field(default=1, validator=_whole)
    time_axis: int | None = field(default=None, validator=_axis)
    dt: float = field(default=0.001, validator=_positive)
    rates: Rates | None = field(default=None, converter=_rates)
    default_format: NumericFormat = field(default=FLOAT32, converter=_format)
    source_format: NumericFormat | None = field(default=None, converter=_optional_format)
    input_shapes: Mapping[str, Shape] = field(factory=dict, converter=_shapes)

    def at(self, layer: str) -> Scenario:
        """The same conditions with the rate of one layer, where rates are given by layer.

        A part of a composed layer, such as `block/dense`, has the rate of the whole unless it is
        given one of its own.
        """
        if not isinstance(self.rates, MappingProxyType):
            return self
        given = (self.rates[whole] for whole in _wholes(layer) if whole in self.rates)
        return evolve(self, rates=next(given, None))

    @property
    def rate(self) -> float:
        """The one firing rate in hertz.

        Raises:
            ScenarioError: no rate was given.

        """
        if isinstance(self.rates, Mapping):
            message = "rates are given by layer; use Scenario.at(layer) to choose one"
            raise ScenarioError(message)
        if self.rates is None:
            message = f"an event-driven device needs the firing rate: {HOW_TO_GIVE_RATES}"
            raise ScenarioError(message)
        return self.rates

    def check_rates(self, layers: Iterable[str]) -> None:
        """Check that every rate given by name belongs to one of `layers`, or to several parts.

        Raises:
            ScenarioError: a rate for a layer that is not there.

        """
        if not isinstance(self.rates, MappingProxyType):
            return
        known = {whole for layer in layers for whole in _wholes(layer)}
        for name in self.rates.keys() - known:
            near = nearest(name, known)
            message = f"a firing rate is given for {name!r}, which is no layer"
            raise ScenarioError(message + (f"; nearest known: {near!r}" if near else ""))


def _wholes(layer: str) -> Iterator[str]:
    """The layer, and the composed layers that it is a part of."""
    while layer:
        yield layer
        layer = layer.rpartition("/")[0]
