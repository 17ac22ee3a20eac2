"""`drift`: look at a window and give the verdict, once per run.

Into the ledger, then onto its pages, MLflow and Prometheus.

An exception on the way is an alarm, as is a champion that cannot be opened; only a service that is
away is an error (and may be retried). What follows from the verdict is made from the ledger's
entry, so a retry finishes what a kill left undone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipelines.context import Context
from pipelines.data.batches import read_plan
from pipelines.errors import BadData, RequestError, TryAgain
from pipelines.intervals import Interval
from pipelines.ledger import DriftCheck, outcomes
from pipelines.messages import DriftRequest, DriftResult
from pipelines.refs import Ref, canonical, digest
from pipelines.science.drift import Decision, DriftFacts, decide
from pipelines.store.drift_figures import DriftFigures, publish_figures
from pipelines.store.pages import publish_page
from pipelines.tasks import answers_scores, finds_classes, with_article
from pipelines.watch.registry_run import log_run, open_run
from pipelines.watch.window import never_judged, rules_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipelines.bundle.schema import InputSchema
    from pipelines.ledger import Champion
    from pipelines.science.own_metrics import AnyMetric
    from pipelines.watch.observations import WindowSource
    from pipelines.watch.sides import Labelled


REASONS, NAMES = 3_000, 2_000
"""Bytes (as JSON) of the reasons and of the drifted inputs' names in a result.

The figures and the page hold all.
"""

_COUNTED = {
    "predicted": "predictions",
    "duplicates": "asked again",
    "after_label": "answered after their label",
    "ahead": "far ahead of their answer",
    "contradicting": "contradicting labels",
    "torn": "torn lines",
    "damaged": "damaged places",
}
"""What the page calls the counts that are not 0."""


@dataclass(frozen=True)
class _Observation:
    """What was found, before it is written down.

    `counts` as in `inference.joined`, empty where nothing could be counted.
    """

    source: WindowSource
    facts: DriftFacts
    decision: Decision
    champion: str | None = None
    expected: float | None = None
    counts: dict[str, int] = field(default_factory=dict)
    evidently: bytes | None = None


def run(context: Context, request: DriftRequest) -> DriftResult:
    """Return the verdict of this run; a retry finds the one in the ledger.

    A run that is cleared looks again where its data, the champion or the model's code are others by
    then, or where the look itself had failed, and enters what it finds beside the earlier verdict.
    Raises RequestError where the run ingested no window or the spec has no `drift`.
    """
    spec, ledger = context.spec, context.ports.ledger
    rules_of(spec)
    champion = ledger.champion(spec.name)
    inputs = digest(
        request.ingest.plan, request.ingest.window, champion and champion.version, context.code
    )

    def same(check: DriftCheck) -> bool:
        return check.inputs == inputs and not check.failed

    entry = outcomes.newest(ledger, spec.name, "drift", request.run)
    check = entry.decision if entry is not None else None
    if not isinstance(check, DriftCheck) or not same(check):
        outcome = _judge_window(context, request, champion, inputs)
        check = outcomes.append_changed(ledger, spec.name, request.run, outcome, same)
    result = check.part(DriftResult)
    _publish(context, request.run, result, check.evidently)
    return result


def _judge_window(
    context: Context, request: DriftRequest, champion: Champion | None, inputs: str
) -> DriftCheck:
    """Look at the window, store what was found, and return what the ledger shall hold."""
    spec, store, window = context.spec, context.ports.store, request.ingest.window
    if window is None:
        raise RequestError(
            f"The run {request.run} ingested no window.", remedy="ingest with the purpose `drift`."
        )
    observation = _observe(context, request, window, champion)
    facts, live = observation.facts, observation.facts.performance
    figures = store.put(canonical(_figures(context, request.run, window, observation)), ".json")
    result = DriftResult(
        verdict=observation.decision.verdict,
        reasons=shorten(observation.decision.reasons, REASONS),
        window=window,
        source=observation.source,
        rows=facts.rows,
        labelled=observation.counts.get("labelled", 0),
        champion=observation.champion,
        metric=spec.train.metric,
        live=live.live if live else None,
        expected=observation.expected,
        columns=len(facts.columns),
        drifted=fit_within(facts.drifted, NAMES),
        figures=figures,
        page=store.put(_render_page(context, request.run, window, observation), ".html"),
        run_id=open_run(context, request.run, window) if observation.champion else "",
    )
    return DriftCheck(
        **result.model_dump(),
        evidently=store.put(observation.evidently, ".html") if observation.evidently else None,
        inputs=inputs,
        failed=bool(facts.error),
    )


def _observe(
    context: Context, request: DriftRequest, window: Interval, champion: Champion | None
) -> _Observation:
    """Look at the window with the champion's eyes; what goes wrong is an alarm."""
    from pipelines.watch.observations import source_of

    model, rules = context.spec.name, rules_of(context.spec)
    source = source_of(context.ports.store, model, snapshot=context.spec.is_snapshot)
    if champion is None:
        words = f"no version of {model} serves yet, so that there is nothing to compare with"
        return _Observation(source, DriftFacts(0), Decision("not_enough_data", [words]))
    try:
        return _compare(context, request, window, champion, source)
    except (TryAgain, MemoryError):
        raise
    except (
        Exception
    ) as error:  # fail closed: whatever goes wrong, a person is called, and nothing is retrained
        context.log.warning("the look at the window failed", exc_info=True)
        facts = DriftFacts(
            0, error=f"the look at the window failed: {type(error).__name__}: {error}"
        )
        return _Observation(source, facts, decide(facts, rules), champion.version)


