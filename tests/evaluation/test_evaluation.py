"""Whole workloads on a device: energy, time and memory of groups, loops and branches."""

from __future__ import annotations

import math
from typing import Any

import pytest
from attrs import evolve, frozen
from figures import near
from hypothesis import given
from hypothesis import strategies as st
from plans import Powered, Sheet, figure, plans, powered, sheet
from workloads import classifier, either, recurrent
from worlds import REGISTRY, TRIED

import costmodel
from costmodel import Free, Scenario, Unpriced
from costmodel.devices import Cost, Fused, Schedule, Traffic, handles
from costmodel.errors import NetworkError, PluginError, ScenarioError
from costmodel.tensor.shapes import Tensor
from costmodel.workload.assembly import Assembly
from costmodel.workload.graph import Branch, Loop, Node, Workload
from costmodel.workload.operators import Movement, Operator, Unsupported, unmapped


@given(plans(), st.integers(0, 200))
def test_energy_is_the_work_of_all_steps_and_what_crosses_the_boundaries(
    workload: Workload, capacity: int
) -> None:
    device = sheet(capacity)
    estimate = device.evaluate(workload)
    work = sum(
        node.operator.macs or sum(node.operator.operations.values()) or node.operator.points
        for each in estimate.groups
        for node in each.group.nodes
        if node.folds_into not in {step.name for step in each.group.members}
    )
    price = {"buffer": (16, 1.0, 2.0), "dram": (64, 10.0, 20.0)}
    moved = 0.0
    for each in estimate.groups:
        for one in each.traffic:
            width, read, written = price[one.memory]
            moved += math.ceil(one.read_bits / width) * read
            moved += math.ceil(one.written_bits / width) * written
    assert estimate.energy_joules == near(work + moved)
    for sums in (estimate.energy_joules_by_resource, estimate.energy_joules_by_role):
        assert sum(sums.values()) == near(estimate.energy_joules)


@given(plans(), st.integers(0, 200))
def test_the_makespan_lies_between_the_busiest_resource_and_the_sum_of_all(
    workload: Workload, capacity: int
) -> None:
    estimate = sheet(capacity).evaluate(workload)
    busy = estimate.busy_seconds
    assert estimate.latency_seconds is not None
    assert max(busy.values(), default=0.0) <= estimate.latency_seconds * (1 + 1e-9)
    assert estimate.latency_seconds <= sum(busy.values()) * (1 + 1e-9)
    if busy:
        assert busy[estimate.limiting_resource or ""] == max(busy.values())
    assert all(0 <= share <= 1 + 1e-9 for share in estimate.busy_share.values())
    cost = estimate.cost
    assert cost.latency_seconds_low <= cost.latency_seconds <= cost.latency_seconds_high  # type: ignore[operator]  # the device is timed


@frozen(slots=False)
class Piped(Sheet):
    """Works at several parts of a batch at the same time."""

    def schedule(self, groups: Any, placement: Any, scenario: Scenario) -> Schedule:
        names = [each.group.name for each in groups]
        return Schedule.pipelined(names, [each.cost for each in groups], 8)


@given(plans(), st.integers(0, 200))
def test_a_pipeline_is_no_shorter_than_its_groups_use_what_they_share(
    workload: Workload, capacity: int
) -> None:
    plain = sheet(capacity)
    piped = Piped("piped", energy=plain.energy, clock=plain.clock, memories=plain.memories)
    estimate, serial = piped.evaluate(workload), plain.evaluate(workload)
    assert all(0 <= share <= 1 + 1e-9 for share in estimate.busy_share.values())
    assert estimate.latency_seconds <= serial.latency_seconds * (1 + 1e-9)  # type: ignore[operator]  # the device is timed


@given(plans())
def test_static_energy_is_static_power_over_the_makespan(workload: Workload) -> None:
    estimate = powered().evaluate(workload)
    assert estimate.static.energy_joules == near(3.0 * (estimate.latency_seconds or 0.0))
    low, high = estimate.static.energy_joules_low, estimate.static.energy_joules_high
    assert low == near(3.0 * (estimate.cost.latency_seconds_low or 0.0))
    assert high == near(6.0 * (estimate.cost.latency_seconds_high or 0.0))
    rest = sheet().evaluate(workload).energy_joules
    assert estimate.energy_joules == near(rest + estimate.static.energy_joules)


