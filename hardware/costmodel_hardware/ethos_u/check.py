"""Compare an Ethos-U with a file of the estimates of Vela.

`python -m costmodel_hardware.ethos_u.check vela.json [--network cnn.int8.tflite=cnn.keras ...]`
takes a file of the form of `golden/vela.json`: each operation is predicted from its shapes, in the
block that is chosen here and in that of Vela, and each network that is given from its layers.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from attrs import frozen

import costmodel
from costmodel.devices import Memory
from costmodel.formats import parse_format
from costmodel.scenario import Scenario
from costmodel_hardware.ethos_u.blocks import block_for
from costmodel_hardware.ethos_u.device import EthosU, block_of, with_copy
from costmodel_hardware.ethos_u.lowering import product_of_maps
from costmodel_hardware.ethos_u.operation import Area, Kind, Operation

_KINDS: Final = {
    "Conv2D": Kind.CONVOLUTION, "DepthwiseConv2D": Kind.DEPTHWISE,
    "FullyConnected": Kind.FULLY_CONNECTED, "MaxPool": Kind.POOLING, "AvgPool": Kind.POOLING,
    "Clamp": Kind.POOLING, "Tanh": Kind.POOLING, "MemoryCopy": Kind.POOLING,
    "ReduceSum": Kind.REDUCE_SUM, "Transpose": Kind.COPY,
}  # fmt: skip
"""The operations of Vela; all others work on elements."""
_FUNCTIONS: Final = {"MaxPool": "maximum", "Add": "add", "Sub": "add", "Mul": "multiply"}
_BITS: Final = {"Int8": 8, "UInt8": 8, "Int16": 16, "Int32": 32}
_TABLES: Final = frozenset({"LUT", "Sigmoid", "Tanh"})
_ON_THE_CPU: Final = "Passthrough"
_FAMILIES: Final = ("ethos-u55", "ethos-u65")
_INT8: Final = parse_format("int8")


@frozen
class Compared:
    """Cycles of an operation or of a network: those of Vela, and those that are predicted."""

    name: str
    accelerator: str
    runtime: str
    core: str
    expected: float
    predicted: float
    in_given_block: float | None = None
    """Those in the block that Vela chose."""
    is_same_block: bool | None = None

    @property
    def error(self) -> float:
        """The share by which the prediction is off."""
        return abs(self.predicted / self.expected - 1)


def read_file(path: Path) -> Mapping[str, Any]:
    """A file of results, plain or packed."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    found: Mapping[str, Any] = json.loads(text)
    return found


