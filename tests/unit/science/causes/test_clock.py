"""A clock that is off, beside people who set theirs, and beside other weather."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.science.causes.blocks import block_rows
from pipelines.science.causes.clock import find_clock, find_profile
from pipelines.science.causes.late_outcomes import find_late_outcomes
from pipelines.science.causes.naming import name_cause
from pipelines.science.causes.summer import is_of_other_season
from pipelines.science.causes.view import View, pick
from pipelines.science.changes.facts import Sample
from tests.unit.science.causes.orders import cut, orders, random_days, with_columns

WHOLE = orders()
WINDOW, PAST = cut(WHOLE, random_days())
HOUR = np.timedelta64(1, "h")
JULY, JANUARY = np.arange(185, 210), np.arange(3, 28)


def shifted(sample, hours):
    return replace(sample, times=sample.times + hours * HOUR)


@pytest.mark.parametrize(("hours", "way"), [(1, "back"), (-1, "forward")])
def test_a_clock_one_hour_off_is_named_with_the_way_back(hours, way):
    cause = name_cause(shifted(WINDOW, hours), PAST)
    assert (cause.detail, cause.sureness) == ("clock", "likely")
    assert f"are set 1 hour {way}" in cause.evidence[0]


def test_summer_time_is_no_broken_pipe():
    """All of the past is winter, and the rhythm of people comes an hour earlier in UTC."""
    winter = cut(WHOLE, np.concatenate([np.arange(0, 60), np.arange(320, 420)]))[0]
    level = PAST.columns["temperature"].mean()

    def as_in_july(sample, hours):
        flat = 5 * np.sin(2 * np.pi * (sample.times.astype("datetime64[h]").astype(int) - 9) / 24)
        noise = np.random.default_rng(2).normal(0, 1, sample.rows)
        return shifted(with_columns(sample, temperature=level + flat + noise), hours)

    past = as_in_july(winter, 0)
    summer, other_winter = (cut(WHOLE, days + 365)[0] for days in (JULY, JANUARY + 60))
    assert not list(find_clock(View(as_in_july(summer, -1), past), 0))
    # The same shift where nobody sets a clock is one of the pipe.
    assert list(find_clock(View(as_in_july(cut(WHOLE, JANUARY + 400)[0], -1), past), 0))
    assert not list(find_clock(View(as_in_july(other_winter, 0), past), 0))


def test_summer_time_lies_where_the_rules_of_zones_say():
    def days(start, count=20):
        return np.datetime64(start, "D") + np.arange(count)

    assert is_of_other_season(days("2025-01-05"), days("2025-07-05"))
    assert is_of_other_season(days("2025-03-09"), days("2025-02-01"))  # New York before Berlin
    assert not is_of_other_season(days("2025-07-05"), days("2024-07-05", 40))
    assert not is_of_other_season(days("2025-01-01", 365), days("2024-01-01", 366))


def test_a_stronger_rhythm_at_the_same_hours_is_no_other_clock():
    hours = (WINDOW.times - WINDOW.times.astype("datetime64[D]")).astype("timedelta64[h]")
    swing = 5 * np.sin(2 * np.pi * (hours.astype(int) - 9) / 24)
    warmer = with_columns(WINDOW, temperature=WINDOW.columns["temperature"] + swing)
    assert not list(find_clock(View(warmer, PAST), 0))


def of_a_shop(days, seed, hours_late=0):
    """A shop that is open from 10 to 16, with guests in the afternoon."""
    rng = np.random.default_rng(seed)
    day, hour = np.repeat(np.arange(days), 60), rng.integers(10, 17, days * 60)
    times = np.datetime64("2025-01-01T00:00", "m") + day * 1440 + (hour + hours_late) * 60
    is_guest = (rng.random(len(hour)) < np.where(hour > 12, 0.6, 0.2)).astype(float)
    spent = np.round(np.exp(rng.normal(3, 0.5, len(hour))), 2)
    columns = {"is_guest": is_guest, "spent": spent, "hour": hour + float(hours_late)}
    return Sample(columns, times.astype("datetime64[us]"))


@pytest.mark.parametrize("seed", [2, 3])
def test_the_clock_of_a_shop_is_off_and_its_hours_are_no_values_filled_in(seed):
    past = of_a_shop(200, 1)
    cause = name_cause(of_a_shop(30, seed, hours_late=3), past)
    assert (cause.kind, cause.detail) == ("broken_upstream", "clock")
    assert "3 hours back" in cause.evidence[0]
    assert name_cause(of_a_shop(30, seed), past).kind == "nothing"


def test_a_few_rows_that_are_alike_are_not_known_exactly():
    """Two guests at night say less of the night than hundreds of rows say of noon."""
    shop = of_a_shop(30, 4)
    values = np.append(shop.columns["is_guest"], [1.0, 1.0])
    days = shop.times[[0, 70]].astype("datetime64[D]")
    times = np.append(shop.times, (days + 3 * HOUR).astype(shop.times.dtype))
    hours = (times - times.astype("datetime64[D]")).astype("timedelta64[h]").astype(int)
    _, error = find_profile(values, 2 * hours, block_rows(times, len(times)))
    assert error[2 * 3] > 2 * error[2 * 12]


def test_answers_that_know_the_hour_are_wrong_as_those_of_another_one():
    rng = np.random.default_rng(5)

    def of_traffic(sample, *, late=0, wrong=1.0):
        """Traffic rises and falls within the day; the answers know it, but by the clock's hour."""
        hours = sample.times.astype("datetime64[h]").astype(int) % 24
        wanted = 40 * np.exp(-((hours - 8) ** 2) / 4) + 60 * np.exp(-((hours - 17) ** 2) / 6)
        said = wanted.copy()
        if late:
            true = (hours - late) % 24
            wanted = 40 * np.exp(-((true - 8) ** 2) / 4) + 60 * np.exp(-((true - 17) ** 2) / 6)
        y = wanted + rng.normal(0, 5 * wrong, sample.rows)
        return Sample({"amount": sample.columns["amount"]}, sample.times, said, np.abs(y - said))

    past = of_traffic(PAST)
    cause = name_cause(of_traffic(WINDOW, late=1), past)
    assert (cause.kind, cause.detail) == ("broken_upstream", "clock")
    assert "once the times are set 1 hour back" in cause.evidence[0]
    # Answers that are as wrong at every hour are another concept.
    assert name_cause(of_traffic(WINDOW, wrong=2.0), past).kind == "concept"
    squares = (replace(s, losses=s.losses**2) for s in (of_traffic(WINDOW, late=1), past))
    assert find_late_outcomes(View(*squares), 0.1) is not None


def test_answers_without_losses_or_numbers_tell_no_hour():
    for odd in (
        replace(WINDOW, losses=None),
        replace(WINDOW, predictions=np.full(WINDOW.rows, "yes", dtype=object)),
        replace(WINDOW, losses=np.full(WINDOW.rows, np.nan)),
        pick(WINDOW, np.arange(40)),
    ):
        assert find_late_outcomes(View(odd, PAST), 0.1) is None
