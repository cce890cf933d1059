"""Laws of mappings and of their costs, on drawn nests and architectures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve
from figures import near
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from spatial.drawn import architectures, contractions, mappings, nest
from spatial.moving_words import moved, points, word

from costmodel.workload.affine import Affine
from costmodel_hardware.spatial.architecture import SLOTS, Architecture, Level, Port, Slot
from costmodel_hardware.spatial.counting.accounting import Costs, costs
from costmodel_hardware.spatial.counting.validity import MappingError
from costmodel_hardware.spatial.mapping import Mapping as Nesting
from costmodel_hardware.spatial.nest import Loop, Nest, Tensor
from costmodel_hardware.spatial.search.mapper import Found, Search, best_mapping

LATENCY = Search(objective="latency")
BITS = st.sampled_from([None, 64, 128, 256, 512])


@st.composite
def sized(draw: st.DrawFn) -> Architecture:
    """An architecture whose memories may be small."""
    found = draw(architectures())
    levels = [
        evolve(level, size_bits=draw(BITS), double_buffered=draw(st.booleans()))
        for level in found.levels[:-1]
    ]
    return evolve(found, levels=(*levels, found.levels[-1]))


def found_or_skip(small: Nest, architecture: Architecture, ways: Any, search: Any = None) -> Found:
    """The best mapping; the example is left out where nothing fits."""
    try:
        return best_mapping(small, architecture, ways, search)
    except MappingError:
        assume(False)  # noqa: FBT003  # hypothesis has no keyword for it
        raise


def costs_or_skip(small: Nest, architecture: Architecture, mapping: Nesting) -> Costs:
    try:
        return costs(small, architecture, mapping)
    except MappingError:
        assume(False)  # noqa: FBT003
        raise


def with_level(architecture: Architecture, place: int, **changes: Any) -> Architecture:
    levels = list(architecture.levels)
    levels[place] = evolve(levels[place], **changes)
    return evolve(architecture, levels=levels)


def faster(architecture: Architecture, place: int, factor: float) -> Architecture:
    ports = [
        evolve(port, bits_per_cycle=port.bits_per_cycle * factor)
        for port in architecture.levels[place].ports
    ]
    return with_level(architecture, place, ports=ports)


def not_worse(better: Found, worse: Found) -> bool:
    """Whether a search over more, or over what costs less, is not worse, as far as it is proven."""
    limit = worse.value * (1 + 1e-12)
    return better.bound <= limit and (better.gap > 0 or better.value <= limit)


class TestMore:
    """More of anything never costs more."""

    @settings(max_examples=25)
    @given(st.data())
    def test_more_bandwidth_never_increases_energy_or_latency(self, data: Any) -> None:
        architecture, small = data.draw(sized()), nest(data.draw(contractions()))
        mapping = data.draw(mappings(small, architecture))
        place = data.draw(st.integers(0, len(architecture.levels) - 1))
        wider = faster(architecture, place, data.draw(st.sampled_from([1.5, 2.0, 8.0])))
        for search in (Search(), LATENCY):
            before = found_or_skip(small, architecture, [mapping.spatial], search)
            after = best_mapping(small, wider, [mapping.spatial], search)
            assert not_worse(after, before)
        own = costs_or_skip(small, architecture, mapping)
        assert costs(small, wider, mapping).latency.total <= own.latency.total * (1 + 1e-12)

    @settings(max_examples=30)
    @given(st.data())
    def test_larger_memories_never_increase_energy_or_latency(self, data: Any) -> None:
        architecture, small = data.draw(sized()), nest(data.draw(contractions()))
        mapping = data.draw(mappings(small, architecture))
        place = data.draw(st.integers(0, len(architecture.levels) - 1))
        size = architecture.levels[place].size_bits
        assume(size is not None)
        larger = with_level(
            architecture, place, size_bits=size + data.draw(st.sampled_from([1, 8, 40, 400]))
        )
        for search in (Search(), LATENCY):
            before = found_or_skip(small, architecture, [mapping.spatial], search)
            after = best_mapping(small, larger, [mapping.spatial], search)
            assert not_worse(after, before)

    @settings(max_examples=100)
    @given(st.data())
    def test_a_mapping_takes_no_longer_with_larger_memories(self, data: Any) -> None:
        architecture, small = data.draw(sized()), nest(data.draw(contractions()))
        mapping = data.draw(mappings(small, architecture))
        before = costs_or_skip(small, architecture, mapping)
        levels = [
            evolve(one, size_bits=one.size_bits + data.draw(st.integers(0, 300)))
            if one.size_bits
            else one
            for one in architecture.levels
        ]
        after = costs(small, evolve(architecture, levels=levels), mapping)
        assert after.latency.total <= before.latency.total * (1 + 1e-12)
        assert after.energy == near(before.energy)

    @settings(max_examples=25)
    @given(st.data())
    def test_more_ways_to_spread_a_nest_never_increase_the_least(self, data: Any) -> None:
        architecture, small = data.draw(sized()), nest(data.draw(contractions()))
        first, second = (data.draw(mappings(small, architecture)).spatial for _ in range(2))
        for search in (Search(), LATENCY):
            few = found_or_skip(small, architecture, [first], search)
            assert not_worse(best_mapping(small, architecture, [first, second], search), few)


class TestLeast:
    """What no mapping undercuts."""

    @settings(max_examples=100)
    @given(st.data())
    def test_energy_is_that_of_each_word_once_and_of_all_products_at_least(self, data: Any) -> None:
        architecture, small = data.draw(sized()), nest(data.draw(contractions()))
        mapping = data.draw(mappings(small, architecture))
        found = found_or_skip(small, architecture, [mapping.spatial])
        home = architecture.levels[-1]
        bits = {slot: small.tensor(slot).bits * len(touched(small, slot)) for slot in SLOTS}
        least = (
            small.macs * architecture.mac_energy
            + (bits["input"] + bits["weight"]) / home.read_bits * home.read_energy
            + bits["output"] / home.write_bits * home.write_energy
        )
        assert found.value >= least * (1 - 1e-12)

    @settings(max_examples=100)
    @given(st.data())
    def test_cycles_are_those_of_all_units_busy_at_least(self, data: Any) -> None:
        architecture, small = data.draw(architectures()), nest(data.draw(contractions()))
        architecture = evolve(architecture, cycles_per_mac=data.draw(st.integers(1, 3)))
        mapping = data.draw(mappings(small, architecture))
        found = costs(small, architecture, mapping)
        least = small.macs * architecture.cycles_per_mac / architecture.units
        assert found.latency.compute >= least * (1 - 1e-12)
        assert 0 < found.utilization <= 1
        assert found.utilization == near(least / found.latency.compute)

    @settings(max_examples=100)
    @given(st.data())
    def test_an_inner_memory_moves_no_fewer_words_than_the_next_one_outwards(
        self, data: Any
    ) -> None:
        """Where all retain the halo, or none."""
        architecture, small = data.draw(architectures()), nest(data.draw(contractions()))
        retained = data.draw(st.booleans())
        levels = [evolve(one, retains_halo=retained) for one in architecture.levels]
        architecture = evolve(architecture, levels=levels)
        found = costs(small, architecture, data.draw(mappings(small, architecture)))
        flows = {"input": "read_to_below", "weight": "read_to_below", "output": "write_from_below"}
        for slot in SLOTS:
            words = {
                one.link.parent: one.words
                for one in found.transfers
                if one.operand == slot and one.flow == flows[slot]
            }
            across = [words[place] for place in architecture.chain(slot)]
            assert across == sorted(across, reverse=True)

    @settings(max_examples=100)
    @given(st.data())
    def test_no_mapping_of_a_user_is_better_than_the_least(self, data: Any) -> None:
        architecture, small = data.draw(sized()), nest(data.draw(contractions()))
        mapping = data.draw(mappings(small, architecture))
        own = costs_or_skip(small, architecture, mapping)
        found = best_mapping(small, architecture, [mapping.spatial])
        assert found.gap == 0
        assert found.value <= own.energy * (1 + 1e-12)
        quick = best_mapping(small, architecture, [mapping.spatial], LATENCY)
        assert quick.bound <= own.latency.total * (1 + 1e-12)


def touched(small: Nest, slot: Slot) -> set[Any]:
    """The words of an operand that any point accesses."""
    loops = [Loop(dim, size) for dim, size in small.dims]
    whole = Nesting((), loops, dict.fromkeys(SLOTS, ()))
    found = {word(small, slot, point) for _, _, point in points(small, whole)}
    return found - {None}


class TestNames:
    """Names and loops without steps mean nothing."""

    @settings(max_examples=40)
    @given(st.data())
    def test_permuting_names_changes_nothing(self, data: Any) -> None:
        architecture, small = data.draw(sized()), nest(data.draw(contractions()))
        mapping = data.draw(mappings(small, architecture))
        names = [name for name, _ in small.dims]
        new = dict(zip(names, data.draw(st.permutations(names)), strict=True))
        axes = dict(zip("XYZ", data.draw(st.permutations("XYZ")), strict=True))
        order = data.draw(st.permutations(range(len(names))))
        other = evolve(
            small,
            dims=[(new[names[at]], small.dims[at][1]) for at in order],
            **{slot: renamed(small.tensor(slot), new) for slot in SLOTS},
        )
        turned = evolve(
            architecture,
            axes=[(axes[name], size) for name, size in architecture.axes],
            levels=[
                evolve(one, per=[axes[name] for name in one.per]) for one in architecture.levels
            ],
            systolic=[axes[name] for name in architecture.systolic],
        )
        there = Nesting(
            [
                (axes[axis], [Loop(new[dim], size) for dim, size in loops])
                for axis, loops in mapping.spatial
            ],
            [Loop(new[dim], size) for dim, size in mapping.temporal],
            mapping.cuts,
        )
        before = costs_or_skip(small, architecture, mapping)
        after = costs(other, turned, there)
        for one, same in zip(before.transfers, after.transfers, strict=True):
            assert (one.level, one.flow, one.words, one.bits, one.accesses) == (
                same.level, same.flow, same.words, same.bits, same.accesses,
            )  # fmt: skip
        assert after.latency == before.latency
        least = best_mapping(small, architecture, [mapping.spatial])
        assert best_mapping(other, turned, [there.spatial]).value == near(least.value)

    @settings(max_examples=100)
    @given(st.data())
    def test_loops_of_one_step_change_nothing(self, data: Any) -> None:
        architecture, small = data.draw(architectures()), nest(data.draw(contractions()))
        mapping = data.draw(mappings(small, architecture))
        place = data.draw(st.integers(0, len(mapping.temporal)))
        dim = data.draw(st.sampled_from([name for name, _ in small.dims]))
        temporal = [*mapping.temporal[:place], Loop(dim, 1), *mapping.temporal[place:]]
        cuts = {slot: [cut + (cut > place) for cut in several] for slot, several in mapping.cuts}
        longer = Nesting(mapping.spatial, temporal, cuts)
        assert costs(small, architecture, longer) == costs(small, architecture, mapping)

    @settings(max_examples=40)
    @given(st.data())
    def test_a_mapping_comes_back_from_its_dictionary(self, data: Any) -> None:
        architecture, small = data.draw(architectures()), nest(data.draw(contractions()))
        mapping = data.draw(mappings(small, architecture))
        names = {
            slot: [architecture.levels[place].name for place in architecture.chain(slot)]
            for slot in SLOTS
        }
        assert Nesting.read(mapping.to_dict(names)) == mapping


def renamed(tensor: Tensor, names: Mapping[str, str]) -> Tensor:
    index = [
        Affine([(names[dim], factor) for dim, factor in one.terms], one.offset)
        for one in tensor.index
    ]
    return evolve(tensor, index=tuple(index))


class TestRoom:
    """What tiles take in a memory, and refusals."""

    @settings(max_examples=100)
    @given(st.data())
    def test_tiles_take_the_room_of_the_largest_that_the_oracle_holds(self, data: Any) -> None:
        """Windows that hang over the edge have room for all of their positions."""
        architecture, operator = data.draw(architectures()), data.draw(contractions())
        small = nest(operator, partial_bits=8)
        mapping = data.draw(mappings(small, architecture))
        used = costs(small, architecture, mapping).used_bits
        largest = moved(small, architecture, mapping).largest
        hangs = any(
            word(small, slot, point) is None
            for slot in SLOTS
            for _, _, point in points(small, mapping)
        )
        for place, level in enumerate(architecture.levels):
            words = sum(many for (_, at), many in largest.items() if at == place)
            assert used.get(level.name, 0) >= 8 * words
            assert hangs or used.get(level.name, 0) == 8 * words

    @settings(max_examples=100)
    @given(st.data())
    def test_double_buffering_takes_each_tile_twice_unless_it_is_all(self, data: Any) -> None:
        architecture, small = data.draw(architectures()), nest(data.draw(contractions()))
        mapping = data.draw(mappings(small, architecture))
        place = data.draw(st.integers(0, len(architecture.levels) - 1))
        level = architecture.levels[place]
        once = costs(small, architecture, mapping)
        twice = costs(small, with_level(architecture, place, double_buffered=True), mapping)
        own = once.used_bits[level.name]
        assert own <= twice.used_bits[level.name] <= 2 * own
        is_home = place == len(architecture.levels) - 1
        assert not is_home or twice.used_bits[level.name] == own
        assert twice.transfers == once.transfers
        assert twice.latency.exposed <= once.latency.exposed

    @settings(max_examples=100)
    @given(st.data())
    def test_a_refusal_names_the_memory_the_tile_and_the_missing_bits(self, data: Any) -> None:
        architecture, small = data.draw(architectures()), nest(data.draw(contractions()))
        mapping = data.draw(mappings(small, architecture))
        assume(len(architecture.levels) > 1)
        place = data.draw(st.integers(0, len(architecture.levels) - 2))
        level = architecture.levels[place]
        bits = costs(small, architecture, mapping).used_bits[level.name]
        size = data.draw(st.integers(0, bits - 1))
        tight = with_level(architecture, place, size_bits=size)
        with pytest.raises(MappingError) as refused:
            costs(small, tight, mapping)
        expected = (
            rf"memory '{level.name}' has {size:,} bits; its tiles take {bits:,}, "
            rf"{bits - size:,} too many: "
        )
        assert re.match(expected, str(refused.value))
        for slot in level.holds:
            assert f"{slot} " in str(refused.value)
        none = with_level(architecture, place, size_bits=0)
        with pytest.raises(MappingError) as refused:
            best_mapping(small, none, [mapping.spatial])
        expected = (
            rf"memory '{level.name}' has 0 bits; "
            r"the smallest tiles take ([\d,]+), \1 too many"
        )
        assert re.match(expected, str(refused.value))


class TestHalo:
    """What is retained of windows that overlap."""

    @settings(max_examples=80)
    @given(st.data())
    def test_retaining_the_halo_moves_no_more_words_and_each_once_at_least(self, data: Any) -> None:
        architecture, small = data.draw(architectures()), nest(data.draw(contractions()))
        mapping = data.draw(mappings(small, architecture))
        again, kept = (
            costs(
                small,
                evolve(
                    architecture,
                    levels=[evolve(one, retains_halo=is_kept) for one in architecture.levels],
                ),
                mapping,
            )
            for is_kept in (False, True)
        )
        for one, other in zip(kept.transfers, again.transfers, strict=True):
            assert one.words <= other.words
            if one.flow in {"read_to_below", "write_from_above"} and one.operand != "output":
                assert one.words >= len(touched(small, one.operand))

    def test_a_sweep_along_one_dimension_fetches_each_word_once(self) -> None:
        """Of 10 positions of outputs under a window of 3 there are 12 inputs."""
        index = ((Affine.of("p+r"),), (Affine.of("r"),), (Affine.of("p"),))
        tensors = [Tensor(8, (size,), one) for size, one in zip((12, 3, 10), index, strict=True)]
        small = Nest({"p": 10, "r": 3}, *tensors)
        for retained, words in ((False, 30), (True, 12)):
            buffer = Level(name="buffer", holds=("input",), retains_halo=retained)
            architecture = Architecture(
                name="one", axes={"unit": 1}, levels=[buffer, Level(name="dram", holds=SLOTS)]
            )
            loops = [Loop("r", 3), Loop("p", 10)]
            mapping = Nesting((), loops, {"input": [1], "weight": (), "output": ()})
            found = costs(small, architecture, mapping)
            fetched = [one for one in found.transfers if one.flow == "write_from_above"]
            assert [one.words for one in fetched] == [words]


class TestHomes:
    """Operands that come from, or go to, a memory within the outermost."""

    @settings(max_examples=80)
    @given(st.data())
    def test_words_and_bits_are_those_of_the_oracle_and_none_pass_a_home(self, data: Any) -> None:
        architecture, small = data.draw(architectures()), nest(data.draw(contractions()))
        homes: dict[Slot, int] = {}
        for slot in data.draw(st.sets(st.sampled_from(SLOTS))):
            homes[slot] = data.draw(st.sampled_from(architecture.chain(slot)))
        mapping = data.draw(mappings(small, architecture))
        cuts = {
            slot: several[: architecture.chain(slot).index(homes[slot])]
            if slot in homes
            else several
            for slot, several in mapping.cuts
        }
        mapping = evolve(mapping, cuts=cuts)
        found = costs(small, architecture, mapping, homes=homes)
        expected = moved(small, architecture, mapping, homes)
        for one in found.transfers:
            assert one.link.parent <= homes.get(one.operand, len(architecture.levels))
        for kind in ("words", "bits"):
            sums: dict[Any, int] = {}
            for one in found.transfers:
                key = (one.operand, one.level, one.flow)
                sums[key] = sums.get(key, 0) + getattr(one, kind)
            assert {key: many for key, many in sums.items() if many} == dict(
                +getattr(expected, kind)
            )

    @settings(max_examples=40)
    @given(st.data())
    def test_a_home_further_in_never_costs_more_energy(self, data: Any) -> None:
        """Where it has no limit of size."""
        architecture, small = data.draw(architectures()), nest(data.draw(contractions()))
        mapping = data.draw(mappings(small, architecture))
        slot = data.draw(st.sampled_from(SLOTS))
        home = data.draw(st.sampled_from(architecture.chain(slot)))
        search = Search(homes=((slot, home),))
        inside = best_mapping(small, architecture, [mapping.spatial], search)
        outside = best_mapping(small, architecture, [mapping.spatial])
        assert inside.value <= outside.value * (1 + 1e-12)


class TestCycles:
    """Parts of latency."""

    @settings(max_examples=40)
    @given(st.data())
    def test_cycles_of_a_product_lengthen_computing_and_move_nothing_else(self, data: Any) -> None:
        architecture, small = data.draw(architectures()), nest(data.draw(contractions()))
        mapping = data.draw(mappings(small, architecture))
        once = costs(small, architecture, mapping)
        thrice = costs(small, evolve(architecture, cycles_per_mac=3), mapping)
        assert thrice.latency.compute == 3 * once.latency.compute
        assert thrice.transfers == once.transfers
        assert thrice.latency.stall <= once.latency.stall
        assert thrice.latency.exposed <= once.latency.exposed
        assert thrice.latency.fill_and_drain == once.latency.fill_and_drain

    @settings(max_examples=100)
    @given(st.data())
    def test_the_time_is_at_least_that_of_the_busiest_port(self, data: Any) -> None:
        architecture, small = data.draw(architectures()), nest(data.draw(contractions()))
        found = costs(small, architecture, data.draw(mappings(small, architecture)))
        busiest = max(found.port_cycles.values())
        assert found.latency.total >= busiest * (1 - 1e-12)
        assert all(part >= 0 for part in (found.latency.stall, found.latency.exposed))

    def test_a_product_of_three_loops_by_hand(self) -> None:
        """4 x 4 x 4 on 2 x 2 units: outputs stay, 2 inputs and 2 weights come in each cycle."""
        indices = (("m", "k"), ("k", "n"), ("m", "n"))
        tensors = [
            Tensor(8, (4, 4), tuple(Affine.of(name) for name in names), 8 * (1 + 3 * (at == 2)))
            for at, names in enumerate(indices)
        ]
        small = Nest({"m": 4, "n": 4, "k": 4}, *tensors)
        architecture = Architecture(
            name="hand", axes={"rows": 2, "columns": 2}, systolic=("rows", "columns"),
            levels=[
                Level(name="sums", holds=("output",), size_bits=32, per=("rows", "columns")),
                Level(name="dram", holds=SLOTS, read_energy=10.0, read_bits=8,
                      write_energy=10.0, write_bits=8,
                      ports=[Port("port", 64.0, [(slot, flow) for slot in SLOTS for flow in (
                          "read_to_below", "write_from_below")])]),
            ],
            mac_energy=1.0,
        )  # fmt: skip
        spatial = {"rows": [Loop("m", 2)], "columns": [Loop("n", 2)]}
        loops = [Loop("k", 4), Loop("m", 2), Loop("n", 2)]
        mapping = Nesting(spatial, loops, {"input": (), "weight": (), "output": [1]})
        found = costs(small, architecture, mapping)
        words = {(one.operand, one.level, one.flow): one.words for one in found.transfers}
        assert words["input", "dram", "read_to_below"] == 2 * 16
        assert words["weight", "dram", "read_to_below"] == 2 * 16
        assert words["output", "dram", "write_from_below"] == 16
        assert words["output", "dram", "read_to_below"] == 0
        assert words["output", "sums", "write_from_below"] == 64
        assert found.energy == near(64 + 10 * (32 + 32 + 16))
        assert found.latency.compute == 16
        assert found.latency.fill_and_drain == 2
        assert found.latency.stall == 0


def test_serial_dimensions_are_never_spread() -> None:
    tensors = [Tensor(8, (4,), (Affine.of("t"),)) for _ in SLOTS]
    small = Nest({"t": 4}, *tensors, serial=("t",))
    architecture = Architecture(
        name="row", axes={"unit": 4}, levels=[Level(name="dram", holds=SLOTS)]
    )
    mapping = Nesting({"unit": [Loop("t", 4)]}, (), dict.fromkeys(SLOTS, ()))
    with pytest.raises(MappingError, match=r"dimension 't' is spread over the array, but"):
        costs(small, architecture, mapping)


EVERY = [
    (slot, flow)
    for slot in SLOTS
    for flow in ("read_to_below", "write_from_above", "write_from_below", "read_to_above")
]


def test_the_room_that_is_left_goes_to_the_tiles_that_save_most_waiting() -> None:
    """Else a larger buffer had room for a second tile of results, but no longer of weights."""
    indices = (("m", "k"), ("k", "n"), ("m", "n"))
    tensors = [Tensor(8, (4, 4), tuple(Affine.of(name) for name in names)) for names in indices]
    small = Nest({"m": 4, "n": 4, "k": 4}, *tensors)
    loops = [Loop("n", 2), Loop("m", 4), Loop("k", 4), Loop("n", 2)]
    mapping = Nesting((), loops, {"input": [0], "weight": [4], "output": [4]})
    found = []
    for bits in range(264, 600, 8):
        buffer = Level(
            name="buffer", holds=SLOTS, size_bits=bits, ports=[Port("port", 64.0, EVERY)]
        )
        dram = Level(name="dram", holds=SLOTS, ports=[Port("port", 6.0, EVERY)])
        architecture = Architecture(name="one", axes={"unit": 1}, levels=[buffer, dram])
        found.append(costs(small, architecture, mapping).latency.total)
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]
