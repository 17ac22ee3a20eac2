"""What a spec says of metrics of the model's own, which `metrics.py` in its folder computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints

from pipelines.plain_errors import Problem
from pipelines.refs import Value
from pipelines.spec.metrics import is_known
from pipelines.spec.sources import Identifier
from pipelines.tasks import classifies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.spec.drift import Drift
    from pipelines.tasks import Task


DECLARE_OWN = (
    "One of your own is declared too: `metrics: {cost: {better: smaller, unit: EUR}}`, with a"
    " function of its name in metrics.py"
)
"""What to do where a metric is named that nobody knows."""


class OwnMetric(Value):
    """A metric of the model's own: a function in `metrics.py`, called with (y, prediction, rows).

    It returns one number per row.
    """

    function: Identifier | None = None
    """Its name in metrics.py; default: the metric's name."""
    better: Literal["smaller", "greater"]
    """Which way is better: a cost is better when smaller."""
    unit: Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f<>&]{1,20}$")] | None = None
    """What it is counted in, such as EUR; stands behind the number wherever it is shown."""
    per: Literal["row", "total"] = "row"
    """Whether the mean over the rows counts, or their sum."""
    sees: Literal["labels", "probabilities"] = "labels"
    """Of classes: whether `prediction` is the class that was decided for, or its probability."""

    @property
    def greater_is_better(self) -> bool:
        """Whether a greater value is the better one."""
        return self.better == "greater"

    @property
    def shown_unit(self) -> str:
        """The unit as it stands behind a number: `EUR per row`; empty where there is none."""
        return f"{self.unit or ''}{' per row' if self.per == 'row' and self.unit else ''}"


MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
OwnMetrics = Annotated[dict[MetricName, OwnMetric], Field(max_length=20)]


def own_metric_problems(
    own: Mapping[str, OwnMetric], trained_by: str, drift: Drift | None, task: Task
) -> list[Problem]:
    """Return what is wrong with the model's own metrics."""
    faults = [
        Problem(("metrics", name), "is a metric of the catalogue; give yours another name")
        for name in own
        if is_known(name)
    ]
    faults += [
        Problem(
            ("metrics", name, "sees"),
            "a regression has no probabilities; remove it: `prediction` is the value",
        )
        for name, metric in own.items()
        if not classifies(task) and metric.sees == "probabilities"
    ]
    if drift is not None and trained_by in own and own[trained_by].per == "total":
        faults.append(
            Problem(
                ("metrics", trained_by, "per"),
                "windows hold other numbers of rows than the holdout, so that a total cannot be"
                " compared over them, as drift does with train.metric; use `per: row`",
            )
        )
    return faults
