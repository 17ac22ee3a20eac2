"""Train one candidate: search its settings over folds in time, fit the best on the training rows,
and score the holdout once.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.checkout import commit_of
from pipelines.context import Context
from pipelines.errors import RequestError
from pipelines.intervals import iso
from pipelines.messages import TrainRequest, TrainResult
from pipelines.refs import canonical, digest, sha256
from pipelines.spec.automl import REASONS, why_skipped
from pipelines.store.results import once
from pipelines.tasks import classifies
from pipelines.training.search_state import SEARCHES, clear
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.bundle.schema import InputSchema
    from pipelines.messages import Threshold
    from pipelines.science.own_metrics import Measures
    from pipelines.spec import Candidate, Spec
    from pipelines.training.decision_threshold import Chosen
    from pipelines.training.own.process import CodeProcess
    from pipelines.training.preparation import Prepared
    from pipelines.training.search import Ground, SearchResult

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
        *candidate.parts,
        features.version,
        features.plan,
        iso(features.as_of),
        context.code,
        spec.train,
        *([spec.target.positive] if spec.target.positive is not None else []),
    )

    def train() -> TrainResult:
        from pipelines.training.own.process import own_code_of

        with own_code_of(context) as own:
            return _train(context, request, candidate, key, own)

    with limit_threads(context.settings.threads):
        result = once(context.ports.store, "train", key, TrainResult, train)
    clear(context.settings.state / SEARCHES, key)
    return result


def _train(
    context: Context,
    request: TrainRequest,
    candidate: Candidate,
    key: str,
    own: CodeProcess | None,
) -> TrainResult:
    from pipelines.bundle.rows import feed_from_table
    from pipelines.data import labelled_rows
    from pipelines.data.sides import sides_of
    from pipelines.science.metrics import scores
    from pipelines.training import backtest, estimators, predictions
    from pipelines.training.clusters.names import found_classes
    from pipelines.training.contract import check_contract
    from pipelines.training.decision_threshold import FoldedRows, choose
    from pipelines.training.fitting import fit_pipeline
    from pipelines.training.folds import search_folds
    from pipelines.training.naive import stand_in
    from pipelines.training.own_metrics import measure_rows
    from pipelines.training.preparation import prepare
    from pipelines.training.search import Ground, record, search
    from pipelines.training.storing import code_of, dump, prove_stored

    spec, log, began = context.spec, context.log, time.perf_counter()
    split = labelled_rows.split(context, request.features)
    rows = prepare(split.train, split.holdout, spec)
    classes, schema, y, truth = rows.classes, rows.schema, rows.y, rows.truth
    inputs = rows.inputs
    _log_rows(context, candidate, rows, split.counts.in_words(spec))
    if why := _why_skipped(spec, candidate, len(y)):
        return _skip(context, request, candidate, key, why, rows=(len(y), len(truth)))
    folds = search_folds(spec, rows.train, y)
    pipeline = estimators.build_pipeline(candidate, schema, spec.train.seed, candidate.params, own)
    check_contract(
        candidate,
        lambda: estimators.build_pipeline(
            candidate, schema, spec.train.seed, candidate.params, own
        ),
        inputs,
        y,
        task=spec.task,
        log=log,
    )
    measures = measure_rows(context, rows.train, y, classes)
    ground = Ground(
        pipeline, candidate, spec, inputs, y, folds, log, schema, rows.weights, measures
    )
    result = search(ground, folder=context.settings.state / SEARCHES / key)
    nested, nested_spread = _nested(ground, rows.train)
    folded = FoldedRows(schema, inputs, y, folds, measures, own, result.out_of_fold)
    chosen = choose(spec, candidate, result.params, folded, log)
    model = fit_pipeline(
        estimators.build_pipeline(candidate, schema, spec.train.seed, result.params, own),
        inputs,
        y,
        candidate,
        log,
        weights=rows.weights,
    )

    answers = estimators.answers(model, estimators.frame(schema, rows.holdout), spec.task, classes)
    classes = found_classes(model, spec.task) or classes
    dummy = stand_in(rows.holdout, spec, y, classes)
    held_out = measure_rows(context, rows.holdout, truth, classes)
    metrics = scores(
        spec.task,
        truth,
        answers,
        also=spec.metrics,
        own=held_out.own.values(),
        threshold=chosen.value,
    )
    log.info("%s: %d settings tried, holdout %s", candidate.name, len(result.settings), metrics)
    store = context.ports.store
    reference = predictions.write(
        store, spec, rows.holdout, score=answers, dummy=dummy, classes=classes
    )
    native, code = dump(model), code_of(model)
    prove_stored(model, schema, native, feed_from_table(schema.columns, rows.holdout))
    model_ref = store.put(native, ".skops")
    code_ref = store.put(canonical(code), ".json") if code else None
    figures = {
        "rows_train": len(y),
        "rows_holdout": len(truth),
        "rows_waiting_for_label": split.counts.waiting,
        "rows_without_label": split.counts.missing,
        **_search_figures(spec.train.metric, result, (nested, nested_spread)),
    }
    run_id = _log_run(
        context, request, candidate, (result, chosen.threshold), metrics, figures, key
    )
    backtest.publish(context, run_id, rows, result.out_of_fold, answers)
    if not candidate.declaration.dummy:
        _attach_plots(
            context,
            run_id,
            candidate,
            (result, chosen),
            (model, schema, rows.holdout, truth, answers),
            held_out,
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
        code=code_ref,
        seconds=round(time.perf_counter() - began, 3),
        threshold=chosen.threshold,
    )


def _search_figures(
    metric: str, result: SearchResult, nested: tuple[float | None, float | None]
) -> dict[str, float | None]:
    """Return what the registry keeps of the search's scores."""
    return {
        f"cv_{metric}": result.score,
        f"cv_{metric}_spread": result.spread,
        f"cv_nested_{metric}": nested[0],
        f"cv_nested_{metric}_spread": nested[1],
    }


