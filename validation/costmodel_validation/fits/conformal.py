"""An interval with a promise: conformal prediction for measurements that come in groups.

What follows from statistics alone, written down before it was tried on any measurement, with one
condition: that the median high / low of fitted systems, networks left out, stays at 2 or less.

1. A percentile of `n` ratios is not where a share of *further* ratios lies. Of `n + 1` that are
   exchangeable, the next is above the `k`-th smallest of `n` with a chance of at most
   `1 - k / (n + 1)`. An end that one in ten lies beyond is the order statistic at `0.9 (n + 1)`.
2. Ratios of one family are alike, so rows are not exchangeable with a row of a family that nobody
   has seen. Families are. Let each of `K` families share a weight of `1 / (K + 1)` evenly among its
   rows, and let the rest, `1 / (K + 1)`, lie at infinity: the quantile of this mixture is passed by
   a row of the next family with a chance of at most one in ten, whatever the distributions
   (hierarchical conformal prediction: Lee, Barber and Willett, 2023, arXiv 2306.06342; pooled
   distributions and subsampling: Dunn, Wasserman and Ramdas, 2022, arXiv 1809.07441). With families
   of one row each this is the first rule.
3. With fewer than nine families the weight at infinity is above one in ten: no finite end holds
   nine in ten of a further family for all distributions. Then nothing can be promised.
4. The same holds of networks, each with its formats and batches as rows.

A residual (`RuntimeFit.residual`) reaches as far as both the promised ends over networks and those
over families. Where nothing can be promised for families, the P10 to P90 of the worst of them
stands, without a promise.

The ratios here are those of parts that were left out of the fit, while a prediction comes from a
fit to all of them, as in cross-conformal prediction: the promise is that of the rule for ratios
that are exchangeable, and holds in practice as far as one part more hardly changes a fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

Vector = np.ndarray[Any, np.dtype[np.float64]]


MANY_GROUPS: Final = 9
"""With fewer groups the next is beyond all of them with a chance of more than one in ten."""


def promised_ends(
    ratios: Sequence[float] | Vector, groups: Sequence[str], beyond: float = 0.1
) -> tuple[float, float]:
    """The ends that a row of a further group is beyond with a chance of `beyond` each, at most.

    `ratios` are positive, one for each row, and `groups` name the group of each. An end that
    cannot be promised is 0 or infinity.

    Raises:
        ValueError: there are no rows.

    """
    if not len(ratios):
        message = "expected ratios of at least one group, found none"
        raise ValueError(message)
    found = np.asarray(ratios, float)
    return 1 / _upper(1 / found, groups, beyond), _upper(found, groups, beyond)


def _upper(values: Vector, groups: Sequence[str], beyond: float) -> float:
    """The least value with at least `1 - beyond` of the weight at it or below."""
    names, place, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    order = np.argsort(values)
    weights = (1 / sizes)[place][order] / (len(names) + 1)
    enough = np.flatnonzero(np.cumsum(weights) >= 1 - beyond - _ROUNDING)
    return float(values[order][enough[0]]) if len(enough) else float("inf")


_ROUNDING = 1e-9
"""Of sums of weights."""
