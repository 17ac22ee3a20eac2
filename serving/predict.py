"""The prediction route.

A bare ASGI app, because a request costs less here than in a framework's dependency machinery.
"""

from __future__ import annotations

import asyncio
import hmac
from functools import partial
from typing import TYPE_CHECKING

from serving.middleware import json_start
from serving.problems import Problem, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from starlette.types import Receive, Scope, Send

    from serving.follower import Follower
    from serving.loaded_release import LoadedRelease
    from serving.log.writer import InferenceLog
    from serving.prometheus import Metrics

ROUTE = "/models/{name}/predict"

PROOF = b"x-perennial-proof"
"""The header of a proof; the gateway takes it out of whatever comes from outside."""

INLINE_ROWS = 32
"""Compiled answers of up to this many rows are made at once (well below a millisecond).

Others in a thread.
"""


class PredictRoute:
    """POST /models/{name}/predict."""

    def __init__(
        self,
        follower: Follower,
        metrics: Metrics,
        log: InferenceLog | None,
        proof_token: str = "",
    ) -> None:
        """Answer from what `follower` serves, and write what was answered.

        Requests with the token are a proof, no traffic.
        """
        self._follower = follower
        self._metrics = metrics
        self._log = log
        self._proof = proof_token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request from the release that serves when it comes. Raises Problem."""
        scope["perennial.route"] = ROUTE
        name = scope["path_params"]["name"]
        loaded_release = served_model(self._follower, name)
        scope["perennial.model"] = name
        refuse_other_media(scope)
        request = loaded_release.decoder.decode((await receive())["body"])
        answers = await self._predictions(loaded_release, request.rows)
        request_id = scope["perennial.request_id"]
        answer = {
            "request_id": request_id,
            "model": name,
            "version": loaded_release.release.version,
            "release": loaded_release.release.number,
            "predictions": loaded_release.shown(answers),
        }
        if names := loaded_release.bundle.manifest.inputs.binary_classes:
            answer["classes"] = names
        if (decisions := loaded_release.decisions(answers)) is not None:
            answer["threshold"] = loaded_release.bundle.manifest.threshold_value
            answer["decisions"] = decisions
        elif loaded_release.bundle.manifest.threshold is not None:
            answer["threshold"] = loaded_release.bundle.manifest.threshold_value
        body = encode(answer)
        if not (self._proof and self._is_proof(scope)):
            if self._log is not None:
                self._log.write_answer(
                    loaded_release, request, answers, request_id, scope["perennial.started"]
                )
            self._metrics.count_predictions(name, len(request.rows))
        await send(json_start(200, body))
        await send({"type": "http.response.body", "body": body})

    def _is_proof(self, scope: Scope) -> bool:
        """Tell whether the caller is `deploy`, which replays golden requests before it sends any
        traffic here.
        """
        return any(
            name == PROOF and hmac.compare_digest(value, self._proof)
            for name, value in scope["headers"]
        )

    async def _predictions(
        self, loaded_release: LoadedRelease, rows: list[tuple[Any, ...]]
    ) -> list[Any]:
        if loaded_release.is_dropped:
            await asyncio.to_thread(loaded_release.wake)
        try:
            if loaded_release.bundle.manifest.compiled and len(rows) <= INLINE_ROWS:
                return loaded_release.predictions(rows)
            if loaded_release.batcher is not None:
                return await loaded_release.batcher.predictions(
                    rows, loaded_release.predictions, self._observe(loaded_release)
                )
            return await asyncio.to_thread(loaded_release.predictions, rows)
        except Problem as problem:
            if problem.code == "model_output_invalid":
                self._metrics.count_invalid(loaded_release.release.model)
            if problem.code == "model_failed":
                self._metrics.count_model_failure(loaded_release.release.model)
            raise

    def _observe(self, loaded_release: LoadedRelease) -> Callable[[int], None]:
        return partial(self._metrics.observe_batch, loaded_release.release.model)


def served_model(follower: Follower, name: str) -> LoadedRelease:
    """Return what the model serves.

    Raises Problem 404 for a name without releases, 503 where none of them can be served.
    """
    state = follower.states.get(name)
    if state is None:
        raise Problem(
            404, "unknown_model", "There is no model of this name here; GET /models lists them."
        )
    if state.served is None:
        refusal = state.refused
        extra = {
            "model": name,
            "refused": {"release": refusal.release, "reason": refusal.reason} if refusal else None,
        }
        raise Problem(
            503,
            "model_not_loaded",
            "No release of this model could be loaded.",
            headers={"retry-after": "5"},
            extra=extra,
        )
    return state.served


def refuse_other_media(scope: Scope) -> None:
    """Raise Problem 415 for a body that is not said to be plain JSON.

    A foreign web page can send any other one without asking.
    """
    is_json = False
    for name, value in scope["headers"]:
        if name == b"content-type":
            is_json = value.split(b";", 1)[0].strip().lower() == b"application/json"
            if not is_json:
                break
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise Problem(415, "unsupported_media_type", "Send the body uncompressed.")
    if not is_json:
        raise Problem(
            415,
            "unsupported_media_type",
            "Send the body as JSON, with the header Content-Type: application/json.",
        )
