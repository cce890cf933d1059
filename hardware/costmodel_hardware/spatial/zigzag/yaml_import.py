"""Read an accelerator from a hardware file of ZigZag 3.9.1.

Such a file has `memories` from inner to outer, an `operational_array`, and it may have `dataflows`.
Operands are I1 (inputs), I2 (weights) and O; flows of a port are fh and tl (from and to the memory
outside) and so on. Units are bits, cycles and pJ. What is not understood is refused; what has no
meaning here, such as areas without a unit, is listed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from attrs import frozen

from costmodel.devicefile.yaml_text import parsed
from costmodel.errors import DeviceFileError, nearest
from costmodel.safe_io import content_of
from costmodel_hardware.spatial.zigzag.golden_cases import DIMS, Accelerator, accelerator_of
from costmodel_hardware.spatial.zigzag.traffic import READS

_OPERANDS: Final = {"I1": "input", "I2": "weight", "O": "output"}
_FLOWS: Final = {
    "tl": "read_to_below",
    "fh": "write_from_above",
    "fl": "write_from_below",
    "th": "read_to_above",
}
_DIRECTIONS: Final = {
    "read": {"tl", "th"},
    "write": {"fh", "fl"},
    "read_write": set(_FLOWS),
}
_AXIS: Final = re.compile(r"D\d")
_UNROLLING: Final = re.compile(r"\s*([A-Z]+)\s*,\s*([1-9]\d{0,8})\s*")


class _Entry(NamedTuple):
    """A key of a mapping: what it must be, in words and as a check, and whether it may lack."""

    demand: str
    holds: Callable[[Any], bool]
    required: bool = True


def _is_whole(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_amount(value: Any) -> bool:
    return type(value) in {int, float} and 0 <= value < float("inf")


def _is_anything(_: Any) -> bool:
    return True


def _is_false(value: Any) -> bool:
    return value is False


def _is_list(value: Any, member: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(member(one) for one in value)


def _is_axis(value: Any) -> bool:
    return isinstance(value, str) and _AXIS.fullmatch(value) is not None


_TEXT: Final = _Entry("text", lambda value: isinstance(value, str))
_WHOLE: Final = _Entry("a whole number above 0", _is_whole)
_AMOUNT: Final = _Entry("a number, not negative", _is_amount)
_AXES: Final = _Entry("a list of axes such as [D1, D2]", lambda value: _is_list(value, _is_axis))
_OBJECT: Final = _Entry("a mapping", lambda value: isinstance(value, dict) and bool(value))
_UNUSED: Final = _Entry("anything", _is_anything, required=False)
_FILE: Final = {
    "name": _TEXT,
    "memories": _OBJECT,
    "operational_array": _OBJECT,
    "dataflows": _Entry(
        "a mapping of axes", lambda value: value is None or isinstance(value, dict), required=False
    ),
}
_ARRAY: Final = {
    "dimensions": _AXES,
    "sizes": _Entry("a list of whole numbers above 0", lambda value: _is_list(value, _is_whole)),
    "systolic_dimensions": _AXES._replace(required=False),
    "unit_energy": _AMOUNT,
    "unit_area": _AMOUNT._replace(required=False),
    "input_precision": _UNUSED,
    "is_imc": _Entry(
        "false: arrays that compute in memory are not read", _is_false, required=False
    ),
}
_MEMORY: Final = {
    "size": _WHOLE,
    "r_cost": _AMOUNT,
    "w_cost": _AMOUNT,
    "area": _AMOUNT._replace(required=False),
    "latency": _UNUSED,
    "mem_type": _UNUSED,
    "auto_cost_extraction": _Entry(
        "false: costs are not taken from CACTI; state r_cost and w_cost", _is_false, required=False
    ),
    "operands": _Entry(
        "a list of I1, I2 and O, each once",
        lambda value: (
            _is_list(value, lambda one: isinstance(one, str) and one in _OPERANDS)
            and len(set(value)) == len(value) > 0
        ),
    ),
    "ports": _Entry("a list of ports", lambda value: isinstance(value, list) and bool(value)),
    "served_dimensions": _AXES,
    "force_double_buffering": _Entry(
        "true or false", lambda value: isinstance(value, bool), required=False
    ),
}
_PORT: Final = {
    "name": _TEXT,
    "type": _Entry(
        "read, write or read_write",
        lambda value: isinstance(value, str) and value in _DIRECTIONS,
    ),
    "bandwidth_min": _WHOLE,
    "bandwidth_max": _WHOLE,
    "allocation": _Entry(
        "a list such as ['I1, tl']",
        lambda value: _is_list(value, lambda one: isinstance(one, str) and _use(one) is not None),
    ),
}


@frozen
class Imported:
    """An accelerator of a file, and what of the file it does not have, with the reason."""

    accelerator: Accelerator
    left_out: tuple[str, ...]


def read_accelerator(path: Path) -> Imported:
    """The accelerator that a hardware file of ZigZag describes.

    Raises:
        OSError: the file cannot be read.
        DeviceFileError: it has what is not understood; all of it is named, with place and value.

    """
    repeated: list[str] = []
    raw = parsed(content_of(path), str(path), repeated=repeated)
    reader = _Reader(str(path))
    reader.left_out += [f"{one} stands twice; the last counts, as in ZigZag" for one in repeated]
    given = reader.accelerator(raw)
    reader.check()
    try:
        accelerator = accelerator_of(given)
    except ValueError as error:
        raise DeviceFileError(str(path), [str(error)]) from None
    return Imported(accelerator, tuple(reader.left_out))


def _use(text: str) -> tuple[str, str] | None:
    """The operand and the flow of an allocation; none if it is not one."""
    operand, _, flow = text.partition(", ")
    known = operand in _OPERANDS and flow in _FLOWS
    return (_OPERANDS[operand], _FLOWS[flow]) if known else None


class _Reader:
    """Reads a file into the form of an accelerator of the golden cases, and notes mistakes."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mistakes: list[str] = []
        self.left_out: list[str] = []

    def check(self) -> None:
        """Raise the mistakes, if there are any."""
        if self.mistakes:
            raise DeviceFileError(self.file, self.mistakes)

    def accelerator(self, raw: Any) -> Mapping[str, Any]:
        """The accelerator; what is wrong in one part is noted together before the next is read."""
        whole = self._values(raw, "", _FILE)
        self.check()
        array = self._values(whole["operational_array"], "operational_array", _ARRAY)
        memories = {
            name: self._values(one, f"memories.{name}", _MEMORY)
            for name, one in whole["memories"].items()
        }
        self.check()
        if len(array["dimensions"]) != len(array["sizes"]):
            self._mistake(
                "operational_array.sizes", f"{len(array['dimensions'])} sizes", array["sizes"]
            )
        self._note("operational_array.unit_area", array.get("unit_area"), "ZigZag gives no unit")
        self._note(
            "operational_array.input_precision", array.get("input_precision"),
            "formats are those of the network",
        )  # fmt: skip
        return {
            "name": whole["name"],
            "array": dict(zip(array["dimensions"], array["sizes"], strict=False)),
            "systolic_dimensions": array.get("systolic_dimensions", []),
            "mac_energy_pj": array["unit_energy"],
            "memories_inner_to_outer": [
                self._memory(f"memories.{name}", str(name), one, array["dimensions"])
                for name, one in memories.items()
            ],
            "spatial_mapping": self._dataflows(whole.get("dataflows") or {}, array["dimensions"]),
        }

    def _memory(
        self, path: str, name: str, given: Mapping[str, Any], axes: list[str]
    ) -> Mapping[str, Any]:
        for axis in given["served_dimensions"]:
            if axis not in axes:
                self._mistake(f"{path}.served_dimensions", f"axes of {', '.join(axes)}", axis)
        self._note(f"{path}.area", given.get("area"), "ZigZag gives no unit")
        if given.get("latency", 1) not in {0, 1}:
            self._note(f"{path}.latency", given["latency"], "ZigZag does not use it")
        ports = [
            self._port(f"{path}.ports[{place}]", one, given["operands"])
            for place, one in enumerate(given["ports"])
        ]
        self._note_widths(f"{path}.ports", ports)
        return {
            "name": name,
            "size_bits": given["size"],
            "read_energy_pj": given["r_cost"],
            "write_energy_pj": given["w_cost"],
            "operands": [_OPERANDS[one] for one in given["operands"]],
            "one_instance_serves_array_dimensions": given["served_dimensions"],
            "double_buffered": given.get("force_double_buffering", False),
            "ports": ports,
        }

    def _note_widths(self, path: str, ports: Sequence[Mapping[str, Any]]) -> None:
        """Note where an access of any width costs the same, as only the widest does here."""
        for reads in (True, False):
            widths = {
                port["bandwidth_max_bits"]
                for port in ports
                if any((flow in READS) == reads for _, flow in port["uses"])
            }
            if len(widths) > 1:
                what = f"{'reads' if reads else 'writes'} of {sorted(widths)} bits"
                reason = "ZigZag has one energy for all; it is that of the widest"
                self.left_out.append(f"{path}: {what}: {reason}")

    def _port(self, path: str, raw: Any, operands: list[str]) -> Mapping[str, Any]:
        given = self._values(raw, path, _PORT)
        self.check()
        for text in given["allocation"]:
            operand, _, flow = text.partition(", ")
            if operand not in operands:
                self._mistake(f"{path}.allocation", f"operands of {', '.join(operands)}", text)
            if flow not in _DIRECTIONS[given["type"]]:
                flows = ", ".join(sorted(_DIRECTIONS[given["type"]]))
                self._mistake(f"{path}.allocation", f"{flows} at a {given['type']} port", text)
        if given["bandwidth_min"] > given["bandwidth_max"]:
            self._mistake(
                f"{path}.bandwidth_min", f"at most {given['bandwidth_max']}", given["bandwidth_min"]
            )
        return {
            "kind": given["type"],
            "bandwidth_min_bits": given["bandwidth_min"],
            "bandwidth_max_bits": given["bandwidth_max"],
            "uses": [_use(text) for text in given["allocation"]],
        }

    def _dataflows(self, raw: Mapping[str, Any], axes: list[str]) -> Mapping[str, Any]:
        found = {}
        for axis, several in raw.items():
            path = f"dataflows.{axis}"
            if axis not in axes:
                self._mistake("dataflows", f"axes of {', '.join(axes)}", axis)
            matches = [
                _UNROLLING.fullmatch(one) if isinstance(one, str) else None
                for one in (several if isinstance(several, list) else [several])
            ]
            if any(one is None or one[1] not in DIMS for one in matches):
                self._mistake(path, f"such as ['K, 32'], of {', '.join(DIMS)}", several)
            found[axis] = [(one[1], int(one[2])) for one in matches if one]
        return found

    def _values(self, raw: Any, path: str, known: Mapping[str, _Entry]) -> dict[str, Any]:
        """The values of a mapping; those that are not as demanded are noted."""
        if not isinstance(raw, dict):
            self._mistake(path or "the file", "a mapping", raw)
            return {}
        start = f"{path}." if path else ""
        for key in raw:
            if key not in known:
                near = nearest(str(key), known)
                hint = f"; did you mean {near!r}?" if near else ""
                self.mistakes.append(
                    f"{start}{key}: not understood: {raw[key]!r:.80}{hint}; "
                    f"known: {', '.join(known)}"
                )
        for key, entry in known.items():
            if key not in raw and entry.required:
                self.mistakes.append(f"{start}{key}: missing; expected {entry.demand}")
            elif key in raw and not entry.holds(raw[key]):
                self._mistake(f"{start}{key}", entry.demand, raw[key])
        return raw

    def _mistake(self, path: str, demand: str, found: Any) -> None:
        self.mistakes.append(f"{path}: expected {demand}, found {found!r:.80}")

    def _note(self, path: str, value: Any, reason: str) -> None:
        """Note a value that is left out; one that says nothing is not worth a note."""
        if value:
            self.left_out.append(f"{path}: {value!r:.80}: {reason}")
