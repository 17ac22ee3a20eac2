"""Rows of the past that are of a window's season."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from pipelines.science.regimes import match


def moments(first, days, each=24):
    """So many days from the first one, with `each` rows a day at equal steps."""
    start = np.datetime64(first, "us")
    return start + (np.arange(days * each) * (86_400_000_000 // each)).astype("timedelta64[us]")


PAST = moments("2023-01-01", 730)


def test_a_month_is_compared_with_that_month_of_the_past():
    found = match(moments("2025-07-01", 31), PAST, "auto", seed=1)
    assert found.by == ("month",)
    months = PAST[found.rows].astype("datetime64[M]")
    assert np.unique(months).tolist() == np.array(["2023-07", "2024-07"], "M8[M]").tolist()
    assert len(found.rows) == 2 * 31 * 24
    assert found.words == "The reference is matched by month: 1,488 rows of the past."


def test_of_a_month_that_the_past_has_once_nobody_knows_how_much_years_differ():
    once = "The past has such a month but once"
    past = PAST[np.datetime64("2024-01-15") <= PAST]
    assert once in match(moments("2025-07-01", 31), past, "auto", seed=1).words
    # Of a window of two months that which the past has more seldom counts.
    both = PAST[np.datetime64("2023-07-10") <= PAST]
    assert once in match(moments("2025-06-15", 31), both, "auto", seed=1).words
    assert once not in match(moments("2025-06-15", 31), PAST, "auto", seed=1).words
    assert once not in match(moments("2025-07-01", 31), past, ["weekday"], seed=1).words


def test_each_regime_has_the_share_that_it_has_in_the_window():
    hours = moments("2025-07-01", 31)
    night = hours[(hours.astype("M8[h]").astype(int) % 24 < 6) | (np.arange(len(hours)) % 3 == 0)]
    found = match(night, PAST, ["hour"], seed=1)
    shares = [
        np.bincount(side.astype("M8[h]").astype(int) % 24, minlength=24) / len(side)
        for side in (night, PAST[found.rows])
    ]
    assert shares[1] == pytest.approx(shares[0], abs=0.001)


def test_a_season_that_the_past_has_not_seen_is_said_and_the_whole_past_is_the_reference():
    found = match(moments("2025-07-01", 31), moments("2025-01-01", 90), "auto", seed=1)
    assert (found.rows, found.by) == (None, ())
    assert found.words == "The past has no, or too few, rows of the window's month."


def test_one_day_is_matched_by_as_much_as_there_are_days_for():
    """Of a Tuesday in July there are nine in two years, which are too few; of July there are 62."""
    found = match(moments("2025-07-01", 1), PAST, "auto", seed=1)
    assert found.by == ("month",)
    assert "the window's day of the week" in found.words
    assert match(moments("2025-07-01", 1), PAST, ["weekday"], seed=1).by == ("weekday",)


def test_rows_without_a_time_are_never_taken():
    past = PAST.copy()
    past[::2] = np.datetime64("NaT")
    found = match(moments("2025-07-01", 31), past, ["month"], seed=1)
    assert not np.isnat(past[found.rows]).any()
    assert set(past[found.rows].astype("M8[M]").astype(int) % 12) == {6}


@pytest.mark.parametrize("past", [None, np.full(9, np.datetime64("NaT"), "datetime64[us]")])
def test_without_times_nothing_is_matched_and_that_is_said(past):
    found = match(moments("2025-07-01", 31), past, ["month"], seed=1)
    assert found.rows is None
    assert "no times" in found.words
    assert match(moments("2025-07-01", 31), past, "auto", seed=1).words == ""
    assert match(moments("2025-07-01", 31), PAST, "none", seed=1).words == ""


HOLIDAYS = [date(year, month, 9) for year in (2023, 2024, 2025) for month in range(1, 13)]


def holidays_in(found):
    """The share of the matched rows that lie on a holiday."""
    days = PAST[found.rows].astype("M8[D]")
    return np.isin(days, np.array(HOLIDAYS, "M8[D]")).mean()


def test_a_holiday_is_compared_with_holidays():
    found = match(moments("2025-07-09", 1), PAST, "auto", seed=1, holidays=HOLIDAYS)
    assert found.by == ("holiday",)
    assert holidays_in(found) == 1.0
    assert found.words.startswith("The reference is matched by holidays: 576 rows of the past.")


def test_a_window_has_the_share_of_holidays_that_its_reference_has():
    week = match(moments("2025-07-07", 7), PAST, "auto", seed=1, holidays=HOLIDAYS)
    assert week.by[0] == "holiday"
    assert holidays_in(week) == pytest.approx(1 / 7, abs=0.01)
    without = match(moments("2025-07-01", 7), PAST, "auto", seed=1, holidays=HOLIDAYS)
    assert without.by == ("holiday", "month")
    assert holidays_in(without) == 0.0


def test_holidays_the_past_has_not_seen_are_said():
    found = match(moments("2025-07-09", 1), PAST, ["holiday"], seed=1, holidays=HOLIDAYS[-6:])
    assert (found.rows, found.by) == (None, ())
    assert "holidays" in found.words
