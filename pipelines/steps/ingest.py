"""`ingest`: read the raw rows of every interval that the run needs, and keep each as one immutable
batch.

It takes what comes; `validate` judges. The same rows again write nothing; late rows make a new
version of their batch only. A run that watches reads the batches of its window in the same way as
one that learns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from pipelines.data.batches import (
    mark_known,
    newest,
    publish,
    snapshot_known_by,
)
from pipelines.data.large_batches import keep_batch
from pipelines.data.manifests import BatchRef, Plan
from pipelines.errors import RequestError
from pipelines.incidents.held_batches import in_sentences, leave_out_held
from pipelines.intervals import SNAPSHOT, Interval, complete_before, covering, floor, iso
from pipelines.ledger import DriftCheck, Ingest, Quarantine, record_step
from pipelines.messages import IngestRequest, IngestResult
from pipelines.plain_errors import in_one_line, problems
from pipelines.plurals import how_many
from pipelines.refs import canonical
from pipelines.sources import open_source
from pipelines.trigger_conf import DriftConf, RetrainConf
from pipelines.watch import window

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.context import Context
    from pipelines.sources import Source
    from pipelines.spec import Spec


C = TypeVar("C", RetrainConf, DriftConf)

MOST = 62
"""Batches between two windows that a watch validates at most."""


@dataclass(frozen=True)
class _Selection:
    """What a run reads: the intervals by their use, each oldest first."""

    as_of: datetime
    before: list[Interval]
    judge: list[Interval]
    learn: list[Interval] = field(default_factory=list)
    reason: str = ""
    force: bool = False
    window: Interval | None = None
    between: list[Interval] = field(default_factory=list)
    """Those since the window before, which a watch validates and nothing else.

    None of `before` is among them.
    """


def run(context: Context, request: IngestRequest) -> IngestResult:
    """Ingest the batches of one run and return their plan, which the ledger names then."""
    result = _ingest(context, request)
    entry = Ingest(
        run=request.run,
        purpose=request.purpose,
        plan=result.plan,
        as_of=result.as_of,
        batches=result.batches,
        reason=result.reason[:500],
        **({"left_out": result.left_out} if result.left_out else {}),
    )
    record_step(context.ports.ledger, context.spec.name, entry)
    return result


def _ingest(context: Context, request: IngestRequest) -> IngestResult:
    spec, store = context.spec, context.ports.store
    selection = (
        _select_for_drift(context, request)
        if request.purpose == "drift"
        else _select_for_retrain(spec, request)
    )
    if spec.is_snapshot and request.conf.get("as_of") is not None:
        return _answer(context, selection, _known_snapshot(context, selection))
    source = open_source(spec, context.settings, paths=context.paths)
    counts = {"rows": 0, "written": 0, "late": 0, "unreadable": 0}

    def batches(intervals: list[Interval]) -> list[BatchRef]:
        refs = [_ingest_batch(context, source, interval, counts) for interval in intervals]
        for batch in refs if spec.is_snapshot else []:
            mark_known(store, spec.name, batch, request.now)
        return refs

    between = batches(selection.between)
    quarantine_names = _quarantine_names(context) if between else set()
    before = sorted(
        [*batches(selection.before), *(b for b in between if _name(b) not in quarantine_names)],
        key=lambda b: b.interval.start,
    )
    plan = Plan(
        model=spec.name,
        as_of=selection.as_of,
        lookback=before,
        train=batches(selection.learn),
        holdout=batches(selection.judge),
    )
    if request.purpose == "retrain":
        plan = leave_out_held(context.ports.ledger, plan)
        for name, why in plan.left_out.items():
            context.log.warning("batch %s is left out, held in quarantine: %s", name, why)
    return _answer(context, selection, plan, counts)


def _known_snapshot(context: Context, selection: _Selection) -> Plan:
    """Return the plan of a run that lives in the past: the newest snapshot that was known then.

    The source, which holds what it holds now, is not asked.
    """
    model, as_of = context.spec.name, selection.as_of
    batch = snapshot_known_by(context.ports.store, model, as_of)
    context.log.info("as of %s: version %d of the snapshot", iso(as_of), batch.version)
    return Plan(model=model, as_of=as_of, lookback=[], train=[batch], holdout=[])


def _answer(
    context: Context, selection: _Selection, plan: Plan, counts: dict[str, int] | None = None
) -> IngestResult:
    """Keep the plan, and return what was read for it (nothing where `counts` is None)."""
    return IngestResult(
        plan=context.ports.store.put(canonical(plan), ".json"),
        as_of=selection.as_of,
        reason=selection.reason,
        force=selection.force,
        batches=len(plan.batches),
        window=selection.window,
        left_out=in_sentences(plan.left_out),
        **(counts or dict.fromkeys(("rows", "written", "late", "unreadable"), 0)),
    )


def _select_for_retrain(spec: Spec, request: IngestRequest) -> _Selection:
    conf = parse_conf(RetrainConf, request.conf)
    as_of = resolve_as_of(spec, conf, request.now)
    if spec.is_snapshot:
        return _Selection(
            as_of=as_of,
            before=[],
            judge=[],
            learn=[SNAPSHOT],
            reason=conf.reason,
            force=conf.force,
        )
    learn, judge, before = intervals_for(spec, as_of)
    return _Selection(
        as_of=as_of, before=before, judge=judge, learn=learn, reason=conf.reason, force=conf.force
    )


def _select_for_drift(context: Context, request: IngestRequest) -> _Selection:
    spec, conf = context.spec, parse_conf(DriftConf, request.conf)
    if spec.is_snapshot:
        traffic = window.traffic_window(spec, conf, request.now)
        return _Selection(
            as_of=traffic.end, before=[], judge=[SNAPSHOT], reason=conf.reason, window=traffic
        )
    batches = window.batches_of(spec, conf, request.now)
    whole = window.span(batches)
    before = _lookback_intervals(spec, whole.start)
    between = [i for i in _intervals_since_last_window(context, whole) if i not in before]
    return _Selection(
        as_of=whole.end,
        before=before,
        judge=batches,
        reason=conf.reason,
        window=whole,
        between=between,
    )


def _intervals_since_last_window(context: Context, window: Interval) -> list[Interval]:
    """Return the batches between the newest window that ended before this one did, and this one.

    None where it is the first.

    Its own verdict and later ones count for nothing, so that a run that is cleared reads the same
    batches again.
    """
    spec, timing = context.spec, context.spec.timing
    windows = [e.read(DriftCheck).window for e in context.ports.ledger.entries(spec.name, "drift")]
    ends = [w.end for w in windows if w.end < window.end]
    if not ends:
        return []
    intervals = covering(max(ends), window.start, timing.batch, floor(timing.first, timing.batch))
    if len(intervals) > MOST:
        context.log.warning(
            "%s became complete since the window before; the newest %d of them are"
            " validated, from %s on",
            *(how_many(len(intervals), "batch"), MOST, intervals[-MOST].name),
        )
    return intervals[-MOST:]


def _quarantine_names(context: Context) -> set[str]:
    """Return the names of the batches that broke their expectations.

    A run ended red for each, and the next one goes on without it.
    """
    return {
        e.key.rsplit(":", 1)[0]
        for e in context.ports.ledger.entries(context.spec.name, "quarantine")
        if not (isinstance(e.decision, Quarantine) and e.decision.cause)
    }


def _name(batch: BatchRef) -> str:
    """Return a batch's name as it begins a quarantine entry's key."""
    return f"{batch.interval.name}:{batch.manifest.sha256}"


def parse_conf(kind: type[C], conf: dict[str, object]) -> C:
    """Return what a trigger sent as a closed value.

    Raises RequestError naming the key; nothing in it is ever executed.
    """
    try:
        return kind.model_validate(conf)
    except ValidationError as error:
        hint = f"known keys: {', '.join(sorted(kind.model_fields))}; see docs/operate.md."
        raise RequestError(
            f"conf: {in_one_line(problems(error, conf, kind))}", remedy=hint
        ) from error


def resolve_as_of(spec: Spec, conf: RetrainConf, now: datetime) -> datetime:
    """Return the moment that the run lives in.

    What was asked for, else the end of the newest complete batch; for a snapshot, now.
    """
    if conf.as_of is None and spec.is_snapshot:
        return now
    if conf.as_of is None:
        timing = spec.timing
        return floor(min(now, timing.until) if timing.until else now, timing.batch)
    if conf.as_of > now:
        raise RequestError(
            f"conf: as_of: {iso(conf.as_of)} lies in the future (now is {iso(now)}).",
            remedy="choose an earlier moment.",
        )
    return conf.as_of


def intervals_for(
    spec: Spec, as_of: datetime
) -> tuple[list[Interval], list[Interval], list[Interval]]:
    """Return the intervals to learn from, to judge on, and those that only the lookback reaches,
    each oldest first.
    """
    timing = spec.timing
    count = spec.train.most_batches + timing.holdout
    complete = complete_before(as_of, timing.batch, count, timing.first)
    if len(complete) <= timing.holdout:
        raise RequestError(
            f"As of {iso(as_of)} there are {len(complete)} complete batches; one to train and"
            f" {timing.holdout} to judge are needed.",
            remedy=(
                f"choose an as_of later than that (data begin at {iso(timing.first)}), or a"
                " shorter train.holdout or batch."
            ),
            at=("train", "holdout"),
        )
    learn, judge = complete[: -timing.holdout], complete[-timing.holdout :]
    return learn, judge, _lookback_intervals(spec, learn[0].start)


def _lookback_intervals(spec: Spec, start: datetime) -> list[Interval]:
    """Return the intervals before `start` that only the lookback reaches."""
    if not spec.lookback:
        return []
    timing = spec.timing
    return covering(start - spec.lookback, start, timing.batch, floor(timing.first, timing.batch))


def _ingest_batch(
    context: Context, source: Source, interval: Interval, counts: dict[str, int]
) -> BatchRef:
    spec, store = context.spec, context.ports.store
    manifest = keep_batch(context, source, interval)
    earlier = newest(store, spec.name, interval)
    batch, is_new = publish(store, manifest)
    table = manifest.tables.get(spec.source.main)
    rows = table.rows if table else 0
    counts["rows"] += rows
    counts["written"] += is_new
    counts["late"] += is_new and earlier is not None
    counts["unreadable"] += manifest.problem is not None
    state = (
        "unreadable"
        if manifest.problem
        else "new version"
        if is_new and earlier
        else "new"
        if is_new
        else "unchanged"
    )
    context.log.info(
        "batch %s: %d rows, %s (version %d)", interval.name, rows, state, batch.version
    )
    return batch
