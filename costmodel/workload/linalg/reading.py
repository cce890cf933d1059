"""The operator that the MLIR text of one `linalg.generic` states."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from costmodel.errors import CostModelError, LinalgError
from costmodel.formats import NumericFormat, parse_format
from costmodel.packages import needed
from costmodel.tensor.shapes import Tensor
from costmodel.workload.affine import Affine, axis_index
from costmodel.workload.linalg.tables import (
    ACTIVATION_OF,
    CONVERSIONS,
    ELEMENTWISE_OF,
    FARTHEST,
    PREFIX,
    STEPS,
    UNDECLARED,
    format_of,
)
from costmodel.workload.operators import (
    ELEMENTWISE,
    Activation,
    Contraction,
    Elementwise,
    Gather,
    Movement,
    Operand,
    Operator,
    Reduction,
)

LONGEST: Final = 200_000
"""Characters of a text that is read."""
_QUOTED: Final = re.compile(r'''//[^\n]*|"(?:[^"\\\n\v\f]|\\(?:["nt\\]|[0-9A-Fa-f]{2}))*"|"''')
"""A comment, a string, or the beginning of one that does not end, which holds up xDSL's lexer."""
_FACTORS: Final = 2
_SHOWN: Final = 8
"""Operations of a body that a message names."""
_REDUCTION_OF: Final[Mapping[str | None, str]] = {
    step: function for function, step in STEPS.items() if function != "mean"
}


def from_linalg(text: str, *, weights: Iterable[int] = ()) -> Operator:
    """The operator that the only `linalg.generic` of an MLIR text states.

    A `tensor.pad`, `tensor.extract_slice` or `tensor.expand_shape` of an operand is made part of
    its index, as is a `tensor.collapse_shape` of the result. An operand that the body does not
    read has no data. Operands that are read come first, in order, biases behind them; the result
    comes last.

    Args:
        text: a module, a function, or operations.
        weights: which of the operands that are read are weights, by their place; constants are,
            and those that `to_linalg` says to be.

    Raises:
        LinalgError: it is not MLIR text, has not one `linalg.generic`, or one that no operator
            states; also where xDSL, which reads MLIR, is not installed.

    """
    operations = list(_parsed(text).walk())
    others = sorted({one.name for one in operations if _is_named(one.name)})
    if others:
        message = (
            f"found {', '.join(others)}; expected linalg.generic alone: "
            "run mlir-opt --linalg-generalize-named-ops first"
        )
        raise LinalgError(message)
    generics = [one for one in operations if one.name == "linalg.generic"]
    try:
        return _operator(generics, weights)
    except LinalgError:
        raise
    except (CostModelError, TypeError, ValueError) as error:  # of names, sizes and indices
        message = f"linalg.generic: {error}"
        raise LinalgError(message) from error


def _operator(generics: Sequence[Any], weights: Iterable[int]) -> Operator:
    nests = _nests(generics)
    if len(nests) == 1:
        ((nest, scaling),) = nests
        return nest.stated(weights, scaling).operator
    message = f"found {len(nests)} linalg.generic beside those that start sums; expected one"
    raise LinalgError(message)


def _nests(generics: Sequence[Any]) -> list[tuple[_Nest, Any]]:
    """The operations that are operators, each with the one that divides its sums, if one does.

    Those where sums start are part of what goes on from them.
    """
    nests = [_Nest(one) for one in generics]
    starts = {id(one.start) for one in nests}
    nests = [one for one in nests if id(one.generic) not in starts]
    by_result = {id(one.generic): one for one in nests}
    found: dict[int, tuple[_Nest, Any]] = {}
    for nest in nests:
        total = by_result.get(id(nest.only_source))
        if total is not None and nest.divides(total.generic) == total.window:
            found[id(total.generic)] = (total, nest.generic)
        else:
            found[id(nest.generic)] = (nest, None)
    return list(found.values())


_AROUND: Final = ("generic", "yield", "index", "fill")
"""The operations of linalg that may stand in a text."""


def _is_named(name: str) -> bool:
    dialect, _, own = name.partition(".")
    return dialect == "linalg" and own not in _AROUND


