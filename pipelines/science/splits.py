"""Folds in time: learn from what was known, be judged on what came next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadData

if TYPE_CHECKING:
    from datetime import timedelta

    from numpy.typing import NDArray

MICROSECOND = 1e-6
_REMEDY = "widen train.window or lower train.folds."
_FOLDS = ("train", "folds")


def time_folds(
    event_times: NDArray[Any], folds: int, embargo: timedelta
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return (train, test) positions of `folds` expanding windows over `event_times` (n,),
    datetime64 in any order.

    The rows are cut at `folds` quantiles of time into spans of about equal size; span i is judged
    by a fit on the rows before it. Equal timestamps are never split, and a training row's label
    must have been known when its test span starts: t + embargo <= first test time. Raises BadData
    where the times are too few for that many folds.
    """
    times = np.asarray(event_times).astype("datetime64[us]").astype(np.int64)
    if len(times) < folds + 1:
        raise BadData(
            f"{len(times)} rows are too few for {folds} folds.",
            remedy=_REMEDY,
            at=_FOLDS,
        )
    sorted_times = np.sort(times)
    edges = np.unique(
        sorted_times[[len(sorted_times) * i // (folds + 1) for i in range(1, folds + 1)]]
    )
    if len(edges) < folds:
        raise BadData(
            f"The event times are too few for {folds} folds in time.",
            remedy=_REMEDY,
            at=_FOLDS,
        )
    wait = round(embargo.total_seconds() / MICROSECOND)
    positions = []
    for i, start in enumerate(edges):
        after = edges[i + 1] if i + 1 < len(edges) else sorted_times[-1] + 1
        test = np.flatnonzero((times >= start) & (times < after))
        train = np.flatnonzero(times <= start - max(wait, 1))
        if not len(train):
            raise BadData(
                f"No label was known before fold {i + 1} of {folds} starts: known_after is long for"
                " this window.",
                remedy=_REMEDY,
                at=_FOLDS,
            )
        positions.append((train, test))
    return positions
