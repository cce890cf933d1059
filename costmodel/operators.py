"""Hardware-neutral work: what a layer asks of a device, and what either may say instead."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen

from costmodel.sizes import always, as_size, larger, least, product
from costmodel.tensor import Tensor, as_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any


def _in_words(instance: object, _: object, reason: Any) -> None:
    if not isinstance(reason, str) or not reason.strip():
        message = f"{type(instance).__name__}({reason!r:.80}): expected a reason in words"
        raise ValueError(message)


@frozen
class Reason:
    """Why there is no charge.

    Raises:
        ValueError: no words.

    """

    reason: str = field(validator=_in_words)


@frozen
class Free(Reason):
    """Work that costs nothing, and why."""


@frozen
class Unpriced(Reason):
    """Work that could not be priced, and why."""


def _known(names: Iterable[str]) -> Callable[[Any, Any, str], None]:
    """Let a field have no value but these names."""

    def check(_: Any, attribute: Any, value: str) -> None:
        if value not in names:
            message = f"{attribute.name} is {value!r:.80}; expected one of {', '.join(names)}"
            raise ValueError(message)

    return check


def _stacked(tensors: tuple[Tensor, ...], times: int) -> tuple[Tensor, ...]:
    return tuple(Tensor((times, *tensor.shape), tensor.format) for tensor in tensors)


def _at_least(lowest: int) -> Callable[[Any, Any, Any], None]:
    """A validator that refuses a size below `lowest`."""

    def check(_: Any, attribute: Any, size: Any) -> None:
        if least(size) < lowest:
            message = f"{attribute.name} is {size!r}; expected {lowest} or more"
            raise ValueError(message)

    return check


@frozen(kw_only=True)
class Operator:
    """Work over tensors, for one example of the batch.

    `inputs` arrive and `outputs` leave with every example; `parameters` stay on the device.
    A tensor of no declared format may be given as its shape alone, such as `(3, 4)`.
    An operator `in_place` works on results before they leave: it moves nothing by itself.
    """

    inputs: tuple[Tensor, ...] = field(default=(), converter=as_tensors)
    parameters: tuple[Tensor, ...] = field(default=(), converter=as_tensors)
    outputs: tuple[Tensor, ...] = field(default=(), converter=as_tensors)
    in_place: bool = False

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return 0

    @property
    def operations(self) -> Mapping[str, int]:
        """Arithmetic operations by type, such as `{"multiply-accumulate": 320}`."""
        return {}

    @property
    def summary(self) -> str:
        """One line that names the work and its size."""
        counted = ", ".join(f"{count:,} x {name}" for name, count in self.operations.items())
        return f"{type(self).__name__.lower()}: {counted or 'no arithmetic'}"

    @property
    def unpriced(self) -> Unpriced | None:
        """Why no device can price this work, where that is so."""
        return None

    def decompose(self) -> Sequence[Operator]:
        """Simpler operators that do the same work, for devices that do not know this one."""
        return ()

    def repeated(self, times: int) -> Operator:
        """The same work done `times` times with the same parameters."""
        return evolve(
            self, inputs=_stacked(self.inputs, times), outputs=_stacked(self.outputs, times)
        )

    @property
    def elements(self) -> int:
        """Number of output elements."""
        return sum([tensor.size for tensor in self.outputs])


def _loops(loops: Mapping[str, int] | Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    pairs = loops.items() if hasattr(loops, "items") else loops
    return tuple([(name, as_size(size)) for name, size in pairs])


@frozen(kw_only=True)
class Contraction(Operator):
    """Multiply-accumulates: dense, convolution, attention, einsum, recurrent gates.

    `loops` name the loop nest and its sizes, whose product is the number of
    multiply-accumulates; each name stands once. `reduction` is how many products are summed into
    one output (into the longest sum, where they differ).
    The factors are the first two of `inputs` and `parameters`; a further parameter is the bias.
    """

    loops: tuple[tuple[str, int], ...] = field(converter=_loops)
    reduction: int = field(converter=as_size, validator=_at_least(1))

    def __attrs_post_init__(self) -> None:
        """Refuse equal loops, one of less than no turns, and more products than there are."""
        if len({name for name, _ in self.loops}) < len(self.loops):
            names = ", ".join(str(name) for name, _ in self.loops)
            message = f"a loop name stands twice in a contraction: {names}; expected each once"
            raise ValueError(message)
        for name, size in self.loops:
            if least(size) < 0:
                message = f"loop {name!r} of a contraction has size {size}; expected 0 or more"
                raise ValueError(message)
        products = product([size for _, size in self.loops])
        if not always((products >= self.reduction) + (products == 0)):
            message = (
                f"reduction is {self.reduction!r}, of {products!r} multiply-accumulates in all; "
                "expected no more than the product of the loops"
            )
            raise ValueError(message)

    @property
    def macs(self) -> int:
        """Multiply-accumulates: the product of the loop sizes."""
        macs = 1  # in a loop, which takes half the time of math.prod over a list
        for _, size in self.loops:
            macs *= size
        return macs

    @property
    def operations(self) -> Mapping[str, int]:
        """All of them multiply-accumulates."""
        return {"multiply-accumulate": self.macs}

    def repeated(self, times: int) -> Contraction:
        """The same loop nest with one more loop around it."""
        return evolve(
            self,
            inputs=_stacked(self.inputs, times),
            outputs=_stacked(self.outputs, times),
            loops=((self._unused("repeat"), times), *self.loops),
        )

    def _unused(self, name: str) -> str:
        """The name of a further loop: `name`, numbered where a loop has it already."""
        used = {loop for loop, _ in self.loops}
        numbered = (f"{name}_{number}" for number in itertools.count(2))
        return next(new for new in itertools.chain([name], numbered) if new not in used)


ELEMENTWISE: Final = {
    # function: (operation counted, whether the result is linear in every operand)
    "add": ("add", True),
    "subtract": ("add", True),
    "average": ("add", True),
    "affine": ("multiply-add", True),
    "multiply": ("multiply", False),
    "divide": ("divide", False),
    "maximum": ("compare", False),
    "minimum": ("compare", False),
    "compare": ("compare", False),
    "select": ("select", False),
    "logic": ("logic", False),
    "normalize": ("multiply-add", False),
}
"""The elementwise functions: what one step counts as, and whether it is linear."""


@frozen(kw_only=True)
class Elementwise(Operator):
    """The same small function at every element; `steps` operations for each."""

    function: str = field(validator=_known(ELEMENTWISE))
    steps: int = field(default=1, converter=as_size, validator=_at_least(0))

    @property
    def count(self) -> int:
        """Operations: output elements times steps."""
        return self.elements * self.steps

    @property
    def connections(self) -> int:
        """Elements that reach an output element, over all output elements."""
        return self.elements * larger(self.steps, len(self.inputs))

    @property
    def is_linear(self) -> bool:
        """Whether connections of fixed weight can do it."""
        return ELEMENTWISE[self.function][1]

    @property
    def operations(self) -> Mapping[str, int]:
        """The operations, under the type that the function counts as."""
        return {ELEMENTWISE[self.function][0]: self.count}


REDUCTIONS: Final = {
    # function: (operation counted, whether the result is linear)
    "sum": ("add", True),
    "mean": ("add", True),
    "max": ("compare", False),
    "min": ("compare", False),
    "product": ("multiply", False),
}
"""The reductions: what one step counts as, and whether it is linear."""


@frozen(kw_only=True)
class Reduction(Operator):
    """Many elements to one: pooling. `window` elements meet in every output element."""

    function: str = field(validator=_known(REDUCTIONS))
    window: int = field(converter=as_size, validator=_at_least(1))

    @property
    def connections(self) -> int:
        """Input elements that reach an output element, over all output elements."""
        return self.elements * self.window

    @property
    def is_linear(self) -> bool:
        """Whether connections of fixed weight can do it."""
        return REDUCTIONS[self.function][1]

    @property
    def operations(self) -> Mapping[str, int]:
        """One step fewer than the window for each output, and for a mean one scaling."""
        steps = {REDUCTIONS[self.function][0]: self.elements * (self.window - 1)}
        return {**steps, "multiply": self.elements} if self.function == "mean" else steps


@frozen(kw_only=True)
class Activation(Operator):
    """A non-linear function of one element; in spiking terms, the update of a neuron."""

    function: str

    @property
    def operations(self) -> Mapping[str, int]:
        """One evaluation for each output element."""
        return {"activation": self.elements}


@frozen(kw_only=True)
class Lookup(Operator):
    """Rows fetched from a table by their index; no arithmetic."""


@frozen(kw_only=True)
class Movement(Operator):
    """Elements carried or reordered; no arithmetic. `purpose` says what for."""

    purpose: str


STANDARD: tuple[type[Operator], ...] = (
    Contraction, Elementwise, Reduction, Activation, Lookup, Movement,
)  # fmt: skip
"""The operators that every device is expected to have an answer to."""
