"""Cells, days and the distance between two sides."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.causes.blocks import block_rows
from pipelines.science.causes.cells import MISSING, cut, distance, shares
from pipelines.science.causes.shapes import draw_shapes
from pipelines.science.causes.shift import combine, measure_shift
from pipelines.science.changes.facts import Sample


def test_numbers_fall_into_cells_of_about_equal_rows_and_a_heap_into_its_own():
    values = np.concatenate([np.zeros(500), np.linspace(1, 100, 500)])
    cells = cut(values)
    held = shares(cells.place(values), cells.count)
    assert held.max() == pytest.approx(0.5)
    assert held[MISSING] == 0
    odd = cells.place(np.array([np.nan, -5.0, 0.0, 500.0]))
    assert (odd[0], odd[1], odd[3]) == (MISSING, 1, cells.count - 1)


def test_texts_have_cells_by_name_and_one_for_what_was_never_seen():
    values = np.array(["a"] * 60 + ["b"] * 39 + [None], dtype=object)
    cells = cut(values)
    codes = cells.place(np.array(["a", "b", None, "c"], dtype=object))
    assert codes[2] == MISSING
    assert codes[3] == cells.unseen
    assert len(set(codes)) == 4


def test_distance_is_the_share_of_rows_that_must_move():
    assert distance(np.array([0.5, 0.5, 0.0]), np.array([0.2, 0.5, 0.3])) == pytest.approx(0.3)


def test_rows_of_a_day_that_are_alike_raise_no_false_alarm():
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(200):
        level = rng.normal(0, 1, 150)
        days = np.repeat(np.arange(150), 20)
        values = level[days] + rng.normal(0, 0.5, len(days))
        inside = days < 15
        times = (np.datetime64("2024-01-01") + days).astype("datetime64[us]")
        cells = cut(values[~inside])
        codes = cells.place(values)
        blocks = [block_rows(times[rows], int(rows.sum())) for rows in (inside, ~inside)]
        found = measure_shift(
            codes[inside], codes[~inside], cells.count, blocks=tuple(blocks), ordered=True
        )
        wrong += found.p_value < 0.05
    assert wrong <= 200 * 0.05 + 3 * (200 * 0.05 * 0.95) ** 0.5


def test_p_values_are_combined_and_no_evidence_does_not_outweigh_evidence():
    assert combine(np.array([])) == 1.0
    assert combine(np.array([0.5, 0.5])) == pytest.approx(0.5)
    assert combine(np.array([1e-6, *[1.0] * 20])) == pytest.approx(21e-6, rel=0.01)
    assert combine(np.array([0.0, 0.5])) < 1e-200
    uniform = np.random.default_rng(1).random((2_000, 10))
    assert np.mean([combine(row) < 0.05 for row in uniform]) <= 0.065


def test_rows_without_a_time_stand_each_for_itself():
    blocks = block_rows(None, 1_000)
    assert (blocks.count, blocks.stretch) == (200, False)
    assert block_rows(np.empty(0, "datetime64[us]"), 0).count == 0


def test_shapes_name_their_cells_and_leave_out_what_is_on_one_side_alone():
    window = Sample({"x": np.array([1.0, 50.0]), "y": np.array(["a", None], dtype=object)})
    past = Sample({"x": np.arange(10.0), "y": np.array(["a", "b"], dtype=object)})
    x, y = draw_shapes(window, past, ["x", "y", "gone"])
    assert sum(x.window) == pytest.approx(1)
    assert x.window[x.cells.index(x.cells[-1])] == 0.5
    assert x.cells[-1].startswith("above")
    assert dict(zip(y.cells, y.window, strict=True))["missing"] == 0.5
