"""The own transformers keep scikit-learn's contract and say what they mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from pipelines.transformers import Cycles, DateParts, SignedLog


@parametrize_with_checks([SignedLog(), Cycles(period=24.0)])
def test_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def test_the_logarithm_keeps_the_sign_and_null():
    found = SignedLog().fit_transform(np.array([[-9.0, 0.0], [np.nan, np.e - 1]]))
    assert np.allclose(found, [[-np.log(10), 0], [np.nan, 1]], equal_nan=True)


def test_an_hour_lies_beside_its_neighbour_over_midnight():
    cycles = Cycles(24).fit(pd.DataFrame({"hour": np.arange(24, dtype=np.float32)}))
    found = cycles.transform(pd.DataFrame({"hour": np.array([23, 0, 6], dtype=np.float32)}))
    assert np.allclose(found[1:], [[0, 1], [1, 0]], atol=1e-6)
    assert np.linalg.norm(found[0] - found[1]) == pytest.approx(2 * np.sin(np.pi / 24), abs=1e-6)
    assert list(cycles.get_feature_names_out()) == ["hour_sin", "hour_cos"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("2024-02-29T23:45:00Z", [2024, 2, 29, 3, 23, 45, 60, 19782]),
        ("2024-03-01T01:45:00+02:00", [2024, 2, 29, 3, 23, 45, 60, 19782]),
        ("1969-12-31", [1969, 12, 31, 2, 0, 0, 365, -1]),
        ("", [np.nan] * 8),
        ("yesterday", [np.nan] * 8),
    ],
)
def test_the_parts_of_a_date(text, parts):
    names = ("year", "month", "day", "weekday", "hour", "minute", "yearday", "days")
    found = DateParts(names, cycles=False).fit_transform(pd.DataFrame({"seen": [text]}))
    assert found.dtype == np.float32
    assert np.array_equal(found[0], np.array(parts, dtype=np.float32), equal_nan=True)


def test_parts_that_return_are_sine_and_cosine():
    dates = DateParts(("year", "weekday")).fit(pd.DataFrame({"seen": ["2024-01-01"]}))
    assert list(dates.get_feature_names_out()) == [
        "seen_year",
        "seen_weekday_sin",
        "seen_weekday_cos",
    ]
    monday = clone(dates).fit_transform(pd.DataFrame({"seen": ["2024-01-01"]}))
    assert np.allclose(monday, [[2024, 0, 1]])
    with pytest.raises(ValueError, match="unknown part 'century'"):
        DateParts(("century",)).fit(pd.DataFrame({"seen": ["2024-01-01"]}))
