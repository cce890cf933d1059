"""Hypothesis strategies for the values of costmodel: bounded, and simple when they shrink.

Sizes are small enough for an example to take about a millisecond; everything shrinks towards
one axis of length one, one layer, batch 1 and rate 0. No framework is needed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, TypeAlias

from attrs import evolve, frozen
from hypothesis import strategies as st

from costmodel.devices import (
    Charge,
    Cost,
    Device,
    Evidence,
    Factor,
    FormatTable,
    Parameter,
    parameter,
    prices,
)
from costmodel.layer import Input, Layer, OperatorLayer, Work
from costmodel.network import Network, Port
from costmodel.numerics import (
    FLOAT_WIDTHS,
    Binary,
    FixedPoint,
    FloatingPoint,
    NumericFormat,
    PowerOfTwo,
    Ternary,
)
from costmodel.operator_batch import OperatorBatch
from costmodel.scenario import Scenario
from costmodel.sizes import SizeArray
from costmodel.tensor import Tensor
from costmodel.workload import builders
from costmodel.workload.operators import (
    ELEMENTWISE,
    REDUCTIONS,
    STANDARD,
    Activation,
    Contraction,
    Elementwise,
    Gather,
    Movement,
    Operator,
    Reduction,
)
from costmodel.workload.reasons import Free, Unpriced

SIDES: Final = st.integers(1, 6)
"""Axis lengths."""

RANKS: Final = st.integers(1, 3)
"""Numbers of axes."""

RATES: Final = st.just(0.0) | st.floats(0.01, 1000)
"""Firing rates in hertz."""

MOST_BITS: Final = 32
"""Width of the widest fixed-point format that is drawn."""

MOST_TOGETHER: Final = 24
"""Operators of one batch; half of them at least."""

_Format: TypeAlias = NumericFormat | None


def shapes(ranks: st.SearchStrategy[int] = RANKS) -> st.SearchStrategy[tuple[int, ...]]:
    """Bound shapes without the batch axis."""
    return ranks.flatmap(lambda rank: st.tuples(*[SIDES] * rank))


# ------------------------------------------------------------------ formats


@st.composite
def fixed_points(draw: st.DrawFn) -> FixedPoint:
    """Fixed-point formats of up to MOST_BITS bits, the binary point inside the word."""
    bits, signed = draw(st.integers(1, MOST_BITS)), draw(st.booleans())
    return FixedPoint(bits, draw(st.integers(0, bits - signed)), signed)


def formats() -> st.SearchStrategy[NumericFormat]:
    """Any numeric format."""
    powers = st.builds(PowerOfTwo, st.integers(2, 6), st.booleans())
    floats = st.builds(FloatingPoint, st.sampled_from(FLOAT_WIDTHS))
    small = st.sampled_from([Binary(), Binary(zero_one=True), Ternary()])
    return st.one_of(fixed_points(), small, powers, floats)


DECLARED: Final[st.SearchStrategy[_Format]] = st.none() | formats()
"""The format of a tensor, or None where none is declared."""


def tensors(elements: st.SearchStrategy[_Format] = DECLARED) -> st.SearchStrategy[Tensor]:
    """Bound tensors whose formats are drawn from `elements`."""
    return st.builds(Tensor, shapes(), elements)


# ------------------------------------------------------------------ operators


@frozen
class Sized:
    """An operator that can be made in any size: `make` takes the lengths of `axes` axes."""

    axes: int
    make: Callable[[Sequence[int]], Operator]


@st.composite
def sized_contractions(draw: st.DrawFn, elements: st.SearchStrategy[_Format] = DECLARED) -> Sized:
    """A dense product at some positions: `positions x outputs x inputs` multiply-accumulates."""
    value, kernel, bias, result = draw(st.tuples(*[elements] * 4))
    has_bias = draw(st.booleans())

    def make(sizes: Sequence[int]) -> Contraction:
        positions, outputs, depth = sizes
        return builders.matmul(
            Tensor((positions, depth), value), Tensor((depth, outputs), kernel),
            bias=Tensor((outputs,), bias) if has_bias else None,
            output=Tensor((positions, outputs), result),
        )  # fmt: skip

    return Sized(3, make)


@st.composite
def sized_elementwises(draw: st.DrawFn, elements: st.SearchStrategy[_Format] = DECLARED) -> Sized:
    """One to three inputs of one shape, joined by any of the functions."""
    declared = draw(st.lists(elements, min_size=1, max_size=3))
    function, result = draw(st.sampled_from(sorted(ELEMENTWISE))), draw(elements)
    steps = draw(st.integers(0, 4))

    def make(sizes: Sequence[int]) -> Elementwise:
        shape = tuple(sizes)
        inputs = [Tensor(shape, item) for item in declared]
        return builders.elementwise(function, *inputs, steps=steps, output=Tensor(shape, result))

    return Sized(draw(RANKS), make)


@st.composite
def sized_reductions(draw: st.DrawFn, elements: st.SearchStrategy[_Format] = DECLARED) -> Sized:
    """Windows that tile the input; the first size is that of the window."""
    function = draw(st.sampled_from(sorted(REDUCTIONS)))
    value, result = draw(st.tuples(elements, elements))

    def make(sizes: Sequence[int]) -> Reduction:
        _, *shape = sizes
        return builders.reduce(
            function, Tensor(tuple(sizes), value), [0], output=Tensor(tuple(shape), result)
        )

    return Sized(1 + draw(RANKS), make)


@st.composite
def sized_activations(draw: st.DrawFn, elements: st.SearchStrategy[_Format] = DECLARED) -> Sized:
    """A non-linear function of every element."""
    function = draw(st.sampled_from(["relu", "sigmoid", "softmax"]))
    value, result = draw(st.tuples(elements, elements))

    def make(sizes: Sequence[int]) -> Activation:
        shape = tuple(sizes)
        if function == "softmax":
            return builders.softmax(Tensor(shape, value), output=Tensor(shape, result))
        return builders.activation(function, Tensor(shape, value), output=Tensor(shape, result))

    return Sized(draw(RANKS), make)


@st.composite
def sized_lookups(draw: st.DrawFn, elements: st.SearchStrategy[_Format] = DECLARED) -> Sized:
    """Rows of a table, by their index."""
    index, entry = draw(st.tuples(elements, elements))

    def make(sizes: Sequence[int]) -> Gather:
        indices, rows, width = sizes
        return builders.embedding(
            Tensor((indices,), index), Tensor((rows, width), entry),
            output=Tensor((indices, width), entry),
        )  # fmt: skip

    return Sized(3, make)


@st.composite
def sized_movements(draw: st.DrawFn, elements: st.SearchStrategy[_Format] = DECLARED) -> Sized:
    """The same elements under a shape with its axes turned round."""
    value = draw(elements)

    def make(sizes: Sequence[int]) -> Movement:
        moved, turned = Tensor(tuple(sizes), value), Tensor(tuple(sizes[::-1]), value)
        return builders.transpose(moved, range(len(sizes))[::-1], output=turned)

    return Sized(draw(RANKS), make)


def sized_operators(
    elements: st.SearchStrategy[_Format] = DECLARED,
) -> st.SearchStrategy[Sized]:
    """Any standard operator in any size."""
    return st.one_of(
        sized_contractions(elements), sized_elementwises(elements), sized_reductions(elements),
        sized_activations(elements), sized_lookups(elements), sized_movements(elements),
    )  # fmt: skip


@st.composite
def operators(draw: st.DrawFn, elements: st.SearchStrategy[_Format] = DECLARED) -> Operator:
    """Any standard operator, the formats of its tensors drawn from `elements`."""
    return draw(made(sized_operators(elements)))


@st.composite
def made(draw: st.DrawFn, sized: st.SearchStrategy[Sized]) -> Operator:
    """An operator of some size: `made(sized_contractions())` draws contractions."""
    chosen = draw(sized)
    return chosen.make(draw(st.tuples(*[SIDES] * chosen.axes)))


@st.composite
def operator_batches(
    draw: st.DrawFn, elements: st.SearchStrategy[_Format] = DECLARED
) -> OperatorBatch:
    """Any standard operator in many sizes at once, enough of them to be priced together."""
    sized = draw(sized_operators(elements))
    lengths = st.lists(SIDES, min_size=MOST_TOGETHER // 2, max_size=MOST_TOGETHER)
    first = draw(lengths)
    rest = [
        draw(st.lists(SIDES, min_size=len(first), max_size=len(first)))
        for _ in range(sized.axes - 1)
    ]
    return OperatorBatch(sized.make([SizeArray(row) for row in (first, *rest)]))


@st.composite
def growing_operators(
    draw: st.DrawFn, elements: st.SearchStrategy[_Format] = DECLARED
) -> tuple[Operator, Operator]:
    """The same work twice, the second time with at least one axis longer and none shorter."""
    sized = draw(sized_operators(elements))
    sizes = draw(st.lists(SIDES, min_size=sized.axes, max_size=sized.axes))
    more = draw(st.lists(st.integers(0, 6), min_size=sized.axes, max_size=sized.axes).filter(any))
    longer = [size + extra for size, extra in zip(sizes, more, strict=True)]
    return sized.make(sizes), sized.make(longer)


@st.composite
def widening_operators(draw: st.DrawFn) -> tuple[Operator, Operator]:
    """The same work twice, the second time with more fraction bits in operands of some roles."""
    operator, more = draw(operators(fixed_points())), draw(st.integers(1, MOST_BITS))
    roles = sorted({operand.role for operand in operator.operands})
    chosen = draw(st.lists(st.sampled_from(roles), min_size=1, unique=True))
    wider = [
        _widened(operand.tensor, more) if operand.role in chosen else operand.tensor
        for operand in operator.operands
    ]
    return operator, operator.with_tensors(wider)


def reformatted(operator: Operator, chosen: NumericFormat) -> Operator:
    """The same work with every tensor that has a format in another one."""
    tensors = [operand.tensor for operand in operator.operands]
    return operator.with_tensors(
        [evolve(tensor, format=chosen) if tensor.format else tensor for tensor in tensors]
    )


def _widened(tensor: Tensor, more: int) -> Tensor:
    narrow = tensor.format
    if not isinstance(narrow, FixedPoint):
        return tensor
    return Tensor(tensor.shape, evolve(narrow, bits=narrow.bits + more))


# ------------------------------------------------------------------ devices and scenarios


def values(unit: str = "J", *, positive: bool = False) -> st.SearchStrategy[float]:
    """Values of a parameter: zero unless `positive`, or of any size that hardware has."""
    least, most = _RANGES.get(unit, _RANGES["J"])
    sizes = st.floats(least, most, allow_subnormal=False)
    return sizes if positive else st.just(0.0) | sizes


_RANGES: Final = {
    "J": (1e-18, 1e-3), "": (1e-3, 1e6), "Hz": (1.0, 1e12), "B": (1.0, 1e12), "bit": (1.0, 1e13),
    "W": (1e-9, 1e4), "s": (1e-15, 1e3), "V": (1e-3, 1e3), "B/s": (1.0, 1e14),
    "bit/s": (1.0, 1e15), "m2": (1e-14, 1.0), "OP": (1.0, 1e18), "OP/s": (1.0, 1e18),
    "token": (1.0, 1e9), "token/s": (1e-3, 1e9),
}  # fmt: skip
"""The least and the largest that hardware has, by unit; other units as joules."""


@st.composite
def parameters(
    draw: st.DrawFn, name: str = "energy", unit: str = "J", *, positive: bool = False
) -> Parameter:
    """A parameter with a range around its value, above 0 throughout if it is `positive`."""
    one = values(unit, positive=positive)
    low, value, high = sorted(draw(st.tuples(one, one, one)))
    return Parameter(
        name, value, unit, "drawn", draw(st.sampled_from(Evidence)), low=low, high=high
    )


@st.composite
def format_tables(
    draw: st.DrawFn, name: str = "rate", unit: str = "OP/s", *, positive: bool = False
) -> FormatTable:
    """A table with a figure for each of one or more formats."""
    names = draw(st.lists(TABLED, min_size=1, unique=True))
    figures = {one: draw(parameters(name, unit, positive=positive)) for one in names}
    return FormatTable(name, figures)


TABLED: Final = st.sampled_from(("float32", "float16", "int8", "int4", "ternary"))
"""The formats of drawn tables; other tensors find no figure in them."""


@st.composite
def devices(draw: st.DrawFn, /, family: type[Device], **given: Any) -> Device:
    """A device of `family`: every parameter that it must have, and some that it may have.

    Parameters that the class declares `positive` are above 0. Parameters and settings that are
    `given` are not drawn.
    """
    required, positive = family.required_parameters(), family.positive_parameters()
    tables = family.parameter_tables()
    figures: dict[str, Any] = {
        name: draw(
            (format_tables if name in tables else parameters)(name, unit, positive=name in positive)
        )
        for name, unit in family.parameter_units().items()
        if name not in given and (name in required or draw(st.booleans()))
    }
    return family("drawn", title="a drawn device", **figures, **given)


@frozen
class FlatDevice(Device):
    """One energy for every operation and one for every element that comes or goes."""

    family: ClassVar = "flat"
    ignores: ClassVar = ("timesteps", "dt", "rates", "formats")
    resources: ClassVar = ("datapath", "buffers")

    energy_per_operation: Parameter = parameter("J")
    energy_per_element: Parameter = parameter("J")

    @prices(*STANDARD)
    def flat(self, operator: Operator, scenario: Scenario) -> Cost:
        """Every operation and every element, for each example of the batch."""
        elements = sum(tensor.size for tensor in (*operator.inputs, *operator.outputs))
        examples = Factor("examples", scenario.batch)
        operations = Factor("operations", sum(operator.operations.values()))
        moved = Factor("elements", elements)
        return Cost(
            [
                Charge("datapath", "compute", (operations, examples), self.energy_per_operation),
                Charge("buffers", "output", (moved, examples), self.energy_per_element),
            ]
        )


@st.composite
def scenarios(draw: st.DrawFn, rates: st.SearchStrategy[float] = RATES) -> Scenario:
    """Conditions with one firing rate for all layers."""
    return Scenario(
        batch=draw(st.integers(1, 64)),
        timesteps=draw(st.integers(1, 100)),
        dt=draw(st.sampled_from([0.001, 0.01, 1.0])),
        rates=draw(rates),
    )


# ------------------------------------------------------------------ layers and networks


def work() -> st.SearchStrategy[Work]:
    """Up to three operators, or a reason why there are none."""
    reasons = st.sampled_from([Free("drawn as free"), Unpriced("drawn as unpriced")])
    needed: st.SearchStrategy[Work] = st.lists(operators(), min_size=1, max_size=3).map(tuple)
    return needed | reasons


@st.composite
def layers(draw: st.DrawFn, name: str = "layer", inputs: Sequence[Tensor] = ()) -> Layer:
    """A layer of any work for these inputs, else for one that is drawn."""
    taken = tuple(inputs) or (Tensor(draw(shapes())),)
    results = None if draw(st.booleans()) else (draw(shapes()),)
    return OperatorLayer(name, "operators", taken, work=draw(work()), results=results)


@st.composite
def networks(draw: st.DrawFn, *, max_layers: int = 4) -> Network:
    """Acyclic networks of one to `max_layers` layers of any work behind one input."""
    made: list[Layer] = [Input("input", "input", shape=draw(shapes()))]
    edges: dict[str, tuple[Port, ...]] = {}
    for index in range(draw(st.integers(1, max_layers))):
        sources = draw(st.lists(st.sampled_from(made), min_size=1, max_size=2))
        name = f"layer_{index}"
        taken = tuple(itertools.chain.from_iterable(source.outputs for source in sources))
        made.append(draw(layers(name, taken)))
        edges[name] = tuple(Port(source.name) for source in sources)
    return Network("drawn", made, edges)
