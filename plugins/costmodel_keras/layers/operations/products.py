"""Functions of keras.ops that sum products: multiply-accumulates."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from attrs import frozen

from costmodel.layer import Work, setting
from costmodel.operators import Activation, Contraction, Elementwise, Movement
from costmodel.tensor import Tensor
from costmodel_keras.layers import settings
from costmodel_keras.layers.operations.operation import (
    BATCH,
    Operation,
    Whole,
    axis_in,
    joined,
    kind,
    reducing,
    without_batch,
)
from costmodel_keras.layers.unruled import LostBatchError, UnruledError


class Product(Operation):
    """Sums of products of two operands along axes that both have."""

    def summed(self) -> Sequence[int | None]:
        """The lengths of the axes that are summed over."""
        raise NotImplementedError

    def operators(self) -> Work:
        """One contraction."""
        depth = math.prod(length or 1 for length in self.summed())
        return (
            Contraction(
                inputs=self.inputs, parameters=self.constants, outputs=self.outputs,
                loops=(("outputs", self.outputs[0].size), ("inputs", depth)), reduction=depth,
            ),
        )  # fmt: skip


class Matmul(Product):
    """Rows of one operand by columns of the other."""

    kinds: ClassVar = (kind("Matmul"),)

    def summed(self) -> Sequence[int | None]:
        """The last axis of the first operand."""
        return self.wholes_given[0][-1:]

    def wholes(self) -> Sequence[Whole]:
        """The broadcast of the axes in front, the rows and the columns."""
        left, right = self.wholes_given
        rows, columns = left[-2:-1], right[-1:] if len(right) > 1 else ()
        meeting = right[-2] if len(right) > 1 else right[-1]
        _check_meeting(left[-1], meeting)
        return ((*joined([left[:-2], right[:-2]]), *rows, *columns),)


def _check_meeting(left: int | None, right: int | None) -> None:
    if BATCH in {left, right}:
        what = "it sums over the batch"
        raise LostBatchError(what)
    if None not in {left, right} and left != right:
        message = f"axes of {left} and {right} cannot be summed together"
        raise ValueError(message)


class Dot(Product):
    """The last axis of one operand by the last but one of the other, or the last if alone."""

    kinds: ClassVar = (kind("Dot"),)

    def summed(self) -> Sequence[int | None]:
        """The last axis of the first operand; a number has none."""
        left, right = self.wholes_given
        return left[-1:] if right else ()

    def wholes(self) -> Sequence[Whole]:
        """The other axes of both."""
        left, right = self.wholes_given
        if not left or not right:
            return (left or right,)
        _check_meeting(left[-1], right[-2] if len(right) > 1 else right[-1])
        return ((*left[:-1], *right[:-2], *(right[-1:] if len(right) > 1 else ())),)


class Inner(Product):
    """The last axes of both operands."""

    kinds: ClassVar = (kind("Inner"),)

    def summed(self) -> Sequence[int | None]:
        """The last axis."""
        return self.wholes_given[0][-1:]

    def wholes(self) -> Sequence[Whole]:
        """The other axes of both."""
        left, right = self.wholes_given
        _check_meeting(left[-1], right[-1])
        return ((*left[:-1], *right[:-1]),)


def _pairs(value: Any) -> int | tuple[tuple[int, ...], tuple[int, ...]]:
    if isinstance(value, int):
        return value
    left, right = value
    return settings.integers(left), settings.integers(right)


@frozen(slots=False)
class Tensordot(Product):
    """Axes of one operand by axes of the other."""

    kinds: ClassVar = (kind("Tensordot"),)

    axes: int | tuple[tuple[int, ...], tuple[int, ...]] = setting(_pairs, default=2)

    def _axes(self) -> tuple[list[int], list[int]]:
        left, right = self.wholes_given
        if isinstance(self.axes, int):
            number = self.axes
            return list(range(len(left) - number, len(left))), list(range(number))
        first, second = self.axes
        return (
            [axis_in(axis, len(left)) for axis in first],
            [axis_in(axis, len(right)) for axis in second],
        )

    def summed(self) -> Sequence[int | None]:
        """The named axes."""
        return [self.wholes_given[0][axis] for axis in self._axes()[0]]

    def wholes(self) -> Sequence[Whole]:
        """The other axes of both."""
        left, right = self.wholes_given
        first, second = self._axes()
        for one, other in zip(first, second, strict=True):
            _check_meeting(left[one], right[other])
        return (
            (
                *[length for i, length in enumerate(left) if i not in first],
                *[length for i, length in enumerate(right) if i not in second],
            ),
        )


_TERM = re.compile(r"([A-Za-z]*)(\.\.\.)?([A-Za-z]*)")


@frozen(slots=False)
class Einsum(Operation):
    """Products summed over the axes that an equation leaves out."""

    kinds: ClassVar = (kind("Einsum"),)

    subscripts: str = setting(settings.text)

    def _terms(self) -> tuple[list[list[str]], list[str]]:
        """The names of the axes of every operand and of the result; elided ones have numbers."""
        text = re.sub(r"\s", "", self.subscripts)
        given, arrow, result = text.partition("->")
        wholes, terms = self.wholes_given, given.split(",")
        if len(terms) != len(wholes):
            message = f"{self.subscripts!r} names {len(terms)} operands, there are {len(wholes)}"
            raise ValueError(message)
        named = [_named(term, len(whole)) for term, whole in zip(terms, wholes, strict=True)]
        elided = max((axes for _, axes in named), key=len)
        if arrow:
            return [names for names, _ in named], _spread(result, elided)
        letters = [name for names, _ in named for name in names if name not in elided]
        return (
            [names for names, _ in named],
            [*elided, *sorted(name for name in set(letters) if letters.count(name) == 1)],
        )

    def _lengths(self) -> Mapping[str, int | None]:
        terms, _ = self._terms()
        lengths: dict[str, int | None] = {}
        for names, whole in zip(terms, self.wholes_given, strict=True):
            for name, length in zip(names, whole, strict=True):
                (lengths[name],) = joined([(lengths.get(name, 1),), (length,)])
        return lengths

    def wholes(self) -> Sequence[Whole]:
        """The axes that the equation keeps."""
        terms, result = self._terms()
        if len(terms) > 2:  # noqa: PLR2004  # two factors
            message = "the order in which more than two operands are multiplied is the library's"
            raise UnruledError(message)
        lengths = self._lengths()
        if BATCH in {length for name, length in lengths.items() if name not in result}:
            _check_meeting(BATCH, None)
        return (tuple([lengths[name] for name in result]),)

    def operators(self) -> Work:
        """One contraction; with one operand a sum, or a movement where nothing is summed."""
        terms, result = self._terms()
        lengths = self._lengths()
        summed = {name: length or 1 for name, length in lengths.items() if name not in result}
        depth = math.prod(summed.values())
        if len(terms) == 1:
            if depth > 1:
                return reducing(("sum",), self.inputs[0], self.outputs[0], depth)
            return (Movement(inputs=self.inputs, outputs=self.outputs, purpose="transposition"),)
        kept = {name: lengths[name] or 1 for name in result if lengths[name] != BATCH}
        return (
            Contraction(
                inputs=self.inputs, parameters=self.constants, outputs=self.outputs,
                loops={**kept, **summed}, reduction=depth,
            ),
        )  # fmt: skip


def _named(term: str, rank: int) -> tuple[list[str], list[str]]:
    match = _TERM.fullmatch(term)
    letters = "" if match is None else match[1] + match[3]
    if match is None or (match[2] is None) != (len(letters) == rank) or len(letters) > rank:
        message = f"{term!r} does not name {rank} axes"
        raise ValueError(message)
    elided = [str(number) for number in range(rank - len(letters), 0, -1)]
    return [*match[1], *elided, *match[3]], elided


def _spread(result: str, elided: Sequence[str]) -> list[str]:
    front, dots, back = result.partition("...")
    return [*front, *(elided if dots else ()), *back]


@frozen(slots=False)
class DotProductAttention(Operation):
    """Values weighed by how well their keys fit the queries."""

    kinds: ClassVar = (kind("DotProductAttention"),)
    takes: ClassVar = ("query", "key", "value", "bias", "mask", "scale")

    attn_logits_soft_cap: Any = setting(default=None)

    def wholes(self) -> Sequence[Whole]:
        """The shape of the queries: length, heads, features."""
        given = self.given
        query, key, value = (self.whole_of(given[name]) for name in ("query", "key", "value"))
        for whole in (query, key, value):
            without_batch(whole)
        if len(query) != _ATTENTION_RANK or len(key) != _ATTENTION_RANK:
            message = "expected queries and keys of length, heads and features"
            raise ValueError(message)
        _check_meeting(query[-1], key[-1])
        return (query,)

    def operators(self) -> Work:
        """Scores, their scaling and softmax, and the weighed values; causal masks save nothing."""
        given = self.given
        query, key, value = (self._tensor(given[name]) for name in ("query", "key", "value"))
        length, heads, features = (n or 1 for n in query.shape)
        reach = key.shape[0] or 1
        scores = Tensor((heads, length, reach))
        loops = (("heads", heads), ("queries", length), ("keys", reach), ("features", features))
        steps = [
            "multiply",
            *(("divide", "tanh", "multiply") if self.attn_logits_soft_cap else ()),
            *(("add",) if given.get("bias") is not None else ()),
            *(("select",) if given.get("mask") is not None else ()),
        ]
        settings: Any = {"inputs": (scores,), "outputs": (scores,), "in_place": True}
        return (
            Contraction(inputs=(query, key), outputs=(scores,), loops=loops, reduction=features),
            *[
                Activation(function=step, **settings)
                if step == "tanh"
                else Elementwise(function=step, **settings)
                for step in steps
            ],
            Activation(function="softmax", **settings),
            Contraction(inputs=(scores, value), outputs=self.outputs, loops=loops, reduction=reach),
        )

    def _tensor(self, value: Any) -> Tensor:
        return Tensor(without_batch(self.whole_of(value)))


_ATTENTION_RANK: Final = 4


class Distances(Operation):
    """The distance of every vector of one operand from every one of the other."""

    kinds: ClassVar = (kind("CDist"),)

    def wholes(self) -> Sequence[Whole]:
        """Vectors of the one by vectors of the other."""
        left, right = self.wholes_given
        _check_meeting(left[-1], right[-1])
        return ((*joined([left[:-2], right[:-2]]), left[-2], right[-2]),)

    def operators(self) -> Work:
        """A difference and a square for each pair of elements, their sum and its root."""
        depth = self.wholes_given[0][-1] or 1
        result = self.outputs[0]
        spread = Tensor((*result.shape, depth))
        return (
            Elementwise(
                inputs=self.inputs, parameters=self.constants, outputs=(spread,),
                function="subtract",
            ),
            *reducing(("multiply", "sum", "sqrt"), spread, result, depth),
        )  # fmt: skip
