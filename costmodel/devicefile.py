"""Device files: YAML to devices, strictly, with all mistakes of a file told at once."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import cattrs
import yaml
from attrs import evolve, field, fields, frozen

from costmodel.devices import ABOVE_ZERO, Access, Device, Evidence, Memory, Parameter
from costmodel.devices.memory import unheld
from costmodel.errors import DeviceFileError, UnitError, nearest
from costmodel.units import Quantity, parse_quantity
from costmodel.workload.operators import ROLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cattrs import Converter

SCHEMA: Final = "costmodel/device/1"
SIZE_LIMIT: Final = 2**20
"""Bytes; the largest file that ships has a few thousand."""
DEPTH_LIMIT: Final = 20
"""Levels of nesting; the schema has three."""
ITEM_LIMIT: Final = 5000
"""Keys and values; the largest file that ships has a few hundred."""
TEXT_LIMIT: Final = 2000
"""Characters of one value; Python takes very long over a number of many digits."""
MOST_JOULES: Final = 1.0
"""Of one operation: more is a prefix that was forgotten or mistyped."""

_ENTRY: Final = "a mapping such as {value: 2 pJ, source: KEY, evidence: vendor}"
_OTHER_CLASSES: Final = (
    "`costmodel devices classes` lists the others; a formula of your own: docs/extending/device.md"
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""The name of a device: one word to type, in a list separated by commas too."""
_NOT_ZERO: Final = re.compile(r"[+-]?[0.]*[1-9]")


@frozen
class _Entry:
    """One parameter as the file has it, before its name and unit are known to fit."""

    value: str | float
    source: str
    evidence: Evidence
    low: str | float | None = None
    high: str | float | None = None
    note: str = ""


@frozen
class _Head:
    """The file without its parameters."""

    schema: str
    name: str
    family: str
    sources: Any
    title: str = ""
    process: str | None = None
    leaves_out: str = ""
    assumes: str = ""
    parameters: Any = field(factory=dict)
    settings: Any = field(factory=dict)
    memories: Any = field(factory=list)


_MEMORY: Final = dict.fromkeys(("name", "size", "holds", "bandwidth", "read", "write"))
"""What a memory of a file may have."""
_WAYS: Final = ("read", "write")


def load_device(
    text: bytes,
    file: str,
    families: Mapping[str, type[Device]],
    conflicts: Mapping[str, str] | None = None,
    problems: Sequence[str] = (),
) -> Device:
    """The device that a YAML file describes.

    `families` are the device classes by name, `conflicts` tells why a name has none, `problems`
    why plugins may offer fewer than they should.

    Raises:
        DeviceFileError: anything in the file is not as the schema and the class demand.

    """
    read = _File(file, _parse(text, file), families, conflicts or {}, problems)
    return read.device(hashlib.sha256(text).hexdigest())


