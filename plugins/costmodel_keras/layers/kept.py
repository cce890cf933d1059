"""Builders of the core that keep their answers: networks, and searches over them, repeat layers."""

from __future__ import annotations

import functools
from typing import Final

from costmodel.workload import builders

_KEPT: Final = 4096
"""Operators of each builder, which are values and hold no data."""

activation = functools.lru_cache(_KEPT)(builders.activation)
conv = functools.lru_cache(_KEPT)(builders.conv)
elementwise = functools.lru_cache(_KEPT)(builders.elementwise)
