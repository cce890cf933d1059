"""Training towards less energy: HGQ2's own term in the loss at the prices of a device."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from attrs import evolve

from costmodel.errors import CostModelError
from costmodel.estimates.estimate import estimate, read
from costmodel.network.graph import Network
from costmodel.network.layer import Layer
from costmodel.report.bills import Bill
from costmodel.scenario import Scenario, wholes
from costmodel_hgq.layers.quantized import Quantized
from costmodel_hgq.quantizers import NO_BITS
from costmodel_keras.layers.wrappers import Wrapper

if TYPE_CHECKING:
    from pathlib import Path

    from costmodel.devices import Device


def energy_loss(
    device: str | Path | Device, loss_per_joule: float, *, scenario: Scenario | None = None
) -> Any:
    """A callback of Keras that makes HGQ2's term in the loss the energy of its widths on a device.

    HGQ2 adds `beta` times EBOPs to the loss for each layer. At the start of each epoch this
    callback prices the network as it is, and once without the widths of each layer; the difference
    is the energy that they take (`energy_of_widths`). `beta` becomes `loss_per_joule` times that
    energy over the layer's EBOPs, so that its term is `loss_per_joule` times the energy. Within the
    epoch the price of a bit operation stands, and how widths of one layer share it is HGQ2's rule.

    EBOPs are those of the last step of training: until a fresh model has made one, in its first
    epoch, `beta` stays as the model has it. So does that of a layer without a price, or without
    widths in the network, such as a softmax. Energies are for the batch of `scenario`.

    Raises:
        ImportError: Keras is not installed.
        ValueError: `loss_per_joule` is not a number above 0.

    """
    if isinstance(loss_per_joule, bool) or not 0 < loss_per_joule < math.inf:
        message = f"loss_per_joule is {loss_per_joule!r:.40}; expected a number above 0"
        raise ValueError(message)

    class EnergyLoss(import_module("keras").callbacks.Callback):  # type: ignore[misc]  # of no type
        """Sets the factor of the bit operations of each layer at the start of an epoch."""

        def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            """Set it by the prices of the network as it is."""
            _set_betas(self.model, device, loss_per_joule, scenario)

    return EnergyLoss()


def energy_of_widths(
    network: Network,
    layer: str,
    device: str | Path | Device,
    *,
    scenario: Scenario | None = None,
) -> float | None:
    """The energy in joules that the widths of a layer take, in whatever layers they do so.

    It is that of the network less that of the same network in which all quantizers of the layer
    give no bits. `layer` may be a block around layers; calls of a shared layer are all meant.
    None where it has no widths, or work without a price.

    Raises:
        UnknownNameError: `layer` is not in the network.

    """
    meant = _meant(network, layer)
    if not meant:
        network.layer(layer)
    without = {one.name: _without_widths(one) for one in meant}
    bill = _bill(network, device, scenario)
    if any(line.unpriced for line in bill.lines if line.layer.name in without):
        return None
    if all(without[one.name] is one for one in meant):
        return None
    layers = [without.get(one.name, one) for one in network.layers]
    bare = _bill(evolve(network, layers=layers, read_again=None), device, scenario)
    return bill.total.energy_joules - bare.total.energy_joules


def _set_betas(
    model: Any, device: str | Path | Device, loss_per_joule: float, scenario: Scenario | None
) -> None:
    shapes = None if scenario is None else scenario.input_shapes
    network = read(model, input_shapes=shapes)
    found = {path: held for path, held in _paths(model) if held}
    if not found:
        message = f"model {network.name!r} has no layer of HGQ2 with EBOPs; expected at least one"
        raise CostModelError(message)
    prices = {
        path: energy_of_widths(network, path, device, scenario=scenario)
        for path in found
    }  # fmt: skip
    if not any(prices.values()):
        message = (
            f"no width of model {network.name!r} takes energy on {device!s}; expected a device "
            "whose prices follow the width of numbers, such as horowitz-45nm"
        )
        raise CostModelError(message)
    for path, joules in prices.items():
        ebops = sum(int(one._ebops.numpy()) for one in found[path])  # noqa: SLF001  # as HGQ2's own callbacks
        if joules is not None and ebops:
            meant = _meant(network, path)
            calls = len(meant) / len({one.shares or one.name for one in meant})
            for one in found[path]:
                one._beta.assign(max(loss_per_joule * joules / (calls * ebops), 0.0))  # noqa: SLF001  # as above


def _paths(model: Any, start: str = "") -> Iterator[tuple[str, Sequence[Any]]]:
    """The layers of a model by their names in the network, with what each adds to the loss."""
    for layer in model.layers:
        path = f"{start}{layer.name}"
        if isinstance(layer, import_module("keras").Model):
            yield from _paths(layer, f"{path}/")
        else:
            parts = layer._flatten_layers()  # noqa: SLF001  # as HGQ2's own callbacks
            yield path, [one for one in parts if getattr(one, "_ebops", None) is not None]


def _meant(network: Network, path: str) -> Sequence[Layer]:
    """The layers of a network at a path, within it, and those that share their parameters."""
    return [one for one in network.layers if path in wholes(one.shares or one.name)]


def _without_widths(layer: Layer) -> Layer:
    """The layer whose quantizers give no bits; itself, where it has none."""
    if isinstance(layer, Quantized) and layer.quantizers:
        bare = [(name, evolve(one, number=NO_BITS)) for name, one in layer.quantizers]
        return evolve(layer, quantizers=bare)
    if isinstance(layer, Wrapper):
        held = tuple(map(_without_widths, layer.held))
        return layer if held == layer.held else evolve(layer, held=held)
    return layer


def _bill(network: Network, device: str | Path | Device, scenario: Scenario | None) -> Bill:
    found = estimate(network, device, scenario=scenario, on_unpriced="bound")
    (bill,) = found.bills.values()
    return bill
