"""A middleware of Airflow's API server: on SQLite, requests that write take turns.

SQLite has one writer at a time, and Airflow 3.3 waits for its turn in two places of one process:
some requests in threads, and the entry in the audit log (`action_logging`) in the event loop
itself. A request that holds the lock in its thread needs the event loop for its commit, while the
loop waits for that very lock: nothing moves before SQLite gives up. Of 20 triggers at once on a
busy machine, 16 were answered 500. One at a time, none of them waits for another one of the same
process.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

READS = frozenset({"GET", "HEAD", "OPTIONS"})
BUSY = 503
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds before a request that was answered 503 is made again."""


class OneWriter:
    """ASGI middleware: passes on what reads, and one request at a time of those that write."""

    def __init__(self, app: ASGIApp, pauses: Sequence[float] = PAUSES) -> None:
        """Wrap `app`."""
        self._app = app
        self._pauses = pauses
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] in READS:
            await self._app(scope, receive, send)
            return
        body = await _read_body(receive)  # before the turn: who sends slowly holds up nobody
        async with self._turn:
            answer = await self._ask(scope, body, receive)
            for pause in self._pauses:
                if answer[0].get("status") != BUSY:
                    break
                await asyncio.sleep(pause)
                answer = await self._ask(scope, body, receive)
        for message in answer:
            await send(message)

    async def _ask(self, scope: Scope, body: Iterable[Message], receive: Receive) -> list[Message]:
        """Return the messages of the app's answer."""
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(
            dict(scope), _replay_body(body, receive), keep
        )  # a copy: routes write into their scope
        return answer or [{}]


async def _read_body(receive: Receive) -> list[Message]:
    """Return all messages of a request's body; the last one may say that the client has left."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


def _replay_body(messages: Iterable[Message], receive: Receive) -> Receive:
    """Return a `receive` that gives the messages once more and then goes on with the real one."""
    remaining = list(messages)

    async def replay() -> Message:
        return remaining.pop(0) if remaining else await receive()

    return replay
