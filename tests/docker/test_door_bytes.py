"""Requests to the door that are torn, too long, ambiguous, or smuggled behind another."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

import pytest

from tests.docker.doors import ROOT, spoken

pytestmark = [pytest.mark.engine]
SMUGGLED = b"POST /containers/create?name=x HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n"


def test_a_context_that_is_too_long_is_refused(port):
    head = (
        b"POST /build?t=perennial/release-x:1&networkmode=none HTTP/1.1\r\nHost:"
        b" d\r\nContent-Length: 5000000\r\n\r\n"
    )
    assert spoken(port, head + bytes(5_000_000)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (
            (
                b"POST /_ping HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\nTransfer-Encoding:"
                b" chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (
            (
                b"POST /_ping HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\nContent-Length:"
                b" 5\r\n\r\nabcde"
            ),
            400,
        ),
        (b"POST /_ping HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 400),
        (b"POST /_ping HTTP/1.1\r\nHost: d\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
        (b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: a\r\n b\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET /_ping HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nabc", 403),
        (b"GET /v1.41/../info HTTP/1.1\r\nHost: d\r\n\r\n", 403),
        (b"GET /info HTTP/1.1\r\nHost: d\r\n\r\n", 403),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 403),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 400),
    ],
)
def test_a_request_that_can_be_read_in_two_ways_is_refused(port, head, status):
    answer = spoken(port, head)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["message"]


def test_what_follows_a_request_never_reaches_the_engine(engine, port):
    answer = spoken(port, b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n" + SMUGGLED * 3)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"OK")


def test_half_a_request_is_given_up(port):
    began = time.monotonic()
    assert spoken(port, b"GET /_ping HTTP/1.1\r\nHost: d").startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began > 5


def test_an_engine_that_is_away_is_a_named_error(engine, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "door",
        "--port",
        str(number),
        "--engine",
        str(tmp_path / "none.sock"),
    ]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as door:
        door.stderr.readline()
        answer = spoken(number, b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
        door.terminate()
        door.communicate()
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"does not answer the door" in answer
