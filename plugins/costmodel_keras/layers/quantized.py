"""Layers whose weights Keras itself quantises: integers or 8-bit floats, with scales beside them.

Weights are counted element by element in their format; Keras packs two of 4 bits into a byte. The
work follows Keras 3.15 (`keras/src/layers/core`):

- One scale for each output (int8, int4): inputs that are quantised too are scaled by their largest
  magnitude along the summed axes, rounding included; the product is multiplied by the scales.
- Blocks (int4): weights are scaled and shifted before the product. They are the same for every
  example, so this is free.
- float8: the inputs are scaled by a constant, the product by that of both operands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, ClassVar, Final

from attrs import frozen

from costmodel.formats import FLOAT32, NumericFormat, parse_format
from costmodel.network.layer import Layer, Work, setting
from costmodel.tensor.shapes import Shape, Tensor
from costmodel.workload.builders import elementwise, embedding, matmul, reduce
from costmodel_keras.layers.activations import Activating
from costmodel_keras.layers.basic import Dense, Embedding
from costmodel_keras.layers.einsum import EinsumDense
from costmodel_keras.policies import Quantization

if TYPE_CHECKING:
    from costmodel.workload.assembly import Assembly
    from costmodel.workload.graph import Workload
    from costmodel.workload.operators import Operator

QUANTIZATION: Final = "quantization"
"""The name of the setting that the reader adds from the data type policy."""

STORED: Final[Mapping[str, NumericFormat]] = {
    "int8": parse_format("int8"), "int4": parse_format("int4"),
    "float8": parse_format("float8_e4m3"),
}  # fmt: skip
"""The format of weights by mode."""

_INT8: Final = parse_format("int8")
_FLOAT8: Final = "float8"
_STATES: Final = ("inputs", "kernel", "outputs_grad")
"""The tensors of a float8 layer that have a scale, and a history of it for training."""


class Quantized(Activating, Layer):
    """A layer with quantised weights and scales."""

    stored: ClassVar[str]
    """The name of the weights."""

    quantization: Quantization

    def scaled_shape(self, block: int | None) -> Shape:
        """The shape of the scales of the weights."""
        raise NotImplementedError

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Those of the layer, and what belongs to its quantised weights."""
        plain = super().parameter_shapes()
        how = self.quantization
        if how.mode == _FLOAT8:
            kept = {"scale": (), "amax_history": (how.history,)}
            return {**plain, **{f"{t}_{k}": shape for t in _STATES for k, shape in kept.items()}}
        scales = {f"{self.stored}_scale": self.scaled_shape(how.block)}
        if how.block is None:
            return {**plain, **scales}
        zeros = {f"{self.stored}_zero": self.scaled_shape(how.block), "g_idx": (self._summed(),)}
        return {**plain, **scales, **zeros}

    def _summed(self) -> int:
        """The weights that are summed for one element of the result."""
        raise NotImplementedError

    def declared_formats(self) -> Mapping[str, NumericFormat]:
        """What the policy declares, and the format of the quantised weights."""
        own = {self.stored: STORED[self.quantization.mode]}
        if self.quantization.block is not None:
            own[f"{self.stored}_zero"] = _INT8
        return {**super().declared_formats(), **own}

    def operators(self) -> Work:
        """The operators of the workload."""
        return self.workload().operators

    def workload(self) -> Workload:
        """What it computes."""
        raise NotImplementedError


class QuantizedSum(Quantized):
    """A weighted sum with quantised weights."""

    stored: ClassVar[str] = "kernel"
    activation: str

    def summed_axes(self) -> Sequence[int]:
        """The axes of the input that are summed."""
        raise NotImplementedError

    def product(self, tensor: Tensor, result: Tensor) -> Operator:
        """The weighted sum alone."""
        raise NotImplementedError

    def peak_shape(self) -> Shape:
        """The shape of one scale for each sum of inputs, broadcast to the result."""
        raise NotImplementedError

    def _summed(self) -> int:
        lengths = [self.inputs[0].shape[axis] for axis in self.summed_axes()]
        return prod(length or 1 for length in lengths)

    def workload(self) -> Workload:
        """Quantise the inputs, sum, scale, add the bias and activate."""
        made, how = self.assembly(), self.quantization
        given, result = self.inputs[0], Tensor(self.outputs[0].shape)
        source, peak = "input", None
        if how.mode == _FLOAT8:
            source = self._scaled(made, source, given, STORED[_FLOAT8], "inputs_scale")
        elif how.takes_quantized:
            peak = made.add(reduce("max", given, self.summed_axes(), keep_axes=True), source)
            held = Tensor(given.shape, _INT8)
            work = elementwise("multiply", given, made.tensor(peak), output=held)
            source = made.add(work, source, peak)
        product = self.product(made.tensor(source), self._sum_of(result))
        last = made.add(product, source, self.stored)
        for name in self._scales():
            last = self._scaled(made, last, result, None, name)
        if peak is not None:
            scale = Tensor(self.peak_shape())
            work = elementwise("multiply", result, scale, in_place=True, output=result)
            last = made.add(work, last, peak)
        if "bias" in self.parameters:
            last = self._scaled(made, last, result, None, "bias", "add")
        if self.activation != "linear":
            last = made.add(self.activation_of(self.activation, result, in_place=True), last)
        return self.assembled(made, last)

    def _sum_of(self, result: Tensor) -> Tensor:
        """What the products are summed in: integers exactly, 8-bit floats in a wider format."""
        if self.quantization.mode != _FLOAT8:
            return result
        return Tensor(result.shape, self.declared.result or FLOAT32)

    def _scales(self) -> Sequence[str]:
        if self.quantization.mode == _FLOAT8:
            return "inputs_scale", "kernel_scale"
        return () if self.quantization.block else ("kernel_scale",)

    def _scaled(
        self, made: Assembly, source: str, tensor: Tensor, form: NumericFormat | None,
        name: str, function: str = "multiply",
    ) -> str:  # fmt: skip
        """A tensor times, or plus, a parameter."""
        work = elementwise(
            function, tensor, weights=[self.parameters[name]], in_place=form is None,
            output=Tensor(tensor.shape, form),
        )  # fmt: skip
        return made.add(work, source, name)


