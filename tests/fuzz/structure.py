"""Changes of structure: the tree of a real file with parts replaced, moved, doubled or deepened."""

from __future__ import annotations

import copy
import json
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from fuzz.drawing import Bounds, Finder
from fuzz.judging import BYTES
from fuzz.targets import TARGETS, configurations, device_files, network_values, warm
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fuzz.bytewise import Counts

Tree = Any
"""Lists and mappings in one another, as JSON has them."""
Path_ = tuple[Any, ...]
"""The keys and places that lead to a part."""

MOST_CHANGES: Final = 4
DEEP: Final = 300
"""Levels; a JSON text may have a thousand."""

STRANGE: Final = (
    None, True, False, 0, -1, 1, 3, 1.5, -0.0, 1e308, 2**31, 2**63, 10**30, 10**400, 10**4200,
    float("nan"), float("inf"), float("-inf"), "", "\0", "a/b", "../../etc/passwd", "x" * 2000,
    "\u202e", "é", "same", "valid", "channels_first", "bfloat16", "mixed_float16", "relu",
    "quantized_bits(4,0,1)", "ab,bc->ac", "...", [], [0], [None], [[]], {}, [-1], [1] * 9,
    [None, 3], [10**30] * 2, [["x", 0, 0]], {"class_name": "Dense", "config": {}},
    {"class_name": "__keras_tensor__", "config": {}}, {"type": "Tensor"}, {"format": "fixed"},
    {"class_name": "__lambda__", "config": {"code": "4wAAAA=="}},
)  # fmt: skip
"""Values that stand where another sort of value should."""


def paths_of(tree: Tree, path: Path_ = ()) -> Iterator[Path_]:
    """The ways to all parts of a tree but the whole."""
    for key, part in _items(tree):
        yield (*path, key)
        yield from paths_of(part, (*path, key))


def part_at(tree: Tree, path: Path_) -> Tree:
    """The part that a path leads to."""
    for key in path:
        tree = tree[key]
    return tree


def _items(tree: Tree) -> Iterable[tuple[Any, Tree]]:
    if isinstance(tree, dict):
        return tree.items()
    return enumerate(tree) if isinstance(tree, list) else ()


@st.composite
def changed(draw: st.DrawFn, trees: list[Tree], kinds: list[str]) -> tuple[int, Tree]:
    """One of the trees by its number, and a copy of it with a few changes."""
    number = draw(st.integers(0, len(trees) - 1))
    tree = copy.deepcopy(trees[number])
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        paths = list(paths_of(tree))
        if not paths:
            break
        path = paths[draw(st.integers(0, len(paths) - 1))]
        holder, key = part_at(tree, path[:-1]), path[-1]
        other = paths[draw(st.integers(0, len(paths) - 1))]
        draw(st.sampled_from(CHANGES))(draw, tree, holder, key, other, kinds)
    return number, tree


def _strange(
    draw: st.DrawFn, tree: Tree, holder: Tree, key: Any, other: Path_, kinds: list[str]
) -> None:
    holder[key] = copy.deepcopy(draw(st.sampled_from(STRANGE)))


def _another(
    draw: st.DrawFn, tree: Tree, holder: Tree, key: Any, other: Path_, kinds: list[str]
) -> None:
    holder[key] = copy.deepcopy(part_at(tree, other))


def _swapped(
    draw: st.DrawFn, tree: Tree, holder: Tree, key: Any, other: Path_, kinds: list[str]
) -> None:
    second = part_at(tree, other[:-1])
    first, last = copy.deepcopy(holder[key]), copy.deepcopy(second[other[-1]])
    holder[key] = last
    second[other[-1]] = first


def _deleted(
    draw: st.DrawFn, tree: Tree, holder: Tree, key: Any, other: Path_, kinds: list[str]
) -> None:
    del holder[key]


def _renamed(
    draw: st.DrawFn, tree: Tree, holder: Tree, key: Any, other: Path_, kinds: list[str]
) -> None:
    if isinstance(holder, dict):
        holder[draw(st.sampled_from(["", "x" * 2000, str(other[-1]), "\0", "config", "name"]))] = (
            holder.pop(key)
        )
    else:
        holder.reverse()


