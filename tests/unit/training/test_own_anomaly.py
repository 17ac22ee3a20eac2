"""Anomaly models that no list names: an own pipeline, and any class that scores rows."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa
import pytest

from pipelines.bundle.rows import feed_from_table, schema_of
from pipelines.errors import SpecError
from pipelines.fence.own_code import OwnCode
from pipelines.spec import Candidate
from pipelines.training import estimators
from pipelines.training.contract import check_contract
from pipelines.training.fitting import fit_pipeline
from pipelines.training.own.process import CodeProcess
from pipelines.training.storing import dump, prove_stored

LOG = logging.getLogger("perennial.tests")
ODD = "tests.unit.training.odd_estimators"
RNG = np.random.default_rng(8)
TABLE = pa.table({"a": np.append(RNG.normal(size=59), 30.0), "b": RNG.normal(size=60)})
FRAME_SCHEMA = schema_of(TABLE, ["a", "b"], "anomaly", None)
Y = np.zeros(60)

MINE = """
import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class Far(OutlierMixin, BaseEstimator):
    def fit(self, x, y=None):
        self.middle_ = np.asarray(x).mean(axis=0)
        return self

    def {method}(self, x):
        return -np.abs(np.asarray(x) - self.middle_).max(axis=1)


def make():
    return {made}
"""


@pytest.fixture(scope="module")
def process():
    made = CodeProcess(OwnCode(model="odd", files={"model.py": ""}), seconds=60, memory=2**31)
    yield made
    made.close()


def fitted(candidate, own=None):
    pipeline = estimators.build_pipeline(candidate, FRAME_SCHEMA, 7, candidate.params, own)
    return fit_pipeline(pipeline, estimators.frame(FRAME_SCHEMA, TABLE), Y, candidate, LOG)


def own(process, made="Far()", method="score_samples"):
    source = MINE.replace("{method}", method).replace("{made}", made)
    process.code = OwnCode(model="odd", files={"model.py": source})
    candidate = Candidate.model_validate({"name": "own", "pipeline": "make"})
    return fitted(candidate, process)


def scores_of(model):
    return estimators.answers(model, estimators.frame(FRAME_SCHEMA, TABLE), "anomaly", None)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "made",
    ["Far()", "make_pipeline(StandardScaler(), IsolationForest(random_state=0))"],
)
def test_an_own_pipeline_is_fitted_asked_and_stored(process, made):
    model = own(process, made)
    found = scores_of(model)
    assert found.argmax() == 59, "greater is stranger"
    feed = feed_from_table(FRAME_SCHEMA.columns, TABLE)
    prove_stored(model, FRAME_SCHEMA, dump(model), feed)
    if made == "Far()":
        a = TABLE["a"].to_numpy()
        assert found[59] == pytest.approx(30 - a.mean())


@pytest.mark.heavy
def test_an_own_pipeline_that_scores_no_rows_is_refused_with_the_way_out(process):
    with pytest.raises(SpecError, match=r"returns a Far without score_samples") as caught:
        own(process, method="decision_function")
    assert "class Mine(OutlierMixin, BaseEstimator)" in str(caught.value)


def unknown(name):
    return Candidate.model_validate({"name": "odd", "estimator": f"{ODD}.{name}"})


def contract(candidate):
    check_contract(
        candidate,
        lambda: estimators.build_pipeline(candidate, FRAME_SCHEMA, 7, {}),
        estimators.frame(FRAME_SCHEMA, TABLE),
        Y,
        task="anomaly",
        log=LOG,
    )


def test_a_class_that_no_list_names_is_asked_by_its_score_samples():
    assert scores_of(fitted(unknown("Far"))).argmax() == 59
    contract(unknown("Far"))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Deciding", r"candidates\.odd: .*Deciding has no score_samples.*wrapped in model\.py"),
        ("NanFar", r"candidates\.odd: .*NanFar answers with numbers that are not finite"),
        ("WideFar", r"candidates\.odd: .*WideFar answers 60 rows in the shape \(60, 2\)"),
    ],
)
def test_a_class_that_cannot_be_asked_is_refused_by_name(name, says):
    candidate = unknown(name)
    with pytest.raises(SpecError, match=says) as caught:
        contract(candidate)
    assert caught.value.at == ("candidates", "odd", "estimator")
