"""Labels over HTTP: each accepted once and on the disk, everything else answered with what is
wrong, and all of it counted."""

from __future__ import annotations

import json
import re

import pytest

from pipelines.bundle.load import write_bundle
from pipelines.bundle.manifest import BundleManifest
from pipelines.settings import Settings
from serving.app import create_app
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, InProcess
from tests.serving.logged import Failing, records, written

PREDICT = "/models/flights/predict"
FEEDBACK = "/models/flights/feedback"


@pytest.fixture
def client(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    put_release(store, 1, bundles["multiclass"], model="delays")
    put_release(store, 1, bundles["regression"], model="minutes")
    return serve()


def predicted(client, model="flights", **beside):
    return client.post(f"/models/{model}/predict", json={"row": ROW, **beside}).json()["request_id"]


def told(client, model="flights", **body):
    return client.post(f"/models/{model}/feedback", json=body)


def counts(client, model="flights"):
    """Return the labels of a model by what became of them."""
    found = re.findall(
        rf'^perennial_feedback_total{{model="{model}",outcome="(\w+)"}} (\S+)$',
        client.get("/metrics").text,
        re.MULTILINE,
    )
    return {outcome: float(count) for outcome, count in found}


def labels(store, model="flights"):
    return [(r.identity, r.label) for r in records(store, model, "labels")]


def test_a_label_by_request(client, store):
    request = predicted(client)
    answer = told(client, request_id=request, label=1)
    assert answer.status_code == 200
    body = answer.json()
    assert {k: body[k] for k in ("model", "accepted", "repeated", "problems")} == {
        "model": "flights",
        "accepted": 1,
        "repeated": 0,
        "problems": [],
    }
    (record,) = records(store, kind="labels")
    assert (record.identity, record.label, record.request_id) == (
        f"r:{request}#0",
        1.0,
        body["request_id"],
    )
    assert counts(client) == {"accepted": 1}
    assert 'perennial_labels_total{model="flights"} 1.0' in client.get("/metrics").text


def test_a_label_by_request_and_row(client, store):
    request = client.post(PREDICT, json={"rows": [ROW, ROW]}).json()["request_id"]
    assert told(client, request_id=request, row=1, label=False).status_code == 200
    assert told(client, request_id=request, row=2, label=False).status_code == 404
    assert labels(store) == [(f"r:{request}#1", 0.0)]


def test_a_label_by_key(client, store):
    predicted(client, key="UA/1")
    assert told(client, key="UA/1", label=True).status_code == 200
    assert labels(store) == [("k:UA/1", 1.0)]


def test_a_label_of_an_unknown_prediction_is_404(client, store):
    request = predicted(client, key="k")
    for body in (
        {"request_id": "never", "label": 1},
        {"key": "never", "label": 1},
        {"key": request, "label": 1},
    ):
        answer = told(client, **body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_prediction")
    assert told(client, "minutes", key="k", label=1.5).status_code == 404
    assert labels(store) == []
    assert counts(client) == {"unknown": 3}
    assert counts(client, "minutes") == {"unknown": 1}


def test_the_same_label_again_is_200_and_written_once(client, store):
    predicted(client, key="k")
    for repeated in (0, 1, 1):
        answer = told(client, key="k", label=1).json()
        assert (answer["accepted"], answer["repeated"]) == (1 - repeated, repeated)
    assert labels(store) == [("k:k", 1.0)]
    assert counts(client) == {"accepted": 1, "repeated": 2}


def test_another_label_is_409_and_the_first_one_counts(client, store):
    request = predicted(client, key="k")
    told(client, key="k", label=1)
    answer = told(client, request_id=request, label=0)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "contradicting_label")
    assert labels(store) == [("k:k", 1.0)]
    assert counts(client) == {"accepted": 1, "contradicting": 1}


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
    predicted(client, key="k")
    answer = client.post(FEEDBACK, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "invalid_input")
    if field is not None:
        assert field in (error.get("field", ""), *re.findall(r"`(\w+)`", error["message"]))
    assert labels(store) == []
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
    predicted(client, key="k")
    assert client.post(FEEDBACK, content=body).status_code == status
    assert labels(store) == []
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
        predicted(client, model, key=f"bad{i}")
        assert told(client, model, key=f"bad{i}", label=label).status_code == 422
    for i, label in enumerate(good):
        predicted(client, model, key=f"k{i}")
        assert told(client, model, key=f"k{i}", label=label).status_code == 200
    assert [label for _, label in labels(store, model)] == good


def test_a_label_that_is_no_class_is_refused_by_name_and_the_right_one_is_taken_afterwards(
    client, store
):
    predicted(client, "delays", key="10001")
    refused = told(client, "delays", key="10001", label="banana")
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "label")
    assert (
        refused.json()["error"]["message"]
        == 'label is no label of this task: its classes are "early", "late", "on time".'
    )
    assert told(client, "delays", key="10001", label="late").json()["accepted"] == 1
    assert labels(store, "delays") == [("k:10001", "late")]


