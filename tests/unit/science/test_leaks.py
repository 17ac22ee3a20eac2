"""Columns that give the target away are found, and good inputs are left alone."""

import numpy as np
import pandas as pd
import pytest

from pipelines.science.leaks import find_leaks

ROWS = 1_200


@pytest.fixture
def random():
    return np.random.default_rng(3)


@pytest.fixture
def inputs(random):
    """Harmless columns, two of them strong, and the log odds that they make."""
    columns = {
        "age": pd.Series(random.integers(18, 80, ROWS)),
        "plan": pd.Series(random.choice(["free", "gold"], ROWS)),
        "complaints": pd.Series(random.poisson(0.8, ROWS)),
        "income": pd.Series(random.normal(40, 9, ROWS)).where(random.random(ROWS) > 0.2),
    }
    odds = 1.6 * columns["complaints"] - 2 + columns["plan"].map({"free": 0.8, "gold": -1.2})
    return columns, odds


@pytest.fixture
def outcome(inputs, random):
    return pd.Series((random.random(ROWS) < 1 / (1 + np.exp(-inputs[1]))).astype(int))


def names(leaks):
    return [leak.column for leak in leaks]


def test_good_inputs_are_no_leaks(inputs, outcome):
    assert find_leaks(inputs[0], outcome, classes=True) == []


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda y, _: y.map({0: "open", 1: "closed"}), "a copy of the target"),
        (lambda y, _: y * 3 + 1, "a copy of the target"),
        (
            lambda y, r: pd.Series(r.choice(["moved", "price"], ROWS)).where(
                (y == 1) & (r.random(ROWS) < 0.6)
            ),
            "written after the event",
        ),
        (
            lambda y, r: pd.Series(r.integers(1, 4, ROWS)).where(y == 1, r.integers(0, 2, ROWS)),
            "the target is always",
        ),
    ],
)  # fmt: skip
def test_what_is_made_of_the_outcome_is_found_with_its_reason(
    inputs, outcome, random, make, reason
):
    columns = {**inputs[0], "planted": make(outcome, random)}
    leaks = find_leaks(columns, outcome, classes=True)
    assert names(leaks) == ["planted"]
    assert reason in leaks[0].reason


def test_an_identifier_in_the_order_of_the_outcome_is_found_and_one_at_random_is_not(
    inputs, outcome, random
):
    number = np.empty(ROWS, dtype=int)
    number[np.lexsort((random.random(ROWS), outcome))] = np.arange(ROWS)
    columns = {"case": pd.Series(number), "ticket": pd.Series(random.permutation(ROWS))}
    leaks = find_leaks(columns, outcome, classes=True, identifiers=frozenset({"case", "ticket"}))
    assert names(leaks) == ["case"]


def test_what_is_filled_with_a_later_time_is_found(inputs, outcome, random):
    event = pd.Series(pd.date_range("2024-01-01", periods=ROWS, freq="h"))
    # closed for some of both classes, so that being filled says little by itself
    closed = event.where(random.random(ROWS) < 0.5) + pd.Timedelta(days=3)
    columns = {
        **inputs[0],
        "closed_at": closed,
        "agent": pd.Series("x", range(ROWS)).where(closed.notna()),
    }
    leaks = find_leaks(columns, outcome, classes=True, event=event)
    assert names(leaks) == ["agent"]
    assert "where closed_at is, which lies after the event" in leaks[0].reason


@pytest.fixture
def series(random):
    """Sales of days with a week in them."""
    day = np.arange(ROWS)
    y = pd.Series(200 + 40 * np.sin(day / 7 * 2 * np.pi) + random.normal(0, 20, ROWS))
    return y, pd.Series(pd.date_range("2020-01-01", periods=ROWS, freq="D"))


@pytest.mark.parametrize(
    ("make", "is_leak"),
    [
        (lambda y: y.shift(-1), True),
        (lambda y: y.rolling(7).sum(), True),
        (lambda y: y.rolling(5, center=True).mean(), True),
        (lambda y: y.shift(1), False),
        (lambda y: y.shift(7), False),
        (lambda y: y.shift(1).rolling(7).mean(), False),
    ],
    ids=["next", "sum with its own row", "mean around", "yesterday", "last week", "mean before"],
)
def test_values_of_later_rows_are_found_and_those_of_earlier_ones_are_not(series, make, is_leak):
    y, event = series
    leaks = find_leaks({"x": make(y)}, y, classes=False, event=event)
    assert names(leaks) == (["x"] if is_leak else [])


def test_parts_that_add_up_to_the_target_are_found_together(random):
    part, rest = pd.Series(random.gamma(2, 10, ROWS)), pd.Series(random.gamma(2, 20, ROWS))
    columns = {"part": part, "rest": rest, "noise": pd.Series(random.normal(size=ROWS))}
    assert sorted(names(find_leaks(columns, part + rest, classes=False))) == ["part", "rest"]


def test_a_column_that_alone_says_nearly_all_is_worth_a_question_but_not_sure(random):
    y = pd.Series((random.random(ROWS) < 0.2).astype(int))
    columns = {
        "score": y * 3 + pd.Series(random.normal(size=ROWS)),
        "noise": pd.Series(random.normal(size=ROWS)),
    }
    (leak,) = find_leaks(columns, y, classes=True)
    assert (leak.column, leak.is_sure) == ("score", False)
    assert "those without it" in leak.reason
