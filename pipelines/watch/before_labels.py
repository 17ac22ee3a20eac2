"""What the champion's metric is expected to be on a window before its labels are known.

It decides nothing. Each estimate is kept in the ledger; a later check finds the window's rows
again, measures the truth on them, and holds it against the interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import TryAgain
from pipelines.estimates import ScoredEstimate, WindowEstimate
from pipelines.science.before_labels.confidence import estimate_by_confidence
from pipelines.science.before_labels.estimate import Answered, Estimate, Judged, Method
from pipelines.science.before_labels.trust import Outcome, count_misses, find_end_of_trust
from pipelines.science.before_labels.weighting import estimate_by_weighting
from pipelines.science.metrics import score
from pipelines.science.own_metrics import RowMetric
from pipelines.science.row_losses import has_losses
from pipelines.spec.metrics import find_metric, is_known
from pipelines.tasks import classifies
from pipelines.watch.estimate_record import EstimateRecord, read_record
from pipelines.watch.preconditions import watched_inputs
from pipelines.watch.samples import values_of
from pipelines.watch.short_texts import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from pipelines.context import Context
    from pipelines.intervals import Interval
    from pipelines.refs import Ref
    from pipelines.watch.sides import ChampionReference, Labelled, Rows
    from pipelines.watch.window_rows import WindowRows

    Array = NDArray[Any]

LABELLED = 0.9
"""The share of a window's rows whose labels must be known before its estimate is scored: labels
that come for some rows alone are of other rows."""
_WORDS = 300
"""Bytes (as JSON) of a sentence that travels in a result."""
LOOKED_BACK = 2
"""Earlier windows whose rows are found again in one check; those before them are given up."""


@dataclass(frozen=True)
class Watched:
    """A window that is looked at: its rows, its champion, how to find an earlier window's rows.

    `broken` says what is wrong with the rows; "" where nothing is.
    """

    version: str
    window: Interval
    plan: Ref
    sample: WindowRows
    champion: ChampionReference
    find_rows: Callable[[WindowEstimate, Interval], WindowRows]
    broken: str = ""


def estimate_window(context: Context, watched: Watched) -> WindowEstimate | None:
    """Return the estimate with those earlier ones whose truth is known now.

    None for a model of whose answers none is more or less wrong.
    """
    champion, least = watched.champion, _least(context)
    if not has_losses(champion.schema.task) or not context.spec.has_target:
        return None
    record = read_record(context.ports.ledger, context.spec.name, watched.version, watched.window)
    found = _estimate(context, watched, least)
    estimate = _as_message(found, champion.metric, watched.plan)
    scored = _score_earlier(context, watched, record, least)
    now = _score(watched.window, estimate, watched.sample, champion, least)
    scored = [*scored, *([now] if now else [])]
    why = switched_off([*record.scored, *record.others, *scored])
    if why:
        nothing = {"value": None, "low": None, "high": None, "untold": ""}
        estimate = estimate.model_copy(update={**nothing, "switched_off": why})
    return estimate.model_copy(update={"scored": scored})


def switched_off(scored: list[ScoredEstimate]) -> str:
    """Return in words why the estimates of a model are switched off; "" where they are not."""
    ordered = sorted(scored, key=lambda each: each.window.end)
    outcomes = [Outcome(s.low, s.high, s.confidence, s.truth) for s in ordered]
    end = find_end_of_trust(outcomes)
    if end is None:
        return ""
    last, until = ordered[end], outcomes[: end + 1]
    return (
        f"the truth lay outside {count_misses(until)} of {len(until)} intervals, last in the window"
        f" that ended on {last.window.end:%Y-%m-%d} ({last.truth:.4g}, expected {last.low:.4g} to"
        f" {last.high:.4g}): estimates are not to be trusted for now"
    )


def _least(context: Context) -> int:
    return context.spec.drift.min_rows if context.spec.drift else 1


def _as_message(found: Estimate, metric: str, plan: Ref) -> WindowEstimate:
    return WindowEstimate(
        method=found.method,
        metric=metric,
        rows=found.rows,
        value=found.value,
        low=found.low,
        high=found.high,
        confidence=found.confidence,
        untold=cut(found.untold, _WORDS),
        plan=plan,
    )


def _estimate(context: Context, watched: Watched, least: int) -> Estimate:
    """Return the estimate of the window's own rows."""
    champion, rows = watched.champion, len(watched.sample.window.predictions)
    options: dict[str, Any] = {
        "span": champion.span,
        "threshold": champion.threshold,
        "seed": context.spec.train.seed,
    }
    method: Method = "confidence" if classifies(champion.schema.task) else "weighting"
    nothing = Estimate(method, rows)
    if watched.broken:
        return nothing.without(f"the window's rows are broken: {watched.broken}")
    if rows < least:
        return nothing.without(f"{rows:,} rows are too few, {least:,} are needed (min_rows)")
    if not is_known(champion.metric):
        return nothing.without(f"{champion.metric} is a metric of the model's own")
    by = _by_confidence if method == "confidence" else _by_weighting
    found = by(watched.sample.window, champion, options)
    return nothing.without(found) if isinstance(found, str) else found


