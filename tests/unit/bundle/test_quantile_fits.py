"""The fits of several levels: in order along each row, widened by shifts, stored without pickle."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from skops import io

from pipelines.bundle.predictor import load_native
from pipelines.bundle.quantile_fits import QuantileFits, widen


class Crossing(RegressorMixin, BaseEstimator):
    """Answers with its level where the input is positive, and with the opposite elsewhere."""

    def __init__(self, level=0.5):
        self.level = level

    def fit(self, X, y, sample_weight=None):  # noqa: N803, ARG002
        self.weight_ = None if sample_weight is None else float(np.sum(sample_weight))
        return self

    def predict(self, X):  # noqa: N803
        return np.where(np.asarray(X)[:, 0] > 0, self.level, -self.level)


X = np.array([[1.0], [-1.0]])


def test_crossing_levels_are_put_in_order_row_by_row():
    fits = QuantileFits(Crossing(), (0.1, 0.5, 0.9), "level").fit(X, [0, 0])
    assert fits.predict(X).tolist() == [[0.1, 0.5, 0.9], [-0.9, -0.5, -0.1]]


def test_weights_reach_each_fit():
    fits = QuantileFits(Crossing(), (0.1, 0.9), "level").fit(X, [0, 0], sample_weight=[1, 2])
    assert [fit.weight_ for fit in fits.estimators_] == [3.0, 3.0]


def test_one_fit_is_spread_out_by_the_shifts():
    fits = QuantileFits(LinearRegression(), (0.1, 0.5, 0.9)).fit(X, [1.0, -1.0])
    assert len(fits.estimators_) == 1
    fits.shifts_ = np.array([-2.0, 0.0, 3.0])
    assert fits.predict(X) == pytest.approx(np.array([[-1, 1, 4], [-3, -1, 2]]))


def test_shifts_that_cross_are_widened_and_no_end_is_drawn_inwards():
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    values = np.array([[3.0, 1.0, 2.0, 5.0, 4.0]])
    assert widen(values, levels).tolist() == [[1.0, 1.0, 2.0, 5.0, 5.0]]
    rng = np.random.default_rng(0)
    wild = rng.normal(size=(500, 5))
    found = widen(wild, levels)
    assert (np.diff(found, axis=1) >= 0).all()
    assert (found[:, :2] <= wild[:, :2]).all()
    assert (found[:, 3:] >= wild[:, 3:]).all()
    assert (found[:, 2] == wild[:, 2]).all()
    assert widen(wild[:, :1], (0.9,)).tolist() == wild[:, :1].tolist()


def test_it_is_stored_and_loaded_as_bundles_are():
    fits = QuantileFits(LinearRegression(), (0.1, 0.9)).fit(X, [1.0, -1.0])
    fits.shifts_ = np.array([-1.0, 1.0])
    again = load_native(io.dumps(fits))
    assert again.predict(X).tolist() == fits.predict(X).tolist()
