"""What is no label is answered with what is wrong, and counted."""

from __future__ import annotations

import re

import pytest

from tests.serving.feedback.labels import FEEDBACK, counts, predict, tell, written_labels


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({"key": "k"}, "label", id="no label"),
        pytest.param({"label": 1}, "request_id", id="of nothing"),
        pytest.param({"key": "k", "request_id": "r", "label": 1}, "request_id", id="of two things"),
        pytest.param({"key": "k", "row": 0, "label": 1}, "row", id="a row beside a key"),
        pytest.param({"request_id": "r", "row": -1, "label": 1}, "row", id="a negative row"),
        pytest.param({"request_id": "r", "row": 0.5, "label": 1}, "row", id="half a row"),
        pytest.param({"request_id": "r", "row": 10**30, "label": 1}, "row", id="a huge row"),
        pytest.param({"request_id": 7, "label": 1}, "request_id", id="a number as request"),
        pytest.param({"request_id": "x" * 65, "label": 1}, "request_id", id="a long request"),
        pytest.param({"key": "", "label": 1}, "key", id="an empty key"),
        pytest.param({"key": None, "label": 1}, "key", id="null as key"),
        pytest.param({"key": "x" * 201, "label": 1}, "key", id="a long key"),
        pytest.param({"key": "k", "label": None}, "label", id="null as label"),
        pytest.param({"key": "k", "label": 2}, "label", id="neither of two classes"),
        pytest.param({"key": "k", "label": 0.5}, "label", id="a probability"),
        pytest.param({"key": "k", "label": "1"}, "label", id="a text"),
        pytest.param({"key": "k", "label": [1]}, "label", id="a list"),
        pytest.param({"key": "k", "label": 1, "more": 1}, None, id="an unknown field"),
        pytest.param({"labels": []}, "labels", id="no labels"),
        pytest.param(
            {"labels": [{"key": "k", "label": 1}], "label": 1}, "labels", id="many and one"
        ),
        pytest.param({"labels": {"key": "k", "label": 1}}, None, id="no list"),
        pytest.param({}, "label", id="nothing"),
        pytest.param([], None, id="a list for all"),
    ],
)
def test_a_malformed_label_is_422_and_counted(client, store, body, field):
    predict(client, key="k")
    answer = client.post(FEEDBACK, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "invalid_input")
    if field is not None:
        assert field in (error.get("field", ""), *re.findall(r"`(\w+)`", error["message"]))
    assert written_labels(store) == []
    assert counts(client) == {"malformed": 1}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"key": "k", "label": NaN}', 400),
        (b"\xff", 400),
        (b'{"labels": ' + b"[" * 9_000 + b"]" * 9_000 + b"}", 400),
        (b'{"labels": [{"key": "\\ud800", "label": 1}]}', 400),
        (b'{"labels":[{"key":"\xff","label":1}]}', 400),
        (b'{"labels":[{"key":"\x01","label":1}]}', 400),
        (b'{"key": "k", "label": 1, "label": 0}', 422),
        (b'{"labels": [{"key": "k", "label": 1, "label": 0}]}', 422),
        (b'{"key": "k", "label": 1e999}', 422),
    ],
)
def test_a_broken_body_is_refused_and_counted(client, store, body, status):
    predict(client, key="k")
    assert client.post(FEEDBACK, content=body).status_code == status
    assert written_labels(store) == []
    assert counts(client) == {"malformed": 1}


@pytest.mark.parametrize(
    ("model", "good", "bad"),
    [
        ("minutes", [1.5, -3, 0, 1e300], [True, "1.5", None]),
        ("delays", ["late", "on time"], ["", "banana", "Late", "late ", "x" * 201, 1, False, None]),
        ("flights", [True, 1, 1.0], [2, -1, "true", 0.5]),
    ],
)
def test_each_task_has_labels_of_its_own_kind(client, store, model, good, bad):
    for i, label in enumerate(bad):
        predict(client, model, key=f"bad{i}")
        assert tell(client, model, key=f"bad{i}", label=label).status_code == 422
    for i, label in enumerate(good):
        predict(client, model, key=f"k{i}")
        assert tell(client, model, key=f"k{i}", label=label).status_code == 200
    assert [label for _, label in written_labels(store, model)] == good


def test_a_label_that_is_no_class_is_refused_by_name_and_the_right_one_is_taken_afterwards(
    client, store
):
    predict(client, "delays", key="10001")
    refused = tell(client, "delays", key="10001", label="banana")
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "label")
    assert (
        refused.json()["error"]["message"]
        == 'label is no label of this task: its classes are "early", "late", "on time".'
    )
    assert tell(client, "delays", key="10001", label="late").json()["accepted"] == 1
    assert written_labels(store, "delays") == [("k:10001", "late")]


def test_of_too_many_labels_the_number_is_looked_at_first(client):
    answer = client.post(
        FEEDBACK, content=b'{"labels":[' + b",".join([b'{"a":1,"a":1}'] * 51) + b"]}"
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_rows")


def test_too_many_labels_are_413(client):
    answer = tell(client, labels=[{"key": "k", "label": 1}] * 51)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_rows")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/models/ghosts/feedback", 404, "unknown_model"),
        ("GET", FEEDBACK, 405, "method_not_allowed"),
        ("POST", FEEDBACK + "/", 404, "not_found"),
    ],
)
def test_other_errors_have_the_same_form(client, method, path, status, code):
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_other_media_are_415(client):
    assert (
        client.post(FEEDBACK, content=b"{}", headers={"Content-Type": "text/csv"}).status_code
        == 415
    )
