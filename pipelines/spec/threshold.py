"""What a spec says of the threshold above which a probability means the positive class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from pipelines.plain_errors import Problem
from pipelines.refs import Value
from pipelines.spec.metric_catalogue import METRICS
from pipelines.spec.metrics import find_metric, fits, is_unknown
from pipelines.spec.own_metrics import DECLARE_OWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.spec.own_metrics import OwnMetric
    from pipelines.tasks import Task

LABELS = "labels"


class ThresholdFor(Value):
    """The threshold that is best by a metric or a cost, on rows of the training window that the
    judged fit has not seen.
    """

    metric: Annotated[
        str, Field(alias="for", description="A metric of decisions: f1, or one of `metrics`.")
    ]


def _fixed_or_for(value: Any) -> Any:
    """Return what may be a threshold. Raises ValueError in words for any other form."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, dict | ThresholdFor) or (is_number and 0 < value < 1):
        return value
    msg = "must be a number between 0 and 1 such as 0.3, or `{for: METRIC}`"
    raise ValueError(msg)


Threshold = Annotated[float | ThresholdFor, BeforeValidator(_fixed_or_for)]


def threshold_problems(
    threshold: float | ThresholdFor | None, task: Task, own: Mapping[str, OwnMetric]
) -> list[Problem]:
    """Return what is wrong with a threshold."""
    if threshold is None:
        return []
    if task != "binary":
        return [
            Problem(("threshold",), f"a {task} task has no threshold, only a binary one; remove it")
        ]
    if not isinstance(threshold, ThresholdFor):
        return []
    name, place = threshold.metric, ("threshold", "for")
    choices = [n for n, metric in own.items() if metric.sees == LABELS]
    choices += [n for n, m in METRICS.items() if task in m.tasks and m.sees == LABELS]
    if name in own:
        sees = own[name].sees
    elif fits(name, task):
        sees = "labels" if find_metric(name).sees == LABELS else "probabilities"
    else:
        wrong = f"{name[:80]!r} is no metric of a {task} task; use one of {', '.join(choices)}"
        if is_unknown(name):
            wrong += f". {DECLARE_OWN}"
        return [Problem(place, wrong)]
    if sees != LABELS:
        wrong = (
            f"{name} is the same at every threshold, since it does not look at decisions; use one"
            f" of {', '.join(choices)}"
        )
        return [Problem(place, wrong)]
    return []
