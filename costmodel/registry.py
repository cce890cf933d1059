"""The registry: every reader, layer, device, convention and command that plugins offer."""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs
from attrs import define, field, frozen

from costmodel.conventions.convention import Convention
from costmodel.devices import RUNTIME_MARK, Device
from costmodel.errors import (
    CostModelError,
    DeviceFileError,
    PluginError,
    ReadError,
    UnknownNameError,
)
from costmodel.frontend.layers import TranslatedLayer
from costmodel.frontend.translation import Translation
from costmodel.network.files import NetworkReader
from costmodel.network.layer import (
    Input,
    Layer,
    LayerModule,
    LayerRegistry,
    OperatorLayer,
    UnknownLayer,
)
from costmodel.network.reader import Reader
from costmodel.plugins import discovery as plugin_search
from costmodel.plugins.executors import ExecutorFactory
from costmodel.safe_io import content_of

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    import click

    from costmodel.network.graph import Network
    from costmodel.plugins.discovery import Plugins
    from costmodel.tensor.shapes import InputShapes

NOT_INSTALLED = (
    "no plugin offers any: costmodel was probably imported from a checkout that was never "
    "installed; run `pip install -e .` in it, then `costmodel plugins`"
)
_NEXT = "for another kind, `costmodel new-plugin NAME --reader` writes a reader"
_CORE = "costmodel"
"""Who owns what no plugin offers."""
_Declared = type(attrs.field())
"""What a declared field is until its class is decorated."""
_FILE_SUFFIXES = (".yaml", ".yml")
_ENDS_IN = f"ends in {' or '.join(_FILE_SUFFIXES)}"


