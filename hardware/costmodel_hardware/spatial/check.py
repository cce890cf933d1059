"""Compare counts with a file of results of SCALE-Sim or of ZigZag.

    python -m costmodel_hardware.spatial.check FILE.json

A file of SCALE-Sim is a list of cases with `layer`, `config` and `expected`, as
tests/golden/scalesim.json.gz, which was made by running the package scalesim 3.0.0 (MIT licence).
Stalls are taken from the file: they are not reproduced. A file of ZigZag is an object with
`accelerators` and `cases`, as tests/golden/zigzag.json.gz, which was made by running the package
zigzag-dse 3.9.1 (MIT licence). For each quantity the answer has how many agree, and the first that
does not. Exit status: 0 if all agree, 1 if one does not, 2 if the file cannot be read.
"""

from __future__ import annotations

import gzip
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from costmodel.errors import CostModelError
from costmodel_hardware.spatial.counting.scale_sim import Convolution, Layer, Product, SystolicArray
from costmodel_hardware.spatial.zigzag.checking import QUANTITIES, Compared, compared

_LIMIT: Final = 1 << 28
"""Bytes of a file, unpacked."""
_LAYERS: Final[Mapping[str, Any]] = {"gemm": Product, "conv": Convolution}
NOT_REPRODUCED: Final[Mapping[str, str]] = {
    "stall_cycles": "stalls are taken from the file",
    "total_cycles_with_prefetch": "the first fill is not modelled",
}
"""Quantities of a file of SCALE-Sim that nothing is computed for."""
OF_SCALE_SIM: Final[Mapping[str, str]] = {
    "total_cycles": "folds x cycles of a fold - 1, and the stalls of the file",
    "overall_utilization_percent": "multiply-accumulates over total cycles x rows x columns",
    "mapping_efficiency_percent": "units in use over all, in the mean of the folds",
    "compute_utilization_percent": "units in use x cycles of their work over all x those of a fold",
    "sram_input_reads": "words of the inputs that enter the array in all folds",
    "sram_weight_reads": "words of the weights that enter the array in all folds",
    "sram_output_writes": "sums that leave the array in all folds",
    "dram_input_reads": "different words; in the suite small, demands that half the SRAM does not "
    "hold, which is emptied once it is full: known to differ by up to 0.6 % for convolutions with "
    "overlapping windows in 1 KiB",
    "dram_weight_reads": "different words; in the suite small, demands that half the SRAM does not "
    "hold, which is emptied once it is full",
    "dram_output_writes": "sums that leave the array in all folds, each result once if it stays",
}
"""The quantities of a file of SCALE-Sim, and what each is made of."""
_BY_SUITE: Final[Mapping[str, tuple[str, ...]]] = {
    "limited": ("dram_input_reads", "dram_weight_reads", "dram_output_writes"),
    "small": ("dram_output_writes",),
}
"""By suite: further ones, where the program counts lines that it fetches or drains in part."""


@frozen
class Difference:
    """A case in which a quantity is not that of the file."""

    case: str
    found: float
    expected: float


@frozen
class Agreement:
    """In how many cases of a suite a quantity is that of the file."""

    suite: str
    quantity: str
    cases: int
    differences: tuple[Difference, ...] = field(default=())

    def __str__(self) -> str:
        """Write how many agree, and the first that does not, with what the quantity is made of."""
        agree = self.cases - len(self.differences)
        text = f"{self.suite} {self.quantity}: {agree} of {self.cases}"
        if not self.differences:
            return text
        first = self.differences[0]
        known = {**OF_SCALE_SIM, **QUANTITIES}
        made_of = f" ({known[self.quantity]})" if self.quantity in known else ""
        return (
            f"{text}; first: {first.case} has {first.found:.10g}, "
            f"expected {first.expected:.10g}{made_of}"
        )


def check(content: Any) -> tuple[Agreement, ...]:
    """How many agree, by suite and quantity, of a file's content.

    Raises:
        CostModelError: a case that is not as the form demands.

    """
    comparisons = compared(content) if isinstance(content, Mapping) else _of_scale_sim(content)
    tolerance = 1e-12 if isinstance(content, Mapping) else 1e-9
    found: dict[tuple[str, str], list[Difference]] = {}
    counted: dict[tuple[str, str], int] = {}
    for suite, quantity, case, value, expected in comparisons:
        key = suite, quantity
        counted[key] = counted.get(key, 0) + 1
        if not math.isclose(value, expected, rel_tol=tolerance, abs_tol=tolerance):
            found.setdefault(key, []).append(Difference(case, value, expected))
    return tuple(
        Agreement(*key, number, tuple(found.get(key, ()))) for key, number in counted.items()
    )


def _of_scale_sim(cases: Iterable[Mapping[str, Any]]) -> Iterator[Compared]:
    for place, case in enumerate(cases):
        try:
            name, suite, expected = case["id"], case["suite"], case["expected"]
            got = counts_of(case)
        except (KeyError, TypeError, ValueError) as error:
            message = f"case {place}: {type(error).__name__}: {error}; expected layer and config"
            raise CostModelError(message) from None
        for quantity, value in got.items():
            if quantity not in _BY_SUITE.get(suite, ()) and quantity in expected:
                yield Compared(suite, quantity, name, value, expected[quantity])


def counts_of(case: Mapping[str, Any]) -> Mapping[str, float]:
    """The quantities of one case of SCALE-Sim, stalls taken from what is expected."""
    layer, config = layer_of(case["layer"]), case["config"]
    array = SystolicArray(config["rows"], config["columns"], config["dataflow"])
    counts = dict(array.counts(layer))
    counts["total_cycles"] += case["expected"]["stall_cycles"]
    product = layer.gemm
    slots = counts["total_cycles"] * array.rows * array.columns
    macs = product.m * product.n * product.k
    counts["overall_utilization_percent"] = 100 * macs / slots if slots else 0.0
    if case["suite"] == "small":
        sizes = config["input_sram_kib"], config["weight_sram_kib"]
        counts["dram_input_reads"], counts["dram_weight_reads"] = array.fetched(layer, *sizes)
    return counts


def layer_of(given: Mapping[str, Any]) -> Layer:
    """The layer that a case of SCALE-Sim describes."""
    values = dict(given)
    kind = values.pop("kind")
    made: Layer = _LAYERS[kind](**values)
    return made


def read(path: Path) -> Any:
    """The content of a file, which may be packed by gzip: cases, or an object that has them.

    Raises:
        CostModelError: it cannot be read, or has no cases.

    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                content = file.read(_LIMIT)
        content = json.loads(content)
    except (OSError, ValueError, EOFError) as error:
        message = (
            f"{path}: cannot be read: {error}; expected JSON as tests/golden/scalesim.json.gz "
            "or tests/golden/zigzag.json.gz"
        )
        raise CostModelError(message) from None
    cases = content.get("cases") if isinstance(content, dict) else content
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        message = f"{path}: expected a list of cases, found {type(content).__name__}"
        raise CostModelError(message)
    return content


def main(arguments: Sequence[str]) -> int:
    """Print the agreement of the only file; the exit status."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)  # noqa: T201  # a program
        return 2
    try:
        agreements = check(read(Path(arguments[0])))
    except CostModelError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201  # a program
        return 2
    for one in agreements:
        print(one)  # noqa: T201  # a program
    return 1 if any(one.differences for one in agreements) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
