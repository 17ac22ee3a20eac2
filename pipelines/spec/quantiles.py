"""What a spec says of quantiles: their levels, and whether their coverage is promised."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from pipelines.errors import RequestError
from pipelines.plain_errors import Impossible, Problem
from pipelines.refs import Value
from pipelines.spec.metrics import find_metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.spec.candidates import Candidate
    from pipelines.spec.metric import Metric

ROUNDING = 1e-9
"""What products of levels and counts may be off in floating point."""

Level = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class Conformal(Value):
    """The levels are corrected on rows that were not learnt from, so that they hold as promised.

    The rows are the latest of those to learn from; of a snapshot whole groups by chance.
    """

    share: Annotated[float, Field(ge=0.05, le=0.5)] = 0.2
    """The share of the rows that corrects, and is not learnt from."""
    tolerance: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    """The gate refuses where the held-out rows prove a coverage that is lower by more than this."""


def _conformal_or_not(value: Any) -> Any:
    """Return the short forms, true and false, as the long ones."""
    return {} if value is True else None if value is False else value


class Quantiles(Value):
    """The quantiles that a model answers with: the values below which so many outcomes lie."""

    levels: Annotated[list[Level], Field(min_length=1, max_length=25)]
    """The levels in increasing order: at 0.9, nine of ten outcomes lie below the answer."""
    conformal: Annotated[Conformal | None, BeforeValidator(_conformal_or_not)] = None
    """Whether coverage is promised: `true`, or keys and values, below.

    Needed where an estimator learns no quantiles.
    """

    @model_validator(mode="after")
    def _increase(self) -> Quantiles:
        faults = [
            Problem(
                ("levels", nth),
                f"{level:g} stands twice; remove one"
                if level in self.levels[:nth]
                else f"{level:g} stands behind {self.levels[nth - 1]:g}; write them in increasing"
                " order",
            )
            for nth, level in enumerate(self.levels)
            if nth and level <= self.levels[nth - 1]
        ]
        if faults:
            raise Impossible(faults)
        return self

    @property
    def coverage(self) -> float:
        """The share of outcomes between the outermost levels, or beyond one alone."""
        if len(self.levels) == 1:
            return max(self.levels[0], 1 - self.levels[0])
        return self.levels[-1] - self.levels[0]

    @property
    def least_rows(self) -> int:
        """How many calibration rows (or groups) every level needs: its tail must hold one of
        them."""
        tail = min(min(level, 1 - level) for level in self.levels)
        return math.ceil(1 / tail - ROUNDING) - 1


def _levels_or_block(value: Any) -> Any:
    """Return the short form, a list of levels, as the long one."""
    return {"levels": value} if isinstance(value, list) else value


QuantileBlock = Annotated[Quantiles | None, BeforeValidator(_levels_or_block)]


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
    quantiles: Quantiles | None, task: str, candidates: Sequence[Candidate], named: Sequence[str]
) -> list[Problem]:
    """Return what is wrong with the quantiles beside the task, the candidates and the metrics.

    `named` are the metrics of the catalogue that training and gate name.
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
        Problem(("quantiles", "levels"), f"{name} {why}")
        for name in named
        if (why := why_unanswered(name, quantiles.levels))
    ]


def _candidate_problems(candidate: Candidate, quantiles: Quantiles) -> list[Problem]:
    """Return what keeps a candidate from answering with quantiles."""
    if candidate.part_names:
        kind = "stack" if candidate.stack else "vote"
        return [Problem((kind,), f"a {kind} learns no quantiles; name one estimator instead")]
    if candidate.onnx or candidate.pipeline:
        field_name = "onnx" if candidate.onnx else "pipeline"
        why = "cannot answer with quantiles yet; name an `estimator`"
        return [Problem((field_name,), why)]
    if candidate.early_stopping:
        why = "does not reach into one fit for each level; remove it"
        return [Problem(("early_stopping",), why)]
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


def why_unanswered(name: str, levels: Sequence[float]) -> str:
    """Return why a metric cannot be computed of answers at these levels; empty where it can."""
    try:
        metric = find_metric(name)
    except RequestError:
        return ""
    wanted = wanted_levels(metric, levels)
    if len(wanted) == 0:
        return "needs a lower and an upper level; add one"
    absent = [level for level in wanted if place_of_level(level, levels) is None]
    if not absent:
        return ""
    words = " and ".join(f"{level:.12g}" for level in absent)
    return f"needs the level{'s' if len(absent) > 1 else ''} {words}; add what is missing"


def wanted_levels(metric: Metric, levels: Sequence[float]) -> tuple[float, ...]:
    """Return the levels whose answers a metric looks at; none where there are too few."""
    if metric.looks_at == "median":
        return (0.5,)
    if metric.looks_at == "level" and metric.number is not None:
        return (metric.number,)
    if metric.looks_at == "span":
        if metric.number is not None:
            return ((1 - metric.number) / 2, (1 + metric.number) / 2)
        return (levels[0], levels[-1]) if len(levels) > 1 else ()
    return tuple(levels)


def place_of_level(level: float, levels: Sequence[float]) -> int | None:
    """Return the position of a level; None where it is not there."""
    return next((i for i, each in enumerate(levels) if abs(each - level) < ROUNDING), None)
