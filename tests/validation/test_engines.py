"""Fits of TensorRT: figures in common are found again, and networks leave all GPUs together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pytest
from worlds import REGISTRY

from costmodel_validation.fits.engines import (
    SHARED,
    Medians,
    engine_fit,
    medians_of,
    shared_figures,
)
from costmodel_validation.fits.fitting import FITTED, all_terms, full_speed
from costmodel_validation.measurements import by_system, shipped_measurements

SYSTEMS = by_system(shipped_measurements())
TRUE = {
    "t4": (0.45, 0.9, 0.4, 9e-6, 6e-5),
    "a100-pcie-40gb": (0.6, 0.9, 0.4, 6e-6, 6e-5),
    "a100-sxm-80gb": (0.7, 0.9, 0.4, 5e-6, 6e-5),
}
"""Figures in the order of `FITTED`: the second, third and last are the same for all."""


@cache
def measured(name: str) -> Medians:
    device = full_speed(REGISTRY.device(name).with_runtime("tensorrt"))
    rows = SYSTEMS[name, "tensorrt"]
    return medians_of(rows, all_terms(device, rows))


def synthetic(name: str) -> Medians:
    """The conditions of a GPU, with the times that it would take with the figures of `TRUE`."""
    known = measured(name)
    return known._replace(seconds=tuple([one.seconds(TRUE[name]) for one in known.terms]))


def test_each_condition_counts_once_at_the_median_of_its_runs() -> None:
    found, rows = measured("t4"), SYSTEMS["t4", "tensorrt"]
    assert len(found.seconds) == len({(one.network, one.scenario.batch) for one in rows})
    assert len(found.seconds) < len(rows)
    alone = [one for one in rows if one.network == "resnet50_v1.5" and one.scenario.batch == 1]
    times = sorted(one.seconds for one in alone)
    place = [one == "resnet50_v1.5" for one in found.networks]
    own = [time for time, is_own in zip(found.seconds, place, strict=True) if is_own]
    assert min(own) == times[len(times) // 2]


def test_figures_in_common_are_found_again() -> None:
    found = shared_figures([synthetic(name) for name in TRUE])
    assert tuple(found) == SHARED
    _, contraction, other, _, call = TRUE["t4"]
    assert found["contraction_bandwidth_efficiency"] == pytest.approx(contraction, rel=0.1, abs=0)
    assert found["bandwidth_efficiency"] == pytest.approx(other, rel=0.1, abs=0)
    # Hardly determined: between what it is and what it usually is.
    assert call < found["overhead_per_call"] < FITTED["overhead_per_call"].usual


def test_a_gpu_has_a_share_and_an_overhead_of_its_own() -> None:
    common = dict(zip(FITTED, TRUE["t4"], strict=True))
    shared = {name: common[name] for name in SHARED}
    for name, figures in TRUE.items():
        fit, ratios = engine_fit(synthetic(name), lambda _: shared)
        ((found,),) = [list(fit.figures.values())]
        assert found == pytest.approx(figures, rel=0.02, abs=0)
        assert ratios.ratios == pytest.approx(1, rel=0.02, abs=0)


def test_a_network_that_is_left_out_tells_nothing_of_itself() -> None:
    """Its own time may be anything: the prediction stays the same."""
    own = synthetic("t4")
    asked: list[str] = []

    def shared(network: str) -> Mapping[str, float]:
        asked.append(network)
        return shared_figures([own.without(network)])

    _, ratios = engine_fit(own, shared)
    assert set(asked) == {"", *own.networks}
    slow = [one == "bert_large_squad" for one in own.networks]
    times = [7 * time if is_slow else time for time, is_slow in zip(own.seconds, slow, strict=True)]
    _, later = engine_fit(
        own._replace(seconds=tuple(times)), lambda name: shared_figures([own.without(name)])
    )
    before, after = ratios.ratios[slow], later.ratios[slow]
    assert after == pytest.approx(7 * before, rel=1e-6, abs=0)