class _File:
    """One file on its way to a device, with the mistakes found so far."""

    def __init__(
        self,
        file: str,
        raw: Any,
        families: Mapping[str, type[Device]],
        conflicts: Mapping[str, str],
        problems: Sequence[str],
    ) -> None:
        self.file, self.families, self.conflicts = file, families, conflicts
        self.problems = problems
        self.mistakes: list[str] = []
        self.is_strange = False  # whether it has parameters or settings that its class lacks
        self.raw = raw if isinstance(raw, dict) else {}
        if not isinstance(raw, dict):
            self.mistakes.append(f"expected a mapping with schema, name, class, found {raw!r:.80}")

    def device(self, content_hash: str) -> Device:
        head = self._structure(self.raw, _Head, "")
        family = self._family()
        parameters: dict[str, Any] = dict(self._parameters(family))
        settings = dict(self._settings(family))
        memories = tuple(self._memories(family))
        self._check_schema(self.raw.get("schema"))
        self._check_name(self.raw.get("name"))
        self._check_sources(self.raw.get("sources", {}))
        if not self.mistakes:
            for roles in unheld(memories):
                self.mistakes.append(f"memories: expected one that holds {roles}, found none")
        if self.mistakes or head is None or family is None:
            raise DeviceFileError(self.file, self.mistakes, self._next_steps(family))
        return family(
            head.name, title=_on_one_line(head.title),
            process=head.process and _on_one_line(head.process),
            also_leaves_out=_on_one_line(head.leaves_out),
            assumes=_on_one_line(head.assumes),
            file=self.file, content_hash=content_hash, memories=memories,
            **parameters, **settings,
        )  # fmt: skip

    def _next_steps(self, family: type[Device] | None) -> Iterator[str]:
        """What to do where the class is not the one, or is none."""
        if family is None and "parameters" in self.raw:
            yield "names and units of parameters and settings are checked once the class is known"
        if family is None:
            yield from self.problems
        elif self.is_strange:
            left_out = f" leaves out {family.leaves_out};" if family.leaves_out else ""
            yield f"class {family.family!r}{left_out} {_OTHER_CLASSES}"

    def _check_schema(self, schema: Any) -> None:
        if isinstance(schema, str) and schema != SCHEMA:
            self.mistakes.append(f"schema: expected {SCHEMA!r}, found {schema!r}")

    def _check_name(self, name: Any) -> None:
        if isinstance(name, str) and not _NAME.fullmatch(name):
            self.mistakes.append(
                "name: expected 1 to 64 letters, digits, '_', '.' or '-', the first of them a "
                f"letter or digit; found {name!r:.80}"
            )

    def _check_sources(self, sources: Any) -> None:
        if not isinstance(sources, dict):
            self.mistakes.append(f"sources: expected a mapping, found {sources!r:.80}")
            return
        for key, text in sources.items():
            if not isinstance(key, str):
                self.mistakes.append(f"sources: expected text as a key, found {key!r:.80}")
            elif not isinstance(text, str):
                self.mistakes.append(f"sources.{key}: expected text, found {text!r:.80}")
            elif not text.strip():
                self.mistakes.append(f"sources.{key}: expected a citation, found {text!r:.80}")

    def _family(self) -> type[Device] | None:
        name = self.raw.get("class")
        if not isinstance(name, str):
            return None
        if name in self.conflicts:
            self.mistakes.append(f"class: {self.conflicts[name]}")
        elif name not in self.families:
            self.mistakes.append(_not_known("class", name, self.families))
        return self.families.get(name)

    def _parameters(self, family: type[Device] | None) -> Iterator[tuple[str, Parameter]]:
        raw = self.raw.get("parameters", {})
        if not isinstance(raw, dict):
            self.mistakes.append(f"parameters: expected a mapping, found {raw!r:.80}")
            return
        units = family.parameter_units() if family else None
        for name, value in raw.items():
            if units is not None and name not in units:
                self.is_strange = True
                self.mistakes.append(_not_known("parameters", str(name), units))
            unit = (units or self._known_units()).get(name)
            is_positive = family is not None and name in family.positive_parameters()
            made = self._parameter(f"parameters.{name}", value, unit, is_positive=is_positive)
            if made is not None:
                yield str(name), made
        for name in sorted(family.required_parameters() - raw.keys()) if family else ():
            self.mistakes.append(f"parameters.{name}: missing, {family.family!r} needs it")  # type: ignore[union-attr]  # missing is told of known families only

    def _known_units(self) -> Mapping[str, str]:
        """The units of parameters of which the classes that have them think alike."""
        units: dict[str, set[str]] = {}
        for family in self.families.values():
            for name, unit in family.parameter_units().items():
                units.setdefault(name, set()).add(unit)
        return {name: found.pop() for name, found in units.items() if len(found) == 1}

    def _settings(self, family: type[Device] | None) -> Iterator[tuple[str, Any]]:
        raw = self.raw.get("settings", {})
        if not isinstance(raw, dict):
            self.mistakes.append(f"settings: expected a mapping, found {raw!r:.80}")
            return
        known = family.option_names() if family else {}
        for name, value in raw.items():
            if family is not None and name not in known:
                self.is_strange = True
                self.mistakes.append(_not_known("settings", str(name), known))
            elif name in known:
                try:
                    yield name, known[name](value)
                except (ArithmeticError, TypeError, ValueError) as error:
                    self.mistakes.append(f"settings.{name}: {error}")

    def _memories(self, family: type[Device] | None) -> Iterator[Memory]:
        raw = self.raw.get("memories", [])
        if raw and family is not None and not family.uses_memories:
            moved = f"class {family.family!r} has what is moved in its prices"
            self.mistakes.append(f"memories: {moved}; expected none")
        if not isinstance(raw, list):
            expected = "a list of memories from the innermost, such as [{name: dram}]"
            self.mistakes.append(f"memories: expected {expected}, found {raw!r:.80}")
            return
        names: set[str] = set()
        for place, item in enumerate(raw):
            made = self._memory(f"memories[{place}]", item)
            if made is None:
                continue
            if made.name in names:
                self.mistakes.append(f"memories[{place}].name: {made.name!r} is there before")
            names.add(made.name)
            yield made

    def _memory(self, path: str, raw: Any) -> Memory | None:
        before = len(self.mistakes)
        if not isinstance(raw, dict):
            self.mistakes.append(f"{path}: expected a mapping with a name, found {raw!r:.80}")
            return None
        for key in raw:
            if key not in _MEMORY:
                self.mistakes.append(_not_known(path, str(key), _MEMORY))
        name, holds = raw.get("name"), raw.get("holds", list(ROLES))
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self.mistakes.append(f"{path}.name: expected a word such as dram, found {name!r:.80}")
        if not isinstance(holds, list) or not holds or any(role not in ROLES for role in holds):
            expected = f"a list of {', '.join(ROLES)}"
            self.mistakes.append(f"{path}.holds: expected {expected}, found {holds!r:.80}")
        known = {key: value for key, value in raw.items() if value != "unlimited" or key != "size"}
        size = self._figure(path, "size", known, "B", f"{name}.size")
        bandwidth = self._figure(
            path, "bandwidth", raw, "B/s", f"{name}.bandwidth", is_positive=True
        )
        accesses = {
            way: self._access(f"{path}.{way}", raw[way], f"{name}.{way}")
            for way in _WAYS
            if way in raw
        }
        if len(self.mistakes) > before:
            return None
        return Memory(name=str(name), holds=holds, size=size, bandwidth=bandwidth, **accesses)

    def _figure(
        self, path: str, key: str, raw: Mapping[str, Any], unit: str, name: str,
        *, is_positive: bool = False,
    ) -> Parameter | None:  # fmt: skip
        if key not in raw:
            return None
        found = self._parameter(f"{path}.{key}", raw[key], unit, is_positive=is_positive)
        return None if found is None else evolve(found, name=name)

    def _access(self, path: str, raw: Any, name: str) -> Access | None:
        if not isinstance(raw, dict) or set(raw) != {"energy", "width"}:
            expected = "a mapping such as {energy: {value: 6 pJ, ...}, width: 64 bit}"
            self.mistakes.append(f"{path}: expected {expected}, found {raw!r:.80}")
            return None
        energy = self._figure(path, "energy", raw, "J", f"{name}.energy")
        width = self._quantity(f"{path}.width", raw["width"], "bit")
        if width is not None and not (width.value >= 1 and width.value.is_integer()):
            found = f"found {raw['width']!r:.80}"
            self.mistakes.append(f"{path}.width: expected a whole number of bits, {found}")
            return None
        return None if energy is None or width is None else Access(energy, int(width.value))

    def _parameter(
        self, path: str, raw: Any, unit: str | None, *, is_positive: bool
    ) -> Parameter | None:
        name = path.removeprefix("parameters.")
        before = len(self.mistakes)
        entry = self._structure(raw, _Entry, path)
        source = self._citation(path, raw)
        if entry is None:
            self._check_value(path, raw, unit)
            return None
        value = self._quantity(f"{path}.value", entry.value, unit)
        if unit is None and value is not None:
            unit = value.unit  # the class is not known, but the three are of one unit
        low = value if entry.low is None else self._quantity(f"{path}.low", entry.low, unit)
        high = value if entry.high is None else self._quantity(f"{path}.high", entry.high, unit)
        self._check_order(f"{path}.low", "at most", entry, entry.low, low, value)
        self._check_order(f"{path}.high", "at least", entry, entry.high, value, high)
        if is_positive:
            self._check_positive(f"{path}.value", entry.value, value)
            if entry.low is not None:
                self._check_positive(f"{path}.low", entry.low, low)
        if len(self.mistakes) > before or value is None or low is None or high is None:
            return None
        return Parameter(
            name, value.value, value.unit, _on_one_line(source), entry.evidence,
            low=low.value, high=high.value, note=_on_one_line(entry.note),
        )  # fmt: skip

    def _check_order(
        self, path: str, demand: str, entry: _Entry, given: object,
        less: Quantity | None, more: Quantity | None,
    ) -> None:  # fmt: skip
        """Tell of an end of the range that is on the wrong side of the value."""
        if less and more and less.value > more.value:
            value = f"expected {demand} the value {str(entry.value)!r}"
            self.mistakes.append(f"{path}: {value}, found {str(given)!r}")

    def _check_positive(self, path: str, given: object, found: Quantity | None) -> None:
        if found is not None and found.value <= 0:
            self.mistakes.append(f"{path}: expected {ABOVE_ZERO}; found {str(given)!r}")

    def _citation(self, path: str, raw: Any) -> str:
        key = raw.get("source") if isinstance(raw, dict) else None
        if not isinstance(key, str):
            return ""
        sources = self.raw.get("sources")
        if not isinstance(sources, dict):
            return key
        if key not in sources:
            self.mistakes.append(_not_known(f"{path}.source", key, sources))
        return str(sources.get(key, key))

    def _check_value(self, path: str, raw: Any, unit: str | None) -> None:
        """Tell what is wrong with the value of an entry that is wrong elsewhere."""
        value = raw.get("value") if isinstance(raw, dict) else None
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            self._quantity(f"{path}.value", value, unit)

    def _quantity(self, path: str, text: str | float, unit: str | None) -> Quantity | None:
        try:
            quantity = parse_quantity(str(text), unit)
        except UnitError as error:
            self.mistakes.append(f"{path}: {error}")
            return None
        if quantity.value < 0:
            self.mistakes.append(f"{path}: expected a value that is not negative, found {text!r}")
            return None
        if problem := _implausible(quantity, str(text)):
            self.mistakes.append(f"{path}: {problem}, found {str(text)!r}")
            return None
        return quantity

    def _structure(self, raw: Any, cls: Callable[..., Any], path: str) -> Any:
        try:
            return _converter().structure(raw, cls)  # type: ignore[arg-type]  # cattrs types classes alone
        except cattrs.ClassValidationError as error:
            self.mistakes.extend(_told(error, path))
        except (TypeError, ValueError) as error:
            self.mistakes.append(f"{path}: {error}")
        return None


