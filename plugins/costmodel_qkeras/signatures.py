"""The parameters of QKeras's quantizers, in the order and with the defaults of each release."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Default: TypeAlias = bool | int | float | str | None
"""The value of a parameter that is not given."""

Parameters: TypeAlias = tuple[tuple[str, Default], ...]
"""All parameters of a quantizer by name, in the order of its constructor."""

LATEST: Final = "v3"
"""The release whose signatures hold unless another is named."""

_ALPHA: Parameters = (("alpha", None),)
_STOCHASTIC: Parameters = (("use_stochastic_rounding", False),)
_VARIABLES: Parameters = (
    ("qnoise_factor", 1.0), ("var_name", None), ("use_ste", True), ("use_variables", False),
)  # fmt: skip
_SIGMOID: Parameters = (("temperature", 6.0), ("use_real_sigmoid", True))
_FIXED: Parameters = (("bits", 8), ("integer", 0))
_PO2_TAIL: Parameters = (
    *_STOCHASTIC, ("quadratic_approximation", False), ("log2_rounding", "rnd"), *_VARIABLES,
)  # fmt: skip
_ELEMENTS: Parameters = (
    ("elements_per_scale", None), ("min_po2_exponent", None), ("max_po2_exponent", None),
)  # fmt: skip
_BITS: Parameters = (
    *_FIXED, ("symmetric", 0), ("keep_negative", True), *_ALPHA, *_STOCHASTIC,
    ("scale_axis", None), *_VARIABLES,
)  # fmt: skip
_LINEAR: Parameters = (
    *_FIXED, ("symmetric", 1), ("keep_negative", True), *_ALPHA, *_STOCHASTIC,
    ("scale_axis", None), ("qnoise_factor", 1.0), ("var_name", None), ("use_variables", False),
)  # fmt: skip
_HSWISH: Parameters = (
    *_FIXED, ("symmetric", 0), *_ALPHA, *_STOCHASTIC, ("scale_axis", None),
    ("qnoise_factor", 1.0), ("var_name", None),
)  # fmt: skip

_BOTH: Mapping[str, Parameters] = {
    "bernoulli": (*_ALPHA, *_SIGMOID),
    "quantized_po2": (("bits", 8), ("max_value", None), *_PO2_TAIL),
    "quantized_relu": (
        *_FIXED, ("use_sigmoid", 0), ("negative_slope", 0.0), *_STOCHASTIC,
        ("relu_upper_bound", None), ("is_quantized_clip", True), *_VARIABLES,
    ),
    "quantized_relu_po2": (("bits", 8), ("max_value", None), ("negative_slope", 0), *_PO2_TAIL),
    "quantized_sigmoid": (
        ("bits", 8), ("symmetric", False), ("use_real_sigmoid", False), *_STOCHASTIC,
    ),
    "quantized_tanh": (
        ("bits", 8), *_STOCHASTIC, ("symmetric", False), ("use_real_tanh", False),
    ),
    "quantized_ulaw": (*_FIXED, ("symmetric", 0), ("u", 255.0)),
    "stochastic_binary": (*_ALPHA, *_SIGMOID),
    "stochastic_ternary": (
        *_ALPHA, ("threshold", None), ("temperature", 8.0), ("use_real_sigmoid", True),
        ("number_of_unrolls", 5),
    ),
    "ternary": (*_ALPHA, ("threshold", None), *_STOCHASTIC, ("number_of_unrolls", 5)),
}  # fmt: skip

SIGNATURES: Final[Mapping[str, Mapping[str, Parameters]]] = MappingProxyType({
    "0.9": {
        **_BOTH,
        "binary": (("use_01", False), *_ALPHA, *_STOCHASTIC),
        "quantized_bits": _BITS,
        "quantized_hswish": (
            *_HSWISH, ("use_ste", True), ("use_variables", False),
            ("relu_shift", 3), ("relu_upper_bound", 6),
        ),
    },
    "v3": {
        **_BOTH,
        "binary": (
            ("use_01", False), *_ALPHA, ("training", False), *_STOCHASTIC,
            ("scale_axis", None), *_ELEMENTS,
        ),
        "quantized_bits": (*_BITS, *_ELEMENTS, ("post_training_scale", None)),
        "quantized_hswish": (
            *_HSWISH, ("use_variables", False), ("relu_shift", 3), ("relu_upper_bound", 6),
        ),
        "quantized_linear": _LINEAR,
    },
})  # fmt: skip
"""The signature of every quantizer of QKeras 0.9 and of qkeras-v3, by release and name."""

IMPLIED_BITS: Final[Mapping[str, int]] = MappingProxyType({
    "bernoulli": 1,
    "binary": 1,
    "stochastic_binary": 1,
    "stochastic_ternary": 2,
    "ternary": 2,
})  # fmt: skip
"""The bits of the quantizers that have no such parameter."""
