"""A model of quantiles answers with a value by level, logs them, and takes numbers as labels."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.bundle.load import open_bundle
from pipelines.inference_log.reader import read_log
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW
from tests.serving.logged import records

PREDICT = "/models/waits/predict"
ROWS = [ROW, {**ROW, "distance": None, "carrier": "never seen"}]


@pytest.fixture
def client(store, bundles, serve):
    put_release(store, 1, bundles["quantiles"], model="waits")
    return serve()


def test_a_row_is_answered_by_level_and_no_level_falls(client, store, bundles):
    found = client.post(PREDICT, json={"rows": ROWS}).json()["predictions"]
    truth = open_bundle(store, bundles["quantiles"]).predictor.predict(ROWS)
    assert [list(answer) for answer in found] == [["0.1", "0.5", "0.9"]] * 2
    assert [list(answer.values()) for answer in found] == truth.tolist()
    assert (np.diff(truth, axis=1) >= 0).all()


def test_the_document_says_which_levels_there_are(client):
    from jsonschema import Draft202012Validator

    post = client.get("/openapi.json").json()["paths"][PREDICT]["post"]
    schema = post["responses"]["200"]["content"]["application/json"]["schema"]
    answer = client.post(PREDICT, json={"row": ROW}).json()
    Draft202012Validator(schema).validate(answer)
    assert schema["properties"]["predictions"]["items"]["required"] == ["0.1", "0.5", "0.9"]
    del answer["predictions"][0]["0.5"]
    assert not Draft202012Validator(schema).is_valid(answer)


def test_the_log_keeps_every_level_and_the_median_is_what_is_watched(client, store):
    answers = client.post(PREDICT, json={"rows": ROWS}).json()["predictions"]
    (record,) = records(store, "waits")
    assert record.predictions == [list(answer.values()) for answer in answers]
    log = read_log(store, "waits")
    assert log.classes == ("0.1", "0.5", "0.9")
    assert log.rows["prediction"].to_pylist() == [answer["0.5"] for answer in answers]
    assert log.rows["probabilities"].to_pylist() == record.predictions


def test_a_label_is_a_number(client):
    request = client.post(PREDICT, json={"row": ROW}).json()["request_id"]
    route = "/models/waits/feedback"
    refused = client.post(route, json={"request_id": request, "label": "long"})
    assert refused.status_code == 422
    assert "send a finite number" in refused.json()["error"]["message"]
    assert client.post(route, json={"request_id": request, "label": 1.25}).status_code == 200
