"""Normalisation, softmax and attention: what sums over elements before it scales each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from costmodel.frontend.operations.work import Value, Work
from costmodel.workload import builders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costmodel.frontend.operations.work import Rule


def softmax(value: Value, *, axes: Sequence[int] = (-1,)) -> Work:
    """Exponentials over their sum along some axes."""
    return Work(builders.softmax(value.tensor, axes), (value,))


def scale_and_shift(value: Value, *constants: Value, axis: int) -> Work:
    """A multiplication and an addition of constants along an axis: a batch normalization."""
    place = value.axis(axis)
    work = builders.elementwise(
        "affine", value.tensor, weights=[one.tensor for one in constants], weight_axes=(place,)
    )
    return Work(work, (value, *constants), scales=place)


def normalize(
    value: Value,
    *constants: Value,
    axes: Sequence[int],
    groups: int = 1,
    weight_axes: Sequence[int] | None = None,
    is_centred: bool = True,
) -> Work:
    """Normalization by the statistics along some axes, then a scale and shift by constants."""
    work = builders.normalize(
        value.tensor, axes, weights=[one.tensor for one in constants], weight_axes=weight_axes,
        groups=groups, is_centred=is_centred,
    )  # fmt: skip
    return Work(work, (value, *constants))


def attention(query: Value, key: Value, value: Value, *masks: Value, layout: str = "bhmd") -> Work:
    """Scaled dot-product attention, whole; masks are added to the scores."""
    held = [one for one in masks if one.is_constant]
    work = builders.attention(
        query.tensor, key.tensor, value.tensor, layout=layout,
        weights=[one.tensor for one in held], score_steps=["add"] * len(masks),
    )  # fmt: skip
    return Work(work, (query, key, value, *held))


RULES: Final[Mapping[str, Rule]] = {
    "softmax": softmax,
    "scale_and_shift": scale_and_shift,
    "normalize": normalize,
    "attention": attention,
}
