"""Tables of designs: the choices and the costs of each, as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import evolve, field, frozen

from costmodel.errors import ReadError, UnknownNameError
from costmodel.packages import needed
from costmodel.safe_io import replaced, writing
from costmodel.units import format_quantity

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

COSTS: Final[Mapping[str, str]] = {
    "energy": "J",
    "latency": "s",
    "memory": "B",
    "weights": "B",
    "area": "m2",
    "coverage": "",
}
"""The columns of costs and their units.

Energy and latency are those of the whole batch. Memory is the sum of the peaks of all memories of
the device; where it models none, it is that of the weights. What the device does not model is not a
number (NaN). Coverage is the share of layers that are priced or free for a reason.
"""
LIBRARIES: Final = ("polars", "pandas")
"""What makes data frames; the first that is installed is taken."""
_PARQUET: Final = ("pyarrow", "polars")
"""What reads and writes Parquet; the first that is installed is taken."""


@frozen(eq=False)
class Choices:
    """A column of choices: for each design the place of its choice among all of the axis.

    `codes` has the shape `(designs,)` and whole numbers.
    """

    values: tuple[Any, ...]
    codes: Array = field(repr=False)

    def decoded(self) -> Array:
        """The choices themselves, shape `(designs,)`."""
        return _as_array(self.values)[self.codes]


def _as_array(values: Sequence[Any]) -> Array:
    np = import_module("numpy")
    kinds = {value.__class__ for value in values}
    if kinds and kinds <= {int, float, bool}:
        return np.array(values)  # type: ignore[no-any-return]  # an array
    found = np.empty(len(values), dtype=object)
    found[:] = [str(value) for value in values]
    return found  # type: ignore[no-any-return]  # an array


@frozen(eq=False, repr=False)
class SweepTable:
    """Many designs: what each chooses, and what it costs; a row for each.

    `table["energy"]` is the column of a name as an array of shape `(designs,)`, in SI units: those
    of `COSTS`, `fits` (whether every memory has room for what lies in it) and one for each axis of
    the space.
    """

    choices: Mapping[str, Choices | Array]
    """The axes of the space, by name."""
    costs: Mapping[str, Array]
    notes: tuple[str, ...] = ()
    """How the costs were computed, and what they leave out."""

    def __len__(self) -> int:
        first = next(iter(self.costs.values()), None)
        return 0 if first is None else len(first)

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the columns that say what a design chooses."""
        return tuple(self.choices)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns: axes, then costs."""
        return (*self.choices, *self.costs)

    def __iter__(self) -> Iterator[str]:
        """The names of all columns."""
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.choices or name in self.costs

    def __getitem__(self, name: str) -> Array:
        """The column of a name, shape `(designs,)`.

        Raises:
            UnknownNameError: there is none.

        """
        if name in self.costs:
            return self.costs[name]
        if name not in self.choices:
            raise UnknownNameError(name, self.names, "column")
        found = self.choices[name]
        return found.decoded() if isinstance(found, Choices) else found

    def take(self, rows: Any) -> SweepTable:
        """The designs at some places, as an index of NumPy names them."""
        return evolve(
            self,
            choices={
                name: evolve(one, codes=one.codes[rows]) if isinstance(one, Choices) else one[rows]
                for name, one in self.choices.items()
            },
            costs={name: column[rows] for name, column in self.costs.items()},
        )

    def row(self, place: int) -> dict[str, Any]:
        """One design: every column by its name."""
        one = self.take([place])
        return {name: one[name][0] for name in one.names}

    def with_columns(self, **columns: Any) -> SweepTable:
        """The same designs with further columns, such as an accuracy; each of one row a design.

        Raises:
            ValueError: a column has another length.

        """
        np = import_module("numpy")
        added = {name: np.asarray(column) for name, column in columns.items()}
        for name, column in added.items():
            if column.shape != (len(self),):
                message = f"column {name!r}: expected {len(self):,} rows, found {column.shape}"
                raise ValueError(message)
        return evolve(self, costs={**self.costs, **added})

    @classmethod
    def joined(cls, tables: Sequence[SweepTable]) -> SweepTable:
        """The rows of several tables of one space, one after the other."""
        np = import_module("numpy")
        first = tables[0]
        if len(tables) == 1:
            return first
        choices: dict[str, Choices | Array] = {}
        for name, one in first.choices.items():
            parts: list[Any] = [table.choices[name] for table in tables]
            if isinstance(one, Choices):
                choices[name] = evolve(one, codes=np.concatenate([part.codes for part in parts]))
            else:
                choices[name] = np.concatenate(parts)
        costs = {
            name: np.concatenate([table.costs[name] for table in tables]) for name in first.costs
        }
        return cls(choices, costs, first.notes)

    # -------------------------------------------------------------- other forms

    def to_dataframe(self, library: str | None = None) -> Any:
        """A row for each design; `library` is "polars" or "pandas", by default what is installed.

        Raises:
            UnknownNameError: `library` is neither.
            CostModelError: it is not installed, or none is.

        """
        if library is not None and library not in LIBRARIES:
            raise UnknownNameError(library, LIBRARIES, "library of data frames")
        wanted = LIBRARIES if library is None else (library,)
        frames = needed("a data frame", *wanted, extra=EXTRA)
        return frames.DataFrame({name: self[name] for name in self.names})

    def to_parquet(self, path: str | Path) -> None:
        """Write the table to a Parquet file, in one piece; choices are dictionary-encoded.

        Raises:
            CostModelError: neither pyarrow nor polars is installed, or the file cannot be written.

        """
        file = Path(path)
        library = needed("Parquet", *_PARQUET, extra=EXTRA)
        with writing(file), replaced(file) as temporary:
            if library.__name__ == "pyarrow":
                import_module("pyarrow.parquet").write_table(self.to_arrow(), temporary)
            else:
                metadata = {_AXES: "\n".join(self.axes), _NOTES: "\n".join(self.notes)}
                self._to_polars(library).write_parquet(temporary, metadata=metadata)

    @classmethod
    def from_parquet(cls, path: str | Path) -> SweepTable:
        """The table that `to_parquet` wrote.

        Raises:
            CostModelError: neither pyarrow nor polars is installed.
            ReadError: the file cannot be read, or holds something else.

        """
        library = needed("Parquet", *_PARQUET, extra=EXTRA)
        is_arrow = library.__name__ == "pyarrow"
        own: type[Exception] = (
            library.ArrowException if is_arrow else library.exceptions.PolarsError
        )
        read = _read_by_arrow if is_arrow else _read_by_polars
        try:
            columns, metadata = read(library, Path(path))
        except (OSError, ValueError, own) as error:
            message = f"{path}: cannot be read as Parquet: {error!s:.200}"
            raise ReadError(message) from None
        if _AXES not in metadata:
            message = f"{path}: expected a table of a sweep, found other Parquet"
            raise ReadError(message)
        axes = list(filter(None, metadata[_AXES].split("\n")))
        notes = tuple(filter(None, metadata[_NOTES].split("\n")))
        choices = {name: columns.pop(name) for name in axes}
        return cls(choices, columns, notes)

    def to_arrow(self) -> Any:
        """The table as a `pyarrow.Table`, whose metadata name the axes.

        Raises:
            CostModelError: pyarrow is not installed.

        """
        arrow = needed("an Arrow table", "pyarrow", extra=EXTRA)
        columns = {}
        for name in self.names:
            one = self.choices.get(name, self.costs.get(name))
            if isinstance(one, Choices):
                values = arrow.array(_as_array(one.values).tolist())
                columns[name] = arrow.DictionaryArray.from_arrays(
                    arrow.array(one.codes.astype("int32")), values
                )
            else:
                columns[name] = arrow.array(one)
        metadata = {_AXES: "\n".join(self.axes), _NOTES: "\n".join(self.notes)}
        return arrow.table(columns, metadata=metadata)

    def _to_polars(self, polars: Any) -> Any:
        columns = {}
        for name in self.names:
            one = self.choices.get(name, self.costs.get(name))
            column = polars.Series(name, self[name])
            is_text = isinstance(one, Choices) and column.dtype in {polars.Object, polars.String}
            if is_text:
                values = list(dict.fromkeys(map(str, one.values)))  # type: ignore[union-attr]  # it is Choices
                column = polars.Series(name, self[name].tolist(), polars.Enum(values))
            columns[name] = column
        return polars.DataFrame(columns)

    def __repr__(self) -> str:
        return f"<SweepTable of {len(self):,} designs, {len(self.axes)} axes>"

    def __str__(self) -> str:
        """Write how many designs there are, and the range of each cost."""
        np = import_module("numpy")
        lines = [f"{len(self):,} designs, {len(self.axes)} axes"]
        for name, unit in COSTS.items():
            column = self.costs.get(name)
            known = np.array([]) if column is None else column[~np.isnan(column.astype(float))]
            if known.size:
                ends = [format_quantity(float(end), unit) for end in (known.min(), known.max())]
                lines.append(f"{name}: {' to '.join(dict.fromkeys(ends))}")
        return "\n  ".join([*lines, *self.notes])


EXTRA: Final = "sweep"
"""The extra that brings what reads and writes tables."""
_AXES: Final = "costmodel.axes"
_NOTES: Final = "costmodel.notes"


def _read_by_arrow(arrow: Any, path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    table = import_module("pyarrow.parquet").read_table(path)
    metadata = {
        key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()
        if key.startswith(b"costmodel.")
    }  # fmt: skip
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name)
        if arrow.types.is_dictionary(column.type):
            whole = column.unify_dictionaries().combine_chunks()
            if isinstance(whole, arrow.ChunkedArray):
                whole = whole.chunk(0)
            codes = whole.indices.to_numpy(zero_copy_only=False)
            columns[name] = Choices(tuple(whole.dictionary.to_pylist()), codes)
        else:
            columns[name] = column.to_numpy()
    return columns, metadata


def _read_by_polars(polars: Any, path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    frame = polars.read_parquet(path)
    metadata = polars.read_parquet_metadata(path)
    columns: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype in {polars.Enum, polars.Categorical}:
            values = column.cat.get_categories().to_list()
            columns[name] = Choices(tuple(values), column.to_physical().to_numpy())
        else:
            columns[name] = column.to_numpy()
    return columns, metadata
