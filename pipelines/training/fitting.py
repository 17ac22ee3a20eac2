"""One fit, which goes on where its rows lack something: an input without values, a class with one
row, too few neighbours.

A fold, the training rows and the rows of the final fit are all fitted here, so that they go on
alike. What is done another way than the spec says is said in the log, once for each fold.
"""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadData, SpecError
from pipelines.training.estimators import ENCODER, ESTIMATOR, takes_null

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

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


def fit_pipeline(
    model: Any,
    inputs: pd.DataFrame,
    y: Array,
    candidate: Candidate,
    log: logging.Logger,
    messages: set[str] | None = None,
    *,
    fit: Callable[[Any, pd.DataFrame, Array], Any] | None = None,
) -> Any:
    """Fit and return the pipeline; `fit` is how, where it is not by its own method.

    Warnings go to the log, each once; what is in `messages` already is not logged again.

    Inputs that tell nothing in these rows are left out of the fit, and so of its answers; early
    stopping that cannot hold back rows of each class is off; there are no more neighbours than
    rows. Raises SpecError for a bad value, BadData for unfit data.
    """
    messages = set() if messages is None else messages
    with warnings.catch_warnings(record=True) as caught, label_errors(candidate, "fitted"):
        warnings.simplefilter("always")
        notes = [*_fit_to_size(model, y), *_leave_out(model, inputs, candidate)]
        (fit or type(model).fit)(model, inputs, y)
    for message in [
        *notes,
        *(f"{w.category.__name__}: {str(w.message).splitlines()[0]}" for w in caught),
    ]:
        if message not in messages:
            log.warning("%s: %s", candidate.name, message)
        messages.add(message)
    return model


@contextlib.contextmanager
def label_errors(candidate: Candidate, what: str) -> Iterator[None]:
    """Turn what scikit-learn raises into errors of our own.

    A bad parameter is a SpecError, unfit data are BadData.
    """
    from sklearn.utils._param_validation import InvalidParameterError

    try:
        yield
    except InvalidParameterError as error:
        parameter, why = _parameter_in_words(str(error))
        part = "params" if parameter in candidate.params else "search"
        raise SpecError(
            f"candidates.{candidate.name}: {why}.",
            remedy="mend `params` or `search`.",
            at=("candidates", candidate.name, part, parameter),
        ) from error
    except (ValueError, TypeError, ArithmeticError) as error:
        raise BadData(
            f"{candidate.name} ({candidate.estimator}) could not be {what}: {error}",
            remedy="mend `params`, `search` or `encode`, or choose another estimator.",
            at=("candidates", candidate.name),
        ) from error


_PARAMETER = re.compile(
    r"The '(?P<name>\w+)' parameter of \w+ must be (?P<must>.*)\. Got (?P<got>.*) instead\.",
    re.DOTALL,
)
_OF_PYTHON = re.compile(r"(,| or)? ?an instance of '[\w.]+'")


def _parameter_in_words(message: str) -> tuple[str, str]:
    """Return the parameter that the library refuses, and what it must be, in plain words."""
    match = _PARAMETER.search(message)
    if not match:
        return "", message.rstrip(".")
    must = _OF_PYTHON.sub("", match["must"]) or "of another type"
    words = must.replace("a str among", "one of").replace("an int ", "a whole number ")
    words = words.replace("a float ", "a number ").strip(", ")
    return match["name"], f"{match['name']} must be {words}, found {match['got']}"


def _leave_out(model: Any, inputs: pd.DataFrame, candidate: Candidate) -> list[str]:
    """Take the inputs that tell nothing in these rows out of the encoder, and say which.

    They are taken out and not filled: a value that first comes later, in the rows that judge, must
    not move the answers. Where none is left, the fit is the best constant's.
    """
    if candidate.declaration.dummy:
        return []
    few = _count_needed(model.named_steps[ESTIMATOR], len(inputs))
    idle = {
        str(name): _why_idle(inputs[name].to_numpy(), few, null_tells=takes_null(candidate))
        for name in inputs.columns
    }
    idle = {name: why for name, why in idle.items() if why}
    encoder = model.named_steps[ENCODER]
    transformers = [
        (name, part, [c for c in columns if c not in idle])
        for name, part, columns in encoder.transformers
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
    """Put the dummy in the estimator's place, with some column before it: a pipeline needs one."""
    from sklearn.base import is_classifier
    from sklearn.dummy import DummyClassifier, DummyRegressor

    dummy = DummyClassifier() if is_classifier(model.named_steps[ESTIMATOR]) else DummyRegressor()
    model.named_steps[ENCODER].transformers = [("numbers", "passthrough", [column])]
    model.steps[-1] = (ESTIMATOR, dummy)


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
    estimator, rows = model.named_steps[ESTIMATOR], len(y)
    parameters, notes = estimator.get_params(), []
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
