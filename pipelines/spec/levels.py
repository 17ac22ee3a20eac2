"""Which levels of a model of quantiles a metric looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.spec.metric import Metric

ROUNDING = 1e-9
"""What a level, or a product of it and a count, may be off in floating point."""


def wanted_levels(metric: Metric, levels: Sequence[float]) -> tuple[float, ...]:
    """Return the levels whose answers a metric looks at; none where there are too few."""
    if metric.looks_at == "median":
        return (0.5,)
    if metric.looks_at == "level" and metric.number is not None:
        return (metric.number,)
    if metric.looks_at in {"span", "reach"}:
        if metric.number is not None:
            return ((1 - metric.number) / 2, (1 + metric.number) / 2)
        if metric.looks_at == "reach" and len(levels) == 1:
            return (levels[0],)
        return (levels[0], levels[-1]) if len(levels) > 1 else ()
    return tuple(levels)


def place_of_level(level: float, levels: Sequence[float]) -> int | None:
    """Return the position of a level; None where it is not there."""
    return next((i for i, each in enumerate(levels) if abs(each - level) < ROUNDING), None)


def why_unanswered(metric: Metric, levels: Sequence[float]) -> str:
    """Return why a metric cannot be computed of answers at these levels; empty where it can."""
    wanted = wanted_levels(metric, levels)
    if not wanted:
        return "needs a lower and an upper level; add one"
    absent = [f"{w:.12g}" for w in wanted if place_of_level(w, levels) is None]
    if not absent:
        return ""
    many = len(absent) > 1
    words = f"needs the level{'s' if many else ''} {' and '.join(absent)}"
    return f"{words}; add {'them' if many else 'it'} to `quantiles`"
