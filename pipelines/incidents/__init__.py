"""Incidents: what people are told of once, in however many windows and runs it shows."""

from pipelines.incidents.events import acknowledge, close, find_incident, forgiven_at, snooze
from pipelines.incidents.noting import note_check, note_missing_check, note_outcome, note_quarantine
from pipelines.incidents.state import (
    EXPIRES,
    SETTLES,
    Incident,
    all_incidents,
    open_incidents,
)

__all__ = [
    "EXPIRES",
    "SETTLES",
    "Incident",
    "acknowledge",
    "all_incidents",
    "close",
    "find_incident",
    "forgiven_at",
    "note_check",
    "note_missing_check",
    "note_outcome",
    "note_quarantine",
    "open_incidents",
    "snooze",
]
