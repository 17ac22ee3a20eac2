"""What is done another way in one fit, where its rows lack something.

Inputs without values, classes with one row, fewer rows than neighbours: the fit goes on, and says
what it did. What does not apply to an estimator is left alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.clusters import Clusters
from pipelines.errors import BadData
from pipelines.training.estimators import ENCODER, ESTIMATOR, takes_null
from pipelines.training.parameters import core_of

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.spec import Candidate

    Array = np.ndarray[Any, Any]

_BINNED = 200_000
"""Rows that HistGradientBoosting draws to find its bins.

An input without a value among them ends its fit.
"""
_SURE = 20
"""Values expected among the drawn rows: that all are missed has a probability of exp(-20)."""
_SURER = 1e-9
"""How likely all values of an input may fall into the rows that early stopping holds back."""
_AUTO = 10_000
"""HistGradientBoosting stops early by itself above so many rows."""


def adapt(model: Any, inputs: pd.DataFrame, y: Array, candidate: Candidate) -> list[str]:
    """Change the unfitted pipeline so that these rows can be learnt from; return what was changed.

    The parts of a stack or a vote are changed each by itself.
    """
    notes = []
    for pipeline, part in pipelines_of(model, candidate):
        notes += [*_fit_to_size(pipeline, y), *_leave_out(pipeline, inputs, part)]
    return list(dict.fromkeys(notes))


def pipelines_of(model: Any, candidate: Candidate) -> list[tuple[Any, Candidate]]:
    """Return each pipeline that encodes inputs, and its candidate: the parts', or the one."""
    if not candidate.part_names:
        return [(model, candidate)]
    parts = model.named_steps[ESTIMATOR].estimators
    return [(part, c) for (_, part), c in zip(parts, candidate.parts, strict=True)]


def _leave_out(model: Any, inputs: pd.DataFrame, candidate: Candidate) -> list[str]:
    """Take the inputs that tell nothing in these rows out of the encoder, and say which.

    They are taken out and not filled: a value that first comes later, in the rows that judge, must
    not move the answers. Where none is left, the fit is the best constant's.
    """
    if candidate.declaration.dummy:
        return []
    few = _count_needed(core_of(model.named_steps[ESTIMATOR]), len(inputs))
    null_tells = takes_null(candidate) or any(
        getattr(step, "indicator", False) for step in candidate.steps
    )
    idle = {
        str(name): _why_idle(inputs[name].to_numpy(), few, null_tells=null_tells)
        for name in inputs.columns
    }
    idle = {name: why for name, why in idle.items() if why}
    encoder = model.named_steps[ENCODER]
    transformers = [
        (name, part, _without(columns, idle)) for name, part, columns in encoder.transformers
    ]
    encoder.transformers = [part for part in transformers if part[2]]
    notes = [
        f"{name} {why} in the {len(inputs)} rows of this fit: taken as a constant, the model does"
        " not look at it"
        for name, why in idle.items()
    ]
    if not encoder.transformers:
        _make_constant(model, str(inputs.columns[0]))
        notes.append("no input is left in this fit: the best constant takes its place")
    return notes


def _without(columns: list[str] | str, idle: dict[str, str]) -> list[str] | str:
    """Return the columns that tell something; words are counted in one, which has no list."""
    if isinstance(columns, str):
        return "" if columns in idle else columns
    return [c for c in columns if c not in idle]


def _why_idle(values: Array, few: int, *, null_tells: bool) -> str:
    """Return why the values (n,) tell a model nothing, or "" where they may.

    Text is never null here: "" stands for it.
    """
    if values.dtype == object:
        same = bool((values == values[0]).all())
        return "" if not same else "has no value" if values[0] == "" else "has one value only"
    present = values[~np.isnan(values)]
    if not len(present):
        return "has no value"
    if len(present) < few:
        return f"has {len(present)} values only, too few to be binned,"
    same = bool(present.min() == present.max())
    return "has one value only" if same and (len(present) == len(values) or not null_tells) else ""


def _count_needed(estimator: Any, rows: int) -> int:
    """Return how many values an input needs.

    HistGradientBoosting's fit ends where none is among the rows that it bins.
    """
    if not hasattr(estimator, "max_bins"):
        return 1
    minimum = math.ceil(_SURE * rows / _BINNED) if rows > _BINNED else 1
    if not _holds_back(estimator, rows):
        return minimum
    share = min(_count_held_back(estimator, rows) / rows, 0.99)
    return max(minimum, math.ceil(math.log(_SURER) / math.log(share)))


