"""The server as a process of its own.

Killed, restarted, stopped, and given new releases under load.
"""

from __future__ import annotations

import signal
import socket
import threading
from pathlib import Path

import httpx
import pytest

from pipelines.bundle.load import open_bundle
from tests.serving.bundles import put_bundle, put_release
from tests.serving.conftest import ROW, wait_until

pytestmark = pytest.mark.slow
PREDICT = "/models/flights/predict"


class Callers:
    """Clients that ask without a pause and keep every answer."""

    def __init__(self, url: str, count: int = 4):
        self.answers: list[dict] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(url,)) for _ in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, url: str) -> None:
        with httpx.Client() as client:
            while not self._stop.is_set():
                try:
                    answer = client.post(url + PREDICT, json={"row": ROW})
                except httpx.TransportError as error:
                    self.failures.append(repr(error))
                    continue
                if answer.status_code == 200:
                    self.answers.append(answer.json())
                else:
                    self.failures.append(answer.text)


def truth(store, bundles):
    return {v: open_bundle(store, bundles[v]).predictor.predict([ROW])[0, 0] for v in ("1", "2")}


def swapped_under_load(store, bundles, launch, swaps: int) -> None:
    put_release(store, 1, bundles["1"])
    server = launch()
    with Callers(server.url) as callers:
        wait_until(lambda: callers.answers)
        for number in range(2, 2 + swaps):
            version = "2" if number % 2 == 0 else "1"
            put_release(store, number, bundles[version], version=version)
            wait_until(lambda number=number: callers.answers[-1]["release"] == number)
    assert callers.failures == []
    assert {a["release"] for a in callers.answers} == set(range(1, 2 + swaps))
    by_version = truth(store, bundles)
    assert all(a["predictions"] == [by_version[a["version"]]] for a in callers.answers)
    assert all(a["version"] == ("2" if a["release"] % 2 == 0 else "1") for a in callers.answers)


def test_swaps_under_load_lose_and_mix_nothing(store, bundles, launch):
    swapped_under_load(store, bundles, launch, swaps=20)


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_hundreds_of_swaps_under_load(store, bundles, launch):
    swapped_under_load(store, bundles, launch, swaps=300)


def killed_and_restarted(store, bundles, launch, kills: int) -> None:
    put_release(store, 1, bundles["1"])
    put_release(store, 2, bundles["2"], version="2")
    port = None
    for _ in range(kills):
        server = launch(port=port)
        port = server.port
        with Callers(server.url, count=2) as callers:
            wait_until(lambda callers=callers: len(callers.answers) > 20)
            server.process.kill()
            server.process.wait()
        assert {(a["release"], a["version"]) for a in callers.answers} == {(2, "2")}
        assert {a["predictions"][0] for a in callers.answers} == {truth(store, bundles)["2"]}


def test_after_a_kill_the_same_release_serves(store, bundles, launch):
    killed_and_restarted(store, bundles, launch, kills=3)


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_after_each_of_a_hundred_kills_the_same_release_serves(store, bundles, launch):
    killed_and_restarted(store, bundles, launch, kills=100)


def test_a_spoilt_release_is_refused_under_load_without_a_failed_request(store, bundles, launch):
    put_release(store, 1, bundles["1"])
    server = launch()
    victim = store.root / open_bundle(store, bundles["2"]).manifest.onnx.uri
    data = bytearray(victim.read_bytes())
    data[100] ^= 1
    victim.write_bytes(data)
    with Callers(server.url) as callers:
        wait_until(lambda: callers.answers)
        put_release(store, 2, bundles["2"], version="2")
        refused = wait_until(lambda: httpx.get(f"{server.url}/models/flights").json()["refused"])
        before = len(callers.answers)
        wait_until(lambda: len(callers.answers) > before)
    assert victim.name in refused["reason"]
    assert callers.failures == []
    assert {a["version"] for a in callers.answers} == {"1"}
    assert victim.name in server.log.read_text()


def test_a_request_under_way_is_finished_before_the_server_stops(store, bundles, launch):
    put_release(store, 1, bundles["1"])
    server = launch()
    body = httpx.Request("POST", "http://x", json={"row": ROW}).content
    head = (
        f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Type:"
        f" application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head + body[:10])
        wait_until(lambda: _open_connections(server.process.pid))
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "Shutting down" in server.log.read_text())
        connection.sendall(body[10:])
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200")
    server.process.wait(timeout=15)


def _open_connections(pid: int) -> bool:
    import psutil

    return any(c.status == psutil.CONN_ESTABLISHED for c in psutil.Process(pid).net_connections())


def test_it_listens_on_loopback_only_and_does_not_say_what_it_is(store, bundles, launch):
    import psutil

    put_release(store, 1, bundles["1"])
    server = launch()
    listening = [
        c.laddr.ip
        for c in psutil.Process(server.process.pid).net_connections()
        if c.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]
    assert "server" not in httpx.get(f"{server.url}/health").headers


def test_with_compiled_models_the_server_loads_neither_pandas_nor_scikit_learn(
    store, bundles, launch
):
    put_release(store, 1, bundles["1"])
    server = launch()
    assert httpx.post(server.url + PREDICT, json={"row": ROW, "key": "k"}).status_code == 200
    assert (
        httpx.post(
            server.url + "/models/flights/feedback", json={"key": "k", "label": 1}
        ).status_code
        == 200
    )
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "onnxruntime" in maps
    assert not any(
        f"site-packages/{name}/" in maps for name in ("pandas", "sklearn", "scipy", "pyarrow")
    )


def test_a_native_model_serves_the_same_way(store, launch):
    ref = put_bundle(store, version="9", compiled=False)
    put_release(store, 1, ref, version="9")
    server = launch()
    predictions = httpx.post(server.url + PREDICT, json={"row": ROW}).json()["predictions"]
    assert predictions == open_bundle(store, ref).predictor.predict([ROW])[:, 0].tolist()
    assert httpx.get(f"{server.url}/models/flights").json()["compiled"] is False


def test_a_wrong_setting_is_named(launch):
    with pytest.raises(AssertionError, match="PERENNIAL_MAX_ROWS"):
        launch(PERENNIAL_MAX_ROWS="many")