def test_weights_are_read_once_for_a_batch() -> None:
    one, many = (sheet().evaluate(classifier(), Scenario(batch=batch)) for batch in (1, 8))

    def read(estimate: Any, role: str) -> int:
        return sum(x.read_bits for each in estimate.groups for x in each.traffic if x.role == role)

    assert read(many, "weight") == read(one, "weight") == 32 * (16 * 27 + 40960)
    assert read(many, "input") == 8 * read(one, "input")
    assert many.energy_joules_per_inference < one.energy_joules
    assert many.throughput == near(8 / (many.latency_seconds or 0))
    assert many.average_power_watts == near(many.energy_joules / (many.latency_seconds or 0))


def test_activations_that_fit_into_the_buffer_never_leave_the_chip() -> None:
    roomy, tight = (sheet(size).evaluate(classifier()) for size in (10**6, 0))
    weights, image, scores = 4 * (16 * 27 + 40960), 4 * 3 * 32 * 32, 4 * 10
    assert roomy.traffic_bytes["dram"] == (weights + image, scores)
    assert tight.traffic_bytes["buffer"] == (0, 0)
    assert roomy.energy_joules < tight.energy_joules
    features, pooled = 4 * 16 * 32 * 32, 4 * 16 * 16 * 16
    assert roomy.peak_bytes["buffer"] == features + pooled
    assert roomy.fits
    dram = evolve(sheet().memories[1], size=figure("size", 1000.0, "B"))
    assert not evolve(sheet(), memories=[dram]).evaluate(classifier()).fits


def test_a_member_of_a_group_has_its_own_work_and_the_anchor_what_the_group_moves() -> None:
    estimate = sheet().evaluate(classifier())
    conv, relu = (estimate.outcomes[name] for name in ("conv", "relu"))
    assert isinstance(conv, Cost)
    assert isinstance(relu, Cost)
    assert [charge.role for charge in relu.charges] == ["compute"]
    whole = estimate.group("relu").cost.energy_joules
    assert conv.energy_joules + relu.energy_joules == near(whole)
    assert estimate.group("relu") is estimate.group("conv")


def test_members_say_where_they_are_done_if_a_device_prices_a_group_as_one() -> None:
    @frozen(slots=False)
    class Whole(Sheet):
        def price_group(self, group: Any, placement: Any, scenario: Any) -> Any:
            return self._cost("array", len(group.members), "run")

    plain = sheet()
    estimate = Whole("whole", energy=plain.energy, clock=plain.clock).evaluate(classifier())
    assert isinstance(estimate.outcomes["conv"], Cost)
    assert estimate.outcomes["relu"] == Fused("done within 'conv'", "conv")


@pytest.mark.parametrize("steps", [1, 3, 50])
def test_a_loop_reads_weights_in_every_step_if_no_nearer_memory_holds_them(steps: int) -> None:
    loop = sheet().evaluate(recurrent(steps))
    (group,) = loop.groups
    assert group.body is not None
    # A state of 12 bytes takes 2 reads of DRAM, the last state 2 writes.
    once = 2 * 10 + 2 * 20
    # 24 operations, a slice of 16 bytes and weights of 48 and 36 from DRAM, and in the buffer
    # 4 reads and 3 writes of 12.
    step = 24 + (2 + 6 + 5) * 10 + 4 * 6 * 1 + 3 * 6 * 2 - 6
    assert group.body.energy_joules == near(step)
    assert loop.energy_joules == near(once + steps * step)
    assert loop.traffic_bytes["dram"] == (12 + (16 + 84) * steps, 12)
    assert loop.traffic_bytes["buffer"] == (36 * steps, 36 * steps)
    loaded = (12 + 12) / 2
    assert loop.latency_seconds == near(loaded + steps * (group.body.latency_seconds or 0))
    assert loop.busy_seconds["dram"] == near(loaded + steps * (16 + 84) / 2)
    assert loop.busy_seconds["array"] == near(steps * 21 / 4)


