"""One fit, which goes on where its rows lack something: an input without values, a class with one
row, too few neighbours.

A fold, the training rows and the rows of the final fit are all fitted here, so that they go on
alike. What is done another way than the spec says is said in the log, once for each fold.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData, PerennialError, SpecError
from pipelines.training.adapting import adapt
from pipelines.training.own_fits import fit_adapted
from pipelines.training.printing import stdout_to_stderr
from pipelines.training.quantiles import UNWEIGHTED, fit_corrected

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd

    from pipelines.spec import Candidate
    from pipelines.training.own_fits import Fit

    Array = np.ndarray[Any, Any]


def fit_pipeline(  # noqa: PLR0913 -- the rows, how they count, and how they hang together
    model: Any,
    inputs: pd.DataFrame,
    y: Array,
    candidate: Candidate,
    log: logging.Logger,
    messages: set[str] | None = None,
    *,
    weights: Array | None = None,
    fit: Fit | None = None,
    groups: Array | None = None,
) -> Any:
    """Fit and return the pipeline, in which nothing is left that draws rows.

    Where the candidate's quantiles are corrected, it is fitted on a part of the rows only;
    `groups` (n,) then stay on one side each.

    `fit` is how the pipeline is fitted, where it is not by its own method.

    `weights` (n,) say how much each row counts. Warnings go to the log, each once; what is in
    `messages` already is not logged again. What is printed goes to stderr.

    Inputs that tell nothing in these rows are left out of the fit, and so of its answers; early
    stopping that cannot hold back rows of each class is off; there are no more neighbours than
    rows. Raises SpecError for a bad value, BadData for unfit data.
    """
    messages = set() if messages is None else messages
    if candidate.conformal is not None:
        if weights is not None and UNWEIGHTED not in messages:
            log.warning("%s: %s", candidate.name, UNWEIGHTED)
            messages.add(UNWEIGHTED)

        def fit_on(learn: Array) -> Any:
            own = None if weights is None else weights[learn]
            plain, some = candidate.without_correction(), inputs.iloc[learn]
            return fit_pipeline(model, some, y[learn], plain, log, messages, weights=own, fit=fit)

        with label_errors(candidate, "corrected"):
            return fit_corrected(fit_on, inputs, y, candidate, groups)
    with (
        warnings.catch_warnings(record=True) as caught,
        label_errors(candidate, "fitted"),
        stdout_to_stderr(),
    ):
        warnings.simplefilter("always")
        notes = [] if candidate.fenced or candidate.onnx else adapt(model, inputs, y, candidate)
        fitted = fit_adapted(model, inputs, y, candidate, weights, fit)
    for message in [
        *notes,
        *(f"{w.category.__name__}: {str(w.message).splitlines()[0]}" for w in caught),
    ]:
        if message not in messages:
            log.warning("%s: %s", candidate.name, message)
        messages.add(message)
    return fitted


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
    except (PerennialError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        if candidate.estimator.startswith("sklearn.") and not isinstance(error, _EXPECTED):
            raise
        raise BadData(
            f"{candidate.name} ({candidate.estimator}) could not be {what}:"
            f" {error or type(error).__name__}",
            remedy="mend `params`, `search` or `encode`, or choose another estimator.",
            at=("candidates", candidate.name),
        ) from error


_EXPECTED = (ValueError, TypeError, ArithmeticError)
"""What scikit-learn raises on bad values and unfit data; of unknown code anything is expected."""

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
