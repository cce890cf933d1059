"""An operator as the text of a function around one `linalg.generic`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from attrs import frozen

from costmodel.errors import LinalgError
from costmodel.workload.affine import Affine, axis_index
from costmodel.workload.linalg.tables import (
    ARITHMETIC,
    FARTHEST,
    MATH,
    PREFIX,
    STEPS,
    Element,
    conversion,
    format_text,
    is_stated,
)
from costmodel.workload.operators import (
    ELEMENTWISE,
    STANDARD,
    Activation,
    Contraction,
    Elementwise,
    Gather,
    Movement,
    Operand,
    Operator,
    Reduction,
    shape_of,
)

_PAIR: Final = 2
_TRIPLE: Final = 3


def to_linalg(operator: Operator) -> str:
    """The MLIR text of a function that does the work of an operator by one `linalg.generic`.

    What lies outside of an input is padded by `tensor.pad`. Dimensions that no operand has by
    themselves, such as those of a pooling window, get an operand without data. Several dimensions
    on one axis of the output (groups and channels) are joined by `tensor.collapse_shape`. Biases
    are where the sums start. A function without an operation in `arith` or `math` is a call.

    Attributes whose names begin with `costmodel.` hold what MLIR has no place for: names of
    dimensions, roles, formats that an element type does not state, purposes.

    Raises:
        LinalgError: `linalg.generic` cannot state it; the message says what can be done.
        TypeError: it is no operator.

    """
    if not isinstance(operator, Operator):
        message = (  # type: ignore[unreachable]  # a caller may have no types
            f"expected an operator, found a {type(operator).__name__}; to_mlir writes a workload, "
            "whose operators are workload.operators"
        )
        raise TypeError(message)
    return text_of(operator, _INDEX)


def text_of(operator: Operator, indices: Element) -> str:
    """As `to_linalg`; `indices` is the type of those of a table that declare no format.

    Raises:
        LinalgError: as `to_linalg`.

    """
    _check(operator)
    return _Writer(operator, indices).text()


# ------------------------------------------------------------------ what cannot be written


def _check(operator: Operator) -> None:
    kind = type(operator).__name__
    if type(operator) not in STANDARD:
        advice = (
            "write each of operator.decompose()"
            if operator.decompose()
            else "it has no index maps that say what it does"
        )
        raise _cannot(operator, f"{kind} is not one linalg.generic; {advice}")
    for name, size in operator.dims.items():
        if size.__class__ is not int:
            raise _cannot(operator, f"dimension {name!r} has size {size!s:.40}; bind it first")
        if size < 1:
            raise _cannot(operator, f"dimension {name!r} has size 0; expected 1 or more")
    if len(operator.outputs) != 1:
        advice = "write an operator for each output"
        raise _cannot(operator, f"it has {len(operator.outputs)} outputs; {advice}")
    if any(operand.touched is not None for operand in operator.operands):
        raise _cannot(operator, "an operand states `touched`, which no index map does")
    reads = [operand for operand in operator.operands if operand.role != "output"]
    if isinstance(operator, Gather):
        _check_gather(operator, reads)
    elif any(one is None for operand in reads for one in operand.index):
        raise _cannot(operator, "an index is not affine; only the table of a Gather may have one")
    _check_reads(operator, reads)
    if not isinstance(operator, Contraction | Reduction) and operator.reduction_dims:
        shown = ", ".join(operator.reduction_dims)
        raise _cannot(operator, f"dimensions {shown} are not in the output, and nothing is reduced")


def _check_reads(operator: Operator, reads: Sequence[Operand]) -> None:
    count = len(reads)
    match operator:
        case Contraction() if count < _PAIR:
            raise _cannot(operator, f"it reads {count} operands; expected two factors")
        case Reduction() if count != 1:
            raise _cannot(operator, f"it reads {count} operands; expected one")
        case Movement() if count > 1:
            advice = "use tensor.concat, or a Movement for each input"
            raise _cannot(operator, f"it moves {count} operands to one; {advice}")
        case Activation() if operator.function in ELEMENTWISE:
            advice = "make it an Elementwise"
            raise _cannot(operator, f"{operator.function!r} is an elementwise function; {advice}")
        case _:
            pass


def _check_gather(operator: Operator, reads: Sequence[Operand]) -> None:
    indices = [list(operand.index) for operand in reads]
    if not (
        len(reads) == _PAIR
        and None not in indices[0]
        and indices[1].count(None) == 1
        and all(one is None or one.is_plain for one in indices[1])
    ):
        expected = "indices, and a table of which one axis depends on them and the others are plain"
        raise _cannot(operator, f"expected {expected}")


def _cannot(operator: Operator, why: str) -> LinalgError:
    return LinalgError(f"{operator!s:.200}: {why}")


def _written_axes(operator: Operator) -> list[list[str]]:
    """For each axis of the output the dimensions on it, slowest first.

    Raises:
        LinalgError: it is not a projected permutation of the dimensions.

    """
    (result,) = operator.outputs
    axes = []
    for one, length in zip(result.index, result.shape, strict=True):
        if one is None:
            raise _cannot(operator, "the index of the output is not affine")
        # where factors are the same, all dimensions but one have a size of 1
        terms = sorted(one.terms, key=lambda term: (-term[1], -operator.dims[term[0]]))
        names = [name for name, _ in terms]
        strides = _strides([operator.dims[name] for name in names])
        is_whole = length == math.prod(operator.dims[name] for name in names)
        if one.offset or [factor for _, factor in terms] != strides or not is_whole:
            advice = (
                "gather instead of scattering: a transposed convolution is a convolution of the "
                "input with zeros inserted"
            )
            raise _cannot(
                operator,
                f"the output is written at {one} along an axis of {length}, and linalg.generic "
                f"writes each element of the output at its own dimensions; {advice}",
            )
        axes.append(names)
    names = [name for axis in axes for name in axis]
    if len(set(names)) < len(names):
        raise _cannot(operator, "a dimension stands on two axes of the output")
    return axes


def _strides(sizes: Sequence[int]) -> list[int]:
    """The step of each digit of a number of mixed radix."""
    return [math.prod(sizes[place + 1 :]) for place in range(len(sizes))]


# ------------------------------------------------------------------ the text


@frozen
class _Value:
    """A value of the function: its name, and its type."""

    name: str
    shape: tuple[int, ...]
    element: Element

    @property
    def type(self) -> str:
        return _tensor(self.shape, self.element)


def _tensor(shape: Iterable[int], element: Element) -> str:
    return f"tensor<{''.join(f'{length}x' for length in shape)}{element}>"


class _Access(NamedTuple):
    """A value and the index at which a `linalg.generic` accesses each of its axes."""

    value: _Value
    at: Sequence[Affine]


class _Writer:
    """Writes one operator."""

    def __init__(self, operator: Operator, indices: Element) -> None:
        self._operator, self._indices = operator, indices
        self._sizes = operator.dims
        self._lines: list[str] = []
        self._declared: str = ""
        self._counts: dict[str, int] = {}

    def text(self) -> str:
        """The function, and the declaration of what it calls."""
        operator = self._operator
        axes = _written_axes(operator)
        (written,) = operator.outputs
        reads = [operand for operand in operator.operands if operand.role != "output"]
        arguments = [
            _Value(f"%arg{place}", shape_of(operand), self._element_of(operand, place))
            for place, operand in enumerate(reads)
        ]
        index = [one for axis in axes for one in (map(axis_index, axis) if axis else [Affine()])]
        shape = [self._sizes[one.dims[0]] if one.dims else 1 for one in index]
        result = _Value("", tuple(shape), Element.of(written.format))
        made = self._made(reads, arguments, result, index)
        final = self._collapsed(made, axes)
        head = ", ".join(f"{value.name}: {value.type}" for value in arguments)
        return "\n".join(
            [
                *([self._declared] if self._declared else []),
                f"func.func @operator({head}) -> {final.type} {{",
                *[f"  {line}" for line in self._lines],
                f"  return {final.name} : {final.type}",
                "}",
                "",
            ]
        )

    def _made(
        self, reads: Sequence[Operand], arguments: Sequence[_Value], result: _Value,
        written: Sequence[Affine],
    ) -> _Value:  # fmt: skip
        """The result with an axis for each of its dimensions."""
        operator = self._operator
        pairs = list(zip(reads, arguments, strict=True))
        data = pairs[:_PAIR] if isinstance(operator, Contraction) else pairs
        if isinstance(operator, Gather):
            data = pairs[:1]
        sources = [self._source(operand, value) for operand, value in data]
        start = self._start(pairs[len(data) :], result, written)
        window = self._window([*sources, _Access(start, written)])
        body = _Body([*sources, *window], result.element)
        outcome = self._body(body, arguments)
        made = self._generic(
            [*sources, *window], _Access(start, written), body, outcome, self._attributes()
        )
        self._declared = body.declared
        if isinstance(operator, Reduction) and operator.function == "mean":
            return self._scaled(made, operator.window)
        return made

    # -------------------------------------------------------------- values around it

    def _source(self, operand: Operand, value: _Value) -> _Access:
        """An operand such that no point lies outside of it, and plain indices span their axes."""
        index = [Affine() if one is None else one for one in operand.index]
        lows, highs = [], []
        for one, length in zip(index, value.shape, strict=True):
            low, high = self._reach(one)
            lows.append(max(0, -low))
            highs.append(max(0, high - length + 1))
        if any(lows) or any(highs):
            value = self._padded(value, lows, highs)
            index = [one.moved(low) for one, low in zip(index, lows, strict=True)]
        spans = [
            self._sizes[one.dims[0]] if one.is_plain else length
            for one, length in zip(index, value.shape, strict=True)
        ]
        if tuple(spans) != value.shape:
            value = self._sliced(value, spans)
        return _Access(value, index)

    def _reach(self, index: Affine) -> tuple[int, int]:
        low, high = index.reach(self._sizes)
        if max(-low, high) > FARTHEST:
            raise _cannot(self._operator, f"index {index!s:.80} reaches further than 2^62")
        return low, high

    def _padded(self, value: _Value, lows: Sequence[int], highs: Sequence[int]) -> _Value:
        operator = self._operator
        function = operator.function if isinstance(operator, Reduction) else "sum"
        if function == "mean":
            advice = "write the sum of the windows, and divide it by their numbers of elements"
            raise _cannot(
                operator, f"the windows of a mean hold padding, so their sizes differ; {advice}"
            )
        outside = self._constant(_neutral(function, value.element), value.element)
        shape = [
            low + length + high for low, length, high in zip(lows, value.shape, highs, strict=True)
        ]
        name = self._name("padded")
        places = ", ".join(f"%at{axis}: index" for axis in range(len(shape)))
        padded = _Value(name, tuple(shape), value.element)
        self._lines += [
            f"{name} = tensor.pad {value.name} low{list(lows)} high{list(highs)} {{",
            f"^bb0({places}):",
            f"  tensor.yield {outside} : {value.element}",
            f"}} : {value.type} to {padded.type}",
        ]
        return padded

    def _sliced(self, value: _Value, sizes: Sequence[int]) -> _Value:
        zeros, ones = [0] * len(sizes), [1] * len(sizes)
        return self._value(
            "sliced", tuple(sizes), value.element,
            f"tensor.extract_slice {value.name}{zeros} {list(sizes)} {ones} : {value.type} to ",
        )  # fmt: skip

    def _start(
        self, biases: Sequence[tuple[Operand, _Value]], result: _Value, written: Sequence[Affine]
    ) -> _Value:
        """Where a sum starts: the biases, or what does not change it; else an empty tensor."""
        operator = self._operator
        empty = self._empty(result.shape, result.element)
        if isinstance(operator, Contraction) and biases:
            kept = {name: self._sizes[name] for one in written for name in one.dims}
            if any(set(operand.dims) - kept.keys() for operand, _ in biases):
                raise _cannot(operator, "a bias has a dimension that the output has not")
            sources = [self._source(operand, value) for operand, value in biases]
            body = _Body(sources, result.element)
            outcome = body.folded("add", result.element)
            return self._generic(sources, _Access(empty, written), body, outcome, {}, kept)
        if not isinstance(operator, Contraction | Reduction):
            return empty
        function = operator.function if isinstance(operator, Reduction) else "sum"
        start = self._constant(_neutral(function, result.element), result.element)
        filled = f"ins({start} : {result.element}) outs({empty.name} : {empty.type})"
        return self._value("start", result.shape, result.element, f"linalg.fill {filled} -> ")

    def _window(self, placed: Sequence[_Access]) -> list[_Access]:
        """An operand without data whose axes are the dimensions that no operand has plainly."""
        plain = {one.dims[0] for access in placed for one in access.at if one.is_plain}
        missing = [name for name in self._sizes if name not in plain]
        if not missing:
            return []
        value = self._empty([self._sizes[name] for name in missing], placed[0].value.element)
        return [_Access(value, [axis_index(name) for name in missing])]

    def _empty(self, shape: Sequence[int], element: Element) -> _Value:
        return self._value("empty", tuple(shape), element, "tensor.empty() : ")

    def _scaled(self, total: _Value, window: int) -> _Value:
        """Sums divided by how many numbers each of them is of."""
        element = total.element
        wide = Element(element.is_float, max(element.bits, 32 if element.is_float else 64))
        dims = {f"d{axis}": length for axis, length in enumerate(total.shape)}
        index = [axis_index(name) for name in dims]
        divisor = self._constant(wide.constant(window), wide)
        body = _Body([_Access(total, index)], element)
        value = body.converted(body.arguments[0], wide)
        outcome = body.arithmetic("divide", value, (divisor, wide))
        empty = self._empty(total.shape, element)
        return self._generic(
            [_Access(total, index)], _Access(empty, index), body, outcome, {}, dims
        )

    def _collapsed(self, made: _Value, axes: Sequence[Sequence[str]]) -> _Value:
        """The result with the axes that the operator has."""
        (written,) = self._operator.outputs
        if len(made.shape) == len(axes):
            return made
        places = itertools.count()
        groups = [[next(places) for _ in axis or [""]] for axis in axes]
        return self._value(
            "result", shape_of(written), made.element,
            f"tensor.collapse_shape {made.name} {groups} : {made.type} into ",
        )  # fmt: skip

    # -------------------------------------------------------------- the operation itself

    def _generic(
        self, sources: Sequence[_Access], target: _Access, body: _Body, outcome: _Typed,
        attributes: Mapping[str, str], dims: Mapping[str, int] | None = None,
    ) -> _Value:  # fmt: skip
        """A `linalg.generic` over the dimensions that its target has, or over all given."""
        names = list(self._sizes if dims is None else dims)
        kept = {name for one in target.at for name in one.dims}
        kinds = ", ".join('"parallel"' if name in kept else '"reduction"' for name in names)
        maps = ", ".join(_map(access.at, names) for access in (*sources, target))
        settings = f"indexing_maps = [{maps}], iterator_types = [{kinds}]"
        read = [access.value for access in sources]
        ins = f" ins({_listed(read)})" if read else ""
        listed = ", ".join(
            f"{key} = {value}" if value else key for key, value in attributes.items()
        )
        outs = f"outs({_listed([target.value])})" + (f" attrs = {{{listed}}}" if listed else "")
        element = target.value.element
        (value, _) = body.converted(outcome, element)
        name = self._name("made")
        self._lines += [
            f"{name} = linalg.generic {{{settings}}}{ins} {outs} {{",
            f"^bb0({', '.join(f'{one}: {element}' for one, element in body.block)}):",
            *[f"  {line}" for line in body.lines],
            f"  linalg.yield {value} : {element}",
            f"}} -> {target.value.type}",
        ]
        return _Value(name, target.value.shape, element)

    def _body(self, body: _Body, arguments: Sequence[_Value]) -> _Typed:
        """Write what happens at a point; what is yielded."""
        operator, element = self._operator, body.accumulator[1]
        match operator:
            case Contraction():
                left, right = [body.converted(one, element) for one in body.arguments[:_PAIR]]
                product = body.arithmetic("multiply", left, right)
                made = body.arithmetic("add", body.accumulator, product)
            case Reduction():
                value = body.converted(body.arguments[0], element)
                made = body.arithmetic(STEPS[operator.function], body.accumulator, value)
            case Gather():
                _, table = [one for one in operator.operands if one.role != "output"]
                made = body.extracted(table.index, arguments[1], list(self._sizes))
            case Elementwise():
                made = body.elementwise(operator.function)
            case Activation():
                made = body.activation(operator.function)
            case _:
                zero = element.constant(0)
                made = body.arguments[0] if arguments else (self._constant(zero, element), element)
        return made

    def _attributes(self) -> dict[str, str]:
        """What MLIR has no place for."""
        operator = self._operator
        (written,) = operator.outputs
        reads = [operand for operand in operator.operands if operand.role != "output"]
        found = {
            "dims": _texts(self._sizes),
            "roles": _texts([operand.role for operand in reads]),
        }
        formats = [operand.format for operand in (*reads, written)]
        if not all(map(is_stated, formats)):
            found["formats"] = _texts([format_text(declared) for declared in formats])
        if isinstance(operator, Movement):
            found["purpose"] = _quoted(operator.purpose)
        if isinstance(operator, Elementwise) and operator.steps != native_steps(
            operator.function, len(reads)
        ):
            found["steps"] = str(operator.steps)
        if isinstance(operator, Contraction) and operator.accumulator is not None:
            found["accumulator"] = _quoted(format_text(operator.accumulator))
        if operator.in_place:
            found["in_place"] = ""
        return {f"{PREFIX}{key}": value for key, value in found.items()}

    def _element_of(self, operand: Operand, place: int) -> Element:
        """The element type of what is read."""
        if isinstance(self._operator, Gather) and place == 0 and operand.format is None:
            return self._indices
        return Element.of(operand.format)

    def _constant(self, text: str, element: Element) -> str:
        name = self._name("constant")
        self._lines.append(f"{name} = arith.constant {text} : {element}")
        return name

    def _value(self, stem: str, shape: tuple[int, ...], element: Element, text: str) -> _Value:
        value = _Value(self._name(stem), shape, element)
        self._lines.append(f"{value.name} = {text}{value.type}")
        return value

    def _name(self, stem: str) -> str:
        count = self._counts[stem] = self._counts.get(stem, 0) + 1
        return f"%{stem}" if count == 1 else f"%{stem}{count}"


_INDEX: Final = Element(is_float=False, bits=64)
"""The type of indices: whole numbers."""


def _neutral(function: str, element: Element) -> str:
    """The constant that does not change a reduction."""
    match function:
        case "max":
            return element.lowest()
        case "min":
            return element.highest()
        case "product":
            return element.constant(1)
        case _:
            return element.constant(0)


def native_steps(function: str, reads: int) -> int:
    """The steps that the body of an elementwise function of some operands has."""
    return reads - 1 if function in ARITHMETIC and reads >= _PAIR else 1


# ------------------------------------------------------------------ the body

_Typed: TypeAlias = tuple[str, Element]
"""The name of a value, and its type."""


class _Body:
    """The operations at a point of the iteration space."""

    def __init__(self, sources: Sequence[_Access], result: Element) -> None:
        self.arguments: list[_Typed] = [
            (f"%in{place}", access.value.element) for place, access in enumerate(sources)
        ]
        self.accumulator: _Typed = ("%out", result)
        self.lines: list[str] = []
        self.declared = ""

    @property
    def block(self) -> list[_Typed]:
        """The arguments of the block."""
        return [*self.arguments, self.accumulator]

    def converted(self, value: _Typed, element: Element) -> _Typed:
        """A value in another type."""
        name, own = value
        operation = conversion(own, element)
        if operation is None:
            return name, element
        return self._line(f"arith.{operation} {name} : {own} to {element}"), element

    def arithmetic(self, function: str, left: _Typed, right: _Typed) -> _Typed:
        """One operation of two numbers of one type."""
        element = left[1]
        floating, signed, unsigned = ARITHMETIC[function]
        name = floating if element.is_float else signed if element.signed else unsigned
        return self._line(f"arith.{name} {left[0]}, {right[0]} : {element}"), element

    def folded(self, function: str, element: Element) -> _Typed:
        """All arguments, one after the other."""
        first, *rest = [self.converted(one, element) for one in self.arguments]
        for other in rest:
            first = self.arithmetic(function, first, other)
        return first

    def elementwise(self, function: str) -> _Typed:
        """An elementwise function, in the widest type of all."""
        wide = max([one for _, one in self.block], key=lambda one: (one.is_float, one.bits))
        if function in ARITHMETIC and len(self.arguments) >= _PAIR:
            return self.folded(function, wide)
        if function == "affine" and len(self.arguments) == _TRIPLE:
            value, scale, shift = (self.converted(one, wide) for one in self.arguments)
            return self.arithmetic("add", self.arithmetic("multiply", value, scale), shift)
        return self._called(function)

    def activation(self, function: str) -> _Typed:
        """A function of one element."""
        value, *rest = self.arguments
        name, element = value
        if not rest and function == "relu":
            zero = self._line(f"arith.constant {element.constant(0)} : {element}")
            return self.arithmetic("maximum", value, (zero, element))
        if not rest and function in MATH and element.is_float:
            return self._line(f"{MATH[function]} {name} : {element}"), element
        return self._called(function)

    def extracted(
        self, index: Sequence[Affine | None], table: _Value, dims: Sequence[str]
    ) -> _Typed:
        """The element of a table at an index of which one part is data."""
        chosen, element = self.arguments[0]
        if element.is_float:
            chosen, element = self.converted((chosen, element), _INDEX)
        places = [
            self._line(f"arith.index_cast {chosen} : {element} to index")
            if one is None
            else self._line(f"linalg.index {dims.index(one.dims[0])} : index")
            for one in index
        ]
        found = f"tensor.extract {table.name}[{', '.join(places)}] : {table.type}"
        return self._line(found), table.element

    def _called(self, function: str) -> _Typed:
        result = self.accumulator[1]
        callee = f"@{_quoted(f'{PREFIX}{function}')}"
        taken = ", ".join(str(element) for _, element in self.arguments)
        self.declared = f"func.func private {callee}({taken}) -> {result}"
        given = ", ".join(name for name, _ in self.arguments)
        return self._line(f"func.call {callee}({given}) : ({taken}) -> {result}"), result

    def _line(self, text: str) -> str:
        name = f"%t{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return name


# ------------------------------------------------------------------ pieces of text


def _map(index: Sequence[Affine], names: Sequence[str]) -> str:
    places = {name: place for place, name in enumerate(names)}
    dims = ", ".join(f"d{place}" for place in range(len(names)))
    return f"affine_map<({dims}) -> ({', '.join(_expression(one, places) for one in index)})>"


def _expression(index: Affine, places: Mapping[str, int]) -> str:
    terms = [
        f"d{places[name]}" if factor == 1 else f"d{places[name]} * {factor}"
        for name, factor in index.terms
    ]
    text = " + ".join(terms)
    if not terms:
        return str(index.offset)
    if index.offset:
        return f"{text} {'-' if index.offset < 0 else '+'} {abs(index.offset)}"
    return text


def _listed(values: Sequence[_Value]) -> str:
    return f"{', '.join(one.name for one in values)} : {', '.join(one.type for one in values)}"


def _texts(values: Iterable[str]) -> str:
    return f"[{', '.join(_quoted(value) for value in values)}]"


def _quoted(text: str) -> str:
    """A string as MLIR has it: what is not a plain character as its bytes in hexadecimal."""
    plain = [
        chr(byte) if 32 <= byte < 127 and chr(byte) not in {'"', "\\"} else f"\\{byte:02X}"  # noqa: PLR2004  # the printable characters of ASCII
        for byte in text.encode()
    ]
    return f'"{"".join(plain)}"'
