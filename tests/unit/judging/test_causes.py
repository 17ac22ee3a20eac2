"""What started a run is known by what nobody can claim who merely names it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.intervals import Interval
from pipelines.judging.causes import cause_of
from pipelines.ledger import MemoryLedger, RequestConf, RetrainRequest

END = datetime(2026, 5, 1, tzinfo=UTC)
RUN = "drift__visits__2026-05-01T00:00:00Z"


def ask(ledger, as_of):
    request = RetrainRequest(
        run_id=RUN,
        window=Interval(start=END - timedelta(days=30), end=END),
        reasons=["drift"],
        conf=RequestConf(reason="drift", **({"as_of": as_of} if as_of else {})),
    )
    ledger.append("visits", "000001", request)


@pytest.mark.parametrize("as_of", [END, None])
def test_a_run_that_the_ledger_has_asked_for_is_drifts(as_of):
    ledger = MemoryLedger()
    ask(ledger, as_of)
    assert cause_of(ledger, "visits", RUN, END) == "change"


def test_a_persons_run_cannot_claim_to_be_drifts():
    ledger = MemoryLedger()
    assert cause_of(ledger, "visits", RUN, END) == "hand"
    ask(ledger, END)
    assert cause_of(ledger, "visits", RUN, END - timedelta(days=90)) == "hand"
    assert cause_of(ledger, "sales", RUN, END) == "hand"


def test_a_schedules_run_has_the_name_that_airflow_keeps_for_it():
    ledger = MemoryLedger()
    assert cause_of(ledger, "visits", "scheduled__2026-05-01T00:00:00+00:00", END) == "schedule"
    assert cause_of(ledger, "visits", "manual__1", END) == "hand"
