"""Groups: operators that a device executes as one, and the tensors at their boundaries."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final

from attrs import field, frozen

from costmodel.errors import UnknownNameError
from costmodel.workload.graph import Node, Step, View, Workload
from costmodel.workload.operators import Activation, Elementwise, Movement, Operator

FUSIBLE: Final = {
    "activation": "an activation joins the operator that makes its input",
    "addition": "an addition of two results of one shape joins what makes the later of them",
    "bias": "an addition of weights joins the operator that makes its input",
    "padding": "padding joins the operator that reads it",
}
"""What a device class may name in `fuses`, and what it then does."""


@frozen
class Group:
    """Steps that run as one, in order. A loop, or a branch, is a group of its own."""

    anchor: Step
    """The step that the others are fused into."""
    members: tuple[Step, ...]
    inner: frozenset[str] = frozenset()
    """The tensors that its members make and alone read, which never leave the datapath."""
    nodes: tuple[Node, ...] = field(init=False, eq=False, repr=False)
    """The members that are operators."""

    form: object = field(init=False, eq=False, repr=False)
    """What groups that are priced alike have in common, within one workload.

    The identities of the operators, which of them are folded, and which of their tensors stay
    within the group.
    """

    @nodes.default
    def _nodes(self) -> tuple[Node, ...]:
        return tuple([step for step in self.members if isinstance(step, Node)])

    @form.default
    def _form(self) -> object:
        if len(self.nodes) == 1:
            return id(self.nodes[0].operator)
        inner, within = self.inner, [step.name for step in self.members]
        return tuple(
            [
                (id(node.operator), node.folds_into in within, *[x in inner for x in node.tensors])
                for node in self.nodes
            ]
        )

    @property
    def name(self) -> str:
        """That of its anchor."""
        return self.anchor.name

    def __str__(self) -> str:
        """Write the names of its members."""
        return " + ".join([step.name for step in self.members])


@frozen
class Boundary:
    """The tensors that a group reads from memory and writes to it, by their storage."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]


def fused(
    workload: Workload,
    fuses: Iterable[str] = (),
    *,
    folds_normalization: bool = True,
    activations_apart: bool = False,
) -> tuple[Group, ...]:
    """The groups of a workload: every step by itself, but for those that join another.

    An operator in place joins the one that makes its input, and a normalization the operator
    that it is folded into. What else joins is named by `fuses`, a selection of `FUSIBLE`: it
    joins where nobody else reads the tensor between the two. With `activations_apart`, an
    activation that alone reads a result is not in place: it joins only as `fuses` says.

    Raises:
        UnknownNameError: `fuses` names something else.

    """
    names = frozenset(fuses)
    for name in sorted(names - FUSIBLE.keys()):
        raise UnknownNameError(name, FUSIBLE, "kind of fusion")
    how = {"folds": folds_normalization, "apart": activations_apart}
    key = "groups", names, *how.values()
    return workload.derived(key, lambda: _Fusion(workload, names, **how).groups())


@frozen
class _Flow:
    """Who makes and who reads what, in one workload."""

    steps: Mapping[str, Step]
    storage: Mapping[str, str]
    views: Mapping[str, list[str]]
    """The tensors that are views of another, by what holds them."""
    makers: Mapping[str, Mapping[str, Step]]
    """For each step that may join another, by the storage that it reads, who wrote that last."""
    readers: Mapping[str, list[Step]]
    outside: frozenset[str]
    """The storage of what leaves the workload."""
    weights: frozenset[str]
    rank: Mapping[str, int]
    """The place of each step in the row."""
    may_join: tuple[tuple[Node, str], ...]
    """The operators that can join another, each with what `FUSIBLE` calls it, if anything."""
    grown: dict[tuple[str, ...], Group] = field(factory=dict)
    """Groups, by the names of the anchor and of what joins it."""

    @classmethod
    def of(cls, workload: Workload) -> _Flow:
        storage = storages(workload)
        steps = {step.name: step for step in workload if not isinstance(step, View)}
        readers: dict[str, list[Step]] = {}
        for step in steps.values():
            for name in step.reads:
                readers.setdefault(storage[name], []).append(step)
        views: dict[str, list[str]] = {}
        for name, held in storage.items():
            if name != held:
                views.setdefault(held, []).append(name)
        outside = frozenset([storage[name] for name in workload.outputs])
        nodes = [(step, _fusible(step)) for step in steps.values() if isinstance(step, Node)]
        may_join = [
            (node, kind)
            for node, kind in nodes
            if kind or node.operator.in_place or node.folds_into is not None
        ]
        rank = {name: place for place, name in enumerate(steps)}
        weights = frozenset(workload.weights)
        makers = _makers(steps.values(), storage, {node.name for node, _ in may_join})
        return cls(steps, storage, views, makers, readers, outside, weights, rank, tuple(may_join))