@pytest.mark.parametrize(
    ("room", "kept"), [(0, 0), (47, 36), (83, 48), (84, 84), (1000, 84)], ids=str
)
def test_a_loop_keeps_the_weights_nearer_that_have_room_there(room: int, kept: int) -> None:
    steps = 5
    plain = sheet()
    cache = evolve(
        plain.memories[0], name="cache", size=figure("size", float(room), "B"), holds=("weight",)
    )
    device = evolve(plain, memories=[cache, *plain.memories])
    loop = device.evaluate(recurrent(steps))
    assert loop.traffic_bytes["cache"] == (kept * steps, kept)
    assert loop.traffic_bytes["dram"] == (12 + kept + (16 + 84 - kept) * steps, 12)
    assert loop.peak_bytes["cache"] == kept
    assert loop.fits
    (group,) = loop.groups
    weights = [one for one in group.loaded.charges if one.role == "weight"]
    assert bool(weights) == bool(kept)


@pytest.mark.parametrize("workload", [classifier().bind(batch=1), recurrent(3)], ids=["a", "b"])
def test_every_timestep_moves_what_one_does(workload: Workload) -> None:
    one, many = (sheet().evaluate(workload, Scenario(timesteps=count)) for count in (1, 7))
    for memory, (read, written) in one.traffic_bytes.items():
        assert many.traffic_bytes[memory] == (7 * read, 7 * written)
    assert many.peak_bytes == one.peak_bytes
    axis = sheet().evaluate(workload, Scenario(timesteps=7, time_axis=0))
    assert axis.traffic_bytes == one.traffic_bytes


def test_parts_of_an_operator_hold_and_move_what_lies_between_them() -> None:
    heads = (1, 8, 8, 64)
    made = Assembly("attention")
    whole = costmodel.attention(heads, heads, heads)
    result = made.add(whole, *[made.input(name, heads) for name in "qkv"], name="mix")
    estimate = sheet(3000).evaluate(made.workload([result]), Scenario(default_format="int8"))
    tensor, scores = 8 * 8 * 64, 8 * 8 * 8
    # The scaled queries have no room in the buffer. The scores are written by their product and
    # by either half of the softmax, whose subtraction, exponential and quotient are in place.
    assert estimate.traffic_bytes["dram"] == (4 * tensor, 2 * tensor)
    assert estimate.traffic_bytes["buffer"] == (3 * scores, 3 * scores)
    assert estimate.peak_bytes["buffer"] == 2 * scores
    assert [str(each.group) for each in estimate.groups] == [
        "mix/multiply", "mix/contraction", "mix/max + mix/subtract + mix/exp",
        "mix/sum + mix/divide", "mix/contraction.2",
    ]  # fmt: skip


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 6))
def test_steps_of_a_loop_in_a_pipeline_end_when_a_simulation_of_them_does(
    sizes: list[int], steps: int
) -> None:
    @frozen(slots=False)
    class Stages(Sheet):
        """Every operator has a resource of its own."""

        resources = (*Sheet.resources, *[f"f{place}" for place in range(9)])
        fuses = ()

        def price_group(self, group: Any, placement: Any, scenario: Any) -> Any:
            count = group.anchor.operator.points
            return self._cost(f"f{group.name[1:]}", count, "run")

        def repeat(self, body: Any, loop: Any) -> Cost:
            assert not loop.carries
            return body.pipelined(loop.steps)

    total = max(sizes)
    made = Assembly("body")
    name = made.input("x", (1, total))
    for place, size in enumerate(sizes):
        part = made.part(name, 1, 0, size)
        made.add(costmodel.activation("relu", (1, size)), part, name=f"f{place}")
    body = made.workload([f"f{len(sizes) - 1}.out"])
    loop = Loop(
        name="loop", body=body, steps=steps, axis=0, varying=[("xs", "x")],
        collected=[(body.outputs[0], "ys")],
    )  # fmt: skip
    workload = Workload(
        "steps", {"xs": (steps, 1, total), "ys": (steps, 1, sizes[-1])}, [loop], ["xs"], ["ys"]
    )
    free = [
        evolve(each, bandwidth=figure("rate", 1e12, "B/s"), size=None) for each in sheet().memories
    ]
    device = Stages("stages", energy=sheet().energy, clock=sheet().clock, memories=free)
    estimate = device.evaluate(workload)
    done = [0.0] * (steps + 1)
    for size in sizes:
        ends = [0.0]
        for step in range(1, steps + 1):
            ends.append(max(done[step], ends[-1]) + size / 4)
        done = ends
    assert estimate.latency_seconds == near(done[-1], rel=1e-6)