def _compare(
    context: Context,
    request: DriftRequest,
    window: Interval,
    champion: Champion,
    source: WindowSource,
) -> _Observation:
    from pipelines.bundle.load import open_bundle
    from pipelines.watch import observations, reference
    from pipelines.watch.comparison import look
    from pipelines.watch.evidently_page import add_verdict
    from pipelines.watch.sides import ChampionReference, Rows

    spec, store, rules = context.spec, context.ports.store, rules_of(context.spec)
    bundle = open_bundle(store, champion.bundle, context.settings)
    manifest = bundle.manifest
    if manifest.inputs.task != spec.task:
        raise BadData(
            f"version {champion.version} does {with_article(manifest.inputs.task)}, the spec"
            f" asks for {spec.task}"
        )
    if manifest.reference is None:
        raise BadData(
            f"the bundle of version {champion.version} holds no reference to compare with: it was"
            " packaged before models were watched",
            remedy="retrain the model once.",
        )
    learnt = reference.read(store, manifest.reference, manifest.inputs)
    holdout_score = manifest.metrics.get(spec.train.metric)
    holdout_score = holdout_score if holdout_score is not None and isfinite(holdout_score) else None
    baseline = ChampionReference(
        manifest.inputs,
        Rows(learnt.inputs, learnt.predictions),
        spec.train.metric,
        holdout_score,
        spec.task,
        manifest.threshold_value,
        _measure(context, manifest.inputs),
        rate=manifest.threshold.rate if manifest.threshold else None,
        calibrated_on=manifest.threshold.rows if manifest.threshold else 0,
    )
    plan = read_plan(store, request.ingest.plan)
    observe = observations.traffic if source == "traffic" else observations.batches
    sample = observe(context, plan, window, bundle)
    comparison = look(rules, sample.window, sample.labelled, baseline, seed=spec.train.seed)
    never = never_judged(spec, window.end - window.start)
    notes = [*comparison.facts.notes, *sample.notes, *([never] if never else [])]
    facts = replace(comparison.facts, error=comparison.facts.error or sample.problem, notes=notes)
    decision = decide(facts, rules)
    evidently = (
        add_verdict(comparison.evidently, decision, href=f"../drift/{quote(request.run, safe='')}")
        if comparison.evidently
        else None
    )
    return _Observation(
        source, facts, decision, champion.version, holdout_score, asdict(sample.counts), evidently
    )


def _sees_rows(context: Context) -> bool:
    """Tell whether the metric looks at the rows: the model's own, or one of clusters."""
    spec = context.spec
    return spec.train.metric in spec.own_metrics or finds_classes(spec.task)