def _log_rows(context: Context, candidate: Candidate, rows: Prepared, counted: str) -> None:
    """Log how many rows there are, and what is to be warned of."""
    from pipelines.training.float32 import merged_inputs
    from pipelines.training.preparation import unseen_classes

    spec, log = context.spec, context.log
    for warning in (unseen_classes(rows, spec), merged_inputs(rows.train, spec.inputs)):
        if warning:
            log.warning("%s", warning)
    if counted:
        log.info("%s", counted)
    log.info(
        "%s: %d rows to learn from, %d held out, %d inputs",
        candidate.name,
        len(rows.y),
        len(rows.truth),
        len(rows.schema.columns),
    )
    if spec.is_snapshot and classifies(spec.task):
        log.info("%s: %s", candidate.name, _class_shares(rows.y, rows.truth, rows.classes))


def _why_skipped(spec: Spec, candidate: Candidate, rows: int) -> str:
    if not spec.is_proposed(candidate.name):
        return ""
    return why_skipped(candidate.name, rows, len(spec.inputs))


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
    run_id = _log_run(context, request, candidate, (nothing, None), {}, {}, key)
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


def _nested(ground: Ground, rows: pa.Table) -> tuple[float | None, float | None]:
    """Return mean and spread of nested cross-validation; None where the spec asks for none."""
    import numpy as np

    from pipelines.training.search.nested import nested_scores

    if not (ground.spec.train.nested and ground.candidate.search):
        return None, None
    scores = nested_scores(ground, rows)
    return (float(np.mean(scores)), float(np.std(scores))) if scores else (None, None)


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
    learnt: tuple[SearchResult, Threshold | None],
    metrics: dict[str, float | None],
    figures: dict[str, float | None],
    key: str,
) -> str:
    """Write the candidate's run into the registry and return its id.

    The same again changes nothing.
    """
    spec, features, registry = context.spec, request.features, context.ports.registry
    result, threshold = learnt
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
        **({"threshold": f"{threshold.value:g}"} if threshold else {}),
        **{f"unit_{name}": unit for name in metrics if (unit := spec.unit_of(name))},
        **_finished_tag(context, candidate),
    }
    if spec.is_proposed(candidate.name):
        tags["proposed_because"] = REASONS[candidate.name]
    run_id = registry.child(spec.name, features.parent_run, key, candidate.name, tags)
    values: dict[str, float | None] = {f"holdout_{name}": value for name, value in metrics.items()}
    values |= {**figures, **_threshold_figures(threshold)}
    numbers = {name: float(value) for name, value in values.items() if value is not None}
    params = {name: str(value) for name, value in result.params.items()}
    registry.log(
        run_id,
        params=params,
        metrics={**numbers, "settings_tried": float(len(result.settings))},
        tags=tags,
    )
    return run_id


def _threshold_figures(threshold: Threshold | None) -> dict[str, float | None]:
    """Return what the registry keeps of a threshold as numbers."""
    if threshold is None:
        return {}
    figures: dict[str, float | None] = {"threshold": threshold.value}
    if threshold.chosen_for:
        name = threshold.chosen_for
        figures |= {
            "threshold_rows": threshold.rows,
            f"out_of_fold_{name}": threshold.score,
            f"out_of_fold_{name}_at_half": threshold.default_score,
        }
    return figures


def _finished_tag(context: Context, candidate: Candidate) -> dict[str, str]:
    """Return the hash of a finished model's file; nothing for a model that was fitted."""
    if not candidate.onnx:
        return {}
    from pipelines.training.onnx.finished import digest_of

    return {"onnx_sha256": digest_of(context.folder, candidate)}


def _attach_plots(
    context: Context,
    run_id: str,
    candidate: Candidate,
    learnt: tuple[SearchResult, Chosen],
    judged: tuple[Any, InputSchema, pa.Table, Any, Any],
    measures: Measures,
) -> None:
    """Attach the search's table and the plots to the candidate's run."""
    from pipelines.data import labelled_rows
    from pipelines.training import plots
    from pipelines.training.clusters.plots import clusters

    model, schema, holdout, truth, answers = judged
    result, chosen = learnt
    spec = context.spec
    with tempfile.TemporaryDirectory(prefix="perennial-plots-") as folder:
        files = [plots.table(Path(folder), result.settings)]
        files += plots.holdout(
            Path(folder), spec, truth, answers, labelled_rows.times(holdout, spec)
        )
        files += clusters(Path(folder), measures, answers)
        files += plots.importance(
            Path(folder), spec, model, schema, holdout, truth, measures, chosen.value
        )
        files += plots.threshold(Path(folder), spec, chosen)
        if candidate.search:
            files += plots.search(Path(folder), spec, result.settings)
        for file in files:
            context.ports.registry.attach(
                run_id, file, "plots" if file.suffix == ".png" else "search"
            )


def _lock_hash(home: Path) -> str:
    lock = home / "requirements.txt"
    return sha256(lock.read_bytes()) if lock.is_file() else "unknown"
