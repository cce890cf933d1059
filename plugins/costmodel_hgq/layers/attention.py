"""Attention with quantized projections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from attrs import evolve, frozen

from costmodel.formats import NumericFormat
from costmodel.network.layer import setting
from costmodel.tensor.shapes import Shape, Tensor
from costmodel.workload.assembly import Assembly
from costmodel_hgq.layers.quantized import RESULT, Quantized, quantizer_at, told
from costmodel_hgq.quantizers import Quantizer
from costmodel_keras.layers import settings
from costmodel_keras.layers.attention import MultiHeadAttention, Projection

_PROJECTIONS = ("query", "key", "value", "output")
_FUSED: Final[Mapping[str, Mapping[str, str]]] = {
    "none": {}, "kv": {"value": "key"}, "qkv": {"query": "key", "value": "key"},
}  # fmt: skip
"""The projection under which Keras saves a quantizer of the input that others share."""


@frozen(slots=False)
class QMultiHeadAttention(Quantized, MultiHeadAttention):
    """Attention in heads whose projections have weights, inputs and results with own widths.

    Keys have no bias. The scores are those of exact products; the quantizers within the softmax
    are not followed.
    """

    kinds: ClassVar = ("hgq.QMultiHeadAttention",)

    fuse: str = setting(settings.one_of(*_FUSED), default="none", source=("_fuse", "fuse"))

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Iterator[tuple[str, Quantizer]]:
        """Those of the projections: kernels, biases, what they take and what they give."""
        shared = _FUSED.get(str(told(settings, "_fuse", settings.get("fuse"))), {})
        has_bias = told(settings, "_use_bias", settings.get("use_bias", True))
        has_input, has_result = (told(settings, f"enable_{name}") for name in ("iq", "oq"))
        for name in _PROJECTIONS:
            wanted = [(f"{name}_kernel", name, "kq")]
            if has_bias and name != "key":
                wanted.append((f"{name}_bias", name, "bq"))
            if has_input or name == "output":
                wanted.append((f"{name}_input", shared.get(name, name), "iq"))
            if name != "output":
                wanted.append((f"{name}_result", name, "oq"))
            elif has_result:
                wanted.append((RESULT, name, "oq"))
            for tensor, holder, quantizer in wanted:
                conf = settings.get(f"qkvo_{quantizer}_conf")
                found = quantizer_at(settings, f"{holder}_dense/{quantizer}", conf)
                if found is not None:
                    yield tensor, found

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Kernels and biases, none of the keys."""
        held = super().parameter_shapes()
        return {name: shape for name, shape in held.items() if name != "key_bias"}

    def declared_inputs(self) -> Sequence[NumericFormat | None]:
        """None: each projection quantizes what it takes by itself."""
        return [None] * len(self.inputs)

    def _projected(
        self, made: Assembly, item: Projection, source: str, function: str = "linear",
        output: Tensor | None = None,
    ) -> str:  # fmt: skip
        taken, given = self.format_of(f"{item.name}_input"), self.format_of(f"{item.name}_result")
        if taken is not None:
            quantized = Tensor(made.tensor(source).shape, taken)
            source = made.view(source, quantized, "convert")
            item = evolve(item, values=Tensor(item.values.shape, taken))
        if given is not None and output is None:
            places = item.values.shape[: len(item.values.shape) - item.summed]
            output = Tensor((*places, *item.bias), given)
        bias = f"{item.name}_bias"
        work = item.contracted(self, output)
        biases = [bias] if bias in self.parameters else []
        return made.add(work, source, f"{item.name}_kernel", *biases)
