"""Keys that stand twice in one object, in every JSON form that is read: each must be refused."""

from __future__ import annotations

import functools
import io
import json
from typing import TYPE_CHECKING, Any, Final

import yaml
from attrs import frozen
from fuzz.drawing import Bounds, Finder
from fuzz.judging import FindingError, judge
from fuzz.structure import STRANGE, Tree, bound_memory, part_at, paths_of
from fuzz.targets import configurations, device_files, network_values, packed, scratch, warm
from hypothesis import strategies as st

import costmodel
from costmodel.devicefile import TEXT_LIMIT, load_device
from costmodel.errors import CostModelError
from costmodel.registry import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from fuzz.bytewise import Counts

WORDS: Final = "stands twice"
"""What a refusal says."""
_MARK: Final = "the object with a key twice"
_LARGEST: Final = 2**14
_SHOWN: Final = 20
"""Characters of a key that a refusal must repeat; it may cut a long one."""
_RARE: Final = 40
"""Of so many examples one goes through HDF5, which a process of its own reads."""


@frozen
class Doubled:
    """A JSON text with a key twice, and the door that it goes through."""

    door: str
    text: str
    key: str


@frozen
class Corpus:
    """Trees of real files by the doors that take their text."""

    trees: tuple[tuple[str, Tree], ...]

    @classmethod
    def of_repository(cls, more: Iterable[Path] = ()) -> Corpus:
        """All that the repository holds and that is not large."""
        more = list(more)
        found = (
            *(("keras", tree) for tree in configurations(more)),
            *(("network", tree) for tree in network_values(more)),
            *(("device", yaml.safe_load(content)) for content in device_files()),
        )
        return cls(tuple(pair for pair in found if len(json.dumps(pair[1])) <= _LARGEST))


@st.composite
def doubled(draw: st.DrawFn, corpus: Corpus) -> Doubled:
    """A real file with a key of one of its objects written once more, with any value."""
    sort, tree = draw(st.sampled_from(corpus.trees))
    path = draw(st.sampled_from(list(_objects(tree))))
    held = part_at(tree, path)
    key = draw(st.sampled_from(sorted(held)))
    # A device file with a longer value is refused before its keys are looked at.
    longest = TEXT_LIMIT if sort == "device" else _LARGEST
    strange = [value for value in STRANGE if len(json.dumps(value)) <= longest]
    value = draw(st.sampled_from([held[key], *strange]))
    pairs = [(_quoted(name), json.dumps(part)) for name, part in held.items()]
    again = draw(st.sampled_from([_quoted(key), _escaped(key)]))
    pairs.insert(draw(st.integers(0, len(pairs))), (again, json.dumps(value)))
    text = "{" + ", ".join(f"{name}: {part}" for name, part in pairs) + "}"
    return Doubled(draw(_doors(sort)), _around(tree, path, text), key)


def _doors(sort: str) -> st.SearchStrategy[str]:
    if sort != "keras":
        return st.just(sort)
    common = st.sampled_from(["text", "file", "archive", "metadata"])
    return st.integers(1, _RARE).flatmap(lambda n: st.just("hdf5") if n == _RARE else common)


def _objects(tree: Tree) -> Iterator[tuple[Any, ...]]:
    """The ways to all objects in a tree that have a key."""
    for path in ((), *paths_of(tree)):
        held = part_at(tree, path)
        if isinstance(held, dict) and held:
            yield path


def _quoted(key: str) -> str:
    return json.dumps(str(key))


def _escaped(key: str) -> str:
    """The same key in another spelling: every character as an escape."""
    units = str(key).encode("utf-16-be").hex()
    return '"' + "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)) + '"'


def _around(tree: Tree, path: tuple[Any, ...], text: str) -> str:
    """The tree as JSON, with this text in place of the part that a path leads to."""
    if not path:
        return text
    around = json.loads(json.dumps(tree))
    part_at(around, path[:-1])[path[-1]] = _MARK
    return json.dumps(around).replace(json.dumps(_MARK), text, 1)


# ------------------------------------------------------------------ a run


def send(example: Doubled) -> bool:
    """Send the text through its door.

    Raises:
        FindingError: it is read, or refused for another reason.

    """
    return _DOORS[example.door](example)


def _refused(example: Doubled, answer: Callable[[], object]) -> None:
    """Ask, and check that the refusal names the key."""
    try:
        answer()
    except CostModelError as error:
        said = str(error)
        if WORDS not in said or repr(example.key)[1:_SHOWN].strip("'") not in said:
            words = f"refused without the key {example.key!r}: {said:.300}"
            raise FindingError(words) from error
        raise
    words = f"{example.key!r} twice is read by {example.door}: {example.text:.300}"
    raise FindingError(words)


def _text(example: Doubled) -> bool:
    return judge(lambda: _refused(example, lambda: costmodel.read(example.text)))


def _file(example: Doubled, suffix: str, pack: Callable[[str], bytes]) -> bool:
    path = scratch(suffix)
    path.write_bytes(pack(example.text))
    return judge(lambda: _refused(example, lambda: costmodel.read(path)), str(path))


def _device(example: Doubled) -> bool:
    families, content = installed().device_families, example.text.encode()
    return judge(lambda: _refused(example, lambda: load_device(content, "device.yaml", families)))


def _hdf5(text: str) -> bytes:
    import h5py  # noqa: PLC0415  # may be left out where only other doors are tried

    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        file.attrs["model_config"] = text
    return held.getvalue()


_DOORS: Final[dict[str, Callable[[Doubled], bool]]] = {
    "text": _text,
    "network": _text,
    "device": _device,
    "file": functools.partial(_file, suffix=".json", pack=str.encode),
    "archive": functools.partial(_file, suffix=".keras", pack=lambda text: packed(text.encode())),
    "metadata": functools.partial(
        _file, suffix=".keras", pack=lambda text: packed(b"{}", metadata=text)
    ),
    "hdf5": functools.partial(_file, suffix=".h5", pack=_hdf5),
}


def run(bounds: Bounds, more: Iterable[Path], folder: Path) -> tuple[Counts, int]:
    """Send texts with a key twice."""
    warm()
    corpus = Corpus.of_repository(more)
    bound_memory()
    finder = Finder("duplicates", folder)
    return finder.run(doubled(corpus), send, lambda example: example.text.encode(), bounds)
