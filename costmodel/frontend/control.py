"""Loops and branches: graphs within a graph, which may read what stands around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from costmodel.errors import ShapeError
from costmodel.frontend.layers import assembled
from costmodel.frontend.normalize.passes import normalize
from costmodel.frontend.operations.work import Value, Work
from costmodel.tensor.shapes import Tensor
from costmodel.workload.assembly import Assembly, numbered
from costmodel.workload.builders import fill
from costmodel.workload.graph import Branch, Loop, Workload
from costmodel.workload.operators import Activation, Contraction, Elementwise, Gather, Movement

if TYPE_CHECKING:
    from costmodel.formats import NumericFormat
    from costmodel.frontend.graph import Graph


def loop(  # noqa: PLR0913  # what goes in and out of a step, as `Loop` has it
    graph: Graph,
    body: Graph,
    steps: int,
    *,
    fixed: Sequence[tuple[Value, Value]] = (),
    varying: Sequence[tuple[Value, Value]] = (),
    carried: Sequence[tuple[Value, Value, Value]] = (),
    collected: Sequence[Value] = (),
    axis: int = 0,
    backwards: bool = False,
) -> tuple[Value, ...]:
    """Add a loop of a known number of steps, one after the other.

    Args:
        graph: the graph around it.
        body: one step; it may read values of the graph around it.
        steps: how often it runs.
        fixed: a value outside, and the input of the body that is the same at every step.
        varying: a value outside, and the input of the body that is one slice of it.
        carried: the value outside that it starts as, the input of the body, and the value of the
            body that it is at the next step. One that starts as a constant is not read.
        collected: values of the body of which all steps are stacked.
        axis: along which slices are taken and stacked.
        backwards: whether it begins with the last slice.

    Returns:
        The last of each carried value, then the collected ones.

    Raises:
        ShapeError: a value that is carried changes its shape.

    """
    _check_carried(body.name, carried)
    states = [inside for _, inside, _ in carried]
    taken = [*[inside for _, inside in (*fixed, *varying)], *states]
    results = _normalized(body, [*[after for _, _, after in carried], *collected])
    outer = _captured(body, results, taken)
    outside = [
        *[value for value, _ in (*fixed, *varying)],
        *[start for start, _, _ in carried if not start.is_constant],
        *outer,
    ]
    reads = sorted({id(one): one for one in outside}.values(), key=lambda one: one.is_constant)
    makes = _LoopWorkload(
        body, steps, fixed, varying, carried, outer, results, reads, axis, backwards
    )
    return graph.append("loop", Work(makes, reads))


def _check_carried(name: str, carried: Iterable[tuple[Value, Value, Value]]) -> None:
    for start, inside, after in carried:
        if not start.shape == inside.shape == after.shape:
            message = (
                f"loop {name!r:.80} carries {start.shape} as {inside.shape}, and then as "
                f"{after.shape}; expected one shape"
            )
            raise ShapeError(message)


@frozen(eq=False)
class _LoopWorkload:
    """Makes the workload of a loop for what it reads; the fields are the arguments of `loop`."""

    body: Graph
    steps: int
    fixed: Sequence[tuple[Value, Value]]
    varying: Sequence[tuple[Value, Value]]
    carried: Sequence[tuple[Value, Value, Value]]
    outer: Sequence[Value]
    """What a step reads of the graph around it, beside what it is given."""
    results: Sequence[Value]
    """What a step gives: the carried values, then the collected ones."""
    reads: Sequence[Value]
    axis: int
    backwards: bool

    def __call__(self, tensors: Sequence[Tensor]) -> Workload:
        """The workload on tensors in the place of `reads`."""
        states = [inside for _, inside, _ in self.carried]
        formats = [after.format for after in self.results[: len(states)]]
        while True:
            made = Assembly(self.body.name)
            names = _given(made, self.reads, tensors)
            given, begun = self._inputs(made, names, formats)
            step, inner = self._step(states, given)
            formats = [step.tensors[name].format for name in step.outputs[: len(states)]]
            if formats == [given[id(inside)].format for inside in states]:
                break
            # A step gives one that it carries as another one: both have the format of either.
        last, collected = step.outputs[: len(states)], step.outputs[len(states) :]
        work = Loop(
            name="loop", body=step, steps=self.steps, axis=self.axis, backwards=self.backwards,
            fused=_is_gated_cell(step),
            fixed=[
                *[(names[id(value)], inner[id(inside)]) for value, inside in self.fixed],
                *[(names[id(one)], inner[id(one)]) for one in self.outer],
            ],
            varying=[(names[id(value)], inner[id(inside)]) for value, inside in self.varying],
            carried=[(name, inner[key]) for key, name in begun.items()],
            zeros=[inner[id(one)] for one in states if id(one) not in begun],
            carries=[(after, inner[id(one)]) for after, one in zip(last, states, strict=True)],
            last=[(after, f"last{place}") for place, after in enumerate(last)],
            collected=[(after, f"all{place}") for place, after in enumerate(collected)],
        )  # fmt: skip
        written = {f"last{place}": step.tensors[name] for place, name in enumerate(last)}
        for place, name in enumerate(collected):
            written[f"all{place}"] = self._stacked(step.tensors[name])
        found = made.loop(work, written)
        return made.workload({f"result{n}": found[name] for n, name in enumerate(written)})

    def _step(
        self, states: Sequence[Value], given: Mapping[int, Tensor]
    ) -> tuple[Workload, dict[int, str]]:
        """The workload of a step, and the names in it of what it reads."""
        taken = [*[inside for _, inside in (*self.fixed, *self.varying)], *states]
        return assembled(
            self.body, self.results, [*taken, *self.outer], given,
            [given[id(inside)].format for inside in states],
        )  # fmt: skip

    def _inputs(
        self, made: Assembly, names: Mapping[int, str], formats: Sequence[NumericFormat | None]
    ) -> tuple[dict[int, Tensor], dict[int, str]]:
        """What the inputs of a step are, and the names of the carried values that are read."""
        given = {
            id(inside): made.tensor(names[id(value)])
            for value, inside in (*self.fixed, *self.varying)
        }
        given |= {id(one): made.tensor(names[id(one)]) for one in self.outer}
        begun = {}
        for (start, inside, _), number in zip(self.carried, formats, strict=True):
            given[id(inside)] = Tensor(inside.shape, number)
            if id(start) in names:
                begun[id(inside)] = made.seen_as(names[id(start)], given[id(inside)])
                given[id(inside)] = made.tensor(begun[id(inside)])
        return given, begun

    def _stacked(self, one: Tensor) -> Tensor:
        """All steps of a tensor."""
        return Tensor((*one.shape[: self.axis], self.steps, *one.shape[self.axis :]), one.format)


def _is_gated_cell(step: Workload) -> bool:
    """Whether a step is that of an LSTM or a GRU, written out: libraries have one operator for it.

    It has weighed sums, sigmoids and hyperbolic tangents, and beside them only what adds,
    multiplies and moves.
    """
    operators = [node.operator for node, _ in step.nodes]
    products = [one for one in operators if isinstance(one, Contraction)]
    others = [one for one in operators if not isinstance(one, Contraction)]
    functions = {one.function for one in others if isinstance(one, Activation)}
    return (
        bool(products)
        and all(one.weights for one in products)
        and all(isinstance(one, Activation | Elementwise | Movement | Gather) for one in others)
        and functions == {"sigmoid", "tanh"}
        and not any(isinstance(one, Loop | Branch) for one in step.steps)
    )


def branch(
    graph: Graph,
    condition: Value | None,
    alternatives: Iterable[tuple[Graph, Sequence[Value]]],
) -> tuple[Value, ...]:
    """Add alternatives of which one runs; which one, data decides.

    A note of the graph says so.

    Args:
        graph: the graph around it.
        condition: the value that decides, which is computed, too; None where none is known.
        alternatives: graphs, which may read values of the graph around them, and what each gives.

    Raises:
        ShapeError: they give different shapes.

    """
    pairs = [(body, _written(body, _normalized(body, results))) for body, results in alternatives]
    shapes = [[value.shape for value in results] for _, results in pairs]
    if any(other != shapes[0] for other in shapes):
        message = "the alternatives of a branch give different shapes"
        raise ShapeError(message)
    outer = {id(one): one for body, results in pairs for one in _captured(body, results, [])}
    if condition is not None and not condition.is_constant:
        outer.setdefault(id(condition), condition)
    reads = sorted(outer.values(), key=lambda one: one.is_constant)
    declared = [
        next((value.format for value in values if value.format is not None), None)
        for values in zip(*[results for _, results in pairs], strict=True)
    ]
    outputs = dict(zip(numbered("result", len(declared)), declared, strict=True))

    def made_of(tensors: Sequence[Tensor]) -> Workload:
        made = Assembly("branch")
        names = _given(made, reads, tensors)
        held = {key: made.tensor(name) for key, name in names.items()}
        bodies = [
            _alternative(body, results, reads, held, names, outputs) for body, results in pairs
        ]
        step = Branch(name="branch", alternatives=bodies)
        return Workload(
            "branch",
            {**{names[id(one)]: held[id(one)] for one in reads},
             **{name: bodies[0].tensors[name] for name in outputs}},
            [step],
            [names[id(one)] for one in reads if not one.is_constant],
            list(outputs),
            [names[id(one)] for one in reads if one.is_constant],
        )  # fmt: skip

    graph.notes.append(
        f"{graph.where()}: data choose one of {len(pairs)} alternatives; counts and prices are "
        "those of the dearest, parameters those of all"
    )
    return graph.append("branch", Work(made_of, reads))


def _alternative(
    body: Graph, results: Sequence[Value], reads: Sequence[Value], held: Mapping[int, Tensor],
    names: Mapping[int, str], outputs: Mapping[str, NumericFormat | None],
) -> Workload:  # fmt: skip
    """A workload of an alternative, on the names that stand outside."""
    own, inner = assembled(body, results, reads, held, list(outputs.values()))
    given = {f"after{place}": name for place, name in enumerate(outputs)}
    made = Assembly(body.name)
    used = [one for one in reads if id(one) in inner]
    for one in used:
        add = made.weight if one.is_constant else made.input
        add(names[id(one)], held[id(one)])
    written = made.inline(own, {inner[id(one)]: names[id(one)] for one in used})
    return made.workload({given[name]: one for name, one in zip(own.outputs, written, strict=True)})


def _written(body: Graph, results: Sequence[Value]) -> list[Value]:
    """The results, of which those that are what the body reads, or views of it, are copied."""
    makers = {id(value): node for node in body.nodes for value in node.writes}

    def is_written(value: Value) -> bool:
        maker = makers.get(id(value))
        if maker is not None and isinstance(maker.work.does, tuple):
            return is_written(maker.reads[0])
        return maker is not None

    return [value if is_written(value) else _copied(body, value) for value in results]


def _copied(body: Graph, value: Value) -> Value:
    if value.is_constant:
        return body.append("fill", Work(fill(value.shape), ()), [value.format])[0]
    return body.add("copy", value, purpose="state", formats=[value.format])


def _normalized(body: Graph, results: Sequence[Value]) -> list[Value]:
    """What a body gives, once it is written as all frontends have it."""
    body.outputs = list(results)
    normalize(body)
    return body.outputs


def _captured(body: Graph, results: Sequence[Value], own: Sequence[Value]) -> list[Value]:
    """The values around a body that it reads; constants of its own among them."""
    made = {id(value) for node in body.nodes for value in node.writes}
    made |= {id(value) for value in own}
    read = [value for node in body.nodes for value in node.reads]
    found = {id(value): value for value in (*read, *results) if id(value) not in made}
    return list(found.values())


def _given(made: Assembly, reads: Sequence[Value], tensors: Sequence[Tensor]) -> dict[int, str]:
    """The names of values from outside, inputs first."""
    names = {}
    for place, (value, tensor) in enumerate(zip(reads, tensors, strict=True)):
        add = made.weight if value.is_constant else made.input
        names[id(value)] = add(f"given{place}", tensor)
    return names
