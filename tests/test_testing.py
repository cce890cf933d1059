"""The kit itself: a class that breaks a law is caught by the test of that law alone."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from nonconforming import chips, conventions, devices, layers, operators, readers

from costmodel.errors import CostModelError, UnknownNameError
from costmodel.testing import (
    Contract,
    ConventionContract,
    DeviceContract,
    LayerContract,
    OperatorContract,
    ReaderContract,
)

CONTRACTS: dict[type[Contract], dict[Any, str]] = {
    ConventionContract: conventions.NONCONFORMING,
    DeviceContract: {**devices.NONCONFORMING, **chips.NONCONFORMING},
    LayerContract: layers.NONCONFORMING,
    OperatorContract: operators.NONCONFORMING,
    ReaderContract: readers.NONCONFORMING,
}
HONEST = [
    (ConventionContract, conventions.honest),
    (DeviceContract, devices.Honest.made),
    (DeviceContract, chips.HonestChip.made),
    *[(DeviceContract, make) for make in chips.UNUSUAL],
    (LayerContract, layers.Honest.made),
    (OperatorContract, operators.Honest.made),
    (ReaderContract, readers.Honest.made),
]
NONCONFORMING = [
    (contract, make, law) for contract, made in CONTRACTS.items() for make, law in made.items()
]
FRAMEWORK = "test_importing_it_brings_no_framework"
SEARCHED, GLANCED = 300, 6
"""Examples on which a nonconforming class must be caught, and on which the other laws are tried."""


@pytest.fixture(autouse=True)
def quick_search() -> Iterator[None]:
    """Derandomised, and without shrinking: the simplest example is for people."""
    before = settings.get_current_profile_name()
    for name, examples in (("searched", SEARCHED), ("glanced", GLANCED)):
        settings.register_profile(
            name, deadline=None, max_examples=examples, phases=[Phase.generate],
            database=None, derandomize=True,
        )  # fmt: skip
    yield
    settings.load_profile(before)


def broken(contract: type[Contract], law: str, make: Callable[[], Any], folder: Path) -> Any:
    """What a law says of what `make` makes: the error, or None where it holds."""
    method = getattr(contract(), law)
    names = inspect.signature(method).parameters
    fixtures = {name: folder if name == "tmp_path" else make() for name in names}
    try:
        method(**fixtures)
    except pytest.skip.Exception:  # it does not declare what the law assumes
        return None
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # a broken law may show in any way
        return error
    return None


def title(value: Any) -> Any:
    if isinstance(value, type):
        return value.__name__
    return getattr(value, "__qualname__", None)


@pytest.mark.parametrize(("contract", "make"), HONEST, ids=title)
def test_the_honest_keep_every_law(contract: Any, make: Any, tmp_path: Path) -> None:
    settings.load_profile("glanced")
    caught = {law: broken(contract, law, make, tmp_path) for law in contract.laws()}
    assert {law: error for law, error in caught.items() if error} == {}


@pytest.mark.parametrize(("contract", "make", "law"), NONCONFORMING, ids=title)
def test_a_nonconforming_class_is_caught_by_the_law_that_it_breaks(
    contract: Any, make: Any, law: str, tmp_path: Path
) -> None:
    settings.load_profile("searched")
    assert broken(contract, law, make, tmp_path) is not None


@pytest.mark.slow
@pytest.mark.parametrize(("contract", "make", "law"), NONCONFORMING, ids=title)
def test_a_nonconforming_class_is_caught_by_no_law_that_it_keeps(
    contract: Any, make: Any, law: str, tmp_path: Path
) -> None:
    settings.load_profile("glanced")
    others = [name for name in contract.laws() if name != law]
    caught = {name: broken(contract, name, make, tmp_path) for name in others}
    assert {name: error for name, error in caught.items() if error} == {}


@pytest.mark.parametrize(("contract", "make"), HONEST, ids=title)
def test_who_imports_a_framework_is_caught(
    contract: Any, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mxnet", None)
    from nonconforming import importers  # noqa: PLC0415  # it changes sys.modules

    settings.load_profile("glanced")
    assert "mxnet" in str(broken(contract, FRAMEWORK, importers_of(importers)[contract], tmp_path))


def importers_of(module: Any) -> Any:
    return {
        ConventionContract: module.ImportsConvention,
        DeviceContract: module.ImportsDevice.made,
        LayerContract: module.ImportsLayer.made,
        OperatorContract: module.ImportsOperator.made,
        ReaderContract: module.ImportsReader.made,
    }


@pytest.mark.parametrize("contract", CONTRACTS, ids=title)
def test_every_law_has_a_class_that_breaks_it(contract: Any) -> None:
    caught = set(CONTRACTS[contract].values()) | {FRAMEWORK}
    assert caught == set(contract.laws())


# ------------------------------------------------------------------ what a broken law says


def test_a_broken_law_says_in_a_line_what_was_expected_and_found(tmp_path: Path) -> None:
    settings.load_profile("glanced")
    words = str(broken(DeviceContract, BATCH, devices.ForgetsTheBatch.made, tmp_path)).splitlines()
    assert re.fullmatch(
        r"dynamic energy of \d+ examples, twice the batch: expected \S+ J, found \S+ J", words[0]
    )
    names = [line.split()[:2] for line in words[1:]]
    assert names == [["device", "="], ["operator", "="], ["scenario", "="]]
    assert max(map(len, words)) < 400


def test_an_error_within_a_law_is_reported_with_its_place_and_its_draws(tmp_path: Path) -> None:
    settings.load_profile("glanced")
    law = "test_a_damaged_source_is_reported"
    words = str(broken(ReaderContract, law, readers.FallsOverDamage.made, tmp_path)).splitlines()
    assert words[0].startswith("ValueError: invalid literal for int()")
    assert any(re.match(r"  at .*readers\.py:\d+ in numbers: return \[int", line) for line in words)
    assert "  reading = Reading(" in "\n".join(words)
    assert words[-1].startswith("  Draw ")


# ------------------------------------------------------------------ failures that are declared

DECLARED = """
import pytest
from costmodel.testing import DeviceContract
from nonconforming.devices import {made}

