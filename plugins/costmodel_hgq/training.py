"""Training towards less energy: what a device charges for the widths, as a term in the loss."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from costmodel.errors import CostModelError
from costmodel.estimates.estimate import estimate
from costmodel_hgq.quantizers import NEVER, of_inner

if TYPE_CHECKING:
    from pathlib import Path

    from costmodel.devices import Device
    from costmodel.estimates.estimate import OnUnpriced
    from costmodel.report.bills import Bill
    from costmodel.scenario import Scenario

_TRAINED: Final = ("b", "f", "m")
"""Widths that are trained whatever the quantizer: all bits, those of a fraction or a mantissa."""

_AT_NOTHING: Final = {"i": NEVER, "m": -1}
"""Values of variables at which a quantizer gives zeros alone, of no bits."""


def energy_loss(
    device: str | Path | Device,
    loss_per_joule: float,
    *,
    scenario: Scenario | None = None,
    every: int = 10,
) -> Any:
    """A callback of Keras that adds the energy of HGQ2's trained widths on a device to the loss.

    It prices the model as it is, and once for each quantizer as if that gave no bits. The
    difference over the bits of the quantizer is the price of one of them in joules, and the loss
    gets `loss_per_joule` times that price for each bit. That is the gradient of the energy at the
    present widths of other tensors, where energy is proportional to bits, and its mean elsewhere.
    Prices are renewed every `every` epochs, for which Keras compiles the step of training again.
    The end of training takes the term out of the model; training that is interrupted leaves it in.

    Energies are those of `costmodel.estimate` for the batch of `scenario`. Widths of a layer that
    has no price, or within a softmax, cost nothing here. HGQ2's own term, `beta` times EBOPs,
    stays as it is: layers made with `beta0=0` have none.

    What it raises in training is what `bit_prices` does, and layers that have no price are named by
    an `UnpricedWarning`.

    Raises:
        ImportError: Keras is not installed.
        ValueError: `loss_per_joule` is not a number above 0, `every` not a whole one.

    """
    if isinstance(loss_per_joule, bool) or not 0 < loss_per_joule < math.inf:
        message = f"loss_per_joule is {loss_per_joule!r:.40}; expected a number above 0"
        raise ValueError(message)
    if every.__class__ is not int or every < 1:
        message = f"every is {every!r:.40}; expected a whole number of at least 1"
        raise ValueError(message)

    class EnergyLoss(import_module("keras").callbacks.Callback):  # type: ignore[misc]  # of no type
        """Prices the widths of the model while it is trained."""

        is_priced = False

        def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            """Renew the prices."""
            if not self.is_priced or epoch % every == 0:
                for inner, price in bit_prices(self.model, device, scenario):
                    _charge(inner, loss_per_joule * price)
                self.is_priced = True
                self.model.make_train_function(force=True)

        def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
            """Take the term out of the model."""
            for inner, _ in _quantizers(self.model):
                _charge(inner, 0.0)
            self.is_priced = False
            self.model.make_train_function(force=True)

    return EnergyLoss()


def bit_prices(
    model: Any, device: str | Path | Device, scenario: Scenario | None = None
) -> list[tuple[Any, float]]:
    """What a bit of each quantizer of a live model costs on a device, in joules, 0 or more.

    That is the energy of the model, less that of the model whose quantizer gives no bits, over
    the sum of its widths. The variables of the model are not touched.

    Raises:
        CostModelError: the model has no trained widths, or none that costs energy on the device, or
            the device has no price for a tensor of no bits.

    """
    found = list(_quantizers(model))
    if not found:
        message = (
            f"model {model.name!r} has no widths that are trained; expected layers of HGQ2, built"
        )
        raise CostModelError(message)
    bill = _bill(model, device, scenario, "warn")
    prices = []
    for inner, bits in found:
        nothing = [
            (one, one.value * 0 + _AT_NOTHING[one.name])
            for one in inner.variables
            if one.name in _AT_NOTHING
        ]
        with import_module("keras").StatelessScope(state_mapping=nothing):
            bare = _bill(model, device, scenario, "bound")
        if bare.unpriced.keys() - bill.unpriced.keys():
            message = f"{bill.device.name!r} has no price for a tensor of no bits, to compare with"
            raise CostModelError(message)
        saved = bill.total.energy_joules - bare.total.energy_joules
        prices.append((inner, max(saved / bits, 0.0) if bits else 0.0))
    if not any(price for _, price in prices):
        message = (
            f"no width of model {model.name!r} costs energy on {bill.device.name!r}; expected a "
            "device whose prices follow the widths of numbers, such as 'horowitz-45nm'"
        )
        raise CostModelError(message)
    return prices


@frozen
class _Charge:
    """What a variable adds to the loss: the bits of its quantizer, and what it added before."""

    inner: Any
    loss_per_bit: float
    before: Any

    def __call__(self, variable: Any) -> Any:
        """The term; Keras calls it as the regularizer of the variable."""
        loss = self.loss_per_bit * import_module("keras").ops.sum(self.inner.bits)
        return loss if self.before is None else loss + self.before(variable)


def _charge(inner: Any, loss_per_bit: float) -> None:
    """Let the bits of a quantizer add to the loss, in place of what they added before."""
    variable = _width_of(inner)
    before = variable.regularizer
    if isinstance(before, _Charge):
        before = before.before
    variable.regularizer = _Charge(inner, loss_per_bit, before) if loss_per_bit else before


def _quantizers(model: Any) -> Iterator[tuple[Any, int]]:
    """What holds the widths of each quantizer of a live model, and their sum in bits."""
    for layer in model._flatten_layers():  # noqa: SLF001  # as HGQ2's own callbacks find its layers
        inner = getattr(layer, "quantizer", None)
        if type(inner).__module__.startswith("hgq.") and _width_of(inner) is not None:
            made = of_inner(inner, layer.config)
            if made is not None:
                yield inner, made.number.stored_bits(math.prod(made.shape))


def _width_of(inner: Any) -> Any:
    """The trained widths of a quantizer, one for each group of elements; None where it has none."""
    named = [one for one in inner.variables if one.name in _TRAINED and one.shape]
    return next(iter(named), None)


def _bill(
    model: Any, device: str | Path | Device, scenario: Scenario | None, on_unpriced: OnUnpriced
) -> Bill:
    found = estimate(model, device, scenario=scenario, on_unpriced=on_unpriced)
    (bill,) = found.bills.values()
    return bill
