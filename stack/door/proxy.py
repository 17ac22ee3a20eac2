"""The server: reads one request of each connection, has it judged, and writes its own to the engine.

Of what a client sent only the request that `policy` wrote anew goes on, so that client and engine cannot read two things in the
same bytes. The engine's answer goes back as it comes, until the engine ends it or the client goes away.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import tempfile
from typing import IO, TYPE_CHECKING, Any

import h11

from stack.door import context, policy
from stack.door.engine import CHUNK, HEADERS, Away, closed
from stack.door.rules import ID, Denied, tagged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stack.door.engine import Engine
    from stack.door.policy import About, Asked
    from stack.door.rules import Rules

HEAD_BYTES = 16_384
HEAD_SECONDS = 10
PIECE_SECONDS = 60
"""The longest between two pieces of a body."""

JSON_BYTES = 1_048_576
ASKING_SECONDS = 30
"""How long the engine may take to describe a container or an image."""

CONNECTIONS = 256
FORBIDDEN, BAD_REQUEST, TOO_LARGE, BAD_GATEWAY, UNAVAILABLE, NOT_FOUND = 403, 400, 413, 502, 503, 404
log = logging.getLogger("perennial.door")


class Refused(Exception):
    """What the client is told instead of the engine's answer."""

    def __init__(self, status: int, reason: str) -> None:
        """Remember the HTTP status and the reason in words."""
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Door:
    """Answers connections: the engine on one side, the rules in between."""

    def __init__(self, rules: Rules, engine: Engine, context_bytes: int) -> None:
        """Remember the rules, the engine, and how many bytes a build's context may have."""
        self._rules = rules
        self._engine = engine
        self._context_bytes = context_bytes
        self._open = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection, and close it."""
        self._open += 1
        client = _Client(reader, writer)
        try:
            await self._answer(client)
        except Refused as refused:
            log.warning("%s refused %d: %s", client.what, refused.status, refused.reason)
            await client.refuse(refused)
        except Away as away:
            log.warning("%s: %s", client.what, away)
            await client.refuse(Refused(BAD_GATEWAY, str(away)))
        except (ConnectionError, TimeoutError) as error:
            log.info("%s broke off: %s", client.what, type(error).__name__)
        finally:
            self._open -= 1
            await closed(writer)

    async def _answer(self, client: _Client) -> None:
        if self._open > CONNECTIONS:
            raise Refused(UNAVAILABLE, "Too many connections; try again.")
        method, target = await client.head()
        with tempfile.SpooledTemporaryFile(max_size=CHUNK) as clean:
            try:
                asked, body = await self._judged(client, method, target, clean)
            except Denied as denied:
                raise Refused(FORBIDDEN, f"The door to the engine refuses {client.what}: {denied}") from denied
            log.info("%s", client.what)
            await self._relay(client, *asked, body)

    async def _judged(self, client: _Client, method: str, target: str, clean: IO[bytes]) -> tuple[tuple[Asked, str], IO[bytes] | bytes]:
        kind = policy.body_of(method, target)
        if kind == "context":
            return (policy.judge(self._rules, method, target), ""), await self._context(client, clean)
        asked = policy.judge(self._rules, method, target, await client.body(JSON_BYTES))
        found = "" if asked.about is None else await self._found(asked.about)
        return (asked, found), asked.body or b""

    async def _context(self, client: _Client, clean: IO[bytes]) -> IO[bytes]:
        """Receive a build's context, and write into `clean` what the engine gets of it."""
        with tempfile.TemporaryFile() as sent:
            async for piece in client.pieces(self._context_bytes):
                await asyncio.to_thread(sent.write, piece)
            sent.seek(0)
            base, others = await asyncio.to_thread(context.rebuilt, sent, clean)
        if not (ID.fullmatch(base) or self._rules.runs(base)):
            raise Denied(f"FROM {base[:80]}: images are not built upon this one.")
        # The engine would pull what it does not have; an id it either has, or not.
        name = base if ID.fullmatch(base) else tagged(base)
        described = await self._found(policy.About("images", name, "run"))
        await asyncio.to_thread(context.finish, clean, described, self._rules.labels, others)
        clean.seek(0)
        return clean

    async def _found(self, about: About) -> str:
        """Return the id of what the engine describes, where it may be touched."""
        status, described = await asyncio.wait_for(self._engine.described(about.path), ASKING_SECONDS)
        if status == NOT_FOUND:
            raise Refused(NOT_FOUND, f"No such {about.kind.rstrip('s')}: {about.name[:80]}")
        if status != 200:  # noqa: PLR2004 -- HTTP's "OK"
            raise Refused(BAD_GATEWAY, f"The engine answered {status} about {about.name[:80]}.")
        return policy.judge_found(self._rules, about, described)

    async def _relay(self, client: _Client, asked: Asked, found: str, body: IO[bytes] | bytes) -> None:
        """Write the request to the engine, and its answer to the client."""
        async with self._engine.connected() as (reader, writer):
            sending = asyncio.create_task(_send(writer, asked, found, body))
            answering = asyncio.create_task(client.answer_from(reader))
            watching = asyncio.create_task(client.gone())
            try:
                done, _ = await asyncio.wait([answering, watching], return_when=asyncio.FIRST_COMPLETED)
                left = watching in done
            finally:
                for task in (sending, answering, watching):
                    task.cancel()
                await asyncio.gather(sending, answering, watching, return_exceptions=True)
            if not client.answered and not left:
                raise Away("The Docker engine broke off without an answer.")


