"""Data that no test was made for: each has an answer, and none says "unchanged" by accident."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.changes.facts import Sample
from pipelines.science.changes.find import find_changes

DAY = np.datetime64("2026-01-01", "us")


def sample(rows, seed=0, days=None, **columns):
    rng = np.random.default_rng(seed)
    usual = {
        "amount": rng.normal(size=rows),
        "place": rng.choice(np.array(["a", "b", "c"], dtype=object), rows),
    }
    times = None
    if days is not None:
        first, last = days
        at = np.sort(rng.uniform(first, last, rows))
        times = DAY + (at * 86_400_000_000).astype("timedelta64[us]")
    return Sample(
        {name: values for name, values in (usual | columns).items() if values is not None},
        times,
        predictions=usual["amount"] * 2,
        losses=np.abs(rng.normal(size=rows)),
    )


def compare(window, reference, span="day", level=0.05, least=20, **more):
    return find_changes(window, reference, level=level, span=span, seed=1, least=least, **more)


def told(changes):
    return {family.family: family.said for family in changes.families}


def family(changes, name):
    return next(family for family in changes.families if family.family == name)


def test_what_is_the_same_is_unchanged_in_every_family():
    found = compare(sample(200, 1), sample(2_000, 2))
    assert set(told(found).values()) == {"unchanged"}
    assert found.said == "unchanged"


@pytest.mark.parametrize("rows", [0, 1])
def test_no_row_or_one_says_nothing(rows):
    found = compare(sample(rows), sample(2_000), least=1)
    assert set(told(found).values()) == {"cannot_be_said"}
    assert f"the window has {rows} rows" in family(found, "inputs").untold


def test_a_reference_without_rows_says_nothing():
    assert compare(sample(200), sample(0)).said == "cannot_be_said"


def test_fewer_rows_than_asked_for_say_nothing():
    found = compare(sample(200), sample(2_000), least=500)
    assert "at least 500 are needed" in family(found, "performance").untold
    assert found.said == "cannot_be_said"


def test_a_constant_column_is_compared_and_unchanged():
    window, reference = (sample(n, n, amount=np.ones(n)) for n in (200, 2_000))
    assert compare(window, reference).said == "unchanged"


def test_a_constant_column_that_varies_now_is_changed():
    window = sample(200, amount=np.tile([1.0, 2.0], 100))
    assert told(compare(window, sample(2_000, amount=np.ones(2_000))))["inputs"] == "changed"


def test_a_column_without_values_is_changed_in_missing():
    for nothing in (np.full(200, np.nan), np.full(200, None)):
        found = compare(sample(200, amount=nothing), sample(2_000))
        missing = family(found, "missing")
        assert missing.said == "changed"
        assert [c.name for c in missing.columns if c.changed] == ["amount"]


def test_a_column_without_values_on_both_sides_is_left_out_and_said():
    window, reference = (sample(n, n, amount=np.full(n, np.nan)) for n in (200, 2_000))
    found = compare(window, reference)
    assert found.notes == ["amount has no value on either side and is not compared"]
    assert found.said == "unchanged"


@pytest.mark.parametrize(
    ("columns", "method"),
    [
        ({"amount": None}, "gone"),
        ({"more": np.zeros(200)}, "new"),
        ({"amount": np.array(["x"] * 200, dtype=object)}, "kind"),
    ],
)
def test_another_schema_is_changed_whatever_the_level(columns, method):
    missing = family(compare(sample(200, **columns), sample(2_000), level=1e-9), "missing")
    assert missing.said == "changed"
    assert [c.method for c in missing.columns if c.changed] == [method]


def test_infinite_values_are_changed_in_missing():
    values = np.random.default_rng(3).normal(size=200)
    values[:20] = np.inf
    missing = family(compare(sample(200, amount=values), sample(2_000)), "missing")
    assert [(c.name, c.method) for c in missing.columns if c.changed] == [("amount", "infinite")]


def test_no_columns_at_all_say_nothing_of_inputs():
    window, reference = Sample({}), Sample({})
    assert compare(window, reference).said == "cannot_be_said"


def test_predictions_without_columns_or_times_are_compared():
    rng = np.random.default_rng(4)
    window, reference = (Sample({}, predictions=rng.normal(size=n)) for n in (200, 2_000))
    found = compare(window, reference)
    assert told(found) == dict.fromkeys(told(found), "cannot_be_said") | {
        "predictions": "unchanged"
    }
    assert family(found, "predictions").level == 0.05


def test_a_reference_of_one_window_cannot_be_drawn_from():
    found = compare(sample(200, 1, days=(2, 3)), sample(200, 2, days=(0, 2)))
    assert told(found) == dict.fromkeys(told(found), "cannot_be_said") | {"missing": "unchanged"}
    assert "1 days" in family(found, "inputs").untold


def test_a_level_that_too_few_draws_can_hold_says_nothing():
    assert told(compare(sample(200), sample(2_000), level=1e-6))["inputs"] == "cannot_be_said"


@pytest.mark.parametrize("level", [0, 1, -0.1, float("nan")])
def test_a_level_that_is_no_probability_is_refused(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        compare(sample(200), sample(200), level=level)


def test_lists_and_booleans_are_values():
    window = sample(200, place=np.array([[1], [2]] * 100 + [None], dtype=object)[:200])
    reference = sample(2_000, place=np.array([True, False] * 1_000, dtype=object))
    assert told(compare(window, reference))["inputs"] == "changed"


def test_times_that_are_unknown_are_no_times():
    window = sample(200)
    window = Sample(window.columns, np.full(200, np.datetime64("NaT", "us")))
    assert "rows drawn" in family(compare(window, sample(2_000, days=(0, 30))), "inputs").null
