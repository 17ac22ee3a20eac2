"""What models answer to the rows of a fold, fitted on the fold's other rows.

Each function returns one that takes the positions to learn from and the positions to judge on.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pipelines.bundle.predictor import NativePredictor
from pipelines.bundle.rows import feed_from_table
from pipelines.errors import BadData
from pipelines.levels import take_levels
from pipelines.science.choice import Contender
from pipelines.science.choice import choose as choose_candidate
from pipelines.tasks import is_wide
from pipelines.training import estimators
from pipelines.training.decision_threshold import FoldedRows, choose
from pipelines.training.fitting import fit_pipeline, label_errors
from pipelines.training.search import search
from pipelines.training.search.ground import Ground

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from pipelines.bundle.manifest import BundleManifest
    from pipelines.messages import TrainResult
    from pipelines.spec import Candidate
    from pipelines.training.own.process import CodeProcess
    from pipelines.training.refit_rows import RefitRows
    from pipelines.training.search import SearchResult

    Array = np.ndarray[Any, Any]
    Answer = Callable[[Array, Array], Array]
    """From the positions to learn from and to judge on to the answers to the latter."""
    Decision = Callable[[Array, Array], tuple[Array, float]]
    """The same, and the threshold of a decision."""

_quiet = logging.getLogger("perennial.refits")
_quiet.setLevel(logging.ERROR)


def fixed_answer(
    rows: RefitRows,
    candidate: Candidate,
    params: dict[str, Any],
    inputs: list[str],
    own: CodeProcess | None = None,
) -> Answer:
    """Return what a candidate with these parameters answers, fitted on each fold.

    `own` is the process of its own code, where that is another one than the rows'.
    """
    spec = rows.spec
    levels = candidate.quantiles.levels if candidate.quantiles else ()
    schema = rows.schema(inputs, levels)
    frame = estimators.frame(schema, rows.table)

    def answer(train: Array, test: Array) -> Array:
        pipeline = estimators.build_pipeline(
            candidate, schema, spec.train.seed, params, own or rows.own
        )
        model = fit_pipeline(
            pipeline,
            frame.iloc[train],
            rows.y[train],
            candidate,
            _quiet,
            weights=rows.weights_at(train),
            groups=rows.correction_groups(train),
        )
        with label_errors(candidate, "asked"):
            found = estimators.answers(model, frame.iloc[test], spec.task, rows.classes)
        return take_levels(found, levels, spec.levels)

    return answer


def deciding_answer(rows: RefitRows, candidate: Candidate, params: dict[str, Any]) -> Decision:
    """Return what a candidate answers, with a threshold chosen from each fold's training rows."""
    spec = rows.spec
    schema = rows.schema(spec.inputs, spec.levels)
    frame = estimators.frame(schema, rows.table)
    answer = fixed_answer(rows, candidate, params, spec.inputs)

    def answer_with_threshold(train: Array, test: Array) -> tuple[Array, float]:
        folds = [] if spec.threshold is None else rows.inner_folds(train)
        folded = FoldedRows(
            schema, frame.iloc[train], rows.y[train], folds, rows.measures.take(train), rows.own
        )
        chosen = choose(spec, candidate, params, folded, _quiet)
        return answer(train, test), chosen.value

    return answer_with_threshold


def finished_answer(rows: RefitRows, manifest: BundleManifest) -> Answer:
    """Return what a finished champion answers: nothing of it is fitted again."""
    model = NativePredictor(manifest.inputs, rows.context.ports.store.get(manifest.native))
    feed = feed_from_table(manifest.inputs.columns, rows.table)

    def answer(_: Array, test: Array) -> Array:
        answers = model.predict_feed({name: a[test] for name, a in feed.items()})
        if not is_wide(rows.spec.task):
            return answers[:, 0]
        return take_levels(answers, manifest.inputs.levels or (), rows.spec.levels)

    return answer


def chosen_answer(rows: RefitRows, trained: Sequence[TrainResult]) -> Decision:
    """Return the answers of the candidate and settings that the fold's training rows choose."""
    spec = rows.spec

    def answer(train: Array, test: Array) -> tuple[Array, float]:
        options = {}
        for result in trained:
            candidate = spec.candidate(result.candidate)
            tried = search(_ground_of(rows, candidate, train))
            if tried.score is not None:
                options[candidate.name] = (candidate, tried, tried.score)
        candidate, tried = _choose(rows, options)
        return deciding_answer(rows, candidate, tried.params)(train, test)

    return answer


def _ground_of(rows: RefitRows, candidate: Candidate, train: Array) -> Ground:
    """Return what a candidate's settings are searched on: the training rows of a fold."""
    spec = rows.spec
    schema = rows.schema(spec.inputs, spec.levels)
    return Ground(
        estimators.build_pipeline(candidate, schema, spec.train.seed, candidate.params, rows.own),
        candidate,
        spec,
        estimators.frame(schema, rows.table).iloc[train],
        rows.y[train],
        rows.inner_folds(train),
        _quiet,
        schema,
        weights=rows.weights_at(train),
        groups=rows.correction_groups(train),
        measures=rows.measures.take(train),
    )


def _choose(
    rows: RefitRows, options: dict[str, tuple[Candidate, SearchResult, float]]
) -> tuple[Candidate, SearchResult]:
    """Return the candidate that the spec's rule chooses by the scores of a fold's training rows.

    Raises BadData where none has a finite score.
    """
    spec = rows.spec
    contenders = [
        Contender(name, score, tuple(tried.fold_scores), candidate.rank)
        for name, (candidate, tried, score) in options.items()
    ]
    decision = choose_candidate(
        spec.train.metric,
        contenders,
        greater_is_better=spec.metric_named(spec.train.metric).greater_is_better,
        tested=max((tried.tested or 0.0 for _, tried, _ in options.values()), default=0.0),
        rule=spec.train.choice,
    )
    if decision is None:
        raise BadData("No candidate has a finite score on the training rows of a fold.")
    candidate, tried, _ = options[decision.name]
    return candidate, tried
