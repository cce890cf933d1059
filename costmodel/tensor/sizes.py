"""Size arrays: many numbers that stand where one does, for one formula of many operators."""

from __future__ import annotations

import math
import operator
from contextlib import suppress
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, SupportsIndex, TypeAlias, TypeVar

from costmodel.errors import OneSizeNeededError
from costmodel.tensor.lockstep import active, current_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Self

    import numpy as np

    _Whole = int  # to a type checker many sizes are one: formulas are written for one operator
else:
    _Whole = object

_SHOWN: Final = 6
MOST: Final = 2**53
"""The largest size up to which floating point counts exactly."""


class SizeArray(_Whole):
    """Many sizes, one for each operator of a batch; behaves as one number in arithmetic.

    It stands wherever an operator takes a size: in shapes, dimensions and counts. What is
    computed from it is a `SizeArray` again.

    Some questions need one answer: the truth of a comparison in an `if`, a digit count, `float`,
    `int`, the text of a size. While a device prices an `OperatorBatch`, the first operator
    answers, and those with another answer are priced by a further call. Anywhere else, sizes
    that differ have no one answer.

    Raises:
        ValueError: the values are not whole numbers from 0 to 2**53 in one row.
        OneSizeNeededError: one answer is needed of sizes that differ, or their hash.

    """

    __slots__ = ("_values",)
    __array_ufunc__ = None
    """NumPy's arrays leave their arithmetic with sizes to this class."""
    __iter__ = None
    """One size has no items either: a rule that sums them would sum those of other operators."""

    def __init__(self, values: Iterable[int]) -> None:
        """Check `values`, a sequence or an array of whole numbers."""
        self._values = _checked(values)

    @property
    def values(self) -> np.ndarray[Any, Any]:
        """The sizes as floating-point numbers, exact up to 2**53, shape `(operators,)`.

        In a rule, those of operators that wait for a further call are among them.
        """
        return self._values  # type: ignore[no-any-return]  # an array

    def take(self, rows: Any) -> SizeArray:
        """The sizes at these places."""
        return _made(self._values[rows])

    def __getitem__(self, index: Any) -> int:
        """The size at one place, as the integer that it is."""
        return _whole(self._values[index])  # type: ignore[return-value]  # one of them may have a fraction

    def __len__(self) -> int:
        return len(self._values)

    def __pos__(self) -> SizeArray:
        return self

    def __neg__(self) -> SizeArray:
        return _made(-self._values)

    def __abs__(self) -> SizeArray:
        return _made(abs(self._values))

    def __ceil__(self) -> SizeArray:
        return _made(_numpy().ceil(self._values))

    def __floor__(self) -> SizeArray:
        return _made(_numpy().floor(self._values))

    def __trunc__(self) -> SizeArray:
        return _made(_numpy().trunc(self._values))

    def __round__(self, ndigits: SupportsIndex = 0) -> SizeArray:
        return _made(_numpy().round(self._values, ndigits))

    def __bool__(self) -> bool:
        return bool(self._one(self._values != 0))

    def __float__(self) -> float:
        return float(self._one(self._values))

    def __index__(self) -> int:
        value = float(self)
        if not value.is_integer() or abs(value) > MOST:
            message = f"{value} is not a whole number of up to {MOST:,}"
            raise TypeError(message)
        return int(value)

    def __int__(self) -> int:
        return int(self._one(_numpy().trunc(self._values)))

    def __divmod__(self, other: Any) -> tuple[SizeArray, SizeArray]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[SizeArray, SizeArray]:
        return other // self, other % self

    def bit_length(self) -> int:
        """Binary digits of a size."""
        _, digits = _numpy().frexp(self._values)
        return int(self._one(digits))

    def __array__(self, *_: Any, **__: Any) -> Any:
        message = f"{self._listed()} is not an array of one operator's sizes; take .values of it"
        raise OneSizeNeededError(message)

    def __repr__(self) -> str:
        return self._listed() if current_of(len(self)) is None else self._written("")

    def __format__(self, form: str) -> str:
        return self._written(form) if form else repr(self)

    def __hash__(self) -> int:
        message = f"{self._listed()} is unhashable, since it is many sizes; take int(size) of it"
        raise OneSizeNeededError(message)

    def _listed(self) -> str:
        listed = ", ".join(str(self[place]) for place in range(min(len(self), _SHOWN)))
        return f"SizeArray([{listed}{', ...' if len(self) > _SHOWN else ''}])"

    def _written(self, form: str) -> str:
        """The text of one size, or of that on which all agree."""
        call = current_of(len(self))
        # Whether it is 2 or 2.0 is known where one operator is priced.
        size = _whole(self._one(self._values)) if call is None else self[call.first()]
        return format(size, form)

    def _one(self, answers: Any) -> Any:
        """The answer of the operators that are priced, or that on which all agree."""
        call = current_of(len(answers))
        if call is not None:
            return call.answer(answers)
        first = answers[0]
        if (answers == first).all():
            return first
        message = (
            f"{self._listed()} has no one value or truth; "
            "price such operators as device.price(OperatorBatch(operator))"
        )
        raise OneSizeNeededError(message)


