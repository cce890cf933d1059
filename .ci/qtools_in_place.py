"""A pytest plugin that puts the drop-in for QTools where QKeras's own tests use the original.

The tests reach QTools in two ways: through the class `run_qtools.QTools`, and through a function
of theirs, `run`, which calls the steps of that class one by one and returns its data type map.
"""

from __future__ import annotations

from typing import Any

import pytest
from qkeras.qtools import run_qtools

import costmodel_qkeras

asked: list[str] = []
"""The way by which the drop-in was asked, for each time."""


class InPlace(costmodel_qkeras.QTools):
    """The drop-in, which says that it was asked."""

    def __init__(self, model: Any, process: str, *options: Any, **named: Any) -> None:
        """Note the way and do as ever."""
        asked.append("class")
        super().__init__(model, process, *options, **named)


def run(
    model: Any,
    input_quantizers: Any,
    is_inference: bool = False,  # noqa: FBT001, FBT002  # as in the tests
    verbose: bool = False,  # noqa: FBT001, FBT002  # as in the tests
    hw_weight_dict: Any = None,
) -> Any:
    """The data type map of a model, by the drop-in."""
    asked.append("run")
    tools = costmodel_qkeras.QTools(
        model, "horowitz", input_quantizers, is_inference, hw_weight_dict=hw_weight_dict
    )
    if verbose:
        tools.qtools_stats_print()
    return tools._output_dict  # noqa: SLF001  # the tests look at what QTools keeps under this name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Replace the function in the modules of tests that have it."""
    run_qtools.QTools = InPlace
    for module in {item.getparent(pytest.Module).obj for item in items}:
        if not hasattr(module, "run"):
            message = f"{module.__name__} has no function 'run', so nothing would be replaced"
            raise pytest.UsageError(message)
        module.run = run


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that never asks the drop-in shows nothing."""
    if not asked:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how often the drop-in was asked."""
    ways = ", ".join(f"{asked.count(way)} times by {way}" for way in ("class", "run"))
    terminalreporter.write_line(f"the drop-in was asked {ways}")
