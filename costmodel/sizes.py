"""Sizes: many numbers that stand where one does, so that one formula serves many operators."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, SupportsIndex, TypeVar

from costmodel.errors import CostModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Self

    import numpy as np

    _Whole = int  # to a type checker many sizes are one: formulas are written for one operator
else:
    _Whole = object

MARK: Final = "Sizes("
"""How the text of sizes begins, by which a text that was made for many is known."""
_SHOWN: Final = 6
MOST: Final = 2**53
"""The largest size up to which floating point counts exactly."""


class ManyAnswersError(CostModelError):
    """One answer was asked of sizes that differ; `labels` are alike where the answers are."""

    def __init__(self, labels: np.ndarray[Any, Any]) -> None:
        """Keep the answers, numbered."""
        self.labels = labels
        super().__init__(
            "many sizes have no one value or truth; "
            "price such operators as device.price(Variants(operator))"
        )


class Sizes(_Whole):
    """Many sizes, one for each variant of an operator; behaves as one number in arithmetic.

    Sizes stand wherever an operator takes a size: in shapes, dimensions and counts. What
    is computed from them is `Sizes` again. A question that has one answer for each variant (a
    comparison in an `if`, a digit count) is answered where all agree, and is otherwise a
    ManyAnswersError, by which `Variants` knows how to part them.

    Raises:
        ValueError: the values are not whole numbers from 0 to 2**53 in one row.

    """

    __slots__ = ("_values",)
    __array_ufunc__ = None
    """NumPy's arrays leave their arithmetic with sizes to this class."""
    __hash__ = None  # type: ignore[assignment]  # no table can hold one answer for many

    def __init__(self, values: Iterable[int]) -> None:
        """Check `values`, a sequence or an array of whole numbers."""
        self._values = _checked(values)

    @property
    def values(self) -> np.ndarray[Any, Any]:
        """The sizes as floating-point numbers, exact up to 2**53, shape `(variants,)`."""
        return self._values  # type: ignore[no-any-return]  # an array

    def take(self, rows: Any) -> Sizes:
        """The sizes at these places."""
        return _made(self._values[rows])

    def __getitem__(self, index: Any) -> int:
        """The size at one place, as the integer that it is."""
        value = float(self._values[index])
        return int(value) if value.is_integer() else value  # type: ignore[return-value]  # one variant may have a fraction

    def __len__(self) -> int:
        return len(self._values)

    def __neg__(self) -> Sizes:
        return _made(-self._values)

    def __abs__(self) -> Sizes:
        return _made(abs(self._values))

    def __ceil__(self) -> Sizes:
        return _made(_numpy().ceil(self._values))

    def __floor__(self) -> Sizes:
        return _made(_numpy().floor(self._values))

    def __trunc__(self) -> Sizes:
        return _made(_numpy().trunc(self._values))

    def __round__(self, ndigits: SupportsIndex = 0) -> Sizes:
        return _made(_numpy().round(self._values, ndigits))

    def __bool__(self) -> bool:
        return bool(self._one(self._values != 0))

    def __float__(self) -> float:
        return float(self._one(self._values))

    def __index__(self) -> int:
        value = float(self)
        if not value.is_integer() or abs(value) > MOST:
            message = f"{value} is no whole number of up to {MOST:,}"
            raise TypeError(message)
        return int(value)

    __int__ = __index__

    def bit_length(self) -> int:
        """Binary digits of the sizes, where all have as many."""
        _, digits = _numpy().frexp(self._values)
        return int(self._one(digits))

    def __repr__(self) -> str:
        listed = ", ".join(str(self[place]) for place in range(min(len(self), _SHOWN)))
        return f"{MARK}[{listed}{', ...' if len(self) > _SHOWN else ''}])"

    def _one(self, answers: Any) -> Any:
        """The answer on which all agree."""
        first = answers[0]
        if (answers == first).all():
            return first
        _, labels = _numpy().unique(answers, return_inverse=True)
        raise ManyAnswersError(labels)


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

    __add__ = __radd__ = __sub__ = __rsub__ = __mod__ = __rmod__ = _refused
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


def _made(values: Any) -> Sizes:
    made = object.__new__(Sizes)
    made._values = values  # what was calculated needs no check
    return made


_Number = TypeVar("_Number", bound=float)


def always(condition: Any) -> bool:
    """Whether a condition on sizes holds for every variant; of one size, whether it holds."""
    return bool(condition.values.all()) if condition.__class__ is Sizes else bool(condition)


