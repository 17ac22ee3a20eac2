"""Whether a window starts a retraining: the policy of a spec, asked with plain values.

The step `decide` and a replay ask the same functions, so that what was tested on the past is what
happens. They know no clock: the moment, and all that happened before it, stand in the situation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from pipelines.intervals import iso
from pipelines.plurals import how_many
from pipelines.verdicts.words import NO_RETRAINING, figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pipelines.messages import DriftVerdict
    from pipelines.science.effects.effect import Follows
    from pipelines.spec.retrain import Retrain

OPEN_FOR = timedelta(hours=24)
"""After this long a request of which nothing was heard is taken to be lost, and holds nobody up any
more."""

Ended = Literal["deployed", "refused", "failed"]
"""What came of a retraining."""


@dataclass(frozen=True)
class PastRequest:
    """A retraining that a window has started: its run, when it was asked for, and the window's end.

    `ended` is what came of it; None where nothing is known (yet).
    """

    run_id: str
    moment: datetime
    window_end: datetime
    ended: Ended | None = None


@dataclass(frozen=True)
class Situation:
    """All that a policy may know at a moment (aware) of a window that ends at `window_end`.

    `broken` says in words what may be broken upstream, however sure that is; "" where nothing seems
    to be. `follows` is what follows from the window's change; None where nobody could say. `worse`
    tells whether the champion does worse on the window than it promised; None where that cannot be
    told. `gain` and
    `gain_proven` are by how much per row a fit on newer rows is better than the champion, in
    train.metric turned so that more is better, and the lower end of its interval; None where no
    probe could be made, and then `no_gain` may say why. `rows` came within the window, which is
    `length` long. `learnt_until` is up to when the rows of the newest retraining reached, whoever
    started it. `past` are the retrainings that windows have started, in any order; refusals before
    `forgiven` count for nothing, since a version was deployed then, or a person has looked.
    """

    moment: datetime
    window_end: datetime
    verdict: DriftVerdict
    broken: str = ""
    follows: Follows | None = None
    worse: bool | None = None
    gain: float | None = None
    gain_proven: float | None = None
    no_gain: str = ""
    rows: int = 0
    length: timedelta = timedelta(days=1)
    learnt_until: datetime | None = None
    past: Sequence[PastRequest] = field(default_factory=tuple)
    forgiven: datetime | None = None


@dataclass(frozen=True)
class Choice:
    """Whether a retraining starts, and in words why or why not.

    `held`: the policy asked for one, and something holds it back.
    """

    start: bool
    why: str
    held: bool = False


def decide_retraining(policy: Retrain, situation: Situation) -> Choice:
    """Return whether the window starts a retraining.

    A window in which something is broken starts none under any policy.
    """
    wish = wish_for_retraining(policy, situation)
    if not wish.start:
        return wish
    held = why_held(policy, situation)
    return Choice(start=False, why=held, held=True) if held else wish


def wish_for_retraining(policy: Retrain, situation: Situation) -> Choice:
    """Return whether the policy asks for a retraining, whatever may hold it back."""
    if situation.verdict == "alarm":
        return Choice(start=False, why=NO_RETRAINING["alarm"])
    match policy.by:
        case "never":
            return Choice(start=False, why="the policy is `by: never`")
        case "schedule":
            return _wish_by_schedule(policy, situation)
        case "change":
            return _wish_by_change(situation)
        case "performance":
            return _wish_by_performance(situation)
        case "value":
            return _wish_by_value(policy, situation)


def why_held(policy: Retrain, situation: Situation) -> str:
    """Return in words what holds a retraining back that is asked for now; "" where nothing does."""
    return (
        _why_broken(situation)
        or _why_open(situation)
        or _why_cooling(policy, situation)
        or _why_spent(policy, situation)
        or _why_stopped(policy, situation)
        or _why_quiet(policy, situation)
    )


def refused_in_a_row(situation: Situation) -> list[PastRequest]:
    """Return the newest requests whose challengers were refused, newest first, up to a deployed
    one. A run that failed was not judged, and breaks no row.
    """
    refused = []
    for request in sorted(situation.past, key=lambda r: r.moment, reverse=True):
        forgiven = situation.forgiven is not None and request.moment <= situation.forgiven
        if forgiven or request.ended == "deployed":
            break
        if request.ended == "refused":
            refused.append(request)
    return refused


def rows_that_pay(policy: Retrain, situation: Situation) -> float:
    """Return how many rows are to come while a retraining must pay, if as many come as now."""
    return situation.rows * (policy.pays_within / situation.length)


def _wish_by_schedule(policy: Retrain, situation: Situation) -> Choice:
    if policy.is_due(situation.learnt_until, situation.window_end):
        return Choice(start=True, why=f"the schedule {policy.schedule} is due")
    assert situation.learnt_until is not None  # noqa: S101 -- else it were due
    until = iso(situation.learnt_until)
    return Choice(
        start=False, why=f"the schedule {policy.schedule} is not due: rows are learnt until {until}"
    )


def _wish_by_change(situation: Situation) -> Choice:
    if situation.verdict != "drift":
        return Choice(start=False, why=NO_RETRAINING[situation.verdict])
    if situation.follows == "nothing_follows":
        return Choice(start=False, why="it has changed, and nothing follows from it")
    return Choice(start=True, why=f"the window until {iso(situation.window_end)} has drifted")


def _wish_by_performance(situation: Situation) -> Choice:
    if situation.worse is None:
        return Choice(start=False, why="it cannot be told how well the champion does")
    if situation.worse:
        return Choice(start=True, why="the champion does worse than it promised")
    return Choice(start=False, why="the champion does no worse than it promised")


def _wish_by_value(policy: Retrain, situation: Situation) -> Choice:
    gain = situation.gain if policy.gain == "expected" else situation.gain_proven
    if gain is None:
        why = situation.no_gain or "no newer fit could be compared with the champion"
        return Choice(start=False, why=f"what a retraining gains cannot be told: {why}")
    cost, rows = policy.cost or 0.0, rows_that_pay(policy, situation)
    worth = gain * rows
    text = (
        f"a newer fit gains {figure(gain)} per row ({policy.gain}), and for"
        f" {how_many(round(rows), 'row')} to come that is {figure(worth)}"
    )
    if worth > cost:
        return Choice(start=True, why=f"{text}, more than a retraining costs ({figure(cost)})")
    return Choice(start=False, why=f"{text}, no more than a retraining costs ({figure(cost)})")


def _why_broken(situation: Situation) -> str:
    if not situation.broken:
        return ""
    return f"{situation.broken}: what may be broken is not learnt from, and somebody must look"


def _why_open(situation: Situation) -> str:
    young = [r for r in situation.past if situation.moment - r.moment < OPEN_FOR and not r.ended]
    if not young:
        return ""
    newest = max(young, key=lambda r: r.moment)
    asked = iso(newest.moment.replace(microsecond=0))
    return f"the retraining {newest.run_id} was asked for at {asked} and has not ended yet"


def _why_cooling(policy: Retrain, situation: Situation) -> str:
    if not situation.past:
        return ""
    latest = max(situation.past, key=lambda r: r.window_end)
    end, last = situation.window_end, latest.window_end
    if end <= last:
        return (
            f"the later window until {iso(last)} has asked for a retraining already"
            f" ({latest.run_id})"
        )
    cooldown = policy.cooldown or timedelta(0)
    if end - last < cooldown:
        return (
            f"cooldown: the window until {iso(last)} asked for {latest.run_id}, and"
            f" {_days(cooldown)} must lie between them"
        )
    return ""


def _why_spent(policy: Retrain, situation: Situation) -> str:
    budget = policy.at_most
    if budget is None:
        return ""
    asked = sum(situation.moment - r.moment < budget.period for r in situation.past)
    if asked < budget.count:
        return ""
    return f"budget: at most {budget} may start, and {asked} did"


def _why_stopped(policy: Retrain, situation: Situation) -> str:
    if policy.stop_after_refused is None:
        return ""
    refused = refused_in_a_row(situation)
    if len(refused) < policy.stop_after_refused:
        return ""
    last = max(r.window_end for r in refused)
    if situation.window_end - last >= policy.stop_for:
        return ""
    return (
        f"stopped: {how_many(len(refused), 'challenger was', 'challengers were')} refused in a row,"
        f" the last one after the window until {iso(last)}; a window that ends"
        f" {_days(policy.stop_for)} later may try again, or sooner once a version is deployed or"
        " somebody closes the incident"
    )


def _why_quiet(policy: Retrain, situation: Situation) -> str:
    hours = policy.quiet_at(situation.moment)
    return "" if hours is None else f"quiet hours: {hours}; a later window may start one"


def _days(duration: timedelta) -> str:
    """Return a duration as one would say it: 7 days, 12 hours."""
    hours = duration.total_seconds() / 3_600
    # A day's hours.
    number, unit = (hours / 24, "day") if hours >= 24 else (hours, "hour")  # noqa: PLR2004
    return f"{number:g} {unit}{'' if number == 1 else 's'}"
