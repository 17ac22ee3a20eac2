"""Which rows are one piece of evidence."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.pieces import MAX_PIECES, pieces_of, pieces_of_groups, pieces_of_times


def times_of(rows, days):
    step = np.arange(rows) * (days * 86_400_000_000 // rows)
    return np.datetime64("2026-01-01", "us") + step.astype("timedelta64[us]")


@pytest.mark.parametrize(
    ("rows", "days", "span", "unit", "count"),
    [
        (500, 25, "day", "days", 25),
        (500, 1, "day", "days", 1),
        (500, 2, "hour", "hours", 48),
        (50, 1, "row", "rows", 50),
        (3_000, 3_000, "day", "groups of days", MAX_PIECES),
        (3_000, 1, "row", "groups of rows", MAX_PIECES),
    ],
)
def test_a_piece_is_a_day_unless_the_spec_says_otherwise(rows, days, span, unit, count):
    pieces = pieces_of_times(times_of(rows, days), span)
    assert (pieces.unit, pieces.count) == (unit, count)
    assert pieces.of_row.max() + 1 == count
    assert pieces.in_order


def test_pieces_are_neighbours_in_time_whatever_the_order_of_the_rows():
    times = times_of(2_000, 1)
    shuffled = np.random.default_rng(1).permutation(2_000)
    in_order = pieces_of_times(times, "row").of_row
    assert np.array_equal(pieces_of_times(times[shuffled], "row").of_row, in_order[shuffled])
    assert (np.diff(in_order) >= 0).all()


def test_pieces_that_are_joined_hold_neighbours_about_equally_many():
    joined = pieces_of_times(times_of(1_000, 50)).join(8)
    assert (joined.unit, joined.count) == ("groups of days", 8)
    assert (np.diff(joined.of_row) >= 0).all()
    assert np.ptp(np.bincount(joined.of_row)) <= 20
    assert joined.join(8) is joined


def test_rows_without_a_time_are_pieces_by_their_groups_or_each_for_itself():
    assert pieces_of_groups(np.array([0, 0, 1])).words == "2 groups"
    assert pieces_of_groups(np.arange(3)).words == "3 rows"
    assert pieces_of_groups(np.zeros(3, dtype=np.int64)).words == "1 group"


def test_rows_with_a_time_and_a_group_are_alike_in_two_ways():
    ways = pieces_of(times_of(40, 20), np.arange(40) // 10)
    assert [way.words for way in ways] == ["20 days", "4 groups"]
    with pytest.raises(ValueError, match="must be given"):
        pieces_of(None, None)