def cases_of(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The cases of an Ethos-U55 or U65 that the compiler finished."""
    for case in data["cases"]:
        if "network" in case and case["accelerator"].startswith(_FAMILIES):
            yield case


def device_of(case: Mapping[str, Any]) -> EthosU:
    """The device under the system configuration and memory mode of a case."""
    runtime, dedicated, size = runtime_of(case).partition("-dedicated-sram")
    device = costmodel.device(case["accelerator"]).with_runtime(f"{runtime}{dedicated}")
    if size:
        kilobytes = size.removeprefix("-").removesuffix("kb")
        device = device.with_parameters(**{"sram.size": f"{kilobytes} KiB"})
    if not isinstance(device, EthosU):
        message = f"{case['accelerator']} is of class {device.family!r}; expected 'ethos-u'"
        raise TypeError(message)
    return device


def runtime_of(case: Mapping[str, Any]) -> str:
    """What the system configuration and memory mode of a case are called in the device files.

    The size of a dedicated SRAM stands at the end.
    """
    system = case["system_config"].removeprefix("Ethos_U55_").removeprefix("Ethos_U65_")
    return f"{system}-{case['memory_mode']}".lower().replace("_", "-")


# ------------------------------------------------------------------ operations


def compared_operations(data: Mapping[str, Any]) -> list[Compared]:
    """Every operation of the core regor whose shapes are given."""
    columns = data["op_columns"]["regor"]
    found: list[Compared] = []
    for case in cases_of(data):
        if case["core"] == "regor" and "ops" in case:
            rows = [dict(zip(columns, row, strict=True)) for row in case["ops"]]
            found += _compared(case, [row for row in rows if row["op"] != _ON_THE_CPU])
    return found


def operation_of(row: Mapping[str, Any]) -> Operation:
    """The operation that a row describes."""
    fused = set(row["fused"] or ())
    kind = _KINDS.get(row["op"], Kind.ELEMENTWISE)
    made = row["ifm" if row["op"] == "MemoryCopy" else "ofm"]  # it writes a part of the latter
    is_table = bool(fused & _TABLES) or row["op"] == "Tanh"
    return Operation(
        kind, Area(*made[1:]), Area(*row["ifm"][1:]),
        Area(*row["ifm2"][1:]) if row["ifm2"] else None,
        kernel=tuple(row["kernel"]), stride=tuple(row["stride"]), dilation=tuple(row["dilation"]),
        input_bits=_BITS[row["ifm_type"]], output_bits=_BITS[row["ofm_type"]],
        function=_FUNCTIONS.get(row["op"], "other"),
        activation="relu" if "Relu" in fused else "table" if is_table else "",
    )  # fmt: skip


def _compared(case: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[Compared]:
    device, runtime = device_of(case), runtime_of(case)
    idle = [0.0, 0.0]
    for row in rows:
        operations = _operations(row)
        cycles = []
        given = partial(block_for, output=Area(*row["ofm_block"][1:]))
        for place, choose in enumerate((block_of, given)):
            seconds, idle[place] = _time(device, row, operations, choose, idle[place])
            cycles.append(seconds * device.clock.value)
        block = block_of(operations[-1], device.accelerator)
        is_same = list(block.output) == row["ofm_block"][1:] if len(operations) == 1 else None
        chosen, in_given = cycles
        yield Compared(
            row["op"], case["accelerator"], runtime, "regor", row["op_cycles"], chosen, in_given,
            is_same,
        )  # fmt: skip


def _operations(row: Mapping[str, Any]) -> tuple[Operation, ...]:
    if row["op"] != "MatMul":
        return (operation_of(row),)
    made, read = Area(*row["ofm"][1:]), row["ifm"][-1]
    bits = (_BITS[row["ifm_type"]], _BITS[row["ofm_type"]])
    return product_of_maps(made.size, made.height * made.depth, read, bits)


def _time(
    device: EthosU,
    row: Mapping[str, Any],
    operations: tuple[Operation, ...],
    choose: Any,
    idle: float,
) -> tuple[float, float]:
    """Seconds of the operations of a row, and of the memory of weights without work in them."""
    read, written = (_memory(device, row[name]) for name in ("ifm_memory", "ofm_memory"))
    chosen = choose if len(operations) == 1 else block_of
    runs = device.runs_of(operations, read, written, chosen)
    total = 0.0
    for run in runs:
        took, idle = with_copy(device.cost_of(run), device.of_weights.name, idle)
        total += took
    return total, idle


def _memory(device: EthosU, name: str | None) -> Memory:
    """The memory of the device that Vela calls so."""
    near, far = device.memories[0], device.memories[-1]
    return near if name in {None, "Sram", "OnChipFlash"} else far


# ------------------------------------------------------------------ networks


def compared_networks(
    data: Mapping[str, Any], networks: Mapping[str, costmodel.Network]
) -> list[Compared]:
    """Every case of the networks that are given by the names of their TFLite files."""
    scenario = Scenario(default_format=_INT8)
    workloads = {name: costmodel.lower(network) for name, network in networks.items()}
    known: dict[tuple[str, str, str], float] = {}
    found = []
    for case in cases_of(data):
        if case["model"] not in workloads or not case["network"]["total_cycles"]:
            continue
        key = (case["model"], case["accelerator"], runtime_of(case))
        if key not in known:
            device = device_of(case)
            estimate = device.evaluate(workloads[case["model"]], scenario)
            known[key] = (estimate.latency_seconds or 0.0) * device.clock.value
        expected = case["network"]["total_cycles"]
        found.append(Compared(*key, case["core"], expected, known[key]))
    return found


def summary(compared: Iterable[Compared]) -> list[tuple[str, int, float, float, float]]:
    """For each name the cases, the median error, and the least and largest predicted share."""
    by_name: dict[str, list[Compared]] = {}
    for one in compared:
        by_name.setdefault(one.name, []).append(one)
    found = []
    for name, several in by_name.items():
        shares = [one.predicted / one.expected for one in several]
        median = statistics.median([one.error for one in several])
        found.append((name, len(several), median, min(shares), max(shares)))
    return found


# ------------------------------------------------------------------ command


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how far the predictions are off; the status is 1 where a median is above 25 %."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="results of Vela, such as vela.json")
    parser.add_argument("--network", action="append", default=[], metavar="TFLITE=MODEL")
    parser.add_argument("--all", action="store_true", help="list every operation and network")
    given = parser.parse_args(arguments)
    data = read_file(given.file)
    pairs = [one.partition("=") for one in given.network]
    networks = {name: costmodel.read(path) for name, _, path in pairs}
    compared = compared_networks(data, networks)
    groups = {
        "operations, blocks chosen here": compared_operations(data),
        "networks, core regor": [one for one in compared if one.core == "regor"],
        "networks, core legacy": [one for one in compared if one.core == "legacy"],
    }
    for title, several in groups.items():
        _show(title, several)
    if given.all:
        for one in (*groups["operations, blocks chosen here"], *compared):
            _write(
                f"{one.name:28} {one.accelerator:14} {one.runtime:36} {one.core:7}"
                f"{one.expected:12,.0f}{one.predicted:12,.0f}{one.predicted / one.expected:8.2f}"
            )
    medians = [row[2] for row in summary(groups["networks, core regor"])]
    return 1 if any(median > _ALLOWED for median in medians) else 0


_ALLOWED: Final = 0.25


def _show(title: str, several: Sequence[Compared]) -> None:
    if not several:
        return
    blocks = [one.is_same_block for one in several if one.is_same_block is not None]
    same = f", the same block in {sum(blocks)} of {len(blocks)}" if blocks else ""
    _write(f"{title}: {len(several)}{same}")
    for name, count, median, least, most in summary(several):
        _write(f"  {name:30} {count:5} median error {median:6.1%}, {least:.2f} to {most:.2f}")
    _write(f"  {'all':30} {len(several):5} median error {_median(several):6.1%}")
    given = [
        abs(one.in_given_block / one.expected - 1)
        for one in several
        if one.in_given_block is not None
    ]
    if given:
        _write(f"  in the blocks of Vela: median error {statistics.median(given):.1%}")


def _median(several: Sequence[Compared]) -> float:
    return statistics.median([one.error for one in several])


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
