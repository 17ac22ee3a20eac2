"""Rows cut into parts by their time."""

from __future__ import annotations

import numpy as np

from pipelines.science.rolling import origins_of, parts_of


def test_a_part_holds_whole_days_and_there_are_at_most_eight():
    times = np.datetime64("2026-01-01T00", "us") + np.arange(30 * 24) * np.timedelta64(1, "h")
    parts = parts_of(times, "day")
    assert parts.max() == 7
    assert all(
        len(np.unique(parts[times.astype("M8[D]") == day])) == 1
        for day in np.unique(times.astype("M8[D]"))
    )
    assert np.bincount(parts).min() >= 3 * 24
    assert (np.diff(parts) >= 0).all()


def test_each_part_begins_with_its_first_row_in_whatever_order_they_come():
    times = np.datetime64("2026-01-01", "us") + np.array([4, 0, 2, 3, 1]) * np.timedelta64(1, "D")
    parts = parts_of(times, "day")
    assert parts.tolist() == [4, 0, 2, 3, 1]
    assert (origins_of(times, parts) == np.sort(times)).all()


def test_rows_of_one_day_are_one_part():
    assert parts_of(np.array(["2026-01-01T01", "2026-01-01T09"], "M8[us]"), "day").max() == 0
