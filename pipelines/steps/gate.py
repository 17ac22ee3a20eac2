"""Judge the best candidate: register it, compare it with the champion on the same held-out rows, and write the verdict down."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData, GiveUp, RequestError, TryAgain
from pipelines.intervals import iso
from pipelines.pages import publish_page
from pipelines.spec import METRICS
from pipelines.steps import deployment, verdict_page
from pipelines.steps.context import Context
from pipelines.steps.values import Check, GateRequest, Judged, Trained

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pipelines.intervals import Interval
    from pipelines.ledger import Champion
    from pipelines.science.gates import Facts, Opponent, Verdict
    from pipelines.steps.predictions import Predictions

    Array = np.ndarray[Any, Any]

STEP = "gate"
Request = GateRequest


def run(context: Context, request: GateRequest) -> Judged:
    """Return the verdict of this run; a retry finds the one in the ledger and changes nothing.

    The challenger is the best by cross-validation, so that the held-out rows have chosen nothing. What goes wrong with the
    champion refuses; only a service that is away is an error (and may be retried).
    """
    spec, ledger, built = context.spec, context.ports.ledger, request.features
    known = ledger.find(spec.name, "verdict", request.run)
    if known is None:
        # What an earlier run left half deployed is taken back now: this run may be refused, and then no `deploy` would do it.
        try:
            deployment.reconcile(context)
        except GiveUp as error:  # a champion that cannot serve must not keep its successor from being judged
            context.log.warning("the champion could not be reconciled: %s", error)
        champion = ledger.champion(spec.name)
        judged = _judged(context, request, champion)
        body = {
            **judged.model_dump(mode="json"),
            "features_revision": built.version.revision,
            "as_of": iso(built.as_of),
            "started_because": built.reason,
        }
        known = ledger.append(spec.name, "verdict", request.run, body)
    judged = Judged.model_validate({name: known.body[name] for name in Judged.model_fields})
    _told(context, judged)
    shown = verdict_page.render(spec.name, request.run, judged, as_of=built.as_of, because=built.reason)
    publish_page(context.ports.store, model=spec.name, kind="verdict", run=request.run, page=shown.encode())
    tags = {"verdict": judged.verdict, "reasons": "; ".join(judged.reasons), "challenger": judged.candidate, "version": judged.version}
    for run_id in filter(None, (built.parent_run, judged.run_id)):
        context.ports.registry.log(run_id, params={}, metrics={}, tags=tags)
    return judged


def challenger(context: Context, trained: list[Trained]) -> Trained | None:
    """Return the best candidate by cross-validation that is no dummy, the first in the spec of equals; None where there is none."""
    order = {c.name: (i, c.known.dummy) for i, c in enumerate(context.spec.candidates)}
    unknown = [t.candidate for t in trained if t.candidate not in order]
    if unknown:
        raise RequestError(f"{context.spec.name} has no candidate {', '.join(unknown)}.")
    sign = 1.0 if METRICS[context.spec.train.metric].greater_is_better else -1.0
    fit = [(sign * t.cv_score, t) for t in trained if t.cv_score is not None and isfinite(t.cv_score) and not order[t.candidate][1]]
    return max(fit, key=lambda found: (found[0], -order[found[1].candidate][0]))[1] if fit else None


def _judged(context: Context, request: GateRequest, champion: Champion | None) -> Judged:
    from pipelines.science.gates import Facts, Opponent, judge
    from pipelines.steps import labelled

    best = challenger(context, request.train)
    holdout, interval = labelled.holdout(context, request.features)
    if best is None:
        nobody = Opponent(name="champion" if champion else "dummy", error="there is no challenger")
        facts = Facts(name="", dummy=False, metrics={}, rows=holdout.num_rows, holdout=interval, opponent=nobody)
        return _in_words(judge(facts, context.spec.gate), facts, champion, run_id="", version="")
    facts = _facts(context, best, champion, holdout, interval)
    verdict = judge(facts, context.spec.gate)
    tags = {
        "verdict": "promote" if verdict.promoted else "refuse",
        "candidate": best.candidate,
        "features_revision": request.features.version.revision,
        f"cv_{context.spec.train.metric}": f"{best.cv_score:.6g}",
        "run": request.run,
    }
    registered = context.ports.registry.register(context.spec.name, best.run_id, request.run, context.ports.store.path(best.model), tags)
    return _in_words(verdict, facts, champion, run_id=best.run_id, version=registered.version)


def _facts(context: Context, best: Trained, champion: Champion | None, holdout: pa.Table, interval: Interval) -> Facts:
    """Measure the challenger anew from its predictions, and its opponent on the same rows."""
    from pipelines.science.gates import Facts
    from pipelines.science.metrics import scores
    from pipelines.steps import learn, predictions

    spec = context.spec
    found = predictions.read(context.ports.store, spec, best.predictions, holdout)
    metrics = scores(spec.task, learn.targets(holdout, spec, found.classes), found.score)
    opponent = _versus_champion(context, found, champion, holdout) if champion else _versus_dummy(context, found, holdout)
    dummy = spec.candidate(best.candidate).known.dummy
    return Facts(name=best.candidate, dummy=dummy, metrics=metrics, rows=holdout.num_rows, holdout=interval, opponent=opponent)


def _versus_dummy(context: Context, found: Predictions, holdout: pa.Table) -> Opponent:
    from pipelines.science.gates import Opponent

    return Opponent(name="dummy", comparison=_compared(context, holdout, found.score, found.dummy, found.classes))


def _versus_champion(context: Context, found: Predictions, champion: Champion, holdout: pa.Table) -> Opponent:
    """Answer the held-out rows with the champion's own bundle; whatever goes wrong there is told in words and refuses."""
    from pipelines.bundle.load import open_bundle
    from pipelines.bundle.rows import feed_from_table
    from pipelines.science.gates import Opponent

    try:
        bundle = open_bundle(context.ports.store, champion.bundle)
        theirs = bundle.manifest.inputs
        if theirs.task != context.spec.task:
            raise BadData(f"it does a {theirs.task} task, the spec asks for {context.spec.task}")  # noqa: TRY301 -- told like the others
        answers = bundle.predictor.predict_feed(feed_from_table(theirs.columns, holdout))
        if theirs.task == "multiclass":
            ours, classes = _widened(found.score, found.classes, theirs.classes)
            answers, _ = _widened(answers, theirs.classes, classes)
        else:
            ours, classes, answers = found.score, None, answers[:, 0]
        comparison = _compared(context, holdout, ours, answers, classes)
    except TryAgain:
        raise
    except Exception as error:  # fail closed: no error of the champion's may let a challenger through, nor stop the verdict
        context.log.warning("the champion %s could not be compared", champion.version, exc_info=True)
        return Opponent(name="champion", error=f"{type(error).__name__}: {error}"[:500])
    return Opponent(name="champion", comparison=comparison, fitted_on=bundle.manifest.fitted_on)


