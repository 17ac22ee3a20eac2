"""HTTP/1 below ASGI, where uvicorn has no limits.

Slow heads, endless heads, too many connections, floods of pipelined requests.

What is ambiguous is refused and the connection closed, so that nobody can hide a request in another
one's body. An offer to upgrade (h2c, WebSocket) is passed over, as RFC 9110 §7.8 allows: the
request is answered in HTTP/1.1. Every answer is JSON, in the order of the requests.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from serving.middleware import json_start
from serving.problems import Problem, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

HEAD_LIMIT = 65_536
"""Bytes that a request's line and headers may have."""

HEAD_SECONDS = 10.0
"""How long a request's line and headers may take; also how long a new connection may stay silent.
"""

MAX_CONNECTIONS = 512
"""Connections beyond this are answered 503 and closed, so that those within stay fast."""

PIECE = 4_096
"""Bytes that are parsed at a time; between two pieces, the limits are looked at."""

MAX_WAITING = 16
"""Pipelined requests that may wait before no further piece is parsed.

What came beyond stays unparsed, and nothing more is read.
"""

VERSIONS = {"1.0", "1.1"}


async def answer_overloaded(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 503 with Retry-After and close the connection."""
    problem = Problem(
        503,
        "overloaded",
        "Too many connections are open; try again in a second.",
        headers={"retry-after": "1"},
    )
    await _answer(problem)(scope, receive, send)


def _headers_and_body(problem: Problem) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return headers and body of the problem's answer, in the form of all other answers.

    It has an id of its own.
    """
    request_id = str(uuid.uuid4())
    body = encode({**problem.body(), "request_id": request_id})
    headers = [(name.encode(), value.encode()) for name, value in problem.headers.items()]
    return [
        *headers,
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ], body


def _answer(problem: Problem) -> Any:
    """Return an ASGI app that answers with the problem and closes the connection."""

    # ASGI's signature.
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
        headers, body = _headers_and_body(problem)
        await send(json_start(problem.status, body, headers))
        await send({"type": "http.response.body", "body": body})

    return answer


class _Flow(FlowControl):
    """uvicorn's flow control; reading goes on only where nothing is held back."""

    def __init__(self, transport: asyncio.Transport, is_holding: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._is_holding = is_holding

    def resume_reading(self) -> None:
        if not self._is_holding():
            super().resume_reading()


class StrictProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits, in order, and without a second meaning of any byte."""

    max_connections = MAX_CONNECTIONS
    head_seconds = HEAD_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start before the first head."""
        super().__init__(*args, **kwargs)
        self._served_app = self.app
        self._data, self._at = b"", 0  # what was read, and how much of it is parsed
        self._has_ended = False  # nothing that comes after is a request any more
        self._problem: Problem | None = None  # why a callback stopped the parser
        self._upgrade_offered = False
        self._in_head = True
        self._head_size = 0
        self._head_timer: asyncio.TimerHandle | None = None

    # As uvicorn declares it.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the client its time for the first head."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self._is_holding)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer and what was not parsed."""
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless the last request is already here."""
        self._unset_keepalive_if_required()
        if self._has_ended:
            return
        self._data, self._at = (self._data[self._at :] + data if self._is_holding() else data), 0
        self._parse()

    def eof_received(self) -> bool:  # type: ignore[override] # uvicorn's returns None
        """Answer a request that came whole before its client closed its half.

        Return whether the connection stays open for that.
        """
        self._end()
        if self.cycle is None or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        return bool(self.pipeline) or not self.cycle.more_body

    def on_response_complete(self) -> None:
        """Go on with what waits, then with what was not parsed yet."""
        super().on_response_complete()
        if self.transport.is_closing() or self._has_ended:
            return
        if self._at < len(self._data):
            self._unset_keepalive_if_required()
            self._parse()
        else:
            self.flow.resume_reading()
            self._watch_head()

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._in_head, self._head_size = True, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header of the head.

        What comes after the body (trailers) is of no use here and would only pile up.
        """
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """End the head; refuse what has no clear meaning, shed the request where too many
        connections are open.
        """
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._upgrade_offered = True  # the parser stops here; see _pass_over_upgrade
            return
        self._in_head = False
        self._stop_timer()
        self._problem = self._why_refused()
        if self._problem is not None:
            raise self._problem
        self.app = (
            self._served_app if len(self.connections) <= self.max_connections else answer_overloaded
        )
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request; after one that closes the connection nothing is read any more."""
        if self._upgrade_offered:
            return
        super().on_message_complete()
        if not self.cycle.keep_alive:
            self._end()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(Problem(400, "bad_request", msg))

    def _why_refused(self) -> Problem | None:
        """Return why the head that is complete cannot be answered as it is.

        Take the host of an absolute target out of it.
        """
        if self.parser.get_method() == b"CONNECT":
            return Problem(
                405, "method_not_allowed", "This server is no proxy: it does not take CONNECT."
            )
        version = self.parser.get_http_version()
        if version not in VERSIONS:
            return Problem(505, "http_version_not_supported", "This server speaks HTTP/1.1.")
        codings = [
            value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"
        ]
        if codings and (version == "1.0" or codings != [b"chunked"]):
            return Problem(
                501,
                "unsupported_transfer_coding",
                "Send the body with Content-Length, or with Transfer-Encoding: chunked alone.",
            )
        if version == "1.0":
            self.expect_100_continue = False
        return None if self.url.startswith(b"/") and b"#" not in self.url else self._why_no_target()

    def _why_no_target(self) -> Problem | None:
        """Return why the request's target is none.

        Of an absolute one the host counts, whatever the header Host says (RFC 9112 §3.2.2).
        """
        try:
            url = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            url = None
        if (
            url is None
            or url.schema not in {b"http", b"https"}
            or not url.host
            or url.userinfo
            or b"#" in self.url
        ):
            return Problem(400, "bad_request", "The request's target is no path.")
        host = url.host if url.port is None else b"%s:%d" % (url.host, url.port)
        self.headers[:] = [(name, value) for name, value in self.headers if name != b"host"] + [
            (b"host", host)
        ]
        self.url = (url.path or b"/") + (b"?" + url.query if url.query else b"")
        return None

    def _is_holding(self) -> bool:
        """Tell whether requests wait, or bytes; then nothing more is read."""
        return bool(self.pipeline) or self._at < len(self._data)

    def _parse(self) -> None:
        """Parse what was read, piece by piece, until enough requests wait."""
        while self._at < len(self._data) and len(self.pipeline) < MAX_WAITING:
            whole = self._at == 0 and len(self._data) <= PIECE
            piece = self._data if whole else memoryview(self._data)[self._at : self._at + PIECE]
            self._at += self._feed_parser(piece)
            if self._upgrade_offered:
                self._pass_over_upgrade()
            if self._has_ended:
                return
            if self._in_head:
                self._head_size += len(piece)
                if self._head_size > HEAD_LIMIT:
                    self._refuse(
                        Problem(
                            431, "head_too_large", f"The headers have more than {HEAD_LIMIT} bytes."
                        )
                    )
                    return
        if self._is_holding():
            self.flow.pause_reading()
        self._watch_head()

    def _feed_parser(self, piece: bytes | memoryview) -> int:
        """Return how many bytes of the piece the parser took.

        It stops after a head that offers an upgrade.
        """
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as stop:
            return int(stop.args[0])
        except httptools.HttpParserError:
            self._refuse(
                self._problem
                or Problem(400, "bad_request", "The request is no HTTP/1.1 that can be understood.")
            )
        return len(piece)

    def _pass_over_upgrade(self) -> None:
        """Begin the request anew without its offer.

        The parser takes no body after one, and would read it as the next request.
        """
        self._upgrade_offered = False
        line = b"%s %s HTTP/%s" % (
            self.parser.get_method(),
            self.url,
            self.parser.get_http_version().encode(),
        )
        headers = (b"%s: %s" % header for header in self.headers if header[0] != b"upgrade")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(
            lenient_data_after_close=True
        )  # as uvicorn's: what follows a last request is passed over
        self._feed_parser(b"\r\n".join((line, *headers, b"", b"")))

    def _refuse(self, problem: Problem) -> None:
        """Answer with the problem after all that is still to be answered, take nothing more, and
        close.
        """
        if self._has_ended or self.transport.is_closing():
            return
        self._end()
        cycle, answer = self.cycle, _answer(problem)
        if cycle is None or cycle.response_complete:
            self._write(problem)
        elif not cycle.more_body:
            self.cycle = self._last_cycle()
            self.cycle.more_body = False
            self.pipeline.appendleft((self.cycle, answer))
        elif self.pipeline:  # the request that waits last is the broken one
            self.pipeline[0] = (cycle, answer)
        elif cycle.response_started:
            self.transport.close()
        else:
            cycle.disconnected = True
            cycle.message_event.set()
            self._write(problem)

    def _last_cycle(self) -> RequestResponseCycle:
        """Return the cycle of an answer without a request of its own."""
        return RequestResponseCycle(
            # All that is looked at.
            scope={  # type: ignore[typeddict-item]
                "type": "http",
                "method": "GET",
                "http_version": "1.1",
            },
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )

    def _write(self, problem: Problem) -> None:
        headers, body = _headers_and_body(problem)
        start = json_start(problem.status, body, headers)
        lines = [
            STATUS_LINE[problem.status],
            *(b"%s: %s\r\n" % header for header in start["headers"]),
            b"\r\n",
            body,
        ]
        self.transport.write(b"".join(lines))
        self.transport.close()

    def _end(self) -> None:
        """Take nothing more from this connection."""
        self._has_ended, self._data, self._at = True, b"", 0
        self._stop_timer()

    def _watch_head(self) -> None:
        """Have the time of a head run while it is the client who is waited for."""
        if not self._in_head or self._is_holding():
            self._stop_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._head_late)

    def _head_late(self) -> None:
        if self._in_head:
            self._refuse(Problem(408, "head_timeout", "The headers were not complete in time."))

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
