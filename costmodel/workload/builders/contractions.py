"""Builders of products that are summed: matrix products and einsum."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from costmodel.errors import ShapeError
from costmodel.tensor.shapes import Tensor, show_shape
from costmodel.workload.affine import Affine, Index, axis_index
from costmodel.workload.builders.shapes import (
    TensorLike,
    agree,
    broadcast,
    checked_result,
)
from costmodel.workload.operators import (
    Contraction,
    Movement,
    Operand,
    Operator,
    ReadRole,
    Reduction,
    as_tensor,
    as_tensors,
    shape_of,
)

_MATRIX: Final = 2


def matmul(
    left: TensorLike,
    right: TensorLike,
    *,
    bias: TensorLike | None = None,
    left_role: ReadRole = "input",
    right_role: ReadRole = "weight",
    transpose_left: bool = False,
    transpose_right: bool = False,
    output: TensorLike | None = None,
) -> Contraction:
    """A matrix product: rows of `left` by columns of `right`.

    Dimensions: `m` rows, `n` columns, `k` summed; axes in front are `b` (the innermost), `b1` and
    so on, and broadcast. A vector has no rows, or no columns.

    Args:
        left: shape (..., m, k), or (k,); (..., k, m) with `transpose_left`.
        right: shape (..., k, n), or (k,); (..., n, k) with `transpose_right`.
        bias: one element for each column, or as many as the result.
        left_role: `weight` where it is the same for every example.
        right_role: `input` where it differs from example to example.
        transpose_left: whether the last two axes of `left` are exchanged.
        transpose_right: whether the last two axes of `right` are exchanged.
        output: the declared result; its shape is checked.

    Raises:
        ShapeError: the shapes do not fit together.

    """
    first, second = as_tensor(left), as_tensor(right)
    if not first.shape or not second.shape:
        message = "a number has no axis to sum along; expected vectors or matrices"
        raise ShapeError(message)
    rows = _matrix_axes(shape_of(first), ("m", "k"), is_left=True, is_transposed=transpose_left)
    columns = _matrix_axes(
        shape_of(second), ("k", "n"), is_left=False, is_transposed=transpose_right
    )
    lengths = dict(zip(rows[1], shape_of(first)[-len(rows[1]) :], strict=True))
    depth = lengths["k"]
    lengths.update(zip(columns[1], shape_of(second)[-len(columns[1]) :], strict=True))
    if not agree(depth, lengths["k"]):
        message = (
            f"{show_shape(shape_of(first))} by {show_shape(shape_of(second))}: "
            f"axes of {depth} and {lengths['k']} cannot be summed together"
        )
        raise ShapeError(message)
    front = broadcast([shape_of(first)[: rows[0]], shape_of(second)[: columns[0]]])
    names = [f"b{place}" if place else "b" for place in reversed(range(len(front)))]
    kept = [name for name in ("m", "n") if name in lengths]
    dims = {
        **dict(zip(names, front, strict=True)),
        **{name: lengths[name] for name in (*kept, "k")},
    }
    shape = (*front, *(lengths[name] for name in kept))
    front_left = _aligned(shape_of(first)[: rows[0]], front, names)
    front_right = _aligned(shape_of(second)[: columns[0]], front, names)
    operands = [
        Operand(left_role, first, (*front_left, *_each(rows[1]))),
        Operand(right_role, second, (*front_right, *_each(columns[1]))),
    ]
    if bias is not None:
        operands.append(_bias(bias, shape, (*names, *kept)))
    result = checked_result(output, shape, "matrix product")
    return Contraction(
        dims=dims, operands=[*operands, Operand("output", result, _each((*names, *kept)))]
    )


def _matrix_axes(
    shape: Sequence[int], names: tuple[str, str], *, is_left: bool, is_transposed: bool
) -> tuple[int, tuple[str, ...]]:
    """How many axes stand in front, and the names of the others."""
    if len(shape) < _MATRIX:
        return 0, (names[1] if is_left else names[0],)
    return len(shape) - _MATRIX, names[::-1] if is_transposed else names


def _each(names: Sequence[str]) -> Index:
    return tuple([axis_index(name) for name in names])


def _aligned(shape: Sequence[int], front: Sequence[int], names: Sequence[str]) -> Index:
    """The index of axes that broadcast against `front`, aligned at their last."""
    skipped = len(front) - len(shape)
    return tuple(
        [
            axis_index(name) if agree(length, full) else Affine()
            for length, full, name in zip(shape, front[skipped:], names[skipped:], strict=True)
        ]
    )


def _bias(bias: TensorLike, shape: Sequence[int], names: Sequence[str]) -> Operand:
    tensor = as_tensor(bias)
    if broadcast([shape_of(tensor), shape]) != tuple(shape):
        message = (
            f"a bias of {show_shape(shape_of(tensor))} does not fit {show_shape(tuple(shape))}"
        )
        raise ShapeError(message)
    return Operand("weight", tensor, _aligned(shape_of(tensor), shape, names))


# ------------------------------------------------------------------ einsum

_TERM: Final = re.compile(r"([A-Za-z]*)(\.\.\.)?([A-Za-z]*)")


def einsum(
    equation: str,
    *tensors: TensorLike,
    roles: Sequence[ReadRole] = ("input", "weight"),
    bias: TensorLike | None = None,
    output: TensorLike | None = None,
) -> Operator:
    """Products summed over the axes that an equation leaves out.

    Dimensions: the letters of the equation, and `e0`, `e1` for the axes of an ellipsis. Two
    operands make a contraction, one a sum, or a movement where nothing is summed. A letter that
    stands twice in a term takes a diagonal.

    Args:
        equation: such as `bij,bjk->bik`; without an arrow, letters that stand once are kept.
        tensors: one or two operands.
        roles: the role of each; of one operand, the first.
        bias: broadcast against the result.
        output: the declared result; its shape is checked.

    Raises:
        ShapeError: the equation and the shapes do not fit together, or there are more than two
            operands, whose order of multiplication is a choice.
        TypeError: the equation is not a text.

    """
    terms, kept = einsum_terms(equation, [len(as_tensor(tensor).shape) for tensor in tensors])
    if len(tensors) > _MATRIX:
        message = (
            f"{equation!r} has {len(tensors)} operands; expected one or two, "
            "since the order in which more are multiplied is a choice"
        )
        raise ShapeError(message)
    return contract(tensors, terms, kept, roles=roles, bias=bias, output=output)


def contract(
    tensors: Sequence[TensorLike],
    axes: Sequence[Sequence[str]],
    kept: Sequence[str],
    *,
    roles: Sequence[ReadRole] = ("input", "weight"),
    bias: TensorLike | None = None,
    output: TensorLike | None = None,
) -> Operator:
    """Products of one or two operands, summed over the axes that the result does not have.

    Args:
        tensors: one or two operands.
        axes: for each operand a name for each of its axes; axes of one name are one dimension.
        kept: the names of the axes of the result.
        roles: the role of each operand.
        bias: broadcast against the result.
        output: the declared result; its shape is checked.

    Raises:
        ShapeError: axes of one name differ in length, and none of them is 1; there are more than
            two operands; or the names are not those of the axes.
        TypeError: the names or the roles are something else than texts in a row.

    """
    given = as_tensors(tensors)
    if not 1 <= len(given) <= _MATRIX:
        message = f"expected one operand or two, found {len(given)}"
        raise ShapeError(message)
    _check_names(axes, kept, roles)
    if len(roles) < len(given):
        message = f"{len(given)} operands have roles {tuple(roles)}; expected one for each"
        raise ShapeError(message)
    lengths = _lengths(axes, given)
    operands = [
        Operand(role, tensor, _elided(names, shape_of(tensor), lengths))
        for role, tensor, names in zip(roles, given, axes, strict=False)
    ]
    unknown = [name for name in kept if name not in lengths]
    if unknown or len(set(kept)) < len(kept):
        message = f"{tuple(kept)} are not axes of the operands, each once: {', '.join(lengths)}"
        raise ShapeError(message)
    shape = tuple([lengths[name] for name in kept])
    if bias is not None:
        operands.append(_bias(bias, shape, kept))
    operands.append(Operand("output", checked_result(output, shape, "contraction"), _each(kept)))
    summed = [name for name in lengths if name not in kept]
    dims = {name: lengths[name] for name in (*kept, *summed)}
    if len(given) == _MATRIX:
        return Contraction(dims=dims, operands=operands)
    if summed:
        return Reduction(dims=dims, operands=operands, function="sum")
    return Movement(dims=dims, operands=operands, purpose="transposition")


def _check_names(axes: Any, kept: Any, roles: Any) -> None:
    of_operands = list(axes) if isinstance(axes, Iterable) else [axes]
    rows = [("names of the axes of an operand, such as ('m', 'k')", row) for row in of_operands]
    rows.append(("names of the axes of the result, such as ('m', 'n')", kept))
    rows.append(("the role of each operand, such as ('input', 'weight')", roles))
    for what, given in rows:
        if not isinstance(given, Iterable) or not all(isinstance(name, str) for name in given):
            message = f"expected {what}, found {given!r:.80}"
            raise TypeError(message)


def _lengths(axes: Sequence[Sequence[str]], tensors: Sequence[Tensor]) -> dict[str, int]:
    """The length of every named axis."""
    if len(axes) != len(tensors):
        message = f"{len(tensors)} operands have names for the axes of {len(axes)}"
        raise ShapeError(message)
    lengths: dict[str, int] = {}
    for names, tensor in zip(axes, tensors, strict=True):
        if len(names) != len(shape_of(tensor)):
            message = f"{tuple(names)} does not name the axes of {show_shape(shape_of(tensor))}"
            raise ShapeError(message)
        for name, length in zip(names, shape_of(tensor), strict=True):
            lengths[name] = broadcast([(lengths.get(name, 1),), (length,)])[0]
    return lengths


def _elided(names: Sequence[str], shape: Sequence[int], lengths: Mapping[str, int]) -> Index:
    return tuple(
        [
            axis_index(name) if agree(length, lengths[name]) else Affine()
            for name, length in zip(names, shape, strict=True)
        ]
    )


def einsum_terms(equation: str, ranks: Sequence[int]) -> tuple[list[list[str]], list[str]]:
    """The names of the axes of every operand and of the result.

    Raises:
        ShapeError: the equation does not fit operands of these numbers of axes.
        TypeError: it is not a text.

    """
    text = re.sub(r"\s", "", _equation(equation))
    given, arrow, result = text.partition("->")
    terms = given.split(",")
    if len(terms) != len(ranks):
        message = f"{equation!r} names {len(terms)} operands, there are {len(ranks)}"
        raise ShapeError(message)
    most = max(
        rank - len(re.sub(r"\.\.\.", "", term)) for term, rank in zip(terms, ranks, strict=True)
    )
    elided = [f"e{place}" for place in range(most)]
    named = [_named(term, rank, elided) for term, rank in zip(terms, ranks, strict=True)]
    letters = [name for names in named for name in names]
    if not arrow:
        once = sorted(name for name in set(letters) - set(elided) if letters.count(name) == 1)
        return named, [*elided, *once]
    front, dots, back = result.partition("...")
    kept = [*front, *(elided if dots else ()), *back]
    unknown = [name for name in kept if name not in letters]
    if unknown or len(set(kept)) < len(kept):
        message = f"{equation!r}: the result {result!r} does not name axes of the operands once"
        raise ShapeError(message)
    return named, kept


def _equation(given: Any) -> str:
    if not isinstance(given, str):
        message = f"expected an equation such as 'ij,jk->ik', found {given!r:.80}"
        raise TypeError(message)
    return given


def _named(term: str, rank: int, elided: Sequence[str]) -> list[str]:
    match = _TERM.fullmatch(term)
    letters = "" if match is None else match[1] + match[3]
    if match is None or (len(letters) != rank and match[2] is None) or len(letters) > rank:
        message = f"{term!r} does not name {rank} axes"
        raise ShapeError(message)
    return [*match[1], *elided[len(elided) - (rank - len(letters)) :], *match[3]]
