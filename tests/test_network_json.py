"""The JSON form of networks: equal when read back, checked when written by others."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from attrs import NOTHING, fields
from hypothesis import given
from hypothesis import strategies as st
from strategies import sketches
from worlds import REGISTRY, RULES, SHIPPED

import costmodel
from costmodel import Network, Scenario, activation, matmul
from costmodel.errors import CostModelError, NetworkError, ReadError, ShapeError
from costmodel.formats import FixedPoint
from costmodel.network.layer import DeclaredFormats, Input, OperatorLayer, UnknownLayer
from costmodel.tensor.shapes import Tensor
from costmodel.workload.composite import Attention, Normalization, Softmax
from costmodel.workload.graph import Node
from costmodel.workload.operators import (
    ELEMENTWISE,
    REDUCTIONS,
    STANDARD,
    Contraction,
    Counted,
    Operator,
)
from costmodel.workload.reasons import Free, Unpriced

SCHEMA = json.loads((files("costmodel.network") / "network.schema.json").read_text())
NARROW = FixedPoint(8, 1)
WRITTEN = (*STANDARD, Counted, Softmax, Normalization, Attention)
"""The operators that a file may hold."""


def product(inputs: int, outputs: int) -> Contraction:
    return matmul((inputs,), Tensor((inputs, outputs), NARROW))


def by_hand() -> Network:
    """A network as a compiler makes it: operators, and no framework."""
    result = (Tensor((3,)),)
    work = [product(4, 3), activation("relu", *result)]
    return Network(
        "by hand",
        [
            Input("x", "input", shape=(4,)),
            OperatorLayer("first", "operators", (Tensor((4,)),), work=work),
            OperatorLayer("passed", "operators", result, work=Free("carried along")),
            UnknownLayer("odd", "chip.Odd", result, reason="no rule", recorded=((2,),)),
        ],
        {"first": ["x"], "passed": ["first"], "odd": ["passed"]},
    )


def back(network: Network) -> Network:
    return costmodel.read(network.to_json(), registry=REGISTRY)


@given(sketches(rules=RULES))
def test_a_network_written_to_json_is_read_back_equal(sketch: Any) -> None:
    network = sketch.network(RULES)
    again = back(network)
    assert again == network
    assert again.to_json() == network.to_json()
    assert [layer.outputs for layer in again.layers] == [x.outputs for x in network.layers]
    assert [layer.parameters for layer in again.layers] == [x.parameters for x in network.layers]


DECLARED = DeclaredFormats({"kernel": "int4"}, input="int8", result="mxfp4")


def declaring(declared: DeclaredFormats) -> Network:
    """A dense layer that declares formats, and one that declares none."""
    cls = REGISTRY.layer_registry.find("keras.Dense")
    assert cls is not None
    first = cls.from_settings("first", "keras.Dense", (Tensor((4,)),), {"units": 3})
    last = cls.from_settings("last", "keras.Dense", (Tensor((3,)),), {"units": 2})
    layers = [Input("x", "input", shape=(4,)), first.declaring(declared), last]
    return Network("declared", layers, {"first": ["x"], "last": ["first"]})


def test_formats_that_a_source_declares_are_read_back_equal() -> None:
    network = declaring(DECLARED)
    assert back(network) == network
    assert back(network) != declaring(DeclaredFormats())
    jsonschema.validate(network.to_dict(), SCHEMA)


def test_a_layer_computes_in_the_formats_that_its_source_declares() -> None:
    steps = costmodel.lower(declaring(DECLARED)).steps
    nodes = {step.layer: step for step in steps if isinstance(step, Node)}
    shown = [str(one.tensor.format) for one in nodes["first"].operator.operands]
    assert shown == ["fixed<8,7>", "fixed<4,3>", "None", "mxfp4"]
    assert nodes["last"].operator.operands[1].tensor.format is None


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (3, "declared"),
        ({"type": "DeclaredFormats", "input": 3}, 'input: expected a format such as "int8"'),
        ({"type": "DeclaredFormats", "result": "int"}, "'int' is not a numeric format"),
        ({"type": "DeclaredFormats", "parameters": [["kernel"]]}, "are not formats by the names"),
        ({"type": "DeclaredFormats", "parameters": [["kernel", 3]]}, "3 is not a numeric format"),
        ({"type": "DeclaredFormats", "odd": 3}, "odd"),
    ],
)
def test_formats_that_no_layer_can_declare_are_refused(declared: Any, words: str) -> None:
    plain = declaring(DECLARED).to_dict()
    plain["layers"][1]["settings"]["declared"] = declared
    with pytest.raises(ReadError, match=words):
        costmodel.read(json.dumps(plain), registry=REGISTRY)


def test_operators_made_by_hand_are_read_back_equal() -> None:
    assert back(by_hand()) == by_hand()


@pytest.mark.parametrize("device", SHIPPED)
def test_a_network_read_back_costs_the_same(device: str) -> None:
    bills = [
        costmodel.estimate(
            source, device, scenario=Scenario(rates=10.0), registry=REGISTRY, on_unpriced="bound"
        ).to_dict()
        for source in (by_hand(), by_hand().to_json())
    ]
    assert bills[0] == bills[1]


def test_the_form_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "network.json"
    file.write_text(by_hand().to_json())
    assert costmodel.read(file, registry=REGISTRY) == by_hand()


@given(sketches(rules=RULES))
def test_what_is_written_fits_the_schema_that_ships(sketch: Any) -> None:
    jsonschema.validate(sketch.network(RULES).to_dict(), SCHEMA)


def test_a_network_made_by_hand_fits_the_schema_that_ships() -> None:
    jsonschema.validate(by_hand().to_dict(), SCHEMA)


@pytest.mark.parametrize("operator", WRITTEN, ids=lambda operator: operator.__name__)
def test_the_schema_has_the_fields_of_every_operator(operator: type[Operator]) -> None:
    shared, own = SCHEMA["$defs"]["operator"], SCHEMA["$defs"][operator.__name__]
    given = [item for item in fields(operator) if item.init]
    names = {item.alias for item in given}
    required = {item.alias for item in given if item.default is NOTHING}
    assert (shared["properties"] | own["properties"]).keys() == {"type", *names}
    assert set(own.get("required", ())) == required
    assert {"$ref": f"#/$defs/{operator.__name__}"} in shared["oneOf"]


@pytest.mark.parametrize(
    ("operator", "functions"), [("Elementwise", ELEMENTWISE), ("Reduction", REDUCTIONS)]
)
def test_the_schema_has_every_function(operator: str, functions: Any) -> None:
    assert SCHEMA["$defs"][operator]["properties"]["function"]["enum"] == list(functions)


def test_a_hand_may_write_formats_as_texts_tensors_as_shapes_and_indices_as_texts() -> None:
    written = with_layer(inputs=[["x", 0, "int8"]])
    written["layers"][1]["settings"]["work"][0] = {
        "type": "Contraction",
        "dims": {"n": 3, "k": 4},
        "operands": [
            {"type": "Operand", "role": "input", "tensor": [4], "index": ["k"]},
            {
                "type": "Operand", "role": "weight", "index": ["k", "n"],
                "tensor": {"type": "Tensor", "shape": [4, 3], "format": "fixed<8,1>"},
            },
            {"type": "Operand", "role": "output", "tensor": [3], "index": ["n"]},
        ],
    }  # fmt: skip
    jsonschema.validate(written, SCHEMA)
    layer = costmodel.read(json.dumps(written), registry=REGISTRY).layer("first")
    assert isinstance(layer, OperatorLayer)
    assert layer.work == by_hand().layer("first").operators()
    assert layer.inputs == (Tensor((4,), "int8"),)


def test_the_network_of_the_page_for_compilers_fits_the_schema() -> None:
    page = (Path(__file__).parent.parent / "docs" / "compilers.md").read_text()
    written = page.partition('```json title="small.json"\n')[2].partition("```")[0]
    jsonschema.validate(json.loads(written), SCHEMA)


WRONG_BY_SCHEMA = [
    {"dims": [["m"]]}, {"dims": {"m": "1"}}, {"dims": {"m": -1}},
    {"in_place": "yes"}, {"operands": [4]}, {"operands": [{"type": "Operand"}]},
    {"operands": [{"type": "Operand", "role": "data", "tensor": [4], "index": ["k"]}]},
    {"operands": [{"type": "Operand", "role": "input", "tensor": [4], "index": [2.5]}]},
    {"window": 2}, {"type": "Reduction"}, {"type": "Counted", "operation": "add"},
]  # fmt: skip


@pytest.mark.parametrize("change", WRONG_BY_SCHEMA, ids=str)
def test_the_schema_refuses_operators_that_are_none(change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(with_work(**change), SCHEMA)


def test_a_layer_of_operators_may_have_a_kind_of_the_programs_own() -> None:
    layer = OperatorLayer("y", "mine.Dense", [(4,)], work=[product(4, 3)])
    network = Network("net", [Input("x", "input", shape=(4,)), layer], {"y": ["x"]})
    assert network.to_dict()["layers"][1]["rule"] == "operators"
    assert back(network) == network


def test_a_dimension_may_be_called_as_the_keys_of_the_form_are() -> None:
    sizes = {"type": 2, "format": 3, "layer": 2}
    operands = [{"type": "Operand", "role": "input", "tensor": [4], "index": ["type + 2layer"]}]
    written = with_layer(
        settings={"work": [{"type": "Contraction", "dims": sizes, "operands": operands}],
                  "results": [[3]]}
    )  # fmt: skip
    read = costmodel.read(json.dumps(written), registry=REGISTRY)
    assert read.macs == 12


def test_the_format_in_which_a_layer_takes_a_tensor_is_kept() -> None:
    taken = Tensor((4,), NARROW)
    layer = OperatorLayer("y", "operators", (taken,), work=Free("carried along"))
    network = Network("net", [Input("x", "input", shape=(4,)), layer], {"y": ["x"]})
    assert back(network).layer("y").inputs == (taken,)


@given(st.floats(), st.sampled_from([None, True, 1, "text", (1, (2.5, None)), {1: (2,)}, ...]))
def test_plain_values_are_read_back_with_their_types(number: float, value: Any) -> None:
    layer = UnknownLayer("x", "a.B", reason="r", recorded=(), parameters_held=3)
    kept = json.loads(json.dumps(costmodel.network.serialization._plain((number, value), "here")))
    decoder = costmodel.network.serialization._Decoder(RULES, {})
    assert repr(decoder.value(kept, "here")) == repr((number, value))
    assert back(Network("net", [layer])).layer("x").parameter_count == 3


def test_an_operator_layer_puts_out_what_its_last_operator_does() -> None:
    layer = by_hand().layer("first")
    assert [tensor.shape for tensor in layer.outputs] == [(3,)]
    assert {name: tensor.shape for name, tensor in layer.parameters.items()} == {"0.0": (4, 3)}
    assert by_hand().macs == 12
    assert by_hand().parameter_count == 12


def test_an_operator_layer_may_name_its_results() -> None:
    work = Unpriced("nobody knows")
    layer = OperatorLayer("x", "operators", (Tensor((4,)),), work=work, results=((2,), (5,)))
    assert [tensor.shape for tensor in layer.outputs] == [(2,), (5,)]


def test_the_formats_of_operators_are_the_layers() -> None:
    lowered = costmodel.work_by_layer(by_hand(), Scenario(source_format=NARROW))
    assert lowered[1].layer.parameters["0.0"].format == NARROW
    assert lowered[1].layer.inputs[0].format == NARROW


def changed(**changes: Any) -> Any:
    values = by_hand().to_dict()
    values.update(changes)
    return values


def with_layer(**changes: Any) -> Any:
    values = by_hand().to_dict()
    values["layers"][1].update(changes)
    return values


def with_work(**changes: Any) -> Any:
    values = by_hand().to_dict()
    values["layers"][1]["settings"]["work"][0].update(changes)
    return values


def with_read(**changes: Any) -> Any:
    """The network with changes to the input of its first operator."""
    values = by_hand().to_dict()
    values["layers"][1]["settings"]["work"][0]["operands"][0].update(changes)
    return values


def with_counted(**fields: Any) -> Any:
    counted = {"type": "Counted", "operation": "add", **fields}
    return with_layer(settings={"work": [counted], "results": [[3]]})


MISTAKES = {
    "another version": (changed(schema="costmodel/network/1"), "costmodel/network/1"),
    "no layers": (changed(layers=[]), "no layers"),
    "layers that are not a list": (changed(layers={}), "a list of layers"),
    "a name that is not text": (changed(name=3), "a text as name"),
    "an unknown key": (changed(layer=[]), "did you mean 'layers'"),
    "an output that is none": (changed(outputs=[["odd"]]), "[layer, output]"),
    "an output that is not there": (changed(outputs=[["odd", 7]]), "output 7 of 'odd'"),
    "a layer that is not an object": (changed(layers=["x"]), "layer 0: expected a JSON object"),
    "a layer without a name": (with_layer(name=""), "a text as 'name'"),
    "a layer without a kind": (with_layer(kind=None), "a text as 'kind'"),
    "an unknown kind": (with_layer(kind="keras.Conv2d"), "'keras.Conv2D'"),
    "a rule that is not text": (with_layer(rule=2), "texts as rule and shares"),
    "a layer twice": (with_layer(name="x"), "more than one layer is called 'x'"),
    "an unknown source": (with_layer(inputs=[["y", 0]]), "'y', which no layer before it gives"),
    "a later source": (with_layer(inputs=[["odd", 0]]), "which no layer before it gives"),
    "an unknown output": (with_layer(inputs=[["x", 1]]), "output 1 of 'x'"),
    "an input that is none": (with_layer(inputs=["x"]), "[layer, output]"),
    "a format that is none": (with_layer(inputs=[["x", 0, {"format": "odd"}]]), "not a numeric"),
    "an unknown setting": (with_layer(settings={"works": []}), "did you mean 'work'"),
    "a missing setting": (with_layer(settings={}), "work"),
    "a missing field": (
        with_layer(settings={"work": [{"type": "Reduction", "dims": {"k": 3}}]}),
        "layer 1 ('first'), work[0]: 'function' is missing",
    ),
    "a size that is a text": (
        with_counted(count="64"),
        "layer 1 ('first'), work[0].count: expected a whole number, found '64'",
    ),
    "a size that is broken": (with_counted(count=1.5), "a whole number, found 1.5"),
    "a size that is a truth value": (with_counted(count=True), "a whole number, found True"),
    "a truth value that is a text": (with_work(in_place="yes"), "work[0].in_place: expected true"),
    "a function that is a number": (
        with_layer(settings={"work": [{"type": "Activation", "function": 3}]}),
        "work[0].function: expected a text, found 3",
    ),
    "sizes without names": (with_work(dims=[64]), 'expected sizes by name, such as {"m": 1'),
    "a size of three": (with_work(dims=[["m", 1, 2]]), 'expected sizes by name, such as {"m": 1'),
    "sizes that are texts": (with_work(dims={"m": "1"}), 'expected sizes by name, such as {"m": 1'),
    "operands that are one shape": (with_work(operands=[4]), "work[0].operands"),
    "an operand without a role": (
        with_work(operands=[{"type": "Operand", "tensor": [4], "index": ["k"]}]),
        "work[0].operands[0]: 'role' is missing",
    ),
    "an unknown role": (with_read(role="data"), "role is 'data'; expected one of input, weight"),
    "an index for no axis": (with_read(index=["k", "n"]), "2 indices for the axes of 4"),
    "an index that is not a sum": (with_read(index=["k *"]), "expected a sum such as '2p + r - 1'"),
    "an index that is a number": (with_read(index=[2.5]), "work[0].operands[0].index"),
    "an index of an unknown dimension": (with_read(index=["m"]), "reads dimension 'm'"),
    "a format that is a number": (
        with_read(tensor={"type": "Tensor", "shape": [4], "format": 8}),
        'work[0].operands[0].tensor.format: expected a format such as "int8"',
    ),
    "a tensor without a shape": (
        with_read(tensor={"type": "Tensor"}),
        "work[0].operands[0].tensor: 'shape' is missing",
    ),
    "a tensor with a shape that is a text": (
        with_read(tensor={"type": "Tensor", "shape": "64"}),
        "expected a shape such as [3, 4], found '64'",
    ),
    "an arriving format that is a number": (
        with_layer(inputs=[["x", 0, 8]]),
        'layer 1: expected a format such as "int8"',
    ),
    "an arriving format that nobody knows": (with_layer(inputs=[["x", 0, "in8"]]), "'in8'"),
    "no inputs for work that takes some": (with_layer(inputs=[]), "it has no inputs"),
    "a format without its bits": (
        with_layer(inputs=[["x", 0, {"format": "fixed"}]]),
        "is not a fixed format; its fields: bits, integer_bits, signed",
    ),
    "an input whose shape is a number": (
        changed(layers=[{"name": "x", "kind": "input", "settings": {"shape": 32}}]),
        "layer 0 ('x'), shape: expected a shape such as [3, 4], found 32",
    ),
    "results that are one shape": (
        with_layer(settings={"work": {"type": "Free", "reason": "r"}, "results": [3]}),
        "results: expected a list of shapes such as [[3, 4]], found [3]",
    ),
    "work that is an operator": (
        with_layer(settings={"work": {"type": "Gather"}}),
        "expected a list of operators",
    ),
    "a setting of another type": (with_layer(settings={"work": 3}), "layer 1 ('first')"),
    "an unknown type": (with_work(type="os.system"), "not a type of value; known: Activation"),
    "an unknown field": (with_work(dim=[]), "did you mean 'dims'"),
    "a dimension of negative size": (with_work(dims=[["n", 3], ["k", -1]]), "has size -1"),
    "a sum of nothing": (with_counted(count=3, sum_length=0), "sum_length"),
    "a shape with a text": (
        with_read(tensor={"type": "Tensor", "shape": ["a"]}),
        "not an axis length",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_form_is_a_clear_error(mistake: str) -> None:
    values, message = MISTAKES[mistake]
    with pytest.raises((ReadError, NetworkError)) as caught:
        costmodel.read(json.dumps(values), registry=REGISTRY)
    assert message in str(caught.value)


def test_a_deep_value_is_a_clear_error() -> None:
    """Which is refused, its depth or its form, depends on how deep this Python reads JSON."""
    values = with_work(dims=json.loads("[" * 900 + "]" * 900))
    with pytest.raises(ReadError, match=r"nested too deeply|expected sizes by name") as caught:
        costmodel.read(json.dumps(values), registry=REGISTRY)
    assert len(str(caught.value)) < 500


def test_a_layer_on_the_wrong_shape_names_itself() -> None:
    values = changed()
    values["layers"][0]["settings"]["shape"] = [5, 0]
    with pytest.raises(CostModelError, match="'x'"):
        costmodel.read(json.dumps(values), registry=REGISTRY)


def test_a_layer_of_a_class_without_kinds_is_written_by_nobody() -> None:
    class Own(costmodel.Layer):
        pass

    network = Network(
        "net", [Input("x", "input", shape=(4,)), Own("y", "own", (Tensor((4,)),))], {"y": ["x"]}
    )
    with pytest.raises(NetworkError, match="'Own' serves no kind"):
        network.to_json()


def test_a_shape_error_is_one() -> None:
    values = with_layer(kind="keras.Dense", settings={"units": 3, "use_bias": False})
    values["layers"][0]["settings"]["shape"] = []
    with pytest.raises(ShapeError, match="'first'"):
        costmodel.read(json.dumps(values), registry=REGISTRY)


@pytest.mark.parametrize("value", ["NaN", '{"type": "float", "value": "nan"}'])
def test_an_argument_that_is_not_a_number_is_read_back_equal(value: str) -> None:
    given = (
        f'{{"type": "Arguments", "positional": [{{"type": "LayerInput", "index": 0}}, {value}]}}'
    )
    text = (
        '{"schema": "costmodel/network/2", "name": "n", "layers": ['
        '{"name": "x", "kind": "keras.InputLayer", "settings": {"shape": [3]}},'
        '{"name": "y", "kind": "keras.ops.Add", "inputs": [["x", 0]], '
        f'"settings": {{"arguments": {given}}}}}]}}'
    )
    network = costmodel.read(text, registry=REGISTRY)
    assert costmodel.read(network.to_json(), registry=REGISTRY) == network