@pytest.mark.parametrize(
    ("classes", "same", "other"),
    [
        pytest.param(
            ["1", "10", "2"],
            [10, 10.0, "10"],
            [3, 0.5, "ten", "010", False, 10**400],
            id="whole numbers",
        ),
        pytest.param(
            ["1.0", "10.0", "2.0"], [10, "10", "10.0"], [3, "x"], id="as floats were named"
        ),
        pytest.param(
            ["False", "True", "maybe"], [True, "True"], ["true", 2], id="booleans beside a text"
        ),
    ],
)
def test_a_class_is_known_by_every_way_to_write_it(store, bundles, serve, classes, same, other):
    known = BundleManifest.model_validate_json(store.get(bundles["multiclass"]))
    renamed = known.model_copy(
        update={"model": "codes", "inputs": known.inputs.model_copy(update={"classes": classes})}
    )
    put_release(store, 1, write_bundle(store, renamed), model="codes")
    client = serve()
    predicted(client, "codes", key="k")
    for label in other:
        assert told(client, "codes", key="k", label=label).status_code == 422, label
    answers = [told(client, "codes", key="k", label=label) for label in same]
    assert [a.status_code for a in answers] == [200] * len(same)
    assert [a.json()["accepted"] for a in answers] == [1, *[0] * (len(same) - 1)]
    assert [label for _, label in labels(store, "codes")] == [classes[1]]


def test_of_several_labels_the_good_ones_are_taken_and_the_others_told(client, store):
    for key in "abc":
        predicted(client, key=key)
    told(client, key="a", label=1)
    many = [
        {"key": "a", "label": 1},
        {"key": "b", "label": 0},
        {"key": "never", "label": 1},
        {"key": "a", "label": 0},
        {"key": "c", "label": 7},
    ]
    answer = told(client, labels=many)
    body = answer.json()
    assert (answer.status_code, body["accepted"], body["repeated"]) == (422, 1, 1)
    assert [(p["index"], p["status"], p["code"]) for p in body["problems"]] == [
        (2, 404, "unknown_prediction"),
        (3, 409, "contradicting_label"),
        (4, 422, "invalid_input"),
    ]
    assert "3 of 5" in body["error"]["message"]
    assert labels(store) == [("k:a", 1.0), ("k:b", 0.0)]
    assert counts(client) == {
        "accepted": 2,
        "repeated": 1,
        "unknown": 1,
        "contradicting": 1,
        "malformed": 1,
    }
    assert told(client, labels=many[:2]).json()["repeated"] == 2
    assert told(client, labels=[*many[:2], many[3], many[2]]).status_code == 409
    assert told(client, labels=[many[0], many[2]]).status_code == 404


def test_of_too_many_labels_the_number_is_looked_at_first(client):
    answer = client.post(
        FEEDBACK, content=b'{"labels":[' + b",".join([b'{"a":1,"a":1}'] * 51) + b"]}"
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_rows")


def test_too_many_labels_are_413(client):
    answer = told(client, labels=[{"key": "k", "label": 1}] * 51)
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


def test_a_label_that_cannot_be_written_is_503_and_may_come_again(store, bundles, serve, settings):
    put_release(store, 1, bundles["1"])
    failing = Failing(store)
    client = serve(
        failing, Settings.model_validate({**settings.model_dump(), "log_when_full": "serve"})
    )
    predicted(client, key="k")
    failing.error, failing.opening = "full", True
    answer = told(
        client, key="k", label=1
    )  # whatever is preferred for predictions: a label that is not on the disk was not taken
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "log_unavailable")
    assert "retry-after" in answer.headers
    failing.error = None
    assert told(client, key="k", label=0).json()["accepted"] == 1
    assert labels(store) == [("k:k", 0.0)]
    assert counts(client) == {"unavailable": 1, "accepted": 1}


