"""A stored model of own code answers in its process, whatever happens to that."""

from __future__ import annotations

import contextlib

import numpy as np
import psutil
import pytest

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.bundle.manifest import BundleManifest
from pipelines.bundle.model_process import open_model
from pipelines.bundle.process_predictor import ProcessPredictor
from pipelines.errors import Corrupted, ModelFailed, Refused, SpecError
from pipelines.store.memory import MemoryStore
from tests.own_models import EXIT, HANG, MODEL, RAISE, fitted, own_code, put_own_bundle
from tests.serving.conftest import ROW

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def parts():
    return fitted(own_code())


@pytest.fixture(scope="module")
def predictor(parts):
    made = ProcessPredictor(parts[0], parts[1], own_code(), memory=2**31, seconds=30)
    yield made
    made.close()


def test_it_answers_as_the_fitted_model_did(predictor, parts):
    golden = parts[2]
    assert [predictor.predict([row])[0].tolist() for row in golden.rows] == golden.answers
    together = predictor.predict(golden.rows)
    np.testing.assert_allclose(together, golden.answers, atol=1e-12)


def test_what_the_code_raises_is_named_with_its_line(predictor):
    with pytest.raises(SpecError, match=r"no such distance\. See line 30 of models/flights/model"):
        predictor.predict([{**ROW, "distance": RAISE}])


@pytest.mark.parametrize("end", ["exit", "hang"])
def test_one_that_ended_is_started_anew_and_answers(parts, predictor, end):
    before = predictor.pid
    predictor.seconds = 1.0 if end == "hang" else 30.0
    words = "ended with exit code 3" if end == "exit" else "did not answer within 1 s"
    with pytest.raises(ModelFailed, match=words):
        predictor.predict([{**ROW, "distance": EXIT if end == "exit" else HANG}])
    predictor.seconds = 30.0
    assert predictor.predict([parts[2].rows[0]])[0].tolist() == parts[2].answers[0]
    assert predictor.pid != before
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(before).status() == psutil.STATUS_ZOMBIE


def test_a_bundle_with_code_opens_and_proves_itself():
    store = MemoryStore()
    bundle = open_bundle(store, put_own_bundle(store))
    assert golden_differences(bundle) == []
    bundle.predictor.close()


def test_changed_code_is_found_before_anything_is_loaded():
    store = MemoryStore()
    ref = put_own_bundle(store)
    code = BundleManifest.model_validate_json(store.get(ref)).code
    store.objects[code.uri] = store.get(code).replace(b"0.01", b"0.02")
    with pytest.raises(Corrupted, match=code.uri):
        open_bundle(store, ref)


def test_types_of_other_code_are_refused(parts):
    """The stored file names the package of its code, and another code has another one."""
    other = own_code(MODEL + "\nCHANGED = 1\n")
    with pytest.raises(Refused, match=r"not trusted: perennial_model_\w+\.model\.Clip"):
        open_model(parts[0], parts[1], other, ())
