"""A package that a model may require: an estimator, with faults to choose from."""

PACKAGE = """
import os, socket
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.tree import DecisionTreeClassifier


class Tree(ClassifierMixin, BaseEstimator):
    def __init__(self, depth=2, fault="", random_state=None):
        self.depth, self.fault, self.random_state = depth, fault, random_state

    def fit(self, x, y, sample_weight=None):
        if self.fault == "raises":
            raise RuntimeError("no such tree")
        if self.fault == "exits":
            os._exit(4)
        if self.fault == "network":
            socket.create_connection(("127.0.0.1", 9))
        if self.fault == "lambda":
            self.kept_ = lambda v: v
        seed = None if self.fault == "chance" else self.random_state
        x = x + np.random.rand(*x.shape) if self.fault == "chance" else x
        self.tree = DecisionTreeClassifier(max_depth=self.depth, random_state=seed)
        self.tree.fit(x, y, sample_weight)
        self.classes_ = self.tree.classes_
        return self

    def predict_proba(self, x):
        return self.tree.predict_proba(x)

    def predict(self, x):
        return self.classes_[self.predict_proba(x).argmax(axis=1)]


class Middle(RegressorMixin, BaseEstimator):
    def fit(self, x, y):
        self.middle_ = float(np.median(y))
        return self

    def predict(self, x):
        return np.full(len(x), self.middle_)
"""
