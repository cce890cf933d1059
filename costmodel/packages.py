"""Packages that a plain installation does not bring, imported where they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from costmodel.errors import MissingPackageError


def needed(what: str, *modules: str, extra: str = "") -> Any:
    """The first of some modules that can be imported.

    Args:
        what: what needs it, as messages say it: "an Arrow table".
        modules: any one of them will do.
        extra: the extra of `costmodel-nn` that brings it; without one, it is installed by its name.

    Raises:
        MissingPackageError: none of them can be imported.

    """
    faults = []
    for module in modules:
        try:
            return import_module(module)
        except ImportError as error:
            faults.append(error)
    raise MissingPackageError(what, modules, extra, faults[0])
