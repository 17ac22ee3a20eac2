"""The side that asks: a request is read from it within its time and size, and an answer or a
refusal written to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

import h11

from door.engine import CHUNK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HEAD_BYTES = 16_384
HEAD_SECONDS = 10
PIECE_SECONDS = 60
"""The longest between two pieces of a body."""

BODY_SECONDS = 120
"""The longest that a whole body may take."""

BAD_REQUEST, TIMEOUT, TOO_LARGE = 400, 408, 413


class Refusal(Exception):
    """The answer that the client gets instead of the engine's."""

    def __init__(self, status: int, reason: str) -> None:
        """Remember the HTTP status and the reason in words."""
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Client:
    """The side that asks: one request is read, one answer written."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        """Read from and write to this connection; a whole body may take `body_seconds`."""
        self._body_seconds = body_seconds
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self.has_answered = False
        self.summary = "a request"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    async def head(self) -> tuple[str, str]:
        """Return method and target.

        Raises Refusal where they come too slowly, or could be read in two ways.
        """
        try:
            event = await asyncio.wait_for(self._next(), HEAD_SECONDS)
        except TimeoutError as error:
            raise Refusal(TIMEOUT, "The request did not come in time.") from error
        if not isinstance(event, h11.Request):
            raise ConnectionResetError
        names = [bytes(name) for name, _ in event.headers]
        if b"content-length" in names and b"transfer-encoding" in names:
            raise Refusal(BAD_REQUEST, "The request says its length in two ways.")
        method, target = event.method.decode(), event.target.decode()
        self.summary = f"{method} {target.partition('?')[0][:200]}"
        return method, target

    async def body(self, limit: int) -> bytes:
        """Return the body. Raises Refusal where it is longer than `limit` bytes."""
        return b"".join([piece async for piece in self.pieces(limit)])

    async def pieces(self, limit: int) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises Refusal where it is longer than `limit` bytes, stays away, or drips for ever.
        """
        clock = asyncio.get_running_loop().time
        total, end = 0, clock() + self._body_seconds
        while True:
            if self._http.they_are_waiting_for_100_continue:
                self._writer.write(
                    self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b""
                )
            try:
                event = await asyncio.wait_for(self._next(), min(PIECE_SECONDS, end - clock()))
            except TimeoutError as error:
                raise Refusal(TIMEOUT, "The rest of the body did not come in time.") from error
            if not isinstance(event, h11.Data):
                return
            total += len(event.data)
            if total > limit:
                raise Refusal(TOO_LARGE, f"The body is longer than {limit} bytes.")
            yield bytes(event.data)

    async def _next(self) -> Any:
        while True:
            try:
                event = self._http.next_event()
                if event is not h11.NEED_DATA:
                    return event
                self._http.receive_data(await self._reader.read(CHUNK))
            except h11.RemoteProtocolError as error:
                raise Refusal(
                    BAD_REQUEST, f"This is no HTTP that the door understands: {error}"
                ) from error

    async def wait_until_gone(self) -> None:
        """Return when the client has gone.

        What it sends beyond its one request is read, and thrown away.
        """
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(CHUNK):
                pass

    async def answer_from(self, engine: asyncio.StreamReader) -> None:
        """Write what the engine answers, as it comes."""
        while data := await engine.read(CHUNK):
            self.has_answered = True
            self._writer.write(data)
            await self._writer.drain()

    async def refuse(self, refusal: Refusal) -> None:
        """Write the refusal, as the engine writes errors; nothing where an answer has begun."""
        if self.has_answered:
            return
        body = json.dumps({"message": refusal.reason}).encode()
        head = (
            f"HTTP/1.1 {refusal.status} Refused",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
        )
        self._writer.write("\r\n".join([*head, "", ""]).encode() + body)
        with contextlib.suppress(ConnectionError, TimeoutError):
            await asyncio.wait_for(self._writer.drain(), HEAD_SECONDS)
            self._writer.write_eof()
            # What the client is still sending is taken: a connection closed with bytes unread is
            # reset, and the refusal lost.
            await asyncio.wait_for(self.wait_until_gone(), 2)
