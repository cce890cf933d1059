"""The base of the contracts: laws are test methods, and what breaks one is declared."""

from __future__ import annotations

import functools
import inspect
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, Final, NoReturn, TypeVar

import hypothesis
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from costmodel.errors import CostModelError, UnknownNameError

_Value = TypeVar("_Value")

_MOST_LINES: Final = 4
"""Of an assertion, and of the way to an error, in the report of a broken law."""
_LONGEST: Final = 300
"""Characters of a value in it."""

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
        # How long a third party's formula may take is not a law.
        phases = _phases.get() or [each for each in settings().phases if each is not Phase.explain]
        chosen = settings(deadline=None, report_multiple_bugs=False, phases=phases)
        tried: Mapping[str, object] = {}

        @functools.wraps(law)
        def noted(**values: object) -> None:
            nonlocal tried
            tried = values
            law(**values)

        try:
            chosen(given(*strategies)(noted))()
        except (HypothesisException, pytest.skip.Exception):
            raise
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # a broken law may show in any way
            raise pytest.fail.Exception(_report(error, tried), pytrace=False) from None

    return run


def expect(holds: object, what: str, expected: object, found: object) -> None:
    """Let a law fail unless it `holds`, in one line.

    Raises:
        AssertionError: it does not.

    """
    if not holds:
        message = f"{what}: expected {expected!s:.{_LONGEST}}, found {found!s:.{_LONGEST}}"
        raise AssertionError(message)


def _report(error: BaseException, values: Mapping[str, object]) -> str:
    """What is broken, where, and for which values, the simplest that were found."""
    if isinstance(error, AssertionError | pytest.fail.Exception):
        described = "\n".join(str(error).splitlines()[:_MOST_LINES])
    else:
        described = f"{type(error).__name__}: {error!s:.{_LONGEST}}" + "".join(_places(error))
    shown = [
        f"  {name} = {_short(value)}"
        for name, value in values.items()
        if not isinstance(value, st.DataObject)
    ]
    drawn_later = [f"  {note}" for note in getattr(error, "__notes__", ()) if note[:4] == "Draw"]
    return "\n".join([described, *shown, *drawn_later])


def _places(error: BaseException) -> list[str]:
    """The last lines of code on the way to an error, without those of the kit and Hypothesis."""
    ours = (str(Path(__file__).parent), str(Path(hypothesis.__file__).parent))
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(ours)]
    return [f"\n  at {x.filename}:{x.lineno} in {x.name}: {x.line}" for x in theirs[-_MOST_LINES:]]


def _short(value: object) -> str:
    shown = " ".join(repr(value).split())
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


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
    expect(done.returncode == 0, f"the import of {module} alone", "no error", done.stderr)
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