def _whole(number: Any) -> float:
    """The integer that a number is, or itself."""
    value = float(number)
    return int(value) if value.is_integer() else value


class Symbol(_Whole):
    """A size that is not known yet, such as that of the batch, times a whole factor.

    It stands wherever an operator or a tensor takes a size, and can be multiplied by numbers and
    divided by those that divide its factor. `bound` replaces it.

    Raises:
        ValueError: the name is not one, or the factor is less than 1.

    """

    __slots__ = ("factor", "name")

    name: str
    factor: int

    def __new__(cls, name: str, factor: int = 1) -> Self:
        """Check the name and the factor."""
        if not isinstance(name, str) or not name.isidentifier():
            message = f"{name!r:.40} is not the name of a symbol; expected such as 'batch'"
            raise ValueError(message)
        if factor.__class__ is not int or factor < 1:
            message = f"the factor of {name!r} is {factor!r:.40}; expected a whole number from 1"
            raise ValueError(message)
        made = object.__new__(cls)
        object.__setattr__(made, "name", name)
        object.__setattr__(made, "factor", factor)
        return made

    def __setattr__(self, name: str, value: object) -> None:
        message = f"a symbol is frozen; {name!r} cannot be changed"
        raise AttributeError(message)

    def __format__(self, spec: str) -> str:
        """Write it as it is: a symbol has no digits to group."""
        return str(self)

    def bound(self, sizes: Mapping[str, int]) -> int:
        """Its size, or itself where `sizes` does not name it."""
        if self.name not in sizes:
            return self
        size: int = self.factor * sizes[self.name]
        return size

    def __mul__(self, other: Any) -> Symbol:
        if other.__class__ is not int:
            return NotImplemented
        return Symbol(self.name, self.factor * other)

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Symbol:
        if other.__class__ is not int or other < 1 or self.factor % other:
            return NotImplemented
        return Symbol(self.name, self.factor // other)

    def _refused(self, other: Any = None) -> Any:
        more = "" if other is None else f" and {other!s:.40}"
        message = (
            f"a size that follows from the symbol {self}{more} is not known; a symbol can be "
            "multiplied by whole numbers, so bind it before"
        )
        raise TypeError(message)

    def __add__(self, other: Any) -> Symbol:
        if isinstance(other, Symbol) and other.name == self.name:
            return Symbol(self.name, self.factor + other.factor)
        return self if other.__class__ is int and other == 0 else self._refused(other)

    __radd__ = __add__
    __sub__ = __rsub__ = __mod__ = __rmod__ = _refused
    __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __rfloordiv__ = _refused

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Symbol):
            return NotImplemented
        return (self.name, self.factor) == (other.name, other.factor)

    def __hash__(self) -> int:
        return hash((self.name, self.factor))

    def __reduce__(self) -> tuple[type[Symbol], tuple[str, int]]:
        return Symbol, (self.name, self.factor)

    def __repr__(self) -> str:
        more = "" if self.factor == 1 else f", {self.factor}"
        return f"Symbol({self.name!r}{more})"

    def __str__(self) -> str:
        return self.name if self.factor == 1 else f"{self.factor}*{self.name}"

    @classmethod
    def of(cls, text: str) -> Symbol:
        """The symbol that a text such as `batch` or `4*batch` writes.

        Raises:
            ValueError: it writes none.

        """
        factor, times, name = text.rpartition("*")
        if times and not (factor.isascii() and factor.isdigit()):
            message = f"{text!r:.40} is not a size; expected such as 'batch' or '4*batch'"
            raise ValueError(message)
        return cls(name, int(factor) if times else 1)


