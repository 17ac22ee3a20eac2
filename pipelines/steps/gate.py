"""Judge the best candidate.

Register it, compare it with the champion on the same held-out rows, and write the verdict down.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any

from pipelines import run_ending
from pipelines.classes import translate_classes
from pipelines.comparison.publish import publish_run_comparison
from pipelines.context import Context
from pipelines.deployment import orders
from pipelines.errors import BadData, GiveUp, RequestError, TryAgain
from pipelines.intervals import SNAPSHOT
from pipelines.ledger import GateVerdict
from pipelines.messages import GateRequest, GateResult, TrainResult
from pipelines.store.pages import publish_page
from pipelines.tasks import (
    answers_scores,
    finds_classes,
    is_wide,
    learns_named_classes,
    stand_in_of,
    with_article,
)
from pipelines.verdicts import page
from pipelines.verdicts.words import join, with_unit

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pipelines.intervals import Interval
    from pipelines.ledger import Champion
    from pipelines.science.bootstrap import Comparison
    from pipelines.science.cluster_gate import Succession
    from pipelines.science.gates import GateFacts, Opponent, Verdict
    from pipelines.science.own_metrics import Measures
    from pipelines.science.promise import Promise
    from pipelines.spec import Spec
    from pipelines.training.predictions import Predictions

    Array = np.ndarray[Any, Any]


def run(context: Context, request: GateRequest) -> GateResult:
    """Return the verdict of this run; a retry finds the one in the ledger and changes nothing.

    The challenger is chosen by cross-validation, so that the held-out rows have chosen nothing. A
    champion that cannot answer is an incident; only a service that is away is an error (and may be
    retried).
    """
    spec, ledger, features = context.spec, context.ports.ledger, request.features
    entry = ledger.find(spec.name, "verdict", request.run)
    if entry is None:
        # What an earlier run left half deployed is taken back now: this run may be refused, and
        # then no `deploy` would do it.

        try:
            orders.reconcile(context)
        except (
            GiveUp
        ) as error:  # a champion that cannot serve must not keep its successor from being judged
            context.log.warning("the champion could not be reconciled: %s", error)
        champion = ledger.champion(spec.name)
        result = _judge_challenger(context, request, champion)
        verdict = GateVerdict(
            **result.model_dump(exclude_unset=True),
            features_revision=features.version.revision,
            as_of=features.as_of,
            started_because=features.reason,
            **({"environment": context.environment.sha256} if context.environment else {}),
        )
        entry = ledger.append(spec.name, request.run, verdict)
    result = entry.read(GateVerdict).part(GateResult)
    _log_candidates(context, request.train, result)
    subject = page.render(
        spec.name,
        request.run,
        result,
        request.train,
        metric=spec.train.metric,
        as_of=features.as_of,
        because=features.reason,
    )
    publish_page(
        context.ports.store, model=spec.name, kind="verdict", run=request.run, page=subject.encode()
    )
    tags = {
        "verdict": result.verdict,
        "reasons": join(result.reasons),
        "challenger": result.candidate,
        "version": result.version,
    }
    tags |= {"incident": result.incident} if result.incident else {}
    tags |= {"chosen_by": f"cv_{spec.train.metric}"} if result.candidate else {}
    tags |= {"choice": result.choice} if result.choice else {}
    for run_id in filter(None, (features.parent_run, result.run_id)):
        context.ports.registry.log(run_id, params={}, metrics={}, tags=tags)
    run_ending.amend(context, request.run, result)
    publish_run_comparison(context, features, request.train, result, request.run)
    return result


def choose_challenger(
    context: Context, candidates: list[TrainResult]
) -> tuple[TrainResult | None, str]:
    """Return the candidate that cross-validation chooses by the spec's rule, no dummy, and why in
    words; None where there is none.
    """
    from pipelines.science.choice import Contender, choose

    spec = context.spec
    order = {c.name: i for i, c in enumerate(spec.candidates)}
    unknown = [t.candidate for t in candidates if t.candidate not in order]
    if unknown:
        raise RequestError(f"{spec.name} has no candidate {', '.join(unknown)}.")
    by_name = {t.candidate: t for t in sorted(candidates, key=lambda t: order[t.candidate])}
    contenders = [
        Contender(name, t.cv_score, tuple(t.fold_scores), spec.candidate(name).rank)
        for name, t in by_name.items()
        if t.cv_score is not None
        and isfinite(t.cv_score)
        and not spec.candidate(name).declaration.dummy
    ]
    tested = max((t.tested or 0.0 for t in candidates), default=0.0)
    decision = choose(
        spec.train.metric,
        contenders,
        greater_is_better=spec.metric_named(spec.train.metric).greater_is_better,
        tested=tested,
        rule=spec.train.choice,
    )
    return (by_name[decision.name], decision.words) if decision else (None, "")


def _judge_challenger(
    context: Context, request: GateRequest, champion: Champion | None
) -> GateResult:
    from pipelines.data import labelled_rows
    from pipelines.science.gates import GateFacts, Opponent, judge

    best, choice = choose_challenger(context, request.train)
    holdout, interval = labelled_rows.holdout(context, request.features)
    if best is None:
        nobody = Opponent(
            name="champion" if champion else stand_in_of(context.spec.task),
            error="there is no challenger",
        )
        facts = GateFacts(
            name="",
            dummy=False,
            metrics={},
            rows=holdout.num_rows,
            holdout=interval,
            fitted_on=None,
            opponent=nobody,
        )
        verdict = judge(facts, context.spec.gate, context.spec.own_metrics)
        return _result(context.spec, verdict, facts, champion, None, version="")
    facts = (
        _measure_snapshot(context, request, best, champion, holdout)
        if context.spec.is_snapshot
        else _measure(context, best, champion, holdout, interval)
    )
    if finds_classes(context.spec.task):
        facts = replace(facts, succession=_succession(context, best, champion, holdout))
    verdict = judge(facts, context.spec.gate, context.spec.own_metrics)
    tags = {
        "verdict": "promote" if verdict.promoted else "refuse",
        "candidate": best.candidate,
        "features_revision": request.features.version.revision,
        f"cv_{context.spec.train.metric}": f"{best.cv_score:.6g}",
        "run": request.run,
        **({"threshold": f"{best.threshold.value:g}"} if best.threshold else {}),
        "code_sha256": context.code,
        **context.environment_tags,
    }
    store = context.ports.store
    model_version = context.ports.registry.register(
        context.spec.name,
        best.run_id,
        request.run,
        store.path(best.model),
        tags,
        code=store.path(best.code) if best.code else None,
    )
    result = _result(context.spec, verdict, facts, champion, best, version=model_version.version)
    return result.model_copy(update={"choice": choice})


def _measure(
    context: Context,
    best: TrainResult,
    champion: Champion | None,
    holdout: pa.Table,
    interval: Interval,
) -> GateFacts:
    """Measure the challenger anew from its predictions, and its opponent on the same rows."""
    from pipelines.science.gates import GateFacts
    from pipelines.science.metrics import scores
    from pipelines.training import predictions
    from pipelines.training.anomaly_facts import promise_facts
    from pipelines.training.decision_threshold import threshold_of
    from pipelines.training.own_metrics import measure_rows
    from pipelines.training.targets import targets

    spec = context.spec
    challenger = predictions.read(context.ports.store, spec, best.predictions, holdout)
    truth = targets(holdout, spec, challenger.classes)
    measures = measure_rows(context, holdout, truth, challenger.classes)
    threshold = threshold_of(best.threshold)
    facts = GateFacts(
        name=best.candidate,
        dummy=spec.candidate(best.candidate).declaration.dummy,
        metrics=scores(
            spec.task,
            truth,
            challenger.score,
            also=spec.metrics,
            own=measures.own.values(),
            levels=spec.levels,
            threshold=threshold,
        ),
        rows=holdout.num_rows,
        holdout=interval,
        fitted_on=best.fitted_on,
        opponent=_compare_with_opponent(context, challenger, champion, holdout, threshold),
        undefined=_reasons(spec, measures, truth, challenger.score, threshold),
        promise=_promise(spec, holdout, truth, challenger.score),
    )
    return replace(facts, **promise_facts(spec, holdout, truth, challenger.score, best.threshold))


def _promise(spec: Spec, rows: pa.Table, truth: Array, answers: Array) -> Promise | None:
    """Return what the held-out rows show of a promised coverage; None where none is promised."""
    from pipelines.data import labelled_rows
    from pipelines.data.sides import groups_of
    from pipelines.science.promise import promise_on_rows

    if spec.quantiles is None:
        return None
    return promise_on_rows(
        spec.quantiles,
        truth,
        answers,
        event_times=None if spec.is_snapshot else labelled_rows.times(rows, spec),
        groups=groups_of(rows, spec) if spec.is_snapshot else None,
        confidence=spec.gate.versus_champion.confidence,
        seed=spec.train.seed,
    )


def _succession(
    context: Context, best: TrainResult, champion: Champion | None, holdout: pa.Table
) -> Succession | None:
    from pipelines.training import predictions
    from pipelines.training.clusters.succession import compare_clusters

    challenger = predictions.read(context.ports.store, context.spec, best.predictions, holdout)
    return compare_clusters(context, challenger.score, champion, holdout)


def _reasons(
    spec: Spec, measures: Measures, truth: Array, answers: Array, threshold: float
) -> dict[str, str]:
    """Return why each of the spec's metrics that has no value has none, in words."""
    from pipelines.science.metrics import why_undefined

    reasons = {
        metric: why_undefined(measures.find(metric), truth, answers, threshold=threshold)
        for metric in spec.metrics
    }
    return {metric: why for metric, why in reasons.items() if why}


