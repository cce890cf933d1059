"""Honest things whose module brings a framework along."""

from __future__ import annotations

import sys
from types import ModuleType

from attrs import frozen

from costmodel.conventions.convention import Convention
from nonconforming import devices, layers, operators, readers

# Nobody has it installed, and nobody has to wait for it here.
sys.modules.setdefault("mxnet", ModuleType("mxnet"))


class ImportsDevice(devices.Honest):
    """A device."""


class ImportsLayer(layers.Honest):
    """A layer."""


@frozen(kw_only=True)
class ImportsOperator(operators.Honest):
    """An operator."""


class ImportsReader(readers.Honest):
    """A reader."""


class ImportsConvention(Convention):
    """A convention."""
