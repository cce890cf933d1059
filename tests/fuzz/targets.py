"""The doors by which a third party's file comes in, each with real files to start from."""

from __future__ import annotations

import functools
import io
import itertools
import json
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen
from fuzz.judging import ROOT, judge, use_device, use_network, use_workload
from fuzz.mlir_worker import Worker

import costmodel
from costmodel.devicefile import load_device
from costmodel.registry import installed
from costmodel.workload.serialization import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TESTS: Final = ROOT / "tests"
_DENSE: Final = TESTS / "networks" / "dense.json"
_HDF5_SEEDS: Final = 8
"""An HDF5 file is read in a process of its own, so that few can be read in a second."""
_LARGEST_NIR: Final = 2**15
"""Bytes; the same for HDF5 files of NIR, of which an empty one has a thousand."""
_LARGEST_MODULE: Final = 2**14
"""Bytes; the same for modules of MLIR, of which text is long."""
_LARGEST_SEED: Final = 2**13
"""Bytes; small files are changed and read the fastest."""


@frozen
class Target:
    """One door: what goes through it as bytes, and real examples of it."""

    run: Callable[[bytes], bool]
    """Whether these bytes give a result; False is a refusal in words."""
    seeds: Callable[[Iterable[Path]], Iterator[bytes]]
    """Real files, given the JSON files of further networks of Keras."""
    share: float
    """Its part of the changes, all doors together being one."""
    is_archive: bool = False


# ------------------------------------------------------------------ networks


def _text(data: bytes) -> bool:
    """A text where it can be one, else a file."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _file(".json", data)
    if text.lstrip()[:1] != "{":
        return _file(".json", data)
    return judge(lambda: use_network(costmodel.read(text)))


def _file(suffix: str, data: bytes) -> bool:
    path = scratch(suffix)
    path.write_bytes(data)
    return judge(lambda: use_network(costmodel.read(path)), str(path))


def scratch(suffix: str) -> Path:
    """The path of the one file that is written again for every change."""
    return _folder() / f"file{suffix}"


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory()))


def memory() -> Path | None:
    """A folder in memory where the system has one; files are written for every change."""
    folder = Path("/dev/shm")  # noqa: S108  # only where it is looked for
    return folder if folder.is_dir() else None


def configurations(more: Iterable[Path] = ()) -> Iterator[Any]:
    """The configurations of Keras networks that the repository holds, and `more`."""
    for path in [
        *sorted(TESTS.rglob("*.json")),
        *sorted((ROOT / "examples").glob("*.json")),
        *more,
    ]:
        values = json.loads(path.read_bytes())
        if isinstance(values, dict):
            values = values.get("config", values) if "facts" in values else values
            if "class_name" in values:
                yield values


def _compact(values: Any) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()


def _keras_seeds(more: Iterable[Path]) -> Iterator[bytes]:
    for values in configurations(more):
        content = _compact(values)
        if len(content) <= _LARGEST_SEED:
            yield content


def network_values(more: Iterable[Path] = ()) -> Iterator[Any]:
    """The same networks in this project's own JSON form."""
    for values in configurations(more):
        try:
            yield costmodel.read(json.dumps(values)).to_dict()
        except costmodel.CostModelError:
            continue  # an open size, or of a release that is refused


def _network_seeds(more: Iterable[Path]) -> Iterator[bytes]:
    for values in network_values(more):
        content = _compact(values)
        if len(content) <= _LARGEST_SEED:
            yield content


def _workload(data: bytes) -> bool:
    return judge(lambda: use_workload(from_json(data)))


def _workload_seeds(more: Iterable[Path]) -> Iterator[bytes]:
    for values in network_values(more):
        try:
            content = to_json(costmodel.lower(costmodel.read(json.dumps(values)))).encode()
        except costmodel.CostModelError:
            continue  # an open size
        if len(content) <= _LARGEST_SEED:
            yield content


def packed(
    config: bytes,
    method: int = zipfile.ZIP_STORED,
    metadata: str = '{"keras_version": "3.5.0"}',
    weights: bytes | None = None,
) -> bytes:
    """A `.keras` file with this configuration, and these weights."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        archive.writestr("metadata.json", metadata)
        archive.writestr("config.json", config)
        if weights is not None:
            archive.writestr("model.weights.h5", weights)
    return held.getvalue()


def _archive_seeds(more: Iterable[Path]) -> Iterator[bytes]:
    for index, content in enumerate(_keras_seeds(more)):
        yield packed(content, zipfile.ZIP_DEFLATED if index % 2 else zipfile.ZIP_STORED)


def _hdf5_seeds(more: Iterable[Path]) -> Iterator[bytes]:
    import h5py  # noqa: PLC0415  # only where this door is tried

    for content in itertools.islice(_keras_seeds(more), _HDF5_SEEDS):
        held = io.BytesIO()
        with h5py.File(held, "w") as file:
            file.attrs["keras_version"] = "3.5.0"
            file.attrs["model_config"] = content.decode()
        yield held.getvalue()


def _nir_seeds(_: Iterable[Path]) -> Iterator[bytes]:
    for path in sorted((TESTS / "frontends" / "models").rglob("*.nir")):
        content = path.read_bytes()
        if len(content) <= _LARGEST_NIR:
            yield content


PROGRAM: Final = "net/models/model.json"
"""The program of a `.pt2` file."""
_LARGEST_PROGRAM: Final = 2**15
_UNREAD: Final = frozenset(
    {"strides", "device", "storage_offset", "requires_grad", "layout", "stack_trace", "torch_fn",
     "module_call_graph"}
)  # fmt: skip
"""What a program says and nobody reads."""


def packed_program(program: bytes) -> bytes:
    """A `.pt2` file with this program."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(PROGRAM, program)
    return held.getvalue()


