"""Work of drawn layers against oracles that share no code with the rules.

TensorFlow's own graph for recurrent, attention and einsum layers; a loop nest that takes every
product in turn for convolutions.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras_cases import ATTENTION, EINSUM, RECURRENT, SPECTRAL, STEPS, Case, built, label
from tensorflow_counts import elements, multiply_accumulates
from worlds import REGISTRY

from costmodel import read

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"  # Keras itself, under NumPy 2
)

drawn = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors]
)
several = st.integers(2, 4)
small, flags = st.integers(1, 4), st.booleans()
paddings = st.sampled_from(["valid", "same"])


def macs(model: Any) -> Any:
    return read(model, registry=REGISTRY).macs


def agrees_with_tensorflow(case: Case) -> Any:
    model, _ = built(case)
    return macs(model) == multiply_accumulates(model)


# ------------------------------------------------------------------ known cases

LOOPING = {"SimpleRNN", "LSTM", "GRU", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}
"""The layers that loop over time unless they are told to unroll it."""


def unrolled(name: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The layer without a loop over time, and those in it."""
    inner = {key: unrolled(*options[key]) for key in ("layer", "backward_layer") if key in options}
    return name, {**options, **inner, **({"unroll": True} if name in LOOPING else {})}


UNROLLED = [
    case._replace(settings=unrolled(case.name, case.settings)[1])
    for case in RECURRENT
    if case.name != "TimeDistributed"
]
COUNTED = [
    case
    for case in (*UNROLLED, *EINSUM, *ATTENTION, *SPECTRAL)
    if case.name not in {"AdditiveAttention", "MelSpectrogram"}
    and not {"dilation_rate", "lora_rank"} & case.settings.keys()
]
"""Those whose products are all in matrix products and convolutions, and no others there.

TensorFlow's graph cuts a dilated convolution into pieces that it pads, and multiplies the two
constant factors of an adapter again for every call.
"""


@pytest.mark.parametrize("case", COUNTED, ids=label)
def test_a_layer_multiplies_as_often_as_tensorflows_graph(case: Case) -> None:
    assert agrees_with_tensorflow(case)


PAIRS = [(5, 6), (7, 4), (7, 6)]


def test_additive_attention_weighs_every_feature_of_every_pair() -> None:
    model, _ = built(Case(PAIRS, "AdditiveAttention", {}))
    # TensorFlow multiplies by the weights in one node and sums up in another.
    assert macs(model) == multiply_accumulates(model) + elements(model)["Mul"]


def test_additive_attention_without_weights_only_weighs_the_values() -> None:
    assert agrees_with_tensorflow(Case(PAIRS, "AdditiveAttention", {"use_scale": False}))


# ------------------------------------------------------------------ recurrent

CELLS = st.sampled_from(["SimpleRNN", "LSTM", "GRU"])


@st.composite
def cell_settings(draw: Any, name: Any) -> Any:
    """Units, bias, and for a gated unit on which side of the sum it resets."""
    more = {"reset_after": draw(flags)} if name == "GRU" else {}
    return {"units": draw(small), "use_bias": draw(flags), **more}


@st.composite
def recurrent_layers(draw: Any) -> Any:
    """A layer over a sequence, alone, in both directions, or of stacked cells."""
    name, shape = draw(CELLS), (draw(small), draw(small))
    options = {**draw(cell_settings(name)), "unroll": True, "return_sequences": draw(flags)}
    form = draw(st.sampled_from(["alone", "both ways", "stacked"]))
    if form == "alone":
        return Case([shape], name, options)
    if form == "both ways":
        mode = draw(st.sampled_from(["concat", "sum", "ave", "mul", None]))
        return Case([shape], "Bidirectional", {"layer": (name, options), "merge_mode": mode})
    names = draw(st.lists(CELLS, min_size=2, max_size=3))
    cells = [(f"{cell}Cell", draw(cell_settings(cell))) for cell in names]
    return Case([shape], "RNN", {"cell": cells, "unroll": True})


@drawn
@given(case=recurrent_layers())
def test_recurrent_layers_multiply_as_often_as_tensorflows_graph(case: Case) -> None:
    assert agrees_with_tensorflow(case)