def _parsed(text: Any, longest: int = LONGEST) -> Any:
    """The module of a text."""
    if not isinstance(text, str):
        message = f"expected the text of MLIR, found {text!r:.80}"
        raise LinalgError(message)
    if len(text) > longest:
        message = f"a text of {len(text):,} characters; expected at most {longest:,}"
        raise LinalgError(message)
    if '"' in _QUOTED.findall(text):
        message = "not valid MLIR: a string that does not end, or holds an unknown escape"
        raise LinalgError(message)
    needed("the text of MLIR", "xdsl", extra="mlir")
    from xdsl.context import Context  # noqa: PLC0415  # an extra, needed for reading alone
    from xdsl.dialects import arith, builtin, func, linalg, math, tensor  # noqa: PLC0415
    from xdsl.parser import Parser  # noqa: PLC0415

    context = Context()
    for dialect in (
        builtin.Builtin, func.Func, arith.Arith, math.Math, tensor.Tensor, linalg.Linalg,
    ):  # fmt: skip
        context.load_dialect(dialect)
    try:
        module = Parser(context, text).parse_module()
        module.verify()  # maps that fit the operands, and stay inside of them, included
    except Exception as error:  # a parser of others, which may raise anything
        message = f"not valid MLIR: {' '.join(str(error).split()):.400}"
        raise LinalgError(message) from error
    return module


class _Access(NamedTuple):
    """A value outside, and the index at which each of its axes is accessed."""

    value: Any
    at: Sequence[Affine | None]


class _Statement(NamedTuple):
    """An operator, the values that it reads in the order of its operands, and its result."""

    operator: Operator
    reads: Sequence[Any]
    result: Any


