"""Recurrent cells over the steps of a sequence: one loop, whose body is a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from attrs import frozen

from costmodel.errors import ShapeError
from costmodel.frontend.operations.work import Value, Work
from costmodel.tensor.shapes import Tensor
from costmodel.workload.assembly import Assembly
from costmodel.workload.builders import activation, copy, elementwise, matmul

if TYPE_CHECKING:
    from costmodel.formats import NumericFormat
    from costmodel.frontend.operations.work import Rule
    from costmodel.workload.graph import Workload

GATES: Final[Mapping[str, int]] = {"rnn": 1, "gru": 3, "lstm": 4}
"""The weighted sums of each unit of a cell."""


@frozen
class Cell:
    """A recurrent cell.

    Args:
        kind: one of GATES.
        units: units of the state.
        activation: the function of the new state.
        gate_activation: that of the gates.
        resets_after: whether a GRU scales the weighted state, and not the state that is weighted.
        couples_gates: whether an LSTM lets in what it forgets, by one gate for both.
        state_format: that of the gates and of the cell of an LSTM, where it is declared.
        result_format: that of what the cell gives, which it reads at the next step, likewise.

    """

    kind: str
    units: int
    activation: str = "tanh"
    gate_activation: str = "sigmoid"
    resets_after: bool = True
    couples_gates: bool = False
    state_format: NumericFormat | None = None
    result_format: NumericFormat | None = None

    @property
    def gates(self) -> int:
        """The weighted sums of each unit."""
        return GATES[self.kind] - self.couples_gates


def recurrent(  # noqa: PLR0917  # the operands, as frontends have them
    sequence: Value,
    kernel: Value,
    recurrent_kernel: Value,
    bias: Value | None = None,
    recurrent_bias: Value | None = None,
    start: Value | None = None,
    start_of_cell: Value | None = None,
    projection: Value | None = None,
    peepholes: Value | None = None,
    *,
    cell: str,
    units: int,
    time_axis: int = 0,
    backwards: bool = False,
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    resets_after: bool = True,
    couples_gates: bool = False,
    state_format: NumericFormat | None = None,
    result_format: NumericFormat | None = None,
) -> Work:
    """A cell over the steps of a sequence; gives the outputs of all steps, then the last states.

    Args:
        sequence: shape (steps, rows, features), or (rows, steps, features) with `time_axis=1`.
        kernel: shape (gates x units, features), or the other way round.
        recurrent_kernel: shape (gates x units, outputs), or the other way round.
        bias: one element for each gate and unit.
        recurrent_bias: the same, of the weighted state.
        start: the first state; zeros unless given or constant.
        start_of_cell: the first state of the cell of an LSTM, likewise.
        projection: shape (outputs, units), or the other way round, of an LSTM.
        peepholes: three elements for each unit of an LSTM, by which gates read the cell.
        cell: one of GATES.
        units: units of the state.
        time_axis: the axis of the steps.
        backwards: whether it begins with the last step.
        activation: the function of the new state.
        gate_activation: that of the gates.
        resets_after: whether a GRU scales the weighted state, and not the state that is weighted.
        couples_gates: whether an LSTM lets in what it forgets, by one gate for both.
        state_format: that of the gates and of the cell of an LSTM, where it is declared.
        result_format: that of what the cell gives, which it reads at the next step, likewise.

    Raises:
        ShapeError: the shapes do not fit together.

    """
    if cell not in GATES or sequence.rank < _LEAST_AXES:
        message = (
            f"a cell {cell!r:.40} over {sequence.rank} axes; expected one of "
            f"{', '.join(GATES)} over steps, rows and features"
        )
        raise ShapeError(message)
    form = Cell(
        cell, units, activation, gate_activation, resets_after, couples_gates, state_format,
        result_format,
    )  # fmt: skip
    held = {
        "kernel": kernel, "recurrent_kernel": recurrent_kernel, "bias": bias,
        "recurrent_bias": recurrent_bias, "projection": projection, "peepholes": peepholes,
    }  # fmt: skip
    weights = {name: value for name, value in held.items() if value is not None}
    starts = [start, start_of_cell][: 2 if cell == "lstm" else 1]
    given = [one for one in starts if one is not None and not one.is_constant]
    if len(given) < len(starts):
        given = []  # zeros
    reads = {"sequence": sequence, **{f"start{n}": one for n, one in enumerate(given)}, **weights}
    order = sorted(reads, key=lambda name: reads[name].is_constant)
    roles = {name: value.role for name, value in reads.items()}
    place = sequence.axis(time_axis)

    def over_steps(tensors: Sequence[Tensor]) -> Workload:
        by_name = dict(zip(order, tensors, strict=True))
        return _over_steps(form, by_name, roles, place, backwards=backwards)

    return Work(over_steps, [reads[name] for name in order])


_LEAST_AXES: Final = 2


def _over_steps(
    cell: Cell,
    tensors: Mapping[str, Tensor],
    roles: Mapping[str, str],
    place: int,
    *,
    backwards: bool,
) -> Workload:
    """The loop, which gives the outputs of all steps and the last states."""
    made = Assembly(cell.kind)
    for name, tensor in tensors.items():
        add = made.weight if roles[name] == "weight" else made.input
        add(name, tensor)
    sequence = tensors["sequence"]
    step = Tensor((*sequence.shape[:place], *sequence.shape[place + 1 :]), sequence.format)
    weights = {name: tensor for name, tensor in tensors.items() if name in _WEIGHTS}
    starts = [name for name in tensors if name.startswith("start")]
    if any(tensors[name].format is not None for name in starts):
        starts = []
    source = _turned(made, "sequence", (sequence.shape[place], *step.shape))
    body = _Step(cell, step, weights, roles).workload()
    data = {name: name for name in weights if roles[name] == "input"}
    outputs, *states = made.recurrent(
        body, source, weights={name: name for name in weights if name not in data}, fixed=data,
        starts=starts, collects=True, backwards=backwards, fused=True,
    )  # fmt: skip
    shape = list(made.tensor(outputs).shape)
    length = shape.pop(0)
    outputs = _turned(made, outputs, (*shape[:place], length, *shape[place:]))
    return made.workload(
        {"output": outputs, **{f"state{number}": one for number, one in enumerate(states)}}
    )


_WEIGHTS: Final = (
    "kernel", "recurrent_kernel", "bias", "recurrent_bias", "projection", "peepholes",
)  # fmt: skip


def _turned(made: Assembly, name: str, shape: Sequence[int | None]) -> str:
    """The tensor with its axis of steps elsewhere; for one row these are the same elements."""
    held = made.tensor(name)
    if held.shape == tuple(shape):
        return name
    rows = [length for length in held.shape if length != 1]
    kept = [length for length in shape if length != 1]
    kind = "reshape" if rows == kept else "other"
    return made.view(name, Tensor(tuple(shape), held.format), kind)


class _Step:
    """The workload of one step: it reads `x` and states; it gives the output and new states.

    Weights whose role is that of an input are data, and the same at every step.
    """

    def __init__(
        self, cell: Cell, taken: Tensor, weights: Mapping[str, Tensor], roles: Mapping[str, str]
    ) -> None:
        self.cell, self.made, self.weights = cell, Assembly("step"), weights
        self.data = {name for name in weights if roles[name] == "input"}
        made, rows = self.made, tuple(taken.shape[:-1])
        self.sums = (*rows, cell.gates * cell.units)
        self.state = (*rows, cell.units)
        self.output = Tensor(self.state, cell.result_format)
        width = cell.units
        if "projection" in weights:
            width = weights["projection"].size // cell.units
        made.input("x", taken)
        made.input("h", Tensor((*rows, width), cell.result_format))
        if cell.kind == "lstm":
            made.input("c", Tensor(self.state, cell.state_format))
        for name, tensor in weights.items():
            add = made.input if name in self.data else made.weight
            add(name, tensor)

    def workload(self) -> Workload:
        """The whole step."""
        steps: Mapping[str, Callable[[], Sequence[str]]] = {
            "rnn": self._simple, "gru": self._reset, "lstm": self._long_short_term,
        }  # fmt: skip
        results = steps[self.cell.kind]()
        return self.made.workload({f"y{place}": name for place, name in enumerate(results)})

    def _simple(self) -> Sequence[str]:
        sums = self._add("add", self._weighed("x"), self._weighed("h"))
        new = self._applied(self.cell.activation, sums, self.output)
        return new, new

    def _long_short_term(self) -> Sequence[str]:
        """Forget some of the old state of the cell, add the new one, let some of it out."""
        cell = self.cell
        sums = self._add("add", self._weighed("x"), self._weighed("h"))
        gates = [self._gate(sums, place) for place in range(cell.gates)]
        *first, forget, new, let_out = gates
        if "peepholes" in self.weights:
            first = [self._peeped(one, 0, "c") for one in first]
            forget = self._peeped(forget, 1, "c")
        forget = self._applied(cell.gate_activation, forget)
        let_in = (
            self._applied(cell.gate_activation, first[0]) if first else self._complement(forget)
        )
        new = self._applied(cell.activation, new)
        kept, added = self._add("multiply", forget, "c"), self._add("multiply", let_in, new)
        state = self._add("add", kept, added, output=Tensor(self.state, cell.state_format))
        if "peepholes" in self.weights:
            let_out = self._peeped(let_out, 2, state)
        let_out = self._applied(cell.gate_activation, let_out)
        shown = self._applied(cell.activation, state)
        output = self._add("multiply", let_out, shown, output=self.output)
        if "projection" in self.weights:
            output = self._product(output, "projection", self.made.tensor("h"))
        return output, output, state

    def _reset(self) -> Sequence[str]:
        """Reset the old state, then mix it with the new one by z and 1 - z."""
        cell = self.cell
        own = self._weighed("x")
        weighed = self._weighed("h") if cell.resets_after else self._weighed("h", gates=2)
        gates = self._add("add", self._gates(own, 2), self._gates(weighed, 2))
        mix, reset = [
            self._applied(cell.gate_activation, self._gate(gates, place)) for place in range(2)
        ]
        if cell.resets_after:
            last = self._add("multiply", reset, self._gate(weighed, 2))
        else:
            last = self._weighed(self._add("multiply", reset, "h"), source="h", first=2, gates=1)
        new = self._applied(cell.activation, self._add("add", self._gate(own, 2), last))
        rest = self._complement(mix)
        kept, added = self._add("multiply", mix, "h"), self._add("multiply", rest, new)
        output = self._add("add", kept, added, output=self.output)
        return output, output

    # ------------------------------------------------------------------ parts of a step

    def _weighed(
        self, values: str, *, source: str = "", first: int = 0, gates: int | None = None
    ) -> str:
        """The weighted sums of some gates, of the input `x` or of the state `h`."""
        kernel, bias = _HELD[source or values]
        count = self.cell.gates if gates is None else gates
        sums = Tensor((*self.sums[:-1], count * self.cell.units), self.cell.state_format)
        return self._product(values, kernel, sums, bias, first * self.cell.units)

    def _product(
        self, values: str, kernel: str, output: Tensor, bias: str = "", first: int = 0
    ) -> str:
        made, width = self.made, output.shape[-1] or 1
        features = made.tensor(values).shape[-1] or 1
        whole = self.weights[kernel].size // features
        matrix = self.weights[kernel].shape[-2:]
        is_turned = matrix == (whole, features)
        held = self._rows(kernel, (whole, features) if is_turned else (features, whole), whole,
                          first, width)  # fmt: skip
        added = self._rows(bias, (whole,), whole, first, width) if bias in self.weights else None
        starts_at = [] if added is None or bias in self.data else [added]
        work = matmul(
            made.tensor(values), made.tensor(held), transpose_right=is_turned,
            right_role="input" if kernel in self.data else "weight",
            bias=made.tensor(starts_at[0]) if starts_at else None,
            output=output,
        )  # fmt: skip
        product = made.add(work, values, held, *starts_at)
        return product if added is None or starts_at else self._add("add", product, added)

    def _rows(self, name: str, shape: tuple[int, ...], whole: int, first: int, width: int) -> str:
        """The part of a weight that some gates read."""
        seen = self.made.seen_as(name, Tensor(shape, self.made.tensor(name).format))
        if width == whole:
            return seen
        return self.made.part(seen, shape.index(whole), first, width)

    def _gate(self, sums: str, place: int) -> str:
        units = self.cell.units
        if self.made.tensor(sums).shape[-1] == units:
            return sums
        return self.made.part(sums, -1, place * units, units)

    def _gates(self, sums: str, count: int) -> str:
        width = count * self.cell.units
        if self.made.tensor(sums).shape[-1] == width:
            return sums
        return self.made.part(sums, -1, 0, width)

    def _peeped(self, gate: str, place: int, state: str) -> str:
        units = self.cell.units
        held_format = self.made.tensor("peepholes").format
        flat = self.made.seen_as("peepholes", Tensor((3 * units,), held_format))
        held = self.made.part(flat, 0, place * units, units)
        if "peepholes" in self.data:
            return self._add("add", gate, self._add("multiply", state, held))
        scaled = self.made.add(
            elementwise(
                "multiply", self.made.tensor(state), weights=[self.made.tensor(held)], in_place=True
            ),
            state, held,
        )  # fmt: skip
        return self._add("add", gate, scaled)

    def _complement(self, name: str) -> str:
        """One minus every element."""
        return self.made.add(elementwise("subtract", self.made.tensor(name), in_place=True), name)

    def _add(self, function: str, *reads: str, output: Tensor | None = None) -> str:
        """A function of tensors, in place unless its result is another state or the output."""
        tensors = [self.made.tensor(name) for name in reads]
        work = elementwise(function, *tensors, in_place=output is None, output=output)
        return self.made.add(work, *reads)

    def _applied(self, function: str, name: str, output: Tensor | None = None) -> str:
        """A function of a tensor, in place likewise."""
        tensor = self.made.tensor(name)
        if function == "linear":
            return name if output is None else self.made.add(copy("state", tensor), name)
        work = activation(function, tensor, in_place=output is None, output=output)
        return self.made.add(work, name)


_HELD: Final[Mapping[str, tuple[str, str]]] = {
    "x": ("kernel", "bias"), "h": ("recurrent_kernel", "recurrent_bias"),
}  # fmt: skip

RULES: Final[Mapping[str, Rule]] = {"recurrent": recurrent}
