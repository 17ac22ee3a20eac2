"""Verdicts on windows of the small world, as `drift` leaves them in the ledger, for the steps that
go by them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.intervals import Interval
from pipelines.ledger import DriftCheck
from pipelines.messages import DecideResult, DriftResult
from pipelines.refs import Ref
from tests.worlds import FIRST

if TYPE_CHECKING:
    from pipelines.ledger import Ledger

NOTHING = Ref(uri="objects/00/nothing.json", sha256="0" * 64)


def window(day: int) -> Interval:
    return Interval(start=FIRST + timedelta(days=day), end=FIRST + timedelta(days=day + 1))


def drifted(day: int, verdict: str = "drift", **more: Any) -> DriftResult:
    facts: dict[str, Any] = {
        "verdict": verdict,
        "reasons": ["the channel is another one"],
        "window": window(day),
        "source": "traffic",
        "rows": 240,
        "labelled": 230,
        "champion": "1",
        "metric": "roc_auc",
        "live": 0.6,
        "expected": 0.9,
        "columns": 4,
        "drifted": ["channel"],
        "figures": NOTHING,
        "page": NOTHING,
        "run_id": "r",
    }
    return DriftResult.model_validate({**facts, **more})


def enter(ledger: Ledger, run: str, result: DriftResult) -> DriftResult:
    """Write the verdict down as the drift step does."""
    ledger.append("sales", run, DriftCheck(**result.model_dump(), run=run))
    return result


def started(day: int) -> DecideResult:
    end = f"{window(day).end:%Y-%m-%dT%H:%M:%SZ}"
    return DecideResult(
        start=True,
        why="it has drifted",
        run_id=f"drift__sales__{end}",
        conf={"as_of": end, "reason": "drift"},
    )


class Clock:
    """A ledger's clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)
