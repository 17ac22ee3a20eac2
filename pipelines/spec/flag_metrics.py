"""The metrics of flagged rows that need no truth, declared."""

from __future__ import annotations

from pipelines.spec.metric import Family, Metric

FLAG_FAMILIES: tuple[Family, ...] = (
    Family(
        "flag_rate_error_at_{}_percent",
        Metric(
            name="",
            tasks=frozenset({"anomaly"}),
            sees="labels",
            greater_is_better=False,
            bounds=(0, 1),
            means="how far the share of flagged rows is from so many per cent, as a share; it needs"
            " no truth",
            family="flag_rate_error",
            needs_truth=False,
        ),
        example="flag_rate_error_at_1_percent",
        range="per cent of the rows, above 0 and at most 50",
        spans=((1e-9, 50),),
    ),
)


def flag_rate_error(rate: float) -> str:
    """Return the name of the metric that holds the flagged share against a promised rate."""
    return FLAG_FAMILIES[0].write(rate * 100)