def _made(values: Any) -> SizeArray:
    made = object.__new__(SizeArray)
    made._values = values  # what was calculated needs no check
    return made


_Number = TypeVar("_Number", bound=float)
_Operation: TypeAlias = "Callable[[Any, Any], Any]"


def always(condition: Any) -> bool:
    """Whether a condition on sizes holds for every operator; of one size, whether it holds."""
    is_many = condition.__class__ is SizeArray
    return bool(active(condition.values).all() if is_many else condition)


def where(condition: Any, one: _Number, other: _Number) -> _Number:
    """One number where a condition on sizes holds, another where not, for each operator."""
    if condition.__class__ is not SizeArray:
        return one if condition else other
    _check_lengths(condition, one)
    _check_lengths(condition, other)
    return _made(_numpy().where(condition.values, _number(one), _number(other)))  # type: ignore[return-value]  # sizes stand for numbers


def product(sizes: Iterable[int]) -> int:
    """The product; infinite for an operator for which it is larger than a number can be."""
    numbers = list(sizes)
    if SizeArray not in map(type, numbers):
        return math.prod(numbers)
    with _numpy().errstate(over="ignore"):
        return math.prod(numbers)


def as_size(given: Any) -> int:
    """A whole number as Python's own, which has no end; sizes as they are.

    Raises:
        TypeError: it is not a whole number.

    """
    if given.__class__ is int or isinstance(given, SizeArray | Symbol):
        return given
    if not isinstance(given, bool) and hasattr(given, "__index__"):
        with suppress(TypeError):  # an array has the method, and no one index
            return operator.index(given)
    is_array = getattr(given, "shape", ())
    hint = ", or SizeArray(array) for many" if is_array else ""
    message = f"{given!r:.80} is not a size; expected a whole number{hint}"
    raise TypeError(message)


def as_float(number: Any) -> float:
    """The number in floating point, for each operator; infinite where it is larger than that."""
    if number.__class__ is float or number.__class__ is SizeArray:
        return number
    if isinstance(number, str):
        message = f"{number!r:.80} is not a number"
        raise TypeError(message)
    try:
        return float(number)
    except OverflowError:
        return math.inf


def larger(one: _Number, other: _Number) -> _Number:
    """The larger of two numbers, for each operator."""
    if one.__class__ is SizeArray or other.__class__ is SizeArray:
        _check_lengths(one, other)
        return _made(_numpy().maximum(_number(one), _number(other)))  # type: ignore[return-value]  # sizes stand for numbers
    return max(one, other)


def smaller(one: _Number, other: _Number) -> _Number:
    """The smaller of two numbers, for each operator."""
    if one.__class__ is SizeArray or other.__class__ is SizeArray:
        _check_lengths(one, other)
        return _made(_numpy().minimum(_number(one), _number(other)))  # type: ignore[return-value]  # sizes stand for numbers
    return min(one, other)


def clipped(number: _Number, lowest: _Number, highest: _Number) -> _Number:
    """A number that is kept between two others, for each operator."""
    if SizeArray in (number.__class__, lowest.__class__, highest.__class__):
        return smaller(larger(number, lowest), highest)
    return lowest if number < lowest else min(number, highest)


def least(number: _Number) -> _Number:
    """The least of all operators; of one number, itself."""
    if number.__class__ is Symbol:
        return number.factor  # type: ignore[attr-defined, no-any-return]  # a symbol has one
    return float(active(number.values).min()) if isinstance(number, SizeArray) else number


def most(number: _Number) -> _Number:
    """The most of all operators; of one number, itself."""
    return float(active(number.values).max()) if isinstance(number, SizeArray) else number