async def _send(writer: asyncio.StreamWriter, asked: Asked, found: str, body: IO[bytes] | bytes) -> None:
    """Write the request as it was judged."""
    size = len(body) if isinstance(body, bytes) else body.seek(0, 2)
    headers = [*HEADERS]
    if asked.method == "POST":
        headers.append((b"content-length", str(size).encode()))
    if size:
        headers.append((b"content-type", b"application/json" if isinstance(body, bytes) else b"application/x-tar"))
    speaks = h11.Connection(h11.CLIENT)
    writer.write(speaks.send(h11.Request(method=asked.method, target=asked.target(found), headers=headers)) or b"")
    if isinstance(body, bytes):
        writer.write(body)
    else:
        body.seek(0)
        while piece := await asyncio.to_thread(body.read, CHUNK):
            writer.write(piece)
            await writer.drain()
    await writer.drain()


class _Client:
    """The side that asks: one request is read, one answer written."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._speaks = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self.answered = False
        self.what = "a request"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    async def head(self) -> tuple[str, str]:
        """Return method and target. Raises Refused where they come too slowly, or could be read in two ways."""
        try:
            event = await asyncio.wait_for(self._next(), HEAD_SECONDS)
        except TimeoutError as error:
            raise Refused(408, "The request did not come in time.") from error
        if not isinstance(event, h11.Request):
            raise ConnectionResetError
        names = [bytes(name) for name, _ in event.headers]
        if b"content-length" in names and b"transfer-encoding" in names:
            raise Refused(BAD_REQUEST, "The request says its length in two ways.")
        method, target = event.method.decode(), event.target.decode()
        self.what = f"{method} {target.partition('?')[0][:200]}"
        return method, target

    async def body(self, limit: int) -> bytes:
        """Return the body. Raises Refused where it is longer than `limit` bytes."""
        return b"".join([piece async for piece in self.pieces(limit)])

    async def pieces(self, limit: int) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises Refused where it is longer than `limit` bytes, or stays away."""
        total = 0
        while True:
            if self._speaks.they_are_waiting_for_100_continue:
                self._writer.write(self._speaks.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            try:
                event = await asyncio.wait_for(self._next(), PIECE_SECONDS)
            except TimeoutError as error:
                raise Refused(408, "The rest of the body did not come in time.") from error
            if not isinstance(event, h11.Data):
                return
            total += len(event.data)
            if total > limit:
                raise Refused(TOO_LARGE, f"The body is longer than {limit} bytes.")
            yield bytes(event.data)

    async def _next(self) -> Any:
        while True:
            try:
                event = self._speaks.next_event()
                if event is not h11.NEED_DATA:
                    return event
                self._speaks.receive_data(await self._reader.read(CHUNK))
            except h11.RemoteProtocolError as error:
                raise Refused(BAD_REQUEST, f"This is no HTTP that the door understands: {error}") from error

    async def gone(self) -> None:
        """Return when the client has gone. What it sends beyond its one request is read, and thrown away."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(CHUNK):
                pass

    async def answer_from(self, engine: asyncio.StreamReader) -> None:
        """Write what the engine answers, as it comes."""
        while data := await engine.read(CHUNK):
            self.answered = True
            self._writer.write(data)
            await self._writer.drain()

    async def refuse(self, refused: Refused) -> None:
        """Write the refusal, as the engine writes errors; nothing where an answer has begun."""
        if self.answered:
            return
        body = json.dumps({"message": refused.reason}).encode()
        head = (f"HTTP/1.1 {refused.status} Refused", "Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close")
        self._writer.write("\r\n".join([*head, "", ""]).encode() + body)
        with contextlib.suppress(ConnectionError, TimeoutError):
            await asyncio.wait_for(self._writer.drain(), HEAD_SECONDS)
            self._writer.write_eof()
            # What the client is still sending is taken: a connection closed with bytes unread is reset, and the refusal lost.
            await asyncio.wait_for(self.gone(), 2)


async def serve(door: Door, host: str, port: int, until: asyncio.Event) -> None:
    """Listen until the event is set; connections that are open then are cut off."""
    server = await asyncio.start_server(door.answer, host, port)
    log.info("listening on %s", ", ".join(str(sock.getsockname()[:2]) for sock in server.sockets))
    await until.wait()
    server.close()
