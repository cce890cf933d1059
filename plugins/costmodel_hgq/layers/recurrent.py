"""Recurrent layers with quantized weights, gates and states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from attrs import evolve, frozen

from costmodel.formats import FixedPoint, MixedPrecision, NumericFormat, held_in
from costmodel.network.layer import setting
from costmodel.tensor.shapes import Tensor
from costmodel.workload.assembly import Assembly
from costmodel.workload.builders import copy, elementwise
from costmodel.workload.graph import Workload
from costmodel_hgq.layers.quantized import RESULT, Quantized
from costmodel_hgq.quantizers import Quantizer
from costmodel_keras.files.variables import ReadsVariables
from costmodel_keras.layers import settings
from costmodel_keras.layers.recurrent import CELLS, CellRule, DenseCell, RecurrentWithCell

if TYPE_CHECKING:
    from costmodel_keras.graph import LayerView
    from costmodel_keras.layers.wrappers import Maker

_GATED: Final = "hgq.QGRUCell"
_ANCESTORS: Final = {_GATED: "keras.GRUCell", "hgq.QSimpleRNNCell": "keras.SimpleRNNCell"}
_OWN_CELLS: Final = {"hgq.QGRU": _GATED, "hgq.QSimpleRNN": "hgq.QSimpleRNNCell"}
_ONE: Final = FixedPoint(1, 1, signed=False)


@frozen(slots=False)
class QCell(Quantized, DenseCell):
    """One step of a recurrent layer. The state is kept as it is rounded where it is read."""

    kinds: ClassVar[Any] = tuple(_ANCESTORS)
    quantizer_places: ClassVar = {
        "input": ("cell/iq", "iq_conf"), "kernel": ("cell/kq", "kq_conf"),
        "recurrent_kernel": ("cell/rkq", "rkq_conf"), "bias": ("cell/bq", "bq_conf"),
        "state": ("cell/sq", "sq_conf"), "new": ("cell/paq", "paq_conf"),
        "gates": ("cell/praq", "praq_conf"), "reset": ("cell/rhq", "rhq_conf"),
        RESULT: ("cell/oq", "oq_conf"),
    }  # fmt: skip

    reset_after: bool = setting(settings.flag, default=False)

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Iterator[tuple[str, Quantizer]]:
        """Its quantizers; the gates of some cells have theirs."""
        for name, found in super().read(settings):
            yield name, evolve(found, is_affine=False) if name == "gates" else found

    @property
    def rule(self) -> CellRule:
        """What the cell has."""
        return CELLS[_ANCESTORS[self.kind]]

    @property
    def state_number(self) -> NumericFormat | None:
        """The format of the state: that of its quantizer, or of what the function takes."""
        return self.format_of("state") or self.format_of("new")

    def one_step(self) -> Workload:
        """The weighted sums, their addition, and the functions of every unit."""
        made = Assembly(self.kind)
        made.input("input", self.inputs[0])
        made.input("state", Tensor(self.state_shape(), self.state_number))
        for name, tensor in self.parameters.items():
            made.weight(name, tensor)
        new = self._gated(made) if self.kind == _GATED else self._plain(made)
        new = made.add(copy("state", made.tensor(new), output=self._state()), new)
        return made.workload({"output": new, "output:1": new})

    def _state(self) -> Tensor:
        return Tensor(self.state_shape(), self.state_number)

    def _plain(self, made: Assembly) -> str:
        """The function of the rounded sums is the new state."""
        sums = _joined(made, "add", *self.weigh(made))
        return self._applied(made, self.activation, self._rounded(made, sums, "new"))

    def _gated(self, made: Assembly) -> str:
        """Reset the old state, then mix it with the new one by z and 1 - z.

        Functions come before rounding; that of the gates is a hard sigmoid: it adds a constant.
        """
        own, weighed = self.weigh(made)
        first = weighed if not self.reset_after else self._part(made, weighed, 0, 2)
        gates = _joined(made, "add", self._part(made, own, 0, 2), first)
        gates = self._applied(made, self.recurrent_activation, gates)
        gates = self._rounded(made, gates, "gates")
        gates = self._lifted(made, gates)
        mix, reset = (self._part(made, gates, place, 1) for place in range(2))
        if self.reset_after:
            last = self._rounded(made, self._part(made, weighed, 2, 1), "reset")
            last = _joined(made, "multiply", reset, last)
        else:
            kept = self._rounded(made, _joined(made, "multiply", reset, "state"), "reset")
            part = made.part("recurrent_kernel", 1, self.width - self.units, self.units)
            last = self._weighed(made, kept, part, Tensor((self.units,)))
        new = _joined(made, "add", self._part(made, own, 2, 1), last)
        new = self._rounded(made, self._applied(made, self.activation, new), "new")
        rest = _rest(made, mix)
        kept, added = _joined(made, "multiply", mix, "state"), _joined(made, "multiply", rest, new)
        return _joined(made, "add", kept, added)

    def _part(self, made: Assembly, sums: str, place: int, count: int) -> str:
        return made.part(sums, -1, place * self.units, count * self.units)

    def _applied(self, made: Assembly, function: str, name: str) -> str:
        if function == "linear":
            return name
        return made.add(self.activation_of(function, made.tensor(name), in_place=True), name)

    def _rounded(self, made: Assembly, name: str, quantizer: str) -> str:
        number = self.format_of(quantizer)
        if number is None:
            return name
        return made.view(name, Tensor(made.tensor(name).shape, number), "convert")

    def _lifted(self, made: Assembly, gates: str) -> str:
        """A quarter of the rounded gates and a half: a shift, which is free, and an addition."""
        tensor = made.tensor(gates)
        number = None if tensor.format is None else _between_zero_and_one(tensor.format)
        half = Tensor((), FixedPoint(1, 0, signed=False))
        work = elementwise(
            "add", tensor, weights=[half], in_place=True, output=Tensor(tensor.shape, number)
        )
        return made.add(work, gates, made.weight("half", half))


def _between_zero_and_one(number: NumericFormat) -> NumericFormat:
    """The format of 0.25 x + 0.5 for x from -2 to 2: as many digits, all behind the point."""
    whole = FixedPoint(held_in(number).bits, 0, signed=False)
    return evolve(number, element=whole) if isinstance(number, MixedPrecision) else whole


def _joined(made: Assembly, function: str, *reads: str) -> str:
    tensors = [made.tensor(name) for name in reads]
    result = Tensor(tensors[0].shape)
    return made.add(elementwise(function, *tensors, in_place=True, output=result), *reads)


def _rest(made: Assembly, name: str) -> str:
    """One minus every element."""
    one, tensor = Tensor((), _ONE), made.tensor(name)
    work = elementwise(
        "subtract", tensor, weights=[one], in_place=True, output=Tensor(tensor.shape)
    )
    subtracted, constant, result = work.operands
    work = evolve(work, operands=[constant, subtracted, result])
    return made.add(work, made.weight("one", one), name)


@frozen(slots=False)
class QRecurrent(ReadsVariables, RecurrentWithCell):
    """A quantized cell that runs over the first axis, time."""

    kinds: ClassVar[Any] = tuple(_OWN_CELLS)
    variable_holders: ClassVar = Quantized.variable_holders

    @classmethod
    def makers(cls, view: LayerView, _: Callable[[LayerView], Maker]) -> Sequence[Maker]:
        """That of the cell, of the settings of the layer."""
        kind = _OWN_CELLS[view.kind]
        return (lambda inputs: QCell.from_settings("cell", kind, inputs, view.settings),)

    def declared_inputs(self) -> Sequence[NumericFormat | None]:
        """What the cell rounds the steps to; states arrive as they are."""
        return [*self.inner.declared_inputs()[:1], *[None] * (len(self.inputs) - 1)]
