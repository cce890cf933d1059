"""Devices: what a device class is made of, and what a device says to operators."""

from costmodel.devices.capabilities import CAPABILITIES, USUAL
from costmodel.devices.cost import (
    PHASES,
    UNNAMED,
    Charge,
    Cost,
    Duration,
    Factor,
    Outcome,
    Seconds,
    UnitCost,
    checked,
)
from costmodel.devices.device import Adapted, Charging, Device, handles
from costmodel.devices.evaluation.evaluator import DeviceEstimate, Fused, GroupCost, OperatorCost
from costmodel.devices.evaluation.fusion import FUSIBLE, Group, is_folded
from costmodel.devices.evaluation.memory import Access, Memory, Placement, Residence, Traffic
from costmodel.devices.evaluation.schedule import Schedule, Span
from costmodel.devices.parameters import (
    ABOVE_ZERO,
    GIVEN,
    Choice,
    Evidence,
    FormatTable,
    Parameter,
    one_of,
    parameter,
    setting,
    yes_or_no,
)
from costmodel.devices.progress import Step, progress_to
from costmodel.devices.runtimes import RUNTIME_MARK, Residual, Runtime

__all__ = [
    "ABOVE_ZERO",
    "CAPABILITIES",
    "FUSIBLE",
    "GIVEN",
    "PHASES",
    "RUNTIME_MARK",
    "UNNAMED",
    "USUAL",
    "Access",
    "Adapted",
    "Charge",
    "Charging",
    "Choice",
    "Cost",
    "Device",
    "DeviceEstimate",
    "Duration",
    "Evidence",
    "Factor",
    "FormatTable",
    "Fused",
    "Group",
    "GroupCost",
    "Memory",
    "OperatorCost",
    "Outcome",
    "Parameter",
    "Placement",
    "Residence",
    "Residual",
    "Runtime",
    "Schedule",
    "Seconds",
    "Span",
    "Step",
    "Traffic",
    "UnitCost",
    "checked",
    "handles",
    "is_folded",
    "one_of",
    "parameter",
    "progress_to",
    "setting",
    "yes_or_no",
]
