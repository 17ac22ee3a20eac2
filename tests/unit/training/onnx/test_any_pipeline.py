"""Pipelines of any shape: what compiles does so with proof, what does not says why."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from imblearn.pipeline import Pipeline as WithSampler
from imblearn.under_sampling import RandomUnderSampler
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import PolynomialFeatures
from sklearn.tree import DecisionTreeClassifier

from pipelines.bundle.rows import frame_from_feed
from pipelines.training.onnx import conversion
from pipelines.training.onnx.conversion import to_onnx
from pipelines.training.onnx.export import compile_pipeline
from pipelines.transformers.numbers import Cycles, SignedLog
from tests.unit.training.onnx.pipelines_by_hand import (
    chain,
    compile_with_proof,
    encoder,
    fit,
    one_hot,
    scaled,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # small fits of many libraries
FEW = {"n_estimators": 5}
QUIET = {**FEW, "verbose": -1, "n_jobs": 1}


def parts():
    forest = chain(encoder(), RandomForestClassifier(**FEW, random_state=0))
    return [("a", forest), ("b", chain(encoder(scaled(), one_hot()), LogisticRegression()))]


COMPILED = {
    "XGBoost with null": ("binary", lambda: (encoder("passthrough"), xgb.XGBClassifier(**FEW))),
    "XGBoost of classes": ("multiclass", lambda: (encoder(), xgb.XGBClassifier(**FEW))),
    "XGBoost of values": ("regression", lambda: (encoder(), xgb.XGBRegressor(**FEW))),
    "XGBoost's forest": ("binary", lambda: (encoder(), xgb.XGBRFClassifier(**FEW))),
    "LightGBM with null": ("binary", lambda: (encoder("passthrough"), lgb.LGBMClassifier(**QUIET))),
    "LightGBM of classes": ("multiclass", lambda: (encoder(), lgb.LGBMClassifier(**QUIET))),
    "LightGBM of values": (
        "regression",
        lambda: (encoder("passthrough"), lgb.LGBMRegressor(**QUIET)),
    ),
    "bagging": ("regression", lambda: (encoder(), BaggingRegressor(max_features=0.7, **FEW))),
    "AdaBoost": (
        "multiclass",
        lambda: (encoder(), AdaBoostClassifier(DecisionTreeClassifier(max_depth=3), **FEW)),
    ),
    "a stack of pipelines": (
        "binary",
        lambda: ("passthrough", StackingClassifier(parts(), cv=2)),
    ),
    "a vote of pipelines": (
        "multiclass",
        lambda: ("passthrough", VotingClassifier(parts(), voting="soft")),
    ),
    "sigmoid calibration": (
        "binary",
        lambda: (encoder(), CalibratedClassifierCV(xgb.XGBClassifier(**FEW), cv=2)),
    ),
    "isotonic calibration": (
        "multiclass",
        lambda: (
            encoder("passthrough"),
            CalibratedClassifierCV(
                HistGradientBoostingClassifier(max_iter=3), method="isotonic", cv=2
            ),
        ),
    ),
    "LightGBM calibrated": (
        "binary",
        lambda: (encoder(), CalibratedClassifierCV(lgb.LGBMClassifier(**QUIET), cv=2)),
    ),
    "LightGBM's classes calibrated": (
        "multiclass",
        lambda: (encoder(), CalibratedClassifierCV(lgb.LGBMClassifier(**QUIET), cv=2)),
    ),
    "cycles and logarithms": (
        "binary",
        lambda: (
            encoder(
                ColumnTransformer(
                    [
                        ("cycle", chain(SimpleImputer(), Cycles(7.0)), [0, 2]),
                        ("log", chain(SimpleImputer(), SignedLog()), [1]),
                    ]
                )
            ),
            LogisticRegression(),
        ),
    ),
    "PCA": ("binary", lambda: (encoder(scaled()), PCA(3), LogisticRegression())),
    "polynomials": ("regression", lambda: (encoder(scaled()), PolynomialFeatures(), Ridge())),
    "drawn rows": (
        "binary",
        lambda: (encoder(), RandomUnderSampler(random_state=0), LogisticRegression()),
    ),
    "words": (
        "binary",
        lambda: (
            encoder(scaled(), one_hot(), TfidfVectorizer(ngram_range=(1, 2))),
            LogisticRegression(),
        ),
    ),
}


@pytest.mark.parametrize("name", COMPILED)
def test_it_is_compiled_and_answers_as_the_fitted_one(name):
    task, steps = COMPILED[name]
    pipeline = chain(*steps())
    if name == "drawn rows":
        pipeline = WithSampler(pipeline.steps)
    found = compile_with_proof(pipeline, task)
    assert found.model is not None, found.why_not
    assert found.parity < 1e-5


NATIVE = {
    "null in a forest": (
        "regression",
        "differs by",
        lambda: (encoder("passthrough"), RandomForestRegressor(**FEW)),
    ),
    "trees behind a projection": (
        "regression",
        "a row where the answer changes",
        lambda: (encoder(scaled()), PCA(3), RandomForestRegressor(**FEW)),
    ),
    "LightGBM's forest": (
        "binary",
        "differs by",
        lambda: (
            encoder(),
            lgb.LGBMClassifier(boosting_type="rf", bagging_fraction=0.5, bagging_freq=1, **QUIET),
        ),
    ),
    "zero for null": (
        "binary",
        "zero for null",
        lambda: (encoder(), lgb.LGBMClassifier(zero_as_missing=True, **QUIET)),
    ),
    "letters": (
        "binary",
        "odd text",
        lambda: (
            encoder(scaled(), one_hot(), TfidfVectorizer(analyzer="char")),
            LogisticRegression(),
        ),
    ),
}


@pytest.mark.parametrize("name", NATIVE)
def test_what_cannot_be_proven_is_served_natively_and_says_why(name):
    task, why, steps = NATIVE[name]
    found = compile_with_proof(chain(*steps()), task)
    assert found.model is None
    assert why in found.why_not


@pytest.mark.parametrize("name", ["XGBoost of classes", "LightGBM with null", "words"])
def test_the_same_fit_gives_the_same_bytes(name):
    task, steps = COMPILED[name]
    pipeline, schema, _ = fit(chain(*steps()), task)
    assert to_onnx(pipeline, schema) == to_onnx(pipeline, schema)


def test_the_fitted_pipeline_stays_what_it_is():
    pipeline, schema, _ = fit(chain(encoder(), lgb.LGBMClassifier(**QUIET)), "binary")
    booster = pipeline.steps[-1][1].booster_
    before = booster.model_to_string()
    to_onnx(pipeline, schema)
    assert pipeline.steps[-1][1].booster_ is booster
    assert booster.model_to_string() == before


def test_it_is_said_at_how_many_thresholds_was_asked():
    found = compile_with_proof(
        chain(encoder(), RandomForestClassifier(**FEW, random_state=0)), "binary"
    )
    assert found.asked == found.thresholds > 0
    behind = compile_with_proof(
        chain(encoder(scaled()), PCA(3), RandomForestClassifier(**FEW, random_state=0)), "binary"
    )
    assert (behind.model, behind.asked) == (None, 0)


def test_words_as_the_converter_finds_them_by_itself_are_seen_to_be_wrong(monkeypatch):
    """Its own pattern is ASCII's: of café it makes caf, and single letters are words."""
    monkeypatch.setattr(conversion, "_WORDS", "[a-zA-Z0-9_]+")
    task, steps = COMPILED["words"]
    found = compile_with_proof(chain(*steps()), task)
    assert found.model is None
    assert "differs by" in found.why_not


def test_early_stopping_leaves_the_rounds_after_the_best_one_out():
    pipeline, schema, feed = fit(chain(encoder(), xgb.XGBRegressor(**FEW)), "regression")
    estimator = pipeline.steps[-1][1]
    estimator.set_params(n_estimators=40, early_stopping_rounds=2, learning_rate=1.0)
    inputs = pipeline.steps[0][1].transform(frame_from_feed(feed))
    y = np.random.default_rng(0).normal(size=len(inputs))
    estimator.fit(inputs[:200], y[:200], eval_set=[(inputs[200:], y[200:])], verbose=False)
    assert estimator.best_iteration + 1 < len(estimator.get_booster().get_dump())
    found = compile_pipeline(pipeline, schema, feed, [])
    assert found.model is not None, found.why_not
