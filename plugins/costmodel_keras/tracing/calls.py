"""Opening a live layer of Keras 3 that has no graph: it is called once on symbolic tensors.

Keras makes a node of every call on a symbolic tensor, of a layer and of a function of keras.ops
alike. So the `call` of a subclassed model, or of a layer that somebody composed of others, leaves
a graph behind, which is taken here and removed from the layers that took part. What does not
depend on the input makes no node: it is a constant of the network. Work on the input cannot
escape: code that takes it past Keras, such as a function of TensorFlow, raises an error, and
then the layer stays closed.
"""

from __future__ import annotations

import functools
import inspect
import math
import re
import sys
import threading
import warnings
from collections import ChainMap, Counter
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, NamedTuple

from attrs import evolve

from costmodel.errors import CostModelError
from costmodel.tensor.shapes import Shape, Tensor
from costmodel_keras.arguments import Arguments, Array, is_weight, live_arguments
from costmodel_keras.graph import Call, Key, LiveView, ModelView
from costmodel_keras.policies import NO_POLICY
from costmodel_keras.tracing.computed_once import Recorder, Result
from costmodel_keras.tracing.random_numbers import Draws
from costmodel_keras.tracing.two_lengths import (
    LENGTHS,
    DifferenceError,
    open_shape,
    solved,
    solved_attributes,
    solved_shape,
)

_OPERATIONS: Final = "keras.ops."
"""What the kinds of functions of keras.ops start with."""

_KERAS: Final = "keras"
_NODE: Final = "Node"
_MAKE_NODES: Final = ("keras.src.layers.layer", "keras.src.ops.operation")
"""The class of the nodes of a graph, and where Keras makes them; it has no public name for it."""
_FUNCTIONS: Final = "keras.src.ops.numpy"
_SPEC: Final = "compute_output_spec"
_ADD_LOSS: Final = "add_loss"

_LAYER: Final = "keras.src.layers.layer"
_LAMBDA: Final = "keras.src.layers.core.lambda_layer"
"""The modules where Keras 3 keeps the base of all layers, and the layer of any function."""

_FILLED_IN: Final = ("training", "mask")
"""Parameters of a call that Keras fills in: no shapes are recorded of them."""

_TRACES: Final = ("_inbound_nodes", "_outbound_nodes", "_losses")
"""What a symbolic call adds to a layer."""

_REASON_LENGTH: Final = 200

_PAINT: Final = re.compile(r"\x1b\[[0-9;]*m")
"""What colours a text in a terminal."""

_LIBRARIES: Final = frozenset({"costmodel_keras", "jax", "keras", "numpy", "tensorflow", "torch"})
"""Packages whose code is not that of a layer of the program."""

_ONE_AT_A_TIME: Final = threading.RLock()
"""Held while a layer is changed for a call, so that no thread takes the change for its state."""


class TracingError(CostModelError):
    """A layer cannot be called on symbolic tensors; the text says why."""


class PartView(LiveView):
    """A layer or function within an opened layer."""

    def __init__(self, layer: Any) -> None:
        """Look at `layer`; nothing of it is called."""
        super().__init__(layer)
        if is_operation(self.kind):
            # Keras numbers them through the whole program.
            self.name = _snake(type(layer).__name__)


