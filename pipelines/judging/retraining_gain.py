"""What a retraining would gain now: a cheap probe, for a policy that goes by it.

The champion's own recipe (its candidate, with the settings that training found for it) is fitted
once more, on what was known a while ago, and answers the newest labelled rows beside the champion.
Neither has seen those. There is no search, so it costs one fit of one candidate.

The rows that are new since the champion learnt are cut in two, by whole days or whatever the spec
calls alike: the fit may learn from the older half, the newer half judges. A real retraining learns
from both, so that what is found is rather too little than too much.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.columns.widening import together, with_types
from pipelines.data import labelled_rows
from pipelines.data.batches import newest, newest_batches
from pipelines.data.feature_rows import build_batch, intervals_behind
from pipelines.data.manifests import Plan
from pipelines.data.plan_types import plan_types
from pipelines.incidents.held_batches import held_batches, without_held
from pipelines.intervals import Interval
from pipelines.judging.draws import draws_of
from pipelines.judging.held_out import Answers
from pipelines.judging.opponents import pair_with_opponent
from pipelines.judging.recipe import CANNOT_FIT, Recipe
from pipelines.judging.window import probe_start
from pipelines.ledger import GateVerdict
from pipelines.plurals import how_many
from pipelines.recipes import read_recipe
from pipelines.science.bootstrap import Comparison, compare
from pipelines.science.metrics import THRESHOLD
from pipelines.science.pieces import LEAST_TO_COMPARE, pieces_of_times
from pipelines.spec.rule_problems import why_no_renewal
from pipelines.training.decision_threshold import threshold_of
from pipelines.training.own.process import own_code_of
from pipelines.training.own_metrics import measure_rows
from pipelines.training.targets import targets
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.ledger import Champion, Ledger
    from pipelines.recipes import Learnt

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class RetrainingGain:
    """By how much per row a newer fit is better than the champion, on `rows` rows new to both.

    `expected` is the difference in train.metric, turned so that more is better, and `proven` the
    lower end of its one-sided interval, by the confidence of the gate. None where it cannot be
    told, and then `why` says why.
    """

    expected: float | None = None
    proven: float | None = None
    rows: int = 0
    why: str = ""


def measure_gain(context: Context, champion: Champion | None, by: datetime) -> RetrainingGain:
    """Return what a retraining would gain, of the batches that end by a moment.

    They are those that a retraining as of then would read, as far as the store holds them: nothing
    is ingested. What the rows do not allow is told, and no error; what a service that is away
    raises is.
    """
    spec = context.spec
    why = why_no_renewal(spec.train.metric, spec.task, is_snapshot=spec.is_snapshot)
    if champion is None or why:
        return RetrainingGain(why=why or "no version serves yet")
    found, plan = _learnt_of(context, champion.version), _plan(context, by)
    if isinstance(found, str) or not plan.train:
        no_batch = "the store holds no batch of that time"
        return RetrainingGain(why=found if isinstance(found, str) else no_batch)
    verdict, learnt = found
    try:
        with limit_threads(context.settings.threads), own_code_of(context) as own:
            table = _build(context, plan)
            rows = labelled_rows.known_rows(table, spec, plan.train, by=by)
            recipe = Recipe.of(context, learnt, rows, own)
            new = ~labelled_rows.visible(recipe.rows, spec, verdict.as_of)
            asked_from = _judging_since(recipe.times[new], context)
            if asked_from is None:
                few = how_many(int(new.sum()), "row")
                return RetrainingGain(why=f"too few days are new since it learnt ({few})")
            return _compare(context, recipe, champion, new & (recipe.times >= asked_from), plan)
    except CANNOT_FIT as error:
        return RetrainingGain(why=f"the probe could not be fitted: {error}"[:500])


def _learnt_of(context: Context, version: str) -> tuple[GateVerdict, Learnt] | str:
    """Return the champion's verdict and what training found for it, or why that is not known."""
    verdict = _verdict_of(context.ports.ledger, context.spec.name, version)
    if verdict is None or verdict.made_from is None:
        return f"how version {version} was made was not kept"
    learnt = read_recipe(context.ports.store, verdict.made_from.recipe).learnt
    named = {c.name: c for c in context.spec.candidates}
    if learnt.candidate not in named:
        return f"the spec has no candidate {learnt.candidate} any more"
    if named[learnt.candidate].onnx:
        return "it is a finished model, which is never fitted"
    return verdict, learnt


