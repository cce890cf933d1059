"""A device file to a device, with all mistakes reported at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen

from costmodel.devicefile.figures import FigureReader, Wanted, looks_like_a_table, on_one_line
from costmodel.devicefile.memories import NAME, MemoryReader
from costmodel.devicefile.schema import Head, not_known, structured
from costmodel.devicefile.yaml_text import parsed
from costmodel.devices import Device, Evidence, FormatTable, Memory, Parameter, Residual, Runtime
from costmodel.devices.evaluation.memory import unheld
from costmodel.errors import DeviceFileError, FormatError
from costmodel.formats import parse_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from costmodel.formats import NumericFormat

SCHEMA: Final = "costmodel/device/2"
OLD_SCHEMA: Final = "costmodel/device/1"
"""What `convert` reads, and nothing else."""

DEFAULT: Final = "default"
"""The key of `runtimes` that names the runtime whose values a device has at first."""

_OTHER_CLASSES: Final = (
    "`costmodel devices classes` lists the others; a formula of your own: docs/extending/device.md"
)
_RUNTIME: Final = dict.fromkeys(("parameters", "settings", "memories", "residuals", "known"))
MEMORIES: Final = "memories"
"""The key of the memories of a file, or of those that a runtime has in their place."""
_RESIDUAL: Final = dict.fromkeys(
    ("low", "high", "source", "evidence", "batch", "formats", "shortest")
)


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
    read = _File(file, parsed(text, file), families, conflicts or {}, problems)
    return read.device(hashlib.sha256(text).hexdigest())


@frozen
class _Given:
    """The parameters and settings of a file, or of one of its runtimes, in which `path` is."""

    path: str
    keys: frozenset[str]
    """The names of all parameters that are there, of those with a mistake too."""
    values: Mapping[str, Any]
    residuals: tuple[Residual, ...] = ()
    known: str = ""


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
        self.figures = FigureReader(self.raw.get("sources"), self.mistakes)
        if not isinstance(raw, dict):
            self.mistakes.append(f"expected a mapping with schema, name, class, found {raw!r:.80}")

    def device(self, content_hash: str) -> Device:
        head: Head | None = structured(self.raw, Head, "", self.mistakes)
        family = self._family()
        own = self._given(self.raw, "", family)
        runtimes = self._runtimes(family)
        chosen = self._chosen(runtimes)
        self._check_required(family, own, runtimes)
        memories = tuple(self._memories(family, self.raw))
        self._check_schema(self.raw.get("schema"))
        self._check_name(self.raw.get("name"))
        self._check_sources(self.raw.get("sources", {}))
        if not self.mistakes:
            self._check_roles("", memories)
            for one in runtimes.values():
                self._check_roles(one.path, one.values.get(MEMORIES, ()))
        if self.mistakes or head is None or family is None:
            raise DeviceFileError(self.file, self.mistakes, self._next_steps(family))
        own = evolve(own, values={**own.values, MEMORIES: memories})
        values = {**own.values, **(runtimes[chosen].values if chosen else {})}
        try:
            return family(
                head.name, title=on_one_line(head.title),
                process=head.process and on_one_line(head.process),
                also_not_modelled=on_one_line(head.not_modelled),
                assumes=on_one_line(head.assumes),
                file=self.file, content_hash=content_hash,
                runtime=chosen, runtimes=_whole(family, own, runtimes), **values,
            )  # fmt: skip
        except ValueError as error:  # what a class demands of its figures together
            raise DeviceFileError(self.file, [str(error)]) from None

    def _next_steps(self, family: type[Device] | None) -> Iterator[str]:
        """What to do where the class is not the one, or is none."""
        if family is None and "parameters" in self.raw:
            yield "names and units of parameters and settings are checked once the class is known"
        if family is None:
            yield from self.problems
        elif self.is_strange:
            missing = f" does not model {family.not_modelled};" if family.not_modelled else ""
            yield f"class {family.family!r}{missing} {_OTHER_CLASSES}"

    def _check_schema(self, schema: Any) -> None:
        if isinstance(schema, str) and schema != SCHEMA:
            way = "; to convert it: costmodel devices convert FILE -o NEW"
            hint = way if schema == OLD_SCHEMA else ""
            self.mistakes.append(f"schema: expected {SCHEMA!r}, found {schema!r}{hint}")

    def _check_name(self, name: Any) -> None:
        if isinstance(name, str) and not NAME.fullmatch(name):
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
            self.mistakes.append(not_known("class", name, self.families))
        return self.families.get(name)

    # -------------------------------------------------------------- parameters and settings

    def _given(self, raw: Mapping[str, Any], path: str, family: type[Device] | None) -> _Given:
        """The parameters and settings that stand at `path`, which ends in a dot or is empty."""
        parameters = self._mapping(f"{path}parameters", raw.get("parameters", {}))
        settings = self._mapping(f"{path}settings", raw.get("settings", {}))
        values: dict[str, Any] = dict(self._parameters(f"{path}parameters", parameters, family))
        values.update(self._settings(f"{path}settings", settings, family))
        return _Given(path, frozenset(map(str, parameters)), values)

    def _mapping(self, path: str, raw: Any) -> Mapping[Any, Any]:
        if isinstance(raw, dict):
            return raw
        self.mistakes.append(f"{path}: expected a mapping, found {raw!r:.80}")
        return {}

    def _parameters(
        self, path: str, raw: Mapping[Any, Any], family: type[Device] | None
    ) -> Iterator[tuple[str, Parameter | FormatTable]]:
        units = family.parameter_units() if family else None
        tables = family.parameter_tables() if family else ()
        positive = family.positive_parameters() if family else ()
        for name, value in raw.items():
            if units is not None and name not in units:
                self.is_strange = True
                self.mistakes.append(not_known(path, str(name), units))
            unit = (units or self._known_units()).get(name)
            wanted = Wanted(name=str(name), unit=unit, is_positive=name in positive)
            is_known = units is not None and name in units
            is_table = name in tables if is_known else looks_like_a_table(value)
            read = self.figures.table if is_table else self.figures.figure
            made = read(f"{path}.{name}", value, wanted)
            if made is not None:
                yield str(name), made

    def _known_units(self) -> Mapping[str, str]:
        """The units of parameters of which the classes that have them think alike."""
        units: dict[str, set[str]] = {}
        for family in self.families.values():
            for name, unit in family.parameter_units().items():
                units.setdefault(name, set()).add(unit)
        return {name: found.pop() for name, found in units.items() if len(found) == 1}

    def _settings(
        self, path: str, raw: Mapping[Any, Any], family: type[Device] | None
    ) -> Iterator[tuple[str, Any]]:
        known = family.setting_names() if family else {}
        for name, value in raw.items():
            if family is not None and name not in known:
                self.is_strange = True
                self.mistakes.append(not_known(path, str(name), known))
            elif name in known:
                try:
                    yield name, known[name](value)
                except (ArithmeticError, TypeError, ValueError) as error:
                    self.mistakes.append(f"{path}.{name}: {error}")

    def _check_required(
        self, family: type[Device] | None, own: _Given, runtimes: Mapping[str, _Given]
    ) -> None:
        """Report parameters that are missing: each is in the file, or in all of its runtimes."""
        if family is None:
            return
        needs = f"missing, {family.family!r} needs it"
        for name in sorted(family.required_parameters() - own.keys):
            without = [one.path for one in runtimes.values() if name not in one.keys]
            if len(without) == len(runtimes):
                self.mistakes.append(f"parameters.{name}: {needs}")
            elif DEFAULT not in self.raw["runtimes"]:
                self.mistakes.append(f"parameters.{name}: {needs}, as no runtime is the default")
            else:
                self.mistakes += [
                    f"{path}parameters.{name}: {needs}, here or in parameters" for path in without
                ]

    # -------------------------------------------------------------- runtimes

    def _runtimes(self, family: type[Device] | None) -> Mapping[str, _Given]:
        found = {}
        for name, raw in self._mapping("runtimes", self.raw.get("runtimes", {})).items():
            path = f"runtimes.{name}"
            if name == DEFAULT:
                continue
            if not isinstance(name, str) or not NAME.fullmatch(name):
                expected = "a word such as tflite as the name of a runtime"
                self.mistakes.append(f"runtimes: expected {expected}, found {name!r:.80}")
            elif not isinstance(raw, dict):
                expected = "a mapping with parameters, settings or residuals"
                self.mistakes.append(f"{path}: expected {expected}, found {raw!r:.80}")
            else:
                found[name] = self._runtime(path, raw, family)
        return found

    def _runtime(self, path: str, raw: Mapping[str, Any], family: type[Device] | None) -> _Given:
        for key in raw:
            if key not in _RUNTIME:
                self.mistakes.append(not_known(path, str(key), _RUNTIME))
        given = self._given(raw, f"{path}.", family)
        if MEMORIES in raw:
            memories = tuple(self._memories(family, raw, f"{path}."))
            given = evolve(given, values={**given.values, MEMORIES: memories})
        residuals = (
            self._residuals(f"{path}.residuals", raw["residuals"]) if "residuals" in raw else ()
        )
        known = raw.get("known", "")
        if not isinstance(known, str):
            self.mistakes.append(f"{path}.known: expected text, found {known!r:.80}")
            known = ""
        return _Given(given.path, given.keys, given.values, residuals, on_one_line(known))

    def _residuals(self, path: str, raw: Any) -> tuple[Residual, ...]:
        if not isinstance(raw, list) or not raw:
            expected = "a list of measured over predicted times, such as [{low: 0.8, high: 1.3}]"
            self.mistakes.append(f"{path}: expected {expected}, found {raw!r:.80}")
            return ()
        found = []
        for place, one in enumerate(raw):
            residual = self._residual(f"{path}[{place}]", one)
            if residual is None:
                continue
            is_last = place == len(raw) - 1
            if residual.is_for_all and not is_last:
                expected = "batch, formats or shortest, as others follow it"
                self.mistakes.append(f"{path}[{place}]: expected {expected}, found none")
            if is_last and not residual.is_for_all:
                expected = "one without batch, formats and shortest at the end, for all other times"
                self.mistakes.append(f"{path}: expected {expected}, such as {{low: 0.2, high: 5}}")
            found.append(residual)
        return tuple(found)

    def _residual(self, path: str, raw: Any) -> Residual | None:
        if not isinstance(raw, dict):
            expected = "measured over predicted times, such as {low: 0.8, high: 1.3}"
            self.mistakes.append(f"{path}: expected {expected}, found {raw!r:.80}")
            return None
        before = len(self.mistakes)
        for key in raw:
            if key not in _RESIDUAL:
                self.mistakes.append(not_known(path, str(key), _RESIDUAL))
        low, high = (self._ratio(path, key, raw) for key in ("low", "high"))
        if low is not None and high is not None and low > high:
            expected = f"expected at least low, {raw['low']!r}"
            self.mistakes.append(f"{path}.high: {expected}, found {raw['high']!r}")
        source = self.figures.source(path, raw)
        if "source" not in raw:
            self.mistakes.append(f"{path}.source: missing")
        known = {"evidence": raw["evidence"]} if "evidence" in raw else {}
        evidence = self.figures.defaults(path, known).get("evidence")
        formats = self._formats(f"{path}.formats", raw.get("formats"))
        batch = raw.get("batch")
        shortest = None
        if "shortest" in raw:
            shortest = self.figures.quantity(f"{path}.shortest", raw["shortest"], "s")
        if len(self.mistakes) > before or low is None or high is None:
            return None
        try:
            return Residual(
                low, high, source=on_one_line(source),
                evidence=Evidence(evidence) if evidence else None,
                batches=tuple(batch) if isinstance(batch, list) else batch,
                formats=formats, shortest=None if shortest is None else shortest.value,
            )  # fmt: skip
        except ValueError as error:
            self.mistakes.append(f"{path}.{error}")
            return None

    def _formats(self, path: str, raw: Any) -> tuple[NumericFormat, ...] | None:
        if raw is None:
            return None
        if not isinstance(raw, list) or not raw:
            expected = "numeric formats, such as [float16, int8]"
            self.mistakes.append(f"{path}: expected {expected}, found {raw!r:.80}")
            return None
        found = []
        for text in raw:
            try:
                found.append(parse_format(str(text)))
            except FormatError as error:
                self.mistakes.append(f"{path}: {error}")
        return tuple(found)

    def _ratio(self, path: str, key: str, raw: Mapping[str, Any]) -> float | None:
        if key not in raw:
            self.mistakes.append(f"{path}.{key}: missing")
            return None
        quantity = self.figures.quantity(f"{path}.{key}", raw[key], "")
        if quantity is not None and quantity.value == 0:
            self.mistakes.append(f"{path}.{key}: expected a number above 0, found {raw[key]!r}")
            return None
        return None if quantity is None else quantity.value

    def _chosen(self, runtimes: Mapping[str, _Given]) -> str | None:
        """The name of the runtime whose values the device has at first, if one is named."""
        raw = self.raw.get("runtimes")
        if not isinstance(raw, dict) or not raw:
            return None
        name = raw.get(DEFAULT)
        names = dict.fromkeys(key for key in raw if key != DEFAULT)
        if not names:
            self.mistakes.append(
                "runtimes: expected a runtime, such as {tflite: {parameters: ...}}"
            )
        elif DEFAULT in raw and not isinstance(name, str):
            self.mistakes.append(f"runtimes.{DEFAULT}: expected text, found {name!r:.80}")
        elif isinstance(name, str) and name not in names:
            self.mistakes.append(not_known(f"runtimes.{DEFAULT}", name, names))
        return name if isinstance(name, str) and name in runtimes else None

    # -------------------------------------------------------------- memories

    def _memories(
        self, family: type[Device] | None, given: Mapping[str, Any], path: str = ""
    ) -> Iterable[Memory]:
        """The memories of a file, or of one of its runtimes, in which `path` is."""
        raw = given.get(MEMORIES, [])
        if raw and family is not None and not family.uses_memories:
            moved = f"class {family.family!r} has what is moved in its prices"
            self.mistakes.append(f"{path}{MEMORIES}: {moved}; expected none")
        return MemoryReader(self.figures).memories(raw, f"{path}{MEMORIES}")

    def _check_roles(self, path: str, memories: Sequence[Memory]) -> None:
        for roles in unheld(memories):
            expected = f"expected one that holds {roles}, found none"
            self.mistakes.append(f"{path}{MEMORIES}: {expected}")


def _whole(
    family: type[Device], own: _Given, runtimes: Mapping[str, _Given]
) -> tuple[Runtime, ...]:
    """Each runtime with a value for all that some of them replace: its own, or else the file's."""
    replaced = dict.fromkeys(key for one in runtimes.values() for key in one.values)
    settings = {name: choice.default for name, choice in family.setting_choices().items()}
    plain = {key: own.values.get(key, settings.get(key)) for key in replaced}
    return tuple(
        Runtime(name, tuple({**plain, **one.values}.items()), one.residuals, known=one.known)
        for name, one in runtimes.items()
    )
