"""What opens and closes an incident: a drift check, what came of a run, a check that did not run.

Noting the same entry again changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.incidents.events import close_by_itself, open_incident
from pipelines.incidents.state import Seen, open_incidents, seen_in
from pipelines.intervals import SNAPSHOT, iso
from pipelines.ledger import DriftCheck, Outcome, Quarantine
from pipelines.verdicts.words import join

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.incidents.state import Incident
    from pipelines.intervals import Interval
    from pipelines.ledger import Entry, Kind, Ledger, What

NO_CHECK = "a drift check did not run"
_QUARANTINE = Seen("quarantine", "a batch is in quarantine")
_ENDS: dict[What, Kind] = {"alarm": "drift", "quarantine": "quarantine"}
"""What a sound window closes, and the entries that say which windows and batches it is about."""


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
    if check.verdict in {"no_drift", "drift"}:
        for incident in found:
            if incident.what in _ENDS and check.window.end >= _last_end(ledger, incident):
                why = f"the window until {iso(check.window.end)} is sound"
                close_by_itself(ledger, incident, why)
    return None


def note_quarantine(ledger: Ledger, model: str, entry: Entry) -> int | None:
    """Note a batch that went to quarantine. Return the number of the incident."""
    words = join(entry.read(Quarantine).reasons)
    return open_incident(ledger, model, *_QUARANTINE, words, entry.at, first=entry.seq)


def note_outcome(ledger: Ledger, model: str, entry: Entry, *, stopped: bool = False) -> int | None:
    """Note what came of a retraining: a failure opens an incident, a deployed version closes them.

    A refusal opens one where the policy has `stopped` by it. Return its number.
    """
    outcome, now = entry.read(Outcome), entry.at
    if outcome.outcome == "deployed":
        over: set[What] = {"quarantine", "refused", "failed_retraining", "failed_deployment"}
        _close_all(ledger, model, now, over, f"version {outcome.version} was deployed")
        return None
    if outcome.outcome == "refused":
        why = "a retraining has ended with a verdict"
        _close_all(ledger, model, now, {"quarantine", "failed_retraining"}, why)
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


def _last_end(ledger: Ledger, incident: Incident) -> datetime:
    """Return the latest end of a window or batch that an incident is about.

    A snapshot has no end: the next look at it is a later one.
    """
    shown = [
        entry
        for entry in ledger.entries(incident.model, _ENDS[incident.what])
        if entry.seq >= incident.first and seen_in(entry) == (incident.what, incident.cause)
    ]
    spans: list[Interval] = []
    for entry in shown:
        match entry.decision:
            case DriftCheck(window=span) | Quarantine(interval=span):
                spans.append(span)
    return max((span.end for span in spans if span != SNAPSHOT), default=SNAPSHOT.start)