def _plain(number: Any) -> Any:
    """What NumPy reckons with; nothing else than sizes and real numbers can stand for a size."""
    if number.__class__ is SizeArray:
        return number.values
    # A float keeps an integer beyond 64 bits, as near as every product of sizes is kept.
    is_number = number.__class__ in (int, float) or isinstance(number, Real)
    return float(number) if is_number else NotImplemented


def _check_lengths(one: Any, other: Any) -> None:
    """Refuse arrays of two lengths, the length of one too.

    Raises:
        ValueError: they differ.

    """
    if one.__class__ is SizeArray and other.__class__ is SizeArray and len(one) != len(other):
        message = (
            f"sizes of {len(one)} and of {len(other)} operators do not fit together; "
            "expected one size for each operator in both"
        )
        raise ValueError(message)


def _checked(values: Iterable[int]) -> Any:
    np = _numpy()
    try:
        array = np.asarray(values if hasattr(values, "__array__") else list(values))
    except (TypeError, ValueError):  # no row, or rows of different lengths
        array = np.empty((0, 0))
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu":
        message = f"{values!r:.80} are not sizes; expected a row of whole numbers, at least one"
        raise ValueError(message)
    if array.min() < 0 or array.max() > MOST:
        message = f"sizes range from {array.min()} to {array.max()}; expected 0 to {MOST:,}"
        raise ValueError(message)
    exact = array.astype(np.float64)
    exact.flags.writeable = False
    return exact


def _numpy() -> Any:
    import numpy as np  # noqa: PLC0415  # one operator needs none of it

    return np


def _operand(other: Any) -> Any:
    """What NumPy calculates with, or NotImplemented.

    Raises:
        TypeError: an array, which does not say whether it has a number for each operator.

    """
    plain = _plain(other)
    if plain is NotImplemented and hasattr(other, "__array__"):
        message = (
            f"{other!r:.80} is not an operand of a SizeArray; "
            "expected a number, or SizeArray(array) with a number for each operator"
        )
        raise TypeError(message)
    return plain


def _number(given: Any) -> Any:
    """What NumPy reckons with.

    Raises:
        TypeError: it is neither a number nor sizes.

    """
    plain = _operand(given)
    if plain is NotImplemented:
        message = (
            f"{given!r:.80} is not an operand of a SizeArray; expected a number or a SizeArray"
        )
        raise TypeError(message)
    return plain


def _check_divisor(divisor: Any) -> None:
    """Refuse to divide by zero, as Python does.

    Raises:
        ZeroDivisionError: the divisor is 0 for an operator that is priced.

    """
    is_many = divisor.__class__ is not float
    if not (divisor.all() or active(divisor).all() if is_many else divisor):
        message = "division by zero"
        raise ZeroDivisionError(message)


def _division(divide: _Operation) -> _Operation:
    def checked(one: Any, other: Any) -> Any:
        _check_divisor(other)
        return divide(one, other)

    return checked


def _power(base: Any, exponent: Any) -> Any:
    if exponent.__class__ is not float or exponent < 0:
        _check_divisor(_numpy().where(exponent < 0, base, 1.0))
    return base**exponent


_ARITHMETIC: Final[Mapping[str, _Operation]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": _division(operator.truediv),
    "floordiv": _division(operator.floordiv),
    "mod": _division(operator.mod),
    "pow": _power,
}
_COMPARISONS: Final = ("lt", "le", "eq", "ne", "gt", "ge")


def _forward(apply: _Operation) -> _Operation:
    def calculate(self: SizeArray, other: Any) -> Any:
        plain = _operand(other)
        _check_lengths(self, other)
        return plain if plain is NotImplemented else _made(apply(self.values, plain))

    return calculate


def _reflected(apply: _Operation) -> _Operation:
    def calculate(self: SizeArray, other: Any) -> Any:
        plain = _operand(other)
        return plain if plain is NotImplemented else _made(apply(plain, self.values))

    return calculate


for _name, _apply in _ARITHMETIC.items():
    setattr(SizeArray, f"__{_name}__", _forward(_apply))
    setattr(SizeArray, f"__r{_name}__", _reflected(_apply))
for _name in _COMPARISONS:
    setattr(SizeArray, f"__{_name}__", _forward(getattr(operator, _name)))
