"""The app that Airflow's API server mounts at /perennial.

Every route asks who the user is, and whether they may read the model.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.api_fastapi.core_api.security import get_user
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from perennial_airflow.links import URL_PREFIX, airflow_path, login_path, mlflow_path, page_path
from perennial_airflow.pages import answers, incidents, overview
from perennial_airflow.pages.access import TheReader, expect_model
from perennial_airflow.pages.html import add_frame
from perennial_airflow.pages.records import HISTORY, TheRecords
from perennial_airflow.pages.responses import HEADERS, page_response
from pipelines.airflow_pages import command_of_page
from pipelines.errors import PerennialError, TryAgain
from pipelines.mlflow_pages import (
    experiment_page,
    experiments_page,
    find_experiment,
    mlflow_address,
)
from pipelines.mlflow_pages import run_page as mlflow_run_page
from pipelines.store.pages import KINDS, NEWEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

    from perennial_airflow.pages.access import Reader
    from perennial_airflow.pages.records import Records, Removal

LONGEST_RUN = 256

STORED = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src"
    " 'unsafe-inline'; img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'"
)
"""What a run's page may do.

Run its own scripts (Evidently's draws with them) as nobody, without cookies, and fetch nothing.
"""

API = "/api/"
"""Below this path programs ask; they get JSON, also of what went wrong."""
router = APIRouter()


def make_app() -> FastAPI:
    """Return the app.

    It asks for the user on every route that it has or gets, and describes itself to nobody.
    """
    app = FastAPI(
        title="Perennial",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(get_user)],
    )
    app.include_router(router)
    app.include_router(overview.router)
    app.include_router(answers.router)
    app.include_router(incidents.router)
    app.add_exception_handler(StarletteHTTPException, _show_refusal)
    app.add_exception_handler(RequestValidationError, _show_not_understood)
    app.add_exception_handler(PerennialError, _show_failure)
    return app


@router.get("/models/{model}")
def model_page(model: str, reader: TheReader, model_records: TheRecords) -> Response:
    """Show everything that was decided about a model."""
    expect_model(reader, model)
    good, errors = model_records.specs()
    entries = model_records.history(model)
    if not entries and model not in good and model not in errors:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no model {model}.")
    state = model_records.state(model, good.get(model), errors.get(model))
    return page_response(
        "model",
        title=model,
        state=state,
        entries=entries,
        checks=model_records.checks(model),
        profile=page_path(model, "profile", NEWEST) if model_records.has_profile(model) else None,
        limit=HISTORY,
        has_page=model_records.has_page,
        model=model,
        mlflow=_mlflow(model_records, model),
    )


@router.get("/pages/{model}/{kind}/{run}")
def runpage_response(
    model: str, kind: str, run: str, reader: TheReader, model_records: TheRecords
) -> Response:
    """Show a page that a step published for its run."""
    expect_model(reader, model)
    if kind not in KINDS or len(run) > LONGEST_RUN:
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"There are no such pages; there are: {', '.join(KINDS)}."
        )
    page = model_records.page(model, kind, run)
    if page is None and kind == "card":
        raise HTTPException(HTTPStatus.NOT_FOUND, model_records.why_no_card(model, run))
    removal = model_records.removal(model, run) if page is None and kind == "evidently" else None
    if removal is not None:
        return _show_removed(model, run, removal)
    if page is None and kind == "evidently" and model_records.has_look(model, run):
        return _show_not_made(model, run)
    if page is None:
        raise HTTPException(
            HTTPStatus.NOT_FOUND,
            f"The run {run} of {model} has no {kind} page: the task that writes it has not got so"
            " far, or had nothing to show.",
        )
    html = add_frame(
        page,
        own=kind != "evidently",
        base=airflow_path(),
        model=model,
        here=f"{kind} of {run}",
        marks=model_records.marks_of_page(model, kind, run),
        mlflow=_mlflow(model_records, model),
    )
    return HTMLResponse(html, headers={**HEADERS, "Content-Security-Policy": STORED})


def _show_removed(model: str, run: str, removal: Removal) -> Response:
    """Say that Evidently's page of a look was removed, what is left, and how to make it again."""
    return page_response(
        "removed",
        status=HTTPStatus.GONE,
        title="This page was removed",
        model=model,
        at=removal.at,
        days=removal.days,
        check=page_path(model, "drift", run),
        command=command_of_page(model, run),
    )


def _show_not_made(model: str, run: str) -> Response:
    """Say that a look made no page of Evidently's, why that may be, and how to make it."""
    return page_response(
        "not_made",
        status=HTTPStatus.NOT_FOUND,
        title="This page was not made",
        model=model,
        check=page_path(model, "drift", run),
        command=command_of_page(model, run),
    )


@router.get("/mlflow/{model}")
def lead_to_experiment(model: str, reader: TheReader, model_records: TheRecords) -> Response:
    """Lead on to the model's experiment in MLflow."""
    base = _require_mlflow(reader, model_records, model)
    experiment = find_experiment(model_records.settings, model)
    address = experiment_page(base, experiment) if experiment else experiments_page(base)
    return RedirectResponse(address, headers=HEADERS)


@router.get("/mlflow/{model}/{run_id}")
def lead_to_run(model: str, run_id: str, reader: TheReader, model_records: TheRecords) -> Response:
    """Lead on to a run in MLflow."""
    base = _require_mlflow(reader, model_records, model)
    experiment = find_experiment(model_records.settings, model)
    return RedirectResponse(mlflow_run_page(base, experiment, run_id), headers=HEADERS)


def _require_mlflow(reader: Reader, model_records: Records, model: str) -> str:
    """Return MLflow's address. Raises HTTPException where the user may not read the model, or where
    MLflow has none.
    """
    expect_model(reader, model)
    base = mlflow_address(model_records.settings)
    if base is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "MLflow has no address on the web here.")
    return base


