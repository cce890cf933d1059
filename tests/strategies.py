"""Hypothesis strategies for networks of Keras.

A network is drawn as a `Sketch`, plain values that need no framework. A sketch becomes a
`Network` layer by layer, or the JSON that Keras would save, or the same network wider or under
other names, so that a law can compare the two. Everything is small, and shrinks towards one
input, few layers and short axes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen
from hypothesis import strategies as st

from costmodel import Layer, Network
from costmodel.network.layer import UnknownLayer
from costmodel.tensor.shapes import Tensor
from costmodel.testing.strategies import SIDES, shapes
from costmodel_keras.graph import ConfigView
from costmodel_keras.unfolding import make_layer

if TYPE_CHECKING:
    from costmodel.network.layer import LayerRegistry
    from costmodel.tensor.shapes import Shape

Settings = dict[str, Any]
"""The configuration of a layer as Keras saves it."""


@frozen
class Recipe:
    """How to draw the settings of one kind of layer.

    `ranks` are the numbers of input axes that the kind takes, `width` the setting that makes it
    wider, and `takes` its number of inputs, which all have the shape of the first.
    """

    kind: str
    ranks: range
    settings: Callable[[st.DrawFn, Shape], Settings] = lambda _draw, _shape: {}
    width: str | None = None
    takes: int = 1


@frozen
class Node:
    """One layer of a sketch: what it is, and the names of the layers that feed it."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    sources: tuple[str, ...]
    width: str | None = None


@frozen
class Sketch:
    """A network as plain values."""

    nodes: tuple[Node, ...]

    def network(self, rules: LayerRegistry, name: str = "drawn") -> Network:
        """The network, each layer made by its rule."""
        layers = self.layers(rules)
        return Network(name, layers.values(), {node.name: node.sources for node in self.nodes})

    def layers(self, rules: LayerRegistry) -> dict[str, Layer]:
        """The layers by name."""
        made: dict[str, Layer] = {}
        for node in self.nodes:
            made[node.name] = made_from(
                node, [made[source].outputs[0] for source in node.sources], rules
            )
        return made

    def renamed(self, rename: Callable[[str], str]) -> Sketch:
        """The same network under other names."""
        return Sketch(tuple(_renamed(node, rename) for node in self.nodes))

    def widened(self, name: str, times: int) -> Sketch:
        """The same network with one layer `times` as wide."""
        return Sketch(
            tuple(_widened(node, times) if node.name == name else node for node in self.nodes)
        )

    def config(self, rules: LayerRegistry, name: str = "drawn") -> dict[str, Any]:
        """The network as Keras saves a functional model."""
        made = self.layers(rules)
        fed = {source for node in self.nodes for source in node.sources}
        ends = [node.name for node in self.nodes if node.name not in fed]
        starts = [node.name for node in self.nodes if not node.sources]
        settings = {
            "name": name,
            "layers": [_entry(node, made) for node in self.nodes],
            "input_layers": [[start, 0, 0] for start in starts],
            "output_layers": [[end, 0, 0] for end in ends],
        }
        return {"module": "keras", "class_name": "Functional", "config": settings}

    def json(self, rules: LayerRegistry) -> str:
        """The network as the text of `model.to_json()`."""
        return json.dumps(self.config(rules))


def made_from(node: Node, inputs: Sequence[Tensor], rules: LayerRegistry) -> Layer:
    """The layer of one node for these inputs."""
    cls = rules.find(node.kind)
    if cls is None:
        reason = rules.reason_unknown(node.kind)
        shape = inputs[0].shape
        return UnknownLayer(node.name, node.kind, tuple(inputs), recorded=(shape,), reason=reason)
    view = ConfigView(_bare_entry(node), node.name)
    return make_layer(cls, node.name, tuple(inputs), view, rules)


@st.composite
def sketches(
    draw: st.DrawFn,
    recipes: Sequence[Recipe] = (),
    *,
    rules: LayerRegistry,
    max_layers: int = 6,
    branching: bool = True,
) -> Sketch:
    """Acyclic networks of one to `max_layers` layers behind one input.

    Without `branching` they are chains. `recipes` are tried in their order when shrinking.
    """
    recipes = recipes or KERAS
    shape = draw(shapes(st.integers(1, 4)))
    nodes = [Node("input", "keras.InputLayer", {"batch_shape": [None, *shape]}, ())]
    made = {"input": made_from(nodes[0], [], rules)}
    for index in range(draw(st.integers(1, max_layers))):
        first = draw(st.sampled_from(list(made))) if branching else nodes[-1].name
        # In a chain a merge takes its one source several times, so that its inputs stay alike.
        known = made if branching else {first: made[first]}
        node = _next_node(draw, f"layer_{index}", first, known, recipes)
        nodes.append(node)
        made[node.name] = made_from(
            node, [made[source].outputs[0] for source in node.sources], rules
        )
    return Sketch(tuple(nodes))


