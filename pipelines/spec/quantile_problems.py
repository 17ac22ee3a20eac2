"""Which estimators learn quantiles, and what is wrong with a spec that asks for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.plain_errors import Problem
from pipelines.spec.levels import why_unanswered
from pipelines.spec.metrics import find_metric, is_known

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.plain_errors import Path
    from pipelines.spec.candidates import Candidate
    from pipelines.spec.metric import Metric
    from pipelines.spec.quantiles import Quantiles
    from pipelines.tasks import Task


@dataclass(frozen=True)
class LevelParameter:
    """How an estimator is told the level that it shall learn."""

    name: str
    """The parameter that takes the level."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """What else must be set for it to learn a quantile."""


LEARNS_QUANTILES: dict[str, LevelParameter] = {
    "sklearn.dummy.DummyRegressor": LevelParameter("quantile", {"strategy": "quantile"}),
    "sklearn.linear_model.QuantileRegressor": LevelParameter("quantile"),
    "sklearn.ensemble.GradientBoostingRegressor": LevelParameter("alpha", {"loss": "quantile"}),
    "sklearn.ensemble.HistGradientBoostingRegressor": LevelParameter(
        "quantile", {"loss": "quantile"}
    ),
    "lightgbm.LGBMRegressor": LevelParameter("alpha", {"objective": "quantile"}),
    "xgboost.XGBRegressor": LevelParameter("quantile_alpha", {"objective": "reg:quantileerror"}),
    "xgboost.XGBRFRegressor": LevelParameter("quantile_alpha", {"objective": "reg:quantileerror"}),
}
"""The estimators that learn the quantile of a level, fitted once for each level."""


def quantile_problems(
    quantiles: Quantiles | None,
    task: Task,
    candidates: Sequence[Candidate],
    named: Sequence[tuple[Path, str]],
) -> list[Problem]:
    """Return what is wrong with the quantiles beside the task, the candidates and the metrics.

    `named` are the metrics that training and gate name, with their places.
    """
    if task != "quantiles":
        why = f"belongs to the task quantiles, this one is {task}; remove it"
        return [] if quantiles is None else [Problem(("quantiles",), why)]
    if quantiles is None:
        why = "missing; write the levels, such as `quantiles: [0.05, 0.5, 0.95]`"
        return [Problem(("quantiles",), why)]
    faults = []
    for place, candidate in enumerate(candidates):
        faults += [
            Problem(("candidates", place, *fault.path), fault.text)
            for fault in _candidate_problems(candidate, quantiles)
        ]
    return faults + [
        Problem(path, why)
        for path, name in named
        if is_known(name) and task in find_metric(name).tasks
        if (why := _why_not_named(path, find_metric(name), quantiles.levels))
    ]


def _why_not_named(path: Path, metric: Metric, levels: Sequence[float]) -> str:
    """Return why a metric cannot stand where it is named; empty where it can."""
    if why := why_unanswered(metric, levels):
        return f"{metric.name} {why}"
    compares = path[-1] == "metric"
    if compares and not metric.decides:
        return (
            f"{metric.name} is best for a model that says nothing; compare by pinball or"
            " interval_score, and give it a bound in the gate"
        )
    return ""


def _candidate_problems(candidate: Candidate, quantiles: Quantiles) -> list[Problem]:
    """Return what keeps a candidate from answering with quantiles."""
    if "regression" not in candidate.declaration.tasks:
        return []  # which is told of every task
    if kind := _kind_without_levels(candidate):
        return [kind]
    if candidate.pipeline or candidate.onnx or candidate.vote:
        return []  # what they answer is looked at when they are asked
    learns = LEARNS_QUANTILES.get(candidate.estimator)
    if learns is None:
        if quantiles.conformal is not None:
            return []
        why = (
            f"{candidate.estimator} learns no quantiles; write `conformal: true` under `quantiles`,"
            f" which makes them of its errors, or name one of {', '.join(LEARNS_QUANTILES)}"
        )
        return [Problem(("estimator",), why)]
    ours = {learns.name, *learns.fixed}
    return [
        Problem((part, name), "is set by the levels of `quantiles`; remove it")
        for part in ("params", "search")
        for name in getattr(candidate, part)
        if name in ours
    ]


def _kind_without_levels(candidate: Candidate) -> Problem | None:
    """Return the refusal of a kind of candidate that has no quantiles; None where it may."""
    if candidate.stack:
        why = "does not go with quantiles: what a last estimator learns of answers is one value"
        return Problem(("stack",), f"{why}; name a `vote`, which takes the mean of each level")
    if candidate.early_stopping:
        why = "does not go with quantiles, of which each level is a fit of its own"
        return Problem(("early_stopping",), f"{why}; leave it out, and search for the rounds")
    return None
