"""Firing rates: example data run through a live model, layer by layer."""

from __future__ import annotations

import contextlib
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from attrs import define, field, frozen

from costmodel.errors import ScenarioError, nearest
from costmodel_keras.nodes import graph_of, has_graph, nodes, numbers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from costmodel.scenario import RatesOf
    from costmodel_keras.nodes import Node, Numbers

_NUMBERS: Final = "biuf"
"""The kinds of NumPy arrays that hold numbers: truth values, integers, floating point."""


class CallRate(NamedTuple):
    """The mean absolute input and output of one call of one layer.

    Each is the mean over all elements of all its tensors, in hertz. `path` is the layer's name
    behind those of the models that it is in; `call` counts from 1.
    """

    path: str
    call: int
    inputs: float
    outputs: float
    is_model: bool

    @property
    def name(self) -> str:
        """The name under which the network has this call."""
        return self.path if self.call == 1 else f"{self.path}@{self.call}"

    def hertz(self, of: RatesOf) -> float:
        """The rate of the inputs or of the outputs."""
        return self.outputs if of == "outputs" else self.inputs


def measure(
    model: Any,
    examples: Any,
    *,
    of: RatesOf,
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> Mapping[str, float]:
    """Mean absolute output or input in hertz of every layer, by its name in the network.

    A layer with several inputs or outputs has the mean over the elements of all of them.

    `examples` is an array, or a list of arrays or a mapping by input name, the examples along
    the first axis. `progress` is called after each batch with the examples done and their total.

    Raises:
        ReadError: the model has no graph of layers.
        ScenarioError: the examples do not fit the inputs, or are not finite numbers.

    """
    found = [rate for rate in measure_calls(model, examples, batch_size, progress)
             if not rate.is_model]  # fmt: skip
    for rate in found:
        check_finite(rate, of)
    return {rate.name: rate.hertz(of) for rate in found}


def measure_calls(
    model: Any,
    examples: Any,
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[CallRate, ...]:
    """The rates of every call, those of the models in the model among them; see `measure`.

    A rate that is not finite is returned as it is.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        message = f"batch_size is {batch_size!r}; expected a whole number of 1 or more"
        raise ScenarioError(message)
    graph = _read(model)
    arrays = _arrays(examples, graph)
    total = len(arrays[0])
    sums: dict[tuple[str, int, bool], tuple[float, float]] = {}
    for start in range(0, total, batch_size):
        batch = [array[start : start + batch_size] for array in arrays]
        count = len(batch[0])
        for rate in _run(graph, batch):
            key = (rate.path, rate.call, rate.is_model)
            inputs, outputs = sums.get(key, (0.0, 0.0))
            sums[key] = (inputs + rate.inputs * count, outputs + rate.outputs * count)
        if progress is not None:
            progress(min(start + batch_size, total), total)
    return tuple(
        CallRate(path, call, inputs / total, outputs / total, is_model)
        for (path, call, is_model), (inputs, outputs) in sums.items()
    )


def check_finite(rate: CallRate, of: RatesOf) -> None:
    """Check that a measured rate is finite.

    Raises:
        ScenarioError: it is not.

    """
    hertz = rate.hertz(of)
    if not math.isfinite(hertz):
        what = of.removesuffix("s")
        message = f"on the example data the mean absolute {what} of layer {rate.name!r} is {hertz}"
        raise ScenarioError(message)


# ------------------------------------------------------------------ the graph to run


@frozen
class _Call:
    """One call, the graph in it if its layer is a model, and the tensors not needed after it."""

    node: Node
    model: _Graph | None
    done: tuple[int, ...]


@frozen
class _Graph:
    """A model ready to run: its input and output tensors, and its calls in order."""

    inputs: tuple[Any, ...]
    input_names: tuple[str, ...]
    outputs: tuple[Any, ...]
    calls: tuple[_Call, ...]
    numbers: Numbers


def _read(model: Any) -> _Graph:
    functional, ordered = graph_of(model), nodes(model)
    inputs, outputs = tuple(functional.inputs), tuple(functional.outputs)
    given = set(map(id, inputs))
    names = {id(tensor): node.name for node in ordered for tensor in node.outputs}
    steps = [node for node in ordered if id(node.outputs[0]) not in given]
    last_use = {id(tensor): at for at, node in enumerate(steps) for tensor in _touched(node)}
    kept = set(map(id, outputs))
    calls = tuple(
        _Call(
            node, _inner(node.layer),
            tuple({id(t) for t in _touched(node) if last_use[id(t)] == at} - kept),
        )
        for at, node in enumerate(steps)
    )  # fmt: skip
    input_names = tuple(names[id(tensor)] for tensor in inputs)
    return _Graph(inputs, input_names, outputs, calls, numbers_of(model))


def _touched(node: Node) -> list[Any]:
    return [*node.inputs, *node.outputs]


def _inner(layer: Any) -> _Graph | None:
    return _read(layer) if has_graph(layer) else None


# ------------------------------------------------------------------ one batch


def _run(graph: _Graph, batch: Sequence[Any]) -> list[CallRate]:
    """The rates of all calls over one batch."""
    with _no_gradients():
        running = _Running(graph.numbers)
        values = [
            running.numbers.convert(array, tensor.dtype)
            for array, tensor in zip(batch, graph.inputs, strict=True)
        ]
        for name, value in zip(graph.input_names, values, strict=True):
            given = [running.weigh(value)]
            running.note(name, running.begun(name), given, given, is_model=False)
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

    numbers: Numbers
    rates: list[CallRate] = field(factory=list)
    counts: Counter[str] = field(factory=Counter)

    def run(self, graph: _Graph, values: Sequence[Any], prefix: str) -> list[Any]:
        """Every call of a graph on the values of its inputs; returns those of its outputs."""
        held = {id(tensor): value for tensor, value in zip(graph.inputs, values, strict=True)}
        weights = {tensor: self.weigh(value) for tensor, value in held.items()}
        for call in graph.calls:
            node, path = call.node, f"{prefix}{call.node.name}"
            number = self.begun(path)
            made = self._call(call, held, path)
            for tensor, value in zip(node.outputs, made, strict=True):
                held[id(tensor)], weights[id(tensor)] = value, self.weigh(value)
            taken, given = (
                [weights[id(tensor)] for tensor in tensors]
                for tensors in (node.inputs, node.outputs)
            )
            self.note(path, number, taken, given, is_model=call.model is not None)
            # Activations of a whole batch fill the memory; none is kept longer than needed.
            for tensor in call.done:
                held.pop(tensor, None)
        return [held[id(tensor)] for tensor in graph.outputs]

    def begun(self, path: str) -> int:
        """The number of the call of a layer that begins now."""
        self.counts[path] += 1
        return self.counts[path]

    def note(
        self,
        path: str,
        number: int,
        taken: Sequence[_Weight],
        given: Sequence[_Weight],
        *,
        is_model: bool,
    ) -> None:
        """Keep the rates of one call, from what enters and what leaves."""
        self.rates.append(CallRate(path, number, _mean(taken), _mean(given), is_model))

    def weigh(self, value: Any) -> _Weight:
        """The mean absolute value of a tensor and its number of elements."""
        return _Weight(self.numbers.mean_magnitude(value), math.prod(value.shape))

    def _call(self, call: _Call, held: Mapping[int, Any], path: str) -> list[Any]:
        if call.model is None:
            return call.node.run(held)
        fed = [held[id(tensor)] for tensor in call.node.inputs]
        return self.run(call.model, fed, f"{path}/")


def _mean(weights: Sequence[_Weight]) -> float:
    """The mean over the elements of several tensors."""
    size = sum(weight.size for weight in weights)
    return math.fsum(weight.mean * weight.size for weight in weights) / max(1, size)


# ------------------------------------------------------------------ example data


def _arrays(examples: Any, graph: _Graph) -> list[NDArray[Any]]:
    """One array for each input, all of the same length.

    Raises:
        ScenarioError: they do not fit the inputs, or are not finite numbers.

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
            message = f"example data is given for {name!r}, which is not an input of the model"
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
            f"example data for input {name!r} is not an array: its parts have different lengths or "
            "are not numbers; expected one array, the examples along its first axis"
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
