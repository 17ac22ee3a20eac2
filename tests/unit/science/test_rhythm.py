"""Rhythms of the day, the week and the year are found, and noise has none."""

import numpy as np
import pandas as pd

from pipelines.science.rhythm import rhythms_of


def test_hours_and_weekdays_that_differ_are_rhythms():
    times = pd.Series(pd.date_range("2023-01-02", periods=24 * 90, freq="h"))
    random = np.random.default_rng(1)
    load = (
        100 + 30 * np.sin(times.dt.hour / 24 * 2 * np.pi) + 20 * (times.dt.dayofweek < 5)
        + random.normal(0, 5, len(times))
    )  # fmt: skip
    assert rhythms_of(times, load) == ["day", "week"]


def test_the_year_is_seen_in_how_many_rows_there_are():
    days = pd.Series(pd.date_range("2020-01-01", "2023-12-31", freq="D"))
    times = days.loc[days.index.repeat(np.where(days.dt.month < 7, 2, 6))].reset_index(drop=True)
    assert rhythms_of(times) == ["year"]


def test_noise_and_a_trend_have_no_rhythm():
    random = np.random.default_rng(2)
    times = pd.Series(pd.date_range("2020-01-01", periods=900, freq="D"))
    assert rhythms_of(times, pd.Series(random.normal(size=900))) == []
    assert rhythms_of(times, pd.Series(np.arange(900.0) + random.normal(0, 5, 900))) == []