def _measure_snapshot(
    context: Context,
    request: GateRequest,
    best: TrainResult,
    champion: Champion | None,
    holdout: pa.Table,
) -> GateFacts:
    """Measure the challenger on the held-out rows that no version was fitted on.

    Where these are too few it is measured over folds of all rows.
    """
    import pyarrow as pa

    from pipelines.data import labelled_rows
    from pipelines.data.sides import sides_of
    from pipelines.science.gates import GateFacts, Opponent, SnapshotFacts
    from pipelines.science.metrics import scores
    from pipelines.training import predictions
    from pipelines.training.anomaly_facts import promise_facts
    from pipelines.training.decision_threshold import threshold_of
    from pipelines.training.own_metrics import measure_rows
    from pipelines.training.refit_comparison import fair_rows, why_folds
    from pipelines.training.targets import targets

    spec = context.spec
    fair = fair_rows(context, champion, holdout)
    whole = labelled_rows.whole_snapshot(context, request.features)
    snapshot = SnapshotFacts(
        held=holdout.num_rows,
        fair=fair.count,
        challenger_sides=best.sides == sides_of(spec),
        champion_sides=fair.champion_sides,
    )
    facts = GateFacts(
        name=best.candidate,
        dummy=spec.candidate(best.candidate).declaration.dummy,
        metrics={},
        rows=fair.count,
        holdout=SNAPSHOT,
        fitted_on=best.fitted_on,
        opponent=Opponent(name="champion" if champion else "dummy"),
        snapshot=snapshot,
    )
    why = why_folds(spec, holdout, fair, whole.num_rows)
    if why:
        context.log.info("%s: all %d rows are judged over folds", why, whole.num_rows)
        facts = replace(facts, snapshot=replace(snapshot, why_folds=why))
        return _measure_over_folds(context, request.train, best, champion, facts, whole)
    challenger = predictions.read(context.ports.store, spec, best.predictions, holdout)
    truth = targets(holdout, spec, challenger.classes)
    own = replace(challenger, score=challenger.score[fair.mask], dummy=challenger.dummy[fair.mask])
    rows = holdout.filter(pa.array(fair.mask))
    measures = measure_rows(context, holdout, truth, challenger.classes)
    threshold = threshold_of(best.threshold)
    return replace(
        facts,
        metrics=scores(
            spec.task,
            truth,
            challenger.score,
            also=spec.metrics,
            own=measures.own.values(),
            levels=spec.levels,
            threshold=threshold,
        ),
        undefined=_reasons(spec, measures, truth, challenger.score, threshold),
        promise=_promise(spec, holdout, truth, challenger.score),
        opponent=(
            _compare_with_opponent(context, own, champion, rows, threshold)
            if rows.num_rows
            else replace(facts.opponent, error="no held-out row is new to both")
        ),
        **promise_facts(spec, holdout, truth, challenger.score, best.threshold),
    )


