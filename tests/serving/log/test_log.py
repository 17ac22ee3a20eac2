"""The inference log: what is written before an answer leaves."""

from __future__ import annotations

import json
import os
import re
import time
from datetime import UTC, datetime

import pytest

from pipelines.inference_log.format import LoggedColumn
from pipelines.inference_log.reader import read_log
from serving.app import create_app
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, InProcess
from tests.serving.log.flights import PREDICT
from tests.serving.logged import records, written

NOON = "2013-03-01T12:00:00Z"
NOON_US = int(datetime(2013, 3, 1, 12, tzinfo=UTC).timestamp() * 1e6)


def test_an_answer_is_in_the_log_with_all_that_belongs_to_it(client, store):
    before = time.time_ns() // 1_000
    rows = [ROW, {**ROW, "distance": None, "carrier": 'Ünïted ✈\n\x00"\\'}]
    answer = client.post(
        PREDICT,
        json={
            "rows": rows,
            "keys": ["UA/1", None],
            "event_times": [NOON, "2013-03-01T14:00:00+01:00"],
        },
    ).json()
    (segment,) = written(store)
    (record,) = segment.records
    assert segment.header.columns == tuple(
        LoggedColumn(*c)
        for c in (
            ("distance", "number"),
            ("seats", "integer"),
            ("weekend", "boolean"),
            ("carrier", "string"),
        )
    )
    header = segment.header
    assert (header.kind, header.model, header.version, header.release, header.task) == (
        "predictions",
        "flights",
        "1",
        1,
        "binary",
    )
    assert record.request_id == answer["request_id"]
    assert record.rows == [list(ROW.values()), list(rows[1].values())]
    assert record.predictions == answer["predictions"]
    assert record.keys == ["UA/1", None]
    assert record.event_times == [NOON_US, NOON_US + 3_600_000_000]
    assert before <= record.at <= time.time_ns() // 1_000
    assert 0 < record.seconds < 60
    name = segment.name.rsplit("/", 1)[-1]
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d-\d{{13}}-{os.getpid()}-[0-9a-f]{{8}}", name)
    assert segment.torn == b""


def test_the_log_s_reader_sees_the_rows_while_the_server_runs(client, store):
    client.post(PREDICT, json={"row": ROW, "key": "k", "event_time": NOON})
    client.post("/models/delays/predict", json={"row": ROW})
    (row,) = read_log(store, "flights").rows.to_pylist()
    assert (row["key"], row["identity"], row["event_time"]) == (
        "k",
        "k:k",
        datetime(2013, 3, 1, 12, tzinfo=UTC),
    )
    assert {n: row[f"input.{n}"] for n in ROW} == ROW
    (delay,) = read_log(store, "delays").rows.to_pylist()
    assert delay["prediction"] in {"early", "late", "on time"}
    assert len(delay["probabilities"]) == 3


def test_of_several_classes_the_probabilities_are_written_in_the_header_s_order(client, store):
    (answer,) = client.post("/models/delays/predict", json={"row": ROW}).json()["predictions"]
    (segment,) = written(store, "delays")
    assert (
        dict(zip(segment.header.classes, segment.records[0].predictions[0], strict=True))
        == answer["probabilities"]
    )


def test_a_large_request_answered_in_a_thread_is_one_line(client, store):
    answer = client.post(
        PREDICT, json={"rows": [{**ROW, "distance": float(d)} for d in range(50)]}
    ).json()
    (record,) = records(store)
    assert record.predictions == answer["predictions"]
    assert [row[0] for row in record.rows] == [float(d) for d in range(50)]


@pytest.mark.parametrize("body", [b"{", b'{"row": {}}', b'{"rows": []}'])
def test_what_is_not_answered_is_not_written(client, store, body):
    client.post(PREDICT, content=body)
    assert written(store) == []


