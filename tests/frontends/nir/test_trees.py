"""Trees of NIR files that were changed at random: each is read, or refused in words."""

from __future__ import annotations

import copy
import functools
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import costmodel
from costmodel.errors import CostModelError
from costmodel.frontend.hdf5 import reading

MODELS = Path(__file__).parent.parent / "models"
FILES = sorted(MODELS.rglob("*.nir"))
LENGTHS = (0, 1, 2, 3, 4, 7, 8, 16, 2**31, 2**62)
NUMBERS = (0, 1, -1, 2, 3, 7, 2**31, -(2**40), 2**62, 0.5, float("nan"), float("inf"), True)
TEXTS = (
    "", "same", "é", "input", "lif", "a.b", "LIF", "Conv2d", "NIRGraph", "Input", "Output",
    "Flatten", "Delay",
)  # fmt: skip
TYPES = ("<f4", "<f8", "<f2", ">i8", "|i1", "|u1", "|b1", "|V8", "<c8", "<f16", "<")


@functools.cache
def tree(path: Path) -> Any:
    return reading.tree(path, 2**20)


LONGEST = 3000
"""Characters of a message."""


def groups_and_data(members: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Every member, as the group that holds it and its name."""
    found = []
    for name, held in members.items():
        found.append((members, name))
        if "members" in held:
            found += groups_and_data(held["members"])
    return found


def change(members: dict[str, Any], draw: random.Random) -> None:
    """Change one member of a tree."""
    places = groups_and_data(members)
    if not places:
        return
    group, name = draw.choice(places)
    held, other = group[name], draw.choice(places)
    match draw.randrange(7):
        case 0:
            del group[name]
        case 1:
            group[draw.choice(places)[1]] = copy.deepcopy(held)
        case 2:
            group[name] = copy.deepcopy(other[0][other[1]])
        case 3 if "shape" in held:
            held.pop("values", None)
            shape = held["shape"]
            if shape and draw.random() < 0.7:
                shape[draw.randrange(len(shape))] = draw.choice(LENGTHS)
            else:
                held["shape"] = draw.choices(LENGTHS, k=draw.randrange(5))
        case 4 if held.get("values"):
            values = held["values"]
            values[draw.randrange(len(values))] = draw.choice([*known(held), *values])
        case 5 if held.get("type", "text") != "text":
            held["type"] = draw.choice(TYPES)
        case 6 if "values" in held:
            held["values"] = draw.choices(known(held), k=draw.randrange(4))
            held["shape"] = [len(held["values"])]


def known(held: Any) -> tuple[Any, ...]:
    """Values for a data set of its type."""
    return TEXTS if held["type"] == "text" else NUMBERS


def answer(path: Path, seed: int, patch: pytest.MonkeyPatch) -> bool:
    """Whether a changed tree is read and counted; False is a refusal in words."""
    draw = random.Random(seed)  # noqa: S311  # nothing is secret
    changed = copy.deepcopy(tree(path))
    for _ in range(draw.randint(1, 4)):
        change(changed, draw)
    patch.setattr(reading, "tree", lambda *_: changed)
    try:
        costmodel.lower(costmodel.read(path))
    except CostModelError as error:
        message = str(error)
    else:
        message = "read"
    assert 0 < len(message) < LONGEST
    return message == "read"


@given(path=st.sampled_from(FILES), seed=st.integers(0, 2**32))
def test_a_changed_tree_is_answered(path: Path, seed: int) -> None:
    tree(path)
    with pytest.MonkeyPatch.context() as patch:
        answer(path, seed, patch)