class _Nest:
    """One `linalg.generic`: its dimensions, what it accesses, and its body."""

    def __init__(self, generic: Any) -> None:
        self.generic = generic
        self._inputs, outputs = list(generic.inputs), list(generic.outputs)
        if len(outputs) != 1:
            message = f"a linalg.generic of {len(outputs)} outputs; expected one"
            raise LinalgError(message)
        (self._output,) = outputs
        self.names = self._names(len(generic.iterator_types))
        self._maps = [
            [_affine(one, self.names) for one in map_.data.results]
            for map_ in generic.indexing_maps
        ]
        self.sizes = self._sizes()
        self._check()
        self._body = _Body(generic.body.block)

    # -------------------------------------------------------------- dimensions

    def _names(self, count: int) -> list[str]:
        given = self._attribute("dims")
        names = [f"d{place}" for place in range(count)] if given is None else _texts(given, "dims")
        if len(names) != count or len(set(names)) < count:
            message = f"{PREFIX}dims {names}: expected {count} different names"
            raise LinalgError(message)
        return names

    def _sizes(self) -> dict[str, int]:
        """The length of each dimension: that of an axis that has it as its index."""
        accesses = zip([*self._inputs, self._output], self._maps, strict=True)
        found = {
            one.dims[0]: length
            for value, index in accesses
            for one, length in zip(index, _shape(value), strict=True)
            if one.is_plain
        }
        return {name: found[name] for name in self.names}

    def _check(self) -> None:
        """Check that the output has all dimensions but the reduced ones."""
        kept = {name for one in self._maps[-1] for name in one.dims}
        for name, kind in zip(self.names, self.generic.iterator_types, strict=True):
            expected = "parallel" if name in kept else "reduction"
            if kind.data.value != expected:
                message = f"dimension {name} is {kind.data.value!r}; its maps make it {expected!r}"
                raise LinalgError(message)

    # -------------------------------------------------------------- other operations

    @property
    def start(self) -> Any:
        """The `linalg.generic` whose result this one goes on from, if there is one."""
        owner = self._output.owner
        return owner if self._body.has_sum and _name(owner) == "linalg.generic" else None

    @property
    def window(self) -> int:
        """How many points meet in an output element, where they are summed."""
        if self._body.reduction() != "add":
            return 0
        kept = {name for one in self._maps[-1] for name in one.dims}
        count = 1
        for name, size in self.sizes.items():
            count *= 1 if name in kept else size
        return count

    def divides(self, other: Any) -> float | None:
        """The number by which this divides the result of another, and nothing else."""
        if [_name(value.owner) for value in self._inputs] != ["linalg.generic"]:
            return None
        return self._body.divisor() if self._inputs[0].owner is other else None

    @property
    def only_source(self) -> Any:
        """The operation that gives its only operand, if it has one."""
        return self._inputs[0].owner if len(self._inputs) == 1 else None

    def stated(self, weights: Iterable[int], scaling: Any = None) -> _Statement:
        """The operator that this states; `scaling` is the operation that makes its sums means."""
        cls, settings = self._kind(None if scaling is None else "mean")
        used = [place for place in range(len(self._inputs)) if self._body.reads(place)]
        reads = [_traced(self._inputs[place], self._maps[place]) for place in used]
        if cls is Gather:
            reads.append(self._table())
        written = self._written(self.generic if scaling is None else scaling)
        if self.start is not None:
            reads += self._biases(cls)
        if cls is Movement:
            purpose = self._attribute("purpose")
            settings["purpose"] = (
                self._purpose(reads, written) if purpose is None else _text(purpose)
            )
        if cls is Elementwise and (steps := self._attribute("steps")) is not None:
            settings["steps"] = _number(steps)
        if cls is Contraction and (sums := self._attribute("accumulator")) is not None:
            settings["accumulator"] = _text(sums)
        operands = self._operands(reads, written, weights)
        in_place = self._attribute("in_place") is not None
        made: Operator = cls(dims=self.sizes, operands=operands, in_place=in_place, **settings)
        return _Statement(made, [one.value for one in reads], written.value)

    # -------------------------------------------------------------- parts of the operator

    def _kind(self, function: str | None) -> tuple[Any, dict[str, Any]]:
        """The class of the operator, and what it has of its own."""
        body = self._body
        is_reduced = set(self.names) > {name for one in self._maps[-1] for name in one.dims}
        if body.is_contraction():
            return Contraction, {}
        step = body.reduction()
        if step in _REDUCTION_OF:
            return Reduction, {"function": function or _REDUCTION_OF[step]}
        found = None if body.has_sum or is_reduced else body.pointwise()
        if found is not None:
            return found
        where = "over reduced dimensions" if body.has_sum or is_reduced else "at each element"
        message = (
            f"a body of {body} {where}: expected a product added to the output, a reduction "
            "of one operand, or one function of the operands"
        )
        raise LinalgError(message)

    def _table(self) -> _Access:
        extract = self._body.operations[0]
        index: list[Affine | None] = []
        for value in extract.indices:
            owner = value.owner
            if _name(owner) == "linalg.index":
                place = owner.dim.value.data
                if not 0 <= place < len(self.names):
                    message = f"linalg.index {place} of {len(self.names)} dimensions"
                    raise LinalgError(message)
                index.append(axis_index(self.names[place]))
            else:
                index.append(None)
        if index.count(None) != 1:
            message = "a tensor.extract; expected one index that is data, and dimensions"
            raise LinalgError(message)
        return _Access(extract.tensor, index)

    def _written(self, last: Any) -> _Access:
        """The result, and the index of each of its axes, a `tensor.collapse_shape` included."""
        index: Sequence[Affine | None] = self._maps[-1]
        if not last.results:
            return _Access(self._output, index)
        (value,) = last.results
        users = [use.operation for use in value.uses]
        if [_name(user) for user in users] != ["tensor.collapse_shape"]:
            return _Access(value, index)
        (user,) = users
        shape = _shape(value)
        joined = [
            _joined([self._maps[-1][axis] for axis in group], [shape[axis] for axis in group])
            for group in _groups(user)
        ]
        return _Access(user.result, joined)

    def _biases(self, cls: type[Operator]) -> list[_Access]:
        """What the sums start from."""
        if cls is not Contraction:
            message = "the output starts as the result of a linalg.generic; only products may"
            raise LinalgError(message)
        start = _Nest(self.start)
        body = start._body
        if body.has_sum or not set(body.functions()) <= {"add"}:
            message = f"the output starts from a body of {body}; expected biases that are added"
            raise LinalgError(message)
        held = start._maps[-1]
        if not all(one.is_plain or not one.terms for one in held):
            message = "the output starts from a linalg.generic of which an axis has no dimension"
            raise LinalgError(message)
        here = {
            one.dims[0]: outside
            for one, outside in zip(held, self._maps[-1], strict=True)
            if one.is_plain
        }
        pairs = zip(start._inputs, start._maps[:-1], strict=True)
        return [
            _traced(value, [_replaced(one, here) for one in index])
            for place, (value, index) in enumerate(pairs)
            if body.reads(place)
        ]

    def _operands(
        self, reads: Sequence[_Access], written: _Access, weights: Iterable[int]
    ) -> list[Operand]:
        places = set(weights)
        if not places <= set(range(len(reads))):
            message = f"weights {sorted(places)}: expected places among {len(reads)} operands"
            raise LinalgError(message)
        roles = [
            "weight" if place in places or _name(one.value.owner) == "arith.constant" else "input"
            for place, one in enumerate(reads)
        ]
        declared = self._attribute("roles")
        if declared is not None and not places:
            roles = _texts(declared, "roles", len(reads))
        formats = self._formats([*reads, written])
        given = zip([*roles, "output"], formats, [*reads, written], strict=True)
        return [
            Operand(role, Tensor(_shape(access.value), held), access.at)  # type: ignore[arg-type]  # checked there
            for role, held, access in given
        ]

    def _purpose(self, reads: Sequence[_Access], written: _Access) -> str:
        """What a movement is for, by its indices."""
        made = [one for one in written.at if one is not None and one.terms]
        if not reads:
            return "filling"
        pairs = zip(reads[0].at, _shape(reads[0].value), strict=True)
        read = [(one, length) for one, length in pairs if one is not None and one.terms]
        reaches = [(one.reach(self.sizes), length) for one, length in read]
        if any(low < 0 or high >= length for (low, high), length in reaches):
            return "padding"
        if not all(one.is_plain and self.sizes[one.dims[0]] == length for one, length in read):
            return "selection"
        if {name for one in made for name in one.dims} - {one.dims[0] for one, _ in read}:
            return "repetition"
        return "copy" if [one for one, _ in read] == made else "transposition"

    def _formats(self, accesses: Sequence[_Access]) -> list[NumericFormat | None]:
        given = self._attribute("formats")
        if given is None:
            return [format_of(str(_element(one.value))) for one in accesses]
        texts = _texts(given, "formats", len(accesses))
        return [None if text == UNDECLARED else parse_format(text) for text in texts]

    def _attribute(self, name: str) -> Any:
        return self.generic.attributes.get(f"{PREFIX}{name}")


