"""A release of own code: what it answers, and what its process may do to nobody else."""

from __future__ import annotations

import pytest

from pipelines.bundle.manifest import Golden
from tests.own_models import EXIT, HANG, RAISE, fitted, own_code, put_own_bundle
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW
from tests.serving.releases import PREDICT, served

pytestmark = [pytest.mark.slow]


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"own_code_answer_seconds": 3.0})


def test_it_answers_and_a_failure_stays_its_own(store, bundles, serve):
    put_release(store, 1, put_own_bundle(store))
    put_release(store, 1, bundles["multiclass"], model="delays")
    client = serve()
    golden = fitted(own_code())[2]
    right = [a[0] for a in golden.answers]
    assert client.post(PREDICT, json={"rows": golden.rows}).json()["predictions"] == right
    for distance, status in ((RAISE, 500), (EXIT, 503), (HANG, 503)):
        answer = client.post(PREDICT, json={"row": {**ROW, "distance": distance}})
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, "model_failed")
        assert "flights 1" in answer.json()["error"]["message"]
        assert client.post("/models/delays/predict", json={"row": ROW}).status_code == 200
    assert client.post(PREDICT, json={"rows": golden.rows}).json()["predictions"] == right
    counts = client.get("/metrics").text
    assert 'perennial_model_failures_total{model="flights"} 3.0' in counts
    assert 'perennial_batch_requests_count{model="flights"} 5.0' in counts


def test_one_that_answers_otherwise_than_packaged_is_refused(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    client = serve()
    golden = fitted(own_code())[2]
    wrong = Golden(rows=golden.rows, answers=[[0.123]] * len(golden.rows))
    put_release(store, 2, put_own_bundle(store, version="2", golden=wrong), version="2")
    client.look()
    assert served(client) == (1, "1")
    refused = client.get("/models/flights").json()["refused"]
    assert refused["release"] == 2
    assert "golden request 0: expected" in refused["reason"]