def test_what_a_class_moves_is_what_is_reported_charged_and_timed() -> None:
    @frozen(slots=False)
    class Twice(Sheet):
        def move(self, workload: Any, groups: Any, placement: Any, scenario: Any) -> Any:
            once = super().move(workload, groups, placement, scenario)
            return tuple((*each, *each) for each in once)

    plain = sheet(0)
    twice = Twice("twice", energy=plain.energy, clock=plain.clock, memories=plain.memories)
    for workload in (classifier(), recurrent(3)):
        one, two = (device.evaluate(workload) for device in (plain, twice))
        read, written = one.traffic_bytes["dram"]
        loads = 12 if workload.name == "rnn" else 0  # a loop loads and stores its state once
        assert two.traffic_bytes["dram"] == (2 * read - loads, 2 * written - loads)
        busy = [each.busy_seconds["dram"] for each in (one, two)]
        assert busy[1] == near(2 * busy[0] - 2 * loads / 2)
        assert two.energy_joules_by_resource["dram"] > one.energy_joules_by_resource["dram"]


@pytest.mark.parametrize(
    ("step", "answer", "message"),
    [
        ("place", None, "place: expected a Placement, found None"),
        ("move", None, "move: expected a tuple of Traffic for each of 3 groups, found None"),
        ("move", (), "move: expected a tuple of Traffic for each of 3 groups"),
        ("price_traffic", None, "price_traffic: expected a Cost, found None"),
        ("schedule", 3.0, "schedule: expected a Schedule, found 3.0"),
    ],
)
def test_a_step_that_gives_something_else_is_named(step: str, answer: Any, message: str) -> None:
    wrong = frozen(slots=False)(type("Wrong", (Sheet,), {step: lambda *_: answer}))
    plain = sheet()
    device = wrong("wrong", energy=plain.energy, clock=plain.clock, memories=plain.memories)
    with pytest.raises(PluginError, match=f"device class 'Wrong', {message}"):
        device.evaluate(classifier())


def test_a_memory_that_is_not_there_is_named_with_the_nearest() -> None:
    @frozen(slots=False)
    class Misspelt(Sheet):
        def place(self, *given: Any) -> Any:
            found = super().place(*given)
            return evolve(
                found, residences=[evolve(one, memory="drum") for one in found.residences]
            )

    plain = sheet()
    device = Misspelt("misspelt", energy=plain.energy, clock=plain.clock, memories=plain.memories)
    with pytest.raises(PluginError, match=r"'drum', which is not a memory of the device.*'dram'"):
        device.evaluate(classifier())


def test_a_memory_is_not_called_as_a_resource_of_the_class() -> None:
    plain = sheet()
    array = evolve(plain.memories[0], name="array")
    with pytest.raises(ValueError, match="memory 'array' is called as a resource of device class"):
        evolve(plain, memories=[array, *plain.memories])


