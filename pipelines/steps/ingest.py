"""`ingest`: read the raw rows of every interval that the run needs, and keep each as one immutable batch.

It takes what comes; `validate` judges. The same rows again write nothing; late rows make a new version of their batch only.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pipelines.errors import RequestError
from pipelines.intervals import complete_before, covering, floor, iso
from pipelines.refs import canonical
from pipelines.sources import open_source
from pipelines.steps.batches import manifest_of, newest, publish
from pipelines.steps.values import BatchRef, Conf, Ingested, IngestRequest, Plan

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.intervals import Interval
    from pipelines.sources import Source
    from pipelines.spec import Spec
    from pipelines.steps.context import Context

STEP = "ingest"
Request = IngestRequest


def run(context: Context, request: IngestRequest) -> Ingested:
    """Ingest the batches of one run and return their plan."""
    spec, store = context.spec, context.ports.store
    conf = parse_conf(request.conf)
    as_of = resolve_as_of(spec, conf, request.now)
    learn, judge, before = intervals_for(spec, as_of)
    source = open_source(spec, context.settings)
    counts = {"rows": 0, "written": 0, "late": 0, "unreadable": 0}

    def batches(intervals: list[Interval]) -> list[BatchRef]:
        return [_one(context, source, interval, counts) for interval in intervals]

    plan = Plan(model=spec.name, as_of=as_of, lookback=batches(before), train=batches(learn), holdout=batches(judge))
    ref = store.put(canonical(plan), ".json")
    return Ingested(plan=ref, as_of=as_of, reason=conf.reason, force=conf.force, batches=len(plan.batches), **counts)


def parse_conf(conf: dict[str, object]) -> Conf:
    """Return what a trigger sent as a closed value. Raises RequestError naming the key; nothing in it is ever executed."""
    try:
        return Conf.model_validate(conf)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][0])[:80]
        known = sorted(Conf.model_fields)
        if first["type"] == "extra_forbidden":
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}."
            raise RequestError(f"conf: unknown key {key!r}.", remedy=hint) from error
        raise RequestError(f"conf: {key}: {first['msg']}.", remedy=f"known keys: {', '.join(known)}; see docs/operate.md.") from error


def resolve_as_of(spec: Spec, conf: Conf, now: datetime) -> datetime:
    """Return the moment that the run lives in: what was asked for, else the end of the newest complete batch."""
    until = min(now, spec.source.until) if spec.source.until else now
    if conf.as_of is None:
        return floor(until, spec.batch)
    if conf.as_of > now:
        raise RequestError(f"conf: as_of: {iso(conf.as_of)} lies in the future (now is {iso(now)}).", remedy="choose an earlier moment.")
    return conf.as_of


def intervals_for(spec: Spec, as_of: datetime) -> tuple[list[Interval], list[Interval], list[Interval]]:
    """Return the intervals to learn from, to judge on, and those that only the lookback reaches, each oldest first."""
    needed = spec.train.window + spec.train.holdout
    complete = complete_before(as_of, spec.batch, needed, spec.source.first)
    if len(complete) <= spec.train.holdout:
        raise RequestError(
            f"As of {iso(as_of)} there are {len(complete)} complete batches; one to train and {spec.train.holdout} to judge are needed.",
            remedy=f"choose an as_of later than that; data begin at {iso(spec.source.first)}.",
        )
    learn, judge = complete[: -spec.train.holdout], complete[-spec.train.holdout :]
    start = learn[0].start
    before = (
        covering(start - spec.features.lookback, start, spec.batch, floor(spec.source.first, spec.batch)) if spec.features.lookback else []
    )
    return learn, judge, before


def _one(context: Context, source: Source, interval: Interval, counts: dict[str, int]) -> BatchRef:
    spec, store = context.spec, context.ports.store
    manifest = manifest_of(store, spec, interval, source.read(interval))
    earlier = newest(store, spec.name, interval)
    batch, written = publish(store, manifest)
    table = manifest.tables.get(spec.source.main)
    rows = table.rows if table else 0
    counts["rows"] += rows
    counts["written"] += written
    counts["late"] += written and earlier is not None
    counts["unreadable"] += manifest.problem is not None
    state = "unreadable" if manifest.problem else "new version" if written and earlier else "new" if written else "unchanged"
    context.log.info("batch %s: %d rows, %s (version %d)", interval.name, rows, state, batch.version)
    return batch
