"""What a spec says of time, and what it must not say of data that have none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.plain_errors import Problem
from pipelines.spec.sources import FilesSource, SqlSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pipelines.intervals import BatchKind
    from pipelines.spec.alike import Alike
    from pipelines.spec.drift import Drift
    from pipelines.spec.sources import Source
    from pipelines.spec.train import Train

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOST_FOLDS = 100
"""Folds in all: their scores travel with a result, which must stay small."""
_NO_TIME = "without `event_time` the source is a snapshot, read whole"


@dataclass(frozen=True)
class Timing:
    """What cuts data in time into batches, and how many of them judge."""

    batch: BatchKind
    first: datetime
    until: datetime | None
    holdout: int


@dataclass(frozen=True)
class WordsOfTime:
    """All that a spec says of time."""

    event_time: str | None
    batch: BatchKind | None
    source: Source
    train: Train
    drift: Drift | None
    known_after: timedelta
    lookback: timedelta
    allows_empty: bool
    target: str
    alike: Alike


def time_problems(spec: WordsOfTime) -> list[Problem]:
    """Return what a spec lacks of time, or says of it although its data have none."""
    return list(_snapshot_problems(spec) if spec.event_time is None else _batch_problems(spec))


def _batch_problems(spec: WordsOfTime) -> Iterator[Problem]:
    needed = "needed where there is an `event_time` (leave both out for data without time)"
    if spec.batch is None:
        yield Problem(("batch",), f"{needed}; write hour, day, week or month")
    if spec.source.first is None:
        yield Problem(
            ("source", "first"), f"{needed}; write since when there are data, such as 2024-01-01"
        )
    if isinstance(spec.train.holdout, float):
        yield Problem(
            ("train", "holdout"),
            "a share is for data without `event_time`; write a number of batches: `1 batch`",
        )
    if spec.train.group is not None:
        yield Problem(
            ("train", "group"),
            "is for data without `event_time`; with one, time parts the sides; `alike: {group: …}`"
            " says that its rows are one piece of evidence",
        )
    if spec.alike.group is not None and spec.alike.group == spec.target:
        yield Problem(("alike", "group"), "is the target; name another column")
    if spec.train.repeats > 1:
        yield Problem(
            ("train", "repeats"),
            "is for data without `event_time`: time can be cut in one order only; raise"
            " `train.folds` instead",
        )
    if spec.drift is not None and isinstance(spec.drift.window, timedelta):
        yield Problem(
            ("drift", "window"),
            "a duration is for data without `event_time`; write a number of batches: `1 batch`",
        )
    if isinstance(spec.source, SqlSource) and not spec.source.binds_interval:
        yield Problem(
            ("source", "query"),
            "must bind both :start and :end, so that one interval is read",
        )


def _snapshot_problems(spec: WordsOfTime) -> Iterator[Problem]:
    if spec.batch is not None:
        yield Problem(("batch",), f"{_NO_TIME}; remove it, or name the `event_time`")
    if spec.known_after:
        yield Problem(("target", "known_after"), f"{_NO_TIME}; remove it")
    if spec.lookback:
        yield Problem(("features", "lookback"), f"{_NO_TIME}; remove it")
    if spec.allows_empty:
        yield Problem(("empty_batches",), f"{_NO_TIME}, and must hold rows; remove it")
    if spec.alike.model_fields_set:
        yield Problem(("alike",), f"{_NO_TIME}; remove it, and name the column in `train.group`")
    yield from _source_problems(spec)
    yield from _sides_problems(spec)
    if spec.drift is not None and "window" in spec.drift.model_fields_set:
        yield from _window_problems(spec.drift.window)


def _sides_problems(spec: WordsOfTime) -> Iterator[Problem]:
    if "window" in spec.train.model_fields_set:
        yield Problem(("train", "window"), f"{_NO_TIME}; remove it, all rows are learnt from")
    if "holdout" in spec.train.model_fields_set and not isinstance(spec.train.holdout, float):
        yield Problem(("train", "holdout"), f"{_NO_TIME}; write a share of the rows, such as 0.2")
    cuts = spec.train.folds * spec.train.repeats
    if cuts > MOST_FOLDS:
        why = f"{cuts} folds in all are too many; at most {MOST_FOLDS}"
        yield Problem(("train", "repeats"), f"{why}: lower `folds` or `repeats`")
    group = spec.train.group
    if group is not None and group == spec.target:
        yield Problem(("train", "group"), f"{group!r} is the target; name another column")


def _window_problems(window: int | timedelta) -> Iterator[Problem]:
    if not isinstance(window, timedelta):
        yield Problem(
            ("drift", "window"), f"{_NO_TIME}; write how much traffic to look at, such as 7d"
        )
    elif window < HOUR or window % HOUR:
        yield Problem(("drift", "window"), "must be whole hours or days, such as 12h or 7d")


def _source_problems(spec: WordsOfTime) -> Iterator[Problem]:
    source = spec.source
    for name in ("first", "until", "event_time"):
        if getattr(source, name) is not None:
            yield Problem(("source", name), f"{_NO_TIME}; remove it")
    for table, column in source.side.items():
        if column is not None:
            yield Problem(
                ("source", "side", table), f"{_NO_TIME}; write null, its rows hold at all times"
            )
    if isinstance(source, FilesSource) and source.per_interval:
        yield Problem(
            ("source", "uri"), f"{_NO_TIME}; write the URI without {{start:…}} and {{end:…}}"
        )
    if isinstance(source, SqlSource) and source.parameters:
        yield Problem(("source", "query"), f"{_NO_TIME}; write the query without :start and :end")