def test_slices_of_a_sequence_lie_where_the_sequence_does() -> None:
    chained = Workload(
        "chained",
        {"x": (1, 5, 4), "sequence": (1, 5, 4), "start": (1, 3), "W": (4, 3), "U": (3, 3),
         "end": (1, 3)},
        [Node("relu", costmodel.activation("relu", (1, 5, 4)), ("x", "sequence")),
         *recurrent(5)],
        ["x", "start"], ["end"], ["W", "U"],
    )  # fmt: skip
    roomy = sheet(10**6).evaluate(chained)
    assert roomy.group("rnn").traffic == (
        Traffic("dram", "input", 96, 0), Traffic("dram", "output", 0, 96),
        Traffic("buffer", "input", 5 * (128 + 3 * 96), 0), Traffic("dram", "weight", 5 * 672, 0),
        Traffic("buffer", "output", 0, 5 * 3 * 96),
    )  # fmt: skip
    assert roomy.peak_bytes["buffer"] == 80 + 36
    # With the sequence in the buffer, a step has no room in it.
    tight = sheet(80).evaluate(chained)
    assert tight.peak_bytes["buffer"] == 80
    assert tight.fits


def test_a_loop_draws_static_power_over_the_whole_makespan_once() -> None:
    estimate = powered().evaluate(recurrent(4))
    assert estimate.static.energy_joules == near(3.0 * (estimate.latency_seconds or 0))
    (group,) = estimate.groups
    assert group.body is not None
    assert not group.body.static.charges


def test_a_step_of_a_loop_needs_its_memory_beside_that_of_the_loop() -> None:
    estimate = sheet(10**6).evaluate(recurrent(5))
    # Within a step: the state and both products, or both products and their sum.
    assert estimate.peak_bytes["buffer"] == 4 * (3 + 3 + 3)
    assert estimate.peak_bytes["dram"] == 4 * (5 * 4 + 3 + 12 + 9 + 3)


def test_of_a_branch_the_dearest_alternative_is_taken() -> None:
    @frozen(slots=False)
    class Choosy(Sheet):
        def price(self, operator: Any, scenario: Any = None) -> Any:
            cost = super().price(operator, scenario)
            return cost.times(5, "tries") if operator.function == "tanh" else cost

    plain = sheet()
    device = Choosy("choosy", energy=plain.energy, clock=plain.clock)
    estimate = device.evaluate(either())
    (group,) = estimate.groups
    assert group.body is not None
    assert group.body.workload.name == "tanh"
    assert estimate.energy_joules == 5 * 4
    assert [one.workload.name for one in group.alternatives] == ["relu", "tanh"]
    inside = evolve(device, memories=plain.memories).evaluate(either())
    assert inside.traffic_bytes == {"buffer": (0, 0), "dram": (16, 16)}
    assert inside.peak_bytes == {"buffer": 0, "dram": 32}


def test_alternatives_may_have_weights_and_inputs_of_their_own() -> None:
    expert = Workload(
        "expert", {"x": (1, 4), "w": (4, 4), "y": (1, 4)},
        [Node("product", costmodel.matmul((1, 4), (4, 4)), ("x", "w", "y"))], ["x"], ["y"], ["w"],
    )  # fmt: skip
    other = Workload(
        "other", {"z": (1, 4), "y": (1, 4)},
        [Node("relu", costmodel.activation("relu", (1, 4)), ("z", "y"))], ["z"], ["y"],
    )  # fmt: skip
    whole = Workload(
        "experts", {"x": (1, 4), "z": (1, 4), "w": (4, 4), "y": (1, 4)},
        [Branch(name="choice", alternatives=[expert, other])], ["x", "z"], ["y"], ["w"],
    )  # fmt: skip
    estimate = sheet().evaluate(whole)
    (group,) = estimate.groups
    assert group.body is not None
    assert group.body.workload.name == "expert"
    assert estimate.traffic_bytes["dram"] == (4 * (4 + 16), 4 * 4)
    assert estimate.weight_bytes == 4 * 16


def test_the_scenario_of_a_result_is_the_given_one_and_may_be_used_again() -> None:
    scenario, loihi = Scenario(rates={"*": 10.0}), REGISTRY.device("loihi")
    found = loihi.evaluate(classifier(), scenario)
    assert found.scenario is scenario
    again = loihi.evaluate(either(), found.scenario)
    assert again.scenario is scenario