@define(eq=False)
class Registry:
    """What a set of plugins offers, each asked for when first needed."""

    plugins: Plugins
    _answers: dict[str, _Answers] = field(factory=dict, init=False)
    _devices: dict[str, Device] = field(factory=dict, init=False)

    def read(
        self,
        source: object,
        input_shapes: InputShapes = MappingProxyType({}),
        example_inputs: object = None,
    ) -> Network:
        """The network in `source`, by the first reader that accepts it.

        `input_shapes` binds open axes, by input name and without the batch axis; a single shape
        is that of the only input. `example_inputs` are those of a call, where a source has a graph
        only for a call.

        Raises:
            ReadError: no reader accepts it, or the one that does finds it damaged.
            ShapeError: a single shape, and not one input.

        """
        reader, rules = self.reader(source), self.layer_registry
        if example_inputs is not None:
            if isinstance(input_shapes, tuple):
                network = reader.read_with(source, rules, example_inputs, {})
                return network.bind(network.shapes_by_name(input_shapes))
            return reader.read_with(source, rules, example_inputs, input_shapes)
        if isinstance(input_shapes, tuple):
            input_shapes = reader.shapes_by_name(source, rules, input_shapes)
        if input_shapes:
            return reader.read_at(source, rules, input_shapes)
        return reader.read(source, rules)

    def reader(self, source: object) -> Reader:
        """The reader for `source`."""
        readers = self.readers
        for reader in readers.values():
            if self._accepts(reader, source):
                return reader
        for conflict in self._ask("costmodel_readers").conflicts.values():
            raise PluginError(conflict)
        if isinstance(source, str | Path) and is_missing_file(str(source)):
            message = f"no such file: {str(source) or repr(source):.200}"
            raise ReadError(message)
        hints = [hint for reader in readers.values() if (hint := self._hint(reader, source))]
        if hints:
            message = f"no reader accepts {_described(source):.200}: {'; '.join(hints)}"
            raise ReadError(message)
        known = "; ".join(f"{name} reads {reader.reads}" for name, reader in readers.items())
        offered = self._ask("costmodel_readers").owners
        broken = "; ".join(self.plugins.problems)
        hint = f"; {_NEXT if offered else broken or NOT_INSTALLED}"
        message = f"no reader accepts {_described(source):.200}; {known}{hint}"
        raise ReadError(message)

    def _accepts(self, reader: Reader, source: object) -> bool:
        return bool(self._told(reader, "accepts", source))

    def _hint(self, reader: Reader, source: object) -> str:
        return str(self._told(reader, "hint", source) or "")

    def _told(self, reader: Reader, what: str, source: object) -> object:
        """The answer of a reader, or None where it fails."""
        try:
            return getattr(reader, what)(source)
        except Exception as error:  # noqa: BLE001  # a third party's reader may fail in any way
            owner = self.owner("costmodel_readers", reader.name)
            self.plugins.blame(
                owner, f"reader {reader.name!r}: {what}: {type(error).__name__}: {error}"
            )
            return None

    @property
    def readers(self) -> Mapping[str, Reader]:
        """All readers by name, in the order in which they are tried."""
        return self._ask("costmodel_readers").values

    @property
    def layer_registry(self) -> LayerRegistry:
        """The layer class of every known kind."""
        answers, modules = self._ask("costmodel_layers"), self._ask("costmodel_layer_modules")
        conflicts = ChainMap(answers.conflicts, modules.conflicts)
        return LayerRegistry(
            answers.values, conflicts, modules.values, self._load_layers, self._translations
        )

    def _translations(self) -> Sequence[Translation]:
        """What plugins translate, beside the frontends themselves."""
        answers = self._ask("costmodel_translations")
        for conflict in answers.conflicts.values():
            raise PluginError(conflict)
        return tuple(answers.values.values())

    def _load_layers(self, kind: str) -> None:
        """Import the layer classes of the module that serves `kind`, or all kinds behind it."""
        answers, modules = self._ask("costmodel_layers"), self._ask("costmodel_layer_modules")
        with plugin_search.ASKING:
            module: LayerModule | None = modules.values.get(kind)
            if module is None:  # another thread was first
                return
            owner = modules.owners[kind]
            for cls in self.plugins.answers(owner, module.module, module.classes):
                answers.take(owner, cls, self.plugins.blame)
                self._check_served(owner, module, cls)
            for served in module.kinds:
                if modules.values.get(served) is module:
                    del modules.values[served]

    def _check_served(self, owner: str, module: LayerModule, cls: Any) -> None:
        """Blame the plugin for kinds by which the module would not have been found."""
        for kind in getattr(cls, "kinds", ()):
            if not module.serves(kind):
                problem = f"{module.module}: {kind!r} is not among the kinds of its LayerModule"
                self.plugins.blame(owner, problem)

    @property
    def device_names(self) -> tuple[str, ...]:
        """The names of all devices that plugins offer, sorted."""
        return tuple(sorted(self._ask("costmodel_device_files").values))

    def device(self, name: str | Path | Device, **parameters: str | float) -> Device:
        """A device by its name or by the path of its YAML file, some parameters replaced.

        A text is a path if it ends in `.yaml` or `.yml`, or has a slash in it. `NAME:RUNTIME` is
        the device under another runtime of its file, and the name of what it returns.

        Raises:
            UnknownNameError: no such device, or the device has no such parameter.
            DeviceFileError: the file is not as it should be.

        """
        device = name if isinstance(name, Device) else self._named(str(name))
        return device.with_parameters(**parameters) if parameters else device

    def files_like(self, name: str) -> list[str]:
        """The files in this folder that a user could mean by the name of an installed device."""
        if is_path(name) or name not in self.device_names:
            return []
        return [file for end in ("", *_FILE_SUFFIXES) if _is_there(file := f"{name}{end}")]

    def device_or_blame(self, name: str) -> Device | None:
        """The device that a plugin offers as `name`; None where it is broken."""
        try:
            return self._named(name)
        except CostModelError as error:
            owner = self.owner("costmodel_device_files", name)
            self.plugins.blame(owner, " ".join(str(error).split()))
            return None

    def load_device(self, file: Traversable | Path) -> Device:
        """The device in one YAML file.

        Raises:
            DeviceFileError: the file cannot be read, or is not as it should be.

        """
        from costmodel.devicefile import load_device  # noqa: PLC0415  # brings PyYAML and cattrs

        families = self._ask("costmodel_devices")
        return load_device(
            device_text(file), str(file), families.values, families.conflicts,
            self.plugins.problems,
        )  # fmt: skip

    @property
    def device_families(self) -> Mapping[str, type[Device]]:
        """The device classes by the name that a file gives as `class`."""
        return self._ask("costmodel_devices").values

    @property
    def conventions(self) -> Mapping[str, Convention]:
        """All conventions by name, the default one first."""
        return self._ask("costmodel_conventions").values

    def convention(self, name: str | Convention) -> Convention:
        """A convention by its name.

        Raises:
            UnknownNameError: there is none of that name.

        """
        if isinstance(name, Convention):
            return name
        if name == _DEFAULT.name:
            return _DEFAULT  # no plugin needs to be asked for the one that nobody can replace
        conventions = self.conventions
        self._check_conflict("costmodel_conventions", name)
        if name not in conventions:
            raise UnknownNameError(name, conventions, "convention", self._problems())
        return conventions[name]

    @property
    def commands(self) -> Mapping[str, click.Command]:
        """The commands that plugins add to the command line, by name."""
        return self._ask("costmodel_commands").values

    def executor(self, name: str) -> ExecutorFactory:
        """What makes the executors of a name.

        Raises:
            UnknownNameError: there is none of that name.

        """
        executors = self._ask("costmodel_executors").values
        self._check_conflict("costmodel_executors", name)
        if name not in executors:
            raise UnknownNameError(name, executors, "executor", self._problems())
        found: ExecutorFactory = executors[name]
        return found

    def _problems(self) -> str:
        """What is wrong with plugins: why a name may be unknown."""
        return _joined(*self.plugins.problems)

    def _named(self, name: str) -> Device:
        if name.endswith(_FILE_SUFFIXES):
            return self.load_device(Path(name))
        plain, mark, runtime = name.rpartition(RUNTIME_MARK)
        if mark and plain and not is_path(runtime):
            return _under(self._named(plain), name, runtime)
        if is_path(name):
            return self._of_another_suffix(name)
        known = self._devices.get(name)
        # Where two threads load a device, all get the one that was kept first.
        return known or self._devices.setdefault(name, self._load(name))

    def _of_another_suffix(self, name: str) -> Device:
        try:
            return self.load_device(Path(name))
        except DeviceFileError as error:
            hint = f"the name of a device file {_ENDS_IN}; does this file hold a device?"
            raise DeviceFileError(error.file, error.mistakes, [hint]) from None

    def _load(self, name: str) -> Device:
        files = self._ask("costmodel_device_files").values
        self._check_conflict("costmodel_device_files", name)
        if name not in files:
            broken = [repr(other) for other in files if self.device_or_blame(other) is None]
            marked = f"cannot be loaded: {', '.join(broken)}" if broken else ""
            hint = _joined(marked, _device_hint(name, files), self._problems())
            raise UnknownNameError(name, files, "device", hint)
        device = self.load_device(files[name])
        if device.name != name:
            message = f"name: expected {name!r} as the file is called, found {device.name!r}"
            raise DeviceFileError(str(files[name]), [message])
        return device

    def owner(self, hook: str, name: str) -> str:
        """The name of the plugin that offers `name` through `hook`."""
        return self._ask(hook).owners.get(name, "costmodel")

    def ask_everything(self) -> None:
        """Ask every hook and load every device now, so that what is wrong with plugins is known."""
        for hook in _HOOKS:
            self._ask(hook)
        for name in self.device_names:
            self.device_or_blame(name)
        for kind in tuple(self._ask("costmodel_layer_modules").values):
            self._load_layers(kind)

    def _check_conflict(self, hook: str, name: str) -> None:
        conflicts = self._ask(hook).conflicts
        if name in conflicts:
            raise PluginError(conflicts[name])

    def _ask(self, hook: str) -> _Answers:
        """What all plugins answer to one hook, asked once."""
        if hook not in self._answers:
            with plugin_search.ASKING:
                if hook not in self._answers:  # another thread may have been first
                    self._answers[hook] = self._asked(hook)
        return self._answers[hook]

    def _asked(self, hook: str) -> _Answers:
        answers = _Answers(hook, _HOOKS[hook], dict(_HOOKS[hook].built_in))
        for plugin, value in self.plugins.ask(hook):
            answers.take(plugin, value, self.plugins.blame)
        return answers


