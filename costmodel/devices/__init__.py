"""Devices: what a device class is made of, and what a device says to operators."""

from costmodel.devices.cost import (
    COMPONENTS,
    PHASES,
    Charge,
    Charges,
    Cost,
    Due,
    Duration,
    Factor,
    Outcome,
    Seconds,
    Share,
    checked,
)
from costmodel.devices.device import Adapted, Charging, Device, prices
from costmodel.devices.evaluation import DeviceEstimate, Fused, GroupCost, OperatorCost
from costmodel.devices.groups import FUSIBLE, Group
from costmodel.devices.memory import Access, Memory, Placement, Residence, Traffic
from costmodel.devices.parameters import (
    ABOVE_ZERO,
    GIVEN,
    Choice,
    Evidence,
    Parameter,
    one_of,
    option,
    parameter,
    yes_or_no,
)
from costmodel.devices.schedule import Schedule, Span

__all__ = [
    "ABOVE_ZERO",
    "COMPONENTS",
    "FUSIBLE",
    "GIVEN",
    "PHASES",
    "Access",
    "Adapted",
    "Charge",
    "Charges",
    "Charging",
    "Choice",
    "Cost",
    "Device",
    "DeviceEstimate",
    "Due",
    "Duration",
    "Evidence",
    "Factor",
    "Fused",
    "Group",
    "GroupCost",
    "Memory",
    "OperatorCost",
    "Outcome",
    "Parameter",
    "Placement",
    "Residence",
    "Schedule",
    "Seconds",
    "Share",
    "Span",
    "Traffic",
    "checked",
    "one_of",
    "option",
    "parameter",
    "prices",
    "yes_or_no",
]