def test_work_without_a_price_is_named_and_the_rest_is_priced() -> None:
    row = [Tensor((4,))]
    operands = [*unmapped("input", row), *unmapped("output", row)]
    odd = Unsupported(reason="nobody knows", operands=operands)
    whole = Workload(
        "odd", {"x": (4,), "y": (4,), "z": (4,)},
        [Node("odd", odd, ("x", "y")),
         Node("relu", costmodel.activation("relu", (4,)), ("y", "z"))],
        ["x"], ["z"],
    )  # fmt: skip
    estimate = sheet().evaluate(whole)
    assert estimate.unpriced == {"odd": "nobody knows"}
    assert not estimate.is_complete
    assert isinstance(estimate.outcomes["relu"], Cost)
    assert estimate.latency_seconds == estimate.group("relu").cost.latency_seconds
    assert set(powered().evaluate(whole).unpriced) == {"odd"}


def test_what_is_free_says_why() -> None:
    @frozen(slots=False)
    class Still(Sheet):
        @handles(Movement)
        def carried(self, operator: Operator, scenario: Any) -> Any:  # the same in all
            return Free("nothing moves")

    plain = sheet()
    device = Still("still", energy=plain.energy, clock=plain.clock)
    padded = Workload(
        "padded", {"x": (2, 2), "y": (4, 4)},
        [Node("pad", costmodel.workload.builders.pad((2, 2), [(1, 1), (1, 1)]), ("x", "y"))],
        ["x"], ["y"],
    )  # fmt: skip
    estimate = device.evaluate(padded)
    assert estimate.free == {"pad": "nothing moves"}
    assert estimate.energy_joules == 0
    assert estimate.fits is None
    assert estimate.peak_bytes == {}


def test_a_rule_that_fails_is_named_with_its_node() -> None:
    @frozen(slots=False)
    class Broken(Sheet):
        @handles(Movement)
        def carried(self, operator: Operator, scenario: Any) -> Any:  # it fails
            return operator.nothing  # type: ignore[attr-defined]  # the fault

        def price_group(self, *given: Any) -> Any:
            raise KeyError(given[0].name)

    plain = sheet()
    device = Broken("broken", energy=plain.energy, clock=plain.clock)
    with pytest.raises(PluginError, match="'conv' on 'broken' cannot be priced: KeyError"):
        device.evaluate(classifier())


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (("array", "mover", "chip"), "resource 'vector'; declared: array, mover, chip, buffer, dr"),
        (
            ("arrays", "vector", "mover"),
            "'array'; .* .nearest: 'arrays'.; add it to `resources` of",
        ),
        ((), "resource 'array'; declared: buffer, dram; add it to `resources` of the class"),
        (
            ("array", "vector", "mover"),
            "resource 'chip'; declared: array, vector, mover, buffer, d",
        ),
    ],
)
def test_a_resource_that_the_class_does_not_declare_is_refused(
    declared: tuple[str, ...], message: str
) -> None:
    kind = frozen(type("Odd", (Powered,), {"resources": declared, "__annotations__": {}}))
    plain = powered()
    device = kind(
        "odd", energy=plain.energy, clock=plain.clock, idle_power=plain.idle_power,
        memories=plain.memories,
    )  # fmt: skip
    said = f"on 'odd': device class 'Odd' does not declare .*{message}"
    with pytest.raises(PluginError, match=said):
        device.evaluate(classifier())


def test_memories_are_declared_by_their_names() -> None:
    assert sheet().declared_resources == ("array", "vector", "mover", "buffer", "dram")
    assert set(sheet().evaluate(classifier()).energy_joules_by_resource) <= {
        *sheet().declared_resources
    }


def test_workloads_that_an_evaluation_cannot_use_are_refused() -> None:
    network: Any = 5
    with pytest.raises(TypeError, match=r"expected a Workload, as costmodel.lower"):
        sheet().evaluate(network)
    with pytest.raises(ScenarioError, match="has no symbol 'batch', so its batch is in it"):
        sheet().evaluate(recurrent(3), Scenario(batch=8))
    length = costmodel.tensor.sizes.Symbol("length")
    open_ended = Workload(
        "open", {"x": (length,), "y": (length,)},
        [Node("relu", costmodel.activation("relu", (length,)), ("x", "y"))], ["x"], ["y"],
    )  # fmt: skip
    with pytest.raises(NetworkError, match="depend on length; bind it first"):
        sheet().evaluate(open_ended)


