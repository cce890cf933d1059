"""`ModelEnergy`: a drop-in for KerasSpiking's class of that name, for Keras 2 and 3."""

from __future__ import annotations

import math
import warnings
from collections import ChainMap
from collections.abc import Callable, Hashable, Mapping, MutableMapping, Sequence
from typing import Any, ClassVar, Final

from attrs import asdict, evolve

from costmodel.errors import UnpricedWarning
from costmodel.scenario import Scenario
from costmodel.workload.reasons import Unpriced
from costmodel_keras.nodes import Node, layers_of, node_of, nodes
from costmodel_keras.running import rates
from costmodel_spiking import summary
from costmodel_spiking.convention import Stats
from costmodel_spiking.counting import Call, Counter, StatsFunction, only_node
from costmodel_spiking.devices import Devices, energy_joules, is_spiking
from costmodel_spiking.errors import NoExampleDataError, NoModelError, UnknownModelEnergyNameError

DEFAULT_DT: Final = 0.001
"""Seconds of a timestep, where none are given."""

_COLUMNS: Final = ("name", "output_shape", "params", "connections", "neurons", "energy cpu")


class ModelEnergy:
    """What a live Keras model costs by KerasSpiking's counts, in joules per inference.

    Args:
        model: a built Functional or Sequential model of Keras 2 (`tf_keras`) or 3.
        example_data: an array, or a list of arrays or a mapping by input name, the examples
            along the first axis: firing rates are measured on it. Devices that spike need it.

    Attributes:
        layer_stats: `connections`, `neurons` and `spiking` of every layer, over all its calls.
        uncounted: the layers that have no rule; they count 0, with a warning.
        devices: `spiking`, `energy_per_synop` and `energy_per_neuron` (joules) by device.

    Raises:
        NoModelError: `model` is not a Keras model.
        ReadError: the model has no graph of layers.
        UndefinedAxisError: an axis other than the batch and time is open in a counted layer.
        ScenarioError: the example data does not fit the model.

    """

    devices: ClassVar[Devices] = Devices()
    _registered: ClassVar[MutableMapping[type, StatsFunction]] = {}

    def __init__(self, model: Any, example_data: Any = None) -> None:
        _check_model(model)
        self.model = model
        self.layer_stats: dict[Any, dict[str, Any]] = {}
        self.uncounted: tuple[Any, ...] = ()
        self._count_layers()
        self._layer_rates = None if example_data is None else self._measure(example_data)

    def __init_subclass__(cls, **options: Any) -> None:
        """Give a subclass registrations of its own, beside those that it inherits."""
        super().__init_subclass__(**options)
        cls.devices = Devices(cls.devices)
        cls._registered = ChainMap({}, cls._registered)

    @property
    def layer_rates(self) -> Mapping[Any, float]:
        """Mean absolute input of every layer in hertz, summed over its calls.

        Raises:
            NoExampleDataError: there is no example data.

        """
        if self._layer_rates is None:
            message = (
                "firing rates are measured on example data, so example_data must be given: "
                "ModelEnergy(model, example_data=...)"
            )
            raise NoExampleDataError(message)
        return self._layer_rates

    def layer_energy(
        self, layer: Any, device: str, timesteps_per_inference: int = 1, dt: float | None = None
    ) -> tuple[float, float]:
        """Energy of the connections and of the neurons of a layer, in joules per inference.

        `dt` is in seconds (None: 1 ms); it and the timesteps matter on spiking devices only.
        Of a layer called more than once, all connections see the rates of all calls.

        Raises:
            UnknownModelEnergyNameError: the model has no such layer, or there is no such device.
            NoExampleDataError: the device spikes, and there is no example data.

        """
        self._check_layer(layer)
        chosen = self.devices.device(device)
        rate = self.layer_rates[layer] if is_spiking(chosen) else None
        step = DEFAULT_DT if dt is None else dt
        scenario = Scenario(timesteps=timesteps_per_inference, dt=step, input_rates=rate)
        counts = self.layer_stats[layer]
        parts = (Stats(connections=counts["connections"]), Stats(neurons=counts["neurons"]))
        synop, neuron = (
            sum(energy_joules(chosen, operator, scenario) for operator in part.operators())
            for part in parts
        )
        return float(synop), float(neuron)

    def total_energy(
        self, device: str, timesteps_per_inference: int = 1, dt: float | None = None
    ) -> float:
        """Energy of all layers, in joules per inference; see `layer_energy`."""
        return math.fsum(
            part
            for layer in self.layer_stats
            for part in self.layer_energy(layer, device, timesteps_per_inference, dt)
        )

    def summary(
        self,
        columns: Sequence[str] = _COLUMNS,
        timesteps_per_inference: int = 1,
        dt: float | None = None,
        line_length: int = 98,
        print_warnings: bool = True,  # noqa: FBT001, FBT002  # KerasSpiking has it so
    ) -> None:
        """Print the table of `summary_string`."""
        print(  # noqa: T201  # this is what it is for
            self.summary_string(columns, timesteps_per_inference, dt, line_length, print_warnings)
        )

    def summary_string(
        self,
        columns: Sequence[str] = _COLUMNS,
        timesteps_per_inference: int = 1,
        dt: float | None = None,
        line_length: int = 98,
        print_warnings: bool = True,  # noqa: FBT001, FBT002  # KerasSpiking has it so
    ) -> str:
        """A table with a row for each layer, and the totals of the devices in it.

        Columns are `name`, `output_shape`, `params`, `connections`, `neurons`, `rate`, and
        `energy DEVICE`, `synop_energy DEVICE`, `neuron_energy DEVICE`.
        """
        conditions = summary.Conditions(timesteps_per_inference, dt)
        return summary.text(self, columns, conditions, line_length, warnings=print_warnings)

    @classmethod
    def register_device(
        cls,
        name: str,
        energy_per_synop: float,
        energy_per_neuron: float,
        spiking: bool,  # noqa: FBT001  # KerasSpiking has it so
    ) -> None:
        """Add a device, for this class and its subclasses.

        Args:
            name: how it is called from now on; a device of that name is replaced.
            energy_per_synop: joules of one synaptic operation.
            energy_per_neuron: joules of one neuron update.
            spiking: whether a connection costs energy only when a spike arrives.

        Raises:
            DeviceFiguresError: an energy that is negative or no finite number.

        """  # fmt: skip
        if name in cls.devices:
            warnings.warn(f"Device {name!r} already registered. Overwriting it.", stacklevel=2)
        cls.devices[name] = {
            "spiking": spiking,
            "energy_per_synop": energy_per_synop,
            "energy_per_neuron": energy_per_neuron,
        }

    @classmethod
    def register_layer(cls, layer_class: type) -> Callable[[StatsFunction], StatsFunction]:
        """Decorate a function that counts calls of `layer_class` and its subclasses.

        It gets the node of the call, or the layer and the node if it takes two arguments, and
        returns a mapping with any of `connections` (default 0), `neurons` (0) and `spiking`
        (True). `node.layer` is the layer.
        """

        def register(function: StatsFunction) -> StatsFunction:
            if Counter(cls._registered).knows(layer_class):
                name = layer_class.__name__
                warnings.warn(f"Layer {name!r} already registered. Overwriting it.", stacklevel=2)
            cls._registered[layer_class] = function
            return function

        return register

    @classmethod
    def compute_layer_stats(cls, layer: Any, node: Any = None) -> dict[str, Any]:
        """`connections`, `neurons` and `spiking` of one call of a layer, for one timestep.

        A layer that was called exactly once needs no `node`. One without a rule counts 0, with
        a warning.

        Raises:
            StatsError: there is no one call, or a registered function returned no statistics.
            UndefinedAxisError: an axis other than the batch and time is open.

        """
        call = only_node(layer) if node is None else evolve(node_of(node), layer=layer)
        stats = cls._count(call)
        if isinstance(stats, Unpriced):
            _warn_uncounted([layer], 3)
            return asdict(Stats())
        return asdict(stats)

    @classmethod
    def _count(cls, node: Node) -> Stats | Unpriced:
        return Counter(cls._registered).count(Call.of(node))

    def _count_layers(self) -> None:
        uncounted = []
        for layer, calls in _calls(self.model).items():
            found = [self._count(node) for node in calls]
            counted = [stats for stats in found if isinstance(stats, Stats)]
            if len(counted) < len(found):
                uncounted.append(layer)
            self.layer_stats[layer] = {
                "connections": sum(stats.connections for stats in counted),
                "neurons": sum(stats.neurons for stats in counted),
                "spiking": all(stats.spiking for stats in counted),
            }
        self.uncounted = tuple(uncounted)
        if uncounted:
            _warn_uncounted(uncounted, 4)

    def _check_layer(self, layer: Any) -> None:
        if isinstance(layer, Hashable) and layer in self.layer_stats:
            return
        if isinstance(layer, str):
            hint = f"give the layer object and not its name: model.get_layer({layer!r})"
        else:
            hint = "give a layer object of the model of this ModelEnergy"
        names = [known.name for known in self.layer_stats]
        name = str(getattr(layer, "name", layer))
        raise UnknownModelEnergyNameError(name, names, "layer", hint)

    def _measure(self, example_data: Any) -> dict[Any, float]:
        sums: dict[str, float] = {}
        for rate in rates.measure_calls(self.model, example_data):
            rates.check_finite(rate, "inputs")
            sums[rate.path] = sums.get(rate.path, 0.0) + rate.inputs
        return {layer: sums[layer.name] for layer in self.layer_stats}


