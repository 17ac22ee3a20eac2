"""An own pipeline of quantiles: made and fitted for each level, corrected, stored and compiled."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest

from pipelines.bundle.predictor import OnnxPredictor
from pipelines.bundle.rows import feed_from_table, schema_of
from pipelines.errors import SpecError
from pipelines.fence.own_code import OwnCode
from pipelines.spec import Candidate
from pipelines.spec.quantiles import Quantiles
from pipelines.training import estimators
from pipelines.training.contract import check_contract
from pipelines.training.fitting import fit_pipeline
from pipelines.training.own.process import CodeProcess
from pipelines.training.storing import compile_model, dump, prove_stored
from tests.unit.training.fits import LOG

pytestmark = pytest.mark.heavy

LEVELS = [0.1, 0.5, 0.9]
RNG = np.random.default_rng(5)
X = RNG.uniform(0, 3, 300)
TABLE = pa.table({"x": X, "shop": RNG.choice(["a", "b"], 300)})
Y = X + RNG.normal(size=300) * (0.2 + X)
SCHEMA = schema_of(TABLE, ["x", "shop"], "quantiles", None, LEVELS)
FRAME = estimators.frame(SCHEMA, TABLE)

LINES = """
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import QuantileRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder


def make(level, texts, numbers):
    code = ColumnTransformer(
        [("texts", OneHotEncoder(handle_unknown="ignore"), texts), ("n", SimpleImputer(), numbers)]
    )
    return Pipeline([("code", code), ("line", QuantileRegressor(quantile=level, alpha=0.0))])
"""
WIDE = """
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin


class Wide(RegressorMixin, BaseEstimator):
    def __init__(self, level=0.5):
        self.level = level

    def fit(self, x, y):
        return self

    def predict(self, x):
        return np.full((len(x), 2), self.level)


def make(level):
    return Wide(level)
"""


@pytest.fixture(scope="module")
def process():
    made = CodeProcess(OwnCode(model="sales", files={"model.py": ""}), seconds=60, memory=2**31)
    yield made
    made.close()


def own(*, conformal=None, **fields):
    found = Candidate.model_validate({"name": "own", "pipeline": "make", **fields})
    found.place([found], in_time=True, quantiles=Quantiles(levels=LEVELS, conformal=conformal))
    return found


def fit(process, source, tried=None, *, weights=None):
    tried = tried or own()
    process.code = OwnCode(model="sales", files={"model.py": source})
    pipeline = estimators.build_pipeline(tried, SCHEMA, 7, tried.params, process)
    return fit_pipeline(pipeline, FRAME, Y, tried, LOG, weights=weights)


def ask(model):
    return estimators.answers(model, FRAME, "quantiles", None)


def test_each_level_is_made_fitted_compiled_and_served_by_itself(process):
    model = fit(process, LINES)
    answers = ask(model)
    assert [(answers[:, i] >= Y).mean() for i in range(3)] == pytest.approx(LEVELS, abs=0.02)
    assert (np.diff(answers, axis=1) >= 0).all()
    feed = feed_from_table(SCHEMA.columns, TABLE)
    found = compile_model(model, SCHEMA, feed, [{"x": None, "shop": "c"}])
    assert found.why_not == ""
    compiled = OnnxPredictor(SCHEMA, found.model)
    assert compiled.predict_feed(feed) == pytest.approx(answers, rel=1e-4, abs=1e-4)


def test_it_is_corrected_on_rows_that_it_has_not_seen_and_stored_so(process):
    promised = own(conformal={"share": 0.3})
    plain, moved = fit(process, LINES), fit(process, LINES, promised)
    inside = (Y[210:] >= ask(moved)[210:, 0]) & (Y[210:] <= ask(moved)[210:, 2])
    assert inside.mean() >= 0.8, "on the rows that correct it holds what it promises"
    assert ask(moved).tolist() != ask(plain).tolist()
    native, feed = dump(moved), feed_from_table(SCHEMA.columns, TABLE)
    again = estimators.build_pipeline(promised, SCHEMA, 7, {}, process)
    again.named_steps["estimator"].load(native)
    assert ask(again).tolist() == ask(moved).tolist()
    prove_stored(moved, SCHEMA, native, feed)


def test_weights_of_rows_reach_the_fit_of_each_level(process):
    low = np.where(np.median(Y) > Y, 1.0, 1e-9)
    weighted, plain = ask(fit(process, LINES, weights=low)), ask(fit(process, LINES))
    assert (weighted.mean(axis=0) < plain.mean(axis=0) - 0.5).all()


def test_it_keeps_the_contract_of_what_is_not_known(process):
    process.code = OwnCode(model="sales", files={"model.py": LINES})
    tried = own()

    def build():
        return estimators.build_pipeline(tried, SCHEMA, 7, {}, process)

    check_contract(tried, build, FRAME, Y, task="quantiles", log=LOG)


BAD = {
    "no level": (
        "from sklearn.linear_model import Ridge\ndef make(numbers): return Ridge()",
        {},
        r"`make` of model.py asks for no 'level', .* Remedy: write `def make\(level\)`",
    ),
    "the same at each level": (
        "from sklearn.linear_model import Ridge\ndef make(level): return Ridge()",
        {},
        r"returns the same estimator for each level\. Remedy: hand `level` to the estimator",
    ),
    "the spec sets the level": (
        LINES,
        {"params": {"line__quantile": 0.5}},
        r"line__quantile is what `make` of model.py sets by the level.* Remedy: remove it",
    ),
    "two numbers for a level": (WIDE, {}, r"6 numbers to a row at 3 levels, wanted one for each"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_answer_with_quantiles_is_refused_with_the_remedy(process, case):
    source, fields, words = BAD[case]
    with pytest.raises(SpecError) as caught:
        ask(fit(process, source, own(**fields)))
    assert re.search(words, str(caught.value), re.DOTALL), str(caught.value)
    assert caught.value.at == ("candidates", "own")
