"""Folds in time never let the future in."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import BadData
from pipelines.science.splits import time_folds


def _times(seconds):
    return np.datetime64("2026-01-01", "us") + np.array(seconds) * np.timedelta64(1, "s")


@settings(max_examples=200, deadline=None)
@given(
    seconds=st.lists(st.integers(0, 50), min_size=3, max_size=120),
    folds=st.integers(2, 6),
    wait=st.integers(0, 20),
)
def test_a_training_row_is_older_than_its_test_span_by_the_labels_delay(seconds, folds, wait):
    times = _times(seconds)
    try:
        found = time_folds(times, folds, timedelta(seconds=wait))
    except BadData:
        return
    assert len(found) == folds
    tested = np.concatenate([test for _, test in found])
    assert len(set(tested.tolist())) == len(tested)
    for train, test in found:
        assert len(train)
        assert len(test)
        start = times[test].min()
        assert (times[train] + np.timedelta64(wait, "s") <= start).all()
        assert (times[train] < start).all()
        # every row with a timestamp of the test span is in it
        span = (times >= start) & (times <= times[test].max())
        assert set(np.flatnonzero(span)) == set(test.tolist())


def test_windows_expand_and_cover_the_newest_rows():
    folds = time_folds(_times(range(100)), 4, timedelta(0))
    assert [len(train) for train, _ in folds] == [20, 40, 60, 80]
    assert [len(test) for _, test in folds] == [20, 20, 20, 20]


def test_the_order_of_the_rows_does_not_matter():
    order = np.random.default_rng(0).permutation(100)
    times = _times(range(100))
    straight = time_folds(times, 3, timedelta(seconds=5))
    mixed = time_folds(times[order], 3, timedelta(seconds=5))
    for (a, b), (c, d) in zip(straight, mixed, strict=True):
        assert set(a) == set(order[c])
        assert set(b) == set(order[d])


@pytest.mark.parametrize(
    ("seconds", "wait", "words"),
    [
        pytest.param([1, 2], 0, "2 rows are too few", id="fewer rows than folds"),
        pytest.param([5] * 50, 0, "event times are too few", id="one timestamp"),
        pytest.param(range(20), 100, "No label was known", id="labels that come too late"),
    ],
)
def test_too_little_time_is_said_in_words(seconds, wait, words):
    with pytest.raises(BadData, match=words):
        time_folds(_times(list(seconds)), 3, timedelta(seconds=wait))