def _verdict_of(ledger: Ledger, model: str, version: str) -> GateVerdict | None:
    for entry in reversed(ledger.entries(model, "verdict")):
        verdict = entry.decision
        if isinstance(verdict, GateVerdict) and verdict.version == version:
            return verdict
    return None


def _plan(context: Context, by: datetime) -> Plan:
    """Return the batches that a retraining as of then would learn from and judge on."""
    spec, store = context.spec, context.ports.store
    most = spec.train.most_batches + spec.timing.holdout
    known = list(newest_batches(store, spec, by, most))[::-1]
    learn, _ = without_held(held_batches(context.ports.ledger, spec.name), known)
    before = []
    if learn and spec.lookback:
        start = learn[0].interval.start
        reached = intervals_behind(spec, Interval(start=start, end=start))
        found = (newest(store, spec.name, i) for i in reached if i.start < start)
        before = [batch for batch in found if batch is not None]
    return Plan(model=spec.name, as_of=by, lookback=before, train=learn, holdout=[])


def _build(context: Context, plan: Plan) -> pa.Table:
    """Return the features of the batches, in their order."""
    spec = context.spec
    types = plan_types(context.ports.store, spec, plan)
    tables = {b.interval.name: build_batch(context, plan, b, types) for b in plan.train}
    return with_types(together(tables, "The features of the probe", whole=spec.key))


def _judging_since(times: Array, context: Context) -> Any:
    """Return since when the new rows (n,) judge; None where they are of too few pieces."""
    if not len(times):
        return None
    pieces = pieces_of_times(times, context.spec.alike.span)
    if pieces.count < 2 * LEAST_TO_COMPARE:
        return None
    return times[pieces.of_row >= pieces.count - pieces.count // 2].min()


def _compare(
    context: Context, recipe: Recipe, champion: Champion, judge: Array, plan: Plan
) -> RetrainingGain:
    """Return how a fit without the rows (n,) that judge does on them, beside the champion."""
    table, origin = recipe.rows.filter(judge), recipe.times[judge].min()
    since = None
    if context.spec.train.is_probed:
        begins = [b.interval.start.replace(tzinfo=None) for b in plan.train]
        since = probe_start(recipe, np.array(begins, dtype="datetime64[us]"), origin)[0]
    own = recipe.fit_and_ask(recipe.known_at(origin, since), recipe.frame(table))
    answers = Answers(
        table, own, np.zeros_like(own), recipe.classes, threshold_of(recipe.best.threshold)
    )
    name, pair = pair_with_opponent(context, answers, champion)
    if name != "champion":
        return RetrainingGain(why="the champion cannot answer the newest rows")
    truth = targets(pair.rows, context.spec, pair.classes)
    found: Comparison = compare(
        measure_rows(context, pair.rows, truth, pair.classes).find(context.spec.train.metric),
        truth,
        challenger=pair.ours,
        opponent=pair.theirs,
        challenger_threshold=pair.threshold,
        opponent_threshold=THRESHOLD if pair.their_threshold is None else pair.their_threshold,
        **draws_of(pair.rows, context.spec),
    )
    if not isfinite(found.difference):
        return RetrainingGain(why=f"{found.metric} has no value on the newest rows")
    proven = found.lower if isfinite(found.lower) and not found.untold else None
    return RetrainingGain(found.difference, proven, table.num_rows)
