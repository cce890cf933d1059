"""An estimate as plain values, for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from costmodel.devices import Charge, Cost, Parameter
from costmodel.devices.evaluation.memory import as_bytes, in_bytes
from costmodel.errors import NetworkError
from costmodel.report import ignored
from costmodel.report.columns import is_in_static, standing
from costmodel.report.estimate_table import (
    Reported,
    assumptions,
    has_count,
    macs_known,
    parameters_known,
)
from costmodel.version import own_version

if TYPE_CHECKING:
    from costmodel.conventions.convention import LayerWork
    from costmodel.devices import DeviceEstimate, UnitCost
    from costmodel.network.graph import Network
    from costmodel.report.bills import Bill, Coverage, LayerCost, Share
    from costmodel.scenario import Rates, Scenario
    from costmodel.tensor.shapes import InputShapes


SCHEMA: Final = "costmodel/estimate/2"


def as_dict(estimate: Reported) -> dict[str, Any]:
    """The estimate as plain values, in SI units, by the schema that it names."""
    network, scenario = estimate.network, estimate.scenario
    return {
        "schema": SCHEMA,
        "costmodel": own_version(),
        "network": {
            "name": network.name,
            "layers": len(network.layers),
            "macs": estimate.macs,
            "macs_are_lower_bound": not macs_known(estimate),
            "parameters": network.parameter_count,
            "parameters_are_lower_bound": not parameters_known(estimate),
            "weight_bytes": _bytes(
                [work.layer.weight_bits(scenario.default_format) for work in estimate.lowered]
            ),
        },
        "layers": [_layer_dict(work, scenario) for work in estimate.lowered],
        "convention": estimate.convention.name,
        "scenario": scenario_dict(scenario),
        "on_unpriced": estimate.on_unpriced,
        "plugins": [
            {"name": item.name, "distribution": item.distribution, "version": item.version}
            for item in estimate.plugins
        ],
        "problems": list(estimate.problems),
        "devices": {name: _bill_dict(bill, estimate) for name, bill in estimate.bills.items()},
        **_graph(network, scenario.input_shapes),
    }


def _graph(network: Network, input_shapes: InputShapes) -> dict[str, Any]:
    """The network itself, from which it can be estimated anew; or why no file can hold it."""
    try:
        bound = network.bind(input_shapes) if input_shapes else network
        return {"graph": bound.to_dict()}
    except NetworkError as error:
        return {"graph": None, "graph_missing": str(error)}


def _layer_dict(lowered: LayerWork, scenario: Scenario) -> dict[str, Any]:
    """What one layer is on any device; None where a count is not known."""
    layer = lowered.layer
    bits = layer.weight_bits(scenario.default_format)
    held = 0 if layer.shares else layer.parameter_count
    return {
        "name": layer.name,
        "kind": layer.kind,
        "parameters": held if layer.is_counted else None,
        "weight_bytes": _bytes([bits]) if layer.is_counted else None,
        "macs": lowered.macs if has_count(lowered) else None,
    }


def _bytes(bits: Iterable[int]) -> int:
    return as_bytes(sum(bits))


def scenario_dict(scenario: Scenario) -> dict[str, Any]:
    """The conditions as plain values, in SI units."""
    shapes: Any = scenario.input_shapes  # by name in every estimate
    return {
        "batch": scenario.batch,
        "timesteps": scenario.timesteps,
        "time_axis": scenario.time_axis,
        "dt_seconds": scenario.dt,
        "rates_hertz": _plain_rates(scenario.rates),
        "input_rates_hertz": _plain_rates(scenario.input_rates),
        "default_format": str(scenario.default_format),
        "source_format": None if scenario.source_format is None else str(scenario.source_format),
        "formats": {name: str(number) for name, number in scenario.formats.items()},
        "weights": {name: str(number) for name, number in scenario.weights.items()},
        "input_shapes": {name: list(shape) for name, shape in shapes.items()},
    }


def _plain_rates(rates: Rates | None) -> Any:
    return dict(rates) if isinstance(rates, Mapping) else rates


def _bill_dict(bill: Bill, estimate: Reported) -> dict[str, Any]:
    device, total = bill.device, bill.total
    pairs = zip(estimate.lowered, bill.lines, strict=True)
    return {
        "title": device.title,
        "family": device.family,
        "not_modelled_in_prices": device.all_not_modelled,
        "assumptions": list(assumptions(bill)),
        "ignored": dict(ignored.ignored(bill.device, bill.lines, estimate.scenario)),
        "file": device.file,
        "content_hash": device.content_hash,
        "parameters": {name: _parameter_dict(item) for name, item in device.parameters.items()},
        "settings": dict(device.settings),
        "runtime": device.runtime,
        **_cost_dict(total, is_complete=bill.is_complete),
        "latency_seconds": _time_dict(total, is_complete=bill.evaluation.is_priced),
        **_evaluation_dict(bill.evaluation),
        **_unknown_energy(bill.evaluation),
        "is_lower_bound": not bill.is_complete,
        "coverage": _coverage_dict(bill.coverage),
        "layers": [_line_dict(bill, lowered, line) for lowered, line in pairs],
        "groups": _group_dicts(bill.evaluation),
    }


def _evaluation_dict(evaluation: DeviceEstimate) -> dict[str, Any]:
    """What beside energy and time is known of the whole network; None where not modelled."""
    memories = {one.name: one for one in evaluation.placement.memories}
    moved, peak = evaluation.traffic_bytes, evaluation.peak_bytes
    return {
        "energy_joules_per_inference": evaluation.energy_joules_per_inference,
        "static_energy_joules": evaluation.static.energy_joules
        if evaluation.device.has_static_charges
        else None,
        "throughput_per_second": evaluation.throughput,
        "average_power_watts": evaluation.average_power_watts,
        "utilisation": evaluation.utilisation,
        "limiting_resource": evaluation.limiting_resource,
        "busy_seconds": dict(evaluation.busy_seconds),
        "memories": {
            name: {
                "size_bytes": None if memory.size is None else memory.size.value,
                **_moved_dict(moved[name]),
                "peak_bytes": peak[name],
            }
            for name, memory in memories.items()
        },
        "fits": evaluation.fits,
        "weight_bytes": evaluation.weight_bytes,
        "area_square_metres": evaluation.area_square_metres,
        "not_modelled": list(evaluation.not_modelled),
    }


def _group_dicts(evaluation: DeviceEstimate) -> list[dict[str, Any]]:
    """The groups of operators that run as one, in order, without their charges."""
    spans = {span.group: span for span in evaluation.schedule.spans}
    found = []
    for each in evaluation.groups:
        cost = _cost_dict(each.cost, is_complete=each.is_priced)
        span = spans.get(each.group.name)
        found.append({
            "name": each.group.name,
            "layer": each.group.anchor.layer or None,
            "members": [step.name for step in each.group.members],
            "steps": each.steps,
            **cost,
            "begin_seconds": None if span is None else span.begin.value,
            "end_seconds": None if span is None else span.end.value,
            "limiting_resource": each.limiting_resource,
            "busy_seconds": dict(each.busy_seconds),
            "memories": {
                name: _moved_dict(moved) for name, moved in in_bytes(each.traffic).items()
            },
            "is_lower_bound": not each.is_priced,
        })  # fmt: skip
    return found


def _moved_dict(moved: tuple[int, int]) -> dict[str, int]:
    read, written = moved
    return {"read_bytes": read, "written_bytes": written}


def _parameter_dict(parameter: Parameter) -> dict[str, Any]:
    return {
        "value": parameter.value,
        "low": parameter.low,
        "high": parameter.high,
        "unit": parameter.unit,
        "source": parameter.source,
        "evidence": parameter.evidence.value,
        "note": parameter.note,
    }


def _cost_dict(cost: Cost, *, is_complete: bool) -> dict[str, Any]:
    return {
        "energy_joules": {
            "value": cost.energy_joules,
            "low": cost.energy_joules_low,
            "high": cost.energy_joules_high if is_complete else None,
        },
        "latency_seconds": _time_dict(cost, is_complete=is_complete),
        "energy_joules_by_resource": dict(cost.energy_joules_by_resource),
        "energy_joules_by_role": dict(cost.energy_joules_by_role),
    }


def _time_dict(cost: Cost, *, is_complete: bool) -> dict[str, Any] | None:
    if cost.latency_seconds is None:
        return None
    return {
        "value": cost.latency_seconds,
        "low": cost.latency_seconds_low,
        "high": cost.latency_seconds_high if is_complete else None,
    }


def _unknown_energy(evaluation: DeviceEstimate) -> dict[str, Any]:
    """What stands for energies where all of it is a power that is not known, and why."""
    if not evaluation.unknown_static:
        return {}
    unknown = {"static_energy_joules": None, "unknown_energy": evaluation.unknown_static}
    if evaluation.cost.charges:
        return unknown
    return {**unknown, "energy_joules": None, "energy_joules_per_inference": None}


def _coverage_dict(coverage: Coverage) -> dict[str, Any]:
    shares = ("layers", "operators", "macs", "parameters", "activations")
    return {
        **{name: _share_dict(getattr(coverage, name)) for name in shares},
        "free": {name: list(reasons) for name, reasons in coverage.free.items()},
        "unpriced": {name: list(reasons) for name, reasons in coverage.unpriced.items()},
    }


def _share_dict(share: Share) -> dict[str, Any]:
    return {"covered": share.covered, "total": share.total, "fraction": share.fraction}


def _line_dict(bill: Bill, lowered: LayerWork, line: LayerCost) -> dict[str, Any]:
    layer, cost = line.layer, _cost_dict(line.cost, is_complete=not line.unpriced)
    if standing(line) == "unpriced":
        cost |= {"energy_joules": None, "latency_seconds": None}
    elif is_in_static(line):
        cost |= {"energy_joules": None}
    return {
        "name": layer.name,
        "kind": layer.kind,
        "outputs": [None if one is None else list(one) for one in layer.known_outputs],
        "parameters": layer.parameter_count if layer.is_counted else None,
        "macs": lowered.macs if has_count(lowered) else None,
        "status": standing(line),
        **cost,
        "fused_into": list(line.fused_into),
        "utilisation": bill.utilisation(line),
        "limiting_resource": line.limiting_resource,
        "busy_seconds": dict(line.busy_seconds),
        "memories": {
            name: {**_moved_dict(line.traffic_bytes.get(name, (0, 0))), "peak_bytes": peak}
            for name, peak in line.peak_bytes.items()
        },
        "is_lower_bound": bool(line.unpriced),
        "charges": [_charge_dict(charge) for charge in line.cost.charges],
        "free": list(line.free),
        "unpriced": list(line.unpriced),
    }


def _charge_dict(charge: Charge) -> dict[str, Any]:
    return {
        "resource": charge.resource,
        "role": charge.role,
        "count": charge.count,
        "factors": [
            {"label": label, "value": value, "unit": unit} for label, value, unit in charge.factors
        ],
        "unit_cost": _unit_cost_dict(charge.unit_cost),
    }


def _unit_cost_dict(unit_cost: Parameter | UnitCost) -> dict[str, Any]:
    return {
        "name": unit_cost.name,
        "value": unit_cost.value,
        "unit": unit_cost.unit,
        "parts": [
            {"parameter": parameter.name, "weight": weight} for parameter, weight in unit_cost.parts
        ],
    }
