"""An anomaly model answers with a score and whether it is one; labels are true or false."""

import pytest

from pipelines.bundle.golden_answers import format_answer
from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.messages import Threshold
from serving.app import create_app
from tests.serving.bundles import put_bundle, put_release
from tests.serving.conftest import ROW, InProcess
from tests.serving.feedback.labels import FEEDBACK, PREDICT, written_labels
from tests.serving.logged import records

ROWS = [{**ROW, "distance": float(d)} for d in range(0, 1_000, 100)]


@pytest.fixture
def anomalies(store):
    """A release of an anomaly model: the answers of a compiled regression are its scores."""
    manifest = open_bundle(store, put_bundle(store, task="regression")).manifest
    inputs = manifest.inputs.model_copy(update={"task": "anomaly"})
    scores = open_bundle(store, put_bundle(store, task="regression")).predictor.predict(ROWS)[:, 0]
    threshold = Threshold(value=float(sorted(set(scores))[-2]), rate=0.2, rows=500)
    changed = manifest.model_copy(update={"inputs": inputs, "threshold": threshold})
    ref = write_bundle(store, changed)
    put_release(store, 1, ref)
    return changed, scores.tolist()


@pytest.fixture
def client(store, settings, anomalies):
    with InProcess(create_app(settings, store)) as inside:
        yield inside


def test_each_row_has_a_score_and_is_an_anomaly_above_the_threshold(client, store, anomalies):
    manifest, scores = anomalies
    body = client.post(PREDICT, json={"rows": ROWS}).json()
    at = manifest.threshold.value
    assert body["predictions"] == [{"score": s, "anomaly": s > at} for s in scores]
    assert 0 < sum(p["anomaly"] for p in body["predictions"]) < len(ROWS)
    assert not body["predictions"][scores.index(at)]["anomaly"], "at the threshold it is none"
    assert body["threshold"] == at
    assert "decisions" not in body
    shown = client.get("/openapi.json").json()["paths"]
    answer = shown[PREDICT]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(answer["properties"]["predictions"]["items"]["properties"]) == {"score", "anomaly"}
    assert set(body) == set(answer["required"])
    asked = shown[FEEDBACK]["post"]["requestBody"]["content"]["application/json"]
    assert asked["example"]["label"] is True
    assert client.get("/models/flights").json()["threshold"] == at
    (record,) = records(store, kind="predictions")
    assert list(record.predictions) == scores, "the log holds the scores"


def test_labels_are_true_or_false(client, store):
    request = client.post(PREDICT, json={"row": ROW}).json()["request_id"]
    refused = client.post(FEEDBACK, json={"request_id": request, "label": 0.5})
    assert refused.status_code == 422
    assert "send true or false, 1 or 0" in refused.json()["error"]["message"]
    missing = client.post(FEEDBACK, json={"request_id": request})
    assert '"label": true' in missing.json()["error"]["message"]
    assert client.post(FEEDBACK, json={"request_id": request, "label": True}).status_code == 200
    assert written_labels(store) == [(f"r:{request}#0", 1.0)]


def test_a_golden_answer_is_compared_as_it_is_told(anomalies):
    manifest, _ = anomalies
    above = manifest.threshold.value + 1
    assert format_answer(manifest, [above]) == {"score": above, "anomaly": True}
