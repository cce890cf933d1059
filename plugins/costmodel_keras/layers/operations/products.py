"""Functions of keras.ops that sum products: multiply-accumulates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar

from attrs import frozen

from costmodel.network.layer import Work, setting
from costmodel.tensor.shapes import Tensor
from costmodel.workload.builders import attention, contract
from costmodel.workload.operators import Operator, ReadRole
from costmodel_keras.arguments import LayerInput
from costmodel_keras.layers import settings
from costmodel_keras.layers.operations.operation import (
    Length,
    Operation,
    Whole,
    axis_in,
    is_batch,
    joined,
    kind,
    leaves,
    pointwise,
    reducing,
    whole_of,
    without_batch,
)
from costmodel_keras.layers.unsupported import UnsupportedError, mixing

_Axis = TypeVar("_Axis")

Names = tuple[Sequence[str], Sequence[str], Sequence[str]]
"""A name for each whole axis of two operands and of the result; axes of one name are one."""


class Product(Operation):
    """Sums of products of two operands along axes that both have."""

    def names(self) -> Names:
        """The names of the axes of both operands and of the result."""
        raise NotImplementedError

    def operators(self) -> Work:
        """One contraction."""
        return (contracted(self, *self.names()),)


def contracted(
    operation: Operation, left: Sequence[str], right: Sequence[str], kept: Sequence[str]
) -> Operator:
    """The contraction of two operands whose whole axes are named; the batch is left out."""
    tensors = [*operation.inputs, *operation.constants]
    roles: list[ReadRole] = ["input"] * len(operation.inputs)
    roles += ["weight"] * len(operation.constants)
    # The inputs come first: an operand is matched with its names by where it stands in the call.
    axes = _in_order(operation, (left, right))
    result = operation.outputs[0]
    kept = _unbatched(kept, whole_of(result))
    return contract(tensors[:2], axes, kept, roles=roles, output=result)


def _unbatched(names: Sequence[str], whole: Whole) -> Sequence[str]:
    """The names of the axes of a whole shape, without that of the batch."""
    return [name for name, length in zip(names, whole, strict=True) if not is_batch(length)]


def _in_order(operation: Operation, names: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The names of the inputs by their index, then those of the constants, without the batch."""
    found: list[tuple[int, Sequence[str]]] = []
    constants = len(operation.inputs)
    values = [leaf for value in operation.given.values() for leaf in leaves(value)]
    for value, whole_names in zip(values, names, strict=False):
        group = _unbatched(whole_names, operation.whole_of(value))
        if isinstance(value, LayerInput):
            found.append((value.index, group))
        else:
            found.append((constants, group))
            constants += 1
    return [group for _, group in sorted(found, key=lambda item: item[0])]


def _numbered(letter: str, number: int) -> list[str]:
    return [f"{letter}{place}" for place in range(number)]


@frozen(slots=False)
class Matmul(Product):
    """Rows of one operand by columns of the other; TensorFlow's may transpose each before."""

    kinds: ClassVar = (kind("Matmul"),)

    transpose_a: bool = setting(settings.flag, default=False)
    transpose_b: bool = setting(settings.flag, default=False)

    def names(self) -> Names:
        """Axes in front, rows and columns."""
        left, right = (len(whole) for whole in self.wholes_given)
        front = _numbered("b", max(left, right, 2) - 2)
        rows = ["m"] if left > 1 else []
        columns = ["n"] if right > 1 else []
        before = [front[len(front) - max(rank - 2, 0) :] for rank in (left, right)]
        return (
            [*before[0], *_turned([*rows, "k"], is_turned=self.transpose_a)],
            [*before[1], *_turned(["k", *columns], is_turned=self.transpose_b)],
            [*front, *rows, *columns],
        )

    def wholes(self) -> Sequence[Whole]:
        """The broadcast of the axes in front, the rows and the columns."""
        left, right = self.wholes_given
        *rows, inner = _turned(left[-2:], is_turned=self.transpose_a)
        meeting, *columns = _turned(right[-2:], is_turned=self.transpose_b)
        _check_meeting(inner, meeting)
        return ((*joined([left[:-2], right[:-2]]), *rows, *columns),)


def _turned(axes: Sequence[_Axis], *, is_turned: bool) -> Sequence[_Axis]:
    """The two axes of a matrix, exchanged where it is transposed."""
    return axes[::-1] if is_turned else axes


def _check_meeting(left: Length, right: Length) -> None:
    if is_batch(left) or is_batch(right):
        what = "it sums over the batch"
        raise mixing(what)
    if None not in {left, right} and left != right:
        message = f"axes of {left} and {right} cannot be summed together"
        raise ValueError(message)


class Dot(Product):
    """The last axis of one operand by the last but one of the other, or the last if alone."""

    kinds: ClassVar = (kind("Dot"),)

    def names(self) -> Names:
        """The last axis and the last but one in common; a number has none."""
        left, right = (len(whole) for whole in self.wholes_given)
        if not left or not right:
            return (
                _numbered("i", left),
                _numbered("j", right),
                _numbered("i" if left else "j", left or right),
            )
        rows = _numbered("i", left - 1)
        columns = _numbered("j", right - 1)
        second = [*columns[:-1], "k", *columns[-1:]]
        return [*rows, "k"], second, [*rows, *columns]

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

    def names(self) -> Names:
        """The last axes in common."""
        left, right = (len(whole) - 1 for whole in self.wholes_given)
        rows, columns = _numbered("i", left), _numbered("j", right)
        return [*rows, "k"], [*columns, "k"], [*rows, *columns]

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

    def names(self) -> Names:
        """The named axes in common."""
        left, right = self.wholes_given
        first, second = self._axes()
        rows, columns = _numbered("i", len(left)), _numbered("j", len(right))
        for place, (one, other) in enumerate(zip(first, second, strict=True)):
            rows[one] = columns[other] = f"k{place}"
        kept = [name for name in (*rows, *columns) if not name.startswith("k")]
        return rows, columns, kept

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
            raise UnsupportedError(message)
        lengths = self._lengths()
        for name, length in lengths.items():
            if name not in result:
                _check_meeting(length, None)
        return (tuple([lengths[name] for name in result]),)

    def operators(self) -> Work:
        """One contraction; with one operand a sum, or a movement where nothing is summed."""
        terms, result = self._terms()
        if len(terms) > 1:
            left, right = terms
            return (contracted(self, left, right, result),)
        (source,), output = self.inputs, self.outputs[0]
        axes = _unbatched(terms[0], whole_of(source))
        kept = _unbatched(result, whole_of(output))
        return (contract([source], [axes], kept, output=output),)


def _named(term: str, rank: int) -> tuple[list[str], list[str]]:
    match = _TERM.fullmatch(term)
    letters = "" if match is None else match[1] + match[3]
    if match is None or (match[2] is None) != (len(letters) == rank) or len(letters) > rank:
        message = f"{term!r} does not name {rank} axes"
        raise ValueError(message)
    elided = [f"e{number}" for number in range(rank - len(letters), 0, -1)]
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
        steps = [
            "multiply",
            *(("divide", "tanh", "multiply") if self.attn_logits_soft_cap else ()),
            *(("add",) if given.get("bias") is not None else ()),
            *(("select",) if given.get("mask") is not None else ()),
        ]
        work = attention(
            query, key, value, layout="mhd", query_steps=(), score_steps=steps,
            output=self.outputs[0],
        )  # fmt: skip
        return (work,)

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
            pointwise("subtract", self.inputs, spread, weights=self.constants),
            *reducing(("multiply", "sum", "sqrt"), spread, [-1], result),
        )
