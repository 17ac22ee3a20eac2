"""How the rows of a table are cut into batches: so that each has rows enough, and that there are
batches enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipelines.intervals import containing

if TYPE_CHECKING:
    from pipelines.intervals import BatchKind

KINDS: tuple[BatchKind, ...] = ("month", "week", "day", "hour")
MANY_BATCHES, SOME_BATCHES = 20, 8
ROWS_ENOUGH = 50


@dataclass(frozen=True)
class Cut:
    """A size of batches, how many there are, and the rows of the middle one."""

    kind: BatchKind
    count: int
    rows: int


def batch_starts(times: pd.Series[Any], kind: BatchKind) -> pd.Series[Any]:
    """Return the start of the batch of each row; the times are in UTC, without a zone."""
    starts: pd.Series[Any]
    if kind == "month":
        starts = times.dt.to_period("M").dt.start_time
    elif kind == "week":
        starts = (times - pd.to_timedelta(times.dt.dayofweek, unit="D")).dt.normalize()
    else:
        starts = times.dt.floor("h" if kind == "hour" else "D")
    return starts


def choose_cut(times: pd.Series[Any]) -> Cut:
    """Return the largest batches of which there are many with rows enough, else the best cut."""
    cuts = []
    for kind in KINDS:
        counts = batch_starts(times.dropna(), kind).value_counts()
        cuts.append(Cut(kind, len(counts), int(np.median(counts)) if len(counts) else 0))
    for fewest, rows in ((MANY_BATCHES, ROWS_ENOUGH), (SOME_BATCHES, ROWS_ENOUGH), (4, 10), (2, 1)):
        for cut in cuts:
            if cut.count >= fewest and cut.rows >= rows:
                return cut
    return cuts[-2]


def split_batches(frame: pd.DataFrame, time: str, kind: BatchKind) -> list[pd.DataFrame]:
    """Return the rows of each batch, oldest first; batches without rows are left out."""
    starts = batch_starts(frame[time], kind)
    return [part.reset_index(drop=True) for _, part in frame.groupby(starts, sort=True)]


def gaps(times: pd.Series[Any], kind: BatchKind) -> int:
    """Return how many batches between the first and the last one have no rows."""
    starts = batch_starts(times.dropna(), kind).drop_duplicates().sort_values()
    if starts.empty:
        return 0
    have = set(starts.dt.to_pydatetime())
    current = containing(starts.iloc[0].to_pydatetime(), kind)
    last, count = starts.iloc[-1].to_pydatetime(), 0
    while current.start.replace(tzinfo=None) <= last:
        count += current.start.replace(tzinfo=None) not in have
        current = containing(current.end, kind)
    return count
