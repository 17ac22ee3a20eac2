"""`drift`: look at a window and give the verdict, once per run.

Into the ledger, then onto its pages, MLflow and Prometheus.

An exception on the way is an alarm, as is a champion that cannot be opened; only a service that is
away is an error (and may be retried). What follows from the verdict is made from the ledger's
entry, so a retry finishes what a kill left undone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipelines.airflow_pages import command_of_page
from pipelines.context import Context
from pipelines.errors import RequestError
from pipelines.intervals import Interval
from pipelines.ledger import DriftCheck, outcomes
from pipelines.messages import DriftRequest, DriftResult
from pipelines.refs import canonical, digest
from pipelines.science.drift import is_worse
from pipelines.store.drift_figures import DriftFigures, publish_figures
from pipelines.store.pages import publish_kept, publish_page
from pipelines.watch.champion_look import Observation, observe_window
from pipelines.watch.evidently_page import keep_page
from pipelines.watch.explained_result import told
from pipelines.watch.registry_run import log_run, open_run
from pipelines.watch.short_texts import fit_within, shorten
from pipelines.watch.window import rules_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.ledger import Champion
    from pipelines.store.page_parts import PageRef


REASONS, NAMES = 3_000, 1_500
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
    from pipelines.watch.broken_batches import NOTHING, enter_findings, look_at_batches

    spec, store, window = context.spec, context.ports.store, request.ingest.window
    if window is None:
        raise RequestError(
            f"The run {request.run} ingested no window.", remedy="ingest with the purpose `drift`."
        )
    importances = partial(_importances, context, champion) if champion else None
    observation = observe_window(
        context, request.ingest.plan, window, champion, importances=importances, estimates=True
    )
    findings = look_at_batches(context, request, champion, observation) if champion else NOTHING
    told_reasons = [*observation.decision.reasons, *findings.reasons(spec.name)]
    decision = replace(observation.decision, reasons=told_reasons)
    observation = replace(observation, decision=decision)
    facts, live = observation.facts, observation.facts.performance
    figures = store.put(canonical(_figures(context, request.run, window, observation)), ".json")
    result = DriftResult(
        verdict=observation.decision.verdict,
        reasons=shorten(observation.decision.reasons, REASONS),
        window=window,
        source=observation.source,
        rows=facts.rows,
        labelled=_count_labelled(context, observation),
        champion=observation.champion,
        metric=spec.train.metric,
        live=live.live if live else None,
        expected=observation.expected,
        columns=len(facts.columns),
        drifted=fit_within(facts.drifted_names, NAMES),
        figures=figures,
        page=store.put(_render_page(context, request.run, window, observation), ".html"),
        run_id=open_run(context, request.run, window) if observation.champion else "",
        **told(observation.explanation),
        **({"estimate": observation.estimate} if observation.estimate else {}),
        **({"of": observation.of} if observation.of else {}),
    )
    enter_findings(context, findings, observation, window, result.page)
    return DriftCheck(
        **result.model_dump(exclude_unset=True),
        evidently=keep_page(store, observation.evidently, observation.decision, request.run)
        if observation.evidently
        else None,
        inputs=inputs,
        failed=bool(facts.error),
    )


def _importances(
    context: Context, champion: Champion, inputs: Sequence[str]
) -> dict[str, float] | None:
    from pipelines.cards.importances import find_importances

    ports = context.ports
    return find_importances(ports.ledger, ports.store, context.spec.name, champion.version, inputs)


def _count_labelled(context: Context, observation: Observation) -> int | None:
    """Return how many rows have a label; None where the model has no target to have one of."""
    return observation.counts.get("labelled", 0) if context.spec.has_target else None


def _figures(
    context: Context, run: str, window: Interval, observation: Observation
) -> dict[str, Any]:
    """Return everything that was found as plain JSON; what is not finite is null."""
    rows, labelled = observation.facts.rows, _count_labelled(context, observation)
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
            "worse": is_worse(observation.facts),
            "counts": observation.counts,
            **({"of": observation.of} if observation.of else {}),
            "coverage": None if labelled is None else labelled / rows if rows else 0.0,
            "facts": asdict(observation.facts),
            "explanation": asdict(observation.explanation) if observation.explanation else None,
            "estimate": observation.estimate.model_dump(mode="json")
            if observation.estimate
            else None,
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


def _render_page(context: Context, run: str, window: Interval, observation: Observation) -> bytes:
    """Return the HTML page; Evidently's stands beside it, one folder over."""
    from pipelines.watch.estimate_page import render_estimate
    from pipelines.watch.estimate_record import read_record
    from pipelines.watch.explanation import render_explanation
    from pipelines.watch.page import About, render

    about = About(
        model=context.spec.name,
        window=window,
        source=observation.source,
        champion=observation.champion,
        labelled=_count_labelled(context, observation),
        counts={
            _COUNTED[name]: number
            for name, number in observation.counts.items()
            if name in _COUNTED and number
        },
    )
    before_labels = ""
    if observation.champion and observation.estimate:
        before_labels = render_estimate(
            observation.estimate,
            read_record(context.ports.ledger, context.spec.name, observation.champion, window),
            window,
            observation.expected,
        )
    href = f"../evidently/{quote(run, safe='')}" if observation.evidently else None
    was_off = not context.settings.evidently and bool(observation.facts.columns)
    return render(
        about,
        observation.facts,
        observation.decision,
        rules_of(context.spec),
        href=href,
        how_to_make=command_of_page(context.spec.name, run) if was_off else "",
        explanation=render_explanation(observation.explanation),
        before_labels=before_labels,
    ).encode()


def _publish(context: Context, run: str, result: DriftResult, evidently: PageRef | None) -> None:
    """Publish the pages and figures and log the run; all of it once, however often it is called.

    A page of Evidently's that was removed since stays so: `perennial drift --page-of` makes it
    again.
    """
    store, model = context.ports.store, context.spec.name
    figures = json.loads(store.get(result.figures))
    publish_page(store, model=model, kind="drift", run=run, page=store.get(result.page))
    if evidently is not None and not outcomes.find_removal(context.ports.ledger, model, run):
        publish_kept(store, model=model, kind="evidently", run=run, page=evidently)
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
            cause=result.cause.kind if result.cause else "",
            effect=result.effect.follows if result.effect else "",
        ),
    )
    if result.run_id:
        log_run(context, run, result, figures, evidently=evidently is not None)
