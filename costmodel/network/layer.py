"""Layers: the nodes of a network, each of the kind that its framework names."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from attrs import Attribute, evolve, field, fields, frozen
from attrs.validators import instance_of

from costmodel.errors import (
    BatchError,
    CostModelError,
    PluginError,
    ReadError,
    ShapeError,
    fault,
    nearest,
)
from costmodel.formats import NumericFormat, parse_format
from costmodel.frozen_dict import FrozenDict
from costmodel.tensor.shapes import Shape, Tensor, as_shape, as_tensors, show_shape
from costmodel.workload.assembly import Assembly, chained, numbered
from costmodel.workload.graph import Workload
from costmodel.workload.operators import Operator
from costmodel.workload.reasons import Free, Reason, Unpriced

if TYPE_CHECKING:
    from typing import Self

Work: TypeAlias = Sequence[Operator] | Reason
"""What a layer asks of a device: operators, or the reason why there are none."""

_REQUIRED: Any = object()
_FAULTS: Final = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError,
    TypeError, ValueError,
)  # fmt: skip
"""What the rule of a layer may raise."""
_SETTING = "costmodel.setting"
MOST_SUGGESTIONS: Final = 100
"""Unknown kinds for which the nearest known one is looked for."""

HOLDS: Final = "costmodel.holds"
"""The key in a field's metadata of the classes that its value may hold."""


def setting(
    convert: Callable[[Any], Any] | None = None,
    *,
    default: Any = _REQUIRED,
    source: str | Sequence[str] = (),
    holds: Sequence[type] = (),
) -> Any:
    """Declare a field of a layer that is read from the framework's own attribute.

    `convert` turns what the framework holds into a plain value, leaves such a value as it is,
    and raises ValueError where it cannot; `source` is the framework's name for it, where it
    differs from the field's, or several, of which the first that is there is taken. `holds`
    names the classes of attrs of which the value may be or contain instances: a network is
    written to JSON and read back with their fields.
    """
    sources = (source,) if isinstance(source, str) else tuple(source)
    metadata = {_SETTING: sources, HOLDS: tuple(holds)}
    if default is _REQUIRED:
        return field(kw_only=True, converter=convert, metadata=metadata)
    return field(kw_only=True, converter=convert, default=default, metadata=metadata)


# Networks repeat a few shapes many times, and equal tensors are the same value.
_tensor = functools.lru_cache(maxsize=4096)(Tensor)


class StructuralKey:
    """What layers that differ in their names alone share: their work, once it is asked for."""

    __slots__ = ("work",)

    def __init__(self) -> None:
        """Begin without."""
        self.work: Work | None = None

    def __reduce__(self) -> tuple[type[StructuralKey], tuple[()]]:
        """Without the work in pickles and copies: it is found again."""
        return StructuralKey, ()


def _number(given: Any) -> NumericFormat | None:
    number = parse_format(given) if isinstance(given, str) else given
    if number is None or isinstance(number, NumericFormat):
        return number
    message = f"{given!r:.80} is not a numeric format; expected one, or its text such as 'int8'"
    raise TypeError(message)


def _pairs(given: Any) -> tuple[tuple[str, Any], ...]:
    pairs = tuple(given.items() if isinstance(given, Mapping) else given)
    if not all(isinstance(pair, tuple | list) and len(pair) == _PAIR for pair in pairs):
        message = f"{given!r:.80} are not formats by the names of parameters"
        raise TypeError(message)
    return tuple([(str(name), _number(number)) for name, number in pairs])


_PAIR: Final = 2
"""A name and a format."""


@frozen
class DeclaredFormats:
    """The formats that a source declares for one layer, as far as it does; texts name them too."""

    parameters: tuple[tuple[str, NumericFormat], ...] = field(default=(), converter=_pairs)
    """The formats of parameters, by name."""

    input: NumericFormat | None = field(default=None, converter=_number)
    """What the layer converts its inputs to before it computes."""

    result: NumericFormat | None = field(default=None, converter=_number)
    """What it gives."""

    accumulator: NumericFormat | None = field(default=None, converter=_number)
    """What it keeps its sums of products in."""

    replaces: bool = field(default=False, validator=instance_of(bool))
    """Whether they hold in place of formats that the layer has of its own, such as quantizers."""


_NOTHING_DECLARED: Final = DeclaredFormats()