def _program_seeds(_: Iterable[Path]) -> Iterator[bytes]:
    for path in sorted((TESTS / "frontends" / "models").rglob("*.pt2")):
        with zipfile.ZipFile(path) as archive:
            name = next(one for one in archive.namelist() if one.endswith("models/model.json"))
            content = _compact(_shortened(json.loads(archive.read(name))))
        if len(content) <= _LARGEST_PROGRAM:
            yield packed_program(content)


def _shortened(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _shortened(one) for key, one in values.items() if key not in _UNREAD}
    return [_shortened(one) for one in values] if isinstance(values, list) else values


@functools.cache
def _worker() -> Worker:
    """The process that parses modules in place of the child of the reader, once for each."""
    from costmodel_stablehlo.modules import guarded  # noqa: PLC0415  # only for this door

    worker = Worker()
    guarded._asked = worker
    return worker


def _mlir(data: bytes) -> bool:
    _worker().start()
    return _file(".mlir", data)


def _mlir_seeds(_: Iterable[Path]) -> Iterator[bytes]:
    """Small modules, as text and as bytecode."""
    for path in sorted((TESTS / "frontends").rglob("*.mlir*")):
        content = path.read_bytes()
        if len(content) <= _LARGEST_MODULE:
            yield content


_WIDTHS: Final = TESTS / "hgq2" / "samples" / "recurrent.keras"
"""A network of HGQ2, whose variables state formats."""


def _variables(data: bytes) -> bool:
    with zipfile.ZipFile(_WIDTHS) as sample:
        archive = packed(sample.read("config.json"), weights=data)
    return _file(".keras", archive)


def _variables_seeds(_: Iterable[Path]) -> Iterator[bytes]:
    with zipfile.ZipFile(_WIDTHS) as sample:
        yield sample.read("model.weights.h5")


def _models(ending: str) -> Iterator[bytes]:
    """Small files of a frontend."""
    for path in sorted((TESTS / "frontends").rglob(f"*{ending}")):
        content = path.read_bytes()
        if len(content) <= _LARGEST_MODULE:
            yield content


def _onnx(data: bytes) -> bool:
    import onnx  # noqa: F401, PLC0415  # the parser, before anybody watches

    return _file(".onnx", data)


def _onnx_seeds(_: Iterable[Path]) -> Iterator[bytes]:
    yield from _models(".onnx")


def _tflite_seeds(_: Iterable[Path]) -> Iterator[bytes]:
    from frontends.tflite.operator_cases import CASES  # noqa: PLC0415  # the parser may be left out

    yield from _models(".tflite")
    for case in CASES:
        yield case.content()


# ------------------------------------------------------------------ devices


def device_files() -> Iterator[bytes]:
    """The device files that ship."""
    for path in sorted((ROOT / "hardware").rglob("*.yaml")):
        if path.parent.name != "components":  # tables
            yield path.read_bytes()


def _device(data: bytes) -> bool:
    families, network = installed().device_families, _dense()
    return judge(lambda: use_device(load_device(data, "device.yaml", families), network))


def warm() -> None:
    """Bring in what the project imports late, before anybody watches."""
    use_network(_dense())
    for content in device_files():
        load_device(content, "device.yaml", installed().device_families)
    next(_quantizer_seeds(()))
    import numpy  # noqa: F401, ICN001, PLC0415  # what operators access is counted with it

    import costmodel_qkeras.formats  # noqa: F401, PLC0415  # QKeras may be left out


@functools.cache
def _dense() -> costmodel.Network:
    return costmodel.read(_DENSE)


# ------------------------------------------------------------------ quantizers


def _quantizer(data: bytes) -> bool:
    from costmodel_qkeras.formats import numeric_format  # noqa: PLC0415  # QKeras may be left out
    from costmodel_qkeras.parsing import parse  # noqa: PLC0415

    text = data.decode(errors="surrogateescape")
    return judge(lambda: str(numeric_format(parse(text))))


def _quantizer_seeds(_: Iterable[Path]) -> Iterator[bytes]:
    import qkeras_cases  # noqa: PLC0415

    for values in (qkeras_cases.WEIGHTS, qkeras_cases.ACTIVATIONS, qkeras_cases.SCALES):
        yield from (value.encode() for value in values if isinstance(value, str))


TARGETS: Final = {
    "json": Target(_text, _keras_seeds, 0.2),
    "keras": Target(functools.partial(_file, ".keras"), _archive_seeds, 0.15, is_archive=True),
    "hdf5": Target(functools.partial(_file, ".h5"), _hdf5_seeds, 0.05),
    "pt2": Target(functools.partial(_file, ".pt2"), _program_seeds, 0.1, is_archive=True),
    "nir": Target(functools.partial(_file, ".nir"), _nir_seeds, 0.05),
    "mlir": Target(_mlir, _mlir_seeds, 0.05),
    "onnx": Target(_onnx, _onnx_seeds, 0.05),
    "tflite": Target(functools.partial(_file, ".tflite"), _tflite_seeds, 0.05),
    "variables": Target(_variables, _variables_seeds, 0.05),
    "network": Target(_text, _network_seeds, 0.1),
    "workload": Target(_workload, _workload_seeds, 0.05),
    "device": Target(_device, lambda _: device_files(), 0.05),
    "quantizer": Target(_quantizer, _quantizer_seeds, 0.05),
}
"""By the name of the sort of file."""
