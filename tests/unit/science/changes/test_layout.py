"""Which rows are compared, and in which pieces."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.changes.facts import Sample
from pipelines.science.changes.find import find_changes
from pipelines.science.changes.layout import MOST_PIECES, lay_out

START = np.datetime64("2026-01-01", "us")


def times(rows, first, last):
    """Event times of rows spread evenly from a day to another."""
    return START + (np.linspace(first, last, rows, endpoint=False) * 86_400e6).astype("m8[us]")


def per_piece(layout):
    return np.bincount(layout.pieces, minlength=layout.count)


@pytest.mark.parametrize(("rows", "before"), [(50, 1_000_000), (1_000_000, 50), (1_000, 10_000)])
@pytest.mark.parametrize("timed", [False, True])
def test_pieces_of_rows_are_of_one_size_on_both_sides(rows, before, timed):
    sides = (times(rows, 10, 20), times(before, 0, 10)) if timed else (None, None)
    layout = lay_out(*sides, (rows, before), "row", 1)
    assert len(set(per_piece(layout))) == 1
    assert min(layout.within, layout.before) >= 20
    assert layout.count <= MOST_PIECES
    assert layout.timed == timed


def test_the_fuller_side_is_thinned_to_as_many_rows_a_day():
    window, reference = times(30_000, 60, 90), times(6_000, 0, 60)
    layout = lay_out(window, reference, (30_000, 6_000), "day", 1)
    assert (layout.before, layout.within, layout.unit) == (60, 30, "days")
    assert len(layout.reference) == 6_000
    held = per_piece(layout)
    assert held[60:].mean() == pytest.approx(100, rel=0.05)


def test_pieces_are_in_the_order_of_time_whatever_the_order_of_rows():
    window, reference = times(300, 30, 33), times(3_000, 0, 30)
    mixed = np.random.default_rng(1).permutation(3_000)
    layout = lay_out(window, reference[mixed], (300, 3_000), "day", 1)
    days = reference[mixed][layout.reference].astype("M8[D]")
    of_reference = layout.pieces[len(layout.window) :]
    assert ((days - days.min()).astype(int) == of_reference).all()


@pytest.mark.parametrize(
    ("first", "apart"),
    [pytest.param(60, 0, id="next day"), (67, 7), pytest.param(30, 0, id="amid the past")],
)
def test_it_is_known_how_many_days_lie_between_the_past_and_the_window(first, apart):
    window, reference = times(30, first, first + 1), times(600, 0, 60)
    assert lay_out(window, reference, (30, 600), "day", 1).apart == apart


def test_a_weekend_between_working_days_is_about_one_of_them():
    reference = np.concatenate([times(50, 7 * week, 7 * week + 5) for week in range(12)])
    window = times(50, 7 * 12, 7 * 12 + 5)
    layout = lay_out(window, reference, (50, 600), "day", 1)
    assert (layout.before, layout.apart) == (60, 1)


@pytest.mark.parametrize(("days", "past"), [(1, 9_000), (9_000, 1), (5_000, 5_000)])
def test_more_days_than_can_be_weighed_are_put_together(days, past):
    window, reference = times(2 * days, past, past + days), times(2 * past, 0, past)
    layout = lay_out(window, reference, (2 * days, 2 * past), "day", 1)
    assert layout.before <= MOST_PIECES
    assert layout.within >= 1
    assert layout.before >= 1
    # The newest days are there.
    newest = reference[layout.reference].astype("M8[D]").max()
    assert newest >= reference.max().astype("M8[D]") - 2


def test_days_drawn_at_random_are_held_against_days_and_not_against_weeks():
    """A week has one Monday; seven days drawn at random have none, or three."""
    days = np.arange("2023-01-01", "2024-01-01", dtype="datetime64[D]").astype("datetime64[us]")
    weekday = np.arange(len(days)) % 7
    called = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        values = np.repeat(weekday, 5) + random.normal(0, 0.1, 5 * len(days))
        drawn = np.isin(np.arange(len(days)), random.choice(len(days), 7, replace=False))
        mine = np.repeat(drawn, 5)
        window, reference = (
            Sample({"weekday": values[rows]}, np.repeat(days, 5)[rows]) for rows in (mine, ~mine)
        )
        found = find_changes(window, reference, level=0.1, span="day", seed=seed, least=20)
        called += found.said == "changed"
    assert called <= 9, "4 are expected, and more than 9 in one of 200 tries"


def _rows(count, first, last, shift=0.0):
    rng = np.random.default_rng([count, first])
    columns = {name: rng.normal(size=count) for name in "abcdefgh"}
    columns["a"] += shift
    return Sample(columns, times(count, first, last))


def test_a_day_of_many_rows_beside_a_year_is_seen_to_move_and_says_by_how_many_it_is_compared():
    """Of as many rows as a bundle keeps of a year."""
    year, day = _rows(200_000, 0, 365), _rows(20_000, 365, 366, shift=0.3)
    found = find_changes(day, year, level=0.05, span="day", seed=1, least=30)
    inputs = next(f for f in found.families if f.family == "inputs")
    assert {c.name for c in inputs.columns if c.changed} == {"a"}
    assert " of 20,000 rows of the window, so that both sides are equally noisy" in inputs.null
    assert "of the reference" not in inputs.null


def test_too_few_rows_to_compare_are_said_beside_those_that_there_are():
    year, hour = _rows(600, 0, 60), _rows(2_000, 60, 61)
    found = find_changes(hour, year, level=0.05, span="day", seed=1, least=30)
    inputs = next(f for f in found.families if f.family == "inputs")
    assert inputs.said == "cannot_be_said"
    assert "rows to compare; at least 30 are needed; compared by " in inputs.untold
    assert " of 2,000 rows of the window" in inputs.untold
