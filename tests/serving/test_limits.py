"""Limits over real HTTP: bodies without end, clients without haste, too many of them."""

from __future__ import annotations

import contextlib
import json
import socket
import time

import httpx
import pytest

from serving.strict_protocol import HEAD_LIMIT, MAX_CONNECTIONS
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, wait_until

pytestmark = pytest.mark.slow
PREDICT = "/models/flights/predict"
HUNDRED = 100 * 2**20
PIECE = b" " * 65_536


@pytest.fixture
def server(store, bundles, launch):
    put_release(store, 1, bundles["1"])
    return launch(PERENNIAL_BODY_TIMEOUT_SECONDS="1", PERENNIAL_BODY_LIMIT="1048576")


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def still_answers(server) -> bool:
    return httpx.post(server.url + PREDICT, json={"row": ROW}).status_code == 200


def head(*headers: str) -> bytes:
    return "\r\n".join(
        [
            f"POST {PREDICT} HTTP/1.1",
            "Host: localhost",
            "Content-Type: application/json",
            *headers,
            "",
            "",
        ]
    ).encode()


def test_a_hundred_megabytes_are_413_and_memory_stays_flat(server):
    before = server.megabytes()
    for _ in range(3):
        answer = httpx.post(server.url + PREDICT, content=b" " * HUNDRED)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    assert server.megabytes() - before < 10
    assert still_answers(server)


def test_a_hundred_megabytes_in_chunks_are_413_and_memory_stays_flat(server):
    before = server.megabytes()
    answer = httpx.post(server.url + PREDICT, content=(PIECE for _ in range(HUNDRED // len(PIECE))))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    assert server.megabytes() - before < 10
    assert still_answers(server)


def test_a_body_that_is_announced_too_large_is_answered_before_it_is_sent(server):
    with connect(server) as connection:
        connection.sendall(head(f"Content-Length: {HUNDRED}", "Expect: 100-continue"))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come_is_408_and_the_connection_closes(server):
    with connect(server) as connection:
        connection.sendall(head("Content-Length: 100") + b"{")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"body_timeout" in answer
    assert still_answers(server)


def test_a_body_that_drips_is_408(server):
    with connect(server) as connection:
        connection.sendall(head("Transfer-Encoding: chunked"))
        with contextlib.suppress(OSError):
            for _ in range(100):
                connection.sendall(b"1\r\n{\r\n")
                time.sleep(0.05)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param((b"GET /", b"a"), id="a path without end"),
        pytest.param((b"GET / HTTP/1.1\r\nX: ", b"a"), id="a header without end"),
        pytest.param((b"GET / HTTP/1.1\r\n", b"X: y\r\n"), id="headers without end"),
    ],
)
def test_a_head_without_end_is_refused_and_memory_stays_flat(server, flood):
    before = server.megabytes()
    begin, piece = flood
    with connect(server) as connection, contextlib.suppress(OSError):
        connection.sendall(begin + piece * (HUNDRED // len(piece)))
    assert server.megabytes() - before < 10
    assert still_answers(server)


def test_a_head_above_the_limit_is_told_so(server):
    with connect(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(HEAD_LIMIT // 1_000 + 1):
            connection.sendall(b"X: " + b"a" * 995 + b"\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 431")


def test_a_client_that_says_nothing_or_only_half_is_let_go(server):
    with connect(server) as silent, connect(server) as half:
        half.sendall(b"GET /health HTTP/1.1\r\nX:")
        assert silent.recv(65_536).startswith(b"HTTP/1.1 408")
        assert half.recv(65_536).startswith(b"HTTP/1.1 408")


def test_what_is_no_http_is_answered_as_json(server):
    with connect(server) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400")
    start, body = answer.split(b"\r\n\r\n", 1)
    problem = json.loads(body)
    assert problem["error"]["code"] == "bad_request"
    assert f"x-request-id: {problem['request_id']}".encode() in start.split(b"\r\n")


def test_a_kept_connection_answers_many_requests(server):
    body = json.dumps({"row": ROW}).encode()
    one = head(f"Content-Length: {len(body)}") + body
    with connect(server) as connection:
        connection.sendall(one * 5)
        connection.shutdown(socket.SHUT_WR)
        answers = connection.makefile("rb").read()
    assert answers.count(b"HTTP/1.1 200") == 5


def test_connections_beyond_the_limit_are_told_to_come_back(server):
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(MAX_CONNECTIONS)]
        for connection in connections:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        answer = httpx.get(f"{server.url}/health")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "1"
    wait_until(lambda: httpx.get(f"{server.url}/health").status_code == 200)


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(server):
    for _ in range(50):
        with connect(server) as connection:
            connection.sendall(head("Content-Length: 100") + b"{")
    assert still_answers(server)
    assert "Exception" not in server.log.read_text()
