"""What the tables of an estimate say of one device: the cells of a layer, and the totals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import frozen

from costmodel.report.table import Column
from costmodel.units import format_count, format_quantity

if TYPE_CHECKING:
    from costmodel.devices import Cost
    from costmodel.report.bills import Bill, LayerCost, Share

UNKNOWN = "?"
MANY: Final = 3
"""Of so many devices each has one column."""
TOTAL: Final = "Total"
"""The row of the energy of the whole."""

CellText: TypeAlias = Callable[["LayerCost"], str]


@frozen
class Figure:
    """A column of one device, and what stands in it for a layer."""

    column: Column
    text_of: CellText


def standing(line: LayerCost) -> str:
    """Whether a layer is `priced`, `partial`, `free`, `fused` or `unpriced`."""
    is_due = bool(line.cost.charges or line.cost.latency_seconds)
    if line.unpriced:
        return "partial" if is_due else "unpriced"
    if is_due:
        return "priced"
    return "fused" if line.fused and not line.free else "free"


def shown_energy(line: LayerCost) -> str:
    """What a layer costs as a cell of a table, or why there is no number."""
    if is_in_static(line):
        return "unpriced" if line.unpriced else ""
    energy = joules(line.cost.energy_joules)
    return {"priced": energy, "partial": f"{energy} + unpriced"}.get(standing(line), standing(line))


def is_in_static(line: LayerCost) -> bool:
    """Whether the energy of a layer is a power over its time, in the static energy of the whole."""
    return not line.cost.charges and line.cost.latency_seconds is not None


def shown_latency(line: LayerCost) -> str:
    """How long a layer takes as a cell of a table; nothing of one that is done in another."""
    seconds = line.cost.latency_seconds
    if seconds is not None:
        return least(not line.unpriced) + format_quantity(seconds, "s")
    return UNKNOWN if line.groups and line.cost.charges else ""


def joules(value: float) -> str:
    """An energy in words."""
    return format_quantity(value, "J")


# ------------------------------------------------------------------ the cells of a layer


def figures(bill: Bill, beside: int, *, exact: bool) -> list[Figure]:
    """The columns of a device, by what it models; `exact` ones have bare numbers in SI units.

    For people, the column with the name of the device has its energy, or its latency where all
    energy is a power over it. Each of many devices has this column alone; `beside` is how many
    others there are.
    """
    if exact:
        return list(_exact(bill))
    shown = _for_people(bill) if beside + 1 < MANY else [_main(bill)]
    group = bill.device.name if beside else ""
    return [Figure(Column(title, numeric=True, group=group), text) for title, text in shown]


_Titled: TypeAlias = tuple[str, CellText]


def _main(bill: Bill) -> _Titled:
    if has_energy_by_layer(bill):
        return bill.device.name, shown_energy

    def cell(line: LayerCost) -> str:
        return shown_latency(line) or standing(line)

    return bill.device.name, cell


def has_energy_by_layer(bill: Bill) -> bool:
    """Whether layers cost energy of their own, or all of it is a power over the time."""
    return not is_timed(bill) or any(line.cost.charges for line in bill.lines)


def _for_people(bill: Bill) -> Iterator[_Titled]:
    yield _main(bill)
    if is_timed(bill):
        if has_energy_by_layer(bill):
            yield "Latency", shown_latency
        if bill.evaluation.busy_seconds:
            yield "Limit", _limit
    if bill.device.macs_per_second:
        yield "Utilisation", _utilisation(bill, _percent)
    for memory in bill.memories[-1:]:
        yield memory.name, _moved(memory.name)


def _exact(bill: Bill) -> Iterator[Figure]:
    def column(title: str, text_of: CellText) -> Figure:
        def cell(line: LayerCost) -> str:
            return "" if standing(line) in {"unpriced", "fused"} else text_of(line)

        return Figure(Column(f"{bill.device.name} {title}", numeric=True), cell)

    def energy(end: str) -> CellText:
        def cell(line: LayerCost) -> str:
            return "" if is_in_static(line) else repr(getattr(line.cost, f"energy_joules{end}"))

        return cell

    high = energy("_high")
    yield column("(J)", energy(""))
    yield column("low (J)", energy("_low"))
    yield column("high (J)", lambda line: "" if line.unpriced else high(line))
    yield column("latency (s)", lambda line: _number(line.cost.latency_seconds))
    if is_timed(bill):
        yield column("latency low (s)", lambda line: _number(line.cost.latency_seconds_low))
        yield column(
            "latency high (s)",
            lambda line: "" if line.unpriced else _number(line.cost.latency_seconds_high),
        )
        yield column("limit", _limit)
    if bill.device.macs_per_second:
        yield column("utilisation", _utilisation(bill, repr))
    for memory in bill.memories:
        for place, way in enumerate(("read", "written")):
            yield column(f"{memory.name} {way} (B)", _bytes_moved(memory.name, place))
        yield column(f"{memory.name} peak (B)", _peak(memory.name))
    yield Figure(Column(f"{bill.device.name} status"), standing)


def is_timed(bill: Bill) -> bool:
    """Whether the time of anything is known."""
    return bill.evaluation.is_timed


def _limit(line: LayerCost) -> str:
    return line.limiting_resource or ""


def _utilisation(bill: Bill, text_of: Callable[[float], str]) -> CellText:
    def cell(line: LayerCost) -> str:
        share = bill.utilisation(line) if line.macs else None
        return "" if share is None else text_of(share)

    return cell


def _moved(memory: str) -> CellText:
    def cell(line: LayerCost) -> str:
        size = sum(line.traffic_bytes.get(memory, (0, 0)))
        return format_quantity(size, "B") if size else ""

    return cell


def _bytes_moved(memory: str, place: int) -> CellText:
    return lambda line: str(line.traffic_bytes.get(memory, (0, 0))[place])


def _peak(memory: str) -> CellText:
    return lambda line: str(line.peak_bytes.get(memory, ""))


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def _percent(share: float) -> str:
    return f"{share:.1%}"


# ------------------------------------------------------------------ totals

Total: TypeAlias = Callable[["Bill"], str]


def totals(bills: list[Bill]) -> Mapping[str, Total]:
    """What each row of totals says of a device, by its title: as much as any device models."""
    return dict(_totals(bills))


def _totals(bills: list[Bill]) -> Iterator[tuple[str, Total]]:
    by_layer = any(map(has_energy_by_layer, bills))
    yield TOTAL, _energy
    if any(map(_has_range, bills)):
        yield f"{TOTAL}, low", _energy_low
        yield f"{TOTAL}, high", _energy_high
    if by_layer and any(bill.evaluation.static.charges for bill in bills):
        yield "Static, in the total", _static
    if any(bill.evaluation.batch > 1 for bill in bills):
        yield "Energy per inference", _energy_per_inference
    if any(map(is_timed, bills)):
        yield from _times(bills)
    names = dict.fromkeys(memory.name for bill in bills for memory in bill.memories)
    for name in names:
        if len(bills) < MANY:
            yield f"{name}: read, written", _total_moved(name, (0, 1))
        else:
            yield f"{name}: read", _total_moved(name, (0,))
            yield f"{name}: written", _total_moved(name, (1,))
        if len(bills) < MANY:
            yield f"{name}: peak of size", _total_peak(name)
        else:
            yield f"{name}: peak", _total_peak(name, with_size=False)
    if names:
        yield "Fits", _fits
    if any(bill.evaluation.area_square_metres for bill in bills):
        yield "Area", _area
    yield "Layers covered", lambda bill: _percent(bill.coverage.fraction)
    yield "Activations covered", lambda bill: _covered(bill.coverage.activations)


def _times(bills: list[Bill]) -> Iterator[tuple[str, Total]]:
    yield "Latency", _latency
    if any(_has_range_of_time(bill.total) for bill in bills):
        if len(bills) < MANY:
            yield "Latency, low to high", _latency_range
        else:
            yield "Latency, low", _latency_low
            yield "Latency, high", _latency_high
    yield "Throughput", _throughput
    yield "Average power", _power
    if any(bill.evaluation.busy_seconds for bill in bills):
        yield "Limited by", lambda bill: bill.evaluation.limiting_resource or ""
    if any(bill.device.macs_per_second for bill in bills):
        yield "Utilisation", _total_utilisation


def least(known: object) -> str:
    """What stands before a number that is a lower bound."""
    return "" if known else ">= "


def _energy(bill: Bill) -> str:
    if bill.evaluation.unknown_static and not bill.total.charges:
        return UNKNOWN
    return least(bill.is_complete) + joules(bill.total.energy_joules)


def _has_range(bill: Bill) -> bool:
    return bill.total.energy_joules_low != bill.total.energy_joules_high


def _energy_low(bill: Bill) -> str:
    low = least(bill.is_complete) + joules(bill.total.energy_joules_low)
    return low if _has_range(bill) else ""


def _energy_high(bill: Bill) -> str:
    high = joules(bill.total.energy_joules_high) if bill.is_complete else UNKNOWN
    return high if _has_range(bill) else ""


def _static(bill: Bill) -> str:
    static = bill.evaluation.static
    return joules(static.energy_joules) if static.charges else ""


def _energy_per_inference(bill: Bill) -> str:
    return least(bill.is_complete) + joules(bill.evaluation.energy_joules_per_inference)


def _latency(bill: Bill) -> str:
    seconds = bill.total.latency_seconds
    if seconds is None:
        return UNKNOWN
    return least(bill.evaluation.is_priced) + format_quantity(seconds, "s")


def _has_range_of_time(total: Cost) -> bool:
    return total.latency_seconds_low != total.latency_seconds_high


def _latency_range(bill: Bill) -> str:
    low, high = bill.total.latency_seconds_low, bill.total.latency_seconds_high
    if low is None or high is None or low == high:
        return ""
    return f"{format_quantity(low, 's')} to {_latency_high(bill)}"


def _latency_low(bill: Bill) -> str:
    low = bill.total.latency_seconds_low
    return "" if low is None else format_quantity(low, "s")


def _latency_high(bill: Bill) -> str:
    high = bill.total.latency_seconds_high
    if high is None:
        return ""
    return format_quantity(high, "s") if bill.evaluation.is_priced else UNKNOWN


def _throughput(bill: Bill) -> str:
    found = bill.evaluation.throughput
    most = "" if bill.evaluation.is_priced else "<= "
    return "" if found is None else f"{most}{format_count(found)}/s"


def _power(bill: Bill) -> str:
    found = bill.evaluation.average_power_watts
    return "" if found is None else format_quantity(found, "W")


def _total_utilisation(bill: Bill) -> str:
    share = bill.evaluation.utilisation
    return "" if share is None else _percent(share)


def _total_moved(memory: str, ways: tuple[int, ...]) -> Total:
    def cell(bill: Bill) -> str:
        moved = bill.evaluation.traffic_bytes.get(memory)
        if moved is None:
            return ""
        return ", ".join(format_quantity(moved[way], "B") for way in ways)

    return cell


def _total_peak(memory: str, *, with_size: bool = True) -> Total:
    def cell(bill: Bill) -> str:
        known = {one.name: one for one in bill.memories}
        if memory not in known:
            return ""
        peak = format_quantity(bill.evaluation.peak_bytes[memory], "B")
        size = known[memory].size
        return (
            peak
            if size is None or not with_size
            else f"{peak} of {format_quantity(size.value, 'B')}"
        )

    return cell


def _fits(bill: Bill) -> str:
    fits = bill.evaluation.fits
    return "" if fits is None else "yes" if fits else "no"


def _area(bill: Bill) -> str:
    area = bill.evaluation.area_square_metres
    return "" if area is None else f"{area * 1e6:.3g} mm2"


def _covered(share: Share) -> str:
    return UNKNOWN if share.fraction is None else _percent(share.fraction)
