"""The FastAPI app: routes, documentation, and the lives of the follower and of the inference
log.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from pipelines.store.opening import open_store
from serving.feedback import ROUTE as FEEDBACK
from serving.feedback import FeedbackRoute
from serving.follower import Follower
from serving.log.sending import Sender
from serving.log.writer import InferenceLog
from serving.middleware import Edge
from serving.openapi import describe_model, with_models
from serving.predict import ROUTE as PREDICT
from serving.predict import PredictRoute, served_model
from serving.problems import encode, framework_problem
from serving.prometheus import Metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from pipelines.settings import Settings
    from pipelines.store.port import Store

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self';"
    " frame-ancestors 'none'"
)
"""The documentation page may talk to this server and to nobody else."""


def create_app(settings: Settings, store: Store, *, logged: bool = True) -> FastAPI:
    """Return the app that logs to `store` and serves every model with a release there.

    They are loaded when the app starts.

    With the setting `releases` they are read from that store: the one that a release's image
    brings. Without the inference log (`logged=False`, to measure what logging costs) there is no
    feedback either.
    """
    metrics = Metrics()
    own = settings.releases != settings.store
    follower = Follower(
        open_store(settings.releases, settings) if own else store, settings, metrics
    )
    log = InferenceLog(store, settings, metrics) if logged else None
    sender = Sender(store, settings, metrics)
    feedback = FeedbackRoute(follower, metrics, log, settings, store) if log else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if log is not None:
            log.start()
            sender.start()
        await asyncio.to_thread(follower.start)
        yield
        await asyncio.to_thread(follower.stop)
        if feedback is not None:
            await asyncio.to_thread(feedback.stop)
        if log is not None:
            sender.stop()
            await asyncio.to_thread(log.stop)
            if settings.draining is not None:  # a pod: its disk goes with it
                await asyncio.to_thread(sender.finish)

    app = FastAPI(
        title="Perennial",
        description="Models that serve now.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.follower, app.state.metrics = follower, metrics
    app.router.routes.append(
        Route(
            PREDICT,
            PredictRoute(follower, metrics, log, settings.proof_token),
            methods=["POST"],
            include_in_schema=False,
        )
    )
    if feedback is not None:
        app.router.routes.append(
            Route(FEEDBACK, feedback, methods=["POST"], include_in_schema=False)
        )
    _add_model_routes(app, follower)
    _add_operation_routes(app, follower, log)
    _add_metrics_route(app, follower, metrics, store)
    app.add_middleware(Edge, settings=settings, metrics=metrics)
    app.add_exception_handler(HTTPException, _framework_problem)
    # FastAPI's documented way.
    app.openapi = lambda: with_models(  # type: ignore[method-assign]
        _document(app), follower.states, feedback=logged
    )
    return app


def _json(body: Any, status: int = 200) -> Response:
    return Response(encode(body), status, media_type="application/json")


async def _framework_problem(_: Request, error: Exception) -> Response:
    """Raise the framework's own 404 and 405 as problems, which the edge answers."""
    if not isinstance(error, HTTPException):
        raise error
    raise framework_problem(error.status_code, dict(error.headers or {})) from None


def _document(app: FastAPI) -> dict[str, Any]:
    return get_openapi(title=app.title, version="1", description=app.description, routes=app.routes)


def _add_model_routes(app: FastAPI, follower: Follower) -> None:
    @app.get(
        "/models", tags=["models"], summary="Every model with a release", response_class=Response
    )
    async def models() -> Response:
        return _json(
            {
                "models": [
                    describe_model(name, state) for name, state in sorted(follower.states.items())
                ]
            }
        )

    @app.get(
        "/models/{name}",
        tags=["models"],
        summary="What a model serves, since when, from which data",
        response_class=Response,
    )
    async def model(name: str) -> Response:
        """Of several workers, the one that happens to answer tells what it serves.

        A new release reaches the others within a poll.
        """
        served_model(follower, name)
        return _json(describe_model(name, follower.states[name]))


def _add_operation_routes(app: FastAPI, follower: Follower, log: InferenceLog | None) -> None:
    page = files("serving").joinpath("docs.html").read_text(encoding="utf-8")

    @app.get("/health", tags=["operation"], summary="The process answers", response_class=Response)
    async def health() -> Response:
        return _json({"status": "ok"})

    @app.get(
        "/ready",
        tags=["operation"],
        summary="Every model with a release is loaded, and predictions are logged",
        response_class=Response,
    )
    async def ready() -> Response:
        trouble = "; ".join(log.trouble.values()) if log else ""
        reason = _why_not_ready(follower) or (trouble if log and log.refuses else "")
        if reason:
            return _json({"status": "not ready", "reason": reason}, 503)
        extra = {"inference_log": trouble} if trouble else {}
        return _json({"status": "ready", "models": sorted(follower.states), **extra})

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"content-security-policy": PAGE_POLICY})


def _add_metrics_route(app: FastAPI, follower: Follower, metrics: Metrics, store: Store) -> None:
    @app.get(
        "/metrics",
        tags=["operation"],
        summary="Counts in Prometheus' format",
        response_class=Response,
    )
    async def counts() -> Response:
        text = await asyncio.to_thread(metrics.text, store, list(follower.states))
        return Response(text, media_type=PROMETHEUS)


def _why_not_ready(follower: Follower) -> str:
    states = follower.states
    names = sorted(name for name, state in states.items() if state.served is None)
    if names:
        return f"No release could be loaded of: {', '.join(names)}."
    return "" if states else follower.trouble or "No model has a release yet."
