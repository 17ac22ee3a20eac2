"""Columns of a series: exact times, no neighbours, nothing from the future."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.series.columns import MadeColumn, SeriesColumns
from pipelines.series.making import SECOND, History, make_columns

HOUR = 3600 * SECOND
START = int(datetime(2024, 3, 9, tzinfo=UTC).timestamp()) * SECOND
DECLARED = SeriesColumns(
    step=3600,
    gap=3,
    columns=[
        MadeColumn(name="lag", kind="lag", steps=3),
        MadeColumn(name="naive", kind="lag", steps=6),
        MadeColumn(name="mean", kind="mean", steps=4),
        MadeColumn(name="hour", kind="hour"),
        MadeColumn(name="weekday", kind="weekday"),
        MadeColumn(name="month", kind="month"),
        MadeColumn(name="yearday", kind="yearday"),
    ],
    naive="naive",
    timezone="America/Chicago",
)


def hours(*positions):
    return START + np.array(positions, dtype=np.int64) * HOUR


def made(times, values, series=None, rows=None):
    series = np.zeros(len(times), dtype=np.int64) if series is None else np.array(series)
    rows = slice(None) if rows is None else rows
    return make_columns(
        DECLARED, times[rows], series[rows], History(times, series, np.array(values, dtype=float))
    )


def test_a_lag_is_the_value_at_the_exact_time_and_a_mean_takes_what_is_known():
    columns = made(hours(*range(10)), range(10))
    assert columns["lag"][9] == 6
    assert columns["mean"][9] == np.mean([6, 5, 4, 3])
    assert np.isnan(columns["lag"][:3]).all()


def test_a_missing_step_is_null_and_never_its_neighbour():
    columns = made(hours(0, 1, 2, 4, 5, 6, 7), [0, 1, 2, 4, 5, 6, 7])
    assert columns["lag"].tolist()[3:] == [1, 2, pytest.approx(np.nan, nan_ok=True), 4]


def test_a_doubled_hour_is_null():
    columns = made(hours(0, 1, 1, 2, 4), [0, 1, 5, 2, 4])
    assert np.isnan(columns["lag"][4])


def test_a_mean_needs_half_of_its_steps():
    times = hours(0, 1, 2, 3, 9)
    assert np.isnan(made(times, [0, 1, 2, 3, 9])["mean"][4])
    assert made(hours(0, 1, 2, 3, 7), [0, 1, 2, 3, 7])["mean"][4] == np.mean([1, 2, 3])


def test_series_do_not_see_each_other():
    times = np.concatenate([hours(*range(6)), hours(*range(6))])
    columns = made(times, [*range(6), *range(100, 106)], series=[0] * 6 + [1] * 6)
    assert columns["lag"][[5, 11]].tolist() == [2, 102]


def test_the_calendar_is_that_of_local_clocks_over_a_change_of_them():
    # On 2024-03-10 at 08:00 UTC clocks in Chicago go from 01:59 to 03:00.
    columns = made(hours(0, 31, 32), [0.0] * 3)
    assert columns["hour"].tolist() == [18, 1, 3]
    assert columns["weekday"].tolist() == [4, 6, 6]
    assert columns["month"].tolist() == [3, 3, 3]
    assert columns["yearday"].tolist() == [68, 70, 70]


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=20, max_size=40),
    seed=st.integers(0, 2**32 - 1),
)
def test_nothing_later_than_the_gap_moves_a_row(values, seed):
    """Every value later than t - gap may be anything, and the columns of t stay, bit for bit."""
    values = np.array([np.nan if v is None else v for v in values])
    rng = np.random.default_rng(seed)
    times = hours(*range(len(values)))
    keep = rng.random(len(values)) < 0.9
    times, values = times[keep], values[keep]
    if not len(times):
        return
    row = int(rng.integers(len(times)))
    later = times > times[row] - DECLARED.gap * HOUR
    other = np.where(later, rng.normal(0, 1e9, len(values)), values)
    before, after = (made(times, v, rows=[row]) for v in (values, other))
    for name in DECLARED.names:
        np.testing.assert_array_equal(before[name], after[name])


def test_a_row_has_the_same_columns_alone_and_among_others():
    rng = np.random.default_rng(1)
    times, values = hours(*range(200)), rng.normal(0, 1e3, 200)
    among = made(times, values)
    alone = [made(times, values, rows=[i]) for i in range(200)]
    for name in DECLARED.names:
        np.testing.assert_array_equal(among[name], [row[name][0] for row in alone])


def test_a_declaration_that_looks_closer_than_the_gap_is_refused():
    near = MadeColumn(name="near", kind="lag", steps=2)
    with pytest.raises(ValidationError, match="near looks closer than 3 steps"):
        SeriesColumns(step=3600, gap=3, columns=[near], naive="near")


def test_the_reach_is_the_oldest_value_that_any_column_sees():
    assert DECLARED.reach == 6
    longer = [*DECLARED.columns, MadeColumn(name="long", kind="mean", steps=10)]
    assert DECLARED.model_copy(update={"columns": longer}).reach == 12
