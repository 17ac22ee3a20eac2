"""Labels that are accepted: each once, on the disk, by request, row or key."""

from __future__ import annotations

import json

import pytest

from pipelines.bundle.load import write_bundle
from pipelines.bundle.manifest import BundleManifest
from serving.app import create_app
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, InProcess
from tests.serving.feedback.labels import FEEDBACK, PREDICT, counts, predict, tell, written_labels
from tests.serving.logged import records


def test_a_label_by_request(client, store):
    request = predict(client)
    answer = tell(client, request_id=request, label=1)
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
    assert tell(client, request_id=request, row=1, label=False).status_code == 200
    assert tell(client, request_id=request, row=2, label=False).status_code == 404
    assert written_labels(store) == [(f"r:{request}#1", 0.0)]


def test_a_label_by_key(client, store):
    predict(client, key="UA/1")
    assert tell(client, key="UA/1", label=True).status_code == 200
    assert written_labels(store) == [("k:UA/1", 1.0)]


def test_a_label_of_an_unknown_prediction_is_404(client, store):
    request = predict(client, key="k")
    for body in (
        {"request_id": "never", "label": 1},
        {"key": "never", "label": 1},
        {"key": request, "label": 1},
    ):
        answer = tell(client, **body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_prediction")
    assert tell(client, "minutes", key="k", label=1.5).status_code == 404
    assert written_labels(store) == []
    assert counts(client) == {"unknown": 3}
    assert counts(client, "minutes") == {"unknown": 1}


def test_the_same_label_again_is_200_and_written_once(client, store):
    predict(client, key="k")
    for repeated in (0, 1, 1):
        answer = tell(client, key="k", label=1).json()
        assert (answer["accepted"], answer["repeated"]) == (1 - repeated, repeated)
    assert written_labels(store) == [("k:k", 1.0)]
    assert counts(client) == {"accepted": 1, "repeated": 2}


def test_another_label_is_409_and_the_first_one_counts(client, store):
    request = predict(client, key="k")
    tell(client, key="k", label=1)
    answer = tell(client, request_id=request, label=0)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "contradicting_label")
    assert written_labels(store) == [("k:k", 1.0)]
    assert counts(client) == {"accepted": 1, "contradicting": 1}


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
    predict(client, "codes", key="k")
    for label in other:
        assert tell(client, "codes", key="k", label=label).status_code == 422, label
    answers = [tell(client, "codes", key="k", label=label) for label in same]
    assert [a.status_code for a in answers] == [200] * len(same)
    assert [a.json()["accepted"] for a in answers] == [1, *[0] * (len(same) - 1)]
    assert [label for _, label in written_labels(store, "codes")] == [classes[1]]


def test_of_several_labels_the_good_ones_are_taken_and_the_others_told(client, store):
    for key in "abc":
        predict(client, key=key)
    tell(client, key="a", label=1)
    many = [
        {"key": "a", "label": 1},
        {"key": "b", "label": 0},
        {"key": "never", "label": 1},
        {"key": "a", "label": 0},
        {"key": "c", "label": 7},
    ]
    answer = tell(client, labels=many)
    body = answer.json()
    assert (answer.status_code, body["accepted"], body["repeated"]) == (422, 1, 1)
    assert [(p["index"], p["status"], p["code"]) for p in body["problems"]] == [
        (2, 404, "unknown_prediction"),
        (3, 409, "contradicting_label"),
        (4, 422, "invalid_input"),
    ]
    assert "3 of 5" in body["error"]["message"]
    assert written_labels(store) == [("k:a", 1.0), ("k:b", 0.0)]
    assert counts(client) == {
        "accepted": 2,
        "repeated": 1,
        "unknown": 1,
        "contradicting": 1,
        "malformed": 1,
    }
    assert tell(client, labels=many[:2]).json()["repeated"] == 2
    assert tell(client, labels=[*many[:2], many[3], many[2]]).status_code == 409
    assert tell(client, labels=[many[0], many[2]]).status_code == 404


def test_a_request_id_that_came_twice_with_other_keys_labels_nothing(client, store):
    for key in ("k1", "k2"):
        client.post(PREDICT, json={"row": ROW, "key": key}, headers={"X-Request-ID": "again"})
    answer = tell(client, request_id="again", label=1)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "ambiguous_request")
    assert tell(client, key="k2", label=1).json()["accepted"] == 1
    assert written_labels(store) == [("k:k2", 1.0)]
    assert counts(client) == {"ambiguous": 1, "accepted": 1}


def test_a_restarted_server_knows_predictions_and_labels_of_before(store, bundles, settings):
    put_release(store, 1, bundles["1"])
    with InProcess(create_app(settings, store)) as client:
        request = predict(client)
        predict(client, key="k")
        tell(client, request_id=request, label=1)
    (settings.state / "serving" / "feedback.db").unlink()
    with InProcess(create_app(settings, store)) as client:
        assert tell(client, request_id=request, label=0).status_code == 409
        assert tell(client, key="k", label=0).status_code == 200
    assert written_labels(store) == [(f"r:{request}#0", 1.0), ("k:k", 0.0)]


def test_two_servers_on_one_store_take_a_label_once(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    one, other = serve(), serve()
    predict(one, key="k")
    assert tell(other, key="k", label=1).json()["accepted"] == 1
    assert tell(one, key="k", label=1).json()["repeated"] == 1
    assert tell(one, key="k", label=0).status_code == 409
    assert written_labels(store) == [("k:k", 1.0)]


def test_feedback_never_logs_what_a_caller_sent(client, caplog):
    with caplog.at_level("DEBUG", logger="perennial"):
        tell(client, key="canary-17", label="canary-18")
        client.post(FEEDBACK, content=b"canary-19")
    assert "canary" not in json.dumps([r.getMessage() for r in caplog.records])
