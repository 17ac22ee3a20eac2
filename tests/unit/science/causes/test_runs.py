"""A value that stays is frozen, however late that begins, unless such values always stayed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.science.causes.naming import name_cause
from pipelines.science.causes.runs import find_runs, longest_run
from pipelines.science.causes.view import View, pick
from tests.unit.science.causes.orders import cut, orders, random_days, with_columns

WHOLE = orders()
WINDOW, PAST = cut(WHOLE, random_days())
ORDERED = np.sort(WINDOW.times)


def frozen(since, value=17.5):
    late = WINDOW.times >= ORDERED[int(since * WINDOW.rows)]
    return with_columns(WINDOW, amount=np.where(late, value, WINDOW.columns["amount"]))


@pytest.mark.parametrize("since", [0.0, 0.5, 0.75, 0.9])
def test_a_late_freeze_is_named_with_its_moment(since):
    cause = name_cause(frozen(since), PAST)
    assert (cause.kind, cause.detail, cause.columns) == ("broken_upstream", "frozen", ["amount"])
    moment = str(ORDERED[int(since * WINDOW.rows)].astype("datetime64[D]"))
    assert "17.5" in cause.evidence[0]
    assert since == 0 or moment in cause.evidence[0]


def test_a_freeze_of_days_of_many_rows_is_seen():
    by_day = replace(frozen(0.9), times=WINDOW.times.astype("datetime64[D]").astype("M8[us]"))
    past = replace(PAST, times=PAST.times.astype("datetime64[D]").astype("M8[us]"))
    many = pick(by_day, np.repeat(np.arange(WINDOW.rows), 4))
    assert [b.columns for b in find_runs(View(many, past))] == [["amount"]]


def test_what_stays_by_nature_is_not_frozen():
    """A price holds for weeks, and a working day for as long as there are no weekends."""

    def with_prices(sample):
        days = sample.times.astype("datetime64[D]").astype(int)
        weekend = (days + 3) % 7 >= 5
        return with_columns(sample, price=days // 30 * 1.0, working=1.0 - weekend)

    weekends = np.flatnonzero((np.arange(730) % 7) >= 5)[::4]  # 2024 begins on a Monday
    window, past = (with_prices(side) for side in cut(WHOLE, weekends))
    assert not list(find_runs(View(window, past)))
    assert name_cause(window, past).detail != "frozen"


def test_a_part_of_the_past_has_shorter_runs():
    """One row of twenty is kept: a run of two may have been one of forty."""
    day = WHOLE.times.astype("datetime64[D]").astype(int)
    window, past = cut(with_columns(WHOLE, price=day // 3 * 1.0), np.arange(100, 130))
    few = pick(past, np.arange(0, past.rows, 20))
    assert not list(find_runs(View(window, few)))


def test_a_moment_with_several_values_ends_a_run():
    times = np.array(
        ["2024-01-01", "2024-01-02", "2024-01-02", "2024-01-03", "2024-01-04"], "M8[D]"
    )
    run = longest_run(np.array([1.0, 1.0, 2.0, 2.0, 2.0]), times)
    assert (run.value, run.rows, run.moments) == (2.0, 2, 2)
    assert run.start == np.datetime64("2024-01-03")
    assert longest_run(np.array([np.nan]), times[:1]) is None
    assert longest_run(np.array([1.0, 2.0]), times[1:3]) is None


def test_a_run_of_a_busy_hour_is_not_frozen():
    """What all rows of an hour share is one value for an hour, and once in a month for two."""
    hour = (WINDOW.times - ORDERED[0]).astype("timedelta64[h]").astype(int)
    traffic = np.where(hour % 100 < 2, 7.0, hour % 13 * 1.0)
    window = with_columns(WINDOW, traffic=traffic)
    past = with_columns(PAST, traffic=np.arange(PAST.rows) % 13 * 1.0)
    assert longest_run(traffic, WINDOW.times).rows < 0.05 * WINDOW.rows
    assert not list(find_runs(View(window, past)))