def _measure_over_folds(
    context: Context,
    trained: list[TrainResult],
    best: TrainResult,
    champion: Champion | None,
    facts: GateFacts,
    whole: pa.Table,
) -> GateFacts:
    """Return the facts with what both models score when they are fitted again, fold by fold.

    What cannot be cut into folds is refused, in words.
    """
    from pipelines.training.own.process import own_code_of
    from pipelines.training.refit_comparison import opponent_over_folds
    from pipelines.training.refits import Refits
    from pipelines.training.threads import limit_threads

    facts = replace(facts, rows=whole.num_rows)
    try:
        with (
            limit_threads(context.settings.threads),
            own_code_of(context) as own,
        ):
            refits = Refits(context, whole, trained, own)
            challenger = refits.challenger(best)
            opponent = opponent_over_folds(context, refits, champion, challenger)
    except BadData as error:
        return replace(facts, opponent=replace(facts.opponent, error=str(error)))
    return replace(
        facts,
        metrics=challenger.means,
        promise=refits.promise(challenger),
        opponent=opponent,
        snapshot=(
            replace(facts.snapshot, folds=refits.text, groups=refits.groups)
            if facts.snapshot
            else None
        ),
    )


def _compare_with_opponent(
    context: Context,
    challenger: Predictions,
    champion: Champion | None,
    holdout: pa.Table,
    threshold: float,
) -> Opponent:
    """Compare with the champion.

    Where there is none, or where it cannot answer, with the best constant (of a forecast with the
    seasonal naive one). The challenger decides at its own `threshold`, the champion at its.

    A champion that cannot answer would lock every successor out, and must not be replaced unseen:
    it is an incident that the verdict names, and the floors and guards of the gate hold as ever. A
    service that is away, or memory that runs out, is no fault of the champion's: it is an error,
    and may be retried.
    """
    from pipelines.bundle.load import open_bundle
    from pipelines.bundle.rows import feed_from_table
    from pipelines.science.anomaly import agreement
    from pipelines.science.metrics import unfit

    if champion is None:
        sides = (challenger.score, challenger.dummy)
        name = stand_in_of(context.spec.task)
        return _compare(context, holdout, name, sides, challenger.classes, threshold, None)
    try:
        bundle = open_bundle(context.ports.store, champion.bundle, context.settings)
        theirs = bundle.manifest.inputs
        if theirs.task != context.spec.task:
            # An incident like others.
            raise BadData(  # noqa: TRY301
                f"it does {with_article(theirs.task)}, the spec asks for {context.spec.task}"
            )
        answers = _at_levels(
            bundle.predictor.predict_feed(feed_from_table(theirs.columns, holdout)),
            theirs.levels,
            context.spec.levels,
        )
    except (TryAgain, MemoryError):
        raise
    except Exception as error:
        context.log.exception("the champion %s cannot answer", champion.version)
        return _compare_with_constant(
            context,
            challenger,
            holdout,
            champion,
            threshold,
            f"{type(error).__name__}: {error}"[:500],
        )
    wrong = unfit(answers, theirs.task)
    if wrong:
        return _compare_with_constant(
            context,
            challenger,
            holdout,
            champion,
            threshold,
            f"{wrong} of its {len(answers)} answers are no numbers that may be served",
        )
    if learns_named_classes(theirs.task):
        class_names = translate_classes(
            theirs.classes or [],
            challenger.classes or [],
            holdout.schema.field(context.spec.target.column).type,
        )
        ours, classes = _widen(challenger.score, challenger.classes, class_names)
        answers, _ = _widen(answers, class_names, classes)
    else:
        ours, classes = challenger.score, None
        answers = answers if is_wide(theirs.task) else answers[:, 0]
    theirs_at = bundle.manifest.threshold_value
    opponent = _compare(
        context, holdout, "champion", (ours, answers), classes, threshold, theirs_at
    )
    return replace(
        opponent,
        fitted_on=bundle.manifest.fitted_on,
        agreement=(
            agreement(ours, answers, threshold, theirs_at) if answers_scores(theirs.task) else None
        ),
    )


