"""Data type policies of Keras: the formats in which layers compute, and how weights are quantised.

Keras calls them `mixed_float16`, `bfloat16`, `int8_from_float32`, `int4/128_from_mixed_bfloat16`
and so on; Keras 2 has the first two kinds.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve, frozen

from costmodel.formats import FLOAT32, FloatingPoint, NumericFormat, parse_format

_COMPUTES: Final[Mapping[str, NumericFormat]] = {
    "float16": FloatingPoint(16), "bfloat16": parse_format("bfloat16"), "float32": FLOAT32,
    "float64": FloatingPoint(64), "mixed_float16": FloatingPoint(16),
    "mixed_bfloat16": parse_format("bfloat16"),
}  # fmt: skip
_FROM: Final = "_from_"
"""What stands between the mode of a quantised policy and the policy that it came from."""

_DIGITS: Final = 10
"""No block has a length of so many."""

HISTORY: Final = 1024
"""Steps of training of which a float8 layer keeps the largest value (Keras's default)."""


@frozen
class Quantization:
    """How Keras quantises the weights of a layer."""

    mode: str
    """`int8`, `int4`, `float8`, `gptq` or `awq`."""

    block: int | None = None
    """Consecutive weights that share a scale; None where all of an output do."""

    takes_quantized: bool = True
    """Whether the inputs are quantised too."""

    history: int = HISTORY
    """Steps of training of which a float8 layer keeps the largest values."""


@frozen
class Policy:
    """What a data type policy says of a layer."""

    computes: NumericFormat | None = None
    """The format in which the layer computes; None where nothing is known."""

    quantization: Quantization | None = None
    """How its weights are quantised, if they are."""

    within: str | None = None
    """The mode of quantised layers in it, such as the projections of an attention."""


NO_POLICY: Final = Policy()


def live_policy(layer: Any) -> Policy:
    """The policy of a live layer of Keras 2 or 3; none for anything else."""
    policy = getattr(layer, "dtype_policy", None)
    name = getattr(policy, "name", None)
    if not isinstance(name, str):
        return NO_POLICY
    if getattr(policy, "quantization_mode", None) is None:
        mode = _mode_within(layer) if getattr(layer, "_layers", ()) else None
        return _of_name(name) if mode is None else evolve(_of_name(name), within=mode)
    config = getattr(layer, "quantization_config", None)
    quantizer = getattr(config, "activation_quantizer", None)
    history = getattr(policy, "amax_history_length", HISTORY)
    return _quantized(name, None if config is None else quantizer is not None, history)


def _mode_within(layer: Any) -> str | None:
    parts = layer._flatten_layers(include_self=False)  # noqa: SLF001  # no public name
    modes = (getattr(part, "quantization_mode", None) for part in parts)
    return next((mode for mode in modes if mode is not None), None)


def recorded_policy(config: Mapping[str, Any]) -> Policy:
    """The policy that the configuration of a layer names."""
    given = config.get("dtype")
    settings = _config_of(given) if isinstance(given, Mapping) else {"name": given}
    mode, name = settings.get("mode"), settings.get("name")
    if isinstance(entries := settings.get("policy_map"), Mapping):
        modes = [_config_of(entry).get("mode") for entry in entries.values()]
        found = next((mode for mode in modes if isinstance(mode, str)), None)
        return Policy(within=found)
    if not isinstance(mode, str):
        return _of_name(name) if isinstance(name, str) else NO_POLICY
    quantizers = _config_of(config.get("quantization_config"))
    quantizer = quantizers.get("activation_quantizer")
    history = settings.get("amax_history_length")
    return _quantized(
        f"{mode}{_FROM}{settings.get('source_name')}",
        quantizer is not None if quantizers else None,
        history if isinstance(history, int) and history > 0 else HISTORY,
    )


def _config_of(given: Any) -> Mapping[str, Any]:
    """The settings of an object in a configuration; none where there is no such object."""
    config = given.get("config") if isinstance(given, Mapping) else None
    return config if isinstance(config, Mapping) else {}


@functools.lru_cache(256)
def _of_name(name: str) -> Policy:
    return Policy(_COMPUTES[name]) if name in _COMPUTES else NO_POLICY


@functools.lru_cache(256)
def _quantized(name: str, takes_quantized: bool | None, history: int) -> Policy:  # noqa: FBT001  # the three are a key
    """The policy of a name such as `int4/128_from_float32`.

    Unless it is given, Keras quantises the inputs of int8 and float8 layers, and not of others.
    """
    kept, _, source = name.partition(_FROM)
    mode, _, block = kept.partition("/")
    if mode == "float8" or takes_quantized is None:
        takes_quantized = mode in {"int8", "float8"}
    size = int(block) if block.isdecimal() and len(block) < _DIGITS and int(block) else None
    return Policy(_COMPUTES.get(source), Quantization(mode, size, takes_quantized, history))
