"""What an anomaly model answers: how strange a row is, greater for stranger.

It is scikit-learn's `score_samples` with its sign turned, which is greater for what is usual. For
the forest that is the score of its paper (0 to 1), for neighbours the local outlier factor, for a
density minus its logarithm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    Array = np.ndarray[Any, Any]


def strangeness(model: Any, inputs: pd.DataFrame) -> Array:
    """Return how strange each row (n,) is to a fitted pipeline or estimator."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        usual = np.asarray(model.score_samples(inputs), dtype=np.float64)
        answers: Array = -usual / size_of_scores(model)
    return answers


def size_of_scores(model: Any) -> float:
    """Return by what a model's scores are divided, so that fits on few and many rows are alike.

    A support vector machine sums the kernel over its vectors, with weights that grow with the rows:
    of twice the rows its score is about twice as great, and no threshold of one fit would suit
    another. Divided by its offset it is -1 at the machine's own boundary.
    """
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    if type(last).__name__ == "OneClassSVM" and hasattr(last, "offset_"):
        return float(np.abs(np.ravel(last.offset_)[0])) or 1.0
    return 1.0