def _at_levels(answers: Array, own: list[float] | None, wanted: tuple[float, ...]) -> Array:
    """Return the champion's answers at the spec's levels, as they are where it has none.

    Raises BadData where the champion does not answer at one of them.
    """
    from pipelines.levels import level_names, pick_levels

    if not wanted:
        return answers
    found = pick_levels(answers, own or [], wanted)
    if found is None:
        raise BadData(f"it answers at the levels {', '.join(level_names(own or []))} only")
    return found


def _compare_with_constant(
    context: Context,
    challenger: Predictions,
    holdout: pa.Table,
    champion: Champion,
    threshold: float,
    why: str,
) -> Opponent:
    """Compare with the best constant instead of the champion, which cannot answer."""
    incident = f"the champion, version {champion.version}, cannot answer ({why})"
    sides = (challenger.score, challenger.dummy)
    return replace(
        _compare(
            context,
            holdout,
            stand_in_of(context.spec.task),
            sides,
            challenger.classes,
            threshold,
            None,
        ),
        incident=incident,
    )


def _compare(
    context: Context,
    holdout: pa.Table,
    name: str,
    sides: tuple[Array, Array],
    classes: list[str] | None,
    ours_at: float,
    theirs_at: float | None,
) -> Opponent:
    """Return the opponent, compared on the held-out rows by the gate's metric and by each of its
    guards.

    `sides` are the challenger's answers and the opponent's. The opponent's threshold is None where
    it is a constant, which may decide as is best for it.
    """
    from pipelines.data import labelled_rows
    from pipelines.data.sides import groups_of
    from pipelines.science.bootstrap import compare
    from pipelines.science.gates import Opponent
    from pipelines.training.own_metrics import measure_rows
    from pipelines.training.scoring import constants_threshold
    from pipelines.training.targets import targets

    spec, rule = context.spec, context.spec.gate.versus_champion
    truth = targets(holdout, spec, classes)
    times = None if spec.is_snapshot else labelled_rows.times(holdout, spec)
    groups = groups_of(holdout, spec) if spec.is_snapshot else None

    measures = measure_rows(context, holdout, truth, classes)
    ours, theirs = sides

    def by(metric: str) -> Comparison:
        measure = measures.find(metric)
        constants_threshold(measure, truth, theirs, spec)
        return compare(
            measure,
            truth,
            challenger=ours,
            opponent=theirs,
            challenger_threshold=ours_at,
            opponent_threshold=(
                constants_threshold(measure, truth, theirs, spec)
                if theirs_at is None
                else theirs_at
            ),
            event_times=times,
            groups=groups,
            confidence=rule.confidence,
            seed=spec.train.seed,
        )

    return Opponent(
        name, comparison=by(rule.metric), guards={metric: by(metric) for metric in spec.gate.guards}
    )


