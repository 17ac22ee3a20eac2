"""Each sign of a broken pipe is seen, named with its column, and not seen where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from pipelines.science.causes.naming import find_breaks, name_cause
from pipelines.science.causes.view import View, pick
from pipelines.science.changes.facts import Sample
from tests.unit.science.causes.orders import cut, orders, random_days, with_columns

WHOLE = orders()
WINDOW, PAST = cut(WHOLE, random_days())
N = WINDOW.rows
LATE = WINDOW.times >= np.sort(WINDOW.times)[N // 2]
OLD = WINDOW.columns


def emptied(names, rows):
    changed = {}
    for name in names:
        values = OLD[name].copy()
        values[rows] = None if values.dtype == object else np.nan
        changed[name] = values
    return with_columns(WINDOW, **changed)


def renamed(old, new, rows=slice(None)):
    values = OLD["region"].copy()
    values[rows][values[rows] == old] = new
    return with_columns(WINDOW, region=values)


def test_an_undisturbed_window_shows_no_sign():
    for seed in range(8):
        assert find_breaks(View(*cut(WHOLE, random_days(seed=seed))), seed) == []


@pytest.mark.parametrize(
    ("window", "detail", "column"),
    [
        (with_columns(WINDOW, amount=OLD["amount"] * 1000), "units", "amount"),
        (with_columns(WINDOW, amount=OLD["amount"] * 0.0254), "units", "amount"),
        (with_columns(WINDOW, amount=np.where(LATE, OLD["amount"] / 1000, OLD["amount"])),
         "units", "amount"),
        (with_columns(WINDOW, age=-OLD["age"]), "sign", "age"),
        (with_columns(WINDOW, age=OLD["amount"], amount=OLD["age"]), "swapped", "age"),
        (with_columns(WINDOW, amount=np.round(OLD["amount"], -1)), "rounded", "amount"),
        (with_columns(WINDOW, amount=np.where(LATE, 17.5, OLD["amount"])), "frozen", "amount"),
        (with_columns(WINDOW, amount=np.where(np.arange(N) % 4 == 0, -999.0, OLD["amount"])),
         "one_value", "amount"),
        (emptied(["age"], np.arange(N) % 5 == 0), "nulls", "age"),
        (emptied(["region"], np.arange(N) % 2 == 0), "nulls", "region"),
        (emptied(["age", "region"], LATE), "source_gone", "age"),
        (pick(WINDOW, OLD["region"] != "north"), "category_gone", "region"),
        (renamed("south", None), "category_gone", "region"),
        (renamed("south", "SOUTH"), "category_renamed", "region"),
        (with_columns(WINDOW, region=np.array([v[:2] for v in OLD["region"]], dtype=object)),
         "cut", "region"),
        (pick(WINDOW, np.repeat(np.arange(N), 2)), "duplicated", None),
        (pick(WINDOW, np.concatenate([np.arange(N), np.arange(0, N, 3)])), "duplicated", None),
        (replace(WINDOW, times=WINDOW.times + np.timedelta64(5, "h")), "clock", "temperature"),
        (replace(WINDOW, times=WINDOW.times - np.timedelta64(4, "h")), "clock", "temperature"),
    ],
)  # fmt: skip
def test_a_broken_pipe_is_named_with_its_column(window, detail, column):
    cause = name_cause(window, PAST)
    assert (cause.kind, cause.detail) == ("broken_upstream", detail), cause
    assert column is None or column in cause.columns


def test_the_moment_from_which_a_fault_holds_is_named():
    broken = with_columns(WINDOW, amount=np.where(LATE, OLD["amount"] * 1000, OLD["amount"]))
    since = str(WINDOW.times[LATE].min().astype("datetime64[D]"))
    assert f"of this window from {since}" in name_cause(broken, PAST).evidence[0]


def test_a_clock_says_how_far_it_is_off():
    late = replace(WINDOW, times=WINDOW.times + np.timedelta64(5, "h"))
    assert "are set 5 hours back" in name_cause(late, PAST).evidence[0]


def test_a_new_value_without_a_lost_one_is_no_rename():
    values = OLD["region"].copy()
    values[np.arange(N) % 10 == 0] = "west"
    cause = name_cause(with_columns(WINDOW, region=values), PAST)
    assert cause.kind == "population"
    assert "values that training has not" in cause.evidence[0]


def test_rows_that_repeat_each_other_by_nature_are_no_second_feed():
    twice = pick(WHOLE, np.repeat(np.arange(WHOLE.rows), 2))
    assert name_cause(*cut(twice, random_days())).kind == "nothing"


@pytest.mark.parametrize(("every", "is_seen"), [(2, True), (5, True), (40, False)])
def test_a_reference_that_is_a_sample_still_shows_rows_that_came_twice(every, is_seen):
    """A tenth of the rows of the past is kept: of those that came twice hardly both are."""
    past = pick(PAST, np.arange(0, PAST.rows, 10))
    twice = np.sort(np.concatenate([np.arange(N), np.arange(0, N, every)]))
    cause = name_cause(pick(WINDOW, twice), past)
    assert (cause.detail == "duplicated") == is_seen


def test_two_faults_are_both_told():
    broken = emptied(["region"], np.arange(N) % 3 == 0)
    broken = with_columns(broken, amount=-OLD["amount"])
    words = " ".join(name_cause(broken, PAST).evidence)
    assert "x → -x" in words
    assert "region" in words


def test_days_that_are_like_the_days_before_look_like_no_other_sign_or_column():
    seeds = range(12)
    found = [find_breaks(View(*wandering(seed)), seed) for seed in seeds]
    assert [b.detail for breaks in found for b in breaks if b.detail in {"sign", "swapped"}] == []


def wandering(seed):
    """A week and the twelve weeks before it, of five columns alike.

    Their levels are each like the one of the day before, and nothing else happens.
    """
    rng = np.random.default_rng([7, seed])
    days, a_day = 91, 60
    levels = lfilter([1.0], [1.0, -0.9], rng.normal(size=(days, 5)) * 0.19**0.5, axis=0)
    values = np.repeat(levels, a_day, axis=0) + rng.normal(size=(days * a_day, 5))
    hours = np.repeat(np.arange(days) * 24, a_day) + np.tile(np.arange(a_day) * 24 // a_day, days)
    times = np.datetime64("2024-01-01", "us") + hours.astype("timedelta64[h]")
    everything = Sample({f"x{i}": values[:, i] for i in range(5)}, times)
    return everything.take(slice(84 * a_day, None)), everything.take(slice(0, 84 * a_day))


@pytest.mark.parametrize(("every", "found"), [(4, ["one_value"]), (40, [])])
def test_a_value_is_filled_in_though_a_third_of_the_rows_have_another_as_ever(every, found):
    """As of a quantity that is 1 in many orders, and was once as strange as what is filled in."""
    quantity = np.where(WHOLE.columns["age"] < 38, 1.0, WHOLE.columns["amount"])
    quantity[np.argmax(WHOLE.columns["amount"])] = -1_500.0
    window, past = cut(with_columns(WHOLE, quantity=quantity), random_days())
    window.columns["quantity"][::every] = -999.0
    assert [b.detail for b in find_breaks(View(window, past), 0)] == found


def test_a_value_that_no_day_had_is_filled_in_though_on_some_days_one_value_is_common():
    """An offer is a third of a month's orders; that excuses no value that was never there."""
    day = (WHOLE.times - WHOLE.times.min()).astype("timedelta64[D]").astype(int)
    offered = np.arange(WHOLE.rows) % 3 == 0
    quantity = np.where(offered, day // 40 - 9.0, np.round(WHOLE.columns["amount"] - 30))
    quantity[:2] = [-5_000.0, 9_000.0]
    window, past = cut(with_columns(WHOLE, quantity=quantity), np.arange(300, 330))
    assert not find_breaks(View(window, past), 0)
    window.columns["quantity"][1::3] = -999.0
    assert [b.detail for b in find_breaks(View(window, past), 0)] == ["one_value"]
