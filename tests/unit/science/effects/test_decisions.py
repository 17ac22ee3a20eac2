"""Decisions turn as far as it is no chance: by days that may be alike, one day, few rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.watching.worlds import Shape, make
from pipelines.science.changes.facts import Sample
from pipelines.science.effects.decisions import (
    Decisions,
    least_turned,
    measure_decisions,
    tell_decisions,
)

THRESHOLD = 1.5


def days_of(rows, decided, *, first=0):
    """Answers on so many rows of each day, of which such shares (days,) are positive."""
    positive = [np.arange(rows) < round(share * rows) for share in decided]
    days = np.repeat(np.arange(first, first + len(positive)), rows)
    times = np.datetime64("2024-01-01", "us") + days * np.timedelta64(1, "D")
    return Sample({}, times, np.concatenate(positive).astype(float))


def measured(window, past):
    return measure_decisions(Decisions(window, past, 0.5))


def answers_of(shape, seed, *, moved=0.0):
    window, past = make(shape, seed)
    moved_window = replace(window, predictions=window.predictions + moved)
    return measure_decisions(Decisions(moved_window, past, THRESHOLD))


@pytest.mark.parametrize(
    "shape",
    [
        Shape("independent", 200, 2, 1, 20),
        Shape("rows", 200, 2, 4, 30),
        Shape("days", 200, 2, 10, 30),
        Shape("days", 200, 2, 1, 60),
    ],
    ids=["independent rows", "rows alike", "days alike", "one day"],
)
def test_where_nothing_changed_decisions_turn_in_one_window_of_twenty_at_most(shape):
    found = [answers_of(shape, seed) for seed in range(150)]
    told = [change for change in found if not change.untold]
    assert len(told) > 50
    # 5 % and three standard errors.
    most = 0.05 + 3 * (0.05 * 0.95 / len(told)) ** 0.5
    assert np.mean([least_turned(change) > 0 for change in told]) <= most


def test_the_interval_holds_the_true_change():
    shape, held = Shape("rows", 200, 2, 4, 30), []
    truth = norm.sf((THRESHOLD - 0.7) / 2**0.5) - norm.sf(THRESHOLD / 2**0.5)
    for seed in range(150):
        change = answers_of(shape, seed, moved=0.7)
        held.append(change.low <= truth <= change.high)
    assert np.mean(held) >= 0.95 - 3 * (0.05 * 0.95 / 150) ** 0.5


def test_a_large_change_is_told_by_the_near_end_of_its_interval():
    past = days_of(100, 0.2 + 0.02 * np.sin(np.arange(60)))
    window = days_of(100, [0.5, 0.52, 0.48, 0.5], first=60)
    change = measured(window, past)
    assert change.change == pytest.approx(0.3, abs=0.01)
    assert 0.2 < least_turned(change) == change.low < 0.3
    follows, words = tell_decisions(change, 0.05)
    assert follows == "matters"
    assert f"at least {change.low:.1%} of the decisions turn" in words
    assert tell_decisions(change, 0.5)[0] == "nothing_follows"
    fewer = measured(days_of(100, [0.0, 0.02, 0.0, 0.0], first=60), past)
    assert least_turned(fewer) == pytest.approx(-fewer.high)


def test_what_may_be_chance_turns_nothing():
    past = days_of(100, 0.2 + 0.1 * np.sin(np.arange(60)))
    change = measured(days_of(100, [0.25, 0.15], first=60), past)
    assert least_turned(change) == 0
    follows, words = tell_decisions(change, 0.05)
    assert follows == "cannot_be_said"
    assert words.endswith("that may be chance")


def test_a_window_of_one_day_is_held_against_how_days_of_the_past_differ():
    steady = days_of(100, 0.2 + 0.01 * (np.arange(60) % 3))
    restless = days_of(100, 0.2 + 0.1 * (np.arange(60) % 3))
    day = days_of(100, [0.45], first=60)
    assert least_turned(measured(day, steady)) > 0.05
    assert least_turned(measured(day, restless)) == 0


def test_few_rows_that_are_all_decided_alike_may_hide_a_change():
    past = days_of(40, [0.0] * 10)
    change = measured(days_of(40, [0.0], first=10), past)
    # Of 40 rows none is positive in one of seven windows, where 5 % are.
    assert change.high > 0.05
    assert tell_decisions(change, 0.05)[0] == "cannot_be_said"
    assert tell_decisions(measured(days_of(400, [0.0] * 3, first=10), past), 0.05)[0] == (
        "nothing_follows"
    )


def test_days_of_fewer_rows_than_the_past_differ_by_more():
    rng = np.random.default_rng(3)
    past = days_of(1_000, rng.binomial(1_000, 0.3, 60) / 1_000)
    missed = 0
    for _ in range(200):
        window = days_of(30, rng.binomial(30, 0.3, 2) / 30, first=60)
        missed += least_turned(measured(window, past)) > 0
    assert missed / 200 <= 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5


def test_too_little_past_or_too_few_rows_say_nothing():
    day = days_of(100, [0.9], first=60)
    short = measured(day, days_of(100, [0.2] * 4))
    assert least_turned(short) is None
    follows, words = tell_decisions(short, 0.05)
    assert follows == "cannot_be_said"
    assert words == (
        "90.0% of the rows are decided for the positive class, 20.0% of those before: how much of"
        " that is chance cannot be said: the past has 4 days, and 5 are needed"
    )
    assert "the past has 1 day, and" in measured(day, days_of(100, [0.2])).untold
    few = measured(days_of(20, [0.9]), days_of(100, [0.2] * 9))
    assert few.untold == "20 answers now, 900 before, and 30 are needed"


def test_answers_that_are_no_numbers_are_no_decisions():
    past = days_of(100, [0.2] * 9)
    for answers in (None, np.array([]), np.array(["yes"] * 50, dtype=object), np.full(50, np.nan)):
        assert measured(Sample({}, predictions=answers), past) is None
    assert least_turned(None) is None


def test_rows_whose_times_one_side_lacks_are_held_against_rows():
    past = replace(days_of(100, [0.2] * 9), times=None)
    shuffled = np.random.default_rng(1).permutation(past.predictions)
    change = measured(days_of(100, [0.25] * 2), replace(past, predictions=shuffled))
    assert change.untold == ""
    assert -0.05 < change.low < change.high < 0.15
