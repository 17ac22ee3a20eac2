"""Do old rows mislead?"""

from __future__ import annotations

import numpy as np

from pipelines.science.bootstrap import Comparison
from pipelines.science.window_probe import choose_start, plan_probe

DAY = np.timedelta64(1, "D")
FIRST = np.datetime64("2026-01-01", "us")
EDGES = FIRST + np.arange(7) * 30 * DAY


def days(count):
    return FIRST + np.repeat(np.arange(count), 3) * DAY


def test_the_newer_half_of_the_newest_part_judges_and_windows_reach_back_twice_as_far():
    probe = plan_probe(days(210), EDGES, "day")
    assert probe.asked_from == FIRST + 195 * DAY
    assert probe.starts == (EDGES[0], EDGES[3], EDGES[5], EDGES[6])


def test_a_part_with_too_few_days_is_no_beginning_yet():
    probe = plan_probe(days(189), EDGES, "day")
    assert probe.starts[-1] == EDGES[5]
    assert plan_probe(days(190), EDGES, "day").starts[-1] == EDGES[6]


def test_rows_that_are_too_few_are_not_probed():
    assert plan_probe(days(9), EDGES, "day") is None
    assert plan_probe(days(210), EDGES[:1], "day") is None


def compared(difference, lower):
    return Comparison("roc_auc", 0.7, 0.6, difference, lower, 0.9, 0.95, 15, "days")


def test_only_what_is_proven_better_than_all_rows_shortens_the_window():
    asked = []

    def compare(start, confidence):
        asked.append(confidence)
        return {1: compared(0.2, -0.1), 2: compared(0.1, 0.05), 3: compared(0.12, 0.01)}[start]

    assert choose_start((0, 1, 2, 3), compare, 0.94)[0] == 3
    assert np.allclose(asked, 0.98)
    assert choose_start((0, 1), lambda *_: compared(0.2, -0.1), 0.94) == (None, None)
    assert choose_start((0,), lambda *_: compared(0.2, 0.1), 0.94) == (None, None)
