"""Readers: from a framework's network or file to a `Network`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from costmodel.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from costmodel.network.graph import Network
    from costmodel.network.layer import LayerRegistry
    from costmodel.scenario import RatesOf
    from costmodel.tensor.shapes import Shape


class Reader(ABC):
    """Reads one family of sources. Never runs code that comes with a file."""

    name: ClassVar[str]
    reads: ClassVar[str]
    """What it reads, in a few words, for messages."""

    @abstractmethod
    def accepts(self, source: object) -> bool:
        """Whether `source` is of this reader's family; decided without reading it."""

    def hint(self, source: object) -> str:
        """What to do with a source that no reader accepts, where this one knows it; else nothing.

        By default, nothing.
        """
        del source
        return ""

    @abstractmethod
    def read(self, source: object, rules: LayerRegistry) -> Network:
        """The network in `source`, each layer by its rule.

        Raises:
            ReadError: the source is damaged, too large, or not what it says.

        """

    def read_at(
        self, source: object, rules: LayerRegistry, input_shapes: Mapping[str, Shape]
    ) -> Network:
        """The network in `source` for inputs of these shapes, by name and without the batch.

        By default, read first and bind then. A reader whose sources have a graph only
        for inputs of given shapes needs more.

        Raises:
            ReadError: as `read`.
            UnknownNameError: a name that is not an input.
            ShapeError: a shape that the network cannot take.

        """
        return self.read(source, rules).bind(input_shapes)

    def shapes_by_name(
        self, source: object, rules: LayerRegistry, input_shape: Shape
    ) -> Mapping[str, Shape]:
        """The shape of the only input of `source`, by the name of that input.

        By default, read first. A reader whose sources cannot be read while an axis is open needs
        more.

        Raises:
            ReadError: as `read`.
            ShapeError: not one input.

        """
        return self.read(source, rules).shapes_by_name(input_shape)

    def read_with(
        self,
        source: object,
        rules: LayerRegistry,
        example_inputs: object,
        input_shapes: Mapping[str, Shape],
    ) -> Network:
        """The network in `source`, whose graph is that of a call with these inputs.

        Raises:
            ReadError: this reader's sources have a graph without a call, or as `read`.

        """
        message = (
            f"reader {self.name!r} takes no example_inputs: {type(source).__name__!r:.80} has a "
            "graph without them"
        )
        raise ReadError(message)

    def measure_rates(
        self,
        source: Any,
        examples: Any,
        *,
        of: RatesOf,
        batch_size: int,
        progress: Callable[[int, int], None],
    ) -> Mapping[str, float]:
        """Mean absolute output or input of every layer over `examples`, by layer name.

        `of` says which: "outputs" or "inputs". `progress` is called with the number of examples
        done and their total.

        Raises:
            ReadError: this reader's sources cannot be run.

        """
        message = f"reader {self.name!r} cannot run {type(source).__name__!r} on example data"
        raise ReadError(message)
