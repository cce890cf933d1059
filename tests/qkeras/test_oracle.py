"""QTools itself as the oracle: both sides of drawn networks, compared digit for digit."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pytest
from golden import specs
from golden.qtools_cases import exactly
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from qkeras_cases import draw_case

from costmodel_qkeras import QTools
from costmodel_qkeras.qtools.errors import QToolsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

keras: Any = pytest.importorskip("keras")
pytest.importorskip("qkeras.qtools")  # a folder of tests may be called qkeras
qkeras: Any = pytest.importorskip("qkeras")
run_qtools: Any = pytest.importorskip("qkeras.qtools.run_qtools")
qgraph: Any = pytest.importorskip("qkeras.qtools.qgraph")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # QTools warns of much
]

DRAWN = 100
"""Networks that both sides must answer alike."""


def plain(value: Any) -> Any:
    """JSON values of what QTools returns, tensors among them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return np.asarray(keras.ops.convert_to_numpy(value)).tolist()


GRAPH_OF_QTOOLS = qgraph.GenerateGraphFromModel


def graph_in_declared_order(model: Any, *options: Any) -> Any:
    """QTools' graph, with the inputs of each layer in the order in which the layer takes them.

    QTools has them in the order of a set, which follows memory addresses.
    """
    graph, sources = GRAPH_OF_QTOOLS(model, *options)
    for node, values in graph.nodes.items():
        (layer,) = values["layer"]
        taken = layer.input if layer is not None and isinstance(layer.input, list) else []
        places = {id(tensor): place for place, tensor in reversed(list(enumerate(taken)))}
        edges = list(graph.in_edges(node, data=True)) if places else []
        graph.remove_edges_from([(source, to) for source, to, _ in edges])
        graph.add_edges_from(sorted(edges, key=lambda edge: places[id(edge[2]["tensor"])]))
    return graph, sources


@pytest.fixture(autouse=True, scope="module")
def declared_order() -> Iterator[None]:
    with mock.patch.object(qgraph, "GenerateGraphFromModel", graph_in_declared_order):
        yield


def live_quantizers(names: list[str] | None) -> Any:
    named = ("int8", "int16", "int32", "fp16", "fp32")
    get = qkeras.quantizers.get_quantizer
    return names and [name if name in named else get(name) for name in names]


def answers(make: Any, sources: Any, case: Mapping[str, Any], model: Any) -> dict[str, Any]:
    """Everything that QTools or its drop-in says."""
    tools = make(model, "horowitz", source_quantizers=sources, **case["options"])
    energy = tools.pe(**case["memory"])
    include = QTools.include_energy
    return {
        "dtypes": plain(tools._output_dict),
        "energy": plain(energy),
        "sum": tools.extract_energy_sum(include, energy),
        "profile": plain(tools.extract_energy_profile(include, energy)),
        "ace": [int(np.ravel(plain(number))[0]) for number in tools.calculate_ace(32)],
    }


def silently(ask: Any) -> Any:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        return ask()


def built(spec: Any, random: Random) -> Any:
    """A live model whose weights are a few powers of two."""
    keras.backend.clear_session(free_memory=False)
    model = silently(lambda: specs.build(spec, [qkeras]))
    for layer in model.layers:
        low, count = -2, random.randint(1, 4)
        powers = [
            np.exp2([random.randint(low, low + count) for _ in range(weight.size)])
            for weight in layer.get_weights()
        ]
        shaped = zip(powers, layer.get_weights(), strict=True)
        layer.set_weights([value.reshape(weight.shape) for value, weight in shaped])
    return model


def compare(case: Mapping[str, Any], model: Any) -> bool:
    """Compare both answers; False where QTools has none."""
    sources = live_quantizers(case["source_quantizers"])
    try:
        expected = silently(lambda: answers(run_qtools.QTools, sources, case, model))
    except Exception:  # noqa: BLE001  # an oracle raises what it likes
        # Where QTools has no answer there may be one here, but never a crash.
        with contextlib.suppress(QToolsError):
            answers(QTools, case["source_quantizers"], case, model)
        return False
    found = answers(QTools, case["source_quantizers"], case, model)
    assert {key: exactly(value) for key, value in found.items()} == {
        key: exactly(value) for key, value in expected.items()
    }
    return True


@settings(max_examples=DRAWN, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_qtools_and_its_drop_in_say_the_same_of_any_network(random: Random) -> None:
    case = draw_case(random)
    try:
        model = built(case["spec"], random)
    except (ValueError, TypeError):
        assume(False)  # noqa: FBT003  # Keras itself refuses the network
    assume(compare(case, model))