class _Fusion:
    """Groups that grow, step by step."""

    def __init__(
        self, workload: Workload, fuses: frozenset[str], *, folds: bool, apart: bool
    ) -> None:
        flow: _Flow = workload.derived("flow", lambda: _Flow.of(workload))
        self._flow, self._folds = flow, folds
        self._steps, self._storage, self._rank = flow.steps, flow.storage, flow.rank
        self._readers, self._outside = flow.readers, flow.outside
        self._apart = apart
        self._may_join = [
            (node, kind if kind in fuses else "")
            for node, kind in flow.may_join
            if kind in fuses or self._is_in_place(node) or (folds and node.folds_into is not None)
        ]

    def groups(self) -> tuple[Group, ...]:
        """Every step in one group, in the order of the anchors."""
        anchors = self._anchors()
        joined: dict[str, list[Step]] = {}
        for node, _ in self._may_join:
            if anchors[node.name] is not node:
                joined.setdefault(_last(node, anchors).name, []).append(node)
        return tuple(
            [
                self._group(step, joined.get(name, ()))
                for name, step in self._steps.items()
                if anchors[name] is step
            ]
        )

    def _anchors(self) -> Mapping[str, Step]:
        """For each step the one that it joins, which may join another; or itself."""
        anchors: dict[str, Step] = dict(self._steps)
        # What is padded for a step is known only behind the padding.
        for node, kind in self._may_join:
            if kind == "padding" and (reader := self._padded_for(node)) is not None:
                anchors[node.name] = reader
        for node, kind in self._may_join:
            if anchors[node.name] is not node:
                continue
            if (maker := self._joined(node, kind, anchors)) is not None:
                anchors[node.name] = maker
        return anchors

    def _group(self, anchor: Step, joined: Sequence[Step]) -> Group:
        """An anchor and what joins it, once for all kinds of fusion."""
        steps = [anchor, *joined]
        names = tuple([step.name for step in steps])
        grown = self._flow.grown
        if names not in grown:
            steps.sort(key=lambda step: self._rank[step.name])
            inner = self._inner(steps, names) if joined else frozenset()
            grown[names] = Group(anchor, tuple(steps), inner)
        return grown[names]

    def _inner(self, members: Iterable[Step], within: Container[str]) -> frozenset[str]:
        """What members make and alone read; `within` are their names."""
        inner: list[str] = []
        for step in members:
            for written in step.writes:
                name = self._storage[written]
                readers = self._readers.get(name)
                is_inner = name not in self._outside and readers
                if is_inner and all(reader.name in within for reader in readers or ()):
                    inner += [name, *self._flow.views.get(name, ())]
        return frozenset(inner)

    def _padded_for(self, step: Step) -> Step | None:
        """The operator that alone reads what a step pads."""
        (written,) = step.writes
        readers = self._readers.get(self._storage[written], [])
        if len(readers) != 1 or self._storage[written] in self._outside:
            return None
        (reader,) = readers
        return reader if isinstance(reader, Node) else None

    def _joined(self, step: Node, kind: str, anchors: Mapping[str, Step]) -> Step | None:
        """The operator before it that an operator joins."""
        written = self._flow.makers[step.name]
        makers = {name: _last(maker, anchors) for name, maker in written.items()}
        if not makers:
            return None
        (target, *others) = makers.values()
        if others:
            target = max(makers.values(), key=lambda maker: self._rank[maker.name])
        if not isinstance(target, Node) or target.operator.unpriced is not None:
            return None
        if self._is_in_place(step) or self._folds_into(step, target, anchors):
            return target
        if kind == "addition":
            taken = [name for name, maker in makers.items() if maker is target]
            return target if self._are_read_by(step, taken) else None
        is_done_with_it = kind in {"activation", "bias"}
        return target if is_done_with_it and self._is_sole_reader(step) else None

    def _is_in_place(self, node: Node) -> bool:
        """Whether it joins the operator before it on any device."""
        operator = node.operator
        if not (operator.in_place and self._apart and isinstance(operator, Activation)):
            return operator.in_place
        return not self._is_sole_reader(node)

    def _folds_into(self, node: Node, target: Step, anchors: Mapping[str, Step]) -> bool:
        """Whether a normalization is folded into the weights of the group of `target`."""
        if not self._folds or node.folds_into is None or node.folds_into not in anchors:
            return False
        return _last(self._steps[node.folds_into], anchors) is target

    def _is_sole_reader(self, node: Node) -> bool:
        between = {self._storage[name] for name in node.reads} - self._flow.weights
        return bool(between) and self._are_read_by(node, between)

    def _are_read_by(self, node: Node, names: Iterable[str]) -> bool:
        """Whether a node alone reads these, and none of them leaves the workload."""
        return all(self._reads_alone(node, name) and name not in self._outside for name in names)

    def _reads_alone(self, node: Node, name: str) -> bool:
        readers = self._readers[name]
        return len(readers) == 1 and readers[0] is node