@st.composite
def convolutional_recurrent_layers(draw: Any) -> Any:
    """A recurrent layer with any kernel in one or two dimensions."""
    rank = draw(st.integers(1, 2))
    options = {
        "filters": draw(st.integers(1, 3)),
        "kernel_size": draw(st.tuples(*[st.integers(1, 3)] * rank)),
        "padding": draw(paddings),
        draw(st.sampled_from(["strides", "dilation_rate"])): draw(st.integers(1, 2)),
        "unroll": True,
    }
    sides = draw(st.tuples(*[st.integers(5, 7)] * rank))
    return Case([(draw(st.integers(1, 3)), *sides, draw(small))], f"ConvLSTM{rank}D", options)


@drawn
@given(case=convolutional_recurrent_layers())
def test_convolutional_recurrent_layers_multiply_as_often_as_a_loop_nest(case: Case) -> None:
    model, _ = built(case)
    steps, *sides, channels = case.shapes[0]
    options = case.settings
    gates, kernel = 4 * options["filters"], options["kernel_size"]
    window = [range(size) for size in kernel]
    image = case._replace(shapes=[(*sides, channels)])
    count = 0
    for _ in itertools.product(places(image), *window, range(gates), range(steps)):
        count += channels + options["filters"]
    assert macs(model) == count


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize(
    ("name", "more", "biases"),
    [
        ("SimpleRNN", {}, 1),
        ("LSTM", {}, 1),
        ("GRU", {"reset_after": True}, 2),
        ("GRU", {"reset_after": False}, 1),
    ],
)
def test_a_cell_adds_multiplies_and_squashes_as_often_as_tensorflows_graph(
    name: str, more: Any, biases: int, use_bias: Any
) -> None:
    case = Case([STEPS], name, {"units": 3, "use_bias": use_bias, "unroll": True, **more})
    model, layer = built(case)
    work = read(model, registry=REGISTRY).layer(layer.name).operators()
    ours: Counter[str] = Counter()
    for operator in work:
        ours.update(operator.operations)
    # A contraction holds the additions of its bias, one for each of its sums.
    sums = max(operator.elements for operator in work if operator.macs)
    theirs = elements(model)
    added = theirs["AddV2"] + theirs["BiasAdd"] + theirs["Sub"]
    assert ours["add"] + use_bias * biases * sums == added
    assert ours["multiply"] == theirs["Mul"]
    assert ours["activation"] == theirs["Tanh"] + theirs["Sigmoid"]


# ------------------------------------------------------------------ einsum and attention


@st.composite
def einsum_layers(draw: Any) -> Any:
    """A weighted sum with axes that are summed, weighed each by itself, or left alone."""
    lengths = {letter: draw(small) for letter in "bcdefg"}
    inputs = "".join(draw(st.permutations("bcd")))[: draw(st.integers(1, 3))]
    summed = inputs[: draw(st.integers(0, len(inputs)))]
    kept = inputs[len(summed) :]
    shared = kept[: draw(st.integers(0, len(kept)))]
    new = "efg"[: draw(st.integers(1, 3))]
    kernel = "".join(draw(st.permutations(summed + shared + new)))
    outputs = "".join(draw(st.permutations(kept + new)))
    before, after = draw(st.sampled_from([("a", ""), ("...", ""), ("a", "...")]))
    more = draw(st.lists(small, max_size=2)) if after or before == "..." else []
    known = [lengths[letter] for letter in inputs]
    options = {
        "equation": f"{before}{inputs}{after},{kernel}->{before}{outputs}{after}",
        "output_shape": tuple(lengths[letter] for letter in outputs),
        "bias_axes": draw(st.none() | st.sampled_from(sorted(outputs))),
    }
    return Case([(*known, *more) if after else (*more, *known)], "EinsumDense", options)


@drawn
@given(case=einsum_layers())
def test_einsum_layers_have_the_count_and_shapes_of_keras_and_tensorflow(case: Case) -> None:
    model, layer = built(case)
    ours = read(model, registry=REGISTRY).layer(layer.name)
    assert ours.outputs[0].shape == tuple(model.output_shape[1:])
    assert sorted(tensor.shape for tensor in ours.parameters.values()) == sorted(
        tuple(weight.shape) for weight in layer.weights
    )
    assert macs(model) == multiply_accumulates(model)