# ------------------------------------------------------------------ the body


class _Body:
    """What happens at a point: operations, conversions and constants left out."""

    def __init__(self, block: Any) -> None:
        self._block = block
        *inside, last = block.ops
        if _name(last) != "linalg.yield" or len(last.operands) != 1:
            message = f"a body that ends in {_name(last)}; expected a linalg.yield of one value"
            raise LinalgError(message)
        self._outcome = last.operands[0]
        self.operations = [
            one
            for one in inside
            if one.name not in {*CONVERSIONS, "arith.constant", "linalg.index"}
        ]
        self._arguments = {id(argument): place for place, argument in enumerate(block.args)}

    @property
    def has_sum(self) -> bool:
        """Whether it reads what the output holds."""
        return self.reads(len(self._arguments) - 1)

    def reads(self, place: int) -> bool:
        """Whether an operand has data: the body reads it."""
        return next(iter(self._block.args[place].uses), None) is not None

    def functions(self) -> list[str | None]:
        """The elementwise function that each operation is."""
        return [ELEMENTWISE_OF.get(one.name) for one in self.operations]

    def is_contraction(self) -> bool:
        """Whether it adds a product of two operands to what the output holds."""
        if self.functions() != ["multiply", "add"]:
            return False
        product, total = self.operations
        factors = {self._place(value) for value in product.operands}
        last = len(self._arguments) - 1
        added = [self._source(value) for value in total.operands]
        return (
            len(factors) == _FACTORS
            and not factors & {None, last}
            and any(value is product.results[0] for value in added)
            and any(self._arguments.get(id(value)) == last for value in added)
            and self._source(self._outcome) is total.results[0]
        )

    def reduction(self) -> str | None:
        """The function of an operand and of what the output holds, where that is all."""
        if len(self.operations) != 1 or not self.has_sum:
            return None
        (step,) = self.operations
        places = {self._place(value) for value in step.operands}
        last = len(self._arguments) - 1
        is_fold = len(step.operands) == len(places) == _FACTORS
        if not is_fold or last not in places or None in places:
            return None
        return self.functions()[0] if self._source(self._outcome) is step.results[0] else None

    def divisor(self) -> float | None:
        """The constant by which it divides its only operand, where that is all."""
        if self.functions() != ["divide"] or self.has_sum:
            return None
        left, right = self.operations[0].operands
        return _constant(self._source(right)) if self._place(left) == 0 else None

    def pointwise(self) -> tuple[Any, dict[str, Any]] | None:
        """The class and the settings of a function of each element, or of a movement."""
        functions = self.functions()
        if functions == ["multiply", "add"]:
            return Elementwise, {"function": "affine"}
        if functions and None not in functions and len(set(functions)) == 1:
            is_relu = functions == ["maximum"] and self._has_zero()
            settings: dict[str, Any] = {"function": functions[0], "steps": len(functions)}
            return (Activation, {"function": "relu"}) if is_relu else (Elementwise, settings)
        match self.operations:
            case []:
                return Movement, {}
            case [one]:
                return self._called(one)
        return None

    def _has_zero(self) -> bool:
        numbers = [_constant(self._source(value)) for value in self.operations[0].operands]
        return 0 in numbers

    @staticmethod
    def _called(operation: Any) -> tuple[Any, dict[str, Any]] | None:
        """What a single operation is."""
        if operation.name == "tensor.extract":
            return Gather, {}
        function = ACTIVATION_OF.get(operation.name)
        if operation.name == "func.call":
            stated = operation.attributes.get(f"{PREFIX}function")
            function = getattr(stated, "data", None) or operation.callee.string_value()
            function = function.removeprefix(PREFIX)
        if function is None:
            return None
        return (Elementwise if function in ELEMENTWISE else Activation), {"function": function}

    def _place(self, value: Any) -> int | None:
        """Which argument of the body a value is, conversions aside."""
        return self._arguments.get(id(self._source(value)))

    def _source(self, value: Any) -> Any:
        """A value before conversions."""
        while _name(value.owner) in CONVERSIONS:
            value = value.owner.operands[0]
        return value

    def __str__(self) -> str:
        """Name the operations."""
        names = [one.name for one in self.operations]
        more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
        return ", ".join([*names[:_SHOWN], *more]) or "no operation"