def _measure(context: Context, champion: InputSchema) -> Callable[[Labelled], AnyMetric]:
    """Return what scores a window's labelled rows by train.metric.

    Of quantiles the champion's own levels count.
    """
    from pipelines.science.own_metrics import Measures
    from pipelines.training.own_metrics import measure_rows

    levels, metric = tuple(champion.levels or ()), context.spec.train.metric
    if not _sees_rows(context):
        measures = Measures(levels=levels, of_scores=answers_scores(champion.task))
        return lambda _: measures.find(metric)

    def measure(labelled: Labelled) -> AnyMetric:
        rows = labelled.inputs
        if rows is None:
            raise BadData("the labelled rows have no inputs, which the model's own metric sees")
        return measure_rows(context, rows, labelled.y, labelled.classes, levels).find(metric)

    return measure


def _figures(
    context: Context, run: str, window: Interval, observation: _Observation
) -> dict[str, Any]:
    """Return everything that was found as plain JSON; what is not finite is null."""
    rows = observation.facts.rows
    figures: dict[str, Any] = _plain(
        {
            "format": 1,
            "model": context.spec.name,
            "run": run,
            "window": window.model_dump(mode="json"),
            "source": observation.source,
            "champion": observation.champion,
            "verdict": observation.decision.verdict,
            "reasons": observation.decision.reasons,
            "metric": context.spec.train.metric,
            "expected": observation.expected,
            "counts": observation.counts,
            "coverage": observation.counts.get("labelled", 0) / rows if rows else 0.0,
            "facts": asdict(observation.facts),
        }
    )
    return figures


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    return value


def _render_page(context: Context, run: str, window: Interval, observation: _Observation) -> bytes:
    """Return the HTML page; Evidently's stands beside it, one folder over."""
    from pipelines.watch.page import About, render

    about = About(
        model=context.spec.name,
        window=window,
        source=observation.source,
        champion=observation.champion,
        labelled=observation.counts.get("labelled", 0),
        counts={
            _COUNTED[name]: number
            for name, number in observation.counts.items()
            if name in _COUNTED and number
        },
    )
    href = f"../evidently/{quote(run, safe='')}" if observation.evidently else None
    return render(
        about, observation.facts, observation.decision, rules_of(context.spec), href=href
    ).encode()


def _publish(context: Context, run: str, result: DriftResult, evidently: Ref | None) -> None:
    """Publish the pages and figures and log the run; all of it once, however often it is called."""
    store, model = context.ports.store, context.spec.name
    figures = json.loads(store.get(result.figures))
    publish_page(store, model=model, kind="drift", run=run, page=store.get(result.page))
    if evidently is not None:
        publish_page(store, model=model, kind="evidently", run=run, page=store.get(evidently))
    publish_figures(
        store,
        model,
        DriftFigures(
            verdict=result.verdict,
            window_end=result.window.end,
            rows=result.rows,
            labelled=result.labelled,
            coverage=figures["coverage"],
            drifted=sum(c["drifted"] for c in figures["facts"]["columns"]),
            columns=result.columns,
            metric=result.metric,
            live=result.live,
            expected=result.expected,
        ),
    )
    if result.run_id:
        log_run(context, result, evidently, figures)


def fit_within(texts: Iterable[str], limit: int) -> list[str]:
    """Return the first texts that fit into `limit` bytes as JSON."""
    head: list[str] = []
    for text in texts:
        limit -= _size(text) + 2
        if limit < 0:
            break
        head.append(text)
    return head


def shorten(texts: list[str], limit: int) -> list[str]:
    """Return the texts so that they fit into about `limit` bytes as JSON.

    What is left out is told.
    """
    short_texts = [
        t if _size(t) <= limit // 4 else t[: limit // 24] + "…" for t in texts
    ]  # escaped, a character takes up to six bytes
    head = fit_within(short_texts, limit)
    return (
        head
        if len(head) == len(texts)
        else [*head, f"… and {len(texts) - len(head)} more; the page shows all"]
    )


def _size(text: str) -> int:
    return len(json.dumps(text))
