"""What QTools looks at: the facts of a layer, the tensors that reach it, the options."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from costmodel_qkeras.qtools.datatypes import DEFAULT, Datatype, default_datatype
from costmodel_qkeras.quantizers import Quantizer, QuantizerError

Shape: TypeAlias = tuple[int, ...]
"""Axis lengths without the batch."""


@frozen(cache_hash=True)
class LayerFacts:
    """What QTools looks at in one layer, without its name.

    `kind` is the bare name of its class. `quantizers` is None for a Keras layer, else what the
    layer's `get_quantizers` lists; `distinct_values` follow its weights where they are known.
    `kernel_shape` is the shape of its first weight; `unknown` says why nothing else is known.
    """

    kind: str
    input_shapes: tuple[Shape, ...] = ()
    output_shape: Shape = ()
    kernel_shape: Shape = ()
    quantizers: tuple[Quantizer | None, ...] | None = None
    activation: Quantizer | None = None
    use_bias: bool = True
    scale: bool = True
    center: bool = True
    pool_size: Shape = ()
    distinct_values: tuple[int, ...] = ()
    unknown: str = ""

    def quantizer(self, index: int) -> Quantizer | None:
        """One of the quantizers that the layer lists; QKeras 0.9 lists fewer than qkeras-v3."""
        listed = self.quantizers or ()
        return listed[index] if index < len(listed) else None


@frozen
class Node:
    """A layer of a network: its name, its facts, and the names of the layers it reads from."""

    name: str
    facts: LayerFacts
    sources: tuple[str, ...] = ()


@frozen
class Edge:
    """A tensor that reaches a layer, as QTools' graph knows it."""

    kind: Datatype
    shape: Shape


@frozen(cache_hash=True)
class Settings:
    """The options of QTools that change datatypes."""

    is_inference: bool = False
    for_reference: bool = False
    keras_quantizer: str | None = None
    keras_accumulator: str | None = None

    def __attrs_post_init__(self) -> None:
        """Check that the formats can be read."""
        for option in ("keras_quantizer", "keras_accumulator"):
            name = getattr(self, option)
            try:
                default_datatype(name or "int8")
            except QuantizerError as error:
                message = f"{option} is {name!r:.80}; {error}"
                raise QuantizerError(message) from None

    @property
    def parameter(self) -> Datatype:
        """Datatype of the parameters of a layer that declares none."""
        return default_datatype(self.keras_quantizer) if self.keras_quantizer else DEFAULT

    @property
    def result(self) -> Datatype:
        """Datatype of what such a layer computes."""
        return default_datatype(self.keras_accumulator) if self.keras_accumulator else DEFAULT

    def overrides(self, layer: LayerFacts) -> bool:
        """Whether a layer's own quantizers do not count."""
        return self.for_reference or layer.quantizers is None
