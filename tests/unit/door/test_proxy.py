"""The door's server: what comes too slowly or all at once is given up, and a build is judged before
its context is received."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from door.engine import GuardedEngine
from door.proxy import BUILDS, Door
from door.rules import Rules

RULES = Rules(
    "mine",
    images=("perennial/steps",),
    builds=("perennial/release-*",),
    volumes=(),
    networks=("none",),
)
BUILD = (
    "POST /build?t=perennial/release-x:1&networkmode=none HTTP/1.1\r\nHost: d\r\nContent-Length:"
    " {}\r\n\r\n"
)


class Served:
    """A door that listens, and what it answers."""

    def __init__(self, port):
        self.port = port

    @contextlib.asynccontextmanager
    async def said(self, head):
        """Say the head; the connection stays open."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(head.encode())
        await writer.drain()
        try:
            yield reader, writer
        finally:
            writer.close()

    async def status(self, head):
        """Say the head, and no more; return status and words."""
        async with self.said(head) as (reader, _):
            whole = await reader.read()
        return int(whole.split(b" ", 2)[1]), json.loads(whole.partition(b"\r\n\r\n")[2])["message"]


def serving(test, tmp_path, **options):
    """Run the test against a door whose engine is away."""

    async def run():
        door = Door(RULES, GuardedEngine(str(tmp_path / "none.sock")), 1_000_000, **options)
        server = await asyncio.start_server(door.answer, "127.0.0.1", 0)
        async with server:
            return await asyncio.wait_for(test(Served(server.sockets[0].getsockname()[1])), 30)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "head",
    [
        BUILD.format(900_000),
        (
            "POST /containers/create?name=perennial-step-x HTTP/1.1\r\nHost: d\r\nContent-Length:"
            " 900000\r\n\r\n"
        ),
    ],
)
def test_a_body_that_drips_is_given_up_however_steadily_it_drips(tmp_path, head):
    async def drip(served):
        async with served.said(head) as (reader, writer):
            answer = asyncio.create_task(reader.read())
            while not answer.done():
                with contextlib.suppress(ConnectionError):
                    writer.write(b"x")
                    await writer.drain()
                await asyncio.sleep(0.02)
            return await answer

    assert serving(drip, tmp_path, body_seconds=0.3).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "query",
    [
        "t=postgres:1&networkmode=none",
        "t=perennial/release-x:1",
        "t=perennial/release-x:1&networkmode=none&buildargs={}",
    ],
)
def test_a_build_is_judged_before_its_context_comes(tmp_path, query):
    status, words = serving(
        lambda served: served.status(
            f"POST /build?{query} HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\n"
        ),
        tmp_path,
    )
    assert (status, "refuses POST /build" in words) == (403, True)


def test_only_so_many_builds_are_received_at_once_and_a_turn_is_given_back(tmp_path):
    async def build(served):
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(BUILDS):
                await stack.enter_async_context(served.said(BUILD.format(9)))
            status, words = await served.status(BUILD.format(9))
            assert (status, "try again" in words) == (503, True)
        return await served.status(BUILD.format(1) + "x")

    status, words = serving(build, tmp_path, build_waits_seconds=0.5)
    assert (status, "torn" in words) == (403, True)


def test_a_disk_that_is_full_is_a_named_error(tmp_path):
    class Full(GuardedEngine):
        async def describe(self, _):
            raise OSError(28, "No space left on device")

    async def ask():
        door = Door(RULES, Full(str(tmp_path / "none.sock")), 1_000_000)
        server = await asyncio.start_server(door.answer, "127.0.0.1", 0)
        async with server:
            return await Served(server.sockets[0].getsockname()[1]).status(
                "GET /containers/x/json HTTP/1.1\r\nHost: d\r\n\r\n"
            )

    status, words = asyncio.run(ask())
    assert (status, "No space left" in words) == (507, True)
