"""Operators: hardware-neutral work as values, with an index map for every operand.

The terms are those of `linalg.generic`: named dimensions span an iteration space, and each operand
has one affine index for each of its axes. A point of the space whose index lies outside of an
input reads a zero (padding); one outside of an output is dropped.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from attrs import evolve, field, fields, frozen
from attrs.validators import optional

from costmodel.errors import ShapeError
from costmodel.formats import NumericFormat, parse_format
from costmodel.tensor.shapes import Shape, Tensor, show_shape
from costmodel.tensor.sizes import Symbol, as_size, larger, least, product, smaller
from costmodel.workload.affine import Accesses, Affine, Index, accesses, check_name
from costmodel.workload.reasons import Unpriced

if TYPE_CHECKING:
    from typing import Self


Role: TypeAlias = Literal["input", "weight", "output"]
ReadRole: TypeAlias = Literal["input", "weight"]
ROLES: Final[tuple[str, ...]] = get_args(Role)
"""Inputs and outputs come and go with every example; weights stay on the device."""


def one_of(names: Iterable[str]) -> Callable[[Any, Any, str], None]:
    """A validator that accepts these names only."""

    def check(_: Any, attribute: Any, value: str) -> None:
        if not isinstance(value, str) or value not in names:
            message = f"{attribute.name} is {value!r:.80}; expected one of {', '.join(names)}"
            raise ValueError(message)

    return check


def a_text(_: Any, attribute: Any, value: Any) -> None:
    """A validator that accepts texts only."""
    if not isinstance(value, str):
        message = f"{attribute.name} is {value!r:.80}; expected a text"
        raise TypeError(message)


def at_least(lowest: int) -> Callable[[Any, Any, Any], None]:
    """A validator that refuses a size below `lowest`."""

    def check(_: Any, attribute: Any, size: Any) -> None:
        if least(size) < lowest:
            message = f"{attribute.name} is {size!r}; expected {lowest} or more"
            raise ValueError(message)

    return check


def as_tensors(given: Any) -> list[Tensor]:
    """Several tensors, each as `as_tensor` takes it.

    Raises:
        TypeError: they are not several, or one of them is not a tensor.

    """
    if not isinstance(given, list | tuple):
        message = f"expected several tensors or shapes, such as [(3, 4)], found {given!r:.80}"
        raise TypeError(message)
    return [as_tensor(tensor) for tensor in given]


def as_tensor(given: Tensor | Operand | Sequence[int]) -> Tensor:
    """A tensor, that of an operand, or the one of a shape, whose format is not declared.

    An operator works on axes alone: which of them is the batch, and how many rows of it an example
    has, is a matter of the network around it.

    Raises:
        TypeError: it is neither.
        ShapeError: no tensor can have the shape.

    """
    if isinstance(given, Tensor):
        return Tensor(given.shape, given.format) if given.is_folded else given
    if isinstance(given, Operand):
        return given.tensor
    if isinstance(given, list | tuple):
        return Tensor(given)
    message = f"expected a tensor or a shape such as (3, 4), found {given!r:.80}"
    raise TypeError(message)


def shape_of(tensor: Tensor | Operand) -> tuple[int, ...]:
    """The lengths of the axes of a tensor that an operator works on.

    Raises:
        ShapeError: an axis is open.

    """
    shape = tensor.shape
    if None in shape:
        message = f"shape {show_shape(shape)} has an open axis; operators work on bound shapes"
        raise ShapeError(message)
    return shape  # type: ignore[return-value]  # None is refused


def _touched(given: int | None) -> int | None:
    return None if given is None else as_size(given)


def _index(given: Iterable[Affine | str | None]) -> Index:
    if isinstance(given, str) or not isinstance(given, Iterable):
        message = f"expected one index for each axis, such as ('m', '2p + r'), found {given!r:.80}"
        raise TypeError(message)
    return tuple(
        [one if one is None or one.__class__ is Affine else Affine.of(one) for one in given]
    )


@frozen
class Operand:
    """A tensor of an operator: its role, and the index at which each axis is accessed.

    An index is an `Affine` or its text, such as `2p + r - 1`. None stands for an index that
    depends on data (a gather) or that no affine map states; `touched` then says how many elements
    are accessed, unless it follows from the dimensions.

    Raises:
        ValueError: the role is unknown, there is not one index for each axis, or `touched` is
            negative.
        TypeError: the tensor, the indices or `touched` are something else.

    """

    role: Role = field(validator=one_of(ROLES))
    tensor: Tensor = field(converter=as_tensor)
    index: Index = field(converter=_index)
    touched: int | None = field(default=None, converter=_touched, validator=optional(at_least(0)))

    def __attrs_post_init__(self) -> None:
        """Check that every axis has an index."""
        if len(self.index) != len(self.tensor.shape):
            message = (
                f"{self}: {len(self.index)} indices for the axes of "
                f"{show_shape(self.tensor.shape)}; expected one for each"
            )
            raise ValueError(message)

    @property
    def shape(self) -> Shape:
        """Length of each axis."""
        return self.tensor.shape

    @property
    def format(self) -> NumericFormat | None:
        """Numeric format of the elements; None if not declared."""
        return self.tensor.format

    @property
    def is_bound(self) -> bool:
        """Whether every axis has a length."""
        return self.tensor.is_bound

    @property
    def size(self) -> int:
        """Elements of the whole tensor."""
        return self.tensor.size

    @property
    def dims(self) -> tuple[str, ...]:
        """The dimensions that its indices read, in order and each once."""
        names = [name for one in self.index if one is not None for name in one.dims]
        return tuple(dict.fromkeys(names))

    def __str__(self) -> str:
        """Write it as `input[n, 2p + r - 1]`; `?` is an index that is not affine."""
        return f"{self.role}[{', '.join('?' if one is None else str(one) for one in self.index)}]"


def input_of(tensor: Tensor | Sequence[int], *index: Affine | str | None) -> Operand:
    """An operand that is read, and differs from example to example."""
    return Operand("input", tensor, index)


def weight_of(tensor: Tensor | Sequence[int], *index: Affine | str | None) -> Operand:
    """An operand that is read, and is the same for every example."""
    return Operand("weight", tensor, index)


def output_of(tensor: Tensor | Sequence[int], *index: Affine | str | None) -> Operand:
    """An operand that is written."""
    return Operand("output", tensor, index)


def unmapped(role: Role, tensors: Iterable[Tensor]) -> list[Operand]:
    """Operands of which no affine map states where they are accessed."""
    return [Operand(role, tensor, (None,) * len(tensor.shape)) for tensor in tensors]


Dims: TypeAlias = tuple[tuple[str, int], ...]
_PAIR: Final = 2
_PAIRS: Final = (tuple, list)


def _dims(given: Mapping[str, int] | Iterable[tuple[str, int]]) -> Dims:
    pairs: Any = given.items() if isinstance(given, Mapping) else given
    pairs = tuple(pairs) if isinstance(pairs, Iterable) else (pairs,)
    for pair in pairs:
        if not isinstance(pair, _PAIRS) or len(pair) != _PAIR:
            expected = "dimensions with sizes, such as {'m': 3, 'k': 4}"
            message = f"expected {expected}, found {given!r:.80}"
            raise TypeError(message)
    dims = tuple([(name, as_size(size)) for name, size in pairs])
    for name, size in dims:
        check_name(name)
        if least(size) < 0:
            message = f"dimension {name!r} has size {size}; expected 0 or more"
            raise ValueError(message)
    if len({name for name, _ in dims}) < len(dims):
        names = [name for name, _ in dims]
        message = f"dimension {max(names, key=names.count)!r} is given twice"
        raise ValueError(message)
    return dims


def _operands(given: Iterable[Any]) -> tuple[Operand, ...]:
    operands: tuple[Any, ...] = tuple(given) if isinstance(given, Iterable) else (given,)
    for item in operands:
        if not isinstance(item, Operand):
            expected = "operands, such as Operand('input', (3, 4), ('m', 'k'))"
            message = f"expected {expected}, found {item!r:.80}"
            raise TypeError(message)
    return operands


@frozen(kw_only=True, cache_hash=True)
class Operator:
    """Work over an iteration space of named dimensions, and the operands that it accesses.

    An operator `in_place` works on results before they leave the datapath: it moves nothing.

    Raises:
        ValueError: a dimension is given twice or negative, or an index reads an unknown one.
        TypeError: a size is not a whole number, or an operand is something else.

    """

    _dims: Dims = field(default=(), converter=_dims, eq=frozenset)
    operands: tuple[Operand, ...] = field(default=(), converter=_operands)
    in_place: bool = False

    def __attrs_post_init__(self) -> None:
        """Check that the operands read no dimension that is not there."""
        known = {name for name, _ in self._dims}
        for operand in self.operands:
            for one in operand.index:
                if one is None:
                    continue
                for name, _ in one.terms:
                    if name not in known:
                        message = (
                            f"{operand} reads dimension {name!r}; "
                            f"known: {', '.join(sorted(known)) or 'none'}"
                        )
                        raise ValueError(message)

    @property
    def dims(self) -> Mapping[str, int]:
        """Size of each dimension of the iteration space, by name."""
        return dict(self._dims)

    @cached_property
    def inputs(self) -> tuple[Operand, ...]:
        """What is read and differs from example to example."""
        return tuple([item for item in self.operands if item.role == "input"])

    @cached_property
    def weights(self) -> tuple[Operand, ...]:
        """What is read and is the same for every example."""
        return tuple([item for item in self.operands if item.role == "weight"])

    @cached_property
    def outputs(self) -> tuple[Operand, ...]:
        """What is written."""
        return tuple([item for item in self.operands if item.role == "output"])

    @property
    def points(self) -> int:
        """Points of the iteration space: the product of the dimensions."""
        points = 1
        for _, size in self._dims:
            points *= size
        return points

    @property
    def reduction_dims(self) -> tuple[str, ...]:
        """The dimensions that no output has: what they span is reduced to one element."""
        kept = {name for item in self.outputs for name in item.dims}
        return tuple([name for name, _ in self._dims if name not in kept])

    @cached_property
    def reduction_size(self) -> int:
        """The most points of the iteration space that meet in one output element."""
        if not self.outputs:
            return 1
        (written, *_) = self.outputs
        if all(one is not None and one.is_plain for one in written.index):
            kept = set(written.dims)
            summed = product([size for name, size in self._dims if name not in kept])
            elements = product([size for name, size in self._dims if name in kept])
            return summed * smaller(elements, 1)  # no element is met where a dimension is empty
        return self.accesses(written).meeting

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return 0

    @property
    def operations(self) -> Mapping[str, int]:
        """Arithmetic operations by type, such as `{"multiply-accumulate": 320}`."""
        return {}

    @property
    def elements(self) -> int:
        """Elements of all outputs."""
        return sum([item.size for item in self.outputs])

    @property
    def summary(self) -> str:
        """One line that names the work and its size."""
        counted = ", ".join(f"{count:,} x {name}" for name, count in self.operations.items())
        return f"{type(self).__name__.lower()}: {counted or 'no arithmetic'}"

    @property
    def unpriced(self) -> Unpriced | None:
        """Why no device can price this work, where that is so."""
        return None

    def accesses(self, operand: Operand) -> Accesses:
        """How the iteration space meets the elements of one of the operands.

        Points outside of the tensor, such as padding, are not among them.
        """
        found = accesses(operand.index, shape_of(operand), self.dims)
        return found if operand.touched is None else found._replace(elements=operand.touched)

    def reuse(self, operand: Operand) -> float:
        """How often an element that is accessed is accessed, on average; 0 where none is."""
        found = self.accesses(operand)
        return found.points / found.elements if found.elements else 0.0

    def decompose(self) -> Sequence[Operator]:
        """Simpler operators that do the same work, for devices that do not know this one."""
        return ()

    def repeated(self, times: int, dim: str = "repeat") -> Self:
        """The same work `times` times: one more dimension around it, with the same weights.

        `dim` names it, with a number where the operator has a dimension of that name.
        """
        known = {name for name, _ in self._dims}
        name = next(name for name in _numbered(dim) if name not in known)
        front = Affine(((name, 1),))
        operands = [
            item
            if item.role == "weight"
            else Operand(
                item.role,
                Tensor((times, *item.shape), item.format),
                (front, *item.index),
                None if item.touched is None else item.touched * times,
            )
            for item in self.operands
        ]
        return evolve(self, dims=((name, times), *self._dims), operands=operands)

    def bound(self, change: Callable[[Any], int]) -> Self:
        """The same work with `change` applied to every size of dimensions and tensors."""
        operands = [
            evolve(
                item,
                tensor=Tensor([change(length) for length in item.shape], item.format),
                touched=None if item.touched is None else change(item.touched),
            )
            for item in self.operands
        ]
        dims = [(name, change(size)) for name, size in self._dims]
        own: dict[str, Any] = {name: change(getattr(self, name)) for name in sizes_of(type(self))}  # type: ignore[arg-type]  # a class has a hash
        return evolve(self, dims=dims, operands=operands, **own)

    def check_bound(self) -> None:
        """Check that no size is a symbol.

        Raises:
            ShapeError: one is.

        """
        symbols = sorted(self.symbols)
        if symbols:
            message = (
                f"the sizes of a {type(self).__name__} depend on {', '.join(symbols)}; bind its "
                f"workload before, such as workload.bind({symbols[0]}=1)"
            )
            raise ShapeError(message)

    @property
    def symbols(self) -> frozenset[str]:
        """The names of the symbols among the sizes of its dimensions and tensors."""
        sizes: list[object] = [*self.dims.values()]
        sizes += [getattr(self, name) for name in sizes_of(type(self))]  # type: ignore[arg-type]  # a class has a hash
        for item in self.operands:
            sizes += [*item.shape, item.touched]
        return frozenset([one.name for one in sizes if isinstance(one, Symbol)])

    def with_tensors(self, tensors: Iterable[Tensor]) -> Self:
        """The same work on tensors of other formats, in the order of the operands.

        Raises:
            ValueError: there is not one tensor for each operand.

        """
        given = tuple(tensors)
        if len(given) != len(self.operands):
            message = f"{len(given)} tensors for {self}; expected {len(self.operands)}"
            raise ValueError(message)
        pairs = zip(self.operands, given, strict=True)
        return evolve(self, operands=[evolve(item, tensor=tensor) for item, tensor in pairs])

    def __str__(self) -> str:
        """Write the kind, the dimensions, and the operands with their indices."""
        dims = " ".join(f"{name}={size}" for name, size in self._dims)
        read = ", ".join(str(item) for item in self.operands if item.role != "output")
        written = ", ".join(map(str, self.outputs))
        kind = type(self).__name__.lower()
        return f"{kind} ({dims}): {' -> '.join(part for part in (read, written) if part)}"


@functools.cache
def sizes_of(cls: type[Operator]) -> tuple[str, ...]:
    """The fields of an operator that are sizes, beside its dimensions and operands."""
    return tuple([item.name for item in fields(cls) if item.converter is as_size])


def _numbered(name: str) -> Iterable[str]:
    yield name
    number = 1
    while True:
        yield f"{name}{number}"
        number += 1


def _number(given: Any) -> NumericFormat | None:
    number = parse_format(given) if isinstance(given, str) else given
    if number is None or isinstance(number, NumericFormat):
        return number
    message = f"accumulator: expected a numeric format or its text, found {given!r:.80}"
    raise TypeError(message)


@frozen(kw_only=True, cache_hash=True)
class Contraction(Operator):
    """Multiply-accumulates: dense, convolution, attention scores, einsum, recurrent gates.

    Every point of the iteration space is one product of the first two operands that are read,
    added to an output element. Further operands are biases, added where a sum starts. Sums are kept
    in the format of the `accumulator`, exactly where it is None.
    """

    accumulator: NumericFormat | None = field(default=None, converter=_number)

    @property
    def macs(self) -> int:
        """Multiply-accumulates: the product of the dimensions, padding included."""
        return self.points

    @property
    def operations(self) -> Mapping[str, int]:
        """All of them multiply-accumulates."""
        return {"multiply-accumulate": self.macs}


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


@frozen(kw_only=True, cache_hash=True)
class Elementwise(Operator):
    """The same small function at every element; `steps` operations for each."""

    function: str = field(validator=one_of(ELEMENTWISE))
    steps: int = field(default=1, converter=as_size, validator=at_least(0))

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


@frozen(kw_only=True, cache_hash=True)
class Reduction(Operator):
    """Many elements to one: pooling, sums and means along axes."""

    function: str = field(validator=one_of(REDUCTIONS))

    @property
    def window(self) -> int:
        """Elements that meet in every output element: the product of the reduction dimensions."""
        reduced = self.reduction_dims
        return product([size for name, size in self._dims if name in reduced])

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


@frozen(kw_only=True, cache_hash=True)
class Activation(Operator):
    """A non-linear function of one element; in spiking terms, the update of a neuron."""

    function: str = field(validator=a_text)

    @property
    def operations(self) -> Mapping[str, int]:
        """One evaluation for each output element."""
        return {"activation": self.elements}


@frozen(kw_only=True, cache_hash=True)
class Gather(Operator):
    """Rows fetched from a table by an index that is data; no arithmetic."""


@frozen(kw_only=True, cache_hash=True)
class Movement(Operator):
    """Elements carried or reordered; no arithmetic. `purpose` says what for."""

    purpose: str = field(validator=a_text)


@frozen(kw_only=True, cache_hash=True)
class Counted(Operator):
    """A count of one type of operation whose geometry nobody states.

    Conventions that count otherwise than by the geometry of a layer use it. `sum_length` is how
    many results are summed into one, where that is known.
    """

    operation: str = field(validator=a_text)
    count: int = field(converter=as_size, validator=at_least(0))
    sum_length: int = field(default=1, converter=as_size, validator=at_least(1))

    @cached_property
    def reduction_size(self) -> int:
        """As stated."""
        return self.sum_length

    @property
    def macs(self) -> int:
        """The count, where it counts multiply-accumulates."""
        return self.count if self.operation == "multiply-accumulate" else 0

    def repeated(self, times: int, dim: str = "repeat") -> Self:
        """The same count `times` times."""
        return evolve(super().repeated(times, dim), count=self.count * times)

    @property
    def operations(self) -> Mapping[str, int]:
        """The count under its type."""
        return {self.operation: self.count}


@frozen(kw_only=True, cache_hash=True)
class Unsupported(Operator):
    """Work that nobody knows, for the stated reason; its operands alone are known."""

    reason: str = field(validator=a_text)

    @property
    def unpriced(self) -> Unpriced:
        """The reason."""
        return Unpriced(self.reason)


STANDARD: tuple[type[Operator], ...] = (
    Contraction, Elementwise, Reduction, Activation, Gather, Movement,
)  # fmt: skip
"""The operators that every device is expected to have an answer to."""
