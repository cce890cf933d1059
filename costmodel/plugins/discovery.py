"""Finding plugins and asking them, so that a broken one is seen and harms nobody else."""

from __future__ import annotations

import functools
import threading
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pluggy
from attrs import Factory, define, evolve, frozen

from costmodel.plugins import hookspecs
from costmodel.plugins.requirements import unmet
from costmodel.version import UNKNOWN, own_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

GROUP = hookspecs.PROJECT
"""The entry point group that is searched."""


@frozen
class Plugin:
    """One plugin: where it comes from, which hooks it has, and what is wrong with it, if any."""

    name: str
    distribution: str
    version: str
    hooks: tuple[str, ...] = ()
    problem: str | None = None


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


@define
class Plugins:
    """The plugins in use."""

    _manager: pluggy.PluginManager = Factory(_manager)
    _found: dict[str, Plugin] = Factory(dict)
    _rejected: list[Plugin] = Factory(list)
    _problems: list[str] = Factory(list)

    @classmethod
    def of(cls, plugins: Mapping[str, object]) -> Plugins:
        """Exactly these plugins, with no search: for tests and for programs that bring theirs."""
        found = cls()
        for name, plugin in plugins.items():
            found.add(Plugin(name, "", ""), plugin)
        return found

    @classmethod
    def discover(cls) -> Plugins:
        """All plugins that installed distributions name by their entry points."""
        found = cls()
        for entry_point in _entry_points():
            found.load(entry_point)
        return found

    def load(self, entry_point: metadata.EntryPoint) -> None:
        """Import the plugin behind `entry_point`; what goes wrong is kept with its name."""
        distribution = entry_point.dist
        plugin = Plugin(
            entry_point.name,
            distribution.name if distribution else "",
            distribution.version if distribution else "",
        )
        problem = _version_problem(distribution) if distribution else None
        if problem:
            self._reject(plugin, problem)
            return
        try:
            with _asking():
                loaded = entry_point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a third party's import may fail in any way
            self._reject(plugin, f"cannot be imported: {type(error).__name__}: {error}")
        else:
            self.add(plugin, loaded)

    def add(self, plugin: Plugin, implementation: object) -> None:
        """Register `implementation` under the plugin's name, if its hooks fit."""
        if plugin.name in self._found:
            first = self._found[plugin.name]
            self._reject(plugin, f"its name is taken by distribution {first.distribution!r}")
            return
        problem = _signature_problem(self._manager, plugin.name, implementation)
        if problem:
            self._reject(plugin, problem)
            return
        hooks = tuple(sorted(caller.name for caller in self._callers(implementation)))
        self._found[plugin.name] = evolve(plugin, hooks=hooks)
        for name in _unmarked(implementation, hooks):
            self.blame(plugin.name, f"defines {name} without @hookimpl, so it is never called")

    def ask(self, hook: str) -> Iterator[tuple[str, Any]]:
        """Call one hook of every plugin; yields (plugin name, value) in the order of names."""
        caller = getattr(self._manager.hook, hook)
        for implementation in sorted(caller.get_hookimpls(), key=lambda item: item.plugin_name):
            name = implementation.plugin_name
            for value in self.answers(name, hook, implementation.function):
                yield name, value

    def answers(self, name: str, what: str, ask: Callable[[], Iterable[Any]]) -> list[Any]:
        """What a function of a plugin returns, none where it fails: then `what` is blamed."""
        try:
            with _asking():
                return list(ask())
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a third party's code may fail in any way
            self.blame(name, f"{what}: {type(error).__name__}: {error}")
            return []

    def blame(self, name: str, problem: str) -> None:
        """Note what is wrong with the plugin called `name`."""
        self._problems.append(f"plugin {name!r}: {problem}")

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with any plugin, in the order in which it was found."""
        return tuple(dict.fromkeys(self._problems))

    def __iter__(self) -> Iterator[Plugin]:
        """All plugins by name, rejected ones among them."""
        everyone = [*self._found.values(), *self._rejected]
        return iter(sorted(everyone, key=lambda plugin: (plugin.name, plugin.distribution)))

    def _callers(self, implementation: object) -> Iterable[pluggy.HookCaller]:
        return self._manager.get_hookcallers(implementation) or ()

    def _reject(self, plugin: Plugin, problem: str) -> None:
        self.blame(plugin.name, problem)
        self._rejected.append(evolve(plugin, problem=problem))


ASKING: Final = threading.RLock()
"""Held while plugins are searched, imported or asked: each once, whatever the threads."""


_Value = TypeVar("_Value")


def made_once(make: Callable[[], _Value]) -> Callable[[], _Value]:
    """Keep what `make` returns, which all threads get; `cache_clear` forgets it."""
    kept = functools.cache(make)

    @functools.wraps(make)
    def made() -> _Value:
        with ASKING:
            return kept()

    made.cache_clear = kept.cache_clear  # type: ignore[attr-defined]  # a function takes attributes
    return made


@made_once
def installed() -> Plugins:
    """The plugins of the running environment, searched for once."""
    return Plugins.discover()


_AROUND: Final[ContextVar[Callable[[], AbstractContextManager[object]]]] = ContextVar(
    "around", default=nullcontext
)


@contextmanager
def around_plugins(enter: Callable[[], AbstractContextManager[object]]) -> Iterator[None]:
    """Run code of plugins in a context that `enter` gives, for as long as this one lasts.

    A program may so send what plugins print elsewhere.
    """
    token = _AROUND.set(enter)
    try:
        yield
    finally:
        _AROUND.reset(token)


@contextmanager
def _asking() -> Iterator[None]:
    with ASKING, _AROUND.get()():
        yield


def _version_problem(distribution: metadata.Distribution) -> str | None:
    """Why a distribution does not go with this version, as far as it says so."""
    if distribution.name == hookspecs.PROJECT:
        return None
    version = own_version()
    if version == UNKNOWN:
        return None
    wanted = unmet(distribution.requires or (), version)
    if wanted is None:
        return None
    return (
        f"needs {hookspecs.PROJECT} {wanted}, this is {version}; "
        f"install another version of {distribution.name!r} or of {hookspecs.PROJECT}"
    )


_KNOWN: Final = [name for name in vars(hookspecs) if name.startswith(f"{hookspecs.PROJECT}_")]
"""The names of all hooks."""


def _unmarked(implementation: object, hooks: Iterable[str]) -> list[str]:
    """The functions that are called as a hook is, and are none."""
    missing = (name for name in _KNOWN if name not in hooks)
    return [name for name in missing if callable(getattr(implementation, name, None))]


def _signature_problem(
    manager: pluggy.PluginManager, name: str, implementation: object
) -> str | None:
    try:
        manager.register(implementation, name)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        if manager.get_plugin(name) is not None:
            manager.unregister(name=name)
        known = ", ".join(sorted(_KNOWN))
        return f"a hook does not fit: {error} (hooks: {known})"
    return None


def _entry_points() -> list[metadata.EntryPoint]:
    found = metadata.entry_points(group=GROUP)
    return sorted(found, key=lambda point: (point.name, point.dist.name if point.dist else ""))
