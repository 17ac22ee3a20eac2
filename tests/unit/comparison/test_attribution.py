"""Attributions are exact, belong to the inputs, and add up; else they are not shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from pipelines.comparison.attribution import Attribution, NoAttribution, attribute

RNG = np.random.default_rng(4)
ROWS = pd.DataFrame(
    {
        "a": RNG.normal(size=300).astype(np.float32),
        "b": RNG.normal(size=300).astype(np.float32),
        "place": pd.Series(RNG.choice(["x", "y", "z"], 300), dtype=object),
    }
)
VALUE = 2 * ROWS["a"] - ROWS["b"] + 3 * (ROWS["place"] == "x") + RNG.normal(0, 0.1, 300)


def fit(estimator, y, *, number=None, text=None):
    number = number or Pipeline([("i", SimpleImputer()), ("s", StandardScaler())])
    encoder = ColumnTransformer(
        [("numbers", number, ["a", "b"]), ("texts", text or OneHotEncoder(), ["place"])]
    )
    return Pipeline([("encode", encoder), ("estimator", estimator)]).fit(ROWS, y)


def test_a_linear_model_is_its_coefficients_summed_over_each_input():
    model = fit(Ridge(alpha=1e-6), VALUE)
    found = attribute(model, ROWS)
    assert found.inputs == ["a", "b", "place"]
    slope = np.polyfit(ROWS["a"], found.amounts[:, 0], 1)[0]
    assert slope == pytest.approx(2, abs=0.05)
    by_place = {p: found.amounts[ROWS["place"] == p, 2].mean() for p in ("x", "y")}
    on_x = by_place["x"] - by_place["y"]
    assert on_x == pytest.approx(3, abs=0.1)
    total = found.amounts.sum(axis=1) + model.predict(ROWS).mean()
    assert total == pytest.approx(model.predict(ROWS), abs=1e-6)


def test_of_several_classes_the_most_probable_one_is_attributed():
    y = np.where(VALUE > 2, 2, np.where(VALUE > 0, 1, 0))
    found = attribute(fit(LogisticRegression(), y), ROWS)
    assert isinstance(found, Attribution)
    assert found.amounts.shape == (300, 3)


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("classes", [2, 3])
def test_boosted_trees_give_their_own(kind, classes):
    y = np.digitize(VALUE, [0.5] if classes == 2 else [0.0, 2.0])
    if kind == "lightgbm":
        from lightgbm import LGBMClassifier

        estimator = LGBMClassifier(n_estimators=10, n_jobs=1, verbose=-1)
    else:
        from xgboost import XGBClassifier

        estimator = XGBClassifier(n_estimators=10, n_jobs=1)
    found = attribute(fit(estimator, y, number="passthrough", text=OrdinalEncoder()), ROWS)
    assert isinstance(found, Attribution), found
    assert "exact" in found.method
    weights = dict(zip(found.inputs, np.abs(found.amounts).mean(axis=0), strict=True))
    assert weights["a"] > weights["b"]


def test_what_does_not_add_up_is_left_out_with_words():
    model = fit(Ridge(), VALUE)
    model.named_steps["estimator"].decision_function = lambda x: np.zeros(x.shape[0])
    found = attribute(model, ROWS)
    assert isinstance(found, NoAttribution)
    assert "do not add up" in found.why


@pytest.mark.parametrize(
    ("estimator", "number", "why"),
    [
        (DecisionTreeRegressor(), None, "has no exact attribution"),
        (Ridge(), PCA(1), "mixes inputs"),
    ],
)
def test_where_there_is_none_it_says_why(estimator, number, why):
    assert why in attribute(fit(estimator, VALUE, number=number), ROWS).why
    bare = Ridge().fit(ROWS[["a"]], VALUE)
    assert "no input can be told" in attribute(bare, ROWS[["a"]]).why
