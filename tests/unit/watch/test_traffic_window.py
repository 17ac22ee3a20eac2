"""The window of traffic that a look at a model without time takes in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.errors import RequestError
from pipelines.intervals import iso
from pipelines.spec import parse_spec
from pipelines.trigger_conf import DriftConf
from pipelines.watch.window import traffic_window
from tests.snapshots import SPEC

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)


def window(length: str, end: datetime | None = None) -> tuple[str, str]:
    spec = parse_spec(SPEC.replace("window: 2d", length).encode(), "model.yaml")
    found = traffic_window(spec, DriftConf(window_end=end), NOW)
    return iso(found.start), iso(found.end)


def test_days_end_at_the_last_midnight_and_hours_at_the_last_full_one():
    assert window("window: 2d") == ("2026-03-02T00:00:00Z", "2026-03-04T00:00:00Z")
    assert window("window: 6h") == ("2026-03-04T09:00:00Z", "2026-03-04T15:00:00Z")


def test_the_default_is_a_day():
    assert window("cooldown: 1d") == ("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z")


def test_an_end_may_be_asked_for_but_not_in_the_future_nor_within_an_hour():
    assert window("window: 1d", NOW.replace(minute=0))[1] == "2026-03-04T15:00:00Z"
    with pytest.raises(RequestError, match="future"):
        window("window: 1d", NOW + timedelta(days=1))
    with pytest.raises(RequestError, match="no full hour"):
        window("window: 1d", NOW)