class TwinView(PartView):
    """A layer or function within a layer that was opened at two lengths of the batch."""

    def __init__(self, one: Call, other: Call) -> None:
        """Take the same call at both lengths.

        Raises:
            DifferenceError: what it was called with differs in more than multiples of the batch.

        """
        layer: Any = one.layer
        super().__init__(layer.layer)
        self.name = layer.name
        called = live_arguments(one.node), live_arguments(other.node)
        self._arguments = Arguments(
            solved(called[0].positional, called[1].positional),
            solved(called[0].named, called[1].named),
        )
        twin: Any = other.layer
        is_function = is_operation(self.kind)
        self._solved = solved_attributes(layer.layer, twin.layer) if is_function else {}

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings by their names in Keras; sizes may be multiples of the batch."""
        return ChainMap(self._solved, super().settings) if self._solved else super().settings  # type: ignore[arg-type]  # only read

    @property
    def plain_settings(self) -> Mapping[str, Any]:
        """Those of the settings that are attributes and no properties."""
        plain = super().plain_settings
        return ChainMap(self._solved, plain) if self._solved else plain  # type: ignore[arg-type]  # only read

    def arguments(self, call: Call) -> Arguments:
        """What it was called with; sizes may be multiples of the batch."""
        return self._arguments


_CONSTANT: Final = "keras.Constant"
RANDOM: Final = "keras.RandomNumbers"
"""The kind of a row for random numbers that are drawn for every example."""


class OnceView(LiveView):
    """A layer that an opened layer calls on weights and constants alone."""

    def __init__(self, result: Result) -> None:
        """Look at the layer that gave the result; nothing of it is called."""
        super().__init__(result.layer)
        self.result = result
        self._once = {
            "shape": result.shape,
            "maker": self.kind,
            "weights": described(weights_of(result.layer).values()),
            "may_be_random": result.may_be_random,
        }
        self.name, self.kind, self.base_kinds = result.path, _CONSTANT, ()
        self.sort: Hashable = _CONSTANT

    @property
    def settings(self) -> Mapping[str, Any]:
        """The shape of what it gives, its kind, and its weights."""
        return self._once

    @property
    def plain_settings(self) -> Mapping[str, Any]:
        """The same."""
        return self._once

    def shaped(self, shape: Shape) -> OnceView:
        """The same layer with a result of another shape."""
        return OnceView(evolve(self.result, shape=shape))

    def model(self) -> ModelView | None:
        """Nothing: it is one row, whatever it holds."""
        return None


class ConstantView:
    """A value within an opened layer that depends on none of its inputs.

    One that leaves the layer has no batch axis, unless its first axis grows with the batch: then
    it is the same for every example.
    """

    parameter_count = 0
    policy = NO_POLICY

    def __init__(self, shape: Shape, name: str = "constant", array: Array | None = None) -> None:
        """Take the shape; where it leaves the layer without a batch axis, as this array."""
        self.name, self.kind, self.array = name, _CONSTANT, array
        self.sort: Hashable = self.kind
        self.identity: Hashable = None
        self.base_kinds: tuple[str, ...] = ()
        self.settings: Mapping[str, Any] = {"shape": shape}
        self.plain_settings = self.settings

    def shaped(self, shape: Shape) -> ConstantView:
        """A value of another shape."""
        array = self.array and Array(tuple(map(int, shape)), self.array.dtype)  # type: ignore[arg-type]  # a constant has no open axis
        return ConstantView(shape, self.name, array)

    @classmethod
    def leaving(cls, array: Array) -> ConstantView:
        """A value that leaves the layer."""
        is_empty = 0 in array.shape  # no tensor is: nobody reads it
        return cls(array.shape[1:]) if is_empty else cls(array.shape, array=array)

    def model(self) -> ModelView | None:
        """Nothing is in it."""
        return None

    def child(self, name: str) -> LiveView:
        """It holds no layer."""
        raise KeyError(name)

    def children(self, name: str) -> Sequence[LiveView]:
        """It holds no layers."""
        raise KeyError(name)

    def arguments(self, call: Call) -> Arguments:
        """It is not called."""
        return Arguments()


class RandomView(ConstantView):
    """Random numbers that an opened layer draws for every example."""

    def __init__(self, shape: Shape, name: str = "random") -> None:
        """Take the shape of one example."""
        super().__init__(shape, name)
        self.kind = self.sort = RANDOM

    def shaped(self, shape: Shape) -> RandomView:
        """Random numbers of another shape."""
        return RandomView(shape, self.name)


def is_operation(kind: str) -> bool:
    """Whether it is the kind of a function of keras.ops."""
    return kind.startswith(_OPERATIONS)


def can_trace(layer: object) -> bool:
    """Whether a symbolic call may open it: a layer for Keras 3 that is none of Keras's own.

    Of these each has a rule or a reason why it has none; a Lambda is never run.
    """
    modules = [cls.__module__ for cls in type(layer).__mro__]
    is_own = modules[0].partition(".")[0] == _KERAS
    return _LAYER in modules and _LAMBDA not in modules and not is_own


def traced_call(layer: Any, call: Call, tensors: Sequence[Tensor]) -> ModelView:
    """The graph of one call of a layer, which Keras recorded as the node of `call`.

    Its inputs are in the order of the node's, and are `tensors`; arrays stand for the others.

    Raises:
        TracingError: `call` cannot run on symbolic tensors.

    """
    keras = _keras(layer)
    nodes = {None: call.node, LENGTHS[0]: call.node, LENGTHS[1]: call.twin or call.node}

    def traced(batch: int | None) -> Trace:
        node = nodes[batch]
        shapes = iter([_batched(tensor, batch) for tensor in tensors])
        copies = [
            keras.ops.zeros(call.arrays[place].shape, dtype=tensor.dtype)
            if place in call.arrays
            else keras.Input(batch_shape=next(shapes), dtype=tensor.dtype, name="in")
            for place, tensor in enumerate(node.input_tensors)
        ]
        inputs = [copy for place, copy in enumerate(copies) if place not in call.arrays]
        return _traced(layer, *_replaced(node, copies), inputs, batch)

    if call.twin is not None:
        return _at_two_lengths(traced)
    return _with_some_batch(traced, is_folded=any(tensor.is_folded for tensor in tensors))


def results_of(call: Call) -> list[Array]:
    """What a call gives that takes arrays alone.

    Raises:
        TracingError: Keras does not know its shapes.

    """
    wholes = [call.arrays[place].shape for place in range(len(call.node.input_tensors))]
    return [_array_like(tensor) for tensor in _tried(call, wholes)]


def shapes_given(call: Call, tensors: Sequence[Tensor]) -> tuple[Shape, ...]:
    """The shapes, behind the batch, of what a layer gives for tensors of these shapes.

    Raises:
        TracingError: Keras does not know them, or leaves some open.

    """
    given = iter([_batched(tensor, None) for tensor in tensors])
    places = range(len(call.node.input_tensors))
    wholes = [call.arrays[place].shape if place in call.arrays else next(given) for place in places]
    found = [tensor.shape for tensor in _tried(call, wholes)]
    if any(not shape or shape[0] is not None or None in shape[1:] for shape in found):
        message = "Keras leaves the shape of what it gives open"
        raise TracingError(message)
    return tuple([shape[1:] for shape in found])


def _tried(call: Call, wholes: Sequence[Shape]) -> list[Any]:
    """What Keras says that a call gives for tensors of these shapes, by a trial run."""
    view: Any = call.layer
    layer, node, keras = view.layer, call.node, _keras(view.layer)
    copies = [
        keras.KerasTensor(whole, dtype=tensor.dtype)
        for tensor, whole in zip(node.input_tensors, wholes, strict=True)
    ]
    args, kwargs = _replaced(node, copies)
    spec = layer.compute_output_spec if _is_exact(type(layer)) else _spec_of_call(keras, layer)
    try:
        return list(keras.tree.flatten(spec(*args, **_taken(layer, kwargs))))
    except Exception as error:  # whatever Keras may raise
        message = f"what it gives is not known: {_described(error)}"
        raise TracingError(message) from error


def _spec_of_call(keras: Any, layer: Any) -> Callable[..., Any]:
    return functools.partial(keras.Operation.compute_output_spec, layer)


def _described(error: Exception) -> str:
    """The error with the place in the code of the program, as far as it fits in a reason."""
    first, _, _ = _PAINT.sub("", " ".join(str(error).split())).partition(". ")
    return f"{type(error).__name__}: {first:.{_REASON_LENGTH}}{_place(error)}"


def _place(error: Exception) -> str:
    """The last line outside of Keras and its backend that the error went through, if any."""
    frames = [(each.tb_frame.f_globals, each.tb_lineno) for each in _frames(error.__traceback__)]
    modules = [(str(names.get("__name__")), line) for names, line in frames]
    own = [each for each in modules if each[0].partition(".")[0] not in _LIBRARIES]
    return f", in line {own[-1][1]} of {own[-1][0]}" if own else ""


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _replaced(node: Any, copies: Sequence[Any]) -> tuple[Any, Any]:
    """The arguments of a node with other tensors in the places of its own."""
    places = dict(zip(map(id, node.input_tensors), copies, strict=True))
    replaced: tuple[Any, Any] = _keras(node).tree.map_structure(
        lambda value: places.get(id(value), value), (node.arguments.args, node.arguments.kwargs)
    )
    return replaced


def _batched(tensor: Tensor, batch: int | None) -> tuple[int | None, ...]:
    """The shape of a tensor with its batch axis, for so many examples."""
    rows, place = tensor.rows, tensor.batch_axis
    length = None if batch is None or rows is None else batch * rows
    return (*tensor.shape[:place], length, *tensor.shape[place:])


def opened_model(model: Any, input_shapes: Mapping[str, Shape]) -> ModelView:
    """The graph of a subclassed model, called on inputs of the shapes given or built for.

    `input_shapes` are by the names of the parameters of `call`, or by the keys of the dictionary
    that it takes, without the batch axis.

    Raises:
        TracingError: no shapes are given nor recorded, or `call` cannot run on symbolic tensors.

    """
    return _with_some_batch(lambda batch: _called(model, input_shapes, batch))


def state_shapes(layer: object) -> tuple[Shape, ...] | None:
    """The shapes of the states of a cell of a program; None for anything else."""
    size = getattr(layer, "state_size", None)
    if size is None or not can_trace(layer):
        return None
    sizes = size if isinstance(size, list | tuple) else [size]
    return tuple([tuple(each) if isinstance(each, list | tuple) else (each,) for each in sizes])


def opened_cell(cell: Any, step: Tensor, states: Sequence[Shape]) -> ModelView:
    """The graph of one step of a cell: from the input and the states to the output and states.

    Raises:
        TracingError: `call` cannot run on symbolic tensors.

    """
    keras = _keras(cell)

    def traced(batch: int | None) -> Trace:
        wholes = [_batched(step, batch), *[(batch, *shape) for shape in states]]
        first, *others = [keras.Input(batch_shape=whole) for whole in wholes]
        return _traced(cell, (first, others), {}, [first, *others], batch)

    return _with_some_batch(traced, is_folded=step.is_folded)


class Trace(NamedTuple):
    """What one call of a layer leaves: nodes in order, what enters, is drawn and leaves."""

    layer: Any
    nodes: Sequence[Any]
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    drawn: Sequence[Any]
    results: Sequence[Result]


def _with_some_batch(
    traced: Callable[[int | None], Trace], *, is_folded: bool = False
) -> ModelView:
    """The graph for an open batch, or where code asks for its length, for any multiple of it.

    `is_folded` says whether an example has several rows of the batch in what enters.
    """
    try:
        trace = traced(None)
    except TracingError:
        return _at_two_lengths(traced)
    if _leaves_batch_open(trace) and (is_folded or _folds(trace)):
        try:
            return _at_two_lengths(traced)
        except TracingError:
            pass  # the reason is given where a shape does not follow
    return _view(trace)


def _leaves_batch_open(trace: Trace) -> bool:
    """Whether a target of a reshape has the length of the batch beside one that is left."""
    targets = [getattr(node.operation, _TARGET, ()) for node in trace.nodes]
    return any(None in target and -1 in target for target in targets if isinstance(target, tuple))


def _folds(trace: Trace) -> bool:
    """Whether a reshape folds an axis into the batch: its result has fewer elements beside it."""
    for node in trace.nodes:
        target = getattr(node.operation, _TARGET, ())
        if isinstance(target, tuple) and target[:1] in {(-1,), (None,)}:
            shapes = (node.input_tensors[0].shape[1:], target[1:])
            if not any({None, -1} & set(shape) for shape in shapes):
                before, after = map(math.prod, shapes)
                if before != after:
                    return True
    return False


_TARGET: Final = "newshape"
"""The attribute of a reshape that holds its target."""


def _at_two_lengths(traced: Callable[[int | None], Trace]) -> ModelView:
    """The graph for any length of the batch, from those of two.

    Raises:
        TracingError: `call` cannot run on symbolic tensors, or does not do the same with both.

    """
    one, other = (_view(traced(length)) for length in LENGTHS)
    try:
        return _solved(one, other)
    except DifferenceError as error:
        raise TracingError(str(error)) from None


def _solved(one: ModelView, other: ModelView) -> ModelView:
    """The graph of which both are the graphs at the two lengths of the batch."""
    parts = [
        (
            model.inputs, model.outputs,
            [(call.layer.kind, call.feeds, len(call.output_shapes or ())) for call in model.calls],
        )
        for model in (one, other)
    ]  # fmt: skip
    if parts[0] != parts[1]:
        first, second = LENGTHS
        message = (
            f"it calls {len(one.calls)} layers and functions at a batch of {first} and "
            f"{len(other.calls)} at one of {second}, or others; expected the same"
        )
        raise DifferenceError(message)
    calls = zip(one.calls, other.calls, strict=True)
    return one._replace(calls=tuple([_solved_call(*both) for both in calls]))


def _solved_call(one: Call, other: Call) -> Call:
    pairs = list(zip(one.output_shapes or (), other.output_shapes or (), strict=True))
    if isinstance(one.layer, OnceView | ConstantView):
        return _solved_constant(one, one.layer, *pairs[0])
    shapes = tuple([open_shape(*pair) for pair in pairs])
    view = TwinView(one, other) if one.node.input_tensors else one.layer
    return one._replace(layer=view, output_shapes=shapes, twin=other.node)


def _solved_constant(call: Call, view: OnceView | ConstantView, one: Shape, other: Shape) -> Call:
    """The value at any length of the batch, which may be the first axis of one that leaves."""
    if isinstance(view, ConstantView) and view.array is not None and one[:1] != other[:1]:
        one, other = one[1:], other[1:]
        view = ConstantView(one, view.name)
    shape = solved_shape(one, other)
    return call._replace(layer=view.shaped(shape), output_shapes=(shape,))


def _called(model: Any, input_shapes: Mapping[str, Shape], batch: int | None) -> Trace:
    keras = _keras(model)
    inputs: list[Any] = []

    def tensor(name: str, shape: Sequence[int | None]) -> Any:
        inputs.append(keras.Input(batch_shape=(batch, *shape), name=name))
        return inputs[-1]

    names = _parameters(model)
    first = next(iter(names), "inputs")
    if not input_shapes:
        kwargs = {
            name if name in names else first: _structure(shapes, name, tensor)
            for name, shapes in _built_shapes(model).items()
        }
    elif all(name in names for name in input_shapes):
        kwargs = {name: tensor(name, shape) for name, shape in input_shapes.items()}
    else:
        kwargs = {first: {name: tensor(name, shape) for name, shape in input_shapes.items()}}
        try:
            return _traced(model, (), kwargs, inputs, batch)
        except TracingError as error:
            strange = ", ".join(map(repr, [name for name in input_shapes if name not in names]))
            message = (
                f"{strange} is not an input of its call, which takes {', '.join(names)}; {error}"
            )
            raise TracingError(message) from None
    return _traced(model, (), kwargs, inputs, batch)


def _built_shapes(model: Any) -> Mapping[str, Any]:
    """The shapes that a model was built for, by parameter of its `call`."""
    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes:
        message = (
            "it has no graph of layers and was not built: give the shape of every input, "
            "input_shapes={'inputs': (224, 224, 3)}"
        )
        raise TracingError(message)
    named = {name.removesuffix("_shape"): shape for name, shape in shapes.items()}
    taken = [name for name in _parameters(model) if name not in _FILLED_IN]
    if len(named) > len(taken) or all(name.endswith("_shape") for name in shapes):
        return named
    # A `build` of its own may call them otherwise; they stand in the order of the call.
    return dict(zip(taken, named.values(), strict=False))


def _structure(shapes: Any, name: str, tensor: Callable[[str, Sequence[int | None]], Any]) -> Any:
    """Tensors in the structure that shapes with a batch axis have."""
    if isinstance(shapes, Mapping):
        return {key: _structure(shapes[key], str(key), tensor) for key in shapes}
    if shapes and all(length is None or isinstance(length, int) for length in shapes):
        return tensor(name, shapes[1:])
    return [_structure(shape, f"{name}_{place}", tensor) for place, shape in enumerate(shapes)]


def _traced(
    layer: Any,
    args: Any,
    kwargs: Mapping[str, Any],
    inputs: Sequence[Any],
    batch: int | None,
) -> Trace:
    """The graph that one call of `layer` leaves, from `inputs` to what it returns."""
    keras = _keras(layer)
    settings = {**_inference(layer), **_taken(layer, kwargs)}
    draws = Draws(keras, batch)
    recorder = Recorder(keras, _is_made_of_layers, draws)
    with (
        _ONE_AT_A_TIME,
        _no_traces(layer),
        _true_shapes(layer, keras),
        _symbolic_arithmetic(keras),
        _nodes_of_tensors(keras),
        _functions_as_they_run(keras),
        recorder.listening(layer),
        draws.listening(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            returned = layer.call(*args, **settings)
        except Exception as error:  # whatever code of others may raise
            message = f"it cannot be called on symbolic tensors: {_described(error)}"
            raise TracingError(message) from error
        outputs = [value for value in keras.tree.flatten(returned) if _is_tensor(value)]
        symbolic = [tensor for tensor in outputs if isinstance(tensor, keras.KerasTensor)]
        nodes = _walked(symbolic, inputs)
        for node in nodes:
            recorder.read((node.arguments.args, node.arguments.kwargs))
    return Trace(layer, nodes, inputs, outputs, draws.tensors, recorder.results)


def _is_made_of_layers(layer: Any) -> bool:
    """Whether it is a model or a layer of the program: the layers in it have rows."""
    return can_trace(layer) or LiveView(layer).model_kind is not None


def _inference(layer: Any) -> Mapping[str, Any]:
    return {"training": False} if "training" in _parameters(layer) else {}


def _taken(layer: Any, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `call` takes of named arguments: Keras keeps `training` for the layers within."""
    names = _parameters(layer)
    return {name: value for name, value in kwargs.items() if name in names or name != "training"}


