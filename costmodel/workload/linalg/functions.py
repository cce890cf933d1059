"""The workload of a whole function of MLIR: `linalg` on tensors, and calls of such functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import define, evolve, field

from costmodel.errors import CostModelError, LinalgError, ReadError
from costmodel.formats import NumericFormat, parse_format
from costmodel.tensor.shapes import Tensor
from costmodel.workload import builders
from costmodel.workload.assembly import Assembly, renamed
from costmodel.workload.graph import Node, Workload
from costmodel.workload.linalg.reading import (
    LONGEST,
    _element,
    _name,
    _nests,
    _numbers,
    _parsed,
    _shape,
    _texts,
)
from costmodel.workload.linalg.tables import PREFIX, UNDECLARED, format_of
from costmodel.workload.operators import Operator

MOST: Final = 10 * LONGEST
"""Characters of the text of a function."""
_DEEPEST: Final = 30
"""Functions that call each other."""


def from_mlir(text: str, *, function: str | None = None, weights: Iterable[int] = ()) -> Workload:
    """The workload of a function on tensors.

    Its operations are those of `linalg`: `generic`, and the named ones of NAMED; of `tensor`, what
    pads, slices, reshapes and joins; and calls of functions of the module. A function that is
    called becomes part of the caller. Arguments that are not weights are inputs.

    Args:
        text: a module.
        function: which of its functions; unless given, the only one that no other calls.
        weights: which arguments are weights, by their place; constants are, and those that
            `to_mlir` says to be.

    Raises:
        LinalgError: it is not MLIR text, it has no such function, or operations that are none of
            the above; also where xDSL, which reads MLIR, is not installed.

    """
    module = _parsed(text, MOST)
    functions = {one.sym_name.data: one for one in module.walk() if one.name == "func.func"}
    chosen = _chosen(functions, function)
    try:
        return _Reading(functions).workload(chosen, set(weights))
    except LinalgError:
        raise
    except (CostModelError, TypeError, ValueError) as error:  # of names, sizes and indices
        message = f"func.func @{chosen.sym_name.data:.80}: {error}"
        raise LinalgError(message) from error


def _chosen(functions: Mapping[str, Any], name: str | None) -> Any:
    bodies = {one: held for one, held in functions.items() if held.body.blocks}
    called = {
        operation.callee.string_value()
        for held in bodies.values()
        for operation in held.walk()
        if operation.name == "func.call"
    }
    free = [one for one in bodies if one not in called]
    if name is not None:
        if name not in bodies:
            message = f"no function {name!r:.80}; there are {', '.join(bodies) or 'none'}"
            raise LinalgError(message)
        return bodies[name]
    if len(free) != 1:
        message = f"found {len(free)} functions that no other calls; expected one, or its name"
        raise LinalgError(message)
    return bodies[free[0]]


@define
class _Reading:
    """The functions of a module, and the workload in the making."""

    functions: Mapping[str, Any]
    made: Assembly = field(factory=lambda: Assembly("function"))
    names: dict[Any, str] = field(factory=dict)
    """The tensor that a value is."""
    held: set[str] = field(factory=set)
    """The tensors that are weights."""
    wanted: dict[str, str] = field(factory=dict)
    """The names of tensors as `to_mlir` wrote them."""
    folded: dict[str, str] = field(factory=dict)
    """The node that a node folds into."""

    def workload(self, function: Any, weights: set[int]) -> Workload:
        """The workload of a function."""
        own = _attributes(function)
        self.made = Assembly(own.text("name") or function.sym_name.data)
        arguments = list(function.body.block.args)
        if not weights <= set(range(len(arguments))):
            message = f"weights {sorted(weights)}: expected places among {len(arguments)} arguments"
            raise LinalgError(message)
        roles = own.texts("roles", len(arguments)) or ["input"] * len(arguments)
        names = own.texts("tensors", len(arguments)) or [f"arg{n}" for n in range(len(arguments))]
        formats = own.formats(len(arguments))
        for place, (value, name) in enumerate(zip(arguments, names, strict=True)):
            is_held = place in weights or (roles[place] == "weight" and not weights)
            add = self.made.weight if is_held else self.made.input
            self.names[value] = add(name, _tensor_of(value, formats, place))
            if is_held:
                self.held.add(self.names[value])
        results = self._run(function, 0)
        given = [self._named(value) for value in results]
        found = self.made.workload(list(dict.fromkeys(given)))
        return self._as_written(found)

    def _as_written(self, found: Workload) -> Workload:
        """The workload with the names that `to_mlir` wrote."""
        wanted = {name: one for name, one in self.wanted.items() if name != one}
        if not wanted and not self.folded:
            return found
        steps = [renamed(step, wanted, step.name) for step in found.steps]
        steps = [
            evolve(step, folds_into=self.folded.get(step.name)) if isinstance(step, Node) else step
            for step in steps
        ]
        return Workload(
            found.name,
            {wanted.get(name, name): tensor for name, tensor in found.tensors.items()},
            steps,
            found.inputs,
            [wanted.get(name, name) for name in found.outputs],
            found.weights,
        )

    def _run(self, function: Any, depth: int) -> Sequence[Any]:
        """Add what a function does; returns the values that it gives."""
        if depth > _DEEPEST:
            message = f"functions call each other more than {_DEEPEST} deep"
            raise LinalgError(message)
        operations = list(function.body.block.ops)
        _check_tensors(operations)
        nests = {
            id(one.generic if scaling is None else scaling): (one, scaling)
            for one, scaling in _nests([one for one in operations if one.name == "linalg.generic"])
        }
        for operation in operations:
            if operation.name == "func.return":
                return list(operation.operands)
            if id(operation) in nests:
                nest, scaling = nests[id(operation)]
                statement = nest.stated((), scaling)
                self._add(nest.generic, statement.operator, statement.reads, [statement.result])
            elif operation.name == "func.call":
                self._call(operation, depth)
            elif operation.name in NAMED:
                reads = list(operation.inputs)
                tensors = [_tensor_of(value) for value in reads]
                operator = NAMED[operation.name](operation, tensors)
                self._add(operation, operator, reads, list(operation.results))
            elif operation.name in _LAZY:
                if _attributes(operation).text("name") is not None:
                    self._named(operation.results[0])
            elif operation.name != "linalg.generic":
                message = (
                    f"found {operation.name}; expected linalg.generic, "
                    f"{', '.join(sorted(NAMED))}, calls, or operations of tensor"
                )
                raise LinalgError(message)
        message = "a function without func.return"
        raise LinalgError(message)

    def _call(self, operation: Any, depth: int) -> None:
        callee = operation.callee.string_value()
        function = self.functions.get(callee)
        if function is None:
            message = f"it calls @{callee:.80}, which the module does not have"
            raise LinalgError(message)
        held = _attributes(function)
        view = held.text("view")
        if view is not None:
            self._view(operation, view, operation.operands[0])
            return
        stated = held.text("operator")
        if stated is not None:
            self._add(operation, _operator_in(stated), list(operation.operands),
                      list(operation.results))  # fmt: skip
            return
        if not function.body.blocks:
            message = f"it calls @{callee:.80}, of which the module has no body"
            raise LinalgError(message)
        arguments = function.body.block.args
        before = self.names
        inner = {
            one: self._named(value)
            for one, value in zip(arguments, operation.operands, strict=True)
        }
        single = _single(function)
        if single is not None and _attributes(operation).text("name") is not None:
            statement = single[0].stated((), single[1])
            reads = [_given(value, arguments, operation.operands) for value in statement.reads]
            self._add(operation, statement.operator, reads, list(operation.results))
            return
        self.names = inner
        results = [self._named(value) for value in self._run(function, depth + 1)]
        self.names = before
        self.names.update(zip(operation.results, results, strict=True))

    # -------------------------------------------------------------- steps

    def _add(
        self, operation: Any, operator: Operator, reads: Sequence[Any], results: Sequence[Any]
    ) -> None:
        """Add a node; names and formats are those that `to_mlir` wrote, if it did."""
        made, own = self.made, _attributes(operation)
        sources = [self._named(value) for value in reads]
        operands, arriving, given = [], iter(sources), iter(results)
        is_stated = operation.name == "linalg.generic" or own.text("name") is not None
        for operand in operator.operands:
            if operand.role == "output":
                tensor = operand.tensor if is_stated else _tensor_of(next(given))
                operands.append(evolve(operand, tensor=tensor))
                continue
            name = next(arriving)
            held = made.tensor(name)
            is_held = name in self.held and operand.role == "input"
            operands.append(
                evolve(
                    operand,
                    role="weight" if is_held and own.text("name") is None else operand.role,
                    tensor=held if held.shape == operand.tensor.shape else operand.tensor,
                )
            )
        node = made.node(
            evolve(operator, operands=operands), *sources, name=own.text("name") or "",
            layer=own.text("layer") or "",
        )  # fmt: skip
        self.names.update(zip(results, node.writes, strict=True))
        self._keep_names(own, node.writes)
        folds_into = own.text("folds_into")
        if folds_into is not None:
            self.folded[node.name] = folds_into

    def _keep_names(self, own: _Attributes, made: Sequence[str]) -> None:
        wanted = own.texts("tensors", len(made))
        if wanted is not None:
            self.wanted.update(zip(made, wanted, strict=True))

    def _view(self, operation: Any, kind: str, source: Any) -> None:
        (value,) = operation.results
        own = _attributes(operation)
        starts = _numbers(operation.static_offsets) if kind == "slice" else ()
        name = self.made.view(
            self._named(source), _tensor_of(value, own.formats(1), 0), kind, starts=starts,
            name=own.text("name") or "", layer=own.text("layer") or "",
        )  # fmt: skip
        self.names[value] = name
        self._keep_names(own, [name])

    def _named(self, value: Any) -> str:
        """The tensor that a value is, which is made when something reads it."""
        known = self.names.get(value)
        if known is not None:
            return known
        operation = value.owner
        rule = _LAZY.get(_name(operation))
        if rule is None:
            message = f"a value of {_name(operation) or 'a block'} is not a tensor that is known"
            raise LinalgError(message)
        rule(self, operation)
        return self.names[value]

    # -------------------------------------------------------------- operations of tensor

    def reshape(self, operation: Any) -> None:
        """A view."""
        self._view(operation, "reshape", operation.operands[0])

    def slice(self, operation: Any) -> None:
        """A view, or a selection where it leaves out elements between."""
        steps = set(_numbers(operation.static_strides))
        source, (value,) = operation.operands[0], operation.results
        if len(operation.operands) > 1:
            message = "a tensor.extract_slice at a place that is no constant"
            raise LinalgError(message)
        if steps <= {1} and len(_shape(source)) == len(_shape(value)):
            self._view(operation, "slice", source)
            return
        starts, sizes, strides = [
            _numbers(getattr(operation, f"static_{name}"))
            for name in ("offsets", "sizes", "strides")
        ]  # fmt: skip
        key = [
            slice(start, start + size * step, step)
            for start, size, step in zip(starts, sizes, strides, strict=True)
        ]
        self._add(operation, builders.select(_tensor_of(source), key), [source], [value])

    def pad(self, operation: Any) -> None:
        """A movement."""
        lows, highs = _numbers(operation.static_low), _numbers(operation.static_high)
        amounts = list(zip(lows, highs, strict=True))
        source = operation.operands[0]
        operator = builders.pad(_tensor_of(source), amounts)
        self._add(operation, operator, [source], list(operation.results))

    def join(self, operation: Any) -> None:
        """A movement of several tensors to one."""
        reads = list(operation.operands)
        axis = operation.dim.value.data
        operator = builders.concatenate([_tensor_of(one) for one in reads], axis)
        self._add(operation, operator, reads, list(operation.results))

    def constant(self, operation: Any) -> None:
        """A tensor that stays on the device."""
        (value,) = operation.results
        self.names[value] = self.made.weight("constant", _tensor_of(value))
        self.held.add(self.names[value])

    def empty(self, operation: Any) -> None:
        """A tensor that something fills."""
        (value,) = operation.results
        self._add(operation, builders.fill(_tensor_of(value)), [], [value])


_LAZY: Final[Mapping[str, Callable[[_Reading, Any], None]]] = {
    "tensor.collapse_shape": _Reading.reshape,
    "tensor.expand_shape": _Reading.reshape,
    "tensor.reshape": _Reading.reshape,
    "tensor.cast": _Reading.reshape,
    "tensor.extract_slice": _Reading.slice,
    "tensor.pad": _Reading.pad,
    "tensor.concat": _Reading.join,
    "tensor.empty": _Reading.empty,
    "tensor.splat": _Reading.empty,
    "linalg.fill": _Reading.empty,
    "arith.constant": _Reading.constant,
}
"""Operations that are part of those which read them, or steps where something else reads them."""


# ------------------------------------------------------------------ named operations


_Made = Callable[[Any, Sequence[Tensor]], Operator]


def _elementwise(function: str) -> _Made:
    return lambda _, tensors: builders.elementwise(function, *tensors)


def _activation(function: str) -> _Made:
    return lambda _, tensors: builders.activation(function, tensors[0])


def _matmul(operation: Any, tensors: Sequence[Tensor]) -> Operator:
    left, right = tensors[:2]
    return builders.matmul(left, right, right_role="input", output=_result(operation))


def _conv(image: str, kernel: str) -> _Made:
    def made(operation: Any, tensors: Sequence[Tensor]) -> Operator:
        stride, dilation = _settings(operation, "strides"), _settings(operation, "dilations")
        groups = 1
        return builders.conv(
            tensors[0], tensors[1], stride=stride, dilation=dilation, groups=groups,
            input_layout=image, weight_layout=kernel, weight_role="input",
            output=_result(operation),
        )  # fmt: skip

    return made


def _pool(operation: Any, tensors: Sequence[Tensor]) -> Operator:
    window = [length or 1 for length in tensors[1].shape]
    return builders.pool(
        "max", tensors[0], window, stride=_settings(operation, "strides"),
        dilation=_settings(operation, "dilations"), output=_result(operation),
    )  # fmt: skip


def _settings(operation: Any, name: str) -> list[int]:
    held = getattr(operation, name, None)
    return [1, 1] if held is None else [int(one) for one in held.get_values()]


def _result(operation: Any) -> Tensor:
    return _tensor_of(operation.outputs[0])


NAMED: Final[Mapping[str, _Made]] = {
    "linalg.matmul": _matmul,
    "linalg.quantized_matmul": _matmul,
    "linalg.conv_2d_nchw_fchw": _conv("NC*", "KC*"),
    "linalg.conv_2d_nhwc_hwcf": _conv("N*C", "*CK"),
    "linalg.conv_2d_nhwc_fhwc": _conv("N*C", "K*C"),
    "linalg.add": _elementwise("add"),
    "linalg.sub": _elementwise("subtract"),
    "linalg.mul": _elementwise("multiply"),
    "linalg.max": _elementwise("maximum"),
    "linalg.min": _elementwise("minimum"),
    "linalg.select": _elementwise("select"),
    "linalg.exp": _activation("exp"),
    "linalg.log": _activation("log"),
    "linalg.sqrt": _activation("sqrt"),
}
"""The named operations of linalg that are read, and their operators."""


# ------------------------------------------------------------------ values and attributes


def _check_tensors(operations: Iterable[Any]) -> None:
    """Refuse memory: who reads what was written there does not follow from the values.

    Raises:
        LinalgError: an operation has operands or results in memory.

    """
    pairs = [(one, value) for one in operations for value in (*one.operands, *one.results)]
    for operation, value in pairs:
        if value.type.name == "memref":
            message = (
                f"{operation.name} on {value.type!s:.80}; expected tensors: give the function as "
                "it was before it was bufferised, or an operation alone to from_linalg"
            )
            raise LinalgError(message)


def _tensor_of(value: Any, formats: Sequence[NumericFormat | None] = (), place: int = 0) -> Tensor:
    number = formats[place] if formats else format_of(str(_element(value)))
    return Tensor(_shape(value), number)


def _single(function: Any) -> Any:
    """The only operation of linalg in a function, if it is that."""
    operations = list(function.body.block.ops)
    nests = _nests([one for one in operations if one.name == "linalg.generic"])
    calls = [one for one in operations if one.name in {*NAMED, "func.call"}]
    return nests[0] if len(nests) == 1 and not calls else None


def _given(value: Any, arguments: Sequence[Any], operands: Sequence[Any]) -> Any:
    """What a caller gives for an argument."""
    for one, other in zip(arguments, operands, strict=True):
        if one is value:
            return other
    return value


@define
class _Attributes:
    """What `to_mlir` says of an operation, of what MLIR has no place for."""

    held: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        """A text, or None."""
        value = self.held.get(PREFIX + name)
        text = getattr(value, "data", None)
        if value is not None and not isinstance(text, str):
            message = f"{PREFIX}{name} is {value!s:.80}; expected a text"
            raise LinalgError(message)
        return text

    def texts(self, name: str, count: int) -> list[str] | None:
        """So many texts, or None."""
        value = self.held.get(PREFIX + name)
        return None if value is None else _texts(value, name, count)

    def formats(self, count: int) -> list[NumericFormat | None]:
        """So many formats, or none."""
        texts = self.texts("formats", count) or []
        return [None if text == UNDECLARED else parse_format(text) for text in texts]


def _attributes(operation: Any) -> _Attributes:
    return _Attributes(operation.attributes)


def _operator_in(text: str) -> Operator:
    """The operator in the JSON of a workload of one node.

    Raises:
        LinalgError: there is not one.

    """
    from costmodel.workload.serialization import from_json  # noqa: PLC0415  # only where asked for

    try:
        steps = from_json(text).steps
    except (ReadError, CostModelError) as error:
        message = f"{PREFIX}operator: {error}"
        raise LinalgError(message) from error
    if len(steps) != 1 or not isinstance(steps[0], Node):
        message = f"{PREFIX}operator: {len(steps)} steps; expected one node"
        raise LinalgError(message)
    return steps[0].operator
