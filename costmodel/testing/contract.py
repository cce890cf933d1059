"""The base of the contracts: laws are test methods, and what breaks one is declared."""

from __future__ import annotations

import functools
import inspect
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, ClassVar, Final, NoReturn, TypeVar

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from costmodel.errors import CostModelError, UnknownNameError

_Value = TypeVar("_Value")

_phases: ContextVar[tuple[Phase, ...] | None] = ContextVar("phases", default=None)

TOLERANCE: Final = 1e-12
"""What rounding may change of a sum, as a fraction of it."""

FRAMEWORKS: Final = frozenset({
    "jax", "keras", "keras_hub", "keras_spiking", "mxnet", "onnx", "onnxruntime", "paddle",
    "qkeras", "tensorflow", "tf_keras", "torch",
})  # fmt: skip
"""What nobody should wait for who only asks which plugins there are."""


class Contract:
    """Laws, each a test method with the law as its name.

    A law that is known not to hold stands in `known_failures`, with the reason. It is then
    expected to fail: as soon as it holds, the test fails until the entry is deleted.
    """

    known_failures: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        """Mark the laws that are declared not to hold.

        Raises:
            UnknownNameError: the contract has no such law.
            CostModelError: the reason is empty.

        """
        super().__init_subclass__(**options)
        for law, reason in vars(cls).get("known_failures", {}).items():
            if law not in cls.laws():
                raise UnknownNameError(law, cls.laws(), f"law of {cls.__name__}")
            if not reason.strip():
                message = f"{cls.__name__}: known_failures[{law!r}] is empty; expected a reason"
                raise CostModelError(message)
            setattr(cls, law, _expected_to_fail(getattr(cls, law), reason))

    @classmethod
    def laws(cls) -> tuple[str, ...]:
        """The names of the laws."""
        named = (name for name in dir(cls) if name.startswith("test_"))
        return tuple(name for name in named if callable(getattr(cls, name)))


def missing_fixture(contract: object, name: str, returns: str) -> NoReturn:
    """Fail a test whose class inherits a contract and forgets its fixture."""
    pytest.fail(
        f"{type(contract).__name__} has no fixture {name!r}; "
        f"define one that returns {returns} (see costmodel.testing)",
        pytrace=False,
    )


def drawn(given_value: _Value | st.SearchStrategy[_Value]) -> st.SearchStrategy[_Value]:
    """What a fixture gives as a strategy: a fixture may return one value or a strategy."""
    if isinstance(given_value, st.SearchStrategy):
        return given_value
    return st.just(given_value)


def for_all(*strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], None]:
    """Try a law at once, on values drawn from the strategies, by the current Hypothesis profile."""

    def run(law: Callable[..., None]) -> None:
        # How long a stranger's formula may take is no law.
        phases = _phases.get()
        chosen = settings(deadline=None)
        chosen = chosen if phases is None else settings(chosen, phases=phases)
        chosen(given(*strategies)(law))()

    return run


def frameworks_behind(thing: object) -> tuple[str, ...]:
    """The frameworks that importing the module of a class or value brings into a new interpreter.

    Raises:
        AssertionError: the module cannot be imported alone.

    """
    cls = thing if isinstance(thing, type) else type(thing)
    return _frameworks_behind(cls.__module__, inspect.getsourcefile(cls) or "")


_IMPORT_ALONE: Final = """
import importlib, runpy, sys
sys.path[:] = {path!r}
try:
    importlib.import_module({module!r})
except ModuleNotFoundError as error:  # a module of tests may have no name outside of them
    if not {module!r}.startswith(error.name or "?"):
        raise
    runpy.run_path({file!r})
print(*sorted({frameworks!r} & sys.modules.keys()))
"""


@functools.cache
def _frameworks_behind(module: str, file: str) -> tuple[str, ...]:
    program = _IMPORT_ALONE.format(
        path=sys.path, module=module, file=file, frameworks=set(FRAMEWORKS),
    )  # fmt: skip
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert done.returncode == 0, f"{module} cannot be imported alone: {done.stderr}"
    return tuple(done.stdout.split())


def _expected_to_fail(law: Callable[..., None], reason: str) -> Callable[..., None]:
    @functools.wraps(law)
    def failing(*arguments: Any, **fixtures: Any) -> None:
        # Nobody waits for the simplest example of a failure that is known.
        before = _phases.set((Phase.generate,))
        try:
            law(*arguments, **fixtures)
        finally:
            _phases.reset(before)

    marked: Callable[..., None] = pytest.mark.xfail(reason=reason, strict=True)(failing)
    return marked
