"""Which batches a drift check looks at.

Those of the window that was asked for, or of the newest one.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.errors import RequestError
from pipelines.intervals import Interval, complete_before, floor, following, iso
from pipelines.plurals import how_many
from pipelines.spec.drift import TRAFFIC
from pipelines.spec.units import duration_text

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.intervals import BatchKind
    from pipelines.spec import Drift, Spec
    from pipelines.trigger_conf import DriftConf


def rules_of(spec: Spec) -> Drift:
    """Return what the spec says of drift. Raises RequestError where it says nothing."""
    if spec.drift is None:
        raise RequestError(
            f"The model {spec.name} is not watched: its spec has no `drift`.",
            remedy=(
                f"add `drift: {{schedule: daily}}` to models/{spec.name}/model.yaml; see"
                " docs/watching.md."
            ),
        )
    return spec.drift


def batches_of(spec: Spec, conf: DriftConf, now: datetime) -> list[Interval]:
    """Return the intervals of the window, oldest first.

    `drift.window` batches that end together at its end.

    The end is the one asked for, else the end of the newest complete batch. Raises RequestError
    where it lies in the future or after the data's end, where no batch ends there, or where the
    window would begin before the data do.
    """
    rules, timing = rules_of(spec), spec.timing
    newest = floor(min(now, timing.until) if timing.until else now, timing.batch)
    end = newest if conf.window_end is None else conf.window_end
    if end > now:
        raise RequestError(
            f"conf: window_end: {iso(end)} lies in the future (now is {iso(now)}).",
            remedy="choose an earlier moment.",
        )
    start = floor(end, timing.batch)
    if start != end:
        raise RequestError(
            f"conf: window_end: no {timing.batch} ends at {iso(end)}.",
            remedy=f"choose {iso(start)} or {iso(following(start, timing.batch))}.",
        )
    if end > newest:
        raise RequestError(
            f"conf: window_end: {iso(end)} lies after the end of the data of {spec.name}.",
            remedy=f"choose {iso(newest)} or earlier.",
        )
    count = rules.window if isinstance(rules.window, int) else 1
    intervals = complete_before(end, timing.batch, count, timing.first)
    if len(intervals) < count:
        raise RequestError(
            f"The window of {count} batches that ends at {iso(end)} begins before the data"
            f" do ({iso(timing.first)}).",
            remedy="choose a later window_end, or shorten drift.window.",
        )
    return intervals


def length_of(rules: Drift) -> timedelta:
    """Return how much traffic one look at a snapshot's model takes in."""
    return rules.window if isinstance(rules.window, timedelta) else TRAFFIC


def traffic_window(spec: Spec, conf: DriftConf, now: datetime) -> Interval:
    """Return the window of traffic of a model whose data have no time.

    It ends at the moment that was asked for, else at the last midnight (UTC), or the last full
    hour where the window is no number of days. Raises RequestError where the end lies in the
    future or is no full hour.
    """
    length = length_of(rules_of(spec))
    kind: BatchKind = "hour" if length % timedelta(days=1) else "day"
    end = floor(now, kind) if conf.window_end is None else conf.window_end
    if end > now:
        raise RequestError(
            f"conf: window_end: {iso(end)} lies in the future (now is {iso(now)}).",
            remedy="choose an earlier moment.",
        )
    if floor(end, "hour") != end:
        raise RequestError(
            f"conf: window_end: {iso(end)} is no full hour.",
            remedy=f"choose {iso(floor(end, 'hour'))}.",
        )
    return Interval(start=end - length, end=end)


def span(batches: list[Interval]) -> Interval:
    """Return the window as one interval."""
    return Interval(start=batches[0].start, end=batches[-1].end)


def never_judged(spec: Spec, length: timedelta) -> str:
    """Return in words that no outcome is known by the end of a window of this length.

    "" where some are.
    """
    wait = spec.target.known_after
    if wait < length or not spec.has_target:
        return ""
    return (
        f"outcomes are known {duration_text(wait)} after the event, later than this window of"
        f" {duration_text(length)}: performance cannot be judged; use a longer drift.window"
    )


def too_few_to_judge(spec: Spec, held_out: int, batches: int, waiting: int) -> str:
    """Return in words that the holdout holds fewer rows than the gate asks for, and what to write.

    "" where it holds them. `held_out` counts its rows whose outcome is known, `waiting` those of
    all batches whose outcome is not; `batches` are all that a run could have today.
    """
    count, min_rows = spec.timing.holdout, spec.gate.min_rows
    if held_out >= min_rows:
        return ""
    needed = math.ceil(min_rows * count / held_out) if held_out else batches
    third = max(count, batches // 3)
    if needed < batches:
        advice = (
            f"`train: {{holdout: {needed} batches}}` or `gate: {{min_rows: {max(held_out, 2)}}}`"
        )
    elif third > count:
        fewer = max(held_out * third // count, 2)
        advice = f"`train: {{holdout: {third} batches}}` and `gate: {{min_rows: {fewer}}}`"
    else:
        advice = f"`gate: {{min_rows: {max(held_out, 2)}}}`"
    wait = duration_text(spec.target.known_after)
    waits = (
        f"; {how_many(waiting, 'row waits', 'rows wait')} for theirs, known {wait} after the event"
        if waiting
        else ""
    )
    return (
        f"the holdout ({how_many(count, 'batch')}) holds {how_many(held_out, 'row')} whose"
        f" outcome is known{waits}. The gate needs {min_rows} and would refuse every challenger:"
        f" write {advice} (the fewer rows judge, the larger a gain must be to be proven)"
    )


def holdout_too_small(spec: Spec, labels: int, length: timedelta) -> str:
    """Return in words that the held-out batches will hardly hold the rows that the gate asks for.

    "" where they do.

    `labels` counts the rows of one batch whose outcome is known sooner or later, `length` is how
    long a batch is; both stand for the other batches too. What happened less than `known_after`
    before a run has no outcome yet that it may use.
    """
    batches, min_rows, wait = spec.timing.holdout, spec.gate.min_rows, spec.target.known_after
    if labels == 0 and spec.empty_batches == "allow":
        return "this batch is empty and says nothing of the others; try one with rows by --at"
    rows = int(labels * max(0.0, batches - wait / length))
    if rows >= min_rows:
        return ""
    enough = (
        f"train.holdout: {math.ceil(min_rows / labels + wait / length)} batches"
        if labels
        else "a longer train.holdout"
    )
    after_text = f", which is {duration_text(wait)} after the event" if wait else ""
    return (
        f"the holdout ({how_many(batches, 'batch')}) would hold about"
        f" {how_many(rows, 'row')} whose outcome is known{after_text}; the gate needs"
        f" {min_rows} (gate.min_rows) and would refuse every challenger: use {enough}, or a lower"
        " gate.min_rows"
    )