@pytest.mark.parametrize(
    ("beside", "field", "row"),
    [
        pytest.param({"keys": ["a"]}, "keys", None, id="too few keys"),
        pytest.param({"keys": ["a", "b", "c"]}, "keys", None, id="too many keys"),
        pytest.param({"keys": ["a", ""]}, "keys", 1, id="an empty key"),
        pytest.param({"keys": ["a", "x" * 201]}, "keys", 1, id="a long key"),
        pytest.param({"keys": [7, "b"]}, "keys", 0, id="a number as key"),
        pytest.param({"keys": "ab"}, "keys", None, id="no list of keys"),
        pytest.param({"keys": None}, "keys", None, id="null for keys"),
        pytest.param({"event_times": [NOON]}, "event_times", None, id="too few times"),
        pytest.param({"event_times": [NOON, None]}, "event_times", 1, id="null as time"),
        pytest.param(
            {"event_times": [NOON, "2013-03-01T12:00:00"]}, "event_times", 1, id="no zone"
        ),
        pytest.param({"event_times": ["noon", NOON]}, "event_times", 0, id="no time"),
        pytest.param({"event_times": [NOON, 1362139200]}, "event_times", 1, id="a number as time"),
        pytest.param(
            {"event_times": [NOON, "2013-02-30T12:00:00Z"]}, "event_times", 1, id="no such day"
        ),
        pytest.param(
            {"event_times": [NOON, "0001-01-01T00:00:00+14:00"]},
            "event_times",
            1,
            id="before all time",
        ),
        pytest.param(
            {"event_times": [NOON, "9999-12-31T23:59:59Z"]}, "event_times", 1, id="after all time"
        ),
        pytest.param({"key": "a"}, "key", None, id="one key for several rows"),
        pytest.param({"event_time": NOON}, "event_time", None, id="one time for several rows"),
    ],
)
def test_wrong_keys_and_times_are_named_and_nothing_is_answered(client, store, beside, field, row):
    answer = client.post(PREDICT, json={"rows": [ROW, ROW], **beside})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["field"], error.get("row")) == (
        422,
        "invalid_input",
        field,
        row,
    )
    assert written(store) == []


@pytest.mark.parametrize(
    ("beside", "field"),
    [
        ({"key": ""}, "key"),
        ({"key": None}, "key"),
        ({"event_time": "noon"}, "event_time"),
        ({"event_time": "1899-12-31T00:00:00Z"}, "event_time"),
        ({"keys": ["a"]}, "keys"),
        ({"event_times": [NOON]}, "event_times"),
    ],
)
def test_beside_a_single_row_likewise(client, beside, field):
    answer = client.post(PREDICT, json={"row": ROW, **beside})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert "row" not in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        '{"row": %s, "key": "a", "key": "b"}',
        '{"rows": [%s], "keys": ["a"], "keys": [null]}',
        '{"rows": [%s], "keys": [null], "keys": [null]}',
        '{"row": %s, "event_time": "2013-03-01T12:00:00Z", "event_time": "2013-03-01T12:00:00Z"}',
        '{"row": %s, "key": "", "key": "b"}',
    ],
)
def test_keys_and_times_that_stand_twice_are_refused(client, store, body):
    assert client.post(PREDICT, content=body.replace("%s", json.dumps(ROW))).status_code == 422
    assert written(store) == []


@pytest.mark.parametrize("key", ['a "quoted" \\ key', "ключ ✈", "\x00", "x" * 200, "null"])
def test_every_text_may_be_a_key(client, store, key):
    assert client.post(PREDICT, json={"row": ROW, "key": key}).status_code == 200
    assert records(store)[0].keys == [key]


def test_without_a_log_nothing_is_written_and_there_is_no_feedback(store, bundles, settings):
    put_release(store, 1, bundles["1"])
    with InProcess(create_app(settings, store, logged=False)) as client:
        assert client.post(PREDICT, json={"row": ROW}).status_code == 200
        assert (
            client.post("/models/flights/feedback", json={"key": "k", "label": 1}).status_code
            == 404
        )
        assert "/models/flights/feedback" not in client.get("/openapi.json").json()["paths"]
    assert written(store) == []


def test_a_proof_is_answered_but_is_no_traffic(store, bundles, serve, settings):
    put_release(store, 1, bundles["1"])
    client = serve(store, settings.replace(proof_token="s3cret"))
    proof = client.post(PREDICT, json={"row": ROW}, headers={"x-perennial-proof": "s3cret"})
    assert (proof.status_code, records(store)) == (200, [])
    for headers in (
        {},
        {"x-perennial-proof": ""},
        {"x-perennial-proof": "s3cre"},
        {"x-perennial-proof": b"\xe9"},
    ):
        assert (
            client.post(PREDICT, json={"row": ROW}, headers=headers).json()["predictions"]
            == proof.json()["predictions"]
        )
    assert len(records(store)) == 4
    assert 'perennial_rows_total{model="flights"} 4.0' in client.get("/metrics").text


def test_without_a_token_no_header_is_a_proof(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    serve().post(PREDICT, json={"row": ROW}, headers={"x-perennial-proof": ""})
    assert len(records(store)) == 1
