"""Write the modules of this folder, with JAX: `python make_modules.py modules`.

They were made with jax 0.10.2 and flax 0.12, which the tests do not need.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.export
import jax.numpy as jnp
from jax import lax

FLOAT = jnp.float32


def _array(*shape: int, dtype: Any = FLOAT) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


def gru() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A GRU of 16 units over 12 steps of 6 features: 12 x 3 x (6 + 16) x 16 products."""
    model = nn.RNN(nn.GRUCell(16))
    params = jax.eval_shape(model.init, jax.random.key(0), _array(1, 12, 6))
    return model.apply, (params, _array(1, 12, 6))


def reversed_scan() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A scan from the last step to the first: 9 x 5 x 7 products."""

    def f(params: Any, x: Any) -> Any:
        return lax.scan(lambda h, row: (jnp.tanh(row @ params[0] + h),) * 2,
                        jnp.zeros((1, 7)), x, reverse=True)  # fmt: skip

    return f, ([_array(5, 7), _array(1)], _array(9, 1, 5))


def stacked_layers() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A scan over the weights of 4 layers of 8 x 8: 4 x 8 x 8 products."""

    def f(params: Any, x: Any) -> Any:
        return lax.scan(lambda h, w: (jnp.tanh(h @ w), None), x, params[0])[0]

    return f, ([_array(4, 8, 8), _array(1)], _array(1, 8))


def fori() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A loop of 10 steps, each times a matrix of 6 x 6."""
    return (
        lambda params, x: lax.fori_loop(0, 10, lambda i, h: h @ params[0] * (i + 1.0), x),
        ([_array(6, 6), _array(1)], _array(1, 6)),
    )


def converging() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A loop until the sum is small: how many steps depends on data."""
    return (
        lambda params, x: lax.while_loop(lambda h: h.sum() > 1.0, lambda h: h @ params[0], x),
        ([_array(6, 6), _array(1)], _array(1, 6)),
    )


def attention() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Four heads of 8 over 10 positions: 4 x 32 x 32 x 10 and 2 x 4 x 10 x 10 x 8 products."""
    model = nn.MultiHeadDotProductAttention(num_heads=4, qkv_features=32)
    params = jax.eval_shape(model.init, jax.random.key(0), _array(1, 10, 32))
    return model.apply, (params, _array(1, 10, 32))


def _conv(
    kernel: Any, image: Any, **settings: Any
) -> tuple[Callable[..., Any], tuple[Any, ...]]:  # fmt: skip
    def f(params: Any, x: Any) -> Any:
        return lax.conv_general_dilated(
            x, params[0], dimension_numbers=("NHWC", "HWIO", "NHWC"), **settings
        )

    return f, ([kernel, _array(1)], image)


def grouped() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A convolution in 4 groups: 8 x 8 x 24 x 3 x 3 x 3 products."""
    return _conv(_array(3, 3, 3, 24), _array(1, 8, 8, 12), window_strides=(1, 1), padding="SAME",
                 feature_group_count=4)  # fmt: skip


def depthwise() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A filter for each of 16 channels: 4 x 4 x 16 x 3 x 3 products."""
    return _conv(_array(3, 3, 1, 16), _array(1, 8, 8, 16), window_strides=(2, 2), padding="SAME",
                 feature_group_count=16)  # fmt: skip


def dilated() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A kernel with gaps: 4 x 4 x 5 x 3 x 3 x 2 products."""
    return _conv(_array(3, 3, 2, 5), _array(1, 8, 8, 2), window_strides=(1, 1), padding="VALID",
                 rhs_dilation=(2, 2))  # fmt: skip


def transposed() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Every element of 5 x 5 x 6 meets a kernel of 3 x 3 x 4."""

    def f(params: Any, x: Any) -> Any:
        return lax.conv_transpose(x, params[0], (2, 2), "SAME")

    return f, ([_array(3, 3, 6, 4), _array(1)], _array(1, 5, 5, 6))


def batch_groups() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Groups of examples, as in gradients of depthwise convolutions: 3 x 3 x 4 x 6 x 6 x 2."""
    return _conv(_array(3, 3, 2, 4), _array(2, 8, 8, 2), window_strides=(1, 1), padding="VALID",
                 batch_group_count=2)  # fmt: skip


def int8_product() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Products of int8, summed as int32: 4 x 20 x 30."""

    def f(params: Any, x: Any) -> Any:
        return lax.dot_general(x, params[0], (((1,), (0,)), ((), ())),
                               preferred_element_type=jnp.int32)  # fmt: skip

    return f, ([_array(20, 30, dtype=jnp.int8), _array(1)], _array(4, 20, dtype=jnp.int8))


def condition() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Two ways of 16 x 32 and 16 x 8 products, which data choose between."""

    def f(params: Any, x: Any) -> Any:
        return lax.cond(x.sum() > 0, (x @ params[0]).sum, (x @ params[1]).sum)

    return f, ([_array(16, 32), _array(16, 8)], _array(1, 16))


def pooling() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Mean pooling with padding, which divides by how many elements there are."""

    def f(params: Any, x: Any) -> Any:
        return nn.avg_pool(x, (3, 3), (2, 2), "SAME", count_include_pad=False) + params[0]

    return f, ([_array(1, 1, 1, 4), _array(1)], _array(1, 7, 7, 4))


def mlp() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A LayerNorm, two layers with an exact GELU, and a softmax, in bfloat16."""

    class Model(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            x = nn.LayerNorm()(x)
            x = nn.gelu(nn.Dense(64, dtype=jnp.bfloat16)(x), approximate=False)
            return nn.softmax(nn.Dense(10)(x))

    params = jax.eval_shape(Model().init, jax.random.key(0), _array(1, 24))
    return lambda params, x: Model().apply(params, x), (params, _array(1, 24))


def closed_over() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Weights that are constants of the module."""
    kernel = jax.random.normal(jax.random.key(0), (20, 12))
    bias = jnp.arange(12.0)
    return lambda x: nn.relu(x @ kernel + bias), (_array(1, 20),)


def open_batch() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A batch of any size."""
    (batch,) = jax.export.symbolic_shape("b")
    x = jax.ShapeDtypeStruct((batch, 20), FLOAT)
    return lambda params, x: nn.softmax(x @ params[0] + params[1]), (
        [_array(20, 12), _array(12)], x,
    )  # fmt: skip


MODULES = (
    gru, reversed_scan, stacked_layers, fori, converging, attention, grouped, depthwise, dilated,
    transposed, batch_groups, int8_product, condition, pooling, mlp, closed_over, open_batch,
)  # fmt: skip


def main(folder: Path) -> None:
    """Write each module as bytecode, and the first as text too."""
    jax.config.update("jax_hlo_source_file_canonicalization_regex", ".*/")  # no local paths
    folder.mkdir(exist_ok=True)
    for make in MODULES:
        function, arguments = make()
        exported = jax.export.export(jax.jit(function))(*arguments)
        (folder / f"{make.__name__}.mlirbc").write_bytes(exported.mlir_module_serialized)
    function, arguments = mlp()
    lowered = jax.jit(function).lower(*arguments)
    (folder / "mlp.mlir").write_text(lowered.as_text(debug_info=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
