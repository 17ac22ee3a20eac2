"""What other rows leave is not taken for a broken pipe."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.causes.categories import find_categories
from pipelines.science.causes.conversions import find_conversions
from pipelines.science.causes.naming import name_cause
from pipelines.science.causes.rounding import find_rounding
from pipelines.science.causes.view import View, pick
from tests.unit.science.causes.orders import cut, orders, random_days, with_columns

WHOLE = orders()
N = WHOLE.rows
RNG = np.random.default_rng(3)


def sides(days=None, **columns):
    return cut(with_columns(WHOLE, **columns), random_days() if days is None else days)


def test_a_text_that_goes_with_rows_that_went_is_no_category_gone():
    """Only far flights go to the islands, and nobody flies far any more."""
    miles = RNG.gamma(2.0, 300.0, N)
    where = np.where(miles > 1100, "islands", np.where(miles > 500, "coast", "town"))
    window, past = sides(random_days(150), miles=miles, where=where.astype(object))
    flown = window.columns["miles"]
    near = pick(window, (RNG.random(window.rows) < np.exp(-flown / 250)) & (flown <= 1100))
    assert not list(find_categories(View(near, past)))
    assert name_cause(near, past).kind == "population"
    # Where rows as far as ever still come, the text is missed.
    gone = pick(window, window.columns["where"] != "coast")
    assert [b.detail for b in find_categories(View(gone, past))] == ["category_gone"]


@pytest.mark.parametrize(("decimals", "is_unit"), [(9, True), (3, False)])
def test_values_that_could_be_the_past_s_are_no_unit_where_their_decimals_are(decimals, is_unit):
    usual = RNG.random(N) < 0.8
    price = np.round(np.where(usual, RNG.normal(50, 6, N), RNG.uniform(0, 200, N)), 3)
    window, past = sides(price=price)
    dear = np.round(window.columns["price"] * 1.852, decimals)
    dear = with_columns(window, price=dear)
    dear = pick(dear, dear.columns["price"] < 200)
    assert any(b.detail == "units" for b in find_conversions(View(dear, past))) == is_unit


def test_a_summer_of_fewer_values_is_not_rounded():
    """In summer clouds come in steps of ten, in other months of one."""
    month = WHOLE.times.astype("M8[M]").astype(int) % 12
    steps = RNG.integers(0, 8, N) * 10.0
    clouds = np.where(np.isin(month, (5, 6, 7)), steps, RNG.integers(0, 100, N))
    july = np.arange(365 + 182, 365 + 208)
    assert not list(find_rounding(View(*sides(july, clouds=clouds)), 0))


def test_new_texts_are_of_no_season():
    region = WHOLE.columns["region"].copy()
    july = np.arange(365 + 182, 365 + 208)
    window, past = sides(july, region=region)
    window.columns["region"][np.arange(window.rows) % 8 == 0] = "moon"
    assert name_cause(window, past).kind == "population"
