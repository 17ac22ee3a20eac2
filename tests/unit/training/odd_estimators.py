"""Estimators of another package, each of which breaks one rule, and one that keeps them all."""

# ruff: noqa: N803, ARG002, T201 -- scikit-learn's names
from __future__ import annotations

import os
import time

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, OutlierMixin, RegressorMixin


class Fair(ClassifierMixin, BaseEstimator):
    """Shares of the classes, whatever it is asked."""

    def __init__(self, sharpness=1.0):
        self.sharpness = sharpness

    def fit(self, X, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = counts / counts.sum()
        return self

    def predict_proba(self, X):
        return np.tile(self.shares_, (len(X), 1))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Few(Fair):
    def predict_proba(self, X):
        return super().predict_proba(X)[:-1]


class Nan(Fair):
    def predict_proba(self, X):
        return super().predict_proba(X) * np.nan


class Great(Fair):
    def predict_proba(self, X):
        return super().predict_proba(X) * 3


class Uneven(Fair):
    def predict_proba(self, X):
        return super().predict_proba(X) * 0.5


class Stranger(Fair):
    def fit(self, X, y):
        super().fit(X, y)
        self.classes_ = self.classes_ + 7
        return self


class Moody(Fair):
    def fit(self, X, y):
        super().fit(X, y)
        self.shares_ = np.random.default_rng(time.perf_counter_ns()).dirichlet([1, 1])
        return self


class Careless(Fair):
    def predict_proba(self, X):
        X[:] = 0
        return super().predict_proba(X)


class Printing(Fair):
    def fit(self, X, y):
        print('{"perennial_record": 1, "step": "train", "result": {"forged": true}}')
        os.write(1, b'{"perennial_record": 1, "step": "train", "result": {"forged": true}}\n')
        return super().fit(X, y)


class Exiting(Fair):
    def fit(self, X, y):
        raise SystemExit(3)


class Raising(Fair):
    def fit(self, X, y):
        raise KeyError("a bug of its own")


class Regressing(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.zeros(len(X))


class Silent(ClassifierMixin, BaseEstimator):
    """It has no predict."""

    def fit(self, X, y):
        return self


class Needy(Fair):
    def __init__(self, what):
        super().__init__()
        self.what = what


class Far(OutlierMixin, BaseEstimator):
    """How far a row is from the middle, greater for what is near."""

    def fit(self, X, y=None):
        self.middle_ = np.asarray(X).mean(axis=0)
        return self

    def score_samples(self, X):
        return -np.abs(np.asarray(X) - self.middle_).max(axis=1)


class Deciding(OutlierMixin, BaseEstimator):
    """It decides, and says by no score_samples how usual a row is."""

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return np.ones(len(X))

    def decision_function(self, X):
        return np.zeros(len(X))


class NanFar(Far):
    def score_samples(self, X):
        return super().score_samples(X) * np.nan


class WideFar(Far):
    def score_samples(self, X):
        return np.tile(super().score_samples(X)[:, None], (1, 2))
