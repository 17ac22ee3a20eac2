"""What a gate is told of a challenger, and the gate itself."""

from __future__ import annotations

from datetime import UTC, datetime

from pipelines.intervals import Interval
from pipelines.spec import Gate


def span_of_months(first, last):
    return Interval(
        start=datetime(2026, first, 1, tzinfo=UTC), end=datetime(2026, last, 1, tzinfo=UTC)
    )


GATE = Gate.model_validate(
    {
        "at_least": {"roc_auc": 0.58},
        "at_most": {"brier": 0.25},
        "versus_champion": {"metric": "roc_auc", "confidence": 0.95},
        "min_rows": 100,
    }
)
GUARDED = GATE.model_copy(update={"guards": {"log_loss": 0.05}, "at_most": {}})