class TestIt(DeviceContract):
    known_failures = {{"{law}": "it is known"}}

    @pytest.fixture
    def device(self):
        return {made}.made()
"""
BATCH = "test_twice_the_batch_costs_twice_the_dynamic_energy"


def outcome(folder: Path, made: str, law: str) -> str:
    """What pytest says of one law in a file of its own."""
    file = folder / "test_it.py"
    file.write_text(DECLARED.format(made=made, law=law))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", law, str(file)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    return done.stdout


def test_a_failure_that_is_declared_is_expected(tmp_path: Path) -> None:
    assert "1 xfailed" in outcome(tmp_path, "ForgetsTheBatch", BATCH)


def test_a_failure_that_is_declared_and_passes_fails(tmp_path: Path) -> None:
    said = outcome(tmp_path, "Honest", BATCH)
    assert "1 failed" in said
    assert "[XPASS(strict)] it is known" in said


def test_a_failure_of_a_law_that_is_not_there_is_reported_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=f"nearest known: '{BATCH}'"):
        type("TestIt", (DeviceContract,), {"known_failures": {BATCH[:-1]: "it is known"}})


def test_a_failure_without_a_reason_is_reported() -> None:
    with pytest.raises(CostModelError, match="expected a reason"):
        type("TestIt", (DeviceContract,), {"known_failures": {BATCH: " "}})


def test_a_declared_failure_is_that_of_one_class_alone() -> None:
    declared = type("TestIt", (DeviceContract,), {"known_failures": {BATCH: "it is known"}})
    assert getattr(declared, BATCH) is not getattr(DeviceContract, BATCH)
    assert not hasattr(getattr(DeviceContract, BATCH), "pytestmark")


FIXTURES = [
    (ConventionContract, "convention"), (DeviceContract, "device"), (LayerContract, "layer"),
    (OperatorContract, "operator"), (ReaderContract, "reading"),
]  # fmt: skip


@pytest.mark.parametrize(("contract", "name"), FIXTURES, ids=title)
def test_a_class_that_forgets_its_fixture_is_reported(contract: Any, name: str) -> None:
    forgetful = type("TestIt", (contract,), {})()
    fixture = inspect.unwrap(getattr(contract, name)._get_wrapped_function())
    with pytest.raises(pytest.fail.Exception, match=f"TestIt has no fixture '{name}'"):
        fixture(forgetful)


def test_importing_costmodel_brings_neither_pytest_nor_hypothesis() -> None:
    program = (
        "import sys, costmodel, costmodel.cli\n"
        "print('pytest' in sys.modules, 'hypothesis' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False"]
