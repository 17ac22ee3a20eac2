"""A cause is named from the rows of both sides, in words that hold its numbers."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.causes.naming import name_cause
from pipelines.science.causes.view import pick
from pipelines.science.changes.facts import Changes, ColumnChange, FamilyChange, Sample
from tests.unit.science.causes.orders import cut, orders, random_days, with_columns

WHOLE = orders()
WINDOW, PAST = cut(WHOLE, random_days())


def test_days_like_the_others_have_no_cause():
    found = [name_cause(*cut(WHOLE, random_days(seed=seed))).kind for seed in range(8)]
    assert found == ["nothing"] * 8


def test_celsius_that_came_as_fahrenheit_is_named_with_the_way_back():
    broken = with_columns(WINDOW, temperature=WINDOW.columns["temperature"] * 1.8 + 32)
    cause = name_cause(broken, PAST)
    assert (cause.kind, cause.detail, cause.columns) == (
        "broken_upstream", "units", ["temperature"]
    )  # fmt: skip
    assert "after x → (x - 32) / 1.8 (Celsius as Fahrenheit)" in cause.evidence[0]
    assert cause.sureness == "sure"


def test_a_mix_of_other_rows_is_a_population():
    keep = (WINDOW.columns["region"] == "islands") | (np.arange(WINDOW.rows) % 4 == 0)
    cause = name_cause(pick(WINDOW, keep), PAST)
    assert (cause.kind, cause.columns[0]) == ("population", "region")
    assert "(1" in cause.evidence[0]
    assert "in training)" in cause.evidence[0]
    # The islands are harder: their greater loss is explained by the rows and is no other concept.
    assert "as such rows let expect" in cause.evidence[-1]


def test_worse_answers_to_the_same_rows_are_a_concept():
    worse = Sample(WINDOW.columns, WINDOW.times, WINDOW.predictions, WINDOW.losses * 1.6)
    cause = name_cause(worse, PAST)
    assert cause.kind == "concept"
    assert "+6" in cause.evidence[0]
    assert "no input has moved" in cause.evidence[1]


def test_a_summer_like_the_last_one_is_a_season():
    cause = name_cause(*cut(WHOLE, np.arange(190, 215)))
    assert (cause.kind, cause.columns) == ("season", ["temperature"])
    assert "beside rows of the same months" in cause.evidence[0]


def test_a_summer_without_one_before_cannot_be_told_from_other_rows():
    _, past = cut(WHOLE, np.concatenate([np.arange(150, 250), np.arange(515, 615)]))
    cause = name_cause(cut(WHOLE, np.arange(190, 215))[0], past)
    assert cause.kind == "unclear"
    assert "too few days of the window's months" in cause.evidence[0]


def test_a_column_that_tests_call_changed_is_believed():
    one = ColumnChange("age", "ks", 0.3, 0.1, 0.001, changed=True)
    family = FamilyChange("inputs", "changed", 0.01, 0.001, [one])
    assert name_cause(WINDOW, PAST, Changes([family])).kind == "population"
    calm = FamilyChange("inputs", "unchanged", 0.01, 0.4)
    shifted = with_columns(WINDOW, age=WINDOW.columns["age"] + 8)
    assert name_cause(shifted, PAST).kind == "population"
    assert name_cause(shifted, PAST, Changes([calm])).kind == "nothing"


def test_a_broken_pipe_is_named_whatever_the_tests_say():
    calm = FamilyChange("inputs", "unchanged", 0.01, 0.4)
    broken = with_columns(WINDOW, amount=-WINDOW.columns["amount"])
    assert name_cause(broken, PAST, Changes([calm])).detail == "sign"


@pytest.mark.parametrize(
    ("window", "past", "words"),
    [
        (pick(WINDOW, np.arange(5)), PAST, "the window holds 5 rows"),
        (WINDOW, pick(PAST, np.arange(20)), "the reference holds 20 rows"),
        (Sample({}, WINDOW.times), PAST, "no column is on both sides"),
        (Sample({}), Sample({}), "no column is on both sides"),
        (pick(WINDOW, np.arange(0)), PAST, "the window holds 0 rows"),
    ],
)
def test_what_cannot_be_told_is_unclear(window, past, words):
    cause = name_cause(window, past)
    assert (cause.kind, cause.sureness) == ("unclear", "possible")
    assert words in cause.evidence[0]


def test_odd_columns_are_no_error():
    n, m = WINDOW.rows, PAST.rows
    odd = {
        "constant": (np.ones(n), np.ones(m)),
        "empty": (np.full(n, np.nan), np.full(m, np.nan)),
        "endless": (np.full(n, np.inf), np.where(np.arange(m) % 2, -np.inf, 1.0)),
        "nobody": (np.full(n, None), np.full(m, None)),
        "other": (np.full(n, None), np.ones(m)),
    }
    window = with_columns(WINDOW, **{k: v[0] for k, v in odd.items()})
    past = with_columns(PAST, **{k: v[1] for k, v in odd.items()}, gone=np.ones(m))
    assert name_cause(window, past).evidence
    assert name_cause(Sample(window.columns), Sample(past.columns)).evidence


def test_the_same_rows_give_the_same_cause():
    assert name_cause(WINDOW, PAST, seed=3) == name_cause(WINDOW, PAST, seed=3)
