"""What is tested of a window, at one level, and against which season."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.spec.drift import Drift
from pipelines.watch.families import find_all, find_testable
from pipelines.watch.sides import Rows
from tests.unit.watch.windows import CHAMPION, ROWS, RULES, champion, labelled, window

HOUR = np.timedelta64(1, "h")


def asked(rules, rows, labels=None, against=CHAMPION):
    names = [c.name for c in against.schema.columns]
    tested = find_testable(rules, rows, labels, against, names)
    return tested, find_all(rules, tested, against, seed=1)


def test_all_families_share_the_rate_of_the_spec():
    tested, found = asked(RULES, window(), labelled())
    assert tested.count == 5
    assert [f.family for f in found.changes.families] == [
        "missing",
        "inputs",
        "together",
        "predictions",
        "performance",
    ]
    assert sum(f.level for f in found.changes.families) == pytest.approx(RULES.false_alarms)
    assert found.changes.said == "unchanged"


def test_what_cannot_be_asked_leaves_its_level_to_the_others_and_says_why():
    tested, found = asked(RULES, window(), labelled(99))
    assert tested.count == 4
    told = {f.family: f for f in found.changes.families}
    assert told["inputs"].level == pytest.approx(RULES.false_alarms / 4)
    assert told["performance"].said == "cannot_be_said"
    assert told["performance"].untold == "99 rows have labels, 500 are needed (min_rows)"


def hours(first, days):
    return np.datetime64(first, "us") + np.arange(days * 24) * HOUR.astype("timedelta64[us]")


def weather(times, seed):
    """A temperature that is lower at night."""
    rng = np.random.default_rng(seed)
    hour = times.astype("datetime64[h]").astype(int) % 24
    return pa.table(
        {
            "warmth": 15 - 5 * np.cos(2 * np.pi * hour / 24) + rng.normal(0, 3, len(times)),
            "wind": rng.normal(size=len(times)),
        }
    )


def nights(season):
    """A month of nights like those before it, of which the past holds the days too."""
    past, now = hours("2023-01-01", 730), hours("2025-01-01", 90)
    now = now[now.astype("datetime64[h]").astype(int) % 24 < 6]
    against = champion(weather(past, 1), predictions=np.empty(0))
    against = replace(against, reference=replace(against.reference, times=past))
    rules = Drift(schedule="monthly", season=season)
    rows = Rows(weather(now, 2), np.random.default_rng(3).random(len(now)), times=now)
    return asked(rules, rows, against=against)[1]


def test_nights_like_those_before_are_no_change_and_both_comparisons_are_there():
    found = nights("auto")
    assert found.words.startswith("The reference is matched by month, hour of the day")
    said = {f.family: f.said for f in found.changes.families}
    assert said["inputs"] == "unchanged"
    assert {f.family: f.said for f in found.whole.families}["inputs"] == "changed"


def test_without_a_season_the_whole_past_is_the_reference():
    found = nights("none")
    assert (found.whole, found.words) == (None, "")
    assert {f.family: f.said for f in found.changes.families}["inputs"] == "changed"


def test_what_the_matched_rows_cannot_say_the_whole_past_says(monkeypatch):
    from pipelines.watch import families

    asked_really = families.find_changes

    def silent(rows, reference, **more):
        found = asked_really(rows, reference, **more)
        if reference.rows > 2_000:
            return found
        return replace(
            found,
            families=[
                replace(f, said="cannot_be_said", untold="too few days") for f in found.families
            ],
        )

    monkeypatch.setattr(families, "find_changes", silent)
    found = nights("auto")
    assert found.changes.families[:3] == found.whole.families[:3]
    assert "too few to say anything of missing values and each input" in found.words


def test_rows_of_a_window_that_other_versions_answered_too_count_as_inputs_alone():
    rows = replace(window(), answered=300, predictions=window().predictions[:300])
    tested, _ = asked(RULES, rows)
    assert tested.predictions is None
    assert "300 rows were answered by the champion" in tested.why["predictions"]
    assert tested.inputs[0].rows == ROWS
