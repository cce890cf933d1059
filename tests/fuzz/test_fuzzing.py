"""The fuzzer itself: changes are answered, and what no reader may do is found."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from fuzz import drawing, duplicates, judging, outputs, structure
from fuzz.bytewise import Counts, Session, read_counts
from fuzz.judging import FindingError, judge, use_network
from fuzz.splicing import flipped, repacked, spliced
from fuzz.targets import TARGETS, packed, warm
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import costmodel
from costmodel import safe_io
from costmodel.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    warm()


@pytest.fixture(scope="module")
def corpus() -> structure.Corpus:
    return structure.Corpus(most=2**14)


@pytest.mark.parametrize("name", TARGETS)
def test_every_door_lets_most_of_its_real_files_pass(name: str) -> None:
    target = TARGETS[name]
    passed = [target.run(content) for content in target.seeds(())]
    assert sum(passed) > len(passed) / 2


@pytest.mark.parametrize("name", sorted(TARGETS.keys() - {"hdf5", "nir", "variables"}))
@given(seed=st.integers(0, 2**32))
def test_changed_bytes_are_answered(name: str, seed: int) -> None:
    random, target = Random(seed), TARGETS[name]
    content = random.choice(_seeds(name))
    for change in (flipped, spliced):
        target.run(change(content, random))


def _seeds(name: str, known: dict[str, list[bytes]] = {}) -> list[bytes]:  # noqa: B006  # a cache
    if name not in known:
        known[name] = list(TARGETS[name].seeds(()))
    return known[name]


@given(data=st.data())
def test_changed_structures_are_answered(data: st.DataObject, corpus: structure.Corpus) -> None:
    corpus.send(*data.draw(structure.changed(corpus.trees, structure.kinds())))


@pytest.fixture(scope="module")
def originals() -> duplicates.Corpus:
    return duplicates.Corpus.of_repository()


@given(data=st.data())
def test_a_key_twice_is_refused_in_every_json_form(
    data: st.DataObject, originals: duplicates.Corpus
) -> None:
    assert duplicates.send(data.draw(duplicates.doubled(originals))) is False


@pytest.mark.parametrize("door", ["text", "file", "archive", "hdf5"])
def test_a_key_twice_that_is_read_is_found(door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    example = duplicates.Doubled(door, _KEY_TWICE, "name")
    assert duplicates.send(example) is False
    monkeypatch.setattr(safe_io, "_object", lambda pairs, _: dict(pairs))
    with pytest.raises(FindingError, match="'name' twice is read"):
        duplicates.send(example)


_KEY_TWICE = next(iter(TARGETS["json"].seeds(()))).decode().replace('"name"', '"name":1,"name"', 1)


def test_a_refusal_that_does_not_name_the_key_is_found() -> None:
    with pytest.raises(FindingError, match="refused without the key 'other'"):
        duplicates.send(duplicates.Doubled("text", _KEY_TWICE, "other"))


@settings(deadline=None)
@given(case=outputs.cases)
def test_no_output_overwrites_an_input_or_leaves_anything(case: outputs.Case) -> None:
    outputs.send(case)


OVERWRITTEN = outputs.Case("count", "model.json", "device.yaml", "./link.json", "csv")
FOUND_OUTPUTS: dict[str, tuple[str, Any, outputs.Case, str]] = {
    "an input that is overwritten": (
        "costmodel.cli.output.check_no_input", lambda *_: None, OVERWRITTEN,
        "an input is accepted as an output",
    ),
    "a temporary file that stays": (
        "costmodel.safe_io._remove_abandoned", lambda _: None,
        outputs.Case("count", "model.json", "device.yaml", "out.json", None),
        "the temporary file of a dead process stays",
    ),
    "a temporary file that is taken": (
        "costmodel.safe_io._lock", lambda *_, **__: True,
        outputs.Case("count", "model.json", "device.yaml", "out.json", None),
        "the temporary file of a living process is gone",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FOUND_OUTPUTS)
def test_what_no_output_may_do_is_found(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, careless, example, words = FOUND_OUTPUTS[case]
    monkeypatch.setattr(name, careless)
    with pytest.raises(FindingError, match=words):
        outputs.send(example)


def test_a_drawn_run_counts_and_keeps_one_of_each_finding(tmp_path: Path) -> None:
    def send(number: int) -> bool:
        if number % 2:
            raise KeyError(number % 4)
        return True

    finder = drawing.Finder("odd", tmp_path)
    bounds = drawing.Bounds(examples=60, seconds=60, seed=1)
    counts, found = finder.run(st.integers(0, 99), send, lambda n: str(n).encode(), bounds)
    assert counts.changes == 60
    assert 0 < counts.results < 60
    assert found == 2
    kept = sorted(path.name for path in tmp_path.glob("found-*"))
    assert kept == ["found-odd-1", "found-odd-1.txt", "found-odd-2", "found-odd-2.txt"]


def _own_error() -> None:
    message = "as it should be"
    raise ReadError(message)


def _swallowed(harm: Callable[[], object]) -> None:
    with contextlib.suppress(Exception):  # as careless code does
        harm()


HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "writes a file": (
        lambda path: (path / "a").write_text("a"),
        "opened",
    ),
    "opens a file": (
        lambda _: Path("/etc/passwd").read_text(),
        "opened '/etc/passwd'",
    ),
    "removes a file": (
        lambda path: (path / "b").unlink(missing_ok=True),
        "os.remove",
    ),
    "runs a command": (
        lambda _: os.system("true"),  # noqa: S605, S607
        "os.system",
    ),
    "starts a program": (
        lambda _: subprocess.run([sys.executable, "-V"], check=False),
        "subprocess.Popen",
    ),
    "opens a socket": (
        lambda _: socket.socket(),
        "socket.__new__",
    ),
    "runs code": (
        lambda _: exec("1 + 1"),
        "compile",
    ),
    "compiles code": (
        lambda _: compile("1 + 1", "file", "eval"),
        "compile",
    ),
    "imports a stranger": (
        lambda _: __import__("stranger"),
        "imported 'stranger'",
    ),
}


@pytest.mark.parametrize("harm", HARM)
def test_what_no_reader_does_is_found_even_where_the_error_is_swallowed(
    harm: str, tmp_path: Path
) -> None:
    act, words = HARM[harm]
    with pytest.raises(FindingError, match=words):
        judge(lambda: _swallowed(lambda: act(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def _refused(message: str) -> None:
    raise ReadError(message)


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "an empty message": (lambda: _refused(" "), "a message of 1 characters"),
    "half a character": (lambda: _refused("\ud800"), "no terminal can show"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_refusal_that_says_nothing_is_found(case: str) -> None:
    answer, words = WRONG[case]
    with pytest.raises(FindingError, match=words):
        judge(answer)


def test_a_refusal_in_words_is_an_answer() -> None:
    assert judge(_own_error) is False
    assert judge(lambda: None) is True


def test_what_takes_too_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "SECONDS", 0.0)
    with pytest.raises(FindingError, match=r"took 0\.\d s"):
        judge(lambda: None)


def test_a_file_that_is_read_through_the_door_may_be_opened(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("{}")
    with pytest.raises(FindingError, match="opened"):
        judge(file.read_text)
    assert judge(file.read_text, str(file))


def test_a_network_whose_json_form_is_another_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    network = costmodel.read(Path(__file__).parents[1] / "networks" / "dense.json")
    other = network.to_json().replace("dense", "other")
    monkeypatch.setattr(costmodel.Network, "to_json", lambda _: other)
    with pytest.raises(FindingError, match="is another network"):
        use_network(network)


def test_a_session_counts_and_keeps_one_of_each_finding(tmp_path: Path) -> None:
    def run(data: bytes) -> bool:
        if data == b"bad":
            raise KeyError(data)
        return data == b"good"

    session = Session(TARGETS["json"].__class__(run, TARGETS["json"].seeds, 1.0), tmp_path)
    for data in (b"good", b"bad", b"other", b"bad"):
        session.one(data)
    assert read_counts(tmp_path)[:2] == (4, 1)
    assert [path.name for path in sorted(tmp_path.glob("found-*"))] == ["found-1", "found-1.txt"]
    assert (tmp_path / "found-1").read_bytes() == b"bad"


def test_without_a_session_nothing_is_counted(tmp_path: Path) -> None:
    assert read_counts(tmp_path) == Counts(0, 0, 0)


def test_an_archive_is_changed_within() -> None:
    content = packed(b'{"a": 1}')
    again = repacked(content, lambda config: config.replace(b"1", b"2"))
    assert again == packed(b'{"a": 2}')
    assert repacked(b"no archive", lambda config: config) is None


WORDS = [b"%d" % number for number in range(10, 50)]


def changed(seed: int) -> bytes:
    return spliced(b", ".join(WORDS), Random(seed))


def differing(seed: int) -> int:
    """How many words of a text are others after a change."""
    after = changed(seed).split(b", ")
    return sum(one != other for one, other in zip(WORDS, after, strict=True))


@given(seed=st.integers(0, 2**32))
def test_a_change_of_words_leaves_all_but_a_few(seed: int) -> None:
    assume(b'"' not in changed(seed))  # between quotation marks all is one word
    assert differing(seed) <= 4


def test_a_change_of_words_is_one() -> None:
    found = {differing(seed) for seed in range(100) if b'"' not in changed(seed)}
    assert found == {0, 1, 2, 3, 4}


def test_every_part_of_a_tree_is_found() -> None:
    tree: Any = {"a": [1, {"b": 2}], "c": 3}
    paths = list(structure.paths_of(tree))
    assert paths == [("a",), ("a", 0), ("a", 1), ("a", 1, "b"), ("c",)]
    assert [structure.part_at(tree, path) for path in paths] == [tree["a"], 1, {"b": 2}, 2, 3]