@frozen(slots=False)
class Layer:
    """One node of a network: its name, its kind, its tensors and its settings.

    A subclass names its `kinds`, declares its settings, and says which output shapes follow,
    which parameters it holds and which `operators()` it needs. All shapes leave out the batch.
    Where an example has several rows of the batch axis, these rules are asked about one row.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    serves_subclasses: ClassVar[bool] = False

    name: str
    kind: str
    inputs: tuple[Tensor, ...] = field(default=(), converter=as_tensors)
    shares: str | None = field(default=None, kw_only=True)
    declared: DeclaredFormats = field(
        default=_NOTHING_DECLARED, kw_only=True, validator=instance_of(DeclaredFormats)
    )
    outputs: tuple[Tensor, ...] = field(init=False, eq=False, repr=False)
    parameters: Mapping[str, Tensor] = field(init=False, eq=False, repr=False)
    structural_key: StructuralKey = field(init=False, eq=False, repr=False, factory=StructuralKey)
    """The same object in layers that differ in their names alone."""

    def __attrs_post_init__(self) -> None:
        """Derive the outputs and parameters from the rules, so that they always agree."""
        try:
            outputs = tuple(self.output_tensors())
            shapes = self.of_one_row().parameter_shapes()
            parameters = {name: _tensor(shape) for name, shape in shapes.items()}
        except BatchError as error:
            where = f"layer {self.name!r} of kind {self.kind!r}"
            raise BatchError(error.reason, where) from None
        except ShapeError as error:
            message = f"layer {self.name!r} of kind {self.kind!r}: {error}"
            raise ShapeError(message) from None
        except _FAULTS as error:
            message = (
                f"layer {self.name!r} of kind {self.kind!r} cannot take input "
                f"{self._shown_inputs()}: {_described(error, type(self))}"
            )
            raise ShapeError(message) from error
        object.__setattr__(self, "outputs", outputs)
        object.__setattr__(self, "parameters", FrozenDict(parameters))

    def output_shapes(self) -> Sequence[Shape]:
        """The shape of every output; by default, that of the first input."""
        return (self.input_shape,)

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The shape of every parameter tensor by name; by default, none."""
        return {}

    def operators(self) -> Work:
        """The work of one call on bound shapes, or the reason why there is none.

        A rule says this, or `workload`, where tensors of the operators fork and meet.
        """
        if type(self).workload is Layer.workload:
            return Unpriced(f"no rule says what a {self.kind!r} computes")
        body = self.workload()
        return body if isinstance(body, Reason) else body.operators

    def workload_of_example(self) -> Workload | Reason:
        """The workload for one example: that of `workload()` for every row."""
        rows = self.rows
        if rows == 1:
            return self.workload()
        body = self.of_one_row().workload()
        if isinstance(body, Reason):
            return body
        if rows is None:
            raise ShapeError(_OPEN_ROWS)
        return body.repeated(rows, "row")

    def workload(self) -> Workload | Reason:
        """The work of one call, its operators joined by the tensors that they share.

        Inputs are called `input`, `input:1` and so on, outputs likewise, weights as the
        parameters. By default the operators stand in a row (`chained`).
        """
        work = work_of(self)
        if isinstance(work, Reason):
            return work
        weights = tuple(self.parameters.items())
        return _in_a_row(self.kind, tuple(work), self.inputs, weights, self.outputs)

    def assembly(self) -> Assembly:
        """A workload to be assembled, with the inputs and parameters of the layer in it."""
        made = Assembly(self.kind)
        for name, tensor in zip(numbered("input", len(self.inputs)), self.inputs, strict=True):
            made.input(name, tensor)
        for name, tensor in self.parameters.items():
            made.weight(name, tensor)
        return made

    def assembled(self, made: Assembly, *results: str) -> Workload:
        """The assembled workload, which gives these tensors as the outputs of the layer."""
        names = numbered("output", len(self.outputs))
        pairs = zip(results, self.outputs, strict=True)
        seen = [made.seen_as(result, output) for result, output in pairs]
        return made.workload(dict(zip(names, seen, strict=True)))

    def output_tensors(self) -> Sequence[Tensor]:
        """The outputs: `output_shapes()` of one row, with as many rows as the inputs have."""
        rows, shapes = self.rows, self.of_one_row().output_shapes()
        if rows == 1:
            return [_tensor(shape) for shape in shapes]
        return [_tensor(shape, None, rows) for shape in shapes]

    def operators_of_example(self) -> Work:
        """The work for one example: that of `operators()` for every row."""
        rows = self.rows
        if rows == 1:
            return self.operators()
        return over_rows(self.of_one_row().operators(), rows)

    def of_one_row(self) -> Self:
        """The same layer for one row of the batch axis, as its rules are asked about it."""
        given = vars(self).get("outputs", ())  # there are none until the rules are asked for them
        if all(tensor.rows == 1 for tensor in (*self.inputs, *given)):
            return self
        inputs, outputs = (
            tuple([evolve(tensor, rows=1) for tensor in tensors])
            for tensors in (self.inputs, given)
        )
        return self._twin(inputs=inputs, outputs=outputs, structural_key=StructuralKey())

    @property
    def rows(self) -> int | None:
        """Rows of the batch axis that each example has in all inputs; None if not known yet.

        Raises:
            BatchError: the inputs differ in it, or the batch is not the first axis.

        """
        if not any(tensor.rows != 1 or tensor.batch_axis for tensor in self.inputs):
            return 1
        for tensor in self.inputs:
            if tensor.batch_axis:
                message = (
                    f"axis {tensor.batch_axis} of its input is the batch; "
                    f"a {self.kind!r} takes the batch as the first axis"
                )
                raise BatchError(message)
        known = {tensor.rows for tensor in self.inputs if tensor.rows is not None}
        if len(known) > 1:
            shown = " and ".join(map(str, sorted(known)))
            message = f"an example has {shown} rows of the batch in its inputs; expected one number"
            raise BatchError(message)
        return next(iter(known), None)

    def declared_formats(self) -> Mapping[str, NumericFormat]:
        """The formats of the parameters by name, as far as the layer declares them."""
        return dict(self.declared.parameters)

    def declared_result(self) -> NumericFormat | None:
        """The format that the layer rounds its result to, or None where it declares none."""
        return self.declared.result

    def declared_inputs(self) -> Sequence[NumericFormat | None]:
        """The format that the layer converts each input to, or None where it takes what comes."""
        return (self.declared.input,) * len(self.inputs)

    @property
    def declares_formats(self) -> bool:
        """Whether it declares any format."""
        cls = type(self)
        own = (cls.declared_formats, cls.declared_result, cls.declared_inputs)
        if self.declared == _NOTHING_DECLARED and own == _BY_DEFAULT:
            return False
        given = self.declared_formats() or self.declared_result()
        return bool(given or any(self.declared_inputs()))

    def declaring(self, declared: DeclaredFormats) -> Self:
        """The same layer with formats that its source declares."""
        return self._twin(declared=declared, structural_key=StructuralKey())

    @property
    def input_shape(self) -> Shape:
        """The shape of the first input.

        Raises:
            ShapeError: the layer has no input.

        """
        if not self.inputs:
            message = "expected an input, found none"
            raise ShapeError(message)
        return self.inputs[0].shape

    @property
    def parameter_count(self) -> int:
        """Number of parameter elements, also where another layer shares them."""
        return sum(tensor.size for tensor in self.parameters.values())

    def weight_bits(self, default: NumericFormat) -> int:
        """Bits of the parameters: declared formats as they are, all others in `default`.

        None are of a layer whose parameters another layer holds.
        """
        if self.shares is not None:
            return 0
        declared = self.declared_formats()
        if not declared:
            return default.stored_bits(self.parameter_count)
        return sum(
            declared.get(name, default).stored_bits(tensor.size)
            for name, tensor in self.parameters.items()
        )

    @property
    def is_bound(self) -> bool:
        """Whether no axis of the inputs and outputs is open."""
        return all(tensor.is_bound for tensor in self.inputs + self.outputs)

    @property
    def unknown_outputs(self) -> Sequence[int]:
        """The places of outputs whose shape is not known: they stand there as scalars."""
        return ()

    @property
    def shown_outputs(self) -> Sequence[str]:
        """The shapes of the outputs for one example as text, `?` for one that is not known."""
        return [
            "?" if place in self.unknown_outputs else show_shape(tensor.example_shape)
            for place, tensor in enumerate(self.outputs)
        ]

    @property
    def known_outputs(self) -> Sequence[Shape | None]:
        """The shapes of the outputs for one example, None for one that is not known."""
        return [
            None if place in self.unknown_outputs else tensor.example_shape
            for place, tensor in enumerate(self.outputs)
        ]

    @property
    def scales_along(self) -> int | None:
        """The axis along which a layer that only scales and shifts has its constants."""
        return None

    @property
    def absorbs_along(self) -> int | None:
        """The output axis along which its parameters can absorb a scale and shift after it."""
        return None

    @property
    def steps_along(self) -> int | None:
        """The axis of the first input whose steps it takes one after the other, as time."""
        return None

    @property
    def is_counted(self) -> bool:
        """Whether its parameters and operations are known, if it has any."""
        return True

    def with_formats(
        self,
        inputs: tuple[Tensor, ...],
        parameters: Mapping[str, NumericFormat],
        result: NumericFormat | None,
    ) -> Self:
        """The same layer with formats: inputs as given, parameters by name, outputs alike.

        Inputs that the layer converts are of the format that it converts them to.
        """
        twin = self.renamed(self.name, self.shares)
        taken = zip(inputs, self.declared_inputs(), strict=True)
        inputs = tuple([evolve(one, format=number) if number else one for one, number in taken])
        held = {
            name: Tensor(tensor.shape, parameters.get(name, tensor.format))
            for name, tensor in self.parameters.items()
        }
        outputs = tuple(evolve(tensor, format=result) for tensor in self.outputs)
        for attribute, value in (
            ("inputs", inputs),
            ("parameters", FrozenDict(held)),
            ("outputs", outputs),
            ("structural_key", StructuralKey()),
        ):
            object.__setattr__(twin, attribute, value)
        return twin

    def with_inputs(self, inputs: tuple[Tensor, ...]) -> Layer:
        """The same layer for other inputs."""
        twin = self._twin(inputs=as_tensors(inputs), structural_key=StructuralKey())
        twin.__attrs_post_init__()
        return twin

    def renamed(self, name: str, shares: str | None = None) -> Self:
        """The same layer under another name; what follows from the rules is shared."""
        return self._twin(name=name, shares=shares)

    @classmethod
    def from_settings(
        cls,
        name: str,
        kind: str,
        inputs: tuple[Tensor, ...],
        settings: Mapping[str, Any],
        shares: str | None = None,
    ) -> Self:
        """Make the layer from what its framework says of it.

        Raises:
            ReadError: a setting is missing or has a value that the layer cannot have.
            ShapeError: the inputs and the settings do not fit.

        """
        try:
            values = cls.read_settings(settings)
            return cls(name, kind, inputs, shares=shares, **values)
        except (ReadError, ShapeError, TypeError, ValueError, AttributeError) as error:
            wrong = cls._wrong_settings(settings)
            if wrong is None and isinstance(error, ShapeError):
                raise  # it names the layer
            message = f"layer {name!r} of kind {kind!r}: {wrong or error}"
            raise ReadError(message) from error

    @classmethod
    def read_settings(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The declared settings that are there, as the framework has them."""
        return {
            attribute: settings[source]
            for attribute, source in _by_source(cls)  # type: ignore[arg-type]  # a class has a hash
            if source in settings
        }

    @classmethod
    def settings(cls) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The declared settings: (field of this class, its names in the framework)."""
        declared: tuple[Attribute[Any], ...] = fields(cls)
        return tuple(
            (item.name, item.metadata[_SETTING] or (item.name,))
            for item in declared
            if _SETTING in item.metadata
        )

    @classmethod
    def describe_work(cls, kind: str) -> str:
        """What a layer of `kind` counts, in a sentence: that of `operators`, or of the class."""
        # A method without a docstring would inherit that of the base class.
        rules = ((cls.operators, Layer.operators), (cls.workload, Layer.workload))
        doc = next((own.__doc__ for own, base in rules if own is not base), None)
        doc = inspect.cleandoc(doc or cls.__doc__ or f"what a {kind!r} computes")
        return doc.partition("\n")[0]

    @classmethod
    def _wrong_settings(cls, settings: Mapping[str, Any]) -> str | None:
        """What is wrong with the first setting that has no value it could have."""
        declared = (item for item in fields(cls) if _SETTING in item.metadata)
        return next(filter(None, (_wrong_setting(item, settings) for item in declared)), None)

    def _twin(self, **changes: Any) -> Self:
        """The same layer but for `changes`; converters, which take a framework's values, rest."""
        cls = self.__class__
        twin = object.__new__(cls)
        values = self.__dict__.copy()
        values.update(changes)
        object.__setattr__(twin, "__dict__", values)
        for name in _slots(cls):  # type: ignore[arg-type]  # a class has a hash
            object.__setattr__(twin, name, getattr(self, name))
        return twin

    def _shown_inputs(self) -> str:
        return ", ".join(show_shape(tensor.example_shape) for tensor in self.inputs) or "nothing"


_BY_DEFAULT: Final = (Layer.declared_formats, Layer.declared_result, Layer.declared_inputs)
_EXPECTED: Final[Mapping[Any, str]] = {int: "a whole number", float: "a number"}
"""What Python's own converters take; what they say themselves is of no help."""


def _wrong_setting(item: Attribute[Any], settings: Mapping[str, Any]) -> str | None:
    for source in item.metadata[_SETTING] or (item.name,):
        if source not in settings:
            continue
        try:
            if item.converter is not None:
                item.converter(settings[source])  # type: ignore[operator]  # settings have converters
        except (CostModelError, TypeError, ValueError, AttributeError) as error:
            takes = _EXPECTED.get(item.converter)
            return (
                f"{source!r} is {settings[source]!r:.80}; {f'expected {takes}' if takes else error}"
            )
        return None
    sources = " or ".join(map(repr, item.metadata[_SETTING] or (item.name,)))
    return f"{sources} is missing" if item.default is _NOTHING else None


@functools.cache
def _by_source(cls: type[Layer]) -> tuple[tuple[str, str], ...]:
    """The settings by the names of the framework; of several the first comes last, and holds."""
    return tuple((field, name) for field, names in cls.settings() for name in reversed(names))


@functools.cache
def _slots(cls: type[Layer]) -> tuple[str, ...]:
    """The attributes that a layer keeps outside of its `__dict__`."""
    return tuple(name for base in cls.__mro__ for name in vars(base).get("__slots__", ()))


def _described(error: Exception, rule: type) -> str:
    """What a rule says on purpose, as a ValueError, or else where it is at fault."""
    return str(error) if isinstance(error, ValueError) else fault(error, rule)


_OPEN_ROWS: Final = "the rows of the batch axis are not known; bind the axes that are open"


def over_rows(work: Work, rows: int | None) -> Work:
    """The work of so many rows of the batch axis, given that of one.

    Raises:
        ShapeError: the number of rows is not known yet.

    """
    if isinstance(work, Reason):
        return work
    if rows is None:
        raise ShapeError(_OPEN_ROWS)
    return tuple([operator.repeated(rows, "row") for operator in work])


@functools.lru_cache(4096)
def _in_a_row(
    kind: str,
    operators: tuple[Operator, ...],
    inputs: tuple[Tensor, ...],
    weights: tuple[tuple[str, Tensor], ...],
    outputs: tuple[Tensor, ...],
) -> Workload:
    """Operators one after the other; equal layers share the workload."""
    return chained(kind, operators, inputs, dict(weights), outputs)


def work_of(layer: Layer) -> Work:
    """What a layer says of its work for one example.

    Raises:
        ShapeError: it cannot say it of the inputs and settings that it was made with.

    """
    if layer.structural_key.work is not None:
        return layer.structural_key.work
    try:
        work = layer.operators_of_example()
    except CostModelError:
        raise
    except _FAULTS as error:
        message = (
            f"layer {layer.name!r} of kind {layer.kind!r} cannot say its work on input "
            f"{layer._shown_inputs()}: {_described(error, type(layer))}"  # noqa: SLF001  # of this module
        )
        raise ShapeError(message) from error
    try:
        nothing = f"the rule of {layer.kind!r} names neither operators nor a reason"
        counted = layer.structural_key.work = _work(work) if work else Unpriced(nothing)
    except TypeError as error:
        message = f"layer {layer.name!r} of kind {layer.kind!r}: {error}"
        raise ShapeError(message) from None
    return counted


_NOTHING: Any = fields(Layer).name.default


@frozen(slots=False)
class Source(Layer):
    """What reads no tensor and gives one for every example: an input, or random numbers."""

    shape: Shape = field(kw_only=True, converter=as_shape)

    def output_shapes(self) -> Sequence[Shape]:
        """The declared shape."""
        return (self.shape,)


@frozen(slots=False)
class Input(Source):
    """Where data enters a network."""

    kinds: ClassVar[tuple[str, ...]] = ("input",)

    def operators(self) -> Work:
        """No work: the data is there."""
        return Free("the data arrives from outside")


def _work(work: Any) -> Work:
    """Check what a layer is given as its work.

    Raises:
        TypeError: something that is not an operator.
        ValueError: no operator, and no reason.

    """
    if isinstance(work, Reason):
        return work
    if not hasattr(work, "__iter__"):
        message = f"work is {work!r:.80}; expected a list of operators, or Free(reason)"
        raise TypeError(message)
    operators = tuple(work)
    strange = [item for item in operators if not isinstance(item, Operator)]
    if strange:
        message = f"work holds {strange[0]!r:.80}; expected operators, or Free(reason)"
        raise TypeError(message)
    if not operators:
        message = "work is empty; expected operators, or Free(reason) where nothing is to be done"
        raise ValueError(message)
    return operators


def _fits(declared: Sequence[Tensor], given: Sequence[Tensor]) -> bool:
    """Whether tensors have the shapes that were declared, where those are not open."""
    return [len(one.shape) for one in declared] == [len(one.shape) for one in given] and all(
        before is None or before == after
        for one, other in zip(declared, given, strict=True)
        for before, after in zip(one.shape, other.shape, strict=True)
    )


@frozen(slots=False)
class OperatorLayer(Layer):
    """A layer of given operators, for programs that know their work and have no framework.

    Its kind is `operators`, or what the program calls such a layer.
    It puts out what its last operator does, and holds the parameters of all of them.
    """

    kinds: ClassVar[tuple[str, ...]] = ("operators",)

    work: Work = field(kw_only=True, converter=_work)
    results: tuple[Shape, ...] | None = field(default=None, kw_only=True)
    """The shapes of the outputs, where they are not those of the last operator."""

    def with_inputs(self, inputs: tuple[Tensor, ...]) -> Layer:
        """The same layer for inputs of the same shapes, open axes bound.

        Raises:
            ShapeError: other shapes, for which its operators were not made.

        """
        twin = super().with_inputs(inputs)
        if not isinstance(self.work, Reason) and not _fits(self.inputs, twin.inputs):
            message = (
                f"layer {self.name!r} of kind {self.kind!r}: its operators are for an input of "
                f"{self._shown_inputs()}, not of {twin._shown_inputs()}; make the layer anew"  # noqa: SLF001  # its own
            )
            raise ShapeError(message)
        return twin

    def output_shapes(self) -> Sequence[Shape]:
        """Those given, or those of the last operator, or of the first input.

        Raises:
            ShapeError: the layer has no inputs, which the first operator takes.

        """
        if not (self.inputs or isinstance(self.work, Reason)) and self.work[0].inputs:
            taken = ", ".join(show_shape(tensor.shape) for tensor in self.work[0].inputs)
            message = f"it has no inputs, but its first operator takes {taken}; give it inputs"
            raise ShapeError(message)
        if self.results is not None:
            return self.results
        if isinstance(self.work, Reason):
            return (self.input_shape,)
        return [tensor.shape for tensor in self.work[-1].outputs]

    def parameter_shapes(self) -> Mapping[str, Shape]:
        """Every parameter of every operator, by their places: `0.1` is the first one's second."""
        return {name: tensor.shape for name, tensor in self._held()}

    def operators(self) -> Work:
        """The given ones."""
        return self.work

    def declared_formats(self) -> Mapping[str, NumericFormat]:
        """The formats of the operators' parameters."""
        return {name: tensor.format for name, tensor in self._held() if tensor.format is not None}

    def declared_result(self) -> NumericFormat | None:
        """The format of what the last operator puts out."""
        if isinstance(self.work, Reason) or not self.work[-1].outputs:
            return None
        return self.work[-1].outputs[0].format

    def _held(self) -> Iterable[tuple[str, Tensor]]:
        operators = () if isinstance(self.work, Reason) else self.work
        for place, operator in enumerate(operators):
            for index, operand in enumerate(operator.weights):
                yield f"{place}.{index}", operand.tensor


@frozen(slots=False)
class UnknownLayer(Layer):
    """A layer that no rule knows: it keeps its tensors and is never priced."""

    kinds: ClassVar[tuple[str, ...]] = ("unknown",)

    recorded: tuple[Shape, ...] = field(default=(), kw_only=True)
    reason: str = field(kw_only=True)
    parameters_held: int | None = field(default=None, kw_only=True, eq=False)
    """Number of parameter elements, where the source knows it: a live model does."""

    def output_shapes(self) -> Sequence[Shape]:
        """The shapes that the source recorded."""
        return self.recorded

    def operators(self) -> Work:
        """Unpriced, with the reason."""
        return Unpriced(self.reason)

    @property
    def rows(self) -> int | None:
        """One: what the source recorded is taken to be the shape for one example."""
        return 1

    @property
    def parameter_count(self) -> int:
        """Number of parameter elements as far as it is known."""
        return self.parameters_held or 0

    @property
    def is_counted(self) -> bool:
        """Not unless the source knows the number of parameters."""
        return self.parameters_held is not None


def _kinds(kinds: str | Iterable[str]) -> tuple[str, ...]:
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


@frozen
class LayerModule:
    """Layer classes of a module that is imported when one of their kinds is first asked for.

    `kinds` are those that the module serves; one that ends in a dot (`keras.ops.`) stands for all
    kinds of which it is the beginning, up to their last dot. `attribute` is the name of the
    sequence of classes in the module called `module`.
    """

    kinds: tuple[str, ...] = field(converter=_kinds)
    module: str
    attribute: str = "LAYERS"

    def serves(self, kind: str) -> bool:
        """Whether `kind` is among the kinds of the module."""
        return kind in self.kinds or beginning(kind) in self.kinds

    def classes(self) -> Sequence[type[Layer]]:
        """Import the module; its classes."""
        found: Sequence[type[Layer]] = getattr(import_module(self.module), self.attribute)
        return found


def beginning(kind: str) -> str:
    """What stands before the name of the class in a kind, with the dot behind it."""
    return kind[: kind.rfind(".") + 1]


def _nothing_more(kind: str) -> None:
    """Know of no further kinds."""


def _no_translations() -> Sequence[Any]:
    """Know of none."""
    return ()


@frozen
class LayerRegistry:
    """The layer class of every known kind.

    `modules` are the kinds, or beginnings of kinds, whose classes are not imported yet; `load`
    imports those of one of them, and adds their kinds.
    """

    _by_kind: Mapping[str, type[Layer]]
    conflicts: Mapping[str, str] = field(factory=dict)
    modules: Mapping[str, object] = field(factory=dict)
    load: Callable[[str], None] = _nothing_more
    translations: Callable[[], Sequence[Any]] = _no_translations
    """The translations that plugins add to those of frontends."""
    _told: dict[str, str] = field(factory=dict, init=False, eq=False, repr=False)

    @property
    def by_kind(self) -> Mapping[str, type[Layer]]:
        """The class of every kind, all of them imported."""
        for kind in tuple(self.modules):
            self.load(kind)
        return self._by_kind

    def find(self, kind: str, base_kinds: Sequence[str] = ()) -> type[Layer] | None:
        """The class for exactly `kind`, else one that serves subclasses of a base kind.

        Raises:
            PluginError: two plugins offer a rule for this kind.

        """
        found = self._of(kind)
        if found is not None:
            return found
        bases = map(self._of, base_kinds)
        return next((base for base in bases if base is not None and base.serves_subclasses), None)

    def reason_unknown(self, kind: str) -> str:
        """Why a layer of `kind` stays unpriced, with the nearest known kind and the next step."""
        if kind not in self._told:
            # The search takes milliseconds, and a file can hold tens of thousands of kinds.
            near = nearest(kind, self.by_kind) if len(self._told) < MOST_SUGGESTIONS else None
            hint = f"nearest known: {near!r}; " if near else ""
            self._told[kind] = (
                f"no rule for kind {kind!r} ({hint}a plugin can add one: costmodel_layers)"
            )
        return self._told[kind]

    def _of(self, kind: str) -> type[Layer] | None:
        for known in (kind, beginning(kind)):
            if known in self.modules:
                self.load(known)
        for known in (kind, beginning(kind)):
            if known in self.conflicts:
                raise PluginError(self.conflicts[known])
        return self._by_kind.get(kind)
