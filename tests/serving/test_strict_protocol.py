"""The protocol on a transport in memory.

How packets are cut changes nothing, order is kept, and only so much is held.
"""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest
import uvicorn
from uvicorn.server import ServerState

from serving.strict_protocol import MAX_WAITING, PIECE, StrictProtocol
from tests.serving.ambiguous import CASES, H2C, LENGTH, PLAIN, get, post
from tests.serving.raw_connection import statuses

NO_HTTP = b"\x16\x03\x01\r\n\r\n"


class Transport(asyncio.Transport):
    """Keeps what is written; tells whether it would read."""

    def __init__(self):
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = b""
        self.reads = True
        self.closed = False

    def write(self, data):
        if not self.closed:
            self.written += data

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        self.reads = False

    def resume_reading(self):
        self.reads = True


async def read_body(receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        body, more = body + message["body"], message["more_body"]
    return body


class Echo:
    """Answers with the method and the body.

    Counts how many it answers, each after `gate` is set.
    """

    def __init__(self):
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls = 0

    async def __call__(self, scope, receive, send):
        try:
            body = await read_body(receive)
        except ConnectionError:
            return
        await self.gate.wait()
        self.calls += 1
        found = scope["method"].encode() + b" " + scope["path"].encode() + b" " + body
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", b"%d" % len(found))],
            }
        )
        await send({"type": "http.response.body", "body": found})


class Connection:
    """A connection to an `Echo`."""

    def __init__(self, protocol=StrictProtocol):
        self.app, self.transport = Echo(), Transport()
        config = uvicorn.Config(
            self.app,
            log_config=None,
            ws="none",
            lifespan="off",
            server_header=False,
            date_header=False,
        )
        self.protocol = protocol(config=config, server_state=ServerState(), app_state={})
        self.protocol.connection_made(self.transport)

    async def send(self, *packets: bytes) -> None:
        for packet in packets:
            self.protocol.data_received(packet)
            await self.settle()

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def wait(self, count: int) -> None:
        # The protocol under test sets no event.
        while len(statuses(self.transport.written)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0)


def run(scenario):
    """Run a scenario that takes a fresh connection, within ten seconds."""

    async def body():
        async with asyncio.timeout(10):
            return await scenario(Connection())

    return asyncio.run(body())


@pytest.mark.parametrize(
    "name",
    [
        "h2c is offered",
        "h2c is offered with chunks",
        "h2c is offered three times",
        "a trailer",
        "HTTP/1.0",
    ],
)
def test_however_a_packet_is_cut_the_answers_are_the_same(name):
    sent = CASES[name].sent

    async def whole(connection):
        await connection.send(sent)
        return connection.transport.written

    async def cut(connection, at):
        await connection.send(sent[:at], sent[at:])
        return connection.transport.written

    expected = run(whole)
    assert statuses(expected) == CASES[name].answers
    for at in range(1, len(sent)):
        assert run(lambda connection, at=at: cut(connection, at)) == expected, at


def test_a_body_behind_an_offered_upgrade_is_a_body():
    async def scenario(connection):
        await connection.send(post(*H2C, LENGTH) + get())
        return connection.transport.written.split(b"\r\n\r\n")

    _, second, last = run(scenario)
    assert second.startswith(b"POST /models/flights/predict {")
    assert last == b"GET /models/flights "


def test_what_is_no_http_is_answered_after_all_that_was_asked_before():
    async def scenario(connection):
        connection.app.gate.clear()
        await connection.send(PLAIN * 3 + NO_HTTP + PLAIN)
        assert connection.transport.written == b""
        connection.app.gate.set()
        await connection.wait(4)
        return connection

    connection = run(scenario)
    assert statuses(connection.transport.written) == [200, 200, 200, 400]
    assert connection.transport.closed


def test_a_body_that_breaks_is_answered_once_and_in_its_place():
    broken = post(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\nzz\r\n")

    async def scenario(connection):
        connection.app.gate.clear()
        await connection.send(PLAIN + broken + PLAIN)
        connection.app.gate.set()
        await connection.wait(2)
        return connection

    connection = run(scenario)
    assert statuses(connection.transport.written) == [200, 400]
    assert connection.app.calls == 1


def test_a_flood_of_requests_is_answered_while_little_of_it_is_held():
    flood = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000
    waiting = []

    async def scenario(connection):
        connection.app.gate.clear()
        tracemalloc.start()
        connection.protocol.data_received(flood)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        waiting.append(len(connection.protocol.pipeline))
        assert not connection.transport.reads
        connection.app.gate.set()
        seen = 0
        while seen < 20_000:
            await asyncio.sleep(0)
            waiting.append(len(connection.protocol.pipeline))
            seen = connection.app.calls
        await connection.settle()
        assert connection.transport.reads
        return held, connection.transport.written.count(b"HTTP/1.1 200")

    held, answered = run(scenario)
    assert answered == 20_000
    assert max(waiting) <= MAX_WAITING + PIECE // 26
    assert held < 2 * len(flood)


def test_nothing_more_is_read_until_what_waits_is_begun():
    async def scenario(connection):
        connection.app.gate.clear()
        await connection.send(PLAIN)
        assert connection.transport.reads
        await connection.send(PLAIN * 2)
        assert not connection.transport.reads
        connection.app.gate.set()
        await connection.wait(3)
        await connection.settle()
        assert connection.transport.reads

    run(scenario)


def test_a_client_that_closes_its_half_still_gets_its_answer_and_then_the_end():
    async def scenario(connection):
        connection.app.gate.clear()
        await connection.send(PLAIN)
        assert connection.protocol.eof_received() is True
        assert not connection.transport.closed
        connection.app.gate.set()
        await connection.wait(1)
        return connection

    assert run(scenario).transport.closed


@pytest.mark.parametrize(
    "sent", [b"", PLAIN[:30], PLAIN[:-1]], ids=["nothing", "half a head", "half a body"]
)
def test_a_client_that_closes_its_half_too_early_is_let_go(sent):
    async def scenario(connection):
        await connection.send(*([sent] if sent else []))
        return connection.protocol.eof_received()

    assert run(scenario) is False


class Hasty(StrictProtocol):
    head_seconds = 0.02


def test_the_time_of_a_head_does_not_run_while_answers_are_awaited():
    async def scenario():
        connection = Connection(Hasty)
        connection.app.gate.clear()
        await connection.send(PLAIN * 2 + PLAIN[:30])
        await asyncio.sleep(0.1)
        assert connection.transport.written == b""
        connection.app.gate.set()
        await connection.wait(2)
        await connection.send(PLAIN[30:])
        await connection.wait(3)
        await connection.send(PLAIN[:30])
        await connection.wait(4)
        return connection

    connection = asyncio.run(asyncio.wait_for(scenario(), 10))
    assert statuses(connection.transport.written) == [200, 200, 200, 408]
    assert connection.transport.closed
