"""What the ledger answers, for programs (below /api) and as a page.

Each route is of one model, and checks that the user may read it. None checks the chain first, which
takes its time in a long ledger: `perennial verify` and the commands do. The inference log is read
with Arrow, which is imported when it is asked for: DAGs and other pages do without.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response, StreamingResponse

from perennial_airflow.links import airflow_path, answer_path, model_path, page_path
from perennial_airflow.pages.access import TheReader, expect_model
from perennial_airflow.pages.records import TheRecords  # noqa: TC001 -- FastAPI reads annotations
from perennial_airflow.pages.responses import HEADERS, page_response
from pipelines.answers import words
from pipelines.answers.export import export_lines
from pipelines.answers.lineage import resting_on
from pipelines.answers.origins import why
from pipelines.answers.service import expect_known, parse_moment, who_served
from pipelines.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from perennial_airflow.pages.access import Reader
    from perennial_airflow.pages.records import Records
    from pipelines.refs import Value

    T = TypeVar("T")

router = APIRouter()


@router.get("/why/{model}/{version}")
def why_page(model: str, version: str, reader: TheReader, model_records: TheRecords) -> Response:
    """Show how a version came to be: who let it serve, when it did, what it was made from."""
    expect_model(reader, model)
    ledger, store = model_records.ports.ledger, model_records.ports.store
    origin = _found(lambda: why(ledger, store, model, version))
    run = origin.verdicts[-1].run if origin.verdicts else ""
    has_card = bool(run) and model_records.has_page(model, "card", run)
    return page_response(
        "why",
        title=f"{model} {version}",
        model=model,
        here=f"version {version}",
        version=version,
        lines=words.say_origin(origin),
        batches=origin.batches,
        json=airflow_path() + answer_path(model, "why", version),
        card=airflow_path() + page_path(model, "card", run) if has_card else None,
        no_card=None if has_card or not run else model_records.why_no_card(model, run),
        back=airflow_path() + model_path(model),
    )


@router.get("/api/{model}/who-served")
def who_served_answer(
    model: str, reader: TheReader, model_records: TheRecords, at: str | None = None
) -> Response:
    """Answer which version served at a moment (default: now)."""
    _expect(reader, model_records, model)
    ledger = model_records.ports.ledger
    moment = datetime.now(UTC) if at is None else _found(lambda: parse_moment(at), 400)
    return _json(who_served(ledger, model, moment))


@router.get("/api/{model}/why/{version}")
def why_answer(model: str, version: str, reader: TheReader, model_records: TheRecords) -> Response:
    """Answer how a version came to be."""
    _expect(reader, model_records, model)
    ledger, store = model_records.ports.ledger, model_records.ports.store
    return _json(_found(lambda: why(ledger, store, model, version)))


@router.get("/api/{model}/why-prediction/{request_id:path}")
def why_prediction_answer(
    model: str, request_id: str, reader: TheReader, model_records: TheRecords
) -> Response:
    """Answer which version answered a request, with its inputs as the log holds them."""
    _expect(reader, model_records, model)
    ledger, store = model_records.ports.ledger, model_records.ports.store
    from pipelines.answers.predictions import why_prediction

    return _json(_found(lambda: why_prediction(ledger, store, model, request_id)))


@router.get("/api/{model}/lineage")
def lineage_answer(
    model: str,
    batch: str,
    reader: TheReader,
    model_records: TheRecords,
    *,
    predictions: bool = False,
) -> Response:
    """Answer what rests on a batch; what a version rests on stands in `why`."""
    _expect(reader, model_records, model)
    ledger, store = model_records.ports.ledger, model_records.ports.store
    found = _found(lambda: resting_on(ledger, store, model, batch))
    from pipelines.answers.predictions import with_predictions

    return _json(with_predictions(store, found, named=predictions))


@router.get("/api/{model}/export")
def export_answer(
    model: str,
    reader: TheReader,
    model_records: TheRecords,
    form: Annotated[Literal["jsonl", "openlineage"], Query(alias="format")] = "jsonl",
) -> Response:
    """Answer with the model's entries, a JSON object on each line, oldest first."""
    _expect(reader, model_records, model)
    lines = export_lines(model_records.ports.ledger, model, form)
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=HEADERS)


def _expect(reader: Reader, model_records: Records, model: str) -> None:
    """Raise HTTPException unless the user may read the model, and there is one."""
    expect_model(reader, model)
    ledger = model_records.ports.ledger
    _found(lambda: expect_known(ledger, model_records.settings.models, model))


def _found(ask: Callable[[], T], status: int = HTTPStatus.NOT_FOUND) -> T:
    """Return an answer. Raises HTTPException where what was asked for is not there."""
    try:
        return ask()
    except RequestError as error:
        raise HTTPException(status, str(error)) from error


def _json(value: Value) -> Response:
    return Response(value.model_dump_json(), media_type="application/json", headers=HEADERS)
