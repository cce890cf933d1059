"""The energy laws of QTools' processes, from the YAML files beside this module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml
from attrs import evolve, field, frozen

from costmodel_qkeras.qtools.errors import QToolsError
from costmodel_qkeras.qtools.numbers import log2
from costmodel_qkeras.qtools.records import Work

SCHEMA: Final = "costmodel/qtools-prices/1"
_FLOAT_COLUMNS: Final = {"add": "add", "mul": "multiply"}


def _numbers(given: Iterable[float]) -> tuple[float, ...]:
    return tuple(map(float, given))


@frozen(cache_hash=True)
class Law:
    """A polynomial in picojoules, never below zero; the highest power comes first."""

    name: str
    coefficients: tuple[float, ...] = field(converter=_numbers)
    source: str
    evidence: str
    of: str = ""
    note: str = ""

    def __call__(self, x: float) -> float:
        """Evaluate by Horner's rule."""
        total = 0.0
        for coefficient in self.coefficients:
            total = total * x + coefficient
        return max(total, 0.0)


def _laws(laws: Sequence[Law]) -> tuple[Law, ...]:
    return tuple(laws)


@frozen(cache_hash=True)
class PriceTable:
    """The laws of one process."""

    name: str
    title: str
    process: str
    laws: tuple[Law, ...] = field(converter=_laws)
    _by_name: Mapping[str, Law] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Index the laws."""
        object.__setattr__(self, "_by_name", {law.name: law for law in self.laws})

    def citation(self, quantity: str) -> str:
        """Where the energy of an `operation`, of `sram` or of `dram` comes from."""
        return self.law("fixed_add" if quantity == "operation" else quantity).source

    def law(self, name: str) -> Law:
        """One law.

        Raises:
            QToolsError: there is none.

        """
        try:
            return self._by_name[name]
        except KeyError:
            message = f"QTools raises KeyError: it has no energy law {name!r}"
            raise QToolsError(message) from None

    def law_of(self, work: Work) -> Law:
        """The law of an operation: multiplexers, gates and shifters are priced as additions.

        Raises:
            QToolsError: there is none, such as for a floating-point format of odd width.

        """
        if work.family == "fpm":
            return self.law("fixed_multiply" if work.operation == "mul" else "fixed_add")
        column = _FLOAT_COLUMNS.get(work.operation, work.operation)
        return self.law(f"float{work.family.removeprefix('fp')}_{column}")

    def operation(self, work: Work) -> float:
        """One operation of unit gate factor."""
        return self.law_of(work)(work.bits)

    def sram_access(self, held_bits: int) -> float:
        """One access to an SRAM that holds `held_bits`: a price per bit, charged per word."""
        return self.law("sram")(log2(held_bits))

    def dram(self, bits: int) -> float:
        """Moving `bits` to or from the DRAM."""
        return self.law("dram")(bits)


@cache
def tables() -> Mapping[str, PriceTable]:
    """All tables that ship, by the name of their process."""
    here = sorted(files(__package__).iterdir(), key=lambda file: file.name)
    found = [_table(yaml.safe_load(file.read_bytes())) for file in here if _is_table(file.name)]
    return {item.name: item for item in found}


def _is_table(file: str) -> bool:
    return file.endswith(".yaml")


def _table(raw: Mapping[str, Any]) -> PriceTable:
    sources = raw["sources"]
    laws = [Law(name, **law) for name, law in raw["laws"].items()]
    cited = [evolve(law, source=sources[law.source]) for law in laws]
    return PriceTable(raw["name"], raw["title"], raw["process"], cited)
