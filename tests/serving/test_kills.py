"""The server is killed (-9) under load, again and again.

Whatever was answered is in the log exactly once, labels too.
"""

from __future__ import annotations

import resource
import threading
from collections import Counter

import httpx
import pytest

from pipelines.inference_log.reader import read_labels, read_log
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, wait_until
from tests.serving.logged import records, written

pytestmark = pytest.mark.slow
PREDICT = "/models/flights/predict"
FEEDBACK = "/models/flights/feedback"


class Callers:
    """Clients that predict without a pause, one row or many, and send labels.

    They remember what was answered with 200.
    """

    def __init__(self, url: str, turn: int, count: int = 3):
        self.answered: Counter = Counter()
        self.labelled: list[str] = []
        self.odd: list[str] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(url, f"{turn}-{n}")) for n in range(count)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, url: str, name: str) -> None:
        number = 0
        with httpx.Client(base_url=url) as client:
            while not self._stop.is_set():
                number += 1
                try:
                    self._once(
                        client,
                        f"{name}-{number}",
                        rows=40 if number % 10 == 0 else 1,
                        label=number % 4 == 0,
                    )
                except httpx.TransportError:
                    continue

    def _once(self, client: httpx.Client, request: str, rows: int, *, label: bool) -> None:
        body = {"rows": [ROW] * rows, "keys": [f"{request}/{i}" for i in range(rows)]}
        answer = client.post(PREDICT, json=body, headers={"X-Request-ID": request})
        if answer.status_code != 200 or answer.json()["request_id"] != request:
            self.odd.append(answer.text)
            return
        self.answered[request] = rows
        if label:
            response = client.post(FEEDBACK, json={"key": f"{request}/0", "label": 1})
            if response.status_code != 200:
                self.odd.append(response.text)
                return
            self.labelled.append(f"k:{request}/0")


def killed(store, bundles, launch, kills: int, **environment: str) -> tuple[Counter, list[str]]:
    """Kill the server so often, look after each kill, and return what was answered and which labels
    were taken in all."""
    put_release(store, 1, bundles["1"])
    answered: Counter = Counter()
    labelled: list[str] = []
    port = None
    for turn in range(kills):
        server = launch(port=port, **environment)
        port = server.port
        with Callers(server.url, turn) as callers:
            wait_until(
                lambda callers=callers: len(callers.answered) > 60 and len(callers.labelled) > 5
            )
            server.process.kill()
            server.process.wait()
        assert callers.odd == []
        answered |= callers.answered
        labelled += callers.labelled
        in_log = Counter(r.request_id for r in records(store))
        assert set(in_log.values()) == {1}
        assert answered.keys() <= in_log.keys()
    return answered, labelled


def exactly_once(store, bundles, launch, kills: int) -> None:
    answered, labelled = killed(store, bundles, launch, kills, PERENNIAL_LOG_SEGMENT_BYTES="20000")
    rows = {r.request_id: len(r.rows) for r in records(store)}
    assert {request: rows[request] for request in answered} == answered
    in_log = Counter(r.identity for r in records(store, kind="labels"))
    assert set(in_log.values()) == {1}
    assert set(labelled) <= set(in_log)
    assert len(written(store)) > kills
    read = read_log(store, "flights")
    assert read.damage == []
    assert read.rows.num_rows == sum(rows.values())
    assert read_labels(store, "flights").table.num_rows == len(in_log)
    server = launch()
    again = [{"key": name.removeprefix("k:"), "label": 1} for name in labelled]
    answer = httpx.post(server.url + FEEDBACK, json={"labels": again[:1_000]}, timeout=60)
    assert (answer.status_code, answer.json()["repeated"]) == (200, min(1_000, len(labelled)))


def test_what_was_answered_before_a_kill_is_in_the_log_exactly_once(store, bundles, launch):
    exactly_once(store, bundles, launch, kills=3)


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_twenty_kills(store, bundles, launch):
    exactly_once(store, bundles, launch, kills=20)


@pytest.mark.parametrize("policy", ["refuse", "serve"])
def test_a_file_that_may_not_grow_is_a_full_disk(store, bundles, launch, policy):
    """The kernel itself refuses the write (RLIMIT_FSIZE), in the middle of a line."""
    put_release(store, 1, bundles["1"])
    server = launch(PERENNIAL_LOG_WHEN_FULL=policy)
    with httpx.Client(base_url=server.url) as client:
        for i in range(100):
            assert client.post(PREDICT, json={"row": ROW, "key": f"before {i}"}).status_code == 200
        (segment,) = store.segments("inference/flights/predictions")
        size = len(store.read_segment(segment))
        resource.prlimit(
            server.process.pid, resource.RLIMIT_FSIZE, (size + 20, resource.RLIM_INFINITY)
        )
        answer = client.post(PREDICT, json={"row": ROW, "key": "while full"})
        assert answer.status_code == (503 if policy == "refuse" else 200)
        assert len(store.read_segment(segment)) == size
        assert (
            'perennial_log_lost_rows_total{model="flights"} 1.0' in client.get("/metrics").text
        ) == (policy == "serve")
        assert client.get("/ready").status_code == (503 if policy == "refuse" else 200)
        resource.prlimit(
            server.process.pid,
            resource.RLIMIT_FSIZE,
            (resource.RLIM_INFINITY, resource.RLIM_INFINITY),
        )
        assert client.post(PREDICT, json={"row": ROW, "key": "after"}).status_code == 200
        assert client.get("/ready").status_code == 200
    assert [r.keys for r in records(store)] == [[f"before {i}"] for i in range(100)] + [["after"]]
    assert all(s.torn == b"" for s in written(store))
