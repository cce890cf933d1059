"""The best chain of tiles for costs that add up over the cuts of the operands.

What crosses a link depends only on the tile that the inner memory keeps: all loops within its cut,
and the loops directly above that the operand does not read, which leave the tile in place. Tiles of
one nest of loops divide each other, and any tiles of which each divides the next are the tiles of a
nest. So the best orders, factors and cuts together are a chain of tiles, one for each cut: found by
going through all tiles from the smallest, with the number of cuts made so far for each operand.

A memory that several operands share couples their tiles. The search first gives each of them the
whole memory, and divides their shares as long as they do not fit together (branch and bound).
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from attrs import field, frozen

from costmodel.devices.progress import report
from costmodel_hardware.spatial.architecture import SLOTS, Slot
from costmodel_hardware.spatial.counting.links import ARRAY, Spatial, Swept
from costmodel_hardware.spatial.search.lattice import Lattice, Values


class Cut(NamedTuple):
    """A cut of an operand: what the memory at `place` keeps, or the units of the array.

    Where the memory retains the halo, its tiles may be `swept` along a dimension.
    """

    operand: Slot
    place: int
    swept: Swept | None = None


class _Sizes(NamedTuple):
    """Bits of each tile in a memory: of sums that are not complete, and of anything else."""

    partial: Values
    complete: Values


class _State(NamedTuple):
    """Cuts made so far of each operand, and whether sums are complete in the last one.

    While a tile is `swept` along a dimension, only that one grows.
    """

    input: int
    weight: int
    output: int
    is_reduced: bool
    swept: Swept | None = None


_START: Final = _State(0, 0, 0, is_reduced=False)


class _Move(NamedTuple):
    """A cut that leads from one state to another; none where a sweep ends."""

    before: _State
    choice: Cut | None
    step: tuple[Any, ...]
    """The key of what it costs at each tile, among the steps of a walk."""


@frozen
class Chain:
    """Tiles of the cuts, what they cost, and a bound that no chain lies below."""

    cost: float
    bound: float
    tiles: Mapping[Cut, int]
    """The number of the tile of each cut."""
    swept: Mapping[Cut, Swept]
    """The dimension that is stepped through directly above some of the cuts."""
    chosen: tuple[Cut, ...]
    """The cuts, each with what its own tile is swept along."""

    @property
    def is_optimal(self) -> bool:
        """Whether no chain of the space costs less."""
        return self.bound >= self.cost


@frozen(slots=False)
class Space:
    """All chains of tiles of a nest on an array, with the room that they take."""

    spatial: Spatial
    lattice: Lattice
    cuts: tuple[Cut, ...]
    """Of each operand from the inner to the outer."""
    sizes: Mapping[Cut, _Sizes]
    reduced: np.ndarray[tuple[int], np.dtype[np.bool_]]
    allowed: Mapping[Cut, np.ndarray[tuple[int], np.dtype[np.bool_]]]
    sweeps: Mapping[Cut, tuple[Swept, ...]]
    """Of each cut whose memory retains the halo, along what its tiles may be swept."""
    fixed_bits: Mapping[int, int]
    """Bits of operands that lie in a memory as a whole, by its place."""
    home: Cut | None = None
    """The last of the cuts, where the bits of results depend on whether they arrive complete."""

    @cached_property
    def moves(self) -> Mapping[_State, tuple[_Move, ...]]:
        """The moves that lead to each state, in an order in which walks can reach them."""
        cuts = {slot: [cut for cut in self.cuts if cut.operand == slot] for slot in SLOTS}
        counts = [range(len(cuts[slot]) + 1) for slot in SLOTS]
        states = [
            _State(inputs, weights, outputs, is_reduced, swept)
            for inputs, weights, outputs in sorted(itertools.product(*counts), key=sum)
            for is_reduced in (False, True)
            for swept in (*self.ends, None)
        ]
        return {state: tuple(self._moves_to(state, cuts)) for state in states}

    def _moves_to(self, state: _State, cuts: Mapping[Slot, Sequence[Cut]]) -> Iterator[_Move]:
        for slot in SLOTS:
            done = getattr(state, slot)
            if not done:
                continue
            cut = cuts[slot][done - 1]
            if slot == "output":
                for was in (False, True):
                    before = state._replace(output=done - 1, is_reduced=was)
                    yield _Move(before, cut, (cut, was, state.is_reduced))
                continue
            before = state._replace(**{slot: done - 1})
            is_complete = cut.place != ARRAY
            yield _Move(before, cut, (cut, is_complete))
            if state.swept in self.sweeps.get(cut, ()):
                choice = cut._replace(swept=state.swept)
                yield _Move(before, choice, (choice, is_complete))
                yield _Move(before._replace(swept=None), choice, (choice, is_complete))
        for swept in self.ends if state.swept is None else ():
            yield _Move(state._replace(swept=swept), None, (swept,))

    @cached_property
    def ends(self) -> Mapping[Swept, Values]:
        """For each sweep what ending it costs at each tile: nothing at its end, else infinite."""
        every = dict.fromkeys(itertools.chain(*self.sweeps.values()))
        steps = self.lattice.steps
        return {one: np.where(steps(one.dim) == one.steps, 0.0, np.inf) for one in every}

    @cached_property
    def within(self) -> Mapping[Swept, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        """For each sweep the tiles up to its end."""
        return {one: self.lattice.steps(one.dim) <= one.steps for one in self.ends}

    @classmethod
    def of(cls, spatial: Spatial, lattice: Lattice, stationary: Slot | None = None) -> Space:
        """The chains of a nest on an array.

        A `stationary` operand stays in the units until all that it is used for is done.
        """
        tiles = lattice.tiles
        cuts = tuple(
            Cut(slot, place)
            for slot in SLOTS
            for place in ((ARRAY,) if slot != "output" else ()) + spatial.chains[slot][:-1]
        )
        sizes, allowed = {}, {}
        for cut in cuts:
            if cut.place != ARRAY:
                both = spatial.tile_bits(cut.operand, cut.place, tiles)
                sizes[cut] = _Sizes(*[_flat(bits, lattice) for bits in both])
            allowed[cut] = _allowed(spatial, lattice, cut, stationary)
        reduced = _flat(spatial.is_reduced(tiles), lattice).astype(bool)
        fixed: dict[int, int] = {}
        home = None
        for slot in SLOTS:
            place = spatial.chains[slot][-1]
            whole = _whole_bits(spatial, slot, place)
            bits = whole.complete[0]
            if slot == "output" and not reduced[0]:
                # Sums that come step by step from the array lie there in the width of a sum.
                bits = whole.partial[0]
                is_limited = spatial.architecture.levels[place].size_bits is not None
                if is_limited and len(spatial.chains[slot]) > 1 and bits > whole.complete[0]:
                    home = Cut(slot, place)
                    sizes[home] = _Sizes(*[np.full(lattice.size, one[0]) for one in whole])
                    allowed[home] = np.arange(lattice.size) == lattice.size - 1
                    cuts = (*cuts, home)
                    continue
            fixed[place] = fixed.get(place, 0) + int(bits)
        sweeps = {
            Cut(link.operand, link.child): _sweeps(spatial, lattice, link.operand)
            for link in spatial.links
            if spatial.retains(link)
        }
        return cls(spatial, lattice, cuts, sizes, reduced, allowed, sweeps, fixed, home)

    def choices(self, cut: Cut) -> Iterator[Cut]:
        """A cut as it is, and with each sweep that its tiles may take."""
        yield cut
        for swept in self.sweeps.get(cut, ()):
            yield cut._replace(swept=swept)

    def room(self, place: int) -> float:
        """Bits of a memory that are left for tiles."""
        size = self.spatial.architecture.levels[place].size_bits
        return math.inf if size is None else size - self.fixed_bits.get(place, 0)


def _sweeps(spatial: Spatial, lattice: Lattice, slot: Slot) -> tuple[Swept, ...]:
    """The dimensions along which windows of an operand overlap, with the steps up to any tile."""
    tensor = spatial.nest.tensor(slot)
    windows = [[dim for dim in one.dims if spatial.nest.sizes[dim] > 1] for one in tensor.index]
    return tuple(
        Swept(dim, steps)
        for several in windows
        for dim in several
        for steps in lattice.tiles[dim]
        if len(several) > 1 and steps > 1
    )


def _flat(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], lattice: Lattice) -> Values:
    return np.broadcast_to(values, lattice.shape).reshape(-1).astype(np.float64)


def _whole_bits(spatial: Spatial, slot: Slot, home: int) -> _Sizes:
    """Bits of an operand in the memory that it lies in."""
    whole = {dim: [steps] for dim, steps in spatial.steps.items()}
    return _Sizes(*[one.reshape(1).astype(float) for one in spatial.tile_bits(slot, home, whole)])


def _allowed(
    spatial: Spatial, lattice: Lattice, cut: Cut, stationary: Slot | None
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """The tiles that a cut may have: units of the array hold one word of a factor."""
    nest, tiles = spatial.nest, lattice.tiles
    found = np.ones(lattice.shape, np.bool_)
    own = nest.tensor(cut.operand).dims
    first = ARRAY if cut.operand != "output" else spatial.chains["output"][0]
    for axis, (dim, several) in enumerate(tiles.items()):
        shape = [1] * len(tiles)
        shape[axis] = len(several)
        steps = np.array(several).reshape(shape)
        if cut.place == ARRAY and dim in own:
            found &= steps == 1
        elif stationary == cut.operand and cut.place == first and dim not in own:
            found &= steps == spatial.steps[dim]
    return found.reshape(-1)


class _Walked(NamedTuple):
    """The tile of each cut, the dimension that grows next, and the cuts as they were chosen."""

    tiles: Mapping[Cut, int]
    swept: Mapping[Cut, Swept]
    chosen: tuple[Cut, ...]


@frozen(order=True)
class _Node:
    """Part of the space: the least and the most bits that tiles may take."""

    bound: float
    number: int
    walked: _Walked = field(order=False)
    least: Mapping[Cut, float] = field(order=False)
    most: Mapping[Cut, float] = field(order=False)

    @property
    def tiles(self) -> Mapping[Cut, int]:
        """The number of the tile of each cut."""
        return self.walked.tiles


@frozen(slots=False, eq=False)
class ChainSearch:
    """The chain of least cost; `costs` has a value for each cut and tile."""

    space: Space
    costs: Mapping[Cut, Values]
    constant: float = 0.0
    numbers: Iterator[int] = field(factory=itertools.count, init=False)

    @cached_property
    def shared(self) -> Mapping[int, list[Cut]]:
        """The cuts that share each memory, by its place."""
        found: dict[int, list[Cut]] = {}
        for cut in self.space.cuts:
            if cut.place != ARRAY:
                found.setdefault(cut.place, []).append(cut)
        return found

    @cached_property
    def _root(self) -> _Node | None:
        """The whole space, as if each operand had all of each memory."""
        most = {cut: self.space.room(cut.place) for cut in self.space.cuts if cut.place != ARRAY}
        if any(room < 0 for room in most.values()):
            return None
        least = dict.fromkeys(most, 0.0)
        home = self.space.home
        if home is not None:
            least[home] = float(self.space.sizes[home].complete[0])
            for cut in self.shared[home.place]:
                most[cut] -= least[home] if cut != home else 0.0
        return self._node(least, most)

    @property
    def least(self) -> float:
        """A cost that no chain lies below, known before the search."""
        return math.inf if self._root is None else self._root.bound + self.constant

    def best(self, deadline: float | None = None, below: float = math.inf) -> Chain | None:
        """The chain of least cost; None if none fits, or if all cost more than `below`.

        At the `deadline` (of `time.monotonic`) the best chain so far is the answer, with the bound
        that is proven then.
        """
        queue = [] if self._root is None else [self._root]
        incumbent: _Node | None = None
        while queue:
            node = heapq.heappop(queue)
            report(self._so_far(node, len(queue) + 1, incumbent))
            if node.bound + self.constant > below:
                return None
            over = self._overfull(node)
            if over is None:
                return self._chain(node, node.bound)
            if deadline is not None and time.monotonic() > deadline:
                feasible = incumbent or self._first_feasible([node, *queue])
                return None if feasible is None else self._chain(feasible, node.bound)
            for part in self._parts(node, over):
                if self._overfull(part) is None and (incumbent is None or part < incumbent):
                    incumbent = part
                heapq.heappush(queue, part)
        return None

    def _so_far(self, node: _Node, parts: int, incumbent: _Node | None) -> str:
        """How far a search is whose best part is a node."""
        bound = node.bound + self.constant
        left = f"parts of the space left: {parts:,}"
        if incumbent is None or bound <= 0:
            return left
        return f"{left}, the best so far within {(incumbent.bound - node.bound) / bound:.1%}"

    def _first_feasible(self, nodes: Sequence[_Node]) -> _Node | None:
        """Some chain that fits: the shares of the best node, cut down until they do."""
        for node in sorted(nodes):
            place = node
            for _ in range(64):
                over = self._overfull(place)
                if over is None:
                    return place
                parts = list(self._parts(place, over))
                if not parts:
                    break
                place = parts[0]
        return None

    def _chain(self, node: _Node, bound: float) -> Chain:
        cost = node.bound + self.constant
        return Chain(cost, min(bound + self.constant, cost), *node.walked)

    def _node(self, least: Mapping[Cut, float], most: Mapping[Cut, float]) -> _Node | None:
        found = _Walk(self.space, self.costs, least, most).best()
        if found is None:
            return None
        cost, walked = found
        return _Node(cost, next(self.numbers), walked, least, most)

    def _bits(self, node: _Node, cut: Cut) -> float:
        sizes = self.space.sizes[cut]
        is_complete = cut.operand == "output" and self._arrives_complete(node, cut)
        bits = sizes.partial if cut.operand == "output" and not is_complete else sizes.complete
        return float(bits[node.tiles[cut]])

    def _arrives_complete(self, node: _Node, cut: Cut) -> bool:
        own = [one for one in self.space.cuts if one.operand == "output"]
        place = own.index(cut)
        if place == 0:
            return bool(self.space.reduced[0])
        return bool(self.space.reduced[node.tiles[own[place - 1]]])

    def _overfull(self, node: _Node) -> int | None:
        """The place of a memory whose tiles do not fit together."""
        for place, cuts in self.shared.items():
            if sum(self._bits(node, cut) for cut in cuts) > self.space.room(place):
                return place
        return None

    def _parts(self, node: _Node, place: int) -> Iterator[_Node]:
        """The parts of a node: the operand with most bits has at most half of them, or more.

        Results in their home arrive complete, or do not.
        """
        cuts = self.shared[place]
        bits = {cut: self._bits(node, cut) for cut in cuts}
        largest = max(cuts, key=lambda cut: bits[cut] - node.least[cut])
        middle = math.floor((node.least[largest] + bits[largest]) / 2)
        over = middle + 1.0
        if largest == self.space.home:  # it takes the one or the other, and nothing between
            middle, over = math.floor(node.least[largest]), bits[largest]
        room = self.space.room(place)
        others = sum(node.least[cut] for cut in cuts if cut != largest)
        fewer = {**node.most, largest: min(middle, room - others)}
        part = self._node(node.least, fewer)
        if part is not None:
            yield part
        least = {**node.least, largest: over}
        total = sum(least[cut] for cut in cuts)
        more = dict(node.most)
        for cut in cuts:
            more[cut] = min(more[cut], room - (total - least[cut]))
        if all(more[cut] >= least[cut] for cut in cuts):
            part = self._node(least, more)
            if part is not None:
                yield part


class _Walk:
    """Through all tiles from the smallest, making cuts on the way."""

    def __init__(
        self,
        space: Space,
        costs: Mapping[Cut, Values],
        least: Mapping[Cut, float],
        most: Mapping[Cut, float],
    ) -> None:
        self.space = space
        self.steps: dict[tuple[Any, ...], Values] = {
            (swept,): at_end for swept, at_end in space.ends.items()
        }
        for cut in space.cuts:
            for choice in space.choices(cut):
                costed = np.where(space.allowed[cut], costs[choice], np.inf)
                if cut.place == ARRAY:
                    self.steps[choice, False] = costed
                    continue
                for is_complete, bits in enumerate(space.sizes[cut]):
                    fits = (bits <= most[cut]) & (bits >= least[cut])
                    self.steps[choice, bool(is_complete)] = np.where(fits, costed, np.inf)
            if cut.operand == "output":
                for was, is_reduced in itertools.product((False, True), repeat=2):
                    here = space.reduced == is_reduced
                    step = np.where(here, self.steps[cut, was], np.inf)
                    self.steps[cut, was, is_reduced] = step
        self.values: dict[_State, Values] = {}

    def best(self) -> tuple[float, _Walked] | None:
        """The least cost, and the tile of each cut."""
        begin = _START._replace(is_reduced=bool(self.space.reduced[0]))
        self.values[begin] = np.zeros(self.space.lattice.size)
        states = self.space.moves
        for state in states:
            reached = None if state == begin else self._reached(state)
            if reached is not None:
                self.values[state] = self._grown(state, reached)
        done = [state for state in states if sum(state[:3]) == len(self.space.cuts)]
        ends = [state for state in done if state.swept is None and state in self.values]
        if not ends:
            return None
        # A tile divides the last one, so that the least of all stands there.
        end = min(ends, key=lambda state: float(self.values[state][-1]))
        cost = float(self.values[end][-1])
        return None if math.isinf(cost) else (cost, self._tiles(end, begin))

    def _grown(self, state: _State, values: Values) -> Values:
        """Larger tiles without a cut; while one is swept, up to the end of the sweep."""
        lattice = self.space.lattice
        if state.swept is None:
            return lattice.least_within(values)
        grown = lattice.least_within(values, along=state.swept.dim)
        return np.where(self.space.within[state.swept], grown, np.inf)

    def _reached(self, state: _State) -> Values | None:
        found: Values | None = None
        for before, _, step in self.space.moves[state]:
            so_far = self.values.get(before)
            if so_far is None:
                continue
            value = so_far + self.steps[step]
            found = value if found is None else np.minimum(found, value, out=found)
        return found if found is not None and np.isfinite(found).any() else None

    def _tiles(self, end: _State, begin: _State) -> _Walked:
        """The way back, to smaller tiles and fewer cuts."""
        tiles: dict[Cut, int] = {}
        grows: dict[Cut, Swept] = {}
        chosen: list[Cut] = []
        state, number = end, self.space.lattice.size - 1
        while state != begin:
            came = self._came(state, number)
            if came is None:
                along = None if state.swept is None else state.swept.dim
                number = next(
                    one
                    for one in self.space.lattice.smaller(number, along)
                    if self.values[state][one] == self.values[state][number]
                )
                continue
            before, choice = came
            if choice is not None:
                cut = choice._replace(swept=None)
                tiles[cut] = number
                chosen.append(choice)
                if state.swept is not None:
                    grows[cut] = state.swept
            state = before
        return _Walked(tiles, grows, tuple(chosen))

    def _came(self, state: _State, number: int) -> tuple[_State, Cut | None] | None:
        """The state before this one at the same tile, and the cut between, if any."""
        value = self.values[state][number]
        for before, choice, step in self.space.moves[state]:
            so_far = self.values.get(before)
            if so_far is not None and so_far[number] + self.steps[step][number] == value:
                return before, choice
        return None
