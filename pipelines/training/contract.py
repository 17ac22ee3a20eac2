"""What an estimator that Perennial does not know must do before it is trusted.

`check` and `train` ask it on some hundred rows: it answers for each row, with numbers or with
probabilities of classes that it has learnt, the same way twice, and leaves its inputs alone.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import SpecError
from pipelines.tasks import answers_scores, classifies
from pipelines.training.fitting import fit_pipeline, label_errors
from pipelines.training.parameters import ESTIMATOR
from pipelines.training.printing import stdout_to_stderr

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Sequence

    import pandas as pd

    from pipelines.spec import Candidate

    Array = np.ndarray[Any, Any]

ROWS = 300
OF_EACH_CLASS = 5
_SUM = 1e-3
"""How far probabilities may be from summing to one: float32 of many classes."""


def check_contract(
    candidate: Candidate,
    build: Callable[[], Any],
    inputs: pd.DataFrame,
    y: Array,
    *,
    task: str,
    log: logging.Logger,
) -> None:
    """Ask an estimator that is not known of what it must do, on some of the rows.

    Raises SpecError naming what it does not.
    """
    if candidate.known:
        return
    rows = some_rows(y, classify=classifies(task))
    some, targets = inputs.iloc[rows], y[rows]
    both: list[Array] = []
    for _ in range(2):
        few = candidate.without_correction()
        model = fit_pipeline(build(), some.copy(deep=True), targets.copy(), few, log)
        both.append(_ask(model, some, targets, candidate, task))
    if not np.array_equal(both[0], both[1]):
        raise _refusal(
            candidate,
            "answers in two ways when it is fitted twice on the same rows with the same seed",
            "set its `random_state` (or its own parameter for it) and one thread (`n_jobs: 1`).",
        )


def some_rows(y: Array, *, classify: bool) -> Array:
    """Return positions of some hundred rows, evenly spread, with some of each class."""
    even = np.linspace(0, len(y) - 1, min(ROWS, len(y))).astype(np.int64)
    if not classify:
        return np.unique(even)
    rare = [np.flatnonzero(y == value)[:OF_EACH_CLASS] for value in np.unique(y)[:100]]
    return np.unique(np.concatenate([even, *rare]))


def _ask(model: Any, inputs: pd.DataFrame, y: Array, candidate: Candidate, task: str) -> Array:
    """Return the fitted model's answers; refuse what is wrong with them, and changed inputs."""
    whole = candidate.part_names or candidate.fenced  # it encodes by itself
    encoded = inputs.to_numpy() if whole else model[:-1].transform(inputs.copy())
    before = _hash(encoded)
    estimator = model if whole else model.named_steps[ESTIMATOR]
    asked = inputs if whole else encoded
    with label_errors(candidate, "asked"), stdout_to_stderr():
        if answers_scores(task):
            raw = estimator.score_samples(asked)
        else:
            raw = estimator.predict_proba(asked) if classifies(task) else estimator.predict(asked)
    if not whole and _hash(encoded) != before:
        raise _refusal(
            candidate, "changes the rows that it is asked about", "let it copy them first."
        )
    classes = getattr(model, "classes_", None) if classifies(task) else None
    levels = getattr(model.named_steps[ESTIMATOR], "levels", ()) if task == "quantiles" else ()
    if problem := answer_problem(raw, len(inputs), classes, y, levels):
        raise _refusal(candidate, problem, "mend it, or choose another estimator.")
    return np.asarray(raw, dtype=np.float64)


def answer_problem(
    raw: Any, rows: int, classes: Any, y: Array, levels: Sequence[float] = ()
) -> str:
    """Return what is wrong with answers to `rows` rows; "" where nothing is.

    Of a classifier they are (n, k) by its `classes`, which must be among those of `y`; of quantiles
    (n, k) by their levels.
    """
    try:
        answers = np.asarray(raw, dtype=np.float64)
    except (ValueError, TypeError):
        return f"answers with {type(raw).__name__} that is no array of numbers"
    width = (len(levels),) if levels else () if classes is None else (len(classes),)
    named = [] if classes is None else np.asarray(classes).tolist()
    strange = sorted(set(named) - set(y.tolist()))
    found = {
        f"answers with a class that no row has: {strange[:1]}": bool(strange),
        f"answers {rows} rows in the shape {answers.shape}, wanted {(rows, *width)}": (
            answers.shape != (rows, *width)
        ),
        "answers with numbers that are not finite": not np.isfinite(answers).all(),
    }
    if classes is not None and not any(found.values()):
        low, high = answers.min(), answers.max()
        found |= {
            f"answers with probabilities from {low:g} to {high:g}": low < -_SUM or high > 1 + _SUM,
            "answers with probabilities that do not sum to one": bool(
                np.abs(answers.sum(axis=1) - 1).max() > _SUM
            ),
        }
    return next((problem for problem, holds in found.items() if holds), "")


def _hash(columns: Any) -> str:
    values = np.ascontiguousarray(columns.data if hasattr(columns, "tocsr") else columns)
    data = repr(values.tolist()).encode() if values.dtype == object else values.tobytes()
    return hashlib.sha256(data).hexdigest()


def _refusal(candidate: Candidate, why: str, remedy: str) -> SpecError:
    return SpecError(
        f"candidates.{candidate.name}: {candidate.estimator} {why}.",
        remedy=remedy,
        at=("candidates", candidate.name, "estimator"),
    )