def networks(rules: LayerRegistry, **options: Any) -> st.SearchStrategy[Network]:
    """The networks of `sketches`."""
    return sketches(rules=rules, **options).map(lambda sketch: sketch.network(rules))


def _next_node(
    draw: st.DrawFn, name: str, first: str, made: Mapping[str, Layer], recipes: Iterable[Recipe]
) -> Node:
    shape = made[first].outputs[0].shape
    fitting = [item for item in recipes if len(shape) in item.ranks]
    # Half of the draws go to the kinds that take this number of axes alone, which are rarer.
    special = [item for item in fitting if len(item.ranks) == 1]
    common = [item for item in fitting if len(item.ranks) > 1]
    recipe = draw(st.sampled_from(draw(st.sampled_from([r for r in (common, special) if r]))))
    alike = [other for other, layer in made.items() if layer.outputs[0].shape == shape]
    others = [draw(st.sampled_from(alike)) for _ in range(recipe.takes - 1)]
    return Node(name, recipe.kind, recipe.settings(draw, shape), (first, *others), recipe.width)


def _renamed(node: Node, rename: Callable[[str], str]) -> Node:
    return evolve(node, name=rename(node.name), sources=tuple(map(rename, node.sources)))


def _widened(node: Node, times: int) -> Node:
    if node.width is None:
        return node
    return evolve(node, settings={**node.settings, node.width: node.settings[node.width] * times})


def _entry(node: Node, made: Mapping[str, Layer]) -> dict[str, Any]:
    tensors = [
        {
            "class_name": "__keras_tensor__",
            "config": {
                "shape": [None, *made[source].outputs[0].shape],
                "dtype": "float32",
                "keras_history": [source, 0, 0],
            },
        }
        for source in node.sources
    ]
    args = [tensors] if len(tensors) > 1 else tensors
    inbound = [{"args": args, "kwargs": {}}] if tensors else []
    return {**_bare_entry(node), "name": node.name, "inbound_nodes": inbound}


def _bare_entry(node: Node) -> dict[str, Any]:
    package, _, class_name = node.kind.partition(".")
    module = "keras.layers" if package == "keras" else package
    settings = {"name": node.name, **node.settings}
    return {"module": module, "class_name": class_name, "config": settings}


# ------------------------------------------------------------------ the layers of Keras


def _activation(draw: st.DrawFn) -> str:
    return draw(st.sampled_from(["linear", "relu", "sigmoid"]))


def _dense(draw: st.DrawFn, _: Shape) -> Settings:
    return {
        "units": draw(SIDES),
        "use_bias": draw(st.booleans()),
        "activation": _activation(draw),
    }


def _window(draw: st.DrawFn, shape: Shape) -> Settings:
    """A window that fits, moved by some stride or spread by some dilation, never both."""
    kernel = [draw(st.integers(1, min(3, length))) for length in shape[:-1]]
    stride = draw(st.integers(1, 2))
    return {
        "kernel_size": kernel,
        "strides": [stride] * len(kernel),
        "padding": draw(st.sampled_from(["valid", "same"])),
        "data_format": "channels_last",
        "dilation_rate": [1] * len(kernel),
        "use_bias": draw(st.booleans()),
        "activation": _activation(draw),
    }


def _conv(draw: st.DrawFn, shape: Shape) -> Settings:
    groups = draw(st.sampled_from([n for n in (1, 2, 3) if not shape[-1] % n]))
    filters = groups * draw(st.integers(1, 3))
    return {**_window(draw, shape), "filters": filters, "groups": groups}


def _conv_transpose(draw: st.DrawFn, shape: Shape) -> Settings:
    return {**_window(draw, shape), "filters": draw(SIDES), "output_padding": None}


def _depthwise(draw: st.DrawFn, shape: Shape) -> Settings:
    return {**_window(draw, shape), "depth_multiplier": draw(st.integers(1, 3))}


def _separable(draw: st.DrawFn, shape: Shape) -> Settings:
    return {**_depthwise(draw, shape), "filters": draw(SIDES)}


def _pooling(draw: st.DrawFn, shape: Shape) -> Settings:
    window = _window(draw, shape)
    return {
        "pool_size": window["kernel_size"],
        "strides": window["strides"],
        "padding": window["padding"],
    }


def _global_pooling(draw: st.DrawFn, _: Shape) -> Settings:
    return {"keepdims": draw(st.booleans())}


def _reshape(draw: st.DrawFn, shape: Shape) -> Settings:
    kept = draw(st.integers(0, len(shape) - 1))
    return {"target_shape": [-1, *shape[len(shape) - kept :]]}


def _permute(draw: st.DrawFn, shape: Shape) -> Settings:
    return {"dims": draw(st.permutations(range(1, len(shape) + 1)))}


def _pairs(draw: st.DrawFn, count: int, most: int) -> list[list[int]]:
    return [[draw(st.integers(0, most)), draw(st.integers(0, most))] for _ in range(count)]


def _padding(draw: st.DrawFn, shape: Shape) -> Settings:
    pairs = _pairs(draw, len(shape) - 1, 2)
    return {"padding": pairs[0] if len(pairs) == 1 else pairs}


