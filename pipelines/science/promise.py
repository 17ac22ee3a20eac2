"""Is a promised coverage kept on rows that nothing was learnt from?

The gate refuses what the rows disprove, and no more: a promise that they neither prove nor disprove
is kept so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.messages import GateCheck
from pipelines.science.bootstrap import spread
from pipelines.science.enough import write_enough
from pipelines.science.refits import compare_over_folds
from pipelines.spec.metrics import find_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.pieces import Span
    from pipelines.spec.quantiles import Quantiles

    Array = NDArray[Any]

COVERAGE = "coverage"


@dataclass(frozen=True)
class Promise:
    """A promised coverage, and what held-out rows show of it.

    `good_end` ends the one-sided interval of what was `seen`; the promise is broken where it lies
    below `coverage` by more than `tolerance`. NaN or infinite where it could not be measured.
    """

    coverage: float
    tolerance: float
    seen: float
    good_end: float
    confidence: float
    untold: str = ""
    """Why there is no end, in words; empty where there is one."""


def promise_on_rows(
    quantiles: Quantiles,
    y: Array,
    answers: Array,
    *,
    event_times: Array | None,
    groups: Array | None,
    span: Span = "day",
    confidence: float,
    seed: int,
) -> Promise | None:
    """Return what rows (n,) show of the coverage that answers (n, k) promise; None without one.

    Days, or groups, are drawn as in `science.bootstrap`.
    """
    if quantiles.conformal is None:
        return None
    found = spread(
        find_metric(COVERAGE).of_levels(tuple(quantiles.levels)),
        y,
        answers,
        event_times=event_times,
        groups=groups,
        span=span,
        confidence=confidence,
        seed=seed,
    )
    tolerance = quantiles.conformal.tolerance
    return Promise(
        quantiles.coverage, tolerance, found.value, found.good_end, confidence, found.untold
    )


def promise_over_folds(
    quantiles: Quantiles,
    seen: Array,
    *,
    tested: float,
    freedom: int | None,
    confidence: float,
) -> Promise | None:
    """Return what the coverages (J,) of J folds show of a promise; None without one.

    `tested` and `freedom` as in `compare_over_folds`.
    """
    if quantiles.conformal is None:
        return None
    promised = np.full(len(seen), quantiles.coverage)
    short = compare_over_folds(
        find_metric(COVERAGE),
        promised,
        seen,
        tested=tested,
        freedom=freedom,
        confidence=confidence,
    )
    return Promise(
        quantiles.coverage,
        quantiles.conformal.tolerance,
        float(np.mean(seen)),
        quantiles.coverage - short.lower,
        confidence,
    )


def check_promise(promise: Promise | None) -> list[GateCheck]:
    """Check that the held-out rows do not disprove what a model promises; nothing without one."""
    if promise is None:
        return []
    seen, end, asked = promise.seen, promise.good_end, promise.coverage
    if not isfinite(seen) or not isfinite(end):
        why = f": {promise.untold}; hold more out (train.holdout)" if promise.untold else ""
        detail = f"the promised coverage {asked:g} could not be measured on the held-out rows{why}"
        way = "held-out rows on which it can be measured (train.holdout)"
        return [GateCheck(name="promise", passed=False, detail=detail, would_pass=way)]
    is_kept = end >= asked - promise.tolerance
    detail = (
        f"coverage {seen:.3f} {'does not disprove' if is_kept else 'breaks'} the promised"
        f" {asked:g}: it is at most {min(end, 1.0):.3f} with {promise.confidence:.0%} confidence,"
        f" and at least {asked - promise.tolerance:.3f} is asked for (conformal.tolerance)"
    )
    least = asked - promise.tolerance
    found = GateCheck(
        name="promise",
        passed=is_kept,
        detail=detail,
        value=end,
        limit=least,
        would_pass=(
            ""
            if is_kept
            else f"a coverage higher by {write_enough(least - end)}, or"
            f" quantiles.conformal.tolerance: {write_enough(asked - end)}"
        ),
    )
    return [found]