def _parameters(layer: Any) -> Mapping[str, Any]:
    """The parameters of `call`, in order."""
    return inspect.signature(layer.call).parameters


def _walked(outputs: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """The nodes between inputs and outputs, each after its sources."""
    found: dict[int, Any] = {id(_source(tensor)): _source(tensor) for tensor in inputs}
    waiting = [(_source(tensor), False) for tensor in outputs[::-1]]
    while waiting:
        node, is_ready = waiting.pop()
        if id(node) in found:
            continue
        if is_ready:
            found[id(node)] = node
            continue
        waiting.append((node, True))
        waiting += [(_source(tensor), False) for tensor in node.input_tensors[::-1]]
    return list(found.values())


def _source(tensor: Any) -> Any:
    """The node that made a tensor."""
    history = tensor._keras_history  # noqa: SLF001  # Keras has no public name for its graph
    return history.operation._inbound_nodes[history.node_index]  # noqa: SLF001  # Keras has no public way


def _view(trace: Trace) -> ModelView:
    layer, nodes, inputs, outputs, drawn, results = trace
    random = {id(_source(tensor)) for tensor in drawn}
    produced: dict[int, Key] = {
        id(tensor): (place, index)
        for place, node in enumerate(nodes)
        for index, tensor in enumerate(node.outputs)
    }
    if any(id(tensor) not in produced for node in nodes for tensor in node.input_tensors):
        message = "it runs a function of the program that reads tensors of its own"
        raise TracingError(message)
    calls = [
        Call(
            place,
            RandomView(node.outputs[0].shape[1:])
            if id(node) in random
            else PartView(node.operation),
            tuple(produced[id(tensor)] for tensor in node.input_tensors),
            (),
            tuple(tensor.shape[1:] for tensor in node.outputs),
            node,
        )
        for place, node in enumerate(nodes)
    ]
    entered = len({id(_source(tensor)) for tensor in inputs})
    calls[entered:entered] = [
        Call(len(nodes) + place, _once(result), (), (), (result.shape,))
        for place, result in enumerate(results)
    ]
    for tensor in outputs:
        if id(tensor) not in produced:
            view = ConstantView.leaving(_array_like(tensor))
            produced[id(tensor)] = (len(calls), 0)
            calls.append(Call(len(calls), view, (), (), (view.settings["shape"],)))
    return ModelView(
        str(layer.name),
        tuple(calls),
        tuple(produced[id(tensor)] for tensor in inputs),
        tuple(produced[id(tensor)] for tensor in outputs),
    )


def _array_like(tensor: Any) -> Array:
    """An array of the shape and type of a tensor."""
    dtype = _keras(tensor).backend.standardize_dtype(tensor.dtype)
    return Array(tuple(map(int, tensor.shape)), dtype)


def _once(result: Result) -> OnceView | ConstantView:
    if result.layer is None:
        return ConstantView(result.shape, result.path)
    return OnceView(result)


@contextmanager
def _no_traces(layer: Any) -> Iterator[None]:
    """Remove what a symbolic call adds to the layers in `layer`; losses are of training."""
    layers = list(layer._flatten_layers())  # noqa: SLF001  # no public name
    before = [(each, name, list(getattr(each, name, ()))) for each in layers for name in _TRACES]
    for each in layers:
        vars(each)[_ADD_LOSS] = _no_loss
    try:
        yield
    finally:
        for each in layers:
            del vars(each)[_ADD_LOSS]
        for each, name, kept in before:
            if hasattr(each, name):
                getattr(each, name)[:] = kept


def _no_loss(loss: Any) -> None:
    """Take no notice of a loss."""


@contextmanager
def _true_shapes(layer: Any, keras: Any) -> Iterator[None]:
    """Let the layers in `layer` find the shape of what they give from their calls.

    What a class declares of it may leave axes open that are known, or not be meant for
    symbolic calls at all. Keras's own classes are right, and quicker, but for one.
    """
    layers = list(layer._flatten_layers())  # noqa: SLF001  # no public name
    for each in layers:
        is_exact = _is_exact(type(each))
        spec = each.compute_output_spec if is_exact else _spec_of_call(keras, each)
        vars(each)[_SPEC] = functools.partial(_of_dense, keras, spec, takes_arrays=not is_exact)
    try:
        yield
    finally:
        for each in layers:
            del vars(each)[_SPEC]


@contextmanager
def _nodes_of_tensors(keras: Any) -> Iterator[None]:
    """Let a layer return values beside tensors, such as None: they are not in its node."""
    modules = [sys.modules[name] for name in _MAKE_NODES if hasattr(sys.modules[name], _NODE)]
    before = [getattr(module, _NODE) for module in modules]

    def made(node: Any) -> Callable[..., Any]:
        @functools.wraps(node, updated=())
        def make(*, outputs: Any = None, **given: Any) -> Any:
            flat = keras.tree.flatten(outputs)
            return node(outputs=[one for one in flat if _is_tensor(one)], **given)

        return make

    for module, node in zip(modules, before, strict=True):
        setattr(module, _NODE, made(node))
    try:
        yield
    finally:
        for module, node in zip(modules, before, strict=True):
            setattr(module, _NODE, node)


@contextmanager
def _functions_as_they_run(keras: Any) -> Iterator[None]:
    """Let a function that cannot say what it gives find it out as layers do: by a trial run.

    What Keras says of an einsum, for one, fails for some letters that the einsum itself takes.
    The number of axes is a number, as it is in a run.
    """
    operation, rank = keras.Operation, sys.modules[_FUNCTIONS].Ndim
    method, from_call = operation.symbolic_call, operation.compute_output_spec

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(self, rank):
            return len(args[0].shape)
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  # whatever Keras may raise
            try:
                outputs = from_call(self, *args, **kwargs)
            except Exception:  # noqa: BLE001  # whatever Keras may raise
                raise error from None
            node = getattr(sys.modules[_MAKE_NODES[-1]], _NODE)
            node(operation=self, call_args=args, call_kwargs=kwargs, outputs=outputs)
            return outputs

    operation.symbolic_call = call
    try:
        yield
    finally:
        operation.symbolic_call = method


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "shape")


