"""How the rows are cut by time, with numbers of batches that fit the size of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.intervals import containing, floor, following, iso
from pipelines.onboarding.batches import batch_starts, choose_cut, gaps
from pipelines.onboarding.draft import Times
from pipelines.onboarding.figures import kind_of
from pipelines.plurals import how_many
from pipelines.science.rhythm import rhythms_of

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.onboarding.choices import Target
    from pipelines.onboarding.talk import Talk

MOST_WINDOW = {"hour": 24 * 28, "day": 180, "week": 104, "month": 24}
MOST_OF_A_SERIES = 3
"""Columns of a plain series, at most: time, target and one more."""
PARTIAL = 0.2
"""Share of a middle batch's rows below which the first or the last batch is not whole."""
HELD_OUT, ROWS_TO_JUDGE = 0.15, 200


def cut_by_time(frame: pd.DataFrame, time: str, target: Target, talk: Talk) -> Times:
    """Return how the rows are cut by time, with numbers of batches that fit."""
    cut, moments = choose_cut(frame[time]), frame[time]
    counts = batch_starts(moments, cut.kind).value_counts().sort_index()
    first = floor(moments.min().to_pydatetime(), cut.kind)
    last = floor(moments.max().to_pydatetime(), cut.kind)
    until, reason = following(last, cut.kind), "the end of the data"
    whole = len(counts)
    if len(counts) > 4 and counts.iloc[-1] < PARTIAL * cut.rows:  # noqa: PLR2004
        until, reason, whole = last, f"the last {cut.kind} is not whole yet", whole - 1
        counts = counts.iloc[:-1]
    if len(counts) > 4 and counts.iloc[0] < PARTIAL * cut.rows:  # noqa: PLR2004
        first, whole, counts = following(first, cut.kind), whole - 1, counts.iloc[1:]
    empty = gaps(moments, cut.kind)
    numeric = kind_of(frame[target.column]) in {"number", "boolean"}
    rhythms = rhythms_of(
        moments.reset_index(drop=True), frame[target.column].astype(float) if numeric else None
    )
    total = len(complete_batches(first, until, cut.kind))
    holdout = _holdout(counts.to_numpy(), total)
    talk.find(
        f"batches: a {cut.kind} each, {total} of them, about {how_many(cut.rows, 'row')} in each"
        + (f"; {how_many(empty, 'is', 'are')} empty" if empty else "")
    )
    if rhythms:
        talk.find(f"rhythm: of the {', the '.join(rhythms)}")
    return Times(
        column=time,
        batch=cut.kind,
        first=iso(first),
        until=iso(until),
        until_reason=reason,
        gaps=empty,
        window=max(1, min(total - holdout, MOST_WINDOW[cut.kind])),
        holdout=holdout,
        step_seconds=_step(frame, time, target),
        rhythms=list(rhythms),
    )


def complete_batches(first: Any, until: Any, kind: Any) -> list[Any]:
    """Return the batches from `first` to `until`."""
    batches, current = [], containing(first, kind)
    while current.start < until:
        batches.append(current)
        current = containing(current.end, kind)
    return batches


def _holdout(counts: np.ndarray[Any, Any], total: int) -> int:
    """Return how many of the newest batches judge: a share of them, and rows enough."""
    wanted = max(1, round(HELD_OUT * total))
    rows = np.cumsum(counts[::-1])
    enough = int(np.searchsorted(rows, ROWS_TO_JUDGE)) + 1
    return int(max(1, min(max(wanted, enough), max(1, total // 3))))


def _step(frame: pd.DataFrame, time: str, target: Target) -> int:
    """Return the seconds between rows of a plain series; 0 for other data.

    A plain series has one row at each time and at most one column beside time and target.
    """
    is_series = len(frame.columns) <= MOST_OF_A_SERIES and bool(frame[time].is_unique)
    if not is_series or target.task != "regression":
        return 0
    steps = frame[time].sort_values().diff().dropna().dt.total_seconds()
    step = int(steps.median()) if len(steps) else 0
    return step if step >= 60 and (steps == step).mean() > 0.8 else 0  # noqa: PLR2004
