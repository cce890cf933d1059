"""Energy while a model is trained: a callback that logs what the model costs now."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from costmodel.estimates.estimate import estimate

if TYPE_CHECKING:
    from pathlib import Path

    from costmodel.devices import Device
    from costmodel.estimates.estimate import OnUnpriced
    from costmodel.scenario import Scenario


def cost_logger(
    devices: str | Path | Device | Sequence[str | Path | Device],
    *,
    scenario: Scenario | None = None,
    every: int = 1,
) -> Any:
    """A callback of Keras that adds the energy and the latency of the model to the logs.

    `model.fit(..., callbacks=[cost_logger("horowitz-45nm")])` reads the model with the quantizers
    that it has at the end of an epoch, as `costmodel.estimate` does, and logs `DEVICE_energy` in
    joules and `DEVICE_latency` in seconds where the device models it, for the batch of `scenario`:
    in `History`, and for callbacks behind it, such as `EarlyStopping` or `CSVLogger`. Between, with
    `every` above 1, the last values stand. Layers that a device cannot price are left out, of which
    an `UnpricedWarning` tells once in a training.

    Raises:
        ImportError: Keras is not installed.
        ValueError: `every` is not a whole number above 0.

    """
    if every.__class__ is not int or every < 1:
        message = f"every is {every!r:.40}; expected a whole number of at least 1"
        raise ValueError(message)

    def costs(model: object, on_unpriced: OnUnpriced) -> dict[str, float]:
        found = estimate(model, devices, scenario=scenario, on_unpriced=on_unpriced)
        logs: dict[str, float] = {}
        for name in found.bills:
            total = found.total(name)
            logs[f"{name}_energy"] = total.energy_joules
            if total.latency_seconds is not None:
                logs[f"{name}_latency"] = total.latency_seconds
        return logs

    class CostLogger(import_module("keras").callbacks.Callback):  # type: ignore[misc]  # of no type
        """Logs what the model costs at the end of an epoch."""

        last: dict[str, float] | None = None

        def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
            """Forget the costs of a training before."""
            self.last = None

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            """Add the costs to the logs."""
            if self.last is None or epoch % every == 0:
                self.last = costs(self.model, "warn" if self.last is None else "bound")
            if logs is not None:
                logs.update(self.last)

    return CostLogger()