def _widen(
    values: Array, own: list[str] | None, other: list[str] | None
) -> tuple[Array, list[str]]:
    """Return the probabilities (n, k) with a column for every class of either model, sorted.

    What a model does not know has 0.
    """
    import numpy as np

    classes = sorted({*(own or []), *(other or [])})
    wide = np.zeros((len(values), len(classes)))
    wide[:, [classes.index(name) for name in own or []]] = values
    return wide, classes


def _result(
    spec: Spec,
    verdict: Verdict,
    facts: GateFacts,
    champion: Champion | None,
    best: TrainResult | None,
    *,
    version: str,
) -> GateResult:
    units = {name: spec.unit_of(name) for name in spec.own_metrics}
    return GateResult(
        verdict="promote" if verdict.promoted else "refuse",
        reasons=verdict.reasons,
        checks=verdict.checks,
        candidate=facts.name,
        run_id=best.run_id if best else "",
        version=version,
        metrics=dict(facts.metrics),
        champion=champion.version if champion else None,
        incident=facts.opponent.incident,
        # Only where there are any: other verdicts are written as they ever were.
        **({"threshold": best.threshold} if best and best.threshold else {}),
        **({"units": units} if units else {}),
    )


def _log_candidates(context: Context, candidates: list[TrainResult], result: GateResult) -> None:
    """Log what each candidate scored, and which one cross-validation has chosen.

    The model's own metrics stand beside the one that has chosen.
    """
    spec = context.spec
    metric = spec.train.metric
    lines = [f"Candidates by {metric} (cross-validation chooses, the held-out rows judge):"]
    for each in candidates:
        mark = "  <- chosen" if each.candidate == result.candidate else ""
        chosen_by, held_out = (
            "not finite" if value is None else f"{value:.4f}"
            for value in (each.cv_score, each.metrics.get(metric))
        )
        own = "".join(
            f", {name} {with_unit(each.metrics.get(name), spec.unit_of(name))}"
            for name in spec.own_metrics
            if name != metric
        )
        unit = f" {text}" if (text := spec.unit_of(metric)) else ""
        at = f", threshold {each.threshold.value:g}" if each.threshold else ""
        lines.append(
            f"  {each.candidate}: {chosen_by}{unit} in cross-validation, {held_out}{unit} held out"
            f"{own}{at}{mark}"
        )
    if result.choice:
        lines.append(f"  {result.choice}.")
    context.log.info("%s", "\n".join(lines))
