"""Bills: what every layer of a network costs on one device, and how much of it that covers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from attrs import frozen

from costmodel.devices import Cost, Device, Outcome
from costmodel.errors import UnknownNameError
from costmodel.layer import Layer
from costmodel.workload.operators import Operator
from costmodel.workload.reasons import Free, Reason, Unpriced


@frozen
class Item:
    """One operator of a layer, or None where the layer has none, and what was said of it."""

    operator: Operator | None
    outcome: Outcome


@frozen(slots=False)
class Answer:
    """What a device says to the work of a layer; layers of the same work share it."""

    items: tuple[Item, ...]

    @cached_property
    def cost(self) -> Cost:
        """The charges of all operators."""
        costs = [item.outcome for item in self.items if isinstance(item.outcome, Cost)]
        return Cost.together(costs)

    @cached_property
    def free(self) -> tuple[str, ...]:
        """Why work is free."""
        return _reasons(self.items, Free)

    @cached_property
    def unpriced(self) -> tuple[str, ...]:
        """Why work has no price."""
        return _reasons(self.items, Unpriced)


@frozen
class Line:
    """What one layer costs on one device."""

    layer: Layer
    answer: Answer

    @property
    def items(self) -> tuple[Item, ...]:
        """Each operator of the layer with what the device says to it."""
        return self.answer.items

    @property
    def cost(self) -> Cost:
        """The charges of all operators of the layer."""
        return self.answer.cost

    @property
    def free(self) -> tuple[str, ...]:
        """Why work of this layer is free."""
        return self.answer.free

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Why work of this layer has no price."""
        return self.answer.unpriced


@frozen
class Share:
    """How much of a total was priced or is free with a reason."""

    covered: int
    total: int | None
    """None where a layer without a rule is in it, of which nobody knows how much it is."""

    @property
    def fraction(self) -> float | None:
        """Between 0 and 1; 1 where there is nothing to cover, None where the total is unknown."""
        if self.total is None:
            return None
        return self.covered / self.total if self.total else 1.0


@frozen
class Coverage:
    """How much of a network is in the total, what was free, and what has no price."""

    layers: Share
    operators: Share
    macs: Share
    parameters: Share
    activations: Share
    """Elements of the outputs of layers."""
    free: Mapping[str, tuple[str, ...]]
    unpriced: Mapping[str, tuple[str, ...]]

    @property
    def fraction(self) -> float:
        """The share of layers that are priced or free for a reason."""
        fraction = self.layers.fraction
        return 1.0 if fraction is None else fraction

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing from the total."""
        return not self.unpriced


@frozen(slots=False)
class Bill:
    """A line for every layer of a network on one device."""

    device: Device
    lines: tuple[Line, ...]

    def line(self, layer: str) -> Line:
        """The line of the layer called `layer`.

        Raises:
            UnknownNameError: there is none.

        """
        try:
            return self._by_name[layer]
        except KeyError:
            raise UnknownNameError(layer, self._by_name, "layer") from None

    @cached_property
    def _by_name(self) -> Mapping[str, Line]:
        return {line.layer.name: line for line in self.lines}

    @cached_property
    def total(self) -> Cost:
        """The charges of all layers; the time is known only where it is known for every one."""
        costs = [line.answer.cost for line in self.lines]
        return Cost.together([cost for cost in costs if cost.due or cost.latency_seconds])

    @cached_property
    def is_complete(self) -> bool:
        """Whether nothing is missing from the total."""
        answers = {id(line.answer): line.answer for line in self.lines}
        return not any(_is_unpriced(item) for one in answers.values() for item in one.items)

    @cached_property
    def coverage(self) -> Coverage:
        """How much of the network is in the total."""
        work = [
            (item.operator, not _is_unpriced(item))
            for line in self.lines
            for item in line.items
            if item.operator is not None
        ]
        covered = [line for line in self.lines if not line.unpriced]
        whole = all(item.operator or not _is_unpriced(item) for x in self.lines for item in x.items)
        counted = all(line.layer.is_counted for line in self.lines)
        # A free row without outputs, such as weights of a model, gives nothing.
        shaped = all(line.layer.outputs or line.free for line in self.lines)
        return Coverage(
            layers=Share(len(covered), len(self.lines)),
            operators=Share(
                sum(is_covered for _, is_covered in work), len(work) if whole else None
            ),
            macs=Share(
                sum(operator.macs for operator, is_covered in work if is_covered),
                sum(operator.macs for operator, _ in work) if whole else None,
            ),
            parameters=Share(_parameters(covered), _parameters(self.lines) if counted else None),
            activations=Share(
                sum(_activations(line.layer) for line in covered),
                sum(_activations(line.layer) for line in self.lines) if shaped else None,
            ),
            free={line.layer.name: line.free for line in self.lines if line.free},
            unpriced={line.layer.name: line.unpriced for line in self.lines if line.unpriced},
        )


def _is_unpriced(item: Item) -> bool:
    return isinstance(item.outcome, Unpriced)


def _activations(layer: Layer) -> int:
    return sum(tensor.size for tensor in layer.outputs)


def _parameters(lines: Iterable[Line]) -> int:
    return sum(line.layer.parameter_count for line in lines if line.layer.shares is None)


def _reasons(items: Iterable[Item], sort: type[Reason]) -> tuple[str, ...]:
    found = (item.outcome.reason for item in items if isinstance(item.outcome, sort))
    return tuple(dict.fromkeys(found))
