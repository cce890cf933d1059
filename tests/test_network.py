"""Networks made by hand: the order, the checks, the sums."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from strategies import Sketch, sketches
from worlds import RULES

from costmodel import Layer, Network, estimate, matmul
from costmodel.errors import NetworkError, ShapeError, UnknownNameError
from costmodel.network.graph import Port, topological_order
from costmodel.network.layer import Input, OperatorLayer, work_of
from costmodel.tensor.shapes import Tensor, as_shape, show_shape
from costmodel.workload.operators import Contraction
from costmodel.workload.reasons import Free, Unpriced
from costmodel_keras.layers.basic import Dense, TrainingOnly


def start(*shape: Any, name: str = "in") -> Any:
    return Input(name, "input", shape=shape)


def dense(name: str, size: int, units: int, **more: Any) -> Any:
    return Dense(name, "keras.Dense", (Tensor((size,)),), units=units, **more)


def passing(name: str, *shape: Any, inputs: int = 1) -> Any:
    return TrainingOnly(name, "keras.Dropout", (Tensor(shape),) * inputs)


def chain(*layers: Any) -> Any:
    names = [layer.name for layer in layers]
    return Network("net", layers, {b: [a] for a, b in itertools.pairwise(names)})


TWO = (start(4), dense("a", 4, 3), dense("b", 3, 2))


def test_a_chain_counts_its_parameters_and_products() -> None:
    network = chain(*TWO)
    assert network.parameter_count == 4 * 3 + 3 + 3 * 2 + 2
    assert network.macs == 4 * 3 + 3 * 2
    assert network.is_bound


def test_layers_come_in_topological_order_whatever_the_order_given() -> None:
    edges = {"a": ["in"], "b": ["a"]}
    assert Network("net", TWO[::-1], edges).layers == TWO


def test_the_outputs_are_the_ports_that_feed_nothing() -> None:
    network = Network("net", TWO, {"a": ["in"], "b": ["a"]})
    assert network.outputs == (Port("b"),)
    assert Network("net", TWO, network.edges, outputs=["a", "b"]).outputs == (Port("a"), Port("b"))


def test_a_shared_parameter_is_counted_once_and_its_work_twice() -> None:
    again = dense("a@2", 3, 3, shares="a")
    network = chain(start(3), dense("a", 3, 3), again)
    assert network.parameter_count == 12
    assert network.macs == 18


def test_a_layer_and_its_sources_are_found_by_name() -> None:
    network = chain(*TWO)
    assert network.layer("a") is TWO[1]
    assert network.sources("b") == (Port("a", 0),)
    assert network.sources("in") == ()


def test_an_unknown_layer_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown layer 'aa'\n  nearest known: 'a'"):
        chain(*TWO).layer("aa")


@pytest.mark.parametrize(
    ("layers", "edges", "error", "message"),
    [
        ([], {}, NetworkError, "network 'net' has no layers; expected at least one"),
        ([start(4), start(4)], {}, NetworkError, "more than one layer called 'in'"),
        (TWO, {"a": ["in"]}, NetworkError, "layer 'b' takes 1 input, but 0 edges lead to it"),
        (TWO, {"a": ["in"], "b": ["a", "a"]}, NetworkError, "takes 1 input, but 2 edges lead"),
        (
            [start(4), OperatorLayer("m", "operators", [Tensor((4,))] * 2, work=Free("a test"))],
            {"m": ["in"]}, NetworkError, "layer 'm' takes 2 inputs, but 1 edge leads to it",
        ),
        (TWO, {"a": ["in"], "b": ["c"]}, UnknownNameError, "unknown layer 'c'"),
        (TWO, {"a": ["in"], "c": ["a"]}, UnknownNameError, "unknown layer 'c'"),
        (TWO, {"a": ["in"], "b": ["in"]}, ShapeError, "'in' gives 4, but 'b' is declared"),
        (TWO, {"a": ["in"], "b": [("a", 1)]}, NetworkError, "reads output 1 of 'a', which has 1"),
        (TWO, {"a": ["in"], "b": [("a", -1)]}, NetworkError, "output -1 of 'a'"),
        (
            [passing("x", 3), passing("y", 3)],
            {"x": ["y"], "y": ["x"]},
            NetworkError,
            "has a cycle: .* -> .*; expected an acyclic graph",
        ),
        ([passing("x", 3)], {"x": ["x"]}, NetworkError, "has a cycle: x -> x"),
    ],
)  # fmt: skip
def test_layers_that_make_no_network_are_refused(
    layers: Any, edges: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Network("net", layers, edges)


def test_an_output_that_is_not_there_is_refused() -> None:
    with pytest.raises(NetworkError, match="gives an output of 'c', no such layer"):
        Network("net", TWO, {"a": ["in"], "b": ["a"]}, outputs=["c"])
    with pytest.raises(NetworkError, match="output 7 of 'b'"):
        Network("net", TWO, {"a": ["in"], "b": ["a"]}, outputs=[("b", 7)])


def test_a_network_is_a_value() -> None:
    assert chain(*TWO) == chain(*TWO)
    assert chain(*TWO) != chain(*TWO[:2])
    with pytest.raises(AttributeError):
        chain(*TWO).name = "other"


def test_the_edges_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="cannot be changed"):
        chain(*TWO).edges["b"] = ()


def test_binding_carries_the_new_shape_through_every_rule() -> None:
    layers = [start(None, 4), Dense("a", "keras.Dense", (Tensor((None, 4)),), units=3)]
    network = chain(*layers)
    assert not network.is_bound
    bound = network.bind({"in": (7, 4)})
    assert bound.is_bound
    assert bound.layer("a").outputs[0].shape == (7, 3)


@pytest.mark.parametrize(
    ("shapes", "error", "message"),
    [
        ({"in": (7, 5)}, ShapeError, r"declared as \? x 4; 7 x 5 does not fit it"),
        ({"in": (7,)}, ShapeError, "does not fit it"),
        ({"in": ()}, ShapeError, "does not fit it"),
        ({"in": (0, 4)}, ShapeError, "0 in shape 0 x 4 is not an axis length"),
        ({"in": (2.0, 4)}, ShapeError, "not an axis length"),
        ({"inn": (7, 4)}, UnknownNameError, "unknown input 'inn'\n  nearest known: 'in'"),
        ({"a": (7, 4)}, UnknownNameError, "unknown input 'a'"),
    ],
)
def test_a_binding_that_does_not_fit_is_refused(
    shapes: Any, error: type[Exception], message: str
) -> None:
    layers = [start(None, 4), Dense("a", "keras.Dense", (Tensor((None, 4)),), units=3)]
    with pytest.raises(error, match=message):
        chain(*layers).bind(shapes)


def test_an_open_axis_has_no_size() -> None:
    with pytest.raises(ShapeError, match=r"\? x 4 has an open axis; bind it with Scenario"):
        _ = Tensor((None, 4)).size


@pytest.mark.parametrize("shape", [(0,), (-1, 2), (1.0,), (True,), ("3",), (2**0.5,)])
def test_a_length_that_is_none_is_refused(shape: Any) -> None:
    with pytest.raises(ShapeError, match="is not an axis length of 1 or more"):
        as_shape(shape)


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((), "scalar"), ((3,), "3"), ((None, 4), "? x 4"), ((5, 6, 7), "5 x 6 x 7")],
)
def test_a_shape_is_shown_with_its_open_axes(shape: Any, shown: str) -> None:
    assert show_shape(shape) == shown


@given(st.dictionaries(st.integers(0, 20), st.sets(st.integers(0, 20), max_size=4)))
def test_every_node_comes_after_its_sources(drawn: Any) -> None:
    # Edges from larger to smaller numbers alone make no circle.
    graph = {node: [] for node in {*drawn, *(n for sources in drawn.values() for n in sources)}}
    graph |= {node: [n for n in sources if n < node] for node, sources in drawn.items()}
    order = topological_order(graph)
    assert sorted(order) == sorted(graph)
    for node, sources in graph.items():
        assert all(order.index(source) < order.index(node) for source in sources)


@given(sketch=sketches(rules=RULES), data=st.data())
def test_shuffled_layers_make_a_network_with_the_same_layers_and_sums(
    sketch: Sketch, data: st.DataObject
) -> None:
    network = sketch.network(RULES)
    shuffled = Network("net", data.draw(st.permutations(network.layers)), network.edges)
    assert set(shuffled.layers) == set(network.layers)
    assert (shuffled.macs, shuffled.parameter_count) == (network.macs, network.parameter_count)


def test_a_layer_of_no_class_of_its_own_has_no_price() -> None:
    work = Layer("x", "acme.X", (Tensor((3,)),)).operators()
    assert isinstance(work, Unpriced)
    assert "acme.X" in work.reason


def test_a_layer_without_an_input_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"layer 'x' of kind 'keras\.Dropout': expected an input"):
        TrainingOnly("x", "keras.Dropout")


def test_the_work_of_a_layer_is_operators_or_a_reason() -> None:
    work = dense("a", 4, 3, activation="relu").operators()
    assert isinstance(work[0], Contraction)
    assert work[1].function == "relu"
    assert isinstance(start(4).operators(), Free)


@frozen(slots=False)
class SaysNothing(Layer):
    """A rule of a third party that forgets its answer."""

    kinds: ClassVar = ("acme.SaysNothing",)

    def operators(self) -> Any:
        return None


def test_a_rule_that_says_nothing_of_its_work_leaves_it_unpriced() -> None:
    silent = SaysNothing("silent", "acme.SaysNothing", (Tensor((4,)),))
    assert work_of(silent) == Unpriced(
        "the rule of 'acme.SaysNothing' names neither operators nor a reason"
    )
    bill = estimate(chain(start(4), silent), "cpu", on_unpriced="bound")
    assert bill.coverage("cpu").unpriced.keys() == {"silent"}


@pytest.mark.parametrize(
    ("work", "error", "message"),
    [
        ((), ValueError, r"work is empty; expected operators, or Free\(reason\)"),
        ([3], TypeError, r"work holds 3; expected operators, or Free\(reason\)"),
    ],
)
def test_a_layer_is_given_operators_or_a_reason(
    work: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        OperatorLayer("x", "operators", (Tensor((4,)),), work=work)


def test_given_operators_are_for_the_inputs_that_they_were_given_for() -> None:
    work = [matmul((4,), (4, 2))]
    layer = OperatorLayer("x", "operators", [(4,)], work=work)
    assert layer.with_inputs([(4,)]) == layer
    with pytest.raises(ShapeError, match=r"'x' .* are for an input of 4, not of 5; make the layer"):
        layer.with_inputs([(5,)])
    passed = OperatorLayer("x", "operators", [(4,)], work=Free("a test"))
    assert passed.with_inputs([(5,)]).outputs[0].shape == (5,)
    open_axis = OperatorLayer("x", "operators", [(None,)], work=work)
    assert open_axis.with_inputs([(4,)]).inputs == layer.inputs


def test_a_layer_takes_its_inputs_in_any_row_and_by_their_shapes() -> None:
    layer = Layer("x", "acme.Any", [(4, 3), Tensor((2,), "int8")])
    assert layer.inputs == (Tensor((4, 3)), Tensor((2,), "int8"))
    assert layer.with_inputs([(5,)]).inputs == (Tensor((5,)),)
    with pytest.raises(TypeError, match="expected several tensors"):
        Layer("x", "acme.Any", Tensor((4,)))
