"""From a candidate of the spec to a scikit-learn pipeline: encoding, steps, estimator, parameters.

What feeds it and what it answers is in `training.answers`, and is reached from here as well.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pipelines.bundle.clusters import Clusters
from pipelines.bundle.quantile_fits import QuantileFits, QuantileVote
from pipelines.errors import SpecError
from pipelines.tasks import answers_scores, classifies, finds_classes
from pipelines.training.answers import answers, constant, frame, give_types
from pipelines.training.encoding import encoder_of
from pipelines.training.inspection import (
    check_task,
    estimator_class,
    new_estimator,
    traits_of,
)
from pipelines.training.parameters import ENCODER, ESTIMATOR, check_parameters, set_parameters
from pipelines.training.quantiles import fits_of_levels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.bundle.schema import InputSchema
    from pipelines.spec import Candidate
    from pipelines.training.own.process import CodeProcess

__all__ = [
    "ENCODER",
    "ESTIMATOR",
    "answers",
    "build_pipeline",
    "check_parameters",
    "constant",
    "estimator_class",
    "frame",
    "give_types",
    "takes_null",
]


def takes_null(candidate: Candidate) -> bool:
    """Tell whether the estimator is given null as it is, and may learn from it.

    For all others it is imputed.
    """
    if candidate.known or candidate.part_names or candidate.fenced:
        return candidate.declaration.takes_null
    return traits_of(candidate, new_estimator(candidate)).takes_null


def build_pipeline(
    candidate: Candidate,
    schema: InputSchema,
    seed: int,
    params: Mapping[str, Any],
    own: CodeProcess | None = None,
) -> Any:
    """Return the unfitted pipeline.

    Columns encoded by kind or by the candidate's steps, then the estimator with these parameters
    and the spec's seed. A fenced one is made in the process `own`, all of it.
    Raises SpecError with the place in model.yaml.
    """
    if candidate.onnx:
        return _finished_pipeline(candidate, schema)
    if candidate.fenced:
        return _fenced_pipeline(candidate, schema, seed, params, own)
    check_parameters(candidate)
    if candidate.part_names:
        pipeline = _whole(candidate, schema, seed)
    else:
        pipeline = _single(candidate, schema, seed)
    _set_seeds(pipeline, seed)
    set_parameters(pipeline, candidate, schema, params)
    if classifies(schema.task):
        _refuse_scores_only(candidate, pipeline)
    if answers_scores(schema.task):
        _refuse_no_scores(candidate, pipeline)
    return pipeline


def _finished_pipeline(candidate: Candidate, schema: InputSchema) -> Any:
    from sklearn.pipeline import Pipeline

    from pipelines.training.onnx.finished import open_finished

    model: Any = open_finished(candidate.folder, candidate, schema)
    if schema.levels:
        model = QuantileFits(model, tuple(schema.levels))
    return Pipeline([(ESTIMATOR, model)])


def _fenced_pipeline(
    candidate: Candidate,
    schema: InputSchema,
    seed: int,
    params: Mapping[str, Any],
    own: CodeProcess | None,
) -> Any:
    from sklearn.pipeline import Pipeline

    from pipelines.training.own.estimator import OwnEstimator

    assert own is not None  # noqa: S101 -- whoever has such a candidate opens its process
    made = OwnEstimator(own, candidate, schema, seed)
    if candidate.pipeline:
        check_parameters(candidate, made.defaults())
    else:
        made.defaults()  # its process looks at the parameters
    return Pipeline([(ESTIMATOR, made.set_params(**params))])


def _single(candidate: Candidate, schema: InputSchema, seed: int) -> Any:
    estimator = _quiet(new_estimator(candidate))
    check_task(candidate, estimator, schema.task)
    encoder, behind = encoder_of(candidate, schema, traits_of(candidate, estimator), seed)
    if candidate.calibrate:
        from sklearn.calibration import CalibratedClassifierCV

        # The folds are made where it is fitted, since they are of its rows.
        estimator = CalibratedClassifierCV(
            estimator, method=candidate.calibrate, ensemble=candidate.in_time
        )
    if schema.levels:
        estimator = fits_of_levels(candidate, estimator, schema.levels)
    if finds_classes(schema.task):
        estimator = Clusters(_begin_often(estimator))
    parts = [(ENCODER, encoder), *behind, (ESTIMATOR, estimator)]
    if any(hasattr(part, "fit_resample") for _, part in behind):
        from imblearn.pipeline import Pipeline as WithSampler

        return WithSampler(parts)
    from sklearn.pipeline import Pipeline

    return Pipeline(parts)


def _whole(candidate: Candidate, schema: InputSchema, seed: int) -> Any:
    """Return the pipeline of a stack or a vote: each part encodes its inputs in its own way."""
    from sklearn import ensemble
    from sklearn.pipeline import Pipeline

    classify = classifies(schema.task)
    parts = [(p.name, build_pipeline(p, schema, seed, p.params)) for p in candidate.parts]
    estimator: Any
    if candidate.stack:
        final = _quiet(new_estimator(candidate))
        check_task(candidate, final, schema.task)
        kind = ensemble.StackingClassifier if classify else ensemble.StackingRegressor
        estimator = kind(parts, final_estimator=final)
        if classify:
            estimator.stack_method = "predict_proba"
    else:
        vote: Any = candidate.vote
        weights = list(vote.values()) if isinstance(vote, dict) else None
        kind = ensemble.VotingClassifier if classify else ensemble.VotingRegressor
        estimator = (
            QuantileVote(parts, tuple(schema.levels), weights=weights)
            if schema.levels
            else kind(parts, weights=weights)
        )
        if classify:
            estimator.voting = "soft"
    return Pipeline([(ENCODER, "passthrough"), (ESTIMATOR, estimator)])


BEGINNINGS = 10
"""From how many beginnings k-means is fitted, unless the spec says otherwise; the best counts.