@frozen
class _Hook:
    """What a hook must return, and the names under which an answer is kept."""

    demanded: type
    names: Callable[[Any], Iterable[str | None]]
    wants_class: bool = field(default=False, kw_only=True)
    built_in: Mapping[str, Any] = {}


_DEFAULT = Convention()
_CORE_LAYERS = (Input, OperatorLayer, TranslatedLayer, UnknownLayer)
_LAYERS = {kind: cls for cls in _CORE_LAYERS for kind in cls.kinds}
_HOOKS: Mapping[str, _Hook] = {
    "costmodel_readers": _Hook(
        Reader, lambda reader: [reader.name], {NetworkReader.name: NetworkReader()}
    ),
    "costmodel_layers": _Hook(Layer, lambda layer: layer.kinds, _LAYERS, wants_class=True),
    "costmodel_layer_modules": _Hook(LayerModule, lambda module: module.kinds),
    "costmodel_translations": _Hook(Translation, lambda translation: [translation.name]),
    "costmodel_devices": _Hook(Device, lambda family: [family.family], wants_class=True),
    "costmodel_device_files": _Hook(object, lambda file: [file.name.rpartition(".")[0]]),
    "costmodel_conventions": _Hook(
        Convention, lambda convention: [convention.name], {_DEFAULT.name: _DEFAULT}
    ),
    "costmodel_commands": _Hook(object, lambda command: [command.name]),
    "costmodel_executors": _Hook(ExecutorFactory, lambda factory: [factory.name]),
}


