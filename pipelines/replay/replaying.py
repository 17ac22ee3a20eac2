"""A replay from its first question to its outcome."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.refs import Value
from pipelines.replay.ahead import ask_rows, score_versions
from pipelines.replay.answers import Check, answering
from pipelines.replay.batches import choose_span, gather
from pipelines.replay.contenders import refuse_same_names
from pipelines.replay.live import live_through
from pipelines.replay.outcome import (
    Advice,
    BatchOfPolicy,
    Costs,
    Interval95,
    PassedOver,
    PolicyOutcome,
    ReplayOutcome,
)
from pipelines.replay.workroom import Workroom, refuse_what_has_no_batches
from pipelines.science.hindsight import best_losses, best_schedule
from pipelines.science.policy_worth import Tried, recommend
from pipelines.watch.window import rules_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from pipelines.context import Context
    from pipelines.replay.answers import Answers, Asking
    from pipelines.replay.batches import Past
    from pipelines.replay.contenders import Contender
    from pipelines.replay.live import Life
    from pipelines.replay.scoring import JudgedRows
    from pipelines.replay.versions import Version
    from pipelines.science.policy_worth import Difference
    from pipelines.spec import Spec

MOST_WORKERS = 16


@dataclass(frozen=True)
class Manner:
    """How a replay goes about its work; what it comes to does not depend on `workers` or `fresh`.

    `workers` processes compute; by default as many as there are cores. A `fresh` one forgets what
    earlier ones have computed. With `all_look` each policy looks at each window, also one that does
    not go by it; that needs the spec's `drift`.
    """

    workers: int | None = None
    fresh: bool = False
    all_look: bool = False


USUAL = Manner()


class Replayed(Value):
    """The outcome, which is the same for the same past, and what it cost, which is not."""

    outcome: ReplayOutcome
    costs: Costs


def replay(
    context: Context,
    contenders: Sequence[Contender],
    *,
    span: tuple[datetime | None, datetime | None] = (None, None),
    now: datetime,
    manner: Manner = USUAL,
    say: Callable[[str], None] = lambda _: None,
) -> Replayed:
    """Return how a model's past would have been under several policies.

    The `span` is from when to when; by default all of it. Nothing of the real state is written: all
    that is computed lies below the replay's own folder, where the next replay finds it.

    Raises RequestError where the model has no batches or the span none, BadData where nothing can
    be trained at its start, Busy where the model is being replayed already.
    """
    spec = context.spec
    refuse_same_names(contenders)
    if manner.all_look:
        rules_of(spec)
    count = min(manner.workers or count_cores(), MOST_WORKERS)
    opened = open_past(context, span, now, workers=count, fresh=manner.fresh, say=say)
    with opened as (past, ask):
        lives = live_through(contenders, past.intervals, ask, all_look=manner.all_look)
        say("scoring what served")
        return _assemble(spec, past, lives, ask)


@contextmanager
def open_past(
    context: Context,
    span: tuple[datetime | None, datetime | None],
    now: datetime,
    *,
    workers: int,
    fresh: bool = False,
    shared: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Past, Answers]]:
    """Yield the past between two moments, and who answers about it in so many processes.

    The folder of the model's replays is held meanwhile: `shared` with other parts of one replay,
    else alone. Raises as `replay` does.
    """
    refuse_what_has_no_batches(context.spec)
    since, until = choose_span(context.spec, *span, now)
    workroom = Workroom(context.spec, context.settings)
    workroom.prepare()
    with workroom.share() if shared else workroom.hold():
        if fresh:
            workroom.forget()
        with answering(workroom, workers, say) as ask:
            past = gather(workroom.open(), since, until, say, lambda b: ask([Check(e) for e in b]))
            ask.tell_past(past)
            yield past, ask


def count_cores() -> int:
    """Return how many processors this machine has."""
    return os.cpu_count() or 1


def _assemble(spec: Spec, past: Past, lives: list[Life], ask: Asking) -> Replayed:
    intervals = past.intervals
    rows = ask_rows(intervals, ask)
    versions = _versions(lives)
    scores = score_versions(versions.values(), intervals, rows, ask)
    greater = spec.metric_named(spec.train.metric).greater_is_better
    losses = _losses(versions, scores, past, greater=greater)
    best = best_losses(losses)
    policies = [_outcome(life, scores, (losses, best), greater=greater) for life in lives]
    tried = [
        Tried(p.name, _write_signed([b.score for b in p.batches], greater=greater), p.retrainings)
        for p in policies
    ]
    own = next((p.name for p in policies if p.own), None)
    advice = recommend(tried, own, scale=_scale(spec, tried))
    seconds = {life.contender.name: [event.seconds for event in life.events] for life in lives}
    return Replayed(
        outcome=ReplayOutcome(
            model=spec.name,
            metric=spec.train.metric,
            unit=spec.unit_of(spec.train.metric),
            greater_is_better=greater,
            start=past.start,
            end=past.end,
            intervals=intervals,
            policies=policies,
            best=[_back(value, greater=greater) for value in best],
            passed_over=_passed_over(past, rows),
            advice=Advice(
                name=advice.name,
                why=advice.why,
                best=advice.best,
                margin=advice.margin,
                over_best=_interval(advice.over_best),
                against_own=_interval(advice.against),
            ),
        ),
        costs=Costs(by_policy=seconds, together=_together(lives)),
    )


def _versions(lives: list[Life]) -> dict[Any, Version]:
    """Return all versions that were made and judged, by their moments, also what never served."""
    served = {event.served.moment: event.served for life in lives for event in life.events}
    made = {v.moment: v for life in lives for e in life.events if (v := e.made) is not None}
    return dict(sorted((made | served).items()))


def _losses(
    versions: dict[Any, Version], scores: dict[Any, Any], past: Past, *, greater: bool
) -> Any:
    """Return (n, n): of the version made before batch i on batch j; NaN where there is none."""
    count = len(past.intervals)
    found = np.full((count, count), np.nan)
    places = {interval.start: place for place, interval in enumerate(past.intervals)}
    for moment in versions:
        row = [scores[moment].get(interval.name) for interval in past.intervals]
        found[places[moment]] = _write_signed(row, greater=greater)
    return found


def _write_signed(scores: Sequence[float | None], *, greater: bool) -> Any:
    """Return scores as losses: the smaller the better; NaN for none."""
    values = np.array([np.nan if s is None else s for s in scores], dtype=np.float64)
    return -values if greater else values


def _back(loss: float, *, greater: bool) -> float | None:
    return None if not isfinite(loss) else float(-loss if greater else loss)


def _outcome(
    life: Life, scores: dict[Any, Any], found: tuple[Any, Any], *, greater: bool
) -> PolicyOutcome:
    losses, best = found
    lines = []
    for event, least in zip(life.events, best, strict=True):
        score = scores[event.served.moment].get(event.batch.name)
        loss = float(_write_signed([score], greater=greater)[0])
        lines.append(
            BatchOfPolicy(
                batch=event.batch.name,
                served=event.served.moment,
                score=score,
                regret=float(loss - least) if isfinite(loss) else None,
                retrained=event.retrained,
                refused=event.refused,
                failed=event.failed,
                verdict=event.verdict,
                alarm=event.verdict == "alarm",
                why=event.why,
            )
        )
    known = [line for line in lines if line.score is not None and line.regret is not None]
    hindsight = None
    if np.isfinite(best).any():
        hindsight = _back(best_schedule(losses, life.retrainings)[0], greater=greater)
    contender = life.contender
    return PolicyOutcome(
        name=contender.name,
        gate=contender.gate,
        own=contender.own,
        retrainings=life.retrainings,
        refusals=sum(bool(line.refused) for line in lines),
        failures=sum(bool(line.failed) for line in lines),
        alarms=_count_alarms(lines),
        mean=float(np.mean([line.score for line in known])) if known else None,
        regret=float(np.mean([line.regret for line in known])) if known else None,
        in_hindsight=hindsight,
        batches=lines,
    )


def _count_alarms(lines: Sequence[BatchOfPolicy]) -> int | None:
    """Return how many windows were alarms; None where nobody looked at one."""
    looked = [line for line in lines if line.verdict]
    return sum(line.alarm for line in looked) if looked else None


def _scale(spec: Spec, tried: list[Tried]) -> float | None:
    """Return what a share of the error is taken of, where the metric says how good is best: a share
    of 1 - roc_auc, not of roc_auc.
    """
    metric = spec.metric_named(spec.train.metric)
    least = min(each.mean for each in tried)
    best = getattr(metric, "bounds", (0.0, float("inf")))[1 if metric.greater_is_better else 0]
    if not metric.greater_is_better or not isfinite(best) or not isfinite(least):
        return None
    return abs(float(best) + least)


def _passed_over(past: Past, rows: dict[str, JudgedRows]) -> list[PassedOver]:
    """Return the batches that were not scored, and those before the start that are broken."""
    lived = {i.name for i in past.intervals}
    before = {name: why for name, why in past.broken.items() if name not in lived}
    unscored = {name: each.why_none for name, each in rows.items() if each.data is None}
    return [PassedOver(batch=name, why=why) for name, why in sorted((before | unscored).items())]


def _interval(gap: Difference | None) -> Interval95 | None:
    if gap is None:
        return None
    mean = gap.mean if isfinite(gap.mean) else None
    return Interval95(mean=mean, low=gap.low, high=gap.high, untold=gap.untold)


def _together(lives: list[Life]) -> float:
    """Return the seconds of all that was computed: what several policies ask for is made once."""
    made = {
        e.made.moment: e.made.seconds for life in lives for e in life.events if e.made is not None
    }
    rest = sum(
        e.seconds - (e.made.seconds if e.made is not None else 0.0)
        for life in lives
        for e in life.events
    )
    return round(sum(made.values()) + rest, 3)
