"""Each change that people fear is seen at 1,000 rows, by the family that it belongs to."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.changes.distances import DISTANCES
from pipelines.science.changes.facts import Sample
from pipelines.science.changes.find import find_changes

ROWS = 1_000


def quiet(seed, rows=ROWS):
    """Ten inputs of which two go together; an answer that is right in nine of ten cases."""
    rng = np.random.default_rng(seed)
    columns = {f"x{i}": rng.normal(size=rows) for i in range(9)}
    columns["x1"] = 0.8 * columns["x0"] + 0.6 * columns["x1"]
    columns["place"] = rng.choice(np.array(["a", "b", "c", "d"], dtype=object), rows)
    return columns, (rng.random(rows) < 0.1).astype(float), rng


def move_mean(columns, losses, rng):
    columns["x4"] = columns["x4"] + 0.3


def widen(columns, losses, rng):
    columns["x4"] = columns["x4"] * 1.5**0.5


def add_category(columns, losses, rng):
    columns["place"] = np.where(rng.random(ROWS) < 0.05, "new", columns["place"])


def lose_values(columns, losses, rng):
    columns["x4"] = np.where(rng.random(ROWS) < 0.1, np.nan, columns["x4"])


def rotate(columns, losses, rng):
    turn = np.deg2rad(30)
    x, y = columns["x0"], columns["x1"]
    columns["x0"] = np.cos(turn) * x - np.sin(turn) * y
    columns["x1"] = np.sin(turn) * x + np.cos(turn) * y


def part(columns, losses, rng):
    columns["x1"] = rng.normal(size=ROWS)


def flip_labels(columns, losses, rng):
    flipped = rng.random(ROWS) < 0.1
    losses[flipped] = 1 - losses[flipped]


def compare(columns, losses):
    before, right, _ = quiet(99, 10_000)
    return find_changes(
        Sample(columns, losses=losses),
        Sample(before, losses=right),
        level=0.05,
        span="row",
        seed=1,
        least=500,
    )


SHIFTS = [
    (move_mean, "inputs", "x4"),
    (widen, "inputs", "x4"),
    (add_category, "inputs", "place"),
    (lose_values, "missing", "x4"),
    (rotate, "together", "x0, x1"),
    (part, "together", "x0, x1"),
    (flip_labels, "performance", "loss"),
]


@pytest.mark.parametrize(("change", "family", "name"), SHIFTS)
def test_a_named_shift_is_seen_where_it_is(change, family, name):
    columns, losses, rng = quiet(7)
    change(columns, losses, rng)
    found = next(f for f in compare(columns, losses).families if f.family == family)
    assert found.said == "changed"
    seen = {c.name for c in found.columns if c.changed}
    assert name in seen
    # Well beyond chance, so that another world would show it too.
    assert max(abs(c.statistic) / c.critical for c in found.columns if c.name == name) > 2
    for column in found.columns:
        assert column.changed == (column.p_value <= found.level)
        assert column.changed == (abs(column.statistic) > column.critical)


def test_a_change_of_labels_alone_is_none_of_inputs():
    columns, losses, rng = quiet(7)
    flip_labels(columns, losses, rng)
    told = {f.family: f.said for f in compare(columns, losses).families}
    assert told == {
        "missing": "unchanged",
        "inputs": "unchanged",
        "together": "unchanged",
        "predictions": "cannot_be_said",
        "performance": "changed",
    }


def test_the_level_is_split_over_the_families_that_there_are():
    columns, losses, _ = quiet(7)
    levels = {f.family: f.level for f in compare(columns, losses).families if f.p_value is not None}
    assert levels == pytest.approx(dict.fromkeys(levels, 0.05 / 4))


@pytest.mark.parametrize("method", DISTANCES)
def test_every_distance_of_the_spec_sees_a_mean_that_moves(method):
    columns, _, _ = quiet(7)
    columns["x4"] = columns["x4"] + 0.5
    before, _, _ = quiet(99, 10_000)
    found = find_changes(
        Sample({"x4": columns["x4"]}),
        Sample({"x4": before["x4"]}),
        level=0.05,
        span="row",
        seed=1,
        least=500,
        methods={"x4": method},
    )
    distance = next(c for c in found.families[1].columns if c.method == method)
    assert distance.changed
    assert distance.statistic > 0


def test_the_same_seed_says_the_same():
    columns, losses, _ = quiet(7)
    assert compare(columns, losses) == compare(columns, losses)