@define
class _Answers:
    """The answers to one hook, name by name."""

    hook: str
    demand: _Hook
    values: dict[str, Any]
    conflicts: dict[str, str] = field(factory=dict)
    owners: dict[str, str] = field(factory=dict)

    def take(self, plugin: str, value: Any, blame: Callable[[str, str], None]) -> None:
        """Keep one answer under its names; blame the plugin for what cannot be kept."""
        names = self._names(value)
        if not names:
            blame(plugin, f"{self.hook}: {_fault(value)}")
        for name in names:
            if name in self.values or name in self.conflicts:
                owner = self.owners.get(name, _CORE)
                message = self._conflict(owner, plugin, name)
                for one in {owner, plugin} - {_CORE}:
                    blame(one, message)
            else:
                self.values[name] = value
                self.owners[name] = plugin

    def _names(self, value: Any) -> list[str]:
        demand = self.demand
        if demand.wants_class:
            fits = isinstance(value, type) and issubclass(value, demand.demanded)
        else:
            fits = isinstance(value, demand.demanded) and not isinstance(value, type)
        try:
            if not fits or _undecorated(value) or isinstance(demand.names(value), str):
                return []
            return [name for name in demand.names(value) if name]
        except (AttributeError, TypeError):
            return []

    def _conflict(self, owner: str, plugin: str, name: str) -> str:
        message = f"{self.hook}: {name!r} is offered by plugin {owner!r} and by {plugin!r}"
        if name not in self.demand.built_in:  # what the core has, nobody can take from it
            self.conflicts[name] = f"{message}; remove one of them"
            self.values.pop(name, None)
        return message


