"""Incidents in words, as commands, pages and the history show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.intervals import iso
from pipelines.plurals import how_many

if TYPE_CHECKING:
    from pipelines.incidents.state import Incident
    from pipelines.ledger import IncidentEvent, What

NAMES: dict[What, str] = {
    "alarm": "alarm",
    "quarantine": "quarantine",
    "refused": "refused challengers",
    "failed_retraining": "failed retraining",
    "failed_deployment": "failed deployment",
    "no_check": "no drift check",
}
TO_DO: dict[What, str] = {
    "alarm": (
        "look at the drift page, mend what is broken, and run the drift DAG again for this window"
    ),
    "quarantine": "look at the validation's page, and mend the source or the expectations",
    "refused": (
        "look at the verdicts; the policy starts no retraining until a version is deployed,"
        " `stop_for` is over, or this incident is closed"
    ),
    "failed_retraining": "look at the run's log, mend the cause, and clear its failed tasks",
    "failed_deployment": "look at the run's log, mend the cause, and clear its failed tasks",
    "no_check": "see whether the drift DAG is paused, and whether Airflow's scheduler runs",
}
"""What a person does about each."""


def say_event(event: IncidentEvent) -> str:
    """Return an event as a list of decisions shows it."""
    who = f" by {event.by}" if event.by else ""
    until = f" until {iso(event.until)}" if event.until else ""
    about = f" ({event.cause})" if event.event in {"opened", "reopened"} else ""
    done = f"incident {event.number}, {NAMES[event.what]}{about}, {event.event}{who}{until}"
    return f"{done}: {event.words}"


def say_seen(incident: Incident) -> str:
    """Return how often an incident was seen, and when."""
    if incident.seen == 1:
        return f"seen once, {_minute(incident.last)}"
    times = how_many(incident.seen, "time")
    return f"seen {times}, {_minute(incident.opened)} to {_minute(incident.last)}"


def say_state(incident: Incident) -> str:
    """Return what became of an incident, and by whom."""
    state: str = incident.state
    if incident.state == "snoozed" and incident.until:
        state = f"snoozed until {_minute(incident.until)}"
    if incident.state == "closed" and incident.closed:
        state = f"closed {_minute(incident.closed)}"
    who = f" by {incident.by}" if incident.by and incident.state != "open" else ""
    why = f": {incident.reason}" if incident.reason and incident.state != "open" else ""
    return f"{state}{who}{why}"


def _minute(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"
