"""The laws of a layer."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
from attrs import fields
from hypothesis import strategies as st

from costmodel import registry
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.network.layer import Input, LayerRegistry
from costmodel.tensor.shapes import Tensor, show_shape
from costmodel.testing.contract import (
    Contract,
    drawn,
    expect,
    for_all,
    frameworks_behind,
    missing_fixture,
)
from costmodel.workload.operators import Operator
from costmodel.workload.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from costmodel.network.layer import Layer, Work

NONSENSE: Final[tuple[Any, ...]] = (
    None,
    object(),
    -1,
    0,
    2.5,
    float("nan"),
    "nonsense",
    [],
    {},
    [None],
    True,
)
"""What a broken file holds where a setting should be."""

STRANGE_INPUTS: Final[Sequence[tuple[tuple[int, ...], ...]]] = (
    (), ((),), ((1,),), ((1, 1, 1, 1, 1, 1),), ((2,), (3,)), ((2, 3), (4,), (5, 6, 7)),
)  # fmt: skip
"""The shapes of inputs that few layers take."""


class LayerContract(Contract):
    """What every layer must keep. Give it the fixture `layer`.

    The fixture returns a layer on bound inputs, or a strategy of them.
    """

    @pytest.fixture
    def layer(self) -> Any:
        """The layer, or a strategy of layers."""
        missing_fixture(self, "layer", "a costmodel.Layer on bound inputs")

    def test_its_kind_is_one_that_its_class_names(self, layer: Any) -> None:
        """A reader finds the class by the kind."""

        @for_all(drawn(layer))
        def law(layer: Layer) -> None:
            cls = type(layer)
            is_named = layer.kind in cls.kinds or cls.serves_subclasses
            expect(is_named, f"the kind of a {cls.__name__}", f"one of {cls.kinds}", layer.kind)

    def test_it_has_work_or_says_why_not(self, layer: Any) -> None:
        """Operators, or free or unpriced with a reason; never just nothing."""

        @for_all(drawn(layer))
        def law(layer: Layer) -> None:
            work = layer.operators()
            if isinstance(work, Reason):
                says = bool(work.reason.strip())
            else:
                says = bool(work) and all(isinstance(item, Operator) for item in work)
            expect(says, "operators()", "operators, or Free or Unpriced(reason)", repr(work))

    def test_all_is_known_once_its_inputs_are(self, layer: Any) -> None:
        """No axis of its outputs, parameters and operators is open."""

        @for_all(drawn(layer))
        def law(layer: Layer) -> None:
            are_bound = all(tensor.is_bound for tensor in layer.inputs)
            expect(are_bound, "the fixture's inputs", "no open axis", _shown(layer.inputs))
            held = [*layer.outputs, *layer.parameters.values()]
            for operator in _operators(layer):
                held += [operand.tensor for operand in operator.operands]
            for tensor in held:
                shape = show_shape(tensor.shape)
                expect(tensor.is_bound, "a tensor of bound inputs", "no open axis", shape)

    def test_its_outputs_are_outputs_of_its_operators(self, layer: Any) -> None:
        """Each is one of some operator, whole or a slice of it: no work ends on the way."""

        @for_all(drawn(layer))
        def law(layer: Layer) -> None:
            operators = _operators(layer)
            steps = [*operators, *itertools.chain(*(one.decompose() for one in operators))]
            made = [operand.tensor for operator in steps for operand in operator.outputs]
            sizes = {size for tensor in made for size in _slices(tensor)}
            for tensor in layer.outputs if operators else ():
                expected = f"{show_shape(tensor.shape)} (its own) among them"
                expect(tensor.size in sizes, "outputs of its operators", expected, _shown(made))

    def test_its_parameters_are_read_by_its_operators(self, layer: Any) -> None:
        """Each is a parameter of some operator, whole or in parts: nothing is held for nothing."""

        @for_all(drawn(layer))
        def law(layer: Layer) -> None:
            operators = _operators(layer)
            read = [operand.tensor for item in operators for operand in item.weights]
            if not all(tensor.is_bound for tensor in (*layer.parameters.values(), *read)):
                return  # that law is another one
            left, spare = _unmatched(layer.parameters.values(), read)
            held = ", ".join(
                f"{name} {show_shape(x.shape)}" for name, x in layer.parameters.items()
            )
            is_read = not operators or left <= spare
            expect(is_read, "parameters of its operators", f"all it holds: {held}", _shown(read))

    def test_the_same_layer_again_is_the_same(self, layer: Any) -> None:
        """Shapes, parameters and work follow from its settings and inputs alone."""

        @for_all(drawn(layer))
        def law(layer: Layer) -> None:
            again = layer.with_inputs(layer.inputs)
            expect(again == layer, "the layer on the same inputs", layer, again)
            _same_facts(again, layer, "the same inputs")

    def test_another_name_changes_nothing_else(self, layer: Any) -> None:
        """Names are for people."""

        @for_all(drawn(layer), st.text(min_size=1))
        def law(layer: Layer, name: str) -> None:
            renamed = layer.renamed(name)
            expect(renamed.name == name, "its other name", name, renamed.name)
            _same_facts(renamed, layer, "another name")
            back = renamed.renamed(layer.name, layer.shares)
            expect(back == layer, "the layer under its old name again", layer, back)

    def test_larger_inputs_never_need_less_work(self, layer: Any) -> None:
        """Monotone in every axis that it lets grow."""

        @for_all(drawn(layer), st.data(), st.integers(2, 3))
        def law(layer: Layer, data: st.DataObject, times: int) -> None:
            larger = _with_axis(layer, data, lambda length: times * length)
            if larger is not None:
                more, less = _counts(larger), _counts(layer)
                what = f"operations on inputs {_shown(larger.inputs)}"
                expect(more >= less, what, f"at least {less}, as on {_shown(layer.inputs)}", more)

    def test_an_axis_that_becomes_known_changes_no_other(self, layer: Any) -> None:
        """What it says of its outputs while an axis is open stays true."""

        @for_all(drawn(layer), st.data())
        def law(layer: Layer, data: st.DataObject) -> None:
            opened = _with_axis(layer, data, lambda _: None)
            if opened is None:
                return
            early, late = ([x.shape for x in one.outputs] for one in (opened, layer))
            agree = list(map(len, early)) == list(map(len, late)) and all(
                one is None or one == other
                for shapes in zip(early, late, strict=True)
                for one, other in zip(*shapes, strict=True)
            )
            what = f"outputs on inputs {_shown(opened.inputs)}"
            expect(agree, what, f"what fits {_shown(layer.outputs)}", _shown(opened.outputs))

    def test_inputs_that_it_cannot_take_are_reported(self, layer: Any) -> None:
        """The error names the layer and its kind."""

        @for_all(drawn(layer), st.sampled_from(STRANGE_INPUTS))
        def law(layer: Layer, shapes: tuple[tuple[int, ...], ...]) -> None:
            _refused(layer, lambda: layer.with_inputs(tuple(map(Tensor, shapes))))

    def test_a_setting_that_is_missing_is_reported(self, layer: Any) -> None:
        """The error names the layer and its kind."""

        @for_all(drawn(layer))
        def law(layer: Layer) -> None:
            make = type(layer).from_settings
            _refused(layer, lambda: make(layer.name, layer.kind, layer.inputs, {}))

    def test_nonsense_in_a_setting_is_reported(self, layer: Any) -> None:
        """The error names the layer and its kind; what is not nonsense to it is taken."""

        @for_all(drawn(layer), st.data())
        def law(layer: Layer, data: st.DataObject) -> None:
            settings = _settings(layer)
            if not settings:
                return
            wrong = {data.draw(st.sampled_from(sorted(settings))): data.draw(_NONSENSE)}
            make = type(layer).from_settings
            changed = {**settings, **wrong}
            _refused(layer, lambda: make(layer.name, layer.kind, layer.inputs, changed))

    def test_it_is_the_same_after_it_is_written_as_json(self, layer: Any) -> None:
        """A network with it is read back equal."""

        @for_all(drawn(layer))
        def law(layer: Layer) -> None:
            if any(tensor.is_folded for tensor in layer.inputs):
                return  # what enters a network is never folded
            network = _alone(layer)
            known = registry.installed().layer_registry.by_kind
            rules = LayerRegistry({**known, **dict.fromkeys(type(layer).kinds, type(layer))})
            again = Network.from_dict(json.loads(network.to_json()), rules)
            one, other = (item.layer(layer.name) for item in (again, network))
            expect(again == network, "the network read back", other, one)
            _same_facts(one, other, "reading it back")

    def test_a_caller_cannot_change_it(self, layer: Any) -> None:
        """It is frozen, and nothing that it holds can be changed."""

        @for_all(drawn(layer))
        def law(layer: Layer) -> None:
            hash(layer)
            for item in fields(type(layer)):
                with pytest.raises(AttributeError):
                    setattr(layer, item.name, None)
            with pytest.raises(TypeError):
                layer.parameters["more"] = Tensor((1,))  # type: ignore[index]  # what a caller may try

    def test_importing_it_brings_no_framework(self, layer: Any) -> None:
        """Whoever lists the layers does not wait for TensorFlow."""

        @for_all(drawn(layer))
        def law(layer: Layer) -> None:
            found = frameworks_behind(layer)
            expect(not found, "frameworks imported with its module", "none", found)


_NONSENSE: Final = st.sampled_from(NONSENSE)


def _alone(layer: Layer) -> Network:
    """A network of the layer behind its inputs."""
    starts = [
        Input(f"{layer.name} input {index}", "input", shape=tensor.shape)
        for index, tensor in enumerate(layer.inputs)
    ]
    # What another layer shares, or declares as a format, is not there.
    own = layer.renamed(layer.name).with_inputs(tuple(start.outputs[0] for start in starts))
    return Network("alone", [*starts, own], {layer.name: [start.name for start in starts]})


def _operators(layer: Layer) -> tuple[Operator, ...]:
    work = layer.operators_of_example()
    return () if isinstance(work, Reason) else tuple(work)


def _facts(layer: Layer) -> tuple[Any, ...]:
    work: Work = layer.operators_of_example()
    shown = work if isinstance(work, Reason) else tuple(work)
    return layer.inputs, layer.outputs, dict(layer.parameters), shown


def _same_facts(one: Layer, other: Layer, what: str) -> None:
    parts = ("inputs", "outputs", "parameters", "work")
    for part, found, expected in zip(parts, _facts(one), _facts(other), strict=True):
        expect(found == expected, f"its {part} after {what}", expected, found)


def _counts(layer: Layer) -> int:
    return sum(sum(operator.operations.values()) for operator in _operators(layer))


def _with_axis(layer: Layer, data: st.DataObject, change: Any) -> Layer | None:
    """The layer with one axis of all its inputs changed, or None where it does not take that."""
    shapes = [tensor.shape for tensor in layer.inputs]
    rank = min(map(len, shapes), default=0)
    if not rank:
        return None
    axis = data.draw(st.integers(0, rank - 1), label="axis")
    changed = [(*shape[:axis], change(shape[axis]), *shape[axis + 1 :]) for shape in shapes]
    try:
        return layer.with_inputs(tuple(map(Tensor, changed)))
    except CostModelError:
        return None


def _settings(layer: Layer) -> dict[str, Any]:
    """The settings of a layer under the names of its framework."""
    return {sources[0]: getattr(layer, name) for name, sources in layer.settings()}


def _slices(tensor: Tensor) -> Iterator[int]:
    """The sizes of a tensor and of its slices, such as the last of a sequence."""
    yield tensor.size
    yield from (tensor.size // length for length in tensor.shape if length)


def _unmatched(held: Iterable[Tensor], read: Iterable[Tensor]) -> tuple[int, int]:
    """How many elements are in tensors of the one side that have no like on the other; and back."""
    one, other = (Counter(tensor.size for tensor in side) for side in (held, read))
    left, spare = (sum(counted.elements()) for counted in (one - other, other - one))
    return left, spare


def _shown(tensors: Iterable[Tensor]) -> str:
    return ", ".join(show_shape(tensor.shape) for tensor in tensors) or "none"


def _refused(layer: Layer, act: Any) -> None:
    """Do what may fail; if it does, the error says where."""
    try:
        act()
    except CostModelError as error:
        described = str(error)
    else:
        return
    for thing in (layer.name, layer.kind):
        expect(thing in described, "the error's text", f"it names {thing!r}", described)
