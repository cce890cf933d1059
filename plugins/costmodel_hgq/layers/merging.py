"""Layers that take several tensors, each with a quantizer of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from attrs import frozen

from costmodel.network.layer import Work
from costmodel.workload.assembly import numbered
from costmodel_hgq.layers.quantized import OUTPUT, Quantized, quantizer_at
from costmodel_hgq.quantizers import Quantizer
from costmodel_keras.files.variables import SETTING
from costmodel_keras.layers.kept import elementwise
from costmodel_keras.layers.merging import Merge

MOST_INPUTS: Final = 1000
"""Of one layer."""


@frozen(slots=False, kw_only=True, eq=False, repr=False)
class SeveralInputs(Quantized):
    """A layer with a quantizer for each of its inputs."""

    quantizer_places: ClassVar = OUTPUT

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Iterator[tuple[str, Quantizer]]:
        """Those of the inputs, by their order, and that of the result."""
        yield from super().read(settings)
        if settings.get(SETTING) is not None:
            confs = settings.get("iq_confs")
            confs = confs if isinstance(confs, list) else [confs] * (confs is not None) * 2
            for place, conf in enumerate(confs[:MOST_INPUTS]):
                path = "iq/quantizers/quantizer" + (f"_{place}" if place else "")
                yield from _found(place, quantizer_at(settings, path, conf))
        elif "iq" in settings:
            for place, live in enumerate(settings["iq"]):
                yield from _found(place, quantizer_at({"iq": live}, "iq", None))


def _found(place: int, quantizer: Quantizer | None) -> Iterator[tuple[str, Quantizer]]:
    if quantizer is not None:
        yield numbered("input", place + 1)[-1], quantizer


_FUNCTIONS: Final = {
    "hgq.QAdd": "add",
    "hgq.QAveragePow2": "add",
    "hgq.QMaximum": "maximum",
    "hgq.QMinimum": "minimum",
    "hgq.QMultiply": "multiply",
    "hgq.QSubtract": "subtract",
}


@frozen(slots=False)
class QMerge(SeveralInputs, Merge):
    """Inputs element by element; a mean scales by a power of two, which moves the binary point."""

    kinds: ClassVar = tuple(_FUNCTIONS)

    def operators(self) -> Work:
        """One step fewer than there are inputs."""
        steps = len(self.inputs) - 1
        function = _FUNCTIONS[self.kind]
        return (elementwise(function, *self.inputs, steps=steps, output=self.outputs[0]),)
