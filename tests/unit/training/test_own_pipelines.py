"""Each way in which a model's own pipeline can go wrong is named, and its process ended."""

from __future__ import annotations

import logging
import re
import socket

import numpy as np
import pyarrow as pa
import pytest

from pipelines.bundle.rows import feed_from_table, schema_of
from pipelines.errors import PerennialError, SpecError
from pipelines.fence.own_code import OwnCode
from pipelines.spec import Candidate
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline
from pipelines.training.own.process import CodeProcess
from pipelines.training.storing import dump, prove_stored
from tests.own_models import MODEL

pytestmark = pytest.mark.heavy

LOG = logging.getLogger("perennial.tests")
OWN = Candidate.model_validate({"name": "own", "pipeline": "make"})
TABLE = pa.table({"a": np.arange(40.0), "b": ["x", "y"] * 20})
Y = (np.arange(40) % 4 == 0).astype(int)

MINE = """
import os, socket, sys, time
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import FunctionTransformer


class Mine(ClassifierMixin, BaseEstimator):
    def __init__(self, kept=None):
        self.kept = kept

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        {fit}
        return self

    def predict_proba(self, x):
        {ask}
        return np.full((len(x), 2), 0.5)


def make():
    {make}
    return Mine()
"""


def mine(fit="pass", ask="pass", make="pass"):
    return MINE.format(fit=fit, ask=ask, make=make)


@pytest.fixture(scope="module")
def process():
    made = CodeProcess(OwnCode(model="sales", files={"model.py": ""}), seconds=60, memory=2**31)
    yield made
    made.close()


def fit(process, source, candidate=OWN, **params):
    process.code = OwnCode(model="sales", files={"model.py": source})
    schema = schema_of(TABLE, ["a", "b"], "binary", None)
    pipeline = estimators.build_pipeline(candidate, schema, 7, params, process)
    frame = estimators.frame(schema, TABLE)
    model = fit_pipeline(pipeline, frame, Y, candidate, LOG)
    return model, schema, estimators.answers(model, frame, "binary", None)


LINE_OF_FIT, LINE_OF_ASK, LINE_OF_MAKE = 14, 18, 23

