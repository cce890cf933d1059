"""Compare the best mappings with those that ZigZag found, goal by goal.

    python -m costmodel_hardware.spatial.zigzag.searching.comparing FILE.json > optima.csv

A row is a case and a goal: ZigZag's value, the least, by which factor ZigZag's is higher, by which
factor it is higher than the least with its own order of loops, and what makes the difference.
Energies are in pJ, latencies in cycles. Every least value is proven.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from costmodel.errors import CostModelError
from costmodel_hardware.spatial.check import read
from costmodel_hardware.spatial.zigzag.golden_cases import (
    PICO,
    Accelerator,
    accelerator_of,
    mapping_of,
    nest_of_layer,
)
from costmodel_hardware.spatial.zigzag.searching.best import GOALS, best_allocation, best_mapping
from costmodel_hardware.spatial.zigzag.searching.space import space_of

_EQUAL: Final = 1e-9
"""Values that differ by less than this share are equal."""


class Optimum(NamedTuple):
    """The best mapping of a case by one goal, beside ZigZag's."""

    case: str
    goal: str
    zigzag: float
    least: float
    least_in_its_order: float
    proven: bool

    @property
    def factor(self) -> float:
        """How many times the least ZigZag's value is."""
        return self.zigzag / self.least

    @property
    def factor_in_its_order(self) -> float:
        """The same, with ZigZag's own order of loops."""
        return self.zigzag / self.least_in_its_order

    @property
    def cause(self) -> str:
        """What makes the difference: how loops are given to memories, or also their order."""
        if self.factor <= 1 + _EQUAL:
            return "equal"
        if self.least_in_its_order <= self.least * (1 + _EQUAL):
            return "allocation"
        return "order and allocation"


def optima(file: Mapping[str, Any]) -> Iterator[Optimum]:
    """The best mappings of all cases of a file that have ZigZag's best."""
    accelerators = {name: accelerator_of(one) for name, one in file["accelerators"].items()}
    for case in file["cases"]:
        for goal in case.get("best", {}):
            yield optimum(accelerators[case["accelerator"]], case, goal)


def optimum(accelerator: Accelerator, case: Mapping[str, Any], goal: str) -> Optimum:
    """The best mapping of a case by one goal."""
    nest = nest_of_layer(case["layer"])
    limit = case["search"]["lpf_limit"]
    space = space_of(nest, accelerator.architecture, accelerator.spatial(nest), limit)
    given = case["best"][goal]
    best = best_mapping(space, goal)
    same_order = best_allocation(space, mapping_of(accelerator, nest, given), goal)
    unit = 1.0 if goal == "latency" else PICO
    theirs = float(GOALS[goal](given["energy_pj"], given["latency_cycles"]))
    return Optimum(
        case["id"], goal, theirs, best.value / unit, same_order.value / unit, best.gap == 0
    )


def table(rows: Iterable[Optimum]) -> str:
    """The rows as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["case", "goal", "zigzag", "least", "factor", "factor_in_its_order", "cause", "proven"]
    )
    for one in rows:
        factors = [f"{one.factor:.6f}", f"{one.factor_in_its_order:.6f}"]
        values = [f"{one.zigzag:.10g}", f"{one.least:.10g}"]
        proven = "yes" if one.proven else "no"
        writer.writerow([one.case, one.goal, *values, *factors, one.cause, proven])
    return text.getvalue()


def main(arguments: Sequence[str]) -> int:
    """Print the table of the only file; the exit status."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)  # noqa: T201  # a program
        return 2
    try:
        sys.stdout.write(table(optima(read(Path(arguments[0])))))
    except CostModelError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201  # a program
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
