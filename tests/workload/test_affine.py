"""Affine indices: their text, their values, and how they meet a tensor."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from loop_nest import Met, met

from costmodel.tensor.sizes import SizeArray
from costmodel.workload.affine import MOST_POINTS, Accesses, Affine, accesses

NAMES = ("i", "j", "k2", "_m", "N")


def terms(least: int = -4, most: int = 4) -> st.SearchStrategy[list[tuple[str, int]]]:
    return st.lists(
        st.tuples(st.sampled_from(NAMES), st.integers(least, most)),
        max_size=3,
        unique_by=lambda term: term[0],
    )


INDICES = st.builds(Affine, terms(), st.integers(-6, 6))

# ------------------------------------------------------------------ text and values


@given(st.builds(Affine, terms(-(10**30), 10**30), st.integers(-(10**30), 10**30)))
def test_an_index_is_read_back_from_its_text(index: Affine) -> None:
    assert Affine.of(str(index)) == index
    assert str(Affine.of(str(index))) == str(index)


@pytest.mark.parametrize(
    ("text", "index", "shown"),
    [
        ("2p + r - 1", Affine((("p", 2), ("r", 1)), -1), "2p + r - 1"),
        ("2*p+r-1", Affine((("p", 2), ("r", 1)), -1), "2p + r - 1"),
        (" - p ", Affine((("p", -1),)), "-p"),
        ("+n", Affine((("n", 1),)), "n"),
        ("0", Affine(), "0"),
        ("-7", Affine((), -7), "-7"),
        ("3 - 2 q", Affine((("q", -2),), 3), "-2q + 3"),
        ("1 + n + 1", Affine((("n", 1),), 2), "n + 2"),
        ("0n + k0", Affine((("k0", 1),)), "k0"),
        ("e1", Affine((("e1", 1),)), "e1"),
    ],
)
def test_the_text_of_an_index(text: str, index: Affine, shown: str) -> None:
    assert Affine.of(text) == index
    assert str(index) == shown


@given(INDICES, st.dictionaries(st.sampled_from(NAMES), st.integers(-5, 5)), st.integers(-5, 5))
def test_the_value_of_an_index_at_a_point(index: Affine, given: dict[str, int], by: int) -> None:
    point = dict.fromkeys(NAMES, 0) | given
    value = sum(factor * point[name] for name, factor in index.terms) + index.offset
    assert index.at(point) == value
    assert index.moved(by).at(point) == value + by


@given(INDICES, st.randoms())
def test_the_order_of_terms_makes_no_difference(index: Affine, random: object) -> None:
    shuffled = list(index.terms)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random
    other = Affine(shuffled, index.offset)
    assert other == index
    assert hash(other) == hash(index)


def test_an_index_reads_no_dimension_whose_factor_is_zero() -> None:
    assert Affine((("i", 0), ("j", 2))).dims == ("j",)
    assert Affine((("i", 0),)) == Affine()


@pytest.mark.parametrize(
    "text",
    ["", " ", "*", "2*", "* n", "2 3", "n n", "n +", "+ - n", "n**2", "2.5n", "n*2", "(n)", "n,m",
     "ñ", "\u0661n", "--1", "n\0", 5, None, ["n"], ("n",)],
)  # fmt: skip
def test_a_text_that_is_not_a_sum_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a sum such as '2p"):
        Affine.of(text)  # type: ignore[arg-type]  # that is the fault


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Affine.of("p + 2p"), ValueError, "dimension 'p' stands twice"),
        (lambda: Affine((("p", 1), ("p", 0))), ValueError, "dimension 'p' stands twice"),
        (lambda: Affine((("2p", 1),)), ValueError, "'2p' is not a name of a dimension"),
        (lambda: Affine(((3, 1),)), ValueError, "3 is not a name of a dimension"),
        (lambda: Affine((("p", 1.5),)), TypeError, "expected a whole number"),
        (lambda: Affine(offset=True), TypeError, "expected a whole number"),
        (lambda: Affine((), "1"), TypeError, "expected a whole number"),
    ],
)
def test_terms_that_are_not_an_index_are_refused(
    make: Callable[[], Affine], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()


# ------------------------------------------------------------------ accesses


@st.composite
def maps(draw: st.DrawFn) -> tuple[tuple[Affine, ...], tuple[int, ...], dict[str, int]]:
    """Indices of up to three axes over up to four dimensions, coupled or not."""
    dims = {name: draw(st.integers(0, 5)) for name in NAMES[: draw(st.integers(0, 4))]}
    factor = st.integers(-4, 4)
    index, shape = [], []
    for _ in range(draw(st.integers(0, 3))):
        names = draw(st.lists(st.sampled_from([*dims]), unique=True, max_size=3)) if dims else []
        index.append(Affine([(name, draw(factor)) for name in names], draw(st.integers(-6, 6))))
        shape.append(draw(st.integers(0, 9)))
    return tuple(index), tuple(shape), dims


@given(maps())
def test_accesses_are_those_of_the_loop_nest(
    drawn: tuple[tuple[Affine, ...], tuple[int, ...], dict[str, int]],
) -> None:
    index, shape, dims = drawn
    assert tuple(accesses(index, shape, dims)) == met(index, shape, dims).counts


def _of(*texts: str) -> tuple[Affine, ...]:
    return tuple(map(Affine.of, texts))


@pytest.mark.parametrize(
    ("index", "shape", "dims"),
    [
        (_of("2i - j"), (4,), {"i": 5, "j": 3}),  # beyond both ends
        (_of("-3i + 2"), (5,), {"i": 4}),
        (_of("i", "i"), (4, 3), {"i": 5}),  # a diagonal that leaves the tensor
        (_of("i - 2", "2i + 1"), (4, 9), {"i": 7}),
        (_of("i", "-i + 3"), (4, 4), {"i": 4}),
        (_of("i + j", "i"), (6, 4), {"i": 4, "j": 3}),
        (_of("i + j", "i + j"), (6, 4), {"i": 4, "j": 3}),  # points meet, along a diagonal
        (_of("i + j", "j + k2", "k2 + i"), (4, 4, 4), {"i": 3, "j": 3, "k2": 3}),
        (_of("2i", "3i + j"), (9, 9), {"i": 6, "j": 1}),
        (_of("5"), (9,), {"i": 3}),
        (_of("5"), (5,), {"i": 3}),
        (_of("i"), (4,), {"i": 4, "j": 0}),
        ((), (), {"i": 4, "j": 3}),
        ((), (), {}),
        (_of("1000000i"), (1,), {"i": 1}),
    ],
    ids=str,
)
def test_accesses_of_stated_maps(
    index: tuple[Affine, ...], shape: tuple[int, ...], dims: dict[str, int]
) -> None:
    assert tuple(accesses(index, shape, dims)) == met(index, shape, dims).counts


@given(maps(), st.lists(st.integers(0, 4), min_size=2, max_size=3))
@example((_of("2i + j"), (7,), {"i": 3, "j": 2}), [1, 3])
def test_many_sizes_are_counted_each_by_itself(
    drawn: tuple[tuple[Affine, ...], tuple[int, ...], dict[str, int]], sizes: list[int]
) -> None:
    index, shape, dims = drawn
    if not dims or 0 in dims.values():
        return
    first = next(iter(dims))
    each = [accesses(index, shape, dims | {first: size}) for size in sizes]
    found = accesses(index, shape, dims | {first: SizeArray(sizes)})
    for place, answer in enumerate(each):
        row = [value[place] if isinstance(value, SizeArray) else value for value in found]
        assert tuple(row) == tuple(answer)


def test_factors_of_many_sizes_are_counted_each_by_itself() -> None:
    channels = SizeArray([2, 3])
    index = (Affine((("g", channels), ("c", 1))),)
    found = accesses(index, (SizeArray([8, 12]),), {"g": 4, "c": channels})
    assert [found.elements[row] for row in range(2)] == [8, 12]


@pytest.mark.parametrize("steps", [1, 4])
def test_an_open_index_meets_as_many_elements_as_there_are_points(steps: int) -> None:
    found = accesses((None, Affine.of("d")), (10, 3), {"n": steps, "d": 3})
    assert found == Accesses(3 * steps, 3 * steps, steps)
    assert accesses((None,), (10,), {"n": 50}) == Accesses(50, 10, 50)


# ------------------------------------------------------------------ large sizes

LONG = 2**31


@pytest.mark.parametrize(
    ("index", "shape", "dims", "expected"),
    [
        (("n",), (LONG,), {"n": LONG}, (LONG, LONG, 1)),
        (("n",), (2**63 - 1,), {"n": 2**63 - 1}, (2**63 - 1, 2**63 - 1, 1)),
        (("n - 5",), (LONG,), {"n": LONG}, (LONG - 5, LONG - 5, 1)),
        (("-n + 7",), (LONG,), {"n": LONG}, (8, 8, 1)),
        (("2p + r - 1",), (LONG,), {"p": LONG // 2, "r": 3}, (LONG // 2 * 3 - 1, LONG, 2)),
        (("p + r",), (LONG + 2,), {"p": LONG, "r": 3}, (3 * LONG, LONG + 2, 3)),
        (("4g + c",), (4 * LONG,), {"g": LONG, "c": 4}, (4 * LONG, 4 * LONG, 1)),
        (("n", "n"), (LONG, LONG - 3), {"n": LONG}, (LONG - 3, LONG - 3, 1)),
        (("3n + 1", "n"), (2**60, 2**60), {"n": 2**58}, (2**58, 2**58, 1)),
        (("n + r", "n - r"), (LONG, LONG), {"n": LONG, "r": 2}, (2 * LONG - 2, 2 * LONG - 2, 1)),
        (("n", "m"), (LONG, LONG), {"n": LONG, "m": LONG, "k": 5}, (5 * LONG**2, LONG**2, 5)),
        (("5",), (9,), {"n": LONG}, (LONG, 1, LONG)),
    ],
    ids=str,
)
def test_long_axes_are_counted_without_a_walk_over_them(
    index: tuple[str, ...],
    shape: tuple[int, ...],
    dims: dict[str, int],
    expected: tuple[int, int, int],
) -> None:
    started = time.process_time()
    assert accesses(_of(*index), shape, dims) == expected
    assert time.process_time() - started < 1  # a walk over 2^31 points takes minutes


@given(maps(), st.sampled_from([2**31, 2**53, 2**59]))
def test_far_places_are_counted_as_near_ones(
    drawn: tuple[tuple[Affine, ...], tuple[int, ...], dict[str, int]], far: int
) -> None:
    # A tensor that goes on in front of the near one; only what reaches in there is more.
    index, shape, dims = drawn
    moved = tuple(one.moved(far) for one in index)
    before = 60  # further than any index goes
    near = accesses([one.moved(before) for one in index], [n + before for n in shape], dims)
    assert accesses(moved, [length + far for length in shape], dims) == near


@pytest.mark.parametrize(
    ("index", "dims", "message"),
    [
        (("i + j + k2",), dict.fromkeys(("i", "j", "k2"), MOST_POINTS), "at most 10,000,000"),
        (("i + j",), {"i": 2**62, "j": 2}, r"expected values within 2\^60"),
    ],
)  # fmt: skip
def test_what_cannot_be_counted_is_refused(
    index: tuple[str, ...], dims: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        accesses(_of(*index), (7,), dims)


def test_the_loop_nest_counts_a_small_case_by_hand() -> None:
    assert met(_of("i + j"), (3,), {"i": 2, "j": 3}) == Met(5, frozenset({(0,), (1,), (2,)}), 2)
