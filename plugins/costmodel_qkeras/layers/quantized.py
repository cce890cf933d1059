"""What all layers of QKeras share: quantizers as settings, and what they say of tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar

from attrs import frozen

from costmodel.formats import NumericFormat
from costmodel.network.layer import DeclaredFormats, setting
from costmodel_keras.layers import settings
from costmodel_keras.layers.activations import FUNCTIONS, Activating
from costmodel_qkeras.formats import numeric_format
from costmodel_qkeras.quantizers import NAMES, Quantizer, QuantizerError
from costmodel_qkeras.reading import looks_quantised, read, read_activation


class Quantized(Activating):
    """A layer of QKeras. A subclass names its quantizers in the order of `get_quantizers`."""

    __slots__ = ()

    functions: ClassVar[AbstractSet[str]] = FUNCTIONS | NAMES | {
        "binary_sigmoid", "binary_tanh", "smooth_sigmoid", "smooth_tanh",
    }  # fmt: skip
    """The functions that it knows by name: quantizers apply theirs, and QKeras has some more."""

    declared: DeclaredFormats
    """As of every layer."""

    quantizer_names: ClassVar[Mapping[str, str]] = {}
    """The quantizer setting of each tensor, by the name of the parameter or of the state."""

    @property
    def quantizers(self) -> tuple[Quantizer | None, ...]:
        """The quantizers as the layer's `get_quantizers` lists them."""
        return tuple(self.declared_quantizers().values())

    def declared_quantizers(self) -> Mapping[str, Quantizer | None]:
        """The quantizer of every parameter by its name; None where none is declared."""
        names = self.quantizer_names.items()
        return {tensor: getattr(self, name) for tensor, name in names}

    def declared_formats(self) -> Mapping[str, NumericFormat]:
        """The formats of the parameters by name: of quantizers, unless others replace them."""
        declared = self.declared_quantizers().items()
        own = {name: numeric_format(found) for name, found in declared if found is not None}
        return {**own, **dict(self.declared.parameters)} if self.declared.replaces else own

    def declared_result(self) -> NumericFormat | None:
        """The format that the layer rounds its result to, or None where it declares none."""
        if self.declared.replaces and self.declared.result is not None:
            return self.declared.result
        found: Quantizer | None = getattr(self, "output_quantizer", None)
        return None if found is None else numeric_format(found)


def quantizer(name: str) -> Any:
    """Declare the setting of the quantizer that QKeras calls `name`.

    A live layer has the quantizer itself under another name than what it was made with.
    """
    return setting(_quantizer, default=None, source=(f"{name}_internal", name), holds=(Quantizer,))


def activation_name(source: str = "activation") -> Any:
    """Declare the setting of the activation's name, without the arguments of a quantizer."""
    return setting(name_of_activation, default="linear", source=source)


def activation_quantizer(source: str = "activation") -> Any:
    """Declare the setting of the quantizer of what a layer puts out."""
    return setting(_activation_quantizer, default=None, source=source, holds=(Quantizer,))


def _quantizer(value: Any) -> Quantizer | None:
    return checked(read, value)


def _activation_quantizer(value: Any) -> Quantizer | None:
    return checked(read_activation, value)


def checked(make: Callable[[Any], Quantizer | None], value: Any) -> Quantizer | None:
    """The quantizer that `make` makes of a setting.

    Raises:
        ValueError: it makes none; no CostModelError, for the layer says whose setting it is.

    """
    try:
        found = make(value)
        if found is not None:
            numeric_format(found)
    except QuantizerError as error:
        raise ValueError(str(error)) from None
    return found


def name_of_activation(value: Any) -> str:
    """The name of an activation or of its quantizer."""
    found = _activation_quantizer(value) if looks_quantised(value) else None
    return settings.activation(value) if found is None else found.name


# ------------------------------------------------------------------ what layers declare


@frozen(slots=False, kw_only=True, eq=False, repr=False)
class Activated(Quantized):
    """A layer of QKeras whose activation may quantize what it puts out."""

    activation: str = activation_name()
    output_quantizer: Quantizer | None = activation_quantizer()


@frozen(slots=False, kw_only=True, eq=False, repr=False)
class KernelQuantized(Activated):
    """A layer of QKeras with quantizers of its kernel and its bias."""

    quantizer_names: ClassVar[Mapping[str, str]] = {
        "kernel": "kernel_quantizer",
        "bias": "bias_quantizer",
    }

    kernel_quantizer: Quantizer | None = quantizer("kernel_quantizer")
    bias_quantizer: Quantizer | None = quantizer("bias_quantizer")


@frozen(slots=False, kw_only=True, eq=False, repr=False)
class DepthwiseQuantized(Activated):
    """A layer of QKeras with quantizers of its depthwise kernel and its bias."""

    quantizer_names: ClassVar[Mapping[str, str]] = {
        "kernel": "depthwise_quantizer",
        "bias": "bias_quantizer",
    }

    depthwise_quantizer: Quantizer | None = quantizer("depthwise_quantizer")
    bias_quantizer: Quantizer | None = quantizer("bias_quantizer")
