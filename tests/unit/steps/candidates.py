"""Candidates as the gate meets them: two honest ones, and what makes bad ones of them."""

from __future__ import annotations

import numpy as np

from pipelines.data import labelled_rows
from pipelines.training import predictions

TWO = """
  - {name: linear, estimator: sklearn.linear_model.LogisticRegression}
  - {name: bayes, estimator: sklearn.naive_bayes.GaussianNB}
"""


def with_other_predictions(world, trained, score, **changes):
    """The trained candidate with other predictions in the store."""
    held, _ = labelled_rows.holdout(world.context, world.built)
    found = predictions.read(
        world.context.ports.store, world.context.spec, trained.predictions, held
    )
    store, spec = world.context.ports.store, world.context.spec
    ref = predictions.write(
        store, spec, held, score=score(found, held), dummy=found.dummy, classes=found.classes
    )
    return trained.model_copy(update={"predictions": ref, **changes})


MUTANTS = {
    "inverted": lambda f, _: 1 - f.score,
    "constant": lambda f, _: np.full_like(f.score, 0.5),
    "the base rate": lambda f, _: f.dummy,
    "shuffled": lambda f, _: np.random.default_rng(0).permutation(f.score),
    "one NaN": lambda f, _: np.where(np.arange(len(f.score)) == 3, np.nan, f.score),
    "all NaN": lambda f, _: np.full_like(f.score, np.nan),
    "infinite": lambda f, _: np.full_like(f.score, np.inf),
    "out of range": lambda f, _: f.score * 3,
}
