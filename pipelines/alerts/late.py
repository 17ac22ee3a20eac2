"""A drift check that did not run: the one incident that no run can write down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.incidents import note_missing_check, open_incidents
from pipelines.incidents.events import close_by_itself
from pipelines.intervals import iso
from pipelines.spec.schedules import grace_of, next_due
from pipelines.watch.retrain_requests import find_open_request

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.ledger import Ledger
    from pipelines.spec import Spec


def note_late_check(ledger: Ledger, spec: Spec, since: datetime, now: datetime) -> None:
    """Open an incident where the ledger lacks a check that was due, whatever the reason.

    `since` is from when on the model is looked at, where it has no check yet; `now` is this moment.
    While a retraining that drift asked for is open, the drift DAG waits for it, and is not late.
    """
    if spec.drift is None:
        for incident in open_incidents(ledger, spec.name, now):
            if incident.what == "no_check":
                close_by_itself(ledger, incident, "the model is not watched any more")
        return
    schedule = spec.drift.schedule
    checks = ledger.entries(spec.name, "drift", limit=1)
    due = next_due(schedule, checks[-1].at if checks else since)
    if now <= due + grace_of(schedule, due):
        return
    if find_open_request(ledger, spec.name, now) is None:
        words = f"the check that was due at {iso(due)} has not run"
        note_missing_check(ledger, spec.name, words, now)
