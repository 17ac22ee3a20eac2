"""Whatever keeps scikit-learn's contract is built, fitted and asked: here on 200 rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from skops import io

from pipelines.bundle.rows import schema_of
from pipelines.bundle.trusted import TRUSTED
from pipelines.errors import SpecError
from pipelines.spec import Candidate, Spec
from pipelines.spec.estimators import ESTIMATORS, Rank
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline
from tests.unit.training.fits import LOG, fit
from tests.unit.training.usual import USUAL

COUNT = 200
SLOW = (
    "TheilSen",
    "LogisticRegressionCV",
    "GaussianProcess",
    "BalancedRandomForest",
    "EasyEnsemble",
)
OTHERS = [
    name
    for name in sorted(set(ESTIMATORS) - set(USUAL))
    if ESTIMATORS[name].tasks & {"binary", "regression"}
    and not name.startswith("catboost.")
    and not any(word in name for word in SLOW)
]
SCORES_ONLY = ("LinearSVC", "RidgeClassifier", "RidgeClassifierCV", "Perceptron", "SVC", "NuSVC")
SCORES_ONLY += ("SGDClassifier",)


def table(seed=0):
    rng = np.random.default_rng(seed)
    spend = rng.gamma(2, 1, COUNT)
    return pa.table(
        {
            "x": rng.normal(size=COUNT),
            "spend": pa.array([None if i % 11 == 0 else v for i, v in enumerate(spend)]),
            "word": rng.choice(["a", "b", "c"], COUNT),
        }
    )


def target_of(rows, task):
    x = rows["x"].to_numpy()
    if task == "regression":
        return np.exp(x)
    return (x > 0).astype(int)


@pytest.mark.parametrize("name", OTHERS)
def test_each_that_is_known_learns_and_is_stored(name):
    rows, leaf = table(), name.rsplit(".", 1)[-1]
    task = "regression" if "regression" in ESTIMATORS[name].tasks else "binary"
    params = {"n_estimators": 4} if "ensemble" in name or "XGB" in name or "LGBM" in name else {}
    if leaf.startswith("Quadratic"):
        params = {"reg_param": 0.1}
    fields = {"calibrate": "sigmoid"} if leaf in SCORES_ONLY else {}
    candidate = Candidate.model_validate(
        {"name": "tried", "estimator": name, "params": params, **fields}
    )
    model, schema = fit(candidate, rows, target_of(rows, task), task)
    asked = estimators.frame(schema, rows)
    found = estimators.answers(model, asked, task, None)
    assert found.shape == (COUNT,)
    assert np.isfinite(found).all()
    if leaf not in {
        "ComplementNB",
        "MultinomialNB",
        "RadiusNeighborsClassifier",
        "QuantileRegressor",
    }:
        assert len(np.unique(found)) > 1
    if name.startswith(("xgboost", "lightgbm", "imblearn")):
        again = io.loads(io.dumps(model), trusted=sorted(TRUSTED))
        assert np.array_equal(estimators.answers(again, asked, task, None), found)


@pytest.mark.parametrize("name", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier"])
def test_a_class_that_a_fold_lacks_has_no_probability(name):
    rows = table()
    y = np.where(rows["x"].to_numpy() > 0, 2, 0)
    candidate = Candidate.model_validate(
        {"name": "tried", "estimator": name, "params": {"n_estimators": 4}}
    )
    schema = schema_of(rows, rows.column_names, "multiclass", ["a", "b", "c"])
    model = fit_pipeline(
        estimators.build_pipeline(candidate, schema, 0, candidate.params),
        estimators.frame(schema, rows),
        y,
        candidate,
        LOG,
    )
    found = estimators.answers(model, estimators.frame(schema, rows), "multiclass", schema.classes)
    assert found.shape == (COUNT, 3)
    assert found[:, 1].max() < 0.05
    assert (found.argmax(axis=1) == y).mean() > 0.9


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("sklearn.ensemble.HistGradientBoostingRegressor", "monotonic_cst"),
        ("xgboost.XGBRegressor", "monotone_constraints"),
        ("lightgbm.LGBMRegressor", "monotone_constraints"),
    ],
)
@pytest.mark.parametrize("written", ["monotone_constraints", "monotonic_cst"])
def test_a_constraint_by_input_holds(name, own, written):
    rows = table()
    candidate = Candidate.model_validate(
        {"name": "tried", "estimator": name, "params": {written: {"spend": 1}}}
    )
    y = np.nan_to_num(rows["spend"].to_numpy()) * -1 + rows["x"].to_numpy()
    model, schema = fit(candidate, rows, y, "regression")
    assert own in model.named_steps["estimator"].get_params()
    asked = (
        estimators.frame(schema, rows.slice(1, 1)).iloc[np.zeros(50, int)].reset_index(drop=True)
    )
    asked["spend"] = np.linspace(0.1, 6, 50).astype(np.float32)
    assert (np.diff(estimators.answers(model, asked, "regression", None)) >= -1e-6).all()


def test_a_constraint_on_what_is_no_number_is_named():
    rows = table()
    candidate = Candidate.model_validate(
        {
            "name": "tried",
            "estimator": "xgboost.XGBRegressor",
            "encode": "onehot",
            "params": {"monotone_constraints": {"word": 1}},
        }
    )
    with pytest.raises(SpecError, match="'word' is not one number"):
        fit(candidate, rows, target_of(rows, "regression"), "regression")


def test_weights_go_by_the_names_of_classes():
    rows, name = table(), "sklearn.linear_model.LogisticRegression"
    schema = schema_of(rows, rows.column_names, "binary", None)
    schema = schema.model_copy(update={"binary_classes": ["no", "yes"]})
    candidate = Candidate.model_validate(
        {"name": "t", "estimator": name, "params": {"class_weight": {"yes": 5, "no": 1}}}
    )
    model = estimators.build_pipeline(candidate, schema, 0, candidate.params)
    assert model.named_steps["estimator"].class_weight == {0: 1.0, 1: 5.0}
    wrong = candidate.model_copy(update={"params": {"class_weight": {"maybe": 5}}})
    with pytest.raises(SpecError, match="'maybe' is no class") as found:
        estimators.build_pipeline(wrong, schema, 0, wrong.params)
    assert found.value.at == ("candidates", "t", "params", "class_weight", "maybe")


@pytest.mark.parametrize("name", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier"])
def test_rounds_stop_early_on_the_last_rows(name):
    rows = table()
    candidate = Candidate.model_validate(
        {
            "name": "t",
            "estimator": name,
            "params": {"n_estimators": 200, "early_stopping_round": 3}
            if "LGBM" in name
            else {"n_estimators": 200, "early_stopping_rounds": 3},
        }
    )
    model, _ = fit(candidate, rows, target_of(rows, "binary"))
    estimator = model.named_steps["estimator"]
    best = getattr(estimator, "best_iteration_", None) or estimator.best_iteration
    assert best < 190


def together(task="binary", **last):
    kind = "Classifier" if task == "binary" else "Regressor"
    linear = "LogisticRegression" if task == "binary" else "Ridge"
    return [
        {"name": "linear", "estimator": f"sklearn.linear_model.{linear}"},
        {
            "name": "boosted",
            "estimator": f"sklearn.ensemble.HistGradientBoosting{kind}",
            "params": {"max_iter": 5},
        },
        {"name": "both", **last},
    ]


def spec_of(body, candidates):
    return Spec.model_validate({**body, "candidates": candidates})


@pytest.mark.parametrize("in_time", [True, False])
@pytest.mark.parametrize(
    "last",
    [
        {"vote": ["linear", "boosted"]},
        {"vote": {"linear": 1, "boosted": 3}},
        {
            "stack": ["linear", "boosted"],
            "estimator": "sklearn.linear_model.LogisticRegression",
            "params": {"C": 0.5, "boosted__max_iter": 4},
        },
    ],
)
def test_candidates_are_stacked_and_vote(last, in_time):
    rows = table()
    candidates = [Candidate.model_validate(c) for c in together(**last)]
    both = candidates[-1]
    both.place(candidates, in_time=in_time)
    model, schema = fit(both, rows, target_of(rows, "binary"))
    asked = estimators.frame(schema, rows)
    found = estimators.answers(model, asked, "binary", None)
    assert ((found > 0.5) == target_of(rows, "binary")).mean() > 0.9
    assert both.rank > Rank.BOOSTING
    again = io.loads(io.dumps(model), trusted=sorted(TRUSTED))
    assert np.array_equal(estimators.answers(again, asked, "binary", None), found)
    if both.stack:
        assert model.named_steps["estimator"].final_estimator_.C == 0.5
        assert model.named_steps["estimator"].named_estimators_["boosted"][-1].max_iter == 4
    elif isinstance(both.vote, dict):
        parts = [e.predict_proba(asked)[:, 1] for e in model.named_steps["estimator"].estimators_]
        assert np.allclose(found, (parts[0] + 3 * parts[1]) / 4)


def test_a_calibration_learns_early_and_corrects_late():
    rows = table()
    candidate = Candidate.model_validate(
        {"name": "t", "estimator": "sklearn.naive_bayes.GaussianNB", "calibrate": "isotonic"}
    )
    y = target_of(rows, "binary")
    model, _ = fit(candidate, rows, y)
    (one,) = model.named_steps["estimator"].calibrated_classifiers_
    assert one.estimator.class_count_.sum() == 160
    assert model.named_steps["estimator"].cv is None


def test_weights_of_rows_reach_the_fit():
    rows, y = table(), target_of(table(), "binary")
    candidate = Candidate.model_validate(
        {
            "name": "t",
            "estimator": "sklearn.tree.DecisionTreeClassifier",
            "params": {"max_depth": 1},
        }
    )
    schema = schema_of(rows, rows.column_names, "binary", None)
    asked = estimators.frame(schema, rows)

    def fitted(weights):
        pipeline = estimators.build_pipeline(candidate, schema, 0, candidate.params)
        return fit_pipeline(pipeline, asked, 1 - y, candidate, LOG, weights=weights)

    heavy = fitted(np.where(y == 1, 1.0, 0.0))
    assert (estimators.answers(heavy, asked, "binary", None) == 0).all()
    deaf = candidate.model_copy(
        update={"estimator": "sklearn.neighbors.KNeighborsClassifier", "params": {}}
    )
    with pytest.raises(SpecError, match="takes no weights of rows"):
        fit_pipeline(
            estimators.build_pipeline(deaf, schema, 0, {}),
            asked,
            y,
            deaf,
            LOG,
            weights=np.ones(COUNT),
        )
