"""Windows that move over images, and reductions along axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from costmodel.frontend.operations.work import Value, Work
from costmodel.workload import builders
from costmodel.workload.builders.windows import Padding, PerAxis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costmodel.frontend.operations.work import Rule


def pool(
    image: Value,
    *,
    function: str,
    window: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil: bool = False,
    input_layout: str = "NC*",
) -> Work:
    """Pooling; see `costmodel.pool`."""
    work = builders.pool(
        function, image.tensor, window, stride=stride, padding=padding, dilation=dilation,
        ceil=ceil, input_layout=input_layout,
    )  # fmt: skip
    return Work(work, (image,))


def reduce(
    value: Value, *, function: str, axes: Sequence[int] | None = None, keep_axes: bool = False
) -> Work:
    """All elements along some axes, or all axes, reduced to one."""
    work = builders.reduce(function, value.tensor, axes, keep_axes=keep_axes)
    return Work(work, (value,))


RULES: Final[Mapping[str, Rule]] = {"pool": pool, "reduce": reduce}
