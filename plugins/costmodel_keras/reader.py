"""The reader of Keras networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from costmodel import safe_io
from costmodel.errors import ReadError
from costmodel.network.graph import (
    SCHEMA,
    Network,
)
from costmodel.network.reader import Reader
from costmodel.tensor.shapes import Shape
from costmodel_keras import graph
from costmodel_keras.files import archive
from costmodel_keras.files.variables import with_variables
from costmodel_keras.keras2 import configurations
from costmodel_keras.keras2.live import view_of
from costmodel_keras.unfolding import read_view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from costmodel.network.layer import LayerRegistry
    from costmodel.scenario import RatesOf
    from costmodel_keras.graph import LayerView


_SUFFIXES = (archive.KERAS, ".json", *archive.HDF5)
_LIVE = frozenset({"keras", "tf_keras"})


class KerasReader(Reader):
    """Reads live models of Keras 2 and 3, `.keras` and HDF5 files, and `model.to_json()`."""

    name: ClassVar = "keras"
    reads: ClassVar = "a live Keras model, a .keras or .h5 file, the JSON of model.to_json()"

    def accepts(self, source: object) -> bool:
        """A path with the right ending, a text that starts with a brace, or a Keras object."""
        if isinstance(source, str) and source.lstrip()[:1] == "{":
            return True
        if isinstance(source, str | Path):
            return Path(source).suffix in _SUFFIXES
        return any(cls.__module__.partition(".")[0] in _LIVE for cls in type(source).__mro__)

    def read(self, source: object, rules: LayerRegistry) -> Network:
        """The network in `source`, each layer by its rule."""
        return self.read_at(source, rules, {})

    def read_at(
        self, source: object, rules: LayerRegistry, input_shapes: Mapping[str, Shape]
    ) -> Network:
        """The network in `source` for inputs of these shapes.

        A subclassed model is called with them; it is built then, if it was not before.
        """
        try:
            return read_view(_view(source, rules), rules, input_shapes)
        except RecursionError:
            message = "the network is nested too deeply"
            raise ReadError(message) from None

    def measure_rates(
        self,
        source: Any,
        examples: Any,
        *,
        of: RatesOf,
        batch_size: int,
        progress: Callable[[int, int], None],
    ) -> Mapping[str, float]:
        """Mean absolute output or input of every layer of a live model over `examples`."""
        from costmodel_keras.rates import measure  # noqa: PLC0415  # brings NumPy

        if isinstance(source, str | Path):
            message = "example data needs a live model, not a file: load it with Keras first"
            raise ReadError(message)
        return measure(source, examples, of=of, batch_size=batch_size, progress=progress)


def _view(source: object, rules: LayerRegistry) -> LayerView:
    if isinstance(source, str) and source.lstrip()[:1] == "{":
        return _config_view(safe_io.json_values(source, "JSON text"), "JSON text", rules)
    if isinstance(source, str | Path):
        path = Path(source)
        config = archive.load_file(path)
        if path.suffix == archive.KERAS:
            config = with_variables(config, path, rules)
        return _config_view(config, str(source), rules)
    return view_of(source)


def _config_view(config: Any, where: str, rules: LayerRegistry) -> LayerView:
    if not (isinstance(config, dict) and isinstance(config.get("class_name"), str)):
        message = (
            f"{where}: no network: expected a Keras configuration with class_name and config, as "
            f"model.to_json() writes it, or JSON that starts with the schema {SCHEMA!r}; "
            f"found {config!r:.80}"
        )
        raise ReadError(message)
    version = config.get("keras_version")
    if isinstance(version, str) and version.startswith("1."):
        message = f"{where}: written by Keras {version}; load it in Keras 2 and save it there"
        raise ReadError(message)
    if configurations.is_legacy(config):
        config = configurations.modern(config, rules.by_kind, where)
    return graph.ConfigView(config, where)
