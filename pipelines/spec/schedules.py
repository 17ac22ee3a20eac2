"""When a spec's schedule is due, and from when on what was due is late (all times UTC)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipelines.spec.drift import PRESETS

LEAST_GRACE, MOST_GRACE = timedelta(minutes=30), timedelta(hours=6)
"""Between these lies how long after it was due something is late: half of its period."""


def next_due(schedule: str, after: datetime) -> datetime:
    """Return when a schedule is next due after a moment."""
    from croniter import croniter

    name = schedule.removeprefix("@")
    times = croniter(f"@{name}" if name in PRESETS else schedule, after.astimezone(UTC))
    due: datetime = times.get_next(datetime)
    return due


def grace_of(schedule: str, due: datetime) -> timedelta:
    """Return how long after `due` it is late: half of the time until it is due again, at least half
    an hour and at most six hours.
    """
    half = (next_due(schedule, due) - due) / 2
    return min(max(half, LEAST_GRACE), MOST_GRACE)