def _compared(context: Context, holdout: pa.Table, ours: Array, theirs: Array, classes: list[str] | None) -> Any:
    from pipelines.science.bootstrap import compare
    from pipelines.steps import labelled, learn

    spec = context.spec
    return compare(
        spec.gate.versus_champion.metric,
        learn.targets(holdout, spec, classes),
        challenger=ours,
        opponent=theirs,
        event_times=labelled.times(holdout, spec),
        confidence=spec.gate.versus_champion.confidence,
        seed=spec.train.seed,
    )


def _widened(values: Array, own: list[str] | None, other: list[str] | None) -> tuple[Array, list[str]]:
    """Return the probabilities (n, k) with a column for every class of either model, sorted; what a model does not know has 0."""
    import numpy as np

    classes = sorted({*(own or []), *(other or [])})
    wide = np.zeros((len(values), len(classes)))
    wide[:, [classes.index(name) for name in own or []]] = values
    return wide, classes


def _in_words(verdict: Verdict, facts: Facts, champion: Champion | None, *, run_id: str, version: str) -> Judged:
    return Judged(
        verdict="promote" if verdict.promoted else "refuse",
        reasons=verdict.reasons,
        checks=[Check(name=f.name, passed=f.passed, detail=f.detail) for f in verdict.findings],
        candidate=facts.name,
        run_id=run_id,
        version=version,
        metrics=dict(facts.metrics),
        champion=champion.version if champion else None,
    )


def _told(context: Context, judged: Judged) -> None:
    """Log the verdict so that someone who is woken up understands it."""
    lines = [f"{'PROMOTE' if judged.verdict == 'promote' else 'REFUSE'} {judged.candidate or 'nothing'} (version {judged.version or '-'}):"]
    lines += [f"  [{'pass' if check.passed else 'FAIL'}] {check.name}: {check.detail}" for check in judged.checks]
    context.log.info("%s", "\n".join(lines))