def test_a_label_that_cannot_be_flushed_is_taken_back_and_may_come_again(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    failing = Failing(store)
    client = serve(failing)
    for key in ("a", "b"):
        predicted(client, key=key)
    assert told(client, key="a", label=1).status_code == 200
    failing.labels_unflushed = True
    answer = told(client, key="b", label=1)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "log_unavailable")
    assert labels(store) == [("k:a", 1.0)]
    failing.labels_unflushed = False
    assert told(client, key="b", label=0).json()["accepted"] == 1
    assert labels(store) == [("k:a", 1.0), ("k:b", 0.0)]
    assert not [
        s for s in written(store, kind="labels") if len(s.records) > 1
    ]  # nothing follows where a flush failed
    assert counts(client) == {"accepted": 2, "unavailable": 1}


def test_a_request_id_that_came_twice_with_other_keys_labels_nothing(client, store):
    for key in ("k1", "k2"):
        client.post(PREDICT, json={"row": ROW, "key": key}, headers={"X-Request-ID": "again"})
    answer = told(client, request_id="again", label=1)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "ambiguous_request")
    assert told(client, key="k2", label=1).json()["accepted"] == 1
    assert labels(store) == [("k:k2", 1.0)]
    assert counts(client) == {"ambiguous": 1, "accepted": 1}


def test_a_restarted_server_knows_predictions_and_labels_of_before(store, bundles, settings):
    put_release(store, 1, bundles["1"])
    with InProcess(create_app(settings, store)) as client:
        request = predicted(client)
        predicted(client, key="k")
        told(client, request_id=request, label=1)
    (settings.state / "serving" / "feedback.db").unlink()
    with InProcess(create_app(settings, store)) as client:
        assert told(client, request_id=request, label=0).status_code == 409
        assert told(client, key="k", label=0).status_code == 200
    assert labels(store) == [(f"r:{request}#0", 1.0), ("k:k", 0.0)]


def test_two_servers_on_one_store_take_a_label_once(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    one, other = serve(), serve()
    predicted(one, key="k")
    assert told(other, key="k", label=1).json()["accepted"] == 1
    assert told(one, key="k", label=1).json()["repeated"] == 1
    assert told(one, key="k", label=0).status_code == 409
    assert labels(store) == [("k:k", 1.0)]


def test_feedback_never_logs_what_a_caller_sent(client, caplog):
    with caplog.at_level("DEBUG", logger="perennial"):
        told(client, key="canary-17", label="canary-18")
        client.post(FEEDBACK, content=b"canary-19")
    assert "canary" not in json.dumps([r.getMessage() for r in caplog.records])


def test_the_document_shows_feedback_with_bodies_that_work(client):
    from jsonschema import Draft202012Validator

    paths = client.get("/openapi.json").json()["paths"]
    for model, label in (("flights", True), ("minutes", 1.5), ("delays", "late")):
        request = predicted(client, model, key="k")
        post = paths[f"/models/{model}/feedback"]["post"]
        content = post["requestBody"]["content"]["application/json"]
        schema = Draft202012Validator(content["schema"])
        schema.validate(content["example"])
        for body in (
            {"key": "k", "label": label},
            {"labels": [{"request_id": request, "row": 0, "label": label}]},
        ):
            schema.validate(body)
            answer = told(client, model, **body)
            assert answer.status_code == 200
            Draft202012Validator(
                post["responses"]["200"]["content"]["application/json"]["schema"]
            ).validate(answer.json())
        assert not schema.is_valid({"key": "k", "label": None})
        problem = told(client, model, key="never", label=label)
        Draft202012Validator(
            post["responses"]["default"]["content"]["application/json"]["schema"]
        ).validate(problem.json())


def test_the_document_shows_keys_and_event_times(client):
    from jsonschema import Draft202012Validator

    schema = client.get("/openapi.json").json()["paths"][PREDICT]["post"]["requestBody"]["content"][
        "application/json"
    ]["schema"]
    moment = "2013-03-01T12:00:00Z"
    for body in (
        {"row": ROW, "key": "k", "event_time": moment},
        {"rows": [ROW, ROW], "keys": ["k", None], "event_times": [moment, moment]},
    ):
        Draft202012Validator(schema).validate(body)
        assert client.post(PREDICT, json=body).status_code == 200
    assert not Draft202012Validator(schema).is_valid({"row": ROW, "keys": ["k"]})
