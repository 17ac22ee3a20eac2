"""How far columns go together: as published, near nothing where there is nothing."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats.contingency import association as scipy_association

from pipelines.science.associations import LEAST_ROWS, Values, association, matrix


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def numbers(values):
    return Values(np.asarray(values, dtype=float), groups=False)


def groups(values):
    return Values(np.asarray(values, dtype=float), groups=True)


def test_numbers_go_with_numbers_as_spearman_says(rng):
    x = rng.normal(size=500)
    y = np.exp(x) + rng.normal(size=500)
    assert association(numbers(x), numbers(y)) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert association(numbers(x), numbers(-(x**3))) == pytest.approx(-1)


def test_numbers_go_with_groups_as_kruskal_and_wallis_say(rng):
    group = rng.integers(0, 4, 400)
    x = np.round(group * 0.7 + rng.normal(size=400), 1)  # with ties
    h = stats.kruskal(*(x[group == g] for g in range(4))).statistic
    expected = np.sqrt((h - 4 + 1) / (400 - 4))
    assert association(numbers(x), groups(group)) == pytest.approx(expected)
    assert association(groups(group), numbers(x)) == pytest.approx(expected)


def test_groups_go_with_groups_as_cramer_and_bergsma_say(rng):
    one = rng.integers(0, 3, 600)
    other = np.where(rng.random(600) < 0.5, one, rng.integers(0, 5, 600))
    table = np.zeros((3, 5), dtype=int)
    np.add.at(table, (one, other), 1)
    plain, n = scipy_association(table), 600
    phi2 = plain**2 * 2 - (2 * 4) / (n - 1)
    expected = np.sqrt(phi2 / (3 - 4 / (n - 1) - 1))
    assert association(groups(one), groups(other)) == pytest.approx(expected)
    assert association(groups(one), groups(one)) == pytest.approx(1, abs=0.01)


def test_what_has_nothing_to_do_with_each_other_stands_near_nothing(rng):
    found = [
        association(one, other)
        for _ in range(50)
        for one, other in [
            (groups(rng.integers(0, 30, 1000)), groups(rng.integers(0, 30, 1000))),
            (groups(rng.integers(0, 40, 1000)), numbers(rng.normal(size=1000))),
            (numbers(rng.normal(size=1000)), numbers(rng.normal(size=1000))),
        ]
    ]
    assert np.mean(np.abs(found)) < 0.05
    assert np.max(np.abs(found)) < 0.2


def test_too_few_rows_and_constants_say_nothing():
    x = np.arange(LEAST_ROWS, dtype=float)
    half = np.where(x % 2, np.nan, x)
    assert association(numbers(x), numbers(half)) is None
    assert association(numbers(x), numbers(np.ones(LEAST_ROWS))) is None
    assert association(numbers(x), groups(x)) is None, "every row is a group of its own"
    assert matrix([numbers(x), numbers(half)]) == [[1.0, None], [None, 1.0]]