def _on_one_line(text: str) -> str:
    """The text with a space for each line break: YAML may have it on several lines."""
    return " ".join(text.split())


def _implausible(quantity: Quantity, text: str) -> str | None:
    if quantity.value == 0 and _NOT_ZERO.match(text.strip()):
        return "expected a value large enough for a number, or 0"
    if quantity.unit == "J" and quantity.value > MOST_JOULES:
        return f"expected at most {MOST_JOULES:g} J for one operation (is the prefix missing?)"
    return None


def _converter() -> Converter:
    global _CONVERTER  # noqa: PLW0603  # made on first use: cattrs takes 30 ms to import
    if _CONVERTER is None:
        _CONVERTER = _make_converter()
    return _CONVERTER


_CONVERTER: Converter | None = None


def _make_converter() -> Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(Evidence, _evidence)
    converter.register_structure_hook(str | float, _number_or_text)
    converter.register_structure_hook(str | float | None, _number_or_text)
    rename = cattrs.gen.make_dict_structure_fn(
        _Head, converter, family=cattrs.override(rename="class")
    )
    converter.register_structure_hook(_Head, lambda raw, cls: rename(_mapping(raw), cls))
    plain = cattrs.gen.make_dict_structure_fn(_Entry, converter)
    converter.register_structure_hook(_Entry, lambda raw, cls: plain(_mapping(raw, _ENTRY), cls))
    return converter


