"""Is one way to learn better than another on few rows? Both are fitted again, fold by fold.

Where the held-out rows are too few to prove anything, all rows are cut into folds again and again
(repeated cross-validation), and both models are fitted on the other folds and judged on each. The
folds of all repeats share rows, so the scores are no independent draws: their variance is far too
small for a plain t-test. It is widened by what two fits' training rows have in common.

Sources: Nadeau & Bengio (2003), "Inference for the Generalization Error", Machine Learning 52 (the
corrected resampled t-test: the variance of a mean over J fits is (1/J + tested/trained) times that
of the scores); Bouckaert & Frank (2004), "Evaluating the Replicability of Significance Tests for
Comparing Learning Algorithms", PAKDD (the same for repeated cross-validation).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadData
from pipelines.science.bootstrap import Comparison
from pipelines.science.metrics import better_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.own_metrics import AnyMetric

    Array = NDArray[Any]
    Folds = list[tuple[Array, Array]]

FOLDS = 5
REPEATS = 10


def row_folds(y: Array, units: Array | None, folds: int, *, classify: bool, seed: int) -> Folds:
    """Return (train, test) positions of `folds` folds over the rows of y (n,), shuffled by the
    seed.

    `units` (n,) are the rows' groups, each of which lies in one fold; None where each row is for
    itself. Where it is about classes, each fold has about the same share of each. Raises BadData
    where there are fewer rows, groups or rows of a class than folds.
    """
    from sklearn import model_selection as selection

    counts = np.unique(y, return_counts=True)[1] if classify else np.array([len(y)])
    parts, what = (len(y), "rows") if units is None else (len(np.unique(units)), "groups")
    if parts < folds or counts.max() < folds:
        raise BadData(
            f"{parts} {what} are too few for {folds} folds.",
            remedy="lower train.folds, or take a larger snapshot.",
        )
    options = {"n_splits": folds, "shuffle": True, "random_state": seed}
    splitter = {
        (True, False): selection.StratifiedKFold,
        (False, False): selection.KFold,
        (True, True): selection.StratifiedGroupKFold,
        (False, True): selection.GroupKFold,
    }[classify, units is not None](**options)
    with warnings.catch_warnings():
        # A class with fewer rows than folds is lacking in some of them, which the caller sees.
        warnings.simplefilter("ignore", UserWarning)
        # The splitter does not look at the inputs, only at their number.
        cuts = list(splitter.split(np.zeros((len(y), 1)), y, units))
    return [(train, test) for train, test in cuts if len(train) and len(test)]


def compare_over_folds(
    metric: AnyMetric,
    challenger: Array,
    opponent: Array,
    *,
    tested: float,
    confidence: float,
    freedom: int | None = None,
) -> Comparison:
    """Return the comparison of two models' scores (J,) in `metric`, fold by fold.

    `tested` is how many rows judge for each row that is learnt from: 0.25 with five folds.
    `freedom` are the degrees of freedom of Student's t, J - 1 where it is not given; with few
    repeats those of a single one are the safe choice. A score that is not finite proves nothing:
    the bound is -inf.
    """
    from scipy.special import stdtrit

    count = len(challenger)
    gains = np.asarray(better_by(metric, challenger, opponent), dtype=np.float64)
    lower, upper = -np.inf, np.inf
    if count > 1 and np.isfinite(gains).all():
        error = np.sqrt((1 / count + tested) * gains.var(ddof=1))
        reach = float(stdtrit(freedom or count - 1, confidence) * error)
        lower, upper = float(gains.mean()) - reach, float(gains.mean()) + reach
    return Comparison(
        metric=metric if isinstance(metric, str) else metric.name,
        challenger=float(np.mean(challenger)),
        opponent=float(np.mean(opponent)),
        difference=float(gains.mean()) if count else float("nan"),
        lower=lower,
        p_better=float(np.mean(gains > 0)) if count else 0.0,
        confidence=confidence,
        blocks=count,
        unit="folds",
        upper=upper,
    )
