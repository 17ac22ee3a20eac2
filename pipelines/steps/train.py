"""Train one candidate: search its settings over folds in time, fit the best on the training rows,
and score the holdout once.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.checkout import commit_of
from pipelines.context import Context
from pipelines.errors import RequestError
from pipelines.intervals import iso
from pipelines.messages import TrainRequest, TrainResult
from pipelines.refs import digest, sha256
from pipelines.spec.automl import REASONS, why_skipped
from pipelines.store.results import once
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.bundle.schema import InputSchema
    from pipelines.spec import Candidate, Spec
    from pipelines.training.search import SearchResult

SEARCHES = "searches"
"""The folder of the state in which a search that is killed leaves what it has found."""
KEPT = 14 * 86_400.0
"""Seconds after which it is removed though nobody resumed it."""
NAMED = 10
"""Classes that the log names at most."""


def run(context: Context, request: TrainRequest) -> TrainResult:
    """Return the trained candidate: once per run, candidate, features version, plan and code.

    Raises RequestError for an unknown candidate, SpecError for a parameter that the estimator does
    not take, BadData where there is nothing to learn.
    """
    spec, features = context.spec, request.features
    try:
        candidate = spec.candidate(request.candidate)
    except KeyError as error:
        raise RequestError(
            f"{spec.name} has no candidate {request.candidate!r}.",
            remedy=f"one of {[c.name for c in spec.candidates]}.",
        ) from error
    key = digest(
        request.run,
        candidate,
        features.version,
        features.plan,
        iso(features.as_of),
        context.code,
        spec.train,
        *([spec.target.positive] if spec.target.positive is not None else []),
    )
    with limit_threads(context.settings.threads):
        result = once(
            context.ports.store,
            "train",
            key,
            TrainResult,
            lambda: _train(context, request, candidate, key),
        )
    _clear_searches(context.settings.state / SEARCHES, key)
    return result


def _clear_searches(folder: Path, done: str) -> None:
    """Remove what the search left to be resumed from, and what nobody resumed for weeks."""
    if not folder.is_dir():
        return
    for each in folder.iterdir():
        with contextlib.suppress(OSError):  # another process may have removed it
            if each.name == done or time.time() - each.stat().st_mtime > KEPT:
                shutil.rmtree(each)


def _train(context: Context, request: TrainRequest, candidate: Candidate, key: str) -> TrainResult:
    import numpy as np
    from skops import io

    from pipelines.data import labelled_rows
    from pipelines.data.sides import sides_of
    from pipelines.science.metrics import scores
    from pipelines.training import estimators, predictions
    from pipelines.training.fitting import fit_pipeline
    from pipelines.training.float32 import merged_inputs
    from pipelines.training.folds import search_folds
    from pipelines.training.preparation import prepare, unseen_classes
    from pipelines.training.search import record, search
    from pipelines.training.search.nested import nested_scores

    spec, log, began = context.spec, context.log, time.perf_counter()
    split = labelled_rows.split(context, request.features)
    rows = prepare(split.train, split.holdout, spec)
    classes, schema, y, truth = rows.classes, rows.schema, rows.y, rows.truth
    for warning in (unseen_classes(rows, spec), merged_inputs(rows.train, spec.features.inputs)):
        if warning:
            log.warning("%s", warning)
    inputs = rows.inputs
    if said := split.counts.in_words(spec):
        log.info("%s", said)
    log.info(
        "%s: %d rows to learn from, %d held out, %d inputs",
        candidate.name,
        len(y),
        len(truth),
        len(schema.columns),
    )
    if spec.is_snapshot and spec.task != "regression":
        log.info("%s: %s", candidate.name, _class_shares(y, truth, classes))
    if why := _why_skipped(spec, candidate, len(y)):
        return _skip(context, request, candidate, key, why, rows=(len(y), len(truth)))
    folds = search_folds(spec, rows.train, y)
    pipeline = estimators.build_pipeline(candidate, schema, spec.train.seed, candidate.params)
    result = search(
        pipeline,
        candidate,
        spec,
        inputs=inputs,
        y=y,
        folds=folds,
        log=log,
        folder=context.settings.state / SEARCHES / key,
    )
    outer = []
    if spec.train.nested and candidate.search:
        outer = nested_scores(
            pipeline, candidate, spec, rows=rows.train, inputs=inputs, y=y, folds=folds, log=log
        )
    model = fit_pipeline(
        estimators.build_pipeline(candidate, schema, spec.train.seed, result.params),
        inputs,
        y,
        candidate,
        log,
    )

    answers = estimators.answers(model, estimators.frame(schema, rows.holdout), spec.task, classes)
    dummy = estimators.constant(y, spec.task, spec.gate.versus_champion.metric, len(truth), classes)
    metrics = scores(spec.task, truth, answers, also=spec.metrics)
    log.info("%s: %d settings tried, holdout %s", candidate.name, len(result.settings), metrics)
    store = context.ports.store
    reference = predictions.write(
        store, spec, rows.holdout, score=answers, dummy=dummy, classes=classes
    )
    model_ref = store.put(io.dumps(model), ".skops")
    row_counts: dict[str, float | None] = {
        "rows_train": len(y),
        "rows_holdout": len(truth),
        "rows_waiting_for_label": split.counts.waiting,
        "rows_without_label": split.counts.missing,
    }
    metric = spec.train.metric
    nested, nested_spread = (float(f(outer)) if outer else None for f in (np.mean, np.std))
    figures = {
        f"cv_{metric}": result.score,
        f"cv_{metric}_spread": result.spread,
        f"cv_nested_{metric}": nested,
        f"cv_nested_{metric}_spread": nested_spread,
        **row_counts,
    }
    run_id = _log_run(context, request, candidate, result, metrics, figures, key)
    if not candidate.declaration.dummy:
        _attach_plots(
            context, run_id, candidate, result, (model, schema, rows.holdout, truth, answers)
        )
    return TrainResult(
        candidate=candidate.name,
        run_id=run_id,
        estimator=candidate.estimator,
        params=result.params,
        settings_tried=len(result.settings),
        cv_score=result.score,
        fold_scores=result.fold_scores,
        tested=result.tested,
        cv_nested=nested,
        cv_nested_spread=nested_spread,
        trials=store.put(record.write(spec, folds, result), ".json"),
        search_ended_by=result.ended_by,
        metrics=metrics,
        rows_train=len(y),
        rows_holdout=len(truth),
        rows_waiting=split.counts.waiting,
        rows_without_label=split.counts.missing,
        fitted_on=None if spec.is_snapshot else labelled_rows.span(rows.train, spec),
        sides=sides_of(spec) if spec.is_snapshot else None,
        predictions=reference,
        model=model_ref,
        seconds=round(time.perf_counter() - began, 3),
    )


def _why_skipped(spec: Spec, candidate: Candidate, rows: int) -> str:
    if not spec.is_proposed(candidate.name):
        return ""
    return why_skipped(candidate.name, rows, len(spec.features.inputs))


def _skip(
    context: Context,
    request: TrainRequest,
    candidate: Candidate,
    key: str,
    why: str,
    rows: tuple[int, int],
) -> TrainResult:
    """Return the result of a candidate that is not trained, and record why."""
    from pipelines.training.search import SearchResult

    context.log.warning("%s is skipped: %s", candidate.name, why)
    nothing = SearchResult(params=dict(candidate.params), score=None, spread=None)
    run_id = _log_run(context, request, candidate, nothing, {}, {}, key)
    context.ports.registry.log(run_id, params={}, metrics={}, tags={"skipped": why})
    note = context.ports.store.put(json.dumps({"skipped": why}).encode(), ".json")
    return TrainResult(
        candidate=candidate.name,
        run_id=run_id,
        estimator=candidate.estimator,
        params=dict(candidate.params),
        settings_tried=0,
        cv_score=None,
        skipped=why,
        metrics={},
        rows_train=rows[0],
        rows_holdout=rows[1],
        predictions=note,
        model=note,
        seconds=0.0,
    )


def _class_shares(y: Any, truth: Any, classes: list[str] | None) -> str:
    """Return in words how the classes are shared out, which chance decides on a snapshot."""
    names = (classes or ["0", "1"])[:NAMED]
    shares = [
        f"{name} {(y == i).mean():.1%} and {(truth == i).mean():.1%}"
        for i, name in enumerate(names)
    ]
    return "shares among the rows to learn from and the held-out ones: " + ", ".join(shares)


def _log_run(
    context: Context,
    request: TrainRequest,
    candidate: Candidate,
    result: SearchResult,
    metrics: dict[str, float | None],
    figures: dict[str, float | None],
    key: str,
) -> str:
    """Write the candidate's run into the registry and return its id.

    The same again changes nothing.
    """
    spec, features, registry = context.spec, request.features, context.ports.registry
    tags = {
        "run": request.run,
        "candidate": candidate.name,
        "estimator": candidate.estimator,
        "git_commit": commit_of(context.settings.home) or "unknown",
        "lock_sha256": _lock_hash(context.settings.home),
        "code_sha256": context.code,
        "features_revision": features.version.revision,
        "features_sha256": features.version.sha256,
        "seed": str(spec.train.seed),
        "as_of": iso(features.as_of),
        **context.environment_tags,
        **context.image,
    }
    if spec.is_proposed(candidate.name):
        tags["proposed_because"] = REASONS[candidate.name]
    run_id = registry.child(spec.name, features.parent_run, key, candidate.name, tags)
    values: dict[str, float | None] = {f"holdout_{name}": value for name, value in metrics.items()}
    values |= figures
    numbers = {name: float(value) for name, value in values.items() if value is not None}
    params = {name: str(value) for name, value in result.params.items()}
    registry.log(
        run_id,
        params=params,
        metrics={**numbers, "settings_tried": float(len(result.settings))},
        tags=tags,
    )
    return run_id


def _attach_plots(
    context: Context,
    run_id: str,
    candidate: Candidate,
    result: SearchResult,
    judged: tuple[Any, InputSchema, pa.Table, Any, Any],
) -> None:
    """Attach the search's table and the plots to the candidate's run."""
    from pipelines.data import labelled_rows
    from pipelines.training import plots

    model, schema, holdout, truth, answers = judged
    spec = context.spec
    with tempfile.TemporaryDirectory(prefix="perennial-plots-") as folder:
        files = [plots.table(Path(folder), result.settings)]
        files += plots.holdout(
            Path(folder), spec, truth, answers, labelled_rows.times(holdout, spec)
        )
        files += plots.importance(Path(folder), spec, model, schema, holdout, truth)
        if candidate.search:
            files += plots.search(Path(folder), spec, result.settings)
        for file in files:
            context.ports.registry.attach(
                run_id, file, "plots" if file.suffix == ".png" else "search"
            )


def _lock_hash(home: Path) -> str:
    lock = home / "requirements.txt"
    return sha256(lock.read_bytes()) if lock.is_file() else "unknown"
