"""Limits below ASGI, where uvicorn has none: slow heads, endless heads, too many connections. Its answers are JSON too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.edge import json_start
from serving.problems import Problem, encode

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope, Send

HEAD_LIMIT = 65_536
"""Bytes that a request's line and headers may have, beyond those of their first packet."""

HEAD_SECONDS = 10.0
"""How long a request's line and headers may take; also how long a new connection may stay silent."""

MAX_CONNECTIONS = 512
"""Connections beyond this are answered 503 and closed, so that those within stay fast."""

_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


async def overloaded(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 -- ASGI's signature
    """Answer 503 with Retry-After and close the connection."""
    problem = Problem(503, "overloaded", "Too many connections are open; try again in a second.")
    body = encode(problem.body())
    await send(json_start(503, body, [(b"retry-after", b"1"), (b"connection", b"close")]))
    await send({"type": "http.response.body", "body": body})


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits on heads and connections."""

    max_connections = MAX_CONNECTIONS
    head_seconds = HEAD_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start before the first head."""
        super().__init__(*args, **kwargs)
        self._served_app = self.app
        self._in_head = True
        self._head_size = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn declares it
        """Give the client its time for the first head."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.head_seconds, self._head_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and refuse a head that is too long."""
        goes_on = self._in_head
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._head_size += len(data) if goes_on else 0  # a packet may also hold the end of the body before
        if self._head_size > HEAD_LIMIT:
            self._answer_and_close(431, "head_too_large", f"The headers have more than {HEAD_LIMIT} bytes.")
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._head_late)

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._in_head, self._head_size = True, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header of the head; what comes after the body (trailers) is of no use here and would only pile up."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """End the head; shed the request where too many connections are open."""
        self._in_head = False
        self._stop_timer()
        self.app = self._served_app if len(self.connections) <= self.max_connections else overloaded
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._answer_and_close(400, "bad_request", msg)

    def _head_late(self) -> None:
        if self._in_head and not self.transport.is_closing():
            self._answer_and_close(408, "head_timeout", "The headers were not complete in time.")

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _answer_and_close(self, status: int, code: str, message: str) -> None:
        body = encode(Problem(status, code, message).body())
        head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, _REASONS[status], len(body)) + body)
        self.transport.close()
