"""Translations: how a third party adds an operator, and what becomes of one that nobody knows."""

from __future__ import annotations

import pytest
from frontends.graphs import functions, lowered

from costmodel.errors import ReadError
from costmodel.frontend.graph import Graph
from costmodel.frontend.operations.work import Value
from costmodel.frontend.translation import (
    DataDependentError,
    SourceNode,
    Translation,
    TranslationTable,
)

TABLE = TranslationTable("test")


@TABLE.translates("Relu", "Rectify")
def relu(node: SourceNode) -> Value:
    return node.add("activation", node.input(), function="relu")


@TABLE.translates("Slice")
def sliced(node: SourceNode) -> Value:
    start, end = node.numbers(1, "the slice")
    return node.add("select", node.input(), key=[slice(None), slice(start, end)])


@TABLE.translates("Faulty")
def faulty(node: SourceNode) -> Value:
    return node.add("activation", node.input(), function=node.attributes["function"])


def swish_gate(node: SourceNode) -> Value:
    gate = node.add("activation", node.input(0), function="sigmoid")
    return node.add("elementwise", gate, node.input(1), function="multiply")


def translated(operator: str, table: TranslationTable = TABLE, inputs: int = 1) -> Graph:
    graph = Graph("net", "test")
    values = [graph.input(f"x{place}", (1, 8)) for place in range(inputs)]
    node = SourceNode(graph, operator, "own", values, {}, 1, [(1, 8)])
    graph.outputs = list(table.translate(node))
    return graph


def test_a_node_becomes_the_operations_of_its_rule() -> None:
    network, workload = lowered(translated("Rectify"))
    assert functions(workload) == ["relu"]
    assert network.layers[-1].kind == "test.Rectify"


def test_a_third_party_adds_an_operator_and_goes_first() -> None:
    more = [Translation("test", "com.acme::SwishGate", swish_gate),
            Translation("test", "Relu", lambda node: node.add("activation", node.input(),
                                                              function="tanh"))]  # fmt: skip
    table = TABLE.extended(more)
    assert functions(lowered(translated("com.acme::SwishGate", table, 2))[1]) == [
        "sigmoid", "multiply",
    ]  # fmt: skip
    assert functions(lowered(translated("Relu", table))[1]) == ["tanh"]
    assert "com.acme::SwishGate" not in TABLE


def test_an_unknown_operator_stays_and_is_unpriced() -> None:
    network, workload = lowered(translated("Relux"))
    (operator,) = workload.operators
    assert "no rule for the test operator 'Relux' (nearest known: 'Relu'" in str(
        operator.unpriced  # type: ignore[attr-defined]  # unsupported
    )
    assert network.layers[-1].outputs[0].shape == (8,)


def test_an_unknown_operator_of_unknown_shape_is_refused() -> None:
    graph = Graph("net", "test")
    with pytest.raises(ReadError, match="does not state the shape"):
        TABLE.translate(SourceNode(graph, "Relux", "own", [graph.input("x", (1, 8))]))


def test_what_depends_on_data_is_unpriced_with_the_reason() -> None:
    _, workload = lowered(translated("Slice", inputs=2))
    (operator,) = workload.operators
    assert "the slice depends on data (input 1, 'x1')" in str(operator.unpriced)  # type: ignore[attr-defined]  # unsupported


def test_a_fault_of_a_rule_names_node_rule_and_line() -> None:
    with pytest.raises(ReadError, match=r"test node 'own' of Faulty .*KeyError.*in faulty"):
        translated("Faulty")
    with pytest.raises(ReadError, match="input 1 is missing"):
        translated("com.acme::SwishGate", TABLE.extended(
            [Translation("test", "com.acme::SwishGate", swish_gate)]
        ))  # fmt: skip


def test_two_rules_for_one_operator_are_refused() -> None:
    with pytest.raises(ValueError, match="two rules for 'Relu'"):
        TABLE.translates("Relu")(relu)


def test_data_dependence_is_an_error_of_the_project() -> None:
    graph = Graph("net", "test")
    node = SourceNode(graph, "Slice", "own", [graph.input("x", (1, 8))])
    with pytest.raises(DataDependentError, match="depends on data"):
        node.data(0, "it")
