"""The version of the package, which an installation records."""

from __future__ import annotations

from importlib import metadata
from typing import Final

DISTRIBUTION: Final = "costmodel-nn"
"""The name under which it is installed; the name to import is shorter."""
UNKNOWN: Final = "0+unknown"
"""The version of a checkout that was never installed."""


def own_version() -> str:
    """The installed version of costmodel, or `UNKNOWN`."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return UNKNOWN
