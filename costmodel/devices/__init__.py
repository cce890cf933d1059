"""Devices: what a device class is made of, and what a device says to operators."""

from costmodel.devices.cost import (
    COMPONENTS,
    Charge,
    Charges,
    Cost,
    Due,
    Factor,
    Outcome,
    Share,
    checked,
)
from costmodel.devices.device import Adapted, Charging, Device, prices
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

__all__ = [
    "ABOVE_ZERO",
    "COMPONENTS",
    "GIVEN",
    "Adapted",
    "Charge",
    "Charges",
    "Charging",
    "Choice",
    "Cost",
    "Device",
    "Due",
    "Evidence",
    "Factor",
    "Outcome",
    "Parameter",
    "Share",
    "checked",
    "one_of",
    "option",
    "parameter",
    "prices",
    "yes_or_no",
]
