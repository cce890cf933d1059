"""The reader of Keras networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from costmodel import safe_io
from costmodel.errors import ReadError
from costmodel.network.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from costmodel.network.graph import Network
    from costmodel.network.layer import LayerRegistry
    from costmodel.scenario import RatesOf
    from costmodel.tensor.shapes import Shape


_SUFFIXES = (".keras", ".json", ".h5", ".hdf5")
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
            return safe_io.ending(source) in _SUFFIXES
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
        # A source of another framework is asked about as well, and needs none of this.
        from costmodel_keras.sources import view_of_source  # noqa: PLC0415
        from costmodel_keras.unfolding import read_view  # noqa: PLC0415

        try:
            return read_view(view_of_source(source, rules), rules, input_shapes)
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
        from costmodel_keras.running.rates import measure  # noqa: PLC0415  # brings NumPy

        if isinstance(source, str | Path):
            message = "example data needs a live model, not a file: load it with Keras first"
            raise ReadError(message)
        return measure(source, examples, of=of, batch_size=batch_size, progress=progress)
