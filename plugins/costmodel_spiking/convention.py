"""The `keras-spiking` convention: the counts of KerasSpiking's ModelEnergy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from attrs import field, frozen
from attrs.validators import ge, instance_of

from costmodel.conventions.convention import Convention
from costmodel.network.layer import UnknownLayer
from costmodel.tensor.shapes import Tensor, show_shape
from costmodel.workload.builders import activation
from costmodel.workload.operators import Counted, Operator, unmapped
from costmodel.workload.reasons import Free, Unpriced
from costmodel_spiking.errors import UndefinedAxisError

if TYPE_CHECKING:
    from costmodel.network.graph import Network
    from costmodel.network.layer import Layer, Work
    from costmodel.tensor.shapes import Shape


@frozen
class Stats:
    """What KerasSpiking counts for one call of a layer, in one timestep."""

    connections: int = field(default=0, validator=[instance_of(int), ge(0)])
    neurons: int = field(default=0, validator=[instance_of(int), ge(0)])
    spiking: bool = field(default=True, validator=instance_of(bool))

    def operators(self, inputs: Sequence[Tensor] = ()) -> tuple[Operator, ...]:
        """The connections as multiply-accumulates from `inputs`, the neurons as activations."""
        work: list[Operator] = []
        if self.connections:
            taken = unmapped("input", inputs)
            count = self.connections
            work.append(Counted(operation="multiply-accumulate", count=count, operands=taken))
        if self.neurons:
            work.append(activation("neuron", Tensor((self.neurons,))))
        return tuple(work)


Size: TypeAlias = Callable[["Shape"], int]
"""From a shape without the batch axis to the number of elements that count."""

Rule: TypeAlias = Callable[[Any, Size], Stats | Unpriced]
"""How the layers of one kind are counted; an attribute that it asks for is a setting."""


@frozen
class KerasSpiking(Convention):
    """Counts as KerasSpiking's ModelEnergy does, over- and undercounting where it does.

    The first axis after the batch is time where it is open: counts are for one timestep.
    Nothing is folded.
    """

    counts_one_timestep: ClassVar[bool] = True

    name: str = "keras-spiking"
    title: str = "the counts of KerasSpiking's ModelEnergy, its faults included"

    def counts(self, layer: Layer, *, is_step: bool = False) -> Stats | Unpriced:
        """Connections and neurons of one call, or why KerasSpiking has no count for its kind.

        A layer that `is_step`, in a `TimeDistributed`, has no axis for time.

        Raises:
            UndefinedAxisError: an axis is open that is not the first one after the batch.

        """
        rule = RULES.get(layer.kind)
        if rule is not None and isinstance(layer, UnknownLayer):
            return Unpriced(layer.reason)
        if rule is None:
            return Unpriced(
                f"KerasSpiking has no rule for kind {layer.kind!r}: "
                "it counts no connection and no neuron and warns"
            )
        try:
            found = rule(layer, _size if is_step else _size_of_timestep)
        except UndefinedAxisError as error:
            message = f"layer {layer.name!r} of kind {layer.kind!r}: {error}"
            raise UndefinedAxisError(message) from None
        # A layer in another one counts the rows of an example; its holder does not count it again.
        is_whole = isinstance(found, Stats) and layer.kind != _HOLDER
        return _of_all_rows(found, layer.rows) if is_whole else found

    def work(self, layer: Layer) -> Work:
        """The connections as counted products and the neurons as one activation."""
        stats = self.counts(layer)
        if isinstance(stats, Unpriced):
            return stats
        # A wrapped layer takes one timestep of what its wrapper takes.
        taker = getattr(layer, "inner", layer)
        inputs = [Tensor(one_timestep(tensor.shape)) for tensor in taker.inputs]
        free = Free(f"KerasSpiking counts no connection and no neuron in this {layer.kind!r}")
        return stats.operators(inputs) or free

    def folds(self, network: Network, works: Mapping[str, Work]) -> Mapping[str, str]:
        """Nothing: every layer counts as it is."""
        return {}

    def shape_of(self, shape: Shape) -> Shape:
        """One timestep."""
        return one_timestep(shape)


def _of_all_rows(stats: Stats | Unpriced, rows: int | None) -> Stats | Unpriced:
    """The counts for all rows that an example has on the batch axis."""
    if isinstance(stats, Unpriced) or rows == 1:
        return stats
    if rows is None:
        message = "how many rows of the batch axis an example has is not known: an axis is open"
        raise UndefinedAxisError(message)
    return Stats(stats.connections * rows, stats.neurons * rows, stats.spiking)


def one_timestep(shape: Shape) -> Shape:
    """The shape without its first axis where that is open: it is time."""
    return shape[1:] if shape and shape[0] is None else shape


def _size_of_timestep(shape: Shape) -> int:
    return _size(one_timestep(shape))


def _size(shape: Shape) -> int:
    if None in shape:
        message = (
            f"an axis other than time (the first) is undefined in {show_shape(shape)} "
            f"(output shape {shape} contains undefined elements); "
            "build the model with its length, or bind it with Scenario(input_shapes={...})"
        )
        raise UndefinedAxisError(message)
    return math.prod(shape)  # type: ignore[arg-type]  # bound by now


def _activated(connections: int, neurons: int, function: str) -> Stats:
    if function == "linear":
        return Stats(connections)
    return Stats(connections, neurons, spiking=False)


def _dense(layer: Any, size: Size) -> Stats:
    neurons = size(layer.outputs[0].shape)
    connections = neurons // layer.units * layer.parameters["kernel"].size
    return _activated(connections, neurons, layer.activation)


def _convolution(layer: Any, size: Size) -> Stats:
    # A transposed kernel ends in the input channels, so this multiplies by the filters twice.
    neurons = size(layer.outputs[0].shape)
    window = math.prod(layer.parameters["kernel"].shape[:-1])
    return _activated(neurons * window, neurons, layer.activation)


def _activation(layer: Any, size: Size) -> Stats:
    return _activated(0, size(layer.outputs[0].shape), layer.function)


def _spiking_activation(layer: Any, _: Size) -> Stats:
    # Its first axis is time, whether open or not.
    return Stats(neurons=_size(layer.step_shape))


def _time_distributed(layer: Any, _: Size) -> Stats | Unpriced:
    return CONVENTION.counts(layer.inner, is_step=True)


def _nothing(_: Any, __: Size) -> Stats:
    return Stats()


_HOLDER: Final = "keras.TimeDistributed"
_RANKS: Final = (1, 2, 3)

RULES: Final[Mapping[str, Rule]] = MappingProxyType({
    "keras.Dense": _dense,
    **{f"keras.Conv{rank}D": _convolution for rank in _RANKS},
    **{f"keras.Conv{rank}DTranspose": _convolution for rank in _RANKS},
    **dict.fromkeys(("keras.Activation", "keras.LeakyReLU", "keras.ReLU"), _activation),
    "keras_spiking.SpikingActivation": _spiking_activation,
    _HOLDER: _time_distributed,
    **dict.fromkeys(
        ("input", "keras.Add", "keras.Dropout", "keras.Flatten", "keras.InputLayer",
         "keras.Reshape"),
        _nothing,
    ),
    **{f"keras.GlobalAveragePooling{rank}D": _nothing for rank in _RANKS},
    # In Keras these derive from Dropout, so KerasSpiking takes them for it.
    **{f"keras.SpatialDropout{rank}D": _nothing for rank in _RANKS},
})  # fmt: skip
"""The rule of every kind that KerasSpiking knows."""

CONVENTION: Final = KerasSpiking()
"""The convention, which has no state."""