def _constant(value: Any) -> float | None:
    """The number that a value always is."""
    if _name(value.owner) != "arith.constant":
        return None
    held = value.owner.value
    number = getattr(getattr(held, "value", None), "data", None)
    return number if isinstance(number, int | float) else None


# ------------------------------------------------------------------ values and maps


def _traced(value: Any, index: Sequence[Affine]) -> _Access:
    """The access of the value that pads, slices and reshapes were made of."""
    while (step := _TRACED.get(_name(value.owner))) is not None:
        value, index = step(value.owner, index)
    return _Access(value, index)


_Traced: TypeAlias = tuple[Any, Sequence[Affine]]


def _unpadded(operation: Any, index: Sequence[Affine]) -> _Traced:
    lows = _numbers(operation.static_low)
    return operation.source, [one.moved(-low) for one, low in zip(index, lows, strict=True)]


def _unsliced(operation: Any, index: Sequence[Affine]) -> _Traced:
    offsets, steps = _numbers(operation.static_offsets), _numbers(operation.static_strides)
    if len(offsets) != len(index):
        message = "a tensor.extract_slice that leaves out axes; expected one that keeps all"
        raise LinalgError(message)
    return operation.source, [
        Affine([(name, factor * step) for name, factor in one.terms], one.offset * step + offset)
        for one, offset, step in zip(index, offsets, steps, strict=True)
    ]


def _unexpanded(operation: Any, index: Sequence[Affine]) -> _Traced:
    shape = _shape(operation.result)
    return operation.src, [
        _joined([index[axis] for axis in group], [shape[axis] for axis in group])
        for group in _groups(operation)
    ]


_TRACED: Final = {
    "tensor.pad": _unpadded,
    "tensor.extract_slice": _unsliced,
    "tensor.expand_shape": _unexpanded,
}
"""The operations that are made part of an index."""


