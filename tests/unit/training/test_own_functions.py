"""What the function of `model.py` must return, by the task."""

from __future__ import annotations

import pytest

from pipelines.errors import SpecError
from pipelines.training.own.functions import refuse_no_estimator


@pytest.mark.parametrize(
    ("task", "absent", "kind"),
    [
        ("binary", "predict_proba", "ClassifierMixin"),
        ("multiclass", "predict_proba", "ClassifierMixin"),
        ("regression", "predict", "RegressorMixin"),
        ("forecast", "predict", "RegressorMixin"),
        ("quantiles", "predict", "RegressorMixin"),
        ("anomaly", "score_samples", "OutlierMixin"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_kind_that_can(task, absent, kind):
    with pytest.raises(SpecError) as caught:
        refuse_no_estimator(object(), "make", task)
    assert absent in caught.value.message
    assert f"class Mine({kind}, BaseEstimator)" in caught.value.remedy


def test_a_class_in_the_place_of_an_estimator_is_named():
    with pytest.raises(SpecError, match="returns the class dict"):
        refuse_no_estimator(dict, "make", "regression")
