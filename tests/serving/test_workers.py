"""Several workers on one port.

What they count is added up, one that dies is replaced, all end with their supervisor.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, wait_until
from tests.serving.logged import records, written

pytestmark = pytest.mark.slow
PREDICT = "/models/flights/predict"
FEEDBACK = "/models/flights/feedback"


@pytest.fixture
def server(store, bundles, launch):
    put_release(store, 1, bundles["1"])
    server = launch(PERENNIAL_SERVING_WORKERS="2")
    wait_until(lambda: len(workers(server)) == 2)
    return server


def workers(server) -> list[int]:
    """Return the process ids of the workers that serve (their parent's other children, such as a
    resource tracker, do not)."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [
            p.pid
            for p in psutil.Process(server.process.pid).children()
            if "onnxruntime" in maps(p.pid)
        ]
    return []


def maps(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""


def connections(server) -> dict[str, set[str]]:
    """Return on which addresses the server has connections, by their state."""
    by_worker: dict[str, set[str]] = {}
    for process in (server.process.pid, *workers(server)):
        for connection in psutil.Process(process).net_connections():
            by_worker.setdefault(connection.status, set()).add(connection.laddr.ip)
    return by_worker


def predict(server, key: str) -> httpx.Response:
    return httpx.post(server.url + PREDICT, json={"row": ROW, "key": key})


def by_worker(store) -> dict[int, int]:
    """Return how many requests each worker answered, by the process id in its segments' names."""
    found: dict[int, int] = {}
    for segment in written(store):
        pid = int(segment.name.rsplit("-", 2)[1])
        found[pid] = found.get(pid, 0) + len(segment.records)
    return found


def ask_until_both_answered(server, store) -> int:
    """Ask over new connections until two workers have answered 20 requests each.

    Return how many that were.
    """
    count = 0

    def both() -> bool:
        nonlocal count
        for _ in range(50):
            assert predict(server, f"k{count}").status_code == 200
            count += 1
        return len([n for n in by_worker(store).values() if n >= 20]) >= 2

    wait_until(both)
    return count


def samples(server) -> dict:
    text = httpx.get(f"{server.url}/metrics").text
    return {
        (s.name, *sorted(s.labels.items())): s.value
        for f in text_string_to_metric_families(text)
        for s in f.samples
    }


def of(found, name, **labels):
    return found.get((name, *sorted(labels.items())))


def test_the_sums_of_two_workers_are_right_whoever_is_asked(server, store):
    count = ask_until_both_answered(server, store)
    for i in range(20):
        assert (
            httpx.post(server.url + FEEDBACK, json={"key": f"k{i}", "label": 1}).status_code == 200
        )
        assert (
            httpx.post(server.url + FEEDBACK, json={"key": f"k{i}", "label": 1}).json()["repeated"]
            == 1
        )
    assert len(records(store, kind="labels")) == 20
    for _ in range(10):
        found = samples(server)
        assert of(found, "perennial_rows_total", model="flights") == count
        assert of(found, "perennial_log_rows_total", model="flights") == count
        assert (
            of(
                found,
                "perennial_requests_total",
                model="flights",
                route="/models/{name}/predict",
                status="200",
            )
            == count
        )
        assert of(found, "perennial_request_seconds_count", route="/models/{name}/predict") == count
        assert of(found, "perennial_release", model="flights") == 1
        assert of(found, "perennial_log_writable", model="flights") == 1
        assert of(found, "perennial_release_swaps_total", model="flights") == 2
        assert of(found, "perennial_labels_total", model="flights") == 20
        assert of(found, "perennial_feedback_total", model="flights", outcome="repeated") == 20
    assert not [key for key in found if "pid" in dict(key[1:])]


def test_a_worker_that_dies_is_replaced_and_what_it_counted_stays(server, store):
    count = ask_until_both_answered(server, store)
    victim = workers(server)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in workers(server) and len(workers(server)) == 2)
    found = samples(server)
    assert of(found, "perennial_rows_total", model="flights") == count
    assert of(found, "perennial_release", model="flights") == 1
    assert predict(server, "after").status_code == 200
    assert sum(by_worker(store).values()) == count + 1


def test_a_new_release_reaches_every_worker(server, store, bundles):
    put_release(store, 2, bundles["2"], version="2")
    wait_until(lambda: of(samples(server), "perennial_release", model="flights") == 2)
    assert {predict(server, f"k{i}").json()["release"] for i in range(30)} == {2}


def test_counts_begin_anew_with_the_server(server, store, launch):
    predict(server, "k")
    server.process.terminate()
    server.process.wait(timeout=20)
    again = launch(port=server.port, PERENNIAL_SERVING_WORKERS="2")
    assert of(samples(again), "perennial_rows_total", model="flights") in {None, 0}


def test_workers_end_with_a_supervisor_that_is_killed(server):
    pids = workers(server)
    server.process.kill()
    server.process.wait()
    wait_until(
        lambda: (
            not any(
                psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
                for pid in pids
            )
        )
    )


def test_requests_under_way_are_finished_before_the_workers_stop(server):
    body = httpx.Request("POST", "http://x", json={"row": ROW}).content
    head = (
        f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Type:"
        f" application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head + body[:10])
        wait_until(
            lambda: any(
                c.status == psutil.CONN_ESTABLISHED
                for pid in workers(server)
                for c in psutil.Process(pid).net_connections()
            )
        )
        server.process.terminate()
        wait_until(lambda: "Shutting down" in server.log.read_text())
        connection.sendall(body[10:])
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert server.process.wait(timeout=20) == 0


def test_they_listen_on_loopback_only(server):
    assert connections(server)["LISTEN"] == {"127.0.0.1"}


def test_a_port_that_is_taken_ends_the_server_and_leaves_the_other_one_s_counts(launch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        counts = tmp_path / "serving" / f"counts-{port}" / "counter_1.db"
        counts.parent.mkdir(parents=True)
        counts.touch()
        with pytest.raises(AssertionError, match="Address already in use"):
            launch(port=port, PERENNIAL_SERVING_WORKERS="2")
        assert counts.exists()
