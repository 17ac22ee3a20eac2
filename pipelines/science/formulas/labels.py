"""The metrics of the class that a model decides for.

Definitions are scikit-learn's. Where it has none but answers with a number and a warning: of one
class alone a class that nobody is called has precision 0 in a mean over the classes, and is not
defined by itself (decision 50).

Sources: Matthews (1975), Biochimica et Biophysica Acta 405, for several classes Gorodkin (2004),
Computational Biology and Chemistry 28; Cohen (1960), Educational and Psychological Measurement 20;
van Rijsbergen (1979), "Information Retrieval", chapter 7 (F-beta).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.formulas.kinds import OfClasses, OfSums, mean, positive_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipelines.science.formulas.kinds import Formula

    Array = NDArray[Any]
    ByClass = Callable[[Array, Array, Array], Array]

_ROUNDING = 1e-12
"""What sums of weights may leave of 0, as a share of the square of all rows."""


def _hits(y: Array, label: Array) -> tuple[Array, Array, Array]:
    """Return which rows are rightly called positive, which are so called, and which are so."""
    positive, called = np.asarray(y) == 1, np.asarray(label) == 1
    return positive & called, called, positive


def _fbeta(beta: float, hit: Array, called: Array, true: Array) -> Array:
    return (1 + beta**2) * hit / positive_part(called + beta**2 * true)


def _precisions(_true: Array, called: Array, hit: Array) -> Array:
    return np.where(called > 0, hit / called, 0.0)


def _recalls(true: Array, _called: Array, hit: Array) -> Array:
    return np.where(true > 0, hit / true, 0.0)


def _fbetas(beta: float, true: Array, called: Array, hit: Array) -> Array:
    return np.nan_to_num(_fbeta(beta, hit, called, true))


def _macro(of_class: ByClass, true: Array, called: Array, hit: Array) -> Array:
    there = (true > 0) | (called > 0)
    total = (of_class(true, called, hit) * there).sum(axis=1)
    return np.asarray(total / positive_part(there.sum(axis=1)))


def _weighted_mean(of_class: ByClass, true: Array, called: Array, hit: Array) -> Array:
    total = (of_class(true, called, hit) * true).sum(axis=1)
    return np.asarray(total / positive_part(true.sum(axis=1)))


def _micro(true: Array, _called: Array, hit: Array) -> Array:
    """Return the share of hits: of one class for each row all averages over rows are the same."""
    return np.asarray(hit.sum(axis=1) / positive_part(true.sum(axis=1)))


def _mean_recall(true: Array, called: Array, hit: Array) -> Array:
    there = (true > 0).sum(axis=1)
    return np.where(there > 1, _recalls(true, called, hit).sum(axis=1) / there, np.nan)


def _matthews(true: Array, called: Array, hit: Array) -> Array:
    rows = true.sum(axis=1)
    both, own, theirs = (
        rows * hits - np.einsum("bk,bk->b", one, other)
        for hits, one, other in (
            (hit.sum(axis=1), true, called),
            (rows, true, true),
            (rows, called, called),
        )
    )
    varies, answers = own > _ROUNDING * rows**2, theirs > _ROUNDING * rows**2
    value = np.where(answers, both / np.sqrt(np.where(answers, own * theirs, 1.0)), 0.0)
    return np.where(varies, value, np.nan)


def _kappa(true: Array, called: Array, hit: Array) -> Array:
    rows = true.sum(axis=1)
    chance = np.einsum("bk,bk->b", true, called) / rows**2
    agreement = hit.sum(axis=1) / rows
    return np.asarray(1 - (1 - agreement) / np.where(1 - chance > _ROUNDING, 1 - chance, np.nan))


def _top_hits(number: int, y: Array, p: Array) -> tuple[Array]:
    """Return which rows have their class among the first; of equal ones the last class is first,
    as scikit-learn sorts them.
    """
    if number >= p.shape[1]:
        return (np.full(len(y), np.nan),)
    place = np.maximum(y, 0).astype(np.int64)
    own = p[np.arange(len(y)), place][:, None]
    later = np.arange(p.shape[1])[None, :] > place[:, None]
    ahead = ((p > own) | ((p == own) & later)).sum(axis=1)
    return ((ahead < number) & (np.asarray(y) >= 0),)


def _averages(name: str, of_class: ByClass) -> dict[str, Formula]:
    return {
        f"{name}_macro": OfClasses(partial(_macro, of_class)),
        f"{name}_micro": OfClasses(_micro),
        f"{name}_weighted": OfClasses(partial(_weighted_mean, of_class)),
    }


FORMULAS: dict[str, Formula] = {
    "accuracy": OfSums(lambda y, label: (label == y,), mean, labels=True),
    "balanced_accuracy": OfClasses(_mean_recall),
    "matthews": OfClasses(_matthews),
    "kappa": OfClasses(_kappa),
    "precision": OfSums(_hits, lambda hit, called, *_: hit / positive_part(called), labels=True),
    "recall": OfSums(_hits, lambda hit, _, true, __: hit / positive_part(true), labels=True),
    "f1": OfSums(_hits, lambda hit, called, true, _: _fbeta(1, hit, called, true), labels=True),
    **_averages("precision", _precisions),
    **_averages("recall", _recalls),
    **_averages("f1", partial(_fbetas, 1.0)),
}


def fbeta(beta: float) -> Formula:
    """Return F-beta of the positive class."""
    return OfSums(_hits, lambda hit, called, true, _: _fbeta(beta, hit, called, true), labels=True)


def fbeta_average(average: str) -> Callable[[float], Formula]:
    """Return how F-beta with an average over the classes follows from its beta."""
    return lambda beta: _averages("f", partial(_fbetas, beta))[f"f_{average}"]


def top_accuracy(number: float) -> Formula:
    """Return the share of rows whose class is among the so many likeliest."""
    return OfSums(partial(_top_hits, int(number)), mean)


FAMILIES: dict[str, Callable[[float], Formula]] = {
    "fbeta": fbeta,
    **{f"fbeta_{average}": fbeta_average(average) for average in ("macro", "micro", "weighted")},
    "top_accuracy": top_accuracy,
}
