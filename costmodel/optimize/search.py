"""Search in spaces that are too large to enumerate: an Optuna study of costs and an accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from attrs import evolve, field, frozen

from costmodel.errors import CostModelError, UnknownNameError, fault
from costmodel.optimize.fronts import ParetoFront, pareto
from costmodel.packages import needed
from costmodel.sweeps.designs import UNKNOWN_LIMIT, Designs
from costmodel.sweeps.rows import ListedRows
from costmodel.sweeps.sweeping import grid as grid_of
from costmodel.sweeps.table import COSTS, SweepTable

if TYPE_CHECKING:
    from costmodel.registry import Registry
    from costmodel.sweeps.grid import Axis, Grid
    from costmodel.sweeps.space import DesignSpace

Accuracy: TypeAlias = Callable[[Mapping[str, Any]], float]
"""Takes the choice of each axis by its name, as tables show it, and gives what is maximised."""
ACCURACY: Final = "accuracy"
"""The column of what the caller's function gives; of a design that it was not asked about, NaN."""
SAMPLERS: Final = {
    "nsga2": "NSGAIISampler", "tpe": "TPESampler", "random": "RandomSampler",
}  # fmt: skip
"""By our name, Optuna's class."""


@frozen(eq=False)
class SearchResult:
    """All designs that a search looked at, in order."""

    designs: SweepTable
    """Choices and costs, `accuracy` where there is a function, and `kept`: within the limits."""
    front: ParetoFront
    """The best of those that were kept."""
    study: Any = field(repr=False)
    """The `optuna.Study`."""

    @property
    def pruned(self) -> int:
        """How many designs broke a limit by their cost, so that no accuracy was asked for."""
        return int((~self.designs["kept"]).sum())

    def __str__(self) -> str:
        """Write how many designs there were, why some were pruned, and the front."""
        head = f"{len(self.designs):,} designs, {self.pruned:,} of them pruned"
        return "\n".join([head, *self.designs.notes, "", str(self.front)])


class SearchStoppedError(CostModelError):
    """A search whose accuracy function failed; nothing that was found before is lost."""

    result: SearchResult | None = None
    """The designs before the failure; None if it came with the first."""