def _mapping(raw: Any, demand: str = "a mapping") -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        message = f"expected {demand}, found {raw!r:.80}"
        raise TypeError(message)
    return raw


def _text(raw: Any, _: object) -> str:
    if not isinstance(raw, str):
        message = f"expected text, found {raw!r:.80}"
        raise TypeError(message)
    return raw


def _number_or_text(raw: Any, _: object) -> str | float | None:
    if raw is None or isinstance(raw, bool) or not isinstance(raw, str | int | float):
        message = f"expected a quantity such as '23.6 pJ', found {raw!r:.80}"
        raise TypeError(message)
    return raw


def _evidence(raw: Any, _: object) -> Evidence:
    try:
        return Evidence(raw)
    except ValueError:
        known = ", ".join(item.value for item in Evidence)
        message = f"expected one of {known}, found {raw!r:.80}"
        raise ValueError(message) from None


def _told(error: cattrs.ClassValidationError, path: str) -> Iterator[str]:
    """Each leaf of a cattrs error as `path: demand and value`."""
    noted, bare = error.group_exceptions()
    for cause, note in noted:
        name = "class" if note.name == "family" else str(note.name)
        yield from _leaf(cause, f"{path}.{name}".lstrip("."))
    for cause in bare:
        yield from _leaf(cause, path)


