"""The text table of `ModelEnergy.summary`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol

from attrs import frozen

from costmodel_keras.nodes import node_of
from costmodel_spiking.devices import Devices, is_spiking
from costmodel_spiking.errors import NoColumnsError, UnknownModelEnergyNameError

_SHOWN_NAMES: Final = 5


@frozen
class Conditions:
    """How long an inference is: timesteps, and seconds for each (None: 1 ms)."""

    timesteps: int
    dt: float | None


class Summarized(Protocol):
    """What a summary is made of: statistics, rates and energies of layers."""

    devices: ClassVar[Devices]

    @property
    def layer_stats(self) -> Mapping[Any, Mapping[str, Any]]:
        """Connections and neurons of every layer."""

    @property
    def layer_rates(self) -> Mapping[Any, float]:
        """The firing rate of every layer, in hertz."""

    @property
    def uncounted(self) -> Sequence[Any]:
        """The layers that nobody counted."""

    @property
    def layer_energy(self) -> Callable[..., Any]:
        """The energy of a layer on a device."""

    @property
    def total_energy(self) -> Callable[..., float]:
        """The energy of all layers on a device."""


@frozen
class _Column:
    heading: str
    cell: Callable[[Any], str]


_PLAIN: Final[dict[str, tuple[str, Callable[[Summarized, Any], str]]]] = {
    "name": ("Layer (type)", lambda _, layer: f"{layer.name} ({type(layer).__name__})"),
    "output_shape": ("Output shape", lambda _, layer: output_shape(layer)),
    "params": ("Param #", lambda _, layer: str(parameter_count(layer))),
    "connections": ("Conn #", lambda energy, layer: _count(energy, layer, "connections")),
    "neurons": ("Neuron #", lambda energy, layer: _count(energy, layer, "neurons")),
    "rate": ("Rate [Hz]", lambda energy, layer: f"{energy.layer_rates[layer]:.2g}"),
}
"""The columns that name no device: their headings and cells."""

_ENERGIES: Final[dict[str, tuple[str, Callable[[float, float], float]]]] = {
    "energy": ("J/inf", lambda synop, neuron: synop + neuron),
    "synop_energy": ("Synop J/inf", lambda synop, _: synop),
    "neuron_energy": ("Neuron J/inf", lambda _, neuron: neuron),
}
"""The columns that a device follows: their headings, and what of the two energies they show."""


def text(
    energy: Summarized,
    columns: Sequence[str],
    conditions: Conditions,
    line_length: int,
    *,
    warnings: bool,
) -> str:
    """The table of all layers, the totals of the devices in it, and remarks if `warnings`.

    Raises:
        NoColumnsError: `columns` is empty.
        UnknownModelEnergyNameError: a column or device that is not there.
        NoExampleDataError: a firing rate is needed that was not measured.

    """
    if isinstance(columns, str) or not columns:
        message = f"columns is {columns!r}; expected a list of names: {_listed(energy)}"
        raise NoColumnsError(message)
    shown = [_column(energy, name, conditions) for name in columns]
    rows = [[column.cell(layer) for column in shown] for layer in energy.layer_stats]
    natural = [
        max(map(len, cells))
        for cells in zip([column.heading for column in shown], *rows, strict=True)
    ]
    is_name = [name == "name" for name in columns]
    widths = fit(natural, is_name, line_length)
    headings = [column.heading[:width] for column, width in zip(shown, widths, strict=True)]
    lines = [
        "|".join(head.ljust(width) for head, width in zip(headings, widths, strict=True)),
        "|".join("-" * width for width in widths),
        *(_line(row, widths, is_name) for row in rows),
        "=" * (sum(widths) + len(widths) - 1),
        *_totals(energy, columns, conditions),
        *(_remarks(energy, columns) if warnings else ()),
    ]
    return "\n".join(lines)


def fit(natural: Sequence[int], is_name: Sequence[bool], line_length: int) -> list[int]:
    """Column widths that fit a line: an even share at most, then what is left from the first on.

    In the first round a column of names gets no more than two fifths of the line.
    """
    room = line_length - (len(natural) - 1)
    share = max(1, room // len(natural))
    widths = [min(width, share) for width in natural]
    limit = line_length * 2 // 5
    capped = [min(n, limit) if named else n for n, named in zip(natural, is_name, strict=True)]
    for wanted in (capped, natural):
        for index, width in enumerate(wanted):
            widths[index] += max(0, min(width - widths[index], room - sum(widths)))
    return widths


def output_shape(layer: Any) -> str:
    """The shape of what a layer gives: in brackets for an input, `multiple` if its calls differ."""
    calls = map(node_of, layer._inbound_nodes)  # noqa: SLF001  # Keras has no public name for it
    found = {tuple(tuple(tensor.shape) for tensor in call.outputs) for call in calls}
    if len(found) != 1:
        return "multiple"
    shapes = list(found.pop())
    is_listed = len(shapes) > 1 or type(layer).__name__ == "InputLayer"
    return str(shapes if is_listed else shapes[0])


def parameter_count(layer: Any) -> int:
    """Parameters of a layer, 0 for an operation that is not a layer."""
    return int(layer.count_params()) if hasattr(layer, "count_params") else 0


def _count(energy: Summarized, layer: Any, name: str) -> str:
    return str(energy.layer_stats[layer][name])


def _column(energy: Summarized, name: str, conditions: Conditions) -> _Column:
    if name in _PLAIN:
        heading, show = _PLAIN[name]
        return _Column(heading, lambda layer: show(energy, layer))
    sort, _, device = name.partition(" ")
    if sort not in _ENERGIES or not device:
        hint = f"Unknown column type {name!r:.80}; expected {_listed(energy)}"
        raise UnknownModelEnergyNameError(name, _known(energy), "column", hint)
    energy.devices.device(device)
    title, choose = _ENERGIES[sort]

    def cell(layer: Any) -> str:
        parts = energy.layer_energy(layer, device, conditions.timesteps, conditions.dt)
        return f"{choose(*parts):.2g}"

    return _Column(f"{title} ({device})", cell)


def _known(energy: Summarized) -> list[str]:
    """The names of all columns."""
    return [*_PLAIN, *(f"{sort} {device}" for sort in _ENERGIES for device in energy.devices)]


def _listed(energy: Summarized) -> str:
    return f"{', '.join(_PLAIN)} or {', '.join(_ENERGIES)} with a device, as in 'energy cpu'"


def _line(row: Sequence[str], widths: Sequence[int], is_name: Sequence[bool]) -> str:
    cells = zip(row, widths, is_name, strict=True)
    return "|".join(
        cell[:width].ljust(width) if named else cell[:width].rjust(width)
        for cell, width, named in cells
    )


def _devices(columns: Sequence[str]) -> list[str]:
    """The devices that columns name, each once."""
    split = (name.partition(" ") for name in columns)
    return list(dict.fromkeys(device for sort, _, device in split if sort in _ENERGIES))


def _totals(energy: Summarized, columns: Sequence[str], conditions: Conditions) -> list[str]:
    totals = {
        device: energy.total_energy(device, conditions.timesteps, conditions.dt)
        for device in _devices(columns)
    }
    return [
        f"Total energy per inference [Joules/inf] ({device}): {total:.2e}"
        for device, total in totals.items()
    ]


def _remarks(energy: Summarized, columns: Sequence[str]) -> list[str]:
    remarks = ["* These are estimates only: no static power, no memory, no input and output."]
    spiking = [name for name in _devices(columns) if is_spiking(energy.devices.device(name))]
    silent = [layer.name for layer, stats in energy.layer_stats.items() if not stats["spiking"]]
    if spiking and silent:
        remarks.append(
            f"* This model contains non-spiking activations, priced on {', '.join(spiking)} as if "
            f"they were spiking neurons: {some(silent)}."
        )
    if energy.uncounted:
        names = [layer.name for layer in energy.uncounted]
        remarks.append(f"* Not counted, so 0 in every total: {some(names)}.")
    return remarks


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:_SHOWN_NAMES])
    more = len(names) - _SHOWN_NAMES
    return f"{shown} and {more} more" if more > 0 else shown
