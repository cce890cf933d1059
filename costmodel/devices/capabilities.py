"""Capabilities: what a device class promises of its costs, and the conformance kit then checks."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any, Final

from costmodel.errors import nearest

CAPABILITIES: Final[Mapping[str, str]] = MappingProxyType({
    "additive-parts": "an operator without a rule costs the sum of its parts",
    "always-on": "static energy is a power over the whole makespan, and is charged once",
    "batch-linear": "the price of twice the batch is twice the dynamic energy",
    "busier-not-cheaper": "a higher firing rate never costs less energy",
    "larger-not-cheaper": "larger work, and work done more often, never costs less energy",
    "larger-not-faster": "larger work never takes less time",
    "per-operator": "a workload of one operator costs what the operator costs alone",
    "placed": "every tensor at the boundary of a group lies whole in a memory of the device",
    "price-linear": "what is counted does not depend on the prices",
    "separable": "a group costs the same in any workload, and groups follow each other",
    "stateless": "the same question has the same answer, whatever was asked before",
    "tiles-not-cheaper": "the parts of a contraction, each priced alone, never cost less than it",
    "timed": "whatever has a price has a time",
    "wider-not-cheaper": "wider fixed-point numbers never cost less energy",
})  # fmt: skip
"""What a device class may declare, and what each promises."""

USUAL: Final = frozenset(CAPABILITIES) - {"always-on", "placed", "separable", "timed"}
"""What a class declares unless it says otherwise: what most formulas keep."""


def check_capabilities(owner: str, names: Any) -> None:
    """Check what the class called `owner` declares.

    Raises:
        TypeError: it is not a set of names, or one of them is not a capability.

    """
    is_set = isinstance(names, AbstractSet)
    strange = sorted(str(name) for name in names if name not in CAPABILITIES) if is_set else []
    if is_set and not strange:
        return
    near = nearest(strange[0], CAPABILITIES) if strange else None
    hint = f" (nearest: {near!r})" if near else ""
    found = repr(strange[0]) if strange else f"{names!r:.80}"
    demand = f"expected a set of names among {', '.join(CAPABILITIES)}"
    message = f"{owner}.capabilities: {demand}; found {found:.80}{hint}"
    raise TypeError(message)