def _make_constant(model: Any, column: str) -> None:
    """Put the dummy in the estimator's place, with some column before it: a pipeline needs one.

    Raises BadData for a clustering: rows that are all alike are no clusters.
    """
    if isinstance(model.named_steps[ESTIMATOR], Clusters):
        raise BadData(
            "No input varies in these rows, so there are no clusters in them.",
            remedy="widen train.window, or name other inputs.",
            at=("features", "inputs"),
        )
    from sklearn.base import is_classifier
    from sklearn.dummy import DummyClassifier, DummyRegressor

    if hasattr(model.named_steps[ESTIMATOR], "score_samples"):
        raise BadData(
            "No input differs from row to row, so no row is stranger than another.",
            remedy="name inputs that vary, or widen train.window.",
            at=("features", "inputs"),
        )
    dummy = DummyClassifier() if is_classifier(model.named_steps[ESTIMATOR]) else DummyRegressor()
    model.named_steps[ENCODER].transformers = [("numbers", "passthrough", [column])]
    model.steps = [model.steps[0], (ESTIMATOR, dummy)]


def _holds_back(estimator: Any, rows: int) -> bool:
    """Tell whether the estimator's fit holds back rows in order to stop early."""
    parameters = estimator.get_params()
    if "n_iter_no_change" not in parameters or not isinstance(
        parameters.get("validation_fraction"), int | float
    ):
        return False  # a fraction that is no number at all is refused by the fit itself
    if "early_stopping" not in parameters:  # GradientBoosting
        return parameters["n_iter_no_change"] is not None
    return bool(
        rows > _AUTO if parameters["early_stopping"] == "auto" else parameters["early_stopping"]
    )


def _count_held_back(estimator: Any, rows: int) -> int:
    """Return how many rows early stopping holds back, at least one."""
    share = estimator.get_params()["validation_fraction"]
    return max(math.ceil(share * rows) if isinstance(share, float) else int(share), 1)


def _fit_to_size(model: Any, y: Array) -> list[str]:
    """Lower the parameters that ask for more rows than there are, and say which.

    They are lowered for this fit alone.
    """
    estimator, rows = core_of(model.named_steps[ESTIMATOR]), len(y)
    parameters, notes = estimator.get_params(), _draw_to_size(model, y)
    for name in ("n_neighbors", "max_samples"):
        value = parameters.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > rows:
            estimator.set_params(**{name: rows})
            notes.append(f"{name} is {rows} in this fit, which has no more rows")
    if _holds_back(estimator, rows) and (why := _why_not_hold_back(estimator, y)):
        off: dict[str, Any] = (
            {"early_stopping": False}
            if "early_stopping" in parameters
            else {"n_iter_no_change": None}
        )
        estimator.set_params(**off)
        notes.append(f"early stopping is off in this fit: {why}")
    return notes


def _draw_to_size(model: Any, y: Array) -> list[str]:
    """Let SMOTE ask for no more neighbours than the rarest class has; of one row none is made."""
    if not any(hasattr(part, "fit_resample") for _, part in model.steps):
        return []
    from imblearn.over_sampling import SMOTE, RandomOverSampler

    least = int(np.unique(y, return_counts=True)[1].min())
    notes = []
    for place, (name, part) in enumerate(model.steps):
        if not isinstance(part, SMOTE) or part.k_neighbors < least:
            continue
        if least > 1:
            part.set_params(k_neighbors=least - 1)
            notes.append(f"{name} has {least - 1} neighbours in this fit: a class has {least} rows")
            continue
        again = RandomOverSampler(
            sampling_strategy=part.sampling_strategy, random_state=part.random_state
        )
        model.steps[place] = (name, again)
        notes.append(f"{name} draws rows again in this fit: a class has one row only")
    return notes


def _why_not_hold_back(estimator: Any, y: Array) -> str:
    """Return why no rows can be held back, or an empty text.

    A classifier holds back a share of each class.
    """
    from sklearn.base import is_classifier

    count = _count_held_back(estimator, len(y))
    if is_classifier(estimator):
        classes, counts = np.unique(y, return_counts=True)
        if counts.min() < 2:  # noqa: PLR2004 -- one to learn from and one to hold back
            return f"the rarest of {len(classes)} classes has one row only"
        if min(count, len(y) - count) < len(classes):
            return f"{count} of {len(y)} rows held back cannot show {len(classes)} classes"
    few = min(count, len(y) - count) < 2  # noqa: PLR2004 -- what MLP asks for
    return f"{count} of {len(y)} rows held back are too few" if few else ""
