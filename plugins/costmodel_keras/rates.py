"""Firing rates: example data run through a live model, layer by layer."""

from __future__ import annotations

import contextlib
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from attrs import define, field, frozen

from costmodel.errors import ReadError, ScenarioError, nearest
from costmodel.network import topological_order
from costmodel_keras import graph as graphs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

_NUMBERS: Final = "biuf"
"""The kinds of NumPy arrays that hold numbers: truth values, integers, floating point."""


class CallRate(NamedTuple):
    """The mean absolute input of one call of one layer, over all elements of all its inputs.

    `path` is the layer's name behind those of the models that it is in; `call` counts from 1.
    """

    path: str
    call: int
    hertz: float
    is_model: bool

    @property
    def name(self) -> str:
        """The name under which the network has this call."""
        return self.path if self.call == 1 else f"{self.path}@{self.call}"


def measure(
    model: Any,
    examples: Any,
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> Mapping[str, float]:
    """Mean absolute input in hertz of every layer over `examples`, by its name in the network.

    A layer with several inputs has the mean over the elements of all of them.

    `examples` is an array, or a list of arrays or a mapping by input name, the examples along
    the first axis. `progress` is called after each batch with the examples done and their total.

    Raises:
        ReadError: the model has no graph of layers.
        ScenarioError: the examples do not fit the inputs, or are no finite numbers.

    """
    found = measure_calls(model, examples, batch_size, progress)
    return {rate.name: rate.hertz for rate in found if not rate.is_model}


def measure_calls(
    model: Any,
    examples: Any,
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[CallRate, ...]:
    """The rate of every call, those of the models in the model among them; see `measure`."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        message = f"batch_size is {batch_size!r}; expected a whole number of 1 or more"
        raise ScenarioError(message)
    graph = _read(model)
    arrays = _arrays(examples, graph)
    total = len(arrays[0])
    sums: dict[tuple[str, int, bool], float] = {}
    for start in range(0, total, batch_size):
        batch = [array[start : start + batch_size] for array in arrays]
        for path, call, mean, is_model in _run(graph, batch):
            key = (path, call, is_model)
            sums[key] = sums.get(key, 0.0) + mean * len(batch[0])
        if progress is not None:
            progress(min(start + batch_size, total), total)
    return tuple(_finite(path, call, each / total, is_model)
                 for (path, call, is_model), each in sums.items())  # fmt: skip


def nodes(model: Any) -> list[Any]:
    """Keras's node of every call in a live model, in the network's topological order.

    Raises:
        ReadError: the model has no graph of layers.

    """
    view = graphs.live_view(model)
    if view.model() is None:
        message = (
            f"{view.name!r} is a {view.kind!r} without a graph of layers to run; "
            "expected a Functional or Sequential model"
        )
        raise ReadError(message)
    found = _nodes(_functional(model))
    places = {id(tensor): place for place, node in enumerate(found) for tensor in node.outputs}
    sources = {
        place: [places[id(tensor)] for tensor in node.input_tensors]
        for place, node in enumerate(found)
    }
    return [found[place] for place in topological_order(sources)]


def _functional(model: Any) -> Any:
    """The functional model itself, or the one inside a sequential model."""
    return getattr(model, "_functional", None) or model


def _nodes(functional: Any) -> list[Any]:
    # Keras has no public name for its graph.
    by_depth = functional._nodes_by_depth  # noqa: SLF001  # Keras has no public way
    belongs = {id(node) for depth in by_depth.values() for node in depth}
    return [
        node
        for layer in functional.operations
        for node in layer._inbound_nodes  # noqa: SLF001  # Keras has no public way
        if id(node) in belongs
    ]


# ------------------------------------------------------------------ the graph to run


@frozen
class _Call:
    """One call: Keras's node, the graph in it if it is a model, and what is done after it."""

    name: str
    node: Any
    model: _Graph | None
    done: tuple[int, ...]


@frozen
class _Graph:
    """A model ready to run: its input and output tensors, and its calls in order."""

    inputs: tuple[Any, ...]
    input_names: tuple[str, ...]
    outputs: tuple[Any, ...]
    calls: tuple[_Call, ...]


def _read(model: Any) -> _Graph:
    functional, ordered = _functional(model), nodes(model)
    inputs, outputs = tuple(functional.inputs), tuple(functional.outputs)
    given = set(map(id, inputs))
    names = {id(tensor): _name(node) for node in ordered for tensor in node.outputs}
    steps = [node for node in ordered if id(node.outputs[0]) not in given]
    last_use = {id(tensor): at for at, node in enumerate(steps) for tensor in _touched(node)}
    kept = set(map(id, outputs))
    calls = tuple(
        _Call(
            _name(node), node, _inner(node.operation),
            tuple({id(t) for t in _touched(node) if last_use[id(t)] == at} - kept),
        )
        for at, node in enumerate(steps)
    )  # fmt: skip
    return _Graph(inputs, tuple(names[id(tensor)] for tensor in inputs), outputs, calls)


def _name(node: Any) -> str:
    return str(node.operation.name)


def _touched(node: Any) -> list[Any]:
    return [*node.input_tensors, *node.outputs]


def _inner(operation: Any) -> _Graph | None:
    return None if graphs.live_view(operation).model() is None else _read(operation)


# ------------------------------------------------------------------ one batch


def _run(graph: _Graph, batch: Sequence[Any]) -> list[CallRate]:
    """The rates of all calls over one batch."""
    with _no_gradients():
        running = _Running(sys.modules["keras"].ops)  # a live model has imported it
        values = [
            running.ops.convert_to_tensor(array, dtype=tensor.dtype)
            for array, tensor in zip(batch, graph.inputs, strict=True)
        ]
        for name, value in zip(graph.input_names, values, strict=True):
            running.note(name, [running.weigh(value)], is_model=False)
        running.run(graph, values, "")
    return running.rates


def _no_gradients() -> contextlib.AbstractContextManager[Any]:
    torch = sys.modules.get("torch")
    return contextlib.nullcontext() if torch is None else torch.no_grad()


class _Weight(NamedTuple):
    """The mean absolute value of a tensor, and its number of elements."""

    mean: float
    size: int


@define
class _Running:
    """One batch on its way through a model, and the rates seen so far."""

    ops: Any
    rates: list[CallRate] = field(factory=list)
    counts: Counter[str] = field(factory=Counter)

    def run(self, graph: _Graph, values: Sequence[Any], prefix: str) -> list[Any]:
        """Every call of a graph on the values of its inputs; returns those of its outputs."""
        held = {id(tensor): value for tensor, value in zip(graph.inputs, values, strict=True)}
        weights = {tensor: self.weigh(value) for tensor, value in held.items()}
        for call in graph.calls:
            taken = [weights[id(tensor)] for tensor in call.node.input_tensors]
            self.note(f"{prefix}{call.name}", taken, is_model=call.model is not None)
            made = self._call(call, held, prefix)
            for tensor, value in zip(call.node.outputs, made, strict=True):
                held[id(tensor)], weights[id(tensor)] = value, self.weigh(value)
            # Activations of a whole batch fill the memory; none is kept longer than needed.
            for tensor in call.done:
                held.pop(tensor, None)
        return [held[id(tensor)] for tensor in graph.outputs]

    def note(self, path: str, taken: Sequence[_Weight], *, is_model: bool) -> None:
        """Keep the rate of one call, given what it takes."""
        self.counts[path] += 1
        size = sum(weight.size for weight in taken)
        mean = math.fsum(weight.mean * weight.size for weight in taken) / max(1, size)
        self.rates.append(CallRate(path, self.counts[path], mean, is_model))

    def weigh(self, value: Any) -> _Weight:
        """The mean absolute value of a tensor and its number of elements."""
        mean = self.ops.mean(self.ops.absolute(self.ops.cast(value, "float32")))
        return _Weight(float(mean), math.prod(value.shape))

    def _call(self, call: _Call, held: Mapping[int, Any], prefix: str) -> list[Any]:
        node = call.node
        if call.model is not None:
            fed = [held[id(tensor)] for tensor in node.input_tensors]
            return self.run(call.model, fed, f"{prefix}{call.name}/")
        args, kwargs = node.arguments.fill_in(held)
        made = node.operation(*args, **kwargs)
        return list(sys.modules["keras"].tree.flatten(made))


def _finite(path: str, call: int, mean: float, is_model: bool) -> CallRate:  # noqa: FBT001  # as in CallRate
    rate = CallRate(path, call, mean, is_model)
    if not math.isfinite(mean):
        message = f"on the example data the mean absolute input of layer {rate.name!r} is {mean}"
        raise ScenarioError(message)
    return rate


# ------------------------------------------------------------------ example data


def _arrays(examples: Any, graph: _Graph) -> list[NDArray[Any]]:
    """One array for each input, all of the same length.

    Raises:
        ScenarioError: they do not fit the inputs, or are no finite numbers.

    """
    given = _by_input(examples, graph.input_names)
    arrays = [
        _array(value, name, tensor.shape)
        for value, name, tensor in zip(given, graph.input_names, graph.inputs, strict=True)
    ]
    lengths = {name: len(array) for name, array in zip(graph.input_names, arrays, strict=True)}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} {length}" for name, length in lengths.items())
        message = f"the inputs have different numbers of examples: {shown}"
        raise ScenarioError(message)
    return arrays


def _by_input(examples: Any, names: Sequence[str]) -> list[Any]:
    if isinstance(examples, Mapping):
        return list(_named(examples, names))
    is_list = isinstance(examples, list | tuple) and all(hasattr(x, "shape") for x in examples)
    values = list(examples) if is_list else [examples]
    if len(values) != len(names):
        message = (
            f"expected example data for {len(names)} input{'s' if len(names) > 1 else ''} "
            f"({', '.join(names)}), found {len(values)} arrays"
        )
        raise ScenarioError(message)
    return values


def _named(examples: Mapping[str, Any], names: Sequence[str]) -> Iterator[Any]:
    for name in examples:
        if name not in names:
            near = nearest(str(name), names)
            message = f"example data is given for {name!r}, which is no input of the model"
            raise ScenarioError(message + (f"; nearest known: {near!r}" if near else ""))
    for name in names:
        if name not in examples:
            message = f"example data for input {name!r} is missing"
            raise ScenarioError(message)
        yield examples[name]


def _array(value: Any, name: str, shape: Sequence[int | None]) -> NDArray[Any]:
    import numpy as np  # noqa: PLC0415  # only where rates are measured

    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        message = (
            f"example data for input {name!r} is no array: its parts have different lengths or "
            "are no numbers; expected one array, the examples along its first axis"
        )
        raise ScenarioError(message) from None
    if array.dtype.kind not in _NUMBERS:
        message = f"example data for input {name!r} is of type {array.dtype}; expected numbers"
        raise ScenarioError(message)
    _check_shape(array, name, shape)
    if not np.isfinite(array).all():
        message = f"example data for input {name!r} is not finite everywhere (NaN or infinity)"
        raise ScenarioError(message)
    return array


def _check_shape(array: np.ndarray[Any, Any], name: str, shape: Sequence[int | None]) -> None:
    lengths = zip(array.shape[1:], shape[1:], strict=False)
    fits = array.ndim == len(shape) and all(
        wanted is None or length == wanted for length, wanted in lengths
    )
    if not fits:
        wanted = ", ".join(["examples", *("any" if n is None else str(n) for n in shape[1:])])
        message = f"example data for input {name!r} has shape {array.shape}; expected ({wanted})"
        raise ScenarioError(message)
    if not array.size:
        message = f"example data for input {name!r} is empty; expected at least one example"
        raise ScenarioError(message)
