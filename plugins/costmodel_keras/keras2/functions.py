"""What TensorFlow's functions, which Keras 2 keeps as layers, are in the words of the rules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

from attrs import evolve, frozen

from costmodel_keras.arguments import (
    Arguments,
    Array,
    LayerInput,
    Span,
    Value,
    layer_inputs,
    number_array,
)

if TYPE_CHECKING:
    from costmodel_keras.layers.operations.operation import Whole

PREFIX: Final = "tf."
"""What the kind of a function of TensorFlow starts with."""

_OF_KERAS: Final = "keras.ops."

ITEM: Final = f"{_OF_KERAS}GetItem"
"""The kind of a part of a tensor, which is called with an index."""

_OLDER: Final = "compat.v1."
"""Where TensorFlow keeps many functions that a program calls by the plain name."""

_ALIASES: Final[Mapping[str, str]] = {
    "concat_dim": "axis", "dilation_rate": "dilations", "dim": "axis", "filter": "filters",
    "input_": "tensor", "keep_dims": "keepdims", "reduction_indices": "axis", "split_dim": "axis",
    "squeeze_dims": "axis", "stride": "strides", "value": "input", "window_shape": "ksize",
}  # fmt: skip
"""Names of parameters in the first TensorFlow, and in the second."""

_UNCOUNTED: Final = frozenset({
    "align_corners", "bad_indices_policy", "conjugate", "dtype", "epsilon", "exclusive",
    "half_pixel_centers", "name", "out_type", "output_type", "reverse", "use_cudnn_on_gpu",
    "validate_indices", "validate_shape", "variance_epsilon",
})  # fmt: skip
"""Parameters on which no count depends."""


class FunctionError(ValueError):
    """No rule says what a call of a function costs."""


@frozen
class Operation:
    """A call in the words of the rules: the kind, its settings and what it is called on."""

    kind: str
    settings: Mapping[str, Any]
    arguments: Arguments

    @property
    def with_arrays(self) -> Operation:
        """The same call, numbers in sequences as arrays; an index stays as it is."""
        values, kept = self.arguments.positional, int(self.kind == ITEM)
        number = len(values) - kept
        given = (*map(as_operand, values[:number]), *values[number:])
        return evolve(self, arguments=Arguments(given))


@frozen
class Called:
    """A call of a function of TensorFlow: its arguments by the names of the second TensorFlow.

    `wholes` are the whole shapes of the tensors among them.
    """

    function: str
    given: Mapping[str, Value]
    wholes: Sequence[Whole]

    def __getitem__(self, name: str) -> Value:
        """An argument, None where it was left out."""
        return self.given.get(name)

    def whole(self, name: str) -> Whole:
        """The whole shape of a tensor or constant array.

        Raises:
            FunctionError: it is neither.

        """
        value = self[name]
        if isinstance(value, LayerInput):
            return self.wholes[value.index]
        array = as_operand(value)
        return array.shape if isinstance(array, Array) else self.refuse(name)

    def refuse(self, name: str) -> NoReturn:
        """Refuse an argument that is not understood.

        Raises:
            FunctionError: always.

        """
        message = f"tf.{self.function} is called with {name}={self[name]!r:.80}"
        raise FunctionError(message)


Adapter = Callable[[Called], Mapping[str, Any]]
"""What gives the settings of a rule for a call."""


@frozen
class Function:
    """What a function of TensorFlow corresponds to."""

    operation: str
    """The name of a class in keras.ops, or a kind of `tf.`."""

    operands: tuple[str, ...]
    """The parameters that go into the call of the operation, in its order."""

    options: tuple[str, ...] = ()
    """Parameters that are settings of the operation."""

    renamed: Mapping[str, str] = {}
    """The names in the rule of the settings that it calls otherwise."""

    defaults: Mapping[str, Any] = {}
    """Values of parameters that may be left out, where it is not None."""

    adapt: Adapter | None = None
    """What gives the settings, where they are not the options under other names."""

    optional: int = 0
    """How many operands at the end may be left out."""

    @property
    def kind(self) -> str:
        """The kind of the rule."""
        return self.operation if self.operation.startswith(PREFIX) else _OF_KERAS + self.operation

    def settings(self, called: Called) -> Mapping[str, Any]:
        """The settings of the rule for a call."""
        if self.adapt is not None:
            return self.adapt(called)
        return {self.renamed.get(name, name): called[name] for name in self.options}

    def call(self, function: str, given: Arguments, wholes: Sequence[Whole]) -> Called:
        """The call, its arguments by name.

        Raises:
            FunctionError: there are others than the table knows, or some are missing.

        """
        named = dict(zip((*self.operands, *self.options), given.positional, strict=False))
        if len(given.positional) > len(named):
            message = f"tf.{function} is called with {len(given.positional)} arguments by position"
            raise FunctionError(message)
        named.update(self._named(function, given.named))
        needed = self.operands[: len(self.operands) - self.optional]
        missing = [name for name in needed if named.get(name) is None]
        if missing:
            message = (
                f"tf.{function} lacks {', '.join(missing)}: files of Keras 2 keep no more than the "
                "first argument of some functions"
            )
            raise FunctionError(message)
        return Called(function, {**self.defaults, **_said(named)}, wholes)

    def _named(self, function: str, named: Collection[tuple[str, Value]]) -> Mapping[str, Value]:
        known = {*self.operands, *self.options}
        found: dict[str, Value] = {}
        for name, value in named:
            meant = name if name in known else _ALIASES.get(name, name)
            if meant in known:
                found[meant] = found.get(meant) if value is None else value
            elif name not in _UNCOUNTED and value not in _IDLE:
                message = f"tf.{function} is called with {name}={value!r:.80}"
                raise FunctionError(message)
        return found

    def translated(self, called: Called) -> Operation:
        """The call in the words of the rules."""
        values = [called[name] for name in self.operands]
        while values and values[-1] is None:
            values.pop()
        return Operation(self.kind, self.settings(called), Arguments(tuple(values)))


_IDLE: Final = (None, False)
"""What a parameter may be that says nothing: it was left out."""


def _said(named: Mapping[str, Value]) -> Mapping[str, Value]:
    return {name: value for name, value in named.items() if value is not None}


def is_function(kind: str) -> bool:
    """Whether it is the kind of a function of TensorFlow."""
    return kind.startswith(PREFIX)


def plain_name(function: str) -> str:
    """The name of a function as programs write it, behind `tf.`."""
    return function.removeprefix(_OLDER)


def as_operand(value: Value) -> Value:
    """A value that a rule takes as an operand: numbers in sequences are an array."""
    if isinstance(value, tuple):
        array = number_array(value)
        return tuple(map(as_operand, value)) if array is None else array
    return value


def as_key(value: Value) -> Value:
    """An index, where the parts of Keras 2's record of a slice are one."""
    if not isinstance(value, tuple):
        return value
    named = _pairs(value)
    if named.keys() == {"start", "step", "stop"}:
        return Span(named["start"], named["stop"], named["step"])
    if named.get("class_name") == "__ellipsis__":
        return ...
    return tuple(map(as_key, value))


def _pairs(value: tuple[Value, ...]) -> Mapping[str, Value]:
    """The entries of a mapping, which arguments hold as pairs."""
    two = 2
    are_pairs = all(
        isinstance(item, tuple) and len(item) == two and isinstance(item[0], str) for item in value
    )
    return dict(value) if are_pairs else {}


def renumbered(given: Arguments, known: Mapping[int, Value]) -> Arguments:
    """The arguments with values in place of some tensors, the others numbered again."""
    left = [each.index for each in _inputs(given) if each.index not in known]
    places = {index: place for place, index in enumerate(sorted(left))}

    def replaced(value: Value) -> Value:
        if isinstance(value, LayerInput):
            index = value.index
            return known[index] if index in known else LayerInput(places[index])
        if isinstance(value, tuple):
            return tuple(map(replaced, value))
        if isinstance(value, Span):
            return Span(*map(replaced, (value.start, value.stop, value.step)))
        return value

    return evolve(
        given,
        positional=tuple(map(replaced, given.positional)),
        named=tuple([(name, replaced(value)) for name, value in given.named]),
    )


def _inputs(given: Arguments) -> Sequence[LayerInput]:
    return list(layer_inputs((*given.positional, *[value for _, value in given.named])))
