"""How often windows without a change are called changed, in small; benchmarks/false_alarms.py does
it in full.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.watching.worlds import Shape, make
from pipelines.science.changes.find import find_changes

LEVEL = 0.1
WORLDS = 40


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


def test_a_family_that_rests_on_few_windows_of_the_past_says_so():
    few, many = (look(Shape("days", 140, 3, 7, past), 1).families[1] for past in (98, 182))
    assert few.null.startswith("14 windows of the past, each of 7 days; of so few")
    assert many.null == "26 windows of the past, each of 7 days"


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
