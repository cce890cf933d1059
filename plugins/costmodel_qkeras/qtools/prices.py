"""What the work and the tensors of a record cost, in picojoules."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from attrs import field, frozen

from costmodel.errors import UnknownNameError
from costmodel_qkeras.qtools.errors import QToolsError
from costmodel_qkeras.qtools.numbers import counted, single
from costmodel_qkeras.qtools.records import Record, Stored, Work

PLACES: Final = ("dram", "sram", "fixed")
"""Where tensors can live; what is `fixed` is wired in and costs nothing to read."""

_WORD_BITS: Final = 64
"""Bits of one SRAM access."""


class Prices(Protocol):
    """The energies of a process in picojoules; hashable, since prices are remembered."""

    def __hash__(self) -> int:
        """Equal prices are remembered as one."""

    def citation(self, quantity: str) -> str:
        """Where the energy of an `operation`, of `sram` or of `dram` comes from."""

    def operation(self, work: Work) -> float:
        """One operation of unit gate factor.

        Raises:
            QToolsError: there is no energy for it.

        """

    def sram_access(self, held_bits: int) -> float:
        """One access to an SRAM that holds `held_bits`."""

    def dram(self, bits: int) -> float:
        """Moving `bits` to or from the DRAM."""


def _place(_: object, attribute: object, value: str) -> None:
    if value not in PLACES:
        name = getattr(attribute, "name", "memory")
        raise UnknownNameError(value, PLACES, f"memory for {name!r}")


def _size(_: object, attribute: object, value: float) -> None:
    if not (isinstance(value, (int, float)) and math.isfinite(value) and value >= 0):
        message = f"min_sram_size is {value!r:.40}; expected a number of bits, 0 or more"
        raise QToolsError(message)


@frozen(cache_hash=True)
class Memory:
    """Where tensors live: the arguments of `QTools.pe`.

    Raises:
        UnknownNameError: a memory that QTools does not have.
        QToolsError: a size that no memory has.

    """

    weights_on_memory: str = field(default="dram", validator=_place)
    activations_on_memory: str = field(default="dram", validator=_place)
    min_sram_size: int = field(default=0, validator=_size)
    rd_wr_on_io: bool = True

    def place(self, *, at_the_edge: bool) -> str:
        """Where activations live; the first and last layers of a network use off-chip memory."""
        if not at_the_edge:
            return self.activations_on_memory
        return "dram" if self.rd_wr_on_io else "sram"


class Move(NamedTuple):
    """One way of one tensor: how many units of what, and picojoules for each."""

    place: str
    units: int
    unit_price: float
    energy: float


@lru_cache(maxsize=4096)
def moves(stored: Stored, place: str, memory: Memory, prices: Prices) -> tuple[Move, ...]:
    """The ways of a tensor: on its own memory, and through the SRAM where input and output go.

    Raises:
        QToolsError: the bits overflow 32 bits, in which QTools counts them.

    """
    bits = counted(stored.elements * stored.bits)
    held = int(max(bits, memory.min_sram_size))
    if held <= 0:
        message = "QTools raises ValueError: the bits of a tensor overflow 32 bits"
        raise QToolsError(message)
    if place == "fixed":
        return ()
    if place == "sram":
        return (_sram(bits, held, prices),)
    energy = prices.dram(bits)
    dram = Move("dram", bits, energy / bits if bits else 0.0, energy)
    return (dram, _sram(bits, held, prices)) if memory.rd_wr_on_io else (dram,)


def _sram(bits: int, held: int, prices: Prices) -> Move:
    words = counted(-(-bits // _WORD_BITS))
    price = single(prices.sram_access(held))
    return Move("sram", words, price, single(words * price))


def _energy(ways: tuple[Move, ...]) -> float:
    if len(ways) > 1:
        # DRAM alone is in double precision; sums with SRAM, which has it, are in single.
        dram, sram = ways
        return single(single(dram.energy) + sram.energy)
    return ways[0].energy if ways else 0.0


def _total(stored: Iterable[Stored], place: str, memory: Memory, prices: Prices) -> float:
    """The energy of several tensors, summed in the precision in which QTools sums."""
    energies = [_energy(moves(tensor, place, memory, prices)) for tensor in stored]
    if len(energies) == 1:
        return energies[0]
    is_single = place == "sram" or memory.rd_wr_on_io
    total = 0.0
    for energy in energies:
        total = single(total + energy) if is_single else total + energy
    return total


@frozen
class Energy:
    """The picojoules of one layer before rounding."""

    inputs: float = 0.0
    outputs: float = 0.0
    parameters: float = 0.0
    op_cost: float = 0.0
    _printed: tuple[tuple[str, float], ...] = field(init=False, eq=False, repr=False)

    @_printed.default
    def _print(self) -> tuple[tuple[str, float], ...]:
        names = ("inputs", "outputs", "parameters", "op_cost")
        return tuple([(name, float(f"{getattr(self, name):.2f}")) for name in names])

    @property
    def total(self) -> float:
        """All four parts."""
        return self.inputs + self.outputs + self.parameters + self.op_cost

    def as_json(self) -> dict[str, float]:
        """The parts as QTools prints them, to two decimals by way of text."""
        return dict(self._printed)


def operations_energy(record: Record, prices: Prices) -> float:
    """The energy of a layer's arithmetic."""
    energies = [(work.factor, prices.operation(work)) for work in record.work]
    if record.multiplies_first and energies:
        # QTools multiplies from left to right here: the last bit of the product differs.
        ((factor, energy),) = energies
        return record.repetitions * factor * energy
    return record.repetitions * sum([factor * energy for factor, energy in energies])


@lru_cache(maxsize=4096)
def price(
    record: Record, memory: Memory, prices: Prices, *, is_first: bool, is_last: bool
) -> Energy:
    """The energy of one layer; the first reads and the last writes off chip.

    Raises:
        QToolsError: QTools has no energy for its work or its tensors.

    """
    written = Stored(math.prod(record.output_shape), record.output.bits)
    return Energy(
        _total(record.reads, memory.place(at_the_edge=is_first), memory, prices),
        _energy(moves(written, memory.place(at_the_edge=is_last), memory, prices)),
        _total(record.parameters, memory.weights_on_memory, memory, prices),
        operations_energy(record, prices),
    )