def _of_dense(
    keras: Any, spec: Callable[..., Any], *args: Any, takes_arrays: bool, **kwargs: Any
) -> Any:
    """What a layer gives for dense symbols.

    Keras takes a product with a number for sparse. Its own layers expect symbols where they get
    weights and arrays.
    """

    def dense(value: Any) -> Any:
        if isinstance(value, keras.KerasTensor):
            return keras.KerasTensor(value.shape, value.dtype) if value.sparse else value
        if takes_arrays or not (is_weight(value) or keras.ops.is_tensor(value)):
            return value
        return keras.KerasTensor(
            tuple(value.shape), dtype=keras.backend.standardize_dtype(value.dtype)
        )

    args, kwargs = keras.tree.map_structure(dense, (args, kwargs))
    return spec(*args, **kwargs)


@contextmanager
def _symbolic_arithmetic(keras: Any) -> Iterator[None]:
    """Let weights and arrays leave arithmetic with a symbolic tensor to the tensor.

    They would compute at once where they stand on the left, and cannot.
    """
    tensor = keras.KerasTensor
    changed: list[tuple[Any, str, Any]] = [(tensor, _UFUNC, vars(tensor).get(_UFUNC, _ABSENT))]
    names = [f"__{name}__" for name in _ARITHMETIC]
    for cls in (*keras.Variable.__mro__[:-1], *_array_classes(keras)):
        changed += [(cls, name, vars(cls)[name]) for name in names if name in vars(cls)]
    try:
        setattr(tensor, _UFUNC, None)  # what NumPy asks for before it takes part
        for cls, name, method in changed[1:]:
            setattr(cls, name, _left_to(tensor, method))
        yield
    finally:
        for cls, name, before in changed:
            if before is _ABSENT:
                delattr(cls, name)
            else:
                setattr(cls, name, before)


