"""Regions and functions: calls, loops and branches."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from costmodel.errors import CostModelError, ReadError
from costmodel.frontend.translation import DataDependentError, innermost
from costmodel_stablehlo.loops import loop
from costmodel_stablehlo.operators.products import product
from costmodel_stablehlo.operators.reasons import UNPRICED
from costmodel_stablehlo.operators.table import translates

if TYPE_CHECKING:
    from costmodel.frontend.operations.work import Value
    from costmodel_stablehlo.nodes import ModuleNode


@translates("constant", "chlo.constant")
def constant(node: ModuleNode) -> Value:
    """A tensor of the module; one of several numbers that are not all the same is trained."""
    from costmodel_stablehlo.constants import constant_of  # noqa: PLC0415  # brings NumPy

    return constant_of(node)


@translates("chlo.constant_like")
def constant_like(node: ModuleNode) -> Value:
    """A number in the shape of a tensor."""
    from costmodel_stablehlo.constants import filled  # noqa: PLC0415  # brings NumPy

    return filled(node, float(node.attribute("value", 0)), node.input().shape)


# ------------------------------------------------------------------ calls


@translates("func.call")
def call(node: ModuleNode) -> Sequence[Value]:
    """The operations of a function."""
    return _called(node, str(node.attribute("callee")))


@translates("composite")
def composite(node: ModuleNode) -> Sequence[Value]:
    """An operation of another set; one whose name is not known is what it is composed of."""
    name = str(node.attribute("name", "")).rpartition(".")[2]
    if name in _FUNCTIONS and len(node.present) == 1 and node.results == 1:
        return [node.add("activation", node.input(), function=_FUNCTIONS[name])]
    return _called(node, str(node.attribute("decomposition")))


_FUNCTIONS: Final[Mapping[str, str]] = {
    "gelu": "gelu", "gelu_approximate": "gelu_approximate", "gelu_tanh": "gelu_approximate",
    "silu": "silu", "swish": "silu", "hard_swish": "hard_swish", "relu": "relu", "relu6": "relu6",
    "sigmoid": "sigmoid", "tanh": "tanh", "softplus": "softplus", "mish": "mish", "elu": "elu",
    "erf": "erf", "erfc": "erfc", "erf_inv": "erfinv", "square": "square", "sinh": "sinh",
    "cosh": "cosh", "asin": "asin", "acos": "acos", "atan": "atan", "asinh": "asinh",
    "acosh": "acosh", "atanh": "atanh", "tan": "tan", "lgamma": "lgamma", "digamma": "digamma",
}  # fmt: skip
"""Functions of one element that composites and custom calls name."""


def _called(node: ModuleNode, name: str) -> Sequence[Value]:
    function = node.functions.get(name.removeprefix("@"))
    if function is None:
        message = f"it calls {name!r:.80}, which the module does not define"
        raise DataDependentError(message)
    return node.run(function.body, node.own_graph, node.present)


# ------------------------------------------------------------------ loops and branches


def _or_unpriced(rule: Callable[[ModuleNode], Sequence[Value]]) -> Any:
    """The rule of regions of which nothing is known where one of them cannot be read."""

    def build(node: ModuleNode) -> Sequence[Value]:
        try:
            return rule(node)
        except DataDependentError:
            raise
        except CostModelError as error:
            message = f"what it holds cannot be read: {innermost(error)}"
            raise DataDependentError(message) from error

    return build


@translates("while")
@_or_unpriced
def while_(node: ModuleNode) -> Sequence[Value]:
    """A loop of a known number of steps."""
    return loop(node)


@translates("case")
@_or_unpriced
def case(node: ModuleNode) -> Sequence[Value]:
    """One of several regions."""
    number = node.input(0).scalar
    last = len(node.regions) - 1
    place = None if number is None else int(number) if 0 <= number <= last else last
    return _chosen(node, place)


@translates("if")
@_or_unpriced
def if_(node: ModuleNode) -> Sequence[Value]:
    """One of two regions."""
    number = node.input(0).scalar
    return _chosen(node, None if number is None else 0 if number else 1)


def _chosen(node: ModuleNode, place: int | None) -> Sequence[Value]:
    graph = node.own_graph
    if place is not None or len(node.regions) == 1:
        return node.run(node.regions[place or 0], graph, ())
    alternatives = []
    for number, region in enumerate(node.regions):
        body = graph.body(f"{node.name}.{number}")
        with body.source(f"{node.name}.{number}", node.operator):
            results = [_own(body, value) for value in node.run(region, body, ())]
        alternatives.append((body, results))
    from costmodel.frontend.control import branch  # noqa: PLC0415  # the graph knows it by now

    return branch(graph, node.input(0), alternatives)


def _own(body: Any, value: Value) -> Value:
    """A value that the body itself gives."""
    given = {id(one) for node in body.nodes for one in node.writes}
    return value if id(value) in given else body.append(
        "copy", *_copied(value)
    )[0]  # fmt: skip


def _copied(value: Value) -> tuple[Any, Sequence[Any]]:
    from costmodel.frontend.operations.movements import copy  # noqa: PLC0415  # see `branch`

    return copy(value, purpose="copy"), [value.format]


# ------------------------------------------------------------------ custom calls

_FACTORISING: Final = ("lapack_", "cusolver_", "hipsolver_")
"""How libraries that factorise and solve begin, as JAX names their functions."""


@translates("custom_call")
def custom_call(node: ModuleNode) -> Any:
    """A call of a library, by its name.

    Raises:
        DataDependentError: nobody knows what it does.

    """
    target = str(node.attribute("call_target_name", ""))
    rule = _CALLED.get(target)
    if rule is None:
        name = target.removeprefix("mhlo.")
        if name in _FUNCTIONS and len(node.present) == 1:
            return node.add("activation", node.input(), function=_FUNCTIONS[name])
        if target.startswith(_FACTORISING):
            message = UNPRICED["cholesky"]
        else:
            message = f"nobody knows what the custom call {target!r:.80} does"
        raise DataDependentError(message)
    return rule(node)


def _settings(node: ModuleNode) -> Mapping[str, Any]:
    """The settings of a call to an Nvidia library, which are JSON."""
    held = node.attribute("backend_config", node.attribute("mhlo.backend_config", "{}"))
    if isinstance(held, dict):
        return held
    try:
        found = json.loads(held)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _gemm(node: ModuleNode) -> Sequence[Value]:
    """A matrix product; the axes stand in the settings, or are those of matrices."""
    settings = _settings(node)
    held = settings.get("gemm_backend_config", settings)
    form = held.get("dot_dimension_numbers", {}) if isinstance(held, dict) else {}
    left, right = node.input(0), node.input(1)
    axes = [
        [int(axis) for axis in form.get(f"{side}_{kind}_dimensions", default)]
        for side, kind, default in (
            ("lhs", "batch", []), ("lhs", "contracting", [left.rank - 1]),
            ("rhs", "batch", []), ("rhs", "contracting", [max(right.rank - 2, 0)]),
        )
    ]  # fmt: skip
    made = product(node, left, right, *axes)
    if made.shape != node.open_shape() and sorted(made.shape) == sorted(node.shape()):
        made = node.add("reshape", made, shape=node.shape())
    return [made, *[_scratch(node, place) for place in range(1, node.results)]]


def _attention(node: ModuleNode) -> Sequence[Value]:
    """Attention, whole: queries, keys and values of (batch, position, head, feature)."""
    query, key, value = node.present[:3]
    layout = "bmhd" if _is_positions_first(node, query) else "bhmd"
    made = node.add("attention", query, key, value, layout=layout)
    if made.shape != node.open_shape():
        order = [0, 2, 1, 3] if sorted(made.shape) == sorted(node.shape()) else list(range(4))
        made = node.add("transpose", made, order=order)
    return [made, *[_scratch(node, place) for place in range(1, node.results)]]


def _is_positions_first(node: ModuleNode, query: Value) -> bool:
    """Whether the axes are (batch, position, head, feature), by the settings of the call."""
    settings = _settings(node).get("cudnn_fmha_backend_config", {})
    form = settings.get("bmm1_dot_dimension_numbers", {}) if isinstance(settings, dict) else {}
    batch = [int(axis) for axis in form.get("lhs_batch_dimensions", (0, 2))]
    return batch != [0, 1]


def _scratch(node: ModuleNode, place: int) -> Value:
    """What a library takes for itself: a tensor that nothing makes."""
    return node.own_graph.constant(f"{node.name}.scratch", node.open_shape(place) or (1,))


def _same(node: ModuleNode) -> Sequence[Value]:
    """The same values."""
    return [node.add("identity", value) for value in node.present[: node.results]]


def _nothing(node: ModuleNode) -> Sequence[Value]:
    """No values: an assertion of shapes."""
    if node.results:
        message = "an assertion that gives a value"
        raise ReadError(message)
    return []


_CALLED: Final[Mapping[str, Callable[[ModuleNode], Any]]] = {
    **dict.fromkeys(
        ("Sharding", "SPMDFullToShardShape", "SPMDShardToFullShape", "LayoutConstraint",
         "annotate_device_placement", "xla.sdy.FuncResultSharding"), _same,
    ),
    "shape_assertion": _nothing,
    **dict.fromkeys(
        ("__cublas$gemm", "__cublas$lt$matmul", "__cublas$lt$matmul$f8", "__onednn$matmul"), _gemm
    ),
    **dict.fromkeys(
        ("__cudnn$fmhaSoftmax", "__cudnn$fmhaScaleBiasSoftmax", "__cudnn$fmhaScaleMaskSoftmax",
         "__cudnn$fmhaScaleBiasMaskSoftmax", "__cudnn$fmhaSoftmaxF8"), _attention,
    ),
}  # fmt: skip
"""What calls of known names do."""
