"""The outermost layer, pure ASGI.

Request id, limits on bodies, who may ask, answers to problems, counts.

A body is read here, whole, before anything else sees the request: never more than the limit is held
in memory, and a body that does not come in time is given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

from serving.callers import Callers
from serving.event_log import log
from serving.problems import CLOSE, Problem, encode

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pipelines.settings import Settings
    from serving.prometheus import Metrics

_SAFE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")

LINGER_SECONDS = 5.0
"""How long the rest of a refused body is thrown away, so that the client can read the answer
instead of a reset."""


class _ClientGone(Exception):
    """The client went away before its body was complete."""


class _TooLarge(Problem):
    """A body above the limit; tells whether the client is still sending."""

    def __init__(self, limit: int, *, more_comes: bool) -> None:
        super().__init__(
            413, "body_too_large", f"The body has more than {limit} bytes.", headers=CLOSE
        )
        self.more_comes = more_comes


class Edge:
    """Wraps the app; whatever happens below, the caller gets JSON with the request's id."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        """Wrap `app`."""
        self._app = app
        self._limit = settings.body_limit
        self._seconds = settings.body_timeout_seconds
        self._metrics = metrics
        self._callers = Callers(settings)
        self._draining = settings.draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = scope["perennial.started"] = time.perf_counter()
        reply = _Reply(send, scope, _request_id(scope), last=self._is_draining())
        try:
            body = await self._body(scope, receive)
            self._callers.refuse_strangers(scope)
            await self._app(scope, _replay_body(body, receive), reply.send)
        except _ClientGone:
            return
        except Problem as problem:
            await reply.problem(problem, receive)
        # The last resort of a request: logged, and answered with 500.
        except Exception:  # noqa: BLE001
            log.exception(
                "A request failed.", extra={"request_id": reply.request_id, "route": _route(scope)}
            )
            await reply.problem(
                Problem(
                    500,
                    "internal_error",
                    "The server failed; its log tells more of this request id.",
                ),
                receive,
            )
        self._metrics.count_answer(
            scope.get("perennial.model", ""),
            _route(scope),
            reply.status,
            time.perf_counter() - started,
        )

    def _is_draining(self) -> bool:
        """Tell whether this server is about to end: each answer is then its connection's last.

        A client that keeps its connection would otherwise ask just when it is closed.
        """
        return self._draining is not None and self._draining.exists()

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Return the whole body. Raises Problem 413 or 408; then the connection is closed."""
        length, is_chunked = _body_length(scope)
        if length == 0 and not is_chunked:
            return b""
        if length > self._limit:
            raise _TooLarge(self._limit, more_comes=True)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._read(receive)
        except TimeoutError:
            raise Problem(
                408,
                "body_timeout",
                f"The body was not complete after {self._seconds:g} seconds.",
                headers=CLOSE,
            ) from None

    async def _read(self, receive: Receive) -> bytes:
        chunks, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientGone
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            if size > self._limit:
                raise _TooLarge(self._limit, more_comes=more)
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class _Reply:
    """The way back: adds the request's id to every answer and remembers the status."""

    def __init__(self, send: Send, scope: Scope, request_id: str, *, last: bool) -> None:
        self._send = send
        self.status = 0
        self.request_id = scope["perennial.request_id"] = request_id
        self._headers = [
            (b"x-request-id", request_id.encode()),
            (b"x-content-type-options", b"nosniff"),
            *([(b"connection", b"close")] if last else []),
        ]

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._headers]
        await self._send(message)

    async def problem(self, problem: Problem, receive: Receive) -> None:
        """Answer with the problem; what still comes of a refused body is thrown away."""
        if self.status:
            raise problem  # the answer has begun: all that is left is to break the connection
        body = encode({**problem.body(), "request_id": self.request_id})
        headers = [(name.encode(), value.encode()) for name, value in problem.headers.items()]
        await self.send(json_start(problem.status, body, headers))
        if isinstance(problem, _TooLarge) and problem.more_comes:
            await self.send({"type": "http.response.body", "body": body, "more_body": True})
            await _discard_body(receive)
            body = b""
        await self.send({"type": "http.response.body", "body": body, "more_body": False})


async def _discard_body(receive: Receive) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return


def json_start(
    status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> dict[str, Any]:
    """Return the ASGI message that begins a JSON answer."""
    own = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return {
        "type": "http.response.start",
        "status": status,
        "headers": own + headers if headers else own,
    }


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SAFE_ID.fullmatch(value):
            return str(value, "ascii")
    return str(uuid.uuid4())


def _body_length(scope: Scope) -> tuple[int, bool]:
    """Return the announced length of the body (0 where there is none), and whether it comes in
    chunks.
    """
    length, is_chunked = 0, False
    for name, value in scope["headers"]:
        if name == b"content-length":
            # Exabytes; int() of very many digits is slow.
            if not value.isdigit() or len(value) > 18:  # noqa: PLR2004
                raise Problem(
                    400, "bad_request", "The header Content-Length is no number.", headers=CLOSE
                )
            length = int(value)
        elif name == b"transfer-encoding":
            is_chunked = True
    return length, is_chunked


def _replay_body(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the whole body in one message, then what the client does."""
    is_replayed = False

    async def replay() -> Message:
        nonlocal is_replayed
        if is_replayed:
            return await receive()
        is_replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _route(scope: Scope) -> str:
    """Return the route's pattern, never the caller's path."""
    return str(scope.get("perennial.route") or getattr(scope.get("route"), "path", "none"))
