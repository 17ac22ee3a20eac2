"""The metrics that a spec may name, known without importing NumPy: a DAG file parses lightly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipelines.errors import RequestError
from pipelines.spec.tasks import CLASSIFY, REGRESS, Task

Sees = Literal["order", "probabilities", "labels", "squares", "distances"]
"""What a metric sees of an answer.

- order: how the scores rank the rows, never what they say by themselves
- probabilities: whether they are true
- labels: the class that the model decides for, not how sure it is
- squares: errors by their squares, so great misses above all
- distances: errors by their size, all alike
"""


@dataclass(frozen=True)
class Metric:
    """The one declaration of a metric: the tasks it fits, what it sees, and which way is better.

    Its formula stands under the same name in `pipelines.science.metrics.FORMULAS`: a DAG file
    reads the declarations at every parse and must not load NumPy for them.
    """

    tasks: frozenset[Task]
    sees: Sees
    greater_is_better: bool


_BINARY: frozenset[Task] = frozenset({"binary"})

METRICS: dict[str, Metric] = {
    "roc_auc": Metric(_BINARY, "order", greater_is_better=True),
    "average_precision": Metric(_BINARY, "order", greater_is_better=True),
    "brier": Metric(_BINARY, "probabilities", greater_is_better=False),
    "log_loss": Metric(CLASSIFY, "probabilities", greater_is_better=False),
    "accuracy": Metric(CLASSIFY, "labels", greater_is_better=True),
    "mae": Metric(REGRESS, "distances", greater_is_better=False),
    "rmse": Metric(REGRESS, "squares", greater_is_better=False),
    "r2": Metric(REGRESS, "squares", greater_is_better=True),
    "wape": Metric(REGRESS, "distances", greater_is_better=False),
}
"""Every metric, by name. To add one, declare it here and write its formula."""


def find_metric(name: str) -> Metric:
    """Return the declaration of a metric. Raises RequestError for an unknown name."""
    try:
        return METRICS[name]
    except KeyError as error:
        raise RequestError(
            f"There is no metric {name!r}.", remedy=f"use one of {', '.join(METRICS)}."
        ) from error


def metrics_for(task: Task) -> tuple[str, ...]:
    """Return the names of the metrics that fit the task, in the catalogue's order."""
    return tuple(name for name, metric in METRICS.items() if task in metric.tasks)
