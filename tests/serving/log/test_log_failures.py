"""What happens when nothing can be written."""

from __future__ import annotations

import errno
import threading
import time

import pytest

from pipelines.settings import Settings
from serving.decode import PredictionRequest
from serving.loaded_release import open_release
from serving.log.writer import InferenceLog
from serving.problems import Problem
from serving.prometheus import Metrics
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, wait_until
from tests.serving.log.flights import PREDICT, metric
from tests.serving.logged import Failing, records, written


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