def _mlflow(model_records: Records, model: str) -> str | None:
    """Return the path that leads on to the model's experiment; None where MLflow has no address."""
    return airflow_path() + mlflow_path(model) if mlflow_address(model_records.settings) else None


def _show_refusal(request: Request, error: Exception) -> Response:
    """Show an HTTP error (of ours, of Airflow's log-in, of a path that is not there) as a page.

    A browser that is not logged in gets the way to the log-in, which leads back to the page; a
    program gets JSON.
    """
    # What this handler is registered for.
    assert isinstance(error, StarletteHTTPException)  # noqa: S101
    if _asks_as_program(request):
        return _show_problem_as_json(error.status_code, error.detail, error.headers)
    if error.status_code != HTTPStatus.UNAUTHORIZED:
        return page_response(
            "problem",
            status=error.status_code,
            headers=error.headers,
            title=HTTPStatus(error.status_code).phrase,
            problem=error.detail,
        )
    if "text/html" not in request.headers.get("accept", ""):
        return _show_problem_as_json(error.status_code, error.detail, error.headers)
    return page_response(
        "login",
        status=error.status_code,
        headers=error.headers,
        title="Log in",
        login=login_path(_requested_path(request)),
    )


def _show_problem_as_json(
    status: int, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    return JSONResponse({"detail": detail}, status, headers={**(headers or {}), **HEADERS})


def _asks_as_program(request: Request) -> bool:
    return _path_of_ours(request).startswith(API)


def _path_of_ours(request: Request) -> str:
    """Return the path that was asked for, from the plugin's own prefix on."""
    inner = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return f"/{inner.removeprefix(URL_PREFIX).lstrip('/')}"


def _requested_path(request: Request) -> str:
    """Return the path of the page that was asked for, as the browser knows it."""
    return airflow_path() + URL_PREFIX + quote(_path_of_ours(request))


# What a client sent is not echoed.
def _show_not_understood(request: Request, error: Exception) -> Response:  # noqa: ARG001
    if _asks_as_program(request):
        detail = "This is no question that is answered here (docs/ledger.md)."
        return _show_problem_as_json(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return page_response(
        "problem",
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        title="Not understood",
        problem="This is no address of a page.",
    )


def _show_failure(request: Request, error: Exception) -> Response:
    """Show one of our errors in its own words: 503 where a retry may help."""
    status = (
        HTTPStatus.SERVICE_UNAVAILABLE
        if isinstance(error, TryAgain)
        else HTTPStatus.INTERNAL_SERVER_ERROR
    )
    if _asks_as_program(request):
        return _show_problem_as_json(status, str(error))
    return page_response("problem", status=status, title="This cannot be shown", problem=str(error))
