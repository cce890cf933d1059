"""Workloads: operators that share tensors, in the order in which they run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

from attrs import evolve, field, frozen

from costmodel.errors import NetworkError, nearest
from costmodel.formats import NumericFormat
from costmodel.frozen_dict import FrozenDict
from costmodel.tensor.shapes import Tensor, show_shape
from costmodel.tensor.sizes import Symbol, as_size
from costmodel.workload.operators import Operator, as_tensor, at_least, one_of

_T = TypeVar("_T")


def _names(given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        message = f"expected several names, such as ({given!r:.40},), found {given!r:.40}"
        raise TypeError(message)
    return _several(given, str, "names, such as ('x', 'y')")


def _several(given: Any, kind: Any, expected: str) -> tuple[Any, ...]:
    """All of some values, each of which is of a kind."""
    if not isinstance(given, Iterable):
        message = f"expected {expected}, found {given!r:.80}"
        raise TypeError(message)
    values = tuple(given)
    for value in values:
        if not isinstance(value, kind):
            message = f"expected {expected}, found {value!r:.80} among them"
            raise TypeError(message)
    return values


def _named(_: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not value:
        message = f"{attribute.name} is {value!r:.80}; expected a text"
        raise TypeError(message)


def _operator(_: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, Operator):
        message = f"{attribute.name} is {value!r:.80}; expected an operator"
        raise TypeError(message)


@frozen
class Node:
    """An operator and the tensors that it accesses, one for each of its operands, in order.

    `layer` is the layer that it comes from. A node that `folds_into` another, whose result it
    alone reads, is free on a device that folds normalizations, and priced on one that does not.

    Raises:
        NetworkError: there is not one tensor for each operand.

    """

    name: str = field(validator=_named)
    operator: Operator = field(validator=_operator)
    tensors: tuple[str, ...] = field(converter=_names)
    layer: str = ""
    folds_into: str | None = None
    reads: tuple[str, ...] = field(init=False, eq=False, repr=False)
    """The tensors that it reads, in order."""
    writes: tuple[str, ...] = field(init=False, eq=False, repr=False)
    """The tensors that it writes, in order."""

    def __attrs_post_init__(self) -> None:
        """Check that it names a tensor for each operand, and note which it reads and writes."""
        operands = self.operator.operands
        if len(operands) != len(self.tensors):
            message = (
                f"node {self.name!r} names {len(self.tensors)} tensors for "
                f"{len(operands)} operands; expected one for each"
            )
            raise NetworkError(message)
        pairs = list(zip(operands, self.tensors, strict=True))
        reads = tuple([name for operand, name in pairs if operand.role != "output"])
        writes = tuple([name for operand, name in pairs if operand.role == "output"])
        object.__setattr__(self, "reads", reads)
        object.__setattr__(self, "writes", writes)

    def renamed(
        self, name: str, names: Mapping[str, str], layer: str, folds_into: str | None
    ) -> Node:
        """The same operator as a node of other names; what was checked of it stays so."""
        twin = object.__new__(Node)
        put = object.__setattr__
        put(twin, "name", name)
        put(twin, "operator", self.operator)
        put(twin, "tensors", tuple([names.get(one, one) for one in self.tensors]))
        put(twin, "layer", layer)
        put(twin, "folds_into", folds_into)
        put(twin, "reads", tuple([names.get(one, one) for one in self.reads]))
        put(twin, "writes", tuple([names.get(one, one) for one in self.writes]))
        return twin

    def __str__(self) -> str:
        """Write the name, what it writes, and the operator with its tensors and indices."""
        pairs = list(zip(self.operator.operands, self.tensors, strict=True))
        shown = [(operand.role, f"{name}[{_indices(operand.index)}]") for operand, name in pairs]
        read = ", ".join(text for role, text in shown if role != "output")
        written = ", ".join(text for role, text in shown if role == "output")
        dims = " ".join(f"{name}={size}" for name, size in self.operator.dims.items())
        kind = type(self.operator).__name__.lower()
        folds = f", folds into {self.folds_into}" if self.folds_into else ""
        made = f"{self.name}: {written or 'nothing'} = {kind}({read})"
        return f"{made} over {dims or 'one point'}{folds}"


def _indices(index: Sequence[Any]) -> str:
    return ", ".join("?" if one is None else str(one) for one in index)


VIEWS: Final = {
    "reshape": "the same elements in the same order, in another shape",
    "slice": "the elements from `starts` on along each axis",
    "broadcast": "axes of length 1, or that are not there, stretched",
    "convert": "the same elements in another numeric format",
    "other": "elements of the source, in an order that is not stated",
}
"""The kinds of view, and which elements each sees."""


def _places(given: Iterable[int]) -> tuple[int, ...]:
    return tuple([as_size(one) for one in given])


@frozen
class View:
    """A tensor seen in another shape, without work: it shares the memory of its source.

    `kind` is one of `VIEWS`; a `slice` has `starts`, the first element along each axis.

    Raises:
        ValueError: there is no such kind, or only one of a slice and its starts.

    """

    name: str = field(validator=_named)
    source: str = field(validator=_named)
    target: str = field(validator=_named)
    kind: str = field(default="reshape", validator=one_of(VIEWS))
    starts: tuple[int, ...] = field(default=(), converter=_places)
    layer: str = ""

    @starts.validator
    def _check_starts(self, _attribute: Any, starts: tuple[int, ...]) -> None:
        if bool(starts) != (self.kind == "slice") or min(starts, default=0) < 0:
            message = (
                f"view {self.name!r:.40} of kind {self.kind!r} has starts {starts}; expected "
                "the first element along each axis of a slice, and none of another view"
            )
            raise ValueError(message)

    @property
    def reads(self) -> tuple[str, ...]:
        """Its source."""
        return (self.source,)

    @property
    def writes(self) -> tuple[str, ...]:
        """Its target."""
        return (self.target,)

    def __str__(self) -> str:
        """Write what is seen as what."""
        places = f" from {', '.join(map(str, self.starts))}" if self.starts else ""
        return f"{self.name}: {self.target} = {self.kind} of {self.source}{places}"


Pairs: TypeAlias = tuple[tuple[str, str], ...]
_PAIR: Final = 2


def _pairs(given: Mapping[str, str] | Iterable[tuple[str, str]]) -> Pairs:
    expected = "pairs of names, such as {'sequence': 'x'}"
    listed = given.items() if isinstance(given, Mapping) else given
    pairs = tuple([tuple(pair) for pair in _several(listed, tuple | list, expected)])
    for pair in pairs:
        if len(pair) != _PAIR or not all(isinstance(one, str) for one in pair):
            message = f"expected {expected}, found {pair!r:.80} among them"
            raise TypeError(message)
    return pairs


@frozen(kw_only=True)
class Loop:
    """A workload that runs `steps` times, one step after the other.

    Pairs name a tensor outside and one of the body:

    - `fixed`: outside -> input of the body that is the same at every step,
    - `varying`: outside -> input of the body that is one slice of it along axis `axis`,
    - `carried`: outside -> input of the body that it starts as, or one of `zeros`, which starts
      as zeros; `carries` says which output of the body becomes it at the next step,
    - `collected`: output of the body -> outside, all steps stacked along axis `axis`,
    - `last`: output of the body -> outside, after the last step.

    One that runs `backwards` begins with the last slice; what is collected stays in the place of
    the slice that it comes from. One that is `fused` is a recurrent layer for all steps of which
    libraries have one operator: an LSTM, a GRU, or a simple cell.

    Raises:
        TypeError: the body, the steps, the axis or a pair are something else.
        ValueError: there is no step, or the axis is negative.

    """

    name: str = field(validator=_named)
    body: Workload = field()
    steps: int = field(converter=as_size, validator=at_least(1))
    fixed: Pairs = field(default=(), converter=_pairs)
    varying: Pairs = field(default=(), converter=_pairs)
    carried: Pairs = field(default=(), converter=_pairs)
    zeros: tuple[str, ...] = field(default=(), converter=_names)
    carries: Pairs = field(default=(), converter=_pairs)
    collected: Pairs = field(default=(), converter=_pairs)
    last: Pairs = field(default=(), converter=_pairs)
    axis: int = field(default=1, converter=as_size, validator=at_least(0))
    backwards: bool = False
    fused: bool = False
    layer: str = ""

    @body.validator
    def _check_body(self, _attribute: Any, body: Any) -> None:
        if not isinstance(body, Workload):
            message = f"body of loop {self.name!r:.40} is {body!r:.80}; expected a workload"
            raise TypeError(message)

    @property
    def reads(self) -> tuple[str, ...]:
        """The tensors outside that it reads."""
        return tuple([outside for outside, _ in (*self.fixed, *self.varying, *self.carried)])

    @property
    def writes(self) -> tuple[str, ...]:
        """The tensors outside that it writes."""
        return tuple([outside for _, outside in (*self.collected, *self.last)])

    def __str__(self) -> str:
        """Write how often which body runs."""
        way = " backwards" if self.backwards else ""
        return f"{self.name}: {', '.join(self.writes)} = {self.steps} x {{{self.body.name}}}{way}"


def _alternatives(given: Iterable[Workload]) -> tuple[Workload, ...]:
    return _several(given, Workload, "workloads")


@frozen(kw_only=True)
class Branch:
    """Workloads of which one runs; which one, data decides.

    All of them have the inputs and outputs of the same names, which are those outside.
    """

    name: str = field(validator=_named)
    alternatives: tuple[Workload, ...] = field(converter=_alternatives)
    layer: str = ""

    @property
    def reads(self) -> tuple[str, ...]:
        """The tensors that any of them reads."""
        return tuple(dict.fromkeys(name for one in self.alternatives for name in one.sources))

    @property
    def writes(self) -> tuple[str, ...]:
        """The tensors that each of them writes."""
        return self.alternatives[0].outputs if self.alternatives else ()

    @property
    def counted(self) -> Workload:
        """The alternative whose work is counted, since at most as much is done.

        One that has work which nobody knows, or else the one with the most multiply-accumulates,
        then operations, then elements that are written. A device takes the one that costs it most.

        Raises:
            NetworkError: a symbol is not bound.

        """
        return max(self.alternatives, key=_amount_of_work)

    def __str__(self) -> str:
        """Write which workloads may run."""
        shown = " | ".join(f"{{{one.name}}}" for one in self.alternatives)
        return f"{self.name}: {', '.join(self.writes)} = one of {shown}"


def _amount_of_work(alternative: Workload) -> tuple[bool, int, int, int]:
    alternative.check_bound("which alternative counts: the operations")
    operators = alternative.operators
    return (
        any(one.unpriced is not None for one in operators),
        sum([one.macs for one in operators]),
        sum([sum(one.operations.values()) for one in operators]),
        sum([one.elements for one in operators]),
    )


Step: TypeAlias = Node | View | Loop | Branch
"""What a workload is made of."""


def _tensors(given: Any) -> Mapping[str, Tensor]:
    if not isinstance(given, Mapping):
        message = f"expected tensors by name, such as {{'x': (3, 4)}}, found {given!r:.80}"
        raise TypeError(message)
    _several(given, str, "names of tensors")
    return FrozenDict({name: as_tensor(tensor) for name, tensor in given.items()})


def _items(mapping: Mapping[str, Tensor]) -> frozenset[tuple[str, Tensor]]:
    return frozenset(mapping.items())


def _steps(given: Iterable[Step]) -> tuple[Step, ...]:
    return _several(given, Node | View | Loop | Branch, "nodes, views, loops and branches")


@frozen
class Workload:
    """Steps in the order in which they run, and the tensors that they share.

    Args:
        name: what it is called.
        tensors: every tensor by its identity, with all axes; the batch may be a `Symbol`.
        steps: nodes, views, loops and branches; each reads what is there before it.
        inputs: the tensors that arrive with every inference.
        outputs: the tensors that leave it.
        weights: the tensors that stay on the device.

    Raises:
        NetworkError: a tensor is unknown, has an open axis, is read before it is written, or
            written twice, or does not have the shape and format of what accesses it.
        TypeError: an argument is something else.

    """

    name: str = field(validator=_named)
    tensors: Mapping[str, Tensor] = field(converter=_tensors, eq=_items)
    steps: tuple[Step, ...] = field(converter=_steps)
    inputs: tuple[str, ...] = field(default=(), converter=_names)
    outputs: tuple[str, ...] = field(default=(), converter=_names)
    weights: tuple[str, ...] = field(default=(), converter=_names)
    _derived: dict[object, Any] = field(init=False, eq=False, repr=False, factory=dict)

    def derived(self, what: object, make: Callable[[], _T]) -> _T:
        """A value that follows from the workload, made once: `what` names it."""
        if what not in self._derived:
            self._derived[what] = make()
        known: _T = self._derived[what]
        return known

    def __getstate__(self) -> dict[str, Any]:
        """Everything but what follows from the rest."""
        return {name: getattr(self, name) for name in _WORKLOAD_FIELDS}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in {**state, "_derived": {}}.items():
            object.__setattr__(self, name, value)

    def __attrs_post_init__(self) -> None:
        """Check that every step reads what is there, and writes what is not."""
        self._check_lists()
        names = [step.name for step in self.steps]
        if len(set(names)) < len(names):
            message = f"workload {self.name!r} has two steps called {max(names, key=names.count)!r}"
            raise NetworkError(message)
        there = set(self.sources)
        for step in self.steps:
            for name in step.reads:
                if name not in there:
                    if name not in self.tensors:
                        self._refuse_unknown(name, f"step {step.name!r}")
                    message = f"step {step.name!r} reads {name!r} before anything writes it"
                    raise NetworkError(message)
            for name in step.writes:
                if name not in self.tensors:
                    self._refuse_unknown(name, f"step {step.name!r}")
            self._check_step(step, there)
            there.update(step.writes)
        missing = [name for name in self.outputs if name not in there]
        if missing:
            message = f"workload {self.name!r} gives {missing[0]!r}, which nothing writes"
            raise NetworkError(message)

    @property
    def sources(self) -> tuple[str, ...]:
        """What is there before the first step: inputs and weights."""
        return (*self.inputs, *self.weights)

    def __iter__(self) -> Iterator[Step]:
        """The steps, in the order in which they run."""
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def step(self, name: str) -> Step:
        """The step called `name`.

        Raises:
            NetworkError: there is none.

        """
        for step in self.steps:
            if step.name == name:
                return step
        near = nearest(name, [step.name for step in self.steps])
        hint = f"; nearest: {near!r}" if near else ""
        message = f"workload {self.name!r} has no step {name!r:.80}{hint}"
        raise NetworkError(message)

    @property
    def nodes(self) -> Iterator[tuple[Node, int]]:
        """Every node, those of loops and branches included, and how often it runs.

        Of a branch, each alternative is among them.
        """
        for step in self.steps:
            match step:
                case Node():
                    yield step, 1
                case Loop():
                    for node, times in step.body.nodes:
                        yield node, times * step.steps
                case Branch():
                    for alternative in step.alternatives:
                        yield from alternative.nodes

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The operators in order; within a loop, `repeated` as often as it runs.

        Of a branch, those of the alternative that is counted (`Branch.counted`).

        Raises:
            NetworkError: a symbol is not bound, on which it depends which alternative is counted.

        """
        found: list[Operator] = []
        for step in self.steps:
            match step:
                case Node():
                    found.append(step.operator)
                case Loop():
                    found += [one.repeated(step.steps) for one in step.body.operators]
                case Branch():
                    found += step.counted.operators
        return tuple(found)

    @property
    def macs(self) -> int:
        """Multiply-accumulates, each loop as often as it runs, of a branch the most.

        Raises:
            NetworkError: a symbol is not bound.

        """
        self.check_bound("the multiply-accumulates")
        return sum([one.macs for one in self.operators])

    @property
    def operations(self) -> Mapping[str, int]:
        """Arithmetic operations by type, each loop as often as it runs, of a branch the most.

        Raises:
            NetworkError: a symbol is not bound.

        """
        self.check_bound("the operations")
        counts: dict[str, int] = {}
        for one in self.operators:
            for name, count in one.operations.items():
                counts[name] = counts.get(name, 0) + count
        return counts

    @property
    def weight_count(self) -> int:
        """Elements of all weights, each tensor once however many steps read it."""
        tensors = [self.tensors[name] for name in self.weights]
        if any(isinstance(one, Symbol) for tensor in tensors for one in tensor.shape):
            self.check_bound("the weights")
        return sum([tensor.size for tensor in tensors])

    # -------------------------------------------------------------- other workloads

    def bind(self, **sizes: int) -> Workload:
        """The same workload with symbols bound: `workload.bind(batch=8)`.

        Raises:
            NetworkError: there is no such symbol.
            TypeError: a size is not a whole number.

        """
        known = self.symbols
        for name in sizes:
            if name not in known:
                found = ", ".join(sorted(known)) or "none"
                message = f"workload {self.name!r} has no symbol {name!r:.40}; known: {found}"
                raise NetworkError(message)
        numbers = {name: as_size(size) for name, size in sizes.items()}
        latest: tuple[Mapping[str, int], Workload] | None = self._derived.get("bound")
        if latest is None or latest[0] != numbers:  # several devices ask for the same in a row
            latest = numbers, self._changed(lambda size: size.bound(numbers))
            self._derived["bound"] = latest
        return latest[1]

    @property
    def symbols(self) -> frozenset[str]:
        """The names of the symbols in it."""
        return self.derived("symbols", self._symbols)

    def _symbols(self) -> frozenset[str]:
        sizes: list[Any] = [one for tensor in self.tensors.values() for one in tensor.shape]
        parts: list[Operator | Workload] = []
        for step in self.steps:
            match step:
                case Node():
                    parts.append(step.operator)
                case Loop():
                    sizes.append(step.steps)
                    parts.append(step.body)
                case Branch():
                    parts += step.alternatives
        own = frozenset([one.name for one in sizes if isinstance(one, Symbol)])
        return own.union(*[part.symbols for part in parts])

    def repeated(self, size: int, name: str = "batch") -> Workload:
        """The same work for several examples: one more axis in front of all tensors but weights.

        `size` may be a `Symbol`; `name` is that of the new dimension of operators.
        """
        how = "repeated", size, name
        return self.derived(how, lambda: _Repetition(self, size, name).workload())

    def part(self, names: Iterable[str]) -> Workload:
        """The steps of these names alone: what they read from others becomes an input.

        Its outputs are what other steps, or the outside, read.

        Raises:
            NetworkError: there is no such step.

        """
        chosen = {self.step(name).name for name in _names(names)}
        steps = [step for step in self.steps if step.name in chosen]
        others = [step for step in self.steps if step.name not in chosen]
        written = {name for step in steps for name in step.writes}
        read = dict.fromkeys(name for step in steps for name in step.reads)
        asked = {name for step in others for name in step.reads} | set(self.outputs)
        weights = [name for name in self.weights if name in read]
        inputs = [name for name in read if name not in written and name not in weights]
        used = {*read, *written}
        return Workload(
            self.name,
            {name: tensor for name, tensor in self.tensors.items() if name in used},
            steps,
            inputs,
            [name for name in self.tensors if name in written & asked],
            weights,
        )

    def _changed(self, change: Callable[[Symbol], int]) -> Workload:
        def size(one: Any) -> Any:
            return change(one) if isinstance(one, Symbol) else one

        def tensor(one: Tensor) -> Tensor:
            return Tensor([size(length) for length in one.shape], one.format)

        def step(one: Step) -> Step:
            match one:
                case Node():
                    return evolve(one, operator=one.operator.bound(size))
                case Loop():
                    return evolve(one, body=one.body._changed(change), steps=size(one.steps))  # noqa: SLF001  # its own class
                case Branch():
                    changed = [each._changed(change) for each in one.alternatives]  # noqa: SLF001  # its own class
                    return evolve(one, alternatives=changed)
            return one

        tensors = {name: tensor(one) for name, one in self.tensors.items()}
        return evolve(self, tensors=tensors, steps=[step(one) for one in self.steps])

    # -------------------------------------------------------------- memory

    def storage(self, name: str) -> str:
        """The tensor whose memory holds this one: its own, or what it is a view of."""
        sources = {step.target: step.source for step in self.steps if isinstance(step, View)}
        while name in sources:
            name = sources[name]
        return name

    @property
    def liveness(self) -> Mapping[str, tuple[int, int]]:
        """First and last step that needs each tensor in memory, weights left out.

        Inputs are there from step 0 on, outputs to the last step. A view needs the memory of what
        it is a view of.
        """
        storage = {name: self.storage(name) for name in self.tensors}
        spans: dict[str, tuple[int, int]] = dict.fromkeys(self.inputs, (0, 0))
        for place, step in enumerate(self.steps):
            for name in (*step.reads, *step.writes):
                held = storage[name]
                if held not in self.weights:
                    first, _ = spans.get(held, (place, place))
                    spans[held] = (first, place)
        end = max(len(self.steps) - 1, 0)
        for name in self.outputs:
            held = storage[name]
            if held in spans:
                spans[held] = (spans[held][0], end)
        return spans

    def live_bits(self, default: NumericFormat) -> list[int]:
        """Bits of all live tensors at every step; what declares no format is in `default`.

        Raises:
            NetworkError: a symbol is not bound.

        """
        self.check_bound("the live tensors")
        bits = [0] * max(len(self.steps), 1)
        for name, (first, last) in self.liveness.items():
            tensor = self.tensors[name]
            size = (tensor.format or default).stored_bits(tensor.size)
            for place in range(first, last + 1):
                bits[place] += size
        return bits

    def __str__(self) -> str:
        """Write a line for each step, with its tensors and their indices."""
        shown = [f"workload {self.name}"]
        for title, names in (("inputs", self.inputs), ("weights", self.weights)):
            listed = ", ".join(f"{name} ({show_shape(self.tensors[name].shape)})" for name in names)
            shown.append(f"{title}: {listed or 'none'}")
        shown += [f"  {line}" for step in self.steps for line in _lines(step)]
        return "\n".join([*shown, f"outputs: {', '.join(self.outputs) or 'none'}"])

    def check_bound(self, what: str) -> None:
        """Check that no size is a symbol, on which `what` would depend.

        Raises:
            NetworkError: one is.

        """
        if self.symbols:
            names = ", ".join(sorted(self.symbols))
            message = (
                f"{what} of workload {self.name!r} depend on {names}; "
                f"bind it first, such as workload.bind({names.partition(',')[0]}=1)"
            )
            raise NetworkError(message)

    def _refuse_unknown(self, name: str, who: str) -> NoReturn:
        near = nearest(name, self.tensors)
        hint = f"; nearest: {near!r}" if near else ""
        message = f"{who} names tensor {name!r:.80}, which workload {self.name!r} lacks{hint}"
        raise NetworkError(message)

    def _check_lists(self) -> None:
        for name, tensor in self.tensors.items():
            if None in tensor.shape:
                message = (
                    f"tensor {name!r} of workload {self.name!r} has an open axis: "
                    f"{show_shape(tensor.shape)}; expected lengths or symbols"
                )
                raise NetworkError(message)
        unknown = [name for name in self.sources + self.outputs if name not in self.tensors]
        if unknown:
            self._refuse_unknown(unknown[0], "the workload")
        for listed in (self.sources, self.outputs):
            if len(set(listed)) < len(listed):
                twice = max(listed, key=listed.count)
                message = f"workload {self.name!r} lists {twice!r} twice"
                raise NetworkError(message)

    def _check_step(self, step: Step, there: set[str]) -> None:
        for name in step.writes:
            if name in there and name not in step.reads:
                message = f"step {step.name!r} writes {name!r}, which is written before"
                raise NetworkError(message)
        if isinstance(step, Node):
            self._check_node(step)
        elif isinstance(step, View):
            self._check_view(step)
        elif isinstance(step, Loop):
            self._check_loop(step)
        else:
            self._check_branch(step)

    def _check_node(self, node: Node) -> None:
        tensors = self.tensors
        for operand, name in zip(node.operator.operands, node.tensors, strict=True):
            tensor = tensors[name]
            if tensor is not operand.tensor and tensor != operand.tensor:
                message = (
                    f"node {node.name!r} accesses {name!r} of {_shown(tensor)} "
                    f"as {operand} of {_shown(operand.tensor)}"
                )
                raise NetworkError(message)

    def _check_view(self, view: View) -> None:
        if view.source == view.target:
            message = f"view {view.name!r} sees {view.source!r} as itself"
            raise NetworkError(message)
        before, after = self.tensors[view.source], self.tensors[view.target]
        problem = _wrong_view(view, before, after)
        if problem:
            shapes = f"{_shown(before)} as {_shown(after)}"
            message = f"view {view.name!r} of kind {view.kind!r} sees {shapes}, {problem}"
            raise NetworkError(message)

    def _check_loop(self, loop: Loop) -> None:
        body = loop.body
        given = [inside for _, inside in (*loop.fixed, *loop.varying, *loop.carried)]
        taken = [*given, *loop.zeros]
        missing = [name for name in body.sources if name not in taken]
        if missing:
            message = f"loop {loop.name!r} gives its body no {missing[0]!r}"
            raise NetworkError(message)
        for name in taken:
            if name not in body.sources or taken.count(name) > 1:
                how = "twice" if name in body.sources else "which is not an input of it"
                message = f"loop {loop.name!r} gives its body {name!r}, {how}"
                raise NetworkError(message)
        asked = [inside for inside, _ in (*loop.collected, *loop.last, *loop.carries)]
        unknown = [name for name in asked if name not in body.outputs]
        if unknown:
            message = f"loop {loop.name!r} takes {unknown[0]!r}, which its body does not give"
            raise NetworkError(message)
        self._check_carried(loop)
        if len(set(loop.writes)) < len(loop.writes):
            message = f"loop {loop.name!r} writes {max(loop.writes, key=loop.writes.count)!r} twice"
            raise NetworkError(message)
        whole = [*loop.fixed, *loop.carried, *[(outside, inside) for inside, outside in loop.last]]
        for outside, inside in whole:
            self._check_same(f"loop {loop.name!r}", outside, body.tensors[inside], inside)
        sliced = [*loop.varying, *[(outside, inside) for inside, outside in loop.collected]]
        for outside, inside in sliced:
            one = body.tensors[inside]
            if loop.axis > len(one.shape):
                message = f"loop {loop.name!r} has axis {loop.axis}, which {outside!r} lacks"
                raise NetworkError(message)
            shape = (*one.shape[: loop.axis], loop.steps, *one.shape[loop.axis :])
            stacked = Tensor(shape, one.format)
            self._check_same(f"loop {loop.name!r}", outside, stacked, f"{inside} of every step")

    def _check_carried(self, loop: Loop) -> None:
        begun = [*[inside for _, inside in loop.carried], *loop.zeros]
        renewed = [inside for _, inside in loop.carries]
        for name in {*begun, *renewed}:
            if begun.count(name) != 1 or renewed.count(name) != 1:
                message = (
                    f"loop {loop.name!r} carries {name!r} from {begun.count(name)} beginnings and "
                    f"{renewed.count(name)} outputs of the body; expected one of each"
                )
                raise NetworkError(message)
        for source, inside in loop.carries:
            before, after = loop.body.tensors[source], loop.body.tensors[inside]
            if before != after:
                message = (
                    f"loop {loop.name!r} carries {source!r} of {_shown(before)} "
                    f"to {inside!r} of {_shown(after)}"
                )
                raise NetworkError(message)

    def _check_branch(self, branch: Branch) -> None:
        if not branch.alternatives:
            message = f"branch {branch.name!r} has no alternatives; expected one or more"
            raise NetworkError(message)
        for one in branch.alternatives:
            if set(one.outputs) != set(branch.writes):
                message = (
                    f"branch {branch.name!r}: {one.name!r} gives {', '.join(one.outputs)}; "
                    f"expected {', '.join(branch.writes)}, as {branch.alternatives[0].name!r} does"
                )
                raise NetworkError(message)
            for name in (*one.sources, *one.outputs):
                self._check_same(f"branch {branch.name!r}", name, one.tensors[name], name)

    def _check_same(self, who: str, name: str, other: Tensor, inside: str) -> None:
        tensor = self.tensors[name]
        if tensor != other:
            message = f"{who} takes {name!r} of {_shown(tensor)} as {inside} of {_shown(other)}"
            raise NetworkError(message)


