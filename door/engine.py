"""The engine behind the door, asked by the door itself.

Over its socket, one request a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h11

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

SECONDS = 10
CHUNK = 65_536
OK = 200
HEADERS = [(b"host", b"docker"), (b"user-agent", b"perennial-door"), (b"connection", b"close")]
"""Of every request to the engine.

No upgrade is asked for: the engine streams an attached container's output without it, too.
"""


class EngineAway(OSError):
    """The engine does not answer, or broke off."""


@dataclass(frozen=True)
class GuardedEngine:
    """The engine that listens on the unix socket at `path`."""

    path: str

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Open a connection.

        Raises EngineAway where the engine does not take it, breaks off or speaks no HTTP.
        """
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_unix_connection(self.path), SECONDS
            )
        except (OSError, TimeoutError) as error:
            raise EngineAway(f"The Docker engine does not answer the door: {error}") from error
        try:
            yield reader, writer
        except (h11.RemoteProtocolError, TimeoutError, ConnectionError) as error:
            raise EngineAway(f"The Docker engine broke off: {type(error).__name__}") from error
        finally:
            await close_connection(writer)

    async def describe(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return the status of a GET and, where that is 200, the JSON object. Raises EngineAway."""
        status, body = await self._get(path)
        return status, json.loads(body) if status == OK else {}

    async def list_objects(self, path: str) -> list[dict[str, Any]]:
        """Return the JSON objects that a GET lists. Raises EngineAway."""
        status, body = await self._get(path)
        if status != OK:
            raise EngineAway(f"the engine answers {status}")
        objects: list[dict[str, Any]] = json.loads(body)
        return objects

    async def _get(self, path: str) -> tuple[int, bytes]:
        pieces = self._request("GET", path)
        status = int(await anext(pieces))
        return status, b"".join([piece async for piece in pieces])

    async def post(self, path: str) -> int:
        """Return the status of a POST without a body. Raises EngineAway."""
        async with contextlib.aclosing(self._request("POST", path)) as pieces:
            return int(await anext(pieces))

    async def lines(self, path: str) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the JSON objects that a GET streams, one a line, until the engine ends it.

        Raises EngineAway.
        """
        async with contextlib.aclosing(self._request("GET", path)) as pieces:
            if (status := int(await anext(pieces))) != OK:
                raise EngineAway(f"the engine answers {status}")
            rest = b""
            async for piece in pieces:
                *complete, rest = (rest + piece).split(b"\n")
                for line in complete:
                    if line.strip():
                        yield json.loads(line)

    async def _request(self, method: str, path: str) -> AsyncGenerator[bytes, None]:
        """Yield the status of the answer, then its body in pieces."""
        async with self.connect() as (reader, writer):
            http = h11.Connection(h11.CLIENT)
            headers = [*HEADERS, (b"content-length", b"0")] if method == "POST" else HEADERS
            writer.write(http.send(h11.Request(method=method, target=path, headers=headers)) or b"")
            writer.write(http.send(h11.EndOfMessage()) or b"")
            while not isinstance(event := http.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    http.receive_data(await reader.read(CHUNK))
                elif isinstance(event, h11.Response):
                    yield str(event.status_code).encode()
                elif isinstance(event, h11.Data):
                    yield bytes(event.data)


async def close_connection(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and wait for that as long as it is sensible."""
    writer.close()
    with contextlib.suppress(ConnectionError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), SECONDS)