BAD = {
    "the file does not parse": ("def make(:", r"SyntaxError.* See line 1 of models/sales/model.py"),
    "the file raises": ("1 / 0", r"ZeroDivisionError.* See line 1 of models/sales/model.py"),
    "no such function": ("def build(): pass", r"has no function 'make'"),
    "an unknown argument": ("def make(colour): pass", r"asks for 'colour', which nobody gives"),
    "no estimator": ("def make(): return 3", r"returns a int without get_params and set_params"),
    "a class": (mine(make="return Mine"), r"returns the class Mine"),
    "no probabilities": (
        "from sklearn.svm import LinearSVC\ndef make(): return LinearSVC()",
        r"LinearSVC without predict_proba",
    ),
    "a package that is not there": (
        "import catboost_of_nobody",
        r"No module named 'catboost_of_nobody'.* See line 1 .* Remedy: name its package in `req",
    ),
    "raises in make": (mine(make="int('x')"), rf"ValueError.* See line {LINE_OF_MAKE} "),
    "raises in fit": (mine("x.nothing"), rf"AttributeError.* See line {LINE_OF_FIT} "),
    "raises when asked": (mine(ask="int('x')"), rf"ValueError.* See line {LINE_OF_ASK} "),
    "ends Python": (mine("sys.exit(0)"), rf"sys.exit\(0\)\. See line {LINE_OF_FIT} "),
    "opens the network": (
        mine("socket.create_connection(('127.0.0.1', {port}))"),
        rf"must not open the network.* See line {LINE_OF_FIT} ",
    ),
    "takes 10 GB": (
        mine("np.ones(10 * 2**27).sum()"),
        rf"needs more than the 2\.0 GiB that it may use\. See line {LINE_OF_FIT} ",
    ),
    "changes its inputs": (mine("x['a'] = 0.0"), r"`fit` changes the table"),
    "wrong shapes": (mine(ask="return np.ones(3)"), r"40 rows in the shape \(3,\), not \(40, 2\)"),
    "texts for numbers": (mine(ask="return np.full((40, 2), 'a')"), r"answers <U1, not numbers"),
    "classes never seen": (mine("self.classes_ = [0, 9]"), r"has the classes \[9\]"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_goes_wrong_is_named(process, case):
    source, words = BAD[case]
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = source.replace("{port}", str(server.getsockname()[1]))
        with pytest.raises(SpecError) as caught:
            fit(process, source)
    assert re.search(words, str(caught.value), re.DOTALL), str(caught.value)
    assert caught.value.at == ("candidates", "own")


ENDS = {
    "hangs": (mine("time.sleep(60)"), 1.0, r"fitting took longer than 1 s and was ended"),
    "exits": (mine("print('bye'); os._exit(4)"), 60, r"exit code 4 .* Its last words: bye"),
}


@pytest.mark.parametrize("case", ENDS)
def test_one_that_hangs_or_exits_is_ended_and_the_next_starts_anew(process, case):
    source, seconds, words = ENDS[case]
    fit(process, mine())  # started, so that the time-out is that of the fit
    process.seconds = seconds
    with pytest.raises(SpecError, match=words):
        fit(process, source)
    process.seconds = 60
    assert fit(process, mine())[2].tolist() == [0.5] * 40


STORED = {
    "a lambda": mine("self.f_ = FunctionTransformer(lambda v: v)"),
    "a function within one": mine("def inner(v): return v\n        self.f_ = inner"),
    "an open file": mine("self.f_ = open('/dev/null')"),
    "a foreign function": mine("self.f_ = FunctionTransformer(os.system)"),
}


@pytest.mark.parametrize("case", STORED)
def test_what_cannot_be_stored_is_refused_with_the_way_out(process, case):
    model, _, _ = fit(process, STORED[case])
    with pytest.raises(SpecError, match="the fitted model cannot be stored") as caught:
        dump(model)
    assert "at the top level of model.py" in caught.value.remedy


def test_own_transformers_are_fitted_stored_and_loaded_again(process):
    model, schema, answers = fit(
        process, MODEL.replace("666_000", "-1"), columns__numbers__clip__low=0.1
    )
    native = dump(model)
    prove_stored(model, schema, native, feed_from_table(schema.columns, TABLE))
    assert answers.shape == (40,)
    assert len(set(answers)) > 1


def test_one_that_draws_its_answers_at_random_is_refused(process):
    source = mine(ask="return np.random.rand(len(x), 2)")
    model, schema, _ = fit(process, source)
    with pytest.raises(SpecError, match="answers the same 40 rows otherwise"):
        prove_stored(model, schema, dump(model), feed_from_table(schema.columns, TABLE))


def test_an_encoder_that_fails_on_unseen_texts_is_refused_before_it_serves(process):
    source = MODEL.replace('OneHotEncoder(handle_unknown="ignore")', "OneHotEncoder()")
    model, schema, _ = fit(process, source)
    with pytest.raises(PerennialError, match="fails on a text of b that it has not seen") as caught:
        prove_stored(model, schema, dump(model), feed_from_table(schema.columns, TABLE))
    assert "handle_unknown='ignore'" in caught.value.remedy


def test_an_unknown_parameter_is_answered_with_the_closest(process):
    candidate = Candidate.model_validate(
        {"name": "own", "pipeline": "make", "params": {"columns__numbers__clip__lo": 0.1}}
    )
    with pytest.raises(SpecError, match="no parameter 'columns__numbers__clip__lo'") as caught:
        fit(process, MODEL, candidate)
    assert "did you mean columns__numbers__clip__low?" in caught.value.remedy


def test_what_it_prints_is_no_answer(process, capfd):
    fit(process, mine("print('{}', flush=True); os.write(1, b'{\"error\": 1}')".replace("{}", "x")))
    assert capfd.readouterr().out == ""