_WORKLOAD_FIELDS: Final = ("name", "tensors", "steps", "inputs", "outputs", "weights")


def _wrong_view(view: View, before: Tensor, after: Tensor) -> str:
    """What is wrong with a view, in words; nothing where it is right."""
    if view.kind == "convert":
        return "" if before.shape == after.shape else "which has another shape"
    if before.format != after.format:
        return "which has another format"
    if view.kind == "reshape" and elements(before.shape) != elements(after.shape):
        return "which has another number of elements"
    if view.kind == "slice" and not _holds(before.shape, view.starts, after.shape):
        return f"which does not lie within it from {view.starts} on"
    if view.kind == "broadcast" and not stretches(before.shape, after.shape):
        return "to which it does not stretch"
    return ""


def _holds(whole: Sequence[Any], starts: Sequence[int], part: Sequence[Any]) -> bool:
    """Whether a part lies within a whole; along a symbol it is all of it."""
    if not len(whole) == len(starts) == len(part):
        return False
    return all(
        length == full and not start
        if isinstance(full, Symbol) or isinstance(length, Symbol)
        else start + length <= full
        for full, start, length in zip(whole, starts, part, strict=True)
    )


def stretches(shape: Sequence[Any], full: Sequence[Any]) -> bool:
    """Whether a shape stretches to another one, aligned at the last axes."""
    pairs = zip(shape[::-1], full[::-1], strict=False)
    return len(shape) <= len(full) and all(one in {1, other} for one, other in pairs)


