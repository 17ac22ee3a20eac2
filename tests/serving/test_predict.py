"""Every answer that the prediction route can give."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from pipelines.bundle.load import open_bundle
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW

PREDICT = "/models/flights/predict"


@pytest.fixture
def client(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    put_release(store, 1, bundles["multiclass"], model="delays")
    put_release(store, 1, bundles["regression"], model="minutes")
    return serve()


async def in_pieces(whole, size):
    for i in range(0, len(whole), size):
        yield whole[i : i + size]


def expected(store, ref, rows):
    return open_bundle(store, ref).predictor.predict(rows)


def test_rows_are_answered_in_their_order(client, store, bundles):
    rows = [
        ROW,
        {**ROW, "distance": None, "carrier": None},
        {**ROW, "seats": 20, "carrier": "never seen ✈"},
    ]
    answer = client.post(PREDICT, json={"rows": rows})
    assert answer.status_code == 200
    body = answer.json()
    assert body["predictions"] == expected(store, bundles["1"], rows)[:, 0].tolist()
    assert (body["model"], body["version"], body["release"]) == ("flights", "1", 1)
    assert set(body) == {"request_id", "model", "version", "release", "predictions"}


def test_one_row_may_come_alone(client, store, bundles):
    assert (
        client.post(PREDICT, json={"row": ROW}).json()["predictions"]
        == expected(store, bundles["1"], [ROW])[:, 0].tolist()
    )


def test_a_batch_in_a_thread_answers_like_single_rows(client):
    rows = [{**ROW, "distance": float(d)} for d in range(50)]
    single = [client.post(PREDICT, json={"row": row}).json()["predictions"][0] for row in rows]
    assert client.post(PREDICT, json={"rows": rows}).json()["predictions"] == single


def test_a_regression_answers_values(client, store, bundles):
    predictions = client.post("/models/minutes/predict", json={"row": ROW}).json()["predictions"]
    assert predictions == expected(store, bundles["regression"], [ROW])[:, 0].tolist()


def test_several_classes_answer_label_and_probabilities(client, store, bundles):
    (predictions,) = client.post("/models/delays/predict", json={"row": ROW}).json()["predictions"]
    (truth,) = expected(store, bundles["multiclass"], [ROW]).tolist()
    assert predictions["probabilities"] == dict(
        zip(["early", "late", "on time"], truth, strict=True)
    )
    assert predictions["label"] == ["early", "late", "on time"][int(np.argmax(truth))]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        pytest.param(
            {"distance": "500"},
            "distance",
            "must be a number or null, not a text",
            id="text as number",
        ),
        pytest.param({"distance": True}, "distance", "not true or false", id="true as number"),
        pytest.param(
            {"seats": None},
            "seats",
            "must be a whole number, not null",
            id="null where none was seen",
        ),
        pytest.param({"seats": 1.5}, "seats", "must be a whole number", id="half a seat"),
        pytest.param(
            {"weekend": 1}, "weekend", "must be true or false, not a whole number", id="one as true"
        ),
        pytest.param(
            {"carrier": 7},
            "carrier",
            "must be a text or null, not a whole number",
            id="number as text",
        ),
        pytest.param({"distance": 1e39}, "distance", "within", id="beyond float32"),
        pytest.param({"seats": 10**60}, "seats", "within", id="a huge integer"),
        pytest.param({"seats": 10**400}, "seats", "within", id="an integer beyond float64"),
        pytest.param({"distance": [1]}, "distance", "not a list", id="a list as number"),
        pytest.param({"arrival": 1}, "arrival", "no input", id="an unknown field"),
    ],
)
def test_a_wrong_field_is_named_with_its_row(client, change, field, words):
    answer = client.post(PREDICT, json={"rows": [ROW, {**ROW, **change}]})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["row"], error["field"]) == ("invalid_input", 1, field)
    assert words in error["message"]


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 6000])
def test_numbers_that_are_infinite_are_refused(client, number):
    body = json.dumps({"row": ROW}).replace("500.0", number)
    answer = client.post(PREDICT, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "distance")


def test_a_missing_field_is_named(client):
    row = {k: v for k, v in ROW.items() if k != "seats"}
    error = client.post(PREDICT, json={"row": row}).json()["error"]
    assert (error["row"], error["field"], error["message"]) == (
        0,
        "seats",
        "The field seats is missing.",
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"rows": [], "row": %s}', id="both"),
        pytest.param("{}", id="neither"),
        pytest.param('{"rows": []}', id="no row"),
        pytest.param('{"rows": {}}', id="no list"),
        pytest.param('{"rows": [1]}', id="no object"),
        pytest.param('{"row": null}', id="null"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="nothing"),
        pytest.param('{"row": %s, "more": 1}', id="an unknown key"),
        pytest.param('{"row": %s, "row": %s}', id="a repeated row"),
    ],
)
def test_a_body_of_the_wrong_form_is_422(client, body):
    answer = client.post(PREDICT, content=body.replace("%s", json.dumps(ROW)))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_input")


def test_a_field_that_stands_twice_is_refused(client):
    body = json.dumps({"row": ROW})[:-2] + ', "seats": 3}}'
    error = client.post(PREDICT, content=body).json()["error"]
    assert (error["code"], error["field"]) == ("invalid_input", "seats")


def test_a_repeated_number_does_not_hide_behind_a_null_text(client):
    body = json.dumps({"row": {**ROW, "carrier": None}})[:-2] + ', "seats": 3}}'
    assert client.post(PREDICT, content=body).status_code == 422


def test_quotes_and_escapes_in_texts_are_no_repeated_fields(client):
    assert (
        client.post(
            PREDICT, json={"row": {**ROW, "carrier": 'a "quoted" \\ name \u2708'}}
        ).status_code
        == 200
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"row": NaN}',
        b'{"row": Infinity}',
        b"\xff",
        b'{"row": {"carrier": "\xff"}}',
        b'"\\ud800"',
        b"{}x",
    ],
)
def test_broken_json_is_400(client, body):
    answer = client.post(PREDICT, content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_json")


def test_too_many_rows_are_413(client):
    answer = client.post(PREDICT, json={"rows": [ROW] * 51})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_rows")
    assert client.post(PREDICT, json={"rows": [ROW] * 50}).status_code == 200


def test_a_body_above_the_limit_is_413_and_the_connection_closes(client):
    answer = client.post(PREDICT, content=b" " * 20_001)
    assert (answer.status_code, answer.json()["error"]["code"], answer.headers["connection"]) == (
        413,
        "body_too_large",
        "close",
    )


def test_chunks_above_the_limit_are_413(client):
    answer = client.post(PREDICT, content=in_pieces(b" " * 50_000, 1_000))
    assert answer.status_code == 413


def test_a_body_in_chunks_is_put_together(client):
    whole = json.dumps({"row": ROW}).encode()
    assert client.post(PREDICT, content=in_pieces(whole, 7)).status_code == 200


@pytest.mark.parametrize("headers", [{"Content-Type": "text/csv"}, {"Content-Encoding": "gzip"}])
def test_other_media_are_415(client, headers):
    answer = client.post(PREDICT, content=json.dumps({"row": ROW}), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/models/ghosts/predict", 404, "unknown_model"),
        ("GET", "/models/ghosts", 404, "unknown_model"),
        ("POST", "/models/%2e%2e/predict", 404, "unknown_model"),
        ("POST", "/models/flights/predict/", 404, "not_found"),
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", PREDICT, 405, "method_not_allowed"),
        ("DELETE", "/models/flights", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
    ],
)
def test_every_error_has_the_same_form(client, method, path, status, code):
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_safe_request_id_comes_back(client):
    answer = client.post(PREDICT, json={"row": ROW}, headers={"X-Request-ID": "order-17.a"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "order-17.a"


@pytest.mark.parametrize("given", ["a b", "<script>", "x" * 65, ""])
def test_an_unsafe_request_id_is_replaced(client, given):
    answer = client.post(PREDICT, json={"row": ROW}, headers={"X-Request-ID": given})
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.json()["request_id"])


def test_metrics_count_what_happened(client):
    client.post(PREDICT, json={"rows": [ROW, ROW]})
    client.post(PREDICT, content=b"{")
    client.get("/models/ghosts-of-a-caller")
    text = client.get("/metrics").text
    assert (
        'perennial_requests_total{model="flights",route="/models/{name}/predict",status="200"} 1.0'
        in text
    )
    assert (
        'perennial_requests_total{model="flights",route="/models/{name}/predict",status="400"} 1.0'
        in text
    )
    assert 'perennial_rows_total{model="flights"} 2.0' in text
    assert 'perennial_release{model="flights"} 1.0' in text
    assert "ghosts" not in text
