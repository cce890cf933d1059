"""The laws of a reader."""

from __future__ import annotations

import contextlib
import copy
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from attrs import field, fields, frozen
from hypothesis import strategies as st

from costmodel import registry
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.network.layer import Input, LayerRegistry
from costmodel.testing.contract import (
    FRAMEWORKS,
    Contract,
    drawn,
    expect,
    for_all,
    frameworks_behind,
    missing_fixture,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costmodel.network.layer import Layer
    from costmodel.network.reader import Reader

NO_SOURCES: Final = (None, 7, 2.5, object(), type, b"", (), {1, 2})
"""What no reader reads."""


def _installed_rules() -> LayerRegistry:
    return registry.installed().layer_registry


@frozen
class Reading:
    """A reader, a source that it reads, and the rules for its layers."""

    reader: Reader
    source: Any
    rules: LayerRegistry = field(factory=_installed_rules, repr=False)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001  # the protocol
        """Show it without the rules, which are hundreds."""
        printer.text(repr(self))

    def network(self) -> Network:
        """What the reader makes of the source."""
        return self.reader.read(self.source, self.rules)


class ReaderContract(Contract):
    """What every reader must keep. Give it the fixture `reading`.

    The fixture returns a `Reading`: a reader and a source that it reads, or a strategy of them.
    A source in a file is best a small one: the laws read it many times.
    """

    @pytest.fixture
    def reading(self) -> Any:
        """The reader with a source, or a strategy of them."""
        missing_fixture(self, "reading", "a costmodel.testing.readers.Reading")

    def test_it_says_what_it_reads(self, reading: Any) -> None:
        """Its name and its sources in a few words, for messages."""

        @for_all(drawn(reading))
        def law(reading: Reading) -> None:
            for text in (reading.reader.name, reading.reader.reads):
                is_line = text.strip() and text.splitlines() == [text]
                expect(is_line, "name and reads", "one line each", repr(text))

    def test_it_accepts_its_source(self, reading: Any) -> None:
        """True or false, decided without a change of the source."""

        @for_all(drawn(reading))
        def law(reading: Reading) -> None:
            found = reading.reader.accepts(reading.source)
            expect(found is True, "accepts(source)", "True", found)

    def test_it_refuses_what_is_no_source(self, reading: Any) -> None:
        """It says false and raises nothing, so that the next reader is asked."""

        @for_all(drawn(reading), st.sampled_from(NO_SOURCES))
        def law(reading: Reading, nothing: object) -> None:
            found = reading.reader.accepts(nothing)
            expect(found is False, f"accepts({nothing!r})", "False", found)

    def test_the_same_source_is_the_same_network(self, reading: Any) -> None:
        """A network follows from the source alone."""

        @for_all(drawn(reading))
        def law(reading: Reading) -> None:
            first = reading.network()
            expect(isinstance(first, Network), "read(source)", "a Network", first)
            again = reading.network()
            expect(again == first, "the network of the same source", first, again)

    def test_it_leaves_the_source_as_it_was(self, reading: Any) -> None:
        """Reading changes nothing that belongs to the caller."""

        @for_all(drawn(reading))
        def law(reading: Reading) -> None:
            before = _snapshot(reading.source)
            reading.network()
            after = _snapshot(reading.source)
            expect(after == before, "the source after it was read", before, after)

    def test_the_network_holds_nothing_of_the_framework(self, reading: Any) -> None:
        """All that layers hold are values of costmodel or plain ones."""

        @for_all(drawn(reading))
        def law(reading: Reading) -> None:
            for layer in reading.network().layers:
                for name, value in _held(layer):
                    home = type(value).__module__.partition(".")[0]
                    what = f"{name} of layer {layer.name!r}"
                    expect(home not in FRAMEWORKS, what, "no object of a framework", repr(value))

    def test_layers_without_a_rule_stay_or_are_reported(self, reading: Any) -> None:
        """No layer is lost in silence for want of a rule."""

        @for_all(drawn(reading))
        def law(reading: Reading) -> None:
            layers = reading.network().layers
            try:
                bare = reading.reader.read(reading.source, LayerRegistry({"input": Input}))
            except CostModelError as error:
                described = str(error)
            else:
                found, expected = (sorted(x.name for x in each) for each in (bare.layers, layers))
                expect(found == expected, "layers of a network without rules", expected, found)
                return
            is_named = any(layer.kind in described for layer in layers)
            expect(is_named, "the error for want of rules", "it names a layer's kind", described)

    def test_a_damaged_source_is_reported(self, reading: Any, tmp_path: Path) -> None:
        """Cut short or overwritten anywhere, it reads or raises an error of costmodel."""

        @for_all(drawn(reading), st.data())
        def law(reading: Reading, data: st.DataObject) -> None:
            source = _damaged(reading.source, data, tmp_path)
            if reading.reader.accepts(source):
                with contextlib.suppress(CostModelError):
                    reading.reader.read(source, reading.rules)

    def test_a_source_that_cannot_be_run_is_reported(self, reading: Any) -> None:
        """Measuring rates on what is not a model is an error of costmodel."""

        @for_all(drawn(reading))
        def law(reading: Reading) -> None:
            with pytest.raises(CostModelError):
                reading.reader.measure_rates(
                    "no model", [], of="outputs", batch_size=1, progress=lambda _done, _all: None
                )

    def test_importing_it_brings_no_framework(self, reading: Any) -> None:
        """Whoever lists the readers does not wait for TensorFlow."""

        @for_all(drawn(reading))
        def law(reading: Reading) -> None:
            found = frameworks_behind(reading.reader)
            expect(not found, "frameworks imported with its module", "none", found)


def _held(layer: Layer) -> Iterator[tuple[str, Any]]:
    """Every value that a layer holds, those in its tuples and inner layers too."""
    for item in fields(type(layer)):
        value = getattr(layer, item.name)
        yield item.name, value
        if isinstance(value, tuple):
            yield from ((item.name, part) for part in value)


def _snapshot(source: Any) -> Any:
    if isinstance(source, Path):
        return source.read_bytes()
    try:
        return copy.deepcopy(source)
    except Exception:  # noqa: BLE001  # a live model may refuse in any way; it is compared as it is
        return source


def _damaged(source: Any, data: st.DataObject, folder: Path) -> Any:
    """The source cut short, or with some of it overwritten; other values are left as they are."""
    if isinstance(source, Path) and source.is_file():
        copied = folder / source.name
        shutil.copyfile(source, copied)
        copied.write_bytes(_spoilt(source.read_bytes(), data, b"\xff"))
        return copied
    if isinstance(source, str):
        return _spoilt(source, data, "?")
    if isinstance(source, bytes):
        return _spoilt(source, data, b"\xff")
    return source


def _spoilt(whole: Any, data: st.DataObject, junk: Any) -> Any:
    place = data.draw(st.integers(0, len(whole)), label="place")
    if data.draw(st.booleans(), label="cut"):
        return whole[:place]
    return whole[:place] + junk + whole[place + 1 :]
