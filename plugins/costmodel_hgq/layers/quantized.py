"""What all layers of HGQ2 share: quantizers, and what they say of tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeAlias

from attrs import frozen

from costmodel.errors import ShapeError
from costmodel.formats import NumericFormat
from costmodel.network.layer import Layer, setting
from costmodel.tensor.shapes import Shape, show_shape
from costmodel.workload.assembly import numbered
from costmodel.workload.reasons import Unpriced
from costmodel_hgq.quantizers import Quantizer, of_live, of_variables
from costmodel_keras.files.variables import SETTING, ReadsVariables

RESULT: Final = "result"
"""The name of the quantizer of what a layer gives, beside those of inputs and parameters."""

Place: TypeAlias = tuple[str, str]
"""Where a quantizer is: the attributes that lead to it, and the setting of its configuration."""

INPUT: Final[Mapping[str, Place]] = {"input": ("iq", "iq_conf")}
OUTPUT: Final[Mapping[str, Place]] = {RESULT: ("oq", "oq_conf")}
KERNEL: Final[Mapping[str, Place]] = {"kernel": ("kq", "kq_conf"), "bias": ("bq", "bq_conf")}


def _pairs(value: Any) -> tuple[tuple[str, Quantizer], ...]:
    pairs = tuple(value)
    if not all(isinstance(pair, tuple) and isinstance(pair[-1], Quantizer) for pair in pairs):
        message = "expected quantizers by the names of tensors"
        raise ValueError(message)
    return pairs


@frozen(slots=False, kw_only=True, eq=False, repr=False)
class Quantized(ReadsVariables, Layer):
    """A layer of HGQ2: what enters, its parameters and what it gives have trained widths.

    A tensor whose elements differ in width is priced by their mean, elements of no bits (pruned)
    among them with 0. Products of those, which an unrolled circuit leaves out, are counted: counts
    follow from shapes. A device that prices multipliers by width charges nothing for them.
    """

    variable_holders: ClassVar = frozenset({"quantizer"})
    quantizer_places: ClassVar[Mapping[str, Place]] = {**INPUT, **OUTPUT}
    """Where the quantizer of each tensor is, by the name of the tensor."""

    quantizers: tuple[tuple[str, Quantizer], ...] = setting(
        _pairs, default=(), source="costmodel.quantizers", holds=(Quantizer,)
    )

    @classmethod
    def read_settings(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The declared settings, and the quantizers from variables."""
        return {**super().read_settings(settings), "quantizers": tuple(cls.read(settings))}

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Iterator[tuple[str, Quantizer]]:
        """The quantizers that are there, by the names of the tensors."""
        for name, (path, conf) in cls.quantizer_places.items():
            found = quantizer_at(settings, path, settings.get(conf))
            if found is not None:
                yield name, found

    def __attrs_post_init__(self) -> None:
        """Refuse widths of a shape that does not fit the tensor."""
        super().__attrs_post_init__()
        named: dict[str, Sequence[int | None]] = {
            name: tensor.shape for name, tensor in self.parameters.items()
        }
        for name, quantizer in self.quantizers:
            shape = named.get(name)
            if shape is not None and not _fits(quantizer.shape, shape):
                message = (
                    f"layer {self.name!r} of kind {self.kind!r}: the widths of {name!r} have shape "
                    f"{show_shape(quantizer.shape)}; expected that of the tensor, "
                    f"{show_shape(tuple(shape))}, or 1 along an axis"
                )
                raise ShapeError(message)

    @property
    def by_name(self) -> Mapping[str, Quantizer]:
        """The quantizers by the names of tensors."""
        return dict(self.quantizers)

    def format_of(self, name: str) -> NumericFormat | None:
        """The format that the quantizer of a tensor gives, or None where there is none."""
        found = self.by_name.get(name)
        return None if found is None else found.number

    def declared_formats(self) -> Mapping[str, NumericFormat]:
        """The formats of the parameters by name, as far as they are quantized."""
        found = {name: self.format_of(name) for name in self.parameters}
        return {name: number for name, number in found.items() if number is not None}

    def declared_inputs(self) -> Sequence[NumericFormat | None]:
        """The format that each input is quantized to."""
        return [self.format_of(name) for name in numbered("input", len(self.inputs))]

    def declared_result(self) -> NumericFormat | None:
        """The format that the result is quantized to, or None where it is not."""
        return self.format_of(RESULT)

    @property
    def absorbs_along(self) -> int | None:
        """None: its weights are quantized as they are, and absorb no normalization after it."""
        return None

    def workload(self) -> Any:
        """The work of the layer; unpriced where a quantizer also scales and shifts data."""
        scaling = [name for name, one in self.quantizers if one.is_affine]
        scaling = [name for name in scaling if name not in self.parameters]
        if scaling:
            return Unpriced(f"the quantizer of its {scaling[0]} scales and shifts: no rule for it")
        return super().workload()


def told(settings: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """A setting, also where it is a property of a live layer, which `get` does not see."""
    return settings[name] if name in settings else default  # noqa: SIM401  # as it says


def quantizer_at(settings: Mapping[str, Any], path: str, conf: Any) -> Quantizer | None:
    """The quantizer where a path of attributes leads; None where there is none.

    A file has variables and configurations, a live layer the quantizers themselves. The JSON of a
    network has configurations alone, which do not say what training left: formats stay open.

    Raises:
        ValueError: the variables are none of a quantizer.

    """
    first, *rest = path.split("/")
    try:
        variables = settings.get(SETTING)
        if variables is not None:
            return None if conf is None else _recorded(variables, path, conf)
        live = told(settings, first)
        for name in rest:
            live = getattr(live, f"_{name}", None)
        return None if isinstance(live, Mapping | str) else of_live(live)
    except ValueError as error:
        message = f"its quantizer {path}: {error}"
        raise ValueError(message) from None


def _recorded(variables: Mapping[str, Any], path: str, conf: Any) -> Quantizer | None:
    start = f"{path}/quantizer/vars/".lstrip("/")
    saved = {key.removeprefix(start): value for key, value in variables.items()
             if key.startswith(start)}  # fmt: skip
    order = sorted((key for key in saved if key.isdecimal()), key=lambda key: (len(key), key))
    return of_variables(conf, [saved[key] for key in order])


def _fits(widths: Shape, shape: Sequence[int | None]) -> bool:
    return len(widths) == len(shape) and all(
        width in {1, length} for width, length in zip(widths, shape, strict=True)
    )
