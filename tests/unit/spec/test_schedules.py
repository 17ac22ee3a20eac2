"""When a schedule is due, and from when on it is late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.spec.schedules import grace_of, next_due

START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("hourly", START + timedelta(hours=1)),
        ("@daily", START + timedelta(days=1)),
        ("weekly", START.replace(day=7)),
        ("monthly", START.replace(month=2)),
        ("yearly", START.replace(year=2025)),
        ("30 3 * * 1", START.replace(hour=3, minute=30)),
    ],
)
def test_what_is_due_next_is_due_in_utc(schedule, due):
    assert next_due(schedule, START) == due


@pytest.mark.parametrize(
    ("schedule", "grace"),
    [
        ("*/10 * * * *", timedelta(minutes=30)),
        ("hourly", timedelta(minutes=30)),
        ("0 */4 * * *", timedelta(hours=2)),
        ("monthly", timedelta(hours=6)),
    ],
)
def test_the_grace_is_half_a_period_within_its_bounds(schedule, grace):
    assert grace_of(schedule, START) == grace
