"""A sample of the rows that a run would learn from and be judged on, read from the source.

`check` looks at it. Nothing is kept. The newest batches are read first, until there are enough rows
or the time is up.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipelines.data.batches import read_source
from pipelines.data.feature_rows import build_from, intervals_behind
from pipelines.data.labelled_rows import (
    LabelCounts,
    count_labels,
    known_rows,
    times,
    visible,
)
from pipelines.data.sides import held_out, sides_of
from pipelines.errors import BadData, SpecError, TryAgain
from pipelines.intervals import SNAPSHOT, Interval
from pipelines.tasks import learns_nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipelines.context import Context
    from pipelines.sources import Raw, Source
    from pipelines.spec import Spec

ROWS = 20_000
"""Raw rows that are enough."""

SECONDS = 2.5
"""After so long no further batch is read."""

_HELD_OUT = 0.25
"""The share of the rows that stands for the holdout, where the holdout itself was not read."""


@dataclass(frozen=True)
class Sample:
    """What a run would see, or a part of it.

    `whole` tells that every batch of the run was read. `held_out` is how many rows with a label the
    batches hold that judge, and is None where they were not all read or hold no row; then the
    newest rows stand for them in `holdout`.
    """

    train: pa.Table
    holdout: pa.Table
    counts: LabelCounts
    batches: int
    whole: bool
    held_out: int | None

    @property
    def rows(self) -> int:
        """Rows with a label."""
        return int(self.train.num_rows + self.holdout.num_rows)


def sample_of_snapshot(spec: Spec, table: pa.Table) -> Sample:
    """Return a sample of a snapshot's built rows: each side's, up to so many rows in all."""
    as_of = SNAPSHOT.end
    known = known_rows(table, spec, [_Batch(SNAPSHOT)], by=as_of)
    held = held_out(known, sides_of(spec), spec.key)
    whole = known.num_rows <= ROWS
    if not whole:
        known, held = known.slice(0, ROWS), held[:ROWS]
    return Sample(
        train=known.filter(pa.array(~held)),
        holdout=known.filter(pa.array(held)),
        counts=count_labels(table, spec, as_of),
        batches=1,
        whole=whole,
        held_out=int(held.sum()) if whole else None,
    )


@dataclass(frozen=True)
class _Batch:
    interval: Interval


def read_sample(
    context: Context,
    learn: Sequence[Interval],
    judge: Sequence[Interval],
    raws: dict[Interval, Raw],
    source: Source,
) -> Sample:
    """Return a sample of the rows of a run that learns from and is judged on these batches.

    `raws` are batches that were read already. Raises BadData where no row has a label that may be
    used, and what a source raises for the batches that it is asked for.
    """
    spec = context.spec
    read = partial(read_source, context, source)
    intervals = _read_newest(spec, read, [*learn, *judge], len(judge), raws)
    span = Interval(start=intervals[0].start, end=intervals[-1].end)
    table = build_from(context, [raws[i] for i in intervals_behind(spec, span)], span)
    as_of, batches = judge[-1].end, [_Batch(i) for i in intervals]
    known = known_rows(table, spec, batches, by=as_of)
    counts = count_labels(table, spec, as_of)
    whole = len(intervals) == len(learn) + len(judge)
    event = times(table, spec)
    held = event >= np.datetime64(judge[0].start.replace(tzinfo=None), "us")
    if len(intervals) > len(judge) and held.any():
        holdout = known_rows(table.filter(pa.array(held)), spec, batches[-len(judge) :], by=as_of)
        before, by = table.filter(pa.array(~held)), min(judge[0].start, as_of)
        train = (
            known_rows(before, spec, batches[: -len(judge)], by=by)
            if whole
            else before.filter(pa.array(visible(before, spec, by)))
        )
        if train.num_rows:
            return Sample(train, holdout, counts, len(intervals), whole, holdout.num_rows)
    order = np.argsort(times(known, spec), kind="stable")
    cut = max(known.num_rows - max(int(known.num_rows * _HELD_OUT), 1), 0)
    train, holdout = known.take(pa.array(order[:cut])), known.take(pa.array(order[cut:]))
    return Sample(train, holdout, counts, len(intervals), whole, None)


def _read_newest(
    spec: Spec,
    read: Callable[[Interval], Raw],
    intervals: Sequence[Interval],
    judge: int,
    raws: dict[Interval, Raw],
) -> list[Interval]:
    """Read the newest of the intervals into `raws`, with what the lookback reaches before them.

    Return those that were read, oldest first; batches that cannot be read end the reading.
    """
    began, rows = time.monotonic(), 0
    enough = judge + 1 + _waits(spec, intervals[-1])
    chosen: list[Interval] = []
    for interval in reversed(intervals):
        late = time.monotonic() - began > SECONDS
        if chosen and (late or (rows >= ROWS and len(chosen) >= enough)):
            break
        for each in intervals_behind(spec, interval):
            if each not in raws:
                try:
                    raws[each] = read(each)
                except TryAgain:
                    if not chosen:
                        raise
                    return chosen
        main = raws[interval].tables.get(spec.source.main)
        if raws[interval].problem or main is None:
            if not chosen:
                raise BadData(f"The source of {spec.name}: {raws[interval].problem}.")
            return chosen
        rows += main.num_rows
        chosen.insert(0, interval)
    if not chosen:
        raise SpecError(f"{spec.name} has no batch to look at.")
    return chosen


def _waits(spec: Spec, interval: Interval) -> int:
    """Return how many batches wait for their labels."""
    if learns_nothing(spec.task):
        return 0
    return ceil(spec.target.known_after / (interval.end - interval.start))
