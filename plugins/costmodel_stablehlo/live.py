"""Jitted functions of JAX: what their own `lower` makes of them for a call.

JAX itself is not imported: the methods of the objects are those of the JAX that made them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from costmodel.errors import ReadError

_PACKAGES: Final = frozenset({"jax", "jaxlib"})
_LARGEST_SHOWN: Final = 2**14
"""Elements of a constant whose numbers are passed on."""


def is_of_jax(source: object) -> bool:
    """Whether this is a jitted function, or one that is lowered or exported."""
    package = type(source).__module__.partition(".")[0]
    return package in _PACKAGES and any(
        hasattr(source, name) for name in ("lower", "compiler_ir", "mlir_module_serialized")
    )


def name_of(source: Any) -> str:
    """The name of a function."""
    name = str(getattr(source, "__name__", None) or getattr(source, "fun_name", "function"))
    return name if name.isidentifier() else "function"


def module_of(source: Any, example_inputs: object) -> bytes:
    """The module of a function for a call, as text or bytecode.

    Args:
        source: `jax.jit(f)`, what its `lower` gives, or what `jax.export.export` gives.
        example_inputs: the arguments of a call: a tuple, a mapping of keywords, or the only one.
            Arrays or `jax.ShapeDtypeStruct`; None for what is lowered or exported already.

    Raises:
        ReadError: a function without the arguments of a call, or one that cannot take them.

    """
    held = getattr(source, "mlir_module_serialized", None)
    if held is not None:
        return bytes(held)
    if hasattr(source, "compiler_ir"):
        return _text_of(source)
    if example_inputs is None:
        message = (
            f"{name_of(source)!r:.80} is a function of JAX, which has a graph only for a call: "
            "read(function, example_inputs=(x,)), with arrays or jax.ShapeDtypeStruct"
        )
        raise ReadError(message)
    arguments, keywords = _arguments(example_inputs)
    try:
        return _text_of(source.lower(*arguments, **keywords))
    except (TypeError, ValueError) as error:
        message = f"{name_of(source)!r:.80} cannot be called with these inputs: {error!s:.400}"
        raise ReadError(message) from error


def _text_of(lowered: Any) -> bytes:
    operation = lowered.compiler_ir("stablehlo").operation
    text = operation.get_asm(enable_debug_info=True, large_elements_limit=_LARGEST_SHOWN)
    return str(text).encode()


def _arguments(given: object) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    if isinstance(given, tuple | list):
        return tuple(given), {}
    if isinstance(given, Mapping):
        return (), given
    return (given,), {}