def _by_confidence(
    window: Rows, champion: ChampionReference, options: dict[str, Any]
) -> Estimate | str:
    answers = window.chances if champion.schema.classes else window.predictions
    if champion.held is None:
        return "the champion's bundle does not hold the probabilities of its held-out rows"
    if answers is None:
        return "the log does not hold the probabilities of all the champion's classes"
    held = _judged(champion.held, {})
    answered = Answered(answers, _times(window.event_times, held), {})
    return estimate_by_confidence(champion.metric, held, answered, **options)


def _by_weighting(
    window: Rows, champion: ChampionReference, options: dict[str, Any]
) -> Estimate | str:
    past = champion.judged
    if past is None or past.inputs is None:
        return "the champion's bundle does not hold the inputs of its held-out rows; retrain it"
    if window.inputs.num_rows != len(window.predictions):
        return "other versions answered some of the window's rows"
    metric = champion.measure(past) if champion.measure else champion.metric
    if isinstance(metric, RowMetric):
        return f"{champion.metric} is a metric of the model's own"
    before, now = (
        {c.name: values_of(c, table) for c in watched_inputs(champion.schema)}
        for table in (past.inputs, window.inputs)
    )
    held = _judged(past, before)
    answered = Answered(window.predictions, _times(window.event_times, held), now)
    return estimate_by_weighting(metric, held, answered, **options)


def _judged(rows: Labelled, columns: Mapping[str, Array]) -> Judged:
    timed = not np.isnat(rows.event_times).any()
    return Judged(rows.y, rows.p, rows.event_times if timed else None, columns)


def _times(times: Array | None, held: Judged) -> Array | None:
    """Return the window's times, where both sides have them."""
    known = held.times is not None and times is not None and not np.isnat(times).any()
    return times if known else None


def _score_earlier(
    context: Context, watched: Watched, record: EstimateRecord, least: int
) -> list[ScoredEstimate]:
    """Return the earlier estimates whose labels came meanwhile, beside what they turned out to be.

    A window whose rows cannot be found again is left unscored.
    """
    wait = context.spec.target.known_after + context.spec.horizon
    due = [w for w in record.waiting if w.window.end + wait <= watched.window.end]
    found = []
    for each in due[-LOOKED_BACK:]:
        try:
            sample = watched.find_rows(each.estimate, each.window)
            scored = _score(each.window, each.estimate, sample, watched.champion, least)
        except (TryAgain, MemoryError):
            raise
        except Exception:  # an old window that is gone says nothing of this one
            context.log.warning(
                "the estimate of the window that ended on %s could not be scored",
                each.window.end,
                exc_info=True,
            )
            continue
        found += [scored] if scored else []
    return found


def _score(
    window: Interval,
    estimate: WindowEstimate,
    sample: WindowRows,
    champion: ChampionReference,
    least: int,
) -> ScoredEstimate | None:
    """Return the estimate beside the truth; None where too few rows have a label."""
    value, low, high, labelled = estimate.value, estimate.low, estimate.high, sample.labelled
    if value is None or low is None or high is None or labelled is None or sample.problem:
        return None
    rows, answered = len(labelled.y), max(len(sample.window.predictions), 1)
    if rows < least or rows < LABELLED * answered or estimate.metric != champion.metric:
        return None
    metric = champion.measure(labelled) if champion.measure else find_metric(champion.metric)
    truth = score(metric, labelled.y, labelled.p, threshold=champion.threshold)
    if not np.isfinite(truth):
        return None
    return ScoredEstimate(
        window=window,
        value=value,
        low=low,
        high=high,
        confidence=estimate.confidence,
        truth=truth,
        rows=rows,
    )