def _check_model(model: Any) -> None:
    if not hasattr(model, "layers") or isinstance(model, type):
        message = (
            f"model is {model!r:.80}; expected a built Functional or Sequential model of Keras"
        )
        raise NoModelError(message)


def _calls(model: Any) -> dict[Any, list[Node]]:
    """The calls of every layer, in the order of the model's layers."""
    by_layer: dict[int, list[Node]] = {}
    for node in nodes(model):
        by_layer.setdefault(id(node.layer), []).append(node)
    return {layer: by_layer[id(layer)] for layer in layers_of(model)}


def _warn_uncounted(layers: Sequence[Any], stacklevel: int) -> None:
    by_class: dict[str, list[str]] = {}
    for layer in layers:
        by_class.setdefault(type(layer).__name__, []).append(layer.name)
    listed = "; ".join(f"{cls} ({summary.some(names)})" for cls, names in by_class.items())
    classes = ", ".join(map(repr, by_class))
    message = (
        f"Cannot compute stats for layer of type {classes}: "
        f"KerasSpiking's convention has no rule for {listed}: counted as 0 connections and "
        "0 neurons; add one with ModelEnergy.register_layer, or count all of it with "
        "costmodel.estimate"
    )
    warnings.warn(message, UnpricedWarning, stacklevel=stacklevel)
