import importlib

import pytest
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import all_estimators

from pipelines.spec.estimators import ESTIMATORS, UNFIT, Rank, estimator_problem
from pipelines.tasks import CLASSIFY

HERE = sorted(name for name in ESTIMATORS if not name.startswith("catboost."))


@pytest.mark.parametrize("path", HERE)
def test_every_estimator_is_there_and_of_its_kind(path):
    module, name = path.rsplit(".", 1)
    estimator = getattr(importlib.import_module(module), name)()
    tasks = ESTIMATORS[path].tasks
    if tasks & {"anomaly", "cluster"}:
        answers = "score_samples" if "anomaly" in tasks else "fit_predict"
        assert hasattr(type(estimator), answers)
        return
    assert is_classifier(estimator) == (tasks == CLASSIFY)
    assert is_regressor(estimator) == (tasks != CLASSIFY)


def test_each_outlier_detector_of_scikit_learns_is_known():
    from sklearn.base import OutlierMixin

    known = {*UNFIT, *(name for name, e in ESTIMATORS.items() if "anomaly" in e.tasks)}
    theirs = {name for name, kind in all_estimators() if issubclass(kind, OutlierMixin)}
    assert theirs <= {name.rsplit(".", 1)[-1] for name in known}


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_each_of_scikit_learns_is_known_or_said_to_be_unfit(kind):
    known = {name.rsplit(".", 1)[-1] for name in (*ESTIMATORS, *UNFIT)}
    assert {name for name, _ in all_estimators(kind)} - known == set()


@pytest.mark.parametrize("path", list(UNFIT))
def test_what_is_unfit_says_what_to_write(path):
    assert path not in ESTIMATORS
    module, name = path.rsplit(".", 1)
    assert hasattr(importlib.import_module(module), name)
    assert "write" in (why := estimator_problem(path)) or "name" in why or "is written" in why


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("sklearn.ensemble.RandomForrestClassifier", "did you mean sklearn.ensemble.RandomForestC"),
        ("xgboost.XGBClasifier", "did you mean xgboost.XGBClassifier?"),
        ("lightgbm.LGBMRegresor", "did you mean lightgbm.LGBMRegressor?"),
        ("os.system", "os is a module of Python itself"),
        ("models.churn.model.Own", "`pipeline: {function: make}`"),
        ("Forest", "unknown estimator Forest"),
        ("a b.c", "unknown estimator a b.c"),
    ],
)
def test_a_wrong_name_is_refused_at_load(path, words):
    assert words in estimator_problem(path)


@pytest.mark.parametrize("path", ["glum.GeneralizedLinearRegressor", "interpret.glassbox.Booster"])
def test_a_class_of_another_package_may_be_named(path):
    assert estimator_problem(path) == ""


def test_simple_estimators_rank_below_others():
    ranks = [
        ESTIMATORS[name].rank
        for name in (
            "sklearn.dummy.DummyClassifier",
            "sklearn.linear_model.LogisticRegression",
            "sklearn.tree.DecisionTreeClassifier",
            "sklearn.ensemble.RandomForestClassifier",
            "xgboost.XGBClassifier",
            "sklearn.neural_network.MLPClassifier",
        )
    ]
    assert ranks == sorted(set(ranks)) == list(Rank)
