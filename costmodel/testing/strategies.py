"""Hypothesis strategies for the values of costmodel: bounded, and simple when they shrink.

Sizes are small enough for an example to take about a millisecond; everything shrinks towards
one axis of length one, one layer, batch 1 and rate 0. No framework is needed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeAlias

from attrs import evolve, frozen
from hypothesis import strategies as st

from costmodel.devices import (
    Access,
    Charge,
    Cost,
    Device,
    Evidence,
    Factor,
    FormatTable,
    Memory,
    Parameter,
    handles,
    parameter,
)
from costmodel.devices.operator_batch import OperatorBatch
from costmodel.formats import (
    BLOCKS,
    FLOAT_WIDTHS,
    OTHER_FLOATS,
    Binary,
    FixedPoint,
    FloatingPoint,
    MixedPrecision,
    NumericFormat,
    PowerOfTwo,
    Ternary,
)
from costmodel.network.graph import Network, Port
from costmodel.network.layer import Input, Layer, OperatorLayer, Work
from costmodel.scenario import Scenario
from costmodel.tensor.shapes import BATCH, Tensor
from costmodel.tensor.sizes import SizeArray, Symbol
from costmodel.workload import builders
from costmodel.workload.graph import Branch, Loop, Node, Step, View, Workload
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
    other = st.sampled_from(sorted(OTHER_FLOATS.values())).map(lambda one: FloatingPoint(*one))
    small = st.sampled_from([Binary(), Binary(zero_one=True), Ternary()])
    blocks = st.sampled_from(list(BLOCKS.values()))
    return st.one_of(fixed_points(), small, powers, floats, other, blocks, mixed_precisions())


@st.composite
def mixed_precisions(draw: st.DrawFn) -> MixedPrecision:
    """Fixed-point elements of widths that differ, down to none."""
    element = draw(fixed_points())
    mean = draw(st.fractions(0, element.bits, max_denominator=1000))
    return MixedPrecision(element, mean, draw(st.booleans()))


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


LARGE_SIDES: Final = SIDES | st.integers(7, 4096)
"""Axis lengths of work that is divided."""


@st.composite
def tiled_contractions(
    draw: st.DrawFn, elements: st.SearchStrategy[_Format] = DECLARED
) -> tuple[Contraction, tuple[Contraction, Contraction]]:
    """A contraction, and the two parts of it that are divided along one dimension."""
    sized: Sized = draw(sized_contractions(elements) | sized_convolutions(elements))
    sizes = draw(st.lists(LARGE_SIDES, min_size=sized.axes, max_size=sized.axes))
    axis, first = draw(st.integers(0, sized.axes - 1)), draw(LARGE_SIDES)
    whole, rest = list(sizes), list(sizes)
    part = [*sizes[:axis], first, *sizes[axis + 1 :]]
    whole[axis] = first + rest[axis]
    made: Any = [sized.make(each) for each in (whole, part, rest)]
    if made[0].outputs[0].shape == made[1].outputs[0].shape:  # a sum that is divided
        made = [_in_one_accumulator(one) for one in made]
    return made[0], (made[1], made[2])


def _in_one_accumulator(operator: Contraction) -> Contraction:
    """The same work, its result in no format, summed in an accumulator wide enough for the whole.

    The adders of a short sum may be narrower than those of a long one, and cheaper.
    """
    summed = operator.with_tensors(
        [Tensor(one.shape) if one.role == "output" else one.tensor for one in operator.operands]
    )
    return evolve(summed, accumulator=_ACCUMULATOR)


_ACCUMULATOR: Final = FixedPoint(64, 63)


@st.composite
def sized_convolutions(draw: st.DrawFn, elements: st.SearchStrategy[_Format] = DECLARED) -> Sized:
    """A convolution of 3 x 3: the sizes are output channels, input channels and output rows."""
    value, kernel, result = draw(st.tuples(*[elements] * 3))

    def make(sizes: Sequence[int]) -> Contraction:
        outputs, inputs, rows = sizes
        return builders.conv(
            Tensor((1, inputs, rows + 2, 5), value), Tensor((outputs, inputs, 3, 3), kernel),
            output=Tensor((1, outputs, rows, 3), result),
        )  # fmt: skip

    return Sized(3, make)


# ------------------------------------------------------------------ workloads


MOST_STEPS: Final = 6
"""Steps of a workload; a loop or a branch counts as one."""

_SHORT: Final = st.integers(1, 4)
"""Axis lengths of the tensors of a workload."""


def alone(operator: Operator) -> Workload:
    """A workload of one operator, every operand a tensor of its own."""
    tensors: dict[str, Tensor] = {}
    roles: dict[str, list[str]] = {"input": [], "output": [], "weight": []}
    for place, operand in enumerate(operator.operands):
        name = f"{operand.role}_{place}"
        tensors[name] = operand.tensor
        roles[operand.role].append(name)
    node = Node("operator", operator, tuple(tensors))
    return Workload("alone", tensors, [node], roles["input"], roles["output"], roles["weight"])


@st.composite
def workloads(
    draw: st.DrawFn,
    operators: st.SearchStrategy[Operator] | None = None,
    *,
    elements: st.SearchStrategy[_Format] = DECLARED,
    has_batch: bool = True,
    has_control_flow: bool = True,
) -> Workload:
    """Small workloads: steps over earlier tensors, and any of them as outputs.

    They are products, activations, additions, padding and views, and of `operators` where they
    are given; with `has_control_flow` also loops and branches, with `has_batch` for any number
    of examples. The formats of tensors are drawn from `elements`.
    """
    draft = _Draft(draw, elements)
    kinds = {**_STEPS, **(_CONTROL_FLOW if has_control_flow else {})}
    names = sorted(kinds) + ([""] if operators is not None else [])
    for _ in range(draw(st.integers(1, MOST_STEPS))):
        kind = draw(st.sampled_from(names))
        if kind:
            kinds[kind](draft)
        elif operators is not None:
            draft.add_apart(draw(operators))
    workload = draft.workload()
    return workload.repeated(Symbol(BATCH)) if has_batch else workload


class _Draft:
    """A workload that grows step by step; the tensors that steps read have two axes."""

    def __init__(self, draw: st.DrawFn, elements: st.SearchStrategy[_Format]) -> None:
        self.draw, self.elements = draw, elements
        first = Tensor((draw(_SHORT), draw(_SHORT)), draw(elements))
        self.tensors = {"in": first}
        self.readable, self.made = ["in"], ["in"]
        self.inputs, self.weights = ["in"], list[str]()
        self.steps: list[Step] = []

    def source(self) -> tuple[str, Tensor]:
        """One of the tensors that a step may read."""
        name = self.draw(st.sampled_from(self.readable))
        return name, self.tensors[name]

    def other_of(self, shape: Sequence[int]) -> str:
        """Another one of this shape."""
        alike = [name for name in self.readable if self.tensors[name].shape == tuple(shape)]
        return self.draw(st.sampled_from(alike))

    def declared(self, shape: Sequence[int]) -> Tensor:
        """A tensor of this shape in any format."""
        return Tensor(tuple(shape), self.draw(self.elements))

    def held(self, shape: Sequence[int]) -> tuple[str, Tensor]:
        """A weight of the next step."""
        name = f"w{len(self.steps)}"
        self.tensors[name] = self.declared(shape)
        self.weights.append(name)
        return name, self.tensors[name]

    def arriving(self, name: str, tensor: Tensor) -> str:
        """An input of the workload."""
        self.tensors[name] = tensor
        self.inputs.append(name)
        return name

    def written(self, tensor: Tensor, *, is_readable: bool = True, name: str = "") -> str:
        """A result of the next step."""
        name = name or f"t{len(self.steps)}"
        self.tensors[name] = tensor
        self.made.append(name)
        if is_readable:
            self.readable.append(name)
        return name

    def next_name(self) -> str:
        """That of the next step."""
        return f"s{len(self.steps)}"

    def add_node(self, operator: Operator, *reads: str, folds_into: str | None = None) -> None:
        """An operator that reads tensors and writes one."""
        (output,) = operator.outputs
        layer = "linear" if isinstance(operator, Contraction) else ""
        name, written = self.next_name(), self.written(output.tensor)
        self.steps.append(Node(name, operator, (*reads, written), layer, folds_into=folds_into))

    def add_view(self, kind: str, source: str, shape: Sequence[int], *starts: int) -> None:
        """A tensor seen otherwise."""
        name = self.next_name()
        target = self.written(Tensor(tuple(shape), self.tensors[source].format))
        self.steps.append(View(name, source, target, kind, starts))

    def add_apart(self, operator: Operator) -> None:
        """An operator that shares no tensor with the others."""
        names = []
        for place, operand in enumerate(operator.operands):
            name = f"{operand.role}{len(self.steps)}_{place}"
            names.append(name)
            if operand.role == "output":
                self.written(operand.tensor, is_readable=False, name=name)
            elif operand.role == "input":
                self.arriving(name, operand.tensor)
            else:
                self.tensors[name] = operand.tensor
                self.weights.append(name)
        self.steps.append(Node(self.next_name(), operator, names))

    def workload(self) -> Workload:
        """What has been made of it."""
        outputs = self.draw(st.lists(st.sampled_from(self.made), min_size=1, unique=True))
        return Workload("drawn", self.tensors, self.steps, self.inputs, outputs, self.weights)


def _lengths(tensor: Tensor) -> tuple[int, ...]:
    """Those of all axes, none of which is open."""
    return tuple([length for length in tensor.shape if length is not None])


def _add_product(draft: _Draft) -> None:
    source, given = draft.source()
    weight, held = draft.held((_lengths(given)[-1], draft.draw(_SHORT)))
    result = draft.declared((_lengths(given)[0], _lengths(held)[1]))
    draft.add_node(builders.matmul(given, held, output=result), source, weight)


def _add_activation(draft: _Draft, *, in_place: bool = False) -> None:
    source, given = draft.source()
    result = draft.declared(_lengths(given))
    draft.add_node(builders.activation("relu", given, output=result, in_place=in_place), source)


def _add_activation_in_place(draft: _Draft) -> None:
    _add_activation(draft, in_place=True)


def _add_sum(draft: _Draft) -> None:
    source, given = draft.source()
    other = draft.other_of(_lengths(given))
    result = draft.declared(_lengths(given))
    work = builders.elementwise("add", given, draft.tensors[other], output=result)
    draft.add_node(work, source, other)


def _add_bias(draft: _Draft) -> None:
    _add_constants(draft, draft.source()[0])


def _add_constants(draft: _Draft, source: str, folds_into: str | None = None) -> None:
    given = draft.tensors[source]
    weight, held = draft.held((_lengths(given)[-1],))
    work = builders.elementwise(
        "add", given, weights=[held], output=draft.declared(_lengths(given))
    )  # fmt: skip
    draft.add_node(work, source, weight, folds_into=folds_into)


def _add_normalization(draft: _Draft) -> None:
    """It folds into a product before it, whose result nobody else reads."""
    _add_product(draft)
    product = draft.steps[-1]
    (source,) = product.writes
    draft.readable.remove(source)
    draft.made.remove(source)
    _add_constants(draft, source, product.name)


def _add_padding(draft: _Draft) -> None:
    source, given = draft.source()
    padded = Tensor((_lengths(given)[0] + 1, _lengths(given)[1] + 2), given.format)
    draft.add_node(builders.pad(given, [(1, 0), (1, 1)], output=padded), source)


def _add_reshape(draft: _Draft) -> None:
    source, given = draft.source()
    draft.add_view("reshape", source, _lengths(given)[::-1])


def _add_slice(draft: _Draft) -> None:
    source, given = draft.source()
    start = draft.draw(st.integers(0, _lengths(given)[0] - 1))
    draft.add_view("slice", source, (_lengths(given)[0] - start, _lengths(given)[1]), start, 0)


_STEPS: Final[Mapping[str, Callable[[_Draft], None]]] = {
    "activation": _add_activation, "bias": _add_bias, "in place": _add_activation_in_place,
    "normalization": _add_normalization, "padding": _add_padding, "product": _add_product,
    "reshape": _add_reshape, "slice": _add_slice, "sum": _add_sum,
}  # fmt: skip


def _add_loop(draft: _Draft) -> None:
    """Every step adds a product of a slice to the state, which is an earlier tensor."""
    state, carried = draft.source()
    rows, columns = _lengths(carried)
    name, steps = draft.next_name(), draft.draw(_SHORT)
    slice_ = draft.declared((rows, draft.draw(_SHORT)))
    weight, held = draft.held((_lengths(slice_)[1], columns))
    product = draft.declared(_lengths(carried))
    body = Workload(
        f"step of {name}",
        {"x": slice_, "h": carried, "w": held, "product": product, "next": carried},
        [
            Node("multiply", builders.matmul(slice_, held, output=product), ("x", "w", "product")),
            Node("add", builders.elementwise("add", product, carried, output=carried),
                 ("product", "h", "next")),
        ],
        inputs=["x", "h"], outputs=["next"], weights=["w"],
    )  # fmt: skip
    stacked = Tensor((rows, steps, _lengths(slice_)[1]), slice_.format)
    sequence = draft.arriving(f"sequence{len(draft.steps)}", stacked)
    collected = Tensor((rows, steps, columns), carried.format)
    states = draft.written(collected, is_readable=False, name=f"states{len(draft.steps)}")
    last = draft.written(carried)
    draft.steps.append(
        Loop(
            name=name, body=body, steps=steps, fixed={weight: "w"}, varying={sequence: "x"},
            carried={state: "h"}, carries={"next": "h"}, collected={"next": states},
            last={"next": last}, fused=draft.draw(st.booleans()),
        )
    )  # fmt: skip


def _add_branch(draft: _Draft) -> None:
    """One of two activations."""
    source, given = draft.source()
    name, result = draft.next_name(), draft.declared(_lengths(given))
    target = draft.written(result)
    ways = []
    for function in ("relu", "tanh"):
        work = Node(function, builders.activation(function, given, output=result), (source, target))
        ways.append(Workload(function, {source: given, target: result}, [work], [source], [target]))
    draft.steps.append(Branch(name=name, alternatives=ways))


_CONTROL_FLOW: Final[Mapping[str, Callable[[_Draft], None]]] = {
    "branch": _add_branch, "loop": _add_loop,
}  # fmt: skip


_TURNED: Final = str.maketrans("0123456789", "9876543210")


def renamed(workload: Workload) -> Workload:
    """The same workload with other names of its steps and tensors, which sort otherwise."""
    tensors = {_other(name): tensor for name, tensor in workload.tensors.items()}
    lists = (workload.inputs, workload.outputs, workload.weights)
    inputs, outputs, weights = [[_other(name) for name in names] for names in lists]
    steps = [_renamed_step(step) for step in workload]
    return Workload(_other(workload.name), tensors, steps, inputs, outputs, weights)


def _other(name: str) -> str:
    return f"{name.translate(_TURNED)}, renamed"


def _renamed_step(step: Step) -> Step:
    name = _other(step.name)
    match step:
        case Node():
            into = None if step.folds_into is None else _other(step.folds_into)
            tensors = [_other(one) for one in step.tensors]
            return evolve(step, name=name, tensors=tensors, folds_into=into)
        case View():
            return evolve(step, name=name, source=_other(step.source), target=_other(step.target))
        case Branch():
            ways = [renamed(one) for one in step.alternatives]
            return evolve(step, name=name, alternatives=ways)
    pairs: dict[str, Any] = {
        kind: [(_other(one), _other(other)) for one, other in getattr(step, kind)]
        for kind in ("fixed", "varying", "carried", "carries", "collected", "last")
    }
    zeros = [_other(one) for one in step.zeros]
    return evolve(step, name=name, body=renamed(step.body), zeros=zeros, **pairs)


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

    Parameters that the class declares `positive` are above 0. A class that `uses_memories` gets
    some. Parameters, settings and memories that are `given` are not drawn.
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
    if family.uses_memories and "memories" not in given:
        given["memories"] = draw(memories())
    return family("drawn", title="a drawn device", **figures, **given)


@st.composite
def accesses(draw: st.DrawFn, name: str = "memory.read") -> Access:
    """What an access to a memory costs."""
    return Access(draw(parameters(f"{name}.energy")), draw(st.sampled_from([8, 64, 512])))


@st.composite
def memories(draw: st.DrawFn) -> tuple[Memory, ...]:
    """A memory that holds everything, and perhaps a smaller one for activations before it."""
    outer = Memory(name="dram", **draw(_memory_figures("dram")))
    if not draw(st.booleans()):
        return (outer,)
    bytes_ = float(draw(st.integers(0, 1000)))
    size = Parameter("buffer.size", bytes_, "B", "drawn", Evidence.ASSUMED)
    both = ("input", "output")
    return (Memory(name="buffer", size=size, holds=both, **draw(_memory_figures("buffer"))), outer)


def _memory_figures(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """The energies and the bandwidth of a memory."""
    return st.fixed_dictionaries({
        "read": accesses(f"{name}.read"), "write": accesses(f"{name}.write"),
        "bandwidth": parameters(f"{name}.bandwidth", "B/s", positive=True),
    })  # fmt: skip


@frozen
class FlatDevice(Device):
    """One energy for every operation and one for every element that comes or goes."""

    family: ClassVar = "flat"
    ignores: ClassVar = ("timesteps", "dt", "rates", "formats")
    resources: ClassVar = ("datapath", "buffers")

    energy_per_operation: Parameter = parameter("J")
    energy_per_element: Parameter = parameter("J")

    @handles(*STANDARD)
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
