"""A past lived through: what each contender does before each batch, and what serves it.

Nothing here reads or trains: it asks, and whoever answers may be a test.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipelines.errors import BadData
from pipelines.intervals import iso
from pipelines.plurals import how_many
from pipelines.replay.ahead import counted_places, judge_ahead, make_ahead
from pipelines.replay.answers import Judge, LookBack, Make, Probe
from pipelines.science.policy import Choice, PastRequest, Situation, decide_retraining

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pipelines.intervals import Interval
    from pipelines.replay.answers import Asking
    from pipelines.replay.contenders import Contender
    from pipelines.replay.judging import ReplayVerdict
    from pipelines.replay.looking import Look
    from pipelines.replay.probing import ProbedGain
    from pipelines.replay.versions import Version


@dataclass(frozen=True)
class Event:
    """What a contender did before a batch, and which version served it.

    `why` says in words why it retrained or did not, `refused` why its challenger did not serve,
    `failed` why there was none. `verdict` is that of its look; empty where it did not look.
    """

    batch: Interval
    served: Version
    made: Version | None = None
    """The challenger; None where there was none."""
    retrained: bool = False
    why: str = ""
    refused: str = ""
    failed: str = ""
    verdict: str = ""
    seconds: float = 0.0


@dataclass
class Life:
    """One contender from batch to batch: who serves, since when, and what it has asked for."""

    contender: Contender
    champion: Version
    since: datetime
    learnt_until: datetime
    events: list[Event] = field(default_factory=list)
    past: list[PastRequest] = field(default_factory=list)

    @property
    def retrainings(self) -> int:
        """How many it started; the first version is not counted, which all have."""
        return sum(event.retrained for event in self.events)


def live_through(
    contenders: Sequence[Contender],
    intervals: Sequence[Interval],
    ask: Asking,
    *,
    all_look: bool = False,
) -> list[Life]:
    """Return the lives of contenders through batches, oldest first; all begin with one version.

    Those that go by windows look at the one before each batch, with their champion's eyes; with
    `all_look` each does. Raises BadData where no version can be made before the first batch.
    """
    places = counted_places(contenders, len(intervals))
    make_ahead(intervals, places, ask)
    judge_ahead(contenders, intervals, places, ask)
    start = intervals[0].start
    (first,) = ask([Make(start)])
    if first.bundle is None:
        raise BadData(
            f"No version can be made at {iso(start)}: {first.why_none}",
            remedy="choose a later --from.",
        )
    lives = [Life(contender, first, start, start) for contender in contenders]
    for place, interval in enumerate(intervals):
        before = intervals[place - 1] if place else None
        _step(lives, place, (before, interval), ask, all_look=all_look)
    return lives


def _step(
    lives: list[Life],
    place: int,
    batches: tuple[Interval | None, Interval],
    ask: Asking,
    *,
    all_look: bool,
) -> None:
    """Let each contender look at the batch before, decide, retrain, and be judged."""
    before, interval = batches
    moment = interval.start
    looking = [life for life in lives if before and (all_look or life.contender.looks)]
    looks = ask([LookBack(life.champion, moment) for life in looking])
    by_name = {life.contender.name: look for life, look in zip(looking, looks, strict=True)}
    seen: list[Look | None] = [by_name.get(life.contender.name) for life in lives]
    probing = [life for life in lives if before and life.contender.probes]
    found = ask([Probe(life.champion, moment) for life in probing])
    gains = {life.contender.name: gain for life, gain in zip(probing, found, strict=True)}
    choices = [
        _decide(life, place, before, moment, (look, gains.get(life.contender.name)))
        for life, look in zip(lives, seen, strict=True)
    ]
    due = [life for life, choice in zip(lives, choices, strict=True) if choice.start]
    made: Version | None = ask([Make(moment)])[0] if due else None
    verdicts = _judge(due, made, ask)
    for life, choice, look in zip(lives, choices, seen, strict=True):
        event = Event(interval, life.champion, why=choice.why)
        if look is not None:
            event = replace(event, verdict=look.verdict, seconds=look.seconds)
        if (gain := gains.get(life.contender.name)) is not None:
            event = replace(event, seconds=round(event.seconds + gain.seconds, 3))
        if choice.start and made is not None:
            event = _retrain(event, made, verdicts.get(life.contender.name))
            _remember(life, event, moment)
        life.events.append(event)


def _decide(
    life: Life,
    place: int,
    before: Interval | None,
    moment: datetime,
    found: tuple[Look | None, ProbedGain | None],
) -> Choice:
    contender = life.contender
    if before is None:
        return Choice(start=False, why="all begin with this version")
    if contender.counts_to(place):
        return Choice(start=True, why=f"every {how_many(contender.every, 'batch')}")
    if contender.has_struck(before.start, moment):
        return Choice(start=True, why=f"train.schedule ({contender.clock}) is due")
    if contender.policy is None:
        why = f"not due: every {how_many(contender.every, 'batch')}" if contender.every else "never"
        return Choice(start=False, why=why)
    return decide_retraining(contender.policy, _situation(life, before, moment, *found))


def _situation(
    life: Life, before: Interval, moment: datetime, look: Look | None, gain: ProbedGain | None
) -> Situation:
    """Return what the policy may know before a batch: nothing of the batch itself."""
    return Situation(
        moment=moment,
        window_end=moment,
        verdict=look.verdict if look is not None else "not_enough_data",
        worse=look.worse if look is not None else None,
        broken=look.broken if look is not None else "",
        follows=look.follows if look is not None else None,
        gain=gain.expected if gain is not None else None,
        gain_proven=gain.proven if gain is not None else None,
        no_gain=gain.why if gain is not None else "",
        rows=look.rows if look is not None else 0,
        length=before.end - before.start,
        learnt_until=life.learnt_until,
        past=tuple(life.past),
        forgiven=life.since,
    )


def _judge(due: list[Life], made: Version | None, ask: Asking) -> dict[str, ReplayVerdict]:
    """Return the verdict on a challenger for each contender that asked for it, by their names."""
    if made is None or made.bundle is None:
        return {}
    questions = [
        Judge(made, life.champion, life.contender.gate, life.contender.cause) for life in due
    ]
    names = [life.contender.name for life in due]
    return dict(zip(names, ask(questions), strict=True))


def _retrain(event: Event, made: Version, verdict: ReplayVerdict | None) -> Event:
    """Return the event with what came of a retraining; `verdict` is None where it made none."""
    if verdict is None:
        return replace(event, retrained=True, failed=made.why_none or "no challenger was made")
    seconds = round(event.seconds + made.seconds + verdict.seconds, 3)
    event = replace(event, retrained=True, made=made, seconds=seconds)
    if not verdict.is_promoted:
        return replace(event, refused="; ".join(verdict.reasons) or "refused")
    return replace(event, served=made)


def _remember(life: Life, event: Event, moment: datetime) -> None:
    """Write down what a retraining came to, as the ledger would."""
    if event.failed:
        ended = "failed"
    else:
        life.learnt_until = moment
        ended = "refused" if event.refused else "deployed"
    if ended == "deployed":
        life.champion, life.since = event.served, moment
    request = PastRequest(
        run_id=f"replay__{iso(moment)}",
        moment=moment,
        window_end=moment,
        ended=ended,  # type: ignore[arg-type]
    )
    life.past.append(request)
