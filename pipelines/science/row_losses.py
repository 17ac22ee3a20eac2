"""How wrong each single answer is, so that two samples can be compared row by row.

A metric of many rows is a number of them all; what differs between two samples of rows is seen in
the errors that it follows from. Less is better:

- a probability, of one class or of each: its squared error (Brier's), which no single row can
  carry away; -log of the true class's probability where the metric is `log_loss`
- a value: its squared error where the metric looks at squares, else the error's size
- quantiles: their pinball loss, the mean over the levels
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.formulas.levels import mean_losses
from pipelines.science.formulas.probabilities import squared_errors, surprise
from pipelines.science.formulas.values import error
from pipelines.spec.metrics import find_metric, is_known
from pipelines.tasks import answers_scores, classifies, finds_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.tasks import Task

    Array = NDArray[Any]


def has_losses(task: Task) -> bool:
    """Tell whether an answer is more or less wrong: a cluster is not, nor is a score of no unit."""
    return not answers_scores(task) and not finds_classes(task)


def row_losses(
    metric: str, task: Task, y: Array, p: Array, levels: tuple[float, ...] = ()
) -> Array:
    """Return the loss (n,) of each row by the errors that `metric` looks at.

    Shapes as in `science.metrics`; of a task that `has_losses`. `levels` are those of quantiles. A
    class that the model does not know is as wrong as an answer can be.
    """
    if classifies(task):
        return surprise(y, p)[0] if metric == "log_loss" else squared_errors(y, p)[0]
    if levels:
        return mean_losses(y, p, levels)
    off = error(y, p)
    sees = find_metric(metric).sees if is_known(metric) else "distances"
    return off**2 if sees == "squares" else np.abs(off)


def words_of(metric: str, task: Task) -> str:
    """Return in words what a row's loss is."""
    if classifies(task):
        return "-log of the true class's probability" if metric == "log_loss" else "squared error"
    if task == "quantiles":
        return "pinball loss"
    sees = find_metric(metric).sees if is_known(metric) else "distances"
    return "squared error" if sees == "squares" else "absolute error"