def _leaf(cause: BaseException, path: str) -> Iterator[str]:
    where = f"{path}: " if path else ""
    if isinstance(cause, cattrs.ClassValidationError):
        yield from _told(cause, path)
    elif isinstance(cause, cattrs.IterableValidationError):
        yield from (f"{where}{item}" for item in cause.exceptions)
    elif isinstance(cause, cattrs.ForbiddenExtraKeysError):
        allowed = ["class" if key == "family" else key for key in _keys(cause.cl)]
        for key in sorted(map(str, cause.extra_fields)):
            yield _not_known(path or "file", key, dict.fromkeys(allowed))
    elif isinstance(cause, KeyError):
        key = "class" if cause.args[0] == "family" else cause.args[0]
        yield f"{where.removesuffix(f'{key}: ')}{key}: missing"
    else:
        yield f"{where}{cause}"


def _keys(cls: type) -> list[str]:
    return [item.name for item in fields(cls)]


def _not_known(path: str, name: str, known: Mapping[str, Any]) -> str:
    near = nearest(name, known)
    listed = ", ".join(map(repr, known))
    expected = f"expected one of {listed}" if known else "none is given"
    hint = f"nearest {near!r}" if near else expected
    return f"{path}: {name!r} is not known; {hint}"


class _Loader(yaml.CSafeLoader):
    """The safe loader, which takes no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  # the base class has it so
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                message = f"key {key.value!r:.80} stands twice"
                raise yaml.constructor.ConstructorError(None, None, message, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _parse(text: bytes, file: str) -> Any:
    if len(text) > SIZE_LIMIT:
        message = f"expected at most {SIZE_LIMIT:,} bytes, found more"
        raise DeviceFileError(file, [message])
    try:
        _check_size(text, file)
        return yaml.load(text, _Loader)  # noqa: S506  # _Loader is a safe loader
    except yaml.YAMLError as error:
        told = " ".join(str(error).split()).replace('in "<byte string>", line', "at line")
        raise DeviceFileError(file, [f"not YAML: {told}"]) from None
    except (ValueError, RecursionError) as error:
        raise DeviceFileError(file, [f"not YAML: {error}"]) from None


def _check_size(text: bytes, file: str) -> None:
    try:
        _check_events(yaml.parse(text, yaml.CSafeLoader), file)
    except yaml.YAMLError:
        # LibYAML has a limit of nesting, which it may check before it reports any level.
        # The parser in Python has none: it reports each level until ours is reached.
        with contextlib.suppress(yaml.YAMLError):
            _check_events(yaml.parse(text, yaml.SafeLoader), file)
        raise


def _check_events(events: Iterable[yaml.Event], file: str) -> None:
    depth = 0
    for count, event in enumerate(events):
        if count > ITEM_LIMIT:
            raise DeviceFileError(file, [f"holds more than {ITEM_LIMIT:,} keys and values"])
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > TEXT_LIMIT:
            told = f"{event.value!r:.40}... has more than {TEXT_LIMIT:,} characters"
            raise DeviceFileError(file, [told])
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise DeviceFileError(file, ["aliases (*name) are not taken; write the value out"])
        if depth > DEPTH_LIMIT:
            raise DeviceFileError(file, [f"nested more than {DEPTH_LIMIT} levels deep"])