def _joined(index: Sequence[Affine], lengths: Sequence[int]) -> Affine:
    """The index into an axis that several others were joined to."""
    terms: dict[str, int] = {}
    offset = 0
    for one, length in zip(index, lengths, strict=True):
        offset = offset * length + one.offset
        terms = {name: factor * length for name, factor in terms.items()}
        for name, factor in one.terms:
            terms[name] = terms.get(name, 0) + factor
    return Affine(list(terms.items()), offset)


def _replaced(index: Affine, here: Mapping[str, Affine]) -> Affine:
    """An index with other dimensions in place of its own."""
    terms: dict[str, int] = {}
    offset = index.offset
    for name, factor in index.terms:
        if name not in here:
            message = f"a bias has dimension {name}, which the output has not"
            raise LinalgError(message)
        offset += factor * here[name].offset
        for own, step in here[name].terms:
            terms[own] = terms.get(own, 0) + factor * step
    return Affine(list(terms.items()), offset)


def _affine(expression: Any, names: Sequence[str]) -> Affine:
    """An index of a map.

    Raises:
        LinalgError: it is not affine, or its numbers are too large.

    """
    terms, offset = _linear(expression)
    if any(abs(number) > FARTHEST for number in (*terms.values(), offset)):
        message = f"index {expression!s:.80}: expected numbers within 2^62"
        raise LinalgError(message)
    return Affine([(names[place], factor) for place, factor in terms.items()], offset)


def _linear(expression: Any) -> tuple[dict[int, int], int]:
    """The factor of every dimension, and what is added."""
    kind = type(expression).__name__
    if kind == "AffineConstantExpr":
        return {}, expression.value
    if kind == "AffineDimExpr":
        return {expression.position: 1}, 0
    operation = getattr(getattr(expression, "kind", None), "name", "")
    if operation not in {"Add", "Mul"}:
        message = f"index {expression!s:.80}: expected a sum of dimensions, each times a number"
        raise LinalgError(message)
    (left, first), (right, second) = _linear(expression.lhs), _linear(expression.rhs)
    if operation == "Add":
        places = dict.fromkeys((*left, *right))
        return {one: left.get(one, 0) + right.get(one, 0) for one in places}, first + second
    if left and right:
        message = f"index {expression!s:.80}: a product of dimensions"
        raise LinalgError(message)
    factor = second if left else first
    terms = left or right
    return {one: number * factor for one, number in terms.items()}, first * second


def _name(owner: Any) -> str:
    """The name of an operation; of a block, whose argument a value is, none."""
    return getattr(owner, "name", None) or ""


def _shape(value: Any) -> tuple[int, ...]:
    """The lengths of the axes of a tensor, of memory, or of a number."""
    held = value.type
    if not hasattr(held, "get_shape"):
        return ()
    shape = tuple(held.get_shape())
    if any(length < 1 for length in shape):
        message = f"{held!s:.80}: expected lengths of 1 or more; bind those that are open"
        raise LinalgError(message)
    return shape


def _element(value: Any) -> Any:
    held = value.type
    return held.get_element_type() if hasattr(held, "get_element_type") else held


def _groups(operation: Any) -> list[list[int]]:
    return [[axis.value.data for axis in group] for group in operation.reassociation]


def _numbers(held: Any) -> list[int]:
    values = [int(value) for value in held.get_values()]
    if any(abs(value) > FARTHEST for value in values):
        message = "an offset, a size or a step that is not a constant; expected numbers"
        raise LinalgError(message)
    return values


def _texts(held: Any, name: str, count: int | None = None) -> list[str]:
    values = getattr(held, "data", None)
    texts = [_text(one) for one in values] if isinstance(values, tuple | list) else None
    if texts is None or (count is not None and len(texts) != count):
        message = f"{PREFIX}{name} is {held!s:.80}; expected {count or 'some'} texts"
        raise LinalgError(message)
    return texts


def _text(held: Any) -> str:
    value = getattr(held, "data", None)
    if not isinstance(value, str):
        message = f"expected a text, found {held!s:.80}"
        raise LinalgError(message)
    return value


def _number(held: Any) -> int:
    value = getattr(getattr(held, "value", None), "data", None)
    if not isinstance(value, int):
        message = f"{PREFIX}steps is {held!s:.80}; expected a whole number"
        raise LinalgError(message)
    return value
