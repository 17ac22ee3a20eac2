import importlib

import pytest
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import get_scorer_names

from pipelines.spec.catalogue import CLASSIFY, ESTIMATORS, METRICS, REGRESS


@pytest.mark.parametrize("path", sorted(ESTIMATORS))
def test_every_estimator_is_there_and_of_its_kind(path):
    module, name = path.rsplit(".", 1)
    estimator = getattr(importlib.import_module(module), name)()
    assert is_classifier(estimator) == (ESTIMATORS[path].tasks == CLASSIFY)
    assert is_regressor(estimator) == (ESTIMATORS[path].tasks == REGRESS)


def test_every_metric_has_a_scorer_of_scikit_learn():
    assert {m.scorer for m in METRICS.values()} <= set(get_scorer_names())
