"""Refuses at the trigger what a run of our DAGs would refuse later.

A key that is none of the DAG's params.

Airflow holds the values of a run's conf against the params' schema (400), but lets keys pass that
it does not know. This is a layer in front of its API, for the ways by which a person or a program
starts runs: a trigger and a backfill. The first task refuses such a key as well, for what comes by
other ways.
"""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from perennial_airflow.dag_names import DRIFT, PROVE, REPLAY, RETRAIN, ROLLBACK
from pipelines.settings import load_settings
from pipelines.spec import model_names

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Message, Receive, Send], Awaitable[None]]

PATH = re.compile(r"^(?P<api>.*/api/v2)/(dags/(?P<dag>[^/]+)/dagRuns|backfills(/dry_run)?)/?$")
OURS = re.compile(rf"^({RETRAIN}|{DRIFT}|{ROLLBACK}|{PROVE}|{REPLAY})_([a-z][a-z0-9_]*)$")
LONGEST = 1_000_000
"""Bytes of a body that are looked at; a longer one goes on as it came."""

OK, BAD_REQUEST = 200, 400


def known_keys(kind: str) -> frozenset[str]:
    """Return the params of our DAGs of a kind."""
    from perennial_airflow.dags import drift, prove, replay, retrain, rollback

    modules = {
        RETRAIN: retrain,
        DRIFT: drift,
        ROLLBACK: rollback,
        PROVE: prove,
        REPLAY: replay,
    }
    return frozenset(modules[kind].PARAMS)


def refusal(dag_id: object, conf: object, models: Callable[[], list[str]]) -> str | None:
    """Return in words why a run of this DAG cannot have this conf.

    None where it can, or where the DAG is not ours.

    `models` names the models that there are.
    """
    ours = OURS.match(dag_id) if isinstance(dag_id, str) else None
    if ours is None or not isinstance(conf, dict):
        return None
    keys = known_keys(ours[1])
    unknown = sorted(set(conf) - keys)
    if not unknown or ours[2] not in models():
        return None
    close = difflib.get_close_matches(unknown[0][:80], keys, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"{dag_id} takes {', '.join(sorted(keys))}."
    return f"conf: unknown key {unknown[0][:80]!r}; {hint}"


class RefuseUnknownKeys:
    """The layer, as ASGI has it."""

    def __init__(self, app: App, models: Callable[[], list[str]] | None = None) -> None:
        """Stand in front of `app`."""
        self._app = app
        self._models = models or (lambda: model_names(load_settings().models))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400."""
        match = (
            PATH.match(scope["path"])
            if scope["type"] == "http" and scope["method"] == "POST"
            else None
        )
        if match is None:
            await self._app(scope, receive, send)
            return
        body, again = await _read_body(receive)
        dag_id, why = self._judge(match, body)
        if why is None or not await self._may_read(scope, f"{match['api']}/dags/{dag_id}"):
            await self._app(scope, again, send)
            return
        await _answer(send, why)

    def _judge(self, match: re.Match[str], body: bytes) -> tuple[str, str | None]:
        try:
            request = json.loads(body)
        except (ValueError, RecursionError):  # Airflow says so
            return "", None
        if not isinstance(request, dict):
            return "", None
        dag_id = unquote(match["dag"]) if match["dag"] else request.get("dag_id")
        return str(dag_id), refusal(
            dag_id, request.get("conf" if match["dag"] else "dag_run_conf"), self._models
        )

    async def _may_read(self, scope: Message, path: str) -> bool:
        """Ask Airflow whether whoever asks may read the DAG, so that nobody else learns which there
        are.
        """
        statuses: list[int] = []

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        async def empty() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        headers = [
            (name, value)
            for name, value in scope["headers"]
            if name not in {b"content-length", b"content-type"}
        ]
        question = {
            **scope,
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": headers,
            "state": {},
        }
        await self._app(question, empty, note)
        return statuses[:1] == [OK]


async def _read_body(receive: Receive) -> tuple[bytes, Receive]:
    """Return a request's body as far as it is looked at, and what hears the same request once
    more.
    """
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body") or size > LONGEST:
            break
    replay = iter(messages)

    async def again() -> Message:
        message = next(replay, None)
        return message if message is not None else await receive()

    whole = size <= LONGEST and messages[-1]["type"] == "http.request"
    return b"".join(message.get("body", b"") for message in messages) if whole else b"", again


async def _answer(send: Send, why: str) -> None:
    body = json.dumps({"detail": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": BAD_REQUEST, "headers": headers})
    await send({"type": "http.response.body", "body": body})
