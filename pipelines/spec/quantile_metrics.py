"""The metrics of quantiles, declared."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from pipelines.spec.metric import Family, Metric
from pipelines.tasks import QUANTILES

_LEAST = 1e-9

_LOSS = Metric(
    name="",
    tasks=QUANTILES,
    sees="distances",
    greater_is_better=False,
    bounds=(0, inf),
    means="",
    constant="quantile",
    looks_at="levels",
)
_COVERAGE = replace(
    _LOSS,
    name="coverage",
    sees="spans",
    greater_is_better=True,
    bounds=(0, 1),
    means="the share of rows between the outermost levels, or on the long side of a single one",
    looks_at="reach",
    decides=False,
)
_WIDTH = replace(
    _COVERAGE,
    name="width",
    greater_is_better=False,
    bounds=(0, inf),
    looks_at="span",
    means="the mean distance of the outermost levels, in the target's unit",
)
_INTERVAL = replace(
    _LOSS,
    name="interval_score",
    means="`width`, and for rows outside their distance to the nearer end, by 2 / (1 - coverage)",
    looks_at="span",
)
QUANTILE_METRICS = (
    replace(
        _LOSS,
        name="pinball",
        means="the mean loss over all levels: too low costs q, too high 1 - q for each unit",
        shown=QUANTILES,
    ),
    replace(_COVERAGE, shown=QUANTILES),
    replace(_WIDTH, shown=QUANTILES),
    replace(_INTERVAL, shown=QUANTILES),
)


def _of_span(metric: Metric, means: str) -> Family:
    """Return the family that takes the coverage of the span: at 0.8 the levels 0.1 and 0.9."""
    return Family(
        f"{metric.name}_{{}}",
        replace(metric, family=metric.name, means=means),
        example=f"{metric.name}_0.8",
        range="the coverage is above 0 and below 1",
        spans=((_LEAST, 1 - _LEAST),),
    )


QUANTILE_FAMILIES: tuple[Family, ...] = (
    _of_span(_COVERAGE, "`coverage` of two inner levels: at 0.8 of 0.1 and 0.9"),
    _of_span(_WIDTH, "`width` of two inner levels: at 0.8 of 0.1 and 0.9"),
    _of_span(_INTERVAL, "`interval_score` of two inner levels: at 0.8 of 0.1 and 0.9"),
)
