"""Batch normalisation: gamma / deviation * x + beta."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from attrs import evolve, frozen

from costmodel_qkeras.qtools.contractions import known_values, operation_parts
from costmodel_qkeras.qtools.datatypes import Datatype, Mode, datatype
from costmodel_qkeras.qtools.facts import Edge, LayerFacts, Settings
from costmodel_qkeras.qtools.operations import Operation
from costmodel_qkeras.qtools.products import multiply
from costmodel_qkeras.qtools.quotients import divide
from costmodel_qkeras.qtools.records import Inferred, Part, Stored, Work
from costmodel_qkeras.qtools.sums import add


@frozen
class Scales:
    """The datatypes of the parameters of a batch normalisation."""

    gamma: Datatype
    beta: Datatype
    mean: Datatype
    variance: Datatype
    inverse: Datatype

    @classmethod
    def of(cls, layer: LayerFacts, value: Datatype, settings: Settings) -> Scales:
        """What a layer declares; beta and mean default to the datatype of the input."""
        if settings.overrides(layer):
            scales = cls(*[settings.parameter] * 5)
        else:
            gamma, beta, mean, variance, inverse = map(layer.quantizer, range(5))
            scales = cls(
                datatype(gamma),
                value if beta is None else datatype(beta),
                value if mean is None else datatype(mean),
                datatype(variance),
                datatype(inverse),
            )
        return scales._constant(layer) if settings.is_inference else scales

    def _constant(self, layer: LayerFacts) -> Scales:
        """With the distinct values of gamma and variance."""
        last = 1 + int(layer.scale) + int(layer.center)
        gamma = known_values(self.gamma, layer, 0) if layer.scale else self.gamma
        return evolve(self, gamma=gamma, variance=known_values(self.variance, layer, last))

    @property
    def stored(self) -> Mapping[str, Datatype]:
        """The four that QTools reads from memory, whether the layer has them or not."""
        return {
            "gamma_quantizer": self.gamma,
            "beta_quantizer": self.beta,
            "mean_quantizer": self.mean,
            "variance_quantizer": self.variance,
        }

    @property
    def deviation(self) -> Datatype:
        """The square root of the variance: a power of two halves its exponent."""
        variance = self.variance
        if variance.mode is not Mode.PO2:
            return variance
        cap = variance.max_value
        # QTools' backend rounds halves to even, as Python does.
        root = float(round(math.sqrt(cap))) if cap >= 0 else cap
        bits = variance.bits - 1
        return evolve(variance, bits=bits, int_bits=bits, max_value=root)

    @property
    def factor(self) -> Operation:
        """The division gamma / deviation, with its distinct values where both are known."""
        deviation = self.deviation
        quotient = divide(self.gamma, deviation)
        operands = (self.gamma, deviation)
        if any(kind.mode is not Mode.PO2 or kind.distinct_values <= 0 for kind in operands):
            return quotient
        count = math.prod(kind.distinct_values for kind in operands)
        return quotient.yielding(evolve(quotient.output, distinct_values=count))


def normalization(layer: LayerFacts, edges: Sequence[Edge], settings: Settings) -> Inferred:
    """A batch normalisation; QTools does not price the addition at its end."""
    scales = Scales.of(layer, edges[0].kind, settings)
    priced = _scaling(layer, scales, edges[0].kind)
    last = list(priced.values())[-1]
    shift = {"internal_accumulator": add(last.output, scales.beta)} if layer.center else {}
    steps = priced | shift
    if settings.overrides(layer):
        steps = {name: step.yielding(settings.result) for name, step in steps.items()}
    channels = layer.kernel_shape[0]
    return Inferred(
        list(steps.values())[-1].output,
        (
            *((name, Part(kind)) for name, kind in scales.stored.items()),
            *operation_parts(**steps),
        ),
        tuple(Stored(channels, kind.bits) for kind in scales.stored.values()),
        tuple(Work.of(steps[name]) for name in priced),
        1,
    )


def _scaling(layer: LayerFacts, scales: Scales, value: Datatype) -> dict[str, Operation]:
    if not layer.scale:
        return {"internal_divide_quantizer": divide(value, scales.deviation)}
    factor = scales.factor
    return {
        "internal_divide_quantizer": factor,
        "internal_multiplier": multiply(factor.output, value),
    }
