"""The inference log: what is written before an answer leaves, when a new segment begins, and what
happens when nothing can be written."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.bundle.manifest import BundleManifest
from pipelines.inference_log.format import Header, LoggedColumn
from pipelines.inference_log.personal_data import PersonalKey
from pipelines.inference_log.reader import read_log
from pipelines.settings import Settings
from serving.app import create_app
from serving.decode import PredictionRequest
from serving.loaded_release import open_release
from serving.log.segments import Segments
from serving.log.writer import InferenceLog
from serving.problems import Problem
from serving.prometheus import Metrics
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, InProcess, wait_until
from tests.serving.logged import Failing, records, written

PREDICT = "/models/flights/predict"
SLACK = 10
"""Seconds that a thread may wait for a processor of a busy machine."""

NOON = "2013-03-01T12:00:00Z"
NOON_US = int(datetime(2013, 3, 1, 12, tzinfo=UTC).timestamp() * 1e6)


@pytest.fixture
def client(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    put_release(store, 1, bundles["multiclass"], model="delays")
    return serve()


def metric(client, line):
    found = re.search(rf"^{re.escape(line)} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else None


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


# --- segments ---


def test_each_release_has_a_segment_of_its_own(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    client = serve()
    client.post(PREDICT, json={"row": ROW})
    put_release(store, 2, bundles["2"], version="2")
    client.look()
    for _ in range(2):
        client.post(PREDICT, json={"row": ROW})
    assert [(s.header.release, s.header.version, len(s.records)) for s in written(store)] == [
        (1, "1", 1),
        (2, "2", 2),
    ]


def test_a_new_segment_begins_at_the_size_that_is_set(store, bundles, serve, settings):
    put_release(store, 1, bundles["1"])
    client = serve(
        None, Settings.model_validate({**settings.model_dump(), "log_segment_bytes": 4_096})
    )
    for i in range(60):
        client.post(PREDICT, json={"row": ROW, "key": f"k{i}"})
    segments = written(store)
    assert len(segments) > 2
    assert [r.keys for s in segments for r in s.records] == [[f"k{i}"] for i in range(60)]
    assert all(len(store.read_segment(s.name)) < 4_096 + 1_000 for s in segments)
    wait_until(
        lambda: [store.is_open(s.name) for s in segments] == [False] * (len(segments) - 1) + [True]
    )


def test_when_the_server_stops_every_segment_is_closed(store, bundles, settings):
    put_release(store, 1, bundles["1"])
    with InProcess(create_app(settings, store)) as client:
        client.post(PREDICT, json={"row": ROW})
        (name,) = store.segments("inference/flights/predictions")
        assert store.is_open(name)
    assert not store.is_open(name)


def test_a_new_day_begins_a_new_segment(store, settings):
    segments = Segments(store, settings, Metrics())
    header = Header(kind="labels", model="flights")
    midnight = datetime(2013, 3, 2, tzinfo=UTC)
    for moment in (
        midnight - timedelta(microseconds=1),
        midnight,
        midnight + timedelta(hours=23),
        midnight - timedelta(hours=1),
    ):
        segments.append(header, b"", int(moment.timestamp() * 1e6))
    days = [name.rsplit("/", 1)[-1][:10] for name in store.segments("inference/flights/labels")]
    assert sorted(days) == ["2013-03-01", "2013-03-01", "2013-03-02"]
    # All of these days are over: a model without requests does not keep yesterday's segment open
    segments.flush()
    segments.flush()
    segments.flush()
    assert not any(store.is_open(name) for name in store.segments("inference/flights/labels"))
    segments.close()


@pytest.mark.parametrize("seconds", [0.02, 0.5])
def test_what_was_written_is_flushed_within_the_time_that_is_set(
    store, bundles, serve, settings, seconds
):
    put_release(store, 1, bundles["1"])
    recording = Failing(store)
    client = serve(
        recording, Settings.model_validate({**settings.model_dump(), "log_sync_seconds": seconds})
    )
    for i in range(3):
        client.post(PREDICT, json={"row": ROW, "key": f"k{i}"})

    def waits():
        """Return how long each append waited for a flush of its segment; None while one waits."""
        did = list(recording.did)
        flushed = [
            [when for what, name, when in did[i:] if what == "sync" and name == of]
            for i, (_, of, _) in enumerate(did)
        ]
        appends = [
            (began, after)
            for (what, _, began), after in zip(did, flushed, strict=True)
            if what == "append"
        ]
        return (
            [after[0] - began for began, after in appends]
            if all(after for _, after in appends)
            else None
        )

    found = wait_until(waits)
    assert len(found) == 4  # the header, and three lines
    assert max(found) < seconds + SLACK
    wait_until(lambda: metric(client, "perennial_log_sync_seconds_count") >= 1)


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


# --- when nothing can be written ---


@pytest.fixture
def failing(store, bundles):
    put_release(store, 1, bundles["1"])
    return Failing(store)


def serving_when_full(serve, failing, settings):
    return serve(
        failing, Settings.model_validate({**settings.model_dump(), "log_when_full": "serve"})
    )


@pytest.mark.parametrize("opening", [True, False], ids=["nor a new segment", "an open segment"])
@pytest.mark.parametrize("error", ["full", errno.EIO, errno.EROFS])
def test_what_cannot_be_written_is_not_answered(failing, serve, store, error, opening, caplog):
    client = serve(failing)
    if not opening:
        assert client.post(PREDICT, json={"row": ROW}).status_code == 200
    failing.error, failing.opening = error, True
    for _ in range(2):
        answer = client.post(PREDICT, json={"row": ROW})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "log_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert "predictions" not in answer.json()
    ready = client.get("/ready")
    assert (ready.status_code, "flights" in ready.json()["reason"]) == (503, True)
    assert metric(client, 'perennial_log_writable{model="flights"}') == 0
    assert metric(client, 'perennial_log_failures_total{model="flights",what="write"}') >= 2
    assert metric(client, 'perennial_log_lost_rows_total{model="flights"}') is None
    assert len([r for r in caplog.records if r.levelname == "ERROR"]) == 1
    failing.error = None
    assert client.post(PREDICT, json={"row": ROW}).status_code == 200
    assert client.get("/ready").status_code == 200
    assert metric(client, 'perennial_log_writable{model="flights"}') == 1
    assert len(records(store)) == (1 if opening else 2)
    assert metric(client, 'perennial_log_rows_total{model="flights"}') == len(records(store))


def test_who_prefers_to_serve_gets_answers_and_a_count_of_what_was_lost(
    failing, serve, store, settings, caplog
):
    client = serving_when_full(serve, failing, settings)
    failing.error, failing.opening = "full", True
    for _ in range(3):
        assert client.post(PREDICT, json={"rows": [ROW, ROW]}).status_code == 200
    assert metric(client, 'perennial_log_lost_rows_total{model="flights"}') == 6
    assert metric(client, 'perennial_log_rows_total{model="flights"}') == 0
    assert metric(client, 'perennial_log_writable{model="flights"}') == 0
    ready = client.get("/ready")
    assert (ready.status_code, "cannot be written" in ready.json()["inference_log"]) == (200, True)
    assert len([r for r in caplog.records if r.levelname == "ERROR"]) == 1
    failing.error = None
    client.post(PREDICT, json={"row": ROW})
    assert client.get("/ready").json() == {"status": "ready", "models": ["flights"]}
    assert len(records(store)) == 1


def test_a_broken_segment_is_followed_by_a_new_one_and_no_request_fails(failing, serve, store):
    client = serve(failing)
    client.post(PREDICT, json={"row": ROW})
    failing.error, failing.once = errno.EIO, True
    assert client.post(PREDICT, json={"row": ROW}).status_code == 200
    client.post(PREDICT, json={"row": ROW})
    assert [len(s.records) for s in written(store)] == [1, 2]
    assert metric(client, 'perennial_log_failures_total{model="flights",what="write"}') == 1
    wait_until(lambda: [store.is_open(s.name) for s in written(store)] == [False, True])


def test_a_segment_that_cannot_be_flushed_is_counted_and_followed_by_a_new_one(
    failing, serve, store
):
    client = serve(failing)
    failing.syncing = 1
    client.post(PREDICT, json={"row": ROW})
    wait_until(
        lambda: metric(client, 'perennial_log_failures_total{model="flights",what="sync"}') == 1
    )
    wait_until(lambda: not store.is_open(written(store)[0].name))
    client.post(PREDICT, json={"row": ROW})
    assert [len(s.records) for s in written(store)] == [1, 1]


def test_a_release_that_comes_while_nothing_can_be_written_does_not_say_otherwise(
    failing, serve, store, bundles
):
    client = serve(failing)
    failing.error, failing.opening = "full", True
    assert client.post(PREDICT, json={"row": ROW}).status_code == 503
    put_release(store, 2, bundles["2"], version="2")
    client.look()
    assert client.post(PREDICT, json={"row": ROW}).status_code == 503
    assert metric(client, 'perennial_log_writable{model="flights"}') == 0


def test_troubles_that_come_and_go_in_two_threads_leave_a_state_that_agrees(
    failing, settings, store
):
    metrics = Metrics()
    log = InferenceLog(
        failing,
        Settings.model_validate({**settings.model_dump(), "log_when_full": "serve"}),
        metrics,
    )
    served = open_release(store, "flights", 1, max_rows=50, now="")

    def lose():
        for _ in range(300):
            log._note_failure(served, 1, OSError("broken"))

    def recover():
        for _ in range(300):
            log._note_recovery("flights")

    threads = [threading.Thread(target=work) for work in (lose, recover, lose, recover)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(log.trouble) == set(log._failed_releases)
    assert metrics.registry.get_sample_value(
        "perennial_log_writable", {"model": "flights"}
    ) == float(not log.trouble)
    log._note_recovery("flights")
    assert (log.trouble, log._failed_releases) == ({}, {})


def test_a_log_that_can_be_written_again_is_found_without_a_request(
    failing, settings, bundles, store
):
    log = InferenceLog(failing, settings, Metrics())
    served = open_release(store, "flights", 1, max_rows=50, now="")
    asked = PredictionRequest([tuple(ROW.values())])
    failing.error, failing.opening = "full", True
    with pytest.raises(Problem):
        log.write_answer(served, asked, [0.5], "r", time.perf_counter())
    log._probe()
    assert "flights" in log.trouble
    failing.error = None
    log._probe()
    assert log.trouble == {}
    log.stop()


# --- personal data ---


def personal(store, ref, inputs=None, key=None):
    """Return the bundle with inputs (and the key) marked as personal, as packaging marks them."""
    manifest = open_bundle(store, ref).manifest.model_dump()
    for column in manifest["inputs"]["columns"]:
        column["personal"] = (inputs or {}).get(column["name"])
    manifest["inputs"]["key_personal"] = key
    return write_bundle(store, BundleManifest.model_validate(manifest))


def read_all(tmp_path):
    """Return every byte below the state's folder that is neither an object of the store nor the
    personal key."""
    files = [
        p
        for p in tmp_path.rglob("*")
        if p.is_file() and "objects" not in p.parts and "secrets" not in p.parts
    ]
    assert any("segments" in p.parts for p in files)
    return b"".join(p.read_bytes() for p in files)


def test_personal_inputs_are_hashed_or_left_out_and_never_written_in_the_clear(
    store, bundles, serve, settings, tmp_path
):
    put_release(
        store,
        1,
        personal(
            store, bundles["1"], {"carrier": "hash", "seats": "hash", "distance": "drop"}, "hash"
        ),
    )
    client = serve()
    row = {"distance": 424_242.125, "seats": 313_131, "weekend": True, "carrier": "Ada Lovelace"}
    client.post(
        PREDICT, json={"rows": [row, {**row, "carrier": None}], "keys": ["passport-17", None]}
    )
    (segment,) = written(store)
    assert segment.header.columns == (
        LoggedColumn("seats", "string"),
        LoggedColumn("weekend", "boolean"),
        LoggedColumn("carrier", "string"),
    )
    key = PersonalKey(settings.personal_key)
    (record,) = segment.records
    assert record.rows == [
        [key.hash_of(313_131), True, key.hash_of("Ada Lovelace")],
        [key.hash_of(313_131), True, None],
    ]
    assert record.keys == [key.hash_of("passport-17"), None]
    assert (
        client.post("/models/flights/feedback", json={"key": "passport-17", "label": 1}).json()[
            "accepted"
        ]
        == 1
    )
    found = read_all(tmp_path)
    assert not [word for word in (b"Lovelace", b"313131", b"424242", b"passport") if word in found]
    assert key.hash_of("passport-17").encode() in found


def test_dropped_keys_are_not_written_and_feedback_by_key_says_so(store, bundles, serve, tmp_path):
    put_release(store, 1, personal(store, bundles["1"], key="drop"))
    client = serve()
    request = client.post(PREDICT, json={"row": ROW, "key": "passport-17"}).json()["request_id"]
    assert records(store)[0].keys is None
    answer = client.post("/models/flights/feedback", json={"key": "passport-17", "label": 1})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "key")
    assert (
        client.post(
            "/models/flights/feedback", json={"request_id": request, "label": 1}
        ).status_code
        == 200
    )
    assert b"passport" not in read_all(tmp_path)


def test_without_a_key_that_may_be_used_nothing_personal_is_answered(
    store, bundles, serve, settings
):
    PersonalKey(settings.personal_key).hash_of("")
    settings.personal_key.chmod(0o644)
    put_release(store, 1, personal(store, bundles["1"], {"carrier": "hash"}))
    put_release(store, 1, bundles["regression"], model="minutes")
    client = serve()
    assert client.post(PREDICT, json={"row": ROW}).json()["error"]["code"] == "log_unavailable"
    assert "chmod 600" in client.get("/ready").json()["reason"]
    assert client.post("/models/minutes/predict", json={"row": ROW}).status_code == 200
    settings.personal_key.chmod(0o600)
    assert client.post(PREDICT, json={"row": ROW}).status_code == 200


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
