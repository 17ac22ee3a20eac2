"""An estimator of a required package is made, fitted, asked and stored where its package is."""

from __future__ import annotations

import logging
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from pipelines.bundle.rows import feed_from_table, schema_of
from pipelines.environments.ready import paths
from pipelines.environments.resolution import resolve
from pipelines.errors import BadData, SpecError
from pipelines.fence.own_code import OwnCode
from pipelines.settings import Settings
from pipelines.spec import Candidate
from pipelines.spec.quantiles import Quantiles
from pipelines.store.memory import MemoryStore
from pipelines.training import estimators
from pipelines.training.contract import check_contract
from pipelines.training.fitting import fit_pipeline
from pipelines.training.onnx.edges import edge_rows
from pipelines.training.own.process import CodeProcess
from pipelines.training.parameters import default_of
from pipelines.training.storing import code_of, compile_model, dump, open_predictor, prove_stored
from tests.required_package import PACKAGE
from tests.wheels import Index, only_index

pytestmark = pytest.mark.heavy

LOG = logging.getLogger("perennial.tests")
TABLE = pa.table({"a": np.arange(60.0), "b": ["x", "y", "z"] * 20})
Y = (np.arange(60) / 60 + np.random.default_rng(3).normal(0, 0.5, 60) > 0.5).astype(int)


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """The process of a model that requires the package and has no code of its own."""
    home = tmp_path_factory.mktemp("home")
    index = Index(home / "simple")
    index.add("pnboost", "1.0", {"pnboost.py": PACKAGE})
    store = MemoryStore()
    for _ in only_index(index.url):
        site = paths(resolve(["pnboost==1.0"], store), Settings(home=home, state=home / "s"), store)
        code = OwnCode(model="sales", files={})
        made = CodeProcess(code, seconds=60, memory=2**31, paths=site)
        yield made
        made.close()


def candidate(*others, **fields):
    known = {"name": "tree", "estimator": "pnboost.Tree"}
    made = Candidate.model_validate({**known, **fields})
    made.place([*others, made], in_time=True, requires=True)
    return made


SCHEMA = schema_of(TABLE, ["a", "b"], "binary", None)
FRAME = estimators.frame(SCHEMA, TABLE)


def build(process, one):
    return estimators.build_pipeline(one, SCHEMA, 7, one.params, process)


def fit(process, one, **kwargs):
    return fit_pipeline(build(process, one), FRAME, Y, one, LOG, **kwargs)


def answers(model):
    return estimators.answers(model, FRAME, "binary", None)


def test_it_is_encoded_fitted_stored_and_loaded_as_serving_does(process):
    model = fit(process, candidate(encode="onehot"))
    native, feed = dump(model), feed_from_table(SCHEMA.columns, TABLE)
    prove_stored(model, SCHEMA, native, feed)
    predictor = open_predictor(model, SCHEMA, native)
    served = predictor.predict_feed(feed)[:, 0]
    assert served.tolist() == answers(model).tolist()
    assert len(set(served)) > 2
    predictor.close()
    assert code_of(model).files == {}
    again = build(process, candidate(encode="onehot"))  # as the comparison's page takes it
    again.named_steps["estimator"].load(native)
    assert answers(again).tolist() == answers(model).tolist()


def test_what_no_converter_knows_says_why_it_is_native(process):
    feed = feed_from_table(SCHEMA.columns, TABLE)
    edges, _ = edge_rows(SCHEMA, TABLE.to_pylist())
    found = compile_model(fit(process, candidate()), SCHEMA, feed, edges)
    assert found.model is None
    assert found.why_not == "not compiled: there is no converter for Tree"


def test_parameters_seeds_weights_and_defaults_reach_it(process):
    one = candidate(params={"depth": 1}, search={"random_state": {"low": 1, "high": 9}})
    flat = fit(process, one)
    assert len(set(answers(flat))) == 2
    weights = np.where(np.arange(60) < 30, 1.0, 1e-9)
    assert not np.allclose(answers(fit(process, one, weights=weights)), answers(flat))
    deep = candidate(search={"depth": {"low": 1, "high": 3}})
    assert default_of(build(process, deep), deep, "depth") == 2


def test_calibrations_and_stacks_are_made_of_it(process):
    calibrated = fit(process, candidate(calibrate="sigmoid"))
    assert set(answers(calibrated)) - {0.0, 1.0}
    linear = Candidate(name="linear", estimator="sklearn.linear_model.LogisticRegression")
    both = candidate(candidate(), linear, name="both", estimator="", vote=["tree", "linear"])
    assert both.fenced
    assert len(set(answers(fit(process, both)))) > 4


def test_its_errors_make_quantiles_which_are_stored_with_it(process):
    levels, values = [0.1, 0.5, 0.9], np.arange(60.0)
    one = candidate(name="middle", estimator="pnboost.Middle")
    one.place(
        [one], in_time=True, requires=True, quantiles=Quantiles(levels=levels, conformal=True)
    )
    schema = schema_of(TABLE, ["a", "b"], "quantiles", None, levels)
    build_it = partial(estimators.build_pipeline, one, schema, 7, {}, process)
    model = fit_pipeline(build_it(), FRAME, values, one, LOG)
    found = estimators.answers(model, FRAME, "quantiles", None)
    assert found.shape == (60, 3)
    # It learns 0 to 47, whose middle is 23.5, and 48 to 59 correct: of 12, the 2nd, the two in the
    # middle and the 12th.
    assert found[0] == pytest.approx([48, 53.5, 59])
    again = build_it()
    again.named_steps["estimator"].load(dump(model))
    assert estimators.answers(again, FRAME, "quantiles", None).tolist() == found.tolist()


WRONG = {
    "a parameter": ({"params": {"dept": 3}}, ("params", "dept"), "did you mean depth"),
    "a parameter of the search": ({"search": {"dept": [3]}}, ("search", "dept"), "did you mean"),
    "a class": ({"estimator": "pnboost.Forest"}, ("estimator",), "mend the path"),
    "a package": ({"estimator": "pnnone.Tree"}, ("estimator",), "`requires: [pnnone]`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_the_spec_is_named_with_its_place(process, case):
    fields, at, remedy = WRONG[case]
    one = candidate(**fields)
    for look in (lambda: build(process, one), lambda: process.check(one)):
        with pytest.raises(
            SpecError, match=r"^candidates\.tree: (pnboost|pnnone|the module)"
        ) as got:
            look()
        assert got.value.at == ("candidates", "tree", *at)
        assert remedy in got.value.remedy


FAULTS = {
    "raises": (BadData, r"^tree \(pnboost\.Tree\) could not be fitted: no such tree"),
    "network": (BadData, r"could not be fitted: .* must not open the network"),
    "exits": (SpecError, r"candidates\.tree \(models/sales/model\.yaml\): its process ended"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_it_does_wrong_is_named_and_the_next_starts_anew(process, fault):
    error, words = FAULTS[fault]
    with pytest.raises(error, match=words):
        fit(process, candidate(params={"fault": fault}))
    assert len(answers(fit(process, candidate()))) == 60


def test_what_cannot_be_stored_is_refused_with_the_way_out(process):
    model = fit(process, candidate(params={"fault": "lambda"}))
    with pytest.raises(SpecError, match="the fitted model cannot be stored") as caught:
        dump(model)
    assert "`onnx: FILE`" in caught.value.remedy


def test_one_that_is_not_deterministic_is_refused(process):
    one = candidate(params={"fault": "chance"})
    with pytest.raises(SpecError, match="answers in two ways"):
        check_contract(one, lambda: build(process, one), FRAME, Y, task="binary", log=LOG)
