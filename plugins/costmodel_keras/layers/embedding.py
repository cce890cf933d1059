"""Embeddings that also lead back from vectors to indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attrs import frozen

from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, Tensor, show_shape
from costmodel.workload.builders import activation, elementwise, matmul
from costmodel_keras.arguments import CALL, VALUES, Arguments, called
from costmodel_keras.layers import settings
from costmodel_keras.layers.basic import Embedding, present


@frozen(slots=False)
class ReversibleEmbedding(Embedding):
    """A row of a table for every index; in reverse, the product of every vector with each row."""

    kinds: ClassVar = ("keras.ReversibleEmbedding",)

    tie_weights: bool = setting(settings.flag, default=True)
    logit_soft_cap: float | None = setting(settings.optional(settings.number), default=None)
    arguments: Arguments = setting(called, source=CALL, holds=VALUES)

    @property
    def is_reversed(self) -> bool:
        """Whether this call leads from vectors to indices."""
        return bool(self.arguments.bound("inputs", "reverse").get("reverse"))

    def output_shapes(self) -> Sequence[Shape]:
        """One more axis, of `output_dim`; in reverse the last becomes `input_dim` long."""
        if self.is_reversed:
            if self.input_shape[-1:] not in {(self.output_dim,), (None,)}:
                shown = show_shape(self.input_shape)
                message = f"expected vectors of {self.output_dim} elements, found {shown}"
                raise ValueError(message)
            return ((*self.input_shape[:-1], self.input_dim),)
        return super().output_shapes()

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The table (input_dim, output_dim), and one for the reverse unless that is the same."""
        back = (self.output_dim, self.input_dim)
        extra = present([("reverse_embeddings", back, not self.tie_weights)])
        return {**super().parameter_shapes(), **extra}

    def operators(self) -> Work:
        """One lookup; in reverse one contraction, and what keeps its result under the cap."""
        if not self.is_reversed:
            return super().operators()
        result, cap = self.outputs[0], Tensor(())
        table = self.parameters["embeddings" if self.tie_weights else "reverse_embeddings"]
        work = matmul(self.inputs[0], table, transpose_right=self.tie_weights, output=result)
        if self.logit_soft_cap is None:
            return (work,)
        return (
            work,
            elementwise("divide", result, cap, in_place=True),
            activation("tanh", result, in_place=True),
            elementwise("multiply", result, cap, in_place=True),
        )


LAYERS: tuple[type[Layer], ...] = (ReversibleEmbedding,)
