"""Saved estimates: the part of their JSON that a later check needs, read strictly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from attrs import field, frozen

from costmodel.errors import ReadError, UnknownNameError
from costmodel.report.estimate_json import SCHEMA
from costmodel.report.estimate_table import listed_reasons
from costmodel.safe_io import content_of, json_values

End: TypeAlias = Literal["value", "high"]
"""The end of a range that counts: the value itself, or the high end."""

_HOW: Final = (
    "`costmodel check --update-baseline` writes one, `costmodel estimate --format json` too"
)
_MOST: Final = 1e100
"""The largest number of a saved estimate that is believed."""
_NO_RULE: Final = "no rule says how much work it is"
_NOT_COUNTED: Final = "the number of its parameters is not known"
_NO_TIME: Final = "the device does not model time"


LayersHave: TypeAlias = Literal["parts", "peaks", "weights"]
"""What the layers have of an amount: parts of it, peaks of their own, or the weights in it."""


@frozen
class Amount:
    """What an estimate says of one quantity, and how much of it each layer has.

    `value` is None where nothing is known, and a lower bound where something is `missing`: a
    sentence for each part. Seconds, joules, bytes or a count.
    """

    value: float | None
    by_layer: Mapping[str, float] = field(factory=dict)
    missing: tuple[str, ...] = ()
    layers_have: LayersHave = "parts"


@frozen
class SavedLayer:
    """What a layer is on any device; None where it is not known."""

    kind: str
    counts: Mapping[str, int | None]
    """`macs`, `parameters` and `weights` in bytes."""


@frozen
class _Cost:
    """Energy and time of a layer or of all of them, each by the end of its range."""

    energy: Mapping[str, float]
    latency: Mapping[str, float]
    peaks: Mapping[str, int]


@frozen(kw_only=True)
class SavedDevice:
    """What an estimate says of one device."""

    identity: Mapping[str, Any]
    """What tells the figures of one device from those of another of the same name."""
    total: _Cost
    layers: Mapping[str, _Cost] = field(repr=False)
    has_static_energy: bool
    has_whole_latency: bool
    has_whole_energy: bool
    unknown_energy: str
    fits: bool | None
    """Whether each memory has room for what lies in it; None where there are none."""
    unpriced: Mapping[str, tuple[str, ...]]

    @property
    def memories(self) -> tuple[str, ...]:
        """The names of its memories."""
        return tuple(self.total.peaks)

    def energy(self, end: End) -> Amount:
        """Energy of the whole batch in joules; a static part belongs to layers by their time."""
        reasons = [self.unknown_energy] if self.unknown_energy else []
        missing = () if self.has_whole_energy else (*self._unpriced(), *reasons)
        own = {
            name: cost.energy.get(end, cost.energy.get("value", 0.0))
            for name, cost in self.layers.items()
        }
        value = self.total.energy.get(end, self.total.energy.get("value"))
        if value is not None and self.has_static_energy:
            own = self._with_static(own, max(0.0, value - math.fsum(own.values())))
        return Amount(value, own, missing)

    def _with_static(self, own: Mapping[str, float], static: float) -> dict[str, float]:
        times = self.latency("value").by_layer
        whole = math.fsum(times.values())
        if not whole:
            return dict(own)
        return {name: value + static * times.get(name, 0.0) / whole for name, value in own.items()}

    def latency(self, end: End) -> Amount:
        """The time of the whole batch in seconds; layers share the range that the whole has."""
        value = self.total.latency.get(end, self.total.latency.get("value"))
        if value is None:
            return Amount(None, self._times("value"), self._unpriced() or (_NO_TIME,))
        plain, there = self._times("value"), self._times(end)
        grown = value * math.fsum(plain.values())
        own = self.total.latency["value"] * math.fsum(there.values())
        times = {name: one * grown / own for name, one in there.items()} if own else there
        return Amount(value, times, () if self.has_whole_latency else self._unpriced())

    def _times(self, end: End) -> dict[str, float]:
        """How long each layer takes at an end of its own range, in seconds."""
        return {
            name: cost.latency.get(end, cost.latency["value"])
            for name, cost in self.layers.items()
            if cost.latency
        }

    def _unpriced(self) -> tuple[str, ...]:
        return tuple(listed_reasons(self.unpriced))


@frozen(kw_only=True)
class SavedEstimate:
    """What a check needs of an estimate, whether it was made now or read from a file."""

    source: str
    network: str
    version: str
    convention: str
    scenario: Mapping[str, Any]
    totals: Mapping[str, int] = field(repr=False)
    layers: Mapping[str, SavedLayer] = field(repr=False)
    devices: Mapping[str, SavedDevice] = field(repr=False)

    def device(self, name: str) -> SavedDevice:
        """The device called `name`.

        Raises:
            UnknownNameError: the estimate has no such device.

        """
        try:
            return self.devices[name]
        except KeyError:
            raise UnknownNameError(name, self.devices, f"device in {self.source}") from None

    def count(self, quantity: str) -> Amount:
        """How many `macs` or `parameters` the network has, or how many bytes its `weights`."""
        known = {name: layer.counts[quantity] for name, layer in self.layers.items()}
        why = _NO_RULE if quantity == "macs" else _NOT_COUNTED
        missing = {name: (why,) for name, count in known.items() if count is None}
        by_layer = {name: float(count) for name, count in known.items() if count is not None}
        return Amount(self.totals[quantity], by_layer, tuple(listed_reasons(missing)))

    def peak(self, device: str, memory: str) -> Amount:
        """The most that lies in a memory of a device at any time, in bytes.

        Each layer has a peak of its own. Where all have the same, the memory holds what stays,
        and each layer has its weights.
        """
        on = self.device(device)
        value, missing = on.total.peaks[memory], self.count("macs").missing
        peaks = {name: float(cost.peaks.get(memory, 0)) for name, cost in on.layers.items()}
        busy = {name: peak for name, peak in peaks.items() if peak}
        if len(busy) > 1 and set(busy.values()) == {value}:
            return Amount(value, self.count("weights").by_layer, missing, "weights")
        return Amount(value, busy, missing, "peaks")


def is_saved(path: str | Path) -> bool:
    """Whether a file says of itself that it is a saved estimate."""
    file = Path(path)
    if file.suffix != ".json" or not file.is_file():
        return False
    with file.open("rb") as opened:
        return SCHEMA.encode() in opened.read(_HEAD)


_HEAD: Final = 1000
"""Bytes in which an estimate names its schema."""


def read_saved(path: str | Path) -> SavedEstimate:
    """The estimate in a JSON file.

    Raises:
        ReadError: there is none, or it is not as `costmodel estimate` writes it.

    """
    try:
        content = content_of(Path(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"{path}: cannot be read: {reason}; expected a saved estimate: {_HOW}"
        raise ReadError(message) from None
    return saved(json_values(content, str(path)), str(path))


def saved(values: Any, source: str) -> SavedEstimate:
    """The estimate that plain values describe, such as those of `Estimate.to_dict()`.

    Raises:
        ReadError: they are not as the schema demands.

    """
    _check_schema(values, source)
    root = _Place(values, source, "")
    network, layers = root["network"], list(root["layers"].entries())
    return SavedEstimate(
        source=source,
        network=network["name"].text(),
        version=root["costmodel"].text(),
        convention=root["convention"].text(),
        scenario=root["scenario"].mapping(),
        totals={
            "macs": network["macs"].whole(),
            "parameters": network["parameters"].whole(),
            "weights": network["weight_bytes"].whole(),
        },
        layers={place["name"].text(): _layer(place) for place in layers},
        devices={name: _device(place) for name, place in root["devices"].items()},
    )


def _check_schema(values: Any, source: str) -> None:
    if isinstance(values, list):
        message = f"{source}: expected one estimate, found {len(values)}; save that of one model"
        raise ReadError(message)
    found = values.get("schema") if isinstance(values, dict) else None
    if found != SCHEMA:
        message = f"{source}: schema: expected {SCHEMA!r}, found {found!r:.80}; {_HOW}"
        raise ReadError(message)


def _layer(place: _Place) -> SavedLayer:
    keys = {"macs": "macs", "parameters": "parameters", "weights": "weight_bytes"}
    counts = {quantity: place[key].optional_whole() for quantity, key in keys.items()}
    return SavedLayer(place["kind"].text(), counts)


_IDENTITY: Final = ("content_hash", "settings", "runtime", "parameters")


def _device(place: _Place) -> SavedDevice:
    latency = place["latency_seconds"].ends()
    static = place["static_energy_joules"].optional_number()
    unknown = place.mapping().get("unknown_energy")
    unpriced = place["coverage"]["unpriced"]
    return SavedDevice(
        identity={key: place[key].value for key in _IDENTITY},
        total=_cost(place),
        layers={one["name"].text(): _cost(one) for one in place["layers"].entries()},
        has_static_energy=bool(static),
        has_whole_latency="high" in latency,
        has_whole_energy=not place["is_lower_bound"].flag(),
        unknown_energy="" if unknown is None else place["unknown_energy"].text(),
        fits=None if place["fits"].value is None else place["fits"].flag(),
        unpriced={
            name: tuple(why.text() for why in reasons.entries())
            for name, reasons in unpriced.items()
        },
    )


def _cost(place: _Place) -> _Cost:
    memories = place["memories"]
    return _Cost(
        place["energy_joules"].ends(),
        place["latency_seconds"].ends(),
        {name: memory["peak_bytes"].whole() for name, memory in memories.items()},
    )


@frozen
class _Place:
    """A value within a file, and where it is: what it is not, an error says with the place."""

    value: Any
    source: str
    path: str

    def __getitem__(self, key: str) -> _Place:
        values = self.mapping()
        if key not in values:
            where = f"{self.path}.{key}".removeprefix(".")
            message = f"{self.source}: {where}: missing; {_HOW}"
            raise ReadError(message)
        return self._within(f".{key}", values[key])

    def items(self) -> Iterator[tuple[str, _Place]]:
        for key, value in self.mapping().items():
            yield key, self._within(f".{key}", value)

    def entries(self) -> Iterator[_Place]:
        if not isinstance(self.value, list):
            self._refuse("a list")
        for index, value in enumerate(self.value):
            yield self._within(f"[{index}]", value)

    def mapping(self) -> Mapping[str, Any]:
        if not isinstance(self.value, dict):
            self._refuse("an object")
        return self.value  # type: ignore[no-any-return]  # checked above

    def text(self) -> str:
        if not isinstance(self.value, str):
            self._refuse("text")
        return self.value  # type: ignore[no-any-return]  # checked above

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            self._refuse("true or false")
        return self.value  # type: ignore[no-any-return]  # checked above

    def whole(self) -> int:
        is_whole = isinstance(self.value, int) and not isinstance(self.value, bool)
        if not is_whole or not 0 <= self.value <= _MOST:
            self._refuse(f"a whole number from 0 to {_MOST:g}")
        return self.value  # type: ignore[no-any-return]  # checked above

    def optional_whole(self) -> int | None:
        return None if self.value is None else self.whole()

    def number(self) -> float:
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        if not is_number or not 0 <= self.value <= _MOST:
            self._refuse(f"a number from 0 to {_MOST:g}")
        return self.value  # type: ignore[no-any-return]  # checked above

    def optional_number(self) -> float | None:
        return None if self.value is None else self.number()

    def ends(self) -> Mapping[str, float]:
        """The known ends of a range; none where all of it is null."""
        if self.value is None:
            return {}
        found = {end: self[end].optional_number() for end in ("low", "value", "high")}
        if found["value"] is None:
            self["value"].number()
        return {end: number for end, number in found.items() if number is not None}

    def _within(self, step: str, value: Any) -> _Place:
        return _Place(value, self.source, f"{self.path}{step}".removeprefix("."))

    def _refuse(self, expected: str) -> None:
        message = f"{self.source}: {self.path}: expected {expected}, found {self.value!r:.80}"
        raise ReadError(message)
