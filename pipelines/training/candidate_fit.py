"""A candidate fitted on the training rows, and what it answers to the held-out ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.metrics import scores
from pipelines.training import estimators
from pipelines.training.clusters.names import found_classes
from pipelines.training.contract import check_contract
from pipelines.training.decision_threshold import FoldedRows, choose
from pipelines.training.fitting import fit_pipeline
from pipelines.training.folds import search_folds
from pipelines.training.in_parts import learn_in_parts
from pipelines.training.own_metrics import measure_rows
from pipelines.training.search import Ground, search
from pipelines.training.search.nested import help_nested, nested_scores
from pipelines.training.search.run import try_settings

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.science.own_metrics import Measures
    from pipelines.spec import Candidate
    from pipelines.training.decision_threshold import Chosen
    from pipelines.training.in_parts import AllRows
    from pipelines.training.own.process import CodeProcess
    from pipelines.training.preparation import Prepared
    from pipelines.training.search import Board, SearchResult

    Array = np.ndarray[Any, Any]
    Folds = list[tuple[Array, Array]]


@dataclass(frozen=True)
class CandidateFit:
    """A candidate with the best of its settings, fitted on all training rows.

    `folds` are those on which settings were compared, `nested` the mean and the spread of nested
    cross-validation; None where the spec asks for none.
    """

    model: Any
    search: SearchResult
    folds: Folds
    nested: tuple[float | None, float | None]
    chosen: Chosen
    in_parts: bool = False
    """Whether the model has learnt from all rows part by part, where `rows` are a sample."""


@dataclass(frozen=True)
class Judgement:
    """The answers of a model to the held-out rows, (n,) or (n, k), and its metrics on them."""

    answers: Array
    classes: list[str] | None
    measures: Measures
    metrics: dict[str, float | None]


def fit_candidate(
    context: Context,
    candidate: Candidate,
    rows: Prepared,
    folder: Path,
    own: CodeProcess | None,
    board: Board | None = None,
    everything: AllRows | None = None,
) -> CandidateFit:
    """Search the settings of a candidate, choose its threshold and fit it.

    The search keeps its trials in `folder`, and on the `board` that it shares with its helpers.
    `everything` are all rows, where those at hand are a sample.
    Raises BadData where there is nothing to learn, SpecError for a parameter that the estimator
    does not take.
    """
    spec, log, y, inputs = context.spec, context.log, rows.y, rows.inputs

    def build(params: dict[str, Any]) -> Any:
        return estimators.build_pipeline(candidate, rows.schema, spec.train.seed, params, own)

    check_contract(candidate, lambda: build(candidate.params), inputs, y, task=spec.task, log=log)
    ground = ground_of(context, candidate, rows, own)
    folds, measures = ground.folds, ground.measures
    result = search(ground, folder=folder, board=board)
    nested = _cross_validate_nested(ground, rows.train, board)
    folded = FoldedRows(rows.schema, inputs, y, folds, measures, own, result.out_of_fold)
    chosen = choose(spec, candidate, result.params, folded, log)
    model = fit_pipeline(
        build(result.params), inputs, y, candidate, log, weights=rows.weights, groups=rows.groups
    )
    in_parts = everything is not None and learn_in_parts(context, candidate, model, everything)
    return CandidateFit(model, result, folds, nested, chosen, in_parts)


def help_search(
    context: Context, candidate: Candidate, rows: Prepared, own: CodeProcess | None, board: Board
) -> int:
    """Try settings of a candidate's search beside its training, until none is left; return how
    many were tried here. Raises what `fit_candidate` raises, but for the estimator's contract.
    """
    ground = ground_of(context, candidate, rows, own)
    tried = try_settings(ground, board=board)[0].own
    return tried + (help_nested(ground, rows.train, board) if ground.spec.train.nested else 0)


def ground_of(
    context: Context, candidate: Candidate, rows: Prepared, own: CodeProcess | None
) -> Ground:
    """Return what the trials of a candidate stand on: the same in every worker."""
    spec, params = context.spec, candidate.params
    return Ground(
        estimators.build_pipeline(candidate, rows.schema, spec.train.seed, params, own),
        candidate,
        spec,
        rows.inputs,
        rows.y,
        search_folds(spec, rows.train, rows.y),
        context.log,
        rows.schema,
        weights=rows.weights,
        groups=rows.groups,
        measures=measure_rows(context, rows.train, rows.y, rows.classes),
    )


def judge_fit(context: Context, fit: CandidateFit, rows: Prepared) -> Judgement:
    """Return what a fitted candidate answers to the held-out rows, and its metrics on them."""
    spec = context.spec
    answers = estimators.answers(
        fit.model, estimators.frame(rows.schema, rows.holdout), spec.task, rows.classes
    )
    classes = found_classes(fit.model, spec.task) or rows.classes
    measures = measure_rows(context, rows.holdout, rows.truth, classes)
    metrics = scores(
        spec.task,
        rows.truth,
        answers,
        also=spec.metrics,
        own=measures.own.values(),
        levels=spec.levels,
        threshold=fit.chosen.value,
    )
    return Judgement(answers, classes, measures, metrics)


def _cross_validate_nested(
    ground: Ground, rows: pa.Table, board: Board | None
) -> tuple[float | None, float | None]:
    """Return mean and spread of nested cross-validation; None where the spec asks for none."""
    if not (ground.spec.train.nested and ground.candidate.search):
        return None, None
    found = nested_scores(ground, rows, board)
    return (float(np.mean(found)), float(np.std(found))) if found else (None, None)
