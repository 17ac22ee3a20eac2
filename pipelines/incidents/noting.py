"""What opens and closes an incident: a drift check, what came of a run, a check that did not run.

Noting the same entry again changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.incidents.events import close_by_itself, open_incident
from pipelines.incidents.state import open_incidents, seen_in
from pipelines.intervals import iso
from pipelines.ledger import DriftCheck, Outcome
from pipelines.verdicts.words import join

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.ledger import Entry, Ledger, What

NO_CHECK = "a drift check did not run"


def note_check(ledger: Ledger, model: str, entry: Entry) -> int | None:
    """Note a drift check: an alarm opens an incident, a sound window closes those before it.

    Return the number of an alarm's incident. Only a window that ends no earlier than every one
    with an alarm shows that what was broken is mended.
    """
    check = entry.read(DriftCheck)
    if seen := seen_in(entry):
        words = join(check.reasons)
        return open_incident(ledger, model, *seen, words, entry.at, first=entry.seq)
    found = open_incidents(ledger, model, entry.at)
    for incident in found:
        if incident.what == "no_check":
            close_by_itself(ledger, incident, "a drift check has run")
    alarms = [i for i in found if i.what == "alarm" and check.verdict in {"no_drift", "drift"}]
    if alarms and check.window.end >= _last_alarm(ledger, model, min(i.first for i in alarms)):
        for incident in alarms:
            close_by_itself(ledger, incident, f"the window until {iso(check.window.end)} is sound")
    return None


def note_outcome(ledger: Ledger, model: str, entry: Entry, *, stopped: bool = False) -> int | None:
    """Note what came of a retraining: a failure opens an incident, a deployed version closes them.

    A refusal opens one where the policy has `stopped` by it. Return its number.
    """
    outcome, now = entry.read(Outcome), entry.at
    if outcome.outcome == "deployed":
        over: set[What] = {"refused", "failed_retraining", "failed_deployment"}
        _close_all(ledger, model, now, over, f"version {outcome.version} was deployed")
        return None
    if outcome.outcome == "refused":
        why = "a retraining has ended with a verdict"
        _close_all(ledger, model, now, {"failed_retraining"}, why)
        if not stopped:
            return None
    seen = seen_in(entry)
    if seen is None:
        return None
    words = f"the run {entry.run}: {join(outcome.reasons)}"
    return open_incident(ledger, model, *seen, words, now, first=entry.seq)


def note_missing_check(ledger: Ledger, model: str, words: str, now: datetime) -> int | None:
    """Note that a drift check did not run when it should have; the next one closes the incident."""
    return open_incident(ledger, model, "no_check", NO_CHECK, words, now)


def _close_all(ledger: Ledger, model: str, now: datetime, kinds: set[What], why: str) -> None:
    for incident in open_incidents(ledger, model, now):
        if incident.what in kinds:
            close_by_itself(ledger, incident, why)


def _last_alarm(ledger: Ledger, model: str, first: int) -> datetime:
    """Return the latest end of a window with an alarm, from an entry on."""
    checks = [e.decision for e in ledger.entries(model, "drift") if e.seq >= first]
    return max(c.window.end for c in checks if isinstance(c, DriftCheck) and c.verdict == "alarm")
