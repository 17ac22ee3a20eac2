"""When estimates of a champion are switched off."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.before_labels.trust import Outcome, count_misses, find_end_of_trust


def outcomes(pattern, confidence=0.95):
    return [Outcome(0.6, 0.8, confidence, 0.9 if mark == "x" else 0.7) for mark in pattern]


@pytest.mark.parametrize(
    ("pattern", "end"),
    [
        ("", None),
        ("x", None),
        ("xx", 1),
        (".......xx", 8),
        ("x.x", None),
        ("x.xx", 3),
        ("x.x.x", 4),
        ("x.x..x", 5),
        ("x..x.x", 5),
        ("x..x..x", None),
        ("." * 50, None),
        ("x...." * 20, None),
    ],
)
def test_misses_that_come_close_together_end_it(pattern, end):
    assert find_end_of_trust(outcomes(pattern)) == end


def test_the_edges_of_an_interval_belong_to_it():
    assert not Outcome(0.6, 0.8, 0.95, 0.8).missed
    assert not Outcome(0.6, 0.8, 0.95, 0.6).missed
    assert count_misses(outcomes("x.x")) == 2


def test_an_interval_that_may_miss_more_often_is_borne_with_longer():
    assert find_end_of_trust(outcomes("xx", confidence=0.8)) is None


def test_intervals_that_keep_their_rate_are_rarely_switched_off_within_two_years():
    rng = np.random.default_rng(1)
    ended = [
        find_end_of_trust(outcomes("x" if missed else "." for missed in row)) is not None
        for row in rng.random((2_000, 24)) < 0.05
    ]
    assert np.mean(ended) < 0.09
