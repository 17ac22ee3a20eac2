"""The server: reads one request of each connection, has it judged, and writes its own to the
engine.

Of what a client sent only the request that `policy` wrote anew goes on, so that client and engine
cannot read two things in the same bytes. The engine's answer goes back as it comes, until the
engine ends it or the client goes away.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from typing import IO, TYPE_CHECKING

import h11

from door import context, policy
from door.client import BODY_SECONDS, Client, Refusal
from door.engine import CHUNK, HEADERS, EngineAway, close_connection
from door.rules import ID, Denied, with_tag

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from door.engine import GuardedEngine
    from door.policy import EngineRequest, Subject
    from door.rules import Rules

JSON_BYTES = 1_048_576
ASKING_SECONDS = 30
"""How long the engine may take to describe a container or an image."""

CONNECTIONS = 256
BUILDS = 3
"""How many contexts are received and built at once. Each lies twice on the door's disk."""

BUILD_WAITS_SECONDS = 30
BUILD_SECONDS = 1_800
"""How long a build may wait for its turn, and how long the engine may take for it."""

FORBIDDEN, NOT_FOUND, BAD_GATEWAY, UNAVAILABLE, NO_ROOM = 403, 404, 502, 503, 507
log = logging.getLogger("perennial.door")


class Door:
    """Answers connections: the engine on one side, the rules in between."""

    def __init__(
        self,
        rules: Rules,
        engine: GuardedEngine,
        context_bytes: int,
        *,
        body_seconds: float = BODY_SECONDS,
        build_waits_seconds: float = BUILD_WAITS_SECONDS,
    ) -> None:
        """Remember the rules, the engine, how many bytes a build's context may have, and how long
        is waited for what.
        """
        self._rules = rules
        self._engine = engine
        self._context_bytes = context_bytes
        self._body_seconds = body_seconds
        self._build_waits_seconds = build_waits_seconds
        self._builds = asyncio.Semaphore(BUILDS)
        self._open = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection, and close it."""
        self._open += 1
        client = Client(reader, writer, self._body_seconds)
        try:
            await self._answer(client)
        except Refusal as refusal:
            log.warning("%s refused %d: %s", client.summary, refusal.status, refusal.reason)
            await client.refuse(refusal)
        except EngineAway as error:
            log.warning("%s: %s", client.summary, error)
            await client.refuse(Refusal(BAD_GATEWAY, str(error)))
        except (ConnectionError, TimeoutError) as error:
            log.info("%s broke off: %s", client.summary, type(error).__name__)
        except OSError as error:
            # No fault of the code: a full disk.
            log.error("%s: %s", client.summary, error)  # noqa: TRY400
            await client.refuse(
                Refusal(
                    NO_ROOM,
                    f"The door cannot keep the request: {error.strerror or error}. Free space on"
                    " its disk.",
                )
            )
        finally:
            self._open -= 1
            await close_connection(writer)

    async def _answer(self, client: Client) -> None:
        if self._open > CONNECTIONS:
            raise Refusal(UNAVAILABLE, "Too many connections; try again.")
        method, target = await client.head()
        try:
            if policy.expected_body(method, target) == "context":
                await self._build(client, method, target)
            else:
                request = policy.judge(self._rules, method, target, await client.body(JSON_BYTES))
                identifier = (
                    "" if request.subject is None else await self._identify(request.subject)
                )
                log.info("%s", client.summary)
                await self._relay(client, request, identifier, request.body(identifier))
        except Denied as denied:
            raise Refusal(
                FORBIDDEN, f"The door to the engine refuses {client.summary}: {denied}"
            ) from denied

    async def _build(self, client: Client, method: str, target: str) -> None:
        """Have an image built. What its request says is judged before its context is received."""
        request = policy.judge(self._rules, method, target)
        async with self._build_turn(), asyncio.timeout(BUILD_SECONDS):
            with tempfile.SpooledTemporaryFile(max_size=CHUNK) as clean:
                await self._context(client, clean)
                log.info("%s", client.summary)
                await self._relay(client, request, "", clean)

    @contextlib.asynccontextmanager
    async def _build_turn(self) -> AsyncIterator[None]:
        """Be one of the few that build. Raises Refusal where the others take too long."""
        try:
            await asyncio.wait_for(self._builds.acquire(), self._build_waits_seconds)
        except TimeoutError as error:
            raise Refusal(
                UNAVAILABLE,
                f"{BUILDS} images are being built through the door; try again when one is done.",
            ) from error
        try:
            yield
        finally:
            self._builds.release()

    async def _context(self, client: Client, clean: IO[bytes]) -> None:
        """Receive a build's context, and write into `clean` what the engine gets of it."""
        with tempfile.TemporaryFile() as upload:
            async for piece in client.pieces(self._context_bytes):
                await asyncio.to_thread(upload.write, piece)
            upload.seek(0)
            base, others = await asyncio.to_thread(context.rebuild, upload, clean)
        if not (ID.fullmatch(base) or self._rules.may_run(base)):
            raise Denied(f"FROM {base[:80]}: images are not built upon this one.")
        # The engine would pull what it does not have; an id it either has, or not.
        name = base if ID.fullmatch(base) else with_tag(base)
        identifier = await self._identify(policy.Subject("images", name, "run"))
        await asyncio.to_thread(context.finish, clean, identifier, self._rules.labels, others)

    async def _identify(self, subject: Subject) -> str:
        """Return the id of what the engine describes, where it may be touched."""
        status, description = await asyncio.wait_for(
            self._engine.describe(subject.path), ASKING_SECONDS
        )
        if status == NOT_FOUND:
            raise Refusal(NOT_FOUND, f"No such {subject.kind.rstrip('s')}: {subject.name[:80]}")
        if status != 200:  # noqa: PLR2004 -- HTTP's "OK"
            raise Refusal(BAD_GATEWAY, f"The engine answered {status} about {subject.name[:80]}.")
        return policy.judge_description(self._rules, subject, description)

    async def _relay(
        self, client: Client, request: EngineRequest, identifier: str, body: IO[bytes] | bytes
    ) -> None:
        """Write the request to the engine, and its answer to the client."""
        async with self._engine.connect() as (reader, writer):
            send_task = asyncio.create_task(_send(writer, request, identifier, body))
            answer_task = asyncio.create_task(client.answer_from(reader))
            watch_task = asyncio.create_task(client.wait_until_gone())
            try:
                finished, _ = await asyncio.wait(
                    [answer_task, watch_task], return_when=asyncio.FIRST_COMPLETED
                )
                client_left = watch_task in finished
            finally:
                for task in (send_task, answer_task, watch_task):
                    task.cancel()
                await asyncio.gather(send_task, answer_task, watch_task, return_exceptions=True)
            if not client.has_answered and not client_left:
                raise EngineAway("The Docker engine broke off without an answer.")


async def _send(
    writer: asyncio.StreamWriter, request: EngineRequest, identifier: str, body: IO[bytes] | bytes
) -> None:
    """Write the request as it was judged."""
    size = len(body) if isinstance(body, bytes) else body.seek(0, 2)
    headers = [*HEADERS]
    if request.method == "POST":
        headers.append((b"content-length", str(size).encode()))
    if size:
        headers.append(
            (
                b"content-type",
                b"application/json" if isinstance(body, bytes) else b"application/x-tar",
            )
        )
    http = h11.Connection(h11.CLIENT)
    writer.write(
        http.send(
            h11.Request(method=request.method, target=request.target(identifier), headers=headers)
        )
        or b""
    )
    if isinstance(body, bytes):
        writer.write(body)
    else:
        body.seek(0)
        while piece := await asyncio.to_thread(body.read, CHUNK):
            writer.write(piece)
            await writer.drain()
    await writer.drain()


async def serve(door: Door, host: str, port: int, until: asyncio.Event) -> None:
    """Listen until the event is set; connections that are open then are cut off."""
    server = await asyncio.start_server(door.answer, host, port)
    log.info("listening on %s", ", ".join(str(sock.getsockname()[:2]) for sock in server.sockets))
    await until.wait()
    server.close()
