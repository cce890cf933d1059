"""What a reader may answer to any file at all: a result, or a refusal in words; the rest is found.

An audit hook watches what the code does meanwhile. Python cannot take a hook away again, so it
looks only where a judgement is under way.
"""

from __future__ import annotations

import math
import os
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import costmodel
from costmodel import CostModelError, Scenario
from costmodel.registry import installed
from costmodel.workload.serialization import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from costmodel import Device, Network
    from costmodel.workload.graph import Workload

SECONDS: Final = 30.0
"""The most that one file may take."""
BYTES: Final = 2**30
"""The most memory that one file may take."""
LONGEST_MESSAGE: Final = 20_000
"""Characters of a refusal; a device file tells all of its mistakes at once."""

ROOT: Final = Path(__file__).parents[2]
DEVICES: Final = ("cpu", "loihi")
"""One that counts operations and one that counts spikes."""

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_HOMES: Final = tuple(
    str(Path(path).resolve()) for path in (ROOT, sys.prefix, sys.base_prefix, *sys.path[1:])
)
_HARMLESS_OS: Final = frozenset({"os.listdir", "os.scandir", "os.stat"})
_HARMFUL: Final = (
    "os.", "subprocess.", "socket.", "shutil.", "pickle.", "marshal.", "tempfile.", "ctypes.",
    "exec", "compile", "webbrowser.", "urllib.", "http.", "ftplib.", "smtplib.", "sqlite3.",
    "mmap.", "pty.", "builtins.input", "code.__new__", "function.__new__",
)  # fmt: skip
_OWN: Final = frozenset(
    {
        "costmodel",
        "costmodel_hardware",
        "costmodel_hgq",
        "costmodel_keras",
        "costmodel_nir",
        "costmodel_onnx",
        "costmodel_qkeras",
        "costmodel_spiking",
        "costmodel_tflite",
        "costmodel_torch",
        "costmodel_stablehlo",
        "attr",
        "attrs",
        "cattr",
        "cattrs",
        "flatbuffers",
        "numpy",
        "yaml",
        "rich",
        "h5py",
        "tflite",
    }
)
"""What the project brings in late; Python's own modules may come as well."""
_CHILDREN: Final = (
    "hdf5_attributes.py", "hdf5_tree.py", "hdf5_variables.py", "mlir_worker.py",
    "module_reading.py",
)  # fmt: skip
"""The programs that parse HDF5 and MLIR in a process of their own."""


class FindingError(Exception):
    """An answer that no file may get."""


