"""A program that parses many modules, one after the other, as the child of the reader does one.

A module and its answer are a length of eight bytes and as many bytes. It imports jaxlib once, so
that many changes can be tried; where it breaks down, whoever asks starts another.
"""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

SECONDS: Final = 20.0
"""As the reader waits for its child."""
MEMORY: Final = 2**31
_WIDTH: Final = 8


class Worker:
    """The process, and how often it broke down or took too long."""

    def __init__(self) -> None:
        self.breakdowns = self.timeouts = self.asked = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._late: subprocess.Popen[bytes] | None = None

    def __call__(self, content: bytes) -> dict[str, Any]:
        """What the child of the reader answers to these bytes."""
        self.asked += 1
        process = self._process
        assert process is not None
        assert process.stdin is not None
        try:
            process.stdin.write(len(content).to_bytes(_WIDTH) + content)
            process.stdin.flush()
        except OSError:
            return self._broken(process)
        ready, _, _ = select.select([process.stdout], [], [], SECONDS)
        if not ready:
            self.timeouts += 1
            self._late, self._process = process, None
            return {"error": f"not parsed within {SECONDS:.0f} s"}
        size = int.from_bytes(self._read(process, _WIDTH))
        answer = self._read(process, size)
        if not size or len(answer) < size:
            return self._broken(process)
        found: dict[str, Any] = json.loads(answer)
        return found

    def start(self) -> None:
        """Start the process, unless it runs; nobody watches meanwhile."""
        if self._late is not None:
            self._late.kill()
            _ended(self._late)
            self._late = None
        if self._process is not None:
            return
        command = [sys.executable, "-P", str(Path(__file__).resolve()), str(_program())]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def _broken(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        self.breakdowns += 1
        self._late, self._process = process, None
        return {"error": "damaged: the parser broke down on it"}

    @staticmethod
    def _read(process: subprocess.Popen[bytes], size: int) -> bytes:
        assert process.stdout is not None
        return process.stdout.read(size)


def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that ends, and close what it was asked and answered through."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _program() -> Path:
    from costmodel_stablehlo.modules import guarded  # noqa: PLC0415  # not in the worker

    return Path(guarded.__file__).with_name("module_reading.py")


def main(program: str) -> None:
    """Answer until nothing more comes."""
    sys.path.insert(0, str(Path(program).parent))
    import module_reading  # noqa: PLC0415  # the program that is tried

    module_reading._bound_memory(MEMORY)
    module_reading._bound_memory = lambda _: None  # once is enough
    while size := sys.stdin.buffer.read(_WIDTH):
        content = sys.stdin.buffer.read(int.from_bytes(size))
        answer = json.dumps(module_reading.main(content, MEMORY)).encode()
        sys.stdout.buffer.write(len(answer).to_bytes(_WIDTH) + answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1])
