import importlib

import pytest
from sklearn.base import is_classifier, is_regressor

from pipelines.spec.estimators import ESTIMATORS
from pipelines.spec.tasks import CLASSIFY


@pytest.mark.parametrize("path", sorted(ESTIMATORS))
def test_every_estimator_is_there_and_of_its_kind(path):
    module, name = path.rsplit(".", 1)
    estimator = getattr(importlib.import_module(module), name)()
    assert is_classifier(estimator) == (ESTIMATORS[path].tasks == CLASSIFY)
    assert is_regressor(estimator) == (ESTIMATORS[path].tasks != CLASSIFY)