class _Watch:
    """What the code under judgement did that no reader does."""

    def __init__(self) -> None:
        self.is_on = False
        self.file = ""
        self.seen: list[str] = []

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take note of an audit event, and stop what is harmful before it happens."""
        if not self.is_on:
            return
        self.is_on = False  # what the check itself does is not a finding
        try:
            said = self._judged(event, arguments)
        finally:
            self.is_on = True
        if said:
            self.seen.append(said)
            raise FindingError(said)

    def _judged(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        if event == "import":
            top = str(arguments[0]).partition(".")[0]
            fine = top in _OWN or top in sys.stdlib_module_names
            return None if fine else f"imported {arguments[0]!r}"
        if event == "open":
            return self._opened(*arguments[:3])
        if not event.startswith(_HARMFUL) or event in _HARMLESS_OS or _is_importing():
            return None
        if event == "compile" and arguments[1] == "<unknown>":
            return None  # ast.parse, which makes a tree and no code
        if event in {"subprocess.Popen", "os.posix_spawn"} and self._is_child(arguments[1]):
            return None
        return f"{event}{arguments!r:.200}"

    def _opened(self, path: Any, mode: Any, flags: Any) -> str | None:
        writes = bool(flags & _WRITES) or any(letter in str(mode or "") for letter in "wax+")
        if isinstance(path, int):
            return None  # it is open already, as the pipe to a child is
        name = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else str(path)
        known = name == self.file or name.startswith(_HOMES)
        if name == os.devnull or (known and not writes) or _is_importing():
            return None
        return f"opened {name!r:.200} with mode {mode!r} and flags {flags}"

    def _is_child(self, command: Any) -> bool:
        """Whether it is a child that parses for us."""
        words = [str(word) for word in command]
        return words[0] == sys.executable and any(
            word.endswith(_CHILDREN) and word.startswith(_HOMES) for word in words[1:]
        )


def _is_importing() -> bool:
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


_WATCH: Final = _Watch()
sys.addaudithook(_WATCH.hook)


@contextmanager
def watched(file: str = "") -> Iterator[None]:
    """Judge what is done inside; `file` may be opened to be read.

    Raises:
        FindingError: something was done that a reader never does.

    """
    _WATCH.seen.clear()
    _WATCH.file, _WATCH.is_on = file, True
    try:
        yield
    finally:
        _WATCH.is_on = False
    if _WATCH.seen:  # told even where the code under judgement took the error for its own
        raise FindingError(_WATCH.seen[0])


def judge(answer: Callable[[], object], file: str = "") -> bool:
    """Whether `answer` gave a result; False is a refusal in words.

    Raises:
        FindingError: it did what no reader does, took too long, or refused without a word.
        Exception: any other that it let through is a finding too.

    """
    start = time.perf_counter()
    try:
        with watched(file), warnings.catch_warnings():
            warnings.simplefilter("error")
            answer()
    except CostModelError as error:
        given = False
        message = str(error)
        if not 0 < len(message.strip()) <= LONGEST_MESSAGE:
            said = f"a message of {len(message)} characters: {message!r:.200}"
            raise FindingError(said) from error
        if any(0xD800 <= ord(letter) < 0xE000 for letter in message):
            said = f"a message that no terminal can show: {message!r:.200}"
            raise FindingError(said) from error
    else:
        given = True
    taken = time.perf_counter() - start
    if taken > SECONDS:
        said = f"took {taken:.1f} s"
        raise FindingError(said)
    if problems := installed().plugins.problems:
        said = f"a plugin is blamed: {problems}"
        raise FindingError(said)
    return given


# ------------------------------------------------------------------ what is done with a result


def use_network(network: Network) -> None:
    """Count, write, read back and price a network that was read.

    Raises:
        FindingError: a number that cannot be, or a JSON form that is another network.

    """
    _check("macs and parameters", [float(network.macs), float(network.parameter_count)])
    _check_written(network)
    estimate = costmodel.estimate(
        network, list(DEVICES), scenario=Scenario(rates=10.0), on_unpriced="bound"
    )
    for device in DEVICES:
        cost = estimate.total(device)
        _check(device, [cost.energy_joules_low, cost.energy_joules, cost.energy_joules_high])
    str(estimate)
    use_workload(costmodel.lower(network))


def use_workload(workload: Workload) -> None:
    """Write, read back, bind and describe a workload that was read.

    Raises:
        FindingError: what is read back is another workload.

    """
    if from_json(to_json(workload)) != workload:
        said = f"it is another workload after it was written: {workload!s:.200}"
        raise FindingError(said)
    bound = workload.bind(**dict.fromkeys(workload.symbols, 2))
    str(bound)
    _ = bound.macs, bound.operations, bound.weight_count, bound.liveness


def use_device(device: Device, network: Network) -> None:
    """Price a network on a device that was read."""
    estimate = costmodel.estimate(
        network, device, scenario=Scenario(rates=10.0), on_unpriced="bound"
    )
    cost = estimate.total(device.name)
    _check(device.name, [cost.energy_joules_low, cost.energy_joules, cost.energy_joules_high])


def _check(what: str, numbers: list[float]) -> None:
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        said = f"{what}: {numbers}"
        raise FindingError(said)


def _check_written(network: Network) -> None:
    try:
        text = network.to_json()
        again = costmodel.read(text)
    except CostModelError as error:
        said = f"the JSON form is not read back: {error}"
        raise FindingError(said) from error
    if again.to_json() != text or again != network:
        said = f"the JSON form is another network: {text[:200]}"
        raise FindingError(said)
