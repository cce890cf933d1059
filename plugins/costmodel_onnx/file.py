"""ONNX files: read within bounds, and nothing but the file itself is opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from costmodel import safe_io
from costmodel.errors import ReadError
from costmodel.packages import needed

SIZE_LIMIT: Final = 2**31
"""Bytes: protobuf reads no message of more."""
FIRST_OPSET: Final = 7
"""Before it, operators broadcast by attributes that nobody writes today."""
STANDARD: Final = frozenset({"", "ai.onnx"})
"""The names of the domain of the standard's own operators."""


def model_of(path: Path) -> Any:
    """The message of a file.

    Raises:
        ReadError: it cannot be read, is too large, or is no ONNX model.

    """
    content = _content(path)
    onnx = needed("an ONNX file", "onnx", extra="onnx")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # noqa: BLE001  # protobuf has an error of its own
        message = f"{path}: not an ONNX model: {error}"
        raise ReadError(message) from None
    if not model.graph.node and not model.graph.output:
        message = f"{path}: not an ONNX model: it has no graph"
        raise ReadError(message)
    return model


def _content(path: Path) -> bytes:
    with safe_io.opening(path):
        safe_io.check_regular(path)
        size = path.stat().st_size
        if size >= SIZE_LIMIT:
            message = f"{path}: {size:,} bytes; expected less than {SIZE_LIMIT:,}"
            raise ReadError(message)
        with path.open("rb") as file:
            return file.read(size)


def opsets_of(imports: Any, where: str) -> Mapping[str, int]:
    """The version of the operators of each domain.

    Raises:
        ReadError: operators of the standard that are too old.

    """
    found = {one.domain: int(one.version) for one in imports}
    for name in STANDARD & found.keys():
        if found[name] < FIRST_OPSET:
            message = (
                f"{where}: opset {found[name]}; expected {FIRST_OPSET} or newer: "
                "onnx.version_converter.convert_version writes a newer one"
            )
            raise ReadError(message)
    return {"" if name in STANDARD else name: version for name, version in found.items()}


def newer_opsets(opsets: Mapping[str, int]) -> Iterator[str]:
    """A note where the file has operators of a version that the package `onnx` does not know."""
    import onnx  # noqa: PLC0415  # only when a file is read

    known = onnx.defs.onnx_opset_version()
    given = opsets.get("", known)
    if given > known:
        yield (
            f"opset {given} of ai.onnx is newer than {known}, the newest that onnx "
            f"{onnx.__version__} knows: its operators are read as those of opset {known}; a newer "
            "onnx may know it"
        )