@st.composite
def attention_layers(draw: Any) -> Any:
    """Any attention, of any sizes, with and without keys of their own."""
    queries, keys, features = draw(small), draw(several), draw(small)
    value = (keys, draw(small))
    name = draw(st.sampled_from(["MultiHeadAttention", "GroupQueryAttention", "Attention"]))
    if name == "Attention":
        mode = draw(st.sampled_from(["dot", "concat"]))
        options = {"use_scale": draw(flags), "score_mode": mode}
        return Case([(queries, features), value, (keys, features)], name, options)
    heads, depth = draw(small), draw(small)
    options = {"use_bias": draw(flags), "use_gate": draw(flags)}
    if name == "MultiHeadAttention":
        options |= {"num_heads": heads, "key_dim": depth, "value_dim": draw(small)}
    else:
        options |= {"head_dim": depth, "num_key_value_heads": heads}
        options |= {"num_query_heads": heads * draw(st.integers(1, 3))}
        value = (keys, features)
    shapes = [(queries, features), value, (keys, draw(small))]
    with_keys = draw(flags)
    named = ("value", "key") if with_keys else ("value",)
    call = draw(st.sampled_from([{}, {"use_causal_mask": True}]))
    return Case(shapes if with_keys else shapes[:2], name, options, named, call)


@drawn
@given(case=attention_layers())
def test_attention_multiplies_as_often_as_tensorflows_graph(case: Case) -> None:
    assert agrees_with_tensorflow(case)


@drawn
@given(shape=st.lists(small, min_size=2, max_size=3), others=st.data())
def test_attention_along_any_axes_multiplies_as_often_as_tensorflows_graph(
    shape: list[int], others: Any
) -> None:
    axes = others.draw(
        st.sets(st.integers(1, len(shape)), min_size=1).map(sorted).map(tuple), label="axes"
    )
    lengths = [others.draw(several) if axis in axes else shape[axis - 1]
               for axis in range(1, len(shape) + 1)]  # fmt: skip
    options = {"num_heads": 2, "key_dim": 3, "attention_axes": axes}
    shapes = [(*shape, 4), (*lengths, 5)]
    assert agrees_with_tensorflow(Case(shapes, "MultiHeadAttention", options, ("value",)))


# ------------------------------------------------------------------ convolutions


