"""The batches of a model's past: those that the store holds, else what the source gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from pipelines.data.batches import newest, publish, read_manifest
from pipelines.data.large_batches import keep_batch
from pipelines.data.manifests import BatchRef, Plan
from pipelines.data.type_differences import type_findings
from pipelines.errors import BadData, Corrupted, RequestError, Unreachable
from pipelines.intervals import Interval, Moment, complete_before, covering, floor, iso
from pipelines.plurals import how_many
from pipelines.refs import Value
from pipelines.replay.checking import check_batch
from pipelines.replay.workroom import recipe_key
from pipelines.sources import open_source
from pipelines.steps.ingest import intervals_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from pipelines.context import Context
    from pipelines.replay.checking import Checked
    from pipelines.sources import Source
    from pipelines.spec import Spec

MOST = 20_000
"""Batches of a replay at most: two years of hours."""
_SHOWN = 300
"""Characters of what is wrong with a batch."""


class Past(Value):
    """What a replay lives through: the batches from `start` to `end`, and those before that a
    training reaches back to.

    `batches` are those that were accepted, by their names; `broken` says of the others what is
    wrong with them. `recipe` is the hash of what a training follows from beside its rows.
    """

    recipe: str
    start: Moment
    end: Moment
    intervals: list[Interval]
    batches: dict[str, BatchRef] = Field(default_factory=dict)
    broken: dict[str, str] = Field(default_factory=dict)

    def take(self, intervals: Sequence[Interval]) -> list[BatchRef]:
        """Return the accepted batches among these intervals, in their order."""
        return [self.batches[i.name] for i in intervals if i.name in self.batches]

    def plan(self, spec: Spec, moment: datetime) -> Plan:
        """Return the plan of a retraining at a moment; batches that are broken are left out.

        Raises BadData where none is left to learn from, or none to judge on.
        """
        learn, judge, before = (self.take(each) for each in intervals_for(spec, moment))
        if not learn or not judge:
            what = "judge on" if learn else "learn from"
            raise BadData(
                f"At {iso(moment)} no batch is whole to {what}.",
                remedy="mend the source, or begin the replay later.",
            )
        return Plan(model=spec.name, as_of=moment, lookback=before, train=learn, holdout=judge)

    def window(self, spec: Spec, moment: datetime, count: int) -> Plan | None:
        """Return the plan of a look at the `count` batches that end at a moment; None where one of
        them is broken, or where there are not so many.
        """
        timing = spec.timing
        wanted = complete_before(moment, timing.batch, count, timing.first)
        held = self.take(wanted)
        if len(held) != count:
            return None
        back = covering(
            held[0].interval.start - spec.lookback,
            held[0].interval.start,
            timing.batch,
            floor(timing.first, timing.batch),
        )
        before = self.take(back) if spec.lookback else []
        return Plan(model=spec.name, as_of=moment, lookback=before, train=[], holdout=held)


def choose_span(
    spec: Spec, start: datetime | None, end: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    """Return from when to when a past is lived through, both at the bounds of batches.

    By default from where there is enough to train once, to the end of the data. Raises RequestError
    where there is no batch between them, or too little before them.
    """
    timing = spec.timing
    newest_end = floor(min(now, timing.until) if timing.until else now, timing.batch)
    until = newest_end if end is None else floor(end, timing.batch)
    if until > newest_end:
        raise RequestError(
            f"--to {iso(until)} lies after the newest complete batch of {spec.name}, which ends at"
            f" {iso(newest_end)}.",
            remedy=f"choose {iso(newest_end)} or earlier.",
        )
    needed = timing.holdout + 1
    begin = floor(timing.first, timing.batch)
    whole = covering(begin, until, timing.batch, begin)
    if len(whole) <= needed:
        raise RequestError(
            f"{spec.name} has {how_many(len(whole), 'batch')} until {iso(until)}; a replay trains"
            f" on {needed} and needs one more to live through.",
            remedy="choose a later --to, or a shorter train.holdout.",
        )
    earliest = whole[needed].start if whole[0].start >= timing.first else whole[needed + 1].start
    since = earliest if start is None else floor(start, timing.batch)
    if not earliest <= since < until:
        raise RequestError(
            f"--from {iso(since)} leaves nothing to live through: {spec.name} can be trained first"
            f" at {iso(earliest)}, and the replay ends at {iso(until)}.",
            remedy=f"choose --from between {iso(earliest)} and {iso(whole[-1].start)}.",
        )
    count = len(covering(since, until, timing.batch, begin))
    if count > MOST:
        raise RequestError(
            f"Between {iso(since)} and {iso(until)} lie {count:,} batches; a replay takes {MOST:,}"
            " at most.",
            remedy="choose --from and --to closer together.",
        )
    return since, until


def gather(
    context: Context,
    start: datetime,
    end: datetime,
    say: Callable[[str], None] = lambda _: None,
    check: Callable[[list[BatchRef]], list[Checked]] | None = None,
) -> Past:
    """Return the past between two moments, each of its batches read and held against its suite.

    `context` is the replay's own, see `workroom`; `check` tells what is wrong with batches, by
    default one after the other. Raises Unreachable where the source gives no batch at all.
    """
    spec = context.spec
    source = open_source(spec, context.settings, paths=context.paths)
    lived = covering(start, end, spec.timing.batch, start)
    read: dict[str, BatchRef] = {}
    broken: dict[str, str] = {}
    away: list[Unreachable] = []
    for interval in _all_intervals(spec, start, end):
        try:
            read[interval.name] = _read(context, source, interval)
        except (BadData, Corrupted) as error:
            broken[interval.name] = error.message
        except Unreachable as error:  # a file that is gone is a gap; a source that is away is none
            away.append(error)
            broken[interval.name] = error.message
    if away and not read:
        raise away[0]
    found = list(read.values())
    checked = check(found) if check else [check_batch(context, batch) for batch in found]
    whys = zip(read, (each.why for each in checked), strict=True)
    broken = {n: why[:_SHOWN] for n, why in sorted((broken | dict(whys)).items()) if why}
    for name, why in broken.items():
        say(f"{name}: passed over, {why}")
    batches = {name: batch for name, batch in read.items() if name not in broken}
    past = Past(
        recipe=recipe_key(context),
        start=start,
        end=end,
        intervals=lived,
        batches=batches,
        broken=broken,
    )
    return _without_odd_types(context, past, say)


def count_read(spec: Spec, start: datetime, end: datetime) -> int:
    """Return how many batches are read for the past between two moments."""
    return len(_all_intervals(spec, start, end))


def _all_intervals(spec: Spec, start: datetime, end: datetime) -> list[Interval]:
    """Return what is lived through, and before it what the first training reaches back to."""
    timing = spec.timing
    learn, judge, before = intervals_for(spec, start)
    first = (before or learn or judge)[0].start
    return covering(first, end, timing.batch, floor(timing.first, timing.batch))


def _read(context: Context, source: Source, interval: Interval) -> BatchRef:
    """Return a batch: the newest version that the store holds, else what the source gives."""
    store, spec = context.ports.store, context.spec
    held = newest(store, spec.name, interval)
    if held is not None:
        read_manifest(store, held)
        return held
    manifest = keep_batch(context, source, interval)
    return publish(store, manifest)[0]


def _without_odd_types(context: Context, past: Past, say: Callable[[str], None]) -> Past:
    """Return the past without the batches that hold a column in a type that the others cannot."""
    spec, store = context.spec, context.ports.store
    everything = list(past.batches.values())
    plan = Plan(model=spec.name, as_of=past.end, lookback=[], train=everything, holdout=[])
    odd = {
        name: f"{critical[0].table}: {critical[0].observed}"[:_SHOWN]
        for name, findings in type_findings(store, spec, plan).items()
        if (critical := [f for f in findings if f.critical])
    }
    for name, why in odd.items():
        say(f"{name}: passed over, {why}")
    kept = {name: batch for name, batch in past.batches.items() if name not in odd}
    return past.model_copy(update={"batches": kept, "broken": past.broken | odd})
