"""Every metric that the server exposes: this page names them all, and what each counts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.store.drift_figures import DriftFigures, publish_figures
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, wait_until
from tests.serving.logged import Failing

PREDICT = "/models/flights/predict"
FEEDBACK = "/models/flights/feedback"

END = datetime(2013, 6, 1, tzinfo=UTC)
FIGURES = DriftFigures(
    verdict="drift",
    window_end=END,
    rows=900,
    labelled=450,
    coverage=0.5,
    drifted=2,
    columns=12,
    metric="roc_auc",
    live=0.61,
    expected=0.7,
)


@pytest.fixture
def client(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    return serve()


def samples(client):
    """Return every sample, parsed as Prometheus does, by name and labels."""
    text = client.get("/metrics").text
    return {
        (s.name, *sorted(s.labels.items())): s.value
        for f in text_string_to_metric_families(text)
        for s in f.samples
    }


def value(client, name, **labels):
    return samples(client).get((name, *sorted(labels.items())))


def test_a_compiled_model_is_asked_at_once_and_has_no_process_that_fails(client):
    client.post(PREDICT, json={"row": ROW})
    assert not value(client, "perennial_batch_requests_count", model="flights")
    assert not value(client, "perennial_model_failures_total", model="flights")


def test_a_model_that_nobody_asks_is_dropped_and_counted(client, serve, store, settings):
    assert not value(client, "perennial_model_drops_total", model="flights")
    idle = serve(store, settings.replace(serving_idle_seconds=0.001))
    wait_until(lambda: idle.look() or value(idle, "perennial_model_drops_total", model="flights"))


def test_every_metric_is_tested_here_and_every_one_that_is_tested_is_there(client, store):
    client.post(PREDICT, json={"row": ROW})
    names = {
        f.name
        for f in text_string_to_metric_families(client.get("/metrics").text)
        if f.name.startswith("perennial_") and not f.name.endswith("_created")
    }
    source = Path(__file__).read_text(encoding="utf-8")
    tested = {
        re.sub("_(total|count|sum)$", "", n) for n in re.findall(r'"(perennial_[a-z_]+)"', source)
    }
    assert names == tested


def test_requests_and_their_seconds(client):
    client.post(PREDICT, json={"row": ROW})
    client.post(PREDICT, content=b"{")
    route = "/models/{name}/predict"
    assert (
        value(client, "perennial_requests_total", model="flights", route=route, status="200") == 1
    )
    assert (
        value(client, "perennial_requests_total", model="flights", route=route, status="400") == 1
    )
    assert value(client, "perennial_request_seconds_count", route=route) == 2
    assert 0 < value(client, "perennial_request_seconds_sum", route=route) < 60


def test_rows(client):
    client.post(PREDICT, json={"rows": [ROW] * 3})
    assert value(client, "perennial_rows_total", model="flights") == 3


def test_releases(client, store, bundles):
    assert value(client, "perennial_release", model="flights") == 1
    put_release(store, 2, bundles["2"], version="2")
    put_release(store, 3, bundles["regression"])
    client.look()
    assert value(client, "perennial_release", model="flights") == 2
    assert value(client, "perennial_release_swaps_total", model="flights") == 2
    assert value(client, "perennial_release_refusals_total", model="flights") == 1


def test_outputs_that_are_no_number(client):
    assert value(client, "perennial_outputs_invalid_total", model="flights") is None
    client.app.state.metrics.count_invalid(
        "flights"
    )  # test_releases and test_outside provoke one with a spoilt model
    assert value(client, "perennial_outputs_invalid_total", model="flights") == 1


def test_the_log(store, bundles, serve, settings):
    put_release(store, 1, bundles["1"])
    failing = Failing(store)
    client = serve(
        failing, type(settings).model_validate({**settings.model_dump(), "log_when_full": "serve"})
    )
    client.post(PREDICT, json={"rows": [ROW] * 3})
    assert value(client, "perennial_log_rows_total", model="flights") == 3
    assert value(client, "perennial_log_writable", model="flights") == 1
    assert value(client, "perennial_log_unsent_seconds") == 0  # a folder has everything at once
    wait_until(lambda: value(client, "perennial_log_sync_seconds_count") == 1)
    assert 0 <= value(client, "perennial_log_sync_seconds_sum") < 60
    failing.error, failing.opening = "full", True
    client.post(PREDICT, json={"rows": [ROW] * 2})
    assert value(client, "perennial_log_rows_total", model="flights") == 3
    assert value(client, "perennial_log_lost_rows_total", model="flights") == 2
    assert value(client, "perennial_log_failures_total", model="flights", what="write") == 1
    assert value(client, "perennial_log_writable", model="flights") == 0


def test_labels(client):
    client.post(PREDICT, json={"row": ROW, "key": "k"})
    bodies = [
        {"key": "k", "label": 1},
        {"key": "k", "label": 1},
        {"key": "k", "label": 0},
        {"key": "n", "label": 0},
        {"key": "k", "label": 5},
    ]
    for body in bodies:
        client.post(FEEDBACK, json=body)
    counts = {
        o: value(client, "perennial_feedback_total", model="flights", outcome=o)
        for o in ("accepted", "repeated", "contradicting")
    }
    assert counts == {"accepted": 1, "repeated": 1, "contradicting": 1}
    assert value(client, "perennial_feedback_total", model="flights", outcome="unknown") == 1
    assert value(client, "perennial_feedback_total", model="flights", outcome="malformed") == 1
    assert value(client, "perennial_labels_total", model="flights") == 1


def test_the_newest_watch(client, store):
    publish_figures(
        store,
        "flights",
        FIGURES.model_copy(
            update={"window_end": datetime(2013, 5, 1, tzinfo=UTC), "verdict": "alarm"}
        ),
    )
    publish_figures(store, "flights", FIGURES)
    verdicts = {
        v: value(client, "perennial_drift_verdict", model="flights", verdict=v)
        for v in ("no_drift", "drift", "alarm")
    }
    assert verdicts == {"no_drift": 0, "drift": 1, "alarm": 0}
    assert value(client, "perennial_drift_verdict", model="flights", verdict="not_enough_data") == 0
    assert value(client, "perennial_drift_rows", model="flights") == 900
    assert value(client, "perennial_drift_columns", model="flights") == 2
    assert value(client, "perennial_drift_columns_watched", model="flights") == 12
    assert value(client, "perennial_label_coverage", model="flights") == 0.5
    assert value(client, "perennial_live_metric", model="flights", metric="roc_auc") == 0.61
    assert value(client, "perennial_expected_metric", model="flights", metric="roc_auc") == 0.7
    assert value(client, "perennial_drift_window_end_seconds", model="flights") == END.timestamp()


def test_a_window_that_is_looked_at_again_counts_anew(client, store):
    publish_figures(store, "flights", FIGURES)
    publish_figures(
        store, "flights", FIGURES.model_copy(update={"verdict": "no_drift", "live": None})
    )
    assert value(client, "perennial_drift_verdict", model="flights", verdict="no_drift") == 1
    assert value(client, "perennial_live_metric", model="flights", metric="roc_auc") is None


def test_a_model_that_was_never_watched_has_no_figures_and_broken_ones_hurt_nobody(
    client, store, bundles
):
    put_release(store, 1, bundles["regression"], model="minutes")
    client.look()
    assert value(client, "perennial_drift_rows", model="minutes") is None
    store.publish("watch/minutes/2013-06-01T00:00:00Z~000001", b"{")
    publish_figures(store, "flights", FIGURES)
    assert value(client, "perennial_drift_rows", model="minutes") is None
    assert value(client, "perennial_drift_rows", model="flights") == 900