def elements(shape: Iterable[Any]) -> tuple[tuple[str, ...], int]:
    """How many elements a shape has: the symbols, and the number that they are times."""
    sizes = list(shape)
    symbols = [one for one in sizes if isinstance(one, Symbol)]
    numbers = [one.factor if isinstance(one, Symbol) else one for one in sizes]
    return tuple(sorted([one.name for one in symbols])), math.prod(numbers)


def _shown(tensor: Tensor) -> str:
    declared = f" in {tensor.format}" if tensor.format else ""
    return f"{show_shape(tensor.shape)}{declared}"


class _Repetition:
    """A workload that gets one more axis in front of all that differs from example to example."""

    def __init__(self, workload: Workload, size: int, name: str) -> None:
        self._workload, self._size, self._name = workload, size, name
        self._fixed = set(workload.weights)
        for step in workload.steps:  # what is seen of a weight is one
            if isinstance(step, View) and step.source in self._fixed:
                self._fixed.add(step.target)
        self._tensors = {
            key: tensor if key in self._fixed else _stacked(tensor, size)
            for key, tensor in workload.tensors.items()
        }

    def workload(self) -> Workload:
        steps = [new for step in self._workload.steps for new in self._steps(step)]
        return evolve(self._workload, tensors=self._tensors, steps=steps)

    def _steps(self, step: Step) -> Iterator[Step]:
        match step:
            case Node():
                yield from self._node(step)
            case View():
                yield self._view(step)
            case Loop():
                body = step.body.repeated(self._size, self._name)
                yield evolve(step, body=body, axis=step.axis + 1)
            case Branch():
                changed = [one.repeated(self._size, self._name) for one in step.alternatives]
                yield evolve(step, alternatives=changed)

    def _node(self, node: Node) -> Iterator[Step]:
        read = []
        for operand, key in zip(node.operator.operands, node.tensors, strict=True):
            if operand.role == "input" and key in self._fixed:  # a constant among the inputs
                seen = f"{key}.{node.name}.{self._name}"
                if seen not in self._tensors:
                    self._tensors[seen] = _stacked(self._tensors[key], self._size)
                    yield View(seen, key, seen, "broadcast", layer=node.layer)
                read.append(seen)
            else:
                read.append(key)
        operator = node.operator.repeated(self._size, self._name)
        yield evolve(node, operator=operator, tensors=read)

    def _view(self, view: View) -> View:
        if view.target in self._fixed:
            return view
        if view.starts:
            return evolve(view, starts=(0, *view.starts))
        shapes = [self._tensors[name].shape for name in (view.source, view.target)]
        apart = view.kind == "broadcast" and not stretches(*shapes)
        return evolve(view, kind="other") if apart else view


def _stacked(tensor: Tensor, size: int) -> Tensor:
    return Tensor((size, *tensor.shape), tensor.format)


_INDENT: Final = "    "


def _lines(step: Step) -> Iterator[str]:
    yield str(step)
    bodies = (step.body,) if isinstance(step, Loop) else getattr(step, "alternatives", ())
    for body in bodies:
        for line in str(body).splitlines():
            yield f"{_INDENT}{line}"
