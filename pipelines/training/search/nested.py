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
from pipelines.training.search.run import search, try_settings

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.spec import Spec
    from pipelines.training.search.board import Board
    from pipelines.training.search.ground import Ground

    Array = np.ndarray[Any, Any]

_quiet = logging.getLogger("perennial.nested")
_quiet.setLevel(logging.ERROR)


def nested_scores(ground: Ground, rows: pa.Table, board: Board | None = None) -> list[float]:
    """Return the winner's scores by train.metric, one for each fold of the ground.

    `rows` are those to learn from, by which the inner folds are cut. With a `board` other workers
    help (`help_nested`).

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
            inner = _inner_ground(ground, rows, train)
            value = _outer_score(ground, inner, test, board and board.below(f"fold-{number}"))
        except BadData as error:
            log.warning("%s: outer fold %d is left out: %s", candidate.name, number, error.message)
            continue
        log.info("%s: outer fold %d: %s %.4f", candidate.name, number, spec.train.metric, value)
        found.append(value)
    return [value for value in found if np.isfinite(value)]


def help_nested(ground: Ground, rows: pa.Table, board: Board) -> int:
    """Try settings of the searches within each fold, beside other workers; return how many were
    tried here.
    """
    usable = usable_folds(ground.folds, ground.y, ground.spec, _quiet, ground.measures)
    quiet, tried = replace(ground, log=_quiet), 0
    for number, (train, _) in enumerate(usable, start=1):
        try:
            inner = _inner_ground(quiet, rows, train)
            trials, _ = try_settings(inner, board=board.below(f"fold-{number}"))
        except BadData:
            continue  # whoever asks for the scores leaves it out too, and says so
        tried += trials.own
    return tried


def _inner_ground(ground: Ground, rows: pa.Table, train: Array) -> Ground:
    """Return what the search within a fold's training rows stands on."""
    spec, y = _once(ground.spec), ground.y[train]
    return replace(
        ground,
        spec=spec,
        inputs=ground.inputs.iloc[train],
        y=y,
        folds=search_folds(spec, rows.take(train), y),
        weights=None if ground.weights is None else ground.weights[train],
        groups=None if ground.groups is None else ground.groups[train],
        measures=ground.measures.take(train),
    )


def _outer_score(ground: Ground, inner: Ground, test: Array, board: Board | None) -> float:
    """Return what the setting that the inner search chooses scores on the fold's other rows."""
    found = search(inner, board=board)
    model = fit_pipeline(
        ground.pipeline_with(found.setting),
        inner.inputs,
        inner.y,
        ground.candidate,
        _quiet,
        weights=inner.weights,
        groups=inner.groups,
    )
    return ground.score(model, test)[0]


def _once(spec: Spec) -> Spec:
    """Return the spec whose inner folds are cut once: repeats belong to the outer ones."""
    return spec.model_copy(update={"train": spec.train.model_copy(update={"repeats": 1})})
