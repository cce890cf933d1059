"""Functions of JAX: what is handed over, with stand-ins, and JAX itself where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import costmodel
from costmodel.errors import ReadError
from costmodel.workload.operators import Unsupported

pytest.importorskip("jaxlib")

MODULES = Path(__file__).parent / "modules"
MACS = 24 * 64 + 64 * 10


class Lowered:
    """What `jax.jit(f).lower(...)` gives, as far as it is asked."""

    fun_name = "mlp"

    def compiler_ir(self, dialect: str) -> Any:
        assert dialect == "stablehlo"
        return self

    @property
    def operation(self) -> Any:
        return self

    def get_asm(self, *, enable_debug_info: bool, large_elements_limit: int) -> str:
        assert enable_debug_info
        assert large_elements_limit > 0
        return (MODULES / "mlp.mlir").read_text()


class Jitted:
    """What `jax.jit(f)` gives, as far as it is asked."""

    __name__ = "mlp"

    def __init__(self) -> None:
        self.called: list[Any] = []

    def lower(self, *arguments: Any, **keywords: Any) -> Lowered:
        if not arguments and not keywords:
            message = "missing a required argument: 'x'"
            raise TypeError(message)
        self.called.append((arguments, keywords))
        return Lowered()


class Exported:
    """What `jax.export.export` gives, as far as it is asked."""

    fun_name = "mlp"
    mlir_module_serialized = (MODULES / "mlp.mlirbc").read_bytes()


for stand_in in (Lowered, Jitted, Exported):
    stand_in.__module__ = "jax._src.anything"


def macs(source: Any, **options: Any) -> int:
    network = costmodel.read(source, **options)
    assert network.name == "mlp"
    return costmodel.lower(network).bind(batch=1).macs


def test_what_is_lowered_or_exported_needs_no_call() -> None:
    assert macs(Lowered()) == macs(Exported()) == MACS


@pytest.mark.parametrize(
    ("given", "called"),
    [((1, 2), ((1, 2), {})), ([1], ((1,), {})), ({"x": 1}, ((), {"x": 1})), (7, ((7,), {}))],
)
def test_a_function_is_lowered_for_the_arguments_of_a_call(given: Any, called: Any) -> None:
    function = Jitted()
    assert macs(function, example_inputs=given) == MACS
    assert function.called == [called]


def test_a_function_without_a_call_says_how_to_give_one() -> None:
    with pytest.raises(ReadError, match=r"read\(function, example_inputs=\(x,\)\)"):
        costmodel.read(Jitted())


def test_arguments_that_the_function_cannot_take_are_refused() -> None:
    with pytest.raises(ReadError, match="cannot be called with these inputs: missing a required"):
        costmodel.read(Jitted(), example_inputs=())


def test_a_file_takes_no_arguments_of_a_call() -> None:
    with pytest.raises(ReadError, match="takes no example_inputs"):
        costmodel.read(MODULES / "mlp.mlirbc", example_inputs=(1,))


def test_functions_of_jax_itself_are_read() -> None:
    jax = pytest.importorskip("jax")
    shape = jax.ShapeDtypeStruct

    def layer(params: Any, x: Any) -> Any:
        return jax.nn.gelu(x @ params["w"] + params["b"], approximate=False)

    params = {"w": shape((4, 8), "float32"), "b": shape((8,), "float32")}
    x = shape((1, 4), "float32")
    function = jax.jit(layer)
    for network in (
        costmodel.read(function, example_inputs=(params, x)),
        costmodel.read(function.lower(params, x)),
    ):
        workload = costmodel.lower(network).bind(batch=1)
        assert workload.macs == 4 * 8
        assert len(workload.weights) == len(params)


def test_random_numbers_of_jax_are_counted() -> None:
    jax = pytest.importorskip("jax")
    shape = jax.ShapeDtypeStruct

    def dropped(key: Any, x: Any, w: Any) -> Any:
        kept = jax.random.bernoulli(key, 0.5, (4, 8))
        return jax.numpy.where(kept, x @ w, 0.0)

    given = (shape((2,), "uint32"), shape((4, 8), "float32"), shape((8, 8), "float32"))
    workload = costmodel.lower(costmodel.read(jax.jit(dropped), example_inputs=given)).bind(batch=1)
    assert workload.macs == 4 * 8 * 8
    assert not [one for one in workload.operators if isinstance(one, Unsupported)]
    rounds = 5 * 4 * (4 * 8 // 2)  # of threefry2x32, which gives two numbers at once
    assert workload.operations["logic"] >= 4 * rounds


def test_a_function_may_call_python_and_say_where_it_runs() -> None:
    jax = pytest.importorskip("jax")
    x = jax.ShapeDtypeStruct((2, 8), "float32")
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])

    def called(x: Any) -> Any:
        y = jax.lax.with_sharding_constraint(x * 2, device)
        return jax.pure_callback(lambda one: one, x, y) + y

    workload = costmodel.lower(costmodel.read(jax.jit(called), example_inputs=(x,))).bind(batch=1)
    assert workload.operations == {"multiply": 16, "add": 16}
    (reason,) = [one.reason for one in workload.operators if isinstance(one, Unsupported)]
    assert "callback" in reason


def test_what_jax_leaves_to_a_library_is_named() -> None:
    jax = pytest.importorskip("jax")
    matrix = jax.ShapeDtypeStruct((8, 8), "float32")
    library = "how many steps a factorisation takes is the library's choice"
    complex_numbers = "arithmetic of complex numbers is not counted"
    for function, expected in (
        (jax.numpy.linalg.qr, {library}),
        (jax.numpy.linalg.eigvals, {library, complex_numbers}),
    ):
        network = costmodel.read(jax.jit(function), example_inputs=matrix)
        operators = costmodel.lower(network).bind(batch=1).operators
        reasons = {one.reason for one in operators if isinstance(one, Unsupported)}
        assert reasons == expected