def product(sizes: Iterable[int]) -> int:
    """The product; infinite for a variant for which it is larger than a number can be."""
    numbers = list(sizes)
    if Sizes not in map(type, numbers):
        return math.prod(numbers)
    with _numpy().errstate(over="ignore"):
        return math.prod(numbers)


def as_size(given: Any) -> int:
    """A whole number as Python's own, which has no end; sizes as they are.

    Raises:
        TypeError: it is no whole number.

    """
    if given.__class__ is int or isinstance(given, Sizes | Symbol):
        return given
    if isinstance(given, bool) or not hasattr(given, "__index__"):
        message = f"{given!r:.80} is no size; expected a whole number"
        raise TypeError(message)
    return operator.index(given)


def as_float(number: Any) -> float:
    """The number in floating point, for each variant; infinite where it is larger than that."""
    if number.__class__ is float or number.__class__ is Sizes:
        return number
    if isinstance(number, str):
        message = f"{number!r:.80} is no number"
        raise TypeError(message)
    try:
        return float(number)
    except OverflowError:
        return math.inf


def larger(one: _Number, other: _Number) -> _Number:
    """The larger of two numbers, for each variant."""
    if one.__class__ is Sizes or other.__class__ is Sizes:
        _check_lengths(one, other)
        return _made(_numpy().maximum(_plain(one), _plain(other)))  # type: ignore[return-value]  # sizes stand for numbers
    return max(one, other)


def smaller(one: _Number, other: _Number) -> _Number:
    """The smaller of two numbers, for each variant."""
    if one.__class__ is Sizes or other.__class__ is Sizes:
        _check_lengths(one, other)
        return _made(_numpy().minimum(_plain(one), _plain(other)))  # type: ignore[return-value]  # sizes stand for numbers
    return min(one, other)


def clipped(number: _Number, lowest: _Number, highest: _Number) -> _Number:
    """A number that is kept between two others, for each variant."""
    if number.__class__ is Sizes:
        return _made(_numpy().clip(_plain(number), lowest, highest))  # type: ignore[return-value]  # sizes stand for numbers
    return lowest if number < lowest else min(number, highest)


def least(number: _Number) -> _Number:
    """The least of all variants; of one number, itself."""
    if number.__class__ is Symbol:
        return number.factor  # type: ignore[attr-defined, no-any-return]  # a symbol has one
    return float(number.values.min()) if isinstance(number, Sizes) else number


def most(number: _Number) -> _Number:
    """The most of all variants; of one number, itself."""
    return float(number.values.max()) if isinstance(number, Sizes) else number


def _plain(number: Any) -> Any:
    """What NumPy reckons with; nothing else than sizes and real numbers can stand for a size."""
    if number.__class__ is Sizes:
        return number.values
    # A float keeps an integer beyond 64 bits, as near as every product of sizes is kept.
    is_number = number.__class__ in (int, float) or isinstance(number, Real)
    return float(number) if is_number else NotImplemented


def _check_lengths(one: Any, other: Any) -> None:
    """Refuse sizes of two numbers of variants, the one of one variant too.

    Raises:
        ValueError: they differ.

    """
    if one.__class__ is Sizes and other.__class__ is Sizes and len(one) != len(other):
        message = (
            f"sizes of {len(one)} and of {len(other)} variants do not fit together; "
            "expected one size for each variant in both"
        )
        raise ValueError(message)


def _checked(values: Iterable[int]) -> Any:
    np = _numpy()
    try:
        array = np.asarray(values if hasattr(values, "__array__") else list(values))
    except (TypeError, ValueError):  # no row, or rows of different lengths
        array = np.empty((0, 0))
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu":
        message = f"{values!r:.80} are no sizes; expected a row of whole numbers, at least one"
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


def _arithmetic(name: str) -> Callable[[Sizes, Any], Any]:
    apply = getattr(operator, name)

    def calculate(self: Sizes, other: Any) -> Any:
        plain = _plain(other)
        _check_lengths(self, other)
        return plain if plain is NotImplemented else _made(apply(self.values, plain))

    return calculate


def _reflected(name: str) -> Callable[[Sizes, Any], Any]:
    apply = getattr(operator, name)

    def calculate(self: Sizes, other: Any) -> Any:
        plain = _plain(other)
        return plain if plain is NotImplemented else _made(apply(plain, self.values))

    return calculate


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(Sizes, f"__{_name}__", _arithmetic(_name))
    setattr(Sizes, f"__r{_name}__", _reflected(_name))
for _name in ("lt", "le", "eq", "ne", "gt", "ge"):
    setattr(Sizes, f"__{_name}__", _arithmetic(_name))
