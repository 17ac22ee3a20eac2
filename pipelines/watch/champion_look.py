"""A look at a window with the champion's eyes, from its rows to the decision."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING

from pipelines.data.batches import read_plan
from pipelines.errors import BadData, TryAgain
from pipelines.science.drift import Decision, decide
from pipelines.science.drift_facts import DriftFacts
from pipelines.science.family_words import find_untrue
from pipelines.tasks import answers_scores, finds_classes, with_article
from pipelines.watch.window import never_judged, rules_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.bundle.manifest import BundleManifest
    from pipelines.bundle.schema import InputSchema
    from pipelines.context import Context
    from pipelines.estimates import WindowEstimate
    from pipelines.intervals import Interval
    from pipelines.ledger import Champion
    from pipelines.refs import Ref
    from pipelines.science.own_metrics import AnyMetric
    from pipelines.watch.before_labels import Watched
    from pipelines.watch.explanation import Explanation
    from pipelines.watch.sides import ChampionReference, Importances, Labelled
    from pipelines.watch.window_rows import WindowSource


@dataclass(frozen=True)
class Observation:
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
    """Evidently's page, without the verdict; None where there is none."""
    explanation: Explanation | None = None
    estimate: WindowEstimate | None = None
    of: int | None = None
    """How many rows the window has, where a sample of them was looked at."""


def observe_window(
    context: Context,
    plan: Ref,
    window: Interval,
    champion: Champion | None,
    *,
    importances: Importances | None = None,
    estimates: bool = False,
) -> Observation:
    """Look at the window with the champion's eyes; what goes wrong is an alarm.

    `plan` names the window's batches (`data.manifests.Plan`).
    `importances` gives what the champion's metric loses without each of the inputs.
    Where it `estimates`, the metric is foretold too, and earlier estimates in the ledger are
    scored.
    """
    from pipelines.watch.window_rows import source_of

    model, rules = context.spec.name, rules_of(context.spec)
    source = source_of(context.ports.store, model, snapshot=context.spec.is_snapshot)
    if champion is None:
        words = f"no version of {model} serves yet, so that there is nothing to compare with"
        return Observation(source, DriftFacts(0), Decision("not_enough_data", [words]))
    try:
        return _compare(
            context,
            plan,
            window,
            champion,
            source,
            importances=importances,
            estimates=estimates,
        )
    except (TryAgain, MemoryError):
        raise
    except (
        Exception
    ) as error:  # fail closed: whatever goes wrong, a person is called, and nothing is retrained
        context.log.warning("the look at the window failed", exc_info=True)
        facts = DriftFacts(
            0, error=f"the look at the window failed: {type(error).__name__}: {error}"
        )
        return Observation(source, facts, decide(facts, rules), champion.version)


def _compare(
    context: Context,
    plan_ref: Ref,
    window: Interval,
    champion: Champion,
    source: WindowSource,
    *,
    importances: Importances | None,
    estimates: bool,
) -> Observation:
    from pipelines.bundle.load import open_bundle
    from pipelines.watch.batch_rows import batch_rows
    from pipelines.watch.before_labels import Watched
    from pipelines.watch.comparison import look
    from pipelines.watch.explanation import explain_window, with_cause
    from pipelines.watch.traffic_rows import traffic_rows

    spec, store, rules = context.spec, context.ports.store, rules_of(context.spec)
    bundle = open_bundle(store, champion.bundle, context.settings)
    baseline = reference_of(context, champion.version, bundle.manifest)
    plan = read_plan(store, plan_ref)
    observe = traffic_rows if source == "traffic" else batch_rows
    sample = observe(context, plan, window, bundle)
    comparison = look(
        rules,
        sample.window,
        sample.labelled,
        baseline,
        seed=spec.train.seed,
        with_page=context.settings.evidently,
    )
    never = never_judged(spec, window.end - window.start)
    found = comparison.facts.whole or comparison.facts.changes
    explained = explain_window(
        context,
        bundle,
        sample,
        baseline,
        least=rules.min_rows,
        changes=found,
        claims=find_untrue(comparison.facts.families),
        importances=importances,
    )
    untold = [explained] if isinstance(explained, str) and explained else []
    broken = "; ".join(comparison.facts.broken) or comparison.facts.error or sample.problem
    watched = Watched(
        champion.version,
        window,
        plan_ref,
        sample,
        baseline,
        lambda then, span: observe(
            context, read_plan(store, then.plan), span, bundle, known_by=window.end
        ),
        broken,
    )
    estimate = _foretell(context, watched) if estimates else None
    untold += [estimate] if isinstance(estimate, str) else []
    notes = [*comparison.facts.notes, *sample.notes, *([never] if never else []), *untold]
    facts = replace(comparison.facts, error=comparison.facts.error or sample.problem, notes=notes)
    decision = with_cause(decide(facts, rules), explained)
    return Observation(
        source,
        facts,
        decision,
        champion.version,
        baseline.expected,
        asdict(sample.counts),
        comparison.evidently,
        None if isinstance(explained, str) else explained,
        None if isinstance(estimate, str) else estimate,
        sample.of,
    )


def _foretell(context: Context, watched: Watched) -> WindowEstimate | str | None:
    """Return the estimate of the window, or in words why it failed: it must hide no verdict."""
    from pipelines.watch.before_labels import estimate_window

    try:
        return estimate_window(context, watched)
    except (TryAgain, MemoryError):
        raise
    except Exception as error:
        context.log.warning("the metric could not be estimated", exc_info=True)
        words = f"{type(error).__name__}: {error}"[:400]
        return f"the metric could not be estimated before labels are known: {words}"


def reference_of(context: Context, version: str, manifest: BundleManifest) -> ChampionReference:
    """Return what a version learnt from and promised.

    Raises BadData where it does another task, or its bundle does not say.
    """
    from pipelines.watch import reference
    from pipelines.watch.sides import ChampionReference, Rows

    spec = context.spec
    if manifest.inputs.task != spec.task:
        raise BadData(
            f"version {version} does {with_article(manifest.inputs.task)}, the spec"
            f" asks for {spec.task}"
        )
    if manifest.reference is None:
        raise BadData(
            f"the bundle of version {version} holds no reference to compare with: it was"
            " packaged before models were watched",
            remedy="retrain the model once.",
        )
    learnt = reference.read(context.ports.store, manifest.reference, manifest.inputs)
    score = manifest.metrics.get(spec.train.metric)
    return ChampionReference(
        manifest.inputs,
        Rows(
            learnt.inputs,
            learnt.predictions,
            event_times=learnt.held_times,
            times=learnt.times,
        ),
        spec.train.metric,
        score if score is not None and isfinite(score) else None,
        spec.task,
        manifest.threshold_value,
        _measure(context, manifest.inputs),
        rate=manifest.threshold.rate if manifest.threshold else None,
        calibrated_on=manifest.threshold.rows if manifest.threshold else 0,
        span=spec.alike.span,
        held=learnt.held,
        judged=learnt.judged,
        share=min(1.0, learnt.inputs.num_rows / max(manifest.learnt_of or manifest.rows, 1)),
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