def _undecorated(value: Any) -> bool:
    """Whether it is a class whose declarations nobody has collected."""
    if not isinstance(value, type) or "__attrs_attrs__" in vars(value):
        return False
    declared = any(isinstance(member, _Declared) for member in vars(value).values())
    return declared or issubclass(value, Device)


def _fault(value: Any) -> str:
    """What is wrong with an answer to a hook that cannot be kept."""
    if _undecorated(value):
        return f"{value.__name__} is not decorated with @attrs.frozen: what it declares is lost"
    kinds = getattr(value, "kinds", None)
    if isinstance(kinds, str):
        name = getattr(value, "__name__", repr(value))
        return f"kinds of {name} is {kinds!r:.80}; expected a tuple of names: ({kinds!r:.80},)"
    return f"{value!r:.80} is not what the hook returns"


@plugin_search.made_once
def installed() -> Registry:
    """The registry of the running environment."""
    return Registry(plugin_search.installed())


def device_text(file: Traversable | Path) -> bytes:
    """The content of a device file.

    Raises:
        DeviceFileError: it cannot be read.

    """
    try:
        return content_of(file) if isinstance(file, Path) else file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DeviceFileError(str(file), [f"cannot be read: {reason}"]) from None
    except ReadError as error:
        raise DeviceFileError(str(file), [str(error)]) from None


def _device_hint(name: str, files: Mapping[str, Any]) -> str:
    if not files:
        return NOT_INSTALLED
    if here := next((file for file in map(name.__add__, _FILE_SUFFIXES) if _is_there(file)), None):
        return f"the file {here} is here: give it with its ending, {here}"
    if is_missing_file(name):
        return "or give the path of a YAML file; find one: `costmodel devices --search TEXT`"
    return f"the name of a device file {_ENDS_IN}"


def _described(source: object) -> str:
    if not isinstance(source, str | Path):
        return f"a {type(source).__name__!r}"
    try:
        is_folder = Path(source).is_dir()
    except (OSError, ValueError):  # a text too long for a path
        is_folder = False
    return f"the folder {str(source)!r}" if is_folder else repr(str(source))


def _joined(*hints: str) -> str:
    """Hints below each other, as the lines of a message stand."""
    return "\n  ".join(filter(None, hints))


def is_path(name: str) -> bool:
    """Whether it is the path of a device file; the name of a device is a single word."""
    return file_of(name).endswith(_FILE_SUFFIXES) or os.sep in name or "/" in name


def _under(device: Device, name: str, runtime: str) -> Device:
    """The device under the runtime that its name carries, and called so."""
    if device.name != device.plain_name:
        message = f"device {name!r}: expected NAME:RUNTIME, found two runtimes"
        raise CostModelError(message)
    if not device.runtimes:
        message = f"device {name!r}: expected no runtime, as {device.name!r} has none in its file"
        raise CostModelError(message)
    return device.with_runtime(runtime).named_by_runtime()


def is_file_here(name: str) -> bool:
    """Whether it is the path of a device file that is there."""
    return is_path(name) and _is_there(file_of(name))


def file_of(path: str) -> str:
    """The path of a device file without the runtime that may stand behind it."""
    file, _, _ = path.rpartition(RUNTIME_MARK)
    return file if file.endswith(_FILE_SUFFIXES) else path


def _is_there(file: str) -> bool:
    try:
        return Path(file).is_file()
    except (OSError, ValueError):  # a text too long for a path, or with a character of none
        return False


def is_missing_file(source: str) -> bool:
    """Whether a text is neither JSON nor the path of anything."""
    # A text that starts with a brace is JSON, whatever its length.
    if source.lstrip()[:1] == "{":
        return False
    try:
        return not source or not Path(source).exists()  # an empty path is a folder
    except (OSError, ValueError):
        return True
