"""The pytest plugin, as pytest finds it in a project that has costmodel installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import chains
import pytest
from test_house import HEAVY

import costmodel
import costmodel_hardware
from costmodel.errors import BudgetError
from costmodel.pytest_plugin import assert_costs

pytest_plugins = ["pytester"]

ENTRY = "[pytest11]\ncostmodel = costmodel.pytest_plugin\n"
SOURCE = chains.saved((20,), {"kind": "Dense", "units": 30}, {"kind": "Dense", "units": 10})


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project beside an installation whose only pytest plugin is this one."""
    info = pytester.path / "installed" / "costmodel_marks-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: costmodel-marks\nVersion: 0\n")
    (info / "entry_points.txt").write_text(ENTRY)
    path = os.pathsep.join([str(info.parent), *filter(None, sys.path)])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (pytester.path / "model.json").write_text(SOURCE)
    return pytester


def run(project: pytest.Pytester, test: str) -> pytest.RunResult:
    project.makepyfile(test)
    return project.runpytest_subprocess("-p", "costmodel")


def test_the_project_declares_the_plugin() -> None:
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    assert '[project.entry-points.pytest11]\ncostmodel = "costmodel.pytest_plugin"\n' in text


def test_pytest_starts_without_anything_heavy(project: pytest.Pytester) -> None:
    result = run(
        project,
        f"""
        import sys

        def test_what_is_imported():
            assert "costmodel.pytest_plugin" in sys.modules
            assert not {HEAVY!r} & sys.modules.keys()
        """,
    )
    result.assert_outcomes(passed=1)


def test_the_fixture_holds_a_network_against_a_file(project: pytest.Pytester) -> None:
    (project.path / "budget.toml").write_text("[network]\nmacs = 900\n")
    (project.path / "tight.toml").write_text("[network]\nmacs = 899\n")
    result = run(
        project,
        """
        def test_kept(costmodel_budget):
            assert costmodel_budget("model.json").is_met

        def test_broken(costmodel_budget):
            costmodel_budget("model.json", "tight.toml")
        """,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E*chain: 0 of 1 limit of */tight.toml met"])
    result.stdout.fnmatch_lines(["E*broken: macs must not exceed 899, found 900; *layer0 600*"])
    assert "pytest_plugin.py" not in result.stdout.str()


def test_limits_may_be_given_in_a_test() -> None:
    found = assert_costs(SOURCE, devices=["cpu"], energy="1 J", macs=900, weights="1 MB")
    assert [verdict.limit.name for verdict in found.verdicts] == [
        "macs",
        "weights",
        "energy on cpu",
    ]


def test_a_device_may_be_given_as_it_is() -> None:
    cheap = costmodel.device("cpu", energy_per_multiply_accumulate="1 fJ")
    dear = costmodel.device("cpu")
    assert_costs(SOURCE, devices=cheap, energy="3 uJ")
    with pytest.raises(AssertionError, match="broken: energy on cpu must not exceed 3 µJ"):
        assert_costs(SOURCE, devices=dear, energy="3 uJ")


def test_a_device_may_be_a_file() -> None:
    file = Path(costmodel_hardware.__file__).parent / "per_operation" / "cpu.yaml"
    with pytest.raises(AssertionError, match="broken: energy on cpu must not exceed 0 J"):
        assert_costs(SOURCE, devices=file, energy="0 J")


def test_conditions_may_be_given_in_a_test() -> None:
    one = assert_costs(SOURCE, devices="cpu", energy="1 J").verdicts[0].found
    two = assert_costs(SOURCE, devices="cpu", energy="1 J", scenario={"batch": 2}).verdicts[0].found
    assert two is not None
    assert one is not None
    assert two > one


def test_a_growth_may_be_limited_in_a_test(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    wide = chains.saved((20,), {"kind": "Dense", "units": 60}, {"kind": "Dense", "units": 10})
    file.write_text(costmodel.estimate(SOURCE, "cpu").to_json())
    growth: dict[str, Any] = {"energy": "1 %", "macs": "100 %"}
    assert_costs(SOURCE, devices="cpu", growth=growth, baseline=file)
    with pytest.raises(AssertionError, match=r"1 of 2 limits.*\n.*growth of energy on cpu"):
        assert_costs(wide, devices="cpu", growth=growth, baseline=file)


MISUSES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({}, TypeError, "give either budget=FILE or limits"),
    ({"budget": "budget.toml", "macs": 1}, TypeError, "give either budget=FILE or limits"),
    ({"energy": "1 J"}, BudgetError, "energy: a limit on a device: name devices"),
    ({"growth": {"energy": "1 %"}}, BudgetError, "growth.energy: a limit on a device"),
    ({"growth": 5}, BudgetError, "network.growth: expected a table, found 5"),
    ({"mac": 1}, BudgetError, "network: 'mac' is not known; nearest 'macs'"),
    ({"devices": "cpu", "macs": 1}, BudgetError, "devices.cpu: expected at least one limit"),
    ({"macs": 1, "scenario": {"batchs": 1}}, BudgetError, "scenario: 'batchs' is not known"),
]


@pytest.mark.parametrize(("given", "kind", "message"), MISUSES)
def test_a_misuse_is_refused(given: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        assert_costs(SOURCE, **given)
