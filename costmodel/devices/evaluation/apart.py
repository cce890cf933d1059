"""Groups apart: the workload of one group of operators of a larger one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from costmodel.devices.evaluation.fusion import Group, storages
from costmodel.workload.graph import Step, View, Workload

if TYPE_CHECKING:
    from collections.abc import Sequence


def apart(workload: Workload, groups: Sequence[Group]) -> tuple[Workload, ...]:
    """The workload of each group, with the names that its steps and tensors have in the whole.

    What a group reads arrives, or is a weight; what others read of it, or leaves the whole, leaves.
    The views through which it reads are among its steps.
    """
    storage = storages(workload)
    weights = {storage[name] for name in workload.weights}
    views = {step.target: step for step in workload if isinstance(step, View)}
    rank = {step.name: place for place, step in enumerate(workload.steps)}
    leaves = _leaving(workload, groups)
    return tuple(
        [_one(workload, group, views, rank, weights, leaves[group.name]) for group in groups]
    )


def _one(  # what `apart` knows of the whole
    workload: Workload,
    group: Group,
    views: dict[str, View],
    rank: dict[str, int],
    weights: set[str],
    leaving: Sequence[str],
) -> Workload:
    made = {name for step in group.members for name in step.writes}
    steps: dict[str, Step] = {step.name: step for step in group.members}
    arriving: dict[str, None] = {}
    for name in [name for step in group.members for name in step.reads]:
        root = name
        while root in views and root not in made:
            steps[views[root].name] = views[root]
            root = views[root].source
        if root not in made:
            arriving[root] = None
    ordered = sorted(steps.values(), key=lambda step: rank[step.name])
    used = {name for step in ordered for name in (*step.reads, *step.writes)}
    used |= {*arriving, *leaving}
    return Workload(
        workload.name,
        {name: tensor for name, tensor in workload.tensors.items() if name in used},
        ordered,
        [name for name in arriving if name not in weights],
        leaving,
        [name for name in arriving if name in weights],
    )


def _leaving(workload: Workload, groups: Sequence[Group]) -> dict[str, list[str]]:
    """What each group writes that another reads, or that leaves the whole, by its name."""
    storage = storages(workload)
    outside = {storage[name] for name in workload.outputs}
    readers: dict[str, set[str]] = {}
    for group in groups:
        for name in _names(group, "reads"):
            readers.setdefault(storage[name], set()).add(group.name)
    found = {}
    for group in groups:
        written = [storage[name] for name in _names(group, "writes")]
        found[group.name] = [
            name
            for name in dict.fromkeys(written)
            if name in outside or readers.get(name, set()) - {group.name}
        ]
    return found


def _names(group: Group, which: str) -> Iterable[str]:
    return [name for step in group.members for name in getattr(step, which)]
