"""Parsing modules with MLIR in a process of its own.

MLIR is written in C++ and stops the whole process at some damaged modules. So a child process with
bounds on time and memory parses them, and answers in JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from costmodel import safe_io
from costmodel.errors import MissingPackageError, ReadError

if TYPE_CHECKING:
    from collections.abc import Mapping

TIME_LIMIT_SECONDS: Final = 20.0
"""A module of a thousand operations takes 0.4 s, most of it to import jaxlib."""
MEMORY_LIMIT: Final = 2**31
"""Bytes that the parser may take."""
_CHILD: Final = Path(__file__).with_name("module_reading.py")
_QUIET: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""NumPy, which jaxlib brings, else reserves memory for every core."""


def functions_of(content: bytes, where: str) -> Mapping[str, Any]:
    """The functions of a module as plain values, by name.

    Args:
        content: text, bytecode, or a portable artifact.
        where: what messages call it.

    Raises:
        ReadError: it is too large, not a valid module, or writes operations of dialects that
            jaxlib does not know in a form of their own.
        MissingPackageError: jaxlib is not installed.

    """
    if len(content) > safe_io.SIZE_LIMIT:
        message = f"{where}: more than {safe_io.SIZE_LIMIT:,} bytes"
        raise ReadError(message)
    answer = _asked(content)
    if "missing" in answer:
        fault = ImportError(f"{answer['missing']:.80}", name=answer["missing"])
        raise MissingPackageError(
            what="StableHLO", modules=["jaxlib"], extra="stablehlo", fault=fault
        )
    if "error" in answer:
        message = f"{where}: not a StableHLO module that can be read: {answer['error']}"
        if "not found for custom op" in message:
            message += (
                "; operations of other dialects must be lowered to StableHLO first, or written "
                "in the generic form, which stay without a price"
            )
        raise ReadError(message)
    functions: Mapping[str, Any] = answer["functions"]
    return functions


def _asked(content: bytes) -> Mapping[str, Any]:
    """What the child answers."""
    # -P keeps the folder of this module, and its names, out of the child's imports.
    command = [sys.executable, "-P", str(_CHILD), str(MEMORY_LIMIT)]
    try:
        done = subprocess.run(  # noqa: S603  # our own program, by its full path
            command,
            input=content,
            capture_output=True,
            timeout=TIME_LIMIT_SECONDS,
            env={**os.environ, **_QUIET},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not parsed within {TIME_LIMIT_SECONDS:.0f} s"}
    if done.returncode < 0:
        return {"error": "damaged: the parser broke down on it"}
    try:
        answer: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        described = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return {"error": f"cannot be parsed: {described:.200}"}
    return answer
