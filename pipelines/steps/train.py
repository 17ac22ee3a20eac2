"""Train one candidate: search its settings over folds in time, fit the best on the training rows,
and score the holdout once.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipelines.context import Context
from pipelines.errors import GiveUp
from pipelines.ledger import Training, record_step
from pipelines.messages import Sampled, TrainRequest, TrainResult
from pipelines.plurals import how_many
from pipelines.refs import canonical
from pipelines.store.results import once
from pipelines.training.search_state import (
    SEARCHES,
    board_of,
    clear,
    named_candidate,
    training_key,
    why_not_trained,
)
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    from pipelines.data.labelled_rows import Split
    from pipelines.refs import Ref
    from pipelines.spec import Candidate
    from pipelines.training.candidate_fit import CandidateFit, Judgement
    from pipelines.training.in_parts import AllRows
    from pipelines.training.own.process import CodeProcess
    from pipelines.training.preparation import Prepared
    from pipelines.training.search import Board


def run(context: Context, request: TrainRequest) -> TrainResult:
    """Return the trained candidate: once per run, candidate, features version, plan and code.

    Raises RequestError for an unknown candidate, SpecError for a parameter that the estimator does
    not take, BadData where there is nothing to learn.
    """
    candidate = named_candidate(context.spec, request.candidate)
    key = training_key(context, request.run, candidate, request.features)
    board = board_of(context, candidate, key)

    def train() -> TrainResult:
        from pipelines.training.own.process import own_code_of

        with own_code_of(context) as own:
            return _train(context, request, candidate, _Search(key, board, own))

    try:
        if board is not None:
            board.reopen()
        with limit_threads(context.settings.threads):
            result = once(context.ports.store, "train", key, TrainResult, train)
    except GiveUp:
        if board is not None:
            board.close()  # whoever clears the task has the settings that failed tried again
        raise
    if board is not None:
        board.clear()
    clear(context.settings.state / SEARCHES, key)
    _record(context, request, result)
    return result


def _record(context: Context, request: TrainRequest, result: TrainResult) -> None:
    """Enter in the ledger what was trained, and what it is made of."""
    environment = context.environment
    entry = Training(
        run=request.run,
        candidate=result.candidate,
        run_id=result.run_id,
        estimator=result.estimator,
        features_revision=request.features.version.revision,
        rows=result.rows_train,
        seed=context.spec.train.seed,
        code=context.code,
        lock=context.lock,
        environment=environment.sha256 if environment else None,
        skipped=result.skipped[:500],
        **({"sampled": result.sampled} if result.sampled else {}),
    )
    record_step(context.ports.ledger, context.spec.name, entry)


@dataclass(frozen=True)
class _Search:
    """By what a candidate's search is known, where it sees other workers' trials, and the process
    of the model's own code.
    """

    key: str
    board: Board | None
    own: CodeProcess | None


def _train(
    context: Context, request: TrainRequest, candidate: Candidate, search: _Search
) -> TrainResult:
    from pipelines.data import labelled_rows
    from pipelines.training import backtest
    from pipelines.training.candidate_fit import fit_candidate, judge_fit
    from pipelines.training.candidate_run import (
        attach_plots,
        log_run,
        sample_figures,
        search_figures,
        tag_sample,
    )
    from pipelines.training.preparation import prepare
    from pipelines.training.row_log import log_rows

    spec, key, began = context.spec, search.key, time.perf_counter()
    split = labelled_rows.split(context, request.features)
    rows = prepare(split.train, split.holdout, spec)
    log_rows(context, candidate, rows, split.counts.in_words(spec))
    if why := why_not_trained(spec, candidate, len(rows.y)):
        return _skip(context, request, candidate, key, why, rows=(len(rows.y), len(rows.truth)))
    folder = context.settings.state / SEARCHES / key
    everything = _all_rows(request, split, rows)
    fit = fit_candidate(context, candidate, rows, folder, search.own, search.board, everything)
    judgement = judge_fit(context, fit, rows)
    context.log.info(
        "%s: %s tried, holdout %s",
        candidate.name,
        how_many(len(fit.search.settings), "setting"),
        judgement.metrics,
    )
    stored = _store(context, fit, judgement, rows)
    sampled = _sampled(split, fit)
    figures = {
        "rows_train": sampled.of if sampled and sampled.in_parts else len(rows.y),
        "rows_holdout": len(rows.truth),
        "rows_waiting_for_label": split.counts.waiting,
        "rows_without_label": split.counts.missing,
        **search_figures(spec.train.metric, fit.search, fit.nested),
        **sample_figures(sampled),
    }
    learnt = (fit.search, fit.chosen.threshold)
    run_id = log_run(context, request, candidate, learnt, judgement.metrics, figures, key)
    if sampled:
        tag_sample(context, run_id, sampled)
    origins = backtest.publish(context, run_id, rows, fit.search.out_of_fold, judgement.answers)
    stored = replace(stored, backtest=origins)
    if not candidate.declaration.dummy:
        attach_plots(context, run_id, candidate, fit, judgement, rows)
    seconds = round(time.perf_counter() - began, 3)
    return _result(context, candidate, run_id, (fit, judgement), rows, split, stored, seconds)


def _all_rows(request: TrainRequest, split: Split, rows: Prepared) -> AllRows | None:
    """Return all rows to learn from, where those at hand are a sample."""
    from pipelines.training.in_parts import AllRows

    if split.learnt is None:
        return None
    return AllRows.of(split.learnt, request.features, rows.schema, rows.classes, rows.train)


def _sampled(split: Split, fit: CandidateFit) -> Sampled | None:
    """Return how many rows stand for all; None where memory holds them all."""
    if split.learnt is None and split.judged is None:
        return None
    learnt, judged = split.train.num_rows, split.holdout.num_rows
    return Sampled(
        learnt=learnt,
        of=split.learnt.count if split.learnt else learnt,
        judged=judged,
        judged_of=split.judged.count if split.judged else judged,
        in_parts=fit.in_parts,
    )


@dataclass(frozen=True)
class _Stored:
    """Where the store keeps a fitted candidate and its answers."""

    predictions: Ref
    model: Ref
    code: Ref | None
    trials: Ref
    backtest: Ref | None = None


def _store(context: Context, fit: CandidateFit, judgement: Judgement, rows: Prepared) -> _Stored:
    """Store a fitted candidate and its answers, proved to be the same when it is loaded again."""
    from pipelines.bundle.rows import feed_from_table
    from pipelines.training import predictions
    from pipelines.training.naive import stand_in
    from pipelines.training.search import record
    from pipelines.training.storing import code_of, dump, prove_stored

    spec, store, model = context.spec, context.ports.store, fit.model
    reference = predictions.write(
        store,
        spec,
        rows.holdout,
        score=judgement.answers,
        dummy=stand_in(rows.holdout, spec, rows.y, judgement.classes),
        classes=judgement.classes,
    )
    native, code = dump(model), code_of(model)
    prove_stored(model, rows.schema, native, feed_from_table(rows.schema.columns, rows.holdout))
    trials = record.write(spec, fit.folds, fit.search)
    return _Stored(
        predictions=reference,
        model=store.put(native, ".skops"),
        code=store.put(canonical(code), ".json") if code else None,
        trials=store.put(trials, ".json"),
    )


def _result(
    context: Context,
    candidate: Candidate,
    run_id: str,
    found: tuple[CandidateFit, Judgement],
    rows: Prepared,
    split: Split,
    stored: _Stored,
    seconds: float,
) -> TrainResult:
    """Return what the step answers of a candidate that was trained."""
    from pipelines.data import labelled_rows
    from pipelines.data.sides import sides_of

    spec, (fit, judgement) = context.spec, found
    best, nested, counts = fit.search, fit.nested, split.counts
    sampled = _sampled(split, fit)
    whole = split.learnt if fit.in_parts else None
    learnt = labelled_rows.span_of(*whole.span) if whole else None
    return TrainResult(
        candidate=candidate.name,
        run_id=run_id,
        estimator=candidate.estimator,
        params=best.params,
        settings_tried=len(best.settings),
        cv_score=best.score,
        fold_scores=best.fold_scores,
        tested=best.tested,
        cv_nested=nested[0],
        cv_nested_spread=nested[1],
        trials=stored.trials,
        search_ended_by=best.ended_by,
        metrics=judgement.metrics,
        rows_train=whole.count if whole else len(rows.y),
        rows_holdout=len(rows.truth),
        rows_waiting=counts.waiting,
        rows_without_label=counts.missing,
        fitted_on=None if spec.is_snapshot else learnt or labelled_rows.span(rows.train, spec),
        sides=sides_of(spec) if spec.is_snapshot else None,
        predictions=stored.predictions,
        model=stored.model,
        code=stored.code,
        seconds=seconds,
        backtest=stored.backtest,
        threshold=fit.chosen.threshold,
        **({"sampled": sampled} if sampled else {}),
    )


def _skip(
    context: Context,
    request: TrainRequest,
    candidate: Candidate,
    key: str,
    why: str,
    rows: tuple[int, int],
) -> TrainResult:
    """Return the result of a candidate that is not trained, and record why."""
    from pipelines.training.candidate_run import log_run
    from pipelines.training.search import SearchResult

    context.log.warning("%s is skipped: %s", candidate.name, why)
    nothing = SearchResult(params=dict(candidate.params), score=None, spread=None)
    run_id = log_run(context, request, candidate, (nothing, None), {}, {}, key)
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
