"""Attention: every query weighs the values by how well their keys fit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import frozen

from costmodel.network.layer import Layer, setting
from costmodel.tensor.shapes import Shape, Tensor, show_shape
from costmodel.workload.assembly import Assembly, numbered
from costmodel.workload.builders import (
    activation,
    attention,
    contract,
    elementwise,
    matmul,
    reduce,
    softmax,
)
from costmodel.workload.graph import Workload
from costmodel.workload.operators import Operator
from costmodel_keras.arguments import CALL, VALUES, Arguments, Array, LayerInput, called
from costmodel_keras.layers import settings
from costmodel_keras.layers.activations import Activating
from costmodel_keras.layers.basic import present
from costmodel_keras.layers.masks import add_masks
from costmodel_keras.layers.merging import own_axis


@frozen(slots=False)
class AttentionLayer(Activating, Layer):
    """What all attention shares: the arguments of its call, and how scores weigh values.

    Every score is computed, also those that a mask, a causal one included, then leaves out: the
    arithmetic is dense. A mask itself is only read.
    """

    parameter_names: ClassVar[tuple[str, ...]] = ()

    arguments: Arguments = setting(called, source=CALL, holds=VALUES)

    @property
    def given(self) -> Mapping[str, Any]:
        """The arguments of the call by their names."""
        return self.arguments.bound(*self.parameter_names)

    @property
    def returns_scores(self) -> bool:
        """Whether the scores are a second output."""
        return bool(self.given.get("return_attention_scores"))

    def source(self, made: Assembly, value: Any) -> str:
        """The name of the tensor that an argument is; a constant is added as a weight."""
        if isinstance(value, LayerInput):
            return numbered("input", value.index + 1)[-1]
        return made.weight("constant", self.tensor(value))

    def tensor(self, value: Any) -> Tensor:
        """The tensor that an argument is: one of the inputs, or a constant without its batch."""
        if isinstance(value, LayerInput):
            return self.inputs[value.index]
        if isinstance(value, Array) and value.shape:
            return Tensor(value.shape[1:])
        message = f"expected a tensor in each of {', '.join(self.parameter_names[:2])}"
        raise ValueError(message)


def _product(shape: Shape) -> int:
    return Tensor(shape).size


def _weighed(tensor: Tensor, by: Tensor) -> Operator:
    return elementwise("multiply", tensor, weights=(by,), in_place=True)


# ------------------------------------------------------------------ with projections


@frozen
class Projection:
    """A weighted sum of the features of a tensor, into heads or out of them."""

    name: str
    values: Tensor
    kernel: tuple[int, ...]
    bias: tuple[int, ...]

    @property
    def summed(self) -> int:
        """Axes of the values, the last ones, that are summed over."""
        return len(self.kernel) - len(self.bias)

    def contracted(self, layer: Layer, output: Tensor | None = None) -> Operator:
        """The sums: the positions of the values, by heads or features."""
        places = len(self.values.shape) - self.summed
        kept = [f"m{axis}" for axis in range(places)]
        summed = [f"c{axis}" for axis in range(self.summed)]
        made = [f"k{axis}" for axis in range(len(self.bias))]
        kernel = layer.parameters[f"{self.name}_kernel"]
        return contract(
            [self.values, kernel], [[*kept, *summed], [*summed, *made]], [*kept, *made],
            bias=layer.parameters.get(f"{self.name}_bias"), output=output,
        )  # fmt: skip


@frozen(slots=False)
class ProjectedAttention(AttentionLayer):
    """Attention in heads, each with projections of its own.

    Where there are fewer heads of keys than of queries, several queries read the same key: it is
    projected once, and not carried again for each.
    """

    parameter_names: ClassVar = (
        "query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask",
        "return_attention_scores", "training", "use_causal_mask",
    )  # fmt: skip

    use_bias: bool = setting(settings.flag, default=True)
    use_gate: bool = setting(settings.flag, default=False, source=("_use_gate", "use_gate"))

    @property
    def heads(self) -> int:
        """Heads of the queries."""
        raise NotImplementedError

    @property
    def key_heads(self) -> int:
        """Heads of the keys and values."""
        return self.heads

    @property
    def depths(self) -> tuple[int, int]:
        """Features of a key and of a value in one head."""
        raise NotImplementedError

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes along which positions attend to each other."""
        return tuple(range(len(self.query.shape) - 1))

    @property
    def query(self) -> Tensor:
        """What asks."""
        return self.tensor(self.given.get("query"))

    @property
    def value(self) -> Tensor:
        """What is weighed."""
        return self.tensor(self.given.get("value"))

    @property
    def key(self) -> Tensor:
        """What the queries are compared with: the values by default."""
        key = self.given.get("key")
        return self.value if key is None else self.tensor(key)

    def result_features(self) -> tuple[int, ...]:
        """The last axes of the output."""
        return (_features(self.query),)

    def scores_shape(self) -> Shape:
        """The shape of the scores where they are an output, as Keras declares it."""
        raise NotImplementedError

    def output_shapes(self) -> Sequence[Shape]:
        """The positions of the queries by features, and the scores where they are asked for."""
        if self.key.shape[:-1] != self.value.shape[:-1]:
            shown = f"{show_shape(self.key.shape)} and values {show_shape(self.value.shape)}"
            message = f"keys {shown} differ in more than their features"
            raise ValueError(message)
        if self._apart(self.query) != self._apart(self.key):
            shown = f"{show_shape(self.query.shape)} and keys {show_shape(self.key.shape)}"
            message = f"queries {shown} differ along an axis that is not attended"
            raise ValueError(message)
        output = (*self.query.shape[:-1], *self.result_features())
        return (output, self.scores_shape()) if self.returns_scores else (output,)

    def _apart(self, tensor: Tensor) -> Shape:
        """The lengths of the axes along which positions do not attend to each other."""
        axes = self.axes
        places = tensor.shape[:-1]
        return tuple(length for axis, length in enumerate(places) if axis not in axes)

    @property
    def projections(self) -> Mapping[str, Projection]:
        """What makes queries, keys, values and, where there is one, the gate."""
        key_depth, value_depth = self.depths
        made = [
            ("query", self.query, self.heads, key_depth),
            ("key", self.key, self.key_heads, key_depth),
            ("value", self.value, self.key_heads, value_depth),
        ]
        if self.use_gate:
            made.append(("gate", self.query, self.heads, value_depth))
        return {
            name: Projection(name, values, (_features(values), heads, depth), (heads, depth))
            for name, values, heads, depth in made
        }

    def _last_kernel(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        features = self.result_features()
        return (self.heads, self.depths[1], *features), features

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Kernels (features, heads, depth) and (heads, depth, features), and biases."""
        shapes = [(item.name, item.kernel, item.bias) for item in self.projections.values()]
        shapes.append(("output", *self._last_kernel()))
        return present(
            entry
            for name, kernel, bias in shapes
            for entry in (
                (f"{name}_kernel", kernel, True), (f"{name}_bias", bias, self.use_bias),
            )
        )  # fmt: skip

    def workload(self) -> Workload:
        """The projections, scores of scaled queries, their softmax, the values that it weighs."""
        made = self.assembly()
        add_masks(made, self.given)
        query, value = (self.source(made, self.given.get(name)) for name in ("query", "value"))
        asked = self.given.get("key")
        key = value if asked is None else self.source(made, asked)
        sources = {"query": query, "key": key, "value": value, "gate": query}
        projected = {
            name: self._projected(
                made, item, sources[name], "sigmoid" if name == "gate" else "linear"
            )
            for name, item in self.projections.items()
        }
        triple = [made.tensor(projected[name]) for name in ("query", "key", "value")]
        attended = made.add(
            attention(*map(self._along, triple), layout="bmhd"),
            projected["query"], projected["key"], projected["value"],
        )  # fmt: skip
        weighed = Tensor((*self.query.shape[:-1], self.heads, self.depths[1]))
        if self.use_gate:
            gating = elementwise("multiply", weighed, made.tensor(projected["gate"]), in_place=True)
            attended = made.add(gating, attended, projected["gate"])
        kernel, bias = self._last_kernel()
        last = Projection("output", weighed, kernel, bias)
        result = self._projected(made, last, attended, output=self.outputs[0])
        return self.assembled(made, result, *[attended] * (len(self.outputs) - 1))

    def _projected(
        self, made: Assembly, item: Projection, source: str, function: str = "linear",
        output: Tensor | None = None,
    ) -> str:  # fmt: skip
        biases = [f"{item.name}_bias"] if self.use_bias else []
        first, *rest = self.activated(item.contracted(self, output), function)
        result = made.add(first, source, f"{item.name}_kernel", *biases)
        for work in rest:
            result = made.add(work, result)
        return result

    def _along(self, tensor: Tensor) -> Tensor:
        *_, heads, depth = tensor.shape
        places = _product(tuple(tensor.shape[axis] for axis in self.axes))
        apart = _product(tensor.shape[:-2]) // places
        return Tensor((apart, places, heads, depth), tensor.format)


def _features(tensor: Tensor) -> int:
    if not tensor.shape or tensor.shape[-1] is None:
        message = f"expected features in the last axis, found {show_shape(tensor.shape)}"
        raise ValueError(message)
    return tensor.shape[-1]


@frozen(slots=False)
class MultiHeadAttention(ProjectedAttention):
    """Attention with as many heads of keys as of queries, along any axes."""

    kinds: ClassVar = ("keras.MultiHeadAttention",)

    num_heads: int = setting(settings.whole)
    key_dim: int = setting(settings.whole)
    value_dim: int | None = setting(settings.optional(settings.whole), default=None)
    output_lengths: tuple[int, ...] | None = setting(
        settings.optional(settings.wholes), default=None, source=("_output_shape", "output_shape")
    )
    attention_axes: tuple[int, ...] | None = setting(
        settings.optional(settings.integers), default=None
    )

    @property
    def heads(self) -> int:
        """Heads of queries, keys and values."""
        return self.num_heads

    @property
    def depths(self) -> tuple[int, int]:
        """Features of a key and of a value in one head."""
        return self.key_dim, self.value_dim or self.key_dim

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes along which positions attend to each other: all by default."""
        if self.attention_axes is None:
            return super().axes
        rank = len(self.query.shape)
        return tuple(own_axis(axis, rank) for axis in self.attention_axes)

    def result_features(self) -> tuple[int, ...]:
        """The last axes of the output: those of the query by default."""
        return self.output_lengths or super().result_features()

    def scores_shape(self) -> Shape:
        """The shape as Keras declares it: as if there were as many keys as queries."""
        length = self.query.shape[0]
        return (self.heads, length, length)


@frozen(slots=False)
class GroupedQueryAttention(ProjectedAttention):
    """Attention in which several heads of queries share a head of keys and values."""

    kinds: ClassVar = ("keras.GroupQueryAttention",)

    head_dim: int = setting(settings.whole)
    num_query_heads: int = setting(settings.whole)
    num_key_value_heads: int = setting(settings.whole)

    @property
    def heads(self) -> int:
        """Heads of the queries."""
        return self.num_query_heads

    @property
    def key_heads(self) -> int:
        """Heads of the keys and values."""
        return self.num_key_value_heads

    @property
    def depths(self) -> tuple[int, int]:
        """Features of a key and of a value in one head."""
        return self.head_dim, self.head_dim

    def scores_shape(self) -> Shape:
        """Heads, queries and keys."""
        return (self.heads, self.query.shape[0], self.key.shape[0])


# ------------------------------------------------------------------ without projections


@frozen(slots=False)
class PlainAttention(AttentionLayer):
    """Attention of queries to values by keys, as they are."""

    parameter_names: ClassVar = (
        "inputs", "mask", "training", "return_attention_scores", "use_causal_mask",
    )  # fmt: skip

    use_scale: bool = setting(settings.flag, default=False)

    @property
    def triple(self) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, values and keys."""
        value = self.given.get("inputs")
        if not isinstance(value, tuple) or len(value) not in {2, 3}:
            message = "expected queries and values, and keys where they are others"
            raise ValueError(message)
        query, values, *keys = map(self.tensor, value)
        return query, values, *(keys or [values])  # type: ignore[return-value]  # one of them

    def scores_shape(self) -> Shape:
        """The places of the queries by those of the keys."""
        query, _, key = self.triple
        return (*query.shape[:-1], key.shape[-2])

    def output_shapes(self) -> Sequence[Shape]:
        """The places of the queries by features of the values, and the scores if asked for."""
        query, value, key = self.triple
        if query.shape[-1] != key.shape[-1] or value.shape[-2] != key.shape[-2]:
            shown = ", ".join(show_shape(tensor.shape) for tensor in self.triple)
            message = f"queries, values and keys {shown} do not fit together"
            raise ValueError(message)
        output = (*query.shape[:-1], value.shape[-1])
        return (output, self.scores_shape()) if self.returns_scores else (output,)

    def scored(self, made: Assembly, scores: Tensor, query: str, key: str) -> str:
        """Add how every query is compared with every key."""
        raise NotImplementedError

    def workload(self) -> Workload:
        """The scores, their softmax, and the values that it weighs."""
        scores, (_, value, _) = Tensor(self.scores_shape()), self.triple
        made = self.assembly()
        add_masks(made, self.given)
        sources = [self.source(made, item) for item in self.given["inputs"]]
        asked, held, key = (*sources, sources[1])[:3]
        compared = self.scored(made, scores, asked, key)
        weights = made.add(softmax(scores, in_place=True), compared)
        work = matmul(scores, value, right_role="input", output=self.outputs[0])
        result = made.add(work, weights, held)
        return self.assembled(made, result, *[weights] * (len(self.outputs) - 1))

    def pairs(self) -> Tensor:
        """Every query beside every key, by features."""
        return Tensor((*self.scores_shape(), _features(self.triple[0])))

    def summed_pairs(self, made: Assembly, asked: str, compared: str) -> str:
        """Add every query and every key."""
        query, _, key = self.triple
        queries = Tensor((*query.shape[:-1], 1, query.shape[-1]), query.format)
        keys = Tensor((*key.shape[:-2], 1, *key.shape[-2:]), key.format)
        work = elementwise("add", queries, keys, in_place=True, output=self.pairs())
        return made.add(work, asked, compared)


@frozen(slots=False)
class Attention(PlainAttention):
    """Attention by the product of query and key, or by the squashed sum of both."""

    kinds: ClassVar = ("keras.Attention",)

    score_mode: str = setting(settings.one_of("dot", "concat"), default="dot")

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """A number that scales, and one that weighs the sums."""
        return present([
            ("scale", (), self.use_scale),
            ("concat_score_weight", (), self.score_mode == "concat"),
        ])  # fmt: skip

    def scored(self, made: Assembly, scores: Tensor, query: str, key: str) -> str:
        """A contraction along the features; or sums, squashed and added up along them."""
        if self.score_mode == "dot":
            asked, _, compared = self.triple
            work = matmul(asked, compared, right_role="input", transpose_right=True, output=scores)
            return self._scaled(made, made.add(work, query, key))
        summed = self._scaled(made, self.summed_pairs(made, query, key))
        squashed = made.add(activation("tanh", self.pairs(), in_place=True), summed)
        total = made.add(reduce("sum", self.pairs(), [-1], output=scores), squashed)
        name = "concat_score_weight"
        return made.add(_weighed(scores, self.parameters[name]), total, name)

    def _scaled(self, made: Assembly, source: str) -> str:
        if not self.use_scale:
            return source
        work = _weighed(made.tensor(source), self.parameters["scale"])
        return made.add(work, source, "scale")


@frozen(slots=False)
class AdditiveAttention(PlainAttention):
    """Attention by the squashed sum of query and key, weighed by feature."""

    kinds: ClassVar = ("keras.AdditiveAttention",)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The weight of each feature."""
        return present([("scale", (_features(self.triple[0]),), self.use_scale)])

    def scored(self, made: Assembly, scores: Tensor, query: str, key: str) -> str:
        """Sums, squashed; then one contraction along the features, or their sum."""
        pairs = self.pairs()
        summed = self.summed_pairs(made, query, key)
        squashed = made.add(activation("tanh", pairs, in_place=True), summed)
        if self.use_scale:
            return made.add(
                matmul(pairs, self.parameters["scale"], output=scores), squashed, "scale"
            )
        return made.add(reduce("sum", pairs, [-1], output=scores), squashed)


LAYERS: tuple[type[Layer], ...] = (
    AdditiveAttention,
    Attention,
    GroupedQueryAttention,
    MultiHeadAttention,
)
