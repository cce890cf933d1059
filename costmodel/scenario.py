"""Scenarios: the conditions under which a network runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import evolve, field, fields, frozen

from costmodel.errors import ScenarioError, nearest
from costmodel.formats import FLOAT32, NumericFormat, parse_format
from costmodel.frozen_dict import FrozenDict
from costmodel.tensor.shapes import InputShapes, as_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costmodel.workload.graph import Branch, Loop, Node
    from costmodel.workload.operators import Operand, Operator

Rates: TypeAlias = float | Mapping[str, float]
"""Firing rates in hertz: one for all layers, or one for each by its name."""

RatesOf: TypeAlias = Literal["outputs", "inputs"]
"""What rates are of: the outputs of layers, or their incoming connections."""

RATES_OF: Final = ("outputs", "inputs")

ALL_OTHERS: Final = "*"
"""The name under which a mapping by layer gives something to all that it does not name."""

_MOST = 2**53
"""The largest whole number up to which floating point counts exactly."""

CONDITIONS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "batch": ("batch",),
        "timesteps": ("timesteps",),
        "dt": ("dt",),
        "rates": ("rates", "input_rates"),
        "formats": ("default_format", "source_format", "formats", "weights"),
    }
)
"""What a price may depend on beside its operator, each with the settings of a scenario for it.

