"""How often windows without a change are called changed, in small; benchmarks/false_alarms.py does
it in full.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.few_windows import World, ask
from benchmarks.watching.worlds import Shape, make, remember
from pipelines.science.changes.facts import Sample
from pipelines.science.changes.families import Question
from pipelines.science.changes.find import find_changes
from pipelines.science.changes.groups import Means
from pipelines.science.changes.layout import Layout
from pipelines.science.changes.summing import Sums

LEVEL = 0.1
WORLDS = 40
DAY = np.timedelta64(1, "D")


def look(shape, seed):
    window, reference = make(shape, seed)
    return find_changes(window, reference, level=LEVEL, span="day", seed=seed, least=20)


@pytest.mark.parametrize(
    ("shape", "null"),
    [
        (Shape("independent", 60, 3, 1, 10), "rows drawn"),
        (Shape("rows", 50, 3, 1, 60), "60 windows of the past, each of 1 days"),
        (Shape("rows", 600, 2, 30, 150), "drawn"),
        (Shape("days", 50, 10, 1, 200), "200 windows of the past, each of 1 days"),
    ],
)
def test_quiet_windows_are_called_changed_no_more_often_than_asked(shape, null):
    found = [look(shape, seed) for seed in range(WORLDS)]
    alarms = sum(changes.said == "changed" for changes in found)
    assert alarms / WORLDS <= LEVEL + 3 * (LEVEL * (1 - LEVEL) / WORLDS) ** 0.5
    inputs = [changes.families[1] for changes in found]
    assert sum(null in family.null for family in inputs) > WORLDS / 2


def test_a_few_days_that_are_alike_for_weeks_cannot_be_judged_by_a_month():
    said = [look(Shape("days", 300, 3, 10, 40), seed).families[1] for seed in range(20)]
    assert {family.said for family in said} == {"cannot_be_said"}
    assert "neighbours are alike" in said[0].untold


def look_at_errors(rng, share, seed, worse=0.0, rows=10):
    """Errors of a week against those of four weeks, with a week between them.

    Each day has a level like that of the day before (0.9), which makes this `share` of what days'
    means differ by; those of the window are `worse` by so many deviations of a day's mean.
    """
    levels = remember(rng, 42, 1) * (share / (1 - share) / rows) ** 0.5
    errors = (np.repeat(levels, rows, axis=0) + rng.normal(size=(42 * rows, 1)))[:, 0]
    errors[-7 * rows :] += worse * (1 / (1 - share) / rows) ** 0.5
    times = np.datetime64("2026-01-05", "us") + np.repeat(np.arange(42), rows) * DAY
    sides = [
        Sample({}, times[part], None, errors[part])
        for part in (slice(-7 * rows, None), slice(28 * rows))
    ]
    found = find_changes(*sides, level=0.02, span="day", seed=seed, least=20)
    return found.families[4].said


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_errors_of_four_weeks_that_wander_too_little_to_be_seen_are_not_called_changed(share):
    rng = np.random.default_rng([7, int(100 * share)])
    said = [look_at_errors(rng, share, seed) for seed in range(100)]
    assert said.count("changed") <= 100 * (0.02 + 3 * (0.02 * 0.98 / 100) ** 0.5)
    assert said.count("unchanged") > 20


def test_errors_of_four_independent_weeks_that_grow_are_seen():
    rng = np.random.default_rng(9)
    said = [look_at_errors(rng, 0.0, seed, worse=2.5) for seed in range(60)]
    assert said.count("changed") >= 0.65 * 60
    assert said.count("cannot_be_said") <= 0.25 * 60


def test_a_family_that_rests_on_few_windows_of_the_past_says_so():
    few, many = (look(Shape("days", 140, 3, 7, past), 1).families[1] for past in (98, 182))
    assert few.null.startswith("14 windows of the past, each of 7 days; of so few")
    assert many.null == "26 windows of the past, each of 7 days"


def test_half_a_year_of_independent_weeks_shows_no_less_than_twelve_of_them():
    twelve, half_a_year = (ask(World(weeks, 4), 60, shift=1.5)[0] for weeks in (12, 26))
    assert half_a_year >= max(twelve - 0.1, 0.5)


@pytest.mark.parametrize(("days", "null"), [(7, "7 of 217 days drawn"), (8, "26 windows of the")])
def test_a_window_longer_than_a_week_is_held_against_the_pasts_first(days, null):
    shape = Shape("rows", 300 * days, 2, days, 210)
    assert look(shape, 1).families[1].null.startswith(null)


@pytest.mark.parametrize("apart", [0, 10])
def test_a_day_like_the_one_before_is_judged_as_the_days_of_the_past_are(apart):
    """Thirty squares of levels that last (0.9): 7 % were called changed at 1 % where ten days lie
    between, as a day of the past had neighbours and the newest had none.
    """
    rng, none = np.random.default_rng([30, apart]), np.zeros(0)
    means = Means("inputs", [f"c{place}" for place in range(30)], "mean")
    layout = Layout(none, none, none, 120, 1, "days", timed=True, apart=apart)
    said = []
    for _ in range(300):
        levels = remember(rng, 121 + apart, 30) ** 2
        days = np.vstack([levels[:120], levels[-1:]])
        sums = Sums(60.0 * days, np.full(121, 60.0), [(means, slice(0, 30))])
        said.append(Question("inputs", sums, layout, 0.01, slow=True, seed=1).answer().said)
    assert said.count("changed") <= 300 * (0.01 + 3 * (0.01 * 0.99 / 300) ** 0.5)
    assert "cannot_be_said" not in said


def test_a_column_that_is_alike_for_too_long_is_named_and_the_others_are_judged():
    window, reference = make(Shape("rows", 24, 2, 1, 60), 3)
    season = np.sin(np.arange(reference.rows + window.rows) / 300)
    columns = [{**side.columns} for side in (reference, window)]
    columns[0]["season"], columns[1]["season"] = season[: reference.rows], season[reference.rows :]
    window, reference = (
        replace(side, columns=held)
        for side, held in zip((window, reference), columns[::-1], strict=True)
    )
    found = find_changes(window, reference, level=LEVEL, span="day", seed=1, least=20)
    assert found.families[1].said == "unchanged"
    told = {c.name: c.p_value is not None for c in found.families[1].columns if c.method == "mean"}
    assert told == {"x0": True, "x1": True, "season": False}
    assert any(note.startswith("inputs: of season the past") for note in found.notes)
