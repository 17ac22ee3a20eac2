"""The inference log where the store is in a bucket: written here first, and sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.errors import Unreachable
from pipelines.inference_log.join import join_labels
from pipelines.inference_log.reader import read_labels, read_log
from pipelines.inference_log.rotation import rotate
from pipelines.settings import Settings
from serving.app import create_app
from serving.log.sending import Sender
from serving.prometheus import Metrics
from tests.bad_network import bad_network
from tests.buckets import bucket_store, moto
from tests.serving.bundles import put_release
from tests.serving.conftest import InProcess, wait_until
from tests.serving.feedback.labels import counts, predict, tell

pytestmark = pytest.mark.slow

METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")


@pytest.fixture(scope="module")
def endpoint():
    with moto() as endpoint:
        yield endpoint


@pytest.fixture
def network(endpoint):
    """A way to the bucket that can be blocked."""
    with bad_network(endpoint.url) as network:
        yield network


@pytest.fixture
def address(endpoint):
    with endpoint.bucket() as address:
        yield address


@pytest.fixture
def far(address, network, tmp_path):
    """The serving host's store."""
    return bucket_store(replace(address, endpoint=network.url, retry_seconds=0.3), tmp_path / "far")


@pytest.fixture
def settings(store, bundles, tmp_path):
    """Releases come from a folder, what is logged goes to a bucket."""
    put_release(store, 1, bundles["1"])
    return Settings(
        state=tmp_path / "state",
        store="s3://elsewhere",
        releases=str(store.root),
        serving_poll_seconds=60,
        log_send_seconds=3_600,
        body_limit=20_000,
        max_rows=50,
    )


def block(network):
    for method in METHODS:
        network.refuse(method, 503, "SlowDown")


def test_answers_and_labels_never_wait_for_the_bucket(far, network, settings):
    block(network)
    with InProcess(create_app(settings, far)) as client:
        request = predict(client)
        assert tell(client, request_id=request, label=1).json()["accepted"] == 1
        assert tell(client, request_id=request, label=1).json()["repeated"] == 1
        assert counts(client) == {"accepted": 1, "repeated": 1}
    assert sum(n for (_, status), n in network.answers.items() if status != 503) == 0


def test_what_was_sent_is_read_once_on_every_host(far, address, network, settings, tmp_path):
    sender = Sender(far, settings, Metrics())
    with InProcess(create_app(settings, far)) as client:
        requests = [predict(client) for _ in range(3)]
        tell(client, request_id=requests[0], label=1)
        assert sender.send() == 0  # both segments are open
    block(network)
    with pytest.raises(Unreachable):
        sender.send()
    assert len(far.near_segments()) == 2
    network.refusals.clear()
    assert sender.send() == 2
    assert far.near_segments() == []

    other = bucket_store(address, tmp_path / "other")
    assert read_log(other, "flights").rows["request_id"].to_pylist() == requests
    assert read_labels(other, "flights").table.num_rows == 1
    assert rotate(other, "flights", catch_up=lambda _: None).segments == 2
    assert list(other.contents("segments")) == []
    for host in (far, other):
        assert read_log(host, "flights").rows["request_id"].to_pylist() == requests

    with InProcess(create_app(settings, far)) as client:
        assert tell(client, request_id=requests[0], label=1).json()["repeated"] == 1
        assert tell(client, request_id=requests[1], label=0).json()["accepted"] == 1


def test_a_label_for_a_row_that_another_host_answered_is_taken_once_it_was_sent(
    far, address, settings, tmp_path
):
    other = bucket_store(address, tmp_path / "other")
    elsewhere = settings.replace(state=tmp_path / "other-state")
    with InProcess(create_app(settings, far)) as client:
        request = predict(client)
    with InProcess(create_app(elsewhere, other)) as client:
        assert tell(client, request_id=request, label=1).status_code == 404
        Sender(far, settings, Metrics()).send()
        assert tell(client, request_id=request, label=1).json()["accepted"] == 1


def test_a_label_for_a_row_that_was_rotated_before_a_host_began_is_taken_unchecked(
    far, address, settings, tmp_path
):
    other = bucket_store(address, tmp_path / "other")
    with InProcess(create_app(settings, far)) as client:
        request = predict(client)
    Sender(far, settings, Metrics()).send()
    assert rotate(other, "flights", catch_up=lambda _: None).segments == 1
    with InProcess(create_app(settings.replace(state=tmp_path / "later"), other)) as client:
        answer = tell(client, request_id=request, label=1)
        assert answer.status_code == 200
        assert (answer.json()["accepted"], answer.json()["unchecked"]) == (0, 1)
        assert tell(client, request_id=request, label=0).status_code == 409
        assert counts(client) == {"unchecked": 1, "contradicting": 1}
    assert Sender(other, settings, Metrics()).send() == 1
    rows = join_labels(read_log(far, "flights"), read_labels(far, "flights")).rows
    assert rows["label"].to_pylist() == [1.0]


def test_a_killed_sender_leaves_one_row_and_not_two(far, address, settings, tmp_path):
    with InProcess(create_app(settings, far)) as client:
        request = predict(client)
    (name,) = far.near_segments()
    far.client.put(f"segments/{name}", far.read_segment(name) or b"")  # and no further
    other = bucket_store(address, tmp_path / "other")
    assert rotate(other, "flights", catch_up=lambda _: None).segments == 1
    for host in (far, other):
        assert read_log(host, "flights").rows["request_id"].to_pylist() == [request]
    assert Sender(far, settings, Metrics()).send() == 1
    assert read_log(other, "flights").rows["request_id"].to_pylist() == [request]
    rotate(other, "flights", catch_up=lambda _: None)
    assert list(other.contents("segments")) == []


def test_a_segment_is_closed_when_it_is_old_so_that_it_can_be_sent(far, settings):
    settings = settings.replace(log_send_seconds=0.2, log_sync_seconds=0.05)
    with InProcess(create_app(settings, far)) as client:
        predict(client)
        wait_until(lambda: not far.near_segments())
        assert read_log(far, "flights").rows.num_rows == 1
        wait_until(lambda: "perennial_log_unsent_seconds 0.0" in client.get("/metrics").text)


def test_what_a_pod_closes_at_its_end_is_sent(far, settings, tmp_path):
    pod = settings.replace(draining=tmp_path / "draining")
    with InProcess(create_app(pod, far)) as client:
        predict(client)
        assert read_log(far, "flights").rows.num_rows == 1
        assert far.near_segments()
    assert far.near_segments() == [], "a pod's disk goes with it"
    assert read_log(far, "flights").rows.num_rows == 1
