"""What the winner of a search is worth on rows that have not chosen it.

The score by which a setting was chosen flatters it: of many noisy scores the best is too good. Here
each fold's training rows are searched by themselves, and what they choose is judged on the fold's
other rows. It costs as many searches more as there are folds.

Varma & Simon (2006), "Bias in error estimation when using cross-validation for model selection",
BMC Bioinformatics 7; Cawley & Talbot (2010), "On Over-fitting in Model Selection", JMLR 11.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadData
from pipelines.training.fitting import fit_pipeline
from pipelines.training.folds import search_folds, usable_folds
from pipelines.training.search.run import search

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.spec import Spec
    from pipelines.training.search.trials import Ground

    Array = np.ndarray[Any, Any]

_quiet = logging.getLogger("perennial.nested")
_quiet.setLevel(logging.ERROR)


def nested_scores(ground: Ground, rows: pa.Table) -> list[float]:
    """Return the winner's scores by train.metric, one for each fold of the ground.

    `rows` are those to learn from, by which the inner folds are cut.

    A fold whose training rows are too few to be searched by themselves is left out, and named in
    the log.
    """
    candidate, spec, log = ground.candidate, ground.spec, ground.log
    usable = usable_folds(ground.folds, ground.y, spec, log, ground.measures)
    log.info("%s: nested cross-validation searches %d times more", candidate.name, len(usable))
    ground = replace(ground, log=_quiet)
    found = []
    for number, (train, test) in enumerate(usable, start=1):
        try:
            value = _outer_score(ground, rows, train, test)
        except BadData as error:
            log.warning("%s: outer fold %d is left out: %s", candidate.name, number, error.message)
            continue
        log.info("%s: outer fold %d: %s %.4f", candidate.name, number, spec.train.metric, value)
        found.append(value)
    return [value for value in found if np.isfinite(value)]


def _outer_score(ground: Ground, rows: pa.Table, train: Array, test: Array) -> float:
    """Return what the setting that the training rows choose scores on the others."""
    spec, y = _once(ground.spec), ground.y[train]
    part = replace(
        ground,
        spec=spec,
        inputs=ground.inputs.iloc[train],
        y=y,
        folds=search_folds(spec, rows.take(train), y),
        weights=None if ground.weights is None else ground.weights[train],
        groups=None if ground.groups is None else ground.groups[train],
        measures=ground.measures.take(train),
    )
    inner = search(part)
    model = fit_pipeline(
        ground.pipeline_with(inner.setting),
        part.inputs,
        y,
        ground.candidate,
        _quiet,
        weights=part.weights,
        groups=part.groups,
    )
    return ground.score(model, test)[0]


def _once(spec: Spec) -> Spec:
    """Return the spec whose inner folds are cut once: repeats belong to the outer ones."""
    return spec.model_copy(update={"train": spec.train.model_copy(update={"repeats": 1})})