@frozen(slots=False)
class QuantizedDense(QuantizedSum, Dense):
    """A dense layer with quantised weights."""

    kinds: ClassVar = ("keras.QuantizedDense",)

    quantization: Quantization = setting(holds=(Quantization,))

    def scaled_shape(self, block: int | None) -> Shape:
        """One for each output, or for each block of its inputs."""
        return _grouped((self.units,), self._summed(), block)

    def summed_axes(self) -> Sequence[int]:
        """The last."""
        return (len(self.input_shape) - 1,)

    def product(self, tensor: Tensor, result: Tensor) -> Operator:
        """The matrix product."""
        return matmul(tensor, self.parameters["kernel"], output=result)

    def peak_shape(self) -> Shape:
        """The result with one element along its last axis."""
        return (*self.outputs[0].shape[:-1], 1)


@frozen(slots=False)
class QuantizedEinsumDense(QuantizedSum, EinsumDense):
    """A sum along the axes that an equation names, with quantised weights."""

    kinds: ClassVar = ("keras.QuantizedEinsumDense",)

    quantization: Quantization = setting(holds=(Quantization,))

    def scaled_shape(self, block: int | None) -> Shape:
        """One for each output of the kernel, or for each block of its inputs."""
        lengths, kernel = self.lengths, self.equation.kernel
        kept = [lengths[axis] if axis in kernel else 1 for axis in self.output_axes]
        first = next((place for place, one in enumerate(self.output_axes) if one in kernel), 0)
        if block is None:
            return tuple(kept[first:])
        return _grouped((prod(length or 1 for length in kept),), self._summed(), block)

    def summed_axes(self) -> Sequence[int]:
        """Those that the input and the kernel have, and the output does not."""
        summed = set(self.equation.kernel) - set(self.output_axes)
        return [place for place, axis in enumerate(self.input_axes) if axis in summed]

    def product(self, tensor: Tensor, result: Tensor) -> Operator:
        """The contraction."""
        return self.contraction(tensor, result)

    def peak_shape(self) -> Shape:
        """The axes of the result that the input has, and 1 for the others."""
        lengths, given = self.lengths, set(self.input_axes)
        return tuple(lengths[axis] if axis in given else 1 for axis in self.output_axes)


@frozen(slots=False)
class QuantizedEmbedding(Quantized, Embedding):
    """A row of a quantised table for every index, scaled."""

    kinds: ClassVar = ("keras.QuantizedEmbedding",)
    stored: ClassVar[str] = "embeddings"

    quantization: Quantization = setting(holds=(Quantization,))

    def scaled_shape(self, block: int | None) -> Shape:
        """One for each row, or for each block of it."""
        groups = () if block is None else (-(-self.output_dim // block),)
        return (self.input_dim, *groups)

    def _summed(self) -> int:
        return self.output_dim

    def workload(self) -> Workload:
        """Look up the rows and their scales, and multiply; blocks have a shift too."""
        made, block = self.assembly(), self.quantization.block
        indices, result = self.inputs[0], Tensor(self.outputs[0].shape)
        table = self.parameters[self.stored]
        rows = made.add(
            embedding(indices, table, output=Tensor(result.shape, table.format)),
            "input", self.stored,
        )  # fmt: skip
        last = rows
        for name, function in (("zero", "subtract"), ("scale", "multiply")):
            parameter = f"{self.stored}_{name}"
            if parameter not in self.parameters:
                continue
            found = made.add(embedding(indices, self.parameters[parameter]), "input", parameter)
            wide = result.shape if block else (*indices.shape, 1)
            seen = made.view(found, Tensor(wide), "other") if block else found
            work = elementwise(function, result, Tensor(wide), in_place=True, output=result)
            last = made.add(work, last, seen)
        return self.assembled(made, last)


def _grouped(kept: Shape, summed: int, block: int | None) -> Shape:
    return kept if block is None else (-(-summed // block), *kept)


LAYERS: tuple[type[Layer], ...] = (QuantizedDense, QuantizedEinsumDense, QuantizedEmbedding)