Scikit-learn's default is one, by which the same rows give other clusters with another seed.
"""


def _begin_often(estimator: Any) -> Any:
    if estimator.get_params().get("n_init") == "auto":
        estimator.set_params(n_init=BEGINNINGS)
    return estimator


_SEEDS = ("random_state", "random_seed")


def _set_seeds(pipeline: Any, seed: int) -> None:
    """Give the seed to everything that draws and has none."""
    unset = {
        name: seed
        for name, value in pipeline.get_params(deep=True).items()
        if name.rsplit("__", 1)[-1] in _SEEDS and value is None
    }
    pipeline.set_params(**unset)


def _quiet(estimator: Any) -> Any:
    """Return the estimator with what its library needs to be silent and the same each time.

    Threads are as many as the step holds them to (`training.threads`).
    """
    family = type(estimator).__module__.split(".", maxsplit=1)[0]
    threads = int(os.environ.get("OMP_NUM_THREADS") or 1)
    needed: dict[str, dict[str, Any]] = {
        "xgboost": {"n_jobs": threads, "verbosity": 0},
        "lightgbm": {
            "n_jobs": threads,
            "verbosity": -1,
            "deterministic": True,
            "force_row_wise": True,
        },
        "catboost": {"thread_count": threads, "verbose": 0, "allow_writing_files": False},
    }
    return estimator.set_params(**needed.get(family, {}))


def _refuse_scores_only(candidate: Candidate, pipeline: Any) -> None:
    """Raise SpecError where a classifier has no probabilities."""
    if hasattr(pipeline.named_steps[ESTIMATOR], "predict_proba"):
        return
    remedy = "write `calibrate: sigmoid`, which makes probabilities of its scores."
    if candidate.part_names:
        remedy = "give `calibrate: sigmoid` to the candidates that have none."
    raise SpecError(
        f"candidates.{candidate.name}: {candidate.estimator} answers with classes or scores, and"
        " with no probabilities.",
        remedy=remedy,
        at=("candidates", candidate.name, "estimator"),
    )


def _refuse_no_scores(candidate: Candidate, pipeline: Any) -> None:
    """Raise SpecError where an estimator cannot say how strange a row is."""
    if hasattr(pipeline.named_steps[ESTIMATOR], "score_samples"):
        return
    raise SpecError(
        f"candidates.{candidate.name}: {candidate.estimator} has no score_samples, which an anomaly"
        " task asks new rows by.",
        remedy="name one that has, such as sklearn.ensemble.IsolationForest; of some only with a"
        " parameter, such as LocalOutlierFactor's novelty. One that has another method for it,"
        " such as decision_function, is wrapped in model.py (`pipeline:`) with score_samples.",
        at=("candidates", candidate.name, "estimator"),
    )
