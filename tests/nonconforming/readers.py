"""An honest reader of small tables, and readers that break one law each."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

from attrs import evolve, frozen

from costmodel import Network, Reader
from costmodel.errors import ReadError
from costmodel.network.layer import Input, Layer, LayerRegistry, UnknownLayer
from costmodel.testing.readers import Reading
from nonconforming import layers

RULES = LayerRegistry({"input": Input, "acme.Honest": layers.Honest})


class Honest(Reader):
    """Reads texts such as `sheet:4:3`, and mappings with the same text under `sheet`."""

    name = "sheet"
    reads = "a sheet"
    sources: ClassVar[tuple[Any, ...]] = ("sheet:4:3",)

    @classmethod
    def made(cls) -> Reading:
        return Reading(cls(), cls.sources[0], RULES)

    def accepts(self, source: object) -> Any:
        return isinstance(source, str | dict) and "sheet" in source

    def read(self, source: Any, rules: LayerRegistry) -> Network:
        return self.network(self.numbers(source), rules)

    def numbers(self, source: Any) -> list[int]:
        text = source["sheet"] if isinstance(source, dict) else source
        try:
            return [int(part) for part in text.split(":")[1:]]
        except ValueError as error:
            message = f"{source!r} is not a sheet: {error}"
            raise ReadError(message) from None

    def network(self, numbers: list[int], rules: LayerRegistry) -> Network:
        if len(numbers) != 2 or min(numbers) < 1:
            message = f"expected two numbers of at least 1, found {numbers}"
            raise ReadError(message)
        size, units = numbers
        start = Input("in", "input", shape=(size,))
        return Network("sheet", [start, self.layer(start, units, rules)], {"out": ["in"]})

    def layer(self, start: Layer, units: int, rules: LayerRegistry) -> Layer:
        rule = rules.find("acme.Honest")
        if rule is None:
            return UnknownLayer(
                "out", "acme.Honest", start.outputs, recorded=((units,),), reason="no rule"
            )
        return rule.from_settings("out", "acme.Honest", start.outputs, {"units": units})


class TalksTooMuch(Honest):
    reads = "a sheet\nor two"


class NeverSaysYes(Honest):
    def accepts(self, source: object) -> Any:
        return 1 if super().accepts(source) else False


class TakesNumbers(Honest):
    def accepts(self, source: object) -> Any:
        return super().accepts(source) or source == 7


class StumblesOverNothing(Honest):
    def accepts(self, source: Any) -> Any:
        return "sheet" in source if source is None else super().accepts(source)


class CountsItsNetworks(Honest):
    numbers_so_far = itertools.count()

    def read(self, source: Any, rules: LayerRegistry) -> Network:
        return evolve(super().read(source, rules), name=f"sheet {next(self.numbers_so_far)}")


class WritesInTheSource(Honest):
    sources = ({"sheet": "sheet:4:3"},)

    @classmethod
    def made(cls) -> Reading:
        return Reading(cls(), dict(cls.sources[0]), RULES)

    def read(self, source: Any, rules: LayerRegistry) -> Network:
        found = super().read(source, rules)
        source["sheet"] += " "
        return found


Module = type("Module", (), {"__module__": "torch.nn"})


@frozen(slots=False)
class _Carrier(layers.Honest):
    module: Any = None


class KeepsTheModel(Honest):
    def layer(self, start: Layer, units: int, rules: LayerRegistry) -> Layer:
        found = super().layer(start, units, rules)
        if isinstance(found, UnknownLayer):
            return found
        return _Carrier("out", "acme.Honest", start.outputs, units=units, module=_MODULE)


_MODULE = Module()


class DropsWhatItDoesNotKnow(Honest):
    def network(self, numbers: list[int], rules: LayerRegistry) -> Network:
        found = super().network(numbers, rules)
        if isinstance(found.layers[-1], UnknownLayer):
            return Network("sheet", found.layers[:1])
        return found


class FallsOverDamage(Honest):
    def numbers(self, source: Any) -> list[int]:
        return [int(part) for part in source.split(":")[1:]]


class RunsAnything(Honest):
    def measure_rates(self, source: Any, examples: Any, **options: Any) -> Any:
        return {}


NONCONFORMING = {
    TalksTooMuch.made: "test_it_says_what_it_reads",
    NeverSaysYes.made: "test_it_accepts_its_source",
    TakesNumbers.made: "test_it_refuses_what_is_no_source",
    StumblesOverNothing.made: "test_it_refuses_what_is_no_source",
    CountsItsNetworks.made: "test_the_same_source_is_the_same_network",
    WritesInTheSource.made: "test_it_leaves_the_source_as_it_was",
    KeepsTheModel.made: "test_the_network_holds_nothing_of_the_framework",
    DropsWhatItDoesNotKnow.made: "test_layers_without_a_rule_stay_or_are_reported",
    FallsOverDamage.made: "test_a_damaged_source_is_reported",
    RunsAnything.made: "test_a_source_that_cannot_be_run_is_reported",
}
"""How to make each class, and the law that it breaks."""
