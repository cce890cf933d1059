"""An honest layer, and layers that break one law each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import evolve, field, frozen

from costmodel import Layer, matmul
from costmodel.errors import CostModelError, ShapeError
from costmodel.network.layer import Work, setting
from costmodel.tensor.shapes import Shape, Tensor
from costmodel.workload.builders import copy
from costmodel.workload.operators import Contraction, unmapped


def _whole(value: Any) -> int:
    if type(value) is not int or value < 1:
        message = f"expected a whole number of at least 1, found {value!r}"
        raise ValueError(message)
    return value


@frozen(slots=False)
class Honest(Layer):
    """A dense product along the last axis."""

    kinds: ClassVar = ("acme.Honest",)

    units: int = setting(_whole)

    @classmethod
    def made(cls, kind: str = "acme.Honest") -> Honest:
        return cls("layer", kind, (Tensor((4, 3)),), units=2)

    def output_shapes(self) -> Sequence[Shape]:
        return ((*self.input_shape[:-1], self.units),)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        return {"kernel": (self.input_shape[-1], self.units)}

    def operators(self) -> Work:
        return (self.product(self.outputs),)

    def product(self, outputs: tuple[Tensor, ...]) -> Contraction:
        right = matmul(self.inputs[0], self.parameters["kernel"])
        return evolve(right, operands=[*right.operands[:2], *unmapped("output", outputs)])


def of_another_kind() -> Layer:
    return Honest.made("acme.Honset")


@frozen(slots=False)
class HasNothingToDo(Honest):
    def operators(self) -> Work:
        return ()


@frozen(slots=False)
class HoldsWhoKnowsWhat(Honest):
    def parameter_shapes(self) -> Mapping[str, Shape]:
        return {"kernel": (None, self.units)}

    def product(self, outputs: tuple[Tensor, ...]) -> Contraction:
        right = matmul(self.inputs[0], (self.input_shape[-1], self.units))
        held = unmapped("weight", self.parameters.values())
        return evolve(right, operands=[*right.inputs, *held, *unmapped("output", outputs)])


@frozen(slots=False)
class StopsHalfWay(Honest):
    def operators(self) -> Work:
        return (self.product((Tensor((1,)),)),)


@frozen(slots=False)
class GivesSomethingElse(Honest):
    def operators(self) -> Work:
        return (self.product((Tensor((4, 5)),)),)


@frozen(slots=False)
class HoldsWhatItNeverReads(Honest):
    def parameter_shapes(self) -> Mapping[str, Shape]:
        return {**super().parameter_shapes(), "spare": (7,)}


@frozen(slots=False)
class NeedsMoreTheSecondTime(Honest):
    is_second: bool = field(default=False, kw_only=True, eq=False)

    def with_inputs(self, inputs: tuple[Tensor, ...]) -> Layer:
        return evolve(self, inputs=inputs, is_second=True)

    def operators(self) -> Work:
        more = [copy("again", self.outputs[0])]
        return (*super().operators(), *more[: self.is_second])  # type: ignore[misc]


@frozen(slots=False)
class ListensToItsName(Honest):
    def operators(self) -> Work:
        more = [copy(self.name, self.outputs[0])]
        return (*super().operators(), *more)  # type: ignore[misc]


@frozen(slots=False)
class GetsSmallerAsItGrows(Honest):
    def operators(self) -> Work:
        depth = self.input_shape[-1] or 1
        operands = self.product(self.outputs).operands
        unplaced = [one for item in operands for one in unmapped(item.role, [item.tensor])]
        sizes = {"inputs": depth, "sums": 10_000 // self.inputs[0].size}
        return (Contraction(dims=sizes, operands=unplaced),)


@frozen(slots=False)
class GuessesWhatIsOpen(Honest):
    def output_shapes(self) -> Sequence[Shape]:
        return (tuple(9 if length is None else length for length in super().output_shapes()[0]),)


@frozen(slots=False)
class DoesNotSayWho(Honest):
    def with_inputs(self, inputs: tuple[Tensor, ...]) -> Layer:
        try:
            return super().with_inputs(inputs)
        except CostModelError:
            message = "these inputs do not fit"
            raise ShapeError(message) from None


@frozen(slots=False)
class CountsOnItsSettings(Honest):
    @classmethod
    def read_settings(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        return {"units": {"it": settings["units"]}["it"]}


@frozen(slots=False)
class TakesNonsense(Honest):
    depth: int = setting(lambda value: 1 // value.real, default=1)

    @classmethod
    def read_settings(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        return super().read_settings(settings)


@frozen(slots=False)
class HasTags(Honest):
    tags: list[str] = setting(list, default=("dense",))


@frozen(slots=False)
class CannotBeWritten(Honest):
    helper: object = field(factory=object, kw_only=True)


NONCONFORMING = {
    of_another_kind: "test_its_kind_is_one_that_its_class_names",
    HasNothingToDo.made: "test_it_has_work_or_says_why_not",
    HoldsWhoKnowsWhat.made: "test_all_is_known_once_its_inputs_are",
    StopsHalfWay.made: "test_its_outputs_are_outputs_of_its_operators",
    GivesSomethingElse.made: "test_its_outputs_are_outputs_of_its_operators",
    HoldsWhatItNeverReads.made: "test_its_parameters_are_read_by_its_operators",
    NeedsMoreTheSecondTime.made: "test_the_same_layer_again_is_the_same",
    ListensToItsName.made: "test_another_name_changes_nothing_else",
    GetsSmallerAsItGrows.made: "test_larger_inputs_never_need_less_work",
    GuessesWhatIsOpen.made: "test_an_axis_that_becomes_known_changes_no_other",
    DoesNotSayWho.made: "test_inputs_that_it_cannot_take_are_reported",
    CountsOnItsSettings.made: "test_a_setting_that_is_missing_is_reported",
    TakesNonsense.made: "test_nonsense_in_a_setting_is_reported",
    CannotBeWritten.made: "test_it_is_the_same_after_it_is_written_as_json",
    HasTags.made: "test_a_caller_cannot_change_it",
}
"""How to make each class, and the law that it breaks."""