def _cropping(draw: st.DrawFn, shape: Shape) -> Settings:
    pairs = [[draw(st.integers(0, length - 1)), 0] for length in shape[:-1] if length]
    return {"cropping": pairs[0] if len(pairs) == 1 else pairs}


def _upsampling(draw: st.DrawFn, shape: Shape) -> Settings:
    return {"size": [draw(st.integers(1, 2)) for _ in shape[:-1]]}


def _layer_normalization(draw: st.DrawFn, shape: Shape) -> Settings:
    axis = draw(st.integers(1, len(shape)))
    return {
        "axis": [axis],
        "center": draw(st.booleans()),
        "scale": draw(st.booleans()),
        "rms_scaling": draw(st.booleans()),
    }


def _batch_normalization(draw: st.DrawFn, _: Shape) -> Settings:
    return {"axis": -1, "center": draw(st.booleans()), "scale": draw(st.booleans())}


def _normalization(draw: st.DrawFn, _: Shape) -> Settings:
    given = draw(st.booleans())
    return {"axis": [-1], "mean": [0.5] if given else None, "variance": [2.0] if given else None}


def _time_distributed(draw: st.DrawFn, shape: Shape) -> Settings:
    inner = Node("inner", "keras.Dense", _dense(draw, shape), ())
    return {"layer": _bare_entry(inner)}


def _table(draw: st.DrawFn, _: Shape) -> Settings:
    return {"input_dim": draw(SIDES), "output_dim": draw(SIDES)}


def _by_dimension(
    name: str,
    settings: Callable[[st.DrawFn, Shape], Settings],
    dimensions: Iterable[int],
    **more: Any,
) -> list[Recipe]:
    return [
        Recipe(f"keras.{name.format(n)}", range(n + 1, n + 2), settings, **more) for n in dimensions
    ]


ANY_RANK: Final = range(1, 9)

KERAS: Final = (
    Recipe("keras.Dense", ANY_RANK, _dense, "units"),
    Recipe("keras.ReLU", ANY_RANK),
    Recipe("keras.Activation", ANY_RANK, lambda draw, _: {"activation": _activation(draw)}),
    Recipe("keras.Softmax", ANY_RANK),
    Recipe("keras.PReLU", ANY_RANK, lambda _draw, _shape: {"shared_axes": [1]}),
    Recipe("keras.Dropout", ANY_RANK, lambda _draw, _shape: {"rate": 0.5}),
    Recipe("keras.Flatten", ANY_RANK),
    Recipe("keras.Reshape", range(1, 5), _reshape),
    Recipe("keras.Permute", ANY_RANK, _permute),
    Recipe("keras.RepeatVector", range(1, 2), lambda draw, _: {"n": draw(SIDES)}),
    Recipe("keras.Embedding", range(1, 3), _table, "output_dim"),
    Recipe("keras.BatchNormalization", ANY_RANK, _batch_normalization),
    Recipe("keras.LayerNormalization", ANY_RANK, _layer_normalization),
    Recipe("keras.Rescaling", ANY_RANK, lambda _draw, _shape: {"scale": 0.5, "offset": 0.0}),
    Recipe("keras.Normalization", ANY_RANK, _normalization),
    Recipe("keras.TimeDistributed", range(2, 5), _time_distributed),
    *(
        Recipe(f"keras.{name}", ANY_RANK, takes=2)
        for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    ),
    Recipe("keras.Concatenate", ANY_RANK, lambda _draw, _shape: {"axis": -1}, takes=3),
    *_by_dimension("Conv{}D", _conv, (1, 2, 3), width="filters"),
    *_by_dimension("Conv{}DTranspose", _conv_transpose, (1, 2, 3), width="filters"),
    *_by_dimension("DepthwiseConv{}D", _depthwise, (1, 2), width="depth_multiplier"),
    *_by_dimension("SeparableConv{}D", _separable, (1, 2), width="filters"),
    *_by_dimension("MaxPooling{}D", _pooling, (1, 2, 3)),
    *_by_dimension("AveragePooling{}D", _pooling, (1, 2, 3)),
    *_by_dimension("GlobalMaxPooling{}D", _global_pooling, (1, 2, 3)),
    *_by_dimension("GlobalAveragePooling{}D", _global_pooling, (1, 2, 3)),
    *_by_dimension("ZeroPadding{}D", _padding, (1, 2, 3)),
    *_by_dimension("Cropping{}D", _cropping, (1, 2, 3)),
    *_by_dimension("UpSampling{}D", _upsampling, (1, 2, 3)),
)
"""Recipes for the layers of Keras that have a rule, simplest first."""

WITHOUT_TIME: Final = tuple(recipe for recipe in KERAS if "TimeDistributed" not in recipe.kind)
"""The recipes for layers without a time axis of their own, which any number of timesteps fits."""

UNKNOWN: Final = Recipe("acme.Octave", ANY_RANK)
"""A recipe for a layer that no rule knows."""
