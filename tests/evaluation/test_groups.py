"""Groups: which operators run as one, and what crosses their boundaries."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from plans import plans
from workloads import classifier, either, recurrent

from costmodel.devices.evaluation.fusion import FUSIBLE, boundaries, fused, storages
from costmodel.errors import UnknownNameError
from costmodel.workload.builders import activation, conv, elementwise, pad, rearrange
from costmodel.workload.graph import Node, View, Workload

fusions = st.sets(st.sampled_from(sorted(FUSIBLE)))


@given(plans(), fusions)
def test_every_step_but_a_view_is_in_one_group(workload: Workload, fuses: set[str]) -> None:
    members = [step for group in fused(workload, fuses) for step in group.members]
    steps = [step for step in workload if not isinstance(step, View)]
    assert sorted(step.name for step in members) == sorted(step.name for step in steps)


@given(plans(), fusions)
def test_what_a_group_reads_is_there_before_it(workload: Workload, fuses: set[str]) -> None:
    storage, groups = storages(workload), fused(workload, fuses)
    there = {storage[name] for name in workload.sources}
    for group, boundary in zip(groups, boundaries(workload, groups), strict=True):
        assert set(boundary.reads) <= there, str(group)
        made = set()
        for step in group.members:
            assert {storage[name] for name in step.reads} <= there | made
            made |= {storage[name] for name in step.writes}
        there |= set(boundary.writes)
    assert {storage[name] for name in workload.outputs} <= there


@given(plans(), fusions)
def test_what_stays_within_a_group_is_read_by_nobody_else(
    workload: Workload, fuses: set[str]
) -> None:
    storage, groups = storages(workload), fused(workload, fuses)
    crossing = [{*boundary.reads, *boundary.writes} for boundary in boundaries(workload, groups)]
    for place, group in enumerate(groups):
        within = {storage[name] for step in group.members for name in step.writes}
        for name in within - crossing[place]:
            assert all(name not in other for other in crossing)
            assert name not in {storage[one] for one in workload.outputs}


def chain(*, is_read_twice: bool = False, in_place: bool = False) -> Workload:
    """Padding, a convolution, a bias and an activation."""
    image, padded, sums = (1, 2, 4, 4), (1, 2, 6, 6), (1, 3, 4, 4)
    steps = [
        Node("pad", pad(image, [(0, 0), (0, 0), (1, 1), (1, 1)]), ("image", "padded")),
        Node("conv", conv(padded, (3, 2, 3, 3)), ("padded", "kernel", "sums")),
        Node("bias", elementwise("add", sums, weights=[(3,)], weight_axes=[1]),
             ("sums", "offsets", "shifted")),
        Node("relu", activation("relu", sums, in_place=in_place), ("shifted", "features")),
    ]  # fmt: skip
    return Workload(
        "chain",
        {"image": image, "padded": padded, "kernel": (3, 2, 3, 3), "sums": sums, "offsets": (3,),
         "shifted": sums, "features": sums},
        steps, ["image"], ["features", "shifted"] if is_read_twice else ["features"],
        ["kernel", "offsets"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fuses", "expected"),
    [
        ((), ["pad", "conv", "bias", "relu"]),
        (("activation",), ["pad", "conv", "bias + relu"]),
        (("bias",), ["pad", "conv + bias", "relu"]),
        (("padding",), ["pad + conv", "bias", "relu"]),
        (("activation", "bias", "padding"), ["pad + conv + bias + relu"]),
    ],
)
def test_a_device_fuses_what_it_names(fuses: tuple[str, ...], expected: list[str]) -> None:
    assert [str(group) for group in fused(chain(), fuses)] == expected


def shortcut(*, is_read_twice: bool = False, is_wider: bool = False) -> Workload:
    """Two convolutions of one image, the sum of their results, and an activation."""
    image, sums = (1, 2, 4, 4), (1, 3, 4, 4)
    other = (1, 3, 1, 1) if is_wider else sums
    kernel = (3, 2, 4, 4) if is_wider else (3, 2, 1, 1)
    steps = [
        Node("first", conv(image, kernel), ("image", "kernel", "left")),
        Node("second", conv(image, (3, 2, 1, 1)), ("image", "point", "right")),
        Node("add", elementwise("add", other, sums), ("left", "right", "both")),
        Node("relu", activation("relu", sums), ("both", "features")),
    ]
    tensors = {"image": image, "kernel": kernel, "point": (3, 2, 1, 1), "left": other,
               "right": sums, "both": sums, "features": sums}  # fmt: skip
    outputs = ["features", "right"] if is_read_twice else ["features"]
    return Workload("shortcut", tensors, steps, ["image"], outputs, ["kernel", "point"])


def test_a_shortcut_is_added_where_the_later_of_both_results_is_made() -> None:
    groups = fused(shortcut(), ["addition", "activation"])
    assert [str(group) for group in groups] == ["first", "second + add + relu"]
    boundary = boundaries(shortcut(), groups)[1]
    assert boundary.reads == ("image", "point", "left")
    assert boundary.writes == ("features",)


def test_a_shortcut_is_added_apart_where_others_read_the_later_result_or_a_side_is_repeated() -> (
    None
):
    for workload in (shortcut(is_read_twice=True), shortcut(is_wider=True)):
        groups = fused(workload, ["addition"])
        assert [str(group) for group in groups] == ["first", "second", "add", "relu"]


def test_padding_that_mirrors_is_no_part_of_the_operator_that_reads_it() -> None:
    steps = {step.name: step for step in chain().steps}
    mirrored = rearrange("padding", [(1, 2, 4, 4)], [(1, 2, 6, 6)])
    steps["pad"] = evolve(steps["pad"], operator=mirrored)
    groups = fused(evolve(chain(), steps=list(steps.values())), FUSIBLE)
    assert [str(group) for group in groups] == ["pad", "conv + bias + relu"]


def test_a_whole_chain_is_one_group_of_its_convolution() -> None:
    (group,) = groups = fused(chain(), FUSIBLE)
    assert group.name == "conv"
    (boundary,) = boundaries(chain(), groups)
    assert boundary.reads == ("image", "kernel", "offsets")
    assert boundary.writes == ("features",)


def test_what_others_read_is_not_fused_over() -> None:
    groups = fused(chain(is_read_twice=True), FUSIBLE)
    assert [str(group) for group in groups] == ["pad + conv + bias", "relu"]


def test_an_operator_in_place_joins_what_makes_its_input_on_every_device() -> None:
    groups = fused(chain(in_place=True))
    assert [str(group) for group in groups] == ["pad", "conv", "bias + relu"]


def test_the_activation_of_a_layer_may_run_apart() -> None:
    layer = chain(in_place=True)
    apart = fused(layer, ["bias"], activations_apart=True)
    assert [str(group) for group in apart] == ["pad", "conv + bias", "relu"]
    joined = fused(layer, ["activation", "bias"], activations_apart=True)
    assert [str(group) for group in joined] == ["pad", "conv + bias + relu"]


def test_an_activation_of_what_others_read_too_stays_in_place() -> None:
    groups = fused(chain(in_place=True, is_read_twice=True), activations_apart=True)
    assert [str(group) for group in groups] == ["pad", "conv", "bias + relu"]


def test_a_folded_normalization_joins_what_it_folds_into_without_its_weights() -> None:
    chained = chain()
    steps = [evolve(step, folds_into="conv") if step.name == "bias" else step for step in chained]
    folding = Workload(
        "folding", chained.tensors, steps, chained.inputs, chained.outputs, chained.weights
    )
    groups = fused(folding)
    assert [str(group) for group in groups] == ["pad", "conv + bias", "relu"]
    assert boundaries(folding, groups)[1].reads == ("padded", "kernel")
    apart = fused(folding, folds_normalization=False)
    assert [str(group) for group in apart] == ["pad", "conv", "bias", "relu"]
    assert boundaries(folding, apart)[2].reads == ("sums", "offsets")


def test_loops_and_branches_are_groups_of_their_own() -> None:
    for workload in (recurrent(3), either()):
        (group,) = fused(workload, FUSIBLE)
        assert group.members == workload.steps
        assert group.nodes == ()


def test_a_view_shares_the_memory_of_its_source() -> None:
    assert storages(classifier())["flat"] == "pooled"


def test_another_kind_of_fusion_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="nearest known: 'padding'"):
        fused(chain(), ["paddin"])
