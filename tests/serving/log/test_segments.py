"""When a new segment begins, and when what was written reaches the disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.inference_log.format import Header
from pipelines.settings import Settings
from serving.app import create_app
from serving.log.segments import Segments
from serving.prometheus import Metrics
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, InProcess, wait_until
from tests.serving.log.flights import PREDICT, metric
from tests.serving.logged import Failing, written

SLACK = 10
"""Seconds that a thread may wait for a processor of a busy machine."""


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
