"""The mean residual of forecasts, with an error that knows that one day's residuals are alike."""

import numpy as np
import pytest

from pipelines.science.residuals import bias_of

TIMES = np.datetime64("2024-01-01", "us") + np.arange(30 * 24) * np.timedelta64(1, "h")


def test_forecasts_that_lie_too_low_are_named_with_what_chance_explains():
    random = np.random.default_rng(1)
    forecasts = random.normal(100, 10, len(TIMES))
    bias = bias_of(forecasts + 5 + random.normal(0, 1, len(TIMES)), forecasts, TIMES)
    assert bias.mean == pytest.approx(5, abs=0.2)
    assert "below the truth" in bias.in_words
    assert bias.in_words.endswith("720 labelled rows: more than chance explains")


def test_the_interval_holds_the_truth_as_often_as_it_says_on_days_that_are_alike():
    inside = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        day = np.repeat(random.normal(0, 1, 30), 24)
        bias = bias_of(day + random.normal(0, 1, len(TIMES)), np.zeros(len(TIMES)), TIMES)
        inside += abs(bias.mean) <= bias.half
    assert inside / 400 == pytest.approx(0.9, abs=0.05)


def test_without_rows_there_is_no_residual():
    assert bias_of(np.empty(0), np.empty(0), TIMES[:0]) is None
    one = bias_of(np.ones(1), np.zeros(1), TIMES[:1])
    assert one.half is None
    assert "±" not in one.in_words