def _array_classes(keras: Any) -> list[type]:
    """The classes of the backend's arrays that can be changed; NumPy's ask the other operand."""
    classes = type(keras.ops.zeros(())).__mro__[:-1]
    return [cls for cls in classes if not cls.__flags__ & _IMMUTABLE]


def _left_to(tensor: type, method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The method of a weight or array, but for arithmetic with a symbolic tensor on its right."""

    @functools.wraps(method)
    def calculate(self: Any, other: Any) -> Any:
        return NotImplemented if isinstance(other, tensor) else method(self, other)

    return calculate


_ABSENT: Final = object()
_IMMUTABLE: Final = 1 << 8
"""The flag of a class whose methods Python does not replace: Py_TPFLAGS_IMMUTABLETYPE."""
_UFUNC: Final = "__array_ufunc__"
_ARITHMETIC: Final = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lt", "le", "gt", "ge",
)  # fmt: skip


def _is_exact(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == _KERAS and cls.__name__ != "EinsumDense"


def weights_of(layer: Any) -> Mapping[int, Any]:
    """The weights of a layer and of all that it holds, by identity."""
    return {id(weight): weight for weight in getattr(layer, "weights", ())}


_OWN: Final = ("_trainable_variables", "_non_trainable_variables")
"""Where a layer of Keras 3 keeps its own weights; it has no public name for these alone."""


def weights_beside(layer: Any, known: Container[int]) -> Mapping[int, Any]:
    """The weights of a layer, but those of layers directly in it whose identities are known."""
    if not hasattr(layer, _OWN[0]):
        return weights_of(layer)
    found = {id(weight): weight for name in _OWN for weight in getattr(layer, name)}
    for part in layer._flatten_layers(include_self=False, recursive=False):  # noqa: SLF001  # no public name
        if id(part) not in known:
            found.update(weights_of(part))
    return found


def described(weights: Iterable[Any]) -> tuple[tuple[str, Shape], ...]:
    """Weights as paths, each different from the others, and shapes."""
    found: list[tuple[str, Shape]] = []
    named: Counter[str] = Counter()
    for weight in weights:
        path = str(getattr(weight, "path", None) or weight.name)  # Keras 2 knows no paths
        named[path] += 1
        unique = path if named[path] == 1 else f"{path}@{named[path]}"
        found.append((unique, tuple(map(int, weight.shape))))
    return tuple(found)


def weights_read(node: Any) -> tuple[int, ...]:
    """The weights among the arguments of a call, by identity."""
    given = node.arguments.args, node.arguments.kwargs
    return tuple(id(value) for value in _keras(node).tree.flatten(given) if is_weight(value))


def _keras(layer: Any) -> Any:
    """The Keras that the layer's class comes from, which its program has imported."""
    return sys.modules[_KERAS]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
