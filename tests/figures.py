"""Figures that are equal but for rounding."""

from __future__ import annotations

from typing import Any

import pytest


def near(expected: Any, rel: float = 1e-9) -> Any:
    """`expected` but for rounding, of whatever size it is.

    pytest's own approximation lets pass whatever is less than 1e-12 off: here, a picojoule.
    """
    return pytest.approx(expected, rel=rel, abs=0)
