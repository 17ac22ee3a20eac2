"""Ambiguous requests to a real server, straight and through a real HAProxy with the gateway's
configuration.

Each has exactly the answers that it must have, whatever it hides; every prediction that was
answered is logged, and no other.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from pipelines.store.local import LocalStore
from tests.serving.ambiguous import CASES, H2C, INNER, LENGTH, PLAIN, get, post
from tests.serving.bundles import put_release
from tests.serving.conftest import ROOT, ROW, free_port, launched, wait_until
from tests.serving.logged import records
from tests.serving.raw_connection import received, statuses

pytestmark = pytest.mark.slow
GATEWAY = ROOT / "docker" / "gateway"


@pytest.fixture(scope="module")
def world(shelf, tmp_path_factory):
    """A server with one model; yields its port and its store."""
    folder = tmp_path_factory.mktemp("ambiguous")
    shutil.copytree(shelf[0].root, folder / "store")
    store = LocalStore(folder / "store")
    put_release(store, 1, shelf[1]["1"])
    with launched(folder, store) as server:
        yield server.port, store


@pytest.fixture(scope="module")
def gateway(world, tmp_path_factory):
    """HAProxy with the gateway's configuration in front of the server; yields its port."""
    if not shutil.which("haproxy"):
        pytest.skip("HAProxy is not installed (Debian: apt-get install haproxy)")
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "routes.map").write_text("flights perennial-release-flights-1\n")
    port = free_port()
    (folder / "haproxy.cfg").write_text(configuration(folder, port, world[0]))
    process = subprocess.Popen(
        ["haproxy", "-db", "-f", folder / "haproxy.cfg"],
        env=os.environ | {"HOSTS": "models.example"},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: process.poll() is not None or accepts(port))
        assert process.poll() is None
        yield port
    finally:
        process.kill()
        process.wait()


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def configuration(folder: Path, port: int, release: int) -> str:
    """Return the gateway's own configuration.

    This machine's places instead of the container's, one release instead of Docker's DNS.
    """
    text = (GATEWAY / "haproxy.cfg").read_text()
    for old, new in (
        ("/gateway/", f"{folder}/"),
        ("/etc/haproxy", str(GATEWAY)),
        ("bind :8000", f"bind 127.0.0.1:{port}"),
        ("    http-request do-resolve(txn.address,docker,ipv4) var(txn.release)\n", ""),
        ("!{ var(txn.address) -m found }", "{ always_false }"),
        ("    http-request set-dst var(txn.address)\n", ""),
        ("0.0.0.0:8000", f"127.0.0.1:{release}"),
    ):
        assert old in text
        text = text.replace(old, new)
    return text


def check(port: int, store: LocalStore, sent: bytes, expected: list[int], after: int = 0) -> None:
    before = len(records(store))
    answers = received(port, sent, after=after)
    assert statuses(answers) == expected
    new = records(store)[before:]
    assert len(new) == answers.count(b'"predictions"')
    assert b"smuggled" not in answers
    assert "smuggled" not in {record.request_id for record in new}


@pytest.mark.parametrize("name", CASES)
def test_the_server_answers_what_was_asked_and_nothing_else(world, name):
    port, store = world
    check(port, store, CASES[name].sent, CASES[name].answers)


@pytest.mark.parametrize("name", CASES)
def test_the_same_through_the_gateway(world, gateway, name):
    sent, direct, behind = CASES[name]
    answers = direct if behind is None else behind
    whole = len(answers) - (
        answers[-1:] == [400]
    )  # a 400 at the end may answer what the client broke off
    check(gateway, world[1], sent, answers, after=whole)


@pytest.mark.parametrize("through", ["server", "gateway"])
@pytest.mark.parametrize(
    "one", [PLAIN, get(), post(*H2C, LENGTH)], ids=["predictions", "nothing but heads", "upgrades"]
)
def test_a_thousand_requests_in_one_packet_are_answered_in_order(world, gateway, through, one):
    port, store = world[0] if through == "server" else gateway, world[1]
    before = len(records(store))
    named = [one.replace(b"\r\n", b"\r\nX-Request-ID: n%d\r\n" % i, 1) for i in range(999)]
    last = one.replace(b"\r\n", b"\r\nConnection: close\r\nX-Request-ID: n999\r\n", 1).replace(
        b"Connection: Upgrade, HTTP2-Settings\r\n", b""
    )
    answers = received(port, b"".join([*named, last, INNER]), half_closes=False)
    assert statuses(answers) == [200] * 1_000
    found = [
        line.split(b": ")[1]
        for line in answers.split(b"\r\n")
        if line.lower().startswith(b"x-request-id")
    ]
    assert found == [b"n%d" % i for i in range(1_000)]
    assert len(records(store)) - before == answers.count(b'"predictions"')


def test_a_client_that_reads_no_answers_is_read_no_further(world):
    port, store = world
    before = len(records(store))
    sent = 0
    with (
        socket.create_connection(("127.0.0.1", port), timeout=1) as connection,
        contextlib.suppress(TimeoutError),
    ):
        while sent < 64 * 2**20:
            sent += connection.send(PLAIN * 200)
    assert sent < 32 * 2**20
    assert len(records(store)) - before < sent / len(PLAIN)


def test_names_from_the_settings_reach_the_gateway(gateway):
    for host, status in (
        (b"models.example", 404),
        (b"MODELS.example:8000", 404),
        (b"10.0.0.7:8000", 404),
        (b"[::1]", 404),
        (b"x.localhost", 404),
    ):
        assert statuses(received(gateway, b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host)) == [
            status
        ], host
    for host in (
        b"evil.example",
        b"models.example.evil.example",
        b"localhost.evil.example",
        b"1.evil.example",
        b"127.0.0.1.evil.example",
    ):
        assert statuses(received(gateway, b"GET /health HTTP/1.1\r\nHost: %s\r\n\r\n" % host)) == [
            403
        ], host


def test_every_answer_of_the_gateway_itself_is_whole_and_json(gateway):
    for file in GATEWAY.glob("*.http"):
        head, body = file.read_bytes().split(b"\r\n\r\n", 1)
        assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
        assert set(json.loads(body)["error"]) == {"code", "message"}


@pytest.mark.parametrize("through", ["server", "gateway"])
def test_the_http_client_of_java_can_predict(world, gateway, through):
    if not shutil.which("java"):
        pytest.skip("java is not installed")
    port = world[0] if through == "server" else gateway
    command = [
        "java",
        "-Xshare:auto",
        str(Path(__file__).with_name("Client.java")),
        f"http://127.0.0.1:{port}/models/flights/predict",
    ]
    done = subprocess.run(
        [*command, json.dumps({"row": ROW})],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert [line.split(" ", 1)[0] for line in lines] == ["200"] * 3
    assert all(len(json.loads(line.split(" ", 1)[1])["predictions"]) == 1 for line in lines)
