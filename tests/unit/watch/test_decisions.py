"""Decisions are held against those of rows that nobody learnt from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
from sklearn.ensemble import RandomForestClassifier

from pipelines.science.effects.decisions import least_turned, measure_decisions
from pipelines.watch.explained_rows import decisions_of
from pipelines.watch.sides import Rows
from tests.unit.watch.windows import CHAMPION, champion, times, window


def purchases(rows, seed):
    """Inputs, and whether somebody buys: as chance has it, and one in four."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, 4))
    return inputs, rng.random(rows) < 1 / (1 + np.exp(1.3 - inputs[:, 0]))


def test_a_forest_that_knows_its_rows_by_heart_turns_no_decision_on_others_like_them():
    fitted, bought = purchases(1_000, 1)
    forest = RandomForestClassifier(30, random_state=1).fit(fitted, bought)
    (_, by_heart), (_, held), (_, now) = (
        (inputs, forest.predict_proba(inputs)[:, 1])
        for inputs in (fitted, purchases(1_500, 2)[0], purchases(1_000, 3)[0])
    )
    own = champion(pa.table({"x": fitted[:, 0]}), predictions=held)
    own = replace(own, reference=replace(own.reference, event_times=times(1_500)))
    rows = Rows(pa.table({"x": np.zeros(1_000)}), now, event_times=times(1_000, days=10))
    found = measure_decisions(decisions_of(rows, own))
    assert (found.before, found.now) == ((held >= 0.5).mean(), (now >= 0.5).mean())
    assert least_turned(found) == 0
    # Rows that were learnt from are decided as they came out.
    assert (by_heart >= 0.5).mean() > found.before + 0.05


def test_decisions_are_those_of_the_champions_own_threshold():
    found = decisions_of(window(), replace(CHAMPION, threshold=0.3))
    change = measure_decisions(found)
    assert change.now == (window().predictions >= 0.3).mean()


def test_without_held_out_answers_or_decisions_nothing_is_said():
    none_held = champion(predictions=np.array([]))
    assert measure_decisions(decisions_of(window(), none_held)) is None
    assert decisions_of(window(), champion(task="regression")) is None
