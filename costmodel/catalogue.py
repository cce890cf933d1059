"""The catalogue: every reader, layer, device, convention and command that plugins offer."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field

from costmodel import plugins as plugin_search
from costmodel.convention import Convention
from costmodel.devices import Device
from costmodel.errors import DeviceFileError, PluginError, ReadError, UnknownNameError
from costmodel.layer import Input, Layer, LayerRules
from costmodel.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from importlib.resources.abc import Traversable

    import click

    from costmodel.network import Network
    from costmodel.plugins import Plugins

NOT_INSTALLED = (
    "no plugin offers any: costmodel was probably imported from a checkout that was never "
    "installed; run `pip install -e .` in it, then `costmodel plugins`"
)
_FILE_SUFFIXES = (".yaml", ".yml")


@define(eq=False)
class Catalogue:
    """What a set of plugins offers, each sort asked for when first needed."""

    plugins: Plugins
    _tables: dict[str, tuple[dict[str, Any], dict[str, str]]] = field(factory=dict, init=False)
    _devices: dict[str, Device] = field(factory=dict, init=False)
    _owners: dict[str, dict[str, str]] = field(factory=dict, init=False)

    def read(self, source: object) -> Network:
        """The network in `source`, by the first reader that accepts it.

        Raises:
            ReadError: no reader accepts it, or the one that does finds it damaged.

        """
        return self.reader(source).read(source, self.layer_rules)

    def reader(self, source: object) -> Reader:
        """The reader for `source`."""
        readers = self.readers
        if isinstance(source, str | Path) and _is_missing_file(str(source)):
            message = f"no such file: {source}"
            raise ReadError(message)
        for reader in readers.values():
            if reader.accepts(source):
                return reader
        known = "; ".join(f"{name} reads {reader.reads}" for name, reader in readers.items())
        shown = repr(source) if isinstance(source, str | Path) else f"a {type(source).__name__!r}"
        message = f"no reader accepts {shown:.200}; {known or NOT_INSTALLED}"
        raise ReadError(message)

    @property
    def readers(self) -> Mapping[str, Reader]:
        """All readers by name, in the order in which they are tried."""
        return self._table("costmodel_readers", lambda reader: [reader.name], Reader)[0]

    @property
    def layer_rules(self) -> LayerRules:
        """The layer class of every known kind."""
        by_kind, conflicts = self._table(
            "costmodel_layers", lambda layer: layer.kinds, Layer, base={"input": Input}
        )
        return LayerRules(by_kind, conflicts)

    @property
    def device_names(self) -> tuple[str, ...]:
        """The names of all devices that plugins offer, sorted."""
        return tuple(sorted(self._device_files()[0]))

    def device(self, name: str | Path | Device, **parameters: str | float) -> Device:
        """A device by its name or by the path of its YAML file, some parameters replaced.

        Raises:
            UnknownNameError: no such device, or the device has no such parameter.
            DeviceFileError: the file is not as it should be.

        """
        device = name if isinstance(name, Device) else self._named(str(name))
        return device.with_parameters(**parameters) if parameters else device

    def load_device(self, file: Traversable | Path) -> Device:
        """The device in one YAML file.

        Raises:
            DeviceFileError: the file cannot be read, or is not as it should be.

        """
        from costmodel.devicefile import load_device  # noqa: PLC0415  # brings PyYAML and cattrs

        try:
            content = file.read_bytes()
        except OSError as error:
            raise DeviceFileError(str(file), [f"cannot be read: {error.strerror}"]) from None
        return load_device(content, str(file), self.device_families)

    @property
    def device_families(self) -> Mapping[str, type[Device]]:
        """The device classes by the name that a file gives as `class`."""
        table = self._table("costmodel_devices", lambda family: [family.family], Device)
        return table[0]

    @property
    def conventions(self) -> Mapping[str, Convention]:
        """All conventions by name, the default one first."""
        default = Convention()
        return self._table(
            "costmodel_conventions",
            lambda convention: [convention.name],
            Convention,
            base={default.name: default},
        )[0]

    def convention(self, name: str | Convention) -> Convention:
        """A convention by its name.

        Raises:
            UnknownNameError: there is none of that name.

        """
        if isinstance(name, Convention):
            return name
        conventions = self.conventions
        self._check_conflict("costmodel_conventions", name)
        if name not in conventions:
            raise UnknownNameError(name, conventions, "convention")
        return conventions[name]

    @property
    def commands(self) -> Mapping[str, click.Command]:
        """The commands that plugins add to the command line, by name."""
        return self._table("costmodel_commands", lambda command: [command.name], object)[0]

    def owner(self, hook: str, name: str) -> str:
        """The plugin that offers `name` by `hook`, once that hook was asked."""
        return self._owners.get(hook, {}).get(name, "costmodel")

    def ask_everything(self) -> None:
        """Ask every hook now, so that whatever is wrong with a plugin is known."""
        _ = self.readers, self.layer_rules, self.device_families, self.device_names
        _ = self.conventions, self.commands

    def _named(self, name: str) -> Device:
        if name.endswith(_FILE_SUFFIXES):
            return self.load_device(Path(name))
        if name not in self._devices:
            self._devices[name] = self._load(name)
        return self._devices[name]

    def _load(self, name: str) -> Device:
        files = self._device_files()[0]
        self._check_conflict("costmodel_device_files", name)
        if name not in files:
            hint = "or give the path of a YAML file" if files else NOT_INSTALLED
            raise UnknownNameError(name, files, "device", hint)
        device = self.load_device(files[name])
        if device.name != name:
            message = f"name: expected {name!r} as the file is called, found {device.name!r}"
            raise DeviceFileError(str(files[name]), [message])
        return device

    def _device_files(self) -> tuple[Mapping[str, Traversable], Mapping[str, str]]:
        return self._table("costmodel_device_files", lambda file: [_stem(file)], object)

    def _check_conflict(self, hook: str, name: str) -> None:
        conflicts = self._tables[hook][1]
        if name in conflicts:
            raise PluginError(conflicts[name])

    def _table(
        self,
        hook: str,
        names: Callable[[Any], Iterable[str | None]],
        demanded: type,
        base: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """What all plugins answer to one hook, by name, and what was offered twice."""
        if hook not in self._tables:
            collected = _Collected(self.plugins, hook, demanded, dict(base or {}))
            for plugin, value in self.plugins.ask(hook):
                collected.take(plugin, value, names)
            self._tables[hook] = (collected.values, collected.conflicts)
            self._owners[hook] = collected.owners
        return self._tables[hook]


@define
class _Collected:
    """The answers to one hook, name by name."""

    plugins: Plugins
    hook: str
    demanded: type
    values: dict[str, Any]
    conflicts: dict[str, str] = field(factory=dict)
    owners: dict[str, str] = field(factory=dict)

    def take(self, plugin: str, value: Any, names: Callable[[Any], Iterable[str | None]]) -> None:
        fits = isinstance(value, self.demanded) or (
            isinstance(value, type) and issubclass(value, self.demanded)
        )
        found = [name for name in names(value) if name] if fits else []
        if not found:
            self.plugins.blame(plugin, f"{self.hook}: {value!r:.80} is not what the hook returns")
        for name in found:
            self._take_name(plugin, name, value)

    def _take_name(self, plugin: str, name: str, value: Any) -> None:
        if name in self.values or name in self.conflicts:
            owner = self.owners.get(name, "costmodel")
            message = f"{self.hook}: {name!r} is offered by plugin {owner!r} and by {plugin!r}"
            self.conflicts[name] = f"{message}; remove one of them"
            self.values.pop(name, None)
            self.plugins.blame(plugin, message.partition(": ")[2])
            return
        self.values[name] = value
        self.owners[name] = plugin


@functools.cache
def installed() -> Catalogue:
    """The catalogue of the running environment."""
    return Catalogue(plugin_search.installed())


def _stem(file: Traversable) -> str:
    return file.name.rpartition(".")[0]


def _is_missing_file(source: str) -> bool:
    # A text that starts with a brace is JSON, whatever its length.
    if source.lstrip()[:1] == "{":
        return False
    try:
        return not Path(source).exists()
    except (OSError, ValueError):
        return True
