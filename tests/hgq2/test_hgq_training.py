"""What a callback that prices widths refuses; `test_hgq_live` trains with it."""

from __future__ import annotations

import pytest

from costmodel_hgq.training import energy_loss


@pytest.mark.parametrize("loss_per_joule", [0, -1.0, float("nan"), float("inf"), True])
def test_a_loss_per_joule_is_a_number_above_zero(loss_per_joule: float) -> None:
    with pytest.raises(ValueError, match="expected a number above 0"):
        energy_loss("horowitz-45nm", loss_per_joule)


@pytest.mark.parametrize("every", [0, 1.5, True])
def test_a_number_of_epochs_is_whole(every: object) -> None:
    with pytest.raises(ValueError, match="expected a whole number"):
        energy_loss("horowitz-45nm", 1e6, every=every)  # type: ignore[arg-type]  # on purpose