def test_a_member_without_a_price_is_named_and_the_others_keep_theirs() -> None:
    @frozen(slots=False)
    class Picky(Sheet):
        def price(self, operator: Any, scenario: Any = None) -> Any:
            if type(operator).__name__ == "Activation":
                return Unpriced("no activations")
            return super().price(operator, scenario)

    plain = sheet()
    estimate = Picky("picky", energy=plain.energy, clock=plain.clock).evaluate(classifier())
    assert estimate.unpriced == {"relu": "no activations"}
    assert not estimate.is_complete
    assert isinstance(estimate.outcomes["conv"], Cost)
    assert estimate.energy_joules > 0


DEVICES = [name for name in TRIED if not REGISTRY.device(name).memories]


@pytest.mark.parametrize("make", [classifier, lambda: recurrent(100)])
@pytest.mark.parametrize("name", DEVICES)
def test_a_device_without_memories_and_fusion_costs_the_sum_of_its_prices(
    name: str, make: Any
) -> None:
    scenario = Scenario(rates=10.0)
    device = REGISTRY.device(name)
    if "fusion" in device.settings:
        device = device.with_parameters(fusion=False)
    workload = make()
    bound = workload.bind(batch=1) if workload.symbols else workload
    estimate = device.evaluate(workload, scenario)
    prices_ = [device.price(operator, scenario) for operator in bound.operators]
    costs = [price for price in prices_ if isinstance(price, Cost)]
    assert estimate.energy_joules == near(Cost.together(costs).energy_joules)
    assert len(estimate.unpriced) == sum(isinstance(price, Unpriced) for price in prices_)
    assert estimate.fits is None


@given(plans(), st.integers(0, 200))
def test_without_a_shared_port_reads_and_writes_overlap_at_the_bandwidth_each(
    workload: Workload, capacity: int
) -> None:
    shared = sheet(capacity)
    apart = evolve(shared, memories=[evolve(one, shared_port=False) for one in shared.memories])
    together, split = shared.evaluate(workload), apart.evaluate(workload)
    assert split.energy_joules == together.energy_joules
    assert split.traffic_bytes == together.traffic_bytes
    rates = {"buffer": 8.0, "dram": 2.0}
    for each, other in zip(split.groups, together.groups, strict=True):
        for memory, rate in rates.items():
            read = sum(one.read_bits for one in each.traffic if one.memory == memory) / 8 / rate
            written = (
                sum(one.written_bits for one in each.traffic if one.memory == memory) / 8 / rate
            )
            assert each.busy_seconds.get(f"{memory}.read", 0.0) == near(read)
            assert each.busy_seconds.get(f"{memory}.write", 0.0) == near(written)
            assert other.busy_seconds.get(memory, 0.0) == near(read + written)
    assert (split.latency_seconds or 0.0) <= (together.latency_seconds or 0.0) * (1 + 1e-9)


def test_the_estimate_has_the_area_that_the_device_states() -> None:
    buffer, dram = sheet().memories
    stated = evolve(sheet(), memories=[evolve(buffer, area=figure("area", 2e-6, "m2")), dram])
    assert stated.evaluate(classifier()).area_square_metres == 2e-6
    assert sheet().evaluate(classifier()).area_square_metres is None


@pytest.mark.parametrize("memories", [sheet().memories, ()], ids=["memories", "none"])
@pytest.mark.parametrize("workload", [recurrent(5), either()], ids=["loop", "branch"])
def test_static_energy_is_charged_once_whatever_bodies_a_workload_has(
    workload: Workload, memories: Any
) -> None:
    estimate = evolve(powered(), memories=memories).evaluate(workload)
    static = estimate.energy_joules_by_role["static"]
    assert static == near(3.0 * (estimate.latency_seconds or 0.0))