Formats are also declared by the tensors of an operator.
"""

HOW_TO_GIVE_RATES: Final = (
    "give one number (Scenario(rates=10.0), --rate 10), the output rate of each layer "
    "(rates={'conv2d': 12.5}, --rate conv2d=12.5), or measure them on example data: "
    "rates=costmodel.measure_rates(model, examples); input_rates and --input-rate give those of "
    "incoming connections instead"
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
    return FrozenDict(checked)


def _shapes(shapes: Any) -> InputShapes:
    if isinstance(shapes, tuple):
        return as_shape(shapes)
    try:
        checked = {str(name): as_shape(shape) for name, shape in shapes.items()}
    except (AttributeError, TypeError):
        message = (
            f"input_shapes is {shapes!r:.80}; expected a shape without the batch axis "
            "for each input by its name, such as {'image': (224, 224, 3)}, or one such as "
            "(224, 224, 3) for a network with one input"
        )
        raise ScenarioError(message) from None
    return FrozenDict(checked)


def _format(given: Any) -> NumericFormat:
    if isinstance(given, str):
        return parse_format(given)
    if not isinstance(given, NumericFormat):
        message = f"{given!r:.80} is not a numeric format; expected one, or its text such as 'int8'"
        raise ScenarioError(message)
    return given


def _formats(given: Any) -> Mapping[str, NumericFormat]:
    if not isinstance(given, Mapping):
        message = (
            f"formats is {given!r:.80}; expected formats by layer, such as {{'dense': 'int4'}}"
        )
        raise ScenarioError(message)
    return FrozenDict({str(name): _format(one) for name, one in given.items()})


def _weights(given: Any) -> Mapping[str, NumericFormat]:
    return _formats(given if isinstance(given, Mapping) else {ALL_OTHERS: given})


def _optional_format(given: NumericFormat | str | None) -> NumericFormat | None:
    return None if given is None else _format(given)


@frozen(kw_only=True)
class Scenario:
    """The conditions of one inference.

    `timesteps` of `dt` seconds each and firing rates in hertz matter to event-driven
    devices; `time_axis` is the axis of the network's inputs, 0 after the batch, that holds the
    timesteps, where the network has one of its own: its work then is that of all timesteps.

    `rates` are those of a layer's own output, the input layers included; they arrive at the
    layers that the output feeds. `input_rates` are those of a layer's incoming connections. Only
    one of the two can be given. Each is one number for all, or a mapping by layer name, in which
    `*` stands for all others.

    `input_shapes` (without the batch axis) bind the open axes of a network, by the names of its
    inputs or, for the only input, as a single shape. What the network does not declare is in
    `default_format`, its inputs in `source_format` if given; both take a format or its text, such
    as `int8`, `fixed<8,3>` or `float16`. `formats` gives the parameters and the result of a layer
    another format than the network declares, by the name of the layer or of a block around it
    (`block_1` of `block_1_add`).

    `weights` gives the parameters of all layers that multiply one format, or those of layers and
    blocks by name, with `*` for all others. What such a layer gives stays in the format that the
    network declares, or in the default one.

    Raises:
        ScenarioError: a value that no experiment can have.

    """

    batch: int = field(default=1, validator=_whole)
    timesteps: int = field(default=1, validator=_whole)
    time_axis: int | None = field(default=None, validator=_axis)
    dt: float = field(default=0.001, validator=_positive)
    rates: Rates | None = field(default=None, converter=_rates)
    input_rates: Rates | None = field(default=None, converter=_rates)
    default_format: NumericFormat = field(default=FLOAT32, converter=_format)
    source_format: NumericFormat | None = field(default=None, converter=_optional_format)
    formats: Mapping[str, NumericFormat] = field(factory=dict, converter=_formats)
    weights: Mapping[str, NumericFormat] = field(factory=dict, converter=_weights)
    input_shapes: InputShapes = field(factory=dict, converter=_shapes)

    def __attrs_post_init__(self) -> None:
        """Refuse rates of both kinds."""
        if self.rates is not None and self.input_rates is not None:
            message = (
                "rates and input_rates are both given; expected rates (of a layer's own output) "
                "or input_rates (of its incoming connections)"
            )
            raise ScenarioError(message)

    def at(self, layer: str) -> Scenario:
        """The same conditions with the input rate of one layer, where those are given by layer.

        A part of a composed layer, such as `block/dense`, has the rate of the whole unless it is
        given one of its own.
        """
        if not isinstance(self.input_rates, Mapping):
            return self
        found = _given(self.input_rates, layer)
        return evolve(self, input_rates=_others(self.input_rates) if found is None else found)

    def output_rate(self, layer: str) -> float | None:
        """The rate of the output of a layer, given for it, or for a whole that it is a part of."""
        return _given(self.rates, layer) if isinstance(self.rates, Mapping) else self.rates

    @property
    def other_output_rate(self) -> float | None:
        """The rate of the outputs of layers that are not named."""
        return _others(self.rates) if isinstance(self.rates, Mapping) else self.rates

    @property
    def rates_of(self) -> RatesOf:
        """What the rates of this scenario are of."""
        return "outputs" if self.input_rates is None else "inputs"

    @property
    def given(self) -> Mapping[str, Any]:
        """The settings that differ from their defaults, by name."""
        plain = Scenario()
        values = {item.name: getattr(self, item.name) for item in fields(Scenario)}
        return {name: value for name, value in values.items() if value != getattr(plain, name)}

    @property
    def rate(self) -> float:
        """The one rate of incoming connections, in hertz.

        One output rate for all layers is also that of all incoming connections.

        Raises:
            ScenarioError: no rate was given, or rates by layer.

        """
        given = self.rates if self.input_rates is None else self.input_rates
        if isinstance(given, Mapping):
            message = (
                "rates are given by layer: Device.evaluate(workload, scenario) takes them along "
                "the edges of a workload, and Scenario.at(layer) chooses one of the input_rates"
            )
            raise ScenarioError(message)
        if given is None:
            message = f"an event-driven device needs the firing rate: {HOW_TO_GIVE_RATES}"
            raise ScenarioError(message)
        return given

    def spike_rate(self, inputs: Sequence[Operand]) -> float:  # the same for all
        """The mean rate over all elements of the inputs of an operator, in hertz."""
        return self.rate

    def of_node(self, node: Node) -> Scenario:  # the same for all
        """The conditions of one node of a workload."""
        return self

    def of_part(self, part: Operator) -> Scenario:  # the same for all
        """The conditions of a part of the operator that these are for."""
        return self

    def within(self, step: Loop | Branch) -> tuple[Scenario, ...]:  # the same for all
        """The conditions of the body of a loop, or of each alternative of a branch."""
        return (self,) * (len(step.alternatives) if hasattr(step, "alternatives") else 1)

    def check_rates(self, layers: Iterable[str]) -> None:
        """Check that every rate given by name belongs to one of `layers`, or to several parts.

        Raises:
            ScenarioError: a rate for a layer that is not there.

        """
        given = self.rates if self.input_rates is None else self.input_rates
        if not isinstance(given, Mapping):
            return
        known = {whole for layer in layers for whole in wholes(layer)}
        for name in (name for name in given if name not in known | {ALL_OTHERS}):
            near = nearest(name, known)
            message = f"a firing rate is given for {name!r}, which is not a layer"
            raise ScenarioError(message + (f"; nearest known: {near!r}" if near else ""))


def _given(rates: Mapping[str, float], layer: str) -> float | None:
    return next((rates[whole] for whole in wholes(layer) if whole in rates), None)


def _others(rates: Mapping[str, float]) -> float | None:
    return rates.get(ALL_OTHERS)


def wholes(layer: str) -> Iterator[str]:
    """The layer, and the composed layers that it is a part of."""
    while layer:
        yield layer
        layer = layer.rpartition("/")[0]
