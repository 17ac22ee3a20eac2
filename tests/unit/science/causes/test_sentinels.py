"""A value that stands for "not known" is a sure sign in few rows; other rows' values are none."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.causes.naming import name_cause
from pipelines.science.causes.sentinels import find_sentinels
from pipelines.science.causes.view import View
from tests.unit.science.causes.orders import cut, orders, random_days, with_columns

WINDOW, PAST = cut(orders(), random_days())
N = WINDOW.rows


def filled(name, values, every, rows=None):
    chosen = np.arange(N) % every == 0 if rows is None else rows
    return with_columns(WINDOW, **{name: np.where(chosen, values, WINDOW.columns[name])})


@pytest.mark.parametrize(
    ("name", "value", "every"),
    [("temperature", -999.0, 12), ("amount", -1.0, 20), ("age", 999, 20)],
)
def test_a_few_rows_with_a_value_that_cannot_be_are_a_sure_sign(name, value, every):
    cause = name_cause(filled(name, value, every), PAST)
    assert (cause.kind, cause.detail, cause.columns) == ("broken_upstream", "one_value", [name])
    assert cause.sureness == "sure"
    assert f"have the value {value:g}, which training never had" in cause.evidence[0]


@pytest.mark.parametrize(
    "window",
    [
        filled("amount", -1.0, 100),  # too few rows
        filled("amount", -np.arange(1.0, N + 1), 10),  # refunds, each another
        filled("temperature", WINDOW.columns["temperature"].min() - 1, 10),  # a cold day
        filled("amount", -1.0, 1, WINDOW.times < np.sort(WINDOW.times)[N // 5]),  # of few days
    ],
)
def test_other_values_are_none(window):
    assert list(find_sentinels(View(window, PAST))) == []


@pytest.mark.parametrize(("value", "found"), [(3, 0), (4, 0), (-1, 1), (99, 1)])
def test_the_next_step_of_few_values_is_no_value_that_cannot_be(value, found):
    past = with_columns(PAST, season=1.0 + (np.arange(PAST.rows) % 2))
    window = with_columns(WINDOW, season=np.full(N, float(value)))
    assert len(list(find_sentinels(View(window, past)))) == found


@pytest.mark.parametrize(("value", "found"), [(6, 0), (-1, 1), (999, 1)])
def test_a_month_that_training_never_had_is_no_value_that_cannot_be(value, found):
    """As of a model that has learnt from January to March and meets June."""
    past = with_columns(PAST, month=1.0 + PAST.times.astype("datetime64[D]").astype(int) // 90 % 3)
    window = with_columns(WINDOW, month=np.full(N, float(value)))
    assert len(list(find_sentinels(View(window, past)))) == found
    assert (name_cause(window, past).kind == "broken_upstream") == bool(found)
