"""Operators that stay whole, and decompose: softmax, normalization, attention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from costmodel.tensor.shapes import Tensor
from costmodel.workload.affine import axis_index
from costmodel.workload.operators import (
    ELEMENTWISE,
    Activation,
    Contraction,
    Elementwise,
    Operand,
    Operator,
    Reduction,
)


def _names(given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        message = f"expected several names, such as ({given!r:.40},), found {given!r:.40}"
        raise TypeError(message)
    if not isinstance(given, Iterable) or not all(isinstance(one, str) for one in given):
        message = f"expected names, such as ('multiply',), found {given!r:.80}"
        raise TypeError(message)
    return tuple(given)


@frozen(kw_only=True, cache_hash=True)
class Softmax(Activation):
    """Exponentials of the elements along some dimensions, over their sum.

    It counts as one activation for each element, as other functions do. `decompose` states its
    steps: maximum, difference, exponential, sum and quotient.
    """

    over: tuple[str, ...] = field(converter=_names)
    function: str = field(default="softmax", init=False)

    def decompose(self) -> Sequence[Operator]:
        """The steps of the numerically stable form."""
        (source,), (result,) = self.inputs, self.outputs
        kept = [(name, size) for name, size in self._dims if name not in self.over]
        statistic = Tensor([size for _, size in kept], result.format)
        index = tuple([axis_index(name) for name, _ in kept])
        least = Operand("output", statistic, index)
        inside = evolve(result, role="input")

        def step(function: str, *operands: Operand) -> Operator:
            return Elementwise(
                dims=self._dims, operands=(*operands, result), function=function, in_place=True
            )

        def collected(function: str, operand: Operand) -> Operator:
            return Reduction(dims=self._dims, operands=(operand, least), function=function)

        held = evolve(least, role="input")
        return (
            collected("max", source),
            step("subtract", source, held),
            Activation(dims=self._dims, operands=(inside, result), function="exp", in_place=True),
            collected("sum", inside),
            step("divide", inside, held),
        )


@frozen(kw_only=True, cache_hash=True)
class Normalization(Operator):
    """Elements scaled by the statistics of the dimensions `over`, and by trained constants.

    With `is_centred` the mean is subtracted; without, the mean square alone is used.
    """

    over: tuple[str, ...] = field(converter=_names)
    is_centred: bool = True

    @property
    def operations(self) -> Mapping[str, int]:
        """Those of its steps, together."""
        return _together(self.decompose())

    def decompose(self) -> Sequence[Operator]:
        """The mean, the mean square, then the scaling of every element."""
        (source,), (result,) = self.inputs, self.outputs
        kept = [(name, size) for name, size in self._dims if name not in self.over]
        index = tuple([axis_index(name) for name, _ in kept])
        statistic = Operand("output", Tensor([size for _, size in kept]), index)
        mean = Reduction(dims=self._dims, operands=(source, statistic), function="mean")
        square = Elementwise(
            dims=self._dims, operands=(source, evolve(source, role="output")),
            function="multiply", in_place=True,
        )  # fmt: skip
        scaling = Elementwise(
            dims=self._dims,
            operands=(source, evolve(statistic, role="input"), *self.weights, result),
            function="normalize", steps=1 + bool(self.weights),
        )  # fmt: skip
        return (*([mean] if self.is_centred else []), square, mean, scaling)


@frozen(kw_only=True, cache_hash=True)
class Attention(Operator):
    """Values weighed by the softmax of the products of queries and keys.

    Dimensions: `b` what attends apart, `h` heads, `m` queries, `n` keys, `d` features of a key,
    `e` features of a value; where several heads of queries share one of keys, `g` counts those of
    keys, and `h` those of queries that share it. A device that keeps the scores on chip stores
    none of them; `decompose` states them.
    """

    query_steps: tuple[str, ...] = field(default=(), converter=_names)
    """Functions of every element of the queries, such as a scaling."""
    score_steps: tuple[str, ...] = field(default=(), converter=_names)
    """Functions of every score before the softmax, such as a scaling or a mask."""

    @property
    def macs(self) -> int:
        """Those of the scores and of the weighed values."""
        return sum([step.macs for step in self.decompose()])

    @property
    def operations(self) -> Mapping[str, int]:
        """Those of its steps, together."""
        return _together(self.decompose())

    def decompose(self) -> Sequence[Operator]:
        """The scores, the functions of them, their softmax, and the weighed values."""
        query, key, value = self.inputs
        (result,) = self.outputs
        sizes = self.dims
        kept = [name for name in sizes if name not in {"d", "e"}]
        index = tuple([axis_index(name) for name in kept])
        scores = Tensor([sizes[name] for name in kept])
        made, held = Operand("output", scores, index), Operand("input", scores, index)
        over = tuple([(name, sizes[name]) for name in kept])
        first = [(name, size) for name, size in self._dims if name != "e"]
        last = [(name, size) for name, size in self._dims if name != "d"]
        asked = [(name, sizes[name]) for name in query.dims]
        scalar = Operand("input", Tensor(()), ())
        return (
            *[
                _step(name, asked, query, scalar, evolve(query, role="output"))
                for name in self.query_steps
            ],
            Contraction(dims=first, operands=(key, query, made)),
            *[_step(name, over, held, *self.weights, made) for name in self.score_steps],
            Softmax(dims=over, operands=(held, made), over=("n",), in_place=True),
            Contraction(dims=last, operands=(held, value, result)),
        )


def _step(function: str, dims: Sequence[tuple[str, int]], *operands: Operand) -> Operator:
    kind = Elementwise if function in ELEMENTWISE else Activation
    return kind(dims=dims, operands=operands, function=function, in_place=True)


def _together(steps: Sequence[Operator]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for step in steps:
        for name, count in step.operations.items():
            counts[name] = counts.get(name, 0) + count
    return counts