def _doubled(
    draw: st.DrawFn, tree: Tree, holder: Tree, key: Any, other: Path_, kinds: list[str]
) -> None:
    if isinstance(holder, list):
        more = draw(st.sampled_from([1, 2, 50]))
        holder[key:key] = [copy.deepcopy(holder[key]) for _ in range(more)]
    else:
        holder[f"{key}_"] = copy.deepcopy(holder[key])


def _deeper(
    draw: st.DrawFn, tree: Tree, holder: Tree, key: Any, other: Path_, kinds: list[str]
) -> None:
    wrapped = holder[key]
    in_list = draw(st.booleans())
    for _ in range(draw(st.sampled_from([1, 2, DEEP]))):
        wrapped = [wrapped] if in_list else {"config": wrapped}
    holder[key] = wrapped


def _another_kind(
    draw: st.DrawFn, tree: Tree, holder: Tree, key: Any, other: Path_, kinds: list[str]
) -> None:
    """Make a layer one of another kind, in the form of either sort of file."""
    kind = draw(st.sampled_from(kinds))
    entries = [part_at(tree, path) for path in paths_of(tree)]
    layers = [entry for entry in entries if isinstance(entry, dict) and "name" in entry]
    named = [entry for entry in layers if "class_name" in entry or "kind" in entry]
    if not named:
        return
    entry = draw(st.sampled_from(range(len(named))))
    package, _, name = kind.rpartition(".")
    named[entry].update({"kind": kind} if "kind" in named[entry] else {"class_name": name})
    if "module" in named[entry]:
        named[entry]["module"] = package
    named[entry].pop("registered_name", None)


def _number(
    draw: st.DrawFn, tree: Tree, holder: Tree, key: Any, other: Path_, kinds: list[str]
) -> None:
    """Another number where one is: small, large, or beyond every float."""
    if isinstance(holder[key], int | float):
        holder[key] = draw(
            st.one_of(
                st.integers(-3, 20), st.integers(), st.floats(),
                st.sampled_from([2**16, 2**40, 10**30, 10**308, 10**400]),
            )
        )  # fmt: skip
    else:
        _strange(draw, tree, holder, key, other, kinds)


CHANGES: Final[tuple[Callable[..., None], ...]] = (
    _strange, _another, _swapped, _deleted, _renamed, _doubled, _deeper, _another_kind, _number,
    _number,
)  # fmt: skip
"""What may happen to a part of a tree."""


# ------------------------------------------------------------------ a run


class Corpus:
    """Trees of real files, each with the door that it goes through."""

    def __init__(self, more: Iterable[Path] = (), most: int = 2**16) -> None:
        more = list(more)
        self.trees: list[Tree] = []
        self.doors: list[str] = []
        for door, trees in (
            ("json", configurations(more)),
            ("network", network_values(more)),
            ("device", map(yaml.safe_load, device_files())),
        ):
            for tree in trees:
                if len(json.dumps(tree)) <= most:
                    self.trees.append(tree)
                    self.doors.append(door)

    def send(self, number: int, tree: Tree) -> bool:
        """Send a changed tree through the door of the one that it was."""
        door = self.doors[number]
        return TARGETS[door].run(_written(tree))


def _written(tree: Tree) -> bytes:
    """The tree as JSON, of which YAML has all that we use."""
    return json.dumps(tree).encode()


def kinds() -> list[str]:
    """All known kinds of layers."""
    from costmodel.registry import installed  # noqa: PLC0415  # after the paths are set

    return sorted(installed().layer_registry.by_kind)


def run(bounds: Bounds, more: Iterable[Path], folder: Path) -> tuple[Counts, int]:
    """Change structures until so many examples are done or so much time is over."""
    warm()
    corpus, known = Corpus(more), kinds()
    bound_memory()
    return Finder("structure", folder).run(
        changed(corpus.trees, known),
        lambda drawn: corpus.send(*drawn),
        lambda drawn: _written(drawn[1]),
        bounds,
    )


def bound_memory() -> None:
    """Let this process take a gigabyte more than it has, and no more.

    Only the soft limit is set: one process may run several targets, each with its own bound.
    """
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
