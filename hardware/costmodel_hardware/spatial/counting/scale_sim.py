"""What SCALE-Sim 3.0.0 counts for a matrix product on a systolic array, in closed form.

The array has R rows and C columns. A dataflow spreads two of the dimensions m (outputs per
filter), n (filters) and k (terms of a sum) over rows and columns, and streams the third:

| dataflow | rows | columns | streamed | cycles of a fold |
|---|---|---|---|---|
| `os`, output stationary | m | n | k | R + C + T - 2 |
| `ws`, weight stationary | k | n | m | 2R + C + T - 2 |
| `is`, input stationary | k | m | n | 2R + C + T - 2 |

A partly filled fold costs as much as a full one, and folds do not overlap. Oddities of the program
are kept: its total is the index of the last cycle, one less than their number, and an output
stationary array is said to write R + C words more in each fold. Its stalls are not reproduced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
from attrs import field, frozen
from attrs.validators import and_, ge, in_, instance_of

DATAFLOWS: Final = ("os", "ws", "is")
_BYTES_PER_KIB: Final = 1024
_HELD: Final = 50
"""Words of a buffer for each 100 bytes of SRAM: half of it is filled while the other is read."""

Vector = np.ndarray[Any, np.dtype[np.int64]]


_POSITIVE: Final = and_(instance_of(int), ge(1))


@frozen
class Product:
    """A matrix product of m x k inputs and k x n weights."""

    m: int = field(validator=_POSITIVE)
    n: int = field(validator=_POSITIVE)
    k: int = field(validator=_POSITIVE)

    @property
    def gemm(self) -> Product:
        """Itself."""
        return self

    @property
    def input_words(self) -> int:
        """How many inputs there are."""
        return self.m * self.k

    def input_addresses(self, rows: Vector, terms: Vector) -> Vector:
        """The address of the input of an output row and a term."""
        return np.asarray(rows * self.k + terms, np.int64)


@frozen
class Convolution:
    """A convolution without padding; the last window may hang over the edge."""

    input_height: int = field(validator=_POSITIVE)
    input_width: int = field(validator=_POSITIVE)
    filter_height: int = field(validator=_POSITIVE)
    filter_width: int = field(validator=_POSITIVE)
    channels: int = field(validator=_POSITIVE)
    filters: int = field(validator=_POSITIVE)
    stride: int = field(validator=_POSITIVE)

    @property
    def _output(self) -> tuple[int, int]:
        """Rows and columns of the output, rounded up where the stride does not divide."""
        return (
            _ceiling(self.input_height - self.filter_height + self.stride, self.stride),
            _ceiling(self.input_width - self.filter_width + self.stride, self.stride),
        )

    @property
    def gemm(self) -> Product:
        """The same work as a matrix product."""
        height, width = self._output
        terms = self.filter_height * self.filter_width * self.channels
        return Product(height * width, self.filters, terms)

    @property
    def input_words(self) -> int:
        """How many distinct inputs windows touch; a stride beyond the filter skips some."""
        height, width = self._output
        rows = _touched(height, self.filter_height, self.stride, self.input_height)
        columns = _touched(width, self.filter_width, self.stride, self.input_width)
        return rows * columns * self.channels

    def input_addresses(self, rows: Vector, terms: Vector) -> Vector:
        """The address of the input of an output position and a term; -1 beyond the edge."""
        width = self._output[1]
        within, channel = np.divmod(terms, self.channels)
        down, across = np.divmod(within, self.filter_width)
        y = rows // width * self.stride + down
        x = rows % width * self.stride + across
        found = (y * self.input_width + x) * self.channels + channel
        is_inside = (y < self.input_height) & (x < self.input_width)
        return np.asarray(np.where(is_inside, found, _BEYOND), np.int64)


_BEYOND: Final = -1
Layer = Product | Convolution


def _ceiling(number: int, by: int) -> int:
    return -(-number // by)


def _touched(outputs: int, taps: int, stride: int, size: int) -> int:
    """Distinct positions of an axis that windows touch, none beyond its end.

    Only the last window may hang over the end, or begin beyond it.
    """
    last = (outputs - 1) * stride
    if stride <= taps:
        return min(last + taps, size)
    return (outputs - 1) * taps + max(min(taps, size - last), 0)


@frozen
class SystolicArray:
    """An array of processing elements, and which operand stays in them."""

    rows: int = field(validator=_POSITIVE)
    columns: int = field(validator=_POSITIVE)
    dataflow: str = field(validator=in_(DATAFLOWS))

    def folds(self, product: Product) -> tuple[int, int]:
        """How many times rows and columns are filled."""
        spread = self.spread(product)
        return _ceiling(spread[0], self.rows), _ceiling(spread[1], self.columns)

    def spread(self, product: Product) -> tuple[int, int, int]:
        """What is spread over rows and over columns, and what is streamed."""
        m, n, k = product.m, product.n, product.k
        return {"os": (m, n, k), "ws": (k, n, m), "is": (k, m, n)}[self.dataflow]

    def fold_cycles(self, product: Product) -> int:
        """Cycles of one fold."""
        fills = 1 if self.dataflow == "os" else 2
        return fills * self.rows + self.columns + self.spread(product)[2] - 2

    def counts(self, layer: Layer) -> Mapping[str, float]:
        """Cycles without stalls, utilisation in percent, and words to and from SRAM and DRAM.

        DRAM has one transfer of each word: SRAM holds all.
        """
        product = layer.gemm
        m, n, k = product.m, product.n, product.k
        over_rows, over_columns, streamed = self.spread(product)
        fr, fc = self.folds(product)
        cycles = fr * fc * self.fold_cycles(product) - 1
        used = over_rows * over_columns / (fr * self.rows * fc * self.columns)
        is_os = self.dataflow == "os"
        slots = self.fold_cycles(product) + (0 if is_os else self.columns - 1)
        written = m * n + fr * fc * (self.rows + self.columns) if is_os else fr * m * n
        return {
            "total_cycles": cycles,
            "overall_utilization_percent": 100
            * m * n * k / (cycles * self.rows * self.columns) if cycles else 0.0,
            "mapping_efficiency_percent": 100 * used,
            "compute_utilization_percent": 100 * used * streamed / slots,
            "sram_input_reads": m * k * (1 if self.dataflow == "is" else fc),
            "sram_weight_reads": k * n * {"os": fr, "ws": 1, "is": fc}[self.dataflow],
            "sram_output_writes": written,
            "dram_input_reads": layer.input_words,
            "dram_weight_reads": k * n,
            "dram_output_writes": m * n if is_os else fr * m * n,
        }  # fmt: skip

    def fetched(self, layer: Layer, input_sram_kib: int, weight_sram_kib: int) -> tuple[int, int]:
        """Words of inputs and of weights that are read from DRAM through buffers of such a size.

        A word that is not held is fetched; one that finds the buffer full empties all of it first.
        """
        inputs, weights = self._demands(layer)
        return (
            _fetched(inputs, _held_words(input_sram_kib)),
            _fetched(weights, _held_words(weight_sram_kib)),
        )

    def _demands(self, layer: Layer) -> tuple[Iterator[Vector], Iterator[Vector]]:
        """The addresses of inputs and of weights, fold by fold, in the order of demand."""
        product = layer.gemm

        def inputs(rows: Vector, terms: Vector) -> Vector:
            return layer.input_addresses(rows, terms)

        def weights(filters: Vector, terms: Vector) -> Vector:
            return np.asarray(terms * product.n + filters, np.int64)

        if self.dataflow == "os":
            return (
                (inputs(*_skewed(rows, product.k)) for rows, _ in self._each_fold(product)),
                (weights(*_skewed(columns, product.k)) for _, columns in self._each_fold(product)),
            )
        if self.dataflow == "ws":
            return (
                (inputs(*_skewed(rows, product.m)[::-1]) for rows, _ in self._each_fold(product)),
                (weights(*_loaded(columns, rows)) for rows, columns in self._each_fold(product)),
            )
        return (
            (inputs(*_loaded(columns, rows)) for rows, columns in self._each_fold(product)),
            (weights(*_skewed(rows, product.n)[::-1]) for rows, _ in self._each_fold(product)),
        )

    def _each_fold(self, product: Product) -> Iterator[tuple[Vector, Vector]]:
        """What lies on rows and on columns in each fold; rows change first."""
        over_rows, over_columns, _ = self.spread(product)
        for first_column in range(0, over_columns, self.columns):
            for first_row in range(0, over_rows, self.rows):
                yield (
                    np.arange(first_row, min(first_row + self.rows, over_rows)),
                    np.arange(first_column, min(first_column + self.columns, over_columns)),
                )


def _skewed(lanes: Vector, steps: int) -> tuple[Vector, Vector]:
    """The lane and the step of each demand: lane i is i cycles behind the first."""
    cycles = np.arange(steps + len(lanes) - 1)
    step = cycles[:, None] - np.arange(len(lanes))
    lane = np.broadcast_to(lanes, step.shape)
    is_there = (step >= 0) & (step < steps)
    return lane[is_there], step[is_there]


def _loaded(columns: Vector, rows: Vector) -> tuple[Vector, Vector]:
    """The column and the row of each demand of what stays: the last row first."""
    row, column = np.meshgrid(rows[::-1], columns, indexing="ij")
    return column.ravel(), row.ravel()


def _held_words(sram_kib: int) -> int:
    return _HELD * (sram_kib * _BYTES_PER_KIB // 100)


def _fetched(folds: Iterable[Vector], words: int) -> int:
    held: set[int] = set()
    fetched = 0
    for addresses in folds:
        for address in addresses.tolist():
            if address == _BEYOND or address in held:
                continue
            if len(held) >= words:
                held.clear()
            held.add(address)
            fetched += 1
    return fetched
