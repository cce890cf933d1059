"""Many threads at once say what one says."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen
from worlds import HOUSE, SHIPPED, plugin, world

import costmodel
from costmodel import Device, Network, Reader, Scenario, matmul
from costmodel import registry as registrys
from costmodel.devices.operator_batch import OperatorBatch
from costmodel.plugins import discovery as plugins
from costmodel.plugins.discovery import Plugins
from costmodel.registry import Registry
from costmodel.tensor.sizes import SizeArray
from costmodel.workload.operators import Contraction
from costmodel.workload.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

THREADS = 8
EXAMPLES = Path(__file__).parent.parent / "examples"
SCENARIO = Scenario(rates=10.0)


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_a_network_has_one_bill_under_each_scenario_in_all_threads() -> None:
    network = costmodel.read(EXAMPLES / "vgg9.json")
    formats = ["float32", "int8", "float16", "int4"]

    def bill(number: int) -> list[float]:
        found = []
        for place in range(12):
            scenario = Scenario(default_format=formats[(number + place) % len(formats)])
            found.append(
                costmodel.estimate(network, "horowitz-45nm", scenario=scenario)
                .total("horowitz-45nm")
                .energy_joules
            )
        return found

    alone = [bill(number) for number in range(THREADS)]
    assert len(set(alone[0])) == len(formats)
    assert in_threads(bill) == alone


def in_threads(work: Callable[[int], Any]) -> list[Any]:
    """What `work` returns to each thread, all of which begin at once."""
    start = threading.Barrier(THREADS)

    def begin(number: int) -> Any:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def product(size: int) -> Contraction:
    return matmul((size, 7), (7, 5))


def said(registry: Registry, sizes: range) -> Any:
    """All that every shipped device charges for products of these sizes."""
    return [
        outcome if isinstance(outcome, Reason) else (outcome.energy_joules, outcome.charges)
        for name in SHIPPED
        for size in sizes
        for outcome in [registry.device(name).price(product(size), SCENARIO)]
    ]


def test_operators_have_one_price_in_all_threads() -> None:
    sizes = range(1, 300)
    alone = said(world(**HOUSE), sizes)
    shared = world(**HOUSE)
    assert all(found == alone for found in in_threads(lambda _: said(shared, sizes)))


def test_batches_have_one_price_in_all_threads() -> None:
    registry = world(**HOUSE)
    many = OperatorBatch(product(SizeArray(range(1, 500))))

    def energies(_: int) -> Any:
        return [
            registry.device(name).price(many, SCENARIO).energy_joules.tolist() for name in SHIPPED
        ]

    first, *others = in_threads(energies)
    assert first == energies(0)
    assert all(found == first for found in others)


def test_estimates_are_the_same_in_all_threads() -> None:
    def estimate(registry: Registry) -> Any:
        found = costmodel.estimate(
            EXAMPLES / "lcrm_vgg9.json", SHIPPED, scenario=SCENARIO, on_unpriced="bound",
            registry=registry,
        )  # fmt: skip
        return [bill.total.energy_joules for bill in found.bills.values()], found.problems

    alone = estimate(world(**HOUSE))
    shared = world(**HOUSE)
    assert in_threads(lambda _: estimate(shared)) == [alone] * THREADS


def test_a_network_is_read_alike_in_all_threads() -> None:
    alone, shared = world(**HOUSE), world(**HOUSE)
    source = EXAMPLES / "vgg9.json"
    found = in_threads(lambda _: shared.read(source).to_json())
    assert found == [alone.read(source).to_json()] * THREADS


class Empty(Reader):
    """A reader of one text."""

    name = "empty"
    reads = "an empty text"

    def accepts(self, source: object) -> bool:
        return source == ""

    def read(self, source: object, rules: Any) -> Network:
        raise NotImplementedError


def test_every_hook_is_asked_once_and_all_threads_get_one_answer() -> None:
    asked: list[int] = []

    def devices() -> Any:
        asked.append(threading.get_ident())
        time.sleep(0.02)  # as long as an import, so that the others arrive meanwhile

        @frozen
        class Local(Device):
            """A class that is made when asked for."""

            family = "local"

        return [Local]

    registry = world(mine=plugin(devices=devices, readers=[Empty()]))
    found = in_threads(lambda _: registry.device_families["local"])
    assert len(asked) == 1
    assert set(found) == {registry.device_families["local"]}
    assert registry.plugins.problems == ()


def test_a_device_of_a_name_is_one_object_for_all_threads() -> None:
    registry = world(**HOUSE)
    found = in_threads(lambda _: registry.device("loihi"))
    assert all(device is found[0] for device in found)


def test_the_installed_registry_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    discovered: list[Plugins] = []

    def discover() -> Plugins:
        time.sleep(0.02)  # as long as a search, so that the others arrive meanwhile
        discovered.append(Plugins())
        return discovered[-1]

    before = registrys.installed()
    monkeypatch.setattr(Plugins, "discover", discover)
    _forget()
    try:
        found = in_threads(lambda _: registrys.installed())
    finally:
        _forget()
    assert len(discovered) == 1
    assert all(registry is found[0] for registry in found)
    assert found[0] is not before


def _forget() -> None:
    for remembered in (plugins.installed, registrys.installed):
        remembered.cache_clear()  # type: ignore[attr-defined]


def test_what_plugins_print_leaves_standard_output_as_it_was() -> None:
    before = sys.stdout

    def devices() -> Any:
        print("loading")  # noqa: T201  # what a careless plugin does
        time.sleep(0.001)
        return []

    def ask(_: int) -> None:
        for _ in range(5):
            assert world(mine=plugin(devices=devices)).device_families == {}

    in_threads(ask)
    assert sys.stdout is before