def starts(length: int, window: int, stride: int, dilation: int, padding: str) -> list[int]:
    """Where a window stands along an axis that is padded with as many zeros as it takes.

    A product with such a zero is work: hardware that multiplies a dense window does it.
    """
    reach = (window - 1) * dilation + 1
    padded = length
    if padding == "same":
        padded = max(length, (-(-length // stride) - 1) * stride + reach)
    elif padding == "causal":
        padded += reach - 1
    return list(range(0, padded - reach + 1, stride))


@st.composite
def convolutions(draw: Any) -> Any:
    """A convolution of any sort in one to three dimensions."""
    sort = draw(st.sampled_from(["Conv", "DepthwiseConv", "SeparableConv"]))
    rank = draw(st.integers(1, 3 if sort == "Conv" else 2))
    groups = draw(st.integers(1, 2)) if sort == "Conv" else 1
    channels = groups * draw(st.integers(1, 2))
    options = {
        "kernel_size": draw(st.tuples(*[st.integers(1, 3)] * rank)),
        "padding": draw(
            st.sampled_from(["valid", "same", *["causal"] * (f"{sort}{rank}" == "Conv1")])
        ),
        draw(st.sampled_from(["strides", "dilation_rate"])): draw(st.integers(1, 3)),
    }
    if sort == "Conv":
        options |= {"groups": groups}
    else:
        options |= {"depth_multiplier": draw(st.integers(1, 2))}
    if sort != "DepthwiseConv":
        options |= {"filters": groups * draw(st.integers(1, 2))}
    sides = draw(st.tuples(*[st.integers(7, 8)] * rank))
    return Case([(*sides, channels)], f"{sort}{rank}D", options)


def places(case: Case) -> Any:
    """All places of the kernel of a convolution."""
    options = case.settings
    axes = [
        starts(side, size, options.get("strides", 1), options.get("dilation_rate", 1),
               options["padding"])
        for side, size in zip(case.shapes[0][:-1], options["kernel_size"], strict=True)
    ]  # fmt: skip
    return itertools.product(*axes)


def products(case: Case) -> int:
    """The products of a convolution, each taken once, in the order of the loop nest."""
    options, channels = case.settings, case.shapes[0][-1]
    taps = list(itertools.product(*map(range, options["kernel_size"])))
    groups, filters = options.get("groups", 1), options.get("filters", 0)
    between = channels * options.get("depth_multiplier", 1)
    count = 0
    for _ in places(case):
        if case.name.startswith("Conv"):
            for channel, filter_ in itertools.product(range(channels), range(filters)):
                same_group = channel * groups // channels == filter_ * groups // filters
                count += len(taps) * same_group
        else:
            for _ in itertools.product(range(between), taps):
                count += 1
            if case.name.startswith("Separable"):
                for _ in itertools.product(range(between), range(filters)):
                    count += 1
    return count


@settings(max_examples=40, deadline=None)
@given(case=convolutions())
def test_convolutions_multiply_as_often_as_a_loop_nest(case: Case) -> None:
    model, _ = built(case)
    assert macs(model) == products(case)


@st.composite
def transposed_convolutions(draw: Any) -> Any:
    """A transposed convolution in one to three dimensions."""
    rank = draw(st.integers(1, 3))
    options = {
        "filters": draw(st.integers(1, 2)),
        "kernel_size": draw(st.tuples(*[st.integers(1, 3)] * rank)),
        "padding": draw(paddings),
        draw(st.sampled_from(["strides", "dilation_rate"])): draw(st.integers(1, 3)),
    }
    sides = draw(st.tuples(*[st.integers(3, 4)] * rank))
    return Case([(*sides, draw(st.integers(1, 2)))], f"Conv{rank}DTranspose", options)


def meetings(case: Case) -> Counter[Any]:
    """How many products of a transposed convolution meet in each element of its output."""
    options = case.settings
    stride, dilation = options.get("strides", 1), options.get("dilation_rate", 1)
    *sides, channels = case.shapes[0]
    meeting: Counter[Any] = Counter()
    positions = itertools.product(*map(range, sides))
    taps = itertools.product(*map(range, options["kernel_size"]))
    for place, tap in itertools.product(positions, taps):
        landed = tuple(p * stride + t * dilation for p, t in zip(place, tap, strict=True))
        for filter_ in range(options["filters"]):
            meeting[*landed, filter_] += channels
    return meeting


def inside(case: Case, shape: Any, meeting: Counter[Any]) -> Counter[Any]:
    """The elements that are left after both ends of the spread image are cut to the output."""
    *lengths, _ = shape
    spread = [max(axis) + 1 for axis in zip(*[place[:-1] for place in meeting], strict=True)]
    starts = [max(long - short, 0) // 2 for long, short in zip(spread, lengths, strict=True)]
    ends = [start + length for start, length in zip(starts, lengths, strict=True)]
    return Counter(
        {
            place: count
            for place, count in meeting.items()
            if all(a <= p < z for a, p, z in zip(starts, place, ends, strict=False))
        }
    )


def only_operator(case: Case) -> Any:
    model, layer = built(case)
    (work,) = read(model, registry=REGISTRY).layer(layer.name).operators()
    return work


@settings(max_examples=25, deadline=None)
@given(case=transposed_convolutions())
def test_transposed_convolutions_spread_every_element_over_the_whole_kernel(case: Case) -> None:
    work, meeting = only_operator(case), meetings(case)
    assert work.macs == meeting.total()
    assert work.reduction_size == max(inside(case, work.outputs[0].shape, meeting).values())


def test_a_dilated_transposed_convolution_adds_up_what_meets_in_one_output() -> None:
    options = {"filters": 4, "kernel_size": (3, 3), "padding": "valid", "dilation_rate": 2}
    case = Case([(8, 7, 6)], "Conv2DTranspose", options)
    work, meeting = only_operator(case), meetings(case)
    assert work.macs == meeting.total() == 8 * 7 * 3 * 3 * 6 * 4
    assert work.reduction_size == max(meeting.values())
