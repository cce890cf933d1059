"""The devices of `ModelEnergy`: three figures each, and a `Device` that prices with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costmodel import registry as registrys
from costmodel.devices import Cost, Device, Evidence, Parameter
from costmodel.errors import PluginError
from costmodel.scenario import Scenario
from costmodel_spiking.convention import Stats
from costmodel_spiking.errors import DeviceFiguresError, UnknownModelEnergyNameError

if TYPE_CHECKING:
    from costmodel.workload.operators import Operator

BUILT_IN: Final = ("cpu", "gpu", "arm", "loihi", "spinnaker", "spinnaker2")
"""The devices that KerasSpiking knows; their figures are those of the registry."""

FAMILIES: Final = {False: "per-operation", True: "event-driven"}
"""The device class for a device that spikes or does not."""

FIGURES: Final = ("spiking", "energy_per_synop", "energy_per_neuron")
"""What `devices` holds of each device; energies in joules."""

_PARAMETERS: Final = {
    False: {
        "energy_per_multiply_accumulate": "energy_per_synop",
        "energy_per_neuron_update": "energy_per_neuron",
        # A ModelEnergy counts no other operations, so this one is never charged.
        "energy_per_other_operation": "energy_per_synop",
    },
    True: {
        "energy_per_synaptic_operation": "energy_per_synop",
        "energy_per_neuron_update": "energy_per_neuron",
    },
}
"""The parameter of each device class, and the figure that it takes."""

_ONE_SPIKE: Final = Scenario(rates=1.0, dt=1.0)
"""Conditions under which every connection sees one spike."""


class Devices(MutableMapping[str, Mapping[str, Any]]):
    """The figures of each device by its name; an item that is set becomes a device.

    Nothing that is set here reaches the registry, or the `parent` that it extends.
    """

    def __init__(self, parent: Devices | None = None) -> None:
        """Start with the devices of `parent`, else with those of KerasSpiking."""
        self._parent = parent
        self._own: dict[str, Device] = {}

    def device(self, name: str) -> Device:
        """The device called `name`.

        Raises:
            UnknownModelEnergyNameError: there is none.

        """
        if name in self._own:
            return self._own[name]
        if self._parent is not None:
            return self._parent.device(name)
        if name in BUILT_IN:
            return registrys.installed().device(name)
        hint = (
            f"Energy specs unknown for device {str(name)!r:.80}; "
            "add them with ModelEnergy.register_device, or price with costmodel.estimate"
        )
        raise UnknownModelEnergyNameError(str(name), self, "device of ModelEnergy", hint)

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        """The figures of a device: `spiking`, `energy_per_synop`, `energy_per_neuron`."""
        if name not in set(self):
            raise KeyError(name)
        device = self.device(name)
        (connection,) = Stats(connections=1).operators()
        (neuron,) = Stats(neurons=1).operators()
        figures = {
            "spiking": is_spiking(device),
            "energy_per_synop": energy_joules(device, connection, _ONE_SPIKE),
            "energy_per_neuron": energy_joules(device, neuron, _ONE_SPIKE),
        }
        return MappingProxyType(figures)

    def __setitem__(self, name: str, figures: Mapping[str, Any]) -> None:
        """Make a device of these figures, in place of one that has the name already.

        Raises:
            DeviceFiguresError: a figure is missing or unknown, or is not what it should be.

        """
        if set(figures) != set(FIGURES):
            message = f"device {name!r}: expected {', '.join(FIGURES)}; found {', '.join(figures)}"
            raise DeviceFiguresError(message)
        self._own[name] = _device(name, figures)

    def __delitem__(self, name: str) -> None:
        """Forget a device that was set here."""
        del self._own[name]

    def __iter__(self) -> Iterator[str]:
        """All names, KerasSpiking's first."""
        inherited = BUILT_IN if self._parent is None else self._parent
        return iter(dict.fromkeys([*inherited, *self._own]))

    def __len__(self) -> int:
        """The number of devices."""
        return len(list(iter(self)))

    def __repr__(self) -> str:
        """Write the figures as the dictionary that they stand for."""
        return repr({name: dict(figures) for name, figures in self.items()})


def is_spiking(device: Device) -> bool:
    """Whether a device works when a spike arrives."""
    return device.family == FAMILIES[True]


def energy_joules(device: Device, operator: Operator, scenario: Scenario) -> float:
    """What a device charges for an operator."""
    outcome = device.price(operator, scenario)
    if isinstance(outcome, Cost):
        return outcome.energy_joules
    message = f"device {device.name!r} has no price for {operator.summary}: {outcome.reason}"
    raise DeviceFiguresError(message)


def _device(name: str, figures: Mapping[str, Any]) -> Device:
    spiking = figures["spiking"]
    if not isinstance(spiking, bool):
        message = f"device {name!r}: spiking is {spiking!r}; expected true or false"
        raise DeviceFiguresError(message)
    parameters: dict[str, Any] = {
        parameter: _parameter(name, parameter, figure, figures[figure])
        for parameter, figure in _PARAMETERS[spiking].items()
    }
    return _family(FAMILIES[spiking])(name, title="registered with ModelEnergy", **parameters)


def _family(name: str) -> type[Device]:
    families = registrys.installed().device_families
    if name not in families:
        message = f"no plugin offers device class {name!r}; see `costmodel plugins`"
        raise PluginError(message)
    return families[name]


def _parameter(device: str, name: str, figure: str, value: Any) -> Parameter:
    source = "given to ModelEnergy.register_device"
    try:
        return Parameter(name, float(value), "J", source, Evidence.ASSUMED)
    except (TypeError, ValueError):
        message = (
            f"device {device!r}: {figure} is {value!r}; "
            "expected joules, a finite number, not negative"
        )
        raise DeviceFiguresError(message) from None
