"""Every operator that ships keeps the laws."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import Any, ClassVar

import pytest

import costmodel
import costmodel_hardware
import costmodel_keras
import costmodel_qkeras
import costmodel_spiking
from costmodel.tensor.shapes import Tensor
from costmodel.testing import OperatorContract
from costmodel.testing import strategies as of
from costmodel.testing.devices import ComposedWork, ForeignWork
from costmodel.workload.builders import (
    activation,
    attention,
    conv,
    conv_transpose,
    normalize,
    softmax,
)
from costmodel.workload.composite import Attention, Normalization, Softmax
from costmodel.workload.operators import (
    Activation,
    Contraction,
    Counted,
    Elementwise,
    Gather,
    Movement,
    Operator,
    Reduction,
    Unsupported,
    unmapped,
)
from costmodel.workload.reasons import Free
from costmodel_keras.layers.activations import UnknownActivation
from costmodel_qkeras.operators import Arithmetic, Transfer, Uncounted
from costmodel_qkeras.qtools.records import Stored, Work

PACKAGES = (
    costmodel, costmodel_hardware, costmodel_keras, costmodel_qkeras, costmodel_spiking,
)  # fmt: skip


def operator_classes() -> Any:
    """Every operator class in any module that ships, but those that the kit tries devices with."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] != "__main__":
                found = inspect.getmembers(import_module(module.name), inspect.isclass)
                yield from (cls for _, cls in found if issubclass(cls, Operator))


ABSTRACT = {Operator}
FOR_TESTS = {ForeignWork, ComposedWork}
SHIPPED = set(operator_classes()) - ABSTRACT - FOR_TESTS

STANDARD = {
    Activation: of.sized_activations,
    Contraction: of.sized_contractions,
    Elementwise: of.sized_elementwises,
    Gather: of.sized_lookups,
    Movement: of.sized_movements,
    Reduction: of.sized_reductions,
}

SHAPE = (2, 4, 6, 3)
COMPOSED = {
    Softmax: [softmax(SHAPE), softmax(SHAPE, axes=(1, 2))],
    Normalization: [
        normalize(SHAPE, (-1,), weights=[(3,), (3,)]), normalize(SHAPE, (2,), groups=3),
        normalize(SHAPE, (1, 2), is_centred=False),
    ],
    Attention: [
        attention(SHAPE, SHAPE, SHAPE, layout="bmhd"),
        attention(SHAPE, (2, 2, 5, 3), (2, 2, 5, 7), score_steps=["add"]),
        attention((6, 3), (4, 3), (4, 2), layout="md", query_steps=(), score_steps=["tanh"]),
    ],
}  # fmt: skip
WINDOWS = [
    conv((2, 6, 9, 8), (4, 3, 3, 2), stride=2, padding="same", groups=2, bias=(4,)),
    conv((5, 9), (5, 1, 3), input_layout="C*", groups=5, dilation=2, padding="causal"),
    conv_transpose((2, 6, 5), (6, 4, 3), stride=2, padding=1, output_padding=1),
]
COUNTED = Counted(operation="multiply-accumulate", count=12)

TRANSFER = Transfer(role="input", stored=(Stored(12, 16),))
ARITHMETIC = Arithmetic(
    work=(Work("fp16", "mul", 1.0, 16.0), Work("fp16", "add", 1.0, 16.0)),
    repetitions=12, is_contraction=True,
)  # fmt: skip
UNCOUNTED = Uncounted(reason=Free("QTools counts none"), true_macs=12)
QTOOLS = {Transfer: TRANSFER, Arithmetic: ARITHMETIC, Uncounted: UNCOUNTED}
QTOOLS_ALONE = "QTools' charges have a meaning under its own convention alone"
AS_QTOOLS_COUNTS = "it repeats what QTools counted for a whole layer, under QTools' own names"


class TestEveryOperator(OperatorContract):
    """The operators that every device has an answer to, in every size and format."""

    @pytest.fixture(params=STANDARD, ids=lambda cls: cls.__name__)
    def operator(self, request: pytest.FixtureRequest) -> Any:
        return of.made(STANDARD[request.param]())


class TestOperatorsThatDecompose(OperatorContract):
    """Softmax, normalization and attention, which stay whole."""

    @pytest.fixture(
        params=[item for made in COMPOSED.values() for item in made], ids=lambda item: item.summary
    )
    def operator(self, request: pytest.FixtureRequest) -> Any:
        return request.param


class TestConvolutions(OperatorContract):
    """Windows that are strided, padded, grouped, dilated and scattered."""

    @pytest.fixture(params=WINDOWS, ids=str)
    def operator(self, request: pytest.FixtureRequest) -> Any:
        return request.param


class TestCounted(OperatorContract):
    """A count whose geometry nobody states."""

    known_failures: ClassVar = {
        "test_every_device_can_price_its_parts": "only the convention that counts so prices it"
    }

    @pytest.fixture
    def operator(self) -> Any:
        return COUNTED


class TestTransferOfQTools(OperatorContract):
    """Tensors that the convention `qtools` charges for."""

    known_failures: ClassVar = {"test_every_device_can_price_its_parts": QTOOLS_ALONE}

    @pytest.fixture
    def operator(self) -> Any:
        return TRANSFER


class TestCountsOfQTools(OperatorContract):
    """Arithmetic that the convention `qtools` charges for, or knows nothing of."""

    known_failures: ClassVar = {
        "test_every_device_can_price_its_parts": QTOOLS_ALONE,
        "test_its_multiply_accumulates_are_among_its_operations": AS_QTOOLS_COUNTS,
        "test_repeated_work_is_that_many_times_the_work": AS_QTOOLS_COUNTS,
    }

    @pytest.fixture(params=[ARITHMETIC, UNCOUNTED], ids=lambda item: type(item).__name__)
    def operator(self, request: pytest.FixtureRequest) -> Any:
        return request.param


class TestUnknownActivation(OperatorContract):
    """A function of which only the name is known."""

    known_failures: ClassVar = {
        "test_every_device_can_price_its_parts": "nobody knows what it computes"
    }

    @pytest.fixture
    def operator(self) -> Any:
        known = activation("mine", (4, 3))
        return UnknownActivation(
            dims=known.dims, operands=known.operands, function="mine", near="mish"
        )


class TestUnsupported(OperatorContract):
    """Work that nobody knows."""

    known_failures: ClassVar = {
        "test_every_device_can_price_its_parts": "nobody knows what it computes"
    }

    @pytest.fixture
    def operator(self) -> Any:
        return Unsupported(reason="no rule", operands=unmapped("output", [Tensor((4, 3))]))


def test_no_operator_that_ships_is_left_out() -> None:
    tried = STANDARD.keys() | COMPOSED.keys() | QTOOLS.keys()
    assert tried | {Counted, Unsupported, UnknownActivation} == SHIPPED