def _makers(
    steps: Iterable[Step], storage: Mapping[str, str], wanted: Container[str]
) -> Mapping[str, Mapping[str, Step]]:
    """For the steps of these names, by the storage that they read, who wrote that last."""
    current: dict[str, Step] = {}
    found: dict[str, Mapping[str, Step]] = {}
    for step in steps:
        if step.name in wanted:
            names = dict.fromkeys([storage[name] for name in step.reads])
            found[step.name] = {name: current[name] for name in names if name in current}
        for name in step.writes:
            current[storage[name]] = step
    return found


def _last(step: Step, anchors: Mapping[str, Step]) -> Step:
    """The anchor at the end of a row of steps of which each joins the next."""
    while anchors[step.name] is not step:
        step = anchors[step.name]
    return step


def _fusible(node: Node) -> str:
    """What `FUSIBLE` calls an operator; empty where it names nothing."""
    match node.operator:
        case Activation() if node.operator.unpriced is None:
            return "activation"
        case Movement(purpose="padding") if len(node.writes) == 1 and _adds_zeros(node.operator):
            return "padding"
        case Elementwise(function="add", inputs=[_], weights=[_]):
            return "bias"
        case Elementwise(function="add", inputs=[_, _], weights=[]) if _is_of_one_shape(node):
            return "addition"
    return ""


def _is_of_one_shape(node: Node) -> bool:
    """Whether an operator reads nothing that it repeats."""
    return len({one.tensor.shape for one in node.operator.operands}) == 1


def _adds_zeros(operator: Operator) -> bool:
    """Whether padding has no elements but those of its input and zeros.

    What it mirrors or repeats comes from places that no affine map states, and is not implied by
    the operator that reads it.
    """
    return all(index is not None for operand in operator.operands for index in operand.index)


def storages(workload: Workload) -> Mapping[str, str]:
    """For every tensor the one whose memory holds it: itself, or what it is a view of."""
    return workload.derived("storages", lambda: _storages(workload))


def _storages(workload: Workload) -> Mapping[str, str]:
    held = {name: name for name in workload.tensors}
    for step in workload:
        if isinstance(step, View):
            held[step.target] = held[step.source]
    return held


def boundaries(workload: Workload, groups: Sequence[Group]) -> tuple[Boundary, ...]:
    """What each group reads and writes, but for what its members make for each other alone.

    A result that nobody reads, and that is not an output, stays within its group.
    """
    storage = storages(workload)
    outside = {storage[name] for name in workload.outputs}
    read_by: dict[str, set[int]] = {}
    for place, group in enumerate(groups):
        for step in group.members:
            for name in _read(step, group):
                read_by.setdefault(storage[name], set()).add(place)
    found = []
    for place, group in enumerate(groups):
        arriving: dict[str, None] = {}
        made: dict[str, None] = {}
        for step in group.members:
            names = [storage[name] for name in _read(step, group)]
            arriving.update(dict.fromkeys([name for name in names if name not in made]))
            made.update(dict.fromkeys([storage[name] for name in step.writes]))
        leaving = [name for name in made if name in outside or read_by.get(name, set()) - {place}]
        found.append(Boundary(tuple(arriving), tuple(leaving)))
    return tuple(found)


def _read(step: Step, group: Group) -> tuple[str, ...]:
    """What a member reads: the weights of a normalization that is folded are those of another."""
    if isinstance(step, Node) and is_folded(step, group):
        pairs = zip(step.operator.operands, step.tensors, strict=True)
        return tuple([name for operand, name in pairs if operand.role == "input"])
    return step.reads


def is_folded(node: Node, group: Group) -> bool:
    """Whether a member is a normalization that is folded into the weights of another."""
    return node.folds_into is not None and any(
        step.name == node.folds_into for step in group.members
    )
