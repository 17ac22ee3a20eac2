"""What asks `package` for a bundle, and a fitted pipeline without a step around it."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from pipelines.bundle.rows import schema_of
from pipelines.data import labelled_rows
from pipelines.messages import PackageRequest
from pipelines.spec import Candidate
from pipelines.steps import gate
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline
from pipelines.training.targets import classes_of, targets
from tests.unit.steps.learning import DAYS, RUN, learning, rows, spec_text


def package_request(world, candidate=None, verdict="promote"):
    trained = world.train_all() if candidate is None else [world.train(candidate)]
    judged = gate.run(world.context, world.gate_request(trained))
    return PackageRequest(
        run=RUN,
        features=world.built,
        train=trained,
        gate=judged.model_copy(update={"verdict": verdict}),
    )


@functools.cache
def world_of_task(task):
    return learning(
        Path("/nonexistent"), spec_text(task), tables=[rows(d, task) for d in range(DAYS)]
    )


def fitted_pipeline(
    task="binary", candidate="sklearn.ensemble.HistGradientBoostingClassifier", **fields
):
    """A fitted pipeline with its schema and its rows, without a step around it."""
    split, spec = (
        labelled_rows.split(world_of_task(task).context, world_of_task(task).built),
        world_of_task(task).context.spec,
    )
    classes = classes_of(split.train, spec)
    schema = schema_of(split.train, spec.features.inputs, task, classes)
    tried = Candidate.model_validate({"name": "tried", "estimator": candidate, **fields})
    y = targets(split.train, spec, classes)
    pipeline = estimators.build_pipeline(tried, schema, 3, tried.params)
    model = fit_pipeline(
        pipeline,
        estimators.frame(schema, split.train),
        np.exp(y) if "Poisson" in candidate else y,
        tried,
        world_of_task(task).context.log,
    )
    return model, schema, split
