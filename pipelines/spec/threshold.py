"""What a spec says of the threshold: above it a probability means the positive class, a score of
strangeness an anomaly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from pipelines.plain_errors import Problem
from pipelines.refs import Value
from pipelines.spec.metric_catalogue import METRICS
from pipelines.spec.metrics import find_metric, fits, is_unknown
from pipelines.spec.own_metrics import DECLARE_OWN
from pipelines.tasks import with_article

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


MOST_FLAGGED = 0.5
"""More than half of the rows are no anomalies."""


class ThresholdAtRate(Value):
    """The score above which so large a share of rows lies, on rows that the fit has not seen."""

    rate: Annotated[
        float,
        Field(
            gt=0,
            le=MOST_FLAGGED,
            allow_inf_nan=False,
            description="Of an anomaly model: the share of rows that is flagged.",
        ),
    ]


def _known_form(value: Any) -> Any:
    """Return what may be a threshold. Raises ValueError in words for any other form."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, dict) and "rate" in value:
        return ThresholdAtRate.model_validate(value)
    if isinstance(value, dict | ThresholdFor | ThresholdAtRate) or (is_number and 0 < value < 1):
        return value
    msg = "must be a number between 0 and 1 such as 0.3, or `{for: METRIC}`"
    raise ValueError(msg)


Threshold = Annotated[float | ThresholdFor | ThresholdAtRate, BeforeValidator(_known_form)]


def _rate_problems(threshold: float | ThresholdFor | ThresholdAtRate | None) -> list[Problem]:
    """Return what is wrong with the threshold of an anomaly model."""
    if isinstance(threshold, ThresholdAtRate):
        return []
    wanted = "write the share of rows to flag, such as `threshold: {rate: 0.01}`"
    why = (
        f"missing; {wanted}"
        if threshold is None
        else f"scores have no scale of their own; {wanted}"
    )
    return [Problem(("threshold",), why)]


def threshold_problems(
    threshold: float | ThresholdFor | ThresholdAtRate | None,
    task: Task,
    own: Mapping[str, OwnMetric],
) -> list[Problem]:
    """Return what is wrong with a threshold."""
    if task == "anomaly":
        return _rate_problems(threshold)
    if isinstance(threshold, ThresholdAtRate):
        why = f"belongs to an anomaly task, this one is {task}; remove it"
        return [Problem(("threshold", "rate"), why)]
    if threshold is not None and task != "binary":
        return [
            Problem(
                ("threshold",),
                f"{with_article(task)} has no threshold, only a binary one; remove it",
            )
        ]
    return _choice_problems(threshold, task, own) if isinstance(threshold, ThresholdFor) else []


def _choice_problems(
    threshold: ThresholdFor, task: Task, own: Mapping[str, OwnMetric]
) -> list[Problem]:
    """Return what is wrong with the metric that a threshold is chosen for."""
    name, place = threshold.metric, ("threshold", "for")
    choices = [n for n, metric in own.items() if metric.sees == LABELS]
    choices += [n for n, m in METRICS.items() if task in m.tasks and m.sees == LABELS]
    if name in own:
        sees = own[name].sees
    elif fits(name, task):
        sees = "labels" if find_metric(name).sees == LABELS else "probabilities"
    else:
        wrong = (
            f"{name[:80]!r} is no metric of {with_article(task)}; use one of {', '.join(choices)}"
        )
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