def search(  # noqa: PLR0913  # all but the first two by keyword
    source: object | None,
    space: DesignSpace,
    *,
    minimize: str | Sequence[str] = ("energy", "memory"),
    accuracy: Accuracy | None = None,
    trials: int = 100,
    sampler: str | Any = "nsga2",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    registry: Registry | None = None,
) -> SearchResult:
    """Look for the designs of a space with the least costs and, if given, the best accuracy.

    `source` and `space` are those of `costmodel.sweep`; any device will do. Each trial is a design
    that the sampler proposes. Its costs are computed first: a design that breaks a limit of the
    space, does not fit or has no number for an objective is pruned, and `accuracy` is never called
    for it. A design that was asked about before is not asked about again.

    `minimize` are columns of a sweep. `sampler` is nsga2, tpe, random, or an Optuna sampler of your
    own; `seed` makes a search repeatable, as far as `accuracy` is. `progress` is called with the
    trials done and all of them.

    Raises:
        CostModelError: the source or the space is not usable.
        MissingPackageError: Optuna is not installed.
        SearchStoppedError: `accuracy` raises an exception or gives no finite number; the error
            holds the designs before as `result`.

    """
    least = (minimize,) if isinstance(minimize, str) else tuple(minimize)
    for name in least:
        if name not in COSTS:
            raise UnknownNameError(name, COSTS, "cost")
    if not least and accuracy is None:
        message = "expected something to minimise, or an accuracy; found neither"
        raise CostModelError(message)
    if trials.__class__ is not int or trials < 1:
        message = f"trials is {trials!r:.40}; expected a whole number of at least 1"
        raise CostModelError(message)
    optuna = needed("a search", "optuna", extra="search")
    grid = grid_of(source, space, registry=registry)
    if not grid.axes:
        message = "the space leaves nothing to choose: give several values of something"
        raise CostModelError(message)
    directions = ["minimize"] * len(least) + (["maximize"] if accuracy is not None else [])
    study = optuna.create_study(directions=directions, sampler=_sampler(optuna, sampler, seed))
    trial = _Trials(grid, least, accuracy)
    for number in range(trials):
        asked = study.ask()
        try:
            values = trial.values({axis.name: _suggested(asked, axis) for axis in grid.axes})
        except SearchStoppedError as error:
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
            error.result = trial.result(study) if number else None
            raise
        if values is None:
            study.tell(asked, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(asked, values)
        if progress is not None:
            progress(number + 1, trials)
    return trial.result(study)


def _sampler(optuna: Any, given: str | Any, seed: int) -> Any:
    if not isinstance(given, str):
        return given
    if given not in SAMPLERS:
        raise UnknownNameError(given, SAMPLERS, "sampler")
    return getattr(optuna.samplers, SAMPLERS[given])(seed=seed)


def _suggested(trial: Any, axis: Axis) -> Any:
    """The place of a choice, or a value within a range."""
    if axis.span is not None:
        return trial.suggest_float(axis.name, *axis.span, log=axis.is_log)
    return trial.suggest_categorical(axis.name, list(range(len(axis.values))))


def _accuracy_of(accuracy: Accuracy, choices: Mapping[str, Any]) -> float:
    shown = ", ".join(f"{name}={choice}" for name, choice in choices.items())
    try:
        value: Any = accuracy(choices)
    except Exception as error:
        message = f"accuracy of {shown}: {fault(error, accuracy)}"
        raise SearchStoppedError(message) from error
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        message = f"accuracy of {shown}: expected a finite number, found {value!r:.80}"
        raise SearchStoppedError(message)
    return number


class _Trials:
    """The designs of a study so far."""

    def __init__(self, grid: Grid, least: tuple[str, ...], accuracy: Accuracy | None) -> None:
        self._axes, self._least, self._accuracy = grid.axes, least, accuracy
        self._designs = Designs(grid)
        self._chosen: list[dict[str, Any]] = []
        self._kept: list[bool] = []
        self._accuracies: list[float] = []
        self._known: dict[tuple[Any, ...], float] = {}

    def values(self, chosen: dict[str, Any]) -> list[float] | None:
        """The objectives of a design; None if its costs rule it out."""
        table = self._table([chosen])
        found = [float(table[name][0]) for name in self._least]
        is_kept = len(self._designs.kept(table)) == 1 and all(map(math.isfinite, found))
        accuracy = self._asked(chosen, table) if is_kept else math.nan
        self._chosen.append(chosen)
        self._kept.append(is_kept)
        self._accuracies.append(accuracy)
        if not is_kept:
            return None
        return found if self._accuracy is None else [*found, accuracy]

    def _table(self, chosen: Sequence[Mapping[str, Any]]) -> SweepTable:
        listed = {axis.name: np.array([one[axis.name] for one in chosen]) for axis in self._axes}
        rows = ListedRows(self._axes, len(chosen), listed)
        return self._designs.every(rows, 0, len(chosen))

    def _asked(self, chosen: Mapping[str, Any], table: SweepTable) -> float:
        """What the function of the caller says of a design; once for each."""
        if self._accuracy is None:
            return math.nan
        key = tuple(chosen.values())
        if key not in self._known:
            shown = {name: table[name][0] for name in table.axes}
            self._known[key] = _accuracy_of(self._accuracy, shown)
        return self._known[key]

    def result(self, study: Any) -> SearchResult:
        """All designs as a table, and the front of those that were kept."""
        kept = np.array(self._kept)
        designs = self._table(self._chosen).with_columns(kept=kept)
        best = []
        if self._accuracy is not None:
            best = [ACCURACY]
            designs = designs.with_columns(**{ACCURACY: self._accuracies})
        unknown = self._designs.ways.get(UNKNOWN_LIMIT)
        if unknown:
            designs = evolve(designs, notes=(f"{unknown:,} designs: {UNKNOWN_LIMIT}",))
        front = pareto(designs.take(np.flatnonzero(kept)), self._least, best)
        return SearchResult(designs, front, study)
